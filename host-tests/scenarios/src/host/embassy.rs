//! The adapter for embassy, over streams in memory, with the mock driver of its clock.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_time::MockDriver;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use ottla::Reason;
use ottla_embassy::stream::{Open, Streams};
use ottla_embassy::transport::Target;
use ottla_embassy::{Error, Fixed, Settings};

use super::{DAY, Host, Line, Offer, Setup, Told};
use crate::fate::Fate;

ottla_embassy::producer! {
    /// As roomy as the bare machine's memory.
    Node<CriticalSectionRawMutex> {
        topics: 4, partitions: 16, batches: 96, requests: 40, links: 6, brokers: 12, host: 32,
        names: 256, blocks: 24, block_size: 16_384, waits: 256,
    }
}

/// A device has one, for ever.
static NODE: Node = Node::new(Fixed::new());
static STARTED: AtomicBool = AtomicBool::new(false);

/// Polls at one instant that are a loop.
const POLLS_MAX: u32 = 10_000;

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A connection.
#[derive(Default)]
struct Wire {
    made: Option<Result<(), Reason>>,
    arrived: VecDeque<u8>,
    over: bool,
}

/// What the connectors share with the host.
#[derive(Default)]
struct Net {
    wires: BTreeMap<Line, Wire>,
    next_line: Line,
    /// Those who wait: there is one task.
    waker: Option<Waker>,
    told: Vec<Told>,
}

type Shared = Rc<RefCell<Net>>;

impl Net {
    fn wait<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// A connection that is given up when it is dropped.
struct Cord {
    net: Shared,
    line: Line,
}

impl Drop for Cord {
    fn drop(&mut self) {
        let mut net = self.net.borrow_mut();
        let wire = net.wires.remove(&self.line);
        if wire.is_some_and(|wire| !wire.over && !matches!(wire.made, Some(Err(_)))) {
            net.told.push(Told::HungUp(self.line));
        }
    }
}

struct Opener(Shared);
struct Half(Rc<Cord>);

#[derive(Debug)]
struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is over")
    }
}

impl std::error::Error for Broken {}

impl embedded_io_async::Error for Broken {
    fn kind(&self) -> ErrorKind {
        ErrorKind::ConnectionReset
    }
}

impl ErrorType for Half {
    type Error = Broken;
}

impl Read for Half {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Broken> {
        poll_fn(|cx| {
            let mut net = self.0.net.borrow_mut();
            let Some(wire) = net.wires.get_mut(&self.0.line) else {
                return Poll::Ready(Err(Broken));
            };
            if wire.arrived.is_empty() {
                return if wire.over { Poll::Ready(Ok(0)) } else { net.wait(cx) };
            }
            let count = wire.arrived.len().min(buffer.len());
            for (to, from) in buffer.iter_mut().zip(wire.arrived.drain(..count)) {
                *to = from;
            }
            Poll::Ready(Ok(count))
        })
        .await
    }
}

impl Write for Half {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        let mut net = self.0.net.borrow_mut();
        match net.wires.get(&self.0.line) {
            Some(wire) if !wire.over => {
                net.told.push(Told::Written(self.0.line, bytes.to_vec()));
                Ok(bytes.len())
            }
            _ => Err(Broken),
        }
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        Ok(())
    }
}

impl Open for Opener {
    type Reader<'a> = Half;
    type Writer<'a> = Half;

    async fn open(&mut self, target: Target<'_>) -> Result<(Half, Half), Reason> {
        let cord = {
            let mut net = self.0.borrow_mut();
            let line = net.next_line;
            net.next_line += 1;
            net.wires.insert(line, Wire::default());
            net.told.push(Told::Connect(line, target.host.to_owned(), target.port));
            Rc::new(Cord { net: Rc::clone(&self.0), line })
        };
        poll_fn(|cx| {
            let mut net = cord.net.borrow_mut();
            match net.wires.get(&cord.line).and_then(|wire| wire.made) {
                Some(made) => Poll::Ready(made),
                None => net.wait(cx),
            }
        })
        .await?;
        Ok((Half(Rc::clone(&cord)), Half(cord)))
    }
}

type Sending = Pin<Box<dyn Future<Output = Fate>>>;
type Ending = Pin<Box<dyn Future<Output = Result<(), Error>>>>;

pub(crate) struct Embassy {
    net: Shared,
    flag: Arc<Flag>,
    runner: Option<Pin<Box<dyn Future<Output = ()>>>>,
    sending: Vec<(usize, Sending)>,
    flushing: Option<Ending>,
    closing: Option<Ending>,
}

impl Embassy {
    pub(crate) fn start(setup: &Setup) -> Self {
        assert!(!STARTED.swap(true, Ordering::SeqCst), "one script in a process");
        let net = Shared::default();
        let config = &setup.config;
        let addresses = config.bootstrap_servers().iter();
        let addresses: Vec<(&str, u16)> = addresses.map(|(h, port)| (h.as_str(), *port)).collect();
        let max_block = u64::try_from(config.max_block().as_millis()).unwrap_or(u64::MAX);
        let settings = Settings {
            config: *config.core(),
            max_block: embassy_time::Duration::from_millis(max_block),
            client_id: config.client_id(),
            ..Settings::new(&addresses, setup.seed)
        };
        let mut runner = NODE.start(&settings).expect("settings that the other hosts take");
        assert!(NODE.set_wall_clock(DAY.cast_unsigned()), "the time of day is plausible");
        let links = [(); 6].map(|()| Streams::<_, 2_048, 2_048>::new(Opener(Rc::clone(&net))));
        let runner = async move { runner.run(links).await };
        Self {
            net,
            flag: Arc::new(Flag(AtomicBool::new(true))),
            runner: Some(Box::pin(runner)),
            sending: Vec::new(),
            flushing: None,
            closing: None,
        }
    }

    fn tell(&self, told: Told) {
        self.net.borrow_mut().told.push(told);
    }

    /// Polls what the application waits for, as it does when it calls.
    fn listen(&mut self) {
        let waker = Waker::from(Arc::clone(&self.flag));
        let cx = &mut Context::from_waker(&waker);
        for (number, mut sending) in std::mem::take(&mut self.sending) {
            match sending.as_mut().poll(cx) {
                Poll::Pending => self.sending.push((number, sending)),
                Poll::Ready(fate) => self.tell(Told::Outcome(number, fate)),
            }
        }
        let flushing = self.flushing.take();
        let closing = self.closing.take();
        for (ending, told) in [(flushing, Told::Flushed), (closing, Told::Closed)] {
            let Some(mut ending) = ending else { continue };
            match ending.as_mut().poll(cx) {
                Poll::Ready(result) => {
                    assert!(result.is_ok(), "there are places enough to wait");
                    self.tell(told);
                }
                Poll::Pending if told == Told::Flushed => self.flushing = Some(ending),
                Poll::Pending => self.closing = Some(ending),
            }
        }
    }

    /// Everything that goes on without time passing.
    fn settle(&mut self) {
        for _ in 0..POLLS_MAX {
            if !self.flag.0.swap(false, Ordering::SeqCst) {
                return;
            }
            let waker = Waker::from(Arc::clone(&self.flag));
            if let Some(runner) = &mut self.runner
                && runner.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
            {
                self.runner = None;
            }
            self.listen();
        }
        panic!("the runner does not come to rest");
    }
}

impl Host for Embassy {
    fn now(&self) -> u64 {
        embassy_time::Instant::now().as_millis()
    }

    fn run(&mut self, until: u64) -> Vec<Told> {
        loop {
            self.settle();
            let told = std::mem::take(&mut self.net.borrow_mut().told);
            if !told.is_empty() || self.now() >= until {
                return told;
            }
            MockDriver::get().advance(embassy_time::Duration::from_millis(1));
        }
    }

    fn produce(&mut self, offer: Offer) {
        let number = offer.number;
        let sending = async move {
            let topic = match NODE.topic(&offer.topic) {
                Ok(topic) => topic,
                Err(refused) => return Fate::Refused(refused),
            };
            let delivery = match NODE.send(topic, &offer.record()).await {
                Ok(delivery) => delivery,
                Err(Error::Refused(refused) | Error::Waited(refused)) => {
                    return Fate::Refused(refused);
                }
                Err(error) => panic!("a limit that the other hosts do not have: {error}"),
            };
            Fate::of(delivery.await, 0)
        };
        self.sending.push((number, Box::pin(sending)));
        self.listen();
    }

    fn flush(&mut self) {
        self.flushing = Some(Box::pin(NODE.flush()));
        self.listen();
    }

    fn close(&mut self, timeout: Duration) {
        let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let timeout = embassy_time::Duration::from_millis(millis);
        self.closing = Some(Box::pin(NODE.close(timeout)));
        self.listen();
    }

    fn connected(&mut self, line: Line) {
        let mut net = self.net.borrow_mut();
        if let Some(wire) = net.wires.get_mut(&line) {
            wire.made = Some(Ok(()));
        }
        net.wake();
    }

    fn refused(&mut self, line: Line, reason: Reason) {
        let mut net = self.net.borrow_mut();
        if let Some(wire) = net.wires.get_mut(&line) {
            wire.made = Some(Err(reason));
        }
        net.wake();
    }

    fn receive(&mut self, line: Line, bytes: &[u8]) {
        let mut net = self.net.borrow_mut();
        if let Some(wire) = net.wires.get_mut(&line) {
            wire.arrived.extend(bytes);
        }
        net.wake();
    }

    fn end(&mut self, line: Line) {
        let mut net = self.net.borrow_mut();
        if let Some(wire) = net.wires.get_mut(&line) {
            wire.over = true;
        }
        net.wake();
    }
}
