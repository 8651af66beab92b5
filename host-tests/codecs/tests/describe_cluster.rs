//! DescribeCluster.

use codec_tests::describe_cluster::{DescribeCluster, Item};
use codec_tests::suite::{read_body, refuse_counts};
use codec_tests::{Answers, Codec, Requests, hex};
use ottla::error::Fault;
use ottla::message::ErrorCode;
use ottla::message::describe_cluster::broker::{Answer, Broker};

codec_tests::suite!(DescribeCluster);

fn answer(brokers: Vec<Broker<'static>>) -> Answer<'static> {
    Answer {
        throttle_ms: 0,
        error: ErrorCode::NONE,
        text: None,
        endpoint_type: 1,
        cluster_id: "c",
        controller: 1,
        brokers,
        authorized_operations: i32::MIN,
    }
}

#[test]
fn answer_vector() {
    let rack = Some("r");
    let ours = answer(vec![Broker { id: 1, host: "h", port: 9_092, rack, fenced: true }]);
    for (version, kind, fenced) in [(0, "", ""), (1, "01", ""), (2, "01", "01")] {
        let broker = format!("00000001 02 68 00002384 02 72 {fenced} 00");
        let expected = format!("00000000 0000 00 {kind} 02 63 00000001 02 {broker} 80000000 00");
        let mut body = Vec::new();
        ours.write(version, &mut body);
        assert_eq!(body, hex(&expected), "version {version}");
        let read = read_body::<DescribeCluster>(version, &body).unwrap();
        let broker = Item::Broker { id: 1, host: b"h".to_vec(), port: 9_092 };
        let cluster = Item::Cluster { id: b"c".to_vec(), controller: 1 };
        assert_eq!(read, [Item::Error(ErrorCode::NONE), cluster, broker]);
    }
}

/// The bounds that counts are checked against must not refuse the smallest elements.
#[test]
fn the_smallest_elements_are_read() {
    let answer = answer(vec![Broker::default(); 100]);
    for version in DescribeCluster::VERSIONS {
        let mut body = Vec::new();
        answer.write(version, &mut body);
        let items = DescribeCluster::items(&answer, version);
        assert_eq!(read_body::<DescribeCluster>(version, &body), Ok(items), "version {version}");
    }
}

#[test]
fn counts_of_answers_are_checked() {
    for version in DescribeCluster::VERSIONS {
        let kind = if version >= 1 { "01" } else { "" };
        let prefix = hex(&format!("00000000 0000 00 {kind} 02 63 00000001"));
        refuse_counts("brokers", &prefix, true, |body| {
            read_body::<DescribeCluster>(version, body).err()
        });
    }
}

#[test]
fn null_is_refused_where_there_is_none() {
    let id = hex("00000000 0000 00  00 00000001 01 80000000 00");
    assert_eq!(read_body::<DescribeCluster>(0, &id), Err(Fault::UnexpectedNull));
    let host = hex("00000000 0000 00  01 00000001 02 00000001 00 00002384 00 00 80000000 00");
    assert_eq!(read_body::<DescribeCluster>(0, &host), Err(Fault::UnexpectedNull));
    assert_eq!(DescribeCluster::read(&hex("00 01"), 1), Err(Fault::Truncated));
}
