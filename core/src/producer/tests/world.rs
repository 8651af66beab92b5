//! A producer with a clock and a scripted cluster: the test answers Produce requests itself,
//! everything else is answered as a healthy cluster would.

use std::collections::{BTreeMap, VecDeque};
use std::string::{String, ToString};
use std::vec::Vec;

use crate::config::Config;
use crate::identity::Sequences;
use crate::link::{Link, Reason};
use crate::memory::{Growable, Owner};
use crate::message::broker::{RequestHeader, answer};
use crate::message::produce::PartitionAnswer;
use crate::message::produce::broker::{self as produce, Endpoint};
use crate::message::{Api, ErrorCode, Versions, api_versions, init_producer_id, metadata};
use crate::producer::{Delivery, Event, LinkAction, Outcome, Producer, Topic};
use crate::record::Record;
use crate::record::reader::Batch;
use crate::time::{Duration, Instant};

pub(super) const T: i64 = 1_700_000_000_000;

/// A batch as a broker gets it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct SentBatch {
    pub(super) topic: String,
    /// As the request says it: by name, or by id.
    pub(super) said: Vec<u8>,
    pub(super) partition: i32,
    pub(super) id: i64,
    pub(super) epoch: i16,
    pub(super) sequence: i32,
    pub(super) count: i32,
    pub(super) values: Vec<String>,
    pub(super) bytes: Vec<u8>,
}

/// A Produce request as a broker gets it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Sent {
    pub(super) link: Link,
    pub(super) node: Option<i32>,
    pub(super) version: i16,
    pub(super) correlation: i32,
    pub(super) acks: i16,
    pub(super) timeout_ms: i32,
    pub(super) batches: Vec<SentBatch>,
}

impl Sent {
    pub(super) fn only(&self) -> &SentBatch {
        assert_eq!(self.batches.len(), 1, "{self:?}");
        &self.batches[0]
    }
}

struct Connection {
    link: Link,
    node: Option<i32>,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy)]
pub(super) struct Leader {
    pub(super) id: i32,
    pub(super) epoch: i32,
}

pub(super) struct World<O = Growable> {
    pub(super) producer: Producer<O>,
    pub(super) now: Instant,
    connections: Vec<Connection>,
    pub(super) sent: VecDeque<Sent>,
    pub(super) deliveries: Vec<Delivery>,
    pub(super) notices: Vec<Event>,
    /// Leaders by topic and partition; none: no leader.
    pub(super) topics: BTreeMap<String, Vec<Option<Leader>>>,
    /// Errors of topics that are not there.
    pub(super) topic_errors: BTreeMap<String, ErrorCode>,
    /// Of other topics: a number of their own.
    pub(super) topic_ids: BTreeMap<String, u8>,
    pub(super) nodes: Vec<i32>,
    /// Nodes that accept no connection.
    pub(super) down: Vec<i32>,
    /// What InitProducerId is answered, in turn; then id 7, epoch 0.
    pub(super) ids: VecDeque<Result<(i64, i16), ErrorCode>>,
    pub(super) produce_max: i16,
    pub(super) metadata_max: i16,
    /// Error of metadata answers as a whole.
    pub(super) metadata_error: ErrorCode,
    /// Error of every ApiVersions answer.
    pub(super) versions_error: ErrorCode,
    pub(super) metadata_requests: Vec<Vec<String>>,
    pub(super) id_requests: u32,
    /// Connections that the machine asked for.
    pub(super) attempts: u32,
    /// Why the machine closed links.
    pub(super) closed: Vec<Reason>,
    /// Leave output where it is.
    pub(super) hold_output: bool,
    /// Call `output` only where `has_output` says so.
    pub(super) trusting: bool,
    /// Answers come in pieces of so many bytes; 0: whole.
    pub(super) chunk: usize,
    /// The next answer about metadata ends after so many bytes, and with it the connection.
    pub(super) cut: Option<usize>,
}

/// Settings without pauses that tests do not look at.
pub(super) fn config() -> Config {
    Config { linger: Duration::ZERO, ..Config::new() }
}

impl World<Growable> {
    /// One node, id 1, which leads the partitions of the topic `t`.
    pub(super) fn new(config: Config, partitions: usize) -> Self {
        Self::with(Growable::new(32 << 20), config, partitions)
    }
}

impl<O: Owner> World<O> {
    pub(super) fn with(owner: O, config: Config, partitions: usize) -> Self {
        let mut producer = Producer::new(owner, config, 1);
        assert!(producer.bootstrap("node", 9092));
        assert!(producer.set_wall_clock(Instant::ZERO, T.cast_unsigned()));
        let leaders = std::vec![Some(Leader { id: 1, epoch: 0 }); partitions];
        Self {
            producer,
            now: Instant::from_millis(1),
            connections: Vec::new(),
            sent: VecDeque::new(),
            deliveries: Vec::new(),
            notices: Vec::new(),
            topics: BTreeMap::from([("t".to_string(), leaders)]),
            topic_errors: BTreeMap::new(),
            topic_ids: BTreeMap::from([("t".to_string(), 1)]),
            nodes: std::vec![1],
            down: Vec::new(),
            ids: VecDeque::new(),
            produce_max: 13,
            metadata_max: 13,
            metadata_error: ErrorCode::NONE,
            versions_error: ErrorCode::NONE,
            metadata_requests: Vec::new(),
            id_requests: 0,
            attempts: 0,
            closed: Vec::new(),
            hold_output: false,
            trusting: false,
            chunk: 0,
            cut: None,
        }
    }

    /// The topic `t`, with its metadata there and a link to each leader open.
    pub(super) fn ready(&mut self) -> Topic {
        let topic = self.producer.topic("t").unwrap();
        self.run();
        topic
    }

    /// As [`World::ready`], with the window of partition 0 open after a first record.
    pub(super) fn warm(&mut self) -> Topic {
        let topic = self.ready();
        self.send(topic, 0, "first");
        let sent = self.take();
        if sent.acks != 0 {
            self.acknowledge(&sent, 0);
        }
        assert_eq!(self.outcomes().len(), 1);
        topic
    }

    /// As [`World::warm`], for settings with linger.
    pub(super) fn warm_after_linger(&mut self) -> Topic {
        let topic = self.ready();
        self.send(topic, 0, "first");
        self.producer.flush(self.now);
        let sent = self.take();
        self.acknowledge(&sent, 0);
        assert_eq!(self.outcomes().len(), 1);
        topic
    }

    /// What the machine knows of the sequences of a partition of `t`.
    pub(super) fn sequences(&mut self, partition: i32) -> Sequences {
        let topic = self.producer.topic("t").unwrap();
        let memory = self.producer.owner.memory();
        memory.partitions[memory.find_partition(topic.id, partition)].sequences.clone()
    }

    pub(super) fn send(&mut self, topic: Topic, partition: i32, value: &str) {
        self.try_send(topic, partition, value).unwrap();
    }

    pub(super) fn try_send(
        &mut self,
        topic: Topic,
        partition: i32,
        value: &str,
    ) -> Result<crate::producer::Accepted, crate::Refused> {
        let record = Record::new(value.as_bytes()).partition(partition).timestamp(T);
        self.producer.produce(self.now, topic, &record)
    }

    /// Everything that goes on without time passing.
    pub(super) fn run(&mut self) {
        for _ in 0..1_000 {
            let mut busy = self.step_links();
            busy |= !self.hold_output && self.step_output();
            while let Some(event) = self.producer.poll_event() {
                match event {
                    Event::Delivered(delivery) => self.deliveries.push(delivery),
                    other => self.notices.push(other),
                }
                busy = true;
            }
            let due = self.producer.poll_timeout().is_some_and(|at| at <= self.now);
            if due {
                self.producer.handle_timeout(self.now);
                busy = true;
            }
            if !busy {
                return;
            }
        }
        panic!("the producer does not come to rest");
    }

    /// Lets time pass, with every timer on its way.
    pub(super) fn pass(&mut self, millis: u64) {
        let end = self.now.after(Duration::from_millis(millis));
        loop {
            self.run();
            match self.producer.poll_timeout() {
                Some(at) if at <= end => {
                    self.now = self.now.max(at);
                    self.producer.handle_timeout(self.now);
                }
                _ => break,
            }
        }
        self.now = end;
        self.producer.handle_timeout(end);
        self.run();
    }

    pub(super) fn step_links(&mut self) -> bool {
        let mut busy = false;
        loop {
            let (link, address) = match self.producer.poll_link() {
                None => return busy,
                Some(LinkAction::Close(link, reason)) => {
                    self.closed.push(reason);
                    self.connections.retain(|c| c.link != link);
                    busy = true;
                    continue;
                }
                Some(LinkAction::Connect(link, address)) => (link, address.broker),
            };
            busy = true;
            self.attempts += 1;
            let node = address.or(self.nodes.first().copied());
            if node.is_none_or(|node| self.down.contains(&node)) {
                self.producer.handle_disconnected(self.now, link, Reason::Refused);
            } else {
                self.connections.push(Connection { link, node: address, bytes: Vec::new() });
                self.producer.handle_connected(self.now, link);
            }
        }
    }

    pub(super) fn step_output(&mut self) -> bool {
        let mut busy = false;
        for index in 0..self.connections.len() {
            let link = self.connections[index].link;
            let mut count = 0;
            while (!self.trusting || self.producer.has_output(link))
                && let Some(piece) = self.producer.output(link)
            {
                self.connections[index].bytes.extend_from_slice(piece.bytes);
                count += piece.bytes.len();
            }
            if count > 0 {
                self.producer.consume_output(self.now, link, count);
                busy = true;
            }
        }
        for index in (0..self.connections.len()).rev() {
            while let Some(frame) = self.frame(index) {
                self.serve(index, &frame);
                if index >= self.connections.len() {
                    break;
                }
            }
        }
        busy
    }

    fn frame(&mut self, index: usize) -> Option<Vec<u8>> {
        let bytes = &mut self.connections.get_mut(index)?.bytes;
        let size = u32::from_be_bytes(*bytes.first_chunk::<4>()?) as usize;
        if bytes.len() < 4 + size {
            return None;
        }
        let frame = bytes[4..4 + size].to_vec();
        bytes.drain(..4 + size);
        Some(frame)
    }

    fn serve(&mut self, index: usize, frame: &[u8]) {
        let (link, node) = (self.connections[index].link, self.connections[index].node);
        let (header, body) = RequestHeader::read(frame).unwrap();
        let api = Api::of_key(header.key).unwrap();
        let version = header.version;
        let mut reply = |body: &dyn Fn(&mut Vec<u8>)| {
            let frame = answer(api, version, header.correlation, body);
            feed(&mut self.producer, self.now, self.chunk, link, &frame);
        };
        match api {
            Api::ApiVersions => {
                let apis = Api::ALL
                    .iter()
                    .map(|api| {
                        let max = match api {
                            Api::Produce => self.produce_max,
                            Api::Metadata => self.metadata_max,
                            Api::ApiVersions => 4,
                            _ => api.versions().max,
                        };
                        (api.key(), Versions { min: 0, max })
                    })
                    .collect();
                let versions = api_versions::broker::Answer {
                    error: self.versions_error,
                    apis,
                    finalized_epoch: -1,
                    ..api_versions::broker::Answer::default()
                };
                reply(&|out| versions.write(version, out));
            }
            Api::Metadata => {
                let request = metadata::broker::Request::read(body, version).unwrap();
                let names: Vec<String> = request
                    .topics
                    .unwrap()
                    .iter()
                    .map(|t| String::from_utf8(t.name.unwrap().to_vec()).unwrap())
                    .collect();
                self.metadata_requests.push(names.clone());
                let metadata = self.metadata(&names);
                let mut out = Vec::new();
                metadata.write(version, &mut out);
                let frame = answer(api, version, header.correlation, |to| to.extend(&out));
                if let Some(cut) = self.cut.take() {
                    let cut = cut.min(frame.len());
                    feed(&mut self.producer, self.now, self.chunk, link, &frame[..cut]);
                    self.disconnect(link);
                    return;
                }
                feed(&mut self.producer, self.now, self.chunk, link, &frame);
            }
            Api::InitProducerId => {
                self.id_requests += 1;
                let given = self.ids.pop_front().unwrap_or(Ok((7, 0)));
                let item = match given {
                    Ok((producer_id, producer_epoch)) => init_producer_id::Item {
                        throttle_ms: 0,
                        error: ErrorCode::NONE,
                        producer_id,
                        producer_epoch,
                    },
                    Err(error) => init_producer_id::Item {
                        throttle_ms: 0,
                        error,
                        producer_id: -1,
                        producer_epoch: -1,
                    },
                };
                let frame = answer(api, version, header.correlation, |out| {
                    init_producer_id::broker::write(&item, version, out);
                });
                feed(&mut self.producer, self.now, self.chunk, link, &frame);
            }
            Api::Produce => {
                let request = produce::Request::read(body, version).unwrap();
                let mut batches = Vec::new();
                for topic in &request.topics {
                    let name = self.name_of(version, topic.name);
                    for partition in &topic.partitions {
                        batches.push(sent_batch(&name, topic.name, partition));
                    }
                }
                self.sent.push_back(Sent {
                    link,
                    node,
                    version,
                    correlation: header.correlation,
                    acks: request.acks,
                    timeout_ms: request.timeout_ms,
                    batches,
                });
            }
            Api::CreateTopics => panic!("no producer makes topics"),
        }
    }

    fn metadata(&self, names: &[String]) -> metadata::broker::Answer<'static> {
        use metadata::broker::{Answer, Broker, Partition, Topic};
        let brokers = self
            .nodes
            .iter()
            .map(|id| Broker { id: *id, host: "node", port: 9092 + id, rack: None })
            .collect();
        let topics = names
            .iter()
            .map(|name| {
                let name: &'static str = std::boxed::Box::leak(name.clone().into_boxed_str());
                let Some(leaders) = self.topics.get(name) else {
                    let missing = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
                    let error = self.topic_errors.get(name).copied().unwrap_or(missing);
                    return Topic { error, name: Some(name), ..Topic::default() };
                };
                let partitions = leaders
                    .iter()
                    .enumerate()
                    .map(|(index, leader)| Partition {
                        index: index as i32,
                        error: ErrorCode(if leader.is_some() { 0 } else { 5 }),
                        leader: leader.map_or(-1, |l| l.id),
                        leader_epoch: leader.map_or(-1, |l| l.epoch),
                        ..Partition::default()
                    })
                    .collect();
                let id = self.topic_id(name);
                Topic { name: Some(name), id, partitions, ..Topic::default() }
            })
            .collect();
        let error = self.metadata_error;
        Answer { brokers, controller: 1, topics, error, ..Answer::default() }
    }

    fn topic_id(&self, name: &str) -> [u8; 16] {
        let place = self.topics.keys().position(|known| known == name).unwrap_or(0) as u8;
        [self.topic_ids.get(name).copied().unwrap_or(100 + place); 16]
    }

    /// The name of a topic that a Produce request says by its name or its id.
    fn name_of(&self, version: i16, said: &[u8]) -> String {
        if version < 13 {
            return String::from_utf8(said.to_vec()).unwrap();
        }
        let known = self.topics.keys().find(|name| self.topic_id(name) == *said);
        known.cloned().unwrap_or_else(|| "?".to_string())
    }

    /// Takes the only Produce request that is on its way.
    pub(super) fn take(&mut self) -> Sent {
        self.run();
        assert_eq!(self.sent.len(), 1, "{:?}", self.sent);
        self.sent.pop_front().unwrap()
    }

    /// Takes all Produce requests that are on their way.
    pub(super) fn take_all(&mut self) -> Vec<Sent> {
        self.run();
        self.sent.drain(..).collect()
    }

    /// Answers a request: for each of its batches a code and a base offset.
    pub(super) fn answer(&mut self, sent: &Sent, results: &[(i16, i64)]) {
        self.answer_with(sent, results, |_, _| {});
        self.run();
    }

    /// As [`World::answer`], with a chance to change the answer, and nothing done after it.
    pub(super) fn answer_with(
        &mut self,
        sent: &Sent,
        results: &[(i16, i64)],
        change: impl Fn(&mut produce::Answer, &Sent),
    ) {
        let mut reply = produce::Answer::default();
        for (batch, (code, offset)) in sent.batches.iter().zip(results) {
            let partition = produce::Partition::new(PartitionAnswer {
                index: batch.partition,
                error: ErrorCode(*code),
                base_offset: *offset,
                log_append_time: -1,
                log_start: 0,
            });
            match reply.topics.last_mut() {
                Some(topic) if topic.name == batch.said => {
                    topic.partitions.push(partition);
                }
                _ => reply.topics.push(produce::Topic {
                    name: batch.said.clone(),
                    partitions: std::vec![partition],
                }),
            }
        }
        change(&mut reply, sent);
        let frame = answer(Api::Produce, sent.version, sent.correlation, |out| {
            reply.write(sent.version, out);
        });
        feed(&mut self.producer, self.now, self.chunk, sent.link, &frame);
    }

    /// Acknowledges every batch of a request at this offset.
    pub(super) fn acknowledge(&mut self, sent: &Sent, offset: i64) {
        let results: Vec<_> = sent.batches.iter().map(|_| (0, offset)).collect();
        self.answer(sent, &results);
    }

    /// Acknowledges every batch of all that was sent.
    pub(super) fn acknowledge_all(&mut self) {
        for sent in self.take_all() {
            self.acknowledge(&sent, 0);
        }
    }

    /// Breaks a connection.
    pub(super) fn disconnect(&mut self, link: Link) {
        self.connections.retain(|c| c.link != link);
        self.producer.handle_disconnected(self.now, link, Reason::Disconnected);
    }

    /// Outcomes that came since the last call: partition, first record, count, outcome.
    pub(super) fn outcomes(&mut self) -> Vec<(i32, u64, u32, Outcome)> {
        self.run();
        self.deliveries.drain(..).map(|d| (d.partition, d.first, d.count, d.outcome)).collect()
    }

    pub(super) fn links(&self) -> Vec<Link> {
        self.connections.iter().map(|c| c.link).collect()
    }

    pub(super) fn first_link(&self) -> Link {
        self.connections.iter().find(|c| c.node.is_some()).expect("a link").link
    }

    /// A pause that covers every back-off.
    pub(super) fn back_off(&mut self) {
        self.pass(1_300);
    }

    /// These are the nodes, in the order in which metadata tells of them: each of as many partitions is
    /// led by another, the first by 1.
    pub(super) fn lead_each(&mut self, nodes: impl IntoIterator<Item = i32>) {
        self.nodes = nodes.into_iter().collect();
        for (partition, id) in (1..).take(self.nodes.len()).enumerate() {
            self.lead(partition, id, 0);
        }
    }

    /// Moves a partition to another leader in a newer epoch.
    pub(super) fn lead(&mut self, partition: usize, id: i32, epoch: i32) {
        self.topics.get_mut("t").unwrap()[partition] = Some(Leader { id, epoch });
    }
}

fn feed<O: Owner>(
    producer: &mut Producer<O>,
    now: Instant,
    chunk: usize,
    link: Link,
    frame: &[u8],
) {
    let chunk = if chunk == 0 { frame.len() } else { chunk };
    for piece in frame.chunks(chunk) {
        producer.handle_input(now, link, piece);
    }
}

fn sent_batch(name: &str, said: &[u8], partition: &produce::RequestPartition<'_>) -> SentBatch {
    let bytes = partition.records.unwrap();
    let (batch, rest) = Batch::read(bytes).unwrap();
    assert!(rest.is_empty(), "one batch per partition");
    let values = batch
        .records()
        .unwrap()
        .map(|r| String::from_utf8_lossy(r.unwrap().value.unwrap_or(b"")).into_owned())
        .collect();
    SentBatch {
        topic: name.to_string(),
        said: said.to_vec(),
        partition: partition.index,
        id: batch.producer_id,
        epoch: batch.producer_epoch,
        sequence: batch.base_sequence,
        count: batch.count,
        values,
        bytes: bytes.to_vec(),
    }
}

pub(super) fn written(offset: i64) -> Outcome {
    Outcome::Written { base_offset: offset, append_time: -1 }
}

pub(super) fn hint(reply: &mut produce::Answer, leader: (i32, i32), endpoint: Option<i32>) {
    reply.topics[0].partitions[0].leader = Some(leader);
    if let Some(id) = endpoint {
        reply.endpoints.push(Endpoint { id, host: "node".to_string(), port: 9092 + id });
    }
}
