//! The development broker: a small Kafka cluster for tests, demonstrations and simulations.
//!
//! [`Cluster`] is a model of several Kafka nodes in one value: sans-IO, deterministic, and as
//! nasty as Kafka where clients can notice. It is a development tool: everything is in memory.
//! For production there is Apache Kafka.
//!
//! It serves ApiVersions, Metadata, Produce, InitProducerId, CreateTopics, DeleteTopics,
//! CreatePartitions, DescribeCluster, DescribeConfigs, DescribeTopicPartitions and
//! IncrementalAlterConfigs, one file each: producers and administration, of Java, librdkafka, franz-go and ours, and no consumers. It shares the codecs
//! of the client's crate and nothing else, so that a fault in the client's logic cannot hide in it.
//!
//! # How it is driven
//!
//! The same inputs at the same times with the same seed give the same bytes. Time is in
//! microseconds on a clock that the caller owns.
//!
//! ```
//! use ottla_broker::{Cluster, Config, NewTopic};
//!
//! let mut cluster = Cluster::new(Config::new(3));
//! cluster.create_topic(&NewTopic::new("readings", 2, 3)).unwrap();
//!
//! // A client connects to node 1, and sends an ApiVersions request.
//! let mut now = 0;
//! let connection = cluster.connect(now, 1).expect("node 1 runs");
//! let request = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff];
//! cluster.handle_input(now, connection, &request);
//!
//! // Whose output, or end, is to be looked at?
//! while let Some(ready) = cluster.poll_ready() {
//!     while let Some(answer) = cluster.poll_output(ready) {
//!         assert_eq!(answer[4..8], [0, 0, 0, 7]);
//!     }
//!     assert_eq!(cluster.poll_close(ready), None);
//! }
//!
//! // Until something is due.
//! if let Some(at) = cluster.poll_timeout() {
//!     now = now.max(at);
//!     cluster.handle_timeout(now);
//! }
//!
//! // Things that happen to clusters.
//! cluster.move_leader(now, "readings", 0, 2).unwrap();
//! assert_eq!(cluster.leader("readings", 0), Some(2));
//! ```
//!
//! `Server` (feature `tcp`) serves a cluster on sockets.
//!
//! # What it is like
//!
//! - Per connection one request is handled at a time, in order. An answer for `acks=all` is held
//!   until every partition of it is replicated, and may turn into an error after the append.
//! - Each replica has its log and its knowledge of producers. A follower has what its leader
//!   appended at once, after a delay, or when it is told ([`Replication`]); a leader that lacks
//!   the tail of the one before it cuts that tail off.
//! - A hook ([`Cluster::set_hook`]) sees every request and says what becomes of it ([`Action`]);
//!   requests of tools have their own ([`Cluster::set_admin_hook`]).
//! - A node is like one of several releases of Kafka ([`Profile`]).

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod api_versions;
mod batch;
mod cluster;
mod config;
mod connection;
mod control;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_topic_partitions;
mod dispatch;
mod hooks;
mod incremental_alter_configs;
mod init_producer_id;
mod log;
mod metadata;
mod partition;
mod produce;
mod producer_state;
mod profile;
mod random;
mod request;
mod settings;
#[cfg(feature = "tcp")]
mod tcp;
#[cfg(test)]
mod testing;
mod topic;
mod view;

pub use cluster::{Cluster, Counters};
pub use config::{Address, AutoCreate, Config, Node, Replication};
pub use connection::{Closed, Connection};
pub use control::Impossible;
pub use create_topics::NewTopic;
pub use hooks::{Action, Fired, Seen, Silence};
pub use log::{Log, LogRecord, StoredBatch};
pub use producer_state::{Claim, Producer, Reload, Remembered, WINDOW};
pub use profile::{NoSuchProfile, Profile};
pub use request::Request;
#[cfg(feature = "tcp")]
pub use tcp::{Listener, Server};
pub use topic::TopicId;
pub use view::UpTo;
