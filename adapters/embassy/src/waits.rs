//! Application tasks that wait, each with a place in one table.

use core::task::Waker;

use embassy_sync::waitqueue::WakerRegistration;
use ottla::memory::Owner;
use ottla::{Batch, Flush, Outcome, Topic};

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
    /// For the outcome of a batch.
    Outcome(Batch),
    /// The outcome is here.
    Told(Outcome),
    /// For everything before a flush.
    Flush(Flush),
    /// For the end.
    Close,
    /// For an event.
    Event,
}

#[derive(Debug)]
struct Wait {
    waiting: Waiting,
    waker: WakerRegistration,
}

impl Wait {
    const FREE: Self = Self { waiting: Waiting::Nothing, waker: WakerRegistration::new() };
}

/// The table. Those who wait for room, or for the same topic, are served in the order in which
/// they came (R16).
#[derive(Debug)]
pub(crate) struct Waits<const WAITS: usize> {
    waits: [Wait; WAITS],
    turns: u32,
}

impl<const WAITS: usize> Waits<WAITS> {
    pub(crate) const fn new() -> Self {
        Self { waits: [const { Wait::FREE }; WAITS], turns: 0 }
    }

    /// Takes a free place.
    pub(crate) fn take(&mut self, waiting: Waiting) -> Option<usize> {
        let is_free = |wait: &Wait| matches!(wait.waiting, Waiting::Nothing);
        let place = self.waits.iter().position(is_free)?;
        self.set(place, waiting);
        Some(place)
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

    /// Whether somebody who came before `turn` (or anybody, without one) waits for what a record
    /// for `topic` may need, too.
    pub(crate) fn is_behind(&self, turn: Option<u32>, topic: Topic) -> bool {
        self.waits.iter().any(|wait| {
            let earlier = match wait.waiting {
                Waiting::Room(earlier) => earlier,
                Waiting::Topic(earlier, its) if its == topic => earlier,
                _ => return false,
            };
            turn.is_none_or(|turn| turn.wrapping_sub(earlier).cast_signed() > 0)
        })
    }

    /// Copies outcomes that are decided to those who wait for them. To be called before any
    /// event is taken.
    pub(crate) fn settle<O: Owner>(&mut self, producer: &mut ottla::Producer<O>) {
        for wait in &mut self.waits {
            if let Waiting::Outcome(batch) = wait.waiting
                && let Some(outcome) = producer.outcome(batch)
            {
                wait.waiting = Waiting::Told(outcome);
                wait.waker.wake();
            }
        }
    }

    /// Wakes those who may be able to go on: of those who wait for room, the first.
    pub(crate) fn wake<O: Owner>(&mut self, producer: &mut ottla::Producer<O>, closed: bool) {
        let mut first: Option<(u32, usize)> = None;
        for (place, wait) in self.waits.iter_mut().enumerate() {
            let ready = match wait.waiting {
                Waiting::Room(turn) => {
                    let earlier = |(other, _): (u32, _)| other.wrapping_sub(turn).cast_signed() > 0;
                    if first.is_none_or(earlier) {
                        first = Some((turn, place));
                    }
                    closed
                }
                Waiting::Topic(..) | Waiting::Event => true,
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
