//! `ottla produce`: what records are made of, and what becomes of those that fail.

mod common;

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{
    Folder, bootstrap, broker, errors, json_lines, log, ottla, run, run_with, wait_for_log,
};
use ottla::message::ErrorCode;
use ottla_broker::{Action, AutoCreate, Cluster, Config, Server, Silence};
use serde_json::{Value, json};

/// Values of the log as text; null is `None`.
fn values(server: &Server) -> Vec<Option<String>> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    log(server).into_iter().map(|entry| entry.value.map(text)).collect()
}

/// What becomes of Produce requests.
fn at_produce(server: &Server, action: Action) {
    server.with(|cluster, _| {
        cluster.set_hook(move |seen| match seen.produce() {
            Some(_) => action.clone(),
            None => Action::Proceed,
        });
    });
}

#[test]
fn records_end_where_they_are_told_to() {
    let server = broker(1);
    let hosts = bootstrap(&server);
    let arguments = ["produce", "-b", &hosts, "-t", "t", "-D", r"--\0\x2d", "-K", ":="];
    let output = run_with(&arguments, b"a\nb--\0-k:=v:=w--\0---\0---");
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let found: Vec<_> = log(&server).into_iter().map(|entry| (entry.key, entry.value)).collect();
    let some = |bytes: &[u8]| Some(bytes.to_vec());
    let expected = [
        (None, some(b"a\nb")),
        (some(b"k"), some(b"v:=w")),
        (None, some(b"")),
        (None, some(b"--")),
    ];
    assert_eq!(found, expected);
}

#[test]
fn empty_values_are_null_if_that_is_asked_for() {
    let server = broker(1);
    let hosts = bootstrap(&server);
    let arguments = ["produce", "-b", &hosts, "-t", "t", "-K", ":", "-Z"];
    let output = run_with(&arguments, b"k:\n:v\n:\n\n");
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let found: Vec<_> = log(&server).into_iter().map(|entry| (entry.key, entry.value)).collect();
    let some = |bytes: &[u8]| Some(bytes.to_vec());
    assert_eq!(found, [(some(b"k"), None), (None, some(b"v")), (None, None), (None, None)]);
}

#[test]
fn times_are_set() {
    for (time, expected) in
        [("1700000000123", 1_700_000_000_123), ("2023-11-14T22:13:20Z", 1_700_000_000_000)]
    {
        let server = broker(1);
        let hosts = bootstrap(&server);
        let output =
            run_with(&["produce", "-b", &hosts, "-t", "t", "--timestamp", time], b"a\nb\n");
        assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
        assert_eq!(
            log(&server).iter().map(|entry| entry.timestamp).collect::<Vec<_>>(),
            [expected; 2]
        );
    }
    let output = run(&["produce", "-b", "x:1", "-t", "t", "--timestamp", "soon"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("2026-01-31T08:00:00Z"), "{}", errors(&output));
}

#[test]
fn a_rate_is_kept_and_a_count_ends_it() {
    let server = broker(1);
    let hosts = bootstrap(&server);
    let input: String = (0..1_000).map(|n| format!("{n}\n")).collect();
    let begun = Instant::now();
    let arguments = ["produce", "-b", &hosts, "-t", "t", "--rate", "200/s", "-c", "201"];
    let output = run_with(&arguments, input.as_bytes());
    let took = begun.elapsed();
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    // The last 4 go at 0.995 s at the earliest.
    assert!(took >= Duration::from_millis(900) && took < Duration::from_secs(5), "{took:?}");
    let expected: Vec<_> = (0..201).map(|n| Some(n.to_string())).collect();
    assert_eq!(values(&server), expected);
}

#[test]
fn habits_of_kcat_work() {
    let server = broker(1);
    let hosts = bootstrap(&server);
    for arguments in [
        &["-P", "-b", &hosts, "-t", "t"][..],
        &["-b", &hosts, "-t", "t", "-p", "-1", "-P", "-l"],
        &["-Pt", "t", "-b", &hosts, "-e"],
    ] {
        let output = run_with(arguments, b"a\n");
        assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    }
    let mut child = ottla(&["-P", "-t", "t"])
        .env("OTTLA_BOOTSTRAP", &hosts)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"b\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    assert_eq!(log(&server).len(), 4);
    let output = ottla(&["-P", "-t", "t"]).env_remove("OTTLA_BOOTSTRAP").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = errors(&output);
    assert!(
        error.contains("-b") && error.contains("-F") && error.contains("OTTLA_BOOTSTRAP"),
        "{error}"
    );
}

#[test]
fn settings_come_from_files() {
    let server = broker(1);
    let hosts = bootstrap(&server);
    let folder = Folder::new("settings");
    let file = folder.file("client.properties", format!("bootstrap.servers={hosts}\nacks=1\n"));
    let output = run_with(&["produce", "-F", &file, "-t", "t"], b"a\n");
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    // What is given after it counts; what it replaces is not looked at.
    let wrong = folder.file("wrong.properties", "# ours\nlinger.ms=soon\n\nlinger.mss=5\nacks=7\n");
    let output = run_with(&["produce", "-b", &hosts, "-F", &wrong, "-X", "acks=1", "-t", "t"], b"");
    assert_eq!(output.status.code(), Some(2));
    let error = errors(&output);
    assert_eq!(error.lines().count(), 1, "{error}");
    for part in ["linger.ms: \"soon\"", "wrong.properties, line 2)", "linger.mss: ", "line 4)"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(!error.contains("acks"), "{error}");
    let output = run(&["produce", "-F", "/no/such/file", "-t", "t"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).starts_with("error: /no/such/file cannot be read"));
}

#[test]
fn objects_become_records() {
    let server = broker(3);
    let hosts = bootstrap(&server);
    let input = concat!(
        r#"{"topic":"t","partition":0,"offset":3,"tstype":"create","ts":5,"broker":1,"headers":["h","1","h",null],"key":"k","payload":"\u00e4\n"}"#,
        "\n\n",
        r#"{"partition":1,"ts":"1970-01-01T00:00:00.007Z","headers":{"b":{"base64":"/wA="}},"key_base64":"gA==","value":null}"#,
        "\n",
        r#"{"value_base64":"/w=="}"#,
    );
    let arguments = [
        "produce",
        "-b",
        &hosts,
        "-t",
        "t",
        "-p",
        "2",
        "-H",
        "all=1",
        "--timestamp",
        "9",
        "--json",
    ];
    let output = run_with(&arguments, input.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let log = log(&server);
    let header =
        |name: &str, value: Option<&[u8]>| (name.as_bytes().to_vec(), value.map(<[u8]>::to_vec));
    let entry =
        |partition, timestamp, key: Option<&[u8]>, value: Option<&[u8]>, headers| common::Entry {
            partition,
            timestamp,
            key: key.map(<[u8]>::to_vec),
            value: value.map(<[u8]>::to_vec),
            headers,
        };
    assert_eq!(
        log,
        [
            entry(
                0,
                5,
                Some(b"k"),
                Some("ä\n".as_bytes()),
                vec![header("h", Some(b"1")), header("h", None)]
            ),
            entry(1, 7, Some(b"\x80"), None, vec![header("b", Some(b"\xff\0"))]),
            entry(2, 9, None, Some(b"\xff"), vec![header("all", Some(b"1"))]),
        ]
    );
}

#[test]
fn lines_that_are_no_records_are_told_and_the_others_sent() {
    let server = broker(1);
    let hosts = bootstrap(&server);
    let folder = Folder::new("no-records");
    let failed = folder.path("failed");
    let input = b"{\"value\":\"a\"}\nnonsense\n\n{\"value\":\"b\",\"topic\":\"no topic\"}\n{\"key\":\"c\"}\n{\"value\":\"d\"}\n\xff\n";
    let arguments = ["produce", "-b", &hosts, "-t", "t", "--json", "--failed", &failed];
    let output = run_with(&arguments, input);
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    let error = errors(&output);
    for part in [
        "standard input, line 2: it is no record: column 2",
        "line 4: topic name",
        "line 5: it has no value",
        "line 7: ",
        "4 not written",
        "4 kept in",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert_eq!(values(&server), [Some("a".to_owned()), Some("d".to_owned())]);
    let kept = json_lines(&std::fs::read(&failed).unwrap());
    let of = |name: &str| kept.iter().map(|line| line[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("line"), [2, 4, 5, 7]);
    assert_eq!(of("reason"), ["refused"; 4]);
    assert_eq!(
        of("input"),
        [json!("nonsense"), Value::Null, json!("{\"key\":\"c\"}"), Value::Null]
    );
    assert_eq!((&kept[1]["value"], &kept[3]["input_base64"]), (&json!("b"), &json!("/w==")));
    // Again, what is no record is refused, with where it came from.
    let output = run(&["produce", "-b", &hosts, "-t", "t", "--json", &failed]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        errors(&output)
            .contains("failed, line 1: it is what was no record in standard input, line 2")
    );
}

/// A broker that makes no topics, and `count` lines of which the last one is a record.
fn junk_before_a_record(count: usize) -> (Server, Vec<u8>) {
    let config = Config { auto_create: AutoCreate::No, ..Config::new(1) };
    let server = Server::start(Cluster::new(config), &[]).unwrap();
    let junk = (1..count).map(|n| format!("{{\"n{n}\":{n}}}\n"));
    (server, [junk.collect::<String>().as_bytes(), b"{\"value\":\"a\"}\n"].concat())
}

#[test]
fn the_error_that_stops_it_is_told_behind_errors_of_many_lines() {
    let (server, input) = junk_before_a_record(16);
    let hosts = bootstrap(&server);
    let arguments = ["produce", "-b", &hosts, "-t", "none", "--json", "-X", "max.block.ms=300"];
    let output = run_with(&arguments, &input);
    assert_eq!(output.status.code(), Some(1));
    let error = errors(&output);
    let lines: Vec<_> = error.lines().collect();
    // Ten lines, what stopped it, and the summary.
    assert_eq!(lines.len(), 12, "{error}");
    assert!(lines[10].starts_with("error: ") && lines[10].contains("topic none"), "{error}");
    for line in &lines[10..] {
        assert!(line.ends_with("; stopped at standard input, line 16"), "{error}");
    }
    assert!(lines[11].contains("; 5 more errors not shown"), "{error}");

    let output = run_with(&[&arguments[..], &["--report", "json"]].concat(), &input);
    let report = &json_lines(&output.stdout)[0];
    assert_eq!(report["stopped_at"], "standard input, line 16", "{report}");
    let told = report["errors"].as_array().unwrap();
    assert!(told.last().unwrap().as_str().unwrap().contains("topic none"), "{report}");
    assert_eq!((told.len(), &report["errors_not_shown"]), (11, &json!(5)), "{report}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_behind_errors_of_many_lines() {
    let (server, input) = junk_before_a_record(16);
    let hosts = bootstrap(&server);
    let arguments = ["produce", "-b", &hosts, "-t", "none", "--json", "--failed", "/dev/full"];
    let output = run_with(&[&arguments[..], &["-X", "max.block.ms=300"]].concat(), &input);
    assert_eq!(output.status.code(), Some(1));
    let error = errors(&output);
    assert!(error.contains("error: --failed /dev/full cannot be written: "), "{error}");
}

#[test]
fn many_wrong_lines_take_no_more_time_each_than_a_few() {
    const LINES: usize = 60_000;
    let server = broker(1);
    let hosts = bootstrap(&server);
    let folder = Folder::new("many-wrong");
    let file = folder.file("input", "x\n".repeat(LINES));
    let failed = folder.path("failed");
    let header = format!("n={}", "x".repeat(2_000));
    for options in [
        &["--json", "--failed", &failed][..],
        // Each is larger than a request.
        &["-t", "t", "-X", "max.request.size=1500", "-H", &header],
    ] {
        let begun = Instant::now();
        let output = run(&[&["produce", "-b", &hosts], options, &[&file]].concat());
        let took = begun.elapsed();
        assert_eq!(output.status.code(), Some(1));
        assert!(errors(&output).contains("; 60,000 not written"), "{}", errors(&output));
        // When each was looked for from the start, it took minutes.
        assert!(took < Duration::from_secs(20), "{took:?}");
    }
    assert_eq!(json_lines(&std::fs::read(&failed).unwrap()).len(), LINES);
}

#[test]
fn a_line_far_too_long_is_kept_by_its_start_and_the_rest_is_sent() {
    let server = broker(1);
    let hosts = bootstrap(&server);
    let folder = Folder::new("far-too-long");
    let long = [&b"a\n"[..], &vec![b'x'; 1_000_000], b"\nb\n"].concat();
    let file = folder.file("long", &long);
    let failed = folder.path("failed");
    let arguments = ["produce", "-b", &hosts, "-t", "t", "-X", "max.request.size=2000"];
    let kept = ["--failed", &failed];
    // Through a pipe, and as a file.
    for output in [
        run_with(&[&arguments[..], &kept].concat(), &long),
        run(&[&arguments[..], &kept, &[&file]].concat()),
    ] {
        assert_eq!(output.status.code(), Some(1));
        let error = errors(&output);
        for part in [", line 2: it has 1,000,000 bytes, more than max", "; 1 not written; 1 kept"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
    let found = values(&server);
    let found: Vec<_> = found.iter().map(Option::as_deref).collect();
    assert_eq!(found, [Some("a"), Some("b"), Some("a"), Some("b")]);
    for line in json_lines(&std::fs::read(&failed).unwrap()) {
        assert_eq!((&line["line"], &line["reason"]), (&json!(2), &json!("refused")));
        assert_eq!(line["input"].as_str().map(str::len), Some(1_024));
        // A part is not sent for the whole.
        assert!(line.get("value").is_none(), "{line}");
    }
}

#[cfg(unix)]
#[test]
fn the_place_behind_a_last_line_without_an_end_is_the_next_line() {
    let server = broker(1);
    let hosts = bootstrap(&server);
    let folder = Folder::new("no-end");
    let file = folder.file("file", "a\nb");
    let mut child = ottla(&["produce", "-b", &hosts, "-t", "t", &file, "-"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let pipe = child.stdin.take().unwrap();
    wait_for_log(&server, 2);
    common::interrupt(&child);
    let output = child.wait_with_output().unwrap();
    drop(pipe);
    assert_eq!(output.status.code(), Some(130), "{}", errors(&output));
    let place = format!("; stopped at {file}, line 3\n");
    assert!(errors(&output).ends_with(&place), "{}", errors(&output));
}

#[test]
fn what_failed_is_sent_again() {
    let server = broker(2);
    let hosts = bootstrap(&server);
    let folder = Folder::new("failed");
    let failed = folder.path("failed.jsonl");
    let input = folder.file("input", b"a:1\nb:\xff\xfe\n\nc:\"\\\xe2\x82\xac\n");
    // The broker says that it did not write them.
    at_produce(&server, Action::Refuse(ErrorCode::INVALID_RECORD));
    let mut arguments = vec!["produce", "-b", &hosts, "-t", "t", "-K", ":", "-H", "h=1", "-Z"];
    arguments.extend(["--timestamp", "7", "--failed", &failed, &input]);
    let output = run(&arguments);
    assert_eq!(output.status.code(), Some(1));
    let error = errors(&output);
    assert!(
        error.contains("4 not written; 4 kept in ") && error.contains("failed.jsonl"),
        "{error}"
    );
    let mut kept = json_lines(&std::fs::read(&failed).unwrap());
    kept.sort_by_key(|line| line["line"].as_u64());
    for (line, number) in kept.iter().zip(1..) {
        assert_eq!((&line["topic"], &line["file"]), (&json!("t"), &json!(input)));
        assert_eq!((&line["line"], &line["reason"]), (&json!(number), &json!("not written")));
        assert!(line["partition"].as_u64().is_some_and(|partition| partition < 2), "{line}");
        assert!(
            line["error"].as_str().is_some_and(|error| error.contains("INVALID_RECORD")),
            "{line}"
        );
    }
    at_produce(&server, Action::Proceed);
    // The options of the first run are in the file; those of the second are not added.
    let output = run(&["produce", "-b", &hosts, "-H", "other=1", "--json", &failed]);
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let mut found: Vec<_> = log(&server)
        .into_iter()
        .map(|entry| {
            assert_eq!(entry.headers, [(b"h".to_vec(), Some(b"1".to_vec()))]);
            assert_eq!(entry.timestamp, 7);
            (entry.key, entry.value)
        })
        .collect();
    found.sort();
    let some = |bytes: &[u8]| Some(bytes.to_vec());
    let expected = [
        (None, None),
        (some(b"a"), some(b"1")),
        (some(b"b"), some(b"\xff\xfe")),
        (some(b"c"), some("\"\\€".as_bytes())),
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_nobody_knows_is_kept_as_that() {
    let server = broker(1);
    let hosts = bootstrap(&server);
    let folder = Folder::new("unknown");
    let failed = folder.file("failed.jsonl", "{\"value\":\"before\"}\n");
    at_produce(&server, Action::Swallow(Silence::Stay));
    let mut arguments = vec!["produce", "-b", &hosts, "-t", "t", "--failed", &failed];
    arguments.extend([
        "-X",
        "delivery.timeout.ms=700",
        "-X",
        "request.timeout.ms=500",
        "-X",
        "linger.ms=0",
    ]);
    let output = run_with(&arguments, b"a\nb\n");
    assert_eq!(output.status.code(), Some(1));
    let error = errors(&output);
    assert!(error.contains("2 unknown: they may or may not be written; 2 kept in"), "{error}");
    let kept = json_lines(&std::fs::read(&failed).unwrap());
    assert_eq!(kept.len(), 3, "it is added to");
    for (line, value) in kept[1..].iter().zip(["a", "b"]) {
        assert_eq!((&line["value"], &line["reason"]), (&json!(value), &json!("unknown")));
    }
}

#[test]
fn what_was_read_and_not_sent_is_kept() {
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let folder = Folder::new("unsent");
    let failed = folder.path("failed.jsonl");
    let input: String = (0..20_000).map(|n| format!("{n}\n")).collect();
    let common =
        ["produce", "-b", &address, "-t", "t", "-X", "max.block.ms=300", "--failed", &failed];
    let output = run_with(&common, input.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    let error = errors(&output);
    assert!(
        error.contains(&address) && error.contains("; stopped at standard input, line 20001"),
        "{error}"
    );
    let kept = json_lines(&std::fs::read(&failed).unwrap());
    let expected: Vec<_> = (0..20_000).map(|n| n.to_string()).collect();
    assert!(
        kept.iter().map(|line| line["value"].as_str().unwrap()).eq(expected.iter()),
        "{}",
        kept.len()
    );
    // Without it, the place is told.
    let output = run_with(&common[..7], input.as_bytes());
    assert!(
        errors(&output).contains("; stopped at standard input, line 1\n"),
        "{}",
        errors(&output)
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_loses_nothing() {
    let server = broker(1);
    let hosts = bootstrap(&server);
    at_produce(&server, Action::Refuse(ErrorCode::INVALID_RECORD));
    let arguments = ["produce", "-b", &hosts, "-t", "t", "--failed", "/dev/full", "-q"];
    let output = run_with(&arguments, b"a\nb\n");
    assert_eq!(output.status.code(), Some(1));
    let error = errors(&output);
    assert!(
        error.contains("--failed /dev/full cannot be written: No space left on device"),
        "{error}"
    );
    assert!(error.contains("on standard output"), "{error}");
    let kept = json_lines(&output.stdout);
    assert_eq!(
        kept.iter().map(|line| line["value"].as_str().unwrap()).collect::<Vec<_>>(),
        ["a", "b"]
    );
}

#[test]
fn a_place_for_failures_is_looked_at_before_anything_is_sent() {
    let folder = Folder::new("place");
    let input = folder.file("input", "a\n");
    for (failed, code, part) in [
        ("/no/such/folder/file", 1, "/no/such/folder/file cannot be written"),
        (&input, 2, "is also read"),
    ] {
        let output = run(&["produce", "-b", "127.0.0.1:9", "-t", "t", "--failed", failed, &input]);
        assert_eq!(output.status.code(), Some(code));
        assert!(errors(&output).contains(part), "{}", errors(&output));
    }
    assert_eq!(std::fs::read(&input).unwrap(), b"a\n");
}

/// What it adds it would read again, for ever.
#[cfg(unix)]
#[test]
fn a_place_for_failures_is_not_read_under_another_name() {
    use std::fs::{File, OpenOptions, hard_link};
    let folder = Folder::new("other-name");
    let file = folder.file("file", "junk\n");
    let link = folder.path("link");
    hard_link(&file, &link).unwrap();
    let common = ["produce", "-b", "127.0.0.1:9", "-t", "t", "--json", "--failed"];
    let refused = |command: &mut std::process::Command, input: &str| {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", errors(&output));
        let part = format!(" is also read ({input}): ");
        assert!(errors(&output).contains(&part), "{}", errors(&output));
    };
    refused(&mut ottla(&[&common[..], &[&file, &link]].concat()), &link);
    let stdin = || File::open(&file).unwrap();
    refused(ottla(&[&common[..], &[&file]].concat()).stdin(stdin()), "standard input");
    let added = OpenOptions::new().append(true).open(&link).unwrap();
    refused(ottla(&[&common[..], &["-"]].concat()).stdin(stdin()).stdout(added), "standard input");
    assert_eq!(std::fs::read(&file).unwrap(), b"junk\n");
}

#[test]
fn a_report_for_programs_is_one_object() {
    let server = broker(1);
    let hosts = bootstrap(&server);
    let arguments =
        ["produce", "-b", &hosts, "-t", "t", "--report", "json", "-X", "max.request.size=1000"];
    let mut input = vec![b'x'; 1_200];
    input.extend_from_slice(b"\na\nb\n");
    let output = run_with(&arguments, &input);
    assert_eq!(output.status.code(), Some(1));
    let report = &json_lines(&output.stdout)[..];
    let [report] = report else { panic!("{report:?}") };
    for (name, value) in [
        ("written", json!(2)),
        ("not_written", json!(1)),
        ("unknown", json!(0)),
        ("complete", json!(true)),
        ("topics", json!(["t"])),
    ] {
        assert_eq!(report[name], value, "{report}");
    }
    assert!(report["errors"][0].as_str().unwrap().contains("line 1"), "{report}");
}

#[cfg(unix)]
#[test]
fn a_service_manager_can_end_it() {
    let server = broker(1);
    let hosts = bootstrap(&server);
    let folder = Folder::new("terminated");
    let failed = folder.path("failed");
    let arguments = ["produce", "-b", &hosts, "-t", "t", "--rate", "10", "--failed", &failed];
    let mut child = ottla(&arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input: Vec<u8> = (0..100).flat_map(|n| format!("{n}\n").into_bytes()).collect();
    pipe.write_all(&input).unwrap();
    wait_for_log(&server, 3);
    common::signal(&child, rustix::process::Signal::TERM);
    let output = child.wait_with_output().unwrap();
    drop(pipe);
    assert_eq!(output.status.code(), Some(143), "{}", errors(&output));
    // Each is written, or kept.
    let mut all = values(&server).into_iter().flatten().collect::<Vec<_>>();
    let kept = json_lines(&std::fs::read(&failed).unwrap());
    all.extend(kept.iter().map(|line| line["value"].as_str().unwrap().to_owned()));
    assert_eq!(all, (0..100).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn every_record_is_written_or_kept_while_the_broker_comes_and_goes() {
    const RECORDS: usize = 60_000;
    let server = broker(3);
    let hosts = bootstrap(&server);
    let folder = Folder::new("comes-and-goes");
    let failed = folder.path("failed.jsonl");
    let input: String = (0..RECORDS).map(|n| format!("{n}\n")).collect();
    let input = folder.file("input", input);
    let mut arguments = vec!["produce", "-b", &hosts, "-t", "t", "--failed", &failed];
    arguments.extend(["--rate", "20000", "--report", "json", "-X", "linger.ms=5"]);
    arguments.extend(["-X", "delivery.timeout.ms=600", "-X", "request.timeout.ms=300"]);
    let child = ottla(&[&arguments[..], &[&input]].concat()).spawn().unwrap();
    for _ in 0..2 {
        wait_for_log(&server, log(&server).len() + 2_000);
        server.with(|cluster, now| cluster.kill(now, 1)).unwrap();
        std::thread::sleep(Duration::from_millis(900));
        server.with(|cluster, now| cluster.start(now, 1)).unwrap();
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    let report = &json_lines(&output.stdout)[0];
    let count = |name: &str| usize::try_from(report[name].as_u64().unwrap()).unwrap();
    let kept = json_lines(&std::fs::read(&failed).unwrap());
    assert_eq!(count("written") + kept.len(), RECORDS, "{report}");
    assert_eq!(count("not_written") + count("unknown"), kept.len(), "{report}");
    assert!(!kept.is_empty());

    let mut times = vec![0; RECORDS];
    for value in values(&server).into_iter().flatten() {
        times[value.parse::<usize>().unwrap()] += 1;
    }
    let mut is_kept = vec![false; RECORDS];
    for line in &kept {
        let value: usize = line["value"].as_str().unwrap().parse().unwrap();
        assert_eq!(line["line"], value + 1);
        assert!(!is_kept[value], "kept twice: {line}");
        is_kept[value] = true;
        let may_be_written = line["reason"] == "unknown";
        assert!(may_be_written || times[value] == 0, "in the log all the same: {line}");
    }
    for value in 0..RECORDS {
        assert!(
            times[value] == 1 || is_kept[value] && times[value] == 0,
            "{value}: {}",
            times[value]
        );
    }
}
