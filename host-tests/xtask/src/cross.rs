//! Compiling for other machines than this one.
//!
//! The one place that knows which compiler has the targets: the one in use, to which rustup adds
//! them, or Debian's, which brings the sources of the library to be built for any target.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use board_matrix::Board;

use crate::command::{read, run};
use crate::context::{Context, UPDATE};
use crate::install::{self, Tool};

/// The targets that are checked beside the host: a 32-bit host, and microcontrollers with and
/// without compare-and-swap and a floating point unit.
pub(crate) const TARGETS: [&str; 6] = [
    "i686-unknown-linux-gnu",
    "thumbv6m-none-eabi",
    "thumbv7m-none-eabi",
    "thumbv7em-none-eabihf",
    "riscv32imc-unknown-none-elf",
    "riscv32imac-unknown-none-elf",
];

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_RUSTDOC: &str = "/usr/bin/rustdoc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";

/// Debian's packages; the last file stands for the sources of the library.
const DEBIAN: &[Tool] = &[
    Tool { program: DEBIAN_RUSTC, package: "rustc-web" },
    Tool { program: DEBIAN_CARGO, package: "cargo-web" },
    Tool { program: "/usr/lib/rustlib/src/rust/library/core/src/lib.rs", package: "rust-web-src" },
    Tool { program: "ld.lld", package: "lld" },
];

/// A compiler with the library for a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The one in use has it.
    InUse,
    /// Debian's builds it.
    Debian,
}

impl Toolchain {
    /// Finds a toolchain for a target, installing one if need be.
    pub(crate) fn for_target(target: &str) -> Result<Toolchain> {
        if in_use_has(target)? {
            return Ok(Toolchain::InUse);
        }
        if DEBIAN.iter().all(|tool| install::is_present(tool.program)) {
            return Ok(Toolchain::Debian);
        }
        if install::is_present("rustup")
            && run(Command::new("rustup").args(["target", "add", target])).is_ok()
            && in_use_has(target)?
        {
            return Ok(Toolchain::InUse);
        }
        install::require(DEBIAN).with_context(|| {
            format!("no compiler for {target}: `rustup target add {target}` failed, or")
        })?;
        Ok(Toolchain::Debian)
    }

    /// `cargo build` for a target, without an allocator; the package and the profile are to be
    /// added. Both toolchains build into one directory of their own.
    pub(crate) fn build(self, context: &Context, target: &str) -> Command {
        let mut command = self.cargo_build(context, target, "core");
        command.current_dir(&context.root).args(["--target-dir", "target/cross"]);
        command
    }

    /// `cargo build` of a board's image, in the board's folder: there is its configuration, and
    /// what is built stays there, as if built by hand. Features are to be added.
    pub(crate) fn build_board(self, context: &Context, board: &Board) -> Command {
        let library = board.build_std.iter().fold("core".to_owned(), |all, one| all + "," + one);
        let mut command = self.cargo_build(context, &board.target, &library);
        command.current_dir(&board.path).args(["--release", "--locked", "--target-dir", "target"]);
        command
    }

    /// `cargo build` for a target; Debian's compiler builds these crates of the library first.
    pub(crate) fn cargo_build(self, context: &Context, target: &str, library: &str) -> Command {
        let mut command = match self {
            Toolchain::InUse => context.cargo(["build"]),
            Toolchain::Debian => {
                let mut command = Command::new(DEBIAN_CARGO);
                command.args(["build", &format!("-Zbuild-std={library}")]);
                command.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
                // Set by the cargo that runs us, for its own compiler.
                command.env_remove("LD_LIBRARY_PATH");
                if is_bare(target) {
                    let variable = target.to_uppercase().replace('-', "_");
                    command.env(format!("CARGO_TARGET_{variable}_LINKER"), "ld.lld");
                }
                command
            }
        };
        command.args(["--target", target]);
        command
    }

    /// `cargo test` of a package for a target that this machine can run.
    pub(crate) fn test(self, context: &Context, target: &str, package: &str) -> Command {
        let mut command = match self {
            Toolchain::InUse => context.cargo(["test"]),
            Toolchain::Debian => {
                let mut command = Command::new(DEBIAN_CARGO);
                command.current_dir(&context.root).args(["test", "-Zbuild-std"]);
                command.env("RUSTC", DEBIAN_RUSTC).env("RUSTDOC", DEBIAN_RUSTDOC);
                command.env("RUSTC_BOOTSTRAP", "1").env_remove("LD_LIBRARY_PATH");
                command
            }
        };
        command.env_remove(UPDATE);
        // Without documentation tests, for which Debian's cargo lacks the library.
        command.args(["--target", target, "--package", package, "--lib", "--tests"]);
        command.args(["--target-dir", "target/cross"]);
        command
    }

    /// The compiler, and its version: sizes depend on it.
    pub(crate) fn version(self) -> Result<String> {
        let compiler = match self {
            Toolchain::InUse => "rustc",
            Toolchain::Debian => DEBIAN_RUSTC,
        };
        let said = read(Command::new(compiler).arg("--version"))?;
        Ok(said.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
    }
}

/// Whether a target has no operating system, so that nothing but a linker is needed to link for it.
pub(crate) fn is_bare(target: &str) -> bool {
    target.contains("-none-")
}

fn in_use_has(target: &str) -> Result<bool> {
    let sysroot = read(Command::new("rustc").args(["--print", "sysroot"]))?;
    let library = Path::new(sysroot.trim()).join("lib/rustlib").join(target).join("lib");
    Ok(library.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_needs_no_other_toolchain() {
        let version = read(Command::new("rustc").arg("-vV")).unwrap();
        let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        assert_eq!(Toolchain::for_target(host).unwrap(), Toolchain::InUse);
        assert!(!is_bare(host));
        assert!(TARGETS.into_iter().any(is_bare));
    }
}
