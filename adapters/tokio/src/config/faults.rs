//! What is wrong with settings, and what is only to be known of them.

use std::error::Error;
use std::fmt;

/// All that is wrong with a configuration, at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError {
    problems: Vec<ConfigProblem>,
}

/// One fault of a configuration, or a warning: a key that does nothing here, or a value that is not
/// used as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigProblem {
    key: String,
    message: String,
}

impl ConfigProblem {
    /// What there is to be said of a key.
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into() }
    }

    /// The key that it is about, such as `linger.ms`.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What is wrong with it, or what becomes of it here.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl ConfigError {
    /// An error, if there is any fault: for settings of what is built beside a producer.
    ///
    /// # Errors
    /// The faults.
    pub fn check(problems: Vec<ConfigProblem>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self { problems }) }
    }

    /// The faults; at least one.
    #[must_use]
    pub fn problems(&self) -> &[ConfigProblem] {
        &self.problems
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is not valid")?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl Error for ConfigError {}
