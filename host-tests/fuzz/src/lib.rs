//! Targets for fuzzing: each takes any bytes, makes of them what it needs, and panics if the core
//! breaks a promise.
//!
//! The same targets run in two ways. `cargo xtask fuzz` drives them by coverage, through the
//! package in `fuzz/`, which is nothing but their entry points. The tests of this package run them
//! over the inputs that were kept: `corpus/`, what covers most with little, and `regressions/`,
//! what once broke something.
//!
//! | target | what its bytes are |
//! |---|---|
//! | [`answers`](answers::target) | an answer of any API, and where it is cut |
//! | [`requests`](requests::target) | a request of any API, as a broker reads it |
//! | [`frames`](frames::target) | what a decoder asks of a stream, and the stream |
//! | [`records`](records::target) | batches to read, and records to make batches of |
//! | [`producer`](producer::target) | any calls of a producer, and what brokers answer |
//! | [`cluster`](cluster::target) | a simulated cluster, and what happens to it |
//! | [`messages_differ`](differ::messages) | a message that two implementations encode and decode |
//! | [`records_differ`](differ::records) | records that two implementations encode and decode |
//! | [`checksums_differ`](differ::checksums) | bytes for three checksums |

#![forbid(unsafe_code)]

pub mod answers;
mod apis;
pub mod cluster;
pub mod differ;
pub mod frames;
pub mod producer;
pub mod records;
pub mod requests;

/// A target by its name, which is that of its directories and of its program, too.
#[derive(Copy, Clone, Debug)]
pub struct Target {
    /// The name.
    pub name: &'static str,
    /// Runs it on an input. It panics if a promise is broken.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "answers", run: answers::target },
    Target { name: "requests", run: requests::target },
    Target { name: "frames", run: frames::target },
    Target { name: "records", run: records::target },
    Target { name: "producer", run: producer::target },
    Target { name: "cluster", run: cluster::target },
    Target { name: "messages_differ", run: differ::messages },
    Target { name: "records_differ", run: differ::records },
    Target { name: "checksums_differ", run: differ::checksums },
];
