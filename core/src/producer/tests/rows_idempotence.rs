//! Scenario rows F (normal and reordered answers), G (gaps, bumps, lost state) and H (expiry).

use std::vec::Vec;

use super::world::{Sent, World, config, written};
use crate::config::Config;
use crate::identity::Sequence;
use crate::memory::Owner;
use crate::message::ErrorCode;
use crate::producer::{Cause, Doubt, Event, Outcome, Topic};
use crate::time::{Duration, Instant};

fn identity(sent: &Sent) -> (i16, i32) {
    (sent.only().epoch, sent.only().sequence)
}

fn identities(sent: &[Sent]) -> Vec<(i16, i32)> {
    sent.iter().map(identity).collect()
}

/// Batches of one record each in flight in an opened window: sequences 1 to `count`.
fn in_flight(count: usize) -> (World, Topic, Vec<Sent>) {
    let mut world = World::new(config(), 1);
    let topic = world.warm();
    let mut sent = Vec::new();
    for index in 0..count {
        world.send(topic, 0, &std::format!("{}", index + 1));
        sent.push(world.take());
    }
    (world, topic, sent)
}

fn acknowledged(world: &mut World) -> Option<i32> {
    world.sequences(0).acknowledged().map(Sequence::get)
}

#[test]
fn f50_data_waits_for_the_producer_id() {
    let mut world = World::new(config(), 1);
    world.ids.push_back(Err(ErrorCode::CLUSTER_AUTHORIZATION_FAILED));
    let topic = world.ready();
    world.send(topic, 0, "a");
    assert!(world.take_all().is_empty());
    let code = ErrorCode::CLUSTER_AUTHORIZATION_FAILED;
    let refused = Outcome::NotWritten(Cause::Code(code));
    assert_eq!(world.outcomes(), [(0, 0, 1, refused)]);
    // A later record tries again.
    world.send(topic, 0, "b");
    assert_eq!(world.take().only().id, 7);
    assert_eq!(world.id_requests, 2);
}

#[test]
fn f51_sequences_go_on_with_each_batch() {
    let (mut world, _, sent) = in_flight(2);
    assert_eq!(identities(&sent), [(0, 1), (0, 2)]);
    assert_eq!(world.sequences(0).next().get(), 3);
    assert_eq!(acknowledged(&mut world), Some(1));
    world.acknowledge(&sent[0], 1);
    assert_eq!(acknowledged(&mut world), Some(2));
    world.acknowledge(&sent[1], 2);
    assert_eq!(acknowledged(&mut world), Some(3));
}

#[test]
fn f52_what_failed_goes_out_again_in_order_the_head_alone() {
    let (mut world, topic, sent) = in_flight(3);
    world.send(topic, 0, "4");
    let fourth = world.take();
    world.answer(&sent[0], &[(5, -1)]);
    for later in [&sent[1], &sent[2], &fourth] {
        world.answer(later, &[(45, -1)]);
    }
    world.back_off();
    let head = world.take();
    assert_eq!(identity(&head), (0, 1));
    world.acknowledge(&head, 1);
    // R7: its success opens the window again, for the others in order.
    assert_eq!(identities(&world.take_all()), [(0, 2), (0, 3), (0, 4)]);
    assert_eq!(world.producer.counters().bumps, 0);
}

#[test]
fn f54_a_later_success_moves_the_acknowledged_sequence() {
    let (mut world, _, sent) = in_flight(2);
    world.answer(&sent[0], &[(7, -1)]);
    world.answer(&sent[1], &[(0, 2)]);
    assert_eq!(acknowledged(&mut world), Some(3));
    world.back_off();
    let again = world.take();
    assert_eq!(identity(&again), (0, 1));
    world.acknowledge(&again, 1);
    assert_eq!(acknowledged(&mut world), Some(3), "it keeps its place");
    assert_eq!(world.outcomes(), [(0, 1, 1, written(1)), (0, 2, 1, written(2))]);
}

#[test]
fn f55_after_a_disconnect_the_same_batches_go_out_again() {
    let (mut world, _, sent) = in_flight(2);
    world.disconnect(sent[0].link);
    world.back_off();
    let first = world.take();
    assert_eq!(first.only().bytes, sent[0].only().bytes);
    // The broker knows it: success with the offset of the first time.
    world.acknowledge(&first, 1);
    let second = world.take();
    assert_eq!(second.only().bytes, sent[1].only().bytes);
    world.acknowledge(&second, 2);
    assert_eq!(world.outcomes(), [(0, 1, 1, written(1)), (0, 2, 1, written(2))]);
}

#[test]
fn f56_a_duplicate_is_written_without_an_offset() {
    let (mut world, _, sent) = in_flight(1);
    world.answer(&sent[0], &[(46, 77)]);
    assert_eq!(world.outcomes(), [(0, 1, 1, written(-1))]);
}

/// A world whose partition goes on at this sequence.
fn at_sequence(next: u32) -> (World, Topic) {
    let (mut world, topic, _) = in_flight(0);
    let memory = world.producer.owner.memory();
    let partition = memory.find_partition(topic.id, 0);
    let sequences = &mut memory.partitions.into_slot_mut(partition.number()).sequences;
    let skipped = Sequence::new(next).before(1).get().cast_unsigned();
    let base = sequences.assign(skipped);
    sequences.succeeded(base.after(skipped), Instant::from_millis(1));
    sequences.resolved();
    (world, topic)
}

#[test]
fn f58_sequences_wrap_to_zero() {
    let (mut world, topic) = at_sequence(i32::MAX as u32);
    world.send(topic, 0, "last");
    let last = world.take();
    assert_eq!(identity(&last), (0, i32::MAX));
    world.acknowledge(&last, 1);
    for _ in 0..100 {
        world.send(topic, 0, "x");
    }
    let next = world.take();
    assert_eq!((identity(&next), next.only().count), ((0, 0), 100));
    assert_eq!(world.sequences(0).next().get(), 100);
}

#[test]
fn f59_order_is_kept_across_the_wrap() {
    let (mut world, topic) = at_sequence(i32::MAX as u32 - 7);
    for _ in 0..20 {
        world.send(topic, 0, "x");
    }
    let straddling = world.take();
    world.send(topic, 0, "y");
    let after = world.take();
    assert_eq!(identities(&[straddling.clone(), after.clone()]), [(0, i32::MAX - 7), (0, 12)]);
    world.answer(&straddling, &[(6, -1)]);
    world.answer(&after, &[(6, -1)]);
    world.back_off();
    let head = world.take();
    assert_eq!(head.only().bytes, straddling.only().bytes);
    world.acknowledge(&head, 1);
    let second = world.take();
    assert_eq!(second.only().bytes, after.only().bytes);
    world.acknowledge(&second, 21);
    assert_eq!(acknowledged(&mut world), Some(13));
    assert_eq!(world.outcomes().len(), 2);
}

#[test]
fn g60_a_refused_batch_leaves_a_hole_that_a_bump_mends() {
    let (mut world, _, sent) = in_flight(2);
    world.answer(&sent[0], &[(10, -1)]);
    world.answer(&sent[1], &[(45, -1)]);
    let again = world.take();
    assert_eq!((identity(&again), again.only().values[0].as_str()), ((1, 0), "2"));
    world.acknowledge(&again, 1);
    assert_eq!(acknowledged(&mut world), Some(1));
    let code = ErrorCode::MESSAGE_TOO_LARGE;
    let refused = Outcome::NotWritten(Cause::Code(code));
    assert_eq!(world.outcomes(), [(0, 1, 1, refused), (0, 2, 1, written(1))]);
}

#[test]
fn g61_a_lost_place_without_doubt_is_bumped_and_retried() {
    let (mut world, _, sent) = in_flight(1);
    world.answer(&sent[0], &[(45, -1)]);
    let again = world.take();
    assert_eq!(identity(&again), (1, 0));
    assert_eq!(again.only().values, ["1"]);
}

/// Partition 0 on node 1 has lost its place; partition 1 is on node 2, under epoch 0.
fn bumped_by_a_neighbour(busy: bool) -> (World, Topic, Option<Sent>) {
    let mut world = World::new(config(), 2);
    world.nodes.push(2);
    world.lead(1, 2, 0);
    let topic = world.warm();
    world.send(topic, 1, "q0");
    let sent = world.take();
    world.acknowledge(&sent, 0);
    let flying = busy.then(|| {
        world.send(topic, 1, "q1");
        world.take()
    });
    world.send(topic, 0, "p1");
    let sent = world.take();
    world.answer(&sent, &[(45, -1)]);
    let again = world.take();
    assert_eq!(identity(&again), (1, 0));
    world.acknowledge(&again, 1);
    (world, topic, flying)
}

#[test]
fn g62_an_idle_neighbour_takes_the_epoch_with_its_next_batch() {
    let (mut world, topic, _) = bumped_by_a_neighbour(false);
    assert_eq!(world.sequences(1).identity().map(|i| i.epoch), Some(0));
    world.send(topic, 1, "q1");
    assert_eq!(identity(&world.take()), (1, 0));
    assert_eq!(world.producer.counters().bumps, 1);
}

#[test]
fn g63_a_busy_neighbour_finishes_under_its_epoch() {
    let (mut world, topic, flying) = bumped_by_a_neighbour(true);
    world.answer(&flying.unwrap(), &[(6, -1)]);
    world.send(topic, 1, "q2");
    world.back_off();
    let again = world.take();
    assert_eq!((identity(&again), again.only().values[0].as_str()), ((0, 1), "q1"));
    world.acknowledge(&again, 1);
    let next = world.take();
    assert_eq!((identity(&next), next.only().values[0].as_str()), ((1, 0), "q2"));
}

#[test]
fn g64_after_the_last_epoch_all_start_over_under_a_new_id() {
    let mut world = World::new(config(), 2);
    world.ids.push_back(Ok((7, i16::MAX)));
    world.ids.push_back(Ok((8, 0)));
    let topic = world.warm();
    world.send(topic, 1, "q0");
    let sent = world.take();
    world.acknowledge(&sent, 0);
    world.send(topic, 0, "p1");
    let sent = world.take();
    world.answer(&sent, &[(45, -1)]);
    let again = world.take();
    assert_eq!((again.only().id, identity(&again)), (8, (0, 0)));
    world.acknowledge(&again, 1);
    world.send(topic, 1, "q1");
    let other = world.take();
    assert_eq!((other.only().id, identity(&other)), (8, (0, 0)));
}

/// The last batch is answered 59 with this log start.
fn unknown_producer(log_start: i64) -> (World, Sent) {
    let (mut world, _, sent) = in_flight(1);
    world.answer_with(&sent[0], &[(59, -1)], |reply, _| {
        reply.topics[0].partitions[0].answer.log_start = log_start;
    });
    world.back_off();
    let again = world.take();
    (world, again)
}

#[test]
fn g65_an_unknown_producer_whose_data_was_deleted_is_bumped() {
    let (_, again) = unknown_producer(1_010);
    assert_eq!(identity(&again), (1, 0));
}

#[test]
fn g66_an_unknown_producer_without_a_log_start_is_a_plain_retry() {
    let (world, again) = unknown_producer(-1);
    assert_eq!(identity(&again), (0, 1));
    assert_eq!(world.producer.counters().bumps, 0);
}

#[test]
fn g67_two_answers_of_an_unknown_producer_bump_once() {
    let (mut world, _, sent) = in_flight(2);
    world.answer(&sent[0], &[(59, -1)]);
    world.answer(&sent[1], &[(59, -1)]);
    let head = world.take();
    assert_eq!(identity(&head), (1, 0));
    world.acknowledge(&head, 1);
    assert_eq!(identity(&world.take()), (1, 1));
    assert_eq!(world.producer.counters().bumps, 1);
}

#[test]
fn g68_an_unknown_producer_that_lost_data_is_bumped_and_retried() {
    let (_, again) = unknown_producer(0);
    assert_eq!(identity(&again), (1, 0));
}

#[test]
fn g69_a_batch_keeps_its_identity_while_it_may_be_in_the_log() {
    let mut world = World::new(config(), 2);
    world.nodes.push(2);
    world.lead(1, 2, 0);
    world.ids.push_back(Ok((7, i16::MAX)));
    world.ids.push_back(Ok((8, 0)));
    let topic = world.warm();
    world.send(topic, 1, "q0");
    let q0 = world.take();
    // Without an answer, and then the neighbour uses up the id.
    world.disconnect(q0.link);
    world.send(topic, 0, "p1");
    let p1 = world.take_all().into_iter().find(|s| s.only().partition == 0).unwrap();
    world.answer(&p1, &[(45, -1)]);
    world.back_off();
    let again = world.take_all().into_iter().find(|s| s.only().partition == 1).unwrap();
    assert_eq!(again.only().bytes, q0.only().bytes);
    assert_eq!(again.only().id, 7);
}

#[test]
fn g70_a_renumbered_batch_that_is_fenced_is_retried() {
    let (mut world, _, sent) = in_flight(1);
    world.answer(&sent[0], &[(45, -1)]);
    let again = world.take();
    assert_eq!(identity(&again), (1, 0));
    world.answer(&again, &[(47, -1)]);
    let third = world.take();
    assert_eq!(identity(&third), (2, 0));
    world.acknowledge(&third, 1);
    assert_eq!(world.outcomes(), [(0, 1, 1, written(1))]);
}

#[test]
fn g71_a_lost_place_of_the_first_in_flight_is_not_fatal() {
    let (mut world, _, sent) = in_flight(1);
    world.answer(&sent[0], &[(45, -1)]);
    let again = world.take();
    world.acknowledge(&again, 1);
    assert_eq!(world.outcomes(), [(0, 1, 1, written(1))]);
    assert!(!world.notices.iter().any(|event| matches!(event, Event::Fatal(_))));
}

#[test]
fn g72_a_later_success_proves_a_batch_that_timed_out() {
    let (mut world, topic, sent) = in_flight(1);
    // Its answer never comes; the next one's does, over the same link, after the broker's own
    // limit was reported for it.
    world.send(topic, 0, "2");
    let second = world.take();
    world.answer(&sent[0], &[(7, -1)]);
    world.answer(&second, &[(0, 2)]);
    world.down.push(1);
    world.disconnect(second.link);
    world.pass(120_000);
    assert_eq!(world.outcomes(), [(0, 1, 1, written(-1)), (0, 2, 1, written(2))]);
}

#[test]
fn g73_a_new_leader_gets_one_batch_until_it_has_acknowledged_one() {
    let (mut world, topic, sent) = in_flight(1);
    world.nodes.push(2);
    world.lead(0, 2, 1);
    world.answer(&sent[0], &[(6, -1)]);
    for value in ["2", "3"] {
        world.send(topic, 0, value);
        world.producer.flush(world.now);
    }
    world.back_off();
    let first = world.take();
    assert_eq!(first.node, Some(2));
    world.acknowledge(&first, 1);
    assert_eq!(identities(&world.take_all()), [(0, 2), (0, 3)]);
}

#[test]
fn g74_nothing_goes_to_the_new_leader_while_the_old_one_owes_an_answer() {
    // Told in full by r11_nothing_goes_to_a_new_leader_before_the_old_link_is_done; here by way
    // of a lost link.
    let (mut world, _, sent) = in_flight(2);
    world.nodes.push(2);
    world.lead(0, 2, 1);
    world.answer(&sent[0], &[(6, -1)]);
    world.pass(2_000);
    assert!(world.take_all().is_empty());
    world.disconnect(sent[1].link);
    world.back_off();
    let head = world.take();
    assert_eq!((head.node, identity(&head)), (Some(2), (0, 1)));
}

#[test]
fn h75_a_batch_that_was_never_sent_uses_no_sequence() {
    let mut world = World::new(config(), 1);
    let topic = world.warm();
    world.down.push(1);
    let link = world.first_link();
    world.disconnect(link);
    world.send(topic, 0, "a");
    world.pass(120_000);
    assert_eq!(world.outcomes(), [(0, 1, 1, Outcome::NotWritten(Cause::Timeout))]);
    world.down.clear();
    world.send(topic, 0, "b");
    world.pass(2_000);
    assert_eq!(identity(&world.take()), (0, 1));
}

/// Two batches in flight for most of their time: the first was answered 6 and goes out again,
/// the second has no answer yet when both are about to expire.
fn old_pair() -> (World, Topic, Sent, Sent) {
    let settings = Config {
        request_timeout: Duration::from_millis(2_000),
        delivery_timeout: Duration::from_millis(2_000),
        retry_backoff: Duration::from_millis(1_500),
        retry_backoff_max: Duration::from_millis(1_500),
        ..config()
    };
    let mut world = World::new(settings, 1);
    let topic = world.warm();
    world.send(topic, 0, "1");
    let first = world.take();
    world.pass(1_000);
    world.send(topic, 0, "2");
    let second = world.take();
    (world, topic, first, second)
}

#[test]
fn h76_an_expired_batch_whose_follower_is_written_leaves_no_trace() {
    let (mut world, topic, first, second) = old_pair();
    world.answer(&first, &[(6, -1)]);
    world.pass(1_001);
    let doubt = Doubt::Code(ErrorCode::NOT_LEADER_OR_FOLLOWER);
    let unknown = Outcome::Unknown(Cause::Timeout, doubt);
    assert_eq!(world.outcomes(), [(0, 1, 1, unknown)]);
    assert!(world.sequences(0).is_broken());
    world.answer(&second, &[(0, 2)]);
    assert!(!world.sequences(0).is_broken());
    assert_eq!(acknowledged(&mut world), Some(3));
    world.send(topic, 0, "3");
    world.pass(1_600);
    assert_eq!(identity(&world.take()), (0, 3));
}

#[test]
fn h77_an_expired_batch_whose_follower_is_out_of_order_is_bumped_over() {
    let (mut world, topic, first, second) = old_pair();
    world.answer(&first, &[(6, -1)]);
    world.pass(1_001);
    assert_eq!(world.outcomes().len(), 1);
    world.send(topic, 0, "3");
    assert!(world.take_all().is_empty(), "nothing new while the gap is open");
    world.answer(&second, &[(45, -1)]);
    world.pass(600);
    let again = world.take();
    assert_eq!((identity(&again), again.only().values[0].as_str()), ((1, 0), "2"));
    world.acknowledge(&again, 2);
    assert_eq!(identity(&world.take()), (1, 1));
}

#[test]
fn h78_if_all_expired_the_next_batch_starts_a_new_epoch() {
    let (mut world, topic, first, second) = old_pair();
    world.answer(&first, &[(6, -1)]);
    world.answer(&second, &[(6, -1)]);
    world.down.push(1);
    world.disconnect(second.link);
    world.pass(2_500);
    assert_eq!(world.outcomes().len(), 2);
    world.down.clear();
    world.send(topic, 0, "3");
    world.pass(1_800);
    assert_eq!(identity(&world.take()), (1, 0));
}

#[test]
fn h81_a_success_after_an_expiry_keeps_the_id() {
    let (mut world, topic, first, second) = old_pair();
    world.answer(&first, &[(6, -1)]);
    world.pass(1_001);
    world.answer(&second, &[(0, 2)]);
    assert_eq!(world.outcomes().len(), 2);
    assert_eq!((world.id_requests, world.producer.counters().bumps), (1, 0));
    world.send(topic, 0, "3");
    world.pass(1_600);
    assert_eq!(world.take().only().id, 7);
}

#[test]
fn h82_a_late_success_is_not_told_twice_and_moves_sequences() {
    let settings = Config { delivery_timeout: Duration::from_millis(30_005), ..config() };
    let mut world = World::new(settings, 1);
    let topic = world.warm();
    world.send(topic, 0, "1");
    // A second attempt keeps the link's deadline away from the batch's.
    let sent = world.take();
    world.pass(10_000);
    world.answer(&sent, &[(19, -1)]);
    world.pass(120);
    let again = world.take();
    world.pass(20_000);
    let unknown = Outcome::Unknown(Cause::Timeout, Doubt::Unanswered);
    assert_eq!(world.outcomes(), [(0, 1, 1, unknown)]);
    assert_eq!(world.producer.owner().blocks_used(), 1);
    world.answer(&again, &[(0, 1)]);
    assert_eq!(world.outcomes(), []);
    assert_eq!(acknowledged(&mut world), Some(2));
    assert_eq!(world.producer.owner().blocks_used(), 0);
}

#[test]
fn h83_batches_of_several_partitions_expire_together() {
    let mut world = World::new(config(), 4);
    let topic = world.warm();
    world.down.push(1);
    let link = world.first_link();
    world.disconnect(link);
    for partition in 0..3 {
        world.send(topic, partition, "x");
    }
    world.pass(60_000);
    world.send(topic, 3, "later");
    world.pass(60_000);
    let expired = world.outcomes();
    assert_eq!(expired.len(), 3);
    assert!(expired.iter().all(|o| o.3 == Outcome::NotWritten(Cause::Timeout)));
    // The timer is that of the one that is left.
    world.pass(59_999);
    assert_eq!(world.outcomes(), []);
    world.pass(1);
    assert_eq!(world.outcomes().len(), 1);
}

#[test]
fn h84_the_longest_delivery_timeout_never_expires() {
    let settings = Config { delivery_timeout: Duration::MAX, ..config() };
    let mut world = World::new(settings, 1);
    let topic = world.warm();
    world.down.push(1);
    let link = world.first_link();
    world.disconnect(link);
    world.send(topic, 0, "a");
    world.producer.handle_timeout(Instant::from_millis(u64::MAX / 2_000));
    assert_eq!(world.producer.poll_event().map(|e| matches!(e, Event::Delivered(_))), Some(false));
}
