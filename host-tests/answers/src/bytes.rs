//! A queue of bytes in an array.

/// Bytes in the order in which they came, at most `SIZE`. All zero when new.
#[derive(Clone, Debug)]
pub struct Bytes<const SIZE: usize> {
    bytes: [u8; SIZE],
    from: usize,
    to: usize,
}

impl<const SIZE: usize> Bytes<SIZE> {
    /// No bytes.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; SIZE], from: 0, to: 0 }
    }

    /// All bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[self.from..self.to]
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.from == self.to
    }

    /// How many more there is room for.
    #[must_use]
    pub const fn room(&self) -> usize {
        SIZE - (self.to - self.from)
    }

    /// Adds bytes at the end, as many as there is room for: how many.
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.room());
        self.vacant()[..count].copy_from_slice(&bytes[..count]);
        self.fill(count);
        count
    }

    /// The room at the end, for [`Bytes::fill`].
    pub fn vacant(&mut self) -> &mut [u8] {
        self.bytes.copy_within(self.from..self.to, 0);
        self.to -= self.from;
        self.from = 0;
        &mut self.bytes[self.to..]
    }

    /// `count` bytes were written to the start of [`Bytes::vacant`].
    pub fn fill(&mut self, count: usize) {
        self.to = (self.to + count).min(SIZE);
    }

    /// Takes `count` bytes off the start.
    pub fn drop_front(&mut self, count: usize) {
        self.from = (self.from + count).min(self.to);
    }

    /// Takes all bytes off.
    pub const fn clear(&mut self) {
        self.from = 0;
        self.to = 0;
    }
}

impl<const SIZE: usize> Default for Bytes<SIZE> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::Bytes;

    #[test]
    fn bytes_come_out_in_order_and_never_more_than_fit() {
        let mut bytes: Bytes<5> = Bytes::new();
        assert_eq!(bytes.push(b"abc"), 3);
        bytes.drop_front(2);
        assert_eq!(bytes.push(b"defgh"), 4);
        assert_eq!(bytes.as_slice(), b"cdefg");
        assert_eq!((bytes.room(), bytes.push(b"x")), (0, 0));
        bytes.drop_front(9);
        assert!(bytes.is_empty());
    }
}
