//! One connection to one broker: versions, correlation, requests in flight, deadlines.
//!
//! A link knows nothing of what its requests mean: each carries its [`Api`], and when a link
//! ends, its unanswered requests are handed back as a chain to whoever holds the links.
//!
//! ```text
//!            open                connected              versions known
//!   free ──────────► connecting ───────────► negotiating ─────────────► ready
//!     ▲                  │                        │                       │
//!     └──────────────────┴──── closed by either side, with a reason ──────┘
//! ```

mod input;
mod output;
mod slots;

pub use input::Receive;
pub(crate) use input::{Body, Matching, ReceiveStage};
pub(crate) use output::{Cursor, Part, Pieces, SCRATCH, Source, topic_of};
pub use slots::{Link, LinkId, LinkSlot, RequestId, RequestSlot};
pub(crate) use slots::{LinkState, NO_VERSION, Negotiation};

use crate::error::Fault;
use crate::memory::{BrokerId, Memory, Pool};
use crate::message::Api;
use crate::time::{Duration, Instant};

/// Why a link ended.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Reason {
    /// The peer broke the protocol.
    Fault(Fault),
    /// The oldest request was not answered within `request.timeout.ms`.
    RequestTimeout,
    /// The connection was not ready within its setup timeout.
    SetupTimeout,
    /// Nothing passed for `connections.max.idle.ms`.
    Idle,
    /// Its socket is needed for another broker.
    Replaced,
    /// The producer closes.
    Shutdown,
    /// The producer was paused.
    Paused,
    /// What was learned of the cluster led nowhere: the producer begins again (KIP-899).
    Rebootstrap,
    /// The address could not be resolved; told by the adapter.
    Unresolved,
    /// The peer refused or never accepted the connection; told by the adapter.
    Refused,
    /// The connection broke, or the peer closed it; told by the adapter.
    Disconnected,
}

impl core::fmt::Display for Reason {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Fault(fault) => return fault.fmt(f),
            Self::RequestTimeout => "its oldest request was not answered in time",
            Self::SetupTimeout => "the connection was not ready in time",
            Self::Idle => "it was idle",
            Self::Replaced => "its socket is needed for another broker",
            Self::Shutdown => "the producer closes",
            Self::Paused => "the producer was paused",
            Self::Rebootstrap => "the producer goes back to its bootstrap addresses",
            Self::Unresolved => "its address does not resolve",
            Self::Refused => "it does not accept connections",
            Self::Disconnected => "the connection was lost",
        })
    }
}

/// The links of a client and their requests.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Links {
    pub(crate) links: Pool,
    pub(crate) requests: Pool,
    /// Links with something for `poll_link`.
    pending: u32,
}

/// What the adapter has to do for a link.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    Connect(LinkId),
    Close(Link, Reason),
}

impl Links {
    pub(crate) const EMPTY: Self = Self { links: Pool::EMPTY, requests: Pool::EMPTY, pending: 0 };

    /// Takes a link for `broker`. `None`: the table is full.
    pub(crate) fn open(
        &mut self,
        memory: &mut Memory<'_>,
        broker: BrokerId,
        deadline: Instant,
    ) -> Option<LinkId> {
        let generation = self.next_generation(memory);
        let number = self.links.take(&mut memory.links)?;
        let link = LinkId::from_number(number);
        let slot = &mut memory.links[link];
        slot.state.enter(LinkState::Wanted);
        slot.generation = generation;
        slot.broker = broker;
        slot.deadline = Some(deadline);
        self.pending = self.pending.wrapping_add(1);
        Some(link)
    }

    /// The generation of the slot that [`Pool::take`] hands out next.
    fn next_generation(&self, memory: &Memory<'_>) -> u16 {
        let number = self.links.peek();
        memory.links.at(number).generation.wrapping_add(1)
    }

    /// The slot behind a handle, if the handle is not stale.
    pub(crate) fn resolve(&self, memory: &Memory<'_>, link: Link) -> Option<LinkId> {
        let slot = &memory.links[link.id];
        let fresh = link.id.is_some()
            && link.id.number() <= memory.links.capacity()
            && slot.generation == link.generation
            && !matches!(slot.state, LinkState::Free | LinkState::Closing(_));
        if fresh { Some(link.id) } else { None }
    }

    /// Ends a link. Its unanswered requests come back as a chain (by [`RequestSlot::next`]),
    /// oldest first. `told`: the adapter knows, so nothing is left to do for it.
    pub(crate) fn end(
        &mut self,
        memory: &mut Memory<'_>,
        link: LinkId,
        reason: Reason,
        told: bool,
    ) -> RequestId {
        let slot = &mut memory.links[link];
        let requests = core::mem::take(&mut slot.first);
        let was_wanted = matches!(slot.state, LinkState::Wanted);
        if was_wanted || told {
            if was_wanted {
                self.pending = self.pending.wrapping_sub(1);
            }
            self.free(memory, link);
        } else {
            slot.state.enter(LinkState::Closing(reason));
            slot.deadline = None;
            slot.last = RequestId::NONE;
            self.pending = self.pending.wrapping_add(1);
        }
        requests
    }

    fn free(&mut self, memory: &mut Memory<'_>, link: LinkId) {
        let slot = &mut memory.links[link];
        slot.state.enter(LinkState::Free);
        let generation = slot.generation;
        self.links.give(&mut memory.links, link.number());
        memory.links[link].generation = generation;
    }

    /// The next thing that the adapter has to do.
    pub(crate) fn poll(&mut self, memory: &mut Memory<'_>) -> Option<Order> {
        if self.pending == 0 {
            return None;
        }
        for number in self.links.numbers() {
            let link = LinkId::from_number(number);
            match memory.links[link].state {
                LinkState::Wanted => {
                    self.pending = self.pending.wrapping_sub(1);
                    memory.links[link].state.enter(LinkState::Connecting);
                    return Some(Order::Connect(link));
                }
                LinkState::Closing(reason) => {
                    self.pending = self.pending.wrapping_sub(1);
                    let handle = Link { id: link, generation: memory.links[link].generation };
                    self.free(memory, link);
                    return Some(Order::Close(handle, reason));
                }
                _ => {}
            }
        }
        None
    }

    /// Puts a request at the end of a link's queue. `None`: the table of requests is full.
    pub(crate) fn push(
        &mut self,
        memory: &mut Memory<'_>,
        link: LinkId,
        api: Api,
        version: i16,
    ) -> Option<RequestId> {
        let number = self.requests.take(&mut memory.requests)?;
        let request = RequestId::from_number(number);
        let slot = &mut memory.links[link];
        let correlation = slot.next_correlation;
        slot.next_correlation = correlation.wrapping_add(1) & i32::MAX;
        let last = core::mem::replace(&mut slot.last, request);
        if last.is_none() {
            slot.first = request;
        } else {
            memory.requests[last].next = request;
        }
        let slot = &mut memory.links[link];
        slot.queued = slot.queued.saturating_add(1);
        if slot.lent.request.is_none() {
            slot.lent = Cursor::start(request);
        }
        if slot.taken.request.is_none() {
            slot.taken = Cursor::start(request);
        }
        let entry = &mut memory.requests[request];
        entry.link = link;
        entry.api = api;
        entry.version = version;
        entry.correlation = correlation;
        Some(request)
    }

    /// Takes a request that is over out of its link's queue, and its slot back.
    pub(crate) fn remove(&mut self, memory: &mut Memory<'_>, request: RequestId) {
        let RequestSlot { link, next, .. } = memory.requests[request];
        let slot = &mut memory.links[link];
        slot.queued = slot.queued.saturating_sub(1);
        if slot.first == request {
            slot.first = next;
            if next.is_none() {
                slot.last = RequestId::NONE;
            }
        } else {
            let mut before = slot.first;
            while before.is_some() && memory.requests[before].next != request {
                before = memory.requests[before].next;
            }
            if before.is_some() {
                memory.requests[before].next = next;
                if next.is_none() {
                    memory.links[link].last = before;
                }
            }
        }
        self.requests.give(&mut memory.requests, request.number());
    }

    /// Takes the slot of a request back whose link has ended.
    pub(crate) fn forget(&mut self, memory: &mut Memory<'_>, request: RequestId) {
        self.requests.give(&mut memory.requests, request.number());
    }

    /// Sets the deadline of the link's oldest request anew: `timeout` from `now`, and no earlier
    /// than the end of throttling after it. R13.
    pub(crate) fn rearm(memory: &mut Memory<'_>, link: LinkId, now: Instant, timeout: Duration) {
        let slot = &mut memory.links[link];
        slot.active_at = now;
        let base = now.max(slot.throttled_until);
        slot.deadline = if slot.has_begun() { Some(base.after(timeout)) } else { None };
    }
}
