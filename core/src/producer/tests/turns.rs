//! More brokers than links, or than places in the table: they take turns.

use std::vec::Vec;

use super::world::{Sent, World, config};
use crate::Topic;
use crate::config::Config;
use crate::memory::Owner;
use crate::time::Duration;

crate::fixed! {
    /// One socket for all brokers.
    OneLink {
        topics: 1, partitions: 3, batches: 12, requests: 6, links: 1, brokers: 4, host: 16,
        names: 8, blocks: 12, block_size: 256,
    }
}

/// Three partitions have something to send all the time, for so many tenths of a second. Returns how
/// many records of each were answered.
fn busy<O: Owner>(world: &mut World<O>, topic: Topic, tenths: u32) -> [i32; 3] {
    let mut answered = [0; 3];
    for _ in 0..tenths {
        for partition in 0..3 {
            // Refused while the memory is full of records for the others: they wait longest.
            let _ = world.try_send(topic, partition, "x");
        }
        world.pass(100);
        for sent in world.take_all() {
            for batch in &sent.batches {
                answered[batch.partition as usize] += batch.count;
            }
            world.acknowledge(&sent, 0);
        }
        world.outcomes();
    }
    answered
}

#[test]
fn brokers_take_turns_on_one_link() {
    let settings = Config { delivery_timeout: Duration::from_secs(100), ..config() };
    let mut world = World::with(OneLink::new(), settings, 3);
    world.lead_each([1, 2, 3]);
    let topic = world.ready();
    let attempts = world.attempts;
    let answered = busy(&mut world, topic, 600);
    let attempts = world.attempts - attempts;
    assert!((30..=70).contains(&attempts), "{attempts} connections in a minute");
    let (least, most) = (answered.iter().min().unwrap(), answered.iter().max().unwrap());
    assert!(*least > 100 && least * 2 > *most, "{answered:?}");
}

crate::fixed! {
    /// A place for one broker beside the address to begin with.
    OneBroker {
        topics: 1, partitions: 3, batches: 12, requests: 6, links: 1, brokers: 2, host: 16,
        names: 8, blocks: 12, block_size: 256,
    }
}

/// The next Produce request, which is on its way in time.
fn take_within(world: &mut World<OneBroker>, millis: u64) -> Sent {
    for _ in 0..millis / 100 {
        world.run();
        if !world.sent.is_empty() {
            break;
        }
        world.pass(100);
    }
    world.take()
}

#[test]
fn leaders_take_turns_where_only_one_can_be_known() {
    let settings = Config { delivery_timeout: Duration::from_secs(100), ..config() };
    let mut world = World::with(OneBroker::new(), settings, 3);
    world.lead_each([1, 2, 3]);
    let topic = world.ready();
    // One at a time: whoever has its place idles.
    for partition in [0, 1, 2, 1, 0] {
        world.send(topic, partition, "x");
        let sent = take_within(&mut world, 3_000);
        assert_eq!(sent.only().partition, partition);
        world.acknowledge(&sent, 0);
        assert_eq!(world.outcomes().len(), 1);
    }
    // All of them busy.
    let asked = world.metadata_requests.len();
    let answered = busy(&mut world, topic, 900);
    let asked = world.metadata_requests.len() - asked;
    assert!((45..=100).contains(&asked), "{asked} times metadata in 90 s");
    let (least, most) = (answered.iter().min().unwrap(), answered.iter().max().unwrap());
    assert!(*least > 100 && least * 2 > *most, "{answered:?}");
}

#[test]
fn a_leader_that_cannot_be_reached_makes_way_for_another() {
    let settings = Config { delivery_timeout: Duration::from_secs(100), ..config() };
    let mut world = World::with(OneBroker::new(), settings, 2);
    world.nodes = std::vec![3, 1, 2];
    world.lead(0, 1, 0);
    world.lead(1, 2, 0);
    world.down = std::vec![1];
    let topic = world.ready();
    world.send(topic, 0, "x");
    world.pass(2_000);
    world.send(topic, 1, "y");
    let sent = take_within(&mut world, 3_000);
    assert_eq!((sent.only().partition, sent.node), (1, Some(2)));
    world.acknowledge(&sent, 0);
    world.down.clear();
    let sent = take_within(&mut world, 3_000);
    assert_eq!((sent.only().partition, sent.node), (0, Some(1)));
    world.acknowledge(&sent, 0);
    assert_eq!(world.outcomes().len(), 2);
}

#[test]
fn regression_leaders_that_never_succeed_leave_a_turn_to_others_at_one_place() {
    let settings = Config { delivery_timeout: Duration::from_secs(100), ..config() };
    let mut world = World::with(OneBroker::new(), settings, 3);
    world.lead_each([3, 1, 2]);
    world.down = std::vec![1, 2];
    let topic = world.ready();
    // Their records are older: by age they would have the place in turn until they expire.
    for (partition, record) in [(0, "x"), (1, "y"), (2, "z")] {
        world.send(topic, partition, record);
        world.pass(1_000);
    }
    let sent = take_within(&mut world, 20_000);
    assert_eq!((sent.only().partition, sent.node), (2, Some(3)));
    world.acknowledge(&sent, 0);
    assert_eq!(world.outcomes().len(), 1);
}

#[test]
fn regression_a_claim_that_is_made_while_an_answer_is_read_skips_nobodys_turn() {
    let settings = Config { delivery_timeout: Duration::from_secs(100), ..config() };
    let mut world = World::with(OneBroker::new(), settings, 3);
    world.nodes = std::vec![3, 1, 2];
    // The answer tells of the first one first, whose leader is between the others.
    for (partition, leader) in [(0, 2), (1, 1), (2, 3)] {
        world.lead(partition, leader, 0);
    }
    let topic = world.ready();
    world.send(topic, 1, "x");
    world.send(topic, 2, "z");
    let mut last = None;
    for step in 0..400 {
        if step == 150 {
            world.send(topic, 0, "y");
        }
        world.pass(100);
        for sent in world.take_all() {
            // Two of them never say that a record is written.
            let code = |partition| if partition == 0 { (0, 0) } else { (19, -1) };
            let results: Vec<_> = sent.batches.iter().map(|b| code(b.partition)).collect();
            world.answer(&sent, &results);
        }
        last = last.or(world.outcomes().first().map(|outcome| (step, outcome.0)));
    }
    let (step, partition) = last.expect("a record that has its turn");
    assert!(partition == 0 && step < 250, "partition {partition} after {step} steps");
}

#[test]
fn regression_turns_that_are_used_make_no_pause_longer() {
    let settings = Config {
        delivery_timeout: Duration::from_secs(100),
        retry_backoff: Duration::from_millis(900),
        retry_backoff_max: Duration::from_secs(20),
        ..config()
    };
    let mut world = World::with(OneBroker::new(), settings, 3);
    world.lead_each([1, 2, 3]);
    let topic = world.ready();
    let asked = world.metadata_requests.len();
    busy(&mut world, topic, 600);
    let turns = world.metadata_requests.len() - asked;
    assert!((45..=60).contains(&turns), "{turns} turns in 60 s");
}

#[test]
fn a_broker_that_is_alone_keeps_its_link() {
    let mut world = World::with(OneLink::new(), config(), 3);
    let topic = world.warm();
    let attempts = world.attempts;
    for _ in 0..50 {
        world.send(topic, 0, "x");
        world.pass(100);
        world.acknowledge_all();
        world.outcomes();
    }
    assert_eq!(world.attempts, attempts);
}

/// Where the epoch of its leader looks old for ever, and its leader is among those that take turns.
#[test]
fn regression_a_leader_told_with_an_old_epoch_has_its_turn_and_leaves_theirs_to_others() {
    let settings = Config { delivery_timeout: Duration::from_secs(100), ..config() };
    let mut world = World::with(OneBroker::new(), settings, 2);
    world.nodes = std::vec![1, 2];
    world.lead(0, 1, 5);
    world.lead(1, 2, 0);
    let topic = world.ready();
    world.lead(0, 1, 0);
    for partition in [1, 0, 1, 0, 1] {
        world.send(topic, partition, "x");
        let sent = take_within(&mut world, 3_000);
        assert_eq!(sent.only().partition, partition);
        world.acknowledge(&sent, 0);
    }
    assert_eq!(world.outcomes().len(), 5);
}

crate::fixed! {
    /// Two sockets for three brokers.
    TwoLinks {
        topics: 1, partitions: 3, batches: 12, requests: 8, links: 2, brokers: 5, host: 16,
        names: 8, blocks: 12, block_size: 256,
    }
}

#[test]
fn regression_who_makes_way_for_nobody_is_used_again() {
    let mut world = World::with(TwoLinks::new(), config(), 3);
    world.lead_each([1, 2, 3]);
    let topic = world.ready();
    for partition in [0, 1] {
        world.send(topic, partition, "first");
        let sent = take_first(&mut world);
        world.acknowledge(&sent, 0);
    }
    // Both links are busy when a third broker wants one: the older one makes way.
    world.send(topic, 0, "second");
    let slow = take_first(&mut world);
    world.send(topic, 1, "second");
    let quick = take_first(&mut world);
    world.send(topic, 2, "first");
    world.pass(3_500);
    let makes_way = |world: &mut World<TwoLinks>, link| {
        let producer = &mut world.producer;
        let (links, memory) = (&producer.machine.links, producer.owner.memory());
        links.resolve(&memory, link).is_some_and(|link| memory.links[link].yielding)
    };
    let first_makes_way = makes_way(&mut world, slow.link);
    assert_ne!(first_makes_way, makes_way(&mut world, quick.link));
    let (way, other) = if first_makes_way { (slow, quick) } else { (quick, slow) };
    // But then the other one comes free.
    world.acknowledge(&other, 1);
    let third = take_first(&mut world);
    assert_eq!(third.node, Some(3));
    world.acknowledge(&third, 0);
    world.acknowledge(&way, 1);
    world.send(topic, way.only().partition, "third");
    world.pass(100);
    assert_eq!(world.take().link, way.link);
}

/// The Produce request that comes first, within some seconds.
fn take_first(world: &mut World<TwoLinks>) -> Sent {
    for _ in 0..50 {
        world.run();
        if let Some(sent) = world.sent.pop_front() {
            return sent;
        }
        world.pass(100);
    }
    panic!("nothing is sent");
}

crate::fixed! {
    /// One link, and places for two brokers beside the address to begin with.
    TwoBrokers {
        topics: 1, partitions: 3, batches: 12, requests: 6, links: 1, brokers: 3, host: 16,
        names: 8, blocks: 12, block_size: 256,
    }
}

#[test]
fn who_waits_for_a_link_and_never_failed_keeps_its_place() {
    let mut world = World::with(TwoBrokers::new(), config(), 3);
    world.lead_each([1, 2, 3]);
    let topic = world.ready();
    for round in 0..3 {
        let mut served = Vec::new();
        for partition in 0..3 {
            world.try_send(topic, partition, "x").unwrap();
        }
        for _ in 0..100 {
            world.pass(100);
            for sent in world.take_all() {
                served.extend(sent.batches.iter().map(|batch| batch.partition));
                world.acknowledge(&sent, round);
            }
        }
        served.sort_unstable();
        assert_eq!(served, [0, 1, 2], "in ten seconds of round {round}");
    }
}

/// Four partitions of one broker, with requests for one batch each, one at a time. The last one's is on
/// its way, the others' wait, the first one's last. Returns whose turn it is after something happened.
fn turns_after(happens: impl FnOnce(&mut World, Topic, &str)) -> Vec<i32> {
    let settings = Config {
        max_in_flight: 1,
        batch_size: 256,
        max_request_size: 256,
        metadata_max_age: Duration::from_secs(1),
        ..config()
    };
    let mut world = World::new(settings, 4);
    let topic = world.ready();
    let record = "x".repeat(150);
    for partition in (0..4).rev() {
        world.send(topic, partition, &record);
        world.run();
    }
    happens(&mut world, topic, &record);
    let mut turns = Vec::new();
    while let Some(sent) = world.sent.pop_front() {
        turns.push(sent.only().partition);
        world.acknowledge(&sent, 0);
        world.run();
    }
    turns
}

#[test]
fn regression_metadata_sends_nobody_who_waits_to_the_end_of_the_line() {
    let turns = turns_after(|world, _, _| {
        let asked = world.metadata_requests.len();
        world.pass(1_001);
        let sent = world.take();
        assert_eq!(sent.only().partition, 3);
        world.acknowledge(&sent, 0);
        world.run();
        assert_eq!(world.metadata_requests.len(), asked + 1);
    });
    assert_eq!(turns, [2, 1, 0], "seed 10063565");
}

#[test]
fn regression_more_records_send_nobody_who_waits_to_the_end_of_the_line() {
    let turns = turns_after(|world, topic, record| world.send(topic, 2, record));
    assert_eq!(turns, [3, 2, 1, 0, 2]);
}
