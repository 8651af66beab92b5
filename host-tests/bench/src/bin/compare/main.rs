//! Compares clients against one Kafka; `cargo xtask bench` builds and runs this.
//!
//! Each round runs every client, and begins with another one. Reported are the median of the rounds
//! and the range. Compare within one run only.

mod client;
mod measure;
mod page;
mod rows;
mod verdict;
mod wire;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use board_matrix::between_marks;
use clap::{Parser, ValueEnum};
use kafka_tests::{Admin, Kafka, finish};
use serde_json::{Value, json};

use crate::client::{Client, clients, kafka_version};
use crate::measure::{Places, measure};
use crate::page::{About, Part};
use crate::rows::{Row, Workload, workloads};
use crate::verdict::judge;
use crate::wire::Wire;

#[derive(Parser)]
#[command(
    name = "cargo xtask bench",
    about = "Compares ways to produce, by CPU time per record and more; with --peers, other clients",
    after_help = "`cargo xtask bench --stages` tells where Ottla's time goes."
)]
struct Cli {
    /// What is compared
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Row::value_variants().to_vec())]
    rows: Vec<Row>,
    /// Records of 100 bytes that are measured, at least 200000 or so; of other sizes as many as keep
    /// the work alike
    #[arg(long)]
    records: Option<u64>,
    /// Rounds
    #[arg(long)]
    repeats: Option<usize>,
    /// How much: `quick` only shows that all works
    #[arg(long, value_enum, default_value = "full")]
    profile: Profile,
    /// Only clients whose name contains one of these
    #[arg(long, value_delimiter = ',')]
    clients: Vec<String>,
    /// Threads of Ottla's runtime; 0 is the one that everything shares
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Builds and compares the other clients, too
    #[arg(long)]
    peers: bool,
    /// Writes the numbers as JSON, by default to the cache directory (OTTLA_CACHE)
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    out: Option<Option<PathBuf>>,
    /// Writes all tables as Markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Keeps the tables in README.md
    #[arg(long)]
    save: bool,
    /// Where the other clients' programs are
    #[arg(long, hide = true)]
    peer_programs: Option<PathBuf>,
    /// What Ottla's version is
    #[arg(long, hide = true, default_value = "of the working tree")]
    commit: String,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Profile {
    Quick,
    Full,
}

impl Cli {
    /// Records, rounds, seconds of overload.
    fn amount(&self) -> (u64, usize, u64) {
        let (records, repeats, overload) = match self.profile {
            Profile::Quick => (80_000, 1, 5),
            Profile::Full => (1_000_000, 5, 60),
        };
        (self.records.unwrap_or(records), self.repeats.unwrap_or(repeats), overload)
    }
}

/// Runnable processes over the last minute, where the system tells.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_owned()
}

/// The broker, and the forwarder in front of it. What was measured is of no use to anybody, so the
/// disk need not hold all of it.
fn start() -> Result<(Kafka, Places)> {
    let wire = Wire::start()?;
    let largest = (2 * rows::LARGE_REQUEST).to_string();
    let kafka = Kafka::start_behind(
        wire.address(),
        &[
            ("log.segment.bytes", "67108864"),
            ("log.retention.bytes", "134217728"),
            ("log.retention.check.interval.ms", "2000"),
            ("log.segment.delete.delay.ms", "1000"),
            ("message.max.bytes", &largest),
        ],
    )?;
    wire.lead_to(kafka.behind());
    let places = Places { broker: kafka.bootstrap(), wire };
    Ok((kafka, places))
}

fn compare(cli: &Cli, clients: &[Client]) -> Result<(About, Vec<Part>)> {
    let (records, repeats, overload) = cli.amount();
    ensure!(repeats > 0 && records > 0, "no repeats or no records");
    let mut rows = cli.rows.clone();
    rows.sort();
    rows.dedup();
    let workloads: Vec<Workload> =
        rows.into_iter().flat_map(|row| workloads(row, records, overload)).collect();
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let (begun, before) = (Instant::now(), load());
    let (kafka, places) = start()?;
    let mut admin = Admin::start(&places.broker)?;
    println!(
        "{repeats} round(s), {cores} cores shared with the broker, load {before}; median \
         [lowest..highest]"
    );
    let mut parts = Vec::new();
    for workload in workloads {
        let took = Instant::now();
        let taking: Vec<&Client> = clients.iter().filter(|client| workload.has(client)).collect();
        if taking.is_empty() {
            println!("\n{}: none of these clients", workload.title());
            continue;
        }
        let topic = workload.topic();
        admin.create(&topic, workload.partitions, 1, &[])?;
        let results =
            measure(&workload, &taking, &places, repeats).with_context(|| workload.title())?;
        // The disk, and the broker, are not to be busy with it beside what follows.
        admin.delete(&topic)?;
        let verdict = judge(&workload, &results.came, &results.in_flight);
        let part = Part { workload, results, verdict };
        print!("{}", page::lines(&part));
        println!("  ({:.0} s)", took.elapsed().as_secs_f64());
        parts.push(part);
    }
    drop((admin, kafka));
    let took = begun.elapsed();
    let about = About {
        command: command(),
        date: finish(Command::new("date").args(["-u", "+%Y-%m-%d"]))?.trim().to_owned(),
        kafka: kafka_version()?,
        load: (before, load()),
        cores,
        repeats,
        minutes: took.as_secs_f64() / 60.0,
    };
    println!("\n{}", page::score(&parts));
    println!("load {} before, {} after; {}", about.load.0, about.load.1, minutes(took));
    Ok((about, parts))
}

fn minutes(time: Duration) -> String {
    format!("{} min {} s", time.as_secs() / 60, time.as_secs() % 60)
}

/// What was called, without what xtask adds, and without where the numbers go.
fn command() -> String {
    let mut hidden = false;
    let given = env::args().skip(1).filter(|argument| {
        let is_value = std::mem::take(&mut hidden) && !argument.starts_with("--");
        hidden =
            ["--peer-programs", "--commit", "--out", "--markdown"].contains(&argument.as_str());
        !is_value && !hidden && argument != "--save"
    });
    given.fold(String::from("cargo xtask bench"), |line, argument| line + " " + &argument)
}

fn numbers(about: &About, clients: &[Client], parts: &[Part]) -> Value {
    let rows: Vec<Value> = parts
        .iter()
        .map(|part| {
            let Workload { partitions, size, key, tasks, records, .. } = part.workload;
            json!({
                "title": part.workload.title(), "partitions": partitions, "size": size,
                "key": key, "tasks": tasks, "records": records, "clients": part.results.json,
                "verdicts": part.verdict.json,
            })
        })
        .collect();
    let versions: Value =
        clients.iter().map(|client| (client.name.to_owned(), json!(client.version))).collect();
    json!({
        "command": about.command, "date": about.date, "minutes": about.minutes,
        "load": [about.load.0, about.load.1], "cores": about.cores, "repeats": about.repeats,
        "kafka": about.kafka, "versions": versions, "rows": rows,
    })
}

/// Where numbers go if nobody says: to the cache of the harness.
fn cached() -> Result<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let directory = set("OTTLA_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|caches| caches.join("ottla")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/ottla")))
        .context("no place for a cache: set OTTLA_CACHE")?;
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    Ok(directory.join("bench").join(format!("{seconds}.json")))
}

fn keep(path: &Path, text: &str) -> Result<()> {
    let told = || path.display().to_string();
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).with_context(told)?;
    }
    fs::write(path, text).with_context(told)?;
    println!("written to {}", path.display());
    Ok(())
}

fn run() -> Result<()> {
    let cli = Cli::parse();
    ensure!(!cli.peers || cli.peer_programs.is_some(), "`cargo xtask bench` builds the peers");
    let clients = clients(&cli)?;
    let (about, parts) = compare(&cli, &clients)?;
    let numbers = numbers(&about, &clients, &parts);
    if let Some(path) = &cli.out {
        let path = path.clone().map_or_else(cached, Ok)?;
        keep(&path, &format!("{numbers:#}\n"))?;
    }
    if let Some(path) = &cli.markdown {
        keep(path, &page::markdown(&about, &clients, &parts, true))?;
    }
    if cli.save {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
        let readme = fs::read_to_string(&path).context("README.md")?;
        let text = page::markdown(&about, &clients, &parts, false);
        keep(&path, &between_marks(&readme, "<!-- bench -->", &text)?)?;
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
