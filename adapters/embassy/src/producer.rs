//! The producer, as its users hold it.

use core::cell::RefCell;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll};

use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_time::{Duration, with_timeout};
use ottla::config::Problem;
use ottla::error::Full;
use ottla::memory::Owner;
use ottla::producer::Counters;
use ottla::{Accepted, Event, Outcome, Record, Refused, Topic};

use crate::runner::Runner;
use crate::state::{State, now};
use crate::transport::Target;
use crate::waits::Waiting;

/// Where a broker is really reached: for one endpoint in front of all brokers, or a network that
/// translates addresses.
pub type Via = for<'a> fn(Target<'a>) -> Target<'a>;

/// What a producer is told at its start.
#[derive(Copy, Clone, Debug)]
pub struct Settings<'a> {
    /// The protocol's settings. A batch is never larger than a block, whatever `batch_size` says.
    pub config: ottla::Config,
    /// `client.id`: brokers log it and apply quotas by it. Takes room among the names.
    pub client_id: &'a str,
    /// Addresses to begin with. Each takes a broker's slot.
    pub bootstrap: &'a [(&'a str, u16)],
    /// How long [`Producer::produce`] waits for room, or for a topic to be known.
    pub max_block: Duration,
    /// Where brokers are reached, if not at the addresses that they advertise.
    pub via: Option<Via>,
    /// Source of all randomness; different at every start of every device.
    pub seed: u64,
}

/// Why a producer does not start.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum StartError {
    /// A fault of the settings: the first; [`ottla::Config::problems`] tells all.
    Config(Problem),
    /// No address to begin with.
    NoBootstrap,
    /// This address is too long for the memory of a host name, or finds no broker's slot.
    Bootstrap(usize),
    /// The client id is longer than 255 bytes, or than the memory for names.
    ClientId,
    /// It was started before.
    Started,
}

/// Why a record was not accepted.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error {
    /// The core refused it.
    Refused(Refused),
    /// It waited for `max_block`, and this was in its way to the end.
    Waited(Refused),
    /// Too many tasks wait: the table `waits` is full.
    Waits,
}

/// A Kafka producer: all of its memory, to be kept in a `static`. Declared with named sizes by
/// [`producer!`](crate::producer!); `&'static` of it is the handle that tasks share.
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
    /// What is wrong with the settings; nothing was started.
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
            state.poke();
            Ok(topic)
        })
    }

    /// Tells the time of day, in milliseconds since 1970: records without a timestamp of their
    /// own get it from here on.
    pub fn set_wall_clock(&self, unix_millis: u64) {
        self.with(|state| {
            state.producer.set_wall_clock(now(), unix_millis);
            state.poke();
        });
    }

    /// Has a record accepted without waiting. Its outcome comes by [`Events`], or nobody wants
    /// it.
    ///
    /// # Errors
    /// Why it was not accepted; nothing was queued.
    pub fn try_produce(&self, topic: Topic, record: &Record<'_>) -> Result<Accepted, Refused> {
        self.with(|state| {
            if state.waits.is_behind(None, topic) {
                return Err(Refused::Full(Full::Memory));
            }
            state.accept(topic, record)
        })
    }

    /// Has a record accepted; waits while there is no room, or the topic is not known, in the
    /// order of the calls. Its outcome comes by [`Events`], or nobody wants it.
    ///
    /// Cancel safe: dropped before it is ready, it has queued nothing.
    ///
    /// # Errors
    /// Why it was not accepted; nothing was queued.
    pub async fn produce(&self, topic: Topic, record: &Record<'_>) -> Result<Accepted, Error> {
        let mut place = None;
        self.admit(&mut place, topic, record).await
    }

    /// As [`Producer::produce`], and returns a future of the outcome. It keeps a place in the
    /// table `waits` until it is dropped.
    ///
    /// # Errors
    /// As [`Producer::produce`].
    pub async fn send(
        &self,
        topic: Topic,
        record: &Record<'_>,
    ) -> Result<Delivery<'_, M, O, LINKS, HOST, WAITS>, Error> {
        let mut place = Some(self.place(Waiting::Reserved).ok_or(Error::Waits)?);
        let accepted = self.admit(&mut place, topic, record).await?;
        let place = place.ok_or(Error::Waits)?;
        Ok(Delivery { place, accepted })
    }

    async fn admit<'a>(
        &'a self,
        place: &mut Option<Place<'a, M, O, LINKS, HOST, WAITS>>,
        topic: Topic,
        record: &Record<'_>,
    ) -> Result<Accepted, Error> {
        let mut last = Refused::Full(Full::Memory);
        let tracked = place.is_some();
        let mut turn = None;
        let attempt = poll_fn(|cx| {
            self.with(|state| {
                let result = if state.waits.is_behind(turn, topic) {
                    Err(last)
                } else {
                    state.accept(topic, record)
                };
                let refused = match result {
                    Ok(accepted) => {
                        if let Some(place) = place {
                            let waiting = if tracked {
                                Waiting::Outcome(accepted.batch)
                            } else {
                                Waiting::Reserved
                            };
                            state.waits.set(place.index, waiting);
                        }
                        return Poll::Ready(Ok(accepted));
                    }
                    Err(refused) => refused,
                };
                let waits_for = |turn| match refused {
                    Refused::Full(Full::Memory | Full::Batches) => Some(Waiting::Room(turn)),
                    Refused::TopicUnknown => Some(Waiting::Topic(turn, topic)),
                    _ => None,
                };
                let mine = match turn {
                    Some(mine) => mine,
                    None => *turn.insert(state.waits.next_turn()),
                };
                let Some(waiting) = waits_for(mine) else {
                    return Poll::Ready(Err(Error::Refused(refused)));
                };
                last = refused;
                match place {
                    Some(place) => state.waits.set(place.index, waiting),
                    None => match state.waits.take(waiting) {
                        Some(index) => *place = Some(Place { producer: self, index }),
                        None => return Poll::Ready(Err(Error::Waits)),
                    },
                }
                if let Some(place) = place {
                    state.waits.register(place.index, cx.waker());
                }
                // The core may have something to do for what it lacked.
                state.poke();
                Poll::Pending
            })
        });
        let max_block = self.with(|state| state.max_block);
        match with_timeout(max_block, attempt).await {
            Ok(result) => result,
            Err(_) => Err(Error::Waited(last)),
        }
    }

    /// Takes a place in the table of those who wait.
    fn place(&self, waiting: Waiting) -> Option<Place<'_, M, O, LINKS, HOST, WAITS>> {
        let index = self.with(|state| state.waits.take(waiting))?;
        Some(Place { producer: self, index })
    }

    /// Sends what there is without waiting for more (`linger`), and waits until every record
    /// accepted before this call has its outcome. Dropped, it undoes nothing.
    ///
    /// # Errors
    /// [`Error::Waits`]: what there is goes out all the same, but nothing waits for it.
    pub async fn flush(&self) -> Result<(), Error> {
        let flush = self.with(|state| {
            let flush = state.producer.flush(now());
            state.poke();
            flush
        });
        self.wait(Waiting::Flush(flush), |state| {
            let done = state.producer.is_flushed(flush) || state.producer.is_closed();
            done.then_some(())
        })
        .await
    }

    /// Accepts no more records, sends those that it has, and ends: when all have their outcome,
    /// or `timeout` has passed, when those without one get theirs.
    /// [`Runner::run`](crate::Runner::run) ends then, too.
    ///
    /// Dropped, it closes all the same.
    ///
    /// # Errors
    /// [`Error::Waits`]: it closes, but nothing waits for it.
    pub async fn close(&self, timeout: Duration) -> Result<(), Error> {
        self.with(|state| {
            let now = now();
            let deadline = now.after(ottla::Duration::from_micros(timeout.as_micros()));
            state.producer.close(now, deadline);
            state.poke();
        });
        self.wait(Waiting::Close, |state| state.producer.is_closed().then_some(())).await
    }

    async fn wait<R>(
        &self,
        waiting: Waiting,
        mut ready: impl FnMut(&mut State<O, LINKS, WAITS>) -> Option<R>,
    ) -> Result<R, Error> {
        let place = self.place(waiting).ok_or(Error::Waits)?;
        let result = poll_fn(|cx| {
            self.with(|state| match ready(state) {
                Some(result) => Poll::Ready(result),
                None => {
                    state.waits.register(place.index, cx.waker());
                    Poll::Pending
                }
            })
        });
        Ok(result.await)
    }

    /// Takes events from now on, until what is returned is dropped. While nobody takes them, the
    /// runner does, and logs failures.
    ///
    /// A batch keeps its slot until its event was taken, so whoever takes events has to keep up.
    pub fn events(&self) -> Events<'_, M, O, LINKS, HOST, WAITS> {
        self.with(|state| state.listening = true);
        Events { producer: self }
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.with(|state| state.producer.counters())
    }
}

impl<O: Owner, const LINKS: usize, const WAITS: usize> State<O, LINKS, WAITS> {
    fn accept(&mut self, topic: Topic, record: &Record<'_>) -> Result<Accepted, Refused> {
        let accepted = self.producer.produce(now(), topic, record)?;
        if accepted.wake {
            self.poke();
        }
        Ok(accepted)
    }
}

/// A place in the table of those who wait.
#[derive(Debug)]
struct Place<'a, M: RawMutex, O: Owner, const LINKS: usize, const HOST: usize, const WAITS: usize> {
    producer: &'a Producer<M, O, LINKS, HOST, WAITS>,
    index: usize,
}

impl<M: RawMutex, O: Owner, const LINKS: usize, const HOST: usize, const WAITS: usize> Drop
    for Place<'_, M, O, LINKS, HOST, WAITS>
{
    fn drop(&mut self) {
        self.producer.with(|state| {
            let waited =
                matches!(state.waits.get(self.index), Waiting::Room(_) | Waiting::Topic(..));
            state.waits.set(self.index, Waiting::Nothing);
            if waited {
                // Whoever stands behind it is next.
                state.poke();
            }
        });
    }
}

/// A future of a record's outcome.
#[derive(Debug)]
#[must_use = "a delivery that is dropped changes nothing for its record"]
pub struct Delivery<
    'a,
    M: RawMutex,
    O: Owner,
    const LINKS: usize,
    const HOST: usize,
    const WAITS: usize,
> {
    place: Place<'a, M, O, LINKS, HOST, WAITS>,
    accepted: Accepted,
}

impl<M: RawMutex, O: Owner, const LINKS: usize, const HOST: usize, const WAITS: usize>
    Delivery<'_, M, O, LINKS, HOST, WAITS>
{
    /// Where the record was put.
    #[must_use]
    pub const fn accepted(&self) -> Accepted {
        self.accepted
    }
}

impl<M: RawMutex, O: Owner, const LINKS: usize, const HOST: usize, const WAITS: usize> Future
    for Delivery<'_, M, O, LINKS, HOST, WAITS>
{
    type Output = Outcome;

    /// The outcome; of a written record with its own offset.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let Place { producer, index } = self.place;
        let told = producer.with(|state| match state.waits.get(index) {
            Waiting::Told(outcome) => Some(outcome),
            Waiting::Outcome(batch) => {
                let outcome = state.producer.outcome(batch);
                if outcome.is_none() {
                    state.waits.register(index, cx.waker());
                }
                outcome
            }
            _ => None,
        });
        match told {
            None => Poll::Pending,
            Some(Outcome::Written { base_offset, append_time }) if base_offset >= 0 => {
                let base_offset = base_offset.saturating_add(i64::from(self.accepted.place));
                Poll::Ready(Outcome::Written { base_offset, append_time })
            }
            Some(outcome) => Poll::Ready(outcome),
        }
    }
}

/// Takes events; see [`Producer::events`].
#[derive(Debug)]
pub struct Events<
    'a,
    M: RawMutex,
    O: Owner,
    const LINKS: usize,
    const HOST: usize,
    const WAITS: usize,
> {
    producer: &'a Producer<M, O, LINKS, HOST, WAITS>,
}

impl<M: RawMutex, O: Owner, const LINKS: usize, const HOST: usize, const WAITS: usize>
    Events<'_, M, O, LINKS, HOST, WAITS>
{
    /// The next event, if there is one.
    pub fn try_next(&mut self) -> Option<Event> {
        self.producer.with(State::take_event)
    }

    /// Waits for the next event. Cancel safe.
    ///
    /// # Errors
    /// [`Error::Waits`]: there is no place to wait.
    pub async fn next(&mut self) -> Result<Event, Error> {
        self.producer.wait(Waiting::Event, State::take_event).await
    }
}

impl<M: RawMutex, O: Owner, const LINKS: usize, const HOST: usize, const WAITS: usize> Drop
    for Events<'_, M, O, LINKS, HOST, WAITS>
{
    fn drop(&mut self) {
        self.producer.with(|state| {
            state.listening = false;
            state.poke();
        });
    }
}
