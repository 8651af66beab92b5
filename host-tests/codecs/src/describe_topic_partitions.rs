//! DescribeTopicPartitions.

use std::ops::RangeInclusive;

use kafka_protocol::messages::describe_topic_partitions_request as request;
use kafka_protocol::messages::describe_topic_partitions_response as response;
use kafka_protocol::messages::{
    BrokerId, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
};
use ottla::error::Fault;
use ottla::message::describe_topic_partitions as codec;
use ottla::message::describe_topic_partitions::broker::{Answer, Partition, Request, Topic};
use ottla::message::{AdminApi, AnyApi, ErrorCode, Step};
use ottla::wire::input::Input;
use ottla::wire::write::Put;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::theirs::{self, Extras};
use crate::{Answers, Codec, Requests, draw};

/// The API.
#[derive(Debug)]
pub struct DescribeTopicPartitions;

impl Codec for DescribeTopicPartitions {
    const API: AnyApi = AnyApi::Admin(AdminApi::DescribeTopicPartitions);
    const VERSIONS: RangeInclusive<i16> = 0..=0;
}

/// [`codec::Item`] as a value of its own.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "as in the codec")]
pub enum Item {
    Throttle(i32),
    Topic { error: ErrorCode, name: Vec<u8>, id: [u8; 16] },
    Partition { error: ErrorCode, index: i32, leader: i32, leader_epoch: i32 },
    Next { topic: Vec<u8>, partition: i32 },
}

impl From<codec::Item<'_>> for Item {
    fn from(item: codec::Item<'_>) -> Self {
        match item {
            codec::Item::Throttle(millis) => Self::Throttle(millis),
            codec::Item::Topic { error, name, id } => Self::Topic { error, name: name.into(), id },
            codec::Item::Partition { error, index, leader, leader_epoch } => {
                Self::Partition { error, index, leader, leader_epoch }
            }
            codec::Item::Next { topic, partition } => Self::Next { topic: topic.into(), partition },
        }
    }
}

fn partition() -> impl Strategy<Value = Partition> {
    let list = || vec(any::<i32>(), 0..3);
    let numbers = (draw::error(), any::<i32>(), any::<i32>(), any::<i32>());
    (numbers, list(), list(), option::of(list()), option::of(list()), list()).prop_map(
        |((error, index, leader, leader_epoch), replicas, in_sync, eligible, last, offline)| {
            Partition {
                error,
                index,
                leader,
                leader_epoch,
                replicas,
                in_sync,
                eligible,
                last_eligible: last,
                offline,
            }
        },
    )
}

impl Answers for DescribeTopicPartitions {
    type Cursor = codec::Answer;
    type Item = Item;
    type Answer<'a> = Answer<'a>;

    fn step(
        cursor: &mut codec::Answer,
        _: i16,
        input: &mut Input<'_>,
        items: &mut Vec<Item>,
    ) -> Result<Step<()>, Fault> {
        Ok(cursor.next(input)?.map(|item| items.push(item.into())))
    }

    fn answers() -> BoxedStrategy<Answer<'static>> {
        let name = option::of(draw::topic_name());
        let about = (draw::error(), name, draw::uuid(), any::<bool>(), any::<i32>());
        let topic = (about, vec(partition(), 0..4)).prop_map(
            |((error, name, id, internal, authorized_operations), partitions)| Topic {
                error,
                name,
                id,
                internal,
                partitions,
                authorized_operations,
            },
        );
        let next = option::of((draw::topic_name(), any::<i32>()));
        (any::<i32>(), vec(topic, 0..4), next)
            .prop_map(|(throttle_ms, topics, next)| Answer { throttle_ms, topics, next })
            .boxed()
    }

    fn write_answer(answer: &Answer<'_>, _: i16, out: &mut Vec<u8>) {
        answer.write(out);
    }

    fn items(answer: &Answer<'_>, _: i16) -> Vec<Item> {
        let mut items = Vec::new();
        if answer.throttle_ms > 0 {
            items.push(Item::Throttle(answer.throttle_ms));
        }
        for topic in &answer.topics {
            let name = topic.name.unwrap_or_default().into();
            items.push(Item::Topic { error: topic.error, name, id: topic.id });
            items.extend(topic.partitions.iter().map(|partition| {
                let &Partition { error, index, leader, leader_epoch, .. } = partition;
                Item::Partition { error, index, leader, leader_epoch }
            }));
        }
        items.extend(
            answer.next.map(|(topic, partition)| Item::Next { topic: topic.into(), partition }),
        );
        items
    }

    fn their_answer(answer: &Answer<'_>, version: i16, extras: Extras) -> Vec<u8> {
        let tags = extras.tags();
        let ids = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect::<Vec<_>>();
        let partition = |partition: &Partition| {
            response::DescribeTopicPartitionsResponsePartition::default()
                .with_error_code(partition.error.0)
                .with_partition_index(partition.index)
                .with_leader_id(partition.leader.into())
                .with_leader_epoch(partition.leader_epoch)
                .with_replica_nodes(ids(&partition.replicas))
                .with_isr_nodes(ids(&partition.in_sync))
                .with_eligible_leader_replicas(partition.eligible.as_deref().map(ids))
                .with_last_known_elr(partition.last_eligible.as_deref().map(ids))
                .with_offline_replicas(ids(&partition.offline))
                .with_unknown_tagged_fields(tags.clone())
        };
        let topics = answer.topics.iter().map(|topic| {
            response::DescribeTopicPartitionsResponseTopic::default()
                .with_error_code(topic.error.0)
                .with_name(theirs::nullable_text(topic.name))
                .with_topic_id(theirs::uuid(topic.id))
                .with_is_internal(topic.internal)
                .with_partitions(topic.partitions.iter().map(partition).collect())
                .with_topic_authorized_operations(topic.authorized_operations)
                .with_unknown_tagged_fields(tags.clone())
        });
        let next = answer.next.map(|(topic, partition)| {
            response::Cursor::default()
                .with_topic_name(theirs::text(topic))
                .with_partition_index(partition)
                .with_unknown_tagged_fields(tags.clone())
        });
        let message = DescribeTopicPartitionsResponse::default()
            .with_throttle_time_ms(answer.throttle_ms)
            .with_topics(topics.collect())
            .with_next_cursor(next)
            .with_unknown_tagged_fields(tags.clone());
        theirs::encode(&message, version)
    }
}

impl Requests for DescribeTopicPartitions {
    const THEIR_VERSIONS: RangeInclusive<i16> = 0..=0;
    type Request<'a> = Request<'a>;

    fn own() -> BoxedStrategy<Request<'static>> {
        Self::any()
    }

    fn any() -> BoxedStrategy<Request<'static>> {
        let name = || draw::topic_name().prop_map(str::as_bytes);
        (vec(name(), 0..4), any::<i32>(), option::of((name(), any::<i32>())))
            .prop_map(|(topics, partitions, from)| Request { topics, partitions, from })
            .boxed()
    }

    fn write_request(request: &Request<'_>, _: i16, out: &mut impl Put) {
        codec::request_start(out, request.topics.len() as u32);
        for topic in &request.topics {
            codec::request_topic(out, topic);
        }
        codec::request_end(out, request.partitions, request.from);
    }

    fn read(body: &[u8], _: i16) -> Result<Request<'_>, Fault> {
        Request::read(body)
    }

    fn seen<'a>(request: &'a Request<'_>, _: i16) -> Request<'a> {
        request.clone()
    }

    fn their_request(sent: &Request<'_>, version: i16, extras: Extras) -> Vec<u8> {
        let topics = sent.topics.iter().map(|name| {
            request::TopicRequest::default()
                .with_name(theirs::text(name))
                .with_unknown_tagged_fields(extras.tags())
        });
        let from = sent.from.map(|(name, partition)| {
            request::Cursor::default()
                .with_topic_name(theirs::text(name))
                .with_partition_index(partition)
                .with_unknown_tagged_fields(extras.tags())
        });
        let message = DescribeTopicPartitionsRequest::default()
            .with_topics(topics.collect())
            .with_response_partition_limit(sent.partitions)
            .with_cursor(from)
            .with_unknown_tagged_fields(extras.tags());
        theirs::encode(&message, version)
    }
}
