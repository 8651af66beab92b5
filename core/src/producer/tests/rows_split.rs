//! Scenario rows of category E: batches that a broker finds too large.

use std::string::String;
use std::vec::Vec;

use super::world::{Sent, World, config, written};
use crate::config::{Acks, Config};
use crate::memory::{Growable, Owner};
use crate::message::ErrorCode;
use crate::producer::{Cause, Event, Outcome};
use crate::record::reader::Batch;
use crate::time::Duration;

pub(super) const TOO_LARGE: (i16, i64) = (10, -1);

fn refused() -> Outcome {
    Outcome::NotWritten(Cause::Code(ErrorCode::MESSAGE_TOO_LARGE))
}

pub(super) fn lingering() -> Config {
    Config { linger: Duration::from_millis(5), ..config() }
}

/// A warm partition 0 with a batch of `count` records on its way.
pub(super) fn on_its_way(config: Config, count: usize) -> (World, crate::Topic, Sent) {
    let mut world = World::new(config, 1);
    let topic = world.warm_after_linger();
    for value in 0..count {
        world.send(topic, 0, &std::format!("{value:03}"));
    }
    world.producer.flush(world.now);
    let sent = world.take();
    assert_eq!(sent.only().count as usize, count);
    (world, topic, sent)
}

/// Answers as a broker that takes batches of at most `most` records, until nothing comes any
/// more: the values in the log.
fn serve(world: &mut World, first: Sent, most: usize) -> Vec<String> {
    let mut log = Vec::new();
    let mut sent = Some(first);
    while let Some(request) = sent {
        let batch = request.only().clone();
        Batch::read(&batch.bytes).unwrap();
        if batch.values.len() > most {
            world.answer(&request, &[TOO_LARGE]);
        } else {
            assert_eq!(batch.sequence, 1 + log.len() as i32, "as the log goes on");
            world.acknowledge(&request, 1 + log.len() as i64);
            log.extend(batch.values);
        }
        world.run();
        sent = world.sent.pop_front();
        assert!(world.sent.is_empty(), "one part at a time");
    }
    log
}

#[test]
fn e43_parts_keep_the_sequences_of_the_whole() {
    let (mut world, topic, sent) = on_its_way(lingering(), 2);
    assert_eq!(sent.only().sequence, 1);
    let log = serve(&mut world, sent, 1);
    assert_eq!(log, ["000", "001"]);
    assert_eq!(world.outcomes(), [(0, 1, 1, written(1)), (0, 2, 1, written(2))]);
    // The next batch goes on behind them, under the same epoch.
    world.send(topic, 0, "next");
    world.producer.flush(world.now);
    let next = world.take();
    assert_eq!((next.only().sequence, next.only().epoch), (3, 0));
}

#[test]
fn e45_parts_are_divided_until_they_fit() {
    for most in [1, 2, 3, 7, 50, 99] {
        let (mut world, _, sent) = on_its_way(lingering(), 100);
        let values = sent.only().values.clone();
        assert_eq!(serve(&mut world, sent, most), values, "at most {most}");
        let outcomes = world.outcomes();
        let mut next = 1;
        for (_, first, count, outcome) in outcomes {
            assert_eq!((first, outcome), (next, written(next as i64)));
            next += u64::from(count);
        }
        assert_eq!(next, 101);
    }
}

#[test]
fn e45_a_record_that_never_fits_fails_alone() {
    let (mut world, _, sent) = on_its_way(lingering(), 3);
    world.answer(&sent, &[TOO_LARGE]);
    let first = world.take();
    assert_eq!(first.only().values, ["000"]);
    world.answer(&first, &[TOO_LARGE]);
    // Its sequence is a hole, which the broker does not accept.
    let second = world.take();
    assert_eq!(second.only().sequence, 2);
    world.answer(&second, &[(45, -1)]);
    let again = world.take();
    assert_eq!((again.only().epoch, again.only().sequence), (1, 0));
    world.acknowledge(&again, 1);
    let mut left: Vec<_> = again.only().values.clone();
    if left.len() == 1 {
        let third = world.take();
        assert_eq!((third.only().epoch, third.only().sequence), (1, 1));
        world.acknowledge(&third, 2);
        left.extend(third.only().values.clone());
    }
    assert_eq!(left, ["001", "002"]);
    let outcomes = world.outcomes();
    assert_eq!(outcomes[0], (0, 1, 1, refused()));
    assert!(outcomes[1..].iter().all(|o| matches!(o.3, Outcome::Written { .. })));
}

#[test]
fn e46_parts_stand_before_what_is_queued() {
    let (mut world, topic, sent) = on_its_way(lingering(), 4);
    world.send(topic, 0, "behind");
    world.producer.flush(world.now);
    let behind = world.take();
    world.answer(&sent, &[TOO_LARGE]);
    // It finds a hole before it.
    world.answer(&behind, &[(45, -1)]);
    let mut log = Vec::new();
    while log.len() < 5 {
        let requests = world.take_all();
        // What stands behind goes out with the last part, not before.
        assert!(requests.len() == 1 || requests[1].only().sequence == 5);
        for sent in requests {
            assert_eq!(sent.only().sequence, 1 + log.len() as i32);
            world.acknowledge(&sent, 1 + log.len() as i64);
            log.extend(sent.only().values.clone());
        }
    }
    assert_eq!(log, ["000", "001", "002", "003", "behind"]);
    assert_eq!(world.producer.counters().bumps, 0);
}

#[test]
fn e48_a_flush_waits_for_all_parts() {
    let (mut world, _, sent) = on_its_way(lingering(), 2);
    let flush = world.producer.flush(world.now);
    world.answer(&sent, &[TOO_LARGE]);
    let first = world.take();
    world.acknowledge(&first, 1);
    assert!(!world.producer.is_flushed(flush));
    let second = world.take();
    world.acknowledge(&second, 2);
    world.run();
    assert!(world.producer.is_flushed(flush));
}

#[test]
fn e49_a_part_fails_with_its_own_records_only() {
    let (mut world, _, sent) = on_its_way(lingering(), 4);
    world.answer(&sent, &[TOO_LARGE]);
    let first = world.take();
    assert_eq!(first.only().values, ["000", "001"]);
    world.acknowledge(&first, 1);
    let second = world.take();
    world.answer(&second, &[(87, -1)]);
    let outcomes = world.outcomes();
    assert_eq!(outcomes[0], (0, 1, 2, written(1)));
    let invalid = Outcome::NotWritten(Cause::Code(ErrorCode::INVALID_RECORD));
    assert_eq!(outcomes[1], (0, 3, 2, invalid));
}

#[test]
fn r02_a_batch_that_may_be_in_the_log_is_not_divided() {
    let (mut world, _, sent) = on_its_way(lingering(), 2);
    world.disconnect(sent.link);
    world.pass(1_000);
    let again = world.take();
    assert_eq!(again.only().bytes, sent.only().bytes);
    world.answer(&again, &[TOO_LARGE]);
    let outcomes = world.outcomes();
    assert_eq!(outcomes.len(), 1);
    assert!(matches!(outcomes[0], (0, 1, 2, Outcome::Unknown(..))), "{outcomes:?}");
}

#[test]
fn parts_without_idempotence_keep_their_order() {
    let config = Config { idempotence: false, max_in_flight: 1, ..lingering() };
    let (mut world, topic, sent) = on_its_way(config, 4);
    world.answer(&sent, &[TOO_LARGE]);
    world.send(topic, 0, "behind");
    world.producer.flush(world.now);
    let mut log = Vec::new();
    while log.len() < 5 {
        let sent = world.take();
        world.acknowledge(&sent, log.len() as i64);
        log.extend(sent.only().values.clone());
    }
    assert_eq!(log, ["000", "001", "002", "003", "behind"]);
}

/// E46, also where several batches may be in flight and order is not asked for.
#[test]
fn nothing_goes_beside_a_part_that_has_a_rest() {
    let config = Config { idempotence: false, ..lingering() };
    let (mut world, topic, sent) = on_its_way(config, 4);
    world.answer(&sent, &[TOO_LARGE]);
    let part = world.take();
    assert_eq!(part.only().values, ["000", "001"]);
    world.send(topic, 0, "behind");
    world.producer.flush(world.now);
    assert!(world.take_all().is_empty(), "the rest goes first");
    world.acknowledge(&part, 0);
    assert_eq!(world.take_all()[0].only().values, ["002", "003"]);
}

#[test]
fn what_is_left_expires_with_one_outcome() {
    let config = Config { delivery_timeout: Duration::from_secs(40), ..lingering() };
    let (mut world, _, sent) = on_its_way(config, 8);
    world.answer(&sent, &[TOO_LARGE]);
    let first = world.take();
    world.acknowledge(&first, 1);
    let second = world.take();
    assert_eq!(second.only().values.len(), 4);
    world.down = std::vec![1];
    world.disconnect(second.link);
    world.pass(60_000);
    let outcomes = world.outcomes();
    assert_eq!(outcomes[0], (0, 1, 4, written(1)));
    assert!(matches!(outcomes[1], (0, 5, 4, Outcome::Unknown(Cause::Timeout, _))), "{outcomes:?}");
    assert_eq!(outcomes.len(), 2);
}

#[test]
fn regression_what_is_left_expires_although_the_part_before_it_is_unanswered() {
    let config = Config {
        delivery_timeout: Duration::from_secs(40),
        request_timeout: Duration::from_secs(35),
        ..lingering()
    };
    let (mut world, topic, sent) = on_its_way(config, 8);
    world.pass(20_000);
    world.answer(&sent, &[TOO_LARGE]);
    let part = world.take();
    world.send(topic, 0, "behind");
    world.pass(20_001);
    let late = Outcome::NotWritten(Cause::Timeout);
    let outcomes = world.outcomes();
    assert_eq!(outcomes.len(), 2, "{outcomes:?}");
    assert!(matches!(outcomes[0], (0, 1, 4, Outcome::Unknown(Cause::Timeout, _))), "{outcomes:?}");
    assert_eq!(outcomes[1], (0, 5, 4, late));
    // The answer comes after all. What is behind does not follow sequences that nobody has.
    world.acknowledge(&part, 1);
    let behind = world.take();
    assert_eq!(behind.only().values, ["behind"]);
    assert_eq!((behind.only().epoch, behind.only().sequence), (1, 0));
    world.acknowledge(&behind, 5);
    assert_eq!(world.outcomes(), [(0, 9, 1, written(5))]);
    let memory = world.producer.owner.memory();
    let partition = memory.find_partition(topic.id, 0);
    assert_eq!(memory.partitions[partition].batches, 0, "slots came back");
}

#[test]
fn regression_what_is_behind_a_rest_that_is_given_up_is_told() {
    let config = Config {
        idempotence: false,
        acks: Acks::Leader,
        delivery_timeout: Duration::from_secs(40),
        request_timeout: Duration::from_secs(35),
        ..lingering()
    };
    let (mut world, topic, sent) = on_its_way(config, 8);
    world.pass(20_000);
    world.send(topic, 0, "behind");
    world.producer.flush(world.now);
    let behind = world.take();
    world.answer(&sent, &[TOO_LARGE]);
    world.acknowledge(&behind, 1);
    world.back_off();
    assert_eq!(world.take().only().count, 4);
    world.pass(19_000);
    let outcomes = world.outcomes();
    assert_eq!(outcomes.len(), 3, "{outcomes:?}");
    assert_eq!(outcomes[2], (0, 9, 1, written(1)));
}

#[test]
fn regression_parts_of_several_batches_go_one_after_another() {
    for idempotence in [true, false] {
        let config = Config { idempotence, ..lingering() };
        let mut world = World::new(config, 1);
        let topic = world.warm_after_linger();
        for batch in 0..3 {
            for value in 0..4 {
                world.send(topic, 0, &std::format!("{batch}{value}"));
            }
            world.producer.flush(world.now);
        }
        let sent = world.take_all();
        assert_eq!(sent.len(), 3, "all on their way");
        for request in &sent {
            world.answer(request, &[TOO_LARGE]);
        }
        let mut log = Vec::new();
        while log.len() < 12 {
            world.back_off();
            let parts = world.take_all();
            assert!(!parts.is_empty() && parts.len() <= 2, "the end of one, the start of none");
            for part in parts {
                let values = &part.only().values;
                if values.len() > 1 {
                    world.answer(&part, &[TOO_LARGE]);
                } else {
                    log.extend(values.clone());
                    world.acknowledge(&part, log.len() as i64);
                }
            }
        }
        let mut sorted = log.clone();
        sorted.sort();
        assert_eq!(log, sorted, "idempotent: {idempotence}");
        assert_eq!(world.outcomes().len(), 12);
        assert_eq!(world.producer.counters().bumps, 0);
    }
}

#[test]
fn regression_nothing_of_a_divided_batch_goes_out_after_a_fatal_answer() {
    let mut world = World::new(lingering(), 2);
    let topic = world.warm_after_linger();
    for value in 0..4 {
        world.send(topic, 0, &std::format!("{value}"));
    }
    world.send(topic, 1, "neighbour");
    world.producer.flush(world.now);
    let sent = world.take();
    assert_eq!(sent.batches.len(), 2);
    let results: Vec<_> =
        sent.batches.iter().map(|b| if b.partition == 0 { TOO_LARGE } else { (0, 0) }).collect();
    world.answer(&sent, &results);
    let part = world.take();
    world.answer_with(&part, &[(0, 1)], |_, _| {});
    // Before the part's event is taken, a neighbour's answer is fatal.
    world.producer.machine.fatal = Some(ErrorCode(53));
    let mut records = 0;
    while let Some(event) = world.producer.poll_event() {
        records += if let Event::Delivered(delivery) = event { delivery.count } else { 0 };
        assert!(world.producer.output(part.link).is_none(), "the rest");
    }
    world.back_off();
    assert!(world.take_all().is_empty());
    records += world.outcomes().iter().map(|outcome| outcome.2).sum::<u32>();
    assert_eq!(records, 5, "the neighbour's among them");
}

#[test]
fn regression_a_part_that_expires_before_it_is_lent_goes_out_as_it_was() {
    let config = Config { delivery_timeout: Duration::from_secs(40), ..lingering() };
    let (mut world, _, sent) = on_its_way(config, 8);
    world.hold_output = true;
    world.answer(&sent, &[TOO_LARGE]);
    world.back_off();
    // The request is formed, and nothing but its head is written when time is over.
    let head = world.producer.output(sent.link).unwrap().bytes.len();
    world.producer.consume_output(world.now, sent.link, 0);
    assert!(head > 0);
    world.pass(40_000);
    assert_eq!(world.outcomes().len(), 2);
    world.hold_output = false;
    let part = world.take();
    assert_eq!((part.only().count, part.only().sequence, part.only().id), (4, 1, 7));
    assert_eq!(part.only().values, ["000", "001", "002", "003"]);
}

#[test]
fn a_close_gives_every_part_its_outcome() {
    let (mut world, _, sent) = on_its_way(lingering(), 8);
    world.answer(&sent, &[TOO_LARGE]);
    let first = world.take();
    world.producer.close(world.now, world.now.after(Duration::from_millis(10)));
    world.acknowledge(&first, 1);
    world.pass(20);
    let outcomes = world.outcomes();
    let records: u32 = outcomes.iter().map(|outcome| outcome.2).sum();
    assert_eq!(records, 8, "{outcomes:?}");
    assert!(world.notices.contains(&Event::Closed));
}

#[test]
fn while_the_event_of_a_part_waits_nothing_else_goes_and_no_time_counts() {
    let (mut world, topic, sent) = on_its_way(lingering(), 2);
    world.answer(&sent, &[TOO_LARGE]);
    let first = world.take();
    world.answer_with(&first, &[(0, 1)], |_, _| {});
    world.send(topic, 0, "behind");
    world.producer.flush(world.now);
    let later = world.now.after(Duration::from_secs(500));
    world.producer.handle_timeout(later);
    world.now = later;
    assert!(world.producer.poll_timeout().is_none_or(|at| at > later), "it does not spin");
    let outcomes = world.outcomes();
    assert_eq!(outcomes[0], (0, 1, 1, written(1)));
    let late = Outcome::NotWritten(Cause::Timeout);
    assert_eq!(outcomes[1..], [(0, 2, 1, late), (0, 3, 1, late)]);
}

/// A part that may be in the log, of which the broker has forgotten everything: two parts of four,
/// and a batch behind them. The answer is read, and nobody has taken an event.
fn forgotten_part() -> (World, Sent) {
    let (mut world, topic, sent) = on_its_way(lingering(), 8);
    world.answer(&sent, &[TOO_LARGE]);
    let part = world.take();
    assert_eq!((part.only().epoch, part.only().count), (0, 4));
    world.send(topic, 0, "behind");
    world.producer.flush(world.now);
    world.disconnect(part.link);
    world.back_off();
    let again = world.take();
    assert_eq!(again.only().bytes, part.only().bytes);
    world.answer_with(&again, &[(45, -1)], |_, _| {});
    (world, again)
}

/// R4, R9: it was never sent, so it goes out under the next epoch, before what is behind it.
#[test]
fn regression_the_rest_of_a_part_that_was_forgotten_is_numbered_anew() {
    let (mut world, _) = forgotten_part();
    let told = world.outcomes();
    assert_eq!(told.len(), 1);
    assert!(matches!(told[0], (0, 1, 4, Outcome::Unknown(Cause::StateLost, _))), "{told:?}");
    world.back_off();
    let rest = world.take();
    assert_eq!((rest.only().epoch, rest.only().sequence, rest.only().count), (1, 0, 4));
    world.acknowledge(&rest, 9);
    let behind = world.take();
    assert_eq!((behind.only().epoch, behind.only().sequence), (1, 4));
    world.acknowledge(&behind, 13);
    let outcomes = world.outcomes();
    assert_eq!(outcomes, [(0, 5, 4, written(9)), (0, 9, 1, written(13))]);
}

#[test]
fn regression_nothing_overtakes_the_rest_of_a_part_that_was_forgotten() {
    let (mut world, _) = forgotten_part();
    // Nobody listens.
    for _ in 0..20 {
        world.now = world.now.after(Duration::from_millis(100));
        world.producer.handle_timeout(world.now);
        world.step_links();
        world.step_output();
    }
    assert!(world.sent.is_empty(), "{:?}", world.sent.front().map(Sent::only));
    world.back_off();
    assert_eq!(world.take().only().count, 4, "the rest");
}

/// The broker has what came later, so neither a part that it refused nor its rest may follow.
#[test]
fn regression_r04_the_rest_of_a_part_that_would_break_the_order_is_not_sent() {
    let (mut world, topic, sent) = on_its_way(lingering(), 8);
    world.send(topic, 0, "later");
    world.producer.flush(world.now);
    let later = world.take();
    world.answer(&sent, &[TOO_LARGE]);
    world.answer(&later, &[(7, -1)]);
    world.back_off();
    let part = world.take();
    assert_eq!(part.only().count, 4);
    world.answer(&part, &[(45, -1)]);
    world.back_off();
    let probe = world.take();
    assert_eq!(probe.only().bytes, later.only().bytes);
    world.acknowledge(&probe, 9);
    assert!(world.take_all().is_empty());
    let lost = Outcome::NotWritten(Cause::StateLost);
    assert_eq!(world.outcomes(), [(0, 1, 4, lost), (0, 5, 4, lost), (0, 9, 1, written(9))]);
}

/// A part lost its sequence and waits for its new one when its time is over.
#[test]
fn regression_r09_the_rest_of_a_part_that_is_to_be_numbered_anew_has_an_id() {
    let (mut world, _, sent) = on_its_way(lingering(), 8);
    world.answer(&sent, &[TOO_LARGE]);
    let part = world.take();
    world.hold_output = true;
    world.answer(&part, &[(45, -1)]);
    world.now = world.now.after(Duration::from_secs(121));
    world.producer.handle_timeout(world.now);
    let told = core::iter::from_fn(|| world.producer.poll_event());
    assert_eq!(told.filter(|event| matches!(event, Event::Delivered(_))).count(), 1);
    world.step_links();
    world.step_output();
    for sent in &world.sent {
        assert!(sent.only().id >= 0, "{:?}", sent.only());
    }
}

/// Where memory is scarce a batch gives back what it does not fill when it goes out, but what is left of
/// it stands behind the part.
#[test]
fn regression_the_rest_of_a_part_that_is_numbered_anew_is_not_given_back_as_spare_memory() {
    let mut world = World::with(Growable::new(8_192), lingering(), 1);
    let topic = world.warm_after_linger();
    let large = "x".repeat(3_000);
    for value in ["a", "b", &large, "end"] {
        world.send(topic, 0, value);
    }
    world.producer.flush(world.now);
    let sent = world.take();
    world.answer(&sent, &[TOO_LARGE]);
    let part = world.take();
    assert_eq!(part.only().values, ["a", "b"]);
    world.answer(&part, &[(45, -1)]);
    world.back_off();
    let again = world.take();
    assert_eq!((again.only().epoch, again.only().values.len()), (1, 2));
    world.acknowledge(&again, 1);
    world.outcomes();
    for value in [large.as_str(), "end"] {
        let rest = world.take();
        Batch::read(&rest.only().bytes).unwrap();
        assert!(rest.only().values == [value], "{} bytes", rest.only().bytes.len());
        world.acknowledge(&rest, 3);
        world.outcomes();
    }
}
