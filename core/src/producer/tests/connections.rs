//! How long connections are waited for, kept, and made again.

use std::vec::Vec;

use super::world::{World, config};
use crate::config::{Acks, Config};
use crate::link::Reason;
use crate::message::ErrorCode;
use crate::producer::LinkAction;
use crate::time::{Duration, Instant};

/// How long each of `count` attempts to connect took until the machine gave it up, and how long the
/// pauses after them were, in milliseconds.
fn attempts(world: &mut World, count: usize) -> (Vec<u64>, Vec<u64>) {
    let (mut lasted, mut pauses) = (Vec::new(), Vec::new());
    let mut ended = None;
    let mut began = world.now;
    while lasted.len() < count {
        match world.producer.poll_link() {
            Some(LinkAction::Connect(..)) => {
                began = world.now;
                pauses.extend(ended.map(|ended: Instant| began.since(ended).as_millis()));
            }
            Some(LinkAction::Close(_, reason)) => {
                assert!(matches!(reason, Reason::SetupTimeout | Reason::Rebootstrap));
                lasted.push(world.now.since(began).as_millis());
                ended = Some(world.now);
            }
            None => {
                world.now = world.producer.poll_timeout().expect("a timer").max(world.now);
                world.producer.handle_timeout(world.now);
            }
        }
    }
    (lasted, pauses)
}

#[test]
pub(super) fn setup_timeouts_and_back_offs_grow_with_failures_to_their_bounds() {
    let settings = Config { delivery_timeout: Duration::from_secs(10_000), ..config() };
    let mut world = World::new(settings, 1);
    let topic = world.producer.topic("t").unwrap();
    world.send(topic, 0, "x");
    let (lasted, pauses) = attempts(&mut world, 8);
    let within = |value: u64, middle: u64| {
        assert!((middle * 8 / 10..=middle * 12 / 10).contains(&value), "{value}, not {middle}");
    };
    // 10 s doubling to 30 s, 50 ms doubling to 1 s; each with a fifth of jitter, and never beyond
    // the bound.
    let setups = [10_000, 20_000, 30_000, 30_000, 30_000, 30_000, 30_000, 30_000];
    lasted.iter().zip(setups).for_each(|(lasted, setup)| within(*lasted, setup));
    let backs_off = [50, 100, 200, 400, 800, 1_000, 1_000];
    pauses.iter().zip(backs_off).for_each(|(pause, back_off)| within(*pause, back_off));
    assert!(lasted.iter().all(|lasted| *lasted <= 30_000), "{lasted:?}");
    assert!(pauses.iter().all(|pause| *pause <= 1_000), "{pauses:?}");
}

#[test]
fn beginning_again_leaves_an_attempt_to_connect_its_time() {
    let mut world = World::new(Config { rebootstrap_trigger: Duration::ZERO, ..config() }, 1);
    let topic = world.producer.topic("t").unwrap();
    world.send(topic, 0, "x");
    let (lasted, _) = attempts(&mut world, 3);
    assert!(lasted.iter().all(|lasted| *lasted >= 8_000), "{lasted:?}");
    world.pass(20_000);
    assert_eq!(world.take().only().values, ["x"]);
}

#[test]
fn regression_a_failure_long_ago_is_no_reason_to_begin_again() {
    let settings = Config {
        idempotence: false,
        acks: Acks::Leader,
        metadata_max_age: Duration::from_secs(10),
        ..config()
    };
    let mut world = World::new(settings, 1);
    let topic = world.warm();
    world.pass(11_000);
    // One answer fails, and then nobody waits for another.
    world.metadata_error = ErrorCode::UNKNOWN_SERVER_ERROR;
    world.send(topic, 0, "a");
    let sent = world.take();
    world.acknowledge(&sent, 1);
    world.metadata_error = ErrorCode::NONE;
    assert_eq!(world.outcomes().len(), 1);
    world.pass(400_000);
    world.closed.clear();
    world.send(topic, 0, "b");
    assert_eq!(world.take().only().values, ["b"]);
    world.pass(2_000);
    assert_eq!(world.closed, []);
    assert!(world.take_all().is_empty());
}

#[test]
fn regression_code_129_to_every_negotiation_is_met_with_back_off() {
    let mut world = World::new(config(), 1);
    world.versions_error = ErrorCode::REBOOTSTRAP_REQUIRED;
    let topic = world.producer.declare_topic("t", 1).unwrap();
    world.send(topic, 0, "x");
    world.pass(10_000);
    assert!(world.attempts < 20, "{} connections in 10 s", world.attempts);
    world.versions_error = ErrorCode::NONE;
    world.pass(2_000);
    assert_eq!(world.take().only().values, ["x"]);
}

#[test]
fn a_success_makes_the_next_attempt_as_quick_as_the_first() {
    let mut world = World::new(config(), 1);
    world.down.push(1);
    let topic = world.producer.topic("t").unwrap();
    world.send(topic, 0, "x");
    world.pass(20_000);
    world.down.clear();
    world.pass(2_000);
    let sent = world.take();
    let before = world.attempts;
    world.disconnect(sent.link);
    // The first back-off of a connection is over before that of the batch, 100 ms; after many
    // failures it was a second.
    world.pass(121);
    assert!(world.attempts > before);
}

#[test]
fn a_half_open_connection_is_found_by_its_oldest_request() {
    let settings = Config { request_timeout: Duration::from_millis(3_000), ..config() };
    let mut world = World::new(settings, 1);
    let topic = world.warm();
    world.pass(60_000);
    // The peer is gone and nobody said so: bytes go out, and nothing comes back.
    world.send(topic, 0, "x");
    let sent = world.take();
    world.pass(2_999);
    assert!(!world.closed.contains(&Reason::RequestTimeout));
    world.pass(1);
    assert!(world.closed.contains(&Reason::RequestTimeout));
    world.pass(200);
    let again = world.take();
    assert_ne!(again.link, sent.link);
    assert_eq!(again.only().bytes, sent.only().bytes);
}

#[test]
fn an_idle_connection_is_closed_after_its_time_and_made_again_for_the_next_record() {
    let mut world = World::new(config(), 1);
    let topic = world.warm();
    world.pass(539_000);
    assert!(!world.closed.contains(&Reason::Idle));
    world.pass(1_000);
    assert_eq!(world.links(), [], "both that there were");
    assert_eq!(world.producer.poll_timeout(), None);
    let before = world.attempts;
    world.send(topic, 0, "x");
    assert_eq!(world.take().only().values, ["x"]);
    // To the leader, and where metadata is asked for, which is old by now.
    assert!(world.attempts - before <= 2, "{}", world.attempts - before);
}

#[test]
fn there_are_no_more_connections_than_brokers_that_lead_something_and_one() {
    let mut world = World::new(config(), 40);
    world.nodes = (1..=300).collect();
    for partition in 0..40 {
        world.lead(partition, 1 + (partition as i32 % 8), 0);
    }
    let topic = world.ready();
    world.pass(1_000);
    for round in 0..5 {
        for partition in 0..40 {
            world.send(topic, partition, "x");
        }
        world.run();
        while let Some(sent) = world.sent.pop_front() {
            world.acknowledge(&sent, round);
        }
        world.pass(1_000);
    }
    assert_eq!(world.outcomes().len(), 200);
    assert_eq!(world.attempts, 9, "eight leaders, and the address to begin with");
}

#[test]
fn regression_a_link_that_is_throttled_when_its_idle_time_ends_keeps_nobody_awake() {
    let settings = Config { connection_max_idle: Duration::from_millis(50), ..config() };
    let mut world = World::new(settings, 1);
    let topic = world.warm();
    world.send(topic, 0, "x");
    let sent = world.take();
    world.answer_with(&sent, &[(0, 1)], |answer, _| answer.throttle_ms = 3_000);
    for link in world.links().into_iter().filter(|link| *link != sent.link) {
        world.disconnect(link);
    }
    // Something is to be asked, and the throttled link is the only one.
    world.down.push(1);
    world.producer.topic("another").unwrap();
    let later = world.now.after(Duration::from_millis(60));
    world.producer.handle_timeout(later);
    let at = world.producer.poll_timeout();
    assert!(at.is_none_or(|at| at > later), "{at:?} at {later:?}");
}

#[test]
fn regression_a_broker_is_called_when_its_pause_is_over_in_a_table_that_grows() {
    let pause = Duration::from_secs(1);
    let settings = Config { reconnect_backoff: pause, reconnect_backoff_max: pause, ..config() };
    let mut world = World::new(settings, 5);
    world.lead_each(1..=5);
    let topic = world.ready();
    world.down = std::vec![1];
    world.send(topic, 0, "x");
    world.run();
    let lost = world.now;
    // The four links that there are go to brokers of which nothing is heard.
    (1..5).for_each(|partition| world.send(topic, partition, "x"));
    let mut called = Vec::new();
    while let Some(action) = world.producer.poll_link() {
        if let LinkAction::Connect(_, address) = action {
            called.extend(address.broker);
        }
    }
    called.sort_unstable();
    assert_eq!(called, [2, 3, 4, 5]);
    assert_eq!(world.producer.poll_timeout(), Some(lost.after(pause)));
    world.producer.handle_timeout(lost.after(pause));
    let action = world.producer.poll_link();
    assert!(
        matches!(&action, Some(LinkAction::Connect(_, address)) if address.broker == Some(1)),
        "{action:?}"
    );
    // Where the table does not grow, it is looked at once.
    assert!(world.producer.poll_timeout().is_some_and(|at| at > lost.after(pause)));
}

#[test]
fn a_broker_for_which_something_is_ready_is_called_again_without_news_of_the_cluster() {
    let pause = Duration::from_millis(50);
    let settings = Config { reconnect_backoff: pause, reconnect_backoff_max: pause, ..config() };
    let mut world = World::new(settings, 2);
    world.nodes.push(2);
    world.lead(1, 2, 0);
    let topic = world.ready();
    world.down.push(2);
    // Whoever is asked about the cluster has no answer from now on.
    world.metadata_error = ErrorCode::UNKNOWN_SERVER_ERROR;
    world.send(topic, 1, "x");
    world.run();
    let before = world.attempts;
    world.pass(50);
    assert_eq!(world.attempts - before, 1);
    world.down.clear();
    world.pass(50);
    assert_eq!(world.take().only().values, ["x"]);
}

#[test]
fn a_link_that_takes_no_further_request_keeps_nobody_awake() {
    let settings = Config { idempotence: false, batch_size: 1, max_in_flight: u8::MAX, ..config() };
    let mut world = World::new(settings, 60);
    let topic = world.warm();
    for partition in (0..60).cycle().take(300) {
        world.send(topic, partition, "x");
        world.run();
    }
    assert_eq!(world.take_all().len(), 255);
    let busy = world.first_link();
    for link in world.links().into_iter().filter(|link| *link != busy) {
        world.disconnect(link);
    }
    // Something is to be asked, and nobody is there to ask.
    world.producer.topic("another").unwrap();
    world.producer.handle_timeout(world.now);
    let at = world.producer.poll_timeout();
    assert!(at.is_none_or(|at| at > world.now), "{at:?} at {:?}", world.now);
}
