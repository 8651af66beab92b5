//! What the client promises, by the names that a report gives.

use std::fmt;
use std::str::FromStr;

/// A promise; each has its checker.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Promise {
    /// Written means in the committed log, where it was said to be.
    I1,
    /// No record is in a log twice.
    I2,
    /// Records are in a log in the order in which they were accepted.
    I3,
    /// Not written means never in a log.
    I4,
    /// Exactly one outcome for each accepted record.
    I7,
    /// An outcome in time; after healing, success in time; no work without a timer.
    I8,
    /// Memory within its bound.
    I9,
    /// No panic, and nothing on the wire that a broker cannot read.
    I10,
    /// The same sequence has the same bytes; sequences go on without a gap; at most five at once.
    I11,
    /// A partition takes up an epoch only when nothing of the one before is open.
    I12,
    /// After a fatal answer nothing is sent.
    I17,
    /// The same seed gives the same trace.
    I18,
    /// What is dropped half way was never begun.
    I19,
    /// Nothing to do: no bytes, and no timer but that of the idle close.
    I20,
    /// Exactly once is never claimed outside its bound.
    I21,
}

impl Promise {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::I1,
        Self::I2,
        Self::I3,
        Self::I4,
        Self::I7,
        Self::I8,
        Self::I9,
        Self::I10,
        Self::I11,
        Self::I12,
        Self::I17,
        Self::I18,
        Self::I19,
        Self::I20,
        Self::I21,
    ];

    /// What its checker is called.
    #[must_use]
    pub const fn checker(self) -> &'static str {
        match self {
            Self::I1 => "I1 written is committed",
            Self::I2 => "I2 nothing twice",
            Self::I3 => "I3 in order",
            Self::I4 => "I4 not written is nowhere",
            Self::I7 => "I7 one outcome",
            Self::I8 => "I8 in time",
            Self::I9 => "I9 bounded memory",
            Self::I10 => "I10 no panic, no bad bytes",
            Self::I11 => "I11 same sequence, same bytes",
            Self::I12 => "I12 epochs",
            Self::I17 => "I17 fatal stays fatal",
            Self::I18 => "I18 the same again",
            Self::I19 => "I19 dropped is not begun",
            Self::I20 => "I20 idle is silent",
            Self::I21 => "I21 no claim beyond the bound",
        }
    }
}

/// Whether a promise is among those that are judged: all, if none is named.
pub(crate) fn is_judged(promise: Promise, judged: &[Promise]) -> bool {
    judged.is_empty() || judged.contains(&promise)
}

impl FromStr for Promise {
    type Err = String;

    /// By its number, as `I3`.
    fn from_str(number: &str) -> Result<Self, String> {
        let is_it = |promise: &&Self| promise.checker().split(' ').next() == Some(number);
        Self::ALL
            .iter()
            .find(is_it)
            .copied()
            .ok_or_else(|| format!("no promise {number} is judged"))
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.checker())
    }
}

/// A promise that was broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which.
    pub promise: Promise,
    /// When it was seen, in microseconds.
    pub at: u64,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.at / 1_000_000;
        write!(f, "{} is broken at {seconds} s: {}", self.promise, self.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promises_are_known_by_their_numbers() {
        assert_eq!(("I1".parse(), "I11".parse()), (Ok(Promise::I1), Ok(Promise::I11)));
        for none in ["", "I", "I5", "i1"] {
            assert_eq!(none.parse::<Promise>(), Err(format!("no promise {none} is judged")));
        }
    }
}
