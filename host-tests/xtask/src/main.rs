//! The project's chores: `cargo xtask test` runs every check there is, `cargo xtask setup` installs
//! what the checks need, `cargo xtask rows` lists scenarios without a test, `cargo xtask bench`
//! compares clients, `cargo xtask build-limit` measures a user's build, `cargo xtask simulate` runs clusters under faults, `cargo xtask search`
//! enters every state of small worlds, `cargo xtask fuzz` drives the core with any bytes and calls,
//! `cargo xtask planted` looks for planted bugs, `cargo xtask mutants` for mutants that nothing catches,
//! `cargo xtask firmware` builds and runs images.

mod bench;
mod build_limit;
mod command;
mod context;
mod cross;
mod draw;
mod figures;
mod firmware;
mod fuzz;
mod install;
mod mutants;
mod planted;
mod rows;
mod search;
mod simulate;
mod steps;
mod tree;

use std::process::ExitCode;

use anyhow::Result;
use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};

use crate::context::{Context, Depth};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's chores")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Runs the checks, cheap ones first, and stops at the first that fails
    Test(Test),
    /// Installs what the checks need and the machine lacks
    Setup,
    /// Lists the scenario rows that have no test, and why
    Rows,
    /// Counts instructions per record and keeps the counts for the check
    Count,
    /// Builds images for microcontrollers, measures them, runs them
    Firmware {
        #[command(subcommand)]
        chore: firmware::Chore,
    },
    /// Runs a cluster and its producers under faults, by seed; `--help` after it tells its options
    #[command(disable_help_flag = true)]
    Simulate {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Feeds the core with bytes and calls that reach ever more of it
    Fuzz(fuzz::Fuzz),
    /// Enters every state of small worlds under faults; `--help` after it tells its options
    #[command(disable_help_flag = true)]
    Search {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Plants bugs that real clients had in a copy of the core, and looks whether they are found
    Planted(planted::Arguments),
    /// Changes the core in many small ways, and looks whether tests or the simulator see it
    Mutants(mutants::Arguments),
    /// Runs a proof at its full size and keeps its figures in host-tests/README.md
    Figures(figures::Figures),
    /// Measures a user's release build: crates, seconds, and that there is no C
    BuildLimit,
    /// Compares what clients cost per record; `--help` after it tells its options
    #[command(disable_help_flag = true)]
    Bench {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

#[derive(Args)]
struct Test {
    /// Only the inner loop, under two minutes
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// Adds the long runs
    #[arg(long)]
    full: bool,
    /// Runs a single step
    #[arg(long, value_name = "STEP", value_parser = PossibleValuesParser::new(steps::names()))]
    only: Option<String>,
    /// Lists the steps and runs none
    #[arg(long)]
    list: bool,
}

impl Test {
    fn run(&self) -> Result<()> {
        if self.list {
            steps::list();
            return Ok(());
        }
        let depth = match (self.quick, self.full) {
            (true, _) => Depth::Quick,
            (_, true) => Depth::Full,
            _ => Depth::Normal,
        };
        steps::run(&Context::new(depth)?, self.only.as_deref())
    }
}

fn main() -> ExitCode {
    let result = match Cli::parse().chore {
        Chore::Test(test) => test.run(),
        Chore::Setup => Context::new(Depth::Normal).and_then(|c| install::everything(&c)),
        Chore::Rows => Context::new(Depth::Normal).and_then(|context| rows::list(&context)),
        Chore::Bench { arguments } => {
            Context::new(Depth::Normal).and_then(|context| bench::run(&context, &arguments))
        }
        Chore::Simulate { arguments } => {
            Context::new(Depth::Normal).and_then(|context| simulate::run(&context, &arguments))
        }
        Chore::Fuzz(fuzz) => Context::new(Depth::Normal).and_then(|context| fuzz.run(&context)),
        Chore::Search { arguments } => {
            Context::new(Depth::Normal).and_then(|context| search::run(&context, &arguments))
        }
        Chore::Planted(arguments) => {
            Context::new(Depth::Normal).and_then(|context| arguments.run(&context))
        }
        Chore::Mutants(arguments) => {
            Context::new(Depth::Normal).and_then(|context| arguments.run(&context))
        }
        Chore::Figures(figures) => Context::new(Depth::Normal).and_then(|c| figures.run(&c)),
        Chore::Firmware { chore } => Context::new(Depth::Normal).and_then(|c| chore.run(&c)),
        Chore::BuildLimit => Context::new(Depth::Normal).and_then(|c| build_limit::run(&c)),
        Chore::Count => Context::new(Depth::Normal).and_then(|c| steps::instructions::save(&c)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
