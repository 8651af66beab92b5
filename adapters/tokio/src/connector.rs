//! How connections are made: over TCP, or however a [`Connector`] does it.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use ottla::Reason;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::{Instant, sleep_until};

/// A connection that is being made.
pub type Connecting<S> = Pin<Box<dyn Future<Output = Result<S, ConnectError>> + Send>>;

/// Makes connections to brokers.
///
/// A producer has one for all of its brokers, and polls what it returns in its I/O task. A
/// connection that takes longer than `socket.connection.setup.timeout.ms` is dropped.
pub trait Connector: Send + 'static {
    /// A connection. What is written to it in one [`AsyncWrite::poll_write_vectored`] is a
    /// request, or a part of one, up to 256 KiB.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Connects to `host` (a name or an address, without brackets) and `port`.
    fn connect(&self, host: &str, port: u16) -> Connecting<Self::Stream>;
}

/// Why no connection was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectError {
    reason: Reason,
    detail: String,
}

impl ConnectError {
    /// An error for a `reason`, of which [`Reason::Unresolved`] and [`Reason::Refused`] are a
    /// connector's; `detail` is for people, and may be empty.
    #[must_use]
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// What the operating system, or the connector, said.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", self.detail) }
    }
}

impl std::error::Error for ConnectError {}

/// Connects over TCP, without TLS.
///
/// Every address that a name resolves to is tried, in the resolver's order: the next one when
/// one fails, or has not answered after 250 ms, while the earlier ones go on (RFC 8305). The
/// first connection that is made is used.
#[derive(Copy, Clone, Default, PartialEq, Eq, Debug)]
pub struct TcpConnector {
    /// Bytes of the socket's send buffer (`send.buffer.bytes`); none: the system's own choice.
    pub send_buffer: Option<u32>,
    /// Bytes of the socket's receive buffer (`receive.buffer.bytes`), likewise.
    pub receive_buffer: Option<u32>,
}

/// After this long without an answer the next address is tried, too.
const NEXT_ADDRESS: Duration = Duration::from_millis(250);

impl Connector for TcpConnector {
    type Stream = TcpStream;

    fn connect(&self, host: &str, port: u16) -> Connecting<TcpStream> {
        let (connector, host) = (*self, host.to_owned());
        Box::pin(async move {
            let addresses = match lookup_host((host.as_str(), port)).await {
                Ok(addresses) => addresses.collect::<Vec<_>>(),
                Err(error) => return Err(ConnectError::new(Reason::Unresolved, error.to_string())),
            };
            connector.first_of(addresses).await
        })
    }
}

impl TcpConnector {
    async fn open(self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(bytes) = self.send_buffer {
            socket.set_send_buffer_size(bytes)?;
        }
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.set_nodelay(true)?;
        socket.connect(address).await
    }

    /// The first connection that any of `addresses` accepts.
    async fn first_of(self, addresses: Vec<SocketAddr>) -> Result<TcpStream, ConnectError> {
        if addresses.is_empty() {
            return Err(ConnectError::new(Reason::Unresolved, "no address"));
        }
        let attempts = addresses.into_iter().map(|address| async move {
            self.open(address).await.map_err(|error| format!("{address}: {error}"))
        });
        let first = first_of(attempts, NEXT_ADDRESS).await;
        first.map_err(|failures| ConnectError::new(Reason::Refused, failures.join(", ")))
    }
}

/// The first of several attempts that comes about, for connectors that know several addresses. The
/// next one is begun when one fails, or when the last one has given no result for `pause`, while the
/// earlier ones go on (RFC 8305). When one succeeds the others are dropped.
///
/// # Errors
/// Why each of them failed, in the order in which they did; nothing if there was none.
pub async fn first_of<T, E, A>(
    attempts: impl IntoIterator<Item = A>,
    pause: Duration,
) -> Result<T, Vec<E>>
where
    A: Future<Output = Result<T, E>>,
{
    let mut waiting = attempts.into_iter();
    let mut trying: Vec<Pin<Box<A>>> = Vec::new();
    let mut failures = Vec::new();
    let mut next = Box::pin(sleep_until(Instant::now()));
    poll_fn(move |cx| {
        loop {
            let before = failures.len();
            let mut made = None;
            trying.retain_mut(|attempt| {
                match attempt.as_mut().poll(cx) {
                    Poll::Pending => return true,
                    Poll::Ready(Ok(success)) => made = Some(success),
                    Poll::Ready(Err(failure)) => failures.push(failure),
                }
                false
            });
            if let Some(success) = made {
                return Poll::Ready(Ok(success));
            }
            let is_due =
                failures.len() > before || trying.is_empty() || next.as_mut().poll(cx).is_ready();
            match if is_due { waiting.next() } else { None } {
                Some(attempt) => {
                    trying.push(Box::pin(attempt));
                    next.as_mut().reset(Instant::now() + pause);
                }
                None if trying.is_empty() => return Poll::Ready(Err(mem::take(&mut failures))),
                None => return Poll::Pending,
            }
        }
    })
    .await
}

// Elsewhere not all of 127.0.0.0/8 is this machine's.
#[cfg(all(test, target_os = "linux"))]
mod tests {
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;

    /// An address at which nobody listens.
    async fn closed(host: &str) -> SocketAddr {
        TcpListener::bind((host, 0)).await.unwrap().local_addr().unwrap()
    }

    /// An address that does not answer: whoever listens has all the callers that it can hold.
    async fn silent() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.3:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut callers = Vec::new();
        while let Ok(caller) = timeout(NEXT_ADDRESS, TcpStream::connect(address)).await {
            callers.push(caller.unwrap());
        }
        (address, listener, callers)
    }

    #[tokio::test]
    async fn all_addresses_are_tried_before_the_one_that_answers() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let (silent, _listener, _callers) = silent().await;
        let addresses = vec![closed("127.0.0.2").await, silent, closed("127.0.0.1").await, good];
        let began = Instant::now();
        let stream = TcpConnector::default().first_of(addresses).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        // Only the silent one was waited for.
        assert!(began.elapsed() >= NEXT_ADDRESS, "{:?}", began.elapsed());
        listener.accept().await.unwrap();
    }

    #[tokio::test]
    async fn a_refusal_names_all_addresses_that_were_tried() {
        let addresses = [closed("127.0.0.2").await, closed("127.0.0.1").await];
        let error = TcpConnector::default().first_of(addresses.to_vec()).await.unwrap_err();
        assert_eq!(error.reason(), Reason::Refused);
        let detail = error.detail();
        assert!(addresses.iter().all(|a| detail.contains(&format!("{a}: "))), "{detail}");
        let error = TcpConnector::default().first_of(Vec::new()).await.unwrap_err();
        assert_eq!(error, ConnectError::new(Reason::Unresolved, "no address"));
    }
}
