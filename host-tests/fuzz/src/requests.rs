//! Requests, as a broker reads them, and as our client writes them.

use arbitrary::{Result, Unstructured};
use codec_tests::Requests;
use codec_tests::theirs::{self, Extras};
use ottla::message::broker::RequestHeader;
use ottla::wire::write::Writer;

use crate::apis::{rest, version, with_api};
use crate::differ;

/// An API, a version, and bytes: the body of a request, or a header with it.
///
/// What is read and written again is read as the same, and a second implementation reads what
/// ours reads.
pub fn target(data: &[u8]) {
    // An input that ends early says nothing, and does no harm.
    run(&mut Unstructured::new(data)).ok();
}

fn run(input: &mut Unstructured<'_>) -> Result<()> {
    with_api!(input, check(input))
}

fn check<R: Requests>(input: &mut Unstructured<'_>) -> Result<()> {
    let version = version(input, R::VERSIONS)?;
    let with_header = input.ratio(1, 8_u8)?;
    let given = rest(input);
    let header = theirs::request_header(R::API, version, Extras::None);
    let content = if with_header { given.to_vec() } else { [&header, given].concat() };
    let Ok((_, body)) = RequestHeader::read(&content) else { return Ok(()) };
    let Ok(request) = R::read(body, version) else { return Ok(()) };
    // What follows is for texts that are UTF-8, as the second implementation has them.
    let Some(again) = differ::request_again(R::API, version, body) else { return Ok(()) };
    let read = R::read(&again, version);
    let Ok(read) = read else {
        panic!("{request:?} was written by theirs as {again:x?}: {read:?}")
    };
    let (ours, theirs) = (R::seen(&request, version), R::seen(&read, version));
    assert_eq!(ours, theirs, "{:?} version {version}, by theirs", R::API);
    if R::OWN_VERSIONS.contains(&version) {
        written_and_read::<R>(&request, version);
    }
    Ok(())
}

/// Our client may leave out what it never sends, but what it writes is read as it was meant.
fn written_and_read<R: Requests>(request: &R::Request<'_>, version: i16) {
    let mut own = Vec::new();
    R::write_request(request, version, &mut own);
    let read = R::read(&own, version);
    let Ok(read) = read else { panic!("{request:?} was written as {own:x?}: {read:?}") };
    let mut again = Vec::new();
    R::write_request(&read, version, &mut again);
    assert_eq!(again, own, "{:?} version {version}, written twice", R::API);
    // Into exactly its room, and into a byte less.
    let content = R::content(request, version);
    for (room, fits) in [(content.len(), true), (content.len() - 1, false)] {
        let mut buffer = vec![0; room];
        let mut writer = Writer::new(&mut buffer);
        R::write_content(request, version, &mut writer);
        assert_eq!(writer.finish(), fits.then_some(&content[..]));
    }
}
