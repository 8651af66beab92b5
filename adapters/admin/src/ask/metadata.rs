//! Metadata (key 3) with all that it tells: the producer's decoder passes over racks, the
//! controller and lists of replicas, which people want to see.

use ottla::error::Fault;
use ottla::message::{AnyApi, Api, ErrorCode, metadata};
use ottla::wire::input::Input;
use ottla::wire::parse;
use ottla::wire::write::Put;

use crate::connection::{Ask, Told};
use crate::reading::{no_tags, nullable_text, numbers, text, whole};
use crate::view::{Broker, Cluster, Partition, Topic, TopicId};

/// Asks for the cluster, and for topics.
#[derive(Debug)]
pub(crate) struct Metadata<'a> {
    /// Names of the topics; `None` is all.
    pub(crate) topics: Option<&'a [&'a str]>,
}

/// What the answer says.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Everything {
    pub(crate) cluster: Cluster,
    pub(crate) topics: Vec<Topic>,
    /// The error of the whole answer (version 13 on).
    pub(crate) error: ErrorCode,
}

impl Ask for Metadata<'_> {
    const API: AnyApi = AnyApi::Client(Api::Metadata);
    type Answer = Everything;

    fn write(&self, version: i16, _: i32, out: &mut Vec<u8>) {
        match self.topics {
            Some(topics) => {
                metadata::request_start(out, version, topics.len() as u32);
                for name in topics {
                    metadata::request_topic(out, version, name.as_bytes());
                }
            }
            None if Self::API.is_flexible(version) => out.uvarint(0),
            None => out.int32(-1),
        }
        metadata::request_end(out, version, false);
    }

    fn read(version: i16, input: &mut Input<'_>) -> Result<Told<Everything>, Fault> {
        let flexible = Self::API.is_flexible(version);
        let throttle_ms = whole(input.atom(parse::int32)?)?;
        let count = whole(input.array(10, flexible)?)?;
        let brokers = (0..count).map(|_| broker(version, input)).collect::<Result<_, _>>()?;
        let id = nullable_text(input, flexible)?;
        let controller = whole(input.atom(parse::int32)?)?;
        let count = whole(input.array(8, flexible)?)?;
        let topics = (0..count).map(|_| topic(version, input)).collect::<Result<_, _>>()?;
        if (8..=10).contains(&version) {
            whole(input.atom(parse::int32)?)?;
        }
        let mut error = ErrorCode::NONE;
        if version >= 13 {
            error = ErrorCode(whole(input.atom(parse::int16)?)?);
        }
        no_tags(input, flexible)?;
        let mut cluster = Cluster { id, controller: place(controller), brokers };
        cluster.brokers.sort_by_key(|broker| broker.id);
        // From version 6 on the client waits; before, the broker has.
        let throttle_ms = if version >= 6 { throttle_ms } else { 0 };
        Ok(Told { answer: Everything { cluster, topics, error }, throttle_ms })
    }
}

/// A broker's id, where -1 is none.
pub(crate) fn place(id: i32) -> Option<i32> {
    (id >= 0).then_some(id)
}

fn broker(version: i16, input: &mut Input<'_>) -> Result<Broker, Fault> {
    let flexible = Metadata::API.is_flexible(version);
    let id = whole(input.atom(parse::int32)?)?;
    let host = text(input, flexible)?;
    let port = whole(input.atom(parse::int32)?)?;
    let rack = nullable_text(input, flexible)?;
    no_tags(input, flexible)?;
    Ok(Broker { id, host, port, rack })
}

fn topic(version: i16, input: &mut Input<'_>) -> Result<Topic, Fault> {
    let flexible = Metadata::API.is_flexible(version);
    let error = ErrorCode(whole(input.atom(parse::int16)?)?);
    let name = nullable_text(input, flexible)?.unwrap_or_default();
    let mut id = None;
    if version >= 10 {
        id = TopicId::of(whole(input.atom(parse::uuid)?)?);
    }
    let internal = whole(input.atom(parse::boolean)?)?;
    let count = whole(input.array(18, flexible)?)?;
    let partitions = (0..count).map(|_| partition(version, input));
    let mut partitions = partitions.collect::<Result<Vec<_>, _>>()?;
    partitions.sort_by_key(|partition| partition.index);
    if version >= 8 {
        whole(input.atom(parse::int32)?)?;
    }
    no_tags(input, flexible)?;
    Ok(Topic { name, id, internal, error, partitions })
}

fn partition(version: i16, input: &mut Input<'_>) -> Result<Partition, Fault> {
    let flexible = Metadata::API.is_flexible(version);
    let error = ErrorCode(whole(input.atom(parse::int16)?)?);
    let index = whole(input.atom(parse::int32)?)?;
    let leader = place(whole(input.atom(parse::int32)?)?);
    let mut leader_epoch = None;
    if version >= 7 {
        leader_epoch = place(whole(input.atom(parse::int32)?)?);
    }
    let replicas = numbers(input, flexible)?;
    let in_sync = numbers(input, flexible)?;
    let offline = if version >= 5 { numbers(input, flexible)? } else { Vec::new() };
    no_tags(input, flexible)?;
    Ok(Partition { index, error, leader, leader_epoch, replicas, in_sync, offline })
}

#[cfg(test)]
mod tests {
    use ottla::message::metadata::broker as codec;

    use super::*;
    use crate::ask::read_body;

    fn sent() -> codec::Answer<'static> {
        let broker = |id, host, rack| codec::Broker { id, host, port: 9_092, rack };
        let partition = codec::Partition {
            error: ErrorCode(5),
            index: 1,
            leader: -1,
            leader_epoch: 7,
            replicas: vec![1, 2, 3],
            in_sync: vec![2],
            offline: vec![3],
        };
        let first = codec::Partition { index: 0, leader: 2, ..codec::Partition::default() };
        let long = "rack-".repeat(100).leak();
        codec::Answer {
            throttle_ms: 250,
            brokers: vec![broker(2, "b", Some(&*long)), broker(1, "a", None)],
            cluster_id: Some("cluster"),
            controller: 2,
            topics: vec![
                codec::Topic {
                    error: ErrorCode::NONE,
                    name: Some("__consumer_offsets"),
                    id: [9; 16],
                    internal: true,
                    partitions: vec![partition, first],
                },
                codec::Topic { error: ErrorCode(3), name: Some("t"), ..codec::Topic::default() },
            ],
            error: ErrorCode(129),
        }
    }

    #[test]
    fn all_that_is_told_is_read_in_every_version() {
        for version in 4..=13 {
            let mut body = Vec::new();
            sent().write(version, &mut body);
            let told = read_body::<Metadata<'_>>(version, &body).unwrap();
            assert_eq!(told.throttle_ms, if version >= 6 { 250 } else { 0 }, "{version}");
            let Everything { cluster, topics, error } = told.answer;
            assert_eq!(error.0, if version >= 13 { 129 } else { 0 });
            assert_eq!((cluster.id.as_deref(), cluster.controller), (Some("cluster"), Some(2)));
            let brokers: Vec<_> = cluster.brokers.iter().map(Broker::address).collect();
            assert_eq!(brokers, ["a:9092", "b:9092"]);
            let racks = cluster.brokers.iter().map(|b| b.rack.as_ref().map(String::len));
            assert!(racks.eq([None, Some(500)]));
            let [offsets, unknown] = &topics[..] else { panic!("{topics:?}") };
            assert_eq!(offsets.id, (version >= 10).then_some(TopicId([9; 16])));
            assert!(offsets.internal && offsets.error.is_success());
            assert_eq!((unknown.error.0, unknown.id), (3, None));
            let [first, second] = &offsets.partitions[..] else { panic!("{offsets:?}") };
            assert_eq!((first.index, first.leader), (0, Some(2)));
            assert_eq!((second.index, second.leader, second.error.0), (1, None, 5));
            assert_eq!(second.leader_epoch, (version >= 7).then_some(7));
            assert_eq!((&second.replicas[..], &second.in_sync[..]), (&[1, 2, 3][..], &[2][..]));
            assert_eq!(second.offline, if version >= 5 { vec![3] } else { Vec::new() });
        }
    }

    #[test]
    fn an_answer_that_ends_early_is_told() {
        for version in 4..=13 {
            let mut body = Vec::new();
            sent().write(version, &mut body);
            for length in 0..body.len() {
                let fault = read_body::<Metadata<'_>>(version, &body[..length]).unwrap_err();
                let told = matches!(fault, Fault::Truncated | Fault::CountTooLarge);
                assert!(told, "{version}, {length} bytes: {fault}");
            }
        }
    }

    #[test]
    fn all_topics_some_or_none_are_asked_for() {
        for version in 4..=13 {
            for topics in [None, Some(&[][..]), Some(&["a", "b"][..])] {
                let mut body = Vec::new();
                Metadata { topics }.write(version, 0, &mut body);
                let read = codec::Request::read(&body, version).unwrap();
                let names = read.topics.map(|topics| {
                    topics.iter().map(|topic| topic.name.unwrap_or_default()).collect::<Vec<_>>()
                });
                let expected = topics.map(|names| names.iter().map(|n| n.as_bytes()).collect());
                assert_eq!(names, expected, "version {version}");
                assert!(!read.allow_auto_topic_creation);
            }
        }
    }
}
