//! Which partition records without a key go to next. Looked at when it changes, never for each
//! record, and never at all partitions of a topic (R21).

use super::machine::Machine;
use super::partitioner::{SAMPLE, weigh};
use super::slots::BatchId;
use crate::error::{Full, Refused};
use crate::memory::{Memory, PartitionId, Perhaps, TopicId};

/// Partitions that are looked at for one with a leader.
const LOOKS: u32 = 64;

/// The place that is `step` after `first` among `count`.
const fn place(first: u32, step: u32, count: u32) -> u32 {
    match first.wrapping_add(step).checked_rem(count) {
        Some(place) => place,
        None => 0,
    }
}

impl Machine {
    /// Draws a partition that has a leader, by the load of a few (KIP-794); if none of them can
    /// be sent to, the next one that has a leader; if none has, any.
    pub(super) fn pick(
        &mut self,
        memory: &mut Memory<'_>,
        topic: TopicId,
        count: u32,
    ) -> Result<PartitionId, Refused> {
        let first = self.any_place(memory, topic, count);
        let mut loads = [None; SAMPLE];
        for (step, load) in (0..count).zip(&mut loads) {
            *load = self.load(memory, topic, place(first, step, count));
        }
        let drawn = weigh(&loads, |total| self.random.below(total));
        let index = match drawn {
            Some(step) => place(first, step, count),
            None => self.next_led(memory, topic, first, count).unwrap_or(first),
        };
        self.partition(memory, topic, index.cast_signed())
    }

    /// Any partition; where the table is full, any that has a slot, if one has.
    fn any_place(&mut self, memory: &Memory<'_>, topic: TopicId, count: u32) -> u32 {
        if self.pools.partitions.has_room(&memory.partitions) {
            return self.random.below(count);
        }
        let (mut place, mut slots) = (None, 0_u32);
        for number in self.pools.partitions.numbers() {
            let slot = &memory.partitions[PartitionId::from_number(number)];
            let index = slot.index.cast_unsigned();
            if slot.topic == topic && index < count {
                slots = slots.saturating_add(1);
                if self.random.below(slots) == 0 {
                    place = Some(index);
                }
            }
        }
        if slots < count {
            self.full = Perhaps::Yes(Full::Partitions);
        }
        place.unwrap_or_else(|| self.random.below(count))
    }

    /// The next partition in turn that has a leader; if none has, the next one.
    pub(super) fn next_turn(
        &mut self,
        memory: &mut Memory<'_>,
        topic: TopicId,
        count: u32,
    ) -> Result<PartitionId, Refused> {
        let next = place(memory.topics[topic].next_turn, 0, count);
        let index = self.next_led(memory, topic, next, count).unwrap_or(next);
        self.partition(memory, topic, index.cast_signed())
    }

    /// From `first` on, the first partition that has a leader, if a few looks find one. Where the
    /// table is full, only those that have a slot come into question: another one would take the
    /// slot of an idle one, at the price of an epoch.
    fn next_led(
        &mut self,
        memory: &Memory<'_>,
        topic: TopicId,
        first: u32,
        count: u32,
    ) -> Option<u32> {
        let led = |partition: PartitionId| memory.partitions[partition].leader.is_some();
        if self.pools.partitions.has_room(&memory.partitions) {
            return (0..count.min(LOOKS)).map(|step| place(first, step, count)).find(|index| {
                let known = memory.find_partition(topic, index.cast_signed());
                known.is_none() || led(known)
            });
        }
        let mut nearest = None;
        let mut slots = 0_u32;
        for number in self.pools.partitions.numbers() {
            let partition = PartitionId::from_number(number);
            let slot = &memory.partitions[partition];
            let index = slot.index.cast_unsigned();
            // Others are of a time when the topic had more.
            if slot.topic == topic && index < count {
                slots = slots.saturating_add(1);
                let behind = if index < first { count } else { 0 };
                let distance = index.wrapping_add(behind).wrapping_sub(first);
                let order = (!led(partition), distance);
                if nearest.is_none_or(|(other, _)| order < other) {
                    nearest = Some((order, index));
                }
            }
        }
        if slots < count {
            self.full = Perhaps::Yes(Full::Partitions);
        }
        nearest.map(|(_, index)| index)
    }

    /// Batches of a partition that have no outcome yet; none if it is not to be drawn: without a
    /// leader, or because its broker could not be sent to. A partition that has no slot is believed
    /// to have a leader if there is room for it.
    fn load(&mut self, memory: &Memory<'_>, topic: TopicId, index: u32) -> Option<u32> {
        let partition = memory.find_partition(topic, index.cast_signed());
        if partition.is_none() {
            let room = self.pools.partitions.has_room(&memory.partitions);
            if !room {
                self.full = Perhaps::Yes(Full::Partitions);
            }
            return room.then_some(0);
        }
        let slot = &memory.partitions[partition];
        slot.leader?;
        let timeout = self.config.availability_timeout;
        if timeout.as_micros() > 0 {
            // Something of it, or whatever is first in its broker's list.
            let broker = &memory.brokers[slot.broker];
            let late = |head: BatchId| {
                let due = memory.batches[head].created.after(self.config.linger);
                head.is_some() && due.max(broker.served_at).after(timeout) <= self.now
            };
            if late(slot.first) || late(memory.partitions[broker.ready_first].first) {
                return None;
            }
        }
        Some(if self.config.adaptive_partitioning { slot.batches } else { 0 })
    }
}
