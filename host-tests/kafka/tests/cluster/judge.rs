//! Whether a log keeps the promises that were made about its records.

use std::collections::BTreeSet;
use std::ops::AddAssign;
use std::time::Duration;

use anyhow::{Result, bail, ensure};

use crate::ledger::{Count, Fate};

/// Reads the log of a partition against what was said.
#[derive(Debug)]
pub(crate) struct Judge<'a> {
    fates: &'a [Fate],
    /// The lowest number that may come.
    next: usize,
    /// Numbers that others came in the place of.
    skipped: BTreeSet<usize>,
    /// Where the log goes on.
    offset: i64,
    held: Held,
}

/// What a log held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) records: u64,
    /// Of these, reported unknown.
    pub(crate) unknown: u64,
}

impl AddAssign for Held {
    fn add_assign(&mut self, other: Held) {
        self.records += other.records;
        self.unknown += other.unknown;
    }
}

impl<'a> Judge<'a> {
    /// Everything from number `from` on is judged.
    pub(crate) fn new(fates: &'a [Fate], from: usize) -> Judge<'a> {
        Judge { fates, next: from, skipped: BTreeSet::new(), offset: 0, held: Held::default() }
    }

    /// The log goes on with this record.
    pub(crate) fn take(&mut self, number: usize, offset: i64) -> Result<()> {
        if number < self.next {
            let again = !self.skipped.contains(&number);
            ensure!(!again, "I2: {number} is there twice, again at {offset}");
            bail!("I3: {number} comes after {}, at {offset}", self.next - 1);
        }
        self.skip(number)?;
        match self.fates.get(number) {
            None => bail!("nobody sent {number}, at {offset}"),
            Some(Fate::NotWritten) => bail!("I4: {number} was not written, and is at {offset}"),
            Some(Fate::Pending) => bail!("I7: nothing was said of {number}"),
            Some(Fate::Written(Some(told))) => {
                ensure!(*told == offset, "I1: {number} was said to be at {told}, is at {offset}");
            }
            Some(Fate::Written(None)) => {}
            Some(Fate::Unknown) => self.held.unknown += 1,
        }
        // Nothing but records is in these logs, so a reader who leaves one out is found.
        ensure!(offset == self.offset, "unread: {} to {offset}, where {number} is", self.offset);
        self.offset += 1;
        self.held.records += 1;
        self.next = number + 1;
        Ok(())
    }

    /// The log ends, and with it what is judged, before number `until`.
    pub(crate) fn end(mut self, until: usize) -> Result<Held> {
        self.skip(until)?;
        for number in self.skipped {
            if let Fate::Written(offset) = self.fates[number] {
                bail!("I1: {number} is missing, which was said to be at {offset:?}");
            }
        }
        Ok(self.held)
    }

    /// There is no record between the last one and this number. One that was written may still come,
    /// out of order.
    fn skip(&mut self, until: usize) -> Result<()> {
        for number in self.next..until.min(self.fates.len()) {
            ensure!(self.fates[number] != Fate::Pending, "I7: nothing was said of {number}");
            self.skipped.insert(number);
        }
        Ok(())
    }
}

/// Judges the two logs of a partition whose topic was deleted and made again, each by itself:
/// numbers by offset.
pub(crate) fn two_logs(
    fates: &[Fate],
    old: &[(i64, usize)],
    new: &[(i64, usize)],
) -> Result<[Held; 2]> {
    let begins = new.iter().map(|(_, number)| *number).min().unwrap_or(fates.len());
    let ends = old.iter().map(|(_, number)| number + 1).max().unwrap_or(0);
    // A record that was lost with the old topic's answer may be in both. What was said is about the
    // new one then.
    let about_old: Vec<Fate> = fates
        .iter()
        .enumerate()
        .map(|(number, fate)| match fate {
            Fate::Written(_) if number >= begins => Fate::Unknown,
            fate => *fate,
        })
        .collect();
    let mut judge = Judge::new(&about_old, 0);
    for (offset, number) in old {
        judge.take(*number, *offset)?;
    }
    // What was told between the one's last record and the other's first is in neither.
    let old = judge.end(begins.max(ends))?;
    let mut judge = Judge::new(fates, begins);
    for (offset, number) in new {
        judge.take(*number, *offset)?;
    }
    Ok([old, judge.end(fates.len())?])
}

/// Judges the outcomes of all records of a producer: `counted` is what it says itself, `slowest` the
/// longest time to one.
pub(crate) fn outcomes(
    seen: Count,
    counted: Count,
    slowest: Duration,
    limit: Duration,
) -> Result<()> {
    ensure!(seen.pending == 0, "I7: {} records have no outcome", seen.pending);
    // That a record had two outcomes, or another than its delivery told, is seen here alone.
    let kinds = |count: Count| [count.written, count.not_written, count.unknown];
    ensure!(kinds(seen) == kinds(counted), "I7: {seen:?}, and by the counters {counted:?}");
    ensure!(slowest <= limit, "I8: an outcome took {slowest:?}");
    Ok(())
}

const W: fn(i64) -> Fate = |offset| Fate::Written(Some(offset));

fn judged(fates: &[Fate], log: &[(usize, i64)]) -> String {
    let mut judge = Judge::new(fates, 0);
    let taken = log.iter().try_for_each(|(number, offset)| judge.take(*number, *offset));
    match taken.and_then(|()| judge.end(fates.len())) {
        Ok(held) => format!("{} {}", held.records, held.unknown),
        Err(error) => error.to_string().chars().take(2).collect(),
    }
}

#[test]
fn every_broken_promise_is_found() {
    use Fate::{NotWritten, Pending, Unknown};
    // Kept ones.
    assert_eq!(judged(&[W(0), NotWritten, W(1)], &[(0, 0), (2, 1)]), "2 0");
    assert_eq!(judged(&[W(0), Unknown, W(1)], &[(0, 0), (2, 1)]), "2 0");
    assert_eq!(judged(&[W(0), Unknown, W(2)], &[(0, 0), (1, 1), (2, 2)]), "3 1");
    assert_eq!(judged(&[Fate::Written(None), W(1)], &[(0, 0), (1, 1)]), "2 0");
    // Lost: in the middle, at the end, or somewhere else than told.
    assert_eq!(judged(&[W(0), Fate::Written(None), W(1)], &[(0, 0), (2, 1)]), "I1");
    assert_eq!(judged(&[W(0), Fate::Written(None)], &[(0, 0)]), "I1");
    assert_eq!(judged(&[W(0), W(1)], &[(0, 0), (1, 2)]), "I1");
    // Twice: at once, or later.
    assert_eq!(judged(&[W(0), W(1)], &[(0, 0), (0, 1)]), "I2");
    assert_eq!(judged(&[W(0), W(1)], &[(0, 0), (1, 1), (0, 2)]), "I2");
    // Out of order: two swapped, also where no offset or the true one was told, and an unknown one,
    // which may not be either.
    assert_eq!(judged(&[Fate::Written(None); 2], &[(1, 0), (0, 1)]), "I3");
    assert_eq!(judged(&[W(1), W(0)], &[(1, 0), (0, 1)]), "I3");
    assert_eq!(judged(&[W(0), Unknown, W(1)], &[(0, 0), (2, 1), (1, 2)]), "I3");
    // Written in spite of what was said.
    assert_eq!(judged(&[W(0), NotWritten], &[(0, 0), (1, 1)]), "I4");
    // Nothing was said, of one that is there or one that is not.
    assert_eq!(judged(&[W(0), Pending], &[(0, 0), (1, 1)]), "I7");
    assert_eq!(judged(&[W(0), Pending], &[(0, 0)]), "I7");
    assert_eq!(judged(&[], &[(0, 0)]), "no");
    // What is between two records was not read.
    assert_eq!(judged(&[W(0), Fate::Written(None)], &[(0, 0), (1, 2)]), "un");
}

#[test]
fn a_topic_made_again_is_judged_as_two() {
    use Fate::{NotWritten, Unknown};
    let fates = [W(0), W(1), Unknown, W(0), W(1)];
    let counts = |old, new| [Held { records: old, unknown: 0 }, Held { records: new, unknown: 0 }];
    let judged = |old: &[_], new: &[_]| two_logs(&fates, old, new).map_err(|e| e.to_string());
    assert_eq!(judged(&[(0, 0), (1, 1)], &[(0, 3), (1, 4)]), Ok(counts(2, 2)));
    let both = judged(&[(0, 0), (1, 1), (2, 2), (3, 3)], &[(0, 3), (1, 4)]);
    assert_eq!(both.map(|[old, _]| old.records), Ok(4));
    // 1 is in neither; 3 is in the old one only.
    assert!(judged(&[(0, 0)], &[(0, 3), (1, 4)]).unwrap_err().starts_with("I1: 1 "));
    assert!(
        judged(&[(0, 0), (1, 1), (2, 2), (3, 3)], &[(1, 4)]).unwrap_err().starts_with("I1: 3 ")
    );
    assert!(judged(&[(0, 0), (1, 1)], &[]).unwrap_err().starts_with("I1: 3 "));
    // Twice in one of them.
    assert!(judged(&[(0, 0), (1, 1)], &[(0, 3), (1, 4), (2, 3)]).unwrap_err().starts_with("I2"));
    let refused = two_logs(&[W(0), NotWritten, W(0)], &[(0, 0), (1, 1)], &[(0, 2)]);
    assert!(refused.unwrap_err().to_string().starts_with("I4"));
}

#[test]
fn outcomes_that_are_missing_late_or_one_too_many_are_found() {
    let count = |pending, written, not_written, unknown| Count {
        accepted: pending + written + not_written + unknown,
        pending,
        written,
        somewhere: 0,
        not_written,
        unknown,
    };
    let limit = Duration::from_secs(3);
    let judged = |seen, counted, slowest| {
        let judged = outcomes(seen, counted, Duration::from_millis(slowest), limit);
        judged.map_err(|error| error.to_string()[..2].to_owned())
    };
    let all = count(0, 5, 2, 1);
    assert_eq!(judged(all, all, 3_000), Ok(()));
    assert_eq!(judged(all, all, 3_001), Err("I8".into()));
    assert_eq!(judged(count(1, 5, 2, 1), all, 0), Err("I7".into()));
    for counted in [count(0, 6, 2, 1), count(0, 4, 2, 1), count(0, 5, 1, 2), count(0, 6, 1, 1)] {
        assert_eq!(judged(all, counted, 0), Err("I7".into()));
    }
}
