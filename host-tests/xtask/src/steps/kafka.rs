//! Tests against a real Apache Kafka, and another implementation of its protocol.

use anyhow::Result;

use crate::command::run;
use crate::context::Context;
use crate::install;

pub(super) fn check(context: &Context) -> Result<()> {
    install::require(install::CLIENTS)?;
    install::require(install::JAVA)?;
    install::require(install::GO)?;
    // One test at a time: each has brokers of its own, and they would wait for each other. What
    // they print are seeds, and figures of what the faults hit.
    let arguments = ["--", "--test-threads=1", "--nocapture"];
    run(context.cargo_test().args(["--release", "--package", "kafka-tests"]).args(arguments))
}
