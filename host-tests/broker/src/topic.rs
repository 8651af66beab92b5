//! Topics: their names, their settings, their partitions.

use std::collections::BTreeMap;

use crate::partition::Partition;

/// The id of a topic. A topic that is made again under its old name has another one.
pub type TopicId = [u8; 16];

/// Settings of a topic that change what the broker does.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct TopicConfig {
    /// `message.timestamp.type` is `LogAppendTime`.
    pub(crate) append_time: bool,
    /// `message.timestamp.before.max.ms`.
    pub(crate) timestamp_before_max: i64,
    /// `message.timestamp.after.max.ms`.
    pub(crate) timestamp_after_max: i64,
    /// `max.message.bytes`.
    pub(crate) max_message_bytes: i32,
    /// `min.insync.replicas`.
    pub(crate) min_in_sync: i32,
    /// `segment.bytes`.
    pub(crate) segment_bytes: i32,
    /// `cleanup.policy` has `compact`: records need a key. Nothing is compacted.
    pub(crate) compact: bool,
}

/// A topic.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Topic {
    pub(crate) id: TopicId,
    pub(crate) config: TopicConfig,
    pub(crate) partitions: Vec<Partition>,
}

/// All topics, by name and by id.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Topics {
    by_name: BTreeMap<String, Topic>,
    names: BTreeMap<TopicId, String>,
}

/// Longest name in bytes.
const NAME_MAX: usize = 249;

/// Settings that are taken and change nothing here.
const WITHOUT_EFFECT: &[&str] = &[
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.type",
    "compression.zstd.level",
    "delete.retention.ms",
    "file.delete.delay.ms",
    "flush.messages",
    "flush.ms",
    "follower.replication.throttled.replicas",
    "index.interval.bytes",
    "leader.replication.throttled.replicas",
    "local.retention.bytes",
    "local.retention.ms",
    "max.compaction.lag.ms",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "preallocate",
    "remote.storage.enable",
    "retention.bytes",
    "retention.ms",
    "segment.index.bytes",
    "segment.jitter.ms",
    "segment.ms",
    "unclean.leader.election.enable",
];

impl TopicConfig {
    /// Kafka's defaults, with these two of the cluster.
    #[must_use]
    pub(crate) const fn new(max_message_bytes: i32, min_in_sync: i32) -> Self {
        Self {
            append_time: false,
            timestamp_before_max: i64::MAX,
            timestamp_after_max: 3_600_000,
            max_message_bytes,
            min_in_sync,
            segment_bytes: 1 << 30,
            compact: false,
        }
    }

    /// Sets one setting by Kafka's name for it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "message.timestamp.type" => {
                self.append_time = match value {
                    "CreateTime" => false,
                    "LogAppendTime" => true,
                    _ => return Err(illegal(name, value)),
                };
            }
            "message.timestamp.before.max.ms" => {
                self.timestamp_before_max = number(name, value, 0)?;
            }
            "message.timestamp.after.max.ms" => self.timestamp_after_max = number(name, value, 0)?,
            "max.message.bytes" => self.max_message_bytes = number(name, value, 0)?,
            "min.insync.replicas" => self.min_in_sync = number(name, value, 1)?,
            "segment.bytes" => self.segment_bytes = number(name, value, 14)?,
            "cleanup.policy" => {
                let policies: Vec<&str> = value.split(',').map(str::trim).collect();
                if policies.iter().any(|policy| !["delete", "compact"].contains(policy)) {
                    return Err(illegal(name, value));
                }
                self.compact = policies.contains(&"compact");
            }
            name if WITHOUT_EFFECT.contains(&name) => {}
            name => return Err(format!("unknown topic config name: {name}")),
        }
        Ok(())
    }
}

fn illegal(name: &str, value: &str) -> String {
    format!("invalid value {value} for configuration {name}")
}

fn number<T: PartialOrd + std::str::FromStr>(name: &str, value: &str, min: T) -> Result<T, String> {
    match value.trim().parse() {
        Ok(number) if number >= min => Ok(number),
        _ => Err(illegal(name, value)),
    }
}

/// Whether a topic may have this name.
#[must_use]
pub(crate) fn is_legal_name(name: &str) -> bool {
    let legal = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
    (1..=NAME_MAX).contains(&name.len()) && name != "." && name != ".." && name.bytes().all(legal)
}

/// Whether brokers keep their own data in a topic of this name.
#[must_use]
pub(crate) fn is_internal(name: &str) -> bool {
    matches!(name, "__consumer_offsets" | "__transaction_state" | "__share_group_state")
}

impl Topics {
    pub(crate) fn get(&self, name: &str) -> Option<&Topic> {
        self.by_name.get(name)
    }

    pub(crate) fn name_of(&self, id: TopicId) -> Option<&str> {
        self.names.get(&id).map(String::as_str)
    }

    /// In order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Topic)> {
        self.by_name.iter().map(|(name, topic)| (name.as_str(), topic))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Topic> {
        self.by_name.values_mut()
    }

    pub(crate) fn insert(&mut self, name: &str, topic: Topic) {
        self.names.insert(topic.id, name.to_string());
        self.by_name.insert(name.to_string(), topic);
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Topic> {
        let topic = self.by_name.remove(name)?;
        self.names.remove(&topic.id);
        Some(topic)
    }

    /// A topic whose name is the same as `name` in metrics, where `.` and `_` are one.
    pub(crate) fn collision(&self, name: &str) -> Option<&str> {
        let plain = |name: &str| name.replace('.', "_");
        let wanted = plain(name);
        self.by_name.keys().map(String::as_str).find(|k| *k != name && plain(k) == wanted)
    }

    pub(crate) fn partition(&self, id: TopicId, index: i32) -> Option<&Partition> {
        let topic = self.by_name.get(self.names.get(&id)?)?;
        topic.partitions.get(usize::try_from(index).ok()?)
    }

    pub(crate) fn partition_mut(&mut self, id: TopicId, index: i32) -> Option<&mut Partition> {
        let topic = self.by_name.get_mut(self.names.get(&id)?)?;
        topic.partitions.get_mut(usize::try_from(index).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_as_kafka_does() {
        for name in ["a", "A.b_c-9", "__consumer_offsets", "...", &"x".repeat(249)] {
            assert!(is_legal_name(name), "{name}");
        }
        for name in ["", ".", "..", "a b", "ä", "a/b", &"x".repeat(250)] {
            assert!(!is_legal_name(name), "{name}");
        }
    }

    #[test]
    fn settings_are_checked() {
        let mut config = TopicConfig::new(100, 1);
        for (name, value) in [
            ("message.timestamp.type", "LogAppendTime"),
            ("cleanup.policy", "compact, delete"),
            ("min.insync.replicas", "2"),
            ("segment.bytes", "1024"),
            ("message.timestamp.before.max.ms", "5"),
            ("retention.ms", "-1"),
        ] {
            assert_eq!(config.set(name, value), Ok(()), "{name}");
        }
        assert!(config.append_time && config.compact);
        assert_eq!((config.min_in_sync, config.segment_bytes), (2, 1024));
        for (name, value) in [
            ("message.timestamp.type", "Never"),
            ("cleanup.policy", "burn"),
            ("min.insync.replicas", "0"),
            ("max.message.bytes", "many"),
            ("no.such.setting", "1"),
        ] {
            assert!(config.set(name, value).is_err(), "{name}");
        }
    }
}
