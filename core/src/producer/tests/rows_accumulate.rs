//! Scenario rows A (accumulator, linger, drain) and B (buffer memory).

use std::vec::Vec;

use super::world::{T, World, config, written};
use crate::config::{Acks, Config};
use crate::error::{Full, Refused};
use crate::memory::Growable;
use crate::producer::{Cause, Outcome, Topic};
use crate::record::{Record, layout, size};
use crate::time::{Duration, Instant};

/// Linger of 10 ms, and batches for a kilobyte of records.
fn kilobyte() -> Config {
    Config {
        batch_size: 1_025 + layout::HEADER,
        linger: Duration::from_millis(10),
        ..Config::new()
    }
}

/// Fills the open batch of a partition until one more record like the others would not fit.
fn fill(world: &mut World, topic: Topic, partition: i32) -> u32 {
    let value = [b'x'; 91];
    let record = Record::new(&value).partition(partition).timestamp(T);
    let one = size::record(size::body(size::fields(&record), 0, 0));
    let limit = world.producer.config().batch_size - layout::HEADER;
    for _ in 0..limit / one {
        world.producer.produce(world.now, topic, &record).unwrap();
    }
    limit / one
}

fn one_more(world: &mut World, topic: Topic, partition: i32) {
    let value = [b'x'; 91];
    let record = Record::new(&value).partition(partition).timestamp(T);
    world.producer.produce(world.now, topic, &record).unwrap();
}

fn delay(world: &mut World) -> Duration {
    world.producer.poll_timeout().unwrap_or(Instant::MAX).since(world.now)
}

/// `p0`, `p1` on node 1 and `p2`, `p3` on node 2, all links open.
fn two_nodes(settings: Config) -> (World, Topic) {
    let mut world = World::new(settings, 4);
    world.nodes.push(2);
    world.lead(2, 2, 0);
    world.lead(3, 2, 0);
    let topic = world.ready();
    for partition in 0..4 {
        world.send(topic, partition, "first");
        world.producer.flush(world.now);
        world.acknowledge_all();
    }
    world.outcomes();
    world.pass(500);
    (world, topic)
}

#[test]
fn a01_a_batch_that_is_not_full_waits_for_its_linger() {
    let (mut world, topic) = two_nodes(kilobyte());
    fill(&mut world, topic, 0);
    assert!(world.take_all().is_empty());
    assert_eq!(delay(&mut world), Duration::from_millis(10));
    world.pass(9);
    assert!(world.take_all().is_empty());
    world.pass(1);
    assert_eq!(world.take().only().partition, 0);
}

#[test]
fn a02_the_next_check_is_for_the_older_batch() {
    let (mut world, topic) = two_nodes(kilobyte());
    fill(&mut world, topic, 0);
    world.pass(5);
    fill(&mut world, topic, 2);
    assert!(world.take_all().is_empty());
    assert_eq!(delay(&mut world), Duration::from_millis(5));
}

#[test]
fn a03_one_record_too_many_makes_the_first_batch_ready() {
    let (mut world, topic) = two_nodes(kilobyte());
    fill(&mut world, topic, 0);
    let full = fill(&mut world, topic, 1);
    assert!(world.take_all().is_empty());
    one_more(&mut world, topic, 1);
    let sent = world.take();
    assert_eq!((sent.only().partition, sent.only().count), (1, full as i32));
}

#[test]
fn a04_linger_gives_one_batch_with_the_record() {
    let mut world = World::new(kilobyte(), 1);
    let topic = world.ready();
    world.send(topic, 0, "a");
    world.pass(10);
    assert_eq!(world.take().only().values, ["a"]);
}

#[test]
fn a05_a_large_record_has_a_batch_of_its_own() {
    let settings = Config { batch_size: 512, linger: Duration::from_secs(10), ..Config::new() };
    let mut world = World::new(settings, 1);
    let topic = world.ready();
    let large = [b'x'; 1_000];
    let record = Record::new(&large).partition(0).timestamp(T);
    let first = world.producer.produce(world.now, topic, &record).unwrap();
    // Full at once: it does not linger.
    let sent = world.take();
    assert_eq!(sent.only().count, 1);
    let second = world.try_send(topic, 0, "second").unwrap();
    assert_ne!(first.batch, second.batch);
    assert_eq!(second.place, 0);
    world.acknowledge(&sent, 0);
    assert!(world.take_all().is_empty(), "the second lingers");
}

/// One batch per request and one request in flight per link, so that turns can be seen.
fn one_at_a_time() -> Config {
    Config {
        max_request_size: 1_024,
        batch_size: 1_024,
        max_in_flight: 1,
        linger: Duration::ZERO,
        ..Config::new()
    }
}

fn big(world: &mut World, topic: Topic, partition: i32) {
    let value = [b'x'; 900];
    let record = Record::new(&value).partition(partition).timestamp(T);
    world.producer.produce(world.now, topic, &record).unwrap();
}

fn partitions(sent: &[super::world::Sent]) -> Vec<i32> {
    let mut found: Vec<_> = sent.iter().map(|s| s.only().partition).collect();
    found.sort_unstable();
    found
}

#[test]
fn a06_a_request_takes_no_more_than_max_request_size() {
    let (mut world, topic) = two_nodes(one_at_a_time());
    big(&mut world, topic, 0);
    big(&mut world, topic, 1);
    let first = world.take();
    assert_eq!(first.only().partition, 0);
    world.acknowledge(&first, 1);
    assert_eq!(world.take().only().partition, 1);
}

#[test]
fn a07_partitions_of_a_node_take_turns() {
    let (mut world, topic) = two_nodes(one_at_a_time());
    for partition in 0..4 {
        big(&mut world, topic, partition);
    }
    for expected in [[0, 2], [1, 3], [0, 2]] {
        let sent = world.take_all();
        assert_eq!(partitions(&sent), expected);
        if expected == [0, 2] {
            big(&mut world, topic, 0);
            big(&mut world, topic, 2);
        }
        for sent in sent {
            world.acknowledge(&sent, 1);
        }
    }
}

#[test]
fn a08_a_partition_that_may_not_send_is_passed_over() {
    let (mut world, topic) = two_nodes(one_at_a_time());
    big(&mut world, topic, 3);
    let muted = world.take();
    world.answer(&muted, &[(19, -1)]);
    // p3 backs off; its neighbour is not held up by it.
    big(&mut world, topic, 2);
    assert_eq!(world.take().only().partition, 2);
}

fn plain() -> Config {
    Config { idempotence: false, max_in_flight: 1, ..config() }
}

#[test]
fn a09_with_one_in_flight_the_next_batch_waits_for_the_answer() {
    let mut world = World::new(plain(), 1);
    let topic = world.ready();
    world.send(topic, 0, "1");
    let first = world.take();
    assert_eq!((first.only().id, first.only().epoch, first.only().sequence), (-1, -1, -1));
    world.send(topic, 0, "2");
    assert!(world.take_all().is_empty());
    world.acknowledge(&first, 0);
    assert_eq!(world.take().only().values, ["2"]);
    assert_eq!(world.id_requests, 0);
}

#[test]
fn a10_an_expired_batch_in_flight_still_holds_back_the_next() {
    let mut world = World::new(plain(), 1);
    let topic = world.ready();
    world.send(topic, 0, "1");
    let mut sent = world.take();
    while world.now < Instant::from_millis(100_000) {
        world.answer(&sent, &[(19, -1)]);
        world.back_off();
        sent = world.take();
    }
    world.send(topic, 0, "2");
    world.pass(20_000);
    assert_eq!(world.outcomes().len(), 1, "expired");
    assert!(world.take_all().is_empty());
    world.answer(&sent, &[(19, -1)]);
    assert_eq!(world.take().only().values, ["2"]);
}

#[test]
fn a11_a_flush_makes_all_ready_and_ends_also_if_some_fail() {
    let settings = Config {
        linger: Duration::from_secs(1_000),
        delivery_timeout: Duration::from_secs(2_000),
        ..Config::new()
    };
    let mut world = World::new(settings, 2);
    let topic = world.ready();
    world.send(topic, 0, "a");
    world.send(topic, 1, "b");
    let flush = world.producer.flush(world.now);
    let sent = world.take();
    assert_eq!(sent.batches.len(), 2);
    assert!(!world.producer.is_flushed(flush));
    world.answer(&sent, &[(87, -1), (0, 0)]);
    assert!(world.producer.is_flushed(flush));
}

#[test]
fn a13_without_a_leader_metadata_is_asked_for_and_the_batch_stays() {
    let mut world = World::new(config(), 1);
    world.topics.get_mut("t").unwrap()[0] = None;
    let topic = world.ready();
    world.send(topic, 0, "a");
    let before = world.metadata_requests.len();
    world.pass(5_000);
    assert!(world.metadata_requests.len() > before);
    assert!(world.take_all().is_empty());
    world.lead(0, 1, 1);
    world.pass(2_000);
    assert_eq!(world.take().only().values, ["a"]);
}

#[test]
fn a14_a_batch_of_a_deleted_topic_times_out() {
    let mut world = World::new(config(), 1);
    let topic = world.warm();
    world.topics.remove("t");
    world.send(topic, 0, "a");
    let sent = world.take();
    world.answer(&sent, &[(3, -1)]);
    while world.now < Instant::from_millis(125_000) {
        world.pass(1_000);
        for sent in world.take_all() {
            world.answer(&sent, &[(3, -1)]);
        }
    }
    let code = crate::message::ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    let doubt = crate::producer::Doubt::Code(code);
    assert_eq!(world.outcomes(), [(0, 1, 1, Outcome::Unknown(Cause::Timeout, doubt))]);
}

#[test]
fn a15_batch_size_0_makes_a_batch_of_each_record() {
    let settings = Config { batch_size: 0, linger: Duration::from_secs(10), ..Config::new() };
    let mut world = World::new(settings, 1);
    let topic = world.warm_after_linger();
    for value in ["1", "2", "3"] {
        world.send(topic, 0, value);
    }
    let sent = world.take_all();
    assert_eq!(sent.iter().map(|s| s.only().count).collect::<Vec<_>>(), [1, 1, 1]);
}

#[test]
fn b16_a_refusal_leaves_memory_as_it_was() {
    let settings = Config { batch_size: 1_024, linger: Duration::from_secs(9), ..Config::new() };
    let mut world = World::with(Growable::new(2_048), settings, 3);
    let topic = world.ready();
    world.hold_output = true;
    world.send(topic, 0, "a");
    world.send(topic, 1, "b");
    let before = world.producer.owner().charged();
    for _ in 0..3 {
        assert_eq!(world.try_send(topic, 2, "c"), Err(Refused::Full(Full::Memory)));
    }
    assert_eq!(world.producer.owner().charged(), before);
    assert_eq!(world.producer.owner().blocks_used(), 2);
}

#[test]
fn b17_a_record_larger_than_the_memory_is_refused_for_good() {
    let mut world = World::with(Growable::new(4_096), config(), 1);
    let topic = world.ready();
    let large = [0; 4_096];
    let record = Record::new(&large).partition(0);
    let refused = world.producer.produce(world.now, topic, &record);
    assert_eq!(refused, Err(Refused::LargerThanMemory));
}

#[test]
fn b20_a_refusal_makes_all_partitions_ready() {
    let settings = Config {
        batch_size: 1_024,
        linger: Duration::from_secs(90),
        delivery_timeout: Duration::from_secs(300),
        ..Config::new()
    };
    let mut world = World::with(Growable::new(3_072), settings, 4);
    let topic = world.ready();
    for partition in 0..3 {
        world.send(topic, partition, "x");
    }
    assert!(world.take_all().is_empty());
    assert!(world.try_send(topic, 3, "x").is_err());
    let sent = world.take_all();
    assert_eq!(sent.iter().map(|s| s.batches.len()).sum::<usize>(), 3);
}

#[test]
fn b22_bytes_of_an_expired_batch_in_flight_are_not_reused() {
    let settings = Config { batch_size: 1_024, ..config() };
    let mut world = World::with(Growable::new(1_024), settings, 2);
    let topic = world.ready();
    world.send(topic, 0, "1");
    let mut sent = world.take();
    while world.now < Instant::from_millis(100_000) {
        world.answer(&sent, &[(19, -1)]);
        world.back_off();
        sent = world.take();
    }
    world.pass(20_000);
    assert_eq!(world.outcomes().len(), 1, "expired");
    assert_eq!(world.try_send(topic, 1, "2"), Err(Refused::Full(Full::Memory)));
    world.disconnect(sent.link);
    world.send(topic, 1, "2");
}

#[test]
fn d42_acks_0_is_told_when_written_and_leaves_nothing_in_flight() {
    let settings = Config { idempotence: false, acks: Acks::None, ..config() };
    let mut world = World::new(settings, 1);
    let topic = world.warm();
    for _ in 0..20 {
        world.send(topic, 0, "x");
        world.run();
    }
    let outcomes = world.outcomes();
    assert_eq!(outcomes.iter().map(|o| o.2).sum::<u32>(), 20);
    assert!(outcomes.iter().all(|o| o.3 == Outcome::Unacknowledged));
    assert_ne!(outcomes[0].3, written(0));
}
