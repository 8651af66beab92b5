//! A network in memory: connections of a client to the nodes of a model cluster, with a latency,
//! a window, and faults.

use std::collections::{BTreeMap, VecDeque};
use std::task::{Context, Poll, Waker};

use embassy_time::Instant;
use ottla::Reason;
use ottla_broker::{Cluster, Connection};

/// Latency in each direction, in microseconds.
const LATENCY: u64 = 1_000;

/// Bytes that a client may have on the way.
const WINDOW: usize = 300;

enum Item {
    Bytes(Vec<u8>),
    /// Both sides see the connection break.
    Reset,
    /// The broker has closed it.
    End,
}

/// A direction of a connection.
#[derive(Default)]
struct Pipe {
    items: VecDeque<(u64, Item)>,
    waker: Option<Waker>,
}

struct Wire {
    connection: Connection,
    up: Pipe,
    down: Pipe,
    /// Bytes for the client that have arrived.
    arrived: VecDeque<u8>,
    over: bool,
}

/// A direction, and after how many bytes, in all of a test, a connection breaks.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Cut {
    Up(usize),
    Down(usize),
}

pub(crate) struct Net {
    pub(crate) cluster: Cluster,
    wires: BTreeMap<u32, Wire>,
    next: u32,
    /// Bytes that passed so far.
    pub(crate) up: usize,
    pub(crate) down: usize,
    /// Connections that were tried, and that were made.
    pub(crate) tried: usize,
    pub(crate) connects: usize,
    pub(crate) cut: Option<Cut>,
    /// Nodes are reached by one host only.
    pub(crate) gate: bool,
    /// Nothing can be reached.
    pub(crate) dark: bool,
    /// Nothing that is tried comes to an end: connecting, and writing.
    pub(crate) stuck: bool,
}

pub(crate) fn now() -> u64 {
    Instant::now().as_micros()
}

impl Net {
    pub(crate) fn new(cluster: Cluster) -> Self {
        Self {
            cluster,
            wires: BTreeMap::new(),
            next: 0,
            up: 0,
            down: 0,
            tried: 0,
            connects: 0,
            cut: None,
            gate: false,
            dark: false,
            stuck: false,
        }
    }

    /// Connections that the client has open.
    pub(crate) fn open(&self) -> usize {
        self.wires.len()
    }

    /// Bytes that passed in each direction.
    pub(crate) fn bytes(&self) -> (usize, usize) {
        (self.up, self.down)
    }

    pub(crate) fn connect(&mut self, host: &str, port: u16) -> Result<u32, Reason> {
        self.tried += 1;
        let node = i32::from(port) - 9_091;
        let expected = if self.gate { "gate".to_owned() } else { format!("node{node}") };
        if host != expected {
            return Err(Reason::Unresolved);
        }
        if self.dark {
            return Err(Reason::Refused);
        }
        let connection = self.cluster.connect(now(), node).ok_or(Reason::Refused)?;
        self.connects += 1;
        self.next += 1;
        let wire = Wire {
            connection,
            up: Pipe::default(),
            down: Pipe::default(),
            arrived: VecDeque::new(),
            over: false,
        };
        self.wires.insert(self.next, wire);
        Ok(self.next)
    }

    /// The client gives a connection up.
    pub(crate) fn hang_up(&mut self, wire: u32) {
        if let Some(wire) = self.wires.remove(&wire) {
            // What it wrote is on its way.
            for (_, item) in wire.up.items {
                if let Item::Bytes(bytes) = item {
                    self.cluster.handle_input(now(), wire.connection, &bytes);
                }
            }
            self.cluster.disconnect(now(), wire.connection);
        }
    }

    /// Waits for room: how many bytes.
    pub(crate) fn poll_room(&mut self, wire: u32, cx: &Context<'_>) -> Poll<Result<usize, Reason>> {
        let Some(wire) = self.wires.get_mut(&wire).filter(|wire| !wire.over) else {
            return Poll::Ready(Err(Reason::Disconnected));
        };
        let on_the_way: usize = wire.up.items.iter().map(|(_, item)| item.len()).sum();
        if on_the_way >= WINDOW || self.stuck {
            wire.up.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(WINDOW - on_the_way))
    }

    pub(crate) fn write(&mut self, wire: u32, bytes: &[u8]) {
        let Some(wire) = self.wires.get_mut(&wire) else { return };
        let (mut bytes, at) = (bytes, now() + LATENCY);
        let mut cut = false;
        if let Some(Cut::Up(after)) = self.cut
            && self.up + bytes.len() > after
        {
            bytes = &bytes[..after - self.up];
            self.cut = None;
            cut = true;
        }
        self.up += bytes.len();
        wire.up.items.push_back((at, Item::Bytes(bytes.to_vec())));
        if cut {
            wire.up.items.push_back((at, Item::Reset));
        }
    }

    /// Waits for bytes: at most `max` of those that have come, none at the end.
    pub(crate) fn poll_read(
        &mut self,
        wire: u32,
        max: usize,
        cx: &Context<'_>,
    ) -> Poll<Result<Vec<u8>, Reason>> {
        let Some(wire) = self.wires.get_mut(&wire) else {
            return Poll::Ready(Err(Reason::Disconnected));
        };
        if !wire.arrived.is_empty() {
            let count = wire.arrived.len().min(max);
            return Poll::Ready(Ok(wire.arrived.drain(..count).collect()));
        }
        if wire.over {
            return Poll::Ready(Err(Reason::Disconnected));
        }
        wire.down.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Moves what is due. True if something moved.
    pub(crate) fn pump(&mut self) -> bool {
        let mut moved = false;
        for wire in self.wires.values_mut() {
            while let Some(item) = wire.up.due() {
                moved = true;
                match item {
                    Item::Bytes(bytes) => {
                        self.cluster.handle_input(now(), wire.connection, &bytes);
                        wire.up.wake();
                    }
                    _ => wire.end(&mut self.cluster),
                }
            }
        }
        if self.cluster.poll_timeout().is_some_and(|at| at <= now()) {
            self.cluster.handle_timeout(now());
        }
        while let Some(ready) = self.cluster.poll_ready() {
            let wire = self.wires.values_mut().find(|wire| wire.connection == ready);
            let Some(wire) = wire else { continue };
            let at = now() + LATENCY;
            while let Some(frame) = self.cluster.poll_output(ready) {
                wire.down.items.push_back((at, Item::Bytes(frame)));
            }
            if self.cluster.poll_close(ready).is_some() {
                wire.down.items.push_back((at, Item::End));
            }
        }
        for wire in self.wires.values_mut() {
            while let Some(item) = wire.down.due() {
                moved = true;
                let Item::Bytes(mut bytes) = item else {
                    wire.end(&mut self.cluster);
                    continue;
                };
                let mut cut = false;
                if let Some(Cut::Down(after)) = self.cut
                    && self.down + bytes.len() > after
                {
                    bytes.truncate(after - self.down);
                    self.cut = None;
                    cut = true;
                }
                self.down += bytes.len();
                wire.arrived.extend(bytes);
                wire.down.wake();
                if cut {
                    wire.end(&mut self.cluster);
                }
            }
        }
        moved
    }
}

impl Item {
    fn len(&self) -> usize {
        if let Self::Bytes(bytes) = self { bytes.len() } else { 0 }
    }
}

impl Pipe {
    fn due(&mut self) -> Option<Item> {
        let is_due = self.items.front().is_some_and(|(at, _)| *at <= now());
        if is_due { self.items.pop_front().map(|(_, item)| item) } else { None }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Wire {
    fn end(&mut self, cluster: &mut Cluster) {
        self.over = true;
        self.up.items.clear();
        self.down.items.clear();
        self.up.wake();
        self.down.wake();
        cluster.disconnect(now(), self.connection);
    }
}
