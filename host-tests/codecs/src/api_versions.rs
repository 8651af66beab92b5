//! ApiVersions.

use std::ops::RangeInclusive;

use kafka_protocol::messages::api_versions_response as response;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use ottla::error::Fault;
use ottla::message::api_versions::broker::{Answer, Feature, Request};
use ottla::message::api_versions::{self as codec, Item};
use ottla::message::{AnyApi, Api, ErrorCode, Step, Versions};
use ottla::wire::input::Input;
use ottla::wire::write::Put;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::theirs::{self, Extras};
use crate::{Answers, Codec, Requests, draw};

/// The API.
#[derive(Debug)]
pub struct ApiVersions;

impl Codec for ApiVersions {
    const API: AnyApi = AnyApi::Client(Api::ApiVersions);
    const VERSIONS: RangeInclusive<i16> = 0..=5;
}

fn versions() -> impl Strategy<Value = Versions> {
    (any::<i16>(), any::<i16>()).prop_map(|(min, max)| Versions { min, max })
}

fn feature() -> impl Strategy<Value = Feature> {
    let name = select(&["transaction.version", "f", "metadata.version"][..]);
    (name, 0..3_i16, any::<i16>())
        .prop_map(|(name, min, max)| Feature { name, levels: Versions { min, max } })
}

impl Answers for ApiVersions {
    type Cursor = codec::Answer;
    type Item = Item;
    type Answer<'a> = Answer;

    fn step(
        cursor: &mut codec::Answer,
        version: i16,
        input: &mut Input<'_>,
        items: &mut Vec<Item>,
    ) -> Result<Step<()>, Fault> {
        Ok(cursor.next(version, input)?.map(|item| items.push(item)))
    }

    fn answers() -> BoxedStrategy<Answer> {
        // A refusal has a body of its own.
        let error = draw::error().prop_filter("refusals are tested alone", |error| {
            *error != ErrorCode::UNSUPPORTED_VERSION
        });
        let apis = vec((any::<i16>(), versions()), 0..12);
        let features = || vec(feature(), 0..3);
        (error, apis, any::<i32>(), features(), -1..1_000_i64, features())
            .prop_map(|(error, apis, throttle_ms, supported, finalized_epoch, finalized)| Answer {
                error,
                apis,
                throttle_ms,
                supported,
                finalized_epoch,
                finalized,
            })
            .boxed()
    }

    fn write_answer(answer: &Answer, version: i16, out: &mut Vec<u8>) {
        answer.write(version, out);
    }

    fn items(answer: &Answer, version: i16) -> Vec<Item> {
        let mut items = vec![Item::Error(answer.error)];
        items.extend(answer.apis.iter().map(|&(key, versions)| Item::Api(key, versions)));
        if version >= 2 && answer.throttle_ms > 0 {
            items.push(Item::Throttle(answer.throttle_ms));
        }
        items
    }

    fn their_answer(answer: &Answer, version: i16, extras: Extras) -> Vec<u8> {
        let tags = extras.tags();
        let apis = answer.apis.iter().map(|(key, versions)| {
            response::ApiVersion::default()
                .with_api_key(*key)
                .with_min_version(versions.min)
                .with_max_version(versions.max)
                .with_unknown_tagged_fields(tags.clone())
        });
        // Below version 4 a broker leaves out what older clients refuse to read.
        let supported =
            answer.supported.iter().filter(|feature| version >= 4 || feature.levels.min != 0).map(
                |feature| {
                    response::SupportedFeatureKey::default()
                        .with_name(theirs::text(feature.name))
                        .with_min_version(feature.levels.min)
                        .with_max_version(feature.levels.max)
                        .with_unknown_tagged_fields(tags.clone())
                },
            );
        let finalized = answer.finalized.iter().map(|feature| {
            response::FinalizedFeatureKey::default()
                .with_name(theirs::text(feature.name))
                .with_min_version_level(feature.levels.min)
                .with_max_version_level(feature.levels.max)
                .with_unknown_tagged_fields(tags.clone())
        });
        let mut message = ApiVersionsResponse::default()
            .with_error_code(answer.error.0)
            .with_api_keys(apis.collect())
            .with_throttle_time_ms(answer.throttle_ms)
            .with_unknown_tagged_fields(tags.clone());
        if version >= 3 {
            message = message
                .with_supported_features(supported.collect())
                .with_finalized_features_epoch(answer.finalized_epoch)
                .with_finalized_features(finalized.collect())
                .with_zk_migration_ready(extras == Extras::All);
        }
        // They do not know version 5, whose answers are as those of version 4 (KIP-1242).
        theirs::encode(&message, version.min(4))
    }
}

impl Requests for ApiVersions {
    const THEIR_VERSIONS: RangeInclusive<i16> = 0..=4;
    type Request<'a> = Request<'a>;

    fn own() -> BoxedStrategy<Request<'static>> {
        Just(Request {
            software_name: codec::SOFTWARE_NAME.as_bytes(),
            software_version: codec::SOFTWARE_VERSION.as_bytes(),
            cluster_id: None,
            node_id: -1,
        })
        .boxed()
    }

    fn any() -> BoxedStrategy<Request<'static>> {
        (draw::text(), draw::text(), proptest::option::of(draw::text()), any::<i32>())
            .prop_map(|(name, version, cluster_id, node_id)| Request {
                software_name: name.as_bytes(),
                software_version: version.as_bytes(),
                cluster_id: cluster_id.map(str::as_bytes),
                node_id,
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
        let mut seen = request.clone();
        if version < 3 {
            (seen.software_name, seen.software_version) = (&[], &[]);
        }
        if version < 5 {
            (seen.cluster_id, seen.node_id) = (None, -1);
        }
        seen
    }

    fn their_request(request: &Request<'_>, version: i16, extras: Extras) -> Vec<u8> {
        let message = ApiVersionsRequest::default()
            .with_client_software_name(theirs::text(request.software_name))
            .with_client_software_version(theirs::text(request.software_version))
            .with_unknown_tagged_fields(extras.tags());
        theirs::encode(&message, version)
    }
}
