//! What is compared: rows, each with its workloads.

use std::time::Duration;

use clap::ValueEnum;

use crate::client::{Client, Side};

/// A row, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Row {
    /// CPU time per record, by size and partitions
    Cpu,
    /// The same with keys, which are hashed
    Key,
    /// The same with 16 tasks that send at once
    Tasks,
    /// The same with 1,000 partitions
    Partitions,
    /// The same with records of 1 MB
    Large,
    /// Records per second, by round trip
    Rtt,
    /// Time from a send to its outcome, one record at a time
    Latency,
    /// Resident memory before, under and after an overload
    Memory,
}

/// How it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// By the time of N records after those that warm up, in one process: what another has
    /// compiled, or allocated, differs by more than what is measured.
    Steady,
    /// By the time of N records, at this round trip.
    Rate(Duration),
    Latency,
    /// By the memory of the process; so many seconds of overload.
    Memory(u64),
}

/// What is sent.
#[derive(Clone, Debug)]
pub struct Workload {
    pub row: Row,
    pub kind: Kind,
    pub partitions: u32,
    pub size: u64,
    pub key: u64,
    pub tasks: u64,
    pub linger_ms: u64,
    pub batch_size: u64,
    pub max_request_size: u64,
    pub buffer_memory: u64,
    /// Records that are measured.
    pub records: u64,
    /// Records that every client sends before.
    pub warmup: u64,
    /// The same for those that compile as they run, if more.
    pub jit: u64,
}

/// Records of 100 bytes by which a JVM has compiled what is hot.
pub const JIT: u64 = 600_000;

/// `buffer.memory` of all clients, if a row has no other.
const BUFFER: u64 = 32 << 20;

/// A megabyte of records, and what an envelope may take.
const LARGE: u64 = 1_000_000;

/// The batch of a record that is alone in it, and a request that holds it.
pub const LARGE_BATCH: u64 = 1 << 20;
pub const LARGE_REQUEST: u64 = 2 << 20;

impl Workload {
    fn new(row: Row, kind: Kind, partitions: u32, size: u64, records: u64) -> Workload {
        Workload {
            row,
            kind,
            partitions,
            size,
            key: 0,
            tasks: 1,
            linger_ms: 5,
            batch_size: 64 << 10,
            max_request_size: 1 << 20,
            buffer_memory: BUFFER,
            records,
            warmup: 0,
            jit: JIT * 250 / (150 + size),
        }
    }

    pub fn topic(&self) -> String {
        let plain = |sign: char| if sign.is_alphanumeric() { sign } else { '-' };
        self.title().chars().map(plain).collect()
    }

    pub fn title(&self) -> String {
        let Workload { row, partitions, size, key, tasks, .. } = self;
        let mut title = format!("{}: {size} bytes", format!("{row:?}").to_lowercase());
        if *key > 0 {
            title += &format!(", keys of {key}");
        }
        title += &match partitions {
            1 => String::from(", 1 partition"),
            _ => format!(", {partitions} partitions"),
        };
        if *tasks > 1 {
            title += &format!(", {tasks} tasks");
        }
        if self.buffer_memory != BUFFER {
            title += &format!(", buffer {} MiB", self.buffer_memory >> 20);
        }
        if let Kind::Rate(round_trip) = self.kind {
            title += &format!(", round trip {} ms", round_trip.as_millis());
        }
        title
    }

    pub fn is_steady(&self) -> bool {
        self.kind == Kind::Steady
    }

    /// Records that a client sends before those that are measured.
    pub fn warmup(&self, client: &Client) -> u64 {
        match client.side {
            Side::Floor => 0,
            _ if client.warms_up => self.warmup.max(self.jit),
            _ => self.warmup,
        }
    }

    /// Whether a client takes part.
    pub fn has(&self, client: &Client) -> bool {
        match client.side {
            Side::Floor => self.row == Row::Cpu,
            Side::Silent => matches!(self.row, Row::Cpu | Row::Key),
            Side::Ottla | Side::Peer => self.kind != Kind::Latency || client.one_by_one,
        }
    }
}

/// The workloads of a row, by so many `records` of 100 bytes, and as many of other sizes as keep the work
/// alike. All at 1,000,000, five rounds and a minute of overload, with all clients, take about half an
/// hour.
pub fn workloads(row: Row, records: u64, overload: u64) -> Vec<Workload> {
    let of_size = |size: u64| (records * 400 / (300 + size)).max(20);
    let steady = |partitions, size, records| Workload {
        warmup: records / 4,
        ..Workload::new(row, Kind::Steady, partitions, size, records)
    };
    match row {
        Row::Cpu => [(1, 100), (6, 100), (1, 1000), (6, 1000)]
            .map(|(partitions, size)| steady(partitions, size, of_size(size)))
            .into(),
        Row::Key => vec![Workload { key: 16, ..steady(6, 100, records) }],
        Row::Tasks => vec![Workload { tasks: 16, ..steady(6, 100, records) }],
        // Java's client and its translation set a whole batch aside for each partition. With 32 MiB
        // for a thousand of them, they would send records one by one.
        Row::Partitions => {
            vec![Workload { buffer_memory: 128 << 20, ..steady(1000, 100, records / 2) }]
        }
        Row::Large => vec![Workload {
            batch_size: LARGE_BATCH,
            max_request_size: LARGE_REQUEST,
            ..steady(1, LARGE, (records / 1000).max(20))
        }],
        // Some have one batch in flight, and take long for it.
        Row::Rtt => [(0, records / 2), (20, records / 6), (100, records / 12)]
            .map(|(millis, records)| {
                let kind = Kind::Rate(Duration::from_millis(millis));
                let workload = Workload::new(row, kind, 1, 100, records);
                // Connected, and with several batches in flight. Far away, compiling is no matter.
                let jit = if millis == 0 { JIT } else { 0 };
                Workload { warmup: records / 10, jit, ..workload }
            })
            .into(),
        Row::Latency => vec![Workload {
            linger_ms: 0,
            warmup: (records / 400).max(500),
            jit: 0,
            ..Workload::new(row, Kind::Latency, 1, 100, (records / 200).max(1000))
        }],
        Row::Memory => vec![Workload {
            warmup: 1000,
            jit: 0,
            ..Workload::new(row, Kind::Memory(overload), 1, 100, 0)
        }],
    }
}
