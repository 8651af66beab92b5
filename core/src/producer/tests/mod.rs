//! Tests of the whole machine against a scripted cluster.

mod answers;
mod basics;
mod bounds;
mod changes;
mod codes;
mod connections;
mod discard;
mod discovery;
mod epochs;
mod links;
mod outcomes;
mod regressions;
mod room;
mod rows_accumulate;
mod rows_cluster;
mod rows_idempotence;
mod rows_partition;
mod rows_retry;
mod rows_split;
mod sequences;
mod turns;
#[cfg(feature = "proof")]
mod view;
mod world;
