//! IncrementalAlterConfigs.

use codec_tests::incremental_alter_configs::{IncrementalAlterConfigs, Item};
use codec_tests::suite::{read_body, refuse_counts};
use codec_tests::{Answers, Codec, Requests, hex};
use ottla::error::Fault;
use ottla::message::describe_configs::{BROKER, TOPIC};
use ottla::message::incremental_alter_configs::broker::{Answer, Resource};
use ottla::message::incremental_alter_configs::{self as codec, Operation};
use ottla::message::{AdminApi, ErrorCode};
use ottla::wire::write::Put;

codec_tests::suite!(IncrementalAlterConfigs);

fn is_flexible(version: i16) -> bool {
    AdminApi::IncrementalAlterConfigs.is_flexible(version)
}

#[test]
fn request_vectors() {
    let mut ours = Vec::new();
    codec::request_start(&mut ours, 0, 1);
    codec::request_resource(&mut ours, 0, TOPIC, b"t", 2);
    codec::request_setting(&mut ours, 0, b"a", Operation::Set, Some(b"1"));
    codec::request_setting(&mut ours, 0, b"b", Operation::Delete, None);
    codec::request_resource_end(&mut ours, 0);
    codec::request_end(&mut ours, 0, true);
    let expected = "00000001  02 0001 74 00000002  0001 61 00 0001 31  0001 62 01 ffff  01";
    assert_eq!(ours, hex(expected));
    ours.clear();
    codec::request_start(&mut ours, 1, 1);
    codec::request_resource(&mut ours, 1, BROKER, b"1", 2);
    codec::request_setting(&mut ours, 1, b"a", Operation::Append, Some(b"x"));
    codec::request_setting(&mut ours, 1, b"b", Operation::Subtract, Some(b"y"));
    codec::request_resource_end(&mut ours, 1);
    codec::request_end(&mut ours, 1, false);
    assert_eq!(ours, hex("02  04 02 31 03  02 61 02 02 78 00  02 62 03 02 79 00  00  00 00"));
}

#[test]
fn operations_have_their_numbers() {
    for number in i8::MIN..=i8::MAX {
        let operation = Operation::of_number(number);
        assert_eq!(operation.is_some(), (0..4).contains(&number), "{number}");
        assert!(operation.is_none_or(|operation| operation as i8 == number), "{number}");
    }
}

#[test]
fn throttling_is_for_the_client() {
    for version in IncrementalAlterConfigs::VERSIONS {
        for (throttle_ms, waits) in [(250, true), (0, false), (-1, false)] {
            let mut body = Vec::new();
            Answer { throttle_ms, resources: Vec::new() }.write(version, &mut body);
            let expected = waits.then_some(Item::Throttle(throttle_ms));
            let read = read_body::<IncrementalAlterConfigs>(version, &body);
            assert_eq!(read, Ok(expected.into_iter().collect()), "version {version}");
        }
    }
}

/// The bounds that counts are checked against must not refuse the smallest elements.
#[test]
fn the_smallest_elements_are_read() {
    let resource = Resource { error: ErrorCode::NONE, text: None, kind: 2, name: Vec::new() };
    let answer = Answer { throttle_ms: 0, resources: vec![resource; 100] };
    for version in IncrementalAlterConfigs::VERSIONS {
        let mut body = Vec::new();
        answer.write(version, &mut body);
        let items = IncrementalAlterConfigs::items(&answer, version);
        let read = read_body::<IncrementalAlterConfigs>(version, &body);
        assert_eq!(read, Ok(items), "version {version}");
    }
}

#[test]
fn counts_are_checked() {
    for version in IncrementalAlterConfigs::VERSIONS {
        let flexible = is_flexible(version);
        refuse_counts("resources", &[0; 4], flexible, |body| {
            read_body::<IncrementalAlterConfigs>(version, body).err()
        });
        let read = |body: &[u8]| IncrementalAlterConfigs::read(body, version).err();
        let mut prefix = Vec::new();
        refuse_counts("resources", &prefix, flexible, read);
        prefix.length_prefix(1, flexible);
        prefix.int8(TOPIC);
        prefix.string(b"t", flexible);
        refuse_counts("settings", &prefix, flexible, read);
    }
}

#[test]
fn null_is_refused_where_there_is_none() {
    let name = hex("00000000  00000001  0000 ffff 02 ffff");
    assert_eq!(read_body::<IncrementalAlterConfigs>(0, &name), Err(Fault::UnexpectedNull));
    let name = hex("00000000  02  0000 00 02 00 00  00");
    assert_eq!(read_body::<IncrementalAlterConfigs>(1, &name), Err(Fault::UnexpectedNull));
    for (body, version) in [
        ("ffffffff 00", 0),
        ("00 00 00", 1),
        ("00000001  02 ffff", 0),
        ("02  02 02 74 00  00  00 00", 1),
        ("02  02 02 74 02  00 00 02 78 00  00  00 00", 1),
    ] {
        let body = hex(body);
        let read = IncrementalAlterConfigs::read(&body, version);
        assert_eq!(read, Err(Fault::UnexpectedNull), "{body:x?}");
    }
}
