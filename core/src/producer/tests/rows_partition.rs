//! Scenarios of category C: which partition a record goes to. Rows 25 to 27 stand beside the
//! weights, in `producer/partitioner.rs`.

use std::vec::Vec;

use super::world::{Leader, World, config};
use crate::config::{Config, Partitioner};
use crate::memory::Owner;
use crate::producer::Topic;
use crate::record::Record;
use crate::time::Duration;

/// A topic whose partitions all have their slot and a leader.
fn world(settings: Config, partitions: usize) -> (World, Topic) {
    let mut world = World::new(settings, partitions);
    let topic = world.ready();
    (world, topic)
}

fn keyless<O: Owner>(world: &mut World<O>, topic: Topic, value: &[u8]) -> i32 {
    let record = Record::new(value).timestamp(1);
    world.producer.produce(world.now, topic, &record).unwrap().partition
}

/// Answers everything that is on its way.
fn acknowledge_all(world: &mut World) {
    world.run();
    // In the order in which they came, whatever comes meanwhile.
    while let Some(sent) = world.sent.pop_front() {
        world.acknowledge(&sent, 0);
    }
}

#[test]
fn c24_records_stay_with_a_partition_until_it_has_batch_size_bytes() {
    // Each record fills a batch of its own size, so that a switch leaves no fragment.
    let size = 61 + 3 * 8;
    let settings = Config { batch_size: size, linger: Duration::from_millis(10), ..config() };
    let (mut world, topic) = world(settings, 50);
    let drawn: Vec<i32> = (0..60).map(|_| keyless(&mut world, topic, b"1")).collect();
    for three in drawn.chunks(3) {
        assert!(three.iter().all(|partition| *partition == three[0]), "{drawn:?}");
    }
    let switches = drawn.chunks(3).map(|three| three[0]).collect::<Vec<_>>();
    assert!(switches.windows(2).filter(|pair| pair[0] != pair[1]).count() > 15, "{switches:?}");
}

#[test]
fn c25_what_has_more_batches_waiting_is_drawn_less_often() {
    // A record fills a batch, so each draws anew.
    let settings = Config { batch_size: 1, linger: Duration::from_millis(1), ..config() };
    for (adaptive, busy_share) in [(true, 0..40), (false, 60..140)] {
        let settings = Config { adaptive_partitioning: adaptive, ..settings };
        let (mut world, topic) = world(settings, 3);
        // Nothing can be sent: what is queued stays.
        world.hold_output = true;
        for _ in 0..400 {
            world.send(topic, 1, "x");
        }
        let mut drawn = [0; 3];
        for _ in 0..300 {
            drawn[keyless(&mut world, topic, b"x") as usize] += 1;
        }
        assert!(busy_share.contains(&drawn[1]), "{drawn:?}");
        assert!(drawn[0] > 60 && drawn[2] > 60, "{drawn:?}");
    }
}

#[test]
fn c28_partitions_of_a_broker_that_cannot_be_sent_to_are_not_drawn() {
    let settings =
        Config { batch_size: 1, availability_timeout: Duration::from_millis(100), ..config() };
    let mut world = World::new(settings, 3);
    world.nodes.push(2);
    world.lead(2, 2, 0);
    let topic = world.ready();
    for partition in 0..3 {
        world.send(topic, partition, "x");
    }
    acknowledge_all(&mut world);
    // From now on node 1 answers nothing.
    let mut drawn = Vec::new();
    for step in 0..300 {
        let partition = keyless(&mut world, topic, b"x");
        if step >= 100 {
            drawn.push(partition);
        } else {
            world.send(topic, 0, "x");
            world.send(topic, 1, "x");
        }
        world.pass(5);
        for sent in world.take_all() {
            if sent.node == Some(2) {
                world.acknowledge(&sent, 0);
            }
        }
    }
    assert_eq!(drawn, [2; 200]);
}

#[test]
fn c28_a_broker_that_is_down_is_not_drawn_while_records_keep_coming() {
    for adaptive_partitioning in [true, false] {
        let settings = Config {
            batch_size: 1,
            adaptive_partitioning,
            availability_timeout: Duration::from_millis(100),
            ..config()
        };
        let mut world = World::new(settings, 2);
        world.nodes.push(2);
        world.lead(1, 2, 0);
        let topic = world.ready();
        for partition in 0..2 {
            world.send(topic, partition, "x");
        }
        acknowledge_all(&mut world);
        world.down.push(2);
        for link in world.links() {
            world.disconnect(link);
        }
        let mut drawn = [0, 0];
        for step in 0..1_500 {
            let partition = keyless(&mut world, topic, b"x");
            if step > 500 {
                drawn[partition as usize] += 1;
            }
            world.pass(2);
            acknowledge_all(&mut world);
        }
        // Now and then metadata overtakes an answer here, so that node 1's link ends, too.
        assert!(drawn[1] < 10, "{drawn:?}");
    }
}

#[test]
fn c29_slow_records_leave_no_fragments() {
    let settings = Config { batch_size: 512, linger: Duration::from_millis(10), ..config() };
    let (mut world, topic) = world(settings, 10);
    let value = [b'v'; 32];
    let mut sizes = Vec::new();
    // A first batch opens nothing else: the window of each partition is one until a success.
    for round in 0..10 {
        for _ in 0..8 {
            keyless(&mut world, topic, &value);
        }
        world.pass(10);
        let sent = world.take_all();
        let batches: Vec<_> = sent.iter().flat_map(|s| &s.batches).collect();
        assert_eq!(batches.len(), 1, "round {round}");
        sizes.push(batches[0].bytes.len());
        for sent in sent {
            world.acknowledge(&sent, 0);
        }
    }
    assert!(sizes.iter().all(|size| (256..=512).contains(size)), "{sizes:?}");
}

#[test]
fn c30_a_partition_without_a_leader_is_chosen_only_if_none_has_one() {
    let settings = Config { batch_size: 1, ..config() };
    let mut world = World::new(settings, 4);
    for partition in [0, 1, 3] {
        world.topics.get_mut("t").unwrap()[partition] = None;
    }
    let topic = world.ready();
    for _ in 0..50 {
        assert_eq!(keyless(&mut world, topic, b"x"), 2);
    }
    let mut world = World::new(settings, 4);
    world.topics.insert("t".into(), std::vec![None; 4]);
    let topic = world.ready();
    let mut drawn: Vec<i32> = (0..50).map(|_| keyless(&mut world, topic, b"x")).collect();
    drawn.sort_unstable();
    drawn.dedup();
    assert_eq!(drawn, [0, 1, 2, 3]);
}

#[test]
fn c31_a_key_goes_to_its_partition_with_a_leader_or_without() {
    for led in [true, false] {
        let mut world = World::new(config(), 10);
        if !led {
            world.topics.get_mut("t").unwrap()[6] = None;
        }
        let topic = world.ready();
        let record = Record::new(b"x").key(b"foobar").timestamp(1);
        for _ in 0..3 {
            let accepted = world.producer.produce(world.now, topic, &record).unwrap();
            assert_eq!(accepted.partition, 6);
        }
    }
}

#[test]
fn partitions_take_turns_whatever_the_key_is() {
    let settings = Config { partitioner: Partitioner::RoundRobin, ..config() };
    let mut world = World::new(settings, 5);
    world.topics.get_mut("t").unwrap()[2] = None;
    let topic = world.ready();
    let record = Record::new(b"x").key(b"foobar").timestamp(1);
    let drawn: Vec<i32> = (0..12)
        .map(|_| world.producer.produce(world.now, topic, &record).unwrap().partition)
        .collect();
    // Each with a leader as often as the others.
    assert_eq!(drawn, [0, 1, 3, 4, 0, 1, 3, 4, 0, 1, 3, 4]);
}

#[test]
fn keys_can_be_ignored() {
    let (mut world, topic) = world(Config { ignore_keys: true, ..config() }, 50);
    let mut partitions: Vec<i32> = (0..20_u8)
        .map(|key| {
            let key = [key];
            let record = Record::new(b"x").key(&key).timestamp(1);
            world.producer.produce(world.now, topic, &record).unwrap().partition
        })
        .collect();
    partitions.dedup();
    assert_eq!(partitions.len(), 1, "they stay together as records without a key do");
}

#[test]
fn r21_of_a_large_topic_a_few_partitions_are_looked_at() {
    // A draw among the few that were looked at reaches all in time.
    let (mut world, topic) = world(Config { batch_size: 1, ..config() }, 200);
    let mut drawn = Vec::new();
    for _ in 0..2_000 {
        drawn.push(keyless(&mut world, topic, b"x"));
        // Tables grow between calls.
        world.run();
    }
    drawn.sort_unstable();
    drawn.dedup();
    assert!(drawn.len() > 195, "{} of 200", drawn.len());
}

crate::fixed! {
    Eight {
        topics: 1, partitions: 8, batches: 16, requests: 8, links: 2, brokers: 3, host: 64,
        names: 8, blocks: 16, block_size: 256,
    }
}

#[test]
fn where_few_partitions_fit_those_take_the_records() {
    for partitioner in [Partitioner::Sticky, Partitioner::RoundRobin] {
        let settings = Config { batch_size: 1, partitioner, ..config() };
        let mut world = World::with(Eight::new(), settings, 100);
        let topic = world.ready();
        let mut drawn = Vec::new();
        for _ in 0..200 {
            let record = Record::new(b"v").timestamp(1);
            drawn.push(world.producer.produce(world.now, topic, &record).unwrap().partition);
            world.acknowledge_all();
        }
        if partitioner == Partitioner::RoundRobin {
            assert_eq!(drawn[..10], [0, 1, 2, 3, 4, 5, 6, 7, 0, 1]);
        }
        assert_eq!(world.producer.counters().bumps, 0, "no slot was taken from another");
        assert_eq!(world.metadata_requests.len(), 1);
    }
}

#[test]
fn partitions_that_are_gone_are_not_drawn_for_want_of_others() {
    let settings = Config { batch_size: 1, partitioner: Partitioner::RoundRobin, ..config() };
    let mut world = World::with(Eight::new(), settings, 100);
    let topic = world.ready();
    world.send(topic, 7, "x");
    let sent = world.take();
    // The topic was made again with fewer partitions, and they have no leader yet.
    world.topics.insert("t".into(), std::vec![None; 2]);
    world.topic_ids.insert("t".into(), 2);
    world.answer(&sent, &[(100, -1)]);
    world.pass(500);
    assert_eq!(world.producer.partition_count(topic), 2);
    let drawn: Vec<i32> = (0..4).map(|_| keyless(&mut world, topic, b"x")).collect();
    assert!(drawn.iter().all(|partition| *partition < 2), "{drawn:?}");
}

crate::fixed! {
    Two {
        topics: 2, partitions: 2, batches: 8, requests: 8, links: 2, brokers: 3, host: 64,
        names: 8, blocks: 8, block_size: 256,
    }
}

#[test]
fn a_partition_that_is_gone_is_not_drawn_though_it_alone_has_a_slot() {
    let mut world = World::with(Two::new(), Config { batch_size: 1, ..config() }, 3);
    world.topics.insert("u".into(), std::vec![Some(Leader { id: 1, epoch: 0 })]);
    let (topic, other) = (world.ready(), world.producer.topic("u").unwrap());
    world.run();
    for (topic, partition) in [(topic, 2), (other, 0)] {
        world.send(topic, partition, "x");
        let sent = world.take();
        world.acknowledge(&sent, 0);
    }
    // The topic was made again with two partitions, and the slot is the third one's.
    world.topics.insert("t".into(), std::vec![None; 2]);
    world.topic_ids.insert("t".into(), 2);
    world.send(topic, 2, "y");
    let sent = world.take();
    world.answer(&sent, &[(100, -1)]);
    world.pass(500);
    assert_eq!(world.producer.partition_count(topic), 2);
    let slots: Vec<_> = {
        let memory = world.producer.owner.memory();
        let find = |index| memory.find_partition(topic.id, index).is_some();
        (0..3).map(find).collect()
    };
    assert_eq!(slots, [false, false, true]);
    let drawn = keyless(&mut world, topic, b"x");
    assert!(drawn < 2, "{drawn}");
}

#[test]
fn where_few_partitions_fit_those_with_a_leader_take_the_records() {
    let settings = Config { batch_size: 1, partitioner: Partitioner::RoundRobin, ..config() };
    let mut world = World::with(Eight::new(), settings, 100);
    for partition in [1, 2, 5] {
        world.topics.get_mut("t").unwrap()[partition] = None;
    }
    let topic = world.ready();
    let drawn: Vec<i32> = (0..10).map(|_| keyless(&mut world, topic, b"x")).collect();
    assert_eq!(drawn, [0, 3, 4, 6, 7, 0, 3, 4, 6, 7]);
}

#[test]
fn a_table_with_room_does_not_grow_for_partitions_that_have_no_slot() {
    let mut world = World::new(Config { batch_size: 1, ..config() }, 10);
    let topic = world.producer.declare_topic("t", 10).unwrap();
    let room = |world: &mut World| world.producer.owner.memory().partitions.capacity();
    let before = room(&mut world);
    keyless(&mut world, topic, b"x");
    world.run();
    assert_eq!(room(&mut world), before);
}

crate::fixed! {
    OneBlock {
        topics: 1, partitions: 4, batches: 4, requests: 8, links: 2, brokers: 3, host: 64,
        names: 8, blocks: 1, block_size: 256,
    }
}

#[test]
fn a_record_that_is_refused_takes_no_turn() {
    let settings = Config { partitioner: Partitioner::RoundRobin, batch_size: 1, ..config() };
    let mut world = World::with(OneBlock::new(), settings, 4);
    let topic = world.ready();
    let record = Record::new(b"v").timestamp(1);
    let mut drawn = Vec::new();
    for _ in 0..8 {
        drawn.push(world.producer.produce(world.now, topic, &record).unwrap().partition);
        assert!(world.producer.produce(world.now, topic, &record).is_err(), "no room");
        world.acknowledge_all();
    }
    assert_eq!(drawn, [0, 1, 2, 3, 0, 1, 2, 3]);
}

#[test]
fn without_idempotence_order_is_kept_by_a_switch_and_partitions_go_side_by_side() {
    let settings = Config { idempotence: false, ordered: true, ..config() };
    let mut world = World::new(settings, 2);
    let topic = world.warm();
    for value in ["1", "2"] {
        world.send(topic, 0, value);
        world.producer.flush(world.now);
    }
    world.send(topic, 1, "beside");
    let sent = world.take_all();
    let values: Vec<_> = sent.iter().flat_map(|s| &s.batches).flat_map(|b| &b.values).collect();
    assert_eq!(values, ["1", "beside"]);
    // A retry comes before what was behind it.
    let first = sent.iter().find(|s| s.batches.iter().any(|b| b.partition == 0)).unwrap();
    let results: Vec<_> =
        first.batches.iter().map(|b| if b.partition == 0 { (7, -1) } else { (0, 0) }).collect();
    world.answer(first, &results);
    world.back_off();
    let again = world.take_all();
    let of_0: Vec<_> = again.iter().flat_map(|s| &s.batches).filter(|b| b.partition == 0).collect();
    assert_eq!(of_0.len(), 1);
    assert_eq!(of_0[0].values, ["1"]);
}

#[test]
fn regression_an_idle_partition_of_a_broker_that_cannot_be_sent_to_is_not_drawn() {
    let settings =
        Config { batch_size: 1, availability_timeout: Duration::from_millis(100), ..config() };
    let mut world = World::new(settings, 4);
    world.nodes.push(2);
    for partition in 1..4 {
        world.lead(partition, 2, 0);
    }
    let topic = world.ready();
    world.down.push(2);
    for link in world.links() {
        world.disconnect(link);
    }
    // Nothing waits for partitions 2 and 3 themselves.
    world.send(topic, 1, "x");
    world.pass(200);
    for _ in 0..50 {
        assert_eq!(keyless(&mut world, topic, b"x"), 0);
        acknowledge_all(&mut world);
    }
}
