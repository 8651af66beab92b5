//! One line for each result, on the host's standard error, where the standard output is defmt's.

use cortex_m_semihosting::hio;

/// A longer line is cut.
const LINE: usize = 64;

/// A line of words.
pub(crate) struct Line {
    bytes: [u8; LINE],
    length: usize,
}

impl Line {
    pub(crate) fn new(word: &str) -> Self {
        Self { bytes: [0; LINE], length: 0 }.text(word)
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    pub(crate) fn text(mut self, text: &str) -> Self {
        text.bytes().for_each(|byte| self.push(byte));
        self
    }

    /// A space, and a number.
    pub(crate) fn number(mut self, number: u64) -> Self {
        let mut digits = [0; 20];
        let mut from = digits.len();
        let mut left = number;
        loop {
            from -= 1;
            digits[from] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        self.push(b' ');
        digits[from..].iter().for_each(|digit| self.push(*digit));
        self
    }

    /// A space, and 16 digits.
    pub(crate) fn hex(mut self, number: u64) -> Self {
        self.push(b' ');
        for shift in (0..64).step_by(4).rev() {
            let digit = (number >> shift) as u8 & 15;
            self.push(if digit < 10 { b'0' + digit } else { b'a' - 10 + digit });
        }
        self
    }

    pub(crate) fn print(mut self) {
        self.push(b'\n');
        if let Ok(mut host) = hio::hstderr() {
            let _ = host.write_all(&self.bytes[..self.length]);
        }
    }
}

/// A result.
pub(crate) fn say(key: &str, value: u64) {
    Line::new(key).number(value).print();
}

/// A result with a hundredth's precision.
pub(crate) fn say_ratio(key: &str, value: u64, per: u64) {
    let hundredths = (value * 100 + per / 2) / per.max(1);
    let (tens, ones) = ((hundredths / 10 % 10) as u8, (hundredths % 10) as u8);
    let fraction = [b'.', b'0' + tens, b'0' + ones];
    let fraction = core::str::from_utf8(&fraction).unwrap_or("");
    Line::new(key).number(hundredths / 100).text(fraction).print();
}
