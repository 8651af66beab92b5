//! A hash that is the same on every machine.

use core::hash::Hasher;

/// FNV-1a over 64 bits. Numbers go in as little endian, those of a machine's own width as 64 bits.
#[derive(Clone, Debug)]
pub(crate) struct Fnv(u64);

impl Fnv {
    pub(crate) const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    }

    fn write_u16(&mut self, number: u16) {
        self.write(&number.to_le_bytes());
    }

    fn write_u32(&mut self, number: u32) {
        self.write(&number.to_le_bytes());
    }

    fn write_u64(&mut self, number: u64) {
        self.write(&number.to_le_bytes());
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    /// Which variant a value is comes by this.
    fn write_isize(&mut self, number: isize) {
        self.write_u64((number as i64).cast_unsigned());
    }
}

#[cfg(test)]
mod tests {
    use core::hash::{Hash, Hasher};

    use super::Fnv;

    #[test]
    fn published_check_value() {
        let mut hash = Fnv::new();
        hash.write(b"foobar");
        assert_eq!(hash.finish(), 0x8594_4171_f739_67e8);
    }

    /// The same numbers are asked for on every target that the tests run on.
    #[test]
    fn variants_hash_the_same_everywhere() {
        let mut hash = Fnv::new();
        (Some(7_u32), None::<u32>, -1_i16, 3_usize).hash(&mut hash);
        assert_eq!(hash.finish(), 14_029_999_076_684_279_394);
    }
}
