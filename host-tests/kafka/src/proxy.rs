//! A proxy that is as nasty as a bad network, and counts what it did.
//!
//! Every connection lives between half a second and one and a half, then ends in one of four ways:
//! by a reset, inside a request, inside an answer, at any byte, or after answers that were
//! swallowed. All answers come late. On demand everything stands still for a while. Produce answers
//! are decoded, those that never arrive as well, so that a batch whose success was told twice is
//! seen, and what brokers refused.

use std::collections::{BTreeMap, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::mem;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ottla::message::produce::{Answer, Item};
use ottla::message::{Api, Step};
use ottla::wire::input::{Frame, Input};

/// How long a thread waits for bytes before it looks at the clock.
const TICK: Duration = Duration::from_millis(10);
/// Answers are held for so long.
const DELAY: Duration = Duration::from_millis(100);
/// A way to end that waits for a frame is given up after this long.
const PATIENCE: Duration = Duration::from_millis(700);

/// What a proxy did and saw.
#[derive(Clone, Debug, Default)]
pub struct Hits {
    /// Connections that were cut.
    pub cuts: u32,
    /// Of these, cuts of a connection with a Produce request that the client had no answer to.
    pub unanswered: u32,
    /// Cuts inside a frame, of a request or of an answer.
    pub inside: u32,
    /// Produce answers that were swallowed.
    pub swallowed: u32,
    /// Base offsets that were answered again: the broker knew the batch.
    pub repeated: u32,
    /// Connections that stood still with a Produce request that the client had no answer to.
    pub stalled: u32,
    /// Connections that the broker ended with a Produce request that the client had no answer to.
    pub broken: u32,
    /// Connections that the client ended with such a request.
    pub abandoned: u32,
    /// The most Produce requests of one connection that the client had no answer to.
    pub deepest: u32,
    /// Partitions of Produce answers that tell of an error, by its code.
    pub errors: BTreeMap<i16, u32>,
    answered: BTreeMap<(Vec<u8>, i32, i64), u32>,
}

impl Hits {
    /// What several proxies did and saw.
    pub fn sum(of: impl IntoIterator<Item = Hits>) -> Hits {
        of.into_iter().fold(Hits::default(), |mut sum, hits| {
            sum.cuts += hits.cuts;
            sum.unanswered += hits.unanswered;
            sum.inside += hits.inside;
            sum.swallowed += hits.swallowed;
            sum.repeated += hits.repeated;
            sum.stalled += hits.stalled;
            sum.broken += hits.broken;
            sum.abandoned += hits.abandoned;
            sum.deepest = sum.deepest.max(hits.deepest);
            for (code, count) in hits.errors {
                *sum.errors.entry(code).or_default() += count;
            }
            sum
        })
    }
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Reset,
    InsideRequest,
    InsideAnswer,
    Swallow,
}

/// Who ended a connection, if it was not the proxy.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Broker,
}

/// A request on its way: API, version, and whether the client has its answer.
#[derive(Clone, Copy, Debug)]
struct Asked {
    produce: bool,
    version: i16,
}

/// State of one connection, shared by its threads.
#[derive(Debug)]
struct Line {
    client: TcpStream,
    broker: TcpStream,
    ends_at: Instant,
    ending: Ending,
    /// Where in a frame it is cut.
    place: u64,
    /// Until then nothing moves.
    stall: Arc<Stall>,
    /// It stood still, and that was counted.
    stood: AtomicBool,
    over: AtomicBool,
    /// Requests that the broker has not answered.
    asked: Mutex<VecDeque<Asked>>,
    /// Produce requests whose answer the client does not have.
    open: Mutex<u32>,
    hits: Arc<Mutex<Hits>>,
}

/// A time in which nothing moves, if there is one.
#[derive(Debug, Default)]
struct Stall {
    until: Mutex<Option<Instant>>,
    /// Begins with the next Produce request, so that something is on its way.
    armed: Mutex<Option<Duration>>,
}

impl Stall {
    /// Until when, if that is not over.
    fn end(&self) -> Option<Instant> {
        (*lock(&self.until)).filter(|end| Instant::now() < *end)
    }

    fn begin(&self) {
        if let Some(time) = lock(&self.armed).take() {
            *lock(&self.until) = Some(Instant::now() + time);
        }
    }

    /// Waits for its end.
    fn wait(&self) {
        while let Some(end) = self.end() {
            thread::sleep(end.saturating_duration_since(Instant::now()));
        }
    }
}

/// A proxy on loopback; it ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    stall: Arc<Stall>,
    upstream: Arc<Mutex<Option<SocketAddr>>>,
    hits: Arc<Mutex<Hits>>,
    lines: Arc<Mutex<Vec<Weak<Line>>>>,
    stop: Arc<AtomicBool>,
    calm: Arc<AtomicBool>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// Starts a proxy whose faults are drawn from `seed`. Where it leads to is said later, by
    /// [`Proxy::lead_to`].
    pub fn start(seed: u64) -> Result<Proxy> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port")?;
        listener.set_nonblocking(true)?;
        let proxy = Proxy {
            address: listener.local_addr()?,
            stall: Arc::default(),
            upstream: Arc::default(),
            hits: Arc::default(),
            lines: Arc::default(),
            stop: Arc::default(),
            calm: Arc::default(),
        };
        let (upstream, hits) = (proxy.upstream.clone(), proxy.hits.clone());
        let (stop, calm) = (proxy.stop.clone(), proxy.calm.clone());
        let (stall, lines) = (proxy.stall.clone(), proxy.lines.clone());
        println!("proxy seed {seed}");
        thread::spawn(move || {
            let mut random = seed;
            while !stop.load(Ordering::Relaxed) {
                // Connections that are made meanwhile wait with the system.
                stall.wait();
                match listener.accept() {
                    Ok((client, _)) => {
                        let Some(upstream) = *lock(&upstream) else { continue };
                        let calm = calm.load(Ordering::Relaxed);
                        // A broker that is down refuses: the client sees a closed connection.
                        if let Ok(line) = serve(client, upstream, &mut random, calm, &stall, &hits)
                        {
                            let mut lines = lock(&lines);
                            lines.retain(|line| line.strong_count() > 0);
                            lines.push(line);
                        }
                    }
                    Err(_) => thread::sleep(TICK),
                }
            }
        });
        Ok(proxy)
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Leads new connections to this address.
    pub fn lead_to(&self, upstream: SocketAddr) {
        *lock(&self.upstream) = Some(upstream);
    }

    /// New connections are left alone from now on.
    pub fn calm(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    /// New connections are cut again; those that were left alone go on.
    pub fn storm(&self) {
        self.calm.store(false, Ordering::Relaxed);
    }

    /// Nothing moves from the next Produce request on, for so long: no byte, no end of a connection, and nothing is
    /// refused.
    pub fn stall(&self, time: Duration) {
        *lock(&self.stall.armed) = Some(time);
    }

    /// Connections on which clients have no answer to a Produce request at this moment, and that
    /// are not about to be cut.
    pub fn unanswered(&self) -> usize {
        let lines = lock(&self.lines);
        let lines = lines.iter().filter_map(Weak::upgrade);
        let lines = lines.filter(|line| !line.is_over() && !line.is_due());
        lines.filter(|line| *lock(&line.open) > 0).count()
    }

    /// What happened so far.
    pub fn hits(&self) -> Hits {
        let mut hits = lock(&self.hits);
        // After an hour these are a million, and nobody asks for them.
        let answered = mem::take(&mut hits.answered);
        let copy = hits.clone();
        hits.answered = answered;
        copy
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn next(random: &mut u64) -> u64 {
    *random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *random;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn serve(
    client: TcpStream,
    upstream: SocketAddr,
    random: &mut u64,
    calm: bool,
    stall: &Arc<Stall>,
    hits: &Arc<Mutex<Hits>>,
) -> Result<Weak<Line>> {
    client.set_nonblocking(false)?;
    let broker = TcpStream::connect_timeout(&upstream, Duration::from_secs(1))?;
    for socket in [&client, &broker] {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(TICK))?;
    }
    let life = if calm { 3_600_000 } else { 500 + next(random) % 1_000 };
    let endings = [Ending::Reset, Ending::InsideRequest, Ending::InsideAnswer, Ending::Swallow];
    let line = Arc::new(Line {
        client,
        broker,
        ends_at: Instant::now() + Duration::from_millis(life),
        ending: endings[(next(random) % 4) as usize],
        place: next(random),
        stall: stall.clone(),
        stood: AtomicBool::new(false),
        over: AtomicBool::new(false),
        asked: Mutex::default(),
        open: Mutex::default(),
        hits: hits.clone(),
    });
    let (sender, receiver) = channel();
    let weak = Arc::downgrade(&line);
    let (requests, answers, writer) = (line.clone(), line.clone(), line);
    thread::spawn(move || requests.forward_requests());
    thread::spawn(move || answers.read_answers(&sender));
    thread::spawn(move || writer.write_answers(&receiver));
    Ok(weak)
}

impl Line {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn is_due(&self) -> bool {
        Instant::now() >= self.ends_at
    }

    /// Ends the connection as a fault, once.
    fn cut(&self, inside: bool) {
        if self.over.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut hits = lock(&self.hits);
        hits.cuts += 1;
        hits.unanswered += u32::from(*lock(&self.open) > 0);
        hits.inside += u32::from(inside);
        drop(hits);
        self.close();
    }

    /// Somebody ended the connection.
    fn ended(&self, by: Side) {
        if self.over.swap(true, Ordering::Relaxed) {
            return;
        }
        if *lock(&self.open) > 0 {
            let mut hits = lock(&self.hits);
            match by {
                Side::Client => hits.abandoned += 1,
                Side::Broker => hits.broken += 1,
            }
        }
        self.close();
    }

    /// The part of a frame that passes before a cut inside of it.
    fn part<'a>(&self, frame: &'a [u8]) -> &'a [u8] {
        let end = 1 + self.place % (frame.len() as u64 - 1);
        &frame[..end as usize]
    }

    /// Waits while nothing moves.
    fn stand_still(&self) {
        if self.stall.end().is_none() {
            return;
        }
        if *lock(&self.open) > 0 && !self.stood.swap(true, Ordering::Relaxed) {
            lock(&self.hits).stalled += 1;
        }
        self.stall.wait();
    }

    fn close(&self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.broker.shutdown(Shutdown::Both);
    }

    /// Reads a frame, its size included. `None`: the connection is over.
    fn frame(&self, from: Side) -> Option<Vec<u8>> {
        let mut socket = match from {
            Side::Client => &self.client,
            Side::Broker => &self.broker,
        };
        let mut frame = vec![0; 4];
        let mut filled = 0;
        while filled < frame.len() {
            self.stand_still();
            if self.is_over() {
                return None;
            }
            let patience = if self.ending == Ending::Reset { Duration::ZERO } else { PATIENCE };
            if Instant::now() >= self.ends_at + patience {
                self.cut(false);
                return None;
            }
            match socket.read(&mut frame[filled..]) {
                Ok(0) => {
                    self.ended(from);
                    return None;
                }
                Ok(count) => filled += count,
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => {
                    self.ended(from);
                    return None;
                }
            }
            if filled == 4 && frame.len() == 4 {
                let size = u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]);
                frame.resize(4 + size as usize, 0);
            }
        }
        Some(frame)
    }

    fn forward_requests(&self) {
        while let Some(frame) = self.frame(Side::Client) {
            let key = i16::from_be_bytes([frame[4], frame[5]]);
            let version = i16::from_be_bytes([frame[6], frame[7]]);
            let produce = key == Api::Produce.key();
            lock(&self.asked).push_back(Asked { produce, version });
            if produce {
                // One lock after the other: a cut holds both.
                let deep = {
                    let mut open = lock(&self.open);
                    *open += 1;
                    *open
                };
                let mut hits = lock(&self.hits);
                hits.deepest = hits.deepest.max(deep);
            }
            if produce && self.is_due() && self.ending == Ending::InsideRequest {
                let _ = (&self.broker).write_all(self.part(&frame));
                self.cut(true);
                return;
            }
            if (&self.broker).write_all(&frame).is_err() {
                self.ended(Side::Broker);
            }
            if produce {
                self.stall.begin();
            }
        }
    }

    fn read_answers(&self, to: &Sender<(Instant, Asked, Vec<u8>)>) {
        while let Some(frame) = self.frame(Side::Broker) {
            let Some(asked) = lock(&self.asked).pop_front() else { break };
            if asked.produce {
                note(&frame, asked.version, &mut lock(&self.hits)).expect("a Produce answer");
            }
            if to.send((Instant::now() + DELAY, asked, frame)).is_err() {
                break;
            }
        }
    }

    fn write_answers(&self, from: &Receiver<(Instant, Asked, Vec<u8>)>) {
        let mut swallowed = 0;
        for (at, asked, frame) in from {
            thread::sleep(at.saturating_duration_since(Instant::now()));
            self.stand_still();
            if self.is_over() {
                return;
            }
            if asked.produce && self.is_due() {
                match self.ending {
                    Ending::InsideAnswer => {
                        let _ = (&self.client).write_all(self.part(&frame));
                        self.cut(true);
                        return;
                    }
                    Ending::Swallow => {
                        lock(&self.hits).swallowed += 1;
                        swallowed += 1;
                        if swallowed == 2 {
                            self.cut(false);
                            return;
                        }
                        continue;
                    }
                    Ending::Reset | Ending::InsideRequest => {}
                }
            }
            // After a swallowed answer nothing else may pass: answers keep their order.
            if swallowed > 0 {
                continue;
            }
            if asked.produce {
                // Before the client can send the next one for it.
                let mut open = lock(&self.open);
                *open = open.saturating_sub(1);
            }
            if (&self.client).write_all(&frame).is_err() {
                self.ended(Side::Client);
                return;
            }
        }
    }
}

/// Notes the base offsets of a Produce answer.
fn note(frame: &[u8], version: i16, hits: &mut Hits) -> Result<()> {
    let header = if Api::Produce.has_answer_tags(version) { 9 } else { 8 };
    let body = frame.get(header..).context("an answer without a body")?;
    let mut state = Frame::default();
    state.start(u32::try_from(body.len())?);
    let mut input = Input::new(&mut state, body);
    let mut answer = Answer::default();
    let mut topic = Vec::new();
    loop {
        match answer.next(version, &mut input).map_err(|fault| anyhow::anyhow!("{fault}"))? {
            Step::End => return Ok(()),
            Step::More => ensure!(false, "an answer that is cut"),
            Step::Item(Item::Topic(name)) => topic = name.to_vec(),
            Step::Item(Item::Partition(part)) if part.error.is_success() => {
                let key = (topic.clone(), part.index, part.base_offset);
                let times = hits.answered.entry(key).or_default();
                *times += 1;
                hits.repeated += u32::from(*times == 2);
            }
            Step::Item(Item::Partition(part)) => {
                *hits.errors.entry(part.error.0).or_default() += 1;
            }
            Step::Item(_) => {}
        }
    }
}
