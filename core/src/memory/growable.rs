//! Memory on the heap that grows to its bounds and then stays.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{
    BatchSlot, BlockId, Blocks, BrokerSlot, HOST_MAX, LinkSlot, Memory, Owner, PartitionId,
    PartitionSlot, Receive, RequestSlot, Table, TopicId, TopicSlot,
};
use crate::error::Full;

/// Bytes of a sealed batch, shared with whoever writes them. R18.
pub type Shared = Arc<Vec<u8>>;

/// The smallest block: batches that stay small cost little.
const SMALLEST: u32 = 1024;

/// Classes of buffers by the logarithm of their capacity.
const CLASSES: usize = u32::BITS as usize;

/// The class of a buffer of so many bytes.
fn class(bytes: usize) -> usize {
    (bytes.checked_ilog2().unwrap_or(0) as usize).min(CLASSES - 1)
}

/// Buffers that nobody uses, by class.
#[derive(Clone, Default, Debug)]
struct Spares {
    classes: [Vec<Shared>; CLASSES],
    /// A bit for each class that has any.
    present: u32,
    /// Capacity of all.
    bytes: u64,
}

impl Spares {
    fn push(&mut self, buffer: Shared) {
        let class = class(buffer.capacity());
        self.bytes = self.bytes.saturating_add(buffer.capacity() as u64);
        self.present |= 1 << class;
        if let Some(buffers) = self.classes.get_mut(class) {
            buffers.push(buffer);
        }
    }

    /// The last one of a class, if it holds `bytes` bytes.
    fn pop(&mut self, class: u32, bytes: usize) -> Option<Shared> {
        let buffers = self.classes.get_mut(class as usize)?;
        let buffer = buffers.pop_if(|buffer| buffer.capacity() >= bytes)?;
        if buffers.is_empty() {
            self.present &= !(1 << class);
        }
        self.bytes = self.bytes.saturating_sub(buffer.capacity() as u64);
        Some(buffer)
    }

    /// A large one, whatever it is needed for: what it is used for next will not have to grow.
    fn largest(&mut self) -> Option<Shared> {
        self.pop(self.present.checked_ilog2()?, 0)
    }

    /// One that holds `bytes` bytes and little more.
    fn fitting(&mut self, bytes: usize) -> Option<Shared> {
        let mut classes = self.present & (u32::MAX << class(bytes));
        while classes != 0 {
            let class = classes.trailing_zeros();
            if let Some(buffer) = self.pop(class, bytes) {
                return Some(buffer);
            }
            classes &= !(1 << class);
        }
        None
    }
}

/// Memory that was taken out of a [`Growable`]: it goes back to the heap when this is dropped, which
/// takes as long as the heap takes. Not to be done under a lock (R17).
#[derive(Debug)]
#[must_use = "what it holds is freed when it is dropped"]
pub struct Released {
    spares: Spares,
}

impl Released {
    /// How many bytes it has.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.spares.bytes
    }
}

/// Blocks of one heap buffer each, charged by capacity against a bound.
///
/// While memory is plentiful, a batch gets the largest buffer there is, so that it need not grow. Where
/// more than half of the bound is taken it gets the smallest that does, is moved to a larger one when it
/// grows, and back to a smaller one when it goes out and does not fill it: otherwise small batches in
/// large blocks take it all. Buffers change hands within the bound; the heap sees few of them come and
/// go, since it does not take well to that: what one thread gave back, others cannot use.
#[derive(Clone, Default, Debug)]
struct GrowableBlocks {
    /// Block by number; `None` where the number is free.
    blocks: Vec<Option<Shared>>,
    free_numbers: Vec<u32>,
    /// Kept for the next blocks.
    spare: Spares,
    /// Given back while a writer still held them.
    held: Vec<Shared>,
    /// Capacity of all buffers, spare and held ones included.
    charged: u64,
    bound: u64,
}

impl GrowableBlocks {
    /// Makes `bytes` more bytes fit under the bound, giving spare buffers back to the heap.
    fn make_room(&mut self, bytes: u64) -> bool {
        self.collect_held();
        while self.charged.saturating_add(bytes) > self.bound {
            let Some(buffer) = self.spare.largest() else { return false };
            self.charged = self.charged.saturating_sub(buffer.capacity() as u64);
        }
        true
    }

    fn collect_held(&mut self) {
        let mut index = 0;
        while let Some(buffer) = self.held.get_mut(index) {
            if Arc::get_mut(buffer).is_some() {
                let buffer = self.held.swap_remove(index);
                self.spare.push(buffer);
            } else {
                index = index.saturating_add(1);
            }
        }
    }

    fn release(&mut self) -> Released {
        self.collect_held();
        let spares = core::mem::take(&mut self.spare);
        self.charged = self.charged.saturating_sub(spares.bytes);
        Released { spares }
    }

    fn is_scarce(&self) -> bool {
        self.charged > self.bound / 2
    }

    /// A spare buffer for `bytes` bytes.
    fn reuse(&mut self, bytes: usize) -> Option<Shared> {
        let largest = if self.is_scarce() { None } else { self.spare.largest() };
        match largest {
            Some(buffer) if buffer.capacity() >= bytes => Some(buffer),
            Some(buffer) => {
                self.spare.push(buffer);
                None
            }
            None => self.spare.fitting(bytes),
        }
    }

    fn buffer(&mut self, bytes: u32) -> Option<Shared> {
        if let Some(buffer) = self.reuse(bytes as usize) {
            return Some(buffer);
        }
        // A writer may have given one back.
        self.collect_held();
        if let Some(buffer) = self.reuse(bytes as usize) {
            return Some(buffer);
        }
        let capacity = bytes.max(SMALLEST).min(self.largest());
        if !self.make_room(u64::from(capacity)) {
            return None;
        }
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(capacity as usize).ok()?;
        self.charged = self.charged.saturating_add(buffer.capacity() as u64);
        Some(Arc::new(buffer))
    }

    /// Moves the first `bytes` bytes of a block to another buffer.
    fn move_to(&mut self, block: BlockId, mut buffer: Shared, bytes: usize) {
        open(&mut buffer);
        let old = self.blocks.get_mut(block.index()).and_then(Option::as_mut);
        let room = Arc::get_mut(&mut buffer).and_then(|room| room.get_mut(..bytes));
        if let (Some(old), Some(room)) = (old, room)
            && let Some(from) = old.get(..bytes)
        {
            room.copy_from_slice(from);
            buffer = core::mem::replace(old, buffer);
        }
        self.spare.push(buffer);
    }

    fn shared(&self, block: BlockId) -> Option<&Shared> {
        self.blocks.get(block.index())?.as_ref()
    }

    /// The buffer of a block that no writer holds.
    fn own(&mut self, block: BlockId) -> Option<&mut Vec<u8>> {
        Arc::get_mut(self.blocks.get_mut(block.index())?.as_mut()?)
    }
}

/// Makes the whole capacity usable; new bytes are zero.
fn open(buffer: &mut Shared) {
    if let Some(bytes) = Arc::get_mut(buffer) {
        bytes.resize(bytes.capacity(), 0);
    }
}

impl Blocks for GrowableBlocks {
    fn allocate(&mut self, bytes: u32) -> Option<BlockId> {
        let mut buffer = self.buffer(bytes)?;
        open(&mut buffer);
        let number = match self.free_numbers.pop() {
            Some(number) => number,
            None => {
                self.blocks.push(None);
                self.blocks.len() as u32
            }
        };
        let block = BlockId::from_number(number);
        *self.blocks.get_mut(block.index())? = Some(buffer);
        Some(block)
    }

    fn enlarge(&mut self, block: BlockId, bytes: u32) -> bool {
        let Some(old) = self.shared(block).map(|buffer| buffer.capacity()) else { return false };
        let more = (bytes as usize).saturating_sub(old);
        if more == 0 {
            return true;
        }
        if self.is_scarce()
            && let Some(buffer) = self.spare.fitting(bytes as usize)
        {
            self.move_to(block, buffer, old);
            return true;
        }
        if !self.make_room(more as u64) {
            return false;
        }
        // The buffer itself grows, so that those which are recycled have their full size.
        let Some(bytes) = self.own(block) else { return false };
        if bytes.try_reserve_exact(more).is_err() {
            return false;
        }
        let grown = bytes.capacity().saturating_sub(old);
        bytes.resize(bytes.capacity(), 0);
        self.charged = self.charged.saturating_add(grown as u64);
        true
    }

    fn settle(&mut self, block: BlockId, bytes: u32) -> bool {
        let Some(capacity) = self.get_mut(block).map(|buffer| buffer.len()) else { return false };
        let needed = bytes.max(SMALLEST).checked_next_power_of_two().unwrap_or(bytes) as usize;
        if !self.is_scarce() || needed > capacity / 2 {
            return true;
        }
        match self.spare.fitting(needed) {
            Some(buffer) if buffer.capacity() <= capacity / 2 => {
                self.move_to(block, buffer, bytes as usize);
                return true;
            }
            Some(buffer) => self.spare.push(buffer),
            None => {}
        }
        if let Some(buffer) = self.own(block) {
            let before = buffer.capacity();
            buffer.truncate(needed);
            buffer.shrink_to(needed);
            let freed = before.saturating_sub(buffer.capacity());
            self.charged = self.charged.saturating_sub(freed as u64);
        }
        true
    }

    fn get(&self, block: BlockId) -> &[u8] {
        self.shared(block).map_or(&[], |buffer| buffer)
    }

    fn get_mut(&mut self, block: BlockId) -> Option<&mut [u8]> {
        self.own(block).map(Vec::as_mut_slice)
    }

    fn free(&mut self, block: BlockId) {
        let Some(buffer) = self.blocks.get_mut(block.index()).and_then(Option::take) else {
            return;
        };
        self.free_numbers.push(block.number());
        if Arc::strong_count(&buffer) == 1 {
            self.spare.push(buffer);
        } else {
            self.held.push(buffer);
        }
    }

    fn largest(&self) -> u32 {
        u32::try_from(self.bound).unwrap_or(i32::MAX as u32)
    }
}

/// Memory on the heap. Tables grow on demand to a ceiling; blocks are charged against
/// `buffer.memory`. After its high-water mark it allocates nothing, unless batches become larger or
/// smaller where more than half of the bound is taken.
#[derive(Clone, Debug)]
pub struct Growable {
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
    blocks: GrowableBlocks,
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
    /// Memory whose blocks take at most `buffer_memory` bytes.
    #[must_use]
    pub fn new(buffer_memory: u64) -> Self {
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
            blocks: GrowableBlocks { bound: buffer_memory, ..GrowableBlocks::default() },
        }
    }

    /// The bytes of a block, to be held beyond the call that lent them.
    #[must_use]
    pub fn share(&self, block: BlockId) -> Option<Shared> {
        self.blocks.shared(block).cloned()
    }

    /// Bytes of blocks now, the spare ones included; never above `buffer_memory`.
    #[must_use]
    pub const fn charged(&self) -> u64 {
        self.blocks.charged
    }

    /// Bytes that batches may yet take under the bound, in buffers that nobody uses or in new ones.
    #[must_use]
    pub const fn available(&self) -> u64 {
        let blocks = &self.blocks;
        blocks.bound.saturating_sub(blocks.charged).saturating_add(blocks.spare.bytes)
    }

    /// Takes the spare blocks out.
    pub(crate) fn release(&mut self) -> Released {
        self.blocks.release()
    }

    /// Blocks that are some batch's.
    #[must_use]
    pub fn blocks_used(&self) -> usize {
        self.blocks.blocks.iter().flatten().count()
    }

    fn rebuild_index(&mut self) {
        let (topics, partitions) = (self.topics.len() as u32, self.partitions.len() as u32);
        self.topic_index.fill(TopicId::NONE);
        self.partition_index.fill(PartitionId::NONE);
        self.memory().rebuild_index(topics, partitions);
    }
}

impl Owner for Growable {
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

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: u32 = 1 << 20;

    fn blocks() -> GrowableBlocks {
        GrowableBlocks { bound: BOUND.into(), ..GrowableBlocks::default() }
    }

    #[test]
    fn a_block_that_is_settled_gives_memory_back_only_where_it_is_scarce() {
        let mut blocks = blocks();
        let small = blocks.allocate(64 * 1024).unwrap();
        blocks.get_mut(small).unwrap()[..3].copy_from_slice(b"abc");
        assert!(blocks.settle(small, 3));
        assert_eq!(blocks.charged, 64 * 1024, "there is plenty");
        let large = blocks.allocate(BOUND / 2).unwrap();
        assert!(blocks.settle(large, BOUND / 2));
        assert!(blocks.settle(small, 3));
        assert_eq!(blocks.charged, u64::from(BOUND / 2 + SMALLEST));
        assert_eq!(&blocks.get(small)[..3], b"abc");
        assert!(blocks.enlarge(small, 5_000));
        assert_eq!(&blocks.get(small)[..4], b"abc\0");
    }

    #[test]
    fn where_memory_is_scarce_blocks_move_to_spare_buffers_with_all_that_is_in_them() {
        let mut blocks = blocks();
        let rest = blocks.allocate(BOUND / 2).unwrap();
        let buffers = [4_096, 16_384, 65_536].map(|bytes| blocks.allocate(bytes).unwrap());
        let charged = blocks.charged;
        buffers.into_iter().for_each(|block| blocks.free(block));
        assert!(blocks.is_scarce());
        let block = blocks.allocate(3_000).unwrap();
        assert_eq!(blocks.get(block).len(), 4_096, "the smallest that does");
        blocks.get_mut(block).unwrap()[..4_096].fill(7);
        assert!(blocks.enlarge(block, 5_000));
        assert_eq!(blocks.get(block).len(), 16_384);
        assert!(blocks.enlarge(block, 20_000));
        assert_eq!(blocks.get(block).len(), 65_536);
        assert!(blocks.get(block)[..4_096].iter().all(|&byte| byte == 7));
        assert!(blocks.settle(block, 4_096));
        assert_eq!(blocks.get(block), [7; 4_096]);
        assert_eq!(blocks.charged, charged, "nothing was asked of the heap, and nothing is lost");
        blocks.free(block);
        blocks.free(rest);
        assert_eq!(blocks.release().bytes(), charged);
    }

    #[test]
    fn what_nobody_uses_is_released() {
        let mut blocks = blocks();
        let (used, held, spare) =
            (blocks.allocate(1_024), blocks.allocate(2_048), blocks.allocate(4_096));
        let writer = blocks.shared(held.unwrap()).cloned();
        blocks.free(held.unwrap());
        blocks.free(spare.unwrap());
        assert_eq!(blocks.release().bytes(), 4_096);
        assert_eq!(blocks.charged, 1_024 + 2_048);
        drop(writer);
        assert_eq!(blocks.release().bytes(), 2_048);
        assert_eq!(blocks.charged, 1_024);
        assert!(blocks.get_mut(used.unwrap()).is_some());
    }

    #[test]
    fn a_block_that_a_writer_holds_is_not_settled() {
        let mut blocks = blocks();
        let block = blocks.allocate(BOUND).unwrap();
        let held = blocks.shared(block).cloned();
        assert!(!blocks.settle(block, 3));
        drop(held);
        assert!(blocks.settle(block, 3));
        assert_eq!(blocks.charged, u64::from(SMALLEST));
    }
}
