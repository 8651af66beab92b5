//! CreatePartitions.

use codec_tests::create_partitions::{CreatePartitions, Item};
use codec_tests::suite::{read_body, refuse_counts};
use codec_tests::{Answers, Codec, Requests, hex};
use ottla::error::Fault;
use ottla::message::create_partitions::broker::{Answer, Topic};
use ottla::message::{AdminApi, ErrorCode, create_partitions as codec};
use ottla::wire::write::Put;

codec_tests::suite!(CreatePartitions);

fn is_flexible(version: i16) -> bool {
    AdminApi::CreatePartitions.is_flexible(version)
}

#[test]
fn request_vectors() {
    let mut ours = Vec::new();
    codec::request_start(&mut ours, 0, 1);
    codec::request_topic(&mut ours, 0, b"t", 3, None);
    codec::request_end(&mut ours, 0, 1_000, false);
    assert_eq!(ours, hex("00000001  0001 74 00000003 ffffffff  000003e8 00"));
    ours.clear();
    codec::request_start(&mut ours, 2, 1);
    codec::request_topic(&mut ours, 2, b"t", 2, Some(&[&[1, 2]]));
    codec::request_end(&mut ours, 2, 1_000, true);
    let expected = "02  02 74 00000002  02 03 00000001 00000002 00  00  000003e8 01 00";
    assert_eq!(ours, hex(expected));
}

/// The client waits only where the broker has not done so already.
#[test]
fn throttling_is_for_the_client_from_version_1_on() {
    for version in CreatePartitions::VERSIONS {
        for (throttle_ms, waits) in [(250, version >= 1), (0, false), (-1, false)] {
            let mut body = Vec::new();
            Answer { throttle_ms, topics: Vec::new() }.write(version, &mut body);
            let expected = waits.then_some(Item::Throttle(throttle_ms));
            let read = read_body::<CreatePartitions>(version, &body);
            assert_eq!(read, Ok(expected.into_iter().collect()), "version {version}");
        }
    }
}

/// The bounds that counts are checked against must not refuse the smallest elements.
#[test]
fn the_smallest_elements_are_read() {
    let topic = Topic { name: Vec::new(), error: ErrorCode::NONE, text: None };
    let answer = Answer { throttle_ms: 0, topics: vec![topic; 100] };
    for version in CreatePartitions::VERSIONS {
        let mut body = Vec::new();
        answer.write(version, &mut body);
        let items = CreatePartitions::items(&answer, version);
        assert_eq!(read_body::<CreatePartitions>(version, &body), Ok(items), "version {version}");
    }
}

#[test]
fn counts_are_checked() {
    for version in CreatePartitions::VERSIONS {
        let flexible = is_flexible(version);
        refuse_counts("topics", &[0; 4], flexible, |body| {
            read_body::<CreatePartitions>(version, body).err()
        });
        let read = |body: &[u8]| CreatePartitions::read(body, version).err();
        let mut prefix = Vec::new();
        refuse_counts("topics", &prefix, flexible, read);
        prefix.length_prefix(1, flexible);
        prefix.string(b"t", flexible);
        prefix.int32(2);
        refuse_counts("assignments", &prefix, flexible, read);
        prefix.length_prefix(1, flexible);
        refuse_counts("brokers", &prefix, flexible, read);
    }
}

#[test]
fn null_is_refused_where_there_is_none() {
    let name = hex("00000000  00000001  ffff 0000 ffff");
    assert_eq!(read_body::<CreatePartitions>(1, &name), Err(Fault::UnexpectedNull));
    let name = hex("00000000  02  00 0000 00 00  00");
    assert_eq!(read_body::<CreatePartitions>(2, &name), Err(Fault::UnexpectedNull));
    for (body, version) in [
        ("ffffffff 00000000 00", 1),
        ("00 00000000 00 00", 2),
        ("00000001 ffff", 0),
        ("02  02 74 00000002  02 00 00  00  000003e8 01 00", 3),
    ] {
        let body = hex(body);
        let read = CreatePartitions::read(&body, version);
        assert_eq!(read, Err(Fault::UnexpectedNull), "{body:x?}");
    }
}
