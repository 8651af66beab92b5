//! The I/O task: one for all connections of a producer.
//!
//! A turn is: take the lock and let the core act on the time; take its orders and events; gather
//! what it has to write; then, without the lock, tell outcomes, and write and read until nothing
//! moves. The task sleeps until a connection is ready, the core's next deadline is there, or a
//! sender wakes it.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ottla::{Instant, Link, LinkAction, Reason};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tracing::Span;

use crate::connector::{ConnectError, Connecting, Connector};
use crate::reach::{Route, Target};
use crate::shared::{Collected, Core, Shared};
use crate::staged::{Gathered, SLICES, Staged};

/// Bytes that are read at once.
const READ: usize = 64 * 1024;

/// Memory beyond so many bytes is given back to the system once nothing was sent for so long.
const KEPT: u64 = 1024 * 1024;
const RELEASED_AFTER: ottla::Duration = ottla::Duration::from_millis(3_000);

/// The time of day is read again after so long.
const WALL_AGE: Duration = Duration::from_secs(1);

enum State<S> {
    Connecting(Connecting<S>),
    Open(S),
}

/// What came from the peer of a link.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Heard {
    Nothing,
    /// Bytes; the core may yet find that they are no Kafka broker's.
    Something,
    /// Bytes that the core went on with.
    Broker,
}

/// A link, as long as the core and its peer have it.
struct Socket<S> {
    link: Link,
    /// From the call to its end.
    span: Span,
    route: Route,
    state: State<S>,
    staged: Staged,
    /// Something was written that the stream may still hold.
    unflushed: bool,
    heard: Heard,
}

/// An order of the core, with what it lent copied.
enum Order {
    Connect(Link, Target),
    Close(Link, Reason),
}

/// All that the I/O task has.
pub(crate) struct Driver<C: Connector> {
    shared: Arc<Shared>,
    connector: C,
    /// By [`Link::index`].
    sockets: Vec<Option<Socket<C::Stream>>>,
    orders: Vec<Order>,
    collected: Collected,
    buffer: Box<[u8]>,
    timer: Pin<Box<Sleep>>,
    /// When the timer fires, if it runs.
    armed: Option<Instant>,
    /// Something moved since the last turn, or ended: memory may have come free. (Not every end
    /// of a batch's bytes has an event: those of a batch that expired are free with the answer.)
    moved: bool,
    /// Since when nothing is to do for memory that is kept.
    settled: Option<Instant>,
    /// When it was last told at `WARN` that the producer begins again.
    began_again: Option<tokio::time::Instant>,
}

impl<C: Connector> Driver<C> {
    pub(crate) fn new(shared: Arc<Shared>, connector: C) -> Self {
        Self {
            shared,
            connector,
            sockets: Vec::new(),
            orders: Vec::new(),
            collected: Collected::default(),
            buffer: vec![0; READ].into_boxed_slice(),
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            armed: None,
            moved: false,
            settled: None,
            began_again: None,
        }
    }

    /// Runs until the producer is closed.
    pub(crate) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut woken = pin!(shared.io.notified());
        while self.turn(&shared) {
            poll_fn(|cx| {
                let mut busy = false;
                if woken.as_mut().poll(cx).is_ready() {
                    woken.set(shared.io.notified());
                    busy = true;
                }
                if self.armed.is_some() && self.timer.as_mut().poll(cx).is_ready() {
                    self.armed = None;
                    busy = true;
                }
                busy |= self.poll_sockets(cx);
                if busy { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
    }

    /// What there is to do without waiting. False: the producer is closed.
    fn turn(&mut self, shared: &Shared) -> bool {
        let now = shared.clock.now();
        let wall = shared.clock.refreshed(now, WALL_AGE);
        let mut core = shared.lock();
        if let Some(millis) = wall {
            core.producer.set_wall_clock(now, millis);
        }
        if core.producer.poll_timeout().is_some_and(|at| at <= now) {
            core.producer.handle_timeout(now);
            self.moved = true;
        }
        self.take_orders(&mut core);
        core.collect(&mut self.collected);
        core.waiters.expire(now, &mut self.collected.wakers);
        let longest = shared.config.core.retry_backoff_max;
        core.waiters.look(now, longest, &mut self.collected.wakers);
        if std::mem::take(&mut self.moved) {
            self.collected.wakers.extend(core.waiters.first());
        }
        let closed = core.closed;
        let deadline = if closed {
            core.ended = true;
            core.signal_all(&mut self.collected);
            None
        } else {
            core = self.gather(shared, core);
            let deadline = core.producer.poll_timeout();
            let waiter = core.waiters.deadline();
            let release = self.release(&mut core, now);
            deadline.into_iter().chain(waiter).chain(release).min()
        };
        drop(core);
        self.collected.act(shared);
        self.follow_orders();
        self.greet();
        if closed {
            return false;
        }
        self.arm(deadline);
        true
    }

    /// Gives memory back that a producer without work keeps. Returns when that is due.
    fn release(&mut self, core: &mut Core, now: Instant) -> Option<Instant> {
        if !core.producer.is_settled() || core.producer.owner().charged() <= KEPT {
            self.settled = None;
            return None;
        }
        let due = self.settled.get_or_insert(now).after(RELEASED_AFTER);
        if due > now {
            return Some(due);
        }
        self.settled = None;
        self.collected.released = Some(core.producer.release_memory());
        None
    }

    fn take_orders(&mut self, core: &mut Core) {
        while let Some(action) = core.producer.poll_link() {
            let order = match action {
                LinkAction::Connect(link, address) => {
                    let host = address.host.to_owned();
                    let target = Target { broker: address.broker, host, port: address.port };
                    Order::Connect(link, target)
                }
                LinkAction::Close(link, reason) => {
                    // The core is about to use its blocks again.
                    if let Some(socket) = self.socket(link) {
                        socket.staged = Staged::default();
                    }
                    Order::Close(link, reason)
                }
            };
            self.orders.push(order);
        }
    }

    /// Gathers output for every connection that has written what it had.
    fn gather<'s>(&mut self, shared: &'s Shared, mut core: CoreGuard<'s>) -> CoreGuard<'s> {
        for socket in self.sockets.iter_mut().flatten() {
            if !matches!(socket.state, State::Open(_)) || !socket.staged.is_empty() {
                continue;
            }
            while socket.staged.gather(&mut core.producer, socket.link) == Gathered::Sealed {
                // R17: others get the lock between two sealings.
                drop(core);
                core = shared.lock();
            }
        }
        core
    }

    fn follow_orders(&mut self) {
        let mut begins_again = false;
        for order in std::mem::take(&mut self.orders) {
            match order {
                Order::Connect(link, target) => {
                    let broker = target.broker;
                    let (route, connecting) = self.connect(target);
                    let span = tracing::debug_span!("connection", address = %route, broker);
                    span.in_scope(|| tracing::debug!(address = %route, broker, "connecting"));
                    let socket = Socket {
                        link,
                        span,
                        route,
                        state: State::Connecting(connecting),
                        staged: Staged::default(),
                        unflushed: false,
                        heard: Heard::Nothing,
                    };
                    if self.sockets.len() <= link.index() {
                        self.sockets.resize_with(link.index() + 1, || None);
                    }
                    self.sockets[link.index()] = Some(socket);
                }
                Order::Close(link, reason) => {
                    begins_again |= reason == Reason::Rebootstrap;
                    if self.socket(link).is_some()
                        && let Some(socket) = self.sockets[link.index()].take()
                    {
                        self.count_end(&socket.state);
                        let error = ConnectError::new(reason, "");
                        socket.span.in_scope(|| self.report(&socket.route, error));
                    }
                }
            }
        }
        if begins_again {
            self.report_beginning();
        }
    }

    /// Begins to connect to `target`, or to where it is mapped to.
    fn connect(&self, target: Target) -> (Route, Connecting<C::Stream>) {
        let Some(map) = &self.shared.config.address_map else {
            let connecting = self.connector.connect(&target.host, target.port);
            return (Route { target, mapped: None }, connecting);
        };
        match map.map(target.broker, &target.host, target.port) {
            Ok((host, port)) => {
                let connecting = self.connector.connect(&host, port);
                let elsewhere = host != target.host || port != target.port;
                (Route { target, mapped: elsewhere.then_some((host, port)) }, connecting)
            }
            Err(text) => {
                let detail = format!("the function of map_address panicked: {text}");
                let error = ConnectError::new(Reason::Unresolved, detail);
                (Route { target, mapped: None }, Box::pin(std::future::ready(Err(error))))
            }
        }
    }

    /// Logs that the core has gone back to the addresses to begin with: once in a while, as a
    /// cluster may ask for it again and again.
    fn report_beginning(&mut self) {
        const TOLD_AGAIN: Duration = Duration::from_secs(60);
        const TEXT: &str = "beginning again at bootstrap.servers: a broker asked for it, or there \
                            was no metadata for metadata.recovery.rebootstrap.trigger.ms";
        let now = tokio::time::Instant::now();
        if self.began_again.is_some_and(|at| now.saturating_duration_since(at) < TOLD_AGAIN) {
            tracing::debug!("{TEXT}");
        } else {
            self.began_again = Some(now);
            tracing::warn!("{TEXT}");
        }
    }

    /// Remembers the peers that turned out to be brokers.
    fn greet(&mut self) {
        for socket in self.sockets.iter_mut().flatten() {
            if socket.heard == Heard::Something {
                socket.heard = Heard::Broker;
                let mut reach = self.shared.reach.lock().unwrap_or_else(PoisonError::into_inner);
                reach.answered(&socket.route.target);
                drop(reach);
                socket.log("the broker answers");
            }
        }
    }

    fn socket(&mut self, link: Link) -> Option<&mut Socket<C::Stream>> {
        let socket = self.sockets.get_mut(link.index())?.as_mut()?;
        (socket.link == link).then_some(socket)
    }

    /// Lets the timer fire at `deadline` or before. It is not moved later: firing early costs
    /// less than moving it at every turn.
    fn arm(&mut self, deadline: Option<Instant>) {
        let Some(deadline) = deadline else { return };
        if self.armed.is_some_and(|armed| armed <= deadline) {
            return;
        }
        if let Some(at) = self.shared.clock.instant(deadline) {
            self.timer.as_mut().reset(at);
            self.armed = Some(deadline);
        }
    }

    /// Moves bytes on every connection. True if anything moved.
    fn poll_sockets(&mut self, cx: &mut Context<'_>) -> bool {
        let mut busy = false;
        for index in 0..self.sockets.len() {
            let Some(socket) = self.sockets[index].as_mut() else { continue };
            match socket.poll(cx, &self.shared, &mut self.buffer) {
                Ok(moved) => busy |= moved,
                Err(error) => {
                    busy = true;
                    self.end(index, error);
                }
            }
        }
        self.moved |= busy;
        busy
    }

    /// A connection could not be made, or has ended.
    fn end(&mut self, index: usize, error: ConnectError) {
        let Some(socket) = self.sockets[index].take() else { return };
        let Socket { link, span, route, state, staged, .. } = socket;
        self.count_end(&state);
        // Its blocks are let go before the core hears of the end (R18).
        drop((state, staged));
        let reason = error.reason();
        span.in_scope(|| self.report(&route, error));
        let now = self.shared.clock.now();
        self.shared.lock().producer.handle_disconnected(now, link, reason);
    }

    fn count_end(&self, state: &State<C::Stream>) {
        if matches!(state, State::Open(_)) {
            self.shared.meters.disconnected.add(1);
        }
    }

    /// Logs the end of a connection, and remembers it if it is a fault.
    fn report(&self, route: &Route, error: ConnectError) {
        let broker = route.target.broker;
        match error.reason() {
            Reason::Idle | Reason::Replaced | Reason::Shutdown | Reason::Rebootstrap => {
                tracing::debug!(address = %route, broker, %error, "connection closed");
            }
            _ => {
                self.shared.meters.failed.add(1);
                let now = tokio::time::Instant::now();
                let reach = &self.shared.reach;
                let mut reach = reach.lock().unwrap_or_else(PoisonError::into_inner);
                let failures = reach.failed(route, now, error.clone());
                drop(reach);
                if failures == 1 {
                    tracing::warn!(address = %route, broker, %error, "connection failed");
                } else {
                    tracing::debug!(address = %route, broker, %error, failures, "connection failed");
                }
            }
        }
    }
}

type CoreGuard<'s> = std::sync::MutexGuard<'s, Core>;

impl<C: Connector> Drop for Driver<C> {
    /// The task ends early if it is aborted with its runtime: nothing may hang for that. R5.
    fn drop(&mut self) {
        self.sockets.iter().flatten().for_each(|socket| self.count_end(&socket.state));
        if self.shared.lock().ended {
            return;
        }
        self.sockets.clear();
        let (not_written, unknown) = self.shared.abandon(true);
        if not_written > 0 || unknown > 0 {
            tracing::warn!(not_written, unknown, "the runtime ended with records under way");
        }
    }
}

impl<S> Socket<S> {
    /// Logs a change of its state.
    fn log(&self, change: &str) {
        let broker = self.route.target.broker;
        self.span.in_scope(|| tracing::debug!(address = %self.route, broker, "{change}"));
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Moves bytes as far as it goes. True if any moved.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        shared: &Shared,
        buffer: &mut [u8],
    ) -> Result<bool, ConnectError> {
        if let State::Connecting(connecting) = &mut self.state {
            let Poll::Ready(stream) = connecting.as_mut().poll(cx) else { return Ok(false) };
            self.state = State::Open(stream?);
            shared.meters.connected.add(1);
            self.log("connected");
            let now = shared.clock.now();
            shared.lock().producer.handle_connected(now, self.link);
            return Ok(true);
        }
        let lost = |error: io::Error| ConnectError::new(Reason::Disconnected, error.to_string());
        let written = self.poll_write(cx).map_err(lost)?;
        if written > 0 {
            shared.meters.written.add(written as u64);
            let now = shared.clock.now();
            shared.lock().producer.consume_output(now, self.link, written);
        }
        let read = match self.poll_read(cx, buffer) {
            Poll::Pending => 0,
            Poll::Ready(Ok(0)) => return Err(ConnectError::new(Reason::Disconnected, "")),
            Poll::Ready(Ok(read)) => read,
            Poll::Ready(Err(error)) => return Err(lost(error)),
        };
        if read > 0 {
            shared.meters.read.add(read as u64);
            if self.heard == Heard::Nothing {
                self.heard = Heard::Something;
            }
            let now = shared.clock.now();
            shared.lock().producer.handle_input(now, self.link, &buffer[..read]);
        }
        Ok(written > 0 || read > 0)
    }

    /// Writes what is staged, and returns how many bytes went.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> io::Result<usize> {
        let State::Open(stream) = &mut self.state else { return Ok(0) };
        let mut stream = Pin::new(stream);
        let mut written = 0;
        while !self.staged.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = self.staged.slices(&mut slices);
            match stream.as_mut().poll_write_vectored(cx, &slices[..count]) {
                Poll::Pending => break,
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => {
                    self.staged.advance(count);
                    self.unflushed = true;
                    written += count;
                }
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        if self.unflushed && self.staged.is_empty() && stream.poll_flush(cx)?.is_ready() {
            self.unflushed = false;
        }
        Ok(written)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let State::Open(stream) = &mut self.state else { return Poll::Pending };
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }
}
