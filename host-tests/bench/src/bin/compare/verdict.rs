//! Who won: medians, spreads, and the bounds.

use std::cmp::Ordering;
use std::fmt;

use serde_json::{Value, json};

use crate::client::Side;
use crate::rows::{Kind, Row, Workload};

/// Median, lowest and highest of some repeats.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub lowest: f64,
    pub highest: f64,
    pub all: Vec<f64>,
}

impl Spread {
    pub fn new(all: Vec<f64>) -> Spread {
        let mut sorted = all.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let median = (at(last / 2) + at(sorted.len() / 2)) / 2.0;
        Spread { median, lowest: at(0), highest: at(last), all }
    }

    fn overlaps(&self, other: &Spread) -> bool {
        self.lowest <= other.highest && other.lowest <= self.highest
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = match self.median.abs() {
            ..10.0 => 2,
            10.0..100.0 => 1,
            _ => 0,
        };
        write!(to, "{:.digits$}", self.median)?;
        if self.all.len() > 1 {
            write!(to, " [{:.digits$}..{:.digits$}]", self.lowest, self.highest)?;
        }
        Ok(())
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    Cpu,
    Rate,
    P50,
    P99,
    Peak,
    Growth,
}

impl Metric {
    pub const ALL: [Metric; 6] =
        [Metric::Cpu, Metric::Rate, Metric::P50, Metric::P99, Metric::Peak, Metric::Growth];

    pub const fn title(self) -> &'static str {
        match self {
            Metric::Cpu => "CPU ns per record",
            Metric::Rate => "records per ms",
            Metric::P50 => "p50 µs",
            Metric::P99 => "p99 µs",
            Metric::Peak => "peak MiB",
            Metric::Growth => "MiB kept after",
        }
    }

    const fn more_is_better(self) -> bool {
        matches!(self, Metric::Rate)
    }

    /// What is measured of a workload; `judged` is what a row is won or lost by.
    pub fn of(kind: Kind) -> &'static [Metric] {
        match kind {
            Kind::Steady => &[Metric::Cpu, Metric::Rate],
            Kind::Rate(_) => &[Metric::Rate, Metric::Cpu],
            Kind::Latency => &[Metric::P50, Metric::P99],
            Kind::Memory(_) => &[Metric::Peak, Metric::Growth],
        }
    }

    pub fn judged(workload: &Workload) -> &'static [Metric] {
        match (workload.row, workload.kind) {
            (Row::Cpu | Row::Key, _) => &[Metric::Cpu],
            (_, Kind::Rate(_)) => &[Metric::Rate],
            (_, kind) => Metric::of(kind),
        }
    }
}

/// What a client came to.
#[derive(Clone, Debug)]
pub struct Came {
    pub client: &'static str,
    pub side: Side,
    pub values: Vec<(Metric, Spread)>,
}

impl Came {
    pub fn value(&self, metric: Metric) -> Option<&Spread> {
        self.values.iter().find(|(of, _)| *of == metric).map(|(_, value)| value)
    }
}

/// The best of a side, by the median.
fn best(came: &[Came], side: Side, metric: Metric) -> Option<(&'static str, &Spread)> {
    let values = came.iter().filter(|came| came.side == side);
    let values = values.filter_map(|came| Some((came.client, came.value(metric)?)));
    values.min_by(|(_, a), (_, b)| {
        let order = a.median.total_cmp(&b.median);
        if metric.more_is_better() { order.reverse() } else { order }
    })
}

/// Ottla against the best peer: "won by 30 %".
fn against(ours: &Spread, theirs: &Spread, metric: Metric) -> (Ordering, String) {
    if metric == Metric::Growth {
        // Differences of sizes; near nothing a ratio says nothing.
        let text = format!("{:+.1} MiB against {:+.1}", ours.median, theirs.median);
        return (Ordering::Equal, text);
    }
    if ours.median <= 0.0 || theirs.median <= 0.0 {
        return (Ordering::Equal, String::from("cannot be told apart: too few records"));
    }
    let (worse, better) = match metric.more_is_better() {
        true => (ours.median, theirs.median),
        false => (theirs.median, ours.median),
    };
    let saved = if metric.more_is_better() {
        (worse / better - 1.0) * 100.0
    } else {
        (1.0 - better / worse) * 100.0
    };
    if ours.overlaps(theirs) {
        return (Ordering::Equal, format!("tied ({saved:+.0} %, within the spread)"));
    }
    match saved > 0.0 {
        true => (Ordering::Greater, format!("won by {saved:.0} %")),
        false => (Ordering::Less, format!("lost by {:.0} %", -saved)),
    }
}

/// What a row came to, in lines, and as data.
#[derive(Debug, Default)]
pub struct Verdict {
    pub lines: Vec<String>,
    pub json: Vec<Value>,
    pub won: usize,
    pub tied: usize,
    pub lost: usize,
}

/// Of the best peer's CPU time what Ottla may take, and what it aims at.
const HALF: f64 = 0.5;
const QUARTER: f64 = 0.25;
/// Times the floor that Ottla aims at.
const FLOORS: f64 = 4.0;
/// Batches of one partition in flight at a round trip of 100 ms, at least.
const IN_FLIGHT: f64 = 4.5;
/// MiB beyond `buffer.memory` that a process may take, and may keep after an overload.
const BESIDE: f64 = 24.0;
const KEPT: f64 = 4.0;

fn met(is: bool) -> &'static str {
    if is { "met" } else { "NOT MET" }
}

/// Judges a workload. `in_flight` are Ottla's batches per round trip, by mode.
pub fn judge(workload: &Workload, came: &[Came], in_flight: &[(&str, Spread)]) -> Verdict {
    let mut verdict = Verdict::default();
    for &metric in Metric::judged(workload) {
        let ours = best(came, Side::Ottla, metric);
        let theirs = best(came, Side::Peer, metric);
        if let (Some((our_name, ours)), Some((their_name, theirs))) = (ours, theirs) {
            let (order, text) = against(ours, theirs, metric);
            if metric != Metric::Growth {
                match order {
                    Ordering::Greater => verdict.won += 1,
                    Ordering::Equal => verdict.tied += 1,
                    Ordering::Less => verdict.lost += 1,
                }
            }
            verdict
                .lines
                .push(format!("{}: {our_name} {text}; best peer {their_name}", metric.title()));
            verdict.json.push(json!({
                "metric": metric.title(), "ours": our_name, "peer": their_name, "verdict": text,
                "ratio": ours.median / theirs.median,
            }));
        }
        let bounds = bounds(workload, metric, came, ours.map(|(_, ours)| ours), theirs);
        verdict.lines.extend(bounds);
    }
    for (mode, batches) in in_flight {
        let is = met(batches.median >= IN_FLIGHT);
        verdict
            .lines
            .push(format!("{mode}: {batches} batches per round trip; bound {IN_FLIGHT}: {is}"));
    }
    verdict.json.extend(verdict.lines.iter().map(|line| json!({ "line": line })));
    verdict
}

fn bounds(
    workload: &Workload,
    metric: Metric,
    came: &[Came],
    ours: Option<&Spread>,
    theirs: Option<(&'static str, &Spread)>,
) -> Vec<String> {
    let mut lines = Vec::new();
    let Some(ours) = ours.filter(|ours| ours.median > 0.0) else { return lines };
    if metric == Metric::Cpu && workload.row != Row::Large {
        if let Some((_, theirs)) = theirs.filter(|(_, theirs)| theirs.median > 0.0) {
            let ratio = ours.median / theirs.median;
            let bound = if workload.size == 100 { HALF } else { 1.0 };
            lines.push(format!(
                "{ratio:.2} of the best peer's CPU; bound {bound}: {}; aim {QUARTER}: {}",
                met(ratio <= bound),
                met(ratio <= QUARTER)
            ));
        }
        if let Some((_, floor)) = best(came, Side::Floor, metric) {
            let times = ours.median / floor.median;
            lines.push(format!(
                "{times:.1} times the floor; aim {FLOORS}: {}",
                met(times <= FLOORS)
            ));
        }
    }
    if metric == Metric::Peak {
        let bound = workload.buffer_memory as f64 / (1 << 20) as f64 + BESIDE;
        for came in came.iter().filter(|came| came.side == Side::Ottla) {
            let (Some(peak), Some(growth)) = (came.value(metric), came.value(Metric::Growth))
            else {
                continue;
            };
            lines.push(format!(
                "{}: peak {:.1} MiB; bound {bound}: {}; back to {:+.1} MiB of idle; bound {KEPT}: {}",
                came.client,
                peak.highest,
                met(peak.highest <= bound),
                growth.highest,
                met(growth.highest <= KEPT)
            ));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(all: &[f64]) -> Spread {
        Spread::new(all.to_vec())
    }

    #[test]
    fn the_median_and_the_ends() {
        let of = spread(&[5.0, 1.0, 3.0, 9.0]);
        assert_eq!((of.median, of.lowest, of.highest), (4.0, 1.0, 9.0));
        assert_eq!(spread(&[7.0]).to_string(), "7.00");
        assert_eq!(spread(&[100.0, 300.0, 200.0]).to_string(), "200 [100..300]");
    }

    #[test]
    fn within_the_spread_nobody_wins() {
        let (order, text) = against(&spread(&[90.0, 100.0]), &spread(&[99.0, 120.0]), Metric::Cpu);
        assert_eq!(order, Ordering::Equal, "{text}");
    }

    #[test]
    fn less_time_wins_and_more_records_win() {
        let (few, many) = (spread(&[50.0, 51.0]), spread(&[100.0, 102.0]));
        assert_eq!(against(&few, &many, Metric::Cpu), (Ordering::Greater, "won by 50 %".into()));
        assert_eq!(against(&many, &few, Metric::Cpu), (Ordering::Less, "lost by 100 %".into()));
        assert_eq!(against(&many, &few, Metric::Rate), (Ordering::Greater, "won by 100 %".into()));
        assert_eq!(against(&few, &many, Metric::Rate), (Ordering::Less, "lost by 50 %".into()));
    }
}
