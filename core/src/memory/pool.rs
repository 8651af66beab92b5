//! Which slots of a table are free.

use core::ops::Range;

use super::{Slot, Table};

/// A slot that can be given back: a free one keeps the number of the next free one.
pub(crate) trait Pooled: Slot + Default {
    fn free_link(&mut self) -> &mut u32;
}

/// Free slots: those that were given back, chained through the slots themselves, and those
/// that were never used, above the high-water mark. All zero: everything is free.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Pool {
    free: u32,
    high: u32,
    used: u32,
}

impl Pool {
    /// Everything is free.
    pub(crate) const EMPTY: Self = Self { free: 0, high: 0, used: 0 };

    /// Takes a slot, in its empty state. `None`: the table is full.
    pub(crate) fn take<S: Pooled>(&mut self, table: &mut Table<'_, S>) -> Option<u32> {
        let number = if self.free != 0 {
            let number = self.free;
            self.free = core::mem::take(table.at_mut(number).free_link());
            number
        } else if self.high < table.capacity() {
            self.high = self.high.wrapping_add(1);
            self.high
        } else {
            return None;
        };
        self.used = self.used.wrapping_add(1);
        Some(number)
    }

    /// The number that [`Pool::take`] hands out next; beyond the table if it is full.
    pub(crate) const fn peek(&self) -> u32 {
        if self.free != 0 { self.free } else { self.high.wrapping_add(1) }
    }

    /// Gives a slot back. It becomes empty.
    pub(crate) fn give<S: Pooled>(&mut self, table: &mut Table<'_, S>, number: u32) {
        let slot = table.at_mut(number);
        *slot = S::default();
        *slot.free_link() = core::mem::replace(&mut self.free, number);
        self.used = self.used.wrapping_sub(1);
    }

    /// Whether a slot is free.
    pub(crate) fn has_room<S: Slot>(&self, table: &Table<'_, S>) -> bool {
        self.used < table.capacity()
    }

    /// Whether exactly one slot is free.
    pub(crate) fn has_one<S: Slot>(&self, table: &Table<'_, S>) -> bool {
        table.capacity().wrapping_sub(self.used) == 1
    }

    /// All numbers that were ever in use; a table needs no look beyond them.
    pub(crate) const fn numbers(&self) -> Range<u32> {
        1..self.high.wrapping_add(1)
    }

    /// The highest number that was ever in use.
    pub(crate) const fn high(&self) -> u32 {
        self.high
    }
}
