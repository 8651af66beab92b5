//! The adapter for tokio, over its in-memory duplex, with paused time.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ottla::Reason;
use ottla_tokio::{
    ConnectError, DuplexListener, Incoming, Producer, Record, RecordMetadata, SendError,
    SendErrorKind, duplex,
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use super::{Host, Line, Offer, Setup, Told};
use crate::fate::Fate;

/// Bytes that a connection holds each way: more than any script sends before somebody reads.
const BUFFER: usize = 4 << 20;

/// After so many turns of the runtime in which nothing came out, nothing comes without time.
const TURNS: u32 = 32;

type Sending = Pin<Box<dyn Future<Output = Result<RecordMetadata, SendError>>>>;
type Ending = Pin<Box<dyn Future<Output = ()>>>;

/// What the runtime works for.
struct Peer {
    listener: DuplexListener,
    calls: BTreeMap<Line, Incoming>,
    streams: BTreeMap<Line, DuplexStream>,
    next_line: Line,
    sending: Vec<(usize, Sending)>,
    flushing: Option<Ending>,
    closing: Option<Ending>,
}

pub(crate) struct Tokio {
    runtime: Runtime,
    started: Instant,
    producer: Arc<Producer>,
    peer: Peer,
    /// What was over as soon as it was called.
    told: Vec<Told>,
}

impl Tokio {
    pub(crate) fn start(setup: &Setup) -> Self {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without a thread of its own");
        let entered = runtime.enter();
        let (connector, listener) = duplex();
        let producer = Arc::new(Producer::with_connector(setup.config.clone(), connector));
        let started = Instant::now();
        drop(entered);
        let peer = Peer {
            listener,
            calls: BTreeMap::new(),
            streams: BTreeMap::new(),
            next_line: 0,
            sending: Vec::new(),
            flushing: None,
            closing: None,
        };
        Self { runtime, started, producer, peer, told: Vec::new() }
    }

    /// Polls what the application waits for once, as it does when it calls.
    fn call(&mut self) {
        let Self { runtime, peer, told, .. } = self;
        told.extend(runtime.block_on(poll_fn(|cx| Poll::Ready(peer.listen(cx)))));
    }
}

impl Peer {
    /// What is there to tell of now.
    fn poll(&mut self, cx: &mut Context<'_>) -> Vec<Told> {
        let mut told = Vec::new();
        while let Poll::Ready(Some(call)) = pin!(self.listener.accept()).poll(cx) {
            let line = self.next_line;
            self.next_line += 1;
            told.push(Told::Connect(line, call.host().to_owned(), call.port()));
            self.calls.insert(line, call);
        }
        let mut ended = Vec::new();
        for (line, stream) in &mut self.streams {
            let mut bytes = Vec::new();
            loop {
                let mut room = [0; 8_192];
                let mut buffer = ReadBuf::new(&mut room);
                match Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
                    Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                        bytes.extend_from_slice(buffer.filled());
                    }
                    Poll::Ready(_) => {
                        ended.push(*line);
                        break;
                    }
                    Poll::Pending => break,
                }
            }
            if !bytes.is_empty() {
                told.push(Told::Written(*line, bytes));
            }
        }
        for line in ended {
            self.streams.remove(&line);
            told.push(Told::HungUp(line));
        }
        told.extend(self.listen(cx));
        told
    }

    fn listen(&mut self, cx: &mut Context<'_>) -> Vec<Told> {
        let mut told = Vec::new();
        self.sending.retain_mut(|(number, sending)| match sending.as_mut().poll(cx) {
            Poll::Pending => true,
            Poll::Ready(result) => {
                told.push(Told::Outcome(*number, fate(result)));
                false
            }
        });
        if let Some(flushing) = &mut self.flushing
            && flushing.as_mut().poll(cx).is_ready()
        {
            self.flushing = None;
            told.push(Told::Flushed);
        }
        if let Some(closing) = &mut self.closing
            && closing.as_mut().poll(cx).is_ready()
        {
            self.closing = None;
            told.push(Told::Closed);
        }
        told
    }

    async fn run(&mut self, until: Instant) -> Vec<Told> {
        let mut quiet = 0;
        while quiet < TURNS {
            let told = poll_fn(|cx| Poll::Ready(self.poll(cx))).await;
            if !told.is_empty() {
                return told;
            }
            quiet += 1;
            yield_now().await;
        }
        // Nothing can be done now. The runtime moves its clock to the next timer, whosever it is.
        let mut sleep = pin!(sleep_until(until));
        poll_fn(|cx| {
            let told = self.poll(cx);
            if told.is_empty() { sleep.as_mut().poll(cx).map(|()| told) } else { Poll::Ready(told) }
        })
        .await
    }
}

fn fate(result: Result<RecordMetadata, SendError>) -> Fate {
    match result {
        Ok(written) if written.acknowledged => Fate::Written(written.offset),
        Ok(_) => Fate::Sent,
        Err(error) => match error.kind() {
            SendErrorKind::Refused(refused) => Fate::Refused(refused),
            SendErrorKind::NotWritten(cause) => Fate::NotWritten(cause),
            SendErrorKind::Unknown(cause, doubt) => Fate::Unknown(cause, doubt),
            kind => panic!("an error that no script knows: {kind:?}"),
        },
    }
}

impl Host for Tokio {
    fn now(&self) -> u64 {
        let _entered = self.runtime.enter();
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn run(&mut self, until: u64) -> Vec<Told> {
        if !self.told.is_empty() {
            return std::mem::take(&mut self.told);
        }
        let until = self.started + Duration::from_millis(until);
        self.runtime.block_on(self.peer.run(until))
    }

    fn produce(&mut self, offer: Offer) {
        let (producer, number) = (Arc::clone(&self.producer), offer.number);
        let sending = async move {
            let mut record = Record::new(&offer.topic, &offer.value).timestamp(offer.timestamp);
            if let Some(partition) = offer.partition {
                record = record.partition(partition);
            }
            if let Some(key) = &offer.key {
                record = record.key(key);
            }
            producer.send(record).await?.await
        };
        self.peer.sending.push((number, Box::pin(sending)));
        self.call();
    }

    fn flush(&mut self) {
        let producer = Arc::clone(&self.producer);
        self.peer.flushing = Some(Box::pin(async move { producer.flush().await }));
        self.call();
    }

    fn close(&mut self, timeout: Duration) {
        let producer = Arc::clone(&self.producer);
        let closing = async move {
            producer.close(timeout).await;
        };
        self.peer.closing = Some(Box::pin(closing));
        self.call();
    }

    fn connected(&mut self, line: Line) {
        if let Some(call) = self.peer.calls.remove(&line) {
            self.peer.streams.insert(line, call.accept(BUFFER));
        }
    }

    fn refused(&mut self, line: Line, reason: Reason) {
        if let Some(call) = self.peer.calls.remove(&line) {
            call.refuse(ConnectError::new(reason, ""));
        }
    }

    fn receive(&mut self, line: Line, bytes: &[u8]) {
        let Some(stream) = self.peer.streams.get_mut(&line) else { return };
        let written = self
            .runtime
            .block_on(poll_fn(|cx| Poll::Ready(Pin::new(&mut *stream).poll_write(cx, bytes))));
        match written {
            Poll::Ready(Ok(count)) => assert_eq!(count, bytes.len(), "the buffer is large enough"),
            // The producer has gone, which the next look at the stream shows.
            Poll::Ready(Err(_)) => {}
            Poll::Pending => panic!("the buffer is large enough"),
        }
    }

    fn end(&mut self, line: Line) {
        self.peer.streams.remove(&line);
    }
}
