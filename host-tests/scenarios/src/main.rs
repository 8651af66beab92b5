//! `ottla-scenarios`: runs scripts on one host or on all, and shows what was seen.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use clap::{Parser, ValueEnum};
use ottla_scenarios::script::Kind;
use ottla_scenarios::{Options, play, run};
use ottla_simulator::operation::read_script;

#[derive(Parser)]
#[command(about = "Runs scenario scripts, and scripts that the simulator wrote")]
struct Cli {
    /// Scripts; one that begins with `seed` runs in the simulator
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The host; all that the script allows by default
    #[arg(long)]
    host: Option<Host>,
    /// Shows the trace, with how it differs from the recorded one
    #[arg(long)]
    trace: bool,
    /// Tells on standard error what the producer does, and when
    #[arg(long)]
    told: bool,
    /// Runs it with so many seeds on the bare machine, to see that none shows anything else
    #[arg(long, conflicts_with = "host")]
    seeds: Option<u64>,
    /// Records the trace in the file
    #[arg(long)]
    update: bool,
}

#[derive(Copy, Clone, ValueEnum)]
enum Host {
    Growable,
    Fixed,
    Tokio,
    Embassy,
}

impl From<Host> for Kind {
    fn from(host: Host) -> Self {
        match host {
            Host::Growable => Self::Growable,
            Host::Fixed => Self::Fixed,
            Host::Tokio => Self::Tokio,
            Host::Embassy => Self::Embassy,
        }
    }
}

fn main() -> ExitCode {
    if let Some(good) = play::child() {
        return if good { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let cli = Cli::parse();
    let mut failed = 0;
    for file in &cli.files {
        match one(&cli, file) {
            Ok(count) => failed += count,
            Err(error) => {
                eprintln!("error: {error:#}");
                failed += 1;
            }
        }
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs a file; on how many hosts it failed.
fn one(cli: &Cli, file: &Path) -> Result<usize> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    if is_of_simulator(&text) {
        return simulate(file, &text);
    }
    if cli.update {
        let changed = play::update(file)?;
        println!("{}: {}", file.display(), if changed { "recorded" } else { "as recorded" });
    }
    if let Some(seeds) = cli.seeds {
        return Ok(match play::play_seeds(file, seeds)? {
            Ok(()) => {
                println!("{}: ok with {seeds} seeds", file.display());
                0
            }
            Err(report) => {
                print!("{report}");
                1
            }
        });
    }
    let script = play::read(file)?;
    let hosts = cli.host.map_or_else(|| script.hosts(), |host| vec![host.into()]);
    let mut failed = 0;
    for kind in hosts {
        if (cli.trace || cli.told) && kind != Kind::Embassy {
            let run = run(&script, kind, Options { told: cli.told, ..Options::default() });
            print!("{}", play::difference(&script, &run));
        }
        match play::play(file, kind)? {
            Ok(()) => println!("{}: ok on {}", file.display(), kind.name()),
            Err(report) => {
                failed += 1;
                print!("{report}");
            }
        }
    }
    Ok(failed)
}

/// Whether a file is a seed and its operations, as the simulator writes them.
fn is_of_simulator(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    lines.next().is_some_and(|line| line.starts_with("seed "))
}

fn simulate(file: &Path, text: &str) -> Result<usize> {
    let (seed, operations) = read_script(text).map_err(|error| anyhow!(error))?;
    let outcome = ottla_simulator::run::operations(seed, &operations, false);
    let name = file.display();
    println!(
        "{name}: seed {seed}, {} operations, {} of {} records delivered",
        operations.len(),
        outcome.delivered,
        outcome.accepted
    );
    if let Some(violation) = &outcome.violation {
        println!("{name}: {violation}");
        return Ok(1);
    }
    println!("{name}: ok in the simulator");
    Ok(0)
}
