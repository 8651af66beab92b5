//! Metadata.

use std::ops::RangeInclusive;

use kafka_protocol::messages::metadata_response as response;
use kafka_protocol::messages::{
    BrokerId, MetadataRequest, MetadataResponse, metadata_request::MetadataRequestTopic,
};
use ottla::error::Fault;
use ottla::message::metadata::broker::{Answer, Broker, Partition, Request, RequestTopic, Topic};
use ottla::message::metadata::{self as codec};
use ottla::message::{AnyApi, Api, ErrorCode, Step};
use ottla::wire::input::Input;
use ottla::wire::write::Put;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::theirs::{self, Extras};
use crate::{Answers, Codec, Requests, draw};

/// The API.
#[derive(Debug)]
pub struct Metadata;

impl Codec for Metadata {
    const API: AnyApi = AnyApi::Client(Api::Metadata);
    const VERSIONS: RangeInclusive<i16> = 0..=13;
}

/// [`codec::Item`] as a value of its own.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "as in the codec")]
pub enum Item {
    Throttle(i32),
    Broker { id: i32, host: Vec<u8>, port: i32 },
    Topic { error: ErrorCode, name: Vec<u8>, id: [u8; 16] },
    PartitionCount(u32),
    Partition { error: ErrorCode, index: i32, leader: i32, leader_epoch: i32 },
    Error(ErrorCode),
}

impl From<codec::Item<'_>> for Item {
    fn from(item: codec::Item<'_>) -> Self {
        match item {
            codec::Item::Throttle(millis) => Self::Throttle(millis),
            codec::Item::Broker { id, host, port } => {
                Self::Broker { id, host: host.to_vec(), port }
            }
            codec::Item::Topic { error, name, id } => {
                Self::Topic { error, name: name.to_vec(), id }
            }
            codec::Item::PartitionCount(count) => Self::PartitionCount(count),
            codec::Item::Partition { error, index, leader, leader_epoch } => {
                Self::Partition { error, index, leader, leader_epoch }
            }
            codec::Item::Error(error) => Self::Error(error),
        }
    }
}

fn partition() -> impl Strategy<Value = Partition> {
    let replicas = || vec(any::<i32>(), 0..4);
    let ids = (any::<i32>(), any::<i32>(), any::<i32>());
    (draw::error(), ids, replicas(), replicas(), replicas()).prop_map(
        |(error, (index, leader, leader_epoch), replicas, in_sync, offline)| Partition {
            error,
            index,
            leader,
            leader_epoch,
            replicas,
            in_sync,
            offline,
        },
    )
}

fn topic() -> impl Strategy<Value = Topic<'static>> {
    let name = option::weighted(0.9, draw::topic_name());
    (draw::error(), name, draw::uuid(), any::<bool>(), vec(partition(), 0..4)).prop_map(
        |(error, name, id, internal, partitions)| Topic { error, name, id, internal, partitions },
    )
}

fn broker() -> impl Strategy<Value = Broker<'static>> {
    (any::<i32>(), draw::host(), any::<i32>(), option::of(draw::text()))
        .prop_map(|(id, host, port, rack)| Broker { id, host, port, rack })
}

impl Answers for Metadata {
    type Cursor = codec::Answer;
    type Item = Item;
    type Answer<'a> = Answer<'a>;

    fn step(
        cursor: &mut codec::Answer,
        version: i16,
        input: &mut Input<'_>,
        items: &mut Vec<Item>,
    ) -> Result<Step<()>, Fault> {
        Ok(cursor.next(version, input)?.map(|item| items.push(item.into())))
    }

    fn answers() -> BoxedStrategy<Answer<'static>> {
        let cluster_id = option::of(draw::text());
        let numbers = (any::<i32>(), any::<i32>());
        (numbers, vec(broker(), 0..4), cluster_id, vec(topic(), 0..4), draw::error())
            .prop_map(|((throttle_ms, controller), brokers, cluster_id, topics, error)| Answer {
                throttle_ms,
                brokers,
                cluster_id,
                controller,
                topics,
                error,
            })
            .boxed()
    }

    fn write_answer(answer: &Answer<'_>, version: i16, out: &mut Vec<u8>) {
        answer.write(version, out);
    }

    fn items(answer: &Answer<'_>, version: i16) -> Vec<Item> {
        let mut items = Vec::new();
        if version >= 6 && answer.throttle_ms > 0 {
            items.push(Item::Throttle(answer.throttle_ms));
        }
        items.extend(answer.brokers.iter().map(|&Broker { id, host, port, .. }| Item::Broker {
            id,
            host: host.into(),
            port,
        }));
        for topic in &answer.topics {
            let name = topic.name.unwrap_or_default().into();
            let id = if version >= 10 { topic.id } else { [0; 16] };
            items.push(Item::Topic { error: topic.error, name, id });
            items.push(Item::PartitionCount(topic.partitions.len() as u32));
            items.extend(topic.partitions.iter().map(|partition| {
                let &Partition { error, index, leader, .. } = partition;
                let leader_epoch = if version >= 7 { partition.leader_epoch } else { -1 };
                Item::Partition { error, index, leader, leader_epoch }
            }));
        }
        if version >= 13 {
            items.push(Item::Error(answer.error));
        }
        items
    }

    fn their_answer(answer: &Answer<'_>, version: i16, extras: Extras) -> Vec<u8> {
        let tags = extras.tags();
        let replicas = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect::<Vec<_>>();
        let partition = |partition: &Partition| {
            response::MetadataResponsePartition::default()
                .with_error_code(partition.error.0)
                .with_partition_index(partition.index)
                .with_leader_id(partition.leader.into())
                .with_leader_epoch(partition.leader_epoch)
                .with_replica_nodes(replicas(&partition.replicas))
                .with_isr_nodes(replicas(&partition.in_sync))
                .with_offline_replicas(replicas(&partition.offline))
                .with_unknown_tagged_fields(tags.clone())
        };
        let topics = answer.topics.iter().map(|topic| {
            let name = if version >= 12 { topic.name } else { topic.name.or(Some("")) };
            let mut message = response::MetadataResponseTopic::default()
                .with_error_code(topic.error.0)
                .with_name(theirs::nullable_text(name))
                .with_topic_id(theirs::uuid(topic.id))
                .with_is_internal(topic.internal)
                .with_partitions(topic.partitions.iter().map(partition).collect())
                .with_unknown_tagged_fields(tags.clone());
            if version >= 8 {
                message = message.with_topic_authorized_operations(extras.pick(i32::MIN, 0x7f));
            }
            message
        });
        let brokers = answer.brokers.iter().map(|broker| {
            response::MetadataResponseBroker::default()
                .with_node_id(broker.id.into())
                .with_host(theirs::text(broker.host))
                .with_port(broker.port)
                .with_rack(theirs::nullable_text(broker.rack))
                .with_unknown_tagged_fields(tags.clone())
        });
        let mut message = MetadataResponse::default()
            .with_throttle_time_ms(answer.throttle_ms)
            .with_brokers(brokers.collect())
            .with_cluster_id(theirs::nullable_text(answer.cluster_id))
            .with_controller_id(answer.controller.into())
            .with_topics(topics.collect())
            .with_error_code(answer.error.0)
            .with_unknown_tagged_fields(tags.clone());
        if (8..=10).contains(&version) {
            message = message.with_cluster_authorized_operations(extras.pick(i32::MIN, 0x7f));
        }
        theirs::encode(&message, version)
    }
}

impl Requests for Metadata {
    const THEIR_VERSIONS: RangeInclusive<i16> = 0..=13;
    type Request<'a> = Request<'a>;

    fn own() -> BoxedStrategy<Request<'static>> {
        let topic = draw::topic_name()
            .prop_map(|name| RequestTopic { id: [0; 16], name: Some(name.as_bytes()) });
        (vec(topic, 0..5), any::<bool>())
            .prop_map(|(topics, allow_auto_topic_creation)| Request {
                topics: Some(topics),
                allow_auto_topic_creation,
            })
            .boxed()
    }

    fn any() -> BoxedStrategy<Request<'static>> {
        let topic = (draw::uuid(), option::of(draw::topic_name()))
            .prop_map(|(id, name)| RequestTopic { id, name: name.map(str::as_bytes) });
        (option::of(vec(topic, 0..5)), any::<bool>())
            .prop_map(|(topics, allow_auto_topic_creation)| Request {
                topics,
                allow_auto_topic_creation,
            })
            .boxed()
    }

    fn write_request(request: &Request<'_>, version: i16, out: &mut impl Put) {
        let topics = request.topics.as_deref().unwrap_or_default();
        codec::request_start(out, version, topics.len() as u32);
        for topic in topics {
            codec::request_topic(out, version, topic.name.unwrap_or_default());
        }
        codec::request_end(out, version, request.allow_auto_topic_creation);
    }

    fn read(body: &[u8], version: i16) -> Result<Request<'_>, Fault> {
        Request::read(body, version)
    }

    fn seen<'a>(request: &'a Request<'_>, version: i16) -> Request<'a> {
        let mut seen = request.clone();
        for topic in seen.topics.iter_mut().flatten().filter(|_| version < 10) {
            *topic = RequestTopic { id: [0; 16], name: topic.name.or(Some(b"")) };
        }
        if version == 0 {
            seen.topics = seen.topics.filter(|topics| !topics.is_empty());
        }
        seen.allow_auto_topic_creation |= version < 4;
        seen
    }

    fn their_request(request: &Request<'_>, version: i16, extras: Extras) -> Vec<u8> {
        let topics = request.topics.as_ref().map(|topics| {
            let topic = |topic: &RequestTopic<'_>| {
                let name = if version >= 10 { topic.name } else { topic.name.or(Some(b"")) };
                MetadataRequestTopic::default()
                    .with_topic_id(theirs::uuid(topic.id))
                    .with_name(theirs::nullable_text(name))
                    .with_unknown_tagged_fields(extras.tags())
            };
            topics.iter().map(topic).collect()
        });
        let all_in_version_0 = (version == 0).then(Vec::new);
        let mut message = MetadataRequest::default()
            .with_topics(topics.or(all_in_version_0))
            .with_allow_auto_topic_creation(version < 4 || request.allow_auto_topic_creation)
            .with_unknown_tagged_fields(extras.tags());
        if version >= 8 {
            let wanted = extras == Extras::All;
            message = message
                .with_include_topic_authorized_operations(wanted)
                .with_include_cluster_authorized_operations(wanted && version <= 10);
        }
        theirs::encode(&message, version)
    }
}
