//! An application with its producer: what it does when it is awake.

use ottla::{Event, Instant, Link, LinkAction, Reason, Refused, Topic};

use crate::draw::TOPICS;
use crate::engine::Engine;
use crate::fault::{Fault, Fired};
use crate::frames::{self, mix};
use crate::promise::Promise;
use crate::sample;
use crate::variety::ClientSetup;
use crate::world::{Due, World};

/// More than a producer has to do at one instant, even a byte at a time.
const TURNS_MAX: u32 = 20_000;
/// Nobody waits with more records than these.
const OWED_MAX: usize = 5_000;

/// Something that lasts for a while.
#[derive(Copy, Clone, Default, Debug)]
pub(crate) struct Spell {
    pub(crate) amount: u64,
    pub(crate) until: u64,
    /// Nobody has met it yet.
    pub(crate) fresh: bool,
}

impl Spell {
    pub(crate) const fn new(amount: u64, until: u64) -> Self {
        Self { amount, until, fresh: true }
    }

    /// How much of it there is now; nothing once it is over.
    pub(crate) const fn amount(&self, now: u64) -> u64 {
        if now < self.until { self.amount } else { 0 }
    }

    /// As that, and somebody met it.
    pub(crate) fn meet(&mut self, now: u64, fault: Fault, fired: &mut Fired) -> u64 {
        let amount = self.amount(now);
        if amount > 0 && std::mem::take(&mut self.fresh) {
            fired.count(fault);
        }
        amount
    }

    /// Some of it is used up.
    pub(crate) fn eat(&mut self, fault: Fault, count: usize, fired: &mut Fired) {
        if self.amount > 0 {
            self.amount = self.amount.saturating_sub(count as u64);
            if std::mem::take(&mut self.fresh) {
                fired.count(fault);
            }
        }
    }
}

/// The ways to and from a client.
#[derive(Copy, Clone, Default, Debug)]
pub(crate) struct Net {
    pub(crate) delay: Spell,
    pub(crate) jitter: Spell,
    pub(crate) asymmetry: Spell,
    pub(crate) bandwidth: Spell,
    pub(crate) merged: Spell,
    pub(crate) refused: Spell,
    pub(crate) unanswered: Spell,
    /// Bytes that still go one by one.
    pub(crate) crumbs: Spell,
    /// What happens to the next request that is sent, and how late it comes.
    pub(crate) late: Option<(Fault, u64)>,
}

/// A record that was refused, and is to be sent.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Owed {
    pub(crate) topic: usize,
    pub(crate) partition: Option<i32>,
    pub(crate) length: u32,
}

/// An application.
pub(crate) struct Client {
    pub(crate) setup: ClientSetup,
    pub(crate) engine: Box<dyn Engine>,
    pub(crate) topics: Vec<Topic>,
    /// The number of its process.
    pub(crate) producer: u32,
    /// What its clock is ahead of the world's.
    pub(crate) clock: u64,
    pub(crate) asleep: u64,
    pub(crate) deaf: u64,
    /// For when it is to be woken.
    pub(crate) armed: Option<u64>,
    pub(crate) wires: Vec<u64>,
    pub(crate) net: Net,
    pub(crate) owed: std::collections::VecDeque<Owed>,
    pub(crate) fatal: bool,
    pub(crate) closed: bool,
    /// Writes that are given up before they are made.
    pub(crate) cancels: u32,
    /// Bytes that were written.
    pub(crate) written: u64,
    pub(crate) timeouts: u64,
}

impl World {
    /// The time on a client's clock.
    pub(crate) fn time(&self, c: usize) -> Instant {
        Instant::from_micros(self.now.saturating_add(self.clients[c].clock))
    }

    /// Lets a client do all that it can do now.
    pub(crate) fn pump(&mut self, c: usize) {
        if self.clients[c].asleep > self.now {
            return;
        }
        let mut turns = 0;
        while self.turn(c) && self.broken.is_none() {
            turns += 1;
            if turns == TURNS_MAX {
                self.blame(Promise::I8, format!("client {c} has always something to do"));
            }
        }
        self.look(c);
    }

    fn turn(&mut self, c: usize) -> bool {
        let mut busy = false;
        let now = self.time(c);
        let client = &mut self.clients[c];
        if client.engine.poll_timeout().is_some_and(|at| at <= now) {
            client.engine.handle_timeout(now);
            client.timeouts += 1;
            self.steps += 1;
            busy = true;
        }
        // Links that have ended, and events, before bytes: what is sent next may rest on an outcome that is to be told (R9).
        busy |= self.links(c) | self.listen(c);
        for index in 0..self.clients[c].wires.len() {
            let wire = self.clients[c].wires[index];
            busy |= self.write(c, wire);
        }
        busy
    }

    /// Opens and closes connections.
    fn links(&mut self, c: usize) -> bool {
        enum Order {
            Connect(Link, i32),
            Close(Link),
        }
        let mut busy = false;
        loop {
            let order = match self.clients[c].engine.poll_link() {
                None => return busy,
                Some(LinkAction::Connect(link, address)) => {
                    let node = address.host.strip_prefix("node").and_then(|n| n.parse().ok());
                    Order::Connect(link, node.unwrap_or(0))
                }
                Some(LinkAction::Close(link, _)) => Order::Close(link),
            };
            busy = true;
            self.steps += 1;
            match order {
                Order::Connect(link, node) => {
                    self.tell(|| format!("client {c} connects to node {node}"));
                    self.dial(c, link, node);
                }
                Order::Close(link) => {
                    self.tell(|| format!("client {c} closes {link:?}"));
                    self.hang_up(c, link);
                }
            }
        }
    }

    fn hang_up(&mut self, c: usize, link: Link) {
        let wires = &self.wires;
        let of_link = |id: &&u64| wires.get(id).is_some_and(|wire| wire.link == Some(link));
        if let Some(id) = self.clients[c].wires.iter().find(of_link).copied() {
            self.part(id, true);
        }
    }

    /// Writes what is lent for a link, as far as there is room.
    fn write(&mut self, c: usize, id: u64) -> bool {
        let Some(wire) = self.wires.get(&id).filter(|wire| wire.connected) else { return false };
        let Some(link) = wire.link else { return false };
        let socket = self.clients[c].setup.socket;
        let mut room = socket.saturating_sub(wire.up.held);
        if room == 0 {
            return false;
        }
        if self.clients[c].net.crumbs.amount > 0 {
            room = room.min(1 + self.random.below(3) as usize);
        }
        if self.clients[c].cancels > 0 {
            self.cancel(c, link);
        }
        let now = self.time(c);
        let client = &mut self.clients[c];
        let mut bytes = Vec::new();
        while bytes.len() < room {
            let Some(piece) = client.engine.output(link) else { break };
            let taken = piece.bytes.len().min(room - bytes.len());
            bytes.extend_from_slice(&piece.bytes[..taken]);
            if taken < piece.bytes.len() {
                break;
            }
        }
        if bytes.is_empty() {
            return false;
        }
        client.net.crumbs.eat(Fault::Crumbs, bytes.len(), &mut self.fired);
        client.engine.consume_output(now, link, bytes.len());
        client.written += bytes.len() as u64;
        self.steps += 1;
        self.hash = mix(self.hash, frames::hash(&bytes));
        self.send(c, id, bytes);
        true
    }

    /// I19: a write that is dropped before it wrote anything was never begun.
    fn cancel(&mut self, c: usize, link: Link) {
        let now = self.time(c);
        let engine = &mut self.clients[c].engine;
        let mut lend = || {
            let mut bytes = Vec::new();
            while let Some(piece) = engine.output(link) {
                bytes.extend_from_slice(piece.bytes);
            }
            engine.consume_output(now, link, 0);
            bytes
        };
        let (first, again) = (lend(), lend());
        if first.is_empty() {
            return;
        }
        self.clients[c].cancels -= 1;
        self.fired.count(Fault::Cancel);
        if let Err(what) = lent_again(&first, &again) {
            self.blame(Promise::I19, format!("client {c}: {what}"));
        }
    }

    /// Takes events, unless the application does not listen.
    fn listen(&mut self, c: usize) -> bool {
        let mut busy = false;
        if self.clients[c].deaf > self.now {
            return false;
        }
        while let Some(event) = self.clients[c].engine.poll_event() {
            busy = true;
            self.steps += 1;
            let producer = self.clients[c].producer;
            self.tell(|| format!("client {c} hears {event:?}"));
            match event {
                Event::Delivered(run) => {
                    self.hash = mix(self.hash, run.first ^ u64::from(run.count) << 40);
                    let topics = &self.clients[c].topics;
                    let topic = topics.iter().position(|topic| *topic == run.topic).unwrap_or(9);
                    self.ledger.delivered(producer, topic as u32, &run);
                }
                Event::Fatal(_) => {
                    self.clients[c].fatal = true;
                    self.book.fatal(producer);
                    self.later(5_000_000, Due::Renew(c as u32));
                }
                Event::Closed => self.clients[c].closed = true,
                _ => {}
            }
        }
        if busy && !self.clients[c].owed.is_empty() {
            self.pay(c);
        }
        busy
    }

    /// Sends what was refused before, until it is refused again.
    pub(crate) fn pay(&mut self, c: usize) -> bool {
        let turns = self.clients[c].owed.len();
        let mut full = false;
        for _ in 0..turns {
            let Some(owed) = self.clients[c].owed.pop_front() else { break };
            match self.offer(c, owed) {
                Ok(()) => {}
                Err(Refused::Full(_)) => {
                    full = true;
                    self.clients[c].owed.push_front(owed);
                    break;
                }
                Err(
                    Refused::TopicUnknown
                    | Refused::Topic(_)
                    | Refused::PartitionUnknown
                    | Refused::TimeUnknown,
                ) => {
                    self.clients[c].owed.push_back(owed);
                }
                // Its next process sends them.
                Err(Refused::Closed | Refused::Fatal(_)) => {
                    self.clients[c].owed.push_front(owed);
                    break;
                }
                Err(_) => {}
            }
        }
        self.clients[c].owed.truncate(OWED_MAX);
        full
    }

    /// Offers a record to the machine.
    pub(crate) fn offer(&mut self, c: usize, owed: Owed) -> Result<(), Refused> {
        let now = self.time(c);
        let id = self.ledger.next_id();
        let client = &mut self.clients[c];
        let length = owed.length.max(sample::SHORTEST);
        sample::value(id, length, &mut self.scratch);
        let style = client.setup.style;
        let mut record = style.record(id, &self.scratch);
        record.partition = owed.partition;
        record.timestamp = style.stamps.then(|| self.cluster.wall_clock());
        let topic = client.topics[owed.topic];
        let result = client.engine.produce(now, topic, &record);
        self.steps += 1;
        let (producer, fatal) = (client.producer, client.fatal);
        match &result {
            Ok(_) if fatal => {
                self.blame(Promise::I17, format!("client {c} accepts after a fatal answer"));
            }
            Ok(accepted) => {
                let topic = owed.topic as u32;
                self.ledger.accepted(producer, topic, now.as_micros(), length, accepted);
            }
            Err(_) => {}
        }
        result.map(|_| ())
    }

    /// Looks whether a client keeps its word after it did all that it could, and sets its alarm.
    fn look(&mut self, c: usize) {
        let now = self.time(c).as_micros();
        if let Some((promise, what)) = self.ledger.broken().or_else(|| self.book.broken()) {
            self.blame(promise, format!("client {c}: {what}"));
        }
        let client = &mut self.clients[c];
        let timer = client.engine.poll_timeout().map(Instant::as_micros);
        let charged = client.engine.charged();
        if let crate::engine::Shape::Heap(bound) = client.setup.shape
            && let Err(what) = within(charged, bound)
        {
            self.blame(Promise::I9, format!("client {c}: {what}"));
        }
        let client = &self.clients[c];
        let listens = client.deaf <= self.now && !client.engine.is_paused();
        let timeout = client.setup.config.delivery_timeout.as_micros();
        if listens
            && let Some((id, at)) = self.ledger.oldest(client.producer)
            && let Err(what) = in_time(id, at, timeout, now, timer)
        {
            self.blame(Promise::I8, format!("client {c}: {what}"));
        }
        let clock = self.clients[c].clock;
        let at = timer.map(|at| at.saturating_sub(clock).max(self.now + 1));
        if at.is_some() && at != self.clients[c].armed {
            self.clients[c].armed = at;
            self.at(at.unwrap_or(0), Due::Wake(c as u32));
        }
        self.hash = mix(self.hash, timer.unwrap_or(1));
    }

    /// A producer begins, in a new process.
    pub(crate) fn begin(&mut self, c: usize) {
        let seed = self.random.bits();
        let client = &self.clients[c];
        let (setup, clock) = (client.setup.clone(), client.clock);
        let config = &setup.config;
        let producer = self.ledger.begin(config, setup.style);
        let mut engine = setup.shape.start(setup.config, seed);
        let first = 1 + self.random.below(u32::from(self.setup.nodes)) as u16;
        let node = |at: u16| 1 + (first + at) % u16::from(self.setup.nodes);
        // Small memory has few places for addresses.
        for at in 0..self.setup.nodes.min(2) {
            let node = node(u16::from(at));
            engine.bootstrap(&format!("node{node}"), 9_091 + node);
        }
        let now = Instant::from_micros(self.now.saturating_add(clock));
        if setup.named {
            engine.set_client_id("sim");
        }
        if setup.learns_time == 0 {
            engine.set_wall_clock(now, self.cluster.wall_clock().cast_unsigned());
        } else {
            self.later(setup.learns_time, Due::Time(c as u32));
        }
        let mut topics = Vec::new();
        for (name, partitions) in TOPICS.iter().zip(&self.setup.topics) {
            let known = if setup.declares { *partitions } else { 0 };
            topics.extend(engine.declare_topic(name, known));
        }
        let client = &mut self.clients[c];
        client.engine = engine;
        client.topics = topics;
        client.producer = producer;
        (client.fatal, client.closed, client.armed) = (false, false, None);
    }

    /// A process ends without a word, and another begins.
    pub(crate) fn renew(&mut self, c: usize) {
        for id in std::mem::take(&mut self.clients[c].wires) {
            self.part(id, true);
        }
        self.ledger.end(self.clients[c].producer);
        self.begin(c);
        self.pump(c);
    }

    /// The attempts of a wire that nobody will hear of any more have ended.
    pub(crate) fn give_up(&mut self, id: u64) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        if wire.link.take().is_none() {
            return;
        }
        wire.connected = false;
        let (client, producer) = (wire.client, wire.producer);
        let open = std::mem::take(&mut wire.open);
        let rest = wire.read.rest().to_vec();
        let torn = frames::api_of(wire.sent.rest()).is_none_or(|api| api == 0)
            && !wire.sent.rest().is_empty();
        self.clients[client].wires.retain(|other| *other != id);
        if torn {
            self.book.torn(producer);
        }
        // Of an answer that breaks off, what was read counts.
        for (at, open) in open.iter().enumerate() {
            let read = if at == 0 { &rest[..] } else { &[] };
            let told = frames::produce_answer_cut(read, open.asked.version);
            self.judge_answer(producer, &open.asked, &told);
        }
    }

    /// The machine is told that a connection is over.
    pub(crate) fn tell_end(&mut self, c: usize, link: Link, reason: Reason) {
        let now = self.time(c);
        self.clients[c].engine.handle_disconnected(now, link, reason);
        self.steps += 1;
    }
}

/// I19.
pub(crate) fn lent_again(first: &[u8], again: &[u8]) -> Result<(), String> {
    let same = first.len().min(again.len());
    if again.is_empty() || first[..same] != again[..same] {
        return Err(format!("{} bytes were lent, and others the next time", first.len()));
    }
    Ok(())
}

/// I9.
pub(crate) fn within(charged: u64, bound: u64) -> Result<(), String> {
    if charged > bound { Err(format!("{charged} bytes, {bound} are allowed")) } else { Ok(()) }
}

/// I8: the oldest record without an outcome has time left, and a timer runs.
pub(crate) fn in_time(
    id: u32,
    at: u64,
    timeout: u64,
    now: u64,
    timer: Option<u64>,
) -> Result<(), String> {
    let due = at.saturating_add(timeout);
    if due <= now {
        return Err(format!("record {id} of {at} has no outcome at {now}, {timeout} later"));
    }
    match timer {
        None => Err(format!("record {id} waits, and no timer runs")),
        Some(timer) if timer > due => Err(format!("record {id} is due before the timer")),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_outcomes_and_missing_timers_are_found() {
        assert_eq!(in_time(0, 100, 50, 149, Some(150)), Ok(()));
        assert!(in_time(0, 100, 50, 150, Some(150)).is_err(), "late");
        assert!(in_time(0, 100, 50, 120, None).is_err(), "no timer");
        assert!(in_time(0, 100, 50, 120, Some(151)).is_err(), "too late a timer");
    }

    #[test]
    fn memory_beyond_its_bound_is_found() {
        assert!(within(100, 100).is_ok() && within(101, 100).is_err());
    }

    #[test]
    fn other_bytes_after_a_dropped_write_are_found() {
        assert_eq!(lent_again(b"abc", b"abcd"), Ok(()));
        assert!(lent_again(b"abc", b"abd").is_err());
        assert!(lent_again(b"abc", b"").is_err());
    }
}
