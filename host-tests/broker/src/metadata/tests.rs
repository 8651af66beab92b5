use ottla::message::metadata::{request_end, request_start, request_topic};
use ottla::wire::write::Put;

use crate::testing::{Client, Told, request};
use crate::{Address, AutoCreate, Closed, Config, NewTopic, Node, Profile};

fn by_name(client: &mut Client, version: i16, names: &[&str], create: bool) -> Vec<String> {
    client.metadata(version, |out| {
        request_start(out, version, names.len() as u32);
        for name in names {
            request_topic(out, version, name.as_bytes());
        }
        request_end(out, version, create);
    })
}

fn by_id(client: &mut Client, version: i16, name: Option<&str>, id: [u8; 16]) -> Vec<String> {
    client.metadata(version, |out| {
        request_start(out, version, 1);
        out.raw(&id);
        out.nullable_string(name.map(str::as_bytes), true);
        out.no_tags(true);
        request_end(out, version, true);
    })
}

fn three_nodes() -> Client {
    let mut client = Client::with(Config::new(3));
    client.cluster.create_topic(&NewTopic::new("t", 2, 3)).unwrap();
    client
}

#[test]
fn nodes_leaders_and_epochs_in_every_version() {
    for version in 0..=13 {
        let mut client = three_nodes();
        client.cluster.move_leader(0, "t", 1, 3).unwrap();
        let id = if version >= 10 { " id" } else { "" };
        let epochs = if version >= 7 { [0, 1] } else { [-1, -1] };
        let expected = [
            "broker 1 node1:9092".to_string(),
            "broker 2 node2:9093".to_string(),
            "broker 3 node3:9094".to_string(),
            format!("topic t 0{id}"),
            format!("partition 0 0 1@{}", epochs[0]),
            format!("partition 1 0 3@{}", epochs[1]),
        ];
        assert_eq!(by_name(&mut client, version, &["t"], false), expected, "version {version}");
    }
}

#[test]
fn all_topics_are_an_empty_list_in_version_0_and_null_later() {
    let mut client = three_nodes();
    client.cluster.create_topic(&NewTopic::new("a", 1, 1)).unwrap();
    let topics = |lines: Vec<String>| lines.iter().filter(|l| l.starts_with("topic")).count();
    assert_eq!(topics(by_name(&mut client, 0, &[], true)), 2);
    assert_eq!(topics(by_name(&mut client, 1, &[], true)), 0);
    let all = client.metadata(1, |out| out.int32(-1));
    assert_eq!(all[3..5], ["topic a 0", "partition 0 0 1@-1"]);
    assert_eq!(topics(all), 2);
}

#[test]
fn topics_are_made_when_all_allow_it() {
    for (auto_create, allowed, codes) in [
        (AutoCreate::AtOnce, true, [0, 0]),
        (AutoCreate::ForNextTime, true, [3, 0]),
        (AutoCreate::No, true, [3, 3]),
        (AutoCreate::AtOnce, false, [3, 3]),
    ] {
        let mut client = Client::with(Config { auto_create, ..Config::new(1) });
        for code in codes {
            let lines = by_name(&mut client, 9, &["new"], allowed);
            assert_eq!(lines[1], format!("topic new {code}"), "{auto_create:?} {allowed}");
            assert_eq!(lines.len(), if code == 0 { 3 } else { 2 });
        }
    }
    // Below version 4 nobody can forbid it.
    assert_eq!(by_name(&mut Client::new(), 3, &["new"], false)[1], "topic new 0");
}

/// ZooKeeper's brokers said that a topic had no leader yet.
#[test]
fn a_topic_that_is_being_made_is_answered_5_by_older_brokers() {
    for profile in Profile::ALL {
        let auto_create = AutoCreate::ForNextTime;
        let mut client = Client::with(Config { auto_create, profile, ..Config::new(1) });
        let code = if profile < Profile::V3_9 { 5 } else { 3 };
        for code in [code, 0] {
            let lines = by_name(&mut client, 7, &["new"], true);
            assert_eq!(lines[1], format!("topic new {code}"), "{profile}");
        }
    }
}

#[test]
fn names_that_no_topic_can_have() {
    let mut client = Client::new();
    let lines = by_name(&mut client, 9, &["a b", "t", ".", "t_x", "t.x"], true);
    let topics: Vec<_> = lines.iter().filter(|line| line.starts_with("topic")).collect();
    assert_eq!(topics, ["topic a b 17", "topic t 0", "topic . 17", "topic t_x 0", "topic t.x 17"]);
    assert_eq!(client.cluster.topic_names().count(), 2);
}

#[test]
fn topics_are_found_by_id_from_version_12_on() {
    let mut client = Client::new();
    let id = client.cluster.topic_id("t").unwrap();
    assert_eq!(by_id(&mut client, 12, None, id)[1], "topic t 0 id");
    assert_eq!(by_id(&mut client, 12, None, [9; 16])[1], "topic  100 id");
    for (version, name, id) in
        [(10, None, [0; 16]), (11, None, id), (11, Some("t"), id), (12, None, [0; 16])]
    {
        let lines = by_id(&mut client, version, name, id);
        assert!(lines[0].contains(" 42"), "{version} {name:?} {lines:?}");
    }
    let lines = by_id(&mut client, 13, None, [0; 16]);
    assert_eq!(lines, ["topic  42", "error 42"]);
}

#[test]
fn below_version_10_a_null_name_is_malformed() {
    let mut client = Client::new();
    let told = client.request(3, 9, 77, |out| {
        request_start(out, 9, 1);
        out.nullable_string(None, true);
        out.no_tags(true);
        request_end(out, 9, true);
    });
    assert!(matches!(told, Told::Closed(Closed::Malformed(_))), "{told:?}");
}

#[test]
fn each_listener_tells_its_own_addresses() {
    let address = |host: &str, port| Address { host: host.to_string(), port };
    let node = |id, listeners| Node { id, rack: Some("r".to_string()), listeners };
    let nodes = vec![
        node(5, vec![address("inside", 1), address("outside", 2)]),
        node(6, vec![address("inside", 3)]),
    ];
    let mut client = Client::with(Config { nodes, ..Config::new(1) });
    client.cluster.create_topic(&NewTopic::assigned("t", &[&[5], &[6]])).unwrap();
    let mut lines = |node, listener, version| {
        client.connection = client.cluster.connect_by(0, node, listener).unwrap();
        by_name(&mut client, version, &["t"], false)
    };
    assert_eq!(lines(6, 0, 9)[..2], ["broker 5 inside:1", "broker 6 inside:3"]);
    let outside = lines(5, 1, 9);
    assert_eq!(outside[0], "broker 5 outside:2");
    assert_eq!(outside[2..], ["partition 0 0 5@0", "partition 1 72 -1@0"]);
    assert_eq!(lines(5, 1, 5)[3], "partition 1 5 -1@-1");
    assert_eq!(client.cluster.connect_by(0, 6, 1), None);
}

#[test]
fn a_dead_node_is_not_listed_and_leads_nothing() {
    let mut client = three_nodes();
    client.cluster.create_topic(&NewTopic::assigned("u", &[&[2]])).unwrap();
    client.cluster.kill(0, 2).unwrap();
    let lines = by_name(&mut client, 9, &["t", "u"], false);
    assert_eq!(
        lines,
        [
            "broker 1 node1:9092",
            "broker 3 node3:9094",
            "topic t 0",
            "partition 0 0 1@0",
            "partition 1 0 3@1",
            "topic u 0",
            "partition 0 5 -1@1",
        ]
    );
}

#[test]
fn replicas_in_sync_and_offline_stand_in_the_answer() {
    let mut client = three_nodes();
    client.cluster.kill(0, 3).unwrap();
    let told = client.request(3, 5, 77, |out| {
        request_start(out, 5, 1);
        request_topic(out, 5, b"t");
        request_end(out, 5, false);
    });
    let Told::Answer(frame) = told else { panic!("{told:?}") };
    let lists: Vec<u8> = [3, 1, 2, 3, 2, 1, 2, 1, 3]
        .into_iter()
        .flat_map(|number: i32| number.to_be_bytes())
        .collect();
    assert!(frame.windows(lists.len()).any(|window| window == lists), "{frame:?}");
}

#[test]
fn an_internal_topic_says_so() {
    let mut client = Client::new();
    let mut flag = |name: &str| {
        client.send(&request(3, 1, 77, |out| {
            request_start(out, 1, 1);
            request_topic(out, 1, name.as_bytes());
        }));
        let Told::Answer(frame) = client.told() else { panic!("no answer") };
        let at = frame.windows(name.len()).position(|w| w == name.as_bytes()).unwrap();
        frame[at + name.len()]
    };
    assert_eq!((flag("__consumer_offsets"), flag("__mine")), (1, 0));
}
