//! Random walks: what must hold of a cluster whatever happens to it, and that the same happens
//! again by the same seed.

use std::collections::VecDeque;

use crate::random::Random;
use crate::testing::{Made, T, made, produce_request, read_produced};
use crate::{
    Action, Cluster, Config, Connection, Impossible, NewTopic, Reload, Replication, Silence,
    StoredBatch, UpTo,
};

const NODES: i32 = 3;
const PARTITIONS: i32 = 2;

/// A cluster with its clients, driven by a seed.
struct Walk {
    cluster: Cluster,
    random: Random,
    now: u64,
    /// Connections, each with the `acks` of its requests that want an answer, oldest first.
    clients: Vec<(Connection, VecDeque<i16>)>,
    /// Everything that clients were told.
    trace: Vec<u8>,
    /// What was committed, by partition.
    committed: Vec<Vec<StoredBatch>>,
    epochs: Vec<i32>,
    /// Batches that were acknowledged with `acks=all`.
    acknowledged: u64,
    /// The walk has events that lose what was committed.
    lossy: bool,
}

fn replication(seed: u64) -> Replication {
    match seed % 3 {
        0 => Replication::Instant,
        1 => Replication::Delay { min: 500, max: 20_000 },
        _ => Replication::Manual,
    }
}

impl Walk {
    fn new(seed: u64) -> Self {
        let config = Config { seed, replication: replication(seed), ..Config::new(NODES as u8) };
        let mut cluster = Cluster::new(config);
        let topic = NewTopic::assigned("t", &[&[1, 2, 3], &[2, 3, 1]]);
        cluster.create_topic(&topic.config("min.insync.replicas", "2")).unwrap();
        Self {
            cluster,
            random: Random::new(seed),
            now: 0,
            clients: Vec::new(),
            trace: Vec::new(),
            committed: vec![Vec::new(); PARTITIONS as usize],
            epochs: vec![0; PARTITIONS as usize],
            acknowledged: 0,
            lossy: seed % 2 == 1,
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random.between(0, bound - 1)
    }

    fn partition(&mut self) -> i32 {
        self.below(PARTITIONS as u64) as i32
    }

    fn node(&mut self) -> i32 {
        self.below(NODES as u64) as i32 + 1
    }

    fn reload(&mut self) -> Reload {
        [Reload::All, Reload::NewestOnly, Reload::Nothing][self.below(3) as usize]
    }

    /// A batch that often is what the leader expects of its producer.
    fn batch(&mut self, partition: i32) -> Vec<u8> {
        let id = self.below(3) as i64;
        let known = self.cluster.producer("t", partition, id);
        let (mut epoch, mut sequence) = (0, 0);
        if let Some(producer) = known {
            let batches: Vec<_> = producer.batches().copied().collect();
            epoch = producer.epoch();
            sequence = batches.last().map_or(0, |newest| newest.last + 1);
            match self.below(10) {
                0 => sequence += 1,
                1 => (epoch, sequence) = (epoch + 1, 0),
                2 => epoch -= 1,
                3 => sequence = batches[self.below(batches.len() as u64) as usize].first,
                _ => {}
            }
        }
        let records = vec![(T, None); self.random.between(1, 3) as usize];
        made(Made { id: (id, epoch, sequence), attributes: 0, records: &records })
    }

    fn produce(&mut self) {
        let Some(last) = self.clients.len().checked_sub(1) else { return };
        let client = self.random.between(0, last as u64) as usize;
        let connection = self.clients[client].0;
        let batches = [(0, self.batch(0)), (1, self.batch(1))];
        let parts: Vec<(i32, &[u8])> = batches.iter().map(|(p, b)| (*p, b.as_slice())).collect();
        let parts = match self.below(3) {
            0 => &parts[..1],
            1 => &parts[1..],
            _ => &parts[..],
        };
        let acks = [-1, -1, -1, 1, 0][self.below(5) as usize];
        let frame = produce_request(12, acks, self.random.between(1, 50) as i32, parts);
        if acks != 0 {
            self.clients[client].1.push_back(acks);
        }
        let cut = self.below(frame.len() as u64) as usize;
        self.cluster.handle_input(self.now, connection, &frame[..cut]);
        self.cluster.handle_input(self.now, connection, &frame[cut..]);
    }

    fn hook(&mut self) {
        let mut random = Random::new(self.random.next());
        self.cluster.set_hook(move |_| match random.between(0, 11) {
            0 => Action::Delay(random.between(0, 10_000)),
            1 => Action::DelayAnswer(random.between(0, 10_000)),
            2 => Action::Refuse(ottla::message::ErrorCode(19)),
            3 => Action::AnswerAfter(ottla::message::ErrorCode(7)),
            4 => Action::Swallow(Silence::Stay),
            5 => Action::Swallow(Silence::Close),
            6 => Action::Throttle(3),
            7 => Action::Close,
            _ => Action::Proceed,
        });
    }

    fn step(&mut self) {
        // What does not apply is not done; that is part of the walk.
        let _: Result<(), Impossible> = self.something();
        self.listen();
        self.check();
    }

    fn something(&mut self) -> Result<(), Impossible> {
        let (partition, node, now, reload) =
            (self.partition(), self.node(), self.now, self.reload());
        let end = self.cluster.log_end("t", partition).unwrap();
        match self.below(40) {
            0 => return self.cluster.kill(now, node),
            1 | 2 => return self.cluster.start(now, node),
            3 => return self.cluster.restart(now, node, reload),
            4 | 5 => return self.cluster.move_leader(now, "t", partition, node),
            6 if self.lossy => return self.cluster.elect_unclean(now, "t", partition, node),
            7 if self.lossy => return self.cluster.truncate(now, "t", partition, end - 2, reload),
            8 => return self.cluster.leave_in_sync(now, "t", partition, node),
            9 => return self.cluster.fail_disk(now, "t", partition, node),
            10 | 11 => return self.cluster.repair_disk(now, "t", partition, node),
            12 => return self.cluster.reload(now, node, reload),
            13 => return self.cluster.forget_producers("t", partition),
            14 => self.hook(),
            15..18 => self.cluster.clear_hook(),
            18..20 => self.cluster.replicate_all(now),
            20..22 => return self.cluster.replicate(now, "t", partition, node, end - 1),
            22 => self.connect(node),
            23..25 => self.connect(self.cluster.leader("t", partition).unwrap_or(node)),
            25 => {
                if !self.clients.is_empty() {
                    let (connection, _) = self.clients.remove(0);
                    self.cluster.disconnect(now, connection);
                }
            }
            26..29 => {
                self.now += self.random.between(0, 30_000);
                self.cluster.handle_timeout(self.now);
            }
            _ => self.produce(),
        }
        Ok(())
    }

    fn connect(&mut self, node: i32) {
        let connection = self.cluster.connect(self.now, node);
        self.clients.extend(connection.map(|connection| (connection, VecDeque::new())));
    }

    /// Takes what clients are told.
    fn listen(&mut self) {
        while let Some(connection) = self.cluster.poll_ready() {
            while let Some(frame) = self.cluster.poll_output(connection) {
                self.trace.extend_from_slice(&frame);
                let client = self.clients.iter_mut().find(|client| client.0 == connection);
                let acks = client.unwrap().1.pop_front().unwrap();
                for answer in read_produced(12, &frame) {
                    if answer.error != 0 || acks != -1 {
                        continue;
                    }
                    let high_watermark = self.cluster.high_watermark("t", answer.partition);
                    let is_committed = Some(answer.base_offset) < high_watermark;
                    assert!(is_committed || self.lossy, "acknowledged before it was committed");
                    self.acknowledged += 1;
                }
            }
            if let Some(closed) = self.cluster.poll_close(connection) {
                self.trace.extend_from_slice(format!("{connection:?}{closed:?}").as_bytes());
                self.clients.retain(|client| client.0 != connection);
            }
        }
    }

    fn check(&mut self) {
        assert!(self.cluster.poll_timeout().is_none_or(|at| at >= self.now), "an overdue timer");
        for index in 0..PARTITIONS {
            let place = index as usize;
            let epoch = self.cluster.leader_epoch("t", index).unwrap();
            assert!(epoch >= self.epochs[place], "leader epochs do not go back");
            self.epochs[place] = epoch;
            let high_watermark = self.cluster.high_watermark("t", index).unwrap();
            for node in 1..=NODES {
                let log = self.cluster.log("t", index, node).unwrap();
                assert!(
                    log.batches().is_sorted_by(|a, b| a.last_offset + 1 == b.base_offset
                        && a.leader_epoch <= b.leader_epoch)
                );
            }
            if self.cluster.leader("t", index).is_none() {
                continue;
            }
            let committed: Vec<StoredBatch> =
                self.cluster.batches("t", index, UpTo::HighWatermark).cloned().collect();
            let end = committed.last().map_or(0, |batch| batch.last_offset + 1);
            assert_eq!(end, high_watermark, "the high watermark stands between batches");
            for node in self.cluster.in_sync("t", index) {
                let log = self.cluster.log("t", index, node).unwrap();
                assert_eq!(log.batches()[..committed.len()], committed, "node {node} is in sync");
            }
            if !self.lossy {
                assert!(committed.starts_with(&self.committed[place]), "committed data is lost");
            }
            self.committed[place] = committed;
        }
    }
}

#[test]
fn committed_data_stays_and_the_same_seed_tells_the_same() {
    let (mut acknowledged, mut appended, mut duplicates, mut fired) = (0, 0, 0, 0);
    for seed in 0..45 {
        let mut walks = [Walk::new(seed), Walk::new(seed)];
        for _ in 0..800 {
            walks.iter_mut().for_each(Walk::step);
        }
        let [walk, again] = &walks;
        assert_eq!(walk.trace, again.trace, "seed {seed}");
        assert_eq!(walk.cluster.counters(), again.cluster.counters(), "seed {seed}");
        acknowledged += walk.acknowledged;
        appended += walk.cluster.counters().appended;
        duplicates += walk.cluster.counters().duplicates;
        let hooks = walk.cluster.fired();
        fired += hooks.delayed.min(hooks.swallowed).min(hooks.closed).min(hooks.answered_after);
    }
    // The walks went where they were meant to go.
    assert!(acknowledged > 500, "{acknowledged}");
    assert!(appended > 1_000, "{appended}");
    assert!(duplicates > 50, "{duplicates}");
    assert!(fired > 10, "{fired}");
}

#[test]
fn another_seed_draws_other_ids() {
    let ids = |seed| {
        let mut cluster = Cluster::new(Config { seed, ..Config::new(1) });
        cluster.create_topic(&NewTopic::new("t", 1, 1)).unwrap();
        (cluster.cluster_id().to_string(), cluster.topic_id("t").unwrap())
    };
    assert_eq!(ids(1), ids(1));
    assert_ne!(ids(1), ids(2));
}
