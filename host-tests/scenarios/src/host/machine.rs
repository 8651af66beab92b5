//! The bare machine, with a run loop as short as it can be.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use ottla::identity::Sequence;
use ottla::memory::{Growable, Owner};
use ottla::{Event, Flush, Instant, Link, LinkAction, Producer, Reason, Refused, Topic};

use super::{DAY, Host, Line, Offer, Setup, Told};
use crate::fate::Fate;
use crate::script::Place;

ottla::fixed! {
    /// Enough of everything, so that no script meets a limit that the heap does not have.
    pub(crate) Roomy {
        topics: 4, partitions: 16, batches: 96, requests: 40, links: 6, brokers: 12,
        host: 32, names: 256, blocks: 24, block_size: 16_384,
    }
}

/// A machine in some memory.
pub(crate) struct Machine<O> {
    producer: Producer<O>,
    /// In milliseconds.
    now: u64,
    max_block: u64,
    topics: HashMap<String, Topic>,
    /// Numbers of accepted records, by topic, partition, and the record's number there.
    accepted: HashMap<(usize, i32, u64), usize>,
    /// Records that wait to be accepted, and until when.
    waiting: VecDeque<(Offer, u64)>,
    lines: BTreeMap<Line, (Link, bool)>,
    next_line: Line,
    flush: Option<Flush>,
    sequences: Vec<(Place, u32)>,
    told: Vec<Told>,
}

pub(crate) fn growable(setup: &Setup) -> Box<dyn Host> {
    Box::new(Machine::start(Growable::new(setup.config.buffer_memory()), setup))
}

pub(crate) fn fixed(setup: &Setup) -> Box<dyn Host> {
    Box::new(Machine::start(Roomy::new(), setup))
}

impl<O: Owner> Machine<O> {
    fn start(owner: O, setup: &Setup) -> Self {
        let config = &setup.config;
        let mut producer = Producer::new(owner, *config.core(), setup.seed);
        for (host, port) in config.bootstrap_servers() {
            assert!(producer.bootstrap(host, *port), "no room for the address {host}:{port}");
        }
        assert!(producer.set_client_id(config.client_id()), "no room for the client id");
        producer.set_wall_clock(Instant::ZERO, DAY.cast_unsigned());
        Self {
            producer,
            now: 0,
            max_block: u64::try_from(config.max_block().as_millis()).unwrap_or(u64::MAX),
            topics: HashMap::new(),
            accepted: HashMap::new(),
            waiting: VecDeque::new(),
            lines: BTreeMap::new(),
            next_line: 0,
            flush: None,
            sequences: setup.sequences.clone(),
            told: Vec::new(),
        }
    }

    const fn time(&self) -> Instant {
        Instant::from_millis(self.now)
    }

    fn offer(&mut self, offer: &Offer) -> Result<(), Refused> {
        let topic = match self.topics.get(&offer.topic) {
            Some(topic) => *topic,
            None => {
                let topic = self.producer.topic(&offer.topic)?;
                *self.topics.entry(offer.topic.clone()).or_insert(topic)
            }
        };
        let accepted = self.producer.produce(self.time(), topic, &offer.record())?;
        for (place, first) in &self.sequences {
            if place.topic == offer.topic && place.partition == Some(accepted.partition) {
                // Only the first of these calls for a partition changes anything.
                let first = Sequence::new(*first);
                self.producer.begin_sequences_at(topic, accepted.partition, first);
            }
        }
        let key = (topic.index(), accepted.partition, accepted.number);
        self.accepted.insert(key, offer.number);
        Ok(())
    }

    /// Offers again what waits, in the order of its coming.
    fn admit(&mut self) {
        while let Some((offer, until)) = self.waiting.pop_front() {
            match self.offer(&offer) {
                Ok(()) => {}
                Err(refused) if may_wait(refused) && self.now < until => {
                    self.waiting.push_front((offer, until));
                    break;
                }
                Err(refused) => {
                    self.told.push(Told::Outcome(offer.number, Fate::Refused(refused)));
                }
            }
        }
    }

    fn line_of(&self, link: Link) -> Option<Line> {
        self.lines.iter().find(|(_, (its, _))| *its == link).map(|(line, _)| *line)
    }

    fn orders(&mut self) -> bool {
        let mut busy = false;
        while let Some(action) = self.producer.poll_link() {
            busy = true;
            match action {
                LinkAction::Connect(link, address) => {
                    let told = Told::Connect(self.next_line, address.host.into(), address.port);
                    self.lines.insert(self.next_line, (link, false));
                    self.next_line += 1;
                    self.told.push(told);
                }
                LinkAction::Close(link, _) => {
                    if let Some(line) = self.line_of(link) {
                        self.lines.remove(&line);
                        self.told.push(Told::HungUp(line));
                    }
                }
            }
        }
        busy
    }

    fn write(&mut self) -> bool {
        let mut busy = false;
        let now = self.time();
        for (line, (link, _)) in self.lines.iter().filter(|(_, (_, made))| *made) {
            let mut bytes = Vec::new();
            while let Some(piece) = self.producer.output(*link) {
                bytes.extend_from_slice(piece.bytes);
            }
            if !bytes.is_empty() {
                self.producer.consume_output(now, *link, bytes.len());
                self.told.push(Told::Written(*line, bytes));
                busy = true;
            }
        }
        busy
    }

    fn listen(&mut self) -> bool {
        let mut busy = false;
        while let Some(event) = self.producer.poll_event() {
            busy = true;
            match event {
                Event::Delivered(run) => {
                    for place in 0..i64::from(run.count) {
                        let number = run.first + place.cast_unsigned();
                        let key = (run.topic.index(), run.partition, number);
                        let number = self.accepted.remove(&key);
                        let number = number.expect("an outcome of a record that was accepted");
                        self.told.push(Told::Outcome(number, Fate::of(run.outcome, place)));
                    }
                }
                Event::Closed => self.told.push(Told::Closed),
                _ => {}
            }
        }
        if let Some(flush) = self.flush
            && self.producer.is_flushed(flush)
        {
            self.flush = None;
            self.told.push(Told::Flushed);
        }
        busy
    }

    /// Everything that goes on without time passing.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            let due = self.producer.poll_timeout().is_some_and(|at| at <= self.time());
            if due {
                self.producer.handle_timeout(self.time());
            }
            let heard = self.listen();
            if heard || self.waiting.front().is_some_and(|(_, until)| *until <= self.now) {
                // What was refused may be accepted after an event, and not before.
                self.admit();
            }
            if !(due | heard | self.orders() | self.write()) {
                return;
            }
        }
        panic!("the machine does not come to rest");
    }
}

/// What adapters wait for.
const fn may_wait(refused: Refused) -> bool {
    use ottla::error::Full;
    matches!(
        refused,
        Refused::Full(Full::Memory | Full::Batches)
            | Refused::TopicUnknown
            | Refused::PartitionUnknown
            | Refused::TimeUnknown
    )
}

impl<O: Owner> Host for Machine<O> {
    fn now(&self) -> u64 {
        self.now
    }

    fn run(&mut self, until: u64) -> Vec<Told> {
        loop {
            self.settle();
            if !self.told.is_empty() || self.now >= until {
                return std::mem::take(&mut self.told);
            }
            // Up to the next whole millisecond, as the other hosts' timers are.
            let timer = self.producer.poll_timeout().map(|at| at.as_micros().div_ceil(1_000));
            let waiter = self.waiting.front().map(|(_, until)| *until);
            let next = timer.into_iter().chain(waiter).chain([until]).min().unwrap_or(until);
            self.now = self.now.max(next);
        }
    }

    fn produce(&mut self, offer: Offer) {
        let until = self.now.saturating_add(self.max_block);
        self.waiting.push_back((offer, until));
        self.admit();
    }

    fn flush(&mut self) {
        self.flush = Some(self.producer.flush(self.time()));
    }

    fn close(&mut self, timeout: Duration) {
        let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let deadline = Instant::from_millis(self.now.saturating_add(millis));
        self.producer.close(self.time(), deadline);
        // Who waits has to hear of it.
        self.admit();
    }

    fn connected(&mut self, line: Line) {
        let now = self.time();
        if let Some((link, made)) = self.lines.get_mut(&line) {
            *made = true;
            self.producer.handle_connected(now, *link);
        }
    }

    fn refused(&mut self, line: Line, reason: Reason) {
        if let Some((link, _)) = self.lines.remove(&line) {
            self.producer.handle_disconnected(self.time(), link, reason);
        }
    }

    fn receive(&mut self, line: Line, bytes: &[u8]) {
        if let Some((link, _)) = self.lines.get(&line) {
            self.producer.handle_input(self.time(), *link, bytes);
        }
    }

    fn end(&mut self, line: Line) {
        self.refused(line, Reason::Disconnected);
    }
}
