//! What can go wrong, in words that name the setting or the peer at fault.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ottla::error::Full;
use ottla::{Cause, Doubt, Outcome, Refused};

use crate::delivery::{Deliveries, Verdict};
use crate::hooks::NoChoice;
use crate::serializer::{SerializerError, Side};

/// Why a record was not accepted, or is not known to be written.
///
/// [`SendError::kind`] is for code; the text names sizes, settings, brokers and what to do.
#[derive(Clone, Debug)]
pub struct SendError(Box<Details>);

/// What an error means for its record.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum SendErrorKind {
    /// The record was not accepted: nothing was queued, nothing will be sent.
    Refused(Refused),
    /// The record was not accepted, as an own partitioner
    /// ([`Builder::partition_by`](crate::Builder::partition_by)) panicked, or chose a partition
    /// that the topic does not have: [`SendError::partition`]. Nothing was queued.
    Partitioner,
    /// The record was not accepted, as a [`Serializer`](crate::Serializer) made no bytes of its key
    /// or value: [`Error::source`] is what it said. Nothing was queued.
    Serializer(Side),
    /// The record was accepted, is not in the log, and will not get there.
    NotWritten(Cause),
    /// The record was accepted and may or may not be in the log: why it was given up, and why
    /// nobody knows.
    Unknown(Cause, Doubt),
}

#[derive(Clone, Debug)]
struct Details {
    kind: SendErrorKind,
    topic: Option<Arc<str>>,
    partition: Option<i32>,
    /// The size, count or limit that the refusal is about.
    limit: u64,
    size: u64,
    /// How long the call waited.
    waited: Option<Duration>,
    complaint: Option<String>,
    bystander: bool,
    hint: Option<Arc<str>>,
    /// What an own partitioner said when it panicked.
    panic: Option<String>,
    /// What a serializer said.
    serializer: Option<Arc<dyn Error + Send + Sync>>,
}

impl SendError {
    /// A refusal; `limit` and `size` are what it is about, 0 where it is about neither.
    pub(crate) fn refused(refused: Refused, topic: Option<Arc<str>>) -> Self {
        Self(Box::new(Details {
            kind: SendErrorKind::Refused(refused),
            topic,
            partition: None,
            limit: 0,
            size: 0,
            waited: None,
            complaint: None,
            bystander: false,
            hint: None,
            panic: None,
            serializer: None,
        }))
    }

    /// An own partitioner chose none of a topic's `count` partitions.
    pub(crate) fn no_choice(topic: Arc<str>, count: u32, none: NoChoice) -> Self {
        let mut error = Self::refused(Refused::PartitionUnknown, Some(topic));
        error.0.kind = SendErrorKind::Partitioner;
        error.0.limit = count.into();
        match none {
            NoChoice::Beyond(partition) => error.0.partition = Some(partition),
            NoChoice::Panicked(text) => error.0.panic = Some(text),
        }
        error
    }

    /// A serializer made no bytes.
    pub(crate) fn not_serialized(topic: Arc<str>, side: Side, error: SerializerError) -> Self {
        let mut details = Self::refused(Refused::PartitionUnknown, Some(topic));
        details.0.kind = SendErrorKind::Serializer(side);
        details.0.serializer = Some(error.into());
        details
    }

    pub(crate) fn partition_is(mut self, partition: Option<i32>) -> Self {
        self.0.partition = partition;
        self
    }

    pub(crate) fn sizes(mut self, size: u64, limit: u64) -> Self {
        self.0.size = size;
        self.0.limit = limit;
        self
    }

    pub(crate) fn waited(mut self, waited: Duration, hint: Option<Arc<str>>) -> Self {
        self.0.waited = Some(waited);
        self.0.hint = hint;
        self
    }

    /// The error of the record at `place` of a batch that failed.
    pub(crate) fn failed(verdict: &Verdict, place: u32) -> Self {
        let kind = match verdict.outcome {
            Outcome::Unknown(cause, doubt) => SendErrorKind::Unknown(cause, doubt),
            Outcome::NotWritten(cause) => SendErrorKind::NotWritten(cause),
            // Not failures: nobody asks for their error.
            Outcome::Written { .. } | Outcome::Unacknowledged => {
                SendErrorKind::NotWritten(Cause::Closed)
            }
        };
        let of = |place| verdict.complaints.iter().find(|c| c.place == place);
        let own = of(Some(place));
        let text = own.filter(|own| !own.text.is_empty()).or_else(|| of(None));
        let bystander = own.is_none() && verdict.complaints.iter().any(|c| c.place.is_some());
        Self(Box::new(Details {
            kind,
            topic: Some(Arc::clone(&verdict.topic)),
            partition: Some(verdict.partition),
            limit: 0,
            size: 0,
            waited: None,
            complaint: text.map(|complaint| complaint.text.clone()),
            bystander,
            hint: verdict.hint.clone(),
            panic: None,
            serializer: None,
        }))
    }

    /// What it means for the record.
    #[must_use]
    pub fn kind(&self) -> SendErrorKind {
        self.0.kind
    }

    /// Whether the record may be in the log all the same. If not, it can be sent again without
    /// being written twice.
    #[must_use]
    pub fn may_be_written(&self) -> bool {
        matches!(self.0.kind, SendErrorKind::Unknown(..))
    }

    /// Name of the topic, if the call got as far as to know it.
    #[must_use]
    pub fn topic(&self) -> Option<&str> {
        self.0.topic.as_deref()
    }

    /// Number of the partition, if one was chosen.
    #[must_use]
    pub fn partition(&self) -> Option<i32> {
        self.0.partition
    }

    /// What the broker said of this record, or else of its batch (KIP-467), from Kafka 2.4 on.
    #[must_use]
    pub fn complaint(&self) -> Option<&str> {
        self.0.complaint.as_deref()
    }

    /// Whether the broker refused the batch for other records in it, and named them: this one
    /// can be sent again as it is.
    #[must_use]
    pub fn is_bystander(&self) -> bool {
        self.0.bystander
    }

    /// What kept the producer from the cluster, if something did: an address that does not
    /// resolve, a broker that does not accept connections.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = &*self.0;
        match details.kind {
            SendErrorKind::Refused(refused) => return details.refusal(f, refused),
            SendErrorKind::Partitioner => return details.no_choice(f),
            SendErrorKind::Serializer(side) => {
                write!(f, "the {side} of a record for {} cannot be serialized", details.topic())?;
                let said = details.serializer.as_ref();
                return said.map_or(Ok(()), |said| write!(f, ": {said}"));
            }
            SendErrorKind::NotWritten(cause) => {
                details.record(f)?;
                write!(f, " is not written: {cause}")?;
            }
            SendErrorKind::Unknown(cause, doubt) => {
                details.record(f)?;
                write!(f, " may or may not be written: {cause}, and {doubt}")?;
            }
        }
        if details.bystander {
            f.write_str("; the broker refused the batch for other records in it")?;
        }
        if let Some(complaint) = &details.complaint {
            write!(f, "; the broker says: {complaint}")?;
        }
        details.hint(f, "; ")
    }
}

impl Error for SendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.serializer.as_deref().map(|error| error as _)
    }
}

impl Details {
    fn topic(&self) -> &str {
        self.topic.as_deref().unwrap_or("?")
    }

    fn record(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a record for {}", self.topic())?;
        self.partition.map_or(Ok(()), |partition| write!(f, "-{partition}"))
    }

    fn hint(&self, f: &mut fmt::Formatter<'_>, before: &str) -> fmt::Result {
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "{before}{hint}"))
    }

    fn no_choice(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topic = self.topic();
        match &self.panic {
            Some(text) => write!(f, "the partitioner panicked at a record for {topic}: {text}"),
            None => write!(
                f,
                "the partitioner chose partition {} of topic {topic}, which has {}, from 0 on",
                self.partition.unwrap_or(-1),
                self.limit
            ),
        }
    }

    fn refusal(&self, f: &mut fmt::Formatter<'_>, refused: Refused) -> fmt::Result {
        let Self { limit, size, .. } = self;
        let waited = self.waited.map(|waited| waited.as_millis());
        match refused {
            Refused::Full(full) => {
                let what = match full {
                    Full::Memory => "buffer.memory is full: records wait in all of its",
                    Full::Batches => "the table of batches is full beside buffer.memory's",
                    _ => return write!(f, "{refused}; fewer topics and partitions would fit"),
                };
                write!(f, "{what} {limit} bytes")?;
                if let Some(waited) = waited {
                    write!(f, ", and no room came free within {waited} ms (max.block.ms)")?;
                }
                f.write_str("; raise buffer.memory or slow down")?;
                self.hint(f, "; ")
            }
            Refused::TopicUnknown => match waited {
                None => write!(f, "topic {} is not known yet", self.topic()),
                Some(waited) => {
                    write!(f, "topic {} is not known after {waited} ms: ", self.topic())?;
                    match &self.hint {
                        Some(hint) => f.write_str(hint),
                        None => f.write_str(
                            "the brokers answered without its partitions \
                             (UNKNOWN_TOPIC_OR_PARTITION, or no leader is elected)",
                        ),
                    }
                }
            },
            Refused::Topic(code) => {
                write!(f, "topic {} cannot be used: the broker answered {code}", self.topic())
            }
            Refused::PartitionUnknown => {
                let number = self.partition.unwrap_or(-1);
                write!(f, "topic {} has no partition {number}", self.topic())?;
                match (limit, waited) {
                    (0, _) => Ok(()),
                    (count, None) => write!(f, ", it has {count}, as far as is known"),
                    (count, Some(waited)) => {
                        write!(f, ": it has {count}, and got no more within {waited} ms ")?;
                        f.write_str("(max.block.ms)")?;
                        self.hint(f, "; ")
                    }
                }
            }
            Refused::LargerThanRequest => write!(
                f,
                "the record takes up to {size} bytes, which is above max.request.size ({limit})"
            ),
            Refused::LargerThanMemory => write!(
                f,
                "the record takes up to {size} bytes, which is above buffer.memory ({limit})"
            ),
            Refused::IllegalName => write!(
                f,
                "topic name {:?} is not legal: it takes 1 to 249 characters out of letters, \
                 digits, '.', '_' and '-', and is neither \".\" nor \"..\"",
                self.topic()
            ),
            Refused::NegativeTimestamp => {
                write!(f, "a record for {} has a timestamp below zero", self.topic())
            }
            Refused::NoSuchTopic => {
                write!(f, "the handle of topic {} was made by another producer", self.topic())
            }
            _ => write!(f, "{refused}"),
        }
    }
}

/// [`Producer::send_many`](crate::Producer::send_many) stopped at a record that was refused.
///
/// Those before it are accepted, and those from it on are not.
#[derive(Debug)]
pub struct SendManyError {
    /// The deliveries of the records before it.
    pub accepted: Deliveries,
    /// Why it was refused.
    pub error: SendError,
}

impl SendManyError {
    /// Place of the refused record among those that were given, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.accepted.len()
    }
}

impl fmt::Display for SendManyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {} of several: {}", self.index(), self.error)
    }
}

impl Error for SendManyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

impl From<SendManyError> for SendError {
    fn from(error: SendManyError) -> Self {
        error.error
    }
}
