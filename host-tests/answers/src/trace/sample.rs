//! Records of a trace: each is known by a number that is in its key or its value, from which all
//! of it can be made again.

use ottla::record::reader::ReadRecord;
use ottla::{Header, Record};

use super::PARTITIONS;
use crate::Random;

/// Bytes of the number, at the start of the value, or of the key where the value is short.
const ID: usize = 4;
/// The longest key or value.
const LONGEST: usize = 600;
/// A time of day of about 2023, in milliseconds.
pub(crate) const TIME: i64 = 1_700_000_000_000;

const HEADERS: [Header<'_>; 2] =
    [Header { key: "unit", value: Some(b"mC") }, Header { key: "", value: None }];

/// A record. Key and value are both the start of `bytes`.
pub(crate) struct Sample {
    bytes: [u8; LONGEST],
    key: Option<usize>,
    value: Option<usize>,
    headers: usize,
    timestamp: Option<i64>,
    partition: Option<i32>,
    class: u8,
}

impl Sample {
    /// The sample `id` of a seed. `block`: how long values may be, and a bit more.
    pub(crate) fn new(seed: u64, id: u32, block: u32) -> Self {
        let mut random = Random::new(seed ^ (u64::from(id) << 32));
        let mut bytes = [0; LONGEST];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = (id as u8).wrapping_add(at as u8);
        }
        bytes[..ID].copy_from_slice(&id.to_be_bytes());
        let mut length =
            |from: u32, to: u32| Some(((from + random.below(to - from)) as usize).min(LONGEST));
        let (key, value) = match id.wrapping_mul(0x9e37_79b9) >> 28 {
            0..8 => (None, length(4, 48)),
            8..10 => (None, length(4, block - 60)),
            10 => (length(4, 16), None),
            11 => (length(4, 16), length(0, 4)),
            // Some of these fit nowhere.
            12 => (None, length(block - 100, block)),
            _ => (length(0, 9), length(4, 100)),
        };
        let headers = if random.chance(256) { random.below(3) as usize } else { 0 };
        let timestamp = if random.chance(512) {
            None
        } else {
            // Not in order, and near where deltas get longer.
            Some(TIME + i64::from(random.below(20_000)) - 10_000)
        };
        let partition = if random.chance(256) {
            None
        } else {
            // In some traces a few partitions get it all, so that batches queue up.
            let few = 1 + (seed >> 1) as u32 % PARTITIONS as u32;
            Some(random.below(few).cast_signed())
        };
        let class = random.below(3) as u8;
        Self { bytes, key, value, headers, timestamp, partition, class }
    }

    /// One for `partition` that takes more than half a block.
    pub(crate) fn large(seed: u64, id: u32, block: u32, partition: i32) -> Self {
        let mut sample = Self::new(seed, id, block);
        sample.key = None;
        sample.value = Some((block * 6 / 10) as usize);
        sample.partition = Some(partition);
        sample.timestamp = Some(TIME);
        sample.class = 0;
        sample
    }

    /// Lends it as a record.
    pub(crate) fn with<R>(&self, use_it: impl FnOnce(&Record<'_>) -> R) -> R {
        use_it(&Record {
            key: self.part(self.key),
            value: self.part(self.value),
            headers: &HEADERS[..self.headers],
            timestamp: self.timestamp,
            partition: self.partition,
            class: self.class,
            ..Record::default()
        })
    }

    fn part(&self, length: Option<usize>) -> Option<&[u8]> {
        length.map(|length| &self.bytes[..length])
    }

    /// The number of a record that was read.
    pub(crate) fn id_of(record: &ReadRecord<'_>) -> Option<u32> {
        let bytes = record.value.filter(|value| value.len() >= ID).or(record.key)?;
        bytes.first_chunk().map(|id| u32::from_be_bytes(*id))
    }

    /// Whether a record that was read is this one.
    pub(crate) fn is(&self, record: &ReadRecord<'_>) -> bool {
        let headers = HEADERS[..self.headers].iter().map(|h| (h.key.as_bytes(), h.value));
        record.key == self.part(self.key)
            && record.value == self.part(self.value)
            && record.headers().eq(headers)
            && self.timestamp.is_none_or(|timestamp| timestamp == record.timestamp)
    }
}
