//! One record at a time.

use std::time::Instant;

use ottla_tokio::{Producer, Record, TopicHandle};

use super::payloads::Payloads;
use super::{Measured, Meter};
use crate::output;
use crate::tally::Tally;

/// Sends `count` records, each when the one before it has its outcome.
pub(super) async fn run(
    producer: &Producer,
    topic: &TopicHandle,
    payloads: &Payloads,
    count: u64,
) -> anyhow::Result<Measured> {
    let mut tally = Tally::default();
    let mut latencies = Vec::with_capacity(usize::try_from(count)?);
    let mut bytes = 0;
    let meter = Meter::start(producer);
    for (value, _) in payloads.in_turn().zip(0..count) {
        let begun = Instant::now();
        let outcome = producer.send(Record::new(topic, value)).await?.await;
        latencies.push(begun.elapsed());
        bytes += value.len() as u64;
        tally.add_one(outcome.err(), output::error);
    }
    Ok(meter.end(producer, tally, bytes, latencies))
}
