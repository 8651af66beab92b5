//! Answers, as a client reads them from a stream that is cut anywhere.

use arbitrary::{Result, Unstructured};
use codec_tests::theirs::{self, Extras};
use codec_tests::{Answers, Outcome, read_answers};

use crate::apis::{rest, version, with_api};
use crate::differ;

/// An API, a version, six cuts, and bytes: the body of an answer, or a whole stream.
///
/// What a decoder yields must not depend on where the stream is cut, and a second implementation
/// reads what ours reads.
pub fn target(data: &[u8]) {
    // An input that ends early says nothing, and does no harm.
    run(&mut Unstructured::new(data)).ok();
}

fn run(input: &mut Unstructured<'_>) -> Result<()> {
    with_api!(input, check(input))
}

fn check<A: Answers>(input: &mut Unstructured<'_>) -> Result<()> {
    let version = version(input, A::VERSIONS)?;
    let whole = input.ratio(1, 8_u8)?;
    let cuts: [u8; 6] = input.arbitrary()?;
    let given = rest(input);
    let bytes =
        if whole { given.to_vec() } else { theirs::answer(A::API, version, given, Extras::None) };
    let outcome = read_answers::<A>(version, [&bytes[..]]);
    assert_eq!(read_answers::<A>(version, pieces(&bytes, &cuts)), outcome, "cut by {cuts:?}");
    if let Some(fault) = outcome.fault {
        assert!(!fault.to_string().is_empty());
    }
    if !whole && outcome.complete == 1 && outcome.fault.is_none() {
        seen_alike::<A>(version, given, &outcome);
    }
    Ok(())
}

/// The second implementation reads the body, too, and writes it so that ours finds the same in it.
fn seen_alike<A: Answers>(version: i16, body: &[u8], outcome: &Outcome<A::Item>) {
    if let Some(again) = differ::answer_again(A::API, version, body) {
        let bytes = theirs::answer(A::API, version, &again, Extras::None);
        let read = read_answers::<A>(version, [&bytes[..]]);
        assert_eq!(&read, outcome, "{:?} version {version}, written by theirs: {again:x?}", A::API);
    }
}

/// Cuts a stream into pieces whose lengths are `sizes`, over and over; a piece of none is one of
/// all that is left.
pub(crate) fn pieces<'b>(mut bytes: &'b [u8], sizes: &[u8]) -> impl Iterator<Item = &'b [u8]> {
    let sizes: Vec<usize> = sizes.iter().map(|size| usize::from(*size)).collect();
    let mut turn = sizes.into_iter().cycle();
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let size = turn.next().filter(|size| (1..bytes.len()).contains(size));
        let (piece, rest) = bytes.split_at(size.unwrap_or(bytes.len()));
        bytes = rest;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_all_of_the_bytes() {
        let bytes: Vec<u8> = (0..100).collect();
        for sizes in [&[1, 2, 3][..], &[0], &[], &[255, 1], &[40, 0]] {
            let pieces: Vec<&[u8]> = pieces(&bytes, sizes).collect();
            assert_eq!(pieces.concat(), bytes, "{sizes:?}");
            assert!(pieces.iter().all(|piece| !piece.is_empty()), "{sizes:?}");
        }
        let lengths: Vec<usize> = pieces(&bytes, &[1, 2]).take(3).map(<[u8]>::len).collect();
        assert_eq!(lengths, [1, 2, 1]);
    }
}
