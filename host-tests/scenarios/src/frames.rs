//! Frames in the words of traces: what a request asks, and what it was answered.

use std::collections::BTreeMap;

use ottla::error::Fault;
use ottla::message::broker::RequestHeader;
use ottla::message::{Api, ErrorCode, Step, init_producer_id, metadata, produce};
use ottla::record::reader::Batch;
use ottla::wire::input::{Frame, Input};
use ottla_broker::TopicId;

use crate::fate::code_word;
use crate::script::{Place, SentBatch};

/// Names of what stands in frames by numbers.
#[derive(Default)]
pub(crate) struct Names {
    topics: BTreeMap<TopicId, String>,
    /// Producer ids in the order in which they were seen.
    producers: Vec<i64>,
}

impl Names {
    pub(crate) fn topic_is(&mut self, id: TopicId, name: &str) {
        self.topics.insert(id, name.to_owned());
    }

    /// The name of a topic that a Produce request says by its name, or by its id.
    pub(crate) fn topic(&self, version: i16, said: &[u8]) -> String {
        if version < 13 {
            return String::from_utf8_lossy(said).into_owned();
        }
        let id = TopicId::try_from(said).ok();
        id.and_then(|id| self.topics.get(&id).cloned()).unwrap_or_else(|| "?".to_owned())
    }

    /// `` for the first producer id, `id2 ` for the second.
    fn producer(&mut self, id: i64) -> String {
        let place = self.producers.iter().position(|known| *known == id);
        let place = place.unwrap_or_else(|| {
            self.producers.push(id);
            self.producers.len() - 1
        });
        if place == 0 { String::new() } else { format!("id{} ", place + 1) }
    }
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) api: Api,
    pub(crate) version: i16,
    pub(crate) correlation: i32,
    /// It is answered.
    pub(crate) answered: bool,
    pub(crate) batches: Vec<(Place, SentBatch)>,
    /// What it asks.
    pub(crate) text: String,
}

/// The name of a record in its value: what stands before the first dot.
pub(crate) fn name_of(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    text.split('.').next().unwrap_or("").to_owned()
}

/// Takes the first whole frame off a stream.
pub(crate) fn take(stream: &mut Vec<u8>) -> Option<Vec<u8>> {
    let size = u32::from_be_bytes(*stream.first_chunk::<4>()?) as usize;
    let rest = stream.len().checked_sub(4 + size)?;
    let tail = stream.split_off(stream.len() - rest);
    Some(std::mem::replace(stream, tail))
}

/// Reads a request with its size.
pub(crate) fn request(frame: &[u8], names: &mut Names) -> Result<Request, Fault> {
    let (header, body) = RequestHeader::read(frame.get(4..).unwrap_or(&[]))?;
    let api = Api::of_key(header.key).ok_or(Fault::Malformed)?;
    let version = header.version;
    let mut request = Request {
        api,
        version,
        correlation: header.correlation,
        answered: true,
        batches: Vec::new(),
        text: format!("{api:?} v{version}"),
    };
    match api {
        Api::Produce => {
            let read = produce::broker::Request::read(body, version)?;
            request.answered = read.acks != 0;
            let acks = match read.acks {
                -1 => String::new(),
                acks => format!(" acks={acks}"),
            };
            let mut parts = Vec::new();
            for topic in &read.topics {
                let name = names.topic(version, topic.name);
                for part in &topic.partitions {
                    let place = Place { topic: name.clone(), partition: Some(part.index) };
                    let (batch, id) = batch(part.records.unwrap_or(&[]))?;
                    let id = if id < 0 { String::new() } else { names.producer(id) };
                    parts.push(format!("{place} {id}{batch}"));
                    request.batches.push((place, batch));
                }
            }
            request.text = format!("{}{acks} {}", request.text, parts.join(", "));
        }
        Api::Metadata => {
            let read = metadata::broker::Request::read(body, version)?;
            let topics = read.topics.unwrap_or_default();
            let topics = topics.iter().filter_map(|topic| topic.name);
            for name in topics {
                request.text.push(' ');
                request.text.push_str(&String::from_utf8_lossy(name));
            }
        }
        Api::ApiVersions | Api::InitProducerId | Api::CreateTopics => {}
    }
    Ok(request)
}

fn batch(bytes: &[u8]) -> Result<(SentBatch, i64), Fault> {
    let (batch, _) = Batch::read(bytes).map_err(|_| Fault::Malformed)?;
    let records = batch.records().map_err(|_| Fault::Malformed)?;
    let names = records.map(|record| {
        record.map(|record| name_of(record.value.unwrap_or(b""))).map_err(|_| Fault::Malformed)
    });
    let id = batch.producer_id;
    let sequence = (id >= 0).then_some((batch.producer_epoch, batch.base_sequence));
    Ok((SentBatch { sequence, names: names.collect::<Result<_, _>>()? }, id))
}

/// Reads the answer to a request, with its size.
pub(crate) fn answer(request: &Request, frame: &[u8], names: &mut Names) -> Result<String, Fault> {
    let Request { api, version, .. } = *request;
    let correlation = frame.get(4..8).ok_or(Fault::Truncated)?;
    if correlation != request.correlation.to_be_bytes() {
        return Err(Fault::WrongCorrelation);
    }
    let body = frame.get(8 + usize::from(api.has_answer_tags(version))..);
    let body = body.ok_or(Fault::Truncated)?;
    let mut parts = Vec::new();
    match api {
        Api::Produce => read_produce(body, version, names, &mut parts)?,
        Api::Metadata => read_metadata(body, version, &mut parts)?,
        Api::InitProducerId => {
            let mut cursor = init_producer_id::Answer::default();
            each(body, |input| {
                let step = cursor.next(version, input)?;
                Ok(step.map(|item| {
                    parts.push(if item.error.is_success() {
                        format!("{}epoch {}", names.producer(item.producer_id), item.producer_epoch)
                    } else {
                        code_word(item.error)
                    });
                }))
            })?;
        }
        Api::ApiVersions | Api::CreateTopics => {
            let code = body.first_chunk::<2>().ok_or(Fault::Truncated)?;
            parts.push(code_word(ErrorCode(i16::from_be_bytes(*code))));
        }
    }
    Ok(parts.join(", "))
}

fn read_produce(
    body: &[u8],
    version: i16,
    names: &Names,
    parts: &mut Vec<String>,
) -> Result<(), Fault> {
    let (mut cursor, mut topic) = (produce::Answer::default(), String::new());
    each(body, |input| {
        let step = cursor.next(version, input)?;
        Ok(step.map(|item| match item {
            produce::Item::Topic(said) => topic = names.topic(version, said),
            produce::Item::Partition(answer) => {
                let (index, code) = (answer.index, code_word(answer.error));
                parts.push(match answer.error.is_success() {
                    true => format!("{topic}/{index} at {}", answer.base_offset),
                    false => format!("{topic}/{index} {code}"),
                });
            }
            produce::Item::Leader(id, epoch) => parts.push(format!("leader {id} epoch {epoch}")),
            produce::Item::Record(place) => parts.push(format!("record {place}")),
            produce::Item::Throttle(ms) if ms > 0 => parts.push(format!("throttle {ms}ms")),
            _ => {}
        }))
    })
}

fn read_metadata(body: &[u8], version: i16, parts: &mut Vec<String>) -> Result<(), Fault> {
    let (mut cursor, mut brokers) = (metadata::Answer::default(), Vec::new());
    let mut topic = String::new();
    each(body, |input| {
        let step = cursor.next(version, input)?;
        Ok(step.map(|item| match item {
            metadata::Item::Broker { id, .. } => brokers.push(id.to_string()),
            metadata::Item::Topic { error, name, .. } => {
                topic = String::from_utf8_lossy(name).into_owned();
                if !error.is_success() {
                    parts.push(format!("{topic} {}", code_word(error)));
                }
            }
            metadata::Item::Partition { error, index, leader, leader_epoch } => {
                parts.push(match error.is_success() {
                    true => format!("{topic}/{index} on {leader} e{leader_epoch}"),
                    false => format!("{topic}/{index} {}", code_word(error)),
                });
            }
            metadata::Item::Error(code) if !code.is_success() => parts.push(code_word(code)),
            metadata::Item::Throttle(ms) if ms > 0 => parts.push(format!("throttle {ms}ms")),
            _ => {}
        }))
    })?;
    parts.insert(0, format!("nodes {}", brokers.join(" ")));
    Ok(())
}

/// Runs a stream decoder over a whole body.
fn each(
    body: &[u8],
    mut step: impl FnMut(&mut Input<'_>) -> Result<Step<()>, Fault>,
) -> Result<(), Fault> {
    let mut frame = Frame::default();
    frame.start(u32::try_from(body.len()).unwrap_or(u32::MAX));
    let mut input = Input::new(&mut frame, body);
    loop {
        match step(&mut input)? {
            Step::Item(()) => {}
            Step::More => return Err(Fault::Truncated),
            Step::End => return Ok(()),
        }
    }
}
