//! Produces by confluent-kafka, the translation of the Java client to Rust: a callback per record.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Result, anyhow, bail};
use bench_client::{Flags, Measured, Share, Told};
use bench_peers::run;
use clap::Parser;
use confluent_kafka::common::serialization::ByteArraySerializer;
use confluent_kafka::producer::{
    Callback, KafkaProducer, Producer, ProducerConfig, ProducerRecord, callback,
};

#[derive(Default)]
struct Counts {
    written: AtomicU64,
    failed: AtomicU64,
}

#[derive(Clone)]
struct Client {
    flags: Flags,
    producer: Arc<KafkaProducer<Vec<u8>, Vec<u8>>>,
    counts: Arc<Counts>,
    value: Vec<u8>,
}

type Record<'a> = ProducerRecord<&'a [u8], &'a [u8]>;

impl Client {
    fn record<'a>(&'a self, number: u64, key: &'a mut [u8]) -> Result<Record<'a>> {
        let partition = self.flags.partition(number);
        let key = match partition {
            Some(_) => None,
            None => self.flags.write_key(number, key),
        };
        let (topic, value) = (self.flags.topic.clone(), Some(&self.value[..]));
        let record = ProducerRecord::with_partition_key(topic, partition, key, value);
        record.map_err(|error| anyhow!("{error}"))
    }

    async fn share(self, share: Share) -> Result<u64> {
        let (mut key, mut sent) = (self.flags.key(), 0);
        for number in share {
            let counts = Arc::clone(&self.counts);
            let counted: Box<dyn Callback> = Box::new(callback::new(move |_, error| {
                let count = if error.is_none() { &counts.written } else { &counts.failed };
                count.fetch_add(1, Ordering::Relaxed);
            }));
            self.producer.send(self.record(number, &mut key)?, Some(counted)).await?;
            sent += 1;
        }
        Ok(sent)
    }

    async fn one_by_one(&self, share: Share, measured: &mut Measured) -> Result<u64> {
        let (mut key, mut sent) = (self.flags.key(), 0);
        for number in share {
            let begun = Instant::now();
            let outcome =
                self.producer.send(self.record(number, &mut key)?, None).await?.get().await;
            measured.latency(begun.elapsed());
            let count = if outcome.is_ok() { &self.counts.written } else { &self.counts.failed };
            count.fetch_add(1, Ordering::Relaxed);
            sent += 1;
        }
        Ok(sent)
    }

    /// What became of what was sent since then.
    async fn finish(&self, sent: u64, before: Told) -> Result<Told> {
        self.producer.flush().await?;
        let written = self.counts.written.load(Ordering::Relaxed) - before.written;
        let failed = self.counts.failed.load(Ordering::Relaxed) - before.failed;
        Ok(Told { sent, written, failed })
    }
}

fn configuration(flags: &Flags) -> Result<ProducerConfig> {
    let settings = [
        ("bootstrap.servers", flags.bootstrap.clone()),
        ("acks", "all".into()),
        ("enable.idempotence", "true".into()),
        ("max.in.flight.requests.per.connection", "5".into()),
        ("linger.ms", flags.linger_ms.to_string()),
        ("batch.size", flags.batch_size.to_string()),
        ("max.request.size", flags.max_request_size.to_string()),
        ("buffer.memory", flags.buffer_memory.to_string()),
        ("compression.type", "none".into()),
    ];
    let settings: HashMap<String, String> =
        settings.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Ok(ProducerConfig::new(&settings)?)
}

async fn produce() -> Result<()> {
    let flags = Flags::parse();
    let bytes = || ByteArraySerializer::new();
    let producer = Arc::new(KafkaProducer::new(configuration(&flags)?, bytes(), bytes())?);
    let (counts, value) = (Arc::default(), flags.value());
    let client = Client { producer, counts, value, flags: flags.clone() };
    let mut measured = Measured::new(&flags);
    let warmed = client.clone().share(flags.warming()).await?;
    let warmed = client.finish(warmed, Told::default()).await?;
    measured.begin();
    let mut sent = 0;
    if flags.latency {
        let [share] = flags.shares()[..] else { bail!("one record at a time, one task") };
        sent = client.one_by_one(share, &mut measured).await?;
    } else {
        let share = |share| tokio::spawn(client.clone().share(share));
        let tasks: Vec<_> = flags.shares().into_iter().map(share).collect();
        for task in tasks {
            sent += task.await.map_err(|_| anyhow!("a task panicked"))??;
        }
    }
    let told = client.finish(sent, warmed).await?;
    measured.end("confluent-kafka", warmed, told)?;
    client.producer.close().await?;
    Ok(())
}

fn main() -> Result<()> {
    run(produce())
}
