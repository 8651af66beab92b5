//! Connectors over the network in memory: one that lends odd pieces, and one for
//! `embedded-io-async`.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;

use embassy_time::Timer;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use ottla::Reason;
use ottla_embassy::stream::Open;
use ottla_embassy::transport::{Connection, Connector, Input, Output, Target};

use crate::net::Net;

type Shared = Rc<RefCell<Net>>;

/// A connection, given up when it is dropped.
struct Line {
    net: Shared,
    wire: u32,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.net.borrow_mut().hang_up(self.wire);
    }
}

async fn connect(net: &Shared, target: Target<'_>) -> Result<Rc<Line>, Reason> {
    Timer::after_millis(1).await;
    if net.borrow().stuck {
        std::future::pending::<()>().await;
    }
    let wire = net.borrow_mut().connect(target.host, target.port)?;
    Ok(Rc::new(Line { net: Rc::clone(net), wire }))
}

impl Line {
    async fn read(&self, max: usize) -> Result<Vec<u8>, Reason> {
        poll_fn(|cx| self.net.borrow_mut().poll_read(self.wire, max, cx)).await
    }

    async fn room(&self) -> Result<usize, Reason> {
        poll_fn(|cx| self.net.borrow_mut().poll_room(self.wire, cx)).await
    }
}

/// Sizes from 1 to a largest one, in turn.
#[derive(Clone, Debug)]
struct Sizes {
    largest: usize,
    last: usize,
}

impl Sizes {
    fn next(&mut self) -> usize {
        self.last = self.last % self.largest + 1;
        self.last
    }
}

/// Lends pieces of 1 to so many bytes.
#[derive(Clone)]
pub(crate) struct Direct {
    net: Shared,
    read: Sizes,
    write: Sizes,
}

impl Direct {
    pub(crate) fn new(net: &Shared, read: usize, write: usize) -> Self {
        let sizes = |largest| Sizes { largest, last: 0 };
        Self { net: Rc::clone(net), read: sizes(read), write: sizes(write) }
    }
}

pub(crate) struct Made {
    line: Rc<Line>,
    read: Sizes,
    write: Sizes,
}

pub(crate) struct Half {
    line: Rc<Line>,
    sizes: Sizes,
}

impl Connector for Direct {
    type Connection<'a> = Made;

    async fn connect(&mut self, target: Target<'_>) -> Result<Made, Reason> {
        let line = connect(&self.net, target).await?;
        Ok(Made { line, read: self.read.clone(), write: self.write.clone() })
    }
}

impl Connection for Made {
    type Input<'a> = Half;
    type Output<'a> = Half;

    fn split(&mut self) -> (Half, Half) {
        let half = |sizes: &Sizes| Half { line: Rc::clone(&self.line), sizes: sizes.clone() };
        (half(&self.read), half(&self.write))
    }

    async fn end(&mut self) {
        Timer::after_millis(1).await;
    }
}

impl Input for Half {
    async fn read_with(&mut self, take: impl FnOnce(&[u8])) -> Result<(), Reason> {
        let bytes = self.line.read(self.sizes.next()).await?;
        take(&bytes);
        Ok(())
    }
}

impl Output for Half {
    async fn write_with(&mut self, fill: impl FnOnce(&mut [u8]) -> usize) -> Result<(), Reason> {
        let room = self.line.room().await?.min(self.sizes.next());
        let mut bytes = vec![0; room];
        let count = fill(&mut bytes);
        self.line.net.borrow_mut().write(self.line.wire, &bytes[..count]);
        Ok(())
    }
}

/// Opens streams that read at most 5 bytes at a time, and write at most 11.
#[derive(Clone)]
pub(crate) struct Opener(pub(crate) Shared);

#[derive(Debug)]
pub(crate) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken")
    }
}

impl std::error::Error for Broken {}

impl embedded_io_async::Error for Broken {
    fn kind(&self) -> ErrorKind {
        ErrorKind::ConnectionReset
    }
}

impl ErrorType for Half {
    type Error = Broken;
}

impl Read for Half {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Broken> {
        let max = buffer.len().min(self.sizes.next());
        let bytes = self.line.read(max).await.map_err(|_| Broken)?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

impl Write for Half {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        let room = self.line.room().await.map_err(|_| Broken)?;
        let count = room.min(bytes.len()).min(self.sizes.next());
        self.line.net.borrow_mut().write(self.line.wire, &bytes[..count]);
        Ok(count)
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        Ok(())
    }
}

impl Open for Opener {
    type Reader<'a> = Half;
    type Writer<'a> = Half;

    async fn open(&mut self, target: Target<'_>) -> Result<(Half, Half), Reason> {
        let line = connect(&self.0, target).await?;
        let half = |largest| Half { line: Rc::clone(&line), sizes: Sizes { largest, last: 0 } };
        Ok((half(5), half(11)))
    }
}
