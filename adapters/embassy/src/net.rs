//! Links over TCP by `embassy-net`. What the core lends is copied once, straight into the
//! socket's ring.

use embassy_net::tcp::{TcpReader, TcpSocket, TcpWriter};
use embassy_net::{IpAddress, Stack};
use embassy_time::{Duration, Instant, with_deadline};
use ottla::Reason;

use crate::transport::{Connection, Connector, Input, Output, Target};

/// How long a connection that is over waits until its peer knows.
const FAREWELL: Duration = Duration::from_secs(1);

/// The buffers of a link's socket, to be kept in a `static`.
#[derive(Debug)]
pub struct TcpBuffers<const RECEIVE: usize, const SEND: usize> {
    receive: [u8; RECEIVE],
    send: [u8; SEND],
}

impl<const RECEIVE: usize, const SEND: usize> TcpBuffers<RECEIVE, SEND> {
    /// Empty buffers: zero bits.
    #[must_use]
    pub const fn new() -> Self {
        Self { receive: [0; RECEIVE], send: [0; SEND] }
    }
}

impl<const RECEIVE: usize, const SEND: usize> Default for TcpBuffers<RECEIVE, SEND> {
    fn default() -> Self {
        Self::new()
    }
}

/// A link over TCP. Needs one socket of the stack's; with host names in use the stack needs one
/// more for DNS.
///
/// All addresses that a name resolves to are tried, one after another; after one that did not
/// answer until the time to connect was over, the next attempt begins with the next. smoltcp keeps
/// one address of an answer unless its feature `dns-max-result-count-…` allows more.
#[expect(missing_debug_implementations, reason = "a stack has none")]
pub struct Tcp<'d> {
    stack: Stack<'d>,
    /// Which address of a host is tried next.
    turn: u8,
    receive: &'d mut [u8],
    send: &'d mut [u8],
}

impl<'d> Tcp<'d> {
    /// A link that connects by `stack`.
    pub fn new<const RECEIVE: usize, const SEND: usize>(
        stack: Stack<'d>,
        buffers: &'d mut TcpBuffers<RECEIVE, SEND>,
    ) -> Self {
        Self { stack, turn: 0, receive: &mut buffers.receive, send: &mut buffers.send }
    }
}

impl Connector for Tcp<'_> {
    type Connection<'a>
        = TcpSocket<'a>
    where
        Self: 'a;

    async fn connect(&mut self, target: Target<'_>) -> Result<TcpSocket<'_>, Reason> {
        self.stack.wait_config_up().await;
        #[cfg(feature = "dns")]
        // It knows addresses in numbers, too.
        let found = self.stack.dns_query(target.host, embassy_net::dns::DnsQueryType::A).await;
        #[cfg(not(feature = "dns"))]
        let found = target.host.parse().map(|address| [IpAddress::Ipv4(address)]);
        let Ok(addresses) = found else { return Err(Reason::Unresolved) };
        let mut socket = TcpSocket::new(self.stack, self.receive, self.send);
        // Requests go out whole; what is small must not wait for an answer.
        socket.set_nagle_enabled(false);
        let mut reason = Reason::Unresolved;
        for _ in &addresses {
            let Some(address) = in_turn(&addresses, self.turn) else { break };
            // If this takes too long, it is dropped: then the next attempt is for the next one.
            self.turn = self.turn.wrapping_add(1);
            match socket.connect((address, target.port)).await {
                Ok(()) => {
                    self.turn = self.turn.wrapping_sub(1);
                    return Ok(socket);
                }
                Err(_) => reason = Reason::Refused,
            }
        }
        Err(reason)
    }
}

fn in_turn(addresses: &[IpAddress], turn: u8) -> Option<IpAddress> {
    addresses.get(usize::from(turn).checked_rem(addresses.len())?).copied()
}

impl Connection for TcpSocket<'_> {
    type Input<'a>
        = TcpReader<'a>
    where
        Self: 'a;
    type Output<'a>
        = TcpWriter<'a>
    where
        Self: 'a;

    fn split(&mut self) -> (TcpReader<'_>, TcpWriter<'_>) {
        TcpSocket::split(self)
    }

    /// Says goodbye: a socket that is only dropped leaves the broker with half a connection.
    async fn end(&mut self) {
        self.close();
        let _ = with_deadline(Instant::now().saturating_add(FAREWELL), self.flush()).await;
    }
}

impl Input for TcpReader<'_> {
    async fn read_with(&mut self, take: impl FnOnce(&[u8])) -> Result<(), Reason> {
        let read = TcpReader::read_with(self, |bytes| {
            take(bytes);
            (bytes.len(), ())
        });
        read.await.map_err(|_| Reason::Disconnected)
    }
}

impl Output for TcpWriter<'_> {
    async fn write_with(&mut self, fill: impl FnOnce(&mut [u8]) -> usize) -> Result<(), Reason> {
        let written = TcpWriter::write_with(self, |room| (fill(room), ()));
        written.await.map_err(|_| Reason::Disconnected)
    }
}

#[cfg(test)]
mod tests {
    use embassy_net::IpAddress;

    use super::in_turn;

    #[test]
    fn addresses_take_turns_and_none_is_none() {
        let addresses = [IpAddress::v4(10, 0, 0, 1), IpAddress::v4(10, 0, 0, 2)];
        let turns: [_; 4] =
            core::array::from_fn(|turn| in_turn(&addresses, 254_u8.wrapping_add(turn as u8)));
        assert_eq!(turns, [addresses[0], addresses[1], addresses[0], addresses[1]].map(Some));
        assert_eq!(in_turn(&[], 3), None);
    }
}
