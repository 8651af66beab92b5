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
//! drive the core themselves. Who only wants to send records reads the front page of an adapter.
//!
//! 1. [The four kinds of method](#the-four-kinds-of-method)
//! 2. [How calls flow](#how-calls-flow)
//! 3. [The run loop, in full](#the-run-loop-in-full)
//! 4. [The life of a record](#the-life-of-a-record)
//! 5. [Outcomes](#outcomes): written, not written, unknown; and unacknowledged
//! 6. [What can be refused](#what-can-be-refused), and what to do
//! 7. [Memory and sizes](#memory-and-sizes)
//! 8. [Time](#time), and who wakes when
//! 9. [For those who write an adapter](#for-those-who-write-an-adapter)
//! 10. [Known client bugs](#known-client-bugs), and how this one answers them
//! 11. [Features](#features)
//!
//! # The four kinds of method
//!
//! [`Producer`] has four kinds of method, and no other:
//!
//! | kind | what it does | methods |
//! |---|---|---|
//! | verb | brings the application in | [`topic`](Producer::topic), [`produce`](Producer::produce), [`flush`](Producer::flush), [`close`](Producer::close), [`pause`](Producer::pause), [`set_wall_clock`](Producer::set_wall_clock) ... |
//! | input | brings the outside in | [`handle_connected`](Producer::handle_connected), [`handle_input`](Producer::handle_input), [`handle_disconnected`](Producer::handle_disconnected), [`handle_timeout`](Producer::handle_timeout) |
//! | output | brings work out | [`poll_link`](Producer::poll_link), [`output`](Producer::output) with [`consume_output`](Producer::consume_output), [`poll_event`](Producer::poll_event), [`poll_timeout`](Producer::poll_timeout) |
//! | getter | tells, and changes nothing | [`counters`](Producer::counters), [`topic_name`](Producer::topic_name), [`partition_count`](Producer::partition_count) ... |
//!
//! Any call is legal at any moment. Outputs that are not drained delay work and never corrupt it.
//! Time is an argument: microseconds on any monotonic clock. A call for a link that has ended is
//! ignored. No call blocks, allocates (with [`memory::Fixed`]) or panics.
//!
//! # How calls flow
//!
//! ```text
//!   application                          core                               world
//!   ───────────                          ────                               ─────
//!   topic, declare_topic ──────────►  tables of topics,
//!   produce ──► Accepted or Refused   partitions, batches  ──► poll_link ──► connect, close
//!   flush, close, pause                      │                                   │
//!                                            │   ◄── handle_connected ───────────┤
//!                                            │   ◄── handle_disconnected ────────┤
//!                                            ▼                                   │
//!                                     ready batches  ──► output ──────────► write a socket
//!                                     of each broker ◄── consume_output ─── so much was written
//!                                            │   ◄── handle_input ───────── read a socket
//!                                            ▼
//!   outcomes ◄── poll_event ────────  resolved batches
//!                                            │
//!                                     earliest timer ──► poll_timeout ────► sleep until then
//!                                                    ◄── handle_timeout ─── it is time
//! ```
//!
//! A [`Link`] is one connection to one broker; the adapter keeps a socket for each. Several are open
//! at a time, as many as there is memory for; with fewer than there are brokers, brokers take turns.
//!
//! # The run loop, in full
//!
//! A program without an adapter, with blocking sockets of the standard library:
//!
#![cfg_attr(feature = "broker", doc = "```")]
#![cfg_attr(not(feature = "broker"), doc = "```no_run")]
//! # #[cfg(feature = "broker")]
//! # mod node { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/manual/one_node.rs")); }
//! use std::collections::HashMap;
//! use std::io::{ErrorKind, Read, Write};
//! use std::net::TcpStream;
//! use std::time::Duration;
//!
//! use ottla::memory::Growable;
//! use ottla::{Config, Event, Instant, LinkAction, Producer, Reason, Record};
//!
//! # fn main() {
//! let address = ("127.0.0.1", 9092);
//! # #[cfg(feature = "broker")]
//! # let address = ("127.0.0.1", node::one_node());
//! let started = std::time::Instant::now();
//! let now = || Instant::from_micros(started.elapsed().as_micros() as u64);
//! let mut producer = Producer::new(Growable::new(32 << 20), Config::new(), 1);
//! producer.bootstrap(address.0, address.1);
//! let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
//! producer.set_wall_clock(now(), unix.as_millis() as u64);
//! let topic = producer.declare_topic("readings", 1).unwrap();
//! producer.produce(now(), topic, &Record::new(b"21.5").key(b"sensor-7")).unwrap();
//! producer.close(now(), now().after(ottla::Duration::from_secs(10)));
//!
//! let mut sockets: HashMap<ottla::Link, TcpStream> = HashMap::new();
//! # let mut written = 0;
//! 'all: loop {
//!     // 1. Open and close connections.
//!     while let Some(action) = producer.poll_link() {
//!         match action {
//!             LinkAction::Connect(link, address) => {
//!                 match TcpStream::connect((address.host, address.port)) {
//!                     Ok(socket) => {
//!                         socket.set_nodelay(true).unwrap();
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
//!                 Ok(count) => producer.consume_output(now(), *link, count),
//!                 Err(_) => break, // The read below meets the same.
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
//!     while let Some(event) = producer.poll_event() {
//!         match event {
//!             Event::Delivered(run) => println!("{} record(s): {}", run.count, run.outcome),
//!             Event::Fatal(code) => eprintln!("nothing more can be sent: {code}"),
//!             Event::Closed => break 'all,
//!             _ => {}
//!         }
//! #       if let Event::Delivered(run) = event {
//! #           written += run.count;
//! #           assert_eq!(run.outcome, ottla::Outcome::Written { base_offset: 0, append_time: -1 });
//! #       }
//!     }
//! }
//! # assert_eq!(written, 1);
//! # }
//! ```
//!
//! # The life of a record
//!
//! ```text
//!   produce ─► open batch ─► closed ─► in a request, sealed ─► lent ─► taken ─► answered ─► outcome
//!              of its         full, or   sequence, header,     output  consume_  handle_     poll_event
//!              partition      linger     checksum                      output    input
//!                             is over         ▲                                    │
//!                                             └─── the same bytes, again ◄─────────┘  error, lost link
//! ```
//!
//! - [`produce`](Producer::produce) copies the record once, into the open batch of its partition.
//! - A batch is due when it has `batch_size` bytes, when [`Config::linger`] is over, or at once: after a
//!   flush, on closing, and when memory is full. A request takes one batch of each due partition.
//! - From the moment its first byte is lent, the batch keeps its sequence and its bytes for every
//!   attempt. Only a batch of which no attempt can be in the log gets another sequence, in a new epoch
//!   (or each, where [`Config::resend_after_state_loss`] asks for it). Five batches of a partition may
//!   be on their way; one, until the first success.
//! - After an error the partition waits for all that is on its way, then its oldest batch goes first.
//! - At [`Config::delivery_timeout`] after its first record at the latest, each batch has its outcome.
//!
//! # Outcomes
//!
//! Every accepted record gets exactly one [`Outcome`], and never a false word about it:
//!
//! | outcome | it means | what to do |
//! |---|---|---|
//! | [`Written`](Outcome::Written) | it is in the log, replicated as `acks` asks | nothing. The offset is -1 if no broker told it |
//! | [`NotWritten`](Outcome::NotWritten) | it is not in the log and will not get there | sending it again is safe |
//! | [`Unknown`](Outcome::Unknown) | it may be in the log | sending it again may double it, giving it up may lose it: a choice that only the application can make |
//! | [`Unacknowledged`](Outcome::Unacknowledged) | with `acks=0`: handed to the connection | nobody knows more, and nobody will |
//!
//! [`Cause`] says why a batch was given up, [`Doubt`] why nobody knows. An outcome comes for a run of
//! records, [`Event::Delivered`]: partition, number of the first record, count, offset of the first.
//! [`Accepted::number`] is what to match it with. What the broker said of a refused batch is at hand
//! until the next event is taken: [`Producer::complaints`].
//!
//! What counts as a proof that a batch was not written is little: that its last byte was never lent, or
//! an answer with one of 24 codes that brokers give before they append (30 with `acks=1`:
//! [`ErrorCode::proves_refusal`](message::ErrorCode::proves_refusal)). A lost connection, a timeout, an
//! answer that leaves the partition out, and any other code prove nothing.
//!
//! # What can be refused
//!
//! A call that returns [`Refused`] did nothing.
//!
//! | [`Refused`] | whose fault | what to do |
//! |---|---|---|
//! | `Full(Memory)`, `Full(Batches)` | capacity | wait for [`Event::Delivered`], call again; for want of memory every open batch is due now |
//! | `Full(Partitions)`, `Full(Topics)`, `Full(Names)` | capacity | larger tables, or fewer of them |
//! | `TopicUnknown` | time | wait for [`Event::Topic`], call again; or [`declare_topic`](Producer::declare_topic), or an explicit partition |
//! | `PartitionUnknown` | usage, or time | metadata is asked for again; it may be there later |
//! | `Topic(code)` | the cluster's rules | rights, or the name |
//! | `TimeUnknown` | time | [`set_wall_clock`](Producer::set_wall_clock), a timestamp, or [`UnknownTime::Floor`](config::UnknownTime) |
//! | `LargerThanRequest`, `LargerThanMemory` | usage | a larger `max_request_size`, blocks, or smaller records |
//! | `NegativeTimestamp`, `IllegalName`, `NoSuchTopic` | usage | mend the call |
//! | `Dropped` | configuration | nothing: [`WhenFull`](config::WhenFull) leaves it out, as was asked |
//! | `Closed`, `Fatal(code)` | the end | a new producer |
//!
//! [`Config::problems`] tells all faults of a configuration at once; look before [`Producer::new`].
//!
//! # Memory and sizes
//!
//! A producer works in the memory of its [`memory::Owner`]: [`memory::Fixed`], arrays with named
//! sizes ([`fixed!`]), or [`memory::Growable`] (feature `alloc`), the heap with a bound. Every
//! table has an answer when it is full: see [`memory`]. [`sizes`] has the bytes of every type.
//!
//! ```
//! ottla::fixed! {
//!     /// Four partitions, one connection, four batches of 512 bytes.
//!     pub Sensor {
//!         topics: 1, partitions: 4, batches: 6, requests: 4, links: 1, brokers: 2,
//!         host: 32, names: 32, blocks: 4, block_size: 512,
//!     }
//! }
//! let bytes = 76 * 1          // topics, each with a place in the index
//!     + 168 * 4               // partitions, each with a timer and a place in the index
//!     + 160 * 6               // batches
//!     + 32 * 4                // requests
//!     + 480 * 1               // links, each with the state of its stream of answers
//!     + (80 + 32) * 2         // brokers, each with a host name
//!     + 32                    // names of topics, and the client id
//!     + (512 + 1) * 4;        // blocks
//! assert!(size_of::<Sensor>() <= bytes + 16, "they stand at multiples of eight");
//! // Beside it there is the machine: 736 bytes, or 728 on 32-bit processors.
//! assert!(size_of::<ottla::Producer<Sensor>>() <= bytes + 16 + 736);
//! ```
//!
//! How many of each: as many topics and partitions as are in use; two more batches than blocks (they
//! keep their slot until their event is taken); two blocks for each busy partition; four requests for
//! each link; one link is enough, one for each broker is fastest. A block holds 61 bytes of header, and
//! keys, values and headers with some 10 bytes more for each record. The front page of `ottla-embassy`
//! has three worked examples, and what each bound does when it is met.
//!
//! `Growable` begins small, doubles tables as they fill, and stays under its bound for blocks
//! (`buffer.memory`). What it has, it keeps for reuse, until `release_memory`: at its high-water mark it
//! allocates nothing, unless batches become smaller or larger where more than half of the bound is taken.
//! Its blocks are `Vec`s, or whatever else an adapter has for a [`memory::Buffer`].
//!
//! # Time
//!
//! | clock | given by | for |
//! |---|---|---|
//! | monotonic: [`Instant`], microseconds since any origin | the argument `now` of every call | linger, timeouts, pauses. An older value than before does no harm |
//! | time of day: milliseconds since 1970 | [`set_wall_clock`](Producer::set_wall_clock), as often as it is corrected | timestamps of records that have none |
//!
//! The core never sleeps and never wakes anybody. It says when it wants to be called, and the adapter
//! sees to it:
//!
//! | what happened | call | then |
//! |---|---|---|
//! | a record was accepted, and [`Accepted::wake`] is true | nothing | one turn of the loop |
//! | it was accepted, and `wake` is false | nothing | nothing: the loop comes by in time |
//! | bytes arrived | [`handle_input`](Producer::handle_input) | one turn |
//! | bytes were written | [`consume_output`](Producer::consume_output) | one turn |
//! | the instant of [`poll_timeout`](Producer::poll_timeout) is reached | [`handle_timeout`](Producer::handle_timeout) | one turn |
//! | `poll_timeout` has no answer | nothing | sleep until one of the others |
//!
//! Ask `poll_timeout` last, before sleeping: `wake` is told with regard to its last answer. With nothing
//! queued and nothing in flight, nothing is sent, and the only timer is that of a connection that is
//! closed once for being idle.
//!
//! # For those who write an adapter
//!
//! - [`output`](Producer::output) lends; several calls lend several pieces, for one vectored write.
//!   [`consume_output`](Producer::consume_output) says how much of them was written, and what was lent
//!   beyond that is lent again. Who writes in several steps reports each, and calls `output` again
//!   only when all was written.
//! - Any input may make output on *another* link: ask all of them
//!   ([`has_output`](Producer::has_output)).
//! - After [`LinkAction::Close`], let go of the socket and of every block that is being written from;
//!   there is nothing to report. A connection that ends by itself is reported once, by
//!   [`handle_disconnected`](Producer::handle_disconnected).
//! - With [`memory::Growable`], [`Piece::block`] and [`Growable::share`](memory::Growable::share) allow
//!   writing without a copy and without a lock. A block that a writer still holds counts as used.
//! - One sealed piece ([`Piece::sealed`]) is enough for one hold of a lock: sealing reads the whole batch.
//! - [`handle_input`](Producer::handle_input) takes any number of bytes, cut anywhere: there is no frame
//!   to be put together first.
//! - Events must be taken: the slot of a batch is free only then. Where nobody wants them, take and
//!   drop them.
//!
//! # Known client bugs
//!
//! Where this core does on purpose what other clients don't. The numbers are those of rules, as they
//! stand in the source and in names of tests (`r08_...`):
//!
//! | what happens | what clients did | here |
//! |---|---|---|
//! | code 6 with `acks=all` | "not written" | unknown: the broker may have appended first (R1) |
//! | time is over while a batch is on its way | "failed" | unknown, at once; a late answer mends sequences (R3) |
//! | the broker does not expect a sequence (45) | a new epoch, everything sent again: may double | what may be in the log is asked for, newest first (R8) |
//! | a later batch succeeds | nothing follows for earlier ones | they are proven written (R4) |
//! | a new producer, a new leader | five batches at once | one, until a success (R7) |
//! | one request is late | its neighbours fail, too | only the oldest has a deadline; the others are sent again (R13) |
//! | epoch 32767 is used up | 0 again, or id -1 | a new id; nothing goes out without one (R9) |
//! | nothing to do | metadata every five minutes | nothing (R14) |
//!
//! All 28 that are planted in tests, with the reports of their clients and the test that holds each, are
//! in `ottla_tokio::guide::known_client_bugs`.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `alloc` (default) | [`memory::Growable`] |
//! | `crc-table`, `crc-table-large` | the checksum by a table of 1 KiB or 16 KiB, instead of bit by bit |
//! | `crc-hardware` | the checksum by the processor's instructions; hosts only |
//! | `proof` | for simulators and searches: `Producer::view`, `Producer::begin_sequences_at` |
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
