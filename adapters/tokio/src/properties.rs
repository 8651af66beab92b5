//! Settings by the names that Kafka's Java producer has for them.

use std::time::Duration;

use ottla::Acks;
use ottla::config::Partitioner;

use crate::clock::span;
use crate::config::{Builder, Config, clamp_in_flight};
use crate::error::ConfigError;

/// Java's largest int.
const INT_MAX: u32 = i32::MAX as u32;

/// What takes a value over, or says what it should have been.
type Apply = fn(&mut Builder, &str) -> Result<(), String>;

/// The keys.
const KEYS: &[(&str, Apply)] = &[
    ("acks", |b, v| put(&mut b.core.acks, acks(v))),
    ("batch.size", |b, v| put(&mut b.core.batch_size, int(v, 0))),
    ("bootstrap.servers", |b, v| put(&mut b.bootstrap, Ok(Some(v.to_owned())))),
    ("buffer.memory", |b, v| put(&mut b.buffer_memory, long(v))),
    ("client.id", |b, v| put(&mut b.client_id, Ok(v.to_owned()))),
    ("connections.max.idle.ms", |b, v| put(&mut b.core.connection_max_idle, idle(v))),
    ("delivery.timeout.ms", |b, v| put(&mut b.delivery_timeout, int_millis(v).map(Some))),
    ("enable.idempotence", |b, v| put(&mut b.idempotence, boolean(v).map(Some))),
    ("linger.ms", |b, v| put(&mut b.core.linger, clamped_millis(v))),
    ("max.block.ms", |b, v| put(&mut b.max_block, millis(v))),
    ("max.in.flight.requests.per.connection", |b, v| {
        put(&mut b.core.max_in_flight, int(v, 1).map(clamp_in_flight))
    }),
    ("max.request.size", |b, v| put(&mut b.core.max_request_size, int(v, 0))),
    ("metadata.max.age.ms", |b, v| put(&mut b.core.metadata_max_age, millis(v).map(span))),
    ("metadata.max.idle.ms", |b, v| put(&mut b.core.metadata_max_idle, millis(v).map(span))),
    ("metadata.recovery.rebootstrap.trigger.ms", |b, v| {
        put(&mut b.core.rebootstrap_trigger, millis(v).map(span))
    }),
    ("metadata.recovery.strategy", |b, v| put(&mut b.core.rebootstrap, strategy(v))),
    ("partitioner.adaptive.partitioning.enable", |b, v| {
        put(&mut b.core.adaptive_partitioning, boolean(v))
    }),
    ("partitioner.availability.timeout.ms", |b, v| {
        put(&mut b.core.availability_timeout, millis(v).map(span))
    }),
    ("partitioner.class", |b, v| put(&mut b.core.partitioner, partitioner(v))),
    ("partitioner.ignore.keys", |b, v| put(&mut b.core.ignore_keys, boolean(v))),
    ("receive.buffer.bytes", |b, v| put(&mut b.tcp.receive_buffer, buffer(v))),
    ("reconnect.backoff.max.ms", |b, v| put(&mut b.reconnect_backoff_max, millis(v).map(Some))),
    ("reconnect.backoff.ms", |b, v| put(&mut b.reconnect_backoff, millis(v).map(Some))),
    ("request.timeout.ms", |b, v| put(&mut b.core.request_timeout, int_millis(v).map(span))),
    ("retries", |b, v| put(&mut b.core.retries, int(v, 0))),
    ("retry.backoff.max.ms", |b, v| put(&mut b.core.retry_backoff_max, millis(v).map(span))),
    ("retry.backoff.ms", |b, v| put(&mut b.core.retry_backoff, millis(v).map(span))),
    ("send.buffer.bytes", |b, v| put(&mut b.tcp.send_buffer, buffer(v))),
    ("socket.connection.setup.timeout.max.ms", |b, v| {
        put(&mut b.core.connection_setup_timeout_max, millis(v).map(span))
    }),
    ("socket.connection.setup.timeout.ms", |b, v| {
        put(&mut b.core.connection_setup_timeout, millis(v).map(span))
    }),
];

fn put<T>(place: &mut T, value: Result<T, String>) -> Result<(), String> {
    *place = value?;
    Ok(())
}

/// Keys of the Java producer that there is nothing for here, or families of them.
const JAVA_ONLY: &[&str] = &[
    "bootstrap.resolve.timeout.ms",
    "buffer.memory.allocation.strategy",
    "client.dns.lookup",
    "client.rack",
    "compression.",
    "config.providers",
    "enable.metrics.push",
    "interceptor.classes",
    "key.serializer",
    "metadata.cluster.check.enable",
    "metric.reporters",
    "metrics.",
    "partitioner.rack.aware",
    "sasl.",
    "security.",
    "ssl.",
    "transaction.",
    "transactional.id",
    "value.serializer",
];

fn int(value: &str, least: u32) -> Result<u32, String> {
    let number = value.parse().ok().filter(|number| (least..=INT_MAX).contains(number));
    number.ok_or_else(|| format!("{value:?} is no whole number from {least} to {INT_MAX}"))
}

fn long(value: &str) -> Result<u64, String> {
    let number = value.parse().ok().filter(|number| i64::try_from(*number).is_ok());
    number.ok_or_else(|| format!("{value:?} is no whole number from 0 to {}", i64::MAX))
}

fn millis(value: &str) -> Result<Duration, String> {
    long(value).map(Duration::from_millis)
}

fn int_millis(value: &str) -> Result<Duration, String> {
    int(value, 0).map(|number| Duration::from_millis(number.into()))
}

/// Java takes a long here and cuts it to an int.
fn clamped_millis(value: &str) -> Result<ottla::Duration, String> {
    long(value).map(|number| ottla::Duration::from_millis(number.min(INT_MAX.into())))
}

/// Below zero means never.
fn idle(value: &str) -> Result<ottla::Duration, String> {
    match value.parse::<i64>() {
        Ok(number) => Ok(match u64::try_from(number) {
            Ok(number) => ottla::Duration::from_millis(number),
            Err(_) => ottla::Duration::MAX,
        }),
        Err(_) => Err(format!("{value:?} is no whole number")),
    }
}

/// -1 leaves the choice to the system.
fn buffer(value: &str) -> Result<Option<u32>, String> {
    match value.parse::<i32>() {
        Ok(-1) => Ok(None),
        Ok(number) if number >= 0 => Ok(u32::try_from(number).ok()),
        _ => Err(format!("{value:?} is no whole number from -1 to {}", i32::MAX)),
    }
}

fn boolean(value: &str) -> Result<bool, String> {
    match value {
        _ if value.eq_ignore_ascii_case("true") => Ok(true),
        _ if value.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(format!("{value:?} is neither true nor false")),
    }
}

fn acks(value: &str) -> Result<Acks, String> {
    match value {
        "all" | "-1" => Ok(Acks::All),
        "1" => Ok(Acks::Leader),
        "0" => Ok(Acks::None),
        _ => Err(format!("{value:?} is none of all, -1, 0 and 1")),
    }
}

fn strategy(value: &str) -> Result<bool, String> {
    match value {
        _ if value.eq_ignore_ascii_case("rebootstrap") => Ok(true),
        _ if value.eq_ignore_ascii_case("none") => Ok(false),
        _ => Err(format!("{value:?} is neither rebootstrap nor none")),
    }
}

/// Java's name of the partitioner that goes round all partitions.
const ROUND_ROBIN: &str = "org.apache.kafka.clients.producer.RoundRobinPartitioner";

/// Java gives a class; there are none here.
fn partitioner(value: &str) -> Result<Partitioner, String> {
    match value {
        ROUND_ROBIN => Ok(Partitioner::RoundRobin),
        _ if value.is_empty() || value.eq_ignore_ascii_case("none") => Ok(Partitioner::Sticky),
        _ => Err(format!(
            "{value:?} is neither {ROUND_ROBIN} nor empty, which is the built-in one; one of your \
             own is given by Builder::partition_by"
        )),
    }
}

impl Config {
    /// The settings that `properties` give by the names of the Java producer's keys; the others
    /// have their defaults. Of a key that comes twice the last value counts. Space around a
    /// value does not matter.
    ///
    /// ```
    /// use ottla_tokio::Config;
    /// let config = Config::from_properties([("bootstrap.servers", "kafka:9092"), ("linger.ms", "20")])?;
    /// assert_eq!(config.core().linger.as_millis(), 20);
    /// # Ok::<(), ottla_tokio::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// All that is wrong, each with its key: values out of range, values that do not go together,
    /// and keys that do not exist, with the nearest one that does.
    pub fn from_properties<K, V>(
        properties: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, ConfigError>
    where
        K: AsRef<str>,
        V: AsRef<str>,
    {
        Builder::default().properties(properties).config()
    }
}

impl Builder {
    /// Takes over what `properties` give by the names of the Java producer's keys, as
    /// [`Config::from_properties`] does. It goes together with the other methods: of what is set
    /// twice, the last value counts. Faults are told with the others, in the end.
    ///
    /// ```
    /// use ottla_tokio::Config;
    /// let builder = Config::builder().properties([("bootstrap.servers", "kafka:9092")]);
    /// let config = builder.idempotence(false).ordered(true).config()?;
    /// # let _ = config;
    /// # Ok::<(), ottla_tokio::ConfigError>(())
    /// ```
    pub fn properties<K, V>(mut self, properties: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: AsRef<str>,
        V: AsRef<str>,
    {
        for (key, value) in properties {
            self.property(key.as_ref(), value.as_ref());
        }
        self
    }

    /// Sets what the Java producer calls `key`.
    fn property(&mut self, key: &str, value: &str) {
        let known = KEYS.iter().find(|(name, _)| *name == key);
        match known {
            Some((_, apply)) => {
                if let Err(wrong) = apply(self, value.trim()) {
                    self.fault(key, wrong);
                }
            }
            None => self.fault(key, unknown(key)),
        }
    }
}

fn unknown(key: &str) -> String {
    let is_family = |name: &&&str| match name.strip_suffix('.') {
        Some(_) => key.starts_with(**name),
        None => key == **name,
    };
    if JAVA_ONLY.iter().any(|name| is_family(&name)) {
        return "the Java producer has this key, this one does not".to_owned();
    }
    let nearest = KEYS.iter().map(|(name, _)| *name).min_by_key(|name| distance(key, name));
    format!("there is no such key; the nearest one is {}", nearest.unwrap_or_default())
}

/// How far `key` is from `name`: letters to insert, remove, replace, or swap with the next. Case
/// and the kind of separator do not count, and a part of the name is near to it.
fn distance(key: &str, name: &str) -> usize {
    let fold = |c: char| match c.to_ascii_lowercase() {
        '_' | '-' => '.',
        other => other,
    };
    let a: Vec<char> = key.chars().map(fold).take(80).collect();
    let b: Vec<char> = name.chars().collect();
    let folded: String = a.iter().collect();
    if folded.len() > 3 && name.contains(&folded) {
        return usize::from(!name.starts_with(&folded));
    }
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let replace = above[j] + usize::from(a[i] != b[j]);
            let mut best = replace.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_found() {
        let pairs = [
            ("linger.mss", "linger.ms"),
            ("linger_ms", "linger.ms"),
            ("LINGER.MS", "linger.ms"),
            ("linger", "linger.ms"),
            ("bootstrap.server", "bootstrap.servers"),
            ("bootstrap.brokers", "bootstrap.servers"),
            ("max.in.flight", "max.in.flight.requests.per.connection"),
            ("idempotence", "enable.idempotence"),
            ("batch.szie", "batch.size"),
            ("ack", "acks"),
            ("client-id", "client.id"),
            ("retry.backoff", "retry.backoff.max.ms"),
            ("buffer.memroy", "buffer.memory"),
        ];
        for (key, nearest) in pairs {
            assert!(unknown(key).ends_with(nearest), "{key}: {}", unknown(key));
        }
        assert!(unknown("compression.type").contains("Java"));
        assert!(unknown("ssl.truststore.location").contains("Java"));
    }

    #[test]
    fn keys_are_sorted_and_those_of_java_are_others() {
        assert!(KEYS.is_sorted_by_key(|(name, _)| *name));
        for (name, _) in KEYS {
            assert!(!JAVA_ONLY.iter().any(|java| name.starts_with(java)), "{name}");
        }
    }
}
