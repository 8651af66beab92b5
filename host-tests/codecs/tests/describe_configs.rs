//! DescribeConfigs.

use codec_tests::describe_configs::{DescribeConfigs, Item};
use codec_tests::suite::{read_body, refuse_counts};
use codec_tests::{Answers, Codec, Requests, hex};
use ottla::error::Fault;
use ottla::message::describe_configs::broker::{Answer, Resource, Setting, Synonym};
use ottla::message::{AdminApi, ErrorCode, describe_configs as codec};
use ottla::wire::write::Put;

codec_tests::suite!(DescribeConfigs);

fn is_flexible(version: i16) -> bool {
    AdminApi::DescribeConfigs.is_flexible(version)
}

#[test]
fn request_vectors() {
    let mut ours = Vec::new();
    codec::request_start(&mut ours, 1, 1);
    codec::request_resource(&mut ours, 1, codec::TOPIC, b"t", Some(&["a"]));
    codec::request_end(&mut ours, 1);
    assert_eq!(ours, hex("00000001 02 0001 74 00000001 0001 61 00"));
    ours.clear();
    codec::request_start(&mut ours, 4, 1);
    codec::request_resource(&mut ours, 4, codec::BROKER, b"1", None);
    codec::request_end(&mut ours, 4);
    assert_eq!(ours, hex("02 04 02 31 00 00 00 00 00"));
}

#[test]
fn throttling_is_for_the_client_from_version_2_on() {
    for version in DescribeConfigs::VERSIONS {
        for (throttle_ms, waits) in [(250, version >= 2), (0, false), (-1, false)] {
            let mut body = Vec::new();
            Answer { throttle_ms, resources: Vec::new() }.write(version, &mut body);
            let expected = waits.then_some(Item::Throttle(throttle_ms));
            let read = read_body::<DescribeConfigs>(version, &body);
            assert_eq!(read, Ok(expected.into_iter().collect()), "version {version}");
        }
    }
}

/// The bounds that counts are checked against must not refuse the smallest elements.
#[test]
fn the_smallest_elements_are_read() {
    let synonym = Synonym { name: String::new(), value: None, source: 0 };
    let setting = |synonyms| Setting {
        name: String::new(),
        value: None,
        read_only: false,
        source: 0,
        sensitive: false,
        synonyms,
        kind: 0,
        documentation: None,
    };
    let resource = |settings| Resource {
        error: ErrorCode::NONE,
        text: None,
        kind: 2,
        name: Vec::new(),
        settings,
    };
    for resources in [
        vec![resource(Vec::new()); 100],
        vec![resource(vec![setting(Vec::new()); 100])],
        vec![resource(vec![setting(vec![synonym; 100])])],
    ] {
        let answer = Answer { throttle_ms: 0, resources };
        for version in DescribeConfigs::VERSIONS {
            let mut body = Vec::new();
            answer.write(version, &mut body);
            let items = DescribeConfigs::items(&answer, version);
            assert_eq!(read_body::<DescribeConfigs>(version, &body), Ok(items), "{version}");
        }
    }
}

#[test]
fn counts_of_answers_are_checked() {
    for version in DescribeConfigs::VERSIONS {
        let flexible = is_flexible(version);
        let read = |body: &[u8]| read_body::<DescribeConfigs>(version, body).err();
        let mut prefix = vec![0; 4];
        refuse_counts("resources", &prefix, flexible, read);
        prefix.length_prefix(1, flexible);
        prefix.int16(0);
        prefix.nullable_string(None, flexible);
        prefix.int8(2);
        prefix.string(b"t", flexible);
        refuse_counts("settings", &prefix, flexible, read);
        prefix.length_prefix(1, flexible);
        prefix.string(b"a", flexible);
        prefix.nullable_string(None, flexible);
        prefix.raw(&[0; 3]);
        refuse_counts("synonyms", &prefix, flexible, read);
    }
    // A value that is longer than its frame.
    let value = hex("00000000 00000001 0000 ffff 02 0001 74 00000001 0001 61 7fff 78");
    assert_eq!(read_body::<DescribeConfigs>(1, &value), Err(Fault::CountTooLarge));
}

#[test]
fn counts_of_requests_are_checked() {
    for version in DescribeConfigs::VERSIONS {
        let flexible = is_flexible(version);
        let read = |body: &[u8]| DescribeConfigs::read(body, version).err();
        let mut prefix = Vec::new();
        refuse_counts("resources", &prefix, flexible, read);
        prefix.length_prefix(1, flexible);
        prefix.int8(2);
        prefix.string(b"t", flexible);
        refuse_counts("keys", &prefix, flexible, read);
    }
}

#[test]
fn null_is_refused_where_there_is_none() {
    let name = hex("00000000 00000001 0000 ffff 02 ffff 00000000");
    assert_eq!(read_body::<DescribeConfigs>(1, &name), Err(Fault::UnexpectedNull));
    assert_eq!(DescribeConfigs::read(&hex("ffffffff 00"), 1), Err(Fault::UnexpectedNull));
    let key = hex("00000001 02 0001 74 00000001 ffff 00");
    assert_eq!(DescribeConfigs::read(&key, 1), Err(Fault::UnexpectedNull));
}
