//! What many runs were like.

use std::collections::BTreeMap;
use std::fmt;

use crate::coverage::Coverage;
use crate::fault::{Fault, Fired};
use crate::look::Looks;
use crate::promise::Promise;
use crate::run::Outcome;

/// Sums over runs.
#[derive(Clone, Default, Debug)]
pub struct Report {
    /// Runs.
    pub seeds: u64,
    /// Those of them whose faults suspend nothing.
    pub sound: u64,
    /// Calls of the machine.
    pub steps: u64,
    /// Records that were accepted.
    pub accepted: u64,
    /// Records that were delivered.
    pub delivered: u64,
    /// Partitions of producers that I8 did not ask anything of after healing. Where brokers tell
    /// leader epochs and no topic ids (Kafka 2.4 to 2.7), a topic that is made again cannot be told
    /// from an old answer until its epochs pass those of the one before.
    pub excused: u64,
    /// Time that passed in the worlds, in microseconds.
    pub span: u128,
    /// Faults that hit.
    pub fired: Fired,
    /// What was met.
    pub coverage: Coverage,
    /// In how many runs each promise was judged, and broken.
    pub promises: BTreeMap<Promise, (u64, u64)>,
    /// How often checkers looked at something.
    pub looks: Looks,
}

impl Report {
    /// Takes a run in. `compared`: it was run twice.
    pub fn take(&mut self, outcome: &Outcome, compared: bool) {
        self.seeds += 1;
        self.sound += u64::from(outcome.suspended.is_empty());
        self.steps += outcome.steps;
        self.accepted += outcome.accepted;
        self.delivered += outcome.delivered;
        self.excused += outcome.excused;
        self.span += u128::from(outcome.span);
        self.fired.add(&outcome.fired);
        self.coverage.add(&outcome.coverage);
        self.looks.add(&outcome.looks);
        for promise in Promise::ALL {
            let judged =
                !outcome.suspended.contains(&promise) && (promise != Promise::I18 || compared);
            let broken = outcome.violation.as_ref().is_some_and(|v| v.promise == promise);
            let sum = self.promises.entry(promise).or_default();
            sum.0 += u64::from(judged);
            sum.1 += u64::from(broken);
        }
    }

    /// Adds another report.
    pub fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.sound += other.sound;
        self.steps += other.steps;
        self.accepted += other.accepted;
        self.delivered += other.delivered;
        self.excused += other.excused;
        self.span += other.span;
        self.fired.add(&other.fired);
        self.coverage.add(&other.coverage);
        self.looks.add(&other.looks);
        for (promise, (judged, broken)) in &other.promises {
            let sum = self.promises.entry(*promise).or_default();
            sum.0 += judged;
            sum.1 += broken;
        }
    }

    /// What was never met: faults, all that [`Coverage`] counts, and what checkers judge.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let silent = Fault::ALL.iter().filter(|fault| self.fired.of(**fault) == 0);
        let mut missing: Vec<String> = silent.map(|fault| format!("faults: {fault}")).collect();
        missing.extend(self.coverage.missing());
        missing.extend(self.looks.missing().map(|what| format!("checker: {what}")));
        missing
    }

    /// Runs that broke a promise.
    #[must_use]
    pub fn broken(&self) -> u64 {
        self.promises.values().map(|(_, broken)| broken).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_seed = |sum: u64| sum as f64 / self.seeds.max(1) as f64;
        writeln!(f, "fault               hits  suspends")?;
        for fault in Fault::ALL {
            let suspends: Vec<String> =
                fault.suspends().iter().map(|promise| format!("{promise:?}")).collect();
            let line = format!("{fault:18}{:6}  {}", self.fired.of(*fault), suspends.join(" "));
            writeln!(f, "{}", line.trim_end())?;
        }
        writeln!(f, "\n{}", self.coverage)?;
        writeln!(f, "{}", self.looks)?;
        writeln!(f, "checker                           seeds broken")?;
        for (promise, (judged, broken)) in &self.promises {
            writeln!(f, "{:32}{judged:7}{broken:7}", promise.checker())?;
        }
        let excused = self.excused;
        writeln!(
            f,
            "\n{excused} partitions were excused from I8: made again, and brokers have no topic ids"
        )?;
        let days = self.span / 86_400_000_000;
        let steps = per_seed(self.steps);
        writeln!(f, "\n{} seeds, {} of them suspend nothing; {days} days", self.seeds, self.sound)?;
        write!(
            f,
            "per seed: {:.0} records delivered of {:.0}, {:.1} faults hit, {steps:.0} core steps",
            per_seed(self.delivered),
            per_seed(self.accepted),
            per_seed(self.fired.total()),
        )
    }
}
