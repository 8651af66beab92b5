//! `defmt::Format` of the types that have nothing to derive it from.

use defmt::{Format, Formatter, write};
use embassy_sync::blocking_mutex::raw::RawMutex;
use ottla::memory::Owner;

use crate::{Delivery, Events, Producer, Runner, Settings, stream};

impl Format for Settings<'_> {
    fn format(&self, f: Formatter<'_>) {
        write!(
            f,
            "Settings {{ config: {}, client_id: {=str}, bootstrap: {}, max_block: {}, via: {=bool}, \
             seed: {=u64} }}",
            self.config,
            self.client_id,
            self.bootstrap,
            self.max_block,
            self.via.is_some(),
            self.seed
        );
    }
}

impl<M: RawMutex, O, const LINKS: usize, const HOST: usize, const WAITS: usize> Format
    for Producer<M, O, LINKS, HOST, WAITS>
{
    fn format(&self, f: Formatter<'_>) {
        write!(f, "Producer");
    }
}

impl<M: RawMutex, O, const LINKS: usize, const HOST: usize, const WAITS: usize> Format
    for Runner<'_, M, O, LINKS, HOST, WAITS>
{
    fn format(&self, f: Formatter<'_>) {
        write!(f, "Runner");
    }
}

impl<M: RawMutex, O: Owner, const LINKS: usize, const HOST: usize, const WAITS: usize> Format
    for Delivery<'_, M, O, LINKS, HOST, WAITS>
{
    fn format(&self, f: Formatter<'_>) {
        write!(f, "Delivery({})", self.accepted);
    }
}

impl<M: RawMutex, O: Owner, const LINKS: usize, const HOST: usize, const WAITS: usize> Format
    for Events<'_, M, O, LINKS, HOST, WAITS>
{
    fn format(&self, f: Formatter<'_>) {
        write!(f, "Events");
    }
}

impl<T, const RECEIVE: usize, const STAGE: usize> Format for stream::Streams<T, RECEIVE, STAGE> {
    fn format(&self, f: Formatter<'_>) {
        write!(f, "Streams<{=usize}, {=usize}>", RECEIVE, STAGE);
    }
}

impl<R, W> Format for stream::Stream<'_, R, W> {
    fn format(&self, f: Formatter<'_>) {
        write!(f, "Stream");
    }
}

impl<R> Format for stream::StreamInput<'_, R> {
    fn format(&self, f: Formatter<'_>) {
        write!(f, "StreamInput");
    }
}

impl<W> Format for stream::StreamOutput<'_, W> {
    fn format(&self, f: Formatter<'_>) {
        write!(f, "StreamOutput");
    }
}

#[cfg(feature = "net")]
impl<const RECEIVE: usize, const SEND: usize> Format for crate::net::TcpBuffers<RECEIVE, SEND> {
    fn format(&self, f: Formatter<'_>) {
        write!(f, "TcpBuffers<{=usize}, {=usize}>", RECEIVE, SEND);
    }
}

#[cfg(feature = "net")]
impl Format for crate::net::Tcp<'_> {
    fn format(&self, f: Formatter<'_>) {
        write!(f, "Tcp");
    }
}
