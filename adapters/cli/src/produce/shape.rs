//! From a line to a record: what all records have in common, and how the others are told apart.

use std::borrow::Cow;

use ottla_tokio::{Header, Record, TopicHandle};

use super::delimiter::Delimiter;
use super::json;

/// What the input consists of.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// Each line is a value, perhaps behind a key.
    Lines,
    /// Each line is a JSON object that describes a record.
    Json,
}

/// How lines become records.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) form: Form,
    /// Topic of records that do not name one.
    pub(super) topic: Option<String>,
    /// What ends a record.
    pub(super) delimiter: Delimiter,
    /// What stands between key and value.
    pub(super) key_delimiter: Option<Delimiter>,
    pub(super) headers: Vec<(String, Option<String>)>,
    pub(super) partition: Option<i32>,
    /// Milliseconds since 1970.
    pub(super) timestamp: Option<i64>,
    /// Empty keys and values are null.
    pub(super) empty_is_null: bool,
}

/// Where a line begins in its portion.
#[derive(Copy, Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Place {
    /// Lines before it.
    pub(super) line: u64,
    /// Bytes before it.
    pub(super) byte: usize,
}

impl Place {
    /// What stands from here on.
    pub(super) fn rest(self, bytes: &[u8]) -> &[u8] {
        // The last line may lack its delimiter.
        bytes.get(self.byte..).unwrap_or_default()
    }
}

/// A header with the memory that it borrows or owns.
pub(super) type OwnHeader<'l> = (Cow<'l, str>, Option<Cow<'l, [u8]>>);

/// A record, apart from the producer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Content<'l> {
    pub(super) topic: Cow<'l, str>,
    pub(super) partition: Option<i32>,
    pub(super) timestamp: Option<i64>,
    pub(super) headers: Vec<OwnHeader<'l>>,
    pub(super) key: Option<Cow<'l, [u8]>>,
    pub(super) value: Option<Cow<'l, [u8]>>,
}

impl Shape {
    /// The record of a line.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) fn content<'l>(&'l self, line: &'l [u8]) -> Result<Content<'l>, String> {
        match self.form {
            Form::Json => json::read(line, self),
            Form::Lines => {
                let (key, value) = self.split(line);
                Ok(Content {
                    topic: self.topic.as_deref().unwrap_or_default().into(),
                    partition: self.partition,
                    timestamp: self.timestamp,
                    headers: self.own_headers(),
                    key: key.map(Cow::Borrowed),
                    value: value.map(Cow::Borrowed),
                })
            }
        }
    }

    /// Lines from `place` on that stand for a record, with their places.
    pub(super) fn lines<'b>(
        &'b self,
        bytes: &'b [u8],
        mut place: Place,
    ) -> impl Iterator<Item = (Place, &'b [u8])> {
        let lines = self.delimiter.split(place.rest(bytes)).map(move |line| {
            let at = place;
            place.line += 1;
            place.byte += line.len() + self.delimiter.length();
            (at, line)
        });
        lines.filter(|(_, line)| self.form == Form::Lines || !line.trim_ascii().is_empty())
    }

    /// The place so many lines behind `place`.
    pub(super) fn behind(&self, bytes: &[u8], place: Place, lines: usize) -> Place {
        let parts = self.delimiter.split(place.rest(bytes)).take(lines);
        parts.fold(place, |place, line| Place {
            line: place.line + 1,
            byte: place.byte + line.len() + self.delimiter.length(),
        })
    }

    /// The headers of all records.
    pub(super) fn own_headers(&self) -> Vec<OwnHeader<'_>> {
        let own = self.headers.iter();
        own.map(|(key, value)| {
            (key.as_str().into(), value.as_ref().map(|value| value.as_bytes().into()))
        })
        .collect()
    }

    /// Key and value of a line.
    #[inline]
    fn split<'l>(&self, line: &'l [u8]) -> (Option<&'l [u8]>, Option<&'l [u8]>) {
        let (mut key, mut value) = (None, Some(line));
        if let Some(delimiter) = &self.key_delimiter
            && let Some(end) = delimiter.find(line)
        {
            (key, value) = (Some(&line[..end]), Some(&line[end + delimiter.length()..]));
        }
        if self.empty_is_null {
            let counts = |bytes: &&[u8]| !bytes.is_empty();
            (key, value) = (key.filter(counts), value.filter(counts));
        }
        (key, value)
    }
}

/// Makes the records of lines without allocating.
#[derive(Debug)]
pub(super) struct Template<'a> {
    shape: &'a Shape,
    headers: Vec<Header<'a>>,
    /// Records are values and nothing else, which takes less time.
    is_plain: bool,
}

impl<'a> Template<'a> {
    pub(super) fn new(shape: &'a Shape) -> Self {
        let header = |(key, value): &'a (String, Option<String>)| Header {
            key,
            value: value.as_ref().map(String::as_bytes),
        };
        let is_plain = shape.key_delimiter.is_none()
            && shape.headers.is_empty()
            && shape.partition.is_none()
            && shape.timestamp.is_none()
            && !shape.empty_is_null;
        Self { shape, headers: shape.headers.iter().map(header).collect(), is_plain }
    }

    /// The record of a line.
    #[inline]
    pub(super) fn record<'r>(&'r self, topic: &'r TopicHandle, line: &'r [u8]) -> Record<'r> {
        if self.is_plain {
            return Record::new(topic, line);
        }
        let (key, value) = self.shape.split(line);
        record(topic, key, value, &self.headers, self.shape.partition, self.shape.timestamp)
    }
}

impl Content<'_> {
    /// Its headers as a producer takes them.
    pub(super) fn headers(&self) -> Vec<Header<'_>> {
        self.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect()
    }

    /// The record itself; `headers` are those from [`Content::headers`].
    pub(super) fn record<'r>(
        &'r self,
        topic: &'r TopicHandle,
        headers: &'r [Header<'r>],
    ) -> Record<'r> {
        let (key, value) = (self.key.as_deref(), self.value.as_deref());
        record(topic, key, value, headers, self.partition, self.timestamp)
    }
}

#[inline]
fn record<'r>(
    topic: &'r TopicHandle,
    key: Option<&'r [u8]>,
    value: Option<&'r [u8]>,
    headers: &'r [Header<'r>],
    partition: Option<i32>,
    timestamp: Option<i64>,
) -> Record<'r> {
    let mut record = match value {
        Some(value) => Record::new(topic, value),
        None => Record::tombstone(topic),
    };
    record = record.headers(headers);
    if let Some(key) = key {
        record = record.key(key);
    }
    if let Some(partition) = partition {
        record = record.partition(partition);
    }
    if let Some(timestamp) = timestamp {
        record = record.timestamp(timestamp);
    }
    record
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
pub(super) mod tests {
    use super::*;

    /// Lines of values.
    pub(in super::super) fn lines() -> Shape {
        Shape {
            form: Form::Lines,
            topic: Some("t".to_owned()),
            delimiter: Delimiter::new(b"\n"),
            key_delimiter: None,
            headers: Vec::new(),
            partition: None,
            timestamp: None,
            empty_is_null: false,
        }
    }

    #[test]
    fn places_are_those_of_the_lines() {
        let (shape, bytes) = (lines(), b"a\n\nb\nc");
        let places: Vec<_> = shape.lines(bytes, Place::default()).collect();
        let at = |line, byte| Place { line, byte };
        let expected = [(at(0, 0), &b"a"[..]), (at(1, 2), b""), (at(2, 3), b"b"), (at(3, 5), b"c")];
        assert_eq!(places, expected);
        assert!(shape.lines(bytes, at(2, 3)).eq(expected[2..].iter().copied()));
        let rest = |lines| shape.behind(bytes, at(1, 2), lines).rest(bytes);
        assert_eq!([0, 1, 2, 3, 4].map(rest), [&b"\nb\nc"[..], b"b\nc", b"c", b"", b""]);
    }

    #[test]
    fn the_first_key_delimiter_counts() {
        let shape = Shape { key_delimiter: Some(Delimiter::new(b"::")), ..lines() };
        assert_eq!(shape.split(b"k::v::w"), (Some(&b"k"[..]), Some(&b"v::w"[..])));
        assert_eq!(shape.split(b"::v"), (Some(&b""[..]), Some(&b"v"[..])));
        assert_eq!(shape.split(b"k:v"), (None, Some(&b"k:v"[..])));
        assert_eq!(lines().split(b"k::v"), (None, Some(&b"k::v"[..])));
    }

    #[test]
    fn what_is_empty_can_be_null() {
        let key_delimiter = Some(Delimiter::new(b":"));
        let shape = Shape { key_delimiter, empty_is_null: true, ..lines() };
        assert_eq!(shape.split(b"k:"), (Some(&b"k"[..]), None));
        assert_eq!(shape.split(b":v"), (None, Some(&b"v"[..])));
        assert_eq!(shape.split(b":"), (None, None));
        assert_eq!(shape.split(b""), (None, None));
    }
}
