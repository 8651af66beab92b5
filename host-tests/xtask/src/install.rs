//! Programs the checks need, and installing those that are missing.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
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

/// A program from cargo's registry, which is called as its package. The version is part of what is
/// tested: another one draws other mutants by the same seed.
pub(crate) struct CargoTool {
    package: &'static str,
    version: &'static str,
}

/// What makes mutants.
pub(crate) const CARGO_MUTANTS: CargoTool =
    CargoTool { package: "cargo-mutants", version: "27.1.0" };

/// What builds libFuzzer's programs.
pub(crate) const CARGO_FUZZ: CargoTool = CargoTool { package: "cargo-fuzz", version: "0.13.2" };

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

/// What counts instructions.
pub(crate) const VALGRIND: &[Tool] = &[Tool { program: "valgrind", package: "valgrind" }];

/// What samples where time goes, and tells the functions of addresses.
pub(crate) const PERF: &[Tool] = &[
    Tool { program: "perf", package: "linux-perf" },
    Tool { program: "addr2line", package: "binutils" },
];

/// What linking for a 32-bit host takes.
pub(crate) const LIBRARIES_32: &[Tool] =
    &[Tool { program: "/usr/lib32/crt1.o", package: "gcc-multilib" }];

/// What reads how much was reached, by the version of LLVM that the compiler has.
const LLVM: &[(&str, &[Tool])] = &[
    ("21", &[Tool { program: "llvm-cov-21", package: "llvm-21" }]),
    ("22", &[Tool { program: "llvm-cov-22", package: "llvm-22" }]),
];

/// Installs everything the checks need.
pub(crate) fn everything(context: &Context) -> Result<()> {
    for tools in [JAVA, GO, QEMU, KCAT, CPLUSPLUS, VALGRIND, LIBRARIES_32] {
        require(tools)?;
    }
    llvm()?;
    for tool in [CARGO_MUTANTS, CARGO_FUZZ] {
        cargo_tool(context, &tool)?;
    }
    for target in cross::TARGETS {
        cross::Toolchain::for_target(target)?;
    }
    println!("nothing is missing");
    Ok(())
}

/// LLVM's programs, of the version that the compiler has; its number is the end of their names.
pub(crate) fn llvm() -> Result<&'static str> {
    let said = read(Command::new("rustc").arg("-vV"))?;
    let (version, tools) = llvm_of(&said)?;
    require(tools)?;
    Ok(version)
}

fn llvm_of(said: &str) -> Result<(&'static str, &'static [Tool])> {
    let version = said.lines().find_map(|line| line.strip_prefix("LLVM version: "));
    let major = version.and_then(|version| version.split('.').next());
    let known = LLVM.iter().find(|(version, _)| Some(*version) == major).copied();
    known.with_context(|| {
        format!("the compiler's LLVM is {version:?}, and no package with its programs is known")
    })
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

/// The path of a program from cargo's registry; it is installed among the user's caches if it is not
/// there in its version.
pub(crate) fn cargo_tool(context: &Context, tool: &CargoTool) -> Result<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // The same place as that of the programs that the tests against Kafka build.
    let cache = set("OTTLA_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|caches| caches.join("ottla")))
        .or_else(|| set("HOME").map(|home| home.join(".cache").join("ottla")))
        .context("no place for a cache: set OTTLA_CACHE")?;
    let root = cache.join("tools");
    let list = fs::read_to_string(root.join(".crates.toml")).unwrap_or_default();
    let program = root.join("bin").join(tool.package);
    if !(program.is_file() && tool.is_listed(&list)) {
        run(&mut tool.install(context, &root))?;
    }
    Ok(program)
}

impl CargoTool {
    /// Whether cargo's list of what it has installed in a place has it, in this version.
    fn is_listed(&self, list: &str) -> bool {
        let CargoTool { package, version } = self;
        list.lines().any(|line| line.starts_with(&format!("\"{package} {version} (")))
    }

    /// Puts it in the place of any other version.
    fn install(&self, context: &Context, root: &Path) -> Command {
        let mut cargo = context.cargo(["install", "--locked", "--version"]);
        cargo.arg(format!("={}", self.version)).arg(self.package).arg("--root").arg(root);
        cargo
    }
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
    #[test]
    fn a_program_of_another_version_is_not_the_one() {
        let list = "[v1]\n\"cargo-a 27.1.0 (registry+https://x/index)\" = [\"cargo-a\"]\n";
        let is_listed = |package, version| CargoTool { package, version }.is_listed(list);
        assert!(is_listed("cargo-a", "27.1.0"));
        assert!(!is_listed("cargo-a", "27.1.1") && !is_listed("cargo-a", "27.1"));
        assert!(!is_listed("cargo-b", "27.1.0") && !is_listed("o-a", "27.1.0"));
    }

    #[test]
    fn programs_are_installed_in_their_exact_versions() {
        let context = Context::new(crate::context::Depth::Quick).unwrap();
        for tool in [CARGO_MUTANTS, CARGO_FUZZ] {
            let command = tool.install(&context, Path::new("place"));
            let said: Vec<_> = command.get_args().map(|one| one.to_string_lossy()).collect();
            let version = said.iter().find_map(|one| one.strip_prefix('=')).unwrap();
            assert_eq!(version.split('.').filter(|part| part.parse::<u32>().is_ok()).count(), 3);
            assert!(said.iter().any(|one| one == "--locked"), "with what it was made with");
        }
    }

    #[test]
    fn programs_of_llvm_are_those_of_the_compilers_version() {
        let found = |said| llvm_of(said).map(|(version, tools)| (version, tools[0].program)).ok();
        assert_eq!(found("rustc 1\nLLVM version: 22.1.2"), Some(("22", "llvm-cov-22")));
        assert_eq!(found("rustc 1\nLLVM version: 3.0"), None);
        assert_eq!(found("rustc 1"), None);
    }
}
