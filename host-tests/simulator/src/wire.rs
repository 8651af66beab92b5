//! A connection: bytes on their way, and what there is to see of them.

use std::collections::VecDeque;

use ottla::Link;
use ottla_broker::Connection;

use crate::check::wires::Begun;
use crate::fault::Fault;
use crate::frames::{Asked, Stream};

/// One way of a connection.
#[derive(Clone, Default, Debug)]
pub(crate) struct Pipe {
    segments: VecDeque<(u64, Vec<u8>)>,
    /// Bytes on their way.
    pub(crate) held: usize,
    last: u64,
    free: u64,
    /// It breaks after so many more bytes.
    pub(crate) cut: Option<u64>,
    /// Nothing comes through any more, by this fault.
    pub(crate) dead: Option<Fault>,
    /// Something was lost by it, and nobody has counted that yet.
    pub(crate) hit: Option<Fault>,
    lossy: bool,
    /// It ends at this time.
    pub(crate) end: Option<u64>,
}

impl Pipe {
    /// Bytes set out. Returns when they arrive: not before others that set out earlier.
    pub(crate) fn push(&mut self, now: u64, bytes: Vec<u8>, delay: u64, per_second: u64) -> u64 {
        let takes = (bytes.len() as u64 * 1_000_000).checked_div(per_second).unwrap_or(0);
        self.free = self.free.max(now) + takes;
        self.last = self.last.max(self.free + delay);
        self.held += bytes.len();
        self.segments.push_back((self.last, bytes));
        self.last
    }

    /// The pipe ends after all that is in it.
    pub(crate) fn push_end(&mut self, now: u64, delay: u64) -> u64 {
        self.last = self.last.max(now + delay);
        self.end = Some(self.last);
        self.last
    }

    /// Bytes that have arrived, no more than until the cut.
    pub(crate) fn arrived(&mut self, now: u64, out: &mut Vec<u8>) {
        out.clear();
        while let Some((at, _)) = self.segments.front() {
            if *at > now {
                break;
            }
            let Some((_, bytes)) = self.segments.pop_front() else { break };
            self.held -= bytes.len();
            match self.dead {
                None => out.extend_from_slice(&bytes),
                // Once for each connection, whatever is lost.
                fault if !self.lossy => {
                    self.lossy = true;
                    self.hit = fault;
                }
                Some(_) => {}
            }
        }
        if let Some(cut) = &mut self.cut {
            out.truncate(usize::try_from(*cut).unwrap_or(usize::MAX));
            *cut -= out.len() as u64;
        }
    }

    /// What is on its way arrives by this time at the latest.
    pub(crate) fn hasten(&mut self, by: u64) {
        self.segments.iter_mut().for_each(|(at, _)| *at = by.min(*at));
        (self.last, self.free) = (self.last.min(by), self.free.min(by));
        self.end = self.end.map(|end| end.min(by));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// When the next bytes, or the end, arrive.
    pub(crate) fn next(&self) -> Option<u64> {
        self.segments.front().map(|(at, _)| *at).or(self.end)
    }
}

/// A request without an answer.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) asked: Asked,
    /// When.
    pub(crate) at: u64,
    /// Its bytes, if it is of Produce.
    pub(crate) bytes: Vec<u8>,
    /// Some of its answer was read.
    pub(crate) touched: bool,
}

/// A connection of a client to a node.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    pub(crate) client: usize,
    /// The process that has it.
    pub(crate) producer: u32,
    /// The client's end; none once it was given up.
    pub(crate) link: Option<Link>,
    pub(crate) connected: bool,
    pub(crate) node: i32,
    /// The broker as the client knows it; none for an address to begin with.
    pub(crate) broker: (Option<i32>, i32),
    /// How long bytes take, without trouble.
    pub(crate) delay: u64,
    /// The broker's end.
    pub(crate) connection: Option<Connection>,
    /// What it was called, when it is gone, too.
    pub(crate) name: Option<Connection>,
    pub(crate) up: Pipe,
    pub(crate) down: Pipe,
    pub(crate) sent: Stream,
    pub(crate) read: Stream,
    pub(crate) open: VecDeque<Open>,
    /// The bytes next in turn that were lent and not written yet, for want of room, or as their write was
    /// dropped: to the client they may be on their way.
    ahead: VecDeque<u8>,
    /// Bytes that were written.
    offset: u64,
    /// Up to which bytes was lent at once, and what had been told then.
    marks: VecDeque<(u64, Begun)>,
    /// What is written now is reported to nobody.
    pub(crate) untold: bool,
    /// Up to which byte the bounds count already: what was being written when everything healed, and
    /// what had been begun when it was heard that it goes to a broker that does not lead.
    accounted: u64,
}

impl Wire {
    pub(crate) fn new(
        client: usize,
        producer: u32,
        link: Link,
        broker: (Option<i32>, i32),
        delay: u64,
    ) -> Self {
        Self {
            client,
            producer,
            link: Some(link),
            connected: false,
            node: broker.1,
            broker,
            delay,
            connection: None,
            name: None,
            up: Pipe::default(),
            down: Pipe::default(),
            sent: Stream::default(),
            read: Stream::default(),
            open: VecDeque::new(),
            ahead: VecDeque::new(),
            offset: 0,
            marks: VecDeque::new(),
            untold: false,
            accounted: 0,
        }
    }

    /// Everything heals: what is being written now is known to come first.
    pub(crate) fn heal(&mut self) {
        self.accounted = self.offset + self.sent.missing();
    }

    /// All is well, and the answer to a Produce request says for the first time that its node does not
    /// lead a partition. Returns the bytes of that request, and of those that were begun, or lent to a
    /// write that was dropped, before its answer came: they go to their end (R3, R13), nothing more of
    /// the partition is sent until they are answered (R12), and then what they hold of it goes to who
    /// leads. No byte counts twice.
    pub(crate) fn misled(&mut self, answered: &Open) -> u64 {
        let behind: usize = self.open.iter().map(|open| open.bytes.len()).sum();
        let written = answered.bytes.len() + behind + self.sent.rest().len();
        let begun = self.offset.saturating_sub(written as u64);
        let end = self.offset + self.sent.missing().max(self.ahead.len() as u64);
        let bytes = end.saturating_sub(begun.max(self.accounted));
        self.accounted = self.accounted.max(end);
        bytes
    }

    /// These bytes, which follow those that were written, were lent.
    pub(crate) fn lend(&mut self, bytes: &[u8], begun: Begun) {
        if let Some(new) = bytes.get(self.ahead.len()..).filter(|new| !new.is_empty()) {
            self.ahead.extend(new);
            self.marks.push_back((self.offset + self.ahead.len() as u64, begun));
        }
    }

    /// Bytes that were lent are written. Returns the frames that are whole now, and when each was begun;
    /// and when that was begun of which there is only some.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> (Vec<(Vec<u8>, Begun)>, Begun) {
        let mut start = self.offset - self.sent.rest().len() as u64;
        self.offset += bytes.len() as u64;
        self.ahead.drain(..bytes.len().min(self.ahead.len()));
        let Self { sent, marks, .. } = self;
        let mut frames = Vec::new();
        let mut begun_at = |at: u64| {
            while marks.front().is_some_and(|(end, _)| *end <= at) {
                marks.pop_front();
            }
            marks.front().map_or(Begun::default(), |(_, begun)| *begun)
        };
        sent.feed(bytes, |frame| {
            frames.push((frame.to_vec(), begun_at(start)));
            start += frame.len() as u64;
        });
        (frames, begun_at(start))
    }

    /// Frames that were lent to their end, and not written to it. One that was not lent to its end was
    /// never sent (R1).
    pub(crate) fn lent(&mut self) -> Vec<(Vec<u8>, Begun)> {
        let ahead: Vec<u8> = self.ahead.iter().copied().collect();
        self.write(&ahead).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_arrive_in_order_and_no_faster_than_they_may() {
        let mut pipe = Pipe::default();
        assert_eq!(pipe.push(100, vec![1; 50], 1_000, 0), 1_100);
        assert_eq!(pipe.push(200, vec![2; 50], 10, 0), 1_100);
        assert_eq!(pipe.push(300, vec![3; 50], 1_000, 1_000), 51_300);
        let mut out = Vec::new();
        pipe.arrived(1_100, &mut out);
        assert_eq!((out.len(), pipe.held, pipe.next()), (100, 50, Some(51_300)));
    }

    /// A link of a producer.
    fn link() -> Link {
        use ottla::memory::{Growable, Owner};
        let mut owner = Growable::new(1 << 16);
        let mut producer = ottla::Producer::new(Growable::new(1 << 16), ottla::Config::new(), 1);
        assert!(producer.bootstrap("node1", 9_092));
        _ = owner.memory();
        let topic = producer.declare_topic("t", 1).expect("there is room");
        loop {
            producer.produce(ottla::Instant::ZERO, topic, &ottla::Record::new(b"x")).ok();
            match producer.poll_link() {
                Some(ottla::LinkAction::Connect(link, _)) => return link,
                _ => producer.handle_timeout(ottla::Instant::ZERO),
            }
        }
    }

    #[test]
    fn what_was_begun_before_it_is_known_to_go_to_a_former_leader_counts_once() {
        let mut wire = Wire::new(0, 0, link(), (None, 1), 5);
        let stream = [0, 0, 0, 6, 1, 1, 1, 1, 1, 1].repeat(4);
        let asked = Asked { api: 0, version: 9, correlation: 0, acks: -1, parts: Vec::new() };
        let answered = Open { asked, at: 0, bytes: stream[..10].to_vec(), touched: false };
        // Three are lent to a write that is dropped, and half of the first one is written.
        wire.lend(&stream[..30], Begun::default());
        wire.write(&stream[..5]);
        wire.heal();
        wire.write(&stream[5..14]);
        assert_eq!(wire.misled(&answered), 20, "all but what was being written when all healed");
        wire.write(&stream[14..20]);
        assert_eq!(wire.misled(&answered), 0, "the second one, which was begun before");
        wire.write(&stream[20..30]);
        wire.lend(&stream[30..], Begun::default());
        wire.write(&stream[30..35]);
        assert_eq!(wire.misled(&answered), 10, "the fourth one holds another partition");
    }

    #[test]
    fn a_frame_was_begun_when_its_first_byte_was_lent() {
        let mut wire = Wire::new(0, 0, link(), (None, 1), 5);
        let begun = |told| Begun { told, fatal: false };
        let two = [0, 0, 0, 2, 8, 9, 0, 0, 0, 1, 7];
        wire.lend(&two[..3], begun(1));
        assert_eq!(wire.write(&two[..2]).0.len(), 0);
        wire.lend(&two[2..], begun(2));
        wire.lend(&two[2..], begun(3));
        let (frames, rest) = wire.write(&two[2..8]);
        let told: Vec<u64> = frames.iter().map(|(_, begun)| begun.told).collect();
        assert_eq!((told, rest.told), (vec![1], 2));
        let lent = wire.lent();
        assert_eq!((lent[0].0.as_slice(), lent[0].1.told), (&two[6..], 2));
        wire.lend(&two[..4], begun(4));
        assert_eq!(wire.lent().len(), 0, "not lent to its end");
    }

    #[test]
    fn a_cut_falls_at_its_byte() {
        let mut pipe = Pipe { cut: Some(70), ..Pipe::default() };
        let mut out = Vec::new();
        for expected in [50, 20, 0] {
            pipe.push(0, vec![0; 50], 0, 0);
            pipe.arrived(0, &mut out);
            assert_eq!(out.len(), expected);
        }
        assert_eq!(pipe.cut, Some(0));
    }
}
