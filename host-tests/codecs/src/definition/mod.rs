//! Kafka's message definitions, and a walker that reads and writes any message by them.
//!
//! The definitions are JSON with comments, inside the jar of Kafka's Java client. They say of
//! each field its type and the versions that have it; [`Message`] is what they say, [`Value`]
//! the contents of a message. The walker knows no message by name and uses none of our codecs;
//! [`Defined`] says where the fields stand in our types.

mod admin;
mod ours;
mod read;
mod value;
mod write;

pub use ours::Defined;
pub use value::{Fill, Value};
pub use write::Written;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};
use kafka_tests::Artifacts;
use ottla::message::{AdminApi, AnyApi, Api, Versions};
use serde_json::Value as Json;

/// The definition of a request, an answer or a header.
#[derive(Debug)]
pub struct Message {
    /// The number of the API, in requests and answers.
    pub key: Option<i16>,
    /// The versions that there are.
    pub versions: Versions,
    /// Those with compact encodings and tagged fields.
    pub flexible: Versions,
    /// Whether the highest version is still under development.
    pub is_latest_unstable: bool,
    fields: Vec<Field>,
}

#[derive(Debug)]
struct Field {
    name: String,
    kind: Kind,
    versions: Versions,
    nullable: Versions,
    /// Where it is a tagged field, and its tag.
    tagged: Versions,
    tag: u32,
    /// Where it has a compact encoding, if not where its message does.
    flexible: Option<Versions>,
    default: Value,
}

impl Field {
    /// Whether it is a structure that `version` may leave out.
    fn is_nullable_struct(&self, version: i16) -> bool {
        matches!(self.kind, Kind::Struct(_)) && has(self.nullable, version)
    }
}

#[derive(Debug)]
enum Kind {
    Boolean,
    /// A signed integer of so many bytes.
    Integer(usize),
    Uuid,
    Text,
    Bytes,
    Array(Box<Kind>),
    Struct(Vec<Field>),
}

/// The definition of this name, for example `ProduceRequest`, from the jar of Kafka's Java client.
///
/// # Panics
/// If the jar cannot be fetched or read, or if it is none of a header or of an API that we have.
pub fn message(name: &str) -> &'static Message {
    static MESSAGES: OnceLock<BTreeMap<String, Message>> = OnceLock::new();
    let messages = MESSAGES.get_or_init(|| match load() {
        Ok(messages) => messages,
        Err(error) => panic!("Kafka's message definitions: {error:#}"),
    });
    &messages[name]
}

/// Every API that there are codecs for.
pub fn apis() -> impl Iterator<Item = AnyApi> {
    Api::ALL.into_iter().map(AnyApi::Client).chain(AdminApi::ALL.into_iter().map(AnyApi::Admin))
}

/// Names of the definitions of what we have codecs for.
pub fn names() -> Vec<String> {
    let headers = ["RequestHeader", "ResponseHeader"].map(String::from);
    let both = |api: AnyApi| [format!("{api:?}Request"), format!("{api:?}Response")];
    headers.into_iter().chain(apis().flat_map(both)).collect()
}

fn load() -> Result<BTreeMap<String, Message>> {
    let jar = Artifacts::get()?.jar("kafka-clients")?;
    let directory = tempfile::tempdir()?;
    let path = |name: &String| format!("common/message/{name}.json");
    let names = names();
    let mut extract = Command::new("jar");
    extract.current_dir(directory.path()).arg("xf").arg(jar).args(names.iter().map(path));
    kafka_tests::finish(&mut extract)?;
    let message = |name: String| -> Result<(String, Message)> {
        let text = fs::read_to_string(directory.path().join(path(&name)));
        let message = text.map_err(Into::into).and_then(|text| Message::parse(&text));
        Ok((name.clone(), message.with_context(|| format!("definition of {name}"))?))
    };
    names.into_iter().map(message).collect()
}

impl Message {
    /// Reads a definition.
    ///
    /// # Errors
    /// What is not as expected.
    pub fn parse(text: &str) -> Result<Self> {
        let json: Json = serde_json::from_str(&without_comments(text))?;
        Ok(Self {
            key: json["apiKey"].as_i64().map(i16::try_from).transpose()?,
            versions: versions(&json["validVersions"])?,
            flexible: versions(&json["flexibleVersions"])?,
            is_latest_unstable: json["latestVersionUnstable"].as_bool().unwrap_or(false),
            fields: fields(&json)?,
        })
    }
}

/// Cuts comments off; a `//` inside a string is none.
fn without_comments(text: &str) -> String {
    let cut = |line: &str| {
        let mut in_string = false;
        let mut before = '\0';
        for (place, c) in line.char_indices() {
            match c {
                '"' => in_string = !in_string,
                '/' if before == '/' && !in_string => return line[..place - 1].to_owned(),
                _ => {}
            }
            before = c;
        }
        line.to_owned()
    };
    text.lines().map(|line| cut(line) + "\n").collect()
}

/// No version at all.
const NEVER: Versions = Versions { min: 0, max: -1 };

/// "3-5", "3+", "3", "none", or nothing, which is the same.
fn versions(json: &Json) -> Result<Versions> {
    let Some(text) = json.as_str() else { return Ok(NEVER) };
    if text == "none" {
        return Ok(NEVER);
    }
    if let Some(min) = text.strip_suffix('+') {
        return Ok(Versions { min: min.parse()?, max: i16::MAX });
    }
    let (min, max) = text.split_once('-').unwrap_or((text, text));
    Ok(Versions { min: min.parse()?, max: max.parse()? })
}

/// Whether `versions` has `version`.
pub fn has(versions: Versions, version: i16) -> bool {
    (versions.min..=versions.max).contains(&version)
}

fn fields(json: &Json) -> Result<Vec<Field>> {
    json["fields"].as_array().context("no fields")?.iter().map(field).collect()
}

fn field(json: &Json) -> Result<Field> {
    let name = json["name"].as_str().context("a field without a name")?;
    let kind = json["type"].as_str().context("a field without a type")?;
    let read = || -> Result<Field> {
        let kind = Kind::of(kind, json)?;
        Ok(Field {
            name: name.to_owned(),
            default: default(&kind, &json["default"])?,
            kind,
            versions: versions(&json["versions"])?,
            nullable: versions(&json["nullableVersions"])?,
            tagged: versions(&json["taggedVersions"])?,
            tag: json["tag"].as_u64().unwrap_or(0).try_into()?,
            flexible: match &json["flexibleVersions"] {
                Json::Null => None,
                other => Some(versions(other)?),
            },
        })
    };
    read().with_context(|| format!("field {name}"))
}

impl Kind {
    fn of(name: &str, json: &Json) -> Result<Self> {
        Ok(match name {
            "bool" => Self::Boolean,
            "int8" => Self::Integer(1),
            "int16" => Self::Integer(2),
            "int32" => Self::Integer(4),
            "int64" => Self::Integer(8),
            "uuid" => Self::Uuid,
            "string" => Self::Text,
            "bytes" | "records" => Self::Bytes,
            name => match name.strip_prefix("[]") {
                Some(element) => Self::Array(Box::new(Self::of(element, json)?)),
                None if json["fields"].is_array() => Self::Struct(fields(json)?),
                None => bail!("a type that the walker does not know: {name}"),
            },
        })
    }
}

/// The value of a field that a message does not have.
fn default(kind: &Kind, json: &Json) -> Result<Value> {
    let text = match json {
        Json::Null => "",
        Json::String(text) => text,
        Json::Number(number) => &number.to_string(),
        other => bail!("a default that the walker does not know: {other}"),
    };
    Ok(match (kind, text) {
        (Kind::Boolean, text) => Value::Boolean(text == "true"),
        (Kind::Integer(_), "") => Value::Integer(0),
        (Kind::Integer(_), text) => Value::Integer(text.parse()?),
        (Kind::Uuid, _) => Value::Uuid([0; 16]),
        (Kind::Text | Kind::Bytes | Kind::Array(_), "null") => Value::Null,
        (Kind::Text | Kind::Bytes, text) => Value::Bytes(text.into()),
        (Kind::Array(_), _) => Value::List(Vec::new()),
        (Kind::Struct(_), "null") => Value::Null,
        (Kind::Struct(fields), _) => Value::defaults(fields),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes by hand, so that the walker is not only its own witness.
    #[test]
    fn a_definition_is_walked() {
        let message = Message::parse(
            r#"{
                "apiKey": 7, // a comment
                "validVersions": "1-3", "flexibleVersions": "2+",
                "fields": [
                    { "name": "A", "type": "int16", "versions": "1+", "default": "-1" },
                    { "name": "B", "type": "string", "versions": "0+", "nullableVersions": "2" },
                    { "name": "C", "type": "[]Inner", "versions": "3+", "fields": [
                        { "name": "D", "type": "bool", "versions": "3+" } ]},
                    { "name": "E", "type": "int8", "versions": "2+", "tag": 4,
                      "taggedVersions": "3+", "default": 9, "about": "see // here" }
                ]
            }"#,
        )
        .unwrap();
        assert_eq!(message.key, Some(7));
        assert_eq!(message.versions, Versions { min: 1, max: 3 });
        assert_eq!(message.flexible, Versions { min: 2, max: i16::MAX });
        for (version, fill, bytes) in [
            (1, Fill::Distinct, &b"\x11\x01\0\x08sample 2"[..]),
            (1, Fill::Least, b"\xff\xff\0\0"),
            (2, Fill::Distinct, b"\x11\x01\x09sample 2\x03\0"),
            (2, Fill::Least, b"\xff\xff\0\x09\0"),
            (3, Fill::Distinct, b"\x11\x01\x09sample 2\x03\x01\0\x01\0\x01\x04\x01\x06"),
            (3, Fill::Least, b"\xff\xff\x01\x01\0"),
        ] {
            let value = message.sample(version, fill);
            let written = message.write(&value, version, None).bytes;
            assert_eq!(written, bytes, "version {version}, {fill:?}: {}", written.escape_ascii());
            assert_eq!(message.read(bytes, version).unwrap(), value);
            for end in 0..bytes.len() {
                assert!(message.read(&bytes[..end], version).is_err());
            }
        }
        let unknown = message.write(&message.sample(3, Fill::Distinct), 3, Some(0)).bytes;
        assert!(message.read(&unknown, 3).is_err());
    }
}
