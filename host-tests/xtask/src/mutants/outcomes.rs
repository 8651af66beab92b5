//! What unit tests say of mutants. cargo-mutants makes one after the other in the copy of the
//! workspace, builds the core's tests and runs them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use super::list::Mutant;
use super::{PROFILE, TIMEOUT};
use crate::context::Context;
use crate::tree::Tree;

/// What became of a mutant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    Caught,
    Missed,
    /// The tests did not end in time.
    TimedOut,
    /// It does not compile.
    Unviable,
}

#[derive(Deserialize)]
struct Outcomes {
    outcomes: Vec<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    scenario: Scenario,
    summary: String,
    /// What its build and its tests said, below the place where cargo-mutants writes.
    log_path: PathBuf,
}

#[derive(Deserialize)]
enum Scenario {
    Baseline,
    Mutant { name: String },
}

/// Tests each of `wanted`, after the core as it is.
pub(super) fn test(
    context: &Context,
    tree: &Tree,
    program: &Path,
    wanted: &[Mutant],
) -> Result<Vec<Fate>> {
    let names: Vec<String> = wanted.iter().map(|mutant| regex::escape(&mutant.name)).collect();
    let output = tree.target.join("mutants");
    fs::create_dir_all(&output).with_context(|| output.display().to_string())?;
    let mut command = super::command(context, tree, program);
    command.args(["--in-place", "--baseline", "run", "--timeout", TIMEOUT]);
    command.args(["--build-timeout", "300", "--cap-lints", "true", "--profile", PROFILE]);
    // --lib for building as for running.
    command.args(["--features", "broker,crc-table,proof", "--cargo-arg=--lib", "--output"]);
    command.arg(&output).arg("--re").arg(format!("^(?:{})$", names.join("|")));
    // It ends with 2 where mutants were missed, and with 3 where time ran out.
    let told = super::said(&mut command, &[0, 2, 3]);
    tree.restore()?;
    println!("{}", told?.trim());
    let place = output.join("mutants.out");
    let path = place.join("outcomes.json");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let told: Outcomes = serde_json::from_str(&text).context("outcomes of mutants")?;
    // Mutants that leave out a field it tests whatever --re says: those few are passed over.
    let log = |path: &Path| {
        let path = place.join(path);
        fs::read_to_string(&path).with_context(|| path.display().to_string())
    };
    wanted.iter().map(|mutant| fate(&told, &mutant.name, log)).collect()
}

/// What was told of one; `log` reads what its build said.
fn fate(told: &Outcomes, wanted: &str, log: impl FnOnce(&Path) -> Result<String>) -> Result<Fate> {
    let is_it = |outcome: &&Outcome| match &outcome.scenario {
        Scenario::Mutant { name } => name == wanted,
        Scenario::Baseline => false,
    };
    let outcome = told.outcomes.iter().find(is_it);
    let outcome = outcome.with_context(|| format!("{wanted}: was not tested"))?;
    match outcome.summary.as_str() {
        "CaughtMutant" => Ok(Fate::Caught),
        "MissedMutant" => Ok(Fate::Missed),
        "Timeout" => Ok(Fate::TimedOut),
        "Unviable" => {
            ensure!(
                complains(&log(&outcome.log_path)?),
                "{wanted}: its build failed, and not for what is in it"
            );
            Ok(Fate::Unviable)
        }
        other => bail!("{wanted}: {other}"),
    }
}

/// Whether the compiler complained of a place in the source. Where the linker did, or the disk was
/// full, there is none.
fn complains(said: &str) -> bool {
    let lines: Vec<&str> = said.lines().collect();
    lines.windows(2).any(|two| two[0].starts_with("error") && two[1].trim().starts_with("--> "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_mutants_says_is_understood() {
        let text = r#"{"outcomes": [
            {"scenario": "Baseline", "summary": "Success", "log_path": "log/baseline.log"},
            {"scenario": {"Mutant": {"name": "a", "line": 1}}, "summary": "MissedMutant",
             "log_path": "log/a.log"},
            {"scenario": {"Mutant": {"name": "b", "line": 2}}, "summary": "Failure",
             "log_path": "log/b.log"},
            {"scenario": {"Mutant": {"name": "c", "line": 3}}, "summary": "Unviable",
             "log_path": "log/c.log"}
        ]}"#;
        let told: Outcomes = serde_json::from_str(text).unwrap();
        let fate = |name: &str, said: &str| fate(&told, name, |_| Ok(said.to_owned()));
        assert_eq!(fate("a", "").unwrap(), Fate::Missed);
        assert!(fate("b", "").is_err());
        assert_eq!(fate("d", "").unwrap_err().to_string(), "d: was not tested");
        let said = "warning: w\n --> a.rs:1:2\nerror[E0308]: mismatched types\n --> a.rs:3:4\n";
        assert_eq!(fate("c", said).unwrap(), Fate::Unviable);
        let said = "warning: w\n --> a.rs:1:2\nerror: linking with `cc` failed\n  |\n";
        assert!(fate("c", said).is_err());
    }
}
