//! A small cluster that does what a test says. It keeps what was produced to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ottla::message::broker::{RequestHeader, answer};
use ottla::message::produce::PartitionAnswer;
use ottla::message::produce::broker::{self as produce, RecordError};
use ottla::message::{Api, ErrorCode, Versions, api_versions, init_producer_id, metadata};
use ottla::record::reader::Batch;
use ottla_tokio::{Builder, ConnectError, DuplexListener, Producer, Reason, duplex};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::Semaphore;

/// As many answers as anybody asks for.
const ALL: usize = 1 << 20;

/// What the cluster is told, and what it saw.
pub(crate) struct Script {
    /// Number of partitions by name; node 1 leads all of them.
    pub(crate) topics: BTreeMap<String, usize>,
    /// Code of topics that are refused.
    pub(crate) failed: BTreeMap<String, ErrorCode>,
    /// Where node 1 says that it is.
    pub(crate) advertised: (&'static str, i32),
    /// Hosts that cannot be connected to.
    pub(crate) unreachable: BTreeMap<String, ConnectError>,
    /// What Produce requests are answered.
    pub(crate) code: ErrorCode,
    /// Bytes of the largest batch that is taken.
    pub(crate) largest: usize,
    /// What is said beside a refusal: of records, and of the batch.
    pub(crate) complaints: (Vec<RecordError>, Option<String>),
    /// Bytes that a connection holds each way.
    pub(crate) buffer: usize,
    /// Values by topic and partition, in the order of the log.
    pub(crate) log: BTreeMap<(String, i32), Vec<String>>,
    /// Timestamps of all records.
    pub(crate) timestamps: Vec<i64>,
    /// Connections that were made.
    pub(crate) connections: usize,
    /// Addresses that were called, whether or not the connection was made.
    pub(crate) calls: Vec<String>,
    /// What Metadata requests are answered as a whole, and how many there were.
    pub(crate) metadata_code: ErrorCode,
    pub(crate) metadata_requests: usize,
}

#[derive(Clone)]
pub(crate) struct Cluster {
    script: Arc<Mutex<Script>>,
    /// One permit per answer to a Produce request.
    answers: Arc<Semaphore>,
}

impl Cluster {
    /// One node, at `node:9092`, with the topic `t` of three partitions, and a producer of it
    /// that `build` has put together.
    pub(crate) fn start(build: impl FnOnce(Builder) -> Builder) -> (Self, Producer) {
        let script = Script {
            topics: BTreeMap::from([("t".to_owned(), 3)]),
            failed: BTreeMap::new(),
            advertised: ("node", 9092),
            unreachable: BTreeMap::new(),
            code: ErrorCode::NONE,
            largest: usize::MAX,
            complaints: (Vec::new(), None),
            buffer: 1 << 16,
            log: BTreeMap::new(),
            timestamps: Vec::new(),
            connections: 0,
            calls: Vec::new(),
            metadata_code: ErrorCode::NONE,
            metadata_requests: 0,
        };
        let answers = Arc::new(Semaphore::new(ALL));
        let cluster = Self { script: Arc::new(Mutex::new(script)), answers };
        let (connector, listener) = duplex();
        tokio::spawn(cluster.clone().listen(listener));
        let builder = build(Producer::builder().bootstrap_servers("boot:9092"));
        let producer = builder.build_with(connector).expect("the settings are sound");
        (cluster, producer)
    }

    /// Changes or reads the script.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut Script) -> R) -> R {
        f(&mut self.script.lock().unwrap())
    }

    /// Produce requests are not answered from now on.
    pub(crate) fn hold(&self) {
        self.answers.forget_permits(usize::MAX >> 3);
    }

    /// Answers that many Produce requests, and goes on holding.
    pub(crate) fn release(&self, count: usize) {
        self.answers.add_permits(count);
    }

    /// Answers everything again.
    pub(crate) fn release_all(&self) {
        self.answers.add_permits(ALL);
    }

    /// The values of a partition of `t`.
    pub(crate) fn log(&self, partition: i32) -> Vec<String> {
        self.with(|script| {
            script.log.get(&("t".to_owned(), partition)).cloned().unwrap_or_default()
        })
    }

    /// Number of records in all logs.
    pub(crate) fn records(&self) -> usize {
        self.with(|script| script.log.values().map(Vec::len).sum())
    }

    async fn listen(self, mut listener: DuplexListener) {
        while let Some(call) = listener.accept().await {
            let error = self.with(|script| {
                script.calls.push(format!("{}:{}", call.host(), call.port()));
                script.unreachable.get(call.host()).cloned()
            });
            match error {
                Some(error) => call.refuse(error),
                None => {
                    let buffer = self.with(|script| {
                        script.connections += 1;
                        script.buffer
                    });
                    tokio::spawn(self.clone().serve(call.accept(buffer)));
                }
            }
        }
    }

    async fn serve(self, mut stream: DuplexStream) {
        loop {
            let Ok(size) = stream.read_u32().await else { return };
            let mut frame = vec![0; size as usize];
            if stream.read_exact(&mut frame).await.is_err() {
                return;
            }
            let Some(reply) = self.reply(&frame).await else { continue };
            if stream.write_all(&reply).await.is_err() {
                return;
            }
        }
    }

    async fn reply(&self, frame: &[u8]) -> Option<Vec<u8>> {
        let (header, body) = RequestHeader::read(frame).unwrap();
        let api = Api::of_key(header.key).unwrap();
        let version = header.version;
        let mut out = Vec::new();
        match api {
            Api::ApiVersions => versions().write(version, &mut out),
            Api::InitProducerId => {
                let item = init_producer_id::Item {
                    throttle_ms: 0,
                    error: ErrorCode::NONE,
                    producer_id: 7,
                    producer_epoch: 0,
                };
                init_producer_id::broker::write(&item, version, &mut out);
            }
            Api::Metadata => {
                let request = metadata::broker::Request::read(body, version).unwrap();
                self.with(|script| script.metadata(&request, version, &mut out));
            }
            Api::Produce => {
                let request = produce::Request::read(body, version).unwrap();
                let reply = self.with(|script| script.produce(&request));
                if request.acks == 0 {
                    return None;
                }
                self.answers.acquire().await.unwrap().forget();
                reply.write(version, &mut out);
            }
            Api::CreateTopics => unreachable!("no producer makes topics"),
        }
        Some(answer(api, version, header.correlation, |to| to.extend(&out)))
    }
}

fn versions() -> api_versions::broker::Answer {
    let apis = Api::ALL.iter().map(|api| {
        let max = if *api == Api::ApiVersions { 4 } else { api.versions().max };
        (api.key(), Versions { min: 0, max })
    });
    api_versions::broker::Answer {
        apis: apis.collect(),
        finalized_epoch: -1,
        ..api_versions::broker::Answer::default()
    }
}

impl Script {
    fn metadata(
        &mut self,
        request: &metadata::broker::Request<'_>,
        version: i16,
        out: &mut Vec<u8>,
    ) {
        use metadata::broker::{Answer, Broker, Partition, Topic};
        self.metadata_requests += 1;
        let (host, port) = self.advertised;
        let topics = request.topics.iter().flatten().map(|asked| {
            let name = str::from_utf8(asked.name.unwrap()).unwrap();
            let leader = |index| Partition { index, leader: 1, ..Partition::default() };
            let (error, partitions) = match (self.topics.get(name), self.failed.get(name)) {
                (_, Some(code)) => (*code, 0),
                (Some(count), None) => (ErrorCode::NONE, *count),
                (None, None) => (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, 0),
            };
            let partitions = (0..partitions as i32).map(leader).collect();
            Topic { error, name: Some(name), id: id(name), partitions, ..Topic::default() }
        });
        let answer = Answer {
            brokers: vec![Broker { id: 1, host, port, rack: None }],
            controller: 1,
            topics: topics.collect(),
            error: self.metadata_code,
            ..Answer::default()
        };
        answer.write(version, out);
    }

    fn produce(&mut self, request: &produce::Request<'_>) -> produce::Answer {
        let mut reply = produce::Answer::default();
        for topic in &request.topics {
            // The client takes the newest version, in which topics go by their ids.
            let name = self.topics.keys().find(|name| id(name) == topic.name).unwrap().clone();
            let mut partitions = Vec::new();
            for partition in &topic.partitions {
                let bytes = partition.records.unwrap();
                let (batch, rest) = Batch::read(bytes).unwrap();
                assert!(rest.is_empty());
                let fits = bytes.len() <= self.largest;
                let code = if fits { self.code } else { ErrorCode::MESSAGE_TOO_LARGE };
                let log = self.log.entry((name.clone(), partition.index)).or_default();
                let base_offset = log.len() as i64;
                if code.is_success() {
                    for record in batch.records().unwrap().map(Result::unwrap) {
                        log.push(text(record.value.unwrap_or_default()));
                        self.timestamps.push(record.timestamp);
                    }
                }
                let mut answer = produce::Partition::new(PartitionAnswer {
                    index: partition.index,
                    error: code,
                    base_offset: if code.is_success() { base_offset } else { -1 },
                    log_append_time: -1,
                    log_start: 0,
                });
                if !code.is_success() {
                    (answer.records, answer.text) = self.complaints.clone();
                }
                partitions.push(answer);
            }
            reply.topics.push(produce::Topic { name: topic.name.to_vec(), partitions });
        }
        reply
    }
}

/// The id of a topic: its name, as far as it goes.
fn id(name: &str) -> [u8; 16] {
    let mut id = [0; 16];
    for (byte, letter) in id.iter_mut().zip(name.bytes()) {
        *byte = letter;
    }
    id
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An address that does not resolve.
pub(crate) fn unresolved() -> ConnectError {
    ConnectError::new(Reason::Unresolved, "")
}

/// Lets everything happen that needs no time.
pub(crate) async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// Settings without pauses.
pub(crate) fn at_once(builder: Builder) -> Builder {
    builder.linger(Duration::ZERO)
}
