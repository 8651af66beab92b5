//! Settings of an administration client, by builder. From Java's names:
//! [`Config::from_properties`].

use std::time::Duration;

use ottla_tokio::{ConfigError, ConfigProblem, Connector, TcpConnector};

use crate::admin::Admin;
use crate::view::address;

/// `request.timeout.ms` of Java's client, where nothing is said.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// `default.api.timeout.ms` of Java's client, where nothing is said.
const API_TIMEOUT: Duration = Duration::from_secs(60);

/// Settings that were found to be sound.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    pub(crate) bootstrap: Vec<(String, u16)>,
    pub(crate) client_id: String,
    pub(crate) request_timeout: Duration,
    pub(crate) api_timeout: Duration,
    pub(crate) retry_backoff: Duration,
    pub(crate) retry_backoff_max: Duration,
    pub(crate) setup_timeout: Duration,
    pub(crate) max_idle: Option<Duration>,
    pub(crate) retries: u32,
    pub(crate) tcp: TcpConnector,
    pub(crate) warnings: Vec<ConfigProblem>,
}

impl Config {
    /// A builder with the defaults; `bootstrap_servers` is to be given.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The addresses to begin with, host and port.
    #[must_use]
    pub fn bootstrap_servers(&self) -> &[(String, u16)] {
        &self.bootstrap
    }

    /// `client.id`.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// `request.timeout.ms`.
    #[must_use]
    pub const fn request_timeout(&self) -> Duration {
        self.request_timeout
    }

    /// `default.api.timeout.ms`.
    #[must_use]
    pub const fn api_timeout(&self) -> Duration {
        self.api_timeout
    }

    /// The settings in effect, by the names of Java's keys, sorted.
    #[must_use]
    pub fn effective(&self) -> Vec<(&'static str, String)> {
        let millis = |time: Duration| time.as_millis().to_string();
        let or_minus_one = |value: Option<String>| value.unwrap_or_else(|| "-1".to_owned());
        let bytes = |size: Option<u32>| or_minus_one(size.map(|size| size.to_string()));
        let servers = self.bootstrap.iter().map(|(host, port)| address(host, port));
        vec![
            ("bootstrap.servers", servers.collect::<Vec<_>>().join(",")),
            ("client.id", self.client_id.clone()),
            ("connections.max.idle.ms", or_minus_one(self.max_idle.map(millis))),
            ("default.api.timeout.ms", millis(self.api_timeout)),
            ("receive.buffer.bytes", bytes(self.tcp.receive_buffer)),
            ("request.timeout.ms", millis(self.request_timeout)),
            ("retries", self.retries.min(i32::MAX as u32).to_string()),
            ("retry.backoff.max.ms", millis(self.retry_backoff_max)),
            ("retry.backoff.ms", millis(self.retry_backoff)),
            ("security.protocol", "PLAINTEXT".to_owned()),
            ("send.buffer.bytes", bytes(self.tcp.send_buffer)),
            ("socket.connection.setup.timeout.ms", millis(self.setup_timeout)),
        ]
    }

    /// What was given and has no effect, by key; they are logged at `WARN`, too.
    #[must_use]
    pub fn warnings(&self) -> &[ConfigProblem] {
        &self.warnings
    }
}

/// Puts a [`Config`] or an [`Admin`] together. Faults are kept until then, and told all at once.
///
/// Names, defaults and meanings are those of the keys of Java's `AdminClient`, given with each
/// method.
#[derive(Clone, Debug)]
pub struct Builder {
    pub(crate) bootstrap: String,
    pub(crate) client_id: String,
    pub(crate) request_timeout: Option<Duration>,
    pub(crate) api_timeout: Option<Duration>,
    pub(crate) retry_backoff: Duration,
    pub(crate) retry_backoff_max: Duration,
    pub(crate) setup_timeout: Duration,
    pub(crate) max_idle: Option<Duration>,
    pub(crate) retries: u32,
    pub(crate) tcp: TcpConnector,
    pub(crate) warnings: Vec<ConfigProblem>,
    pub(crate) faults: Vec<ConfigProblem>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            bootstrap: String::new(),
            client_id: "ottla-admin".to_owned(),
            request_timeout: None,
            api_timeout: None,
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_millis(1_000),
            setup_timeout: Duration::from_secs(10),
            max_idle: Some(Duration::from_secs(300)),
            retries: u32::MAX,
            tcp: TcpConnector::default(),
            warnings: Vec::new(),
            faults: Vec::new(),
        }
    }
}

impl Builder {
    /// `bootstrap.servers`, required: addresses to begin with, as `host:port`, separated by
    /// commas. They are tried in turn.
    pub fn bootstrap_servers(mut self, servers: impl Into<String>) -> Self {
        self.bootstrap = servers.into();
        self
    }

    /// `client.id`, default `ottla-admin`: the name in the broker's logs and quotas.
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.client_id = id.into();
        self
    }

    /// `request.timeout.ms`, default 30 s, or [`Builder::api_timeout`] if that is shorter: how
    /// long one request waits for its answer.
    pub const fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = Some(timeout);
        self
    }

    /// `default.api.timeout.ms`, default 60 s: how long a call takes at most, with all that is
    /// repeated in it. It must not be shorter than [`Builder::request_timeout`].
    pub const fn api_timeout(mut self, timeout: Duration) -> Self {
        self.api_timeout = Some(timeout);
        self
    }

    /// `retry.backoff.ms`, default 100 ms: the pause before the first repetition. It doubles from
    /// one to the next, up to [`Builder::retry_backoff_max`].
    pub const fn retry_backoff(mut self, pause: Duration) -> Self {
        self.retry_backoff = pause;
        self
    }

    /// `retry.backoff.max.ms`, default 1 s.
    pub const fn retry_backoff_max(mut self, pause: Duration) -> Self {
        self.retry_backoff_max = pause;
        self
    }

    /// `socket.connection.setup.timeout.ms`, default 10 s: how long a connection may take to be
    /// made, versions negotiated. While there are further addresses the next one is tried after
    /// one second, and the first that answers is used.
    pub const fn connection_setup_timeout(mut self, timeout: Duration) -> Self {
        self.setup_timeout = timeout;
        self
    }

    /// `connections.max.idle.ms`, default 5 min: a connection that was not used for so long is not
    /// used again. `None` is never.
    pub const fn connection_max_idle(mut self, idle: Option<Duration>) -> Self {
        self.max_idle = idle;
        self
    }

    /// `retries`, default without bound: how often a call repeats what may be repeated, within
    /// [`Builder::api_timeout`].
    pub const fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// The settings.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn config(mut self) -> Result<Config, ConfigError> {
        let bootstrap = self.addresses();
        let api_timeout = self.api_timeout.unwrap_or(API_TIMEOUT);
        let request_timeout = match self.request_timeout {
            Some(timeout) if timeout > api_timeout && self.api_timeout.is_some() => {
                self.fault("default.api.timeout.ms", "must not be shorter than request.timeout.ms");
                timeout
            }
            Some(timeout) => timeout,
            None => REQUEST_TIMEOUT.min(api_timeout),
        };
        if request_timeout > api_timeout && self.api_timeout.is_none() {
            let raised = request_timeout.as_millis();
            let text = format!("raised to request.timeout.ms, which is {raised} ms");
            self.warnings.push(ConfigProblem::new("default.api.timeout.ms", text));
        }
        for (key, timeout) in
            [("request.timeout.ms", request_timeout), ("default.api.timeout.ms", api_timeout)]
        {
            if timeout.is_zero() {
                self.fault(key, "must be longer than 0, or no request could be answered in time");
            }
        }
        if self.client_id.len() > ottla::config::CLIENT_ID_MAX {
            self.fault("client.id", "is longer than 255 bytes");
        }
        ConfigError::check(self.faults)?;
        for warning in &self.warnings {
            tracing::warn!(target: "ottla_admin", "{warning}");
        }
        Ok(Config {
            bootstrap,
            client_id: self.client_id,
            request_timeout,
            api_timeout: api_timeout.max(request_timeout),
            retry_backoff: self.retry_backoff,
            retry_backoff_max: self.retry_backoff_max.max(self.retry_backoff),
            setup_timeout: self.setup_timeout,
            max_idle: self.max_idle,
            retries: self.retries,
            tcp: self.tcp,
            warnings: self.warnings,
        })
    }

    /// A client with these settings that connects over TCP. It connects at its first call.
    ///
    /// # Errors
    /// All that is wrong with the settings.
    pub fn build(self) -> Result<Admin, ConfigError> {
        self.config().map(Admin::new)
    }

    /// A client with these settings that connects by `connector`.
    ///
    /// # Errors
    /// All that is wrong with the settings.
    pub fn build_with<C: Connector>(self, connector: C) -> Result<Admin<C>, ConfigError> {
        self.config().map(|config| Admin::with_connector(config, connector))
    }

    /// The addresses of `bootstrap.servers`, as a producer reads them.
    fn addresses(&mut self) -> Vec<(String, u16)> {
        let list = std::mem::take(&mut self.bootstrap);
        match ottla_tokio::Config::from_properties([("bootstrap.servers", list)]) {
            Ok(config) => config.bootstrap_servers().to_vec(),
            Err(error) => {
                self.faults.extend_from_slice(error.problems());
                Vec::new()
            }
        }
    }

    pub(crate) fn fault(&mut self, key: &str, message: impl Into<String>) {
        self.faults.push(ConfigProblem::new(key, message));
    }
}
