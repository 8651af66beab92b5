//! A whole cluster, its producers, the links between them and a clock in one process, all driven by
//! one number.
//!
//! The producers are the production state machine over every kind of its memory; the cluster is
//! the development broker's. A seed draws a world, the faults that it has, and a list of
//! operations: records that are sent, things that go wrong. After a time under faults everything
//! heals, and what is left has to be done within a stated time; then nothing may stir; then
//! everything is closed, and the logs are judged against what applications were told.
//!
//! ```
//! let outcome = ottla_simulator::run::seed(1);
//! assert_eq!(outcome.violation, None);
//! ```
//!
//! [`Promise`] lists what is checked, [`Fault`] what goes wrong and which promises that suspends. A
//! seed that breaks a promise is cut down to a short list of operations ([`shrink`]), which can be
//! kept as a script ([`operation`]).

#![forbid(unsafe_code)]

mod check;
mod client;
mod coverage;
mod draw;
mod end;
mod engine;
mod fault;
pub mod frames;
mod inject;
mod ledger;
mod look;
mod net;
pub mod operation;
mod pace;
mod process;
mod promise;
pub mod report;
pub mod run;
mod sample;
pub mod shrink;
mod traps;
mod variety;
mod wire;
mod world;

pub use coverage::Coverage;
pub use engine::free_blocks;
pub use fault::{Fault, Fired, always};
pub use look::Looks;
pub use pace::is_own_wish;
pub use promise::{Promise, Violation};
