//! The producer, as its users hold it.

use std::fmt;
use std::future::poll_fn;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use ottla::error::Full;
use ottla::producer::{Counters, TOPIC_NAME_MAX};
use ottla::record::size;
use ottla::{Instant, Refused, Topic};
use tracing::Instrument as _;

use crate::config::{Builder, Config};
use crate::connector::Connector;
use crate::delivery::{Deliveries, Delivery};
use crate::driver::Driver;
use crate::error::{SendError, SendManyError};
use crate::hooks::OwnPartitioner;
use crate::metrics::{Metrics, OfCore};
use crate::record::{Record, ToTopic, TopicHandle};
use crate::shared::{Core, Shared, given_up};
use crate::waiters::{Admission, Admitted, Goal};

/// Records that [`Producer::send_many`] has accepted under one hold of the lock, at most.
pub(crate) const CHUNK: usize = 64;

/// Bytes of records after which it lets the lock go.
const CHUNK_BYTES: u32 = 64 * 1024;

/// Sends records to a Kafka cluster.
///
/// Cheap to clone; clones share everything. Its I/O runs in one task of the runtime in which it
/// was made, until [`Producer::close`] is over or the last clone is dropped.
#[derive(Clone)]
pub struct Producer {
    handle: Arc<Handle>,
}

/// Ends the producer when the last clone is dropped.
struct Handle {
    shared: Arc<Shared>,
}

/// What a [`Producer::close`] had to give up.
#[derive(Copy, Clone, Default, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Closed {
    /// Records that are not written.
    pub not_written: u64,
    /// Records of which nobody knows whether they are written.
    pub unknown: u64,
}

/// How a producer stands.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// What happened so far.
    pub counters: Counters,
    /// Bytes of `buffer.memory` that are allocated; memory that was used is kept for
    /// reuse, until there was nothing to do for three seconds.
    pub memory: u64,
    /// Sends that wait: for memory, for a topic to be known, or for a partition to be there.
    pub waiting: usize,
}

impl Producer {
    /// Puts a producer together.
    pub fn builder() -> Builder {
        Config::builder()
    }

    /// A producer that connects over TCP. It connects when there is something to ask or to send.
    ///
    /// # Panics
    /// Outside of a tokio runtime, or in one without its time driver.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let connector = config.tcp;
        Self::with_connector(config, connector)
    }

    /// A producer that connects by `connector`.
    ///
    /// # Panics
    /// Outside of a tokio runtime, or in one without its time driver.
    #[must_use]
    pub fn with_connector(config: Config, connector: impl Connector) -> Self {
        for warning in config.warnings() {
            tracing::warn!(key = warning.key(), "{}", warning.message());
        }
        // The hasher of the standard library is seeded by the system.
        let seed = RandomState::new().hash_one(0);
        let shared = Arc::new(Shared::new(config, seed));
        let span = tracing::info_span!("producer", client_id = shared.config.client_id());
        tokio::spawn(Driver::new(Arc::clone(&shared), connector).run().instrument(span));
        Self { handle: Arc::new(Handle { shared }) }
    }

    fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.shared().config
    }

    /// A handle of the topic called `name`, for [`Record::new`]. It does not wait: whether the
    /// cluster has the topic shows when something is sent to it.
    ///
    /// # Errors
    /// [`Refused::IllegalName`], or a full table: there can be 65536 topics.
    pub fn topic(&self, name: &str) -> Result<TopicHandle, SendError> {
        self.declare_topic(name, 0)
    }

    /// As [`Producer::topic`], of a topic that is known to have `partitions` partitions: records
    /// for it are accepted while no broker can be reached yet.
    ///
    /// # Errors
    /// As [`Producer::topic`].
    pub fn declare_topic(&self, name: &str, partitions: u32) -> Result<TopicHandle, SendError> {
        match self.shared().topic(name, partitions) {
            Ok((name, topic)) => Ok(TopicHandle { name, topic, of: self.shared().id }),
            Err(refused) => Err(Self::no_topic(name, refused)),
        }
    }

    /// Number of partitions of a topic, 0 while it is not known.
    #[must_use]
    pub fn partition_count(&self, topic: &TopicHandle) -> u32 {
        if topic.of == self.shared().id {
            self.shared().lock().producer.partition_count(topic.topic)
        } else {
            0
        }
    }

    /// Has a record accepted, and returns its delivery: a future of its outcome.
    ///
    /// While `buffer.memory` is full, the topic is not known yet, or it has no partition of the
    /// number that the record asks for, it waits for up to `max.block.ms`; those who wait are
    /// served in the order in which they came. Records that are accepted one after another for the
    /// same partition are written in that order.
    ///
    /// Cancel safe: dropped before it is ready, it has queued nothing.
    ///
    /// # Errors
    /// [`SendErrorKind::Refused`](crate::SendErrorKind::Refused), and
    /// [`SendErrorKind::Partitioner`](crate::SendErrorKind::Partitioner) with an own partitioner:
    /// nothing was queued.
    pub async fn send(&self, record: Record<'_>) -> Result<Delivery, SendError> {
        match self.config().interceptors.is_empty() {
            true => self.admit(record, Core::accept).await,
            // On the heap: other sends are not to have futures that are larger for this.
            false => Box::pin(self.admit_intercepted(record, Core::accept)).await,
        }
    }

    /// As [`Producer::send`], for records whose outcome nobody wants to know; that saves the
    /// bookkeeping. Those that fail are logged, by batch.
    ///
    /// # Errors
    /// As [`Producer::send`].
    pub async fn post(&self, record: Record<'_>) -> Result<(), SendError> {
        match self.config().interceptors.is_empty() {
            true => self.admit(record, Core::accept_silently).await,
            false => Box::pin(self.admit_intercepted(record, Core::accept_silently)).await,
        }
    }

    /// As [`Producer::send`], without waiting.
    ///
    /// # Errors
    /// As [`Producer::send`]; what it would wait for is an error, too, and so are others that
    /// wait for the same.
    pub fn try_send(&self, record: Record<'_>) -> Result<Delivery, SendError> {
        match self.config().interceptors.is_empty() {
            true => self.admit_now(record),
            false => self.admit_now_intercepted(record),
        }
    }

    pub(crate) fn admit_now(&self, record: Record<'_>) -> Result<Delivery, SendError> {
        let item = self.counted(self.prepare(record, &mut None))?;
        let accepted = self.shared().admit_now(item.wish(), |core, now| match item.undecided {
            true => Err(core.ask(now, &item)),
            false => core.accept(now, &item),
        });
        accepted.map_err(|refused| self.refusal(&item.record, refused, None))
    }

    pub(crate) async fn admit<T>(
        &self,
        record: Record<'_>,
        accept: impl Fn(&mut Core, Instant, &Item<'_>) -> Result<Admitted<T>, Refused>,
    ) -> Result<T, SendError> {
        let mut item = self.counted(self.prepare(record, &mut None))?;
        let mut admission = Admission::new(self.shared());
        if item.undecided {
            // On the heap: other sends are not to have futures that are larger for this.
            Box::pin(self.decide(&mut item, &mut admission)).await?;
        }
        let admitted =
            poll_fn(|cx| admission.poll(cx, item.wish(), |core, now| accept(core, now, &item)));
        admitted.await.map_err(|(refused, waited)| self.refusal(&item.record, refused, waited))
    }

    /// Has records accepted, many at a time: the fastest way to send. They may be for different
    /// topics. The deliveries come as one future.
    ///
    /// Waits as [`Producer::send`] does, and lets others in between while it waits. Records are
    /// taken from the iterator in portions. Dropped before it is ready, some of the first
    /// records are queued, in order, and the others are not; nothing tells how many.
    ///
    /// In a task of its own (`tokio::spawn`), an iterator that makes records by a closure over
    /// references is refused by the compiler as "not general enough": collect it into a `Vec`
    /// first.
    ///
    /// # Errors
    /// The first refusal. The records before it are accepted, their deliveries come with the
    /// error; those from it on are not.
    pub async fn send_many<'r>(
        &self,
        records: impl IntoIterator<Item = Record<'r>>,
    ) -> Result<Deliveries, SendManyError> {
        // Lent, as each future that has it has it twice.
        let mut records = records.into_iter();
        match self.config().interceptors.is_empty() {
            true => self.admit_many(&mut records).await,
            false => Box::pin(self.admit_many_intercepted(&mut records)).await,
        }
    }

    pub(crate) async fn admit_many<'r>(
        &self,
        records: &mut impl Iterator<Item = Record<'r>>,
    ) -> Result<Deliveries, SendManyError> {
        let mut deliveries = Deliveries::default();
        let mut chunk: Vec<Item<'r>> = Vec::with_capacity(CHUNK);
        loop {
            chunk.clear();
            let mut illegal = None;
            let mut counts = None;
            let mut more = true;
            while more && chunk.len() < CHUNK && !chunk.last().is_some_and(|last| last.undecided) {
                match records.next().map(|record| self.prepare(record, &mut counts)) {
                    Some(Ok(item)) => chunk.push(item),
                    Some(Err(error)) => {
                        illegal = Some(error);
                        break;
                    }
                    None => more = false,
                }
            }
            let mut rest = &mut chunk[..];
            while let Some(first) = rest.first_mut() {
                let mut admission = Admission::new(self.shared());
                let admitted = match first.undecided {
                    true => Box::pin(self.decide(first, &mut admission)).await,
                    false => Ok(()),
                };
                let record = first.record;
                let admitted = match admitted {
                    Ok(()) => {
                        let wish = first.wish();
                        let admitted = poll_fn(|cx| {
                            let many =
                                |core: &mut Core, now| core.accept_many(now, rest, &mut deliveries);
                            admission.poll(cx, wish, many)
                        });
                        let refusal = |(refused, waited)| self.refusal(&record, refused, waited);
                        admitted.await.map_err(refusal)
                    }
                    Err(error) => Err(error),
                };
                match admitted {
                    Ok(count) => rest = rest.get_mut(count..).unwrap_or_default(),
                    Err(error) => return Err(SendManyError { accepted: deliveries, error }),
                }
            }
            if let Some(error) = illegal {
                self.count_refusal();
                return Err(SendManyError { accepted: deliveries, error });
            }
            if !more {
                return Ok(deliveries);
            }
        }
    }

    /// What the core takes, with the partition that an own partitioner chooses, if it can choose
    /// yet. `counts` spares looking again when the next record is for the same topic. A refusal is
    /// counted by who returns it: one ahead of its turn may be told to nobody.
    fn prepare<'r>(
        &self,
        record: Record<'r>,
        counts: &mut Option<(Topic, u32)>,
    ) -> Result<Item<'r>, SendError> {
        let topic = self.find(&record)?;
        let mut item = Item { topic, record, content: record.content, undecided: false };
        let Some(own) = &self.config().own_partitioner else {
            item.content = record.hashed();
            return Ok(item);
        };
        if record.content.partition.is_none() {
            let known = counts.filter(|(of, _)| *of == topic).map(|(_, count)| count);
            let count =
                known.unwrap_or_else(|| self.shared().lock().producer.partition_count(topic));
            item.undecided = count == 0;
            if count > 0 {
                *counts = Some((topic, count));
                item.choose(own, count)?;
            }
        }
        Ok(item)
    }

    /// Waits until an own partitioner can choose for a record, and has it choose.
    async fn decide(
        &self,
        item: &mut Item<'_>,
        admission: &mut Admission<'_>,
    ) -> Result<(), SendError> {
        let counted =
            poll_fn(|cx| admission.poll_count(cx, item.topic, |core, now| core.ask(now, item)));
        let count = counted.await;
        let count =
            count.map_err(|(refused, waited)| self.refusal(&item.record, refused, waited))?;
        match &self.config().own_partitioner {
            Some(own) => self.counted(item.choose(own, count)),
            None => Ok(()),
        }
    }

    /// Sends what is there without waiting for more (`linger.ms`), and waits until every record
    /// accepted before this call has its outcome. Which, only its delivery tells.
    ///
    /// It holds up nobody, and passes over no pause after a failure. Dropped, it undoes nothing.
    pub async fn flush(&self) {
        // The other end is dropped where there is nothing to wait for.
        let span = tracing::debug_span!("flush", client_id = self.config().client_id());
        let began = tokio::time::Instant::now();
        let _ = self.shared().flush().instrument(span).await;
        self.shared().meters.flush_nanos.add_nanos(began.elapsed());
    }

    /// Accepts no more records, sends those that it has, and ends: when all have their outcome,
    /// or `timeout` has passed. Those without one get theirs then: not written, or unknown.
    /// Whoever waits in a send is told that the producer is closed.
    ///
    /// Dropped, it closes all the same, as long as a clone of the producer is kept. Of several,
    /// the shortest timeout counts.
    pub async fn close(&self, timeout: Duration) -> Closed {
        let before = self.stats().counters;
        let span = tracing::debug_span!("close", client_id = self.config().client_id(), ?timeout);
        // The other end is dropped where there is nothing to wait for.
        let _ = self.shared().close(timeout).instrument(span).await;
        let (not_written, unknown) = given_up(before, self.stats().counters);
        Closed { not_written, unknown }
    }

    /// How it stands.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let core = self.shared().lock();
        Stats {
            counters: core.producer.counters(),
            memory: core.producer.owner().charged(),
            waiting: core.waiters.len(),
        }
    }

    /// Its figures, by the names of Java's producer metrics where they mean the same.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let shared = self.shared();
        let now = shared.clock.now();
        let mut core = shared.lock();
        let of_core = OfCore {
            counters: core.producer.counters(),
            allocated: core.producer.owner().charged(),
            available: core.producer.owner().available(),
            in_flight: core.producer.requests_in_flight(),
            metadata_age: core.producer.metadata_at().map(|at| now.since(at)),
            waiting: core.waiters.len(),
            in_line: core.waiters.in_line(),
        };
        drop(core);
        let buffer = shared.config.buffer_memory;
        Metrics::read(shared.config.client_id(), &shared.meters, buffer, of_core)
    }

    /// Gives its figures to the recorder of the crate `metrics` every so often, from a task of its
    /// own, until the last clone of the producer is dropped: feature `metrics`. It also describes
    /// them once. See [`Metrics::record`].
    ///
    /// # Panics
    /// Outside of a tokio runtime, or if `every` is zero.
    #[cfg(feature = "metrics")]
    pub fn record_metrics(&self, every: Duration) {
        let handle = Arc::downgrade(&self.handle);
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        Metrics::describe();
        tokio::spawn(async move {
            loop {
                ticks.tick().await;
                let Some(handle) = handle.upgrade() else { return };
                Self { handle }.metrics().record();
            }
        });
    }

    /// The core's number of a record's topic.
    fn find(&self, record: &Record<'_>) -> Result<Topic, SendError> {
        match record.topic {
            ToTopic::Handle(handle) if handle.of == self.shared().id => Ok(handle.topic),
            ToTopic::Handle(handle) => Err(Self::no_topic(&handle.name, Refused::NoSuchTopic)),
            ToTopic::Name(name) => match self.shared().find_topic(name) {
                Some(topic) => Ok(topic),
                None => self.topic(name).map(|handle| handle.topic),
            },
        }
    }

    /// A record was not accepted, and its sender is told so.
    pub(crate) fn count_refusal(&self) {
        self.shared().meters.refused.add(1);
    }

    /// What a sender is told now; an error is a refusal.
    pub(crate) fn counted<T>(&self, result: Result<T, SendError>) -> Result<T, SendError> {
        result.inspect_err(|_| self.count_refusal())
    }

    fn no_topic(name: &str, refused: Refused) -> SendError {
        // A name that is far too long is not repeated in full.
        let name = name.chars().take(TOPIC_NAME_MAX).collect::<String>();
        SendError::refused(refused, Some(name.into()))
    }

    /// The core's refusal with the names and sizes that it is about.
    fn refusal(
        &self,
        record: &Record<'_>,
        refused: Refused,
        waited: Option<Duration>,
    ) -> SendError {
        let shared = self.shared();
        self.count_refusal();
        if refused == Refused::Full(Full::Memory) {
            shared.meters.exhausted.add(1);
        }
        let name = record.topic.shared_name();
        let error = SendError::refused(refused, Some(name)).partition_is(record.content.partition);
        let bound = || u64::from(size::batch_bound(size::fields(&record.content)));
        let core = &shared.config.core;
        let error = match refused {
            Refused::LargerThanRequest => error.sizes(bound(), core.max_request_size.into()),
            Refused::LargerThanMemory => error.sizes(bound(), shared.config.buffer_memory),
            Refused::Full(Full::Memory | Full::Batches) => {
                error.sizes(bound(), shared.config.buffer_memory)
            }
            Refused::PartitionUnknown => {
                let count = self
                    .find(record)
                    .map_or(0, |topic| shared.lock().producer.partition_count(topic));
                error.sizes(0, count.into())
            }
            _ => error,
        };
        match waited {
            Some(waited) => error.waited(waited, shared.hint()),
            None => error,
        }
    }
}

/// A record on its way into its batch.
#[derive(Copy, Clone)]
pub(crate) struct Item<'r> {
    topic: Topic,
    record: Record<'r>,
    /// What the core takes.
    content: ottla::Record<'r>,
    /// An own partitioner is to choose, once it is known among how many.
    undecided: bool,
}

impl Item<'_> {
    const fn goal(&self) -> Goal {
        Goal { topic: self.topic, partition: self.content.partition }
    }

    /// Where it goes, and how many bytes it takes, about.
    fn wish(&self) -> (Goal, u64) {
        const BESIDE: usize = 100;
        let fields = [self.content.key, self.content.value].into_iter().flatten();
        let headers = self.content.headers.iter().flat_map(|h| [Some(h.key.as_bytes()), h.value]);
        let bytes = fields.chain(headers.flatten()).fold(BESIDE, |sum, field| sum + field.len());
        (self.goal(), bytes as u64)
    }

    /// Has an own partitioner choose among `count` partitions.
    fn choose(&mut self, own: &OwnPartitioner, count: u32) -> Result<(), SendError> {
        let topic = self.record.topic;
        match own.choose(topic.name(), &self.content, count) {
            Ok(partition) => {
                self.record.content.partition = Some(partition);
                self.content.partition = Some(partition);
                self.undecided = false;
                Ok(())
            }
            Err(none) => Err(SendError::no_choice(topic.shared_name(), count, none)),
        }
    }
}

impl Core {
    /// Why a record without a partition cannot be accepted before it is known how many there are.
    /// The core finds out what it is asked for in vain.
    fn ask(&mut self, now: Instant, item: &Item<'_>) -> Refused {
        if self.producer.partition_count(item.topic) > 0 {
            // Since this moment: the partitioner is next.
            return Refused::TopicUnknown;
        }
        let refused = self.producer.produce(now, item.topic, &item.content).err();
        debug_assert!(refused.is_some(), "accepted for a partition that nobody chose");
        refused.unwrap_or(Refused::TopicUnknown)
    }

    /// Puts a record into its batch.
    fn accept(&mut self, now: Instant, item: &Item<'_>) -> Result<Admitted<Delivery>, Refused> {
        let accepted = self.producer.produce(now, item.topic, &item.content)?;
        let cell = Arc::clone(self.cell(accepted.batch));
        Ok(Admitted { value: Delivery::new(cell, accepted.place), wake: accepted.wake })
    }

    /// The same, with nobody to tell the outcome to.
    fn accept_silently(&mut self, now: Instant, item: &Item<'_>) -> Result<Admitted<()>, Refused> {
        let accepted = self.producer.produce(now, item.topic, &item.content)?;
        Ok(Admitted { value: (), wake: accepted.wake })
    }

    /// Puts records into their batches: how many; at least one.
    fn accept_many(
        &mut self,
        now: Instant,
        items: &[Item<'_>],
        deliveries: &mut Deliveries,
    ) -> Result<Admitted<usize>, Refused> {
        let (mut count, mut wake, mut bytes) = (0, false, 0_u32);
        for item in items {
            let stop = || item.undecided || self.waiters.awaited(item.goal()).is_some();
            if count > 0 && (bytes >= CHUNK_BYTES || stop()) {
                break;
            }
            match self.producer.produce(now, item.topic, &item.content) {
                Ok(accepted) => {
                    deliveries.push(self.cell(accepted.batch), accepted.place);
                    wake |= accepted.wake;
                }
                // The next call meets it again, and knows what to do about it.
                Err(_) if count > 0 => break,
                Err(refused) => return Err(refused),
            }
            bytes = bytes.saturating_add(size::fields(&item.content));
            count += 1;
        }
        Ok(Admitted { value: count, wake })
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.config().client_id();
        f.debug_struct("Producer").field("client_id", &id).finish_non_exhaustive()
    }
}

impl Drop for Handle {
    /// R5: every delivery gets its outcome, and nothing blocks.
    fn drop(&mut self) {
        if self.shared.lock().closed {
            return;
        }
        let (not_written, unknown) = self.shared.abandon(false);
        if not_written > 0 || unknown > 0 {
            tracing::warn!(
                not_written,
                unknown,
                "the producer was dropped with records under way; close() would have sent them"
            );
        }
    }
}
