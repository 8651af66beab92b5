//! The command runs any script that was kept, and says how that went.

use std::path::PathBuf;
use std::process::{Command, Output};

fn command(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ottla-scenarios")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A file with this text.
fn file(name: &str, text: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

const SCRIPT: &str = "given\n  topic t on 1\n\nevents\n  produce t/0 b1\n";

#[test]
fn a_script_of_the_simulator_is_run_there() {
    let operations = "# found somewhere\nseed 1\n0 send who=0 what=0 span=3\n";
    let output = command(&[&file("simulated.txt", operations)]);
    let told = text(&output.stdout);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("seed 1, 1 operations, "), "{told}");
    let output = command(&[&file("wrong.txt", "seed 1\n5 burn\n")]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("no such operation: burn"));
}

#[test]
fn a_trace_is_recorded_and_then_compared_on_every_host() {
    let path = file("recorded.txt", SCRIPT);
    // Nothing is recorded yet, so what is seen differs from it.
    let output = command(&[&path]);
    assert!(!output.status.success());
    let told = text(&output.stdout);
    assert!(told.contains("+ log t/0: b1\n"), "{told}");
    let output = command(&["--update", &path]);
    assert!(output.status.success(), "{}", text(&output.stdout));
    let output = command(&[&path]);
    let told = text(&output.stdout);
    assert!(output.status.success(), "{told}");
    for host in ["growable", "fixed", "tokio", "embassy"] {
        assert!(told.contains(&format!("ok on {host}\n")), "{told}");
    }
}

#[test]
fn what_differs_on_the_host_of_a_process_of_its_own_is_told() {
    let path = file("differs.txt", &format!("{SCRIPT}\nexpected\n  outcome b1 written 9\n"));
    let output = command(&["--host", "embassy", &path]);
    assert!(!output.status.success());
    let told = text(&output.stdout);
    assert!(told.contains("differs.txt:8: on embassy: b1 is written 0, not written 9"), "{told}");
}

#[test]
fn a_fault_of_a_script_is_told_with_its_line_and_word() {
    let path = file("fault.txt", "given\n  nodes many\n");
    let output = command(&[&path]);
    assert!(!output.status.success());
    let told = text(&output.stderr);
    assert!(told.contains("fault.txt:2: `many`: a number is needed"), "{told}");
}
