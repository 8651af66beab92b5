#![forbid(unsafe_code)]
//! A Kafka producer for tokio.
//!
//! The protocol is that of the crate [`ottla`], a state machine without I/O of its own, which
//! the same tests, simulations and searches go through that firmware builds on. This crate moves
//! its bytes, its time and its wake-ups, and decides nothing.
//!
//! ```no_run
//! use std::time::Duration;
//! use ottla_tokio::{Producer, Record};
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let producer = Producer::builder().bootstrap_servers("localhost:9092").build()?;
//!     let readings = producer.topic("readings")?;
//!     let delivery = producer.send(Record::new(&readings, "21.5").key("sensor-7")).await?;
//!     println!("offset {:?}", delivery.await?.offset);
//!     producer.close(Duration::from_secs(30)).await;
//!     Ok(())
//! }
//! ```
//!
//! # Where to read on
//!
//! | page | read it for |
//! |---|---|
//! | [`guide::ordering`] | which records stay in order, and what breaks it |
//! | [`guide::durability`] | what to do with each outcome, with code; the end of a process |
//! | [`guide::tuning`] | throughput, latency, brokers that are far away, memory |
//! | [`guide::known_client_bugs`] | bugs that Kafka clients had, and how this one answers them |
//! | [`guide::from_other_clients`] | Java, rdkafka, franz-go: call by call, key by key |
//!
//! ```text
//!   send ──► accepted, in a batch ──► on its way ──► in the log ──► Ok(offset)
//!     │             │ linger.ms,          │ again, with the same bytes, after an error
//!     │             │ batch.size          │
//!     ▼             ▼                     ▼
//!   Refused     NotWritten            NotWritten, or Unknown     by delivery.timeout.ms
//! ```
//!
//! # Sending
//!
//! A call that sends is over when the record is in a batch: copied, counted against
//! `buffer.memory`, and on its way without further ado. What becomes of it, a [`Delivery`] tells.
//!
//! | call | waits | tells |
//! |---|---|---|
//! | [`Producer::send`] | for room, up to `max.block.ms` | a delivery per record |
//! | [`Producer::send_many`] | likewise | one future for all of them; the fastest way |
//! | [`Producer::post`] | likewise | nothing; failures are logged |
//! | [`Producer::try_send`] | never | a delivery |
//!
//! So the same call serves three habits: `send(r).await?.await?` for one record at a time, a
//! collection of deliveries awaited later, and deliveries dropped. Dropping one costs a
//! decrement and changes nothing for its record.
//!
//! Records of one partition are written in the order in which they were accepted, whatever has
//! to be repeated. With a key, records go to the partition that every Kafka client chooses for
//! it; without one, to one partition until a batch is full, then to another.
//! [`Record::partition`] chooses by hand, [`Producer::partition_count`] says among how many.
//! [`Builder::partitioner`] has them go round, and [`Builder::partition_by`] takes a partitioner of
//! your own:
//!
//! ```no_run
//! # use ottla_tokio::Producer;
//! // What belongs to no order goes to the first partition, the rest where others would look for it.
//! let builder = Producer::builder()
//!     .bootstrap_servers("localhost:9092")
//!     .partition_by(|choice| choice.by_key().unwrap_or(0));
//! # let _ = builder;
//! ```
//!
//! # Types
//!
//! [`Producer::typed`] makes a [`TypedProducer`] of keys and values of one type each, with a
//! [`Serializer`] for either: [`Bytes`], [`BigEndian`], `Json` (feature `json`), or any function
//! that makes bytes.
//!
//! ```no_run
//! # use ottla_tokio::{BigEndian, Bytes, Producer, TypedProducer, TypedRecord};
//! # async fn example(producer: Producer) -> Result<(), ottla_tokio::SendError> {
//! let readings: TypedProducer<str, f64> = producer.typed(Bytes, BigEndian);
//! readings.send(TypedRecord::new("readings", &21.5).key("sensor-7")).await?.await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Outcomes
//!
//! Each accepted record gets exactly one outcome, no later than `delivery.timeout.ms`:
//!
//! - `Ok`: it is in the log, at [`RecordMetadata::offset`]. With `acks=0` it only means that the
//!   record was handed to the connection, and [`RecordMetadata::acknowledged`] is false.
//! - [`SendErrorKind::NotWritten`]: it is not in the log and will not get there. It can be sent
//!   again without being written twice.
//! - [`SendErrorKind::Unknown`]: it may be in the log or not, and nobody can tell: an answer never
//!   came, say.
//!
//! [`SendErrorKind::Refused`] is the answer to a call that accepted nothing; so are
//! [`SendErrorKind::Partitioner`] and [`SendErrorKind::Serializer`].
//!
//! An [`Interceptor`] ([`Builder::interceptor`]) sees, and may change, each record before it is
//! accepted, and hears of each outcome, once, before its delivery resolves.
//!
//! # Waiting
//!
//! While `buffer.memory` is full, or a topic is not known yet, sends wait in the order in which
//! they came: a small record does not pass a large one. Who waits for longer than `max.block.ms`
//! is refused, with the reason, and with the address at fault where the cluster cannot be
//! reached. So it is with a record for a partition beyond those of its topic, which may get more:
//! it waits beside the others, and holds up none that is bound elsewhere. A
//! future that is polled once and then kept without being polled holds up those behind it, for as
//! long. Who comes when there is room again for all who wait, and far more, does not get in line
//! behind them.
//!
//! Every future of this crate can be dropped at any time. A `send` that was dropped before it
//! was ready has queued nothing; a `flush` or `close` that was begun goes on.
//!
//! # The end
//!
//! [`Producer::close`] sends what there is, within a time. Dropping the last clone does not wait:
//! what is not written yet gets its outcome at once, and a warning tells how much that was.
//! Nothing ever blocks a thread, and no delivery is left hanging, even when the runtime ends.
//!
//! # Settings
//!
//! By [`Builder`], or by the names of the Java producer's keys, [`Config::from_properties`], or
//! both, [`Builder::properties`]. All faults are told at once. Defaults are Java's: idempotent,
//! `acks=all`, five requests in flight. For some there is no key: [`Builder::partition_by`],
//! [`Builder::interceptor`], [`Builder::map_address`], [`Builder::ordered`],
//! [`Builder::resend_after_state_loss`].
//!
//! A file of properties that was made for Java's producer works here, or says why it cannot. Keys
//! that are only Java's leave a warning ([`Config::warnings`]) that says what is done instead; what
//! is not there yet and would be missed (compression, TLS, SASL, transactions) is a fault. Unlike
//! in Java, so is a key that nobody knows. [`Config::effective`] has all settings in effect, and
//! where they come from; [`Config::keys`] lists the keys.
//!
//! # Connections
//!
//! One task does the I/O of a producer, for all of its brokers. It connects over TCP, without
//! TLS; [`Producer::with_connector`] takes any other [`Connector`], such as [`duplex`], which
//! stays within the process and so makes tests with paused time possible. Through tunnels and
//! forwarded ports, where brokers are not at the addresses that they advertise,
//! [`Builder::map_address`] says where they are.
//!
//! When a broker asks for it, or no metadata was to be had for
//! `metadata.recovery.rebootstrap.trigger.ms`, the producer begins again at `bootstrap.servers`,
//! with the records that it has: [`Builder::rebootstrap`].
//!
//! # Figures
//!
//! [`Producer::metrics`] is a snapshot, by the names of Java's producer metrics where they mean the
//! same; [`Metrics::since`] compares two. With the feature `metrics`, `Producer::record_metrics`
//! gives them to the crate of that name, and so to Prometheus and others. Nothing is counted per
//! record for it.
//!
//! # Logs
//!
//! Events of `tracing`, of the target `ottla_tokio`, none of them per record:
//!
//! | level | what |
//! |---|---|
//! | `ERROR` | the producer can only be closed; an interceptor panicked |
//! | `WARN` | what is to be known of the settings; a connection begins to fail; a topic cannot be used; records fail while nobody watches; the producer begins again at `bootstrap.servers` (once a minute at most); what a drop abandoned |
//! | `DEBUG` | each connection called, made, answering, closed or lost; each batch that failed |
//!
//! Spans are `producer`, around all that its task does (`INFO`), and `connection`, `flush` and
//! `close` (`DEBUG`).
//!
//! # Examples
//!
//! In the folder `examples`: `fire_and_forget`, `synchronous`, `callback` and `json`. The package
//! `ottla-example-service` beside this one is a whole service: HTTP posts become records, and none
//! that was accepted is lost when it is told to end.
//!
//! # Features
//!
//! | feature | what for |
//! |---|---|
//! | `json` | the serializer `Json` |
//! | `metrics` | figures through the crate `metrics` |
//!
//! None is on by default.

mod block;
mod clock;
mod config;
mod connector;
mod delivery;
mod driver;
mod duplex;
mod error;
#[cfg(doc)]
pub mod guide;
mod hooks;
mod intercepted;
mod interceptor;
mod metrics;
mod producer;
mod reach;
mod record;
mod serializer;
mod shared;
mod staged;
mod typed;
mod waiters;

pub use config::{Builder, Config, ConfigError, ConfigKey, ConfigProblem};
pub use config::{Effective, Setting, Source, Value, Values};
pub use connector::{ConnectError, Connecting, Connector, TcpConnector, first_of};
pub use delivery::{Deliveries, Delivery, Outcomes, RecordMetadata};
pub use duplex::{DuplexConnector, DuplexListener, Incoming, duplex};
pub use error::{SendError, SendErrorKind, SendManyError};
pub use hooks::Choice;
pub use interceptor::{Acknowledgement, Interceptor, Outgoing};
pub use metrics::{Metric, MetricKind, MetricUnit, Metrics};
pub use ottla::config::Partitioner;
pub use ottla::error::{Fault, Full};
pub use ottla::message::ErrorCode;
pub use ottla::producer::Counters;
pub use ottla::{Acks, Cause, Doubt, Header, Reason, Refused};
pub use producer::{Closed, Producer, Stats};
pub use record::{Record, ToTopic, TopicHandle};
#[cfg(feature = "json")]
pub use serializer::Json;
pub use serializer::{BigEndian, Bytes, Serializer, SerializerError, Side};
pub use typed::{TypedProducer, TypedRecord};

/// The examples of README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
