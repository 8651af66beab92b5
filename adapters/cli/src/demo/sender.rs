//! Sends numbered records, and keeps what the producer says of each.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, anyhow};
use indicatif::ProgressBar;
use ottla_tokio::{Deliveries, Producer, Record, SendErrorKind};
use tokio::sync::mpsc;

use super::faults::Faults;
use crate::numbers;

/// What the producer said of a record.
#[derive(Copy, Clone, Default, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Nothing, which it must not do.
    #[default]
    Missing,
    Written,
    NotWritten,
    Unknown,
}

/// Bytes of a record's value; those of a whole record are a few more.
pub(super) const RECORD_BYTES: u32 = 100;

/// Records that are sent with one call.
const CALL: u32 = 100;

/// Different keys.
const KEYS: u32 = 97;

/// Calls whose outcomes are outstanding, at most.
const OUTSTANDING: usize = 200;

/// The value of the record with this number: its number, and letters that follow from it.
pub(super) fn value(number: u32) -> String {
    let mut text = format!("{number:010} ");
    let mut state = number;
    while text.len() < RECORD_BYTES as usize {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push(char::from(b'a' + (state >> 24) as u8 % 26));
    }
    text
}

/// The number in a value.
pub(super) fn number(value: &[u8]) -> Option<u32> {
    std::str::from_utf8(value.get(..10)?).ok()?.parse().ok()
}

/// The key of the record with this number.
pub(super) fn key(number: u32) -> String {
    format!("device-{}", number % KEYS)
}

/// Sends `count` records in order, and returns what the producer said of each.
pub(super) async fn send(
    producer: &Producer,
    topic: &str,
    count: u32,
    bar: &ProgressBar,
    faults: &Faults,
) -> anyhow::Result<Vec<Verdict>> {
    let topic = producer.topic(topic)?;
    let verdicts = Arc::new(Mutex::new(vec![Verdict::default(); count as usize]));
    let (send, outstanding) = mpsc::channel(OUTSTANDING);
    let show = show(bar.clone(), faults.counter());
    let collector = tokio::spawn(collect(outstanding, Arc::clone(&verdicts), show));
    let mut next = 0;
    while next < count {
        let numbers = next..count.min(next + CALL);
        let content: Vec<_> = numbers.clone().map(|n| (key(n), value(n))).collect();
        let records = content.iter().map(|(key, value)| Record::new(&topic, value).key(key));
        let deliveries = producer.send_many(records).await.context("the producer gave up")?;
        send.send((next, deliveries)).await.map_err(|_| anyhow!("outcomes are not collected"))?;
        next = numbers.end;
    }
    producer.flush().await;
    drop(send);
    collector.await?;
    let mut verdicts = verdicts.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut verdicts))
}

/// Shows that so many more have their outcome.
fn show(bar: ProgressBar, faults: impl Fn() -> u64) -> impl FnMut(u64) {
    let begun = Instant::now();
    move |more| {
        bar.inc(more);
        if !bar.is_hidden() {
            bar.set_message(format!(
                "{}, {} per second, {}",
                numbers::several(bar.position(), "record"),
                numbers::count(numbers::rate(bar.position(), begun.elapsed())),
                numbers::several(faults(), "fault"),
            ));
        }
    }
}

async fn collect(
    mut outstanding: mpsc::Receiver<(u32, Deliveries)>,
    verdicts: Arc<Mutex<Vec<Verdict>>>,
    mut show: impl FnMut(u64),
) {
    while let Some((first, deliveries)) = outstanding.recv().await {
        let outcomes = deliveries.await;
        let mut verdicts = verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        let places = verdicts.iter_mut().skip(first as usize);
        for (place, outcome) in places.zip(outcomes.iter()) {
            *place = match outcome.map_err(|error| error.kind()) {
                Ok(_) => Verdict::Written,
                Err(SendErrorKind::Unknown(..)) => Verdict::Unknown,
                Err(_) => Verdict::NotWritten,
            };
        }
        drop(verdicts);
        show(outcomes.len() as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_tell_their_number() {
        assert_eq!(value(42).len(), RECORD_BYTES as usize);
        assert_eq!(number(value(42).as_bytes()), Some(42));
        assert_ne!(value(1)[11..], value(2)[11..]);
        assert_eq!(number(b"short"), None);
    }
}
