//! `simulate`: runs seeds, tells what they were like, and cuts down those that break a promise.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context as _, Result, anyhow};
use clap::Parser;
use ottla_simulator::Promise;
use ottla_simulator::operation::{read_script, script};
use ottla_simulator::report::Report;
use ottla_simulator::run::{self, Outcome};
use ottla_simulator::shrink::shrink;

/// Every so many seeds are run twice, to see that they are the same.
const COMPARED: u64 = 16;
/// So many failing seeds are told of; the rest is counted.
const TOLD_MAX: usize = 5;

#[derive(Parser)]
#[command(about = "Runs producers against a cluster under faults, by seed")]
struct Cli {
    /// Number of seeds
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,
    /// Only this seed, and all about it
    #[arg(long, conflicts_with_all = ["hours", "script"])]
    seed: Option<u64>,
    /// Tells on standard error what happens in the seed, or the script
    #[arg(long)]
    told: bool,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Goes on with further seeds for so many hours
    #[arg(long)]
    hours: Option<f64>,
    /// Threads; as many as there are processors by default
    #[arg(long)]
    threads: Option<usize>,
    /// Runs a script that was kept
    #[arg(long)]
    script: Option<std::path::PathBuf>,
    /// Fails below so many core steps per second and thread
    #[arg(long, default_value_t = 0)]
    least: u64,
    /// Fails if a fault, an outcome, a full table, a code ... was never met
    #[arg(long)]
    complete: bool,
    /// Ends at the first seed that breaks a promise, and does not cut it down
    #[arg(long, conflicts_with_all = ["seed", "script"])]
    first: bool,
    /// Judges only these promises, as I3, and goes on when others are broken
    #[arg(long, value_name = "PROMISE", conflicts_with_all = ["script", "told", "complete"])]
    judge: Vec<Promise>,
    /// The commit, to be told with failing seeds
    #[arg(long, default_value = "unknown")]
    commit: String,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match (&cli.script, cli.seed) {
        (Some(path), _) => play(&cli, path),
        (None, Some(seed)) if cli.told => Ok(show(&cli, &run::told(seed), false)),
        (None, Some(seed)) if cli.judge.is_empty() => Ok(show(&cli, &run::twice(seed), true)),
        (None, Some(seed)) => Ok(show(&cli, &run::judging(seed, &cli.judge), false)),
        (None, None) => many(&cli),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn play(cli: &Cli, path: &std::path::Path) -> Result<bool> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let (seed, operations) = read_script(&text).map_err(|error| anyhow!(error))?;
    Ok(show(cli, &run::operations(seed, &operations, cli.told), false))
}

/// Tells all about a run. Returns whether it kept all promises.
fn show(cli: &Cli, outcome: &Outcome, cut: bool) -> bool {
    let faults: Vec<&str> = outcome.faults.iter().map(|fault| fault.name()).collect();
    println!("seed {}, commit {}, faults: {}", outcome.seed, cli.commit, faults.join(" "));
    println!(
        "{} of {} records delivered, {} faults hit, {} core steps, {} s, trace {:016x}",
        outcome.delivered,
        outcome.accepted,
        outcome.fired.total(),
        outcome.steps,
        outcome.span / 1_000_000,
        outcome.hash
    );
    let Some(violation) = &outcome.violation else { return true };
    println!("{violation}");
    if cut {
        let short = shrink(outcome.seed, &outcome.operations, violation.promise);
        println!("# {violation}\n{}", script(outcome.seed, &short));
    }
    false
}

fn many(cli: &Cli) -> Result<bool> {
    let started = Instant::now();
    let hours = cli.hours.map(|hours| Duration::from_secs_f64(hours * 3_600.0));
    let threads =
        cli.threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, |n| n.get()));
    let next = AtomicU64::new(cli.from);
    // Seeds are begun in order and those begun are finished, so the lowest that fails is told.
    let is_enough = AtomicBool::new(false);
    let sum = Mutex::new((Report::default(), Vec::new()));
    let busy = Mutex::new(Duration::ZERO);
    // A panic is told with its seed; its text alone would only be in the way.
    std::panic::set_hook(Box::new(|_| {}));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let begun = Instant::now();
                let mut report = Report::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let is_over = match hours {
                        Some(hours) => started.elapsed() >= hours,
                        None => seed >= cli.from.saturating_add(cli.seeds),
                    };
                    if is_over || is_enough.load(Ordering::Relaxed) {
                        break;
                    }
                    let compared = cli.judge.is_empty() && seed.is_multiple_of(COMPARED);
                    let outcome =
                        if compared { run::twice(seed) } else { run::judging(seed, &cli.judge) };
                    report.take(&outcome, compared);
                    if outcome.violation.is_some() {
                        is_enough.store(cli.first, Ordering::Relaxed);
                        let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                        sum.1.push(outcome);
                    }
                }
                sum.lock().unwrap_or_else(PoisonError::into_inner).0.add(&report);
                *busy.lock().unwrap_or_else(PoisonError::into_inner) += begun.elapsed();
            });
        }
    });
    let (report, mut failed) = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    let busy = busy.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.sort_by_key(|outcome| outcome.seed);
    if cli.first {
        failed.truncate(1);
    }
    for outcome in failed.iter().take(TOLD_MAX) {
        show(cli, outcome, !cli.first && cli.judge.is_empty());
    }
    for outcome in failed.iter().skip(TOLD_MAX) {
        let what = outcome.violation.as_ref().map(ToString::to_string).unwrap_or_default();
        println!("seed {}: {what}", outcome.seed);
    }
    let per_second = report.steps as f64 / busy.as_secs_f64().max(1e-9);
    println!("{report}\n{per_second:.0} core steps per second and thread, commit {}", cli.commit);
    println!("{} of {} seeds broke a promise", report.broken(), report.seeds);
    let missing = report.missing();
    if missing.is_empty() {
        println!(
            "every fault, outcome, refusal, full table, end of a link, transition and code was met, and every checker judged something"
        );
    } else {
        println!("never met:\n  {}", missing.join("\n  "));
    }
    if cli.complete && !missing.is_empty() {
        return Ok(false);
    }
    if per_second < cli.least as f64 {
        println!("below {} core steps per second and thread", cli.least);
        return Ok(false);
    }
    Ok(report.broken() == 0)
}
