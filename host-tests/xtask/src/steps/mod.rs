//! The checks, as a list of named steps.

mod blame;
mod device;
pub(crate) mod instructions;
mod kafka;
mod no_panic;
mod rust;
mod targets;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::context::Context;
use crate::figures;
use crate::firmware;
use crate::mutants;
use crate::planted;
use crate::rows;
use crate::search;
use crate::simulate;

struct Step {
    name: &'static str,
    about: &'static str,
    /// Whether it is part of the inner loop.
    quick: bool,
    run: fn(&Context) -> Result<()>,
}

/// Cheap ones first.
const STEPS: &[Step] = &[
    Step {
        name: "format",
        about: "the code is formatted as rustfmt does",
        quick: true,
        run: rust::format,
    },
    Step {
        name: "rows",
        about: "every scenario row has a test that is named after it, or a reason",
        quick: true,
        run: rows::check,
    },
    Step {
        name: "figures",
        about: "the page of the proofs has the figures of each",
        quick: true,
        run: figures::check,
    },
    Step {
        name: "clippy",
        about: "no lint complains, with every set of features",
        quick: true,
        run: rust::clippy,
    },
    Step { name: "tests", about: "tests on this machine", quick: true, run: rust::tests },
    Step {
        name: "no-panic",
        about: "no call of the core can panic or allocate, by linking",
        quick: true,
        run: no_panic::check,
    },
    Step {
        name: "docs",
        about: "the documentation builds without a warning",
        quick: true,
        run: rust::docs,
    },
    Step {
        name: "targets",
        about: "the core builds for 32-bit hosts and microcontrollers",
        quick: false,
        run: targets::check,
    },
    Step {
        name: "count",
        about: "a record takes no more instructions than it did, whatever else is idle",
        quick: false,
        run: instructions::check,
    },
    Step {
        name: "device",
        about: "traces are the same on 32 bits and on microcontrollers, within their bounds",
        quick: false,
        run: device::check,
    },
    Step {
        name: "simulate",
        about: "a cluster under faults: every seed keeps what is promised",
        quick: false,
        run: simulate::check,
    },
    Step {
        name: "search",
        about: "small worlds under faults: every state of them keeps what is promised",
        quick: false,
        run: search::check,
    },
    Step {
        name: "planted",
        about: "bugs that real clients had, planted in a copy of the core, are found",
        quick: false,
        run: planted::check,
    },
    Step {
        name: "mutants",
        about: "small changes of the core are caught by its tests or the simulator, or explained",
        quick: false,
        run: mutants::check,
    },
    Step {
        name: "kafka",
        about: "tests against a real Apache Kafka, one node and three, and against kfake",
        quick: false,
        run: kafka::check,
    },
    Step {
        name: "firmware",
        about: "images build, keep to their sizes, and deliver from QEMU's boards",
        quick: false,
        run: firmware::check,
    },
];

/// The names of all steps.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    STEPS.iter().map(|step| step.name)
}

/// Prints what the steps are.
pub(crate) fn list() {
    for Step { name, about, quick, .. } in STEPS {
        println!("{name:10}{about}{}", if *quick { " (quick)" } else { "" });
    }
}

/// Runs the steps of a depth, or only the named one, until one fails.
pub(crate) fn run(context: &Context, only: Option<&str>) -> Result<()> {
    let is_wanted = |step: &&Step| match only {
        Some(name) => step.name == name,
        None => step.quick || !context.is_quick(),
    };
    let mut passed = 0;
    for Step { name, about, run, .. } in STEPS.iter().filter(is_wanted) {
        println!("== {name}: {about}");
        let started = Instant::now();
        let result = run(context);
        let took = seconds(started.elapsed());
        if result.is_err() {
            println!("== {name}: failed after {took}\n{passed} passed, 1 failed");
        }
        result.with_context(|| {
            format!("step {name} failed; run it alone with `cargo xtask test --only {name}`")
        })?;
        println!("== {name}: ok, {took}");
        passed += 1;
    }
    println!("{passed} passed, 0 failed");
    Ok(())
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
