//! Which partitions can be sent from, kept as it changes: nothing ever looks at all of them.
//!
//! ```text
//!                      due, allowed, leader known
//!   waiting for timer ─────────────────────────────► on its broker's ready list
//!        ▲                                                    │ taken into a request
//!        └──────────────── answered, or more records ◄────────┘
//! ```

use super::machine::Machine;
use super::slots::{BatchId, mark};
use crate::cluster::{Course, flag};
use crate::identity::WINDOW;
use crate::link::LinkState;
use crate::memory::{BrokerId, Memory, PartitionId};

impl Machine {
    /// Puts a partition where it belongs: on its broker's ready list, on a timer, or nowhere
    /// until something happens. One that stays on its list keeps its place there, whatever comes
    /// between: metadata again, or more records.
    pub(super) fn evaluate(&mut self, memory: &mut Memory<'_>, partition: PartitionId) {
        if self.is_sendable(memory, partition) {
            self.make_ready(memory, partition);
        } else {
            self.unready(memory, partition);
        }
    }

    /// Whether a partition has something that can be sent now; sets its timer if it will later.
    fn is_sendable(&mut self, memory: &mut Memory<'_>, partition: PartitionId) -> bool {
        let slot = &memory.partitions[partition];
        let recovers = slot.in_flight == 0 && slot.course != Course::Steady;
        if recovers && !Self::awaits_rest(memory, partition) {
            self.recover(memory, partition);
        }
        let slot = &memory.partitions[partition];
        let batch = slot.cursor;
        if batch.is_none() || slot.course.waits() || Self::awaits_rest(memory, partition) {
            self.timers.remove(memory, partition);
            return false;
        }
        let entry = &memory.batches[batch];
        let mut due =
            if entry.may_linger() { entry.created.after(self.config.linger) } else { self.now };
        if slot.backoff_until > self.now && !slot.has(flag::LEADER_CHANGED) {
            due = due.max(slot.backoff_until);
        }
        if due > self.now {
            self.timers.set(memory, partition, due);
            return false;
        }
        self.timers.remove(memory, partition);
        self.may_send(memory, partition, batch) && self.find_leader(memory, partition)
    }

    /// Whether the head is a part that is on its way or was told: its rest goes first, once the event
    /// of this part was taken.
    fn awaits_rest(memory: &Memory<'_>, partition: PartitionId) -> bool {
        let head = &memory.batches[memory.partitions[partition].first];
        head.rest > 0 && head.has(mark::IN_FLIGHT | mark::ANSWERED | mark::FINAL)
    }

    /// Whether the window allows another batch of the partition. R7, R9, R12.
    pub(super) fn may_send(
        &mut self,
        memory: &Memory<'_>,
        partition: PartitionId,
        batch: BatchId,
    ) -> bool {
        let slot = &memory.partitions[partition];
        if memory.batches[batch].has(mark::TORN) && (slot.in_flight > 0 || slot.first != batch) {
            // A part goes alone, as the head: what is behind it would overtake its rest.
            return false;
        }
        let window = slot.sequences.window(self.now);
        if !self.config.idempotence {
            return slot.in_flight < if self.config.ordered { 1 } else { WINDOW };
        }
        if slot.course.probes() {
            return slot.in_flight == 0;
        }
        if memory.batches[batch].is_unresolved() {
            return slot.in_flight < window;
        }
        let used = slot.sequences.identity();
        let idle = slot.sequences.unresolved() == 0 && slot.in_flight == 0;
        match used {
            Some(identity) if self.identity == Some(identity) && !slot.sequences.is_broken() => {
                slot.sequences.unresolved() < window && slot.in_flight < window
            }
            // Nothing of the old identity is open any more: the next one may be taken.
            _ => {
                if idle && used.is_some() && used == self.identity {
                    self.bump_identity();
                }
                idle
            }
        }
    }

    /// Whether the partition has a broker to send to. R11: not before its attempts over another
    /// link have ended.
    fn find_leader(&mut self, memory: &mut Memory<'_>, partition: PartitionId) -> bool {
        if memory.partitions[partition].broker.is_none() {
            let leader = memory.partitions[partition].leader;
            let broker = leader.map_or(BrokerId::NONE, |id| self.find_broker(memory, id));
            if broker.is_none() {
                self.await_leader(memory, partition);
                return false;
            }
            self.set_broker(memory, partition, broker);
        }
        let slot = &memory.partitions[partition];
        slot.in_flight == 0 || memory.brokers[slot.broker].link == slot.link
    }

    fn make_ready(&mut self, memory: &mut Memory<'_>, partition: PartitionId) {
        let slot = &memory.partitions[partition];
        let broker = slot.broker;
        if slot.has(flag::READY) && slot.ready_on == broker {
            self.uncount(memory, partition);
        } else {
            self.unready(memory, partition);
            let slot = &mut memory.partitions[partition];
            slot.ready_on = broker;
            slot.ready_next = PartitionId::NONE;
            let list = &mut memory.brokers[broker];
            slot.ready_previous = core::mem::replace(&mut list.ready_last, partition);
            let before = slot.ready_previous;
            if before.is_none() {
                list.ready_first = partition;
                list.ready_since = self.now;
            } else {
                memory.partitions[before].ready_next = partition;
            }
        }
        let (slot, list) = (&mut memory.partitions[partition], &mut memory.brokers[broker]);
        let entry = &memory.batches[slot.cursor];
        let urgent = !entry.may_linger();
        slot.set(flag::READY);
        slot.ready_bytes = entry.length;
        list.ready_count = list.ready_count.wrapping_add(1);
        list.ready_bytes = list.ready_bytes.wrapping_add(entry.length);
        if urgent {
            slot.set(flag::URGENT);
            list.urgent = list.urgent.wrapping_add(1);
        }
        // Without an id nothing can go out: `poll_timeout` is due now, and then it is asked for.
        if self.config.idempotence && self.identity.is_none() && !self.acquire.question.is_asked() {
            self.acquire.question.need();
        }
        self.want_link(memory, broker);
    }

    /// A partition on a ready list counts no more, nor what it has to send.
    fn uncount(&mut self, memory: &mut Memory<'_>, partition: PartitionId) {
        let slot = &mut memory.partitions[partition];
        let list = &mut memory.brokers[slot.ready_on];
        list.ready_count = list.ready_count.wrapping_sub(1);
        list.ready_bytes = list.ready_bytes.wrapping_sub(slot.ready_bytes);
        if slot.has(flag::URGENT) {
            list.urgent = list.urgent.wrapping_sub(1);
        }
        slot.clear(flag::READY | flag::URGENT);
    }

    /// Takes a partition off its ready list, if it is on one.
    pub(super) fn unready(&mut self, memory: &mut Memory<'_>, partition: PartitionId) {
        if !memory.partitions[partition].has(flag::READY) {
            return;
        }
        self.uncount(memory, partition);
        let slot = &mut memory.partitions[partition];
        let (previous, next) = (slot.ready_previous, slot.ready_next);
        let list = &mut memory.brokers[slot.ready_on];
        if previous.is_none() {
            list.ready_first = next;
        } else {
            memory.partitions[previous].ready_next = next;
        }
        if next.is_none() {
            list.ready_last = previous;
        } else {
            memory.partitions[next].ready_previous = previous;
        }
    }

    /// Whether the I/O task has to be woken for what a record changed. R19.
    pub(super) fn needs_wake(&self, memory: &Memory<'_>, partition: PartitionId) -> bool {
        if self.paused {
            return false;
        }
        let slot = &memory.partitions[partition];
        if slot.has(flag::READY) {
            let link = memory.brokers[slot.ready_on].link;
            let entry = &memory.links[link];
            return link.is_none()
                || matches!(entry.state, LinkState::Ready)
                    && entry.queued < self.config.max_in_flight;
        }
        if slot.heap_place != 0 {
            return self.armed.is_none_or(|armed| slot.wake_at < armed);
        }
        slot.broker.is_none()
    }

    /// The first batch from `batch` on that is still to be sent.
    pub(super) fn seek(memory: &Memory<'_>, mut batch: BatchId) -> BatchId {
        while memory.batches[batch].has(mark::IN_FLIGHT | mark::ANSWERED) {
            batch = memory.batches[batch].next;
        }
        batch
    }
}
