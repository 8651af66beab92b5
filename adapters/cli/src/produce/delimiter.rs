//! What stands between records, or between key and value.

use memchr::memmem::Finder;

/// One or more bytes that divide others.
#[derive(Clone, Debug)]
pub(super) struct Delimiter {
    finder: Finder<'static>,
    /// If it is one byte.
    byte: Option<u8>,
}

impl Delimiter {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let byte = if let [byte] = bytes { Some(*byte) } else { None };
        Self { finder: Finder::new(bytes).into_owned(), byte }
    }

    /// Number of bytes.
    pub(super) fn length(&self) -> usize {
        self.finder.needle().len()
    }

    /// Where it stands first.
    #[inline]
    pub(super) fn find(&self, bytes: &[u8]) -> Option<usize> {
        match self.byte {
            Some(byte) => memchr::memchr(byte, bytes),
            None => self.finder.find(bytes),
        }
    }

    /// How often it stands in `bytes`, and where the part after the last one begins.
    pub(super) fn ends(&self, bytes: &[u8]) -> (u64, usize) {
        if let Some(byte) = self.byte {
            let count = memchr::memchr_iter(byte, bytes).count() as u64;
            return (count, memchr::memrchr(byte, bytes).map_or(0, |last| last + 1));
        }
        let place = |(count, _), start| (count + 1, start + self.length());
        // From the front: of places that overlap the first counts.
        self.finder.find_iter(bytes).fold((0, 0), place)
    }

    /// The parts of `bytes`; the last may lack its delimiter.
    #[inline]
    pub(super) fn split<'b>(&self, mut bytes: &'b [u8]) -> impl Iterator<Item = &'b [u8]> {
        let length = self.length();
        std::iter::from_fn(move || {
            if bytes.is_empty() {
                return None;
            }
            let (part, rest) = match self.find(bytes) {
                Some(end) => (&bytes[..end], &bytes[end + length..]),
                None => (bytes, &[][..]),
            };
            bytes = rest;
            Some(part)
        })
    }
}

/// A delimiter as it is written on the command line.
pub(super) fn delimiter(text: &str) -> Result<Delimiter, String> {
    let bytes = unescape(text)?;
    if bytes.is_empty() { Err("it is empty".to_owned()) } else { Ok(Delimiter::new(&bytes)) }
}

fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (byte, length) = match rest.as_bytes() {
            [b'\\', b't', ..] => (b'\t', 2),
            [b'\\', b'n', ..] => (b'\n', 2),
            [b'\\', b'r', ..] => (b'\r', 2),
            [b'\\', b'0', ..] => (0, 2),
            [b'\\', b'\\', ..] => (b'\\', 2),
            [b'\\', b'x', ..] => match rest.get(2..4).map(hex_byte) {
                Some(Some(byte)) => (byte, 4),
                _ => return Err("\\x takes two hexadecimal digits".to_owned()),
            },
            [b'\\', ..] => {
                return Err("after \\ only t, n, r, 0, \\ and xHH are understood".to_owned());
            }
            _ => {
                bytes.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &rest[first.len_utf8()..];
                continue;
            }
        };
        bytes.push(byte);
        rest = &rest[length..];
    }
    Ok(bytes)
}

/// Unlike the standard library, it takes no sign.
fn hex_byte(digits: &str) -> Option<u8> {
    let legal = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(digits, 16).ok().filter(|_| legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_understood() {
        assert_eq!(unescape(r"\t\n\r\0"), Ok(b"\t\n\r\0".to_vec()));
        assert_eq!(unescape(r"ä\x1f\\:"), Ok("ä\u{1f}\\:".as_bytes().to_vec()));
        assert_eq!(unescape(r"\xff\xFE"), Ok(vec![0xff, 0xfe]));
        for wrong in ["", r"\", r"\q", r"\x1", r"\xzz", r"\x+1"] {
            assert!(delimiter(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn parts_are_kept_as_they_are() {
        let all = |delimiter: &[u8], bytes| {
            let parts = Delimiter::new(delimiter);
            let parts = parts.split(bytes).map(<[u8]>::to_vec);
            parts.collect::<Vec<_>>()
        };
        assert!(all(b"\n", b"").is_empty());
        assert_eq!(all(b"\n", b"\n"), [b""]);
        assert_eq!(all(b"\n", b"a\r\n\n\xff\0b"), [&b"a\r"[..], b"", b"\xff\0b"]);
        assert_eq!(all(b"\n", b"a\n"), [b"a"]);
        assert_eq!(all(b"--", b"a-b---c--"), [&b"a-b"[..], b"-c"]);
        assert_eq!(all(b"--", b"a-"), [b"a-"]);
    }

    #[test]
    fn ends_are_those_of_the_parts() {
        let ends = |delimiter: &[u8], bytes| Delimiter::new(delimiter).ends(bytes);
        assert_eq!(ends(b"\n", b"a\nb\nc"), (2, 4));
        assert_eq!(ends(b"\n", b"abc"), (0, 0));
        // The last place by a search from the end would be another one.
        assert_eq!(ends(b"aa", b"xaaa"), (1, 3));
        assert_eq!(ends(b"--", b"a--b--"), (2, 6));
    }
}
