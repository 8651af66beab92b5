//! Running Java programs.

use std::io::ErrorKind;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::artifacts::{Artifacts, Release, source};

/// One of Kafka's command line tools by its class, for example
/// `org.apache.kafka.tools.ProducerPerformance`.
pub fn tool(class: &str) -> Result<Command> {
    // Tools live for seconds: the quick compiler and the plain collector start soonest.
    let options = ["-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];
    let mut command = java(Release::Newest, &options)?;
    command.arg(class);
    Ok(command)
}

/// A Java machine with all classes of a release at hand; the class and its arguments are still to
/// be added.
pub(crate) fn java(release: Release, options: &[&str]) -> Result<Command> {
    let mut command = Command::new("java");
    command.args(options);
    command.arg(format!("-Dlog4j2.configurationFile={}", source("log4j2.properties").display()));
    command.args(["-classpath", &Artifacts::of(release)?.class_path()]);
    Ok(command)
}

/// Runs a command to its end and returns its standard output; a failure carries the end of all it
/// said.
pub fn finish(command: &mut Command) -> Result<String> {
    let program = command.get_program().display().to_string();
    let output = match command.output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("`{program}` is not installed; `cargo xtask setup` installs what is missing")
        }
        result => result.with_context(|| format!("cannot run `{program}`"))?,
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("`{program}` failed ({}):\n{}", output.status, tail(&format!("{said}{complaint}")));
    }
    Ok(said)
}

/// The last lines of a log.
pub(crate) fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
