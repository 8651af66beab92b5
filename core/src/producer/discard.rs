//! What makes room when the memory is full, if the application allows it: records that were never
//! sent. They have no sequence yet, so they leave no hole, and the others keep their order.

use super::machine::Machine;
use super::outcome::{Cause, Outcome};
use super::slots::{BatchId, BatchState, mark};
use crate::config::WhenFull;
use crate::error::{Full, Refused};
use crate::memory::Memory;

impl Machine {
    /// Makes room for a record of this class.
    ///
    /// # Errors
    /// What becomes of the record instead.
    pub(super) fn make_way(&mut self, memory: &mut Memory<'_>, class: u8) -> Result<(), Refused> {
        let full = Refused::Full(Full::Memory);
        let victim = match self.config.when_full {
            WhenFull::Refuse => return Err(full),
            WhenFull::DropNewest => BatchId::NONE,
            WhenFull::DropOldest => match self.least(memory, false) {
                // All of it is on its way.
                BatchId::NONE => return Err(full),
                oldest => oldest,
            },
            WhenFull::DropLowestClass => match self.least(memory, true) {
                BatchId::NONE => return Err(full),
                least if memory.batches[least].class > class => BatchId::NONE,
                least => least,
            },
        };
        let records = memory.batches[victim].count.max(1);
        self.counters.dropped = self.counters.dropped.wrapping_add(u64::from(records));
        if victim.is_none() {
            return Err(Refused::Dropped);
        }
        self.discard(memory, victim);
        Ok(())
    }

    /// The oldest batch that was never part of a request; by class, of those with the lowest.
    fn least(&self, memory: &Memory<'_>, by_class: bool) -> BatchId {
        let mut least = BatchId::NONE;
        let mut batch = self.live_first;
        while batch.is_some() {
            let slot = &memory.batches[batch];
            let unsent = matches!(slot.state, BatchState::Open | BatchState::Closed)
                && slot.attempts == 0
                && !slot.has(mark::RENUMBERED);
            let lower = by_class && slot.class < memory.batches[least].class;
            if unsent && (least.is_none() || lower) {
                least = batch;
            }
            batch = slot.live_next;
        }
        least
    }

    /// Takes a batch out of its partition's list, wherever it stands.
    fn discard(&mut self, memory: &mut Memory<'_>, batch: BatchId) {
        let slot = &mut memory.batches[batch];
        slot.decide(Outcome::NotWritten(Cause::Dropped));
        let (partition, next) = (slot.partition, slot.next);
        let entry = &mut memory.partitions[partition];
        let mut before = BatchId::NONE;
        if entry.first == batch {
            entry.first = next;
        } else {
            before = entry.first;
            while memory.batches[before].next != batch {
                before = memory.batches[before].next;
            }
            memory.batches[before].next = next;
        }
        let cursor = Self::seek(memory, next);
        let entry = &mut memory.partitions[partition];
        if entry.last == batch {
            entry.last = before;
        }
        if entry.cursor == batch {
            entry.cursor = cursor;
        }
        self.conclude(memory, batch);
        self.evaluate(memory, partition);
    }
}
