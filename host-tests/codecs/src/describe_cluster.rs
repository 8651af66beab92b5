//! DescribeCluster.

use std::ops::RangeInclusive;

use kafka_protocol::messages::describe_cluster_response as response;
use kafka_protocol::messages::{DescribeClusterRequest, DescribeClusterResponse};
use ottla::error::Fault;
use ottla::message::describe_cluster as codec;
use ottla::message::describe_cluster::broker::{Answer, Broker, Request};
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
pub struct DescribeCluster;

impl Codec for DescribeCluster {
    const API: AnyApi = AnyApi::Admin(AdminApi::DescribeCluster);
    const VERSIONS: RangeInclusive<i16> = 0..=2;
}

/// [`codec::Item`] as a value of its own, its texts in one piece.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "as in the codec")]
pub enum Item {
    Throttle(i32),
    Error(ErrorCode),
    Text(Vec<u8>),
    Cluster { id: Vec<u8>, controller: i32 },
    Broker { id: i32, host: Vec<u8>, port: i32 },
}

impl Item {
    fn append(item: codec::Item<'_>, items: &mut Vec<Self>) {
        let next = match item {
            codec::Item::Throttle(millis) => Self::Throttle(millis),
            codec::Item::Error(code) => Self::Error(code),
            codec::Item::Text(chunk) => match items.last_mut() {
                Some(Self::Text(text)) => return text.extend_from_slice(chunk),
                _ => Self::Text(chunk.to_vec()),
            },
            codec::Item::Cluster { id, controller } => {
                Self::Cluster { id: id.to_vec(), controller }
            }
            codec::Item::Broker { id, host, port } => {
                Self::Broker { id, host: host.to_vec(), port }
            }
        };
        items.push(next);
    }
}

impl Answers for DescribeCluster {
    type Cursor = codec::Answer;
    type Item = Item;
    type Answer<'a> = Answer<'a>;

    fn step(
        cursor: &mut codec::Answer,
        version: i16,
        input: &mut Input<'_>,
        items: &mut Vec<Item>,
    ) -> Result<Step<()>, Fault> {
        Ok(cursor.next(version, input)?.map(|item| Item::append(item, items)))
    }

    fn answers() -> BoxedStrategy<Answer<'static>> {
        let text = option::of(draw::text().prop_map(String::from));
        let rack = option::of(draw::text());
        let broker = (any::<i32>(), draw::host(), any::<i32>(), rack, any::<bool>())
            .prop_map(|(id, host, port, rack, fenced)| Broker { id, host, port, rack, fenced });
        let numbers = (any::<i32>(), any::<i8>(), any::<i32>(), any::<i32>());
        (numbers, draw::error(), text, draw::host(), vec(broker, 0..4))
            .prop_map(|(numbers, error, text, cluster_id, brokers)| {
                let (throttle_ms, endpoint_type, controller, authorized_operations) = numbers;
                Answer {
                    throttle_ms,
                    error,
                    text,
                    endpoint_type,
                    cluster_id,
                    controller,
                    brokers,
                    authorized_operations,
                }
            })
            .boxed()
    }

    fn write_answer(answer: &Answer<'_>, version: i16, out: &mut Vec<u8>) {
        answer.write(version, out);
    }

    fn items(answer: &Answer<'_>, _: i16) -> Vec<Item> {
        let mut items = Vec::new();
        if answer.throttle_ms > 0 {
            items.push(Item::Throttle(answer.throttle_ms));
        }
        items.push(Item::Error(answer.error));
        let text = answer.text.iter().filter(|text| !text.is_empty());
        items.extend(text.map(|text| Item::Text(text.clone().into())));
        let id = answer.cluster_id.into();
        items.push(Item::Cluster { id, controller: answer.controller });
        items.extend(answer.brokers.iter().map(|&Broker { id, host, port, .. }| Item::Broker {
            id,
            host: host.into(),
            port,
        }));
        items
    }

    fn their_answer(answer: &Answer<'_>, version: i16, extras: Extras) -> Vec<u8> {
        let tags = extras.tags();
        let brokers = answer.brokers.iter().map(|broker| {
            response::DescribeClusterBroker::default()
                .with_broker_id(broker.id.into())
                .with_host(theirs::text(broker.host))
                .with_port(broker.port)
                .with_rack(theirs::nullable_text(broker.rack))
                .with_is_fenced(version >= 2 && broker.fenced)
                .with_unknown_tagged_fields(tags.clone())
        });
        let message = DescribeClusterResponse::default()
            .with_throttle_time_ms(answer.throttle_ms)
            .with_error_code(answer.error.0)
            .with_error_message(theirs::nullable_text(answer.text.as_deref()))
            .with_endpoint_type(if version >= 1 { answer.endpoint_type } else { codec::BROKERS })
            .with_cluster_id(theirs::text(answer.cluster_id))
            .with_controller_id(answer.controller.into())
            .with_brokers(brokers.collect())
            .with_cluster_authorized_operations(answer.authorized_operations)
            .with_unknown_tagged_fields(tags.clone());
        theirs::encode(&message, version)
    }
}

impl Requests for DescribeCluster {
    const THEIR_VERSIONS: RangeInclusive<i16> = 0..=2;
    type Request<'a> = Request;

    fn own() -> BoxedStrategy<Request> {
        let endpoint_type = codec::BROKERS;
        Just(Request { authorized_operations: false, endpoint_type, fenced: false }).boxed()
    }

    fn any() -> BoxedStrategy<Request> {
        (any::<bool>(), any::<i8>(), any::<bool>())
            .prop_map(|(authorized_operations, endpoint_type, fenced)| Request {
                authorized_operations,
                endpoint_type,
                fenced,
            })
            .boxed()
    }

    fn write_request(_: &Request, version: i16, out: &mut impl Put) {
        codec::request(out, version);
    }

    fn read(body: &[u8], version: i16) -> Result<Request, Fault> {
        Request::read(body, version)
    }

    fn seen(request: &Request, version: i16) -> Request {
        let endpoint_type = if version >= 1 { request.endpoint_type } else { codec::BROKERS };
        Request { endpoint_type, fenced: version >= 2 && request.fenced, ..*request }
    }

    fn their_request(sent: &Request, version: i16, extras: Extras) -> Vec<u8> {
        let seen = Self::seen(sent, version);
        let message = DescribeClusterRequest::default()
            .with_include_cluster_authorized_operations(seen.authorized_operations)
            .with_endpoint_type(seen.endpoint_type)
            .with_include_fenced_brokers(seen.fenced)
            .with_unknown_tagged_fields(extras.tags());
        theirs::encode(&message, version)
    }
}
