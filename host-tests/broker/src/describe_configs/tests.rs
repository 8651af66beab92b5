use ottla::message::ErrorCode;
use ottla::message::describe_configs::{
    BROKER, TOPIC, request_end, request_resource, request_start,
};
use ottla::wire::write::Put;

use crate::testing::{Client, Told};
use crate::{Action, Config, NewTopic, Profile};

fn ask(
    client: &mut Client,
    version: i16,
    kind: i8,
    name: &str,
    settings: Option<&[&str]>,
) -> Vec<String> {
    client.describe_configs(version, |out| {
        request_start(out, version, 1);
        request_resource(out, version, kind, name.as_bytes(), settings);
        request_end(out, version);
    })
}

/// A topic with settings of its own, in a cluster with settings of its own.
fn client(profile: Profile) -> Client {
    let mut client = Client::with(Config { min_in_sync: 2, profile, ..Config::new(1) });
    let topic = NewTopic::new("t", 1, 1).config("cleanup.policy", "compact");
    client.cluster.create_topic(&topic.config("retention.ms", "1000")).unwrap();
    client
}

#[test]
fn a_setting_is_of_the_topic_of_the_broker_or_the_default_in_every_version() {
    let names = ["cleanup.policy", "min.insync.replicas", "retention.bytes", "no.such"];
    for version in 1..=4 {
        let lines = ask(&mut client(Profile::Newest), version, TOPIC, "t", Some(&names));
        let expected = [
            "resource 2 t 0",
            "cleanup.policy = compact from 1",
            "min.insync.replicas = 2 from 4",
            "retention.bytes = -1 from 5",
        ];
        assert_eq!(lines, expected, "version {version}");
    }
}

#[test]
fn no_names_are_all_names() {
    let mut client = client(Profile::Newest);
    let all = ask(&mut client, 4, TOPIC, "t", None);
    assert_eq!(ask(&mut client, 4, TOPIC, "t", Some(&[])), all);
    assert!(all.contains(&"retention.ms = 1000 from 1".to_string()), "{all:?}");
    assert!(all.contains(&"max.message.bytes = 1048588 from 5".to_string()), "{all:?}");
    assert_eq!(all.len(), 32);
}

#[test]
fn an_older_kafka_has_fewer() {
    for (profile, count) in [(Profile::V2_1, 22), (Profile::V2_8, 23), (Profile::V3_9, 31)] {
        let lines = ask(&mut client(profile), 1, TOPIC, "t", None);
        assert_eq!(lines.len() - 1, count, "{profile}: {lines:?}");
        assert_eq!(lines.iter().any(|line| line.starts_with("local.")), profile == Profile::V3_9);
    }
}

#[test]
fn a_node_tells_its_own_settings() {
    let mut client = client(Profile::Newest);
    let names = ["node.id", "num.partitions", "min.insync.replicas", "advertised.listeners"];
    let lines = ask(&mut client, 4, BROKER, "1", Some(&names));
    let expected = [
        "resource 4 1 0",
        "advertised.listeners = L0://node1:9092 from 4, read only",
        "min.insync.replicas = 2 from 4, read only",
        "node.id = 1 from 4, read only",
        "num.partitions = 1 from 5, read only",
    ];
    assert_eq!(lines, expected);
    assert_eq!(ask(&mut client, 4, BROKER, "", None), ["resource 4  0"]);
}

#[test]
fn resources_are_checked() {
    let mut client = client(Profile::Newest);
    for (kind, name, code) in [
        (TOPIC, "u", 3),
        (TOPIC, "a b", 17),
        (BROKER, "2", 42),
        (BROKER, "one", 42),
        (8, "1", 0),
        (16, "m", 0),
        (32, "g", 0),
        (0, "x", 42),
        (9, "x", 42),
    ] {
        let lines = ask(&mut client, 4, kind, name, None);
        assert_eq!(lines, [format!("resource {kind} {name} {code}")]);
    }
}

/// By the bytes, as no client of ours asks for them.
#[test]
fn synonyms_and_documentation_are_told_if_they_are_wanted() {
    for (wanted, synonyms, documentation) in [(false, 0, false), (true, 3, true)] {
        let mut client = client(Profile::Newest);
        let topic = NewTopic::new("u", 1, 1).config("min.insync.replicas", "3");
        client.cluster.create_topic(&topic).unwrap();
        let told = client.request(32, 4, 77, |out| {
            request_start(out, 4, 1);
            request_resource(out, 4, TOPIC, b"u", Some(&["min.insync.replicas"]));
            out.boolean(wanted);
            out.boolean(wanted);
            out.no_tags(true);
        });
        let Told::Answer(frame) = told else { panic!("{told:?}") };
        let count =
            |part: &[u8]| frame.windows(part.len()).filter(|window| *window == part).count();
        assert_eq!(count(b"min.insync.replicas"), 1 + synonyms);
        assert_eq!(count(b"acks=all is refused") > 0, documentation);
        let values = [&b"\x023\x01"[..], b"\x022\x04", b"\x021\x05"];
        assert!(!wanted || values.iter().all(|value| count(value) == 1), "{frame:?}");
    }
}

#[test]
fn the_code_of_a_hook() {
    let mut client = client(Profile::Newest);
    client.cluster.set_admin_hook(|_| Action::Refuse(ErrorCode(41)));
    assert_eq!(ask(&mut client, 4, TOPIC, "t", None), ["resource 2 t 41"]);
}
