use ottla::message::ErrorCode;
use ottla::message::describe_configs as describe;
use ottla::message::describe_configs::{BROKER, TOPIC};
use ottla::message::incremental_alter_configs::{
    Operation, request_end, request_resource, request_resource_end, request_setting, request_start,
};
use ottla::wire::write::Put;

use crate::testing::{Client, batch};
use crate::{Action, Config, NewTopic, Profile};

use Operation::{Append, Delete, Set, Subtract};

type Wanted<'a> = (&'a str, Operation, Option<&'a str>);

/// Kind, name, code and text of each.
fn ask(
    client: &mut Client,
    version: i16,
    validate_only: bool,
    resources: &[(i8, &str, &[Wanted<'_>])],
) -> Vec<(i8, String, i16, String)> {
    client.incremental_alter_configs(version, |out| {
        request_start(out, version, resources.len() as u32);
        for (kind, name, settings) in resources {
            request_resource(out, version, *kind, name.as_bytes(), settings.len() as u32);
            for (name, operation, value) in *settings {
                let value = value.map(str::as_bytes);
                request_setting(out, version, name.as_bytes(), *operation, value);
            }
            request_resource_end(out, version);
        }
        request_end(out, version, validate_only);
    })
}

/// The code for settings of the topic `t`.
fn code(client: &mut Client, settings: &[Wanted<'_>]) -> i16 {
    ask(client, 1, false, &[(TOPIC, "t", settings)])[0].2
}

/// What is told of a setting of `t`.
fn value(client: &mut Client, name: &str) -> String {
    let lines = client.describe_configs(4, |out| {
        describe::request_start(out, 4, 1);
        describe::request_resource(out, 4, TOPIC, b"t", Some(&[name]));
        describe::request_end(out, 4);
    });
    lines[1].strip_prefix(&format!("{name} = ")).unwrap().to_string()
}

#[test]
fn a_setting_is_set_and_deleted_in_every_version() {
    for version in 0..=1 {
        let mut client = Client::new();
        let set = [("retention.ms", Set, Some("1000")), ("min.insync.replicas", Set, Some("2"))];
        let told = ask(&mut client, version, false, &[(TOPIC, "t", &set)]);
        assert_eq!(told, [(TOPIC, "t".to_string(), 0, String::new())], "version {version}");
        assert_eq!(value(&mut client, "retention.ms"), "1000 from 1");
        assert_eq!(client.produce_one(&batch(0, 0, 1)).0, 19, "it holds at once");
        let delete = [("min.insync.replicas", Delete, None), ("retention.bytes", Delete, None)];
        assert_eq!(ask(&mut client, version, false, &[(TOPIC, "t", &delete)])[0].2, 0);
        assert_eq!(value(&mut client, "min.insync.replicas"), "1 from 5");
        assert_eq!(value(&mut client, "retention.ms"), "1000 from 1", "the others stay");
        assert_eq!(client.produce_one(&batch(0, 0, 1)).0, 0);
    }
}

#[test]
fn lists_get_elements_and_lose_them() {
    let mut client = Client::new();
    for (operation, element, expected) in [
        (Append, "compact", "delete,compact from 1"),
        (Append, "compact,delete", "delete,compact from 1"),
        (Subtract, "delete", "compact from 1"),
        (Subtract, "delete", "compact from 1"),
        (Append, " delete ", "compact,delete from 1"),
    ] {
        let settings = [("cleanup.policy", operation, Some(element))];
        assert_eq!(code(&mut client, &settings), 0, "{operation:?} {element}");
        assert_eq!(value(&mut client, "cleanup.policy"), expected);
    }
}

#[test]
fn settings_are_checked_and_all_or_none_hold() {
    let mut client = Client::new();
    for (name, operation, value, expected) in [
        ("no.such", Set, Some("1"), 40),
        ("no.such", Append, Some("1"), 40),
        ("no.such", Delete, None, 0),
        ("retention.ms", Set, Some("a week"), 40),
        ("retention.ms", Append, Some("1"), 40),
        ("retention.ms", Subtract, Some("1"), 40),
        ("cleanup.policy", Append, Some("burn"), 40),
        ("retention.ms", Set, None, 42),
        ("cleanup.policy", Append, None, 42),
    ] {
        assert_eq!(code(&mut client, &[(name, operation, value)]), expected, "{name} {value:?}");
    }
    let mixed = [("segment.ms", Set, Some("5000")), ("retention.ms", Set, Some("x"))];
    assert_eq!(code(&mut client, &mixed), 40);
    assert_eq!(value(&mut client, "segment.ms"), "604800000 from 5");
    let twice = [("segment.ms", Set, Some("1")), ("segment.ms", Delete, None)];
    assert_eq!(code(&mut client, &twice), 42);
    let unknown = client.incremental_alter_configs(1, |out| {
        request_start(out, 1, 1);
        request_resource(out, 1, TOPIC, b"t", 1);
        out.string(b"segment.ms", true);
        out.int8(4);
        out.string(b"1", true);
        out.raw(&[0, 0]);
        request_end(out, 1, false);
    });
    assert_eq!(unknown[0].2, 42);
}

#[test]
fn resources_are_checked() {
    let mut client = Client::new();
    let set: &[Wanted<'_>] = &[("retention.ms", Set, Some("1"))];
    for (kind, name, expected) in [
        (TOPIC, "t", 0),
        (TOPIC, "u", 3),
        (TOPIC, "a b", 17),
        (TOPIC, "", 17),
        (BROKER, "1", 42),
        (BROKER, "", 42),
        (8, "1", 42),
        (0, "x", 42),
    ] {
        let told = ask(&mut client, 1, false, &[(kind, name, set)]);
        assert_eq!(told[0].2, expected, "{kind} {name}: {}", told[0].3);
    }
    client.cluster.create_topic(&NewTopic::new("u", 1, 1)).unwrap();
    let told =
        ask(&mut client, 1, false, &[(TOPIC, "u", set), (TOPIC, "t", set), (TOPIC, "u", set)]);
    let codes: Vec<_> = told.iter().map(|told| (told.1.as_str(), told.2)).collect();
    assert_eq!(codes, [("u", 42), ("t", 0)]);
}

#[test]
fn a_check_changes_nothing() {
    let mut client = Client::new();
    let set = [("retention.ms", Set, Some("1"))];
    assert_eq!(ask(&mut client, 1, true, &[(TOPIC, "t", &set)])[0].2, 0);
    assert_eq!(ask(&mut client, 1, true, &[(TOPIC, "u", &set)])[0].2, 3);
    assert_eq!(value(&mut client, "retention.ms"), "604800000 from 5");
}

#[test]
fn an_older_kafka_has_fewer_settings() {
    let mut client = Client::with(Config { profile: Profile::V2_4, ..Config::new(1) });
    client.cluster.create_topic(&NewTopic::new("t", 1, 1)).unwrap();
    assert_eq!(code(&mut client, &[("local.retention.ms", Set, Some("1"))]), 40);
}

#[test]
fn the_admin_hook_decides() {
    for (action, expected) in [
        (Action::Refuse(ErrorCode(41)), "604800000 from 5"),
        (Action::AnswerAfter(ErrorCode(41)), "1 from 1"),
    ] {
        let mut client = Client::new();
        client.cluster.set_admin_hook(move |_| action.clone());
        assert_eq!(code(&mut client, &[("retention.ms", Set, Some("1"))]), 41);
        client.cluster.clear_hook();
        assert_eq!(value(&mut client, "retention.ms"), expected);
    }
}
