//! Records: each holds its number, from which all of it can be made again.

use ottla::record::reader::ReadRecord;

/// What every value begins with.
const MARK: [u8; 4] = *b"ottl";
/// The shortest value.
pub(crate) const SHORTEST: u32 = 8;

/// Writes the value of a record.
pub(crate) fn value(id: u32, length: u32, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&MARK);
    out.extend_from_slice(&id.to_be_bytes());
    let filler = id.to_le_bytes()[0];
    out.resize(length.max(SHORTEST) as usize, filler);
}

/// The number of a record.
pub(crate) fn id_of(value: Option<&[u8]>) -> Option<u32> {
    let rest = value?.strip_prefix(&MARK)?;
    rest.first_chunk().map(|id| u32::from_be_bytes(*id))
}

/// Whether a record is what was sent under its number.
pub(crate) fn is_whole(record: &ReadRecord<'_>, id: u32, length: u32) -> bool {
    let value = record.value.unwrap_or(&[]);
    let filler = id.to_le_bytes()[0];
    value.len() == length as usize
        && value.get(SHORTEST as usize..).unwrap_or(&[]).iter().all(|byte| *byte == filler)
}
