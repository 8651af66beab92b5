//! Places of those who wait, and the future of a record's outcome.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use embassy_sync::blocking_mutex::raw::RawMutex;
use ottla::memory::Owner;
use ottla::{Accepted, Outcome};

use crate::producer::Producer;
use crate::waits::{NOWHERE, Waiting};

/// A place in the table of those who wait. Never dropped under the lock.
#[derive(Debug)]
pub(crate) struct Place<
    'a,
    M: RawMutex,
    O: Owner,
    const LINKS: usize,
    const HOST: usize,
    const WAITS: usize,
> {
    producer: &'a Producer<M, O, LINKS, HOST, WAITS>,
    /// [`NOWHERE`] until one is taken.
    pub(crate) index: usize,
}

impl<'a, M: RawMutex, O: Owner, const LINKS: usize, const HOST: usize, const WAITS: usize>
    Place<'a, M, O, LINKS, HOST, WAITS>
{
    pub(crate) const fn new(producer: &'a Producer<M, O, LINKS, HOST, WAITS>) -> Self {
        Self { producer, index: NOWHERE }
    }
}

impl<M: RawMutex, O: Owner, const LINKS: usize, const HOST: usize, const WAITS: usize> Drop
    for Place<'_, M, O, LINKS, HOST, WAITS>
{
    fn drop(&mut self) {
        if self.index == NOWHERE {
            return;
        }
        self.producer.with(|state| {
            if state.waits.give(self.index) {
                // Whoever stands behind it is next.
                state.stir();
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
    pub(crate) place: Place<'a, M, O, LINKS, HOST, WAITS>,
    pub(crate) accepted: Accepted,
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
        producer.with(|state| {
            state.waits.settle(&mut state.producer);
            match state.waits.get(index) {
                Waiting::Told(outcome) => Poll::Ready(outcome),
                _ => {
                    state.waits.register(index, cx.waker());
                    Poll::Pending
                }
            }
        })
    }
}
