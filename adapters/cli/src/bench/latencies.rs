//! How long records took, as a histogram.

use std::fmt::Write;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::numbers::{count, micros};

/// Latencies, kept in nanoseconds with three digits.
#[derive(Clone, Debug)]
pub(super) struct Latencies(Option<Histogram<u64>>);

/// Digits that are kept.
const DIGITS: u8 = 3;

/// Rows of the chart, at most.
const ROWS: usize = 12;

/// Characters of the longest bar.
const BAR: u64 = 16;

impl Latencies {
    pub(super) fn new() -> Self {
        // There are histograms of three digits.
        Self(Histogram::new(DIGITS).ok())
    }

    pub(super) fn add(&mut self, latency: Duration) {
        if let Some(histogram) = &mut self.0 {
            // It grows, so nothing is out of its range but what no clock measures.
            let _ = histogram.record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.0.as_ref().map_or(0, Histogram::len)
    }

    /// The latency that a part of them does not exceed, in microseconds.
    pub(super) fn micros(&self, part: f64) -> f64 {
        let nanos = self.0.as_ref().filter(|histogram| !histogram.is_empty());
        nanos.map_or(0.0, |histogram| {
            let value = histogram.value_at_quantile(part).min(histogram.max());
            value as f64 / 1_000.0
        })
    }

    /// How many are up to each of some round latencies in microseconds, and above the one before.
    pub(super) fn buckets(&self) -> Vec<(u64, u64)> {
        let Some(histogram) = self.0.as_ref().filter(|histogram| !histogram.is_empty()) else {
            return Vec::new();
        };
        let mut buckets = Vec::new();
        let mut below = 0;
        for bound in round_numbers() {
            let upper = bound.saturating_mul(1_000);
            let now = histogram.count_between(0, upper);
            if now > 0 {
                buckets.push((bound, now - below));
            }
            below = now;
            if now == histogram.len() || upper == u64::MAX {
                break;
            }
        }
        buckets
    }

    /// A bar for each bucket, a line each.
    pub(super) fn chart(&self) -> String {
        let mut buckets = self.buckets();
        // What is fastest is one bar, if there are too many.
        let extra = buckets.len().saturating_sub(ROWS);
        let fastest: u64 = buckets.drain(..extra).map(|(_, count)| count).sum();
        if let Some((_, count)) = buckets.first_mut() {
            *count += fastest;
        }
        let most = buckets.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
        let mut text = String::new();
        for (bound, number) in buckets {
            let length = (number * BAR).div_ceil(most);
            let bar = "━".repeat(usize::try_from(length).unwrap_or(0));
            let percent = number as f64 * 100.0 / self.len().max(1) as f64;
            let bound = micros(bound as f64);
            let width = BAR as usize;
            let _ = writeln!(text, "  to {bound:>7}  {bar:width$}  {percent:>5.1} %");
        }
        text
    }

    /// The usual percentiles, a line each.
    pub(super) fn table(&self) -> String {
        let mut text = format!("latency of {} records\n", count(self.len()));
        for (name, part) in PERCENTILES {
            let _ = writeln!(text, "  {name:<6}{:>9}", micros(self.micros(part)));
        }
        text
    }
}

/// Those that are shown.
const PERCENTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// 1, 2, 5, 10, 20 and so on.
fn round_numbers() -> impl Iterator<Item = u64> {
    let decades = std::iter::successors(Some(1_u64), |decade| decade.checked_mul(10));
    decades.flat_map(|decade| [1, 2, 5].map(|digit| decade.saturating_mul(digit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(micros: &[u64]) -> Latencies {
        let mut latencies = Latencies::new();
        micros.iter().for_each(|micros| latencies.add(Duration::from_micros(*micros)));
        latencies
    }

    #[test]
    fn percentiles_are_near() {
        let latencies = of(&(1..=1_000).collect::<Vec<_>>());
        for (part, expected) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1_000.0)] {
            let micros = latencies.micros(part);
            assert!((micros - expected).abs() <= expected / 500.0, "{part}: {micros}");
        }
        assert_eq!(latencies.len(), 1_000);
        assert!(of(&[]).micros(0.5) == 0.0 && of(&[]).chart().is_empty());
    }

    #[test]
    fn the_chart_has_a_bar_for_each_range() {
        let latencies = of(&[30, 30, 30, 30, 150, 900]);
        assert_eq!(latencies.buckets(), [(50, 4), (100, 0), (200, 1), (500, 0), (1_000, 1)]);
        let bar = |length: usize| format!("{:16}", "━".repeat(length));
        let expected = format!(
            "  to   50 µs  {}   66.7 %\n  to  100 µs  {}    0.0 %\n  to  200 µs  {}   16.7 %\n  \
             to  500 µs  {}    0.0 %\n  to  1.0 ms  {}   16.7 %\n",
            bar(16),
            bar(0),
            bar(4),
            bar(0),
            bar(4),
        );
        assert_eq!(latencies.chart(), expected);
        let wide = of(&[1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000]);
        assert_eq!(wide.chart().lines().count(), ROWS);
        assert!(wide.chart().lines().all(|line| line.chars().count() <= 40), "{}", wide.chart());
    }
}
