//! What an attempt's end means for its batch, and a batch's for its partition. Rules R1 to R4,
//! R7 to R9 and R12 live here.
//!
//! ```text
//!            answered 0, 46                     head of its partition
//!  in flight ───────────────► answered ────────────────────────────────► final: written
//!     │  ▲                       ▲  │ failure                            final: not written
//!     │  │ sent again            │  └──────────────────────────────────► final: unknown
//!     ▼  │                       │
//!   refused (R1), or maybe (R2) ─┘ not retriable, retries used up, state lost
//! ```

use super::machine::Machine;
use super::outcome::{Cause, Doubt, Outcome};
use super::slots::{BatchId, BatchSlot, BatchState, Verdict, mark};
use crate::config::Acks;
use crate::memory::{Memory, PartitionId, Perhaps};
use crate::message::ErrorCode;

/// How an attempt ended.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// By an answer, which stands in the slot.
    Answered,
    /// Without one, though the broker may have it.
    Lost(Doubt),
    /// Its last byte was never lent: the broker cannot have it. R1 (a).
    Unsent,
    /// By being written, with `acks=0`.
    Unacknowledged,
}

impl Machine {
    /// An attempt has ended.
    pub(super) fn settle(&mut self, memory: &mut Memory<'_>, batch: BatchId, end: End) {
        let slot = &mut memory.batches[batch];
        slot.clear(mark::IN_FLIGHT);
        slot.request = crate::memory::RequestId::NONE;
        let partition = slot.partition;
        let entry = &mut memory.partitions[partition];
        entry.in_flight = entry.in_flight.saturating_sub(1);
        if slot.has(mark::FINAL) {
            self.settle_late(memory, batch, end);
        } else {
            match end {
                End::Answered => self.settle_answer(memory, batch),
                End::Lost(doubt) => {
                    self.doubt(memory, batch, doubt);
                    self.retry(memory, batch, Cause::Disconnected);
                }
                End::Unsent => {
                    let slot = &mut memory.batches[batch];
                    slot.attempts = slot.attempts.saturating_sub(1);
                    self.hold_back(memory, partition);
                }
                End::Unacknowledged => {
                    memory.batches[batch].set(mark::ANSWERED);
                }
            }
            self.advance(memory, partition);
        }
        self.evaluate(memory, partition);
    }

    /// The user was told already; the answer only mends sequences. R3.
    fn settle_late(&mut self, memory: &mut Memory<'_>, batch: BatchId, end: End) {
        let slot = &memory.batches[batch];
        let partition = slot.partition;
        let entry = &mut memory.partitions[partition];
        let written = end == End::Answered && is_written(slot.code);
        if slot.identity.is_some() && slot.identity == entry.sequences.identity() {
            if written {
                entry.sequences.succeeded(slot.sequence.after(slot.count), self.now);
            } else {
                entry.sequences.doubt();
            }
        }
        self.release(memory, batch);
    }

    fn settle_answer(&mut self, memory: &mut Memory<'_>, batch: BatchId) {
        let slot = &mut memory.batches[batch];
        let (partition, code) = (slot.partition, slot.code);
        if is_written(code) {
            if code == ErrorCode::DUPLICATE_SEQUENCE_NUMBER {
                slot.found();
            } else {
                slot.set(mark::ANSWERED);
                slot.failure = Perhaps::No;
            }
            let entry = &mut memory.partitions[partition];
            if slot.identity.is_some() && slot.identity == entry.sequences.identity() {
                entry.sequences.succeeded(slot.sequence.after(slot.count), self.now);
            }
            if entry.course.is_lost() {
                // The broker has found its place again, at this batch.
                entry.course.find();
                self.forget_denials(memory, partition);
            }
            return;
        }
        if code.needs_refresh() {
            self.request_metadata();
        }
        let slot = &mut memory.batches[batch];
        if self.is_lost_place(slot) {
            self.lost_place(memory, batch);
            return;
        }
        if slot.is_divisible() {
            self.divide(memory, batch);
            return;
        }
        if !code.proves_refusal(self.config.acks == Acks::Leader) {
            self.doubt(memory, batch, Doubt::Code(code));
        }
        if code.is_fatal() && self.config.idempotence {
            self.fatal = Some(code);
        }
        if code.is_retriable() || self.is_replay(&memory.batches[batch]) {
            self.retry(memory, batch, Cause::Code(code));
        } else {
            self.hold_back(memory, partition);
            self.fail_in_turn(memory, batch, Cause::Code(code));
        }
    }

    /// Whether the answer says that the broker does not expect this sequence: 45, what old
    /// brokers answer for it, or 47 for a batch that was given a new epoch. R8.
    pub(super) fn is_lost_place(&self, slot: &BatchSlot) -> bool {
        let says_so = match slot.code {
            ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER => true,
            ErrorCode::UNKNOWN_PRODUCER_ID => !slot.has(mark::NO_LOG_START),
            ErrorCode::INVALID_PRODUCER_EPOCH => slot.has(mark::RENUMBERED),
            _ => false,
        };
        self.config.idempotence && says_so
    }

    /// Whether the broker asks to try again as it is: 59 without a log start.
    pub(super) fn is_replay(&self, slot: &BatchSlot) -> bool {
        self.config.idempotence
            && slot.code == ErrorCode::UNKNOWN_PRODUCER_ID
            && slot.has(mark::NO_LOG_START)
    }

    fn lost_place(&mut self, memory: &mut Memory<'_>, batch: BatchId) {
        let partition = memory.batches[batch].partition;
        self.hold_back(memory, partition);
        let slot = &mut memory.batches[batch];
        if slot.has(mark::IMPLIED) {
            // The broker has forgotten where.
            slot.found();
            return;
        }
        let entry = &mut memory.partitions[partition];
        if entry.first == batch || entry.course.probes() {
            entry.course.lose();
            slot.set(mark::DENIED);
            if slot.failure.get().is_some() {
                // Its failure was decided before it was asked for: it fails as it would have.
                slot.set(mark::ANSWERED);
            }
        }
        // Otherwise an earlier batch is missing, which explains the answer: it is sent again in
        // its turn.
    }

    /// An attempt ended without a proof of refusal. R2.
    fn doubt(&mut self, memory: &mut Memory<'_>, batch: BatchId, doubt: Doubt) {
        let slot = &mut memory.batches[batch];
        slot.set(mark::MAYBE);
        slot.doubt.keep(doubt);
    }

    /// After an error: window one, and nothing more until everything in flight has ended. R7,
    /// R12.
    pub(super) fn hold_back(&mut self, memory: &mut Memory<'_>, partition: PartitionId) {
        let entry = &mut memory.partitions[partition];
        entry.sequences.doubt();
        entry.course.hold();
    }

    /// Sends a batch again later, or gives it up if `retries` is used up.
    pub(super) fn retry(&mut self, memory: &mut Memory<'_>, batch: BatchId, cause: Cause) {
        let slot = &memory.batches[batch];
        let (partition, attempts) = (slot.partition, slot.attempts);
        self.hold_back(memory, partition);
        self.counters.retries = self.counters.retries.wrapping_add(1);
        if attempts > self.config.retries {
            self.fail_in_turn(memory, batch, cause);
            return;
        }
        let pause = self.retry_backoff(attempts.saturating_sub(1));
        let entry = &mut memory.partitions[partition];
        entry.backoff_until = entry.backoff_until.max(self.now.after(pause));
    }

    /// Decides that a batch fails, when its turn comes.
    fn fail_in_turn(&mut self, memory: &mut Memory<'_>, batch: BatchId, cause: Cause) {
        let slot = &mut memory.batches[batch];
        if memory.partitions[slot.partition].course.probes() {
            // It was asked for, and nothing more will be known.
            slot.set(mark::DENIED);
        }
        if slot.has(mark::IMPLIED) {
            slot.found();
        } else {
            slot.fail(cause);
        }
    }

    /// Completes batches from the head on, as far as they are answered. R12.
    pub(super) fn advance(&mut self, memory: &mut Memory<'_>, partition: PartitionId) {
        loop {
            let head = memory.partitions[partition].first;
            let slot = &memory.batches[head];
            if !slot.has(mark::ANSWERED) || slot.has(mark::FINAL) {
                return;
            }
            let outcome = match slot.failure.get() {
                Some(cause) => given_up(slot, cause),
                None if self.config.acks == Acks::None => Outcome::Unacknowledged,
                None => {
                    Outcome::Written { base_offset: slot.offset, append_time: slot.append_time }
                }
            };
            self.finish(memory, head, outcome);
        }
    }

    /// Gives the head of a partition its outcome.
    pub(super) fn finish(&mut self, memory: &mut Memory<'_>, batch: BatchId, outcome: Outcome) {
        let slot = &mut memory.batches[batch];
        debug_assert!(!slot.has(mark::FINAL), "a second outcome");
        slot.decide(outcome);
        let (partition, next, identity) = (slot.partition, slot.next, slot.identity);
        let over = slot.rest == 0;
        let entry = &mut memory.partitions[partition];
        debug_assert!(entry.first == batch, "only the head completes");
        if over {
            entry.first = next;
            if next.is_none() {
                entry.last = BatchId::NONE;
            }
            if entry.cursor == batch {
                memory.partitions[partition].cursor = Self::seek(memory, next);
            }
        }
        let entry = &mut memory.partitions[partition];
        if identity.is_some() && identity == entry.sequences.identity() {
            if over {
                entry.sequences.resolved();
            }
            if matches!(outcome, Outcome::NotWritten(_) | Outcome::Unknown(..)) {
                entry.sequences.give_up();
            }
        }
        self.conclude(memory, batch);
    }

    /// A batch that has its outcome, and stands in its partition's list no more, is counted and
    /// told.
    pub(super) fn conclude(&mut self, memory: &mut Memory<'_>, batch: BatchId) {
        let slot = &memory.batches[batch];
        let (previous, following) = (slot.live_previous, slot.live_next);
        let count = u64::from(slot.count);
        let counter = match slot.verdict {
            Verdict::NotWritten => &mut self.counters.not_written,
            Verdict::Unknown => &mut self.counters.unknown,
            _ => &mut self.counters.written,
        };
        *counter = counter.wrapping_add(count);
        if slot.rest == 0 {
            if previous.is_some() {
                memory.batches[previous].live_next = following;
            } else {
                self.live_first = following;
            }
            if following.is_some() {
                memory.batches[following].live_previous = previous;
            } else {
                self.live_last = previous;
            }
        }
        let before = core::mem::replace(&mut self.event_last, batch);
        if before.is_some() {
            memory.batches[before].next_event = batch;
        } else {
            self.event_first = batch;
        }
        self.release(memory, batch);
    }

    /// Gives back what a finished batch does not need any more: its bytes once no request has
    /// them, its slot once its event was taken, too.
    pub(super) fn release(&mut self, memory: &mut Memory<'_>, batch: BatchId) {
        let slot = &mut memory.batches[batch];
        if !slot.has(mark::FINAL) || slot.has(mark::IN_FLIGHT) {
            return;
        }
        let taken = slot.has(mark::TAKEN);
        if slot.rest > 0 {
            if taken {
                self.next_part(memory, batch);
            }
            return;
        }
        if slot.block.is_some() && (taken || !slot.has(mark::TEXT)) {
            memory.blocks.free(core::mem::take(&mut slot.block));
        }
        if taken {
            let partition = slot.partition;
            slot.state.enter(BatchState::Free);
            self.batches.give(&mut memory.batches, batch.number());
            let entry = &mut memory.partitions[partition];
            entry.batches = entry.batches.saturating_sub(1);
        }
    }

    /// Nothing of a partition that had an error is in flight any more: what was proven counts,
    /// then its place is found again (R8), or its head is sent again (R12).
    pub(super) fn recover(&mut self, memory: &mut Memory<'_>, partition: PartitionId) {
        if self.apply_proof(memory, partition) {
            memory.partitions[partition].course.find();
            self.advance(memory, partition);
        }
        if memory.partitions[partition].course.is_lost() {
            let probe = self.next_probe(memory, partition);
            if probe.is_some() {
                let entry = &mut memory.partitions[partition];
                entry.course.probe();
                entry.cursor = probe;
                memory.batches[probe].clear(mark::ANSWERED);
                return;
            }
            self.renumber(memory, partition);
            self.advance(memory, partition);
        }
        let first = memory.partitions[partition].first;
        let cursor = Self::seek(memory, first);
        let entry = &mut memory.partitions[partition];
        entry.course.end();
        entry.cursor = cursor;
    }

    /// R4: the success of a batch that was sent inside an opened window, or as a probe, proves
    /// that earlier ones which may be in the log are there, and that those which were refused
    /// can never be, without breaking the order. True if it proved anything.
    pub(super) fn apply_proof(&mut self, memory: &mut Memory<'_>, partition: PartitionId) -> bool {
        let mut proof = BatchId::NONE;
        let mut batch = memory.partitions[partition].first;
        while batch.is_some() {
            let slot = &memory.batches[batch];
            if slot.has(mark::ANSWERED) && slot.has(mark::PROVES) && slot.failure.get().is_none() {
                proof = batch;
            }
            batch = slot.next;
        }
        if proof.is_none() {
            return false;
        }
        let identity = memory.batches[proof].identity;
        let mut batch = memory.partitions[partition].first;
        while batch != proof && batch.is_some() {
            let slot = &mut memory.batches[batch];
            let decided = slot.has(mark::ANSWERED);
            if identity.is_none() || slot.identity != identity || slot.has(mark::IN_FLIGHT) {
                // Not proven, or its own answer is still to come.
            } else if decided && slot.failure.get().is_some() && slot.has(mark::MAYBE) {
                // It failed for good, and is in the log all the same.
                slot.found();
            } else if !decided {
                if slot.has(mark::MAYBE) {
                    slot.set(mark::IMPLIED);
                } else {
                    slot.fail(Cause::StateLost);
                }
            }
            batch = memory.batches[batch].next;
        }
        true
    }

    fn forget_denials(&self, memory: &mut Memory<'_>, partition: PartitionId) {
        let mut batch = memory.partitions[partition].first;
        while batch.is_some() {
            let slot = &mut memory.batches[batch];
            slot.clear(mark::DENIED);
            batch = slot.next;
        }
    }

    /// The newest batch that may be in the log and was not denied yet. R8. Also one whose failure
    /// is decided and waits for its turn: what is before it must not get behind it.
    fn next_probe(&self, memory: &Memory<'_>, partition: PartitionId) -> BatchId {
        let mut probe = BatchId::NONE;
        let identity = memory.partitions[partition].sequences.identity();
        let mut batch = memory.partitions[partition].first;
        while batch.is_some() {
            let slot = &memory.batches[batch];
            let written = slot.has(mark::ANSWERED) && slot.failure.get().is_none();
            let open = slot.is_unresolved() && !written && !slot.has(mark::DENIED);
            if open && slot.has(mark::MAYBE) && slot.identity == identity {
                probe = batch;
            }
            batch = slot.next;
        }
        probe
    }

    /// R8, R9: the broker has lost its place and everything that may be in the log was asked
    /// for. That is unknown now; what was refused goes out again under the next epoch.
    fn renumber(&mut self, memory: &mut Memory<'_>, partition: PartitionId) {
        let mut batch = memory.partitions[partition].first;
        while batch.is_some() {
            let slot = &mut memory.batches[batch];
            if slot.is_unresolved() && !slot.has(mark::ANSWERED) {
                let unknown = slot.has(mark::MAYBE) && !self.config.resend_after_state_loss;
                if unknown {
                    slot.fail(Cause::StateLost);
                }
                if !unknown || slot.rest > 0 {
                    // Of a part that fails, the rest: it was never sent.
                    slot.state.enter(BatchState::Closed);
                    slot.identity = None;
                    slot.set(mark::RENUMBERED);
                }
            }
            slot.clear(mark::DENIED);
            batch = slot.next;
        }
        let sequences = &mut memory.partitions[partition].sequences;
        let used = sequences.identity();
        sequences.withdraw();
        if used.is_some() && used == self.identity {
            self.bump_identity();
        }
    }
}

/// 0 and 46 say that the batch is in the log.
fn is_written(code: ErrorCode) -> bool {
    code.is_success() || code == ErrorCode::DUPLICATE_SEQUENCE_NUMBER
}

/// What is true of a batch that is given up. R2, R4.
pub(super) fn given_up(slot: &BatchSlot, cause: Cause) -> Outcome {
    if slot.has(mark::IMPLIED) {
        return Outcome::Written { base_offset: -1, append_time: -1 };
    }
    match slot.doubt.get() {
        Some(doubt) => Outcome::Unknown(cause, doubt),
        None => Outcome::NotWritten(cause),
    }
}
