//! Batches come to their end in time: `delivery.timeout.ms`, flush, close. Rules R3, R5, R6.

use super::Phase;
use super::machine::Machine;
use super::outcome::{Cause, Delivery, Doubt, Event, Flush, Outcome, Topic};
use super::resolve::given_up;
use super::slots::{Batch, BatchId, mark};
use crate::cluster::TopicState;
use crate::link::Reason;
use crate::memory::{Memory, TopicId};
use crate::message::ErrorCode;
use crate::time::Instant;

impl Machine {
    /// Gives every batch its outcome that is older than `delivery.timeout.ms`. R3.
    pub(super) fn expire(&mut self, memory: &mut Memory<'_>) {
        loop {
            let batch = self.live_first;
            let created = memory.batches[batch].created;
            if !self.can_give_up(memory) || created.after(self.config.delivery_timeout) > self.now {
                return;
            }
            self.give_up(memory, batch, Cause::Timeout);
        }
    }

    /// Whether the oldest batch can be given up: not while the event of a part of it waits.
    pub(super) fn can_give_up(&self, memory: &Memory<'_>) -> bool {
        let oldest = &memory.batches[self.live_first];
        self.live_first.is_some() && (!oldest.has(mark::FINAL) || oldest.has(mark::TAKEN))
    }

    /// Gives up the oldest batch of all, which is the head of its partition.
    fn give_up(&mut self, memory: &mut Memory<'_>, batch: BatchId, cause: Cause) {
        let partition = memory.batches[batch].partition;
        if memory.batches[batch].has(mark::FINAL) {
            self.give_up_rest(memory, batch, cause);
            return;
        }
        self.apply_proof(memory, partition);
        if memory.batches[batch].has(mark::ANSWERED) {
            self.advance(memory, partition);
            self.evaluate(memory, partition);
            return;
        }
        let slot = &mut memory.batches[batch];
        if slot.has(mark::IN_FLIGHT) {
            // Bytes of it were lent: the broker may have it, whatever earlier attempts proved.
            slot.doubt.keep(Doubt::Unanswered);
        }
        let outcome: Outcome = given_up(slot, cause);
        self.finish(memory, batch, outcome);
        self.advance(memory, partition);
        self.evaluate(memory, partition);
    }

    /// Gives every batch its outcome. R5.
    pub(super) fn give_up_all(&mut self, memory: &mut Memory<'_>, cause: Cause) {
        while self.can_give_up(memory) {
            self.give_up(memory, self.live_first, cause);
        }
    }

    /// Gives everything up that is queued, after an answer with which it cannot be sent. What is
    /// in flight is waited for.
    pub(super) fn fail_all(&mut self, memory: &mut Memory<'_>, code: ErrorCode) {
        let mut batch = self.live_first;
        while batch.is_some() {
            let slot = &mut memory.batches[batch];
            let next = slot.live_next;
            if !slot.has(mark::IN_FLIGHT | mark::ANSWERED) {
                slot.fail(Cause::Code(code));
                let partition = slot.partition;
                self.unready(memory, partition);
                self.timers.remove(memory, partition);
                memory.partitions[partition].cursor = BatchId::NONE;
                self.advance(memory, partition);
            }
            batch = next;
        }
    }

    /// Makes everything that was accepted so far due now. R6: no global mode is set, and no
    /// back-off is passed over.
    pub(crate) fn flush(&mut self, memory: &mut Memory<'_>, now: Instant) -> Flush {
        self.tick(now);
        self.make_all_due(memory, true);
        self.maintain(memory);
        Flush(self.serial)
    }

    /// Whether every batch that was there at a flush has its outcome.
    pub(crate) fn is_flushed(&self, memory: &Memory<'_>, flush: Flush) -> bool {
        self.live_first.is_none() || memory.batches[self.live_first].serial > flush.0
    }

    /// Accepts nothing more, and ends at the deadline at the latest. R5.
    pub(crate) fn close(&mut self, memory: &mut Memory<'_>, now: Instant, deadline: Instant) {
        self.tick(now);
        self.resume(memory, now);
        match self.phase {
            Phase::Closed => return,
            Phase::Closing(earlier) => self.phase.enter(Phase::Closing(earlier.min(deadline))),
            Phase::Unstarted | Phase::Running => self.phase.enter(Phase::Closing(deadline)),
        }
        self.make_all_due(memory, true);
        if deadline <= self.now {
            self.give_up_all(memory, Cause::Closed);
        }
        self.maintain(memory);
    }

    pub(super) fn end_all_links(&mut self, memory: &mut Memory<'_>, reason: Reason) {
        for link in self.open_links() {
            if self.is_open(memory, link) {
                self.end_link(memory, link, reason, false);
            }
        }
    }

    /// Ends every link and opens none before [`Machine::resume`]. What is queued stays.
    pub(crate) fn pause(&mut self, memory: &mut Memory<'_>, now: Instant) {
        self.tick(now);
        if matches!(self.phase, Phase::Running) {
            self.paused = true;
            self.refresh.began = None;
            self.end_all_links(memory, Reason::Paused);
        }
    }

    /// Goes on at once, whatever failed before.
    pub(crate) fn resume(&mut self, memory: &mut Memory<'_>, now: Instant) {
        self.tick(now);
        if !core::mem::take(&mut self.paused) {
            return;
        }
        for broker in self.brokers() {
            let slot = &mut memory.brokers[broker];
            slot.retry_at = slot.retry_at.min(self.now);
        }
        self.refresh.retry_at = self.refresh.retry_at.min(self.now);
        self.acquire.retry_at = self.acquire.retry_at.min(self.now);
        self.maintain(memory);
    }

    /// The next event. Its batch, if it has one, is over for the application.
    pub(crate) fn poll_event(&mut self, memory: &mut Memory<'_>) -> Option<Event> {
        let shown = core::mem::take(&mut self.shown);
        if shown.is_some() {
            memory.batches[shown].set(mark::TAKEN);
            self.release(memory, shown);
        }
        let batch = self.event_first;
        if batch.is_some() {
            return Some(Event::Delivered(self.take_delivery(memory, batch)));
        }
        if let Some(code) = self.fatal
            && !self.fatal_told
        {
            // Not among the notices: it must not make way for one.
            self.fatal_told = true;
            return Some(Event::Fatal(code));
        }
        if let Some(notice) = self.notices.pop_front() {
            return Some(notice.into());
        }
        if self.topic_events > 0
            && let Some(event) = self.topic_event(memory)
        {
            return Some(event);
        }
        if matches!(self.phase, Phase::Closed) && !self.closed_told {
            self.closed_told = true;
            return Some(Event::Closed);
        }
        None
    }

    fn take_delivery(&mut self, memory: &mut Memory<'_>, batch: BatchId) -> Delivery {
        let slot = &mut memory.batches[batch];
        self.event_first = core::mem::take(&mut slot.next_event);
        if self.event_first.is_none() {
            self.event_last = BatchId::NONE;
        }
        let partition = &memory.partitions[slot.partition];
        let delivery = Delivery {
            topic: Topic { id: partition.topic },
            partition: partition.index,
            first: slot.first_number,
            count: slot.count,
            rest: slot.rest,
            batch: Batch { id: batch },
            outcome: slot.outcome().unwrap_or(Outcome::Unacknowledged),
        };
        if slot.has(mark::TEXT) {
            // Its texts can be looked at until the next event is taken.
            self.shown = batch;
        } else {
            slot.set(mark::TAKEN);
            self.release(memory, batch);
        }
        if delivery.rest > 0
            && let Phase::Closing(deadline) = self.phase
            && deadline <= self.now
        {
            self.give_up_all(memory, Cause::Closed);
            self.maintain(memory);
        }
        delivery
    }

    fn topic_event(&mut self, memory: &mut Memory<'_>) -> Option<Event> {
        for number in self.pools.topics.numbers() {
            let topic = TopicId::from_number(number);
            let slot = &mut memory.topics[topic];
            let known = match slot.state {
                TopicState::Unknown => continue,
                TopicState::Known => Ok(slot.partitions),
                TopicState::Failed(code) => Err(code),
            };
            if slot.awaited {
                slot.awaited = false;
                self.topic_events = self.topic_events.saturating_sub(1);
                return Some(Event::Topic(Topic { id: topic }, known));
            }
        }
        self.topic_events = 0;
        None
    }
}
