//! Images for microcontrollers: building them, measuring them, running them in QEMU.
//!
//! Which boards there are is data: the metadata of the packages in `firmware-examples`.

mod images;
mod run;
mod size;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use board_matrix::Board;
use clap::{Args, Subcommand};

use crate::command::run as run_command;
use crate::context::Context;
use crate::cross::Toolchain;
use crate::install;
use images::Variant;

#[derive(Subcommand)]
pub(crate) enum Chore {
    /// Builds the images of all boards, or of the named ones
    Build {
        /// Folders of boards
        boards: Vec<String>,
    },
    /// Measures the images of the boards that QEMU runs; growth past the budget is an error
    Size {
        /// Keeps the sizes as the new budget, and writes them into README.md
        #[arg(long)]
        save: bool,
    },
    /// Runs a board's image in QEMU against a Kafka; for real boards, says how to
    Run(Run),
    /// Writes the table of boards into firmware-examples/README.md
    Table,
}

#[derive(Args)]
pub(crate) struct Run {
    /// Folder of a board
    #[arg(default_value = "qemu-lm3s6965")]
    board: String,
    /// A Kafka that runs already, instead of a development broker made for the run
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap: Option<String>,
    /// Topic of the readings
    #[arg(long, default_value = "readings")]
    topic: String,
    /// Number of readings
    #[arg(long, default_value_t = 40)]
    readings: u32,
    /// Milliseconds between two readings
    #[arg(long, value_name = "MS", default_value_t = 250)]
    every: u32,
}

impl Chore {
    pub(crate) fn run(self, context: &Context) -> Result<()> {
        match self {
            Chore::Build { boards } => build(context, &boards),
            Chore::Size { save } => size::measure(context, save),
            Chore::Run(options) => run::run(context, &options),
            Chore::Table => write_table(context),
        }
    }
}

fn write_table(context: &Context) -> Result<()> {
    let (path, now, current) = board_matrix::readme(&context.root)?;
    if now != current {
        fs::write(&path, current)?;
    }
    println!("{} is current", path.display());
    Ok(())
}

fn build(context: &Context, folders: &[String]) -> Result<()> {
    let boards = match folders {
        [] => board_matrix::all(&context.root)?,
        _ => folders
            .iter()
            .map(|folder| board_matrix::find(&context.root, folder))
            .collect::<Result<Vec<Board>>>()?,
    };
    for board in &boards {
        let image = images::build(context, board, Variant::Default)?;
        println!("   {}: {}", board.folder, image.display());
    }
    Ok(())
}

/// The folders of all packages in `firmware-examples`: each is a workspace of its own.
pub(crate) fn packages(context: &Context) -> Result<Vec<PathBuf>> {
    let folder = context.root.join(board_matrix::FOLDER);
    let mut packages = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("{}", folder.display()))? {
        let path = entry?.path();
        if path.join("Cargo.toml").is_file() {
            packages.push(path);
        }
    }
    packages.sort();
    Ok(packages)
}

/// Clippy for what all images share, and for the boards of QEMU; the arguments come last.
pub(crate) fn clippy(context: &Context, arguments: &[&str]) -> Result<()> {
    const SHARED: [(&str, &str); 2] =
        [("common", "scenarios,bare,defmt"), ("qemu", "defmt,watchdog,panic-location")];
    let boards = board_matrix::all(&context.root)?;
    let boards = boards.iter().filter(|board| board.qemu.is_some());
    let folder = context.root.join(board_matrix::FOLDER);
    for board in boards {
        // Debian's compiler has a clippy, too, but not of the version that is used everywhere else.
        if Toolchain::for_target(&board.target)? != Toolchain::InUse {
            println!("   {}: not looked at, for lack of {}", board.folder, board.target);
            continue;
        }
        let clippy = |folder: PathBuf, features: &str| {
            let mut command = context.cargo(["clippy", "--quiet", "--features", features]);
            command.args(["--target", &board.target, "--target-dir"]);
            command.arg(context.root.join("target/cross"));
            run_command(command.args(arguments).current_dir(folder))
        };
        for (package, features) in SHARED {
            clippy(folder.join(package), features)?;
        }
        clippy(board.path.clone(), "")?;
    }
    Ok(())
}

/// Everything about firmware that is checked: every image builds, none has outgrown its budget,
/// and those that QEMU runs pass their tests.
pub(crate) fn check(context: &Context) -> Result<()> {
    build(context, &[])?;
    size::measure(context, false)?;
    install::require(install::QEMU)?;
    install::require(install::JAVA)?;
    let mut tests = context.cargo_test();
    tests.args(["--package", "firmware-tests"]).env(images::VARIABLE, images::folder(context));
    // One at a time: they share two cores with a Kafka, and watch the clock.
    run_command(tests.args(["--", "--test-threads=1", "--nocapture"]))
}
