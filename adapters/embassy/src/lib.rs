#![no_std]
#![forbid(unsafe_code)]
//! A Kafka producer for embassy.

mod fmt;
#[cfg(feature = "net")]
pub mod net;
mod producer;
mod runner;
mod state;
pub mod stream;
pub mod transport;
mod waits;

pub use embassy_sync::blocking_mutex::raw::RawMutex;
pub use ottla;
pub use ottla::producer::Counters;
pub use ottla::{
    Accepted, Acks, Cause, Config, Doubt, Event, Header, Outcome, Reason, Record, Refused, Topic,
};
pub use producer::{Delivery, Error, Events, Producer, Settings, StartError, Via};
pub use runner::Runner;

/// Declares a type of producer with named sizes.
///
/// ```
/// use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
///
/// ottla_embassy::producer! {
///     /// A sensor node.
///     pub Node<CriticalSectionRawMutex> {
///         topics: 1, partitions: 4, batches: 6, requests: 4, links: 1, brokers: 2, host: 32,
///         names: 32, blocks: 4, block_size: 512, waits: 2,
///     }
/// }
/// static NODE: Node = Node::new(ottla::memory::Fixed::new());
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
