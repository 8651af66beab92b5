//! Who waits to have a record accepted, in the order in which they came.
//!
//! ```text
//!                topic not known                     topic known, or failed
//!   new send ──────────────────────► parked at it ────────────────────────┐
//!      │ memory full, or others wait                                      ▼
//!      └────────────────────────────────────────────────────► in line, by ticket
//!                                                                         │ first in line
//!                                                             tries again ┘
//! ```
//!
//! Only the first in line tries, so that small records do not starve a large one; when it is
//! done, it wakes the next. A send that finds nobody waiting never comes here.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ottla::{Instant, Refused, Topic};

use crate::clock::span;
use crate::shared::{Core, Shared};

#[derive(Debug)]
struct Entry {
    deadline: Instant,
    waker: Waker,
    parked: Option<Topic>,
}

/// The queue. Tickets and deadlines have the same order, as all wait equally long.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    next_ticket: u64,
    entries: BTreeMap<u64, Entry>,
    line: BTreeSet<u64>,
    parked: HashMap<Topic, BTreeSet<u64>>,
}

impl Waiters {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What a new send to `topic` has to wait for before it may try, if anything.
    pub(crate) fn ahead_of(&self, topic: Topic) -> Option<Refused> {
        if self.entries.is_empty() {
            None
        } else if self.await_topic(topic) {
            Some(Refused::TopicUnknown)
        } else if self.line.is_empty() {
            None
        } else {
            Some(Refused::Full(ottla::error::Full::Memory))
        }
    }

    /// Whether anybody waits for `topic` to be known.
    pub(crate) fn await_topic(&self, topic: Topic) -> bool {
        self.parked.contains_key(&topic)
    }

    fn is_first(&self, ticket: u64) -> bool {
        self.line.first() == Some(&ticket)
    }

    /// The first in line, to be woken when there may be room.
    pub(crate) fn first(&self) -> Option<Waker> {
        let ticket = self.line.first()?;
        self.entries.get(ticket).map(|entry| entry.waker.clone())
    }

    /// When the next waiter has waited long enough.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.entries.first_key_value().map(|(_, entry)| entry.deadline)
    }

    fn enter(&mut self, ticket: u64, entry: Entry) {
        match entry.parked {
            Some(topic) => self.parked.entry(topic).or_default().insert(ticket),
            None => self.line.insert(ticket),
        };
        self.entries.insert(ticket, entry);
    }

    fn take(&mut self, ticket: u64) -> Option<Entry> {
        let entry = self.entries.remove(&ticket)?;
        match entry.parked {
            None => {
                self.line.remove(&ticket);
            }
            Some(topic) => {
                if let Some(tickets) = self.parked.get_mut(&topic) {
                    tickets.remove(&ticket);
                    if tickets.is_empty() {
                        self.parked.remove(&topic);
                    }
                }
            }
        }
        Some(entry)
    }

    /// Ends the wait of `ticket`. If it was the first in line, the next one is to be woken.
    fn leave(&mut self, ticket: u64) -> After {
        let first = self.is_first(ticket);
        let done = self.take(ticket).map(|entry| entry.waker);
        After { wake: if first { self.first() } else { None }, done }
    }

    /// A topic is known, or failed: who waits for it gets in line.
    pub(crate) fn unpark(&mut self, topic: Topic) {
        for ticket in self.parked.remove(&topic).unwrap_or_default() {
            if let Some(entry) = self.entries.get_mut(&ticket) {
                entry.parked = None;
                self.line.insert(ticket);
            }
        }
    }

    /// Ends the wait of all whose time is over. They hold up nobody, even if they are never
    /// polled again.
    pub(crate) fn expire(&mut self, now: Instant, wakers: &mut Vec<Waker>) {
        while let Some((ticket, entry)) = self.entries.first_key_value()
            && entry.deadline <= now
        {
            let After { wake, done } = self.leave(*ticket);
            wakers.extend(wake.into_iter().chain(done));
        }
    }

    /// Ends all waits: nothing that they wait for will come.
    pub(crate) fn dismiss(&mut self, wakers: &mut Vec<Waker>) {
        self.line.clear();
        self.parked.clear();
        wakers.extend(mem::take(&mut self.entries).into_values().map(|entry| entry.waker));
    }
}

/// What to do with wakers once the lock is given back: whatever is behind them may be run, and
/// even ended, by waking or dropping them.
#[derive(Default)]
pub(crate) struct After {
    pub(crate) wake: Option<Waker>,
    pub(crate) done: Option<Waker>,
}

/// Whether time may help.
pub(crate) const fn may_pass(refused: Refused) -> bool {
    matches!(refused, Refused::Full(_) | Refused::TopicUnknown)
}

/// What was accepted, and whether the I/O task has to be woken for it.
pub(crate) struct Admitted<T> {
    pub(crate) value: T,
    pub(crate) wake: bool,
}

/// A call that waits until records are accepted. Dropped, it leaves the queue.
pub(crate) struct Admission<'s> {
    shared: &'s Shared,
    /// There once it has to wait.
    ticket: Option<Ticket>,
}

#[derive(Copy, Clone)]
struct Ticket {
    number: u64,
    deadline: Instant,
    /// What it waits for.
    why: Refused,
}

impl<'s> Admission<'s> {
    pub(crate) const fn new(shared: &'s Shared) -> Self {
        Self { shared, ticket: None }
    }

    /// Tries to have a record for `topic` accepted by `attempt`, in turn, within `max.block.ms`.
    /// The error comes with how long it waited, if time could have helped.
    pub(crate) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        topic: Topic,
        attempt: impl FnOnce(&mut Core, Instant) -> Result<Admitted<T>, Refused>,
    ) -> Poll<Result<T, (Refused, Option<Duration>)>> {
        let shared = self.shared;
        let max_block = shared.config.max_block;
        let (now, mut core) = shared.enter();
        let held_up = match self.ticket {
            None => core.waiters.ahead_of(topic),
            Some(Ticket { number, deadline, why }) => {
                // Without an entry it was dismissed, or its time is over.
                let waits = match core.waiters.entries.contains_key(&number) {
                    true => !core.waiters.is_first(number),
                    false => deadline <= now,
                };
                waits.then_some(why)
            }
        };
        let tell = held_up.is_none() || self.ticket.is_none();
        let refused = match held_up {
            Some(refused) => refused,
            None => match attempt(&mut core, now) {
                Ok(Admitted { value, wake }) => {
                    let after = self.leave(&mut core);
                    drop(core);
                    shared.tell(wake, after);
                    return Poll::Ready(Ok(value));
                }
                Err(refused) => refused,
            },
        };
        let deadline = self.ticket.map_or(now.after(span(max_block)), |ticket| ticket.deadline);
        let over = !may_pass(refused) || deadline <= now;
        let after = if over {
            self.leave(&mut core)
        } else {
            self.wait(&mut core, cx, deadline, topic, (refused, held_up.is_some()))
        };
        drop(core);
        // The machine may have something to do for what it lacked: memory, a topic.
        shared.tell(tell, after);
        if over {
            Poll::Ready(Err((refused, may_pass(refused).then_some(max_block))))
        } else {
            Poll::Pending
        }
    }

    /// Queues, or stays queued.
    fn wait(
        &mut self,
        core: &mut Core,
        cx: &Context<'_>,
        deadline: Instant,
        topic: Topic,
        (why, held_up): (Refused, bool),
    ) -> After {
        let waiters = &mut core.waiters;
        let number = self.ticket.map_or(waiters.next_ticket, |ticket| ticket.number);
        waiters.next_ticket = waiters.next_ticket.max(number + 1);
        self.ticket = Some(Ticket { number, deadline, why });
        let parked = (why == Refused::TopicUnknown).then_some(topic);
        if let Some(entry) = waiters.entries.get_mut(&number)
            && (held_up || entry.parked == parked)
        {
            let moved = !entry.waker.will_wake(cx.waker());
            let done = moved.then(|| mem::replace(&mut entry.waker, cx.waker().clone()));
            return After { wake: None, done };
        }
        let after = waiters.leave(number);
        waiters.enter(number, Entry { deadline, waker: cx.waker().clone(), parked });
        after
    }

    fn leave(&mut self, core: &mut Core) -> After {
        let ticket = self.ticket.take();
        ticket.map(|ticket| core.waiters.leave(ticket.number)).unwrap_or_default()
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        if self.ticket.is_some() {
            let after = self.leave(&mut self.shared.lock());
            self.shared.tell(false, after);
        }
    }
}
