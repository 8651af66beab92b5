//! Programs the checks need, and installing those that are missing.

use std::env;
use std::process::Command;
use std::sync::Once;

use anyhow::{Context as _, Result, ensure};

use crate::command::{read, run};
use crate::cross;

/// A program, or a file at an absolute path, and the Debian package that brings it.
pub(crate) struct Tool {
    pub(crate) program: &'static str,
    pub(crate) package: &'static str,
}

/// What running Kafka takes.
pub(crate) const JAVA: &[Tool] = &[
    Tool { program: "java", package: "openjdk-17-jdk-headless" },
    Tool { program: "javac", package: "openjdk-17-jdk-headless" },
    Tool { program: "mvn", package: "maven" },
];

/// What building franz-go and its kfake takes. Go 1.21 and newer fetch the version that it asks for;
/// where Debian's is older, its complaint says so.
pub(crate) const GO: &[Tool] = &[Tool { program: "go", package: "golang-go" }];

/// What running images takes.
pub(crate) const QEMU: &[Tool] = &[Tool { program: "qemu-system-arm", package: "qemu-system-arm" }];

/// The client that the development broker is tested with, beside Java's and Go's.
pub(crate) const KCAT: &[Tool] = &[Tool { program: "kcat", package: "kcat" }];

/// Installs everything the checks need.
pub(crate) fn everything() -> Result<()> {
    require(JAVA)?;
    require(GO)?;
    require(QEMU)?;
    require(KCAT)?;
    for target in cross::TARGETS {
        cross::Toolchain::for_target(target)?;
    }
    println!("nothing is missing");
    Ok(())
}

/// Installs those of `tools` that are missing, or says what to install.
pub(crate) fn require(tools: &[Tool]) -> Result<()> {
    let missing: Vec<&Tool> = tools.iter().filter(|tool| !is_present(tool.program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    packages.dedup();
    let programs: Vec<&str> = missing.iter().map(|tool| tool.program).collect();
    let advice = format!(
        "missing: {}; on Debian: apt-get install {}",
        programs.join(", "),
        packages.join(" ")
    );
    ensure!(can_install(), "{advice}");
    install(&packages).context(advice)?;
    for tool in missing {
        ensure!(is_present(tool.program), "{} did not bring {}", tool.package, tool.program);
    }
    Ok(())
}

/// Whether a program is on the path, or a file exists.
pub(crate) fn is_present(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    // Joining an absolute path yields that path, so with one the directories do not matter.
    env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

fn can_install() -> bool {
    is_present("apt-get") && read(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

fn install(packages: &[&str]) -> Result<()> {
    static UPDATE: Once = Once::new();
    let mut updated = Ok(());
    UPDATE.call_once(|| updated = run(apt_get().arg("update")));
    updated?;
    run(apt_get().args(["install", "-y", "--no-install-recommends"]).args(packages))
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_by_name_and_by_path() {
        assert!(is_present("cargo"));
        assert!(is_present("/bin/sh"));
        assert!(!is_present("no-such-program"));
        assert!(!is_present("/bin/no-such-program"));
    }
}
