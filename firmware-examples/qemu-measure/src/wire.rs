//! A connection in memory: two buffers as a socket has them, and the broker at the other end.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::{Context, Poll};

use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::ThreadModeRawMutex;
use embassy_sync::waitqueue::WakerRegistration;
use ottla_answers::{Broker, Bytes, Connection, Instant, Served};
use ottla_embassy::Reason;
use ottla_embassy::transport::{self, Connector, Input, Output, Target};

/// Bytes of the socket's buffers, as in the sensor node.
const RECEIVE: usize = 512;
const SEND: usize = 1_024;

struct Socket {
    sent: Bytes<SEND>,
    received: Bytes<RECEIVE>,
    /// Connections so far.
    connections: u32,
    input: WakerRegistration,
    output: WakerRegistration,
    broker: WakerRegistration,
}

/// One link's wire.
pub(crate) struct Wire(Mutex<ThreadModeRawMutex, RefCell<Socket>>);

impl Wire {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(RefCell::new(Socket {
            sent: Bytes::new(),
            received: Bytes::new(),
            connections: 0,
            input: WakerRegistration::new(),
            output: WakerRegistration::new(),
            broker: WakerRegistration::new(),
        })))
    }

    fn with<R>(&self, f: impl FnOnce(&mut Socket) -> R) -> R {
        self.0.lock(|socket| f(&mut socket.borrow_mut()))
    }

    /// Serves the other end for ever.
    pub(crate) async fn serve<const PARTITIONS: usize>(
        &self,
        broker: &mut Broker<PARTITIONS>,
        connection: &mut Connection<2_560, 512>,
    ) -> ! {
        let mut served = 0;
        poll_fn(|cx| {
            self.with(|socket| {
                if served != socket.connections {
                    served = socket.connections;
                    connection.reset();
                }
                socket.turn(broker, connection);
                socket.broker.register(cx.waker());
                Poll::Pending
            })
        })
        .await
    }
}

impl Socket {
    fn turn<const PARTITIONS: usize>(
        &mut self,
        broker: &mut Broker<PARTITIONS>,
        connection: &mut Connection<2_560, 512>,
    ) {
        loop {
            let count = connection.accept(self.sent.as_slice());
            self.sent.drop_front(count);
            let served = broker.serve(Instant::ZERO, connection, &mut ());
            let given = self.received.push(connection.answers(Instant::MAX));
            connection.taken(given);
            if given > 0 {
                self.input.wake();
            }
            if count > 0 {
                self.output.wake();
            }
            if count + given == 0 && served == Served::Nothing {
                return;
            }
        }
    }
}

impl Connector for &Wire {
    type Connection<'a>
        = &'a Wire
    where
        Self: 'a;

    async fn connect(&mut self, _: Target<'_>) -> Result<&Wire, Reason> {
        self.with(|socket| {
            socket.sent.clear();
            socket.received.clear();
            socket.connections += 1;
            socket.broker.wake();
        });
        Ok(self)
    }
}

impl transport::Connection for &Wire {
    type Input<'a>
        = In<'a>
    where
        Self: 'a;
    type Output<'a>
        = Out<'a>
    where
        Self: 'a;

    fn split(&mut self) -> (In<'_>, Out<'_>) {
        (In(self), Out(self))
    }
}

/// The half that receives.
pub(crate) struct In<'a>(&'a Wire);

/// The half that sends.
pub(crate) struct Out<'a>(&'a Wire);

impl Input for In<'_> {
    async fn read_with(&mut self, take: impl FnOnce(&[u8])) -> Result<(), Reason> {
        poll_fn(|cx| self.0.with(|socket| wait(socket.received.is_empty(), &mut socket.input, cx)))
            .await;
        self.0.with(|socket| {
            take(socket.received.as_slice());
            socket.received.clear();
            socket.broker.wake();
        });
        Ok(())
    }
}

impl Output for Out<'_> {
    async fn write_with(&mut self, fill: impl FnOnce(&mut [u8]) -> usize) -> Result<(), Reason> {
        poll_fn(|cx| self.0.with(|socket| wait(socket.sent.room() == 0, &mut socket.output, cx)))
            .await;
        self.0.with(|socket| {
            let count = fill(socket.sent.vacant());
            socket.sent.fill(count);
            if count > 0 {
                socket.broker.wake();
            }
        });
        Ok(())
    }
}

fn wait(waits: bool, registration: &mut WakerRegistration, cx: &Context<'_>) -> Poll<()> {
    if waits {
        registration.register(cx.waker());
        Poll::Pending
    } else {
        Poll::Ready(())
    }
}
