//! Kafka's messages, one file per API, both directions.
//!
//! The client's direction encodes requests piece by piece into small buffers and decodes
//! answers as a stream ([`crate::wire::input`]). The broker's direction (feature `broker`) works
//! on whole frames and serves brokers that are made for tests.
//!
//! | API | key | client versions | flexible from |
//! |---|---|---|---|
//! | Produce | 0 | 3 to 13 | 9 |
//! | Metadata | 3 | 4 to 13 | 9 |
//! | ApiVersions | 18 | 0 to 5 | 3 |
//! | CreateTopics | 19 | 2 to 7 | 5 |
//! | InitProducerId | 22 | 0 to 5 | 2 |
//!
//! For tools and tests, which the producer never asks ([`AdminApi`]):
//!
//! | API | key | versions | flexible from |
//! |---|---|---|---|
//! | DeleteTopics | 20 | 1 to 6 | 4 |
//! | DescribeConfigs | 32 | 1 to 4 | 4 |
//! | CreatePartitions | 37 | 0 to 3 | 2 |
//! | IncrementalAlterConfigs | 44 | 0 to 1 | 1 |
//! | DescribeCluster | 60 | 0 to 2 | 0 |
//! | DescribeTopicPartitions | 75 | 0 | 0 |

mod admin;
pub mod api_versions;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_topics;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_topic_partitions;
mod error_code;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod metadata;
pub mod produce;
mod topic_results;

pub use admin::{AdminApi, AnyApi};
pub use error_code::ErrorCode;

use crate::wire::write::Put;

/// An API that this client uses.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Api {
    /// Appends batches.
    #[default]
    Produce,
    /// Brokers, topics, partitions and leaders.
    Metadata,
    /// Versions that the broker understands; always the first request of a link.
    ApiVersions,
    /// Makes topics.
    CreateTopics,
    /// Hands out a producer id.
    InitProducerId,
}

/// Versions of one API, both ends included.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Versions {
    /// Lowest.
    pub min: i16,
    /// Highest.
    pub max: i16,
}

impl Versions {
    /// The highest version that both ranges hold.
    #[must_use]
    pub const fn common(self, other: Self) -> Option<i16> {
        let max = if self.max < other.max { self.max } else { other.max };
        let min = if self.min > other.min { self.min } else { other.min };
        if min <= max { Some(max) } else { None }
    }
}

impl Api {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Produce,
        Self::Metadata,
        Self::ApiVersions,
        Self::CreateTopics,
        Self::InitProducerId,
    ];

    /// The number in request headers.
    #[must_use]
    pub const fn key(self) -> i16 {
        match self {
            Self::Produce => 0,
            Self::Metadata => 3,
            Self::ApiVersions => 18,
            Self::CreateTopics => 19,
            Self::InitProducerId => 22,
        }
    }

    /// The API with this number.
    #[must_use]
    pub const fn of_key(key: i16) -> Option<Self> {
        Some(match key {
            0 => Self::Produce,
            3 => Self::Metadata,
            18 => Self::ApiVersions,
            19 => Self::CreateTopics,
            22 => Self::InitProducerId,
            _ => return None,
        })
    }

    /// Its place in [`Api::ALL`].
    pub(crate) const fn place(self) -> usize {
        self as usize
    }

    /// The versions that the client negotiates: from those of Kafka 2.1 upward (KIP-896).
    /// InitProducerId 6 is not stable.
    #[must_use]
    pub const fn versions(self) -> Versions {
        match self {
            Self::Produce => Versions { min: 3, max: 13 },
            Self::Metadata => Versions { min: 4, max: 13 },
            Self::ApiVersions => Versions { min: 0, max: 5 },
            Self::CreateTopics => Versions { min: 2, max: 7 },
            Self::InitProducerId => Versions { min: 0, max: 5 },
        }
    }

    /// Whether `version` has compact encodings and tagged fields.
    #[must_use]
    pub const fn is_flexible(self, version: i16) -> bool {
        let first = match self {
            Self::Produce | Self::Metadata => 9,
            Self::ApiVersions => 3,
            Self::CreateTopics => 5,
            Self::InitProducerId => 2,
        };
        version >= first
    }

    /// Whether the header of an answer ends with tagged fields. ApiVersions answers never do, so
    /// that a client can read one whatever version the broker chose (KIP-511).
    #[must_use]
    pub const fn has_answer_tags(self, version: i16) -> bool {
        !matches!(self, Self::ApiVersions) && self.is_flexible(version)
    }
}

/// Writes a request header: version 1, or 2 with tagged fields. The client id keeps its 16-bit
/// length in both.
pub fn request_header(
    out: &mut impl Put,
    api: impl Into<AnyApi>,
    version: i16,
    correlation: i32,
    client_id: &[u8],
) {
    let api = api.into();
    header_start(out, api.key(), version, correlation, client_id.len() as u32);
    out.raw(client_id);
    out.no_tags(api.is_flexible(version));
}

/// What stands before the client id.
pub(crate) fn request_header_start(
    out: &mut impl Put,
    api: Api,
    version: i16,
    correlation: i32,
    client_id: u32,
) {
    header_start(out, api.key(), version, correlation, client_id);
}

fn header_start(out: &mut impl Put, key: i16, version: i16, correlation: i32, client_id: u32) {
    out.int16(key);
    out.int16(version);
    out.int32(correlation);
    out.string_length(client_id, false);
}

/// What stands behind the client id.
pub(crate) fn request_header_end(out: &mut impl Put, api: Api, version: i16) {
    out.no_tags(api.is_flexible(version));
}

/// The version from which on an answer has something, if none has it.
const NEVER: i16 = i16::MAX;

/// A step of a decoder of answers.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Step<T> {
    /// More bytes are needed.
    More,
    /// Something the caller may want.
    Item(T),
    /// The answer is complete; bytes behind it in the frame are to be skipped.
    End,
}

impl<T> Step<T> {
    /// What `take` makes of an item.
    pub fn map<U>(self, take: impl FnOnce(T) -> U) -> Step<U> {
        match self {
            Self::More => Step::More,
            Self::Item(item) => Step::Item(take(item)),
            Self::End => Step::End,
        }
    }
}

/// Takes an atom's value, or returns that more bytes are needed.
macro_rules! need {
    ($value:expr) => {
        match $value {
            Some(value) => value,
            None => return Ok($crate::message::Step::More),
        }
    };
}
pub(crate) use need;

/// Whole frames and their headers, as a broker reads and writes them.
#[cfg(any(test, feature = "broker"))]
pub mod broker {
    use alloc::vec::Vec;

    use super::AnyApi;
    use crate::error::Fault;
    use crate::wire::parse::{self, Parsed};
    use crate::wire::write::Put;

    /// A request header.
    #[derive(Copy, Clone, PartialEq, Eq, Debug)]
    pub struct RequestHeader<'a> {
        /// Number of the API.
        pub key: i16,
        /// Version of the body.
        pub version: i16,
        /// Echoed in the answer.
        pub correlation: i32,
        /// Who asks; null is `None`.
        pub client_id: Option<&'a [u8]>,
    }

    /// Passes a section of tagged fields.
    pub fn tags(bytes: &[u8], flexible: bool) -> Parsed<'_, ()> {
        if !flexible {
            return Ok((bytes, ()));
        }
        let (mut rest, count) = parse::uvarint(bytes)?;
        for _ in 0..count {
            let (after, _) = parse::uvarint(rest)?;
            let (after, size) = parse::uvarint(after)?;
            (rest, _) = parse::take(after, size as usize)?;
        }
        Ok((rest, ()))
    }

    /// Reads `count` elements, which take at least one byte each.
    pub fn array<'a, T>(
        bytes: &'a [u8],
        flexible: bool,
        element: impl Fn(&'a [u8]) -> Parsed<'a, T>,
    ) -> Parsed<'a, Option<Vec<T>>> {
        let (mut rest, count) = parse::bytes_length(bytes, flexible)?;
        let Some(count) = count else { return Ok((rest, None)) };
        if count as usize > rest.len() {
            return parse::fail(Fault::CountTooLarge);
        }
        let mut elements = Vec::new();
        for _ in 0..count {
            let (after, value) = element(rest)?;
            elements.push(value);
            rest = after;
        }
        Ok((rest, Some(elements)))
    }

    /// [`array()`] where null is not allowed.
    pub fn list<'a, T>(
        bytes: &'a [u8],
        flexible: bool,
        element: impl Fn(&'a [u8]) -> Parsed<'a, T>,
    ) -> Parsed<'a, Vec<T>> {
        match array(bytes, flexible, element)? {
            (rest, Some(elements)) => Ok((rest, elements)),
            (_, None) => parse::fail(Fault::UnexpectedNull),
        }
    }

    /// Turns a parser's error into a fault: here a frame is whole, so what is missing is cut.
    pub fn whole<T>(parsed: Parsed<'_, T>) -> Result<T, Fault> {
        match parsed {
            Ok((_, value)) => Ok(value),
            Err(nom::Err::Incomplete(_)) => Err(Fault::Truncated),
            Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => Err(fault),
        }
    }

    impl<'a> RequestHeader<'a> {
        /// Reads the header at the start of a frame, and returns it with the body.
        ///
        /// # Errors
        /// What is wrong with it; the body of an API that is not known is read as not flexible.
        pub fn read(frame: &'a [u8]) -> Result<(Self, &'a [u8]), Fault> {
            whole(Self::parse(frame).map(|(rest, header)| (rest, (header, rest))))
        }

        fn parse(bytes: &'a [u8]) -> Parsed<'a, Self> {
            let (rest, key) = parse::int16(bytes)?;
            let (rest, version) = parse::int16(rest)?;
            let (rest, correlation) = parse::int32(rest)?;
            let (rest, client_id) = parse::nullable_string(rest, false)?;
            let flexible = AnyApi::of_key(key).is_some_and(|api| api.is_flexible(version));
            let (rest, ()) = tags(rest, flexible)?;
            Ok((rest, Self { key, version, correlation, client_id }))
        }
    }

    /// A frame with an answer: size, header, and the body that `body` writes.
    pub fn answer(
        api: impl Into<AnyApi>,
        version: i16,
        correlation: i32,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Vec<u8> {
        let mut frame = alloc::vec![0; 4];
        frame.int32(correlation);
        frame.no_tags(api.into().has_answer_tags(version));
        body(&mut frame);
        let size = u32::try_from(frame.len().saturating_sub(4)).unwrap_or(u32::MAX);
        if let Some(head) = frame.first_chunk_mut::<4>() {
            *head = size.to_be_bytes();
        }
        frame
    }
}
