// What the examples of these pages run against: the scripted cluster of this crate's tests, within
// the process. Each of them includes this file in hidden lines.

#[path = "../../tests/suite/cluster.rs"]
mod cluster;

#[allow(unused_imports)]
use cluster::{Cluster, settle};
