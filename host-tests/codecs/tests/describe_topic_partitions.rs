//! DescribeTopicPartitions.

use codec_tests::describe_topic_partitions::{DescribeTopicPartitions, Item};
use codec_tests::suite::{read_body, refuse_counts};
use codec_tests::{Answers, Requests, hex};
use ottla::error::Fault;
use ottla::message::describe_topic_partitions::broker::{Answer, Partition, Request, Topic};
use ottla::message::{ErrorCode, describe_topic_partitions as codec};

codec_tests::suite!(DescribeTopicPartitions);

fn topic(partitions: Vec<Partition>) -> Topic<'static> {
    Topic {
        error: ErrorCode::NONE,
        name: None,
        id: [0; 16],
        internal: false,
        partitions,
        authorized_operations: i32::MIN,
    }
}

/// The one structure of the protocol's client side that may be null has a byte before it.
#[test]
fn cursors_may_be_null() {
    for (from, bytes) in [(None, "ff"), (Some((&b"t"[..], 7)), "01 02 74 00000007 00")] {
        let body = hex(&format!("02 02 75 00  000007d0  {bytes} 00"));
        let expected = Request { topics: vec![b"u"], partitions: 2_000, from };
        assert_eq!(DescribeTopicPartitions::read(&body, 0), Ok(expected));
        let mut ours = Vec::new();
        codec::request_start(&mut ours, 1);
        codec::request_topic(&mut ours, b"u");
        codec::request_end(&mut ours, 2_000, from);
        assert_eq!(ours, body);
    }
    for (next, items) in [
        ("ff", vec![]),
        ("01 02 74 00000007 00", vec![Item::Next { topic: b"t".to_vec(), partition: 7 }]),
    ] {
        let body = hex(&format!("00000000 01 {next} 00"));
        assert_eq!(read_body::<DescribeTopicPartitions>(0, &body), Ok(items));
    }
}

/// The bounds that counts are checked against must not refuse the smallest elements.
#[test]
fn the_smallest_elements_are_read() {
    for topics in [vec![topic(Vec::new()); 100], vec![topic(vec![Partition::default(); 100])]] {
        let answer = Answer { topics, ..Answer::default() };
        let mut body = Vec::new();
        answer.write(&mut body);
        let items = DescribeTopicPartitions::items(&answer, 0);
        assert_eq!(read_body::<DescribeTopicPartitions>(0, &body), Ok(items));
    }
}

#[test]
fn counts_of_answers_are_checked() {
    let read = |body: &[u8]| read_body::<DescribeTopicPartitions>(0, body).err();
    refuse_counts("topics", &[0; 4], true, read);
    let topic = hex(&format!("00000000 02 0000 02 74 {} 00", "00".repeat(16)));
    refuse_counts("partitions", &topic, true, read);
    let mut lists = [topic, hex("02 0000 00000000 00000000 00000000")].concat();
    for list in ["replicas", "in sync", "eligible", "last eligible", "offline"] {
        refuse_counts(list, &lists, true, read);
        lists.push(1);
    }
}

#[test]
fn counts_of_requests_are_checked() {
    refuse_counts("topics", &[], true, |body| DescribeTopicPartitions::read(body, 0).err());
}

#[test]
fn null_is_refused_where_there_is_none() {
    let topics = DescribeTopicPartitions::read(&hex("00 00000001 ff 00"), 0).err();
    assert_eq!(topics, Some(Fault::UnexpectedNull));
    let next = read_body::<DescribeTopicPartitions>(0, &hex("00000000 01 01 00 00000000 00 00"));
    assert_eq!(next, Err(Fault::UnexpectedNull));
}
