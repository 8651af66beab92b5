//! DescribeConfigs.

use std::ops::RangeInclusive;

use kafka_protocol::messages::describe_configs_request as request;
use kafka_protocol::messages::describe_configs_response as response;
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use ottla::error::Fault;
use ottla::message::describe_configs as codec;
use ottla::message::describe_configs::broker::{
    Answer, Request, RequestResource, Resource, Setting, Synonym,
};
use ottla::message::{AdminApi, AnyApi, ErrorCode, Step};
use ottla::wire::input::Input;
use ottla::wire::write::Put;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::theirs::{self, Extras};
use crate::{Answers, Codec, Requests, draw};

/// The API.
#[derive(Debug)]
pub struct DescribeConfigs;

impl Codec for DescribeConfigs {
    const API: AnyApi = AnyApi::Admin(AdminApi::DescribeConfigs);
    const VERSIONS: RangeInclusive<i16> = 1..=4;
}

/// [`codec::Item`] as a value of its own, its texts and values in one piece.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "as in the codec")]
pub enum Item {
    Throttle(i32),
    Error(ErrorCode),
    Text(Vec<u8>),
    Resource { kind: i8, name: Vec<u8> },
    Setting(Vec<u8>),
    Value(Vec<u8>),
    About { has_value: bool, read_only: bool, source: i8, sensitive: bool },
}

impl Item {
    pub(crate) fn append(item: codec::Item<'_>, items: &mut Vec<Self>) {
        let next = match item {
            codec::Item::Throttle(millis) => Self::Throttle(millis),
            codec::Item::Error(code) => Self::Error(code),
            codec::Item::Text(chunk) => match items.last_mut() {
                Some(Self::Text(text)) => return text.extend_from_slice(chunk),
                _ => Self::Text(chunk.to_vec()),
            },
            codec::Item::Resource { kind, name } => Self::Resource { kind, name: name.to_vec() },
            codec::Item::Setting(name) => Self::Setting(name.to_vec()),
            codec::Item::Value(chunk) => match items.last_mut() {
                Some(Self::Value(value)) => return value.extend_from_slice(chunk),
                _ => Self::Value(chunk.to_vec()),
            },
            codec::Item::About { has_value, read_only, source, sensitive } => {
                Self::About { has_value, read_only, source, sensitive }
            }
        };
        items.push(next);
    }
}

/// Names of settings, which stand in one piece.
fn setting_name() -> impl Strategy<Value = &'static str> {
    select(vec!["", "retention.ms", "message.timestamp.before.max.ms"])
}

fn setting() -> impl Strategy<Value = Setting> {
    let text = || option::of(draw::text().prop_map(String::from));
    let synonym = (setting_name(), text(), any::<i8>()).prop_map(|(name, value, source)| Synonym {
        name: name.into(),
        value,
        source,
    });
    let about = (any::<bool>(), any::<i8>(), any::<bool>(), any::<i8>());
    (setting_name(), text(), about, vec(synonym, 0..3), text()).prop_map(
        |(name, value, (read_only, source, sensitive, kind), synonyms, documentation)| Setting {
            name: name.into(),
            value,
            read_only,
            source,
            sensitive,
            synonyms,
            kind,
            documentation,
        },
    )
}

impl Answers for DescribeConfigs {
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
        let resource = (draw::error(), text, any::<i8>(), draw::topic_name(), vec(setting(), 0..3))
            .prop_map(|(error, text, kind, name, settings)| Resource {
                error,
                text,
                kind,
                name: name.into(),
                settings,
            });
        (any::<i32>(), vec(resource, 0..3))
            .prop_map(|(throttle_ms, resources)| Answer { throttle_ms, resources })
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
        for resource in &answer.resources {
            items.push(Item::Error(resource.error));
            let text = resource.text.iter().filter(|text| !text.is_empty());
            items.extend(text.map(|text| Item::Text(text.clone().into())));
            items.push(Item::Resource { kind: resource.kind, name: resource.name.clone() });
            for setting in &resource.settings {
                items.push(Item::Setting(setting.name.clone().into()));
                let value = setting.value.iter().filter(|value| !value.is_empty());
                items.extend(value.map(|value| Item::Value(value.clone().into())));
                items.push(Item::About {
                    has_value: setting.value.is_some(),
                    read_only: setting.read_only,
                    source: setting.source,
                    sensitive: setting.sensitive,
                });
            }
        }
        items
    }

    fn their_answer(answer: &Answer, version: i16, extras: Extras) -> Vec<u8> {
        let tags = extras.tags();
        let synonym = |synonym: &Synonym| {
            response::DescribeConfigsSynonym::default()
                .with_name(theirs::text(&synonym.name))
                .with_value(theirs::nullable_text(synonym.value.as_deref()))
                .with_source(synonym.source)
                .with_unknown_tagged_fields(tags.clone())
        };
        let setting = |setting: &Setting| {
            response::DescribeConfigsResourceResult::default()
                .with_name(theirs::text(&setting.name))
                .with_value(theirs::nullable_text(setting.value.as_deref()))
                .with_read_only(setting.read_only)
                .with_config_source(setting.source)
                .with_is_sensitive(setting.sensitive)
                .with_synonyms(setting.synonyms.iter().map(synonym).collect())
                .with_config_type(setting.kind)
                .with_documentation(theirs::nullable_text(setting.documentation.as_deref()))
                .with_unknown_tagged_fields(tags.clone())
        };
        let resources = answer.resources.iter().map(|resource| {
            response::DescribeConfigsResult::default()
                .with_error_code(resource.error.0)
                .with_error_message(theirs::nullable_text(resource.text.as_deref()))
                .with_resource_type(resource.kind)
                .with_resource_name(theirs::text(&resource.name))
                .with_configs(resource.settings.iter().map(setting).collect())
                .with_unknown_tagged_fields(tags.clone())
        });
        let message = DescribeConfigsResponse::default()
            .with_throttle_time_ms(answer.throttle_ms)
            .with_results(resources.collect())
            .with_unknown_tagged_fields(tags.clone());
        theirs::encode(&message, version)
    }
}

fn requests(
    asked: impl Strategy<Value = bool> + Clone + 'static,
) -> BoxedStrategy<Request<'static>> {
    let settings = option::of(vec(setting_name().prop_map(str::as_bytes), 0..3));
    let resource =
        (any::<i8>(), draw::topic_name(), settings).prop_map(|(kind, name, settings)| {
            RequestResource { kind, name: name.as_bytes(), settings }
        });
    (vec(resource, 0..4), asked.clone(), asked)
        .prop_map(|(resources, synonyms, documentation)| Request {
            resources,
            synonyms,
            documentation,
        })
        .boxed()
}

impl Requests for DescribeConfigs {
    const THEIR_VERSIONS: RangeInclusive<i16> = 1..=4;
    type Request<'a> = Request<'a>;

    fn own() -> BoxedStrategy<Request<'static>> {
        requests(Just(false))
    }

    fn any() -> BoxedStrategy<Request<'static>> {
        requests(any::<bool>())
    }

    fn write_request(request: &Request<'_>, version: i16, out: &mut impl Put) {
        codec::request_start(out, version, request.resources.len() as u32);
        for resource in &request.resources {
            let text = |name: &&'_ [u8]| str::from_utf8(name).expect("drawn as UTF-8").to_owned();
            let settings: Option<Vec<String>> =
                resource.settings.as_ref().map(|names| names.iter().map(text).collect());
            let settings: Option<Vec<&str>> =
                settings.as_ref().map(|names| names.iter().map(String::as_str).collect());
            let RequestResource { kind, name, .. } = resource;
            codec::request_resource(out, version, *kind, name, settings.as_deref());
        }
        codec::request_end(out, version);
    }

    fn read(body: &[u8], version: i16) -> Result<Request<'_>, Fault> {
        Request::read(body, version)
    }

    fn seen<'a>(request: &'a Request<'_>, version: i16) -> Request<'a> {
        let documentation = version >= 3 && request.documentation;
        Request { documentation, ..request.clone() }
    }

    fn their_request(sent: &Request<'_>, version: i16, extras: Extras) -> Vec<u8> {
        let resources = sent.resources.iter().map(|resource| {
            let settings = resource.settings.as_ref();
            request::DescribeConfigsResource::default()
                .with_resource_type(resource.kind)
                .with_resource_name(theirs::text(resource.name))
                .with_configuration_keys(
                    settings.map(|names| names.iter().map(theirs::text).collect()),
                )
                .with_unknown_tagged_fields(extras.tags())
        });
        let message = DescribeConfigsRequest::default()
            .with_resources(resources.collect())
            .with_include_synonyms(sent.synonyms)
            .with_include_documentation(version >= 3 && sent.documentation)
            .with_unknown_tagged_fields(extras.tags());
        theirs::encode(&message, version)
    }
}
