//! The producer against a scripted cluster in the same process, with paused time.

mod addresses;
mod cancel;
mod cluster;
mod config;
mod deliveries;
mod end;
mod errors;
mod growth;
mod interceptors;
mod logs;
mod memory;
mod metrics;
mod partitioner;
mod send;
mod settings;
mod tcp;
mod typed;
