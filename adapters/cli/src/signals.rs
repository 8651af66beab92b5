//! Being asked to stop: Ctrl-C, and what service managers send.

use std::io;

/// Waits for signals.
#[derive(Debug)]
pub(crate) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

/// Ctrl-C, and SIGTERM, as shells have them: 128 and the number of the signal.
const INTERRUPT: u8 = crate::exit::INTERRUPTED;
#[cfg(unix)]
const TERMINATE: u8 = crate::exit::TERMINATED;

impl Signals {
    /// From now on they do not end the process.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?,
        })
    }

    /// The next one, as the code that the process should end with.
    pub(crate) async fn next(&mut self) -> io::Result<u8> {
        #[cfg(unix)]
        return tokio::select! {
            signal = tokio::signal::ctrl_c() => signal.map(|()| INTERRUPT),
            _ = self.terminate.recv() => Ok(TERMINATE),
        };
        #[cfg(not(unix))]
        tokio::signal::ctrl_c().await.map(|()| INTERRUPT)
    }
}
