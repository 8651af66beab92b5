//! The task that does the I/O.
//!
//! All of its futures are polled together, so a wake-up of one lets every other look at what
//! changed. A link's reader and writer are dropped only when the link is over.
//!
//! Functions here return `async move` blocks: an `async fn` keeps its arguments twice.
#![allow(clippy::manual_async_fn, reason = "smaller futures")]

use core::convert::Infallible;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;

use embassy_futures::join::join_array;
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_time::with_deadline;
use ottla::memory::Owner;
use ottla::{Link, Reason};

use crate::producer::Producer;
use crate::state::now;
use crate::transport::{Connection, Connector, Input, Output, Target};

/// Turns of the core in one poll of the runner's task.
const TURNS: u32 = 8;

/// Does the I/O of a producer: to be run in one task.
#[derive(Debug)]
pub struct Runner<'a, M: RawMutex, O, const LINKS: usize, const HOST: usize, const WAITS: usize> {
    producer: &'a Producer<M, O, LINKS, HOST, WAITS>,
}

impl<'a, M: RawMutex, O: Owner, const LINKS: usize, const HOST: usize, const WAITS: usize>
    Runner<'a, M, O, LINKS, HOST, WAITS>
{
    pub(crate) const fn new(producer: &'a Producer<M, O, LINKS, HOST, WAITS>) -> Self {
        Self { producer }
    }

    /// Runs until the producer is closed. Each link has a connector of its own: as many brokers
    /// are reached at the same time.
    ///
    /// Dropped before, its connections are lost, and time stands still for the records that the
    /// producer has. It can be run again.
    pub fn run<C: Connector>(&mut self, mut connectors: [C; LINKS]) -> impl Future<Output = ()> {
        let producer = self.producer;
        async move {
            producer.with(|state| state.restart());
            let mut index = 0_usize;
            let links = connectors.each_mut().map(|connector| {
                let link = serve(producer, index, connector);
                index = index.wrapping_add(1);
                link
            });
            let (mut watch, mut links) = (pin!(watch(producer)), pin!(join_array(links)));
            poll_fn(|cx| {
                for _ in 0..TURNS {
                    if watch.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(());
                    }
                    // They never end.
                    let _ = links.as_mut().poll(cx);
                    // What they did is looked at now, not after another wake-up.
                    if !producer.with(|state| state.register(cx.waker())) {
                        return Poll::Pending;
                    }
                }
                // Others want to run, too.
                cx.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
        }
    }
}

type Handle<'a, M, O, const LINKS: usize, const HOST: usize, const WAITS: usize> =
    &'a Producer<M, O, LINKS, HOST, WAITS>;

/// Lets the core act, and follows time, until the producer is closed.
async fn watch<M: RawMutex, O: Owner, const LINKS: usize, const HOST: usize, const WAITS: usize>(
    producer: Handle<'_, M, O, LINKS, HOST, WAITS>,
) {
    while let Some(deadline) = producer.with(|state| state.turn()) {
        let poked = poll_fn(|_| producer.with(|state| state.poll_poked()));
        // Either way there is something to look at.
        let _ = with_deadline(deadline, poked).await;
    }
}

/// Serves one link slot for ever.
fn serve<C, M, O, const LINKS: usize, const HOST: usize, const WAITS: usize>(
    producer: Handle<'_, M, O, LINKS, HOST, WAITS>,
    index: usize,
    connector: &mut C,
) -> impl Future<Output = Infallible>
where
    C: Connector,
    M: RawMutex,
    O: Owner,
{
    async move {
        loop {
            // Polled with the task: whatever gives the core orders pokes the runner.
            let link = poll_fn(|_| producer.with(|state| state.take_wanted(index))).await;
            let mut connection = None;
            let ended = {
                let mut serving = pin!(connect(producer, link, connector, &mut connection));
                // The core may close the link; then there is nobody to be told.
                poll_fn(|cx| {
                    if !producer.with(|state| state.is_open(index, link)) {
                        return Poll::Ready(None);
                    }
                    serving.as_mut().poll(cx).map(Some)
                })
                .await
            };
            if let Some(reason) = ended {
                producer.with(|state| state.ended(index, link, reason));
            }
            if let Some(mut connection) = connection {
                connection.end().await;
            }
            producer.with(|state| state.rest(index));
        }
    }
}

/// One connection, from the first packet to the last: why it ended. It is left in `connection`.
fn connect<'c, C, M, O, const LINKS: usize, const HOST: usize, const WAITS: usize>(
    producer: Handle<'_, M, O, LINKS, HOST, WAITS>,
    link: Link,
    connector: &'c mut C,
    connection: &mut Option<C::Connection<'c>>,
) -> impl Future<Output = Reason>
where
    C: Connector,
    M: RawMutex,
    O: Owner,
{
    async move {
        let connected = {
            let mut host = [0; HOST];
            let found = producer.with(|state| {
                let address = state.producer.link_address(link)?;
                let bytes = address.host.as_bytes();
                host.get_mut(..bytes.len())?.copy_from_slice(bytes);
                Some((address.broker, bytes.len(), address.port, state.via))
            });
            let Some((broker, length, port, via)) = found else { return Reason::Unresolved };
            let host = host.get(..length).and_then(|host| core::str::from_utf8(host).ok());
            let mut target = Target { broker, host: host.unwrap_or(""), port };
            if let Some(via) = via {
                target = via(target);
            }
            connector.connect(target).await
        };
        let connection = match connected {
            Ok(connected) => connection.insert(connected),
            Err(reason) => return reason,
        };
        producer.with(|state| {
            state.producer.handle_connected(now(), link);
            state.stir();
        });
        let (input, output) = connection.split();
        let both = select(read(producer, link, input), write(producer, link, output));
        let (Either::First(reason) | Either::Second(reason)) = both.await;
        reason
    }
}

fn read<M: RawMutex, O: Owner, const LINKS: usize, const HOST: usize, const WAITS: usize>(
    producer: Handle<'_, M, O, LINKS, HOST, WAITS>,
    link: Link,
    mut input: impl Input,
) -> impl Future<Output = Reason> {
    async move {
        loop {
            let take = |bytes: &[u8]| {
                producer.with(|state| {
                    state.producer.handle_input(now(), link, bytes);
                    state.stir();
                });
            };
            if let Err(reason) = input.read_with(take).await {
                return reason;
            }
        }
    }
}

fn write<M: RawMutex, O: Owner, const LINKS: usize, const HOST: usize, const WAITS: usize>(
    producer: Handle<'_, M, O, LINKS, HOST, WAITS>,
    link: Link,
    mut output: impl Output,
) -> impl Future<Output = Reason> {
    async move {
        let mut written = None;
        loop {
            // Polled with the task: whatever makes output pokes the runner.
            poll_fn(|_| producer.with(|state| state.poll_output(link, &mut written))).await;
            let fill = |room: &mut [u8]| {
                let count = producer.with(|state| state.fill(link, room));
                written = Some(count);
                count
            };
            if let Err(reason) = output.write_with(fill).await {
                return reason;
            }
        }
    }
}
