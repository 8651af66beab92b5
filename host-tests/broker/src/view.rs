//! What can be seen of a cluster from outside: leaders, offsets, logs.

use ottla::record::reader::BatchFault;

use crate::cluster::Cluster;
use crate::log::{Log, LogRecord, StoredBatch};
use crate::partition::Partition;
use crate::producer_state::Producer;
use crate::topic::TopicId;

/// How far a log is read.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum UpTo {
    /// To the high watermark: what is committed, and consumers see.
    HighWatermark,
    /// To the end of the leader's log.
    LogEnd,
}

impl Cluster {
    /// The id of a topic.
    #[must_use]
    pub fn topic_id(&self, topic: &str) -> Option<TopicId> {
        self.topics.get(topic).map(|topic| topic.id)
    }

    /// The names of all topics in order.
    pub fn topic_names(&self) -> impl Iterator<Item = &str> {
        self.topics.iter().map(|(name, _)| name)
    }

    /// Number of partitions of a topic; 0 if there is none.
    #[must_use]
    pub fn partition_count(&self, topic: &str) -> usize {
        self.topics.get(topic).map_or(0, |topic| topic.partitions.len())
    }

    fn partition(&self, topic: &str, index: i32) -> Option<&Partition> {
        self.topics.get(topic)?.partitions.get(usize::try_from(index).ok()?)
    }

    /// Whether a node runs.
    #[must_use]
    pub fn is_live(&self, node: i32) -> bool {
        self.live().contains(&node)
    }

    /// The node that leads a partition.
    #[must_use]
    pub fn leader(&self, topic: &str, index: i32) -> Option<i32> {
        self.partition(topic, index)?.leader
    }

    /// The leader epoch of a partition.
    #[must_use]
    pub fn leader_epoch(&self, topic: &str, index: i32) -> Option<i32> {
        Some(self.partition(topic, index)?.leader_epoch)
    }

    /// The nodes whose replicas of a partition are in sync, in ascending order.
    #[must_use]
    pub fn in_sync(&self, topic: &str, index: i32) -> Vec<i32> {
        let partition = self.partition(topic, index);
        partition.map_or(Vec::new(), |p| p.in_sync.iter().copied().collect())
    }

    /// The offset up to which a partition is committed.
    #[must_use]
    pub fn high_watermark(&self, topic: &str, index: i32) -> Option<i64> {
        Some(self.partition(topic, index)?.high_watermark)
    }

    /// The offset after the last record of a partition.
    #[must_use]
    pub fn log_end(&self, topic: &str, index: i32) -> Option<i64> {
        Some(self.partition(topic, index)?.end())
    }

    /// The log of a partition on a node.
    #[must_use]
    pub fn log(&self, topic: &str, index: i32, node: i32) -> Option<&Log> {
        Some(&self.partition(topic, index)?.replica(node)?.log)
    }

    /// What the leader of a partition knows of a producer.
    #[must_use]
    pub fn producer(&self, topic: &str, index: i32, producer_id: i64) -> Option<&Producer> {
        self.partition(topic, index)?.leading()?.producers.get(producer_id)
    }

    /// The batches of a partition as its leader has them.
    pub fn batches(
        &self,
        topic: &str,
        index: i32,
        up_to: UpTo,
    ) -> impl Iterator<Item = &StoredBatch> {
        let partition = self.partition(topic, index);
        let end = match (partition, up_to) {
            (Some(partition), UpTo::HighWatermark) => partition.high_watermark,
            _ => i64::MAX,
        };
        let batches = partition.and_then(Partition::leading).map_or(&[][..], |r| r.log.batches());
        batches.iter().take_while(move |batch| batch.last_offset < end)
    }

    /// The records of a topic, partition by partition, as its leaders have them. A batch that
    /// cannot be read, as it is compressed, is a fault in place of its records.
    pub fn records(
        &self,
        topic: &str,
        up_to: UpTo,
    ) -> impl Iterator<Item = Result<LogRecord<'_>, BatchFault>> {
        let count = i32::try_from(self.partition_count(topic)).unwrap_or(i32::MAX);
        let partitions = (0..count).map(move |index| (index, self.batches(topic, index, up_to)));
        partitions
            .flat_map(|(index, batches)| batches.flat_map(move |batch| batch_records(index, batch)))
    }
}

fn batch_records(
    partition: i32,
    batch: &StoredBatch,
) -> impl Iterator<Item = Result<LogRecord<'_>, BatchFault>> {
    let (records, fault) = match batch.records() {
        Ok(records) => (Some(records), None),
        Err(fault) => (None, Some(Err(fault))),
    };
    let records = records.into_iter().flatten().map(move |record| {
        let (offset, record) = record?;
        Ok(LogRecord { partition, offset, record })
    });
    records.chain(fault)
}
