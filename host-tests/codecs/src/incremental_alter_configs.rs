//! IncrementalAlterConfigs.

use std::ops::RangeInclusive;

use kafka_protocol::messages::incremental_alter_configs_request as request;
use kafka_protocol::messages::incremental_alter_configs_response as response;
use kafka_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};
use ottla::error::Fault;
use ottla::message::incremental_alter_configs::broker::{
    Answer, Request, RequestResource, RequestSetting, Resource,
};
use ottla::message::incremental_alter_configs::{self as codec, Operation};
use ottla::message::{AdminApi, AnyApi, Step};
use ottla::wire::input::Input;
use ottla::wire::write::Put;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

pub use crate::describe_configs::Item;
use crate::theirs::{self, Extras};
use crate::{Answers, Codec, Requests, draw};

/// The API.
#[derive(Debug)]
pub struct IncrementalAlterConfigs;

impl Codec for IncrementalAlterConfigs {
    const API: AnyApi = AnyApi::Admin(AdminApi::IncrementalAlterConfigs);
    const VERSIONS: RangeInclusive<i16> = 0..=1;
}

impl Answers for IncrementalAlterConfigs {
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
        let resource = (draw::error(), text, any::<i8>(), draw::topic_name()).prop_map(
            |(error, text, kind, name)| Resource { error, text, kind, name: name.into() },
        );
        (any::<i32>(), vec(resource, 0..5))
            .prop_map(|(throttle_ms, resources)| Answer { throttle_ms, resources })
            .boxed()
    }

    fn write_answer(answer: &Answer, version: i16, out: &mut Vec<u8>) {
        answer.write(version, out);
    }

    fn items(answer: &Answer, _: i16) -> Vec<Item> {
        let mut items = Vec::new();
        if answer.throttle_ms > 0 {
            items.push(Item::Throttle(answer.throttle_ms));
        }
        for resource in &answer.resources {
            items.push(Item::Error(resource.error));
            let text = resource.text.iter().filter(|text| !text.is_empty());
            items.extend(text.map(|text| Item::Text(text.clone().into())));
            items.push(Item::Resource { kind: resource.kind, name: resource.name.clone() });
        }
        items
    }

    fn their_answer(answer: &Answer, version: i16, extras: Extras) -> Vec<u8> {
        let tags = extras.tags();
        let resources = answer.resources.iter().map(|resource| {
            response::AlterConfigsResourceResponse::default()
                .with_error_code(resource.error.0)
                .with_error_message(theirs::nullable_text(resource.text.as_deref()))
                .with_resource_type(resource.kind)
                .with_resource_name(theirs::text(&resource.name))
                .with_unknown_tagged_fields(tags.clone())
        });
        let message = IncrementalAlterConfigsResponse::default()
            .with_throttle_time_ms(answer.throttle_ms)
            .with_responses(resources.collect())
            .with_unknown_tagged_fields(tags.clone());
        theirs::encode(&message, version)
    }
}

fn requests(operation: impl Strategy<Value = i8> + 'static) -> BoxedStrategy<Request<'static>> {
    let name = select(vec!["", "cleanup.policy", "message.timestamp.before.max.ms"]);
    let value = option::of(draw::text().prop_map(str::as_bytes));
    let setting = (name, operation, value).prop_map(|(name, operation, value)| RequestSetting {
        name: name.as_bytes(),
        operation,
        value,
    });
    let resource =
        (any::<i8>(), draw::topic_name(), vec(setting, 0..4)).prop_map(|(kind, name, settings)| {
            RequestResource { kind, name: name.as_bytes(), settings }
        });
    (vec(resource, 0..4), any::<bool>())
        .prop_map(|(resources, validate_only)| Request { resources, validate_only })
        .boxed()
}

impl Requests for IncrementalAlterConfigs {
    const THEIR_VERSIONS: RangeInclusive<i16> = 0..=1;
    type Request<'a> = Request<'a>;

    fn own() -> BoxedStrategy<Request<'static>> {
        requests(0..4_i8)
    }

    fn any() -> BoxedStrategy<Request<'static>> {
        requests(any::<i8>())
    }

    fn write_request(request: &Request<'_>, version: i16, out: &mut impl Put) {
        codec::request_start(out, version, request.resources.len() as u32);
        for RequestResource { kind, name, settings } in &request.resources {
            codec::request_resource(out, version, *kind, name, settings.len() as u32);
            for RequestSetting { name, operation, value } in settings {
                let operation = Operation::of_number(*operation).expect("one that we may send");
                codec::request_setting(out, version, name, operation, *value);
            }
            codec::request_resource_end(out, version);
        }
        codec::request_end(out, version, request.validate_only);
    }

    fn read(body: &[u8], version: i16) -> Result<Request<'_>, Fault> {
        Request::read(body, version)
    }

    fn seen<'a>(request: &'a Request<'_>, _: i16) -> Request<'a> {
        request.clone()
    }

    fn their_request(sent: &Request<'_>, version: i16, extras: Extras) -> Vec<u8> {
        let setting = |setting: &RequestSetting<'_>| {
            request::AlterableConfig::default()
                .with_name(theirs::text(setting.name))
                .with_config_operation(setting.operation)
                .with_value(theirs::nullable_text(setting.value))
                .with_unknown_tagged_fields(extras.tags())
        };
        let resources = sent.resources.iter().map(|resource| {
            request::AlterConfigsResource::default()
                .with_resource_type(resource.kind)
                .with_resource_name(theirs::text(resource.name))
                .with_configs(resource.settings.iter().map(setting).collect())
                .with_unknown_tagged_fields(extras.tags())
        });
        let message = IncrementalAlterConfigsRequest::default()
            .with_resources(resources.collect())
            .with_validate_only(sent.validate_only)
            .with_unknown_tagged_fields(extras.tags());
        theirs::encode(&message, version)
    }
}
