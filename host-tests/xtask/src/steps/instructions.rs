//! How many instructions the core takes for a record, counted by callgrind.
//!
//! The count is the slope between two runs of the package `instructions`, so start and end drop
//! out. It is the same on every machine with the same compiler, and is held to what
//! `counts.txt` says.
//!
//! The program `many` has the development broker in its process, and tells callgrind by a
//! function's name what is the client's: there, a busy partition is held to what it takes alone.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::command::{catch, run};
use crate::context::Context;
use crate::install::{VALGRIND, require};

/// Numbers of partitions that are measured.
const PARTITIONS: [u32; 2] = [1, 6];

/// Records of the shorter run; the longer one has twice as many.
const RECORDS: u64 = 100_000;

/// Growth beyond so many per cent fails.
const ALLOWANCE: f64 = 3.0;

/// Partitions that are idle beside a busy one, and that are busy together.
const IDLE: u32 = 10_000;
const BUSY: u32 = 1_000;

/// What idle partitions may add to the busy one's instructions, in per cent.
const IDLE_ALLOWANCE: f64 = 5.0;

pub(super) fn check(context: &Context) -> Result<()> {
    let file = counts(context);
    let kept = fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?;
    let mut problem = None;
    for (partitions, count) in measure(context)? {
        let key = format!("partitions {partitions} ");
        let before = kept.lines().find_map(|line| line.strip_prefix(&key));
        let before: f64 = before
            .with_context(|| format!("{} has no line `{key}`", file.display()))?
            .trim()
            .parse()?;
        let growth = (count - before) / before * 100.0;
        println!("   {partitions} partition(s): {count:.1} a record ({growth:+.1} %)");
        if growth > ALLOWANCE {
            problem = Some(format!("{count:.1} instead of {before:.1} with {partitions}"));
        }
    }
    if let Some(problem) = problem {
        anyhow::bail!(
            "instructions per record grew by more than {ALLOWANCE} %: {problem}; if that is \
             meant, run `cargo xtask count` and commit the file"
        );
    }
    check_many(context)
}

/// What a record takes where there are many partitions.
fn check_many(context: &Context) -> Result<()> {
    let alone = many(context, 1, 0)?;
    let beside = many(context, 1, IDLE)?;
    let added = (beside - alone) / alone * 100.0;
    println!("   one busy: {alone:.1} a record; beside {IDLE} idle: {beside:.1} ({added:+.1} %)");
    println!("   {BUSY} busy, in small batches: {:.1} a record", many(context, BUSY, 0)?);
    ensure!(
        added <= IDLE_ALLOWANCE,
        "{IDLE} idle partitions add {added:.1} % to a busy one, above {IDLE_ALLOWANCE} %"
    );
    Ok(())
}

/// Measures, and keeps the counts for later checks.
pub(crate) fn save(context: &Context) -> Result<()> {
    let mut text = String::from(
        "# Instructions of the core per record of 100 bytes; written by `cargo xtask count`.\n",
    );
    for (partitions, count) in measure(context)? {
        println!("{partitions} partition(s): {count:.1} a record");
        writeln!(text, "partitions {partitions} {count:.1}")?;
    }
    Ok(fs::write(counts(context), text)?)
}

fn counts(context: &Context) -> PathBuf {
    context.root.join("host-tests/instructions/counts.txt")
}

fn measure(context: &Context) -> Result<Vec<(u32, f64)>> {
    require(VALGRIND)?;
    run(&mut context.cargo(["build", "--quiet", "--release", "--package", "instructions"]))?;
    let mut counts = Vec::new();
    for partitions in PARTITIONS {
        let short = instructions(context, RECORDS, partitions)?;
        let long = instructions(context, 2 * RECORDS, partitions)?;
        counts.push((partitions, (long - short) as f64 / RECORDS as f64));
    }
    Ok(counts)
}

fn instructions(context: &Context, records: u64, partitions: u32) -> Result<u64> {
    count(context, "instructions", &[], &[records, u64::from(partitions)])
}

/// The client's instructions per record, with the development broker in the same process.
fn many(context: &Context, busy: u32, idle: u32) -> Result<f64> {
    const CLIENT: [&str; 2] = ["--collect-atstart=no", "--toggle-collect=*on_the_client*"];
    let arguments = [u64::from(busy), u64::from(idle), RECORDS];
    let count = count(context, "many", &CLIENT, &arguments)?;
    ensure!(count > 0, "callgrind has not seen the function that calls the client");
    Ok(count as f64 / RECORDS as f64)
}

/// Instructions of a program of the package.
fn count(context: &Context, program: &str, options: &[&str], arguments: &[u64]) -> Result<u64> {
    let output = catch(
        Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .args(options)
            .arg(context.target_directory().join("release").join(program))
            .args(arguments.iter().map(u64::to_string)),
    )?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the run under callgrind failed: {}", said.trim());
    let count = said.lines().find_map(|line| line.split_once("Collected : "));
    let (_, count) = count.with_context(|| format!("callgrind told no count: {said}"))?;
    Ok(count.trim().parse()?)
}
