//! The cluster's states by number: [`ottla_broker`] handles every request in every state once, and
//! what came of it is remembered. Its time stands still: nothing in it waits.

use std::hash::Hash;

use hashbrown::HashMap;
use ottla::message::broker::answer as answer_frame;
use ottla::message::{Api, ErrorCode, produce};
use ottla::record::reader::ReadRecord;
use ottla_broker::{Action, Closed, Cluster, Config, NewTopic, Reload, UpTo};
use ottla_simulator::frames::Part;

use crate::fingerprint::{Fingerprint, Fingerprinter};
use crate::frames::{Content, FrameId, Frames};
use crate::setup::{Lie, Setup};

/// Number of a state of the cluster.
pub type BrokerId = u32;

/// Nodes of the cluster; a partition is on both.
pub const NODES: u8 = 2;
/// Name of the topic.
pub const TOPIC: &str = "t";

/// What is done to a request beside handling it.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Forced {
    /// Nothing.
    Nothing,
    /// It is refused by this code.
    Before(i16),
    /// It is handled, and this code is answered.
    After(i16),
    /// It is handled, and the answer leaves every partition out.
    LeftOut,
}

/// What became of a request.
#[derive(Clone, Debug)]
pub struct Served {
    /// The state of the cluster afterwards.
    pub broker: BrokerId,
    /// The answer. `None`: the connection was closed, as nobody can read the request.
    pub answer: Option<FrameId>,
}

/// What happens to a cluster beside requests.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Change {
    /// Every node loads what it knows of producers from its log: the newest batch of each.
    Reload,
    /// A partition forgets all producers, as when they have not written for a day.
    Expire(u8),
    /// The other node leads a partition.
    Move(u8),
}

#[derive(Debug)]
struct State {
    cluster: Cluster,
    /// Producer ids that each node was asked for.
    asked: [u8; NODES as usize],
    /// Records of each partition's log, in order.
    logs: Vec<Vec<u8>>,
    /// Whether a batch in a log was not as it was sent.
    damaged: bool,
}

/// All states of the cluster that a search came by.
#[derive(Debug)]
pub struct Brokers {
    states: Vec<State>,
    numbers: HashMap<Fingerprint, BrokerId>,
    served: HashMap<(BrokerId, u8, FrameId, Forced), Served>,
    changed: HashMap<(BrokerId, Change), BrokerId>,
    partitions: u8,
    lie: Option<Lie>,
}

/// The number that a record's value holds; every value is one that this search made.
fn number_of(record: &ReadRecord<'_>) -> Option<u8> {
    let value: &[u8; 8] = record.value?.try_into().ok()?;
    (*value == crate::client::value(value[7])).then_some(value[7])
}

impl Brokers {
    /// The cluster at the beginning is number 0.
    #[must_use]
    pub fn new(setup: &Setup) -> Self {
        let mut config = Config::new(NODES);
        config.max_idle = None;
        config.profile = setup.release;
        config.producer_expiration_ms = i64::MAX;
        let mut cluster = Cluster::new(config);
        let partitions = setup.partitions;
        let topic = NewTopic::new(TOPIC, i32::from(partitions), i16::from(NODES));
        cluster.create_topic(&topic).expect("the topic is legal");
        for index in 0..partitions {
            // They all begin on the first node.
            let _ = cluster.move_leader(0, TOPIC, i32::from(index), 1);
        }
        let mut brokers = Self {
            states: Vec::new(),
            numbers: HashMap::new(),
            served: HashMap::new(),
            changed: HashMap::new(),
            partitions,
            lie: setup.lie,
        };
        brokers.keep(cluster, [0; NODES as usize]);
        brokers
    }

    /// How many states there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.states.len()
    }

    /// The records of a partition's log, in order.
    #[must_use]
    pub fn log(&self, broker: BrokerId, partition: u8) -> &[u8] {
        &self.states[broker as usize].logs[usize::from(partition)]
    }

    /// The node that leads a partition.
    #[must_use]
    pub fn leader(&self, broker: BrokerId, partition: u8) -> i32 {
        let cluster = &self.states[broker as usize].cluster;
        cluster.leader(TOPIC, i32::from(partition)).unwrap_or(0)
    }

    /// Whether a log holds something that nobody sent.
    #[must_use]
    pub fn is_damaged(&self, broker: BrokerId) -> bool {
        self.states[broker as usize].damaged
    }

    /// A node handles a request.
    pub fn serve(
        &mut self,
        frames: &mut Frames,
        broker: BrokerId,
        node: u8,
        request: FrameId,
        forced: Forced,
    ) -> Served {
        let key = (broker, node, request, forced);
        if let Some(served) = self.served.get(&key) {
            return served.clone();
        }
        let State { cluster, asked, .. } = &self.states[broker as usize];
        let (mut cluster, mut asked) = (cluster.clone(), *asked);
        match forced {
            Forced::Nothing | Forced::LeftOut => {}
            Forced::Before(code) => cluster.set_hook(move |_| Action::Refuse(ErrorCode(code))),
            Forced::After(code) => cluster.set_hook(move |_| Action::AnswerAfter(ErrorCode(code))),
        }
        if matches!(frames.get(request).content, Content::Other("InitProducerId")) {
            asked[usize::from(node) - 1] += 1;
        }
        let connection = cluster.connect(0, i32::from(node)).expect("the node runs");
        cluster.handle_input(0, connection, &frames.get(request).bytes);
        let answer = cluster.poll_output(connection);
        let closed: Option<Closed> = cluster.poll_close(connection);
        cluster.disconnect(0, connection);
        cluster.clear_hook();
        while cluster.poll_ready().is_some() {}
        assert!(answer.is_some() || closed.is_some(), "the cluster waits for something");
        let answer = match (forced, &frames.get(request).content) {
            (Forced::LeftOut, Content::Produce(version, _)) => {
                let nothing = produce::broker::Answer::default();
                Some(answer_frame(Api::Produce, *version, 0, |out| nothing.write(*version, out)))
            }
            _ => answer,
        };
        let answer = answer.and_then(|bytes| frames.answer(request, &bytes));
        let after = match self.lie {
            Some(Lie::ForgetProducers) if frames.is_produce(request) => {
                for index in 0..self.partitions {
                    let _ = cluster.forget_producers(TOPIC, i32::from(index));
                }
                self.keep(cluster, asked)
            }
            Some(Lie::LoseAppends) if frames.is_produce(request) => broker,
            _ => self.keep(cluster, asked),
        };
        let served = Served { broker: after, answer };
        self.served.insert(key, served.clone());
        served
    }

    /// The answer that refuses all batches of a request by a code that is to be retried.
    pub fn soften(&self, frames: &mut Frames, request: FrameId) -> FrameId {
        let Content::Produce(version, parts) = &frames.get(request).content else {
            panic!("no request to produce")
        };
        let refused = |part: &Part| {
            produce::broker::Partition::new(produce::PartitionAnswer {
                index: part.partition,
                error: ErrorCode(2),
                base_offset: -1,
                log_append_time: -1,
                log_start: -1,
            })
        };
        let partitions = parts.iter().map(refused).collect();
        let topic = produce::broker::Topic { name: TOPIC.into(), partitions };
        let answer = produce::broker::Answer { topics: vec![topic], ..Default::default() };
        let version = *version;
        let bytes = answer_frame(Api::Produce, version, 0, |out| answer.write(version, out));
        frames.answer(request, &bytes).expect("an answer that can be read")
    }

    /// Something else happens. `None`: it changes nothing.
    pub fn change(&mut self, broker: BrokerId, change: Change) -> Option<BrokerId> {
        let after = match self.changed.get(&(broker, change)) {
            Some(after) => *after,
            None => {
                let State { cluster, asked, .. } = &self.states[broker as usize];
                let (mut cluster, asked) = (cluster.clone(), *asked);
                match change {
                    Change::Reload => {
                        for node in 1..=NODES {
                            let _ = cluster.reload(0, i32::from(node), Reload::NewestOnly);
                        }
                    }
                    Change::Expire(partition) => {
                        let _ = cluster.forget_producers(TOPIC, i32::from(partition));
                    }
                    Change::Move(partition) => {
                        let partition = i32::from(partition);
                        let leader = cluster.leader(TOPIC, partition).unwrap_or(1);
                        let other = i32::from(NODES) + 1 - leader;
                        let _ = cluster.move_leader(0, TOPIC, partition, other);
                    }
                }
                while cluster.poll_ready().is_some() {}
                let after = self.keep(cluster, asked);
                self.changed.insert((broker, change), after);
                after
            }
        };
        (after != broker).then_some(after)
    }

    /// The number of a state, by all that later requests can notice.
    fn keep(&mut self, cluster: Cluster, asked: [u8; NODES as usize]) -> BrokerId {
        let mut content = Fingerprinter::default();
        asked.hash(&mut content);
        let mut logs = Vec::new();
        let mut damaged = false;
        for index in 0..i32::from(self.partitions) {
            cluster.leader(TOPIC, index).hash(&mut content);
            cluster.leader_epoch(TOPIC, index).hash(&mut content);
            cluster.high_watermark(TOPIC, index).hash(&mut content);
            for node in 1..=i32::from(NODES) {
                let log = cluster.log(TOPIC, index, node);
                log.map(ottla_broker::Log::batches).hash(&mut content);
            }
            let mut log = Vec::new();
            // What is known of a producer that has nothing in the log is nothing.
            let mut ids: Vec<i64> = Vec::new();
            for batch in cluster.batches(TOPIC, index, UpTo::LogEnd) {
                if !ids.contains(&batch.claim.producer_id) {
                    ids.push(batch.claim.producer_id);
                }
                for record in batch.records().into_iter().flatten() {
                    match record.ok().and_then(|(_, record)| number_of(&record)) {
                        Some(number) => log.push(number),
                        None => damaged = true,
                    }
                }
            }
            for id in ids {
                cluster.producer(TOPIC, index, id).hash(&mut content);
            }
            logs.push(log);
        }
        let content = content.fingerprint();
        if let Some(number) = self.numbers.get(&content) {
            return *number;
        }
        let number = self.states.len() as BrokerId;
        self.numbers.insert(content, number);
        self.states.push(State { cluster, asked, logs, damaged });
        number
    }
}
