//! What the unit tests share: a raw client of a cluster, and batches.

use ottla::Record;
use ottla::message::broker::RequestHeader;
use ottla::message::{AdminApi, AnyApi, Api, ErrorCode, Step};
use ottla::message::{
    api_versions, create_partitions, create_topics, delete_topics, describe_cluster,
    describe_configs, describe_topic_partitions, incremental_alter_configs, init_producer_id,
    metadata, produce,
};
use ottla::record::{builder, size};
use ottla::wire::input::{Frame, Input};
use ottla::wire::write::Put;

use crate::{Closed, Cluster, Config, Connection, NewTopic};

/// Time of day of the records made here: that of the clusters at instant 0.
pub(crate) const T: i64 = 1_700_000_000_000;

/// What a client is told by a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Told {
    /// A frame, with its size.
    Answer(Vec<u8>),
    /// The end of the connection.
    Closed(Closed),
    /// Nothing yet.
    Nothing,
}

/// The answer for one batch.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Produced {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) error: i16,
    pub(crate) base_offset: i64,
    pub(crate) append_time: i64,
    pub(crate) log_start: i64,
    pub(crate) records: Vec<(i32, String)>,
    pub(crate) text: String,
    pub(crate) leader: Option<(i32, i32)>,
    pub(crate) endpoint: Option<(i32, i32)>,
}

/// A client with one connection at a time.
pub(crate) struct Client {
    pub(crate) cluster: Cluster,
    pub(crate) connection: Connection,
    pub(crate) now: u64,
}

impl Client {
    /// Connected to the only node of a cluster with the topic `t`, which has two partitions.
    pub(crate) fn new() -> Self {
        let mut client = Self::with(Config::new(1));
        client.cluster.create_topic(&NewTopic::new("t", 2, 1)).unwrap();
        client
    }

    /// Connected to the first node.
    pub(crate) fn with(config: Config) -> Self {
        let first = config.nodes[0].id;
        let mut cluster = Cluster::new(config);
        let connection = cluster.connect(0, first).unwrap();
        Self { cluster, connection, now: 0 }
    }

    pub(crate) fn reconnect(&mut self, node: i32) {
        self.connection = self.cluster.connect(self.now, node).unwrap();
    }

    /// Lets time pass, with every timer on its way.
    pub(crate) fn pass(&mut self, millis: u64) {
        let end = self.now + millis * 1_000;
        while let Some(at) = self.cluster.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.cluster.handle_timeout(self.now);
        }
        self.now = end;
        self.cluster.handle_timeout(end);
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.cluster.handle_input(self.now, self.connection, bytes);
    }

    pub(crate) fn told(&mut self) -> Told {
        if let Some(frame) = self.cluster.poll_output(self.connection) {
            return Told::Answer(frame);
        }
        self.cluster.poll_close(self.connection).map_or(Told::Nothing, Told::Closed)
    }

    pub(crate) fn closed(&mut self) -> Option<Closed> {
        self.cluster.poll_close(self.connection)
    }

    /// Sends a request by its numbers, and returns what comes of it at once.
    pub(crate) fn request(
        &mut self,
        key: i16,
        version: i16,
        correlation: i32,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Told {
        self.send(&request(key, version, correlation, body));
        self.told()
    }

    /// The body of what is answered at once.
    pub(crate) fn ask(
        &mut self,
        api: impl Into<AnyApi>,
        version: i16,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Vec<u8> {
        let api = api.into();
        match self.request(api.key(), version, 77, body) {
            Told::Answer(frame) => answer_body(api, version, &frame),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn api_versions(
        &mut self,
        version: i16,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Vec<api_versions::Item> {
        let body = self.ask(Api::ApiVersions, version, body);
        let (mut cursor, mut items) = (api_versions::Answer::default(), Vec::new());
        read(&body, |input| Ok(cursor.next(version, input)?.map(|item| items.push(item))));
        items
    }

    pub(crate) fn init_producer_id(
        &mut self,
        version: i16,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> init_producer_id::Item {
        let body = self.ask(Api::InitProducerId, version, body);
        let (mut cursor, mut items) = (init_producer_id::Answer::default(), Vec::new());
        read(&body, |input| Ok(cursor.next(version, input)?.map(|item| items.push(item))));
        items[0]
    }

    /// Answers of CreateTopics: name, id, code, text.
    pub(crate) fn create_topics(
        &mut self,
        version: i16,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Vec<(String, [u8; 16], i16, String)> {
        let body = self.ask(Api::CreateTopics, version, body);
        let (mut cursor, mut topics) = (create_topics::Answer::default(), Vec::new());
        read(&body, |input| {
            Ok(match cursor.next(version, input)? {
                Step::Item(create_topics::Item::Topic { name, id, error }) => {
                    topics.push((text(name), id, error.0, String::new()));
                    Step::Item(())
                }
                Step::Item(create_topics::Item::Text(part)) => {
                    topics.last_mut().unwrap().3.push_str(&text(part));
                    Step::Item(())
                }
                Step::Item(create_topics::Item::Throttle(_)) => Step::Item(()),
                Step::More => Step::More,
                Step::End => Step::End,
            })
        });
        topics
    }

    /// Answers of DeleteTopics: name, id, code.
    pub(crate) fn delete_topics(
        &mut self,
        version: i16,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Vec<(String, [u8; 16], i16)> {
        let body = self.ask(AdminApi::DeleteTopics, version, body);
        let (mut cursor, mut topics) = (delete_topics::Answer::default(), Vec::new());
        read(&body, |input| {
            let step = cursor.next(version, input)?;
            if let Step::Item(delete_topics::Item::Topic { name, id, error }) = step {
                topics.push((text(name), id, error.0));
            }
            Ok(step.map(drop))
        });
        topics
    }

    /// Answers of CreatePartitions: name, code, text.
    pub(crate) fn create_partitions(
        &mut self,
        version: i16,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Vec<(String, i16, String)> {
        use create_partitions::Item;
        let body = self.ask(AdminApi::CreatePartitions, version, body);
        let (mut cursor, mut topics) = (create_partitions::Answer::default(), Vec::new());
        read(&body, |input| {
            let step = cursor.next(version, input)?;
            match step {
                Step::Item(Item::Topic { name, error, .. }) => {
                    topics.push((text(name), error.0, String::new()));
                }
                Step::Item(Item::Text(part)) => {
                    topics.last_mut().unwrap().2.push_str(&text(part));
                }
                _ => {}
            }
            Ok(step.map(drop))
        });
        topics
    }

    /// Answers of IncrementalAlterConfigs: kind, name, code, text.
    pub(crate) fn incremental_alter_configs(
        &mut self,
        version: i16,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Vec<(i8, String, i16, String)> {
        use incremental_alter_configs::Item;
        let body = self.ask(AdminApi::IncrementalAlterConfigs, version, body);
        let (mut cursor, mut told) = (incremental_alter_configs::Answer::default(), Vec::new());
        let (mut code, mut words) = (0, String::new());
        read(&body, |input| {
            let step = cursor.next(version, input)?;
            match step {
                Step::Item(Item::Error(error)) => code = error.0,
                Step::Item(Item::Text(part)) => words.push_str(&text(part)),
                Step::Item(Item::Resource { kind, name }) => {
                    told.push((kind, text(name), code, std::mem::take(&mut words)));
                }
                _ => {}
            }
            Ok(step.map(drop))
        });
        told
    }

    /// Answers of DescribeCluster, one line each; success is passed over.
    pub(crate) fn describe_cluster(
        &mut self,
        version: i16,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Vec<String> {
        use describe_cluster::Item;
        let body = self.ask(AdminApi::DescribeCluster, version, body);
        let (mut cursor, mut lines) = (describe_cluster::Answer::default(), Vec::new());
        read(&body, |input| {
            let step = cursor.next(version, input)?;
            match step {
                Step::Item(Item::Error(code)) if !code.is_success() => {
                    lines.push(format!("error {}", code.0));
                }
                Step::Item(Item::Cluster { id, controller }) => {
                    lines.push(format!("cluster {} {controller}", text(id)));
                }
                Step::Item(Item::Broker { id, host, port }) => {
                    lines.push(format!("broker {id} {}:{port}", text(host)));
                }
                _ => {}
            }
            Ok(step.map(drop))
        });
        lines
    }

    /// Answers of DescribeConfigs, one line each.
    pub(crate) fn describe_configs(
        &mut self,
        version: i16,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Vec<String> {
        use describe_configs::Item;
        let body = self.ask(AdminApi::DescribeConfigs, version, body);
        let (mut cursor, mut lines) = (describe_configs::Answer::default(), Vec::new());
        let mut error = ErrorCode::NONE;
        read(&body, |input| {
            let step = cursor.next(version, input)?;
            match step {
                Step::Item(Item::Error(code)) => error = code,
                Step::Item(Item::Resource { kind, name }) => {
                    lines.push(format!("resource {kind} {} {}", text(name), error.0));
                }
                Step::Item(Item::Setting(name)) => lines.push(format!("{} = ", text(name))),
                Step::Item(Item::Value(part)) => lines.last_mut().unwrap().push_str(&text(part)),
                Step::Item(Item::About { source, read_only, .. }) => {
                    let read_only = if read_only { ", read only" } else { "" };
                    lines.last_mut().unwrap().push_str(&format!(" from {source}{read_only}"));
                }
                _ => {}
            }
            Ok(step.map(drop))
        });
        lines
    }

    /// Answers of DescribeTopicPartitions, one line each.
    pub(crate) fn describe_topic_partitions(
        &mut self,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Vec<String> {
        use describe_topic_partitions::Item;
        let body = self.ask(AdminApi::DescribeTopicPartitions, 0, body);
        let (mut cursor, mut lines) = (describe_topic_partitions::Answer::default(), Vec::new());
        read(&body, |input| {
            let step = cursor.next(input)?;
            if let Step::Item(item) = step {
                lines.push(match item {
                    Item::Throttle(ms) => format!("throttle {ms}"),
                    Item::Topic { error, name, id } => {
                        let has_id = if id == [0; 16] { "" } else { " id" };
                        format!("topic {} {}{has_id}", text(name), error.0)
                    }
                    Item::Partition { error, index, leader, leader_epoch } => {
                        format!("partition {index} {} {leader}@{leader_epoch}", error.0)
                    }
                    Item::Next { topic, partition } => format!("next {} {partition}", text(topic)),
                });
            }
            Ok(step.map(drop))
        });
        lines
    }

    /// Answers of Metadata, one line each.
    pub(crate) fn metadata(
        &mut self,
        version: i16,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Vec<String> {
        let body = self.ask(Api::Metadata, version, body);
        let (mut cursor, mut lines) = (metadata::Answer::default(), Vec::new());
        read(&body, |input| {
            Ok(match cursor.next(version, input)? {
                Step::Item(item) => {
                    lines.push(match item {
                        metadata::Item::Broker { id, host, port } => {
                            format!("broker {id} {}:{port}", text(host))
                        }
                        metadata::Item::Topic { error, name, id } => {
                            let has_id = if id == [0; 16] { "" } else { " id" };
                            format!("topic {} {}{has_id}", text(name), error.0)
                        }
                        metadata::Item::Partition { error, index, leader, leader_epoch } => {
                            format!("partition {index} {} {leader}@{leader_epoch}", error.0)
                        }
                        metadata::Item::Error(code) if !code.is_success() => {
                            format!("error {}", code.0)
                        }
                        metadata::Item::Throttle(ms) => format!("throttle {ms}"),
                        _ => return Ok(Step::Item(())),
                    });
                    Step::Item(())
                }
                Step::More => Step::More,
                Step::End => Step::End,
            })
        });
        lines
    }

    /// Sends batches with `acks=all` in the newest version, to partitions of `t`.
    pub(crate) fn produce(&mut self, batches: &[(i32, &[u8])]) -> Vec<Produced> {
        self.send(&produce_request(12, -1, 1_000, batches));
        self.produced(12).expect("an answer")
    }

    /// Sends one batch to partition 0 of `t`: code and base offset.
    pub(crate) fn produce_one(&mut self, batch: &[u8]) -> (i16, i64) {
        let answer = self.produce(&[(0, batch)]).remove(0);
        (answer.error, answer.base_offset)
    }

    /// The answer to a Produce request, if it is there.
    pub(crate) fn produced(&mut self, version: i16) -> Option<Vec<Produced>> {
        match self.told() {
            Told::Answer(frame) => Some(read_produced(version, &frame)),
            Told::Nothing => None,
            Told::Closed(closed) => panic!("{closed:?}"),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A request frame.
pub(crate) fn request(
    key: i16,
    version: i16,
    correlation: i32,
    body: impl FnOnce(&mut Vec<u8>),
) -> Vec<u8> {
    let mut frame = vec![0; 4];
    frame.int16(key);
    frame.int16(version);
    frame.int32(correlation);
    frame.string(b"test", false);
    frame.no_tags(AnyApi::of_key(key).is_some_and(|api| api.is_flexible(version)));
    body(&mut frame);
    let size = frame.len() as u32 - 4;
    frame[..4].copy_from_slice(&size.to_be_bytes());
    // What the codec makes of it is what was meant.
    let (header, _) = RequestHeader::read(&frame[4..]).unwrap();
    assert_eq!((header.key, header.version, header.correlation), (key, version, correlation));
    frame
}

/// A Produce request for partitions of `t`.
pub(crate) fn produce_request(
    version: i16,
    acks: i16,
    timeout_ms: i32,
    batches: &[(i32, &[u8])],
) -> Vec<u8> {
    request(0, version, 77, |out| {
        produce::request_start(out, version, acks, timeout_ms, 1);
        produce::request_topic(out, version, b"t", batches.len() as u32);
        for (index, batch) in batches {
            produce::request_partition(out, version, *index, batch.len() as u32);
            out.raw(batch);
            produce::request_end(out, version);
        }
        produce::request_end(out, version);
        produce::request_end(out, version);
    })
}

fn answer_body(api: AnyApi, version: i16, frame: &[u8]) -> Vec<u8> {
    assert_eq!(frame[..4], (frame.len() as u32 - 4).to_be_bytes());
    assert_eq!(frame[4..8], 77_i32.to_be_bytes(), "the correlation id");
    frame[8 + usize::from(api.has_answer_tags(version))..].to_vec()
}

/// Runs a stream decoder over a whole body.
fn read(
    body: &[u8],
    mut step: impl FnMut(&mut Input<'_>) -> Result<Step<()>, ottla::error::Fault>,
) {
    let mut frame = Frame::default();
    frame.start(body.len() as u32);
    let mut input = Input::new(&mut frame, body);
    loop {
        match step(&mut input).unwrap() {
            Step::Item(()) => {}
            Step::More => panic!("the answer is cut"),
            Step::End => break,
        }
    }
}

/// Reads the answer to a Produce request.
pub(crate) fn read_produced(version: i16, frame: &[u8]) -> Vec<Produced> {
    let body = answer_body(Api::Produce.into(), version, frame);
    let (mut cursor, mut topic) = (produce::Answer::default(), String::new());
    let mut answers: Vec<Produced> = Vec::new();
    read(&body, |input| {
        let item = match cursor.next(version, input)? {
            Step::Item(item) => item,
            Step::More => return Ok(Step::More),
            Step::End => return Ok(Step::End),
        };
        match item {
            produce::Item::Topic(name) => topic = text(name),
            produce::Item::Partition(answer) => answers.push(Produced {
                topic: topic.clone(),
                partition: answer.index,
                error: answer.error.0,
                base_offset: answer.base_offset,
                append_time: answer.log_append_time,
                log_start: answer.log_start,
                ..Produced::default()
            }),
            produce::Item::Record(place) => {
                answers.last_mut().unwrap().records.push((place, String::new()));
            }
            produce::Item::RecordText(part) => {
                let last = answers.last_mut().unwrap();
                last.records.last_mut().unwrap().1.push_str(&text(part));
            }
            produce::Item::Text(part) => answers.last_mut().unwrap().text.push_str(&text(part)),
            produce::Item::Leader(id, epoch) => {
                answers.last_mut().unwrap().leader = Some((id, epoch));
            }
            produce::Item::Endpoint { id, port, .. } => {
                answers.last_mut().unwrap().endpoint = Some((id, port));
            }
            produce::Item::Throttle(_) => {}
        }
        Ok(Step::Item(()))
    });
    answers
}

/// What a batch is made of.
#[derive(Copy, Clone)]
pub(crate) struct Made<'a> {
    /// Producer id, epoch and base sequence.
    pub(crate) id: (i64, i16, i32),
    /// Attribute bits.
    pub(crate) attributes: i16,
    /// Timestamp and key of each record.
    pub(crate) records: &'a [(i64, Option<&'a str>)],
}

/// A sealed batch.
pub(crate) fn made(of: Made<'_>) -> Vec<u8> {
    let mut bytes = vec![0; 61];
    let first = of.records.first().map_or(0, |r| r.0);
    for (place, (timestamp, key)) in (0..).zip(of.records) {
        let value = format!("value {place}");
        let mut record = Record::new(value.as_bytes());
        record.key = key.map(str::as_bytes);
        let fields = size::fields(&record);
        let delta = timestamp - first;
        let at = bytes.len();
        bytes.resize(at + size::record(size::body(fields, place, delta)) as usize, 0);
        assert!(builder::append(&mut bytes[at..], &record, fields, place, delta));
    }
    let header = builder::Seal {
        attributes: of.attributes,
        count: of.records.len() as u32,
        base_timestamp: first,
        max_timestamp: of.records.iter().map(|r| r.0).max().unwrap_or(-1),
        producer_id: of.id.0,
        producer_epoch: of.id.1,
        base_sequence: of.id.2,
    };
    assert!(builder::seal(&mut bytes, &header));
    bytes
}

/// A batch of producer 7 in an epoch, from a sequence on.
pub(crate) fn batch(epoch: i16, sequence: i32, count: usize) -> Vec<u8> {
    made(Made { id: (7, epoch, sequence), attributes: 0, records: &vec![(T, None); count] })
}

/// A batch without a producer.
pub(crate) fn plain(records: &[(i64, Option<&str>)]) -> Vec<u8> {
    made(Made { id: (-1, -1, -1), attributes: 0, records })
}

/// Computes the checksum of a batch again after a change.
pub(crate) fn reseal(batch: &mut [u8]) {
    let checksum = ottla::record::checksum::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&checksum.to_be_bytes());
}

/// The code of success, to compare answers with.
pub(crate) const NONE: i16 = ErrorCode::NONE.0;
