//! Links are opened where they are needed, watched, and closed.

use super::machine::Machine;
use super::outcome::{Broker, Notice};
use crate::link::{Link, LinkId, LinkSlot, LinkState, Negotiation, Order, Reason, Receive};
use crate::memory::{BrokerId, Memory, Perhaps};
use crate::message::Api;
use crate::time::{Duration, Instant};

/// After this long without a result the next address is tried, too. R15.
const NEXT_CONTACT: Duration = Duration::from_secs(1);

/// Where brokers share links, each keeps one for so long, and at least until something of its was
/// answered: connecting again costs two round trips.
const TURN: Duration = Duration::from_secs(1);

impl Machine {
    #[cfg(feature = "proof")]
    pub(super) const TURN: Duration = TURN;

    /// What the adapter has to do for its links.
    pub(crate) fn poll_link(&mut self, memory: &mut Memory<'_>) -> Option<Order> {
        // What records asked for since the last input is started here.
        self.maintain(memory);
        self.links.poll(memory)
    }

    /// The connection of a link is made (TLS included); its first request can go.
    pub(crate) fn handle_connected(&mut self, memory: &mut Memory<'_>, now: Instant, link: Link) {
        self.tick(now);
        let Some(link) = self.links.resolve(memory, link) else { return };
        if !matches!(memory.links[link].state, LinkState::Connecting) {
            return;
        }
        let slot = &mut memory.links[link];
        slot.state.enter(LinkState::Negotiating);
        slot.deadline = None;
        slot.active_at = self.now;
        if let Some(receive) = memory.receives.get_mut(link.index()) {
            *receive = Receive::EMPTY;
        }
        let version = memory.brokers[slot.broker].negotiation.version();
        if self.links.push(memory, link, Api::ApiVersions, version).is_some() {
            self.measure_last(memory, link);
        } else {
            self.full = Perhaps::Yes(crate::error::Full::Requests);
            self.end_link(memory, link, Reason::Replaced, false);
        }
        self.maintain(memory);
    }

    /// The connection of a link could not be made, or has ended.
    pub(crate) fn handle_disconnected(
        &mut self,
        memory: &mut Memory<'_>,
        now: Instant,
        link: Link,
        reason: Reason,
    ) {
        self.tick(now);
        let Some(link) = self.links.resolve(memory, link) else { return };
        self.end_link(memory, link, reason, true);
        self.maintain(memory);
    }

    /// Sets the length of the request at the end of a link's queue.
    pub(super) fn measure_last(&mut self, memory: &mut Memory<'_>, link: LinkId) {
        let request = memory.links[link].last;
        let length = self.pieces().measure(memory, request, &mut self.scratch);
        memory.requests[request].length = length;
    }

    pub(super) fn is_open(&self, memory: &Memory<'_>, link: LinkId) -> bool {
        !matches!(memory.links[link].state, LinkState::Free | LinkState::Closing(_))
    }

    /// When a link needs attention.
    pub(super) fn link_timeout(&self, memory: &Memory<'_>, link: LinkId) -> Option<Instant> {
        if !self.is_open(memory, link) {
            return None;
        }
        let slot = &memory.links[link];
        let fills = self.could_fill(memory, link);
        let hold = if fills { self.hold_until(memory, link) } else { None };
        if slot.deadline.is_some() {
            return slot.deadline.min(hold.or(slot.deadline));
        }
        if fills { hold } else { self.idle_at(memory, link) }
    }

    /// When a link is closed that nobody needs. Nothing is sent while throttling lasts, so that is no
    /// idle time.
    fn idle_at(&self, memory: &Memory<'_>, link: LinkId) -> Option<Instant> {
        let slot = &memory.links[link];
        if !matches!(slot.state, LinkState::Ready)
            || slot.queued > 0
            || self.could_fill(memory, link)
        {
            return None;
        }
        let at = slot.active_at.after(self.config.connection_max_idle);
        let asked = || slot.throttled_until <= self.now && self.question_at(memory) <= self.now;
        if at <= self.now && asked() { None } else { Some(at) }
    }

    /// Closes links whose time is over. R13: only the oldest request has a deadline.
    pub(super) fn check_links(&mut self, memory: &mut Memory<'_>) {
        for link in self.open_links() {
            if !self.is_open(memory, link) {
                continue;
            }
            let slot = &memory.links[link];
            let late = slot.deadline.is_some_and(|deadline| deadline <= self.now);
            if late {
                let ready = matches!(slot.state, LinkState::Ready | LinkState::Negotiating);
                let reason = if ready { Reason::RequestTimeout } else { Reason::SetupTimeout };
                self.end_link(memory, link, reason, false);
            } else if self.idle_at(memory, link).is_some_and(|at| at <= self.now) {
                self.end_link(memory, link, Reason::Idle, false);
            }
        }
    }

    /// A broker's link has ended.
    pub(super) fn broker_lost(
        &mut self,
        memory: &mut Memory<'_>,
        broker: BrokerId,
        state: LinkState,
        reason: Reason,
    ) {
        let failed = !matches!(
            reason,
            Reason::Idle
                | Reason::Replaced
                | Reason::Shutdown
                | Reason::Paused
                | Reason::Rebootstrap
        );
        let slot = &mut memory.brokers[broker];
        slot.link = crate::link::LinkId::NONE;
        if failed {
            let failures = slot.failures;
            slot.failures = failures.saturating_add(1);
            if matches!(state, LinkState::Negotiating) {
                slot.negotiation.enter(slot.negotiation.after_failure());
            } else if matches!(state, LinkState::Connecting) {
                slot.negotiation.enter(Negotiation::Newest);
            }
            let (first, max) = (self.config.reconnect_backoff, self.config.reconnect_backoff_max);
            let pause = self.backoff(first, max, u32::from(failures));
            memory.brokers[broker].retry_at = self.now.after(pause);
            self.lose_patience();
            if self.live_first.is_some() {
                self.request_metadata();
            } else {
                // R14: looked at again when something is to be sent.
                self.refresh.done_at = None;
            }
            self.notice(Notice::LinkEnded(Broker { id: broker }, reason));
        }
        if memory.brokers[broker].ready_count > 0 {
            self.want_link(memory, broker);
        }
    }

    /// A link to this broker is needed.
    pub(super) fn want_link(&mut self, memory: &mut Memory<'_>, broker: BrokerId) {
        let slot = &mut memory.brokers[broker];
        if slot.link.is_none() && !slot.wanted {
            slot.wanted = true;
            slot.wanted_at = self.now;
            self.wanted = self.wanted.saturating_add(1);
        }
    }

    /// Whether a link can be opened now.
    pub(super) fn can_connect(&self, memory: &Memory<'_>) -> bool {
        self.links.links.has_room(&memory.links)
            || self.open_links().any(|link| self.is_spare(memory, link))
    }

    /// Whether a link is open and nothing needs it.
    pub(super) fn is_spare(&self, memory: &Memory<'_>, link: LinkId) -> bool {
        let slot = &memory.links[link];
        matches!(slot.state, LinkState::Ready)
            && slot.queued == 0
            && (slot.yielding
                || memory.brokers[slot.broker].ready_count == 0
                    && (!slot.useful || slot.ready_at.after(TURN) <= self.now))
    }

    /// The link that has had its turn first, if none makes way already, and since when.
    pub(super) fn longest_turn(&self, memory: &Memory<'_>) -> Option<(Instant, LinkId)> {
        let mut longest: Option<(Instant, LinkId)> = None;
        for link in self.open_links() {
            let slot = &memory.links[link];
            if slot.yielding || matches!(slot.state, LinkState::Closing(_)) {
                return None;
            }
            let over = slot.ready_at.after(TURN);
            let works = matches!(slot.state, LinkState::Ready) && slot.useful;
            if works && longest.is_none_or(|(other, _)| over < other) {
                longest = Some((over, link));
            }
        }
        longest
    }

    /// From when a broker that waits for a link may have one: at once if there is a free one,
    /// else when another's turn is over.
    pub(super) fn connect_at(&self, memory: &Memory<'_>, broker: BrokerId) -> Option<Instant> {
        let slot = &memory.brokers[broker];
        // Nobody has tried before the pause was over: a table that grows does so then.
        if slot.retry_at > self.now || self.can_connect(memory) {
            return Some(slot.retry_at);
        }
        // A table that grows has grown by then.
        let waited = slot.wanted_at.after(Duration::from_micros(1)).max(slot.retry_at);
        self.longest_turn(memory).map(|(over, _)| over.max(waited))
    }

    /// Lets the link that has had its turn first make way, if its turn is over.
    pub(super) fn yield_longest(&mut self, memory: &mut Memory<'_>) {
        if let Some((over, link)) = self.longest_turn(memory)
            && over <= self.now
        {
            memory.links[link].yielding = true;
            self.yields = true;
        }
    }

    /// Who makes way for nobody, as another link came free before, is used again.
    pub(super) fn stop_yielding(&mut self, memory: &mut Memory<'_>) {
        if self.wanted == 0 && self.missing_leader(memory).is_none() {
            self.yields = false;
            for link in self.open_links() {
                if self.is_open(memory, link) {
                    memory.links[link].yielding = false;
                }
            }
        }
    }

    /// Opens links to the brokers that want one, as far as links go round: who has waited longest
    /// comes first.
    pub(super) fn connect_wanted(&mut self, memory: &mut Memory<'_>) {
        let mut last = (Instant::ZERO, BrokerId::NONE);
        loop {
            let mut next = (Instant::MAX, BrokerId::NONE);
            for broker in self.brokers() {
                let order = (memory.brokers[broker].wanted_at, broker);
                if memory.brokers[broker].wanted && order > last && order < next {
                    next = order;
                }
            }
            let (_, broker) = next;
            if broker.is_none() {
                break;
            }
            last = next;
            let slot = &mut memory.brokers[broker];
            if slot.link.is_some() || slot.ready_count == 0 {
                slot.wanted = false;
                self.wanted = self.wanted.saturating_sub(1);
            } else if slot.retry_at <= self.now {
                self.connect(memory, broker);
            }
        }
    }

    /// Opens a link to a broker. False if no link can be had.
    pub(super) fn connect(&mut self, memory: &mut Memory<'_>, broker: BrokerId) -> bool {
        if !self.has_request(memory) {
            // Its first request would find no slot.
            self.full = Perhaps::Yes(crate::error::Full::Requests);
            return false;
        }
        if !self.links.links.has_room(&memory.links) {
            let spare = self.open_links().find(|link| self.is_spare(memory, *link));
            let Some(spare) = spare else {
                self.full = Perhaps::Yes(crate::error::Full::Links);
                if self.connect_at(memory, broker).is_some_and(|at| at <= self.now) {
                    self.yield_longest(memory);
                }
                return false;
            };
            self.end_link(memory, spare, Reason::Replaced, false);
            // The slot is free once `poll_link` has told the adapter; the next call finds it.
            return false;
        }
        let failures = u32::from(memory.brokers[broker].failures);
        let first = self.config.connection_setup_timeout;
        let setup = self.backoff(first, self.config.connection_setup_timeout_max, failures);
        let deadline = self.now.after(setup);
        let Some(link) = self.links.open(memory, broker, deadline) else { return false };
        self.counters.connections = self.counters.connections.wrapping_add(1);
        let slot = &mut memory.brokers[broker];
        slot.link = link;
        if core::mem::take(&mut slot.wanted) {
            self.wanted = self.wanted.saturating_sub(1);
        }
        true
    }

    /// When the next address may be tried; at once if none is being tried.
    pub(super) fn contact_time(&self, memory: &Memory<'_>) -> Instant {
        let mut trying = false;
        let mut throttled = None;
        for link in self.open_links() {
            let slot = &memory.links[link];
            match slot.state {
                LinkState::Ready if self.takes_any(slot) => return self.now,
                // A link that is only held back by throttling can be used after it.
                LinkState::Ready => {
                    throttled = Some(throttled.unwrap_or(Instant::MAX).min(slot.throttled_until));
                }
                LinkState::Free | LinkState::Closing(_) => {}
                LinkState::Wanted | LinkState::Connecting | LinkState::Negotiating => trying = true,
            }
        }
        if let Some(until) = throttled {
            return if until > self.now { until } else { Instant::MAX };
        }
        if trying && !self.links.links.has_room(&memory.links) {
            return Instant::MAX;
        }
        let next = self.next_contact(memory).map_or(Instant::MAX, |(_, at)| at);
        if trying { next.max(self.contact_at) } else { next }
    }

    /// Whether any request can be sent on a link now.
    fn takes_any(&self, slot: &LinkSlot) -> bool {
        matches!(slot.state, LinkState::Ready)
            && slot.throttled_until <= self.now
            && slot.queued < u8::MAX
    }

    /// A link on which any request can be sent now: the least busy one.
    pub(super) fn any_link(&self, memory: &Memory<'_>) -> Option<LinkId> {
        let mut least = None;
        let mut queued = u8::MAX;
        for link in self.open_links() {
            let slot = &memory.links[link];
            if self.takes_any(slot) && slot.queued < queued {
                queued = slot.queued;
                least = Some(link);
            }
        }
        least
    }

    /// The broker to try next, after the one that was tried last, and when it may be.
    pub(super) fn next_contact(&self, memory: &Memory<'_>) -> Option<(BrokerId, Instant)> {
        let mut next: Option<(BrokerId, Instant)> = None;
        for broker in self.brokers() {
            let slot = &memory.brokers[broker];
            if !slot.used || slot.link.is_some() {
                continue;
            }
            let at = slot.retry_at.max(self.now);
            let better = match next {
                None => true,
                Some((other, earliest)) => {
                    let last = self.contact_last;
                    at < earliest || at == earliest && other <= last && broker > last
                }
            };
            if better {
                next = Some((broker, at));
            }
        }
        next
    }

    /// Tries to reach some broker, as no link can carry what has to be asked.
    pub(super) fn seek_contact(&mut self, memory: &mut Memory<'_>) {
        if self.contact_time(memory) > self.now {
            return;
        }
        let Some((broker, _)) = self.next_contact(memory) else { return };
        if self.connect(memory, broker) {
            self.contact_last = broker;
            self.contact_at = self.now.after(NEXT_CONTACT);
        }
    }
}
