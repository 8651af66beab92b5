//! Operations are carried out: records are sent, and things go wrong.

use ottla_broker::Reload;

use crate::client::{Owed, Spell};
use crate::draw::TOPICS;
use crate::fault::Fault;
use crate::operation::{Kind, Operation};
use crate::promise::Promise;
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
                let now = self.time(c);
                self.clients[c].engine.flush(now);
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
                    self.cluster.kill(self.now, node).ok();
                    self.fired.count(fault);
                    self.later(span, Due::Start(node));
                }
                return true;
            }
            Fault::Pause => {
                self.paused.insert(node, self.now + span);
                self.fired.count(fault);
                return true;
            }
            Fault::ClockSkew => {
                self.skew = (i64::from(what % 13) - 6) * HOUR_MS;
                self.set_clock();
                self.fired.count(fault);
                self.later(span, Due::Clock);
                return true;
            }
            _ => return false,
        };
        if runs {
            if fault == Fault::RestartForgetful {
                self.touch_node(node);
            }
            self.cluster.restart(self.now, node, reload).ok();
            self.fired.count(fault);
        }
        true
    }

    /// Everything that a node has was hit.
    fn touch_node(&mut self, node: i32) {
        for (topic, partition) in self.places() {
            if self.cluster.log(TOPICS[topic], partition, node).is_some() {
                self.touched.partitions.insert((topic as u32, partition));
            }
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
            Fault::Unclean => others(&replicas).is_some_and(|to| {
                let end = self.cluster.log_end(name, partition);
                self.cluster.leave_in_sync(now, name, partition, to).ok();
                self.cluster.elect_unclean(now, name, partition, to).is_ok()
                    && self.cluster.log_end(name, partition) < end
            }),
            Fault::Truncate => {
                let end = self.cluster.log_end(name, partition).unwrap_or(0);
                let keep = end * i64::from(what >> 16 & 0xff) / 256;
                let done = self.cluster.truncate(now, name, partition, keep, Reload::All);
                done.is_ok() && self.cluster.log_end(name, partition).unwrap_or(end) < end
            }
            Fault::Expiry => self.cluster.forget_producers(name, partition).is_ok(),
            Fault::Grow => self.cluster.add_partitions(now, name, 1).is_ok(),
            Fault::Recreate => {
                self.keep_old();
                self.archive_topic(topic);
                // What was sent to a partition that there is not any more could not be written.
                let count = self.cluster.partition_count(name).max(1);
                self.setup.topics[topic] = self.setup.topics[topic].max(count as u32);
                let done = self.cluster.delete_topic(now, name).is_ok();
                self.later(if what & 0x100 == 0 { 0 } else { span }, Due::Create(topic as u32));
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
                self.clients[c].deaf = self.now + span;
                self.later(span, Due::Rouse(c as u32));
            }
            Fault::Cancel => {
                self.clients[c].cancels += 1 + what % 3;
                return;
            }
            Fault::Crash => return self.crash(c),
            Fault::ClockJump => {
                self.clients[c].clock += span;
                let now = self.time(c);
                if what.is_multiple_of(2) {
                    self.clients[c].engine.set_wall_clock(now, wall.cast_unsigned());
                }
            }
            Fault::WallJump => {
                let jumps = [-12, -1, 1, 24 * 400, 24 * 9_000];
                let jump = jumps[what as usize % jumps.len()] * HOUR_MS;
                engine.set_wall_clock(now, (wall + jump).cast_unsigned());
            }
            Fault::WallPast => {
                let jump = i64::from(25 + what % 20_000) * HOUR_MS;
                engine.set_wall_clock(now, (wall - jump).cast_unsigned());
                self.touched.processes.insert(self.clients[c].producer);
            }
            Fault::Sleep => {
                self.clients[c].asleep = self.now + span;
                self.later(span, Due::Rouse(c as u32));
            }
            Fault::Radio => {
                engine.pause(now);
                self.later(span, Due::Radio(c as u32));
            }
            _ => return,
        }
        self.fired.count(fault);
        self.pump(c);
    }

    fn crash(&mut self, c: usize) {
        self.fired.count(Fault::Crash);
        self.renew(c);
    }

    /// After a fatal answer everything has its outcome; the application begins anew.
    pub(crate) fn renew_fatal(&mut self, c: usize) {
        // What was on its way has its outcome when it is answered, or when its time is over.
        let client = &self.clients[c];
        let pending = self.ledger.pending(client.producer) > 0;
        if pending || client.asleep > self.now || client.deaf > self.now {
            return self.later(5_000_000, Due::Renew(c as u32));
        }
        self.check_outcomes(c);
        self.renew(c);
    }

    /// I7, of a process that is at its end.
    pub(crate) fn check_outcomes(&mut self, c: usize) {
        let client = &self.clients[c];
        let counters = client.engine.counters();
        let counted = counters.written + counters.not_written + counters.unknown;
        let result = crate::ledger::one_outcome(&self.ledger, client.producer, counted);
        if let Err(what) = result {
            self.blame(Promise::I7, format!("client {c}: {what}"));
        }
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
            Due::Clock => {
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
