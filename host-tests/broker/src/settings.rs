//! The settings of topics: what there is, what it may be, what it is by default.
//!
//! Names, types and defaults are those of Kafka's `TopicConfig` and `LogConfig`.

use std::collections::BTreeMap;

use ottla::message::describe_configs::broker::{Setting as Told, Synonym};

use crate::config::Config;
use crate::profile::Profile;

/// A type of values, by its number in DescribeConfigs.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Boolean = 1,
    Text = 2,
    Int = 3,
    Long = 5,
    Double = 6,
    List = 7,
}

/// Where a value comes from, by its number in DescribeConfigs.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    Topic = 1,
    StaticBroker = 4,
    Default = 5,
}

/// A setting that topics have.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    kind: Kind,
    default: &'static str,
    /// The setting of brokers that holds where the topic does not say; empty if there is none.
    broker: &'static str,
    since: Profile,
    about: &'static str,
}

const fn setting(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    broker: &'static str,
    about: &'static str,
) -> Setting {
    Setting { name, kind, default, broker, since: Profile::V2_1, about }
}

impl Setting {
    const fn since(mut self, since: Profile) -> Self {
        self.since = since;
        self
    }
}

const LONG_MAX: &str = "9223372036854775807";

/// All settings of topics, in the order of their names.
const SETTINGS: [Setting; 31] = {
    use Kind::{Boolean, Double, Int, List, Long, Text};
    [
        setting("cleanup.policy", List, "delete", "log.cleanup.policy", "delete, compact or both"),
        setting(
            "compression.gzip.level",
            Int,
            "-1",
            "compression.gzip.level",
            "level of gzip, where the broker compresses",
        )
        .since(Profile::V3_9),
        setting(
            "compression.lz4.level",
            Int,
            "9",
            "compression.lz4.level",
            "level of lz4, where the broker compresses",
        )
        .since(Profile::V3_9),
        setting(
            "compression.type",
            Text,
            "producer",
            "compression.type",
            "how batches are stored; producer is as they came",
        ),
        setting(
            "compression.zstd.level",
            Int,
            "3",
            "compression.zstd.level",
            "level of zstd, where the broker compresses",
        )
        .since(Profile::V3_9),
        setting(
            "delete.retention.ms",
            Long,
            "86400000",
            "log.cleaner.delete.retention.ms",
            "how long a compacted topic keeps records without value",
        ),
        setting(
            "file.delete.delay.ms",
            Long,
            "60000",
            "log.segment.delete.delay.ms",
            "how long a file stays that is not needed any more",
        ),
        setting(
            "flush.messages",
            Long,
            LONG_MAX,
            "log.flush.interval.messages",
            "records between two writes to the disk",
        ),
        setting(
            "flush.ms",
            Long,
            LONG_MAX,
            "log.flush.interval.ms",
            "time between two writes to the disk",
        ),
        setting(
            "follower.replication.throttled.replicas",
            List,
            "",
            "",
            "replicas whose copying is slowed at followers",
        ),
        setting(
            "index.interval.bytes",
            Int,
            "4096",
            "log.index.interval.bytes",
            "bytes between two entries of the index",
        ),
        setting(
            "leader.replication.throttled.replicas",
            List,
            "",
            "",
            "replicas whose copying is slowed at leaders",
        ),
        setting(
            "local.retention.bytes",
            Long,
            "-2",
            "log.local.retention.bytes",
            "bytes that stay beside tiered storage",
        )
        .since(Profile::V3_9),
        setting(
            "local.retention.ms",
            Long,
            "-2",
            "log.local.retention.ms",
            "how long records stay beside tiered storage",
        )
        .since(Profile::V3_9),
        setting(
            "max.compaction.lag.ms",
            Long,
            LONG_MAX,
            "log.cleaner.max.compaction.lag.ms",
            "the longest that a record stays without compaction",
        )
        .since(Profile::V2_4),
        setting(
            "max.message.bytes",
            Int,
            "1048588",
            "message.max.bytes",
            "the largest batch, as it is sent",
        ),
        setting(
            "message.timestamp.after.max.ms",
            Long,
            "3600000",
            "log.message.timestamp.after.max.ms",
            "how far a timestamp may be ahead of the broker's clock",
        )
        .since(Profile::V3_9),
        setting(
            "message.timestamp.before.max.ms",
            Long,
            LONG_MAX,
            "log.message.timestamp.before.max.ms",
            "how far a timestamp may be behind the broker's clock",
        )
        .since(Profile::V3_9),
        setting(
            "message.timestamp.type",
            Text,
            "CreateTime",
            "log.message.timestamp.type",
            "whose clock counts: CreateTime or LogAppendTime",
        ),
        setting(
            "min.cleanable.dirty.ratio",
            Double,
            "0.5",
            "log.cleaner.min.cleanable.ratio",
            "share of the log that compaction waits for",
        ),
        setting(
            "min.compaction.lag.ms",
            Long,
            "0",
            "log.cleaner.min.compaction.lag.ms",
            "the shortest that a record stays without compaction",
        ),
        setting(
            "min.insync.replicas",
            Int,
            "1",
            "min.insync.replicas",
            "replicas in sync without which acks=all is refused",
        ),
        setting(
            "preallocate",
            Boolean,
            "false",
            "log.preallocate",
            "files have their size at once",
        ),
        setting(
            "remote.storage.enable",
            Boolean,
            "false",
            "",
            "old records move to tiered storage",
        )
        .since(Profile::V3_9),
        setting(
            "retention.bytes",
            Long,
            "-1",
            "log.retention.bytes",
            "bytes of a partition that stay; -1 is all",
        ),
        setting(
            "retention.ms",
            Long,
            "604800000",
            "log.retention.ms",
            "how long records stay; -1 is for ever",
        ),
        setting("segment.bytes", Int, "1073741824", "log.segment.bytes", "bytes of a file"),
        setting(
            "segment.index.bytes",
            Int,
            "10485760",
            "log.index.size.max.bytes",
            "bytes of an index file",
        ),
        setting(
            "segment.jitter.ms",
            Long,
            "0",
            "log.roll.jitter.ms",
            "time by which files end earlier, drawn for each",
        ),
        setting("segment.ms", Long, "604800000", "log.roll.ms", "how long a file is written to"),
        setting(
            "unclean.leader.election.enable",
            Boolean,
            "false",
            "unclean.leader.election.enable",
            "a replica out of sync may lead if there is no other",
        ),
    ]
};

/// The settings of topics that a Kafka of this profile has.
pub(crate) fn all(profile: Profile) -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().filter(move |setting| setting.since <= profile)
}

/// What becomes of a setting, by its name.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Change<'a> {
    /// It has this value.
    Set(&'a str, &'a str),
    /// It has its default.
    Delete(&'a str),
    /// It is a list, and gets these elements.
    Append(&'a str, &'a str),
    /// It is a list, and loses these elements.
    Subtract(&'a str, &'a str),
}

/// The settings of a topic. Those that change what the broker does have fields.
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
    /// What was set, by name.
    given: BTreeMap<String, String>,
}

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
            given: BTreeMap::new(),
        }
    }

    /// Sets one setting by Kafka's name for it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn set(&mut self, profile: Profile, name: &str, value: &str) -> Result<(), String> {
        let Some(setting) = all(profile).find(|setting| setting.name == name) else {
            return Err(format!("unknown topic config name: {name}"));
        };
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
            _ if setting.kind.is_value(value) => {}
            _ => return Err(illegal(name, value)),
        }
        self.given.insert(name.to_string(), value.trim().to_string());
        Ok(())
    }

    /// The settings with `changes`, begun from `fresh`, which has none.
    ///
    /// # Errors
    /// What is wrong with the first change that cannot be made.
    pub(crate) fn changed(
        &self,
        mut fresh: Self,
        profile: Profile,
        changes: &[Change<'_>],
    ) -> Result<Self, String> {
        let mut given = self.given.clone();
        for change in changes {
            match *change {
                Change::Set(name, value) => {
                    given.insert(name.to_string(), value.to_string());
                }
                Change::Delete(name) => {
                    given.remove(name);
                }
                Change::Append(name, value) | Change::Subtract(name, value) => {
                    let setting = all(profile).find(|setting| setting.name == name);
                    let Some(setting) = setting.filter(|setting| setting.kind == Kind::List) else {
                        return Err(format!("{name} is no list"));
                    };
                    let before = given.get(name).map_or(setting.default, String::as_str);
                    let mut list = elements(before);
                    for element in elements(value) {
                        let is_there = list.contains(&element);
                        match change {
                            Change::Subtract(..) => list.retain(|other| *other != element),
                            _ if is_there => {}
                            _ => list.push(element),
                        }
                    }
                    let value = list.join(",");
                    given.insert(name.to_string(), value);
                }
            }
        }
        for (name, value) in &given {
            fresh.set(profile, name, value)?;
        }
        Ok(fresh)
    }

    /// What is told of a setting.
    pub(crate) fn tell(&self, setting: &Setting, cluster: &Config) -> Told {
        let of_broker = match setting.name {
            "max.message.bytes" => cluster.max_message_bytes.to_string(),
            "min.insync.replicas" => cluster.min_in_sync.to_string(),
            _ => setting.default.to_string(),
        };
        let is_set_at_broker = of_broker != setting.default;
        let name = if setting.broker.is_empty() { setting.name } else { setting.broker };
        let default = (name, setting.default.to_string(), Source::Default);
        let values = [
            self.given.get(setting.name).map(|v| (setting.name, v.clone(), Source::Topic)),
            is_set_at_broker.then_some((name, of_broker, Source::StaticBroker)),
            Some(default),
        ];
        tell(setting.name, setting.kind, setting.about, values.into_iter().flatten())
    }
}

/// What is told of a setting whose values, each with the name of the setting that says it, hold
/// one where the one before does not.
pub(crate) fn tell<'a>(
    name: &str,
    kind: Kind,
    about: &str,
    values: impl IntoIterator<Item = (&'a str, String, Source)>,
) -> Told {
    let synonym = |(name, value, source): (&str, String, Source)| Synonym {
        name: name.to_string(),
        value: Some(value),
        source: source as i8,
    };
    let synonyms: Vec<Synonym> = values.into_iter().map(synonym).collect();
    let first = synonyms.first();
    Told {
        name: name.to_string(),
        value: first.and_then(|first| first.value.clone()),
        read_only: false,
        source: first.map_or(Source::Default as i8, |first| first.source),
        sensitive: false,
        kind: kind as i8,
        documentation: Some(about.to_string()),
        synonyms,
    }
}

impl Kind {
    fn is_value(self, text: &str) -> bool {
        let text = text.trim();
        match self {
            Self::Boolean => matches!(text.to_ascii_lowercase().as_str(), "true" | "false"),
            Self::Text | Self::List => true,
            Self::Int => text.parse::<i32>().is_ok(),
            Self::Long => text.parse::<i64>().is_ok(),
            Self::Double => text.parse::<f64>().is_ok(),
        }
    }
}

/// The elements of a list.
fn elements(text: &str) -> Vec<&str> {
    text.split(',').map(str::trim).filter(|element| !element.is_empty()).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

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
            ("min.cleanable.dirty.ratio", "0.1"),
            ("preallocate", "true"),
        ] {
            assert_eq!(config.set(Profile::Newest, name, value), Ok(()), "{name}");
        }
        assert!(config.append_time && config.compact);
        assert_eq!((config.min_in_sync, config.segment_bytes), (2, 1024));
        for (name, value) in [
            ("message.timestamp.type", "Never"),
            ("cleanup.policy", "burn"),
            ("min.insync.replicas", "0"),
            ("max.message.bytes", "many"),
            ("retention.ms", "a week"),
            ("preallocate", "1"),
            ("no.such.setting", "1"),
        ] {
            assert!(config.set(Profile::Newest, name, value).is_err(), "{name}");
        }
        let older = config.set(Profile::V2_8, "local.retention.ms", "1");
        assert_eq!(older, Err("unknown topic config name: local.retention.ms".to_string()));
    }

    #[test]
    fn the_list_is_in_order_and_its_defaults_are_values() {
        assert!(SETTINGS.is_sorted_by(|a, b| a.name < b.name));
        for setting in &SETTINGS {
            assert!(setting.kind.is_value(setting.default), "{}", setting.name);
            let mut config = TopicConfig::new(1, 1);
            let set = config.set(Profile::Newest, setting.name, setting.default);
            assert_eq!(set, Ok(()), "{}", setting.name);
        }
    }

    #[test]
    fn defaults_are_those_that_hold() {
        let mut config = TopicConfig::new(1_048_588, 1);
        for setting in &SETTINGS {
            config.set(Profile::Newest, setting.name, setting.default).unwrap();
        }
        let given = std::mem::take(&mut config.given);
        assert_eq!((config, given.len()), (TopicConfig::new(1_048_588, 1), SETTINGS.len()));
    }
}
