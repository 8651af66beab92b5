//! Produces by Ottla.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::Result;
use bench::{Flags, Totals, report};
use clap::{Parser, ValueEnum};
use ottla_tokio::{Acks, Delivery, Producer, Record, TopicHandle};
use tokio::sync::mpsc;

/// How often the counters are looked at with `--watch`.
const GLANCE: Duration = Duration::from_millis(1);

/// How often deliveries are looked at, in records.
const DRAIN: u64 = 256;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    /// The call that takes the records
    #[arg(long, value_enum, default_value_t = Mode::SendMany)]
    mode: Mode,
    /// Records of one `send_many`
    #[arg(long, default_value_t = 100)]
    many: u64,
    /// Threads of the runtime; 0 is the one that everything shares
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Notes when acknowledgements come
    #[arg(long)]
    watch: bool,
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Mode {
    Send,
    SendMany,
    Post,
}

/// Written, and not.
#[derive(Clone, Copy, Default)]
struct Told(u64, u64);

impl Told {
    fn count<T, E>(&mut self, outcome: &Result<T, E>) {
        match outcome {
            Ok(_) => self.0 += 1,
            Err(_) => self.1 += 1,
        }
    }
}

/// One record at a call. Deliveries are kept, and looked at from time to time.
async fn send(flags: &Flags, producer: &Producer, topic: &TopicHandle) -> Result<Told> {
    let (value, mut told) = (flags.value(), Told::default());
    let mut waiting: VecDeque<Delivery> = VecDeque::new();
    for i in 0..flags.records {
        let record = Record::new(topic, &value).partition(flags.partition(i));
        waiting.push_back(producer.send(record).await?);
        if i % DRAIN == 0 {
            while let Some(outcome) = waiting.front().and_then(Delivery::outcome) {
                told.count(&outcome);
                waiting.pop_front();
            }
        }
    }
    producer.flush().await;
    for delivery in waiting {
        told.count(&delivery.await);
    }
    Ok(told)
}

/// Many at a call. A task of its own awaits and counts.
async fn send_many(cli: &Cli, producer: &Producer, topic: &TopicHandle) -> Result<Told> {
    let (flags, value) = (&cli.flags, cli.flags.value());
    let (to_counter, mut deliveries) = mpsc::unbounded_channel();
    let counter = tokio::spawn(async move {
        let mut told = Told::default();
        while let Some(some) = deliveries.recv().await {
            let some: ottla_tokio::Deliveries = some;
            some.await.iter().for_each(|outcome| told.count(&outcome));
        }
        told
    });
    let mut next = 0;
    while next < flags.records {
        let end = flags.records.min(next + cli.many);
        let records = (next..end).map(|i| Record::new(topic, &value).partition(flags.partition(i)));
        to_counter.send(producer.send_many(records).await?)?;
        next = end;
    }
    drop(to_counter);
    producer.flush().await;
    Ok(counter.await?)
}

/// Without deliveries: the counters tell.
async fn post(flags: &Flags, producer: &Producer, topic: &TopicHandle) -> Result<Told> {
    let value = flags.value();
    for i in 0..flags.records {
        producer.post(Record::new(topic, &value).partition(flags.partition(i))).await?;
    }
    producer.flush().await;
    let counters = producer.stats().counters;
    Ok(Told(counters.written, counters.not_written + counters.unknown))
}

/// How many records were acknowledged after the first acknowledgement, and in what time.
async fn watch<T>(producer: &Producer, work: impl Future<Output = T>) -> (T, (u64, f64)) {
    let (mut first, mut last) = (None, (Instant::now(), 0));
    let mut look = tokio::time::interval(GLANCE);
    let mut work = pin!(work);
    let result = poll_fn(|cx| {
        let done = work.as_mut().poll(cx);
        while look.poll_tick(cx).is_ready() || done.is_ready() {
            let written = producer.stats().counters.written;
            if written > last.1 {
                last = (Instant::now(), written);
                first.get_or_insert(last);
            }
            if done.is_ready() {
                break;
            }
        }
        done
    })
    .await;
    let (begun, before) = first.unwrap_or(last);
    (result, (last.1 - before, (last.0 - begun).as_secs_f64()))
}

async fn produce(cli: Cli) -> Result<()> {
    let (flags, started) = (&cli.flags, Instant::now());
    let producer = Producer::builder()
        .bootstrap_servers(&flags.bootstrap)
        .acks(Acks::All)
        .idempotence(true)
        .max_in_flight(5)
        .linger(Duration::from_millis(flags.linger_ms))
        .batch_size(flags.batch_size)
        .buffer_memory(flags.buffer_memory)
        .build()?;
    let topic = producer.declare_topic(&flags.topic, flags.partitions)?;
    let work = async {
        match cli.mode {
            Mode::Send => send(flags, &producer, &topic).await,
            Mode::SendMany => send_many(&cli, &producer, &topic).await,
            Mode::Post => post(flags, &producer, &topic).await,
        }
    };
    let (told, (acknowledged, seconds)) = match cli.watch {
        true => watch(&producer, work).await,
        false => (work.await, (0, 0.0)),
    };
    let Told(written, failed) = told?;
    producer.close(Duration::from_secs(10)).await;
    let counters = producer.stats().counters;
    let of_a_batch = written as f64 / counters.batches.max(1) as f64;
    let totals = Totals {
        written,
        failed,
        requests: counters.requests,
        batches: counters.batches,
        batch_bytes: counters.batch_bytes,
        after_first: (acknowledged as f64 / of_a_batch, seconds),
    };
    let name = match cli.mode {
        Mode::Send => "ottla send",
        Mode::SendMany => "ottla send_many",
        Mode::Post => "ottla post",
    };
    report(name, flags, started, totals);
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
