//! `ottla metadata` and `ottla topics` against development brokers.

mod common;

use std::process::{Output, Stdio};

use common::{bootstrap, broker, errors, json_lines, ottla, run};
use ottla_broker::{Cluster, Config, NewTopic, Profile, Server};
use serde_json::json;

/// Three nodes like a release, in racks, with `readings` in two partitions, `logs` in one, and a
/// topic of the brokers.
fn cluster(profile: Profile) -> Server {
    let mut config = Config { profile, ..Config::new(3) };
    for node in &mut config.nodes {
        node.rack = Some(format!("rack-{}", node.id));
    }
    let mut cluster = Cluster::new(config);
    for (name, partitions) in [("readings", 2), ("logs", 1), ("__consumer_offsets", 3)] {
        cluster.create_topic(&NewTopic::new(name, partitions, 2)).expect("a new topic");
    }
    Server::start(cluster, &[]).expect("free ports")
}

/// Runs a command against a cluster: what it ends with, what it says, and what it says of errors.
fn against(server: &Server, arguments: &[&str]) -> (i32, String, String) {
    let hosts = bootstrap(server);
    let output = run(&[arguments, &["-b", &hosts]].concat());
    said(&output)
}

fn said(output: &Output) -> (i32, String, String) {
    let code = output.status.code().expect("an exit code");
    (code, String::from_utf8(output.stdout.clone()).expect("text"), errors(output))
}

/// The same, where all goes well.
fn told(server: &Server, arguments: &[&str]) -> String {
    let (code, text, error) = against(server, arguments);
    assert_eq!((code, error.as_str()), (0, ""), "{arguments:?}: {text}");
    text
}

fn names(server: &Server) -> Vec<String> {
    server.with(|cluster, _| cluster.topic_names().map(String::from).collect())
}

fn partitions(server: &Server, topic: &str) -> usize {
    server.with(|cluster, _| cluster.partition_count(topic))
}

#[test]
fn metadata_shows_the_cluster_in_columns() {
    for profile in [Profile::V2_1, Profile::V4_1] {
        let server = cluster(profile);
        server.with(|cluster, now| cluster.kill(now, 2)).unwrap();
        let text = told(&server, &["metadata"]);
        let id = server.with(|cluster, _| cluster.cluster_id().to_owned());
        let [first, _, third] = server.addresses() else { panic!("three nodes") };
        let expected = format!(
            "\
cluster {id}, 2 brokers, controller 1

BROKER  ADDRESS          RACK
     1  {first}  rack-1
     3  {third}  rack-3

TOPIC     PARTITION  LEADER  REPLICAS  IN SYNC
logs              0       1  [1,2]     [1]      offline: 2
readings          0       1  [1,2]     [1]      offline: 2
                  1       3  [2,3]     [3]      offline: 2

2 topics, 3 partitions, 3 with replicas out of sync
"
        );
        assert_eq!(text, expected, "{profile}");
        let all = told(&server, &["metadata", "--internal"]);
        assert!(all.contains("__consumer_offsets"), "{all}");
    }
}

#[test]
fn metadata_is_told_in_json_and_by_topic() {
    let server = cluster(Profile::V4_1);
    let text = told(&server, &["metadata", "-t", "readings", "--json"]);
    let object = &json_lines(text.as_bytes())[0];
    assert_eq!(object["cluster"]["controller"], 1);
    let broker = &object["cluster"]["brokers"][2];
    let port = server.addresses()[2].port();
    let expected = json!({ "id": 3, "host": "127.0.0.1", "port": port, "rack": "rack-3" });
    assert_eq!(*broker, expected);
    let topic = &object["topics"][0];
    assert_eq!((&topic["name"], &topic["internal"]), (&json!("readings"), &json!(false)));
    let second = json!({
        "partition": 1, "leader": 2, "leader_epoch": 0,
        "replicas": [2, 3], "in_sync": [2, 3], "offline": [],
    });
    assert_eq!(topic["partitions"][1], second);
    assert_eq!(topic["id"].as_str().map(str::len), Some(22));

    let (code, text, error) = against(&server, &["metadata", "-t", "none", "-t", "logs"]);
    assert_eq!(code, 1);
    assert!(error.starts_with("error: topic none: UNKNOWN_TOPIC_OR_PARTITION (3)"), "{error}");
    assert!(text.contains("logs ") && text.contains("\n1 topic, 1 partition\n"), "{text}");
}

#[test]
fn topics_are_listed() {
    let server = cluster(Profile::V4_1);
    let expected = "\
TOPIC     PARTITIONS  REPLICAS
logs               1         2
readings           2         2

2 topics, 3 partitions
";
    assert_eq!(told(&server, &["topics", "list"]), expected);
    let all = told(&server, &["topics", "list", "--internal"]);
    assert!(all.contains("__consumer_offsets           3         2  internal\n"), "{all}");
    assert_eq!(told(&server, &["topics", "list", "--names"]), "logs\nreadings\n");
    let lines = json_lines(told(&server, &["topics", "list", "--json"]).as_bytes());
    let counts: Vec<_> = lines.iter().map(|line| (&line["name"], &line["partitions"])).collect();
    assert_eq!(counts, [(&json!("logs"), &json!(1)), (&json!("readings"), &json!(2))]);
    let empty = Server::start(Cluster::new(Config::new(1)), &[]).unwrap();
    assert_eq!(told(&empty, &["topics", "list"]), "0 topics, 0 partitions\n");
}

#[test]
fn topics_are_described() {
    let server = cluster(Profile::V2_8);
    let settings = ["--config", "retention.ms=5000", "--config", "cleanup.policy=compact"];
    told(&server, &[&["topics", "alter", "logs"][..], &settings].concat());
    let text = told(&server, &["topics", "describe", "logs"]);
    let id = text.split([' ', ',']).nth(2).unwrap().to_owned();
    let expected = format!(
        "\
logs: id {id}, 1 partition, 2 replicas

SETTING         FROM   VALUE
cleanup.policy  topic  compact
retention.ms    topic  5000

PARTITION  LEADER  REPLICAS  IN SYNC
        0       1  [1,2]     [1,2]
"
    );
    assert_eq!(text, expected);
    let all = told(&server, &["topics", "describe", "logs", "--all-settings"]);
    assert!(all.contains("\nsegment.bytes ") && all.contains("default  1073741824"), "{all}");

    let (code, text, error) = against(&server, &["topics", "describe", "logs", "no", "--json"]);
    assert_eq!(code, 1);
    assert!(error.contains("topic no: UNKNOWN_TOPIC_OR_PARTITION (3)"), "{error}");
    let lines = json_lines(text.as_bytes());
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["settings"]["retention.ms"], json!({ "value": "5000", "from": "topic" }));
    assert_eq!(lines[0]["settings"]["segment.bytes"]["from"], "default");
}

#[test]
fn topics_are_created() {
    let server = cluster(Profile::V4_1);
    let create = |rest: &[&str]| against(&server, &[&["topics", "create"], rest].concat());
    let all =
        ["audit", "--partitions", "3", "--replication-factor", "2", "--config", "retention.ms=-1"];
    let (code, text, _) = create(&[&all[..], &["--dry-run"]].concat());
    assert_eq!((code, text.as_str()), (0, "audit could be created\n"));
    assert_eq!(partitions(&server, "audit"), 0);
    let (code, text, error) = create(&all);
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(text.starts_with("audit created, id ") && text.len() == 41, "{text}");
    assert_eq!(partitions(&server, "audit"), 3);
    let in_sync = server.with(|cluster, _| cluster.in_sync("audit", 0));
    assert_eq!(in_sync, [1, 2]);
    assert!(told(&server, &["topics", "describe", "audit"]).contains("retention.ms  topic  -1"));

    let (code, _, error) = create(&["audit"]);
    assert_eq!(code, 1);
    assert!(error.contains("topic audit: TOPIC_ALREADY_EXISTS (36)"), "{error}");
    let (code, text, _) = create(&["audit", "new", "--if-not-exists"]);
    assert_eq!(code, 0);
    assert!(text.starts_with("audit exists already\nnew created, id "), "{text}");
    // One that is wrong does not keep the other.
    let (code, text, error) = create(&["a/b", "other"]);
    assert_eq!((code, text.lines().count()), (1, 1));
    assert!(error.starts_with("error: topic a/b: the topic name is not legal"), "{error}");
    assert!(names(&server).contains(&"other".to_owned()));
    let (code, _, error) = create(&["bad", "--config", "no.such=1"]);
    assert_eq!(code, 1);
    assert!(error.contains("INVALID_CONFIG (40)") && error.contains("no.such"), "{error}");
}

#[test]
fn a_broker_that_is_too_old_is_named_with_what_it_lacks() {
    let server = cluster(Profile::V2_1);
    let (code, _, error) = against(&server, &["topics", "create", "new"]);
    assert_eq!(code, 1);
    assert!(error.contains("before Kafka 2.4 the number of partitions"), "{error}");
    let numbers = ["--partitions", "1", "--replication-factor", "1"];
    let text = told(&server, &[&["topics", "create", "new"][..], &numbers].concat());
    assert_eq!(text, "new created\n");
    let set = ["topics", "alter", "new", "--config", "retention.ms=1"];
    let (code, _, error) = against(&server, &set);
    assert_eq!(code, 1);
    assert!(error.contains("before Kafka 2.3 single settings cannot be altered"), "{error}");
}

#[test]
fn topics_are_altered() {
    let server = cluster(Profile::V4_1);
    let alter = |rest: &[&str]| against(&server, &[&["topics", "alter", "logs"], rest].concat());
    let both =
        ["--partitions", "4", "--config", "retention.ms=7000", "--delete-config", "segment.ms"];
    let (code, text, _) = alter(&[&both[..], &["--dry-run"]].concat());
    assert_eq!(code, 0);
    assert_eq!(text, "logs: 2 settings could be changed\nlogs: could have 4 partitions\n");
    assert_eq!(partitions(&server, "logs"), 1);
    let (code, text, _) = alter(&both);
    assert_eq!((code, text.as_str()), (0, "logs: 2 settings changed\nlogs: 4 partitions now\n"));
    assert_eq!(partitions(&server, "logs"), 4);
    alter(&["--add-config", "cleanup.policy=compact"]);
    alter(&["--remove-config", "cleanup.policy=delete"]);
    let text = told(&server, &["topics", "describe", "logs"]);
    assert!(text.contains("cleanup.policy  topic  compact\nretention.ms    topic  7000"), "{text}");

    for (arguments, code, part) in [
        (&["--partitions", "4"][..], 1, "topic logs: INVALID_PARTITIONS (37)"),
        (&["--config", "retention.ms=soon"], 1, "topic logs: INVALID_CONFIG (40)"),
        (&[], 2, "nothing to change: give --partitions, --config"),
        (&["--config", "retention.ms"], 2, "it has to be KEY=VALUE"),
        (&["--partitions", "0"], 2, "0 is not in 1.."),
    ] {
        let (ended, _, error) = alter(arguments);
        assert_eq!(ended, code, "{arguments:?}: {error}");
        assert!(error.contains(part), "{arguments:?}: {error}");
    }
    // Settings that cannot be changed keep the partitions from being added.
    let (code, text, _) = alter(&["--partitions", "9", "--config", "no.such=1"]);
    assert_eq!((code, text.as_str(), partitions(&server, "logs")), (1, "", 4));
}

#[test]
fn topics_are_deleted_where_that_is_wanted() {
    let server = cluster(Profile::V4_1);
    let delete = |rest: &[&str]| against(&server, &[&["topics", "delete"], rest].concat());
    let (code, _, error) = delete(&["logs"]);
    assert_eq!((code, names(&server).len()), (2, 3));
    assert!(error.contains("there is nobody to ask: --yes"), "{error}");
    let (code, text, error) = delete(&["logs", "none", "--yes"]);
    assert_eq!((code, text.as_str()), (1, "logs deleted\n"));
    assert!(error.contains("topic none: UNKNOWN_TOPIC_OR_PARTITION (3)"), "{error}");
    let (code, text, _) = delete(&["logs", "readings", "--if-exists", "-y"]);
    assert_eq!((code, text.as_str()), (0, "logs is not there\nreadings deleted\n"));
    assert_eq!(names(&server), ["__consumer_offsets"]);
}

/// Whoever sits before a terminal is asked.
#[cfg(target_os = "linux")]
#[test]
fn topics_are_deleted_when_the_question_is_answered() {
    use std::fs::{File, OpenOptions};
    use std::io::Write;

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    let server = broker(1);
    for (answer, is_deleted) in [("\n", false), ("no\n", false), ("\u{4}", false), ("Yes\n", true)]
    {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let terminal = OpenOptions::new().read(true).write(true).open(name).unwrap();
        let mut command = ottla(&["topics", "delete", "t", "-b", &bootstrap(&server)]);
        let child = command.stdin(Stdio::from(terminal)).spawn().unwrap();
        let mut master = File::from(master);
        master.write_all(answer.as_bytes()).unwrap();
        let (code, text, error) = said(&child.wait_with_output().unwrap());
        assert!(error.starts_with("Delete t, with all records? [y/N] "), "{error}");
        let expected = if is_deleted { (0, "t deleted\n") } else { (1, "") };
        assert_eq!((code, text.as_str()), expected, "{answer:?}: {error}");
        assert_eq!(error.contains("nothing was deleted"), !is_deleted);
        assert_eq!(names(&server).is_empty(), is_deleted);
    }
}

#[test]
fn settings_are_checked_and_printed() {
    let server = cluster(Profile::V4_1);
    let properties = ["-X", "linger.ms=5", "-X", "request.timeout.ms=2000", "--print-config"];
    let (code, text, error) =
        against(&server, &[&["topics", "describe"][..], &properties].concat());
    assert_eq!(code, 0);
    assert_eq!(error, "warning: linger.ms: says nothing to an administration client (-X)\n");
    let find = |key: &str| text.lines().find(|line| line.starts_with(key)).unwrap();
    let words = |key: &str| find(key).split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
    assert_eq!(words("request.timeout.ms"), "-X 2000");
    assert_eq!(words("bootstrap.servers"), format!("-b {}", bootstrap(&server)));
    assert_eq!(words("retry.backoff.ms"), "default 100");
    let (code, _, error) =
        against(&server, &["metadata", "-X", "security.protocol=SSL", "-X", "x=1"]);
    assert_eq!(code, 2);
    for part in ["security.protocol: \"SSL\"", "x: there is no such key (-X)"] {
        assert!(error.contains(part), "no {part} in {error}");
    }
}

#[test]
fn a_cluster_that_is_not_there_is_named_in_time() {
    let address = {
        let server = broker(1);
        bootstrap(&server)
    };
    let began = std::time::Instant::now();
    let limit = ["-X", "default.api.timeout.ms=500"];
    let output = run(&[&["topics", "list", "-b", &address][..], &limit].concat());
    let (code, text, error) = said(&output);
    assert!(began.elapsed() < std::time::Duration::from_secs(5));
    assert_eq!((code, text.as_str()), (1, ""));
    assert!(error.contains("no broker answered within 500 ms: "), "{error}");
    assert!(error.contains(&address), "{error}");
}

/// The lines of the help of a command that begin under `Examples:`.
fn examples(command: &[&str]) -> Vec<String> {
    let (code, help, error) = said(&run(&[command, &["--help"]].concat()));
    assert_eq!(code, 0, "{error}");
    let lines = help.lines().skip_while(|line| *line != "Examples:").skip(1);
    lines.take_while(|line| !line.is_empty()).map(|line| line.trim().to_owned()).collect()
}

#[test]
fn examples_do_what_they_say() {
    let hosts = ["kafka:9092", "localhost:9092"];
    for (command, there) in [
        (&["metadata"][..], &["readings", "logs"][..]),
        (&["topics"], &[]),
        (&["topics", "list"], &["readings"]),
        (&["topics", "describe"], &["readings", "logs"]),
        (&["topics", "create"], &[]),
        (&["topics", "alter"], &["readings", "logs"]),
        (&["topics", "delete"], &["readings", "try-1"]),
    ] {
        let lines = examples(command);
        assert!(lines.len() >= 2, "{command:?}: {lines:?}");
        for line in lines {
            let mut cluster = Cluster::new(Config::new(3));
            let there = if line.contains(" describe ") { &["readings", "logs"] } else { there };
            for name in there {
                cluster.create_topic(&NewTopic::new(name, 1, 1)).expect("a new topic");
            }
            let server = Server::start(cluster, &[]).expect("free ports");
            let line = line.split(" > ").next().unwrap_or_default();
            let line =
                hosts.iter().fold(line.to_owned(), |l, host| l.replace(host, &bootstrap(&server)));
            let words: Vec<&str> = line.split(' ').skip(1).collect();
            let (code, text, error) = said(&run(&words));
            // Without --yes somebody has to be there.
            let expected = if line.contains(" delete ") && !line.contains("--yes") { 2 } else { 0 };
            assert_eq!(code, expected, "{line}: {error}");
            assert!(expected > 0 || !text.is_empty(), "{line} says nothing");
        }
    }
}
