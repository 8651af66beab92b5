//! Devices that sleep: wake up, deliver within a budget, and go to sleep again.

use core::fmt;
use core::future::poll_fn;
use core::task::Poll;

use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_time::{Duration, Instant, with_deadline};
use ottla::memory::Owner;

use crate::delivery::Place;
use crate::producer::{LONGEST, Producer};
use crate::settings::Error;
use crate::state::{State, now};
use crate::waits::Waiting;

/// How long [`Producer::wake`] waits in the end until links have said goodbye.
const FAREWELL: Duration = Duration::from_secs(2);

/// What one wake-up may cost.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Budget {
    /// Connections that are tried, those to other brokers included.
    pub attempts: u32,
    /// Time in all.
    pub time: Duration,
    /// Bytes of the Kafka protocol, in both directions. What stands in a socket's buffers when
    /// they are used up comes on top.
    pub bytes: u64,
}

/// What a budget was spent by.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Spent {
    /// One more connection would have been needed.
    Attempts,
    /// Time.
    Time,
    /// Bytes.
    Bytes,
    /// Nothing was tried, for lack of a place in the table `waits`.
    Waits,
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Attempts => "the attempts are used up",
            Self::Time => "the time is used up",
            Self::Bytes => "the bytes are used up",
            Self::Waits => "too many tasks wait: see the size waits",
        })
    }
}

impl core::error::Error for Spent {}

/// A budget, as the counts at which it is spent.
#[derive(Debug)]
pub(crate) struct Limit {
    connections: u64,
    bytes: u64,
    is_spent: bool,
    by: Spent,
}

impl Limit {
    /// Zero bits.
    pub(crate) const NONE: Self =
        Self { connections: 0, bytes: 0, is_spent: false, by: Spent::Attempts };
}

impl<O: Owner, const LINKS: usize, const WAITS: usize> State<O, LINKS, WAITS> {
    fn bytes(&self) -> u64 {
        let counters = self.producer.counters();
        counters.sent.total().wrapping_add(counters.received.total())
    }

    /// Stops if the budget is spent.
    fn check_budget(&mut self) {
        let by = if self.producer.counters().connections > self.limit.connections {
            Spent::Attempts
        } else if self.bytes() >= self.limit.bytes {
            Spent::Bytes
        } else {
            return;
        };
        self.limit.is_spent = true;
        self.limit.by = by;
        self.sleep();
        self.link_actions();
    }

    fn sleep(&mut self) {
        self.check = None;
        self.producer.pause(now());
        self.stir();
    }
}

/// Whoever drops this goes to sleep.
struct Awake<'a, M: RawMutex, O: Owner, const LINKS: usize, const HOST: usize, const WAITS: usize>(
    &'a Producer<M, O, LINKS, HOST, WAITS>,
);

impl<M: RawMutex, O: Owner, const LINKS: usize, const HOST: usize, const WAITS: usize> Drop
    for Awake<'_, M, O, LINKS, HOST, WAITS>
{
    fn drop(&mut self) {
        self.0.pause();
    }
}

impl<M: RawMutex, O: Owner, const LINKS: usize, const HOST: usize, const WAITS: usize>
    Producer<M, O, LINKS, HOST, WAITS>
{
    /// Closes every connection and makes none, until [`Producer::resume`], [`Producer::wake`] or
    /// [`Producer::close`]: for a device that sleeps, or whose radio is off. Nothing is woken
    /// meanwhile. Records are accepted and kept.
    ///
    /// Batches that are older than `delivery_timeout` get their outcome when it goes on, so that
    /// has to be longer than the device sleeps.
    pub fn pause(&self) {
        self.with(State::sleep);
    }

    /// Goes on after [`Producer::pause`].
    pub fn resume(&self) {
        self.with(|state| {
            state.producer.resume(now());
            state.stir();
        });
    }

    /// Waits until `ready` says something.
    async fn wait<R>(
        &self,
        mut ready: impl FnMut(&mut State<O, LINKS, WAITS>) -> Option<R>,
    ) -> Result<R, Error> {
        let mut place = Place::new(self);
        poll_fn(|cx| {
            self.with(|state| {
                if let Some(result) = ready(state) {
                    return Poll::Ready(Ok(result));
                }
                if !state.waits.take(&mut place.index, Waiting::Anything) {
                    return Poll::Ready(Err(Error::Waits));
                }
                state.waits.register(place.index, cx.waker());
                Poll::Pending
            })
        })
        .await
    }

    /// Delivers what there is within a budget, then pauses. One task at a time calls this.
    ///
    /// When it returns, connections are closed (or two seconds have passed), and nothing is sent
    /// or woken before the next call, or [`Producer::resume`]. Dropped, it pauses at once.
    ///
    /// # Errors
    /// By what the budget was spent. What has no outcome yet is kept.
    pub async fn wake(&self, budget: Budget) -> Result<(), Spent> {
        let deadline = Instant::now().saturating_add(budget.time.min(LONGEST));
        let awake = Awake(self);
        let flush = self.with(|state| {
            let connections = state.producer.counters().connections;
            state.limit = Limit {
                connections: connections.saturating_add(u64::from(budget.attempts)),
                bytes: state.bytes().saturating_add(budget.bytes),
                ..Limit::NONE
            };
            state.check = Some(State::check_budget);
            state.producer.resume(now());
            state.flush()
        });
        let delivered = self.wait(|state| {
            if state.producer.is_flushed(flush) || state.producer.is_closed() {
                return Some(Ok(()));
            }
            state.limit.is_spent.then_some(Err(state.limit.by))
        });
        let result = match with_deadline(deadline, delivered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Spent::Waits),
            Err(_) => Err(Spent::Time),
        };
        drop(awake);
        let at_rest = |state: &mut State<O, LINKS, WAITS>| state.is_at_rest().then_some(());
        let deadline = Instant::now().saturating_add(FAREWELL);
        let _: Result<Result<(), Error>, _> = with_deadline(deadline, self.wait(at_rest)).await;
        result
    }
}
