//! CreateTopics.

use codec_tests::create_topics::{CreateTopics, Item, their_answer_with_throttle};
use codec_tests::suite::{read_body, refuse_counts};
use codec_tests::theirs::Extras;
use codec_tests::{Answers, Codec, Requests, hex};
use ottla::error::Fault;
use ottla::message::create_topics::broker::Topic;
use ottla::message::{Api, ErrorCode};
use ottla::wire::write::Put;

codec_tests::suite!(CreateTopics);

/// The client waits only where the broker has not done so already.
#[test]
fn throttling_is_for_the_client_from_version_3_on() {
    let topic = Topic {
        name: b"t".to_vec(),
        id: [7; 16],
        error: ErrorCode(89),
        text: Some("later".into()),
        partitions: 1,
        replication: 1,
        settings: Vec::new(),
    };
    for version in CreateTopics::VERSIONS {
        for (throttle_ms, waits) in [(250, version >= 3), (0, false), (-1, false)] {
            let topics = vec![topic.clone()];
            let body = their_answer_with_throttle(throttle_ms, &topics, version, Extras::All);
            let throttle = waits.then_some(Item::Throttle(throttle_ms));
            let expected: Vec<Item> =
                throttle.into_iter().chain(CreateTopics::items(&topics, version)).collect();
            assert_eq!(read_body::<CreateTopics>(version, &body), Ok(expected));
        }
    }
}

/// The bounds that counts are checked against must not refuse the smallest elements.
#[test]
fn the_smallest_elements_are_read() {
    let topic = Topic {
        name: Vec::new(),
        id: [0; 16],
        error: ErrorCode::NONE,
        text: None,
        partitions: 1,
        replication: 1,
        settings: Vec::new(),
    };
    for version in CreateTopics::VERSIONS {
        let topics = vec![topic.clone(); 100];
        let items = CreateTopics::items(&topics, version);
        let body = CreateTopics::their_answer(&topics, version, Extras::None);
        assert_eq!(read_body::<CreateTopics>(version, &body), Ok(items), "version {version}");
    }
    // A topic with 100 configurations whose names are empty and whose values are null.
    let configs = "01 00 00 00 00 00".repeat(100);
    let body = hex(&format!("00000000  02  01 0000 00  00000001 0001  65 {configs}  00  00"));
    assert_eq!(read_body::<CreateTopics>(5, &body).unwrap().len(), 1);
}

#[test]
fn counts_of_answers_are_checked() {
    for version in CreateTopics::VERSIONS {
        let flexible = Api::CreateTopics.is_flexible(version);
        let read = |body: &[u8]| read_body::<CreateTopics>(version, body).err();
        let mut prefix = vec![0; 4];
        refuse_counts("topics", &prefix, flexible, read);
        if version >= 5 {
            prefix.length_prefix(1, flexible);
            prefix.string(b"t", flexible);
            prefix.raw(if version >= 7 { &[0; 16] } else { &[] });
            prefix.int16(0);
            prefix.nullable_string(None, flexible);
            prefix.int32(1);
            prefix.int16(1);
            refuse_counts("configurations", &prefix, flexible, read);
        }
    }
}

#[test]
fn counts_of_requests_are_checked() {
    for version in CreateTopics::VERSIONS {
        let flexible = Api::CreateTopics.is_flexible(version);
        let read = |body: &[u8]| CreateTopics::read(body, version).err();
        let mut prefix = Vec::new();
        refuse_counts("topics", &prefix, flexible, read);
        prefix.length_prefix(1, flexible);
        prefix.string(b"t", flexible);
        prefix.int32(1);
        prefix.int16(1);
        refuse_counts("assignments", &prefix, flexible, read);
        let mut without = prefix.clone();
        without.length_prefix(0, flexible);
        refuse_counts("configurations", &without, flexible, read);
        prefix.length_prefix(1, flexible);
        prefix.int32(0);
        refuse_counts("brokers", &prefix, flexible, read);
    }
}

#[test]
fn names_are_not_null() {
    let null = hex("00000000  00000001  ffff 0000 ffff");
    assert_eq!(read_body::<CreateTopics>(4, &null), Err(Fault::UnexpectedNull));
    let null = hex("00000000  02  00 0000 00  00000000 0000 01 00  00");
    assert_eq!(read_body::<CreateTopics>(5, &null), Err(Fault::UnexpectedNull));
    assert_eq!(CreateTopics::read(&hex("00000001 ffff"), 4), Err(Fault::UnexpectedNull));
    assert_eq!(CreateTopics::read(&hex("02 00 00000000"), 5), Err(Fault::UnexpectedNull));
}
