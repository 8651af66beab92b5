//! CreateTopics.

use std::ops::RangeInclusive;

use kafka_protocol::messages::create_topics_request as request;
use kafka_protocol::messages::create_topics_response as response;
use kafka_protocol::messages::{BrokerId, CreateTopicsRequest, CreateTopicsResponse};
use ottla::error::Fault;
use ottla::message::create_topics::broker::{Request, RequestTopic, Setting, Topic, write};
use ottla::message::create_topics::{self as codec, NewTopic};
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
pub struct CreateTopics;

impl Codec for CreateTopics {
    const API: AnyApi = AnyApi::Client(Api::CreateTopics);
    const VERSIONS: RangeInclusive<i16> = 2..=7;
}

/// [`codec::Item`] as a value of its own, its texts in one piece.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "as in the codec")]
pub enum Item {
    Throttle(i32),
    Topic { name: Vec<u8>, id: [u8; 16], error: ErrorCode },
    Text(Vec<u8>),
}

impl Item {
    pub(crate) fn append(item: codec::Item<'_>, items: &mut Vec<Self>) {
        let next = match item {
            codec::Item::Throttle(millis) => Self::Throttle(millis),
            codec::Item::Topic { name, id, error } => {
                Self::Topic { name: name.to_vec(), id, error }
            }
            codec::Item::Text(chunk) => match items.last_mut() {
                Some(Self::Text(text)) => return text.extend_from_slice(chunk),
                _ => Self::Text(chunk.to_vec()),
            },
        };
        items.push(next);
    }
}

/// The answer of another broker, with its throttle time.
pub fn their_answer_with_throttle(
    throttle_ms: i32,
    topics: &[Topic],
    version: i16,
    extras: Extras,
) -> Vec<u8> {
    let tags = extras.tags();
    let own = |setting: &Setting| {
        response::CreatableTopicConfigs::default()
            .with_name(theirs::text(&setting.name))
            .with_value(theirs::nullable_text(setting.value.as_deref()))
            .with_read_only(setting.read_only)
            .with_config_source(setting.source)
            .with_is_sensitive(setting.sensitive)
            .with_unknown_tagged_fields(tags.clone())
    };
    let more = || {
        [
            response::CreatableTopicConfigs::default()
                .with_name(theirs::text("retention.ms"))
                .with_value(None)
                .with_read_only(true)
                .with_config_source(5)
                .with_is_sensitive(true)
                .with_unknown_tagged_fields(tags.clone()),
            response::CreatableTopicConfigs::default()
                .with_name(theirs::text("cleanup.policy"))
                .with_value(Some(theirs::text("delete")))
                .with_unknown_tagged_fields(tags.clone()),
        ]
    };
    let topics = topics.iter().map(|topic| {
        let mut message = response::CreatableTopicResult::default()
            .with_name(theirs::text(&topic.name))
            .with_topic_id(theirs::uuid(topic.id))
            .with_error_code(topic.error.0)
            .with_error_message(theirs::nullable_text(topic.text.as_deref()))
            .with_num_partitions(topic.partitions)
            .with_replication_factor(topic.replication)
            .with_unknown_tagged_fields(tags.clone());
        if version >= 5 {
            let mut configs: Vec<_> = topic.settings.iter().map(own).collect();
            if extras == Extras::All {
                configs.extend(more());
                message = message.with_topic_config_error_code(29);
            }
            message = message.with_configs(Some(configs));
        }
        message
    });
    let message = CreateTopicsResponse::default()
        .with_throttle_time_ms(throttle_ms)
        .with_topics(topics.collect())
        .with_unknown_tagged_fields(tags.clone());
    theirs::encode(&message, version)
}

impl Answers for CreateTopics {
    type Cursor = codec::Answer;
    type Item = Item;
    type Answer<'a> = Vec<Topic>;

    fn step(
        cursor: &mut codec::Answer,
        version: i16,
        input: &mut Input<'_>,
        items: &mut Vec<Item>,
    ) -> Result<Step<()>, Fault> {
        Ok(cursor.next(version, input)?.map(|item| Item::append(item, items)))
    }

    fn answers() -> BoxedStrategy<Vec<Topic>> {
        let text = option::of(draw::text().prop_map(String::from));
        let value = option::of(draw::text().prop_map(String::from));
        let setting = (draw::text(), value, any::<bool>(), any::<i8>(), any::<bool>()).prop_map(
            |(name, value, read_only, source, sensitive)| Setting {
                name: name.into(),
                value,
                read_only,
                source,
                sensitive,
            },
        );
        let made = (any::<i32>(), any::<i16>(), vec(setting, 0..3));
        let topic = (draw::topic_name(), draw::uuid(), draw::error(), text, made).prop_map(
            |(name, id, error, text, (partitions, replication, settings))| Topic {
                name: name.into(),
                id,
                error,
                text,
                partitions,
                replication,
                settings,
            },
        );
        vec(topic, 0..5).boxed()
    }

    fn write_answer(topics: &Vec<Topic>, version: i16, out: &mut Vec<u8>) {
        write(topics, version, out);
    }

    fn items(topics: &Vec<Topic>, version: i16) -> Vec<Item> {
        let mut items = Vec::new();
        for topic in topics {
            let id = if version >= 7 { topic.id } else { [0; 16] };
            items.push(Item::Topic { name: topic.name.clone(), id, error: topic.error });
            let text = topic.text.iter().filter(|text| !text.is_empty());
            items.extend(text.map(|text| Item::Text(text.clone().into())));
        }
        items
    }

    fn their_answer(topics: &Vec<Topic>, version: i16, extras: Extras) -> Vec<u8> {
        their_answer_with_throttle(0, topics, version, extras)
    }
}

/// Requests of which this client sends those without assignments and nulls.
fn requests(
    assignments: impl Strategy<Value = Vec<(i32, Vec<i32>)>> + 'static,
    value: impl Strategy<Value = Option<&'static str>> + 'static,
    validate_only: impl Strategy<Value = bool> + 'static,
) -> BoxedStrategy<Request<'static>> {
    let config =
        (draw::text(), value).prop_map(|(name, value)| (name.as_bytes(), value.map(str::as_bytes)));
    let counts = (any::<i32>(), any::<i16>());
    let topic = (draw::topic_name(), counts, assignments, vec(config, 0..3)).prop_map(
        |(name, (partitions, replication), assignments, configs)| RequestTopic {
            name: name.as_bytes(),
            partitions,
            replication,
            assignments,
            configs,
        },
    );
    (vec(topic, 0..4), any::<i32>(), validate_only)
        .prop_map(|(topics, timeout_ms, validate_only)| Request {
            topics,
            timeout_ms,
            validate_only,
        })
        .boxed()
}

/// A configuration as a broker reads it, as a client says it.
fn config<'a>(&(name, value): &(&'a [u8], Option<&'a [u8]>)) -> (&'a str, &'a str) {
    (as_text(name), as_text(value.unwrap_or_default()))
}

fn as_text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).expect("texts are drawn as UTF-8")
}

impl Requests for CreateTopics {
    const THEIR_VERSIONS: RangeInclusive<i16> = 2..=7;
    type Request<'a> = Request<'a>;

    fn own() -> BoxedStrategy<Request<'static>> {
        requests(Just(Vec::new()), draw::text().prop_map(Some), Just(false))
    }

    fn any() -> BoxedStrategy<Request<'static>> {
        let assignments = vec((any::<i32>(), vec(any::<i32>(), 0..3)), 0..3);
        requests(assignments, option::of(draw::text()), any::<bool>())
    }

    fn write_request(request: &Request<'_>, version: i16, out: &mut impl Put) {
        let configs: Vec<Vec<_>> =
            request.topics.iter().map(|topic| topic.configs.iter().map(config).collect()).collect();
        let topics: Vec<NewTopic<'_>> = request
            .topics
            .iter()
            .zip(&configs)
            .map(|(topic, configs)| NewTopic {
                name: as_text(topic.name),
                partitions: topic.partitions,
                replication: topic.replication,
                configs,
            })
            .collect();
        codec::request(out, version, &topics, request.timeout_ms);
    }

    fn read(body: &[u8], version: i16) -> Result<Request<'_>, Fault> {
        Request::read(body, version)
    }

    fn seen<'a>(request: &'a Request<'_>, _: i16) -> Request<'a> {
        request.clone()
    }

    fn their_request(sent: &Request<'_>, version: i16, extras: Extras) -> Vec<u8> {
        let tags = extras.tags();
        let topics = sent.topics.iter().map(|topic| {
            let assignments = topic.assignments.iter().map(|(index, brokers)| {
                request::CreatableReplicaAssignment::default()
                    .with_partition_index(*index)
                    .with_broker_ids(brokers.iter().copied().map(BrokerId).collect())
                    .with_unknown_tagged_fields(tags.clone())
            });
            let configs = topic.configs.iter().map(|(name, value)| {
                request::CreatableTopicConfig::default()
                    .with_name(theirs::text(name))
                    .with_value(theirs::nullable_text(*value))
                    .with_unknown_tagged_fields(tags.clone())
            });
            request::CreatableTopic::default()
                .with_name(theirs::text(topic.name))
                .with_num_partitions(topic.partitions)
                .with_replication_factor(topic.replication)
                .with_assignments(assignments.collect())
                .with_configs(configs.collect())
                .with_unknown_tagged_fields(tags.clone())
        });
        let message = CreateTopicsRequest::default()
            .with_topics(topics.collect())
            .with_timeout_ms(sent.timeout_ms)
            .with_validate_only(sent.validate_only)
            .with_unknown_tagged_fields(tags.clone());
        theirs::encode(&message, version)
    }
}
