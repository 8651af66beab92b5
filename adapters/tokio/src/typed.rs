//! A producer of keys and values of one type each.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use ottla::Header;

use crate::delivery::{Deliveries, Delivery};
use crate::error::{SendError, SendManyError};
use crate::producer::{CHUNK, Producer};
use crate::record::{Record, ToTopic};
use crate::serializer::{Serializer, Side};

/// A [`Producer`] with a serializer for keys of type `K` and one for values of type `V`:
/// [`Producer::typed`].
///
/// Cheap to clone, as the producer is; several may share one producer. Where it sends, waits and
/// tells, it is the producer that does so. Interceptors see the bytes, and nothing of a record that
/// could not be serialized.
pub struct TypedProducer<K: ?Sized, V: ?Sized> {
    producer: Producer,
    key: Arc<dyn Serializer<K>>,
    value: Arc<dyn Serializer<V>>,
}

/// A record for a [`TypedProducer`]. It borrows everything.
///
/// ```
/// use ottla_tokio::TypedRecord;
/// let record = TypedRecord::new("readings", &21.5_f64).key("sensor-7");
/// # let _: TypedRecord<'_, str, f64> = record;
/// ```
#[derive(Debug)]
pub struct TypedRecord<'a, K: ?Sized, V: ?Sized> {
    topic: ToTopic<'a>,
    key: Option<&'a K>,
    value: Option<&'a V>,
    headers: &'a [Header<'a>],
    timestamp: Option<i64>,
    partition: Option<i32>,
}

impl<'a, K: ?Sized, V: ?Sized> TypedRecord<'a, K, V> {
    /// A record with a value and nothing else. `topic` is a handle or a name.
    #[must_use]
    pub fn new(topic: impl Into<ToTopic<'a>>, value: &'a V) -> Self {
        Self { value: Some(value), ..Self::tombstone(topic) }
    }

    /// A record with a null value, which no serializer sees: on compacted topics it deletes its
    /// key.
    #[must_use]
    pub fn tombstone(topic: impl Into<ToTopic<'a>>) -> Self {
        let topic = topic.into();
        Self { topic, key: None, value: None, headers: &[], timestamp: None, partition: None }
    }

    /// The same with a key; without one it is null.
    #[must_use]
    pub const fn key(mut self, key: &'a K) -> Self {
        self.key = Some(key);
        self
    }

    /// The same with headers.
    #[must_use]
    pub const fn headers(mut self, headers: &'a [Header<'a>]) -> Self {
        self.headers = headers;
        self
    }

    /// The same with a timestamp in milliseconds since 1970, not negative.
    #[must_use]
    pub const fn timestamp(mut self, millis: i64) -> Self {
        self.timestamp = Some(millis);
        self
    }

    /// The same for one partition, from 0.
    #[must_use]
    pub const fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }
}

/// A record whose key and value are bytes.
struct Serialized<'a> {
    topic: ToTopic<'a>,
    key: Option<Cow<'a, [u8]>>,
    value: Option<Cow<'a, [u8]>>,
    headers: &'a [Header<'a>],
    timestamp: Option<i64>,
    partition: Option<i32>,
}

impl Serialized<'_> {
    fn record(&self) -> Record<'_> {
        let mut record = Record::tombstone(self.topic).headers(self.headers);
        record.content.key = self.key.as_deref();
        record.content.value = self.value.as_deref();
        record.content.timestamp = self.timestamp;
        record.content.partition = self.partition;
        record
    }
}

impl Producer {
    /// This producer, with serializers for keys of type `K` and values of type `V`.
    ///
    /// ```no_run
    /// use ottla_tokio::{BigEndian, Bytes, Producer, TypedProducer, TypedRecord};
    ///
    /// # async fn example(producer: Producer) -> Result<(), ottla_tokio::SendError> {
    /// let readings: TypedProducer<str, f64> = producer.typed(Bytes, BigEndian);
    /// let record = TypedRecord::new("readings", &21.5).key("sensor-7");
    /// let written = readings.send(record).await?.await?;
    /// # let _ = written;
    /// # Ok(())
    /// # }
    /// ```
    pub fn typed<K: ?Sized + 'static, V: ?Sized + 'static>(
        &self,
        key: impl Serializer<K>,
        value: impl Serializer<V>,
    ) -> TypedProducer<K, V> {
        let producer = self.clone();
        TypedProducer { producer, key: Arc::new(key), value: Arc::new(value) }
    }
}

impl<K: ?Sized + 'static, V: ?Sized + 'static> TypedProducer<K, V> {
    /// The producer behind it.
    #[must_use]
    pub const fn producer(&self) -> &Producer {
        &self.producer
    }

    /// As [`Producer::send`].
    ///
    /// # Errors
    /// As [`Producer::send`], and [`SendErrorKind::Serializer`](crate::SendErrorKind::Serializer):
    /// nothing was queued.
    pub async fn send(&self, record: TypedRecord<'_, K, V>) -> Result<Delivery, SendError> {
        let serialized = self.producer.counted(self.serialize(record))?;
        self.producer.send(serialized.record()).await
    }

    /// As [`Producer::post`].
    ///
    /// # Errors
    /// As [`TypedProducer::send`].
    pub async fn post(&self, record: TypedRecord<'_, K, V>) -> Result<(), SendError> {
        let serialized = self.producer.counted(self.serialize(record))?;
        self.producer.post(serialized.record()).await
    }

    /// As [`Producer::try_send`].
    ///
    /// # Errors
    /// As [`Producer::try_send`] and [`TypedProducer::send`].
    pub fn try_send(&self, record: TypedRecord<'_, K, V>) -> Result<Delivery, SendError> {
        let serialized = self.producer.counted(self.serialize(record))?;
        self.producer.try_send(serialized.record())
    }

    /// As [`Producer::send_many`].
    ///
    /// # Errors
    /// The first record that could not be serialized, or was refused. Those before it are
    /// accepted, those from it on are not.
    pub async fn send_many<'r>(
        &self,
        records: impl IntoIterator<Item = TypedRecord<'r, K, V>>,
    ) -> Result<Deliveries, SendManyError> {
        let mut records = records.into_iter();
        let mut accepted = Deliveries::default();
        loop {
            let mut some = Vec::with_capacity(CHUNK);
            let mut failed = None;
            for record in records.by_ref().take(CHUNK) {
                match self.serialize(record) {
                    Ok(serialized) => some.push(serialized),
                    Err(error) => {
                        failed = Some(error);
                        break;
                    }
                }
            }
            if !some.is_empty() {
                let lent: Vec<Record<'_>> = some.iter().map(Serialized::record).collect();
                match self.producer.send_many(lent).await {
                    Ok(more) => accepted.append(more),
                    Err(SendManyError { accepted: more, error }) => {
                        accepted.append(more);
                        return Err(SendManyError { accepted, error });
                    }
                }
            }
            match failed {
                Some(error) => {
                    self.producer.count_refusal();
                    return Err(SendManyError { accepted, error });
                }
                None if some.is_empty() => return Ok(accepted),
                None => {}
            }
        }
    }

    fn serialize<'r>(&self, record: TypedRecord<'r, K, V>) -> Result<Serialized<'r>, SendError> {
        let TypedRecord { topic, key, value, headers, timestamp, partition } = record;
        let wrong = |side| move |error| SendError::not_serialized(topic.shared_name(), side, error);
        let key = key.map(|key| self.key.serialize(topic.name(), key));
        let key = key.transpose().map_err(wrong(Side::Key))?;
        let value = value.map(|value| self.value.serialize(topic.name(), value));
        let value = value.transpose().map_err(wrong(Side::Value))?;
        Ok(Serialized { topic, key, value, headers, timestamp, partition })
    }
}

// Derived, these would ask for the same of `K` and `V`.

impl<K: ?Sized, V: ?Sized> Clone for TypedProducer<K, V> {
    fn clone(&self) -> Self {
        let Self { producer, key, value } = self;
        Self { producer: producer.clone(), key: Arc::clone(key), value: Arc::clone(value) }
    }
}

impl<K: ?Sized, V: ?Sized> fmt::Debug for TypedProducer<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedProducer").field(&self.producer).finish()
    }
}

impl<K: ?Sized, V: ?Sized> Clone for TypedRecord<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: ?Sized, V: ?Sized> Copy for TypedRecord<'_, K, V> {}
