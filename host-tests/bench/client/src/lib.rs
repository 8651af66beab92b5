//! What the compared clients have in common: flags, counts, and the line of JSON that each prints.
//!
//! Every client is idempotent, with acks=all, five requests in flight, and batches without
//! compression. Record `i` goes to partition `i % partitions`, or, with keys, where the client's own
//! hash of the key says. Every outcome is counted, and a run whose counts are wrong has failed.
//!
//! A run begins with `--warmup` records of which all outcomes are awaited. Then comes what is
//! measured: `--records` records as fast as they are taken; with `--latency` one at a time, each
//! awaited; with `--overload` as many as are taken in so many seconds, with a word to the caller
//! before and after, so that it can look at the memory.

use std::io::{BufRead, stdin};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Parser;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

/// The flags of every client.
#[derive(Parser, Clone, Debug)]
pub struct Flags {
    /// Address of a broker
    #[arg(long)]
    pub bootstrap: String,
    #[arg(long)]
    pub topic: String,
    /// Partitions of the topic, used in turn
    #[arg(long, default_value_t = 1)]
    pub partitions: u32,
    /// Records that are measured
    #[arg(long, default_value_t = 0)]
    pub records: u64,
    /// Records before those
    #[arg(long, default_value_t = 0)]
    pub warmup: u64,
    /// Bytes of a value
    #[arg(long, default_value_t = 100)]
    pub size: usize,
    /// Bytes of a key, at least 8; 0: no key, and the partition is given
    #[arg(long, default_value_t = 0)]
    pub key_size: usize,
    /// Tasks, threads or goroutines that send at once, each its share of the records
    #[arg(long, default_value_t = 1)]
    pub tasks: u64,
    #[arg(long, default_value_t = 5)]
    pub linger_ms: u64,
    #[arg(long, default_value_t = 65_536)]
    pub batch_size: u32,
    #[arg(long, default_value_t = 1_048_576)]
    pub max_request_size: u32,
    #[arg(long, default_value_t = 32 << 20)]
    pub buffer_memory: u64,
    /// One record at a time
    #[arg(long)]
    pub latency: bool,
    /// Seconds in which as many records are sent as are taken
    #[arg(long, conflicts_with = "latency")]
    pub overload: Option<u64>,
}

/// The records of one task: every so manieth, until a number or a moment.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    next: u64,
    step: u64,
    end: u64,
    until: Option<Instant>,
}

/// How often a task that works against the clock looks at it, in records.
const LOOK: u64 = 64;

impl Iterator for Share {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        let record = self.next;
        if record >= self.end {
            return None;
        }
        if let Some(until) = self.until
            && record.is_multiple_of(LOOK)
            && Instant::now() >= until
        {
            return None;
        }
        self.next += self.step;
        Some(record)
    }
}

impl Flags {
    pub fn value(&self) -> Vec<u8> {
        vec![b'v'; self.size]
    }

    /// The partition of a record, if it is not for the client to find.
    #[inline]
    pub fn partition(&self, record: u64) -> Option<i32> {
        (self.key_size == 0).then(|| (record % u64::from(self.partitions)) as i32)
    }

    /// Room for the key of a record.
    pub fn key(&self) -> Vec<u8> {
        vec![b'k'; self.key_size]
    }

    /// The key of a record, in that room: all differ.
    #[inline]
    pub fn write_key<'a>(&self, record: u64, room: &'a mut [u8]) -> Option<&'a [u8]> {
        room.first_chunk_mut::<8>()?.copy_from_slice(&record.to_le_bytes());
        Some(room)
    }

    /// The records before those that are measured, in one share.
    pub fn warming(&self) -> Share {
        Share { next: 0, step: 1, end: self.warmup, until: None }
    }

    /// The records that are measured, in a share for each task.
    pub fn shares(&self) -> Vec<Share> {
        let until = self.overload.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        let end = if until.is_some() { u64::MAX } else { self.records };
        (0..self.tasks).map(|next| Share { next, step: self.tasks, end, until }).collect()
    }
}

/// Outcomes, and what was sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    pub sent: u64,
    pub written: u64,
    pub failed: u64,
}

impl Told {
    pub fn sent(sent: u64) -> Told {
        Told { sent, ..Told::default() }
    }

    pub fn count<T, E>(&mut self, outcome: &Result<T, E>) {
        match outcome {
            Ok(_) => self.written += 1,
            Err(_) => self.failed += 1,
        }
    }

    pub fn add(&mut self, other: Told) {
        self.sent += other.sent;
        self.written += other.written;
        self.failed += other.failed;
    }
}

/// CPU time of this process, user and system.
fn cpu_seconds() -> f64 {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(cpu.tv_sec as u64, cpu.tv_nsec as u32).as_secs_f64()
}

/// What is measured of a run.
pub struct Measured {
    flags: Flags,
    /// When the records began that are measured, by both clocks.
    begun: Option<(Instant, f64)>,
    latencies: Vec<Duration>,
    more: Vec<(&'static str, Value)>,
}

impl Measured {
    pub fn new(flags: &Flags) -> Measured {
        let latencies = Vec::with_capacity(if flags.latency { flags.records as usize } else { 0 });
        Measured { flags: flags.clone(), begun: None, latencies, more: Vec::new() }
    }

    /// All that was sent to warm up has its outcome; under overload, the caller may look.
    pub fn begin(&mut self) {
        self.pause("warm");
        self.begun = Some((Instant::now(), cpu_seconds()));
    }

    /// One of the records that are sent one at a time took so long.
    pub fn latency(&mut self, took: Duration) {
        self.latencies.push(took);
    }

    /// Something else that is told.
    pub fn tell(&mut self, key: &'static str, value: impl Into<Value>) {
        self.more.push((key, value.into()));
    }

    fn pause(&self, word: &str) {
        if self.flags.overload.is_some() {
            println!("{word}");
            // The end of the input is an answer, too.
            let wait = || stdin().lock().read_line(&mut String::new());
            // What a client does in the background goes on meanwhile.
            let _ = match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
                Ok(RuntimeFlavor::MultiThread) => block_in_place(wait),
                _ => wait(),
            };
        }
    }

    /// All has its outcome. Prints the report; wrong counts are an error.
    pub fn end(mut self, client: &str, warmed: Told, told: Told) -> Result<()> {
        let (begun, cpu_before) = self.begun.unwrap_or((Instant::now(), 0.0));
        let (wall, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds());
        self.pause("done");
        let Flags { records, warmup, overload, .. } = self.flags;
        ensure!(
            warmed.sent == warmup && warmed.written == warmup && warmed.failed == 0,
            "{client}: of {warmup} records that warm up {warmed:?}"
        );
        ensure!(
            told.written + told.failed == told.sent
                && told.failed == 0
                && (overload.is_some() || told.sent == records),
            "{client}: of {records} records {told:?}"
        );
        let mut line = json!({
            "client": client, "written": told.written, "failed": told.failed, "wall_s": wall,
            "cpu_s": cpu - cpu_before,
        });
        self.latencies.sort();
        if !self.latencies.is_empty() {
            let at = |share: f64| {
                let index = ((self.latencies.len() - 1) as f64 * share).round() as usize;
                self.latencies[index].as_secs_f64() * 1e6
            };
            line["p50_us"] = at(0.5).into();
            line["p99_us"] = at(0.99).into();
        }
        for (key, value) in self.more {
            line[key] = value;
        }
        println!("{line}");
        Ok(())
    }
}
