//! DeleteTopics.

use codec_tests::delete_topics::{DeleteTopics, Item};
use codec_tests::suite::{read_body, refuse_counts};
use codec_tests::{Answers, Codec, Requests, hex};
use ottla::error::Fault;
use ottla::message::delete_topics::broker::{Answer, Topic};
use ottla::message::{AdminApi, ErrorCode};
use ottla::wire::write::Put;

codec_tests::suite!(DeleteTopics);

#[test]
fn names_and_ids_stand_side_by_side() {
    let id = "000102030405060708090a0b0c0d0e0f";
    let body = hex(&format!("03  02 74 {} 00  00 {id} 00  000003e8 00", "00".repeat(16)));
    let request = DeleteTopics::read(&body, 6).unwrap();
    let read: Vec<_> = request.topics.iter().map(|t| (t.name, t.id[15])).collect();
    assert_eq!(read, [(Some(&b"t"[..]), 0), (None, 15)]);
    let mut ours = Vec::new();
    DeleteTopics::write_request(&request, 6, &mut ours);
    assert_eq!(ours, body);
}

/// The client waits only where the broker has not done so already.
#[test]
fn throttling_is_for_the_client_from_version_2_on() {
    for version in DeleteTopics::VERSIONS {
        for (throttle_ms, waits) in [(250, version >= 2), (0, false), (-1, false)] {
            let mut body = Vec::new();
            Answer { throttle_ms, topics: Vec::new() }.write(version, &mut body);
            let expected = waits.then_some(Item::Throttle(throttle_ms));
            let read = read_body::<DeleteTopics>(version, &body);
            assert_eq!(read, Ok(expected.into_iter().collect()), "version {version}");
        }
    }
}

/// The bounds that counts are checked against must not refuse the smallest elements.
#[test]
fn the_smallest_elements_are_read() {
    let topic = Topic { name: Some(Vec::new()), id: [0; 16], error: ErrorCode::NONE, text: None };
    let answer = Answer { throttle_ms: 0, topics: vec![topic; 100] };
    for version in DeleteTopics::VERSIONS {
        let mut body = Vec::new();
        answer.write(version, &mut body);
        let items = DeleteTopics::items(&answer, version);
        assert_eq!(read_body::<DeleteTopics>(version, &body), Ok(items), "version {version}");
    }
}

#[test]
fn counts_are_checked() {
    for version in DeleteTopics::VERSIONS {
        let flexible = AdminApi::DeleteTopics.is_flexible(version);
        refuse_counts("topics", &[0; 4], flexible, |body| {
            read_body::<DeleteTopics>(version, body).err()
        });
        refuse_counts("topics", &[], flexible, |body| DeleteTopics::read(body, version).err());
    }
}

#[test]
fn null_is_refused_where_there_is_none() {
    let name = hex("00000000  00000001  ffff 0000");
    assert_eq!(read_body::<DeleteTopics>(3, &name), Err(Fault::UnexpectedNull));
    let name = hex("00000000  02  00 0000 00  00 00");
    assert_eq!(read_body::<DeleteTopics>(5, &name), Err(Fault::UnexpectedNull));
    assert_eq!(DeleteTopics::read(&hex("00000001 ffff 00000000"), 3), Err(Fault::UnexpectedNull));
    for (body, version) in [("ffffffff 00000000", 3), ("00 00000000 00", 6)] {
        assert_eq!(DeleteTopics::read(&hex(body), version), Err(Fault::UnexpectedNull));
    }
    let mut null = Vec::new();
    null.int32(0);
    null.length_prefix(1, true);
    null.nullable_string(None, true);
    null.raw(&[7; 16]);
    null.int16(100);
    null.nullable_string(None, true);
    null.raw(&[0, 0]);
    let unknown = Item::Topic { name: Vec::new(), id: [7; 16], error: ErrorCode(100) };
    assert_eq!(read_body::<DeleteTopics>(6, &null), Ok(vec![unknown]));
}
