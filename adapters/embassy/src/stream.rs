//! Links over any stream of `embedded-io-async`: a modem, a serial line, a TLS session.

use embedded_io_async::{Read, Write};
use ottla::Reason;

use crate::transport::{Connection, Connector, Input, Output, Target};

/// Opens streams: what a user writes for a transport of their own.
#[allow(async_fn_in_trait, reason = "futures of one executor need not be Send")]
pub trait Open {
    /// The half that is read.
    type Reader<'a>: Read
    where
        Self: 'a;
    /// The half that is written.
    type Writer<'a>: Write
    where
        Self: 'a;

    /// Opens a stream to a broker.
    ///
    /// # Errors
    /// As [`Connector::connect`].
    async fn open(
        &mut self,
        target: Target<'_>,
    ) -> Result<(Self::Reader<'_>, Self::Writer<'_>), Reason>;
}

/// Links over the streams of an [`Open`], with a buffer of `RECEIVE` bytes to read into, and one
/// of `STAGE` bytes, at least 64, in which output is put together.
#[derive(Debug)]
pub struct Streams<T, const RECEIVE: usize, const STAGE: usize> {
    open: T,
    receive: [u8; RECEIVE],
    stage: [u8; STAGE],
}

impl<T, const RECEIVE: usize, const STAGE: usize> Streams<T, RECEIVE, STAGE> {
    /// A link over the streams of `open`.
    pub const fn new(open: T) -> Self {
        const { assert!(RECEIVE > 0 && STAGE >= 64) }
        Self { open, receive: [0; RECEIVE], stage: [0; STAGE] }
    }
}

/// A stream that is open, with its buffers.
#[derive(Debug)]
pub struct Stream<'a, R, W> {
    reader: R,
    writer: W,
    receive: &'a mut [u8],
    stage: &'a mut [u8],
}

/// The half of a stream that is read.
#[derive(Debug)]
pub struct StreamInput<'a, R> {
    reader: &'a mut R,
    buffer: &'a mut [u8],
}

/// The half of a stream that is written.
#[derive(Debug)]
pub struct StreamOutput<'a, W> {
    writer: &'a mut W,
    stage: &'a mut [u8],
}

impl<T: Open, const RECEIVE: usize, const STAGE: usize> Connector for Streams<T, RECEIVE, STAGE> {
    type Connection<'a>
        = Stream<'a, T::Reader<'a>, T::Writer<'a>>
    where
        Self: 'a;

    async fn connect(&mut self, target: Target<'_>) -> Result<Self::Connection<'_>, Reason> {
        let (reader, writer) = self.open.open(target).await?;
        Ok(Stream { reader, writer, receive: &mut self.receive, stage: &mut self.stage })
    }
}

impl<R: Read, W: Write> Connection for Stream<'_, R, W> {
    type Input<'a>
        = StreamInput<'a, R>
    where
        Self: 'a;
    type Output<'a>
        = StreamOutput<'a, W>
    where
        Self: 'a;

    fn split(&mut self) -> (Self::Input<'_>, Self::Output<'_>) {
        let input = StreamInput { reader: &mut self.reader, buffer: &mut *self.receive };
        (input, StreamOutput { writer: &mut self.writer, stage: &mut *self.stage })
    }
}

impl<R: Read> Input for StreamInput<'_, R> {
    async fn read_with(&mut self, take: impl FnOnce(&[u8])) -> Result<(), Reason> {
        match self.reader.read(self.buffer).await {
            Ok(count) if count > 0 => {
                take(self.buffer.get(..count).unwrap_or(&[]));
                Ok(())
            }
            _ => Err(Reason::Disconnected),
        }
    }
}

impl<W: Write> Output for StreamOutput<'_, W> {
    async fn write_with(&mut self, fill: impl FnOnce(&mut [u8]) -> usize) -> Result<(), Reason> {
        let count = fill(self.stage);
        let staged = self.stage.get(..count).unwrap_or(&[]);
        let written = async {
            self.writer.write_all(staged).await?;
            self.writer.flush().await
        };
        written.await.map_err(|_| Reason::Disconnected)
    }
}
