//! What a producer is told at its start, and what can be wrong with a call.

use core::fmt;

use embassy_time::Duration;
use ottla::Refused;
use ottla::config::Problem;

use crate::transport::Target;

/// Where a broker is really reached: for one endpoint in front of all brokers, or a network that
/// translates addresses.
pub type Via = for<'a> fn(Target<'a>) -> Target<'a>;

/// What a producer is told at its start.
#[derive(Copy, Clone, Debug)]
pub struct Settings<'a> {
    /// The protocol's settings. A batch is never larger than a block, whatever `batch_size` says.
    pub config: ottla::Config,
    /// `client.id`: brokers log it and apply quotas by it. Takes room among the names.
    pub client_id: &'a str,
    /// Addresses to begin with. Each takes a broker's slot, for ever.
    pub bootstrap: &'a [(&'a str, u16)],
    /// How long [`Producer::produce`](crate::Producer::produce) waits for room, or for a topic or
    /// the time of day to be known. With zero it does not wait.
    pub max_block: Duration,
    /// Where brokers are reached, if not at the addresses that they advertise.
    pub via: Option<Via>,
    /// Source of all randomness; different at every start of every device.
    pub seed: u64,
}

impl<'a> Settings<'a> {
    /// The defaults: those of [`ottla::Config::new`], and waiting for up to 60 s
    /// (`max.block.ms`).
    #[must_use]
    pub const fn new(bootstrap: &'a [(&'a str, u16)], seed: u64) -> Self {
        Self {
            config: ottla::Config::new(),
            client_id: "",
            bootstrap,
            max_block: Duration::from_secs(60),
            via: None,
            seed,
        }
    }
}

/// Why a producer does not start.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum StartError {
    /// A fault of the settings: the first; [`ottla::Config::problems`] tells all.
    Config(Problem),
    /// No address to begin with.
    NoBootstrap,
    /// This address is too long for the memory of a host name, or finds no broker's slot.
    Bootstrap(usize),
    /// The client id is longer than 255 bytes, or than the memory for names.
    ClientId,
    /// It was started before.
    Started,
}

/// Why a call did not do what it was called for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error {
    /// The core refused it.
    Refused(Refused),
    /// It waited for `max_block`, and this was in its way to the end.
    Waited(Refused),
    /// Too many tasks wait: the table `waits` is full.
    Waits,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(problem) => problem.fmt(f),
            Self::NoBootstrap => f.write_str("no bootstrap address"),
            Self::Bootstrap(index) => {
                write!(f, "no room for bootstrap address {index}: see the sizes host and brokers")
            }
            Self::ClientId => f.write_str("no room for the client id: see the size names"),
            Self::Started => f.write_str("it was started before"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::Waited(refused) => write!(f, "waited for max_block, and {refused}"),
            Self::Waits => f.write_str("too many tasks wait: see the size waits"),
        }
    }
}

impl core::error::Error for StartError {}
impl core::error::Error for Error {}
