//! What is wrong with settings, and what is only to be known of them.

use std::error::Error;
use std::fmt;

/// All that is wrong with a configuration, at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError {
    pub(super) problems: Vec<ConfigProblem>,
}

/// One fault of a configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigProblem {
    key: String,
    message: String,
}

impl ConfigProblem {
    pub(super) fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into() }
    }

    /// The key at fault, such as `linger.ms`.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What is wrong with it.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl ConfigError {
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

/// Something to be known of a configuration that is sound: a key that does nothing here, or a
/// value that is not used as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigWarning {
    key: String,
    message: String,
}

impl ConfigWarning {
    pub(super) fn new(key: String, message: String) -> Self {
        Self { key, message }
    }

    /// The key that it is about, such as `interceptor.classes`.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What becomes of it here.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for ConfigWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}
