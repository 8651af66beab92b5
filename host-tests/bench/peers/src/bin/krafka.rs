//! Produces by krafka: a future per record.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use bench_client::Flags;
use bench_peers::{ByFuture, measure, run};
use clap::Parser;
use krafka::error::KrafkaError;
use krafka::producer::{Acks, DeliveryHandle, Producer, RecordMetadata};
use krafka::{Kafka, Record};

#[derive(Clone)]
struct Client {
    flags: Flags,
    producer: Arc<Producer>,
    /// Shared by all records, as the client allows.
    value: bytes::Bytes,
}

impl ByFuture for Client {
    type Written = RecordMetadata;
    type Failure = KrafkaError;
    type Outcome = DeliveryHandle;

    fn flags(&self) -> &Flags {
        &self.flags
    }

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

    async fn flush(&self) -> Result<()> {
        Ok(self.producer.flush().await?)
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
    let client = Client { producer: Arc::new(producer), value, flags };
    measure("krafka", &client).await?;
    client.producer.close().await?;
    Ok(())
}

fn main() -> Result<()> {
    run(produce())
}
