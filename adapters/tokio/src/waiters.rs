//! Who waits to have a record accepted, in the order in which they came.
//!
//! ```text
//!                topic not known                     topic known, or failed
//!   new send ──────────────────────► parked at it ────────────────────────┐
//!      │ topic has no such partition                 it has one now       │
//!      ├───────────────────────────► parked there ────────────────────────┤
//!      │ memory full, or others wait                                      ▼
//!      └────────────────────────────────────────────────────► in line, by ticket
//!                                                                         │ first in line
//!                                                             tries again ┘
//! ```
//!
//! Only the first in line tries, so that small records do not starve a large one; when it is
//! done, it wakes the next. A send that finds nobody waiting never comes here.
//!
//! Nothing tells that a topic has more partitions than before but metadata, which nobody else may
//! need. So the first of those parked at a partition tries again now and then: the core refuses
//! it, and asks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ottla::error::Full;
use ottla::{Instant, Refused, Topic};

use crate::clock::{span, std_span};
use crate::shared::{Core, Shared};

/// Where a record goes.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Goal {
    pub(crate) topic: Topic,
    /// If the caller chose it.
    pub(crate) partition: Option<i32>,
}

impl Goal {
    const fn any_of(topic: Topic) -> Self {
        Self { topic, partition: None }
    }

    /// Whether a record may go there, among `count` partitions; of none at all nothing is known.
    pub(crate) fn is_among(self, count: u32) -> bool {
        let below = |index: i32| u32::try_from(index).is_ok_and(|index| index < count);
        count == 0 || self.partition.is_none_or(below)
    }
}

#[derive(Debug)]
struct Entry {
    deadline: Instant,
    waker: Waker,
    /// At a topic that is not known, or at a partition that is not there.
    parked: Option<Goal>,
    /// Bytes that its record takes, about.
    need: u64,
}

/// When those parked at partitions try again.
#[derive(Copy, Clone, Debug)]
struct Look {
    at: Instant,
    pause: ottla::Duration,
}

/// The least pause between two looks, whatever `retry.backoff.ms` is.
const LOOK_LEAST: ottla::Duration = ottla::Duration::from_millis(10);

/// So many times what those in line need is room for others, too: buffers have sizes of their own.
const AMPLE: u64 = 8;

/// The queue. Tickets and deadlines have the same order, as all wait equally long.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    next_ticket: u64,
    entries: BTreeMap<u64, Entry>,
    line: BTreeSet<u64>,
    /// Bytes that those in line need.
    needed: u64,
    parked: HashMap<Goal, BTreeSet<u64>>,
    /// There while anybody is parked at a partition.
    look: Option<Look>,
}

impl Waiters {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Those that wait for memory, or behind one that does.
    pub(crate) fn in_line(&self) -> usize {
        self.line.len()
    }

    /// What a new send to `goal` has to wait for before it may try, if anything.
    pub(crate) fn ahead_of(&self, goal: Goal) -> Option<Refused> {
        if self.entries.is_empty() {
            None
        } else if let Some(refused) = self.awaited(goal) {
            Some(refused)
        } else if self.line.is_empty() {
            None
        } else {
            Some(Refused::Full(Full::Memory))
        }
    }

    /// Why others who are bound for `goal` are parked, if any are.
    pub(crate) fn awaited(&self, goal: Goal) -> Option<Refused> {
        if self.parked.is_empty() {
            None
        } else if self.parked.contains_key(&Goal::any_of(goal.topic)) {
            Some(Refused::TopicUnknown)
        } else {
            self.parked.contains_key(&goal).then_some(Refused::PartitionUnknown)
        }
    }

    /// Whether `ticket` may try: it is the first in line, or at its partition.
    fn may_try(&self, ticket: u64) -> bool {
        let parked = self.entries.get(&ticket).and_then(|entry| entry.parked);
        match parked {
            None => self.is_first(ticket),
            Some(goal) => {
                let tickets = self.parked.get(&goal);
                goal.partition.is_some() && tickets.is_some_and(|t| t.first() == Some(&ticket))
            }
        }
    }

    fn is_first(&self, ticket: u64) -> bool {
        self.line.first() == Some(&ticket)
    }

    /// The first in line, to be woken when there may be room.
    pub(crate) fn first(&self) -> Option<Waker> {
        let ticket = self.line.first()?;
        self.entries.get(ticket).map(|entry| entry.waker.clone())
    }

    /// When the next waiter has waited long enough, or is to try again.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let deadline = self.entries.first_key_value().map(|(_, entry)| entry.deadline);
        deadline.into_iter().chain(self.look.map(|look| look.at)).min()
    }

    /// Wakes those who are to look whether their partition is there by now, with pauses that
    /// double up to `longest`.
    pub(crate) fn look(&mut self, now: Instant, longest: ottla::Duration, wakers: &mut Vec<Waker>) {
        let Some(Look { at, pause }) = self.look else { return };
        if at > now {
            return;
        }
        let before = wakers.len();
        let at_partitions = self.parked.iter().filter(|(goal, _)| goal.partition.is_some());
        let firsts = at_partitions.filter_map(|(_, tickets)| self.entries.get(tickets.first()?));
        wakers.extend(firsts.map(|entry| entry.waker.clone()));
        let pause = pause.plus(pause).min(longest).max(LOOK_LEAST);
        self.look = (wakers.len() > before).then(|| Look { at: now.after(pause), pause });
    }

    fn enter(&mut self, ticket: u64, entry: Entry) {
        match entry.parked {
            Some(goal) => self.parked.entry(goal).or_default().insert(ticket),
            None => {
                self.needed += entry.need;
                self.line.insert(ticket)
            }
        };
        self.entries.insert(ticket, entry);
    }

    fn take(&mut self, ticket: u64) -> Option<Entry> {
        let entry = self.entries.remove(&ticket)?;
        match entry.parked {
            None => {
                self.needed -= entry.need;
                self.line.remove(&ticket);
            }
            Some(goal) => {
                if let Some(tickets) = self.parked.get_mut(&goal) {
                    tickets.remove(&ticket);
                    if tickets.is_empty() {
                        self.parked.remove(&goal);
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
        self.let_go(Goal::any_of(topic));
    }

    /// Who waits for a partition that is there by now, as `count` tells it of topics, gets in
    /// line.
    pub(crate) fn unpark_known(&mut self, mut count: impl FnMut(Topic) -> u32) {
        if self.look.is_none() {
            return;
        }
        let mut is_there =
            |goal: &Goal| goal.partition.is_some() && goal.is_among(count(goal.topic));
        let there: Vec<Goal> = self.parked.keys().copied().filter(|goal| is_there(goal)).collect();
        there.into_iter().for_each(|goal| self.let_go(goal));
    }

    fn let_go(&mut self, goal: Goal) {
        for ticket in self.parked.remove(&goal).unwrap_or_default() {
            if let Some(entry) = self.entries.get_mut(&ticket) {
                entry.parked = None;
                self.needed += entry.need;
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
        self.needed = 0;
        self.parked.clear();
        self.look = None;
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

impl Core {
    /// What a new send that needs so many bytes has to wait for before it may try, if anything. Those
    /// in line are in nobody's way where there is room for all of them by far: if each new send got in
    /// line behind them, many that send at once would sleep and be woken for each of their records.
    pub(crate) fn held_up(&self, goal: Goal, need: u64) -> Option<Refused> {
        match self.waiters.ahead_of(goal) {
            Some(Refused::Full(Full::Memory)) if self.has_room(need) => None,
            refused => refused,
        }
    }

    fn has_room(&self, need: u64) -> bool {
        let needed = self.waiters.needed.saturating_add(need);
        self.producer.owner().available() >= needed.saturating_mul(AMPLE)
    }

    /// What a waiter bound for `goal` waits for, if it was parked because of `why`: once that is
    /// over, those before it in line are in its way, and they wait for memory.
    fn still(&mut self, why: Refused, goal: Goal) -> Refused {
        let count = self.producer.partition_count(goal.topic);
        match why {
            Refused::TopicUnknown | Refused::PartitionUnknown
                if count > 0 && goal.is_among(count) =>
            {
                Refused::Full(Full::Memory)
            }
            other => other,
        }
    }
}

/// Whether time may help.
fn may_pass(refused: Refused, goal: Goal) -> bool {
    match refused {
        Refused::Full(_) | Refused::TopicUnknown => true,
        // Topics grow, but not below zero.
        Refused::PartitionUnknown => goal.partition.is_some_and(|index| index >= 0),
        _ => false,
    }
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
    since: Instant,
    deadline: Instant,
    /// What it waits for.
    why: Refused,
}

impl<'s> Admission<'s> {
    pub(crate) const fn new(shared: &'s Shared) -> Self {
        Self { shared, ticket: None }
    }

    /// Tries to have a record for `goal` accepted by `attempt`, in turn, within `max.block.ms`.
    /// The error comes with how long it waited, if time could have helped.
    pub(crate) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        (goal, need): (Goal, u64),
        attempt: impl FnOnce(&mut Core, Instant) -> Result<Admitted<T>, Refused>,
    ) -> Poll<Result<T, (Refused, Option<Duration>)>> {
        let last = true;
        self.poll_step(cx, (goal, need), last, attempt)
    }

    /// Waits, likewise, until the number of `topic`'s partitions is known, and keeps the place in
    /// the queue for the record. `ask` is for as long as it is not known.
    pub(crate) fn poll_count(
        &mut self,
        cx: &mut Context<'_>,
        topic: Topic,
        ask: impl FnOnce(&mut Core, Instant) -> Refused,
    ) -> Poll<Result<u32, (Refused, Option<Duration>)>> {
        let last = false;
        self.poll_step(cx, (Goal::any_of(topic), 0), last, |core, now| {
            match core.producer.partition_count(topic) {
                0 => Err(ask(core, now)),
                count => Ok(Admitted { value: count, wake: false }),
            }
        })
    }

    fn poll_step<T>(
        &mut self,
        cx: &mut Context<'_>,
        (goal, need): (Goal, u64),
        last: bool,
        attempt: impl FnOnce(&mut Core, Instant) -> Result<Admitted<T>, Refused>,
    ) -> Poll<Result<T, (Refused, Option<Duration>)>> {
        let shared = self.shared;
        let max_block = shared.config.max_block;
        let (now, mut core) = shared.enter();
        let held_up = match self.ticket {
            None => core.held_up(goal, need),
            Some(Ticket { number, deadline, why, .. }) => {
                // Who is parked at a partition may only ask; if it is there, the line is next.
                core.unpark_known();
                // Without an entry it was dismissed, or its time is over.
                let waits = match core.waiters.entries.contains_key(&number) {
                    true => !core.waiters.may_try(number),
                    false => deadline <= now,
                };
                waits.then(|| core.still(why, goal))
            }
        };
        // Who only gets in line changes nothing that the I/O task has to do.
        let tell = held_up.is_none();
        let refused = match held_up {
            Some(refused) => refused,
            None => match attempt(&mut core, now) {
                Ok(Admitted { value, wake }) => {
                    let after = if last { self.leave(&mut core, now) } else { After::default() };
                    drop(core);
                    shared.tell(wake, after);
                    return Poll::Ready(Ok(value));
                }
                Err(refused) => refused,
            },
        };
        let deadline = self.ticket.map_or(now.after(span(max_block)), |ticket| ticket.deadline);
        let first_pause = shared.config.core.retry_backoff.max(LOOK_LEAST);
        let may_pass = may_pass(refused, goal);
        let over = !may_pass || deadline <= now;
        let after = if over {
            self.leave(&mut core, now)
        } else {
            let look = Look { at: now.after(first_pause), pause: first_pause };
            self.wait(
                &mut core,
                cx,
                (now, deadline),
                (goal, need),
                look,
                (refused, held_up.is_some()),
            )
        };
        drop(core);
        // The machine may have something to do for what it lacked: memory, a topic.
        shared.tell(tell, after);
        if over {
            Poll::Ready(Err((refused, may_pass.then_some(max_block))))
        } else {
            Poll::Pending
        }
    }

    /// Queues, or stays queued.
    fn wait(
        &mut self,
        core: &mut Core,
        cx: &Context<'_>,
        (now, deadline): (Instant, Instant),
        (goal, need): (Goal, u64),
        look: Look,
        (why, held_up): (Refused, bool),
    ) -> After {
        let waiters = &mut core.waiters;
        let number = self.ticket.map_or(waiters.next_ticket, |ticket| ticket.number);
        waiters.next_ticket = waiters.next_ticket.max(number + 1);
        let since = self.ticket.map_or(now, |ticket| ticket.since);
        self.ticket = Some(Ticket { number, since, deadline, why });
        let parked = match why {
            Refused::TopicUnknown => Some(Goal::any_of(goal.topic)),
            Refused::PartitionUnknown => Some(goal),
            _ => None,
        };
        if let Some(entry) = waiters.entries.get_mut(&number)
            && (held_up || entry.parked == parked)
        {
            let moved = !entry.waker.will_wake(cx.waker());
            let done = moved.then(|| mem::replace(&mut entry.waker, cx.waker().clone()));
            return After { wake: None, done };
        }
        let after = waiters.leave(number);
        if why == Refused::PartitionUnknown {
            waiters.look = Some(look);
        }
        waiters.enter(number, Entry { deadline, waker: cx.waker().clone(), parked, need });
        after
    }

    fn leave(&mut self, core: &mut Core, now: Instant) -> After {
        let Some(Ticket { number, since, .. }) = self.ticket.take() else {
            return After::default();
        };
        self.shared.meters.wait_nanos.add_nanos(std_span(now.since(since)));
        core.waiters.leave(number)
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        if self.ticket.is_some() {
            let now = self.shared.clock.now();
            let after = self.leave(&mut self.shared.lock(), now);
            self.shared.tell(false, after);
        }
    }
}
