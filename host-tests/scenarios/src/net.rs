//! The links between the producer and the nodes, in virtual milliseconds. Each way of a connection
//! keeps its order; what goes wrong, a script says.

use std::collections::{BTreeMap, VecDeque};

use ottla::Reason;
use ottla_broker::{Cluster, Connection};

use crate::frames::{self, Names, Request};
use crate::host::{Host, Line};
use crate::rules::{Arrival, Rules};
use crate::script::Way;

/// Something on its way, and when it arrives.
#[derive(Clone, Debug)]
enum Item {
    /// A connection is asked for.
    Dial,
    /// It is made.
    Made,
    /// It is not made.
    Refused(Reason),
    Bytes(Vec<u8>),
    /// There is no more.
    End,
}

/// How a connection ended.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum End {
    ByProducer,
    ByNode,
    Cut,
}

/// A request that was written, and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) request: Request,
    pub(crate) answer: Option<String>,
    /// When its last byte was written, among all requests.
    pub(crate) place: usize,
}

/// A connection, and what was seen of it.
#[derive(Debug)]
pub(crate) struct Wire {
    /// None: the host name is nobody's.
    pub(crate) node: Option<i32>,
    connection: Option<Connection>,
    up: VecDeque<(u64, Item)>,
    down: VecDeque<(u64, Item)>,
    held: [bool; 2],
    /// The producer does not know it any more.
    gone: bool,
    pub(crate) made: bool,
    pub(crate) end: Option<End>,
    /// Bytes that are no whole request yet.
    stream: Vec<u8>,
    pub(crate) asked: Vec<Asked>,
    /// Requests that have got an answer.
    answered: usize,
}

pub(crate) struct Net {
    /// Milliseconds that everything takes.
    pub(crate) delay: u64,
    pub(crate) wires: BTreeMap<Line, Wire>,
    by_connection: BTreeMap<Connection, Line>,
    /// Connections that break after so many bytes.
    cuts: Vec<(i32, usize, Way)>,
    pub(crate) refusing: Vec<i32>,
    pub(crate) ignoring: Vec<i32>,
    pub(crate) names: Names,
    requests: usize,
    /// Connections that are not known to be over.
    open: Vec<Line>,
}

impl Wire {
    fn is_busy(&self) -> bool {
        !self.gone || !self.up.is_empty() || !self.down.is_empty()
    }
}

const fn way_index(way: Way) -> usize {
    match way {
        Way::Requests => 0,
        Way::Answers => 1,
    }
}

impl Net {
    pub(crate) fn new(delay: u64) -> Self {
        Self {
            delay,
            wires: BTreeMap::new(),
            by_connection: BTreeMap::new(),
            cuts: Vec::new(),
            refusing: Vec::new(),
            ignoring: Vec::new(),
            names: Names::default(),
            requests: 0,
            open: Vec::new(),
        }
    }

    /// The producer wants a connection.
    pub(crate) fn dial(&mut self, now: u64, line: Line, host: &str, port: u16) {
        let node = host.strip_prefix("node").and_then(|node| node.parse::<u16>().ok());
        let node = node.filter(|node| port == 9_091 + node).map(i32::from);
        let mut wire = Wire {
            node,
            connection: None,
            up: VecDeque::new(),
            down: VecDeque::new(),
            held: [false; 2],
            gone: false,
            made: false,
            end: None,
            stream: Vec::new(),
            asked: Vec::new(),
            answered: 0,
        };
        match node {
            Some(_) => wire.up.push_back((now + self.delay, Item::Dial)),
            None => {
                let refused = Item::Refused(Reason::Unresolved);
                wire.down.push_back((now + self.delay, refused));
            }
        }
        self.wires.insert(line, wire);
        self.open.push(line);
    }

    /// The producer writes.
    pub(crate) fn write(&mut self, now: u64, line: Line, bytes: Vec<u8>) -> Result<(), String> {
        let Some(wire) = self.wires.get_mut(&line) else { return Ok(()) };
        wire.stream.extend_from_slice(&bytes);
        while let Some(frame) = frames::take(&mut wire.stream) {
            let request = frames::request(&frame, &mut self.names);
            let request = request.map_err(|fault| format!("a request cannot be read: {fault}"))?;
            wire.asked.push(Asked { request, answer: None, place: self.requests });
            self.requests += 1;
        }
        if wire.end.is_none() {
            wire.up.push_back((now + self.delay, Item::Bytes(bytes)));
        }
        Ok(())
    }

    /// The producer gives a connection up. What it has written still arrives.
    pub(crate) fn hang_up(&mut self, now: u64, line: Line) {
        let Some(wire) = self.wires.get_mut(&line) else { return };
        wire.gone = true;
        wire.down.clear();
        if wire.end.is_none() {
            wire.end = Some(End::ByProducer);
            wire.up.push_back((now + self.delay, Item::End));
        }
    }

    /// When something arrives next.
    pub(crate) fn next(&self) -> Option<u64> {
        let due = |wire: &Wire| {
            let ways = [(&wire.up, wire.held[0]), (&wire.down, wire.held[1])];
            let fronts = ways.into_iter().filter(|(_, held)| !held);
            fronts.filter_map(|(queue, _)| queue.front().map(|(at, _)| *at)).min()
        };
        self.busy().filter_map(|(_, wire)| due(wire)).min()
    }

    /// Connections on which something may still happen.
    fn busy(&self) -> impl Iterator<Item = (Line, &Wire)> {
        let wires = self.open.iter().filter_map(|line| Some((*line, self.wires.get(line)?)));
        wires.filter(|(_, wire)| wire.is_busy())
    }

    /// Lets those alone that are over.
    pub(crate) fn tidy(&mut self) {
        let wires = &self.wires;
        self.open.retain(|line| wires.get(line).is_some_and(Wire::is_busy));
    }

    /// Connections in an order that is the same for all hosts: by node, then in the order in
    /// which they were asked for.
    fn lines(&self) -> Vec<Line> {
        let mut lines: Vec<(Option<i32>, Line)> =
            self.busy().map(|(line, wire)| (wire.node, line)).collect();
        lines.sort_unstable();
        lines.into_iter().map(|(_, line)| line).collect()
    }

    /// What arrives at nodes now.
    pub(crate) fn deliver_up(
        &mut self,
        now: u64,
        cluster: &mut Cluster,
        rules: &Rules,
        host: &mut dyn Host,
    ) {
        for line in self.lines() {
            while let Some(item) = self.due(now, line, Way::Requests) {
                let Some(wire) = self.wires.get_mut(&line) else { break };
                let Some(node) = wire.node else { break };
                match item {
                    Item::Dial => {
                        let arrival = Arrival { api: None, node, places: Vec::new() };
                        rules.lock().arrivals.push(arrival);
                        if self.ignoring.contains(&node) {
                            continue;
                        }
                        let refused = self.refusing.contains(&node);
                        let made = if refused { None } else { cluster.connect(now * 1_000, node) };
                        let answer = match made {
                            Some(connection) => {
                                wire.connection = Some(connection);
                                self.by_connection.insert(connection, line);
                                Item::Made
                            }
                            None => Item::Refused(Reason::Refused),
                        };
                        wire.down.push_back((now + self.delay, answer));
                    }
                    Item::Bytes(mut bytes) => {
                        let Some(connection) = wire.connection else { continue };
                        let cut = self.cut_of(node, Way::Requests, &mut bytes);
                        cluster.handle_input(now * 1_000, connection, &bytes);
                        if cut {
                            self.sever(now, line, cluster, host);
                        }
                    }
                    Item::End => {
                        if let Some(connection) = wire.connection.take() {
                            cluster.disconnect(now * 1_000, connection);
                            self.by_connection.remove(&connection);
                        }
                    }
                    Item::Made | Item::Refused(_) => {}
                }
            }
        }
    }

    /// What the cluster has for the producer sets out.
    pub(crate) fn drain(&mut self, now: u64, cluster: &mut Cluster) -> Result<(), String> {
        while let Some(connection) = cluster.poll_ready() {
            let line = self.by_connection.get(&connection).copied();
            let mut wire = line.and_then(|line| self.wires.get_mut(&line));
            while let Some(frame) = cluster.poll_output(connection) {
                let Some(wire) = &mut wire else { continue };
                let mut open = wire.asked.iter_mut().skip(wire.answered);
                let passed = open.position(|asked| asked.request.answered);
                wire.answered += passed.map_or(0, |passed| passed + 1);
                let asked = passed.and_then(|_| wire.asked.get_mut(wire.answered - 1));
                let Some(asked) = asked else {
                    return Err("an answer to nothing that was asked".to_owned());
                };
                let text = frames::answer(&asked.request, &frame, &mut self.names);
                let text = text.map_err(|fault| format!("an answer cannot be read: {fault}"))?;
                asked.answer = Some(text);
                if !wire.gone {
                    wire.down.push_back((now + self.delay, Item::Bytes(frame)));
                }
            }
            if let Some(closed) = cluster.poll_close(connection) {
                use ottla_broker::Closed;
                if let Closed::Malformed(_) | Closed::FrameSize(_) | Closed::UnknownApi(_) = closed
                {
                    return Err(format!("a node could not read what it got: {closed:?}"));
                }
                self.by_connection.remove(&connection);
                let Some(wire) = wire else { continue };
                wire.connection = None;
                if wire.end.is_none() {
                    wire.end = Some(End::ByNode);
                    wire.down.push_back((now + self.delay, Item::End));
                }
            }
        }
        Ok(())
    }

    /// What arrives at the producer now: all of a connection's bytes together.
    pub(crate) fn deliver_down(&mut self, now: u64, cluster: &mut Cluster, host: &mut dyn Host) {
        for line in self.lines() {
            let mut bytes = Vec::new();
            while let Some(item) = self.due(now, line, Way::Answers) {
                let Some(wire) = self.wires.get_mut(&line) else { break };
                match item {
                    Item::Made => {
                        wire.made = true;
                        host.connected(line);
                    }
                    Item::Refused(reason) => {
                        wire.gone = true;
                        host.refused(line, reason);
                    }
                    Item::Bytes(mut more) => {
                        let node = wire.node.unwrap_or(-1);
                        let cut = self.cut_of(node, Way::Answers, &mut more);
                        bytes.extend(more);
                        if cut {
                            host.receive(line, &std::mem::take(&mut bytes));
                            self.sever(now, line, cluster, host);
                        }
                    }
                    Item::End => {
                        wire.gone = true;
                        if !bytes.is_empty() {
                            host.receive(line, &std::mem::take(&mut bytes));
                        }
                        host.end(line);
                    }
                    Item::Dial => {}
                }
            }
            if !bytes.is_empty() {
                host.receive(line, &bytes);
            }
        }
    }

    fn due(&mut self, now: u64, line: Line, way: Way) -> Option<Item> {
        let wire = self.wires.get_mut(&line)?;
        if wire.held[way_index(way)] {
            return None;
        }
        let queue = match way {
            Way::Requests => &mut wire.up,
            Way::Answers => &mut wire.down,
        };
        if queue.front()?.0 > now {
            return None;
        }
        queue.pop_front().map(|(_, item)| item)
    }

    /// Whether a connection breaks with these bytes, which are cut there.
    fn cut_of(&mut self, node: i32, way: Way, bytes: &mut Vec<u8>) -> bool {
        let found = self.cuts.iter_mut().position(|(n, _, w)| *n == node && *w == way);
        let Some(index) = found else { return false };
        let Some((_, left, _)) = self.cuts.get_mut(index) else { return false };
        if bytes.len() < *left {
            *left -= bytes.len();
            return false;
        }
        bytes.truncate(*left);
        self.cuts.remove(index);
        true
    }

    /// A connection breaks, and all that is on its way is lost.
    fn sever(&mut self, now: u64, line: Line, cluster: &mut Cluster, host: &mut dyn Host) {
        let Some(wire) = self.wires.get_mut(&line) else { return };
        wire.up.clear();
        wire.down.clear();
        if let Some(connection) = wire.connection.take() {
            cluster.disconnect(now * 1_000, connection);
            self.by_connection.remove(&connection);
        }
        if !wire.gone {
            wire.gone = true;
            wire.end = Some(End::Cut);
            if wire.made { host.end(line) } else { host.refused(line, Reason::Refused) }
        }
    }

    /// Breaks the connections to a node.
    pub(crate) fn cut(
        &mut self,
        now: u64,
        node: i32,
        after: Option<(usize, Way)>,
        cluster: &mut Cluster,
        host: &mut dyn Host,
    ) {
        if let Some((bytes, way)) = after {
            self.cuts.push((node, bytes, way));
            return;
        }
        for line in self.lines() {
            if self.wires.get(&line).is_some_and(|wire| wire.node == Some(node)) {
                self.sever(now, line, cluster, host);
            }
        }
    }

    /// Holds what is on the way on the connections to a node, or lets it go on.
    pub(crate) fn hold(&mut self, node: i32, way: Way, held: bool) {
        for wire in self.wires.values_mut().filter(|wire| wire.node == Some(node)) {
            wire.held[way_index(way)] = held;
        }
    }
}
