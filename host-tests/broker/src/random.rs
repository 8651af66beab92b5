//! The one source of randomness: SplitMix64 from the cluster's seed.

/// The generator's state.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Random(u64);

/// The characters of URL-safe base64, in which Kafka writes the ids of clusters.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = self.0;
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `min` to `max`, both included; `min` if they are the wrong way round.
    pub(crate) const fn between(&mut self, min: u64, max: u64) -> u64 {
        match max.saturating_sub(min) {
            0 => min,
            u64::MAX => self.next(),
            span => min + self.next() % (span + 1),
        }
    }

    /// A random UUID (version 4), which is neither of the reserved ids 0 and 1.
    pub(crate) fn uuid(&mut self) -> [u8; 16] {
        let bits = u128::from(self.next()) << 64 | u128::from(self.next());
        let version = 0x4000_u128 << 64 | 0x8000_u128 << 48;
        let masked = bits & !(0xf000_u128 << 64 | 0xc000_u128 << 48);
        (masked | version).to_be_bytes()
    }

    /// A UUID in the 22 characters in which Kafka writes one.
    pub(crate) fn uuid_text(&mut self) -> String {
        let bits = u128::from_be_bytes(self.uuid());
        // 22 groups of 6 bits are 132: the last group has 4 bits of padding.
        let group = |place: u32| match place {
            21 => (bits << 4) & 0x3f,
            place => (bits >> (122 - 6 * place)) & 0x3f,
        };
        (0..22)
            .filter_map(|place| ALPHABET.get(group(place) as usize))
            .map(|c| *c as char)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_version_4_and_have_22_characters() {
        let mut random = Random::new(3);
        for _ in 0..100 {
            let id = random.uuid();
            assert_eq!((id[6] >> 4, id[8] >> 6), (4, 2));
            let text = random.uuid_text();
            assert_eq!(text.len(), 22, "{text}");
            assert!(text.ends_with(['A', 'Q', 'g', 'w']), "{text}");
        }
    }

    #[test]
    fn between_holds_its_bounds() {
        let mut random = Random::new(5);
        let drawn: Vec<u64> = (0..200).map(|_| random.between(3, 5)).collect();
        assert!(drawn.iter().all(|d| (3..=5).contains(d)));
        assert!((3..=5).all(|d| drawn.contains(&d)));
        assert_eq!(random.between(9, 2), 9);
    }
}
