//! The production machine, with what its adapter and its application do: links are opened and
//! closed, frames written, records produced, events taken.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ottla::identity::Sequence;
use ottla::producer::{Batch, LinkAction, Producer, Topic};
use ottla::{Cause, Duration, Event, Instant, Link, Outcome, Reason, Record};

use crate::brokers::TOPIC;
use crate::fingerprint::{Fingerprint, Fingerprinter, of_producer};
use crate::frames::{FrameId, Frames};
use crate::setup::{BLOCK, RECORDS, Setup};

/// Links that there are: one to the address to begin with, and one to each node.
pub const LINKS: usize = 3;

ottla::fixed! {
    /// Memory of a searched producer: as small as the worlds need.
    pub Small {
        topics: 1, partitions: 2, batches: 6, requests: 10, links: 3, brokers: 3,
        host: 8, names: 8, blocks: 6, block_size: 128,
    }
}
const _: () = assert!(BLOCK == 128 && LINKS == 3 && RECORDS == 6);

/// What a record holds.
#[must_use]
pub const fn value(record: u8) -> [u8; 8] {
    [b'o', b't', b't', b'l', 0, 0, 0, record]
}

/// What a producer is given to come to its end.
const CLOSE: Duration = Duration::from_millis(500);

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
}

/// What a world has to know of a producer's state.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Facts {
    /// How far off the next deadline is; none if nothing is armed.
    pub wait: Option<u64>,
    /// Records whose outcome is decided, a bit for each; told or not.
    pub decided: u8,
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
        let mut producer = Producer::new(Small::new(), setup.config(), 1);
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
    ) -> Option<String> {
        let taken = catch_unwind(AssertUnwindSafe(|| {
            self.give(setup, frames, input, wait, effects)?;
            self.settle(setup, frames, effects)
        }));
        match taken {
            Ok(taken) => taken.err(),
            Err(_) => Some("the producer panicked".to_string()),
        }
    }

    fn link(&self, slot: u8) -> Option<Link> {
        self.links[usize::from(slot)].map(|known| known.link)
    }

    fn give(
        &mut self,
        setup: &Setup,
        frames: &Frames,
        input: Input,
        wait: Option<u64>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), String> {
        let now = self.now;
        match input {
            Input::Connected(slot) => {
                if let Some(link) = self.link(slot) {
                    self.producer.handle_connected(now, link);
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

    fn produce(&mut self, setup: &Setup, partition: u8) -> Result<(), String> {
        for _ in 0..setup.records {
            let place = self.produced[usize::from(partition)];
            let record = setup.record(partition, place);
            let value = value(record);
            let index = i32::from(partition);
            let new = Record::new(&value).timestamp(TIMESTAMP).partition(index);
            let accepted = self.producer.produce(self.now, self.topic, &new);
            let accepted = accepted.map_err(|e| format!("record {record} was refused: {e:?}"))?;
            if accepted.number != u64::from(place) {
                return Err(format!("record {record} has the number {}", accepted.number));
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
    ) -> Result<(), String> {
        loop {
            let before = effects.len();
            while let Some(action) = self.producer.poll_link() {
                match action {
                    LinkAction::Connect(link, address) => {
                        let node = (address.port - 9_091) as u8;
                        let known = Known { link, asked: 0, answered: 0 };
                        self.links[link.index()] = Some(known);
                        effects.push(Effect::Connect(link.index() as u8, node));
                    }
                    LinkAction::Close(link, _) => {
                        self.links[link.index()] = None;
                        effects.push(Effect::Close(link.index() as u8));
                    }
                }
            }
            for slot in 0..LINKS {
                self.write(slot, frames, effects)?;
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
        slot: usize,
        frames: &mut Frames,
        effects: &mut Vec<Effect>,
    ) -> Result<(), String> {
        let Some(mut known) = self.links[slot] else { return Ok(()) };
        let mut bytes = Vec::new();
        while let Some(piece) = self.producer.output(known.link) {
            bytes.extend_from_slice(piece.bytes);
            let count = piece.bytes.len();
            self.producer.consume_output(self.now, known.link, count);
        }
        let mut rest = &bytes[..];
        while let Some((size, _)) = rest.split_first_chunk::<4>() {
            let length = 4 + i32::from_be_bytes(*size) as usize;
            let frame = rest.get(..length).ok_or("half a frame was written")?;
            rest = &rest[length..];
            let (frame, correlation) =
                frames.request(frame).ok_or("a frame was written that nobody can read")?;
            if correlation != known.asked {
                return Err(format!("correlation id {correlation} after {} requests", known.asked));
            }
            known.asked += 1;
            effects.push(Effect::Write(slot as u8, frame));
        }
        if self.links[slot].is_some() {
            self.links[slot] = Some(known);
        }
        Ok(())
    }

    pub(crate) fn facts(&mut self, setup: &Setup) -> Facts {
        let wait = self.producer.poll_timeout();
        let wait = wait.map(|at| at.as_micros().saturating_sub(self.now.as_micros()));
        let mut facts = Facts { wait, decided: 0, untaken: 0, pending: 0, held: 0 };
        for record in 0..setup.partitions * setup.per_partition() {
            let place = usize::from(record);
            let Some((batch, number, _)) = self.records[place] else { continue };
            if self.taken[place] {
                facts.decided |= 1 << record;
            } else if self.producer.outcome(batch, number).is_some() {
                facts.decided |= 1 << record;
                facts.untaken |= 1 << record;
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
        facts
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
