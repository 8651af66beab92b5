//! The slot of a batch.

use super::outcome::{Cause, Doubt, Outcome};
use crate::identity::{Identity, Sequence};
use crate::memory::{BlockId, PartitionId, Perhaps, RequestId, id};
use crate::message::ErrorCode;
use crate::states::changes;
use crate::time::Instant;

id! {
    /// Number of a batch.
    BatchId of BatchSlot
}

/// A batch as the adapter knows it, for tables beside the core's: the event of its outcome
/// names it, and then it is over.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Batch {
    pub(crate) id: BatchId,
}

impl Batch {
    /// Place of the batch in its table, from 0. The place is another batch's only after the
    /// event of this one was taken.
    #[must_use]
    pub const fn index(self) -> usize {
        self.id.index()
    }
}

/// States of a batch, before its outcome.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) enum BatchState {
    #[default]
    Free,
    /// Accepts records.
    Open,
    /// Full, or due; has no sequence.
    Closed,
    /// Has its identity, which is not in its header yet.
    Assigned,
    /// Header and checksum are written; the bytes do not change any more.
    Sealed,
}

changes! { BatchState {
    Free -> Open: "a first record";
    Open -> Closed: "full, or made due";
    Open -> Assigned: "due: put into a request";
    Closed -> Assigned: "put into a request";
    Assigned -> Sealed: "first lent";
    Sealed -> Assigned: "its next part is made (R2)";
    Assigned -> Assigned: "its next part follows one that was never lent";
    Assigned -> Closed: "to be numbered anew (R8, R9)";
    Sealed -> Closed: "to be numbered anew (R8, R9)";
    Open -> Free: "its outcome was taken";
    Closed -> Free: "its outcome was taken";
    Assigned -> Free: "its outcome was taken";
    Sealed -> Free: "its outcome was taken, and no request has it";
} }

/// Which outcome a batch has; the rest of it stands in other fields of its slot.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Verdict {
    #[default]
    Open,
    Written,
    Unacknowledged,
    NotWritten,
    Unknown,
}

/// Bits of [`BatchSlot::flags`].
pub(crate) mod mark {
    /// An attempt ended without a proof that it was refused. R2.
    pub(crate) const MAYBE: u16 = 1;
    /// Part of a request that is not answered.
    pub(crate) const IN_FLIGHT: u16 = 2;
    /// The broker's answer is here, and waits for its turn. R12.
    pub(crate) const ANSWERED: u16 = 4;
    /// A later batch proved that it is in the log; only its offset is not known. R4.
    pub(crate) const IMPLIED: u16 = 8;
    /// Sent while the window was open: its success proves earlier batches. R4.
    pub(crate) const PROVES: u16 = 16;
    /// Answered 45 since the partition lost its place. R8.
    pub(crate) const DENIED: u16 = 32;
    /// The outcome is decided.
    pub(crate) const FINAL: u16 = 64;
    /// The event of the outcome was taken.
    pub(crate) const TAKEN: u16 = 128;
    /// It was given new sequences after a bump.
    pub(crate) const RENUMBERED: u16 = 256;
    /// The broker's texts stand in its block.
    pub(crate) const TEXT: u16 = 512;
    /// The broker's answer was read; it counts when the whole answer was, or the link ended.
    pub(crate) const HEARD: u16 = 1_024;
    /// The log start that came with its answer was -1.
    pub(crate) const NO_LOG_START: u16 = 2_048;
    /// It is sent in parts, and the next one has not been made of its records yet.
    pub(crate) const TORN: u16 = 4_096;
    /// It does not wait for more records, though it may be open. R16.
    pub(crate) const DUE: u16 = 8_192;
}

/// A batch from its first record until its outcome was taken and nobody needs its bytes.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct BatchSlot {
    pub(crate) state: BatchState,
    pub(crate) flags: u16,
    /// The highest class of its records.
    pub(crate) class: u8,
    /// Records of it that come after the part that is sent now, and where they stand.
    pub(crate) rest: u32,
    pub(crate) rest_at: u32,
    pub(crate) partition: PartitionId,
    /// The next batch of its partition.
    pub(crate) next: BatchId,
    /// Neighbours among all batches without an outcome, oldest first.
    pub(crate) live_previous: BatchId,
    pub(crate) live_next: BatchId,
    /// The next batch of its request.
    pub(crate) in_request: BatchId,
    pub(crate) request: RequestId,
    /// The next batch whose event waits.
    pub(crate) next_event: BatchId,
    pub(crate) block: BlockId,
    /// Bytes written, the header included; later the bytes of the broker's texts.
    pub(crate) length: u32,
    /// Bytes up to which records are taken; later those of a part, or of the broker's texts.
    pub(crate) limit: u32,
    pub(crate) count: u32,
    /// Number of its first record in its partition. R20.
    pub(crate) first_number: u64,
    /// Order of creation over all partitions.
    pub(crate) serial: u64,
    pub(crate) created: Instant,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) identity: Option<Identity>,
    pub(crate) sequence: Sequence,
    pub(crate) attempts: u32,
    /// The last answer.
    pub(crate) code: ErrorCode,
    pub(crate) offset: i64,
    pub(crate) append_time: i64,
    /// Why it may be in the log.
    pub(crate) doubt: Perhaps<Doubt>,
    pub(crate) verdict: Verdict,
    /// The cause with which it fails when its turn comes; none: the answer was a success.
    pub(crate) failure: Perhaps<Cause>,
}

impl BatchSlot {
    pub(crate) const EMPTY: Self = Self {
        state: BatchState::Free,
        flags: 0,
        class: 0,
        rest: 0,
        rest_at: 0,
        partition: PartitionId::NONE,
        next: BatchId::NONE,
        live_previous: BatchId::NONE,
        live_next: BatchId::NONE,
        in_request: BatchId::NONE,
        request: RequestId::NONE,
        next_event: BatchId::NONE,
        block: BlockId::NONE,
        length: 0,
        limit: 0,
        count: 0,
        first_number: 0,
        serial: 0,
        created: Instant::ZERO,
        base_timestamp: 0,
        max_timestamp: 0,
        identity: None,
        sequence: Sequence::ZERO,
        attempts: 0,
        code: ErrorCode::NONE,
        offset: 0,
        append_time: 0,
        doubt: Perhaps::No,
        verdict: Verdict::Open,
        failure: Perhaps::No,
    };

    /// Decides the outcome.
    pub(crate) const fn decide(&mut self, outcome: Outcome) {
        self.set(mark::FINAL);
        self.verdict = match outcome {
            Outcome::Written { base_offset, append_time } => {
                self.offset = base_offset;
                self.append_time = append_time;
                Verdict::Written
            }
            Outcome::Unacknowledged => Verdict::Unacknowledged,
            Outcome::NotWritten(cause) => {
                self.failure = Perhaps::Yes(cause);
                Verdict::NotWritten
            }
            Outcome::Unknown(cause, doubt) => {
                self.failure = Perhaps::Yes(cause);
                self.doubt = Perhaps::Yes(doubt);
                Verdict::Unknown
            }
        };
    }

    /// The outcome, once it is decided.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        match (self.verdict, self.failure.get(), self.doubt.get()) {
            (Verdict::Written, _, _) => {
                let (base_offset, append_time) = (self.offset, self.append_time);
                Some(Outcome::Written { base_offset, append_time })
            }
            (Verdict::Unacknowledged, _, _) => Some(Outcome::Unacknowledged),
            (Verdict::NotWritten, Some(cause), _) => Some(Outcome::NotWritten(cause)),
            (Verdict::Unknown, Some(cause), Some(doubt)) => Some(Outcome::Unknown(cause, doubt)),
            _ => None,
        }
    }

    pub(crate) const fn has(&self, mark: u16) -> bool {
        self.flags & mark != 0
    }

    pub(crate) const fn set(&mut self, mark: u16) {
        self.flags |= mark;
    }

    pub(crate) const fn clear(&mut self, mark: u16) {
        self.flags &= !mark;
    }

    /// It is in the log, and nobody knows where: told when its turn comes. R4.
    pub(crate) const fn found(&mut self) {
        self.set(mark::ANSWERED);
        self.failure = Perhaps::No;
        self.offset = -1;
        self.append_time = -1;
    }

    /// It fails with this cause when its turn comes. R12.
    pub(crate) const fn fail(&mut self, cause: Cause) {
        self.set(mark::ANSWERED);
        self.failure = Perhaps::Yes(cause);
    }

    /// Whether a broker found it too large, and it can be sent in parts: all of it was refused,
    /// and there is more than one record. R2.
    pub(crate) fn is_divisible(&self) -> bool {
        self.code == ErrorCode::MESSAGE_TOO_LARGE && self.count > 1 && !self.has(mark::MAYBE)
    }

    /// Whether it has a sequence (or, without idempotence, was sent) and no outcome.
    pub(crate) const fn is_unresolved(&self) -> bool {
        matches!(self.state, BatchState::Assigned | BatchState::Sealed) && !self.has(mark::FINAL)
    }

    /// Whether it may wait for more records: it is open, and nothing has made it due.
    pub(crate) const fn may_linger(&self) -> bool {
        matches!(self.state, BatchState::Open) && !self.has(mark::DUE)
    }
}

impl crate::memory::Slot for BatchSlot {
    const NOBODY: &'static Self = &Self::EMPTY;
}

impl crate::memory::Pooled for BatchSlot {
    fn free_link(&mut self) -> &mut u32 {
        &mut self.length
    }
}
