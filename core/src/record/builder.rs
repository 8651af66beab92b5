//! Writes records into a block, once, and the header of their batch.

use super::{Header, Record, checksum::crc32c, layout, size};
use crate::wire::write::{Put, Writer, copy};

/// What a batch header says beside sizes: filled in when the batch is sealed.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Seal {
    /// Codec and other attribute bits.
    pub attributes: i16,
    /// Number of records.
    pub count: u32,
    /// Timestamp of the first record.
    pub base_timestamp: i64,
    /// Largest timestamp.
    pub max_timestamp: i64,
    /// Producer id, or -1.
    pub producer_id: i64,
    /// Producer epoch, or -1.
    pub producer_epoch: i16,
    /// Sequence of the first record, or -1.
    pub base_sequence: i32,
}

/// A cursor that writes into a slice of exactly the right size.
struct Tail<'a> {
    room: &'a mut [u8],
}

impl Tail<'_> {
    fn raw(&mut self, bytes: &[u8]) {
        let room = core::mem::take(&mut self.room);
        match room.split_at_mut_checked(bytes.len()) {
            Some((head, rest)) => {
                copy(head, bytes);
                self.room = rest;
            }
            None => debug_assert!(false, "a record is larger than computed"),
        }
    }

    fn byte(&mut self, value: u8) {
        let room = core::mem::take(&mut self.room);
        if let Some((head, rest)) = room.split_first_mut() {
            *head = value;
            self.room = rest;
        } else {
            debug_assert!(false, "a record is larger than computed");
        }
    }

    fn varlong(&mut self, value: i64) {
        let mut raw = size::zigzag_long(value);
        while raw >= 0x80 {
            self.byte((raw as u8) | 0x80);
            raw >>= 7;
        }
        self.byte(raw as u8);
    }

    fn varint(&mut self, value: i32) {
        let mut raw = size::zigzag(value);
        while raw >= 0x80 {
            self.byte((raw as u8) | 0x80);
            raw >>= 7;
        }
        self.byte(raw as u8);
    }

    fn field(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            None => self.byte(1),
            Some(bytes) => {
                self.varint(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
                self.raw(bytes);
            }
        }
    }
}

/// Writes one record at the start of `room`, which holds at least
/// `size::record(size::body(fields, offset_delta, timestamp_delta))` bytes.
///
/// `fields` is [`size::fields`] of the record. Returns false, and writes nothing, if `room` is
/// too small.
pub fn append(
    room: &mut [u8],
    record: &Record<'_>,
    fields: u32,
    offset_delta: i32,
    timestamp_delta: i64,
) -> bool {
    let body = size::body(fields, offset_delta, timestamp_delta);
    let Some(room) = room.get_mut(..size::record(body) as usize) else { return false };
    let Ok(length) = i32::try_from(body) else { return false };
    let mut tail = Tail { room };
    tail.varint(length);
    tail.byte(0);
    tail.varlong(timestamp_delta);
    tail.varint(offset_delta);
    tail.field(record.key);
    tail.field(record.value);
    tail.varint(i32::try_from(record.headers.len()).unwrap_or(i32::MAX));
    for Header { key, value } in record.headers {
        tail.field(Some(key.as_bytes()));
        tail.field(*value);
    }
    true
}

/// Writes header and checksum of the batch that fills `batch`. Returns false if it is shorter
/// than a header.
pub fn seal(batch: &mut [u8], seal: &Seal) -> bool {
    let Ok(total) = u32::try_from(batch.len()) else { return false };
    let Some(length) = total.checked_sub(layout::LENGTH_OVERHEAD) else { return false };
    let Some((header, _)) = batch.split_first_chunk_mut::<{ layout::HEADER as usize }>() else {
        return false;
    };
    let mut fields = Writer::new(header);
    fields.int64(0);
    fields.int32(length.cast_signed());
    fields.int32(-1);
    fields.int8(layout::MAGIC_V2);
    fields.int32(0);
    fields.int16(seal.attributes);
    fields.int32(seal.count.wrapping_sub(1).cast_signed());
    fields.int64(seal.base_timestamp);
    fields.int64(seal.max_timestamp);
    fields.int64(seal.producer_id);
    fields.int16(seal.producer_epoch);
    fields.int32(seal.base_sequence);
    fields.int32(seal.count.cast_signed());
    let checksum = crc32c(batch.get(layout::ATTRIBUTES..).unwrap_or(&[]));
    if let Some(field) = batch.get_mut(layout::CHECKSUM..layout::ATTRIBUTES) {
        copy(field, &checksum.to_be_bytes());
    }
    true
}

#[cfg(test)]
pub(crate) mod tests {
    use std::vec::Vec;

    use super::*;

    pub(crate) const T: i64 = 1_700_000_000_000;

    /// A sealed batch of `records` (timestamp and record), as the accumulator makes it.
    pub(crate) fn batch(
        records: &[(i64, Record<'_>)],
        attributes: i16,
        id: (i64, i16, i32),
    ) -> Vec<u8> {
        let mut bytes = std::vec![0; layout::HEADER as usize];
        for (index, (timestamp, record)) in records.iter().enumerate() {
            let fields = size::fields(record);
            let delta = timestamp - records[0].0;
            let length = size::record(size::body(fields, index as i32, delta)) as usize;
            let at = bytes.len();
            bytes.resize(at + length, 0xaa);
            assert!(append(&mut bytes[at..], record, fields, index as i32, delta));
            assert!(length as u32 + layout::HEADER <= size::batch_bound(fields));
        }
        let header = Seal {
            attributes,
            count: records.len() as u32,
            base_timestamp: records[0].0,
            max_timestamp: records.iter().map(|r| r.0).max().unwrap(),
            producer_id: id.0,
            producer_epoch: id.1,
            base_sequence: id.2,
        };
        assert!(seal(&mut bytes, &header));
        bytes
    }

    pub(crate) fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    #[test]
    fn one_record_without_identity() {
        let expected = bytes(
            "00 00 00 00 00 00 00 00 00 00 00 3d ff ff ff ff 02 e6 41 a4 4b 00 00 00 00 00 00 00 00
             01 8b cf e5 68 00 00 00 01 8b cf e5 68 00 ff ff ff ff ff ff ff ff ff ff ff ff ff ff 00
             00 00 01 16 00 00 00 01 0a 68 65 6c 6c 6f 00",
        );
        assert_eq!(batch(&[(T, Record::new(b"hello"))], 0, (-1, -1, -1)), expected);
    }

    #[test]
    fn keys_headers_tombstone_and_a_negative_delta() {
        let expected = bytes(
            "00 00 00 00 00 00 00 00 00 00 00 51 ff ff ff ff 02 93 78 fa 99 00 00 00 00 00 01 00 00
             01 8b cf e5 68 00 00 00 01 8b cf e5 68 00 00 00 00 00 00 00 10 92 00 03 00 00 00 11 00
             00 00 02 2c 00 00 00 04 6b 31 04 76 31 04 04 68 31 02 78 0a 74 72 61 63 65 01 10 00 09
             02 04 6b 32 01 00",
        );
        let headers =
            [Header { key: "h1", value: Some(b"x") }, Header { key: "trace", value: None }];
        let records = [
            (T, Record::new(b"v1").key(b"k1").headers(&headers)),
            (T - 5, Record::tombstone().key(b"k2")),
        ];
        assert_eq!(batch(&records, 0, (4242, 3, 17)), expected);
    }

    #[test]
    fn a_transactional_batch_whose_sequence_wraps() {
        let expected = bytes(
            "00 00 00 00 00 00 00 00 00 00 00 4d ff ff ff ff 02 66 83 3e 7c 00 10 00 00 00 01 00 00
             01 8b cf e5 68 00 00 00 01 8b cf e5 68 01 00 00 00 00 00 00 10 92 00 03 7f ff ff ff 00
             00 00 02 1a 00 00 00 08 61 63 63 74 06 2b 31 30 00 1a 00 02 02 08 61 63 63 74 06 2d 31
             30 00",
        );
        let records =
            [(T, Record::new(b"+10").key(b"acct")), (T + 1, Record::new(b"-10").key(b"acct"))];
        assert_eq!(batch(&records, layout::TRANSACTIONAL, (4242, 3, i32::MAX)), expected);
    }

    #[test]
    fn a_room_that_is_too_small_is_left_alone() {
        let record = Record::new(b"hello");
        let mut room = [7; 11];
        assert!(!append(&mut room, &record, size::fields(&record), 0, 0));
        assert_eq!(room, [7; 11]);
        assert!(!seal(
            &mut [0; 60],
            &Seal {
                attributes: 0,
                count: 1,
                base_timestamp: 0,
                max_timestamp: 0,
                producer_id: -1,
                producer_epoch: -1,
                base_sequence: -1,
            }
        ));
    }
}
