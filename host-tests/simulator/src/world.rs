//! The world: who is in it, and how time passes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

use ottla_answers::Random;
use ottla_broker::{AutoCreate, Cluster, Config, Connection, NewTopic, Replication, TopicId};

use crate::check::logs::{LogCopy, Touched};
use crate::check::wires::Book;
use crate::client::{Client, Net, Spell};
use crate::coverage::Coverage;
use crate::draw::{Plan, Setup, TOPICS};
use crate::fault::{Fault, Fired};
use crate::ledger::Ledger;
use crate::look::Looks;
use crate::operation::Operation;
use crate::promise::{Promise, Violation, is_judged};
use crate::traps::Traps;
use crate::wire::Wire;

/// Something that is due at a time.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Due {
    Operation(u32),
    /// An attempt to connect ends.
    Dial(u64),
    /// Bytes arrive at a broker.
    Up(u64),
    /// Bytes arrive at a client.
    Down(u64),
    /// A client's timer.
    Wake(u32),
    /// The cluster's timer.
    Cluster,
    /// A client that slept, or did not listen, is back.
    Rouse(u32),
    /// A client's process is followed by another.
    Renew(u32),
    /// A process that closed its producer opens another.
    Reopen(u32, u32),
    /// The deadline of a close is over.
    Shut(u32, u32),
    /// A process ends while its producer closes.
    Quit(u32, u32),
    /// An unclean election.
    Elect(u32, i32, i32),
    /// A node's name is short again.
    ShortHost(i32),
    /// A process learns the time of day.
    Time(u32),
    /// A radio is switched on.
    Radio(u32),
    Start(i32),
    Repair(u32, i32, i32),
    Clock,
    Create(u32),
    /// A connection breaks, and what is on it comes late.
    Haunt(u64, Fault, u64),
    Ghost(u32),
    EndGhost(Connection),
}

/// Requests that come late.
#[derive(Clone, Debug)]
pub(crate) struct Ghost {
    pub(crate) node: i32,
    /// What hits when they come; none for those that only come before others.
    pub(crate) fault: Option<Fault>,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) struct World {
    pub(crate) setup: Setup,
    pub(crate) operations: Vec<Operation>,
    pub(crate) now: u64,
    pub(crate) random: Random,
    pub(crate) cluster: Cluster,
    /// The cluster as it was, for stale metadata.
    pub(crate) old: Cluster,
    pub(crate) traps: Traps,
    pub(crate) clients: Vec<Client>,
    pub(crate) wires: BTreeMap<u64, Wire>,
    pub(crate) by_connection: BTreeMap<Connection, u64>,
    next_wire: u64,
    queue: BinaryHeap<Reverse<(u64, u64, Due)>>,
    serial: u64,
    cluster_armed: Option<u64>,
    /// Nodes that stand still, and until when.
    pub(crate) paused: BTreeMap<i32, Spell>,
    pub(crate) ghosts: Vec<Ghost>,
    /// All ids that topics ever had.
    pub(crate) topic_ids: BTreeMap<TopicId, u32>,
    /// Logs of topics that were deleted.
    pub(crate) archive: Vec<LogCopy>,
    /// What the brokers' time of day is wrong by, in milliseconds.
    pub(crate) skew: i64,
    /// Batches that had been appended when it went wrong.
    pub(crate) skewed: Option<u64>,
    /// What faults that suspend I1 or I2 have hit.
    pub(crate) touched: Touched,
    pub(crate) ledger: Ledger,
    pub(crate) book: Book,
    /// When everything healed.
    pub(crate) healed: Option<u64>,
    /// A host name is too long, until then.
    pub(crate) long_host: Spell,
    /// Of which clients which partitions were excused from I8.
    pub(crate) excused: BTreeSet<(usize, u32, i32)>,
    pub(crate) fired: Fired,
    pub(crate) coverage: Coverage,
    pub(crate) looks: Looks,
    pub(crate) scratch: Vec<u8>,
    pub(crate) buffer: Vec<u8>,
    pub(crate) steps: u64,
    pub(crate) hash: u64,
    /// Tells what happens on standard error.
    pub(crate) told: bool,
    /// Only these are judged; none: all.
    pub(crate) judged: Vec<Promise>,
    pub(crate) broken: Option<Violation>,
}

impl World {
    /// A world in which nothing has happened.
    pub(crate) fn new(seed: u64, plan: &Plan) -> Self {
        let mut random = Random::new(seed ^ 0x5eed);
        let setup = plan.setup.clone();
        let (min, max) = setup.lag;
        let replication =
            if max == 0 { Replication::Instant } else { Replication::Delay { min, max } };
        let config = Config {
            profile: setup.profile,
            seed: random.bits(),
            auto_create: AutoCreate::No,
            replication,
            min_in_sync: setup.min_in_sync,
            max_message_bytes: setup.max_message_bytes,
            ..Config::new(setup.nodes)
        };
        let mut cluster = Cluster::new(config);
        let traps = Traps::default();
        let old = cluster.clone();
        traps.install(&mut cluster);
        let mut world = Self {
            operations: plan.operations.clone(),
            now: 0,
            random,
            cluster,
            old,
            traps,
            clients: Vec::new(),
            wires: BTreeMap::new(),
            by_connection: BTreeMap::new(),
            next_wire: 0,
            queue: BinaryHeap::new(),
            serial: 0,
            cluster_armed: None,
            paused: BTreeMap::new(),
            ghosts: Vec::new(),
            topic_ids: BTreeMap::new(),
            archive: Vec::new(),
            skew: 0,
            touched: Touched::default(),
            ledger: Ledger::default(),
            book: Book::default(),
            healed: None,
            long_host: Spell::default(),
            excused: BTreeSet::new(),
            fired: Fired::default(),
            coverage: Coverage::default(),
            looks: Looks::default(),
            skewed: None,
            scratch: Vec::new(),
            buffer: Vec::new(),
            steps: 0,
            hash: seed,
            told: false,
            judged: Vec::new(),
            broken: None,
            setup,
        };
        for topic in 0..world.setup.topics.len() {
            world.create(topic);
        }
        world.old = world.cluster.clone();
        for setup in world.setup.clients.clone() {
            let engine = setup.shape.start(setup.config, 0);
            let clock = setup.clock;
            world.clients.push(Client {
                setup,
                engine,
                topics: Vec::new(),
                producer: 0,
                clock,
                asleep: 0,
                deaf: 0,
                armed: None,
                wires: Vec::new(),
                net: Net::default(),
                owed: VecDeque::new(),
                short: BTreeMap::new(),
                epochs: BTreeMap::new(),
                fatal: false,
                closed: false,
                closing: None,
                numb: None,
                flushes: Vec::new(),
                gone: Vec::new(),
                heard: 0,
                cancels: 0,
                untold: 0,
                lost: BTreeMap::new(),
                written: 0,
                timeouts: 0,
                turned_away: 0,
                denied: 0,
                moved: BTreeSet::new(),
                misled: 0,
            });
            world.begin(world.clients.len() - 1);
        }
        for (number, operation) in (0..).zip(&plan.operations) {
            world.at(operation.at, Due::Operation(number));
        }
        world
    }

    /// Makes a topic.
    pub(crate) fn create(&mut self, topic: usize) {
        // With fewer nodes it would have fewer replicas, for good.
        let nodes = self.cluster.live_nodes().count();
        if nodes < usize::try_from(self.setup.replicas).unwrap_or(1) {
            return self.later(1_000_000, Due::Create(topic as u32));
        }
        let partitions = i32::try_from(self.setup.topics[topic]).unwrap_or(1);
        let new = NewTopic::new(TOPICS[topic], partitions, self.setup.replicas);
        if self.cluster.create_topic(&new).is_ok()
            && let Some(id) = self.cluster.topic_id(TOPICS[topic])
        {
            self.topic_ids.insert(id, topic as u32);
        }
    }

    /// A promise is broken; the first counts.
    pub(crate) fn blame(&mut self, promise: Promise, what: String) {
        let at = self.now;
        if is_judged(promise, &self.judged) {
            self.broken.get_or_insert(Violation { promise, at, what });
        }
    }

    /// Tells what happens, if anybody wants to know.
    pub(crate) fn tell(&self, what: impl FnOnce() -> String) {
        if self.told {
            eprintln!("{:>12} {}", self.now, what());
        }
    }

    /// Notes what is to be done at a time.
    pub(crate) fn at(&mut self, at: u64, due: Due) {
        self.serial += 1;
        self.queue.push(Reverse((at.max(self.now), self.serial, due)));
    }

    /// Notes what is to be done after a time.
    pub(crate) fn later(&mut self, span: u64, due: Due) {
        self.at(self.now.saturating_add(span), due);
    }

    pub(crate) const fn new_wire(&mut self) -> u64 {
        self.next_wire += 1;
        self.next_wire
    }

    /// Lets everything happen that is due until a time, and then it is that time.
    pub(crate) fn until(&mut self, end: u64) {
        while self.broken.is_none() {
            match self.queue.peek() {
                Some(Reverse((at, _, _))) if *at <= end => {}
                _ => break,
            }
            let Some(Reverse((at, _, due))) = self.queue.pop() else { break };
            self.now = self.now.max(at);
            self.happen(due);
            self.arm_cluster();
        }
        self.now = self.now.max(end);
    }

    fn arm_cluster(&mut self) {
        let at = self.cluster.poll_timeout();
        if at.is_some() && at != self.cluster_armed {
            self.cluster_armed = at;
            self.at(at.unwrap_or(0), Due::Cluster);
        }
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Operation(number) => {
                if let Some(operation) = self.operations.get(number as usize).copied() {
                    self.tell(|| format!("{operation}"));
                    self.operate(operation);
                }
            }
            Due::Dial(wire) => self.answer_dial(wire),
            Due::Up(wire) => self.arrive_up(wire),
            Due::Down(wire) => self.arrive_down(wire),
            Due::Wake(client) => {
                let client = client as usize;
                // An alarm that was set anew says nothing.
                if self.clients[client].armed == Some(self.now) {
                    self.clients[client].armed = None;
                    self.pump(client);
                }
            }
            Due::Cluster => {
                if self.cluster_armed.is_some_and(|at| at <= self.now) {
                    self.cluster_armed = None;
                    self.cluster.handle_timeout(self.now);
                    self.drain();
                }
            }
            Due::Rouse(client) => self.rouse(client as usize),
            Due::Renew(client) => {
                if self.clients[client as usize].fatal {
                    self.renew_fatal(client as usize);
                }
            }
            Due::Reopen(client, producer) => self.reopen(client as usize, producer),
            Due::Shut(client, producer) => self.shut(client as usize, producer),
            Due::Quit(client, producer) => self.quit(client as usize, producer),
            Due::Time(client) => {
                let (now, wall) = (self.time(client as usize), self.told_time());
                self.clients[client as usize].engine.set_wall_clock(now, wall.cast_unsigned());
            }
            Due::Radio(client) => {
                let now = self.time(client as usize);
                self.clients[client as usize].lost.clear();
                self.clients[client as usize].engine.resume(now);
                self.pump(client as usize);
            }
            due => self.mend(due),
        }
    }

    /// A client has slept, or not listened: all that has come meanwhile is there.
    pub(crate) fn rouse(&mut self, client: usize) {
        if self.clients[client].asleep > self.now {
            return;
        }
        self.clients[client].armed = None;
        for id in self.clients[client].wires.clone() {
            self.arrive_down(id);
        }
        self.pump(client);
        self.clients[client].numb = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_to_be_judged_ends_a_run() {
        let broken = |judged: &[Promise]| {
            let mut world = crate::end::tests::healed(1);
            world.judged = judged.to_vec();
            world.blame(Promise::I8, "late".into());
            world.blame(Promise::I3, "before it".into());
            world.broken.map(|violation| violation.promise)
        };
        assert_eq!(broken(&[]), Some(Promise::I8), "all are judged, and the first counts");
        assert_eq!(broken(&[Promise::I2, Promise::I3]), Some(Promise::I3));
        assert_eq!(broken(&[Promise::I4]), None);
    }
}
