//! Produces by librdkafka, through the rdkafka crate: a delivery callback per record.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use bench_client::{Flags, Measured, Share, Told};
use bench_peers::librdkafka;
use clap::Parser;
use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

/// How often callbacks are served, in records.
const SERVE: u64 = 1000;

/// How long a call serves callbacks that has to wait for some: it never returns before.
const WAIT: Duration = Duration::from_millis(1);

#[derive(Default)]
struct Counts {
    written: AtomicU64,
    failed: AtomicU64,
    /// When the last callback came, if that is of interest.
    last: Option<Mutex<Instant>>,
}

impl Counts {
    fn told(&self) -> u64 {
        self.written.load(Ordering::Relaxed) + self.failed.load(Ordering::Relaxed)
    }
}

impl ClientContext for Counts {}

impl ProducerContext for Counts {
    type DeliveryOpaque = ();

    fn delivery(&self, outcome: &DeliveryResult<'_>, (): ()) {
        let count = if outcome.is_ok() { &self.written } else { &self.failed };
        count.fetch_add(1, Ordering::Relaxed);
        if let Some(last) = &self.last {
            *lock(last) = Instant::now();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Client {
    flags: Flags,
    producer: BaseProducer<Counts>,
    value: Vec<u8>,
}

impl Client {
    fn send(&self, number: u64, key: &mut [u8]) -> Result<()> {
        let mut record = BaseRecord::to(&self.flags.topic).payload(&self.value[..]);
        record = match self.flags.partition(number) {
            Some(partition) => record.partition(partition),
            None => record.key(self.flags.write_key(number, key).unwrap_or_default()),
        };
        while let Err((error, back)) = self.producer.send(record) {
            match error {
                KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) => {
                    self.producer.poll(WAIT);
                    record = back;
                }
                other => bail!(other),
            }
        }
        Ok(())
    }

    fn run(&self, share: Share) -> Result<u64> {
        let (mut key, mut sent) = (self.flags.key(), 0_u64);
        for number in share {
            self.send(number, &mut key)?;
            sent += 1;
            if sent.is_multiple_of(SERVE) {
                self.producer.poll(Duration::ZERO);
            }
        }
        Ok(sent)
    }

    fn one_by_one(&self, share: Share, measured: &mut Measured) -> Result<u64> {
        let (mut key, mut sent) = (self.flags.key(), 0);
        for number in share {
            let begun = Instant::now();
            let before = self.producer.context().told();
            self.send(number, &mut key)?;
            while self.producer.context().told() == before {
                self.producer.poll(WAIT);
            }
            let last = self.producer.context().last.as_ref().context("no time is kept")?;
            measured.latency(lock(last).saturating_duration_since(begun));
            sent += 1;
        }
        Ok(sent)
    }

    /// What became of what was sent since then.
    fn finish(&self, sent: u64, before: Told) -> Result<Told> {
        self.producer.flush(Duration::from_secs(120))?;
        let counts = self.producer.context();
        let written = counts.written.load(Ordering::Relaxed) - before.written;
        let failed = counts.failed.load(Ordering::Relaxed) - before.failed;
        Ok(Told { sent, written, failed })
    }
}

fn main() -> Result<()> {
    let flags = Flags::parse();
    let last = flags.latency.then(|| Mutex::new(Instant::now()));
    let counts = Counts { last, ..Counts::default() };
    let producer = librdkafka(&flags).create_with_context(counts)?;
    let client = Arc::new(Client { producer, value: flags.value(), flags: flags.clone() });
    let mut measured = Measured::new(&flags);
    let warmed = client.finish(client.run(flags.warming())?, Told::default())?;
    measured.begin();
    let sent = if flags.latency {
        let [share] = flags.shares()[..] else { bail!("one record at a time, one task") };
        client.one_by_one(share, &mut measured)?
    } else {
        let mut threads = Vec::new();
        for share in flags.shares() {
            let client = Arc::clone(&client);
            threads.push(thread::spawn(move || client.run(share)));
        }
        let mut sent = 0;
        for thread in threads {
            sent += thread.join().map_err(|_| anyhow!("a thread panicked"))??;
        }
        sent
    };
    let told = client.finish(sent, warmed)?;
    measured.end("rdkafka callback", warmed, told)
}
