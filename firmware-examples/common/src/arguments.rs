//! `key=value` words, as tests pass them to an image.

/// The words of a command line.
#[derive(Clone, Copy)]
pub struct Arguments(&'static str);

impl Arguments {
    /// The words of `line`.
    #[must_use]
    pub const fn new(line: &'static str) -> Self {
        Self(line)
    }

    /// The value behind `key=`.
    #[must_use]
    pub fn text(self, key: &str) -> Option<&'static str> {
        self.0.split_ascii_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }

    /// The number behind `key=`, or `default`.
    #[must_use]
    pub fn number(self, key: &str, default: u32) -> u32 {
        self.text(key).and_then(|text| text.parse().ok()).unwrap_or(default)
    }

    /// The `host:port` behind `key=`.
    #[must_use]
    pub fn address(self, key: &str) -> Option<(&'static str, u16)> {
        let (host, port) = self.text(key)?.rsplit_once(':')?;
        Some((host, port.parse().ok()?))
    }

    /// Whether `word` is there.
    #[must_use]
    pub fn has(self, word: &str) -> bool {
        self.0.split_ascii_whitespace().any(|other| other == word)
    }
}
