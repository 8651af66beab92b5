//! An application with its producer: what it does when it is awake.

use std::collections::{BTreeMap, BTreeSet};

use ottla::error::Full;
use ottla::identity::Sequence;
use ottla::producer::Flush;
use ottla::{Event, Instant, Link, LinkAction, Reason, Refused, Topic};

use crate::engine::Engine;
use crate::fault::{Fault, Fired};
use crate::frames::{self, mix};
use crate::look::Look;
use crate::promise::Promise;
use crate::sample;
use crate::variety::ClientSetup;
use crate::world::{Due, World};

/// More than a producer has to do at one instant, even a byte at a time.
const TURNS_MAX: u32 = 20_000;
/// Nobody waits with more records than these.
const OWED_MAX: usize = 5_000;
/// How long after a producer was closed another begins.
const UNTIL_NEXT: u64 = 1_000_000;

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
    /// Topics that have no such partition as was asked for, and how many they had then.
    pub(crate) short: BTreeMap<usize, u32>,
    /// The highest leader epochs that its process was told, by topic and partition, where topics have no ids.
    pub(crate) epochs: BTreeMap<(u32, i32), i32>,
    pub(crate) fatal: bool,
    pub(crate) closed: bool,
    /// By when it has to be closed.
    pub(crate) closing: Option<u64>,
    /// It did not listen, and has heard nothing since: what it hears first was late by this fault.
    pub(crate) numb: Option<Fault>,
    /// Marks that were set, and the first record after each.
    pub(crate) flushes: Vec<(Flush, u32)>,
    /// Links that are over.
    pub(crate) gone: Vec<Link>,
    /// When connections to which brokers were lost, or could not be made, by its clock; and the link.
    pub(crate) lost: BTreeMap<(Option<i32>, i32), (u64, Link)>,
    /// When it last heard metadata, by its clock.
    pub(crate) heard: u64,
    /// Writes that are given up before they are made.
    pub(crate) cancels: u32,
    /// Writes that are made, and not reported before their connections end.
    pub(crate) untold: u32,
    /// Bytes that were written.
    pub(crate) written: u64,
    pub(crate) timeouts: u64,
    /// Connections that brokers closed as they refused records that want no answer.
    pub(crate) turned_away: u64,
    /// Batches that were refused for their records.
    pub(crate) denied: u64,
    /// Partitions that it heard, when all was well, to be led by another node than it sent to.
    pub(crate) moved: BTreeSet<(Vec<u8>, i32)>,
    /// Bytes of requests that it had begun before it heard so.
    pub(crate) misled: u64,
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
        while turns < TURNS_MAX && self.turn(c) && self.broken.is_none() {
            turns += 1;
        }
        if turns == TURNS_MAX {
            self.blame(Promise::I8, format!("client {c} has always something to do"));
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
        busy |= self.links(c) | self.listen(c) | self.count_partitions(c);
        for wire in self.clients[c].wires.clone() {
            busy |= self.write(c, wire);
        }
        busy
    }

    /// Opens and closes connections.
    fn links(&mut self, c: usize) -> bool {
        enum Order {
            Connect(Link, i32, Option<i32>),
            Close(Link, Reason),
        }
        let mut busy = false;
        loop {
            let order = match self.clients[c].engine.poll_link() {
                None => return busy,
                Some(LinkAction::Connect(link, address)) => {
                    let host = address.host.split('.').next().unwrap_or(address.host);
                    let node = host.strip_prefix("node").and_then(|n| n.parse().ok());
                    Order::Connect(link, node.unwrap_or(0), address.broker)
                }
                Some(LinkAction::Close(link, reason)) => Order::Close(link, reason),
            };
            busy = true;
            self.steps += 1;
            match order {
                Order::Connect(link, node, broker) => {
                    self.begin_again(c, broker);
                    self.check_pace(c, (broker, node));
                    self.tell(|| {
                        format!("client {c} connects to node {node} as {broker:?} by {link:?}")
                    });
                    self.dial(c, link, (broker, node));
                }
                Order::Close(link, reason) => {
                    self.tell(|| format!("client {c} closes {link:?}: {reason}"));
                    self.coverage.link_ended(reason);
                    self.note_loss(c, link, reason);
                    self.hang_up(c, link);
                    self.clients[c].gone.push(link);
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
            bytes.extend_from_slice(piece.bytes);
        }
        if bytes.is_empty() {
            return false;
        }
        // More may be lent than there is room for.
        let begun = self.book.begun(client.producer, &self.ledger);
        if let Some(wire) = self.wires.get_mut(&id) {
            wire.lend(&bytes, begun);
            wire.untold = client.untold > 0;
        }
        bytes.truncate(room);
        client.net.crumbs.eat(Fault::Crumbs, bytes.len(), &mut self.fired);
        if client.untold > 0 {
            client.untold -= 1;
            self.fired.count(Fault::Untold);
            self.hash = mix(self.hash, frames::hash(&bytes));
            self.send(c, id, bytes);
            self.note_loss(c, link, Reason::Disconnected);
            self.part(id, true);
            self.tell_end(c, link, Reason::Disconnected);
            return true;
        }
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
            // Where nothing is lent, no write is begun that could be dropped.
            if !bytes.is_empty() {
                engine.consume_output(now, link, 0);
            }
            bytes
        };
        let first = lend();
        if first.is_empty() {
            return;
        }
        let again = lend();
        self.clients[c].cancels -= 1;
        self.fired.count(Fault::Cancel);
        let begun = self.book.begun(self.clients[c].producer, &self.ledger);
        if let Some(wire) = self.wires.values_mut().find(|w| w.client == c && w.link == Some(link))
        {
            // The second time there may be a request more.
            wire.lend(&first, begun);
            wire.lend(&again, begun);
        }
        self.looks.count(Look::Write, 1);
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
            self.hash = frames::mix_all(self.hash, &event);
            if let Some(fault) = self.clients[c].numb.take() {
                self.fired.count(fault);
            }
            match event {
                Event::Delivered(run) => {
                    self.coverage.outcome(&run.outcome, run.rest);
                    let topics = &self.clients[c].topics;
                    let topic = topics.iter().position(|topic| *topic == run.topic).unwrap_or(9);
                    let now = self.time(c).as_micros();
                    self.ledger.delivered(producer, topic as u32, now, &run);
                }
                Event::Fatal(_) => self.met_fatal(c),
                Event::Closed => {
                    self.clients[c].closed = true;
                    self.later(UNTIL_NEXT, Due::Reopen(c as u32, producer));
                }
                Event::HostTooLong(_) => {
                    self.coverage.full_host();
                    self.long_host.meet(self.now, Fault::LongHost, &mut self.fired);
                }
                _ => {}
            }
        }
        if busy && !self.clients[c].owed.is_empty() {
            self.pay(c);
        }
        busy
    }

    /// No event tells that a topic has more partitions: who was refused for that looks at their number.
    fn count_partitions(&mut self, c: usize) -> bool {
        let client = &mut self.clients[c];
        if client.deaf > self.now {
            return false;
        }
        let Client { short, engine, topics, .. } = client;
        let counted = |(topic, count): (&usize, &u32)| {
            topics.get(*topic).is_some_and(|topic| engine.partition_count(*topic) != *count)
        };
        let changed = short.iter().any(counted);
        if changed {
            short.clear();
            self.pay(c);
        }
        changed
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
                Err(Refused::PartitionUnknown) => {
                    let client = &mut self.clients[c];
                    let count = client.engine.partition_count(client.topics[owed.topic]);
                    client.short.insert(owed.topic, count);
                    client.owed.push_back(owed);
                }
                Err(Refused::TopicUnknown | Refused::Topic(_) | Refused::TimeUnknown) => {
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
        let (now, wall) = (self.time(c), self.told_time());
        let id = self.ledger.next_id();
        let client = &mut self.clients[c];
        let length = owed.length.max(sample::SHORTEST);
        sample::value(id, length, &mut self.scratch);
        let style = client.setup.style;
        let mut record = style.record(id, &self.scratch);
        record.partition = owed.partition;
        record.timestamp = style.stamps.then_some(wall);
        let topic = client.topics[owed.topic];
        let result = client.engine.produce(now, topic, &record);
        self.steps += 1;
        self.hash = frames::mix_all(self.hash, &result);
        let (producer, fatal) = (client.producer, client.fatal);
        self.looks.count(Look::AfterFatal, u64::from(fatal));
        match &result {
            Ok(_) if fatal => {
                self.blame(Promise::I17, format!("client {c} accepts after a fatal answer"));
            }
            Ok(accepted) => {
                let first = self.clients[c].setup.first_sequence.map(Sequence::new);
                // Where a slot was freed, and is used again, its epoch begins at 0 (R10).
                let place = (producer, owed.topic as u32, accepted.partition);
                if let Some(first) = first.filter(|_| !self.ledger.has_used(place)) {
                    self.clients[c].engine.begin_sequences_at(topic, accepted.partition, first);
                }
                let topic = owed.topic as u32;
                self.ledger.accepted(producer, topic, now.as_micros(), length, accepted);
            }
            Err(refused) => {
                let refused = *refused;
                self.tell(|| format!("client {c} is refused: {refused}"));
                self.coverage.refused(refused);
                let client = &self.clients[c];
                if matches!(refused, Refused::Fatal(_)) && !client.fatal && client.deaf <= self.now
                {
                    let what = format!("client {c} is refused, and was told of no fatal answer");
                    self.blame(Promise::I17, what);
                }
                self.check_refusal(c, refused);
            }
        }
        if let Ok(accepted) = &result
            && let Err(what) = self.clients[c].setup.shape.holds(accepted, topic)
        {
            self.blame(Promise::I9, format!("client {c}: {what}"));
        }
        result.map(|_| ())
    }

    /// The application hears that its producer met a fatal answer.
    fn met_fatal(&mut self, c: usize) {
        if !std::mem::replace(&mut self.clients[c].fatal, true) {
            self.coverage.went("fatal");
            self.book.fatal(self.clients[c].producer);
            self.later(5_000_000, Due::Renew(c as u32));
        }
    }

    /// I9: what is said to be full is full.
    fn check_refusal(&mut self, c: usize, refused: Refused) {
        let client = &self.clients[c];
        let Some([.., blocks]) = client.setup.shape.slots() else { return };
        if refused == Refused::Full(Full::Memory) || refused == Refused::Dropped {
            self.looks.count(Look::Full, 1);
            let used = client.engine.blocks_used();
            if let Err(what) = is_full(used, blocks) {
                self.blame(Promise::I9, format!("client {c}: {what}"));
            }
        }
    }

    /// Looks whether a client keeps its word after it did all that it could, and sets its alarm.
    fn look(&mut self, c: usize) {
        let now = self.time(c).as_micros();
        if let Some((promise, what)) = self.ledger.broken().or_else(|| self.book.broken()) {
            self.blame(promise, format!("client {c}: {what}"));
        }
        let client = &mut self.clients[c];
        let timer = client.engine.poll_timeout().map(Instant::as_micros);
        if let crate::engine::Shape::Heap(bound) = client.setup.shape {
            self.looks.count(Look::Heap, 1);
            if let Err(what) = within(client.engine.charged(), bound) {
                self.blame(Promise::I9, format!("client {c}: {what}"));
            }
        }
        let client = &self.clients[c];
        let listens = client.deaf <= self.now && !client.engine.is_paused();
        let timeout = client.setup.config.delivery_timeout.as_micros();
        if listens && let Some((id, at)) = self.ledger.oldest(client.producer) {
            self.looks.count(Look::Timer, 1);
            if let Err(what) = in_time(id, at, timeout, now, timer) {
                self.blame(Promise::I8, format!("client {c}: {what}"));
            }
        }
        let client = &self.clients[c];
        if client.deaf <= self.now && !client.fatal && self.book.is_fatal(client.producer) {
            self.blame(Promise::I17, format!("client {c} keeps a fatal answer to itself"));
        }
        self.look_at_flushes(c);
        let clock = self.clients[c].clock;
        let at = timer.map(|at| at.saturating_sub(clock).max(self.now + 1));
        if at.is_some() && at != self.clients[c].armed {
            self.clients[c].armed = at;
            self.at(at.unwrap_or(0), Due::Wake(c as u32));
        }
        self.hash = mix(self.hash, timer.unwrap_or(1));
    }

    /// I7, I8: a mark is passed when everything before it has its outcome, and then only (R6).
    fn look_at_flushes(&mut self, c: usize) {
        if self.clients[c].deaf > self.now {
            return;
        }
        let mut kept = Vec::new();
        for (flush, mark) in std::mem::take(&mut self.clients[c].flushes) {
            self.looks.count(Look::Flush, 1);
            let is_flushed = self.clients[c].engine.is_flushed(flush);
            let producer = self.clients[c].producer;
            let open = self.ledger.oldest(producer).map(|(id, _)| id).filter(|id| *id < mark);
            match flushed(is_flushed, open, self.clients[c].engine.is_closed()) {
                Err((promise, what)) => self.blame(promise, format!("client {c}: {what}")),
                Ok(true) => self.coverage.went("flushed"),
                Ok(false) => kept.push((flush, mark)),
            }
        }
        self.clients[c].flushes = kept;
    }

    /// I19: a read that is dropped before it read anything, and words about links that are over,
    /// change nothing.
    pub(crate) fn drop_reads(&mut self, c: usize) {
        // To look takes the next order, so those that wait are carried out before.
        self.links(c);
        let now = self.time(c);
        // Nobody reads what is not connected.
        let connected = |id: &u64| self.wires.get(id).filter(|wire| wire.connected)?.link;
        let wires: Vec<Link> = self.clients[c].wires.iter().filter_map(connected).collect();
        let client = &mut self.clients[c];
        let engine = &mut client.engine;
        let state = |engine: &mut dyn Engine| {
            let (timer, counters) = (engine.poll_timeout(), engine.counters());
            (timer, counters, engine.is_closed(), format!("{:?}", engine.poll_link()))
        };
        // A read is a sign of life though it brings nothing: the idle close moves once. Nothing else may.
        wires.iter().for_each(|link| engine.handle_input(now, *link, &[]));
        let before = state(engine.as_mut());
        for link in wires {
            engine.handle_input(now, link, &[]);
        }
        for link in client.gone.drain(..) {
            engine.handle_connected(now, link);
            engine.handle_input(now, link, &[0, 0, 0, 9, 0, 0, 0, 1, 0]);
            engine.consume_output(now, link, 3);
            engine.handle_disconnected(now, link, Reason::Disconnected);
        }
        let after = state(engine.as_mut());
        self.looks.count(Look::Read, 1);
        let orders = (&"None".to_string(), &before.3);
        if let Err(what) = unmoved(orders.0, orders.1).and_then(|()| unmoved(&before, &after)) {
            self.blame(Promise::I19, format!("client {c}: {what}"));
        }
    }

    /// The attempts of a wire that nobody will hear of any more have ended.
    pub(crate) fn give_up(&mut self, id: u64) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        if wire.link.take().is_none() {
            return;
        }
        wire.connected = false;
        let (client, producer, name) = (wire.client, wire.producer, wire.name);
        let open = std::mem::take(&mut wire.open);
        let answer = wire.read.rest().to_vec();
        let lent = wire.lent();
        self.clients[client].wires.retain(|other| *other != id);
        for (frame, begun) in lent {
            self.never_written(client, producer, &frame, begun);
        }
        // A batch of what was never sent to its end has its sequence, and nobody saw it.
        let rest = self.wires.get(&id).map_or(&[][..], |wire| wire.sent.rest());
        if !rest.is_empty() && frames::api_of(rest).is_none_or(|api| api == 0) {
            self.book.torn(producer);
        }
        if let Some(oldest) = open.front()
            && oldest.asked.api == frames::INIT_PRODUCER_ID
            && answer.len() >= frames::IDENTITY_READ
            && let Some((_, _, code)) =
                name.and_then(|name| self.traps.given((name, oldest.asked.correlation)))
        {
            let now = self.time(client).as_micros();
            self.ledger.answered_otherwise(producer, code.0, now);
        }
        // Of an answer that breaks off, what was read counts.
        for (at, open) in open.iter().enumerate() {
            let read = if at == 0 { &answer[..] } else { &[] };
            let told = frames::produce_answer_cut(read, open.asked.version);
            self.judge_answer((client, producer), (&open.asked, open.at), &told, false);
        }
    }

    /// The machine is told that a connection is over.
    pub(crate) fn tell_end(&mut self, c: usize, link: Link, reason: Reason) {
        let now = self.time(c);
        self.coverage.link_ended(reason);
        self.clients[c].gone.push(link);

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

/// I19: what can be seen of a producer, before and after calls that say nothing.
fn unmoved<T: PartialEq + std::fmt::Debug>(before: &T, after: &T) -> Result<(), String> {
    if before == after { Ok(()) } else { Err(format!("{before:?}, and after nothing {after:?}")) }
}

/// I7, I8: whether a mark is passed. `open`: the oldest record before it without an outcome.
pub(crate) fn flushed(
    is_flushed: bool,
    open: Option<u32>,
    closed: bool,
) -> Result<bool, (Promise, String)> {
    match open {
        Some(id) if is_flushed => {
            Err((Promise::I7, format!("flushed, and nothing was said of record {id}")))
        }
        None if !is_flushed && !closed => {
            Err((Promise::I8, "everything has its outcome, and it is not flushed".into()))
        }
        open => Ok(open.is_none()),
    }
}

/// I9: of blocks, all are used.
fn is_full(used: usize, blocks: usize) -> Result<(), String> {
    if used < blocks {
        Err(format!("memory is full, by {used} blocks of {blocks}"))
    } else {
        Ok(())
    }
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
    use crate::end::tests::healed;

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
        assert!(is_full(8, 8).is_ok() && is_full(7, 8).is_err());
    }

    #[test]
    fn marks_that_are_passed_too_soon_or_never_are_found() {
        assert_eq!(flushed(false, Some(3), false), Ok(false));
        assert_eq!(flushed(true, None, false), Ok(true));
        assert!(flushed(true, Some(3), false).is_err_and(|(p, _)| p == Promise::I7));
        assert!(flushed(false, None, false).is_err_and(|(p, _)| p == Promise::I8));
    }

    #[test]
    fn a_record_for_a_partition_that_is_added_later_is_sent_then() {
        let mut world = healed(1);
        world.recover();
        let name = crate::draw::TOPICS[0];
        let partition = Some(world.cluster.partition_count(name) as i32);
        world.clients[0].owed.push_back(Owed { topic: 0, partition, length: 20 });
        world.pay(0);
        world.pump(0);
        world.until(world.now + 60_000_000);
        assert_eq!(world.clients[0].owed.len(), 1, "refused");
        world.cluster.add_partitions(world.now, name, 1).expect("one more");
        world.pay(0);
        assert_eq!(world.clients[0].owed.len(), 1, "refused, and asked for");
        world.pump(0);
        world.until(world.now + 60_000_000);
        assert_eq!(world.clients[0].owed.len(), 0);
    }

    #[test]
    fn what_moves_by_nothing_is_found() {
        assert!(unmoved(&(1, 2), &(1, 2)).is_ok() && unmoved(&(1, 2), &(1, 3)).is_err());
    }

    #[test]
    fn other_bytes_after_a_dropped_write_are_found() {
        assert_eq!(lent_again(b"abc", b"abcd"), Ok(()));
        assert!(lent_again(b"abc", b"abd").is_err());
        assert!(lent_again(b"abc", b"").is_err());
    }
}
