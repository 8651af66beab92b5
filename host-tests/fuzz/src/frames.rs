//! What decoders ask of a stream: the input stage of a link.

use arbitrary::{Result, Unstructured};
use ottla::error::Fault;
use ottla::wire::input::{Frame, Input, Tag};
use ottla::wire::parse;

use crate::answers::pieces;
use crate::apis::rest;

/// What is asked for next.
#[derive(Copy, Clone, Debug)]
enum Ask {
    Int8,
    Int16,
    Int32,
    Int64,
    Uuid,
    Uvarint,
    /// A string, whole.
    String(bool),
    /// A string, as it comes.
    Text(bool),
    /// The count of an array whose elements take so many bytes at least.
    Array(bool, u8),
    /// So many bytes pass.
    Skip(u8),
    /// A section of tagged fields, none of which is wanted.
    Tags,
    /// A section of tagged fields, all of which are looked at.
    Fields,
    /// The frame's rest passes.
    Rest,
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Seen {
    Frame(u32),
    Number(i64),
    Bytes(Option<Vec<u8>>),
    Count(u32),
    Field(u32, u32),
    Passed,
    Over,
}

/// Asks, six cuts, and a stream: what is seen must not depend on where the stream is cut.
pub fn target(data: &[u8]) {
    // An input that ends early says nothing, and does no harm.
    run(&mut Unstructured::new(data)).ok();
}

const ASKS_MAX: usize = 24;

fn run(input: &mut Unstructured<'_>) -> Result<()> {
    let cuts: [u8; 6] = input.arbitrary()?;
    let count = input.int_in_range(1..=ASKS_MAX)?;
    let mut asks = Vec::new();
    for _ in 0..count {
        asks.push(ask(input)?);
    }
    let bytes = rest(input);
    let whole = Reader::read(&asks, [bytes]);
    assert_eq!(Reader::read(&asks, pieces(bytes, &cuts)), whole, "{asks:?} cut by {cuts:?}");
    assert_eq!(Reader::read(&asks, bytes.chunks(1)), whole, "{asks:?} byte by byte");
    Ok(())
}

/// In few bytes, so that a change of one byte changes one thing.
fn ask(input: &mut Unstructured<'_>) -> Result<Ask> {
    Ok(match input.int_in_range(0..=15_u8)? {
        0 => Ask::Int8,
        1 => Ask::Int16,
        2 => Ask::Int32,
        3 => Ask::Int64,
        4 => Ask::Uuid,
        5 => Ask::Uvarint,
        6 => Ask::String(false),
        7 => Ask::String(true),
        8 => Ask::Text(false),
        9 => Ask::Text(true),
        10 => Ask::Array(false, input.arbitrary()?),
        11 => Ask::Array(true, input.arbitrary()?),
        12 => Ask::Skip(input.arbitrary()?),
        13 => Ask::Tags,
        14 => Ask::Fields,
        _ => Ask::Rest,
    })
}

/// Reads frame after frame, each by the same asks.
struct Reader<'a> {
    asks: &'a [Ask],
    frame: Frame,
    /// The place among the asks; `None` before a frame's size.
    next: Option<usize>,
    /// Bytes of a text that is being read, and what is there of it.
    text: Option<(u32, Vec<u8>)>,
    seen: Vec<Seen>,
}

impl<'a> Reader<'a> {
    fn read<'p>(
        asks: &'a [Ask],
        pieces: impl IntoIterator<Item = &'p [u8]>,
    ) -> (Vec<Seen>, Option<Fault>) {
        let (frame, seen) = (Frame::default(), Vec::new());
        let mut reader = Self { asks, frame, next: None, text: None, seen };
        for piece in pieces {
            if let Err(fault) = reader.feed(piece) {
                return (reader.seen, Some(fault));
            }
        }
        (reader.seen, None)
    }

    fn feed(&mut self, mut bytes: &[u8]) -> std::result::Result<(), Fault> {
        loop {
            let Some(next) = self.next else {
                let (size, rest) = self.frame.size(bytes)?;
                bytes = rest;
                let Some(size) = size else {
                    assert!(bytes.is_empty(), "wants more, and leaves {} bytes", bytes.len());
                    return Ok(());
                };
                self.frame.start(size);
                self.seen.push(Seen::Frame(size));
                self.next = Some(0);
                continue;
            };
            let mut input = Input::new(&mut self.frame, bytes);
            let ask = self.asks.get(next).copied().unwrap_or(Ask::Rest);
            let seen = answer(ask, &mut self.text, &mut self.seen, &mut input)?;
            bytes = input.rest(bytes);
            let passed = matches!(ask, Ask::Rest);
            match seen {
                Some(seen) => self.seen.push(seen),
                None if passed => {}
                None => {
                    assert!(bytes.is_empty(), "wants more, and leaves {} bytes", bytes.len());
                    return Ok(());
                }
            }
            if passed {
                if !self.frame.is_over() {
                    assert!(bytes.is_empty(), "not over, and {} bytes are left", bytes.len());
                    return Ok(());
                }
                self.seen.push(Seen::Over);
                self.next = None;
            } else {
                self.next = Some(next + 1);
            }
        }
    }
}

/// One ask. `None`: more bytes are needed.
fn answer(
    ask: Ask,
    text: &mut Option<(u32, Vec<u8>)>,
    seen: &mut Vec<Seen>,
    input: &mut Input<'_>,
) -> std::result::Result<Option<Seen>, Fault> {
    let number = |value: Option<i64>| value.map(Seen::Number);
    Ok(match ask {
        Ask::Int8 => number(input.atom(parse::int8)?.map(i64::from)),
        Ask::Int16 => number(input.atom(parse::int16)?.map(i64::from)),
        Ask::Int32 => number(input.atom(parse::int32)?.map(i64::from)),
        Ask::Int64 => number(input.atom(parse::int64)?),
        Ask::Uuid => input.atom(parse::uuid)?.map(|id| Seen::Bytes(Some(id.to_vec()))),
        Ask::Uvarint => number(input.atom(parse::uvarint)?.map(i64::from)),
        Ask::String(flexible) => input
            .atom(move |bytes| parse::nullable_string(bytes, flexible))?
            .map(|text| Seen::Bytes(text.map(<[u8]>::to_vec))),
        Ask::Text(flexible) => return read_text(flexible, text, input),
        Ask::Array(flexible, smallest) => {
            input.array(u32::from(smallest), flexible)?.map(Seen::Count)
        }
        Ask::Skip(count) => {
            input.skip(u32::from(count))?;
            Some(Seen::Passed)
        }
        Ask::Tags => input.no_tags(true)?.then_some(Seen::Passed),
        Ask::Fields => loop {
            match input.tag()? {
                None => break None,
                Some(Tag::End) => break Some(Seen::Passed),
                Some(Tag::Field(tag, size)) => {
                    seen.push(Seen::Field(tag, size));
                    input.skip(size)?;
                }
            }
        },
        Ask::Rest => {
            input.skip_rest();
            None
        }
    })
}

fn read_text(
    flexible: bool,
    text: &mut Option<(u32, Vec<u8>)>,
    input: &mut Input<'_>,
) -> std::result::Result<Option<Seen>, Fault> {
    if text.is_none() {
        match input.text_length(flexible)? {
            None => return Ok(None),
            Some(None) => return Ok(Some(Seen::Bytes(None))),
            Some(Some(length)) => *text = Some((length, Vec::new())),
        }
    }
    while let Some((left, bytes)) = text {
        if *left == 0 {
            return Ok(text.take().map(|(_, bytes)| Seen::Bytes(Some(bytes))));
        }
        match input.text(left) {
            Some(chunk) => bytes.extend_from_slice(chunk),
            None => return Ok(None),
        }
    }
    Ok(None)
}
