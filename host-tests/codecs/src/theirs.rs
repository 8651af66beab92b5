//! The second implementation: the crate `kafka-protocol`, generated from Kafka's definitions.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::messages::{ApiKey, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Encodable, StrBytes};
use ottla::message::AnyApi;
use uuid::Uuid;

use crate::CORRELATION;
use crate::requests::CLIENT_ID;

/// What the second implementation says beyond what ours would.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Extras {
    /// Nothing: the bytes are to be the same.
    None,
    /// All that another peer may say: tagged fields that nobody knows in every section, and the
    /// fields that ours never sets. What is read is to be the same.
    All,
}

impl Extras {
    /// The tagged fields for a section: without content, with some, and with a long tag.
    pub fn tags(self) -> BTreeMap<i32, Bytes> {
        match self {
            Self::None => BTreeMap::new(),
            Self::All => [(90, &b""[..]), (91, b"\x05later"), (20_000, b"\xff")]
                .map(|(tag, content)| (tag, Bytes::from_static(content)))
                .into(),
        }
    }

    /// `usual`, or else `special`.
    pub fn pick<T>(self, usual: T, special: T) -> T {
        match self {
            Self::None => usual,
            Self::All => special,
        }
    }
}

/// A text of theirs.
///
/// # Panics
/// If `bytes` is not UTF-8, which it cannot hold.
pub fn text<T: From<StrBytes>>(bytes: impl AsRef<[u8]>) -> T {
    let text = std::str::from_utf8(bytes.as_ref()).expect("texts are drawn as UTF-8");
    StrBytes::from_string(text.to_owned()).into()
}

/// A text of theirs that may be null.
pub fn nullable_text<T: From<StrBytes>>(bytes: Option<impl AsRef<[u8]>>) -> Option<T> {
    bytes.map(text)
}

/// An id of theirs.
pub fn uuid(bytes: [u8; 16]) -> Uuid {
    Uuid::from_bytes(bytes)
}

/// The bytes of a message.
///
/// # Panics
/// If they cannot encode it.
pub fn encode(message: &impl Encodable, version: i16) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out, version).expect("a message that the version can hold");
    out
}

fn key(api: AnyApi) -> ApiKey {
    ApiKey::try_from(api.key()).expect("they know this API")
}

/// The frame of an answer with `body`.
pub fn answer(api: AnyApi, version: i16, body: &[u8], extras: Extras) -> Vec<u8> {
    let header = ResponseHeader::default()
        .with_correlation_id(CORRELATION)
        .with_unknown_tagged_fields(extras.tags());
    crate::frame(&[&encode(&header, key(api).response_header_version(version)), body].concat())
}

/// The header of a request.
pub fn request_header(api: AnyApi, version: i16, extras: Extras) -> Vec<u8> {
    let header = RequestHeader::default()
        .with_request_api_key(api.key())
        .with_request_api_version(version)
        .with_correlation_id(CORRELATION)
        .with_client_id(Some(text(CLIENT_ID)))
        .with_unknown_tagged_fields(extras.tags());
    encode(&header, key(api).request_header_version(version))
}
