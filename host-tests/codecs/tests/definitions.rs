//! Our codecs against Kafka's own message definitions, version by version and field by field.
//!
//! The definitions come from the jar of Kafka's Java client, which Maven fetches on first use.

use codec_tests::api_versions::ApiVersions;
use codec_tests::create_partitions::CreatePartitions;
use codec_tests::create_topics::CreateTopics;
use codec_tests::definition::{self, Defined, Fill, Message, Value, has, message};
use codec_tests::delete_topics::DeleteTopics;
use codec_tests::describe_cluster::DescribeCluster;
use codec_tests::describe_configs::DescribeConfigs;
use codec_tests::describe_topic_partitions::DescribeTopicPartitions;
use codec_tests::incremental_alter_configs::IncrementalAlterConfigs;
use codec_tests::init_producer_id::InitProducerId;
use codec_tests::metadata::Metadata;
use codec_tests::produce::Produce;
use codec_tests::requests::CLIENT_ID;
use codec_tests::{CORRELATION, Outcome, draw, frame, read_answers};
use ottla::message::{AnyApi, Api, Versions};

const FILLS: [Fill; 2] = [Fill::Distinct, Fill::Least];

/// Cases of what is drawn.
const CASES: u32 = 16;

fn request(api: AnyApi) -> &'static Message {
    message(&format!("{api:?}Request"))
}

fn response(api: AnyApi) -> &'static Message {
    message(&format!("{api:?}Response"))
}

/// Runs a check for each API.
macro_rules! for_each_api {
    ($check:ident) => {
        $check::<ApiVersions>();
        $check::<CreatePartitions>();
        $check::<CreateTopics>();
        $check::<DeleteTopics>();
        $check::<DescribeCluster>();
        $check::<DescribeConfigs>();
        $check::<DescribeTopicPartitions>();
        $check::<IncrementalAlterConfigs>();
        $check::<InitProducerId>();
        $check::<Metadata>();
        $check::<Produce>();
    };
}

#[test]
fn the_walker_reads_what_it_writes() {
    for name in definition::names() {
        let message = message(&name);
        for version in message.versions.min..=message.versions.max {
            for fill in FILLS {
                let value = message.sample(version, fill);
                let bytes = message.write(&value, version, None).bytes;
                let read = message.read(&bytes, version);
                assert_eq!(read.expect("what was written"), value, "{name} {version}");
            }
        }
    }
}

/// Our versions beside those of the jar; where they differ, on purpose, the jar's are named.
#[test]
fn versions_are_those_of_the_definitions() {
    for api in definition::apis() {
        let ours = api.versions();
        let theirs = match api {
            // From version 13 on topics stand by id, which is not negotiated yet.
            AnyApi::Client(Api::Produce) => Versions { max: 13, ..ours },
            // Below version 4 a client cannot ask without creating topics.
            AnyApi::Client(Api::Metadata) => Versions { min: 0, ..ours },
            // Version 5 is of Kafka 4.4.
            AnyApi::Client(Api::ApiVersions) => Versions { max: 4, ..ours },
            // Version 6 is not stable.
            AnyApi::Client(Api::InitProducerId) => Versions { max: 6, ..ours },
            AnyApi::Client(Api::CreateTopics) | AnyApi::Admin(_) => ours,
        };
        for message in [request(api), response(api)] {
            assert_eq!(message.key, Some(api.key()), "{api:?}");
            assert_eq!(message.versions, theirs, "{api:?}");
            for version in theirs.min..=theirs.max {
                let flexible = has(message.flexible, version);
                assert_eq!(api.is_flexible(version), flexible, "{api:?} {version}");
            }
        }
        let unstable = api == AnyApi::Client(Api::InitProducerId);
        assert_eq!(request(api).is_latest_unstable, unstable, "{api:?}");
    }
}

/// The header of an answer: version 1 where the answer is flexible, but not for ApiVersions.
fn answer_frame(api: AnyApi, version: i16, body: &[u8]) -> Vec<u8> {
    let flexible = has(response(api).flexible, version) && api != AnyApi::Client(Api::ApiVersions);
    let fields = [("CorrelationId".to_owned(), Value::Integer(CORRELATION.into()))];
    let header = message("ResponseHeader");
    let header = header.write(&Value::Struct(fields.into()), i16::from(flexible), None);
    frame(&[header.bytes, body.to_vec()].concat())
}

#[test]
fn answers_of_the_definitions_are_read() {
    for_each_api!(answers_are_read);
}

fn answers_are_read<D: Defined>() {
    let api = D::API;
    let response = response(api);
    for version in D::VERSIONS.filter(|version| has(response.versions, *version)) {
        for fill in FILLS {
            let value = response.sample(version, fill);
            let expected = Outcome::whole(D::items_of(&value, version));
            let written = response.write(&value, version, None);
            let bytes = answer_frame(api, version, &written.bytes);
            assert_eq!(read_answers::<D>(version, [&bytes[..]]), expected, "{api:?} {version}");
            assert_eq!(read_answers::<D>(version, bytes.chunks(1)), expected, "{api:?} {version}");
            for end in 0..written.bytes.len() {
                let bytes = answer_frame(api, version, &written.bytes[..end]);
                let read = read_answers::<D>(version, [&bytes[..]]);
                assert!(read.fault.is_some(), "{api:?} {version}: reads {end} bytes and no more");
            }
            for section in 0..written.sections {
                let bytes = response.write(&value, version, Some(section)).bytes;
                let bytes = answer_frame(api, version, &bytes);
                let read = read_answers::<D>(version, bytes.chunks(11));
                assert_eq!(read, expected, "{api:?} {version}: unknown tags in section {section}");
            }
        }
    }
}

#[test]
fn our_answers_are_as_defined() {
    for_each_api!(answers_are_defined);
}

fn answers_are_defined<D: Defined>() {
    let api = D::API;
    let response = response(api);
    for version in D::VERSIONS.filter(|version| has(response.versions, *version)) {
        let read_back = |answer: &D::Answer<'_>| {
            let mut body = Vec::new();
            D::write_answer(answer, version, &mut body);
            response.read(&body, version).expect("an answer as defined")
        };
        for fill in FILLS {
            let value = response.sample(version, fill);
            let read = read_back(&D::answer(&value));
            assert_eq!(D::answer(&read), D::answer(&value), "{api:?} {version}");
        }
        draw::cases(api, version, CASES, &D::answers(), |answer| {
            let read = read_back(&answer);
            assert_eq!(D::items_of(&read, version), D::items(&answer, version));
        });
    }
}

#[test]
fn requests_of_the_definitions_are_read() {
    for_each_api!(requests_are_read);
}

fn requests_are_read<D: Defined>() {
    let api = D::API;
    let request = request(api);
    for version in D::VERSIONS.filter(|version| has(request.versions, *version)) {
        for fill in FILLS {
            let value = request.sample(version, fill);
            let written = request.write(&value, version, None);
            let sent = D::request(&value);
            let read = D::read(&written.bytes, version);
            assert_eq!(read, Ok(D::seen(&sent, version)), "{api:?} {version}");
            for end in 0..written.bytes.len() {
                let read = D::read(&written.bytes[..end], version);
                assert!(read.is_err(), "{api:?} {version}: reads {end} bytes and no more");
            }
            for section in 0..written.sections {
                let bytes = request.write(&value, version, Some(section)).bytes;
                let read = D::read(&bytes, version);
                let seen = Ok(D::seen(&sent, version));
                assert_eq!(read, seen, "{api:?} {version}: unknown tags in section {section}");
            }
        }
    }
}

#[test]
fn our_requests_are_as_defined() {
    for_each_api!(requests_are_defined);
}

fn requests_are_defined<D: Defined>() {
    let api = D::API;
    let request = request(api);
    for version in D::OWN_VERSIONS.filter(|version| has(request.versions, *version)) {
        draw::cases(api, version, CASES, &D::own(), |sent| {
            let content = D::content(&sent, version);
            let header_version = if has(request.flexible, version) { 2 } else { 1 };
            let header = message("RequestHeader").read_start(&content, header_version);
            let (header, body) = header.expect("a header as defined");
            assert_eq!(header.field("RequestApiKey").int16(), api.key());
            assert_eq!(header.field("RequestApiVersion").int16(), version);
            assert_eq!(header.field("CorrelationId").int32(), CORRELATION);
            assert_eq!(header.field("ClientId").text(), CLIENT_ID);
            let read = request.read(body, version).expect("a request as defined");
            assert_eq!(D::request(&read), D::seen(&sent, version));
        });
    }
}
