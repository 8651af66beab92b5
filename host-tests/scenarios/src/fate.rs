//! What became of a record, in the words of scripts; the same for all hosts.

use std::fmt;

use ottla::message::ErrorCode;
use ottla::{Cause, Doubt, Outcome, Refused};

/// What became of a record.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Fate {
    /// It is in the log, at this offset if anybody said it.
    Written(Option<i64>),
    /// It was handed to the connection, with `acks=0`.
    Sent,
    /// It is not in the log.
    NotWritten(Cause),
    /// Nobody knows.
    Unknown(Cause, Doubt),
    /// It was never accepted.
    Refused(Refused),
}

impl Fate {
    /// What the core says of the record at a place of a run.
    #[must_use]
    pub fn of(outcome: Outcome, place: i64) -> Self {
        match outcome {
            Outcome::Written { base_offset, .. } if base_offset >= 0 => {
                Self::Written(Some(base_offset + place))
            }
            Outcome::Written { .. } => Self::Written(None),
            Outcome::Unacknowledged => Self::Sent,
            Outcome::NotWritten(cause) => Self::NotWritten(cause),
            Outcome::Unknown(cause, doubt) => Self::Unknown(cause, doubt),
        }
    }

    /// The fate of a record that stands so many places behind one of this fate.
    #[must_use]
    pub const fn behind(self, place: i64) -> Self {
        match self {
            Self::Written(Some(offset)) => Self::Written(Some(offset + place)),
            other => other,
        }
    }

    /// Reads the words of a fate. Of what is wrong, which word, and why.
    ///
    /// # Errors
    /// The place of the word at fault, and what it should be.
    pub fn read(words: &[&str]) -> Result<Self, (usize, String)> {
        let word = |place: usize| words.get(place).copied().unwrap_or("");
        let fate = match word(0) {
            "written" if word(1) == "without-offset" => Self::Written(None),
            "written" => {
                let offset = word(1).parse().map_err(|_| (1, "an offset is needed".to_owned()))?;
                Self::Written(Some(offset))
            }
            "sent" => Self::Sent,
            "not-written" => Self::NotWritten(read_cause(word(1)).map_err(|text| (1, text))?),
            "unknown" => {
                let cause = read_cause(word(1)).map_err(|text| (1, text))?;
                Self::Unknown(cause, read_doubt(word(2)).map_err(|text| (2, text))?)
            }
            "refused" => {
                let named = REFUSALS.iter().find(|refused| refusal_word(**refused) == word(1));
                let list: Vec<String> = REFUSALS.iter().copied().map(refusal_word).collect();
                let message = || (1, format!("it has to be one of {}", list.join(", ")));
                Self::Refused(*named.ok_or_else(message)?)
            }
            _ => {
                let text = "it has to be written, sent, not-written, unknown or refused";
                return Err((0, text.to_owned()));
            }
        };
        let length = match fate {
            Self::Sent => 1,
            Self::Written(_) | Self::NotWritten(_) | Self::Refused(_) => 2,
            Self::Unknown(..) => 3,
        };
        if words.len() > length {
            return Err((length, "nothing more is expected here".to_owned()));
        }
        Ok(fate)
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written(Some(offset)) => write!(f, "written {offset}"),
            Self::Written(None) => f.write_str("written without-offset"),
            Self::Sent => f.write_str("sent"),
            Self::NotWritten(cause) => write!(f, "not-written {}", cause_word(*cause)),
            Self::Unknown(cause, doubt) => {
                write!(f, "unknown {} {}", cause_word(*cause), doubt_word(*doubt))
            }
            Self::Refused(refused) => write!(f, "refused {}", refusal_word(*refused)),
        }
    }
}

/// A code by Kafka's name, or by its number if it has none.
#[must_use]
pub fn code_word(code: ErrorCode) -> String {
    match code.name() {
        "UNKNOWN" => code.0.to_string(),
        name => name.to_owned(),
    }
}

/// A code by its name or its number.
///
/// # Errors
/// There is no such code.
pub fn read_code(word: &str) -> Result<ErrorCode, String> {
    let mut codes = (-1..i16::MAX).map(ErrorCode).take_while(|code| code.name() != "UNKNOWN");
    let named = codes.find(|code| code.name() == word);
    let numbered = || word.parse().ok().map(ErrorCode);
    named.or_else(numbered).ok_or_else(|| "it is no error code of Kafka's".to_owned())
}

fn cause_word(cause: Cause) -> String {
    match cause {
        Cause::Timeout => "timeout".to_owned(),
        Cause::Closed => "closed".to_owned(),
        Cause::Dropped => "dropped".to_owned(),
        Cause::Disconnected => "disconnected".to_owned(),
        Cause::StateLost => "state-lost".to_owned(),
        Cause::Code(code) => code_word(code),
        other => format!("{other:?}"),
    }
}

fn read_cause(word: &str) -> Result<Cause, String> {
    Ok(match word {
        "timeout" => Cause::Timeout,
        "closed" => Cause::Closed,
        "dropped" => Cause::Dropped,
        "disconnected" => Cause::Disconnected,
        "state-lost" => Cause::StateLost,
        code => Cause::Code(read_code(code).map_err(|_| {
            "it has to be timeout, closed, dropped, disconnected, state-lost or a code".to_owned()
        })?),
    })
}

fn doubt_word(doubt: Doubt) -> String {
    match doubt {
        Doubt::Disconnected => "disconnected".to_owned(),
        Doubt::Missing => "missing".to_owned(),
        Doubt::Unanswered => "unanswered".to_owned(),
        Doubt::Code(code) => code_word(code),
        other => format!("{other:?}"),
    }
}

fn read_doubt(word: &str) -> Result<Doubt, String> {
    Ok(match word {
        "disconnected" => Doubt::Disconnected,
        "missing" => Doubt::Missing,
        "unanswered" => Doubt::Unanswered,
        code => {
            Doubt::Code(read_code(code).map_err(|_| {
                "it has to be disconnected, missing, unanswered or a code".to_owned()
            })?)
        }
    })
}

/// Refusals that scripts may name.
const REFUSALS: [Refused; 9] = [
    Refused::Full(ottla::error::Full::Memory),
    Refused::Full(ottla::error::Full::Batches),
    Refused::TopicUnknown,
    Refused::PartitionUnknown,
    Refused::LargerThanRequest,
    Refused::LargerThanMemory,
    Refused::Topic(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    Refused::Topic(ErrorCode::TOPIC_AUTHORIZATION_FAILED),
    Refused::Closed,
];

/// A refusal as one word: its name in the code.
fn refusal_word(refused: Refused) -> String {
    match refused {
        Refused::Topic(code) => format!("Topic({})", code_word(code)),
        other => format!("{other:?}").replace(' ', ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fates_are_read_back() {
        let code = ErrorCode::MESSAGE_TOO_LARGE;
        let fates = [
            Fate::Written(Some(7)),
            Fate::Written(None),
            Fate::Sent,
            Fate::NotWritten(Cause::Code(code)),
            Fate::NotWritten(Cause::StateLost),
            Fate::Unknown(Cause::Timeout, Doubt::Code(ErrorCode(4_711))),
            Fate::Unknown(Cause::Closed, Doubt::Unanswered),
        ];
        for fate in fates.into_iter().chain(REFUSALS.map(Fate::Refused)) {
            let text = fate.to_string();
            let words: Vec<&str> = text.split(' ').collect();
            assert_eq!(Fate::read(&words), Ok(fate), "{text}");
        }
    }

    #[test]
    fn the_word_at_fault_is_named() {
        let fault = |text: &str| {
            Fate::read(&text.split(' ').collect::<Vec<_>>()).map_err(|(place, _)| place)
        };
        assert_eq!(fault("lost"), Err(0));
        assert_eq!(fault("written soon"), Err(1));
        assert_eq!(fault("unknown timeout NO_SUCH_CODE"), Err(2));
        assert_eq!(fault("written 3 or 4"), Err(2));
    }
}
