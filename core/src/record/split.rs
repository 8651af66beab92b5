//! Takes a batch apart that a broker finds too large.
//!
//! Its parts are sent one after another from the block of the whole: the first records stand
//! behind the header, the others wait behind them and are moved there when their turn comes. So
//! nothing has to be allocated. Records only shrink on the way, as their offset deltas do.

use super::{layout, size};
use crate::wire::parse;

/// The records that became the batch of a block.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Part {
    /// How many.
    pub(crate) count: u32,
    /// Where they end.
    pub(crate) end: u32,
    /// Where the next record stands.
    pub(crate) rest: u32,
    /// Their largest timestamp less the base timestamp.
    pub(crate) timestamp_delta: i64,
}

/// Moves bytes to a lower or higher place. What does not stand in `block` is not moved.
fn shift(block: &mut [u8], from: u32, to: u32, length: u32) {
    for step in 0..length {
        let step = if to < from { step } else { length.wrapping_sub(step).wrapping_sub(1) };
        let byte = block.get(from.wrapping_add(step) as usize).copied();
        let place = block.get_mut(to.wrapping_add(step) as usize);
        if let (Some(byte), Some(place)) = (byte, place) {
            *place = byte;
        }
    }
}

fn put_varint(block: &mut [u8], at: u32, value: u32) -> u32 {
    let mut raw = size::zigzag(value.cast_signed());
    let mut at = at;
    loop {
        let last = raw < 0x80;
        if let Some(place) = block.get_mut(at as usize) {
            *place = if last { raw as u8 } else { raw as u8 | 0x80 };
        }
        at = at.wrapping_add(1);
        if last {
            return at;
        }
        raw >>= 7;
    }
}

/// Moves the records that stand behind the header up to `length` so that they end at `end`, and
/// returns where they begin.
pub(crate) fn push_back(block: &mut [u8], length: u32, end: u32) -> u32 {
    let bytes = length.saturating_sub(layout::HEADER);
    let from = end.saturating_sub(bytes);
    if from > layout::HEADER {
        shift(block, layout::HEADER, from, bytes);
    }
    from
}

/// Makes the first of the `count` records at `from` the records of the batch: at least one, and
/// no more than end before `limit`. `None`: they are no records.
pub(crate) fn take(block: &mut [u8], from: u32, count: u32, limit: u32) -> Option<Part> {
    let mut part = Part { count: 0, end: layout::HEADER, rest: from, timestamp_delta: i64::MIN };
    while part.count < count {
        let record = block.get(part.rest as usize..)?;
        let (body, length) = parse::varint(record).ok()?;
        let (stamp, _attributes) = parse::int8(body).ok()?;
        let (delta, timestamp) = parse::varlong(stamp).ok()?;
        let (fields, old) = parse::varint(delta).ok()?;
        let prefix = record.len().wrapping_sub(body.len()) as u32;
        let stamped = body.len().wrapping_sub(delta.len()) as u32;
        let after = body.len().wrapping_sub(fields.len()) as u32;
        let length = u32::try_from(length).ok()?;
        let new = part.count;
        let shrunk = size::varint(old).wrapping_sub(size::varint(new.cast_signed()));
        let body_length = length.checked_sub(shrunk)?;
        let end = part.end.saturating_add(size::record(body_length));
        if end > limit && part.count > 0 {
            break;
        }
        let body = part.rest.wrapping_add(prefix);
        let mut at = put_varint(block, part.end, body_length);
        shift(block, body, at, stamped);
        at = put_varint(block, at.wrapping_add(stamped), new);
        shift(block, body.wrapping_add(after), at, length.checked_sub(after)?);
        part.count = part.count.wrapping_add(1);
        part.end = end;
        part.rest = body.wrapping_add(length);
        part.timestamp_delta = part.timestamp_delta.max(timestamp);
    }
    if part.count > 0 { Some(part) } else { None }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::record::reader::Batch;
    use crate::record::{Header, Record, builder};

    fn block(values: &[usize]) -> (Vec<u8>, u32) {
        let mut block = std::vec![0; 61];
        for (place, length) in values.iter().enumerate() {
            let value = std::vec![place as u8; *length];
            let headers = [Header { key: "h", value: Some(b"v") }];
            let record = Record::new(&value).key(b"key").headers(&headers);
            let fields = size::fields(&record);
            let (delta, stamp) = (place as i32, 1_000 - place as i64 * 7);
            let from = block.len();
            block.resize(from + size::record(size::body(fields, delta, stamp)) as usize, 0);
            assert!(builder::append(&mut block[from..], &record, fields, delta, stamp));
        }
        let length = block.len() as u32;
        (block, length)
    }

    fn read(block: &[u8], part: &Part, from: usize, values: &[usize]) {
        let mut bytes = block[..part.end as usize].to_vec();
        let seal = builder::Seal {
            attributes: 0,
            count: part.count,
            base_timestamp: 0,
            max_timestamp: part.timestamp_delta,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
        };
        assert!(builder::seal(&mut bytes, &seal));
        let (batch, _) = Batch::read(&bytes).unwrap();
        let records: Vec<_> = batch.records().unwrap().map(Result::unwrap).collect();
        assert_eq!(records.len(), part.count as usize);
        for (place, record) in records.iter().enumerate() {
            let index = from + place;
            assert_eq!(record.offset_delta, place as i32);
            assert_eq!(record.timestamp, 1_000 - index as i64 * 7);
            assert_eq!(record.value.unwrap(), std::vec![index as u8; values[index]]);
            assert_eq!((record.key, record.headers().count()), (Some(&b"key"[..]), 1));
        }
        assert_eq!(part.timestamp_delta, 1_000 - from as i64 * 7);
    }

    #[test]
    fn parts_are_read_back_whatever_their_size() {
        let values: Vec<usize> = (0..200).map(|n| (n * 37) % 150).collect();
        for limit in [61, 100, 300, 1_000, 5_000, 1 << 20] {
            let (mut block, _) = block(&values);
            let (mut from, mut taken) = (layout::HEADER, 0);
            while taken < values.len() {
                let left = (values.len() - taken) as u32;
                let part = take(&mut block, from, left, limit).unwrap();
                assert!(part.count == 1 || part.end <= limit);
                read(&block, &part, taken, &values);
                taken += part.count as usize;
                from = part.rest;
            }
            assert_eq!(from as usize, block.len());
        }
    }

    #[test]
    fn a_part_that_is_pushed_back_is_taken_apart_again() {
        let values = [10, 200, 3, 90, 5, 64, 64, 1];
        let (mut block, length) = block(&values);
        let first = take(&mut block, layout::HEADER, 8, 400).unwrap();
        let second = take(&mut block, first.rest, 8 - first.count, 300).unwrap();
        let from = push_back(&mut block, second.end, second.rest);
        assert!(second.count > 1);
        let part = take(&mut block, from, 8 - first.count, 100).unwrap();
        read(&block, &part, first.count as usize, &values);
        let (mut from, mut taken) = (part.rest, first.count + part.count);
        while taken < 8 {
            let part = take(&mut block, from, 8 - taken, 150).unwrap();
            read(&block, &part, taken as usize, &values);
            taken += part.count;
            from = part.rest;
        }
        assert_eq!(from, length);
    }

    #[test]
    fn what_is_no_record_is_not_taken() {
        let (mut block, _) = block(&[5, 5]);
        assert_eq!(take(&mut block, layout::HEADER, 0, 1_000), None);
        block.truncate(70);
        assert_eq!(take(&mut block, layout::HEADER, 2, 1_000), None);
        assert_eq!(take(&mut block, 500, 2, 1_000), None);
    }
}
