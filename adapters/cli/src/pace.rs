//! So many records a second, at most.

use std::time::Duration;

use tokio::time::Instant;

/// Records that are sent at once take up so much of the time.
const PORTION: f64 = 0.02;

/// What was missed is made up for to this extent. With a portion, that is the largest burst.
const CATCH_UP: Duration = Duration::from_millis(80);

/// Keeps records from coming too fast, evenly.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    per_second: f64,
    /// When the next record may be sent.
    due: Instant,
}

impl Pace {
    /// From now on.
    pub(crate) fn new(rate: Rate) -> Self {
        Self { per_second: rate.0, due: Instant::now() }
    }

    /// How many records go at once.
    pub(crate) fn portion(&self) -> usize {
        // Saturates.
        ((self.per_second * PORTION) as usize).max(1)
    }

    /// Waits until the next records may be sent.
    pub(crate) async fn wait(&mut self) {
        if let Some(earliest) = Instant::now().checked_sub(CATCH_UP) {
            self.due = self.due.max(earliest);
        }
        tokio::time::sleep_until(self.due).await;
    }

    /// So many were sent.
    pub(crate) fn sent(&mut self, records: usize) {
        let took = Duration::try_from_secs_f64(records as f64 / self.per_second);
        self.due += took.unwrap_or(Duration::from_secs(u32::MAX.into()));
    }
}

/// Records per second.
#[derive(Copy, Clone, PartialEq, Debug)]
pub(crate) struct Rate(f64);

impl Rate {
    pub(crate) const fn per_second(self) -> f64 {
        self.0
    }
}

/// A rate as it is written on the command line: `1000`, `1000/s`, `0.5/s`.
pub(crate) fn rate(text: &str) -> Result<Rate, String> {
    let number = text.strip_suffix("/s").unwrap_or(text).trim();
    let number = without_groups(number).and_then(|number| number.parse::<f64>().ok());
    match number {
        Some(rate) if rate.is_finite() && rate >= 0.001 => Ok(Rate(rate)),
        _ => Err("it has to be records per second, such as 1000, 1,000 or 0.5/s".to_owned()),
    }
}

/// A number without what divides its digits. A comma divides thousands: in many countries it
/// stands before tenths, and a number that may be meant so is none.
fn without_groups(number: &str) -> Option<String> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if number.contains(',') {
        let is_digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
        let mut groups = whole.split(',');
        let first = groups.next().unwrap_or_default();
        let is_first = matches!(first.len(), 1..=3) && is_digits(first) && !first.starts_with('0');
        let is_grouped = is_first && groups.all(|group| group.len() == 3 && is_digits(group));
        if !is_grouped || part.contains(',') {
            return None;
        }
    }
    Some(number.replace([',', '_'], ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_understood() {
        assert_eq!(["1000", "1_000/s", "1,000/s"].map(rate), [const { Ok(Rate(1000.0)) }; 3]);
        assert_eq!(rate("0.5/s"), Ok(Rate(0.5)));
        for wrong in ["", "0", "-1", "inf", "NaN", "fast", "10/m"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_comma_before_tenths_is_not_left_out() {
        let wrong =
            ["0,5/s", "1,5", "1,50", "0,500", "1000,000", "1,00,000", ",5", "1,", "1.000,5"];
        for wrong in wrong {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
        let right = [("12,000/s", 12e3), ("1,234,567", 1_234_567.0), ("1,000.5/s", 1000.5)];
        for (text, expected) in right {
            assert_eq!(rate(text), Ok(Rate(expected)), "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn records_come_evenly() {
        let mut pace = Pace::new(Rate(1_000.0));
        let begun = Instant::now();
        let mut times = Vec::new();
        while times.len() < 3_000 {
            pace.wait().await;
            times.resize(times.len() + pace.portion(), begun.elapsed());
            pace.sent(pace.portion());
            if times.len() == 1_500 {
                // Something held it up.
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        assert!(begun.elapsed() >= Duration::from_millis(3_800), "{:?}", begun.elapsed());
        for (place, time) in times.iter().enumerate() {
            // In any tenth of a second there are no more than two of them hold.
            let later = &times[place..];
            let burst = later.iter().filter(|later| **later < *time + Duration::from_millis(1));
            assert!(burst.count() <= 100, "{time:?}");
            let within = later.iter().filter(|later| **later < *time + Duration::from_millis(500));
            assert!(within.count() <= 600, "{time:?}");
        }
    }
}
