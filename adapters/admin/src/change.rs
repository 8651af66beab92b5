//! What is to be changed: new topics, and settings.

use crate::error::Error;

/// A topic to make.
///
/// ```
/// use ottla_admin::NewTopic;
/// let topic = NewTopic::new("readings").partitions(6).replication_factor(3);
/// let topic = topic.config("retention.ms", "86400000");
/// assert_eq!(topic.partitions, Some(6));
/// ```
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct NewTopic {
    /// Its name: 1 to 249 letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// Number of partitions; `None` leaves it to the cluster (from Kafka 2.4 on, KIP-464).
    pub partitions: Option<i32>,
    /// Number of replicas; `None` leaves it to the cluster, likewise.
    pub replication_factor: Option<i16>,
    /// For each partition its brokers, the preferred leader first; empty to have them chosen. Then
    /// neither number may be given.
    pub assignments: Vec<Vec<i32>>,
    /// Settings by their names.
    pub configs: Vec<(String, String)>,
}

impl NewTopic {
    /// A topic with the cluster's defaults.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// With so many partitions.
    #[must_use]
    pub const fn partitions(mut self, count: i32) -> Self {
        self.partitions = Some(count);
        self
    }

    /// With so many replicas.
    #[must_use]
    pub const fn replication_factor(mut self, factor: i16) -> Self {
        self.replication_factor = Some(factor);
        self
    }

    /// With one more partition, on these brokers.
    #[must_use]
    pub fn assigned(mut self, brokers: &[i32]) -> Self {
        self.assignments.push(brokers.to_vec());
        self
    }

    /// With a setting.
    #[must_use]
    pub fn config(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.configs.push((name.into(), value.into()));
        self
    }

    /// Whether a number is left to the cluster.
    pub(crate) fn leaves_numbers(&self) -> bool {
        let is_open = self.partitions.is_none() || self.replication_factor.is_none();
        self.assignments.is_empty() && is_open
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        check_name(&self.name)?;
        let texts = self.configs.iter().flat_map(|(name, value)| [name, value]);
        check_texts(texts).map_err(|error| error.of_topic(&self.name))
    }
}

/// What becomes of a setting, by its name (KIP-339).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Change {
    /// It gets this value.
    Set(String, String),
    /// It gets its default back.
    Delete(String),
    /// It is a list, and gets these elements, separated by commas, where it lacks them.
    Append(String, String),
    /// It is a list, and loses these elements.
    Subtract(String, String),
}

impl Change {
    pub(crate) fn check(changes: &[Self]) -> Result<(), Error> {
        check_texts(
            changes
                .iter()
                .flat_map(|change| match change {
                    Self::Set(name, value)
                    | Self::Append(name, value)
                    | Self::Subtract(name, value) => [Some(name), Some(value)],
                    Self::Delete(name) => [Some(name), None],
                })
                .flatten(),
        )
    }
}

/// Longest name of a topic, in bytes.
const NAME_MAX: usize = 249;

/// Checks the name of a topic, so that none goes out that no answer could hold.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let is_legal = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
    let length = (1..=NAME_MAX).contains(&name.len());
    if length && name.bytes().all(is_legal) && !matches!(name, "." | "..") {
        return Ok(());
    }
    let rule = "a name has 1 to 249 letters, digits, '.', '_' and '-', and is not '.' or '..'";
    Err(Error::usage(format!("the topic name is not legal: {rule}")).of_topic(name))
}

/// Checks texts against what the oldest encoding can hold.
fn check_texts<'a>(texts: impl Iterator<Item = &'a String>) -> Result<(), Error> {
    for text in texts {
        if i16::try_from(text.len()).is_err() {
            let start: String = text.chars().take(40).collect();
            return Err(Error::usage(format!("{start:?}... is longer than 32767 bytes")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_as_kafka_does() {
        for name in ["a", "A.b_c-9", "__consumer_offsets", "...", &"x".repeat(249)] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", ".", "..", "a b", "ä", "a/b", &"x".repeat(250)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn texts_that_have_no_encoding_are_refused() {
        let long = "x".repeat(32_768);
        let topic = NewTopic::new("t").config("a", &long);
        let error = topic.check().unwrap_err().to_string();
        assert!(error.starts_with("topic t: \"xxxx") && error.len() < 200, "{error}");
        assert_eq!(NewTopic::new("t").config("a", &long[1..]).check(), Ok(()));
        for change in [
            Change::Set("a".into(), long.clone()),
            Change::Delete(long.clone()),
            Change::Append(long.clone(), String::new()),
            Change::Subtract("a".into(), long.clone()),
        ] {
            assert!(Change::check(&[change]).is_err());
        }
        assert_eq!(Change::check(&[Change::Delete("a".into())]), Ok(()));
    }

    #[test]
    fn numbers_are_left_to_the_cluster_or_to_assignments() {
        let topic = NewTopic::new("t");
        assert!(topic.leaves_numbers());
        assert!(topic.clone().partitions(1).leaves_numbers());
        assert!(!topic.clone().partitions(1).replication_factor(1).leaves_numbers());
        assert!(!topic.assigned(&[1, 2]).leaves_numbers());
    }
}
