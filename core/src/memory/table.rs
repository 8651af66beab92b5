//! A table of slots whose access cannot fail.

/// Slots lent for one call. Number 0, and any number beyond the end, is a slot of its own that
/// is nobody's: so access has no panic path and needs no test. The machine never leaves
/// anything there; debug builds assert that it is not written.
#[derive(Debug)]
pub struct Table<'m, S> {
    nobody: &'m mut S,
    slots: &'m mut [S],
}

impl<'m, S> Table<'m, S> {
    /// A table over `slots`, with `nobody` for the numbers that are none.
    pub const fn new(nobody: &'m mut S, slots: &'m mut [S]) -> Self {
        Self { nobody, slots }
    }

    /// Number of slots.
    #[must_use]
    pub const fn capacity(&self) -> u32 {
        self.slots.len() as u32
    }

    // On a device a call is smaller than the look-up, and there are hundreds of them.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn at(&self, number: u32) -> &S {
        match self.slots.get((number as usize).wrapping_sub(1)) {
            Some(slot) => slot,
            None => self.nobody,
        }
    }

    /// A slot, for as long as the table was lent.
    pub(crate) fn into_slot(self, number: u32) -> &'m S {
        match self.slots.get((number as usize).wrapping_sub(1)) {
            Some(slot) => slot,
            None => self.nobody,
        }
    }

    #[cfg(test)]
    pub(crate) fn into_slot_mut(self, number: u32) -> &'m mut S {
        self.slots.get_mut((number as usize).wrapping_sub(1)).unwrap()
    }

    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn at_mut(&mut self, number: u32) -> &mut S {
        debug_assert!(number != 0 && number <= self.capacity(), "slot {number} is nobody's");
        match self.slots.get_mut((number as usize).wrapping_sub(1)) {
            Some(slot) => slot,
            None => self.nobody,
        }
    }
}
