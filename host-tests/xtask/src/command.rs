//! Running other programs, with errors that say what was run.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, ErrorKind};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, anyhow, bail, ensure};

/// Runs a command that talks to the terminal itself.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| cannot_run(command, &error))?;
    if !status.success() {
        bail!("`{}` failed ({status})", line(command));
    }
    Ok(())
}

/// Runs a command and catches what it says, whether it succeeds or not.
pub(crate) fn catch(command: &mut Command) -> Result<Output> {
    command.stdin(Stdio::null()).output().map_err(|error| cannot_run(command, &error))
}

/// Runs a command for its standard output.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let output = catch(command)?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed ({}): {}", line(command), output.status, complaint.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command, passes on what it says, and returns its lines.
pub(crate) fn hear(command: &mut Command) -> Result<Vec<String>> {
    command.stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| cannot_run(command, &error))?;
    let stdout = child.stdout.take().context("a pipe")?;
    let mut said = Vec::new();
    for text in BufReader::new(stdout).lines() {
        let text = text?;
        println!("{text}");
        said.push(text);
    }
    let status = child.wait()?;
    ensure!(status.success(), "`{}` failed ({status})", line(command));
    Ok(said)
}

fn cannot_run(command: &Command, error: &std::io::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::NotFound => anyhow!("`{}` is not installed", program(command)),
        _ => anyhow!("cannot run `{}`: {error}", line(command)),
    }
}

fn program(command: &Command) -> String {
    let path = Path::new(command.get_program());
    path.file_name().unwrap_or(path.as_os_str()).display().to_string()
}

fn line(command: &Command) -> String {
    let arguments = command.get_args().map(OsStr::display);
    arguments.fold(program(command), |line, argument| format!("{line} {argument}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_command() {
        let error = run(Command::new("/bin/false").args(["-a", "b"])).unwrap_err();
        assert!(error.to_string().starts_with("`false -a b` failed"), "{error}");
        let error = read(&mut Command::new("no-such-program")).unwrap_err();
        assert_eq!(error.to_string(), "`no-such-program` is not installed");
    }

    #[test]
    fn what_fails_is_not_heard() {
        assert!(hear(Command::new("sh").args(["-c", "echo said; exit 3"])).is_err());
        assert_eq!(hear(Command::new("echo").arg("said")).unwrap(), ["said"]);
    }
}
