#![no_std]
//! What every example board runs, over any embassy-net driver.
//!
//! A board makes its driver, calls [`network`], and spawns two tasks: one runs the network, the
//! other the node ([`run`]).

mod arguments;
#[cfg(feature = "bare")]
pub mod bare;
mod network;
mod node;
mod reading;
#[cfg(feature = "scenarios")]
pub mod scenario;
mod settings;

pub use arguments::Arguments;
pub use network::network;
pub use node::run;
pub use settings::Settings;
