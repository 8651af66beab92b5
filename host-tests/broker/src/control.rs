//! What happens to a cluster beside requests: leaders move, nodes and disks fail, producers are
//! forgotten.

#[cfg(test)]
mod tests;

use std::fmt;

use ottla::message::ErrorCode;

use crate::cluster::Cluster;
use crate::config::Address;
use crate::connection::Closed;
use crate::create_topics::{self, NewTopic};
use crate::partition::Partition;
use crate::producer_state::Reload;
use crate::profile::Profile;
use crate::topic::TopicId;

/// Why something cannot happen.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Impossible {
    /// There is no such topic.
    NoSuchTopic,
    /// The topic has no such partition.
    NoSuchPartition,
    /// The cluster has no such node.
    NoSuchNode,
    /// The node holds no replica of the partition.
    NotAReplica,
    /// The node does not run, or its disk has failed.
    NotServing,
    /// The replica is not in sync: it could only lead by a loss of data.
    NotInSync,
    /// The partition has no leader.
    NoLeader,
}

impl fmt::Display for Impossible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchTopic => "there is no such topic",
            Self::NoSuchPartition => "the topic has no such partition",
            Self::NoSuchNode => "the cluster has no such node",
            Self::NotAReplica => "the node holds no replica of the partition",
            Self::NotServing => "the node does not run, or its disk has failed",
            Self::NotInSync => "the replica is not in sync",
            Self::NoLeader => "the partition has no leader",
        })
    }
}

impl std::error::Error for Impossible {}

type Done = Result<(), Impossible>;

impl Cluster {
    /// Makes a topic, by the rules of [`Config::profile`](crate::Config::profile).
    ///
    /// # Errors
    /// The code and text that CreateTopics would be answered.
    pub fn create_topic(&mut self, topic: &NewTopic) -> Result<(), (ErrorCode, String)> {
        create_topics::create(self, self.config().profile, topic, false).map(|_| ())
    }

    /// Removes a topic with all that is known of it. Answers that wait for its replicas say 3.
    ///
    /// # Errors
    /// There is no such topic.
    pub fn delete_topic(&mut self, now: u64, topic: &str) -> Done {
        self.tick(now);
        self.topics.remove(topic).ok_or(Impossible::NoSuchTopic)?;
        self.stir();
        self.settle();
        Ok(())
    }

    /// Makes a replica in sync the leader, in the next leader epoch. What the old leader has
    /// beyond it is lost. Nothing happens if it leads already.
    ///
    /// # Errors
    /// Why that is not possible.
    pub fn move_leader(&mut self, now: u64, topic: &str, index: i32, node: i32) -> Done {
        self.elect(now, topic, index, node, false)
    }

    /// As [`Cluster::move_leader`], of any replica that runs: what is committed and it does not
    /// have is lost.
    ///
    /// # Errors
    /// Why that is not possible.
    pub fn elect_unclean(&mut self, now: u64, topic: &str, index: i32, node: i32) -> Done {
        self.elect(now, topic, index, node, true)
    }

    /// As [`Cluster::move_leader`] within the leader epoch, as old Kafkas without fencing show it.
    /// Only a replica that has exactly what the leader has can do that: within an epoch logs
    /// never differ.
    ///
    /// # Errors
    /// Why that is not possible.
    pub fn move_leader_in_epoch(&mut self, now: u64, topic: &str, index: i32, node: i32) -> Done {
        self.change(now, topic, index, |partition, live| {
            let end = partition.end();
            let replica = partition.replica(node).ok_or(Impossible::NotAReplica)?;
            if !replica.serves(live) {
                return Err(Impossible::NotServing);
            }
            if partition.leading().is_none() {
                return Err(Impossible::NoLeader);
            }
            if !partition.replicas.iter().all(|replica| replica.log.end() == end) {
                return Err(Impossible::NotInSync);
            }
            partition.leader = Some(node);
            Ok(())
        })
    }

    /// Gives a topic more partitions, on the nodes of its first one.
    ///
    /// # Errors
    /// There is no such topic.
    pub fn add_partitions(&mut self, now: u64, topic: &str, count: usize) -> Done {
        self.tick(now);
        let id = self.topic_id(topic).ok_or(Impossible::NoSuchTopic)?;
        let first = self.topics.partition(id, 0).ok_or(Impossible::NoSuchPartition)?;
        let nodes: Vec<i32> = first.replicas.iter().map(|replica| replica.node).collect();
        let live = self.live().clone();
        let topics = self.topics.iter_mut().filter(|topic| topic.id == id);
        for topic in topics {
            let turns = topic.partitions.len()..topic.partitions.len().saturating_add(count);
            topic.partitions.extend(turns.map(|turn| {
                let mut nodes = nodes.clone();
                let by = turn % nodes.len().max(1);
                nodes.rotate_left(by);
                Partition::new(&nodes, &live)
            }));
        }
        Ok(())
    }

    fn elect(&mut self, now: u64, topic: &str, index: i32, node: i32, unclean: bool) -> Done {
        self.change(now, topic, index, |partition, live| {
            let replica = partition.replica(node).ok_or(Impossible::NotAReplica)?;
            if !replica.serves(live) {
                return Err(Impossible::NotServing);
            }
            match partition.in_sync.contains(&node) {
                _ if partition.leader == Some(node) => {}
                true => partition.lead(node, live),
                false if unclean => partition.lead_unclean(node, live),
                false => return Err(Impossible::NotInSync),
            }
            Ok(())
        })
    }

    /// Takes a follower out of those in sync. It comes back when it next has all that its leader
    /// has.
    ///
    /// # Errors
    /// Why that is not possible.
    pub fn leave_in_sync(&mut self, now: u64, topic: &str, index: i32, node: i32) -> Done {
        self.tick(now);
        let id = self.topic_id(topic).ok_or(Impossible::NoSuchTopic)?;
        let partition = self.topics.partition_mut(id, index).ok_or(Impossible::NoSuchPartition)?;
        if partition.replica(node).is_none() || partition.leader == Some(node) {
            return Err(Impossible::NotAReplica);
        }
        partition.shrink(node);
        self.stir();
        self.settle();
        Ok(())
    }

    /// Gives a follower what its leader has below `offset`.
    ///
    /// # Errors
    /// Why that is not possible.
    pub fn replicate(&mut self, now: u64, topic: &str, index: i32, node: i32, offset: i64) -> Done {
        self.tick(now);
        let id = self.topic_id(topic).ok_or(Impossible::NoSuchTopic)?;
        let partition = self.topics.partition(id, index).ok_or(Impossible::NoSuchPartition)?;
        let replica = partition.replica(node).ok_or(Impossible::NotAReplica)?;
        if !replica.serves(self.live()) {
            return Err(Impossible::NotServing);
        }
        self.fetch(id, index, node, offset);
        self.settle();
        Ok(())
    }

    /// Gives every follower that runs all that its leader has.
    pub fn replicate_all(&mut self, now: u64) {
        self.tick(now);
        for (id, index) in self.all_partitions() {
            let nodes: Vec<i32> = match self.topics.partition(id, index) {
                Some(partition) => partition.replicas.iter().map(|r| r.node).collect(),
                None => continue,
            };
            for node in nodes {
                self.fetch(id, index, node, i64::MAX);
            }
        }
        self.settle();
    }

    /// Cuts a log on all replicas that run, at the start of the batch that holds `offset`, as
    /// after an election of a replica that lacked the rest. What the leader then knows of
    /// producers comes by `reload` from what is left. The leader epoch goes up.
    ///
    /// # Errors
    /// Why that is not possible.
    pub fn truncate(
        &mut self,
        now: u64,
        topic: &str,
        index: i32,
        offset: i64,
        reload: Reload,
    ) -> Done {
        self.change(now, topic, index, |partition, live| {
            partition.leader.ok_or(Impossible::NoLeader)?;
            partition.truncate(offset, reload, live);
            Ok(())
        })
    }

    /// Stops a node as if its power was cut: its connections end, its partitions get other
    /// leaders where replicas are in sync. Its disks keep what they have.
    ///
    /// # Errors
    /// There is no such node.
    pub fn kill(&mut self, now: u64, node: i32) -> Done {
        self.tick(now);
        self.node(node).ok_or(Impossible::NoSuchNode)?;
        self.live_mut().remove(&node);
        self.forget_producer_ids(node);
        for connection in self.connections_of(node) {
            self.close(connection, Closed::NodeDown);
        }
        for (id, index) in self.all_partitions() {
            self.lose(id, index, node);
        }
        self.settle();
        Ok(())
    }

    /// Starts a node that was killed. Its replicas follow, or lead where there was no leader.
    ///
    /// # Errors
    /// There is no such node.
    pub fn start(&mut self, now: u64, node: i32) -> Done {
        self.tick(now);
        self.node(node).ok_or(Impossible::NoSuchNode)?;
        self.live_mut().insert(node);
        for (id, index) in self.all_partitions() {
            self.regain(id, index);
        }
        self.settle();
        Ok(())
    }

    /// Kills a node and starts it; what it then knows of producers comes by `reload` from its
    /// logs. Where other replicas are in sync they lead afterwards.
    ///
    /// # Errors
    /// There is no such node.
    pub fn restart(&mut self, now: u64, node: i32, reload: Reload) -> Done {
        self.kill(now, node)?;
        self.reload(now, node, reload)?;
        self.start(now, node)
    }

    /// Has a node load by `reload` what it knows of producers, while everything else goes on.
    ///
    /// # Errors
    /// There is no such node.
    pub fn reload(&mut self, now: u64, node: i32, reload: Reload) -> Done {
        self.tick(now);
        self.node(node).ok_or(Impossible::NoSuchNode)?;
        let (wall_clock, span) = (self.wall_clock(), self.config().producer_expiration_ms);
        let partitions = self.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
        for replica in partitions.filter_map(|partition| partition.replica_mut(node)) {
            replica.producers = replica.log.load(reload);
            replica.producers.expire(wall_clock, span);
        }
        Ok(())
    }

    /// Breaks the disk under a replica. Requests to it are answered 56, and other replicas in
    /// sync lead.
    ///
    /// # Errors
    /// Why that is not possible.
    pub fn fail_disk(&mut self, now: u64, topic: &str, index: i32, node: i32) -> Done {
        self.set_offline(now, topic, index, node, true)
    }

    /// Repairs the disk under a replica; it has what it had.
    ///
    /// # Errors
    /// Why that is not possible.
    pub fn repair_disk(&mut self, now: u64, topic: &str, index: i32, node: i32) -> Done {
        self.set_offline(now, topic, index, node, false)
    }

    fn set_offline(&mut self, now: u64, topic: &str, index: i32, node: i32, offline: bool) -> Done {
        self.tick(now);
        let id = self.topic_id(topic).ok_or(Impossible::NoSuchTopic)?;
        let partition = self.topics.partition_mut(id, index).ok_or(Impossible::NoSuchPartition)?;
        partition.replica_mut(node).ok_or(Impossible::NotAReplica)?.offline = offline;
        if offline {
            self.lose(id, index, node);
        } else {
            self.regain(id, index);
        }
        self.settle();
        Ok(())
    }

    /// Forgets the producers whose last batch is old enough, without waiting for the next check.
    /// Returns how many, counted on every replica.
    pub fn expire_producers(&mut self, now: u64) -> usize {
        self.tick(now);
        self.run_expiry()
    }

    /// Forgets all producers of a partition, on every replica.
    ///
    /// # Errors
    /// Why that is not possible.
    pub fn forget_producers(&mut self, topic: &str, index: i32) -> Done {
        let id = self.topic_id(topic).ok_or(Impossible::NoSuchTopic)?;
        let partition = self.topics.partition_mut(id, index).ok_or(Impossible::NoSuchPartition)?;
        for replica in &mut partition.replicas {
            replica.producers.clear();
        }
        Ok(())
    }

    /// Tells where clients reach a node by a listener that it has.
    ///
    /// # Errors
    /// There is no such node, or it has no such listener.
    pub fn set_address(&mut self, node: i32, listener: usize, address: Address) -> Done {
        let mut nodes = self.config_mut().nodes.iter_mut();
        let node = nodes.find(|n| n.id == node).ok_or(Impossible::NoSuchNode)?;
        *node.listeners.get_mut(listener).ok_or(Impossible::NoSuchNode)? = address;
        Ok(())
    }

    /// Replaces a node by one of another release, as an upgrade does: its connections end.
    ///
    /// # Errors
    /// There is no such node.
    pub fn set_profile(&mut self, now: u64, node: i32, profile: Profile) -> Done {
        self.tick(now);
        self.node(node).ok_or(Impossible::NoSuchNode)?;
        self.set_profile_of(node, profile);
        for connection in self.connections_of(node) {
            self.close(connection, Closed::NodeDown);
        }
        self.settle();
        Ok(())
    }

    /// Tells the time of day, in milliseconds since 1970.
    pub fn set_wall_clock(&mut self, now: u64, unix_millis: i64) {
        self.tick(now);
        let passed = i64::try_from(self.now() / 1_000).unwrap_or(i64::MAX);
        self.config_mut().wall_clock = unix_millis.saturating_sub(passed);
    }

    /// Changes a partition, and sees to its followers and waiting answers.
    fn change(
        &mut self,
        now: u64,
        topic: &str,
        index: i32,
        change: impl FnOnce(&mut Partition, &crate::partition::Live) -> Done,
    ) -> Done {
        self.tick(now);
        let id = self.topic_id(topic).ok_or(Impossible::NoSuchTopic)?;
        let live = self.live().clone();
        let partition = self.topics.partition_mut(id, index).ok_or(Impossible::NoSuchPartition)?;
        change(partition, &live)?;
        self.schedule(id, index);
        self.stir();
        self.settle();
        Ok(())
    }

    /// A replica of a partition is out of action.
    fn lose(&mut self, id: TopicId, index: i32, node: i32) {
        let live = self.live().clone();
        let Some(partition) = self.topics.partition_mut(id, index) else { return };
        if partition.replica(node).is_none() {
            return;
        }
        partition.shrink(node);
        partition.elect(&live);
        self.schedule(id, index);
        self.stir();
    }

    /// A replica of a partition is back.
    fn regain(&mut self, id: TopicId, index: i32) {
        let live = self.live().clone();
        let Some(partition) = self.topics.partition_mut(id, index) else { return };
        partition.elect(&live);
        self.schedule(id, index);
        self.stir();
    }

    fn all_partitions(&self) -> Vec<(TopicId, i32)> {
        let of_topic = |topic: &crate::topic::Topic| {
            let id = topic.id;
            (0..).zip(&topic.partitions).map(move |(index, _)| (id, index)).collect::<Vec<_>>()
        };
        self.topics.iter().flat_map(|(_, topic)| of_topic(topic)).collect()
    }
}
