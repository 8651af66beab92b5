#![no_std]
#![forbid(unsafe_code)]
//! A broker for one device: one node, one topic, no allocator, fixed buffers. It answers what a
//! producer asks, checks batches as Kafka does as far as sequences go, and makes trouble by seed.
//!
//! It runs on the device itself, beside the producer that it serves: [`trace`] drives both under
//! a virtual clock, and the images of `firmware-examples/qemu-measure` measure the producer
//! without a network.
//!
//! ```
//! use ottla_answers::{Broker, Connection, Instant, Settings};
//!
//! let mut broker: Broker<4> = Broker::new(Settings::new("readings"));
//! let mut connection: Connection<1024, 512> = Connection::new();
//! // ApiVersions, version 0, correlation 7, no client id.
//! assert_eq!(connection.accept(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff]), 14);
//! broker.serve(Instant::ZERO, &mut connection, &mut ());
//! let answer = connection.answers(Instant::ZERO);
//! assert_eq!(answer[4..10], [0, 0, 0, 7, 0, 0]);
//! ```

mod broker;
mod bytes;
mod connection;
mod faults;
mod partition;
mod produce;
mod random;
pub mod trace;

pub use broker::{Broker, Maxima, Served, Settings};
pub use bytes::Bytes;
pub use connection::Connection;
pub use faults::{Faults, Rates};
pub use ottla::Instant;
pub use partition::{Log, Partition, WINDOW};
pub use random::Random;
