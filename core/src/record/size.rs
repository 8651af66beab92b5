//! Exact sizes of records and batches.

use super::{Record, layout};

/// Largest overhead of a record beside its fields: length 5, attributes 1, timestamp delta 10,
/// offset delta 5.
pub const RECORD_OVERHEAD_MAX: u32 = 21;

/// Bytes of `value` as a zigzag varint.
#[must_use]
pub const fn varint(value: i32) -> u32 {
    raw_varint(zigzag(value))
}

/// Bytes of `value` as a zigzag varlong.
#[must_use]
pub const fn varlong(value: i64) -> u32 {
    let raw = zigzag_long(value);
    // 7 bits a byte, at least one byte.
    let bits = 64_u32.wrapping_sub(raw.leading_zeros());
    if raw == 0 { 1 } else { bits.div_ceil(7) }
}

pub(crate) const fn zigzag(value: i32) -> u32 {
    (value.wrapping_shl(1) ^ (value >> 31)) as u32
}

pub(crate) const fn zigzag_long(value: i64) -> u64 {
    (value.wrapping_shl(1) ^ (value >> 63)) as u64
}

pub(crate) const fn raw_varint(raw: u32) -> u32 {
    crate::wire::write::uvarint_size(raw)
}

/// Length prefix and bytes of a key or value; one byte for null.
fn field(bytes: Option<&[u8]>) -> u64 {
    match bytes {
        None => 1,
        Some(bytes) => {
            let length = bytes.len() as u64;
            let prefix = match i32::try_from(length) {
                Ok(length) => u64::from(varint(length)),
                Err(_) => 5,
            };
            length.saturating_add(prefix)
        }
    }
}

/// Bytes of key, value and headers with their lengths and counts; `u32::MAX` beyond it.
#[must_use]
pub fn fields(record: &Record<'_>) -> u32 {
    let count = i32::try_from(record.headers.len()).unwrap_or(i32::MAX);
    let mut sum = field(record.key)
        .saturating_add(field(record.value))
        .saturating_add(u64::from(varint(count)));
    for header in record.headers {
        sum = sum
            .saturating_add(field(Some(header.key.as_bytes())))
            .saturating_add(field(header.value));
    }
    u32::try_from(sum).unwrap_or(u32::MAX)
}

/// Bytes of a record after its length, given the size of its [`fields`].
#[must_use]
pub const fn body(fields: u32, offset_delta: i32, timestamp_delta: i64) -> u32 {
    fields
        .saturating_add(1)
        .saturating_add(varlong(timestamp_delta))
        .saturating_add(varint(offset_delta))
}

/// Bytes of a whole record, given the size of its [`body`].
#[must_use]
pub const fn record(body: u32) -> u32 {
    // A body beyond i32 is refused before it is written; its size here only has to be large.
    let length = if body > i32::MAX as u32 { i32::MAX } else { body as i32 };
    body.saturating_add(varint(length))
}

/// Upper bound of a batch that holds one record with these [`fields`]: what is compared with
/// `max.request.size` and `buffer.memory`.
#[must_use]
pub const fn batch_bound(fields: u32) -> u32 {
    fields.saturating_add(layout::HEADER).saturating_add(RECORD_OVERHEAD_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varint_sizes_at_their_borders() {
        for (value, size) in [(0, 1), (63, 1), (-64, 1), (64, 2), (-65, 2), (8_191, 2), (-8_192, 2)]
        {
            assert_eq!(varint(value), size, "{value}");
            assert_eq!(varlong(i64::from(value)), size, "{value}");
        }
        for (value, size) in [(8_192, 3), (1_048_575, 3), (1_048_576, 4), (134_217_728, 5)] {
            assert_eq!(varint(value), size, "{value}");
        }
        assert_eq!(varint(i32::MIN), 5);
        assert_eq!(varlong(i64::MIN), 10);
        assert_eq!(varlong(i64::MAX), 10);
    }
}
