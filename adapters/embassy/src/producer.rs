//! The producer, as its users hold it.

use core::cell::RefCell;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Context;

use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_time::{Duration, Instant, Timer};
use ottla::memory::Owner;
use ottla::producer::Counters;
use ottla::{Accepted, Record, Refused, Topic};

use crate::delivery::{Delivery, Place};
use crate::events::Events;
use crate::runner::Runner;
use crate::settings::{Error, Settings, StartError};
use crate::state::{Attempt, State, core_time, now};
use crate::waits::Waiting;

/// Longer times overflow where they are converted.
pub(crate) const LONGEST: Duration = Duration::from_secs(u32::MAX as u64);

/// Has the task woken at `deadline`.
pub(crate) fn wake_at(deadline: Instant, cx: &mut Context<'_>) {
    // It is never ready when it is polled first.
    let _ = pin!(Timer::at(deadline)).poll(cx);
}

/// A Kafka producer: all of its memory, to be kept in a `static`. Declared with named sizes by
/// [`producer!`](crate::producer!); `&'static` of it is the handle that tasks share.
///
/// `M` locks it. Wakers are called under the lock: those of a homemade executor must not call
/// the producer.
#[derive(Debug)]
pub struct Producer<M: RawMutex, O, const LINKS: usize, const HOST: usize, const WAITS: usize> {
    state: Mutex<M, RefCell<State<O, LINKS, WAITS>>>,
}

impl<M: RawMutex, O, const LINKS: usize, const HOST: usize, const WAITS: usize>
    Producer<M, O, LINKS, HOST, WAITS>
{
    /// A producer over `owner` that was not started: zero bits, if `owner` is.
    pub const fn new(owner: O) -> Self {
        Self { state: Mutex::new(RefCell::new(State::new(owner))) }
    }

    /// Works on the state. Nothing that is called under the lock comes back here, so the state
    /// is never borrowed twice.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut State<O, LINKS, WAITS>) -> R) -> R {
        self.state.lock(|state| match state.try_borrow_mut() {
            Ok(mut state) => f(&mut state),
            Err(_) => loop {
                core::hint::spin_loop();
            },
        })
    }
}

impl<M: RawMutex, O: Owner, const LINKS: usize, const HOST: usize, const WAITS: usize>
    Producer<M, O, LINKS, HOST, WAITS>
{
    /// Starts the producer, once. What comes back has to be run.
    ///
    /// # Errors
    /// What is wrong with the settings. It was not started and can be, but the slots and names
    /// of what was in order stay taken.
    pub fn start(
        &self,
        settings: &Settings<'_>,
    ) -> Result<Runner<'_, M, O, LINKS, HOST, WAITS>, StartError> {
        // The bound of memory is that of the blocks, which batches fit in anyway.
        if let Some(problem) = settings.config.problems(u64::MAX).next() {
            return Err(StartError::Config(problem));
        }
        if settings.bootstrap.is_empty() {
            return Err(StartError::NoBootstrap);
        }
        self.with(|state| {
            if state.started {
                return Err(StartError::Started);
            }
            if !settings.client_id.is_empty() && !state.producer.set_client_id(settings.client_id) {
                return Err(StartError::ClientId);
            }
            for (index, (host, port)) in settings.bootstrap.iter().enumerate() {
                if !state.producer.bootstrap(host, *port) {
                    return Err(StartError::Bootstrap(index));
                }
            }
            state.producer.start(settings.config, settings.seed);
            state.max_block = settings.max_block;
            state.via = settings.via;
            state.started = true;
            Ok(())
        })?;
        Ok(Runner::new(self))
    }

    /// The topic called `name`. Its metadata is asked for once; whether it exists shows when a
    /// record is produced.
    ///
    /// # Errors
    /// [`Refused::IllegalName`], or a full table.
    pub fn topic(&self, name: &str) -> Result<Topic, Refused> {
        self.declare_topic(name, 0)
    }

    /// As [`Producer::topic`], of a topic that is known to have `partitions` partitions: records
    /// are accepted before any broker was reached.
    ///
    /// # Errors
    /// As [`Producer::topic`].
    pub fn declare_topic(&self, name: &str, partitions: u32) -> Result<Topic, Refused> {
        self.with(|state| {
            let topic = state.producer.declare_topic(name, partitions)?;
            state.stir();
            Ok(topic)
        })
    }

    /// Tells the time of day, in milliseconds since 1970: records without a timestamp of their
    /// own get it from here on. Before that, `config.unknown_time` decides.
    ///
    /// False, and nothing changes, for a time before 2020, or before
    /// [`UnknownTime::Floor`](ottla::config::UnknownTime::Floor): a clock that was not set.
    pub fn set_wall_clock(&self, unix_millis: u64) -> bool {
        self.with(|state| {
            let told = state.producer.set_wall_clock(now(), unix_millis);
            state.stir();
            told
        })
    }

    /// Has a record accepted without waiting. Its outcome comes by [`Events`], or nobody wants
    /// it. It is refused while others wait for what it needs, too.
    ///
    /// # Errors
    /// Why it was not accepted; nothing was queued.
    pub fn try_produce(&self, topic: Topic, record: &Record<'_>) -> Result<Accepted, Refused> {
        self.with(|state| state.offer(None, topic, record))
    }

    /// Has a record accepted; waits while there is no room, or the topic or the time of day is not
    /// known, in the order of the calls. Its outcome comes by [`Events`], or nobody wants it.
    ///
    /// Cancel safe: dropped before it is ready, it has queued nothing.
    ///
    /// # Errors
    /// Why it was not accepted; nothing was queued.
    pub async fn produce(&self, topic: Topic, record: &Record<'_>) -> Result<Accepted, Error> {
        let mut place = Place::new(self);
        self.admit(&mut place, topic, record).await
    }

    /// As [`Producer::produce`], and returns a future of the outcome. It keeps a place in the
    /// table `waits` from here on until it is dropped.
    ///
    /// # Errors
    /// As [`Producer::produce`].
    pub async fn send(
        &self,
        topic: Topic,
        record: &Record<'_>,
    ) -> Result<Delivery<'_, M, O, LINKS, HOST, WAITS>, Error> {
        let mut place = Place::new(self);
        if !self.with(|state| state.waits.take(&mut place.index, Waiting::Reserved)) {
            return Err(Error::Waits);
        }
        let accepted = self.admit(&mut place, topic, record).await?;
        Ok(Delivery { place, accepted })
    }

    /// Waits for a record to be accepted. Its place outlives this: it is kept for the outcome, or
    /// given back when the caller is done.
    fn admit<'b>(
        &'b self,
        place: &'b mut Place<'_, M, O, LINKS, HOST, WAITS>,
        topic: Topic,
        record: &'b Record<'_>,
    ) -> impl Future<Output = Result<Accepted, Error>> {
        let mut attempt = Attempt::new(place.index);
        poll_fn(move |cx| {
            let index = &mut place.index;
            let result =
                self.with(|state| state.admit(&mut attempt, index, topic, record, cx.waker()));
            if result.is_pending() {
                wake_at(attempt.deadline, cx);
            }
            result
        })
    }

    /// Sends what there is without waiting for more (`linger`), and waits until every record
    /// accepted before this call has its outcome. Dropped, it undoes nothing.
    ///
    /// # Errors
    /// [`Error::Waits`]: what there is goes out all the same, but nothing waits for it.
    pub async fn flush(&self) -> Result<(), Error> {
        let (mut place, mut flush) = (Place::new(self), None);
        poll_fn(|cx| {
            self.with(|state| {
                let flush = *flush.get_or_insert_with(|| state.flush());
                let over = state.producer.is_flushed(flush);
                state.wait(over, &mut place.index, Waiting::Flush(flush), cx.waker())
            })
        })
        .await
    }

    /// Accepts no more records, sends those that it has, and ends: when all have their outcome,
    /// or `timeout` has passed, when those without one get theirs, even if nobody runs the
    /// [`Runner`]. [`Runner::run`] ends then, too.
    ///
    /// Dropped, it closes all the same.
    ///
    /// # Errors
    /// [`Error::Waits`]: it closes, but nothing waits for it.
    pub async fn close(&self, timeout: Duration) -> Result<(), Error> {
        let mut place = Place::new(self);
        let mut deadline = None;
        poll_fn(|cx| {
            let result = self.with(|state| {
                let time = Instant::now();
                let deadline = *deadline.get_or_insert_with(|| {
                    let deadline = time.saturating_add(timeout.min(LONGEST));
                    state.producer.close(now(), core_time(deadline));
                    state.stir();
                    deadline
                });
                let over = time >= deadline;
                if over {
                    // Nobody may run the runner.
                    state.turn(None);
                    state.poke();
                }
                state.wait(over, &mut place.index, Waiting::Close, cx.waker())
            });
            if result.is_pending()
                && let Some(deadline) = deadline
            {
                wake_at(deadline, cx);
            }
            result
        })
        .await
    }

    /// Takes events from now on, until what is returned is dropped. While nobody takes them, the
    /// runner does, and logs failures. Of several, each event goes to one.
    ///
    /// A batch keeps its slot until its event was taken, so whoever takes events has to keep up:
    /// with every slot taken no record is accepted any more.
    pub fn events(&self) -> Events<'_, M, O, LINKS, HOST, WAITS> {
        self.with(|state| state.listeners = state.listeners.saturating_add(1));
        Events { producer: self }
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.with(|state| state.producer.counters())
    }
}
