//! CreateTopics (key 19). KIP-4, KIP-464 (defaults), KIP-525 (what was made is told).

pub use super::topic_results::Item;

use super::topic_results::{Layout, Results};
use super::{Api, NEVER, Step};
use crate::error::Fault;
use crate::wire::input::Input;
use crate::wire::write::Put;

/// A topic to make.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct NewTopic<'a> {
    /// Its name.
    pub name: &'a str,
    /// Number of partitions; -1 for the broker's default (version 4 on).
    pub partitions: i32,
    /// Number of replicas; -1 for the broker's default (version 4 on).
    pub replication: i16,
    /// Configuration by name.
    pub configs: &'a [(&'a str, &'a str)],
}

/// Writes the body of a request.
pub fn request(out: &mut impl Put, version: i16, topics: &[NewTopic<'_>], timeout_ms: i32) {
    let flexible = Api::CreateTopics.is_flexible(version);
    out.length_prefix(topics.len() as u32, flexible);
    for topic in topics {
        out.string(topic.name.as_bytes(), flexible);
        out.int32(topic.partitions);
        out.int16(topic.replication);
        out.length_prefix(0, flexible);
        out.length_prefix(topic.configs.len() as u32, flexible);
        for (name, value) in topic.configs {
            out.string(name.as_bytes(), flexible);
            out.nullable_string(Some(value.as_bytes()), flexible);
            out.no_tags(flexible);
        }
        out.no_tags(flexible);
    }
    out.int32(timeout_ms);
    out.boolean(false);
    out.no_tags(flexible);
}

/// Decodes an answer as a stream.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Answer(Results);

const LAYOUT: Layout =
    Layout { throttles: 3, ids: 7, null_names: NEVER, texts: 0, details: 5, least: 6 };

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
        self.0.next(LAYOUT, version, Api::CreateTopics.is_flexible(version), input)
    }
}

/// The broker's direction.
#[cfg(any(test, feature = "broker"))]
pub mod broker {
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::super::broker::{array, tags, whole};
    use super::Api;
    use crate::error::Fault;
    use crate::message::ErrorCode;
    use crate::wire::parse::{self, Parsed};
    use crate::wire::write::Put;

    /// A topic of a request.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct RequestTopic<'a> {
        /// Its name.
        pub name: &'a [u8],
        /// Number of partitions, or -1.
        pub partitions: i32,
        /// Number of replicas, or -1.
        pub replication: i16,
        /// Partition and its replicas, where they are assigned by hand.
        pub assignments: Vec<(i32, Vec<i32>)>,
        /// Configuration by name.
        pub configs: Vec<(&'a [u8], Option<&'a [u8]>)>,
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
            let flexible = Api::CreateTopics.is_flexible(version);
            let assignment = |bytes| {
                let (rest, index) = parse::int32(bytes)?;
                let (rest, brokers) = array(rest, flexible, parse::int32)?;
                let (rest, ()) = tags(rest, flexible)?;
                Ok((rest, (index, brokers.unwrap_or_default())))
            };
            let config = |bytes| {
                let (rest, name) = parse::string(bytes, flexible)?;
                let (rest, value) = parse::nullable_string(rest, flexible)?;
                let (rest, ()) = tags(rest, flexible)?;
                Ok((rest, (name, value)))
            };
            let topic = |bytes| {
                let (rest, name) = parse::string(bytes, flexible)?;
                let (rest, partitions) = parse::int32(rest)?;
                let (rest, replication) = parse::int16(rest)?;
                let (rest, assignments) = array(rest, flexible, assignment)?;
                let (rest, configs) = array(rest, flexible, config)?;
                let (rest, ()) = tags(rest, flexible)?;
                let assignments = assignments.unwrap_or_default();
                let configs = configs.unwrap_or_default();
                Ok((rest, RequestTopic { name, partitions, replication, assignments, configs }))
            };
            let (rest, topics) = array(body, flexible, topic)?;
            let (rest, timeout_ms) = parse::int32(rest)?;
            let (rest, validate_only) = parse::boolean(rest)?;
            let (rest, ()) = tags(rest, flexible)?;
            let topics = topics.unwrap_or_default();
            Ok((rest, Self { topics, timeout_ms, validate_only }))
        }
    }

    /// A setting of a topic that was made.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Setting {
        /// Its name.
        pub name: String,
        /// Its value, or null.
        pub value: Option<String>,
        /// Nobody can change it.
        pub read_only: bool,
        /// Where its value comes from: 1 topic, 2 to 4 broker, 5 default.
        pub source: i8,
        /// Its value is a secret.
        pub sensitive: bool,
    }

    /// A topic of an answer.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Topic {
        /// Its name.
        pub name: Vec<u8>,
        /// Its id (version 7 on).
        pub id: [u8; 16],
        /// Why it was not made, or success.
        pub error: ErrorCode,
        /// The same for people, or null.
        pub text: Option<String>,
        /// Number of partitions made (version 5 on).
        pub partitions: i32,
        /// Number of replicas made (version 5 on).
        pub replication: i16,
        /// Its settings (version 5 on).
        pub settings: Vec<Setting>,
    }

    /// Writes the body of an answer.
    pub fn write(topics: &[Topic], version: i16, out: &mut Vec<u8>) {
        let flexible = Api::CreateTopics.is_flexible(version);
        out.int32(0);
        out.length_prefix(topics.len() as u32, flexible);
        for topic in topics {
            out.string(&topic.name, flexible);
            if version >= 7 {
                out.raw(&topic.id);
            }
            out.int16(topic.error.0);
            out.nullable_string(topic.text.as_deref().map(str::as_bytes), flexible);
            if version >= 5 {
                out.int32(topic.partitions);
                out.int16(topic.replication);
                out.length_prefix(topic.settings.len() as u32, flexible);
                for setting in &topic.settings {
                    out.string(setting.name.as_bytes(), flexible);
                    out.nullable_string(setting.value.as_deref().map(str::as_bytes), flexible);
                    out.boolean(setting.read_only);
                    out.int8(setting.source);
                    out.boolean(setting.sensitive);
                    out.no_tags(flexible);
                }
            }
            out.no_tags(flexible);
        }
        out.no_tags(flexible);
    }
}
