//! Metadata.

use codec_tests::metadata::{Item, Metadata};
use codec_tests::suite::{read_body, refuse_counts};
use codec_tests::{Answers, Codec, Outcome, Requests, hex, read_answers};
use ottla::error::Fault;
use ottla::message::metadata::broker::{Answer, Broker, Partition, Topic};
use ottla::message::{Api, ErrorCode};
use ottla::wire::input::CARRY;
use ottla::wire::write::Put;

codec_tests::suite!(Metadata);

#[test]
fn a_large_cluster_passes_through_512_bytes() {
    let hosts: Vec<String> = (0..300).map(|id| format!("broker-{id}.kafka.example.org")).collect();
    let names: Vec<String> = (0..40).map(|number| format!("topic-{number}")).collect();
    let broker = |(id, host)| Broker { id, host, port: 9_092, rack: Some("rack") };
    let partition = |index: i32| {
        let replicas: Vec<i32> = (0..3).map(|replica| (index + replica) % 300).collect();
        let (leader, leader_epoch, in_sync) = (replicas[0], index % 7, replicas.clone());
        let (error, offline) = (ErrorCode::NONE, Vec::new());
        Partition { error, index, leader, leader_epoch, replicas, in_sync, offline }
    };
    let topic = |name| Topic {
        name: Some(name),
        id: [9; 16],
        partitions: (0..250).map(partition).collect(),
        ..Topic::default()
    };
    let answer = Answer {
        brokers: (0..).zip(hosts.iter().map(String::as_str)).map(broker).collect(),
        topics: names.iter().map(String::as_str).map(topic).collect(),
        ..Answer::default()
    };
    for version in Metadata::VERSIONS {
        let bytes = Metadata::frame(&answer, version);
        let items = Metadata::items(&answer, version);
        let partitions = items.iter().filter(|item| matches!(item, Item::Partition { .. }));
        assert_eq!(partitions.count(), 10_000);
        let expected = Outcome::whole(items);
        for window in [512, 511, 97] {
            let read = read_answers::<Metadata>(version, bytes.chunks(window));
            assert!(read == expected, "version {version}, {window} bytes at once");
        }
    }
}

/// The longest atom has a limit, which is the same wherever a frame is cut.
#[test]
fn a_host_name_is_too_long_or_not_however_it_is_cut() {
    // In the same atom: the id, the length in two bytes, and the port.
    let longest = CARRY - 10;
    for (length, fault) in [
        (255, None),
        (longest, None),
        (longest + 1, Some(Fault::FieldTooLong)),
        (1_000, Some(Fault::FieldTooLong)),
    ] {
        let host = "h".repeat(length);
        let brokers = vec![Broker { host: &host, ..Broker::default() }];
        let answer = Answer { brokers, ..Answer::default() };
        for version in Metadata::VERSIONS {
            let bytes = Metadata::frame(&answer, version);
            for cut in 0..=bytes.len() {
                let (head, tail) = bytes.split_at(cut);
                let read = read_answers::<Metadata>(version, [head, tail]);
                assert_eq!(read.fault, fault, "{length} bytes cut at {cut} in version {version}");
            }
        }
    }
}

/// The bounds that counts are checked against must not refuse the smallest elements.
#[test]
fn the_smallest_elements_are_read() {
    let topic = |partitions| Topic { name: Some(""), partitions, ..Topic::default() };
    let many_brokers = Answer { brokers: vec![Broker::default(); 100], ..Answer::default() };
    let many_topics = Answer { topics: vec![topic(Vec::new()); 100], ..Answer::default() };
    let partitions = vec![Partition::default(); 100];
    let many_partitions = Answer { topics: vec![topic(partitions)], ..Answer::default() };
    for version in Metadata::VERSIONS {
        for answer in [&many_brokers, &many_topics, &many_partitions] {
            let mut body = Vec::new();
            answer.write(version, &mut body);
            let items = Metadata::items(answer, version);
            assert_eq!(read_body::<Metadata>(version, &body), Ok(items), "version {version}");
        }
    }
}

#[test]
fn counts_of_answers_are_checked() {
    for version in Metadata::VERSIONS {
        let flexible = Api::Metadata.is_flexible(version);
        let read = |body: &[u8]| read_body::<Metadata>(version, body).err();
        let zeros = |count, since| vec![0; if version >= since { count } else { 0 }];
        // Throttle time.
        let mut prefix = zeros(4, 3);
        refuse_counts("brokers", &prefix, flexible, read);
        prefix.length_prefix(0, flexible);
        if version >= 2 {
            prefix.nullable_string(None, flexible);
        }
        // Controller.
        prefix.extend(zeros(4, 1));
        refuse_counts("topics", &prefix, flexible, read);
        prefix.length_prefix(1, flexible);
        prefix.int16(0);
        prefix.string(b"t", flexible);
        // Topic id, and whether it is internal.
        prefix.extend(zeros(16, 10));
        prefix.extend(zeros(1, 1));
        refuse_counts("partitions", &prefix, flexible, read);
        prefix.length_prefix(1, flexible);
        // Error, index, leader and its epoch.
        prefix.raw(&[0; 10]);
        prefix.extend(zeros(4, 7));
        refuse_counts("replicas", &prefix, flexible, read);
        prefix.length_prefix(0, flexible);
        refuse_counts("replicas in sync", &prefix, flexible, read);
        if version >= 5 {
            prefix.length_prefix(2, flexible);
            prefix.raw(&[0; 8]);
            refuse_counts("replicas offline", &prefix, flexible, read);
        }
    }
}

#[test]
fn counts_of_requests_are_checked() {
    for version in Metadata::VERSIONS {
        let flexible = Api::Metadata.is_flexible(version);
        refuse_counts("topics", &[], flexible, |body| Metadata::read(body, version).err());
    }
}

/// "All topics" is null, and in version 0 an empty list.
#[test]
fn all_topics_can_be_asked_for() {
    for (version, body, all) in [
        (0, "00000000", true),
        (1, "ffffffff", true),
        (1, "00000000", false),
        (4, "ffffffff 01", true),
        (8, "ffffffff 01 00 00", true),
        (9, "00 01 00 00 00", true),
        (12, "00 01 00 00", true),
        (12, "01 01 00 00", false),
    ] {
        let body = hex(body);
        let topics = Metadata::read(&body, version).unwrap().topics;
        assert_eq!(topics, if all { None } else { Some(Vec::new()) }, "version {version}");
    }
}

#[test]
fn a_host_is_not_null() {
    let host = hex("00000001  00000001 ffff 00002384 ffff  ffff 00000000 00000000");
    assert_eq!(read_body::<Metadata>(2, &host), Err(Fault::UnexpectedNull));
    let host = hex("00000000  02  00000001 00 00002384 00 00  00 00000000 01 00000000 00");
    assert_eq!(read_body::<Metadata>(9, &host), Err(Fault::UnexpectedNull));
}

#[test]
fn a_topic_that_is_asked_for_has_a_name_below_version_10() {
    let body = hex("00000001 ffff");
    assert_eq!(Metadata::read(&body, 0), Err(Fault::UnexpectedNull));
    let body = hex("02 00000000000000000000000000000000 00 00 01 00 00 00");
    assert!(Metadata::read(&body, 10).is_ok());
}
