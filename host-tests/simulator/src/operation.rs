//! What happens in a run, as a list that can be read, cut, saved and run again.

use std::fmt;
use std::str::FromStr;

use crate::fault::Fault;

/// What is done.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// An application sends records.
    Send,
    /// An application makes what it sent due.
    Flush,
    /// Something goes wrong.
    Fault(Fault),
}

/// Something that is done at a time. What the numbers mean is the kind's affair; each is taken
/// modulo what there is, so that any numbers make sense in any world.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct Operation {
    /// When, in microseconds since the start.
    pub at: u64,
    /// What.
    pub kind: Kind,
    /// Whose: a client, or a node for what happens to brokers.
    pub who: u32,
    /// Which: a connection, a partition, a code ...
    pub what: u32,
    /// How much or how long, in bytes, records or microseconds.
    pub span: u64,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, who, what, span, .. } = self;
        let kind = match self.kind {
            Kind::Send => "send",
            Kind::Flush => "flush",
            Kind::Fault(fault) => fault.name(),
        };
        write!(f, "{at:>12} {kind} who={who} what={what} span={span}")
    }
}

impl FromStr for Operation {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let mut words = line.split_whitespace();
        let number = |text: &str| text.parse::<u64>().map_err(|_| format!("no number: {text}"));
        let at = number(words.next().ok_or("no time")?)?;
        let kind = match words.next().ok_or("no operation")? {
            "send" => Kind::Send,
            "flush" => Kind::Flush,
            name => Kind::Fault(Fault::of(name).ok_or(format!("no such operation: {name}"))?),
        };
        let mut operation = Self { at, kind, who: 0, what: 0, span: 0 };
        for word in words {
            let (name, value) = word.split_once('=').ok_or(format!("no name=value: {word}"))?;
            let value = number(value)?;
            let small = || u32::try_from(value).map_err(|_| format!("too large: {word}"));
            match name {
                "who" => operation.who = small()?,
                "what" => operation.what = small()?,
                "span" => operation.span = value,
                _ => return Err(format!("who, what or span, not {name}")),
            }
        }
        Ok(operation)
    }
}

/// A run as a script: the seed, from which the world is drawn, and what is done in it.
#[must_use]
pub fn script(seed: u64, operations: &[Operation]) -> String {
    let lines = operations.iter().map(|operation| format!("{operation}\n"));
    format!("seed {seed}\n{}", lines.collect::<String>())
}

/// Reads a script. Empty lines and those that begin with `#` say nothing.
///
/// # Errors
/// What is wrong with it.
pub fn read_script(text: &str) -> Result<(u64, Vec<Operation>), String> {
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    let seed = lines.next().and_then(|line| line.strip_prefix("seed ")?.parse().ok());
    let seed = seed.ok_or("the first line is not `seed NUMBER`")?;
    Ok((seed, lines.map(str::parse).collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_read_back() {
        let kinds = [Kind::Send, Kind::Flush, Kind::Fault(Fault::Late)];
        let operation = |(at, kind)| Operation { at, kind, who: 3, what: u32::MAX, span: 1 << 40 };
        let operations: Vec<_> = (5..).zip(kinds).map(operation).collect();
        let text = format!("# found today\n\n{}", script(7, &operations));
        assert_eq!(read_script(&text), Ok((7, operations)));
    }

    #[test]
    fn faults_of_scripts_are_told() {
        for text in ["", "seed x", "seed 1\n5", "seed 1\n5 burn", "seed 1\n5 kill who"] {
            assert!(read_script(text).is_err(), "{text}");
        }
        assert!(read_script("seed 1\n5 kill when=3").is_err());
    }
}
