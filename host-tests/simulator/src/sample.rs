//! Records: each holds its number, from which all of it can be made again.

use ottla::record::reader::ReadRecord;
use ottla::{Header, Record};

/// What every value begins with.
const MARK: [u8; 4] = *b"ottl";
/// The shortest value.
pub(crate) const SHORTEST: u32 = 8;

const KEYS: [&str; 6] = ["", "a", "key", "another-key", "yet-another-of-them", "k6"];
const HEADERS: [Header<'_>; 3] = [
    Header { key: "trace", value: Some(b"0123456789") },
    Header { key: "trace", value: None },
    Header { key: "", value: Some(b"") },
];

/// What a producer's records have beside a value.
#[derive(Copy, Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Style {
    pub(crate) keys: bool,
    pub(crate) headers: bool,
    pub(crate) classes: bool,
    /// Timestamps of their own.
    pub(crate) stamps: bool,
}

impl Style {
    /// The key of a record.
    fn key(self, id: u32) -> Option<&'static [u8]> {
        let drawn = id as usize % (KEYS.len() + 1);
        KEYS.get(drawn).filter(|_| self.keys).map(|key| key.as_bytes())
    }

    fn headers(self, id: u32) -> &'static [Header<'static>] {
        let count = if self.headers { id as usize % (HEADERS.len() + 1) } else { 0 };
        &HEADERS[..count]
    }

    /// A record, but for its partition and its time. `value` is what [`value`] wrote.
    pub(crate) fn record(self, id: u32, value: &[u8]) -> Record<'_> {
        Record {
            key: self.key(id),
            headers: self.headers(id),
            class: if self.classes { id.to_le_bytes()[0] % 4 } else { 0 },
            ..Record::new(value)
        }
    }
}

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

/// Whether a record is what was sent under its number: key, value and headers.
pub(crate) fn is_whole(record: &ReadRecord<'_>, id: u32, length: u32, style: Style) -> bool {
    let value = record.value.unwrap_or(&[]);
    let filler = id.to_le_bytes()[0];
    let sent = style.headers(id).iter().map(|header| (header.key.as_bytes(), header.value));
    value.len() == length as usize
        && id_of(record.value) == Some(id)
        && value.get(SHORTEST as usize..).unwrap_or(&[]).iter().all(|byte| *byte == filler)
        && record.key == style.key(id)
        && record.headers().eq(sent)
}
