//! What unit tests say of mutants. cargo-mutants makes one after the other in the copy of the
//! workspace, builds the core's tests and runs them.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
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
    let path = output.join("mutants.out").join("outcomes.json");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let told: Outcomes = serde_json::from_str(&text).context("outcomes of mutants")?;
    // Mutants that leave out a field it tests whatever --re says: those few are passed over.
    wanted.iter().map(|mutant| fate(&told, &mutant.name)).collect()
}

fn fate(told: &Outcomes, wanted: &str) -> Result<Fate> {
    let is_it = |outcome: &&Outcome| match &outcome.scenario {
        Scenario::Mutant { name } => name == wanted,
        Scenario::Baseline => false,
    };
    let outcome = told.outcomes.iter().find(is_it);
    match outcome.map(|outcome| outcome.summary.as_str()) {
        Some("CaughtMutant") => Ok(Fate::Caught),
        Some("MissedMutant") => Ok(Fate::Missed),
        Some("Timeout") => Ok(Fate::TimedOut),
        Some("Unviable") => Ok(Fate::Unviable),
        Some(other) => bail!("{wanted}: {other}"),
        None => bail!("{wanted}: was not tested"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_mutants_says_is_understood() {
        let text = r#"{"outcomes": [
            {"scenario": "Baseline", "summary": "Success"},
            {"scenario": {"Mutant": {"name": "a", "line": 1}}, "summary": "MissedMutant"},
            {"scenario": {"Mutant": {"name": "b", "line": 2}}, "summary": "Failure"}
        ]}"#;
        let told: Outcomes = serde_json::from_str(text).unwrap();
        assert_eq!(fate(&told, "a").unwrap(), Fate::Missed);
        assert!(fate(&told, "b").is_err());
        assert_eq!(fate(&told, "c").unwrap_err().to_string(), "c: was not tested");
    }
}
