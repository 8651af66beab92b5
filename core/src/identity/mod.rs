//! Producer id, epoch, sequences and the window of open batches. Pure: no time but what is
//! passed in, no memory, nothing of the wire.
//!
//! Source: KIP-98, KIP-360; rules R7 to R10.

mod sequence;
mod window;

pub use sequence::Sequence;
pub use window::{Sequences, WINDOW};

/// A producer id with one of its epochs.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Identity {
    /// The id that the cluster gave.
    pub id: i64,
    /// Raised by one for each recovery.
    pub epoch: i16,
}

impl Identity {
    /// The same id with the next epoch. `None` after epoch 32767: a new id is needed.
    #[must_use]
    pub const fn bumped(self) -> Option<Self> {
        match self.epoch.checked_add(1) {
            Some(epoch) => Some(Self { id: self.id, epoch }),
            None => None,
        }
    }
}
