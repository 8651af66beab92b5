//! Where a link stands in its stream of answers.

use crate::memory::{BatchId, TopicId};
use crate::message::{Api, api_versions, init_producer_id, metadata, produce};
use crate::wire::input::Frame;

/// The part of a frame that comes next.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) enum ReceiveStage {
    #[default]
    Size,
    Correlation,
    HeaderTags,
    Body,
    /// Bytes behind what this client knows.
    Rest,
}

/// Where the matching of a Produce answer with its batches stands.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Matching {
    pub(crate) topic: TopicId,
    /// The batch that the next partition probably is about.
    pub(crate) next: BatchId,
    /// The batch that the last partition was about.
    pub(crate) batch: BatchId,
    /// Texts are kept in its block; up to here it is written, and here the last entry begins.
    pub(crate) keeping: bool,
    pub(crate) whole: bool,
    pub(crate) end: u32,
    pub(crate) entry: u32,
}

/// Decoder of the answer at hand. Tagged by a byte of its own, so that none is zero bits.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub(crate) enum Body {
    #[default]
    None,
    ApiVersions(api_versions::Answer),
    Metadata(metadata::Answer),
    Produce(produce::Answer, Matching),
    InitProducerId(init_producer_id::Answer),
}

impl Body {
    pub(crate) fn of(api: Api) -> Self {
        match api {
            Api::ApiVersions => Self::ApiVersions(api_versions::Answer::default()),
            Api::Metadata => Self::Metadata(metadata::Answer::default()),
            Api::Produce => Self::Produce(produce::Answer::default(), Matching::default()),
            Api::InitProducerId => Self::InitProducerId(init_producer_id::Answer::default()),
            // No machine asks for it: it is for tools, which read whole answers.
            Api::CreateTopics => Self::None,
        }
    }
}

/// Where a link stands in its stream of answers. All zero: between two frames.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Receive {
    pub(crate) stage: ReceiveStage,
    pub(crate) frame: Frame,
    pub(crate) body: Body,
}

impl Receive {
    pub(crate) const EMPTY: Self =
        Self { stage: ReceiveStage::Size, frame: Frame::EMPTY, body: Body::None };
}
