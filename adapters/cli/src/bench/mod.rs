//! `ottla bench`: measures a producer against a cluster.

mod latency;
mod payloads;
mod produce;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{anyhow, bail};
use clap::{Args, Subcommand, ValueEnum};
use ottla_tokio::{Producer, TopicHandle};

use crate::connection::Connection;
use crate::tally::Tally;
use crate::{exit, output};
use payloads::Payloads;
use report::Report;

/// Measure a producer against a cluster
#[derive(Args, Debug)]
pub(crate) struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// How many records a second, and at what cost
    #[command(after_help = "Examples:
  ottla bench produce -b localhost:9092 -t bench --records 5000000 --size 100
  ottla bench produce -b localhost:9092 -t bench --partitions 6 --payloads lines.txt --json

Latencies are of a sample of the records, from the call to the outcome. The processor time is of
the whole process, from before the first record until after the last outcome.")]
    Produce(Options),
    /// How long one record takes, with nothing else under way
    #[command(after_help = "Examples:
  ottla bench latency -b localhost:9092 -t bench --records 10000 --size 100

Each record is sent when the one before it is written; linger.ms is 0 unless it is given.")]
    Latency(Options),
}

#[derive(Args, Debug)]
struct Options {
    #[command(flatten)]
    connection: Connection,
    /// Topic to send to; it has to be there
    #[arg(short, long)]
    topic: String,
    /// Number of partitions that the topic must have; not looked at without it
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u32).range(1..))]
    partitions: Option<u32>,
    /// Number of records
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    records: Option<u64>,
    /// Bytes of a record's value
    #[arg(long, value_name = "S", default_value_t = 100, conflicts_with = "payloads")]
    size: u32,
    /// Take the values in turn from the lines of a file
    #[arg(long, value_name = "FILE")]
    payloads: Option<PathBuf>,
    /// Replicas that have to have a record: all, 1, or 0 [default: all]
    #[arg(long)]
    acks: Option<String>,
    /// How long a batch waits for more records [default: 5; latency: 0]
    #[arg(long, value_name = "MS")]
    linger_ms: Option<u64>,
    /// Bytes of a batch that is sent without waiting [default: 65536]
    #[arg(long, value_name = "BYTES")]
    batch_size: Option<u32>,
    /// Compression of batches; this version has none only
    #[arg(long, value_name = "CODEC", default_value = "none")]
    compression: String,
    /// How records are handed to the producer
    #[arg(long, value_enum, default_value_t = Call::Send)]
    call: Call,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// A method of the producer.
#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum)]
enum Call {
    /// One by one, each with its own outcome
    Send,
    /// 100 at a time
    SendMany,
}

/// Bytes of a batch, unless it is said.
const BATCH_SIZE: u32 = 65_536;

impl Bench {
    pub(crate) async fn run(self, verbose: bool) -> anyhow::Result<ExitCode> {
        match self.what {
            What::Produce(options) => options.produce(verbose).await,
            What::Latency(options) => options.latency().await,
        }
    }
}

impl Options {
    async fn produce(self, verbose: bool) -> anyhow::Result<ExitCode> {
        let records = self.records.unwrap_or(1_000_000);
        let (payloads, producer, topic) = self.prepare(5).await?;
        let bar = output::progress(Some(records), verbose || self.json);
        let measured = produce::run(&producer, &topic, &payloads, records, self.call, &bar).await;
        bar.finish_and_clear();
        self.end("produce", &producer, measured?).await
    }

    async fn latency(self) -> anyhow::Result<ExitCode> {
        let records = self.records.unwrap_or(10_000);
        let (payloads, producer, topic) = self.prepare(0).await?;
        let measured = latency::run(&producer, &topic, &payloads, records).await?;
        self.end("latency", &producer, measured).await
    }

    /// The values, and a producer that knows the topic, is connected to its leaders, and has its
    /// id: none of that is to be measured.
    async fn prepare(&self, linger: u64) -> anyhow::Result<(Payloads, Producer, TopicHandle)> {
        if self.compression != "none" {
            bail!("--compression {}: this version has none only", self.compression);
        }
        let payloads = match &self.payloads {
            Some(path) => Payloads::read(path)?,
            None => Payloads::make(self.size),
        };
        let defaults = [("linger.ms", linger.to_string()), ("batch.size", BATCH_SIZE.to_string())];
        let given = [
            ("acks", self.acks.clone()),
            ("linger.ms", self.linger_ms.as_ref().map(u64::to_string)),
            ("batch.size", self.batch_size.as_ref().map(u32::to_string)),
        ];
        let given = given.into_iter().filter_map(|(key, value)| Some((key, value?)));
        let config = self.connection.config(&defaults, &given.collect::<Vec<_>>())?;
        let producer = Producer::new(config);
        let topic = producer.topic(&self.topic)?;
        payloads.warm_up(&producer, &topic).await?;
        let count = producer.partition_count(&topic);
        if let Some(expected) = self.partitions.filter(|expected| *expected != count) {
            bail!("topic {} has {count} partitions, not {expected} (--partitions)", self.topic);
        }
        Ok((payloads, producer, topic))
    }

    async fn end(
        &self,
        what: &str,
        producer: &Producer,
        measured: Measured,
    ) -> anyhow::Result<ExitCode> {
        producer.close(Duration::ZERO).await;
        let report = Report::new(what, measured);
        output::line(&if self.json { report.json() } else { report.text() })?;
        report.check().map_err(|text| anyhow!(text))?;
        Ok(exit::DONE.into())
    }
}

/// What was measured.
#[derive(Debug)]
struct Measured {
    tally: Tally,
    /// Bytes of the values.
    bytes: u64,
    wall: Duration,
    cpu: Duration,
    /// From a call to its outcome, unordered.
    latencies: Vec<Duration>,
    /// Produce requests, batches in them, and bytes of those.
    requests: u64,
    batches: u64,
    batch_bytes: u64,
    retries: u64,
}

/// Measures from its start to its end.
struct Meter {
    wall: std::time::Instant,
    cpu: Duration,
    counters: ottla_tokio::Counters,
}

impl Meter {
    fn start(producer: &Producer) -> Self {
        let counters = producer.stats().counters;
        Self { wall: std::time::Instant::now(), cpu: crate::usage::cpu_time(), counters }
    }

    fn end(
        self,
        producer: &Producer,
        tally: Tally,
        bytes: u64,
        latencies: Vec<Duration>,
    ) -> Measured {
        let cpu = crate::usage::cpu_time().saturating_sub(self.cpu);
        let wall = self.wall.elapsed();
        let (now, then) = (producer.stats().counters, self.counters);
        Measured {
            tally,
            bytes,
            wall,
            cpu,
            latencies,
            requests: now.requests.wrapping_sub(then.requests),
            batches: now.batches.wrapping_sub(then.batches),
            batch_bytes: now.batch_bytes.wrapping_sub(then.batch_bytes),
            retries: now.retries.wrapping_sub(then.retries),
        }
    }
}
