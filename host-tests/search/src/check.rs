//! The promises, as checkers over logs, wire bytes and what the application was told.

use std::fmt;

use ottla_simulator::Promise;
use ottla_simulator::frames::Part;

use crate::book::records;
use crate::client::Told;
use crate::fault::Fault;
use crate::setup::Setup;

/// What is checked.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Checker {
    /// A promise, by the simulator's name.
    Promise(Promise),
    /// R7: a window of one until a success.
    R7,
}

impl Checker {
    /// Written means in the log.
    pub const I1: Self = Self::Promise(Promise::I1);
    /// Nothing twice.
    pub const I2: Self = Self::Promise(Promise::I2);
    /// In order.
    pub const I3: Self = Self::Promise(Promise::I3);
    /// Not written means nowhere.
    pub const I4: Self = Self::Promise(Promise::I4);
    /// One outcome.
    pub const I7: Self = Self::Promise(Promise::I7);
    /// In time, and no work without a deadline.
    pub const I8: Self = Self::Promise(Promise::I8);
    /// Bounded memory: none of it is lost.
    pub const I9: Self = Self::Promise(Promise::I9);
    /// No panic, no bad bytes.
    pub const I10: Self = Self::Promise(Promise::I10);
    /// The same sequence has the same bytes.
    pub const I11: Self = Self::Promise(Promise::I11);
    /// A partition takes up an epoch only when nothing of the one before is open, as R9 has it.
    pub const I12: Self = Self::Promise(Promise::I12);
    /// Fatal stays fatal.
    pub const I17: Self = Self::Promise(Promise::I17);
    /// The same calls, the same outputs.
    pub const I18: Self = Self::Promise(Promise::I18);
    /// A write that was dropped was never begun.
    pub const I19: Self = Self::Promise(Promise::I19);
    /// Nothing to do: nothing stirs.
    pub const I20: Self = Self::Promise(Promise::I20);
    /// Nothing is sent that may be written already.
    pub const I21: Self = Self::Promise(Promise::I21);

    pub(crate) fn broken(self, what: impl Into<String>) -> Violation {
        Violation { checker: self, what: what.into() }
    }
}

impl fmt::Display for Checker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Promise(promise) => f.pad(promise.checker()),
            Self::R7 => f.pad("R7 window of one until proven"),
        }
    }
}

/// A promise that was broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which.
    pub checker: Checker,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is broken: {}", self.checker, self.what)
    }
}

/// Whether a promise does not hold after these faults.
#[must_use]
pub fn is_suspended(promise: Promise, came: &[Fault]) -> bool {
    came.iter().any(|fault| fault.simulated().suspends().contains(&promise))
}

/// I1 to I4: a partition's log, and what was told of its records. `forgotten`: the broker lost what
/// it knew of the producer, and only I4 holds.
///
/// # Errors
/// What was broken.
pub fn log(
    setup: &Setup,
    partition: u8,
    log: &[u8],
    told: &[Told],
    forgotten: bool,
) -> Result<(), Violation> {
    let own = setup.record(partition, 0)..setup.record(partition, setup.per_partition());
    if let Some(record) = log.iter().find(|record| !own.contains(record)) {
        let what = format!("record {record} was not sent to partition {partition}");
        return Err(Checker::I4.broken(what));
    }
    for place in 0..setup.per_partition() {
        let record = setup.record(partition, place);
        let is_there = log.contains(&record);
        match told[usize::from(record)] {
            Told::NotWritten if is_there => {
                let what = format!("record {record} was told not written, and is in the log");
                return Err(Checker::I4.broken(what));
            }
            Told::Written(offset) if !forgotten => {
                let at = usize::try_from(offset).ok();
                if !is_there || at.is_some_and(|at| log.get(at) != Some(&record)) {
                    let what = match at {
                        Some(at) => format!("record {record} was told written at {at}, and is not"),
                        None => format!("record {record} was told written, and is not"),
                    };
                    return Err(Checker::I1.broken(what));
                }
            }
            _ => {}
        }
    }
    if forgotten {
        return Ok(());
    }
    for pair in log.windows(2) {
        let (first, second) = (pair[0], pair[1]);
        if log.iter().filter(|record| **record == second).count() > 1 {
            return Err(Checker::I2.broken(format!("record {second} is in the log twice")));
        }
        if second <= first {
            return Err(Checker::I3.broken(format!("record {second} stands behind {first}")));
        }
    }
    Ok(())
}

/// I21: what is written for sure, or for sure not, is sent no more. `certain`: bits of records of
/// which the producer knows that, told or not.
///
/// # Errors
/// What was broken.
pub fn anew(part: &Part, certain: u8, told: &[Told]) -> Result<(), Violation> {
    let records = records(part.first as u8, part.count as u8);
    let is_final = |told: &Told| matches!(told, Told::Written(_) | Told::NotWritten);
    for (record, told) in told.iter().enumerate().filter(|(record, _)| records & 1 << record != 0) {
        if is_final(told) || certain & 1 << record != 0 {
            let what = format!("record {record} has its outcome for good, and is sent again");
            return Err(Checker::I21.broken(what));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::RECORDS;

    const NOTHING: Told = Told::Nothing;

    /// What is broken where three records were told this, and this is in the log.
    fn broken(entries: &[u8], told: [Told; 3], forgotten: bool) -> Option<Checker> {
        let result = log(&Setup::new(1, 3), 0, entries, &told, forgotten);
        result.err().map(|violation| violation.checker)
    }

    #[test]
    fn what_was_told_is_looked_up_in_the_log() {
        let told = [Told::Written(0), Told::Unknown, Told::Written(1)];
        assert_eq!(broken(&[0, 2], told, false), None);
        assert_eq!(broken(&[0, 1, 2], told, false), Some(Checker::I1), "it stands elsewhere");
        assert_eq!(broken(&[0], told, false), Some(Checker::I1), "it is not there");
        let told = [Told::Written(-1), Told::Nothing, Told::NotWritten];
        assert_eq!(broken(&[0, 1], told, false), None);
        assert_eq!(broken(&[1], told, false), Some(Checker::I1));
        assert_eq!(broken(&[0, 2], told, false), Some(Checker::I4));
    }

    #[test]
    fn repeats_and_disorder_are_found_before_anything_is_told() {
        let told = [NOTHING; 3];
        assert_eq!(broken(&[0, 1, 2], told, false), None);
        assert_eq!(broken(&[0, 1, 0], told, false), Some(Checker::I2));
        assert_eq!(broken(&[1, 0], told, false), Some(Checker::I3));
    }

    #[test]
    fn what_belongs_elsewhere_is_found() {
        let result = |partition, entries: &[u8]| {
            let told = [NOTHING; RECORDS];
            let result = log(&Setup::new(2, 2), partition, entries, &told, true);
            result.err().map(|violation| violation.checker)
        };
        assert_eq!((result(0, &[0, 1]), result(1, &[2, 3])), (None, None));
        assert_eq!(result(0, &[0, 2]), Some(Checker::I4));
        assert_eq!(result(1, &[1]), Some(Checker::I4));
    }

    #[test]
    fn an_expiry_suspends_all_but_what_was_not_written() {
        let told = [Told::Written(1), NOTHING, Told::NotWritten];
        assert_eq!(broken(&[1, 1, 0, 0], told, true), None);
        assert_eq!(broken(&[2], told, true), Some(Checker::I4));
        for fault in Fault::ALL {
            for promise in [Promise::I1, Promise::I2, Promise::I3, Promise::I4] {
                let expected = fault == Fault::Expiry && promise != Promise::I4;
                assert_eq!(is_suspended(promise, &[fault]), expected, "{fault} {promise}");
            }
        }
    }
}
