//! What a future takes of the processor and of the stack.

use core::cell::Cell;
use core::future::{Future, poll_fn};
use core::pin::pin;

use critical_section::Mutex;

use crate::{board, stack};

/// What was counted so far.
#[derive(Copy, Clone)]
pub(crate) struct Count {
    /// How often it was polled: each is a wake-up.
    pub(crate) polls: u32,
    /// Ticks of the timer within.
    pub(crate) ticks: u64,
    /// Deepest stack below the poll.
    pub(crate) stack: u32,
    /// The same, with all that is above it: executor and start-up.
    pub(crate) stack_in_all: u32,
}

/// Counts for one future.
pub(crate) struct Probe(Mutex<Cell<Count>>);

impl Probe {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Cell::new(Count { polls: 0, ticks: 0, stack: 0, stack_in_all: 0 })))
    }

    pub(crate) fn count(&self) -> Count {
        critical_section::with(|section| self.0.borrow(section).get())
    }

    /// Runs a future. No interrupt comes while it is polled, so that all that is counted is its
    /// own.
    pub(crate) async fn measure<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| {
            critical_section::with(|section| {
                let mut count = self.0.borrow(section).get();
                stack::paint();
                let used = stack::used();
                let from = board::ticks();
                let result = future.as_mut().poll(cx);
                let to = board::ticks();
                let deepest = stack::deepest();
                count.polls += 1;
                count.ticks += u64::from(to.wrapping_sub(from));
                count.stack = count.stack.max(deepest - used);
                count.stack_in_all = count.stack_in_all.max(deepest);
                self.0.borrow(section).set(count);
                result
            })
        })
        .await
    }
}
