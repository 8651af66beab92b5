//! `ottla demo`: many faults, and the log against what was reported.

mod audit;
mod faults;
mod report;
mod sender;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use clap::Args;
use ottla_broker::{Cluster, Config, NewTopic, Replication, Server};
use ottla_tokio::Producer;

use crate::{connection, exit, numbers, output};
use audit::Audit;
use faults::Faults;
use report::Report;

/// Send records through a cluster full of faults, and check its log afterwards
///
/// A development broker with three nodes runs inside the tool, on free ports of 127.0.0.1.
/// Connections are reset, answers are lost, leaders move, replicas are missing, brokers forget
/// what they knew of the producer. Then every record that is in the log is held against what the
/// producer said of it. The exit code is 0 only if no record is lost, doubled or out of order, no
/// word of the producer was false, and every kind of fault did hit.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  ottla demo
  ottla demo --records 1000000 --seed 7

The same seed draws the same faults in the same order; when exactly they strike is up to the
machine.")]
pub(crate) struct Demo {
    /// Number of records
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1_000..=50_000_000))]
    records: u32,
    /// Draws the faults
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
}

const TOPIC: &str = "demo";
const NODES: u8 = 3;
const PARTITIONS: i32 = 6;

/// Batches that the records should make, so that there is enough to strike at.
const BATCHES: u32 = 2_400;

/// For the last outcomes, and the last replicas.
const PATIENCE: Duration = Duration::from_secs(60);

impl Demo {
    pub(crate) async fn run(self, verbose: bool) -> anyhow::Result<ExitCode> {
        let server = Arc::new(start_broker(self.seed)?);
        let faults = Faults::start(&server, TOPIC, PARTITIONS, self.seed);
        let producer = Producer::new(self.settings(&server)?);
        output::line(&format!(
            "Sending {} through a development cluster of {NODES} nodes in which much goes wrong \
             (seed {}).",
            numbers::several(self.records.into(), "record"),
            self.seed
        ))?;

        let begun = Instant::now();
        let bar = output::progress(Some(self.records.into()), verbose);
        let verdicts = sender::send(&producer, TOPIC, self.records, &bar, &faults).await;
        bar.finish_and_clear();
        let verdicts = verdicts?;
        let took = begun.elapsed();
        let counters = producer.stats().counters;
        producer.close(PATIENCE).await;
        let struck = faults.stop().await;

        wait_for_replicas(&server).await?;
        let audit = server.with(|cluster, _| Audit::of(cluster, TOPIC, &verdicts))?;
        let broker = server.with(|cluster, _| cluster.counters());
        let report = Report { audit, struck, took, counters, broker };
        output::line(&report.table())?;
        match report.judge() {
            Ok(text) => {
                output::line(&text)?;
                Ok(exit::DONE.into())
            }
            Err(text) => Err(anyhow!(text)),
        }
    }

    fn settings(&self, server: &Server) -> anyhow::Result<ottla_tokio::Config> {
        let addresses: Vec<String> = server.addresses().iter().map(ToString::to_string).collect();
        let bytes = self.records.saturating_mul(sender::RECORD_BYTES);
        let batch = (bytes / BATCHES).clamp(256, 16_384).to_string();
        let bootstrap = addresses.join(",");
        let properties = [
            ("bootstrap.servers", bootstrap.as_str()),
            ("client.id", "ottla-demo"),
            ("acks", "all"),
            ("enable.idempotence", "true"),
            ("batch.size", &batch),
            ("linger.ms", "5"),
            // A small window, so that an answer that never comes is missed soon.
            ("request.timeout.ms", "1000"),
            ("delivery.timeout.ms", "60000"),
            ("retry.backoff.ms", "10"),
            ("retry.backoff.max.ms", "100"),
            ("reconnect.backoff.ms", "5"),
            ("reconnect.backoff.max.ms", "50"),
        ];
        connection::config(properties.into_iter())
    }
}

fn start_broker(seed: u64) -> anyhow::Result<Server> {
    let config = Config {
        seed,
        // Answers wait for it, so that leaders can move in between.
        replication: Replication::Delay { min: 200, max: 1_500 },
        ..Config::new(NODES)
    };
    let mut cluster = Cluster::new(config);
    let topic = NewTopic::new(TOPIC, PARTITIONS, NODES.into()).config("min.insync.replicas", "2");
    let made = cluster.create_topic(&topic);
    made.map_err(|(code, text)| anyhow!("topic {TOPIC} cannot be made: {text} ({code})"))?;
    Server::start(cluster, &[]).context("the development broker cannot be started")
}

/// Until everything in the log is committed.
async fn wait_for_replicas(server: &Server) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let done = server.with(|cluster, now| {
            cluster.replicate_all(now);
            (0..PARTITIONS).all(|p| cluster.high_watermark(TOPIC, p) == cluster.log_end(TOPIC, p))
        });
        if done {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(anyhow!("the development cluster does not come to rest"));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
