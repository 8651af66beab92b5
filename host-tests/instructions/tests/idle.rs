//! I20: a producer that has nothing queued or in flight sends nothing and wakes nobody up.

use instructions::world::{Shape, Unmeasured, World};
use ottla::Config;

const SECOND: u64 = 1_000_000;

/// Each of 10,000 partitions has had its record; then nobody sends any for an hour.
#[test]
fn i20_an_idle_hour_takes_no_bytes_and_a_wake_up_for_each_link_to_close() {
    let shape = Shape { nodes: 3, partitions: &[10_000], round_trip: 1_000 };
    let config = Config::new();
    let mut world = World::new(Unmeasured, 32 << 20, config, shape);
    for partition in 0..10_000 {
        world.send(0, partition, b"x", 1).expect("room");
    }
    world.settle();
    // Three leaders, and the link by which they were learned.
    let links = world.cluster.connection_count() as u64;
    assert_eq!(links, 4);
    let before = (world.producer.counters(), world.cluster.counters().requests);
    let close = config.connection_max_idle.as_micros();
    let mut wakes = Vec::new();
    for part in [close - SECOND, 2 * SECOND, 3_600 * SECOND - close - SECOND] {
        let woken = world.wakes;
        world.pass(part);
        wakes.push(world.wakes - woken);
    }
    let after = (world.producer.counters(), world.cluster.counters().requests);
    let sent = after.0.sent.total() - before.0.sent.total();
    let received = after.0.received.total() - before.0.received.total();
    println!(
        "an idle hour, 10,000 partitions: {sent} bytes sent, {received} received; wake-ups: {} \
         before, {} for, {} after the close of {links} links",
        wakes[0], wakes[1], wakes[2]
    );
    assert_eq!(after, before);
    assert_eq!((wakes, world.cluster.connection_count()), (vec![0, links, 0], 0));
    // It is idle, not dead.
    world.send(0, 0, b"x", 1).expect("room");
    world.settle();
    assert_eq!(world.written(), 10_001);
}
