//! Comparing clients: builds the package `bench`, which is outside of the workspace, and runs its
//! program `compare`.

use std::process::Command;

use anyhow::Result;

use crate::command::run as run_command;
use crate::context::Context;
use crate::install::{self, Tool};

/// The package.
pub(crate) const MANIFEST: &str = "host-tests/bench/Cargo.toml";

/// Where franz-go's client is.
const FRANZ_GO: &str = "host-tests/bench/franz-go";

/// What building librdkafka takes.
const C: &[Tool] = &[
    Tool { program: "cc", package: "gcc" },
    Tool { program: "c++", package: "g++" },
    Tool { program: "make", package: "make" },
];

/// Builds all clients and compares them; the arguments are those of `compare`.
pub(crate) fn run(context: &Context, arguments: &[String]) -> Result<()> {
    install::require(install::JAVA)?;
    install::require(C)?;
    let target = context.target_directory().join("bench");
    let mut build = context.cargo(["build", "--release", "--bins"]);
    run_command(build.args(["--manifest-path", MANIFEST, "--target-dir"]).arg(&target))?;
    let programs = context.root.join(&target).join("release");
    let mut compare = Command::new(programs.join("compare"));
    // Debian's Go is too old for it, so it is not installed.
    if install::is_present("go") {
        let program = programs.join("franz-go");
        let mut build = Command::new("go");
        build.current_dir(context.root.join(FRANZ_GO)).args(["build", "-trimpath", "-o"]);
        run_command(build.arg(&program).arg("."))?;
        compare.arg("--franz-go").arg(program);
    } else {
        println!("`go` is not installed: franz-go is left out");
    }
    run_command(compare.args(arguments))
}
