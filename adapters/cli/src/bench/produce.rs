//! Many records at a time. Every outcome is waited for, by a task beside the sender.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use indicatif::ProgressBar;
use ottla_tokio::{Deliveries, Delivery, Outcomes, Producer, Record, SendError, TopicHandle};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::payloads::Payloads;
use super::plan::{PORTION, Plan, Turns};
use super::view::{Live, View};
use super::{Call, Measured, Meter, Target};
use crate::tally::Tally;

/// Portions whose outcomes are outstanding, at most: more than `buffer.memory` has room for.
const OUTSTANDING: usize = 16_384;

/// Latencies that are measured, about.
const SAMPLES: u64 = 10_000;

/// The least time between two of them, where it is not known how many records there will be.
const BETWEEN: Duration = Duration::from_millis(1);

/// What the outcomes come by.
enum Portion {
    Singles(Vec<Delivery>),
    Many(Deliveries),
}

/// Sends records as `plan` has it.
pub(super) async fn run(target: &Target, plan: Plan, view: &View) -> anyhow::Result<Measured> {
    let Target { payloads, producer, topic } = target;
    let (send, outstanding) = mpsc::channel(OUTSTANDING);
    let call = plan.call;
    let samples = Samples::new(plan.estimate(), call, view);
    let meter = Meter::start(producer);
    let collector = tokio::spawn(collect(outstanding, Arc::clone(view.live()), view.bar().clone()));
    let live = view.live();
    let mut sender = Sender { producer, topic, send, samples, live };
    let turns = Turns::start(plan);
    match call {
        Call::Send => sender.singly(payloads, turns).await?,
        Call::SendMany => sender.together(payloads, turns).await?,
    }
    let Sender { send, samples, .. } = sender;
    producer.flush().await;
    drop(send);
    let mut tally = collector.await?;
    samples.end(&mut tally).await?;
    let latencies = live.latencies().clone();
    Ok(meter.end(producer, tally, live.bytes(), latencies))
}

struct Sender<'a> {
    producer: &'a Producer,
    topic: &'a TopicHandle,
    send: mpsc::Sender<Portion>,
    samples: Samples,
    live: &'a Live,
}

impl Sender<'_> {
    async fn singly(&mut self, payloads: &Payloads, mut turns: Turns) -> anyhow::Result<()> {
        let mut values = payloads.in_turn();
        while let Some(count) = turns.next(PORTION).await {
            let mut portion = Vec::with_capacity(usize::try_from(count)?);
            let mut bytes = 0;
            for value in values.by_ref().take(usize::try_from(count)?) {
                bytes += value.len() as u64;
                let record = Record::new(self.topic, value);
                if self.samples.is_next() {
                    let begun = Instant::now();
                    let delivery = self.producer.send(record).await?;
                    self.samples
                        .take(begun, async move { Outcome::Single(delivery.await.err()) })?;
                } else {
                    portion.push(self.producer.send(record).await?);
                }
            }
            self.live.sent(count, bytes);
            self.follow(Portion::Singles(portion)).await?;
        }
        Ok(())
    }

    async fn together(&mut self, payloads: &Payloads, mut turns: Turns) -> anyhow::Result<()> {
        let mut values = payloads.in_turn();
        while let Some(count) = turns.next(PORTION).await {
            let mut bytes = 0;
            let values = values.by_ref().take(usize::try_from(count)?);
            let records = values.map(|value| {
                bytes += value.len() as u64;
                Record::new(self.topic, value)
            });
            let begun = Instant::now();
            let deliveries = self.producer.send_many(records).await?;
            self.live.sent(count, bytes);
            if self.samples.is_next() {
                self.samples.take(begun, async move { Outcome::Many(deliveries.await) })?;
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
async fn collect(
    mut outstanding: mpsc::Receiver<Portion>,
    live: Arc<Live>,
    bar: ProgressBar,
) -> Tally {
    let mut tally = Tally::default();
    while let Some(portion) = outstanding.recv().await {
        let (total, failed) = (tally.total(), tally.failed());
        match portion {
            Portion::Singles(deliveries) => {
                for delivery in deliveries {
                    tally.add_one(delivery.await.err(), |text| View::error(&bar, text));
                }
            }
            Portion::Many(deliveries) => {
                tally.add(&deliveries.await, |text| View::error(&bar, text));
            }
        }
        live.done(tally.total() - total, tally.failed() - failed);
    }
    tally
}

/// What became of a sample.
enum Outcome {
    /// One record: its error, if it has one.
    Single(Option<SendError>),
    Many(Outcomes),
}

impl Outcome {
    /// How many records there are, and how many of them failed.
    fn counts(&self) -> (u64, u64) {
        match self {
            Self::Single(error) => (1, error.is_some().into()),
            Self::Many(outcomes) if outcomes.all().is_ok() => (outcomes.len() as u64, 0),
            Self::Many(outcomes) => {
                let failed = outcomes.iter().filter(Result::is_err).count();
                (outcomes.len() as u64, failed as u64)
            }
        }
    }
}

/// Deliveries whose time is taken: each has its own task, so that it does not wait for others.
struct Samples {
    tasks: JoinSet<Outcome>,
    tally: Tally,
    live: Arc<Live>,
    bar: ProgressBar,
    /// Calls from one sample to the next.
    every: u64,
    /// Calls until the next one.
    until: u64,
    /// The last one, if time decides, too.
    last: Option<Instant>,
}

impl Samples {
    fn new(estimate: Option<u64>, call: Call, view: &View) -> Self {
        let records = match call {
            Call::Send => 1,
            Call::SendMany => PORTION,
        };
        Self {
            tasks: JoinSet::new(),
            tally: Tally::default(),
            live: Arc::clone(view.live()),
            bar: view.bar().clone(),
            every: estimate.map_or(PORTION / records, |count| count.div_ceil(SAMPLES * records)),
            until: 0,
            last: estimate.is_none().then(|| Instant::now().checked_sub(BETWEEN)).flatten(),
        }
    }

    /// Whether the next call is to be one.
    fn is_next(&mut self) -> bool {
        if let Some(left) = self.until.checked_sub(1) {
            self.until = left;
            return false;
        }
        self.until = self.every.saturating_sub(1);
        match &mut self.last {
            None => true,
            Some(last) => {
                let now = Instant::now();
                let is_time = now.saturating_duration_since(*last) >= BETWEEN;
                if is_time {
                    *last = now;
                }
                is_time
            }
        }
    }

    fn take(
        &mut self,
        begun: Instant,
        outcome: impl Future<Output = Outcome> + Send + 'static,
    ) -> anyhow::Result<()> {
        let live = Arc::clone(&self.live);
        self.tasks.spawn(async move {
            let outcome = outcome.await;
            live.latencies().add(begun.elapsed());
            let (records, failed) = outcome.counts();
            live.done(records, failed);
            outcome
        });
        while let Some(done) = self.tasks.try_join_next() {
            self.count(&done?);
        }
        Ok(())
    }

    fn count(&mut self, outcome: &Outcome) {
        let tell = |text: &str| View::error(&self.bar, text);
        match outcome {
            Outcome::Single(error) => self.tally.add_one(error.clone(), tell),
            Outcome::Many(outcomes) => self.tally.add(outcomes, tell),
        }
    }

    /// Waits for the rest, and adds what was counted.
    async fn end(mut self, to: &mut Tally) -> anyhow::Result<()> {
        while let Some(done) = self.tasks.join_next().await {
            self.count(&done?);
        }
        to.written += self.tally.written;
        to.not_written += self.tally.not_written;
        to.unknown += self.tally.unknown;
        Ok(())
    }
}
