//! Tests of the whole machine against a scripted cluster.

mod basics;
mod outcomes;
mod rows_accumulate;
mod sequences;
mod world;
