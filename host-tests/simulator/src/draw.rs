//! What a seed is: a world, the faults that it has, and what is done in it.

use ottla_answers::Random;
use ottla_broker::Profile;

use crate::fault::Fault;
use crate::operation::{Kind, Operation};
use crate::traps;
use crate::variety::{self, ClientSetup, client};

const SECOND: u64 = 1_000_000;

/// The names of topics.
pub(crate) const TOPICS: [&str; 2] = ["ants", "bees"];

/// `max.message.bytes`, by default.
pub(crate) const MAX_MESSAGE_BYTES: i32 = 1_048_588;

/// `max.message.bytes` where batches are often too large.
const LARGEST_SMALL: i32 = 700;

/// A world before anything has happened in it.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) nodes: u8,
    pub(crate) replicas: i16,
    /// Partitions of each topic.
    pub(crate) topics: Vec<u32>,
    pub(crate) min_in_sync: i32,
    /// How long a follower takes, at least and at most.
    pub(crate) lag: (u64, u64),
    /// How long bytes take to a broker and back.
    pub(crate) delay: (u64, u64),
    pub(crate) profile: Profile,
    pub(crate) max_message_bytes: i32,
    pub(crate) clients: Vec<ClientSetup>,
    /// When everything heals.
    pub(crate) heal: u64,
}

/// A seed, drawn.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) setup: Setup,
    pub(crate) faults: Vec<Fault>,
    pub(crate) operations: Vec<Operation>,
}

/// A number up to `bound`, above 32 bits, too.
pub(crate) fn up_to(random: &mut Random, bound: u64) -> u64 {
    ((u128::from(random.bits()) * u128::from(bound)) >> 64) as u64
}

/// A number up to one of `bounds`.
fn within(random: &mut Random, bounds: &[u64]) -> u64 {
    let bound = random.pick(bounds);
    up_to(random, bound)
}

/// Draws all that is in a seed.
pub(crate) fn plan(seed: u64) -> Plan {
    let random = &mut Random::new(seed);
    let faults = swarm(random);
    let horizon = random.pick(&[5, 20, 60, 60, 300]) * SECOND;
    let mut setup = setup(random, &faults, horizon);
    let apart = &mut Random::new(seed ^ 0x0011_3175);
    setup.clients.iter_mut().for_each(|client| variety::limits(apart, &mut client.config));
    let operations = operations(random, seed, &setup, &faults, horizon);
    let sleeps = |o: &&Operation| o.kind == Kind::Fault(Fault::Sleep);
    let awake = operations.iter().filter(sleeps).map(|o| o.at.saturating_add(o.span)).max();
    let heal = awake.unwrap_or(0).max(horizon);
    Plan { setup: Setup { heal, ..setup }, faults, operations }
}

/// Which faults a seed has. Three of four seeds have none that suspends a promise.
fn swarm(random: &mut Random) -> Vec<Fault> {
    let rate = random.pick(&[0, 60, 120, 120, 240, 500]);
    let may_suspend = random.chance(256);
    let drawn = Fault::ALL.iter().copied().filter(|fault| {
        let drawn = random.chance(rate);
        // Codes are many, so most seeds have some.
        let often = rate > 0 && *fault == Fault::Code;
        (drawn || often) && (fault.suspends().is_empty() || may_suspend)
    });
    drawn.collect()
}

fn setup(random: &mut Random, faults: &[Fault], horizon: u64) -> Setup {
    let nodes = random.pick(&[1, 1, 2, 3, 3, 3, 4, 5]);
    let replicas = i16::from(nodes.min(random.pick(&[1, 2, 3, 3])));
    let many = random.pick(&[1, 2, 3, 6]);
    let topics = if random.chance(300) { vec![many, 1] } else { vec![many] };
    let min_in_sync = if replicas > 2 { random.pick(&[1, 2]) } else { 1 };
    let lag = random.pick(&[(0, 0), (200, 5_000), (1_000, 80_000), (100_000, 800_000)]);
    let delay =
        random.pick(&[(50, 50), (500, 500), (5_000, 5_000), (2_000, 40_000), (200_000, 300_000)]);
    let clients = random.pick(&[1, 1, 2, 3, 4]);
    let mut clients: Vec<_> = (0..clients).map(|_| client(random, faults, horizon)).collect();
    let profile = random.pick(&[
        Profile::Newest,
        Profile::Newest,
        Profile::V3_9,
        Profile::V2_8,
        Profile::V2_4,
        Profile::V2_1,
    ]);
    if profile < Profile::V2_8 {
        // Older brokers want producers that they don't know to begin at 0.
        clients.iter_mut().for_each(|client| client.first_sequence = None);
    }
    Setup {
        nodes,
        replicas,
        topics,
        min_in_sync,
        lag,
        delay,
        profile,
        max_message_bytes: random.pick(&[
            MAX_MESSAGE_BYTES,
            MAX_MESSAGE_BYTES,
            MAX_MESSAGE_BYTES,
            LARGEST_SMALL,
        ]),
        clients,
        heal: horizon,
    }
}

/// Records of a run, about.
const RECORDS: u32 = 420;

fn operations(
    random: &mut Random,
    seed: u64,
    setup: &Setup,
    faults: &[Fault],
    horizon: u64,
) -> Vec<Operation> {
    let mut operations = Vec::new();
    let mut left = RECORDS;
    while left > 0 {
        let most = random.pick(&[1, 6, 20, 60]);
        let count = (1 + random.below(most)).min(left);
        left -= count;
        let (at, who, what) = (up_to(random, horizon), random.below(4), random.below(1_024));
        operations.push(Operation { at, kind: Kind::Send, who, what, span: u64::from(count) });
    }
    let flushes = random.pick(&[0, 2, 4, 12]);
    for _ in 0..flushes {
        let (at, who) = (up_to(random, horizon), random.below(4));
        operations.push(Operation { at, kind: Kind::Flush, who, what: 0, span: 0 });
    }
    let most = random.pick(&[1, 2, 4]);
    for fault in faults {
        if *fault == Fault::Code {
            operations.extend((0..CODES).map(|n| in_turn(random, seed * CODES + n, horizon)));
            continue;
        }
        for _ in 0..=random.below(most) {
            let at = up_to(random, horizon);
            let (who, what) = (random.below(20), random.bits() as u32);
            let span = span(random, *fault, setup);
            // What brokers forget matters to batches that are on their way.
            if *fault == Fault::RestartNewest && what & 0x8000 == 0 {
                let lead = 2 * setup.delay.1 + setup.lag.1;
                let at = at.saturating_sub(up_to(random, lead));
                let (who, what) = (random.below(4), random.below(1_024));
                operations.push(Operation { at, kind: Kind::Send, who, what, span: 60 });
            }
            operations.push(Operation { at, kind: Kind::Fault(*fault), who, what, span });
        }
    }
    // Equal times stay in the order of drawing.
    operations.sort_by_key(|operation| operation.at);
    operations
}

/// Codes of a seed, where it has some.
const CODES: u64 = 5;

/// The next code in turn. An id is asked for once, at the beginning.
fn in_turn(random: &mut Random, number: u64, horizon: u64) -> Operation {
    let turn = (number % u64::from(traps::turns())) as u32;
    let at = if traps::is_asked_once(turn) { 0 } else { up_to(random, horizon / 2) };
    Operation { at, kind: Kind::Fault(Fault::Code), who: 0, what: turn, span: 0 }
}

/// How much of a fault, or for how long.
fn span(random: &mut Random, fault: Fault, setup: &Setup) -> u64 {
    match fault {
        Fault::Delay | Fault::Asymmetry | Fault::Jitter => {
            random.pick(&[10_000, 100_000, SECOND, 20 * SECOND])
        }
        Fault::Bandwidth => random.pick(&[300, 3_000, 50_000]),
        Fault::Reset => within(random, &[1, 40, 400, 4_000]),
        Fault::Late | Fault::Twice | Fault::Disorder => {
            within(random, &[SECOND, 30 * SECOND, 900 * SECOND])
        }
        Fault::Crumbs => u64::from(1 + random.below(1_500)),
        Fault::Throttle => u64::from(1 + random.below(5_000)),
        Fault::Slow | Fault::SlowAnswer => within(random, &[SECOND, 50 * SECOND]),
        Fault::Fill => 3_000,
        Fault::Sleep => {
            const DAY: u64 = 86_400 * SECOND;
            SECOND + within(random, &[10 * SECOND, 600 * SECOND, DAY, 30 * DAY])
        }
        Fault::ClockJump => {
            const YEAR: u64 = 365 * 86_400 * SECOND;
            within(random, &[60 * SECOND, YEAR, 50 * YEAR])
        }
        Fault::Close | Fault::CloseCrash => {
            SECOND / 20 + within(random, &[SECOND / 10, 2 * SECOND, 20 * SECOND])
        }
        Fault::Grow => 1,
        _ => within(random, &[SECOND, 10 * SECOND, setup.heal]),
    }
}
