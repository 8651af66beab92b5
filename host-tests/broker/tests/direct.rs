//! The core's producer against a cluster in one process, without sockets and by a clock that only
//! the test moves: whatever happens to the cluster, what the producer tells is true.

use std::collections::{BTreeMap, VecDeque};

use ottla::memory::Growable;
use ottla::message::{Api, ErrorCode};
use ottla::{
    Config, Duration, Event, Instant, Link, LinkAction, Outcome, Producer, Reason, Record, Topic,
};
use ottla_broker::{
    Action, Cluster, Config as ClusterConfig, Connection, NewTopic, Reload, Replication, Silence,
    UpTo,
};

const PARTITIONS: i32 = 2;
const WALL_CLOCK: u64 = 1_700_000_000_000;

/// A small generator, so that a seed is a whole run.
#[derive(Clone)]
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// A connection with the bytes that are under way in both directions.
struct Wire {
    connection: Connection,
    up: VecDeque<u8>,
    down: VecDeque<u8>,
}

struct World {
    producer: Producer<Growable>,
    cluster: Cluster,
    topic: Topic,
    now: u64,
    wires: BTreeMap<u64, (Link, Wire)>,
    next_wire: u64,
    draw: Draw,
    accepted: [u64; PARTITIONS as usize],
    outcomes: BTreeMap<(i32, u64), Outcome>,
    trace: Vec<u8>,
}

impl World {
    fn new(seed: u64) -> Self {
        let replication = Replication::Delay { min: 100, max: 30_000 };
        let config = ClusterConfig { seed, replication, ..ClusterConfig::new(3) };
        let mut cluster = Cluster::new(config);
        let topic = NewTopic::assigned("t", &[&[1, 2, 3], &[2, 3, 1]]);
        cluster.create_topic(&topic.config("min.insync.replicas", "2")).expect("a topic");
        let settings = Config {
            linger: Duration::from_millis(seed % 3),
            batch_size: 100,
            request_timeout: Duration::from_millis(400),
            delivery_timeout: Duration::from_millis([2_000, 60_000][(seed % 2) as usize]),
            retry_backoff: Duration::from_millis(5),
            retry_backoff_max: Duration::from_millis(20),
            reconnect_backoff: Duration::from_millis(5),
            reconnect_backoff_max: Duration::from_millis(20),
            ..Config::new()
        };
        let mut producer = Producer::new(Growable::new(1 << 20), settings, seed);
        for node in 1..=3 {
            assert!(producer.bootstrap(&format!("node{node}"), 9_091 + node));
        }
        producer.set_wall_clock(Instant::ZERO, WALL_CLOCK);
        let topic = producer.declare_topic("t", PARTITIONS as u32).expect("a topic");
        Self {
            producer,
            cluster,
            topic,
            now: 0,
            wires: BTreeMap::new(),
            next_wire: 0,
            draw: Draw(seed),
            accepted: [0; PARTITIONS as usize],
            outcomes: BTreeMap::new(),
            trace: Vec::new(),
        }
    }

    fn instant(&self) -> Instant {
        Instant::from_micros(self.now)
    }

    fn connect(&mut self) {
        let now = self.instant();
        while let Some(action) = self.producer.poll_link() {
            let (link, port) = match action {
                LinkAction::Connect(link, address) => (link, address.port),
                LinkAction::Close(link, _) => {
                    let gone = self.wires.iter().find(|(_, (l, _))| *l == link).map(|(n, _)| *n);
                    if let Some((_, wire)) = gone.and_then(|number| self.wires.remove(&number)) {
                        self.cluster.disconnect(self.now, wire.connection);
                    }
                    continue;
                }
            };
            match self.cluster.connect(self.now, i32::from(port) - 9_091) {
                Some(connection) => {
                    let wire = Wire { connection, up: VecDeque::new(), down: VecDeque::new() };
                    self.wires.insert(self.next_wire, (link, wire));
                    self.next_wire += 1;
                    self.producer.handle_connected(now, link);
                }
                None => self.producer.handle_disconnected(now, link, Reason::Refused),
            }
        }
    }

    /// Moves some of the bytes that are under way.
    fn carry(&mut self) {
        let now = self.instant();
        for number in self.wires.keys().copied().collect::<Vec<_>>() {
            let Some((link, wire)) = self.wires.get_mut(&number) else { continue };
            while let Some(piece) = self.producer.output(*link) {
                let length = piece.bytes.len();
                wire.up.extend(piece.bytes);
                self.producer.consume_output(now, *link, length);
            }
            let count = self.draw.below(400).min(wire.up.len() as u64) as usize;
            let bytes: Vec<u8> = wire.up.drain(..count).collect();
            self.cluster.handle_input(self.now, wire.connection, &bytes);
            while let Some(frame) = self.cluster.poll_output(wire.connection) {
                self.trace.extend_from_slice(&frame);
                wire.down.extend(frame);
            }
            let count = self.draw.below(100).min(wire.down.len() as u64) as usize;
            let bytes: Vec<u8> = wire.down.drain(..count).collect();
            self.producer.handle_input(now, *link, &bytes);
            let is_closed = self.cluster.poll_close(wire.connection).is_some();
            if is_closed {
                let link = *link;
                self.wires.remove(&number);
                self.producer.handle_disconnected(now, link, Reason::Disconnected);
            }
        }
    }

    fn turn(&mut self) {
        self.connect();
        self.carry();
        let now = self.instant();
        if self.producer.poll_timeout().is_some_and(|at| at <= now) {
            self.producer.handle_timeout(now);
        }
        self.cluster.handle_timeout(self.now);
        while let Some(event) = self.producer.poll_event() {
            if let Event::Delivered(delivery) = event {
                for place in 0..u64::from(delivery.count) {
                    let mut outcome = delivery.outcome;
                    if let Outcome::Written { base_offset: offset @ 0.., .. } = &mut outcome {
                        *offset += place as i64;
                    }
                    let key = (delivery.partition, delivery.first + place);
                    assert_eq!(self.outcomes.insert(key, outcome), None, "one outcome of {key:?}");
                }
            } else {
                assert!(!matches!(event, Event::Fatal(_)), "{event:?}");
            }
        }
        self.now += self.draw.below(5_000);
    }

    fn produce(&mut self) {
        let partition = self.draw.below(PARTITIONS as u64) as i32;
        let number = self.accepted[partition as usize];
        let value = number.to_string();
        let record = Record::new(value.as_bytes()).partition(partition);
        if self.producer.produce(self.instant(), self.topic, &record).is_ok() {
            self.accepted[partition as usize] += 1;
        }
    }

    /// Something that a cluster survives without the loss of what is committed, and of what it
    /// knows of producers no more than a restart costs.
    fn disturb(&mut self) {
        let (node, partition) =
            (self.draw.below(3) as i32 + 1, self.draw.below(PARTITIONS as u64) as i32);
        let now = self.now;
        let reload = [Reload::All, Reload::NewestOnly][self.draw.below(2) as usize];
        // What does not apply does not happen.
        let _ = match self.draw.below(9) {
            0 => self.cluster.kill(now, node),
            1 | 2 => self.cluster.start(now, node),
            3 => self.cluster.restart(now, node, reload),
            4 | 5 => self.cluster.move_leader(now, "t", partition, node),
            6 => self.cluster.leave_in_sync(now, "t", partition, node),
            7 => self.cluster.reload(now, node, reload),
            _ => {
                if let Some((_, (link, wire))) = self.wires.pop_first() {
                    self.cluster.disconnect(now, wire.connection);
                    let at = Instant::from_micros(now);
                    self.producer.handle_disconnected(at, link, Reason::Disconnected);
                }
                Ok(())
            }
        };
    }

    fn set_hook(&mut self) {
        let mut draw = Draw(self.draw.below(1 << 30));
        self.cluster.set_hook(move |seen| {
            let is_produce = seen.api == Api::Produce;
            match draw.below(24) {
                0 => Action::Delay(draw.below(600_000)),
                1 => Action::DelayAnswer(draw.below(600_000)),
                2 if is_produce => Action::Refuse(ErrorCode([19, 6, 3][draw.below(3) as usize])),
                3 if is_produce => {
                    let code = [3, 5, 6, 7, 20, 56, 1_234][draw.below(7) as usize];
                    Action::AnswerAfter(ErrorCode(code))
                }
                4 => Action::Swallow(Silence::Stay),
                5 => Action::Swallow(Silence::Close),
                6 => Action::Throttle(draw.below(50) as u32),
                7 => Action::Close,
                _ => Action::Proceed,
            }
        });
    }

    fn heal(&mut self) {
        self.cluster.clear_hook();
        for node in 1..=3 {
            self.cluster.start(self.now, node).expect("a node");
        }
    }

    fn is_settled(&self) -> bool {
        self.outcomes.len() as u64 == self.accepted.iter().sum()
    }

    /// What is committed must be what was told. Returns how many records were written.
    fn check(&self, seed: u64) -> u64 {
        let mut next = [0_u64; PARTITIONS as usize];
        let mut written = 0;
        let mut is_there = |partition: i32, number: u64, offset: Option<i64>| match (
            self.outcomes.get(&(partition, number)),
            offset,
        ) {
            (Some(Outcome::Written { base_offset, .. }), Some(offset)) => {
                let is_true = [-1, offset].contains(base_offset);
                assert!(is_true, "seed {seed}: {partition}/{number} is at {offset}, {base_offset}");
                written += 1;
            }
            (Some(Outcome::NotWritten(_)), None) | (Some(Outcome::Unknown(..)), _) => {}
            (told, offset) => {
                panic!("seed {seed}: {partition}/{number} is at {offset:?}, {told:?}")
            }
        };
        for record in self.cluster.records("t", UpTo::HighWatermark) {
            let record = record.expect("a record");
            let value = String::from_utf8_lossy(record.record.value.unwrap_or_default());
            let number: u64 = value.parse().expect("a number");
            let next = &mut next[record.partition as usize];
            assert!(number >= *next, "seed {seed}: {number} is behind {next}");
            for missing in *next..number {
                is_there(record.partition, missing, None);
            }
            is_there(record.partition, number, Some(record.offset));
            *next = number + 1;
        }
        for (partition, (next, accepted)) in (0..).zip(next.into_iter().zip(self.accepted)) {
            for missing in next..accepted {
                is_there(partition, missing, None);
            }
        }
        written
    }
}

/// A run: records among disturbances, then peace until everything has its outcome.
fn run(seed: u64) -> World {
    let mut world = World::new(seed);
    for step in 0..600 {
        if world.draw.below(3) == 0 {
            world.produce();
        }
        if world.draw.below(15) == 0 {
            world.disturb();
        }
        if step % 60 == 20 {
            world.set_hook();
        }
        if step % 60 == 50 {
            world.heal();
        }
        world.turn();
    }
    world.heal();
    let deadline = world.now + 120_000_000;
    while !world.is_settled() {
        assert!(world.now < deadline, "seed {seed}: it does not come to an end");
        world.turn();
    }
    // What the nodes still hold comes to its end too.
    for _ in 0..2_000 {
        world.turn();
    }
    world
}

#[test]
fn what_is_told_is_true_whatever_happens() {
    let (mut written, mut accepted, mut duplicates, mut refused, mut doubtful) = (0, 0, 0, 0, 0);
    for seed in 0..60 {
        let world = run(seed);
        written += world.check(seed);
        accepted += world.accepted.iter().sum::<u64>();
        let counters = world.cluster.counters();
        duplicates += counters.duplicates;
        refused += counters.refused;
        doubtful += counters.doubtful;
    }
    // The disturbances were met.
    assert!(written > accepted / 2, "{written} of {accepted}");
    assert!(duplicates > 100, "{duplicates}");
    assert!(refused > 100, "{refused}");
    assert!(doubtful > 100, "{doubtful}");
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..3 {
        let (one, other) = (run(seed), run(seed));
        assert_eq!(one.trace, other.trace, "seed {seed}");
        assert_eq!(one.outcomes, other.outcomes, "seed {seed}");
    }
}
