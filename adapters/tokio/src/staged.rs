//! Bytes that are about to be written to a connection.
//!
//! The core lends its output piece by piece under the lock. What stands between batches is
//! copied, batches are shared, and all of it is written without the lock, in one vectored write
//! as far as the connection takes it (R18).

use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Range;

use ottla::memory::{Growable, Shared};
use ottla::{Link, Producer};

use crate::block::Block;

/// Bytes that are gathered before they are written. Measured: more does not help.
const ENOUGH: usize = 256 * 1024;

/// Batches below this size are copied: cheaper than a reference and a slice of their own.
const COPIED_BELOW: usize = 512;

/// Slices of one vectored write.
pub(crate) const SLICES: usize = 64;

/// Pieces that are gathered at most.
const PIECES: usize = 2 * SLICES;

#[derive(Debug)]
enum Piece {
    /// Of [`Staged::copied`].
    Copied(Range<usize>),
    Shared(Shared<Block>, Range<usize>),
}

/// What gathering came to.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Gathered {
    /// Nothing more to be had, or enough.
    All,
    /// A batch was sealed: enough for one hold of the lock (R17).
    Sealed,
}

/// The pieces, in order.
#[derive(Debug, Default)]
pub(crate) struct Staged {
    pieces: VecDeque<Piece>,
    copied: Vec<u8>,
    bytes: usize,
}

impl Staged {
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Takes what the core has to write on a link, up to [`ENOUGH`]. Between two calls nothing
    /// may be written.
    pub(crate) fn gather(&mut self, core: &mut Producer<Growable<Block>>, link: Link) -> Gathered {
        while self.bytes < ENOUGH && self.pieces.len() < PIECES {
            let Some(piece) = core.output(link) else { break };
            let (length, sealed, block) = (piece.bytes.len(), piece.sealed, piece.block);
            self.bytes += length;
            if length < COPIED_BELOW || block.is_none() {
                self.copy(piece.bytes);
            } else if let Some((block, from)) = block {
                let from = from as usize;
                match core.owner().share(block) {
                    Some(bytes) => {
                        self.pieces.push_back(Piece::Shared(bytes, from..from + length));
                    }
                    // Lent from a block that is not there: the machine has no such state.
                    None => debug_assert!(false, "a piece without its block"),
                }
            }
            if sealed {
                return Gathered::Sealed;
            }
        }
        Gathered::All
    }

    fn copy(&mut self, bytes: &[u8]) {
        let from = self.copied.len();
        self.copied.extend_from_slice(bytes);
        match self.pieces.back_mut() {
            Some(Piece::Copied(range)) if range.end == from => range.end = self.copied.len(),
            _ => self.pieces.push_back(Piece::Copied(from..self.copied.len())),
        }
    }

    /// The first pieces, as many as fit.
    pub(crate) fn slices<'s>(&'s self, slices: &mut [IoSlice<'s>; SLICES]) -> usize {
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            let bytes = match piece {
                Piece::Copied(range) => self.copied.get(range.clone()),
                Piece::Shared(block, range) => (**block).as_ref().get(range.clone()),
            };
            *slice = IoSlice::new(bytes.unwrap_or_default());
        }
        SLICES.min(self.pieces.len())
    }

    /// The first `count` bytes are written. Blocks that are done with are let go.
    pub(crate) fn advance(&mut self, mut count: usize) {
        self.bytes = self.bytes.saturating_sub(count);
        while let Some(Piece::Copied(range) | Piece::Shared(_, range)) = self.pieces.front_mut() {
            if count < range.len() {
                range.start += count;
                return;
            }
            count -= range.len();
            self.pieces.pop_front();
        }
        self.copied.clear();
    }
}
