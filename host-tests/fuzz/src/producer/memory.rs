//! The memory of a fuzzed producer.

use ottla::memory::{BlockId, Growable, Owner, Shared};

ottla::fixed! {
    /// So little that every table is full at once.
    pub(super) Tiny {
        topics: 2, partitions: 2, batches: 3, requests: 2, links: 1, brokers: 2,
        host: 8, names: 12, blocks: 2, block_size: 256,
    }
}

ottla::fixed! {
    /// Enough of everything for what happens here.
    pub(super) Wide {
        topics: 4, partitions: 12, batches: 24, requests: 12, links: 4, brokers: 6,
        host: 32, names: 64, blocks: 16, block_size: 1_024,
    }
}

/// Which memory a producer has.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    Tiny,
    Wide,
    /// On the heap, with so many bytes of blocks.
    Heap(u64),
}

/// Memory with what is checked of it.
pub(super) trait Checked: Owner + std::fmt::Debug {
    /// Bytes of blocks, and their bound.
    fn charged(&self) -> (u64, u64) {
        (0, 0)
    }

    /// A block, held beyond the call that lent it.
    fn share(&self, _: BlockId) -> Option<Shared> {
        None
    }
}

impl Checked for Tiny {}

impl Checked for Wide {}

/// [`Growable`], and the bound that it was given.
#[derive(Debug)]
pub(super) struct Heap {
    memory: Growable,
    bound: u64,
}

impl Heap {
    pub(super) fn new(bound: u64) -> Self {
        Self { memory: Growable::new(bound), bound }
    }
}

impl Owner for Heap {
    fn memory(&mut self) -> ottla::memory::Memory<'_> {
        self.memory.memory()
    }

    fn grow(&mut self, full: ottla::error::Full) -> bool {
        self.memory.grow(full)
    }
}

impl Checked for Heap {
    fn charged(&self) -> (u64, u64) {
        (self.memory.charged(), self.bound)
    }

    fn share(&self, block: BlockId) -> Option<Shared> {
        self.memory.share(block)
    }
}
