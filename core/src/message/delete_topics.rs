//! DeleteTopics (key 20): removes topics by name, from version 6 on also by id. KIP-4, KIP-516.

pub use super::topic_results::Item;

use super::topic_results::{Layout, Results};
use super::{AdminApi, NEVER, Step};
use crate::error::Fault;
use crate::wire::input::Input;
use crate::wire::write::Put;

const fn is_flexible(version: i16) -> bool {
    AdminApi::DeleteTopics.is_flexible(version)
}

/// Writes the start of a request for `count` topics.
pub fn request_start(out: &mut impl Put, version: i16, count: u32) {
    out.length_prefix(count, is_flexible(version));
}

/// Writes one topic of a request, by its name.
pub fn request_topic(out: &mut impl Put, version: i16, name: &[u8]) {
    // From version 6 on the name may be null, which has the same encoding otherwise.
    out.string(name, is_flexible(version));
    if version >= 6 {
        out.raw(&[0; 16]);
        out.no_tags(true);
    }
}

/// Writes one topic of a request of version 6 or later, by its id.
pub fn request_topic_id(out: &mut impl Put, id: &[u8; 16]) {
    out.nullable_string(None, true);
    out.raw(id);
    out.no_tags(true);
}

/// Writes the end of a request: how many milliseconds the broker may take.
pub fn request_end(out: &mut impl Put, version: i16, timeout_ms: i32) {
    out.int32(timeout_ms);
    out.no_tags(is_flexible(version));
}

/// Decodes an answer as a stream.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Answer(Results);

const LAYOUT: Layout =
    Layout { throttles: 2, ids: 6, null_names: 6, texts: 5, details: NEVER, least: 4 };

impl Answer {
    /// The next item of an answer in `version`.
    ///
    /// # Errors
    /// What the broker did wrong.
    pub fn next<'s>(
        &mut self,
        version: i16,
        input: &'s mut Input<'_>,
    ) -> Result<Step<Item<'s>>, Fault> {
        self.0.next(LAYOUT, version, is_flexible(version), input)
    }
}

/// The broker's direction.
#[cfg(any(test, feature = "broker"))]
pub mod broker {
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::super::broker::{list, tags, whole};
    use super::is_flexible;
    use crate::error::Fault;
    use crate::message::ErrorCode;
    use crate::wire::parse::{self, Parsed};
    use crate::wire::write::Put;

    /// A topic of a request.
    #[derive(Copy, Clone, Default, PartialEq, Eq, Debug)]
    pub struct RequestTopic<'a> {
        /// Its name, or null (version 6 on).
        pub name: Option<&'a [u8]>,
        /// Its id, or all zero (version 6 on).
        pub id: [u8; 16],
    }

    /// A request.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Request<'a> {
        /// The topics.
        pub topics: Vec<RequestTopic<'a>>,
        /// How many milliseconds the client waits.
        pub timeout_ms: i32,
    }

    impl<'a> Request<'a> {
        /// Reads the body of a request.
        ///
        /// # Errors
        /// What is wrong with it.
        pub fn read(body: &'a [u8], version: i16) -> Result<Self, Fault> {
            whole(Self::parse(body, version))
        }

        fn parse(body: &'a [u8], version: i16) -> Parsed<'a, Self> {
            let flexible = is_flexible(version);
            let topic = |bytes| {
                if version < 6 {
                    let (rest, name) = parse::string(bytes, flexible)?;
                    return Ok((rest, RequestTopic { name: Some(name), id: [0; 16] }));
                }
                let (rest, name) = parse::nullable_string(bytes, flexible)?;
                let (rest, id) = parse::uuid(rest)?;
                let (rest, ()) = tags(rest, flexible)?;
                Ok((rest, RequestTopic { name, id }))
            };
            let (rest, topics) = list(body, flexible, topic)?;
            let (rest, timeout_ms) = parse::int32(rest)?;
            let (rest, ()) = tags(rest, flexible)?;
            Ok((rest, Self { topics, timeout_ms }))
        }
    }

    /// A topic of an answer.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Topic {
        /// Its name; null only where an unknown id was asked for (version 6 on).
        pub name: Option<Vec<u8>>,
        /// Its id (version 6 on).
        pub id: [u8; 16],
        /// Why it was not removed, or success.
        pub error: ErrorCode,
        /// The same for people, or null (version 5 on).
        pub text: Option<String>,
    }

    /// An answer.
    #[derive(Clone, Default, PartialEq, Eq, Debug)]
    pub struct Answer {
        /// Milliseconds to wait.
        pub throttle_ms: i32,
        /// The topics.
        pub topics: Vec<Topic>,
    }

    impl Answer {
        /// Writes the body in `version`.
        pub fn write(&self, version: i16, out: &mut Vec<u8>) {
            let flexible = is_flexible(version);
            out.int32(self.throttle_ms);
            out.length_prefix(self.topics.len() as u32, flexible);
            for topic in &self.topics {
                if version >= 6 {
                    out.nullable_string(topic.name.as_deref(), flexible);
                    out.raw(&topic.id);
                } else {
                    out.string(topic.name.as_deref().unwrap_or(&[]), flexible);
                }
                out.int16(topic.error.0);
                if version >= 5 {
                    out.nullable_string(topic.text.as_deref().map(str::as_bytes), flexible);
                }
                out.no_tags(flexible);
            }
            out.no_tags(flexible);
        }
    }
}
