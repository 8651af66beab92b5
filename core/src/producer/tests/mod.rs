//! Tests of the whole machine against a scripted cluster.

mod basics;
mod outcomes;
mod sequences;
mod world;
