//! Traces: every rule is kept, and the hashes are those that every machine finds.
//!
//! Where the core has changed on purpose, `UPDATE=1 cargo test -p ottla-answers` writes the hashes
//! anew. That they are the same on x86-64, i686 and ARM is what the file is for: the tests are run
//! for both hosts, and the image `firmware-examples/qemu-measure` prints the same lines.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use ottla_answers::trace::{check, trace};

/// As many as `seeds=20 steps=1000` asks of the image.
const SEEDS: u64 = 20;
const STEPS: u32 = 1_000;

fn file() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hashes.txt")
}

fn committed() -> String {
    fs::read_to_string(file()).expect("the file of hashes")
}

#[test]
fn hashes_are_the_same_on_every_machine() {
    let mut found = String::new();
    for seed in 0..SEEDS {
        writeln!(found, "trace {seed} {:016x}", trace(seed, STEPS)).expect("a string");
    }
    if env::var_os("UPDATE").is_some() {
        fs::write(file(), &found).expect("the file of hashes");
    }
    assert_eq!(found, committed());
}

#[test]
fn every_rule_is_kept() {
    for seed in 1_000..1_400 {
        trace(seed, STEPS);
    }
    for seed in 2_000..4_000 {
        trace(seed, 100);
    }
}

/// Seeds that found something: what is left of a divided batch did not expire while the part before
/// it was unanswered; a part was sealed with the figures of what was left.
#[test]
fn regression_seeds() {
    for seed in [42_885, 195_351] {
        trace(seed, STEPS);
    }
}

#[test]
fn a_trace_can_be_repeated_and_every_step_counts() {
    let mut steps = Vec::new();
    let hash = check(3, 100, &mut |step, hash| steps.push((step, hash)));
    let mut again = Vec::new();
    assert_eq!(check(3, 100, &mut |step, hash| again.push((step, hash))), hash);
    assert_eq!(steps, again);
    assert!(steps.len() >= 100);
    assert!(steps.windows(2).all(|pair| pair[0].1 != pair[1].1));
    assert_ne!(trace(3, 101), trace(3, 100));
}
