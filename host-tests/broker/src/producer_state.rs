//! What the leader of a partition knows of the producers that write to it: for each id its
//! epoch and its last five batches, by which gaps and repeats are told. KIP-98, KIP-360.

use std::collections::{BTreeMap, VecDeque};

use ottla::message::ErrorCode;

/// Batches of a producer that are remembered.
pub const WINDOW: usize = 5;

/// How much of the producers' state is there after a replica has been loaded.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Reload {
    /// All that can be had from the log, as if all of it were read again.
    All,
    /// The newest batch of each producer, as Kafka's snapshots have it.
    NewestOnly,
    /// Nothing.
    Nothing,
}

/// What a batch says of its producer.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct Claim {
    /// Producer id; below 0 there is none.
    pub producer_id: i64,
    /// Producer epoch.
    pub epoch: i16,
    /// Sequence of the first record.
    pub first: i32,
    /// Sequence of the last record.
    pub last: i32,
    /// Part of a transaction.
    pub transactional: bool,
}

/// A batch that is remembered.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct Remembered {
    /// Sequence of its first record.
    pub first: i32,
    /// Sequence of its last record.
    pub last: i32,
    /// Offset of its first record.
    pub base_offset: i64,
    /// Offset of its last record.
    pub last_offset: i64,
    /// Its largest timestamp; on `LogAppendTime` topics the time of its append.
    pub timestamp: i64,
}

/// What is known of a producer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Producer {
    epoch: i16,
    batches: VecDeque<Remembered>,
    last_timestamp: i64,
}

/// What is to be done with a batch.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Append it.
    Append,
    /// It is in the log already: answer with what is remembered.
    Duplicate(Remembered),
    /// Refuse it.
    Refuse(ErrorCode),
}

/// What a replica knows of all producers.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) struct ProducerStates {
    producers: BTreeMap<i64, Producer>,
}

/// The sequence `count` after `sequence`; 2147483647 is followed by 0.
#[must_use]
pub(crate) const fn advance(sequence: i32, count: i32) -> i32 {
    sequence.wrapping_add(count) & i32::MAX
}

impl Producer {
    /// Its epoch.
    #[must_use]
    pub const fn epoch(&self) -> i16 {
        self.epoch
    }

    /// The batches that are remembered, oldest first.
    pub fn batches(&self) -> impl ExactSizeIterator<Item = &Remembered> {
        self.batches.iter()
    }

    /// The largest timestamp of its last batch, which its expiry counts from.
    #[must_use]
    pub const fn last_timestamp(&self) -> i64 {
        self.last_timestamp
    }
}

impl ProducerStates {
    /// What is known of a producer.
    #[must_use]
    pub(crate) fn get(&self, producer_id: i64) -> Option<&Producer> {
        self.producers.get(&producer_id)
    }

    /// Whether nothing is known.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    /// What is to be done with a batch that claims this.
    #[must_use]
    pub(crate) fn check(&self, claim: &Claim) -> Verdict {
        if claim.producer_id < 0 {
            return Verdict::Append;
        }
        let known = self.producers.get(&claim.producer_id);
        if let Some(producer) = known.filter(|producer| producer.epoch == claim.epoch) {
            let repeat = |b: &&Remembered| b.first == claim.first && b.last == claim.last;
            if let Some(batch) = producer.batches.iter().find(repeat) {
                return Verdict::Duplicate(*batch);
            }
        }
        if known.is_some_and(|producer| claim.epoch < producer.epoch) {
            return Verdict::Refuse(ErrorCode::INVALID_PRODUCER_EPOCH);
        }
        if claim.transactional {
            // Nobody can open a transaction here.
            return Verdict::Refuse(INVALID_TXN_STATE);
        }
        let Some(producer) = known else { return Verdict::Append };
        let expected = match producer.batches.back() {
            Some(newest) if claim.epoch == producer.epoch => advance(newest.last, 1),
            _ => 0,
        };
        if claim.first == expected {
            Verdict::Append
        } else {
            Verdict::Refuse(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER)
        }
    }

    /// Takes note of a batch that was appended.
    pub(crate) fn remember(
        &mut self,
        claim: &Claim,
        base_offset: i64,
        last_offset: i64,
        timestamp: i64,
    ) {
        if claim.producer_id < 0 {
            return;
        }
        let producer = self.producers.entry(claim.producer_id).or_insert_with(|| Producer {
            epoch: claim.epoch,
            batches: VecDeque::new(),
            last_timestamp: timestamp,
        });
        if producer.epoch != claim.epoch {
            producer.epoch = claim.epoch;
            producer.batches.clear();
        }
        if producer.batches.len() == WINDOW {
            producer.batches.pop_front();
        }
        let Claim { first, last, .. } = *claim;
        producer.batches.push_back(Remembered { first, last, base_offset, last_offset, timestamp });
        producer.last_timestamp = timestamp;
    }

    /// Forgets producers whose last batch is `expiration` old or older by its own timestamp.
    /// Returns how many.
    pub(crate) fn expire(&mut self, wall_clock: i64, expiration: i64) -> usize {
        let before = self.producers.len();
        self.producers.retain(|_, p| wall_clock.saturating_sub(p.last_timestamp) < expiration);
        before - self.producers.len()
    }

    /// Forgets all batches but the newest of each producer.
    pub(crate) fn keep_newest(&mut self) {
        for producer in self.producers.values_mut() {
            let old = producer.batches.len().saturating_sub(1);
            producer.batches.drain(..old);
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.producers.clear();
    }
}

/// The producer has no open transaction on the partition.
const INVALID_TXN_STATE: ErrorCode = ErrorCode(48);

#[cfg(test)]
mod tests {
    use super::*;

    const OUT_OF_ORDER: Verdict = Verdict::Refuse(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    const OLD_EPOCH: Verdict = Verdict::Refuse(ErrorCode::INVALID_PRODUCER_EPOCH);

    fn claim(epoch: i16, first: i32, last: i32) -> Claim {
        Claim { producer_id: 7, epoch, first, last, transactional: false }
    }

    /// A state that has seen these batches, one offset per record from 0 on.
    fn seen(batches: &[(i16, i32, i32)]) -> ProducerStates {
        let mut states = ProducerStates::default();
        let mut offset = 0;
        for (epoch, first, last) in batches {
            let count = i64::from(last.wrapping_sub(*first) & i32::MAX) + 1;
            states.remember(&claim(*epoch, *first, *last), offset, offset + count - 1, 1_000);
            offset += count;
        }
        states
    }

    fn duplicate(verdict: Verdict) -> (i64, i64) {
        match verdict {
            Verdict::Duplicate(batch) => (batch.base_offset, batch.last_offset),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn no_producer_id_no_checks() {
        let states = seen(&[(0, 0, 9)]);
        let none = Claim { producer_id: -1, epoch: -1, first: -1, last: -1, transactional: false };
        assert_eq!(states.check(&none), Verdict::Append);
    }

    #[test]
    fn row_1_an_exact_repeat_of_the_last_five_is_a_duplicate() {
        let states = seen(&[(3, 0, 4), (3, 5, 9), (3, 10, 10), (3, 11, 20), (3, 21, 21)]);
        assert_eq!(duplicate(states.check(&claim(3, 0, 4))), (0, 4));
        assert_eq!(duplicate(states.check(&claim(3, 11, 20))), (11, 20));
        assert_eq!(duplicate(states.check(&claim(3, 21, 21))), (21, 21));
    }

    #[test]
    fn row_1_a_repeat_older_than_five_or_with_other_borders_is_out_of_order() {
        let batches: Vec<_> = (0..6).map(|n| (0, n, n)).collect();
        let states = seen(&batches);
        assert_eq!(states.check(&claim(0, 0, 0)), OUT_OF_ORDER);
        assert_eq!(duplicate(states.check(&claim(0, 1, 1))), (1, 1));
        assert_eq!(states.check(&claim(0, 1, 2)), OUT_OF_ORDER);
        assert_eq!(states.check(&claim(0, 5, 6)), OUT_OF_ORDER);
    }

    #[test]
    fn row_1_a_repeat_under_another_epoch_is_none() {
        let states = seen(&[(3, 0, 4)]);
        assert_eq!(states.check(&claim(4, 0, 4)), Verdict::Append);
        assert_eq!(states.check(&claim(2, 0, 4)), OLD_EPOCH);
    }

    #[test]
    fn row_2_transactions_need_one_that_is_open() {
        let states = seen(&[(3, 0, 4)]);
        let transactional = |epoch, first| Claim { transactional: true, ..claim(epoch, first, 9) };
        assert_eq!(states.check(&transactional(2, 0)), OLD_EPOCH);
        assert_eq!(states.check(&transactional(3, 5)), Verdict::Refuse(INVALID_TXN_STATE));
        assert_eq!(states.check(&transactional(4, 0)), Verdict::Refuse(INVALID_TXN_STATE));
    }

    #[test]
    fn row_3_an_older_epoch_is_fenced() {
        assert_eq!(seen(&[(3, 0, 4)]).check(&claim(2, 5, 5)), OLD_EPOCH);
    }

    #[test]
    fn k133_row_6_without_state_any_first_sequence_is_accepted() {
        let states = ProducerStates::default();
        assert_eq!(states.check(&claim(0, 57, 60)), Verdict::Append);
        assert_eq!(states.check(&claim(9, 0, 0)), Verdict::Append);
    }

    #[test]
    fn k134_row_8_within_an_epoch_sequences_go_on_without_a_gap() {
        let states = seen(&[(3, 0, 4), (3, 5, 9)]);
        assert_eq!(states.check(&claim(3, 10, 12)), Verdict::Append);
        assert_eq!(states.check(&claim(3, 11, 12)), OUT_OF_ORDER);
        assert_eq!(duplicate(states.check(&claim(3, 5, 9))), (5, 9));
        assert_eq!(states.check(&claim(3, 5, 8)), OUT_OF_ORDER);
    }

    #[test]
    fn k135_row_7_a_newer_epoch_starts_at_0_and_forgets_the_older() {
        let mut states = seen(&[(3, 0, 9)]);
        assert_eq!(states.check(&claim(4, 1, 1)), OUT_OF_ORDER);
        assert_eq!(states.check(&claim(4, 0, 0)), Verdict::Append);
        states.remember(&claim(4, 0, 0), 10, 10, 1_000);
        assert_eq!(states.check(&claim(3, 0, 9)), OLD_EPOCH);
        let known = states.get(7).unwrap();
        assert_eq!((known.epoch(), known.batches().len()), (4, 1));
    }

    #[test]
    fn k136_row_8_sequences_wrap() {
        let states = seen(&[(3, i32::MAX - 1, i32::MAX)]);
        assert_eq!(states.check(&claim(3, 0, 0)), Verdict::Append);
        assert_eq!(states.check(&claim(3, 1, 1)), OUT_OF_ORDER);
        let straddling = seen(&[(3, i32::MAX, 2)]);
        assert_eq!(straddling.check(&claim(3, 3, 3)), Verdict::Append);
        assert_eq!(duplicate(straddling.check(&claim(3, i32::MAX, 2))), (0, 3));
    }

    #[test]
    fn row_8_an_epoch_without_batches_starts_at_0() {
        let mut states = seen(&[(3, 0, 9)]);
        states.producers.get_mut(&7).unwrap().batches.clear();
        assert_eq!(states.check(&claim(3, 10, 10)), OUT_OF_ORDER);
        assert_eq!(states.check(&claim(3, 0, 0)), Verdict::Append);
    }

    #[test]
    fn k137_expiry_goes_by_the_timestamps_of_records() {
        let mut states = seen(&[(0, 0, 9)]);
        assert_eq!(states.expire(1_000 + 86_399_999, 86_400_000), 0);
        assert_eq!(states.expire(1_000 + 86_400_000, 86_400_000), 1);
        assert_eq!(states.check(&claim(0, 57, 57)), Verdict::Append);
    }

    #[test]
    fn after_a_reload_of_the_newest_only_older_repeats_are_out_of_order() {
        let mut states = seen(&[(0, 0, 0), (0, 1, 1), (0, 2, 2)]);
        states.keep_newest();
        assert_eq!(states.check(&claim(0, 0, 0)), OUT_OF_ORDER);
        assert_eq!(states.check(&claim(0, 1, 1)), OUT_OF_ORDER);
        assert_eq!(duplicate(states.check(&claim(0, 2, 2))), (2, 2));
        assert_eq!(states.check(&claim(0, 3, 3)), Verdict::Append);
    }

    #[test]
    fn sequences_are_added_modulo_2_to_the_31() {
        assert_eq!(advance(i32::MAX, 1), 0);
        assert_eq!(advance(i32::MAX, 100), 99);
        assert_eq!(advance(i32::MAX - 3, 4), 0);
        assert_eq!(advance(5, 3), 8);
    }
}
