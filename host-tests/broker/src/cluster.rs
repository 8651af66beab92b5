//! The cluster: connections, requests and time. What changes it from outside is in
//! `control`, what can be seen of it in `view`, and requests are handled in `dispatch`.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use ottla::message::{AdminApi, AnyApi, Api};

use crate::config::{Address, Config, Node, Replication};
use crate::connection::{Busy, Closed, Connection, Line};
use crate::hooks::{Action, Fired, Hook, Seen};
use crate::init_producer_id::ProducerIds;
use crate::log::StoredBatch;
use crate::partition::Live;
use crate::profile::Profile;
use crate::random::Random;
use crate::topic::{TopicId, Topics};

/// What has happened so far.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Counters {
    /// Requests that were handled.
    pub requests: u64,
    /// Batches that were appended.
    pub appended: u64,
    /// Batches that were in the log already.
    pub duplicates: u64,
    /// Batches that were refused before an append.
    pub refused: u64,
    /// Batches that were appended, or in the log already, and answered with an error.
    pub doubtful: u64,
}

/// Something that is due at a time.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Timer {
    /// A follower fetches: topic, partition, node.
    Fetch(TopicId, i32, i32),
    Connection(Connection),
    ExpireProducers,
}

/// A Kafka cluster as its clients see it: nodes, topics, connections. See the [crate's
/// documentation](crate) for how it is driven.
#[derive(Clone, Debug)]
pub struct Cluster {
    config: Config,
    cluster_id: String,
    now: u64,
    random: Random,
    live: Live,
    /// Of nodes that are not like the settings say.
    profiles: BTreeMap<i32, Profile>,
    pub(crate) topics: Topics,
    producer_ids: ProducerIds,
    lines: BTreeMap<Connection, Line>,
    next_connection: u64,
    /// Connections with something new that nobody was told of.
    ready: BTreeSet<Connection>,
    /// Connections that wait for replicas.
    waiting: BTreeSet<Connection>,
    timers: BTreeSet<(u64, Timer)>,
    /// When producers are expired next; none while there are none.
    expiry: Option<u64>,
    /// Something changed that an answer may wait for.
    stirred: bool,
    hook: Hook<Api>,
    admin_hook: Hook<AdminApi>,
    fired: Fired,
    pub(crate) counters: Counters,
}

impl Cluster {
    /// A cluster whose nodes all run, without topics.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let mut random = Random::new(config.seed);
        Self {
            cluster_id: random.uuid_text(),
            now: 0,
            random,
            live: config.nodes.iter().map(|node| node.id).collect(),
            topics: Topics::default(),
            producer_ids: ProducerIds::default(),
            lines: BTreeMap::new(),
            next_connection: 1,
            ready: BTreeSet::new(),
            waiting: BTreeSet::new(),
            timers: BTreeSet::new(),
            expiry: None,
            stirred: false,
            hook: Hook::default(),
            admin_hook: Hook::default(),
            profiles: BTreeMap::new(),
            fired: Fired::default(),
            counters: Counters::default(),
            config,
        }
    }

    // Inputs.

    /// A client connects to a node by its first listener. `None`: the node does not run.
    pub fn connect(&mut self, now: u64, node: i32) -> Option<Connection> {
        self.connect_by(now, node, 0)
    }

    /// A client connects to a node by one of its listeners. `None`: the node does not run, or has
    /// no such listener.
    pub fn connect_by(&mut self, now: u64, node: i32, listener: usize) -> Option<Connection> {
        self.tick(now);
        if !self.live.contains(&node) || self.address(node, listener).is_none() {
            return None;
        }
        let connection = Connection(self.next_connection);
        self.next_connection += 1;
        self.lines.insert(connection, Line::new(node, listener, self.now));
        self.arm(connection);
        Some(connection)
    }

    /// A client sent bytes. All of them are taken.
    pub fn handle_input(&mut self, now: u64, connection: Connection, bytes: &[u8]) {
        self.tick(now);
        let Some(line) = self.lines.get_mut(&connection) else { return };
        if line.closed.is_some() || line.gone {
            return;
        }
        line.receive(self.now, bytes);
        self.serve(connection);
        self.settle();
    }

    /// A client has gone. A request that the node has begun to handle is handled all the same.
    pub fn disconnect(&mut self, now: u64, connection: Connection) {
        self.tick(now);
        let Some(line) = self.lines.get_mut(&connection) else { return };
        let is_pending = matches!(line.busy, Some(Busy::Delayed(..))) && line.closed.is_none();
        if is_pending {
            line.abandon();
            self.ready.remove(&connection);
        } else {
            self.forget(connection);
        }
    }

    /// Time has passed. To be called when [`Cluster::poll_timeout`]'s time is reached; at any
    /// other time it does no harm.
    pub fn handle_timeout(&mut self, now: u64) {
        self.tick(now);
        while let Some((at, timer)) = self.timers.first().copied() {
            if at > self.now {
                break;
            }
            self.timers.pop_first();
            match timer {
                Timer::Fetch(topic, index, node) => {
                    if let Some(partition) = self.topics.partition_mut(topic, index) {
                        if let Some(replica) = partition.replica_mut(node) {
                            replica.fetch = None;
                        }
                        self.fetch(topic, index, node, i64::MAX);
                    }
                }
                Timer::Connection(connection) => {
                    if let Some(line) = self.lines.get_mut(&connection) {
                        line.timer = None;
                        self.wake(connection);
                    }
                }
                Timer::ExpireProducers => {
                    self.expiry = None;
                    self.run_expiry();
                }
            }
            self.settle();
        }
    }

    // Outputs.

    /// A connection that since it was last told of has output, was closed, or may want input
    /// again, if there is one.
    pub fn poll_ready(&mut self) -> Option<Connection> {
        self.ready.pop_first()
    }

    /// The next answer for a client, a whole frame, if there is one.
    pub fn poll_output(&mut self, connection: Connection) -> Option<Vec<u8>> {
        self.lines.get_mut(&connection)?.take_output()
    }

    /// Why the broker closed a connection, once all output of it is taken. The connection does
    /// not exist any more then.
    pub fn poll_close(&mut self, connection: Connection) -> Option<Closed> {
        let line = self.lines.get(&connection)?;
        if line.has_output() {
            return None;
        }
        let closed = line.closed?;
        self.forget(connection);
        Some(closed)
    }

    /// When [`Cluster::handle_timeout`] is to be called; never, if there is no answer.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Whether more bytes of a client are of use now. A driver that reads on regardless only
    /// costs memory.
    #[must_use]
    pub fn wants_input(&self, connection: Connection) -> bool {
        self.lines.get(&connection).is_some_and(Line::wants_input)
    }

    // Hooks.

    /// Sets the hook, which sees every request of the APIs that producers use before it is handled.
    /// ApiVersions in a version that is not known is not shown to it.
    pub fn set_hook(&mut self, hook: impl FnMut(&Seen<'_>) -> Action + Clone + Send + 'static) {
        self.hook = Hook::new(hook);
    }

    /// Sets the hook for requests of tools, which [`Cluster::set_hook`]'s is not shown.
    pub fn set_admin_hook(
        &mut self,
        hook: impl FnMut(&Seen<'_, AdminApi>) -> Action + Clone + Send + 'static,
    ) {
        self.admin_hook = Hook::new(hook);
    }

    /// Takes the hooks away.
    pub fn clear_hook(&mut self) {
        self.hook = Hook::default();
        self.admin_hook = Hook::default();
    }

    /// How often the hooks so far said what.
    #[must_use]
    pub const fn fired(&self) -> Fired {
        self.fired
    }

    // Getters.

    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The latest time that was told.
    #[must_use]
    pub const fn now(&self) -> u64 {
        self.now
    }

    /// The time of day, in milliseconds since 1970.
    #[must_use]
    pub fn wall_clock(&self) -> i64 {
        let passed = i64::try_from(self.now / 1_000).unwrap_or(i64::MAX);
        self.config.wall_clock.saturating_add(passed)
    }

    /// The id of the cluster.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// What has happened so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Number of connections, those included of which nobody has taken why they were closed.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.lines.len()
    }

    /// A node by its id.
    #[must_use]
    pub fn node(&self, id: i32) -> Option<&Node> {
        self.config.nodes.iter().find(|node| node.id == id)
    }

    /// The nodes that run, in the order of the settings.
    pub fn live_nodes(&self) -> impl Iterator<Item = &Node> {
        self.config.nodes.iter().filter(|node| self.live.contains(&node.id))
    }

    pub(crate) const fn live(&self) -> &Live {
        &self.live
    }

    /// Where a node that runs is reached by a listener.
    pub(crate) fn address(&self, node: i32, listener: usize) -> Option<&Address> {
        self.live_nodes().find(|n| n.id == node)?.listeners.get(listener)
    }

    // Inside.

    pub(crate) fn tick(&mut self, now: u64) {
        self.now = self.now.max(now);
    }

    /// Which Kafka a node is like.
    #[must_use]
    pub fn profile(&self, node: i32) -> Profile {
        self.profiles.get(&node).copied().unwrap_or(self.config.profile)
    }

    pub(crate) fn set_profile_of(&mut self, node: i32, profile: Profile) {
        self.profiles.insert(node, profile);
    }

    pub(crate) const fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }

    pub(crate) const fn live_mut(&mut self) -> &mut Live {
        &mut self.live
    }

    pub(crate) fn new_topic_id(&mut self) -> TopicId {
        self.random.uuid()
    }

    pub(crate) fn take_producer_id(&mut self, node: i32) -> Option<i64> {
        self.producer_ids.take(node, self.now, self.config.producer_ids_delay)
    }

    pub(crate) fn forget_producer_ids(&mut self, node: i32) {
        self.producer_ids.forget(node);
    }

    /// Appends a batch at the leader, and lets its followers know.
    pub(crate) fn append(&mut self, topic: TopicId, index: i32, batch: StoredBatch) {
        let has_producer = batch.claim.producer_id >= 0;
        let Some(partition) = self.topics.partition_mut(topic, index) else { return };
        partition.append(batch);
        self.counters.appended += 1;
        self.stirred = true;
        if has_producer {
            self.arm_expiry();
        }
        self.schedule(topic, index);
    }

    /// Sees to it that followers of a partition get what they lack.
    pub(crate) fn schedule(&mut self, topic: TopicId, index: i32) {
        let Some(partition) = self.topics.partition(topic, index) else { return };
        if partition.leader.is_none() {
            return;
        }
        let end = partition.end();
        let lacking: Vec<i32> = partition
            .replicas
            .iter()
            .filter(|r| partition.leader != Some(r.node) && r.serves(&self.live))
            .filter(|r| r.log.end() != end || !partition.in_sync.contains(&r.node))
            .map(|r| r.node)
            .collect();
        for node in lacking {
            match self.config.replication {
                Replication::Instant => self.fetch(topic, index, node, i64::MAX),
                Replication::Delay { min, max } => {
                    let at = self.now.saturating_add(self.random.between(min, max));
                    let partition = self.topics.partition_mut(topic, index);
                    let replica = partition.and_then(|partition| partition.replica_mut(node));
                    let Some(replica) = replica.filter(|replica| replica.fetch.is_none()) else {
                        continue;
                    };
                    replica.fetch = Some(at);
                    self.timers.insert((at, Timer::Fetch(topic, index, node)));
                }
                Replication::Manual => {}
            }
        }
    }

    /// Gives a follower that runs what its leader has below `offset`.
    pub(crate) fn fetch(&mut self, topic: TopicId, index: i32, node: i32, offset: i64) {
        let live = &self.live;
        let Some(partition) = self.topics.partition_mut(topic, index) else { return };
        if partition.replica(node).is_some_and(|replica| replica.serves(live)) {
            partition.replicate(node, offset);
            self.stirred = true;
        }
    }

    fn arm_expiry(&mut self) {
        if self.expiry.is_none() {
            let interval = self.config.producer_expiration_check.max(1);
            let at = (self.now / interval).saturating_add(1).saturating_mul(interval);
            self.expiry = Some(at);
            self.timers.insert((at, Timer::ExpireProducers));
        }
    }

    /// Expires producers of all replicas. Returns how many, by replica.
    pub(crate) fn run_expiry(&mut self) -> usize {
        let (wall_clock, span) = (self.wall_clock(), self.config.producer_expiration_ms);
        let partitions = self.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
        let (mut expired, mut any_left) = (0, false);
        for replica in partitions.flat_map(|partition| &mut partition.replicas) {
            expired += replica.producers.expire(wall_clock, span);
            any_left |= !replica.producers.is_empty();
        }
        if any_left {
            self.arm_expiry();
        }
        expired
    }

    /// Notes that something changed that an answer may wait for.
    pub(crate) const fn stir(&mut self) {
        self.stirred = true;
    }

    /// Answers what can be answered after a change.
    pub(crate) fn settle(&mut self) {
        while std::mem::take(&mut self.stirred) {
            for connection in self.waiting.clone() {
                self.review(connection);
            }
        }
    }

    /// The connections of a node.
    pub(crate) fn connections_of(&self, node: i32) -> Vec<Connection> {
        let of_node = self.lines.iter().filter(|(_, line)| line.node == node);
        of_node.map(|(connection, _)| *connection).collect()
    }

    pub(crate) fn line_mut(&mut self, connection: Connection) -> Option<&mut Line> {
        self.lines.get_mut(&connection)
    }

    pub(crate) fn ask_hook(&mut self, seen: &Seen<'_, AnyApi>) -> Action {
        let action = match seen.api {
            AnyApi::Client(api) => self.hook.ask(&seen.of(api)),
            AnyApi::Admin(api) => self.admin_hook.ask(&seen.of(api)),
        };
        action.map_or(Action::Proceed, |action| {
            self.fired.count(&action);
            action
        })
    }

    /// Notes that a connection has something for its driver.
    pub(crate) fn announce(&mut self, connection: Connection) {
        self.ready.insert(connection);
    }

    /// Makes a connection do something before it takes the next request.
    pub(crate) fn set_busy(&mut self, connection: Connection, busy: Busy) {
        if let Some(line) = self.lines.get_mut(&connection) {
            if matches!(busy, Busy::Replicas(..)) {
                self.waiting.insert(connection);
            }
            line.busy = Some(busy);
        }
        self.arm(connection);
    }

    /// Takes what a connection is busy with.
    pub(crate) fn take_busy(&mut self, connection: Connection) -> Option<Busy> {
        self.waiting.remove(&connection);
        self.lines.get_mut(&connection)?.busy.take()
    }

    /// Sets the timer of a connection to its deadline.
    pub(crate) fn arm(&mut self, connection: Connection) {
        let Some(line) = self.lines.get_mut(&connection) else { return };
        let at = line.deadline(self.config.max_idle);
        if at == line.timer {
            return;
        }
        let timer = Timer::Connection(connection);
        if let Some(old) = std::mem::replace(&mut line.timer, at) {
            self.timers.remove(&(old, timer));
        }
        if let Some(at) = at {
            self.timers.insert((at, timer));
        }
    }

    /// Ends a connection from the broker's side. What it has as output can still be taken.
    pub(crate) fn close(&mut self, connection: Connection, closed: Closed) {
        self.take_busy(connection);
        let Some(line) = self.lines.get_mut(&connection) else { return };
        if line.gone {
            self.forget(connection);
            return;
        }
        if line.closed.is_none() {
            line.closed = Some(closed);
            line.forget_input();
            self.announce(connection);
        }
        self.arm(connection);
    }

    /// Removes every trace of a connection.
    pub(crate) fn forget(&mut self, connection: Connection) {
        self.waiting.remove(&connection);
        self.ready.remove(&connection);
        if let Some(Line { timer: Some(at), .. }) = self.lines.remove(&connection) {
            self.timers.remove(&(at, Timer::Connection(connection)));
        }
    }
}
