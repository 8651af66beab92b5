//! Produces by librdkafka, through the rdkafka crate: a future per record.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use bench_client::{Flags, Measured, Share, Told};
use bench_peers::{Waiting, librdkafka, run};
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

impl Client {
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

    async fn share(self, share: Share) -> Result<Told> {
        let (mut key, mut waiting) = (self.flags.key(), Waiting::new());
        for number in share {
            waiting.push(self.send(number, &mut key).await?);
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
    let producer: FutureProducer = librdkafka(&flags).create()?;
    let client = Client { producer, value: flags.value(), flags: flags.clone() };
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
    measured.end("rdkafka future", warmed, told)
}

fn main() -> Result<()> {
    run(produce())
}
