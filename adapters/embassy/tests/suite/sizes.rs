//! Sizes of futures and of the static, on 64-bit hosts. Those of 32-bit devices are about half.

use std::ptr::from_ref;

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_time::Duration;
use ottla::Outcome;
use ottla::memory::Fixed;

use ottla_embassy::Budget;

use crate::world::{Node, World, node, record, settings};

static NODE: Node = Node::new(Fixed::new());

#[test]
#[allow(unsafe_code)]
fn a_producer_that_was_not_started_is_all_zero_bits() {
    let bytes = from_ref(&NODE).cast::<u8>();
    let set: Vec<(usize, u8)> = (0..size_of_val(&NODE))
        .map(|at| {
            // SAFETY: within the static. Bytes between fields have the value that the image gives
            // them, which is what is to be seen here.
            (at, unsafe { bytes.add(at).read_volatile() })
        })
        .filter(|(_, byte)| *byte != 0)
        .collect();
    assert!(set.is_empty(), "{} bytes of {} are set: {set:?}", set.len(), size_of_val(&NODE));
}

ottla_embassy::producer! {
    /// One of everything.
    Least<CriticalSectionRawMutex> {
        topics: 1, partitions: 1, batches: 1, requests: 1, links: 1, brokers: 2, host: 8,
        names: 8, blocks: 1, block_size: 128, waits: 1,
    }
}

/// The least of everything works: one record at a time.
#[test]
fn one_of_everything() {
    let world = World::new(1);
    let least = Box::new(Least::new(Fixed::new()));
    let mut runner = least.start(&settings()).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(runner.run([world.direct(3, 9)]));
    let topic = least.declare_topic("t", 1).unwrap();
    for number in 0..10 {
        let delivery = tasks.block_on(10_000, least.send(topic, &record("a", 0))).unwrap();
        let written = Outcome::Written { base_offset: number, append_time: -1 };
        assert_eq!(tasks.block_on(10_000, delivery), written);
    }
    tasks.block_on(10_000, least.close(Duration::from_secs(5))).unwrap();
    assert_eq!(world.log(0).len(), 10);
}

#[test]
#[cfg(target_pointer_width = "64")]
fn futures() {
    let (world, node) = (World::new(1), node());
    let mut runner = node.start(&settings()).unwrap();
    let topic = node.declare_topic("t", 2).unwrap();
    let record = record("a", 0);
    let budget = Budget { attempts: 1, time: Duration::MAX, bytes: 1 };
    let sizes = [
        ("produce", size_of_val(&node.produce(topic, &record)), 184),
        ("send", size_of_val(&node.send(topic, &record)), 184),
        ("flush", size_of_val(&node.flush()), 168),
        ("close", size_of_val(&node.close(Duration::MAX)), 184),
        ("wake", size_of_val(&node.wake(budget)), 248),
        ("run", size_of_val(&runner.run([world.direct(1, 1)])), 664),
    ];
    for (name, size, bound) in sizes {
        assert!(size <= bound, "{name}: {size} bytes");
    }
}
