//! What searches are shown of a producer: all that later calls depend on, and nothing else.

use std::collections::BTreeMap;
use std::string::String;
use std::vec::Vec;

use super::world::{World, config};
use crate::config::Config;
use crate::link::Part;
use crate::memory::{BrokerId, LinkId, Owner, Pool, Pooled, Table};
use crate::producer::{LinkAction, View};
use crate::time::{Duration, Instant};

/// What a search takes two producers to be the same by: instants by how far off they are, numbers of
/// batches and requests by where they came first.
fn shown(world: &mut World) -> Vec<String> {
    let (now, mut parts) = (world.now, Vec::new());
    let (mut batches, mut requests) = (BTreeMap::from([(0, 0)]), BTreeMap::from([(0, 0)]));
    let name = |names: &mut BTreeMap<u32, usize>, number| {
        let next = names.len();
        *names.entry(number).or_insert(next)
    };
    world.producer.view(&mut |view| {
        parts.push(match view {
            View::Due(at) if at < now => "past".into(),
            View::Due(at) => std::format!("due in {:?}", at.since(now)),
            View::Batch(number) => std::format!("batch {}", name(&mut batches, number)),
            View::Request(number) => std::format!("request {}", name(&mut requests, number)),
            other => std::format!("{other:?}"),
        });
    });
    parts
}

/// A world that waits for nothing, with two brokers, a link to each, and batches behind it.
fn quiet(settings: Config) -> World {
    let mut world = World::new(settings, 2);
    world.nodes.push(2);
    world.lead(1, 2, 0);
    let topic = world.ready();
    for partition in 0..2 {
        world.send(topic, partition, "x");
    }
    world.acknowledge_all();
    assert_eq!(world.outcomes().len(), 2);
    world.pass(10_000);
    world
}

/// What is shown of a world with a batch on its way, after a change to it.
fn changed(settings: Config, change: impl Fn(&mut World)) -> Vec<String> {
    let mut world = quiet(settings);
    let topic = world.producer.topic("t").unwrap();
    world.send(topic, 0, "y");
    assert_eq!(world.take().only().values, ["y"]);
    change(&mut world);
    shown(&mut world)
}

fn attempts(settings: Config, attempts: u8) -> Vec<String> {
    changed(settings, |world| {
        let batch = world.producer.machine.live_first;
        world.producer.owner.memory().batches[batch].attempts = attempts.into();
    })
}

/// Takes two slots, and gives them back in this order.
fn free<S: Pooled>(pool: &mut Pool, table: &mut Table<'_, S>, order: [usize; 2]) {
    let taken = [0, 1].map(|_| pool.take(table).unwrap());
    for place in order {
        pool.give(table, taken[place]);
    }
}

/// Both waits are over; the links are closed at different times.
#[test]
fn regression_the_view_tells_links_apart_that_are_closed_at_different_times() {
    let show = |throttled: i32| {
        let mut world = World::new(config(), 1);
        let topic = world.ready();
        world.send(topic, 0, "a");
        let sent = world.take();
        world.answer_with(&sent, &[(0, 0)], |reply, _| reply.throttle_ms = throttled);
        world.pass(3_000);
        let parts = shown(&mut world);
        let mut closed = std::vec![];
        while closed.len() < 2 {
            world.now = world.producer.poll_timeout().unwrap().max(world.now);
            world.producer.handle_timeout(world.now);
            while let Some(LinkAction::Close(..)) = world.producer.poll_link() {
                closed.push(world.now);
            }
        }
        (parts, closed)
    };
    let (short, long) = (show(1_000), show(2_000));
    assert_eq!(short.0 == long.0, short.1 == long.1, "{:?} and {:?}", short.1, long.1);
}

#[test]
fn which_number_a_batch_has_decides_nothing() {
    let show = |order| {
        let mut world = quiet(config());
        // Of two slots the one that is given back last is taken first.
        let producer = &mut world.producer;
        let (pool, mut memory) = (&mut producer.machine.batches, producer.owner.memory());
        free(pool, &mut memory.batches, order);
        let topic = world.producer.topic("t").unwrap();
        world.hold_output = true;
        world.send(topic, 0, "y");
        world.run();
        // Up to the bytes of the batch.
        let link = world.first_link();
        let producer = &mut world.producer;
        while producer.owner.memory().links[link.id].lent.part != Part::Batch {
            producer.output(link).unwrap();
        }
        let batch = producer.owner.memory().links[link.id].lent.batch();
        (batch.number(), shown(&mut world))
    };
    let (one, other) = (show([0, 1]), show([1, 0]));
    assert_ne!(one.0, other.0);
    assert_eq!(one.1, other.1);
}

#[test]
fn which_brokers_and_links_slot_is_taken_next_is_shown() {
    let brokers = |order| {
        changed(config(), |world| {
            let producer = &mut world.producer;
            let pool = &mut producer.machine.pools.brokers;
            free(pool, &mut producer.owner.memory().brokers, order);
        })
    };
    assert_ne!(brokers([0, 1]), brokers([1, 0]));
    let links = |order| {
        changed(config(), |world| {
            // So that two slots are free.
            let idle = *world.links().iter().find(|link| **link != world.first_link()).unwrap();
            world.disconnect(idle);
            let producer = &mut world.producer;
            let pool = &mut producer.machine.links.links;
            free(pool, &mut producer.owner.memory().links, order);
        })
    };
    assert_ne!(links([0, 1]), links([1, 0]));
}

#[test]
fn how_often_a_batch_was_tried_is_shown_where_it_decides_something() {
    let pause = Duration::from_millis(100);
    let even = Config { retry_backoff: pause, retry_backoff_max: pause, ..config() };
    assert_eq!(attempts(even, 1), attempts(even, 2), "the pause is the same");
    assert_ne!(attempts(even, 0), attempts(even, 1));
    let growing = Config { retry_backoff_max: Duration::from_secs(1), ..even };
    assert_ne!(attempts(growing, 1), attempts(growing, 2));
    let ends = Config { retries: 3, ..even };
    assert_ne!(attempts(ends, 1), attempts(ends, 2));
}

#[test]
fn how_often_metadata_failed_is_shown_where_it_decides_something() {
    let failures = |settings, failures| {
        changed(settings, |world| world.producer.machine.refresh.failures = failures)
    };
    let pause = Duration::from_millis(100);
    let even = Config { retry_backoff: pause, retry_backoff_max: pause, ..config() };
    assert_ne!(failures(even, 0), failures(even, 1));
    assert_eq!(failures(even, 1), failures(even, 2), "the pause is the same");
    let growing = Config { retry_backoff_max: Duration::from_secs(1), ..even };
    assert_ne!(failures(growing, 1), failures(growing, 2));
}

#[test]
fn a_brokers_address_is_shown_and_of_a_free_slot_nothing() {
    let port = |broker, port| {
        changed(config(), |world| {
            world.producer.owner.memory().brokers[BrokerId::from_number(broker)].port = port;
        })
    };
    assert_ne!(port(1, 1), port(1, 2), "the bootstrap address's");
    assert_eq!(port(4, 1), port(4, 2), "that of nobody");
}

#[test]
fn whose_turn_began_first_is_shown_though_both_are_over() {
    let turns = |seconds: [u64; 2]| {
        changed(config(), |world| {
            let mut memory = world.producer.owner.memory();
            for (link, seconds) in [1, 2].map(LinkId::from_number).into_iter().zip(seconds) {
                memory.links[link].ready_at = Instant::from_millis(seconds * 1_000);
            }
        })
    };
    assert_eq!(turns([1, 2]), turns([1, 3]), "how long ago decides nothing");
    assert_ne!(turns([1, 2]), turns([2, 1]));
    assert_ne!(turns([1, 1]), turns([1, 2]));
}
