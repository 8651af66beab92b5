//! Connections within the process, for tests: with paused time they need no real second.

use std::fmt;

use ottla::Reason;
use tokio::io::DuplexStream;
use tokio::sync::{mpsc, oneshot};

use crate::connector::{ConnectError, Connecting, Connector};

/// Connects to the [`DuplexListener`] that was made with it by [`duplex`].
#[derive(Debug)]
pub struct DuplexConnector {
    calls: mpsc::UnboundedSender<Incoming>,
}

/// Takes the connections that a [`DuplexConnector`] makes. Once it is dropped, they are refused.
#[derive(Debug)]
pub struct DuplexListener {
    calls: mpsc::UnboundedReceiver<Incoming>,
}

/// A connection that is asked for. Dropped, it is refused.
pub struct Incoming {
    host: String,
    port: u16,
    answer: oneshot::Sender<Result<DuplexStream, ConnectError>>,
}

/// A connector whose connections end in this process.
///
/// ```
/// use ottla_tokio::{Config, Producer, duplex};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (connector, mut listener) = duplex();
/// let config = Config::builder().bootstrap_servers("kafka:9092").config()?;
/// let producer = Producer::with_connector(config, connector);
/// // It connects when there is something to ask.
/// let topic = producer.topic("readings")?;
/// let call = listener.accept().await.expect("the producer is there");
/// assert_eq!((call.host(), call.port()), ("kafka", 9092));
/// let broker_end = call.accept(64 * 1024);
/// # drop((broker_end, topic));
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn duplex() -> (DuplexConnector, DuplexListener) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (DuplexConnector { calls: sender }, DuplexListener { calls: receiver })
}

impl Connector for DuplexConnector {
    type Stream = DuplexStream;

    fn connect(&self, host: &str, port: u16) -> Connecting<DuplexStream> {
        let (answer, stream) = oneshot::channel();
        // If nobody listens, the call is dropped, and that is the answer.
        let _ = self.calls.send(Incoming { host: host.to_owned(), port, answer });
        Box::pin(async move {
            stream.await.unwrap_or_else(|_| Err(ConnectError::new(Reason::Refused, "")))
        })
    }
}

impl DuplexListener {
    /// The next connection that is asked for; none once the producer is gone.
    pub async fn accept(&mut self) -> Option<Incoming> {
        self.calls.recv().await
    }
}

impl Incoming {
    /// The host that the producer wants.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Makes the connection, with a buffer of `bytes` bytes each way, and returns its other end.
    #[must_use]
    pub fn accept(self, bytes: usize) -> DuplexStream {
        let (near, far) = tokio::io::duplex(bytes);
        // If the producer has given up meanwhile, the far end sees the end of the stream.
        let _ = self.answer.send(Ok(near));
        far
    }

    /// Makes no connection.
    pub fn refuse(self, error: ConnectError) {
        let _ = self.answer.send(Err(error));
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incoming({}:{})", self.host, self.port)
    }
}
