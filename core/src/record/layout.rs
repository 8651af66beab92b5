//! Where the fields of a batch header stand.

/// Bytes before the first record.
pub const HEADER: u32 = 61;
/// Bytes that `batchLength` does not count: base offset and the length itself.
pub const LENGTH_OVERHEAD: u32 = 12;
/// Offset of the base offset (8 bytes); a producer writes 0.
pub const BASE_OFFSET: usize = 0;
/// Offset of `batchLength` (4 bytes).
pub const LENGTH: usize = 8;
/// Offset of the partition leader epoch (4 bytes); a producer writes -1.
pub const LEADER_EPOCH: usize = 12;
/// Offset of the format's number (1 byte): 2.
pub const MAGIC: usize = 16;
/// Offset of the checksum (4 bytes).
pub const CHECKSUM: usize = 17;
/// Offset of the attributes (2 bytes), where the checksummed part begins.
pub const ATTRIBUTES: usize = 21;
/// Offset of the offset delta of the last record (4 bytes).
pub const LAST_OFFSET_DELTA: usize = 23;
/// Offset of the timestamp of the first record (8 bytes).
pub const BASE_TIMESTAMP: usize = 27;
/// Offset of the largest timestamp (8 bytes).
pub const MAX_TIMESTAMP: usize = 35;
/// Offset of the producer id (8 bytes).
pub const PRODUCER_ID: usize = 43;
/// Offset of the producer epoch (2 bytes).
pub const PRODUCER_EPOCH: usize = 51;
/// Offset of the sequence of the first record (4 bytes).
pub const BASE_SEQUENCE: usize = 53;
/// Offset of the number of records (4 bytes).
pub const COUNT: usize = 57;

/// The number of this format.
pub const MAGIC_V2: i8 = 2;
/// Attribute bits of the codec.
pub const CODEC_MASK: i16 = 0x07;
/// Attribute bit: the broker set the timestamps.
pub const LOG_APPEND_TIME: i16 = 0x08;
/// Attribute bit: part of a transaction.
pub const TRANSACTIONAL: i16 = 0x10;
/// Attribute bit: written by a broker, for clients only (KIP-98).
pub const CONTROL: i16 = 0x20;

/// How the records of a batch are compressed (attribute bits 0 to 2).
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Codec {
    /// Not compressed.
    #[default]
    None,
    /// gzip, RFC 1952.
    Gzip,
    /// Snappy: raw, or in xerial's framing.
    Snappy,
    /// LZ4 frame.
    Lz4,
    /// Zstandard, KIP-110.
    Zstd,
}

impl Codec {
    /// The codec of a batch's attributes; `None` for the numbers 5 to 7, which mean nothing.
    #[must_use]
    pub const fn of(attributes: i16) -> Option<Self> {
        match attributes & CODEC_MASK {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The name that `compression.type` has for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_have_kafkas_numbers_and_names() {
        let names: std::vec::Vec<_> =
            (0..8).map(|number| Codec::of(number).map(Codec::name)).collect();
        let known = ["none", "gzip", "snappy", "lz4", "zstd"].map(Some);
        assert_eq!(names, [&known[..], &[None; 3]].concat());
        // The other bits of the attributes say nothing of it.
        assert_eq!(Codec::of(!CODEC_MASK | 2), Some(Codec::Snappy));
    }
}
