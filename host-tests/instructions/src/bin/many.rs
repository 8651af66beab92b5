//! Runs the core with many partitions for callgrind: `many BUSY IDLE RECORDS`.
//!
//! Each of the idle partitions, and of the busy ones, has had a record before; the busy ones then
//! get records of 100 bytes in turn. Only what [`on_the_client`] calls is counted, and only once
//! memory has grown to what it takes: `callgrind --toggle-collect=*on_the_client*` leaves out the
//! broker, which runs in the same process.

#[path = "../copy.rs"]
mod copy;

use std::env;

use instructions::world::{Meter, Shape, World};
use ottla::Config;

/// Counts once it is switched on.
struct Switch {
    is_on: bool,
}

impl Meter for Switch {
    fn measure<R>(&mut self, call: impl FnOnce() -> R) -> R {
        if self.is_on { on_the_client(call) } else { call() }
    }
}

#[inline(never)]
fn on_the_client<R>(call: impl FnOnce() -> R) -> R {
    call()
}

fn main() {
    let mut arguments = env::args().skip(1).map(|text| text.parse::<u32>().expect("a number"));
    let mut argument = || arguments.next().expect("BUSY IDLE RECORDS");
    let (busy, idle, records) = (argument(), argument(), argument());
    let config = Config { batch_size: 65_536, ..Config::new() };
    let partitions: Vec<u32> = [busy, idle].into_iter().filter(|count| *count > 0).collect();
    let shape = Shape { nodes: 1, partitions: &partitions, round_trip: 1_000 };
    let mut world = World::new(Switch { is_on: false }, 64 << 20, config, shape);
    let value = [b'x'; 100];
    for (topic, count) in partitions.iter().enumerate() {
        for partition in 0..*count {
            world.send(topic, partition, &value, 1).expect("room");
        }
    }
    world.settle();
    let send = |world: &mut World<Switch>, count| {
        for number in 0..count {
            world.send(0, number % busy, &value, 1).expect("room");
        }
    };
    send(&mut world, records / 2);
    world.settle();
    world.meter.is_on = true;
    send(&mut world, records);
    world.settle();
    assert_eq!(world.written(), u64::from(busy + idle + records / 2 + records));
    let counters = world.producer.counters();
    println!("{} batches in {} requests", counters.batches, counters.requests);
}
