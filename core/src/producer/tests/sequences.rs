//! Rules R7 to R12: sequences, epochs, windows, leaders, order.

use std::vec::Vec;

use super::world::{Sent, World, config, written};
use crate::config::Config;
use crate::error::{Full, Refused};
use crate::memory::{Growable, Owner};
use crate::message::ErrorCode;
use crate::producer::{Cause, Doubt, Event, Outcome, Topic};
use crate::record::Record;
use crate::time::Duration;

/// `count` batches of one record each, in flight in an opened window. They are numbers 1 to
/// `count` and have these sequences.
pub(super) fn in_flight(count: usize, settings: Config) -> (World, Topic, Vec<Sent>) {
    let mut world = World::new(settings, 1);
    let topic = world.warm();
    let mut sent = Vec::new();
    for index in 0..count {
        world.send(topic, 0, &std::format!("{}", index + 1));
        sent.push(world.take());
    }
    (world, topic, sent)
}

fn sequence(sent: &Sent) -> (i16, i32) {
    (sent.only().epoch, sent.only().sequence)
}

#[test]
fn r07_one_batch_until_a_success_then_five() {
    let mut world = World::new(config(), 1);
    let topic = world.ready();
    world.send(topic, 0, "0");
    let first = world.take();
    for index in 1..9 {
        world.send(topic, 0, &std::format!("{index}"));
        world.producer.flush(world.now);
    }
    assert!(world.take_all().is_empty());
    world.acknowledge(&first, 0);
    let sent = world.take_all();
    assert_eq!(sent.iter().map(sequence).collect::<Vec<_>>(), [1, 2, 3, 4, 5].map(|s| (0, s)));
    // One slot of the window is free again.
    world.acknowledge(&sent[0], 1);
    assert_eq!(sequence(&world.take()), (0, 6));
}

#[test]
fn r07_an_error_a_disconnect_and_silence_make_the_window_one_again() {
    let queue = |world: &mut World, topic| {
        for value in ["a", "b", "c"] {
            world.send(topic, 0, value);
            world.producer.flush(world.now);
        }
    };
    // An error: the head alone, then all.
    let (mut world, topic, sent) = in_flight(1, config());
    queue(&mut world, topic);
    let behind = world.take_all();
    assert_eq!(behind.len(), 3);
    world.answer(&sent[0], &[(19, -1)]);
    for sent in &behind {
        world.answer(sent, &[(45, -1)]);
    }
    world.back_off();
    let head = world.take();
    assert_eq!(sequence(&head), (0, 1));
    world.acknowledge(&head, 1);
    assert_eq!(world.take_all().len(), 3);
    // A disconnect.
    let (mut world, topic, sent) = in_flight(2, config());
    world.disconnect(sent[0].link);
    queue(&mut world, topic);
    world.back_off();
    assert_eq!(sequence(&world.take()), (0, 1));
    // Five minutes without a success.
    let mut world = World::new(config(), 1);
    let topic = world.warm();
    world.pass(300_001);
    queue(&mut world, topic);
    assert_eq!(world.take_all().len(), 1);
}

/// Three batches in flight whose connection broke: all may be in the log. The first is sent
/// again, alone.
pub(super) fn three_in_doubt(settings: Config) -> (World, Topic, Vec<Sent>, Sent) {
    let (mut world, topic, sent) = in_flight(3, settings);
    world.disconnect(sent[0].link);
    world.back_off();
    let head = world.take();
    assert_eq!(head.only().bytes, sent[0].only().bytes);
    (world, topic, sent, head)
}

#[test]
fn r08_without_doubt_a_lost_place_bumps_and_retries() {
    let (mut world, topic, sent) = in_flight(1, config());
    world.answer(&sent[0], &[(45, -1)]);
    let again = world.take();
    assert_eq!(sequence(&again), (1, 0));
    assert_eq!(again.only().values, ["1"]);
    world.acknowledge(&again, 1);
    world.send(topic, 0, "2");
    assert_eq!(sequence(&world.take()), (1, 1));
    assert_eq!(world.outcomes(), [(0, 1, 1, written(1))]);
}

#[test]
pub(super) fn r08_doubtful_batches_are_probed_newest_first_each_alone() {
    let (mut world, _, sent, head) = three_in_doubt(config());
    world.answer(&head, &[(45, -1)]);
    let probe = world.take();
    assert_eq!(probe.only().bytes, sent[2].only().bytes, "unchanged bytes of the newest");
    // A broker that remembers only its newest batch knows it: everything before is written.
    world.acknowledge(&probe, 3);
    let head = world.take_all();
    assert_eq!(head[0].only().bytes, sent[0].only().bytes);
    world.answer(&head[0], &[(45, -1)]);
    let mut second = head.into_iter().skip(1).collect::<Vec<_>>();
    second.extend(world.take_all());
    assert_eq!(second[0].only().bytes, sent[1].only().bytes);
    world.answer(&second[0], &[(45, -1)]);
    world.back_off();
    for sent in world.take_all() {
        world.answer(&sent, &[(45, -1)]);
    }
    let expected = [(0, 1, 1, written(-1)), (0, 2, 1, written(-1)), (0, 3, 1, written(3))];
    assert_eq!(world.outcomes(), expected);
    assert_eq!(world.producer.counters().bumps, 0);
}

#[test]
pub(super) fn r08_if_every_probe_is_denied_doubtful_batches_are_unknown() {
    let (mut world, topic, sent, head) = three_in_doubt(config());
    world.answer(&head, &[(45, -1)]);
    for expected in [2, 1] {
        let probe = world.take();
        assert_eq!(probe.only().bytes, sent[expected].only().bytes);
        world.answer(&probe, &[(45, -1)]);
    }
    let unknown = Outcome::Unknown(Cause::StateLost, Doubt::Disconnected);
    let expected = [(0, 1, 1, unknown), (0, 2, 1, unknown), (0, 3, 1, unknown)];
    assert_eq!(world.outcomes(), expected);
    world.send(topic, 0, "next");
    assert_eq!(sequence(&world.take()), (1, 0));
}

/// The first of two batches is refused, and then not expected; the second failed for good, and
/// may be in the log. Found by exhaustive search.
fn lost_before_a_failure() -> (World, Vec<Sent>, Sent) {
    let (mut world, _, sent) = in_flight(2, config());
    world.answer(&sent[0], &[(2, -1)]);
    world.answer(&sent[1], &[(-1, -1)]);
    world.back_off();
    let head = world.take();
    assert_eq!(head.only().bytes, sent[0].only().bytes);
    world.answer(&head, &[(45, -1)]);
    let probe = world.take();
    assert_eq!(probe.only().bytes, sent[1].only().bytes, "before anything is numbered anew");
    (world, sent, probe)
}

#[test]
fn regression_r08_a_failure_that_waits_for_its_turn_is_probed_before_the_next_epoch() {
    let (mut world, _, probe) = lost_before_a_failure();
    world.acknowledge(&probe, 5);
    let lost = Outcome::NotWritten(Cause::StateLost);
    assert_eq!(world.outcomes(), [(0, 1, 1, lost), (0, 2, 1, written(5))]);
    assert_eq!(world.producer.counters().bumps, 0);
    // Not expected, or as before: what was refused goes out again, and it is unknown in its turn.
    let cause = Cause::Code(ErrorCode(-1));
    for code in [45, -1] {
        let (mut world, sent, probe) = lost_before_a_failure();
        world.answer(&probe, &[(code, -1)]);
        world.back_off();
        let again = world.take();
        assert_eq!(sequence(&again), (1, 0));
        assert_eq!(again.only().values, sent[0].only().values);
        world.acknowledge(&again, 7);
        let unknown = Outcome::Unknown(cause, Doubt::Code(ErrorCode(-1)));
        assert_eq!(world.outcomes(), [(0, 1, 1, written(7)), (0, 2, 1, unknown)]);
    }
}

/// A broker's text takes the place of a refused batch's bytes, which would be needed here.
#[test]
fn regression_r08_a_probe_has_its_bytes_whatever_the_broker_said_of_them() {
    let (mut world, _, sent, head) = three_in_doubt(config());
    world.acknowledge(&head, 1);
    let again = world.take_all();
    world.answer(&again[0], &[(19, -1)]);
    world.answer_with(&again[1], &[(87, -1)], |reply, _| {
        reply.topics[0].partitions[0].text = Some("too old".into());
    });
    world.back_off();
    let second = world.take();
    world.answer(&second, &[(45, -1)]);
    assert_eq!(world.take().only().bytes, sent[2].only().bytes);
}

#[test]
fn r08_what_was_refused_goes_out_again_after_the_bump() {
    let (mut world, _, sent) = in_flight(2, config());
    // The first is refused, the second gets no answer: 45 for the first is then no surprise
    // to be mended by sending the second twice.
    world.answer(&sent[0], &[(19, -1)]);
    world.disconnect(sent[1].link);
    world.back_off();
    let head = world.take();
    world.answer(&head, &[(45, -1)]);
    let probe = world.take();
    assert_eq!(probe.only().bytes, sent[1].only().bytes);
    world.answer(&probe, &[(45, -1)]);
    let again = world.take();
    assert_eq!(sequence(&again), (1, 0));
    assert_eq!(again.only().values, ["1"]);
    world.acknowledge(&again, 1);
    let unknown = Outcome::Unknown(Cause::StateLost, Doubt::Disconnected);
    assert_eq!(world.outcomes(), [(0, 1, 1, written(1)), (0, 2, 1, unknown)]);
}

#[test]
fn r08_a_probe_that_fails_is_repeated() {
    let (mut world, _, sent, head) = three_in_doubt(config());
    world.answer(&head, &[(45, -1)]);
    let probe = world.take();
    world.disconnect(probe.link);
    world.back_off();
    assert_eq!(world.take().only().bytes, sent[2].only().bytes);
}

#[test]
fn r08_the_switch_prefers_delivery() {
    let settings = Config { resend_after_state_loss: true, ..config() };
    let (mut world, _, _, head) = three_in_doubt(settings);
    world.answer(&head, &[(45, -1)]);
    for _ in 0..2 {
        let probe = world.take();
        world.answer(&probe, &[(45, -1)]);
    }
    let again = world.take();
    assert_eq!(sequence(&again), (1, 0));
    world.acknowledge(&again, 10);
    let rest = world.take_all();
    assert_eq!(rest.iter().map(sequence).collect::<Vec<_>>(), [(1, 1), (1, 2)]);
    world.acknowledge(&rest[0], 11);
    world.acknowledge(&rest[1], 12);
    let expected = [(0, 1, 1, written(10)), (0, 2, 1, written(11)), (0, 3, 1, written(12))];
    assert_eq!(world.outcomes(), expected);
}

#[test]
fn r09_other_partitions_finish_under_their_old_epoch() {
    let mut world = World::new(config(), 2);
    world.nodes.push(2);
    world.lead(1, 2, 0);
    let topic = world.warm();
    world.send(topic, 1, "q1");
    let other = world.take();
    world.send(topic, 0, "p1");
    let lost = world.take();
    world.answer(&lost, &[(45, -1)]);
    assert_eq!(sequence(&world.take()), (1, 0));
    // q1 is in flight under epoch 0: it is retried with it, and q2 waits.
    world.send(topic, 1, "q2");
    assert!(world.take_all().is_empty());
    world.answer(&other, &[(7, -1)]);
    world.back_off();
    let other = world.take_all().pop().unwrap();
    assert_eq!((other.only().epoch, other.only().sequence), (0, 0));
    assert_eq!(other.only().values, ["q1"]);
    world.acknowledge(&other, 0);
    let next = world.take();
    assert_eq!(next.only().values, ["q2"]);
    assert_eq!(sequence(&next), (1, 0));
}

#[test]
fn r09_nothing_is_renumbered_while_an_attempt_is_unanswered() {
    let (mut world, _, sent) = in_flight(2, config());
    world.answer(&sent[0], &[(87, -1)]);
    // The hole would allow a bump, but the second is still on its way.
    world.back_off();
    assert!(world.take_all().is_empty());
    world.answer(&sent[1], &[(45, -1)]);
    let again = world.take();
    assert_eq!((sequence(&again), again.only().values[0].as_str()), ((1, 0), "2"));
}

#[test]
fn r09_after_epoch_32767_a_new_id_is_asked_for() {
    let mut world = World::new(config(), 1);
    world.ids.push_back(Ok((7, i16::MAX)));
    world.ids.push_back(Ok((8, 0)));
    let topic = world.warm();
    world.send(topic, 0, "1");
    let sent = world.take();
    assert_eq!(sequence(&sent), (i16::MAX, 1));
    world.answer(&sent, &[(45, -1)]);
    let again = world.take();
    assert_eq!((again.only().id, sequence(&again)), (8, (0, 0)));
    assert_eq!(world.id_requests, 2);
}

#[test]
fn r09_nothing_goes_out_without_an_id() {
    let mut world = World::new(config(), 1);
    for _ in 0..3 {
        world.ids.push_back(Err(crate::message::ErrorCode::COORDINATOR_LOAD_IN_PROGRESS));
    }
    let topic = world.ready();
    world.send(topic, 0, "a");
    assert!(world.take_all().is_empty());
    world.back_off();
    world.back_off();
    world.back_off();
    assert_eq!(world.take().only().id, 7);
    assert_eq!(world.id_requests, 4);
}

crate::fixed! {
    Small {
        topics: 1, partitions: 2, batches: 4, requests: 8, links: 2, brokers: 2, host: 64,
        names: 8, blocks: 4, block_size: 256,
    }
}

#[test]
fn r10_a_slot_that_used_a_sequence_is_freed_only_after_a_bump() {
    let mut world = World::with(Small::new(), config(), 4);
    let topic = world.ready();
    for partition in [0, 1] {
        world.send(topic, partition, "x");
        let sent = world.take();
        assert_eq!(sequence(&sent), (0, 0));
        world.acknowledge(&sent, 0);
    }
    world.outcomes();
    // Both slots have used sequences of epoch 0, and are idle.
    world.send(topic, 2, "x");
    let sent = world.take();
    assert_eq!(sequence(&sent), (1, 0));
    // Now one is busy; the other one, of epoch 0, is free for the taking without a bump.
    world.send(topic, 3, "x");
    assert_eq!(world.producer.counters().bumps, 1);
    let other = world.take();
    assert_eq!(sequence(&other), (1, 0));
    // No slot is idle: a full table is a refusal that names it.
    assert_eq!(world.try_send(topic, 0, "x"), Err(Refused::Full(Full::Partitions)));
    world.acknowledge(&sent, 0);
    world.outcomes();
    world.send(topic, 0, "x");
    // Nothing of epoch 0 is ever used twice.
    assert_eq!(sequence(&world.take()), (2, 0));
}

/// A partition on node 1 whose leader has moved to node 2.
fn moved() -> (World, Topic) {
    let mut world = World::new(config(), 1);
    world.nodes.push(2);
    let topic = world.warm();
    world.send(topic, 0, "1");
    let old = world.take();
    assert_eq!(old.node, Some(1));
    world.lead(0, 2, 1);
    world.answer(&old, &[(6, -1)]);
    (world, topic)
}

#[test]
fn r11_nothing_goes_to_a_new_leader_before_the_old_link_is_done() {
    let mut world = World::new(config(), 2);
    world.nodes.push(2);
    let topic = world.warm();
    world.send(topic, 1, "neighbour");
    let neighbour = world.take();
    world.send(topic, 0, "1");
    let old = world.take();
    world.lead(0, 2, 1);
    // The neighbour's answer makes the client look, and learn that partition 0 moved, too.
    world.answer(&neighbour, &[(3, -1)]);
    let requests = world.metadata_requests.len();
    world.pass(200);
    assert!(world.metadata_requests.len() > requests);
    world.send(topic, 0, "2");
    let sent = world.take_all();
    assert!(sent.iter().all(|s| s.only().partition == 1), "the old link is not done: {sent:?}");
    world.answer(&old, &[(7, -1)]);
    world.back_off();
    let mut sent = world.take_all();
    sent.retain(|s| s.only().partition == 0);
    let sent = sent.pop().unwrap();
    assert_eq!((sent.node, sent.only().values[0].as_str()), (Some(2), "1"));
    assert_eq!(sequence(&sent), (0, 1));
}

#[test]
fn r11_a_leader_change_makes_the_window_one() {
    let (mut world, topic) = moved();
    for value in ["2", "3"] {
        world.send(topic, 0, value);
        world.producer.flush(world.now);
    }
    world.back_off();
    let sent = world.take();
    assert_eq!((sent.node, sent.only().values[0].as_str()), (Some(2), "1"));
    world.acknowledge(&sent, 1);
    assert_eq!(world.take_all().len(), 2);
}

#[test]
fn r11_metadata_never_lowers_the_epoch_within_a_topic_id() {
    let (mut world, topic) = moved();
    world.back_off();
    let sent = world.take();
    assert_eq!(sent.node, Some(2));
    // A broker that is behind says: node 1, epoch 0.
    world.lead(0, 1, 0);
    world.answer(&sent, &[(7, -1)]);
    let _ = world.producer.topic("other").unwrap();
    world.back_off();
    let again = world.take();
    assert_eq!(again.node, Some(2));
    // The same under a new topic id counts: the topic was made anew.
    world.topic_ids.insert("t".into(), 2);
    world.answer(&again, &[(6, -1)]);
    world.back_off();
    let recreated = world.take();
    assert_eq!(recreated.node, Some(1));
    assert_eq!(sequence(&recreated), (0, 1), "sequences go on");
    world.acknowledge(&recreated, 0);
    world.send(topic, 0, "2");
    assert_eq!(sequence(&world.take()), (0, 2));
}

#[test]
fn r11_a_topic_that_metadata_lost_changes_no_sequence() {
    let (mut world, topic, sent) = in_flight(1, config());
    let leaders = world.topics.remove("t").unwrap();
    world.answer(&sent[0], &[(3, -1)]);
    world.pass(5_000);
    // The broker that led it is still asked, in vain.
    for sent in world.take_all() {
        world.answer(&sent, &[(3, -1)]);
    }
    world.topics.insert("t".into(), leaders);
    world.pass(5_000);
    let again = world.take();
    assert_eq!(sequence(&again), (0, 1));
    world.acknowledge(&again, 1);
    world.send(topic, 0, "2");
    assert_eq!(sequence(&world.take()), (0, 2));
}

#[test]
fn r12_after_an_error_everything_in_flight_is_waited_for() {
    let (mut world, topic, sent) = in_flight(3, config());
    world.answer(&sent[0], &[(19, -1)]);
    world.send(topic, 0, "4");
    world.back_off();
    assert!(world.take_all().is_empty());
    world.answer(&sent[1], &[(45, -1)]);
    assert!(world.take_all().is_empty());
    world.answer(&sent[2], &[(45, -1)]);
    let head = world.take();
    assert_eq!(head.only().bytes, sent[0].only().bytes);
    world.acknowledge(&head, 1);
    let rest: Vec<_> = world.take_all().iter().map(sequence).collect();
    assert_eq!(rest, [(0, 2), (0, 3), (0, 4)]);
    assert_eq!(world.producer.counters().bumps, 0);
}

#[test]
fn r12_only_the_head_completes_and_an_early_answer_is_kept() {
    let (mut world, _, sent) = in_flight(2, config());
    world.answer(&sent[0], &[(7, -1)]);
    world.answer(&sent[1], &[(87, -1)]);
    assert_eq!(world.outcomes(), [], "the second waits for its turn");
    world.back_off();
    let head = world.take();
    assert_eq!(head.only().bytes, sent[0].only().bytes);
    world.acknowledge(&head, 1);
    let code = crate::message::ErrorCode::INVALID_RECORD;
    let refused = Outcome::NotWritten(Cause::Code(code));
    assert_eq!(world.outcomes(), [(0, 1, 1, written(1)), (0, 2, 1, refused)]);
}

#[test]
fn r12_an_answer_for_another_request_closes_the_link() {
    let (mut world, _, sent) = in_flight(2, config());
    // The second is answered first: the stream of answers is not what was asked for.
    world.answer(&sent[1], &[(0, 2)]);
    let closed = world.notices.iter().any(|event| {
        let wrong = crate::error::Fault::WrongCorrelation;
        matches!(event, Event::LinkEnded(_, crate::Reason::Fault(fault)) if *fault == wrong)
    });
    assert!(closed, "{:?}", world.notices);
    assert_eq!(world.outcomes(), [], "nothing is believed");
    world.back_off();
    assert_eq!(world.take().only().bytes, sent[0].only().bytes);
}

#[test]
fn r13_only_the_oldest_request_has_a_deadline() {
    let (mut world, topic, sent) = in_flight(1, config());
    // 10 % less, at most a second.
    assert_eq!(sent[0].timeout_ms, 29_000);
    world.pass(20_000);
    world.send(topic, 0, "2");
    let second = world.take();
    world.pass(9_000);
    world.answer(&sent[0], &[(0, 1)]);
    // The second became the oldest only now.
    world.pass(29_999);
    assert!(world.notices.is_empty());
    world.pass(1);
    let ended = world
        .notices
        .iter()
        .any(|event| matches!(event, Event::LinkEnded(_, crate::Reason::RequestTimeout)));
    assert!(ended);
    assert_eq!(world.outcomes(), [(0, 1, 1, written(1))]);
    world.back_off();
    assert_eq!(world.take().only().bytes, second.only().bytes);
}

#[test]
fn r14_an_idle_producer_has_one_timer_and_no_bytes() {
    let mut world = World::new(config(), 1);
    let _ = world.warm();
    let before = world.producer.counters();
    world.pass(539_000);
    let after = world.producer.counters();
    assert_eq!((before.sent, before.received), (after.sent, after.received));
    world.pass(2_000);
    assert_eq!(world.producer.poll_timeout(), None, "every link was closed as idle");
    world.pass(3_600_000);
    assert_eq!(after.sent, world.producer.counters().sent);
}

#[test]
fn r14_a_connection_lost_while_idle_is_not_made_again() {
    let mut world = World::new(config(), 1);
    let topic = world.warm();
    let before = world.producer.counters().sent;
    for link in world.links() {
        world.disconnect(link);
    }
    world.pass(60_000);
    assert_eq!(world.producer.counters().sent, before);
    assert_eq!(world.producer.poll_timeout(), None);
    // The next record makes it look: metadata may be out of date.
    let asked = world.metadata_requests.len();
    world.send(topic, 0, "next");
    world.take();
    assert_eq!(world.metadata_requests.len(), asked + 1);
}

#[test]
fn r14_a_topic_that_was_only_named_is_not_asked_for_forever() {
    let mut world = World::new(config(), 1);
    world.down = std::vec![1];
    let topic = world.producer.topic("t").unwrap();
    world.pass(60_000);
    assert!(world.attempts <= 2, "{} attempts to connect", world.attempts);
    assert_eq!(world.producer.poll_timeout(), None);
    // A call that is refused until the topic is known is a cause, and stays one.
    let refused = world.producer.produce(world.now, topic, &Record::new(b"x"));
    assert_eq!(refused.unwrap_err(), Refused::TopicUnknown);
    let before = world.attempts;
    world.pass(60_000);
    assert!(world.attempts > before + 10);
    world.down.clear();
    world.pass(5_000);
    assert!(matches!(world.notices[..], [.., Event::Topic(known, Ok(1))] if known == topic));
}

#[test]
fn records_wait_for_the_time_of_day_or_count_from_a_floor() {
    use crate::config::UnknownTime;
    use crate::producer::Producer;
    let build = 1_760_000_000_000;
    let wait = Config { unknown_time: UnknownTime::Wait, ..config() };
    let floor = Config { unknown_time: UnknownTime::Floor(build), ..config() };
    let at = |millis| crate::time::Instant::from_millis(millis);
    let stamp = |producer: &mut Producer<Growable>, now: u64| {
        let topic = producer.declare_topic("t", 1).unwrap();
        producer.produce(at(now), topic, &Record::new(b"x")).map(|accepted| {
            let memory = producer.owner.memory();
            memory.batches[accepted.batch.id].max_timestamp.cast_unsigned()
        })
    };
    let mut waiting = Producer::new(Growable::new(1 << 20), wait, 1);
    assert_eq!(stamp(&mut waiting, 5), Err(Refused::TimeUnknown));
    assert!(!waiting.set_wall_clock(at(5), 86_400_000), "a clock that was not set");
    assert_eq!(stamp(&mut waiting, 5), Err(Refused::TimeUnknown));
    assert!(waiting.set_wall_clock(at(5), build));
    assert_eq!(stamp(&mut waiting, 7), Ok(build + 2));

    let mut floored = Producer::new(Growable::new(1 << 20), floor, 1);
    assert_eq!(stamp(&mut floored, 1_000), Ok(build + 1_000));
    assert!(!floored.set_wall_clock(at(5), build - 1), "before the firmware was built");
    assert!(floored.set_wall_clock(at(1_000), build + 5_000_000));
    assert_eq!(stamp(&mut floored, 1_001), Ok(build + 5_000_001));
}

#[test]
fn regression_the_time_of_day_counts_from_the_largest_instant() {
    for (seen, told) in [(3_600_000, 0), (0, 3_600_000)] {
        let mut world = World::new(config(), 1);
        world.producer.handle_timeout(crate::Instant::from_millis(seen));
        let wall = super::world::T.cast_unsigned();
        assert!(world.producer.set_wall_clock(crate::Instant::from_millis(told), wall));
        let topic = world.ready();
        let record = Record::new(b"x").partition(0);
        world.producer.produce(world.now, topic, &record).unwrap();
        world.run();
        let sent = world.take();
        let (batch, _) = crate::record::reader::Batch::read(&sent.only().bytes).unwrap();
        assert_eq!(batch.base_timestamp, super::world::T);
    }
}

#[test]
fn r21_a_flush_does_not_wait_for_more() {
    let settings = Config {
        linger: Duration::from_secs(20),
        delivery_timeout: Duration::from_secs(200),
        ..Config::new()
    };
    let mut world = World::new(settings, 1);
    let topic = world.warm_after_linger();
    for value in ["1", "2", "3"] {
        world.send(topic, 0, value);
        world.producer.flush(world.now);
        assert_eq!(world.take().only().values, [value]);
    }
}

#[test]
fn r21_crumbs_wait_while_two_requests_are_in_flight() {
    let settings = Config { linger: Duration::from_millis(20), ..Config::new() };
    let mut world = World::new(settings, 3);
    let topic = world.warm_after_linger();
    for value in ["1", "2"] {
        world.send(topic, 0, value);
        world.producer.flush(world.now);
        world.take();
    }
    world.send(topic, 1, "crumb");
    world.pass(20);
    assert!(world.take_all().is_empty(), "the slots of the link are not for crumbs");
    world.pass(19);
    assert!(world.take_all().is_empty());
    world.pass(1);
    assert_eq!(world.take().only().values, ["crumb"], "but for no longer than linger");
}

#[test]
#[cfg(feature = "proof")]
fn sequences_wrap_on_the_wire_and_across_a_lost_connection() {
    let mut world = World::new(config(), 1);
    let topic = world.ready();
    let first = crate::identity::Sequence::new(i32::MAX as u32 - 1);
    world.send(topic, 0, "a");
    world.producer.begin_sequences_at(topic, 0, first);
    let mut sequences = std::vec![];
    for offset in 0..4 {
        let sent = world.take();
        sequences.push(sent.only().sequence);
        if offset == 2 {
            world.disconnect(sent.link);
            world.back_off();
            let again = world.take();
            assert_eq!(again.only().bytes, sent.only().bytes);
            world.acknowledge(&again, offset);
        } else {
            world.acknowledge(&sent, offset);
        }
        world.send(topic, 0, "b");
    }
    assert_eq!(sequences, [i32::MAX - 1, i32::MAX, 0, 1]);
    let told = world.outcomes();
    assert_eq!(told.iter().map(|told| told.3).collect::<Vec<_>>(), [0, 1, 2, 3].map(written));
}

/// A failure that is decided is asked for once (R8), and is no more sent after that.
#[test]
fn regression_r08_what_failed_for_good_is_probed_and_not_sent_again() {
    // The last of three failed for good; an earlier one is found in the log.
    let settings = Config { retries: 1, ..config() };
    let (mut world, _, sent) = in_flight(3, settings);
    for (sent, code) in sent.iter().zip([2, 7, -1]) {
        world.answer(sent, &[(code, -1)]);
    }
    world.back_off();
    let head = world.take();
    world.answer(&head, &[(45, -1)]);
    for (expected, code) in [(2, 45), (1, 46)] {
        world.back_off();
        let probe = world.take();
        assert_eq!(probe.only().bytes, sent[expected].only().bytes);
        world.answer(&probe, &[(code, -1)]);
    }
    world.back_off();
    assert!(world.take_all().is_empty(), "a third attempt with one retry");
    // Nor under the next epoch, where delivery is preferred over no duplicates.
    let settings = Config { resend_after_state_loss: true, ..config() };
    let (mut world, _, sent) = in_flight(2, settings);
    for (sent, code) in sent.iter().zip([2, -1]) {
        world.answer(sent, &[(code, -1)]);
    }
    for _ in 0..2 {
        world.back_off();
        let sent = world.take();
        world.answer(&sent, &[(45, -1)]);
    }
    world.back_off();
    let again = world.take();
    assert_eq!(again.only().values, ["1"]);
    world.acknowledge(&again, 7);
    world.back_off();
    assert!(world.take_all().is_empty());
}

/// The second failed for good, and waits for its turn when a later one proves it written.
#[test]
fn regression_r04_what_failed_for_good_and_is_proven_written_is_told_so() {
    let proven = written(-1);
    let (mut world, _, sent) = in_flight(3, config());
    world.answer(&sent[0], &[(7, -1)]);
    world.answer(&sent[1], &[(-1, -1)]);
    world.acknowledge(&sent[2], 3);
    world.back_off();
    let head = world.take();
    world.answer(&head, &[(46, -1)]);
    assert_eq!(world.outcomes(), [(0, 1, 1, proven), (0, 2, 1, proven), (0, 3, 1, written(3))]);
    // Likewise by a probe. R8.
    let (mut world, _, sent) = in_flight(3, config());
    for (sent, code) in sent.iter().zip([2, -1, 7]) {
        world.answer(sent, &[(code, -1)]);
    }
    world.back_off();
    let head = world.take();
    world.answer(&head, &[(45, -1)]);
    world.back_off();
    let probe = world.take();
    assert_eq!(probe.only().bytes, sent[2].only().bytes);
    world.acknowledge(&probe, 5);
    let lost = Outcome::NotWritten(Cause::StateLost);
    assert_eq!(world.outcomes(), [(0, 1, 1, lost), (0, 2, 1, proven), (0, 3, 1, written(5))]);
}
