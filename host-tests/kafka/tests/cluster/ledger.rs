//! What was said of each record.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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

/// The fates of a topic's records, by partition and by their number in it, which is also their
/// value.
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
