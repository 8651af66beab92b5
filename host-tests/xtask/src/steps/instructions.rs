//! How many instructions the core takes for a record and for a batch, counted by callgrind.
//!
//! The counts are slopes between two runs of the package `instructions`, so start and end drop
//! out: one of more records, and one of the same records in more batches. They are the same on every
//! machine with the same compiler, and are held to what `counts.txt` says.
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

/// Bytes of a batch where records are counted, and of a small one: the difference is the batches'.
const BATCH: u64 = 65_536;
const SMALL_BATCH: u64 = 4_096;

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
    for (what, count) in measure(context)? {
        let key = format!("{what}: ");
        let before = kept.lines().find_map(|line| line.strip_prefix(&key));
        let before: f64 = before
            .with_context(|| format!("{} has no line `{key}`", file.display()))?
            .trim()
            .parse()?;
        let growth = (count - before) / before * 100.0;
        println!("   {what}: {count:.1} ({growth:+.1} %)");
        if growth > ALLOWANCE {
            problem = Some(format!("{what}: {count:.1} instead of {before:.1}"));
        }
    }
    if let Some(problem) = problem {
        anyhow::bail!(
            "instructions grew by more than {ALLOWANCE} %: {problem}; if that is meant, run \
             `cargo xtask count` and commit the file"
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
        "# Instructions of the core, with records of 100 bytes; written by `cargo xtask count`.\n",
    );
    for (what, count) in measure(context)? {
        println!("{what}: {count:.1}");
        writeln!(text, "{what}: {count:.1}")?;
    }
    Ok(fs::write(counts(context), text)?)
}

fn counts(context: &Context) -> PathBuf {
    context.root.join("host-tests/instructions/counts.txt")
}

fn measure(context: &Context) -> Result<Vec<(String, f64)>> {
    require(VALGRIND)?;
    run(&mut context.cargo(["build", "--quiet", "--release", "--package", "instructions"]))?;
    let mut counts = Vec::new();
    for partitions in PARTITIONS {
        let short = instructions(context, RECORDS, partitions, BATCH)?;
        let long = instructions(context, 2 * RECORDS, partitions, BATCH)?;
        let of_a_record = (long.0 - short.0) / RECORDS as f64;
        counts.push((format!("a record, partitions {partitions}"), of_a_record));
        let small = instructions(context, RECORDS, partitions, SMALL_BATCH)?;
        let of_a_batch = (small.0 - short.0) / (small.1 - short.1);
        counts.push((format!("a batch, partitions {partitions}"), of_a_batch));
    }
    Ok(counts)
}

/// Instructions of so many records, and how many batches they were.
fn instructions(
    context: &Context,
    records: u64,
    partitions: u32,
    batch: u64,
) -> Result<(f64, f64)> {
    let arguments = [records, u64::from(partitions), batch];
    let (count, said) = count(context, "instructions", &[], &arguments)?;
    let batches: f64 = said.trim().parse().with_context(|| format!("no number: {said}"))?;
    Ok((count as f64, batches))
}

/// The client's instructions per record, with the development broker in the same process.
fn many(context: &Context, busy: u32, idle: u32) -> Result<f64> {
    const CLIENT: [&str; 2] = ["--collect-atstart=no", "--toggle-collect=*on_the_client*"];
    let arguments = [u64::from(busy), u64::from(idle), RECORDS];
    let (count, _) = count(context, "many", &CLIENT, &arguments)?;
    ensure!(count > 0, "callgrind has not seen the function that calls the client");
    Ok(count as f64 / RECORDS as f64)
}

/// Instructions of a program of the package, and what it printed.
fn count(
    context: &Context,
    program: &str,
    options: &[&str],
    arguments: &[u64],
) -> Result<(u64, String)> {
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
    Ok((count.trim().parse()?, String::from_utf8_lossy(&output.stdout).into_owned()))
}
