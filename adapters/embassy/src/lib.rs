#![no_std]
#![forbid(unsafe_code)]
//! A Kafka producer for embassy: `no_std`, without an allocator, all of its memory in one `static`.
//!
//! The protocol is that of the crate [`ottla`], a state machine that runs unchanged on servers.
//! This crate moves its bytes, its time and its wake-ups, and decides nothing.
//!
//! ```no_run
//! use embassy_futures::join::join;
//! use embassy_net::Stack;
//! use embassy_sync::blocking_mutex::raw::NoopRawMutex;
//! use ottla_embassy::net::{Tcp, TcpBuffers};
//! use ottla_embassy::{Fixed, Outcome, Record, Settings};
//! use static_cell::ConstStaticCell;
//!
//! ottla_embassy::producer! {
//!     Node<NoopRawMutex> {
//!         topics: 1, partitions: 4, batches: 6, requests: 4, links: 1, brokers: 2, host: 32,
//!         names: 32, blocks: 4, block_size: 512, waits: 2,
//!     }
//! }
//! static NODE: ConstStaticCell<Node> = ConstStaticCell::new(Node::new(Fixed::new()));
//! static BUFFERS: ConstStaticCell<TcpBuffers<512, 1024>> = ConstStaticCell::new(TcpBuffers::new());
//!
//! /// A task, beside the one that runs the network.
//! async fn node(stack: Stack<'static>, seed: u64, unix_millis: u64) {
//!     let node: &Node = NODE.take();
//!     let mut runner = node.start(&Settings::new(&[("192.168.1.2", 9092)], seed)).unwrap();
//!     node.set_wall_clock(unix_millis);
//!     let topic = node.declare_topic("readings", 4).unwrap();
//!     let work = async {
//!         let delivery = node.send(topic, &Record::new(b"21.5").key(b"sensor-7")).await.unwrap();
//!         assert!(matches!(delivery.await, Outcome::Written { .. }));
//!     };
//!     join(runner.run([Tcp::new(stack, BUFFERS.take())]), work).await;
//! }
//! ```
//!
//! # Sending
//!
//! | call | waits | tells the outcome |
//! |---|---|---|
//! | [`Producer::send`] | for room, up to `max_block` | by a [`Delivery`], a future |
//! | [`Producer::produce`] | likewise | by [`Events`], if somebody takes them |
//! | [`Producer::try_produce`] | never | likewise |
//!
//! A call returns when the record was copied into a block. Records of one partition are written
//! in the order in which they were accepted. Where nobody takes events, the runner does, and logs
//! failures.
//!
//! Waiting is in the order of the calls: for room, for the topic to be known, for the time of day.
//! Who waits holds up those behind it that need the same. After `max_block` it is refused with
//! what was in its way. With [`Producer::declare_topic`], or with a partition chosen by hand,
//! records are accepted before any broker was reached.
//!
//! Every future can be dropped at any time. A `produce` or `send` that was dropped before it was
//! ready has queued nothing; a `flush` or `close` that was polled once goes on; a `wake` goes to
//! sleep; a `Delivery` changes nothing for its record. A [`Runner::run`] that was dropped can be
//! run again; until then time stands still for the records, except that `close` comes to its end.
//!
//! # Outcomes
//!
//! Each accepted record gets exactly one [`Outcome`], by `delivery_timeout` (120 s) after its
//! batch was begun:
//!
//! - *written*: it is in the log. No reset of the device or of a broker changes that, as far as the
//!   cluster keeps its own promises;
//! - *not written*: it is not in the log and will not get there. It can be sent again;
//! - *unknown*: it was sent, and no answer says what became of it. It is in the log, or it is not.
//!   To send it again may double it, to forget it may lose it. It is told only when the time is
//!   over, the producer is closed, or the broker's answer leaves it open for good. A connection
//!   that breaks is no cause: records are sent again, and are not doubled;
//! - *unacknowledged*: with `acks` none, it was handed to the transport.
//!
//! **A reset of the device loses** the records that were accepted and have no outcome yet: those
//! in the blocks. Some of them may be in the log. It also loses the producer's identity, so records
//! that the application sends again after the reset may be in the log twice. **It cannot lose**
//! what was reported written. An application that must not lose readings keeps each of them (in
//! flash, say) until its outcome.
//!
//! # Sizes
//!
//! All memory is in the `static`, whose type [`producer!`] declares. Nothing is allocated, so
//! `const _: () = assert!(size_of::<Node>() < 6_000);` is the whole plan.
//!
//! | size | what it bounds | choose | at the bound |
//! |---|---|---|---|
//! | `topics` | topics | as many as there are | [`Producer::topic`] is refused |
//! | `partitions` | partitions in use at a time | all that records go to | an idle one gives way at the cost of a new epoch; else records are refused |
//! | `batches` | batches from their first record until their outcome was taken | `blocks` + 2; more if events are taken late, or with [`WhenFull::DropOldest`](ottla::config::WhenFull) | `produce` waits |
//! | `requests` | requests that are not answered | 4 for each link; 1 works | sending waits |
//! | `links` | connections at a time, with a [`Connector`](transport::Connector) each | 1; as many as there are brokers to be fast | brokers take turns |
//! | `brokers` | addresses | those in [`Settings::bootstrap`], and every broker that leads a partition in use | records for leaders without a slot wait, until their time is over |
//! | `host` | bytes of a host name | the longest that brokers advertise | that broker cannot be used: [`Event::HostTooLong`](Event) |
//! | `names` | bytes of all topic names, and the client id | their sum | `topic` is refused, or the start |
//! | `blocks` | batches with bytes in memory | 2 for each busy partition | `produce` waits, and open batches are sent at once |
//! | `block_size` | bytes of a batch | 61 and some 10 for each record beside keys, values and headers; a larger batch costs less per record | a larger record is refused |
//! | `waits` | tasks that wait, and [`Delivery`]s | one for each task that calls, and for each delivery that is held | [`Error::Waits`] |
//!
//! A TCP link has [`TcpBuffers`](net::TcpBuffers): any size works for receiving, as answers are
//! read as a stream (at 512 bytes a slow network stays busy); what a block takes for sending, so
//! that a batch goes out without waiting for acknowledgements. Other streams have a stage of at
//! least 64 bytes, which must pass within `request_timeout`.
//!
//! RAM on 32-bit devices, in bytes; the `static`'s is held to its number when the crate is
//! compiled. Buffers of sockets come on top, the network, and the stack.
//!
//! | | smallest | sensor | gateway |
//! |---|---|---|---|
//! | `topics`, `partitions` | 1, 1 | 1, 4 | 4, 16 |
//! | `batches`, `requests` | 2, 2 | 6, 4 | 24, 12 |
//! | `links`, `brokers` | 1, 2 | 1, 2 | 3, 5 |
//! | `host`, `names` | 16, 32 | 32, 32 | 64, 256 |
//! | `blocks` × `block_size` | 2 × 256 | 4 × 512 | 16 × 1,024 |
//! | `waits` | 1 | 2 | 8 |
//! | the `static` | 2,800 | 5,600 | 27,300 |
//! | of that, blocks | 512 | 2,048 | 16,384 |
//! | `run()` over TCP | 390 | 390 | 1,000 |
//!
//! Futures of the application, on 32-bit devices: `produce`, `send`, `flush` and the next event 120
//! bytes, `close` 144, `wake` 200.
//!
//! # The lock
//!
//! The first argument of [`producer!`] is the kind of mutex. With `NoopRawMutex` the producer
//! belongs to one executor, which the compiler checks, and locking costs nothing: keep it in a
//! `ConstStaticCell`, as above. With `CriticalSectionRawMutex` a plain `static` can be shared with
//! interrupts and other cores, but interrupts are held up for each call of the core; the longest
//! computes the checksum of a batch.
//! `ThreadModeRawMutex` panics in interrupts, and brings the code for that.
//!
//! # Wake-ups
//!
//! The runner's task is woken when a record makes something to do (the first of a batch, or the
//! one that fills it; not those in between), when bytes arrive, and when the core's next timer
//! fires. A batch that goes out alone, in one piece, costs two polls of its task. One task must run
//! the network and another one the producer: whoever looks at a socket wakes the network's.
//!
//! With nothing queued and nothing in flight nothing is sent and nothing woken, except that an idle
//! link is closed once, after `connection_max_idle` (9 min). Timers of `embassy-time` cannot be
//! taken back, so the last request's deadline still fires, once.
//!
//! # Devices that sleep
//!
//! [`Producer::pause`] closes all links and stops all timers; records are accepted and kept.
//! [`Producer::wake`] delivers what there is within a [`Budget`] of attempts, time and bytes, says
//! what it was spent by, and pauses again. Set `delivery_timeout` to more than the device sleeps:
//! what is older gets its outcome instead of being sent.
//!
//! [`Settings::config`] says what happens when the memory is full
//! ([`when_full`](ottla::Config::when_full): wait, or leave out the oldest, the newest, or the
//! lowest class), and what records are stamped with while the time of day is not known
//! ([`unknown_time`](ottla::Config::unknown_time): they wait, or count from a floor, never from
//! 1970). [`Producer::counters`] tells bytes in both directions by what they were for.
//!
//! [`Settings::via`] maps addresses, where one endpoint stands in front of all brokers.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `net` (default) | [`net`]: TCP over IPv4 by `embassy-net`. Without it links run over any [`stream`] of `embedded-io-async` |
//! | `dns` (default) | host names, at the cost of the resolver in flash and one of the stack's sockets. Without it addresses are numbers; map others by [`Settings::via`] |
//! | `defmt` | `defmt::Format` of every public type, and logs by it |
//! | `log` | logs by `log` |
//!
//! Logs are at debug level for each connection made or lost, at warning level for records that
//! fail while nobody takes events; none is per record.

mod budget;
mod delivery;
mod events;
mod fmt;
#[cfg(feature = "defmt")]
mod format;
#[cfg(feature = "net")]
pub mod net;
mod producer;
mod runner;
mod settings;
mod sizes;
mod state;
pub mod stream;
pub mod transport;
mod waits;

pub use budget::{Budget, Spent};
pub use delivery::Delivery;
pub use embassy_sync::blocking_mutex::raw::RawMutex;
pub use events::Events;
pub use ottla;
pub use ottla::memory::Fixed;
pub use ottla::producer::{Counters, Traffic};
pub use ottla::{
    Accepted, Acks, Cause, Config, Doubt, Event, Header, Outcome, Reason, Record, Refused, Topic,
};
pub use producer::Producer;
pub use runner::Runner;
pub use settings::{Error, Settings, StartError, Via};

/// Declares a type of producer with named sizes: the [front page](crate) says how to choose them.
///
/// ```
/// use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
///
/// ottla_embassy::producer! {
///     /// A sensor node, in a `static` that interrupts may use.
///     pub Node<CriticalSectionRawMutex> {
///         topics: 1, partitions: 4, batches: 6, requests: 4, links: 1, brokers: 2, host: 32,
///         names: 32, blocks: 4, block_size: 512, waits: 2,
///     }
/// }
/// static NODE: Node = Node::new(ottla_embassy::Fixed::new());
/// ```
#[macro_export]
macro_rules! producer {
    ($(#[$doc:meta])* $visibility:vis $name:ident<$mutex:ty> {
        topics: $topics:expr, partitions: $partitions:expr, batches: $batches:expr,
        requests: $requests:expr, links: $links:expr, brokers: $brokers:expr,
        host: $host:expr, names: $names:expr, blocks: $blocks:expr, block_size: $size:expr,
        waits: $waits:expr $(,)?
    }) => {
        $(#[$doc])*
        $visibility type $name = $crate::Producer<
            $mutex,
            $crate::ottla::memory::Fixed<
                { $topics }, { $partitions }, { $batches }, { $requests }, { $links },
                { $brokers }, { $host }, { $names }, { $blocks }, { $size },
            >,
            { $links }, { $host }, { $waits },
        >;
    };
}
