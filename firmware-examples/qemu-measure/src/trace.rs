//! The trace, on the device: the same lines as in `host-tests/answers/tests/hashes.txt`.

use embassy_futures::yield_now;
use ottla_answers::trace::{Shape, Small, Violation, Wide, World};

use crate::report::Line;

/// Steps between two looks at the watchdog.
const BREATH: u32 = 50;

/// Runs the traces of the first `seeds` seeds.
///
/// # Errors
/// The first of them that breaks a rule.
pub(crate) async fn run(from: u64, seeds: u64, steps: u32, every: u32) -> Result<(), &'static str> {
    for seed in from..from + seeds {
        let hash = if seed.is_multiple_of(2) {
            one::<Small>(seed, steps, every).await
        } else {
            one::<Wide>(seed, steps, every).await
        };
        match hash {
            Ok(hash) => Line::new("trace").number(seed).hex(hash).print(),
            Err(Violation { rule, step, number, .. }) => {
                Line::new("broken").number(seed).number(rule as u64).text(" step").print();
                Line::new("at").number(step.into()).number(number.into()).print();
                return Err("a rule was broken");
            }
        }
    }
    Ok(())
}

/// One trace; its hash is also printed after `every` steps, to find where two machines part.
async fn one<O: Shape>(seed: u64, steps: u32, every: u32) -> Result<u64, Violation> {
    let mut world = World::<O>::new();
    world.start(seed, steps);
    let mut step = 0;
    while world.step()? {
        step += 1;
        if step % BREATH == 0 {
            yield_now().await;
        }
        if every > 0 && step % every == 0 {
            Line::new("step").number(seed).number(step.into()).hex(world.hash()).print();
        }
    }
    Ok(world.hash())
}
