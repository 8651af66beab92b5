//! Blocks that come from the heap, or from wherever else a [`Buffer`] does.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{BlockId, Blocks};

/// The bytes of a block: all of what [`AsRef`] and [`AsMut`] give. They come from the heap, as a
/// [`Vec`], unless an adapter has them of somewhere else: heaps seldom give memory back to the system
/// as long as anything lives beside it.
pub trait Buffer: AsRef<[u8]> + AsMut<[u8]> + Sized {
    /// At least `bytes` bytes, all zero. `None`: there is no memory.
    fn allocate(bytes: usize) -> Option<Self>;

    /// Becomes `bytes` bytes long, or somewhat longer. What it holds stays, as far as there is room;
    /// new bytes are zero. False: there is no memory, and it is as before.
    fn resize(&mut self, bytes: usize) -> bool;
}

impl Buffer for Vec<u8> {
    fn allocate(bytes: usize) -> Option<Self> {
        let mut buffer = Self::new();
        Buffer::resize(&mut buffer, bytes).then_some(buffer)
    }

    fn resize(&mut self, bytes: usize) -> bool {
        if self.try_reserve_exact(bytes.saturating_sub(self.len())).is_err() {
            return false;
        }
        self.truncate(bytes);
        self.shrink_to(bytes);
        Self::resize(self, self.capacity(), 0);
        true
    }
}

/// Bytes of a sealed batch, shared with whoever writes them. R18.
pub type Shared<B = Vec<u8>> = Arc<B>;

/// Bytes of a buffer.
fn size<B: Buffer>(buffer: &Shared<B>) -> usize {
    (**buffer).as_ref().len()
}

/// The smallest block: batches that stay small cost little.
const SMALLEST: u32 = 1024;

/// A buffer grows so many times where memory stays plentiful: each time it is copied, and new memory
/// is new to the processor, too.
const PLENTY: u32 = 8;

/// Classes of buffers by the logarithm of their size.
const CLASSES: usize = u32::BITS as usize;

/// The class of a buffer of so many bytes.
fn class(bytes: usize) -> usize {
    (bytes.checked_ilog2().unwrap_or(0) as usize).min(CLASSES - 1)
}

/// Buffers that nobody uses, by class.
#[derive(Clone, Debug)]
struct Spares<B> {
    classes: [Vec<Shared<B>>; CLASSES],
    /// A bit for each class that has any.
    present: u32,
    /// Of all of them.
    bytes: u64,
}

impl<B> Default for Spares<B> {
    fn default() -> Self {
        Self { classes: Default::default(), present: 0, bytes: 0 }
    }
}

impl<B: Buffer> Spares<B> {
    fn push(&mut self, buffer: Shared<B>) {
        let class = class(size(&buffer));
        self.bytes = self.bytes.saturating_add(size(&buffer) as u64);
        self.present |= 1 << class;
        if let Some(buffers) = self.classes.get_mut(class) {
            buffers.push(buffer);
        }
    }

    /// The last one of a class, if it holds `bytes` bytes.
    fn pop(&mut self, class: u32, bytes: usize) -> Option<Shared<B>> {
        let buffers = self.classes.get_mut(class as usize)?;
        let buffer = buffers.pop_if(|buffer| size(buffer) >= bytes)?;
        if buffers.is_empty() {
            self.present &= !(1 << class);
        }
        self.bytes = self.bytes.saturating_sub(size(&buffer) as u64);
        Some(buffer)
    }

    /// A large one, whatever it is needed for: what it is used for next will not have to grow.
    fn largest(&mut self) -> Option<Shared<B>> {
        self.pop(self.present.checked_ilog2()?, 0)
    }

    /// One that holds `bytes` bytes and little more.
    fn fitting(&mut self, bytes: usize) -> Option<Shared<B>> {
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

/// Memory that was taken out of a [`Growable`](super::Growable): it goes back to where it came from when
/// this is dropped, which takes as long as it takes there. Not to be done under a lock (R17).
#[derive(Debug)]
#[must_use = "what it holds is freed when it is dropped"]
pub struct Released<B = Vec<u8>> {
    spares: Spares<B>,
}

impl<B> Released<B> {
    /// How many bytes it has.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.spares.bytes
    }
}

/// Blocks of one buffer each, charged by size against a bound.
///
/// While memory is plentiful, a batch gets the largest buffer there is, so that it need not grow. Where
/// more than half of the bound is taken it gets the smallest that does, is moved to a larger one when it
/// grows, and back to a smaller one when it goes out and does not fill it: otherwise small batches in
/// large blocks take it all. Buffers change hands within the bound; the heap sees few of them come and
/// go, since it does not take well to that: what one thread gave back, others cannot use.
#[derive(Clone, Debug)]
pub(super) struct GrowableBlocks<B> {
    /// Block by number; `None` where the number is free.
    blocks: Vec<Option<Shared<B>>>,
    free_numbers: Vec<u32>,
    /// Kept for the next blocks.
    spare: Spares<B>,
    /// Given back while a writer still held them.
    held: Vec<Shared<B>>,
    /// Bytes of all buffers, spare and held ones included.
    charged: u64,
    bound: u64,
}

impl<B: Buffer> GrowableBlocks<B> {
    pub(super) fn new(bound: u64) -> Self {
        Self {
            blocks: Vec::new(),
            free_numbers: Vec::new(),
            spare: Spares::default(),
            held: Vec::new(),
            charged: 0,
            bound,
        }
    }

    pub(super) const fn charged(&self) -> u64 {
        self.charged
    }

    pub(super) const fn available(&self) -> u64 {
        self.bound.saturating_sub(self.charged).saturating_add(self.spare.bytes)
    }

    pub(super) fn used(&self) -> usize {
        self.blocks.iter().flatten().count()
    }

    /// Makes `bytes` more bytes fit under the bound, giving spare buffers back.
    fn make_room(&mut self, bytes: u64) -> bool {
        self.collect_held();
        while self.charged.saturating_add(bytes) > self.bound {
            let Some(buffer) = self.spare.largest() else { return false };
            self.charged = self.charged.saturating_sub(size(&buffer) as u64);
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

    pub(super) fn release(&mut self) -> Released<B> {
        self.collect_held();
        let spares = core::mem::take(&mut self.spare);
        self.charged = self.charged.saturating_sub(spares.bytes);
        Released { spares }
    }

    fn is_scarce(&self) -> bool {
        self.is_scarce_with(0)
    }

    /// Whether memory would be scarce with `more` bytes.
    fn is_scarce_with(&self, more: usize) -> bool {
        self.charged.saturating_add(more as u64) > self.bound / 2
    }

    /// A spare buffer for `bytes` bytes.
    fn reuse(&mut self, bytes: usize) -> Option<Shared<B>> {
        let largest = if self.is_scarce() { None } else { self.spare.largest() };
        match largest {
            Some(buffer) if size(&buffer) >= bytes => Some(buffer),
            Some(buffer) => {
                self.spare.push(buffer);
                None
            }
            None => self.spare.fitting(bytes),
        }
    }

    fn buffer(&mut self, bytes: u32) -> Option<Shared<B>> {
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
        let buffer = Arc::new(B::allocate(capacity as usize)?);
        self.charged = self.charged.saturating_add(size(&buffer) as u64);
        Some(buffer)
    }

    /// Moves the first `bytes` bytes of a block to another buffer.
    fn move_to(&mut self, block: BlockId, mut buffer: Shared<B>, bytes: usize) {
        let old = self.blocks.get_mut(block.index()).and_then(Option::as_mut);
        let room = Arc::get_mut(&mut buffer).and_then(|room| room.as_mut().get_mut(..bytes));
        if let (Some(old), Some(room)) = (old, room)
            && let Some(from) = (**old).as_ref().get(..bytes)
        {
            room.copy_from_slice(from);
            buffer = core::mem::replace(old, buffer);
        }
        self.spare.push(buffer);
    }

    pub(super) fn shared(&self, block: BlockId) -> Option<&Shared<B>> {
        self.blocks.get(block.index())?.as_ref()
    }

    /// The buffer of a block that no writer holds.
    fn own(&mut self, block: BlockId) -> Option<&mut B> {
        Arc::get_mut(self.blocks.get_mut(block.index())?.as_mut()?)
    }
}

impl<B: Buffer> Blocks for GrowableBlocks<B> {
    fn allocate(&mut self, bytes: u32) -> Option<BlockId> {
        let buffer = self.buffer(bytes)?;
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

    fn enlarge(&mut self, block: BlockId, least: u32, most: u32) -> bool {
        let Some(old) = self.shared(block).map(size) else { return false };
        let grown = |times: u32| (old as u32).saturating_mul(times).min(most).max(least);
        let mut bytes = grown(PLENTY);
        if self.is_scarce_with((bytes as usize).saturating_sub(old)) {
            bytes = grown(2);
        }
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
        let Some(buffer) = self.own(block) else { return false };
        if !buffer.resize(bytes as usize) {
            return false;
        }
        let grown = buffer.as_ref().len().saturating_sub(old);
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
            Some(buffer) if size(&buffer) <= capacity / 2 => {
                self.move_to(block, buffer, bytes as usize);
                return true;
            }
            Some(buffer) => self.spare.push(buffer),
            None => {}
        }
        if let Some(buffer) = self.own(block) {
            buffer.resize(needed);
            let freed = capacity.saturating_sub(buffer.as_ref().len());
            self.charged = self.charged.saturating_sub(freed as u64);
        }
        true
    }

    fn get(&self, block: BlockId) -> &[u8] {
        self.shared(block).map_or(&[], |buffer| (**buffer).as_ref())
    }

    fn get_mut(&mut self, block: BlockId) -> Option<&mut [u8]> {
        self.own(block).map(AsMut::as_mut)
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

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: u32 = 1 << 20;

    fn blocks() -> GrowableBlocks<Vec<u8>> {
        GrowableBlocks::new(BOUND.into())
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
        assert!(blocks.enlarge(small, 5_000, 5_000));
        assert_eq!(&blocks.get(small)[..4], b"abc\0");
    }

    #[test]
    fn blocks_grow_faster_where_memory_stays_plentiful_and_no_further_than_they_may() {
        let mut blocks = blocks();
        let size = |blocks: &GrowableBlocks<Vec<u8>>, block| blocks.get(block).len();
        let one = blocks.allocate(100).unwrap();
        for (least, expected) in [(1_025, 8_192), (8_193, 20_000), (20_000, 20_000)] {
            assert!(blocks.enlarge(one, least, 20_000));
            assert_eq!(size(&blocks, one), expected);
        }
        // Eightfold, it would be scarce.
        blocks.allocate(BOUND / 2 - 24_000).unwrap();
        let other = blocks.allocate(1_024).unwrap();
        for (least, expected) in [(1_025, 2_048), (5_000, 5_000), (5_001, 10_000)] {
            assert!(blocks.enlarge(other, least, 20_000));
            assert_eq!(size(&blocks, other), expected);
        }
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
        assert!(blocks.enlarge(block, 5_000, 5_000));
        assert_eq!(blocks.get(block).len(), 16_384);
        assert!(blocks.enlarge(block, 20_000, 20_000));
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
