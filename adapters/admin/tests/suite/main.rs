//! The administration client against development brokers, over TCP and over connections that are
//! cut.

mod cuts;
mod errors;
mod releases;
mod support;
