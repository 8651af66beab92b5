//! A hook sees every request before it is handled, and says what becomes of it.

use std::fmt;

use ottla::message::{Api, ErrorCode, produce};

use crate::connection::Connection;
use crate::request::Request;

/// A request that is about to be handled; of one of the APIs that producers use, unless `A` says
/// otherwise.
#[derive(Copy, Clone, Debug)]
pub struct Seen<'a, A = Api> {
    /// The time, in microseconds.
    pub now: u64,
    /// The node that got it.
    pub node: i32,
    /// The connection on which it came.
    pub connection: Connection,
    /// Its API.
    pub api: A,
    /// Its version.
    pub version: i16,
    /// Its correlation id.
    pub correlation: i32,
    /// The name that the client gives itself.
    pub client_id: Option<&'a [u8]>,
    /// The request.
    pub request: &'a Request<'a>,
}

impl<'a, A> Seen<'a, A> {
    pub(crate) const fn of<B>(&self, api: B) -> Seen<'a, B> {
        let Self { now, node, connection, version, correlation, client_id, request, .. } = *self;
        Seen { now, node, connection, api, version, correlation, client_id, request }
    }

    /// The request, if it is of Produce.
    #[must_use]
    pub const fn produce(&self) -> Option<&'a produce::broker::Request<'a>> {
        match self.request {
            Request::Produce(request) => Some(request),
            _ => None,
        }
    }
}

/// What becomes of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// It is handled.
    Proceed,
    /// It is handled after so many microseconds. The hook is not asked again.
    Delay(u64),
    /// It is handled, and its answer held back for so many microseconds.
    DelayAnswer(u64),
    /// Nothing is done, and this code is answered for all of it.
    Refuse(ErrorCode),
    /// It is handled, and at once this code is answered for all of it: of Produce, for every
    /// batch that was appended.
    AnswerAfter(ErrorCode),
    /// It is handled, and the answer says nothing of the first partition that it names: of Produce
    /// only.
    LeaveOut,
    /// It is handled, and never answered.
    Swallow(Silence),
    /// It is handled; the answer tells the client to wait for so many milliseconds, and the
    /// connection is not read until they are over. CreateTopics answers without the time.
    Throttle(u32),
    /// Nothing is done, and these bytes are answered as the body.
    Answer(Vec<u8>),
    /// Nothing is done, and the connection is closed.
    Close,
}

/// What a client sees instead of an answer.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Silence {
    /// The connection is closed.
    Close,
    /// The connection stays open. Nothing that comes on it is answered any more.
    Stay,
}

/// How often the hook said what.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Fired {
    /// [`Action::Proceed`].
    pub proceeded: u64,
    /// [`Action::Delay`].
    pub delayed: u64,
    /// [`Action::DelayAnswer`].
    pub delayed_answers: u64,
    /// [`Action::Refuse`].
    pub refused: u64,
    /// [`Action::AnswerAfter`].
    pub answered_after: u64,
    /// [`Action::LeaveOut`].
    pub left_out: u64,
    /// [`Action::Swallow`].
    pub swallowed: u64,
    /// [`Action::Throttle`].
    pub throttled: u64,
    /// [`Action::Answer`].
    pub answered: u64,
    /// [`Action::Close`].
    pub closed: u64,
}

impl Fired {
    pub(crate) const fn count(&mut self, action: &Action) {
        let counter = match action {
            Action::Proceed => &mut self.proceeded,
            Action::Delay(_) => &mut self.delayed,
            Action::DelayAnswer(_) => &mut self.delayed_answers,
            Action::Refuse(_) => &mut self.refused,
            Action::AnswerAfter(_) => &mut self.answered_after,
            Action::LeaveOut => &mut self.left_out,
            Action::Swallow(_) => &mut self.swallowed,
            Action::Throttle(_) => &mut self.throttled,
            Action::Answer(_) => &mut self.answered,
            Action::Close => &mut self.closed,
        };
        *counter += 1;
    }
}

/// A closure that can be cloned with its cluster.
trait Ask<A>: Send {
    fn ask(&mut self, seen: &Seen<'_, A>) -> Action;
    fn boxed(&self) -> Box<dyn Ask<A>>;
}

impl<A, F: FnMut(&Seen<'_, A>) -> Action + Clone + Send + 'static> Ask<A> for F {
    fn ask(&mut self, seen: &Seen<'_, A>) -> Action {
        self(seen)
    }

    fn boxed(&self) -> Box<dyn Ask<A>> {
        Box::new(self.clone())
    }
}

/// The hook of a cluster for APIs of one kind, if it has one.
pub(crate) struct Hook<A>(Option<Box<dyn Ask<A>>>);

impl<A> Default for Hook<A> {
    fn default() -> Self {
        Self(None)
    }
}

impl<A> Hook<A> {
    pub(crate) fn new(
        closure: impl FnMut(&Seen<'_, A>) -> Action + Clone + Send + 'static,
    ) -> Self {
        Self(Some(Box::new(closure)))
    }

    /// What the hook says; nothing without one.
    pub(crate) fn ask(&mut self, seen: &Seen<'_, A>) -> Option<Action> {
        self.0.as_mut().map(|hook| hook.ask(seen))
    }
}

impl<A> Clone for Hook<A> {
    fn clone(&self) -> Self {
        Self(self.0.as_ref().map(|hook| hook.boxed()))
    }
}

impl<A> fmt::Debug for Hook<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Hook" } else { "no hook" })
    }
}
