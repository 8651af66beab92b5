//! Settings by the names that Kafka's Java clients have for them.

use std::time::Duration;

use ottla_tokio::{ConfigError, ConfigKey, ConfigProblem, Value, Values};

use crate::config::{Builder, Config};

/// Takes a legal value over, or says why it cannot be.
type Apply = fn(&mut Builder, Value<'_>) -> Result<(), String>;

/// The keys that count here, sorted.
const KEYS: &[(&str, Apply)] = &[
    ("bootstrap.controllers", |_, v| no_controllers(v)),
    ("bootstrap.servers", |b, v| put(&mut b.bootstrap, v.text().to_owned())),
    ("client.id", |b, v| put(&mut b.client_id, v.text().to_owned())),
    ("connections.max.idle.ms", |b, v| put(&mut b.max_idle, v.count().map(Duration::from_millis))),
    ("default.api.timeout.ms", |b, v| put(&mut b.api_timeout, Some(v.millis()))),
    ("receive.buffer.bytes", |b, v| put(&mut b.tcp.receive_buffer, buffer(v))),
    ("request.timeout.ms", |b, v| put(&mut b.request_timeout, Some(v.millis()))),
    ("retries", |b, v| put(&mut b.retries, v.int())),
    ("retry.backoff.max.ms", |b, v| put(&mut b.retry_backoff_max, v.millis())),
    ("retry.backoff.ms", |b, v| put(&mut b.retry_backoff, v.millis())),
    ("security.protocol", |_, v| plaintext(v)),
    ("send.buffer.bytes", |b, v| put(&mut b.tcp.send_buffer, buffer(v))),
    ("socket.connection.setup.timeout.ms", |b, v| put(&mut b.setup_timeout, v.millis())),
];

/// Which values are legal: for all keys but two those of a producer, which has the same key.
fn legal(key: &str) -> Option<Values> {
    match key {
        "bootstrap.controllers" => Some(Values::List),
        "default.api.timeout.ms" => Some(Values::int(0)),
        _ => ConfigKey::find(key).map(ConfigKey::values),
    }
}

fn put<T>(place: &mut T, value: T) -> Result<(), String> {
    *place = value;
    Ok(())
}

/// -1 leaves the choice to the system.
fn buffer(value: Value<'_>) -> Option<u32> {
    u32::try_from(value.whole()).ok()
}

fn plaintext(value: Value<'_>) -> Result<(), String> {
    match value.text() {
        "PLAINTEXT" => Ok(()),
        other => Err(format!(
            "{other:?} is not possible: TLS and SASL are not there yet, only PLAINTEXT"
        )),
    }
}

fn no_controllers(value: Value<'_>) -> Result<(), String> {
    match value.text() {
        "" => Ok(()),
        _ => Err("controllers cannot be asked directly; give bootstrap.servers instead".to_owned()),
    }
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
        let Some(values) = legal(key) else {
            match ConfigKey::harmless(key) {
                Some(_) => self.warn(key),
                None => self.fault(key, "there is no such key"),
            }
            return;
        };
        let taken =
            values.read(value).and_then(|value| match KEYS.iter().find(|(name, _)| *name == key) {
                Some((_, apply)) => apply(self, value),
                None => {
                    self.warn(key);
                    Ok(())
                }
            });
        if let Err(wrong) = taken {
            self.fault(key, wrong);
        }
    }

    fn warn(&mut self, key: &str) {
        self.warnings.push(ConfigProblem::new(key, "says nothing to an administration client"));
    }
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
    fn keys_are_sorted_and_each_has_its_values() {
        assert!(KEYS.is_sorted_by_key(|(name, _)| *name));
        assert!(KEYS.iter().all(|(name, _)| legal(name).is_some()));
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

    /// The keys that are warned of.
    fn warned(config: &Config) -> Vec<&str> {
        config.warnings.iter().map(ConfigProblem::key).collect()
    }

    #[test]
    fn keys_of_other_clients_are_named_and_do_no_harm() {
        let given = [
            ("linger.ms", "5"),
            ("ssl.protocol", "x"),
            ("metrics.num.samples", "3"),
            ("group.id", "g"),
            ("auto.offset.reset", "earliest"),
            ("config.providers.file.class", "x"),
        ];
        let config = config(&given).unwrap();
        assert_eq!(warned(&config), given.map(|(key, _)| key));
    }

    #[test]
    fn every_key_of_a_producer_is_known() {
        for key in ottla_tokio::Config::keys() {
            let told = faults(&[(key.name(), "\u{0}"), ("no.such", "")]);
            let unknown = told.iter().filter(|fault| fault.ends_with(": there is no such key"));
            assert_eq!(unknown.collect::<Vec<_>>(), ["no.such: there is no such key"]);
        }
    }

    #[test]
    fn misspelled_keys_and_values_that_are_not_legal_are_faults_of_any_key() {
        let told = faults(&[("group.idd", "g"), ("ssl.protocl", "x"), ("linger.ms", "soon")]);
        let keys = ["group.idd: ", "ssl.protocl: ", "linger.ms: \"soon\" is no whole number"];
        assert!(told.iter().zip(keys).all(|(fault, key)| fault.starts_with(key)), "{told:?}");
        assert_eq!(told.len(), keys.len());
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
