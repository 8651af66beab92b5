//! Finding topics and partitions: chains of slots in buckets.

use core::ops::Range;

use super::{BrokerId, Memory, PartitionId, TopicId};

/// FNV-1a, 32 bits, for names.
pub(crate) fn hash_name(name: &[u8]) -> u32 {
    name.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

pub(crate) fn hash_partition(topic: TopicId, index: i32) -> u32 {
    let mixed = (u64::from(topic.number()) << 32) | u64::from(index.cast_unsigned());
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

/// A bucket for a hash, without a division.
fn bucket(hash: u32, buckets: usize) -> usize {
    (u64::from(hash).wrapping_mul(buckets as u64) >> 32) as usize
}

impl Memory<'_> {
    pub(crate) fn name(&self, topic: TopicId) -> &[u8] {
        let slot = &self.topics[topic];
        let from = slot.name_at as usize;
        self.names.get(from..from.saturating_add(usize::from(slot.name_length))).unwrap_or(&[])
    }

    /// Bytes that there are for each broker's host name.
    pub(crate) fn host_room(&self) -> usize {
        self.hosts.len().checked_div(self.brokers.capacity() as usize).unwrap_or(0)
    }

    /// Where a broker's host name stands among [`Memory::hosts`].
    pub(crate) fn host_range(&self, broker: BrokerId) -> Range<usize> {
        let from = broker.index().saturating_mul(self.host_room());
        from..from.saturating_add(usize::from(self.brokers[broker].host_length))
    }

    pub(crate) fn find_topic(&self, name: &[u8]) -> TopicId {
        let hash = hash_name(name);
        let at = bucket(hash, self.topic_index.len());
        let mut topic = self.topic_index.get(at).copied().unwrap_or_default();
        while topic.is_some() {
            let slot = &self.topics[topic];
            if slot.hash == hash && self.name(topic) == name {
                return topic;
            }
            topic = slot.next_in_bucket;
        }
        TopicId::NONE
    }

    pub(crate) fn index_topic(&mut self, topic: TopicId) {
        let at = bucket(self.topics[topic].hash, self.topic_index.len());
        if let Some(head) = self.topic_index.get_mut(at) {
            self.topics[topic].next_in_bucket = core::mem::replace(head, topic);
        }
    }

    pub(crate) fn find_partition(&self, topic: TopicId, index: i32) -> PartitionId {
        let at = bucket(hash_partition(topic, index), self.partition_index.len());
        let mut partition = self.partition_index.get(at).copied().unwrap_or_default();
        while partition.is_some() {
            let slot = &self.partitions[partition];
            if slot.topic == topic && slot.index == index {
                return partition;
            }
            partition = slot.next_in_bucket;
        }
        PartitionId::NONE
    }

    pub(crate) fn index_partition(&mut self, partition: PartitionId) {
        let slot = &self.partitions[partition];
        let at = bucket(hash_partition(slot.topic, slot.index), self.partition_index.len());
        if let Some(head) = self.partition_index.get_mut(at) {
            self.partitions[partition].next_in_bucket = core::mem::replace(head, partition);
        }
    }

    pub(crate) fn unindex_partition(&mut self, partition: PartitionId) {
        let slot = &self.partitions[partition];
        let next = slot.next_in_bucket;
        let at = bucket(hash_partition(slot.topic, slot.index), self.partition_index.len());
        let Some(head) = self.partition_index.get_mut(at) else { return };
        if *head == partition {
            *head = next;
            return;
        }
        let mut before = *head;
        while before.is_some() {
            let after = self.partitions[before].next_in_bucket;
            if after == partition {
                self.partitions[before].next_in_bucket = next;
                return;
            }
            before = after;
        }
    }

    /// Chains everything anew, after the buckets were enlarged (and emptied).
    #[cfg(any(test, feature = "alloc"))]
    pub(crate) fn rebuild_index(&mut self, topics: u32, partitions: u32) {
        for number in 1..=topics {
            self.index_topic(TopicId::from_number(number));
        }
        for number in 1..=partitions {
            let partition = PartitionId::from_number(number);
            if self.partitions[partition].topic.is_some() {
                self.index_partition(partition);
            }
        }
    }
}
