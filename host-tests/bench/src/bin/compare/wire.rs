//! A forwarder in front of the broker: far away, or slow, or counting what is produced.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use ottla::message::Api;
use ottla::message::produce::broker::Request;
use serde_json::{Value, json};

/// What is read at once.
const CHUNK: usize = 256 * 1024;

/// What a slow broker reads at once.
const SIP: usize = 16 * 1024;

/// A broker that is slow stands still for so long, after as long a time in which it reads.
const STALL: Duration = Duration::from_secs(5);

/// Where a batch tells its length, and how many bytes stand before what it counts.
const LENGTH: usize = 8;
const BEFORE: usize = 12;
/// Where it tells the number of its records.
const COUNT: usize = 57;

/// What becomes of bytes on connections that are made from now on.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// Batches are counted.
    Counted,
    /// Every byte comes half of this round trip after it was sent, however much is under way.
    Far(Duration),
    /// The broker reads so many bytes in a second, and stands still for half of the time.
    Slow(u32),
}

/// What clients have produced.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    pub requests: u64,
    pub batches: u64,
    pub bytes: u64,
    pub records: u64,
    /// Connections that carried a Produce request.
    pub connections: u64,
    versions: BTreeSet<i16>,
    fault: Option<String>,
}

impl Traffic {
    pub fn json(&self) -> Value {
        json!({
            "requests": self.requests, "batches": self.batches, "batch_bytes": self.bytes,
            "records": self.records, "connections": self.connections,
            "produce_versions": self.versions,
        })
    }

    /// Notes a request; the frame is without its size.
    fn note(&mut self, frame: &[u8]) -> Result<()> {
        let version = i16::from_be_bytes([frame[2], frame[3]]);
        // API, version, correlation id, client id, and from version 9 on tags.
        let client = u16::from_be_bytes([frame[8], frame[9]]);
        let client = if client == u16::MAX { 0 } else { usize::from(client) };
        let tags = usize::from(Api::Produce.is_flexible(version));
        let body = frame.get(10 + client + tags..).context("a request without a body")?;
        let request = Request::read(body, version).map_err(|fault| anyhow!("{fault}"))?;
        self.versions.insert(version);
        self.requests += 1;
        for partition in request.topics.iter().flat_map(|topic| &topic.partitions) {
            let mut rest = partition.records.unwrap_or_default();
            while !rest.is_empty() {
                let number = |at: usize| {
                    let four = rest.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
                    four.map(u32::from_be_bytes).context("a batch that is cut")
                };
                let size = BEFORE + number(LENGTH)? as usize;
                self.records += u64::from(number(COUNT)?);
                self.batches += 1;
                self.bytes += size as u64;
                rest = rest.get(size..).context("a batch that is cut")?;
            }
        }
        Ok(())
    }
}

/// The forwarder. It ends with the process.
pub struct Wire {
    address: SocketAddr,
    upstream: Arc<OnceLock<SocketAddr>>,
    way: Arc<Mutex<Way>>,
    traffic: Arc<Mutex<Traffic>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wire {
    pub fn start() -> Result<Wire> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port")?;
        let wire = Wire {
            address: listener.local_addr()?,
            upstream: Arc::default(),
            way: Arc::new(Mutex::new(Way::Counted)),
            traffic: Arc::default(),
        };
        let (upstream, way) = (Arc::clone(&wire.upstream), Arc::clone(&wire.way));
        let traffic = Arc::clone(&wire.traffic);
        thread::spawn(move || {
            for client in listener.incoming() {
                let pair = || {
                    let upstream = upstream.get().context("nothing to lead to")?;
                    let (client, broker) = (client?, TcpStream::connect(upstream)?);
                    client.set_nodelay(true)?;
                    broker.set_nodelay(true)?;
                    forward(client, broker, *lock(&way), &traffic)
                };
                if let Err(error) = pair() {
                    eprintln!("the forwarder lost a connection: {error:#}");
                }
            }
        });
        Ok(wire)
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn lead_to(&self, upstream: SocketAddr) {
        let _ = self.upstream.set(upstream);
    }

    /// What becomes of the connections that follow.
    pub fn set(&self, way: Way) {
        *lock(&self.way) = way;
        *lock(&self.traffic) = Traffic::default();
    }

    /// What was counted since then.
    pub fn traffic(&self) -> Result<Traffic> {
        let traffic = lock(&self.traffic).clone();
        ensure!(traffic.fault.is_none(), "cannot count: {:?}", traffic.fault);
        Ok(traffic)
    }
}

fn forward(
    client: TcpStream,
    broker: TcpStream,
    way: Way,
    traffic: &Arc<Mutex<Traffic>>,
) -> Result<()> {
    let (from_client, to_client) = (client.try_clone()?, client);
    let (from_broker, to_broker) = (broker.try_clone()?, broker);
    match way {
        Way::Counted => {
            let traffic = Arc::clone(traffic);
            let mut frames = Frames::default();
            let look = move |bytes: &[u8]| frames.take(bytes, &traffic);
            thread::spawn(move || carry(from_client, to_broker, CHUNK, look));
            thread::spawn(move || carry(from_broker, to_client, CHUNK, |_| ()));
        }
        Way::Slow(speed) => {
            let begun = Instant::now();
            let look = move |bytes: &[u8]| {
                thread::sleep(Duration::from_secs(1) * bytes.len() as u32 / speed);
                let at = begun.elapsed().as_secs_f64() / STALL.as_secs_f64();
                if at as u64 % 2 == 1 {
                    thread::sleep(STALL.mul_f64(1.0 - at.fract()));
                }
            };
            thread::spawn(move || carry(from_client, to_broker, SIP, look));
            thread::spawn(move || carry(from_broker, to_client, CHUNK, |_| ()));
        }
        Way::Far(round_trip) => {
            delay(from_client, to_broker, round_trip / 2);
            delay(from_broker, to_client, round_trip / 2);
        }
    }
    Ok(())
}

fn carry(mut from: TcpStream, mut to: TcpStream, chunk: usize, mut look: impl FnMut(&[u8])) {
    let mut buffer = vec![0; chunk];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        look(&buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // The other side may have gone.
    let _ = to.shutdown(Shutdown::Both);
}

fn delay(mut from: TcpStream, mut to: TcpStream, one_way: Duration) {
    type Chunk = (Instant, Vec<u8>);
    let (sender, receiver): (Sender<Chunk>, Receiver<Chunk>) = channel();
    thread::spawn(move || {
        let mut buffer = vec![0; CHUNK];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if sender.send((Instant::now() + one_way, buffer[..count].to_vec())).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        for (at, bytes) in receiver {
            thread::sleep(at.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}

/// Finds the Produce requests of one connection.
#[derive(Default)]
struct Frames {
    bytes: Vec<u8>,
    produces: bool,
}

impl Frames {
    fn take(&mut self, bytes: &[u8], traffic: &Mutex<Traffic>) {
        self.bytes.extend_from_slice(bytes);
        let mut at = 0;
        while let Some((size, rest)) = self.bytes[at..].split_first_chunk() {
            let Some(frame) = rest.get(..u32::from_be_bytes(*size) as usize) else { break };
            at += 4 + frame.len();
            if !frame.starts_with(&Api::Produce.key().to_be_bytes()) {
                continue;
            }
            let mut traffic = lock(traffic);
            traffic.connections += u64::from(!self.produces);
            self.produces = true;
            if let Err(fault) = traffic.note(frame) {
                traffic.fault = Some(format!("{fault:#}"));
            }
        }
        self.bytes.drain(..at);
    }
}
