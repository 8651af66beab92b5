//! Reads a batch back, never panics, and names what is wrong.

use core::fmt;

use super::{checksum::crc32c, layout, layout::Codec};
use crate::error::Fault;
use crate::wire::parse;

/// What is wrong with a batch.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum BatchFault {
    /// The bytes end before the batch does.
    Short,
    /// `batchLength` is below the 49 bytes of an empty batch.
    Length,
    /// The format's number is not 2.
    Magic(i8),
    /// The checksum does not match the bytes.
    Checksum,
    /// The codec bits are 5, 6 or 7.
    UnknownCodec(i16),
    /// The records are compressed and must be decompressed first.
    Compressed(Codec),
    /// The number of records is negative, or more than the bytes can hold.
    Count,
    /// A record is malformed.
    Record,
    /// Bytes remain after the last record.
    Surplus,
}

impl fmt::Display for BatchFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("the bytes end inside the batch"),
            Self::Length => f.write_str("the batch length is less than an empty batch has"),
            Self::Magic(magic) => write!(f, "message format {magic} is not supported"),
            Self::Checksum => f.write_str("the checksum does not match"),
            Self::UnknownCodec(codec) => write!(f, "compression codec {codec} does not exist"),
            Self::Compressed(codec) => write!(f, "the records are compressed ({})", codec.name()),
            Self::Count => f.write_str("the number of records is not possible"),
            Self::Record => f.write_str("a record is malformed"),
            Self::Surplus => f.write_str("bytes remain after the last record"),
        }
    }
}

impl core::error::Error for BatchFault {}

/// A batch whose header and checksum are good.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Batch<'a> {
    /// Offset of the first record in the log; 0 in what a producer sends.
    pub base_offset: i64,
    /// Leader epoch at the append; -1 in what a producer sends.
    pub leader_epoch: i32,
    /// All attribute bits.
    pub attributes: i16,
    /// Offset of the last record less the base offset.
    pub last_offset_delta: i32,
    /// What the timestamp deltas are added to.
    pub base_timestamp: i64,
    /// The largest timestamp.
    pub max_timestamp: i64,
    /// Producer id, or -1.
    pub producer_id: i64,
    /// Producer epoch, or -1.
    pub producer_epoch: i16,
    /// Sequence of the first record, or -1.
    pub base_sequence: i32,
    /// Number of records; not negative.
    pub count: i32,
    /// The records, compressed if [`Batch::codec`] says so.
    pub records: &'a [u8],
}

/// A record of a batch.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct ReadRecord<'a> {
    /// Offset less the batch's base offset.
    pub offset_delta: i32,
    /// Milliseconds since the Unix epoch, or -1.
    pub timestamp: i64,
    /// Key or null.
    pub key: Option<&'a [u8]>,
    /// Value or null.
    pub value: Option<&'a [u8]>,
    /// Number of headers.
    pub header_count: u32,
    headers: &'a [u8],
}

impl<'a> Batch<'a> {
    /// Reads the batch at the start of `bytes`, and returns it with the bytes after it.
    ///
    /// # Errors
    /// [`BatchFault`]; `Short` if the batch is cut, which is normal at the end of a fetch answer.
    pub fn read(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), BatchFault> {
        let (batch, rest, checksum) = Self::header(bytes).map_err(|_| BatchFault::Short)??;
        let covered = bytes.get(layout::ATTRIBUTES..bytes.len().saturating_sub(rest.len()));
        if crc32c(covered.unwrap_or(&[])) != checksum {
            return Err(BatchFault::Checksum);
        }
        if Codec::of(batch.attributes).is_none() {
            return Err(BatchFault::UnknownCodec(batch.attributes & layout::CODEC_MASK));
        }
        if batch.count < 0 {
            return Err(BatchFault::Count);
        }
        Ok((batch, rest))
    }

    #[expect(clippy::type_complexity, reason = "parser errors outside, faults of the batch inside")]
    fn header(
        bytes: &'a [u8],
    ) -> Result<Result<(Self, &'a [u8], u32), BatchFault>, nom::Err<Fault>> {
        let (after, base_offset) = parse::int64(bytes)?;
        let (after, length) = parse::int32(after)?;
        let smallest = layout::HEADER.saturating_sub(layout::LENGTH_OVERHEAD);
        let length = match u32::try_from(length) {
            Ok(length) if length >= smallest => length,
            _ => return Ok(Err(BatchFault::Length)),
        };
        let (_, magic) = parse::int8(bytes.get(layout::MAGIC..).unwrap_or(&[]))?;
        if magic != layout::MAGIC_V2 {
            return Ok(Err(BatchFault::Magic(magic)));
        }
        let (rest, body) = parse::take(after, length as usize)?;
        let (body, leader_epoch) = parse::int32(body)?;
        let (body, _) = parse::int8(body)?;
        let (body, checksum) = parse::uint32(body)?;
        let (body, attributes) = parse::int16(body)?;
        let (body, last_offset_delta) = parse::int32(body)?;
        let (body, base_timestamp) = parse::int64(body)?;
        let (body, max_timestamp) = parse::int64(body)?;
        let (body, producer_id) = parse::int64(body)?;
        let (body, producer_epoch) = parse::int16(body)?;
        let (body, base_sequence) = parse::int32(body)?;
        let (records, count) = parse::int32(body)?;
        let batch = Self {
            base_offset,
            leader_epoch,
            attributes,
            last_offset_delta,
            base_timestamp,
            max_timestamp,
            producer_id,
            producer_epoch,
            base_sequence,
            count,
            records,
        };
        Ok(Ok((batch, rest, checksum)))
    }

    /// How the records are compressed.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        match Codec::of(self.attributes) {
            Some(codec) => codec,
            None => Codec::None,
        }
    }

    /// The records of a batch that is not compressed, or of `decompressed` ones.
    ///
    /// # Errors
    /// [`BatchFault::Compressed`] if the records have to be decompressed first.
    pub const fn records(&self) -> Result<Records<'a>, BatchFault> {
        match self.codec() {
            Codec::None => Ok(self.records_in(self.records)),
            codec => Err(BatchFault::Compressed(codec)),
        }
    }

    /// The records that stand in `region`, the decompressed form of [`Batch::records`].
    #[must_use]
    pub const fn records_in<'r>(&self, region: &'r [u8]) -> Records<'r> {
        let fixed = if self.attributes & layout::LOG_APPEND_TIME == 0 {
            None
        } else {
            Some(self.max_timestamp)
        };
        Records {
            region,
            left: self.count as u32,
            base_timestamp: self.base_timestamp,
            fixed,
            failed: false,
        }
    }
}

/// Iterator over the records of a batch. It ends after the first fault.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    region: &'a [u8],
    left: u32,
    base_timestamp: i64,
    fixed: Option<i64>,
    failed: bool,
}

impl<'a> Records<'a> {
    fn record(&self) -> parse::Parsed<'a, ReadRecord<'a>> {
        let (rest, length) = parse::varint(self.region)?;
        let Ok(length) = usize::try_from(length) else {
            return parse::fail(Fault::NegativeLength);
        };
        let (rest, body) = parse::take(rest, length)?;
        let (body, _) = parse::int8(body)?;
        let (body, timestamp_delta) = parse::varlong(body)?;
        let (body, offset_delta) = parse::varint(body)?;
        let (body, key) = field(body)?;
        let (body, value) = field(body)?;
        let (headers, count) = parse::varint(body)?;
        let Ok(header_count) = u32::try_from(count) else {
            return parse::fail(Fault::NegativeLength);
        };
        let timestamp = match self.fixed {
            Some(timestamp) => timestamp,
            None => self.base_timestamp.wrapping_add(timestamp_delta),
        };
        let record = ReadRecord { offset_delta, timestamp, key, value, header_count, headers };
        let mut after = headers;
        for _ in 0..header_count {
            (after, _) = header(after)?;
        }
        if after.is_empty() { Ok((rest, record)) } else { parse::fail(Fault::Malformed) }
    }
}

fn field(bytes: &[u8]) -> parse::Parsed<'_, Option<&[u8]>> {
    let (rest, length) = parse::varint(bytes)?;
    // Any negative length is null, as Kafka's own reader has it.
    match usize::try_from(length) {
        Ok(length) => {
            let (rest, bytes) = parse::take(rest, length)?;
            Ok((rest, Some(bytes)))
        }
        Err(_) => Ok((rest, None)),
    }
}

type RawHeader<'a> = (&'a [u8], Option<&'a [u8]>);

fn header(bytes: &[u8]) -> parse::Parsed<'_, RawHeader<'_>> {
    let (rest, key) = field(bytes)?;
    let Some(key) = key else { return parse::fail(Fault::UnexpectedNull) };
    let (rest, value) = field(rest)?;
    Ok((rest, (key, value)))
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<ReadRecord<'a>, BatchFault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        if self.left == 0 {
            self.failed = true;
            return if self.region.is_empty() { None } else { Some(Err(BatchFault::Surplus)) };
        }
        match self.record() {
            Ok((rest, record)) => {
                self.region = rest;
                self.left = self.left.saturating_sub(1);
                Some(Ok(record))
            }
            Err(_) => {
                self.failed = true;
                Some(Err(BatchFault::Record))
            }
        }
    }
}

impl<'a> ReadRecord<'a> {
    /// The headers in order: key and value. Keys are bytes, as nothing forces them to be UTF-8.
    pub fn headers(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let mut rest = self.headers;
        (0..self.header_count).map_while(move |_| {
            let (after, found) = header(rest).ok()?;
            rest = after;
            Some(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::vec::Vec;

    use super::super::builder::tests::{T, batch, bytes};
    use super::super::{Header, Record};
    use super::*;

    #[test]
    fn a_fault_says_what_is_wrong() {
        let told = |fault: BatchFault| std::string::ToString::to_string(&fault);
        assert_eq!(told(BatchFault::Checksum), "the checksum does not match");
        assert_eq!(told(BatchFault::Compressed(Codec::Lz4)), "the records are compressed (lz4)");
    }

    #[test]
    fn a_commit_marker_as_a_consumer_sees_it() {
        let marker = bytes(
            "00 00 00 00 00 00 00 66 00 00 00 42 00 00 00 05 02 a1 75 69 80 00 30 00 00 00 00 00 00
             01 8b cf e5 68 00 00 00 01 8b cf e5 68 00 00 00 00 00 00 00 10 92 00 03 ff ff ff ff 00
             00 00 01 20 00 00 00 08 00 00 00 01 0c 00 00 00 00 00 07 00",
        );
        let (read, rest) = Batch::read(&marker).unwrap();
        assert!(rest.is_empty());
        assert_eq!((read.base_offset, read.leader_epoch, read.base_sequence), (102, 5, -1));
        assert_eq!(read.attributes, layout::CONTROL | layout::TRANSACTIONAL);
        let record = read.records().unwrap().next().unwrap().unwrap();
        assert_eq!(record.key, Some(&[0, 0, 0, 1][..]));
        assert_eq!(record.value, Some(&[0, 0, 0, 0, 0, 7][..]));
    }

    #[test]
    fn faults_are_named() {
        let good = batch(&[(T, Record::new(b"hello"))], 0, (1, 0, 0));
        assert_eq!(Batch::read(&good[..good.len() - 1]), Err(BatchFault::Short));
        let with = |at: usize, value: u8| {
            let mut bad = good.clone();
            bad[at] = value;
            bad
        };
        assert_eq!(Batch::read(&with(layout::MAGIC, 1)), Err(BatchFault::Magic(1)));
        assert_eq!(Batch::read(&with(layout::LENGTH, 0xff)), Err(BatchFault::Length));
        assert_eq!(Batch::read(&with(70, 9)), Err(BatchFault::Checksum));
        let unknown = batch(&[(T, Record::new(b"hello"))], 5, (1, 0, 0));
        assert_eq!(Batch::read(&unknown), Err(BatchFault::UnknownCodec(5)));
        let packed = batch(&[(T, Record::new(b"hello"))], 4, (1, 0, 0));
        let (read, _) = Batch::read(&packed).unwrap();
        assert_eq!(read.records().unwrap_err(), BatchFault::Compressed(Codec::Zstd));
    }

    #[test]
    fn a_batch_that_says_more_records_than_it_has_is_refused() {
        let mut bad = batch(&[(T, Record::new(b"hello"))], 0, (1, 0, 0));
        bad[layout::COUNT + 3] = 2;
        let checksum = crc32c(&bad[layout::ATTRIBUTES..]);
        bad[layout::CHECKSUM..layout::ATTRIBUTES].copy_from_slice(&checksum.to_be_bytes());
        let (read, _) = Batch::read(&bad).unwrap();
        let results: Vec<_> = read.records().unwrap().collect();
        assert_eq!(results.len(), 2);
        assert_eq!(results[1], Err(BatchFault::Record));
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(11), failure_persistence: None, ..Default::default() })]

        #[test]
        fn what_is_written_is_read(
            records in prop::collection::vec(
                (prop::option::of(prop::collection::vec(any::<u8>(), 0..200)),
                 prop::option::of(prop::collection::vec(any::<u8>(), 0..200)),
                 prop::collection::vec((".{0,9}", prop::option::of(prop::collection::vec(any::<u8>(), 0..9))), 0..4),
                 0_i64..4_000_000_000_000),
                1..20),
        ) {
            let headers: Vec<Vec<Header<'_>>> = records
                .iter()
                .map(|r| r.2.iter().map(|(k, v)| Header { key: k, value: v.as_deref() }).collect())
                .collect();
            let made: Vec<(i64, Record<'_>)> = records
                .iter()
                .zip(&headers)
                .map(|(r, h)| (r.3, Record { key: r.0.as_deref(), value: r.1.as_deref(), headers: h, ..Record::default() }))
                .collect();
            let bytes = batch(&made, 0, (7, 1, 5));
            let (read, rest) = Batch::read(&bytes).unwrap();
            prop_assert!(rest.is_empty());
            let mut count = 0;
            for (index, record) in read.records().unwrap().enumerate() {
                let record = record.unwrap();
                prop_assert_eq!(record.offset_delta, index as i32);
                prop_assert_eq!(record.timestamp, made[index].0);
                prop_assert_eq!(record.key, made[index].1.key);
                prop_assert_eq!(record.value, made[index].1.value);
                let read: Vec<_> = record.headers().collect();
                let sent: Vec<_> = headers[index].iter().map(|h| (h.key.as_bytes(), h.value)).collect();
                prop_assert_eq!(read, sent);
                count += 1;
            }
            prop_assert_eq!(count, made.len());
        }

        #[test]
        fn no_bytes_make_the_reader_panic(noise in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..80, value in any::<u8>()) {
            let _ = Batch::read(&noise);
            let mut mutated = batch(&[(T, Record::new(b"hello").key(b"k"))], 0, (1, 0, 0));
            if let Some(byte) = mutated.get_mut(at) { *byte = value; }
            let length = mutated.len();
            if length > layout::ATTRIBUTES {
                let checksum = crc32c(&mutated[layout::ATTRIBUTES..]);
                mutated[layout::CHECKSUM..layout::ATTRIBUTES].copy_from_slice(&checksum.to_be_bytes());
            }
            if let Ok((read, _)) = Batch::read(&mutated)
                && let Ok(records) = read.records() {
                for record in records.flatten() {
                    let _ = record.headers().count();
                }
            }
        }
    }
}
