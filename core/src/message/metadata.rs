//! Metadata (key 3): brokers, topics, partitions and their leaders.
//!
//! A request is written in pieces, one per topic, so that any number of topics fits a small
//! buffer; an answer is decoded as a stream.

use super::{Api, ErrorCode, Step, need};
use crate::error::Fault;
use crate::wire::input::Input;
use crate::wire::parse;
use crate::wire::write::Put;

/// Writes the start of a request for `count` topics.
pub fn request_start(out: &mut impl Put, version: i16, count: u32) {
    out.length_prefix(count, Api::Metadata.is_flexible(version));
}

/// Writes one topic of a request.
pub fn request_topic(out: &mut impl Put, version: i16, name: &[u8]) {
    request_topic_start(out, version, name.len() as u32);
    out.raw(name);
    request_topic_end(out, version);
}

/// What stands before a topic's name.
pub(crate) fn request_topic_start(out: &mut impl Put, version: i16, name: u32) {
    if version >= 10 {
        out.raw(&[0; 16]);
    }
    // From version 10 on the name may be null, which has the same encoding otherwise.
    out.string_length(name, Api::Metadata.is_flexible(version));
}

/// What stands behind a topic's name.
pub(crate) fn request_topic_end(out: &mut impl Put, version: i16) {
    out.no_tags(Api::Metadata.is_flexible(version));
}

/// Writes the end of a request. `create`: the broker may create topics that it does not have.
pub fn request_end(out: &mut impl Put, version: i16, create: bool) {
    if version >= 4 {
        out.boolean(create);
    }
    if (8..=10).contains(&version) {
        out.boolean(false);
    }
    if version >= 8 {
        out.boolean(false);
    }
    out.no_tags(Api::Metadata.is_flexible(version));
}

/// What an answer holds, in order of appearance: brokers, then topics with their partitions.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Item<'a> {
    /// Wait this many milliseconds before the next request (version 6 on).
    Throttle(i32),
    /// A broker and where it is reached.
    Broker {
        /// Its id.
        id: i32,
        /// Its host name or address.
        host: &'a [u8],
        /// Its port.
        port: i32,
    },
    /// A topic; its partitions follow.
    Topic {
        /// Why it cannot be used, or success.
        error: ErrorCode,
        /// Its name; empty if null.
        name: &'a [u8],
        /// Its id, all zero below version 10.
        id: [u8; 16],
    },
    /// How many partitions the last topic has.
    PartitionCount(u32),
    /// A partition of the last topic.
    Partition {
        /// Error of the partition, or success.
        error: ErrorCode,
        /// Its number.
        index: i32,
        /// The broker that leads it, or -1.
        leader: i32,
        /// Epoch of that leader, -1 below version 7.
        leader_epoch: i32,
    },
    /// Error of the whole answer (version 13 on).
    Error(ErrorCode),
}

#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
enum Stage {
    #[default]
    Throttle,
    BrokerCount,
    Broker,
    Rack,
    BrokerTags,
    ClusterId,
    Controller,
    TopicCount,
    Topic,
    PartitionCount,
    Partition,
    Replicas,
    PartitionTags,
    TopicOperations,
    TopicTags,
    ClusterOperations,
    Error,
    Tags,
}

/// Decodes an answer as a stream.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Answer {
    stage: Stage,
    /// Brokers, later topics, still to come.
    left: u32,
    partitions: u32,
    /// Lists of replicas still to come for the partition at hand.
    lists: u8,
}

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
        let flexible = Api::Metadata.is_flexible(version);
        loop {
            match self.stage {
                Stage::Throttle if version < 3 => self.stage = Stage::BrokerCount,
                Stage::Throttle => {
                    let throttle = need!(input.atom(parse::int32)?);
                    self.stage = Stage::BrokerCount;
                    if version >= 6 && throttle > 0 {
                        return Ok(Step::Item(Item::Throttle(throttle)));
                    }
                }
                Stage::BrokerCount => {
                    self.left = need!(input.array(10, flexible)?);
                    self.stage = Stage::Broker;
                }
                Stage::Broker if self.left == 0 => self.stage = Stage::ClusterId,
                Stage::Broker => {
                    let broker = move |bytes| {
                        let (rest, id) = parse::int32(bytes)?;
                        let (rest, host) = parse::string(rest, flexible)?;
                        let (rest, port) = parse::int32(rest)?;
                        Ok((rest, Item::Broker { id, host, port }))
                    };
                    return match input.atom(broker)? {
                        Some(item) => {
                            self.left = self.left.saturating_sub(1);
                            self.stage = Stage::Rack;
                            Ok(Step::Item(item))
                        }
                        None => Ok(Step::More),
                    };
                }
                Stage::Rack => {
                    if version >= 1 {
                        need!(pass_string(input, flexible)?);
                    }
                    self.stage = Stage::BrokerTags;
                }
                Stage::BrokerTags => {
                    if !input.no_tags(flexible)? {
                        return Ok(Step::More);
                    }
                    self.stage = Stage::Broker;
                }
                Stage::ClusterId => {
                    if version >= 2 {
                        need!(pass_string(input, flexible)?);
                    }
                    self.stage = Stage::Controller;
                }
                Stage::Controller => {
                    if version >= 1 {
                        need!(input.atom(parse::int32)?);
                    }
                    self.stage = Stage::TopicCount;
                }
                Stage::TopicCount => {
                    self.left = need!(input.array(8, flexible)?);
                    self.stage = Stage::Topic;
                }
                Stage::Topic if self.left == 0 => self.stage = Stage::ClusterOperations,
                Stage::Topic => {
                    let topic = move |bytes| {
                        let (rest, error) = parse::int16(bytes)?;
                        let (rest, name) = parse::nullable_string(rest, flexible)?;
                        let (rest, id) =
                            if version >= 10 { parse::uuid(rest)? } else { (rest, [0; 16]) };
                        let (rest, _) =
                            if version >= 1 { parse::boolean(rest)? } else { (rest, false) };
                        let name = name.unwrap_or(&[]);
                        Ok((rest, Item::Topic { error: ErrorCode(error), name, id }))
                    };
                    return match input.atom(topic)? {
                        Some(item) => {
                            self.left = self.left.saturating_sub(1);
                            self.stage = Stage::PartitionCount;
                            Ok(Step::Item(item))
                        }
                        None => Ok(Step::More),
                    };
                }
                Stage::PartitionCount => {
                    self.partitions = need!(input.array(18, flexible)?);
                    self.stage = Stage::Partition;
                    return Ok(Step::Item(Item::PartitionCount(self.partitions)));
                }
                Stage::Partition if self.partitions == 0 => self.stage = Stage::TopicOperations,
                Stage::Partition => {
                    let partition = move |bytes| {
                        let (rest, error) = parse::int16(bytes)?;
                        let (rest, index) = parse::int32(rest)?;
                        let (rest, leader) = parse::int32(rest)?;
                        let (rest, leader_epoch) =
                            if version >= 7 { parse::int32(rest)? } else { (rest, -1) };
                        let error = ErrorCode(error);
                        Ok((rest, Item::Partition { error, index, leader, leader_epoch }))
                    };
                    let item = need!(input.atom(partition)?);
                    self.partitions = self.partitions.saturating_sub(1);
                    self.lists = if version >= 5 { 3 } else { 2 };
                    self.stage = Stage::Replicas;
                    return Ok(Step::Item(item));
                }
                Stage::Replicas if self.lists == 0 => self.stage = Stage::PartitionTags,
                Stage::Replicas => {
                    let count = need!(input.array(4, flexible)?);
                    input.skip(count.saturating_mul(4))?;
                    self.lists = self.lists.saturating_sub(1);
                }
                Stage::PartitionTags => {
                    if !input.no_tags(flexible)? {
                        return Ok(Step::More);
                    }
                    self.stage = Stage::Partition;
                }
                Stage::TopicOperations => {
                    if version >= 8 {
                        need!(input.atom(parse::int32)?);
                    }
                    self.stage = Stage::TopicTags;
                }
                Stage::TopicTags => {
                    if !input.no_tags(flexible)? {
                        return Ok(Step::More);
                    }
                    self.stage = Stage::Topic;
                }
                Stage::ClusterOperations => {
                    if (8..=10).contains(&version) {
                        need!(input.atom(parse::int32)?);
                    }
                    self.stage = Stage::Error;
                }
                Stage::Error => {
                    self.stage = Stage::Tags;
                    if version >= 13 {
                        let code = match input.atom(parse::int16)? {
                            Some(code) => ErrorCode(code),
                            None => {
                                self.stage = Stage::Error;
                                return Ok(Step::More);
                            }
                        };
                        return Ok(Step::Item(Item::Error(code)));
                    }
                }
                Stage::Tags => {
                    return Ok(if input.no_tags(flexible)? { Step::End } else { Step::More });
                }
            }
        }
    }
}

/// Lets a nullable string pass without keeping it.
pub(super) fn pass_string(input: &mut Input<'_>, flexible: bool) -> Result<Option<()>, Fault> {
    match input.atom(move |bytes| parse::string_length(bytes, flexible))? {
        Some(length) => input.skip(length.unwrap_or(0)).map(Some),
        None => Ok(None),
    }
}

/// The broker's direction.
#[cfg(any(test, feature = "broker"))]
pub mod broker {
    use alloc::vec::Vec;

    use super::super::broker::{array, tags, whole};
    use super::{Api, ErrorCode};
    use crate::error::Fault;
    use crate::wire::parse::{self, Parsed};
    use crate::wire::write::Put;

    /// A topic that is asked for, by name or (version 10 on) by id.
    #[derive(Copy, Clone, Default, PartialEq, Eq, Debug)]
    pub struct RequestTopic<'a> {
        /// Id, or all zero.
        pub id: [u8; 16],
        /// Name, or null.
        pub name: Option<&'a [u8]>,
    }

    /// A request.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Request<'a> {
        /// The topics; null is all. Version 0 says "all" by an empty list.
        pub topics: Option<Vec<RequestTopic<'a>>>,
        /// The broker may create topics (true below version 4).
        pub allow_auto_topic_creation: bool,
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
            let flexible = Api::Metadata.is_flexible(version);
            let topic = |bytes| {
                let (rest, id) = if version >= 10 { parse::uuid(bytes)? } else { (bytes, [0; 16]) };
                let (rest, name) = if version >= 10 {
                    parse::nullable_string(rest, flexible)?
                } else {
                    let (rest, name) = parse::string(rest, flexible)?;
                    (rest, Some(name))
                };
                let (rest, ()) = tags(rest, flexible)?;
                Ok((rest, RequestTopic { id, name }))
            };
            let (mut rest, mut topics) = array(body, flexible, topic)?;
            if version == 0 && topics.as_ref().is_some_and(Vec::is_empty) {
                topics = None;
            }
            let mut allow_auto_topic_creation = true;
            if version >= 4 {
                (rest, allow_auto_topic_creation) = parse::boolean(rest)?;
            }
            if (8..=10).contains(&version) {
                (rest, _) = parse::boolean(rest)?;
            }
            if version >= 8 {
                (rest, _) = parse::boolean(rest)?;
            }
            let (rest, ()) = tags(rest, flexible)?;
            Ok((rest, Self { topics, allow_auto_topic_creation }))
        }
    }

    /// A broker of an answer.
    #[derive(Clone, Default, PartialEq, Eq, Debug)]
    pub struct Broker<'a> {
        /// Id.
        pub id: i32,
        /// Host on which the asking client reaches it.
        pub host: &'a str,
        /// Port.
        pub port: i32,
        /// Rack, or null.
        pub rack: Option<&'a str>,
    }

    /// A partition of an answer.
    #[derive(Clone, Default, PartialEq, Eq, Debug)]
    pub struct Partition {
        /// Error of the partition.
        pub error: ErrorCode,
        /// Number.
        pub index: i32,
        /// Leader, or -1.
        pub leader: i32,
        /// Epoch of the leader (version 7 on).
        pub leader_epoch: i32,
        /// Brokers that hold it.
        pub replicas: Vec<i32>,
        /// Those in sync.
        pub in_sync: Vec<i32>,
        /// Those offline (version 5 on).
        pub offline: Vec<i32>,
    }

    /// A topic of an answer.
    #[derive(Clone, Default, PartialEq, Eq, Debug)]
    pub struct Topic<'a> {
        /// Error of the topic.
        pub error: ErrorCode,
        /// Name; null only where the topic was asked for by an unknown id.
        pub name: Option<&'a str>,
        /// Id (version 10 on).
        pub id: [u8; 16],
        /// Whether brokers keep their own data in it (version 1 on).
        pub internal: bool,
        /// Partitions.
        pub partitions: Vec<Partition>,
    }

    /// An answer.
    #[derive(Clone, Default, PartialEq, Eq, Debug)]
    pub struct Answer<'a> {
        /// Milliseconds to wait (version 3 on).
        pub throttle_ms: i32,
        /// All live brokers.
        pub brokers: Vec<Broker<'a>>,
        /// Id of the cluster (version 2 on).
        pub cluster_id: Option<&'a str>,
        /// Id of the controller (version 1 on).
        pub controller: i32,
        /// The topics asked for.
        pub topics: Vec<Topic<'a>>,
        /// Error of the whole answer (version 13 on).
        pub error: ErrorCode,
    }

    fn numbers(out: &mut Vec<u8>, list: &[i32], flexible: bool) {
        out.length_prefix(list.len() as u32, flexible);
        for number in list {
            out.int32(*number);
        }
    }

    impl Answer<'_> {
        /// Writes the body in `version`.
        pub fn write(&self, version: i16, out: &mut Vec<u8>) {
            let flexible = Api::Metadata.is_flexible(version);
            if version >= 3 {
                out.int32(self.throttle_ms);
            }
            out.length_prefix(self.brokers.len() as u32, flexible);
            for broker in &self.brokers {
                out.int32(broker.id);
                out.string(broker.host.as_bytes(), flexible);
                out.int32(broker.port);
                if version >= 1 {
                    out.nullable_string(broker.rack.map(str::as_bytes), flexible);
                }
                out.no_tags(flexible);
            }
            if version >= 2 {
                out.nullable_string(self.cluster_id.map(str::as_bytes), flexible);
            }
            if version >= 1 {
                out.int32(self.controller);
            }
            out.length_prefix(self.topics.len() as u32, flexible);
            for topic in &self.topics {
                out.int16(topic.error.0);
                let name = topic.name.map(str::as_bytes);
                if version >= 12 {
                    out.nullable_string(name, flexible);
                } else {
                    out.string(name.unwrap_or(&[]), flexible);
                }
                if version >= 10 {
                    out.raw(&topic.id);
                }
                if version >= 1 {
                    out.boolean(topic.internal);
                }
                out.length_prefix(topic.partitions.len() as u32, flexible);
                for partition in &topic.partitions {
                    out.int16(partition.error.0);
                    out.int32(partition.index);
                    out.int32(partition.leader);
                    if version >= 7 {
                        out.int32(partition.leader_epoch);
                    }
                    numbers(out, &partition.replicas, flexible);
                    numbers(out, &partition.in_sync, flexible);
                    if version >= 5 {
                        numbers(out, &partition.offline, flexible);
                    }
                    out.no_tags(flexible);
                }
                if version >= 8 {
                    out.int32(i32::MIN);
                }
                out.no_tags(flexible);
            }
            if (8..=10).contains(&version) {
                out.int32(i32::MIN);
            }
            if version >= 13 {
                out.int16(self.error.0);
            }
            out.no_tags(flexible);
        }
    }
}
