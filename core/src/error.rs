//! Errors: small, `Copy`, without text, and saying whose fault it is.
//!
//! | type | whose fault |
//! |---|---|
//! | [`Fault`] | the peer's: what it sent is not what Kafka's protocol allows; the link closes |
//! | [`Refused`] | usage or capacity: the call did nothing, and says why |
//! | `Problem` | the configuration's, all reported at once |
//!
//! Sizes and names behind an error come from getters; adapters print them.

use core::fmt;

use crate::message::ErrorCode;

/// What a peer did wrong. The link on which it happens is closed.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Fault {
    /// A frame announced a negative size.
    NegativeSize,
    /// A frame announced more than [`crate::wire::input::FRAME_MAX`] bytes.
    SizeTooLarge,
    /// The answer begins as one of an HTTP server.
    Http,
    /// The answer begins as one of a TLS server.
    Tls,
    /// A frame ended inside a field.
    Truncated,
    /// A variable-length integer goes on too long.
    VarintTooLong,
    /// A length below zero that does not mean null.
    NegativeLength,
    /// Null where the protocol allows none.
    UnexpectedNull,
    /// An array announced more elements than its frame can hold.
    CountTooLarge,
    /// A field longer than any legal one (a host or topic name beyond 255 bytes).
    FieldTooLong,
    /// Bytes that are no legal value.
    Malformed,
    /// An answer with another correlation id than the oldest request's.
    WrongCorrelation,
    /// An answer where nothing was asked.
    UnexpectedAnswer,
    /// The broker refused version negotiation with this code.
    Negotiation(ErrorCode),
    /// The broker and this client share no version of an API that is needed.
    NoCommonVersion,
}

impl Fault {
    /// One sentence for a log line.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NegativeSize => "it announced a frame of negative size",
            Self::SizeTooLarge => "it announced a frame larger than any Kafka answer",
            Self::Http => "it answered as an HTTP server does",
            Self::Tls => "it answered as a TLS server does; this link is plaintext",
            Self::Truncated => "its frame ended inside a field",
            Self::VarintTooLong => "it sent a variable-length integer that is too long",
            Self::NegativeLength => "it sent a negative length",
            Self::UnexpectedNull => "it sent null where none is allowed",
            Self::CountTooLarge => "it announced more elements than its frame can hold",
            Self::FieldTooLong => "it sent a name longer than any legal one",
            Self::Malformed => "it sent bytes that are no legal value",
            Self::WrongCorrelation => "it answered another request than the oldest one",
            Self::UnexpectedAnswer => "it answered where nothing was asked",
            Self::Negotiation(_) => "it refused to negotiate versions",
            Self::NoCommonVersion => "it shares no version of a needed API with this client",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())?;
        match self {
            Self::Negotiation(code) => write!(f, " ({code})"),
            _ => Ok(()),
        }
    }
}

/// A table or memory that is full.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Full {
    /// Topics.
    Topics,
    /// Partitions in use. All of them hold records, or sequences of the current producer id.
    Partitions,
    /// Batches: too many are open, queued, in flight, or have an outcome that nobody took.
    Batches,
    /// Bytes for names of topics.
    Names,
    /// Bytes for batches (`buffer.memory`).
    Memory,
    /// Requests in flight.
    Requests,
    /// Links.
    Links,
    /// Brokers.
    Brokers,
}

/// Why a call did nothing.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Refused {
    /// Capacity: a table or the memory is full. Try again after the next event.
    Full(Full),
    /// The topic's partitions are not known yet. `Event::Topic` follows. R16.
    TopicUnknown,
    /// The broker says that the topic cannot be used, by this code.
    Topic(ErrorCode),
    /// The topic has no such partition, as far as is known. A refresh is on its way.
    PartitionUnknown,
    /// The record alone is larger than `max.request.size`.
    LargerThanRequest,
    /// The record alone is larger than `buffer.memory`, or than one block of `Fixed`.
    LargerThanMemory,
    /// A timestamp below zero.
    NegativeTimestamp,
    /// The record has no timestamp, and the time of day is not known:
    /// [`crate::config::UnknownTime`].
    TimeUnknown,
    /// The handle is of another producer.
    NoSuchTopic,
    /// A topic name that is empty, longer than 249 bytes, `.`, `..`, or that has a character
    /// other than letters, digits, `.`, `_` and `-`.
    IllegalName,
    /// The memory is full, and [`crate::config::WhenFull`] leaves this record out.
    Dropped,
    /// The producer is closed or closing.
    Closed,
    /// The producer met a fatal answer and can only be closed.
    Fatal(ErrorCode),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Full(Full::Memory) => "buffer.memory is full",
            Self::Full(Full::Batches) => "the table of batches is full",
            Self::Full(Full::Partitions) => "the table of partitions is full",
            Self::Full(Full::Topics) => "the table of topics is full",
            Self::Full(Full::Names) => "the memory for topic names is full",
            Self::Full(Full::Requests) => "the table of requests is full",
            Self::Full(Full::Links) => "the table of links is full",
            Self::Full(Full::Brokers) => "the table of brokers is full",
            Self::TopicUnknown => "the topic is not known yet",
            Self::Topic(code) => return write!(f, "the broker refused the topic: {code}"),
            Self::PartitionUnknown => "the topic has no such partition",
            Self::LargerThanRequest => "the record is larger than max.request.size",
            Self::LargerThanMemory => "the record is larger than the memory for one batch",
            Self::NegativeTimestamp => "the timestamp is negative",
            Self::TimeUnknown => "the time of day is not known",
            Self::NoSuchTopic => "the topic handle belongs to another producer",
            Self::IllegalName => "the topic name is not legal",
            Self::Dropped => "it was left out, as buffer.memory is full",
            Self::Closed => "the producer is closed",
            Self::Fatal(code) => return write!(f, "the producer met a fatal answer: {code}"),
        };
        f.write_str(text)
    }
}

impl core::error::Error for Fault {}
impl core::error::Error for Refused {}
