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
