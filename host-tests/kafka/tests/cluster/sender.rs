//! Sending to a topic until told to stop, and noting what becomes of each record.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ottla_tokio::{Delivery, Producer, Record, Refused, SendErrorKind, TopicHandle};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::ledger::{self, Ledger};

/// An outcome that takes longer than this beyond its time is none.
const PATIENCE: Duration = Duration::from_secs(30);

/// A sender that had to wait is behind by so much at the most.
const BEHIND: Duration = Duration::from_millis(100);

/// How a topic is sent to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// So many records a second, one for each partition at a time.
    pub(crate) rate: u32,
    /// As fast as can be, after being told to stop, until so many were accepted.
    pub(crate) at_least: u64,
    /// Whether records may be refused because the topic is not there.
    pub(crate) may_vanish: bool,
}

/// A task that sends.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) ledger: Arc<Ledger>,
    stop: Arc<AtomicBool>,
    task: JoinHandle<Result<()>>,
}

struct Sender {
    producer: Producer,
    name: String,
    topic: TopicHandle,
    pace: Pace,
    ledger: Arc<Ledger>,
    stop: Arc<AtomicBool>,
    watchers: Vec<(UnboundedSender<Sent>, JoinHandle<()>)>,
}

/// A record that was accepted.
struct Sent {
    number: usize,
    at: Instant,
    delivery: Delivery,
}

impl Sending {
    /// Begins to send the numbers 0, 1, ... to each partition of a topic, of which the producer
    /// is told that it has `partitions`; to more as soon as it learns that there are more.
    pub(crate) fn start(
        runtime: &Runtime,
        producer: &Producer,
        topic: &str,
        partitions: u32,
        pace: Pace,
    ) -> Result<Sending> {
        let (ledger, stop) = (Arc::<Ledger>::default(), Arc::<AtomicBool>::default());
        let sender = Sender {
            producer: producer.clone(),
            name: topic.to_owned(),
            topic: producer.declare_topic(topic, partitions)?,
            pace,
            ledger: ledger.clone(),
            stop: stop.clone(),
            watchers: Vec::new(),
        };
        let task = runtime.spawn(sender.run(partitions as usize));
        Ok(Sending { ledger, stop, task })
    }

    /// Sends no more, and returns when every record has its outcome, or will have none.
    pub(crate) fn finish(self, runtime: &Runtime) -> Result<Arc<Ledger>> {
        self.stop.store(true, Ordering::Relaxed);
        runtime.block_on(self.task).context("the sender ended")??;
        Ok(self.ledger)
    }
}

impl Sender {
    async fn run(mut self, mut partitions: usize) -> Result<()> {
        let mut due = Instant::now();
        loop {
            let stopped = self.stop.load(Ordering::Relaxed);
            if stopped && self.ledger.accepted() >= self.pace.at_least {
                break;
            }
            partitions = partitions.max(self.producer.partition_count(&self.topic) as usize);
            for partition in 0..partitions {
                self.send(partition).await?;
            }
            if !stopped {
                due += Duration::from_secs(partitions as u64) / self.pace.rate;
                let now = Instant::now();
                // What the memory was full for is not made up for.
                due = due.max(now - BEHIND);
                sleep(due.saturating_duration_since(now)).await;
            }
        }
        for (sent, watcher) in self.watchers {
            drop(sent);
            watcher.await.context("a watcher ended")?;
        }
        Ok(())
    }

    async fn send(&mut self, partition: usize) -> Result<()> {
        let number = self.ledger.next(partition);
        let value = ledger::value(&self.name, partition, number);
        let record = Record::new(&self.topic, &value).partition(i32::try_from(partition)?);
        match self.producer.send(record).await {
            Ok(delivery) => {
                let at = Instant::now();
                self.ledger.accept(partition);
                let sent = &self.watcher(partition).0;
                sent.send(Sent { number, at, delivery }).ok().context("a watcher ended")?;
            }
            Err(error) => {
                let vanished = matches!(
                    error.kind(),
                    SendErrorKind::Refused(
                        Refused::TopicUnknown | Refused::PartitionUnknown | Refused::Topic(_)
                    )
                );
                ensure!(self.pace.may_vanish && vanished, "not accepted: {error}");
                self.ledger.refuse(&error);
            }
        }
        Ok(())
    }

    fn watcher(&mut self, partition: usize) -> &(UnboundedSender<Sent>, JoinHandle<()>) {
        while self.watchers.len() <= partition {
            let (sender, receiver) = unbounded_channel();
            let limit = self.producer.config().core().delivery_timeout.as_micros();
            let limit = Duration::from_micros(limit) + PATIENCE;
            let watch = watch(receiver, self.watchers.len(), self.ledger.clone(), limit);
            self.watchers.push((sender, tokio::spawn(watch)));
        }
        &self.watchers[partition]
    }
}

/// Outcomes of a partition come in the order of its records, so one task sees each when it comes.
async fn watch(
    mut sent: UnboundedReceiver<Sent>,
    partition: usize,
    ledger: Arc<Ledger>,
    limit: Duration,
) {
    while let Some(Sent { number, at, delivery }) = sent.recv().await {
        // Without one it stays pending, which is found in the end.
        if let Ok(outcome) = timeout(limit.saturating_sub(at.elapsed()), delivery).await {
            ledger.resolve(partition, number, &outcome, at.elapsed());
        }
    }
}
