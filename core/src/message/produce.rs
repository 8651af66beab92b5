//! Produce (key 0): appends batches, one per partition.
//!
//! A request is written in pieces around the batches, which are sent as they stand in memory.
//!
//! From version 13 on topics stand by their ids (KIP-516): wherever a topic has a name here, in
//! both directions, it is then the 16 bytes of the id.

use super::{Api, ErrorCode, Step, need};
use crate::error::Fault;
use crate::wire::input::{Input, Tag};
use crate::wire::parse;
use crate::wire::write::Put;

/// Writes the start of a request. `acks`: -1 all, 1 leader, 0 none; `timeout_ms`: how long the
/// broker waits for the replicas.
pub fn request_start(out: &mut impl Put, version: i16, acks: i16, timeout_ms: i32, topics: u32) {
    let flexible = Api::Produce.is_flexible(version);
    out.nullable_string(None, flexible);
    out.int16(acks);
    out.int32(timeout_ms);
    out.length_prefix(topics, flexible);
}

/// From this version on topics stand by their ids.
pub(crate) const BY_ID: i16 = 13;

/// Writes the start of a topic with `partitions` batches, by its name, or from version 13 on by
/// the 16 bytes of its id.
pub fn request_topic(out: &mut impl Put, version: i16, name: &[u8], partitions: u32) {
    request_topic_start(out, version, name.len() as u32);
    out.raw(name);
    request_topic_end(out, version, partitions);
}

/// What stands before a topic's name.
pub(crate) fn request_topic_start(out: &mut impl Put, version: i16, name: u32) {
    if version < BY_ID {
        out.string_length(name, Api::Produce.is_flexible(version));
    }
}

/// What stands behind a topic's name.
pub(crate) fn request_topic_end(out: &mut impl Put, version: i16, partitions: u32) {
    out.length_prefix(partitions, Api::Produce.is_flexible(version));
}

/// Writes what stands before a batch of `bytes` bytes.
pub fn request_partition(out: &mut impl Put, version: i16, index: i32, bytes: u32) {
    out.int32(index);
    out.length_prefix(bytes, Api::Produce.is_flexible(version));
}

/// Writes the end of a partition, of a topic, or of the whole request.
pub fn request_end(out: &mut impl Put, version: i16) {
    out.no_tags(Api::Produce.is_flexible(version));
}

/// What an answer holds, in order of appearance.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Item<'a> {
    /// A topic by its name, from version 13 on by the 16 bytes of its id; its partitions follow.
    Topic(&'a [u8]),
    /// The answer for a batch of the last topic.
    Partition(PartitionAnswer),
    /// A record of the last partition's batch that the broker refused, by its place in the
    /// batch (version 8 on, KIP-467). Its text follows, if it has one.
    Record(i32),
    /// The next bytes of the last record's text.
    RecordText(&'a [u8]),
    /// The next bytes of the broker's text about the last partition (version 8 on).
    Text(&'a [u8]),
    /// Who leads the last partition, and in which epoch (version 10 on, KIP-951).
    Leader(i32, i32),
    /// Wait this many milliseconds before the next request (version 6 on).
    Throttle(i32),
    /// Where a leader is reached (version 10 on).
    Endpoint {
        /// Its id.
        id: i32,
        /// Its host name or address.
        host: &'a [u8],
        /// Its port.
        port: i32,
    },
}

/// What a broker says of one batch.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct PartitionAnswer {
    /// Number of the partition.
    pub index: i32,
    /// Error, or success.
    pub error: ErrorCode,
    /// Offset of the first record, or -1.
    pub base_offset: i64,
    /// The time that the broker gave to all records, or -1.
    pub log_append_time: i64,
    /// Where the log begins, or -1 (below version 5 always).
    pub log_start: i64,
}

#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
enum Stage {
    #[default]
    TopicCount,
    Topic,
    PartitionCount,
    Partition,
    RecordCount,
    Record,
    RecordTextLength,
    RecordText,
    RecordTags,
    TextLength,
    Text,
    PartitionTags,
    Leader,
    TopicTags,
    Throttle,
    Tags,
    EndpointCount,
    Endpoint,
    Rack,
    EndpointTags,
}

/// Decodes an answer as a stream.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Answer {
    stage: Stage,
    topics: u32,
    partitions: u32,
    /// Records, or endpoints, still to come.
    elements: u32,
    /// Bytes of a text, or of a tagged field, still to come.
    text: u32,
    /// Where the outer section of tagged fields stands while endpoints are read.
    outer_tags: u32,
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
        let flexible = Api::Produce.is_flexible(version);
        loop {
            match self.stage {
                Stage::TopicCount => {
                    self.topics = need!(input.array(3, flexible)?);
                    self.stage = Stage::Topic;
                }
                Stage::Topic if self.topics == 0 => self.stage = Stage::Throttle,
                Stage::Topic => {
                    return match input.atom(move |bytes| topic(bytes, version))? {
                        Some(name) => {
                            self.topics = self.topics.saturating_sub(1);
                            self.stage = Stage::PartitionCount;
                            Ok(Step::Item(Item::Topic(name)))
                        }
                        None => Ok(Step::More),
                    };
                }
                Stage::PartitionCount => {
                    self.partitions = need!(input.array(22, flexible)?);
                    self.stage = Stage::Partition;
                }
                Stage::Partition if self.partitions == 0 => self.stage = Stage::TopicTags,
                Stage::Partition => {
                    let partition = move |bytes| {
                        let (rest, index) = parse::int32(bytes)?;
                        let (rest, error) = parse::int16(rest)?;
                        let (rest, base_offset) = parse::int64(rest)?;
                        let (rest, log_append_time) = parse::int64(rest)?;
                        let (rest, log_start) =
                            if version >= 5 { parse::int64(rest)? } else { (rest, -1) };
                        let error = ErrorCode(error);
                        let answer = PartitionAnswer {
                            index,
                            error,
                            base_offset,
                            log_append_time,
                            log_start,
                        };
                        Ok((rest, answer))
                    };
                    let answer = need!(input.atom(partition)?);
                    self.partitions = self.partitions.saturating_sub(1);
                    self.stage =
                        if version >= 8 { Stage::RecordCount } else { Stage::PartitionTags };
                    return Ok(Step::Item(Item::Partition(answer)));
                }
                Stage::RecordCount => {
                    self.elements = need!(input.array(5, flexible)?);
                    self.stage = Stage::Record;
                }
                Stage::Record if self.elements == 0 => self.stage = Stage::TextLength,
                Stage::Record => {
                    let index = need!(input.atom(parse::int32)?);
                    self.elements = self.elements.saturating_sub(1);
                    self.stage = Stage::RecordTextLength;
                    return Ok(Step::Item(Item::Record(index)));
                }
                Stage::RecordTextLength => {
                    self.text = need!(input.text_length(flexible)?).unwrap_or(0);
                    self.stage = Stage::RecordText;
                }
                Stage::RecordText if self.text == 0 => self.stage = Stage::RecordTags,
                Stage::RecordText => {
                    let chunk = need!(input.text(&mut self.text));
                    return Ok(Step::Item(Item::RecordText(chunk)));
                }
                Stage::RecordTags => {
                    if !input.no_tags(flexible)? {
                        return Ok(Step::More);
                    }
                    self.stage = Stage::Record;
                }
                Stage::TextLength => {
                    self.text = need!(input.text_length(flexible)?).unwrap_or(0);
                    self.stage = Stage::Text;
                }
                Stage::Text if self.text == 0 => self.stage = Stage::PartitionTags,
                Stage::Text => {
                    let chunk = need!(input.text(&mut self.text));
                    return Ok(Step::Item(Item::Text(chunk)));
                }
                Stage::PartitionTags if !flexible => self.stage = Stage::Partition,
                Stage::PartitionTags => match need!(input.tag()?) {
                    Tag::End => self.stage = Stage::Partition,
                    Tag::Field(0, size) if version >= 10 && size >= 8 => {
                        self.text = size.saturating_sub(8);
                        self.stage = Stage::Leader;
                    }
                    Tag::Field(_, size) => input.skip(size)?,
                },
                Stage::Leader => {
                    let leader = |bytes| {
                        let (rest, id) = parse::int32(bytes)?;
                        let (rest, epoch) = parse::int32(rest)?;
                        Ok((rest, Item::Leader(id, epoch)))
                    };
                    let item = need!(input.atom(leader)?);
                    // What the structure may have beyond the two, its tagged fields at least.
                    input.skip(self.text)?;
                    self.stage = Stage::PartitionTags;
                    return Ok(Step::Item(item));
                }
                Stage::TopicTags => {
                    if !input.no_tags(flexible)? {
                        return Ok(Step::More);
                    }
                    self.stage = Stage::Topic;
                }
                Stage::Throttle => {
                    let throttle = need!(input.atom(parse::int32)?);
                    self.stage = Stage::Tags;
                    if version >= 6 && throttle > 0 {
                        return Ok(Step::Item(Item::Throttle(throttle)));
                    }
                }
                Stage::Tags if !flexible => return Ok(Step::End),
                Stage::Tags => match need!(input.tag()?) {
                    Tag::End => return Ok(Step::End),
                    Tag::Field(0, _) if version >= 10 => {
                        self.outer_tags = input.enter_tags(0);
                        self.stage = Stage::EndpointCount;
                    }
                    Tag::Field(_, size) => input.skip(size)?,
                },
                Stage::EndpointCount => {
                    self.elements = need!(input.array(11, flexible)?);
                    self.stage = Stage::Endpoint;
                }
                Stage::Endpoint if self.elements == 0 => {
                    input.enter_tags(self.outer_tags);
                    self.stage = Stage::Tags;
                }
                Stage::Endpoint => {
                    let endpoint = |bytes| {
                        let (rest, id) = parse::int32(bytes)?;
                        let (rest, host) = parse::string(rest, true)?;
                        let (rest, port) = parse::int32(rest)?;
                        Ok((rest, Item::Endpoint { id, host, port }))
                    };
                    return match input.atom(endpoint)? {
                        Some(item) => {
                            self.elements = self.elements.saturating_sub(1);
                            self.stage = Stage::Rack;
                            Ok(Step::Item(item))
                        }
                        None => Ok(Step::More),
                    };
                }
                Stage::Rack => {
                    need!(super::metadata::pass_string(input, flexible)?);
                    self.stage = Stage::EndpointTags;
                }
                Stage::EndpointTags => {
                    if !input.no_tags(flexible)? {
                        return Ok(Step::More);
                    }
                    self.stage = Stage::Endpoint;
                }
            }
        }
    }
}

/// The name of a topic, or its id.
fn topic(bytes: &[u8], version: i16) -> parse::Parsed<'_, &[u8]> {
    if version < BY_ID {
        parse::string(bytes, Api::Produce.is_flexible(version))
    } else {
        parse::take(bytes, 16)
    }
}

/// The broker's direction.
#[cfg(any(test, feature = "broker"))]
pub mod broker {
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::super::broker::{array, list, tags, whole};
    use super::{Api, BY_ID, PartitionAnswer};
    use crate::error::Fault;
    use crate::wire::parse::{self, Parsed};
    use crate::wire::write::Put;

    /// A partition of a request.
    #[derive(Copy, Clone, PartialEq, Eq, Debug)]
    pub struct RequestPartition<'a> {
        /// Number.
        pub index: i32,
        /// Its batches, or null.
        pub records: Option<&'a [u8]>,
    }

    /// A topic of a request.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct RequestTopic<'a> {
        /// Name, or from version 13 on the 16 bytes of the id.
        pub name: &'a [u8],
        /// Its partitions.
        pub partitions: Vec<RequestPartition<'a>>,
    }

    /// A request.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Request<'a> {
        /// Transactional id, or null.
        pub transactional_id: Option<&'a [u8]>,
        /// -1 all, 1 leader, 0 none.
        pub acks: i16,
        /// How long to wait for replicas.
        pub timeout_ms: i32,
        /// The topics.
        pub topics: Vec<RequestTopic<'a>>,
    }

    impl<'a> Request<'a> {
        /// Reads the body of a request in version 3 to 13.
        ///
        /// # Errors
        /// What is wrong with it.
        pub fn read(body: &'a [u8], version: i16) -> Result<Self, Fault> {
            whole(Self::parse(body, version))
        }

        fn parse(body: &'a [u8], version: i16) -> Parsed<'a, Self> {
            let flexible = Api::Produce.is_flexible(version);
            let (rest, transactional_id) = parse::nullable_string(body, flexible)?;
            let (rest, acks) = parse::int16(rest)?;
            let (rest, timeout_ms) = parse::int32(rest)?;
            let partition = |bytes| {
                let (rest, index) = parse::int32(bytes)?;
                let (rest, length) = parse::bytes_length(rest, flexible)?;
                let (rest, records) = match length {
                    Some(length) => {
                        let (rest, records) = parse::take(rest, length as usize)?;
                        (rest, Some(records))
                    }
                    None => (rest, None),
                };
                let (rest, ()) = tags(rest, flexible)?;
                Ok((rest, RequestPartition { index, records }))
            };
            let topic = |bytes| {
                let (rest, name) = super::topic(bytes, version)?;
                let (rest, partitions) = array(rest, flexible, partition)?;
                let (rest, ()) = tags(rest, flexible)?;
                let Some(partitions) = partitions else {
                    return parse::fail(Fault::UnexpectedNull);
                };
                Ok((rest, RequestTopic { name, partitions }))
            };
            let (rest, topics) = list(rest, flexible, topic)?;
            let (rest, ()) = tags(rest, flexible)?;
            Ok((rest, Self { transactional_id, acks, timeout_ms, topics }))
        }
    }

    /// A refused record of a batch.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct RecordError {
        /// Its place in the batch.
        pub index: i32,
        /// Why, or null.
        pub text: Option<String>,
    }

    /// A partition of an answer.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Partition {
        /// What all versions say.
        pub answer: PartitionAnswer,
        /// Refused records (version 8 on).
        pub records: Vec<RecordError>,
        /// Why the batch was refused, or null (version 8 on).
        pub text: Option<String>,
        /// Leader and epoch, where the asked broker is not it (version 10 on).
        pub leader: Option<(i32, i32)>,
    }

    impl Partition {
        /// An answer without texts and hints.
        #[must_use]
        pub const fn new(answer: PartitionAnswer) -> Self {
            Self { answer, records: Vec::new(), text: None, leader: None }
        }
    }

    /// A topic of an answer.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Topic {
        /// Name, or from version 13 on the 16 bytes of the id; other bytes stand for no id.
        pub name: Vec<u8>,
        /// Its partitions.
        pub partitions: Vec<Partition>,
    }

    /// Where a leader is reached.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Endpoint {
        /// Broker id.
        pub id: i32,
        /// Host.
        pub host: String,
        /// Port.
        pub port: i32,
    }

    /// An answer.
    #[derive(Clone, Default, PartialEq, Eq, Debug)]
    pub struct Answer {
        /// The topics.
        pub topics: Vec<Topic>,
        /// Milliseconds that the client has to wait.
        pub throttle_ms: i32,
        /// Where leaders are reached (version 10 on).
        pub endpoints: Vec<Endpoint>,
    }

    impl Answer {
        /// Writes the body in `version`.
        pub fn write(&self, version: i16, out: &mut Vec<u8>) {
            let flexible = Api::Produce.is_flexible(version);
            out.length_prefix(self.topics.len() as u32, flexible);
            for topic in &self.topics {
                if version < BY_ID {
                    out.string(&topic.name, flexible);
                } else {
                    out.raw(<&[u8; 16]>::try_from(&topic.name[..]).unwrap_or(&[0; 16]));
                }
                out.length_prefix(topic.partitions.len() as u32, flexible);
                for partition in &topic.partitions {
                    write_partition(partition, version, flexible, out);
                }
                out.no_tags(flexible);
            }
            out.int32(self.throttle_ms);
            if version >= 10 && !self.endpoints.is_empty() {
                let mut field = Vec::new();
                field.length_prefix(self.endpoints.len() as u32, true);
                for endpoint in &self.endpoints {
                    field.int32(endpoint.id);
                    field.string(endpoint.host.as_bytes(), true);
                    field.int32(endpoint.port);
                    field.nullable_string(None, true);
                    field.no_tags(true);
                }
                tagged(out, &field);
            } else {
                out.no_tags(flexible);
            }
        }
    }

    /// A section with one field, tag 0.
    fn tagged(out: &mut Vec<u8>, field: &[u8]) {
        out.uvarint(1);
        out.uvarint(0);
        out.uvarint(field.len() as u32);
        out.raw(field);
    }

    fn write_partition(partition: &Partition, version: i16, flexible: bool, out: &mut Vec<u8>) {
        let answer = &partition.answer;
        out.int32(answer.index);
        out.int16(answer.error.0);
        out.int64(answer.base_offset);
        out.int64(answer.log_append_time);
        if version >= 5 {
            out.int64(answer.log_start);
        }
        if version >= 8 {
            out.length_prefix(partition.records.len() as u32, flexible);
            for record in &partition.records {
                out.int32(record.index);
                out.nullable_string(record.text.as_deref().map(str::as_bytes), flexible);
                out.no_tags(flexible);
            }
            out.nullable_string(partition.text.as_deref().map(str::as_bytes), flexible);
        }
        match partition.leader {
            Some((id, epoch)) if version >= 10 => {
                let mut field = Vec::new();
                field.int32(id);
                field.int32(epoch);
                field.no_tags(true);
                tagged(out, &field);
            }
            _ => out.no_tags(flexible),
        }
    }
}
