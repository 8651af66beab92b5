//! The addresses that the producer was given: where it begins, and where it begins again when what
//! it learned of the cluster leads nowhere (KIP-899, KIP-1102).
//!
//! They keep their places in the table of brokers and are tried in turn with the brokers that
//! metadata told of. Beginning again means more: every link ends, and every other broker and all
//! leaders are forgotten, since the addresses may belong to another cluster by now.

use super::machine::Machine;
use crate::cluster::NO_ID;
use crate::link::Reason;
use crate::memory::{BrokerId, HOST_MAX, Memory, PartitionId};

impl Machine {
    /// Adds an address to begin with. False if the table is full or the name too long.
    pub(crate) fn bootstrap(&mut self, memory: &mut Memory<'_>, host: &str, port: u16) -> bool {
        let host = host.as_bytes();
        if host.len() > memory.host_room().min(HOST_MAX) {
            return false;
        }
        let Some(number) = self.pools.brokers.take(&mut memory.brokers) else { return false };
        let broker = BrokerId::from_number(number);
        memory.brokers[broker].used = true;
        self.set_address(memory, broker, host, port)
    }

    /// An attempt to get metadata failed: if they were in vain for too long, the producer begins
    /// again. A single attempt to connect gets its time at least.
    pub(super) fn lose_patience(&mut self) {
        let patience = self.config.rebootstrap_trigger.max(self.config.connection_setup_timeout);
        if self.refresh.began.is_some_and(|began| began.after(patience) <= self.now) {
            self.refresh.astray = true;
        }
    }

    /// Ends all links, forgets what metadata told, and asks the addresses to begin with, after a
    /// pause that grows until something was written. Topics keep their ids and epochs, partitions
    /// their sequences: if the cluster is the same, nothing but time is lost. R11.
    pub(super) fn rebootstrap(&mut self, memory: &mut Memory<'_>) {
        if !self.config.rebootstrap {
            return;
        }
        // Before the links end: that is no failure to get metadata.
        self.refresh.began = None;
        self.end_all_links(memory, Reason::Rebootstrap);
        for broker in self.brokers() {
            if memory.brokers[broker].id.is_some() {
                self.forget_broker(memory, broker);
            }
        }
        for number in self.pools.partitions.numbers() {
            let partition = PartitionId::from_number(number);
            let has_id = memory.topics[memory.partitions[partition].topic].id != NO_ID;
            let slot = &mut memory.partitions[partition];
            slot.leader = None;
            if !has_id {
                // Nothing would tell that it is another topic.
                slot.leader_epoch = None;
            }
            slot.sequences.doubt();
        }
        let pause = self.retry_backoff(u32::from(self.refresh.restarts));
        self.refresh.restarts = self.refresh.restarts.saturating_add(1);
        self.refresh.retry_at = self.refresh.retry_at.max(self.now.after(pause));
        self.refresh.homeless = PartitionId::NONE;
        self.refresh.done_at = None;
        self.request_metadata();
    }
}
