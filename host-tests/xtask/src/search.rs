//! Runs the exhaustive search, optimised: it enters millions of states.

use std::process::Command;

use anyhow::Result;

use crate::command::run as run_command;
use crate::context::{Context, Depth};

const PACKAGE: &str = "ottla-search";

/// States per second of a processor, below which larger worlds are out of reach.
const LEAST: &str = "50000";

/// Builds the search and runs it; the arguments are its own.
pub(crate) fn run(context: &Context, arguments: &[String]) -> Result<()> {
    run_command(&mut context.cargo(["build", "--release", "--package", PACKAGE]))?;
    let target = context.root.join(context.target_directory());
    run_command(Command::new(target.join("release").join("search")).args(arguments))
}

/// The check: the worlds of every full test run, or all there are, fast enough.
pub(crate) fn check(context: &Context) -> Result<()> {
    let mut arguments = vec!["--least".to_string(), LEAST.to_string()];
    if context.depth == Depth::Full {
        arguments.push("--all".to_string());
    }
    run(context, &arguments)
}
