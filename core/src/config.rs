//! What a producer is told at its start. Names, defaults and checks are those of the Java
//! producer's keys, given with each field.

use core::fmt;

use crate::time::Duration;

/// How many replicas must have a batch before the broker answers (`acks`).
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Acks {
    /// `acks=0`: the broker does not answer. Outcomes are [`crate::Outcome::Unacknowledged`].
    None,
    /// `acks=1`: the leader has it.
    Leader,
    /// `acks=all`: every replica in sync has it.
    #[default]
    All,
}

impl Acks {
    /// The number on the wire.
    #[must_use]
    pub const fn wire(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

/// What a record without a timestamp of its own gets while the time of day is not known. Never a
/// silent 1970: Kafka deletes records, and forgets what it knows of a producer, by timestamps.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum UnknownTime {
    /// It is refused with [`crate::Refused::TimeUnknown`]; adapters wait until the time is known.
    #[default]
    Wait,
    /// It gets this time, in Unix milliseconds, plus the time since the clock's origin: that of
    /// the firmware's build, or of the last start.
    Floor(u64),
}

/// What happens to a record that finds the memory full. Only records that were never sent are left
/// out: they have no sequence yet, so what is left out tears no hole. Each is counted
/// ([`crate::producer::Counters::dropped`]) and told.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum WhenFull {
    /// It is refused; adapters wait for room.
    #[default]
    Refuse,
    /// The oldest batch that was not sent yet makes room, *not written*
    /// ([`crate::Cause::Dropped`]). If all are on their way, the record is refused.
    ///
    /// A batch that made room keeps its slot until its event is taken: let there be more batches
    /// than blocks.
    DropOldest,
    /// It is left out itself: [`crate::Refused::Dropped`].
    DropNewest,
    /// As `DropOldest` among the batches of the lowest [class](crate::Record::class), if that is
    /// not above the record's own; else it is left out itself. A batch has the highest class of
    /// its records.
    DropLowestClass,
}

/// Where records without an explicit partition go (`partitioner.class`).
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum Partitioner {
    /// By the hash of their key; without a key to one partition until `batch.size` bytes are
    /// there, then to another (KIP-480, KIP-794).
    #[default]
    Sticky,
    /// To each partition that has a leader in turn, whatever their key.
    RoundRobin,
}

/// Longest `client.id` in bytes.
pub const CLIENT_ID_MAX: usize = 255;

/// Settings of a producer: numbers and switches. Its name is
/// [`set_client_id`](crate::Producer::set_client_id)'s.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Config {
    /// `acks`, default all.
    pub acks: Acks,
    /// `enable.idempotence`, default true. Needs `acks` all, `retries` above 0 and at most 5
    /// requests in flight.
    pub idempotence: bool,
    /// `batch.size` in bytes, default 16384: a batch that reaches it is sent. 0 sends each
    /// record in a batch of its own.
    pub batch_size: u32,
    /// `linger.ms`, default 5 ms: how long a batch waits for more records.
    pub linger: Duration,
    /// `max.request.size` in bytes, default 1048576: bound of the batches in one request, and
    /// of one record.
    pub max_request_size: u32,
    /// `max.in.flight.requests.per.connection`, default 5, 1 to 255.
    ///
    /// With idempotence the order of a partition's records is kept whatever this is. Without it,
    /// above 1, a batch that is sent again may come behind a later one: see `ordered`.
    pub max_in_flight: u8,
    /// Keeps the order of a partition's records without idempotence, too, default false: at most
    /// one batch of a partition is on its way, while those of other partitions go beside it, up to
    /// `max_in_flight` requests. (`max_in_flight` 1 keeps it, too, and holds up all partitions of
    /// a broker.) What this cannot do is tell repetitions apart: a batch whose answer was
    /// lost may be in the log twice, and its first copy may even come late, behind what was sent
    /// after the second. Idempotence has neither flaw, and this switch then changes nothing.
    pub ordered: bool,
    /// `retries`, default 2147483647: attempts after the first.
    pub retries: u32,
    /// `retry.backoff.ms`, default 100 ms: first pause before an attempt is repeated; doubles.
    /// After an answer that was in vain metadata is asked for again after 10 ms at the earliest.
    pub retry_backoff: Duration,
    /// `retry.backoff.max.ms`, default 1 s.
    pub retry_backoff_max: Duration,
    /// `delivery.timeout.ms`, default 120 s: from a batch's first record to its outcome.
    pub delivery_timeout: Duration,
    /// `request.timeout.ms`, default 30 s: for the oldest request of a link (R13).
    pub request_timeout: Duration,
    /// `reconnect.backoff.ms`, default 50 ms.
    pub reconnect_backoff: Duration,
    /// `reconnect.backoff.max.ms`, default 1 s.
    pub reconnect_backoff_max: Duration,
    /// `socket.connection.setup.timeout.ms`, default 10 s; doubles with each failure.
    pub connection_setup_timeout: Duration,
    /// `socket.connection.setup.timeout.max.ms`, default 30 s.
    pub connection_setup_timeout_max: Duration,
    /// `connections.max.idle.ms`, default 9 min: a link without traffic is closed.
    pub connection_max_idle: Duration,
    /// `metadata.max.age.ms`, default 5 min; looked at when something is to be sent (R14).
    pub metadata_max_age: Duration,
    /// `metadata.max.idle.ms`, default 5 min: a topic that was not produced to for so long, and has
    /// nothing queued, is left out when metadata is asked for; the next record asks for it again.
    pub metadata_max_idle: Duration,
    /// `metadata.recovery.strategy`, default true (`rebootstrap`): go back to the bootstrap
    /// addresses, with all links ended and all leaders forgotten, when a broker asks for it
    /// (code 129), or when no metadata came for `rebootstrap_trigger`. False (`none`): go on
    /// trying what is known, bootstrap addresses among it. KIP-899.
    pub rebootstrap: bool,
    /// `metadata.recovery.rebootstrap.trigger.ms`, default 5 min; never less than
    /// `connection_setup_timeout`, so that a broker can answer. KIP-1102.
    pub rebootstrap_trigger: Duration,
    /// `partitioner.class`, default sticky.
    pub partitioner: Partitioner,
    /// `partitioner.ignore.keys`, default false: records with a key go where those without go.
    pub ignore_keys: bool,
    /// `partitioner.adaptive.partitioning.enable`, default true: the sticky partition is drawn
    /// with a weight, the less the more batches of a partition have no outcome yet. Looked at when
    /// it changes, and among 16 partitions at most (R21).
    pub adaptive_partitioning: bool,
    /// `partitioner.availability.timeout.ms`, default 0: off. Partitions of a broker that could
    /// not be sent to for so long, though something was ready, are not drawn.
    pub availability_timeout: Duration,
    /// `allow.auto.create.topics`, default true: metadata requests let the broker create topics.
    pub auto_create_topics: bool,
    /// What becomes of batches that may be in the log when the broker has lost the producer's
    /// state (R8). False, the default: they are reported unknown. True: they are sent again
    /// under the next epoch, and may then be in the log twice.
    pub resend_after_state_loss: bool,
    /// What records without a timestamp get before
    /// [`set_wall_clock`](crate::Producer::set_wall_clock).
    pub unknown_time: UnknownTime,
    /// What happens to a record that finds the memory full.
    pub when_full: WhenFull,
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            acks: Acks::All,
            idempotence: true,
            batch_size: 16_384,
            linger: Duration::from_millis(5),
            max_request_size: 1_048_576,
            max_in_flight: 5,
            ordered: false,
            retries: i32::MAX as u32,
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_millis(1_000),
            delivery_timeout: Duration::from_millis(120_000),
            request_timeout: Duration::from_millis(30_000),
            reconnect_backoff: Duration::from_millis(50),
            reconnect_backoff_max: Duration::from_millis(1_000),
            connection_setup_timeout: Duration::from_millis(10_000),
            connection_setup_timeout_max: Duration::from_millis(30_000),
            connection_max_idle: Duration::from_millis(540_000),
            metadata_max_age: Duration::from_millis(300_000),
            metadata_max_idle: Duration::from_millis(300_000),
            rebootstrap: true,
            rebootstrap_trigger: Duration::from_millis(300_000),
            partitioner: Partitioner::Sticky,
            ignore_keys: false,
            adaptive_partitioning: true,
            availability_timeout: Duration::ZERO,
            auto_create_topics: true,
            resend_after_state_loss: false,
            unknown_time: UnknownTime::Wait,
            when_full: WhenFull::Refuse,
        }
    }

    /// No settings at all, in zero bits: those of a producer that was not started.
    pub(crate) const ZERO: Self = Self {
        acks: Acks::None,
        idempotence: false,
        batch_size: 0,
        linger: Duration::ZERO,
        max_request_size: 0,
        max_in_flight: 0,
        ordered: false,
        retries: 0,
        retry_backoff: Duration::ZERO,
        retry_backoff_max: Duration::ZERO,
        delivery_timeout: Duration::ZERO,
        request_timeout: Duration::ZERO,
        reconnect_backoff: Duration::ZERO,
        reconnect_backoff_max: Duration::ZERO,
        connection_setup_timeout: Duration::ZERO,
        connection_setup_timeout_max: Duration::ZERO,
        connection_max_idle: Duration::ZERO,
        metadata_max_age: Duration::ZERO,
        metadata_max_idle: Duration::ZERO,
        rebootstrap: false,
        rebootstrap_trigger: Duration::ZERO,
        partitioner: Partitioner::Sticky,
        ignore_keys: false,
        adaptive_partitioning: false,
        availability_timeout: Duration::ZERO,
        auto_create_topics: false,
        resend_after_state_loss: false,
        unknown_time: UnknownTime::Wait,
        when_full: WhenFull::Refuse,
    };

    /// All that is wrong, at once. `buffer_memory` is the bound of the memory that the producer
    /// will have.
    pub fn problems(&self, buffer_memory: u64) -> impl Iterator<Item = Problem> + use<> {
        let idempotent = self.idempotence;
        let shortest = self.linger.plus(self.request_timeout);
        let checks = [
            (idempotent && self.acks != Acks::All, Problem::IdempotenceNeedsAcksAll),
            (idempotent && self.retries == 0, Problem::IdempotenceNeedsRetries),
            (idempotent && self.max_in_flight > 5, Problem::IdempotenceNeedsFiveInFlight),
            (self.max_in_flight == 0, Problem::NothingInFlight),
            (self.delivery_timeout < shortest, Problem::DeliveryTimeoutTooShort),
            (self.max_request_size < crate::record::size::batch_bound(0), Problem::RequestTooSmall),
            (self.max_request_size > i32::MAX as u32 / 2, Problem::RequestTooLarge),
            (self.batch_size > i32::MAX as u32 / 2, Problem::BatchTooLarge),
            (u64::from(self.batch_size) > buffer_memory, Problem::MemoryBelowBatchSize),
            (self.request_timeout == Duration::ZERO, Problem::NoRequestTimeout),
        ];
        checks.into_iter().filter(|(wrong, _)| *wrong).map(|(_, problem)| problem)
    }
}

/// A fault of the configuration.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Problem {
    /// Idempotence with `acks` other than all.
    IdempotenceNeedsAcksAll,
    /// Idempotence with `retries` 0.
    IdempotenceNeedsRetries,
    /// Idempotence with more than 5 requests in flight.
    IdempotenceNeedsFiveInFlight,
    /// `max.in.flight.requests.per.connection` is 0.
    NothingInFlight,
    /// `delivery.timeout.ms` is below `linger.ms` + `request.timeout.ms`.
    DeliveryTimeoutTooShort,
    /// `max.request.size` is below an empty record's size.
    RequestTooSmall,
    /// `max.request.size` is above 1 GiB.
    RequestTooLarge,
    /// `batch.size` is above 1 GiB.
    BatchTooLarge,
    /// `buffer.memory` is below `batch.size`.
    MemoryBelowBatchSize,
    /// `request.timeout.ms` is 0.
    NoRequestTimeout,
}

impl Problem {
    /// The key at fault.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::IdempotenceNeedsAcksAll => "acks",
            Self::IdempotenceNeedsRetries => "retries",
            Self::IdempotenceNeedsFiveInFlight | Self::NothingInFlight => {
                "max.in.flight.requests.per.connection"
            }
            Self::DeliveryTimeoutTooShort => "delivery.timeout.ms",
            Self::RequestTooSmall | Self::RequestTooLarge => "max.request.size",
            Self::BatchTooLarge => "batch.size",
            Self::MemoryBelowBatchSize => "buffer.memory",
            Self::NoRequestTimeout => "request.timeout.ms",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IdempotenceNeedsAcksAll => "acks: must be all while enable.idempotence is true",
            Self::IdempotenceNeedsRetries => {
                "retries: must be above 0 while enable.idempotence is true"
            }
            Self::IdempotenceNeedsFiveInFlight => {
                "max.in.flight.requests.per.connection: must be at most 5 while \
                 enable.idempotence is true"
            }
            Self::NothingInFlight => "max.in.flight.requests.per.connection: must be at least 1",
            Self::DeliveryTimeoutTooShort => {
                "delivery.timeout.ms: must be at least linger.ms + request.timeout.ms"
            }
            Self::RequestTooSmall => "max.request.size: is too small for any record",
            Self::RequestTooLarge => "max.request.size: must be at most 1073741823",
            Self::BatchTooLarge => "batch.size: must be at most 1073741823",
            Self::MemoryBelowBatchSize => "buffer.memory: must be at least batch.size",
            Self::NoRequestTimeout => "request.timeout.ms: must be above 0",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn the_defaults_are_sound() {
        assert_eq!(Config::new().problems(32 << 20).count(), 0);
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let config = Config {
            acks: Acks::Leader,
            retries: 0,
            max_in_flight: 6,
            delivery_timeout: Duration::from_millis(30_004),
            ..Config::new()
        };
        let keys: Vec<_> = config.problems(16_383).map(Problem::key).collect();
        let expected = [
            "acks",
            "retries",
            "max.in.flight.requests.per.connection",
            "delivery.timeout.ms",
            "buffer.memory",
        ];
        assert_eq!(keys, expected);
    }
}
