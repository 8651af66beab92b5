use ottla::message::ErrorCode;
use ottla::message::create_partitions::{request_end, request_start, request_topic};

use crate::testing::{Client, batch};
use crate::{Action, Config, NewTopic};

/// A name, the partitions that there are to be, and their nodes.
type Wanted<'a> = (&'a str, i32, Option<&'a [&'a [i32]]>);

/// Name, code and text of each.
fn ask(
    client: &mut Client,
    version: i16,
    timeout_ms: i32,
    validate_only: bool,
    topics: &[Wanted<'_>],
) -> Vec<(String, i16, String)> {
    client.create_partitions(version, |out| {
        request_start(out, version, topics.len() as u32);
        for (name, total, assignments) in topics {
            request_topic(out, version, name.as_bytes(), *total, *assignments);
        }
        request_end(out, version, timeout_ms, validate_only);
    })
}

/// The code for one topic.
fn code(client: &mut Client, name: &str, total: i32, nodes: Option<&[&[i32]]>) -> i16 {
    ask(client, 3, 1_000, false, &[(name, total, nodes)])[0].1
}

#[test]
fn partitions_are_added_in_every_version() {
    for version in 0..=3 {
        let mut client = Client::with(Config::new(3));
        client.cluster.create_topic(&NewTopic::new("t", 2, 2)).unwrap();
        client.produce(&[(0, &batch(0, 0, 1))]);
        let told = ask(&mut client, version, 1_000, false, &[("t", 5, None)]);
        assert_eq!(told, [("t".to_string(), 0, String::new())], "version {version}");
        let leaders: Vec<_> = (0..5).map(|p| client.cluster.leader("t", p).unwrap()).collect();
        assert_eq!(leaders, [1, 2, 3, 1, 2]);
        assert_eq!(client.cluster.in_sync("t", 4), [2, 3], "as many replicas as the others");
        let ends: Vec<_> = (0..5).map(|p| client.cluster.log_end("t", p).unwrap()).collect();
        assert_eq!(ends, [1, 0, 0, 0, 0], "those that there were keep what they have");
    }
}

#[test]
fn only_more_partitions_of_a_topic_that_is_there() {
    let mut client = Client::new();
    for (name, total, expected) in [
        ("u", 3, 3),
        ("a b", 3, 3),
        ("t", 2, 37),
        ("t", 1, 37),
        ("t", 0, 37),
        ("t", -1, 37),
        ("t", 10_001, 44),
        ("t", 3, 0),
    ] {
        assert_eq!(code(&mut client, name, total, None), expected, "{name} {total}");
    }
    assert_eq!(client.cluster.partition_count("t"), 3);
}

#[test]
fn assignments_are_checked() {
    let mut client = Client::with(Config::new(3));
    client.cluster.create_topic(&NewTopic::new("t", 1, 2)).unwrap();
    for (nodes, expected) in [
        (&[][..], 39),
        (&[&[1, 2][..]], 39),
        (&[&[1, 2], &[2, 3], &[3, 1]], 39),
        (&[&[1, 2], &[2]], 39),
        (&[&[1, 2], &[]], 39),
        (&[&[1], &[2]], 39),
        (&[&[1, 1], &[2, 3]], 39),
        (&[&[1, 2], &[2, 9]], 39),
        (&[&[3, 1], &[2, 3]], 0),
    ] {
        assert_eq!(code(&mut client, "t", 3, Some(nodes)), expected, "{nodes:?}");
    }
    assert_eq!((client.cluster.leader("t", 1), client.cluster.leader("t", 2)), (Some(3), Some(2)));
    assert_eq!(client.cluster.in_sync("t", 1), [1, 3]);
}

#[test]
fn a_check_adds_nothing_and_no_time_adds_all_the_same() {
    let mut client = Client::new();
    let told = ask(&mut client, 3, 1_000, true, &[("t", 5, None), ("u", 5, None)]);
    assert_eq!((told[0].1, told[1].1), (0, 3));
    assert_eq!(client.cluster.partition_count("t"), 2);
    assert_eq!(ask(&mut client, 3, 0, false, &[("t", 5, None)])[0].1, 7);
    assert_eq!(client.cluster.partition_count("t"), 5);
}

#[test]
fn a_name_that_stands_twice_is_refused_once() {
    let mut client = Client::new();
    client.cluster.create_topic(&NewTopic::new("u", 1, 1)).unwrap();
    let told = ask(&mut client, 3, 1_000, false, &[("t", 5, None), ("u", 2, None), ("t", 6, None)]);
    let codes: Vec<_> = told.iter().map(|t| (t.0.as_str(), t.1)).collect();
    assert_eq!(codes, [("t", 42), ("u", 0)]);
    assert!(told[0].2.contains("twice"), "{}", told[0].2);
}

#[test]
fn new_partitions_take_records() {
    let mut client = Client::new();
    assert_eq!(code(&mut client, "t", 3, None), 0);
    assert_eq!(client.produce(&[(2, &batch(0, 0, 2))])[0].error, 0);
    assert_eq!(client.cluster.log_end("t", 2), Some(2));
}

#[test]
fn the_admin_hook_decides() {
    for (action, partitions) in
        [(Action::Refuse(ErrorCode(41)), 2), (Action::AnswerAfter(ErrorCode(41)), 3)]
    {
        let mut client = Client::new();
        client.cluster.set_admin_hook(move |_| action.clone());
        assert_eq!(code(&mut client, "t", 3, None), 41);
        assert_eq!(client.cluster.partition_count("t"), partitions);
    }
}
