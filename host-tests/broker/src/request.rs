//! Requests of all APIs that are served, and who asks.

use ottla::error::Fault;
use ottla::message::{
    Api, ErrorCode, Versions, api_versions, create_topics, init_producer_id, metadata, produce,
};

use crate::connection::Connection;
use crate::hooks::Silence;

/// A decoded request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request<'a> {
    /// Key 0.
    Produce(produce::broker::Request<'a>),
    /// Key 3.
    Metadata(metadata::broker::Request<'a>),
    /// Key 18.
    ApiVersions(api_versions::broker::Request<'a>),
    /// Key 19.
    CreateTopics(create_topics::broker::Request<'a>),
    /// Key 22.
    InitProducerId(init_producer_id::broker::Request<'a>),
}

impl<'a> Request<'a> {
    pub(crate) fn read(api: Api, version: i16, body: &'a [u8]) -> Result<Self, Fault> {
        Ok(match api {
            Api::Produce => Self::Produce(produce::broker::Request::read(body, version)?),
            Api::Metadata => Self::Metadata(metadata::broker::Request::read(body, version)?),
            Api::ApiVersions => {
                Self::ApiVersions(api_versions::broker::Request::read(body, version)?)
            }
            Api::CreateTopics => {
                Self::CreateTopics(create_topics::broker::Request::read(body, version)?)
            }
            Api::InitProducerId => {
                Self::InitProducerId(init_producer_id::broker::Request::read(body, version)?)
            }
        })
    }
}

/// The versions that are listed. Of Produce those from 3 on are served: many released versions of
/// librdkafka compress only where version 0 is listed, and none of them uses it.
pub(crate) const fn listed(api: Api) -> Versions {
    match api {
        Api::Produce => Versions { min: 0, max: 12 },
        Api::Metadata => Versions { min: 0, max: 13 },
        Api::ApiVersions => Versions { min: 0, max: 5 },
        Api::CreateTopics => Versions { min: 2, max: 7 },
        Api::InitProducerId => Versions { min: 0, max: 5 },
    }
}

/// Whether requests of `api` in `version` are served.
pub(crate) const fn is_served(api: Api, version: i16) -> bool {
    let Versions { min, max } = listed(api);
    let min = if matches!(api, Api::Produce) { 3 } else { min };
    min <= version && version <= max
}

/// A request's header, and where it came in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Asking {
    pub(crate) node: i32,
    pub(crate) listener: usize,
    pub(crate) connection: Connection,
    pub(crate) api: Api,
    pub(crate) version: i16,
    pub(crate) correlation: i32,
    /// The client calls itself as Kafka's own administration does.
    pub(crate) is_admin: bool,
    /// What the client is told to wait.
    pub(crate) throttle_ms: i32,
    /// What the hook wants the answer to say.
    pub(crate) forced: Forced,
    /// How long the answer is held back, in microseconds.
    pub(crate) delay: u64,
    /// What the client sees instead of an answer.
    pub(crate) silence: Option<Silence>,
}

/// An answer that the hook wants.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Forced {
    /// None: the true one.
    Not,
    /// This code, and nothing is done.
    Before(ErrorCode),
    /// This code, after everything was done.
    After(ErrorCode),
}

impl Forced {
    /// The code, where it does not matter when it is given.
    pub(crate) const fn code(self) -> Option<ErrorCode> {
        match self {
            Self::Not => None,
            Self::Before(code) | Self::After(code) => Some(code),
        }
    }

    /// The code if nothing is to be done.
    pub(crate) const fn before(self) -> Option<ErrorCode> {
        match self {
            Self::Before(code) => Some(code),
            _ => None,
        }
    }
}
