//! Small worlds keep what is promised in every state. The larger ones are `cargo xtask search`.

use ottla_search::fault::Fault;
use ottla_search::search::search;
use ottla_search::setup::Setup;

fn keeps(setup: &Setup) -> usize {
    let report = search(setup, 1_000_000);
    if let Some(found) = &report.found {
        panic!("{}", ottla_search::trace::tell(setup, found));
    }
    assert!(report.complete, "{}", setup.describe());
    assert!(report.ends > 0, "it comes to an end");
    report.states
}

#[test]
fn one_batch_and_any_two_faults() {
    for first in Fault::ALL {
        for second in Fault::ALL {
            keeps(&Setup::new(1, 1).with(&[first, second]));
        }
    }
}

#[test]
fn two_batches_two_partitions_and_batches_in_parts() {
    for fault in Fault::ALL {
        assert!(keeps(&Setup::new(1, 2).with(&[fault])) > 100);
        assert!(keeps(&Setup::new(2, 1).with(&[fault])) > 100);
        keeps(&Setup { records: 2, ..Setup::new(1, 1) }.with(&[fault, Fault::ErrorBefore]));
    }
}

#[test]
fn the_same_world_has_the_same_states() {
    let setup = Setup { early: 1, ..Setup::new(1, 1) }.with(&[Fault::LateRequest]);
    let (one, two) = (search(&setup, 1_000_000), search(&setup, 1_000_000));
    assert_eq!((one.states, one.steps, one.depth), (two.states, two.steps, two.depth));
    assert_eq!((one.clients, one.brokers, one.ends), (two.clients, two.brokers, two.ends));
}
