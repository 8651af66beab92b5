//! `ottla produce`, from pipes and files to the log of a broker.

mod common;

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{bootstrap, broker, errors, log, ottla, run, run_with, wait_for_log};

/// Lines with every byte but the newline, of odd lengths, some empty, some long.
fn odd_lines(count: usize) -> Vec<Vec<u8>> {
    let mut state = 1_u32;
    let mut next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as usize
    };
    let byte = |n: usize| match n as u8 {
        b'\n' => b'\r',
        other => other,
    };
    (0..count)
        .map(|line| {
            let length = if line % 9_999 == 0 { 200_000 } else { next() % 60 };
            (0..length).map(|_| byte(next())).collect()
        })
        .collect()
}

#[test]
fn a_pipe_arrives_byte_for_byte() {
    let server = broker(1);
    let lines = odd_lines(100_000);
    // The last line has no newline.
    let mut input = lines.join(&b'\n');
    input.push(b'\n');
    input.extend_from_slice(b"the end\r");
    let output = run_with(&["produce", "-b", &bootstrap(&server), "-t", "t"], &input);
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let error = errors(&output);
    assert!(error.starts_with("100,001 records written to t"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(output.stdout.is_empty());
    let log = log(&server);
    assert_eq!(log.len(), 100_001);
    for (entry, line) in log.iter().zip(&lines) {
        assert!(entry.value.as_ref() == Some(line), "{:?} is not {line:?}", entry.value);
        assert!(entry.key.is_none() && entry.headers.is_empty());
    }
    assert_eq!(log[100_000].value.as_deref(), Some(&b"the end\r"[..]));
}

#[test]
fn files_come_one_after_another() {
    let server = broker(1);
    let folder = std::env::temp_dir().join(format!("ottla-produce-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (first, second) = (folder.join("first"), folder.join("second"));
    std::fs::write(&first, b"a\nb").unwrap();
    std::fs::write(&second, b"\nc\n").unwrap();
    let hosts = bootstrap(&server);
    let files = [first.to_str().unwrap(), "-", second.to_str().unwrap()];
    let output = run_with(&[&["produce", "-b", &hosts, "-t", "t"], &files[..]].concat(), b"in");
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let values: Vec<_> = log(&server).into_iter().map(|entry| entry.value.unwrap()).collect();
    assert_eq!(values, [&b"a"[..], b"b", b"in", b"", b"c"]);
}

#[test]
fn keys_headers_and_partitions_are_set() {
    let server = broker(3);
    let hosts = bootstrap(&server);
    let mut arguments = vec!["produce", "-b", &hosts, "-t", "t", "-K", r"\t", "-p", "2", "-q"];
    arguments.extend(["-H", "a=1=2", "-H", "empty=", "-H", "null", "-X", "linger.ms=0"]);
    let output = run_with(&arguments, b"key\tvalue\tmore\nnone\n\t\n");
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    assert_eq!(errors(&output), "");
    let log = log(&server);
    let content = |n: usize| (log[n].key.as_deref(), log[n].value.as_deref());
    assert_eq!(log.len(), 3);
    assert_eq!(content(0), (Some(&b"key"[..]), Some(&b"value\tmore"[..])));
    assert_eq!(content(1), (None, Some(&b"none"[..])));
    assert_eq!(content(2), (Some(&b""[..]), Some(&b""[..])));
    let headers: [(&[u8], Option<&[u8]>); 3] =
        [(b"a", Some(b"1=2")), (b"empty", Some(b"")), (b"null", None)];
    for entry in &log {
        assert_eq!(entry.partition, 2);
        let found: Vec<_> =
            entry.headers.iter().map(|(k, v)| (k.as_slice(), v.as_deref())).collect();
        assert_eq!(found, headers);
    }
}

#[test]
fn wrong_settings_are_named_in_one_line() {
    let settings = ["-X", "linger.mss=5", "-X", "acks=2", "-X", "batch.size=-1"];
    let common = ["produce", "-b", "127.0.0.1:9", "-t", "t"];
    let output = run(&[&common[..], &settings[..]].concat());
    assert_eq!(output.status.code(), Some(2));
    let error = errors(&output);
    assert_eq!(error.lines().count(), 1, "{error}");
    for part in ["error: ", "linger.mss", "linger.ms", "acks", "batch.size"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let output = run(&["produce", "-b", "127.0.0.1:9", "-t", "t", "-X", "linger.ms"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("KEY=VALUE"), "{}", errors(&output));
}

#[test]
fn a_missing_file_is_named_before_anything_is_sent() {
    let output = run(&["produce", "-b", "127.0.0.1:9", "-t", "t", "/dev/null", "/no/such/file"]);
    assert_eq!(output.status.code(), Some(1));
    let error = errors(&output);
    assert!(error.starts_with("error: /no/such/file cannot be read"), "{error}");
}

#[test]
fn an_unreachable_broker_is_one_clear_line_in_time() {
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let begun = Instant::now();
    let common = ["produce", "-b", &address, "-t", "t", "-X", "max.block.ms=700"];
    let output = run_with(&common, b"a\nb\n");
    let took = begun.elapsed();
    assert_eq!(output.status.code(), Some(1));
    assert!(took >= Duration::from_millis(600) && took < Duration::from_secs(5), "{took:?}");
    let error = errors(&output);
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.starts_with("error: ") && error.contains(&address), "{error}");
    assert!(error.contains("700 ms"), "{error}");
}

#[test]
fn a_broker_that_goes_ends_in_failure_in_time() {
    let server = broker(1);
    let hosts = bootstrap(&server);
    let mut arguments = vec!["produce", "-b", &hosts, "-t", "t"];
    arguments.extend(["-X", "delivery.timeout.ms=1000", "-X", "request.timeout.ms=500"]);
    let mut child = ottla(&arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(b"before\n").unwrap();
    wait_for_log(&server, 1);
    server.with(|cluster, now| cluster.kill(now, 1)).unwrap();
    pipe.write_all(b"after\n").unwrap();
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = errors(&output);
    assert!(error.contains("error: a record for t-0"), "{error}");
    assert!(error.contains("1 record written to t"), "{error}");
    assert_eq!(error.lines().count(), 2, "{error}");
}

#[test]
fn a_line_that_is_too_long_is_named_and_the_rest_is_sent() {
    let server = broker(1);
    let mut input = b"one\n".to_vec();
    input.extend(std::iter::repeat_n(b'x', 5_000));
    input.extend_from_slice(b"\nthree\n");
    let hosts = bootstrap(&server);
    let arguments = ["produce", "-b", &hosts, "-t", "t", "-X", "max.request.size=2000"];
    let output = run_with(&arguments, &input);
    assert_eq!(output.status.code(), Some(1));
    let error = errors(&output);
    assert!(error.contains("error: standard input, line 2: "), "{error}");
    assert!(error.contains("2 records written") && error.contains("1 not written"), "{error}");
    let values: Vec<_> = log(&server).into_iter().map(|entry| entry.value.unwrap()).collect();
    assert_eq!(values, [&b"one"[..], b"three"]);
}

#[cfg(unix)]
#[test]
fn an_interrupt_sends_what_was_read() {
    let server = broker(1);
    let hosts = bootstrap(&server);
    let arguments = ["produce", "-b", &hosts, "-t", "t", "-X", "linger.ms=20000"];
    let mut child = ottla(&arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(b"one\ntwo\nhalf").unwrap();
    // Until it has sent them, or at least read them.
    std::thread::sleep(Duration::from_secs(1));
    common::interrupt(&child);
    let output = child.wait_with_output().unwrap();
    drop(pipe);
    assert_eq!(output.status.code(), Some(130), "{}", errors(&output));
    let error = errors(&output);
    assert!(error.contains("interrupted") && error.contains("2 records written"), "{error}");
    assert_eq!(log(&server).len(), 2);
}
