//! Finding out about the cluster: as often as it is needed, and what becomes of it if it breaks off. All of
//! these were found by a review.

use std::vec::Vec;

use super::world::{Leader, World, config};
use crate::config::{Acks, Config, Partitioner};
use crate::error::Refused;
use crate::link::Reason;
use crate::memory::Owner;
use crate::message::{Api, ErrorCode};
use crate::record::Record;
use crate::time::Duration;

/// Somebody who waits for each outcome before the next record never has the producer begin
/// again: `delivery.timeout.ms` (120 s) empties the list of batches, and with it goes `began`,
/// before `rebootstrap_trigger` (300 s).
#[test]
fn regression_who_waits_for_each_outcome_begins_again_all_the_same() {
    let mut world = World::new(config(), 1);
    let topic = world.warm();
    world.metadata_error = ErrorCode::UNKNOWN_SERVER_ERROR;
    world.lead(0, 1, 1);
    for _ in 0..10 {
        world.send(topic, 0, "x");
        for _ in 0..121 {
            for sent in world.take_all() {
                let codes: Vec<_> = sent.batches.iter().map(|_| (6, -1)).collect();
                world.answer(&sent, &codes);
            }
            world.pass(1_000);
        }
        assert_eq!(world.outcomes().len(), 1);
    }
    assert!(world.closed.contains(&Reason::Rebootstrap), "in 20 minutes: {:?}", world.closed);
}

/// `began` stays where a refused call, not a record, was the cause: the first failure long
/// after it ends all links, what is in flight among them.
#[test]
fn regression_a_failure_long_ago_that_no_record_waited_for_is_no_reason_to_begin_again() {
    let settings = Config {
        idempotence: false,
        acks: Acks::Leader,
        metadata_max_age: Duration::from_secs(10),
        ..config()
    };
    let mut world = World::new(settings, 1);
    world.topic_errors.insert("denied".into(), ErrorCode(29));
    let topic = world.warm();
    let denied = world.producer.topic("denied").unwrap();
    world.pass(1_000);
    world.metadata_error = ErrorCode::UNKNOWN_SERVER_ERROR;
    let record = Record::new(b"x").timestamp(1);
    assert!(world.producer.produce(world.now, denied, &record).is_err());
    world.pass(1_000);
    world.metadata_error = ErrorCode::NONE;
    world.pass(400_000);
    world.closed.clear();
    // One answer fails again.
    world.metadata_error = ErrorCode::UNKNOWN_SERVER_ERROR;
    world.send(topic, 0, "b");
    let sent = world.take();
    world.metadata_error = ErrorCode::NONE;
    world.pass(2_000);
    assert_eq!(world.closed, []);
    assert!(world.take_all().is_empty(), "written twice");
    world.acknowledge(&sent, 1);
}

/// A topic that cannot be had and is tried for again and again is asked for in every round trip,
/// with no back-off: what was wanted while the answer was on its way passes for new.
#[test]
pub(super) fn regression_a_refused_topic_that_is_tried_for_without_a_pause_makes_no_storm() {
    for (name, partition) in [("denied", None), ("t", Some(9))] {
        let mut world = World::new(config(), 1);
        world.topic_errors.insert("denied".into(), ErrorCode(29));
        let _ = world.warm();
        let topic = world.producer.topic(name).unwrap();
        world.pass(1_000);
        let before = world.metadata_requests.len();
        for _ in 0..100 {
            // A round trip of 1 ms, with a try while it lasts.
            world.step_links();
            let mut record = Record::new(b"x").timestamp(1);
            record.partition = partition;
            assert!(world.producer.produce(world.now, topic, &record).is_err());
            world.now = world.now.after(Duration::from_millis(1));
            world.step_output();
        }
        let asked = world.metadata_requests.len() - before;
        assert!(asked <= 3, "{name}: {asked} requests in 100 ms");
    }
}

/// A request for metadata that is ended by beginning again makes the producer begin again once
/// more: `began` is cleared only after the links have ended.
#[test]
fn regression_beginning_again_is_done_once() {
    let mut world =
        World::new(Config { rebootstrap_trigger: Duration::from_secs(10), ..config() }, 2);
    world.nodes.push(2);
    world.lead(1, 2, 0);
    let topic = world.ready();
    for partition in 0..2 {
        world.send(topic, partition, "x");
    }
    world.acknowledge_all();
    world.outcomes();
    world.pass(1_000);
    // Metadata is on its way over one link, without an answer, for long.
    world.producer.machine.request_metadata();
    world.send(topic, 0, "y");
    world.hold_output = true;
    world.run();
    assert!(world.producer.machine.refresh.question.is_asked());
    world.pass(11_000);
    let other = {
        let links = world.links();
        let producer = &mut world.producer;
        let (machine, memory) = (&producer.machine, producer.owner.memory());
        let asks = |link| {
            let link = machine.links.resolve(&memory, link).unwrap();
            let mut request = memory.links[link].first;
            while request.is_some() && memory.requests[request].api != Api::Metadata {
                request = memory.requests[request].next;
            }
            request.is_some()
        };
        links.into_iter().find(|link| !asks(*link)).unwrap()
    };
    world.disconnect(other);
    world.run();
    assert_eq!(world.producer.machine.refresh.restarts, 1);
}

crate::fixed! {
    EightOf {
        topics: 1, partitions: 8, batches: 64, requests: 8, links: 2, brokers: 3, host: 64,
        names: 8, blocks: 64, block_size: 256,
    }
}

/// Where the table is full and no leader is known (after beginning again, or in a failover),
/// the next one in turn takes the slot of an idle one after all, at the price of an epoch; and
/// once each slot has a record, records are refused although there is room for them.
#[test]
fn regression_without_leaders_those_that_have_a_slot_take_the_records() {
    for partitioner in [Partitioner::RoundRobin, Partitioner::Sticky] {
        let settings = Config { batch_size: 1, partitioner, ..config() };
        let mut world = World::with(EightOf::new(), settings, 100);
        let topic = world.ready();
        let record = Record::new(b"v").timestamp(1);
        for index in 0..8 {
            world.send(topic, index, "x");
            world.acknowledge_all();
        }
        assert_eq!(world.outcomes().len(), 8);
        world.pass(1_000);
        // A broker tells the producer to begin again.
        world.metadata_error = ErrorCode::REBOOTSTRAP_REQUIRED;
        world.producer.machine.request_metadata();
        world.send(topic, 0, "y");
        world.run();
        for sent in world.take_all() {
            world.acknowledge(&sent, 1);
        }
        let mut refused = 0;
        for _ in 0..20 {
            refused += u32::from(world.producer.produce(world.now, topic, &record).is_err());
        }
        let bumps = world.producer.counters().bumps;
        assert_eq!((refused, bumps), (0, 0), "{partitioner:?}");
    }
}

/// Where the table is full, nearly all that is drawn at random falls to the first partition
/// behind those that have no slot.
#[test]
fn regression_where_few_partitions_fit_records_are_spread_over_them() {
    let settings = Config { batch_size: 1, ..config() };
    let mut world = World::with(EightOf::new(), settings, 100);
    let topic = world.ready();
    let mut drawn = [0_u32; 100];
    for _ in 0..800 {
        let record = Record::new(b"v").timestamp(1);
        let accepted = world.producer.produce(world.now, topic, &record).unwrap();
        drawn[accepted.partition as usize] += 1;
        world.acknowledge_all();
    }
    assert!(drawn[..8].iter().all(|count| *count < 300), "{:?}", &drawn[..8]);
}

/// A full table of `Growable` grows although all partitions have their slots.
#[test]
fn regression_a_table_in_which_all_have_a_slot_does_not_grow() {
    for partitioner in [Partitioner::RoundRobin, Partitioner::Sticky] {
        let settings = Config { batch_size: 1, partitioner, ..config() };
        let room = |world: &mut World| world.producer.owner.memory().partitions.capacity();
        let count = room(&mut World::new(settings, 1));
        let mut world = World::new(settings, count as usize);
        let topic = world.ready();
        for index in 0..count {
            world.send(topic, index.cast_signed(), "x");
        }
        world.acknowledge_all();
        let before = room(&mut world);
        for _ in 0..4 {
            let record = Record::new(b"v").timestamp(1);
            assert!(world.producer.produce(world.now, topic, &record).is_ok());
            world.run();
        }
        assert_eq!(room(&mut world), before, "{partitioner:?}");
    }
}

/// Metadata that are old are asked for twice while records flow: what is sent before the
/// answer asks again.
#[test]
fn regression_old_metadata_are_asked_for_once() {
    let settings = Config { metadata_max_age: Duration::from_secs(10), ..config() };
    let mut world = World::new(settings, 2);
    world.nodes.push(2);
    world.lead(1, 2, 0);
    let topic = world.ready();
    for partition in 0..2 {
        world.send(topic, partition, "x");
    }
    world.acknowledge_all();
    world.pass(11_000);
    let before = world.metadata_requests.len();
    for partition in [0, 1] {
        world.send(topic, partition, "y");
    }
    for sent in world.take_all() {
        world.acknowledge(&sent, 1);
    }
    for round in 0..10 {
        world.send(topic, 0, "z");
        world.pass(50);
        for sent in world.take_all() {
            world.acknowledge(&sent, 2 + round);
        }
    }
    assert_eq!(world.metadata_requests.len() - before, 1);
}

/// A topic was made again, and the answer that tells it breaks off between the topic's new id
/// and its partitions: their epochs stay those of the old topic for good, and no leader is taken.
#[test]
fn regression_an_answer_that_breaks_off_behind_a_new_topic_id_leaves_no_old_epochs() {
    for cut in 1..150 {
        let mut world = World::new(config(), 1);
        world.nodes.push(2);
        world.lead(0, 1, 10);
        let topic = world.warm();
        world.pass(1_000);
        world.send(topic, 0, "x");
        let sent = world.take();
        // Made again, led by node 2 in epoch 0.
        world.topic_ids.insert("t".into(), 2);
        world.lead(0, 2, 0);
        world.cut = Some(cut);
        world.answer(&sent, &[(100, -1)]);
        for _ in 0..50 {
            world.pass(100);
            for sent in world.take_all() {
                let result = if sent.node == Some(2) { (0, 0) } else { (6, -1) };
                world.answer(&sent, &[result]);
            }
        }
        assert_eq!(world.outcomes().len(), 1, "cut after {cut} bytes");
    }
}

/// Begun again, the producer meets a cluster whose Metadata knows no topic ids (Kafka 2.4 to
/// 2.7: version 9): its epochs are held against those of the id that was known before, for good.
#[test]
fn regression_epochs_of_a_cluster_without_topic_ids_are_not_held_against_those_of_an_id() {
    let mut world = World::new(config(), 1);
    world.nodes.push(2);
    world.lead(0, 1, 10);
    let topic = world.warm();
    world.pass(1_000);
    world.send(topic, 0, "x");
    let sent = world.take();
    world.metadata_error = ErrorCode::REBOOTSTRAP_REQUIRED;
    world.answer(&sent, &[(6, -1)]);
    assert_eq!(world.producer.machine.refresh.restarts, 1);
    world.metadata_error = ErrorCode::NONE;
    world.metadata_max = 9;
    world.produce_max = 9;
    world.lead(0, 2, 0);
    world.pass(20_000);
    assert_eq!(world.take_all().len(), 1);
}

#[test]
fn regression_a_record_that_is_refused_while_its_topic_is_looked_up_costs_no_second_look() {
    let mut world = World::new(config(), 1);
    let topic = world.producer.topic("t").unwrap();
    world.run();
    world.hold_output = true;
    let other = world.producer.topic("u").unwrap();
    world.topics.insert("u".into(), std::vec![Some(Leader { id: 1, epoch: 0 })]);
    world.producer.produce(world.now, topic, &Record::new(b"x")).ok();
    let asked = world.metadata_requests.len();
    let keyless = |world: &mut World| {
        world.producer.produce(world.now, other, &Record::new(b"x")).map(|_| ())
    };
    assert_eq!(keyless(&mut world), Err(Refused::TopicUnknown));
    world.pass(100);
    // The request is formed, and not answered.
    assert!(world.producer.machine.refresh.question.is_asked());
    assert_eq!(keyless(&mut world), Err(Refused::TopicUnknown));
    world.hold_output = false;
    world.run();
    assert_eq!(keyless(&mut world), Ok(()));
    world.pass(1_000);
    assert_eq!(world.metadata_requests.len() - asked, 1);
}

/// Where every answer about metadata is in vain, and brokers answer at once.
#[test]
fn regression_no_back_off_at_all_makes_no_storm_of_metadata() {
    let settings = Config { retry_backoff: Duration::ZERO, ..config() };
    let mut world = World::new(settings, 1);
    world.topics.insert("t".into(), std::vec![None]);
    let topic = world.producer.declare_topic("t", 1).unwrap();
    world.try_send(topic, 0, "x").unwrap();
    world.pass(1_000);
    let asked = world.metadata_requests.len();
    assert!((10..=110).contains(&asked), "{asked} requests in a second");
}

#[test]
fn regression_a_link_that_may_idle_for_no_time_at_all_carries_what_is_there() {
    let settings = Config { connection_max_idle: Duration::ZERO, ..config() };
    let mut world = World::new(settings, 1);
    let topic = world.producer.declare_topic("t", 1).unwrap();
    world.try_send(topic, 0, "x").unwrap();
    world.pass(1_000);
    let sent = world.take();
    world.acknowledge(&sent, 0);
    world.pass(1_000);
    assert_eq!(world.outcomes().len(), 1);
    assert!(world.attempts < 10, "{} attempts to connect", world.attempts);
    assert!(world.links().is_empty());
}
