//! A proxy that is as slow as a bad link, loses nothing, and counts what passes.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ottla::message::Api;
use ottla::message::produce::broker::Request;
use ottla::record::reader::Batch;

use crate::proxy::lock;

/// How long the listener sleeps when there is nothing to accept.
const TICK: Duration = Duration::from_millis(10);

/// Bytes that travel together: as in a packet, each waits for the one before.
const PACKET: usize = 512;

/// What makes a batch one and the same: partition, producer id, epoch, first sequence.
type BatchId = (i32, i64, i16, i32);

/// What passed through a proxy.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    /// Connections that clients made.
    pub connections: u32,
    /// Those that had carried a Produce request.
    pub producing: u32,
    /// Those that were ended while a Produce request was not answered.
    pub broken: u32,
    /// Bytes from clients, from the first Produce request of all on.
    pub bytes: u64,
    /// Bytes of Produce requests whose batches were all new: batches and their envelopes.
    pub useful: u64,
    /// Produce requests.
    pub requests: u32,
    /// Batches.
    pub batches: u32,
    /// Batches that had been sent before.
    pub repeated: u32,
    /// Longest time between a Produce request that has passed and its answer that has.
    pub longest: Duration,
    seen: BTreeSet<BatchId>,
}

/// A slow proxy on loopback; it ends when dropped.
#[derive(Debug)]
pub struct Slow {
    address: SocketAddr,
    traffic: Arc<Mutex<Traffic>>,
    stop: Arc<AtomicBool>,
}

/// How slow.
#[derive(Clone, Copy)]
struct Speed {
    bytes_per_second: u32,
    one_way: Duration,
}

impl Slow {
    /// Starts a proxy to `upstream`, with this speed in each direction and this round trip.
    pub fn start(
        upstream: SocketAddr,
        bytes_per_second: u32,
        round_trip: Duration,
    ) -> Result<Slow> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port")?;
        listener.set_nonblocking(true)?;
        let proxy =
            Slow { address: listener.local_addr()?, traffic: Arc::default(), stop: Arc::default() };
        let (traffic, stop) = (proxy.traffic.clone(), proxy.stop.clone());
        let speed = Speed { bytes_per_second, one_way: round_trip / 2 };
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                match listener.accept() {
                    // Without a broker the client sees a closed connection.
                    Ok((client, _)) => drop(serve(client, upstream, speed, &traffic)),
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

    /// What passed so far.
    pub fn traffic(&self) -> Traffic {
        lock(&self.traffic).clone()
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn serve(
    client: TcpStream,
    upstream: SocketAddr,
    speed: Speed,
    traffic: &Arc<Mutex<Traffic>>,
) -> Result<()> {
    client.set_nonblocking(false)?;
    let broker = TcpStream::connect_timeout(&upstream, Duration::from_secs(1))?;
    lock(traffic).connections += 1;
    for socket in [&client, &broker] {
        socket.set_nodelay(true)?;
    }
    let watch = Arc::new(Mutex::new(Watch { traffic: traffic.clone(), ..Watch::default() }));
    carry(client.try_clone()?, broker.try_clone()?, speed, watch.clone(), Watch::take_requests);
    carry(broker, client, speed, watch, Watch::take_answers);
    Ok(())
}

/// Carries bytes one way, on two threads: one lets them onto the line, the other takes them off.
fn carry(
    from: TcpStream,
    to: TcpStream,
    speed: Speed,
    watch: Arc<Mutex<Watch>>,
    look: fn(&mut Watch, &[u8]),
) {
    let (sender, receiver) = channel();
    thread::spawn(move || put(from, &sender, speed, &watch, look));
    thread::spawn(move || take(to, &receiver));
}

fn put(
    mut from: TcpStream,
    line: &Sender<(Instant, Vec<u8>)>,
    speed: Speed,
    watch: &Mutex<Watch>,
    look: fn(&mut Watch, &[u8]),
) {
    let mut packet = [0; PACKET];
    // An error is an end like any other.
    while let Ok(count) = from.read(&mut packet) {
        if count == 0 {
            break;
        }
        let bytes = &packet[..count];
        look(&mut lock(watch), bytes);
        // The line is busy for so long; meanwhile the sender has to wait.
        thread::sleep(Duration::from_secs(1) * count as u32 / speed.bytes_per_second);
        if line.send((Instant::now() + speed.one_way, bytes.to_vec())).is_err() {
            break;
        }
    }
    lock(watch).ended();
}

fn take(mut to: TcpStream, line: &Receiver<(Instant, Vec<u8>)>) {
    for (at, bytes) in line {
        thread::sleep(at.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// Follows the frames of one connection.
#[derive(Default)]
struct Watch {
    requests: Vec<u8>,
    answers: Vec<u8>,
    /// Requests without an answer: when each passed, if it is a Produce request.
    asked: std::collections::VecDeque<Option<Instant>>,
    produces: bool,
    over: bool,
    traffic: Arc<Mutex<Traffic>>,
}

/// The first frame, without its size, if it is whole.
fn frame(buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let (size, rest) = buffer.split_first_chunk()?;
    let size = u32::from_be_bytes(*size) as usize;
    let frame = rest.get(..size)?.to_vec();
    buffer.drain(..4 + size);
    Some(frame)
}

impl Watch {
    fn take_requests(&mut self, bytes: &[u8]) {
        self.requests.extend_from_slice(bytes);
        let mut traffic = lock(&self.traffic);
        let mut rest = bytes.len();
        while let Some(frame) = frame(&mut self.requests) {
            let key = i16::from_be_bytes([frame[0], frame[1]]);
            let produce = key == Api::Produce.key();
            self.asked.push_back(produce.then(Instant::now));
            if produce {
                if traffic.requests == 0 {
                    // Of what came before nothing counts, but this request does in full.
                    rest = self.requests.len();
                    traffic.bytes = 4 + frame.len() as u64;
                }
                traffic.producing += u32::from(!self.produces);
                self.produces = true;
                traffic.note(&frame).expect("a Produce request");
            }
        }
        if traffic.requests > 0 {
            traffic.bytes += rest as u64;
        }
    }

    fn take_answers(&mut self, bytes: &[u8]) {
        self.answers.extend_from_slice(bytes);
        while frame(&mut self.answers).is_some() {
            if let Some(Some(at)) = self.asked.pop_front() {
                let mut traffic = lock(&self.traffic);
                traffic.longest = traffic.longest.max(at.elapsed());
            }
        }
    }

    fn ended(&mut self) {
        if !self.over && self.asked.iter().any(Option::is_some) {
            lock(&self.traffic).broken += 1;
        }
        self.over = true;
    }
}

impl Traffic {
    /// Notes a Produce request.
    fn note(&mut self, frame: &[u8]) -> Result<()> {
        let version = i16::from_be_bytes([frame[2], frame[3]]);
        // API, version, correlation id, client id, and from version 9 on tags.
        let client = usize::from(u16::from_be_bytes([frame[8], frame[9]]));
        let tags = usize::from(Api::Produce.is_flexible(version));
        let body = frame.get(10 + client + tags..).context("a request without a body")?;
        let request = Request::read(body, version).map_err(|fault| anyhow::anyhow!("{fault}"))?;
        self.requests += 1;
        let mut new = true;
        for partition in request.topics.iter().flat_map(|topic| &topic.partitions) {
            let mut rest = partition.records.unwrap_or_default();
            while !rest.is_empty() {
                let (batch, after) =
                    Batch::read(rest).map_err(|fault| anyhow::anyhow!("{fault}"))?;
                let id =
                    (partition.index, batch.producer_id, batch.producer_epoch, batch.base_sequence);
                self.batches += 1;
                if !self.seen.insert(id) {
                    self.repeated += 1;
                    new = false;
                }
                rest = after;
            }
        }
        if new {
            self.useful += 4 + frame.len() as u64;
        }
        Ok(())
    }
}
