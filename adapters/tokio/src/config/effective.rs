//! The settings in effect, by Java's names.

use std::fmt;

use super::{Config, keys};

/// The settings in effect, sorted by key: [`Config::effective`].
///
/// It has every key that has an effect here, and those without one that were set. `Display`
/// prints one a line, aligned; no password is among them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Effective {
    settings: Vec<Setting>,
}

/// A key and its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    key: &'static str,
    value: String,
    source: Source,
}

/// Where a value comes from.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Source {
    /// It is the default.
    Default,
    /// It was set.
    Set,
    /// It follows from other settings, or was made up by the producer when it started: `client.id`.
    Derived,
}

impl Setting {
    /// Java's name of the key.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        self.key
    }

    /// The value, as it would be written in a file of properties; `[hidden]` for a password.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Where it comes from.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }
}

impl Effective {
    pub(super) fn of(config: &Config) -> Self {
        let settings = keys::all().filter_map(|key| {
            let given = config.given.get(key.name);
            if key.is_ignored() {
                let value = given?.clone();
                return Some(Setting { key: key.name, value, source: Source::Set });
            }
            let value = key.shown(config);
            let source = match given {
                Some(_) => Source::Set,
                None if value == key.default => Source::Default,
                None => Source::Derived,
            };
            Some(Setting { key: key.name, value, source })
        });
        let mut settings: Vec<Setting> = settings.collect();
        settings.sort_unstable_by_key(|setting| setting.key);
        Self { settings }
    }

    /// All of them, sorted by key.
    pub fn iter(&self) -> std::slice::Iter<'_, Setting> {
        self.settings.iter()
    }

    /// The setting called `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.key == key)
    }
}

impl IntoIterator for Effective {
    type Item = Setting;
    type IntoIter = std::vec::IntoIter<Setting>;

    fn into_iter(self) -> Self::IntoIter {
        self.settings.into_iter()
    }
}

impl<'a> IntoIterator for &'a Effective {
    type Item = &'a Setting;
    type IntoIter = std::slice::Iter<'a, Setting>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Default => "default",
            Self::Set => "set",
            Self::Derived => "derived",
        })
    }
}

impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.settings.iter().map(|setting| setting.key.len()).max().unwrap_or(0);
        for (place, Setting { key, value, source }) in self.settings.iter().enumerate() {
            let end = if place == 0 { "" } else { "\n" };
            // What is set may be long, so it stands last.
            write!(f, "{end}{key:width$}  {source:7}")?;
            if !value.is_empty() {
                write!(f, "  {value}")?;
            }
        }
        Ok(())
    }
}
