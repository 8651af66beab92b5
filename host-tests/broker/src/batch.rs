//! The checks of a batch that a client sends, and the marks that the broker makes on it.

use std::sync::Arc;

use ottla::message::ErrorCode;
use ottla::message::produce::broker::RecordError;
use ottla::record::checksum::crc32c;
use ottla::record::layout::{self, Codec};
use ottla::record::reader::{Batch, BatchFault, ReadRecord};

use crate::log::StoredBatch;
use crate::producer_state::{Claim, advance};
use crate::settings::TopicConfig;

/// Why a partition of a request is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Rejection {
    pub(crate) code: ErrorCode,
    pub(crate) text: Option<String>,
    pub(crate) records: Vec<RecordError>,
    /// Where the log begins, or -1: what is wrong with a sequence is told with it, so that the
    /// client can see whether its last records were removed.
    pub(crate) log_start: i64,
}

impl Rejection {
    pub(crate) const fn new(code: ErrorCode) -> Self {
        Self { code, text: None, records: Vec::new(), log_start: -1 }
    }

    pub(crate) fn because(code: ErrorCode, text: &str) -> Self {
        Self { text: Some(text.to_string()), ..Self::new(code) }
    }
}

fn invalid(text: &str) -> Rejection {
    Rejection::because(ErrorCode::INVALID_RECORD, text)
}

fn corrupt(text: &str) -> Rejection {
    Rejection::because(ErrorCode::CORRUPT_MESSAGE, text)
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// The attributes of the first batch, before anything is checked.
pub(crate) fn attributes(records: &[u8]) -> Option<i16> {
    field(records, layout::ATTRIBUTES).map(i16::from_be_bytes)
}

/// The one batch that a partition of a request holds. Nothing in it is checked yet but what the
/// request's version says: zstd from version 7 on.
pub(crate) fn only_batch(records: Option<&[u8]>, version: i16) -> Result<&[u8], Rejection> {
    let records = records.unwrap_or(&[]);
    let (Some(length), Some([magic])) =
        (field(records, layout::LENGTH), field::<1>(records, layout::MAGIC))
    else {
        return Err(invalid("no batch"));
    };
    if magic != layout::MAGIC_V2.cast_unsigned() {
        return Err(invalid("a batch of another format than 2"));
    }
    let smallest = layout::HEADER - layout::LENGTH_OVERHEAD;
    let length = u32::try_from(i32::from_be_bytes(length)).unwrap_or(0);
    if length < smallest {
        return Err(corrupt("a batch length below that of an empty batch"));
    }
    match records.len().cmp(&((length + layout::LENGTH_OVERHEAD) as usize)) {
        std::cmp::Ordering::Less => return Err(invalid("a batch that is cut")),
        std::cmp::Ordering::Greater => return Err(invalid("more than one batch")),
        std::cmp::Ordering::Equal => {}
    }
    let codec = attributes(records).map(Codec::of);
    if version < 7 && codec == Some(Some(Codec::Zstd)) {
        return Err(Rejection::new(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE));
    }
    Ok(records)
}

/// A batch that passed every check but those of its producer and of its segment.
pub(crate) struct Checked<'a> {
    bytes: &'a [u8],
    pub(crate) claim: Claim,
    last_offset_delta: i32,
    attributes: i16,
    max_timestamp: i64,
}

/// Checks a batch by itself, at this time of day.
pub(crate) fn check<'a>(
    bytes: &'a [u8],
    config: &TopicConfig,
    wall_clock: i64,
) -> Result<Checked<'a>, Rejection> {
    if field(bytes, layout::BASE_OFFSET).map(i64::from_be_bytes) != Some(0) {
        return Err(invalid("a base offset other than 0"));
    }
    if i64::try_from(bytes.len()).unwrap_or(i64::MAX) > i64::from(config.max_message_bytes) {
        return Err(Rejection::because(
            ErrorCode::MESSAGE_TOO_LARGE,
            "the batch is larger than max.message.bytes",
        ));
    }
    let mut batch = Batch::read(bytes)
        .map_err(|fault| match fault {
            BatchFault::Short | BatchFault::Length | BatchFault::Checksum => {
                corrupt(&fault.to_string())
            }
            BatchFault::UnknownCodec(_) => {
                Rejection::because(ErrorCode::UNKNOWN_SERVER_ERROR, &fault.to_string())
            }
            _ => invalid(&fault.to_string()),
        })?
        .0;
    if batch.count <= 0 || batch.last_offset_delta != batch.count - 1 {
        return Err(invalid("a number of records that does not match the offsets"));
    }
    if batch.attributes & layout::CONTROL != 0 {
        return Err(invalid("a control batch from a client"));
    }
    if batch.producer_id >= 0 && batch.base_sequence < 0 {
        return Err(invalid("a producer id without a sequence"));
    }
    let client_set_append_time = batch.attributes & layout::LOG_APPEND_TIME != 0;
    // The records' own timestamps are looked at, whatever the client claims of them.
    batch.attributes &= !layout::LOG_APPEND_TIME;
    let max_timestamp = if batch.codec() == Codec::None {
        let times = Times { config, wall_clock, client_set_append_time };
        check_records(&batch, &times)?
    } else {
        let within = config.append_time || in_range(batch.max_timestamp, config, wall_clock);
        if !within || config.append_time && client_set_append_time {
            return Err(Rejection::new(ErrorCode::INVALID_TIMESTAMP));
        }
        batch.max_timestamp
    };
    let claim = Claim {
        producer_id: batch.producer_id,
        epoch: batch.producer_epoch,
        first: batch.base_sequence,
        last: advance(batch.base_sequence, batch.last_offset_delta),
        transactional: batch.attributes & layout::TRANSACTIONAL != 0,
    };
    let (attributes, max_timestamp) = if config.append_time {
        (batch.attributes | layout::LOG_APPEND_TIME, wall_clock)
    } else {
        (batch.attributes, max_timestamp)
    };
    let last_offset_delta = batch.last_offset_delta;
    Ok(Checked { bytes, claim, last_offset_delta, attributes, max_timestamp })
}

/// How timestamps are judged.
struct Times<'a> {
    config: &'a TopicConfig,
    wall_clock: i64,
    client_set_append_time: bool,
}

impl Times<'_> {
    /// What is wrong with a record, by code and text.
    fn fault(&self, record: &ReadRecord<'_>) -> Option<(ErrorCode, &'static str)> {
        if self.config.compact && record.key.is_none() {
            return Some((
                ErrorCode::INVALID_RECORD,
                "a record without a key in a compacted topic",
            ));
        }
        if self.config.append_time {
            return self.client_set_append_time.then_some((
                ErrorCode::INVALID_TIMESTAMP,
                "the timestamp type is LogAppendTime, which only brokers set",
            ));
        }
        if in_range(record.timestamp, self.config, self.wall_clock) {
            return None;
        }
        Some((
            ErrorCode::INVALID_TIMESTAMP,
            "the timestamp is out of the range that the topic allows",
        ))
    }
}

/// Checks the records of a batch one by one, and returns their largest timestamp.
fn check_records(batch: &Batch<'_>, times: &Times<'_>) -> Result<i64, Rejection> {
    let records = batch.records().map_err(|fault| invalid(&fault.to_string()))?;
    let mut max_timestamp = -1;
    let mut faults = Vec::new();
    for (place, record) in (0..).zip(records) {
        let record = record.map_err(|fault| invalid(&fault.to_string()))?;
        if record.offset_delta != place {
            return Err(invalid("offsets that are not 0, 1, 2, ..."));
        }
        max_timestamp = max_timestamp.max(record.timestamp);
        if let Some((code, text)) = times.fault(&record) {
            faults.push((code, RecordError { index: place, text: Some(text.to_string()) }));
        }
    }
    if faults.is_empty() {
        return Ok(max_timestamp);
    }
    let is_timestamp = |fault: &(ErrorCode, RecordError)| fault.0 == ErrorCode::INVALID_TIMESTAMP;
    let code = if faults.iter().any(is_timestamp) {
        ErrorCode::INVALID_TIMESTAMP
    } else {
        ErrorCode::INVALID_RECORD
    };
    let text = Some("one or more records have been rejected".to_string());
    let records = faults.into_iter().map(|(_, record)| record).collect();
    Err(Rejection { text, records, ..Rejection::new(code) })
}

fn in_range(timestamp: i64, config: &TopicConfig, wall_clock: i64) -> bool {
    timestamp == -1
        || (wall_clock.saturating_sub(timestamp) <= config.timestamp_before_max
            && timestamp.saturating_sub(wall_clock) <= config.timestamp_after_max)
}

impl Checked<'_> {
    /// The batch as it stands in the log: offset and leader epoch are set, attributes and largest
    /// timestamp are made true, and with them the checksum.
    pub(crate) fn store(&self, base_offset: i64, leader_epoch: i32) -> StoredBatch {
        let mut bytes = self.bytes.to_vec();
        put(&mut bytes, layout::BASE_OFFSET, &base_offset.to_be_bytes());
        put(&mut bytes, layout::LEADER_EPOCH, &leader_epoch.to_be_bytes());
        let changed = put(&mut bytes, layout::ATTRIBUTES, &self.attributes.to_be_bytes())
            | put(&mut bytes, layout::MAX_TIMESTAMP, &self.max_timestamp.to_be_bytes());
        if changed {
            let checksum = crc32c(bytes.get(layout::ATTRIBUTES..).unwrap_or(&[]));
            put(&mut bytes, layout::CHECKSUM, &checksum.to_be_bytes());
        }
        StoredBatch {
            base_offset,
            last_offset: base_offset.saturating_add(i64::from(self.last_offset_delta)),
            leader_epoch,
            claim: self.claim,
            max_timestamp: self.max_timestamp,
            bytes: Arc::from(bytes),
        }
    }

    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }
}

/// Writes a field, and returns whether it was another before.
fn put(bytes: &mut [u8], at: usize, value: &[u8]) -> bool {
    match bytes.get_mut(at..at + value.len()) {
        Some(field) if field != value => {
            field.copy_from_slice(value);
            true
        }
        _ => false,
    }
}
