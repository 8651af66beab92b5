//! Topics and records come in: the right partition, the open batch, or a new one.

use super::Phase;
use super::machine::Machine;
use super::outcome::{Accepted, Topic};
use super::partitioner::{key_hash, partition_of};
use super::slots::{Batch, BatchId, BatchState, mark};
use crate::cluster::TopicState;
use crate::config::{Partitioner, UnknownTime};
use crate::error::{Full, Refused};
use crate::memory::{Memory, PartitionId, TopicId, hash_name};
use crate::record::{Record, builder, layout, size};
use crate::time::Instant;
use crate::wire::write::copy;

/// The start of 2020 in Unix milliseconds: no clock that was set tells an earlier time.
const EARLIEST: u64 = 1_577_836_800_000;

/// Longest topic name, in bytes.
pub const TOPIC_NAME_MAX: usize = 249;

fn is_legal(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= TOPIC_NAME_MAX
        && name != "."
        && name != ".."
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

impl Machine {
    /// The topic called `name`; with `partitions` it is declared to have so many.
    pub(crate) fn topic(
        &mut self,
        memory: &mut Memory<'_>,
        name: &str,
        partitions: u32,
    ) -> Result<Topic, Refused> {
        if !is_legal(name) {
            return Err(Refused::IllegalName);
        }
        let mut topic = memory.find_topic(name.as_bytes());
        if topic.is_none() {
            topic = self.add_topic(memory, name.as_bytes())?;
        }
        let slot = &mut memory.topics[topic];
        if partitions > 0 && matches!(slot.state, TopicState::Unknown) {
            slot.declared = true;
            slot.partitions = partitions;
        }
        Ok(Topic { id: topic })
    }

    /// Sets `client.id`; what it was before is not used any more. False if the names are full.
    pub(crate) fn set_client_id(&mut self, memory: &mut Memory<'_>, id: &str) -> bool {
        // The length of requests is fixed when they are queued.
        if self.links.links.high() > 0 {
            return false;
        }
        let Ok(length) = u8::try_from(id.len()) else { return false };
        let Some(at) = self.add_name(memory, id.as_bytes()) else { return false };
        self.client_id_at = at;
        self.client_id_length = length;
        true
    }

    /// Keeps a name: where.
    fn add_name(&mut self, memory: &mut Memory<'_>, name: &[u8]) -> Option<u32> {
        let at = self.names_used;
        let room = memory.names.get_mut(at as usize..)?;
        copy(room.get_mut(..name.len())?, name);
        self.names_used = at.saturating_add(name.len() as u32);
        Some(at)
    }

    fn add_topic(&mut self, memory: &mut Memory<'_>, name: &[u8]) -> Result<TopicId, Refused> {
        if !self.pools.topics.has_room(&memory.topics) {
            return Err(Refused::Full(Full::Topics));
        }
        let Some(at) = self.add_name(memory, name) else {
            return Err(Refused::Full(Full::Names));
        };
        let number = self.pools.topics.take(&mut memory.topics).unwrap_or(0);
        let topic = TopicId::from_number(number);
        let slot = &mut memory.topics[topic];
        slot.name_at = at;
        slot.name_length = name.len() as u8;
        slot.hash = hash_name(name);
        slot.wanted = true;
        slot.used_at = self.now;
        memory.index_topic(topic);
        self.request_news();
        Ok(topic)
    }

    /// Puts a record into its partition's open batch.
    pub(crate) fn produce(
        &mut self,
        memory: &mut Memory<'_>,
        now: Instant,
        topic: Topic,
        record: &Record<'_>,
    ) -> Result<Accepted, Refused> {
        self.tick(now);
        if !matches!(self.phase, Phase::Running) {
            return Err(Refused::Closed);
        }
        if let Some(code) = self.fatal {
            return Err(Refused::Fatal(code));
        }
        let fields = size::fields(record);
        let bound = size::batch_bound(fields);
        if bound > self.config.max_request_size {
            return Err(Refused::LargerThanRequest);
        }
        if bound > memory.blocks.largest() {
            return Err(Refused::LargerThanMemory);
        }
        let timestamp = match record.timestamp {
            Some(timestamp) if timestamp < 0 => return Err(Refused::NegativeTimestamp),
            Some(timestamp) => timestamp,
            None => self.wall_millis().ok_or(Refused::TimeUnknown)?,
        };
        let (partition, free) = self.choose(memory, topic.id, record)?;
        let accepted = loop {
            match self.append(memory, partition, record, fields, timestamp) {
                Err(Full::Memory) => match self.make_way(memory, record.class) {
                    Ok(()) => {}
                    Err(Refused::Dropped) => return Err(Refused::Dropped),
                    Err(_) => break Err(Full::Memory),
                },
                result => break result,
            }
        };
        match accepted {
            Ok((accepted, grown)) => {
                if free {
                    self.stick(memory, topic.id, partition, grown);
                }
                Ok(accepted)
            }
            Err(full) => {
                if full == Full::Memory {
                    // R16: whoever waits for memory waits for the open batches, too. They stay
                    // open: many partitions that get a little room each, now and then, would
                    // otherwise send it in batches of a record or two.
                    self.make_all_due(memory, false);
                    self.maintain(memory);
                }
                Err(Refused::Full(full))
            }
        }
    }

    /// Takes the time of day, unless it cannot be right.
    pub(crate) fn set_wall_clock(&mut self, now: Instant, unix_millis: u64) -> bool {
        self.tick(now);
        let floor = match self.config.unknown_time {
            UnknownTime::Floor(floor) => floor.max(EARLIEST),
            UnknownTime::Wait => EARLIEST,
        };
        if unix_millis < floor {
            return false;
        }
        let micros = i64::try_from(unix_millis.saturating_mul(1_000)).unwrap_or(i64::MAX);
        let origin = i64::try_from(self.now.as_micros()).unwrap_or(i64::MAX);
        self.wall = Some(micros.saturating_sub(origin));
        true
    }

    /// The time of day for a record that has none of its own.
    fn wall_millis(&self) -> Option<i64> {
        let now = i64::try_from(self.now.as_micros()).unwrap_or(i64::MAX);
        let origin = match (self.wall, self.config.unknown_time) {
            (Some(origin), _) => origin,
            (None, UnknownTime::Floor(floor)) => {
                i64::try_from(floor.saturating_mul(1_000)).unwrap_or(i64::MAX)
            }
            (None, UnknownTime::Wait) => return None,
        };
        // Unsigned: devices divide by a routine, and have this one anyway.
        let micros = origin.saturating_add(now).max(0).cast_unsigned();
        Some((micros / 1_000).cast_signed())
    }

    /// The partition of a record, and whether it was chosen freely.
    fn choose(
        &mut self,
        memory: &mut Memory<'_>,
        topic: TopicId,
        record: &Record<'_>,
    ) -> Result<(PartitionId, bool), Refused> {
        // 0 is nobody's.
        if topic.number().wrapping_sub(1) >= self.pools.topics.high() {
            return Err(Refused::NoSuchTopic);
        }
        let slot = &mut memory.topics[topic];
        slot.used_at = self.now;
        if core::mem::take(&mut slot.left_out) {
            slot.wanted = true;
            self.request_news();
        }
        if let TopicState::Failed(code) = slot.state {
            self.request_topic(memory, topic);
            return Err(Refused::Topic(code));
        }
        let count = slot.partitions;
        if let Some(index) = record.partition {
            // R16: before metadata an explicit partition is taken at the caller's word.
            let beyond = u32::try_from(index).map_or(true, |index| count > 0 && index >= count);
            if beyond {
                self.request_topic(memory, topic);
                return Err(Refused::PartitionUnknown);
            }
            return Ok((self.partition(memory, topic, index)?, false));
        }
        if count == 0 {
            slot.awaited = true;
            self.request_topic(memory, topic);
            return Err(Refused::TopicUnknown);
        }
        if let Some(key) = record.key
            && !self.config.ignore_keys
            && self.config.partitioner == Partitioner::Sticky
        {
            let hash = record.key_hash.unwrap_or_else(|| key_hash(key));
            let index = partition_of(hash, count).cast_signed();
            return Ok((self.partition(memory, topic, index)?, false));
        }
        if self.config.partitioner == Partitioner::RoundRobin {
            return Ok((self.next_turn(memory, topic, count)?, true));
        }
        let sticky = slot.sticky;
        let sticks = sticky.is_some() && memory.partitions[sticky].topic == topic;
        if sticks && !self.is_enough(memory, topic) {
            return Ok((sticky, true));
        }
        let chosen = self.pick(memory, topic, count)?;
        let slot = &mut memory.topics[topic];
        slot.sticky = chosen;
        slot.sticky_bytes = 0;
        Ok((chosen, true))
    }

    /// Counts bytes towards the switch to another partition: at `batch.size` once no batch is
    /// open that would be left a fragment, at twice that in any case (KIP-794).
    fn stick(&self, memory: &mut Memory<'_>, topic: TopicId, partition: PartitionId, grown: u32) {
        let index = memory.partitions[partition].index;
        let slot = &mut memory.topics[topic];
        // Of partitions that take turns; a record that was refused takes none.
        slot.next_turn = index.cast_unsigned().wrapping_add(1);
        slot.sticky_bytes = slot.sticky_bytes.saturating_add(grown);
        if self.is_enough(memory, topic) {
            memory.topics[topic].sticky = PartitionId::NONE;
        }
    }

    /// Whether enough went to the partition of keyless records. Asked before a record, too: the
    /// batch that kept them there may have been sent.
    fn is_enough(&self, memory: &Memory<'_>, topic: TopicId) -> bool {
        let slot = &memory.topics[topic];
        let enough = self.config.batch_size.max(1);
        if slot.sticky_bytes < enough {
            return false;
        }
        let last = memory.partitions[slot.sticky].last;
        last.is_none()
            || memory.batches[last].state != BatchState::Open
            || slot.sticky_bytes / 2 >= enough
    }

    /// The slot of a partition, made if it is not there.
    pub(super) fn partition(
        &mut self,
        memory: &mut Memory<'_>,
        topic: TopicId,
        index: i32,
    ) -> Result<PartitionId, Refused> {
        let known = memory.find_partition(topic, index);
        if known.is_some() {
            return Ok(known);
        }
        if !self.pools.partitions.has_room(&memory.partitions) {
            return Err(Refused::Full(Full::Partitions));
        }
        let partition = self.add_partition(memory, topic, index);
        self.request_news();
        Ok(partition)
    }

    /// Takes a free slot; the caller has made sure that there is one.
    pub(super) fn add_partition(
        &mut self,
        memory: &mut Memory<'_>,
        topic: TopicId,
        index: i32,
    ) -> PartitionId {
        let number = self.pools.partitions.take(&mut memory.partitions).unwrap_or(0);
        let partition = PartitionId::from_number(number);
        if partition.is_some() {
            let slot = &mut memory.partitions[partition];
            slot.topic = topic;
            slot.index = index;
            memory.index_partition(partition);
        }
        partition
    }

    /// Frees the slot of an idle partition, in a full table that cannot grow. A slot that used
    /// a sequence of the current epoch is freed only after a bump, so that what it used is never
    /// used again. R10.
    pub(crate) fn free_idle_partition(&mut self, memory: &mut Memory<'_>) -> bool {
        let mut idle = PartitionId::NONE;
        for number in self.pools.partitions.numbers() {
            let partition = PartitionId::from_number(number);
            let slot = &memory.partitions[partition];
            if slot.topic.is_none() || slot.batches > 0 || slot.in_flight > 0 {
                continue;
            }
            idle = partition;
            if slot.sequences.identity().is_none() {
                break;
            }
        }
        if idle.is_none() {
            return false;
        }
        let used = memory.partitions[idle].sequences.identity();
        if used.is_some() && used == self.identity {
            self.bump_identity();
        }
        self.forget_partition(memory, idle);
        true
    }

    fn forget_partition(&mut self, memory: &mut Memory<'_>, partition: PartitionId) {
        self.unready(memory, partition);
        self.timers.remove(memory, partition);
        self.set_broker(memory, partition, crate::memory::BrokerId::NONE);
        memory.unindex_partition(partition);
        let topic = memory.partitions[partition].topic;
        if memory.topics[topic].sticky == partition {
            memory.topics[topic].sticky = PartitionId::NONE;
        }
        self.pools.partitions.give(&mut memory.partitions, partition.number());
    }

    fn append(
        &mut self,
        memory: &mut Memory<'_>,
        partition: PartitionId,
        record: &Record<'_>,
        fields: u32,
        timestamp: i64,
    ) -> Result<(Accepted, u32), Full> {
        let last = memory.partitions[partition].last;
        if memory.batches[last].state == BatchState::Open {
            if let Some(done) = self.append_to(memory, last, record, fields, timestamp) {
                return Ok(done);
            }
            // It does not fit any more: the batch is full.
            memory.batches[last].state.enter(BatchState::Closed);
            self.evaluate(memory, partition);
        }
        let batch = self.open_batch(memory, partition, fields, timestamp)?;
        let added = self.append_to(memory, batch, record, fields, timestamp);
        debug_assert!(added.is_some(), "a first record always fits");
        let Some((mut accepted, grown)) = added else { return Err(Full::Memory) };
        self.evaluate(memory, partition);
        accepted.wake = self.needs_wake(memory, partition);
        Ok((accepted, grown.saturating_add(layout::HEADER)))
    }

    /// Appends to an open batch; `None` if the record does not fit.
    fn append_to(
        &mut self,
        memory: &mut Memory<'_>,
        batch: BatchId,
        record: &Record<'_>,
        fields: u32,
        timestamp: i64,
    ) -> Option<(Accepted, u32)> {
        let slot = &memory.batches[batch];
        let (block, from, limit, place) = (slot.block, slot.length, slot.limit, slot.count);
        let delta = timestamp.saturating_sub(slot.base_timestamp);
        let grown = size::record(size::body(fields, place.cast_signed(), delta));
        let length = from.saturating_add(grown);
        if length > limit {
            return None;
        }
        let room = match memory.blocks.get_mut(block)? {
            bytes if bytes.len() >= length as usize => bytes,
            _ => {
                if !memory.blocks.enlarge(block, length, limit) {
                    return None;
                }
                memory.blocks.get_mut(block)?
            }
        };
        let room = room.get_mut(from as usize..)?;
        if !builder::append(room, record, fields, place.cast_signed(), delta) {
            return None;
        }
        let slot = &mut memory.batches[batch];
        slot.length = length;
        slot.count = place.wrapping_add(1);
        slot.max_timestamp = slot.max_timestamp.max(timestamp);
        slot.class = slot.class.max(record.class);
        let full = length >= limit;
        if full {
            slot.state.enter(BatchState::Closed);
        }
        let partition = slot.partition;
        let entry = &mut memory.partitions[partition];
        let number = entry.accepted;
        entry.accepted = number.wrapping_add(1);
        let index = entry.index;
        let wake = if full && place > 0 {
            self.evaluate(memory, partition);
            self.needs_wake(memory, partition)
        } else {
            false
        };
        let batch = Batch { id: batch };
        Some((Accepted { slot: partition, partition: index, number, batch, place, wake }, grown))
    }

    fn open_batch(
        &mut self,
        memory: &mut Memory<'_>,
        partition: PartitionId,
        fields: u32,
        timestamp: i64,
    ) -> Result<BatchId, Full> {
        if !self.batches.has_room(&memory.batches) {
            return Err(Full::Batches);
        }
        let first = layout::HEADER.saturating_add(size::record(size::body(fields, 0, 0)));
        let Some(block) = memory.blocks.allocate(first) else { return Err(Full::Memory) };
        let number = self.batches.take(&mut memory.batches).unwrap_or(0);
        let batch = BatchId::from_number(number);
        self.serial = self.serial.wrapping_add(1);
        let largest = memory.blocks.largest().min(self.config.max_request_size);
        let before = core::mem::replace(&mut self.live_last, batch);
        let entry = &mut memory.partitions[partition];
        let last = core::mem::replace(&mut entry.last, batch);
        if entry.cursor.is_none() && !entry.course.probes() {
            entry.cursor = batch;
        }
        if last.is_none() {
            entry.first = batch;
        }
        entry.batches = entry.batches.saturating_add(1);
        let first_number = entry.accepted;
        let slot = &mut memory.batches[batch];
        slot.state.enter(BatchState::Open);
        slot.partition = partition;
        slot.block = block;
        slot.length = layout::HEADER;
        slot.limit = self.config.batch_size.min(largest).max(first);
        slot.created = self.now;
        slot.serial = self.serial;
        slot.base_timestamp = timestamp;
        slot.max_timestamp = timestamp;
        slot.first_number = first_number;
        slot.live_previous = before;
        if last.is_some() {
            memory.batches[last].next = batch;
        }
        if before.is_some() {
            memory.batches[before].live_next = batch;
        } else {
            self.live_first = batch;
        }
        Ok(batch)
    }

    /// Makes every open batch due now: for a flush or for closing, which close it, too, or because memory
    /// is full.
    pub(super) fn make_all_due(&mut self, memory: &mut Memory<'_>, close: bool) {
        let mut done = core::mem::replace(&mut self.due_serial, self.serial);
        if close {
            done = core::mem::replace(&mut self.closed_serial, self.serial);
        }
        let mut batch = self.live_last;
        while memory.batches[batch].serial > done {
            let slot = &mut memory.batches[batch];
            let (partition, before) = (slot.partition, slot.live_previous);
            if slot.state == BatchState::Open {
                slot.set(mark::DUE);
                if close {
                    slot.state.enter(BatchState::Closed);
                }
                self.evaluate(memory, partition);
            }
            batch = before;
        }
    }
}
