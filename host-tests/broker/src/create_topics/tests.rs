use ottla::message::Api;
use ottla::message::create_topics::{NewTopic as Wanted, request};
use ottla::wire::write::Put;

use crate::testing::Client;
use crate::{Config, NewTopic, Profile};

fn ask(client: &mut Client, name: &str, partitions: i32, replication: i16) -> i16 {
    let topics = [Wanted { name, partitions, replication, configs: &[] }];
    client.create_topics(7, |out| request(out, 7, &topics, 1_000))[0].2
}

/// A request with an assignment.
fn assign(
    client: &mut Client,
    partitions: i32,
    replication: i16,
    assignment: &[(i32, &[i32])],
) -> i16 {
    let told = client.create_topics(2, |out| {
        out.int32(1);
        out.string(b"assigned", false);
        out.int32(partitions);
        out.int16(replication);
        out.int32(assignment.len() as i32);
        for (index, nodes) in assignment {
            out.int32(*index);
            out.int32(nodes.len() as i32);
            for node in *nodes {
                out.int32(*node);
            }
        }
        out.int32(0);
        out.int32(1_000);
        out.boolean(false);
    });
    told[0].2
}

#[test]
fn a_topic_is_made_in_every_version() {
    for version in 2..=7 {
        let mut client = Client::with(Config::new(3));
        let configs = &[("retention.ms", "1000")];
        let topics = [Wanted { name: "new", partitions: 4, replication: 2, configs }];
        let told = client.create_topics(version, |out| request(out, version, &topics, 1_000));
        let id = client.cluster.topic_id("new").unwrap();
        let shown = if version >= 7 { id } else { [0; 16] };
        assert_eq!(told, [("new".to_string(), shown, 0, String::new())], "version {version}");
        assert_eq!(client.cluster.partition_count("new"), 4);
        let leaders: Vec<_> = (0..4).map(|p| client.cluster.leader("new", p).unwrap()).collect();
        assert_eq!(leaders, [1, 2, 3, 1]);
        assert_eq!(client.cluster.in_sync("new", 2), [1, 3]);
    }
}

#[test]
fn defaults_are_the_clusters() {
    let config = Config { default_partitions: 3, default_replication: 2, ..Config::new(2) };
    let mut client = Client::with(config);
    assert_eq!(ask(&mut client, "new", -1, -1), 0);
    assert_eq!(client.cluster.partition_count("new"), 3);
    assert_eq!(client.cluster.in_sync("new", 0), [1, 2]);
}

/// KIP-464.
#[test]
fn defaults_are_not_for_clients_of_2_1() {
    for profile in [Profile::V2_1, Profile::V2_4] {
        let mut client = Client::with(Config { profile, ..Config::new(1) });
        for (partitions, replication, code) in [(-1, 1, 37), (1, -1, 38)] {
            let name = format!("t{code}");
            let topics = [Wanted { name: &name, partitions, replication, configs: &[] }];
            let told = client.create_topics(3, |out| request(out, 3, &topics, 1_000));
            assert_eq!(told[0].2, if profile == Profile::V2_1 { code } else { 0 }, "{profile}");
        }
    }
}

/// By the bytes, as the client's direction passes them over. KIP-525.
#[test]
fn the_settings_of_a_new_topic_are_told() {
    let mut client = Client::new();
    let configs = &[("retention.ms", "1000")];
    let topics = [Wanted { name: "new", partitions: 1, replication: 1, configs }];
    let body = client.ask(Api::CreateTopics, 5, |out| request(out, 5, &topics, 1_000));
    let has = |part: &[u8]| body.windows(part.len()).any(|window| window == part);
    assert!(has(b"\x0dretention.ms\x051000\x00\x01\x00\x00"), "from the topic");
    assert!(has(b"\x10retention.bytes\x03-1\x00\x05\x00\x00"), "by default");
}

#[test]
fn numbers_and_names_are_checked() {
    let mut client = Client::new();
    for (name, partitions, replication, code) in [
        ("a b", 1, 1, 17),
        ("", 1, 1, 17),
        ("t", 1, 1, 36),
        ("zero", 0, 1, 37),
        ("negative", -2, 1, 37),
        ("many", 10_001, 1, 44),
        ("zero", 1, 0, 38),
        ("negative", 1, -2, 38),
        ("a.b", 1, 1, 0),
        ("a_b", 1, 1, 17),
    ] {
        assert_eq!(ask(&mut client, name, partitions, replication), code, "{name} {partitions}");
    }
}

#[test]
fn a_replication_factor_above_the_nodes_is_clamped_or_refused() {
    for (clamp_replication, code) in [(true, 0), (false, 38)] {
        let mut client = Client::with(Config { clamp_replication, ..Config::new(2) });
        assert_eq!(ask(&mut client, "new", 1, 3), code);
        let replicas = client.cluster.in_sync("new", 0).len();
        assert_eq!(replicas, if clamp_replication { 2 } else { 0 });
    }
}

#[test]
fn assignments_are_checked() {
    let mut client = Client::with(Config::new(3));
    for (partitions, replication, assignment, code) in [
        (1, -1, &[(0, &[1][..])][..], 42),
        (-1, 1, &[(0, &[1])], 42),
        (-1, -1, &[(1, &[1])], 39),
        (-1, -1, &[(0, &[1]), (0, &[2])], 39),
        (-1, -1, &[(0, &[1, 1])], 39),
        (-1, -1, &[(0, &[9])], 39),
        (-1, -1, &[(0, &[])], 39),
        (-1, -1, &[(0, &[1, 2]), (1, &[3])], 39),
        (-1, -1, &[(1, &[3, 1]), (0, &[2, 3])], 0),
    ] {
        assert_eq!(assign(&mut client, partitions, replication, assignment), code);
    }
    assert_eq!(client.cluster.leader("assigned", 0), Some(2));
    assert_eq!(client.cluster.leader("assigned", 1), Some(3));
}

#[test]
fn settings_are_checked() {
    let mut client = Client::new();
    for configs in [[("no.such.setting", "1")], [("min.insync.replicas", "none")]] {
        let topics = [Wanted { name: "new", partitions: 1, replication: 1, configs: &configs }];
        let told = client.create_topics(7, |out| request(out, 7, &topics, 1_000));
        assert_eq!(told[0].2, 40);
        assert!(told[0].3.contains(configs[0].0), "{}", told[0].3);
    }
    let null = client.create_topics(2, |out| {
        out.int32(1);
        out.string(b"new", false);
        out.int32(1);
        out.int16(1);
        out.int32(0);
        out.int32(1);
        out.string(b"retention.ms", false);
        out.nullable_string(None, false);
        out.int32(1_000);
        out.boolean(false);
    });
    assert_eq!(null[0].2, 40);
}

#[test]
fn a_name_that_stands_twice_is_refused_once_and_the_others_are_made() {
    let mut client = Client::new();
    let wanted = |name| Wanted { name, partitions: 1, replication: 1, configs: &[] };
    let topics = [wanted("twice"), wanted("once"), wanted("twice")];
    let told = client.create_topics(7, |out| request(out, 7, &topics, 1_000));
    let codes: Vec<_> = told.iter().map(|t| (t.0.as_str(), t.2)).collect();
    assert_eq!(codes, [("twice", 42), ("once", 0)]);
}

#[test]
fn a_check_makes_nothing() {
    let mut client = Client::new();
    let mut validate = |name: &str| {
        let told = client.create_topics(2, |out| {
            out.int32(1);
            out.string(name.as_bytes(), false);
            out.int32(2);
            out.int16(1);
            out.int32(0);
            out.int32(0);
            out.int32(1_000);
            out.boolean(true);
        });
        told[0].2
    };
    assert_eq!((validate("new"), validate("new"), validate("t")), (0, 0, 36));
    assert_eq!(client.cluster.topic_id("new"), None);
}

#[test]
fn without_time_to_wait_it_is_made_all_the_same() {
    let mut client = Client::new();
    let topics = [Wanted { name: "new", partitions: 1, replication: 1, configs: &[] }];
    assert_eq!(client.create_topics(7, |out| request(out, 7, &topics, 0))[0].2, 7);
    assert!(client.cluster.topic_id("new").is_some());
}

#[test]
fn the_same_by_a_call() {
    let mut client = Client::new();
    let refused = client.cluster.create_topic(&NewTopic::new("t", 1, 1)).unwrap_err();
    assert_eq!(refused.0.0, 36);
    let assigned = NewTopic::assigned("u", &[&[1], &[1]]);
    client.cluster.create_topic(&assigned).unwrap();
    assert_eq!(client.cluster.partition_count("u"), 2);
}
