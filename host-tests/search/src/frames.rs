//! Frames by number: each is kept once, without its correlation id, which follows from the order on
//! its link.

use hashbrown::HashMap;
use ottla::message::Api;
use ottla_simulator::frames::{Part, produce_answer, request};

/// Number of a frame.
pub type FrameId = u32;

/// A request of a client, or an answer.
#[derive(Debug)]
pub struct Frame {
    /// Its bytes, with its size, and 0 as its correlation id.
    pub bytes: Box<[u8]>,
    /// What is in it.
    pub content: Content,
}

/// What is in a frame.
#[derive(Debug)]
pub enum Content {
    /// A request to produce these batches.
    Produce(i16, Vec<Part>),
    /// Another request.
    Other(&'static str),
    /// An answer to Produce: partitions and their codes.
    Produced(Vec<(i32, i16)>),
    /// Another answer.
    Answered,
}

/// All frames of a search.
#[derive(Default, Debug)]
pub struct Frames {
    frames: Vec<Frame>,
    numbers: HashMap<Box<[u8]>, FrameId>,
}

/// Where the correlation id stands in a request and in an answer, the frame's size included.
const REQUEST: usize = 8;
const ANSWER: usize = 4;

impl Frames {
    /// The frame with this number.
    #[must_use]
    pub fn get(&self, frame: FrameId) -> &Frame {
        &self.frames[frame as usize]
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.frames.len()
    }

    /// The batches of a request; none if it is no Produce request.
    #[must_use]
    pub fn parts(&self, frame: FrameId) -> &[Part] {
        match &self.get(frame).content {
            Content::Produce(_, parts) => parts,
            _ => &[],
        }
    }

    /// Whether it is a request to produce.
    #[must_use]
    pub fn is_produce(&self, frame: FrameId) -> bool {
        matches!(self.get(frame).content, Content::Produce(..))
    }

    /// Keeps a request as it was sent: its number, and its correlation id. `None`: nobody can
    /// read it.
    pub fn request(&mut self, bytes: &[u8]) -> Option<(FrameId, i32)> {
        let mut bytes = bytes.to_vec();
        let asked = request(&bytes)?;
        bytes.get_mut(REQUEST..REQUEST + 4)?.fill(0);
        let content = || match Api::of_key(asked.api) {
            Some(Api::Produce) => Content::Produce(asked.version, asked.parts),
            Some(Api::ApiVersions) => Content::Other("ApiVersions"),
            Some(Api::Metadata) => Content::Other("Metadata"),
            Some(Api::InitProducerId) => Content::Other("InitProducerId"),
            Some(Api::CreateTopics) | None => Content::Other("another request"),
        };
        Some((self.keep(bytes, content), asked.correlation))
    }

    /// Keeps an answer to a request. `None`: nobody can read it.
    pub fn answer(&mut self, asked: FrameId, bytes: &[u8]) -> Option<FrameId> {
        let mut bytes = bytes.to_vec();
        bytes.get_mut(ANSWER..ANSWER + 4)?.fill(0);
        let content = match self.get(asked).content {
            Content::Produce(version, _) => {
                let codes = produce_answer(&bytes, version)?;
                Content::Produced(codes.iter().map(|(_, index, code)| (*index, *code)).collect())
            }
            _ => Content::Answered,
        };
        Some(self.keep(bytes, || content))
    }

    /// An answer's bytes under a correlation id.
    #[must_use]
    pub fn answer_bytes(&self, answer: FrameId, correlation: i32) -> Vec<u8> {
        let mut bytes = self.get(answer).bytes.to_vec();
        bytes[ANSWER..ANSWER + 4].copy_from_slice(&correlation.to_be_bytes());
        bytes
    }

    /// What is said of the frame to people.
    #[must_use]
    pub fn describe(&self, frame: FrameId) -> String {
        match &self.get(frame).content {
            Content::Produce(_, parts) => {
                let part = |part: &Part| {
                    let Part { partition, base, count, first, .. } = part;
                    let epoch = part.identity.1;
                    let last = first + count.cast_unsigned().saturating_sub(1);
                    format!(
                        "records {first}..={last} of partition {partition}, epoch {epoch}, sequence {base}"
                    )
                };
                let parts: Vec<String> = parts.iter().map(part).collect();
                format!("Produce ({})", parts.join("; "))
            }
            Content::Other(name) => (*name).to_string(),
            Content::Produced(codes) => {
                let code = |(index, code): &(i32, i16)| match code {
                    0 => format!("partition {index} ok"),
                    code => format!("partition {index} code {code}"),
                };
                let codes: Vec<String> = codes.iter().map(code).collect();
                format!("answer ({})", codes.join("; "))
            }
            Content::Answered => "answer".to_string(),
        }
    }

    fn keep(&mut self, bytes: Vec<u8>, content: impl FnOnce() -> Content) -> FrameId {
        if let Some(number) = self.numbers.get(bytes.as_slice()) {
            return *number;
        }
        let number = self.frames.len() as FrameId;
        let bytes = bytes.into_boxed_slice();
        self.numbers.insert(bytes.clone(), number);
        self.frames.push(Frame { bytes, content: content() });
        number
    }
}
