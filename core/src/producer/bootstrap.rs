//! The addresses that the producer was given: where it begins, and where it begins again when what
//! it learned of the cluster leads nowhere (KIP-899, KIP-1102).
//!
//! They keep their places in the table of brokers and are tried in turn with the brokers that
//! metadata told of. Beginning again means more: every link ends, and every other broker and all
//! leaders are forgotten, since the addresses may belong to another cluster by now.

use super::machine::Machine;
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

    /// Begins again if metadata was tried for in vain for too long.
    pub(super) fn check_patience(&mut self, memory: &mut Memory<'_>) {
        let began = *self.refresh.began.get_or_insert(self.now);
        if began.after(self.config.rebootstrap_trigger) <= self.now {
            self.rebootstrap(memory);
        }
    }

    /// Ends all links, forgets what metadata told, and asks the addresses to begin with. Topics keep their ids, partitions their sequences: if the cluster is the same,
    /// nothing but time is lost. R11.
    pub(super) fn rebootstrap(&mut self, memory: &mut Memory<'_>) {
        if !self.config.rebootstrap {
            return;
        }
        self.end_all_links(memory, Reason::Rebootstrap);
        for broker in self.brokers() {
            let slot = &mut memory.brokers[broker];
            if slot.id.is_some() {
                self.forget_broker(memory, broker);
            } else {
                slot.failures = 0;
                slot.retry_at = self.now;
            }
        }
        for number in self.pools.partitions.numbers() {
            let slot = &mut memory.partitions[PartitionId::from_number(number)];
            slot.leader = None;
            slot.leader_epoch = None;
            slot.sequences.doubt();
        }
        self.refresh.homeless = PartitionId::NONE;
        self.refresh.began = None;
        self.refresh.done_at = None;
        self.refresh.needed = true;
    }
}
