//! One connection, as the broker has it.

use ottla::Instant;

use crate::Bytes;

/// A connection with room for `REQUESTS` bytes of requests, of which one must fit, and for one
/// answer of at most `ANSWERS` bytes.
#[derive(Clone, Debug)]
pub struct Connection<const REQUESTS: usize, const ANSWERS: usize> {
    pub(crate) requests: Bytes<REQUESTS>,
    pub(crate) answers: Bytes<ANSWERS>,
    /// The answer is out from this instant on.
    pub(crate) ready: Instant,
    pub(crate) closed: bool,
    /// Answers get lost from now on.
    pub(crate) mute: bool,
}

impl<const REQUESTS: usize, const ANSWERS: usize> Connection<REQUESTS, ANSWERS> {
    /// An open connection. All zero.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            requests: Bytes::new(),
            answers: Bytes::new(),
            ready: Instant::ZERO,
            closed: false,
            mute: false,
        }
    }

    /// Makes a new connection of it.
    pub const fn reset(&mut self) {
        self.requests.clear();
        self.answers.clear();
        self.ready = Instant::ZERO;
        self.closed = false;
        self.mute = false;
    }

    /// The broker has closed it.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Closes it from the broker's end; requests that were not read are lost.
    pub const fn close(&mut self) {
        self.closed = true;
        self.requests.clear();
        self.answers.clear();
    }

    /// Takes bytes of requests, as many as there is room for: how many. A closed connection
    /// takes and forgets them.
    pub fn accept(&mut self, bytes: &[u8]) -> usize {
        if self.closed { bytes.len() } else { self.requests.push(bytes) }
    }

    /// Bytes of an answer.
    #[must_use]
    pub fn answers(&self, now: Instant) -> &[u8] {
        if now < self.ready { &[] } else { self.answers.as_slice() }
    }

    /// When the answer at hand is out.
    #[must_use]
    pub const fn answer_at(&self) -> Option<Instant> {
        if self.answers.is_empty() { None } else { Some(self.ready) }
    }

    /// `count` bytes of answers were taken.
    pub fn taken(&mut self, count: usize) {
        self.answers.drop_front(count);
    }

    /// What was accepted and not carried out yet.
    #[must_use]
    pub fn requests(&self) -> &[u8] {
        self.requests.as_slice()
    }

    /// Whether a request is whole.
    #[must_use]
    pub fn has_request(&self) -> bool {
        let bytes = self.requests.as_slice();
        frame_size(bytes).is_some_and(|size| bytes.len() >= size)
    }
}

impl<const REQUESTS: usize, const ANSWERS: usize> Default for Connection<REQUESTS, ANSWERS> {
    fn default() -> Self {
        Self::new()
    }
}

/// Size of the frame at the start of `bytes`, its own four bytes included.
pub(crate) fn frame_size(bytes: &[u8]) -> Option<usize> {
    let size = u32::from_be_bytes(*bytes.first_chunk()?);
    Some((size as usize).saturating_add(4))
}
