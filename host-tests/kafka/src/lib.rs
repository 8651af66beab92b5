//! A real Apache Kafka for tests: one node on loopback, or three, and the official clients as a
//! second opinion.
//!
//! [`Kafka::start`] runs a node on free ports and a directory of its own and ends it when dropped,
//! however the test ends. Topics are made with [`Kafka::create_topics`]. What a test wrote is read
//! with [`Kafka::read_back`], by Kafka's own consumer, so that no mistake of ours can hide in our
//! own reader. [`Kafka::kill`], [`Kafka::stop`], [`Kafka::pause`] and [`Kafka::restart`] are the
//! faults; [`Proxy`] adds those of the network. A [`Cluster`] is three nodes behind such proxies,
//! with an [`Admin`] client.
//!
//! [`Kfake`] is another implementation of the protocol, with a reader of its own.
//!
//! Java 17 or newer, Maven and Go are needed; `cargo xtask setup` installs them. The jars are fetched
//! by Maven on first use and kept in `OTTLA_CACHE`, by default the directory `ottla` among the
//! user's caches.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! let kafka = kafka_tests::Kafka::start()?;
//! kafka.create_topic("readings", 6, &[("retention.ms", "-1")])?;
//! // ... produce to `kafka.bootstrap()` ...
//! for record in kafka.read_back("readings")? {
//!     let record = record?;
//!     println!("{} {} {:?}", record.partition, record.offset, record.value);
//! }
//! # Ok(())
//! # }
//! ```

mod admin;
mod artifacts;
mod cache;
mod cluster;
mod configuration;
mod deleted;
mod java;
mod kfake;
mod node;
mod port;
mod proxy;
mod proxy_slow;
mod read_back;

pub use admin::{Admin, Description, Partition};
pub use artifacts::{Artifacts, Release};
pub use cluster::{Cluster, NODES};
pub use deleted::Values;
pub use java::{finish, tool};
pub use kfake::Kfake;
pub use node::{Kafka, NewTopic};
pub use port::Port;
pub use proxy::{Hits, Proxy};
pub use proxy_slow::{Slow, Traffic};
pub use read_back::{Header, PartitionRange, ReadBack, Record};
