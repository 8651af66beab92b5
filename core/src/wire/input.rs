//! Reading a frame from a stream that may be cut at any byte.
//!
//! A decoder asks for one *atom* at a time: a value, or a few that are needed together. An atom
//! that is whole in the caller's bytes is parsed in place; one that is cut is put together in
//! the link's carry-over. Arrays and strings that nobody needs are skipped as they pass by, so
//! an answer of any size goes through a small receive buffer.

use crate::error::Fault;
use crate::wire::parse::{self, Parsed};
use crate::wire::write::copy;

/// The largest frame that is accepted: Kafka's own limit for requests, 100 MiB.
pub const FRAME_MAX: u32 = 100 * 1024 * 1024;

/// Bytes of the carry-over: the longest atom is a topic's error, name (249 bytes) and id.
pub const CARRY: usize = 288;

/// Where a link stands inside a frame. All zero: between two frames.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Frame {
    /// Bytes of the frame that have not come in yet.
    left: u32,
    /// How many of them nobody wants.
    skip: u32,
    /// Tagged fields still to come in the section at hand, plus one; 0 outside of a section.
    tags: u32,
    carried: u16,
    carry: [u8; CARRY],
}

impl Default for Frame {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// A step through a section of tagged fields.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Tag {
    /// A field with its tag and size; its bytes come next.
    Field(u32, u32),
    /// The section is over.
    End,
}

/// The bytes at hand of one frame.
#[derive(Debug)]
pub struct Input<'a> {
    frame: &'a mut Frame,
    bytes: &'a [u8],
    given: usize,
}

impl Frame {
    /// Between two frames.
    pub const EMPTY: Self = Self { left: 0, skip: 0, tags: 0, carried: 0, carry: [0; CARRY] };

    /// Starts a frame of `length` bytes.
    pub const fn start(&mut self, length: u32) {
        self.left = length;
        self.skip = 0;
        self.tags = 0;
        self.carried = 0;
    }

    /// Bytes of the frame that have not come in yet.
    #[must_use]
    pub const fn left(&self) -> u32 {
        self.left
    }

    /// Whether every byte of the frame has come in and was used.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.left == 0 && self.carried == 0
    }

    /// Reads the size that stands before a frame. `None`: more bytes are needed.
    ///
    /// # Errors
    /// A size that no Kafka broker sends, by what it looks like.
    pub fn size<'b>(&mut self, bytes: &'b [u8]) -> Result<(Option<u32>, &'b [u8]), Fault> {
        self.left = 4_u32.saturating_sub(u32::from(self.carried));
        let mut input = Input::new(self, bytes);
        let size = input.atom(parse::int32)?;
        let rest = input.rest(bytes);
        match size {
            None => Ok((None, rest)),
            Some(size) => Ok((Some(check_size(size)?), rest)),
        }
    }
}

fn check_size(size: i32) -> Result<u32, Fault> {
    match size.to_be_bytes() {
        // "HTTP": a status line; some servers answer what they do not understand with a page and
        // no status line. 21 or 22, then version 3: a TLS alert or handshake.
        [b'H', b'T', b'T', b'P'] | [b'<', b'!' | b'h' | b'H', ..] => Err(Fault::Http),
        [0x15 | 0x16, 0x03, _, _] => Err(Fault::Tls),
        _ => match u32::try_from(size) {
            Ok(size) if size <= FRAME_MAX => Ok(size),
            Ok(_) => Err(Fault::SizeTooLarge),
            Err(_) => Err(Fault::NegativeSize),
        },
    }
}

impl<'a> Input<'a> {
    /// The part of `bytes` that belongs to `frame`.
    pub fn new(frame: &'a mut Frame, bytes: &'a [u8]) -> Self {
        let bytes = bytes.get(..frame.left as usize).unwrap_or(bytes);
        Self { given: bytes.len(), frame, bytes }
    }

    /// What is left of `bytes`, which this input was made of.
    #[must_use]
    pub fn rest<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        let used = self.given.saturating_sub(self.bytes.len());
        bytes.get(used..).unwrap_or(&[])
    }

    fn advance(&mut self, count: usize) {
        self.bytes = self.bytes.get(count..).unwrap_or(&[]);
        self.frame.left = self.frame.left.saturating_sub(count as u32);
    }

    /// Parses the next atom. `None`: more bytes are needed, and those at hand are kept.
    ///
    /// # Errors
    /// What the parser found, or [`Fault::Truncated`] if the frame ends inside of the atom.
    pub fn atom<'s, T: 's>(
        &'s mut self,
        parse: impl Fn(&'s [u8]) -> Parsed<'s, T>,
    ) -> Result<Option<T>, Fault> {
        let mut value = None;
        self.run(&mut |bytes| {
            let (rest, parsed) = parse(bytes)?;
            value = Some(parsed);
            Ok(rest.len())
        })?;
        Ok(value)
    }

    /// [`Input::atom`] without its type, so that it is compiled once: `parse` keeps the value and
    /// says how many bytes it left.
    fn run<'s>(
        &'s mut self,
        parse: &mut dyn FnMut(&'s [u8]) -> Result<usize, nom::Err<Fault>>,
    ) -> Result<(), Fault> {
        if !self.pass_skipped() {
            return Ok(());
        }
        let Self { frame, bytes, .. } = self;
        let Frame { left, carried, carry, .. } = &mut **frame;
        let had = usize::from(*carried);
        // As much as the carry-over holds, so that an atom may be as long whole as it is cut.
        let added = CARRY.saturating_sub(had).min(bytes.len());
        let (fresh, beyond) = bytes.split_at_checked(added).unwrap_or((bytes, &[]));
        let filled = had.saturating_add(added);
        let result = if had == 0 {
            let result = parse(fresh);
            if matches!(result, Err(nom::Err::Incomplete(_))) {
                copy(carry, fresh);
            }
            result
        } else {
            copy(carry.get_mut(had..).unwrap_or(&mut []), fresh);
            let whole: &'s [u8] = carry;
            parse(whole.get(..filled).unwrap_or(&[]))
        };
        match result {
            Ok(rest) => {
                let used = filled.saturating_sub(rest).saturating_sub(had);
                *left = left.saturating_sub(used as u32);
                *bytes = bytes.get(used..).unwrap_or(&[]);
                *carried = 0;
                Ok(())
            }
            Err(nom::Err::Incomplete(_)) => {
                if !beyond.is_empty() {
                    return Err(Fault::FieldTooLong);
                }
                *carried = filled as u16;
                *left = left.saturating_sub(added as u32);
                *bytes = &[];
                if *left == 0 { Err(Fault::Truncated) } else { Ok(()) }
            }
            Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => Err(fault),
        }
    }

    /// Lets the next `count` bytes pass.
    ///
    /// # Errors
    /// [`Fault::Truncated`] if the frame has fewer.
    pub fn skip(&mut self, count: u32) -> Result<(), Fault> {
        if count > self.frame.left {
            return Err(Fault::Truncated);
        }
        self.frame.skip = count;
        Ok(())
    }

    /// Lets the rest of the frame pass; later versions may append to it.
    pub fn skip_rest(&mut self) {
        self.frame.skip = self.frame.left;
        self.pass_skipped();
    }

    fn pass_skipped(&mut self) -> bool {
        let count = self.bytes.len().min(self.frame.skip as usize);
        self.advance(count);
        self.frame.skip = self.frame.skip.saturating_sub(count as u32);
        self.frame.skip == 0
    }

    /// Reads the length of a nullable string: `Some(None)` is null. `None`: more bytes are needed.
    ///
    /// # Errors
    /// As [`Input::atom`] and [`Input::check_count`].
    pub fn text_length(&mut self, flexible: bool) -> Result<Option<Option<u32>>, Fault> {
        match self.atom(move |bytes| parse::string_length(bytes, flexible))? {
            Some(length) => {
                self.check_count(length.unwrap_or(0), 1)?;
                Ok(Some(length))
            }
            None => Ok(None),
        }
    }

    /// The next bytes of a text of which `left` bytes are still to come, as many as are at hand;
    /// they are taken off `left`. `None`: more bytes are needed.
    pub fn text(&mut self, left: &mut u32) -> Option<&'a [u8]> {
        let bytes = self.bytes;
        let chunk = bytes.get(..*left as usize).unwrap_or(bytes);
        if chunk.is_empty() {
            return None;
        }
        self.advance(chunk.len());
        *left = left.saturating_sub(chunk.len() as u32);
        Some(chunk)
    }

    /// Checks a count or a length that was read: each element takes at least `smallest` bytes.
    ///
    /// # Errors
    /// [`Fault::CountTooLarge`] if the frame has fewer bytes left than the elements take.
    pub const fn check_count(&self, count: u32, smallest: u32) -> Result<u32, Fault> {
        if count.saturating_mul(smallest) > self.frame.left {
            return Err(Fault::CountTooLarge);
        }
        Ok(count)
    }

    /// Reads the count of an array whose elements take at least `smallest` bytes each. Null
    /// counts as empty. `None`: more bytes are needed.
    ///
    /// # Errors
    /// As [`Input::atom`] and [`Input::check_count`].
    pub fn array(&mut self, smallest: u32, flexible: bool) -> Result<Option<u32>, Fault> {
        match self.atom(move |bytes| parse::bytes_length(bytes, flexible))? {
            Some(count) => self.check_count(count.unwrap_or(0), smallest).map(Some),
            None => Ok(None),
        }
    }

    /// Goes on in a section of tagged fields. `None`: more bytes are needed. A field that the
    /// caller does not know has to be [skipped](Input::skip).
    ///
    /// # Errors
    /// As [`Input::atom`]; [`Fault::CountTooLarge`] for a field larger than its frame.
    pub fn tag(&mut self) -> Result<Option<Tag>, Fault> {
        if self.frame.tags == 0 {
            let Some(count) = self.atom(parse::uvarint)? else { return Ok(None) };
            let count = self.check_count(count, 2)?;
            self.frame.tags = count.saturating_add(1);
        }
        if self.frame.tags == 1 {
            // A field that was skipped last has to be past before the section is over.
            if !self.pass_skipped() {
                return Ok(None);
            }
            self.frame.tags = 0;
            return Ok(Some(Tag::End));
        }
        let pair = |bytes| {
            let (rest, tag) = parse::uvarint(bytes)?;
            let (rest, size) = parse::uvarint(rest)?;
            Ok((rest, (tag, size)))
        };
        let Some((tag, size)) = self.atom(pair)? else { return Ok(None) };
        self.frame.tags = self.frame.tags.saturating_sub(1);
        self.check_count(size, 1)?;
        Ok(Some(Tag::Field(tag, size)))
    }

    /// Sets the place in the section of tagged fields to `tags`, and returns the old one: 0 to
    /// read sections inside of a tagged field, the returned value to go back.
    pub const fn enter_tags(&mut self, tags: u32) -> u32 {
        core::mem::replace(&mut self.frame.tags, tags)
    }

    /// Passes a whole section of tagged fields of which none is wanted. True when it is over;
    /// at once in versions that have none.
    ///
    /// # Errors
    /// As [`Input::tag`].
    pub fn no_tags(&mut self, flexible: bool) -> Result<bool, Fault> {
        if !flexible {
            return Ok(true);
        }
        loop {
            match self.tag()? {
                None => return Ok(false),
                Some(Tag::End) => return Ok(true),
                Some(Tag::Field(_, size)) => self.skip(size)?,
            }
        }
    }
}

const _: () = assert!(size_of::<Frame>() <= 304);
