//! What is promised of outcomes, by the names of the design's promises.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use ottla::producer::Flush;
use ottla::record::reader::Batch;
use ottla::{Accepted, Cause, Delivery, Instant, Outcome, Topic};
use ottla_simulator::frames::is_refusal;

use super::peer::{Asked, Codes};

/// A record without an outcome.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Open {
    /// The time when it was accepted.
    at: Instant,
    /// How many were accepted before it, of all partitions.
    place: u64,
}

/// The records of one partition.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct Lane {
    next: u64,
    open: BTreeMap<u64, Open>,
}

/// What was accepted, and what was told of it.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Ledger {
    lanes: BTreeMap<(usize, i32), Lane>,
    pub(super) accepted: u64,
    flushes: Vec<(Flush, u64)>,
}

impl Ledger {
    /// A record was accepted. I7: its number is its partition's next one, or the first if the
    /// partition's slot was freed in between (R10).
    pub(super) fn accept(&mut self, topic: Topic, accepted: &Accepted, at: Instant) {
        let lane = self.lanes.entry((topic.index(), accepted.partition)).or_default();
        let number = accepted.number;
        if number != lane.next {
            assert_eq!((number, lane.open.len()), (0, 0), "{} was expected", lane.next);
        }
        lane.next = number + 1;
        lane.open.insert(number, Open { at, place: self.accepted });
        self.accepted += 1;
    }

    /// An outcome was told. I7: of records that have none yet, in their order, but for those that
    /// made room.
    pub(super) fn deliver(&mut self, delivery: &Delivery) {
        let Delivery { topic, partition, first, count, outcome, .. } = *delivery;
        assert!(count > 0, "an outcome of nothing: {delivery:?}");
        let lane = self.lanes.entry((topic.index(), partition)).or_default();
        if !matches!(outcome, Outcome::NotWritten(Cause::Dropped)) {
            let oldest = lane.open.keys().next();
            assert_eq!(oldest, Some(&first), "out of turn: {delivery:?}");
        }
        for number in first..first + u64::from(count) {
            let open = lane.open.remove(&number);
            assert!(open.is_some(), "{number} has no outcome to come: {delivery:?}");
        }
    }

    /// All before it are to have their outcome before it is over.
    pub(super) fn flush(&mut self, flush: Flush) {
        self.flushes.push((flush, self.accepted));
    }

    /// Flushes that are over by the producer's word. R6.
    pub(super) fn check_flushes(&mut self, mut is_over: impl FnMut(Flush) -> bool) {
        let oldest = self.all().map(|open| open.place).min().unwrap_or(u64::MAX);
        self.flushes.retain(|(flush, count)| {
            let over = is_over(*flush);
            assert!(!over || oldest >= *count, "flushed, and record {oldest} has no outcome");
            assert!(over || oldest < *count, "all before it is told, and it is not flushed");
            !over
        });
    }

    fn all(&self) -> impl Iterator<Item = &Open> {
        self.lanes.values().flat_map(|lane| lane.open.values())
    }

    /// How many have no outcome.
    pub(super) fn open(&self) -> usize {
        self.lanes.values().map(|lane| lane.open.len()).sum()
    }

    /// When the oldest record without an outcome was accepted.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.all().map(|open| open.at).min()
    }
}

/// The times that records may have: their own, or that of day when they were accepted.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Stamps {
    /// The time of day in milliseconds, and the largest instant seen when it was set.
    day: Option<(u64, u64)>,
    known: BTreeSet<i64>,
}

impl Stamps {
    /// The time of day was set, by an instant that may be older than others before.
    pub(super) fn set(&mut self, millis: u64, latest: u64) {
        self.day = Some((millis, latest));
    }

    /// A record was accepted. `floor`: the time of day at instant 0, as long as none was set.
    pub(super) fn accept(&mut self, own: Option<i64>, floor: u64, latest: u64) {
        let (millis, since) = self.day.unwrap_or((floor, 0));
        let most = i64::MAX.cast_unsigned();
        let origin = i128::from(millis.saturating_mul(1_000).min(most)) - i128::from(since);
        let micros = (origin + i128::from(latest)).clamp(0, i128::from(most));
        self.known.insert(own.unwrap_or((micros / 1_000) as i64));
    }

    /// A request was written.
    pub(super) fn written(&self, asked: &Asked) {
        for partition in asked.produce().topics.iter().flat_map(|topic| &topic.partitions) {
            let (batch, _) = Batch::read(partition.records.unwrap_or_default()).expect("sound");
            for record in batch.records().expect("not compressed") {
                let at = record.expect("a sound record").timestamp;
                assert!(self.known.contains(&at), "a record of {at} ms, not of {:?}", self.known);
            }
        }
    }
}

/// The key of a batch: who sent it, where to, and its first sequence.
type Key = (i64, i16, Vec<u8>, i32, i32);

/// The bytes of a batch, and how many of their attempts were refused.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct Sent {
    records: Vec<u8>,
    attempts: u32,
    refused: u32,
}

/// What was sent under each sequence. I11 and R2: the same sequence, the same bytes, unless every
/// attempt was refused.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Book {
    sent: BTreeMap<Key, Sent>,
}

fn keys(asked: &Asked) -> Vec<(Key, Vec<u8>)> {
    let mut keys = Vec::new();
    for topic in asked.produce().topics {
        for partition in topic.partitions {
            let records = partition.records.unwrap_or_default();
            let (batch, _) = Batch::read(records).expect("a sound batch");
            if batch.producer_id < 0 {
                continue;
            }
            let key = (
                batch.producer_id,
                batch.producer_epoch,
                topic.name.to_vec(),
                partition.index,
                batch.base_sequence,
            );
            keys.push((key, records.to_vec()));
        }
    }
    keys
}

impl Book {
    /// A request was written.
    pub(super) fn written(&mut self, asked: &Asked) {
        for (key, records) in keys(asked) {
            match self.sent.entry(key) {
                Entry::Vacant(entry) => {
                    entry.insert(Sent { records, attempts: 1, refused: 0 });
                }
                Entry::Occupied(mut entry) => {
                    let key = format!("{:?}", entry.key());
                    assert_eq!(entry.get().records, records, "I11: other bytes under {key}");
                    entry.get_mut().attempts += 1;
                }
            }
        }
    }

    /// It was answered. A sequence is free for other bytes if all that was ever heard of it is that
    /// it was refused: an attempt that ended otherwise, or is not answered, keeps them.
    pub(super) fn answered(&mut self, asked: &Asked, codes: &Codes) {
        let acks = asked.produce().acks;
        for (key, _) in keys(asked) {
            let code = codes.iter().find(|(name, index, _)| (name, *index) == (&key.2, key.3));
            if code.is_none_or(|(_, _, code)| !is_refusal(*code, acks)) {
                continue;
            }
            if let Entry::Occupied(mut entry) = self.sent.entry(key) {
                entry.get_mut().refused += 1;
                if entry.get().refused == entry.get().attempts {
                    entry.remove();
                }
            }
        }
    }

    /// Nothing that was sent says anything any more.
    pub(super) fn forget(&mut self) {
        self.sent.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use ottla::memory::Growable;
    use ottla::message::{Api, produce as codec};
    use ottla::wire::write::Put as _;
    use ottla::{Config, Event, Producer, Record};

    use super::*;
    use crate::records::Drawn;

    /// A ledger with three records, the outcome of all of them, and a flush before the last one; all
    /// told by a machine.
    fn ledger() -> (Ledger, Delivery, Flush) {
        let mut ledger = Ledger::default();
        let mut machine = Producer::new(Growable::new(1 << 16), Config::new(), 1);
        let now = Instant::ZERO;
        let topic = machine.declare_topic("t", 1).expect("room");
        let produce = |machine: &mut Producer<Growable>, ledger: &mut Ledger| {
            let accepted = machine.produce(now, topic, &Record::new(b"x").timestamp(1));
            ledger.accept(topic, &accepted.expect("room"), now);
        };
        for _ in 0..3 {
            produce(&mut machine, &mut ledger);
        }
        let flush = machine.flush(now);
        machine.close(now, now);
        loop {
            match machine.poll_event() {
                Some(Event::Delivered(run)) => return (ledger, run, flush),
                Some(_) => {}
                None => panic!("closed, and nothing was told"),
            }
        }
    }

    fn fails(f: impl FnOnce()) -> bool {
        catch_unwind(AssertUnwindSafe(f)).is_err()
    }

    #[test]
    fn one_outcome_for_each_is_no_complaint() {
        let (mut ledger, run, flush) = ledger();
        assert_eq!((ledger.open(), ledger.oldest()), (3, Some(Instant::ZERO)));
        ledger.flush(flush);
        ledger.check_flushes(|_| false);
        ledger.deliver(&run);
        ledger.check_flushes(|_| true);
        assert_eq!((ledger.open(), ledger.oldest()), (0, None));
    }

    #[test]
    fn outcomes_that_are_doubled_out_of_turn_or_of_nobody_are_found() {
        let (ledger, run, _) = ledger();
        let after = |runs: &[Delivery]| {
            let mut ledger = ledger.clone();
            fails(|| runs.iter().for_each(|run| ledger.deliver(run)))
        };
        assert!(!after(&[run]));
        assert!(after(&[run, run]), "told twice");
        assert!(after(&[Delivery { first: 1, count: 1, ..run }]), "out of turn");
        assert!(after(&[Delivery { count: 4, ..run }]), "of one that is not there");
        assert!(after(&[Delivery { partition: 7, ..run }]), "of another partition");
        assert!(after(&[Delivery { count: 0, ..run }]), "of nothing");
    }

    #[test]
    fn flushes_that_are_over_too_early_or_too_late_are_found() {
        let (ledger, run, flush) = ledger();
        let mut early = ledger.clone();
        early.flush(flush);
        assert!(fails(|| early.check_flushes(|_| true)), "nothing was told");
        let mut late = ledger;
        late.flush(flush);
        late.deliver(&run);
        assert!(fails(|| late.check_flushes(|_| false)), "all was told");
    }

    #[test]
    fn other_bytes_under_the_same_sequence_are_found() {
        let asked = |value: &[u8]| {
            let drawn = Drawn::of(value);
            let mut body = Vec::new();
            let batch = drawn.batch();
            codec::request_start(&mut body, 9, -1, 1_000, 1);
            codec::request_topic(&mut body, 9, b"t", 1);
            codec::request_partition(&mut body, 9, 0, batch.len() as u32);
            body.raw(&batch);
            for _ in 0..3 {
                codec::request_end(&mut body, 9);
            }
            Asked { api: Api::Produce, version: 9, correlation: 1, body }
        };
        let (one, two) = (asked(b"one"), asked(b"two"));
        let told = |code: i16| vec![(b"t".to_vec(), 0, code)];
        assert!(fails(|| Stamps::default().written(&one)), "a time that no record has");
        let mut book = Book::default();
        book.written(&one);
        let unanswered = book.clone();
        assert!(fails(|| book.clone().written(&two)), "never answered");
        book.written(&one);
        book.answered(&one, &told(2));
        assert!(fails(|| book.clone().written(&two)), "one attempt of two is not answered");
        book.answered(&one, &told(2));
        book.written(&two);
        // R2: what may be written keeps its bytes, and so does what is, whatever comes later.
        for code in [Some(7), Some(6), Some(-1), Some(0), Some(46), None] {
            let mut book = unanswered.clone();
            book.answered(&one, &code.map_or(Vec::new(), told));
            assert!(fails(|| book.clone().written(&two)), "answered {code:?}");
            book.written(&one);
            book.answered(&one, &told(2));
            assert!(fails(|| book.clone().written(&two)), "answered {code:?}, and refused then");
        }
        let mut book = unanswered;
        book.answered(&one, &vec![(b"t".to_vec(), 1, 2), (b"u".to_vec(), 0, 2)]);
        assert!(fails(|| book.written(&two)), "others were refused");
    }

    #[test]
    fn the_time_of_day_goes_on_from_the_largest_instant_seen() {
        let mut stamps = Stamps::default();
        stamps.accept(None, 5_000, 2_000);
        stamps.set(9_000, 3_000_000);
        stamps.accept(None, 5_000, 4_000_000);
        stamps.accept(Some(7), 5_000, 4_000_000);
        assert_eq!(stamps.known, BTreeSet::from([7, 5_002, 10_000]));
    }
}
