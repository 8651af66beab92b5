//! The slots of links and requests.

use super::{Cursor, Reason};
use crate::memory::{BatchId, BrokerId, id};
use crate::message::Api;
use crate::states::changes;
use crate::time::Instant;

id! {
    /// Number of a link.
    LinkId of LinkSlot
}
id! {
    /// Number of a request.
    RequestId of RequestSlot
}

/// A link as the adapter knows it: a number with a generation, so that a call for a link that
/// has ended is recognised and ignored.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Link {
    pub(crate) id: LinkId,
    pub(crate) generation: u16,
}

impl Link {
    /// Place of the link in its table, from 0: below the number of links that `Fixed` has, so
    /// that an adapter keeps its sockets in an array.
    #[must_use]
    pub const fn index(self) -> usize {
        self.id.index()
    }
}

/// Where version negotiation starts. R15.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Negotiation {
    /// With version 4.
    #[default]
    Newest,
    /// With version 5: the broker has said that it knows it.
    Five,
    /// With version 3: the broker closed the link on a newer one.
    Three,
    /// With version 0: the same again.
    Zero,
}

impl Negotiation {
    pub(crate) const fn version(self) -> i16 {
        match self {
            Self::Newest => 4,
            Self::Five => 5,
            Self::Three => 3,
            Self::Zero => 0,
        }
    }

    /// After a link that ended without a parsable answer.
    pub(crate) const fn after_failure(self) -> Self {
        match self {
            Self::Newest | Self::Five => Self::Three,
            Self::Three => Self::Zero,
            Self::Zero => Self::Newest,
        }
    }
}

changes! { Negotiation {
    Newest -> Five: "it said that it knows 5";
    Five -> Five: "it said so again";
    Three -> Five: "it said so";
    Zero -> Five: "it said so";
    Newest -> Three: "the link ended without an answer";
    Five -> Three: "the link ended without an answer";
    Three -> Zero: "the link ended without an answer";
    Zero -> Newest: "the link ended without an answer";
    Newest -> Newest: "no connection";
    Five -> Newest: "no connection: another release may run there";
    Three -> Newest: "no connection";
    Zero -> Newest: "no connection";
} }

/// Tagged by a byte of its own, so that `Free` is zero bits.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub(crate) enum LinkState {
    #[default]
    Free,
    /// `poll_link` will say "connect".
    Wanted,
    /// The adapter connects.
    Connecting,
    /// ApiVersions is not answered yet.
    Negotiating,
    /// Any request may be sent.
    Ready,
    /// `poll_link` will say "close"; for the machine the link has ended.
    Closing(Reason),
}

changes! { LinkState {
    Free -> Wanted: "a broker has something to send, its back-off is over";
    Wanted -> Connecting: "the adapter is told to connect";
    Connecting -> Negotiating: "connected";
    Negotiating -> Ready: "ApiVersions is answered";
    Wanted -> Free: "not wanted any more";
    Connecting -> Closing: "setup timeout";
    Negotiating -> Closing: "request timeout, or an answer that cannot be read";
    Ready -> Closing: "request timeout, fault, idle, code 129, or it made way";
    Connecting -> Free: "the adapter could not connect";
    Negotiating -> Free: "the connection has ended";
    Ready -> Free: "the connection has ended";
    Closing -> Free: "the adapter is told to close";
} }

/// The broker does not have this API in a version that this client knows.
pub(crate) const NO_VERSION: i8 = -1;

/// A connection to a broker.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct LinkSlot {
    pub(crate) state: LinkState,
    pub(crate) generation: u16,
    pub(crate) broker: BrokerId,
    /// Requests that are not answered, oldest first.
    pub(crate) first: RequestId,
    pub(crate) last: RequestId,
    pub(crate) queued: u8,
    /// Up to where bytes were lent, and up to where they were taken.
    pub(crate) lent: Cursor,
    pub(crate) taken: Cursor,
    /// Bytes of requests that are over and were lent, but are not taken yet.
    pub(crate) ahead: u32,
    pub(crate) next_correlation: i32,
    /// Version of each API of [`Api::ALL`], in that order.
    pub(crate) versions: [i8; 5],
    pub(crate) throttled_until: Instant,
    /// Setup timeout, later that of the oldest request.
    pub(crate) deadline: Option<Instant>,
    pub(crate) active_at: Instant,
    /// Since when it is ready.
    pub(crate) ready_at: Instant,
    /// A Produce request was answered on it.
    pub(crate) useful: bool,
    /// It makes way for another broker: nothing new is sent, and it ends when all is answered.
    pub(crate) yielding: bool,
    pub(crate) next_free: u32,
}

/// A request that is not answered yet.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct RequestSlot {
    pub(crate) link: LinkId,
    pub(crate) next: RequestId,
    pub(crate) api: Api,
    pub(crate) version: i16,
    pub(crate) correlation: i32,
    /// Batches of a Produce request, by [`crate::memory::BatchSlot`]'s own chain, and how many
    /// topics they have; of a Metadata request the number of topics.
    pub(crate) batches: BatchId,
    pub(crate) topics: u32,
    /// Bytes after the frame's size.
    pub(crate) length: u32,
    /// Its last byte was lent: from then on the broker may have it. R1.
    pub(crate) lent: bool,
    /// Its last byte was taken for writing.
    pub(crate) taken: bool,
}

impl LinkSlot {
    pub(crate) const EMPTY: Self = Self {
        state: LinkState::Free,
        generation: 0,
        broker: BrokerId::NONE,
        first: RequestId::NONE,
        last: RequestId::NONE,
        queued: 0,
        lent: Cursor::NONE,
        taken: Cursor::NONE,
        ahead: 0,
        next_correlation: 0,
        versions: [0; 5],
        throttled_until: Instant::ZERO,
        deadline: None,
        active_at: Instant::ZERO,
        ready_at: Instant::ZERO,
        useful: false,
        yielding: false,
        next_free: 0,
    };

    /// Whether bytes of the oldest request were lent.
    pub(crate) fn has_begun(&self) -> bool {
        self.first.is_some() && self.lent != Cursor::start(self.first)
    }

    /// The version in use for `api`; [`NO_VERSION`] if the broker lacks it.
    pub(crate) fn version(&self, api: Api) -> i8 {
        self.versions.get(api.place()).copied().unwrap_or(NO_VERSION)
    }

    pub(crate) fn set_version(&mut self, api: Api, version: i8) {
        if let Some(entry) = self.versions.get_mut(api.place()) {
            *entry = version;
        }
    }
}

impl RequestSlot {
    pub(crate) const EMPTY: Self = Self {
        link: LinkId::NONE,
        next: RequestId::NONE,
        api: Api::Produce,
        version: 0,
        correlation: 0,
        batches: BatchId::NONE,
        topics: 0,
        length: 0,
        lent: false,
        taken: false,
    };
}

impl crate::memory::Slot for LinkSlot {
    const NOBODY: &'static Self = &Self::EMPTY;
}

impl crate::memory::Pooled for LinkSlot {
    fn free_link(&mut self) -> &mut u32 {
        &mut self.next_free
    }
}

impl crate::memory::Slot for RequestSlot {
    const NOBODY: &'static Self = &Self::EMPTY;
}

impl crate::memory::Pooled for RequestSlot {
    fn free_link(&mut self) -> &mut u32 {
        &mut self.length
    }
}
