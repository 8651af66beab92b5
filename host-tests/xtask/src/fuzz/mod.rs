//! `cargo xtask fuzz`: drives the targets of `host-tests/fuzz` by coverage, keeps what is worth it,
//! and reports how much of the core the inputs that are kept reach.
//!
//! That those inputs break nothing is one of the ordinary tests.

mod coverage;
mod uncovered;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;

use crate::command::{catch, run as run_command};
use crate::context::Context;
use crate::install;

/// The package with the targets and their inputs, and the one with their programs, which is outside
/// of the workspace.
const PACKAGE: &str = "host-tests/fuzz";
pub(crate) const MANIFEST: &str = "host-tests/fuzz/fuzz/Cargo.toml";

/// What libFuzzer's programs are built for: all of it is built for one target, by name.
const HOST: &str = "x86_64-unknown-linux-gnu";

/// How much of the time a target gets; one that is not named here gets one share.
const SHARES: &[(&str, u32)] = &[("producer", 6), ("cluster", 4), ("answers", 2), ("requests", 2)];

/// No input is longer, and none takes more seconds.
const LENGTH_MAX: &str = "-max_len=4096";
const SECONDS_MAX: &str = "-timeout=20";
const MEMORY_MAX: &str = "-rss_limit_mb=2048";

/// What is kept in the tree, in all.
const KEPT_FILES: usize = 2_000;
const KEPT_BYTES: u64 = 1 << 20;

/// Fuzzes, or looks at what was found by it.
#[derive(Args)]
pub(crate) struct Fuzz {
    /// Only this target
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// For how long, of all targets together
    #[arg(long, value_name = "MINUTES", default_value_t = 10.0)]
    minutes: f64,
    /// Afterwards keeps the fewest inputs that reach all that was reached
    #[arg(long)]
    keep: bool,
    /// Instead runs the target on this input, and tells what it means
    #[arg(long, value_name = "FILE", requires = "target", conflicts_with = "keep")]
    input: Option<PathBuf>,
    /// Instead tells how much of the core the inputs that are kept reach, file by file
    #[arg(long, conflicts_with_all = ["target", "keep", "input"])]
    coverage: bool,
}

impl Fuzz {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        if self.coverage {
            return coverage::check(context);
        }
        if let (Some(input), Some(target)) = (&self.input, &self.target) {
            let input = input.canonicalize().with_context(|| input.display().to_string())?;
            let example = ["run", "--package", "ottla-fuzz", "--example", "input", "--", target];
            return run_command(context.cargo(example).arg(input));
        }
        let fuzzer = Fuzzer::new(context)?;
        let targets = fuzzer.targets(self.target.as_deref())?;
        fuzzer.build(&targets)?;
        let all: u32 = targets.iter().map(|target| shares(target)).sum();
        println!(
            "{:18}{:>8}{:>12}{:>9}{:>9}{:>9}",
            "", "seconds", "runs", "a second", "edges", "inputs"
        );
        let mut found = Vec::new();
        for target in &targets {
            let seconds = self.minutes * 60.0 * f64::from(shares(target)) / f64::from(all);
            found.extend(fuzzer.fuzz(target, seconds.max(1.0) as u64)?);
        }
        ensure!(found.is_empty(), "{} found something:\n{}", found.len(), found.join("\n"));
        if self.keep {
            for target in &targets {
                fuzzer.keep(target)?;
            }
            fuzzer.count_kept()?;
        }
        Ok(())
    }
}

/// A command of cargo about the programs for libFuzzer, which is built from C++.
pub(crate) fn cargo(context: &Context, command: &str) -> Result<Command> {
    install::require(install::CPLUSPLUS)?;
    let mut cargo = context.cargo([command, "--manifest-path", MANIFEST, "--target-dir"]);
    cargo.arg(target_directory(context));
    Ok(cargo)
}

fn target_directory(context: &Context) -> PathBuf {
    context.root.join(context.target_directory()).join("fuzz")
}

fn shares(target: &str) -> u32 {
    SHARES.iter().find(|(name, _)| *name == target).map_or(1, |(_, shares)| *shares)
}

/// Where everything is.
struct Fuzzer<'a> {
    context: &'a Context,
    cargo_fuzz: PathBuf,
    target_directory: PathBuf,
}

impl<'a> Fuzzer<'a> {
    fn new(context: &'a Context) -> Result<Self> {
        install::require(install::CPLUSPLUS)?;
        let cargo_fuzz = install::cargo_tool(context, &install::CARGO_FUZZ)?;
        let target_directory = target_directory(context);
        fs::create_dir_all(&target_directory)?;
        Ok(Self { context, cargo_fuzz, target_directory })
    }

    /// The names of the targets: each has a program that is called so.
    fn targets(&self, only: Option<&str>) -> Result<Vec<String>> {
        let programs = self.context.root.join(PACKAGE).join("fuzz").join("fuzz_targets");
        let mut names = Vec::new();
        for entry in fs::read_dir(&programs).with_context(|| programs.display().to_string())? {
            let path = entry?.path();
            names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
        }
        names.sort();
        if let Some(only) = only {
            ensure!(
                names.iter().any(|n| n == only),
                "no target {only}; there are {}",
                names.join(", ")
            );
            names.retain(|name| name == only);
        }
        Ok(names)
    }

    /// Without a sanitizer: the core has no unsafe code for it to look at.
    fn build(&self, targets: &[String]) -> Result<()> {
        let mut command = Command::new(&self.cargo_fuzz);
        command.current_dir(self.context.root.join(PACKAGE));
        command.args(["fuzz", "build", "--sanitizer", "none", "--fuzz-dir", "fuzz"]);
        command.arg("--target-dir").arg(&self.target_directory);
        if let [target] = targets {
            command.arg(target);
        }
        run_command(&mut command)
    }

    fn program(&self, target: &str) -> Command {
        let program = self.target_directory.join(HOST).join("release").join(target);
        let mut command = Command::new(program);
        command.current_dir(&self.context.root);
        command
    }

    /// The inputs that are kept in the tree.
    fn corpus(&self, target: &str) -> PathBuf {
        self.context.root.join(PACKAGE).join("corpus").join(target)
    }

    /// The inputs of all runs on this machine.
    fn work(&self, target: &str) -> Result<PathBuf> {
        let work = self.target_directory.join("work").join(target);
        fs::create_dir_all(&work)?;
        Ok(work)
    }

    /// Fuzzes one target, and prints a line about it. Returns what was found, and how to look at it.
    fn fuzz(&self, target: &str, seconds: u64) -> Result<Option<String>> {
        let found = self.target_directory.join("found");
        fs::create_dir_all(&found)?;
        let prefix = found.join(format!("{target}-"));
        let mut command = self.program(target);
        command.arg(self.work(target)?).arg(self.corpus(target));
        command.args([LENGTH_MAX, SECONDS_MAX, MEMORY_MAX, "-print_final_stats=1"]);
        command.arg(format!("-max_total_time={seconds}"));
        command.arg(format!("-artifact_prefix={}", prefix.display()));
        let began = Instant::now();
        let output = catch(&mut command)?;
        let said = String::from_utf8_lossy(&output.stderr);
        let line = Line::read(&said, began.elapsed());
        println!("{target:18}{line}");
        if output.status.success() {
            line.judge().with_context(|| format!("{target}:\n{}", tail(&said)))?;
            return Ok(None);
        }
        let input = said.lines().find_map(|line| Some(line.split_once("Test unit written to ")?.1));
        let Some(input) = input else {
            bail!("{target} failed, and left no input:\n{}", tail(&said))
        };
        let again = format!("cargo xtask fuzz --target {target} --input {input}");
        Ok(Some(format!("{}\n  again: {again}", complaint(&said))))
    }

    /// Puts the fewest inputs into the tree that reach what all of them reach.
    fn keep(&self, target: &str) -> Result<()> {
        let (corpus, work) = (self.corpus(target), self.work(target)?);
        let fresh = self.target_directory.join("fresh").join(target);
        if fresh.exists() {
            fs::remove_dir_all(&fresh)?;
        }
        fs::create_dir_all(&fresh)?;
        fs::create_dir_all(&corpus)?;
        let mut command = self.program(target);
        // How often something is reached does not count, only whether it is.
        command.args([
            "-set_cover_merge=1",
            "-use_counters=0",
            LENGTH_MAX,
            SECONDS_MAX,
            MEMORY_MAX,
        ]);
        let output = catch(command.arg(&fresh).arg(&corpus).arg(&work))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{target} cannot be made small:\n{}", tail(&said));
        fs::remove_dir_all(&corpus)?;
        fs::create_dir_all(&corpus)?;
        for entry in fs::read_dir(&fresh)? {
            let entry = entry?;
            fs::copy(entry.path(), corpus.join(entry.file_name()))?;
        }
        Ok(())
    }

    /// Tells how much is kept, which is little.
    fn count_kept(&self) -> Result<()> {
        let (mut files, mut bytes) = (0, 0);
        for target in self.targets(None)? {
            for entry in fs::read_dir(self.corpus(&target))? {
                files += 1;
                bytes += entry?.metadata()?.len();
            }
        }
        println!("{files} inputs of {bytes} bytes are kept");
        ensure!(files <= KEPT_FILES && bytes <= KEPT_BYTES, "that is too much for the tree");
        Ok(())
    }
}

/// What libFuzzer says of a run, in numbers.
#[derive(Default)]
struct Line {
    seconds: u64,
    runs: u64,
    edges: u64,
    inputs: u64,
}

impl Line {
    fn read(said: &str, took: Duration) -> Self {
        let mut line = Self { seconds: took.as_secs(), ..Self::default() };
        for text in said.lines() {
            let words: Vec<&str> = text.split_whitespace().collect();
            let after = |name: &str| {
                let place = words.iter().position(|word| *word == name)?;
                words.get(place + 1)?.split('/').next()?.parse().ok()
            };
            line.runs = after("stat::number_of_executed_units:").unwrap_or(line.runs);
            line.edges = after("cov:").unwrap_or(line.edges);
            line.inputs = after("corp:").unwrap_or(line.inputs);
        }
        line
    }

    /// Sees that a run that found nothing has looked: no number of it is 0, unless libFuzzer did
    /// nothing or says it in other words.
    fn judge(&self) -> Result<()> {
        let Self { runs, edges, inputs, .. } = self;
        ensure!(
            *runs > 0 && *edges > 0 && *inputs > 0,
            "{runs} runs, {edges} edges, {inputs} inputs: nothing was run, or that is not understood"
        );
        Ok(())
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seconds, runs, edges, inputs } = self;
        let rate = runs / (*seconds).max(1);
        write!(f, "{seconds:>8}{runs:>12}{rate:>9}{edges:>9}{inputs:>9}")
    }
}

/// What a panic said, or why a run was ended.
fn complaint(said: &str) -> String {
    let mut lines = said.lines().skip_while(|line| !line.contains("panicked at"));
    let panic: Vec<&str> =
        lines.by_ref().take_while(|l| !l.starts_with("stack backtrace")).collect();
    if panic.is_empty() { tail(said) } else { panic.join("\n") }
}

fn tail(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

/// The path of a file of the core below `core/src`, if it is one.
fn of_core<'p>(root: &Path, path: &'p Path) -> Option<&'p Path> {
    path.strip_prefix(root.join("core").join("src")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "\
#2\tINITED cov: 12 ft: 13 corp: 1/1b exec/s: 0 rss: 26Mb
#1024\tREDUCE cov: 2946 ft: 7091 corp: 134/8323b lim: 88 exec/s: 512 rss: 29Mb
thread '<unnamed>' (1) panicked at src/x.rs:1:1:
I7: closed
stack backtrace:
   0: main
stat::number_of_executed_units: 1030
";

    #[test]
    fn what_a_run_says_is_read() {
        let line = Line::read(SAID, Duration::from_secs(2));
        assert_eq!((line.runs, line.edges, line.inputs), (1_030, 2_946, 134));
        assert!(complaint(SAID).ends_with("x.rs:1:1:\nI7: closed"), "{}", complaint(SAID));
        assert_eq!(complaint("killed"), "killed");
    }

    #[test]
    fn a_run_without_figures_is_no_success() {
        let judge = |said: &str| Line::read(said, Duration::from_secs(2)).judge();
        assert!(judge(SAID).is_ok());
        for word in ["stat::number_of_executed_units", "cov", "corp"] {
            assert!(judge(&SAID.replace(word, "other")).is_err(), "{word}");
        }
        assert!(judge("").is_err());
    }
}
