//! Timers of partitions: a binary heap of slot numbers, the earliest first.
//!
//! A partition has one timer at most and keeps its place in the heap, so that a timer is moved
//! or removed without a search. Every operation is O(log n).

use super::{Memory, PartitionId};
use crate::time::Instant;

/// The heap's own state; its entries are [`Memory::timers`].
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Heap {
    length: u32,
}

const fn parent(at: u32) -> u32 {
    at.wrapping_sub(1) >> 1
}

impl Memory<'_> {
    fn timer_at(&self, at: u32) -> (PartitionId, Instant) {
        let partition = self.timers.get(at as usize).copied().unwrap_or_default();
        (partition, self.partitions[partition].wake_at)
    }

    fn place_timer(&mut self, at: u32, partition: PartitionId) {
        if let Some(entry) = self.timers.get_mut(at as usize) {
            *entry = partition;
            self.partitions[partition].heap_place = at.wrapping_add(1);
        }
    }

    fn sift_up(&mut self, mut at: u32, partition: PartitionId, key: Instant) {
        while at > 0 {
            let (above, time) = self.timer_at(parent(at));
            if time <= key {
                break;
            }
            self.place_timer(at, above);
            at = parent(at);
        }
        self.place_timer(at, partition);
    }

    fn sift_down(&mut self, mut at: u32, length: u32, partition: PartitionId, key: Instant) {
        loop {
            let left = at.wrapping_mul(2).wrapping_add(1);
            if left >= length {
                break;
            }
            let mut below = left;
            let right = left.wrapping_add(1);
            if right < length && self.timer_at(right).1 < self.timer_at(left).1 {
                below = right;
            }
            let (child, time) = self.timer_at(below);
            if key <= time {
                break;
            }
            self.place_timer(at, child);
            at = below;
        }
        self.place_timer(at, partition);
    }
}

impl Heap {
    pub(crate) const EMPTY: Self = Self { length: 0 };

    /// Number of timers.
    #[cfg(feature = "proof")]
    pub(crate) const fn length(&self) -> u32 {
        self.length
    }

    /// The earliest timer.
    pub(crate) fn first(&self, memory: &Memory<'_>) -> Option<(PartitionId, Instant)> {
        if self.length == 0 { None } else { Some(memory.timer_at(0)) }
    }

    /// Sets the timer of `partition` to `at`.
    pub(crate) fn set(&mut self, memory: &mut Memory<'_>, partition: PartitionId, at: Instant) {
        let slot = &mut memory.partitions[partition];
        let before = slot.wake_at;
        slot.wake_at = at;
        match slot.heap_place.checked_sub(1) {
            None => {
                let place = self.length;
                self.length = self.length.wrapping_add(1);
                memory.sift_up(place, partition, at);
            }
            Some(place) if at < before => memory.sift_up(place, partition, at),
            Some(place) => memory.sift_down(place, self.length, partition, at),
        }
    }

    /// Takes the timer of `partition` away, if it has one.
    pub(crate) fn remove(&mut self, memory: &mut Memory<'_>, partition: PartitionId) {
        let slot = &mut memory.partitions[partition];
        let Some(place) = slot.heap_place.checked_sub(1) else { return };
        slot.heap_place = 0;
        self.length = self.length.wrapping_sub(1);
        let (last, key) = memory.timer_at(self.length);
        if last != partition {
            // The last entry takes the place, and moves to where it belongs.
            memory.sift_down(place, self.length, last, key);
            let settled = memory.partitions[last].heap_place.wrapping_sub(1);
            if settled == place {
                memory.sift_up(place, last, key);
            }
        }
    }
}
