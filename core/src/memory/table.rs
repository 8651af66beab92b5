//! A table of slots whose access cannot fail.

/// A slot of a table.
pub trait Slot: Sized + 'static {
    /// The slot that is nobody's: empty.
    const NOBODY: &'static Self;
}

/// Slots lent for one call; there is at least one. Number 0, and any number beyond the end, reads
/// as an empty slot that is nobody's: so access has no panic path and needs no test. The machine
/// never writes there; debug builds assert it.
#[derive(Debug)]
pub struct Table<'m, S> {
    // Not looked up in the trait at every access: with two words, the compiler passes a table by
    // its parts, which takes 3 KB more on a device.
    nobody: &'m S,
    slots: &'m mut [S],
}

impl<'m, S: Slot> Table<'m, S> {
    /// A table over `slots`, of which there is at least one.
    pub const fn new(slots: &'m mut [S]) -> Self {
        debug_assert!(!slots.is_empty(), "a table without slots");
        Self { nobody: S::NOBODY, slots }
    }

    /// Number of slots.
    #[must_use]
    pub const fn capacity(&self) -> u32 {
        self.slots.len() as u32
    }

    // On a device a call is smaller than the look-up, and there are hundreds of them.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn at(&self, number: u32) -> &S {
        self.slots.get((number as usize).wrapping_sub(1)).unwrap_or(self.nobody)
    }

    /// A slot, for as long as the table was lent.
    pub(crate) fn into_slot(self, number: u32) -> &'m S {
        self.slots.get((number as usize).wrapping_sub(1)).unwrap_or(self.nobody)
    }

    #[cfg(test)]
    pub(crate) fn into_slot_mut(self, number: u32) -> &'m mut S {
        self.slots.get_mut((number as usize).wrapping_sub(1)).unwrap()
    }

    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn at_mut(&mut self, number: u32) -> &mut S {
        debug_assert!(number != 0 && number <= self.capacity(), "slot {number} is nobody's");
        let index = (number as usize).wrapping_sub(1);
        let index = if index < self.slots.len() { index } else { 0 };
        match self.slots.get_mut(index) {
            Some(slot) => slot,
            // No table is without slots.
            None => loop {
                core::hint::spin_loop();
            },
        }
    }
}
