//! Produce.

use codec_tests::produce::{Item, Produce};
use codec_tests::suite::{read_body, refuse_counts};
use codec_tests::{Answers, Codec, Requests, frame, hex};
use ottla::error::Fault;
use ottla::message::broker::{RequestHeader, answer};
use ottla::message::produce::broker::{
    Answer, Endpoint, Partition, RecordError, Request, RequestPartition, RequestTopic, Topic,
};
use ottla::message::produce::{self as codec, PartitionAnswer};
use ottla::message::{Api, ErrorCode, request_header};
use ottla::wire::write::Put;

codec_tests::suite!(Produce);

/// One record "hello" of the year 2023, without an id.
const BATCH: &str = "0000000000000000 0000003d ffffffff 02 e641a44b 0000 00000000
    0000018bcfe56800 0000018bcfe56800 ffffffffffffffff ffff ffffffff 00000001
    16 00 00 00 01 0a 68656c6c6f 00";

#[test]
fn request_vector() {
    let batch = hex(BATCH);
    let bytes = [
        hex("0000 0009 00000003 0001 63 00  00  ffff  00007530  02  02 74  02  00000000  4a"),
        batch.clone(),
        hex("00 00 00"),
    ]
    .concat();
    assert_eq!(frame(&bytes)[..4], hex("00000068"));

    let partitions = vec![RequestPartition { index: 0, records: Some(&batch) }];
    let sent = Request {
        transactional_id: None,
        acks: -1,
        timeout_ms: 30_000,
        topics: vec![RequestTopic { name: b"t", partitions }],
    };
    let mut ours = Vec::new();
    request_header(&mut ours, Api::Produce, 9, 3, b"c");
    Produce::write_request(&sent, 9, &mut ours);
    assert_eq!(ours, bytes);

    let (header, body) = RequestHeader::read(&bytes).unwrap();
    let client_id = Some(&b"c"[..]);
    assert_eq!(header, RequestHeader { key: 0, version: 9, correlation: 3, client_id });
    assert_eq!(Produce::read(body, 9), Ok(sent));
}

#[test]
fn answer_vector() {
    let body = hex("02  02 74  02  00000000  0006  ffffffffffffffff ffffffffffffffff
        ffffffffffffffff  01  00
            01 00 09 00000002 00000008 00
            00
        00000000
        01 00 0d 02 00000002 02 68 00002384 00 00");
    let partition = PartitionAnswer {
        index: 0,
        error: ErrorCode::NOT_LEADER_OR_FOLLOWER,
        base_offset: -1,
        log_append_time: -1,
        log_start: -1,
    };
    let items = [
        Item::Topic(b"t".to_vec()),
        Item::Partition(partition),
        Item::Leader(2, 8),
        Item::Endpoint { id: 2, host: b"h".to_vec(), port: 9_092 },
    ];
    assert_eq!(read_body::<Produce>(10, &body).unwrap(), items);

    let partitions = vec![Partition { leader: Some((2, 8)), ..Partition::new(partition) }];
    let ours = Answer {
        topics: vec![Topic { name: b"t".to_vec(), partitions }],
        throttle_ms: 0,
        endpoints: vec![Endpoint { id: 2, host: "h".into(), port: 9_092 }],
    };
    let expected = frame(&[&hex("00000003 00"), &body[..]].concat());
    assert_eq!(expected[..4], hex("0000004a"));
    assert_eq!(answer(Api::Produce, 10, 3, |out| ours.write(10, out)), expected);
}

/// The bounds that counts are checked against must not refuse the smallest elements.
#[test]
fn the_smallest_elements_are_read() {
    let topic = |partitions| Topic { name: Vec::new(), partitions };
    let answer = |topics| Answer { topics, throttle_ms: 0, endpoints: Vec::new() };
    let (index, error) = (0, ErrorCode::NONE);
    let (base_offset, log_append_time, log_start) = (-1, -1, -1);
    let partition =
        Partition::new(PartitionAnswer { index, error, base_offset, log_append_time, log_start });
    let records = vec![RecordError { index: 0, text: None }; 100];
    let many_records = Partition { records, ..partition.clone() };
    let endpoints = vec![Endpoint { id: 0, host: String::new(), port: 0 }; 100];
    for version in Produce::VERSIONS {
        for answer in [
            answer(vec![topic(Vec::new()); 100]),
            answer(vec![topic(vec![partition.clone(); 100])]),
            answer(vec![topic(vec![many_records.clone()])]),
            Answer { endpoints: endpoints.clone(), ..answer(Vec::new()) },
        ] {
            let mut body = Vec::new();
            answer.write(version, &mut body);
            let items = Produce::items(&answer, version);
            assert_eq!(read_body::<Produce>(version, &body), Ok(items), "version {version}");
        }
    }
}

/// Later versions may add to the structure behind a known tag; what is too small for it is not
/// it, and below version 10 the tag is not known.
#[test]
fn the_leader_tag_may_have_another_size() {
    let partition = "02  02 74  02  00000000  0006  ffffffffffffffff ffffffffffffffff
        ffffffffffffffff  01  00";
    let leader = |version, tags: &str| {
        let body = hex(&format!("{partition} {tags} 00  00000000  00"));
        let items = read_body::<Produce>(version, &body)?;
        Ok(items.into_iter().find(|item| matches!(item, Item::Leader(..))))
    };
    let known = Ok(Some(Item::Leader(2, 8)));
    assert_eq!(leader(10, "01 00 0d 00000002 00000008 01 05 02 ffff"), known);
    assert_eq!(leader(10, "01 00 08 00000002 00000008"), known);
    assert_eq!(leader(10, "01 00 07 00000002 000000"), Ok(None));
    assert_eq!(leader(10, "01 00 00"), Ok(None));
    assert_eq!(leader(9, "01 00 09 00000002 00000008 00"), Ok(None));
    let too_long = leader(10, "01 00 7f 00000002 00000008 00");
    assert_eq!(too_long, Err(Fault::CountTooLarge));
}

/// A topic by its name, or its id.
fn put_topic(out: &mut Vec<u8>, version: i16) {
    if version >= 13 { out.raw(&[7; 16]) } else { out.string(b"t", version >= 9) }
}

#[test]
fn from_version_13_on_topics_stand_by_their_ids() {
    let id = *b"0123456789abcdef";
    let mut request = Vec::new();
    codec::request_start(&mut request, 13, -1, 1_000, 1);
    codec::request_topic(&mut request, 13, &id, 1);
    codec::request_partition(&mut request, 13, 7, 1);
    request.raw(b"x");
    for _ in 0..3 {
        codec::request_end(&mut request, 13);
    }
    let id_in_hex = "30313233343536373839616263646566";
    let expected = hex(&format!("00 ffff 000003e8 02 {id_in_hex} 02 00000007 02 78 00 00 00"));
    assert_eq!(request, expected);
    assert_eq!(Produce::read(&request, 13).unwrap().topics[0].name, id);
    let partition = "02 00000007 0064 ffffffffffffffff ffffffffffffffff ffffffffffffffff 01 00 00";
    let answer = hex(&format!("02 {id_in_hex} {partition} 00 00000000 00"));
    let items = read_body::<Produce>(13, &answer).unwrap();
    assert_eq!(items[0], Item::Topic(id.to_vec()));
    let Item::Partition(answer) = items[1] else { panic!("{items:?}") };
    assert_eq!((answer.index, answer.error), (7, ErrorCode::UNKNOWN_TOPIC_ID));
}

#[test]
fn counts_of_answers_are_checked() {
    for version in Produce::VERSIONS {
        let flexible = Api::Produce.is_flexible(version);
        let read = |body: &[u8]| read_body::<Produce>(version, body).err();
        let mut prefix = Vec::new();
        refuse_counts("topics", &prefix, flexible, read);
        prefix.length_prefix(1, flexible);
        put_topic(&mut prefix, version);
        refuse_counts("partitions", &prefix, flexible, read);
        if version >= 8 {
            prefix.length_prefix(1, flexible);
            prefix.raw(&[0; 30]);
            refuse_counts("records", &prefix, flexible, read);
        }
        if version >= 10 {
            // No topics, no throttling, a tagged field 0 of 100 bytes.
            let prefix = hex("01 00000000 01 00 64");
            refuse_counts("endpoints", &prefix, flexible, read);
        }
    }
}

#[test]
fn counts_of_requests_are_checked() {
    for version in Produce::VERSIONS {
        let flexible = Api::Produce.is_flexible(version);
        let read = |body: &[u8]| Produce::read(body, version).err();
        let mut prefix = Vec::new();
        prefix.nullable_string(None, flexible);
        prefix.int16(-1);
        prefix.int32(0);
        refuse_counts("topics", &prefix, flexible, read);
        prefix.length_prefix(1, flexible);
        put_topic(&mut prefix, version);
        refuse_counts("partitions", &prefix, flexible, read);
    }
}

#[test]
fn null_is_refused_where_there_is_none() {
    let name = hex("00000001  ffff  00000000  00000000");
    assert_eq!(read_body::<Produce>(8, &name), Err(Fault::UnexpectedNull));
    let name = hex("02  00 01 00  00000000 00");
    assert_eq!(read_body::<Produce>(9, &name), Err(Fault::UnexpectedNull));
    let topics = hex("ffff ffff 00000000  ffffffff");
    assert_eq!(Produce::read(&topics, 8), Err(Fault::UnexpectedNull));
    let topics = hex("00 ffff 00000000  00  00");
    assert_eq!(Produce::read(&topics, 9), Err(Fault::UnexpectedNull));
}
