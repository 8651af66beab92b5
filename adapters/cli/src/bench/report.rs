//! Measurements for people, and as JSON.

use std::fmt::Write;

use serde_json::json;

use super::Measured;
use crate::tally::Tally;
use crate::{numbers, usage};

/// All there is to tell.
#[derive(Debug)]
pub(super) struct Report<'a> {
    what: &'a str,
    measured: Measured,
    peak_memory: Option<u64>,
}

impl<'a> Report<'a> {
    pub(super) fn new(what: &'a str, measured: Measured) -> Self {
        Self { what, measured, peak_memory: usage::peak_memory() }
    }

    /// One line of JSON.
    pub(super) fn json(&self) -> String {
        let m = &self.measured;
        let micros = |part| m.latencies.micros(part);
        let bucket = |(bound, count)| json!({ "to_us": bound, "count": count });
        let histogram: Vec<_> = m.latencies.buckets().into_iter().map(bucket).collect();
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
            "p50_us": micros(0.5),
            "p90_us": micros(0.9),
            "p99_us": micros(0.99),
            "p999_us": micros(0.999),
            "max_us": micros(1.0),
            "latency_samples": m.latencies.len(),
            "latency_histogram": histogram,
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
            format!("{}, {:.0} bytes each", numbers::count(m.batches), self.mean_batch()),
        );
        row("batches sent again", numbers::count(m.retries));
        if let Some(bytes) = self.peak_memory {
            row("peak memory", numbers::bytes(bytes));
        }
        if m.latencies.len() > 0 {
            text.push_str(&m.latencies.table());
            text.push_str(&m.latencies.chart());
        }
        text.truncate(text.trim_end().len());
        text
    }

    pub(super) const fn tally(&self) -> &Tally {
        &self.measured.tally
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

/// Whether every record is written.
///
/// # Errors
/// How many are not.
pub(super) fn check(tally: &Tally) -> Result<(), String> {
    if tally.is_good() {
        return Ok(());
    }
    Err(format!(
        "{} are not written, {} unknown",
        numbers::several(tally.not_written, "record"),
        numbers::count(tally.unknown)
    ))
}
