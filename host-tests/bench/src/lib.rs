//! What the compared clients have in common: flags, and the line of JSON that each prints.
//!
//! Every client sends records with a value and nothing else to partition `i % partitions`, in
//! batches without compression, idempotent, acks=all, five requests in flight. Every outcome is
//! counted. CPU time is that of the whole process, user and system, read at its very end: what
//! starting costs drops out of the slope between two runs.

use std::time::{Duration, Instant};

use clap::Parser;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

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
    #[arg(long)]
    pub records: u64,
    /// Bytes of a value
    #[arg(long, default_value_t = 100)]
    pub size: usize,
    #[arg(long, default_value_t = 5)]
    pub linger_ms: u64,
    #[arg(long, default_value_t = 65_536)]
    pub batch_size: u32,
    #[arg(long, default_value_t = 32 << 20)]
    pub buffer_memory: u64,
}

impl Flags {
    pub fn value(&self) -> Vec<u8> {
        vec![b'v'; self.size]
    }

    /// Partition of a record.
    pub fn partition(&self, record: u64) -> i32 {
        (record % u64::from(self.partitions)) as i32
    }
}

/// What a client came to. What it does not know is 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    pub written: u64,
    pub failed: u64,
    pub requests: u64,
    pub batches: u64,
    pub batch_bytes: u64,
    /// Batches acknowledged after the first acknowledgement, and seconds until the last.
    pub after_first: (f64, f64),
}

/// The end of a client.
pub fn report(client: &str, flags: &Flags, started: Instant, totals: Totals) {
    let wall = started.elapsed().as_secs_f64();
    let Totals { written, failed, requests, batches, batch_bytes, after_first } = totals;
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    let cpu = Duration::new(cpu.tv_sec as u64, cpu.tv_nsec as u32).as_secs_f64();
    let line = json!({
        "client": client, "records": flags.records, "written": written, "failed": failed,
        "wall_s": wall, "requests": requests, "batches": batches, "batch_bytes": batch_bytes,
        "after_first": after_first, "cpu_s": cpu,
    });
    println!("{line}");
}
