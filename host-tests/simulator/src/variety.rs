//! How producers differ from one another: their memory, their settings, what their records look
//! like.

use ottla::config::{Partitioner, UnknownTime, WhenFull};
use ottla::{Acks, Config, Duration};
use ottla_answers::Random;

use crate::draw::up_to;
use crate::engine::Shape;
use crate::fault::Fault;
use crate::sample::Style;

/// The time of day when a run begins, in milliseconds.
pub(crate) const EPOCH: u64 = 1_700_000_000_000;

/// A producer.
#[derive(Clone, Debug)]
pub(crate) struct ClientSetup {
    pub(crate) shape: Shape,
    pub(crate) config: Config,
    /// Where its clock stands when the run begins.
    pub(crate) clock: u64,
    /// It tells the machine how many partitions there are.
    pub(crate) declares: bool,
    /// It tells the machine its name.
    pub(crate) named: bool,
    /// How long after its start it learns the time of day.
    pub(crate) learns_time: u64,
    /// Where its sequences begin, if not at 0: soon they wrap.
    pub(crate) first_sequence: Option<u32>,
    /// Bytes that a write takes at most.
    pub(crate) socket: usize,
    /// What its records look like.
    pub(crate) style: Style,
}

/// Draws a producer.
pub(crate) fn client(random: &mut Random, faults: &[Fault], horizon: u64) -> ClientSetup {
    let wrap = if faults.contains(&Fault::TickWrap) {
        // 32 bits of microseconds and of milliseconds, and 31 of them, pass on the way.
        random.pick(&[1 << 31, 1 << 32, 1_000 << 31, 1_000 << 32])
    } else {
        0
    };
    let shape =
        random.pick(&[Shape::Small, Shape::Wide, Shape::Heap(1 << 20), Shape::Heap(20_000)]);
    let mut config = usual(random);
    if random.chance(150) {
        // Without sequences.
        config.idempotence = false;
        config.acks = random.pick(&[Acks::All, Acks::Leader, Acks::None]);
        config.ordered = random.chance(512);
        config.max_in_flight = random.pick(&[5, 1, 20]);
        config.retries = random.pick(&[i32::MAX as u32, 1, 0]);
    } else {
        config.resend_after_state_loss = random.chance(200);
    }
    if random.chance(400) {
        unusual(random, &mut config);
    }
    ClientSetup {
        shape,
        config,
        clock: u64::saturating_sub(wrap, up_to(random, horizon)),
        declares: random.chance(512),
        named: random.chance(256),
        learns_time: random.pick(&[0, 0, 0, 0, 700_000]),
        first_sequence: random.chance(128).then(|| (1 << 31) - 1 - random.below(40)),
        socket: random.pick(&[65_536, 65_536, 65_536, 2_000, 100]),
        style: Style {
            keys: random.chance(512),
            headers: random.chance(400),
            classes: random.chance(512),
            stamps: random.chance(256),
        },
    }
}

/// What most applications choose among.
fn usual(random: &mut Random) -> Config {
    let seconds = Duration::from_secs;
    Config {
        batch_size: random.pick(&[16_384, 16_384, 500, 200, 0]),
        linger: random.pick(&[
            Duration::ZERO,
            Duration::from_millis(5),
            Duration::from_millis(300),
        ]),
        max_in_flight: random.pick(&[5, 5, 5, 2, 1]),
        retries: random.pick(&[i32::MAX as u32, i32::MAX as u32, i32::MAX as u32, 3, 1]),
        delivery_timeout: seconds(random.pick(&[120, 120, 35, 600])),
        request_timeout: seconds(random.pick(&[30, 30, 5, 2])),
        connection_setup_timeout: seconds(random.pick(&[10, 2])),
        when_full: random.pick(&[
            WhenFull::Refuse,
            WhenFull::Refuse,
            WhenFull::Refuse,
            WhenFull::DropOldest,
            WhenFull::DropNewest,
            WhenFull::DropLowestClass,
        ]),
        partitioner: random.pick(&[
            Partitioner::Sticky,
            Partitioner::Sticky,
            Partitioner::RoundRobin,
        ]),
        ..Config::new()
    }
}

/// What few change.
fn unusual(random: &mut Random, config: &mut Config) {
    let seconds = Duration::from_secs;
    config.max_request_size = random.pick(&[1_048_576, 1_048_576, 4_000, 1_200]);
    config.retry_backoff = Duration::from_millis(random.pick(&[100, 1, 900]));
    config.reconnect_backoff = Duration::from_millis(random.pick(&[50, 1, 900]));
    config.connection_max_idle = seconds(random.pick(&[540, 20, 3]));
    config.metadata_max_age = seconds(random.pick(&[300, 30, 3]));
    config.metadata_max_idle = seconds(random.pick(&[300, 30]));
    config.rebootstrap = random.chance(700);
    config.rebootstrap_trigger = seconds(random.pick(&[300, 20]));
    config.ignore_keys = random.chance(400);
    config.adaptive_partitioning = random.chance(600);
    config.availability_timeout = Duration::from_millis(random.pick(&[0, 100, 3_000]));
    config.auto_create_topics = random.chance(512);
    // Never before the true time: brokers forget producers by it.
    config.unknown_time = random.pick(&[UnknownTime::Wait, UnknownTime::Floor(EPOCH)]);
}

/// Ends of back-offs and of setup timeouts. They are drawn apart, so that a seed is what it was before.
pub(crate) fn limits(random: &mut Random, config: &mut Config) {
    if !random.chance(300) {
        return;
    }
    let millis = Duration::from_millis;
    config.retry_backoff_max = millis(random.pick(&[1_000, 4_000, 100])).max(config.retry_backoff);
    config.reconnect_backoff_max =
        millis(random.pick(&[1_000, 10_000, 50])).max(config.reconnect_backoff);
    config.connection_setup_timeout_max =
        millis(random.pick(&[30_000, 10_000, 2_000])).max(config.connection_setup_timeout);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sound_settings_are_drawn() {
        let mut random = Random::new(1);
        for _ in 0..3_000 {
            let ClientSetup { shape, mut config, .. } = client(&mut random, Fault::ALL, 60_000_000);
            limits(&mut random, &mut config);
            let memory = match shape {
                Shape::Heap(bytes) => bytes,
                // Batches end with their block there.
                Shape::Small | Shape::Wide => u64::from(u32::MAX),
            };
            let problems: Vec<_> = config.problems(memory).collect();
            assert!(problems.is_empty(), "{problems:?}: {config:?}");
        }
    }
}
