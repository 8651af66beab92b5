//! What runs have met: outcomes, refusals, full tables, ends of links, what clusters and epochs went
//! through, and the codes that were answered.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ottla::error::Full;
use ottla::message::Api;
use ottla::{Cause, Doubt, Outcome, Reason, Refused};

use crate::frames;

/// What there is to meet, by groups. A full run meets all of it.
const GROUPS: [(&str, &[&str]); 6] = [
    (
        "outcomes",
        &[
            "written",
            "written, no offset",
            "unacknowledged",
            "not written: timeout",
            "not written: closed",
            "not written: dropped",
            "not written: code",
            "not written: state lost",
            "unknown: timeout",
            "unknown: closed",
            "unknown: code",
            "unknown: disconnected",
            "unknown: state lost",
            "a part of a batch",
        ],
    ),
    ("doubts", &["disconnected", "code", "missing", "unanswered"]),
    (
        "refusals",
        &[
            "full",
            "topic unknown",
            "topic failed",
            "partition unknown",
            "larger than request",
            "larger than memory",
            "time unknown",
            "dropped",
            "closed",
            "fatal",
        ],
    ),
    (
        "full tables",
        &[
            "topics",
            "partitions",
            "batches",
            "names",
            "memory",
            "requests",
            "links",
            "brokers",
            "hosts",
        ],
    ),
    (
        "ends of links",
        &[
            "fault",
            "request timeout",
            "setup timeout",
            "idle",
            "replaced",
            "shutdown",
            "paused",
            "rebootstrap",
            "refused",
            "disconnected",
        ],
    ),
    (
        "transitions",
        &[
            "restart with state",
            "restart, newest batch",
            "restart without state",
            "producers forgotten",
            "clean election",
            "election that loses committed records",
            "election that loses nothing committed",
            "topic made again",
            "next epoch",
            "another producer id",
            "sent again by the switch",
            "sequences wrapped",
            "flushed",
            "closed by itself",
            "ended while closing",
            "fatal",
        ],
    ),
];

/// When a code was answered.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum When {
    Before,
    After,
}

/// The APIs of a producer, with their names.
pub(crate) const APIS: [(Api, &str); 4] = [
    (Api::Produce, "Produce"),
    (Api::Metadata, "Metadata"),
    (Api::InitProducerId, "InitProducerId"),
    (Api::ApiVersions, "ApiVersions"),
];

/// A code that no Kafka of today knows.
const FUTURE: i16 = 4_711;

/// Every code that is an error, and one of the future.
pub(crate) fn codes() -> impl Iterator<Item = i16> {
    (-1..=136).filter(|code| *code != 0).chain([FUTURE])
}

/// Whether a broker that tells no lies can give a code to a request of an API then. 46 says that a
/// batch is in the log; and some codes are given before the append only.
pub(crate) fn is_true(api: Api, when: When, code: i16, acks: i16) -> bool {
    match when {
        _ if api != Api::Produce => true,
        When::Before => code != 46,
        When::After => code != 46 && !frames::is_refusal(code, acks),
    }
}

/// What was met, and how often.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Coverage {
    met: BTreeMap<(&'static str, &'static str), u64>,
    codes: BTreeMap<(&'static str, When), BTreeMap<i16, u64>>,
    /// Codes that brokers gave by themselves.
    own: BTreeSet<i16>,
}

impl Coverage {
    fn count(&mut self, group: &'static str, name: &'static str) {
        *self.met.entry((group, name)).or_default() += 1;
    }

    /// A run of records has this outcome; `rest`: more of its batch follow.
    pub(crate) fn outcome(&mut self, outcome: &Outcome, rest: u32) {
        let name = match outcome {
            Outcome::Written { base_offset: 0.., .. } => "written",
            Outcome::Written { .. } => "written, no offset",
            Outcome::Unacknowledged => "unacknowledged",
            Outcome::NotWritten(Cause::Timeout) => "not written: timeout",
            Outcome::NotWritten(Cause::Closed) => "not written: closed",
            Outcome::NotWritten(Cause::Dropped) => "not written: dropped",
            Outcome::NotWritten(Cause::Code(_)) => "not written: code",
            Outcome::NotWritten(Cause::StateLost) => "not written: state lost",
            Outcome::Unknown(Cause::Timeout, _) => "unknown: timeout",
            Outcome::Unknown(Cause::Closed, _) => "unknown: closed",
            Outcome::Unknown(Cause::Code(_), _) => "unknown: code",
            Outcome::Unknown(Cause::Disconnected, _) => "unknown: disconnected",
            Outcome::Unknown(Cause::StateLost, _) => "unknown: state lost",
            _ => "another",
        };
        self.count("outcomes", name);
        if rest > 0 {
            self.count("outcomes", "a part of a batch");
        }
        if let Outcome::Unknown(_, doubt) = outcome {
            let name = match doubt {
                Doubt::Disconnected => "disconnected",
                Doubt::Code(_) => "code",
                Doubt::Missing => "missing",
                Doubt::Unanswered => "unanswered",
                _ => "another",
            };
            self.count("doubts", name);
        }
    }

    /// A record was refused.
    pub(crate) fn refused(&mut self, refused: Refused) {
        let name = match refused {
            Refused::Full(_) => "full",
            Refused::TopicUnknown => "topic unknown",
            Refused::Topic(_) => "topic failed",
            Refused::PartitionUnknown => "partition unknown",
            Refused::LargerThanRequest => "larger than request",
            Refused::LargerThanMemory => "larger than memory",
            Refused::TimeUnknown => "time unknown",
            Refused::Dropped => "dropped",
            Refused::Closed => "closed",
            Refused::Fatal(_) => "fatal",
            _ => "another",
        };
        self.count("refusals", name);
    }

    /// A table was full, so often.
    pub(crate) fn full(&mut self, full: Full, times: u64) {
        let name = match full {
            Full::Topics => "topics",
            Full::Partitions => "partitions",
            Full::Batches => "batches",
            Full::Names => "names",
            Full::Memory => "memory",
            Full::Requests => "requests",
            Full::Links => "links",
            Full::Brokers => "brokers",
            _ => "another",
        };
        *self.met.entry(("full tables", name)).or_default() += times;
    }

    /// A host name is longer than there is room for one.
    pub(crate) fn full_host(&mut self) {
        self.count("full tables", "hosts");
    }

    /// A link ended.
    pub(crate) fn link_ended(&mut self, reason: Reason) {
        let name = match reason {
            Reason::Fault(_) => "fault",
            Reason::RequestTimeout => "request timeout",
            Reason::SetupTimeout => "setup timeout",
            Reason::Idle => "idle",
            Reason::Replaced => "replaced",
            Reason::Shutdown => "shutdown",
            Reason::Paused => "paused",
            Reason::Rebootstrap => "rebootstrap",
            Reason::Refused => "refused",
            Reason::Disconnected => "disconnected",
            _ => "another",
        };
        self.count("ends of links", name);
    }

    /// A cluster, an epoch or a process went on.
    pub(crate) fn went(&mut self, name: &'static str) {
        self.count("transitions", name);
    }

    /// Epochs, ids, batches that were sent again, and sequences after the wrap, followed others so often.
    pub(crate) fn followed(&mut self, times: [u64; 4]) {
        let names =
            ["next epoch", "another producer id", "sent again by the switch", "sequences wrapped"];
        for (name, times) in names.into_iter().zip(times).filter(|(_, times)| *times > 0) {
            *self.met.entry(("transitions", name)).or_default() += times;
        }
    }

    /// A producer was answered a code that a fault gave.
    pub(crate) fn answered(&mut self, api: Api, when: When, code: i16) {
        let name = APIS.iter().find(|(known, _)| *known == api).map_or("another", |(_, name)| name);
        *self.codes.entry((name, when)).or_default().entry(code).or_default() += 1;
    }

    /// A producer's batch was answered a code.
    pub(crate) fn told(&mut self, code: i16) {
        self.own.insert(code);
    }

    /// Adds that of another run.
    pub(crate) fn add(&mut self, other: &Self) {
        for (key, times) in &other.met {
            *self.met.entry(*key).or_default() += times;
        }
        for (key, codes) in &other.codes {
            let sum = self.codes.entry(*key).or_default();
            for (code, times) in codes {
                *sum.entry(*code).or_default() += times;
            }
        }
        self.own.extend(&other.own);
    }

    /// The codes that can be met for an API then, and whether they were.
    fn codes_of(&self, (api, name): (Api, &'static str), when: When) -> (usize, Vec<i16>) {
        let met = self.codes.get(&(name, when));
        let is_met = |code: &i16| met.is_some_and(|met| met.contains_key(code));
        let can: Vec<i16> = codes().filter(|code| is_true(api, when, *code, -1)).collect();
        let missing: Vec<i16> = can.iter().copied().filter(|code| !is_met(code)).collect();
        (can.len(), missing)
    }

    /// What was never met.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let names =
            GROUPS.iter().flat_map(|(group, names)| names.iter().map(move |n| (*group, *n)));
        let never = names.filter(|key| !self.met.contains_key(key));
        let mut missing: Vec<String> =
            never.map(|(group, name)| format!("{group}: {name}")).collect();
        for api in APIS {
            for when in [When::Before, When::After] {
                let (_, codes) = self.codes_of(api, when);
                let when = if when == When::Before { "before" } else { "after" };
                let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
                if !codes.is_empty() {
                    missing.push(format!("{} answered {when}: {}", api.1, codes.join(" ")));
                }
            }
        }
        missing
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (group, names) in GROUPS {
            writeln!(f, "{group}")?;
            let mut line = String::new();
            for name in names {
                let times = self.met.get(&(group, *name)).copied().unwrap_or(0);
                let cell = format!("{name} {times}");
                if line.len() + cell.len() > 94 {
                    writeln!(f, "  {line}")?;
                    line.clear();
                }
                let gap = if line.is_empty() { "" } else { " | " };
                line = format!("{line}{gap}{cell}");
            }
            writeln!(f, "  {line}\n")?;
        }
        writeln!(f, "codes answered    before the append   after it, or when done")?;
        for api in APIS {
            write!(f, "  {:16}", api.1)?;
            for when in [When::Before, When::After] {
                let (can, missing) = self.codes_of(api, when);
                write!(f, "{:3} of {can:3}          ", can - missing.len())?;
            }
            writeln!(f)?;
        }
        let own: Vec<String> = self.own.iter().map(ToString::to_string).collect();
        writeln!(f, "  Produce, without a fault that sets it: {}", own.join(" "))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_met_is_told() {
        let mut coverage = Coverage::default();
        let all = coverage.missing().len();
        coverage.went("fatal");
        coverage.answered(Api::Metadata, When::Before, 3);
        coverage.outcome(&Outcome::Unknown(Cause::Closed, Doubt::Missing), 1);
        assert_eq!(coverage.missing().len(), all - 4);
        let codes = coverage.missing().into_iter().find(|what| what.starts_with("Metadata"));
        assert!(codes.is_some_and(|what| what.starts_with("Metadata answered before: -1 1 2 4 5")));
        let mut sum = Coverage::default();
        sum.add(&coverage);
        assert_eq!(sum, coverage);
    }

    #[test]
    fn what_is_met_can_be_missed() {
        // A name that is in no group would never be looked for.
        let mut coverage = Coverage::default();
        coverage.outcome(&Outcome::Written { base_offset: 1, append_time: -1 }, 1);
        coverage.outcome(&Outcome::Unknown(Cause::StateLost, Doubt::Unanswered), 0);
        coverage.refused(Refused::TimeUnknown);
        coverage.full(Full::Requests, 1);
        coverage.full_host();
        coverage.link_ended(Reason::Paused);
        for (group, name) in coverage.met.keys() {
            let names = GROUPS.iter().find(|(other, _)| other == group).map_or(&[][..], |g| g.1);
            assert!(names.contains(name), "{group}: {name}");
        }
    }
}
