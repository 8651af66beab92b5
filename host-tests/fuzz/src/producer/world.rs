//! A producer, the links that it has and had, and a clock.

use std::hash::{DefaultHasher, Hash, Hasher};

use ottla::config::UnknownTime;
use ottla::memory::Shared;
use ottla::message::Api;
use ottla::producer::Broker;
use ottla::{
    Accepted, Duration, Event, Header, Instant, Link, LinkAction, Producer, Reason, Record, Topic,
};

use super::call::Call;
use super::judge::{Book, Ledger, Stamps};
use super::memory::Checked;
use super::peer::{Cluster, Peer, Recipe};
use super::setup::Setup;

/// More than there ever is to do at one instant.
const TURNS_MAX: u32 = 20_000;
/// More than ever wakes a producer, from when all is well to when nothing is left to do.
const WAKES_MAX: u32 = 3_000;
/// Comparing a whole producer takes long.
const COMPARED_MAX: u32 = 1;
/// Links that have ended and may still be called.
const ENDED_MAX: usize = 8;
/// The clock never shows more than this: what lies behind it is the end of time.
const LATEST: u64 = 1 << 62;

const STEPS: [u64; 16] = [
    0,
    1,
    1_000,
    5_000,
    50_000,
    100_000,
    1_000_000,
    10_000_000,
    31_000_000,
    121_000_000,
    600_000_000,
    86_400_000_000,
    30 * 86_400_000_000,
    365 * 86_400_000_000,
    1 << 32,
    1 << 61,
];

const REASONS: [Reason; 5] = [
    Reason::Disconnected,
    Reason::Refused,
    Reason::Unresolved,
    Reason::SetupTimeout,
    Reason::Shutdown,
];

const NAMES: [&str; 6] = ["t", "u", "readings", "v", "a name that is not legal", ""];

/// How far a link has come, as an adapter knows it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum State {
    Dialing,
    Open,
    Ended,
}

struct Wire {
    link: Link,
    state: State,
    peer: Peer,
}

pub(super) struct World<'a, O> {
    producer: Producer<O>,
    setup: &'a Setup,
    started: bool,
    closing: bool,
    clock: u64,
    /// The largest time that was passed in.
    latest: u64,
    wires: Vec<Wire>,
    topics: Vec<Topic>,
    cluster: Cluster,
    ledger: Ledger,
    book: Book,
    stamps: Stamps,
    held: Vec<Shared>,
    last: Option<Accepted>,
    broker: Option<Broker>,
    closed: u32,
    compared: u32,
    hash: DefaultHasher,
}

impl<'a, O: Checked> World<'a, O> {
    pub(super) fn new(producer: Producer<O>, setup: &'a Setup) -> Self {
        Self {
            producer,
            setup,
            started: false,
            closing: false,
            clock: 0,
            latest: 0,
            wires: Vec::new(),
            topics: Vec::new(),
            cluster: Cluster::new(),
            ledger: Ledger::default(),
            book: Book::default(),
            stamps: Stamps::default(),
            held: Vec::new(),
            last: None,
            broker: None,
            closed: 0,
            compared: 0,
            hash: DefaultHasher::new(),
        }
    }

    /// The time that is passed in now.
    fn now(&mut self) -> Instant {
        self.latest = self.latest.max(self.clock);
        Instant::from_micros(self.clock)
    }

    fn pass(&mut self, micros: u64) {
        self.clock = self.clock.saturating_add(micros).min(LATEST);
    }

    /// I18: what came out is part of the trace.
    fn note(&mut self, output: impl Hash) {
        output.hash(&mut self.hash);
    }

    /// A link by its number, among those that are not over or among all that ever were.
    fn wire(&self, number: u8) -> Option<usize> {
        let alive: Vec<usize> =
            (0..self.wires.len()).filter(|at| self.wires[*at].state != State::Ended).collect();
        let number = usize::from(number);
        if number < 192 && !alive.is_empty() {
            return Some(alive[number % alive.len()]);
        }
        (!self.wires.is_empty()).then(|| number % self.wires.len())
    }

    /// Makes a call, or a few.
    pub(super) fn call(&mut self, call: Call<'_>) {
        match call {
            Call::Start => {
                self.producer.start(self.setup.config, self.setup.seed);
                // Of several calls the first counts, and none after the end.
                self.started |= !self.closing;
            }
            Call::Topic { name, partitions } => self.topic(name, partitions),
            Call::Produce { topic, partition, length, fields } => {
                self.produce(topic, partition, length, fields);
            }
            Call::Flush => {
                let now = self.now();
                let flush = self.producer.flush(now);
                self.ledger.flush(flush);
            }
            Call::Close { after } => {
                let after = STEPS[usize::from(after) % STEPS.len()];
                self.closing = true;
                let now = self.now();
                self.producer.close(now, now.after(Duration::from_micros(after)));
            }
            Call::Pause => {
                let now = self.now();
                self.producer.pause(now);
            }
            Call::Resume => {
                let now = self.now();
                self.producer.resume(now);
            }
            Call::WallClock { millis } => {
                let now = self.now();
                let set = self.producer.set_wall_clock(now, millis);
                if set {
                    self.stamps.set(millis, self.latest);
                }
                self.note(set);
            }
            Call::Bootstrap { host } => {
                let long = "h".repeat(usize::from(host));
                let host = if host < 128 { &format!("n{}", 1 + host % 4) } else { &long };
                let added = self.producer.bootstrap(host, 9_092);
                self.note(added);
            }
            Call::ClientId { length } => {
                let set = self.producer.set_client_id(&"c".repeat(2 * usize::from(length)));
                self.note(set);
            }
            Call::Pass { step } => self.pass(STEPS[usize::from(step) % STEPS.len()]),
            Call::Back { step } => {
                self.clock = self.clock.saturating_sub(STEPS[usize::from(step) % STEPS.len()]);
            }
            Call::Timeout => self.timeout(),
            Call::Wake => {
                if let Some(at) = self.producer.poll_timeout() {
                    self.clock = self.clock.max(at.as_micros()).min(LATEST);
                }
                self.timeout();
            }
            Call::PollLink => {
                self.poll_link();
            }
            Call::Connected { link } => self.connected(link),
            Call::Disconnected { link, reason } => self.disconnected(link, reason),
            Call::Output { link, pieces } => self.lend(link, pieces),
            Call::Consume { link, count } => self.consume(link, count),
            Call::Write { link, room } => {
                if let Some(at) = self.wire(link) {
                    self.write(at, usize::from(room));
                }
            }
            Call::Input { link, bytes } => {
                if let Some(at) = self.wire(link) {
                    self.input_anything(at, bytes);
                }
            }
            Call::Answer { link, cut, recipe } => {
                if let Some(at) = self.wire(link) {
                    self.answer(at, cut, &mut Recipe::new(recipe));
                }
            }
            Call::Garbage { link, body } => self.garbage(link, body),
            Call::PollEvent => {
                self.poll_event();
            }
            Call::Look { number } => self.look(number),
            Call::Release => self.held.clear(),
            Call::Pump => self.pump(),
        }
        self.check();
    }

    /// What holds after every call.
    fn check(&mut self) {
        let (charged, bound) = self.producer.owner().charged();
        assert!(charged <= bound, "I9: {charged} bytes of {bound}");
    }

    fn topic(&mut self, name: u8, partitions: u8) {
        // A few, and more than the smallest table on the heap holds.
        let many = format!("topic-{name}");
        let name = match name {
            0..128 => NAMES[usize::from(name) % NAMES.len()],
            _ => &many,
        };
        let made = match partitions {
            0..128 => self.producer.topic(name),
            count => self.producer.declare_topic(name, u32::from(count) % 6),
        };
        self.note(made);
        if let Ok(topic) = made {
            assert_eq!(self.producer.topic_name(topic), name);
            if !self.topics.contains(&topic) {
                self.topics.push(topic);
            }
        }
    }

    fn produce(&mut self, topic: u8, partition: u8, length: u8, fields: u8) {
        if self.topics.is_empty() {
            return;
        }
        let now = self.now();
        let topic = self.topics[usize::from(topic) % self.topics.len()];
        let length = match length {
            0..192 => usize::from(length),
            192..240 => usize::from(length - 191) * 20,
            _ => usize::from(length) * 400,
        };
        let value = vec![length as u8; length];
        let header = [Header { key: "h", value: Some(b"v") }, Header { key: "", value: None }];
        let mut record = Record::new(&value).class(fields >> 6);
        if fields & 1 != 0 {
            record = record.key(&value[..length.min(9)]);
        }
        if fields & 2 != 0 {
            record = record.headers(&header);
        }
        record.timestamp = match fields >> 2 & 3 {
            0 => None,
            1 => Some(i64::from(length as u32)),
            2 => Some(i64::MAX - 5),
            _ => Some(-1),
        };
        if fields & 16 != 0 {
            record.value = None;
        }
        record.partition = match partition {
            0..128 => Some(i32::from(partition % 4)),
            128..224 => None,
            _ => Some(i32::from(partition) - 240),
        };
        let result = self.producer.produce(now, topic, &record);
        self.note(result);
        if let Err(refused) = result {
            self.note(refused.to_string());
        }
        if let Ok(accepted) = result {
            let floor = match self.setup.config.unknown_time {
                UnknownTime::Floor(floor) => floor,
                UnknownTime::Wait => 0,
            };
            self.stamps.accept(record.timestamp, floor, self.latest);
            self.ledger.accept(topic, &accepted, Instant::from_micros(self.latest));
            self.last = Some(accepted);
        }
    }

    fn timeout(&mut self) {
        let now = self.now();
        self.producer.handle_timeout(now);
        // An event that is taken may leave something to be done at once: a batch's next part.
        let mut turns = 0;
        while self.listen() && self.producer.poll_timeout().is_some_and(|at| at <= now) {
            self.producer.handle_timeout(now);
            turns += 1;
            assert!(turns < TURNS_MAX, "I10: there is always another event");
        }
        // I8. Paused, no time counts; without settings nothing is accepted.
        if !self.producer.is_paused()
            && let Some(oldest) = self.ledger.oldest()
        {
            let due = oldest.after(self.setup.config.delivery_timeout);
            assert!(due.as_micros() > self.latest, "I8: {oldest:?} has no outcome at {now:?}");
        }
        let producer = &mut self.producer;
        self.ledger.check_flushes(|flush| producer.is_flushed(flush));
        self.look_armed();
    }

    /// I8: what waits has a timer.
    fn look_armed(&mut self) {
        let timer = self.producer.poll_timeout();
        self.note(timer);
        if self.producer.is_paused() {
            assert_eq!(timer, None, "paused, and a timer runs");
        } else if let Some(oldest) = self.ledger.oldest() {
            let due = oldest.after(self.setup.config.delivery_timeout);
            let armed = timer.is_some_and(|at| at <= due);
            assert!(
                armed || due.as_micros() > LATEST,
                "I8: due at {due:?}, and woken at {timer:?}"
            );
        }
    }

    /// The next thing to do for a link. False: there is none.
    fn poll_link(&mut self) -> bool {
        let (link, connects) = match self.producer.poll_link() {
            None => return false,
            Some(LinkAction::Connect(link, address)) => {
                address.hash(&mut self.hash);
                (link, true)
            }
            Some(LinkAction::Close(link, reason)) => {
                reason.hash(&mut self.hash);
                (link, false)
            }
        };
        self.note(link);
        let known = self.wires.iter_mut().find(|wire| wire.link == link);
        match (known, connects) {
            (None, true) => {
                self.forget_ended();
                self.wires.push(Wire { link, state: State::Dialing, peer: Peer::default() });
            }
            // It may have ended for both at once.
            (Some(wire), false) => wire.state = State::Ended,
            (known, _) => {
                let known = known.map(|wire| wire.state);
                panic!("{link:?} is {known:?}; it is to be opened: {connects}");
            }
        }
        true
    }

    /// Of links that have ended, some are kept to be called again.
    fn forget_ended(&mut self) {
        let ended = self.wires.iter().filter(|wire| wire.state == State::Ended).count();
        let mut surplus = ended.saturating_sub(ENDED_MAX);
        self.wires.retain(|wire| {
            let goes = surplus > 0 && wire.state == State::Ended;
            surplus -= usize::from(goes);
            !goes
        });
    }

    /// Calls for a link. I10: they change nothing if it has ended.
    fn of_link(&mut self, at: usize, call: impl FnOnce(&mut Producer<O>, Instant, Link)) {
        let now = self.now();
        let Wire { link, state, .. } = self.wires[at];
        if state != State::Ended || self.compared == COMPARED_MAX {
            return call(&mut self.producer, now, link);
        }
        self.compared += 1;
        // Time itself changes something.
        self.producer.handle_timeout(now);
        let before = format!("{:?}", self.producer);
        call(&mut self.producer, now, link);
        assert_eq!(format!("{:?}", self.producer), before, "a call for {link:?}, which has ended");
    }

    fn connected(&mut self, link: u8) {
        let Some(at) = self.wire(link) else { return };
        self.of_link(at, |producer, now, link| producer.handle_connected(now, link));
        let wire = &mut self.wires[at];
        if wire.state == State::Dialing {
            wire.state = State::Open;
        }
    }

    fn disconnected(&mut self, link: u8, reason: u8) {
        let Some(at) = self.wire(link) else { return };
        let reason = REASONS[usize::from(reason) % REASONS.len()];
        self.end_wire(at, reason);
    }

    fn end_wire(&mut self, at: usize, reason: Reason) {
        self.of_link(at, |producer, now, link| producer.handle_disconnected(now, link, reason));
        self.wires[at].state = State::Ended;
        self.wires[at].peer = Peer::default();
    }

    /// Pieces are lent; blocks of some are held as by a writer.
    fn lend(&mut self, link: u8, pieces: u8) {
        let Some(at) = self.wire(link) else { return };
        let link = self.wires[at].link;
        for _ in 0..pieces % 16 {
            let Some(piece) = self.producer.output(link) else { break };
            piece.bytes.hash(&mut self.hash);
            let block = piece.block;
            if pieces >= 128
                && let Some((block, _)) = block
            {
                self.held.extend(self.producer.owner().share(block));
            }
        }
    }

    fn consume(&mut self, link: u8, count: u16) {
        let Some(at) = self.wire(link) else { return };
        let count = if count == u16::MAX { usize::MAX } else { usize::from(count) };
        if count > 0 {
            self.wires[at].peer.garbled = true;
            // What was written is not known any more, and so is not what was asked.
            self.book.forget();
        }
        self.of_link(at, |producer, now, link| producer.consume_output(now, link, count));
    }

    /// Writes what is lent, at most `room` bytes of it. Returns how many.
    fn write(&mut self, at: usize, room: usize) -> usize {
        let link = self.wires[at].link;
        let mut bytes = Vec::new();
        // What was lent before and not said to have been written is lent again.
        let now = self.now();
        self.producer.consume_output(now, link, 0);
        let mut pieces = 0;
        while bytes.len() < room {
            let Some(piece) = self.producer.output(link) else { break };
            let taken = piece.bytes.len().min(room - bytes.len());
            bytes.extend_from_slice(&piece.bytes[..taken]);
            pieces += 1;
            assert!(pieces < TURNS_MAX, "I10: there is always another piece");
        }
        self.note(&bytes);
        if bytes.is_empty() {
            return 0;
        }
        assert_ne!(self.wires[at].state, State::Ended, "bytes for a link that has ended");
        self.producer.consume_output(now, link, bytes.len());
        for asked in self.wires[at].peer.take(&bytes) {
            if asked.api == Api::Produce {
                self.stamps.written(&asked);
            }
            if asked.api == Api::Produce && !self.cluster.confused {
                self.book.written(&asked);
            }
        }
        bytes.len()
    }

    fn input(&mut self, at: usize, bytes: &[u8]) {
        self.of_link(at, |producer, now, link| producer.handle_input(now, link, bytes));
    }

    /// What comes may be an answer to anything that was asked, or be taken for one.
    fn input_anything(&mut self, at: usize, bytes: &[u8]) {
        self.cluster.confused = true;
        self.book.forget();
        self.input(at, bytes);
    }

    fn answer(&mut self, at: usize, cut: u8, recipe: &mut Recipe<'_>) {
        let Some(asked) = self.wires[at].peer.asked.pop_front() else { return };
        let (bytes, codes) = self.cluster.answer(&asked, recipe);
        if self.cluster.confused {
            self.book.forget();
        } else if asked.api == Api::Produce {
            self.book.answered(&asked, &codes);
        }
        let size = if cut == 0 { bytes.len() } else { usize::from(cut) };
        for piece in bytes.chunks(size) {
            self.input(at, piece);
        }
    }

    fn garbage(&mut self, link: u8, body: &[u8]) {
        let Some(at) = self.wire(link) else { return };
        let Some(asked) = self.wires[at].peer.asked.pop_front() else { return };
        let mut frame = (body.len() as u32 + 4).to_be_bytes().to_vec();
        frame.extend_from_slice(&asked.correlation.to_be_bytes());
        frame.extend_from_slice(body);
        self.input_anything(at, &frame);
    }

    /// The next event. False: there is none.
    fn poll_event(&mut self) -> bool {
        let Some(event) = self.producer.poll_event() else { return false };
        self.note(event);
        match event {
            Event::Delivered(delivery) => {
                self.ledger.deliver(&delivery);
                let complaints = self.producer.complaints().count();
                self.note((complaints, delivery.outcome.to_string()));
            }
            Event::LinkEnded(broker, reason) => {
                self.broker = Some(broker);
                self.note(reason.to_string());
            }
            Event::HostTooLong(broker) => self.broker = Some(broker),
            Event::Closed => self.closed += 1,
            _ => {}
        }
        assert!(self.closed <= 1, "closed twice");
        true
    }

    /// Takes all events.
    fn listen(&mut self) -> bool {
        let mut count = 0;
        while self.poll_event() {
            count += 1;
            assert!(count < TURNS_MAX, "I10: there is always another event");
        }
        count > 0
    }

    fn look(&mut self, number: u8) {
        if let Some(accepted) = self.last {
            let outcome = self.producer.outcome(accepted.batch, accepted.number);
            let other = self.producer.outcome(accepted.batch, u64::from(number));
            self.note((outcome, other));
        }
        if let Some(broker) = self.broker {
            self.producer.broker_address(broker).hash(&mut self.hash);
        }
        for at in 0..self.wires.len() {
            let link = self.wires[at].link;
            self.producer.link_address(link).hash(&mut self.hash);
            let (lends, ended) =
                (self.producer.has_output(link), self.wires[at].state == State::Ended);
            assert!(!(lends && ended), "output for a link that has ended");
        }
        for topic in self.topics.clone() {
            let count = self.producer.partition_count(topic);
            self.note(count);
        }
        self.producer.complaints().count();
        if self.started {
            assert_eq!(*self.producer.config(), self.setup.config);
        }
        let (counters, timer) = (self.producer.counters(), self.producer.poll_timeout());
        let closed = self.producer.is_closed();
        self.note((counters, timer, closed));
        let problems = self.producer.config().problems(u64::from(number)).count();
        self.note(problems);
    }

    /// Does all that is to do at this instant, as an adapter does it. Answers say that all is
    /// well.
    fn pump(&mut self) {
        let mut turns = 0;
        while self.turn() {
            turns += 1;
            assert!(turns < TURNS_MAX, "I10: there is always something to do");
        }
        self.look_armed();
    }

    fn turn(&mut self) -> bool {
        let mut busy = false;
        if self.producer.poll_timeout().is_some_and(|at| at.as_micros() <= self.clock) {
            self.timeout();
            busy = true;
        }
        while self.poll_link() {
            busy = true;
        }
        for at in 0..self.wires.len() {
            match self.wires[at].state {
                State::Ended => continue,
                State::Dialing => {
                    self.of_link(at, |producer, now, link| producer.handle_connected(now, link));
                    self.wires[at].state = State::Open;
                    busy = true;
                }
                State::Open if self.wires[at].peer.garbled => {
                    self.end_wire(at, Reason::Disconnected);
                    busy = true;
                }
                State::Open => {}
            }
            if self.wires[at].state == State::Open {
                busy |= self.write(at, usize::MAX) > 0;
                while !self.wires[at].peer.asked.is_empty() {
                    self.answer(at, 0, &mut Recipe::new(&[]));
                    busy = true;
                }
            }
        }
        busy |= self.listen();
        self.check();
        busy
    }

    /// All is well from now on; when nothing is left to do, everything is closed.
    pub(super) fn end(mut self) -> u64 {
        self.held.clear();
        self.clock = self.clock.max(self.latest);
        self.call(Call::Resume);
        self.pump();
        // I20. With a deadline for outcomes that is never reached, records of a partition that
        // nobody leads wait for ever, and ask for it.
        let mut wakes = 0;
        while let Some(at) = self.producer.poll_timeout() {
            if at.as_micros() > LATEST || wakes == WAKES_MAX && self.ledger.open() > 0 {
                break;
            }
            wakes += 1;
            assert!(wakes <= WAKES_MAX, "I20: nothing is left to do, and it is woken at {at:?}");
            self.clock = self.clock.max(at.as_micros());
            self.timeout();
            self.pump();
        }
        let now = self.now();
        let deadline = now.after(Duration::from_secs(1));
        self.producer.close(now, deadline);
        self.pump();
        self.clock = deadline.as_micros();
        self.timeout();
        self.pump();
        assert_eq!(self.ledger.open(), 0, "I7: closed, and records have no outcome");
        assert!(self.producer.is_closed() && self.closed == 1, "I8: not closed by the deadline");
        let counters = self.producer.counters();
        let told = counters.written + counters.not_written + counters.unknown;
        assert_eq!(told, self.ledger.accepted, "I7: {counters:?}");
        let open = self.wires.iter().filter(|wire| wire.state != State::Ended).count();
        assert_eq!((open, self.producer.poll_timeout()), (0, None), "I20: closed");
        self.note(counters);
        self.hash.finish()
    }
}
