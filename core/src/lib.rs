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
//! A Kafka client core.

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
pub mod time;
pub mod wire;

pub use config::{Acks, Config};
pub use error::Refused;
pub use link::{Link, Reason};
pub use producer::{
    Accepted, Cause, Delivery, Doubt, Event, Flush, LinkAction, Outcome, Piece, Producer, Topic,
};
pub use record::{Header, Record};
pub use time::{Duration, Instant};
