//! Memory that grows to its bounds and then stays.

use alloc::vec::Vec;

use super::buffers::{Buffer, GrowableBlocks, Released, Shared};
use super::{
    BatchSlot, BlockId, BrokerSlot, HOST_MAX, LinkSlot, Memory, Owner, PartitionId, PartitionSlot,
    Receive, RequestSlot, Table, TopicId, TopicSlot,
};
use crate::error::Full;

/// Memory on the heap. Tables grow on demand to a ceiling; blocks are charged against
/// `buffer.memory`. After its high-water mark it allocates nothing, unless batches become larger or
/// smaller where more than half of the bound is taken.
#[derive(Clone, Debug)]
pub struct Growable<B = Vec<u8>> {
    topics: Vec<TopicSlot>,
    partitions: Vec<PartitionSlot>,
    batches: Vec<BatchSlot>,
    requests: Vec<RequestSlot>,
    links: Vec<LinkSlot>,
    receives: Vec<Receive>,
    brokers: Vec<BrokerSlot>,
    hosts: Vec<u8>,
    names: Vec<u8>,
    timers: Vec<PartitionId>,
    partition_index: Vec<PartitionId>,
    topic_index: Vec<TopicId>,
    blocks: GrowableBlocks<B>,
}

/// Ceilings of the tables: beyond every known use, and still a bound.
mod ceiling {
    pub(super) const TOPICS: usize = 65_536;
    pub(super) const PARTITIONS: usize = 1 << 20;
    pub(super) const BATCHES: usize = 1 << 22;
    pub(super) const REQUESTS: usize = 1 << 16;
    pub(super) const LINKS: usize = 4_096;
    pub(super) const BROKERS: usize = 4_096;
    pub(super) const NAMES: usize = 16 << 20;
}

/// Doubles a table, at most to `ceiling`.
fn double<S: Clone + Default>(table: &mut Vec<S>, ceiling: usize) -> bool {
    let length = table.len().saturating_mul(2).min(ceiling);
    if length <= table.len() {
        return false;
    }
    table.resize(length, S::default());
    true
}

impl Growable {
    /// Memory whose blocks are on the heap, and take at most `buffer_memory` bytes.
    #[must_use]
    pub fn new(buffer_memory: u64) -> Self {
        Self::with_buffers(buffer_memory)
    }
}

impl<B: Buffer> Growable<B> {
    /// Memory whose blocks are buffers `B`, and take at most `buffer_memory` bytes.
    #[must_use]
    pub fn with_buffers(buffer_memory: u64) -> Self {
        Self {
            topics: alloc::vec![TopicSlot::default(); 8],
            partitions: alloc::vec![PartitionSlot::default(); 64],
            batches: alloc::vec![BatchSlot::default(); 128],
            requests: alloc::vec![RequestSlot::default(); 32],
            links: alloc::vec![LinkSlot::default(); 4],
            receives: alloc::vec![Receive::default(); 4],
            brokers: alloc::vec![BrokerSlot::default(); 8],
            hosts: alloc::vec![0; 8 * HOST_MAX],
            names: alloc::vec![0; 512],
            timers: alloc::vec![PartitionId::NONE; 64],
            partition_index: alloc::vec![PartitionId::NONE; 64],
            topic_index: alloc::vec![TopicId::NONE; 8],
            blocks: GrowableBlocks::new(buffer_memory),
        }
    }

    /// The bytes of a block, to be held beyond the call that lent them.
    #[must_use]
    pub fn share(&self, block: BlockId) -> Option<Shared<B>> {
        self.blocks.shared(block).cloned()
    }

    /// Bytes of blocks now, the spare ones included; never above `buffer_memory`.
    #[must_use]
    pub const fn charged(&self) -> u64 {
        self.blocks.charged()
    }

    /// Bytes that batches may yet take under the bound, in buffers that nobody uses or in new ones.
    #[must_use]
    pub const fn available(&self) -> u64 {
        self.blocks.available()
    }

    /// Takes the spare blocks out.
    pub(crate) fn release(&mut self) -> Released<B> {
        self.blocks.release()
    }

    /// Blocks that are some batch's.
    #[must_use]
    pub fn blocks_used(&self) -> usize {
        self.blocks.used()
    }

    fn rebuild_index(&mut self) {
        let (topics, partitions) = (self.topics.len() as u32, self.partitions.len() as u32);
        self.topic_index.fill(TopicId::NONE);
        self.partition_index.fill(PartitionId::NONE);
        self.memory().rebuild_index(topics, partitions);
    }
}

impl<B: Buffer> Owner for Growable<B> {
    fn memory(&mut self) -> Memory<'_> {
        Memory {
            topics: Table::new(&mut self.topics),
            partitions: Table::new(&mut self.partitions),
            batches: Table::new(&mut self.batches),
            requests: Table::new(&mut self.requests),
            links: Table::new(&mut self.links),
            brokers: Table::new(&mut self.brokers),
            names: &mut self.names,
            hosts: &mut self.hosts,
            receives: &mut self.receives,
            timers: &mut self.timers,
            partition_index: &mut self.partition_index,
            topic_index: &mut self.topic_index,
            blocks: &mut self.blocks,
        }
    }

    fn grow(&mut self, full: Full) -> bool {
        match full {
            Full::Topics => {
                let grown = double(&mut self.topics, ceiling::TOPICS);
                if grown {
                    self.topic_index.resize(self.topics.len(), TopicId::NONE);
                    self.rebuild_index();
                }
                grown
            }
            Full::Partitions => {
                let grown = double(&mut self.partitions, ceiling::PARTITIONS);
                if grown {
                    self.timers.resize(self.partitions.len(), PartitionId::NONE);
                    self.partition_index.resize(self.partitions.len(), PartitionId::NONE);
                    self.rebuild_index();
                }
                grown
            }
            Full::Batches => double(&mut self.batches, ceiling::BATCHES),
            Full::Requests => double(&mut self.requests, ceiling::REQUESTS),
            Full::Links => {
                let grown = double(&mut self.links, ceiling::LINKS);
                self.receives.resize(self.links.len(), Receive::default());
                grown
            }
            Full::Brokers => {
                let grown = double(&mut self.brokers, ceiling::BROKERS);
                self.hosts.resize(self.brokers.len().saturating_mul(HOST_MAX), 0);
                grown
            }
            Full::Names => double(&mut self.names, ceiling::NAMES),
            Full::Memory => false,
        }
    }
}
