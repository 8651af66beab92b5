//! Values out of an answer that is whole.

use ottla::error::Fault;
use ottla::wire::input::Input;
use ottla::wire::parse;

/// Of an answer that is whole, nothing can be missing but what the broker left out.
pub(crate) fn whole<T>(value: Option<T>) -> Result<T, Fault> {
    value.ok_or(Fault::Truncated)
}

/// A nullable string of any length.
pub(crate) fn nullable_text(
    input: &mut Input<'_>,
    flexible: bool,
) -> Result<Option<String>, Fault> {
    let Some(mut left) = whole(input.text_length(flexible)?)? else { return Ok(None) };
    let mut bytes = Vec::new();
    while left > 0 {
        bytes.extend_from_slice(whole(input.text(&mut left))?);
    }
    Ok(Some(lossy(&bytes)))
}

/// A string of any length.
pub(crate) fn text(input: &mut Input<'_>, flexible: bool) -> Result<String, Fault> {
    nullable_text(input, flexible)?.ok_or(Fault::UnexpectedNull)
}

/// Ids of brokers; null counts as none.
pub(crate) fn numbers(input: &mut Input<'_>, flexible: bool) -> Result<Vec<i32>, Fault> {
    let count = whole(input.array(4, flexible)?)?;
    (0..count).map(|_| whole(input.atom(parse::int32)?)).collect()
}

/// Passes a section of tagged fields.
pub(crate) fn no_tags(input: &mut Input<'_>, flexible: bool) -> Result<(), Fault> {
    if input.no_tags(flexible)? { Ok(()) } else { Err(Fault::Truncated) }
}

/// Text of a broker, of which nobody promised that it is UTF-8.
pub(crate) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
