//! Bytes on a wire: frames, the batches of a Produce request, the codes of its answer. The codec
//! of requests is the one that the broker reads them by; answers are read here, by Kafka's tables,
//! since the client's own reader is what is under test.

use std::fmt::{self, Write as _};

use ottla::message::broker::RequestHeader;
use ottla::message::{Api, produce};
use ottla::record::reader::Batch;

use crate::sample;

/// A stream cut into frames.
#[derive(Clone, Default, Debug)]
pub(crate) struct Stream {
    buffer: Vec<u8>,
}

impl Stream {
    /// Takes bytes; returns the frames that are complete now, with their sizes.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8])) {
        // Mostly a frame comes at once, and is looked at where it is.
        if self.buffer.is_empty() {
            while let Some(frame) = whole(bytes) {
                each(frame);
                bytes = &bytes[frame.len()..];
            }
        }
        self.buffer.extend_from_slice(bytes);
        let mut used = 0;
        while let Some(frame) = whole(&self.buffer[used..]) {
            each(frame);
            used += frame.len();
        }
        if used > 0 {
            self.buffer.drain(..used);
        }
    }

    /// What there is of a frame that is not complete.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.buffer
    }

    /// Bytes that such a frame lacks; none as long as its size is not there.
    pub(crate) fn missing(&self) -> u64 {
        let Some(size) = self.buffer.first_chunk() else { return 0 };
        (4 + u64::from(u32::from_be_bytes(*size))).saturating_sub(self.buffer.len() as u64)
    }
}

fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let size: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
    bytes.get(..4 + usize::try_from(i32::from_be_bytes(size)).ok()?)
}

/// The key of InitProducerId.
pub(crate) const INIT_PRODUCER_ID: i16 = 22;

/// Bytes of an answer to it after which its code, id and epoch are read, in the oldest version: size,
/// correlation, throttle, code, id, epoch.
pub(crate) const IDENTITY_READ: usize = 4 + 4 + 4 + 2 + 8 + 2;

/// The API of a request whose first bytes are these.
pub(crate) fn api_of(frame: &[u8]) -> Option<i16> {
    Some(i16::from_be_bytes(frame.get(4..6)?.try_into().ok()?))
}

/// A batch of a request.
#[derive(Clone, Debug)]
pub struct Part {
    /// Name or id of its topic.
    pub topic: Vec<u8>,
    /// Number of its partition.
    pub partition: i32,
    /// Producer id and epoch.
    pub identity: (i64, i16),
    /// Sequence of its first record.
    pub base: i32,
    /// Number of its records.
    pub count: i32,
    /// Hash of all its bytes.
    pub hash: u64,
    /// The number that its first record holds.
    pub first: u32,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Key of its API.
    pub api: i16,
    /// Version of its API.
    pub version: i16,
    /// Correlation id.
    pub correlation: i32,
    /// `acks`, of Produce.
    pub acks: i16,
    /// Its batches, of Produce.
    pub parts: Vec<Part>,
}

/// Reads a request with its size. `None`: nobody can.
#[must_use]
pub fn request(frame: &[u8]) -> Option<Asked> {
    let (header, body) = RequestHeader::read(frame.get(4..)?).ok()?;
    let RequestHeader { key, version, correlation, .. } = header;
    let mut asked = Asked { api: key, version, correlation, acks: -1, parts: Vec::new() };
    if key != Api::Produce.key() {
        return Some(asked);
    }
    let request = produce::broker::Request::read(body, version).ok()?;
    asked.acks = request.acks;
    for topic in &request.topics {
        for partition in &topic.partitions {
            let bytes = partition.records?;
            let (batch, _) = Batch::read(bytes).ok()?;
            let first = batch.records().ok()?.next()?.ok()?;
            asked.parts.push(Part {
                topic: topic.name.to_vec(),
                partition: partition.index,
                identity: (batch.producer_id, batch.producer_epoch),
                base: batch.base_sequence,
                count: batch.count,
                hash: hash(bytes),
                first: sample::id_of(first.value)?,
            });
        }
    }
    Some(asked)
}

/// A hash of bytes: eight at a time.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let mut chunks = bytes.chunks_exact(8);
    let mut hash = bytes.len() as u64;
    for chunk in &mut chunks {
        let word = chunk.try_into().map_or(0, u64::from_le_bytes);
        hash = mix(hash, word);
    }
    chunks.remainder().iter().fold(hash, |hash, byte| mix(hash, u64::from(*byte)))
}

/// One more number in a hash.
pub(crate) const fn mix(hash: u64, word: u64) -> u64 {
    (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

/// All that something says of itself, in a hash.
pub(crate) fn mix_all(hash: u64, what: &impl fmt::Debug) -> u64 {
    struct Words(u64);
    impl fmt::Write for Words {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 = mix(self.0, self::hash(text.as_bytes()));
            Ok(())
        }
    }
    let mut words = Words(hash);
    // It never fails.
    _ = write!(words, "{what:?}");
    words.0
}

/// Reads bytes from the front.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn int<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn varint(&mut self) -> Option<u32> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.int()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// A count of elements; null is 0.
    fn count(&mut self, flexible: bool) -> Option<u32> {
        if flexible {
            return Some(self.varint()?.saturating_sub(1));
        }
        Some(u32::try_from(i32::from_be_bytes(self.int()?)).unwrap_or(0))
    }

    fn text(&mut self, flexible: bool) -> Option<&'a [u8]> {
        let length = if flexible {
            self.varint()?.saturating_sub(1) as usize
        } else {
            usize::try_from(i16::from_be_bytes(self.int()?)).unwrap_or(0)
        };
        self.take(length)
    }

    fn tags(&mut self, flexible: bool) -> Option<()> {
        let count = if flexible { self.varint()? } else { 0 };
        for _ in 0..count {
            self.varint()?;
            let length = self.varint()?;
            self.take(length as usize)?;
        }
        Some(())
    }
}

/// The correlation id of an answer with its size.
pub(crate) fn correlation(frame: &[u8]) -> Option<i32> {
    Some(i32::from_be_bytes(frame.get(4..8)?.try_into().ok()?))
}

/// The ids of the brokers that an answer to Metadata names. `None`: nobody can read it.
pub(crate) fn brokers(frame: &[u8], version: i16) -> Option<Vec<i32>> {
    let flexible = version >= 9;
    let mut cursor = Cursor(frame.get(8..)?);
    cursor.tags(flexible)?;
    cursor.take(4)?;
    let mut ids = Vec::new();
    for _ in 0..cursor.count(flexible)? {
        ids.push(i32::from_be_bytes(cursor.int()?));
        cursor.text(flexible)?;
        cursor.take(4)?;
        cursor.text(flexible)?;
        cursor.tags(flexible)?;
    }
    Some(ids)
}

/// What metadata tells of a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Described {
    pub(crate) code: i16,
    pub(crate) name: Vec<u8>,
    /// Partition, leader, and the leader's epoch.
    pub(crate) partitions: Vec<(i32, i32, i32)>,
}

/// Reads an answer to Metadata of version 9, with its size: the only one that has leader epochs that
/// count, and no topic ids. `None`: nobody can.
pub(crate) fn metadata_9(frame: &[u8]) -> Option<Vec<Described>> {
    let mut cursor = Cursor(frame.get(8..)?);
    cursor.tags(true)?;
    cursor.take(4)?;
    for _ in 0..cursor.count(true)? {
        cursor.take(4)?;
        cursor.text(true)?;
        cursor.take(4)?;
        cursor.text(true)?;
        cursor.tags(true)?;
    }
    cursor.text(true)?;
    cursor.take(4)?;
    let mut topics = Vec::new();
    for _ in 0..cursor.count(true)? {
        let code = i16::from_be_bytes(cursor.int()?);
        let name = cursor.text(true)?.to_vec();
        cursor.take(1)?;
        let mut partitions = Vec::new();
        for _ in 0..cursor.count(true)? {
            cursor.take(2)?;
            let mut number = || Some(i32::from_be_bytes(cursor.int()?));
            partitions.push((number()?, number()?, number()?));
            for _ in 0..3 {
                let nodes = cursor.count(true)?;
                cursor.take(nodes as usize * 4)?;
            }
            cursor.tags(true)?;
        }
        cursor.take(4)?;
        cursor.tags(true)?;
        topics.push(Described { code, name, partitions });
    }
    Some(topics)
}

/// A code of an answer: topic, partition, code.
pub type Told = (Vec<u8>, i32, i16);

/// Reads the codes of an answer to Produce, with its size. `None`: nobody can.
#[must_use]
pub fn produce_answer(frame: &[u8], version: i16) -> Option<Vec<Told>> {
    let mut told = Vec::new();
    read_codes(frame, version, &mut told).map(|()| told)
}

/// As that, of an answer that is cut: those that can be read.
pub(crate) fn produce_answer_cut(frame: &[u8], version: i16) -> Vec<Told> {
    let mut told = Vec::new();
    let _ = read_codes(frame, version, &mut told);
    told
}

fn read_codes(frame: &[u8], version: i16, told: &mut Vec<Told>) -> Option<()> {
    let flexible = version >= 9;
    let mut cursor = Cursor(frame.get(8..)?);
    cursor.tags(flexible)?;
    for _ in 0..cursor.count(flexible)? {
        let topic = if version >= 13 { cursor.take(16)? } else { cursor.text(flexible)? };
        for _ in 0..cursor.count(flexible)? {
            let partition = i32::from_be_bytes(cursor.int()?);
            let code = i16::from_be_bytes(cursor.int()?);
            told.push((topic.to_vec(), partition, code));
            // Base offset and time of the append; where the log begins.
            cursor.take(if version >= 5 { 24 } else { 16 })?;
            if version >= 8 {
                for _ in 0..cursor.count(flexible)? {
                    cursor.take(4)?;
                    cursor.text(flexible)?;
                    cursor.tags(flexible)?;
                }
                cursor.text(flexible)?;
            }
            cursor.tags(flexible)?;
        }
        cursor.tags(flexible)?;
    }
    Some(())
}

/// The codes that brokers give before the append only (R1): always, and with `acks=1`.
const REFUSED: [i16; 24] = [
    2, 10, 17, 18, 19, 21, 29, 31, 32, 35, 42, 43, 44, 45, 47, 48, 49, 53, 59, 76, 87, 90, 103, 120,
];
const REFUSED_BY_LEADER: [i16; 6] = [3, 5, 6, 74, 75, 100];

/// Whether an idempotent producer can only be closed after it.
#[must_use]
pub const fn is_fatal(code: i16) -> bool {
    matches!(code, 31 | 35 | 49 | 53 | 90)
}

/// Whether a code says that nothing was appended.
#[must_use]
pub fn is_refusal(code: i16, acks: i16) -> bool {
    REFUSED.contains(&code) || acks == 1 && REFUSED_BY_LEADER.contains(&code)
}

#[cfg(test)]
mod tests {
    use ottla::message::ErrorCode;
    use ottla::message::broker::answer;
    use ottla::message::produce::PartitionAnswer;
    use ottla::message::produce::broker::{Answer, Partition, RecordError, Topic};

    use super::*;

    #[test]
    fn streams_are_cut_anywhere() {
        let bytes = [0, 0, 0, 2, 8, 9, 0, 0, 0, 0, 0, 0, 0, 1, 7];
        for cut in 0..bytes.len() {
            let mut stream = Stream::default();
            let mut lengths = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                stream.feed(part, |frame| lengths.push(frame.len()));
            }
            assert_eq!((lengths, stream.rest().len()), (vec![6, 4, 5], 0), "{cut}");
        }
    }

    #[test]
    fn outcomes_that_differ_differ_in_the_hash() {
        use ottla::{Cause, Outcome};
        let outcomes = [
            Outcome::Unacknowledged,
            Outcome::NotWritten(Cause::Timeout),
            Outcome::NotWritten(Cause::Closed),
            Outcome::Written { base_offset: 7, append_time: -1 },
            Outcome::Written { base_offset: 8, append_time: -1 },
        ];
        for (at, one) in outcomes.iter().enumerate() {
            for (other_at, other) in outcomes.iter().enumerate() {
                assert_eq!(mix_all(5, one) == mix_all(5, other), at == other_at, "{one} {other}");
            }
        }
    }

    #[test]
    fn what_a_frame_lacks_is_known_with_its_size() {
        let mut stream = Stream::default();
        assert_eq!(stream.missing(), 0);
        for (part, missing) in [(&[0, 0, 0][..], 0), (&[2], 2), (&[8], 1), (&[9, 0], 0)] {
            stream.feed(part, |_| {});
            assert_eq!(stream.missing(), missing, "{part:?}");
        }
    }

    #[test]
    fn answers_are_read_in_every_version() {
        let partition = |index, code| Partition {
            records: vec![RecordError { index: 3, text: Some("why".into()) }],
            text: Some("because".into()),
            ..Partition::new(PartitionAnswer {
                index,
                error: ErrorCode(code),
                base_offset: 5,
                log_append_time: -1,
                log_start: 0,
            })
        };
        for version in 3..=13 {
            let name = if version < 13 { b"topic".to_vec() } else { vec![7; 16] };
            let partitions = vec![partition(0, 0), partition(2, 45)];
            let topics = vec![Topic { name: name.clone(), partitions }];
            let told = Answer { topics, ..Answer::default() };
            let frame = answer(Api::Produce, version, 9, |out| told.write(version, out));
            assert_eq!(correlation(&frame), Some(9));
            let expected = vec![(name.clone(), 0, 0), (name, 2, 45)];
            assert_eq!(produce_answer(&frame, version), Some(expected), "{version}");
            let cut = &frame[..frame.len() / 2];
            assert_eq!(produce_answer(cut, version), None);
            assert_eq!(produce_answer_cut(cut, version).len(), 1, "{version}");
        }
    }

    #[test]
    fn metadata_is_read() {
        use ottla_broker::{Cluster, Config, NewTopic, Profile};
        let profile = Profile::V2_4;
        let mut cluster = Cluster::new(Config { profile, ..Config::new(3) });
        cluster.create_topic(&NewTopic::new("ants", 2, 3)).unwrap();
        let leader = cluster.leader("ants", 1).unwrap();
        let next = 1 + leader % 3;
        cluster.move_leader(5, "ants", 1, next).unwrap();
        let connection = cluster.connect(5, 1).unwrap();
        let asked = [0, 3, 0, 9, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0, 0, 0];
        cluster.handle_input(5, connection, &[&[0, 0, 0, 16], &asked[..]].concat());
        let frame = cluster.poll_output(connection).unwrap();
        let topics = metadata_9(&frame).unwrap();
        assert_eq!((topics[0].code, &topics[0].name[..]), (0, &b"ants"[..]));
        assert_eq!(topics[0].partitions[1], (1, next, 1));
        assert_eq!(metadata_9(&frame[..frame.len() - 12]), None);
        for (version, body) in crate::traps::tell(&cluster, 1) {
            let header = if version >= 9 { vec![0; 9] } else { vec![0; 8] };
            let frame = [header, body].concat();
            assert_eq!(brokers(&frame, version), Some(vec![1, 2, 3]), "{version}");
            assert_eq!(brokers(&frame[..20], version), None);
        }
    }

    #[test]
    fn what_nobody_can_read_is_found() {
        assert!(request(&[0, 0, 0, 3, 0, 0, 0]).is_none(), "half a header");
        let produce = [0, 0, 0, 12, 0, 0, 0, 12, 0, 0, 0, 1, 0xff, 0xff, 0, 9];
        assert!(request(&produce).is_none(), "half a body");
    }

    #[test]
    fn refusals_are_those_of_the_rule() {
        assert!(is_refusal(45, -1) && !is_refusal(6, -1) && is_refusal(6, 1) && !is_refusal(7, 1));
    }
}
