//! What the peers have in common: outcomes that come as futures, and a runtime.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use anyhow::{Result, anyhow, bail};
use bench_client::{Flags, Measured, Share, Told};
use rdkafka::config::ClientConfig;

/// How often outcomes are looked at, in records.
pub const DRAIN: u64 = 256;

/// Outcomes that come as a future per record, and are looked at from time to time: that costs
/// least, for no task is woken.
struct Waiting<F> {
    futures: VecDeque<F>,
    told: Told,
}

impl<F, T, E> Waiting<F>
where
    F: Future<Output = Result<T, E>> + Unpin,
{
    fn new() -> Self {
        Waiting { futures: VecDeque::new(), told: Told::default() }
    }

    /// One that was sent.
    fn push(&mut self, future: F) {
        self.futures.push_back(future);
        self.told.sent += 1;
        if self.told.sent.is_multiple_of(DRAIN) {
            self.look();
        }
    }

    fn look(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        while let Some(first) = self.futures.front_mut() {
            let Poll::Ready(outcome) = Pin::new(first).poll(&mut context) else { break };
            self.told.count(&outcome);
            self.futures.pop_front();
        }
    }

    /// All outcomes.
    async fn finish(mut self) -> Told {
        for future in self.futures {
            self.told.count(&future.await);
        }
        self.told
    }
}

/// A client that gives a future for each record.
pub trait ByFuture: Clone + Send + Sync + 'static {
    type Written;
    type Failure;
    type Outcome: Future<Output = Result<Self::Written, Self::Failure>> + Unpin + Send;

    fn flags(&self) -> &Flags;

    /// Sends a record; `key` is room for its key.
    fn send(
        &self,
        number: u64,
        key: &mut [u8],
    ) -> impl Future<Output = Result<Self::Outcome>> + Send;

    /// Sends what waits for more.
    fn flush(&self) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }
}

async fn share<C: ByFuture>(client: C, share: Share) -> Result<Told> {
    let (mut key, mut waiting) = (client.flags().key(), Waiting::new());
    for number in share {
        waiting.push(client.send(number, &mut key).await?);
    }
    // One of several tasks would close the batches of the others: those wait for the linger.
    if client.flags().tasks == 1 {
        client.flush().await?;
    }
    Ok(waiting.finish().await)
}

async fn one_by_one<C: ByFuture>(
    client: &C,
    share: Share,
    measured: &mut Measured,
) -> Result<Told> {
    let (mut key, mut told) = (client.flags().key(), Told::default());
    for number in share {
        let begun = Instant::now();
        let outcome = client.send(number, &mut key).await?.await;
        measured.latency(begun.elapsed());
        told.sent += 1;
        told.count(&outcome);
    }
    Ok(told)
}

/// Sends all records, and prints the report.
pub async fn measure<C: ByFuture>(name: &str, client: &C) -> Result<()> {
    let flags = client.flags();
    let mut measured = Measured::new(flags);
    let warmed = share(client.clone(), flags.warming()).await?;
    measured.begin();
    let mut told = Told::default();
    if flags.latency {
        let [share] = flags.shares()[..] else { bail!("one record at a time, one task") };
        told = one_by_one(client, share, &mut measured).await?;
    } else {
        let share = |part| tokio::spawn(share(client.clone(), part));
        let tasks: Vec<_> = flags.shares().into_iter().map(share).collect();
        for task in tasks {
            told.add(task.await.map_err(|_| anyhow!("a task panicked"))??);
        }
    }
    measured.end(name, warmed, told)
}

/// Runs a client on two threads, as many as Ottla has.
pub fn run<W>(work: W) -> Result<()>
where
    W: Future<Output = Result<()>> + Send + 'static,
{
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build()?;
    runtime.block_on(async { tokio::spawn(work).await? })
}

/// What both clients on librdkafka are told. When idempotent, it sends one request of a partition at
/// a time, whatever it is told of five (librdkafka's pull request 4989).
pub fn librdkafka(flags: &Flags) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &flags.bootstrap)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("max.in.flight.requests.per.connection", "5")
        .set("linger.ms", flags.linger_ms.to_string())
        .set("batch.size", flags.batch_size.to_string())
        .set("message.max.bytes", flags.max_request_size.to_string())
        // Batches and the queue are bounded by bytes alone, as in the others.
        .set("batch.num.messages", "1000000")
        .set("queue.buffering.max.messages", "0")
        .set("queue.buffering.max.kbytes", (flags.buffer_memory / 1024).to_string())
        // The hash that the others have.
        .set("partitioner", "murmur2_random")
        .set("compression.type", "none");
    config
}
