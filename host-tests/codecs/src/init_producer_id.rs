//! InitProducerId.

use std::ops::RangeInclusive;

use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};
use ottla::error::Fault;
use ottla::message::init_producer_id::broker::{Request, write};
use ottla::message::init_producer_id::{self as codec, Item};
use ottla::message::{AnyApi, Api, Step};
use ottla::wire::input::Input;
use ottla::wire::write::Put;
use proptest::prelude::*;

use crate::theirs::{self, Extras};
use crate::{Answers, Codec, Requests, draw};

/// The API.
#[derive(Debug)]
pub struct InitProducerId;

impl Codec for InitProducerId {
    const API: AnyApi = AnyApi::Client(Api::InitProducerId);
    const VERSIONS: RangeInclusive<i16> = 0..=5;
}

impl Answers for InitProducerId {
    type Cursor = codec::Answer;
    type Item = Item;
    type Answer<'a> = Item;

    fn step(
        cursor: &mut codec::Answer,
        version: i16,
        input: &mut Input<'_>,
        items: &mut Vec<Item>,
    ) -> Result<Step<()>, Fault> {
        Ok(cursor.next(version, input)?.map(|item| items.push(item)))
    }

    fn answers() -> BoxedStrategy<Item> {
        (any::<i32>(), draw::error(), any::<i64>(), any::<i16>())
            .prop_map(|(throttle_ms, error, producer_id, producer_epoch)| Item {
                throttle_ms,
                error,
                producer_id,
                producer_epoch,
            })
            .boxed()
    }

    fn write_answer(answer: &Item, version: i16, out: &mut Vec<u8>) {
        write(answer, version, out);
    }

    fn items(answer: &Item, version: i16) -> Vec<Item> {
        let throttle_ms = if version >= 1 { answer.throttle_ms } else { 0 };
        vec![Item { throttle_ms, ..*answer }]
    }

    fn their_answer(answer: &Item, version: i16, extras: Extras) -> Vec<u8> {
        let message = InitProducerIdResponse::default()
            .with_throttle_time_ms(answer.throttle_ms)
            .with_error_code(answer.error.0)
            .with_producer_id(answer.producer_id.into())
            .with_producer_epoch(answer.producer_epoch)
            .with_unknown_tagged_fields(extras.tags());
        theirs::encode(&message, version)
    }
}

impl Requests for InitProducerId {
    const THEIR_VERSIONS: RangeInclusive<i16> = 0..=5;
    type Request<'a> = Request<'a>;

    fn own() -> BoxedStrategy<Request<'static>> {
        Just(Request {
            transactional_id: None,
            timeout_ms: i32::MAX,
            producer_id: -1,
            producer_epoch: -1,
        })
        .boxed()
    }

    fn any() -> BoxedStrategy<Request<'static>> {
        (proptest::option::of(draw::text()), any::<i32>(), any::<i64>(), any::<i16>())
            .prop_map(|(id, timeout_ms, producer_id, producer_epoch)| Request {
                transactional_id: id.map(str::as_bytes),
                timeout_ms,
                producer_id,
                producer_epoch,
            })
            .boxed()
    }

    fn write_request(_: &Request<'_>, version: i16, out: &mut impl Put) {
        codec::request(out, version);
    }

    fn read(body: &[u8], version: i16) -> Result<Request<'_>, Fault> {
        Request::read(body, version)
    }

    fn seen<'a>(request: &'a Request<'_>, version: i16) -> Request<'a> {
        match version {
            ..3 => Request { producer_id: -1, producer_epoch: -1, ..*request },
            _ => *request,
        }
    }

    fn their_request(request: &Request<'_>, version: i16, extras: Extras) -> Vec<u8> {
        let seen_id = if version >= 3 { request.producer_id } else { -1 };
        let seen_epoch = if version >= 3 { request.producer_epoch } else { -1 };
        let message = InitProducerIdRequest::default()
            .with_transactional_id(theirs::nullable_text(request.transactional_id))
            .with_transaction_timeout_ms(request.timeout_ms)
            .with_producer_id(seen_id.into())
            .with_producer_epoch(seen_epoch)
            .with_unknown_tagged_fields(extras.tags());
        theirs::encode(&message, version)
    }
}
