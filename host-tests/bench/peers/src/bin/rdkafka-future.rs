//! Produces by librdkafka, through the rdkafka crate: a future per record.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::{Result, bail};
use bench_client::Flags;
use bench_peers::{ByFuture, librdkafka, measure, run};
use clap::Parser;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord};

/// How long a task waits that has found the queue full. The crate itself waits 100 ms.
const WAIT: Duration = Duration::from_millis(1);

/// The outcome of a record: the crate wraps it twice.
struct Outcome(DeliveryFuture);

impl Future for Outcome {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll(context).map(|outcome| match outcome {
            Ok(Ok(_)) => Ok(()),
            Ok(Err((error, _))) => Err(error.into()),
            Err(canceled) => Err(canceled.into()),
        })
    }
}

#[derive(Clone)]
struct Client {
    flags: Flags,
    producer: FutureProducer,
    value: Vec<u8>,
}

impl ByFuture for Client {
    type Written = ();
    type Failure = anyhow::Error;
    type Outcome = Outcome;

    fn flags(&self) -> &Flags {
        &self.flags
    }

    async fn send(&self, number: u64, key: &mut [u8]) -> Result<Outcome> {
        let mut record = FutureRecord::to(&self.flags.topic).payload(&self.value[..]);
        record = match self.flags.partition(number) {
            Some(partition) => record.partition(partition),
            None => record.key(self.flags.write_key(number, key).unwrap_or_default()),
        };
        loop {
            record = match self.producer.send_result(record) {
                Ok(future) => return Ok(Outcome(future)),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => back,
                Err((error, _)) => bail!(error),
            };
            tokio::time::sleep(WAIT).await;
        }
    }
}

async fn produce() -> Result<()> {
    let flags = Flags::parse();
    let producer: FutureProducer = librdkafka(&flags).create()?;
    let client = Client { producer, value: flags.value(), flags };
    measure("rdkafka future", &client).await
}

fn main() -> Result<()> {
    run(produce())
}
