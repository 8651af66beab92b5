//! Many partitions: how many of them a request carries, and that memory keeps to its bound.
//!
//! I9: the heap that the producer takes, as its allocator sees it, is at most `buffer.memory`, its
//! tables at their stated sizes, and the bookkeeping of its blocks; the tables are at most twice as
//! long as was needed.

use std::alloc::System;

use instructions::world::{Meter, Shape, World};
use ottla::memory::{Growable, Owner as _};
use ottla::{Config, Refused, error::Full, sizes};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes beside a block's own, for a 64-bit host: the counts of an `Arc`, a `Vec`, and a place in
/// each list that may name the block; the lists are at most twice as long as was needed.
const BESIDE_A_BLOCK: u64 = 16 + 24 + 2 * (8 + 4 + 8 + 8);

const VALUE: [u8; 1_000] = [b'x'; 1_000];

/// Heap that the calls of the core took and did not give back, and the most it was. The cluster's
/// is not in it, as that is called elsewhere.
#[derive(Default)]
struct Heap {
    held: i64,
    most: i64,
}

impl Meter for Heap {
    fn measure<R>(&mut self, call: impl FnOnce() -> R) -> R {
        let region = Region::new(ALLOCATOR);
        let result = call();
        let change = region.change();
        self.held += change.bytes_allocated as i64 - change.bytes_deallocated as i64;
        self.most = self.most.max(self.held);
        result
    }
}

/// Bytes of a type, as the crate states them.
fn stated(name: &str) -> u64 {
    let size = sizes::SIZES.iter().find(|size| size.name == name).expect("a stated size");
    size.bytes as u64
}

/// Slots of the tables of partitions and batches, and the bytes of all tables.
fn tables(owner: &Growable) -> (u32, u32, u64) {
    let mut owner = owner.clone();
    let memory = owner.memory();
    let (partitions, batches) = (memory.partitions.capacity(), memory.batches.capacity());
    let slots = [
        (memory.topics.capacity(), "TopicSlot"),
        (partitions, "PartitionSlot"),
        (batches, "BatchSlot"),
        (memory.requests.capacity(), "RequestSlot"),
        (memory.links.capacity(), "LinkSlot"),
        (memory.links.capacity(), "Receive"),
        (memory.brokers.capacity(), "BrokerSlot"),
    ];
    let slots: u64 = slots.iter().map(|(count, name)| u64::from(*count) * stated(name)).sum();
    let numbers = memory.timers.len() + memory.partition_index.len() + memory.topic_index.len();
    let bytes = memory.names.len() + memory.hosts.len();
    (partitions, batches, slots + (4 * numbers + bytes) as u64)
}

/// Holds the most memory so far to the bound, for so many partitions and batches at once.
fn check_memory(what: &str, world: &World<Heap>, bound: u64, partitions: u32, batches: u32) {
    let (most, owner) = (world.meter.most as u64, world.producer.owner());
    let (partition_slots, batch_slots, tables) = tables(owner);
    let charged = owner.charged();
    // Each block is charged 1 KiB or more, so that there are never more.
    let bookkeeping = (bound / 1_024).min(u64::from(batch_slots)) * BESIDE_A_BLOCK;
    let allowed = bound + tables + bookkeeping;
    println!(
        "{what}: {most} bytes at most, of {allowed} = {bound} (buffer.memory, {charged} charged \
         now) + {tables} (tables) + {bookkeeping} (beside blocks)"
    );
    assert!(most <= allowed, "{what}: {most} of {allowed} bytes");
    assert!(charged <= bound, "{what}: {charged} of {bound} bytes");
    assert!(most > charged, "{what}: the heap was looked at");
    let needed = partitions.next_power_of_two();
    assert!(partition_slots <= needed, "{what}: {partition_slots} slots for {partitions}");
    let needed = batches.next_power_of_two();
    assert!(batch_slots <= needed, "{what}: {batch_slots} slots for {batches} batches");
}

/// Sends a record of `bytes` and lets so many microseconds pass; where memory is full, first lets
/// it drain. Returns how often it was full.
fn insist(world: &mut World<Heap>, topic: usize, partition: u32, bytes: usize, micros: u64) -> u64 {
    for refusals in 0..1_000_000 {
        match world.send(topic, partition, &VALUE[..bytes], micros) {
            Ok(_) => return refusals,
            Err(Refused::Full(Full::Memory)) => world.pass(100),
            Err(refused) => panic!("{refused}"),
        }
    }
    panic!("memory is full for good");
}

/// Each of 10,000 partitions has had a record, with memory for half of them at a time; then one
/// is busy, and takes no more heap once it has its own.
fn idle_beside_busy() {
    const BOUND: u64 = 5 << 20;
    let config = Config { batch_size: 65_536, ..Config::new() };
    let shape = Shape { nodes: 1, partitions: &[1, 10_000], round_trip: 1_000 };
    let mut world = World::new(Heap::default(), BOUND, config, shape);
    let refusals: u64 = (0..10_000).map(|partition| insist(&mut world, 1, partition, 100, 1)).sum();
    world.settle();
    assert!(refusals > 0, "memory was full");
    check_memory("10,000 idle", &world, BOUND, 10_001, BOUND as u32 / 1_024);
    for _ in 0..20_000 {
        insist(&mut world, 0, 0, 100, 1);
    }
    world.settle();
    let held = world.meter.held;
    for _ in 0..20_000 {
        insist(&mut world, 0, 0, 100, 1);
    }
    world.settle();
    assert_eq!(world.meter.held, held, "nothing more in steady state");
    check_memory("10,000 idle, one busy", &world, BOUND, 10_001, BOUND as u32 / 1_024);
}

/// What all of 1,000 partitions are sent, after a first success has opened each window.
struct Load {
    bound: u64,
    round_trip: u64,
    records: u32,
    bytes: usize,
    /// From one record to the next.
    micros: u64,
}

/// Bytes of a request, by default.
const REQUEST: u64 = Config::new().max_request_size as u64;

/// Sends it; returns batches and requests, and bytes of batches.
fn all_busy(load: &Load) -> (u64, u64, u64) {
    let shape = Shape { nodes: 1, partitions: &[1_000], round_trip: load.round_trip };
    let mut world = World::new(Heap::default(), load.bound, Config::new(), shape);
    let send = |world: &mut World<Heap>, count| {
        let one = |number| insist(world, 0, number % 1_000, load.bytes, load.micros);
        (0..count).map(one).sum::<u64>()
    };
    send(&mut world, 5_000);
    world.settle();
    let before = world.producer.counters();
    let refusals = send(&mut world, load.records);
    world.settle();
    let after = world.producer.counters();
    assert_eq!(after.retries, 0, "nothing went wrong");
    let (batches, requests) = (after.batches - before.batches, after.requests - before.requests);
    let bytes = after.batch_bytes - before.batch_bytes;
    println!(
        "1,000 busy, round trip {} us: {batches} batches of {} bytes in {requests} requests: {} a \
         request; memory was full {refusals} times",
        load.round_trip,
        bytes / batches,
        batches / requests
    );
    check_memory("1,000 busy", &world, load.bound, 1_000, load.bound as u32 / 1_024);
    (batches, requests, bytes)
}

/// A million records of 100 bytes per second: a partition's batch is due 5 ms after its first, so
/// that 170 become ready each millisecond. What is ready goes out at once while fewer than two
/// requests are unanswered, and is gathered otherwise (R21): a request carries half a round trip's
/// worth, and more where that is longer than linger.
fn steady() {
    for (round_trip, at_least) in [(1_000, 85), (10_000, 200)] {
        let load = Load { bound: 32 << 20, round_trip, records: 100_000, bytes: 100, micros: 1 };
        let (batches, requests, _) = all_busy(&load);
        assert!(batches >= at_least * requests, "{batches} batches in {requests} requests");
    }
}

/// As fast as memory allows. A refusal makes all open batches due (R16), and they take more records
/// until they go out: requests are full, and batches as large as half of the memory makes them.
fn flooded() {
    for (records, bytes) in [(60_000, 1_000), (600_000, 100)] {
        let load = Load { bound: 32 << 20, round_trip: 30_000, records, bytes, micros: 0 };
        let (batches, requests, sent) = all_busy(&load);
        let (filled, mean) = (sent / requests * 100 / REQUEST, sent / batches);
        println!("   {filled} % of max.request.size");
        assert!(filled >= 85 && mean >= 12_000, "{filled} % of {mean} bytes");
    }
}

/// Without a harness, whose threads may allocate meanwhile.
fn main() {
    idle_beside_busy();
    steady();
    flooded();
}
