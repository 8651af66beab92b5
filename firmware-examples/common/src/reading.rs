//! A reading of a sensor, as it goes over the wire.

/// Decimal digits of a number, without `core::fmt`.
pub(crate) struct Decimal {
    digits: [u8; 10],
    from: usize,
}

impl Decimal {
    pub(crate) fn of(mut number: u32) -> Self {
        let mut digits = [b'0'; 10];
        let mut from = digits.len();
        for place in digits.iter_mut().rev() {
            *place = b'0' + (number % 10) as u8;
            from -= 1;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        Self { digits, from }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.digits.get(self.from..).unwrap_or(&[])
    }
}

/// The value of a sensor that is not there: a slow wave, in hundredths of a degree.
pub(crate) fn sample(number: u32) -> u32 {
    let phase = number % 600;
    2_000 + if phase < 300 { phase } else { 600 - phase }
}
