//! A connection of a client to a node: frames in, answers out, one request at a time.

use std::collections::VecDeque;

use ottla::error::Fault;
use ottla::message::ErrorCode;

use crate::produce::Held;
use crate::request::Asking;

/// A connection. Numbers are never used again.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Connection(pub(crate) u64);

/// Why the broker closed a connection.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Closed {
    /// A frame announced a size that is negative or too large.
    FrameSize(i32),
    /// A request that cannot be read.
    Malformed(Fault),
    /// A request of an API that is not served.
    UnknownApi(i16),
    /// A request in a version that is not served: key and version.
    UnsupportedVersion(i16, i16),
    /// A Produce request with `acks=0` failed with this code.
    WithoutAnswer(ErrorCode),
    /// The hook said so.
    Hook,
    /// Its node was killed, or replaced by one of another release.
    NodeDown,
    /// Nothing passed for `connections.max.idle.ms`.
    Idle,
}

/// What a connection does before it takes the next request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Busy {
    /// Holds a request that is to be handled at a time.
    Delayed(u64, Vec<u8>),
    /// Waits for replicas.
    Replicas(Asking, Held),
    /// Holds an answer back until a time.
    Answer(u64, Vec<u8>),
    /// Is not read until a time.
    Muted(u64),
    /// Will never answer.
    Silent,
}

/// The broker's side of a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Line {
    pub(crate) node: i32,
    pub(crate) listener: usize,
    input: Vec<u8>,
    /// Bytes of `input` that were used.
    used: usize,
    output: VecDeque<Vec<u8>>,
    pub(crate) busy: Option<Busy>,
    pub(crate) closed: Option<Closed>,
    /// The client has gone, and a request of it is still to be handled.
    pub(crate) gone: bool,
    /// When bytes last passed.
    pub(crate) active: u64,
    /// When its timer is set to.
    pub(crate) timer: Option<u64>,
}

/// Bytes that a connection takes in while a request is handled.
const BACKLOG: usize = 1 << 20;

impl Line {
    pub(crate) const fn new(node: i32, listener: usize, now: u64) -> Self {
        Self {
            node,
            listener,
            input: Vec::new(),
            used: 0,
            output: VecDeque::new(),
            busy: None,
            closed: None,
            gone: false,
            active: now,
            timer: None,
        }
    }

    /// Takes bytes in.
    pub(crate) fn receive(&mut self, now: u64, bytes: &[u8]) {
        self.active = now;
        if self.used == self.input.len() {
            self.input.clear();
            self.used = 0;
        }
        self.input.extend_from_slice(bytes);
    }

    /// The next whole frame, without its size.
    pub(crate) fn frame(&mut self, max: u32) -> Result<Option<Vec<u8>>, Closed> {
        let waiting = self.input.get(self.used..).unwrap_or(&[]);
        let Some((size, rest)) = waiting.split_first_chunk::<4>() else { return Ok(None) };
        let size = i32::from_be_bytes(*size);
        let length = match u32::try_from(size) {
            Ok(length) if length <= max => length as usize,
            _ => return Err(Closed::FrameSize(size)),
        };
        let Some(frame) = rest.get(..length) else {
            if self.used > 0 {
                self.input.drain(..self.used);
                self.used = 0;
            }
            return Ok(None);
        };
        let frame = frame.to_vec();
        self.used += 4 + length;
        Ok(Some(frame))
    }

    /// Whether more bytes are of use now.
    pub(crate) fn wants_input(&self) -> bool {
        self.closed.is_none()
            && (self.busy.is_none() || self.input.len().saturating_sub(self.used) < BACKLOG)
    }

    pub(crate) fn send(&mut self, now: u64, frame: Vec<u8>) {
        if !self.gone {
            self.active = now;
            self.output.push_back(frame);
        }
    }

    pub(crate) fn take_output(&mut self) -> Option<Vec<u8>> {
        self.output.pop_front()
    }

    pub(crate) fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// Drops what the client sent and the broker did not begin to handle.
    pub(crate) fn forget_input(&mut self) {
        self.input = Vec::new();
        self.used = 0;
    }

    /// The client has gone: nothing can be sent to it.
    pub(crate) fn abandon(&mut self) {
        self.gone = true;
        self.forget_input();
        self.output.clear();
    }

    /// When something is to be done for it. A connection that waits for nothing but its client
    /// is closed after `max_idle`.
    pub(crate) fn deadline(&self, max_idle: Option<u64>) -> Option<u64> {
        if self.closed.is_some() {
            return None;
        }
        match &self.busy {
            Some(Busy::Delayed(at, _) | Busy::Answer(at, _) | Busy::Muted(at)) => Some(*at),
            Some(Busy::Replicas(_, held)) => Some(held.deadline),
            Some(Busy::Silent) => None,
            None => max_idle.map(|idle| self.active.saturating_add(idle)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_cut_from_the_stream_at_any_byte() {
        let bytes = [0, 0, 0, 2, 8, 9, 0, 0, 0, 0, 0, 0, 0, 1, 7];
        let mut line = Line::new(1, 0, 0);
        let mut frames = Vec::new();
        for byte in bytes {
            line.receive(0, &[byte]);
            while let Some(frame) = line.frame(2).unwrap() {
                frames.push(frame);
            }
        }
        assert_eq!(frames, [vec![8, 9], vec![], vec![7]]);
        let mut whole = Line::new(1, 0, 0);
        whole.receive(0, &bytes);
        for frame in frames {
            assert_eq!(whole.frame(2), Ok(Some(frame)));
        }
        assert_eq!(whole.frame(2), Ok(None));
    }

    #[test]
    fn malformed_1_bad_sizes_close() {
        for size in [-1, 3] {
            let mut line = Line::new(1, 0, 0);
            line.receive(0, &i32::to_be_bytes(size));
            assert_eq!(line.frame(2), Err(Closed::FrameSize(size)));
        }
    }
}
