//! A trace: a producer over the memory of a small device and the broker, under a virtual clock,
//! with everything that may go wrong, all drawn from one seed. Every byte and word that comes out
//! of the producer goes into a hash, which must be the same on every machine.
//!
//! Beside the hash the trace checks what the producer promises: one outcome for each record, no
//! false word about any, each in the log once and in order, all of it in time, and all memory back
//! at the end. [`Rule`] lists it.

mod drive;
mod end;
mod hash;
mod ledger;
mod sample;
mod world;

use ottla::memory::Owner;
pub use world::World;

/// Partitions of the topic.
pub const PARTITIONS: usize = 4;

/// What a producer was seen to break.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Rule {
    /// A record went to a partition that there is not.
    Partition,
    /// The number of an accepted record is not the next one.
    Number,
    /// An outcome for a record that has one, or not for the next one that has none.
    OneOutcome,
    /// *Written*, and not in the log.
    WrittenNotInLog,
    /// *Not written*, and in the log.
    NotWrittenInLog,
    /// *Written* at another offset than it has.
    Offset,
    /// In the log twice, or out of order, or never accepted.
    Order,
    /// In the log with other bytes than it was accepted with.
    Bytes,
    /// No outcome within `delivery.timeout.ms`.
    Late,
    /// Records wait, and no timer runs for them.
    NoTimer,
    /// There is always something to do, and no time passes.
    Restless,
    /// The broker got bytes that are no request.
    Malformed,
    /// A link is to be opened in a place that is in use.
    Link,
    /// A broker without trouble, and no success.
    NotHealed,
    /// Memory that did not come back.
    Memory,
    /// Not closed by the deadline, or something is left to do after it.
    NotClosed,
    /// The counters do not add up.
    Counters,
    /// An answer that no healthy broker gives was met.
    Fatal,
}

/// A rule that was broken.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// The step in which it was seen.
    pub step: u32,
    /// The partition, if it is about a record.
    pub partition: i32,
    /// The number of the record in its partition.
    pub number: u32,
}

/// Memory that a trace runs in.
pub trait Shape: Owner {
    /// Number of blocks.
    const BLOCKS: u32;
    /// Bytes of each.
    const BLOCK_SIZE: u32;

    /// All of it, unused: zero bits.
    fn new() -> Self;
}

macro_rules! shape {
    ($(#[$doc:meta])* $name:ident {
        topics: $topics:expr, partitions: $partitions:expr, batches: $batches:expr,
        requests: $requests:expr, links: $links:expr, brokers: $brokers:expr,
        host: $host:expr, names: $names:expr, blocks: $blocks:expr, block_size: $size:expr $(,)?
    }) => {
        ottla::fixed! {
            $(#[$doc])*
            pub $name {
                topics: $topics, partitions: $partitions, batches: $batches,
                requests: $requests, links: $links, brokers: $brokers,
                host: $host, names: $names, blocks: $blocks, block_size: $size,
            }
        }

        impl Shape for $name {
            const BLOCKS: u32 = $blocks;
            const BLOCK_SIZE: u32 = $size;

            fn new() -> Self {
                Self::new()
            }
        }
    };
}

shape! {
    /// The smallest useful memory: one link, four blocks of half a kilobyte.
    Small {
        topics: 1, partitions: 4, batches: 6, requests: 4, links: 1, brokers: 2, host: 16,
        names: 16, blocks: 4, block_size: 512,
    }
}

shape! {
    /// More links than brokers, more blocks, and one partition slot less than partitions (R10).
    Wide {
        topics: 2, partitions: 3, batches: 12, requests: 8, links: 2, brokers: 3, host: 16,
        names: 24, blocks: 8, block_size: 256,
    }
}

/// The hash of a trace of `steps` steps; even seeds run in [`Small`] memory, odd ones in [`Wide`].
///
/// # Panics
/// If the producer breaks a [`Rule`].
pub fn trace(seed: u64, steps: u32) -> u64 {
    match check(seed, steps, &mut |_, _| {}) {
        Ok(hash) => hash,
        Err(violation) => panic!("seed {seed}: {violation:?}"),
    }
}

/// As [`trace`]; `watch` is told the number of every step and the hash after it.
///
/// # Errors
/// The first rule that was broken.
pub fn check(seed: u64, steps: u32, watch: &mut dyn FnMut(u32, u64)) -> Result<u64, Violation> {
    if seed.is_multiple_of(2) {
        run(&mut World::<Small>::new(), seed, steps, watch)
    } else {
        run(&mut World::<Wide>::new(), seed, steps, watch)
    }
}

fn run<O: Shape>(
    world: &mut World<O>,
    seed: u64,
    steps: u32,
    watch: &mut dyn FnMut(u32, u64),
) -> Result<u64, Violation> {
    world.start(seed, steps);
    let mut step = 0;
    while world.step()? {
        step += 1;
        watch(step, world.hash());
    }
    Ok(world.hash())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a trace breaks a rule whose broker is replaced by an empty one again and again: no
    /// producer can see through that, and records that come again get into the log again.
    fn is_broken_by_amnesia(seed: u64) -> bool {
        let mut world = World::<Small>::new();
        world.start(seed, 500);
        for step in 0..500 {
            if step % 50 == 49 {
                world.lose_log();
            }
            if let Err(violation) = world.step() {
                return violation.rule == Rule::Order;
            }
        }
        false
    }

    #[test]
    fn rules_bite() {
        assert!((0..400).any(is_broken_by_amnesia));
    }
}
