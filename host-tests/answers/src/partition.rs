//! A partition: what it knows of producers, and what is left of its log.

use ottla::message::ErrorCode;
use ottla::record::reader::Batch;

/// Batches of a producer that are remembered, as in Kafka.
pub const WINDOW: usize = 5;

/// Producers that are remembered.
const PRODUCERS: usize = 3;

/// Told of every batch that is appended.
pub trait Log {
    /// `batch` is in the log of a partition from `offset` on.
    fn appended(&mut self, partition: i32, offset: i64, batch: &Batch<'_>);
}

/// Nobody wants to know.
impl Log for () {
    fn appended(&mut self, _: i32, _: i64, _: &Batch<'_>) {}
}

#[derive(Copy, Clone, Debug)]
struct Remembered {
    first: i32,
    last: i32,
    offset: i64,
}

/// What is known of a producer: its epoch, and its newest batches, the newest first.
#[derive(Copy, Clone, Debug)]
struct Producer {
    id: i64,
    epoch: i16,
    count: u8,
    batches: [Remembered; WINDOW],
}

const NOBODY: Producer = Producer {
    id: 0,
    epoch: 0,
    count: 0,
    batches: [Remembered { first: 0, last: 0, offset: 0 }; WINDOW],
};

/// A partition of the topic. All zero when new.
#[derive(Clone, Debug)]
pub struct Partition {
    /// The newest first; with no batch there is none.
    producers: [Producer; PRODUCERS],
    next_offset: i64,
    records: u64,
    hash: u64,
    duplicates: u32,
    out_of_order: u32,
}

/// What is to be done with a batch.
pub(crate) enum Verdict {
    Append,
    Duplicate(i64),
    Refuse(ErrorCode),
}

/// The sequence `count` after `sequence`: 2147483647 is followed by 0.
const fn advance(sequence: i32, count: i32) -> i32 {
    sequence.wrapping_add(count) & i32::MAX
}

impl Partition {
    pub(crate) const EMPTY: Self = Self {
        producers: [NOBODY; PRODUCERS],
        next_offset: 0,
        records: 0,
        hash: 0,
        duplicates: 0,
        out_of_order: 0,
    };

    /// The offset of the next record.
    #[must_use]
    pub const fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// Number of records in the log.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// A hash of all bytes of records in the log, in order.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// Batches that came again, and were not appended again.
    #[must_use]
    pub const fn duplicates(&self) -> u32 {
        self.duplicates
    }

    /// Batches that were refused for their sequence.
    #[must_use]
    pub const fn out_of_order(&self) -> u32 {
        self.out_of_order
    }

    /// As after a restart: of each producer only the newest batch is remembered.
    pub fn reload(&mut self) {
        for producer in &mut self.producers {
            producer.count = producer.count.min(1);
        }
    }

    /// What Kafka's leader does with a batch.
    pub(crate) fn check(&mut self, batch: &Batch<'_>) -> Verdict {
        if batch.producer_id < 0 {
            return Verdict::Append;
        }
        let known = self.producers.iter().find(|p| p.count > 0 && p.id == batch.producer_id);
        let Some(known) = known else { return Verdict::Append };
        let last = advance(batch.base_sequence, batch.count - 1);
        if known.epoch == batch.producer_epoch {
            let kept = &known.batches[..usize::from(known.count)];
            let same = kept.iter().find(|b| b.first == batch.base_sequence && b.last == last);
            if let Some(same) = same {
                self.duplicates = self.duplicates.wrapping_add(1);
                return Verdict::Duplicate(same.offset);
            }
        }
        if batch.producer_epoch < known.epoch {
            return Verdict::Refuse(ErrorCode::INVALID_PRODUCER_EPOCH);
        }
        let newer = batch.producer_epoch > known.epoch;
        let expected = if newer { 0 } else { advance(known.batches[0].last, 1) };
        if batch.base_sequence == expected {
            return Verdict::Append;
        }
        self.out_of_order = self.out_of_order.wrapping_add(1);
        Verdict::Refuse(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER)
    }

    /// Appends a batch: the offset of its first record.
    pub(crate) fn append(&mut self, batch: &Batch<'_>) -> i64 {
        let offset = self.next_offset;
        self.next_offset = offset.wrapping_add(i64::from(batch.count));
        self.records = self.records.wrapping_add(u64::from(batch.count.cast_unsigned()));
        // FNV-1a.
        self.hash = batch.records.iter().fold(self.hash, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        if batch.producer_id >= 0 {
            self.remember(batch, offset);
        }
        offset
    }

    fn remember(&mut self, batch: &Batch<'_>, offset: i64) {
        let found = self.producers.iter().position(|p| p.count > 0 && p.id == batch.producer_id);
        // The oldest makes way for one that is new.
        self.producers[..=found.unwrap_or(PRODUCERS - 1)].rotate_right(1);
        let producer = &mut self.producers[0];
        if found.is_none() || producer.epoch != batch.producer_epoch {
            *producer = Producer { id: batch.producer_id, epoch: batch.producer_epoch, ..NOBODY };
        }
        producer.batches.rotate_right(1);
        producer.batches[0] = Remembered {
            first: batch.base_sequence,
            last: advance(batch.base_sequence, batch.count - 1),
            offset,
        };
        producer.count = (producer.count + 1).min(WINDOW as u8);
    }
}
