//! A writer into a bounded buffer.

/// Writes values one after another into a slice.
///
/// What does not fit is dropped and remembered: [`Writer::finish`] then answers `None`. So a
/// caller writes without a test per field and looks once at the end.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    length: usize,
    overflow: bool,
}

impl<'a> Writer<'a> {
    /// A writer at the start of `buffer`.
    #[must_use]
    pub const fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, length: 0, overflow: false }
    }

    /// Bytes written so far.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.length
    }

    /// The bytes written, or `None` if something did not fit.
    #[must_use]
    pub fn finish(self) -> Option<&'a [u8]> {
        if self.overflow { None } else { self.buffer.get(..self.length) }
    }
}

impl Put for Writer<'_> {
    fn raw(&mut self, bytes: &[u8]) {
        let room = self.buffer.get_mut(self.length..).unwrap_or(&mut []);
        match room.split_at_mut_checked(bytes.len()) {
            Some((head, _)) => {
                copy(head, bytes);
                self.length = self.length.saturating_add(bytes.len());
            }
            None => self.overflow = true,
        }
    }

    fn refuse(&mut self) {
        self.overflow = true;
    }
}

#[cfg(any(test, feature = "alloc"))]
impl Put for alloc::vec::Vec<u8> {
    fn raw(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    /// Nothing is too long for a heap; a length that has no encoding is cut by its caller.
    fn refuse(&mut self) {}
}

/// Values in the encodings of the protocol, written one after another.
pub trait Put {
    /// Appends `bytes` as they are.
    fn raw(&mut self, bytes: &[u8]);

    /// Notes that a value has no encoding.
    fn refuse(&mut self);

    /// A signed byte.
    fn int8(&mut self, value: i8) {
        self.raw(&value.to_be_bytes());
    }

    /// 16 bits.
    fn int16(&mut self, value: i16) {
        self.raw(&value.to_be_bytes());
    }

    /// 32 bits.
    fn int32(&mut self, value: i32) {
        self.raw(&value.to_be_bytes());
    }

    /// 64 bits.
    fn int64(&mut self, value: i64) {
        self.raw(&value.to_be_bytes());
    }

    /// One byte, 0 or 1.
    fn boolean(&mut self, value: bool) {
        self.raw(&[u8::from(value)]);
    }

    /// An unsigned varint.
    fn uvarint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.raw(&[(value as u8) | 0x80]);
            value >>= 7;
        }
        self.raw(&[value as u8]);
    }

    /// A string: 16-bit length, or compact.
    fn string(&mut self, text: &[u8], flexible: bool) {
        self.string_length(u32::try_from(text.len()).unwrap_or(u32::MAX), flexible);
        self.raw(text);
    }

    /// The length that stands before a string.
    fn string_length(&mut self, length: u32, flexible: bool) {
        if flexible {
            self.uvarint(length.saturating_add(1));
        } else if let Ok(length) = i16::try_from(length) {
            self.int16(length);
        } else {
            self.refuse();
        }
    }

    /// A string or null.
    fn nullable_string(&mut self, text: Option<&[u8]>, flexible: bool) {
        match (text, flexible) {
            (Some(text), _) => self.string(text, flexible),
            (None, true) => self.uvarint(0),
            (None, false) => self.int16(-1),
        }
    }

    /// The length that stands before bytes, records or an array.
    fn length_prefix(&mut self, length: u32, flexible: bool) {
        if flexible {
            self.uvarint(length.saturating_add(1));
        } else {
            self.int32(i32::try_from(length).unwrap_or(i32::MAX));
        }
    }

    /// An empty tagged-field section, in flexible versions.
    fn no_tags(&mut self, flexible: bool) {
        if flexible {
            self.raw(&[0]);
        }
    }
}

/// Copies `from` into `to`, as much as both hold, without the panic of `copy_from_slice`.
#[cfg_attr(target_os = "none", inline(never))]
pub(crate) fn copy(to: &mut [u8], from: &[u8]) {
    let length = to.len().min(from.len());
    if let (Some(to), Some(from)) = (to.get_mut(..length), from.get(..length)) {
        to.copy_from_slice(from);
    }
}

/// Bytes that [`Writer::uvarint`] writes for `value`.
#[must_use]
pub const fn uvarint_size(value: u32) -> u32 {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        _ => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::parse;

    #[test]
    fn what_does_not_fit_is_told_at_the_end() {
        let mut buffer = [0; 3];
        let mut writer = Writer::new(&mut buffer);
        writer.int16(1);
        writer.int32(2);
        writer.int8(3);
        assert_eq!(writer.finish(), None);
    }

    #[test]
    fn uvarints_are_read_back_and_their_size_is_known() {
        for value in [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_456, u32::MAX] {
            let mut buffer = [0; 8];
            let mut writer = Writer::new(&mut buffer);
            writer.uvarint(value);
            let bytes = writer.finish().unwrap();
            assert_eq!(bytes.len() as u32, uvarint_size(value));
            assert_eq!(parse::uvarint(bytes), Ok((&[][..], value)));
        }
    }

    #[test]
    fn strings_in_both_encodings() {
        let mut buffer = [0; 16];
        let mut writer = Writer::new(&mut buffer);
        writer.string(b"ab", false);
        writer.string(b"ab", true);
        writer.nullable_string(None, false);
        writer.nullable_string(None, true);
        writer.no_tags(true);
        assert_eq!(writer.finish(), Some(&[0, 2, b'a', b'b', 3, b'a', b'b', 0xff, 0xff, 0, 0][..]));
    }
}
