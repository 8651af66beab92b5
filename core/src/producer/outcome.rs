//! What became of records, and what else a producer has to tell.

use core::fmt;

use super::slots::Batch;
use crate::link::Reason;
use crate::memory::{BrokerId, PartitionId, TopicId};
use crate::message::ErrorCode;

/// What became of a run of records: never a false word.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Outcome {
    /// In the log. The offset of the first record is -1 where no broker told it (46; R4).
    Written {
        /// Offset of the first record, or -1.
        base_offset: i64,
        /// The time that the broker gave to every record (`LogAppendTime` topics), or -1.
        append_time: i64,
    },
    /// `acks=0`: handed to the connection. Nobody knows more. R6.
    Unacknowledged,
    /// Not in the log, and it will not get there.
    NotWritten(Cause),
    /// It may be in the log. Why it was given up, and why its fate is not known. R2.
    Unknown(Cause, Doubt),
}

/// Why a batch was given up.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Cause {
    /// `delivery.timeout.ms` is over. R3.
    Timeout,
    /// The producer was closed or dropped. R5.
    Closed,
    /// It made room for another record, before it was ever sent: [`crate::config::WhenFull`].
    Dropped,
    /// The broker's answer cannot be retried, or `retries` is used up.
    Code(ErrorCode),
    /// Connections were lost, or answers left the batch out, more often than `retries` allows; the
    /// last [`Doubt`] says which it was.
    Disconnected,
    /// The broker lost what it knew of this producer (a restart, deletion, an election of a
    /// replica that lacked it): sending it now would break the order. R4, R8.
    StateLost,
}

/// Why the fate of a batch is not known: how its first doubtful attempt ended.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Doubt {
    /// The connection ended before an answer.
    Disconnected,
    /// An answer came that does not say whether the batch was appended.
    Code(ErrorCode),
    /// The answer left the partition out.
    Missing,
    /// No answer has come yet.
    Unanswered,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("delivery.timeout.ms is over"),
            Self::Closed => f.write_str("the producer was closed"),
            Self::Dropped => f.write_str("it made room for another record"),
            Self::Code(code) => write!(f, "the broker answered {code}"),
            Self::Disconnected => f.write_str("too many attempts ended without an answer about it"),
            Self::StateLost => f.write_str("the broker lost its state of this producer"),
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnected => f.write_str("the connection ended before an answer"),
            Self::Code(code) => write!(f, "an attempt was answered {code}"),
            Self::Missing => f.write_str("an answer left the partition out"),
            Self::Unanswered => f.write_str("an attempt is not answered"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written { base_offset, .. } => write!(f, "written at {base_offset}"),
            Self::Unacknowledged => f.write_str("sent without acknowledgement"),
            Self::NotWritten(cause) => write!(f, "not written: {cause}"),
            Self::Unknown(cause, doubt) => write!(f, "may be written: {cause}, and {doubt}"),
        }
    }
}

/// The outcome of a run of records of one partition.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Delivery {
    /// The topic.
    pub topic: Topic,
    /// Number of the partition in its topic.
    pub partition: i32,
    /// Number of the first record: how many the partition had accepted before it. R20.
    pub first: u64,
    /// Number of records.
    pub count: u32,
    /// Records of the same batch that come after them and have their outcome later: it was too
    /// large for the broker, and goes in parts. Other events of this batch follow if it is not 0.
    pub rest: u32,
    /// The batch that they were in.
    pub batch: Batch,
    /// What became of them.
    pub outcome: Outcome,
}

/// A topic of a producer.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Topic {
    pub(crate) id: TopicId,
}

impl Topic {
    /// Place of the topic in its table, from 0.
    #[must_use]
    pub const fn index(self) -> usize {
        self.id.index()
    }
}

/// A broker of a producer, for messages to people.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Broker {
    pub(crate) id: BrokerId,
}

/// An accepted record.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Accepted {
    /// The partition slot, for tables beside the core's.
    pub slot: PartitionId,
    /// Number of the partition in its topic.
    pub partition: i32,
    /// Number of the record in its partition. R20.
    pub number: u64,
    /// The batch that holds it.
    pub batch: Batch,
    /// Its place in the batch.
    pub place: u32,
    /// The I/O task has to be woken. R19.
    pub wake: bool,
}

/// A mark that [`crate::Producer::flush`] set; [`crate::Producer::is_flushed`] tells when
/// everything before it has its outcome.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Flush(pub(crate) u64);

/// Something to tell the application.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Event {
    /// A run of records has its outcome.
    Delivered(Delivery),
    /// A topic that was refused as unknown is known now, or failed with this code. R16.
    Topic(Topic, Result<u32, ErrorCode>),
    /// A link to a broker ended, and why.
    LinkEnded(Broker, Reason),
    /// The host name of a broker is longer than the memory for one: it cannot be reached.
    HostTooLong(Broker),
    /// A fatal answer: everything queued has its outcome, and the producer can only be closed.
    Fatal(ErrorCode),
    /// Closing is complete: every record has its outcome, every link is gone.
    Closed,
}

/// An event that waits in a queue: without [`Event::Delivered`], which is large and waits with its
/// batch.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Notice {
    LinkEnded(Broker, Reason),
    HostTooLong(Broker),
}

impl From<Notice> for Event {
    fn from(notice: Notice) -> Self {
        match notice {
            Notice::LinkEnded(broker, reason) => Self::LinkEnded(broker, reason),
            Notice::HostTooLong(broker) => Self::HostTooLong(broker),
        }
    }
}
