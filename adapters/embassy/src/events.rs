//! Events, taken by the application.

use core::future::poll_fn;
use core::task::Poll;

use embassy_sync::blocking_mutex::raw::RawMutex;
use ottla::memory::Owner;
use ottla::{Event, Refused};

use crate::delivery::Place;
use crate::producer::Producer;
use crate::settings::Error;
use crate::state::State;
use crate::waits::Waiting;

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
    pub(crate) producer: &'a Producer<M, O, LINKS, HOST, WAITS>,
}

impl<M: RawMutex, O: Owner, const LINKS: usize, const HOST: usize, const WAITS: usize>
    Events<'_, M, O, LINKS, HOST, WAITS>
{
    /// The next event, if there is one.
    pub fn try_next(&mut self) -> Option<Event> {
        self.producer.with(State::take_event)
    }

    /// Waits for the next event. Cancel safe: an event is taken when it is returned.
    ///
    /// # Errors
    /// [`Refused::Closed`]: the last event was taken. [`Error::Waits`]: there is no place to wait.
    pub async fn next(&mut self) -> Result<Event, Error> {
        let mut place = Place::new(self.producer);
        poll_fn(|cx| {
            self.producer.with(|state| {
                if let Some(event) = state.take_event() {
                    return Poll::Ready(Ok(event));
                }
                let index = &mut place.index;
                let over = state.wait(false, index, Waiting::Anything, cx.waker());
                over.map(|over| Err(over.err().unwrap_or(Error::Refused(Refused::Closed))))
            })
        })
        .await
    }
}

impl<M: RawMutex, O: Owner, const LINKS: usize, const HOST: usize, const WAITS: usize> Drop
    for Events<'_, M, O, LINKS, HOST, WAITS>
{
    fn drop(&mut self) {
        self.producer.with(|state| {
            state.listeners = state.listeners.saturating_sub(1);
            state.poke();
        });
    }
}
