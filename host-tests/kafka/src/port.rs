//! Ports for nodes that stay theirs over a restart.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

use anyhow::{Context, Result, bail};

use crate::cache;

/// Below the range from which systems take the local ports of outgoing connections. A client that
/// keeps trying to reach a stopped node from that range would in time be given the node's own port,
/// and be connected to itself.
const CANDIDATES: Range<u16> = 20_000..30_000;

/// A port of the loopback address that was free when it was reserved, and that no other harness
/// takes while this lives.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// Locked, and by that the reservation.
    _reservation: File,
}

impl Port {
    /// Reserves one.
    pub fn reserve() -> Result<Port> {
        let directory = cache::directory()?.join("ports");
        fs::create_dir_all(&directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
        for number in CANDIDATES {
            let reservation = cache::lock_file(&directory.join(number.to_string()))?;
            if reservation.try_lock().is_ok()
                && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok()
            {
                return Ok(Port { number, _reservation: reservation });
            }
        }
        bail!("no free port in {CANDIDATES:?}")
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_port_is_free_and_not_reserved_again() {
        let first = Port::reserve().unwrap();
        let second = Port::reserve().unwrap();
        assert_ne!(first.number(), second.number());
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, first.number())).is_ok());
    }
}
