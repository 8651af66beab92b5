//! What cargo itself checks.

use anyhow::Result;

use super::no_panic;
use crate::bench;
use crate::command::run;
use crate::context::Context;
use crate::firmware;
use crate::fuzz;

/// The core's features as users combine them; the workspace has the default ones.
const CORE_FEATURES: [&[&str]; 3] =
    [&["--no-default-features"], &["--features", "alloc"], &["--all-features"]];

/// Further features that change what the core's tests run through.
const TESTED_FEATURES: [&str; 3] =
    ["alloc,crc-table", "alloc,crc-table-large", "broker,crc-hardware"];

pub(super) fn format(context: &Context) -> Result<()> {
    run(&mut context.cargo(["fmt", "--all", "--check"]))?;
    for package in
        [no_panic::MANIFEST, bench::MANIFEST, bench::CLIENT, bench::PEERS, fuzz::MANIFEST]
    {
        run(&mut context.cargo(["fmt", "--manifest-path", package, "--check"]))?;
    }
    for package in firmware::packages(context)? {
        run(context.cargo(["fmt", "--check"]).current_dir(package))?;
    }
    Ok(())
}

// Without the peers of the package `bench`: to look at those, cargo has to build librdkafka first,
// which takes minutes. `cargo xtask bench --peers` builds them.
pub(super) fn clippy(context: &Context) -> Result<()> {
    const DENY: [&str; 3] = ["--", "-D", "warnings"];
    run(context.cargo(["clippy", "--workspace", "--all-targets"]).args(DENY))?;
    if context.is_quick() {
        return Ok(());
    }
    for features in CORE_FEATURES {
        run(context.cargo(["clippy", "--package", "ottla"]).args(features).args(DENY))?;
    }
    run(no_panic::cargo(context, "clippy", no_panic::LEVELS[0]).args(DENY))?;
    run(fuzz::cargo(context, "clippy")?.args(DENY))?;
    run(bench::cargo(context, "clippy").args(["--workspace", "--all-targets"]).args(DENY))?;
    firmware::clippy(context, &DENY)
}

pub(super) fn tests(context: &Context) -> Result<()> {
    // What needs a broker, or an image, has a step of its own.
    const HERE: [&str; 5] =
        ["--workspace", "--exclude", "kafka-tests", "--exclude", "firmware-tests"];
    run(context.cargo_test().args(HERE))?;
    if context.is_quick() {
        return Ok(());
    }
    for features in TESTED_FEATURES {
        let core = ["--package", "ottla", "--no-default-features", "--features", features];
        run(context.cargo_test().args(core))?;
    }
    Ok(())
}

pub(super) fn docs(context: &Context) -> Result<()> {
    for of in [&["--workspace"][..], &["--package", "ottla", "--all-features"]] {
        run(context.cargo(["doc", "--no-deps"]).args(of).env("RUSTDOCFLAGS", "-D warnings"))?;
    }
    Ok(())
}
