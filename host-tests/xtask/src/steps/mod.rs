//! The checks, as a list of named steps. Of a whole run those that keep processors busy go beside
//! those that wait for brokers and boards most of their time.

mod blame;
mod device;
pub(crate) mod instructions;
mod kafka;
mod no_panic;
mod rust;
mod targets;

use std::env;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};

use crate::build_limit;
use crate::command::catch;
use crate::context::{Context, Depth};
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
    turn: Turn,
    run: fn(&Context) -> Result<()>,
}

/// When a step runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// In the inner loop, too; one after another.
    Quick,
    /// After those, one after another.
    Next,
    /// After those, beside the ones that wait, and behind them where processors are scarce.
    Busy,
    /// After those; most of its time it waits.
    Waits,
}

/// Cheap ones first.
const STEPS: &[Step] = &[
    Step {
        name: "format",
        about: "the code is formatted as rustfmt does",
        turn: Turn::Quick,
        run: rust::format,
    },
    Step {
        name: "rows",
        about: "every scenario row has a test that is named after it, or a reason",
        turn: Turn::Quick,
        run: rows::check,
    },
    Step {
        name: "figures",
        about: "the page of the proofs has the figures of each",
        turn: Turn::Quick,
        run: figures::check,
    },
    Step {
        name: "build",
        about: "a user's build of the server side has few crates, and no C",
        turn: Turn::Quick,
        run: build_limit::check,
    },
    Step {
        name: "clippy",
        about: "no lint complains, with every set of features",
        turn: Turn::Quick,
        run: rust::clippy,
    },
    Step { name: "tests", about: "tests on this machine", turn: Turn::Quick, run: rust::tests },
    Step {
        name: "no-panic",
        about: "no call of the core can panic or allocate, by linking",
        turn: Turn::Quick,
        run: no_panic::check,
    },
    Step {
        name: "docs",
        about: "the documentation builds without a warning",
        turn: Turn::Quick,
        run: rust::docs,
    },
    Step {
        name: "targets",
        about: "the core builds for 32-bit hosts and microcontrollers",
        turn: Turn::Next,
        run: targets::check,
    },
    Step {
        name: "count",
        about: "a record takes no more instructions than it did, whatever else is idle",
        turn: Turn::Next,
        run: instructions::check,
    },
    Step {
        name: "device",
        about: "traces are the same on 32 bits and on microcontrollers, within their bounds",
        turn: Turn::Next,
        run: device::check,
    },
    Step {
        name: "simulate",
        about: "a cluster under faults: every seed keeps what is promised",
        turn: Turn::Busy,
        run: simulate::check,
    },
    Step {
        name: "search",
        about: "small worlds under faults: every state of them keeps what is promised",
        turn: Turn::Busy,
        run: search::check,
    },
    Step {
        name: "planted",
        about: "bugs that real clients had, planted in a copy of the core, are found",
        turn: Turn::Busy,
        run: planted::check,
    },
    Step {
        name: "mutants",
        about: "small changes of the core are caught by its tests or the simulator, or explained",
        turn: Turn::Busy,
        run: mutants::check,
    },
    Step {
        name: "kafka",
        about: "tests against a real Apache Kafka, one node and three, and against kfake",
        turn: Turn::Waits,
        run: kafka::check,
    },
    Step {
        name: "firmware",
        about: "images build, keep to their sizes, and deliver from QEMU's boards",
        turn: Turn::Waits,
        run: firmware::check,
    },
];

/// The names of all steps.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    STEPS.iter().map(|step| step.name)
}

/// Prints what the steps are.
pub(crate) fn list() {
    for Step { name, about, turn, .. } in STEPS {
        println!("{name:10}{about}{}", if *turn == Turn::Quick { " (quick)" } else { "" });
    }
}

/// Runs the steps of a depth, or only the named one, until one fails.
pub(crate) fn run(context: &Context, only: Option<&str>) -> Result<()> {
    let runner = Runner { context, passed: AtomicUsize::new(0), failed: AtomicBool::new(false) };
    let result = match only {
        Some(name) => runner.turn(STEPS.iter().filter(|step| step.name == name), Runner::here),
        None => runner.all(),
    };
    let failed = usize::from(result.is_err());
    println!("{} passed, {failed} failed", runner.passed.load(Ordering::Relaxed));
    result
}

struct Runner<'a> {
    context: &'a Context,
    passed: AtomicUsize,
    failed: AtomicBool,
}

impl Runner<'_> {
    fn all(&self) -> Result<()> {
        let of = |turn: Turn| STEPS.iter().filter(move |step| step.turn == turn);
        self.turn(of(Turn::Quick), Self::here)?;
        if self.context.is_quick() {
            return Ok(());
        }
        self.turn(of(Turn::Next), Self::here)?;
        thread::scope(|scope| {
            let busy = scope.spawn(|| self.turn(of(Turn::Busy), Self::aside));
            let waits = self.turn(of(Turn::Waits), Self::here);
            let busy = busy.join().map_err(|_| anyhow!("the steps that go beside panicked"));
            waits.and(busy.and_then(|result| result))
        })
    }

    /// Runs some steps, until one fails here or beside.
    fn turn<'s>(
        &self,
        steps: impl Iterator<Item = &'s Step>,
        run: fn(&Self, &Step) -> Result<()>,
    ) -> Result<()> {
        for step in steps {
            if self.failed.load(Ordering::Relaxed) {
                break;
            }
            let name = step.name;
            let started = Instant::now();
            let result = run(self, step);
            let took = seconds(started.elapsed());
            if result.is_err() {
                self.failed.store(true, Ordering::Relaxed);
                println!("== {name}: failed after {took}");
            }
            result.with_context(|| {
                format!("step {name} failed; run it alone with `cargo xtask test --only {name}`")
            })?;
            println!("== {name}: ok, {took}");
            self.passed.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn here(&self, step: &Step) -> Result<()> {
        println!("== {}: {}", step.name, step.about);
        (step.run)(self.context)
    }

    /// Runs a step in a process of its own, which gives way to others, and prints at its end all that
    /// it said.
    fn aside(&self, step: &Step) -> Result<()> {
        println!("== {}: begins beside the others", step.name);
        let mut command = Command::new("nice");
        command.args(["-n", "5"]).arg(env::current_exe()?).args(["test", "--only", step.name]);
        if self.context.depth == Depth::Full {
            command.arg("--full");
        }
        let output = catch(&mut command)?;
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_string();
        println!("{}\n{}", said(&output.stderr), said(&output.stdout));
        ensure!(output.status.success(), "it ended with {}", output.status);
        Ok(())
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_failure_no_other_step_begins_here_or_beside() {
        let context = Context::new(Depth::Normal).unwrap();
        let runner = Runner {
            context: &context,
            passed: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
        };
        let step = |name, run| Step { name, about: "", turn: Turn::Next, run };
        let good = step("good", |_| Ok(()));
        let bad = step("bad", |_| Err(anyhow!("no")));
        let passed = || runner.passed.load(Ordering::Relaxed);

        runner.turn([&good, &good].into_iter(), Runner::here).unwrap();
        assert_eq!(passed(), 2);
        let error = runner.turn([&good, &bad, &good].into_iter(), Runner::here).unwrap_err();
        assert!(error.to_string().contains("--only bad"), "{error}");
        assert_eq!(passed(), 3);
        runner.turn([&good].into_iter(), Runner::here).unwrap();
        assert_eq!(passed(), 3);
    }
}
