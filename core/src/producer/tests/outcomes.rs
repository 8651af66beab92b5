//! Rules R1 to R6: what is said of a record's fate is true.

use std::vec::Vec;

use super::world::{World, config, written};
use crate::config::{Acks, Config};
use crate::message::ErrorCode;
use crate::producer::{Cause, Doubt, Event, Outcome};
use crate::time::{Duration, Instant};

fn without_retries(acks: Acks) -> Config {
    Config { idempotence: false, retries: 0, acks, ..config() }
}

/// The outcome of a record whose only attempt is answered with `code`.
fn outcome_of(acks: Acks, code: i16) -> Outcome {
    let mut world = World::new(without_retries(acks), 1);
    let topic = world.ready();
    world.send(topic, 0, "a");
    let sent = world.take();
    world.answer(&sent, &[(code, 5)]);
    let outcomes = world.outcomes();
    assert_eq!(outcomes.len(), 1, "one outcome for code {code}");
    outcomes[0].3
}

#[test]
fn r01_only_codes_from_before_the_append_prove_a_refusal() {
    let codes = (-1..=136).chain([4_711, i16::MAX, i16::MIN]);
    for acks in [Acks::All, Acks::Leader] {
        for code in codes.clone() {
            let expected = match code {
                0 => written(5),
                46 => written(-1),
                _ if ErrorCode(code).proves_refusal(acks == Acks::Leader) => {
                    Outcome::NotWritten(Cause::Code(ErrorCode(code)))
                }
                _ => Outcome::Unknown(Cause::Code(ErrorCode(code)), Doubt::Code(ErrorCode(code))),
            };
            assert_eq!(outcome_of(acks, code), expected, "{acks:?} {code}");
        }
    }
}

#[test]
fn r01_an_attempt_whose_last_byte_was_never_lent_is_refused() {
    let mut world = World::new(config(), 1);
    let topic = world.warm();
    world.hold_output = true;
    world.send(topic, 0, "a");
    let link = world.first_link();
    // Head and envelope, but not the batch.
    for _ in 0..2 {
        let length = world.producer.output(link).unwrap().bytes.len();
        world.producer.consume_output(world.now, link, length);
    }
    world.down.push(1);
    world.disconnect(link);
    world.pass(120_000);
    assert_eq!(world.outcomes(), [(0, 1, 1, Outcome::NotWritten(Cause::Timeout))]);
}

#[test]
fn r01_an_attempt_that_was_lent_to_its_last_byte_is_unknown() {
    let mut world = World::new(config(), 1);
    let topic = world.warm();
    world.hold_output = true;
    world.send(topic, 0, "a");
    let link = world.first_link();
    // Lent, and nothing of it reported as written.
    while world.producer.output(link).is_some() {}
    world.down.push(1);
    world.disconnect(link);
    world.pass(120_000);
    let expected = Outcome::Unknown(Cause::Timeout, Doubt::Disconnected);
    assert_eq!(world.outcomes(), [(0, 1, 1, expected)]);
}

#[test]
fn r01_a_partition_that_the_answer_leaves_out_is_unknown() {
    let mut world = World::new(without_retries(Acks::All), 1);
    let topic = world.ready();
    world.send(topic, 0, "a");
    let sent = world.take();
    world.answer_with(&sent, &[(0, 5)], |reply, _| reply.topics.clear());
    let expected = Outcome::Unknown(Cause::Disconnected, Doubt::Missing);
    assert_eq!(world.outcomes(), [(0, 0, 1, expected)]);
}

#[test]
fn r02_a_doubt_stays_until_the_batch_itself_succeeds() {
    for (last, expected) in
        [(19, Outcome::Unknown(Cause::Timeout, Doubt::Code(ErrorCode(7)))), (0, written(3))]
    {
        let mut world = World::new(config(), 1);
        let topic = world.ready();
        world.send(topic, 0, "a");
        let first = world.take();
        world.answer(&first, &[(7, -1)]);
        world.back_off();
        let second = world.take();
        // Borders and bytes never change after an attempt of unknown fate.
        assert_eq!(second.only().bytes, first.only().bytes);
        world.answer(&second, &[(last, 3)]);
        world.down.push(1);
        let link = world.first_link();
        world.disconnect(link);
        world.pass(120_000);
        assert_eq!(world.outcomes(), [(0, 0, 1, expected)]);
    }
}

#[test]
fn r02_a_final_answer_after_a_doubt_is_unknown_for_both_reasons() {
    let mut world = World::new(config(), 1);
    let topic = world.ready();
    world.send(topic, 0, "a");
    let sent = world.take();
    world.disconnect(sent.link);
    world.back_off();
    let again = world.take();
    world.answer(&again, &[(87, -1)]);
    let expected = Outcome::Unknown(Cause::Code(ErrorCode::INVALID_RECORD), Doubt::Disconnected);
    assert_eq!(world.outcomes(), [(0, 0, 1, expected)]);
}

#[test]
pub(super) fn r03_without_an_attempt_or_after_refusals_expiry_is_not_written() {
    let mut world = World::new(config(), 1);
    let topic = world.ready();
    world.send(topic, 0, "refused");
    let sent = world.take();
    world.answer(&sent, &[(19, -1)]);
    world.down.push(1);
    world.disconnect(sent.link);
    world.send(topic, 0, "never sent");
    world.pass(120_000);
    let expected = Outcome::NotWritten(Cause::Timeout);
    assert_eq!(world.outcomes(), [(0, 0, 1, expected), (0, 1, 1, expected)]);
}

#[test]
fn r03_an_unanswered_batch_is_unknown_at_once_and_keeps_its_bytes() {
    let mut world = World::new(config(), 1);
    let topic = world.ready();
    world.send(topic, 0, "a");
    let mut sent = world.take();
    while world.now < Instant::from_millis(100_000) {
        world.answer(&sent, &[(19, -1)]);
        world.back_off();
        sent = world.take();
    }
    world.pass(20_000);
    let unknown = Outcome::Unknown(Cause::Timeout, Doubt::Unanswered);
    assert_eq!(world.outcomes(), [(0, 0, 1, unknown)]);
    assert_eq!(world.producer.owner().blocks_used(), 1, "the bytes stay frozen");
    world.answer(&sent, &[(0, 9)]);
    assert_eq!(world.outcomes(), [], "the user was told once");
    assert_eq!(world.producer.owner().blocks_used(), 0);
    // The late answer mended the sequences: no bump, no hole.
    world.send(topic, 0, "b");
    let next = world.take();
    assert_eq!((next.only().epoch, next.only().sequence), (0, 1));
}

/// Two batches in flight in an opened window.
fn two_in_flight() -> (World, super::world::Sent, super::world::Sent) {
    let mut world = World::new(config(), 1);
    let topic = world.ready();
    world.send(topic, 0, "opens");
    let first = world.take();
    world.acknowledge(&first, 0);
    world.send(topic, 0, "1");
    let one = world.take();
    world.send(topic, 0, "2");
    let two = world.take();
    assert_eq!(world.outcomes().len(), 1);
    (world, one, two)
}

#[test]
fn r04_a_later_success_proves_an_earlier_batch() {
    let (mut world, one, two) = two_in_flight();
    world.answer(&one, &[(7, -1)]);
    world.answer(&two, &[(0, 2)]);
    assert_eq!(world.outcomes(), [], "the head is still to learn its offset");
    world.back_off();
    let again = world.take();
    assert_eq!(again.only().bytes, one.only().bytes);
    world.acknowledge(&again, 1);
    assert_eq!(world.outcomes(), [(0, 1, 1, written(1)), (0, 2, 1, written(2))]);
}

#[test]
fn r04_a_proven_batch_that_the_broker_forgot_is_written_without_offset() {
    let (mut world, one, two) = two_in_flight();
    world.answer(&one, &[(7, -1)]);
    world.answer(&two, &[(0, 2)]);
    world.back_off();
    let again = world.take();
    world.answer(&again, &[(45, -1)]);
    assert_eq!(world.outcomes(), [(0, 1, 1, written(-1)), (0, 2, 1, written(2))]);
    // No R8: the epoch is the same, the sequence goes on.
    let topic = world.producer.topic("t").unwrap();
    world.send(topic, 0, "3");
    let next = world.take();
    assert_eq!((next.only().epoch, next.only().sequence), (0, 3));
}

#[test]
fn r04_a_proven_batch_is_never_unknown_when_its_time_is_over() {
    let (mut world, one, two) = two_in_flight();
    world.answer(&one, &[(7, -1)]);
    world.answer(&two, &[(0, 2)]);
    world.down.push(1);
    world.disconnect(one.link);
    world.pass(120_000);
    assert_eq!(world.outcomes(), [(0, 1, 1, written(-1)), (0, 2, 1, written(2))]);
}

#[test]
fn r04_a_refused_batch_before_a_written_one_is_not_written() {
    let (mut world, one, two) = two_in_flight();
    world.answer(&one, &[(19, -1)]);
    world.answer(&two, &[(0, 1)]);
    let lost = Outcome::NotWritten(Cause::StateLost);
    assert_eq!(world.outcomes(), [(0, 1, 1, lost), (0, 2, 1, written(1))]);
}

#[test]
pub(super) fn r05_closing_resolves_every_record() {
    let mut world = World::new(config(), 1);
    let topic = world.ready();
    world.send(topic, 0, "in flight");
    let _ = world.take();
    world.send(topic, 0, "queued");
    world.producer.close(world.now, world.now);
    let unknown = Outcome::Unknown(Cause::Closed, Doubt::Unanswered);
    let expected = [(0, 0, 1, unknown), (0, 1, 1, Outcome::NotWritten(Cause::Closed))];
    assert_eq!(world.outcomes(), expected);
    assert_eq!(world.notices.last(), Some(&Event::Closed));
    assert_eq!(world.try_send(topic, 0, "late").unwrap_err(), crate::Refused::Closed);
    assert_eq!(world.producer.poll_timeout(), None);
}

#[test]
fn r05_closing_in_peace_writes_everything_first() {
    let settings = Config { linger: Duration::from_secs(60), ..Config::new() };
    let mut world =
        World::new(Config { delivery_timeout: Duration::from_secs(200), ..settings }, 1);
    let topic = world.ready();
    world.send(topic, 0, "a");
    world.producer.close(world.now, world.now.after(Duration::from_secs(10)));
    let sent = world.take();
    world.acknowledge(&sent, 0);
    assert_eq!(world.outcomes(), [(0, 0, 1, written(0))]);
    assert_eq!(world.notices.last(), Some(&Event::Closed));
}

#[test]
fn r06_acks_0_completes_when_the_last_byte_was_taken() {
    let settings = Config { idempotence: false, acks: Acks::None, ..config() };
    let mut world = World::new(settings, 1);
    let topic = world.warm();
    world.hold_output = true;
    world.send(topic, 0, "a");
    let link = world.first_link();
    let mut length = 0;
    while let Some(piece) = world.producer.output(link) {
        length += piece.bytes.len();
    }
    world.producer.consume_output(world.now, link, length - 1);
    assert_eq!(world.outcomes(), []);
    world.producer.consume_output(world.now, link, 1);
    assert_eq!(world.outcomes(), [(0, 1, 1, Outcome::Unacknowledged)]);
    assert_eq!(world.producer.counters().written, 2);
    // No entry is left in flight: nothing is waited for but the idle close.
    let idle = world.now.after(Duration::from_millis(540_000));
    assert_eq!(world.producer.poll_timeout(), Some(idle));
}

#[test]
fn r06_a_flush_waits_for_what_was_there_and_for_nothing_else() {
    let settings = Config {
        linger: Duration::from_secs(60),
        delivery_timeout: Duration::from_secs(200),
        ..Config::new()
    };
    let mut world = World::new(settings, 2);
    let topic = world.ready();
    world.send(topic, 0, "a");
    world.send(topic, 1, "b");
    assert!(world.take_all().is_empty(), "linger is not over");
    let flush = world.producer.flush(world.now);
    let sent = world.take();
    assert_eq!(sent.batches.len(), 2);
    world.send(topic, 0, "later");
    assert!(world.take_all().is_empty(), "no global mode is set");
    assert!(!world.producer.is_flushed(flush));
    world.answer(&sent, &[(0, 0), (87, -1)]);
    assert!(world.producer.is_flushed(flush), "a failure is an outcome, too");
    assert_eq!(world.outcomes().len(), 2);
}

#[test]
fn r06_a_flush_passes_over_no_back_off() {
    let mut world = World::new(config(), 1);
    let topic = world.ready();
    world.send(topic, 0, "a");
    let sent = world.take();
    world.answer(&sent, &[(19, -1)]);
    let flush = world.producer.flush(world.now);
    assert!(world.take_all().is_empty());
    assert!(!world.producer.is_flushed(flush));
    world.back_off();
    assert_eq!(world.take().only().values, ["a"]);
}

#[test]
fn every_record_has_one_outcome_in_any_phase() {
    // 40 records over four partitions, answered by every kind of answer in turn.
    let codes: [i16; 5] = [0, 7, 19, 87, 0];
    let mut world = World::new(config(), 4);
    let topic = world.ready();
    let mut accepted = 0;
    for round in 0..10 {
        for partition in 0..4 {
            world.send(topic, partition, "x");
            accepted += 1;
        }
        for (index, sent) in world.take_all().iter().enumerate() {
            let code = codes[(round + index) % codes.len()];
            let results: Vec<_> = sent.batches.iter().map(|_| (code, 100)).collect();
            world.answer(sent, &results);
        }
        world.pass(50);
    }
    world.producer.close(world.now, Instant::ZERO);
    let outcomes = world.outcomes();
    let mut seen = std::collections::BTreeSet::new();
    for (partition, first, count, _) in &outcomes {
        for number in *first..first + u64::from(*count) {
            assert!(seen.insert((*partition, number)), "two outcomes");
        }
    }
    assert_eq!(seen.len(), accepted);
}
