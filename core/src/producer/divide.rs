//! A batch that the broker finds too large goes in parts.
//!
//! Its parts use its slot, its block and its place in the list one after another, so that nothing
//! can be lacking, and order is kept: the next one is made when the event of the one before was
//! taken. Until then nothing else of the partition is sent.
//!
//! ```text
//!  [ a b c d e f ]  MESSAGE_TOO_LARGE   [ a b c | d e f ]  written, event taken   [ d e f ]
//!    in flight    ───────────────────►    part    rest    ─────────────────────►    part
//! ```

use super::machine::Machine;
use super::outcome::{Cause, Outcome};
use super::slots::{BatchId, BatchSlot, BatchState, Verdict, mark};
use crate::memory::{Memory, Perhaps};
use crate::record::{layout, split};

impl BatchSlot {
    /// The rest takes the place of the part before it.
    fn begin_rest(&mut self) {
        self.first_number = self.first_number.wrapping_add(u64::from(self.count));
        self.sequence = self.sequence.after(self.count);
        self.count = core::mem::take(&mut self.rest);
        self.flags &= mark::RENUMBERED;
        self.verdict = Verdict::Open;
        self.failure = Perhaps::No;
        self.doubt = Perhaps::No;
    }
}

impl Machine {
    /// Takes a batch apart into parts of at most half its size.
    pub(super) fn divide(&mut self, memory: &mut Memory<'_>, batch: BatchId) {
        let slot = &mut memory.batches[batch];
        let (partition, length) = (slot.partition, slot.length);
        let Some(block) = memory.blocks.get_mut(slot.block) else {
            // A writer still holds its bytes: it is refused once more.
            let cause = Cause::Code(slot.code);
            self.retry(memory, batch, cause);
            return;
        };
        let end = if slot.rest == 0 { length } else { slot.rest_at };
        slot.rest_at = split::push_back(block, length, end);
        slot.limit = layout::HEADER.saturating_add(length.saturating_sub(layout::HEADER) / 2);
        slot.count = slot.count.saturating_add(core::mem::take(&mut slot.rest));
        slot.set(mark::TORN);
        slot.attempts = 0;
        self.hold_back(memory, partition);
    }

    /// The event of a part was taken, and nobody holds its bytes: the rest takes its place.
    pub(super) fn next_part(&mut self, memory: &mut Memory<'_>, batch: BatchId) {
        let slot = &mut memory.batches[batch];
        slot.begin_rest();
        slot.length = slot.limit;
        if slot.state != BatchState::Closed {
            // Else its sequences were taken back, and it gets new ones.
            slot.state.enter(BatchState::Assigned);
        }
        slot.attempts = 0;
        slot.set(mark::TORN);
        let partition = slot.partition;
        if let Some(code) = self.fatal {
            slot.fail(Cause::Code(code));
            self.advance(memory, partition);
            return;
        }
        let entry = &mut memory.partitions[partition];
        entry.cursor = batch;
        // What ended the part may end the rest, too. R4.
        if self.apply_proof(memory, partition) {
            self.advance(memory, partition);
        }
        self.evaluate(memory, partition);
    }

    /// A part was given up on its way and told: the rest, of which nothing was sent, is not
    /// written. The request keeps the bytes.
    pub(super) fn give_up_rest(&mut self, memory: &mut Memory<'_>, batch: BatchId, cause: Cause) {
        // Its request is formed, and may not have come to it yet.
        self.seal(memory, batch);
        let slot = &mut memory.batches[batch];
        slot.begin_rest();
        slot.set(mark::IN_FLIGHT);
        self.finish(memory, batch, Outcome::NotWritten(cause));
        // An answer that comes yet is for the part: it says nothing of these sequences.
        memory.batches[batch].identity = None;
        let partition = memory.batches[batch].partition;
        self.advance(memory, partition);
        self.evaluate(memory, partition);
    }

    /// Makes the part that is about to be sent, if it has to be. False if its bytes cannot be
    /// written to yet.
    pub(super) fn make_part(&self, memory: &mut Memory<'_>, batch: BatchId) -> bool {
        let slot = &mut memory.batches[batch];
        if !slot.has(mark::TORN) {
            return true;
        }
        let Some(block) = memory.blocks.get_mut(slot.block) else { return false };
        let part = split::take(block, slot.rest_at, slot.count, slot.limit);
        debug_assert!(part.is_some(), "records that were appended are read");
        let Some(part) = part else { return false };
        slot.clear(mark::TORN);
        slot.rest = slot.count.saturating_sub(part.count);
        slot.rest_at = part.rest;
        slot.count = part.count;
        slot.length = part.end;
        slot.max_timestamp = slot.base_timestamp.saturating_add(part.timestamp_delta);
        if slot.state == BatchState::Sealed {
            slot.state.enter(BatchState::Assigned);
        }
        true
    }
}
