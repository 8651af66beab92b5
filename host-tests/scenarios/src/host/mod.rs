//! What a script runs on: the machine itself, or an adapter with all that it brings.
//!
//! A host has the producer, and nothing of the world around it: it says where the producer wants to
//! connect to and what it writes, and is told what arrives. The driver has the links, the cluster
//! and the clock's course, so that these are the same for every host.

pub(crate) mod embassy;
pub(crate) mod machine;
pub(crate) mod tokio;

use std::fmt;
use std::time::Duration;

use ottla::{Reason, Record};

use crate::fate::Fate;
use crate::script::{Kind, Place};

/// A connection of the producer; numbers are not used again.
pub(crate) type Line = u64;

/// The time of day when a script begins, in milliseconds since 1970: that of the cluster.
pub(crate) const DAY: i64 = 1_700_000_000_000;

/// A record that is offered.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    /// Its number among all records of the script.
    pub(crate) number: usize,
    pub(crate) topic: String,
    pub(crate) partition: Option<i32>,
    pub(crate) key: Option<String>,
    pub(crate) value: Vec<u8>,
    pub(crate) timestamp: i64,
}

impl Offer {
    /// As the core wants it.
    pub(crate) fn record(&self) -> Record<'_> {
        let mut record = Record::new(&self.value).timestamp(self.timestamp);
        record.partition = self.partition;
        match &self.key {
            Some(key) => record.key(key.as_bytes()),
            None => record,
        }
    }
}

/// What a producer is made of.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// The settings by Kafka's names, those of all hosts.
    pub(crate) config: ottla_tokio::Config,
    /// What it draws from, on hosts that can be told.
    pub(crate) seed: u64,
    /// Where the sequences of partitions begin, on hosts that can be told.
    pub(crate) sequences: Vec<(Place, u32)>,
}

/// What a host has to tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Told {
    /// The producer wants a connection.
    Connect(Line, String, u16),
    /// It wrote bytes.
    Written(Line, Vec<u8>),
    /// It is done with a connection, whether it was made or not.
    HungUp(Line),
    /// The outcome of a record.
    Outcome(usize, Fate),
    /// All that was there at the last flush has its outcome.
    Flushed,
    /// The producer is closed.
    Closed,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(line, host, port) => write!(f, "connects to {host}:{port} as {line}"),
            Self::Written(line, bytes) => write!(f, "writes {} bytes on {line}", bytes.len()),
            Self::HungUp(line) => write!(f, "is done with {line}"),
            Self::Outcome(number, fate) => write!(f, "tells of record {number}: {fate}"),
            Self::Flushed => f.write_str("has flushed"),
            Self::Closed => f.write_str("is closed"),
        }
    }
}

/// A producer that can be driven. Times are in milliseconds after the start: that is as fine as
/// timers of tokio are.
pub(crate) trait Host {
    /// The time.
    fn now(&self) -> u64;

    /// Does what can be done at once, then lets time pass until `until`: less if there is
    /// something to tell.
    fn run(&mut self, until: u64) -> Vec<Told>;

    /// Offers a record.
    fn produce(&mut self, offer: Offer);

    /// Begins a flush.
    fn flush(&mut self);

    /// Begins to close.
    fn close(&mut self, timeout: Duration);

    /// A connection is made.
    fn connected(&mut self, line: Line);

    /// A connection cannot be made.
    fn refused(&mut self, line: Line, reason: Reason);

    /// Bytes arrive.
    fn receive(&mut self, line: Line, bytes: &[u8]);

    /// A connection is over.
    fn end(&mut self, line: Line);
}

/// Starts a host. That of embassy is there once in a process, as its clock is.
pub(crate) fn start(kind: Kind, setup: &Setup) -> Box<dyn Host> {
    match kind {
        Kind::Growable => machine::growable(setup),
        Kind::Fixed => machine::fixed(setup),
        Kind::Tokio => Box::new(tokio::Tokio::start(setup)),
        Kind::Embassy => Box::new(embassy::Embassy::start(setup)),
    }
}
