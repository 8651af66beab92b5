//! CreateTopics (key 19), with assignments by hand, and to check only.

use ottla::error::Fault;
use ottla::message::create_topics as codec;
use ottla::message::{AnyApi, Api};
use ottla::wire::input::Input;
use ottla::wire::write::Put;

use super::{Verdict, each_item, topic_result};
use crate::change::NewTopic;
use crate::connection::{Ask, Told};

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
        let (mut cursor, mut told) = (codec::Answer::default(), Told::default());
        each_item!(cursor.next(version, input), item => topic_result(&mut told, item));
        Ok(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_reads_what_was_meant_in_every_version() {
        let chosen = NewTopic::new("a").partitions(3).replication_factor(2).config("k", "v");
        let assigned = NewTopic::new("b").assigned(&[1, 2]).assigned(&[2, 3]);
        let topics = vec![&chosen, &assigned];
        let ask = CreateTopics { topics, validate_only: true };
        assert_eq!(ask.versions().min, 2);
        for version in 2..=7 {
            let mut body = Vec::new();
            ask.write(version, 900, &mut body);
            let read = codec::broker::Request::read(&body, version).unwrap();
            assert_eq!((read.timeout_ms, read.validate_only), (900, true));
            let [a, b] = &read.topics[..] else { panic!("{read:?}") };
            assert_eq!((a.name, a.partitions, a.replication), (&b"a"[..], 3, 2));
            assert_eq!(a.configs, [(&b"k"[..], Some(&b"v"[..]))]);
            assert_eq!((b.name, b.partitions, b.replication), (&b"b"[..], -1, -1));
            assert_eq!(b.assignments, [(0, vec![1, 2]), (1, vec![2, 3])]);
        }
        let open = NewTopic::new("c");
        let ask = CreateTopics { topics: vec![&chosen, &open], validate_only: false };
        assert_eq!(ask.versions().min, 4);
    }
}
