//! The bytes of batches.

use memmap2::MmapMut;
use ottla::memory::Buffer;

/// The block of a batch. Large ones are pages of their own, which the system has back as soon as they
/// are not needed: a heap keeps what lies between whatever else was allocated in a burst (with glibc's,
/// 20 to 30 of 32 MiB stayed). Small ones would leave most of a page empty.
#[derive(Debug)]
pub(crate) enum Block {
    Heap(Vec<u8>),
    Pages(MmapMut),
}

/// Bytes from which on a block is pages.
const PAGES: usize = 16 * 1024;

/// Pages, which are zero. Where there are none to be had, as on platforms without them, the heap is
/// asked.
fn pages(bytes: usize) -> Option<MmapMut> {
    if bytes < PAGES { None } else { MmapMut::map_anon(bytes).ok() }
}

impl Buffer for Block {
    fn allocate(bytes: usize) -> Option<Self> {
        match pages(bytes) {
            Some(pages) => Some(Self::Pages(pages)),
            None => Buffer::allocate(bytes).map(Self::Heap),
        }
    }

    fn resize(&mut self, bytes: usize) -> bool {
        if let Self::Heap(heap) = self
            && bytes < PAGES
        {
            return Buffer::resize(heap, bytes);
        }
        let Some(mut other) = Self::allocate(bytes) else { return false };
        let (from, to) = (self.as_ref(), other.as_mut());
        let both = from.len().min(to.len());
        to[..both].copy_from_slice(&from[..both]);
        *self = other;
        true
    }
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Heap(heap) => heap,
            Self::Pages(pages) => pages,
        }
    }
}

impl AsMut<[u8]> for Block {
    fn as_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Heap(heap) => heap,
            Self::Pages(pages) => pages,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_it_stays_whatever_its_size() {
        let mut block = Block::allocate(1_024).unwrap();
        assert!(matches!(block, Block::Heap(_)));
        block.as_mut().fill(7);
        for bytes in [2_048, PAGES, 3 * PAGES, PAGES + 1, PAGES - 1, 1_500] {
            assert!(block.resize(bytes));
            assert_eq!(matches!(block, Block::Pages(_)), bytes >= PAGES, "{bytes}");
            assert!(block.as_ref().len() >= bytes);
            assert_eq!(block.as_ref()[..1_024], [7; 1_024], "{bytes}");
        }
        assert!(block.as_ref()[1_024..1_500].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn without_memory_it_is_as_before() {
        assert!(Block::allocate(usize::MAX / 2).is_none());
        let mut block = Block::allocate(PAGES).unwrap();
        assert!(!block.resize(usize::MAX / 2));
        assert_eq!(block.as_ref().len(), PAGES);
    }
}
