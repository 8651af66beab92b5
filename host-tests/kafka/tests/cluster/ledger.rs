//! What was said of each record.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ottla_tokio::{RecordMetadata, SendError, SendErrorKind};

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing was said yet.
    Pending,
    /// It is in the log, at this offset, if one was told.
    Written(Option<i64>),
    /// It is not, and will not be.
    NotWritten,
    /// Nobody knows.
    Unknown,
}

/// The fates of a topic's records, by partition and by their number in it.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    partitions: Vec<Vec<Fate>>,
    slowest: Duration,
    reasons: BTreeMap<String, u64>,
    refused: BTreeMap<String, u64>,
}

/// The value of a record, which tells it from any other one.
pub(crate) fn value(topic: &str, partition: usize, number: usize) -> String {
    format!("{topic}/{partition}/{number}")
}

/// The number of a record that was found in a partition, by its value.
pub(crate) fn number(topic: &str, partition: usize, found: &str) -> Result<usize> {
    let number = found.rsplit('/').next().unwrap_or_default();
    let number = number.parse().with_context(|| format!("a value that nobody sent: {found:?}"))?;
    let sent = value(topic, partition, number);
    ensure!(sent == found, "{found:?} is in partition {partition} of {topic}");
    Ok(number)
}

/// How many records had which fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) accepted: u64,
    pub(crate) pending: u64,
    pub(crate) written: u64,
    /// Of these, without an offset.
    pub(crate) somewhere: u64,
    pub(crate) not_written: u64,
    pub(crate) unknown: u64,
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        self.accepted += other.accepted;
        self.pending += other.pending;
        self.written += other.written;
        self.somewhere += other.somewhere;
        self.not_written += other.not_written;
        self.unknown += other.unknown;
    }
}

impl Ledger {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number that the next record of a partition gets.
    pub(crate) fn next(&self, partition: usize) -> usize {
        self.state().partitions.get(partition).map_or(0, Vec::len)
    }

    /// A partition's next record was accepted.
    pub(crate) fn accept(&self, partition: usize) {
        let mut state = self.state();
        if state.partitions.len() <= partition {
            state.partitions.resize_with(partition + 1, Vec::new);
        }
        state.partitions[partition].push(Fate::Pending);
    }

    /// A record was not accepted.
    pub(crate) fn refuse(&self, error: &SendError) {
        *self.state().refused.entry(format!("{:?}", error.kind())).or_default() += 1;
    }

    /// A record has its outcome, so long after it was accepted.
    pub(crate) fn resolve(
        &self,
        partition: usize,
        number: usize,
        outcome: &Result<RecordMetadata, SendError>,
        after: Duration,
    ) {
        let fate = match outcome {
            Ok(metadata) if metadata.acknowledged => Fate::Written(metadata.offset),
            // What a future without acknowledgement says of a record.
            Ok(_) => Fate::Unknown,
            Err(error) => match error.kind() {
                SendErrorKind::NotWritten(_) => Fate::NotWritten,
                // Of a refusal after the acceptance nothing is known either.
                _ => Fate::Unknown,
            },
        };
        let mut state = self.state();
        state.slowest = state.slowest.max(after);
        state.partitions[partition][number] = fate;
        if let Err(error) = outcome {
            *state.reasons.entry(format!("{:?}", error.kind())).or_default() += 1;
        }
    }

    /// The longest time from an acceptance to its outcome.
    pub(crate) fn slowest(&self) -> Duration {
        self.state().slowest
    }

    /// Why records were not accepted, and why others were not written or are unknown.
    pub(crate) fn reasons(&self) -> (BTreeMap<String, u64>, BTreeMap<String, u64>) {
        let state = self.state();
        (state.refused.clone(), state.reasons.clone())
    }

    /// All fates; they can be looked at in peace.
    pub(crate) fn fates(&self) -> Vec<Vec<Fate>> {
        self.state().partitions.clone()
    }

    /// Of each partition the first record without an outcome.
    pub(crate) fn heads(&self) -> Vec<Option<usize>> {
        let of = |fates: &Vec<Fate>| fates.iter().position(|fate| *fate == Fate::Pending);
        self.state().partitions.iter().map(of).collect()
    }

    /// Whether these records have outcomes, as far as there are any.
    pub(crate) fn are_resolved(&self, heads: &[Option<usize>]) -> bool {
        let state = self.state();
        state
            .partitions
            .iter()
            .zip(heads)
            .all(|(fates, head)| head.is_none_or(|head| fates[head] != Fate::Pending))
    }

    /// How many there are of each.
    pub(crate) fn count(&self) -> Count {
        let mut count = Count::default();
        for fate in self.state().partitions.iter().flatten() {
            count.accepted += 1;
            match fate {
                Fate::Pending => count.pending += 1,
                Fate::Written(offset) => {
                    count.written += 1;
                    count.somewhere += u64::from(offset.is_none());
                }
                Fate::NotWritten => count.not_written += 1,
                Fate::Unknown => count.unknown += 1,
            }
        }
        count
    }

    /// How many records were accepted.
    pub(crate) fn accepted(&self) -> u64 {
        self.state().partitions.iter().map(|fates| fates.len() as u64).sum()
    }
}

#[test]
fn a_record_that_is_somewhere_else_is_found() {
    assert_eq!(number("t", 3, &value("t", 3, 14)).unwrap(), 14);
    for elsewhere in [value("t", 2, 14), value("u", 3, 14), "t/3/014".into(), "14".into()] {
        assert!(number("t", 3, &elsewhere).is_err(), "{elsewhere}");
    }
}

#[test]
fn heads_are_the_first_without_an_outcome() {
    let ledger = Ledger::default();
    for partition in [0, 0, 1] {
        ledger.accept(partition);
    }
    let set = |partition: usize, number: usize| {
        ledger.state().partitions[partition][number] = Fate::Written(None);
    };
    set(0, 0);
    let heads = ledger.heads();
    assert_eq!(heads, [Some(1), Some(0)]);
    set(0, 1);
    assert!(!ledger.are_resolved(&heads));
    set(1, 0);
    assert!(ledger.are_resolved(&heads));
    assert_eq!(ledger.heads(), [None, None]);
}
