//! Many records at a time. Every outcome is waited for, by a task beside the sender.

use std::time::{Duration, Instant};

use anyhow::anyhow;
use indicatif::ProgressBar;
use ottla_tokio::{Deliveries, Delivery, Outcomes, Producer, Record, SendError, TopicHandle};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::payloads::Payloads;
use super::{Call, Measured, Meter};
use crate::output;
use crate::tally::Tally;

/// Records of one `send_many`, and deliveries that go to the task at once.
const PORTION: usize = 100;

/// Portions whose outcomes are outstanding, at most: more than `buffer.memory` has room for.
const OUTSTANDING: usize = 16_384;

/// Latencies that are measured, about.
const SAMPLES: u64 = 10_000;

/// What the outcomes come by.
enum Portion {
    Singles(Vec<Delivery>),
    Many(Deliveries),
}

/// Sends `count` records.
pub(super) async fn run(
    producer: &Producer,
    topic: &TopicHandle,
    payloads: &Payloads,
    count: u64,
    call: Call,
    bar: &ProgressBar,
) -> anyhow::Result<Measured> {
    let (send, outstanding) = mpsc::channel(OUTSTANDING);
    let meter = Meter::start(producer);
    let collector = tokio::spawn(collect(outstanding, bar.clone()));
    let mut sender = Sender { producer, topic, send, samples: Samples::default(), bytes: 0 };
    match call {
        Call::Send => sender.singly(payloads, count).await?,
        Call::SendMany => sender.together(payloads, count).await?,
    }
    let Sender { send, samples, bytes, .. } = sender;
    producer.flush().await;
    drop(send);
    let mut tally = collector.await?;
    let latencies = samples.end(&mut tally).await?;
    Ok(meter.end(producer, tally, bytes, latencies))
}

struct Sender<'a> {
    producer: &'a Producer,
    topic: &'a TopicHandle,
    send: mpsc::Sender<Portion>,
    samples: Samples,
    bytes: u64,
}

impl Sender<'_> {
    async fn singly(&mut self, payloads: &Payloads, count: u64) -> anyhow::Result<()> {
        let every = count.div_ceil(SAMPLES);
        let mut portion = Vec::with_capacity(PORTION);
        for (value, number) in payloads.in_turn().zip(0..count) {
            self.bytes += value.len() as u64;
            let record = Record::new(self.topic, value);
            if number % every == 0 {
                let begun = Instant::now();
                let delivery = self.producer.send(record).await?;
                self.samples.take(async move {
                    let outcome = delivery.await;
                    (begun.elapsed(), Outcome::Single(outcome.err()))
                })?;
                continue;
            }
            portion.push(self.producer.send(record).await?);
            if portion.len() == PORTION {
                let full = std::mem::replace(&mut portion, Vec::with_capacity(PORTION));
                self.follow(Portion::Singles(full)).await?;
            }
        }
        self.follow(Portion::Singles(portion)).await
    }

    async fn together(&mut self, payloads: &Payloads, count: u64) -> anyhow::Result<()> {
        let every = count.div_ceil(SAMPLES * PORTION as u64);
        let mut values = payloads.in_turn();
        for number in 0..count.div_ceil(PORTION as u64) {
            let size = (count - number * PORTION as u64).min(PORTION as u64);
            let values = values.by_ref().take(usize::try_from(size)?);
            let records = values.map(|value| {
                self.bytes += value.len() as u64;
                Record::new(self.topic, value)
            });
            let begun = Instant::now();
            let deliveries = self.producer.send_many(records).await?;
            if number % every == 0 {
                self.samples.take(async move {
                    let outcomes = deliveries.await;
                    (begun.elapsed(), Outcome::Many(outcomes))
                })?;
            } else {
                self.follow(Portion::Many(deliveries)).await?;
            }
        }
        Ok(())
    }

    async fn follow(&self, portion: Portion) -> anyhow::Result<()> {
        self.send.send(portion).await.map_err(|_| anyhow!("outcomes are not collected"))
    }
}

/// Waits for outcomes, and counts them.
async fn collect(mut outstanding: mpsc::Receiver<Portion>, bar: ProgressBar) -> Tally {
    let mut tally = Tally::default();
    while let Some(portion) = outstanding.recv().await {
        match portion {
            Portion::Singles(deliveries) => {
                for delivery in deliveries {
                    tally.add_one(delivery.await.err(), output::error);
                }
            }
            Portion::Many(deliveries) => tally.add(&deliveries.await, output::error),
        }
        bar.set_position(tally.total());
    }
    tally
}

/// What became of a sample.
enum Outcome {
    /// One record: its error, if it has one.
    Single(Option<SendError>),
    Many(Outcomes),
}

/// Deliveries whose time is taken: each has its own task, so that it does not wait for others.
#[derive(Default)]
struct Samples {
    tasks: JoinSet<(Duration, Outcome)>,
    latencies: Vec<Duration>,
    tally: Tally,
}

impl Samples {
    fn take(
        &mut self,
        sample: impl Future<Output = (Duration, Outcome)> + Send + 'static,
    ) -> anyhow::Result<()> {
        self.tasks.spawn(sample);
        while let Some(done) = self.tasks.try_join_next() {
            self.count(done?);
        }
        Ok(())
    }

    fn count(&mut self, (latency, outcome): (Duration, Outcome)) {
        self.latencies.push(latency);
        match outcome {
            Outcome::Single(error) => self.tally.add_one(error, output::error),
            Outcome::Many(outcomes) => self.tally.add(&outcomes, output::error),
        }
    }

    /// Waits for the rest, and adds what was counted.
    async fn end(mut self, to: &mut Tally) -> anyhow::Result<Vec<Duration>> {
        while let Some(done) = self.tasks.join_next().await {
            self.count(done?);
        }
        to.written += self.tally.written;
        to.not_written += self.tally.not_written;
        to.unknown += self.tally.unknown;
        Ok(self.latencies)
    }
}
