//! Where the machine keeps everything: tables of slots, and blocks of bytes.
//!
//! The machine owns no memory. An [`Owner`] lends it a [`Memory`] per call: [`Fixed`] from
//! arrays, [`Growable`] (feature `alloc`) from the heap. Each table has a bound and an answer
//! when it is full ([`crate::error::Full`]).
//!
//! | table | slot | bytes of a slot | full means |
//! |---|---|---|---|
//! | topics | [`TopicSlot`] | 72 | `topic` is refused |
//! | partitions | [`PartitionSlot`] | 160 | an idle one is freed after an epoch bump (R10), else `produce` is refused |
//! | batches | [`BatchSlot`] | 160 | `produce` is refused |
//! | requests | [`RequestSlot`] | 32 | sending waits |
//! | links | [`LinkSlot`] and [`Receive`] | 120 + 360 | an idle link is closed, else brokers take turns of a second |
//! | brokers | [`BrokerSlot`] | 80 | one that leads nothing, is idle or has had its turn is forgotten, and asked for again |
//! | hosts | bytes of a broker's host name | 1 | the broker cannot be used: [`crate::Event::HostTooLong`] |
//! | names | bytes | 1 | `topic` is refused |
//! | blocks | bytes | | `produce` is refused, and every open batch is due now (R16) |
//!
//! The sizes are the same on ARM and on 64-bit hosts, and held to this table by
//! [`crate::sizes`].

mod blocks;
#[cfg(any(test, feature = "alloc"))]
mod buffers;
mod fixed;
#[cfg(any(test, feature = "alloc"))]
mod growable;
mod heap;
mod index;
mod perhaps;
mod pool;
mod table;

pub use blocks::{BlockId, Blocks};
#[cfg(any(test, feature = "alloc"))]
pub use buffers::{Buffer, Released, Shared};
pub use fixed::Fixed;
#[cfg(any(test, feature = "alloc"))]
pub use growable::Growable;
pub(crate) use heap::Heap;
pub(crate) use index::hash_name;
pub(crate) use perhaps::Perhaps;
pub(crate) use pool::{Pool, Pooled};
pub use table::{Slot, Table};

pub use crate::cluster::{BrokerId, BrokerSlot, PartitionId, PartitionSlot, TopicId, TopicSlot};
use crate::error::Full;
pub use crate::link::{LinkId, LinkSlot, Receive, RequestId, RequestSlot};
pub use crate::producer::{BatchId, BatchSlot};

/// All memory of a machine, lent for one call.
#[expect(missing_debug_implementations, reason = "blocks are behind a trait")]
pub struct Memory<'m> {
    /// Topics.
    pub topics: Table<'m, TopicSlot>,
    /// Partitions in use.
    pub partitions: Table<'m, PartitionSlot>,
    /// Batches from their first record to their outcome.
    pub batches: Table<'m, BatchSlot>,
    /// Requests that are not answered yet.
    pub requests: Table<'m, RequestSlot>,
    /// Links to brokers.
    pub links: Table<'m, LinkSlot>,
    /// Brokers that matter.
    pub brokers: Table<'m, BrokerSlot>,
    /// Topic names, one after another.
    pub names: &'m mut [u8],
    /// Host names of brokers, an equal share for each.
    pub hosts: &'m mut [u8],
    /// Where links stand in their streams of answers; as long as `links`.
    pub receives: &'m mut [Receive],
    /// Timers of partitions; as long as `partitions`.
    pub timers: &'m mut [PartitionId],
    /// Buckets to find a partition by topic and number.
    pub partition_index: &'m mut [PartitionId],
    /// Buckets to find a topic by name.
    pub topic_index: &'m mut [TopicId],
    /// Bytes of batches.
    pub blocks: &'m mut dyn Blocks,
}

/// Owns memory, and may be able to get more.
pub trait Owner {
    /// Lends all of it.
    fn memory(&mut self) -> Memory<'_>;

    /// Enlarges what is full, within its ceiling. False: it stays as it is.
    fn grow(&mut self, full: Full) -> bool {
        let _ = full;
        false
    }
}

/// Longest host name of a broker, in bytes. DNS allows 253.
pub const HOST_MAX: usize = 255;

/// Declares a slot number: 0 is none, so that an empty slot is all zero bits.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident of $slot:ty) => {
        $crate::memory::id! { $(#[$doc])* $name }

        impl core::ops::Index<$name> for $crate::memory::Table<'_, $slot> {
            type Output = $slot;

            fn index(&self, id: $name) -> &$slot {
                self.at(id.0)
            }
        }

        impl core::ops::IndexMut<$name> for $crate::memory::Table<'_, $slot> {
            fn index_mut(&mut self, id: $name) -> &mut $slot {
                self.at_mut(id.0)
            }
        }
    };
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Copy, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        pub struct $name(u32);

        impl $name {
            /// No slot.
            pub const NONE: Self = Self(0);

            pub(crate) const fn from_number(number: u32) -> Self {
                Self(number)
            }

            pub(crate) const fn number(self) -> u32 {
                self.0
            }

            /// Whether this is a slot.
            #[must_use]
            pub const fn is_some(self) -> bool {
                self.0 != 0
            }

            /// Whether this is none.
            #[must_use]
            pub const fn is_none(self) -> bool {
                self.0 == 0
            }

            /// Place of the slot in its table, from 0; of use where an adapter keeps a table
            /// beside the core's.
            #[must_use]
            pub const fn index(self) -> usize {
                (self.number() as usize).wrapping_sub(1)
            }
        }
    };
}
pub(crate) use id;
