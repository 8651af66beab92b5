//! The bytes of requests, as a cursor over parts.
//!
//! A request is a head, the client id and a body, then for each batch (or topic) an envelope, a
//! name and the batch, then a tail. Names and batches are lent as they stand in memory; what is
//! around them is made when the cursor comes by, in a scratch buffer. Two cursors run over a
//! link's requests: how far bytes were lent, and how far they were taken.

use super::RequestId;
use crate::memory::{BatchId, BlockId, Memory, TopicId};
use crate::message::{
    Api, api_versions, init_producer_id, metadata, produce, request_header_end,
    request_header_start,
};
use crate::wire::write::{Put, Writer};

/// Bytes of the largest part that is made: what stands around names.
pub(crate) const SCRATCH: usize = 48;

/// `client.id` of a producer that was given none.
const DEFAULT_CLIENT_ID: &[u8] = b"ottla";

#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Part {
    /// Up to the client id, or behind the default one.
    #[default]
    Head,
    ClientId,
    Body,
    /// What stands before a batch, or a topic of a metadata request; up to the topic's name, if
    /// it is another topic than that of the batch before. An id stands here in a name's place.
    Envelope,
    Name,
    /// What stands between the name and the batch.
    Partition,
    Batch,
    Tail,
}

/// Where the bytes of a part are.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    Scratch,
    /// In [`Memory::names`], from here on.
    Names(u32),
    Block(BlockId),
}

/// A place in the bytes of a link's requests.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Cursor {
    /// The request; none: everything there is lies behind.
    pub(crate) request: RequestId,
    pub(crate) part: Part,
    /// The batch (or topic) of this part, and the one before it.
    item: u32,
    previous: u32,
    /// Bytes into the part.
    pub(crate) offset: u32,
}

/// What all requests of a client have in common.
#[derive(Copy, Clone)]
pub(crate) struct Pieces {
    /// Where `client.id` stands among the names, and how long it is; 0: the default.
    pub(crate) client_id: (u32, u8),
    pub(crate) acks: i16,
    pub(crate) timeout_ms: i32,
    pub(crate) create_topics: bool,
}

impl Cursor {
    pub(crate) const NONE: Self =
        Self { request: RequestId::NONE, part: Part::Head, item: 0, previous: 0, offset: 0 };

    pub(crate) const fn start(request: RequestId) -> Self {
        Self { request, ..Self::NONE }
    }

    /// The batch (or topic) of the part, and the one before it.
    #[cfg(feature = "proof")]
    pub(crate) const fn items(self) -> [u32; 2] {
        [self.item, self.previous]
    }

    pub(crate) const fn batch(self) -> BatchId {
        BatchId::from_number(self.item)
    }
}

/// The first topic after `number` that the request being written asks for.
fn next_asked(memory: &Memory<'_>, number: u32) -> u32 {
    let mut next = number.saturating_add(1);
    while next <= memory.topics.capacity() {
        if memory.topics[TopicId::from_number(next)].asked {
            return next;
        }
        next = next.saturating_add(1);
    }
    0
}

/// The topic of a batch.
pub(crate) fn topic_of(memory: &Memory<'_>, batch: BatchId) -> TopicId {
    memory.partitions[memory.batches[batch].partition].topic
}

impl Pieces {
    /// The topic whose name comes next at an envelope; none if it stands there already.
    fn new_topic(memory: &Memory<'_>, cursor: Cursor) -> TopicId {
        if memory.requests[cursor.request].api == Api::Metadata {
            return TopicId::from_number(cursor.item);
        }
        let topic = topic_of(memory, cursor.batch());
        let previous = BatchId::from_number(cursor.previous);
        let same = previous.is_some() && topic_of(memory, previous) == topic;
        if same { TopicId::NONE } else { topic }
    }

    /// Length of the part at `cursor`, and where it is; made in `scratch` if it is not in memory.
    pub(crate) fn part(
        &self,
        memory: &Memory<'_>,
        cursor: Cursor,
        scratch: &mut [u8; SCRATCH],
    ) -> (u32, Source) {
        let request = &memory.requests[cursor.request];
        let (api, version) = (request.api, request.version);
        let mut out = Writer::new(scratch);
        match cursor.part {
            Part::Batch => {
                let batch = &memory.batches[cursor.batch()];
                return (batch.length, Source::Block(batch.block));
            }
            Part::ClientId => {
                let (at, length) = self.client_id;
                return (u32::from(length), Source::Names(at));
            }
            Part::Name => {
                let topic = &memory.topics[Self::new_topic(memory, cursor)];
                return (u32::from(topic.name_length), Source::Names(topic.name_at));
            }
            Part::Head => {
                out.int32(request.length.cast_signed());
                let length = match self.client_id {
                    (_, 0) => DEFAULT_CLIENT_ID.len() as u32,
                    (_, length) => u32::from(length),
                };
                request_header_start(&mut out, api, version, request.correlation, length);
                if self.client_id.1 == 0 {
                    out.raw(DEFAULT_CLIENT_ID);
                }
            }
            Part::Body => {
                request_header_end(&mut out, api, version);
                let topics = request.topics;
                match api {
                    Api::Produce => {
                        produce::request_start(
                            &mut out,
                            version,
                            self.acks,
                            self.timeout_ms,
                            topics,
                        );
                    }
                    Api::Metadata => metadata::request_start(&mut out, version, topics),
                    Api::ApiVersions => api_versions::request(&mut out, version),
                    Api::InitProducerId => init_producer_id::request(&mut out, version),
                    Api::CreateTopics => {}
                }
            }
            Part::Envelope => self.envelope(memory, cursor, version, &mut out),
            Part::Partition => {
                let mut count = 0_u32;
                let mut batch = cursor.batch();
                let topic = topic_of(memory, batch);
                while batch.is_some() && topic_of(memory, batch) == topic {
                    count = count.saturating_add(1);
                    batch = memory.batches[batch].in_request;
                }
                produce::request_topic_end(&mut out, version, count);
                Self::partition(memory, cursor, version, &mut out);
            }
            Part::Tail if api == Api::Metadata => {
                if cursor.item != 0 {
                    metadata::request_topic_end(&mut out, version);
                }
                metadata::request_end(&mut out, version, self.create_topics);
            }
            Part::Tail => {
                // Ends of the last partition, of its topic, and of the request.
                for _ in 0..3 {
                    produce::request_end(&mut out, version);
                }
            }
        }
        (out.length() as u32, Source::Scratch)
    }

    fn envelope(&self, memory: &Memory<'_>, cursor: Cursor, version: i16, out: &mut Writer<'_>) {
        let topic = Self::new_topic(memory, cursor);
        let name = u32::from(memory.topics[topic].name_length);
        if memory.requests[cursor.request].api == Api::Metadata {
            if cursor.previous != 0 {
                metadata::request_topic_end(out, version);
            }
            metadata::request_topic_start(out, version, name);
            return;
        }
        if cursor.previous != 0 {
            produce::request_end(out, version);
        }
        if topic.is_none() {
            Self::partition(memory, cursor, version, out);
            return;
        }
        if cursor.previous != 0 {
            produce::request_end(out, version);
        }
        produce::request_topic_start(out, version, name);
        if version >= produce::BY_ID {
            out.raw(&memory.topics[topic].id);
        }
    }

    /// What stands right before a batch.
    fn partition(memory: &Memory<'_>, cursor: Cursor, version: i16, out: &mut Writer<'_>) {
        let batch = &memory.batches[cursor.batch()];
        let index = memory.partitions[batch.partition].index;
        produce::request_partition(out, version, index, batch.length);
    }

    /// Moves `cursor` to the start of the next part, of the same request or of the next one.
    pub(crate) fn advance(&self, memory: &Memory<'_>, cursor: &mut Cursor) {
        let request = &memory.requests[cursor.request];
        cursor.offset = 0;
        let next_item = match (cursor.part, request.api) {
            (Part::Head, _) if self.client_id.1 != 0 => {
                cursor.part = Part::ClientId;
                return;
            }
            // A request without a body: its header was all.
            (Part::Head | Part::ClientId, Api::ApiVersions)
                if !Api::ApiVersions.is_flexible(request.version) =>
            {
                *cursor = Cursor::start(request.next);
                return;
            }
            (Part::Head | Part::ClientId, _) => {
                cursor.part = Part::Body;
                return;
            }
            (Part::Envelope, _) => {
                let named = Self::new_topic(memory, *cursor).is_some();
                let by_id = request.api == Api::Produce && request.version >= produce::BY_ID;
                cursor.part = match (named, by_id) {
                    (true, false) => Part::Name,
                    (true, true) => Part::Partition,
                    (false, _) => Part::Batch,
                };
                return;
            }
            (Part::Name, Api::Produce) => {
                cursor.part = Part::Partition;
                return;
            }
            (Part::Partition, _) => {
                cursor.part = Part::Batch;
                return;
            }
            (Part::Body, Api::Produce) => request.batches.number(),
            (Part::Batch, _) => memory.batches[cursor.batch()].in_request.number(),
            (Part::Body | Part::Name, Api::Metadata) => next_asked(memory, cursor.item),
            _ => {
                *cursor = Cursor::start(request.next);
                return;
            }
        };
        if next_item != 0 {
            cursor.previous = core::mem::replace(&mut cursor.item, next_item);
            cursor.part = Part::Envelope;
        } else if request.api == Api::Produce && !Api::Produce.is_flexible(request.version) {
            // Without tagged fields nothing stands behind the last batch.
            *cursor = Cursor::start(request.next);
        } else {
            cursor.part = Part::Tail;
        }
    }

    /// Bytes of a request after its size.
    pub(crate) fn measure(
        &self,
        memory: &Memory<'_>,
        request: RequestId,
        scratch: &mut [u8; SCRATCH],
    ) -> u32 {
        let mut cursor = Cursor::start(request);
        let mut sum = 0_u32;
        loop {
            let (length, _) = self.part(memory, cursor, scratch);
            sum = sum.saturating_add(length);
            self.advance(memory, &mut cursor);
            if cursor.request != request {
                return sum.saturating_sub(4);
            }
        }
    }
}
