//! Errors are one line that names what is at fault and says what to do.

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;

use common::{Folder, bootstrap, broker, errors, json_lines, ottla, run, run_with};
use ottla_broker::{AutoCreate, Cluster, Config, Server};

/// Runs `produce` with a line, and returns its exit code and its errors.
fn produce(arguments: &[&str]) -> (Option<i32>, String) {
    let common = ["produce", "-t", "t", "-X", "max.block.ms=400", "-X", "linger.ms=0"];
    let output = run_with(&[&common[..], arguments].concat(), b"a\n");
    (output.status.code(), errors(&output))
}

/// Asserts that it is one line with these parts.
fn is_one_line(error: &str, parts: &[&str]) {
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.starts_with("error: "), "{error}");
    for part in parts {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn addresses_are_named() {
    let (code, error) = produce(&["-b", "localhost"]);
    assert_eq!(code, Some(2));
    is_one_line(&error, &["bootstrap.servers: \"localhost\" has no port", "host:port", "(-b)"]);

    let (code, error) = produce(&["-b", "no.such.host.invalid:9092"]);
    assert_eq!(code, Some(1));
    is_one_line(
        &error,
        &["no.such.host.invalid:9092, which does not resolve", "is the address right"],
    );
}

#[test]
fn servers_that_are_no_brokers_are_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 256]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let (code, error) = produce(&["-b", &address]);
    assert_eq!(code, Some(1));
    is_one_line(&error, &[&address, "as an HTTP server does"]);
}

#[test]
fn topics_that_are_not_there_are_named() {
    let config = Config { auto_create: AutoCreate::No, ..Config::new(1) };
    let server = Server::start(Cluster::new(config), &[]).unwrap();
    let (code, error) = produce(&["-b", &bootstrap(&server)]);
    assert_eq!(code, Some(1));
    is_one_line(
        &error,
        &["topic t is not known after 4", "does the topic exist", "standard input, line 1"],
    );
}

#[test]
fn what_cannot_be_done_is_named_before_anything_is_sent() {
    let common = ["produce", "-b", "127.0.0.1:9"];
    for (arguments, parts) in [
        (&["-t", "a b"][..], &["-t: topic name \"a b\" is not legal"][..]),
        (&["-t", "t", "-z", "zstd"], &["compression.type: \"zstd\" is not possible", "(option)"]),
    ] {
        let output = run(&[&common[..], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{}", errors(&output));
        is_one_line(&errors(&output), parts);
    }
}

#[test]
fn a_wrong_command_line_of_bench_ends_as_one_of_produce_does() {
    for what in ["produce", "latency"] {
        let common = ["bench", what, "-b", "127.0.0.1:9"];
        for (arguments, part) in [
            (&["-t", "a b"][..], "-t: topic name \"a b\" is not legal"),
            (&["-t", "t", "--compression", "gzip"], "--compression gzip: this version has none"),
        ] {
            let output = run(&[&common[..], arguments].concat());
            assert_eq!(output.status.code(), Some(2), "{}", errors(&output));
            is_one_line(&errors(&output), &[part]);
        }
    }
}

#[test]
fn files_are_named() {
    let folder = Folder::new("errors");
    let here = folder.path("");
    for (arguments, code, part) in [
        (&["-b", "x:1", "/no/such/file"][..], 1, "/no/such/file cannot be read: No such file"),
        (&["-b", "x:1", &here], 1, "is a folder, not a file of lines"),
        (&["-F", &here], 2, "cannot be read: Is a directory"),
        (&["-b", "x:1", "--failed", &here], 1, "cannot be written: Is a directory"),
    ] {
        let (found, error) = produce(arguments);
        assert_eq!(found, Some(code), "{error}");
        is_one_line(&error, &[part]);
    }
}

#[test]
fn warnings_are_a_line_each_and_stop_nothing() {
    let server = broker(1);
    let hosts = bootstrap(&server);
    let folder = Folder::new("warnings");
    let serializer = "org.apache.kafka.common.serialization.StringSerializer";
    let text = format!("bootstrap.servers={hosts}\n\nkey.serializer={serializer}\n");
    let file = folder.file("java.properties", text);
    let (code, error) = produce(&["-F", &file]);
    assert_eq!(code, Some(0), "{error}");
    let mut lines = error.lines();
    let warning = lines.next().unwrap();
    assert!(warning.starts_with("warning: key.serializer: "), "{error}");
    assert!(warning.ends_with("java.properties, line 3)"), "{error}");
    assert!(lines.next().unwrap().starts_with("1 record written to t"), "{error}");
}

#[test]
fn settings_in_effect_are_printed_with_their_sources() {
    let folder = Folder::new("print");
    let file = folder.file("client.properties", "acks=1\nlinger.ms=7\nbatch.size=1000\n");
    let mut command = ottla(&["produce", "-F", &file, "-X", "linger.ms=9", "--print-config"]);
    let output = command.env("OTTLA_BOOTSTRAP", "kafka:9092").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let row = |key: &str| -> Vec<&str> {
        let line = text.lines().find(|line| line.starts_with(&format!("{key} "))).unwrap();
        line[key.len()..].split("  ").map(str::trim).filter(|part| !part.is_empty()).collect()
    };
    assert_eq!(row("bootstrap.servers"), ["OTTLA_BOOTSTRAP", "kafka:9092"]);
    assert_eq!(row("acks"), [&format!("{file}, line 1"), "1"]);
    assert_eq!(row("batch.size"), [&format!("{file}, line 3"), "1000"]);
    assert_eq!(row("linger.ms"), ["-X", "9"]);
    assert_eq!(row("buffer.memory"), ["default", "33554432"]);
    // What a measurement sets is told, too; its options count more than a file.
    let arguments = ["bench", "produce", "-b", "x:1", "-t", "t", "-F", &file, "--linger-ms", "3"];
    let output = run(&[&arguments[..], &["--print-config"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    let has = |key: &str, part: &str, value: &str| {
        let is =
            |line: &&str| line.starts_with(key) && line.contains(part) && line.ends_with(value);
        assert!(text.lines().any(|line| is(&line)), "{key}: {text}");
    };
    has("linger.ms", " option ", " 3");
    has("batch.size", "line 3", " 1000");
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_up_keeps_whole_lines_only() {
    let server = broker(1);
    let hosts = bootstrap(&server);
    server.with(|cluster, _| {
        cluster.set_hook(|seen| match seen.produce() {
            Some(_) => ottla_broker::Action::Refuse(ottla::message::ErrorCode::INVALID_RECORD),
            None => ottla_broker::Action::Proceed,
        });
    });
    let folder = Folder::new("full");
    let failed = folder.file("failed.jsonl", "{\"value\":\"before\"}\n");
    // No file grows beyond a kilobyte.
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$@\"";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_ottla")]);
    command.args(["produce", "-b", &hosts, "-t", "t", "--failed", &failed]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let input: String = (0..50).map(|n| format!("{n}\n")).collect();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = errors(&output);
    assert!(error.contains("failed.jsonl cannot be written: File too large"), "{error}");
    let mut all = json_lines(&std::fs::read(&failed).unwrap());
    all.extend(json_lines(&output.stdout));
    let values: Vec<_> = all.iter().map(|line| line["value"].as_str().unwrap()).collect();
    let expected: Vec<_> =
        std::iter::once("before".to_owned()).chain((0..50).map(|n| n.to_string())).collect();
    assert_eq!(values, expected);
}
