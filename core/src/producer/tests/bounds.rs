//! Exact bounds, and what is given back: each of these is there since a mutant survived all others.

use std::string::{String, ToString};
use std::vec::Vec;

use super::world::{World, config, written};
use crate::config::Config;
use crate::error::Refused;
use crate::memory::{Growable, Owner};
use crate::message::ErrorCode;
use crate::message::broker::RequestHeader;
use crate::producer::Producer;
use crate::record::{Record, size};
use crate::time::Instant;

crate::fixed! {
    /// Six requests in all.
    SixRequests {
        topics: 1, partitions: 1, batches: 8, requests: 6, links: 2, brokers: 3, host: 16,
        names: 8, blocks: 8, block_size: 256,
    }
}

#[test]
fn requests_of_links_that_end_are_given_back() {
    let mut world = World::with(SixRequests::new(), config(), 1);
    let topic = world.warm();
    for round in 0..20 {
        world.send(topic, 0, "x");
        world.back_off();
        let sent = world.take();
        world.disconnect(sent.link);
        world.back_off();
        let again = world.take();
        world.acknowledge(&again, round);
    }
    assert_eq!(world.outcomes().len(), 20);
}

#[test]
fn a_link_with_nothing_to_send_has_no_output() {
    let mut world = World::new(config(), 1);
    let topic = world.warm();
    let link = world.first_link();
    assert!(!world.producer.has_output(link));
    world.hold_output = true;
    world.send(topic, 0, "x");
    assert!(world.links().into_iter().any(|link| world.producer.has_output(link)));
}

/// The header of the first request that a producer sends.
fn first_header(client_id: Option<&str>) -> (Option<String>, bool) {
    let mut producer = Producer::new(Growable::new(1 << 20), config(), 1);
    if let Some(id) = client_id {
        assert!(producer.set_client_id(id));
    }
    assert!(producer.bootstrap("node", 9092));
    let now = Instant::from_millis(1);
    let topic = producer.declare_topic("t", 1).unwrap();
    let record = Record::new(b"v").partition(0).timestamp(1);
    producer.produce(now, topic, &record).unwrap();
    producer.handle_timeout(now);
    let Some(crate::producer::LinkAction::Connect(link, _)) = producer.poll_link() else {
        panic!("no connect");
    };
    producer.handle_connected(now, link);
    let mut bytes = Vec::new();
    while let Some(piece) = producer.output(link) {
        bytes.extend_from_slice(piece.bytes);
    }
    let (header, _) = RequestHeader::read(&bytes[4..]).unwrap();
    let told = header.client_id.map(|id| String::from_utf8(id.to_vec()).unwrap());
    (told, producer.set_client_id("late"))
}

#[test]
fn the_client_id_stands_in_every_header_and_cannot_change_once_there_is_a_link() {
    let (told, late) = first_header(Some("sensor-7"));
    assert_eq!((told, late), (Some("sensor-7".to_string()), false));
    assert_ne!(first_header(None).0, Some(String::new()), "a default");
}

#[test]
fn a_record_may_be_exactly_as_large_as_a_request_and_as_memory() {
    let record = Record::new(&[7; 100]).partition(0).timestamp(1);
    let bound = size::batch_bound(size::fields(&record));
    let offer = |max_request_size, memory: u64| {
        let settings = Config { max_request_size, batch_size: 0, ..config() };
        let mut producer = Producer::new(Growable::new(memory), settings, 1);
        let topic = producer.declare_topic("t", 1).unwrap();
        producer.produce(Instant::ZERO, topic, &record).map(|_| ())
    };
    assert_eq!(offer(bound, 1 << 20), Ok(()));
    assert_eq!(offer(bound - 1, 1 << 20), Err(Refused::LargerThanRequest));
    assert_eq!(offer(1 << 20, u64::from(bound)), Ok(()));
    assert_eq!(offer(1 << 20, u64::from(bound) - 1), Err(Refused::LargerThanMemory));
}

#[test]
fn producer_id_0_is_an_id() {
    let mut world = World::new(config(), 1);
    world.ids.push_back(Ok((0, 0)));
    let topic = world.ready();
    world.send(topic, 0, "x");
    let sent = world.take();
    assert_eq!((sent.only().id, sent.only().epoch), (0, 0));
    assert_eq!(world.id_requests, 1);
    world.acknowledge(&sent, 0);
    assert_eq!(world.outcomes(), [(0, 0, 1, written(0))]);
}

/// Whether a topic whose leader epoch was 5 is taken up again with epoch 0, after metadata said this
/// of it meanwhile. Below 2.8 topics have no ids.
fn taken_up_again(code: i16, metadata_max: i16) -> bool {
    let mut world = World::new(config(), 1);
    world.metadata_max = metadata_max;
    world.nodes.push(2);
    world.lead(0, 1, 5);
    let topic = world.warm();
    let there = world.topics.remove("t").unwrap();
    world.topic_errors.insert("t".into(), ErrorCode(code));
    world.send(topic, 0, "x");
    for round in 0..20 {
        for sent in world.take_all() {
            if sent.node == Some(2) {
                return true;
            }
            world.answer(&sent, &[(3, -1)]);
        }
        if round == 10 {
            world.topics.insert("t".into(), there.clone());
            world.topic_errors.clear();
            world.lead(0, 2, 0);
        }
        world.pass(500);
    }
    false
}

#[test]
fn epochs_begin_again_only_where_a_topic_without_an_id_was_gone() {
    assert!(taken_up_again(3, 9), "gone, and no ids");
    assert!(!taken_up_again(5, 9), "there, without a leader");
    assert!(!taken_up_again(3, 13), "the id is the same");
}

#[test]
fn a_request_that_cannot_be_filled_leaves_alone_what_is_being_written() {
    let mut world = World::new(config(), 2);
    let topic = world.warm();
    world.send(topic, 1, "first");
    let sent = world.take();
    world.acknowledge(&sent, 0);
    world.send(topic, 0, "a");
    let sent = world.take();
    // A writer still has the batch when it is to be given another epoch.
    let held = {
        let producer = &mut world.producer;
        let block = producer.owner.memory().batches[producer.machine.live_first].block;
        producer.owner().share(block)
    };
    world.hold_output = true;
    world.send(topic, 1, "b");
    let (link, before) = (world.first_link(), world.producer.counters().sent.total());
    let mut lent = 0;
    while let Some(piece) = world.producer.output(link) {
        lent += piece.bytes.len();
    }
    assert!(lent > 0);
    world.answer_with(&sent, &[(45, -1)], |_, _| {});
    assert!(world.producer.output(link).is_none());
    world.producer.consume_output(world.now, link, lent);
    assert_eq!(world.producer.counters().sent.total() - before, lent as u64);
    // And what could not be filled is sent when it can be.
    drop(held);
    world.hold_output = false;
    world.pass(1);
    let again = world.take_all();
    assert!(again.iter().any(|sent| sent.batches.iter().any(|batch| batch.values == ["a"])));
}
