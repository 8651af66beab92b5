//! Settings of a producer, by builder. From Java's names: [`Config::from_properties`].

use std::collections::BTreeMap;
use std::time::Duration;

use ottla::Acks;
use ottla::config::{CLIENT_ID_MAX, Partitioner};

use super::addresses::addresses;
use super::{Config, ConfigError, ConfigProblem};
use crate::clock::{span, std_span};
use crate::connector::{Connector, TcpConnector};
use crate::hooks::{AddressMap, Choice, OwnPartitioner};
use crate::interceptor::{Interceptor, Interceptors};
use crate::producer::Producer;

/// Java's lower bound of `metadata.max.idle.ms`.
const METADATA_MAX_IDLE_LEAST: ottla::Duration = ottla::Duration::from_millis(5_000);

/// Puts a [`Config`] or a [`Producer`] together. Faults are kept until then, and told all at
/// once.
///
/// Names, defaults and meanings are those of the Java producer's keys, given with each method.
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    pub(super) core: ottla::Config,
    pub(super) bootstrap: Option<String>,
    pub(super) client_id: String,
    pub(super) buffer_memory: u64,
    pub(super) max_block: Duration,
    pub(super) tcp: TcpConnector,
    pub(super) own_partitioner: Option<OwnPartitioner>,
    pub(super) address_map: Option<AddressMap>,
    interceptors: Interceptors,
    // What is derived from other settings unless it is set.
    pub(super) idempotence: Option<bool>,
    pub(super) delivery_timeout: Option<Duration>,
    pub(super) reconnect_backoff: Option<Duration>,
    pub(super) reconnect_backoff_max: Option<Duration>,
    /// The keys that were set. Of those that do nothing, the values, as they may be printed.
    pub(super) given: BTreeMap<&'static str, String>,
    /// Warnings by key.
    pub(super) notes: BTreeMap<String, String>,
    /// Keys that do not exist, with what is to be said of them.
    pub(super) unknown: Vec<ConfigProblem>,
    tolerates_unknown: bool,
    problems: Vec<ConfigProblem>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            core: ottla::Config::new(),
            bootstrap: None,
            client_id: String::new(),
            buffer_memory: 32 << 20,
            max_block: Duration::from_secs(60),
            tcp: TcpConnector { send_buffer: Some(128 << 10), receive_buffer: Some(32 << 10) },
            own_partitioner: None,
            address_map: None,
            interceptors: Interceptors::default(),
            idempotence: None,
            delivery_timeout: None,
            reconnect_backoff: None,
            reconnect_backoff_max: None,
            given: BTreeMap::new(),
            notes: BTreeMap::new(),
            unknown: Vec::new(),
            tolerates_unknown: false,
            problems: Vec::new(),
        }
    }
}

impl Builder {
    /// `bootstrap.servers`, required: addresses to begin with, as `host:port`, separated by
    /// commas. The rest of the cluster is learned from them.
    pub fn bootstrap_servers(mut self, servers: impl Into<String>) -> Self {
        self.mark("bootstrap.servers");
        self.bootstrap = Some(servers.into());
        self
    }

    /// `client.id`, at most 255 bytes; brokers log it and apply quotas by it. Empty, the default:
    /// each producer is given its own when it starts, `producer-1` and so on, counted per process.
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.mark("client.id");
        self.client_id = id.into();
        self
    }

    /// `acks`, default all: how many replicas must have a batch before the broker answers.
    pub fn acks(mut self, acks: Acks) -> Self {
        self.mark("acks");
        self.core.acks = acks;
        self
    }

    /// `enable.idempotence`, default true; but off where `acks` is not all or `retries` is 0,
    /// unless it is set here, which makes those a fault.
    pub fn idempotence(mut self, on: bool) -> Self {
        self.mark("enable.idempotence");
        self.idempotence = Some(on);
        self
    }

    /// `batch.size` in bytes, default 16384: a batch that reaches it is sent.
    pub fn batch_size(mut self, bytes: u32) -> Self {
        self.mark("batch.size");
        self.core.batch_size = bytes;
        self
    }

    /// `linger.ms`, default 5 ms: how long a batch waits for more records.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.mark("linger.ms");
        self.core.linger = span(linger);
        self
    }

    /// `buffer.memory` in bytes, default 33554432: what all batches take together, from a
    /// record's acceptance to its outcome. A send waits while it is full.
    pub fn buffer_memory(mut self, bytes: u64) -> Self {
        self.mark("buffer.memory");
        self.buffer_memory = bytes;
        self
    }

    /// `max.request.size` in bytes, default 1048576: bound of the batches in one request, and of
    /// one record.
    pub fn max_request_size(mut self, bytes: u32) -> Self {
        self.mark("max.request.size");
        self.core.max_request_size = bytes;
        self
    }

    /// `max.in.flight.requests.per.connection`, default 5; above 255 it is 255. With idempotence
    /// at most 5, and the order of a partition's records is kept.
    ///
    /// Without idempotence, and above 1, a batch that has to be sent again may get behind a later
    /// one of its partition. [`Builder::ordered`] prevents that, and so does 1, which holds up all
    /// partitions of a broker for it.
    pub fn max_in_flight(mut self, requests: u32) -> Self {
        self.mark("max.in.flight.requests.per.connection");
        self.put_in_flight(requests);
        self
    }

    /// Keeps the order of a partition's records without idempotence, too; default false. At most
    /// one batch of a partition is on its way then, beside those of other partitions, up to
    /// `max_in_flight` requests.
    ///
    /// What it cannot do is tell repetitions apart: a batch whose answer was lost may be in the log
    /// twice, and its first copy may come late, behind what was sent after the second.
    /// [`Builder::idempotence`] has neither flaw, and keeps order at five batches; with it this
    /// changes nothing. The Java producer has no key for this.
    pub const fn ordered(mut self, on: bool) -> Self {
        self.core.ordered = on;
        self
    }

    /// `retries`, default 2147483647: attempts after the first. `delivery_timeout` bounds them,
    /// too.
    pub fn retries(mut self, retries: u32) -> Self {
        self.mark("retries");
        self.core.retries = retries;
        self
    }

    /// `retry.backoff.ms`, default 100 ms: the first pause before an attempt is repeated; it
    /// doubles up to `retry_backoff_max`.
    pub fn retry_backoff(mut self, pause: Duration) -> Self {
        self.mark("retry.backoff.ms");
        self.core.retry_backoff = span(pause);
        self
    }

    /// `retry.backoff.max.ms`, default 1 s. Below `retry_backoff`, it is used for every pause.
    pub fn retry_backoff_max(mut self, pause: Duration) -> Self {
        self.mark("retry.backoff.max.ms");
        self.core.retry_backoff_max = span(pause);
        self
    }

    /// `delivery.timeout.ms`, default 2 min: from a record's acceptance to its outcome. At least
    /// `linger` + `request_timeout`; if it is not set, it is raised to that.
    pub fn delivery_timeout(mut self, timeout: Duration) -> Self {
        self.mark("delivery.timeout.ms");
        self.delivery_timeout = Some(timeout);
        self
    }

    /// `request.timeout.ms`, default 30 s: how long the oldest request on a connection may go
    /// unanswered.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.mark("request.timeout.ms");
        self.core.request_timeout = span(timeout);
        self
    }

    /// `max.block.ms`, default 1 min: how long a send waits for memory, for a topic to be known,
    /// and for a partition that the topic does not have yet.
    pub fn max_block(mut self, bound: Duration) -> Self {
        self.mark("max.block.ms");
        self.max_block = bound;
        self
    }

    /// `reconnect.backoff.ms`, default 50 ms: the first pause before a broker is connected to
    /// again; it doubles up to `reconnect_backoff_max`.
    pub fn reconnect_backoff(mut self, pause: Duration) -> Self {
        self.mark("reconnect.backoff.ms");
        self.reconnect_backoff = Some(pause);
        self
    }

    /// `reconnect.backoff.max.ms`, default 1 s, or `reconnect_backoff` where only that is set.
    pub fn reconnect_backoff_max(mut self, pause: Duration) -> Self {
        self.mark("reconnect.backoff.max.ms");
        self.reconnect_backoff_max = Some(pause);
        self
    }

    /// `socket.connection.setup.timeout.ms`, default 10 s; doubles with each failure up to
    /// `connection_setup_timeout_max`.
    pub fn connection_setup_timeout(mut self, timeout: Duration) -> Self {
        self.mark("socket.connection.setup.timeout.ms");
        self.core.connection_setup_timeout = span(timeout);
        self
    }

    /// `socket.connection.setup.timeout.max.ms`, default 30 s.
    pub fn connection_setup_timeout_max(mut self, timeout: Duration) -> Self {
        self.mark("socket.connection.setup.timeout.max.ms");
        self.core.connection_setup_timeout_max = span(timeout);
        self
    }

    /// `connections.max.idle.ms`, default 9 min: a connection without traffic is closed.
    pub fn connection_max_idle(mut self, idle: Duration) -> Self {
        self.mark("connections.max.idle.ms");
        self.core.connection_max_idle = span(idle);
        self
    }

    /// `metadata.max.age.ms`, default 5 min; looked at when something is to be sent.
    pub fn metadata_max_age(mut self, age: Duration) -> Self {
        self.mark("metadata.max.age.ms");
        self.core.metadata_max_age = span(age);
        self
    }

    /// `metadata.max.idle.ms`, default 5 min, at least 5 s: a topic that nothing was sent to for so
    /// long is left out when metadata is asked for, until the next record for it.
    pub fn metadata_max_idle(mut self, idle: Duration) -> Self {
        self.mark("metadata.max.idle.ms");
        self.core.metadata_max_idle = span(idle);
        self
    }

    /// `metadata.recovery.strategy`, default true, which is `rebootstrap`: when a broker asks for
    /// it (code 129), or no metadata was to be had for [`Builder::rebootstrap_trigger`], all
    /// connections are ended and the producer begins again at `bootstrap_servers`. Records keep
    /// their places; if it is the same cluster, nothing but time is lost (KIP-899).
    ///
    /// False is `none`: what is known is tried on and on, `bootstrap_servers` among it.
    pub fn rebootstrap(mut self, on: bool) -> Self {
        self.mark("metadata.recovery.strategy");
        self.core.rebootstrap = on;
        self
    }

    /// `metadata.recovery.rebootstrap.trigger.ms`, default 5 min: after so long without metadata,
    /// while some is needed, the producer begins again (KIP-1102). Below
    /// `socket.connection.setup.timeout.ms` it is that: a broker that is just being connected to is
    /// to have a chance to answer.
    pub fn rebootstrap_trigger(mut self, after: Duration) -> Self {
        self.mark("metadata.recovery.rebootstrap.trigger.ms");
        self.core.rebootstrap_trigger = span(after);
        self
    }

    /// `partitioner.class`, default sticky: which of the partitioners that are built in chooses for
    /// records without an explicit partition.
    pub fn partitioner(mut self, partitioner: Partitioner) -> Self {
        self.mark("partitioner.class");
        self.put_partitioner(partitioner);
        self
    }

    /// A partitioner of your own, instead of those that are built in: it is called with each
    /// record that has no explicit partition, and returns the number of one.
    ///
    /// ```
    /// # use ottla_tokio::Producer;
    /// let builder = Producer::builder().partition_by(|choice| match choice.key() {
    ///     Some(b"audit") => 0,
    ///     _ => choice.by_key().unwrap_or(0),
    /// });
    /// # let _ = builder;
    /// ```
    ///
    /// It is called where the record is sent, before the record is accepted and outside of all
    /// locks, so it may keep a state of its own, and should not take long. As long as the number of
    /// partitions is not known, the send waits, as for any unknown topic. A record is asked about
    /// once, and goes where it was told to, even if the topic has more partitions by then; whether a
    /// partition has a leader does not matter.
    ///
    /// A number that is not from 0 to [`Choice::partitions`] - 1, or a panic, is an error of that
    /// record alone, [`SendErrorKind::Partitioner`](crate::SendErrorKind::Partitioner). (With
    /// `panic = "abort"` it ends the process, as any panic does.)
    ///
    /// `ignore_keys`, `adaptive_partitioning` and `availability_timeout` have no effect then. Of
    /// this and `partitioner`, the one that is called last counts.
    pub fn partition_by(
        mut self,
        choose: impl Fn(&Choice<'_>) -> i32 + Send + Sync + 'static,
    ) -> Self {
        self.mark("partitioner.class");
        self.own_partitioner = Some(OwnPartitioner::new(choose));
        self
    }

    /// An interceptor: it sees, and may change, each record before it is accepted, and sees each
    /// outcome before anybody else. Of several, the one that was given first comes first, and each
    /// sees what those before it have changed.
    ///
    /// Without one, nothing is done for it. (Java's key for it is `interceptor.classes`.)
    pub fn interceptor(mut self, interceptor: impl Interceptor) -> Self {
        self.interceptors.push(interceptor);
        self
    }

    /// Where to connect to instead of the addresses that brokers advertise, for tunnels and
    /// forwarded ports: called with the id of a broker (none for one of `bootstrap_servers`), its
    /// host and its port, before each connection. What it returns is resolved and connected to.
    ///
    /// ```
    /// # use ottla_tokio::Producer;
    /// // Each broker has a forwarded port, 19092 for broker 0 and so on.
    /// let builder = Producer::builder().map_address(|broker, host, port| match broker {
    ///     Some(id) => ("localhost".to_owned(), 19_092 + id as u16),
    ///     None => (host.to_owned(), port),
    /// });
    /// # let _ = builder;
    /// ```
    ///
    /// It is called in the I/O task, so it must not block; a panic in it makes the connection
    /// fail. Errors name both addresses. For anything else than another address, such as TLS, there
    /// is [`Connector`], which is given what this returns.
    pub fn map_address(
        mut self,
        map: impl Fn(Option<i32>, &str, u16) -> (String, u16) + Send + Sync + 'static,
    ) -> Self {
        self.address_map = Some(AddressMap::new(map));
        self
    }

    /// `partitioner.ignore.keys`, default false: records with a key go where those without one
    /// go. For when keys are data, and nobody relies on equal ones being together.
    pub fn ignore_keys(mut self, on: bool) -> Self {
        self.mark("partitioner.ignore.keys");
        self.core.ignore_keys = on;
        self
    }

    /// `partitioner.adaptive.partitioning.enable`, default true: records without a key go rather to
    /// partitions with few batches under way, so that a slow broker gets less. False: to all of
    /// them alike.
    pub fn adaptive_partitioning(mut self, on: bool) -> Self {
        self.mark("partitioner.adaptive.partitioning.enable");
        self.core.adaptive_partitioning = on;
        self
    }

    /// `partitioner.availability.timeout.ms`, default 0, which is off: records without a key go
    /// to no partition of a broker that had something ready for so long and could not be sent it.
    pub fn availability_timeout(mut self, timeout: Duration) -> Self {
        self.mark("partitioner.availability.timeout.ms");
        self.core.availability_timeout = span(timeout);
        self
    }

    /// `send.buffer.bytes`, default 131072: the socket's send buffer. None leaves it to the
    /// system, which may adapt it to the connection: worth it where the way to the brokers is
    /// long, as no more than the buffer is on its way at a time.
    pub fn send_buffer(mut self, bytes: Option<u32>) -> Self {
        self.mark("send.buffer.bytes");
        self.tcp.send_buffer = bytes;
        self
    }

    /// `receive.buffer.bytes`, default 32768: the socket's receive buffer, likewise.
    pub fn receive_buffer(mut self, bytes: Option<u32>) -> Self {
        self.mark("receive.buffer.bytes");
        self.tcp.receive_buffer = bytes;
        self
    }

    /// Whether keys of [`Builder::properties`] that do not exist leave a warning, as in Java, and are
    /// no fault; default false. For files that have more in them than a producer's keys, such as
    /// settings of Java's serializers (`schema.registry.url`).
    pub const fn tolerate_unknown_keys(mut self, on: bool) -> Self {
        self.tolerates_unknown = on;
        self
    }

    /// What becomes of batches that may be in the log when the broker has lost what it knew of
    /// this producer. False, the default: they are reported unknown. True: they are sent again,
    /// and may then be in the log twice.
    pub const fn resend_after_state_loss(mut self, resend: bool) -> Self {
        self.core.resend_after_state_loss = resend;
        self
    }

    /// The key was set: nothing is left of what there was to be said of its last value.
    pub(super) fn mark(&mut self, key: &'static str) {
        self.given.insert(key, String::new());
        self.note(key, None);
        self.problems.retain(|problem| problem.key() != key);
    }

    /// What there is to be known of the value that a key was given last.
    pub(super) fn note(&mut self, key: &'static str, text: Option<String>) {
        match text {
            Some(text) => self.notes.insert(key.to_owned(), text),
            None => self.notes.remove(key),
        };
    }

    /// One that is built in takes the place of one's own.
    pub(super) fn put_partitioner(&mut self, partitioner: Partitioner) {
        self.core.partitioner = partitioner;
        self.own_partitioner = None;
    }

    /// More requests in flight than the core has numbers for would do no good.
    pub(super) fn put_in_flight(&mut self, requests: u32) {
        const KEY: &str = "max.in.flight.requests.per.connection";
        let clamped = u8::try_from(requests).unwrap_or(u8::MAX);
        let is_less = u32::from(clamped) < requests;
        self.note(
            KEY,
            is_less.then(|| format!("{requests} are more than {clamped}, which is used")),
        );
        self.core.max_in_flight = clamped;
    }

    pub(super) fn fault(&mut self, key: &str, message: impl Into<String>) {
        self.problems.push(ConfigProblem::new(key, message));
    }

    /// The settings.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn config(mut self) -> Result<Config, ConfigError> {
        let unknown = std::mem::take(&mut self.unknown);
        if self.tolerates_unknown {
            let notes =
                unknown.into_iter().map(|it| (it.key().to_owned(), it.message().to_owned()));
            self.notes.extend(notes);
        } else {
            self.problems.splice(0..0, unknown);
        }
        let list = self.bootstrap.take().unwrap_or_default();
        let (bootstrap, wrong) = addresses(&list);
        wrong.into_iter().for_each(|wrong| self.fault("bootstrap.servers", wrong));
        self.derive();
        let length = self.client_id.len();
        if length > CLIENT_ID_MAX {
            self.fault("client.id", format!("{length} bytes are more than {CLIENT_ID_MAX}"));
        }
        if self.core.connection_setup_timeout == ottla::Duration::ZERO {
            self.fault("socket.connection.setup.timeout.ms", "must be above 0");
        }
        if self.core.metadata_max_idle < METADATA_MAX_IDLE_LEAST {
            let least = METADATA_MAX_IDLE_LEAST.as_millis();
            self.fault("metadata.max.idle.ms", format!("must be at least {least}"));
        }
        for problem in self.core.problems(self.buffer_memory) {
            let text = problem.to_string();
            let message = text.split_once(": ").map_or(text.as_str(), |(_, message)| message);
            self.fault(problem.key(), message);
        }
        ConfigError::check(std::mem::take(&mut self.problems))?;
        self.warn();
        let warnings = self.notes.into_iter().map(|(key, text)| ConfigProblem::new(key, text));
        Ok(Config {
            warnings: warnings.collect(),
            given: self.given,
            core: self.core,
            client_id: self.client_id,
            bootstrap,
            buffer_memory: self.buffer_memory,
            max_block: self.max_block,
            tcp: self.tcp,
            own_partitioner: self.own_partitioner,
            address_map: self.address_map,
            interceptors: self.interceptors,
        })
    }

    /// What follows from other settings where it was not set.
    fn derive(&mut self) {
        if self.client_id.is_empty() {
            self.given.remove("client.id");
        }
        let core = &mut self.core;
        let possible = core.acks == Acks::All && core.retries > 0;
        core.idempotence = self.idempotence.unwrap_or(possible);
        let shortest = core.linger.plus(core.request_timeout);
        core.delivery_timeout = match self.delivery_timeout {
            Some(timeout) => span(timeout),
            None => core.delivery_timeout.max(shortest),
        };
        if let Some(pause) = self.reconnect_backoff {
            core.reconnect_backoff = span(pause);
            // Where only the first pause is set, it does not grow.
            core.reconnect_backoff_max = span(pause);
        }
        if let Some(pause) = self.reconnect_backoff_max {
            core.reconnect_backoff_max = span(pause);
        }
    }

    fn warn(&mut self) {
        let core = self.core;
        let pairs = [
            ("retry.backoff.ms", core.retry_backoff, core.retry_backoff_max),
            ("reconnect.backoff.ms", core.reconnect_backoff, core.reconnect_backoff_max),
            (
                "socket.connection.setup.timeout.ms",
                core.connection_setup_timeout,
                core.connection_setup_timeout_max,
            ),
        ];
        for (key, first, max) in pairs {
            if first > max {
                let (first, max) = (std_span(first), std_span(max));
                let text =
                    format!("{first:?} is above its maximum, {max:?}, which is used instead");
                self.note(key, Some(text));
            }
        }
    }

    /// A producer with these settings that connects over TCP.
    ///
    /// # Errors
    /// All that is wrong with the settings.
    ///
    /// # Panics
    /// Outside of a tokio runtime, as [`Producer::new`] does.
    pub fn build(self) -> Result<Producer, ConfigError> {
        self.config().map(Producer::new)
    }

    /// A producer with these settings that connects by `connector`.
    ///
    /// # Errors
    /// All that is wrong with the settings.
    ///
    /// # Panics
    /// Outside of a tokio runtime, as [`Producer::new`] does.
    pub fn build_with(self, connector: impl Connector) -> Result<Producer, ConfigError> {
        self.config().map(|config| Producer::with_connector(config, connector))
    }
}
