//! Settings by the names that Kafka's Java clients have for them.

use std::time::Duration;

use crate::config::{Builder, Config, ConfigError};

/// What takes a value over, or says what it should have been.
type Apply = fn(&mut Builder, &str) -> Result<(), String>;

/// The keys that count here, sorted.
const KEYS: &[(&str, Apply)] = &[
    ("bootstrap.controllers", |_, v| nothing(v)),
    ("bootstrap.servers", |b, v| put(&mut b.bootstrap, Ok(v.to_owned()))),
    ("client.id", |b, v| put(&mut b.client_id, Ok(v.to_owned()))),
    ("connections.max.idle.ms", |b, v| put(&mut b.max_idle, idle(v))),
    ("default.api.timeout.ms", |b, v| put(&mut b.api_timeout, int_millis(v).map(Some))),
    ("receive.buffer.bytes", |b, v| put(&mut b.tcp.receive_buffer, buffer(v))),
    ("request.timeout.ms", |b, v| put(&mut b.request_timeout, int_millis(v).map(Some))),
    ("retries", |b, v| put(&mut b.retries, int(v))),
    ("retry.backoff.max.ms", |b, v| put(&mut b.retry_backoff_max, millis(v))),
    ("retry.backoff.ms", |b, v| put(&mut b.retry_backoff, millis(v))),
    ("security.protocol", |_, v| plaintext(v)),
    ("send.buffer.bytes", |b, v| put(&mut b.tcp.send_buffer, buffer(v))),
    ("socket.connection.setup.timeout.ms", |b, v| put(&mut b.setup_timeout, millis(v))),
];

/// Keys that Java's clients have and that say nothing to this one, or families of them. A file
/// that was made for a producer is to do here, too.
const OTHERS: &[&str] = &[
    "acks",
    "batch.size",
    "bootstrap.resolve.timeout.ms",
    "buffer.memory",
    "client.dns.lookup",
    "client.rack",
    "compression.",
    "config.providers",
    "delivery.timeout.ms",
    "enable.idempotence",
    "enable.metrics.push",
    "interceptor.classes",
    "key.serializer",
    "linger.ms",
    "max.block.ms",
    "max.in.flight.requests.per.connection",
    "max.request.size",
    "metadata.",
    "metric.reporters",
    "metrics.",
    "partitioner.",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "sasl.",
    "security.providers",
    "socket.connection.setup.timeout.max.ms",
    "ssl.",
    "transaction.",
    "transactional.id",
    "value.serializer",
];

fn put<T>(place: &mut T, value: Result<T, String>) -> Result<(), String> {
    *place = value?;
    Ok(())
}

fn long(value: &str) -> Result<u64, String> {
    let number = value.parse().ok().filter(|number| i64::try_from(*number).is_ok());
    number.ok_or_else(|| format!("{value:?} is no whole number from 0 to {}", i64::MAX))
}

fn int(value: &str) -> Result<u32, String> {
    let number = value.parse().ok().filter(|number| i32::try_from(*number).is_ok());
    number.ok_or_else(|| format!("{value:?} is no whole number from 0 to {}", i32::MAX))
}

fn millis(value: &str) -> Result<Duration, String> {
    long(value).map(Duration::from_millis)
}

fn int_millis(value: &str) -> Result<Duration, String> {
    int(value).map(|number| Duration::from_millis(number.into()))
}

/// Below zero means never.
fn idle(value: &str) -> Result<Option<Duration>, String> {
    match value.parse::<i64>() {
        Ok(number) => Ok(u64::try_from(number).ok().map(Duration::from_millis)),
        Err(_) => Err(format!("{value:?} is no whole number")),
    }
}

/// -1 leaves the choice to the system.
fn buffer(value: &str) -> Result<Option<u32>, String> {
    match value.parse::<i32>() {
        Ok(number) if number >= -1 => Ok(u32::try_from(number).ok()),
        _ => Err(format!("{value:?} is no whole number from -1 to {}", i32::MAX)),
    }
}

fn plaintext(value: &str) -> Result<(), String> {
    if value.eq_ignore_ascii_case("plaintext") {
        return Ok(());
    }
    Err(format!("{value:?} is not PLAINTEXT, the only protocol that there is yet"))
}

fn nothing(value: &str) -> Result<(), String> {
    if value.is_empty() {
        return Ok(());
    }
    Err("controllers cannot be asked directly; give bootstrap.servers instead".to_owned())
}

impl Config {
    /// The settings that `properties` give by the names of Java's keys; the others have their
    /// defaults. Of a key that comes twice the last value counts. Keys of producers and those that
    /// only Java has are no fault: [`Config::warnings`] names them.
    ///
    /// ```
    /// use ottla_admin::Config;
    /// let config = Config::from_properties([("bootstrap.servers", "kafka:9092"), ("acks", "all")])?;
    /// assert_eq!(config.bootstrap_servers(), [("kafka".to_owned(), 9092)]);
    /// assert_eq!(config.warnings().len(), 1);
    /// # Ok::<(), ottla_admin::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// All that is wrong, each with its key: values out of range, and keys that no client has.
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
    /// Takes over what `properties` give by the names of Java's keys, as
    /// [`Config::from_properties`] does. It goes together with the other methods: of what is set
    /// twice, the last value counts.
    pub fn properties<K, V>(mut self, properties: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: AsRef<str>,
        V: AsRef<str>,
    {
        for (key, value) in properties {
            self.property(key.as_ref(), value.as_ref().trim());
        }
        self
    }

    fn property(&mut self, key: &str, value: &str) {
        if let Some((_, apply)) = KEYS.iter().find(|(name, _)| *name == key) {
            if let Err(wrong) = apply(self, value) {
                self.fault(key, wrong);
            }
        } else if OTHERS.iter().any(|name| is_of(key, name)) || is_of_clients(key) {
            self.warnings.push(format!("{key}: says nothing to an administration client"));
        } else {
            self.fault(key, "there is no such key");
        }
    }
}

/// Whether a key is `name`, or of the family `name`, which ends with a dot.
fn is_of(key: &str, name: &str) -> bool {
    if name.ends_with('.') { key.starts_with(name) } else { key == name }
}

/// Whether a producer knows a key: as its own, or, with a warning, as one of other clients.
fn is_of_clients(key: &str) -> bool {
    let asked = [("bootstrap.servers", "localhost:9092"), (key, "")];
    ottla_tokio::Config::keys().any(|known| known.name() == key)
        || ottla_tokio::Config::from_properties(asked)
            .is_ok_and(|config| config.warnings().iter().any(|warning| warning.key() == key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(properties: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let base = [("bootstrap.servers", "a:1, b:2")];
        Config::from_properties(base.iter().chain(properties).copied())
    }

    /// The faults, each with its key.
    fn faults(properties: &[(&str, &str)]) -> Vec<String> {
        let error = config(properties).expect_err("wrong settings");
        error.problems().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn keys_are_sorted_and_each_is_in_one_list() {
        assert!(KEYS.is_sorted_by_key(|(name, _)| *name));
        assert!(OTHERS.is_sorted());
        for (name, _) in KEYS {
            assert!(!OTHERS.iter().any(|other| is_of(name, other)), "{name}");
        }
    }

    #[test]
    fn javas_keys_are_taken() {
        let config = config(&[
            ("client.id", "me"),
            ("request.timeout.ms", " 5000 "),
            ("default.api.timeout.ms", "7000"),
            ("retry.backoff.ms", "50"),
            ("retry.backoff.max.ms", "20"),
            ("socket.connection.setup.timeout.ms", "900"),
            ("connections.max.idle.ms", "-1"),
            ("retries", "3"),
            ("send.buffer.bytes", "4096"),
            ("receive.buffer.bytes", "-1"),
            ("security.protocol", "plaintext"),
            ("bootstrap.controllers", ""),
        ]);
        let config = config.unwrap();
        assert_eq!(config.bootstrap, [("a".to_owned(), 1), ("b".to_owned(), 2)]);
        assert_eq!(config.client_id, "me");
        assert_eq!(config.request_timeout, Duration::from_secs(5));
        assert_eq!(config.api_timeout, Duration::from_secs(7));
        assert_eq!(config.retry_backoff, Duration::from_millis(50));
        // A cap below the first pause is no cap.
        assert_eq!(config.retry_backoff_max, Duration::from_millis(50));
        assert_eq!(config.setup_timeout, Duration::from_millis(900));
        assert_eq!((config.max_idle, config.retries), (None, 3));
        assert_eq!((config.tcp.send_buffer, config.tcp.receive_buffer), (Some(4_096), None));
        assert!(config.warnings.is_empty());
    }

    #[test]
    fn settings_in_effect_make_the_same_settings_again() {
        let given = config(&[("client.id", "me"), ("send.buffer.bytes", "4096")]).unwrap();
        let effective = given.effective();
        assert!(effective.is_sorted());
        let keys: Vec<&str> = effective.iter().map(|(key, _)| *key).collect();
        let known = KEYS.iter().map(|(key, _)| *key).filter(|key| *key != "bootstrap.controllers");
        assert_eq!(keys, known.collect::<Vec<_>>());
        let again = Config::from_properties(effective).unwrap();
        // Java's int has no larger number.
        assert_eq!(again, Config { retries: i32::MAX as u32, ..given });
    }

    #[test]
    fn keys_of_producers_are_named_and_do_no_harm() {
        let config = config(&[("linger.ms", "5"), ("ssl.protocol", "x"), ("metrics.x", "y")]);
        let warnings = config.unwrap().warnings;
        let named = ["linger.ms: ", "ssl.protocol: ", "metrics.x: "];
        assert!(warnings.iter().zip(named).all(|(w, key)| w.starts_with(key)), "{warnings:?}");
        assert_eq!(warnings.len(), named.len());
    }

    #[test]
    fn keys_of_consumers_are_no_fault_where_a_producer_only_warns() {
        let config = config(&[("group.id", "g"), ("auto.offset.reset", "earliest")]);
        assert_eq!(config.unwrap().warnings.len(), 2);
        for key in ottla_tokio::Config::keys() {
            assert!(KEYS.iter().any(|(name, _)| *name == key.name()) || is_of_clients(key.name()));
        }
        assert!(faults(&[("group.idd", "g")])[0].starts_with("group.idd: "));
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let told = faults(&[
            ("bootstrap.servers", "nowhere"),
            ("security.protocol", "SSL"),
            ("bootstrap.controllers", "c:9093"),
            ("retries", "-1"),
            ("request.timeout.ms", "soon"),
            ("no.such", "1"),
            ("default.api.timeout.ms", "0"),
        ]);
        for key in [
            "bootstrap.servers: ",
            "security.protocol: ",
            "bootstrap.controllers: ",
            "retries: ",
            "request.timeout.ms: ",
            "no.such: there is no such key",
            "default.api.timeout.ms: ",
        ] {
            assert!(told.iter().any(|fault| fault.starts_with(key)), "{key} {told:?}");
        }
        let none = Config::builder().config().unwrap_err();
        assert!(none.to_string().contains("bootstrap.servers: is required"), "{none}");
    }

    /// The default of one timeout gives way to what was said of the other; two that were said have
    /// to go together.
    #[test]
    fn a_call_takes_no_less_than_a_request() {
        let short = config(&[("default.api.timeout.ms", "5000")]).unwrap();
        assert_eq!(short.request_timeout, Duration::from_secs(5));
        let long = config(&[("request.timeout.ms", "90000")]).unwrap();
        assert_eq!(long.api_timeout, Duration::from_secs(90));
        assert_eq!(long.warnings.len(), 1);
        let both = faults(&[("request.timeout.ms", "5001"), ("default.api.timeout.ms", "5000")]);
        assert_eq!(both.len(), 1);
        assert!(both[0].starts_with("default.api.timeout.ms: "), "{both:?}");
    }
}
