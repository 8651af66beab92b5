//! What came out, as a table and as a verdict.

use std::fmt::Write;
use std::time::Duration;

use ottla_broker::Counters as BrokerCounters;
use ottla_tokio::Counters;

use super::audit::Audit;
use super::faults::{Kind, Struck};
use crate::numbers::{self, count};

/// All there is to tell.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) audit: Audit,
    pub(super) struck: Struck,
    pub(super) took: Duration,
    pub(super) counters: Counters,
    pub(super) broker: BrokerCounters,
}

/// Width of the names and of the numbers, left and right.
const LEFT: (usize, usize) = (28, 11);
const RIGHT: (usize, usize) = (36, 8);

impl Report {
    /// Records on the left, faults on the right.
    pub(super) fn table(&self) -> String {
        let Self { audit, .. } = self;
        let records = [
            ("sent", audit.sent),
            ("reported written", audit.written),
            ("reported not written", audit.not_written),
            ("reported unknown", audit.unknown),
            ("  of which in the log", audit.unknown_in_log),
            ("in the log", audit.in_log),
            ("", 0),
            ("lost", audit.lost),
            ("duplicated", audit.duplicated),
            ("out of order", audit.out_of_order),
            ("not written, but in the log", audit.denied),
            ("altered", audit.altered),
        ];
        let faults = Kind::ALL.iter().zip(self.struck).map(|(kind, struck)| (kind.text(), struck));
        let after = [
            ("", 0),
            ("batches sent again", self.counters.retries),
            ("batches recognised as duplicates", self.broker.duplicates),
            ("new epochs", self.counters.bumps),
        ];
        let faults: Vec<(&str, u64)> = faults.chain(after).collect();

        let mut text = format!("\n  {:<w$}   {}\n", "RECORDS", "FAULTS", w = LEFT.0 + LEFT.1);
        let rule = |(name, number): (usize, usize)| "─".repeat(name + number);
        let _ = writeln!(text, "  {}   {}", rule(LEFT), rule(RIGHT));
        let blank = ("", 0);
        for row in 0..records.len().max(faults.len()) {
            let left = cell(*records.get(row).unwrap_or(&blank), LEFT);
            let right = cell(*faults.get(row).unwrap_or(&blank), RIGHT);
            let _ = writeln!(text, "{}", format!("  {left}   {right}").trim_end());
        }
        let rate = numbers::rate(self.audit.written, self.took);
        let _ = write!(
            text,
            "\n  {}, {} records per second, faults and all\n",
            numbers::span(self.took),
            count(rate)
        );
        text
    }

    /// Whether all is well, and why not.
    pub(super) fn judge(&self) -> Result<String, String> {
        let Audit { lost, duplicated, out_of_order, denied, altered, untold, .. } = self.audit;
        let wrongs = [
            (lost, "lost"),
            (duplicated, "duplicated"),
            (out_of_order, "out of order"),
            (denied, "reported not written, but in the log"),
            (altered, "altered"),
            (untold, "without any outcome"),
        ];
        let wrongs = wrongs.iter().filter(|(number, _)| *number > 0);
        let wrongs: Vec<String> =
            wrongs.map(|(number, what)| format!("{} {what}", count(*number))).collect();
        if !wrongs.is_empty() {
            return Err(format!("records are {}: this is a bug", wrongs.join(", ")));
        }
        let idle = Kind::ALL.iter().zip(self.struck).filter(|(_, struck)| *struck == 0);
        let idle: Vec<&str> = idle.map(|(kind, _)| kind.text()).collect();
        if !idle.is_empty() {
            let remedy = "more --records give them more to strike at";
            return Err(format!("these faults never struck: {}; {remedy}", idle.join(", ")));
        }
        if self.counters.retries == 0 || self.broker.duplicates == 0 {
            return Err("the faults struck, but nothing had to be sent again".to_owned());
        }
        let faults = self.struck.iter().sum();
        Ok(format!(
            "Nothing lost, nothing doubled, nothing out of order: {} notwithstanding.",
            numbers::several(faults, "fault")
        ))
    }
}

/// A name and a number; a row without name is empty.
fn cell((name, number): (&str, u64), (width, digits): (usize, usize)) -> String {
    match name {
        "" => " ".repeat(width + digits),
        _ => format!("{name:<width$}{:>digits$}", count(number)),
    }
}
