//! The other end of a link: what came over it, and what a broker answers.

use std::collections::VecDeque;

use arbitrary::Unstructured;
use ottla::message::api_versions::broker as versions;
use ottla::message::broker::{RequestHeader, answer};
use ottla::message::metadata::broker as metadata;
use ottla::message::produce::PartitionAnswer;
use ottla::message::produce::broker as produce;
use ottla::message::{Api, ErrorCode, Versions, init_producer_id};
use ottla::record::reader::Batch;

/// A request that is not answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Asked {
    pub(super) api: Api,
    pub(super) version: i16,
    pub(super) correlation: i32,
    pub(super) body: Vec<u8>,
}

/// What came over a link.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Peer {
    /// Bytes that are no whole request yet.
    bytes: Vec<u8>,
    pub(super) asked: VecDeque<Asked>,
    /// More was said to have been written than was: what comes cannot be made sense of.
    pub(super) garbled: bool,
}

impl Peer {
    /// Bytes were written. Every request that is complete can be read, and asks for something;
    /// returns those that wait for an answer or ended with their last byte.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<Asked> {
        let mut complete = Vec::new();
        if self.garbled {
            return complete;
        }
        self.bytes.extend_from_slice(bytes);
        while let Some(size) = self.bytes.first_chunk::<4>() {
            let size = i32::from_be_bytes(*size);
            let size = usize::try_from(size).expect("no request of a negative size is sent");
            let Some(frame) = self.bytes.get(4..4 + size) else { break };
            let (header, body) = RequestHeader::read(frame).expect("a request header");
            let api = Api::of_key(header.key).expect("a known API");
            let asked = Asked {
                api,
                version: header.version,
                correlation: header.correlation,
                body: body.to_vec(),
            };
            assert!(
                api.versions().min <= asked.version && asked.version <= api.versions().max,
                "{asked:?}"
            );
            if asked.check() {
                self.asked.push_back(asked.clone());
            }
            complete.push(asked);
            self.bytes.drain(..4 + size);
        }
        complete
    }
}

impl Asked {
    /// The request can be read, and what it holds too. Whether it wants an answer.
    fn check(&self) -> bool {
        match self.api {
            Api::Produce => {
                let request = self.produce();
                assert!(!request.topics.is_empty(), "a request for nothing");
                for partition in request.topics.iter().flat_map(|topic| &topic.partitions) {
                    let records = partition.records.expect("records");
                    let (batch, rest) = Batch::read(records).expect("a sound batch");
                    assert!(rest.is_empty(), "more than one batch");
                    let count = batch.records().expect("not compressed").map(|record| {
                        record.expect("a sound record");
                    });
                    let count = count.count();
                    assert!(count > 0 && count == batch.count as usize, "{count} records");
                    assert_eq!(batch.last_offset_delta + 1, batch.count);
                }
                request.acks != 0
            }
            Api::Metadata => {
                metadata::Request::read(&self.body, self.version).expect("a sound request");
                true
            }
            Api::ApiVersions => {
                versions::Request::read(&self.body, self.version).expect("a sound request");
                true
            }
            Api::InitProducerId => {
                init_producer_id::broker::Request::read(&self.body, self.version)
                    .expect("a sound request");
                true
            }
            Api::CreateTopics => panic!("a producer makes no topics"),
        }
    }

    /// The request, if it is of Produce.
    pub(super) fn produce(&self) -> produce::Request<'_> {
        produce::Request::read(&self.body, self.version).expect("a sound request")
    }
}

/// What is drawn for an answer. It has no end: behind the last byte there are zeros, and a zero
/// always means that all is well.
#[derive(Debug)]
pub(super) struct Recipe<'a>(Unstructured<'a>);

impl<'a> Recipe<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(Unstructured::new(bytes))
    }

    fn byte(&mut self) -> u8 {
        self.0.arbitrary().unwrap_or(0)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::from(self.byte()) % from.len()]
    }

    fn int32(&mut self) -> i32 {
        self.0.arbitrary().unwrap_or(0)
    }

    fn int64(&mut self) -> i64 {
        self.0.arbitrary().unwrap_or(0)
    }

    fn code(&mut self, usual: &[i16]) -> ErrorCode {
        let byte = usize::from(self.byte());
        match byte.checked_sub(1) {
            None => ErrorCode::NONE,
            Some(255..) | Some(254) => ErrorCode(self.0.arbitrary().unwrap_or(0)),
            Some(place) => ErrorCode(usual[place % usual.len()]),
        }
    }

    fn throttle(&mut self) -> i32 {
        match self.byte() {
            0..128 => 0,
            128..250 => i32::from(self.byte()) * 40,
            _ => self.int32(),
        }
    }
}

/// What brokers know of each other: so that what they tell makes sense, if nothing else is drawn.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Cluster {
    next_id: i64,
    next_offset: i64,
    /// A producer id was handed out that may not be new.
    pub(super) confused: bool,
}

/// What a Produce answer says of each partition: its topic, its index, and the code.
pub(super) type Codes = Vec<(Vec<u8>, i32, i16)>;

/// Codes that Produce has an answer of its own to.
const PRODUCE: [i16; 24] =
    [6, 3, 7, 10, 45, 46, 47, 59, 20, 19, 2, 5, 29, 87, 90, 100, 103, 56, 67, 74, 75, 53, 31, -1];
const METADATA: [i16; 6] = [5, 3, 29, 17, -1, 129];
const INIT: [i16; 8] = [14, 15, 31, 53, 90, 51, 47, -1];
const VERSIONS: [i16; 4] = [35, 129, 58, -1];

const NODES: i32 = 3;
const PARTITIONS: i32 = 3;
const LONG: &str = "a-host-name-that-is-longer-than-what-any-of-these-has-room-for.example.org";

impl Cluster {
    pub(super) const fn new() -> Self {
        Self { next_id: 1_000, next_offset: 0, confused: false }
    }

    /// The frame of an answer, and what it says of batches.
    pub(super) fn answer(&mut self, asked: &Asked, recipe: &mut Recipe<'_>) -> (Vec<u8>, Codes) {
        // One of many is for another request.
        let correlation = match recipe.byte() {
            255 => recipe.int32(),
            _ => asked.correlation,
        };
        let &Asked { api, version, .. } = asked;
        let mut body = Vec::new();
        let mut written = version;
        let mut codes = Codes::new();
        match api {
            Api::Produce => {
                let answer = self.produced(asked, recipe);
                answer.write(version, &mut body);
                // What is for another request says nothing of this one.
                if correlation == asked.correlation {
                    codes = codes_of(&answer);
                }
            }
            Api::Metadata => Self::told(asked, recipe, &mut body),
            Api::InitProducerId => {
                let item = self.identified(recipe);
                init_producer_id::broker::write(&item, version, &mut body);
            }
            Api::ApiVersions => {
                let told = Self::known(recipe);
                if told.error == ErrorCode::UNSUPPORTED_VERSION {
                    written = 0;
                }
                told.write(written, &mut body);
            }
            Api::CreateTopics => {}
        }
        // Later versions may append to an answer.
        if recipe.byte() == 255 {
            body.extend_from_slice(&[7; 9]);
        }
        (answer(api, version, correlation, |out| out.extend_from_slice(&body)), codes)
    }

    fn known(recipe: &mut Recipe<'_>) -> versions::Answer {
        let error = recipe.code(&VERSIONS);
        let mut apis = Vec::new();
        for api in Api::ALL {
            let Versions { min, max } = api.versions();
            let less = i16::from(recipe.byte());
            match less {
                255 => {}
                254 => apis.push((api.key(), Versions { min: max, max: min })),
                less => apis.push((api.key(), Versions { min, max: (max - less % 14).max(min) })),
            }
        }
        if recipe.byte() == 255 {
            apis.clear();
        }
        versions::Answer { error, apis, throttle_ms: recipe.throttle(), ..Default::default() }
    }

    fn identified(&mut self, recipe: &mut Recipe<'_>) -> init_producer_id::Item {
        let error = recipe.code(&INIT);
        let throttle_ms = recipe.throttle();
        let (mut producer_id, mut producer_epoch) = (self.next_id, 0);
        self.next_id += 1;
        match recipe.byte() {
            0..128 => {}
            128..192 => producer_epoch = 32_766,
            192..224 => producer_epoch = i16::MAX,
            _ => {
                producer_id = recipe.int64();
                producer_epoch = recipe.int32() as i16;
                self.confused = true;
            }
        }
        init_producer_id::Item { throttle_ms, error, producer_id, producer_epoch }
    }

    fn told(asked: &Asked, recipe: &mut Recipe<'_>, body: &mut Vec<u8>) {
        let version = asked.version;
        let request = metadata::Request::read(&asked.body, version).expect("a sound request");
        let error = recipe.code(&METADATA);
        let nodes = 1 + i32::from(recipe.byte()).wrapping_add(NODES - 1) % 4;
        let hosts: Vec<String> = (1..=nodes).map(|node| format!("n{node}")).collect();
        let mut brokers = Vec::new();
        for (id, host) in (1..).zip(&hosts) {
            let (mut host, mut port) = (host.as_str(), 9_000 + id);
            match recipe.byte() {
                0..240 => {}
                240..250 => host = LONG,
                _ => port = recipe.int32(),
            }
            brokers.push(metadata::Broker { id, host, port, rack: None });
        }
        let mut topics = Vec::new();
        for topic in request.topics.iter().flatten() {
            let name = topic.name.and_then(|name| str::from_utf8(name).ok());
            let error = recipe.code(&METADATA);
            let age = recipe.byte() / 64;
            let fewer = i32::from(recipe.byte()) / 32;
            let count = (PARTITIONS - fewer).max(-fewer % 2 + 1).max(0);
            let partition = |index: i32, recipe: &mut Recipe<'_>| {
                let mut partition = metadata::Partition {
                    index,
                    leader: 1 + index % nodes.max(1),
                    leader_epoch: i32::from(recipe.byte() / 32),
                    ..Default::default()
                };
                match recipe.byte() {
                    0..128 => {}
                    128..160 => partition.leader = 1 + (index + 1) % nodes.max(1),
                    160..192 => {
                        partition.error = ErrorCode::LEADER_NOT_AVAILABLE;
                        partition.leader = -1;
                    }
                    192..224 => partition.leader = recipe.int32(),
                    _ => {
                        partition.index = recipe.int32();
                        partition.leader_epoch = recipe.int32();
                    }
                }
                partition
            };
            let partitions = (0..count).map(|index| partition(index, recipe)).collect();
            // A topic has an id of its own, may get another one, or have none.
            let mut id = [0; 16];
            if age < 3 {
                id[0] = age + 1;
                for (place, byte) in id[1..].iter_mut().zip(topic.name.unwrap_or_default()) {
                    *place = *byte;
                }
            }
            let topic = metadata::Topic { error, name, id, internal: false, partitions };
            match recipe.byte() {
                0..224 => topics.push(topic),
                224..240 => topics.extend([topic.clone(), topic]),
                _ => {}
            }
        }
        let answer = metadata::Answer {
            throttle_ms: recipe.throttle(),
            brokers,
            cluster_id: Some("c"),
            controller: 1,
            topics,
            error,
        };
        answer.write(version, body);
    }

    fn produced(&mut self, asked: &Asked, recipe: &mut Recipe<'_>) -> produce::Answer {
        let request = asked.produce();
        let mut topics = Vec::new();
        for topic in &request.topics {
            let mut partitions = Vec::new();
            for partition in &topic.partitions {
                let answer = PartitionAnswer {
                    index: partition.index,
                    error: recipe.code(&PRODUCE),
                    base_offset: self.next_offset,
                    log_append_time: -1,
                    log_start: 0,
                };
                self.next_offset += 1_000;
                let mut told = produce::Partition::new(answer);
                if answer.error != ErrorCode::NONE {
                    told.answer.base_offset = -1;
                    said_of(&mut told, recipe);
                }
                match recipe.byte() {
                    0..224 => partitions.push(told),
                    224..232 => partitions.extend([told.clone(), told]),
                    232..240 => {
                        told.answer.index = recipe.int32();
                        partitions.push(told);
                    }
                    _ => {}
                }
            }
            if recipe.byte() < 240 {
                topics.push(produce::Topic { name: topic.name.to_vec(), partitions });
            }
        }
        let mut endpoints = Vec::new();
        if recipe.byte() >= 240 {
            let id = 1 + i32::from(recipe.byte()) % 5;
            endpoints.push(produce::Endpoint { id, host: format!("n{id}"), port: 9_000 + id });
        }
        produce::Answer { topics, throttle_ms: recipe.throttle(), endpoints }
    }
}

fn codes_of(answer: &produce::Answer) -> Codes {
    let mut codes = Codes::new();
    for topic in &answer.topics {
        let told = topic.partitions.iter().map(|told| &told.answer);
        codes.extend(told.map(|told| (topic.name.clone(), told.index, told.error.0)));
    }
    codes
}

/// What comes with an error: a log start, texts, a leader.
fn said_of(told: &mut produce::Partition, recipe: &mut Recipe<'_>) {
    if recipe.byte() >= 128 {
        told.answer.log_start = -1;
    }
    match recipe.byte() {
        0..192 => {}
        192..208 => told.text = Some("no".into()),
        208..224 => told.text = Some("x".repeat(600)),
        _ => {
            for _ in 0..=recipe.byte() % 4 {
                let index = i32::from(recipe.byte()) - 1;
                let text = recipe.pick(&[None, Some("bad"), Some("")]).map(String::from);
                told.records.push(produce::RecordError { index, text });
            }
            told.text = Some("some are bad".into());
        }
    }
    if recipe.byte() >= 224 {
        told.leader = Some((i32::from(recipe.byte()) % 6, i32::from(recipe.byte())));
    }
}
