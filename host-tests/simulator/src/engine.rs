//! The production state machine, whatever memory it works in.

use ottla::error::Full;
use ottla::identity::Sequence;
use ottla::memory::{Growable, Memory, Owner};
use ottla::producer::{Counters, Flush};
use ottla::{
    Accepted, Config, Event, Instant, Link, LinkAction, Piece, Producer, Reason, Record, Refused,
    Topic,
};

const SMALL_BLOCKS: usize = 8;
const WIDE_BLOCKS: usize = 32;

ottla::fixed! {
    /// Memory of a small device: two links, blocks of a kilobyte, fewer slots than partitions.
    pub(crate) Small {
        topics: 2, partitions: 6, batches: 10, requests: 6, links: 2, brokers: 3,
        host: 16, names: 32, blocks: SMALL_BLOCKS, block_size: 1_024,
    }
}

ottla::fixed! {
    /// Enough of everything for most of what happens here.
    pub(crate) Wide {
        topics: 3, partitions: 16, batches: 40, requests: 16, links: 5, brokers: 8,
        host: 32, names: 64, blocks: WIDE_BLOCKS, block_size: 2_048,
    }
}

/// What I9 asks of memory.
pub(crate) trait Charged {
    /// Bytes of blocks, where they are counted.
    fn charged(&self) -> u64;

    /// Blocks that are some batch's.
    fn blocks_used(&self) -> usize;
}

impl Charged for Growable {
    fn charged(&self) -> u64 {
        Self::charged(self)
    }

    fn blocks_used(&self) -> usize {
        Self::blocks_used(self)
    }
}

impl Charged for Small {
    fn charged(&self) -> u64 {
        0
    }

    fn blocks_used(&self) -> usize {
        SMALL_BLOCKS - free_blocks(self)
    }
}

impl Charged for Wide {
    fn charged(&self) -> u64 {
        0
    }

    fn blocks_used(&self) -> usize {
        WIDE_BLOCKS - free_blocks(self)
    }
}

/// Blocks that can be had of fixed memory; of a copy, so that nothing changes.
pub fn free_blocks(owner: &(impl Owner + Clone)) -> usize {
    let mut copy = owner.clone();
    let blocks = copy.memory().blocks;
    std::iter::from_fn(|| blocks.allocate(1)).count()
}

/// The tables that can be full.
const TABLES: [Full; 8] = [
    Full::Topics,
    Full::Partitions,
    Full::Batches,
    Full::Names,
    Full::Memory,
    Full::Requests,
    Full::Links,
    Full::Brokers,
];

/// How often each table was full.
pub(crate) type Fullness = [(Full, u64); TABLES.len()];

/// Memory, and how often more was asked of it than there was.
struct Watched<O> {
    owner: O,
    full: Fullness,
}

impl<O> Watched<O> {
    fn new(owner: O) -> Self {
        Self { owner, full: TABLES.map(|table| (table, 0)) }
    }
}

impl<O: Owner> Owner for Watched<O> {
    fn memory(&mut self) -> Memory<'_> {
        self.owner.memory()
    }

    fn grow(&mut self, full: Full) -> bool {
        let count = self.full.iter_mut().find(|(table, _)| *table == full);
        count.into_iter().for_each(|(_, count)| *count += 1);
        self.owner.grow(full)
    }
}

macro_rules! engine {
    ($($name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        /// [`Producer`]'s methods, without its owner's type.
        pub(crate) trait Engine {
            $(fn $name(&mut self, $($argument: $type),*) $(-> $result)?;)*
            fn counters(&self) -> Counters;
            fn is_paused(&self) -> bool;
            fn is_closed(&self) -> bool;
            fn charged(&self) -> u64;
            fn blocks_used(&self) -> usize;
            fn fullness(&self) -> Fullness;
        }

        impl<O: Owner + Charged> Engine for Producer<Watched<O>> {
            $(fn $name(&mut self, $($argument: $type),*) $(-> $result)? {
                Producer::$name(self, $($argument),*)
            })*

            fn counters(&self) -> Counters {
                Producer::counters(self)
            }

            fn is_paused(&self) -> bool {
                Producer::is_paused(self)
            }

            fn is_closed(&self) -> bool {
                Producer::is_closed(self)
            }

            fn charged(&self) -> u64 {
                self.owner().owner.charged()
            }

            fn blocks_used(&self) -> usize {
                self.owner().owner.blocks_used()
            }

            fn fullness(&self) -> Fullness {
                self.owner().full
            }
        }
    };
}

engine! {
    set_client_id(id: &str) -> bool;
    bootstrap(host: &str, port: u16) -> bool;
    declare_topic(name: &str, partitions: u32) -> Result<Topic, Refused>;
    produce(now: Instant, topic: Topic, record: &Record<'_>) -> Result<Accepted, Refused>;
    flush(now: Instant) -> Flush;
    is_flushed(flush: Flush) -> bool;
    close(now: Instant, deadline: Instant);
    pause(now: Instant);
    resume(now: Instant);
    partition_count(topic: Topic) -> u32;
    begin_sequences_at(topic: Topic, partition: i32, first: Sequence);
    set_wall_clock(now: Instant, unix_millis: u64) -> bool;
    handle_connected(now: Instant, link: Link);
    handle_input(now: Instant, link: Link, bytes: &[u8]);
    handle_disconnected(now: Instant, link: Link, reason: Reason);
    handle_timeout(now: Instant);
    poll_link() -> Option<LinkAction<'_>>;
    poll_event() -> Option<Event>;
    poll_timeout() -> Option<Instant>;
    output(link: Link) -> Option<Piece<'_>>;
    consume_output(now: Instant, link: Link, count: usize);
}

/// The memory of a producer.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    Small,
    Wide,
    /// On the heap, with so many bytes of blocks.
    Heap(u64),
}

impl Shape {
    /// A producer in memory of this shape.
    pub(crate) fn start(self, config: Config, seed: u64) -> Box<dyn Engine> {
        fn new<O: Owner + Charged + 'static>(o: O, config: Config, seed: u64) -> Box<dyn Engine> {
            Box::new(Producer::new(Watched::new(o), config, seed))
        }
        match self {
            Self::Small => new(Small::new(), config, seed),
            Self::Wide => new(Wide::new(), config, seed),
            Self::Heap(bytes) => new(Growable::new(bytes), config, seed),
        }
    }

    /// Slots of topics, partitions and batches, and blocks, where their number is fixed.
    pub(crate) const fn slots(self) -> Option<[usize; 4]> {
        match self {
            Self::Small => Some([2, 6, 10, SMALL_BLOCKS]),
            Self::Wide => Some([3, 16, 40, WIDE_BLOCKS]),
            Self::Heap(_) => None,
        }
    }

    /// I9: whether what an accepted record was given is there.
    pub(crate) fn holds(self, accepted: &Accepted, topic: Topic) -> Result<(), String> {
        let Some([topics, partitions, batches, _]) = self.slots() else { return Ok(()) };
        let (slot, batch) = (accepted.slot.index(), accepted.batch.index());
        if topic.index() < topics && slot < partitions && batch < batches {
            return Ok(());
        }
        let topic = topic.index();
        Err(format!("topic {topic}, partition {slot} and batch {batch} are not all in {self:?}"))
    }

    /// How much a batch may take.
    pub(crate) const fn block(self) -> u32 {
        match self {
            Self::Small => 1_024,
            Self::Wide => 2_048,
            Self::Heap(_) => 16_384,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_beyond_a_table_are_found() {
        let now = Instant::ZERO;
        let mut engine = Shape::Heap(1 << 20).start(Config::new(), 1);
        assert!(engine.set_wall_clock(now, 1_700_000_000_000));
        let topic = engine.declare_topic("t", 9).unwrap();
        for partition in 0..9 {
            let record = Record { partition: Some(partition), ..Record::new(b"x") };
            let accepted = engine.produce(now, topic, &record).unwrap();
            assert_eq!(Shape::Small.holds(&accepted, topic).is_ok(), partition < 6);
            assert!(Shape::Wide.holds(&accepted, topic).is_ok());
        }
    }

    #[test]
    fn full_tables_are_counted() {
        let mut engine = Shape::Small.start(Config::new(), 1);
        for name in ["a", "b"] {
            engine.declare_topic(name, 0).unwrap();
        }
        assert!(engine.declare_topic("c", 0).is_err());
        assert!(engine.fullness().contains(&(Full::Topics, 1)));
        assert_eq!(engine.blocks_used(), 0);
    }
}
