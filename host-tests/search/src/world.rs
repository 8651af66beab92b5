//! A world: the producer, its links with what is on its way, the cluster, what the application
//! knows. Most of it are numbers of states that are kept elsewhere once.

use arrayvec::ArrayVec;

use crate::book::Book;
use crate::brokers::BrokerId;
use crate::client::{LINKS, Told};
use crate::clients::ClientId;
use crate::fault::Budget;
use crate::frames::FrameId;
use crate::setup::{PARTITIONS, RECORDS};

/// Frames that can be on their way on a link, in each direction.
pub const QUEUE: usize = 8;
/// Links that ended with requests on their way.
pub const LATE: usize = 6;

/// A queue of frames.
pub type Queue<T> = ArrayVec<T, QUEUE>;

/// A link from its opening to its end.
#[derive(PartialEq, Eq, Hash, Debug)]
pub struct Line {
    /// The node that it leads to.
    pub node: u8,
    /// Whether it is connected.
    pub open: bool,
    /// It carries nothing any more, and nobody was told.
    pub silent: bool,
    /// Requests that the broker has not read, oldest first.
    pub requests: Queue<FrameId>,
    /// Requests with their answers that have not come, oldest first.
    pub answers: Queue<(FrameId, FrameId)>,
    /// Requests that will never be answered, as it fell silent.
    pub lost: Queue<FrameId>,
}

/// A copy at once, not one by one.
pub(crate) fn copy<T: Copy, const N: usize>(of: &ArrayVec<T, N>) -> ArrayVec<T, N> {
    let mut copy = ArrayVec::new();
    // It has as much room.
    let _ = copy.try_extend_from_slice(of);
    copy
}

impl Clone for Line {
    fn clone(&self) -> Self {
        Self {
            node: self.node,
            open: self.open,
            silent: self.silent,
            requests: copy(&self.requests),
            answers: copy(&self.answers),
            lost: copy(&self.lost),
        }
    }
}

impl Line {
    /// A link that is being opened.
    #[must_use]
    pub fn new(node: u8) -> Self {
        Self {
            node,
            open: false,
            silent: false,
            requests: Queue::new(),
            answers: Queue::new(),
            lost: Queue::new(),
        }
    }

    /// Whether anything on it can move.
    #[must_use]
    pub fn moves(&self) -> bool {
        !self.silent && (!self.open || !self.requests.is_empty() || !self.answers.is_empty())
    }

    /// All requests that are not answered.
    pub fn unanswered(&self) -> impl Iterator<Item = FrameId> + '_ {
        let answered = self.answers.iter().map(|(request, _)| *request);
        self.lost.iter().copied().chain(answered).chain(self.requests.iter().copied())
    }
}

/// Requests of a link that ended, which reach a node at any time, or never.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Late {
    /// The node.
    pub node: u8,
    /// The requests, oldest first.
    pub requests: Queue<FrameId>,
}

/// Everything.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct World {
    /// The producer.
    pub client: ClientId,
    /// The cluster.
    pub broker: BrokerId,
    /// The producer's links, by its own numbers for them.
    pub lines: [Option<Line>; LINKS],
    /// What comes late, in a fixed order.
    pub late: ArrayVec<Late, LATE>,
    /// Batches that the application has produced to each partition.
    pub produced: [u8; PARTITIONS],
    /// What it was told of each record.
    pub told: [Told; RECORDS],
    /// What was on the wire.
    pub book: Book,
    /// Faults that may still come.
    pub budget: Budget,
    /// Deadlines that may still pass while something is on its way.
    pub early: u8,
    /// Partitions whose broker forgot the producer without a right to.
    pub forgotten: [bool; PARTITIONS],
    /// A fatal answer came, or was told.
    pub fatal: bool,
    /// The application has closed the producer.
    pub closed: bool,
}

impl World {
    /// Keeps requests that come late.
    pub fn keep_late(&mut self, node: u8, requests: Queue<FrameId>) {
        if !requests.is_empty() {
            self.late.push(Late { node, requests });
            self.late.sort();
        }
    }
}
