//! `ottla bench`: measures a producer against a cluster.

mod latencies;
mod latency;
mod payloads;
mod plan;
mod produce;
mod report;
mod view;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand, ValueEnum};
use ottla_tokio::{Producer, TopicHandle};
use tokio::sync::watch;

use crate::connection::Connection;
use crate::pace::{Rate, rate};
use crate::signals::Signals;
use crate::tally::Tally;
use crate::{exit, output};
use latencies::Latencies;
use payloads::Payloads;
use plan::Plan;
use report::Report;
use view::View;

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
  ottla bench produce -b kafka:9092 -t bench --rate 20000/s -d 1m --warmup 5s
  ottla bench produce -b kafka:9092 -t bench --payloads lines.txt --json

Latencies are of a sample of the records, from the call to the outcome. The processor time is of
the whole process, from before the first record until after the last outcome. Ctrl-C ends the
measurement, and what was measured is shown.")]
    Produce(Options),
    /// How long one record takes, with nothing else under way
    #[command(after_help = "Examples:
  ottla bench latency -b localhost:9092 -t bench --records 10000 --size 100
  ottla bench latency -b localhost:9092 -t bench --rate 100 --duration 30s

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
    /// Number of records [default: 1000000, latency: 10000; with --duration as many as it takes]
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    records: Option<u64>,
    /// Send for so long: seconds, or with a unit, such as 90s or 5m
    #[arg(short, long, value_name = "TIME", value_parser = span)]
    duration: Option<Duration>,
    /// Send for so long before anything is measured
    #[arg(long, value_name = "TIME", value_parser = span)]
    warmup: Option<Duration>,
    /// Send so many records a second, at most, evenly
    #[arg(long, value_name = "N[/s]", value_parser = rate)]
    rate: Option<Rate>,
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
    /// Show nothing but the result, and errors
    #[arg(short, long)]
    quiet: bool,
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

/// What is sent, by whom, and where to.
struct Target {
    payloads: Payloads,
    producer: Producer,
    topic: TopicHandle,
}

/// What is measured.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Kind {
    Produce,
    Latency,
}

impl Bench {
    pub(crate) async fn run(self, verbose: bool) -> anyhow::Result<ExitCode> {
        match self.what {
            What::Produce(options) => options.measure(Kind::Produce, verbose).await,
            What::Latency(options) => options.measure(Kind::Latency, verbose).await,
        }
    }
}

impl Options {
    async fn measure(&self, kind: Kind, verbose: bool) -> anyhow::Result<ExitCode> {
        let (name, linger, records) = match kind {
            Kind::Produce => ("produce", 5, 1_000_000),
            Kind::Latency => ("latency", 0, 10_000),
        };
        let Some(target) = self.prepare(linger).await? else {
            return Ok(exit::DONE.into());
        };
        let records = self.records.or(self.duration.is_none().then_some(records));
        let quiet = verbose || self.json || self.quiet;
        let stop = interruption()?;
        if let Some(warmup) = self.warmup {
            let plan = self.plan(None, Some(warmup), &stop);
            let view = View::start("warm-up", &plan, quiet);
            let measured = run(kind, &target, plan, &view).await;
            view.end();
            report::check(&measured?.tally).map_err(|text| anyhow!("in the warm-up: {text}"))?;
        }
        let plan = self.plan(records, self.duration, &stop);
        let view = View::start(name, &plan, quiet);
        let measured = run(kind, &target, plan, &view).await;
        view.end();
        let measured = measured?;
        let producer = &target.producer;
        let patience = Duration::from_millis(producer.config().core().delivery_timeout.as_millis());
        producer.close(patience).await;
        let report = Report::new(name, measured);
        output::line(&if self.json { report.json() } else { report.text() })?;
        report::check(report.tally()).map_err(|text| anyhow!(text))?;
        let signal = *stop.borrow();
        Ok(signal.unwrap_or(exit::DONE).into())
    }

    fn plan(
        &self,
        records: Option<u64>,
        duration: Option<Duration>,
        stop: &watch::Receiver<Option<u8>>,
    ) -> Plan {
        let stop = stop.clone();
        Plan { records, duration, rate: self.rate, call: self.call, stop }
    }

    /// The values, and a producer that knows the topic, is connected to its leaders, and has its
    /// id: none of that is to be measured.
    /// None if the settings were to be printed only.
    async fn prepare(&self, linger: u64) -> anyhow::Result<Option<Target>> {
        if self.compression != "none" {
            let text = format!("--compression {}: this version has none only", self.compression);
            return Err(exit::Usage(text).into());
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
        let Some(config) = config else { return Ok(None) };
        let producer = Producer::new(config);
        let topic = producer.topic(&self.topic);
        let topic = topic.map_err(|error| exit::Usage(format!("-t: {error}")))?;
        payloads.warm_up(&producer, &topic).await?;
        let count = producer.partition_count(&topic);
        if let Some(expected) = self.partitions.filter(|expected| *expected != count) {
            bail!("topic {} has {count} partitions, not {expected} (--partitions)", self.topic);
        }
        Ok(Some(Target { payloads, producer, topic }))
    }
}

async fn run(kind: Kind, target: &Target, plan: Plan, view: &View) -> anyhow::Result<Measured> {
    match kind {
        Kind::Produce => produce::run(target, plan, view).await,
        Kind::Latency => latency::run(target, plan, view).await,
    }
}

/// Becomes the exit code of the first signal; the second one ends the process.
fn interruption() -> anyhow::Result<watch::Receiver<Option<u8>>> {
    let (send, stop) = watch::channel(None);
    let mut signals = Signals::new().context("signals cannot be waited for")?;
    tokio::spawn(async move {
        while let Ok(code) = signals.next().await {
            if send.send_replace(Some(code)).is_some() {
                std::process::exit(code.into());
            }
        }
    });
    Ok(stop)
}

/// A time as it is written on the command line.
fn span(text: &str) -> Result<Duration, String> {
    let span = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => text.parse::<jiff::SignedDuration>().ok().and_then(|span| span.try_into().ok()),
    };
    let span = span.filter(|span| !span.is_zero());
    span.ok_or_else(|| "it has to be seconds, or as 500ms, 90s or 5m".to_owned())
}

/// What was measured.
#[derive(Debug)]
struct Measured {
    tally: Tally,
    /// Bytes of the values.
    bytes: u64,
    wall: Duration,
    cpu: Duration,
    latencies: Latencies,
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

    fn end(self, producer: &Producer, tally: Tally, bytes: u64, latencies: Latencies) -> Measured {
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
