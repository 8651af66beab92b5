//! Tests against a real Apache Kafka, another implementation of its protocol, and other clients.

use anyhow::Result;

use crate::command::run;
use crate::context::Context;
use crate::install;

pub(super) fn check(context: &Context) -> Result<()> {
    install::require(install::JAVA)?;
    install::require(install::GO)?;
    install::require(install::KCAT)?;
    // One test at a time: each has brokers of its own, and they would wait for each other. What
    // they print are seeds, and figures of what the faults hit.
    let arguments = ["--", "--test-threads=1", "--nocapture"];
    run(context.cargo_test().args(["--release", "--package", "kafka-tests"]).args(arguments))
}
