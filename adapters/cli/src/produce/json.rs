//! Records as JSON, one object a line: as kcat's -J prints them, and as `--failed` keeps them.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Deserializer, Serialize};

use super::shape::{Content, OwnHeader, Shape};
use super::timestamp;

/// A text that is borrowed from its line unless it has escapes.
#[derive(Deserialize)]
struct Text<'l>(#[serde(borrow)] Cow<'l, str>);

/// An object. What it has beyond a record is of no use here, but known: other tools print it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object<'l> {
    #[serde(borrow)]
    topic: Option<Text<'l>>,
    partition: Option<i32>,
    #[serde(alias = "timestamp")]
    ts: Option<Time>,
    headers: Option<Headers>,
    #[serde(default, borrow, deserialize_with = "given")]
    key: Option<Option<Text<'l>>>,
    #[serde(borrow)]
    key_base64: Option<Text<'l>>,
    #[serde(default, borrow, alias = "payload", deserialize_with = "given")]
    value: Option<Option<Text<'l>>>,
    #[serde(borrow, alias = "payload_base64")]
    value_base64: Option<Text<'l>>,
    #[serde(rename = "offset")]
    _offset: Option<IgnoredAny>,
    #[serde(rename = "tstype")]
    _tstype: Option<IgnoredAny>,
    #[serde(rename = "broker")]
    _broker: Option<IgnoredAny>,
    #[serde(rename = "reason")]
    _reason: Option<IgnoredAny>,
    #[serde(rename = "error")]
    _error: Option<IgnoredAny>,
    file: Option<String>,
    line: Option<u64>,
    /// Of a line that was no record when `--failed` kept it.
    #[serde(alias = "input_base64")]
    input: Option<IgnoredAny>,
}

/// Tells null from nothing.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a time has to be milliseconds since 1970, or as in RFC 3339")]
enum Time {
    Millis(i64),
    Text(String),
}

/// Names and values, in their order.
struct Headers(Vec<(String, Option<HeaderValue>)>);

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "the value of a header has to be a string, null, or {\"base64\": \"...\"}"
)]
enum HeaderValue {
    Text(String),
    Bytes { base64: String },
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("headers as [\"name\", \"value\", ...] or as {\"name\": \"value\", ...}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Headers, A::Error> {
        let mut headers = Vec::new();
        while let Some(name) = items.next_element::<String>()? {
            match items.next_element()? {
                Some(value) => headers.push((name, value)),
                None => return Err(de::Error::custom(format!("header {name:?} has no value"))),
            }
        }
        Ok(Headers(headers))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Headers, A::Error> {
        let mut headers = Vec::new();
        while let Some(header) = entries.next_entry()? {
            headers.push(header);
        }
        Ok(Headers(headers))
    }
}

/// The record that a line describes. What the line does not say is as in `shape`.
///
/// # Errors
/// Why it describes none.
pub(super) fn read<'l>(line: &'l [u8], shape: &'l Shape) -> Result<Content<'l>, String> {
    let object: Object<'l> = serde_json::from_slice(line).map_err(|error| explain(&error))?;
    if object.input.is_some() {
        let file = object.file.unwrap_or_default();
        let line = object.line.unwrap_or_default();
        return Err(format!("it is what was no record in {file}, line {line}, under \"input\""));
    }
    let topic = match object.topic {
        Some(Text(topic)) => topic,
        None => shape.topic.as_deref().ok_or("it has no topic, and -t gives none")?.into(),
    };
    let timestamp = match object.ts {
        None => shape.timestamp,
        // Of records without a time.
        Some(Time::Millis(-1)) => None,
        Some(Time::Millis(millis)) => Some(timestamp::not_negative(millis)?),
        Some(Time::Text(text)) => Some(timestamp::rfc3339(&text)?),
    };
    let partition = match object.partition {
        // Of records that were not given one.
        None | Some(-1) => shape.partition,
        Some(partition @ 0..) => Some(partition),
        Some(partition) => return Err(format!("{partition} cannot be the number of a partition")),
    };
    let headers = match object.headers {
        None => shape.own_headers(),
        Some(Headers(headers)) => headers.into_iter().map(own).collect::<Result<_, _>>()?,
    };
    let key = bytes("key", object.key, object.key_base64)?.flatten();
    let value = bytes("value", object.value, object.value_base64)?;
    let value = value.ok_or("it has no value; a null value has to be given as null")?;
    let counts = |bytes: &Cow<'_, [u8]>| !(shape.empty_is_null && bytes.is_empty());
    let (key, value) = (key.filter(counts), value.filter(counts));
    Ok(Content { topic, partition, timestamp, headers, key, value })
}

/// Where it went wrong, without a number of a line that is always 1.
fn explain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = text.strip_suffix(&place).unwrap_or(&text);
    match error.column() {
        0 => format!("it is no record: {text}"),
        column => format!("it is no record: column {column}: {text}"),
    }
}

fn own((name, value): (String, Option<HeaderValue>)) -> Result<OwnHeader<'static>, String> {
    let value = match value {
        None => None,
        Some(HeaderValue::Text(text)) => Some(text.into_bytes()),
        Some(HeaderValue::Bytes { base64 }) => Some(decode(&name, &base64)?),
    };
    Ok((name.into(), value.map(Cow::Owned)))
}

/// A key or a value: none if it is not given, none within if it is null.
fn bytes<'l>(
    name: &str,
    text: Option<Option<Text<'l>>>,
    base64: Option<Text<'l>>,
) -> Result<Option<Option<Cow<'l, [u8]>>>, String> {
    match (text, base64) {
        (Some(_), Some(_)) => Err(format!("it has both {name} and {name}_base64")),
        (None, Some(Text(base64))) => {
            let bytes = decode(&format!("{name}_base64"), &base64)?;
            Ok(Some(Some(Cow::Owned(bytes))))
        }
        (text, None) => Ok(text.map(|text| {
            text.map(|Text(text)| match text {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            })
        })),
    }
}

fn decode(name: &str, base64: &str) -> Result<Vec<u8>, String> {
    BASE64_STANDARD.decode(base64).map_err(|error| format!("{name} is not base64: {error}"))
}

/// A record that failed, as `--failed` keeps it.
#[derive(Debug, Serialize)]
pub(super) struct Failed<'l> {
    #[serde(flatten)]
    pub(super) what: What<'l>,
    /// `refused`, `not written` or `unknown`.
    pub(super) reason: &'static str,
    pub(super) error: &'l str,
    pub(super) file: &'l str,
    /// Number of the line, from 1.
    pub(super) line: u64,
}

/// A record, or a line that is none.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum What<'l> {
    Record(Described<'l>),
    Text { input: &'l str },
    Bytes { input_base64: String },
}

/// A record as [`read`] takes it.
#[derive(Debug, Serialize)]
pub(super) struct Described<'l> {
    topic: &'l str,
    #[serde(skip_serializing_if = "Option::is_none")]
    partition: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<i64>,
    // Also if there are none: otherwise -H would add some when it is read again.
    #[serde(serialize_with = "headers")]
    headers: &'l [OwnHeader<'l>],
    #[serde(flatten)]
    key: Key<'l>,
    #[serde(flatten)]
    value: Value<'l>,
}

/// Names and values in turn, as a name may come twice.
fn headers<S: Serializer>(headers: &[OwnHeader<'_>], to: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Item<'l> {
        Text(Option<&'l str>),
        Bytes { base64: String },
    }
    to.collect_seq(headers.iter().flat_map(|(name, value)| {
        let value = match value.as_deref() {
            None => Item::Text(None),
            Some(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Item::Text(Some(text)),
                Err(_) => Item::Bytes { base64: encode(bytes) },
            },
        };
        [Item::Text(Some(name)), value]
    }))
}

#[derive(Debug)]
struct Key<'l>(Option<&'l [u8]>);

#[derive(Debug)]
struct Value<'l>(Option<&'l [u8]>);

impl Serialize for Key<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        field(to, "key", "key_base64", self.0)
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        field(to, "value", "value_base64", self.0)
    }
}

/// Bytes as text where they are text.
fn field<S: Serializer>(
    to: S,
    text: &'static str,
    base64: &'static str,
    bytes: Option<&[u8]>,
) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(Some(1))?;
    match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => map.serialize_entry(text, &None::<&str>)?,
        Some((_, Ok(value))) => map.serialize_entry(text, value)?,
        Some((bytes, Err(_))) => map.serialize_entry(base64, &encode(bytes))?,
    }
    map.end()
}

fn encode(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

impl<'l> What<'l> {
    /// A record, in the partition that was chosen for it if one was.
    pub(super) fn record(content: &'l Content<'_>, partition: Option<i32>) -> Self {
        Self::Record(Described {
            topic: &content.topic,
            partition: partition.or(content.partition),
            ts: content.timestamp,
            headers: &content.headers,
            key: Key(content.key.as_deref()),
            value: Value(content.value.as_deref()),
        })
    }

    /// A line that is no record.
    pub(super) fn line(line: &'l [u8]) -> Self {
        match std::str::from_utf8(line) {
            Ok(input) => Self::Text { input },
            Err(_) => Self::Bytes { input_base64: encode(line) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::shape::Form;
    use super::*;

    fn json() -> Shape {
        Shape { form: Form::Json, ..super::super::shape::tests::lines() }
    }

    #[test]
    fn objects_of_kcat_are_records() {
        let line = br#"{"topic":"x","partition":2,"offset":7,"tstype":"create","ts":5,"broker":0,
            "headers":["a","1","a",null],"key":"k\n","payload":"v"}"#;
        let shape = json();
        let content = read(line, &shape).unwrap();
        assert_eq!(
            (&*content.topic, content.partition, content.timestamp),
            ("x", Some(2), Some(5))
        );
        assert_eq!(content.headers, [("a".into(), Some(b"1"[..].into())), ("a".into(), None)]);
        assert_eq!(
            (content.key.as_deref(), content.value.as_deref()),
            (Some(&b"k\n"[..]), Some(&b"v"[..]))
        );
    }

    #[test]
    fn what_is_not_said_comes_from_the_command_line() {
        let shape = Shape { partition: Some(1), timestamp: Some(9), ..json() };
        let content = read(br#"{"value":null}"#, &shape).unwrap();
        assert_eq!(
            (&*content.topic, content.partition, content.timestamp),
            ("t", Some(1), Some(9))
        );
        assert_eq!((content.key, content.value), (None, None));
        let content = read(br#"{"value":"","headers":{"h":{"base64":"/w=="}}}"#, &shape).unwrap();
        assert_eq!(content.headers, [("h".into(), Some(b"\xff"[..].into()))]);
        assert_eq!(content.value.as_deref(), Some(&b""[..]));
    }

    #[test]
    fn what_is_no_record_is_explained() {
        for (line, part) in [
            ("{", "column 1: EOF"),
            ("[]", "is no record"),
            (r#"{"key":"k"}"#, "no value"),
            (r#"{"vaule":"k"}"#, "unknown field `vaule`"),
            (r#"{"value":5}"#, "column 10: invalid type: integer `5`, expected a string"),
            (r#"{"value":"a","value_base64":"YQ=="}"#, "both value and value_base64"),
            (r#"{"value":"a","payload":"a"}"#, "duplicate field"),
            (r#"{"value_base64":"a"}"#, "value_base64 is not base64"),
            (r#"{"value":"a","partition":-2}"#, "-2"),
            (r#"{"value":"a","ts":-5}"#, "before 1970"),
            (r#"{"value":"a","ts":"soon"}"#, "neither milliseconds"),
            (r#"{"value":"a","ts":{}}"#, "milliseconds since 1970"),
            (r#"{"value":"a","headers":["x"]}"#, "header \"x\" has no value"),
            (r#"{"value":"a","headers":{"x":1}}"#, "the value of a header has to be"),
            (r#"{"input":"{","file":"f","line":3}"#, "no record in f, line 3"),
        ] {
            let error = read(line.as_bytes(), &json()).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
        let shape = Shape { topic: None, ..json() };
        assert!(read(br#"{"value":"a"}"#, &shape).unwrap_err().contains("no topic"));
    }

    #[test]
    fn what_failed_is_read_again_as_it_was() {
        let content = Content {
            topic: "x".into(),
            partition: Some(3),
            timestamp: Some(7),
            headers: vec![
                ("ä".into(), Some(b"\x00\xff"[..].into())),
                ("n".into(), None),
                ("n".into(), Some(b""[..].into())),
            ],
            key: Some(b"\"\n\xe2\x82"[..].into()),
            value: Some("ü\u{0}".as_bytes().into()),
        };
        let none = Content { key: None, value: None, headers: Vec::new(), ..content.clone() };
        let shape = Shape { headers: vec![("other".to_owned(), None)], ..json() };
        for content in [content, none] {
            let what = What::record(&content, None);
            let failed = Failed { what, reason: "unknown", error: "e", file: "f", line: 9 };
            let line = serde_json::to_vec(&failed).unwrap();
            assert_eq!(read(&line, &shape).unwrap(), content);
        }
    }
}
