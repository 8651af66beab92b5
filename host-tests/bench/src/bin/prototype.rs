//! What does the server path of the producer cost, and which primitives should it stand on?
//!
//! Written before the tokio adapter, to choose by measurement: the lock, the checksum, shared
//! blocks, delivery cells, `send` or `send_many`, and how to write. It models the path and is
//! not the path: no partitions, no errors, no retries. It stays as the record of the decision.
//!
//! ```text
//! cargo run --release --bin prototype            all rows, 9 rounds
//! cargo run --release --bin prototype -- 4 15    rows whose group starts with "4", 15 rounds
//! ```
//!
//! Two harnesses. `fill` runs the append path alone on one thread (no socket, no runtime) and
//! resolves about a nanosecond. `pipeline` runs all of it: producer tasks frame records of 100
//! bytes into the open 64 KiB block behind the lock; a full block is sealed and shared with one
//! I/O task, which writes requests to a loopback socket, at most five unanswered; a separate
//! process drains them and answers each; the answer frees blocks and completes deliveries.
//!
//! The unit is nanoseconds of CPU (user and system) of this process per record, never wall time,
//! so that a busy machine distorts little; rounds interleave all rows; a line is the median
//! [lowest..highest] and, for `pipeline`, the cores kept busy on median (well above 1 means that
//! tasks really contended). How much of the receiving side of loopback TCP lands on the sender
//! is the kernel's affair; the receiving process itself is not counted.
//!
//! What it decided (November 2026, two virtual cores at 2.1 GHz, medians of 9 rounds):
//!
//! 1. Lock: `std`. Free, std and parking_lot add 13, tokio's lock 40; with 4 tasks on 2 workers a
//!    record costs 178, 200 and 426 instead of 70.
//! 2. Checksum: the records at seal, +4 with crc32c or +2 with crc-fast; at every record +17.
//!    The sum over the records is kept and combined with the header's by `combine`, 0.5; the
//!    libraries' own combining costs 40 to 65 per record. crc32c: 3 crates, not 7.
//! 3. Blocks: shared. Copying costs 3 more, and the lock is held for it. `Arc::get_mut` at each
//!    record costs 6, hence twice per batch; a call through `dyn` costs nothing to be seen.
//! 4. Delivery: one cell per batch. Dropped +17, collected and awaited +20; oneshots +72, +120.
//! 5. `send` 77, `send_many` of 10 records 35, of 100 31; with 4 tasks 181, 46, 36. A clock read
//!    at each `send` +23; loading a time that the I/O task publishes costs nothing to be seen
//!    (the load alone was measured, not the scheme).
//! 6. Write: one `writev` of up to 256 KiB, 31.5; a write per piece 33.3; 64 KiB 34.1; 1 MiB 31.4.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::io::{BufRead, BufReader, ErrorKind, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::pin::{Pin, pin};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crc_fast::CrcAlgorithm::Crc32Iscsi;
use rustix::time::{ClockId, clock_gettime};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};

const BATCH: usize = 64 * 1024;
const HEADER: usize = 61; // of a record batch; the checksum covers it from byte 21 on
const ENVELOPE: usize = 90; // of a Produce request, its length included
const ANSWER: usize = 48;
const UNANSWERED: usize = 5;
const BLOCKS: usize = 64;
const VALUE: [u8; 100] = [b'v'; 100];
const FRAMING: usize = 12; // more than the framing of one such record takes

struct Cost {
    cpu: f64,
    cores: f64,
}

fn cpu(clock: ClockId) -> f64 {
    let now = clock_gettime(clock);
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}

// ---- Append and seal -------------------------------------------------------------------------

#[derive(Clone, Copy)]
enum Library {
    Fast,
    Sse,
}

/// When the checksum reads the records. `Records` and `Chunks` are combined with the header's at
/// seal, so that sealing again (after an epoch bump) reads the header only.
#[derive(Clone, Copy)]
enum Crc {
    Never,
    /// Header and records in one go at seal.
    Whole(Library),
    /// Records in one go at seal.
    Records(Library),
    /// Records whenever so many bytes stand unread; 1 means each record at once.
    Chunks(Library, usize),
}

struct Sum {
    fast: crc_fast::Digest,
    sse: u32,
    read: usize,
}

impl Sum {
    fn new() -> Self {
        Sum { fast: crc_fast::Digest::new(Crc32Iscsi), sse: 0, read: HEADER }
    }

    fn update(&mut self, library: Library, block: &[u8]) {
        let bytes = &block[self.read..];
        match library {
            Library::Fast => self.fast.update(bytes),
            Library::Sse => self.sse = crc32c::crc32c_append(self.sse, bytes),
        }
        self.read = block.len();
    }
}

/// `a * b` modulo the polynomial of CRC-32C, bits reflected.
const fn multiply(a: u32, mut b: u32) -> u32 {
    let (mut product, mut bit) = (0, 32);
    while bit > 0 {
        bit -= 1;
        product ^= b & (a >> bit & 1).wrapping_neg();
        b = b >> 1 ^ 0x82f6_3b78 & (b & 1).wrapping_neg();
    }
    product
}

/// Entry n is x to the power 8 * 2^n: what moves a checksum over 2^n bytes.
const SHIFT: [u32; 24] = {
    let mut shift = [1 << 23; 24];
    let mut n = 1;
    while n < shift.len() {
        shift[n] = multiply(shift[n - 1], shift[n - 1]);
        n += 1;
    }
    shift
};

/// The checksum of two pieces from theirs. (The libraries' own square matrices at each call.)
fn combine(mut head: u32, tail: u32, tail_length: usize) -> u32 {
    for (n, shift) in SHIFT.into_iter().enumerate() {
        if tail_length >> n & 1 == 1 {
            head = multiply(shift, head);
        }
    }
    head ^ tail
}

fn varint(to: &mut [u8; FRAMING], at: &mut usize, value: i32) {
    let mut rest = (value << 1 ^ value >> 31) as u32;
    while rest > 0x7f {
        to[*at] = rest as u8 | 0x80;
        *at += 1;
        rest >>= 7;
    }
    to[*at] = rest as u8;
    *at += 1;
}

fn has_room(block: &[u8]) -> bool {
    block.len() + VALUE.len() + FRAMING <= BATCH
}

#[inline]
fn append(block: &mut Vec<u8>, index: u32, value: &[u8], crc: Crc, sum: &mut Sum) {
    let (mut frame, mut at) = ([0; FRAMING], 0);
    let index_length = if index < 64 { 1 } else { 2 };
    varint(&mut frame, &mut at, 6 + index_length + value.len() as i32);
    at += 2; // attributes, timestamp delta
    varint(&mut frame, &mut at, index as i32);
    varint(&mut frame, &mut at, -1); // no key
    varint(&mut frame, &mut at, value.len() as i32);
    block.extend_from_slice(&frame[..at]);
    block.extend_from_slice(value);
    block.push(0); // no headers
    if let Crc::Chunks(library, size) = crc
        && block.len() - sum.read >= size
    {
        sum.update(library, block);
    }
}

fn seal(block: &mut [u8], records: u32, crc: Crc, sum: &mut Sum) {
    let length = block.len() as i32 - 12;
    block[8..12].copy_from_slice(&length.to_be_bytes());
    block[57..HEADER].copy_from_slice(&records.to_be_bytes());
    let checksum = |library, bytes| match library {
        Library::Fast => crc_fast::crc32_iscsi(bytes),
        Library::Sse => crc32c::crc32c(bytes),
    };
    let value = match crc {
        Crc::Never => return,
        Crc::Whole(library) => checksum(library, &block[21..]),
        Crc::Records(library) | Crc::Chunks(library, _) => {
            sum.update(library, block);
            let records = match library {
                Library::Fast => sum.fast.finalize() as u32,
                Library::Sse => sum.sse,
            };
            combine(checksum(library, &block[21..HEADER]), records, block.len() - HEADER)
        }
    };
    debug_assert_eq!(value, crc32c::crc32c(&block[21..]));
    block[17..21].copy_from_slice(&value.to_be_bytes());
}

// ---- The append path alone -------------------------------------------------------------------

/// What the core reaches byte memory through.
trait Blocks {
    fn block(&mut self, index: usize) -> &mut Vec<u8>;
}

impl Blocks for Vec<Vec<u8>> {
    fn block(&mut self, index: usize) -> &mut Vec<u8> {
        &mut self[index]
    }
}

impl Blocks for Vec<Arc<Vec<u8>>> {
    fn block(&mut self, index: usize) -> &mut Vec<u8> {
        Arc::get_mut(&mut self[index]).expect("not shared")
    }
}

fn owned() -> Vec<Vec<u8>> {
    (0..BLOCKS).map(|_| vec![0; BATCH]).collect()
}

fn shared() -> Vec<Arc<Vec<u8>>> {
    owned().into_iter().map(Arc::new).collect()
}

/// Fills block after block, calling `extra` at each record.
#[inline(never)]
fn fill<B: Blocks + ?Sized>(blocks: &mut B, crc: Crc, extra: impl Fn()) -> Cost {
    let (mut at, mut index, mut sum) = (0, 0, Sum::new());
    blocks.block(0).truncate(HEADER);
    calls(2_000_000, || {
        extra();
        let block = blocks.block(at);
        append(block, index, black_box(&VALUE), crc, &mut sum);
        index += 1;
        if !has_room(block) {
            seal(block, index, crc, &mut sum);
            (at, index, sum) = ((at + 1) % BLOCKS, 0, Sum::new());
            blocks.block(at).truncate(HEADER);
        }
    })
}

#[inline]
fn calls(count: u32, mut call: impl FnMut()) -> Cost {
    let start = cpu(ClockId::ThreadCPUTime);
    for _ in 0..count {
        call();
    }
    Cost { cpu: (cpu(ClockId::ThreadCPUTime) - start) / f64::from(count), cores: 0.0 }
}

/// For a lock that is free: its future is ready at once.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("the lock is free"),
    }
}

// ---- The whole path --------------------------------------------------------------------------

#[derive(Clone, Copy, PartialEq)]
enum Use {
    Drop,
    AwaitEach,
    CollectThenAwait,
}

#[derive(Clone, Copy)]
struct Plan {
    workers: usize,
    tasks: u32,
    records: u32,
    lock: fn(State) -> Lock,
    crc: Crc,
    outcome: fn() -> Fate,
    usage: Use,
    /// Records per `send_many`; 1 is `send`.
    many: u32,
    /// A clock read per send.
    clock: bool,
    blocks: usize,
    /// The I/O task takes copies of the blocks instead of sharing them.
    copy: bool,
    /// One `writev` per request instead of one `write` per piece.
    vectored: bool,
    request: usize,
    linger: Option<Duration>,
}

const BASE: Plan = Plan {
    workers: 1,
    tasks: 1,
    records: 3_000_000,
    lock: Lock::std,
    crc: Crc::Records(Library::Sse),
    outcome: Fate::cell,
    usage: Use::Drop,
    many: 1,
    clock: false,
    blocks: BLOCKS,
    copy: false,
    vectored: true,
    request: 256 * 1024,
    linger: None,
};

enum Lock {
    Std(std::sync::Mutex<State>),
    Parking(parking_lot::Mutex<State>),
    Tokio(tokio::sync::Mutex<State>),
}

impl Lock {
    fn std(state: State) -> Self {
        Lock::Std(state.into())
    }

    fn parking(state: State) -> Self {
        Lock::Parking(state.into())
    }

    fn tokio(state: State) -> Self {
        Lock::Tokio(state.into())
    }

    #[inline]
    async fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        match self {
            Lock::Std(lock) => f(&mut lock.lock().expect("not poisoned")),
            Lock::Parking(lock) => f(&mut lock.lock()),
            Lock::Tokio(lock) => f(&mut *lock.lock().await),
        }
    }
}

/// The outcome of one batch, shared by the deliveries of its records.
#[derive(Default)]
struct Cell {
    base: AtomicU64, // offset of the first record, plus one; 0 while unknown
    wakers: std::sync::Mutex<Vec<Waker>>,
}

enum Delivery {
    Nothing,
    Cell(Arc<Cell>, u32),
    Oneshot(oneshot::Receiver<u64>),
}

impl Future for Delivery {
    type Output = u64;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u64> {
        let (cell, index) = match &mut *self {
            Delivery::Nothing => return Poll::Ready(0),
            Delivery::Oneshot(receiver) => {
                return Pin::new(receiver).poll(cx).map(|offset| offset.expect("an answer"));
            }
            Delivery::Cell(cell, index) => (cell, *index),
        };
        if cell.base.load(Ordering::Acquire) == 0 {
            let mut wakers = cell.wakers.lock().expect("not poisoned");
            if cell.base.load(Ordering::Acquire) == 0 {
                if !wakers.last().is_some_and(|last| last.will_wake(cx.waker())) {
                    wakers.push(cx.waker().clone());
                }
                return Poll::Pending;
            }
        }
        Poll::Ready(cell.base.load(Ordering::Relaxed) - 1 + u64::from(index))
    }
}

/// The other end of a batch's deliveries.
enum Fate {
    Nothing,
    Cell(Arc<Cell>),
    Oneshots(Vec<oneshot::Sender<u64>>),
}

impl Fate {
    fn nothing() -> Self {
        Fate::Nothing
    }

    fn cell() -> Self {
        Fate::Cell(Arc::default())
    }

    fn oneshots() -> Self {
        Fate::Oneshots(Vec::with_capacity(BATCH / VALUE.len()))
    }

    fn complete(self, base: u64) {
        match self {
            Fate::Nothing => {}
            Fate::Cell(cell) => {
                let mut wakers = cell.wakers.lock().expect("not poisoned");
                cell.base.store(base + 1, Ordering::Release);
                let waiting = std::mem::take(&mut *wakers);
                drop(wakers);
                waiting.into_iter().for_each(Waker::wake);
            }
            Fate::Oneshots(senders) => {
                for (offset, sender) in (base..).zip(senders) {
                    let _ = sender.send(offset);
                }
            }
        }
    }
}

type Block = Arc<Vec<u8>>;

/// While a block is open its bytes stand outside their `Arc`: one `Arc::get_mut` per batch takes
/// them out and one puts them back, so that no record pays for it and nothing is allocated.
struct Open {
    shell: Block,
    bytes: Vec<u8>,
    records: u32,
    sum: Sum,
    fate: Fate,
}

struct Sealed {
    block: Block,
    records: u32,
    fate: Fate,
}

struct State {
    plan: Plan,
    open: Option<Open>,
    queued: VecDeque<Sealed>,
    unanswered: VecDeque<Vec<Sealed>>,
    spare: Vec<Block>,
    working: u32,
}

impl State {
    /// Appends up to `count` records, at most to the end of one batch: how many, their delivery,
    /// whether to wake the I/O task. `None` without memory.
    #[inline]
    fn produce(&mut self, value: &[u8], count: u32) -> Option<(u32, Delivery, bool)> {
        let plan = self.plan;
        let mut wake = false;
        if self.open.is_none() {
            let mut shell = self.spare.pop()?;
            let mut bytes = std::mem::take(Arc::get_mut(&mut shell).expect("not shared"));
            bytes.truncate(HEADER);
            let fate = (plan.outcome)();
            self.open = Some(Open { shell, bytes, records: 0, sum: Sum::new(), fate });
            wake = plan.linger.is_some();
        }
        let open = self.open.as_mut()?;
        let first = open.records;
        while open.records - first < count && has_room(&open.bytes) {
            append(&mut open.bytes, open.records, value, plan.crc, &mut open.sum);
            open.records += 1;
        }
        let taken = open.records - first;
        let delivery = match &mut open.fate {
            Fate::Nothing => Delivery::Nothing,
            Fate::Cell(cell) => Delivery::Cell(Arc::clone(cell), first),
            Fate::Oneshots(senders) => {
                let (sender, receiver) = oneshot::channel();
                senders.push(sender);
                Delivery::Oneshot(receiver)
            }
        };
        if !has_room(&open.bytes) {
            self.close();
            wake = true;
        }
        Some((taken, delivery, wake))
    }

    fn close(&mut self) {
        if let Some(Open { mut shell, mut bytes, records, mut sum, fate }) = self.open.take() {
            seal(&mut bytes, records, self.plan.crc, &mut sum);
            *Arc::get_mut(&mut shell).expect("not shared") = bytes;
            self.queued.push_back(Sealed { block: shell, records, fate });
        }
    }

    /// The I/O task's one hold per turn: takes answers, collects the next request.
    fn exchange(&mut self, answers: usize, due: bool, turn: &mut Turn) {
        for sealed in self.unanswered.drain(..answers).flatten() {
            self.spare.push(sealed.block);
            turn.done.push((sealed.records, sealed.fate));
        }
        if due && self.queued.is_empty() {
            self.close();
        }
        let (mut request, limit) = (Vec::new(), self.plan.request);
        while self.unanswered.len() < UNANSWERED
            && let Some(next) =
                self.queued.pop_front_if(|next| turn.size + next.block.len() <= limit)
        {
            turn.size += next.block.len();
            match self.plan.copy {
                true => turn.copy.extend_from_slice(&next.block),
                false => turn.blocks.push(Arc::clone(&next.block)),
            }
            request.push(next);
        }
        if turn.size > 0 {
            self.unanswered.push_back(request);
        }
        turn.over = self.working == 0 && self.open.is_none() && self.unanswered.is_empty();
    }
}

/// What the I/O task takes out of the lock.
#[derive(Default)]
struct Turn {
    done: Vec<(u32, Fate)>,
    blocks: Vec<Block>,
    copy: Vec<u8>,
    size: usize,
    over: bool,
}

struct Shared {
    state: Lock,
    work: Notify,
    room: Notify,
}

async fn producer(shared: Arc<Shared>, plan: Plan) {
    let mut left = plan.records / plan.tasks;
    let mut kept = Vec::new();
    if plan.usage == Use::CollectThenAwait {
        kept.reserve(left as usize);
    }
    while left > 0 {
        if plan.clock {
            black_box(Instant::now());
        }
        let produce = |state: &mut State| state.produce(black_box(&VALUE), plan.many.min(left));
        let mut sent = shared.state.with(produce).await;
        while sent.is_none() {
            let room = shared.room.notified();
            sent = shared.state.with(produce).await;
            if sent.is_none() {
                room.await;
            }
        }
        let (taken, delivery, wake) = sent.expect("memory");
        if wake {
            shared.work.notify_one();
        }
        left -= taken;
        match plan.usage {
            Use::Drop => drop(delivery),
            Use::CollectThenAwait => kept.push(delivery),
            Use::AwaitEach => _ = black_box(delivery.await),
        }
    }
    if plan.linger.is_none() {
        shared.state.with(State::close).await;
        shared.work.notify_one();
    }
    for delivery in kept {
        black_box(delivery.await);
    }
    shared.state.with(|state| state.working -= 1).await;
    shared.work.notify_one();
}

async fn io(shared: Arc<Shared>, stream: TcpStream, plan: Plan) {
    let (mut base, mut read, mut due, mut scratch) = (0, 0, false, [0; 4096]);
    let mut turn = Turn::default();
    loop {
        match stream.try_read(&mut scratch) {
            Ok(0) => panic!("the sink went away"),
            Ok(n) => read += n,
            Err(e) => assert_eq!(e.kind(), ErrorKind::WouldBlock),
        }
        due |= plan.linger == Some(Duration::ZERO);
        shared.state.with(|state| state.exchange(read / ANSWER, due, &mut turn)).await;
        if read >= ANSWER {
            shared.room.notify_waiters();
        }
        for (records, fate) in turn.done.drain(..) {
            fate.complete(base);
            base += u64::from(records);
        }
        (read, due) = (read % ANSWER, false);
        if turn.over {
            return;
        }
        if turn.size > 0 {
            write(&stream, &turn, plan.vectored).await;
            turn = Turn::default();
            continue;
        }
        let mut work = pin!(shared.work.notified());
        let woken = poll_fn(|cx| match (work.as_mut().poll(cx), stream.poll_read_ready(cx)) {
            (Poll::Pending, Poll::Pending) => Poll::Pending,
            _ => Poll::Ready(()),
        });
        match plan.linger {
            Some(linger) if !linger.is_zero() => {
                due = tokio::time::timeout(linger, woken).await.is_err();
            }
            _ => woken.await,
        }
    }
}

async fn write(stream: &TcpStream, turn: &Turn, vectored: bool) {
    let mut head = [0; ENVELOPE];
    head[..4].copy_from_slice(&((ENVELOPE - 4 + turn.size) as u32).to_be_bytes());
    let mut pieces = vec![IoSlice::new(&head)];
    pieces.extend(turn.blocks.iter().map(|block| IoSlice::new(block)));
    pieces.extend((!turn.copy.is_empty()).then(|| IoSlice::new(&turn.copy)));
    let mut pieces = &mut pieces[..];
    while !pieces.is_empty() {
        let window = if vectored { pieces.len() } else { 1 };
        match stream.try_write_vectored(&pieces[..window]) {
            Ok(n) => IoSlice::advance_slices(&mut pieces, n),
            Err(e) if e.kind() == ErrorKind::WouldBlock => stream.writable().await.expect("open"),
            Err(e) => panic!("{e}"),
        }
    }
}

fn pipeline(sink: SocketAddr, plan: Plan) -> Cost {
    let mut builder = match plan.workers {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.worker_threads(plan.workers).enable_all().build().expect("a runtime");
    let spare = (0..plan.blocks).map(|_| Arc::new(vec![0; BATCH])).collect();
    let (queued, unanswered, working) = (VecDeque::new(), VecDeque::new(), plan.tasks);
    let state = State { plan, open: None, queued, unanswered, spare, working };
    let state = (plan.lock)(state);
    let shared = Arc::new(Shared { state, work: Notify::new(), room: Notify::new() });
    runtime.block_on(async {
        let stream = TcpStream::connect(sink).await.expect("the sink");
        stream.set_nodelay(true).expect("a socket");
        let (start, wall) = (cpu(ClockId::ProcessCPUTime), Instant::now());
        for _ in 0..plan.tasks {
            tokio::spawn(producer(Arc::clone(&shared), plan));
        }
        tokio::spawn(io(shared, stream, plan)).await.expect("the I/O task");
        let (spent, wall) = (cpu(ClockId::ProcessCPUTime) - start, wall.elapsed());
        Cost { cpu: spent / f64::from(plan.records), cores: spent / wall.as_nanos() as f64 }
    })
}

/// The process at the other end: drains requests, answers each, ends with its parent.
fn sink() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    println!("{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut answers = stream.expect("a connection");
            answers.set_nodelay(true).expect("a socket");
            let requests = answers.try_clone().expect("a socket");
            let mut requests = BufReader::with_capacity(1 << 20, requests);
            let mut length = [0; 4];
            while requests.read_exact(&mut length).is_ok() {
                let mut left = u32::from_be_bytes(length) as usize;
                while left > 0 {
                    let n = requests.fill_buf().expect("a request").len().min(left);
                    requests.consume(n);
                    left -= n;
                }
                answers.write_all(&[0; ANSWER]).expect("a reader");
            }
        }
    });
    let _ = std::io::stdin().read(&mut [0]);
}

// ---- The rows --------------------------------------------------------------------------------

struct Row {
    group: &'static str,
    name: &'static str,
    run: Box<dyn Fn() -> Cost>,
}

#[rustfmt::skip] // a table
fn rows(to: SocketAddr) -> Vec<Row> {
    use {Crc::*, Library::*, Use::*};
    let mut rows = Vec::new();

    let mut alone = |group, name, run: Box<dyn Fn() -> Cost>| rows.push(Row { group, name, run });
    fn extra(extra: impl Fn() + 'static) -> Box<dyn Fn() -> Cost> {
        Box::new(move || fill(&mut owned(), Never, &extra))
    }
    let g = "0 append path alone";
    alone(g, "frame and copy", extra(|| ()));
    let lock = std::sync::Mutex::new(0);
    alone(g, "+ std lock, free", extra(move || *black_box(&lock).lock().expect("not poisoned") += 1));
    let lock = parking_lot::Mutex::new(0);
    alone(g, "+ parking_lot lock, free", extra(move || *black_box(&lock).lock() += 1));
    let lock = tokio::sync::Mutex::new(0);
    alone(g, "+ tokio lock, free", extra(move || *ready(black_box(&lock).lock()) += 1));
    let cell = Arc::new(Cell::default());
    alone(g, "+ Arc clone and drop", extra(move || drop(black_box(Arc::clone(&cell)))));
    alone(g, "+ oneshot pair and drop", extra(|| drop(black_box(oneshot::channel::<u64>()))));
    alone(g, "+ Instant::now", extra(|| _ = black_box(Instant::now())));
    alone(g, "+ coarse clock", extra(|| _ = black_box(clock_gettime(ClockId::MonotonicCoarse))));
    let clock = Arc::new(AtomicU64::new(1));
    alone(g, "+ a time published by the I/O task", extra(move || _ = black_box(black_box(&clock).load(Ordering::Relaxed))));
    alone(g, "block through dyn", Box::new(|| fill(black_box(&mut owned() as &mut dyn Blocks), Never, || ())));
    alone(g, "block through Arc::get_mut", Box::new(|| fill(&mut shared(), Never, || ())));
    alone(g, "block through dyn and Arc::get_mut", Box::new(|| fill(black_box(&mut shared() as &mut dyn Blocks), Never, || ())));
    for (name, crc) in [
        ("none", Never),
        ("crc-fast: whole at seal", Whole(Fast)),
        ("crc-fast: records at seal", Records(Fast)),
        ("crc-fast: every 4 KiB", Chunks(Fast, 4096)),
        ("crc-fast: every record", Chunks(Fast, 1)),
        ("crc32c: whole at seal", Whole(Sse)),
        ("crc32c: records at seal", Records(Sse)),
        ("crc32c: every 4 KiB", Chunks(Sse, 4096)),
        ("crc32c: every record", Chunks(Sse, 1)),
    ] {
        alone("2 checksum, append path alone", name, Box::new(move || fill(&mut owned(), crc, || ())));
    }
    let g = "2 combining two checksums, per call (a call per batch of about 600)";
    let (a, b, length) = (1, 2, 65_000);
    alone(g, "ours", Box::new(move || calls(10_000, || _ = black_box(combine(black_box(a), b, black_box(length))))));
    alone(g, "crc32c", Box::new(move || calls(1000, || _ = black_box(crc32c::crc32c_combine(black_box(a), b, length)))));
    alone(g, "crc-fast", Box::new(move || calls(1000, || _ = black_box(crc_fast::checksum_combine(Crc32Iscsi, black_box(1), 2, length as u64)))));

    let two = Plan { workers: 2, ..BASE };
    let four = Plan { tasks: 4, ..two };
    let oneshot = |plan| Plan { outcome: Fate::oneshots, ..plan };
    let drop = Plan { records: 1_000_000, ..BASE };
    let collect = Plan { usage: CollectThenAwait, ..drop };
    let linger = Some(Duration::from_millis(5));
    let each = Plan { tasks: 1024, usage: AwaitEach, linger, records: 1_024_000, ..BASE };
    let each_of_two = Plan { workers: 2, ..each };
    let lonely = Plan { usage: AwaitEach, linger: Some(Duration::ZERO), records: 20_000, ..BASE };
    let many = Plan { many: 100, ..BASE };
    for (group, plans) in [
        ("1 lock", &[
            ("1 task, 1 worker: std", BASE),
            ("1 task, 1 worker: parking_lot", Plan { lock: Lock::parking, ..BASE }),
            ("1 task, 1 worker: tokio", Plan { lock: Lock::tokio, ..BASE }),
            ("1 task, 2 workers: std", two),
            ("1 task, 2 workers: parking_lot", Plan { lock: Lock::parking, ..two }),
            ("1 task, 2 workers: tokio", Plan { lock: Lock::tokio, ..two }),
            ("4 tasks, 2 workers: std", four),
            ("4 tasks, 2 workers: parking_lot", Plan { lock: Lock::parking, ..four }),
            ("4 tasks, 2 workers: tokio", Plan { lock: Lock::tokio, ..four }),
        ][..]),
        ("2 checksum", &[
            ("none", Plan { crc: Never, ..BASE }),
            ("crc-fast, records at seal", Plan { crc: Records(Fast), ..BASE }),
            ("crc32c, records at seal", BASE),
            ("crc32c, every 4 KiB", Plan { crc: Chunks(Sse, 4096), ..BASE }),
            ("4 tasks, 2 workers: none", Plan { crc: Never, ..four }),
            ("4 tasks, 2 workers: crc-fast, records at seal", Plan { crc: Records(Fast), ..four }),
            ("4 tasks, 2 workers: crc32c, records at seal", four),
            ("4 tasks, 2 workers: crc32c, every 4 KiB", Plan { crc: Chunks(Sse, 4096), ..four }),
        ]),
        ("3 blocks", &[
            ("shared", BASE),
            ("copied under the lock", Plan { copy: true, ..BASE }),
            ("4 tasks, 2 workers: shared", four),
            ("4 tasks, 2 workers: copied under the lock", Plan { copy: true, ..four }),
            ("send_many of 100: shared", many),
            ("send_many of 100: copied under the lock", Plan { copy: true, ..many }),
            ("send_many of 100: shared, 32 MiB of blocks", Plan { blocks: 512, ..many }),
        ]),
        ("4 delivery", &[
            ("none", Plan { outcome: Fate::nothing, ..drop }),
            ("drop each: cell", drop),
            ("drop each: oneshot", oneshot(drop)),
            ("collect all, then await: cell", collect),
            ("collect all, then await: oneshot", oneshot(collect)),
            ("await each, 1024 tasks: cell", each),
            ("await each, 1024 tasks: oneshot", oneshot(each)),
            ("await each, 1024 tasks, 2 workers: cell", each_of_two),
            ("await each, 1024 tasks, 2 workers: oneshot", oneshot(each_of_two)),
            ("await each, 1 task, no linger: cell", lonely),
            ("await each, 1 task, no linger: oneshot", oneshot(lonely)),
        ]),
        ("5 send", &[
            ("send", BASE),
            ("send, clock read each", Plan { clock: true, ..BASE }),
            ("send_many of 10", Plan { many: 10, ..BASE }),
            ("send_many of 10, clock read each", Plan { many: 10, clock: true, ..BASE }),
            ("send_many of 100", many),
            ("4 tasks, 2 workers: send", four),
            ("4 tasks, 2 workers: send_many of 10", Plan { many: 10, ..four }),
            ("4 tasks, 2 workers: send_many of 100", Plan { many: 100, ..four }),
        ]),
        ("6 write, send_many of 100", &[
            ("64 KiB, one writev", Plan { request: BATCH, ..many }),
            ("64 KiB, a write per piece", Plan { request: BATCH, vectored: false, ..many }),
            ("256 KiB, one writev", many),
            ("256 KiB, a write per piece", Plan { vectored: false, ..many }),
            ("1 MiB, one writev", Plan { request: 1 << 20, ..many }),
        ]),
    ] {
        for &(name, plan) in plans {
            rows.push(Row { group, name, run: Box::new(move || pipeline(to, plan)) });
        }
    }
    rows
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let filter = arguments.next().unwrap_or_default();
    if filter == "sink" {
        return sink();
    }
    let rounds = arguments.next().map_or(9, |rounds| rounds.parse().expect("a number of rounds"));
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.arg("sink").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = child.spawn().expect("a sink");
    let mut address = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut address).expect("a line");

    let mut rows = rows(address.trim().parse().expect("an address"));
    rows.retain(|row| row.group.starts_with(&filter));
    let mut costs: Vec<Vec<Cost>> = rows.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (row, costs) in rows.iter().zip(&mut costs) {
            costs.push((row.run)());
        }
    }
    let mut group = "";
    for (row, costs) in rows.iter().zip(&mut costs) {
        if row.group != group {
            group = row.group;
            println!("\n{group}");
        }
        let middle = costs.len() / 2;
        costs.sort_by(|a, b| a.cores.total_cmp(&b.cores));
        let cores = costs[middle].cores;
        costs.sort_by(|a, b| a.cpu.total_cmp(&b.cpu));
        let (low, high) = (costs[0].cpu, costs[costs.len() - 1].cpu);
        print!("  {:<46} {:8.1}  [{low:.1}..{high:.1}]", row.name, costs[middle].cpu);
        println!("{}", if cores > 0.0 { format!("  {cores:.2} cores") } else { String::new() });
    }
    drop(child.stdin.take());
    child.wait().expect("the sink");
}
