//! Being asked to stop: Ctrl-C, and what service managers send.

use std::io;

#[cfg(unix)]
use tokio::signal::unix;

/// Waits for signals.
#[derive(Debug)]
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: unix::Signal,
    #[cfg(unix)]
    terminate: unix::Signal,
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
            interrupt: unix::signal(unix::SignalKind::interrupt())?,
            #[cfg(unix)]
            terminate: unix::signal(unix::SignalKind::terminate())?,
        })
    }

    /// The next one, as the code that the process should end with.
    pub(crate) async fn next(&mut self) -> io::Result<u8> {
        #[cfg(unix)]
        return tokio::select! {
            _ = self.interrupt.recv() => Ok(INTERRUPT),
            _ = self.terminate.recv() => Ok(TERMINATE),
        };
        #[cfg(not(unix))]
        tokio::signal::ctrl_c().await.map(|()| INTERRUPT)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    /// It would end this process.
    #[tokio::test]
    async fn a_signal_before_the_first_wait_is_not_lost() {
        for (signal, code) in [(Signal::INT, INTERRUPT), (Signal::TERM, TERMINATE)] {
            let mut signals = Signals::new().unwrap();
            kill_process(getpid(), signal).unwrap();
            assert_eq!(signals.next().await.unwrap(), code);
        }
    }
}
