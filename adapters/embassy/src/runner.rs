//! The task that does the I/O.
//!
//! All of its futures are polled together, so a wake-up of one lets every other look at what
//! changed. A link's reader and writer are dropped only when the link is over.

use core::cell::Cell;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;

use embassy_futures::join::join_array;
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_time::Timer;
use ottla::memory::Owner;
use ottla::{Link, Reason};

use crate::fmt::debug;
use crate::producer::Producer;
use crate::state::{LinkState, now};
use crate::transport::{Connection, Connector, Input, Output, Target};

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
    /// Dropped before, its connections are lost; it can be run again.
    pub async fn run<C: Connector>(&mut self, connectors: [C; LINKS]) {
        // Links of an earlier run have nobody to serve them.
        for index in 0..LINKS {
            self.producer.with(|state| {
                if let LinkState::Wanted(link) | LinkState::Open(link) = state.link(index) {
                    state.producer.handle_disconnected(now(), link, Reason::Disconnected);
                    state.set_link(index, LinkState::Idle);
                }
            });
        }
        let mut index = 0_usize;
        let links = connectors.map(|connector| {
            let link = self.serve(index, connector);
            index = index.wrapping_add(1);
            link
        });
        select(self.watch(), join_array(links)).await;
    }

    /// Lets the core act, and follows time, until the producer is closed.
    async fn watch(&self) {
        loop {
            let (deadline, closed) = self.producer.with(|state| {
                state.poked = false;
                (state.turn(), state.producer.is_closed())
            });
            if closed {
                return;
            }
            let poked = poll_fn(|cx| {
                self.producer.with(|state| {
                    state.runner.register(cx.waker());
                    if state.poked { Poll::Ready(()) } else { Poll::Pending }
                })
            });
            match deadline {
                None => poked.await,
                Some(at) => {
                    let at = embassy_time::Instant::from_micros(at.as_micros());
                    select(poked, Timer::at(at)).await;
                }
            }
        }
    }

    /// Serves one link slot for ever.
    async fn serve<C: Connector>(&self, index: usize, mut connector: C) {
        loop {
            let link = poll_fn(|_| {
                self.producer.with(|state| match state.link(index) {
                    LinkState::Wanted(link) => {
                        state.set_link(index, LinkState::Open(link));
                        Poll::Ready(link)
                    }
                    _ => Poll::Pending,
                })
            })
            .await;
            let ended = {
                let mut connection = pin!(self.connection(link, &mut connector));
                // The core may have closed the link; then there is nobody to be told.
                poll_fn(|cx| {
                    if self.producer.with(|state| state.link(index) != LinkState::Open(link)) {
                        return Poll::Ready(None);
                    }
                    connection.as_mut().poll(cx).map(Some)
                })
                .await
            };
            if let Some(reason) = ended {
                debug!("a connection ended: {}", reason);
                self.producer.with(|state| {
                    state.set_link(index, LinkState::Idle);
                    state.producer.handle_disconnected(now(), link, reason);
                    state.poke();
                });
            }
        }
    }

    /// One connection, from the first packet to the last: why it ended.
    async fn connection<C: Connector>(&self, link: Link, connector: &mut C) -> Reason {
        let mut host = [0; HOST];
        let found = self.producer.with(|state| {
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
        let mut connection = match connector.connect(target).await {
            Ok(connection) => connection,
            Err(reason) => return reason,
        };
        self.producer.with(|state| {
            state.producer.handle_connected(now(), link);
            state.poke();
        });
        let (input, output) = connection.split();
        match select(self.read(link, input), self.write(link, output)).await {
            Either::First(reason) | Either::Second(reason) => reason,
        }
    }

    async fn read(&self, link: Link, mut input: impl Input) -> Reason {
        loop {
            let take = |bytes: &[u8]| {
                self.producer.with(|state| {
                    state.producer.handle_input(now(), link, bytes);
                    state.poke();
                });
            };
            if let Err(reason) = input.read_with(take).await {
                return reason;
            }
        }
    }

    async fn write(&self, link: Link, mut output: impl Output) -> Reason {
        // Nothing came although there seemed to be something: the next wake-up may know more.
        let idle = Cell::new(false);
        loop {
            // Woken with the task: whatever makes output pokes the runner.
            poll_fn(|_| {
                let ready = self.producer.with(|state| state.producer.has_output(link));
                if ready && !idle.take() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            let mut count = 0;
            let fill = |room: &mut [u8]| {
                count = self.producer.with(|state| state.fill(link, room));
                count
            };
            if let Err(reason) = output.write_with(fill).await {
                return reason;
            }
            idle.set(count == 0);
            self.producer.with(|state| state.written(link, count));
        }
    }
}
