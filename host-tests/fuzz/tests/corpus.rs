//! Every target over the inputs that are kept.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use ottla_fuzz::{TARGETS, Target};

/// The inputs of a target below a directory of this package, in the order of their names.
fn inputs(directory: &str, target: &Target) -> Vec<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory).join(target.name);
    let Ok(entries) = fs::read_dir(&path) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn run(directory: &str, target: &Target) -> usize {
    let inputs = inputs(directory, target);
    for path in &inputs {
        let data = fs::read(path).unwrap();
        let kept = catch_unwind(|| (target.run)(&data));
        assert!(kept.is_ok(), "target {} fails on {}", target.name, path.display());
    }
    inputs.len()
}

#[test]
fn the_corpus_breaks_nothing() {
    for target in TARGETS {
        let count = run("corpus", target);
        println!("{:18}{count:>5} inputs", target.name);
        // An empty directory would say nothing about anything.
        assert!(count > 0, "no corpus for {}", target.name);
    }
}

#[test]
fn what_broke_something_once_does_not_do_so_again() {
    let mut all = 0;
    for target in TARGETS {
        let count = run("regressions", target);
        println!("{:18}{count:>5} inputs", target.name);
        all += count;
    }
    assert!(all > 0, "no regressions are kept");
}

/// Each target has a program that is called so, for cargo-fuzz.
#[test]
fn every_target_has_a_program() {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join("fuzz_targets");
    let mut names: Vec<String> = fs::read_dir(programs)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().display().to_string())
        .collect();
    names.sort();
    let mut targets: Vec<String> = TARGETS.iter().map(|target| target.name.to_string()).collect();
    targets.sort();
    assert_eq!(names, targets);
}

#[test]
fn every_directory_is_that_of_a_target() {
    for directory in ["corpus", "regressions"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
        let entries = fs::read_dir(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for entry in entries {
            let name = entry.unwrap().file_name();
            let known = TARGETS.iter().any(|target| *target.name == *name);
            assert!(known, "{directory} has {}, and no target is called so", name.display());
        }
    }
}
