//! What a broker says of refused records, kept in the block of the refused batch.
//!
//! A batch that is refused for good needs its bytes no more, so the broker's texts take their
//! place (KIP-467): entries of a record's place in the batch (-1 for the text about the whole
//! batch), a length, and the text, as much as there is room for.

use super::machine::Machine;
use super::slots::{BatchId, mark};
use crate::link::Matching;
use crate::memory::Memory;
use crate::record::layout;
use crate::wire::parse;
use crate::wire::write::copy;

/// Place of the text about the whole batch.
const WHOLE: i32 = -1;

/// Bytes before an entry's text: place and length.
const ENTRY: u32 = 8;

/// A text of a broker.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Complaint<'a> {
    /// Place of the record in its batch; none for the text about the whole batch.
    pub place: Option<u32>,
    /// The text, perhaps cut; empty if the broker gave none. Kafka sends UTF-8.
    pub text: &'a [u8],
}

/// The texts of a refused batch.
#[derive(Clone, Debug)]
pub struct Complaints<'a> {
    pub(super) bytes: &'a [u8],
}

impl<'a> Iterator for Complaints<'a> {
    type Item = Complaint<'a>;

    fn next(&mut self) -> Option<Complaint<'a>> {
        let (rest, place) = parse::int32(self.bytes).ok()?;
        let (rest, length) = parse::uint32(rest).ok()?;
        let (rest, text) = parse::take(rest, length as usize).ok()?;
        self.bytes = rest;
        Some(Complaint { place: u32::try_from(place).ok(), text })
    }
}

impl Machine {
    /// A batch was answered: if that is its end, its texts may be kept.
    pub(super) fn begin_texts(
        &self,
        memory: &mut Memory<'_>,
        matching: &mut Matching,
        batch: BatchId,
    ) {
        let slot = &memory.batches[batch];
        let code = slot.code;
        // One that may be in the log and waits for its turn may have to be probed (R8).
        let needed = slot.has(mark::MAYBE) && memory.partitions[slot.partition].first != batch;
        let last = !code.is_success()
            && !code.is_retriable()
            && code.proves_refusal(false)
            && !slot.has(mark::FINAL | mark::IMPLIED)
            && !needed
            && slot.rest == 0
            && !slot.is_divisible()
            && !self.is_lost_place(slot)
            && !self.is_replay(slot);
        let block = slot.block;
        matching.keeping = last && memory.blocks.get_mut(block).is_some();
        matching.end = 0;
        matching.whole = false;
    }

    fn text_entry(memory: &mut Memory<'_>, matching: &mut Matching, place: i32) {
        if !matching.keeping {
            return;
        }
        let batch = matching.batch;
        let slot = &mut memory.batches[batch];
        let Some(block) = memory.blocks.get_mut(slot.block) else { return };
        let from = matching.end as usize;
        let room = block.get_mut(from..from.saturating_add(ENTRY as usize));
        let Some(room) = room else {
            matching.keeping = false;
            return;
        };
        copy(room, &place.to_be_bytes());
        copy(room.get_mut(4..).unwrap_or(&mut []), &[0; 4]);
        matching.entry = matching.end;
        matching.end = matching.end.saturating_add(ENTRY);
        slot.set(mark::TEXT);
        slot.limit = matching.end;
    }

    pub(super) fn text_record(memory: &mut Memory<'_>, matching: &mut Matching, place: i32) {
        if place >= 0 {
            Self::text_entry(memory, matching, place);
        }
    }

    pub(super) fn text_summary(memory: &mut Memory<'_>, matching: &mut Matching, chunk: &[u8]) {
        if !matching.whole {
            matching.whole = true;
            Self::text_entry(memory, matching, WHOLE);
        }
        Self::text_chunk(memory, matching, chunk);
    }

    pub(super) fn text_chunk(memory: &mut Memory<'_>, matching: &mut Matching, chunk: &[u8]) {
        if !matching.keeping {
            return;
        }
        let slot = &mut memory.batches[matching.batch];
        let Some(block) = memory.blocks.get_mut(slot.block) else { return };
        let Some(room) = block.get_mut(matching.end as usize..) else { return };
        let kept = room.len().min(chunk.len()) as u32;
        copy(room, chunk);
        matching.end = matching.end.saturating_add(kept);
        slot.limit = matching.end;
        let length = matching.end.saturating_sub(matching.entry).saturating_sub(ENTRY);
        let at = matching.entry.saturating_add(4) as usize;
        if let Some(field) = block.get_mut(at..at.saturating_add(4)) {
            copy(field, &length.to_be_bytes());
        }
    }

    /// The texts of the batch whose event was taken last.
    pub(super) fn complaint_range(&self, memory: &Memory<'_>) -> Option<(BatchId, u32)> {
        // Only a batch with texts is kept for being looked at.
        if self.shown.is_none() {
            return None;
        }
        Some((self.shown, memory.batches[self.shown].limit))
    }
}

const _: () = assert!(layout::HEADER > ENTRY);
