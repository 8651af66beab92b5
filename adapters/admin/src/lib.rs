#![forbid(unsafe_code)]
//! Administration of Kafka topics for tokio: what there is, and how it is changed.
//!
//! ```no_run
//! use ottla_admin::{Admin, NewTopic};
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let admin = Admin::builder().bootstrap_servers("localhost:9092").build()?;
//!     let readings = NewTopic::new("readings").partitions(6).config("retention.ms", "86400000");
//!     for topic in admin.create_topics(&[readings], false).await {
//!         println!("{}: {}", topic.name, topic.result.map_or_else(|e| e.to_string(), |_| "made".into()));
//!     }
//!     for topic in admin.topics().await? {
//!         println!("{}, {} partitions", topic.name, topic.partitions.len());
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Calls
//!
//! | call | asks | APIs |
//! |---|---|---|
//! | [`Admin::cluster`] | any broker | Metadata |
//! | [`Admin::topics`], [`Admin::describe_topics`] | any broker | DescribeTopicPartitions, or Metadata |
//! | [`Admin::describe_configs`] | any broker | DescribeConfigs |
//! | [`Admin::create_topics`] | the controller | CreateTopics |
//! | [`Admin::delete_topics`] | the controller | DeleteTopics |
//! | [`Admin::create_partitions`] | the controller | CreatePartitions |
//! | [`Admin::alter_configs`] | the controller | IncrementalAlterConfigs |
//!
//! Works with Kafka 2.1 and newer; single settings can be altered from 2.3 on.
//!
//! # Outcomes
//!
//! A call that changes several topics says of each what became of it, as a cluster may carry out a
//! part of it. An [`Error`] says what is known:
//!
//! - [`ErrorKind::Refused`]: the broker refused, by a code and in words; nothing was done.
//! - [`ErrorKind::Unknown`]: the request went out and no answer came, or one that proves nothing:
//!   it may have been done. Such a change is not repeated, as a repetition might undo what somebody
//!   else did meanwhile. Look, and decide.
//! - [`ErrorKind::Unreachable`], [`ErrorKind::Unsupported`], [`ErrorKind::Usage`]: nothing was done.
//!
//! # Time
//!
//! A call takes at most `default.api.timeout.ms`, a request in it at most `request.timeout.ms`.
//! Within that, questions are repeated until a broker answers, and changes until the controller
//! takes them: where no connection came about, where the connection broke before the request was
//! sent, where the broker said that it is not the controller (41) or another code that passes. The
//! pause between two attempts begins with `retry.backoff.ms` and doubles.
//!
//! # Memory
//!
//! An answer of more than [`FRAME_MAX`] bytes is refused. All topics at once are read page by page
//! where brokers can tell them so.
//!
//! # Connections
//!
//! Over TCP, without TLS, or by any other [`Connector`](ottla_tokio::Connector):
//! [`Admin::with_connector`]. Each address of `bootstrap.servers` is tried in turn, the next one
//! after a second. A call that is dropped ends its connection; a request that was sent may be
//! carried out all the same.

mod admin;
mod ask;
mod call;
mod change;
mod config;
mod connection;
mod error;
mod links;
mod properties;
mod reading;
mod view;

pub use admin::Admin;
pub use change::{Change, NewTopic};
pub use config::{Builder, Config};
pub use error::{Error, ErrorKind, TopicResult};
pub use ottla::error::Fault;
pub use ottla::message::ErrorCode;
pub use ottla::wire::input::FRAME_MAX;
pub use ottla_tokio::{ConfigError, ConfigProblem};
pub use view::{Broker, Cluster, Partition, Setting, Source, Topic, TopicId};
