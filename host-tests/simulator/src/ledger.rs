//! The application's trace: what was accepted, and what was said to have become of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ottla::config::WhenFull;
use ottla::message::ErrorCode;
use ottla::{Accepted, Acks, Cause, Config, Delivery, Outcome};

use crate::check::bound::Backlog;
use crate::frames::is_refusal;
use crate::look::{Look, Looks};
use crate::promise::Promise;
use crate::sample::Style;

/// What a record takes beside its value: its key and headers, and what stands around them.
const RECORD_BYTES: u64 = 90;

/// What became of a record.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// Nothing was said.
    Pending,
    /// Written, at this offset, if it was told.
    Written(Option<i64>),
    /// Sent with `acks=0`.
    Unacknowledged,
    /// Not written.
    NotWritten,
    /// Not written: it made room for another.
    Dropped,
    /// Nobody knows.
    Unknown,
    /// The process has ended before anything was said.
    Orphan,
}

/// A record that was accepted.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) producer: u32,
    pub(crate) topic: u32,
    pub(crate) partition: i32,
    /// Its place among those of its producer in its partition.
    pub(crate) place: u32,
    /// When, by its producer's clock.
    pub(crate) at: u64,
    pub(crate) length: u32,
    /// The place of its batch in the producer's table.
    pub(crate) batch: usize,
    pub(crate) fate: Fate,
    /// How many outcomes had been told then; 0 before.
    pub(crate) told: u64,
}

/// A batch that is answered these has lost its place among its producer's sequences.
const LOST_PLACE: [ErrorCode; 3] = [
    ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
    ErrorCode::INVALID_PRODUCER_EPOCH,
    ErrorCode::UNKNOWN_PRODUCER_ID,
];

/// A process that had a producer.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) acks: Acks,
    pub(crate) idempotent: bool,
    /// It prefers delivery over no duplicates where brokers have lost its state (R8).
    pub(crate) resends: bool,
    pub(crate) style: Style,
    pub(crate) retries: u32,
    pub(crate) when_full: WhenFull,
    pub(crate) delivery_timeout: u64,
    /// Where its sequences begin.
    pub(crate) first_sequence: Option<u32>,
    /// By when it has to be closed, by its clock.
    pub(crate) deadline: Option<u64>,
    /// Codes that it was answered to other requests than Produce, or that fail all that it has; and
    /// when last, by its clock.
    codes: BTreeMap<i16, u64>,
    /// Records without an outcome, and some with one, in the order of their acceptance.
    open: VecDeque<u32>,
    pub(crate) accepted: u64,
    pub(crate) told: u64,
}

impl Process {
    /// Its records may use up their attempts before their time is over.
    pub(crate) const fn counts_attempts(&self) -> bool {
        self.retries < i32::MAX.cast_unsigned()
    }
}

#[derive(Clone, Default, Debug)]
struct Lane {
    ids: Vec<u32>,
    /// How many there were when the producer last began to count anew (R10).
    base: usize,
    told: usize,
    /// How many there are up to the last that was answered to be written.
    written: usize,
}

/// How attempts of a record ended, as far as its producer was told.
#[derive(Clone, Default, Debug)]
struct Attempts {
    /// Codes, and whether some request that was answered it was from before everything healed.
    codes: BTreeMap<i16, bool>,
    /// How many ended without an answer.
    cut: u32,
}

/// The book of all records of a run, by their numbers.
#[derive(Clone, Default, Debug)]
pub(crate) struct Ledger {
    pub(crate) entries: Vec<Entry>,
    lanes: BTreeMap<(u32, u32, i32), Lane>,
    attempts: BTreeMap<u32, Attempts>,
    pub(crate) looks: Looks,
    /// Why records were given up.
    pub(crate) failures: BTreeMap<u32, Cause>,
    /// Outcomes that were told.
    pub(crate) told: u64,
    /// As many as that when everything healed.
    pub(crate) told_at_healing: u64,
    pub(crate) processes: Vec<Process>,
    /// Records that were sent under another epoch though they may have been written: by the switch
    /// of R8 only.
    pub(crate) resent: BTreeSet<u32>,
    broken: Option<(Promise, String)>,
}

impl Ledger {
    /// A process begins. Returns its number.
    pub(crate) fn begin(&mut self, config: &Config, style: Style) -> u32 {
        self.processes.push(Process {
            acks: config.acks,
            idempotent: config.idempotence,
            resends: config.resend_after_state_loss,
            style,
            retries: config.retries,
            when_full: config.when_full,
            delivery_timeout: config.delivery_timeout.as_micros(),
            first_sequence: None,
            deadline: None,
            codes: BTreeMap::new(),
            open: VecDeque::new(),
            accepted: 0,
            told: 0,
        });
        self.processes.len() as u32 - 1
    }

    /// A process has ended as by a loss of power.
    pub(crate) fn end(&mut self, producer: u32) {
        for entry in self.entries.iter_mut().filter(|entry| entry.producer == producer) {
            if entry.fate == Fate::Pending {
                entry.fate = Fate::Orphan;
            }
        }
        let process = &mut self.processes[producer as usize];
        process.open.clear();
        process.told = process.accepted;
    }

    fn blame(&mut self, what: String) {
        self.broken.get_or_insert((Promise::I7, what));
    }

    /// I21: what is said of a record is no more than `acks` can tell.
    fn check_claim(&mut self, producer: u32, outcome: &Outcome) {
        self.looks.count(Look::Claim, 1);
        let acks = self.processes[producer as usize].acks;
        let too_much = match outcome {
            Outcome::Written { .. } => acks == Acks::None,
            Outcome::Unacknowledged => acks != Acks::None,
            Outcome::NotWritten(_) | Outcome::Unknown(..) => false,
        };
        if too_much {
            let what = format!("producer {producer} with acks {acks:?} says: {outcome}");
            self.broken.get_or_insert((Promise::I21, what));
        }
    }

    /// What was broken first.
    pub(crate) fn broken(&mut self) -> Option<(Promise, String)> {
        self.broken.take()
    }

    /// The number that the next record gets.
    pub(crate) fn next_id(&self) -> u32 {
        self.entries.len() as u32
    }

    /// The record with the next number was accepted.
    pub(crate) fn accepted(
        &mut self,
        producer: u32,
        topic: u32,
        at: u64,
        length: u32,
        accepted: &Accepted,
    ) {
        let id = self.next_id();
        let partition = accepted.partition;
        let lane = self.lanes.entry((producer, topic, partition)).or_default();
        let place = lane.ids.len();
        if accepted.number == 0 && lane.told == place {
            lane.base = place;
        }
        let expected = (place - lane.base) as u64;
        lane.ids.push(id);
        let place = place as u32;
        let fate = Fate::Pending;
        let batch = accepted.batch.index();
        self.entries.push(Entry {
            producer,
            topic,
            partition,
            place,
            at,
            length,
            batch,
            fate,
            told: 0,
        });
        let process = &mut self.processes[producer as usize];
        process.open.push_back(id);
        process.accepted += 1;
        if accepted.number != expected {
            self.blame(format!("record {id} has the number {}, not {expected}", accepted.number));
        }
    }

    /// A run of records has its outcome.
    pub(crate) fn delivered(&mut self, producer: u32, topic: u32, now: u64, delivery: &Delivery) {
        let Delivery { partition, first, count, outcome, .. } = *delivery;
        self.check_claim(producer, &outcome);
        let lane = self.lanes.entry((producer, topic, partition)).or_default();
        let from = lane.base.saturating_add(usize::try_from(first).unwrap_or(usize::MAX));
        let ids = lane.ids.get(from..from.saturating_add(count as usize)).unwrap_or(&[]).to_vec();
        let (told_to, overtaken) = (lane.told, lane.written > from);
        if ids.is_empty() {
            return self
                .blame(format!("an outcome for {count} records from {first} on, of nobody"));
        }
        if let Outcome::NotWritten(cause) | Outcome::Unknown(cause, _) = outcome {
            self.looks.count(Look::Cause, 1);
            let process = &self.processes[producer as usize];
            let created = self.created(ids[0]);
            let none = Attempts::default();
            let told = self.attempts.get(&ids[0]).unwrap_or(&none);
            if let Err((promise, what)) = is_true(cause, process, told, overtaken, created, now) {
                self.broken.get_or_insert((promise, format!("record {}: {what}", ids[0])));
            }
        }
        self.told += 1;
        self.looks.count(Look::Outcome, 1);
        if let Outcome::NotWritten(cause) | Outcome::Unknown(cause, _) = outcome {
            self.failures.extend(ids.iter().map(|id| (*id, cause)));
        }
        // What makes room was never sent, and has its outcome before its turn.
        let in_turn = from == told_to || matches!(outcome, Outcome::NotWritten(Cause::Dropped));
        for (id, place) in ids.iter().zip(0_i64..) {
            let fate = match outcome {
                Outcome::Written { base_offset, .. } => {
                    Fate::Written((base_offset >= 0).then_some(base_offset + place))
                }
                Outcome::Unacknowledged => Fate::Unacknowledged,
                Outcome::NotWritten(Cause::Dropped) => Fate::Dropped,
                Outcome::NotWritten(_) => Fate::NotWritten,
                Outcome::Unknown(..) => Fate::Unknown,
            };
            let entry = &mut self.entries[*id as usize];
            let before = std::mem::replace(&mut entry.fate, fate);
            entry.told = self.told;
            if before != Fate::Pending {
                self.blame(format!("record {id} was {before:?} and is {fate:?} now"));
            }
        }
        self.processes[producer as usize].told += ids.len() as u64;
        if !in_turn {
            self.blame(format!("records from {first} on have their outcome out of turn"));
        }
        let entries = &self.entries;
        let Some(lane) = self.lanes.get_mut(&(producer, topic, partition)) else { return };
        let is_told = |id: &u32| entries[*id as usize].fate != Fate::Pending;
        lane.told += lane.ids[lane.told..].iter().take_while(|id| is_told(id)).count();
    }

    /// Whether a producer has written to a partition.
    pub(crate) fn has_used(&self, place: (u32, u32, i32)) -> bool {
        self.lanes.get(&place).is_some_and(|lane| !lane.ids.is_empty())
    }

    /// A batch with the records of a process from one on was answered a code.
    /// `before`: to a request from before everything healed.
    pub(crate) fn answered(&mut self, first: u32, count: u32, code: i16, before: bool) {
        let is_written = code == 0 || ErrorCode(code) == ErrorCode::DUPLICATE_SEQUENCE_NUMBER;
        let ids = self.ids(first, count).to_vec();
        if is_written && let Some(last) = ids.last() {
            let Entry { producer, topic, partition, place, .. } = self.entries[*last as usize];
            let lane = self.lanes.entry((producer, topic, partition)).or_default();
            lane.written = lane.written.max(place as usize + 1);
        }
        self.answered_each(ids, code, before);
    }

    /// Each of some records was answered a code.
    pub(crate) fn answered_each(
        &mut self,
        ids: impl IntoIterator<Item = u32>,
        code: i16,
        before: bool,
    ) {
        for id in ids {
            *self.attempts.entry(id).or_default().codes.entry(code).or_default() |= before;
        }
    }

    /// A batch with the records of a process from one on got no answer: its connection ended, or it was
    /// left out.
    pub(crate) fn cut(&mut self, first: u32, count: u32) {
        for id in self.ids(first, count).to_vec() {
            self.attempts.entry(id).or_default().cut += 1;
        }
    }

    /// A producer was answered a code to something else, or one that fails all that it has.
    pub(crate) fn answered_otherwise(&mut self, producer: u32, code: i16, now: u64) {
        self.processes[producer as usize].codes.insert(code, now);
    }

    /// Whether a record was answered a code, to a request from before everything healed.
    pub(crate) fn was_told_before_healing(&self, id: u32, code: ErrorCode) -> bool {
        self.attempts.get(&id).is_some_and(|told| told.codes.get(&code.0) == Some(&true))
    }

    /// Whether a record lost its place, as it was answered to a request from before everything healed.
    pub(crate) fn lost_its_place_before_healing(&self, id: u32) -> bool {
        LOST_PLACE.iter().any(|code| self.was_told_before_healing(id, *code))
    }

    /// The records of its producer in its partition that were accepted before one.
    fn earlier(&self, id: u32) -> &[u32] {
        let Entry { producer, topic, partition, place, .. } = self.entries[id as usize];
        let lane = self.lanes.get(&(producer, topic, partition));
        lane.and_then(|lane| lane.ids.get(..place as usize)).unwrap_or(&[])
    }

    /// Whether a record of its partition was given up before it, or lost its place, and none was
    /// written between them before everything healed: its sequence may be missing, and brokers refuse
    /// what follows it under the same epoch (R8). What is written later may be written under the next.
    pub(crate) fn is_behind_a_hole(&self, id: u32) -> bool {
        let written = |id: &u32| {
            let Entry { fate, told, .. } = self.entries[*id as usize];
            matches!(fate, Fate::Written(_)) && told <= self.told_at_healing
        };
        let mut since = self.earlier(id).iter().rev().take_while(|id| !written(id));
        let given_up = |cause: &Cause| !matches!(cause, Cause::Dropped | Cause::StateLost);
        since.any(|id| {
            self.failures.get(id).is_some_and(given_up) || self.lost_its_place_before_healing(*id)
        })
    }

    /// When the batch of a record was begun: it is as old as its first record, which may have had its
    /// outcome before.
    pub(crate) fn created(&self, id: u32) -> u64 {
        let Entry { at, batch, .. } = self.entries[id as usize];
        let same = |id: &&u32| self.entries[**id as usize].batch == batch;
        let oldest = self.earlier(id).iter().rev().take_while(same).last();
        oldest.map_or(at, |id| self.entries[*id as usize].at)
    }

    /// Records of a process without an outcome.
    pub(crate) fn pending(&self, producer: u32) -> u64 {
        let process = &self.processes[producer as usize];
        process.accepted - process.told.min(process.accepted)
    }

    /// The oldest record of a process without an outcome.
    pub(crate) fn oldest(&mut self, producer: u32) -> Option<(u32, u64)> {
        let open = &mut self.processes[producer as usize].open;
        while let Some(id) = open.front() {
            let entry = &self.entries[*id as usize];
            if entry.fate == Fate::Pending {
                return Some((*id, entry.at));
            }
            open.pop_front();
        }
        None
    }

    /// Batches of a process without an outcome, partition by partition; each by its records.
    pub(crate) fn backlog(&self, producer: u32) -> Vec<Vec<Vec<u32>>> {
        let mine = self.lanes.iter().filter(|(place, _)| place.0 == producer);
        let batches = |lane: &Lane| {
            let pending = |id: &&u32| self.entries[**id as usize].fate == Fate::Pending;
            let open: Vec<u32> = lane.ids.iter().filter(pending).copied().collect();
            let batch = |id: &u32| self.entries[*id as usize].batch;
            open.chunk_by(|a, b| batch(a) == batch(b)).map(<[u32]>::to_vec).collect::<Vec<_>>()
        };
        mine.map(|(_, lane)| batches(lane)).filter(|batches| !batches.is_empty()).collect()
    }

    /// What there is to do for some batches.
    pub(crate) fn work(&self, batches: &[Vec<u32>]) -> Backlog {
        let length = |id: &u32| u64::from(self.entries[*id as usize].length) + RECORD_BYTES;
        Backlog {
            batches: batches.len() as u64,
            records: batches.iter().map(|batch| batch.len() as u64).sum(),
            bytes: batches.iter().flatten().map(length).sum(),
        }
    }

    /// Those of some records that have no outcome.
    pub(crate) fn open_of(&self, ids: &[u32]) -> Vec<u32> {
        let is_open = |id: &&u32| self.entries[**id as usize].fate == Fate::Pending;
        ids.iter().filter(is_open).copied().collect()
    }

    /// The records of a process in a partition, from one on, so many.
    pub(crate) fn run(&self, first: u32, count: u32) -> impl Iterator<Item = &Entry> {
        self.ids(first, count).iter().map(|id| &self.entries[*id as usize])
    }

    /// They are sent again though they may have been written.
    pub(crate) fn resend(&mut self, first: u32, count: u32) {
        let ids = self.ids(first, count).to_vec();
        self.resent.extend(ids);
    }

    fn ids(&self, first: u32, count: u32) -> &[u32] {
        let lane = self.entries.get(first as usize);
        let key = lane.map(|entry| (entry.producer, entry.topic, entry.partition));
        let ids = key.and_then(|key| self.lanes.get(&key)).map_or(&[][..], |lane| &lane.ids);
        let from = lane.map_or(0, |entry| entry.place as usize);
        let ids = ids.get(from..).unwrap_or(&[]);
        &ids[..ids.len().min(count as usize)]
    }

    /// Records that were reported written.
    pub(crate) fn written(&self) -> u64 {
        let written =
            |entry: &&Entry| matches!(entry.fate, Fate::Written(_) | Fate::Unacknowledged);
        self.entries.iter().filter(written).count() as u64
    }
}

/// Whether a cause can be what it says: I8, that its time is over, and I7, that it happened at all,
/// to this batch. `told`: how its attempts ended; `overtaken`: a later one of the partition was written;
/// `created`: when the batch was begun.
fn is_true(
    cause: Cause,
    process: &Process,
    told: &Attempts,
    overtaken: bool,
    created: u64,
    now: u64,
) -> Result<(), (Promise, String)> {
    let over = |at: Option<u64>| at.is_some_and(|at| at <= now);
    let (promise, sound) = match cause {
        Cause::Timeout => (Promise::I8, over(created.checked_add(process.delivery_timeout))),
        Cause::Closed => (Promise::I8, over(process.deadline)),
        Cause::Dropped => {
            let drops = [WhenFull::DropOldest, WhenFull::DropLowestClass];
            (Promise::I7, drops.contains(&process.when_full))
        }
        Cause::Code(ErrorCode(code)) => {
            let otherwise = process.codes.get(&code).is_some_and(|at| *at >= created);
            (Promise::I7, told.codes.contains_key(&code) || otherwise)
        }
        Cause::Disconnected => (Promise::I7, told.cut > 0 && process.counts_attempts()),
        // R8; or R4, where it was refused, and a later one written.
        Cause::StateLost => {
            let lost_place = LOST_PLACE.iter().any(|code| told.codes.contains_key(&code.0));
            let refused = told.codes.keys().any(|code| is_refusal(*code, -1));
            (Promise::I7, lost_place || refused && overtaken)
        }
        _ => (Promise::I7, false),
    };
    let what = || format!("{cause}, at {now}; its batch was begun at {created}");
    if sound { Ok(()) } else { Err((promise, what())) }
}

/// I7: every record has its outcome, and the producer counts as many as were told.
pub(crate) fn one_outcome(ledger: &Ledger, producer: u32, counted: u64) -> Result<(), String> {
    let process = &ledger.processes[producer as usize];
    let of = |entry: &&Entry| entry.producer == producer;
    let mine: Vec<&Entry> = ledger.entries.iter().filter(of).collect();
    if let Some(entry) = mine.iter().find(|entry| entry.fate == Fate::Pending) {
        let Entry { topic, partition, place, .. } = entry;
        return Err(format!("nothing was said of record {place} of {topic}/{partition}"));
    }
    if counted != mine.len() as u64 || process.told != process.accepted {
        let (accepted, told) = (process.accepted, process.told);
        return Err(format!("{accepted} accepted, {told} told, {counted} by the counters"));
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use ottla::memory::Growable;
    use ottla::{Config, Instant, Producer, Record};

    use super::*;

    /// A record of this time.
    pub(crate) fn entry(at: u64) -> Entry {
        let (producer, topic, partition, place) = (0, 0, 0, 0);
        let fate = Fate::Pending;
        Entry { producer, topic, partition, place, at, length: 0, batch: 0, fate, told: 0 }
    }

    /// A book with `count` records, and the outcome of all of them, told by a machine.
    fn book(count: u32) -> (Ledger, Delivery) {
        let mut ledger = Ledger::default();
        let producer = ledger.begin(&Config::new(), Style::default());
        // It is closed at once.
        ledger.processes[producer as usize].deadline = Some(0);
        let mut machine = Producer::new(Growable::new(1 << 16), Config::new(), 1);
        let now = Instant::ZERO;
        assert!(machine.set_wall_clock(now, 1_700_000_000_000));
        let topic = machine.declare_topic("t", 1).unwrap();
        for _ in 0..count {
            let accepted = machine.produce(now, topic, &Record::new(b"x")).unwrap();
            ledger.accepted(producer, 0, 0, 1, &accepted);
        }
        machine.close(now, now);
        machine.handle_timeout(now);
        loop {
            match machine.poll_event() {
                Some(ottla::Event::Delivered(run)) => return (ledger, run),
                Some(_) => {}
                None => panic!("closed, and nothing was told"),
            }
        }
    }

    #[test]
    fn one_outcome_for_each_is_no_complaint() {
        let (mut ledger, run) = book(3);
        ledger.delivered(0, 0, 0, &run);
        assert_eq!((ledger.broken(), ledger.pending(0)), (None, 0));
        assert_eq!(one_outcome(&ledger, 0, 3), Ok(()));
    }

    #[test]
    fn outcomes_that_are_missing_doubled_or_of_nobody_are_found() {
        let (ledger, run) = book(3);
        assert!(one_outcome(&ledger, 0, 3).is_err(), "nothing was told");
        assert_eq!(ledger.pending(0), 3);

        let mut doubled = ledger.clone();
        doubled.delivered(0, 0, 0, &run);
        doubled.delivered(0, 0, 0, &run);
        assert!(doubled.broken().is_some_and(|(promise, _)| promise == Promise::I7));
        assert!(one_outcome(&doubled, 0, 3).is_err(), "told twice");

        let mut nobody = ledger.clone();
        nobody.delivered(0, 0, 0, &Delivery { first: 3, ..run });
        assert!(nobody.broken().is_some(), "of records that are not there");
        let mut turn = ledger.clone();
        turn.delivered(0, 0, 0, &Delivery { first: 1, count: 1, ..run });
        assert!(turn.broken().is_some(), "out of turn");

        let mut counted = ledger;
        counted.delivered(0, 0, 0, &run);
        assert!(one_outcome(&counted, 0, 2).is_err(), "the counters say less");
    }

    #[test]
    fn what_was_given_up_leaves_a_hole_until_something_is_written() {
        let (mut ledger, run) = book(4);
        ledger.delivered(0, 0, 120_000_000, &Delivery { count: 1, ..run });
        assert!(ledger.is_behind_a_hole(1) && ledger.is_behind_a_hole(3));
        let outcome = Outcome::Written { base_offset: 3, append_time: -1 };
        ledger.delivered(0, 0, 0, &Delivery { first: 1, count: 1, outcome, ..run });
        assert!(ledger.is_behind_a_hole(2), "it may be written under the next epoch");
        ledger.told_at_healing = 2;
        assert!(!ledger.is_behind_a_hole(2) && !ledger.is_behind_a_hole(0));
        ledger.failures.insert(2, Cause::StateLost);
        assert!(!ledger.is_behind_a_hole(3), "that is no hole by itself");
        ledger.answered(2, 1, 45, false);
        assert!(!ledger.is_behind_a_hole(3), "asked when all was well");
        ledger.answered(2, 1, 45, true);
        assert!(ledger.is_behind_a_hole(3), "the next may be asked for anew");
    }

    #[test]
    fn outcomes_that_say_more_than_acks_can_tell_are_found() {
        let written = Outcome::Written { base_offset: 3, append_time: -1 };
        let told = |acks, outcome| {
            let (mut ledger, run) = book(3);
            ledger.processes[0].acks = acks;
            ledger.delivered(0, 0, 0, &Delivery { outcome, ..run });
            ledger.broken().map(|(promise, _)| promise)
        };
        for acks in [Acks::All, Acks::Leader] {
            assert_eq!(told(acks, written), None);
            assert_eq!(told(acks, Outcome::Unacknowledged), Some(Promise::I21));
        }
        assert_eq!(told(Acks::None, Outcome::Unacknowledged), None);
        assert_eq!(told(Acks::None, written), Some(Promise::I21));
        for acks in [Acks::All, Acks::Leader, Acks::None] {
            assert_eq!(told(acks, Outcome::NotWritten(Cause::Closed)), None);
        }
    }

    #[test]
    fn causes_that_are_not_so_are_found() {
        let told = |cause, change: fn(&mut Ledger)| {
            let (mut ledger, run) = book(3);
            change(&mut ledger);
            let outcome = Outcome::NotWritten(cause);
            ledger.delivered(0, 0, 120_000_000, &Delivery { outcome, ..run });
            ledger.broken().map(|(promise, _)| promise)
        };
        assert_eq!(told(Cause::Timeout, |_| {}), None);
        let later = |ledger: &mut Ledger| ledger.entries[0].at = 1;
        assert_eq!(told(Cause::Timeout, later), Some(Promise::I8));
        assert_eq!(told(Cause::Closed, |_| {}), None);
        let open = |ledger: &mut Ledger| ledger.processes[0].deadline = Some(120_000_001);
        assert_eq!(told(Cause::Closed, open), Some(Promise::I8));
        let code = Cause::Code(ErrorCode(29));
        assert_eq!(told(code, |_| {}), Some(Promise::I7));
        assert_eq!(told(code, |ledger| ledger.answered(0, 3, 29, true)), None);
        assert_eq!(
            told(code, |ledger| ledger.answered(1, 2, 29, true)),
            Some(Promise::I7),
            "another's"
        );
        assert_eq!(told(code, |ledger| ledger.answered_otherwise(0, 29, 0)), None);
        let before = |ledger: &mut Ledger| {
            ledger.answered_otherwise(0, 29, 0);
            ledger.entries[0].at = 1;
        };
        assert_eq!(told(code, before), Some(Promise::I7), "before the batch was begun");
        assert_eq!(told(Cause::StateLost, |_| {}), Some(Promise::I7));
        assert_eq!(told(Cause::StateLost, |ledger| ledger.answered(0, 3, 45, true)), None);
        let another = |ledger: &mut Ledger| ledger.answered(2, 1, 45, true);
        assert_eq!(told(Cause::StateLost, another), Some(Promise::I7));
        let refused = |ledger: &mut Ledger| ledger.answered(0, 2, 19, true);
        assert_eq!(told(Cause::StateLost, refused), Some(Promise::I7));
        let overtaken = |ledger: &mut Ledger| {
            ledger.answered(0, 2, 19, true);
            ledger.answered(2, 1, 0, true);
        };
        assert_eq!(told(Cause::StateLost, overtaken), None);
        let few = |ledger: &mut Ledger| ledger.processes[0].retries = 3;
        assert_eq!(told(Cause::Disconnected, few), Some(Promise::I7), "no connection ended");
        let cut = |ledger: &mut Ledger| {
            ledger.processes[0].retries = 3;
            ledger.cut(0, 3);
        };
        assert_eq!(told(Cause::Disconnected, cut), None);
        assert_eq!(told(Cause::Disconnected, |ledger| ledger.cut(0, 3)), Some(Promise::I7));
        assert_eq!(told(Cause::Dropped, |_| {}), Some(Promise::I7));
    }
}
