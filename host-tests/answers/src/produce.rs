//! Produce: batches are checked, appended and answered one by one as the request is read.

use ottla::message::{Api, ErrorCode};
use ottla::record::reader::Batch;
use ottla::wire::parse;
use ottla::wire::write::{Put, Writer};

use crate::broker::{TOPIC_ID, tags};
use crate::faults::BatchFate;
use crate::partition::Verdict;
use crate::{Broker, Log};

/// What is said of a refused batch, from version 8 on.
const TEXT: &[u8] = b"not wanted";

impl<const PARTITIONS: usize> Broker<PARTITIONS> {
    /// Carries a request out, and writes its answer: whether it has one. `None`: it cannot be
    /// read.
    pub(crate) fn produce(
        &mut self,
        body: &[u8],
        version: i16,
        out: &mut Writer<'_>,
        log: &mut impl Log,
    ) -> Option<bool> {
        let flexible = Api::Produce.is_flexible(version);
        let (rest, _) = parse::nullable_string(body, flexible).ok()?;
        let (rest, acks) = parse::int16(rest).ok()?;
        let (rest, _) = parse::int32(rest).ok()?;
        let (mut rest, topics) = parse::bytes_length(rest, flexible).ok()?;
        let topics = topics?;
        out.length_prefix(topics, flexible);
        for _ in 0..topics {
            // From version 13 on topics stand by their ids.
            let by_id = version >= 13;
            let topic = if by_id { parse::take(rest, 16) } else { parse::string(rest, flexible) };
            let (after, topic) = topic.ok()?;
            let (after, partitions) = parse::bytes_length(after, flexible).ok()?;
            rest = after;
            let partitions = partitions?;
            let mine = if by_id { &TOPIC_ID } else { self.settings.topic.as_bytes() };
            let known = topic == mine;
            if by_id {
                out.raw(topic);
            } else {
                out.string(topic, flexible);
            }
            out.length_prefix(partitions, flexible);
            for _ in 0..partitions {
                let (after, index) = parse::int32(rest).ok()?;
                let (after, length) = parse::bytes_length(after, flexible).ok()?;
                let (after, records) = parse::take(after, length? as usize).ok()?;
                (rest, ()) = tags(after, flexible).ok()?;
                let index = if known { index } else { -1 };
                let (code, offset) = self.append(index, acks, records, log);
                write_partition(out, version, index, code, offset);
            }
            (rest, ()) = tags(rest, flexible).ok()?;
            out.no_tags(flexible);
        }
        tags(rest, flexible).ok()?;
        out.int32(self.faults.throttle_ms());
        out.no_tags(flexible);
        Some(acks != 0)
    }

    /// Checks a batch and appends it: what is said of it, and its offset.
    fn append(
        &mut self,
        index: i32,
        acks: i16,
        records: &[u8],
        log: &mut impl Log,
    ) -> (ErrorCode, i64) {
        let Ok(place) = usize::try_from(index) else {
            return (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, -1);
        };
        let Some(partition) = self.partitions.get_mut(place) else {
            return (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, -1);
        };
        let Some(batch) = read(records) else {
            self.note_malformed();
            return (ErrorCode::CORRUPT_MESSAGE, -1);
        };
        let fate = self.faults.batch(acks);
        if let BatchFate::Refuse(code) = fate {
            return (code, -1);
        }
        let offset = match partition.check(&batch) {
            Verdict::Refuse(code) => return (code, -1),
            Verdict::Duplicate(offset) => offset,
            Verdict::Append => {
                let offset = partition.append(&batch);
                log.appended(index, offset, &batch);
                offset
            }
        };
        match fate {
            BatchFate::AppendAndSay(code) => (code, -1),
            _ => (ErrorCode::NONE, offset),
        }
    }
}

/// A batch as a producer makes it: one, whole, with records that count up from 0.
fn read(bytes: &[u8]) -> Option<Batch<'_>> {
    let (batch, rest) = Batch::read(bytes).ok()?;
    let sound = rest.is_empty()
        && batch.count > 0
        && batch.last_offset_delta == batch.count - 1
        && (batch.base_offset, batch.leader_epoch) == (0, -1);
    let mut expected = 0;
    for record in batch.records().ok()? {
        if record.ok()?.offset_delta != expected {
            return None;
        }
        expected += 1;
    }
    (sound && expected == batch.count).then_some(batch)
}

fn write_partition(out: &mut Writer<'_>, version: i16, index: i32, code: ErrorCode, offset: i64) {
    let flexible = Api::Produce.is_flexible(version);
    out.int32(index);
    out.int16(code.0);
    out.int64(offset);
    out.int64(-1);
    if version >= 5 {
        out.int64(if code.is_success() { 0 } else { -1 });
    }
    if version >= 8 {
        let refused = code == ErrorCode::INVALID_RECORD;
        out.length_prefix(u32::from(refused), flexible);
        if refused {
            out.int32(0);
            out.nullable_string(Some(TEXT), flexible);
            out.no_tags(flexible);
        }
        out.nullable_string(refused.then_some(TEXT), flexible);
    }
    out.no_tags(flexible);
}
