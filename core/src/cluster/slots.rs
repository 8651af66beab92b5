//! The slots of topics, partitions and brokers.

use crate::identity::Sequences;
use crate::link::LinkId;
use crate::memory::{Pool, id};
use crate::message::ErrorCode;
use crate::producer::BatchId;
use crate::states::changes;
use crate::time::Instant;

id! {
    /// Number of a topic.
    TopicId of TopicSlot
}
id! {
    /// Number of a partition in use.
    PartitionId of PartitionSlot
}
id! {
    /// Number of a broker that matters.
    BrokerId of BrokerSlot
}

/// What is known of a topic.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) enum TopicState {
    /// Not asked for, or no answer yet.
    #[default]
    Unknown,
    /// The number of partitions is known.
    Known,
    /// The broker says that it cannot be used.
    Failed(ErrorCode),
}

changes! { TopicState {
    Unknown -> Known: "its partitions were told";
    Unknown -> Failed: "a code that will stay";
    Known -> Failed: "a code that will stay";
    Failed -> Failed: "still";
    Failed -> Known: "its partitions were told";
} }

/// Stands for a topic id that no broker has told. KIP-516.
pub(crate) const NO_ID: [u8; 16] = [0; 16];

/// A topic that the application named.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct TopicSlot {
    pub(crate) name_at: u32,
    pub(crate) name_length: u8,
    pub(crate) hash: u32,
    pub(crate) next_in_bucket: TopicId,
    pub(crate) state: TopicState,
    /// Number of partitions, once known or declared.
    pub(crate) partitions: u32,
    /// Declared with its partition count; accepted before metadata (R16).
    pub(crate) declared: bool,
    /// An event tells the application when the state is known.
    pub(crate) awaited: bool,
    /// To be asked for in the next metadata request, and in the one that is written.
    pub(crate) wanted: bool,
    pub(crate) asked: bool,
    /// When a record was produced to it last, and whether it was left out since as unused.
    pub(crate) used_at: Instant,
    pub(crate) left_out: bool,
    pub(crate) id: [u8; 16],
    /// Where keyless records go now, and the bytes that went there (KIP-794).
    pub(crate) sticky: PartitionId,
    pub(crate) sticky_bytes: u32,
    /// Where the next record goes if partitions take turns.
    pub(crate) next_turn: u32,
    /// The request that is being filled, and its last batch of this topic.
    pub(crate) gathered_for: u32,
    pub(crate) gathered_last: BatchId,
}

/// Bits of [`PartitionSlot::flags`].
pub(crate) mod flag {
    /// On its broker's list of ready partitions.
    pub(crate) const READY: u8 = 1;
    /// What makes it ready cannot wait for more (a full batch, or one that is sent again). R21.
    pub(crate) const URGENT: u8 = 2;
    /// The leader changed since the last attempt failed: no back-off (KIP-951).
    pub(crate) const LEADER_CHANGED: u8 = 4;
}

/// What a partition does after an error.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Course {
    /// There was none, or it is over.
    #[default]
    Steady,
    /// Nothing is sent until every request with a batch of the partition has ended; then the
    /// head goes first. R12.
    Recovering,
    /// As that, and the broker did not expect the head's sequence, or a refused batch left a
    /// hole: then batches that may be in the log are probed, or the epoch is bumped. R8.
    Lost,
    /// The newest batch that may be in the log is asked for, alone. R8.
    Probing,
    /// That told nothing: the next one is asked for once nothing is in flight.
    Denied,
}

changes! { Course {
    Steady -> Recovering: "an error, or the end of a link";
    Recovering -> Steady: "nothing is in flight: the head goes first (R12)";
    Recovering -> Lost: "45 for the head (R8)";
    Lost -> Recovering: "written, or proven, after all";
    Lost -> Probing: "nothing is in flight, a batch may be in the log";
    Lost -> Steady: "no batch may be in the log: the next epoch";
    Probing -> Denied: "an error, or the end of the link";
    Probing -> Recovering: "written: the broker has found its place";
    Probing -> Steady: "its time was over first: the next epoch";
    Denied -> Probing: "nothing is in flight: the next one";
    Denied -> Steady: "all were denied: the next epoch";
} }

impl Course {
    /// An error, or the end of a link: nothing more until everything in flight has ended.
    pub(crate) fn hold(&mut self) {
        match self {
            Self::Steady => self.enter(Self::Recovering),
            Self::Probing => self.enter(Self::Denied),
            Self::Recovering | Self::Lost | Self::Denied => {}
        }
    }

    /// After such an error: the broker does not expect the head.
    pub(crate) fn lose(&mut self) {
        if *self == Self::Recovering {
            self.enter(Self::Lost);
        }
    }

    /// The broker's place is known again.
    pub(crate) fn find(&mut self) {
        if self.is_lost() {
            self.enter(Self::Recovering);
        }
    }

    /// A batch is asked for.
    pub(crate) fn probe(&mut self) {
        if *self != Self::Probing {
            self.enter(Self::Probing);
        }
    }

    /// The head goes next, as ever.
    pub(crate) fn end(&mut self) {
        if *self != Self::Steady {
            self.enter(Self::Steady);
        }
    }

    /// Nothing is sent until nothing is in flight.
    pub(crate) const fn waits(self) -> bool {
        matches!(self, Self::Recovering | Self::Lost | Self::Denied)
    }

    /// The broker's place in the sequence is not known.
    pub(crate) const fn is_lost(self) -> bool {
        matches!(self, Self::Lost | Self::Probing | Self::Denied)
    }

    /// The next batch to send is one that is probed.
    pub(crate) const fn probes(self) -> bool {
        matches!(self, Self::Probing | Self::Denied)
    }
}

/// A partition that records were produced to, or that metadata told of while there was room.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct PartitionSlot {
    pub(crate) topic: TopicId,
    pub(crate) index: i32,
    pub(crate) next_in_bucket: PartitionId,
    pub(crate) flags: u8,
    pub(crate) course: Course,
    /// Attempts with a batch of this partition that are not answered.
    pub(crate) in_flight: u8,
    /// The broker that leads it, and since which epoch.
    pub(crate) leader: Option<i32>,
    pub(crate) leader_epoch: Option<i32>,
    pub(crate) broker: BrokerId,
    /// The link that carries its attempts. R11.
    pub(crate) link: LinkId,
    /// Its batches in order.
    pub(crate) first: BatchId,
    pub(crate) last: BatchId,
    pub(crate) batches: u32,
    /// The next batch to send; none: nothing is left but what is in flight.
    pub(crate) cursor: BatchId,
    /// Records accepted so far: the number of the next one. R20.
    pub(crate) accepted: u64,
    pub(crate) sequences: Sequences,
    pub(crate) backoff_until: Instant,
    /// Neighbours on the broker's list of ready partitions, and whose list it is.
    pub(crate) ready_previous: PartitionId,
    pub(crate) ready_next: PartitionId,
    pub(crate) ready_on: BrokerId,
    pub(crate) ready_bytes: u32,
    /// Its timer: linger or back-off.
    pub(crate) wake_at: Instant,
    pub(crate) heap_place: u32,
}

/// A broker: one of the bootstrap addresses, or a leader.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct BrokerSlot {
    /// Id in the cluster; none for a bootstrap address.
    pub(crate) id: Option<i32>,
    /// Bytes of its host name, which stands in [`crate::memory::Memory::hosts`].
    pub(crate) host_length: u8,
    pub(crate) port: u16,
    pub(crate) used: bool,
    /// A link is wanted, and since when.
    pub(crate) wanted: bool,
    pub(crate) wanted_at: Instant,
    pub(crate) link: LinkId,
    /// How version negotiation starts on the next link. R15.
    pub(crate) negotiation: crate::link::Negotiation,
    /// Partitions that it leads.
    pub(crate) leads: u32,
    pub(crate) ready_first: PartitionId,
    pub(crate) ready_last: PartitionId,
    pub(crate) ready_count: u32,
    pub(crate) ready_bytes: u32,
    pub(crate) urgent: u32,
    /// Since when something is ready that could wait for more. R21.
    pub(crate) ready_since: Instant,
    /// When a request was filled, or one was answered, last.
    pub(crate) served_at: Instant,
    /// Failures in a row, and when the next attempt to connect may be made.
    pub(crate) failures: u8,
    pub(crate) retry_at: Instant,
    pub(crate) next_free: u32,
}

impl TopicSlot {
    pub(crate) const EMPTY: Self = Self {
        name_at: 0,
        name_length: 0,
        hash: 0,
        next_in_bucket: TopicId::NONE,
        state: TopicState::Unknown,
        partitions: 0,
        declared: false,
        awaited: false,
        wanted: false,
        asked: false,
        used_at: Instant::ZERO,
        left_out: false,
        id: NO_ID,
        sticky: PartitionId::NONE,
        sticky_bytes: 0,
        next_turn: 0,
        gathered_for: 0,
        gathered_last: BatchId::NONE,
    };

    /// Whether the application was refused, and promised an event. R16.
    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited && matches!(self.state, TopicState::Unknown)
    }
}

impl PartitionSlot {
    pub(crate) const EMPTY: Self = Self {
        topic: TopicId::NONE,
        index: 0,
        next_in_bucket: PartitionId::NONE,
        flags: 0,
        course: Course::Steady,
        in_flight: 0,
        leader: None,
        leader_epoch: None,
        broker: BrokerId::NONE,
        link: LinkId::NONE,
        first: BatchId::NONE,
        last: BatchId::NONE,
        batches: 0,
        cursor: BatchId::NONE,
        accepted: 0,
        sequences: Sequences::EMPTY,
        backoff_until: Instant::ZERO,
        ready_previous: PartitionId::NONE,
        ready_next: PartitionId::NONE,
        ready_on: BrokerId::NONE,
        ready_bytes: 0,
        wake_at: Instant::ZERO,
        heap_place: 0,
    };

    pub(crate) const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(crate) const fn set(&mut self, flag: u8) {
        self.flags |= flag;
    }

    pub(crate) const fn clear(&mut self, flag: u8) {
        self.flags &= !flag;
    }
}

impl BrokerSlot {
    pub(crate) const EMPTY: Self = Self {
        id: None,
        host_length: 0,
        port: 0,
        used: false,
        wanted: false,
        wanted_at: Instant::ZERO,
        link: LinkId::NONE,
        negotiation: crate::link::Negotiation::Newest,
        leads: 0,
        ready_first: PartitionId::NONE,
        ready_last: PartitionId::NONE,
        ready_count: 0,
        ready_bytes: 0,
        urgent: 0,
        ready_since: Instant::ZERO,
        served_at: Instant::ZERO,
        failures: 0,
        retry_at: Instant::ZERO,
        next_free: 0,
    };
}

impl crate::memory::Slot for TopicSlot {
    const NOBODY: &'static Self = &Self::EMPTY;
}

impl crate::memory::Pooled for TopicSlot {
    fn free_link(&mut self) -> &mut u32 {
        &mut self.name_at
    }
}

impl crate::memory::Slot for PartitionSlot {
    const NOBODY: &'static Self = &Self::EMPTY;
}

impl crate::memory::Pooled for PartitionSlot {
    fn free_link(&mut self) -> &mut u32 {
        &mut self.heap_place
    }
}

impl crate::memory::Slot for BrokerSlot {
    const NOBODY: &'static Self = &Self::EMPTY;
}

impl crate::memory::Pooled for BrokerSlot {
    fn free_link(&mut self) -> &mut u32 {
        &mut self.next_free
    }
}

/// The pools of the cluster's tables.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Pools {
    pub(crate) topics: Pool,
    pub(crate) partitions: Pool,
    pub(crate) brokers: Pool,
}

impl Pools {
    pub(crate) const EMPTY: Self =
        Self { topics: Pool::EMPTY, partitions: Pool::EMPTY, brokers: Pool::EMPTY };
}
