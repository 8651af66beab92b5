//! Blocks of bytes, each of them one batch's from its first record to its outcome.

super::id! {
    /// Number of a block.
    BlockId
}

/// Where blocks come from. One object-safe trait, so that the machine is compiled once.
pub trait Blocks {
    /// A block with room for `bytes` bytes. `None`: there is not enough memory now.
    fn allocate(&mut self, bytes: u32) -> Option<BlockId>;

    /// Enlarges a block to hold `least` bytes, keeping what is in it, and to have room for what may
    /// come, up to `most`. False: it stays.
    fn enlarge(&mut self, block: BlockId, least: u32, most: u32) -> bool;

    /// A block is written up to `bytes` and will not get more: memory beyond may be given back. False
    /// while a writer holds the block, too (R18).
    fn settle(&mut self, block: BlockId, bytes: u32) -> bool;

    /// The bytes of a block; empty for one that does not exist.
    fn get(&self, block: BlockId) -> &[u8];

    /// The bytes of a block to write. `None` while a writer holds them, too (R18).
    fn get_mut(&mut self, block: BlockId) -> Option<&mut [u8]>;

    /// Gives a block back.
    fn free(&mut self, block: BlockId);

    /// The largest block there can ever be.
    fn largest(&self) -> u32;
}
