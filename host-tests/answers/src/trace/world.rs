//! The world of a trace: who is in it, and what may happen in a step.

use core::hash::{Hash, Hasher};

use ottla::config::{UnknownTime, WhenFull};
use ottla::producer::{Counters, Flush};
use ottla::{Acks, Config, Duration, Instant, Link, Producer, Topic};

use super::end::Stage;
use super::hash::Fnv;
use super::ledger::Ledger;
use super::sample::{Sample, TIME};
use super::{PARTITIONS, Rule, Shape, Violation};
use crate::{Broker, Connection, Faults, Random, Rates, Settings};

/// As many links as any shape has.
const WIRES: usize = 2;

/// A connection of the producer's, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    pub(super) link: Option<Link>,
    pub(super) connected: bool,
    /// When the attempt to connect ends; never, if there is none.
    pub(super) due: Option<Instant>,
    pub(super) connection: Connection<2560, 512>,
}

/// The other end of a connection that the producer has given up: what was sent may still be
/// carried out.
#[derive(Clone, Debug)]
pub(super) struct Orphan {
    pub(super) due: Option<Instant>,
    pub(super) connection: Connection<2560, 512>,
}

/// What is usual in this trace.
#[derive(Copy, Clone, Debug)]
pub(super) struct Habits {
    /// Weights of [`OPERATIONS`].
    weights: [u8; OPERATIONS.len()],
    /// The device sleeps for half an hour before so many of 1024 calls.
    sleep: u16,
    /// So many calls get an older time than calls before them.
    skew: u16,
    /// So many attempts to connect fail.
    pub(super) refuse: u16,
    /// So many writes are interrupted by another call.
    pub(super) interrupt: u16,
    /// Connections take up to so many microseconds.
    pub(super) latency: u32,
}

impl Habits {
    const NONE: Self = Self {
        weights: [0; OPERATIONS.len()],
        sleep: 0,
        skew: 0,
        refuse: 0,
        interrupt: 0,
        latency: 0,
    };

    fn new(random: &mut Random) -> Self {
        let mut weights = OPERATIONS.map(|(_, usual)| usual * random.pick(&[0, 1, 1, 2, 3]));
        // Something has to happen.
        weights[..2].iter_mut().for_each(|weight| *weight = (*weight).max(1));
        Self {
            weights,
            sleep: random.pick(&[0, 0, 0, 0, 1, 1, 8]),
            skew: random.pick(&[0, 0, 0, 100]),
            refuse: random.pick(&[0, 0, 0, 60, 300]),
            interrupt: random.pick(&[0, 60]),
            latency: random.pick(&[0, 0, 1_000, 300_000, 12_000_000]),
        }
    }
}

#[derive(Copy, Clone, Debug)]
enum Operation {
    Produce,
    Settle,
    Flush,
    Links,
    Write,
    Serve,
    Read,
    Event,
    Events,
    Timeout,
    Tick,
    Due,
    Leap,
    Cut,
    Clock,
    Restart,
    Pause,
}

/// What may happen in a step, and how often it usually does.
const OPERATIONS: [(Operation, u8); 17] = [
    (Operation::Produce, 12),
    (Operation::Settle, 12),
    (Operation::Flush, 2),
    (Operation::Links, 6),
    (Operation::Write, 16),
    (Operation::Serve, 16),
    (Operation::Read, 16),
    (Operation::Event, 3),
    (Operation::Events, 3),
    (Operation::Timeout, 3),
    (Operation::Tick, 6),
    (Operation::Due, 12),
    (Operation::Leap, 1),
    (Operation::Cut, 1),
    (Operation::Clock, 1),
    (Operation::Restart, 1),
    (Operation::Pause, 1),
];

/// A producer, its broker, and what is between them.
#[derive(Clone, Debug)]
pub struct World<O> {
    pub(super) producer: Producer<O>,
    pub(super) topic: Option<Topic>,
    pub(super) broker: Broker<PARTITIONS>,
    pub(super) wires: [Wire; WIRES],
    pub(super) orphan: Orphan,
    pub(super) ledger: Ledger,
    pub(super) random: Random,
    pub(super) habits: Habits,
    pub(super) fnv: Fnv,
    pub(super) now: Instant,
    pub(super) seed: u64,
    pub(super) samples: u32,
    pub(super) step: u32,
    pub(super) steps: u32,
    pub(super) stage: Stage,
    pub(super) flush: Option<Flush>,
    pub(super) closed: bool,
    /// Set where nothing is to go wrong any more.
    pub(super) calm: bool,
}

impl<O: Shape> World<O> {
    /// A world before its start.
    #[must_use]
    pub fn new() -> Self {
        const WIRE: Wire =
            Wire { link: None, connected: false, due: None, connection: Connection::new() };
        Self {
            producer: Producer::unstarted(O::new()),
            topic: None,
            broker: Broker::new(Settings::new("t")),
            wires: [WIRE; WIRES],
            orphan: Orphan { due: None, connection: Connection::new() },
            ledger: Ledger::new(0, O::BLOCK_SIZE, true),
            random: Random::new(0),
            habits: Habits::NONE,
            fnv: Fnv::new(),
            now: Instant::ZERO,
            seed: 0,
            samples: 0,
            step: 0,
            steps: 0,
            stage: Stage::Trouble,
            flush: None,
            closed: false,
            calm: false,
        }
    }

    /// Begins the trace of `seed`, in a world that is new.
    pub fn start(&mut self, seed: u64, steps: u32) {
        let mut random = Random::new(seed);
        let config = config(&mut random);
        self.seed = seed;
        self.steps = steps;
        self.habits = Habits::new(&mut random);
        let settings = settings(&mut random);
        self.broker = Broker::new(settings);
        self.broker.set_faults(Faults::new(random.bits(), rates(&mut random)));
        self.ledger = Ledger::new(seed, O::BLOCK_SIZE, config.idempotence);
        self.now = Instant::from_micros(start_time(&mut random));
        self.producer.bootstrap("node", 9092);
        self.producer.start(config, random.bits());
        if random.chance(768) {
            self.producer.set_wall_clock(self.now, TIME.cast_unsigned());
        }
        let partitions = if random.chance(512) { PARTITIONS as u32 } else { 0 };
        self.topic = self.producer.declare_topic("t", partitions).ok();
        self.random = random;
    }

    /// The hash so far.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.fnv.finish()
    }

    /// What the producer says of itself.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.producer.counters()
    }

    /// The broker.
    #[must_use]
    pub const fn broker(&self) -> &Broker<PARTITIONS> {
        &self.broker
    }

    /// The next step. False: it was the last one.
    ///
    /// # Errors
    /// The first rule that was broken.
    pub fn step(&mut self) -> Result<bool, Violation> {
        self.step += 1;
        let more = match self.stage {
            Stage::Trouble if self.step <= self.steps => {
                let operation = self.draw();
                self.operate(operation);
                true
            }
            _ => self.end(),
        };
        self.producer.poll_timeout().hash(&mut self.fnv);
        if self.broker.malformed() > 0 {
            self.ledger.blame(Rule::Malformed, -1, 0);
        }
        match self.ledger.broken() {
            Some((rule, partition, number)) => {
                Err(Violation { rule, step: self.step, partition, number })
            }
            None => Ok(more),
        }
    }

    #[cfg(test)]
    pub(super) fn lose_log(&mut self) {
        let settings = *self.broker.settings();
        self.broker = Broker::new(settings);
    }

    fn draw(&mut self) -> Operation {
        let weights = self.habits.weights;
        let total = weights.iter().map(|weight| u32::from(*weight)).sum();
        let mut left = self.random.below(total);
        for (weight, (operation, _)) in weights.iter().zip(OPERATIONS) {
            match left.checked_sub(u32::from(*weight)) {
                Some(rest) => left = rest,
                None => return operation,
            }
        }
        Operation::Settle
    }

    /// Anything that may happen, for where it is not expected.
    pub(super) fn interrupt(&mut self) {
        let operation = self.random.pick(&[
            Operation::Produce,
            Operation::Timeout,
            Operation::Serve,
            Operation::Read,
            Operation::Events,
            Operation::Links,
            Operation::Cut,
        ]);
        self.operate(operation);
    }

    pub(super) fn trouble(&mut self) {
        let operation = self.draw();
        self.operate(operation);
    }

    fn operate(&mut self, operation: Operation) {
        let wire = self.random.below(WIRES as u32) as usize;
        match operation {
            Operation::Produce => self.produce(),
            Operation::Settle => self.settle(),
            Operation::Flush => {
                let now = self.time();
                self.flush = Some(self.producer.flush(now));
            }
            Operation::Links => _ = self.links(),
            Operation::Write => _ = self.write(wire),
            Operation::Serve => _ = self.serve(wire),
            Operation::Read => _ = self.read(wire),
            Operation::Event => _ = self.event(),
            Operation::Events => while self.event() {},
            Operation::Timeout => {
                let now = self.time();
                self.producer.handle_timeout(now);
            }
            Operation::Tick => {
                let micros = self.random.pick(&[1, 37, 900, 5_000, 60_000]);
                self.now = self.now.after(Duration::from_micros(micros));
            }
            Operation::Due => {
                if self.producer.is_paused() && self.random.chance(512) {
                    let now = self.time();
                    self.producer.resume(now);
                }
                self.pass_to_next();
            }
            Operation::Leap => {
                const HOUR: u64 = 3_600;
                let spans = [1, 1, 5, 5, 31, 31, 121, 600, HOUR / 2, 60 * 24 * HOUR];
                let seconds = self.random.pick(&spans);
                self.now = self.now.after(Duration::from_secs(seconds));
            }
            Operation::Cut => self.cut(wire),
            Operation::Clock => {
                let millis = TIME.cast_unsigned() + u64::from(self.random.below(100_000));
                let now = self.time();
                // Some times are before any that a clock can tell.
                let millis = if self.random.chance(100) { millis >> 8 } else { millis };
                self.producer.set_wall_clock(now, millis).hash(&mut self.fnv);
            }
            Operation::Restart => self.restart(),
            Operation::Pause => {
                let now = self.time();
                self.producer.pause(now);
            }
        }
    }

    /// The time for a call. The device may have slept before it.
    pub(super) fn time(&mut self) -> Instant {
        if self.calm {
            return self.now;
        }
        if self.random.chance(self.habits.sleep) {
            self.now = self.now.after(Duration::from_secs(1_800));
        }
        if self.random.chance(self.habits.skew) {
            let back = u64::from(self.random.below(40_000_000));
            return Instant::from_micros(self.now.as_micros().saturating_sub(back));
        }
        self.now
    }

    fn produce(&mut self) {
        for _ in 0..=self.random.below(4) {
            let sample = Sample::new(self.seed, self.samples, O::BLOCK_SIZE);
            self.offer(&sample);
        }
    }

    /// Offers a record that has the number of the next sample: whether it was accepted.
    pub(super) fn offer(&mut self, sample: &Sample) -> bool {
        let Some(topic) = self.topic else { return false };
        if !self.ledger.has_room() {
            return false;
        }
        let now = self.time();
        let result = sample.with(|record| self.producer.produce(now, topic, record));
        result.hash(&mut self.fnv);
        if let Ok(accepted) = &result {
            self.ledger.accepted(accepted, self.samples);
        }
        self.samples += 1;
        result.is_ok()
    }
}

impl<O: Shape> Default for World<O> {
    fn default() -> Self {
        Self::new()
    }
}

/// Settings of a producer, all sound.
fn config(random: &mut Random) -> Config {
    let seconds = |s| Duration::from_secs(s);
    let request_timeout = random.pick(&[seconds(30), seconds(30), seconds(5), seconds(1)]);
    let mut config = Config {
        batch_size: random.pick(&[16_384, 16_384, 150, 0]),
        linger: random.pick(&[Duration::ZERO, Duration::from_millis(5), seconds(1)]),
        max_in_flight: random.pick(&[5, 5, 5, 2, 1]),
        retries: random.pick(&[i32::MAX as u32, i32::MAX as u32, 3]),
        delivery_timeout: random.pick(&[seconds(120), seconds(120), seconds(35), seconds(600)]),
        request_timeout,
        unknown_time: random.pick(&[UnknownTime::Wait, UnknownTime::Floor(TIME.cast_unsigned())]),
        when_full: random.pick(&[
            WhenFull::Refuse,
            WhenFull::Refuse,
            WhenFull::DropOldest,
            WhenFull::DropNewest,
            WhenFull::DropLowestClass,
        ]),
        ..Config::new()
    };
    if random.chance(128) {
        config.idempotence = false;
        config.acks = random.pick(&[Acks::All, Acks::Leader, Acks::None]);
    }
    config
}

fn settings(random: &mut Random) -> Settings {
    let mut settings = Settings::new("t");
    if random.chance(512) {
        settings.maxima.produce = 3 + random.below(11) as i16;
        settings.maxima.metadata = 4 + random.below(10) as i16;
        settings.maxima.api_versions = random.below(5) as i16;
        settings.maxima.init_producer_id = random.below(6) as i16;
    }
    if random.chance(128) {
        // The next id is needed soon.
        settings.first_epoch = 32_765;
    }
    settings
}

fn rates(random: &mut Random) -> Rates {
    let mut rate = || random.pick(&[0, 0, 0, 0, 10, 40, 150]);
    let mut rates = Rates {
        close_before: rate(),
        close_after: rate(),
        mute: rate() / 8,
        error_before: rate(),
        error_after: rate(),
        refuse: rate() / 2,
        no_leader: rate(),
        no_id: rate(),
        throttle: rate(),
        latency: rate() * 4,
        ..Rates::NONE
    };
    rates.latency_max = random.pick(&[
        Duration::from_millis(1),
        Duration::from_millis(100),
        Duration::from_secs(2),
        Duration::from_secs(40),
    ]);
    rates
}

/// Where the clock stands: also just before 32 bits of microseconds and of milliseconds are full,
/// and before 60 days are over.
fn start_time(random: &mut Random) -> u64 {
    const WRAP: u64 = 1 << 32;
    let end = random.pick(&[0, WRAP, WRAP * 1_000, 60 * 86_400 * 1_000_000]);
    let before = u64::from(random.below(20_000_000));
    end.saturating_sub(before)
}
