//! How a run ends: everything heals, all work is done in time, nothing stirs, everything is closed,
//! and the logs are judged.

use std::collections::BTreeSet;

use ottla::Instant;
use ottla_broker::UpTo;

use crate::check::bound::{self, Way};
use crate::check::healed::{self, Hope};
use crate::check::logs::{self, LogCopy};
use crate::client::{Client, Net, Owed};
use crate::draw::{MAX_MESSAGE_BYTES, Setup, TOPICS};
use crate::engine::Shape;
use crate::fault::Fault;
use crate::frames::mix;
use crate::ledger::{Entry, Fate};
use crate::look::Look;
use crate::promise::Promise;
use crate::sample;
use crate::world::World;

const SECOND: u64 = 1_000_000;
/// `producer.id.expiration.ms` of brokers.
const DAY: u64 = 86_400 * SECOND;

/// How long nothing may stir: longer than `connections.max.idle.ms`.
const QUIET: u64 = 20 * 60 * SECOND;
/// Late requests come within this.
const LATEST: u64 = 15 * 60 * SECOND;

impl World {
    /// The way of a client to its brokers.
    fn way(&self, c: usize) -> Way {
        let Setup { delay, lag, .. } = self.setup;
        let window = self.clients[c].setup.socket as u64;
        let wires = self.clients[c].wires.iter().filter_map(|id| self.wires.get(id));
        let begun = wires.map(|wire| wire.sent.missing()).max().unwrap_or(0);
        let few = self.clients[c].setup.shape == Shape::Small;
        let turns = if few { u64::from(self.setup.nodes.saturating_sub(1)) } else { 0 };
        Way { delay: delay.1, lag: lag.1, window, begun, turns }
    }

    fn head_bound(&self, c: usize) -> u64 {
        bound::head(&self.clients[c].setup.config, &self.way(c))
    }

    /// Everything is well again. What was on its way in dead connections stays lost.
    pub(crate) fn heal(&mut self) {
        self.tell(|| "everything heals".into());
        self.healed = Some(self.now);
        self.ledger.told_at_healing = self.ledger.told;
        // Before anybody tries again.
        self.clients.iter_mut().for_each(|client| client.net = Net::default());
        self.operations.clear();
        self.traps.clear();
        self.paused.clear();
        self.mend(crate::world::Due::Clock);
        for node in 1..=i32::from(self.setup.nodes) {
            for (topic, partition) in self.places() {
                self.cluster.repair_disk(self.now, TOPICS[topic], partition, node).ok();
            }
            self.cluster.start(self.now, node).ok();
            self.set_host(node, format!("node{node}"));
        }
        for (topic, name) in TOPICS.iter().enumerate().take(self.setup.topics.len()) {
            if self.cluster.topic_id(name).is_none() {
                self.create(topic);
            }
        }
        self.cluster.replicate_all(self.now);
        self.drain();
        for id in self.wires.keys().copied().collect::<Vec<_>>() {
            self.heal_wire(id);
        }
        for c in 0..self.clients.len() {
            self.heal_client(c);
        }
        self.drain();
    }

    fn heal_wire(&mut self, id: u64) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        (wire.up.cut, wire.down.cut) = (None, None);
        // Who waits for something finds out by himself; who does not would only later.
        let dead = wire.up.dead.or(wire.down.dead).is_some();
        let idle = wire.open.is_empty() || !wire.connected;
        wire.heal();
        wire.up.hasten(self.now + wire.delay);
        wire.down.hasten(self.now + wire.delay);
        let next = (wire.up.next(), wire.down.next());
        if dead && idle || !wire.connected && wire.link.is_some() {
            self.sever(id);
        } else {
            let now = self.now;
            next.0.inspect(|at| self.at((*at).max(now), crate::world::Due::Up(id)));
            next.1.inspect(|at| self.at((*at).max(now), crate::world::Due::Down(id)));
        }
    }

    fn heal_client(&mut self, c: usize) {
        let (wall, clock) = (self.true_time(), self.setup.clients[c].clock);
        let now = self.time(c);
        if clock.leading_zeros() != now.as_micros().leading_zeros() && clock > 0 {
            self.fired.count(Fault::TickWrap);
        }
        let client = &mut self.clients[c];
        client.owed.clear();
        (client.cancels, client.untold) = (0, 0);
        (client.asleep, client.deaf) = (0, 0);
        client.engine.set_wall_clock(now, wall.cast_unsigned());
        if client.engine.is_paused() {
            client.lost.clear();
            client.engine.resume(now);
        }
        self.rouse(c);
        if self.clients[c].fatal {
            self.renew_fatal(c);
        }
    }

    /// All partitions of all topics.
    pub(crate) fn places(&self) -> Vec<(usize, i32)> {
        let of = |topic: usize| {
            let count = self.cluster.partition_count(TOPICS[topic]);
            (0..).take(count).map(move |partition| (topic, partition))
        };
        (0..self.setup.topics.len()).flat_map(of).collect()
    }

    /// I8 after healing: what is there has its outcome in time, heads first; and what is new is
    /// written.
    pub(crate) fn recover(&mut self) {
        let healed = self.now;
        // By when which records of which client; and how long if none is refused.
        let mut due: BTreeSet<(u64, usize, Vec<u32>, u64)> = BTreeSet::new();
        // What has time enough to be written.
        let mut hopes: Vec<(usize, u64, Vec<Hope>)> = Vec::new();
        for c in 0..self.clients.len() {
            (self.clients[c].turned_away, self.clients[c].denied) = (0, 0);
            let backlog = self.ledger.backlog(self.clients[c].producer);
            let heads: Vec<Vec<u32>> = backlog.iter().map(|lane| lane[0].clone()).collect();
            for batches in [heads, backlog.concat()] {
                let mut work = self.ledger.work(&batches);
                if !self.archive.is_empty() {
                    // A topic was made again: a request that was begun before metadata told its new
                    // id is refused, however long it took, and sent again.
                    work = work.twice();
                }
                let divided = self.setup.max_message_bytes < MAX_MESSAGE_BYTES;
                let config = &self.clients[c].setup.config;
                let span = bound::backlog(config, &self.way(c), &work, divided);
                due.insert((span, c, batches.concat(), span));
            }
            let (enough, hoped) = self.hopes(c);
            hopes.push((c, enough, hoped));
        }
        while let Some((span, c, ids, least)) = due.pop_first() {
            self.until(healed + span);
            if self.broken.is_some() {
                return;
            }
            let mut open = self.ledger.open_of(&ids);
            open.retain(|id| !self.is_excused(c, *id));
            let (client, way) = (&self.clients[c], self.way(c));
            let longer = least + Self::refusals(client, &way);
            if longer > span && !open.is_empty() {
                due.insert((longer, c, ids, least));
                continue;
            }
            self.looks.count(Look::Backlog, 1);
            if let Err(what) = bound::in_time(&open, span) {
                self.blame(Promise::I8, format!("client {c}: {what}"));
            }
        }
        for (c, enough, hopes) in hopes {
            self.judge_hopes(c, enough, &hopes);
        }
        // Who closes its producer begins anew before it writes again.
        let closing = self.clients.iter().filter_map(|client| client.closing).max();
        self.until(closing.unwrap_or(0) + 3 * SECOND);
        self.try_all();
    }

    /// What everything takes longer as a client's requests were refused since all is well: for records,
    /// or by brokers that it could not know not to lead any more.
    fn refusals(client: &Client, way: &Way) -> u64 {
        client.turned_away * bound::turned_away(&client.setup.config, way)
            + client.denied * bound::refused(way)
            + bound::misled(way, client.misled)
    }

    /// What is enough for what a client has to be written, and of its records without an outcome those
    /// that have so much time.
    fn hopes(&self, c: usize) -> (u64, Vec<Hope>) {
        let (now, way) = (self.time(c).as_micros(), self.way(c));
        let client = &self.clients[c];
        let batches = self.ledger.backlog(client.producer).concat();
        let mut work = self.ledger.work(&batches);
        if !self.archive.is_empty() {
            work = work.twice();
        }
        let divided = self.setup.max_message_bytes < MAX_MESSAGE_BYTES;
        let enough = healed::enough(&client.setup.config, &way, &work, divided);
        (enough, healed::hopes(&self.ledger, &batches, now, enough))
    }

    /// I8: what had time enough when everything healed is written.
    fn judge_hopes(&mut self, c: usize, enough: u64, hopes: &[Hope]) {
        // Others that were refused for their records came first, and took longer.
        let enough = enough + Self::refusals(&self.clients[c], &self.way(c));
        for hope in hopes.iter().filter(|hope| hope.left >= enough) {
            let entry = self.ledger.entries[hope.id as usize];
            if self.is_excused(c, hope.id) {
                continue;
            }
            // Brokers forget whom they have not heard for a day, as of a device that slept.
            let touched = self.is_touched(&entry) || self.healed.unwrap_or(0) >= DAY;
            let past = healed::Past { touched, fatal: self.book.is_fatal(entry.producer) };
            self.looks.count(Look::Hope, 1);
            if let Err(what) = healed::is_written(&self.ledger, *hope, &past) {
                self.blame(Promise::I8, format!("client {c}: {what}"));
            }
        }
    }

    /// Whether a fault has hit its partition or its producer that loses what brokers know, or lies.
    fn is_touched(&self, entry: &Entry) -> bool {
        self.touched.partitions.contains(&(entry.topic, entry.partition))
            || self.touched.processes.contains(&entry.producer)
    }

    /// Whether a record waits for a partition that its client cannot know; notes it, too.
    fn is_excused(&mut self, c: usize, id: u32) -> bool {
        let Entry { topic, partition, .. } = self.ledger.entries[id as usize];
        let excused = self.is_lost_to(c, topic, partition);
        if excused {
            self.excused.insert((c, topic, partition));
        }
        excused
    }

    /// Every client writes to every partition.
    fn try_all(&mut self) {
        let longest = (0..self.clients.len()).map(|c| self.head_bound(c)).max().unwrap_or(0);
        // Who knows no partitions yet asks for them first.
        for c in 0..self.clients.len() {
            for topic in 0..self.setup.topics.len() {
                self.clients[c].owed.push_back(Owed { topic, partition: None, length: 20 });
            }
            self.pay(c);
            self.pump(c);
        }
        self.until(self.now + longest);
        let from = self.ledger.next_id();
        for c in 0..self.clients.len() {
            for (topic, partition) in self.places() {
                if partition < self.setup.topics[topic].cast_signed() {
                    let partition = Some(partition);
                    let length = sample::SHORTEST;
                    self.clients[c].owed.push_back(Owed { topic, partition, length });
                }
            }
            self.pay(c);
            self.pump(c);
        }
        self.until(self.now + longest);
        for c in 0..self.clients.len() {
            let left = self.clients[c].owed.len();
            // What waits for a partition that is lost takes its memory.
            let lost = self.places().into_iter().find(|(t, p)| self.is_lost_to(c, *t as u32, *p));
            if let Some((topic, partition)) = lost.filter(|_| left > 0) {
                self.excused.insert((c, topic as u32, partition));
            } else if left > 0 {
                self.blame(Promise::I8, format!("all is well, and client {c} refuses {left}"));
            }
        }
        self.looks.count(Look::Fresh, u64::from(self.ledger.next_id() - from));
        let fresh = self.ledger.entries.iter().zip(0..).skip(from as usize);
        // One whose attempts are counted has its outcome: they may be used up at a former leader, before
        // the answer comes that tells of the next.
        let counts =
            |entry: &Entry| self.ledger.processes[entry.producer as usize].counts_attempts();
        let fresh = fresh.filter(|(entry, _)| entry.fate == Fate::Pending || !counts(entry));
        // Who lets records make room for others has room for few.
        let is_good =
            |fate| matches!(fate, Fate::Written(_) | Fate::Unacknowledged | Fate::Dropped);
        let bad = fresh.filter(|(entry, _)| !is_good(entry.fate));
        for (entry, id) in bad.map(|(entry, id)| (*entry, id)).collect::<Vec<_>>() {
            let of = |client: &Client| client.producer == entry.producer;
            let client = self.clients.iter().position(of);
            // Whose state was lost finds out by its first record.
            if self.is_touched(&entry) && entry.fate == Fate::Unknown {
                continue;
            }
            if client.is_none_or(|c| !self.is_excused(c, id)) {
                let Entry { producer, topic, partition, fate, .. } = entry;
                let place = format!("{topic}/{partition}");
                let what = format!("all is well, and {id} of {producer} to {place} is {fate:?}");
                self.blame(Promise::I8, what);
            }
        }
    }

    /// I20: nothing is to do, and nothing stirs.
    pub(crate) fn rest(&mut self) {
        // Applications that were refused don't try any more.
        self.clients.iter_mut().for_each(|client| client.owed.clear());
        // What was excused from I8 has its outcome when its time is over.
        let excused: Vec<usize> = self.excused.iter().map(|(c, ..)| *c).collect();
        let timeout = |c: usize| self.clients[c].setup.config.delivery_timeout.as_micros();
        let longest = excused.into_iter().map(timeout).max().unwrap_or(0);
        self.until(self.now + 60 * SECOND + longest);
        let before: Vec<(u64, u64, usize)> = self
            .clients
            .iter()
            .map(|client| (client.written, client.timeouts, client.wires.len()))
            .collect();
        self.until(self.now + QUIET.max(LATEST));
        for (c, (written, timeouts, wires)) in before.into_iter().enumerate() {
            let (pending, used) = {
                let client = &self.clients[c];
                (self.ledger.pending(client.producer), client.engine.blocks_used())
            };
            self.looks.count(Look::Idle, 1);
            if let Err(what) = blocks_needed(used, pending) {
                self.blame(Promise::I9, format!("client {c}: {what}"));
            }
            let client = &mut self.clients[c];
            let after = (client.written, client.timeouts);
            let timer = client.engine.poll_timeout();
            self.looks.count(Look::Rest, 1);
            if let Err(what) = silent((written, timeouts), after, wires, timer) {
                self.blame(Promise::I20, format!("client {c}: {what}"));
            }
        }
    }

    /// Every producer is closed, by its deadline.
    pub(crate) fn close(&mut self) {
        for c in 0..self.clients.len() {
            self.clients[c].closing = None;
            let now = self.time(c);
            let deadline = now.after(ottla::Duration::from_secs(10));
            self.clients[c].engine.close(now, deadline);
            let process = &mut self.ledger.processes[self.clients[c].producer as usize];
            let earlier = process.deadline.unwrap_or(u64::MAX);
            process.deadline = Some(deadline.as_micros().min(earlier));
            self.pump(c);
        }
        self.until(self.now + 10 * SECOND);
        for c in 0..self.clients.len() {
            self.looks.count(Look::Close, 1);
            if !(self.clients[c].closed && self.clients[c].engine.is_closed()) {
                self.blame(Promise::I8, format!("client {c} is not closed by the deadline"));
            }
            self.check_end(c);
        }
    }

    /// Keeps the logs of a topic that is about to be deleted.
    pub(crate) fn archive_topic(&mut self, topic: usize) {
        let mut logs = self.logs(topic);
        self.archive.append(&mut logs);
    }

    /// The committed logs of a topic.
    fn logs(&mut self, topic: usize) -> Vec<LogCopy> {
        let mut logs: Vec<LogCopy> = Vec::new();
        let mut bad = None;
        let name = TOPICS[topic];
        let count = self.cluster.partition_count(name);
        for partition in (0..).take(count) {
            logs.push(LogCopy { topic: topic as u32, partition, records: Vec::new() });
        }
        for record in self.cluster.records(name, UpTo::HighWatermark) {
            self.looks.count(Look::Bytes, 1);
            let Ok(found) = record else {
                bad = Some("a batch that nobody can read".to_string());
                continue;
            };
            let Some(id) = sample::id_of(found.record.value) else {
                bad = Some(format!("a record at {} that nobody sent", found.offset));
                continue;
            };
            let entry = self.ledger.entries.get(id as usize);
            let is_whole = |entry: &crate::ledger::Entry| {
                let style = self.ledger.processes[entry.producer as usize].style;
                sample::is_whole(&found.record, id, entry.length, style)
            };
            if entry.is_some_and(|entry| !is_whole(entry)) {
                bad = Some(format!("{id} has other bytes than were sent"));
            }
            self.hash = mix(self.hash, u64::from(id));
            if let Some(log) = logs.get_mut(found.partition as usize) {
                log.records.push((found.offset, id));
            }
        }
        if let Some(what) = bad {
            self.blame(Promise::I11, what);
        }
        logs
    }

    /// I1 to I4, but for those that a fault suspends.
    pub(crate) fn judge(&mut self, suspended: &[Promise]) {
        self.cluster.replicate_all(self.now);
        let mut all = std::mem::take(&mut self.archive);
        for topic in 0..self.setup.topics.len() {
            all.append(&mut self.logs(topic));
        }
        let checks = [
            (Look::Never, logs::never as fn(&_, &_) -> _),
            (Look::Once, logs::once),
            (Look::Order, logs::order),
            (Look::Written, logs::written),
        ];
        for (look, check) in checks {
            let (promise, _) = look.about();
            if suspended.contains(&promise) {
                continue;
            }
            match check(&self.ledger, &all) {
                Ok(looked) => self.looks.count(look, looked),
                Err(what) => self.blame(promise, what),
            }
        }
        match logs::exactly_once(&self.ledger, &all, &self.touched) {
            Ok(looked) => self.looks.count(Look::Claimed, looked),
            Err(what) => self.blame(Promise::I21, what),
        }
    }
}

/// I9: with nothing left to do no block is kept, and what has no outcome has one.
fn blocks_needed(used: usize, pending: u64) -> Result<(), String> {
    if (used == 0) == (pending == 0) {
        return Ok(());
    }
    Err(format!("{used} blocks are used at rest, for {pending} records without an outcome"))
}

/// I20: bytes and timeouts before and after a time in which nothing was to do.
pub(crate) fn silent(
    before: (u64, u64),
    after: (u64, u64),
    links: usize,
    timer: Option<Instant>,
) -> Result<(), String> {
    if before.0 != after.0 {
        return Err(format!("{} bytes, and nothing was to do", after.0 - before.0));
    }
    let timeouts = after.1 - before.1;
    if timeouts > links as u64 {
        return Err(format!("{timeouts} timers, and {links} links to close"));
    }
    match timer {
        None => Ok(()),
        Some(at) => Err(format!("a timer at {}, and nothing is left", at.as_micros())),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    #[test]
    fn what_stirs_is_found() {
        assert_eq!(silent((5, 1), (5, 3), 2, None), Ok(()));
        assert!(silent((5, 1), (6, 1), 2, None).is_err(), "bytes");
        assert!(silent((5, 1), (5, 4), 2, None).is_err(), "timers");
        assert!(silent((5, 1), (5, 1), 2, Some(Instant::ZERO)).is_err(), "a timer");
    }

    #[test]
    fn blocks_that_are_kept_for_nothing_are_found() {
        assert!(blocks_needed(0, 0).is_ok() && blocks_needed(2, 3).is_ok());
        assert!(blocks_needed(1, 0).is_err() && blocks_needed(0, 1).is_err());
    }

    /// A world of a seed, after everything is well again.
    pub(crate) fn healed(seed: u64) -> World {
        let plan = crate::draw::plan(seed);
        let mut world = World::new(seed, &plan);
        world.until(plan.setup.heal);
        world.heal();
        world
    }

    fn broken(world: &World) -> Option<Promise> {
        world.broken.as_ref().map(|violation| violation.promise)
    }

    /// A world that goes on to its end; a lie may be told before.
    fn ended(mut world: World, lie: impl FnOnce(&mut World)) -> Option<Promise> {
        for phase in [World::recover, World::rest, World::close] {
            phase(&mut world);
        }
        assert_eq!(broken(&world), None);
        lie(&mut world);
        world.judge(&[]);
        broken(&world)
    }

    #[test]
    fn a_network_that_does_not_heal_is_found() {
        for seed in 1..6 {
            let mut world = healed(seed);
            for client in &mut world.clients {
                client.net.refused = crate::client::Spell::new(1, u64::MAX);
            }
            // Those with few attempts have their outcomes soon.
            world.ledger.processes.iter_mut().for_each(|process| process.retries = u32::MAX);
            for id in world.wires.keys().copied().collect::<Vec<_>>() {
                world.sever(id);
            }
            world.recover();
            assert_eq!(broken(&world), Some(Promise::I8), "{seed}");
        }
    }

    #[test]
    fn what_stirs_in_a_world_at_rest_is_found() {
        use crate::operation::{Kind, Operation};
        let mut world = healed(1);
        world.recover();
        let at = world.now + 400 * SECOND;
        world.operations = vec![Operation { at, kind: Kind::Send, who: 0, what: 0, span: 1 }];
        world.at(at, crate::world::Due::Operation(0));
        world.rest();
        assert_eq!(broken(&world), Some(Promise::I20));
    }

    #[test]
    fn other_bytes_in_a_log_are_found() {
        assert_eq!(ended(healed(1), |_| {}), None);
        let longer = |world: &mut World| {
            let is_written = |entry: &&mut Entry| matches!(entry.fate, Fate::Written(_));
            let entry = world.ledger.entries.iter_mut().find(is_written);
            entry.expect("something is written").length += 1;
        };
        assert_eq!(ended(healed(1), longer), Some(Promise::I11));
        let other_headers = |world: &mut World| {
            for process in &mut world.ledger.processes {
                process.style.headers = !process.style.headers;
            }
        };
        assert_eq!(ended(healed(1), other_headers), Some(Promise::I11));
    }

    #[test]
    fn a_log_that_lost_something_is_found() {
        let lost = |world: &mut World| {
            for (topic, partition) in world.places() {
                let (name, now) = (TOPICS[topic], world.now);
                let all = ottla_broker::Reload::All;
                world.cluster.truncate(now, name, partition, 1, all).expect("it can be cut");
            }
        };
        assert_eq!(ended(healed(1), lost), Some(Promise::I1));
    }

    #[test]
    fn a_reload_is_part_of_the_table() {
        // The documented reload suspends nothing, a loss of state does.
        assert!(Fault::RestartNewest.suspends().is_empty());
        assert!(!Fault::RestartForgetful.suspends().is_empty());
    }
}
