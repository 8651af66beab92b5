//! Some seeds, as many as a build without optimisation can run beside all other tests. Many more
//! are the affair of `cargo xtask simulate`.

use ottla_simulator::operation::{read_script, script};
use ottla_simulator::report::Report;
use ottla_simulator::{Fault, run};

const SEEDS: u64 = 150;

#[test]
fn seeds_keep_all_promises() {
    let mut report = Report::default();
    for seed in 0..SEEDS {
        let compared = seed.is_multiple_of(16);
        let outcome = if compared { run::twice(seed) } else { run::seed(seed) };
        let violation = outcome.violation.as_ref().map(ToString::to_string);
        assert_eq!(violation, None, "seed {seed}");
        report.take(&outcome, compared);
    }
    println!("{report}");
    // A run says nothing if nothing arrives, or nothing goes wrong.
    assert!(report.delivered >= 200 * SEEDS, "{} records", report.delivered);
    assert!(report.fired.total() >= 5 * SEEDS, "{} faults", report.fired.total());
    let silent: Vec<_> = Fault::ALL.iter().filter(|fault| report.fired.of(**fault) == 0).collect();
    assert!(silent.len() <= 3, "never hit: {silent:?}");
}

#[test]
fn a_script_runs_as_its_seed_does() {
    let outcome = run::seed(7);
    let (seed, operations) = read_script(&script(7, &outcome.operations)).expect("a script");
    assert_eq!(run::operations(seed, &operations, false).hash, outcome.hash);
}
