//! CreatePartitions (key 37): gives topics more partitions. KIP-195, KIP-599 (quotas).

pub use super::topic_results::Item;

use super::topic_results::{Layout, Results};
use super::{AdminApi, NEVER, Step};
use crate::error::Fault;
use crate::wire::input::Input;
use crate::wire::write::Put;

const fn is_flexible(version: i16) -> bool {
    AdminApi::CreatePartitions.is_flexible(version)
}

/// Writes the start of a request for `count` topics.
pub fn request_start(out: &mut impl Put, version: i16, count: u32) {
    out.length_prefix(count, is_flexible(version));
}

/// Writes one topic of a request, and how many partitions it is to have with those that it has.
///
/// `assignments`: the brokers of each new partition, the preferred leader first; `None` has the
/// brokers chosen.
pub fn request_topic(
    out: &mut impl Put,
    version: i16,
    name: &[u8],
    total: i32,
    assignments: Option<&[&[i32]]>,
) {
    let flexible = is_flexible(version);
    out.string(name, flexible);
    out.int32(total);
    match assignments {
        Some(assignments) => {
            out.length_prefix(assignments.len() as u32, flexible);
            for brokers in assignments {
                out.length_prefix(brokers.len() as u32, flexible);
                for broker in *brokers {
                    out.int32(*broker);
                }
                out.no_tags(flexible);
            }
        }
        None if flexible => out.uvarint(0),
        None => out.int32(-1),
    }
    out.no_tags(flexible);
}

/// Writes the end of a request: how many milliseconds the broker may take, and whether it only
/// checks.
pub fn request_end(out: &mut impl Put, version: i16, timeout_ms: i32, validate_only: bool) {
    out.int32(timeout_ms);
    out.boolean(validate_only);
    out.no_tags(is_flexible(version));
}

/// Decodes an answer as a stream.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Answer(Results);

const LAYOUT: Layout =
    Layout { throttles: 1, ids: NEVER, null_names: NEVER, texts: 0, details: NEVER, least: 5 };

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

    use super::super::broker::{array, list, tags, whole};
    use super::is_flexible;
    use crate::error::Fault;
    use crate::message::ErrorCode;
    use crate::wire::parse::{self, Parsed};
    use crate::wire::write::Put;

    /// A topic of a request.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct RequestTopic<'a> {
        /// Its name.
        pub name: &'a [u8],
        /// How many partitions it is to have, with those that it has.
        pub total: i32,
        /// The brokers of each new partition, or null to have them chosen.
        pub assignments: Option<Vec<Vec<i32>>>,
    }

    /// A request.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Request<'a> {
        /// The topics.
        pub topics: Vec<RequestTopic<'a>>,
        /// How long the client waits.
        pub timeout_ms: i32,
        /// Check only.
        pub validate_only: bool,
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
            let assignment = |bytes| {
                let (rest, brokers) = list(bytes, flexible, parse::int32)?;
                let (rest, ()) = tags(rest, flexible)?;
                Ok((rest, brokers))
            };
            let topic = |bytes| {
                let (rest, name) = parse::string(bytes, flexible)?;
                let (rest, total) = parse::int32(rest)?;
                let (rest, assignments) = array(rest, flexible, assignment)?;
                let (rest, ()) = tags(rest, flexible)?;
                Ok((rest, RequestTopic { name, total, assignments }))
            };
            let (rest, topics) = list(body, flexible, topic)?;
            let (rest, timeout_ms) = parse::int32(rest)?;
            let (rest, validate_only) = parse::boolean(rest)?;
            let (rest, ()) = tags(rest, flexible)?;
            Ok((rest, Self { topics, timeout_ms, validate_only }))
        }
    }

    /// A topic of an answer.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Topic {
        /// Its name.
        pub name: Vec<u8>,
        /// Why it does not have the partitions, or success.
        pub error: ErrorCode,
        /// The same for people, or null.
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
                out.string(&topic.name, flexible);
                out.int16(topic.error.0);
                out.nullable_string(topic.text.as_deref().map(str::as_bytes), flexible);
                out.no_tags(flexible);
            }
            out.no_tags(flexible);
        }
    }
}
