//! Programs the checks need, and installing those that are missing.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Once;

use anyhow::{Context as _, Result, ensure};

use crate::command::{read, run};
use crate::context::Context;
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

/// What building libFuzzer takes.
pub(crate) const CPLUSPLUS: &[Tool] = &[Tool { program: "c++", package: "g++" }];

/// What reads how much was reached, by the version of LLVM that the compiler has.
pub(crate) const LLVM: &[(&str, &[Tool])] = &[
    ("21", &[Tool { program: "llvm-cov-21", package: "llvm-21" }]),
    ("22", &[Tool { program: "llvm-cov-22", package: "llvm-22" }]),
];

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

/// The path of a program from cargo's registry that is called as its package; it is installed among
/// the user's caches if it is not there. Its version is that of the first installation.
pub(crate) fn cargo_tool(context: &Context, package: &str) -> Result<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // The same place as that of the programs that the tests against Kafka build.
    let cache = set("OTTLA_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|caches| caches.join("ottla")))
        .or_else(|| set("HOME").map(|home| home.join(".cache").join("ottla")))
        .context("no place for a cache: set OTTLA_CACHE")?;
    let root = cache.join("tools");
    let program = root.join("bin").join(package);
    if !program.is_file() {
        run(context.cargo(["install", "--locked", package, "--root"]).arg(&root))?;
    }
    Ok(program)
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
