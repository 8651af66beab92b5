//! What is sent, and where to.

use std::fmt;
use std::sync::Arc;

use ottla::producer::partitioner::key_hash;
use ottla::{Header, record};

/// A topic of a producer, from [`Producer::topic`](crate::Producer::topic): saves the look-up of
/// the name at every record.
///
/// Cheap to clone. It keeps nothing alive, and is of use with the producer that made it only.
#[derive(Clone)]
pub struct TopicHandle {
    pub(crate) name: Arc<str>,
    pub(crate) topic: ottla::Topic,
    /// The producer that made it.
    pub(crate) of: u64,
}

impl TopicHandle {
    /// Name of the topic.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for TopicHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TopicHandle").field(&self.name).finish()
    }
}

/// The topic of a record: by handle, or by name.
#[derive(Copy, Clone, Debug)]
pub enum ToTopic<'a> {
    /// By handle.
    Handle(&'a TopicHandle),
    /// By name, which is looked up at every record.
    Name(&'a str),
}

impl<'a> ToTopic<'a> {
    pub(crate) fn name(self) -> &'a str {
        match self {
            Self::Handle(handle) => &handle.name,
            Self::Name(name) => name,
        }
    }

    pub(crate) fn shared_name(self) -> Arc<str> {
        match self {
            Self::Handle(handle) => Arc::clone(&handle.name),
            Self::Name(name) => name.into(),
        }
    }
}

impl<'a> From<&'a TopicHandle> for ToTopic<'a> {
    fn from(handle: &'a TopicHandle) -> Self {
        Self::Handle(handle)
    }
}

impl<'a> From<&'a str> for ToTopic<'a> {
    fn from(name: &'a str) -> Self {
        Self::Name(name)
    }
}

impl<'a> From<&'a String> for ToTopic<'a> {
    fn from(name: &'a String) -> Self {
        Self::Name(name)
    }
}

/// A record to send. It borrows everything; accepting it copies it once, into its batch.
///
/// ```
/// use ottla_tokio::Record;
/// let reading = Record::new("readings", "21.5").key("sensor-7").timestamp(1_700_000_000_000);
/// # let _ = reading;
/// ```
#[derive(Copy, Clone, Debug)]
pub struct Record<'a> {
    pub(crate) topic: ToTopic<'a>,
    pub(crate) content: record::Record<'a>,
}

impl<'a> Record<'a> {
    /// A record with a value and nothing else. `topic` is a handle or a name.
    #[must_use]
    pub fn new(topic: impl Into<ToTopic<'a>>, value: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self { topic: topic.into(), content: record::Record::new(value.as_ref()) }
    }

    /// A record with a null value: on compacted topics it deletes its key.
    #[must_use]
    pub fn tombstone(topic: impl Into<ToTopic<'a>>) -> Self {
        Self { topic: topic.into(), content: record::Record::tombstone() }
    }

    /// The same with a key. Records with the same key go to the same partition, the one that
    /// other Kafka clients choose for it.
    #[must_use]
    pub fn key(mut self, key: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.content = self.content.key(key.as_ref());
        self
    }

    /// The same with headers.
    #[must_use]
    pub const fn headers(mut self, headers: &'a [Header<'a>]) -> Self {
        self.content = self.content.headers(headers);
        self
    }

    /// The same with a timestamp in milliseconds since 1970, not negative. Without one it is the
    /// time at which the record is accepted.
    #[must_use]
    pub const fn timestamp(mut self, millis: i64) -> Self {
        self.content = self.content.timestamp(millis);
        self
    }

    /// The same for one partition, from 0.
    #[must_use]
    pub const fn partition(mut self, partition: i32) -> Self {
        self.content = self.content.partition(partition);
        self
    }

    /// What the core takes, with the hash of the key computed before any lock is held. R17.
    pub(crate) fn hashed(&self) -> record::Record<'a> {
        let mut content = self.content;
        if content.partition.is_none() && content.key_hash.is_none() {
            content.key_hash = content.key.map(key_hash);
        }
        content
    }
}
