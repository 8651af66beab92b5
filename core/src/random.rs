//! The one source of randomness: a small generator that starts from the caller's seed.

/// SplitMix64: enough for jitter and for picking partitions, and the same everywhere.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = self.state;
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let high = self.next() >> 32;
        // High half of a 32 x 32 bit product: no division, and always below `bound`.
        (high.wrapping_mul(u64::from(bound)) >> 32) as u32
    }

    /// `micros` times a factor drawn from 0.8 to 1.2, the jitter of every back-off.
    pub(crate) fn jitter(&mut self, micros: u64) -> u64 {
        let permille = u64::from(self.below(401)).wrapping_add(800);
        micros.saturating_mul(permille) / 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_a_fifth() {
        let mut random = Random::new(1);
        let drawn: std::vec::Vec<u64> = (0..1_000).map(|_| random.jitter(100_000)).collect();
        assert!(drawn.iter().all(|d| (80_000..=120_000).contains(d)));
        assert!(drawn.iter().any(|d| *d < 85_000) && drawn.iter().any(|d| *d > 115_000));
    }

    #[test]
    fn below_reaches_every_value_and_no_other() {
        let mut random = Random::new(7);
        let mut seen = [false; 3];
        for _ in 0..100 {
            seen[random.below(3) as usize] = true;
        }
        assert_eq!(seen, [true; 3]);
        assert_eq!(random.below(0), 0);
    }
}
