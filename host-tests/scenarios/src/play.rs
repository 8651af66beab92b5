//! Files of scripts: reading, running, judging, and recording what was seen.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use similar::{ChangeTag, TextDiff};

use crate::driver::{Failure, Options, Run, run};
use crate::expect::compare;
use crate::parse::{self, TRACE};
use crate::script::{Kind, Script};

/// The file that a process of its own is to run, for the host that is there once in a process.
const CHILD: &str = "OTTLA_SCENARIO";

/// The scripts of a folder, in the order of their names.
///
/// # Errors
/// The folder cannot be read, or has no script.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let paths: Result<Vec<PathBuf>, std::io::Error> =
        read.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    if paths.is_empty() {
        bail!("{}: no scripts", folder.display());
    }
    paths.sort();
    Ok(paths)
}

/// Reads a script.
///
/// # Errors
/// The file cannot be read, or what is wrong with the script.
pub fn read(file: &Path) -> Result<Script> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    Ok(parse::script(file, &text)?)
}

/// All that is wrong with a run, the recorded trace included.
#[must_use]
pub fn judge(script: &Script, run: &Run) -> Vec<Failure> {
    let mut failures = run.failures.clone();
    // Where something failed, the rest of the trace is not there.
    if failures.is_empty() {
        failures.extend(compare(script, run));
    }
    failures
}

/// What is told of a run that failed: each failure with its file and line, and the trace.
#[must_use]
pub fn report(file: &Path, kind: Kind, script: &Script, run: &Run) -> String {
    let mut text = String::new();
    for Failure { line, message } in judge(script, run) {
        let _ = writeln!(text, "{}:{line}: on {}: {message}", file.display(), kind.name());
    }
    text + &difference(script, run)
}

/// The trace, with what it has and the recorded one has not, and the other way round.
#[must_use]
pub fn difference(script: &Script, run: &Run) -> String {
    let lines = |lines: &mut dyn Iterator<Item = &str>| {
        lines.fold(String::new(), |text, line| text + line + "\n")
    };
    let recorded = lines(&mut script.trace.iter().map(|line| line.it.as_str()));
    let seen = lines(&mut run.trace.iter().map(String::as_str));
    let mut text = String::new();
    for change in TextDiff::from_lines(&recorded, &seen).iter_all_changes() {
        let mark = match change.tag() {
            ChangeTag::Delete => "-",
            ChangeTag::Insert => "+",
            ChangeTag::Equal => " ",
        };
        let _ = write!(text, "{mark} {change}");
    }
    text
}

/// Runs a file on a host: what is to be told if it fails.
///
/// # Errors
/// The file cannot be read or understood, or another process cannot be started.
pub fn play(file: &Path, kind: Kind) -> Result<Result<(), String>> {
    if kind == Kind::Embassy {
        return apart(file);
    }
    Ok(here(file, kind)?.map_err(|(report, _)| report).map(|_| ()))
}

/// Runs a file on the bare machine with so many seeds: what is to be told if it fails with one. A
/// script must not depend on how long pauses are that are drawn.
///
/// # Errors
/// The file cannot be read or understood.
pub fn play_seeds(file: &Path, seeds: u64) -> Result<Result<(), String>> {
    let script = read(file)?;
    for seed in 1..=seeds {
        let run = run(&script, Kind::Growable, Options { seed, ..Options::default() });
        if !judge(&script, &run).is_empty() {
            let told = report(file, Kind::Growable, &script, &run);
            return Ok(Err(format!("with seed {seed}\n{told}")));
        }
    }
    Ok(Ok(()))
}

/// Runs a file in this process.
fn here(file: &Path, kind: Kind) -> Result<Result<Run, (String, Run)>> {
    let script = read(file)?;
    let run = run(&script, kind, Options::default());
    if judge(&script, &run).is_empty() {
        return Ok(Ok(run));
    }
    Ok(Err((report(file, kind, &script, &run), run)))
}

/// Runs a file on the host for embassy, in a process of its own: this program once more, which has
/// to call [`child`] first of all.
fn apart(file: &Path) -> Result<Result<(), String>> {
    let program = std::env::current_exe().context("this program's own file")?;
    let output = Command::new(program).env(CHILD, file).output().context("a second process")?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(Ok(()));
    }
    Ok(Err(text(&output.stdout) + &text(&output.stderr)))
}

/// Does what this process was started for, if it was started to run a script on the host for
/// embassy. Whether it was, and how that went.
#[must_use]
pub fn child() -> Option<bool> {
    let file = PathBuf::from(std::env::var_os(CHILD)?);
    let good = match here(&file, Kind::Embassy) {
        Ok(Ok(_)) => true,
        Ok(Err((report, _))) => {
            print!("{report}");
            false
        }
        Err(error) => {
            println!("{error:#}");
            false
        }
    };
    Some(good)
}

/// Records in a file what is seen on the first of its hosts. Whether that changed the file.
///
/// # Errors
/// The script fails apart from its trace, which is then not recorded.
pub fn update(file: &Path) -> Result<bool> {
    let script = read(file)?;
    let Some(kind) = script.hosts().into_iter().find(|kind| *kind != Kind::Embassy) else {
        bail!("{}: there is no host to record it on", file.display());
    };
    let run = run(&script, kind, Options::default());
    if !run.failures.is_empty() {
        bail!("it fails, so nothing was recorded\n{}", report(file, kind, &script, &run));
    }
    let old = fs::read_to_string(file)?;
    let new = with_trace(&old, &run.trace);
    if new != old {
        fs::write(file, &new).with_context(|| file.display().to_string())?;
    }
    Ok(new != old)
}

/// The text of a script with another trace.
fn with_trace(text: &str, trace: &[String]) -> String {
    let kept: Vec<&str> = text.lines().take_while(|line| *line != TRACE).collect();
    let mut new = kept.join("\n").trim_end().to_owned();
    new.push_str("\n\ntrace\n");
    for line in trace {
        let _ = writeln!(new, "  {line}");
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_trace_is_rewritten() {
        let text = "# what it is\n\ngiven\n  nodes 1 # one\n\ntrace\n  old\n";
        let new = with_trace(text, &["node 1".to_owned(), "  more".to_owned()]);
        assert_eq!(new, "# what it is\n\ngiven\n  nodes 1 # one\n\ntrace\n  node 1\n    more\n");
        assert_eq!(with_trace("given\n", &[]), "given\n\ntrace\n");
    }
    #[test]
    fn a_folder_without_scripts_is_no_success() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(!files(folder).unwrap().is_empty());
        let error = files(&folder.join("src")).unwrap_err().to_string();
        assert!(error.ends_with("src: no scripts"), "{error}");
    }
}
