//! What a searched world is made of: how many batches, which faults, which times.

use ottla::{Config, Duration};
use ottla_broker::Profile;

use crate::fault::{Budget, Fault};

/// The most records of a world: their states are kept in fixed places.
pub const RECORDS: usize = 6;
/// The most partitions.
pub const PARTITIONS: usize = 2;
/// Bytes of a batch at most.
pub const BLOCK: u32 = 128;

/// A broker, or a link, that does what none should, to see that it is noticed.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Lie {
    /// It says that batches were appended, and appends none.
    LoseAppends,
    /// It forgets the producer after each batch, and so cannot tell repeats.
    ForgetProducers,
    /// A fatal answer comes as one after which a batch is sent again: as if the producer took it so.
    HideFatal,
    /// A timer runs though nothing is left to do.
    Timer,
    /// When the same calls are made again, time has slipped by a microsecond: as if something else
    /// than the calls had a say.
    Slip,
    /// The producer makes no pauses, and is judged as if it should.
    NoPauses,
    /// A write that is dropped counts as one of a byte.
    EatsBytes,
    /// The first batch's block counts as used though all is done.
    KeepsBlock,
}

/// A world to be searched.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What reports call it.
    pub name: String,
    /// Partitions of the topic.
    pub partitions: u8,
    /// Batches of each partition.
    pub batches: u8,
    /// Records of each batch.
    pub records: u8,
    /// Requests that may be without an answer on a link.
    pub in_flight: u8,
    /// Which Kafka the brokers are like.
    pub release: Profile,
    /// Faults that may come.
    pub faults: Vec<Fault>,
    /// How often a deadline may pass while something is still on its way.
    pub early: u8,
    /// Sequence of the first record of each partition; near 2^31 they wrap.
    pub first: i32,
    /// The application may leave events where they are; otherwise it takes them at once.
    pub deaf: bool,
    /// The application may close the producer, once, giving it half a second.
    pub closes: bool,
    /// What is done wrong.
    pub lie: Option<Lie>,
}

impl Setup {
    /// A world with one record in each batch and no faults.
    #[must_use]
    pub fn new(partitions: u8, batches: u8) -> Self {
        Self {
            name: "no faults".to_string(),
            partitions,
            batches,
            records: 1,
            in_flight: 3,
            release: Profile::Newest,
            faults: Vec::new(),
            early: 0,
            first: 0,
            deaf: true,
            closes: false,
            lie: None,
        }
    }

    /// With these faults, and named after them.
    #[must_use]
    pub fn with(mut self, faults: &[Fault]) -> Self {
        let names: Vec<&str> = faults.iter().map(|fault| fault.name()).collect();
        if !names.is_empty() {
            self.name = names.join(" + ");
        }
        self.faults = faults.to_vec();
        self
    }

    /// All of it, in words.
    #[must_use]
    pub fn describe(&self) -> String {
        let Self { partitions, batches, records, in_flight, release, early, first, .. } = self;
        let names: Vec<&str> = self.faults.iter().map(|fault| fault.name()).collect();
        let names = if names.is_empty() { "none".to_string() } else { names.join(", ") };
        format!(
            "partitions {partitions}, batches of each {batches}, records of each {records}, \
             {in_flight} in flight, brokers like {release}, \
             faults {names}, early deadlines {early}, \
             first sequence {first}{}",
            if self.closes { ", closed at any time" } else { "" }
        )
    }

    /// The faults that may come.
    #[must_use]
    pub fn budget(&self) -> Budget {
        Budget::of(&self.faults)
    }

    /// Records of one partition.
    #[must_use]
    pub const fn per_partition(&self) -> u8 {
        self.batches * self.records
    }

    /// The number of a record, by its partition and its place in it.
    #[must_use]
    pub const fn record(&self, partition: u8, place: u8) -> u8 {
        partition * self.per_partition() + place
    }

    /// The producer's settings. Pauses do not grow, so that nothing is left to chance and how often
    /// something failed makes no difference; all that happens in a world is over long before what
    /// the default settings count in minutes.
    #[must_use]
    pub fn config(&self) -> Config {
        let mut config = Config::new();
        config.batch_size = if self.records == 1 { 0 } else { BLOCK };
        config.linger = Duration::ZERO;
        config.max_in_flight = self.in_flight;
        config.retry_backoff = Duration::from_millis(100);
        config.retry_backoff_max = config.retry_backoff;
        config.reconnect_backoff = config.retry_backoff;
        config.reconnect_backoff_max = config.retry_backoff;
        config.request_timeout = Duration::from_millis(1_000);
        config.connection_setup_timeout = config.request_timeout;
        config.connection_setup_timeout_max = config.request_timeout;
        // Where deadlines may pass early, records expire; otherwise none has a reason to.
        let delivery = if self.early > 0 { 1_500 } else { 5_000 };
        config.delivery_timeout = Duration::from_millis(delivery);
        config
    }
}
