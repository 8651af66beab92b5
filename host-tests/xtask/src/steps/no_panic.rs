//! Links the program of `host-tests/no-panic`, which has no allocator and links only if it cannot
//! panic.

use std::process::Command;

use anyhow::{Result, bail, ensure};

use super::blame;
use crate::command::catch;
use crate::context::Context;

/// The package, which is outside of the workspace.
pub(crate) const MANIFEST: &str = "host-tests/no-panic/Cargo.toml";

/// Its profiles, one for each level of optimisation, the smallest code first.
pub(crate) const LEVELS: [&str; 3] = ["level-s", "level-2", "level-3"];

/// The symbol that is missing if a panic can be reached.
const MISSING: &str = "a_panic_is_reachable";

pub(super) fn check(context: &Context) -> Result<()> {
    let levels = if context.is_quick() { &LEVELS[..1] } else { &LEVELS };
    for level in levels {
        let attempt = link(context, level, &[])?;
        if attempt.panics() {
            bail!("a panic is reachable at {level}:\n{}", blame::panics(context, level)?);
        }
        ensure!(attempt.linked, "the program does not link at {level}:\n{}", attempt.said);
        println!("   {level}: no panic and no allocation is reachable");
    }
    let bite = link(context, LEVELS[0], &["--features", "must-fail"])?;
    ensure!(bite.panics(), "a panic put there on purpose was not found:\n{}", bite.said);
    println!("   {}: a panic put there on purpose is found", LEVELS[0]);
    Ok(())
}

/// A cargo command for the package at a level, into a target directory of its own.
pub(super) fn cargo(context: &Context, command: &str, level: &str) -> Command {
    let package = ["--manifest-path", MANIFEST, "--target-dir", "target/no-panic"];
    let mut command = context.cargo([command]);
    command.args(package).args(["--profile", level]);
    command
}

struct Attempt {
    linked: bool,
    said: String,
}

impl Attempt {
    fn panics(&self) -> bool {
        !self.linked && self.said.contains(MISSING)
    }
}

fn link(context: &Context, level: &str, features: &[&str]) -> Result<Attempt> {
    let output = catch(cargo(context, "build", level).args(features))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(Attempt { linked: output.status.success(), said })
}
