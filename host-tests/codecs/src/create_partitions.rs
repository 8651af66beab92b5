//! CreatePartitions.

use std::ops::RangeInclusive;

use kafka_protocol::messages::create_partitions_request as request;
use kafka_protocol::messages::create_partitions_response as response;
use kafka_protocol::messages::{BrokerId, CreatePartitionsRequest, CreatePartitionsResponse};
use ottla::error::Fault;
use ottla::message::create_partitions as codec;
use ottla::message::create_partitions::broker::{Answer, Request, RequestTopic, Topic};
use ottla::message::{AdminApi, AnyApi, Step};
use ottla::wire::input::Input;
use ottla::wire::write::Put;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

pub use crate::create_topics::Item;
use crate::theirs::{self, Extras};
use crate::{Answers, Codec, Requests, draw};

/// The API.
#[derive(Debug)]
pub struct CreatePartitions;

impl Codec for CreatePartitions {
    const API: AnyApi = AnyApi::Admin(AdminApi::CreatePartitions);
    const VERSIONS: RangeInclusive<i16> = 0..=3;
}

impl Answers for CreatePartitions {
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
        let text = option::of(draw::text().prop_map(String::from));
        let topic = (draw::topic_name(), draw::error(), text)
            .prop_map(|(name, error, text)| Topic { name: name.into(), error, text });
        (any::<i32>(), vec(topic, 0..5))
            .prop_map(|(throttle_ms, topics)| Answer { throttle_ms, topics })
            .boxed()
    }

    fn write_answer(answer: &Answer, version: i16, out: &mut Vec<u8>) {
        answer.write(version, out);
    }

    fn items(answer: &Answer, version: i16) -> Vec<Item> {
        let mut items = Vec::new();
        if version >= 1 && answer.throttle_ms > 0 {
            items.push(Item::Throttle(answer.throttle_ms));
        }
        for topic in &answer.topics {
            items.push(Item::Topic { name: topic.name.clone(), id: [0; 16], error: topic.error });
            let text = topic.text.iter().filter(|text| !text.is_empty());
            items.extend(text.map(|text| Item::Text(text.clone().into())));
        }
        items
    }

    fn their_answer(answer: &Answer, version: i16, extras: Extras) -> Vec<u8> {
        let tags = extras.tags();
        let topics = answer.topics.iter().map(|topic| {
            response::CreatePartitionsTopicResult::default()
                .with_name(theirs::text(&topic.name))
                .with_error_code(topic.error.0)
                .with_error_message(theirs::nullable_text(topic.text.as_deref()))
                .with_unknown_tagged_fields(tags.clone())
        });
        let message = CreatePartitionsResponse::default()
            .with_throttle_time_ms(answer.throttle_ms)
            .with_results(topics.collect())
            .with_unknown_tagged_fields(tags.clone());
        theirs::encode(&message, version)
    }
}

impl Requests for CreatePartitions {
    const THEIR_VERSIONS: RangeInclusive<i16> = 0..=3;
    type Request<'a> = Request<'a>;

    fn own() -> BoxedStrategy<Request<'static>> {
        let assignments = option::of(vec(vec(any::<i32>(), 0..4), 0..3));
        let topic = (draw::topic_name(), any::<i32>(), assignments).prop_map(
            |(name, total, assignments)| RequestTopic { name: name.as_bytes(), total, assignments },
        );
        (vec(topic, 0..4), any::<i32>(), any::<bool>())
            .prop_map(|(topics, timeout_ms, validate_only)| Request {
                topics,
                timeout_ms,
                validate_only,
            })
            .boxed()
    }

    fn any() -> BoxedStrategy<Request<'static>> {
        Self::own()
    }

    fn write_request(request: &Request<'_>, version: i16, out: &mut impl Put) {
        codec::request_start(out, version, request.topics.len() as u32);
        for RequestTopic { name, total, assignments } in &request.topics {
            let assignments: Option<Vec<&[i32]>> =
                assignments.as_ref().map(|list| list.iter().map(Vec::as_slice).collect());
            codec::request_topic(out, version, name, *total, assignments.as_deref());
        }
        codec::request_end(out, version, request.timeout_ms, request.validate_only);
    }

    fn read(body: &[u8], version: i16) -> Result<Request<'_>, Fault> {
        Request::read(body, version)
    }

    fn seen<'a>(request: &'a Request<'_>, _: i16) -> Request<'a> {
        request.clone()
    }

    fn their_request(sent: &Request<'_>, version: i16, extras: Extras) -> Vec<u8> {
        let assignment = |brokers: &Vec<i32>| {
            request::CreatePartitionsAssignment::default()
                .with_broker_ids(brokers.iter().copied().map(BrokerId).collect())
                .with_unknown_tagged_fields(extras.tags())
        };
        let topics = sent.topics.iter().map(|topic| {
            let assignments = topic.assignments.as_ref();
            request::CreatePartitionsTopic::default()
                .with_name(theirs::text(topic.name))
                .with_count(topic.total)
                .with_assignments(assignments.map(|list| list.iter().map(assignment).collect()))
                .with_unknown_tagged_fields(extras.tags())
        });
        let message = CreatePartitionsRequest::default()
            .with_topics(topics.collect())
            .with_timeout_ms(sent.timeout_ms)
            .with_validate_only(sent.validate_only)
            .with_unknown_tagged_fields(extras.tags());
        theirs::encode(&message, version)
    }
}
