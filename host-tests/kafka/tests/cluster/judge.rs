//! Whether a log keeps the promises that were made about its records.

use std::collections::BTreeSet;

use anyhow::{Result, bail, ensure};

use crate::ledger::Fate;

/// Reads the log of a partition against what was said.
#[derive(Debug)]
pub(crate) struct Judge<'a> {
    fates: &'a [Fate],
    /// The lowest number that may come.
    next: usize,
    skipped: BTreeSet<usize>,
    count: Count,
}

/// What a log held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) records: u64,
    /// Of these, reported unknown.
    pub(crate) unknown: u64,
}

impl<'a> Judge<'a> {
    /// Everything from number `from` on is judged.
    pub(crate) fn new(fates: &'a [Fate], from: usize) -> Judge<'a> {
        Judge { fates, next: from, skipped: BTreeSet::new(), count: Count::default() }
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
            Some(Fate::Unknown) => self.count.unknown += 1,
        }
        self.count.records += 1;
        self.next = number + 1;
        Ok(())
    }

    /// The log ends, and with it what is judged, before number `until`.
    pub(crate) fn end(mut self, until: usize) -> Result<Count> {
        self.skip(until)?;
        Ok(self.count)
    }

    /// There is no record between the last one and this number.
    fn skip(&mut self, until: usize) -> Result<()> {
        for number in self.next..until.min(self.fates.len()) {
            match self.fates[number] {
                Fate::Written(offset) => {
                    bail!("I1: {number} is missing, which was said to be at {offset:?}")
                }
                Fate::Pending => bail!("I7: nothing was said of {number}"),
                Fate::NotWritten | Fate::Unknown => self.skipped.insert(number),
            };
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
) -> Result<[Count; 2]> {
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

const W: fn(i64) -> Fate = |offset| Fate::Written(Some(offset));

fn judged(fates: &[Fate], log: &[(usize, i64)]) -> String {
    let mut judge = Judge::new(fates, 0);
    let taken = log.iter().try_for_each(|(number, offset)| judge.take(*number, *offset));
    match taken.and_then(|()| judge.end(fates.len())) {
        Ok(count) => format!("{} {}", count.records, count.unknown),
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
    assert_eq!(judged(&[W(0), W(1), W(2)], &[(0, 0), (2, 2)]), "I1");
    assert_eq!(judged(&[W(0), Fate::Written(None)], &[(0, 0)]), "I1");
    assert_eq!(judged(&[W(0), W(1)], &[(0, 0), (1, 2)]), "I1");
    // Twice: at once, or later.
    assert_eq!(judged(&[W(0), W(1)], &[(0, 0), (0, 1)]), "I2");
    assert_eq!(judged(&[W(0), W(1)], &[(0, 0), (1, 1), (0, 2)]), "I2");
    // Out of order, which an unknown one may not be either.
    assert_eq!(judged(&[W(0), Unknown, W(1)], &[(0, 0), (2, 1), (1, 2)]), "I3");
    // Written in spite of what was said.
    assert_eq!(judged(&[W(0), NotWritten], &[(0, 0), (1, 1)]), "I4");
    // Nothing was said, of one that is there or one that is not.
    assert_eq!(judged(&[W(0), Pending], &[(0, 0), (1, 1)]), "I7");
    assert_eq!(judged(&[W(0), Pending], &[(0, 0)]), "I7");
    assert_eq!(judged(&[], &[(0, 0)]), "no");
}

#[test]
fn a_topic_made_again_is_judged_as_two() {
    use Fate::{NotWritten, Unknown};
    let fates = [W(0), W(1), Unknown, W(0), W(1)];
    let counts =
        |old, new| [Count { records: old, unknown: 0 }, Count { records: new, unknown: 0 }];
    let judged = |old: &[_], new: &[_]| two_logs(&fates, old, new).map_err(|e| e.to_string());
    assert_eq!(judged(&[(0, 0), (1, 1)], &[(0, 3), (1, 4)]), Ok(counts(2, 2)));
    let both = judged(&[(0, 0), (1, 1), (2, 3)], &[(0, 3), (1, 4)]);
    assert_eq!(both.map(|[old, _]| old.records), Ok(3));
    // 1 is in neither; 3 is in the old one only.
    assert!(judged(&[(0, 0)], &[(0, 3), (1, 4)]).unwrap_err().starts_with("I1: 1 "));
    assert!(judged(&[(0, 0), (1, 1), (2, 3)], &[(1, 4)]).unwrap_err().starts_with("I1: 3 "));
    assert!(judged(&[(0, 0), (1, 1)], &[]).unwrap_err().starts_with("I1: 3 "));
    // Twice in one of them.
    assert!(judged(&[(0, 0), (1, 1)], &[(0, 3), (1, 4), (2, 3)]).unwrap_err().starts_with("I2"));
    let refused = two_logs(&[W(0), NotWritten, W(0)], &[(0, 0), (1, 1)], &[(0, 2)]);
    assert!(refused.unwrap_err().to_string().starts_with("I4"));
}
