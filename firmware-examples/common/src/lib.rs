#![no_std]
//! What every example board runs, over any embassy-net driver.
//!
//! A board makes its driver, calls [`network`], and spawns two tasks: one runs the network, the
//! other the node ([`run`]).

mod arguments;
mod network;
mod node;
mod reading;
#[cfg(feature = "scenarios")]
pub mod scenario;

pub use arguments::Arguments;
pub use network::network;
pub use node::{Settings, run};
