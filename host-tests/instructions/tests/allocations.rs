//! I9: `Fixed` never allocates; `Growable` stays within its bound, and allocates nothing after its
//! high-water mark.

use std::alloc::System;

use instructions::Run;
use ottla::memory::Growable;
use ottla::{Config, Record};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

ottla::fixed! {
    Node {
        topics: 1, partitions: 4, batches: 12, requests: 8, links: 2, brokers: 3, host: 64,
        names: 8, blocks: 12, block_size: 2048,
    }
}

fn send<O: ottla::memory::Owner>(run: &mut Run<O>, records: u32) {
    let value = [b'x'; 100];
    for number in 0..records {
        let record = Record::new(&value).partition((number % 4) as i32).timestamp(1);
        run.send(&record).expect("room");
    }
    run.flush();
}

/// Without a harness, whose threads may allocate meanwhile.
fn main() {
    let config = Config { batch_size: 2_048, ..Config::new() };
    let mut run = Run::new(Node::new(), config, 4);
    let region = Region::new(ALLOCATOR);
    send(&mut run, 20_000);
    let change = region.change();
    assert_eq!((change.allocations, change.reallocations), (0, 0), "Fixed allocates: {change:?}");
    assert_eq!(run.written(), 20_000);

    const BOUND: u64 = 1 << 20;
    let mut run = Run::new(Growable::new(BOUND), Config { batch_size: 65_536, ..config }, 4);
    send(&mut run, 20_000);
    let region = Region::new(ALLOCATOR);
    send(&mut run, 200_000);
    let change = region.change();
    assert_eq!((change.allocations, change.reallocations), (0, 0), "past its mark: {change:?}");
    assert_eq!(run.written(), 220_000);
    assert!(run.charged() <= BOUND, "{} of {BOUND} bytes", run.charged());
}
