//! The production state machine, whatever memory it works in.

use ottla::memory::Growable;
use ottla::producer::{Counters, Flush};
use ottla::{
    Accepted, Config, Event, Instant, Link, LinkAction, Piece, Producer, Reason, Record, Refused,
    Topic,
};

ottla::fixed! {
    /// Memory of a small device: two links, blocks of a kilobyte, fewer slots than partitions.
    pub(crate) Small {
        topics: 2, partitions: 6, batches: 10, requests: 6, links: 2, brokers: 3,
        host: 16, names: 32, blocks: 8, block_size: 1_024,
    }
}

ottla::fixed! {
    /// Enough of everything for most of what happens here.
    pub(crate) Wide {
        topics: 3, partitions: 16, batches: 40, requests: 16, links: 5, brokers: 8,
        host: 32, names: 64, blocks: 32, block_size: 2_048,
    }
}

/// Bytes of blocks in use, for I9.
pub(crate) trait Charged {
    fn charged(&self) -> u64;
}

impl Charged for Growable {
    fn charged(&self) -> u64 {
        Self::charged(self)
    }
}

impl Charged for Small {
    fn charged(&self) -> u64 {
        0
    }
}

impl Charged for Wide {
    fn charged(&self) -> u64 {
        0
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
        }

        impl<O: ottla::memory::Owner + Charged> Engine for Producer<O> {
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
                self.owner().charged()
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
    close(now: Instant, deadline: Instant);
    pause(now: Instant);
    resume(now: Instant);
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
        match self {
            Self::Small => Box::new(Producer::new(Small::new(), config, seed)),
            Self::Wide => Box::new(Producer::new(Wide::new(), config, seed)),
            Self::Heap(bytes) => Box::new(Producer::new(Growable::new(bytes), config, seed)),
        }
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
