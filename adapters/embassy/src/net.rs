//! Links over TCP by `embassy-net`. What the core lends is copied once, straight into the
//! socket's ring.

use embassy_net::Stack;
use embassy_net::tcp::{TcpReader, TcpSocket, TcpWriter};
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
#[expect(missing_debug_implementations, reason = "a stack has none")]
pub struct Tcp<'d> {
    stack: Stack<'d>,
    receive: &'d mut [u8],
    send: &'d mut [u8],
}

impl<'d> Tcp<'d> {
    /// A link that connects by `stack`.
    pub fn new<const RECEIVE: usize, const SEND: usize>(
        stack: Stack<'d>,
        buffers: &'d mut TcpBuffers<RECEIVE, SEND>,
    ) -> Self {
        Self { stack, receive: &mut buffers.receive, send: &mut buffers.send }
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
        let address = {
            // It knows addresses in numbers, too.
            let found = self.stack.dns_query(target.host, embassy_net::dns::DnsQueryType::A).await;
            found.ok().and_then(|found| found.first().copied())
        };
        #[cfg(not(feature = "dns"))]
        let address = target.host.parse().ok().map(embassy_net::IpAddress::Ipv4);
        let Some(address) = address else { return Err(Reason::Unresolved) };
        let mut socket = TcpSocket::new(self.stack, self.receive, self.send);
        // Requests go out whole; what is small must not wait for an answer.
        socket.set_nagle_enabled(false);
        match socket.connect((address, target.port)).await {
            Ok(()) => Ok(socket),
            Err(_) => Err(Reason::Refused),
        }
    }
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
