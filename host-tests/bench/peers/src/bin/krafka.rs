//! Produces by krafka: a future per record.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use bench_client::{Flags, Measured, Share, Told};
use bench_peers::{Waiting, run};
use clap::Parser;
use krafka::producer::{Acks, DeliveryHandle, Producer};
use krafka::{Kafka, Record};

#[derive(Clone)]
struct Client {
    flags: Flags,
    producer: Arc<Producer>,
    /// Shared by all records, as the client allows.
    value: bytes::Bytes,
}

impl Client {
    async fn send(&self, number: u64, key: &mut [u8]) -> Result<DeliveryHandle> {
        let record = Record::new(self.flags.topic.as_str(), self.value.clone());
        let record = match self.flags.partition(number) {
            Some(partition) => record.partition(partition),
            None => {
                let key = self.flags.write_key(number, key).unwrap_or_default();
                record.key(bytes::Bytes::copy_from_slice(key))
            }
        };
        Ok(self.producer.enqueue(record).await?)
    }

    async fn share(self, share: Share) -> Result<Told> {
        let (mut key, mut waiting) = (self.flags.key(), Waiting::new());
        for number in share {
            waiting.push(self.send(number, &mut key).await?);
        }
        // One of several tasks would close the batches of the others: those wait for the linger.
        if self.flags.tasks == 1 {
            self.producer.flush().await?;
        }
        Ok(waiting.finish().await)
    }

    async fn one_by_one(&self, share: Share, measured: &mut Measured) -> Result<Told> {
        let (mut key, mut told) = (self.flags.key(), Told::default());
        for number in share {
            let begun = Instant::now();
            let outcome = self.send(number, &mut key).await?.await;
            measured.latency(begun.elapsed());
            told.sent += 1;
            told.count(&outcome);
        }
        Ok(told)
    }
}

async fn produce() -> Result<()> {
    let flags = Flags::parse();
    let kafka = Kafka::builder(&flags.bootstrap).max_in_flight_requests(5).connect().await?;
    let producer = kafka
        .producer()
        .acks(Acks::All)
        .idempotent(true)
        .linger(Duration::from_millis(flags.linger_ms))
        .batch_size(flags.batch_size as usize)
        .max_request_size(flags.max_request_size as usize)
        .buffer_memory(flags.buffer_memory as usize)
        .build()
        .await?;
    let value = flags.value().into();
    let client = Client { producer: Arc::new(producer), value, flags: flags.clone() };
    let mut measured = Measured::new(&flags);
    let warmed = client.clone().share(flags.warming()).await?;
    measured.begin();
    let mut told = Told::default();
    if flags.latency {
        let [share] = flags.shares()[..] else { bail!("one record at a time, one task") };
        told = client.one_by_one(share, &mut measured).await?;
    } else {
        let share = |share| tokio::spawn(client.clone().share(share));
        let tasks: Vec<_> = flags.shares().into_iter().map(share).collect();
        for task in tasks {
            told.add(task.await.map_err(|_| anyhow!("a task panicked"))??);
        }
    }
    measured.end("krafka", warmed, told)?;
    client.producer.close().await?;
    Ok(())
}

fn main() -> Result<()> {
    run(produce())
}
