//! Looking for what a change of the core breaks.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::context::Context;
use crate::tree::Tree;

/// How the changed core and what looks at it are built; see the workspace's manifest.
const PROFILE: &str = "planted";

const SIMULATOR: &str = "ottla-simulator";
const SEARCH: &str = "ottla-search";

/// The simulator with the core as it is.
const UNCHANGED: &str = "simulate-unchanged";

/// After so long a search is taken for one that never ends.
const PATIENCE: Duration = Duration::from_secs(600);

/// How a bug was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    /// The promise that was broken, by its checker's name.
    pub(crate) by: String,
    /// After how many seeds.
    pub(crate) after: String,
    /// The seed that found it.
    seed: Option<u64>,
}

impl Found {
    /// Whether a seed of the simulator found it.
    pub(crate) const fn is_by_seed(&self) -> bool {
        self.seed.is_some()
    }

    fn never_ends() -> Found {
        Found { by: "it never ends".into(), after: "1 run".into(), seed: None }
    }
}

/// What looks.
pub(crate) struct Hunt<'a> {
    pub(crate) context: &'a Context,
    pub(crate) tree: &'a Tree,
    /// At most so many seeds.
    pub(crate) seeds: u64,
    pub(crate) threads: Option<usize>,
}

impl Hunt<'_> {
    /// What finds something of the core that the tree has now: seeds first, as they take less.
    pub(crate) fn find(&self) -> Result<Option<Found>> {
        self.build(SIMULATOR)?;
        if let Some(found) = self.simulate()? {
            return Ok(Some(found));
        }
        self.search()
    }

    /// Builds a package with the core that the tree has now.
    fn build(&self, package: &str) -> Result<()> {
        let mut cargo = self.tree.cargo(self.context, ["build", "--quiet", "--profile", PROFILE]);
        cargo.args(["--package", package]).env("RUSTFLAGS", "--cap-lints=allow");
        let output = cargo.output().context("cargo")?;
        ensure!(
            output.status.success(),
            "it does not compile:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// Keeps what was built of the core as it is, to see that it passes where a changed one fails.
    pub(crate) fn keep(&self) -> Result<()> {
        self.build(SIMULATOR)?;
        let path = self.program(UNCHANGED);
        fs::copy(self.program("simulate"), &path).with_context(|| path.display().to_string())?;
        Ok(())
    }

    /// Runs seeds of the simulator until one breaks a promise.
    fn simulate(&self) -> Result<Option<Found>> {
        self.seeds("simulate", 0, self.seeds)
    }

    /// The same seed, with the core as it is: what was found has to be the change's doing.
    pub(crate) fn simulate_unchanged(&self, found: &Found) -> Result<Option<Found>> {
        match found.seed {
            Some(seed) => self.seeds(UNCHANGED, seed, 1),
            None => Ok(None),
        }
    }

    fn seeds(&self, program: &str, from: u64, count: u64) -> Result<Option<Found>> {
        let mut simulate = Command::new(self.program(program));
        let (from, count) = (from.to_string(), count.to_string());
        simulate.args(["--first", "--from", &from, "--seeds", &count]);
        if let Some(threads) = self.threads {
            simulate.args(["--threads", &threads.to_string()]);
        }
        self.look(&mut simulate, broken)
    }

    /// Enters all states of the worlds of a full test run, until one breaks a promise.
    pub(crate) fn search(&self) -> Result<Option<Found>> {
        self.build(SEARCH)?;
        let mut search = Command::new(self.program("search"));
        if let Some(threads) = self.threads {
            search.args(["--threads", &threads.to_string()]);
        }
        self.look(&mut search, entered)
    }

    /// Runs what ends with 0 if it found nothing, and with 1 if it found something.
    fn look(
        &self,
        command: &mut Command,
        understand: fn(&str) -> Option<Found>,
    ) -> Result<Option<Found>> {
        let (status, said) = self.limited(command)?;
        match status.map(|status| status.code()) {
            None => Ok(Some(Found::never_ends())),
            Some(Some(0)) => Ok(None),
            Some(Some(1)) => {
                Ok(Some(understand(&said).with_context(|| format!("not understood: {said}"))?))
            }
            Some(code) => bail!("{} ended with {code:?}: {said}", command.get_program().display()),
        }
    }

    fn program(&self, name: &str) -> PathBuf {
        self.tree.target.join(PROFILE).join(name)
    }

    /// Runs a command for what it says, for a limited time. No status: it did not end.
    fn limited(&self, command: &mut Command) -> Result<(Option<ExitStatus>, String)> {
        let path = self.tree.target.join("said");
        let file = File::create(&path).with_context(|| path.display().to_string())?;
        let complaints = file.try_clone()?;
        command.stdin(Stdio::null()).stdout(file).stderr(complaints);
        let mut child = command.spawn().context("cannot run what was built")?;
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break Some(status);
            }
            if begun.elapsed() > PATIENCE {
                child.kill()?;
                child.wait()?;
                break None;
            }
            thread::sleep(Duration::from_millis(20));
        };
        Ok((status, fs::read_to_string(&path)?))
    }
}

/// The seed and the checker that the simulator told of.
fn broken(said: &str) -> Option<Found> {
    let seed = said.lines().find_map(|line| line.strip_prefix("seed ")?.split(',').next());
    let seed: u64 = seed?.parse().ok()?;
    let (by, _) = said.lines().find_map(|line| line.split_once(" is broken at "))?;
    let seeds = seed + 1;
    let after = if seeds == 1 { "1 seed".into() } else { format!("{seeds} seeds") };
    Some(Found { by: by.to_owned(), after, seed: Some(seed) })
}

/// The states and the checker that the search told of, or the rule of identities.
fn entered(said: &str) -> Option<Found> {
    if said.lines().any(|line| line.starts_with("error: identity rules:")) {
        let (by, after) = ("the search: identity rules".into(), "all states".into());
        return Some(Found { by, after, seed: None });
    }
    let found = said.lines().find_map(|line| line.strip_prefix("found after "))?;
    let (after, rest) = found.split_once(": ")?;
    let (by, _) = rest.split_once(" is broken")?;
    Some(Found { by: format!("the search: {by}"), after: after.to_owned(), seed: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_simulator_says_is_understood() {
        let said = "seed 41, commit unknown, faults: kill\n1 of 2 records delivered\n\
                    I3 in order is broken at 7 s: 5 before 4\n\n1 of 42 seeds broke a promise\n";
        let found = Found { by: "I3 in order".into(), after: "42 seeds".into(), seed: Some(41) };
        assert_eq!(broken(said), Some(found));
        assert_eq!(broken("0 of 42 seeds broke a promise"), None);
    }

    #[test]
    fn what_the_search_says_is_understood() {
        let said = "pairs: any two\nfound after 314 states: I2 nothing twice is broken: 1\n";
        let found = entered(said).unwrap();
        assert_eq!(
            (found.by.as_str(), found.after.as_str()),
            ("the search: I2 nothing twice", "314 states")
        );
        assert!(entered("error: identity rules: a wrap").is_some());
        assert_eq!(entered("error: no such group"), None);
    }
}
