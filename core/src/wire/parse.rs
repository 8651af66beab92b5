//! Parsers of single values.
//!
//! Each has nom's signature, so messages compose them with nom's combinators. The leaves that
//! cut slices are ours: nom's own keep a panic path in optimised builds.
//! `Incomplete` means that the value goes on beyond the bytes at hand.

use nom::Needed;
use nom::error::{ErrorKind, ParseError};

use crate::error::Fault;

/// Result of a parser: what is left, and the value.
pub type Parsed<'a, T> = nom::IResult<&'a [u8], T, Fault>;

impl ParseError<&[u8]> for Fault {
    fn from_error_kind(_: &[u8], _: ErrorKind) -> Self {
        Self::Malformed
    }

    fn append(_: &[u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

const MORE: nom::Err<Fault> = nom::Err::Incomplete(Needed::Unknown);

/// Stops a parser for good with `fault`.
pub const fn fail<T>(fault: Fault) -> Result<T, nom::Err<Fault>> {
    Err(nom::Err::Failure(fault))
}

/// Cuts `count` bytes off.
pub fn take(bytes: &[u8], count: usize) -> Parsed<'_, &[u8]> {
    match bytes.split_at_checked(count) {
        Some((head, rest)) => Ok((rest, head)),
        None => Err(MORE),
    }
}

fn array<const N: usize>(bytes: &[u8]) -> Parsed<'_, [u8; N]> {
    match bytes.split_first_chunk::<N>() {
        Some((head, rest)) => Ok((rest, *head)),
        None => Err(MORE),
    }
}

macro_rules! integers {
    ($($(#[$doc:meta])* $name:ident: $type:ty),* $(,)?) => {$(
        $(#[$doc])*
        pub fn $name(bytes: &[u8]) -> Parsed<'_, $type> {
            let (rest, value) = array(bytes)?;
            Ok((rest, <$type>::from_be_bytes(value)))
        }
    )*};
}

integers! {
    /// A signed byte.
    int8: i8,
    /// 16 bits, signed.
    int16: i16,
    /// 16 bits, unsigned.
    uint16: u16,
    /// 32 bits, signed.
    int32: i32,
    /// 32 bits, unsigned.
    uint32: u32,
    /// 64 bits, signed.
    int64: i64,
}

/// One byte; anything but 0 is true.
pub fn boolean(bytes: &[u8]) -> Parsed<'_, bool> {
    let (rest, value) = int8(bytes)?;
    Ok((rest, value != 0))
}

/// 16 bytes; all zero means none.
pub fn uuid(bytes: &[u8]) -> Parsed<'_, [u8; 16]> {
    array(bytes)
}

/// An unsigned LEB128 number of at most 5 bytes.
pub fn uvarint(bytes: &[u8]) -> Parsed<'_, u32> {
    let mut value = 0_u32;
    let mut rest = bytes;
    for shift in [0_u32, 7, 14, 21, 28] {
        let Some((&byte, tail)) = rest.split_first() else { return Err(MORE) };
        rest = tail;
        if shift == 28 && byte & 0xf0 != 0 {
            return fail(Fault::VarintTooLong);
        }
        value |= u32::from(byte & 0x7f).wrapping_shl(shift);
        if byte & 0x80 == 0 {
            return Ok((rest, value));
        }
    }
    fail(Fault::VarintTooLong)
}

/// An unsigned LEB128 number of at most 10 bytes.
pub fn uvarlong(bytes: &[u8]) -> Parsed<'_, u64> {
    let mut value = 0_u64;
    let mut rest = bytes;
    for shift in [0_u32, 7, 14, 21, 28, 35, 42, 49, 56, 63] {
        let Some((&byte, tail)) = rest.split_first() else { return Err(MORE) };
        rest = tail;
        if shift == 63 && byte & 0xfe != 0 {
            return fail(Fault::VarintTooLong);
        }
        value |= u64::from(byte & 0x7f).wrapping_shl(shift);
        if byte & 0x80 == 0 {
            return Ok((rest, value));
        }
    }
    fail(Fault::VarintTooLong)
}

/// A zigzag varint of at most 5 bytes, as in records.
pub fn varint(bytes: &[u8]) -> Parsed<'_, i32> {
    let (rest, raw) = uvarint(bytes)?;
    Ok((rest, ((raw >> 1) as i32) ^ ((raw & 1) as i32).wrapping_neg()))
}

/// A zigzag varint of at most 10 bytes, as in records.
pub fn varlong(bytes: &[u8]) -> Parsed<'_, i64> {
    let (rest, raw) = uvarlong(bytes)?;
    Ok((rest, ((raw >> 1) as i64) ^ ((raw & 1) as i64).wrapping_neg()))
}

/// A length as strings have it: 16 bits, or an unsigned varint of length + 1. `None` is null.
pub fn string_length(bytes: &[u8], flexible: bool) -> Parsed<'_, Option<u32>> {
    if flexible {
        let (rest, raw) = uvarint(bytes)?;
        return Ok((rest, raw.checked_sub(1)));
    }
    let (rest, raw) = int16(bytes)?;
    length(rest, i32::from(raw))
}

/// A length as bytes, records and arrays have it: 32 bits, or an unsigned varint of length + 1.
/// `None` is null.
pub fn bytes_length(bytes: &[u8], flexible: bool) -> Parsed<'_, Option<u32>> {
    if flexible {
        let (rest, raw) = uvarint(bytes)?;
        return Ok((rest, raw.checked_sub(1)));
    }
    let (rest, raw) = int32(bytes)?;
    length(rest, raw)
}

fn length(rest: &[u8], raw: i32) -> Parsed<'_, Option<u32>> {
    match raw {
        -1 => Ok((rest, None)),
        raw => match u32::try_from(raw) {
            Ok(length) => Ok((rest, Some(length))),
            Err(_) => fail(Fault::NegativeLength),
        },
    }
}

/// A string or null. The bytes are not checked for UTF-8.
pub fn nullable_string(bytes: &[u8], flexible: bool) -> Parsed<'_, Option<&[u8]>> {
    match string_length(bytes, flexible)? {
        (rest, Some(length)) => {
            let (rest, text) = take(rest, length as usize)?;
            Ok((rest, Some(text)))
        }
        (rest, None) => Ok((rest, None)),
    }
}

/// A string that must not be null.
pub fn string(bytes: &[u8], flexible: bool) -> Parsed<'_, &[u8]> {
    match nullable_string(bytes, flexible)? {
        (rest, Some(text)) => Ok((rest, text)),
        (_, None) => fail(Fault::UnexpectedNull),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// record-batch format, variable-length integers: value and bytes.
    const VARINTS: &[(i64, &[u8])] = &[
        (0, &[0x00]),
        (-1, &[0x01]),
        (1, &[0x02]),
        (-2, &[0x03]),
        (63, &[0x7e]),
        (-64, &[0x7f]),
        (64, &[0x80, 0x01]),
        (-65, &[0x81, 0x01]),
        (150, &[0xac, 0x02]),
        (-150, &[0xab, 0x02]),
        (300, &[0xd8, 0x04]),
        (2_147_483_647, &[0xfe, 0xff, 0xff, 0xff, 0x0f]),
        (-2_147_483_648, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
    ];

    #[test]
    fn varints_match_the_published_table() {
        for (value, bytes) in VARINTS {
            assert_eq!(varint(bytes), Ok((&[][..], *value as i32)));
            assert_eq!(varlong(bytes), Ok((&[][..], *value)));
        }
        let max = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(varlong(&max), Ok((&[][..], i64::MAX)));
        let min = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(varlong(&min), Ok((&[][..], i64::MIN)));
    }

    #[test]
    fn overlong_varints_are_refused_and_short_ones_wait() {
        assert_eq!(uvarint(&[0xff; 5]), fail(Fault::VarintTooLong));
        assert_eq!(uvarint(&[0x80, 0x80, 0x80, 0x80, 0x10]), fail(Fault::VarintTooLong));
        assert_eq!(uvarlong(&[0xff; 10]), fail(Fault::VarintTooLong));
        assert!(matches!(uvarint(&[0x80; 4]), Err(nom::Err::Incomplete(_))));
        // Not the shortest form, but legal.
        assert_eq!(uvarint(&[0x81, 0x00]), Ok((&[][..], 1)));
    }

    #[test]
    fn lengths_know_null_and_refuse_other_negatives() {
        assert_eq!(string_length(&[0xff, 0xff], false), Ok((&[][..], None)));
        assert_eq!(string_length(&[0xff, 0xfe], false), fail(Fault::NegativeLength));
        assert_eq!(bytes_length(&[0x80, 0, 0, 0], false), fail(Fault::NegativeLength));
        assert_eq!(bytes_length(&[0], true), Ok((&[][..], None)));
        assert_eq!(string(&[0], true), fail(Fault::UnexpectedNull));
        assert_eq!(string(&[0, 2, b'h', b'i', 7], false), Ok((&[7][..], &b"hi"[..])));
        assert_eq!(string(&[3, b'h', b'i', 7], true), Ok((&[7][..], &b"hi"[..])));
    }
}
