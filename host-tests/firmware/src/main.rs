//! What `cargo xtask firmware` runs: an image for a person to watch, and the sizes of images.

mod run;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "firmware", about = "Runs and measures images; see `cargo xtask firmware`")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Runs an image, shows its log, and says what arrived
    Run(run::Run),
    /// Measures the images of all boards of QEMU
    Size {
        /// The compiler that built them
        #[arg(long)]
        compiler: String,
        /// Keeps the sizes as the new budget, and writes them into README.md
        #[arg(long)]
        save: bool,
    },
}

fn main() -> ExitCode {
    let result: Result<()> = match Cli::parse().chore {
        Chore::Run(run) => run.run(),
        Chore::Size { compiler, save } => firmware_tests::size::run(&compiler, save),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
