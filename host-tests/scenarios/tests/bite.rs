//! What is planted in a script is found, with its line: a run that differs cannot pass.

use ottla_scenarios::script::{Kind, Script};
use ottla_scenarios::{Options, parse, play, run};

/// Two batches, the second of them sent twice; with what is really to be seen.
const SOUND: &str = "\
given
  topic t on 1
  producer batch.size 0

events
  produce t/0 b1
  until told b1
  next Produce: append and answer REQUEST_TIMED_OUT
  produce t/0 b2
  until Produce
  until told b2

expected
  outcome b1 b2 written 0
  told b1 from 12ms to 12ms
  log t/0 b1 b2
  sent t/0 e0 s0 b1, e0 s1 b2, e0 s1 b2
  count 2 connection to node 1

trace
  node 1, connection 1
    ApiVersions v4 -> NONE
    Metadata v13 t -> nodes 1, t/0 on 1 e0
    InitProducerId v5 -> epoch 0
  node 1, connection 2
    ApiVersions v4 -> NONE
    Produce v13 t/0 e0 s0 b1 -> t/0 at 0
    Produce v13 t/0 e0 s1 b2 -> t/0 REQUEST_TIMED_OUT
    Produce v13 t/0 e0 s1 b2 -> t/0 at 1
  log t/0: b1 b2
  b1 b2 written 0
";

/// Hosts of which several run in a process.
const HOSTS: [Kind; 3] = [Kind::Growable, Kind::Fixed, Kind::Tokio];

/// Lines at fault, with what is said of them, on a host.
fn faults(text: &str, kind: Kind) -> Vec<String> {
    let script = parse::script("x.txt", text).unwrap();
    let run = run(&script, kind, Options::default());
    let failures = play::judge(&script, &run).into_iter();
    failures.map(|failure| format!("{}: {}", failure.line, failure.message)).collect()
}

/// Puts something in another's place in the sound script: the first fault is told of the first line
/// that differs.
fn planted(old: &str, new: &str) -> String {
    assert_eq!(SOUND.matches(old).count(), 1, "{old}");
    let text = SOUND.replace(old, new);
    let same = SOUND.lines().zip(text.lines()).take_while(|(sound, planted)| sound == planted);
    let line = same.count() + 1;
    let mut first = String::new();
    for kind in HOSTS {
        let faults = faults(&text, kind);
        assert!(!faults.is_empty(), "{new} passes on {}", kind.name());
        let start = format!("{line}: ");
        assert!(faults[0].starts_with(&start), "line {line} on {}: {faults:?}", kind.name());
        first = faults[0][start.len()..].to_owned();
    }
    first
}

#[test]
fn what_is_sound_passes() {
    for kind in HOSTS {
        assert_eq!(faults(SOUND, kind), [""; 0], "{}", kind.name());
    }
}

#[test]
fn a_wrong_outcome_is_found() {
    let found = planted("outcome b1 b2 written 0", "outcome b1 b2 written 1");
    assert_eq!(found, "b1 is written 0, not written 1");
    let wrong = "outcome b1 b2 unknown timeout unanswered";
    let found = planted("outcome b1 b2 written 0", wrong);
    assert_eq!(found, "b1 is written 0, not unknown timeout unanswered");
}

#[test]
fn a_wrong_time_is_found() {
    let found = planted("told b1 from 12ms to 12ms", "told b1 from 13ms to 2s");
    assert_eq!(found, "b1 was told at 12ms");
}

#[test]
fn a_wrong_log_is_found() {
    let found = planted("log t/0 b1 b2\n  sent", "log t/0 b2 b1\n  sent");
    assert_eq!(found, "the log of t/0 is: b1 b2; not: b2 b1");
}

#[test]
fn a_request_too_many_or_too_few_is_found() {
    let found = planted("e0 s1 b2, e0 s1 b2", "e0 s1 b2");
    let seen = "e0 s0 b1, e0 s1 b2, e0 s1 b2";
    assert_eq!(found, format!("what was sent of t/0 is: {seen}; not: e0 s0 b1, e0 s1 b2"));
    let found = planted("e0 s1 b2, e0 s1 b2", "e0 s1 b2, e1 s0 b2");
    assert!(found.contains("not: e0 s0 b1, e0 s1 b2, e1 s0 b2"), "{found}");
    let found = planted("count 2 connection", "count 3 connection");
    assert_eq!(found, "connection to node 1: 2 of them, not 3");
}

#[test]
fn a_wrong_trace_is_found() {
    let found = planted("e0 s1 b2 -> t/0 at 1", "e0 s1 b2 -> t/0 at 2");
    assert!(found.contains("seen:     Produce v13 t/0 e0 s1 b2 -> t/0 at 1"), "{found}");
    let found = planted("    InitProducerId v5 -> epoch 0\n", "");
    assert!(found.contains("seen:     InitProducerId v5 -> epoch 0"), "{found}");
    let found = planted("  b1 b2 written 0\n", "  b1 b2 written 0\n  more\n");
    assert!(found.contains("seen:     the end"), "{found}");
}

#[test]
fn what_is_waited_for_in_vain_is_found() {
    let found = planted("until Produce\n", "until Produce to node 2 within 1s\n");
    assert_eq!(found, "after 1s there is still not: Produce to node 2");
    let found = planted("until Produce\n", "no Produce for 1s\n");
    assert!(found.starts_with("there was one after "), "{found}");
    let found = planted("until told b2", "until told b2 within 50ms");
    assert_eq!(found, "after 50ms there is still not: an outcome of b2");
}

#[test]
fn a_rule_that_no_request_met_is_found() {
    let old = "next Produce: append and answer REQUEST_TIMED_OUT";
    let found = planted(old, "next Produce to node 7: append and answer REQUEST_TIMED_OUT");
    assert_eq!(
        found,
        "no request came for: next 1 Produce to node 7: append and answer REQUEST_TIMED_OUT"
    );
}

#[test]
fn what_cannot_happen_is_found() {
    let found = planted("until Produce\n", "lead t/0 by node 2\n");
    assert_eq!(found, "impossible: the node holds no replica of the partition");
    let found = planted("producer batch.size 0", "producer batch.size little");
    assert!(found.contains("batch.size"), "{found}");
    let found = planted("topic t on 1", "topic t on 7");
    assert!(!found.is_empty());
}

#[test]
fn a_false_word_about_a_record_is_found() {
    // The broker lies, so that the producer has to.
    let lie = "next Produce: append and answer INVALID_RECORD";
    let text = SOUND.replace("next Produce: append and answer REQUEST_TIMED_OUT", lie);
    for kind in HOSTS {
        let found = faults(&text, kind);
        let expected = "9: b2 was told not to be written, and is in a log".to_owned();
        assert!(found.contains(&expected), "{found:?}");
    }
}

#[test]
fn the_report_names_file_and_line() {
    let text = SOUND.replace("log t/0 b1 b2\n  sent", "log t/0 b1\n  sent");
    let script: Script = parse::script("some/x.txt", &text).unwrap();
    let run = run(&script, Kind::Tokio, Options::default());
    let report = play::report("some/x.txt".as_ref(), Kind::Tokio, &script, &run);
    let first = report.lines().next().unwrap();
    assert_eq!(first, "some/x.txt:16: on tokio: the log of t/0 is: b1 b2; not: b1");
}
