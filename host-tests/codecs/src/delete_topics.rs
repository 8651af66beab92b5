//! DeleteTopics.

use std::ops::RangeInclusive;

use kafka_protocol::messages::delete_topics_request as request;
use kafka_protocol::messages::delete_topics_response as response;
use kafka_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse};
use ottla::error::Fault;
use ottla::message::delete_topics as codec;
use ottla::message::delete_topics::broker::{Answer, Request, RequestTopic, Topic};
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
pub struct DeleteTopics;

impl Codec for DeleteTopics {
    const API: AnyApi = AnyApi::Admin(AdminApi::DeleteTopics);
    const VERSIONS: RangeInclusive<i16> = 1..=6;
}

impl Answers for DeleteTopics {
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
        let name = option::of(draw::topic_name().prop_map(Vec::from));
        let topic = (name, draw::uuid(), draw::error(), text)
            .prop_map(|(name, id, error, text)| Topic { name, id, error, text });
        (any::<i32>(), vec(topic, 0..5))
            .prop_map(|(throttle_ms, topics)| Answer { throttle_ms, topics })
            .boxed()
    }

    fn write_answer(answer: &Answer, version: i16, out: &mut Vec<u8>) {
        answer.write(version, out);
    }

    fn items(answer: &Answer, version: i16) -> Vec<Item> {
        let mut items = Vec::new();
        if version >= 2 && answer.throttle_ms > 0 {
            items.push(Item::Throttle(answer.throttle_ms));
        }
        for topic in &answer.topics {
            let name = topic.name.clone().unwrap_or_default();
            let id = if version >= 6 { topic.id } else { [0; 16] };
            items.push(Item::Topic { name, id, error: topic.error });
            let text = topic.text.iter().filter(|text| version >= 5 && !text.is_empty());
            items.extend(text.map(|text| Item::Text(text.clone().into())));
        }
        items
    }

    fn their_answer(answer: &Answer, version: i16, extras: Extras) -> Vec<u8> {
        let tags = extras.tags();
        let topics = answer.topics.iter().map(|topic| {
            let name = topic.name.as_deref().or((version < 6).then_some(b""));
            response::DeletableTopicResult::default()
                .with_name(theirs::nullable_text(name))
                .with_topic_id(theirs::uuid(topic.id))
                .with_error_code(topic.error.0)
                .with_error_message(theirs::nullable_text(topic.text.as_deref()))
                .with_unknown_tagged_fields(tags.clone())
        });
        let message = DeleteTopicsResponse::default()
            .with_throttle_time_ms(answer.throttle_ms)
            .with_responses(topics.collect())
            .with_unknown_tagged_fields(tags.clone());
        theirs::encode(&message, version)
    }
}

fn requests(
    topic: impl Strategy<Value = RequestTopic<'static>> + 'static,
) -> BoxedStrategy<Request<'static>> {
    (vec(topic, 0..4), any::<i32>())
        .prop_map(|(topics, timeout_ms)| Request { topics, timeout_ms })
        .boxed()
}

impl Requests for DeleteTopics {
    const THEIR_VERSIONS: RangeInclusive<i16> = 1..=6;
    type Request<'a> = Request<'a>;

    fn own() -> BoxedStrategy<Request<'static>> {
        requests(prop_oneof![
            draw::topic_name()
                .prop_map(|name| RequestTopic { name: Some(name.as_bytes()), id: [0; 16] }),
            draw::uuid().prop_map(|id| RequestTopic { name: None, id }),
        ])
    }

    fn any() -> BoxedStrategy<Request<'static>> {
        requests(
            (option::of(draw::topic_name()), draw::uuid())
                .prop_map(|(name, id)| RequestTopic { name: name.map(str::as_bytes), id }),
        )
    }

    fn write_request(request: &Request<'_>, version: i16, out: &mut impl Put) {
        codec::request_start(out, version, request.topics.len() as u32);
        for topic in &request.topics {
            match topic.name {
                None if version >= 6 => codec::request_topic_id(out, &topic.id),
                name => codec::request_topic(out, version, name.unwrap_or_default()),
            }
        }
        codec::request_end(out, version, request.timeout_ms);
    }

    fn read(body: &[u8], version: i16) -> Result<Request<'_>, Fault> {
        Request::read(body, version)
    }

    fn seen<'a>(request: &'a Request<'_>, version: i16) -> Request<'a> {
        let mut seen = request.clone();
        for topic in seen.topics.iter_mut().filter(|_| version < 6) {
            *topic = RequestTopic { name: topic.name.or(Some(b"")), id: [0; 16] };
        }
        seen
    }

    fn their_request(sent: &Request<'_>, version: i16, extras: Extras) -> Vec<u8> {
        let mut message = DeleteTopicsRequest::default()
            .with_timeout_ms(sent.timeout_ms)
            .with_unknown_tagged_fields(extras.tags());
        let topics = sent.topics.iter();
        message = if version >= 6 {
            let topics = topics.map(|topic| {
                request::DeleteTopicState::default()
                    .with_name(theirs::nullable_text(topic.name))
                    .with_topic_id(theirs::uuid(topic.id))
                    .with_unknown_tagged_fields(extras.tags())
            });
            message.with_topics(topics.collect())
        } else {
            let names = topics.map(|topic| theirs::text(topic.name.unwrap_or_default()));
            message.with_topic_names(names.collect())
        };
        theirs::encode(&message, version)
    }
}
