//! Looking for what a change of the core breaks.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
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

/// After so long a run is ended. That proves nothing: the machine may be slow.
const PATIENCE: Duration = Duration::from_secs(600);
/// The same where only some promises are judged: what breaks another may do so for ever.
const PATIENCE_FOR_SOME: Duration = Duration::from_secs(120);

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
    /// The number of the promise, as `I3`; of a rule, as `R7`.
    pub(super) fn number(&self) -> &str {
        let by = self.by.strip_prefix("the search: ").unwrap_or(&self.by);
        by.split(' ').next().unwrap_or_default()
    }

    /// Found by a seed of the simulator, when all before it had passed.
    pub(super) fn by_seed(by: &str, seed: u64) -> Found {
        let seeds = seed + 1;
        let after = if seeds == 1 { "1 seed".into() } else { format!("{seeds} seeds") };
        Found { by: by.to_owned(), after, seed: Some(seed) }
    }
}

/// What came of looking.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Found(Found),
    Nothing,
    /// A run took too long: neither found nor passed.
    NoEnd,
}

impl Verdict {
    /// What was found, if anything was.
    pub(crate) const fn found(&self) -> Option<&Found> {
        match self {
            Verdict::Found(found) => Some(found),
            Verdict::Nothing | Verdict::NoEnd => None,
        }
    }

    /// Sees that a run of the core as it is found nothing: whatever a changed core breaks has to be
    /// the change's doing.
    fn is_the_changes_doing(&self) -> Result<()> {
        match self {
            Verdict::Nothing => Ok(()),
            Verdict::Found(Found { by, after, .. }) => {
                bail!("without the change {by} is broken, too, after {after}")
            }
            Verdict::NoEnd => bail!("without the change a run did not end, either"),
        }
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
    /// [`Self::keep`] has to come before. A seed that found something has passed without the change.
    pub(crate) fn find(&self) -> Result<Verdict> {
        self.build(SIMULATOR)?;
        match self.find_by_seed(&[])? {
            Verdict::Nothing => self.search(),
            verdict => Ok(verdict),
        }
    }

    /// What seeds find of these promises, or of all if none is named, with what [`Self::find`] has built.
    pub(super) fn find_by_seed(&self, promises: &[&str]) -> Result<Verdict> {
        let verdict = self.seeds("simulate", 0, self.seeds, promises)?;
        if let Verdict::Found(Found { seed: Some(seed), .. }) = &verdict {
            self.seeds(UNCHANGED, *seed, 1, promises)?.is_the_changes_doing()?;
        }
        Ok(verdict)
    }

    /// Makes the tree what it was. If the search found anything, it passes without the change.
    pub(crate) fn end<'f>(&self, mut found: impl Iterator<Item = &'f Found>) -> Result<()> {
        self.tree.restore()?;
        if found.any(|found| found.seed.is_none()) {
            self.search()?.is_the_changes_doing()?;
        }
        Ok(())
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

    /// Runs seeds of the simulator until one breaks a promise: of these, if any is named.
    fn seeds(&self, program: &str, from: u64, count: u64, promises: &[&str]) -> Result<Verdict> {
        let mut simulate = Command::new(self.program(program));
        let (from, count) = (from.to_string(), count.to_string());
        simulate.args(["--first", "--from", &from, "--seeds", &count]);
        simulate.args(promises.iter().flat_map(|promise| ["--judge", promise]));
        if let Some(threads) = self.threads {
            simulate.args(["--threads", &threads.to_string()]);
        }
        let patience = if promises.is_empty() { PATIENCE } else { PATIENCE_FOR_SOME };
        look(&mut simulate, &self.said(), patience, broken)
    }

    /// Enters all states of the worlds of a full test run, until one breaks a promise.
    fn search(&self) -> Result<Verdict> {
        self.build(SEARCH)?;
        let mut search = Command::new(self.program("search"));
        if let Some(threads) = self.threads {
            search.args(["--threads", &threads.to_string()]);
        }
        look(&mut search, &self.said(), PATIENCE, entered)
    }

    fn program(&self, name: &str) -> PathBuf {
        self.tree.target.join(PROFILE).join(name)
    }

    /// Where a run says what it has to say.
    fn said(&self) -> PathBuf {
        self.tree.target.join("said")
    }
}

/// Runs what ends with 0 if it found nothing, and with 1 if it found something.
fn look(
    command: &mut Command,
    path: &Path,
    patience: Duration,
    understand: fn(&str) -> Option<Found>,
) -> Result<Verdict> {
    let (status, said) = limited(command, path, patience)?;
    match status.map(|status| status.code()) {
        None => Ok(Verdict::NoEnd),
        Some(Some(0)) => Ok(Verdict::Nothing),
        Some(Some(1)) => {
            understand(&said).map(Verdict::Found).with_context(|| format!("not understood: {said}"))
        }
        Some(code) => bail!("{} ended with {code:?}: {said}", command.get_program().display()),
    }
}

/// Runs a command for what it says, by way of a file, for a limited time. No status: it did not end.
fn limited(
    command: &mut Command,
    path: &Path,
    patience: Duration,
) -> Result<(Option<ExitStatus>, String)> {
    let file = File::create(path).with_context(|| path.display().to_string())?;
    let complaints = file.try_clone()?;
    command.stdin(Stdio::null()).stdout(file).stderr(complaints);
    let mut child = command.spawn().context("cannot run what was built")?;
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if begun.elapsed() > patience {
            child.kill()?;
            child.wait()?;
            break None;
        }
        thread::sleep(Duration::from_millis(20));
    };
    Ok((status, fs::read_to_string(path)?))
}

/// The seed and the checker that the simulator told of.
fn broken(said: &str) -> Option<Found> {
    let seed = said.lines().find_map(|line| line.strip_prefix("seed ")?.split(',').next());
    let seed: u64 = seed?.parse().ok()?;
    let (by, _) = said.lines().find_map(|line| line.split_once(" is broken at "))?;
    Some(Found::by_seed(by, seed))
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
    fn looked(script: &str, patience: Duration) -> Result<Verdict> {
        let name = format!("ottla-hunt-{}-{:?}", std::process::id(), thread::current().id());
        let path = std::env::temp_dir().join(name);
        let verdict = look(Command::new("sh").args(["-c", script]), &path, patience, broken);
        fs::remove_file(path).unwrap();
        verdict
    }

    #[test]
    fn a_run_that_does_not_end_has_found_nothing() {
        let hour = Duration::from_secs(3_600);
        assert_eq!(looked("exec sleep 3600", Duration::from_millis(50)).unwrap(), Verdict::NoEnd);
        assert_eq!(looked("true", hour).unwrap(), Verdict::Nothing);
        let said = "echo 'seed 3, commit x'; echo 'I3 in order is broken at 7 s: 5'; exit 1";
        let found = Found { by: "I3 in order".into(), after: "4 seeds".into(), seed: Some(3) };
        assert_eq!(looked(said, hour).unwrap(), Verdict::Found(found));
        assert!(looked("exit 1", hour).is_err(), "not understood");
        assert!(looked("kill -9 $$", hour).is_err());
    }

    #[test]
    fn what_is_found_without_the_change_as_well_is_not_its_doing() {
        let found = broken("seed 3, commit x\nI3 in order is broken at 7 s: 5").unwrap();
        assert!(Verdict::Nothing.is_the_changes_doing().is_ok());
        assert!(Verdict::Found(found).is_the_changes_doing().is_err());
        assert!(Verdict::NoEnd.is_the_changes_doing().is_err());
    }
}
