#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::string_slice
    )
)]
//! One Kafka client core: `no_std`, no allocator, no clock, no sockets, no randomness of its own.
//! The same state machine runs on a microcontroller with 64 KB of RAM and on a server.
//!
//! An adapter moves bytes, time and wake-ups between this core and the world: `ottla-tokio` on
//! servers, `ottla-embassy` on microcontrollers. This page is for those who write an adapter, or
//! drive the core themselves.
//!
//! # The four kinds of method
//!
//! [`Producer`] has four kinds of method, and no other:
//!
//! | kind | what it does | methods |
//! |---|---|---|
//! | verb | brings the application in | [`topic`](Producer::topic), [`produce`](Producer::produce), [`flush`](Producer::flush), [`close`](Producer::close) ... |
//! | input | brings the outside in | [`handle_connected`](Producer::handle_connected), [`handle_input`](Producer::handle_input), [`handle_disconnected`](Producer::handle_disconnected), [`handle_timeout`](Producer::handle_timeout) |
//! | output | brings work out | [`poll_link`](Producer::poll_link), [`output`](Producer::output) with [`consume_output`](Producer::consume_output), [`poll_event`](Producer::poll_event), [`poll_timeout`](Producer::poll_timeout) |
//! | getter | tells, and changes nothing | [`counters`](Producer::counters), [`topic_name`](Producer::topic_name) ... |
//!
//! Any call is legal at any moment. Outputs that are not drained delay work and never corrupt it.
//! Time is an argument: microseconds on any monotonic clock. A call for a link that has ended is
//! ignored.
//!
//! # The run loop, in full
//!
//! ```no_run
//! use std::collections::HashMap;
//! use std::io::{ErrorKind, Read, Write};
//! use std::net::TcpStream;
//! use std::time::Duration;
//!
//! use ottla::memory::Growable;
//! use ottla::{Config, Event, Instant, LinkAction, Producer, Reason, Record};
//!
//! let started = std::time::Instant::now();
//! let now = || Instant::from_micros(started.elapsed().as_micros() as u64);
//! let mut producer = Producer::new(Growable::new(32 << 20), Config::new(), 1);
//! producer.bootstrap("127.0.0.1", 9092);
//! let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
//! producer.set_wall_clock(now(), unix.as_millis() as u64);
//! let topic = producer.declare_topic("readings", 1).unwrap();
//! producer.produce(now(), topic, &Record::new(b"21.5").key(b"sensor-7")).unwrap();
//! producer.close(now(), now().after(ottla::Duration::from_secs(10)));
//!
//! let mut sockets: HashMap<ottla::Link, TcpStream> = HashMap::new();
//! loop {
//!     // 1. Open and close connections.
//!     while let Some(action) = producer.poll_link() {
//!         match action {
//!             LinkAction::Connect(link, address) => {
//!                 match TcpStream::connect((address.host, address.port)) {
//!                     Ok(socket) => {
//!                         socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
//!                         sockets.insert(link, socket);
//!                         producer.handle_connected(now(), link);
//!                     }
//!                     Err(_) => producer.handle_disconnected(now(), link, Reason::Refused),
//!                 }
//!             }
//!             LinkAction::Close(link, _reason) => drop(sockets.remove(&link)),
//!         }
//!     }
//!     let mut ended = Vec::new();
//!     for (link, socket) in &mut sockets {
//!         // 2. Write what is lent, and say how much of it was written.
//!         while let Some(piece) = producer.output(*link) {
//!             match socket.write(piece.bytes) {
//!                 Ok(written) => producer.consume_output(now(), *link, written),
//!                 Err(_) => break,
//!             }
//!         }
//!         // 3. Hand in what arrived.
//!         let mut buffer = [0; 512];
//!         match socket.read(&mut buffer) {
//!             Ok(0) => ended.push(*link),
//!             Ok(length) => producer.handle_input(now(), *link, &buffer[..length]),
//!             Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
//!             Err(_) => ended.push(*link),
//!         }
//!     }
//!     for link in ended {
//!         sockets.remove(&link);
//!         producer.handle_disconnected(now(), link, Reason::Disconnected);
//!     }
//!     // 4. Let time pass. (An adapter that can sleep does so until this instant.)
//!     if producer.poll_timeout().is_some_and(|at| at <= now()) {
//!         producer.handle_timeout(now());
//!     }
//!     // 5. Learn what became of records.
//!     match producer.poll_event() {
//!         Some(Event::Delivered(run)) => println!("{} record(s): {}", run.count, run.outcome),
//!         Some(Event::Closed) => break,
//!         _ => {}
//!     }
//! }
//! ```
//!
//! # Outcomes
//!
//! Every accepted record gets exactly one [`Outcome`], and never a false word about it:
//!
//! - *written*: it is in the log, replicated as `acks` asks;
//! - *not written*: it is not in the log and will not get there; sending it again is safe;
//! - *unknown*: it may be in the log. Sending it again may double it, giving it up may lose it:
//!   a choice that only the application can make;
//! - *unacknowledged*: with `acks=0` nobody knows, and nobody will.
//!
//! An outcome comes for a run of records: partition, number of the first record, count, offset.
//!
//! # Memory
//!
//! A producer works in the memory of its [`memory::Owner`]: [`memory::Fixed`], arrays with named
//! sizes ([`fixed!`]), or [`memory::Growable`] (feature `alloc`), the heap with a bound. Every
//! table has an answer when it is full: see [`memory`]. [`sizes`] has the bytes of every type.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `alloc` (default) | [`memory::Growable`] |
//! | `crc-table`, `crc-table-large` | the checksum by a table of 1 KiB or 16 KiB, instead of bit by bit |
//! | `crc-hardware` | the checksum by the processor's instructions; hosts only |
//! | `proof` | for simulators and searches: [`Producer::view`], [`Producer::begin_sequences_at`] |
//! | `broker` | the broker's direction of every message, for brokers made for tests |
//! | `defmt` | `defmt::Format` of every public type that is shown |

#[cfg(any(test, feature = "alloc"))]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod cluster;
pub mod config;
pub mod error;
pub mod identity;
mod link;
pub mod memory;
pub mod message;
pub mod producer;
mod random;
pub mod record;
pub mod sizes;
mod states;
pub mod time;
pub mod wire;

pub use config::{Acks, Config};
pub use error::Refused;
pub use link::{Link, Reason};
pub use producer::{
    Accepted, Batch, Cause, Delivery, Doubt, Event, Flush, LinkAction, Outcome, Piece, Producer,
    Topic,
};
pub use record::{Header, Record};
pub use time::{Duration, Instant};
