//! Operations are carried out: records are sent, and things go wrong.

use ottla::Duration;
use ottla_broker::{Address, Reload, UpTo};

use crate::client::{Owed, Spell};
use crate::draw::TOPICS;
use crate::fault::Fault;
use crate::operation::{Kind, Operation};
use crate::variety;
use crate::world::{Due, World};

const HOUR_MS: i64 = 3_600_000;
const EPOCH: i64 = variety::EPOCH.cast_signed();

impl World {
    /// Carries out an operation.
    pub(crate) fn operate(&mut self, operation: Operation) {
        let Operation { kind, who, what, span, .. } = operation;
        let c = who as usize % self.clients.len();
        let awake = self.clients[c].asleep <= self.now;
        match kind {
            Kind::Send if awake => {
                self.owe(c, what, span);
                self.pay(c);
                self.pump(c);
            }
            Kind::Send => self.owe(c, what, span),
            Kind::Flush if awake => {
                let (now, mark) = (self.time(c), self.ledger.next_id());
                let flush = self.clients[c].engine.flush(now);
                self.clients[c].flushes.push((flush, mark));
                self.pump(c);
            }
            Kind::Flush => {}
            Kind::Fault(fault) => self.inject(fault, c, operation),
        }
        self.drain();
    }

    /// An application has records to send.
    fn owe(&mut self, c: usize, what: u32, count: u64) {
        let topic = what as usize % self.setup.topics.len();
        let largest = self.clients[c].setup.shape.block();
        for _ in 0..count {
            let length = match self.random.below(16) {
                0 => self.random.below(largest - 90),
                1 | 2 => self.random.below(300),
                _ => 8 + self.random.below(90),
            };
            let explicit = what & 0x300 != 0;
            let partition = self.random.below(self.setup.topics[topic]).cast_signed();
            let partition = explicit.then_some(partition);
            self.clients[c].owed.push_back(Owed { topic, partition, length });
        }
    }

    /// A topic and a partition of it.
    fn place(&self, what: u32) -> (usize, i32) {
        let topic = what as usize % self.setup.topics.len();
        let count = self.cluster.partition_count(TOPICS[topic]).max(1) as u32;
        (topic, ((what >> 4) % count).cast_signed())
    }

    /// A wire of a client that is connected.
    fn pick_wire(&self, c: usize, what: u32) -> Option<u64> {
        let wires = &self.clients[c].wires;
        let open: Vec<u64> = wires.iter().copied().filter(|id| self.wires[id].connected).collect();
        (!open.is_empty()).then(|| open[what as usize % open.len()])
    }

    fn inject(&mut self, fault: Fault, c: usize, operation: Operation) {
        let Operation { who, what, span, .. } = operation;
        let node = 1 + (who % u32::from(self.setup.nodes)).cast_signed();
        if self.traps.set(fault, node, what, span, &self.old) {
            return;
        }
        if self.inject_link(fault, c, what, span)
            || self.inject_node(fault, node, what, span)
            || self.inject_partition(fault, what, span)
        {
            return;
        }
        self.inject_client(fault, c, what, span);
    }

    fn inject_link(&mut self, fault: Fault, c: usize, what: u32, span: u64) -> bool {
        let minute = self.now + 60_000_000;
        let until = self.now + span;
        let wire = self.pick_wire(c, what >> 2);
        let net = &mut self.clients[c].net;
        match fault {
            Fault::Delay => net.delay = Spell::new(span, minute),
            Fault::Jitter => net.jitter = Spell::new(span, minute),
            Fault::Asymmetry => net.asymmetry = Spell::new(span, minute),
            Fault::Bandwidth => net.bandwidth = Spell::new(span, minute / 2),
            Fault::Crumbs => net.crumbs = Spell::new(span, u64::MAX),
            Fault::Merged => net.merged = Spell::new(1, self.now + span.min(2_000_000)),
            Fault::Refused => net.refused = Spell::new(1, until),
            Fault::Unanswered => net.unanswered = Spell::new(1, until),
            Fault::Late | Fault::Twice | Fault::Disorder => net.late = Some((fault, span)),
            Fault::Reset | Fault::HalfOpen | Fault::ReplyLost => {
                let Some(wire) = wire.and_then(|id| self.wires.get_mut(&id)) else { return true };
                match fault {
                    Fault::Reset if what.is_multiple_of(2) => wire.up.cut = Some(1 + span),
                    Fault::Reset => wire.down.cut = Some(1 + span),
                    Fault::HalfOpen => {
                        wire.up.dead = Some(fault);
                        wire.down.dead = Some(fault);
                    }
                    _ => wire.down.dead = Some(fault),
                }
            }
            _ => return false,
        }
        true
    }

    fn inject_node(&mut self, fault: Fault, node: i32, what: u32, span: u64) -> bool {
        let runs = self.cluster.is_live(node);
        let reload = match fault {
            Fault::Restart => Reload::All,
            Fault::RestartNewest => Reload::NewestOnly,
            Fault::RestartForgetful => Reload::Nothing,
            Fault::Kill => {
                if runs {
                    self.keep_old();
                    let held = self.holds_anything(node);
                    self.cluster.kill(self.now, node).ok();
                    if held {
                        self.fired.count(fault);
                    }
                    self.later(span, Due::Start(node));
                }
                return true;
            }
            Fault::Pause => {
                self.paused.insert(node, Spell::new(1, self.now + span));
                return true;
            }
            Fault::ClockSkew => {
                self.count_skew();
                self.skew = (i64::from(what % 13) - 6) * HOUR_MS;
                self.skewed = (self.skew != 0).then(|| self.cluster.counters().appended);
                self.set_clock();
                self.later(span, Due::Clock);
                return true;
            }
            Fault::LongHost => {
                let name = format!("node{node}.{}", "of-a-long-name.".repeat(4));
                self.set_host(node, name);
                // Who knows it may find it too long later.
                self.long_host = Spell::new(1, u64::MAX);
                self.later(span, Due::ShortHost(node));
                return true;
            }
            _ => return false,
        };
        if runs {
            self.coverage.went(match fault {
                Fault::Restart => "restart with state",
                Fault::RestartNewest => "restart, newest batch",
                _ => "restart without state",
            });
            let held = self.holds_anything(node);
            let knew = if fault == Fault::RestartForgetful { self.touch_node(node) } else { held };
            self.cluster.restart(self.now, node, reload).ok();
            if knew {
                self.fired.count(fault);
            }
        }
        true
    }

    /// Whether a node has a connection, or a batch: who has neither loses nothing with its power.
    fn holds_anything(&self, node: i32) -> bool {
        let is_full = |(topic, partition): (usize, i32)| {
            let log = self.cluster.log(TOPICS[topic], partition, node);
            log.is_some_and(|log| !log.batches().is_empty())
        };
        self.wires.values().any(|wire| wire.connected && wire.node == node)
            || self.places().into_iter().any(is_full)
    }

    /// Everything that a node has was hit. Returns whether it has anything.
    fn touch_node(&mut self, node: i32) -> bool {
        let mut any = false;
        for (topic, partition) in self.places() {
            if let Some(log) = self.cluster.log(TOPICS[topic], partition, node) {
                any |= !log.batches().is_empty();
                self.touched.partitions.insert((topic as u32, partition));
            }
        }
        any
    }

    /// Tells by which name clients reach a node.
    pub(crate) fn set_host(&mut self, node: i32, host: String) {
        let port = 9_091 + u16::try_from(node).unwrap_or(0);
        self.cluster.set_address(node, 0, Address { host, port }).ok();
    }

    /// The time of day has been wrong: it counts if anything was appended meanwhile.
    pub(crate) fn count_skew(&mut self) {
        let appended = self.cluster.counters().appended;
        if self.skewed.take().is_some_and(|before| before < appended) {
            self.fired.count(Fault::ClockSkew);
        }
    }

    /// Whether the leader of a partition knows a producer.
    fn knows_producers(&self, name: &str, partition: i32) -> bool {
        let mut batches = self.cluster.batches(name, partition, UpTo::LogEnd);
        batches.any(|b| self.cluster.producer(name, partition, b.claim.producer_id).is_some())
    }

    /// An unclean election. Whether it loses what is committed is seen by the high watermark.
    fn elect(&mut self, topic: usize, partition: i32, to: i32) {
        let (name, now) = (TOPICS[topic], self.now);
        self.cluster.repair_disk(now, name, partition, to).ok();
        if now >= self.setup.heal {
            return;
        }
        let before = self.cluster.high_watermark(name, partition);
        self.cluster.leave_in_sync(now, name, partition, to).ok();
        if self.cluster.leader(name, partition) == Some(to)
            || self.cluster.elect_unclean(now, name, partition, to).is_err()
        {
            return;
        }
        self.touched.partitions.insert((topic as u32, partition));
        if self.cluster.high_watermark(name, partition) < before {
            self.coverage.went("election that loses committed records");
            self.fired.count(Fault::Unclean);
        } else {
            self.coverage.went("election that loses nothing committed");
        }
    }

    fn set_clock(&mut self) {
        let passed = i64::try_from(self.now / 1_000).unwrap_or(i64::MAX);
        self.cluster.set_wall_clock(self.now, EPOCH + passed + self.skew);
    }

    /// The true time of day.
    pub(crate) const fn true_time(&self) -> i64 {
        EPOCH + (self.now / 1_000).cast_signed()
    }

    /// The time of day as everybody is told it: wrong while that of the brokers is.
    pub(crate) const fn told_time(&self) -> i64 {
        self.true_time() + self.skew
    }

    /// Keeps what the cluster looks like, to be told when it is not true any more.
    fn keep_old(&mut self) {
        self.old = self.cluster.clone();
    }

    fn inject_partition(&mut self, fault: Fault, what: u32, span: u64) -> bool {
        let (topic, partition) = self.place(what);
        let (name, now) = (TOPICS[topic], self.now);
        let leader = self.cluster.leader(name, partition);
        let in_sync = self.cluster.in_sync(name, partition);
        let others = |of: &[i32]| {
            let others: Vec<i32> = of.iter().copied().filter(|n| Some(*n) != leader).collect();
            (!others.is_empty()).then(|| others[(what >> 8) as usize % others.len()])
        };
        let nodes: Vec<i32> = (1..=i32::from(self.setup.nodes)).collect();
        let replicas: Vec<i32> = nodes
            .into_iter()
            .filter(|node| self.cluster.log(name, partition, *node).is_some())
            .collect();
        let hit = match fault {
            Fault::Move => {
                self.keep_old();
                others(&in_sync)
                    .is_some_and(|to| self.cluster.move_leader(now, name, partition, to).is_ok())
            }
            Fault::MoveInEpoch => others(&in_sync).is_some_and(|to| {
                self.cluster.move_leader_in_epoch(now, name, partition, to).is_ok()
            }),
            Fault::Shrink => others(&in_sync)
                .is_some_and(|node| self.cluster.leave_in_sync(now, name, partition, node).is_ok()),
            Fault::Unclean => {
                // It stands aside for a while, and lacks what is written meanwhile.
                if let Some(to) = others(&replicas) {
                    self.cluster.fail_disk(now, name, partition, to).ok();
                    let aside = span.min(10_000_000);
                    self.later(aside, Due::Elect(topic as u32, partition, to));
                }
                false
            }
            Fault::Truncate => {
                let end = self.cluster.log_end(name, partition).unwrap_or(0);
                let keep = end * i64::from(what >> 16 & 0xff) / 256;
                let done = self.cluster.truncate(now, name, partition, keep, Reload::All);
                done.is_ok() && self.cluster.log_end(name, partition).unwrap_or(end) < end
            }
            Fault::Expiry => {
                let knew = self.knows_producers(name, partition);
                knew && self.cluster.forget_producers(name, partition).is_ok()
            }
            Fault::Grow => self.cluster.add_partitions(now, name, 1).is_ok(),
            Fault::Recreate => {
                self.keep_old();
                self.archive_topic(topic);
                // What was sent to a partition that there is not any more could not be written.
                let count = self.cluster.partition_count(name).max(1);
                self.setup.topics[topic] = self.setup.topics[topic].max(count as u32);
                let done = self.cluster.delete_topic(now, name).is_ok();
                self.later(if what & 0x100 == 0 { 0 } else { span }, Due::Create(topic as u32));
                if done {
                    self.coverage.went("topic made again");
                }
                done
            }
            Fault::Disk => {
                let Some(node) = leader.or(replicas.first().copied()) else { return true };
                self.later(span, Due::Repair(topic as u32, partition, node));
                self.cluster.fail_disk(now, name, partition, node).is_ok()
            }
            _ => return false,
        };
        if !fault.suspends().is_empty() {
            let whole = fault == Fault::Recreate;
            let all = if whole { 0..=i32::from(u8::MAX) } else { partition..=partition };
            self.touched.partitions.extend(all.map(|partition| (topic as u32, partition)));
        }
        if hit {
            self.fired.count(fault);
            match fault {
                Fault::Move => self.coverage.went("clean election"),
                Fault::Expiry => self.coverage.went("producers forgotten"),
                _ => {}
            }
        }
        true
    }

    fn inject_client(&mut self, fault: Fault, c: usize, what: u32, span: u64) {
        let awake = self.clients[c].asleep <= self.now;
        if !awake {
            return;
        }
        let now = self.time(c);
        let wall = self.true_time();
        let engine = &mut self.clients[c].engine;
        match fault {
            Fault::Fill => {
                self.owe(c, what, span);
                if !self.pay(c) {
                    return;
                }
            }
            Fault::Deaf => {
                // It counts when something is heard late.
                self.clients[c].deaf = self.now + span;
                self.clients[c].numb = Some(fault);
                return self.later(span, Due::Rouse(c as u32));
            }
            Fault::Cancel => {
                self.clients[c].cancels += 1 + what % 3;
                self.pump(c);
                return self.drop_reads(c);
            }
            Fault::Untold => {
                self.clients[c].untold += 1;
                return self.pump(c);
            }
            Fault::Names => {
                let name = |n: u32| format!("nobody-has-a-topic-called-{n}");
                let mut names = (0..1 + what % 12).map(name);
                if names.all(|name| engine.declare_topic(&name, 0).is_ok()) {
                    return self.pump(c);
                }
            }
            Fault::Close | Fault::CloseCrash => {
                self.close_early(c, fault, span);
                return self.pump(c);
            }
            Fault::Crash => {
                self.fired.count(fault);
                return self.renew(c);
            }
            Fault::ClockJump => {
                let due = engine.poll_timeout();
                self.clients[c].clock += span;
                let now = self.time(c);
                // It counts if something became due by it.
                if due.is_some_and(|due| due <= now) {
                    self.fired.count(fault);
                }
                let now = self.time(c);
                if what.is_multiple_of(2) {
                    self.clients[c].engine.set_wall_clock(now, wall.cast_unsigned());
                }
                return self.pump(c);
            }
            Fault::WallJump => {
                let jumps = [-12, -1, 1, 24 * 400, 24 * 9_000];
                let jump = jumps[what as usize % jumps.len()] * HOUR_MS;
                if !engine.set_wall_clock(now, (wall + jump).cast_unsigned()) {
                    return;
                }
            }
            Fault::WallPast => {
                let jump = i64::from(25 + what % 20_000) * HOUR_MS;
                if !engine.set_wall_clock(now, (wall - jump).cast_unsigned()) {
                    return;
                }
                self.touched.processes.insert(self.clients[c].producer);
            }
            Fault::Sleep => {
                // It counts if it wakes late.
                let due = engine
                    .poll_timeout()
                    .is_some_and(|due| due <= now.after(Duration::from_micros(span)));
                self.clients[c].asleep = self.now + span;
                self.later(span, Due::Rouse(c as u32));
                if !due {
                    return;
                }
            }
            Fault::Radio => {
                let idle = self.clients[c].wires.is_empty()
                    && self.clients[c].engine.poll_timeout().is_none();
                self.clients[c].engine.pause(now);
                if idle {
                    return self.later(span, Due::Radio(c as u32));
                }
                self.later(span, Due::Radio(c as u32));
            }
            _ => return,
        }
        self.fired.count(fault);
        self.pump(c);
    }

    /// Something that was broken is mended.
    pub(crate) fn mend(&mut self, due: Due) {
        match due {
            Due::Start(node) => {
                self.cluster.start(self.now, node).ok();
            }
            Due::Repair(topic, partition, node) => {
                let name = TOPICS[topic as usize];
                self.cluster.repair_disk(self.now, name, partition, node).ok();
            }
            Due::Elect(topic, partition, to) => self.elect(topic as usize, partition, to),
            Due::ShortHost(node) => self.set_host(node, format!("node{node}")),
            Due::Clock => {
                self.count_skew();
                self.skew = 0;
                self.set_clock();
            }
            Due::Create(topic) => self.create(topic as usize),
            Due::Haunt(wire, fault, span) => self.haunt(wire, fault, span),
            Due::Ghost(ghost) => self.visit(ghost as usize),
            Due::EndGhost(connection) => self.end_ghost(connection),
            _ => {}
        }
        self.drain();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Fault;
    use crate::operation::Kind;

    #[test]
    fn who_has_nothing_loses_nothing() {
        let hits = |fault, is_used: bool| {
            let plan = crate::draw::plan(1);
            let mut world = World::new(1, &plan);
            world.operations.clear();
            if is_used {
                world = crate::end::tests::healed(1);
                world.recover();
            }
            let batches = world.cluster.batches(TOPICS[0], 0, UpTo::LogEnd).count();
            assert_eq!(batches > 0, is_used);
            let node = world.cluster.leader(TOPICS[0], 0).expect("a leader");
            let who = node.cast_unsigned() - 1;
            let before = world.fired.of(fault);
            let at = world.now;
            world.operate(Operation { at, kind: Kind::Fault(fault), who, what: 0, span: 1 });
            world.fired.of(fault) - before
        };
        for fault in [Fault::Kill, Fault::Restart, Fault::RestartNewest, Fault::RestartForgetful] {
            assert_eq!((hits(fault, false), hits(fault, true)), (0, 1), "{fault}");
        }
    }
}
