//! What went wrong, and what is known of it.

use std::fmt;
use std::time::Duration;

use ottla::error::Fault;
use ottla::message::{AnyApi, ErrorCode, Versions};

/// Why a call, or what it was to do for one topic, did not succeed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error {
    kind: ErrorKind,
    topic: Option<String>,
    address: Option<String>,
}

/// What is known of a failure.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The broker refused, by this code; nothing was done.
    Refused {
        /// The code.
        code: ErrorCode,
        /// What the broker said about it; may be empty.
        message: String,
    },
    /// The request went out, and whether the cluster did what it asks is not known: it may have
    /// been done. What is known is said here.
    Unknown(String),
    /// No broker could be reached, or none answered, within the time of the call; nothing was
    /// done. What was the matter last is said here.
    Unreachable(String),
    /// The broker is too old, or too new, for what was asked; nothing was done.
    Unsupported(String),
    /// The answer to a question cannot be read.
    Answer(Fault),
    /// What was asked makes no sense; nothing was sent.
    Usage(String),
}

impl Error {
    pub(crate) const fn new(kind: ErrorKind) -> Self {
        Self { kind, topic: None, address: None }
    }

    pub(crate) fn refused(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Refused { code, message: message.into() })
    }

    pub(crate) fn unknown(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unknown(what.into()))
    }

    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage(what.into()))
    }

    pub(crate) fn of_topic(mut self, topic: &str) -> Self {
        self.topic = Some(topic.to_owned());
        self
    }

    pub(crate) fn at(mut self, address: &str) -> Self {
        self.address = Some(address.to_owned());
        self
    }

    /// What it says, without topic and address.
    pub(crate) fn saying(&self) -> String {
        Self { topic: None, address: None, ..self.clone() }.to_string()
    }

    /// What is known.
    #[must_use]
    pub const fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// The topic that it is about, if it is about one.
    #[must_use]
    pub fn topic(&self) -> Option<&str> {
        self.topic.as_deref()
    }

    /// The address of the broker that said so, or that the request went to.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// The broker's code, if it refused.
    #[must_use]
    pub const fn code(&self) -> Option<ErrorCode> {
        match &self.kind {
            ErrorKind::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether what was asked may have been done all the same.
    #[must_use]
    pub const fn may_be_done(&self) -> bool {
        matches!(self.kind, ErrorKind::Unknown(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(topic) = &self.topic {
            write!(f, "topic {topic}: ")?;
        }
        match &self.kind {
            ErrorKind::Refused { code, message } => {
                write!(f, "{code}")?;
                if !message.is_empty() {
                    write!(f, ": {}", message.trim_end_matches('.'))?;
                }
            }
            ErrorKind::Unknown(what) => write!(f, "it may have been done: {what}")?,
            ErrorKind::Unreachable(what) => write!(f, "{what}")?,
            ErrorKind::Unsupported(what) | ErrorKind::Usage(what) => f.write_str(what)?,
            ErrorKind::Answer(fault) => write!(f, "the broker's answer cannot be read: {fault}")?,
        }
        match &self.address {
            Some(address) => write!(f, " (broker {address})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// What came of one topic of a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicResult<T> {
    /// Its name, as it was asked for.
    pub name: String,
    /// What was done or found, or why not.
    pub result: Result<T, Error>,
}

/// Why an attempt came to nothing, inside of a call.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The last byte of the request was not taken: no broker carries it out.
    NotSent(String),
    /// The request was sent, and the connection ended, or the time, before its answer.
    Lost(String),
    /// The answer cannot be read.
    Answer(Fault),
    /// There is no version that both know.
    Unsupported(String),
}

impl Failure {
    /// That two sides share no version of an API; `hint` says since when there is one.
    pub(crate) fn unsupported(
        api: AnyApi,
        wanted: Versions,
        broker: Option<Versions>,
        hint: &str,
    ) -> Self {
        let Versions { min, max } = wanted;
        let has = match broker {
            Some(has) => format!("has its versions {} to {}, not {min} to {max}", has.min, has.max),
            None => "does not have it".to_owned(),
        };
        let hint = if hint.is_empty() { String::new() } else { format!(": {hint}") };
        Self::Unsupported(format!("{api:?} is needed, and the broker {has}{hint}"))
    }

    /// What happened.
    pub(crate) fn why(&self) -> String {
        match self {
            Self::NotSent(why) | Self::Lost(why) | Self::Unsupported(why) => why.clone(),
            Self::Answer(fault) => fault.to_string(),
        }
    }

    /// What is to be said of a change that may have been carried out all the same.
    pub(crate) fn may_be_done(&self) -> Option<String> {
        match self {
            Self::NotSent(_) | Self::Unsupported(_) => None,
            Self::Lost(why) => Some(format!("the request was sent, but {why}")),
            Self::Answer(fault) => Some(format!("the answer cannot be read: {fault}")),
        }
    }
}

/// A time as people write it.
pub(crate) fn span(time: Duration) -> String {
    let millis = time.as_millis();
    if millis >= 1_000 && millis.is_multiple_of(1_000) {
        format!("{} s", millis / 1_000)
    } else {
        format!("{millis} ms")
    }
}
