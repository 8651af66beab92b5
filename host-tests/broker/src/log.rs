//! A replica's log: batches as they were sent, with their offsets.

use std::sync::Arc;

use ottla::record::reader::{Batch, BatchFault, ReadRecord};

use crate::producer_state::{Claim, ProducerStates, Reload};

/// A batch of a log.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct StoredBatch {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Offset of the last record.
    pub last_offset: i64,
    /// Epoch of the leader that appended it.
    pub leader_epoch: i32,
    /// What it says of its producer.
    pub claim: Claim,
    /// The largest timestamp of its records.
    pub max_timestamp: i64,
    /// The batch, as a consumer gets it.
    pub bytes: Arc<[u8]>,
}

/// The batches of a replica in order, without a gap.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Log {
    batches: Vec<StoredBatch>,
}

/// A record of a log.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct LogRecord<'a> {
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The record.
    pub record: ReadRecord<'a>,
}

impl StoredBatch {
    /// The records with their offsets.
    ///
    /// # Errors
    /// [`BatchFault::Compressed`]: nothing is decompressed here.
    pub fn records(
        &self,
    ) -> Result<impl Iterator<Item = Result<(i64, ReadRecord<'_>), BatchFault>>, BatchFault> {
        let (batch, _) = Batch::read(&self.bytes)?;
        let base = self.base_offset;
        let with_offset =
            move |record: ReadRecord<'_>| base.saturating_add(i64::from(record.offset_delta));
        Ok(batch.records()?.map(move |record| record.map(|record| (with_offset(record), record))))
    }
}

impl Log {
    /// The first offset.
    #[must_use]
    pub const fn start(&self) -> i64 {
        0
    }

    /// The offset after the last record.
    #[must_use]
    pub fn end(&self) -> i64 {
        self.batches.last().map_or(self.start(), |batch| batch.last_offset.saturating_add(1))
    }

    /// The batches in order.
    #[must_use]
    pub fn batches(&self) -> &[StoredBatch] {
        &self.batches
    }

    pub(crate) fn append(&mut self, batch: StoredBatch) {
        debug_assert_eq!(batch.base_offset, self.end());
        self.batches.push(batch);
    }

    /// The batches from the `from`th on that end below `offset`.
    pub(crate) fn tail(&self, from: usize, offset: i64) -> Vec<StoredBatch> {
        let tail = self.batches.get(from..).unwrap_or(&[]);
        tail.iter().take_while(|batch| batch.last_offset < offset).cloned().collect()
    }

    /// How many batches at the start are those of `other`. By Kafka's log matching property a
    /// batch with the same offset and epoch has the same batches before it.
    pub(crate) fn common(&self, other: &Self) -> usize {
        let same = |n: usize| match (self.batches.get(n), other.batches.get(n)) {
            (Some(a), Some(b)) => {
                a.base_offset == b.base_offset && a.leader_epoch == b.leader_epoch
            }
            _ => false,
        };
        let mut count = self.batches.len().min(other.batches.len());
        while count > 0 && !same(count - 1) {
            count -= 1;
        }
        count
    }

    /// Cuts all but the first `count` batches. Returns whether there were any.
    pub(crate) fn keep(&mut self, count: usize) -> bool {
        let cut = count < self.batches.len();
        self.batches.truncate(count);
        cut
    }

    /// How many batches end below `offset`.
    pub(crate) fn count_below(&self, offset: i64) -> usize {
        self.batches.partition_point(|batch| batch.last_offset < offset)
    }

    /// The state of the producers that a load of this log gives.
    pub(crate) fn load(&self, reload: Reload) -> ProducerStates {
        let mut states = ProducerStates::default();
        if reload == Reload::Nothing {
            return states;
        }
        for batch in &self.batches {
            remember(&mut states, batch);
        }
        if reload == Reload::NewestOnly {
            states.keep_newest();
        }
        states
    }
}

/// Takes note of an appended batch.
pub(crate) fn remember(states: &mut ProducerStates, batch: &StoredBatch) {
    states.remember(&batch.claim, batch.base_offset, batch.last_offset, batch.max_timestamp);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(base_offset: i64, count: i64, leader_epoch: i32) -> StoredBatch {
        let (first, last) = (base_offset as i32, (base_offset + count) as i32 - 1);
        StoredBatch {
            base_offset,
            last_offset: base_offset + count - 1,
            leader_epoch,
            claim: Claim { producer_id: 7, epoch: 0, first, last, transactional: false },
            max_timestamp: 0,
            bytes: Arc::from([]),
        }
    }

    fn log(batches: &[(i64, i64, i32)]) -> Log {
        let mut log = Log::default();
        for (base, count, epoch) in batches {
            log.append(batch(*base, *count, *epoch));
        }
        log
    }

    #[test]
    fn logs_agree_up_to_the_first_batch_of_another_leader() {
        let leader = log(&[(0, 2, 0), (2, 1, 0), (3, 5, 2)]);
        let follower = log(&[(0, 2, 0), (2, 1, 0), (3, 5, 1), (8, 1, 1)]);
        assert_eq!(leader.common(&follower), 2);
        assert_eq!(leader.common(&leader), 3);
        assert_eq!(leader.common(&Log::default()), 0);
    }

    #[test]
    fn a_cut_falls_between_batches() {
        let mut log = log(&[(0, 2, 0), (2, 3, 0), (5, 1, 0)]);
        assert_eq!((log.count_below(4), log.count_below(5)), (1, 2));
        assert_eq!(log.tail(1, 5).len(), 1);
        assert!(log.keep(2) && !log.keep(2));
        assert_eq!(log.end(), 5);
    }

    #[test]
    fn a_load_gives_as_much_as_was_asked_for() {
        let log = log(&[(0, 1, 0), (1, 1, 0)]);
        let known = |reload| log.load(reload).get(7).map(|p| p.batches().len());
        assert_eq!(known(Reload::All), Some(2));
        assert_eq!(known(Reload::NewestOnly), Some(1));
        assert_eq!(known(Reload::Nothing), None);
    }
}
