//! A partition: its replicas, which of them leads, which are in sync, and what is committed.

use std::collections::BTreeSet;

use crate::log::{Log, StoredBatch, remember};
use crate::producer_state::{ProducerStates, Reload};

/// A partition on one node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Replica {
    pub(crate) node: i32,
    /// Its disk has failed.
    pub(crate) offline: bool,
    pub(crate) log: Log,
    pub(crate) producers: ProducerStates,
    /// When it has what the leader has now, if that is on its way.
    pub(crate) fetch: Option<u64>,
}

/// A partition of a topic.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Partition {
    pub(crate) leader: Option<i32>,
    pub(crate) leader_epoch: i32,
    /// In order of preference.
    pub(crate) replicas: Vec<Replica>,
    pub(crate) in_sync: BTreeSet<i32>,
    pub(crate) high_watermark: i64,
}

/// The nodes that run.
pub(crate) type Live = BTreeSet<i32>;

impl Replica {
    /// Whether it takes part.
    pub(crate) fn serves(&self, live: &Live) -> bool {
        !self.offline && live.contains(&self.node)
    }
}

impl Partition {
    /// An empty partition on these nodes. The first of them that runs leads it.
    pub(crate) fn new(nodes: &[i32], live: &Live) -> Self {
        let replica = |node: &i32| Replica {
            node: *node,
            offline: false,
            log: Log::default(),
            producers: ProducerStates::default(),
            fetch: None,
        };
        let running: BTreeSet<i32> = nodes.iter().copied().filter(|n| live.contains(n)).collect();
        Self {
            leader: nodes.iter().copied().find(|node| live.contains(node)),
            leader_epoch: 0,
            replicas: nodes.iter().map(replica).collect(),
            in_sync: if running.is_empty() { nodes.iter().copied().collect() } else { running },
            high_watermark: 0,
        }
    }

    pub(crate) fn replica(&self, node: i32) -> Option<&Replica> {
        self.replicas.iter().find(|replica| replica.node == node)
    }

    pub(crate) fn replica_mut(&mut self, node: i32) -> Option<&mut Replica> {
        self.replicas.iter_mut().find(|replica| replica.node == node)
    }

    /// The replica that leads.
    pub(crate) fn leading(&self) -> Option<&Replica> {
        self.replica(self.leader?)
    }

    /// The offset after the last record of the leader, or the high watermark without one.
    pub(crate) fn end(&self) -> i64 {
        self.leading().map_or(self.high_watermark, |replica| replica.log.end())
    }

    /// Appends a batch at the leader.
    pub(crate) fn append(&mut self, batch: StoredBatch) {
        let leader = self.leader;
        let Some(replica) = self.replicas.iter_mut().find(|r| Some(r.node) == leader) else {
            return;
        };
        remember(&mut replica.producers, &batch);
        replica.log.append(batch);
        self.advance();
    }

    /// Gives a follower what the leader has below `offset`: what the leader does not have is cut
    /// off, what is missing is copied. One that has everything is in sync again.
    pub(crate) fn replicate(&mut self, node: i32, offset: i64) {
        let (Some(leader), false) = (self.leading(), self.leader == Some(node)) else { return };
        let Some(follower) = self.replica(node) else { return };
        let common = leader.log.common(&follower.log);
        let missing = leader.log.tail(common, offset);
        let end = leader.log.end();
        let Some(follower) = self.replica_mut(node) else { return };
        if follower.log.keep(common) {
            follower.producers = follower.log.load(Reload::All);
        }
        for batch in missing {
            remember(&mut follower.producers, &batch);
            follower.log.append(batch);
        }
        if follower.log.end() >= end {
            self.in_sync.insert(node);
        }
        self.advance();
    }

    /// Moves the high watermark to what every replica in sync has.
    fn advance(&mut self) {
        if self.leader.is_none() {
            return;
        }
        let in_sync = self.replicas.iter().filter(|replica| self.in_sync.contains(&replica.node));
        let committed = in_sync.map(|replica| replica.log.end()).min().unwrap_or(0);
        self.high_watermark = self.high_watermark.max(committed);
    }

    /// Takes a replica out of those in sync, but not the last one.
    pub(crate) fn shrink(&mut self, node: i32) {
        if self.in_sync.len() > 1 {
            self.in_sync.remove(&node);
            self.advance();
        }
    }

    /// Whether a replica may lead without a loss of what is committed.
    pub(crate) fn may_lead(&self, node: i32, live: &Live) -> bool {
        self.in_sync.contains(&node) && self.replica(node).is_some_and(|r| r.serves(live))
    }

    /// Makes a replica the leader, in the next epoch. Followers that run lose what it lacks.
    pub(crate) fn lead(&mut self, node: i32, live: &Live) {
        self.leader = Some(node);
        self.leader_epoch = self.leader_epoch.saturating_add(1);
        self.align(live);
        self.advance();
    }

    /// Makes a replica the leader that may lack what is committed: it is lost.
    pub(crate) fn lead_unclean(&mut self, node: i32, live: &Live) {
        self.in_sync = BTreeSet::from([node]);
        let end = self.replica(node).map_or(0, |replica| replica.log.end());
        self.high_watermark = self.high_watermark.min(end);
        self.lead(node, live);
    }

    /// Cuts from the followers that run what the leader does not have.
    fn align(&mut self, live: &Live) {
        let followers: Vec<i32> =
            self.replicas.iter().filter(|r| r.serves(live)).map(|r| r.node).collect();
        for node in followers {
            let Some(leader) = self.leading() else { return };
            let Some(follower) = self.replica(node) else { continue };
            let common = leader.log.common(&follower.log);
            let Some(follower) = self.replica_mut(node) else { continue };
            if follower.log.keep(common) {
                follower.producers = follower.log.load(Reload::All);
            }
        }
    }

    /// Finds a leader where the present one is gone: the first replica in sync that runs. Without
    /// one the partition has no leader. Returns whether anything changed.
    pub(crate) fn elect(&mut self, live: &Live) -> bool {
        if self.leading().is_some_and(|replica| replica.serves(live)) {
            return false;
        }
        let next = self.replicas.iter().map(|r| r.node).find(|node| self.may_lead(*node, live));
        match (next, self.leader) {
            (Some(node), _) => self.lead(node, live),
            (None, Some(_)) => {
                self.leader = None;
                self.leader_epoch = self.leader_epoch.saturating_add(1);
            }
            (None, None) => return false,
        }
        true
    }

    /// Cuts the log at `offset`, or at the start of the batch that holds it, on every replica
    /// that runs; the leader goes on in the next epoch.
    pub(crate) fn truncate(&mut self, offset: i64, reload: Reload, live: &Live) {
        let Some(leader) = self.leader else { return };
        let Some(replica) = self.replica_mut(leader) else { return };
        let count = replica.log.count_below(offset);
        replica.log.keep(count);
        replica.producers = replica.log.load(reload);
        let end = replica.log.end();
        self.high_watermark = self.high_watermark.min(end);
        self.lead(leader, live);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::producer_state::Claim;

    fn batch(partition: &Partition, count: i64) -> StoredBatch {
        let base_offset = partition.end();
        let (first, last) = (base_offset as i32, (base_offset + count) as i32 - 1);
        StoredBatch {
            base_offset,
            last_offset: base_offset + count - 1,
            leader_epoch: partition.leader_epoch,
            claim: Claim { producer_id: 7, epoch: 0, first, last, transactional: false },
            max_timestamp: 0,
            bytes: Arc::from([]),
        }
    }

    fn appended(counts: &[i64]) -> (Partition, Live) {
        let live = Live::from([1, 2, 3]);
        let mut partition = Partition::new(&[1, 2, 3], &live);
        for count in counts {
            partition.append(batch(&partition, *count));
        }
        (partition, live)
    }

    fn ends(partition: &Partition) -> Vec<i64> {
        partition.replicas.iter().map(|replica| replica.log.end()).collect()
    }

    #[test]
    fn committed_is_what_all_in_sync_have() {
        let (mut partition, _) = appended(&[2, 3]);
        assert_eq!((partition.end(), partition.high_watermark), (5, 0));
        partition.replicate(2, i64::MAX);
        assert_eq!(partition.high_watermark, 0);
        partition.replicate(3, 4);
        assert_eq!((ends(&partition), partition.high_watermark), (vec![5, 5, 2], 2));
        partition.shrink(3);
        assert_eq!(partition.high_watermark, 5);
        partition.replicate(3, i64::MAX);
        assert!(partition.in_sync.contains(&3));
    }

    #[test]
    fn the_last_in_sync_stays() {
        let (mut partition, mut live) = appended(&[1]);
        partition.shrink(2);
        partition.shrink(3);
        partition.shrink(1);
        assert_eq!(partition.in_sync, BTreeSet::from([1]));
        live.remove(&1);
        assert!(partition.elect(&live));
        assert_eq!((partition.leader, partition.leader_epoch), (None, 1));
        assert!(!partition.elect(&live), "2 and 3 are not in sync");
        live.insert(1);
        assert!(partition.elect(&live));
        assert_eq!((partition.leader, partition.leader_epoch, partition.end()), (Some(1), 2, 1));
    }

    #[test]
    fn a_new_leader_cuts_what_it_lacks() {
        let (mut partition, live) = appended(&[2, 3]);
        partition.replicate(2, 2);
        partition.replicate(3, 2);
        partition.lead(2, &live);
        assert_eq!((ends(&partition), partition.high_watermark), (vec![2, 2, 2], 2));
        assert_eq!(partition.replicas[0].producers.get(7).unwrap().batches().len(), 1);
    }

    #[test]
    fn a_dead_leader_keeps_its_tail_until_it_follows() {
        let (mut partition, mut live) = appended(&[2]);
        live.remove(&1);
        partition.shrink(1);
        partition.elect(&live);
        assert_eq!((partition.leader, partition.high_watermark), (Some(2), 0));
        partition.append(batch(&partition, 1));
        partition.replicate(3, i64::MAX);
        assert_eq!((ends(&partition), partition.high_watermark), (vec![2, 1, 1], 1));
        live.insert(1);
        partition.replicate(1, i64::MAX);
        assert_eq!(ends(&partition), [1, 1, 1]);
        assert_eq!(partition.in_sync.len(), 3);
    }

    #[test]
    fn an_unclean_leader_loses_what_was_committed() {
        let (mut partition, live) = appended(&[2]);
        partition.shrink(2);
        partition.shrink(3);
        assert!(!partition.may_lead(3, &live));
        assert_eq!(partition.high_watermark, 2);
        partition.lead_unclean(3, &live);
        assert_eq!((partition.high_watermark, partition.end()), (0, 0));
        assert_eq!(partition.in_sync, BTreeSet::from([3]));
    }

    #[test]
    fn a_truncation_reaches_every_replica() {
        let (mut partition, live) = appended(&[2, 3, 1]);
        partition.replicate(2, i64::MAX);
        partition.replicate(3, i64::MAX);
        partition.truncate(4, Reload::All, &live);
        assert_eq!((ends(&partition), partition.high_watermark), (vec![2, 2, 2], 2));
        assert_eq!(partition.leader_epoch, 1);
        assert_eq!(partition.replicas[0].producers.get(7).unwrap().batches().len(), 1);
    }
}
