//! What the tool ends with.

use std::fmt;

/// Everything is written, and all is as it should be.
pub(crate) const DONE: u8 = 0;

/// Something is not written or not as it should be, or the command could not be carried out.
pub(crate) const FAILED: u8 = 1;

/// The command line or the settings are wrong; nothing was begun. So does clap.
pub(crate) const USAGE: u8 = 2;

/// Ctrl-C, as shells have it: 128 and the number of the signal.
pub(crate) const INTERRUPTED: u8 = 130;

/// SIGTERM, likewise.
#[cfg(unix)]
pub(crate) const TERMINATED: u8 = 143;

/// Something in the command line or the settings is wrong: an error that ends with [`USAGE`].
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// What an error ends with.
pub(crate) fn code(error: &anyhow::Error) -> u8 {
    if error.is::<Usage>() { USAGE } else { FAILED }
}
