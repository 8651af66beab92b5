//! Which partition records without a key go to next. Looked at when it changes, never for each
//! record, and never at all partitions of a topic (R21).

use super::machine::Machine;
use super::partitioner::{SAMPLE, weigh};
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
        let first = self.random.below(count);
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

    /// The next partition in turn that has a leader; if none has, the next one.
    pub(super) fn take_turn(
        &mut self,
        memory: &mut Memory<'_>,
        topic: TopicId,
        count: u32,
    ) -> Result<PartitionId, Refused> {
        let next = memory.topics[topic].next_turn;
        let index = self.next_led(memory, topic, next, count).unwrap_or(place(next, 0, count));
        let partition = self.partition(memory, topic, index.cast_signed())?;
        memory.topics[topic].next_turn = index.wrapping_add(1);
        Ok(partition)
    }

    /// From `first` on, the first partition that has a leader, if a few looks find one.
    fn next_led(
        &mut self,
        memory: &Memory<'_>,
        topic: TopicId,
        first: u32,
        count: u32,
    ) -> Option<u32> {
        let places = (0..count.min(LOOKS)).map(|step| place(first, step, count));
        for index in places {
            let known = memory.find_partition(topic, index.cast_signed());
            if self.may_be_led(memory, known) {
                return Some(index);
            }
        }
        None
    }

    /// Whether a partition has a leader. Of one that has no slot, because the table had no room
    /// when metadata came, it is believed if there is room now; else the table should grow, if it
    /// can.
    fn may_be_led(&mut self, memory: &Memory<'_>, partition: PartitionId) -> bool {
        if partition.is_some() {
            return memory.partitions[partition].leader.is_some();
        }
        let room = self.pools.partitions.has_room(&memory.partitions);
        if !room {
            self.full = Perhaps::Yes(Full::Partitions);
        }
        room
    }

    /// Batches of a partition that have no outcome yet; none if it is not to be drawn.
    fn load(&mut self, memory: &Memory<'_>, topic: TopicId, index: u32) -> Option<u32> {
        let partition = memory.find_partition(topic, index.cast_signed());
        if !self.may_be_led(memory, partition) {
            return None;
        }
        let slot = &memory.partitions[partition];
        let timeout = self.config.availability_timeout;
        let broker = &memory.brokers[slot.broker];
        let served = broker.ready_since.max(broker.drained_at);
        if timeout.as_micros() > 0 && broker.ready_count > 0 && served.after(timeout) <= self.now {
            return None;
        }
        Some(if self.config.adaptive_partitioning { slot.batches } else { 0 })
    }
}
