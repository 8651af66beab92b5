//! Memory in arrays: nothing is ever allocated, and everything lands in `.bss`.

use super::{
    BatchSlot, BlockId, Blocks, BrokerSlot, HOST_MAX, LinkSlot, Memory, Owner, PartitionId,
    PartitionSlot, Receive, RequestSlot, Table, TopicId, TopicSlot,
};

/// `BLOCKS` blocks of `SIZE` bytes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct FixedBlocks<const BLOCKS: usize, const SIZE: usize> {
    bytes: [[u8; SIZE]; BLOCKS],
    used: [bool; BLOCKS],
}

impl<const BLOCKS: usize, const SIZE: usize> Blocks for FixedBlocks<BLOCKS, SIZE> {
    fn allocate(&mut self, bytes: u32) -> Option<BlockId> {
        if bytes > self.largest() {
            return None;
        }
        let (index, used) = self.used.iter_mut().enumerate().find(|(_, used)| !**used)?;
        *used = true;
        Some(BlockId::from_number((index as u32).wrapping_add(1)))
    }

    fn enlarge(&mut self, _: BlockId, least: u32, _: u32) -> bool {
        least <= self.largest()
    }

    fn get(&self, block: BlockId) -> &[u8] {
        self.bytes.get(block.index()).map_or(&[], |bytes| bytes)
    }

    fn settle(&mut self, _: BlockId, _: u32) -> bool {
        true
    }

    fn get_mut(&mut self, block: BlockId) -> Option<&mut [u8]> {
        self.bytes.get_mut(block.index()).map(|bytes| &mut bytes[..])
    }

    fn free(&mut self, block: BlockId) {
        if let Some(used) = self.used.get_mut(block.index()) {
            *used = false;
        }
    }

    fn largest(&self) -> u32 {
        SIZE as u32
    }
}

/// Memory of fixed size, declared with named sizes by [`fixed!`](crate::fixed).
///
/// Every block has `SIZE` bytes, and a record that fits none is refused as too large. The whole
/// is zero bits when new, so a `static` of it takes no flash.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Fixed<
    const TOPICS: usize,
    const PARTITIONS: usize,
    const BATCHES: usize,
    const REQUESTS: usize,
    const LINKS: usize,
    const BROKERS: usize,
    const HOST: usize,
    const NAMES: usize,
    const BLOCKS: usize,
    const SIZE: usize,
> {
    topics: [TopicSlot; TOPICS],
    partitions: [PartitionSlot; PARTITIONS],
    batches: [BatchSlot; BATCHES],
    requests: [RequestSlot; REQUESTS],
    links: [LinkSlot; LINKS],
    receives: [Receive; LINKS],
    brokers: [BrokerSlot; BROKERS],
    hosts: [[u8; HOST]; BROKERS],
    names: [u8; NAMES],
    timers: [PartitionId; PARTITIONS],
    partition_index: [PartitionId; PARTITIONS],
    topic_index: [TopicId; TOPICS],
    blocks: FixedBlocks<BLOCKS, SIZE>,
}

impl<
    const TOPICS: usize,
    const PARTITIONS: usize,
    const BATCHES: usize,
    const REQUESTS: usize,
    const LINKS: usize,
    const BROKERS: usize,
    const HOST: usize,
    const NAMES: usize,
    const BLOCKS: usize,
    const SIZE: usize,
> Fixed<TOPICS, PARTITIONS, BATCHES, REQUESTS, LINKS, BROKERS, HOST, NAMES, BLOCKS, SIZE>
{
    /// Empty memory.
    #[must_use]
    pub const fn new() -> Self {
        const {
            assert!(TOPICS > 0 && PARTITIONS > 0 && BATCHES > 0 && REQUESTS > 0);
            assert!(LINKS > 0 && BROKERS > 0 && NAMES > 0 && BLOCKS > 0);
            assert!(HOST > 0 && HOST <= HOST_MAX);
            assert!(SIZE > crate::record::layout::HEADER as usize && SIZE < u32::MAX as usize);
        }
        Self {
            topics: [TopicSlot::EMPTY; TOPICS],
            partitions: [PartitionSlot::EMPTY; PARTITIONS],
            batches: [BatchSlot::EMPTY; BATCHES],
            requests: [RequestSlot::EMPTY; REQUESTS],
            links: [const { LinkSlot::EMPTY }; LINKS],
            receives: [const { Receive::EMPTY }; LINKS],
            brokers: [const { BrokerSlot::EMPTY }; BROKERS],
            hosts: [[0; HOST]; BROKERS],
            names: [0; NAMES],
            timers: [PartitionId::NONE; PARTITIONS],
            partition_index: [PartitionId::NONE; PARTITIONS],
            topic_index: [TopicId::NONE; TOPICS],
            blocks: FixedBlocks { bytes: [[0; SIZE]; BLOCKS], used: [false; BLOCKS] },
        }
    }
}

impl<
    const TOPICS: usize,
    const PARTITIONS: usize,
    const BATCHES: usize,
    const REQUESTS: usize,
    const LINKS: usize,
    const BROKERS: usize,
    const HOST: usize,
    const NAMES: usize,
    const BLOCKS: usize,
    const SIZE: usize,
> Default
    for Fixed<TOPICS, PARTITIONS, BATCHES, REQUESTS, LINKS, BROKERS, HOST, NAMES, BLOCKS, SIZE>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<
    const TOPICS: usize,
    const PARTITIONS: usize,
    const BATCHES: usize,
    const REQUESTS: usize,
    const LINKS: usize,
    const BROKERS: usize,
    const HOST: usize,
    const NAMES: usize,
    const BLOCKS: usize,
    const SIZE: usize,
> Owner
    for Fixed<TOPICS, PARTITIONS, BATCHES, REQUESTS, LINKS, BROKERS, HOST, NAMES, BLOCKS, SIZE>
{
    // A call is shorter than what it does, and every method of a producer begins with it.
    #[inline(never)]
    fn memory(&mut self) -> Memory<'_> {
        Memory {
            topics: Table::new(&mut self.topics),
            partitions: Table::new(&mut self.partitions),
            batches: Table::new(&mut self.batches),
            requests: Table::new(&mut self.requests),
            links: Table::new(&mut self.links),
            brokers: Table::new(&mut self.brokers),
            names: &mut self.names,
            hosts: self.hosts.as_flattened_mut(),
            receives: &mut self.receives,
            timers: &mut self.timers,
            partition_index: &mut self.partition_index,
            topic_index: &mut self.topic_index,
            blocks: &mut self.blocks,
        }
    }
}

/// Declares a type of fixed memory with named sizes.
///
/// ```
/// ottla::fixed! {
///     /// Memory of a sensor node: about 30 KiB.
///     pub Node {
///         topics: 2, partitions: 8, batches: 12, requests: 6, links: 2, brokers: 4,
///         host: 64, names: 64, blocks: 12, block_size: 2048,
///     }
/// }
/// static MEMORY: std::sync::Mutex<Node> = std::sync::Mutex::new(Node::new());
/// ```
#[macro_export]
macro_rules! fixed {
    ($(#[$doc:meta])* $visibility:vis $name:ident {
        topics: $topics:expr, partitions: $partitions:expr, batches: $batches:expr,
        requests: $requests:expr, links: $links:expr, brokers: $brokers:expr,
        host: $host:expr, names: $names:expr, blocks: $blocks:expr, block_size: $size:expr $(,)?
    }) => {
        $(#[$doc])*
        $visibility type $name = $crate::memory::Fixed<
            { $topics }, { $partitions }, { $batches }, { $requests }, { $links },
            { $brokers }, { $host }, { $names }, { $blocks }, { $size },
        >;
    };
}
