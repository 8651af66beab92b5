//! Topics: their names, their partitions.

use std::collections::BTreeMap;

use crate::partition::Partition;
use crate::settings::TopicConfig;

/// The id of a topic. A topic that is made again under its old name has another one.
pub type TopicId = [u8; 16];

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

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Topic> {
        self.by_name.get_mut(name)
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
}
