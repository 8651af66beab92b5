//! Changes of states that come together by several causes, and a walk through all of them.

use super::world::{Sent, World, config, written};
use super::{connections, discovery, links, outcomes, rows_split, sequences};
use crate::config::Config;
use crate::memory::Growable;
use crate::message::ErrorCode;
use crate::producer::{Cause, Doubt, Event, LinkAction, Outcome, Producer};
use crate::states::tests::missing;
use crate::time::{Duration, Instant};

/// A batch in flight in an opened window, and one behind it whose request is formed and not lent
/// beyond its head.
fn half_lent(settings: Config) -> (World, Sent) {
    let (mut world, topic, mut sent) = sequences::in_flight(1, settings);
    world.hold_output = true;
    world.send(topic, 0, "2");
    let link = sent[0].link;
    assert!(world.producer.output(link).is_some());
    world.producer.consume_output(world.now, link, 0);
    (world, sent.remove(0))
}

#[test]
fn what_was_never_lent_is_numbered_anew_with_what_was_refused() {
    let (mut world, first) = half_lent(config());
    world.answer(&first, &[(45, -1)]);
    world.disconnect(first.link);
    world.hold_output = false;
    world.back_off();
    let again = world.take();
    assert_eq!((again.only().epoch, again.only().sequence), (1, 0));
    world.acknowledge(&again, 1);
    let behind = world.take();
    assert_eq!((behind.only().epoch, behind.only().sequence), (1, 1));
    world.acknowledge(&behind, 2);
    assert_eq!(world.outcomes(), [(0, 1, 1, written(1)), (0, 2, 1, written(2))]);
}

#[test]
fn a_part_whose_time_is_over_before_it_is_lent_is_followed_by_the_rest() {
    let (mut world, _, sent) = rows_split::on_its_way(rows_split::lingering(), 8);
    world.hold_output = true;
    world.answer(&sent, &[rows_split::TOO_LARGE]);
    world.back_off();
    assert!(world.producer.output(sent.link).is_some());
    world.producer.consume_output(world.now, sent.link, 0);
    world.down.push(1);
    world.disconnect(sent.link);
    world.pass(120_000);
    let late = Outcome::NotWritten(Cause::Timeout);
    assert_eq!(world.outcomes(), [(0, 1, 4, late), (0, 5, 4, late)]);
}

#[test]
fn r04_a_success_behind_a_lost_place_finds_it_again() {
    let (mut world, _, sent) = sequences::in_flight(2, config());
    world.answer(&sent[0], &[(45, -1)]);
    world.acknowledge(&sent[1], 2);
    // The broker has what came later, so what it refused would be out of order now.
    let lost = Outcome::NotWritten(Cause::StateLost);
    assert_eq!(world.outcomes(), [(0, 1, 1, lost), (0, 2, 1, written(2))]);
    assert_eq!(world.producer.counters().bumps, 0);
}

#[test]
fn r08_when_time_is_over_before_the_probe_is_sent_the_next_epoch_begins() {
    let (mut world, topic, _, head) = sequences::three_in_doubt(config());
    world.answer(&head, &[(45, -1)]);
    let probe = world.take();
    world.down.push(1);
    world.disconnect(probe.link);
    world.pass(120_000);
    let doubt = Outcome::Unknown(Cause::Timeout, Doubt::Disconnected);
    assert_eq!(world.outcomes(), [(0, 1, 1, doubt), (0, 2, 1, doubt), (0, 3, 1, doubt)]);
    world.down.clear();
    world.send(topic, 0, "4");
    world.back_off();
    assert_eq!(world.take().only().epoch, 1);
}

#[test]
fn a_link_that_nobody_has_heard_of_is_given_up_in_silence() {
    let mut world = World::new(config(), 1);
    let topic = world.producer.declare_topic("t", 1).unwrap();
    world.try_send(topic, 0, "a").unwrap();
    world.producer.handle_timeout(world.now);
    world.producer.pause(world.now);
    assert!(world.producer.poll_link().is_none());
    world.producer.resume(world.now);
    assert!(matches!(world.producer.poll_link(), Some(LinkAction::Connect(..))));
}

#[test]
fn a_topic_that_fails_and_comes_back_is_usable_again() {
    let mut world = World::new(config(), 1);
    let topic = world.warm();
    let there = world.topics.remove("t").unwrap();
    world.topic_errors.insert("t".into(), ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    world.pass(300_001);
    world.send(topic, 0, "a");
    world.run();
    let refused = crate::Refused::Topic(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    assert_eq!(world.try_send(topic, 0, "b").map(|_| ()), Err(refused));
    world.topics.insert("t".into(), there);
    world.topic_errors.clear();
    world.pass(1_000);
    assert!(world.try_send(topic, 0, "c").is_ok());
}

#[test]
fn a_close_before_the_start_ends_at_once_and_a_second_one_can_only_be_earlier() {
    let mut unstarted = Producer::unstarted(Growable::new(1_000));
    unstarted.close(Instant::ZERO, Instant::MAX);
    assert_eq!(unstarted.poll_event(), Some(Event::Closed));

    let mut world = World::new(config(), 1);
    let topic = world.warm();
    world.send(topic, 0, "a");
    let at = |millis| world.now.after(Duration::from_millis(millis));
    let (late, soon) = (at(1_000), at(10));
    for deadline in [late, soon, late] {
        world.producer.close(world.now, deadline);
    }
    assert!(!world.producer.is_closed());
    world.pass(10);
    assert!(world.producer.is_closed());
}

#[test]
fn every_change_of_every_state_happens() {
    what_was_never_lent_is_numbered_anew_with_what_was_refused();
    a_part_whose_time_is_over_before_it_is_lent_is_followed_by_the_rest();
    r04_a_success_behind_a_lost_place_finds_it_again();
    r08_when_time_is_over_before_the_probe_is_sent_the_next_epoch_begins();
    a_link_that_nobody_has_heard_of_is_given_up_in_silence();
    a_topic_that_fails_and_comes_back_is_usable_again();
    a_close_before_the_start_ends_at_once_and_a_second_one_can_only_be_earlier();
    connections::setup_timeouts_and_back_offs_grow_with_failures_to_their_bounds();
    discovery::regression_a_refused_topic_that_is_tried_for_without_a_pause_makes_no_storm();
    links::r15_a_broker_without_a_common_version_is_refused_by_name();
    links::r15_what_a_broker_takes_is_learned_anew_after_every_failure();
    outcomes::r03_without_an_attempt_or_after_refusals_expiry_is_not_written();
    outcomes::r05_closing_resolves_every_record();
    sequences::r08_doubtful_batches_are_probed_newest_first_each_alone();
    sequences::r08_if_every_probe_is_denied_doubtful_batches_are_unknown();
    assert_eq!(missing(), []);
}
