//! Scenarios as scripts.

#![forbid(unsafe_code)]

mod driver;
mod expect;
pub mod fate;
mod frames;
mod host;
mod net;
pub mod parse;
pub mod play;
mod rules;
pub mod script;
mod trace;

pub use driver::{Failure, Options, Run, run};
pub use expect::compare;
