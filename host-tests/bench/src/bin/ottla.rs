//! Produces by Ottla.

use std::collections::VecDeque;
use std::slice;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bench_client::{Flags, Measured, Share, Told};
use clap::{Parser, ValueEnum};
use ottla_tokio::{Acks, Deliveries, Delivery, Producer, Record, TopicHandle};
use tokio::sync::mpsc;

/// How often deliveries are looked at, in records.
const DRAIN: u64 = 256;

#[derive(Parser, Clone)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    /// The call that takes the records
    #[arg(long, value_enum, default_value_t = Mode::SendMany)]
    mode: Mode,
    /// Records of one `send_many`
    #[arg(long, default_value_t = 100)]
    many: usize,
    /// Threads of the runtime; 0 is the one that everything shares
    #[arg(long, default_value_t = 2)]
    workers: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Mode {
    Send,
    SendMany,
    Post,
}

/// A task that sends.
#[derive(Clone)]
struct Sender {
    cli: Cli,
    producer: Producer,
    topic: TopicHandle,
    value: Vec<u8>,
}

/// The records of one `send_many`. A closure over references could not be held in a task: rustc does
/// not see that its future is `Send`.
struct Records<'a> {
    sender: &'a Sender,
    numbers: slice::Iter<'a, u64>,
    keys: slice::IterMut<'a, Vec<u8>>,
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    #[inline]
    fn next(&mut self) -> Option<Record<'a>> {
        Some(self.sender.record(*self.numbers.next()?, self.keys.next()?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.numbers.size_hint()
    }
}

impl Sender {
    #[inline]
    fn record<'a>(&'a self, number: u64, key: &'a mut [u8]) -> Record<'a> {
        let flags = &self.cli.flags;
        let record = Record::new(&self.topic, &self.value);
        match flags.partition(number) {
            Some(partition) => record.partition(partition),
            None => match flags.write_key(number, key) {
                Some(key) => record.key(key),
                None => record,
            },
        }
    }

    async fn run(self, share: Share) -> Result<Told> {
        match self.cli.mode {
            Mode::Send => self.send(share).await,
            Mode::SendMany => self.send_many(share).await,
            Mode::Post => self.post(share).await,
        }
    }

    /// One record at a call. Deliveries are kept, and looked at from time to time.
    async fn send(&self, share: Share) -> Result<Told> {
        let (mut key, mut told) = (self.cli.flags.key(), Told::default());
        let mut waiting: VecDeque<Delivery> = VecDeque::new();
        for number in share {
            waiting.push_back(self.producer.send(self.record(number, &mut key)).await?);
            told.sent += 1;
            if told.sent.is_multiple_of(DRAIN) {
                while let Some(outcome) = waiting.front().and_then(Delivery::outcome) {
                    told.count(&outcome);
                    waiting.pop_front();
                }
            }
        }
        self.flush().await;
        for delivery in waiting {
            told.count(&delivery.await);
        }
        Ok(told)
    }

    /// Many at a call. A task of its own awaits and counts.
    async fn send_many(&self, mut share: Share) -> Result<Told> {
        let (to_counter, mut deliveries) = mpsc::unbounded_channel::<Deliveries>();
        let counter = tokio::spawn(async move {
            let mut told = Told::default();
            while let Some(some) = deliveries.recv().await {
                some.await.iter().for_each(|outcome| told.count(&outcome));
            }
            told
        });
        let mut keys = vec![self.cli.flags.key(); self.cli.many];
        let mut numbers = Vec::with_capacity(self.cli.many);
        let mut sent = 0;
        loop {
            numbers.clear();
            numbers.extend(share.by_ref().take(self.cli.many));
            if numbers.is_empty() {
                break;
            }
            sent += numbers.len() as u64;
            let records = Records { sender: self, numbers: numbers.iter(), keys: keys.iter_mut() };
            to_counter.send(self.producer.send_many(records).await?)?;
        }
        drop(to_counter);
        self.flush().await;
        let mut told = counter.await?;
        told.sent = sent;
        Ok(told)
    }

    /// Without deliveries: the counters tell, in the end.
    async fn post(&self, share: Share) -> Result<Told> {
        let (mut key, mut sent) = (self.cli.flags.key(), 0);
        for number in share {
            self.producer.post(self.record(number, &mut key)).await?;
            sent += 1;
        }
        self.producer.flush().await;
        Ok(Told::sent(sent))
    }

    /// One of several tasks would close the batches of the others: those wait for the linger.
    async fn flush(&self) {
        if self.cli.flags.tasks == 1 {
            self.producer.flush().await;
        }
    }

    /// One record after another, each awaited.
    async fn one_by_one(&self, share: Share, measured: &mut Measured) -> Result<Told> {
        let (mut key, mut told) = (self.cli.flags.key(), Told::default());
        for number in share {
            let begun = Instant::now();
            let outcome = self.producer.send(self.record(number, &mut key)).await?.await;
            measured.latency(begun.elapsed());
            told.sent += 1;
            told.count(&outcome);
        }
        Ok(told)
    }

    /// Sends the shares, each in a task of its own.
    async fn all(&self, shares: Vec<Share>) -> Result<Told> {
        let before = self.producer.stats().counters;
        let tasks: Vec<_> =
            shares.into_iter().map(|share| tokio::spawn(self.clone().run(share))).collect();
        let mut told = Told::default();
        for task in tasks {
            told.add(task.await??);
        }
        if self.cli.mode == Mode::Post {
            let after = self.producer.stats().counters;
            told.written = after.written - before.written;
            told.failed = after.not_written - before.not_written + after.unknown - before.unknown;
        }
        Ok(told)
    }
}

async fn produce(cli: Cli) -> Result<()> {
    let flags = &cli.flags;
    let producer = Producer::builder()
        .bootstrap_servers(&flags.bootstrap)
        .acks(Acks::All)
        .idempotence(true)
        .max_in_flight(5)
        .linger(Duration::from_millis(flags.linger_ms))
        .batch_size(flags.batch_size)
        .max_request_size(flags.max_request_size)
        .buffer_memory(flags.buffer_memory)
        .build()?;
    // Not declared with a number of partitions: the other clients have to ask, too.
    let topic = producer.topic(&flags.topic)?;
    let sender = Sender { cli: cli.clone(), producer, topic, value: flags.value() };
    let mut measured = Measured::new(flags);
    let warmed = sender.all(vec![flags.warming()]).await?;
    measured.begin();
    let before = sender.producer.stats().counters.batches;
    let told = if flags.latency {
        let [share] = flags.shares()[..] else { anyhow::bail!("one record at a time, one task") };
        sender.one_by_one(share, &mut measured).await?
    } else {
        sender.all(flags.shares()).await?
    };
    measured.tell("batches", sender.producer.stats().counters.batches - before);
    let name = Mode::to_possible_value(&cli.mode).context("a mode")?;
    measured.end(&format!("ottla {}", name.get_name()), warmed, told)?;
    sender.producer.close(Duration::from_secs(10)).await;
    Ok(())
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let mut builder = match cli.workers {
        0 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.worker_threads(cli.workers.max(1)).enable_all().build()?;
    runtime.block_on(async { tokio::spawn(produce(cli)).await? })
}
