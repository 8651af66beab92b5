//! Produce.

use std::ops::RangeInclusive;

use bytes::Bytes;
use kafka_protocol::messages::produce_request as request;
use kafka_protocol::messages::produce_response as response;
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};
use ottla::error::Fault;
use ottla::message::produce::broker::{
    Answer, Endpoint, Partition, RecordError, Request, RequestPartition, RequestTopic, Topic,
};
use ottla::message::produce::{self as codec, PartitionAnswer};
use ottla::message::{AnyApi, Api, Step};
use ottla::wire::input::Input;
use ottla::wire::write::Put;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::theirs::{self, Extras};
use crate::{Answers, Codec, Requests, draw};

/// The API.
#[derive(Debug)]
pub struct Produce;

impl Codec for Produce {
    const API: AnyApi = AnyApi::Client(Api::Produce);
    const VERSIONS: RangeInclusive<i16> = 3..=13;
}

/// What stands for a topic that was drawn with this name: from version 13 on an id.
fn topic(name: &[u8], version: i16) -> &[u8] {
    match name.first_chunk::<16>() {
        _ if version < 13 => name,
        Some(id) => id,
        None if name.is_empty() => &[0; 16],
        None => b"a topic's own id",
    }
}

/// The same as theirs.
fn their_id(name: &[u8], version: i16) -> uuid::Uuid {
    let id = if version < 13 { None } else { topic(name, version).first_chunk::<16>() };
    theirs::uuid(id.copied().unwrap_or_default())
}

/// [`codec::Item`] as a value of its own, its texts in one piece.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "as in the codec")]
pub enum Item {
    Topic(Vec<u8>),
    Partition(PartitionAnswer),
    Record(i32, Vec<u8>),
    Text(Vec<u8>),
    Leader(i32, i32),
    Throttle(i32),
    Endpoint { id: i32, host: Vec<u8>, port: i32 },
}

impl Item {
    fn append(item: codec::Item<'_>, items: &mut Vec<Self>) {
        let next = match item {
            codec::Item::Topic(name) => Self::Topic(name.to_vec()),
            codec::Item::Partition(answer) => Self::Partition(answer),
            codec::Item::Record(index) => Self::Record(index, Vec::new()),
            codec::Item::RecordText(chunk) => match items.last_mut() {
                Some(Self::Record(_, text)) => return text.extend_from_slice(chunk),
                last => panic!("a record's text after {last:?}"),
            },
            codec::Item::Text(chunk) => match items.last_mut() {
                Some(Self::Text(text)) => return text.extend_from_slice(chunk),
                _ => Self::Text(chunk.to_vec()),
            },
            codec::Item::Leader(id, epoch) => Self::Leader(id, epoch),
            codec::Item::Throttle(millis) => Self::Throttle(millis),
            codec::Item::Endpoint { id, host, port } => {
                Self::Endpoint { id, host: host.to_vec(), port }
            }
        };
        items.push(next);
    }
}

fn partition() -> impl Strategy<Value = Partition> {
    let answer = (any::<i32>(), draw::error(), any::<i64>(), any::<i64>(), any::<i64>()).prop_map(
        |(index, error, base_offset, log_append_time, log_start)| PartitionAnswer {
            index,
            error,
            base_offset,
            log_append_time,
            log_start,
        },
    );
    let text = || option::of(draw::text().prop_map(String::from));
    let record = (any::<i32>(), text()).prop_map(|(index, text)| RecordError { index, text });
    // Nobody leads with the defaults of both fields, which would not be written.
    let leader = option::of((0..i32::MAX, any::<i32>()));
    (answer, vec(record, 0..3), text(), leader)
        .prop_map(|(answer, records, text, leader)| Partition { answer, records, text, leader })
}

impl Answers for Produce {
    type Cursor = codec::Answer;
    type Item = Item;
    type Answer<'a> = Answer;

    fn step(
        cursor: &mut codec::Answer,
        version: i16,
        input: &mut Input<'_>,
        items: &mut Vec<Item>,
    ) -> Result<Step<()>, Fault> {
        Ok(cursor.next(version, input)?.map(|item| Item::append(item, items)))
    }

    fn answers() -> BoxedStrategy<Answer> {
        let topic = (draw::topic_name(), vec(partition(), 0..4))
            .prop_map(|(name, partitions)| Topic { name: name.into(), partitions });
        let endpoint = (any::<i32>(), draw::host(), any::<i32>())
            .prop_map(|(id, host, port)| Endpoint { id, host: host.into(), port });
        (vec(topic, 0..3), any::<i32>(), vec(endpoint, 0..3))
            .prop_map(|(topics, throttle_ms, endpoints)| Answer { topics, throttle_ms, endpoints })
            .boxed()
    }

    fn write_answer(answer: &Answer, version: i16, out: &mut Vec<u8>) {
        let mut answer = answer.clone();
        for named in &mut answer.topics {
            named.name = topic(&named.name, version).to_vec();
        }
        answer.write(version, out);
    }

    fn items(answer: &Answer, version: i16) -> Vec<Item> {
        let mut items = Vec::new();
        for answered in &answer.topics {
            items.push(Item::Topic(topic(&answered.name, version).to_vec()));
            for partition in &answered.partitions {
                let log_start = if version >= 5 { partition.answer.log_start } else { -1 };
                items.push(Item::Partition(PartitionAnswer { log_start, ..partition.answer }));
                if version >= 8 {
                    items.extend(partition.records.iter().map(|record| {
                        Item::Record(record.index, record.text.clone().unwrap_or_default().into())
                    }));
                    let text = partition.text.iter().filter(|text| !text.is_empty());
                    items.extend(text.map(|text| Item::Text(text.clone().into())));
                }
                if version >= 10 {
                    items.extend(partition.leader.map(|(id, epoch)| Item::Leader(id, epoch)));
                }
            }
        }
        if version >= 6 && answer.throttle_ms > 0 {
            items.push(Item::Throttle(answer.throttle_ms));
        }
        if version >= 10 {
            items.extend(answer.endpoints.iter().map(|Endpoint { id, host, port }| {
                Item::Endpoint { id: *id, host: host.clone().into(), port: *port }
            }));
        }
        items
    }

    fn their_answer(answer: &Answer, version: i16, extras: Extras) -> Vec<u8> {
        let tags = extras.tags();
        let partition = |partition: &Partition| {
            let records = partition.records.iter().filter(|_| version >= 8).map(|record| {
                response::BatchIndexAndErrorMessage::default()
                    .with_batch_index(record.index)
                    .with_batch_index_error_message(theirs::nullable_text(record.text.as_deref()))
                    .with_unknown_tagged_fields(tags.clone())
            });
            let mut leader = response::LeaderIdAndEpoch::default();
            if let (Some((id, epoch)), 10..) = (partition.leader, version) {
                leader = leader
                    .with_leader_id(id.into())
                    .with_leader_epoch(epoch)
                    .with_unknown_tagged_fields(tags.clone());
            }
            let PartitionAnswer { index, error, base_offset, log_append_time, log_start } =
                partition.answer;
            response::PartitionProduceResponse::default()
                .with_index(index)
                .with_error_code(error.0)
                .with_base_offset(base_offset)
                .with_log_append_time_ms(log_append_time)
                .with_log_start_offset(log_start)
                .with_record_errors(records.collect())
                .with_error_message(theirs::nullable_text(partition.text.as_deref()))
                .with_current_leader(leader)
                .with_unknown_tagged_fields(tags.clone())
        };
        let topics = answer.topics.iter().map(|topic| {
            let name: &[u8] = if version < 13 { &topic.name } else { b"" };
            response::TopicProduceResponse::default()
                .with_name(theirs::text(name))
                .with_topic_id(their_id(&topic.name, version))
                .with_partition_responses(topic.partitions.iter().map(partition).collect())
                .with_unknown_tagged_fields(tags.clone())
        });
        let endpoints = answer.endpoints.iter().filter(|_| version >= 10).map(|endpoint| {
            response::NodeEndpoint::default()
                .with_node_id(endpoint.id.into())
                .with_host(theirs::text(&endpoint.host))
                .with_port(endpoint.port)
                .with_rack(extras.pick(None, Some(theirs::text("rack"))))
                .with_unknown_tagged_fields(tags.clone())
        });
        let message = ProduceResponse::default()
            .with_responses(topics.collect())
            .with_throttle_time_ms(answer.throttle_ms)
            .with_node_endpoints(endpoints.collect())
            .with_unknown_tagged_fields(tags.clone());
        theirs::encode(&message, version)
    }
}

/// Requests of which this client sends those without a transactional id and null records.
fn requests(
    transactional_id: impl Strategy<Value = Option<&'static str>> + 'static,
    records: impl Strategy<Value = Option<&'static [u8]>> + 'static,
) -> BoxedStrategy<Request<'static>> {
    let partition =
        (any::<i32>(), records).prop_map(|(index, records)| RequestPartition { index, records });
    let topic = (draw::topic_name(), vec(partition, 0..3))
        .prop_map(|(name, partitions)| RequestTopic { name: name.as_bytes(), partitions });
    (transactional_id, -1..2_i16, any::<i32>(), vec(topic, 0..3))
        .prop_map(|(id, acks, timeout_ms, topics)| Request {
            transactional_id: id.map(str::as_bytes),
            acks,
            timeout_ms,
            topics,
        })
        .boxed()
}

impl Requests for Produce {
    const OWN_VERSIONS: RangeInclusive<i16> = 3..=13;
    const THEIR_VERSIONS: RangeInclusive<i16> = 3..=13;
    type Request<'a> = Request<'a>;

    fn own() -> BoxedStrategy<Request<'static>> {
        requests(Just(None), draw::records().prop_map(Some))
    }

    fn any() -> BoxedStrategy<Request<'static>> {
        requests(option::of(draw::text()), option::of(draw::records()))
    }

    fn write_request(request: &Request<'_>, version: i16, out: &mut impl Put) {
        let Request { acks, timeout_ms, topics, .. } = request;
        codec::request_start(out, version, *acks, *timeout_ms, topics.len() as u32);
        for sent in topics {
            let name = topic(sent.name, version);
            codec::request_topic(out, version, name, sent.partitions.len() as u32);
            for partition in &sent.partitions {
                let records = partition.records.unwrap_or_default();
                codec::request_partition(out, version, partition.index, records.len() as u32);
                out.raw(records);
                codec::request_end(out, version);
            }
            codec::request_end(out, version);
        }
        codec::request_end(out, version);
    }

    fn read(body: &[u8], version: i16) -> Result<Request<'_>, Fault> {
        Request::read(body, version)
    }

    fn seen<'a>(request: &'a Request<'_>, version: i16) -> Request<'a> {
        let mut seen = request.clone();
        for sent in &mut seen.topics {
            sent.name = topic(sent.name, version);
        }
        seen
    }

    fn their_request(sent: &Request<'_>, version: i16, extras: Extras) -> Vec<u8> {
        let tags = extras.tags();
        let partition = |partition: &RequestPartition<'_>| {
            request::PartitionProduceData::default()
                .with_index(partition.index)
                .with_records(partition.records.map(Bytes::copy_from_slice))
                .with_unknown_tagged_fields(tags.clone())
        };
        let topics = sent.topics.iter().map(|topic| {
            let name: &[u8] = if version < 13 { topic.name } else { b"" };
            request::TopicProduceData::default()
                .with_name(theirs::text(name))
                .with_topic_id(their_id(topic.name, version))
                .with_partition_data(topic.partitions.iter().map(partition).collect())
                .with_unknown_tagged_fields(tags.clone())
        });
        let message = ProduceRequest::default()
            .with_transactional_id(theirs::nullable_text(sent.transactional_id))
            .with_acks(sent.acks)
            .with_timeout_ms(sent.timeout_ms)
            .with_topic_data(topics.collect())
            .with_unknown_tagged_fields(tags.clone());
        theirs::encode(&message, version)
    }
}
