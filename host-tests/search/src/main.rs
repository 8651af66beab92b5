//! `search`: enters every state of small worlds, tells how many there were, and how a broken promise
//! is reached in the fewest steps.

use std::collections::BTreeMap;
use std::panic::{self, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, iter, thread};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Parser;
use ottla_broker::Profile;
use ottla_search::fault::Fault;
use ottla_search::identity;
use ottla_search::script::script;
use ottla_search::search::{self, Report, search};
use ottla_search::setup::{RECORDS, Setup};
use ottla_search::spaces::{SPACES, Space};
use ottla_search::trace;

#[derive(Parser)]
#[command(
    about = "Enters every state of small worlds: the real producer, its links, the cluster, faults",
    after_help = "Ends with 0 if every promise was kept in every state, with 1 if one was broken, \
                  with 3 if there were more states than allowed."
)]
struct Cli {
    /// Groups of worlds; without one, those of every full test run
    worlds: Vec<String>,
    /// All groups
    #[arg(long, conflicts_with_all = ["worlds", "faults"])]
    all: bool,
    /// Lists the groups and searches none
    #[arg(long)]
    list: bool,
    /// One world with these faults instead of a group
    #[arg(long, value_delimiter = ',', value_parser = fault, conflicts_with = "worlds")]
    faults: Option<Vec<Fault>>,
    /// Partitions of that world
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    partitions: u8,
    /// Batches of each of its partitions
    #[arg(long, default_value_t = 3)]
    batches: u8,
    /// Records of each of its batches
    #[arg(long, default_value_t = 1)]
    records: u8,
    /// Requests that may be without an answer on a link of it
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=5))]
    in_flight: u8,
    /// Which Kafka the brokers of it are like: 2.1, 2.4, 2.8, 3.9, 4.1 or newest
    #[arg(long, default_value_t)]
    release: Profile,
    /// Deadlines that may pass in it while something is on its way
    #[arg(long, default_value_t = 0)]
    early: u8,
    /// Sequence of the first record of each of its partitions
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(i32).range(0..))]
    first: i32,
    /// Searches the other worlds, too, when a promise was broken in one
    #[arg(long)]
    go_on: bool,
    /// Most states of a world
    #[arg(long, default_value_t = 30_000_000)]
    limit: usize,
    /// Threads; as many as there are processors by default
    #[arg(long)]
    threads: Option<usize>,
    /// Fails below so many states per second of a processor
    #[arg(long, default_value_t = 0)]
    least: u64,
    /// Gives all machines that have a fingerprint in common the same inputs, instead of one of them,
    /// and fails if something else comes of it; for small worlds, as all machines are kept
    #[arg(long)]
    compare: bool,
    /// Keeps the way to a broken promise in this file, as a scenario script
    #[arg(long)]
    save: Option<PathBuf>,
}

/// Some worlds had more states than allowed.
const INCOMPLETE: u8 = 3;

fn fault(name: &str) -> Result<Fault, String> {
    let names: Vec<&str> = Fault::ALL.iter().map(|fault| fault.name()).collect();
    Fault::of(name).ok_or_else(|| format!("no such fault; there are {}", names.join(", ")))
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<ExitCode> {
    if cli.list {
        for Space { name, about, always, .. } in SPACES {
            println!("{name:18}{about}{}", if *always { " (in every full test run)" } else { "" });
        }
        return Ok(ExitCode::SUCCESS);
    }
    // A panic of the producer is told with the way to it.
    panic::set_hook(Box::new(|_| {}));
    let began = Instant::now();
    let mut totals = Totals::default();
    let mut failed = false;
    let groups = groups(cli)?;
    if cli.compare {
        for (about, setups) in &groups {
            println!("{about}");
            compare(setups)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let reports = every(cli, &groups);
    reports.iter().for_each(|report| totals.add(report));
    for report in reports.iter().filter(|report| report.found.is_some()) {
        broken(cli, report)?;
        if !cli.go_on {
            return Ok(ExitCode::FAILURE);
        }
        failed = true;
    }
    let reached =
        identity::every(identity::STEPS).map_err(|what| anyhow!("identity rules: {what}"))?;
    println!(
        "identity rules: all {} states within {} steps, {} of them with a full window; {} batches \
         more had to wait",
        reached.states,
        identity::STEPS,
        reached.full,
        reached.refused
    );
    let Totals { states, steps, worlds, incomplete, again, busy } = totals;
    let rate = states as f64 / busy.as_secs_f64().max(1e-9);
    println!(
        "{worlds} worlds, {states} states, {steps} steps in {:.1} s, {rate:.0} states per second \
         of a processor",
        began.elapsed().as_secs_f64()
    );
    println!("{again} states of producers entered again from the beginning, the same came of each");
    if failed {
        return Ok(ExitCode::FAILURE);
    }
    if incomplete > 0 {
        println!("{incomplete} worlds are not complete");
        return Ok(ExitCode::from(INCOMPLETE));
    }
    if rate < cli.least as f64 {
        println!("below {} states per second of a processor", cli.least);
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Default)]
struct Totals {
    worlds: usize,
    states: usize,
    steps: u64,
    incomplete: usize,
    again: usize,
    busy: Duration,
}

impl Totals {
    fn add(&mut self, report: &Report) {
        self.worlds += 1;
        self.again += report.again;
        self.states += report.states;
        self.steps += report.steps;
        self.incomplete += usize::from(!report.complete);
        self.busy += report.took;
    }
}

/// Compares the machines of each world that have a fingerprint in common.
fn compare(setups: &[Setup]) -> Result<()> {
    for setup in setups {
        let compared = search::compare(setup, false);
        let compared = compared.map_err(|what| anyhow!("{}: {what}", setup.describe()))?;
        println!("  {:40} {compared:>10} inputs, the same came of each", setup.name);
    }
    Ok(())
}

/// What is to be searched, with its titles.
fn groups(cli: &Cli) -> Result<Vec<(String, Vec<Setup>)>> {
    if let Some(faults) = &cli.faults {
        let Cli { partitions, batches, records, in_flight, release, early, first, .. } = *cli;
        if usize::from(partitions) * usize::from(batches) * usize::from(records) > RECORDS {
            bail!("a world has {RECORDS} records at most");
        }
        let setup = Setup::new(partitions, batches).with(faults);
        let setup = Setup { records, in_flight, release, early, first, ..setup };
        return Ok(vec![(setup.describe(), vec![setup])]);
    }
    let mut groups = Vec::new();
    for name in &cli.worlds {
        let names: Vec<&str> = SPACES.iter().map(|space| space.name).collect();
        let names = names.join(", ");
        let space =
            Space::of(name).with_context(|| format!("no group {name}; there are {names}"))?;
        groups.push(space);
    }
    if cli.worlds.is_empty() {
        groups.extend(SPACES.iter().filter(|space| space.always || cli.all));
    }
    let title = |space: &&Space| format!("{}: {}", space.name, space.about);
    Ok(groups.iter().map(|space| (title(space), space.setups())).collect())
}

/// Searches all of these, and tells of each when those before it are told. After a violation no
/// other is begun.
fn every(cli: &Cli, groups: &[(String, Vec<Setup>)]) -> Vec<Report> {
    let threads =
        cli.threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, |n| n.get()));
    // No processor waits for the last world of a group.
    let titled = |(about, setups): &'_ (String, Vec<Setup>)| {
        let titles = iter::once(Some(about.clone())).chain(iter::repeat(None));
        titles.zip(setups.clone()).collect::<Vec<_>>()
    };
    let worlds: Vec<(Option<String>, Setup)> = groups.iter().flat_map(titled).collect();
    let next = AtomicUsize::new(0);
    let over = AtomicBool::new(false);
    let reports = Mutex::new((0, BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some((_, setup)) = worlds.get(number) else { break };
                    let report = enter(setup, cli.limit);
                    over.fetch_or(report.found.is_some() && !cli.go_on, Ordering::Relaxed);
                    let mut reports = reports.lock().unwrap_or_else(PoisonError::into_inner);
                    let (told, reports) = &mut *reports;
                    reports.insert(number, report);
                    while let Some(report) = reports.get(told) {
                        if let Some(about) = &worlds[*told].0 {
                            title(about);
                        }
                        line(report);
                        *told += 1;
                    }
                }
            });
        }
    });
    let (_, reports) = reports.into_inner().unwrap_or_else(PoisonError::into_inner);
    reports.into_values().collect()
}

fn title(about: &str) {
    println!(
        "{about}\n  {:40} {:>10} {:>11} {:>6} {:>9} {:>8} {:>8}",
        "faults", "states", "steps", "depth", "producers", "clusters", "seconds"
    );
}

/// Searches one. A panic that is not the producer's is the search's own fault: a bound that is too
/// low for this world.
fn enter(setup: &Setup, limit: usize) -> Report {
    let report = catch_unwind(|| search(setup, limit));
    report.unwrap_or_else(|panic| {
        let what = panic.downcast_ref::<String>().map_or("a panic", String::as_str);
        eprintln!("error: the search itself failed in {}: {what}", setup.describe());
        std::process::exit(101)
    })
}

fn line(report: &Report) {
    let Report { setup, states, steps, depth, clients, brokers, took, complete, .. } = report;
    let seconds = took.as_secs_f64();
    let open = match report.forgone {
        0 if *complete || report.found.is_some() => String::new(),
        0 => "  not complete".to_string(),
        forgone => format!("  not complete: no room for {forgone} late requests"),
    };
    println!(
        "  {:40} {states:>10} {steps:>11} {depth:>6} {clients:>9} {brokers:>8} {seconds:>8.2}{open}",
        setup.name
    );
}

/// Tells of a broken promise, and keeps the way to it.
fn broken(cli: &Cli, report: &Report) -> Result<()> {
    let Some(found) = &report.found else { return Ok(()) };
    let text = trace::tell(&report.setup, found);
    println!("\n{text}");
    println!("found after {} states: {}", report.states, found.violation);
    if let Some(path) = &cli.save {
        let text = script(&report.setup, found);
        fs::write(path, text).with_context(|| path.display().to_string())?;
        println!("kept in {}", path.display());
    }
    Ok(())
}
