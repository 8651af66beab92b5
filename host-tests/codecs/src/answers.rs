//! Answers of one API: written by the broker's direction, read as a stream by the client's.

use std::fmt::Debug;

use ottla::error::Fault;
use ottla::message::{Step, broker};
use ottla::wire::input::{Frame, Input};
use ottla::wire::parse;
use proptest::strategy::BoxedStrategy;

use crate::theirs::Extras;
use crate::{CORRELATION, Codec};

/// What the tests have to know of an API's answers.
pub trait Answers: Codec {
    /// The stream decoder.
    type Cursor: Default;
    /// What it yields, as a value of its own; texts are put together again.
    type Item: Clone + Debug + PartialEq;
    /// An answer as the broker's direction takes it.
    type Answer<'a>: Debug + PartialEq;

    /// Takes one step of the decoder, and appends what it yields to `items`.
    ///
    /// # Errors
    /// What the decoder says.
    fn step(
        cursor: &mut Self::Cursor,
        version: i16,
        input: &mut Input<'_>,
        items: &mut Vec<Self::Item>,
    ) -> Result<Step<()>, Fault>;

    /// Answers of all kinds.
    fn answers() -> BoxedStrategy<Self::Answer<'static>>;

    /// Writes the body by the broker's direction.
    fn write_answer(answer: &Self::Answer<'_>, version: i16, out: &mut Vec<u8>);

    /// What the client is to see of an answer in `version`.
    fn items(answer: &Self::Answer<'_>, version: i16) -> Vec<Self::Item>;

    /// The body by the second implementation.
    fn their_answer(answer: &Self::Answer<'_>, version: i16, extras: Extras) -> Vec<u8>;

    /// The whole frame by the broker's direction.
    fn frame(answer: &Self::Answer<'_>, version: i16) -> Vec<u8> {
        broker::answer(Self::API, version, CORRELATION, |out| {
            Self::write_answer(answer, version, out)
        })
    }
}

/// What came of a stream of answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome<T> {
    /// The items of all answers.
    pub items: Vec<T>,
    /// How many answers are complete.
    pub complete: usize,
    /// Why the stream is of no use any more, if it is not.
    pub fault: Option<Fault>,
}

impl<T> Outcome<T> {
    /// One answer, complete.
    pub fn whole(items: Vec<T>) -> Self {
        Self { items, complete: 1, fault: None }
    }
}

/// Reads a stream of answers in `version` that comes in `pieces`.
///
/// # Panics
/// If the decoder stalls: wants more while it leaves bytes, or yields more than there are bytes.
pub fn read_answers<'p, A: Answers>(
    version: i16,
    pieces: impl IntoIterator<Item = &'p [u8]>,
) -> Outcome<A::Item> {
    let mut reader = Reader::<A>::new(version);
    for piece in pieces {
        reader.given += piece.len();
        if let Err(fault) = reader.feed(piece) {
            reader.outcome.fault = Some(fault);
            break;
        }
    }
    reader.outcome
}

/// The part of a frame that comes next.
enum Stage {
    Size,
    Correlation,
    HeaderTags,
    Body,
    Rest,
}

/// The reading half of a link, without all that a link does besides.
struct Reader<A: Answers> {
    version: i16,
    frame: Frame,
    stage: Stage,
    cursor: A::Cursor,
    outcome: Outcome<A::Item>,
    /// Bytes fed so far: a bound on the number of items.
    given: usize,
}

impl<A: Answers> Reader<A> {
    fn new(version: i16) -> Self {
        let outcome = Outcome { items: Vec::new(), complete: 0, fault: None };
        let (frame, cursor) = (Frame::default(), A::Cursor::default());
        Self { version, frame, stage: Stage::Size, cursor, outcome, given: 0 }
    }

    fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        loop {
            let (go_on, rest) = match self.stage {
                Stage::Size => self.size(bytes)?,
                _ => self.content(bytes)?,
            };
            assert!(self.outcome.items.len() <= self.given, "more items than bytes");
            bytes = rest;
            if !go_on {
                assert!(bytes.is_empty(), "wants more, and leaves {} bytes", bytes.len());
                return Ok(());
            }
        }
    }

    fn size<'b>(&mut self, bytes: &'b [u8]) -> Result<(bool, &'b [u8]), Fault> {
        let (size, rest) = self.frame.size(bytes)?;
        if let Some(size) = size {
            self.frame.start(size);
            self.stage = Stage::Correlation;
        }
        Ok((size.is_some(), rest))
    }

    fn content<'b>(&mut self, bytes: &'b [u8]) -> Result<(bool, &'b [u8]), Fault> {
        let Self { version, frame, cursor, outcome, .. } = self;
        let mut input = Input::new(frame, bytes);
        let next = match self.stage {
            Stage::Size | Stage::Correlation => match input.atom(parse::int32)? {
                Some(CORRELATION) => Some(Stage::HeaderTags),
                Some(_) => return Err(Fault::WrongCorrelation),
                None => None,
            },
            Stage::HeaderTags => {
                input.no_tags(A::API.has_answer_tags(*version))?.then_some(Stage::Body)
            }
            Stage::Body => match A::step(cursor, *version, &mut input, &mut outcome.items)? {
                Step::More => None,
                Step::Item(()) => Some(Stage::Body),
                Step::End => Some(Stage::Rest),
            },
            Stage::Rest => {
                input.skip_rest();
                None
            }
        };
        let rest = input.rest(bytes);
        let go_on = next.is_some();
        if let Some(next) = next {
            self.stage = next;
        } else if matches!(self.stage, Stage::Rest) && self.frame.is_over() {
            self.outcome.complete += 1;
            self.cursor = A::Cursor::default();
            self.stage = Stage::Size;
            return Ok((true, rest));
        }
        Ok((go_on, rest))
    }
}
