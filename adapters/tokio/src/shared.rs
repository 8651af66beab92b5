//! What the handles of a producer and its I/O task share: one lock around the core.
//!
//! Under the lock nothing slow is done (R17): no system call, no waker is called, no clock is
//! read, no name is looked up, nothing is logged. What has to follow is collected, and done after
//! it.

use std::collections::HashMap;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::task::Waker;
use std::time::Duration;

use ottla::memory::{Growable, Released};
use ottla::message::ErrorCode;
use ottla::producer::{Batch, Counters};
use ottla::{Cause, Event, Flush, Instant, Outcome, Refused, Topic};
use tokio::sync::{Notify, oneshot};

use crate::block::Block;
use crate::clock::{Clock, span};
use crate::config::Config;
use crate::delivery::{Cell, Complaint, Verdict};
use crate::metrics::Meters;
use crate::reach::Reach;
use crate::waiters::{Admitted, After, Goal, Waiters};

/// The time of day is read again by a send if nobody did for so long.
const WALL_AGE: Duration = Duration::from_secs(2);

/// A producer, without its I/O.
#[derive(Debug)]
pub(crate) struct Shared {
    core: Mutex<Core>,
    /// Wakes the I/O task.
    pub(crate) io: Notify,
    pub(crate) clock: Clock,
    pub(crate) config: Config,
    /// Which brokers can be reached.
    pub(crate) reach: Mutex<Reach>,
    pub(crate) meters: Meters,
    /// Handles by name; outside of the lock.
    pub(crate) names: RwLock<HashMap<Arc<str>, Topic>>,
    /// Of this producer alone within the process.
    pub(crate) id: u64,
}

/// What the lock is around.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) producer: ottla::Producer<Growable<Block>>,
    /// By batch: the cell of those whose outcome somebody may want.
    cells: Vec<Option<Arc<Cell>>>,
    /// By batch: what became of the first parts of those that are too large for their broker.
    parts: HashMap<usize, Vec<(u32, Verdict)>>,
    /// Names by topic.
    topics: Vec<Option<Arc<str>>>,
    pub(crate) waiters: Waiters,
    /// Flushes that wait for everything before them, and closings for the end.
    flushes: Vec<(Flush, oneshot::Sender<()>)>,
    closings: Vec<oneshot::Sender<()>>,
    /// Every record has its outcome, and no more is accepted.
    pub(crate) closed: bool,
    /// Nobody does I/O for this producer any more.
    pub(crate) ended: bool,
}

/// What a hold of the lock left to do after it.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    verdicts: Vec<(Option<Arc<Cell>>, u32, Verdict)>,
    topics: Vec<(Arc<str>, ErrorCode)>,
    fatal: Option<ErrorCode>,
    signals: Vec<oneshot::Sender<()>>,
    pub(crate) wakers: Vec<Waker>,
    /// Memory that is given back.
    pub(crate) released: Option<Released<Block>>,
}

impl Shared {
    pub(crate) fn new(mut config: Config, seed: u64) -> Self {
        static IDS: AtomicU64 = AtomicU64::new(1);
        config.name_client();
        let clock = Clock::start();
        let memory = Growable::with_buffers(config.buffer_memory);
        let mut producer = ottla::Producer::new(memory, config.core, seed);
        producer.set_wall_clock(clock.now(), Clock::unix_millis());
        let named = producer.set_client_id(&config.client_id);
        debug_assert!(named, "its length was checked with the configuration");
        for (host, port) in &config.bootstrap {
            // Lengths were checked with the configuration, and the table grows.
            let added = producer.bootstrap(host, *port);
            debug_assert!(added, "{host}:{port}");
        }
        Self {
            core: Mutex::new(Core {
                producer,
                cells: Vec::new(),
                parts: HashMap::new(),
                topics: Vec::new(),
                waiters: Waiters::default(),
                flushes: Vec::new(),
                closings: Vec::new(),
                closed: false,
                ended: false,
            }),
            io: Notify::new(),
            clock,
            config,
            reach: Mutex::default(),
            meters: Meters::default(),
            names: RwLock::default(),
            id: IDS.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Takes the lock. A panic under it is a bug of the core; the producer goes on all the same,
    /// so that it can be closed.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the clock, then takes the lock.
    pub(crate) fn enter(&self) -> (Instant, MutexGuard<'_, Core>) {
        let now = self.clock.now();
        let wall = self.clock.refreshed(now, WALL_AGE);
        let mut core = self.lock();
        if let Some(millis) = wall {
            core.producer.set_wall_clock(now, millis);
        }
        (now, core)
    }

    /// Wakes the I/O task, and does the rest. Not under the lock.
    pub(crate) fn tell(&self, io: bool, after: After) {
        if io {
            self.io.notify_one();
        }
        if let Some(next) = after.wake {
            next.wake();
        }
    }

    /// Has a record for `goal` accepted by `attempt` now, if nobody waits before it.
    pub(crate) fn admit_now<T>(
        &self,
        (goal, need): (Goal, u64),
        attempt: impl FnOnce(&mut Core, Instant) -> Result<Admitted<T>, Refused>,
    ) -> Result<T, Refused> {
        let (now, mut core) = self.enter();
        let admitted = match core.held_up(goal, need) {
            Some(refused) => Err(refused),
            None => attempt(&mut core, now),
        };
        drop(core);
        match admitted {
            Ok(Admitted { value, wake }) => {
                self.tell(wake, After::default());
                Ok(value)
            }
            Err(refused) => {
                // The machine may have something to do for what it lacked.
                self.tell(true, After::default());
                Err(refused)
            }
        }
    }

    /// The core's number of a topic that was named before.
    pub(crate) fn find_topic(&self, name: &str) -> Option<Topic> {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        names.get(name).copied()
    }

    /// The core's number of the topic called `name`, with its shared name.
    pub(crate) fn topic(&self, name: &str, partitions: u32) -> Result<(Arc<str>, Topic), Refused> {
        let new: Arc<str> = Arc::from(name);
        let mut core = self.lock();
        let topic = core.producer.declare_topic(name, partitions)?;
        let index = topic.index();
        if core.topics.len() <= index {
            core.topics.resize(index + 1, None);
        }
        let name = Arc::clone(core.topics[index].get_or_insert(new));
        let mut after = After::default();
        if partitions > 0 {
            core.waiters.unpark(topic);
            core.unpark_known();
            after.wake = core.waiters.first();
        }
        drop(core);
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        names.insert(Arc::clone(&name), topic);
        drop(names);
        self.tell(true, after);
        Ok((name, topic))
    }

    /// Makes everything accepted so far due; what comes back is ready once all of it has its
    /// outcome.
    pub(crate) fn flush(&self) -> oneshot::Receiver<()> {
        let (done, flushed) = oneshot::channel();
        let (now, mut core) = self.enter();
        let flush = core.producer.flush(now);
        // Those that nobody waits for any more; dropped after the lock.
        let dropped: Vec<_> = core.flushes.extract_if(.., |(_, done)| done.is_closed()).collect();
        if !core.ended {
            core.flushes.push((flush, done));
        }
        drop(core);
        drop(dropped);
        self.tell(true, After::default());
        flushed
    }

    /// Begins to close; what comes back is ready once that is over.
    pub(crate) fn close(&self, timeout: Duration) -> oneshot::Receiver<()> {
        let (done, closed) = oneshot::channel();
        let mut wakers = Vec::new();
        let (now, mut core) = self.enter();
        core.producer.close(now, now.after(span(timeout)));
        core.waiters.dismiss(&mut wakers);
        if !core.ended {
            core.closings.push(done);
        }
        drop(core);
        self.tell(true, After::default());
        wakers.into_iter().for_each(Waker::wake);
        closed
    }

    /// What keeps the producer from the cluster, if anything does.
    pub(crate) fn hint(&self) -> Option<Arc<str>> {
        self.reach.lock().unwrap_or_else(PoisonError::into_inner).hint(tokio::time::Instant::now())
    }

    /// Ends the producer at once: every record without an outcome gets one, nothing is accepted
    /// any more, and whoever waits is told. Returns how many records were not written, and of
    /// how many nobody knows. R5.
    pub(crate) fn abandon(&self, ended: bool) -> (u64, u64) {
        let now = self.clock.now();
        let mut collected = Collected::default();
        let mut core = self.lock();
        let before = core.producer.counters();
        core.producer.close(now, now);
        core.collect(&mut collected);
        core.waiters.dismiss(&mut collected.wakers);
        if ended {
            core.ended = true;
        }
        core.signal_all(&mut collected);
        let lost = given_up(before, core.producer.counters());
        drop(core);
        collected.act(self);
        self.io.notify_one();
        lost
    }
}

/// Records that came to no good end between two counts: not written, and unknown.
pub(crate) const fn given_up(before: Counters, after: Counters) -> (u64, u64) {
    let not_written = after.not_written.wrapping_sub(before.not_written);
    (not_written, after.unknown.wrapping_sub(before.unknown))
}

impl Core {
    /// The cell of a batch, made if this is the first record of it that wants one.
    pub(crate) fn cell(&mut self, batch: Batch) -> &Arc<Cell> {
        let index = batch.index();
        if self.cells.len() <= index {
            self.cells.resize(index + 1, None);
        }
        self.cells[index].get_or_insert_default()
    }

    fn name(&self, topic: Topic) -> Arc<str> {
        let name = self.topics.get(topic.index()).and_then(Option::as_ref);
        name.map_or_else(|| Arc::from(""), Arc::clone)
    }

    /// Takes the core's events.
    pub(crate) fn collect(&mut self, into: &mut Collected) {
        while let Some(event) = self.producer.poll_event() {
            match event {
                Event::Delivered(delivery) => {
                    let index = delivery.batch.index();
                    let complaints = match delivery.outcome {
                        Outcome::NotWritten(_) | Outcome::Unknown(..) => self.complaints(),
                        _ => Vec::new(),
                    };
                    let mut verdict = Verdict {
                        topic: self.name(delivery.topic),
                        partition: delivery.partition,
                        outcome: delivery.outcome,
                        complaints,
                        hint: self.beyond(delivery.topic, delivery.partition),
                        earlier: Vec::new(),
                    };
                    if delivery.rest > 0 {
                        // Its records are told of together with the last ones.
                        self.parts.entry(index).or_default().push((delivery.count, verdict));
                        continue;
                    }
                    if !self.parts.is_empty() {
                        verdict.earlier = self.parts.remove(&index).unwrap_or_default();
                    }
                    let cell = self.cells.get_mut(index).and_then(Option::take);
                    into.verdicts.push((cell, delivery.count, verdict));
                }
                Event::Topic(topic, known) => {
                    self.waiters.unpark(topic);
                    if let Err(code) = known {
                        into.topics.push((self.name(topic), code));
                    }
                }
                Event::Fatal(code) => {
                    into.fatal = Some(code);
                    self.waiters.dismiss(&mut into.wakers);
                }
                Event::Closed => {
                    self.closed = true;
                    self.waiters.dismiss(&mut into.wakers);
                }
                // The I/O task knows more of it than the core does.
                _ => {}
            }
        }
        self.unpark_known();
        self.settle_flushes(into);
    }

    /// Lets those get in line whose partition is there by now.
    pub(crate) fn unpark_known(&mut self) {
        let Self { producer, waiters, .. } = self;
        waiters.unpark_known(|topic| producer.partition_count(topic));
    }

    /// What is to be said of a partition that its topic does not have: a record for it was
    /// accepted before that was known.
    fn beyond(&mut self, topic: Topic, partition: i32) -> Option<Arc<str>> {
        let count = self.producer.partition_count(topic);
        let is_beyond = count > 0 && u32::try_from(partition).is_ok_and(|index| index >= count);
        is_beyond.then(|| format!("the topic has {count} partition(s), from 0 on").into())
    }

    fn complaints(&mut self) -> Vec<Complaint> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let complaints = self.producer.complaints();
        complaints.map(|c| Complaint { place: c.place, text: text(c.text) }).collect()
    }

    fn settle_flushes(&mut self, into: &mut Collected) {
        // Marks only grow: those that are reached stand in front.
        let Self { producer, flushes, .. } = self;
        let reached = flushes.iter().take_while(|(flush, _)| producer.is_flushed(*flush)).count();
        into.signals.extend(flushes.drain(..reached).map(|(_, done)| done));
    }

    /// Nothing is left to wait for.
    pub(crate) fn signal_all(&mut self, into: &mut Collected) {
        into.signals.extend(mem::take(&mut self.flushes).into_iter().map(|(_, done)| done));
        into.signals.append(&mut self.closings);
    }
}

impl Collected {
    /// Does what was collected. Not under the lock.
    pub(crate) fn act(&mut self, shared: &Shared) {
        for (cell, records, mut verdict) in self.verdicts.drain(..) {
            let mut earlier = mem::take(&mut verdict.earlier);
            for (records, part) in &mut earlier {
                explain(part, *records, cell.is_some(), shared);
            }
            explain(&mut verdict, records, cell.is_some(), shared);
            let interceptors = &shared.config.interceptors;
            if !interceptors.is_empty() {
                earlier.iter().for_each(|(records, part)| interceptors.settled(part, *records));
                interceptors.settled(&verdict, records);
            }
            verdict.earlier = earlier;
            if let Some(cell) = cell {
                cell.resolve(verdict);
            }
        }
        for (topic, code) in self.topics.drain(..) {
            tracing::warn!(%topic, %code, "the topic cannot be used");
        }
        if let Some(code) = self.fatal.take() {
            tracing::error!(%code, "a fatal answer: the producer can only be closed");
        }
        self.wakers.drain(..).for_each(Waker::wake);
        self.released = None;
        for signal in self.signals.drain(..) {
            // Whoever waited may be gone.
            let _ = signal.send(());
        }
    }
}

/// If records have failed: adds what kept the producer from the cluster, and logs it.
fn explain(verdict: &mut Verdict, records: u32, told: bool, shared: &Shared) {
    if let Outcome::NotWritten(cause) | Outcome::Unknown(cause, _) = verdict.outcome {
        if matches!(cause, Cause::Timeout | Cause::Disconnected) {
            verdict.hint = verdict.hint.take().or_else(|| shared.hint());
        }
        tell_failure(verdict, records, told);
    }
}

/// Logs that records have failed: quietly if somebody was told.
fn tell_failure(verdict: &Verdict, records: u32, told: bool) {
    let Verdict { topic, partition, outcome, .. } = verdict;
    if told {
        tracing::debug!(%topic, partition, records, %outcome, "records failed");
    } else {
        tracing::warn!(%topic, partition, records, %outcome, "records failed that nobody watches");
    }
}
