//! One record at a time.

use std::time::Instant;

use ottla_tokio::Record;

use super::plan::{Plan, Turns};
use super::view::View;
use super::{Measured, Meter, Target};
use crate::tally::Tally;

/// Sends records, each when the one before it has its outcome.
pub(super) async fn run(target: &Target, plan: Plan, view: &View) -> anyhow::Result<Measured> {
    let Target { payloads, producer, topic } = target;
    let mut tally = Tally::default();
    let live = view.live();
    let meter = Meter::start(producer);
    let mut values = payloads.in_turn();
    let mut turns = Turns::start(plan);
    while turns.next(1).await.is_some() {
        let Some(value) = values.next() else { break };
        let begun = Instant::now();
        let outcome = producer.send(Record::new(topic, value)).await?.await;
        live.latencies().add(begun.elapsed());
        live.sent(1, value.len() as u64);
        live.done(1, outcome.is_err().into());
        tally.add_one(outcome.err(), |text| View::error(view.bar(), text));
    }
    let latencies = live.latencies().clone();
    Ok(meter.end(producer, tally, live.bytes(), latencies))
}
