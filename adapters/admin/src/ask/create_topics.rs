//! CreateTopics (key 19), with assignments by hand, and to check only.

use ottla::error::Fault;
use ottla::message::create_topics::{self as codec, Item};
use ottla::message::{AnyApi, Api};
use ottla::wire::input::Input;
use ottla::wire::write::Put;

use super::{Verdict, each_item};
use crate::change::NewTopic;
use crate::connection::{Ask, Told};
use crate::reading::lossy;
use crate::view::TopicId;

/// Makes topics.
#[derive(Debug)]
pub(crate) struct CreateTopics<'a> {
    pub(crate) topics: Vec<&'a NewTopic>,
    pub(crate) validate_only: bool,
}

/// The version from which on numbers may be left to the broker (KIP-464).
const DEFAULTS: i16 = 4;

impl Ask for CreateTopics<'_> {
    const API: AnyApi = AnyApi::Client(Api::CreateTopics);
    type Answer = Vec<Verdict>;

    fn versions(&self) -> ottla::message::Versions {
        let mut versions = Self::API.versions();
        if self.topics.iter().any(|topic| topic.leaves_numbers()) {
            versions.min = versions.min.max(DEFAULTS);
        }
        versions
    }

    fn hint(&self) -> &'static str {
        "before Kafka 2.4 the number of partitions and the replication factor have to be given"
    }

    fn write(&self, version: i16, wait_ms: i32, out: &mut Vec<u8>) {
        let flexible = Self::API.is_flexible(version);
        out.length_prefix(self.topics.len() as u32, flexible);
        for topic in &self.topics {
            out.string(topic.name.as_bytes(), flexible);
            out.int32(topic.partitions.unwrap_or(-1));
            out.int16(topic.replication_factor.unwrap_or(-1));
            out.length_prefix(topic.assignments.len() as u32, flexible);
            for (index, brokers) in (0..).zip(&topic.assignments) {
                out.int32(index);
                out.length_prefix(brokers.len() as u32, flexible);
                for broker in brokers {
                    out.int32(*broker);
                }
                out.no_tags(flexible);
            }
            out.length_prefix(topic.configs.len() as u32, flexible);
            for (name, value) in &topic.configs {
                out.string(name.as_bytes(), flexible);
                out.nullable_string(Some(value.as_bytes()), flexible);
                out.no_tags(flexible);
            }
            out.no_tags(flexible);
        }
        out.int32(wait_ms);
        out.boolean(self.validate_only);
        out.no_tags(flexible);
    }

    fn read(version: i16, input: &mut Input<'_>) -> Result<Told<Vec<Verdict>>, Fault> {
        let mut cursor = codec::Answer::default();
        let (mut throttle_ms, mut told) = (0, Vec::<Verdict>::new());
        each_item!(cursor.next(version, input),
            Item::Throttle(ms) => throttle_ms = ms,
            Item::Topic { name, id, error } => {
                let (name, id) = (lossy(name), TopicId::of(id));
                told.push(Verdict { name, error, text: String::new(), id });
            },
            Item::Text(part) => {
                if let Some(last) = told.last_mut() {
                    last.text.push_str(&lossy(part));
                }
            }
        );
        Ok(Told { answer: told, throttle_ms })
    }
}
