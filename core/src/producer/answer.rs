//! Answers come in as a stream and are matched with what was asked.

use super::machine::Machine;
use super::outcome::Doubt;
use super::resolve::End;
use super::slots::{BatchId, mark};
use crate::error::Fault;
use crate::link::{
    Body, Link, LinkId, LinkState, Matching, Reason, Receive, ReceiveStage, RequestId, topic_of,
};
use crate::memory::{Memory, Perhaps, TopicId};
use crate::message::{Api, ErrorCode, Step, api_versions, produce};
use crate::time::{Duration, Instant};
use crate::wire::input::Input;
use crate::wire::parse;

impl Machine {
    /// Bytes came in on a link. Everything is used; what a fault leaves over is of no use.
    pub(crate) fn handle_input(
        &mut self,
        memory: &mut Memory<'_>,
        now: Instant,
        link: Link,
        bytes: &[u8],
    ) {
        self.tick(now);
        let Some(id) = self.links.resolve(memory, link) else { return };
        memory.links[id].active_at = self.now;
        // Taken out of the memory while the rest of it is worked on.
        let receives = core::mem::take(&mut memory.receives);
        let result = match receives.get_mut(id.index()) {
            Some(receive) => self.receive(memory, link, id, receive, bytes),
            None => Ok(()),
        };
        memory.receives = receives;
        if let Err(fault) = result
            && self.links.resolve(memory, link).is_some()
        {
            self.end_link(memory, id, Reason::Fault(fault), false);
            if fault == Fault::Negotiation(ErrorCode::REBOOTSTRAP_REQUIRED) {
                self.refresh.astray = true;
            }
        }
        self.maintain(memory);
    }

    fn receive(
        &mut self,
        memory: &mut Memory<'_>,
        handle: Link,
        link: LinkId,
        receive: &mut Receive,
        mut bytes: &[u8],
    ) -> Result<(), Fault> {
        loop {
            match receive.stage {
                ReceiveStage::Size => {
                    let (size, rest) = receive.frame.size(bytes)?;
                    bytes = rest;
                    let Some(size) = size else { return Ok(()) };
                    receive.frame.start(size);
                    receive.stage = ReceiveStage::Correlation;
                }
                ReceiveStage::Correlation => {
                    let mut input = Input::new(&mut receive.frame, bytes);
                    let correlation = input.atom(parse::int32)?;
                    bytes = input.rest(bytes);
                    let Some(correlation) = correlation else { return Ok(()) };
                    let request = Self::asked(memory, link)?;
                    if memory.requests[request].correlation != correlation {
                        return Err(Fault::WrongCorrelation);
                    }
                    let api = memory.requests[request].api;
                    // With the frame's size and the correlation id, which are read already.
                    let length = receive.frame.left().saturating_add(8);
                    self.counters.received.add(api, false, length);
                    receive.body = Body::of(api);
                    if let Body::Produce(_, matching) = &mut receive.body {
                        matching.next = memory.requests[request].batches;
                    }
                    self.begin_answer(memory, request);
                    receive.stage = ReceiveStage::HeaderTags;
                }
                ReceiveStage::HeaderTags => {
                    let request = Self::asked(memory, link)?;
                    let entry = &memory.requests[request];
                    let tags = entry.api.has_answer_tags(entry.version);
                    let mut input = Input::new(&mut receive.frame, bytes);
                    let over = input.no_tags(tags)?;
                    bytes = input.rest(bytes);
                    if !over {
                        return Ok(());
                    }
                    receive.stage = ReceiveStage::Body;
                }
                ReceiveStage::Body => {
                    let request = Self::asked(memory, link)?;
                    let mut input = Input::new(&mut receive.frame, bytes);
                    let body = &mut receive.body;
                    let over = self.body(memory, link, request, body, &mut input)?;
                    bytes = input.rest(bytes);
                    if !over {
                        return Ok(());
                    }
                    receive.stage = ReceiveStage::Rest;
                    let refused =
                        matches!(&receive.body, Body::ApiVersions(answer) if answer.is_refusal());
                    self.finish_answer(memory, link, request, refused)?;
                    if self.links.resolve(memory, handle).is_none() {
                        return Ok(());
                    }
                }
                ReceiveStage::Rest => {
                    let mut input = Input::new(&mut receive.frame, bytes);
                    input.skip_rest();
                    bytes = input.rest(bytes);
                    if !receive.frame.is_over() {
                        return Ok(());
                    }
                    receive.stage = ReceiveStage::Size;
                    if bytes.is_empty() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// The request that an answer on the link belongs to: the oldest, if all of it was lent.
    fn asked(memory: &Memory<'_>, link: LinkId) -> Result<RequestId, Fault> {
        let slot = &memory.links[link];
        let request = slot.first;
        if request.is_none() || slot.lent.request == request {
            return Err(Fault::UnexpectedAnswer);
        }
        Ok(request)
    }

    fn begin_answer(&mut self, memory: &mut Memory<'_>, request: RequestId) {
        match memory.requests[request].api {
            Api::Metadata => self.begin_metadata(),
            Api::ApiVersions => {
                let link = memory.requests[request].link;
                memory.links[link].versions = [crate::link::NO_VERSION; 5];
            }
            Api::Produce | Api::InitProducerId | Api::CreateTopics => {}
        }
    }

    /// Decodes as far as the bytes go. True at the end of the answer.
    fn body(
        &mut self,
        memory: &mut Memory<'_>,
        link: LinkId,
        request: RequestId,
        body: &mut Body,
        input: &mut Input<'_>,
    ) -> Result<bool, Fault> {
        let version = memory.requests[request].version;
        loop {
            match body {
                Body::ApiVersions(answer) => match answer.next(version, input)? {
                    Step::More => return Ok(false),
                    Step::End => return Ok(true),
                    Step::Item(item) => self.versions_item(memory, link, item)?,
                },
                Body::Metadata(answer) => match answer.next(version, input)? {
                    Step::More => return Ok(false),
                    Step::End => return Ok(true),
                    Step::Item(item) => self.metadata_item(memory, link, version, item),
                },
                Body::InitProducerId(answer) => match answer.next(version, input)? {
                    Step::More => return Ok(false),
                    Step::End => return Ok(true),
                    Step::Item(item) => {
                        self.throttle(memory, link, item.throttle_ms);
                        self.producer_id(memory, &item);
                    }
                },
                Body::Produce(answer, matching) => match answer.next(version, input)? {
                    Step::More => return Ok(false),
                    Step::End => return Ok(true),
                    Step::Item(item) => self.produce_item(memory, link, request, matching, item),
                },
                Body::None => return Ok(true),
            }
        }
    }

    /// An answer is complete: its request is over.
    fn finish_answer(
        &mut self,
        memory: &mut Memory<'_>,
        link: LinkId,
        request: RequestId,
        refused: bool,
    ) -> Result<(), Fault> {
        let api = memory.requests[request].api;
        let version = memory.requests[request].version;
        self.pass_request(memory, request);
        let batches = memory.requests[request].batches;
        self.links.remove(memory, request);
        self.rearm(memory, link);
        match api {
            Api::ApiVersions => self.negotiated(memory, link, version, refused)?,
            Api::Metadata => self.finish_metadata(memory),
            Api::Produce => {
                memory.links[link].useful = true;
                memory.brokers[memory.links[link].broker].served_at = self.now;
                self.refresh.restarts = 0;
                self.settle_all(memory, batches, true, Doubt::Missing);
            }
            Api::InitProducerId | Api::CreateTopics => {}
        }
        // Room on the link may be what a ready partition waits for; `output` finds it.
        Ok(())
    }

    /// Settles every batch of a request that is over. Those without an answer of their own end
    /// by `doubt` if the request may have reached the broker.
    pub(super) fn settle_all(
        &mut self,
        memory: &mut Memory<'_>,
        mut batch: BatchId,
        lent: bool,
        doubt: Doubt,
    ) {
        while batch.is_some() {
            let slot = &mut memory.batches[batch];
            let next = core::mem::take(&mut slot.in_request);
            let end = if slot.has(mark::HEARD) {
                End::Answered
            } else if lent {
                End::Lost(doubt)
            } else {
                End::Unsent
            };
            slot.clear(mark::HEARD);
            self.settle(memory, batch, end);
            batch = next;
        }
    }

    /// With `acks=0` a request is over when its last byte was taken. R6.
    pub(super) fn finish_unacknowledged(&mut self, memory: &mut Memory<'_>, request: RequestId) {
        let link = memory.requests[request].link;
        let mut batch = memory.requests[request].batches;
        self.links.remove(memory, request);
        self.rearm(memory, link);
        while batch.is_some() {
            let next = core::mem::take(&mut memory.batches[batch].in_request);
            self.settle(memory, batch, End::Unacknowledged);
            batch = next;
        }
    }

    fn produce_item(
        &mut self,
        memory: &mut Memory<'_>,
        link: LinkId,
        request: RequestId,
        matching: &mut Matching,
        item: produce::Item<'_>,
    ) {
        match item {
            produce::Item::Topic(name) => {
                matching.topic = Self::match_topic(memory, request, matching, name);
            }
            produce::Item::Partition(answer) => {
                let batch = Self::match_batch(memory, request, matching, answer.index);
                matching.batch = batch;
                // What is said of a partition that was not asked for is nobody's.
                matching.keeping = false;
                if batch.is_some() {
                    let slot = &mut memory.batches[batch];
                    slot.set(mark::HEARD);
                    slot.code = answer.error;
                    if !slot.has(mark::FINAL) {
                        slot.offset = answer.base_offset;
                        slot.append_time = answer.log_append_time;
                    }
                    slot.clear(mark::NO_LOG_START);
                    if answer.log_start < 0 {
                        slot.set(mark::NO_LOG_START);
                    }
                    self.begin_texts(memory, matching, batch);
                }
            }
            produce::Item::Record(index) => Self::text_record(memory, matching, index),
            produce::Item::RecordText(chunk) => Self::text_chunk(memory, matching, chunk),
            produce::Item::Text(chunk) => Self::text_summary(memory, matching, chunk),
            produce::Item::Leader(id, epoch) => {
                let batch = matching.batch;
                if batch.is_some() && id >= 0 && epoch >= 0 {
                    let partition = memory.batches[batch].partition;
                    self.leader_hint(memory, partition, id, epoch);
                }
            }
            produce::Item::Throttle(millis) => self.throttle(memory, link, millis),
            produce::Item::Endpoint { id, host, port } => {
                self.broker_item(memory, id, host, port);
            }
        }
    }

    /// The topic of a request that an answer names, or tells by its id. An id that is none of the
    /// request's was changed by metadata meanwhile: then the batches have no answer, and their
    /// outcome is open.
    fn match_topic(
        memory: &Memory<'_>,
        request: RequestId,
        matching: &Matching,
        name: &[u8],
    ) -> TopicId {
        if memory.requests[request].version < produce::BY_ID {
            return memory.find_topic(name);
        }
        let mut batch = matching.next;
        if batch.is_none() || memory.topics[topic_of(memory, batch)].id != name {
            batch = memory.requests[request].batches;
            while batch.is_some() && memory.topics[topic_of(memory, batch)].id != name {
                batch = memory.batches[batch].in_request;
            }
        }
        topic_of(memory, batch)
    }

    /// The batch of a request that went to this partition. Brokers answer in the order of the
    /// request, so the first look is at the batch after the last one.
    fn match_batch(
        memory: &Memory<'_>,
        request: RequestId,
        matching: &mut Matching,
        index: i32,
    ) -> BatchId {
        let topic = matching.topic;
        let fits = |batch: BatchId| {
            let partition = &memory.partitions[memory.batches[batch].partition];
            partition.topic == topic
                && partition.index == index
                && !memory.batches[batch].has(mark::HEARD)
        };
        if topic.is_none() {
            return BatchId::NONE;
        }
        let mut found = matching.next;
        if found.is_none() || !fits(found) {
            found = memory.requests[request].batches;
            while found.is_some() && !fits(found) {
                found = memory.batches[found].in_request;
            }
        }
        if found.is_some() {
            matching.next = memory.batches[found].in_request;
        }
        found
    }

    /// The broker wants no request on the link for a while (KIP-219).
    pub(super) fn throttle(&self, memory: &mut Memory<'_>, link: LinkId, millis: i32) {
        let Ok(millis) = u64::try_from(millis) else { return };
        let pause = Duration::from_millis(millis);
        let until = self.now.after(pause);
        let slot = &mut memory.links[link];
        slot.throttled_until = slot.throttled_until.max(until);
        slot.deadline = slot.deadline.map(|deadline| deadline.after(pause));
    }

    fn versions_item(
        &mut self,
        memory: &mut Memory<'_>,
        link: LinkId,
        item: api_versions::Item,
    ) -> Result<(), Fault> {
        match item {
            api_versions::Item::Error(code)
                if code.is_success() || code == ErrorCode::UNSUPPORTED_VERSION => {}
            api_versions::Item::Error(code) => return Err(Fault::Negotiation(code)),
            api_versions::Item::Api(key, versions) => {
                if let Some(api) = Api::of_key(key)
                    && let Some(version) = api.versions().common(versions)
                {
                    memory.links[link].set_version(api, i8::try_from(version).unwrap_or(0));
                }
            }
            api_versions::Item::Throttle(millis) => self.throttle(memory, link, millis),
        }
        Ok(())
    }

    /// Versions are known, or have to be asked for in another version. R15.
    fn negotiated(
        &mut self,
        memory: &mut Memory<'_>,
        link: LinkId,
        asked: i16,
        refused: bool,
    ) -> Result<(), Fault> {
        let known = memory.links[link].version(Api::ApiVersions);
        if refused {
            if asked == 0 {
                return Err(Fault::Negotiation(ErrorCode::UNSUPPORTED_VERSION));
            }
            let version = i16::from(known.max(0));
            // A broker that refuses the version which it names is asked in the oldest one.
            let version = if version >= asked { 0 } else { version };
            if self.links.push(memory, link, Api::ApiVersions, version).is_some() {
                self.measure_last(memory, link);
            } else {
                self.full = Perhaps::Yes(crate::error::Full::Requests);
            }
            return Ok(());
        }
        let slot = &memory.links[link];
        let needed = [Api::Produce, Api::Metadata, Api::InitProducerId];
        let count = if self.config.idempotence { 3 } else { 2 };
        if needed.iter().take(count).any(|api| slot.version(*api) < 0) {
            return Err(Fault::NoCommonVersion);
        }
        let broker = slot.broker;
        let slot = &mut memory.links[link];
        slot.state.enter(LinkState::Ready);
        slot.ready_at = self.now;
        let entry = &mut memory.brokers[broker];
        entry.failures = 0;
        if known >= 5 {
            entry.negotiation.enter(crate::link::Negotiation::Five);
        }
        Ok(())
    }

    /// Ends a link; what was asked on it and not answered is settled.
    pub(super) fn end_link(
        &mut self,
        memory: &mut Memory<'_>,
        link: LinkId,
        reason: Reason,
        told: bool,
    ) {
        let broker = memory.links[link].broker;
        let state = memory.links[link].state;
        let mut request = self.links.end(memory, link, reason, told);
        self.broker_lost(memory, broker, state, reason);
        while request.is_some() {
            let entry = memory.requests[request].clone();
            self.links.forget(memory, request);
            match entry.api {
                Api::Produce => {
                    self.settle_all(memory, entry.batches, entry.lent, Doubt::Disconnected);
                }
                Api::Metadata => self.metadata_failed(memory),
                Api::InitProducerId => self.acquire_failed(),
                Api::ApiVersions | Api::CreateTopics => {}
            }
            request = entry.next;
        }
        self.rest(memory);
    }
}
