//! From a line to a record.

use memchr::memmem::Finder;
use ottla_tokio::{Header, Record, TopicHandle};

/// What stands between key and value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Separator(Vec<u8>);

/// What all records have in common, and how keys are found.
#[derive(Debug)]
pub(super) struct Template<'a> {
    separator: Option<Finder<'a>>,
    headers: Vec<Header<'a>>,
    partition: Option<i32>,
}

impl<'a> Template<'a> {
    pub(super) fn new(
        separator: Option<&'a Separator>,
        headers: &'a [(String, Option<String>)],
        partition: Option<i32>,
    ) -> Self {
        let header = |(key, value): &'a (String, Option<String>)| Header {
            key,
            value: value.as_ref().map(String::as_bytes),
        };
        let headers = headers.iter().map(header).collect();
        Self { separator: separator.map(|separator| Finder::new(&separator.0)), headers, partition }
    }

    /// The record of a line.
    pub(super) fn record<'r>(&'r self, topic: &'r TopicHandle, line: &'r [u8]) -> Record<'r> {
        let (key, value) = self.split(line);
        let mut record = Record::new(topic, value).headers(&self.headers);
        if let Some(key) = key {
            record = record.key(key);
        }
        if let Some(partition) = self.partition {
            record = record.partition(partition);
        }
        record
    }

    /// Key and value of a line.
    fn split<'l>(&self, line: &'l [u8]) -> (Option<&'l [u8]>, &'l [u8]) {
        let found = self.separator.as_ref().and_then(|separator| {
            let key = separator.find(line)?;
            Some((&line[..key], &line[key + separator.needle().len()..]))
        });
        found.map_or((None, line), |(key, value)| (Some(key), value))
    }
}

/// A separator as it is written on the command line.
pub(super) fn separator(text: &str) -> Result<Separator, String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (byte, length) = match rest.as_bytes() {
            [b'\\', b't', ..] => (b'\t', 2),
            [b'\\', b'n', ..] => (b'\n', 2),
            [b'\\', b'r', ..] => (b'\r', 2),
            [b'\\', b'0', ..] => (0, 2),
            [b'\\', b'\\', ..] => (b'\\', 2),
            [b'\\', b'x', ..] => match rest.get(2..4).map(|hex| u8::from_str_radix(hex, 16)) {
                Some(Ok(byte)) => (byte, 4),
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
    if bytes.is_empty() { Err("it is empty".to_owned()) } else { Ok(Separator(bytes)) }
}

/// A header as it is written on the command line.
pub(super) fn header(text: &str) -> Result<(String, Option<String>), String> {
    let (key, value) = match text.split_once('=') {
        Some((key, value)) => (key, Some(value.to_owned())),
        None => (text, None),
    };
    if key.is_empty() { Err("it has no name".to_owned()) } else { Ok((key.to_owned(), value)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_unescaped() {
        assert_eq!(separator(r"\t"), Ok(Separator(b"\t".to_vec())));
        let expected = "ä\u{1f}\\:".as_bytes().to_vec();
        assert_eq!(separator(r"ä\x1f\\:"), Ok(Separator(expected)));
        for wrong in ["", r"\", r"\q", r"\x1", r"\xzz"] {
            assert!(separator(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_first_separator_counts() {
        let colons = Separator(b"::".to_vec());
        let template = Template::new(Some(&colons), &[], None);
        assert_eq!(template.split(b"k::v::w"), (Some(&b"k"[..]), &b"v::w"[..]));
        assert_eq!(template.split(b"::v"), (Some(&b""[..]), &b"v"[..]));
        assert_eq!(template.split(b"k:v"), (None, &b"k:v"[..]));
        assert_eq!(Template::new(None, &[], None).split(b"k::v"), (None, &b"k::v"[..]));
    }
}
