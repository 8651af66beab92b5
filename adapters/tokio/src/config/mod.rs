//! Settings of a producer that were found to be sound.

mod addresses;
mod builder;
mod effective;
mod faults;
mod keys;
mod properties;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::connector::TcpConnector;
use crate::hooks::{AddressMap, OwnPartitioner};
use crate::interceptor::Interceptors;

pub use builder::Builder;
pub use effective::{Effective, Setting, Source};
pub use faults::{ConfigError, ConfigProblem};
pub use keys::{ConfigKey, Value, Values};

/// Settings of a producer that were found to be sound.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    pub(crate) core: ottla::Config,
    pub(crate) client_id: String,
    pub(crate) bootstrap: Vec<(String, u16)>,
    pub(crate) buffer_memory: u64,
    pub(crate) max_block: Duration,
    pub(crate) tcp: TcpConnector,
    pub(crate) own_partitioner: Option<OwnPartitioner>,
    pub(crate) address_map: Option<AddressMap>,
    pub(crate) interceptors: Interceptors,
    warnings: Vec<ConfigProblem>,
    /// The keys that were set. Of those that do nothing, the values, as they may be printed.
    given: BTreeMap<&'static str, String>,
}

impl Config {
    /// A builder with the defaults; `bootstrap_servers` is to be given.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The keys of the Java producer, sorted by name: which values they may have, and what they do
    /// here.
    pub fn keys() -> impl Iterator<Item = &'static ConfigKey> {
        let mut keys: Vec<_> = keys::all().collect();
        keys.sort_unstable_by_key(|key| key.name());
        keys.into_iter()
    }

    /// What the core is told.
    #[must_use]
    pub const fn core(&self) -> &ottla::Config {
        &self.core
    }

    /// `client.id`. Empty if it was not set: each producer of these settings then makes up one of
    /// its own, which [`Producer::config`](crate::Producer::config) has.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The name of a producer that starts, where none was set.
    pub(crate) fn name_client(&mut self) {
        static CLIENTS: AtomicU64 = AtomicU64::new(1);
        if self.client_id.is_empty() {
            self.client_id = format!("producer-{}", CLIENTS.fetch_add(1, Ordering::Relaxed));
        }
    }

    /// The addresses to begin with, host and port.
    #[must_use]
    pub fn bootstrap_servers(&self) -> &[(String, u16)] {
        &self.bootstrap
    }

    /// `buffer.memory` in bytes.
    #[must_use]
    pub const fn buffer_memory(&self) -> u64 {
        self.buffer_memory
    }

    /// `max.block.ms`.
    #[must_use]
    pub const fn max_block(&self) -> Duration {
        self.max_block
    }

    /// The sockets' settings.
    #[must_use]
    pub const fn tcp(&self) -> TcpConnector {
        self.tcp
    }

    /// What there is to be known of these settings, by key: keys of Java's producer that do
    /// nothing here, and values that are not used as they stand. A producer logs them when it
    /// starts.
    #[must_use]
    pub fn warnings(&self) -> &[ConfigProblem] {
        &self.warnings
    }

    /// Every key with the value in effect, and where that comes from.
    #[must_use]
    pub fn effective(&self) -> Effective {
        Effective::of(self)
    }
}
