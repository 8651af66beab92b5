//! The keys of Kafka's Java producer, as data: what values they may have, and what they do here.

mod java;
mod nearest;
mod own;
mod security;
mod values;

use super::Config;
use std::fmt;

use super::builder::Builder;

pub(crate) use nearest::nearest;
pub use values::{Value, Values};

/// Java's name of the partitioner that goes round all partitions.
pub(crate) const ROUND_ROBIN: &str = "org.apache.kafka.clients.producer.RoundRobinPartitioner";

/// Takes a legal value over; the error is why it cannot be.
pub(crate) type Apply = fn(&mut Builder, Value<'_>) -> Result<(), String>;

/// The value in effect.
pub(crate) type Show = fn(&Config) -> String;

/// What a key does here.
#[derive(Copy, Clone)]
pub(crate) enum Role {
    /// It is a setting.
    Own(Apply, Show),
    /// Nothing but its default is to be had yet. Anything else is a fault, as without it records
    /// would not be treated as was asked for.
    Lacking(&'static str),
    /// Nothing but its default is done, and other values do no harm: a warning.
    Fixed(&'static str),
    /// There is nothing for it here, and nothing is missed: a warning.
    Ignored(&'static str),
}

/// A key of the Java producer, as [`Config::keys`] lists them.
#[derive(Copy, Clone)]
pub struct ConfigKey {
    pub(crate) name: &'static str,
    pub(crate) values: Values,
    /// What is in effect where it is not set; for keys that are ignored, Java's.
    pub(crate) default: &'static str,
    pub(crate) role: Role,
    /// In a few words.
    pub(crate) meaning: &'static str,
}

/// All keys, in no order.
pub(crate) fn all() -> impl Iterator<Item = &'static ConfigKey> {
    own::KEYS.iter().chain(java::KEYS).chain(security::KEYS)
}

impl ConfigKey {
    /// The key of Java's producer that is called `name`.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        all().find(|key| key.name == name)
    }

    /// What is to be known of a key that is none of a producer's and does no harm, as it is one of
    /// other clients. `None` if there is no such key.
    #[must_use]
    pub fn harmless(name: &str) -> Option<&'static str> {
        if java::OF_OTHER_CLIENTS.contains(&name) {
            return Some("has no effect here: it is a key of other clients than producers");
        }
        java::made_up(name)
    }

    /// Its name, such as `linger.ms`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Which values are legal, by Java's types and ranges.
    #[must_use]
    pub const fn values(&self) -> Values {
        self.values
    }

    /// Java's type of its values: string, boolean, short, int, long, double, list, class, password.
    #[must_use]
    pub const fn java_type(&self) -> &'static str {
        self.values.java_type()
    }

    /// Which values are legal, in words; empty where all of the type are.
    #[must_use]
    pub fn legal(&self) -> String {
        self.values.to_string()
    }

    /// What is in effect where it is not set. Of a key that has no effect here, Java's default.
    #[must_use]
    pub const fn default(&self) -> &'static str {
        self.default
    }

    /// What it is about, in a few words.
    #[must_use]
    pub const fn meaning(&self) -> &'static str {
        self.meaning
    }

    /// What there is to be known of a key by which nothing can be set here: what is done instead,
    /// or what is not there yet. None of one that is a setting.
    #[must_use]
    pub const fn remark(&self) -> Option<&'static str> {
        match self.role {
            Role::Own(..) => None,
            Role::Lacking(text) | Role::Fixed(text) | Role::Ignored(text) => Some(text),
        }
    }

    /// Whether setting it changes nothing, whatever the value.
    pub(crate) const fn is_ignored(&self) -> bool {
        matches!(self.role, Role::Ignored(_))
    }

    /// The value in effect, of a key that is not ignored.
    pub(crate) fn shown(&self, config: &Config) -> String {
        match self.role {
            Role::Own(_, show) => show(config),
            _ => self.default.to_owned(),
        }
    }

    /// A value as it may be printed.
    pub(crate) fn printable(&self, value: &str) -> String {
        match self.values {
            // As Java prints it.
            Values::Password => "[hidden]".to_owned(),
            _ => value.to_owned(),
        }
    }
}

impl fmt::Debug for ConfigKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConfigKey").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_key_stands_once_and_in_order() {
        assert!(own::KEYS.is_sorted_by_key(|key| key.name));
        assert!(java::KEYS.is_sorted_by_key(|key| key.name));
        assert!(security::KEYS.is_sorted_by_key(|key| key.name));
        assert!(java::OF_OTHER_CLIENTS.is_sorted());
        let names: BTreeSet<_> = all().map(|key| key.name).collect();
        assert_eq!(names.len(), all().count());
        assert!(java::OF_OTHER_CLIENTS.iter().all(|name| ConfigKey::find(name).is_none()));
    }

    #[test]
    fn every_default_is_legal() {
        for ConfigKey { name, values, default, .. } in all() {
            if !default.is_empty() {
                assert_eq!(values.read(default).err(), None, "{name}");
            }
        }
    }

    #[test]
    fn defaults_are_those_in_effect() {
        let config = Config::builder().bootstrap_servers("kafka:9092").config().unwrap();
        for key in own::KEYS {
            if !["bootstrap.servers", "client.id"].contains(&key.name) {
                assert_eq!(key.shown(&config), key.default, "{}", key.name);
            }
        }
    }
}
