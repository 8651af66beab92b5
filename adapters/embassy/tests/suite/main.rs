//! The adapter against the model broker: virtual time, in-memory connections, and an executor
//! that counts. Everything is deterministic.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod cancel;
mod deliver;
mod end;
mod executor;
mod idle;
mod knobs;
mod links;
mod net;
mod reset;
mod sizes;
mod wait;
mod wires;
mod world;
