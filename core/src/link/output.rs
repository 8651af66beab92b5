//! The bytes of requests, as a cursor over pieces.
//!
//! A request is a head, then for each batch (or topic) an envelope, with the batch after it,
//! then a tail. Envelopes are made when the cursor comes by, in a scratch buffer; batches are
//! lent as they stand in memory. Two cursors run over a link's requests: how far bytes were
//! lent, and how far they were taken.

use super::RequestId;
use crate::memory::{BatchId, BlockId, Memory, TopicId};
use crate::message::{Api, api_versions, init_producer_id, metadata, produce, request_header};
use crate::wire::write::{Put, Writer};

/// Bytes of the largest head or envelope: a header with a client id of 255 bytes, or a topic
/// name of 249 with what stands around it.
pub(crate) const SCRATCH: usize = 320;

/// `client.id` of a producer that was given none.
const DEFAULT_CLIENT_ID: &[u8] = b"ottla";

#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Part {
    #[default]
    Head,
    /// What stands before a batch, or a topic of a metadata request.
    Envelope,
    Batch,
    Tail,
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

impl Pieces {
    fn client_id<'m>(&self, memory: &'m Memory<'_>) -> &'m [u8] {
        let (from, length) = self.client_id;
        let from = from as usize;
        match memory.names.get(from..from.saturating_add(usize::from(length))) {
            Some(name) if length > 0 => name,
            _ => DEFAULT_CLIENT_ID,
        }
    }

    /// Length of the part at `cursor`, written into `scratch` if it is not a batch. A batch
    /// comes with its block.
    pub(crate) fn part(
        &self,
        memory: &Memory<'_>,
        cursor: Cursor,
        scratch: &mut [u8; SCRATCH],
    ) -> (u32, Option<BlockId>) {
        if cursor.part == Part::Batch {
            let batch = &memory.batches[cursor.batch()];
            return (batch.length, Some(batch.block));
        }
        let mut out = Writer::new(scratch);
        let request = &memory.requests[cursor.request];
        let version = request.version;
        match (request.api, cursor.part) {
            (_, Part::Head) => {
                out.int32(request.length.cast_signed());
                let id = self.client_id(memory);
                request_header(&mut out, request.api, version, request.correlation, id);
                match request.api {
                    Api::Produce => produce::request_start(
                        &mut out,
                        version,
                        self.acks,
                        self.timeout_ms,
                        request.topics,
                    ),
                    Api::Metadata => metadata::request_start(&mut out, version, request.topics),
                    Api::ApiVersions => api_versions::request(&mut out, version),
                    Api::InitProducerId => init_producer_id::request(&mut out, version),
                    Api::CreateTopics => {}
                }
            }
            (Api::Metadata, Part::Envelope) => {
                let name = memory.name(TopicId::from_number(cursor.item));
                metadata::request_topic(&mut out, version, name);
            }
            (Api::Metadata, Part::Tail) => {
                metadata::request_end(&mut out, version, self.create_topics);
            }
            (_, Part::Envelope) => {
                let batch = &memory.batches[cursor.batch()];
                let partition = &memory.partitions[batch.partition];
                let topic_of = |number| {
                    let batch = BatchId::from_number(number);
                    memory.partitions[memory.batches[batch].partition].topic
                };
                let topic = partition.topic;
                let mut new_topic = true;
                if cursor.previous != 0 {
                    produce::request_end(&mut out, version);
                    new_topic = topic_of(cursor.previous) != topic;
                    if new_topic {
                        produce::request_end(&mut out, version);
                    }
                }
                if new_topic {
                    let mut count = 0_u32;
                    let mut number = cursor.item;
                    while number != 0 && topic_of(number) == topic {
                        count = count.saturating_add(1);
                        number = memory.batches[BatchId::from_number(number)].in_request.number();
                    }
                    produce::request_topic(&mut out, version, memory.name(topic), count);
                }
                produce::request_partition(&mut out, version, partition.index, batch.length);
            }
            (_, _) => {
                // Ends of the last partition, of its topic, and of the request.
                produce::request_end(&mut out, version);
                produce::request_end(&mut out, version);
                produce::request_end(&mut out, version);
            }
        }
        debug_assert!(out.length() > 0, "an empty part");
        (out.length() as u32, None)
    }

    /// Moves `cursor` to the start of the next part, of the same request or of the next one.
    pub(crate) fn advance(memory: &Memory<'_>, cursor: &mut Cursor) {
        let request = &memory.requests[cursor.request];
        cursor.offset = 0;
        let next_item = match (request.api, cursor.part) {
            (_, Part::Tail) => {
                *cursor = Cursor::start(request.next);
                return;
            }
            (Api::Produce, Part::Envelope) => {
                cursor.part = Part::Batch;
                return;
            }
            (Api::Produce, Part::Head) => request.batches.number(),
            (Api::Produce, Part::Batch) => memory.batches[cursor.batch()].in_request.number(),
            (Api::Metadata, Part::Head | Part::Envelope) => next_asked(memory, cursor.item),
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
            Self::advance(memory, &mut cursor);
            if cursor.request != request {
                return sum.saturating_sub(4);
            }
        }
    }
}
