//! Produces by librdkafka, through the rdkafka crate: a delivery callback per record.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bench::{Flags, Totals, report};
use clap::Parser;
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

/// How often callbacks are served, in records.
const SERVE: u64 = 1000;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    /// Has the library count batches, which costs CPU time
    #[arg(long)]
    shape: bool,
    /// Records that wait at most, 0 for any number: bytes bound them, as in the others
    #[arg(long, default_value_t = 0)]
    buffered_records: u32,
}

#[derive(Default)]
struct Told {
    written: AtomicU64,
    failed: AtomicU64,
    requests: AtomicU64,
    batches: AtomicU64,
    batch_bytes: AtomicU64,
}

impl ClientContext for Told {
    /// The mean size of batches is that of a window of time; there is no total of them.
    fn stats(&self, statistics: rdkafka::Statistics) {
        let add = |to: &AtomicU64, count: i64| to.fetch_add(count.max(0) as u64, Ordering::Relaxed);
        for topic in statistics.topics.values() {
            add(&self.batches, topic.batchsize.cnt);
            add(&self.batch_bytes, topic.batchsize.sum);
        }
        let requests = statistics.brokers.values().filter_map(|broker| broker.req.get("Produce"));
        self.requests.store(requests.sum::<i64>().max(0) as u64, Ordering::Relaxed);
    }
}

impl ProducerContext for Told {
    type DeliveryOpaque = ();

    fn delivery(&self, outcome: &DeliveryResult<'_>, (): ()) {
        let count = if outcome.is_ok() { &self.written } else { &self.failed };
        // One thread serves the callbacks, but the trait wants to be shared.
        count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

fn main() -> Result<()> {
    let Cli { flags, shape, buffered_records } = Cli::parse();
    let started = Instant::now();
    let mut config = ClientConfig::new();
    let kilobytes = (flags.buffer_memory / 1024).to_string();
    config
        .set("bootstrap.servers", &flags.bootstrap)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("max.in.flight.requests.per.connection", "5")
        .set("linger.ms", flags.linger_ms.to_string())
        .set("batch.size", flags.batch_size.to_string())
        // Batches are bounded by bytes alone.
        .set("batch.num.messages", "1000000")
        .set("queue.buffering.max.messages", buffered_records.to_string())
        .set("queue.buffering.max.kbytes", kilobytes)
        .set("compression.type", "none");
    if shape {
        config.set("statistics.interval.ms", "200");
    }
    let producer: BaseProducer<Told> = config.create_with_context(Told::default())?;
    let value = flags.value();
    for i in 0..flags.records {
        let mut record: BaseRecord<'_, (), [u8]> =
            BaseRecord::to(&flags.topic).partition(flags.partition(i)).payload(&value);
        while let Err((error, back)) = producer.send(record) {
            match error {
                KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) => {
                    producer.poll(Duration::from_millis(10));
                    record = back;
                }
                other => bail!(other),
            }
        }
        if i % SERVE == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    producer.flush(Duration::from_secs(60))?;
    let told = producer.context();
    let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let totals = Totals {
        written: load(&told.written),
        failed: load(&told.failed),
        requests: load(&told.requests),
        batches: load(&told.batches),
        batch_bytes: load(&told.batch_bytes),
        ..Totals::default()
    };
    report("rdkafka", &flags, started, totals);
    Ok(())
}
