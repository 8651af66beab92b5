//! Rules R7 to R9: what batches that were given up, or that brokers denied, mean for the next ones.

use std::vec::Vec;

use super::sequences::in_flight;
use super::world::{World, config};
use crate::config::Config;
use crate::identity::Sequences;
use crate::producer::{Cause, Doubt, Outcome};
use crate::time::Duration;

fn impatient() -> Config {
    Config { delivery_timeout: Duration::from_secs(5), ..config() }
}

const TIMED_OUT: Outcome = Outcome::Unknown(Cause::Timeout, Doubt::Unanswered);

#[test]
fn r09_no_new_epoch_while_a_batch_that_was_given_up_is_unanswered() {
    let (mut world, topic, sent) = in_flight(1, impatient());
    world.pass(5_000);
    assert_eq!(world.outcomes(), [(0, 1, 1, TIMED_OUT)]);
    world.send(topic, 0, "next");
    assert!(world.take_all().is_empty(), "its request is on its way");
    world.acknowledge(&sent[0], 1);
    let next = world.take();
    assert_eq!((next.only().epoch, next.only().sequence), (0, 2));
}

#[test]
fn r07_a_batch_that_was_given_up_takes_its_place_in_the_window_until_it_is_answered() {
    let (mut world, topic, sent) = in_flight(3, impatient());
    world.pass(5_000);
    assert_eq!(world.outcomes(), [1, 2, 3].map(|number| (0, number, 1, TIMED_OUT)));
    // The first answer shows that sequences match, the second one makes the window one again.
    world.acknowledge(&sent[0], 1);
    world.answer(&sent[1], &[(7, -1)]);
    world.send(topic, 0, "next");
    assert!(world.take_all().is_empty(), "the third one is unanswered");
    world.acknowledge(&sent[2], 3);
    assert_eq!(world.take().only().values, ["next"]);
}

#[test]
fn without_idempotence_a_late_answer_says_nothing_of_sequences() {
    let settings = Config { idempotence: false, ..impatient() };
    let (mut world, _, sent) = in_flight(1, settings);
    world.pass(5_000);
    assert_eq!(world.outcomes(), [(0, 1, 1, TIMED_OUT)]);
    world.acknowledge(&sent[0], 1);
    assert_eq!(world.sequences(0), Sequences::default());
}

#[test]
fn r08_the_epoch_is_raised_once_for_all_partitions_that_lost_their_place() {
    let mut world = World::new(config(), 3);
    let topic = world.ready();
    for (round, value) in [(0, "first"), (1, "denied")] {
        for partition in 0..3 {
            world.send(topic, partition, value);
        }
        let sent = world.take();
        assert_eq!(sent.batches.len(), 3);
        let code = if round == 0 { 0 } else { 45 };
        world.answer(&sent, &[(code, -1); 3]);
    }
    let again = world.take_all();
    let again: Vec<_> = again.iter().flat_map(|sent| &sent.batches).collect();
    assert_eq!(again.len(), 3);
    assert!(again.iter().all(|batch| (batch.epoch, batch.sequence) == (1, 0)), "{again:?}");
    assert_eq!(world.producer.counters().bumps, 1);
}
