//! Rule R16: what a full memory does, and what is accepted before metadata.

use std::vec::Vec;

use super::world::{Sent, World, config};
use crate::config::Config;
use crate::error::{Full, Refused};
use crate::memory::Growable;
use crate::producer::{Event, Topic};
use crate::record::Record;
use crate::time::Duration;

/// Batches of one kilobyte that wait a minute for more.
fn patient() -> Config {
    Config {
        linger: Duration::from_secs(60),
        delivery_timeout: Duration::from_secs(200),
        batch_size: 1_024,
        ..Config::new()
    }
}

/// Memory for so many of these batches, and partitions for one more.
fn with_room_for(batches: usize, settings: Config) -> World {
    World::with(Growable::new(1_024 * batches as u64), settings, batches + 1)
}

/// The same with one batch on its way to partition 0, and no other allowed beside it.
fn behind_one_in_flight(batches: usize) -> (World, Topic, Sent) {
    let mut world = with_room_for(batches, Config { max_in_flight: 1, ..patient() });
    let topic = world.ready();
    world.send(topic, 0, "a");
    world.producer.flush(world.now);
    let first = world.take();
    (world, topic, first)
}

#[test]
fn r16_a_refusal_for_memory_makes_open_batches_due() {
    let mut world = with_room_for(2, patient());
    let topic = world.ready();
    world.send(topic, 0, "a");
    world.send(topic, 1, "b");
    assert!(world.take_all().is_empty(), "linger is not over");
    assert_eq!(world.try_send(topic, 2, "c"), Err(Refused::Full(Full::Memory)));
    let sent = world.take();
    assert_eq!(sent.batches.len(), 2);
    world.answer(&sent, &[(0, 0), (0, 0)]);
    world.outcomes();
    world.send(topic, 2, "c");
}

#[test]
fn r16_what_a_full_memory_makes_due_takes_more_records_until_it_goes_out() {
    let (mut world, topic, first) = behind_one_in_flight(3);
    world.send(topic, 1, "b");
    world.send(topic, 2, "c");
    assert_eq!(world.try_send(topic, 3, "d"), Err(Refused::Full(Full::Memory)));
    world.send(topic, 1, "e");
    world.answer(&first, &[(0, 0)]);
    let sent = world.take();
    let values: Vec<_> = sent.batches.iter().map(|batch| batch.values.join("")).collect();
    assert_eq!(values, ["c", "be"]);
}

#[test]
fn regression_r06_a_flush_closes_what_a_full_memory_has_made_due() {
    let (mut world, topic, first) = behind_one_in_flight(2);
    world.send(topic, 1, "b");
    assert_eq!(world.try_send(topic, 2, "c"), Err(Refused::Full(Full::Memory)));
    let flush = world.producer.flush(world.now);
    assert_eq!(world.try_send(topic, 1, "later"), Err(Refused::Full(Full::Memory)), "not into b's");
    world.answer(&first, &[(0, 0)]);
    let second = world.take();
    assert_eq!(second.only().values, ["b"]);
    world.acknowledge(&second, 0);
    world.outcomes();
    assert!(world.producer.is_flushed(flush), "seed 350");
}

#[test]
fn r16_before_metadata_explicit_partitions_and_declared_topics_are_accepted() {
    let mut world = World::new(config(), 2);
    let topic = world.producer.topic("t").unwrap();
    // An explicit partition is taken at the caller's word; a keyless record has to wait.
    world.send(topic, 1, "explicit");
    let keyless = Record::new(b"keyless");
    let refused = world.producer.produce(world.now, topic, &keyless);
    assert_eq!(refused, Err(Refused::TopicUnknown));
    let sent = world.take();
    assert_eq!(sent.only().values, ["explicit"]);
    assert!(world.notices.contains(&Event::Topic(topic, Ok(2))), "{:?}", world.notices);
    assert!(world.producer.produce(world.now, topic, &keyless).is_ok());

    let mut world = World::new(config(), 2);
    let declared = world.producer.declare_topic("t", 2).unwrap();
    let keyed = Record::new(b"keyed").key(b"k").timestamp(0);
    assert!(world.producer.produce(world.now, declared, &keyed).is_ok());
    assert!(world.producer.produce(world.now, declared, &keyless).is_ok());
    let sent = world.take_all();
    assert_eq!(sent.iter().map(|s| s.batches.len()).sum::<usize>(), 2);
}
