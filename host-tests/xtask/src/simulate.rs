//! Runs the simulator, optimised: it is made for very many runs.

use std::process::Command;

use anyhow::Result;

use crate::command::{catch, run as run_command};
use crate::context::{Context, Depth};

const PACKAGE: &str = "ottla-simulator";

/// Seeds of a full test run, and of one with the long runs.
const SEEDS: &str = "2000";
const SEEDS_LONG: &str = "50000";

/// Core steps per second and thread, below which a run is too slow to find anything.
const LEAST: &str = "50000";

/// Builds the simulator and runs it; the arguments are its own.
pub(crate) fn run(context: &Context, arguments: &[String]) -> Result<()> {
    run_command(&mut context.cargo(["build", "--release", "--package", PACKAGE]))?;
    let target = context.root.join(context.target_directory());
    let mut simulate = Command::new(target.join("release").join("simulate"));
    run_command(simulate.args(["--commit", &commit(context)]).args(arguments))
}

/// The check: so many seeds, fast enough, in which everything is met that there is to meet.
pub(crate) fn check(context: &Context) -> Result<()> {
    let seeds = if context.depth == Depth::Full { SEEDS_LONG } else { SEEDS };
    let arguments = ["--seeds", seeds, "--least", LEAST, "--complete"];
    run(context, &arguments.map(String::from))
}

/// The commit that is checked out; with a mark if files were changed since.
pub(crate) fn commit(context: &Context) -> String {
    let mut git = Command::new("git");
    git.current_dir(&context.root).args(["describe", "--always", "--dirty", "--exclude=*"]);
    let output = catch(&mut git).ok().filter(|output| output.status.success());
    output.map_or("unknown".into(), |o| String::from_utf8_lossy(&o.stdout).trim().to_string())
}
