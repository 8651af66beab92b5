//! Events, taken by the application.

use embassy_sync::blocking_mutex::raw::RawMutex;
use ottla::memory::Owner;
use ottla::{Event, Refused};

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
        let next = self.producer.wait(Waiting::Anything, |state| match state.take_event() {
            None if state.producer.is_closed() => Some(Err(Error::Refused(Refused::Closed))),
            event => event.map(Ok),
        });
        next.await.flatten()
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
