//! What the tool ends with.

/// Everything is written, and all is as it should be.
pub(crate) const DONE: u8 = 0;

/// Something is not written or not as it should be, or the command could not be carried out.
/// Wrong usage ends with 2, by clap.
pub(crate) const FAILED: u8 = 1;

/// Ctrl-C, as shells have it: 128 and the number of the signal.
pub(crate) const INTERRUPTED: u8 = 130;
