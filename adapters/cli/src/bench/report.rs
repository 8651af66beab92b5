//! Measurements for people, and as JSON.

use std::fmt::Write;
use std::time::Duration;

use serde_json::json;

use super::Measured;
use crate::{numbers, usage};

/// All there is to tell.
#[derive(Debug)]
pub(super) struct Report<'a> {
    what: &'a str,
    measured: Measured,
    peak_memory: Option<u64>,
}

impl<'a> Report<'a> {
    pub(super) fn new(what: &'a str, mut measured: Measured) -> Self {
        measured.latencies.sort_unstable();
        Self { what, measured, peak_memory: usage::peak_memory() }
    }

    /// One line of JSON.
    pub(super) fn json(&self) -> String {
        let m = &self.measured;
        let micros = |permille| self.percentile(permille).as_nanos() as f64 / 1_000.0;
        let line = json!({
            "bench": self.what,
            "records": m.tally.total(),
            "written": m.tally.written,
            "not_written": m.tally.not_written,
            "unknown": m.tally.unknown,
            "wall_s": m.wall.as_secs_f64(),
            "records_per_s": self.per_second(m.tally.written),
            "mb_per_s": self.per_second(m.bytes) / 1e6,
            "cpu_ns_per_record": self.cpu_per_record(),
            "requests": m.requests,
            "batches": m.batches,
            "mean_batch_bytes": self.mean_batch(),
            "retries": m.retries,
            "p50_us": micros(500),
            "p90_us": micros(900),
            "p99_us": micros(990),
            "p999_us": micros(999),
            "max_us": micros(1_000),
            "latency_samples": m.latencies.len(),
            "peak_memory_bytes": self.peak_memory,
        });
        line.to_string()
    }

    /// A few lines for people.
    pub(super) fn text(&self) -> String {
        let m = &self.measured;
        let mut text = String::new();
        let mut row = |name: &str, value: String| {
            let _ = writeln!(text, "{name:<20}{value}");
        };
        row("records", numbers::count(m.tally.total()));
        row("time", numbers::span(m.wall));
        let rate = numbers::rate(m.tally.written, m.wall);
        row("records per second", numbers::count(rate));
        row("values per second", numbers::bytes(numbers::rate(m.bytes, m.wall)));
        row("processor time", format!("{:.0} ns per record", self.cpu_per_record()));
        row("requests", numbers::count(m.requests));
        row(
            "batches",
            format!(
                "{}, {:.0} bytes each on average",
                numbers::count(m.batches),
                self.mean_batch()
            ),
        );
        row("batches sent again", numbers::count(m.retries));
        let samples = numbers::several(m.latencies.len() as u64, "sample");
        row("latency", format!("{}, {samples}", self.percentiles()));
        if let Some(bytes) = self.peak_memory {
            row("peak memory", numbers::bytes(bytes));
        }
        text.truncate(text.trim_end().len());
        text
    }

    /// Whether every record is written.
    pub(super) fn check(&self) -> Result<(), String> {
        let tally = &self.measured.tally;
        if tally.is_good() {
            return Ok(());
        }
        let (not_written, unknown) = (tally.not_written, tally.unknown);
        Err(format!(
            "{} are not written, {} unknown",
            numbers::several(not_written, "record"),
            numbers::count(unknown)
        ))
    }

    fn percentiles(&self) -> String {
        let named = [("p50", 500), ("p90", 900), ("p99", 990), ("p99.9", 999), ("max", 1_000)];
        let show = |(name, permille)| {
            let micros = self.percentile(permille).as_nanos() as f64 / 1_000.0;
            match micros {
                0.0..1_000.0 => format!("{name} {micros:.0} µs"),
                _ => format!("{name} {:.1} ms", micros / 1_000.0),
            }
        };
        named.map(show).join(", ")
    }

    /// The latency that so many of a thousand do not exceed.
    fn percentile(&self, permille: usize) -> Duration {
        let latencies = &self.measured.latencies;
        let rank = (latencies.len() * permille).div_ceil(1_000).max(1);
        latencies.get(rank - 1).copied().unwrap_or_default()
    }

    fn per_second(&self, number: u64) -> f64 {
        number as f64 / self.measured.wall.as_secs_f64().max(1e-9)
    }

    fn cpu_per_record(&self) -> f64 {
        self.measured.cpu.as_nanos() as f64 / self.measured.tally.total().max(1) as f64
    }

    fn mean_batch(&self) -> f64 {
        self.measured.batch_bytes as f64 / self.measured.batches.max(1) as f64
    }
}
