//! Several links, several brokers.

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use ottla::memory::Fixed;
use ottla::message::Api;
use ottla_broker::Action;
use ottla_embassy::transport::Target;

use crate::world::{By, Twin, World, is_written, node, record, settings};

#[test]
fn two_links_serve_two_brokers() {
    let world = World::new(2);
    let twin = Box::new(Twin::new(Fixed::new()));
    let mut runner = twin.start(&settings()).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(runner.run([world.direct(1, 7), world.direct(100, 100)]));
    let topic = twin.declare_topic("t", 2).unwrap();
    tasks.block_on(10_000, async {
        for _ in 0..10 {
            let first = twin.send(topic, &record("a", 0)).await.unwrap();
            let second = twin.send(topic, &record("b", 1)).await.unwrap();
            assert!(is_written(first.await) && is_written(second.await));
        }
    });
    assert_eq!((world.log(0).len(), world.log(1).len()), (10, 10));
    assert_eq!(world.net().open(), 2);
    // One more for what the bootstrap address stood for.
    assert_eq!(world.net().connects, 3);
    // One of them breaks while both are busy; the other one goes on.
    world.net().cluster.set_hook(|seen| match (seen.api, seen.node) {
        (Api::Produce, 1) => Action::Close,
        _ => Action::Proceed,
    });
    let broken = tasks.block_on(1_000, twin.send(topic, &record("a", 0))).unwrap();
    tasks.block_on(10_000, async {
        let second = twin.send(topic, &record("b", 1)).await.unwrap();
        assert!(is_written(second.await));
    });
    assert_eq!(world.log(0).len(), 10);
    world.net().cluster.clear_hook();
    assert!(is_written(tasks.block_on(10_000, broken)));
    assert_eq!((world.log(0).len(), world.log(1).len()), (11, 11));
}

#[test]
fn one_link_serves_two_brokers_in_turn() {
    let (world, node) = (World::new(2), node());
    let mut runner = node.start(&settings()).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Pieces));
    let topic = node.declare_topic("t", 2).unwrap();
    tasks.block_on(20_000, async {
        for _ in 0..5 {
            let first = node.send(topic, &record("a", 0)).await.unwrap();
            let second = node.send(topic, &record("b", 1)).await.unwrap();
            assert!(is_written(first.await) && is_written(second.await));
        }
    });
    assert_eq!((world.log(0).len(), world.log(1).len()), (5, 5));
    assert_eq!(world.net().open(), 1);
}

/// One broker always has something to be sent; the other one gets its turn all the same.
#[test]
fn one_link_is_shared_fairly() {
    let (world, node) = (World::new(2), node());
    let mut runner = node.start(&settings()).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Pieces));
    let topic = node.declare_topic("t", 2).unwrap();
    let node = &*node;
    for _ in 0..2 {
        tasks.spawn(async move {
            loop {
                node.produce(topic, &record("busy", 0)).await.unwrap();
                embassy_time::Timer::after_millis(1).await;
            }
        });
    }
    for _ in 0..5 {
        tasks.block_on(20_000, async {
            let delivery = node.send(topic, &record("b", 1)).await.unwrap();
            assert!(is_written(delivery.await));
        });
    }
    assert_eq!(world.log(1).len(), 5);
    assert!(world.log(0).len() > 20);
}

#[test]
fn all_brokers_are_reached_through_one_address() {
    fn via(target: Target<'_>) -> Target<'_> {
        // Ids of brokers, and none for the bootstrap address, stand behind ports.
        let port = target.broker.map_or(9_092, |id| 9_091 + id as u16);
        Target { host: "gate", port, ..target }
    }
    let (world, node) = (World::new(2), node());
    world.net().gate = true;
    let mut settings = settings();
    settings.via = Some(via);
    let mut runner = node.start(&settings).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Pieces));
    let topic = node.declare_topic("t", 2).unwrap();
    tasks.block_on(20_000, async {
        for partition in [0, 1] {
            let delivery = node.send(topic, &record("a", partition)).await.unwrap();
            assert!(is_written(delivery.await));
        }
    });
    assert_eq!((world.log(0).len(), world.log(1).len()), (1, 1));
}

#[test]
fn connectors_are_lent_and_used_again() {
    let (world, node) = (World::new(1), node());
    let mut runner = node.start(&settings()).unwrap();
    let topic = node.declare_topic("t", 2).unwrap();
    let mut connector = world.direct(5, 9);
    for number in 1..4 {
        let mut tasks = world.tasks();
        tasks.spawn(runner.run([&mut connector]));
        let delivery = tasks.block_on(10_000, node.send(topic, &record("a", 0))).unwrap();
        assert!(is_written(tasks.block_on(10_000, delivery)));
        assert_eq!(world.log(0).len(), number);
    }
}

/// Rooms and reads of every small size, each in a world of its own.
#[test]
fn rooms_of_every_size() {
    for write in 1..80 {
        let (world, node) = (World::new(1), node());
        let mut runner = node.start(&settings()).unwrap();
        let mut tasks = world.tasks();
        tasks.spawn(runner.run([world.direct(3, write)]));
        let topic = node.declare_topic("t", 2).unwrap();
        let delivery = tasks.block_on(10_000, node.send(topic, &record("a", 0))).unwrap();
        assert!(is_written(tasks.block_on(10_000, delivery)), "{write}");
    }
}

ottla_embassy::producer! {
    /// Slots for a bootstrap address, and one broker more.
    Narrow<CriticalSectionRawMutex> {
        topics: 1, partitions: 4, batches: 6, requests: 4, links: 1, brokers: 2, host: 16,
        names: 16, blocks: 4, block_size: 256, waits: 3,
    }
}

#[test]
fn leaders_without_a_slot_get_theirs_in_turn() {
    let (world, narrow) = (World::new(2), Box::new(Narrow::new(Fixed::new())));
    let mut runner = narrow.start(&settings()).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(runner.run([world.direct(100, 100)]));
    let topic = narrow.declare_topic("t", 2).unwrap();
    for partition in [0, 1, 0, 1] {
        let delivery = tasks.block_on(1_000, narrow.send(topic, &record("a", partition))).unwrap();
        assert!(is_written(tasks.block_on(20_000, delivery)), "partition {partition}");
    }
}
