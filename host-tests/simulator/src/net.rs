//! What is between clients and brokers.

use ottla::message::{Api, ErrorCode};
use ottla::{Link, Reason};
use ottla_broker::{Closed, Connection};

use crate::check::wires::{Begun, Ending, Seen};
use crate::draw::TOPICS;
use crate::fault::Fault;
use crate::frames::{self, Asked, Described, Part, metadata_9};
use crate::ledger::Fate;
use crate::look::Look;
use crate::promise::Promise;
use crate::traps::tell;
use crate::wire::{Open, Wire};
use crate::world::{Due, Ghost, World};

/// How long a broker may take for requests that come late.
const GHOST_STAYS: u64 = 60_000_000;

impl World {
    /// Until when a node stands still; 0 if it does not.
    fn pause_of(&mut self, node: i32) -> u64 {
        let Some(spell) = self.paused.get_mut(&node) else { return 0 };
        if spell.meet(self.now, Fault::Pause, &mut self.fired) > 0 { spell.until } else { 0 }
    }

    /// A client wants a connection to a node.
    pub(crate) fn dial(&mut self, c: usize, link: Link, broker: (Option<i32>, i32)) {
        let id = self.new_wire();
        let (min, max) = self.setup.delay;
        let delay = min + u64::from(self.random.below((max - min + 1) as u32));
        let producer = self.clients[c].producer;
        self.wires.insert(id, Wire::new(c, producer, link, broker, delay));
        self.clients[c].wires.push(id);
        let (net, now) = (&mut self.clients[c].net, self.now);
        if net.unanswered.meet(now, Fault::Unanswered, &mut self.fired) == 0 {
            self.later(2 * delay, Due::Dial(id));
        }
    }

    /// A node takes a connection, or does not.
    pub(crate) fn answer_dial(&mut self, id: u64) {
        let Some(wire) = self.wires.get(&id) else { return };
        let (c, node) = (wire.client, wire.node);
        let Some(link) = wire.link else { return };
        let asleep = self.clients[c].asleep;
        let busy = self.pause_of(node).max(if asleep > self.now { asleep } else { 0 });
        if busy > 0 {
            return self.at(busy, Due::Dial(id));
        }
        let (net, now) = (&mut self.clients[c].net, self.now);
        let refused = net.refused.meet(now, Fault::Refused, &mut self.fired) > 0;
        let connection = if refused { None } else { self.cluster.connect(now, node) };
        match connection {
            Some(connection) => {
                self.by_connection.insert(connection, id);
                if let Some(wire) = self.wires.get_mut(&id) {
                    wire.connection = Some(connection);
                    wire.name = Some(connection);
                    wire.connected = true;
                }
                let now = self.time(c);
                self.clients[c].engine.handle_connected(now, link);
                self.steps += 1;
            }
            None => {
                self.note_loss(c, link, Reason::Refused);
                self.give_up(id);
                self.wires.remove(&id);
                self.tell_end(c, link, Reason::Refused);
            }
        }
        self.pump(c);
    }

    /// The topic of a batch, by its name or id.
    fn topic_of(&self, part: &Part) -> Option<u32> {
        let by_name = || TOPICS.iter().position(|name| name.as_bytes() == part.topic);
        let by_id = self.topic_ids.get(part.topic.as_slice()).copied();
        by_id.or_else(|| by_name().map(|topic| topic as u32))
    }

    /// What the checkers are shown of a batch.
    pub(crate) fn seen(&self, producer: u32, part: &Part) -> Option<Seen> {
        let topic = self.topic_of(part)?;
        let Part { partition, identity, base, count, hash, first, .. } = *part;
        // Without a producer id there are no sequences.
        (identity.0 >= 0).then_some(Seen {
            place: (producer, topic, partition),
            identity,
            base,
            count,
            hash,
            first,
        })
    }

    /// A client's bytes set out.
    pub(crate) fn send(&mut self, c: usize, id: u64, bytes: Vec<u8>) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let (frames, begun) = wire.write(&bytes);
        let (producer, untold) = (wire.producer, wire.untold);
        if frames::api_of(wire.sent.rest()) == Some(0) {
            self.book.begins(producer, begun);
        }
        let mut asked_produce = false;
        for (frame, begun) in frames {
            let Some(asked) = self.asks(c, producer, &frame, begun) else { continue };
            self.tell(|| {
                let part = |p: &Part| {
                    let Part { partition, identity: (_, epoch), base, count, first, .. } = p;
                    format!(" p{partition} e{epoch} s{base}+{count} r{first}")
                };
                let parts: String = asked.parts.iter().map(part).collect();
                let (api, correlation) = (asked.api, asked.correlation);
                format!("client {c} wire {id} asks {api} as {correlation}{parts}")
            });
            let is_produce = asked.api == 0;
            asked_produce |= is_produce;
            if asked.acks == 0 {
                // Nobody is told that it was written.
                for part in asked.parts.iter().filter(|_| untold) {
                    self.ledger.cut(part.first, part.count.cast_unsigned());
                }
                continue;
            }
            let bytes = if is_produce { frame } else { Vec::new() };
            let open = Open { asked, at: self.now, bytes, touched: false };
            if let Some(wire) = self.wires.get_mut(&id) {
                wire.open.push_back(open);
            }
        }
        let jitter = self.jitter(c);
        let (net, now) = (&mut self.clients[c].net, self.now);
        let rate = net.bandwidth.meet(now, Fault::Bandwidth, &mut self.fired);
        let extra = net.delay.meet(now, Fault::Delay, &mut self.fired) + jitter;
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let at = wire.up.push(now, bytes, wire.delay + extra, rate);
        self.at(at, Due::Up(id));
        if asked_produce && let Some((fault, span)) = self.clients[c].net.late.take() {
            self.at(now, Due::Haunt(id, fault, span));
        }
    }

    /// A frame is sent, or was lent to its end: what the checkers say of it.
    fn asks(&mut self, c: usize, producer: u32, frame: &[u8], begun: Begun) -> Option<Asked> {
        self.looks.count(Look::Request, 1);
        let Some(asked) = frames::request(frame) else {
            self.blame(Promise::I10, format!("client {c} sends what nobody can read"));
            return None;
        };
        if asked.api == 0 {
            self.book.begins(producer, begun);
        }
        for part in &asked.parts {
            self.book.claimed(producer, part.identity.0, &self.ledger);
            if let Some(seen) = self.seen(producer, part) {
                let deaf = self.clients[c].deaf > self.now;
                self.book.anew(&seen, begun, &self.ledger);
                self.book.sent(&seen, deaf, &mut self.ledger);
            }
        }
        Some(asked)
    }

    /// A frame was lent to its end, and its connection is over before it was written: to its client it
    /// may have arrived.
    pub(crate) fn never_written(&mut self, c: usize, producer: u32, frame: &[u8], begun: Begun) {
        let Some(asked) = self.asks(c, producer, frame, begun) else { return };
        self.judge_answer((c, producer), (&asked, self.now), &[], false);
    }

    fn jitter(&mut self, c: usize) -> u64 {
        let (net, now) = (&mut self.clients[c].net, self.now);
        let most = net.jitter.meet(now, Fault::Jitter, &mut self.fired);
        u64::from(self.random.below(u32::try_from(most).unwrap_or(u32::MAX)))
    }

    /// A connection breaks, and what nobody has answered on it comes late.
    pub(crate) fn haunt(&mut self, id: u64, fault: Fault, span: u64) {
        let Some(wire) = self.wires.get(&id) else { return };
        let (node, c) = (wire.node, wire.client);
        let open = wire.open.iter().filter(|open| !open.touched && open.asked.api == 0);
        let bytes: Vec<&[u8]> = open.map(|open| &open.bytes[..]).collect();
        if fault == Fault::Disorder && bytes.len() < 2 {
            // One alone is in order: it waits for two.
            self.clients[c].net.late.get_or_insert((fault, span));
            return;
        }
        let all = bytes.concat();
        let (former, later) = bytes.split_at(bytes.len() / 2);
        // What comes first makes the second of them come twice, or out of order.
        let visits = match fault {
            Fault::Disorder => {
                vec![(span / 2, None, later.concat()), (span, Some(fault), former.concat())]
            }
            Fault::Twice => vec![(span / 2, None, all.clone()), (span, Some(fault), all)],
            _ => vec![(span, Some(fault), all)],
        };
        for (span, fault, bytes) in visits.into_iter().filter(|(.., bytes)| !bytes.is_empty()) {
            self.ghosts.push(Ghost { node, fault, bytes });
            self.later(span, Due::Ghost(self.ghosts.len() as u32 - 1));
        }
        self.sever(id);
    }

    /// A late request is there.
    pub(crate) fn visit(&mut self, ghost: usize) {
        let Ghost { node, fault, bytes } = self.ghosts[ghost].clone();
        let pause = self.pause_of(node);
        if pause > 0 {
            return self.at(pause, Due::Ghost(ghost as u32));
        }
        let Some(connection) = self.cluster.connect(self.now, node) else { return };
        self.cluster.handle_input(self.now, connection, &bytes);
        fault.inspect(|fault| self.fired.count(*fault));
        self.later(GHOST_STAYS, Due::EndGhost(connection));
        self.drain();
    }

    /// A connection breaks; both ends are told.
    pub(crate) fn sever(&mut self, id: u64) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let (c, link, connected) = (wire.client, wire.link, wire.connected);
        if let Some(connection) = wire.connection.take() {
            self.by_connection.remove(&connection);
            self.cluster.disconnect(self.now, connection);
        }
        wire.up = Default::default();
        wire.down = Default::default();
        // A client that sleeps hears of it when it wakes.
        if self.clients[c].asleep > self.now && link.is_some() {
            wire.down.end = Some(self.now);
            return self.at(self.clients[c].asleep, Due::Down(id));
        }
        if let Some(link) = link {
            self.note_loss(c, link, Reason::Disconnected);
        }
        self.give_up(id);
        self.wires.remove(&id);
        if let Some(link) = link {
            let reason = if connected { Reason::Disconnected } else { Reason::Refused };
            self.tell_end(c, link, reason);
            self.pump(c);
        }
    }

    /// A client wants no more of a connection. What it has written still arrives.
    pub(crate) fn part(&mut self, id: u64, flush: bool) {
        self.give_up(id);
        let Some(wire) = self.wires.get_mut(&id) else { return };
        if !flush || wire.up.is_empty() || wire.connection.is_none() {
            if let Some(connection) = wire.connection.take() {
                self.by_connection.remove(&connection);
                self.cluster.disconnect(self.now, connection);
            }
            self.wires.remove(&id);
        }
    }

    /// Bytes arrive at a broker.
    pub(crate) fn arrive_up(&mut self, id: u64) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let (node, c) = (wire.node, wire.client);
        let pause = self.pause_of(node);
        if pause > 0 {
            return self.at(pause, Due::Up(id));
        }
        let now = self.now;
        let mut bytes = std::mem::take(&mut self.buffer);
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let was_full = wire.up.held >= self.clients[c].setup.socket;
        wire.up.arrived(now, &mut bytes);
        if let Some(fault) = wire.up.hit.take() {
            self.fired.count(fault);
        }
        let cut = wire.up.cut == Some(0);
        let (gone, empty) = (wire.link.is_none(), wire.up.is_empty());
        if let Some(connection) = wire.connection.filter(|_| !bytes.is_empty()) {
            self.cluster.handle_input(now, connection, &bytes);
        }
        self.buffer = bytes;
        if cut {
            self.fired.count(Fault::Reset);
            self.sever(id);
        } else if gone && empty {
            self.part(id, false);
        } else if was_full {
            self.pump(c);
        }
        self.drain();
    }

    /// What the cluster has for its clients sets out.
    pub(crate) fn drain(&mut self) {
        for connection in self.traps.lied() {
            // Nobody hears what late requests are answered.
            let wire = self.by_connection.get(&connection).and_then(|id| self.wires.get(id));
            self.touched.processes.extend(wire.map(|wire| wire.producer));
        }
        for (node, version, body) in self.traps.stale() {
            if tell(&self.cluster, node).get(&version) != Some(&body) {
                self.fired.count(Fault::Stale);
            }
        }
        while let Some(connection) = self.cluster.poll_ready() {
            let wire = self.by_connection.get(&connection).copied();
            while let Some(frame) = self.cluster.poll_output(connection) {
                if let Some(id) = wire {
                    self.reply(id, frame);
                }
            }
            let Some(closed) = self.cluster.poll_close(connection) else { continue };
            self.by_connection.remove(&connection);
            if let Closed::Malformed(_) | Closed::UnknownApi(_) | Closed::FrameSize(_) = closed {
                self.blame(Promise::I10, format!("a broker could not read: {closed:?}"));
            }
            let Some(id) = wire else { continue };
            let Some(wire) = self.wires.get_mut(&id) else { continue };
            wire.connection = None;
            let (c, held) = (wire.client, wire.link.is_some());
            let at = wire.down.push_end(self.now, wire.delay);
            self.tell(|| format!("client {c} wire {id} is closed by its broker: {closed:?}"));
            self.clients[c].turned_away += u64::from(held && is_of_records(closed));
            self.at(at, Due::Down(id));
        }
    }

    fn reply(&mut self, id: u64, frame: Vec<u8>) {
        let Some(c) = self.wires.get(&id).map(|wire| wire.client) else { return };
        let jitter = self.jitter(c);
        let (net, now) = (&mut self.clients[c].net, self.now);
        let fired = &mut self.fired;
        let rate = net.bandwidth.meet(now, Fault::Bandwidth, fired);
        let mut extra = jitter
            + net.delay.meet(now, Fault::Delay, fired)
            + net.asymmetry.meet(now, Fault::Asymmetry, fired);
        if net.merged.amount(now) > 0 {
            extra = extra.max(net.merged.until - now);
        }
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let at = wire.down.push(now, frame, wire.delay + extra, rate);
        self.at(at, Due::Down(id));
    }

    /// Bytes, or the end of a connection, arrive at a client.
    pub(crate) fn arrive_down(&mut self, id: u64) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let (c, now) = (wire.client, self.now);
        if self.clients[c].asleep > now {
            return;
        }
        let mut bytes = std::mem::take(&mut self.buffer);
        wire.down.arrived(now, &mut bytes);
        if let Some(fault) = wire.down.hit.take() {
            self.fired.count(fault);
        }
        let cut = wire.down.cut == Some(0);
        let link = wire.link;
        let (ended, dead) =
            (wire.down.is_empty() && wire.down.end.is_some_and(|end| end <= now), wire.down.dead);
        let mut busy = false;
        if let Some(link) = link.filter(|_| !bytes.is_empty()) {
            busy = true;
            self.read_answers(id, &bytes);
            let time = self.time(c);
            let client = &mut self.clients[c];
            let mut left = &bytes[..];
            while !left.is_empty() {
                let crumb = client.net.crumbs.amount > 0;
                let count = if crumb { 1 } else { left.len() };
                client.net.crumbs.eat(Fault::Crumbs, count, &mut self.fired);
                client.engine.handle_input(time, link, &left[..count]);
                self.steps += 1;
                left = &left[count..];
            }
        }
        self.buffer = bytes;
        if cut {
            self.fired.count(Fault::Reset);
            return self.sever(id);
        }
        // A dead way does not tell of its end either.
        if ended && dead.is_none() {
            return self.sever(id);
        }
        if busy {
            self.pump(c);
        }
    }

    /// Notes which requests are answered, and how.
    fn read_answers(&mut self, id: u64, bytes: &[u8]) {
        let mut frames = Vec::new();
        let Some(wire) = self.wires.get_mut(&id) else { return };
        wire.read.feed(bytes, |frame| frames.push(frame.to_vec()));
        let (c, producer) = (wire.client, wire.producer);
        if frames.len() > 1 && self.clients[c].net.merged.fresh {
            self.clients[c].net.merged.fresh = false;
            if self.clients[c].net.merged.until > 0 {
                self.fired.count(Fault::Merged);
            }
        }
        for frame in frames {
            let Some(wire) = self.wires.get_mut(&id) else { return };
            let Some(open) = wire.open.pop_front() else { return };
            let (asked, at) = (&open.asked, open.at);
            let name = self.wires.get(&id).and_then(|wire| wire.name);
            let given = name.and_then(|name| self.traps.given((name, asked.correlation)));
            if let Some((api, when, code)) = given {
                self.coverage.answered(api, when, code.0);
                if api != Api::Produce {
                    let now = self.time(c).as_micros();
                    self.ledger.answered_otherwise(producer, code.0, now);
                }
            }
            // Brokers that it does not name are forgotten, and their back-offs with them.
            if asked.api == 3 {
                self.clients[c].heard = self.time(c).as_micros();
                let named = frames::brokers(&frame, asked.version).unwrap_or_default();
                let is_named = |id: &Option<i32>| id.is_none_or(|id| named.contains(&id));
                self.clients[c].lost.retain(|(id, _), _| is_named(id));
            }
            if (asked.api, asked.version) == (3, 9) {
                self.learn_epochs(c, &frame);
            }
            if asked.api != 0 || frames::correlation(&frame) != Some(asked.correlation) {
                continue;
            }
            let Some(told) = frames::produce_answer(&frame, asked.version) else { continue };
            self.tell(|| {
                let codes: String = told.iter().map(|t| format!(" p{} {}", t.1, t.2)).collect();
                format!("client {c} wire {id} is answered {}{codes}", asked.correlation)
            });
            let denied = told.iter().filter(|told| blames_records(ErrorCode(told.2)));
            self.clients[c].denied += denied.count() as u64;
            if given.is_none() {
                told.iter().filter(|told| told.2 != 0).for_each(|told| self.coverage.told(told.2));
            }
            self.note_moves(id, c, &open, &told);
            self.judge_answer((c, producer), (asked, at), &told, true);
        }
        if let Some(wire) = self.wires.get_mut(&id)
            && !wire.read.rest().is_empty()
            && let Some(open) = wire.open.front_mut()
        {
            open.touched = true;
        }
    }

    /// Notes the leader epochs that a process was told, where topics have no ids.
    fn learn_epochs(&mut self, c: usize, frame: &[u8]) {
        let topics = metadata_9(frame).unwrap_or_default();
        self.tell(|| format!("client {c} is told {topics:?}"));
        let epochs = &mut self.clients[c].epochs;
        for Described { code, name, partitions } in topics {
            let topic = TOPICS.iter().position(|known| known.as_bytes() == name);
            let Some(topic) = topic.map(|topic| topic as u32) else { continue };
            // It is gone: one that comes is another.
            if ErrorCode(code) == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION {
                epochs.retain(|(other, _), _| *other != topic);
            }
            for (partition, _, epoch) in partitions {
                let known = epochs.entry((topic, partition)).or_insert(epoch);
                *known = epoch.max(*known);
            }
        }
    }

    /// Whether a client cannot know the leader of a partition of a topic that was made again: it was
    /// told a later epoch of the topic before, and no topic id tells the two apart.
    pub(crate) fn is_lost_to(&self, c: usize, topic: u32, partition: i32) -> bool {
        let known = self.clients[c].epochs.get(&(topic, partition));
        let now = self.cluster.leader_epoch(TOPICS[topic as usize], partition);
        known.zip(now).is_some_and(|(known, now)| now < *known)
    }

    /// Notes what a producer was told of the batches of a request.
    /// `whole`: of all that it was asked.
    pub(crate) fn judge_answer(
        &mut self,
        (c, producer): (usize, u32),
        (asked, at): (&Asked, u64),
        told: &[frames::Told],
        whole: bool,
    ) {
        for part in &asked.parts {
            let of = |t: &&frames::Told| t.0 == part.topic && t.1 == part.partition;
            let code = told.iter().find(of).map(|told| told.2);
            let count = part.count.cast_unsigned();
            let before = self.healed.is_none_or(|healed| at <= healed);
            code.inspect(|code| self.ledger.answered(part.first, count, *code, before));
            // The connection ended, within what the answer says of it, too; or the answer leaves it out,
            // which is told in the same words; or is about a topic that was made again meanwhile, and so
            // about no batch (R11). If that happens while a request is written, its id is of neither.
            let topic = self.topic_of(part);
            let remade = topic.is_none() || self.archive.iter().any(|log| Some(log.topic) == topic);
            if code.is_none() || !whole || remade {
                self.ledger.cut(part.first, count);
            }
            // Everything that its producer has fails by it.
            if let Some(code) = code.filter(|code| frames::is_fatal(*code)) {
                let now = self.time(c).as_micros();
                self.ledger.answered_otherwise(producer, code, now);
            }
            let Some(seen) = self.seen(producer, part) else { continue };
            // I17: by what it was told, whatever it makes of that.
            let open = self.ledger.run(seen.first, 1).any(|entry| entry.fate == Fate::Pending);
            // An answer about a topic that was made again meanwhile is about no batch (R11).
            let heard = !self.is_deaf(producer)
                && !self.touched.partitions.contains(&(seen.place.1, seen.place.2));
            if whole && open && heard && code.is_some_and(frames::is_fatal) {
                self.book.fatal(producer);
            }
            let ending = match code {
                Some(code) if ErrorCode(code).is_success() || code == 46 => Ending::Written,
                Some(code) if frames::is_refusal(code, asked.acks) => Ending::Refused,
                _ => Ending::Unknown,
            };
            self.book.ended(&seen, ending);
        }
    }

    /// When all is well, notes which partitions a client hears to be led by others than it sends to.
    fn note_moves(&mut self, id: u64, c: usize, open: &Open, told: &[frames::Told]) {
        if self.healed.is_none() {
            return;
        }
        for (topic, partition, code) in told {
            // What it sends there after that, it sends although it knows better.
            if ErrorCode(*code) == ErrorCode::NOT_LEADER_OR_FOLLOWER
                && self.clients[c].moved.insert((topic.clone(), *partition))
                && let Some(wire) = self.wires.get_mut(&id)
            {
                self.clients[c].misled += wire.misled(open);
            }
        }
    }

    /// Whether the application of a process does not listen.
    fn is_deaf(&self, producer: u32) -> bool {
        let mut clients = self.clients.iter();
        clients.any(|client| client.producer == producer && client.deaf > self.now)
    }

    /// The end of a late request's connection.
    pub(crate) fn end_ghost(&mut self, connection: Connection) {
        self.cluster.disconnect(self.now, connection);
    }
}

/// Whether a code blames a record. That does not heal: its stamp is by a clock that was wrong.
fn blames_records(code: ErrorCode) -> bool {
    [ErrorCode::INVALID_TIMESTAMP, ErrorCode::INVALID_RECORD].contains(&code)
}

/// Whether a broker closed a connection for what is in a batch, where no answers are wanted: for a
/// record, or too many bytes, which nobody can divide then.
fn is_of_records(closed: Closed) -> bool {
    let is_one = |code| code == ErrorCode::MESSAGE_TOO_LARGE || blames_records(code);
    matches!(closed, Closed::WithoutAnswer(code) if is_one(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_was_lent_before_a_fatal_answer_is_not_begun_after_it() {
        // The start of a Produce request.
        let bytes = vec![0, 0, 0, 90, 0, 0, 0, 9, 0, 0, 0, 1];
        for (lent_before, pieces) in [(false, 1), (true, 1), (false, 12), (true, 12)] {
            let mut world = crate::end::tests::healed(1);
            let open = world.wires.iter().filter(|(_, wire)| wire.sent.rest().is_empty());
            let (id, c, producer) =
                open.map(|(id, wire)| (*id, wire.client, wire.producer)).next().expect("a wire");
            let lend = |world: &mut World| {
                let begun = world.book.begun(producer, &world.ledger);
                world.wires.get_mut(&id).expect("it is there").lend(&bytes, begun);
            };
            if lent_before {
                lend(&mut world);
            }
            world.book.fatal(producer);
            if !lent_before {
                lend(&mut world);
            }
            for piece in bytes.chunks(bytes.len() / pieces) {
                world.send(c, id, piece.to_vec());
            }
            assert_eq!(world.book.broken().is_none(), lent_before, "{pieces} pieces");
        }
    }

    #[test]
    fn one_late_request_is_not_out_of_order() {
        let hits = |requests: usize| {
            let mut world = crate::end::tests::healed(1);
            let (id, c) = world.wires.iter().map(|(id, wire)| (*id, wire.client)).next().unwrap();
            let wire = world.wires.get_mut(&id).expect("it is there");
            wire.open.clear();
            for correlation in 0..requests {
                let correlation = correlation as i32;
                let asked = Asked { api: 0, version: 9, correlation, acks: -1, parts: Vec::new() };
                // The beginning of something: the broker waits for more.
                let bytes = vec![0, 0, 0, 90];
                wire.open.push_back(Open { asked, at: 0, bytes, touched: false });
            }
            world.clients[c].net.late = None;
            let before = world.fired.of(Fault::Disorder);
            world.haunt(id, Fault::Disorder, 10);
            let waits = world.clients[c].net.late.is_some();
            world.until(world.now + 20);
            (waits, world.fired.of(Fault::Disorder) - before)
        };
        assert_eq!(hits(1), (true, 0));
        assert_eq!(hits(2), (false, 1));
    }

    #[test]
    fn only_the_first_word_of_a_new_leader_explains_what_was_begun() {
        let mut world = crate::end::tests::healed(1);
        let (id, c) =
            world.wires.iter().map(|(id, wire)| (*id, wire.client)).next().expect("a wire");
        let asked = Asked { api: 0, version: 9, correlation: 0, acks: -1, parts: Vec::new() };
        let open = Open { asked, at: 0, bytes: vec![0; 10], touched: false };
        let mut misled = |lent: usize, partition, code| {
            world.wires.get_mut(&id).expect("it is there").lend(&vec![0; lent], Begun::default());
            world.note_moves(id, c, &open, &[(Vec::new(), partition, code)]);
            world.clients[c].misled
        };
        assert_eq!(misled(1_000, 0, 19), 0, "this code tells of no other leader");
        assert_eq!(misled(1_000, 0, 6), 1_000);
        assert_eq!(misled(3_000, 0, 6), 1_000, "it knew");
        assert_eq!(misled(3_000, 1, 6), 3_000);
    }

    #[test]
    fn who_is_turned_away_for_a_record_is_told_from_who_asks_the_wrong_broker() {
        assert!(is_of_records(Closed::WithoutAnswer(ErrorCode::INVALID_TIMESTAMP)));
        assert!(!is_of_records(Closed::WithoutAnswer(ErrorCode::NOT_LEADER_OR_FOLLOWER)));
        assert!(!is_of_records(Closed::Idle));
    }
}
