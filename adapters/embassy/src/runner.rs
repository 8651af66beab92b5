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

use embassy_futures::select::{Either, select, select_array};
use embassy_sync::blocking_mutex::raw::RawMutex;
use ottla::memory::Owner;
use ottla::{Link, Reason};

use crate::producer::{Producer, wake_at};
use crate::state::{Next, Written, now};
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
            let mut links = pin!(select_array(links));
            poll_fn(|cx| {
                let mut waker = None;
                for _ in 0..TURNS {
                    match producer.with(|state| state.turn(waker)) {
                        Next::Links => {}
                        Next::Wait(deadline) => {
                            wake_at(deadline, cx);
                            return Poll::Pending;
                        }
                        Next::End => return Poll::Ready(()),
                    }
                    // They never end. What they did is looked at now, not after another wake-up.
                    let _ = links.as_mut().poll(cx);
                    waker = Some(cx.waker());
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
            {
                let mut serving = pin!(connect(producer, link, connector, &mut connection));
                // The core may close the link; then there is nobody to be told.
                poll_fn(|cx| match producer.with(|state| state.is_open(link)) {
                    true => serving.as_mut().poll(cx),
                    false => Poll::Ready(()),
                })
                .await;
            }
            if let Some(mut connection) = connection {
                connection.end().await;
            }
        }
    }
}

/// One connection, from the first packet to the last; the core is told why it ended. It is left
/// in `connection`.
fn connect<'c, C, M, O, const LINKS: usize, const HOST: usize, const WAITS: usize>(
    producer: Handle<'_, M, O, LINKS, HOST, WAITS>,
    link: Link,
    connector: &'c mut C,
    connection: &mut Option<C::Connection<'c>>,
) -> impl Future<Output = ()>
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
            match found {
                None => Err(Reason::Unresolved),
                Some((broker, length, port, via)) => {
                    let host = host.get(..length).and_then(|host| core::str::from_utf8(host).ok());
                    let mut target = Target { broker, host: host.unwrap_or(""), port };
                    if let Some(via) = via {
                        target = via(target);
                    }
                    connector.connect(target).await
                }
            }
        };
        let reason = match connected {
            Err(reason) => reason,
            Ok(connected) => {
                let connection = connection.insert(connected);
                let (input, output) = connection.split();
                // The writer tells the core that there is a connection, so it is polled first.
                let both = select(write(producer, link, output), read(producer, link, input));
                let (Either::First(reason) | Either::Second(reason)) = both.await;
                reason
            }
        };
        producer.with(|state| state.ended(link, reason));
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
        let mut written = Written::Connection;
        loop {
            // Polled with the task: whatever makes output pokes the runner.
            poll_fn(|_| producer.with(|state| state.poll_output(link, &mut written))).await;
            let fill = |room: &mut [u8]| {
                let count = producer.with(|state| state.fill(link, room));
                written = Written::Bytes(count);
                count
            };
            if let Err(reason) = output.write_with(fill).await {
                return reason;
            }
        }
    }
}
