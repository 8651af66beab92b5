//! What simulators and searches need beside the producer's own calls: where sequences begin, and a
//! producer's state, shown to searches that ask whether two producers will behave the same.
//!
//! Everything is shown that a later call looks at, and nothing else: no counters, no slot that is
//! free, no byte of a block behind its batch, no instant but by what becomes due at it. Lists are
//! shown in their order. What is shown twice does no harm.

use core::hash::{Hash, Hasher};

use super::machine::{Machine, Phase};
use super::slots::{BatchId, BatchState, mark};
use crate::identity::{Sequence, Sequences};
use crate::link::{Cursor, LinkState, ReceiveStage};
use crate::memory::{BrokerId, LinkId, Memory, PartitionId, RequestId, TopicId};
use crate::message::Api;
use crate::record::layout;
use crate::time::{Duration, Instant};

/// A part of a producer's state.
///
/// Whether two producers will behave the same is told by their parts, in their order: instants
/// compared by how far they are from now, and numbers of batches and requests, and correlation
/// ids of a link, by where they came first.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum View<'a> {
    /// A number, a flag, a variant. Links, brokers, topics and partitions are shown by their
    /// numbers, as where they stand in their tables decides between equals.
    Number(u64),
    /// Something becomes due. When it is past, only that counts.
    Due(Instant),
    /// Number of a batch; 0 is none. Which number it is decides nothing.
    Batch(u32),
    /// Number of a request; 0 is none. Which number it is decides nothing.
    Request(u32),
    /// The correlation id of a request on this link (by its place in the table, from 0).
    Correlation(usize, i32),
    /// Bytes.
    Bytes(&'a [u8]),
}

type See<'s> = dyn FnMut(View<'_>) + 's;

/// Shows a value that holds no instant and no number of a slot by its hashed parts.
struct Parts<'a, 's>(&'a mut See<'s>);

impl Hasher for Parts<'_, '_> {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut number = [0; 8];
        for chunk in bytes.chunks(number.len()) {
            number = [0; 8];
            number.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            (self.0)(View::Number(u64::from_le_bytes(number)));
        }
    }
}

fn value(see: &mut See<'_>, value: &impl Hash) {
    value.hash(&mut Parts(see));
}

fn number(see: &mut See<'_>, number: impl Into<u64>) {
    see(View::Number(number.into()));
}

fn due(see: &mut See<'_>, at: Option<Instant>) {
    number(see, at.is_some());
    if let Some(at) = at {
        see(View::Due(at));
    }
}

fn cursor(see: &mut See<'_>, memory: &Memory<'_>, cursor: Cursor) {
    see(View::Request(cursor.request.number()));
    if cursor.request.is_none() {
        return;
    }
    value(see, &cursor.part);
    number(see, cursor.offset);
    for item in cursor.items() {
        if memory.requests[cursor.request].api == Api::Produce {
            see(View::Batch(item));
        } else {
            number(see, item);
        }
    }
}

impl Machine {
    pub(super) fn begin_sequences_at(
        &self,
        memory: &mut Memory<'_>,
        topic: TopicId,
        index: i32,
        first: Sequence,
    ) {
        let partition = memory.find_partition(topic, index);
        if partition.is_some() {
            memory.partitions[partition].sequences.begin_at(first);
        }
    }

    /// Shows the state to `see`.
    pub(super) fn view(&self, memory: &Memory<'_>, see: &mut See<'_>) {
        let config = &self.config;
        value(see, &(self.wall, &self.random, self.identity, self.fatal, self.full.get()));
        value(see, &(self.paused, self.closed_told, self.fatal_told, self.topic_events));
        value(see, &(self.wanted, self.yields, self.contact_last));
        self.notices.iter().for_each(|notice| value(see, notice));
        number(see, self.notices.len() as u64);
        due(see, Some(self.contact_at));
        value(see, &core::mem::discriminant(&self.phase));
        if let Phase::Closing(at) = self.phase {
            due(see, Some(at));
        }

        let acquire = &self.acquire;
        value(see, &acquire.question);
        due(see, Some(acquire.retry_at));
        let retry = (config.retry_backoff, config.retry_backoff_max);
        number(see, failures(retry, acquire.failures));

        let refresh = &self.refresh;
        value(see, &(refresh.question, refresh.full, refresh.asked_full));
        value(see, &(refresh.topic, refresh.incomplete, refresh.news, refresh.error));
        value(see, &(refresh.astray, refresh.homeless, refresh.claimant));
        due(see, Some(refresh.retry_at));
        number(see, failures(retry, refresh.failures));
        number(see, failures(retry, refresh.restarts));
        due(see, refresh.done_at.map(|at| at.after(config.metadata_max_age)));
        let longest = config.request_timeout.max(config.connection_setup_timeout_max);
        due(see, Some(refresh.tried_at.after(longest).after(longest)));
        let patience = config.rebootstrap_trigger.max(config.connection_setup_timeout);
        due(see, refresh.began.map(|at| at.after(patience)));

        for topic in self.pools.topics.numbers().map(TopicId::from_number) {
            self.view_topic(memory, topic, see);
        }
        for partition in self.pools.partitions.numbers().map(PartitionId::from_number) {
            self.view_partition(memory, partition, see);
        }
        for place in 0..self.timers.length() {
            let timer = memory.timers.get(place as usize).copied().unwrap_or_default();
            number(see, timer.number());
        }
        let mut batch = self.live_first;
        while batch.is_some() {
            see(View::Batch(batch.number()));
            let serial = memory.batches[batch].serial;
            value(see, &(serial > self.due_serial, serial > self.closed_serial));
            batch = memory.batches[batch].live_next;
        }
        let mut batch = self.event_first;
        number(see, batch.is_some());
        while batch.is_some() {
            self.view_batch(memory, batch, see);
            batch = memory.batches[batch].next_event;
        }
        if self.shown.is_some() {
            self.view_batch(memory, self.shown, see);
        }
        for broker in self.brokers() {
            self.view_broker(memory, broker, see);
        }
        for link in self.open_links() {
            self.view_link(memory, link, see);
        }
        self.view_free(memory, see);
    }

    /// Which slots are handed out next.
    fn view_free(&self, memory: &Memory<'_>, see: &mut See<'_>) {
        let (pools, links) = (&self.pools, &self.links.links);
        let mut free = pools.brokers.peek();
        while free != 0 && free <= pools.brokers.high() {
            number(see, free);
            free = memory.brokers[BrokerId::from_number(free)].next_free;
        }
        let mut free = links.peek();
        while free != 0 && free <= links.high() {
            number(see, free);
            free = memory.links[LinkId::from_number(free)].next_free;
        }
        number(see, pools.partitions.peek());
        number(see, self.names_used);
    }

    fn view_topic(&self, memory: &Memory<'_>, topic: TopicId, see: &mut See<'_>) {
        let slot = &memory.topics[topic];
        see(View::Bytes(memory.name(topic)));
        value(see, &(slot.state, slot.partitions, slot.declared, slot.awaited, slot.wanted));
        value(see, &(slot.asked, slot.left_out, slot.id));
        value(see, &(slot.sticky, slot.sticky_bytes, slot.next_turn));
        due(see, Some(slot.used_at.after(self.config.metadata_max_idle)));
    }

    fn view_partition(&self, memory: &Memory<'_>, partition: PartitionId, see: &mut See<'_>) {
        let slot = &memory.partitions[partition];
        value(see, &(slot.topic, slot.index));
        if slot.topic.is_none() {
            return;
        }
        value(see, &(slot.flags, slot.course, slot.in_flight));
        value(see, &(slot.leader, slot.leader_epoch, slot.broker));
        value(see, &(slot.batches, slot.accepted));
        if slot.in_flight > 0 {
            number(see, slot.link.number());
        }
        see(View::Batch(slot.cursor.number()));
        let sequences = &slot.sequences;
        value(see, &(sequences.identity(), sequences.next(), sequences.acknowledged()));
        value(see, &(sequences.unresolved(), sequences.is_broken()));
        due(see, sequences.proven().map(|at| at.after(Sequences::PROOF)));
        due(see, Some(slot.backoff_until));
        due(see, if slot.heap_place == 0 { None } else { Some(slot.wake_at) });
        if slot.has(crate::cluster::flag::READY) {
            value(see, &(slot.ready_previous, slot.ready_on, slot.ready_bytes));
        }
        let mut batch = slot.first;
        while batch.is_some() {
            self.view_batch(memory, batch, see);
            batch = memory.batches[batch].next;
        }
    }

    fn view_batch(&self, memory: &Memory<'_>, batch: BatchId, see: &mut See<'_>) {
        let config = &self.config;
        let slot = &memory.batches[batch];
        see(View::Batch(batch.number()));
        value(see, &(slot.state, slot.flags, slot.class, slot.rest, slot.rest_at));
        value(see, &(slot.partition, slot.count, slot.first_number, slot.length, slot.limit));
        value(see, &(slot.base_timestamp, slot.max_timestamp));
        value(see, &(slot.identity, slot.sequence, slot.code, slot.offset, slot.append_time));
        value(see, &(slot.doubt.get(), slot.verdict, slot.failure.get()));
        see(View::Request(slot.request.number()));
        see(View::Batch(slot.in_request.number()));
        let retry = (config.retry_backoff, config.retry_backoff_max);
        if config.retries < i32::MAX as u32 || retry.1 > retry.0 {
            number(see, slot.attempts);
        } else {
            number(see, slot.attempts > 0);
        }
        if !slot.has(mark::FINAL) {
            due(see, Some(slot.created.after(config.delivery_timeout)));
        }
        if slot.state == BatchState::Open {
            due(see, Some(slot.created.after(config.linger)));
        }
        if slot.block.is_some() {
            let sealed = slot.state == BatchState::Sealed;
            let from = if sealed { 0 } else { layout::HEADER as usize };
            let bytes = memory.blocks.get(slot.block).get(from..slot.length as usize);
            see(View::Bytes(bytes.unwrap_or(&[])));
        }
    }

    fn view_broker(&self, memory: &Memory<'_>, broker: BrokerId, see: &mut See<'_>) {
        let config = &self.config;
        let slot = &memory.brokers[broker];
        number(see, slot.used);
        if !slot.used {
            return;
        }
        see(View::Bytes(memory.hosts.get(memory.host_range(broker)).unwrap_or(&[])));
        value(see, &(slot.id, slot.port, slot.wanted, slot.link, slot.negotiation, slot.leads));
        value(see, &(slot.ready_first, slot.ready_last, slot.ready_count, slot.ready_bytes));
        number(see, slot.urgent);
        if slot.ready_count > 0 {
            due(see, Some(slot.ready_since.after(config.linger)));
        }
        if config.availability_timeout > Duration::ZERO {
            due(see, Some(slot.served_at.after(config.availability_timeout)));
        }
        let reconnect = (config.reconnect_backoff, config.reconnect_backoff_max);
        let setup = (config.connection_setup_timeout, config.connection_setup_timeout_max);
        number(see, failures(reconnect, slot.failures).max(failures(setup, slot.failures)));
        due(see, Some(slot.retry_at));
        // Who has waited longest comes first.
        let before = |other: &BrokerId| memory.brokers[*other].wanted_at < slot.wanted_at;
        number(see, self.brokers().filter(before).count() as u64);
        due(see, Some(slot.wanted_at.after(Duration::from_micros(1))));
    }

    fn view_link(&self, memory: &Memory<'_>, link: LinkId, see: &mut See<'_>) {
        let config = &self.config;
        let slot = &memory.links[link];
        value(see, &core::mem::discriminant(&slot.state));
        if matches!(slot.state, LinkState::Free) {
            return;
        }
        if let LinkState::Closing(reason) = slot.state {
            value(see, &reason);
            return;
        }
        value(see, &(slot.broker, slot.queued, slot.ahead, slot.versions));
        value(see, &(slot.useful, slot.yielding));
        cursor(see, memory, slot.lent);
        cursor(see, memory, slot.taken);
        due(see, slot.deadline);
        due(see, Some(slot.throttled_until));
        due(see, Some(slot.active_at.after(config.connection_max_idle)));
        // Whose turn began first has to make way first.
        let before = |other: &LinkId| memory.links[*other].ready_at < slot.ready_at;
        number(see, self.open_links().filter(before).count() as u64);
        due(see, Some(slot.ready_at.after(Self::TURN)));
        let mut request = slot.first;
        while request.is_some() {
            self.view_request(memory, link, request, see);
            request = memory.requests[request].next;
        }
        if let Some(receive) = memory.receives.get(link.index()) {
            let between = receive.stage == ReceiveStage::Size && receive.frame.is_over();
            number(see, between);
            if !between {
                value(see, receive);
            }
        }
    }

    fn view_request(
        &self,
        memory: &Memory<'_>,
        link: LinkId,
        request: RequestId,
        see: &mut See<'_>,
    ) {
        let slot = &memory.requests[request];
        see(View::Request(request.number()));
        see(View::Correlation(link.index(), slot.correlation));
        value(see, &(slot.api, slot.version, slot.topics, slot.length, slot.lent, slot.taken));
        let mut batch = slot.batches;
        while batch.is_some() {
            if memory.batches[batch].has(mark::FINAL) {
                self.view_batch(memory, batch, see);
            } else {
                see(View::Batch(batch.number()));
            }
            batch = memory.batches[batch].in_request;
        }
    }
}

/// A count of failures as far as it decides anything: without a pause that grows, only whether
/// there are any.
fn failures((first, max): (Duration, Duration), failures: u8) -> u64 {
    if max <= first { u64::from(failures.min(1)) } else { u64::from(failures) }
}
