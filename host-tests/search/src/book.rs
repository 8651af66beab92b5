//! What the producer put on the wire, and what it was told of it: R7, I11, I12 (R9) and I21, by the
//! simulator's names. Beyond what the simulator judges, a new epoch needs an outcome of all that may
//! be written (R9 to the letter), and nothing that may be written is ever sent under another.

use arrayvec::ArrayVec;
use ottla::message::ErrorCode;
use ottla_simulator::frames::{Part, is_refusal};

use crate::check::{Checker, Violation};
use crate::setup::PARTITIONS;
use crate::world::copy;

/// Batches of a partition that may be without an answer at a time.
const OPEN_MAX: u32 = 5;
const ACKS_ALL: i16 = -1;

/// A batch under a sequence, and how its attempts ended.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Sent {
    base: i32,
    count: u8,
    first: u8,
    hash: u64,
    /// Attempts on links that live, without an answer.
    open: u8,
    /// An attempt ended without a proof that it was refused.
    maybe: bool,
    written: bool,
    /// Its last attempt was answered for good, by 45 for instance: nothing more will be known of it. R8.
    denied: bool,
}

/// A partition.
#[derive(Default, PartialEq, Eq, Hash, Debug)]
struct Lane {
    identity: Option<(i64, i16)>,
    /// Where sequences began under this identity; all others are told from there, so that none
    /// wraps.
    origin: i32,
    next: i32,
    /// Those under this identity, in the order of their sequences.
    sent: ArrayVec<Sent, 8>,
    /// Records that may be written under an older identity.
    doubtful: u8,
    /// A success under this identity was told, and no error since.
    proven: bool,
}

/// All that was sent.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Book {
    lanes: [Lane; PARTITIONS],
}

impl Clone for Lane {
    fn clone(&self) -> Self {
        Self { sent: copy(&self.sent), ..*self }
    }
}

impl Sent {
    /// The bits of its records.
    fn records(&self) -> u8 {
        records(self.first, self.count)
    }

    const fn overlaps(&self, base: i32, count: i32) -> bool {
        self.base < base.saturating_add(count) && base < self.base.saturating_add(self.count as i32)
    }

    const fn is_open(&self) -> bool {
        self.open > 0 || self.maybe || self.written
    }
}

pub(crate) fn records(first: u8, count: u8) -> u8 {
    (first..first.saturating_add(count))
        .fold(0, |bits, record| bits | 1_u8.checked_shl(u32::from(record)).unwrap_or(0))
}

impl Book {
    /// A book in which the sequences of each partition begin here.
    #[must_use]
    pub fn new(first: i32) -> Self {
        let mut book = Self::default();
        book.lanes.iter_mut().for_each(|lane| lane.origin = first);
        book
    }

    /// A batch was sent. `decided`: bits of the records with an outcome, told or not.
    ///
    /// # Errors
    /// What the producer must not do.
    pub fn sent(&mut self, part: &Part, decided: u8) -> Result<(), Violation> {
        let lane = self.lane(part);
        let Some(lane) = lane else {
            return Err(Checker::I11.broken(format!("partition {} does not exist", part.partition)));
        };
        let count = part.count as u8;
        let first = part.first as u8;
        if part.identity.0 < 0 || part.identity.1 < 0 {
            let (id, epoch) = part.identity;
            let what =
                format!("a batch is sent under id {id} and epoch {epoch}, and none can tell it");
            return Err(Checker::I21.broken(what));
        }
        if lane.identity != Some(part.identity) {
            lane.adopt(part.identity, decided)?;
        }
        if part.base < 0 {
            return Err(Checker::I11.broken(format!("the sequence {}", part.base)));
        }
        let base = lane.place(part.base);
        let bits = records(first, count);
        if lane.doubtful & bits != 0 {
            let what = format!(
                "record {first} may be written under an older epoch, and goes under another"
            );
            return Err(Checker::I21.broken(what));
        }
        let known = lane.sent.iter().position(|s| (s.base, s.hash) == (base, part.hash));
        let beside = lane.sent.iter().any(|s| s.open > 0);
        // Below the next sequence it was sent before, alone or as part of what was too large.
        let is_new = base >= lane.next;
        let unresolved = lane.sent.iter().any(|s| !s.written && s.records() & !decided != 0);
        match known {
            Some(at) => lane.sent[at].open += 1,
            None => lane.add(base, part, first, count)?,
        }
        if !lane.proven && (beside || is_new && unresolved) {
            let what = format!("sequence {base} goes beside another, and nothing is proven");
            return Err(Checker::R7.broken(what));
        }
        let open: u32 = lane.sent.iter().map(|s| u32::from(s.open)).sum();
        if open > OPEN_MAX {
            return Err(Checker::I11.broken(format!("{open} attempts without an answer")));
        }
        Ok(())
    }

    /// An attempt was answered; without a code the answer left it out.
    pub fn answered(&mut self, part: &Part, code: Option<i16>) {
        let Some(lane) = self.lane(part) else { return };
        if lane.identity != Some(part.identity) {
            return;
        }
        let written = matches!(code, Some(0 | 46));
        lane.proven = written;
        let base = lane.place(part.base);
        let found = lane.sent.iter_mut().find(|s| (s.base, s.hash) == (base, part.hash));
        let Some(sent) = found else { return };
        sent.open = sent.open.saturating_sub(1);
        sent.denied = code.is_some_and(|code| !ErrorCode(code).is_retriable());
        sent.written |= written;
        sent.maybe |= !written && !code.is_some_and(|code| is_refusal(code, ACKS_ALL));
    }

    /// The link of an attempt ended without an answer.
    pub fn ended(&mut self, part: &Part) {
        self.answered(part, None);
    }

    fn lane(&mut self, part: &Part) -> Option<&mut Lane> {
        self.lanes.get_mut(usize::try_from(part.partition).ok()?)
    }
}

impl Lane {
    /// How far a sequence is from the first.
    const fn place(&self, sequence: i32) -> i32 {
        sequence.wrapping_sub(self.origin) & i32::MAX
    }

    /// I12: a partition takes up an identity, by R9.
    fn adopt(&mut self, identity: (i64, i16), decided: u8) -> Result<(), Violation> {
        let mut origin = self.origin;
        if let Some((id, epoch)) = self.identity {
            origin = 0;
            if id == identity.0 && identity.1 < epoch {
                return Err(Checker::I12.broken(format!("epoch {} after {epoch}", identity.1)));
            }
            for sent in &self.sent {
                let base = sent.base;
                if sent.open > 0 {
                    let what = format!("{base} of epoch {epoch} is unanswered, and another began");
                    return Err(Checker::I12.broken(what));
                }
                if sent.maybe && !sent.written {
                    // What was denied is decided, and told in its turn. R8.
                    if sent.records() & !decided != 0 && !sent.denied {
                        let what = format!(
                            "{base} of epoch {epoch} may be written and has no outcome, and another began"
                        );
                        return Err(Checker::I12.broken(what));
                    }
                    self.doubtful |= sent.records();
                }
            }
        }
        let doubtful = self.doubtful;
        *self = Self { identity: Some(identity), origin, doubtful, ..Self::default() };
        Ok(())
    }

    /// I11: a batch is sent under its sequence for the first time.
    fn add(&mut self, base: i32, part: &Part, first: u8, count: u8) -> Result<(), Violation> {
        let end = base.saturating_add(part.count);
        let overlaps = |s: &Sent| s.overlaps(base, part.count);
        if let Some(other) = self.sent.iter().find(|s| overlaps(s) && s.is_open()) {
            let what = format!("{base} to {end} has other bytes than {} had", other.base);
            return Err(Checker::I11.broken(what));
        }
        if base > self.next {
            return Err(Checker::I11.broken(format!("sequence {base} where {} is next", self.next)));
        }
        // What was refused may be divided, and go in other batches.
        self.sent.retain(|s| !overlaps(s));
        self.next = self.next.max(end);
        let at = self.sent.iter().take_while(|s| s.base < base).count();
        let sent = Sent {
            base,
            count,
            first,
            hash: part.hash,
            open: 1,
            maybe: false,
            written: false,
            denied: false,
        };
        self.sent.insert(at, sent);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(epoch: i16, base: i32, record: u32, hash: u64) -> Part {
        Part {
            topic: b"t".to_vec(),
            partition: 0,
            identity: (7, epoch),
            base,
            count: 1,
            hash,
            first: record,
        }
    }

    /// A book in which the first batch was sent and answered this.
    fn answered(code: Option<i16>) -> (Book, Part) {
        let mut book = Book::new(0);
        let first = batch(0, 0, 0, 1);
        assert_eq!(book.sent(&first, 0), Ok(()));
        book.answered(&first, code);
        (book, first)
    }

    fn broken(result: Result<(), Violation>) -> Option<Checker> {
        result.err().map(|violation| violation.checker)
    }

    #[test]
    fn batches_go_side_by_side_after_a_success_only() {
        let (mut book, _) = answered(Some(0));
        let others = [batch(0, 1, 1, 2), batch(0, 2, 2, 3)];
        assert!(others.iter().all(|part| book.sent(part, 1).is_ok()));

        let mut book = Book::new(0);
        assert_eq!(book.sent(&batch(0, 0, 0, 1), 0), Ok(()));
        assert_eq!(broken(book.sent(&others[0], 0)), Some(Checker::R7), "no success yet");

        // After an error even what was refused is in the way until it has its outcome.
        for code in [Some(2), Some(7), None] {
            let (mut book, first) = answered(code);
            assert_eq!(broken(book.clone().sent(&others[0], 0)), Some(Checker::R7));
            assert_eq!(book.sent(&others[0], 1), Ok(()), "the first is decided");
            let (mut book, _) = answered(code);
            assert_eq!(book.sent(&first, 0), Ok(()), "the same again");
        }
    }

    #[test]
    fn the_same_sequence_has_the_same_bytes_unless_all_of_it_was_refused() {
        let other = batch(0, 0, 0, 9);
        assert_eq!(answered(Some(2)).0.sent(&other, 0), Ok(()));
        for code in [Some(0), Some(6), Some(7), None] {
            assert_eq!(broken(answered(code).0.sent(&other, 1)), Some(Checker::I11), "{code:?}");
        }
    }

    #[test]
    fn sequences_have_no_gap_and_wrap() {
        let (mut book, _) = answered(Some(0));
        assert_eq!(broken(book.sent(&batch(0, 2, 2, 3), 1)), Some(Checker::I11));
        assert_eq!(broken(book.sent(&batch(0, -1, 2, 3), 1)), Some(Checker::I11));

        let mut book = Book::new(i32::MAX);
        let last = batch(0, i32::MAX, 0, 1);
        assert_eq!(book.sent(&last, 0), Ok(()));
        book.answered(&last, Some(0));
        assert_eq!(broken(book.clone().sent(&batch(0, 1, 1, 2), 1)), Some(Checker::I11));
        assert_eq!(book.sent(&batch(0, 0, 1, 2), 1), Ok(()));
    }

    #[test]
    fn a_batch_without_an_identity_is_found() {
        for identity in [(-1, -1), (-1, 0), (7, -1)] {
            let part = Part { identity, ..batch(0, 0, 0, 1) };
            assert_eq!(broken(Book::new(0).sent(&part, 0)), Some(Checker::I21), "{identity:?}");
        }
    }

    #[test]
    fn a_sixth_batch_is_found() {
        let (mut book, _) = answered(Some(0));
        for number in 1..=5 {
            assert_eq!(book.sent(&batch(0, number, 1, 1 + number as u64), 1), Ok(()));
        }
        assert_eq!(broken(book.sent(&batch(0, 6, 1, 8), 1)), Some(Checker::I11));
    }

    #[test]
    fn r09_an_epoch_begins_when_nothing_of_the_one_before_is_open() {
        let next = batch(1, 0, 1, 2);
        assert_eq!(answered(Some(0)).0.sent(&next, 1), Ok(()));
        assert_eq!(answered(Some(45)).0.sent(&next, 1), Ok(()));
        let mut open = Book::new(0);
        assert_eq!(open.sent(&batch(0, 0, 0, 1), 0), Ok(()));
        assert_eq!(broken(open.sent(&next, 1)), Some(Checker::I12), "it is unanswered");

        let (mut book, _) = answered(Some(7));
        assert_eq!(broken(book.clone().sent(&next, 0)), Some(Checker::I12), "no outcome");
        let (mut asked, first) = (book.clone(), batch(0, 0, 0, 1));
        assert_eq!(asked.sent(&first, 0), Ok(()));
        asked.answered(&first, Some(45));
        assert_eq!(asked.sent(&next, 0), Ok(()), "it was asked for, and is not there");
        assert_eq!(broken(asked.sent(&batch(1, 1, 0, 1), 0)), Some(Checker::I21), "sent again");
        assert_eq!(book.sent(&next, 1), Ok(()), "reported unknown");
        book.answered(&next, Some(0));
        let again = batch(1, 1, 0, 1);
        assert_eq!(broken(book.clone().sent(&again, 1)), Some(Checker::I21), "written twice?");
        assert_eq!(broken(book.sent(&batch(0, 1, 2, 5), 1)), Some(Checker::I12), "epoch back");
    }
}
