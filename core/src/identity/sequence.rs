//! Sequence numbers: 31 bits, 2147483647 is followed by 0.

/// The sequence number of a record within its partition, id and epoch.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Sequence(u32);

const MASK: u32 = 0x7fff_ffff;

impl Sequence {
    /// The first one.
    pub const ZERO: Self = Self(0);

    /// `value` modulo 2^31.
    #[must_use]
    pub const fn new(value: u32) -> Self {
        Self(value & MASK)
    }

    /// The number as it stands in a batch header.
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0.cast_signed()
    }

    /// The sequence `count` records later.
    #[must_use]
    pub const fn after(self, count: u32) -> Self {
        Self(self.0.wrapping_add(count) & MASK)
    }

    /// The sequence `count` records earlier.
    #[must_use]
    pub const fn before(self, count: u32) -> Self {
        Self(self.0.wrapping_sub(count) & MASK)
    }

    /// Whether this one comes before `other`; good for distances up to 2^30.
    #[must_use]
    pub const fn is_before(self, other: Self) -> bool {
        let distance = other.0.wrapping_sub(self.0) & MASK;
        distance != 0 && distance <= 1 << 30
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Sequence = Sequence(MASK);

    #[test]
    fn arithmetic_is_modulo_two_to_the_31() {
        assert_eq!(MAX.after(1), Sequence::ZERO);
        assert_eq!(MAX.after(100), Sequence(99));
        assert_eq!(MAX.before(3).after(4), Sequence::ZERO);
        assert_eq!(Sequence::ZERO.before(1), MAX);
        assert_eq!(Sequence(5).before(10), MAX.before(4));
    }

    #[test]
    fn order_holds_across_the_wrap() {
        assert!(MAX.is_before(Sequence::ZERO));
        assert!(!Sequence::ZERO.is_before(MAX));
        assert!(!MAX.is_before(MAX));
        assert!(Sequence(7).is_before(Sequence(8)));
    }
}
