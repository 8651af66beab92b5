//! The user's own code: a partitioner, and a map of addresses. Neither is called under a lock, and
//! a panic in one is told as an error.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ottla::producer::partitioner::{key_hash, partition_of};
use ottla::{Header, record};

/// Calls a function of the user's; the error is what a panic said.
pub(crate) fn caught<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    // What the function shares with others of its calls is its own; nothing here is half done.
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| said(&*payload))
}

fn said(payload: &(dyn Any + Send)) -> String {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "without a text".to_owned(),
    }
}

/// A record for which a partition is to be chosen: the argument of
/// [`Builder::partition_by`](crate::Builder::partition_by)'s function.
#[derive(Copy, Clone, Debug)]
pub struct Choice<'a> {
    topic: &'a str,
    content: &'a record::Record<'a>,
    partitions: i32,
}

impl<'a> Choice<'a> {
    /// Name of the topic.
    #[must_use]
    pub const fn topic(&self) -> &'a str {
        self.topic
    }

    /// The record's key; none if it has none.
    #[must_use]
    pub const fn key(&self) -> Option<&'a [u8]> {
        self.content.key
    }

    /// The record's value; none if it is null.
    #[must_use]
    pub const fn value(&self) -> Option<&'a [u8]> {
        self.content.value
    }

    /// The record's headers.
    #[must_use]
    pub const fn headers(&self) -> &'a [Header<'a>] {
        self.content.headers
    }

    /// Number of the topic's partitions, at least 1. To be chosen is one from 0 on and below this.
    #[must_use]
    pub const fn partitions(&self) -> i32 {
        self.partitions
    }

    /// The partition that every Kafka client chooses for the record's key by default; none if it
    /// has no key.
    #[must_use]
    pub fn by_key(&self) -> Option<i32> {
        let count = self.partitions.cast_unsigned();
        self.key().map(|key| partition_of(key_hash(key), count).cast_signed())
    }
}

/// Why an own partitioner's choice is none.
pub(crate) enum NoChoice {
    /// There is no such partition.
    Beyond(i32),
    Panicked(String),
}

type Choose = dyn Fn(&Choice<'_>) -> i32 + Send + Sync;

/// The function of [`Builder::partition_by`](crate::Builder::partition_by).
#[derive(Clone)]
pub(crate) struct OwnPartitioner(Arc<Choose>);

impl OwnPartitioner {
    pub(crate) fn new(choose: impl Fn(&Choice<'_>) -> i32 + Send + Sync + 'static) -> Self {
        Self(Arc::new(choose))
    }

    /// The partition that it chooses among `count`, which is above 0.
    pub(crate) fn choose(
        &self,
        topic: &str,
        content: &record::Record<'_>,
        count: u32,
    ) -> Result<i32, NoChoice> {
        let partitions = i32::try_from(count).unwrap_or(i32::MAX);
        let choice = Choice { topic, content, partitions };
        match caught(|| (self.0)(&choice)) {
            Ok(partition) if (0..partitions).contains(&partition) => Ok(partition),
            Ok(partition) => Err(NoChoice::Beyond(partition)),
            Err(text) => Err(NoChoice::Panicked(text)),
        }
    }
}

type Map = dyn Fn(Option<i32>, &str, u16) -> (String, u16) + Send + Sync;

/// The function of [`Builder::map_address`](crate::Builder::map_address).
#[derive(Clone)]
pub(crate) struct AddressMap(Arc<Map>);

impl AddressMap {
    pub(crate) fn new(
        map: impl Fn(Option<i32>, &str, u16) -> (String, u16) + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(map))
    }

    /// Where to connect to instead of `host` and `port`; the error is what a panic said.
    pub(crate) fn map(
        &self,
        broker: Option<i32>,
        host: &str,
        port: u16,
    ) -> Result<(String, u16), String> {
        caught(|| (self.0)(broker, host, port))
    }
}

impl fmt::Debug for OwnPartitioner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnPartitioner")
    }
}

impl fmt::Debug for AddressMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressMap")
    }
}

// Functions cannot be compared: they are equal if they are the same one.

impl PartialEq for OwnPartitioner {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl PartialEq for AddressMap {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for OwnPartitioner {}
impl Eq for AddressMap {}
