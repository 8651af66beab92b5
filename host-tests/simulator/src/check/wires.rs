//! I11, I12, I17 and I21: what producers put on the wire.

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::{Entry, Fate, Ledger};
use crate::look::{Look, Looks};
use crate::promise::Promise;

/// Batches of a partition that may be without an answer at a time.
const OPEN_MAX: usize = 5;

/// Further than this from where its sequences begin is nobody in a run.
const NEAR: i32 = 1 << 20;

/// A partition of a topic, as a producer sees it.
pub(crate) type Place = (u32, u32, i32);

/// A batch on the wire.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) place: Place,
    pub(crate) identity: (i64, i16),
    pub(crate) base: i32,
    pub(crate) count: i32,
    /// Hash of all its bytes.
    pub(crate) hash: u64,
    /// The number of its first record.
    pub(crate) first: u32,
}

/// What had been told when a frame was first lent, and with that begun.
#[derive(Copy, Clone, Default, Debug)]
pub(crate) struct Begun {
    /// Outcomes.
    pub(crate) told: u64,
    /// A fatal answer.
    pub(crate) fatal: bool,
}

/// How an attempt ended, as its producer was told.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    Written,
    /// By a code that brokers only give before the append.
    Refused,
    Unknown,
}

/// A batch, and what is known of its attempts.
#[derive(Copy, Clone, Debug)]
struct Sent {
    hash: u64,
    count: i32,
    first: u32,
    open: u32,
    maybe: bool,
    written: bool,
}

#[derive(Clone, Default, Debug)]
struct Lane {
    identity: Option<(i64, i16)>,
    /// Where its sequences begin; those below are counted from there, so that they never wrap.
    begin: i32,
    next: i32,
    sent: BTreeMap<i32, Sent>,
    /// First records of batches that may be in the log under an older epoch. Their outcome is
    /// decided, and told in its turn: they must not be sent again, unless the application prefers
    /// that (R8).
    given_up: BTreeSet<u32>,
    /// Requests that broke off: each may have had a batch that nobody saw, and that has a sequence.
    torn: u32,
}

/// Everything that was sent.
#[derive(Clone, Default, Debug)]
pub(crate) struct Book {
    lanes: BTreeMap<Place, Lane>,
    fatal: BTreeSet<u32>,
    pub(crate) looks: Looks,
    /// Epochs, ids, batches that were sent again by the switch of R8, and sequences after the wrap, that
    /// followed others.
    pub(crate) followed: [u64; 4],
    broken: Option<(Promise, String)>,
}

impl Book {
    /// What was broken first.
    pub(crate) fn broken(&mut self) -> Option<(Promise, String)> {
        self.broken.take()
    }

    fn blame(&mut self, promise: Promise, what: String) {
        self.broken.get_or_insert((promise, what));
    }

    /// A producer was answered a fatal code, or says so.
    pub(crate) fn fatal(&mut self, producer: u32) {
        self.fatal.insert(producer);
    }

    /// I17: whether a producer was answered what it has to tell its application.
    pub(crate) fn is_fatal(&self, producer: u32) -> bool {
        self.fatal.contains(&producer)
    }

    /// What a producer was told that lends a frame now.
    pub(crate) fn begun(&self, producer: u32, ledger: &Ledger) -> Begun {
        Begun { told: ledger.told, fatal: self.is_fatal(producer) }
    }

    /// I17: a producer sends a Produce request, or the first of it.
    pub(crate) fn begins(&mut self, producer: u32, begun: Begun) {
        self.looks.count(Look::Begin, 1);
        if begun.fatal {
            self.blame(Promise::I17, format!("producer {producer} sends after a fatal answer"));
        }
    }

    /// A producer's frame was cut: what was in it is not known. A request has one batch of a partition.
    pub(crate) fn torn(&mut self, producer: u32) {
        let lanes = self.lanes.iter_mut().filter(|(place, _)| place.0 == producer);
        lanes.for_each(|(_, lane)| lane.torn += 1);
    }

    /// I21: a batch names a producer id if, and only if, its producer is idempotent.
    pub(crate) fn claimed(&mut self, producer: u32, id: i64, ledger: &Ledger) {
        let idempotent = ledger.processes[producer as usize].idempotent;
        if idempotent != (id >= 0) {
            let not = if idempotent { "" } else { "not " };
            let what = format!("producer {producer} is {not}idempotent, and sends under id {id}");
            self.blame(Promise::I21, what);
        }
    }

    /// I21: what had its outcome for good when a frame was begun is not in it.
    pub(crate) fn anew(&mut self, seen: &Seen, begun: Begun, ledger: &Ledger) {
        self.looks.count(Look::Anew, 1);
        let is_final = |fate| matches!(fate, Fate::Written(_) | Fate::NotWritten | Fate::Dropped);
        let was_final = |entry: &&Entry| is_final(entry.fate) && entry.told <= begun.told;
        let count = seen.count.cast_unsigned();
        if let Some(entry) = ledger.run(seen.first, count).find(was_final) {
            let Entry { place, fate, .. } = entry;
            let (producer, topic, partition) = seen.place;
            let what = format!("the {place}th of {topic}/{partition} is {fate:?}, and is sent");
            self.blame(Promise::I21, format!("producer {producer}: {what}"));
        }
    }

    /// A batch was sent. `deaf`: its application does not listen, so that outcomes may be known
    /// that it has not heard of.
    pub(crate) fn sent(&mut self, seen: &Seen, deaf: bool, ledger: &mut Ledger) {
        self.looks.count(Look::Batch, 1);
        let lane = self.lanes.entry(seen.place).or_default();
        let resends = ledger.processes[seen.place.0 as usize].resends;
        let mut broken = None;
        if lane.identity != Some(seen.identity) {
            if let Some((id, _)) = lane.identity {
                self.looks.count(Look::Epoch, 1);
                self.followed[usize::from(id != seen.identity.0)] += 1;
            }
            let deaf = deaf && !resends;
            broken = lane.check_end(seen, deaf, ledger).map(|what| (Promise::I12, what));
            // Only what was never sent under any identity may begin elsewhere than at 0.
            let elsewhere = ledger.processes[seen.place.0 as usize].first_sequence;
            let elsewhere = elsewhere.filter(|_| lane.identity.is_none()).map(u32::cast_signed);
            let near = |first: &i32| seen.base != 0 && relative(seen.base, *first) < NEAR;
            let begin = elsewhere.filter(near).unwrap_or(0);
            let identity = Some(seen.identity);
            let (given_up, torn) = (std::mem::take(&mut lane.given_up), lane.torn);
            *lane = Lane { identity, begin, given_up, torn, ..Lane::default() };
        }
        // Brokers know repetitions by their identity: under another one they would write it twice.
        let again = lane.given_up.contains(&seen.first);
        let promise = if again { Promise::I21 } else { Promise::I11 };
        if again && resends {
            lane.given_up.remove(&seen.first);
            self.followed[2] += 1;
            ledger.resend(seen.first, seen.count.cast_unsigned());
        }
        if seen.base < lane.begin {
            self.followed[3] += 1;
        }
        let negative = (seen.base < 0).then(|| format!("sequence {}", seen.base));
        let counted = Seen { base: relative(seen.base, lane.begin), ..*seen };
        let hidden = if lane.torn > 0 { lane.unseen(seen.first, ledger) } else { 0 };
        let what = negative.or_else(|| lane.take(&counted, hidden)).map(|what| (promise, what));
        if let Some((promise, what)) = broken.or(what) {
            let (producer, topic, partition) = seen.place;
            self.blame(promise, format!("producer {producer}, {topic}/{partition}: {what}"));
        }
    }

    /// An attempt has ended.
    pub(crate) fn ended(&mut self, seen: &Seen, ending: Ending) {
        let Some(lane) = self.lanes.get_mut(&seen.place) else { return };
        if lane.identity != Some(seen.identity) {
            return;
        }
        let base = relative(seen.base, lane.begin);
        let Some(sent) = lane.sent.get_mut(&base).filter(|sent| sent.hash == seen.hash) else {
            return;
        };
        sent.open = sent.open.saturating_sub(1);
        match ending {
            Ending::Written => sent.written = true,
            Ending::Refused => {}
            Ending::Unknown => sent.maybe = true,
        }
    }
}

/// A sequence, counted from another: 2147483647 is followed by 0.
const fn relative(sequence: i32, begin: i32) -> i32 {
    sequence.wrapping_sub(begin) & i32::MAX
}

impl Lane {
    /// I12: whether another epoch may begin.
    fn check_end(&mut self, seen: &Seen, deaf: bool, ledger: &Ledger) -> Option<String> {
        let (id, epoch) = self.identity?;
        if id == seen.identity.0 && epoch > seen.identity.1 {
            return Some(format!("epoch {} after {epoch}", seen.identity.1));
        }
        for (base, sent) in &self.sent {
            if sent.open > 0 {
                return Some(format!("{base} of epoch {epoch} is unanswered, and another began"));
            }
            let is_open = |fate| fate == Fate::Pending;
            let unresolved = sent.maybe
                && !sent.written
                && !deaf
                && ledger.run(sent.first, sent.count.cast_unsigned()).any(|e| is_open(e.fate));
            if unresolved {
                self.given_up.insert(sent.first);
            }
        }
        None
    }

    /// The batches that have sequences from `base` to before `end`.
    fn overlapping(&self, base: i32, end: i32) -> impl Iterator<Item = (&i32, &Sent)> {
        let before = self.sent.range(..base).next_back();
        let before = before.filter(move |(at, sent)| **at + sent.count > base);
        before.into_iter().chain(self.sent.range(base..end))
    }

    /// How many records that have their outcome stand between the last batch and the record `first`.
    fn unseen(&self, first: u32, ledger: &Ledger) -> i32 {
        let last = self.sent.last_key_value().map_or(0, |(_, sent)| {
            let first = ledger.entries.get(sent.first as usize).map_or(0, |entry| entry.place);
            first + sent.count.cast_unsigned()
        });
        let to = ledger.entries.get(first as usize).map_or(0, |entry| entry.place);
        i32::try_from(to.saturating_sub(last)).unwrap_or(i32::MAX)
    }

    /// I11: whether a batch may be sent under its sequence. `hidden`: records before it that may have
    /// sequences though nobody saw them.
    fn take(&mut self, seen: &Seen, hidden: i32) -> Option<String> {
        let Seen { base, count, hash, first, .. } = *seen;
        if self.given_up.contains(&first) {
            return Some(format!("{base} may be written under another epoch, and comes again"));
        }
        let new = Sent { hash, count, first, open: 1, maybe: false, written: false };
        let end = base.saturating_add(count);
        match self.sent.get_mut(&base) {
            Some(sent) if sent.hash == hash => sent.open += 1,
            _ => {
                // What was refused may be divided, and go in other batches.
                let open = |(_, sent): &(&i32, &Sent)| sent.open > 0 || sent.maybe || sent.written;
                let over: Vec<i32> = self.overlapping(base, end).map(|(base, _)| *base).collect();
                if let Some((other, _)) = self.overlapping(base, end).find(open) {
                    return Some(format!("{base} to {end} has other bytes than {other} had"));
                }
                let gap = base - self.next;
                if gap > hidden {
                    let Self { next, begin, .. } = self;
                    return Some(format!("sequence {base} where {next} is next, from {begin} on"));
                }
                self.torn = self.torn.saturating_sub(u32::from(gap > 0));
                over.iter().for_each(|base| _ = self.sent.remove(base));
                self.next = self.next.max(end);
                self.sent.insert(base, new);
            }
        }
        let open = self.sent.values().filter(|sent| sent.open > 0).count();
        (open > OPEN_MAX).then(|| format!("{open} batches without an answer"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(epoch: i16, base: i32, count: i32, hash: u64) -> Seen {
        Seen { place: (0, 0, 0), identity: (7, epoch), base, count, hash, first: base as u32 }
    }

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        ledger.begin(&ottla::Config::new(), crate::sample::Style::default());
        ledger
    }

    fn first_broken(book: &mut Book) -> Option<Promise> {
        book.broken().map(|(promise, _)| promise)
    }

    #[test]
    fn batches_come_one_after_another_and_again() {
        let mut book = Book::default();
        for seen in [batch(0, 0, 3, 1), batch(0, 3, 1, 2), batch(0, 0, 3, 1)] {
            book.sent(&seen, false, &mut ledger());
        }
        assert_eq!(first_broken(&mut book), None);
    }

    #[test]
    fn sequences_go_on_across_the_wrap() {
        const LAST: i32 = i32::MAX;
        let mut trace = ledger();
        trace.processes[0].first_sequence = Some(LAST.cast_unsigned() - 1);
        let sent = |batches: &[(i16, i32, i32)]| {
            let (mut book, mut trace) = (Book::default(), trace.clone());
            for (epoch, base, count) in batches {
                let seen = batch(*epoch, *base, *count, 1);
                book.sent(&seen, false, &mut trace);
                book.ended(&seen, Ending::Written);
            }
            first_broken(&mut book)
        };
        assert_eq!(sent(&[(0, LAST - 1, 1), (0, LAST, 3), (0, 2, 1)]), None);
        assert_eq!(sent(&[(0, LAST - 1, 1), (0, 0, 3)]), Some(Promise::I11), "a gap");
        assert_eq!(sent(&[(0, LAST - 1, 3), (0, 0, 3)]), Some(Promise::I11), "overlapping");
        assert_eq!(sent(&[(0, LAST - 1, 3), (0, i32::MIN, 1)]), Some(Promise::I11), "negative");
        assert_eq!(sent(&[(0, LAST - 1, 3), (1, 0, 1), (1, 1, 1)]), None, "anew after a bump");
        assert_eq!(sent(&[(0, 0, 3), (1, LAST - 1, 1)]), Some(Promise::I11), "at 0 after a bump");
    }

    #[test]
    fn a_gap_other_bytes_and_a_sixth_batch_are_found() {
        let mut book = Book::default();
        book.sent(&batch(0, 4, 1, 1), false, &mut ledger());
        assert_eq!(first_broken(&mut book), Some(Promise::I11), "does not begin at 0");

        let mut book = Book::default();
        book.sent(&batch(0, 0, 3, 1), false, &mut ledger());
        book.ended(&batch(0, 0, 3, 1), Ending::Refused);
        book.sent(&batch(0, 0, 2, 2), false, &mut ledger());
        book.sent(&batch(0, 2, 1, 3), false, &mut ledger());
        assert_eq!(first_broken(&mut book), None, "refused, and divided");
        book.ended(&batch(0, 0, 2, 2), Ending::Unknown);
        book.sent(&batch(0, 0, 2, 9), false, &mut ledger());
        assert_eq!(first_broken(&mut book), Some(Promise::I11), "may be written");

        let mut book = Book::default();
        for base in 0..5 {
            book.sent(&batch(0, base, 1, 1), false, &mut ledger());
        }
        assert_eq!(first_broken(&mut book), None);
        book.sent(&batch(0, 5, 1, 1), false, &mut ledger());
        assert_eq!(first_broken(&mut book), Some(Promise::I11));
    }

    #[test]
    fn an_epoch_that_comes_too_soon_is_found() {
        let mut book = Book::default();
        let mut trace = ledger();
        book.sent(&batch(0, 0, 1, 1), false, &mut trace);
        book.clone().sent(&batch(1, 0, 1, 1), false, &mut trace);
        let mut early = book.clone();
        early.sent(&batch(1, 0, 1, 1), false, &mut trace);
        assert_eq!(first_broken(&mut early), Some(Promise::I12), "unanswered");

        let accepted = ottla_accepted(&mut trace);
        assert_eq!(accepted, 0);
        book.ended(&batch(0, 0, 1, 1), Ending::Unknown);
        let mut early = book.clone();
        early.sent(&batch(1, 0, 1, 1), false, &mut trace);
        assert_eq!(first_broken(&mut early), Some(Promise::I21), "not resolved, and sent again");

        let mut chosen = trace.clone();
        chosen.processes[0].resends = true;
        let mut early = book.clone();
        early.sent(&batch(1, 0, 1, 1), false, &mut chosen);
        assert_eq!(first_broken(&mut early), None, "the application prefers delivery");
        assert!(chosen.resent.contains(&0));

        trace.entries[0].fate = Fate::Unknown;
        book.sent(&batch(1, 0, 1, 1), false, &mut trace);
        assert_eq!(first_broken(&mut book), None);
        book.sent(&batch(0, 1, 1, 1), false, &mut trace);
        assert_eq!(first_broken(&mut book), Some(Promise::I12), "back again");
    }

    /// Puts a record into the trace; returns its number.
    fn ottla_accepted(trace: &mut Ledger) -> u32 {
        let mut machine =
            ottla::Producer::new(ottla::memory::Growable::new(1 << 16), ottla::Config::new(), 1);
        let now = ottla::Instant::ZERO;
        assert!(machine.set_wall_clock(now, 1_700_000_000_000));
        let topic = machine.declare_topic("t", 1).unwrap();
        let accepted = machine.produce(now, topic, &ottla::Record::new(b"x")).unwrap();
        let id = trace.next_id();
        trace.accepted(0, 0, 0, 1, &accepted);
        id
    }

    #[test]
    fn claims_that_do_not_fit_are_found() {
        let claimed = |idempotent, id| {
            let mut trace = ledger();
            trace.processes[0].idempotent = idempotent;
            let mut book = Book::default();
            book.claimed(0, id, &trace);
            first_broken(&mut book)
        };
        assert_eq!((claimed(true, 7), claimed(false, -1)), (None, None));
        assert_eq!(claimed(true, -1), Some(Promise::I21));
        assert_eq!(claimed(false, 7), Some(Promise::I21));
    }

    #[test]
    fn what_has_its_outcome_and_is_sent_is_found() {
        let sent = |fate| {
            let mut trace = ledger();
            ottla_accepted(&mut trace);
            trace.entries[0].fate = fate;
            let mut book = Book::default();
            trace.entries[0].told = 5;
            book.anew(&batch(0, 0, 1, 1), Begun { told: 4, fatal: false }, &trace);
            assert_eq!(first_broken(&mut book), None, "told after the frame was begun");
            book.anew(&batch(0, 0, 1, 1), Begun { told: 5, fatal: false }, &trace);
            first_broken(&mut book)
        };
        assert_eq!(sent(Fate::Pending), None);
        for fate in [Fate::Written(Some(3)), Fate::NotWritten, Fate::Dropped] {
            assert_eq!(sent(fate), Some(Promise::I21));
        }
    }

    #[test]
    fn a_gap_where_a_request_broke_off_is_no_longer_than_what_may_have_been_in_it() {
        let sent = |torn: bool, base, first| {
            let (mut book, mut trace) = (Book::default(), ledger());
            for place in 0..9 {
                ottla_accepted(&mut trace);
                trace.entries[place as usize].place = place;
            }
            book.sent(&batch(0, 0, 2, 1), false, &mut trace);
            if torn {
                book.torn(0);
            }
            let again = Seen { first: first + 1, ..batch(0, base + 3, 1, 3) };
            book.sent(&Seen { first, ..batch(0, base, 1, 2) }, false, &mut trace);
            let once = first_broken(&mut book);
            book.sent(&again, false, &mut trace);
            (once, first_broken(&mut book))
        };
        let bad = Some(Promise::I11);
        assert_eq!(sent(true, 5, 5).0, None, "three records that nobody saw");
        assert_eq!(sent(false, 5, 5).0, bad, "nothing broke off");
        assert_eq!(sent(true, 6, 5).0, bad, "four sequences of three records");
        assert_eq!(sent(true, 5, 5).1, bad, "once for each");
    }

    #[test]
    fn who_goes_on_after_a_fatal_answer_is_found() {
        let mut book = Book::default();
        let before = book.begun(3, &ledger());
        book.fatal(3);
        book.begins(3, before);
        book.begins(2, book.begun(2, &ledger()));
        assert_eq!(first_broken(&mut book), None);
        book.begins(3, book.begun(3, &ledger()));
        assert_eq!(first_broken(&mut book), Some(Promise::I17));
    }
}
