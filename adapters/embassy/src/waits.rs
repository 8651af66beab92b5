//! Application tasks that wait, each with a place in one table.

use core::task::Waker;

use embassy_sync::waitqueue::WakerRegistration;
use ottla::error::Full;
use ottla::memory::Owner;
use ottla::{Batch, Flush, Outcome, Record, Refused, Topic};

/// What a task waits for. Tagged by a byte of its own, so that a free place is zero bits.
#[derive(Copy, Clone, Debug)]
#[repr(u8)]
pub(crate) enum Waiting {
    /// The place is free.
    Nothing,
    /// Kept for a record that is about to be offered.
    Reserved,
    /// For room, since this turn.
    Room(u32),
    /// For a topic to be known, since this turn.
    Topic(u32, Topic),
    /// For the time of day, since this turn.
    Time(u32),
    /// For the outcome of the record with this number in a batch.
    Outcome(Batch, u64),
    /// The outcome is here.
    Told(Outcome),
    /// For everything before a flush.
    Flush(Flush),
    /// For the end.
    Close,
    /// For anything that happens.
    Anything,
}

/// The place of one who has none.
pub(crate) const NOWHERE: usize = usize::MAX;

#[derive(Debug)]
struct Wait {
    waiting: Waiting,
    waker: WakerRegistration,
}

impl Wait {
    const FREE: Self = Self { waiting: Waiting::Nothing, waker: WakerRegistration::new() };
}

/// The table. Those who wait for room, for the same topic, or for the time of day, are served in
/// the order in which they came (R16).
#[derive(Debug)]
pub(crate) struct Waits<const WAITS: usize> {
    waits: [Wait; WAITS],
    turns: u32,
}

/// Whether the turn `earlier` comes before `later`; turns wrap.
const fn is_before(earlier: u32, later: u32) -> bool {
    later.wrapping_sub(earlier).cast_signed() > 0
}

impl<const WAITS: usize> Waits<WAITS> {
    pub(crate) const fn new() -> Self {
        Self { waits: [const { Wait::FREE }; WAITS], turns: 0 }
    }

    /// Takes a free place for one who has none yet: false if there is none.
    pub(crate) fn take(&mut self, place: &mut usize, waiting: Waiting) -> bool {
        if *place == NOWHERE {
            let is_free = |wait: &Wait| matches!(wait.waiting, Waiting::Nothing);
            let Some(free) = self.waits.iter().position(is_free) else { return false };
            *place = free;
        }
        self.set(*place, waiting);
        true
    }

    /// Gives a place back. True if others stood behind whoever had it.
    pub(crate) fn give(&mut self, place: usize) -> bool {
        let Some(wait) = self.waits.get_mut(place) else { return false };
        let before = core::mem::replace(wait, Wait::FREE);
        matches!(before.waiting, Waiting::Room(_) | Waiting::Topic(..) | Waiting::Time(_))
    }

    pub(crate) fn get(&self, place: usize) -> Waiting {
        self.waits.get(place).map_or(Waiting::Nothing, |wait| wait.waiting)
    }

    pub(crate) fn set(&mut self, place: usize, waiting: Waiting) {
        if let Some(wait) = self.waits.get_mut(place) {
            wait.waiting = waiting;
        }
    }

    pub(crate) fn register(&mut self, place: usize, waker: &Waker) {
        if let Some(wait) = self.waits.get_mut(place) {
            wait.waker.register(waker);
        }
    }

    /// The turn of one who begins to wait.
    pub(crate) fn next_turn(&mut self) -> u32 {
        self.turns = self.turns.wrapping_add(1);
        self.turns
    }

    /// What somebody waits for who came before `turn` (or anybody, without one), if this record
    /// may need it, too.
    pub(crate) fn in_front(
        &self,
        turn: Option<u32>,
        topic: Topic,
        record: &Record<'_>,
    ) -> Option<Refused> {
        self.waits.iter().find_map(|wait| {
            let (earlier, refused) = match wait.waiting {
                Waiting::Room(earlier) => (earlier, Refused::Full(Full::Memory)),
                Waiting::Topic(earlier, its) if its == topic => (earlier, Refused::TopicUnknown),
                Waiting::Time(earlier) if record.timestamp.is_none() => {
                    (earlier, Refused::TimeUnknown)
                }
                _ => return None,
            };
            turn.is_none_or(|turn| is_before(earlier, turn)).then_some(refused)
        })
    }

    /// Copies outcomes that are decided to those who wait for them. To be called before any
    /// event is taken.
    pub(crate) fn settle<O: Owner>(&mut self, producer: &mut ottla::Producer<O>) {
        for wait in &mut self.waits {
            if let Waiting::Outcome(batch, number) = wait.waiting
                && let Some(outcome) = producer.outcome(batch, number)
            {
                wait.waiting = Waiting::Told(outcome);
                wait.waker.wake();
            }
        }
    }

    /// Wakes those who may be able to go on: of those who wait for room, the first.
    pub(crate) fn wake<O: Owner>(&mut self, producer: &mut ottla::Producer<O>) {
        let closed = producer.is_closed();
        let mut first: Option<(u32, usize)> = None;
        for (place, wait) in self.waits.iter_mut().enumerate() {
            let ready = match wait.waiting {
                Waiting::Room(turn) => {
                    if first.is_none_or(|(other, _)| is_before(turn, other)) {
                        first = Some((turn, place));
                    }
                    closed
                }
                Waiting::Topic(..) | Waiting::Time(_) | Waiting::Anything => true,
                Waiting::Flush(flush) => closed || producer.is_flushed(flush),
                Waiting::Close => closed,
                _ => false,
            };
            if ready {
                wait.waker.wake();
            }
        }
        if let Some((_, place)) = first
            && let Some(wait) = self.waits.get_mut(place)
        {
            wait.waker.wake();
        }
    }
}
