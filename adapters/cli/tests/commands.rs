//! The other commands: `demo`, `dev-broker`, `bench`, and help.

mod common;

use std::io::{BufRead, BufReader};

use common::{bootstrap, broker, errors, log, ottla, run, run_with};
use serde_json::Value;

/// The number behind a name of the demo's table.
fn row(table: &str, name: &str) -> Option<u64> {
    let line = table.lines().find_map(|line| line.trim_start().strip_prefix(name))?;
    line.split_whitespace().next()?.replace(',', "").parse().ok()
}

#[test]
fn the_demo_loses_nothing() {
    let output = run(&["demo", "--records", "20000", "--seed", "3"]);
    let table = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{table}{}", errors(&output));
    for name in ["lost", "duplicated", "out of order", "not written, but in the log", "altered"] {
        assert_eq!(row(&table, name), Some(0), "{name}: {table}");
    }
    assert_eq!(row(&table, "sent"), Some(20_000), "{table}");
    let told: u64 = ["written", "not written", "unknown"]
        .iter()
        .map(|name| row(&table, &format!("reported {name}")).unwrap_or(0))
        .sum();
    assert_eq!(told, 20_000, "{table}");
    assert!(table.contains("Nothing lost"), "{table}");
}

#[test]
fn the_development_broker_serves_until_it_is_interrupted() {
    let arguments = ["dev-broker", "--listen", "127.0.0.1:0", "--nodes", "3", "--topic", "x:2"];
    let mut child = ottla(&arguments).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let hosts = line.trim().strip_prefix("bootstrap.servers=").unwrap();
    assert_eq!(hosts.split(',').count(), 3, "{hosts}");
    let produced = run_with(&["produce", "-b", hosts, "-t", "x", "-p", "1"], b"a\nb\n");
    assert_eq!(produced.status.code(), Some(0), "{}", errors(&produced));
    #[cfg(unix)]
    {
        common::interrupt(&child);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        let error = errors(&output);
        assert!(error.contains("not for production"), "{error}");
        assert!(error.contains("1 batch appended"), "{error}");
    }
    #[cfg(not(unix))]
    child.kill().unwrap();
}

/// Starts the development broker, and returns it with what it serves at.
fn dev_broker(arguments: &[&str]) -> (std::process::Child, String) {
    let common = ["dev-broker", "--listen", "127.0.0.1:0", "--topic", "x:2"];
    let mut child = ottla(&[&common[..], arguments].concat()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let hosts = line.trim().strip_prefix("bootstrap.servers=").unwrap().to_owned();
    (child, hosts)
}

#[test]
fn records_are_delivered_to_a_broker_like_each_release() {
    for release in ["2.1", "2.4", "2.8", "3.9", "4.1", "newest"] {
        let (mut child, hosts) = dev_broker(&["--as", release]);
        for more in [&[][..], &["-X", "enable.idempotence=false"]] {
            let arguments = [&["produce", "-b", &hosts, "-t", "x"][..], more].concat();
            let produced = run_with(&arguments, b"a\nb\n");
            assert_eq!(produced.status.code(), Some(0), "{release}: {}", errors(&produced));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let output = run(&["dev-broker", "--as", "1.0"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("2.1, 2.4, 2.8, 3.9, 4.1, newest"), "{}", errors(&output));
}

#[test]
fn the_address_that_clients_are_told_is_that_of_their_listener() {
    // A host that nobody can reach: who is told it does not deliver.
    let (mut child, hosts) = dev_broker(&["--advertise", "no.such.host.invalid"]);
    let arguments = ["produce", "-b", &hosts, "-t", "x", "-X", "delivery.timeout.ms=1500"];
    let arguments =
        [&arguments[..], &["-X", "request.timeout.ms=1000", "-X", "linger.ms=0"]].concat();
    let produced = run_with(&arguments, b"a\n");
    assert_ne!(produced.status.code(), Some(0));
    child.kill().unwrap();
    child.wait().unwrap();

    let unreachable = ["--advertise", "no.such.host.invalid"];
    let second = ["--listener", "127.0.0.1:0=127.0.0.1:0"];
    let (mut child, _) = dev_broker(&[unreachable, second].concat());
    let mut notes = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = notes.find_map(|note| {
        let note = note.unwrap();
        let at = note.split_once("also listening at ")?.1;
        Some(at.split(',').next()?.to_owned())
    });
    let produced = run_with(&["produce", "-b", &address.unwrap(), "-t", "x"], b"a\n");
    assert_eq!(produced.status.code(), Some(0), "{}", errors(&produced));
    child.kill().unwrap();
    child.wait().unwrap();
    let output = run(&["dev-broker", "--listener", "127.0.0.1:0"]);
    assert!(errors(&output).contains("ADDR=HOST:PORT"), "{}", errors(&output));
}

#[test]
fn an_address_in_use_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let output = run(&["dev-broker", "--listen", &address]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains(&format!("{address} cannot be listened on")));
}

#[test]
fn measurements_come_as_json() {
    let server = broker(2);
    let hosts = bootstrap(&server);
    for (what, call, records) in
        [("produce", "send", 10_000_u64), ("produce", "send-many", 9_950), ("latency", "send", 200)]
    {
        let before = log(&server).len();
        let count = records.to_string();
        let mut arguments = vec!["bench", what, "--bootstrap", &hosts, "--topic", "t"];
        arguments.extend(["--partitions", "2", "--records", &count, "--size", "100"]);
        arguments.extend(["--acks", "all", "--linger-ms", "0", "--batch-size", "65536"]);
        arguments.extend(["--compression", "none", "--call", call, "--json"]);
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["records"].as_u64(), Some(records), "{text}");
        assert_eq!(json["written"].as_u64(), Some(records), "{text}");
        for name in ["wall_s", "cpu_ns_per_record", "p50_us", "p99_us", "mean_batch_bytes"] {
            assert!(json[name].as_f64().is_some_and(|number| number > 0.0), "{name}: {text}");
        }
        // The first, and one for each partition, are to warm up.
        assert_eq!(log(&server).len() - before, usize::try_from(records).unwrap() + 3);
    }
}

#[test]
fn measurements_refuse_what_they_cannot_do() {
    let server = broker(2);
    let hosts = bootstrap(&server);
    let common = ["bench", "produce", "--bootstrap", &hosts, "--topic", "t", "--records", "10"];
    for (more, code, part) in [
        (["--compression", "zstd"], 2, "--compression zstd"),
        (["--partitions", "3"], 1, "2 partitions, not 3"),
        (["--payloads", "/no/such/file"], 1, "/no/such/file cannot be read"),
    ] {
        let output = run(&[&common[..], &more[..]].concat());
        assert_eq!(output.status.code(), Some(code));
        let error = errors(&output);
        assert!(error.starts_with("error: ") && error.contains(part), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn every_command_explains_itself_with_examples() {
    let commands = [
        &["demo"][..],
        &["produce"],
        &["dev-broker"],
        &["bench", "produce"],
        &["bench", "latency"],
    ];
    for command in commands.into_iter().chain([&["completions"][..], &["man"]]) {
        let output = run(&[command, &["--help"]].concat());
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8_lossy(&output.stdout).contains("Examples:"), "{command:?}");
    }
}

#[test]
fn measurements_keep_their_time_and_rate() {
    let server = broker(1);
    let hosts = bootstrap(&server);
    for what in ["produce", "latency"] {
        let mut arguments = vec!["bench", what, "-b", &hosts, "-t", "t", "--rate", "500/s"];
        arguments.extend(["--duration", "1s", "--warmup", "300ms", "--json"]);
        let before = log(&server).len();
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        let records = json["records"].as_u64().unwrap();
        assert!((50..=560).contains(&records), "{json}");
        assert!(json["wall_s"].as_f64().is_some_and(|wall| wall > 0.9 && wall < 5.0), "{json}");
        // What was sent to warm up is written, and not counted.
        assert!(log(&server).len() - before > usize::try_from(records).unwrap() + 10, "{json}");
        let buckets = json["latency_histogram"].as_array().unwrap();
        let counts = buckets.iter().map(|bucket| bucket["count"].as_u64().unwrap());
        assert_eq!(counts.sum::<u64>(), json["latency_samples"].as_u64().unwrap(), "{json}");
    }
}

#[test]
fn measurements_are_shown_with_a_chart() {
    let server = broker(1);
    let hosts = bootstrap(&server);
    let output = run(&["bench", "produce", "-b", &hosts, "-t", "t", "-n", "2000"]);
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    // No live view where there is no terminal.
    assert_eq!(errors(&output), "");
    let text = String::from_utf8(output.stdout).unwrap();
    for part in
        ["records             2,000\n", "latency of 2,000 records\n", "  p99.9 ", "  to ", "━"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_measurement_shows_what_it_has() {
    let server = broker(1);
    let hosts = bootstrap(&server);
    let arguments =
        ["bench", "produce", "-b", &hosts, "-t", "t", "--rate", "200", "-d", "1h", "--json"];
    let child = ottla(&arguments).spawn().unwrap();
    common::wait_for_log(&server, 50);
    common::interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", errors(&output));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["records"].as_u64(), Some(log(&server).len() as u64 - 2), "{json}");
}
