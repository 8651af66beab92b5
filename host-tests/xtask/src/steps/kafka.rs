//! Tests against a real Apache Kafka.

use anyhow::Result;

use crate::command::run;
use crate::context::Context;
use crate::install;

pub(super) fn check(context: &Context) -> Result<()> {
    install::require(install::CLIENTS)?;
    install::require(install::JAVA)?;
    // One test at a time: each has a broker of its own, and they would wait for each other.
    let one_at_a_time = ["--", "--test-threads=1"];
    run(context.cargo_test().args(["--release", "--package", "kafka-tests"]).args(one_at_a_time))
}
