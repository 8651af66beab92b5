//! Comparing clients: builds the package `bench`, which is outside of the workspace, and runs its
//! program `compare`; with `--peers` the other clients, too, which are in a package of their own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::command::run as run_command;
use crate::context::Context;
use crate::install::{self, Tool};
use crate::simulate::commit;

/// The package.
pub(crate) const MANIFEST: &str = "host-tests/bench/Cargo.toml";

/// What all clients have in common.
pub(crate) const CLIENT: &str = "host-tests/bench/client/Cargo.toml";

/// The other clients that are in Rust, or are called from it.
pub(crate) const PEERS: &str = "host-tests/bench/peers/Cargo.toml";

/// Where franz-go's client is.
const FRANZ_GO: &str = "host-tests/bench/peers/franz-go";

/// What building librdkafka takes.
const C: &[Tool] = &[
    Tool { program: "cc", package: "gcc" },
    Tool { program: "c++", package: "g++" },
    Tool { program: "make", package: "make" },
];

/// Builds what is compared, and compares it; the arguments are those of `compare`, and `--stages`
/// begins those of `stages`.
pub(crate) fn run(context: &Context, arguments: &[String]) -> Result<()> {
    install::require(install::JAVA)?;
    let target = target(context);
    build(context, MANIFEST, &target)?;
    let programs = target.join("release");
    if let [first, rest @ ..] = arguments
        && first == "--stages"
    {
        install::require(install::PERF)?;
        return run_command(Command::new(programs.join("stages")).args(rest));
    }
    let mut compare = Command::new(programs.join("compare"));
    compare.args(arguments).args(["--commit", &commit(context)]);
    if arguments.iter().any(|argument| argument == "--peers") {
        // None of them is left out: without one of these the comparison does not begin.
        install::require(C)?;
        install::require(install::GO)?;
        build(context, PEERS, &target)?;
        let mut go = Command::new("go");
        go.current_dir(context.root.join(FRANZ_GO)).args(["build", "-trimpath", "-o"]);
        run_command(go.arg(programs.join("franz-go")).arg("."))?;
        compare.arg("--peer-programs").arg(&programs);
    }
    run_command(&mut compare)
}

/// Cargo in the package, without its peers.
pub(crate) fn cargo(context: &Context, command: &str) -> Command {
    let mut cargo = context.cargo([command, "--manifest-path", MANIFEST, "--target-dir"]);
    cargo.arg(target(context));
    cargo
}

fn target(context: &Context) -> PathBuf {
    context.root.join(context.target_directory()).join("bench")
}

fn build(context: &Context, manifest: &str, target: &Path) -> Result<()> {
    let mut build = context.cargo(["build", "--locked", "--release", "--bins"]);
    run_command(build.args(["--manifest-path", manifest, "--target-dir"]).arg(target))
}
