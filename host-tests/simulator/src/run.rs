//! A seed is run.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::coverage::Coverage;
use crate::draw::{self, Plan};
use crate::fault::{Fault, Fired};
use crate::look::{Look, Looks};
use crate::operation::{Kind, Operation};
use crate::promise::{Promise, Violation, is_judged};
use crate::world::World;

/// What a run was like.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// The faults that it has.
    pub faults: Vec<Fault>,
    /// What was done.
    pub operations: Vec<Operation>,
    /// The promise that was broken first.
    pub violation: Option<Violation>,
    /// How often each fault hit.
    pub fired: Fired,
    /// What was met.
    pub coverage: Coverage,
    /// How often checkers looked at something.
    pub looks: Looks,
    /// Promises that its faults suspend.
    pub suspended: Vec<Promise>,
    /// Calls of the machine that change it.
    pub steps: u64,
    /// Records that were accepted.
    pub accepted: u64,
    /// Records that were reported written, or unacknowledged.
    pub delivered: u64,
    /// Partitions of producers that were excused: see [`Report::excused`](crate::report::Report).
    pub excused: u64,
    /// Hash of the trace.
    pub hash: u64,
    /// How long it took in the world, in microseconds.
    pub span: u64,
}

/// Runs what is drawn from a seed.
#[must_use]
pub fn seed(seed: u64) -> Outcome {
    run(seed, &draw::plan(seed), false, &[])
}

/// As [`seed`], but only some promises are judged, or all if none is named: the run goes on when others
/// are broken.
#[must_use]
pub fn judging(seed: u64, promises: &[Promise]) -> Outcome {
    run(seed, &draw::plan(seed), false, promises)
}

/// As [`seed`], and tells on standard error what happens.
#[must_use]
pub fn told(seed: u64) -> Outcome {
    run(seed, &draw::plan(seed), true, &[])
}

/// Runs the world of a seed with other operations. `told`: tells on standard error what happens.
#[must_use]
pub fn operations(seed: u64, operations: &[Operation], told: bool) -> Outcome {
    let mut plan = draw::plan(seed);
    plan.operations = operations.to_vec();
    run(seed, &plan, told, &[])
}

/// The promises that operations suspend.
fn suspended(operations: &[Operation]) -> Vec<Promise> {
    let faults = operations.iter().filter_map(|operation| match operation.kind {
        Kind::Fault(fault) => Some(fault),
        Kind::Send | Kind::Flush => None,
    });
    let mut promises: Vec<Promise> = faults.flat_map(|f| f.suspends()).copied().collect();
    promises.sort_unstable();
    promises.dedup();
    promises
}

fn run(seed: u64, plan: &Plan, told: bool, judged: &[Promise]) -> Outcome {
    let suspended = suspended(&plan.operations);
    let mut world = None;
    let panicked = caught(|| {
        let world = world.insert(World::new(seed, plan));
        world.told = told;
        world.judged = judged.to_vec();
        if told {
            eprintln!("{:#?}", plan.setup);
        }
        world.until(plan.setup.heal);
        let phases = [World::heal, World::recover, World::rest, World::close];
        for phase in phases {
            if world.broken.is_none() {
                phase(world);
            }
        }
        if world.broken.is_none() {
            world.judge(&suspended);
        }
    });
    let mut outcome = Outcome {
        seed,
        faults: plan.faults.clone(),
        operations: plan.operations.clone(),
        violation: None,
        fired: Fired::default(),
        coverage: Coverage::default(),
        looks: Looks::default(),
        suspended,
        steps: 0,
        accepted: 0,
        delivered: 0,
        excused: 0,
        hash: 0,
        span: 0,
    };
    if let Some(mut world) = world {
        (0..world.clients.len()).for_each(|c| world.count_full(c));
        outcome.fired = world.fired.clone();
        outcome.fired.add(&world.traps.fired());
        world.coverage.followed(world.book.followed);
        outcome.coverage = std::mem::take(&mut world.coverage);
        outcome.looks = world.looks.clone();
        outcome.looks.add(&world.ledger.looks);
        outcome.looks.add(&world.book.looks);
        outcome.excused = world.excused.len() as u64;
        outcome.steps = world.steps;
        outcome.accepted = world.ledger.entries.len() as u64;
        outcome.delivered = world.ledger.written();
        outcome.hash = world.hash;
        outcome.span = world.now;
        outcome.violation = world.broken;
    }
    if let Some(what) = panicked.filter(|_| is_judged(Promise::I10, judged)) {
        let violation = Violation { promise: Promise::I10, at: outcome.span, what };
        outcome.violation = Some(violation);
    }
    outcome
}

/// I10: what a panic said, if there was one. It has to be told with its seed, as any broken promise.
fn caught(f: impl FnOnce()) -> Option<String> {
    let cause = catch_unwind(AssertUnwindSafe(f)).err()?;
    let text = cause.downcast_ref::<String>().cloned();
    let text = text.or_else(|| cause.downcast_ref::<&str>().map(ToString::to_string));
    Some(text.unwrap_or_default())
}

/// Runs a seed twice: I18.
#[must_use]
pub fn twice(number: u64) -> Outcome {
    let (mut first, again) = (seed(number), seed(number));
    first.looks.count(Look::Twice, 1);
    if first.violation.is_none()
        && let Err(what) = same(first.hash, again.hash)
    {
        first.violation = Some(Violation { promise: Promise::I18, at: first.span, what });
    }
    first
}

fn same(first: u64, again: u64) -> Result<(), String> {
    if first == again { Ok(()) } else { Err(format!("{first:016x}, and then {again:016x}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_that_differ_are_found() {
        assert!(same(1, 1).is_ok() && same(1, 2).is_err());
    }

    #[test]
    fn panics_are_found() {
        assert_eq!(caught(|| {}), None);
        let none: Option<u8> = std::hint::black_box(None);
        assert!(caught(|| _ = none.expect("something")).is_some_and(|text| text == "something"));
    }

    #[test]
    fn half_of_the_seeds_suspend_nothing() {
        let plans = (0..1_000).map(|seed| draw::plan(seed).operations);
        let sound = plans.filter(|operations| suspended(operations).is_empty()).count();
        assert!(sound >= 500, "{sound} of 1000");
    }
}
