//! Requests are filled and their bytes lent.

use super::machine::Machine;
use super::slots::{BatchId, BatchState, mark};
use crate::cluster::{NO_ID, flag};
use crate::config::Acks;
use crate::identity::WINDOW;
use crate::link::{Cursor, Link, LinkId, LinkState, NO_VERSION, Part, RequestId, Source, topic_of};
use crate::memory::{Memory, PartitionId, Perhaps};
use crate::message::{Api, produce};
use crate::record::{builder, layout};
use crate::time::{Duration, Instant};

/// A piece of output: a range of a block, of the names, or of the scratch buffer.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Lent {
    pub(super) source: Source,
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) sealed: bool,
}

impl Machine {
    /// The next bytes for a link: those after what was lent since the last `consume_output`.
    pub(super) fn output(&mut self, memory: &mut Memory<'_>, link: Link) -> Option<Lent> {
        let link = self.links.resolve(memory, link)?;
        if memory.links[link].lent.request.is_none() && !self.fill(memory, link) {
            return None;
        }
        let mut cursor = memory.links[link].lent;
        let mut sealed = false;
        if cursor.part == Part::Batch {
            sealed = self.seal(memory, cursor.batch());
        }
        let pieces = self.pieces();
        let (length, source) = pieces.part(memory, cursor, &mut self.scratch);
        let lent = Lent { source, from: cursor.offset, to: length, sealed };
        let request = cursor.request;
        pieces.advance(memory, &mut cursor);
        if cursor.request != request {
            memory.requests[request].lent = true;
        }
        memory.links[link].lent = cursor;
        if memory.links[link].deadline.is_none() {
            self.rearm(memory, link);
        }
        Some(lent)
    }

    /// Whether there is something to lend.
    pub(super) fn has_output(&self, memory: &Memory<'_>, link: Link) -> bool {
        let Some(link) = self.links.resolve(memory, link) else { return false };
        let fillable = self.could_fill(memory, link) && self.has_request(memory);
        memory.links[link].lent.request.is_some()
            || fillable && self.hold_until(memory, link).is_none()
    }

    /// `count` bytes of what was lent have been written.
    pub(super) fn consume(&mut self, memory: &mut Memory<'_>, link: Link, count: u32) {
        let Some(link) = self.links.resolve(memory, link) else { return };
        let oldest = memory.links[link].first;
        let waits = memory.requests[oldest].taken;
        let ahead = memory.links[link].ahead;
        memory.links[link].ahead = ahead.saturating_sub(count);
        let mut left = count.saturating_sub(ahead);
        while left > 0 {
            let mut cursor = memory.links[link].taken;
            let request = cursor.request;
            if request.is_none() {
                break;
            }
            let rest = self.rest_of_part(memory, cursor);
            self.count_sent(memory, cursor, left.min(rest));
            if left < rest {
                memory.links[link].taken.offset = cursor.offset.saturating_add(left);
                break;
            }
            left = left.saturating_sub(rest);
            self.pieces().advance(memory, &mut cursor);
            memory.links[link].taken = cursor;
            if cursor.request != request {
                memory.requests[request].taken = true;
                self.request_taken(memory, request);
            }
        }
        let slot = &mut memory.links[link];
        if slot.ahead == 0 {
            slot.lent = slot.taken;
        }
        if waits && slot.first == oldest {
            // The oldest request is written: what goes out behind it gives it no more time. R13.
            slot.active_at = self.now;
        } else {
            self.rearm(memory, link);
        }
        self.maintain(memory);
    }

    fn count_sent(&mut self, memory: &Memory<'_>, cursor: Cursor, bytes: u32) {
        let api = memory.requests[cursor.request].api;
        let again = api == Api::Produce && memory.batches[cursor.batch()].attempts > 1;
        self.counters.sent.add(api, again, bytes);
    }

    fn rest_of_part(&self, memory: &Memory<'_>, cursor: Cursor) -> u32 {
        let mut scratch = [0; crate::link::SCRATCH];
        let (length, _) = self.pieces().part(memory, cursor, &mut scratch);
        length.saturating_sub(cursor.offset)
    }

    /// A request is about to leave its link's queue: the cursors move on. What was not taken of
    /// it yet will be, and is then passed over.
    pub(super) fn pass_request(&mut self, memory: &mut Memory<'_>, request: RequestId) {
        let link = memory.requests[request].link;
        let mut cursor = memory.links[link].taken;
        if cursor.request != request {
            return;
        }
        let mut ahead = 0_u32;
        while cursor.request == request {
            let rest = self.rest_of_part(memory, cursor);
            self.count_sent(memory, cursor, rest);
            ahead = ahead.saturating_add(rest);
            self.pieces().advance(memory, &mut cursor);
        }
        let slot = &mut memory.links[link];
        slot.ahead = slot.ahead.saturating_add(ahead);
        slot.taken = cursor;
    }

    /// The last byte of a request was taken. With `acks=0` no answer comes. R6.
    fn request_taken(&mut self, memory: &mut Memory<'_>, request: RequestId) {
        if memory.requests[request].api == Api::Produce && self.config.acks == Acks::None {
            self.finish_unacknowledged(memory, request);
        }
    }

    pub(super) fn rearm(&self, memory: &mut Memory<'_>, link: LinkId) {
        crate::link::Links::rearm(memory, link, self.now, self.config.request_timeout);
    }

    /// When a link that could be sent on, but waits for more, has waited long enough. R21.
    pub(super) fn hold_until(&self, memory: &Memory<'_>, link: LinkId) -> Option<Instant> {
        let slot = &memory.links[link];
        let list = &memory.brokers[slot.broker];
        let mut at = slot.throttled_until;
        let enough = self.config.max_request_size / 5;
        if slot.queued >= 2 && list.urgent == 0 && list.ready_bytes < enough {
            at = at.max(list.ready_since.after(self.config.linger));
        }
        if at > self.now { Some(at) } else { None }
    }

    /// Whether a Produce request could be filled for the link, but for waiting for more.
    pub(super) fn could_fill(&self, memory: &Memory<'_>, link: LinkId) -> bool {
        let slot = &memory.links[link];
        matches!(slot.state, LinkState::Ready)
            && !slot.yielding
            && slot.queued < self.config.max_in_flight
            && memory.brokers[slot.broker].ready_first.is_some()
            && (self.identity.is_some() || !self.config.idempotence)
    }

    /// Fills a Produce request with all ready partitions of the link's broker, up to
    /// `max.request.size`, in turn.
    fn fill(&mut self, memory: &mut Memory<'_>, link: LinkId) -> bool {
        if !self.could_fill(memory, link) {
            return false;
        }
        if self.hold_until(memory, link).is_some() {
            return false;
        }
        let version = memory.links[link].version(Api::Produce);
        if version == NO_VERSION {
            return false;
        }
        let mut version = i16::from(version);
        let Some(request) = self.links.push(memory, link, Api::Produce, version) else {
            self.full = Perhaps::Yes(crate::error::Full::Requests);
            return false;
        };
        self.gathering = self.gathering.wrapping_add(1).max(1);
        self.check_metadata_age();
        let broker = memory.links[link].broker;
        let mut room = self.config.max_request_size;
        let mut last = BatchId::NONE;
        for _ in 0..memory.brokers[broker].ready_count {
            let partition = memory.brokers[broker].ready_first;
            let batch = memory.partitions[partition].cursor;
            if !self.may_send(memory, partition, batch) {
                // What allowed it has changed while it waited: another epoch, a lapsed window.
                self.evaluate(memory, partition);
                continue;
            }
            if !self.make_part(memory, batch) {
                self.wait_for_writer(memory, partition);
                continue;
            }
            let length = memory.batches[batch].length;
            if length > room && last.is_some() {
                break;
            }
            room = room.saturating_sub(length);
            if !self.assign(memory, partition, batch) {
                self.wait_for_writer(memory, partition);
                continue;
            }
            self.unready(memory, partition);
            self.attach(memory, request, partition, batch, &mut last);
            if memory.topics[topic_of(memory, batch)].id == NO_ID {
                // Its id was told by no broker yet: old ones, of a cluster that is being
                // upgraded, have none.
                version = version.min(produce::BY_ID - 1);
            }
            self.evaluate(memory, partition);
        }
        memory.requests[request].version = version;
        if last.is_none() {
            // Nothing of it was lent: as if it had never been.
            let slot = &mut memory.links[link];
            slot.lent = Cursor::NONE;
            if slot.taken.request == request {
                slot.taken = Cursor::NONE;
            }
            self.links.remove(memory, request);
            return false;
        }
        self.measure_last(memory, link);
        memory.brokers[broker].served_at = self.now;
        self.counters.requests = self.counters.requests.wrapping_add(1);
        true
    }

    /// A writer still holds a batch's bytes: another moment.
    fn wait_for_writer(&mut self, memory: &mut Memory<'_>, partition: PartitionId) {
        self.unready(memory, partition);
        self.timers.set(memory, partition, self.now.after(Duration::from_millis(1)));
    }

    /// Gives a batch its identity and sequence, if it has none. False if its bytes cannot be
    /// written to yet.
    fn assign(&mut self, memory: &mut Memory<'_>, partition: PartitionId, batch: BatchId) -> bool {
        let slot = &mut memory.batches[batch];
        if slot.is_unresolved() {
            return true;
        }
        // What a part leaves is still behind it.
        let bytes = if slot.rest > 0 { u32::MAX } else { slot.length };
        if !memory.blocks.settle(slot.block, bytes) {
            return false;
        }
        let sequences = &mut memory.partitions[partition].sequences;
        if self.config.idempotence {
            if let Some(identity) = self.identity
                && sequences.identity() != Some(identity)
            {
                sequences.adopt(identity);
            }
            slot.identity = sequences.identity();
            slot.sequence = sequences.assign(slot.count.saturating_add(slot.rest));
        }
        slot.state.enter(BatchState::Assigned);
        true
    }

    /// Adds a batch to a request, beside those of the same topic.
    fn attach(
        &mut self,
        memory: &mut Memory<'_>,
        request: RequestId,
        partition: PartitionId,
        batch: BatchId,
        last: &mut BatchId,
    ) {
        let proves = memory.partitions[partition].sequences.window(self.now) == WINDOW
            || memory.partitions[partition].course.probes();
        let slot = &mut memory.batches[batch];
        slot.set(mark::IN_FLIGHT);
        slot.clear(mark::PROVES);
        if proves {
            slot.set(mark::PROVES);
        }
        slot.request = request;
        slot.attempts = slot.attempts.saturating_add(1);
        let next = slot.next;
        self.counters.batches = self.counters.batches.wrapping_add(1);
        self.counters.batch_bytes = self.counters.batch_bytes.wrapping_add(u64::from(slot.length));
        let topic = memory.partitions[partition].topic;
        let known = &mut memory.topics[topic];
        let before = if known.gathered_for == self.gathering {
            core::mem::replace(&mut known.gathered_last, batch)
        } else {
            known.gathered_for = self.gathering;
            known.gathered_last = batch;
            memory.requests[request].topics = memory.requests[request].topics.saturating_add(1);
            *last
        };
        let after = if before.is_none() {
            core::mem::replace(&mut memory.requests[request].batches, batch)
        } else {
            core::mem::replace(&mut memory.batches[before].in_request, batch)
        };
        memory.batches[batch].in_request = after;
        if after.is_none() {
            *last = batch;
        }
        let link = memory.requests[request].link;
        let probing = memory.partitions[partition].course.probes();
        let cursor = if probing { BatchId::NONE } else { Self::seek(memory, next) };
        let entry = &mut memory.partitions[partition];
        entry.in_flight = entry.in_flight.saturating_add(1);
        entry.link = link;
        entry.clear(flag::LEADER_CHANGED);
        entry.cursor = cursor;
    }

    /// Writes header and checksum of a batch that is about to be lent for the first time. True
    /// if it did.
    pub(super) fn seal(&mut self, memory: &mut Memory<'_>, batch: BatchId) -> bool {
        let slot = &mut memory.batches[batch];
        if slot.state != BatchState::Assigned {
            return false;
        }
        let (id, epoch, sequence) = match slot.identity {
            Some(identity) => (identity.id, identity.epoch, slot.sequence.get()),
            None => (-1, -1, -1),
        };
        let header = builder::Seal {
            attributes: 0,
            count: slot.count,
            base_timestamp: slot.base_timestamp,
            max_timestamp: slot.max_timestamp,
            producer_id: id,
            producer_epoch: epoch,
            base_sequence: sequence,
        };
        slot.state.enter(BatchState::Sealed);
        let length = slot.length.max(layout::HEADER) as usize;
        let bytes = memory.blocks.get_mut(slot.block).and_then(|block| block.get_mut(..length));
        debug_assert!(bytes.is_some(), "checked when the identity was assigned");
        if let Some(bytes) = bytes {
            builder::seal(bytes, &header);
        }
        true
    }
}
