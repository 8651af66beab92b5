//! What became of every record, and whether it was told truthfully.

use ottla::record::reader::Batch;
use ottla::{Accepted, Cause, Delivery, Instant, Outcome};

use super::sample::Sample;
use super::{PARTITIONS, Rule};
use crate::Log;

/// Records of a partition that are remembered: more than can be on their way in the blocks and
/// the slots of a trace.
const KEPT: usize = 256;

const IN_LOG: u8 = 1;
const NOT_WRITTEN: u8 = 2;
const TOLD: u8 = 4;

/// A partition: records by their number, in a ring.
#[derive(Clone, Debug)]
struct Lane {
    /// How many were accepted.
    accepted: u32,
    /// How many have their outcome without a gap.
    resolved: u32,
    /// How many have their outcome: what makes room for others may be told before its turn.
    told: u32,
    /// No record before this one may come into the log any more.
    searched: u32,
    /// How many were accepted before the producer began to count anew.
    base: u32,
    /// The sample, or the offset once it is in the log.
    ids: [u32; KEPT],
    flags: [u8; KEPT],
}

const EMPTY: Lane = Lane {
    accepted: 0,
    resolved: 0,
    told: 0,
    searched: 0,
    base: 0,
    ids: [0; KEPT],
    flags: [0; KEPT],
};

/// How many had been accepted at an instant: in time, all of them have their outcome.
#[derive(Copy, Clone, Debug)]
struct Mark {
    at: Instant,
    accepted: [u32; PARTITIONS],
}

/// The book of all records.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    seed: u64,
    block: u32,
    /// Sequences are in use: nothing twice, nothing out of order.
    idempotent: bool,
    lanes: [Lane; PARTITIONS],
    mark: Option<Mark>,
    /// The first rule that was broken: with partition and number of the record.
    broken: Option<(Rule, i32, u32)>,
}

impl Ledger {
    pub(crate) const fn new(seed: u64, block: u32, idempotent: bool) -> Self {
        Self { seed, block, idempotent, lanes: [EMPTY; PARTITIONS], mark: None, broken: None }
    }

    pub(crate) const fn broken(&self) -> Option<(Rule, i32, u32)> {
        self.broken
    }

    /// Notes that a rule was broken; the first counts.
    pub(crate) fn blame(&mut self, rule: Rule, partition: i32, number: u32) {
        self.broken.get_or_insert((rule, partition, number));
    }

    fn lane(&mut self, partition: i32) -> Option<&mut Lane> {
        self.lanes.get_mut(usize::try_from(partition).ok()?)
    }

    /// Whether one more record can be remembered.
    pub(crate) fn has_room(&self) -> bool {
        self.lanes.iter().all(|lane| lane.accepted - lane.resolved < KEPT as u32)
    }

    /// Records that were accepted, and those that have their outcome.
    pub(crate) fn totals(&self) -> (u32, u32) {
        self.lanes.iter().fold((0, 0), |(accepted, resolved), lane| {
            (accepted + lane.accepted, resolved + lane.told)
        })
    }

    pub(crate) fn all_resolved(&self) -> bool {
        let (accepted, resolved) = self.totals();
        accepted == resolved
    }

    /// A record was accepted.
    pub(crate) fn accepted(&mut self, accepted: &Accepted, id: u32) {
        let Accepted { partition, number, .. } = *accepted;
        let Some(lane) = self.lane(partition) else {
            return self.blame(Rule::Partition, partition, 0);
        };
        let mine = lane.accepted;
        if number == 0 && lane.resolved == mine {
            // The slot of an idle partition may be given away, and counts anew then (R10).
            lane.base = mine;
        }
        let expected = u64::from(mine - lane.base);
        lane.accepted = mine + 1;
        let place = mine as usize % KEPT;
        lane.ids[place] = id;
        lane.flags[place] = 0;
        if number != expected {
            self.blame(Rule::Number, partition, mine);
        }
    }

    /// A run of records has its outcome.
    pub(crate) fn delivered(&mut self, delivery: &Delivery) {
        let Delivery { partition, first, count, outcome, .. } = *delivery;
        let idempotent = self.idempotent;
        let Some(lane) = self.lane(partition) else {
            return self.blame(Rule::Partition, partition, 0);
        };
        let Some(from) = u32::try_from(first).ok().and_then(|first| first.checked_add(lane.base))
        else {
            return self.blame(Rule::OneOutcome, partition, 0);
        };
        // What makes room was never sent, so batches before it may still be on their way.
        let made_room = outcome == Outcome::NotWritten(Cause::Dropped);
        let in_turn = from == lane.resolved || made_room && from > lane.resolved;
        if !in_turn || count == 0 || from > lane.accepted || count > lane.accepted - from {
            return self.blame(Rule::OneOutcome, partition, from);
        }
        let mut broken = None;
        for number in from..from + count {
            let place = number as usize % KEPT;
            if lane.flags[place] & TOLD != 0 {
                broken = broken.or(Some((Rule::OneOutcome, number)));
            }
            lane.flags[place] |= TOLD;
            lane.told += 1;
            let in_log = lane.flags[place] & IN_LOG != 0;
            let rule = match outcome {
                Outcome::Written { .. } if !in_log => Some(Rule::WrittenNotInLog),
                Outcome::Written { base_offset, .. } if base_offset >= 0 && idempotent => {
                    let offset = lane.ids[place].wrapping_sub(number - from);
                    (offset != base_offset as u32).then_some(Rule::Offset)
                }
                Outcome::NotWritten(_) => {
                    lane.flags[place] |= NOT_WRITTEN;
                    in_log.then_some(Rule::NotWrittenInLog)
                }
                _ => None,
            };
            broken = broken.or(rule.map(|rule| (rule, number)));
        }
        while lane.resolved < lane.accepted && lane.flags[lane.resolved as usize % KEPT] & TOLD != 0
        {
            lane.resolved += 1;
        }
        if let Some((rule, number)) = broken {
            self.blame(rule, partition, number);
        }
    }

    /// I8: what was accepted more than `timeout` ago has its outcome. To be called when the
    /// producer knows the time, and all events were taken.
    pub(crate) fn check_time(&mut self, now: Instant, timeout: ottla::Duration) {
        if let Some(mark) = self.mark
            && now >= mark.at.after(timeout)
        {
            self.mark = None;
            for partition in 0..PARTITIONS {
                let resolved = self.lanes[partition].resolved;
                if resolved < mark.accepted[partition] {
                    self.blame(Rule::Late, partition as i32, resolved);
                }
            }
        }
        if self.mark.is_none() && !self.all_resolved() {
            let mut accepted = [0; PARTITIONS];
            accepted.iter_mut().zip(&self.lanes).for_each(|(to, lane)| *to = lane.accepted);
            self.mark = Some(Mark { at: now, accepted });
        }
    }
}

impl Log for Ledger {
    fn appended(&mut self, partition: i32, offset: i64, batch: &Batch<'_>) {
        let (seed, block, idempotent) = (self.seed, self.block, self.idempotent);
        let Some(lane) = self.lane(partition) else { return };
        let Ok(records) = batch.records() else { return };
        let mut broken = None;
        for (at, record) in (0_u32..).zip(records.flatten()) {
            let Some(id) = Sample::id_of(&record) else {
                broken = broken.or(Some((Rule::Bytes, lane.searched)));
                continue;
            };
            let oldest = lane.accepted.saturating_sub(KEPT as u32);
            let from = if idempotent { lane.searched.max(oldest) } else { oldest };
            let found = (from..lane.accepted).find(|n| {
                let place = *n as usize % KEPT;
                lane.ids[place] == id && (!idempotent || lane.flags[place] & IN_LOG == 0)
            });
            let Some(number) = found else {
                if idempotent {
                    broken = broken.or(Some((Rule::Order, lane.searched)));
                }
                continue;
            };
            let place = number as usize % KEPT;
            if lane.flags[place] & NOT_WRITTEN != 0 {
                broken = broken.or(Some((Rule::NotWrittenInLog, number)));
            }
            // The largest ones are only ever sent at the end of a trace.
            let sample = Sample::new(seed, id, block);
            if !sample.is(&record) && !Sample::large(seed, id, block, partition).is(&record) {
                broken = broken.or(Some((Rule::Bytes, number)));
            }
            lane.flags[place] |= IN_LOG;
            if idempotent {
                lane.ids[place] = (offset as u32).wrapping_add(at);
                lane.searched = number + 1;
            }
        }
        if let Some((rule, number)) = broken {
            self.blame(rule, partition, number);
        }
    }
}
