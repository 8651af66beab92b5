//! DescribeTopicPartitions (key 75): topics in the order of their names, page by page. KIP-966.
//! There is one version, 0, which is flexible.

use super::{ErrorCode, Step, need};
use crate::error::Fault;
use crate::wire::input::Input;
use crate::wire::parse;
use crate::wire::write::Put;

/// Writes the start of a request for `count` topics; none is all.
pub fn request_start(out: &mut impl Put, count: u32) {
    out.length_prefix(count, true);
}

/// Writes one topic of a request.
pub fn request_topic(out: &mut impl Put, name: &[u8]) {
    out.string(name, true);
    out.no_tags(true);
}

/// Writes the end of a request for at most `partitions` partitions, from the topic and partition
/// of `from` on, which is the [`Item::Next`] of the page before.
pub fn request_end(out: &mut impl Put, partitions: i32, from: Option<(&[u8], i32)>) {
    out.int32(partitions);
    write_cursor(out, from);
    out.no_tags(true);
}

/// A structure that may be null: a byte before it says which.
fn write_cursor(out: &mut impl Put, place: Option<(&[u8], i32)>) {
    match place {
        None => out.int8(-1),
        Some((name, partition)) => {
            out.int8(1);
            out.string(name, true);
            out.int32(partition);
            out.no_tags(true);
        }
    }
}

/// What an answer holds, in order of appearance.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Item<'a> {
    /// Wait this many milliseconds before the next request.
    Throttle(i32),
    /// A topic; its partitions follow.
    Topic {
        /// Why it cannot be used, or success.
        error: ErrorCode,
        /// Its name; empty if null.
        name: &'a [u8],
        /// Its id.
        id: [u8; 16],
    },
    /// A partition of the last topic.
    Partition {
        /// Error of the partition, or success.
        error: ErrorCode,
        /// Its number.
        index: i32,
        /// Its leader, or -1.
        leader: i32,
        /// Epoch of the leader.
        leader_epoch: i32,
    },
    /// Where the next page begins; without it this was the last.
    Next {
        /// Name of its first topic.
        topic: &'a [u8],
        /// First partition of it.
        partition: i32,
    },
}

#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
enum Stage {
    #[default]
    Throttle,
    TopicCount,
    Topic,
    PartitionCount,
    Partition,
    Lists,
    PartitionTags,
    Operations,
    TopicTags,
    IsNext,
    Next,
    NextTags,
    Tags,
}

/// Lists of brokers of a partition: replicas, in sync, eligible leaders, last known eligible
/// leaders, offline.
const LISTS: u8 = 5;

/// Decodes an answer as a stream.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Answer {
    stage: Stage,
    topics: u32,
    partitions: u32,
    /// Lists still to come for the partition at hand.
    lists: u8,
}

impl Answer {
    /// The next item of an answer.
    ///
    /// # Errors
    /// What the broker did wrong.
    pub fn next<'s>(&mut self, input: &'s mut Input<'_>) -> Result<Step<Item<'s>>, Fault> {
        loop {
            match self.stage {
                Stage::Throttle => {
                    let throttle = need!(input.atom(parse::int32)?);
                    self.stage = Stage::TopicCount;
                    if throttle > 0 {
                        return Ok(Step::Item(Item::Throttle(throttle)));
                    }
                }
                Stage::TopicCount => {
                    self.topics = need!(input.array(26, true)?);
                    self.stage = Stage::Topic;
                }
                Stage::Topic if self.topics == 0 => self.stage = Stage::IsNext,
                Stage::Topic => {
                    let topic = |bytes| {
                        let (rest, error) = parse::int16(bytes)?;
                        let (rest, name) = parse::nullable_string(rest, true)?;
                        let (rest, id) = parse::uuid(rest)?;
                        let (rest, _) = parse::boolean(rest)?;
                        let name = name.unwrap_or(&[]);
                        Ok((rest, Item::Topic { error: ErrorCode(error), name, id }))
                    };
                    return match input.atom(topic)? {
                        Some(item) => {
                            self.topics = self.topics.saturating_sub(1);
                            self.stage = Stage::PartitionCount;
                            Ok(Step::Item(item))
                        }
                        None => Ok(Step::More),
                    };
                }
                Stage::PartitionCount => {
                    self.partitions = need!(input.array(20, true)?);
                    self.stage = Stage::Partition;
                }
                Stage::Partition if self.partitions == 0 => self.stage = Stage::Operations,
                Stage::Partition => {
                    let partition = |bytes| {
                        let (rest, error) = parse::int16(bytes)?;
                        let (rest, index) = parse::int32(rest)?;
                        let (rest, leader) = parse::int32(rest)?;
                        let (rest, leader_epoch) = parse::int32(rest)?;
                        let error = ErrorCode(error);
                        Ok((rest, Item::Partition { error, index, leader, leader_epoch }))
                    };
                    let item = need!(input.atom(partition)?);
                    self.partitions = self.partitions.saturating_sub(1);
                    self.lists = LISTS;
                    self.stage = Stage::Lists;
                    return Ok(Step::Item(item));
                }
                Stage::Lists if self.lists == 0 => self.stage = Stage::PartitionTags,
                Stage::Lists => {
                    let count = need!(input.array(4, true)?);
                    input.skip(count.saturating_mul(4))?;
                    self.lists = self.lists.saturating_sub(1);
                }
                Stage::PartitionTags => {
                    if !input.no_tags(true)? {
                        return Ok(Step::More);
                    }
                    self.stage = Stage::Partition;
                }
                Stage::Operations => {
                    need!(input.atom(parse::int32)?);
                    self.stage = Stage::TopicTags;
                }
                Stage::TopicTags => {
                    if !input.no_tags(true)? {
                        return Ok(Step::More);
                    }
                    self.stage = Stage::Topic;
                }
                Stage::IsNext => {
                    let is_next = need!(input.atom(parse::int8)?) >= 0;
                    self.stage = if is_next { Stage::Next } else { Stage::Tags };
                }
                Stage::Next => {
                    let next = |bytes| {
                        let (rest, topic) = parse::string(bytes, true)?;
                        let (rest, partition) = parse::int32(rest)?;
                        Ok((rest, Item::Next { topic, partition }))
                    };
                    return match input.atom(next)? {
                        Some(item) => {
                            self.stage = Stage::NextTags;
                            Ok(Step::Item(item))
                        }
                        None => Ok(Step::More),
                    };
                }
                Stage::NextTags => {
                    if !input.no_tags(true)? {
                        return Ok(Step::More);
                    }
                    self.stage = Stage::Tags;
                }
                Stage::Tags => {
                    return Ok(if input.no_tags(true)? { Step::End } else { Step::More });
                }
            }
        }
    }
}

/// The broker's direction.
#[cfg(any(test, feature = "broker"))]
pub mod broker {
    use alloc::vec::Vec;

    use super::super::broker::{list, tags, whole};
    use super::{ErrorCode, write_cursor};
    use crate::error::Fault;
    use crate::wire::parse::{self, Parsed};
    use crate::wire::write::Put;

    /// A request.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Request<'a> {
        /// Names of the topics; none is all.
        pub topics: Vec<&'a [u8]>,
        /// How many partitions the answer may have.
        pub partitions: i32,
        /// First topic and partition that is wanted.
        pub from: Option<(&'a [u8], i32)>,
    }

    impl<'a> Request<'a> {
        /// Reads the body of a request.
        ///
        /// # Errors
        /// What is wrong with it.
        pub fn read(body: &'a [u8]) -> Result<Self, Fault> {
            whole(Self::parse(body))
        }

        fn parse(body: &'a [u8]) -> Parsed<'a, Self> {
            let topic = |bytes| {
                let (rest, name) = parse::string(bytes, true)?;
                let (rest, ()) = tags(rest, true)?;
                Ok((rest, name))
            };
            let (rest, topics) = list(body, true, topic)?;
            let (rest, partitions) = parse::int32(rest)?;
            let (mut rest, is_from) = parse::int8(rest)?;
            let mut from = None;
            if is_from >= 0 {
                let (after, name) = parse::string(rest, true)?;
                let (after, partition) = parse::int32(after)?;
                (rest, ()) = tags(after, true)?;
                from = Some((name, partition));
            }
            let (rest, ()) = tags(rest, true)?;
            Ok((rest, Self { topics, partitions, from }))
        }
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
        /// Epoch of the leader.
        pub leader_epoch: i32,
        /// Brokers that hold it.
        pub replicas: Vec<i32>,
        /// Those in sync.
        pub in_sync: Vec<i32>,
        /// Those out of sync that may lead all the same, or null.
        pub eligible: Option<Vec<i32>>,
        /// Those that were so last, or null.
        pub last_eligible: Option<Vec<i32>>,
        /// Those offline.
        pub offline: Vec<i32>,
    }

    /// A topic of an answer.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Topic<'a> {
        /// Error of the topic.
        pub error: ErrorCode,
        /// Name.
        pub name: Option<&'a str>,
        /// Id.
        pub id: [u8; 16],
        /// Whether brokers keep their own data in it.
        pub internal: bool,
        /// Partitions.
        pub partitions: Vec<Partition>,
        /// What the client may do with it, as bits.
        pub authorized_operations: i32,
    }

    /// An answer.
    #[derive(Clone, Default, PartialEq, Eq, Debug)]
    pub struct Answer<'a> {
        /// Milliseconds to wait.
        pub throttle_ms: i32,
        /// The topics.
        pub topics: Vec<Topic<'a>>,
        /// First topic and partition of the next page, or null.
        pub next: Option<(&'a str, i32)>,
    }

    fn numbers(out: &mut Vec<u8>, list: &[i32]) {
        out.length_prefix(list.len() as u32, true);
        for number in list {
            out.int32(*number);
        }
    }

    fn nullable_numbers(out: &mut Vec<u8>, list: Option<&[i32]>) {
        match list {
            Some(list) => numbers(out, list),
            None => out.uvarint(0),
        }
    }

    impl Answer<'_> {
        /// Writes the body.
        pub fn write(&self, out: &mut Vec<u8>) {
            out.int32(self.throttle_ms);
            out.length_prefix(self.topics.len() as u32, true);
            for topic in &self.topics {
                out.int16(topic.error.0);
                out.nullable_string(topic.name.map(str::as_bytes), true);
                out.raw(&topic.id);
                out.boolean(topic.internal);
                out.length_prefix(topic.partitions.len() as u32, true);
                for partition in &topic.partitions {
                    out.int16(partition.error.0);
                    out.int32(partition.index);
                    out.int32(partition.leader);
                    out.int32(partition.leader_epoch);
                    numbers(out, &partition.replicas);
                    numbers(out, &partition.in_sync);
                    nullable_numbers(out, partition.eligible.as_deref());
                    nullable_numbers(out, partition.last_eligible.as_deref());
                    numbers(out, &partition.offline);
                    out.no_tags(true);
                }
                out.int32(topic.authorized_operations);
                out.no_tags(true);
            }
            write_cursor(out, self.next.map(|(name, partition)| (name.as_bytes(), partition)));
            out.no_tags(true);
        }
    }
}
