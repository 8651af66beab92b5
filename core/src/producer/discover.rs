//! Metadata and the producer id: what any broker can be asked for.

use super::machine::{Machine, Question};
use super::outcome::{Broker, Notice};
use crate::cluster::{NO_ID, TopicSlot, TopicState, flag};
use crate::error::Full;
use crate::identity::Identity;
use crate::memory::{BrokerId, HOST_MAX, Memory, PartitionId, Perhaps, TopicId};
use crate::message::{Api, ErrorCode, init_producer_id, metadata};
use crate::time::{Duration, Instant};
use crate::wire::write::copy;

/// The shortest pause before metadata is asked for again in vain, whatever `retry.backoff.ms` is:
/// brokers answer at once.
const METADATA_PAUSE: Duration = Duration::from_millis(10);

impl Machine {
    /// Metadata of all topics in use is needed, as soon as back-off allows.
    pub(super) fn request_metadata(&mut self) {
        self.refresh.question.need();
        self.refresh.full = true;
    }

    /// Metadata of this topic is needed, as soon as back-off allows.
    pub(super) fn request_topic(&mut self, memory: &mut Memory<'_>, topic: TopicId) {
        let slot = &mut memory.topics[topic];
        if self.refresh.question.is_asked()
            && slot.asked
            && matches!(slot.state, TopicState::Unknown)
        {
            // The answer that is on its way is about it.
            return;
        }
        slot.wanted = true;
        self.refresh.question.need();
    }

    /// Metadata is needed of something new: only a failure makes it wait. An answer that is on its
    /// way may have it.
    pub(super) fn request_news(&mut self) {
        if self.refresh.question.is_asked() {
            return;
        }
        self.refresh.question.need();
        if self.refresh.failures == 0 {
            self.refresh.retry_at = self.now;
        }
    }

    /// R14: age counts when something is sent.
    pub(super) fn check_metadata_age(&mut self) {
        if self.refresh.question.is_asked() && self.refresh.asked_full {
            return;
        }
        let age = self.config.metadata_max_age;
        if self.refresh.done_at.is_none_or(|done| done.after(age) <= self.now) {
            self.request_metadata();
        }
    }

    /// Asks any broker for what is needed.
    pub(super) fn ask(&mut self, memory: &mut Memory<'_>) {
        let refresh = self.refresh.question.is_due() && self.refresh.retry_at <= self.now;
        let acquire = self.acquire.question.is_due() && self.acquire.retry_at <= self.now;
        if refresh {
            // Longer than an attempt takes, nobody waited: the time counts anew.
            let longest = self.config.request_timeout.max(self.config.connection_setup_timeout_max);
            if self.refresh.tried_at.after(longest).after(longest) <= self.now {
                self.refresh.began = None;
            }
            self.refresh.tried_at = self.now;
            self.refresh.began.get_or_insert(self.now);
        }
        let refresh = refresh && self.make_room_for_leader(memory);
        if !refresh && !acquire {
            return;
        }
        let Some(link) = self.any_link(memory) else {
            self.seek_contact(memory);
            return;
        };
        if refresh {
            let version = memory.links[link].version(Api::Metadata);
            match self.links.push(memory, link, Api::Metadata, i16::from(version)) {
                Some(request) => {
                    memory.requests[request].topics = self.choose_topics(memory);
                    self.measure_last(memory, link);
                    self.refresh.question.enter(Question::Asked);
                }
                None => self.full = Perhaps::Yes(Full::Requests),
            }
        }
        if acquire {
            let version = memory.links[link].version(Api::InitProducerId);
            match self.links.push(memory, link, Api::InitProducerId, i16::from(version)) {
                Some(_) => {
                    self.measure_last(memory, link);
                    self.acquire.question.enter(Question::Asked);
                }
                None => self.full = Perhaps::Yes(Full::Requests),
            }
        }
    }

    /// Marks the topics that the next request asks for: new ones alone, or all that are in use.
    fn choose_topics(&mut self, memory: &mut Memory<'_>) -> u32 {
        let partial =
            !core::mem::take(&mut self.refresh.full) && self.any_topic(memory, |slot| slot.wanted);
        self.refresh.asked_full = !partial;
        if !partial {
            for number in self.pools.partitions.numbers() {
                let slot = &memory.partitions[PartitionId::from_number(number)];
                if slot.first.is_some() {
                    memory.topics[slot.topic].used_at = self.now;
                }
            }
        }
        let mut count = 0_u32;
        for topic in self.pools.topics.numbers().map(TopicId::from_number) {
            let slot = &mut memory.topics[topic];
            let used = slot.used_at.after(self.config.metadata_max_idle) >= self.now;
            slot.asked = slot.wanted || !partial && (used || slot.is_awaited());
            slot.left_out |= !partial && !slot.asked;
            slot.wanted = false;
            count = count.wrapping_add(u32::from(slot.asked));
        }
        count
    }

    pub(super) fn begin_metadata(&mut self) {
        self.refresh.topic = TopicId::NONE;
        self.refresh.incomplete = false;
        self.refresh.news = false;
        self.refresh.error = ErrorCode::NONE;
    }

    pub(super) fn metadata_item(
        &mut self,
        memory: &mut Memory<'_>,
        link: crate::link::LinkId,
        version: i16,
        item: metadata::Item<'_>,
    ) {
        match item {
            metadata::Item::Throttle(millis) => self.throttle(memory, link, millis),
            metadata::Item::Broker { id, host, port } => {
                self.broker_item(memory, id, host, port);
            }
            metadata::Item::Topic { error, name, id } => self.topic_item(memory, error, name, id),
            metadata::Item::PartitionCount(count) => self.count_item(memory, count),
            metadata::Item::Partition { error, index, leader, leader_epoch } => {
                // Brokers below version 9 may report epochs that are out of date.
                let epoch =
                    if version >= 9 && leader_epoch >= 0 { Some(leader_epoch) } else { None };
                let leader = if leader >= 0 { Some(leader) } else { None };
                self.partition_item(memory, error, index, leader, epoch);
            }
            metadata::Item::Error(code) => self.refresh.error = code,
        }
    }

    /// A broker's address. Kept if the broker is known, or while there is room: the broker that
    /// leads nothing makes room. Once leaders did not fit, only leaders are kept.
    pub(super) fn broker_item(&mut self, memory: &mut Memory<'_>, id: i32, host: &[u8], port: i32) {
        let Ok(port) = u16::try_from(port) else { return };
        let mut broker = self.find_broker(memory, id);
        if broker.is_none() {
            broker = self.admit(memory, id);
            if broker.is_none() {
                return;
            }
            memory.brokers[broker].id = Some(id);
            memory.brokers[broker].used = true;
        }
        self.set_address(memory, broker, host, port);
    }

    /// Keeps an address. A host name that is too long is told, and nothing can connect to it.
    pub(super) fn set_address(
        &mut self,
        memory: &mut Memory<'_>,
        broker: BrokerId,
        host: &[u8],
        port: u16,
    ) -> bool {
        let range = memory.host_range(broker);
        let same = memory.hosts.get(range.clone()) == Some(host);
        let fits = host.len() <= memory.host_room().min(HOST_MAX);
        if same && memory.brokers[broker].port == port {
            return true;
        }
        if let Some(room) = memory.hosts.get_mut(range.start..)
            && fits
        {
            copy(room, host);
        }
        let slot = &mut memory.brokers[broker];
        slot.host_length = if fits { host.len() as u8 } else { 0 };
        slot.port = port;
        slot.failures = 0;
        slot.retry_at = self.now;
        if !fits {
            self.notice(Notice::HostTooLong(Broker { id: broker }));
        }
        fits
    }

    /// A place for a broker that is not known yet. The leader that is waited for has the first
    /// claim; where one had to be, only leaders get a place.
    fn admit(&mut self, memory: &mut Memory<'_>, id: i32) -> BrokerId {
        let leaders_only = self.refresh.homeless.is_some();
        if leaders_only && !self.leads_anything(memory, id) {
            return BrokerId::NONE;
        }
        if !self.pools.brokers.has_room(&memory.brokers) {
            self.full = Perhaps::Yes(Full::Brokers);
            let useless = |broker: &BrokerId| {
                let slot = &memory.brokers[*broker];
                let unused = slot.leads == 0 && slot.link.is_none() && !slot.wanted;
                slot.id
                    .is_some_and(|id| unused && !(leaders_only && self.leads_anything(memory, id)))
            };
            let Some(useless) = self.brokers().find(useless) else { return BrokerId::NONE };
            self.pools.brokers.give(&mut memory.brokers, useless.number());
        }
        let missing = self.missing_leader(memory);
        if missing.is_some_and(|missing| missing != id)
            && self.pools.brokers.has_one(&memory.brokers)
        {
            return BrokerId::NONE;
        }
        BrokerId::from_number(self.pools.brokers.take(&mut memory.brokers).unwrap_or(0))
    }

    /// The leader that is waited for, while its address is not known.
    pub(super) fn missing_leader(&self, memory: &Memory<'_>) -> Option<i32> {
        let leader = memory.partitions[self.refresh.homeless].leader;
        leader.filter(|id| self.find_broker(memory, *id).is_none())
    }

    /// Records of a partition wait for its leader, or for the leader's address.
    pub(super) fn await_leader(&mut self, memory: &Memory<'_>, partition: PartitionId) {
        let leader = memory.partitions[partition].leader;
        if leader.is_some() && self.missing_leader(memory).is_none() {
            // Out of turn: who has it next is found at the end of an answer.
            self.refresh.homeless = partition;
        }
        if !self.refresh.question.is_asked() {
            self.request_metadata();
        }
        // Otherwise the end of the answer that is on its way looks whether it was there.
    }

    /// From when metadata can help: at once, or when a leader that is waited for may have the
    /// place of another broker.
    pub(super) fn room_at(&self, memory: &Memory<'_>) -> Instant {
        if self.missing_leader(memory).is_none() || self.pools.brokers.has_room(&memory.brokers) {
            return Instant::ZERO;
        }
        self.replaceable(memory).1
    }

    /// The broker that can be forgotten for another, or else from when there may be one: rather
    /// one that leads nothing than one that has nothing to be sent, cannot be reached, or has
    /// had its turn, longest ago.
    fn replaceable(&self, memory: &Memory<'_>) -> (BrokerId, Instant) {
        let mut found = (BrokerId::NONE, Instant::ZERO);
        let mut oldest = Instant::MAX;
        let mut told = false;
        for broker in self.brokers() {
            let slot = &memory.brokers[broker];
            if slot.id.is_none() {
                continue;
            }
            told = true;
            let idle = if slot.link.is_none() {
                slot.ready_count == 0 || slot.failures > 0
            } else {
                self.is_spare(memory, slot.link)
            };
            let since = if slot.leads == 0 { Instant::ZERO } else { slot.wanted_at };
            if idle && since < oldest {
                oldest = since;
                found.0 = broker;
            }
        }
        if told && found.0.is_none() {
            // Links that are being made end by their own deadlines.
            found.1 = self.longest_turn(memory).map_or(Instant::MAX, |(over, _)| over);
        }
        found
    }

    /// Forgets a broker if the leader that is waited for finds no room. False: none can be
    /// forgotten yet, and metadata would be in vain.
    fn make_room_for_leader(&mut self, memory: &mut Memory<'_>) -> bool {
        if self.missing_leader(memory).is_none() || self.pools.brokers.has_room(&memory.brokers) {
            return true;
        }
        let (broker, at) = self.replaceable(memory);
        if broker.is_some() {
            if memory.links[memory.brokers[broker].link].useful {
                // It had its turn, and used it: the answers that gave it its place were not in vain.
                self.refresh.failures = 0;
            }
            self.forget_broker(memory, broker);
        } else {
            self.yield_longest(memory);
        }
        at == Instant::ZERO
    }

    /// Gives a broker's place away. Its address is asked for again when it has something to do.
    pub(super) fn forget_broker(&mut self, memory: &mut Memory<'_>, broker: BrokerId) {
        let link = memory.brokers[broker].link;
        if link.is_some() {
            self.end_link(memory, link, crate::link::Reason::Replaced, false);
        }
        for number in self.pools.partitions.numbers() {
            let partition = PartitionId::from_number(number);
            if memory.partitions[partition].broker == broker {
                self.unready(memory, partition);
                self.set_broker(memory, partition, BrokerId::NONE);
            }
        }
        if memory.brokers[broker].wanted {
            self.wanted = self.wanted.saturating_sub(1);
        }
        self.pools.brokers.give(&mut memory.brokers, broker.number());
    }

    pub(super) fn find_broker(&self, memory: &Memory<'_>, id: i32) -> BrokerId {
        let found = self.brokers().find(|b| memory.brokers[*b].id == Some(id));
        found.unwrap_or(BrokerId::NONE)
    }

    fn leads_anything(&self, memory: &Memory<'_>, id: i32) -> bool {
        self.pools.partitions.numbers().any(|number| {
            let slot = &memory.partitions[PartitionId::from_number(number)];
            slot.leader == Some(id)
        })
    }

    fn topic_item(&mut self, memory: &mut Memory<'_>, error: ErrorCode, name: &[u8], id: [u8; 16]) {
        let topic = memory.find_topic(name);
        self.refresh.topic = TopicId::NONE;
        if topic.is_none() {
            return;
        }
        let slot = &mut memory.topics[topic];
        if error.is_success() {
            self.refresh.topic = topic;
            let known = slot.id;
            if id != NO_ID {
                slot.id = id;
            }
            if known != NO_ID && known != id {
                // R11: a new topic id. Sequences go on; what was proven does not. At once, for the
                // answer may break off here, or tell of fewer partitions. Who tells no id may be
                // of another cluster, if the producer has begun again.
                self.forget_epochs(memory, topic, id != NO_ID);
            }
        } else if error.is_retriable() {
            // Being made, or without a leader: what is known stays. R11. But where topics have no
            // ids, one that is gone may come back as another.
            let gone = error == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION && slot.id == NO_ID;
            let waited_for = slot.awaited || self.live_first.is_some();
            self.refresh.incomplete |= matches!(slot.state, TopicState::Unknown) && waited_for;
            if gone {
                self.forget_epochs(memory, topic, true);
            }
        } else {
            slot.state.enter(TopicState::Failed(error));
            if slot.awaited {
                self.topic_events = self.topic_events.saturating_add(1);
            }
        }
    }

    /// The epochs of a topic's leaders begin again; `all`, or only where none is known.
    fn forget_epochs(&self, memory: &mut Memory<'_>, topic: TopicId, all: bool) {
        for number in self.pools.partitions.numbers() {
            let slot = &mut memory.partitions[PartitionId::from_number(number)];
            if slot.topic == topic && (all || slot.leader.is_none()) {
                slot.leader_epoch = None;
                slot.sequences.doubt();
            }
        }
    }

    fn count_item(&mut self, memory: &mut Memory<'_>, count: u32) {
        let topic = self.refresh.topic;
        if topic.is_none() || count == 0 {
            return;
        }
        let sticky = memory.topics[topic].sticky;
        let slot = &mut memory.topics[topic];
        slot.partitions = count;
        if memory.partitions[sticky].index >= count.cast_signed() {
            // The topic was made anew with fewer partitions.
            slot.sticky = PartitionId::NONE;
        }
        if !matches!(slot.state, TopicState::Known) {
            slot.state.enter(TopicState::Known);
            if slot.awaited {
                self.topic_events = self.topic_events.saturating_add(1);
            }
        }
    }

    fn partition_item(
        &mut self,
        memory: &mut Memory<'_>,
        error: ErrorCode,
        index: i32,
        leader: Option<i32>,
        epoch: Option<i32>,
    ) {
        let topic = self.refresh.topic;
        if topic.is_none() {
            return;
        }
        let mut partition = memory.find_partition(topic, index);
        if partition.is_none() {
            if !self.pools.partitions.has_room(&memory.partitions) {
                return;
            }
            partition = self.add_partition(memory, topic, index);
        }
        let gone = leader.is_none() || !error.is_success() && error.needs_refresh();
        self.set_leader(memory, partition, if gone { None } else { leader }, epoch);
    }

    /// R11: an epoch never goes back within a topic id.
    fn set_leader(
        &mut self,
        memory: &mut Memory<'_>,
        partition: PartitionId,
        leader: Option<i32>,
        epoch: Option<i32>,
    ) {
        let slot = &mut memory.partitions[partition];
        // Who is known to lead may have its address in the same answer, however old that is.
        let old = epoch.is_some() && epoch < slot.leader_epoch;
        let leader = if old { slot.leader } else { leader };
        let newer = epoch > slot.leader_epoch;
        let moved = slot.leader != leader;
        slot.leader = leader;
        if newer {
            slot.leader_epoch = epoch;
            slot.set(flag::LEADER_CHANGED);
        }
        if moved || newer {
            slot.sequences.doubt();
            self.refresh.news = true;
        }
        let broker = leader.map_or(BrokerId::NONE, |id| self.find_broker(memory, id));
        self.set_broker(memory, partition, broker);
        self.evaluate(memory, partition);
    }

    /// A Produce answer told who leads (KIP-951). Taken only if its epoch is newer.
    pub(super) fn leader_hint(
        &mut self,
        memory: &mut Memory<'_>,
        partition: PartitionId,
        leader: i32,
        epoch: i32,
    ) {
        let newer = memory.partitions[partition].leader_epoch.is_none_or(|known| known < epoch);
        if newer {
            self.set_leader(memory, partition, Some(leader), Some(epoch));
        }
    }

    pub(super) fn set_broker(
        &mut self,
        memory: &mut Memory<'_>,
        partition: PartitionId,
        broker: BrokerId,
    ) {
        let before = core::mem::replace(&mut memory.partitions[partition].broker, broker);
        if before.is_some() {
            let slot = &mut memory.brokers[before];
            slot.leads = slot.leads.saturating_sub(1);
        }
        if broker.is_some() {
            let slot = &mut memory.brokers[broker];
            slot.leads = slot.leads.saturating_add(1);
        }
    }

    pub(super) fn finish_metadata(&mut self, memory: &mut Memory<'_>) {
        self.refresh.question.end();
        self.refresh.incomplete |= self.any_topic(memory, TopicSlot::is_awaited);
        self.look_for_leaders(memory);
        let told = self.refresh.error.is_success()
            && self.brokers().any(|broker| memory.brokers[broker].id.is_some());
        if told {
            self.refresh.began = None;
            if self.refresh.news {
                // What changes is worth another look soon.
                self.refresh.failures = 0;
            }
        } else {
            self.lose_patience();
        }
        if self.refresh.incomplete || !told {
            self.request_metadata();
            self.back_off_metadata();
        } else {
            self.refresh.failures = 0;
            self.refresh.retry_at = self.now.after(self.config.retry_backoff);
        }
        if self.refresh.asked_full || self.refresh.done_at.is_none() {
            self.refresh.done_at = Some(self.now);
        }
        let is_news = |slot: &TopicSlot| {
            slot.wanted && !slot.asked && !matches!(slot.state, TopicState::Failed(_))
        };
        if self.any_topic(memory, is_news) {
            // Named since it was asked for; others that are wanted wait as after any answer.
            self.request_news();
        }
        if self.refresh.error == ErrorCode::REBOOTSTRAP_REQUIRED {
            self.refresh.astray = true;
        }
    }

    /// Finds out whether records wait for a leader, and which of those whose leader has no address
    /// is next. By the age of their records the same leaders would come again and again.
    fn look_for_leaders(&mut self, memory: &Memory<'_>) {
        self.refresh.homeless = PartitionId::NONE;
        let last = self.refresh.claimant;
        let mut nearest = u32::MAX;
        for number in self.pools.partitions.numbers() {
            let partition = PartitionId::from_number(number);
            let slot = &memory.partitions[partition];
            if slot.broker.is_none() && slot.first.is_some() {
                self.refresh.incomplete = true;
                let Some(leader) = slot.leader else { continue };
                // The last one is the farthest, going round.
                let far = leader.wrapping_sub(last).wrapping_sub(1).cast_unsigned();
                if far <= nearest {
                    nearest = far;
                    self.refresh.homeless = partition;
                    self.refresh.claimant = leader;
                }
            }
        }
    }

    fn back_off_metadata(&mut self) {
        let failures = u32::from(self.refresh.failures);
        self.refresh.failures = self.refresh.failures.saturating_add(1);
        let pause = self.retry_backoff(failures).max(METADATA_PAUSE);
        self.refresh.retry_at = self.now.after(pause);
    }

    /// The link ended before the answer.
    pub(super) fn metadata_failed(&mut self, memory: &mut Memory<'_>) {
        self.refresh.question.end();
        self.request_metadata();
        self.lose_patience();
        for number in self.pools.topics.numbers() {
            let slot = &mut memory.topics[TopicId::from_number(number)];
            slot.wanted |= slot.asked && matches!(slot.state, TopicState::Unknown);
        }
        self.back_off_metadata();
    }

    /// R14: a topic that was only named is asked for once. When no broker can be reached, and
    /// neither a record nor a refused call waits, it is left until one does.
    pub(super) fn rest(&mut self, memory: &mut Memory<'_>) {
        let reachable =
            |broker: BrokerId| memory.brokers[broker].used && memory.brokers[broker].failures == 0;
        if self.is_awaited(memory) || self.brokers().any(reachable) {
            return;
        }
        for number in self.pools.topics.numbers() {
            memory.topics[TopicId::from_number(number)].wanted = false;
        }
        self.refresh.done_at = None;
    }

    /// The answer to InitProducerId.
    pub(super) fn producer_id(&mut self, memory: &mut Memory<'_>, answer: &init_producer_id::Item) {
        self.acquire.question.end();
        let code = answer.error;
        if code.is_success() && answer.producer_id < 0 {
            // No id at all: nothing may be sent under it. R9.
            self.acquire_failed();
        } else if code.is_success() {
            self.acquire.failures = 0;
            self.identity = Some(Identity { id: answer.producer_id, epoch: answer.producer_epoch });
        } else if code.is_retriable() {
            self.acquire_failed();
        } else {
            // Everything queued fails; of a missing permission the next record tries again.
            self.fail_all(memory, code);
            if code != ErrorCode::CLUSTER_AUTHORIZATION_FAILED {
                self.fatal = Some(code);
            }
        }
    }

    pub(super) fn acquire_failed(&mut self) {
        self.acquire.question.end();
        self.acquire.question.need();
        let failures = u32::from(self.acquire.failures);
        self.acquire.failures = self.acquire.failures.saturating_add(1);
        let pause = self.retry_backoff(failures);
        self.acquire.retry_at = self.now.after(pause);
    }

    /// The next epoch, for partitions that adopt it one by one (R9); after the last epoch a new
    /// id is asked for, and until it comes nothing new is sent.
    pub(super) fn bump_identity(&mut self) {
        self.identity = self.identity.and_then(Identity::bumped);
        self.counters.bumps = self.counters.bumps.wrapping_add(1);
        if self.identity.is_none() {
            self.acquire.question.need();
        }
    }
}
