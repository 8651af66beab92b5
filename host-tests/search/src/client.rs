//! The production machine, with what its adapter and its application do: links are opened and
//! closed, frames written, records produced, events taken.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ottla::identity::Sequence;
use ottla::producer::{Batch, LinkAction, Producer, Topic};
use ottla::{Cause, Duration, Event, Instant, Link, Outcome, Reason, Record};
use ottla_simulator::{free_blocks, is_own_wish};

use crate::brokers::{NODES, TOPIC};
use crate::check::{Checker, Violation};
use crate::fingerprint::{FAR, Fingerprint, Fingerprinter, of_producer};
use crate::frames::{FrameId, Frames};
use crate::setup::{BLOCK, Lie, RECORDS, Setup};

/// Links that there are: one to the address to begin with, and one to each node.
pub const LINKS: usize = 3;

ottla::fixed! {
    /// Memory of a searched producer: as small as the worlds need.
    pub Small {
        topics: 1, partitions: 2, batches: 6, requests: 10, links: 3, brokers: 3,
        host: 8, names: 8, blocks: BLOCKS, block_size: 128,
    }
}
/// Blocks of that memory.
const BLOCKS: usize = 6;
const _: () = assert!(BLOCK == 128 && LINKS == 3 && RECORDS == 6);

/// What a record holds.
#[must_use]
pub const fn value(record: u8) -> [u8; 8] {
    [b'o', b't', b't', b'l', 0, 0, 0, record]
}

/// What a producer is given to come to its end.
const CLOSE: Duration = Duration::from_millis(500);

/// What a timer that should not be there is due in.
const WRONG: u64 = 500_000;
/// More timers than a producer has that has nothing left to do: each link is given up, or closed.
const TIMERS: usize = 2 * LINKS;

/// All records have the same time, so that bytes do not depend on when a record came.
const TIMESTAMP: i64 = 1_700_000_000_000;

/// What is given to a producer.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Input {
    /// A link is connected.
    Connected(u8),
    /// An answer comes in on a link.
    Answer(u8, FrameId),
    /// A link ended.
    Lost(u8),
    /// Time passes until the next deadline.
    Deadline,
    /// The application produces the next batch of a partition.
    Produce(u8),
    /// The application takes all events.
    TakeEvents,
    /// The application closes the producer.
    Close,
}

/// What the application is told of a record.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Told {
    /// Nothing.
    Nothing,
    /// Written, at this offset, or -1.
    Written(i8),
    /// Not written.
    NotWritten,
    /// It may be written.
    Unknown,
}

/// What comes of an input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// A link to a node is being opened.
    Connect(u8, u8),
    /// The producer closed a link.
    Close(u8),
    /// A frame was written on a link.
    Write(u8, FrameId),
    /// The application was told of a record. True: it was given up for its time.
    Told(u8, Told, bool),
    /// The application was told of a fatal answer.
    Fatal,
}

/// A link as its world knows it.
#[derive(Copy, Clone, Debug)]
struct Known {
    link: Link,
    /// Its node, and whether the producer called it by the address that it was given to begin with.
    node: u8,
    first: bool,
    connected: bool,
    /// Requests written, and answers handed in.
    asked: i32,
    answered: i32,
}

/// A producer with what its application and its adapter know.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    producer: Producer<Small>,
    now: Instant,
    topic: Topic,
    links: [Option<Known>; LINKS],
    /// Where accepted records are, when they came, and whether their event was taken.
    records: [Option<(Batch, u64, Instant)>; RECORDS],
    taken: [bool; RECORDS],
    produced: [u8; 2],
    /// When a close has to be over.
    closes: Option<Instant>,
    /// When links to each node ended last though the producer wanted them, by how it called them.
    lost: [[Option<Instant>; 2]; NODES as usize],
    /// When the producer was last woken for nothing.
    vain: Option<Instant>,
}

/// What a world has to know of a producer's state.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Facts {
    /// How far off the next deadline is; none if nothing is armed.
    pub wait: Option<u64>,
    /// Records whose outcome is decided, a bit for each; told or not.
    pub decided: u8,
    /// Records that are written for sure, or for sure not, and whose event was not taken.
    pub certain: u8,
    /// Records with an outcome that the application has not taken.
    pub untaken: u8,
    /// Records without an outcome that waits for nobody else.
    pub pending: u8,
    /// Records that go on when the application has taken the event of a part of a batch.
    pub held: u8,
}

impl Client {
    /// A producer that knows an address and a topic, and all that it does of itself.
    pub(crate) fn new(setup: &Setup, frames: &mut Frames) -> (Self, Vec<Effect>) {
        let mut config = setup.config();
        if setup.lie == Some(Lie::NoPauses) {
            for pause in [&mut config.reconnect_backoff, &mut config.reconnect_backoff_max] {
                *pause = Duration::ZERO;
            }
        }
        let mut producer = Producer::new(Small::new(), config, 1);
        assert!(producer.bootstrap("node1", 9_092), "there is room for an address");
        let topic = producer.declare_topic(TOPIC, u32::from(setup.partitions));
        let mut client = Self {
            producer,
            now: Instant::from_micros(1_000_000),
            topic: topic.expect("there is room for a topic"),
            links: [None; LINKS],
            records: [None; RECORDS],
            taken: [false; RECORDS],
            produced: [0; 2],
            closes: None,
            lost: Default::default(),
            vain: None,
        };
        let mut effects = Vec::new();
        client.settle(setup, frames, &mut effects).expect("nothing was sent");
        (client, effects)
    }

    /// The fingerprint of the producer as it is now.
    pub(crate) fn fingerprint(&mut self, scratch: &mut Fingerprinter) -> Fingerprint {
        of_producer(&mut self.producer, self.now, scratch)
    }

    /// Takes an input, and does all that comes of it. Returns what no producer may do.
    pub(crate) fn take(
        &mut self,
        setup: &Setup,
        frames: &mut Frames,
        input: Input,
        wait: Option<u64>,
        effects: &mut Vec<Effect>,
    ) -> Option<Violation> {
        let taken = catch_unwind(AssertUnwindSafe(|| {
            self.give(setup, frames, input, wait, effects)?;
            self.settle(setup, frames, effects)
        }));
        match taken {
            Ok(taken) => taken.err(),
            Err(_) => Some(Checker::I10.broken("the producer panicked")),
        }
    }

    fn give(
        &mut self,
        setup: &Setup,
        frames: &Frames,
        input: Input,
        wait: Option<u64>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Violation> {
        let now = self.now;
        match input {
            Input::Connected(slot) => {
                if let Some(known) = &mut self.links[usize::from(slot)] {
                    known.connected = true;
                    self.producer.handle_connected(now, known.link);
                }
            }
            Input::Answer(slot, answer) => {
                if let Some(known) = &mut self.links[usize::from(slot)] {
                    let bytes = frames.answer_bytes(answer, known.answered);
                    known.answered += 1;
                    let link = known.link;
                    self.producer.handle_input(now, link, &bytes);
                }
            }
            Input::Lost(slot) => {
                if let Some(known) = self.links[usize::from(slot)].take() {
                    self.note_loss(known);
                    self.producer.handle_disconnected(now, known.link, Reason::Disconnected);
                }
            }
            Input::Deadline => {
                self.now = Instant::from_micros(now.as_micros() + wait.unwrap_or(0));
                self.producer.handle_timeout(self.now);
            }
            Input::Produce(partition) => self.produce(setup, partition)?,
            Input::TakeEvents => self.take_events(setup, effects),
            Input::Close => {
                let end = now.after(CLOSE);
                self.closes = Some(end);
                self.producer.close(now, end);
            }
        }
        Ok(())
    }

    /// A link has ended, and not by the producer's own wish.
    fn note_loss(&mut self, known: Known) {
        self.lost[usize::from(known.node - 1)][usize::from(known.first)] = Some(self.now);
    }

    /// I8: no node is called again before the pause, which has a jitter of a fifth.
    fn check_pace(&self, setup: &Setup, node: u8, first: bool) -> Result<(), Violation> {
        let Some(lost) = self.lost[usize::from(node - 1)][usize::from(first)] else {
            return Ok(());
        };
        let passed = self.now.as_micros() - lost.as_micros();
        if passed >= setup.config().reconnect_backoff.as_micros() * 4 / 5 {
            return Ok(());
        }
        let what = format!("node {node} is called again {passed} us after its link was lost");
        Err(Checker::I8.broken(what))
    }

    fn produce(&mut self, setup: &Setup, partition: u8) -> Result<(), Violation> {
        for _ in 0..setup.records {
            let place = self.produced[usize::from(partition)];
            let record = setup.record(partition, place);
            let value = value(record);
            let index = i32::from(partition);
            let new = Record::new(&value).timestamp(TIMESTAMP).partition(index);
            let accepted = self.producer.produce(self.now, self.topic, &new);
            let refused = |e| Checker::I10.broken(format!("record {record} was refused: {e:?}"));
            let accepted = accepted.map_err(refused)?;
            if accepted.number != u64::from(place) {
                let what = format!("record {record} has the number {}", accepted.number);
                return Err(Checker::I10.broken(what));
            }
            if place == 0 && setup.first != 0 {
                let first = Sequence::new(setup.first.cast_unsigned());
                self.producer.begin_sequences_at(self.topic, index, first);
            }
            let entry = (accepted.batch, accepted.number, self.now);
            self.records[usize::from(record)] = Some(entry);
            self.produced[usize::from(partition)] += 1;
        }
        Ok(())
    }

    fn take_events(&mut self, setup: &Setup, effects: &mut Vec<Effect>) {
        while let Some(event) = self.producer.poll_event() {
            match event {
                Event::Delivered(run) => {
                    let (told, timeout) = match run.outcome {
                        Outcome::Written { base_offset, .. } => {
                            (Told::Written(i8::try_from(base_offset).unwrap_or(-1)), false)
                        }
                        Outcome::NotWritten(cause) => (Told::NotWritten, cause == Cause::Timeout),
                        Outcome::Unknown(cause, _) => (Told::Unknown, cause == Cause::Timeout),
                        Outcome::Unacknowledged => (Told::Nothing, false),
                    };
                    for place in 0..run.count as u8 {
                        let partition = run.partition as u8;
                        let record = setup.record(partition, run.first as u8 + place);
                        let told = match told {
                            Told::Written(offset) if offset >= 0 => {
                                Told::Written(offset + place.cast_signed())
                            }
                            told => told,
                        };
                        if let Some(taken) = self.taken.get_mut(usize::from(record)) {
                            *taken = true;
                        }
                        effects.push(Effect::Told(record, told, timeout));
                    }
                }
                Event::Fatal(_) => effects.push(Effect::Fatal),
                _ => {}
            }
        }
    }

    /// Does all that the producer wants done, as an adapter does: links are opened and closed,
    /// frames written.
    fn settle(
        &mut self,
        setup: &Setup,
        frames: &mut Frames,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Violation> {
        loop {
            let before = effects.len();
            while let Some(action) = self.producer.poll_link() {
                match action {
                    LinkAction::Connect(link, address) => {
                        let node = (address.port - 9_091) as u8;
                        let first = address.broker.is_none();
                        self.check_pace(setup, node, first)?;
                        let (connected, asked, answered) = (false, 0, 0);
                        let known = Known { link, node, first, connected, asked, answered };
                        self.links[link.index()] = Some(known);
                        effects.push(Effect::Connect(link.index() as u8, node));
                    }
                    LinkAction::Close(link, reason) => {
                        let known = self.links[link.index()].take();
                        if let Some(known) = known.filter(|_| !is_own_wish(reason)) {
                            self.note_loss(known);
                        }
                        effects.push(Effect::Close(link.index() as u8));
                    }
                }
            }
            for slot in 0..LINKS {
                self.write(setup, slot, frames, effects)?;
            }
            if effects.len() == before {
                break;
            }
        }
        if !setup.deaf || self.facts(setup).untaken == 0 {
            // Only what is told beside outcomes; the world does not wait for it.
            self.take_events(setup, effects);
        }
        Ok(())
    }

    fn write(
        &mut self,
        setup: &Setup,
        slot: usize,
        frames: &mut Frames,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Violation> {
        let Some(mut known) = self.links[slot] else { return Ok(()) };
        let dropped = self.lend(known.link);
        let mut bytes = Vec::new();
        if !dropped.is_empty() {
            let eaten = usize::from(setup.lie == Some(Lie::EatsBytes));
            // I19: a write that is dropped before it wrote anything was never begun.
            self.producer.consume_output(self.now, known.link, eaten);
            while let Some(piece) = self.producer.output(known.link) {
                bytes.extend_from_slice(piece.bytes);
                let count = piece.bytes.len();
                self.producer.consume_output(self.now, known.link, count);
            }
            if !bytes.starts_with(&dropped) {
                let what = format!("{} bytes were lent, and others the next time", dropped.len());
                return Err(Checker::I19.broken(what));
            }
        }
        let bad = |what: &str| Checker::I10.broken(what);
        let mut rest = &bytes[..];
        while let Some((size, _)) = rest.split_first_chunk::<4>() {
            let length = 4 + i32::from_be_bytes(*size) as usize;
            let frame = rest.get(..length).ok_or_else(|| bad("half a frame was written"))?;
            rest = &rest[length..];
            let request = frames.request(frame);
            let (frame, correlation) =
                request.ok_or_else(|| bad("a frame was written that nobody can read"))?;
            if correlation != known.asked {
                let what = format!("correlation id {correlation} after {} requests", known.asked);
                return Err(bad(&what));
            }
            known.asked += 1;
            effects.push(Effect::Write(slot as u8, frame));
        }
        if self.links[slot].is_some() {
            self.links[slot] = Some(known);
        }
        Ok(())
    }

    /// All that is lent for a link.
    fn lend(&mut self, link: Link) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.producer.output(link) {
            bytes.extend_from_slice(piece.bytes);
        }
        bytes
    }

    pub(crate) fn facts(&mut self, setup: &Setup) -> Facts {
        let wait = self.producer.poll_timeout();
        let wait = wait.map(|at| at.as_micros().saturating_sub(self.now.as_micros()));
        let mut facts = Facts { wait, decided: 0, certain: 0, untaken: 0, pending: 0, held: 0 };
        for record in 0..setup.partitions * setup.per_partition() {
            let place = usize::from(record);
            let Some((batch, number, _)) = self.records[place] else { continue };
            if self.taken[place] {
                facts.decided |= 1 << record;
            } else if let Some(outcome) = self.producer.outcome(batch, number) {
                facts.decided |= 1 << record;
                facts.untaken |= 1 << record;
                if matches!(outcome, Outcome::Written { .. } | Outcome::NotWritten(_)) {
                    facts.certain |= 1 << record;
                }
            } else {
                facts.pending |= 1 << record;
            }
        }
        // Of a batch that goes in parts, the next is made when the event of the one before was
        // taken; nothing behind it has its outcome earlier.
        let batch = |record: usize| self.records[record].map(|(batch, _, _)| batch);
        let of = |bits: u8| (0..RECORDS).filter(move |record| bits & 1 << record != 0);
        if of(facts.untaken).any(|one| of(facts.pending).any(|other| batch(one) == batch(other))) {
            facts.held = std::mem::take(&mut facts.pending);
        }
        if setup.lie == Some(Lie::Timer) && facts.decided != 0 && facts.pending | facts.held == 0 {
            facts.wait = Some(facts.wait.unwrap_or(WRONG).min(WRONG));
        }
        facts
    }

    /// I8, after a deadline has passed: every record has its outcome in time, and the producer is not
    /// woken for nothing, neither again at once nor twice within half a pause. `decided`: of before.
    pub(crate) fn check_deadline(
        &mut self,
        setup: &Setup,
        decided: u8,
        effects: &[Effect],
    ) -> Option<Violation> {
        if let Some(record) = self.overdue(setup) {
            let what = format!("record {record} has no outcome when its time is over");
            return Some(Checker::I8.broken(what));
        }
        let facts = self.facts(setup);
        if !effects.is_empty() || facts.decided != decided {
            self.vain = None;
            return None;
        }
        let before = self.vain.replace(self.now);
        if facts.wait == Some(0) {
            let what = "a deadline passed, nothing came of it, and it is due again";
            return Some(Checker::I8.broken(what));
        }
        let passed = self.now.as_micros() - before?.as_micros();
        let pause = setup.config().retry_backoff.as_micros() / 2;
        (passed < pause).then(|| {
            Checker::I8.broken(format!("woken twice within {passed} us, and nothing came of it"))
        })
    }

    /// I9, of a producer at rest: once all is told, it keeps no block.
    fn check_blocks(&self, setup: &Setup, facts: &Facts) -> Option<Violation> {
        let kept = usize::from(setup.lie == Some(Lie::KeepsBlock) && facts.decided != 0);
        let used = BLOCKS - free_blocks(self.producer.owner()) + kept;
        let what = || format!("all is told, and {used} blocks are not given back");
        (facts.untaken == 0 && used > 0).then(|| Checker::I9.broken(what()))
    }

    /// I20 and I9, of a producer that has nothing left to do, if nobody answers it any more: what is on its
    /// way is given up when its time is over, nothing new begins, and no timer is left in the end.
    pub(crate) fn check_rest(mut self, setup: &Setup, frames: &mut Frames) -> Option<Violation> {
        let mut effects = Vec::new();
        let mut idle = false;
        for _ in 0..TIMERS {
            let facts = self.facts(setup);
            let Some(wait) = facts.wait else { return self.check_blocks(setup, &facts) };
            let waits = self.links.iter().flatten().any(|k| !k.connected || k.asked != k.answered);
            // From then on there is nothing but links that are closed, one after the other.
            idle |= wait >= FAR;
            let early = !waits && !idle;
            effects.clear();
            let broken = self.take(setup, frames, Input::Deadline, Some(wait), &mut effects);
            if broken.is_some() {
                return broken;
            }
            let stirs = |effect: &Effect| matches!(effect, Effect::Connect(..) | Effect::Write(..));
            if effects.iter().any(stirs) || early || idle && effects.is_empty() {
                let what =
                    format!("nothing is left to do, and in {wait} us a timer is due: {effects:?}");
                return Some(Checker::I20.broken(what));
            }
        }
        Some(Checker::I20.broken(format!("nothing is left to do, and {TIMERS} timers were due")))
    }

    /// I19: whether a read that is dropped before it read anything, and a look at what there is to
    /// write, change anything.
    pub(crate) fn check_drops(mut self, scratch: &mut Fingerprinter) -> Option<Violation> {
        // The first read is a sign of life, and begins a frame; the others are nothing new.
        self.drop_all();
        let before = (self.fingerprint(scratch), self.producer.poll_timeout());
        self.drop_all();
        let same = (self.fingerprint(scratch), self.producer.poll_timeout()) == before;
        (!same).then(|| {
            Checker::I19.broken("a read of nothing, or a dropped write, changes something")
        })
    }

    fn drop_all(&mut self) {
        for known in self.links.into_iter().flatten() {
            if known.connected {
                self.producer.handle_input(self.now, known.link, &[]);
            }
            if !self.lend(known.link).is_empty() {
                self.producer.consume_output(self.now, known.link, 0);
            }
        }
    }

    /// A record that should have its outcome by now, and has none.
    pub(crate) fn overdue(&mut self, setup: &Setup) -> Option<u8> {
        let pending = self.facts(setup).pending;
        let (now, span) = (self.now, setup.config().delivery_timeout);
        let closed = self.closes.is_some_and(|end| end < now);
        (0..RECORDS as u8).find(|record| {
            let at = self.records[usize::from(*record)].map(|(_, _, at)| at);
            // At that very instant its deadline may still be due.
            pending & 1 << record != 0 && at.is_some_and(|at| closed || at.after(span) < now)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(setup: &Setup) -> Client {
        Client::new(setup, &mut Frames::default()).0
    }

    fn broken(violation: Option<Violation>) -> Option<Checker> {
        violation.map(|violation| violation.checker)
    }

    #[test]
    fn who_wakes_for_nothing_is_found() {
        let setup = Setup::new(1, 1);
        let mut client = begun(&setup);
        let mut frames = Frames::default();
        for input in [Input::Produce(0), Input::Deadline] {
            let taken = client.take(&setup, &mut frames, input, Some(0), &mut Vec::new());
            assert_eq!(taken, None);
        }
        let begun = client.clone();
        assert_eq!(broken(client.check_deadline(&setup, 0, &[])), None, "once");
        let pause = Duration::from_millis(50);
        let mut later = client.clone();
        later.now = client.now.after(pause);
        assert_eq!(broken(later.check_deadline(&setup, 0, &[])), None, "after half a pause");
        assert_eq!(broken(client.check_deadline(&setup, 0, &[Effect::Fatal])), None);
        assert_eq!(broken(client.check_deadline(&setup, 0, &[])), None, "once again");
        client.now = client.now.after(Duration::from_millis(49));
        assert_eq!(broken(client.check_deadline(&setup, 0, &[])), Some(Checker::I8));
        // Something is due, and stays so.
        let mut client = begun;
        client.now = client.now.after(Duration::from_millis(5_000));
        assert_eq!(broken(client.check_deadline(&setup, 0, &[])), Some(Checker::I8));
    }

    #[test]
    fn who_calls_again_without_a_pause_is_found() {
        let setup = Setup::new(1, 1);
        let mut client = begun(&setup);
        let known = client.links[0].expect("a link is being made");
        client.note_loss(known);
        let called = |client: &Client, first| client.check_pace(&setup, known.node, first).is_err();
        assert!(called(&client, true) && !called(&client, false), "by that name");
        client.now = client.now.after(Duration::from_millis(80));
        assert!(!called(&client, true), "a pause, less its jitter");
    }

    #[test]
    fn what_begins_though_nothing_is_left_is_found() {
        let setup = Setup::new(1, 1);
        let mut frames = Frames::default();
        let mut client = begun(&setup);
        let mut effects = Vec::new();
        assert_eq!(client.take(&setup, &mut frames, Input::Produce(0), None, &mut effects), None);
        // A record waits: calls are made again and again. As if it were none.
        let rests = client.clone().check_rest(&setup, &mut frames);
        assert_eq!(broken(rests), Some(Checker::I20));
    }
}
