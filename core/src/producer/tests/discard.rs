//! What is left out when the memory is full.

use std::vec::Vec;

use super::world::{T, World, config};
use crate::config::{Config, WhenFull};
use crate::error::{Full, Refused};
use crate::memory::Owner;
use crate::producer::{Cause, Outcome, Topic};
use crate::record::Record;

crate::fixed! {
    /// Three blocks, and slots for batches whose events wait.
    Small {
        topics: 1, partitions: 2, batches: 8, requests: 4, links: 1, brokers: 2, host: 16,
        names: 8, blocks: 3, block_size: 128,
    }
}

fn world(when_full: WhenFull) -> (World<Small>, Topic) {
    let settings = Config { when_full, batch_size: 1, ..config() };
    let mut world = World::with(Small::new(), settings, 2);
    let topic = world.warm();
    (world, topic)
}

fn offer<O: Owner>(world: &mut World<O>, topic: Topic, at: i32, class: u8) -> Result<u64, Refused> {
    let record = Record::new(b"x").partition(at).timestamp(T).class(class);
    world.producer.produce(world.now, topic, &record).map(|accepted| accepted.number)
}

/// What became of records, by partition and number.
fn fates<O: Owner>(world: &mut World<O>) -> Vec<(i32, u64, Outcome)> {
    world
        .outcomes()
        .into_iter()
        .map(|(partition, first, _, told)| (partition, first, told))
        .collect()
}

const DROPPED: Outcome = Outcome::NotWritten(Cause::Dropped);

#[test]
fn the_newest_is_left_out_and_counted() {
    let (mut world, topic) = world(WhenFull::DropNewest);
    for number in 1..=3 {
        assert_eq!(offer(&mut world, topic, 0, 0), Ok(number));
    }
    assert_eq!(offer(&mut world, topic, 0, 0), Err(Refused::Dropped));
    assert_eq!(offer(&mut world, topic, 1, 9), Err(Refused::Dropped));
    assert_eq!(world.producer.counters().dropped, 2);
}

#[test]
fn the_oldest_that_was_not_sent_makes_room_and_leaves_no_hole() {
    let (mut world, topic) = world(WhenFull::DropOldest);
    // One is on its way, two wait.
    assert_eq!(offer(&mut world, topic, 0, 0), Ok(1));
    let sent = world.take();
    let sequence = sent.only().sequence;
    assert_eq!(offer(&mut world, topic, 0, 0), Ok(2));
    assert_eq!(offer(&mut world, topic, 0, 0), Ok(3));
    world.hold_output = true;
    assert_eq!(offer(&mut world, topic, 0, 0), Ok(4));
    assert_eq!(offer(&mut world, topic, 1, 0), Ok(0));
    let counters = world.producer.counters();
    assert_eq!((counters.dropped, counters.not_written), (2, 2));
    world.hold_output = false;
    world.deliveries.clear();
    world.acknowledge(&sent, 1);
    let mut sequences = Vec::new();
    for sent in world.take_all() {
        for batch in &sent.batches {
            sequences.push((batch.partition, batch.sequence));
        }
        world.acknowledge(&sent, 2);
    }
    sequences.sort_unstable();
    assert_eq!(sequences, [(0, sequence + 1), (1, 0)], "no sequence was given to what made room");
    assert_eq!(world.producer.counters().written, 4);
}

#[test]
fn what_made_room_is_told_by_name() {
    let (mut world, topic) = world(WhenFull::DropOldest);
    world.hold_output = true;
    for number in 1..=5 {
        assert_eq!(offer(&mut world, topic, 0, 0), Ok(number));
    }
    let told: Vec<_> = fates(&mut world);
    assert_eq!(told, [(0, 1, DROPPED), (0, 2, DROPPED)]);
}

#[test]
fn a_record_is_refused_if_everything_is_on_its_way() {
    let (mut world, topic) = world(WhenFull::DropOldest);
    for number in 1..=3 {
        assert_eq!(offer(&mut world, topic, 0, 0), Ok(number));
        world.run();
    }
    assert_eq!(offer(&mut world, topic, 0, 0), Err(Refused::Full(Full::Memory)));
    assert_eq!(world.producer.counters().dropped, 0);
}

#[test]
fn the_lowest_class_makes_room_for_its_like_and_for_higher_ones() {
    let (mut world, topic) = world(WhenFull::DropLowestClass);
    world.hold_output = true;
    for class in [5, 1, 3] {
        offer(&mut world, topic, 0, class).unwrap();
    }
    // Number 2 has class 1: it goes first.
    assert_eq!(offer(&mut world, topic, 1, 2), Ok(0));
    assert_eq!(fates(&mut world), [(0, 2, DROPPED)]);
    // The lowest is now the class 2 of partition 1.
    assert_eq!(offer(&mut world, topic, 0, 2), Ok(4));
    assert_eq!(fates(&mut world), [(1, 0, DROPPED)]);
    assert_eq!(offer(&mut world, topic, 0, 1), Err(Refused::Dropped));
    assert_eq!(world.producer.counters().dropped, 3);
}

crate::fixed! {
    /// Four blocks for three partitions.
    Three {
        topics: 1, partitions: 3, batches: 8, requests: 4, links: 1, brokers: 2, host: 16,
        names: 8, blocks: 4, block_size: 128,
    }
}

#[test]
fn regression_who_makes_room_keeps_its_place_in_the_line() {
    let settings = Config {
        when_full: WhenFull::DropOldest,
        batch_size: 1,
        max_in_flight: 1,
        max_request_size: 128,
        ..config()
    };
    let mut world = World::with(Three::new(), settings, 3);
    let topic = world.ready();
    // The first is on its way; the oldest of those that wait makes room for the last.
    for partition in [2, 0, 0, 1, 1] {
        offer(&mut world, topic, partition, 0).unwrap();
        world.run();
    }
    assert_eq!(fates(&mut world), [(0, 0, DROPPED)]);
    let mut turns = Vec::new();
    while let Some(sent) = world.sent.pop_front() {
        turns.push(sent.only().partition);
        world.acknowledge(&sent, 0);
        world.run();
    }
    assert_eq!(turns, [2, 0, 1, 1]);
}
