//! Settings by the names that Kafka's Java producer has for them.

use super::builder::Builder;
use super::keys::{ConfigKey, Role, nearest};
use super::{Config, ConfigError, ConfigProblem};

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
    /// Keys of the Java producer that nothing is missed of here, such as `key.serializer` or
    /// `metric.reporters`, are looked at, and leave a warning ([`Config::warnings`]) that says what
    /// is done here instead. So are keys of other clients, which may stand in the same file.
    ///
    /// # Errors
    /// All that is wrong, each with its key: values out of range, values that do not go together,
    /// and what is not there yet and would be missed: compression, TLS, SASL, transactions.
    ///
    /// A key that does not exist is an error, too, with the nearest one that does. (Java only warns
    /// of it. A misspelled `acks` is not to be found out after an outage.)
    /// [`Builder::tolerate_unknown_keys`] has it as in Java.
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

    /// Sets what the Java producer calls `name`.
    fn property(&mut self, name: &str, value: &str) {
        let value = value.trim();
        let Some(key) = ConfigKey::find(name) else {
            if let Some(text) = ConfigKey::harmless(name) {
                self.notes.insert(name.to_owned(), text.to_owned());
            } else {
                let nearest = nearest(name);
                let text = format!("there is no such key; the nearest one is {nearest}");
                self.unknown.push(ConfigProblem::new(name, text));
            }
            return;
        };
        self.mark(key.name);
        let read = match key.values.read(value) {
            Ok(read) => read,
            Err(wrong) => return self.fault(name, wrong),
        };
        let is_default = key.values.read(key.default).is_ok_and(|default| default == read);
        match key.role {
            Role::Own(apply, _) => {
                if let Err(wrong) = apply(self, read) {
                    self.fault(name, wrong);
                }
            }
            Role::Lacking(why) if key.name == "transactional.id" || !is_default => {
                self.fault(name, format!("{value:?} is not possible: {why}"));
            }
            Role::Lacking(_) => {}
            Role::Fixed(_) if is_default => {}
            Role::Fixed(text) => {
                self.given.remove(key.name);
                self.note(key.name, Some(text.to_owned()));
            }
            Role::Ignored(text) => {
                self.given.insert(key.name, key.printable(value));
                self.note(key.name, Some(text.to_owned()));
            }
        }
    }
}
