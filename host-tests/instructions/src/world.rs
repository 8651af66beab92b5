//! A producer with the development broker in one process, by a clock that only the caller moves.
//!
//! What is measured is the client's side alone: every call of the core, and nothing else, goes
//! through a [`Meter`].

use std::collections::VecDeque;

use ottla::memory::Growable;
use ottla::{
    Accepted, Config, Event, Instant, Link, LinkAction, Outcome, Producer, Record, Refused, Topic,
};
use ottla_broker::{Cluster, Connection, NewTopic};

/// Time of day of all records: that of the cluster at instant 0.
const WALL_CLOCK: i64 = 1_700_000_000_000;

/// Where the nodes listen: node 1 on the next one.
const PORTS: u16 = 9_091;

/// Measures calls of the core.
pub trait Meter {
    /// Makes the call.
    fn measure<R>(&mut self, call: impl FnOnce() -> R) -> R;
}

/// Measures nothing.
#[derive(Copy, Clone, Debug)]
pub struct Unmeasured;

impl Meter for Unmeasured {
    fn measure<R>(&mut self, call: impl FnOnce() -> R) -> R {
        call()
    }
}

/// How many nodes, topics and partitions there are, and how far away the nodes are.
#[derive(Copy, Clone, Debug)]
pub struct Shape<'a> {
    /// Nodes; partitions are led by them in turn.
    pub nodes: u8,
    /// Partitions of each topic.
    pub partitions: &'a [u32],
    /// From a request to its answer, in microseconds.
    pub round_trip: u64,
}

/// A connection, with the answers on their way and when they arrive.
struct Wire {
    link: Link,
    connection: Connection,
    down: VecDeque<(u64, Vec<u8>)>,
}

/// A producer and its cluster.
#[allow(missing_debug_implementations)]
pub struct World<M> {
    /// The producer.
    pub producer: Producer<Growable>,
    /// The cluster.
    pub cluster: Cluster,
    /// What measures.
    pub meter: M,
    topics: Vec<Topic>,
    round_trip: u64,
    now: u64,
    wires: Vec<Wire>,
    /// When the producer wants to be called.
    armed: Option<Instant>,
    /// Bytes of a request, on their way up.
    up: Vec<u8>,
    accepted: u64,
    written: u64,
    /// Times that the producer's timer ran out.
    pub wakes: u64,
}

impl<M: Meter> World<M> {
    /// A producer with so much memory, which knows its topics.
    ///
    /// # Panics
    /// If the cluster does not answer.
    pub fn new(mut meter: M, memory: u64, config: Config, shape: Shape) -> Self {
        let mut cluster = Cluster::new(ottla_broker::Config::new(shape.nodes));
        let names: Vec<String> = (0..shape.partitions.len()).map(|n| format!("t{n}")).collect();
        for (name, partitions) in names.iter().zip(shape.partitions) {
            let partitions = i32::try_from(*partitions).expect("few");
            cluster.create_topic(&NewTopic::new(name, partitions, 1)).expect("a topic");
        }
        let mut producer = meter.measure(|| Producer::new(Growable::new(memory), config, 1));
        for node in 1..=u16::from(shape.nodes) {
            let host = format!("node{node}");
            assert!(meter.measure(|| producer.bootstrap(&host, PORTS + node)));
        }
        let topic = |name| meter.measure(|| producer.topic(name).expect("a topic"));
        let topics: Vec<Topic> = names.iter().map(String::as_str).map(topic).collect();
        let mut world = Self {
            producer,
            cluster,
            meter,
            topics,
            round_trip: shape.round_trip,
            now: 0,
            wires: Vec::new(),
            armed: Some(Instant::ZERO),
            up: Vec::new(),
            accepted: 0,
            written: 0,
            wakes: 0,
        };
        for topic in world.topics.clone() {
            while world.producer.partition_count(topic) == 0 {
                assert!(world.advance(u64::MAX), "no metadata");
            }
        }
        world
    }

    /// What the clock says, in microseconds.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Records reported written.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Hands in a record for a partition of a topic, and lets so many microseconds pass.
    ///
    /// # Errors
    /// As [`Producer::produce`].
    pub fn send(
        &mut self,
        topic: usize,
        partition: u32,
        value: &[u8],
        micros: u64,
    ) -> Result<Accepted, Refused> {
        let (now, topic) = (Instant::from_micros(self.now), self.topics[topic]);
        let partition = i32::try_from(partition).unwrap_or(i32::MAX);
        let record = Record::new(value).partition(partition).timestamp(WALL_CLOCK);
        let producer = &mut self.producer;
        let result = self.meter.measure(|| producer.produce(now, topic, &record));
        // Refused for lack of memory, it makes all open batches due.
        if result.as_ref().map_or(true, |accepted| accepted.wake) {
            self.turn();
        }
        self.accepted += u64::from(result.is_ok());
        self.pass(micros);
        result
    }

    /// Lets time pass, with all that happens meanwhile.
    pub fn pass(&mut self, micros: u64) {
        let end = self.now.saturating_add(micros);
        while self.advance(end) {}
        self.now = end;
    }

    /// Goes on until every record is written.
    ///
    /// # Panics
    /// If that does not come to an end.
    pub fn settle(&mut self) {
        while self.written < self.accepted {
            assert!(self.advance(u64::MAX), "{} of {}", self.written, self.accepted);
        }
    }

    /// Goes on to the next thing that happens, if it does until `end`.
    fn advance(&mut self, end: u64) -> bool {
        let armed = self.armed.map(Instant::as_micros);
        let arrivals = self.wires.iter().filter_map(|wire| Some(wire.down.front()?.0));
        let next = armed.into_iter().chain(self.cluster.poll_timeout()).chain(arrivals).min();
        match next.map(|next| next.max(self.now)) {
            Some(next) if next <= end => {
                self.now = next;
                self.turn();
                true
            }
            _ => false,
        }
    }

    /// Does all that is to be done now.
    fn turn(&mut self) {
        let now = Instant::from_micros(self.now);
        if self.armed.is_some_and(|at| at <= now) {
            self.wakes += 1;
            let producer = &mut self.producer;
            self.meter.measure(|| producer.handle_timeout(now));
        }
        self.cluster.handle_timeout(self.now);
        loop {
            self.connect(now);
            let mut is_busy = false;
            for index in 0..self.wires.len() {
                is_busy |= self.carry_up(index, now);
                is_busy |= self.carry_down(index, now);
            }
            if !is_busy {
                break;
            }
        }
        self.take_events();
        let producer = &mut self.producer;
        self.armed = self.meter.measure(|| producer.poll_timeout());
    }

    fn connect(&mut self, now: Instant) {
        loop {
            let producer = &mut self.producer;
            let (link, port) = match self.meter.measure(move || producer.poll_link()) {
                Some(LinkAction::Connect(link, address)) => (link, address.port),
                Some(LinkAction::Close(link, _)) => {
                    if let Some(at) = self.wires.iter().position(|wire| wire.link == link) {
                        self.cluster.disconnect(self.now, self.wires.remove(at).connection);
                    }
                    continue;
                }
                None => break,
            };
            let node = i32::from(port - PORTS);
            let connection = self.cluster.connect(self.now, node).expect("the node runs");
            self.wires.push(Wire { link, connection, down: VecDeque::new() });
            let producer = &mut self.producer;
            self.meter.measure(|| producer.handle_connected(now, link));
        }
    }

    /// Takes what is lent to a link to its node. The latency is that of the way back.
    fn carry_up(&mut self, index: usize, now: Instant) -> bool {
        let Wire { link, connection, .. } = self.wires[index];
        self.up.clear();
        loop {
            let producer = &mut self.producer;
            let Some(piece) = self.meter.measure(move || producer.output(link)) else { break };
            self.up.extend_from_slice(piece.bytes);
        }
        let count = self.up.len();
        if count > 0 {
            let producer = &mut self.producer;
            self.meter.measure(|| producer.consume_output(now, link, count));
            self.cluster.handle_input(self.now, connection, &self.up);
        }
        let arrival = self.now + self.round_trip;
        while let Some(frame) = self.cluster.poll_output(connection) {
            self.wires[index].down.push_back((arrival, frame));
        }
        count > 0
    }

    /// Hands in the answers that have arrived.
    fn carry_down(&mut self, index: usize, now: Instant) -> bool {
        let wire = &mut self.wires[index];
        let mut is_busy = false;
        while wire.down.front().is_some_and(|(arrival, _)| *arrival <= self.now) {
            let Some((_, frame)) = wire.down.pop_front() else { break };
            let (producer, link) = (&mut self.producer, wire.link);
            self.meter.measure(|| producer.handle_input(now, link, &frame));
            is_busy = true;
        }
        is_busy
    }

    fn take_events(&mut self) {
        loop {
            let producer = &mut self.producer;
            let Some(event) = self.meter.measure(|| producer.poll_event()) else { break };
            if let Event::Delivered(delivery) = event {
                assert!(matches!(delivery.outcome, Outcome::Written { .. }), "{delivery:?}");
                self.written += u64::from(delivery.count);
            }
        }
    }
}
