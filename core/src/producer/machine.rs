//! The machine: state of a producer without its memory, and the order in which things are done.

use super::outcome::Notice;
use super::slots::BatchId;
use crate::cluster::{Pools, TopicSlot};
use crate::config::Config;
use crate::error::Full;
use crate::identity::Identity;
use crate::link::{LinkId, Links, Pieces, SCRATCH};
use crate::memory::{BrokerId, Heap, Memory, PartitionId, Perhaps, Pool, TopicId};
use crate::message::ErrorCode;
use crate::random::Random;
use crate::states::changes;
use crate::time::{Duration, Instant};

/// Events beside deliveries that wait to be taken; of more, the oldest go.
const NOTICES: usize = 4;

#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Phase {
    /// Has no settings yet; nothing is accepted.
    #[default]
    Unstarted,
    Running,
    /// No record is accepted; at the instant everything left gets its outcome.
    Closing(Instant),
    /// Every record has its outcome.
    Closed,
}

changes! { Phase {
    Unstarted -> Running: "its settings are given";
    Unstarted -> Closing: "close";
    Running -> Closing: "close";
    Closing -> Closing: "close, with an earlier deadline";
    Closing -> Closed: "every record has its outcome";
} }

/// A question that any broker can answer.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Question {
    #[default]
    Rests,
    /// It is to be asked, once back-off is over and there is a cause.
    Needed,
    /// Its request is queued or sent.
    Asked,
    /// The same, and something has happened since that the answer may not tell.
    AskedAnew,
}

changes! { Question {
    Rests -> Needed: "something is new, too old, or wrong";
    Needed -> Asked: "a cause, and a link";
    Asked -> AskedAnew: "something else is new or wrong";
    Asked -> Rests: "answered, or the link ended";
    AskedAnew -> Needed: "answered, or the link ended";
} }

impl Question {
    /// It has to be asked, after the answer that is on its way if there is one.
    pub(super) fn need(&mut self) {
        match self {
            Self::Rests => self.enter(Self::Needed),
            Self::Asked => self.enter(Self::AskedAnew),
            Self::Needed | Self::AskedAnew => {}
        }
    }

    /// Its answer is here, or will not come.
    pub(super) fn end(&mut self) {
        match self {
            Self::Asked => self.enter(Self::Rests),
            Self::AskedAnew => self.enter(Self::Needed),
            Self::Rests | Self::Needed => {}
        }
    }

    /// Nothing is on its way.
    pub(super) const fn is_due(self) -> bool {
        matches!(self, Self::Needed)
    }

    /// It is on its way.
    pub(super) const fn is_asked(self) -> bool {
        matches!(self, Self::Asked | Self::AskedAnew)
    }
}

/// Where the producer stands with metadata.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Refresh {
    pub(super) question: Question,
    /// Of all topics in use, not of new ones alone; and whether the one on its way is.
    pub(super) full: bool,
    pub(super) asked_full: bool,
    /// Not before this, after a failure.
    pub(super) retry_at: Instant,
    pub(super) failures: u8,
    pub(super) done_at: Option<Instant>,
    /// The topic whose partitions are being read.
    pub(super) topic: TopicId,
    /// Something that is waited for was not in the answer.
    pub(super) incomplete: bool,
    /// The answer told something that was not known.
    pub(super) news: bool,
    /// What the answer says of itself.
    pub(super) error: ErrorCode,
    /// Since when it is tried for in vain, without a pause. KIP-1102.
    pub(super) began: Option<Instant>,
    /// When it was tried for last.
    pub(super) tried_at: Instant,
    /// The producer is to begin again; and how often it did since something was written.
    pub(super) astray: bool,
    pub(super) restarts: u8,
    /// A partition whose records wait for the address of its leader. That one has the first claim
    /// to a place in the table of brokers, and the answer that brings it gives places to leaders
    /// only.
    pub(super) homeless: PartitionId,
    /// The leader that had the claim last. It goes round by their ids.
    pub(super) claimant: i32,
}

impl Refresh {
    const EMPTY: Self = Self {
        question: Question::Rests,
        full: false,
        asked_full: false,
        retry_at: Instant::ZERO,
        failures: 0,
        done_at: None,
        topic: TopicId::NONE,
        incomplete: false,
        news: false,
        error: ErrorCode::NONE,
        began: None,
        tried_at: Instant::ZERO,
        astray: false,
        restarts: 0,
        homeless: PartitionId::NONE,
        claimant: 0,
    };
}

/// Where the producer stands with its id.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Acquire {
    pub(super) question: Question,
    pub(super) retry_at: Instant,
    pub(super) failures: u8,
}

impl Acquire {
    pub(super) const EMPTY: Self =
        Self { question: Question::Rests, retry_at: Instant::ZERO, failures: 0 };
}

/// A producer without its memory. No generics and no lifetimes: compiled once.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(super) config: Config,
    /// The largest instant that was passed in.
    pub(super) now: Instant,
    /// Unix time in microseconds at the origin of the clock, if it was told.
    pub(super) wall: Option<i64>,
    pub(super) random: Random,
    pub(super) links: Links,
    pub(super) pools: Pools,
    pub(super) batches: Pool,
    pub(super) timers: Heap,
    pub(super) names_used: u32,
    /// Where `client.id` stands among the names; without one there is a default.
    pub(super) client_id_at: u32,
    pub(super) client_id_length: u8,
    pub(super) identity: Option<Identity>,
    pub(super) acquire: Acquire,
    pub(super) refresh: Refresh,
    /// All batches without an outcome, oldest first.
    pub(super) live_first: BatchId,
    pub(super) live_last: BatchId,
    /// Batches whose event waits.
    pub(super) event_first: BatchId,
    pub(super) event_last: BatchId,
    /// A batch whose texts may be looked at until the next event is taken.
    pub(super) shown: BatchId,
    pub(super) notices: heapless::Deque<Notice, NOTICES>,
    /// Topics with [`crate::cluster::TopicSlot::awaited`] set and an answer to tell.
    pub(super) topic_events: u32,
    /// Batches made so far, up to which one all are due, and up to which one none is open.
    pub(super) serial: u64,
    pub(super) due_serial: u64,
    pub(super) closed_serial: u64,
    pub(super) phase: Phase,
    /// No link is open or will be, and no time counts.
    pub(super) paused: bool,
    pub(super) fatal: Option<ErrorCode>,
    pub(super) closed_told: bool,
    pub(super) fatal_told: bool,
    /// What the last call lacked; the owner may enlarge it.
    pub(super) full: Perhaps<Full>,
    /// When the next address may be tried while none answers; and the one tried last.
    pub(super) contact_at: Instant,
    pub(super) contact_last: BrokerId,
    /// Brokers that want a link; and whether another one's link makes way.
    pub(super) wanted: u32,
    pub(super) yields: bool,
    /// What `poll_timeout` said last.
    pub(super) armed: Option<Instant>,
    pub(super) gathering: u32,
    pub(super) scratch: [u8; SCRATCH],
    pub(super) counters: super::Counters,
}

impl Machine {
    /// A machine that was not started: all zero bits.
    pub(super) const EMPTY: Self = Self {
        config: Config::ZERO,
        now: Instant::ZERO,
        wall: None,
        random: Random::new(0),
        links: Links::EMPTY,
        pools: Pools::EMPTY,
        batches: Pool::EMPTY,
        timers: Heap::EMPTY,
        names_used: 0,
        client_id_at: 0,
        client_id_length: 0,
        identity: None,
        acquire: Acquire::EMPTY,
        refresh: Refresh::EMPTY,
        live_first: BatchId::NONE,
        live_last: BatchId::NONE,
        event_first: BatchId::NONE,
        event_last: BatchId::NONE,
        shown: BatchId::NONE,
        notices: heapless::Deque::new(),
        topic_events: 0,
        serial: 0,
        due_serial: 0,
        closed_serial: 0,
        phase: Phase::Unstarted,
        paused: false,
        fatal: None,
        closed_told: false,
        fatal_told: false,
        full: Perhaps::No,
        contact_at: Instant::ZERO,
        contact_last: BrokerId::NONE,
        wanted: 0,
        yields: false,
        armed: None,
        gathering: 0,
        scratch: [0; SCRATCH],
        counters: super::Counters::ZERO,
    };

    /// Gives the machine its settings, once.
    pub(super) fn start(&mut self, config: Config, seed: u64) {
        if matches!(self.phase, Phase::Unstarted) {
            self.config = config;
            self.random = Random::new(seed);
            self.phase.enter(Phase::Running);
        }
    }

    /// Takes the caller's time; it never goes back.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn tick(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// What all requests have in common.
    pub(super) fn pieces(&self) -> Pieces {
        // A tenth less than the client's own patience, at most a second. R13.
        let config = &self.config;
        let millis = config.request_timeout.as_millis();
        let less = (millis / 10).min(1_000);
        Pieces {
            client_id: (self.client_id_at, self.client_id_length),
            acks: config.acks.wire(),
            timeout_ms: i32::try_from(millis.saturating_sub(less)).unwrap_or(i32::MAX),
            create_topics: config.auto_create_topics,
        }
    }

    /// The pause before attempt `failures` + 1: doubling from `first` to `max`, with jitter.
    pub(super) fn backoff(&mut self, first: Duration, max: Duration, failures: u32) -> Duration {
        if max <= first {
            return max;
        }
        let doubled = first.as_micros().checked_shl(failures.min(32)).unwrap_or(u64::MAX);
        let doubled = doubled.min(max.as_micros());
        Duration::from_micros(self.random.jitter(doubled).min(max.as_micros()))
    }

    pub(super) fn retry_backoff(&mut self, failures: u32) -> Duration {
        self.backoff(self.config.retry_backoff, self.config.retry_backoff_max, failures)
    }

    /// Time has passed: expiry, timers, deadlines. Every other input ends here, too, through
    /// [`Machine::maintain`].
    pub(crate) fn handle_timeout(&mut self, memory: &mut Memory<'_>, now: Instant) {
        self.tick(now);
        self.expire(memory);
        while let Some((partition, at)) = self.timers.first(memory) {
            if at > self.now {
                break;
            }
            self.timers.remove(memory, partition);
            self.evaluate(memory, partition);
        }
        self.check_links(memory);
        if let Phase::Closing(deadline) = self.phase
            && deadline <= self.now
        {
            self.give_up_all(memory, super::Cause::Closed);
        }
        self.maintain(memory);
    }

    /// Starts what is needed now: requests for metadata and an id, and connections.
    pub(super) fn maintain(&mut self, memory: &mut Memory<'_>) {
        if let Some(code) = self.fatal {
            self.fail_all(memory, code);
        }
        if let Phase::Closing(_) = self.phase
            && self.live_first.is_none()
        {
            self.phase.enter(Phase::Closed);
            self.end_all_links(memory, crate::link::Reason::Shutdown);
        }
        if matches!(self.phase, Phase::Closed) || self.paused {
            return;
        }
        if core::mem::take(&mut self.refresh.astray) {
            self.rebootstrap(memory);
        }
        if self.question_at(memory) <= self.now {
            self.ask(memory);
        }
        if self.wanted > 0 {
            self.connect_wanted(memory);
        }
        if self.yields {
            self.stop_yielding(memory);
        }
    }

    /// Whether anybody waits for what a broker can be asked: records, or the application for a
    /// topic. Without a cause nothing is sent. R14.
    fn has_cause(&self, memory: &Memory<'_>) -> bool {
        self.is_awaited(memory) || self.any_topic(memory, |slot| slot.wanted)
    }

    /// Whether records wait, or calls that were refused until a topic is known.
    pub(super) fn is_awaited(&self, memory: &Memory<'_>) -> bool {
        self.live_first.is_some() || self.any_topic(memory, TopicSlot::is_awaited)
    }

    pub(super) fn any_topic(&self, memory: &Memory<'_>, is: impl Fn(&TopicSlot) -> bool) -> bool {
        self.pools.topics.numbers().any(|number| is(&memory.topics[TopicId::from_number(number)]))
    }

    /// From when metadata or an id may be asked for, if one is needed, and there is a cause and a
    /// free request to do so; else the end of time.
    pub(super) fn question_at(&self, memory: &Memory<'_>) -> Instant {
        let mut at = Instant::MAX;
        if self.refresh.question.is_due() {
            at = self.refresh.retry_at.max(self.room_at(memory));
        }
        if self.acquire.question.is_due() {
            at = at.min(self.acquire.retry_at);
        }
        if at == Instant::MAX || !self.has_request(memory) || !self.has_cause(memory) {
            return Instant::MAX;
        }
        at
    }

    /// Whether the table of requests has room; if not, whoever holds a slot is waited for.
    pub(super) fn has_request(&self, memory: &Memory<'_>) -> bool {
        self.links.requests.has_room(&memory.requests)
    }

    /// When [`Machine::handle_timeout`] is to be called next.
    pub(crate) fn poll_timeout(&mut self, memory: &Memory<'_>) -> Option<Instant> {
        if self.paused {
            // Whatever is due is found after it.
            self.armed = None;
            return None;
        }
        let mut earliest = Instant::MAX;
        let mut at = |instant: Instant| earliest = earliest.min(instant);
        if let Some((_, timer)) = self.timers.first(memory) {
            at(timer);
        }
        if self.can_give_up(memory) {
            at(memory.batches[self.live_first].created.after(self.config.delivery_timeout));
        }
        if let Phase::Closing(deadline) = self.phase
            && self.can_give_up(memory)
        {
            at(deadline);
        }
        if !matches!(self.phase, Phase::Closed) {
            let question = self.question_at(memory);
            if question != Instant::MAX {
                at(question.max(self.contact_time(memory)));
            }
            if self.wanted > 0 && self.has_request(memory) {
                for broker in self.brokers() {
                    let slot = &memory.brokers[broker];
                    if slot.wanted
                        && slot.link.is_none()
                        && let Some(instant) = self.connect_at(memory, broker)
                    {
                        at(instant);
                    }
                }
            }
        }
        for link in self.open_links() {
            if let Some(instant) = self.link_timeout(memory, link) {
                at(instant);
            }
        }
        self.armed = if earliest == Instant::MAX { None } else { Some(earliest) };
        self.armed
    }

    /// Numbers of brokers that are in use.
    pub(super) fn brokers(&self) -> impl Iterator<Item = BrokerId> + use<> {
        self.pools.brokers.numbers().map(BrokerId::from_number)
    }

    /// Numbers of links that may be in use.
    pub(super) fn open_links(&self) -> impl Iterator<Item = LinkId> + use<> {
        self.links.links.numbers().map(LinkId::from_number)
    }

    /// The table that the last call found full, for the owner to enlarge.
    pub(super) fn take_full(&mut self) -> Option<Full> {
        core::mem::take(&mut self.full).get()
    }

    /// Keeps a notice for the application; of more than the queue holds, the oldest goes.
    pub(super) fn notice(&mut self, notice: Notice) {
        if self.notices.is_full() {
            let _ = self.notices.pop_front();
        }
        let _ = self.notices.push_back(notice);
    }
}
