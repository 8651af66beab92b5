//! Runs many traces: `seeds FROM COUNT STEPS`. Says which seeds break a rule and how, and what
//! happened in all of them, since a trace in which nothing happens proves nothing.

use std::collections::BTreeMap;
use std::env;

use ottla_answers::trace::{Shape, Small, Violation, Wide, World};

type Tally = BTreeMap<&'static str, u64>;

fn run<O: Shape>(seed: u64, steps: u32, tally: &mut Tally) -> Result<(), Violation> {
    let mut world = World::<O>::new();
    world.start(seed, steps);
    let result = loop {
        match world.step() {
            Ok(true) => {}
            Ok(false) => break Ok(()),
            Err(violation) => break Err(violation),
        }
    };
    let counters = world.counters();
    let mut add = |name, count| *tally.entry(name).or_default() += count;
    add("records written", counters.written);
    add("records not written", counters.not_written);
    add("records unknown", counters.unknown);
    add("requests", counters.requests);
    add("batches sent", counters.batches);
    add("retries", counters.retries);
    add("bumps", counters.bumps);
    for partition in world.broker().partitions() {
        add("records in logs", partition.records());
        add("batches that came again", partition.duplicates().into());
        add("batches out of order", partition.out_of_order().into());
    }
    result
}

fn main() {
    let number = |place, default| {
        env::args().nth(place).map_or(default, |text| text.parse().expect("a number"))
    };
    let (from, count, steps): (u64, u64, u64) = (number(1, 0), number(2, 100), number(3, 1_000));
    let steps = u32::try_from(steps).expect("not so many steps");
    let mut broken = BTreeMap::<String, Vec<u64>>::new();
    let mut tally = Tally::new();
    for seed in from..from + count {
        let result = if seed.is_multiple_of(2) {
            run::<Small>(seed, steps, &mut tally)
        } else {
            run::<Wide>(seed, steps, &mut tally)
        };
        if let Err(violation) = result {
            println!("seed {seed}: {violation:?}");
            broken.entry(format!("{:?}", violation.rule)).or_default().push(seed);
        }
    }
    for (what, count) in &tally {
        println!("{count:12} {what}");
    }
    for (rule, seeds) in &broken {
        println!("{rule}: {} seeds, the first {}", seeds.len(), seeds[0]);
    }
    println!(
        "{count} seeds from {from}, {steps} steps, {} broken",
        broken.values().flatten().count()
    );
}
