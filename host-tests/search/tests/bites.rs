//! What is wrong is found, and a shortest way to it told.

use ottla_search::action::Action;
use ottla_search::check::Checker;
use ottla_search::fault::Fault;
use ottla_search::search::search;
use ottla_search::setup::{Lie, Setup};
use ottla_search::trace;

const LIMIT: usize = 100_000;

#[test]
fn a_broker_that_loses_what_it_says_is_written_is_found() {
    let setup = Setup { lie: Some(Lie::LoseAppends), ..Setup::new(1, 1) };
    let report = search(&setup, LIMIT);
    let found = report.found.unwrap();
    assert_eq!(found.violation.checker, Checker::I1);
    // The way ends as it must, and has no step too many: two links are made, five requests
    // answered, a batch produced, an event taken.
    assert_eq!(found.path.last(), Some(&Action::TakeEvents));
    assert_eq!(found.path.len(), 14, "{:?}", found.path);
    let text = trace::tell(&setup, &found);
    assert!(text.contains("record 0: written at 0") || text.contains("takes its events"), "{text}");
    assert_eq!(text.lines().count(), 16, "{text}");
}

#[test]
fn a_broker_that_cannot_tell_repeats_is_found_if_an_answer_is_lost() {
    let setup = Setup { lie: Some(Lie::ForgetProducers), ..Setup::new(1, 1) };
    assert!(search(&setup, LIMIT).found.is_none(), "without a fault nothing comes of it");
    for fault in [Fault::LostReply, Fault::LateRequest, Fault::ErrorAfter] {
        let report = search(&setup.clone().with(&[fault]), LIMIT);
        assert_eq!(report.found.unwrap().violation.checker, Checker::I2, "{fault}");
    }
    let report = search(&setup.with(&[Fault::Expiry, Fault::LostReply]), LIMIT);
    assert!(report.found.is_some(), "it is no excuse that it could have expired");
}

#[test]
fn a_producer_that_goes_on_after_a_fatal_answer_is_found() {
    let setup = Setup { lie: Some(Lie::HideFatal), ..Setup::new(1, 2) };
    assert!(search(&setup, LIMIT).found.is_none(), "nothing fatal is answered");
    let report = search(&setup.with(&[Fault::ErrorBefore]), LIMIT);
    let found = report.found.unwrap();
    assert_eq!(found.violation.checker, Checker::I17);
    assert!(found.path.iter().any(|action| matches!(action, Action::ErrorBefore(_, 90))));
}

#[test]
fn a_producer_that_does_not_come_to_rest_does_not_wait_or_keeps_memory_is_found() {
    let checkers = [
        (Lie::Timer, Checker::I20),
        (Lie::Slip, Checker::I18),
        (Lie::NoPauses, Checker::I8),
        (Lie::EatsBytes, Checker::I19),
        (Lie::KeepsBlock, Checker::I9),
    ];
    let setup = Setup::new(1, 2).with(&[Fault::LostRequest]);
    let report = search(&setup, LIMIT);
    assert!(report.found.is_none() && report.again > 2);
    for (lie, checker) in checkers {
        let report = search(&Setup { lie: Some(lie), ..setup.clone() }, LIMIT);
        assert_eq!(report.found.unwrap().violation.checker, checker, "{lie:?}");
    }
}

#[test]
fn an_expiry_excuses_what_it_causes() {
    let report = search(&Setup::new(1, 2).with(&[Fault::Expiry, Fault::LostReply]), LIMIT);
    assert!(report.found.is_none() && report.complete);
}

#[test]
fn a_limit_is_told() {
    let report = search(&Setup::new(1, 2), 20);
    assert!(!report.complete && report.found.is_none());
}
