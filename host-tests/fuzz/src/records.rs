//! Record batches: read from any bytes, and made of drawn records.

use arbitrary::{Result, Unstructured};
use ottla::record::builder::{Seal, append, seal};
use ottla::record::checksum::crc32c;
use ottla::record::reader::{Batch, BatchFault, ReadRecord};
use ottla::record::{Header, Record, layout, size};

use crate::apis::rest;

/// Bytes to read batches from, or records to make one of.
///
/// A batch that was made is read as what it was made of; one that was changed is read as
/// something, or named for what is wrong with it; and all of it is read within its bytes.
pub fn target(data: &[u8]) {
    // An input that ends early says nothing, and does no harm.
    run(&mut Unstructured::new(data)).ok();
}

fn run(input: &mut Unstructured<'_>) -> Result<()> {
    match input.int_in_range(0..=2_u8)? {
        0 => read_all(rest(input)),
        1 => {
            let (mends, mut bytes) = (input.arbitrary()?, rest(input).to_vec());
            mend(&mut bytes, mends);
            read_all(&bytes);
        }
        _ => {
            let changes: [(u8, u8); 3] = input.arbitrary()?;
            let drawn = Drawn::draw(input)?;
            let mut batch = drawn.batch();
            drawn.compare(&batch);
            for (at, value) in changes {
                let at = usize::from(at);
                if let Some(byte) = batch.get_mut(at) {
                    *byte ^= value;
                }
            }
            mend(&mut batch, true);
            read_all(&batch);
        }
    }
    Ok(())
}

/// Sets what stands before the part of a batch that says anything: the length, the format, and
/// the checksum. Without it hardly any bytes would be read any further.
fn mend(bytes: &mut [u8], length: bool) {
    if bytes.len() <= layout::ATTRIBUTES {
        return;
    }
    if length {
        let length = (bytes.len() as u32).saturating_sub(layout::LENGTH_OVERHEAD);
        bytes[layout::LENGTH..layout::LEADER_EPOCH].copy_from_slice(&length.to_be_bytes());
    }
    bytes[layout::MAGIC] = layout::MAGIC_V2.cast_unsigned();
    let checksum = crc32c(&bytes[layout::ATTRIBUTES..]);
    bytes[layout::CHECKSUM..layout::ATTRIBUTES].copy_from_slice(&checksum.to_be_bytes());
}

/// Reads one batch after another, as a consumer does.
fn read_all(mut bytes: &[u8]) {
    while let Ok((batch, rest)) = Batch::read(bytes) {
        assert!(rest.len() < bytes.len(), "a batch of no bytes");
        assert!(batch.count >= 0);
        if let Ok(records) = batch.records() {
            read_records(&batch, records);
        } else {
            // As if they were the decompressed ones.
            read_records(&batch, batch.records_in(batch.records));
        }
        bytes = rest;
    }
}

fn read_records<'a>(
    batch: &Batch<'a>,
    records: impl Iterator<Item = std::result::Result<ReadRecord<'a>, BatchFault>>,
) {
    let (mut count, mut bytes, mut failed) = (0, 0, false);
    for record in records {
        assert!(!failed, "nothing follows a fault");
        let record = match record {
            Ok(record) => record,
            Err(fault) => {
                assert!(!fault.to_string().is_empty());
                failed = true;
                continue;
            }
        };
        count += 1;
        bytes += record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        let headers = record.headers().count();
        assert_eq!(headers, record.header_count as usize);
        bytes += 7;
    }
    assert!(bytes <= batch.records.len(), "{bytes} bytes of {}", batch.records.len());
    assert!(count <= batch.count);
    assert!(failed || count == batch.count, "{count} of {} records, and no fault", batch.count);
}

/// The records of one batch, or `None` if any of it is bad.
pub(crate) fn read(bytes: &[u8]) -> Option<Vec<ReadRecord<'_>>> {
    let (batch, rest) = Batch::read(bytes).ok()?;
    let records = batch.records().ok()?.collect::<std::result::Result<_, _>>().ok()?;
    rest.is_empty().then_some(records)
}

/// A drawn record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DrawnRecord<'a> {
    pub(crate) timestamp: i64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: Vec<(&'a str, Option<&'a [u8]>)>,
}

/// A drawn batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Drawn<'a> {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
    pub(crate) sequence: i32,
    pub(crate) records: Vec<DrawnRecord<'a>>,
}

const RECORDS_MAX: usize = 40;

fn bytes<'a>(input: &mut Unstructured<'a>) -> Result<Option<&'a [u8]>> {
    // 255 is null; the longest ones need two bytes for their length.
    match input.arbitrary::<u8>()? {
        u8::MAX => Ok(None),
        length => Ok(Some(input.bytes(usize::from(length).min(input.len()))?)),
    }
}

fn record<'a>(input: &mut Unstructured<'a>) -> Result<DrawnRecord<'a>> {
    let timestamp = match input.int_in_range(0..=3_u8)? {
        0 => i64::from(input.arbitrary::<u8>()?),
        1 => i64::from(input.arbitrary::<u32>()?),
        2 => 1_700_000_000_000 + i64::from(input.arbitrary::<i16>()?),
        _ => input.arbitrary::<i64>()? & i64::MAX,
    };
    let (key, value) = (bytes(input)?, bytes(input)?);
    let mut headers = Vec::new();
    for _ in 0..input.int_in_range(0..=3_u8)? {
        let key = bytes(input)?.and_then(|key| str::from_utf8(key).ok()).unwrap_or("k");
        headers.push((key, bytes(input)?));
    }
    Ok(DrawnRecord { timestamp, key, value, headers })
}

impl<'a> Drawn<'a> {
    /// One record.
    #[cfg(test)]
    pub(crate) fn of(value: &'a [u8]) -> Self {
        let record =
            DrawnRecord { timestamp: 1, key: None, value: Some(value), headers: Vec::new() };
        Self { id: 7, epoch: 0, sequence: 5, records: vec![record] }
    }

    pub(crate) fn draw(input: &mut Unstructured<'a>) -> Result<Self> {
        let (id, epoch, sequence) = input.arbitrary()?;
        let mut records = vec![record(input)?];
        while records.len() < RECORDS_MAX && !input.is_empty() {
            records.push(record(input)?);
        }
        Ok(Self { id, epoch, sequence, records })
    }

    /// Whether a second implementation is to write the same bytes: it keeps one header per key, and
    /// takes the smallest timestamp as the one that the others are told by, not the first.
    pub(crate) fn is_plain(&self) -> bool {
        let first = self.records[0].timestamp;
        self.records.iter().all(|record| {
            let mut keys: Vec<&str> = record.headers.iter().map(|(key, _)| *key).collect();
            keys.sort_unstable();
            keys.dedup();
            keys.len() == record.headers.len() && record.timestamp >= first
        })
    }

    /// A batch of the records, made as the producer makes it.
    pub(crate) fn batch(&self) -> Vec<u8> {
        let mut bytes = vec![0; layout::HEADER as usize];
        let base_timestamp = self.records[0].timestamp;
        for (place, drawn) in (0..).zip(&self.records) {
            let headers: Vec<Header<'_>> =
                drawn.headers.iter().map(|&(key, value)| Header { key, value }).collect();
            let DrawnRecord { key, value, .. } = *drawn;
            let record = Record { key, value, headers: &headers, ..Record::default() };
            let fields = size::fields(&record);
            let delta = drawn.timestamp.saturating_sub(base_timestamp);
            let length = size::record(size::body(fields, place, delta));
            assert!(length + layout::HEADER <= size::batch_bound(fields), "{length} bytes");
            let from = bytes.len();
            bytes.resize(from + length as usize, 0xaa);
            let (_, room) = bytes.split_at_mut(from);
            let short = room.len() - 1;
            assert!(!append(&mut room[..short], &record, fields, place, delta), "too little room");
            assert!(room.iter().all(|byte| *byte == 0xaa), "nothing is written that does not fit");
            assert!(append(room, &record, fields, place, delta));
        }
        let header = Seal {
            attributes: 0,
            count: self.records.len() as u32,
            base_timestamp,
            max_timestamp: self.records.iter().map(|r| r.timestamp).max().unwrap_or(-1),
            producer_id: self.id,
            producer_epoch: self.epoch,
            base_sequence: self.sequence,
        };
        assert!(seal(&mut bytes, &header));
        bytes
    }

    /// A batch is read as what it was made of.
    fn compare(&self, bytes: &[u8]) {
        let (batch, rest) = Batch::read(bytes).expect("a batch that was sealed");
        assert!(rest.is_empty());
        assert_eq!(
            (batch.producer_id, batch.producer_epoch, batch.base_sequence),
            (self.id, self.epoch, self.sequence)
        );
        assert_eq!(batch.last_offset_delta + 1, batch.count);
        let records = read(bytes).expect("records that were appended");
        assert_eq!(records.len(), self.records.len());
        for (place, (read, drawn)) in (0..).zip(records.iter().zip(&self.records)) {
            assert_eq!(read.offset_delta, place);
            assert_eq!(read.timestamp, drawn.timestamp);
            assert_eq!((read.key, read.value), (drawn.key, drawn.value));
            let headers = drawn.headers.iter().map(|(key, value)| (key.as_bytes(), *value));
            assert!(read.headers().eq(headers), "{drawn:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn a_batch_of_other_records_is_found() {
        let drawn = Drawn::of(b"one");
        drawn.compare(&drawn.batch());
        let other = catch_unwind(|| Drawn::of(b"one").compare(&Drawn::of(b"two").batch()));
        assert!(other.is_err());
    }

    #[test]
    fn changed_bytes_are_read_once_they_are_mended() {
        let mut bytes = Drawn::of(b"one").batch();
        *bytes.last_mut().expect("bytes") ^= 1;
        assert_eq!(Batch::read(&bytes).err(), Some(BatchFault::Checksum));
        mend(&mut bytes, false);
        assert!(Batch::read(&bytes).is_ok());
    }
}
