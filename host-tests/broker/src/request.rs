//! Requests of all APIs that are served, and who asks.

use ottla::error::Fault;
use ottla::message::{
    AdminApi, AnyApi, Api, ErrorCode, api_versions, create_partitions, create_topics,
    delete_topics, describe_cluster, describe_configs, describe_topic_partitions,
    incremental_alter_configs, init_producer_id, metadata, produce,
};

use crate::connection::Connection;
use crate::hooks::Silence;
use crate::profile::Profile;

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
    /// Key 20.
    DeleteTopics(delete_topics::broker::Request<'a>),
    /// Key 32.
    DescribeConfigs(describe_configs::broker::Request<'a>),
    /// Key 37.
    CreatePartitions(create_partitions::broker::Request<'a>),
    /// Key 44.
    IncrementalAlterConfigs(incremental_alter_configs::broker::Request<'a>),
    /// Key 60.
    DescribeCluster(describe_cluster::broker::Request),
    /// Key 75.
    DescribeTopicPartitions(describe_topic_partitions::broker::Request<'a>),
}

impl<'a> Request<'a> {
    pub(crate) fn read(api: AnyApi, version: i16, body: &'a [u8]) -> Result<Self, Fault> {
        Ok(match api {
            AnyApi::Client(api) => Self::read_client(api, version, body)?,
            AnyApi::Admin(api) => Self::read_admin(api, version, body)?,
        })
    }

    fn read_client(api: Api, version: i16, body: &'a [u8]) -> Result<Self, Fault> {
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

    fn read_admin(api: AdminApi, version: i16, body: &'a [u8]) -> Result<Self, Fault> {
        Ok(match api {
            AdminApi::DeleteTopics => {
                Self::DeleteTopics(delete_topics::broker::Request::read(body, version)?)
            }
            AdminApi::DescribeConfigs => {
                Self::DescribeConfigs(describe_configs::broker::Request::read(body, version)?)
            }
            AdminApi::CreatePartitions => {
                Self::CreatePartitions(create_partitions::broker::Request::read(body, version)?)
            }
            AdminApi::IncrementalAlterConfigs => Self::IncrementalAlterConfigs(
                incremental_alter_configs::broker::Request::read(body, version)?,
            ),
            AdminApi::DescribeCluster => {
                Self::DescribeCluster(describe_cluster::broker::Request::read(body, version)?)
            }
            AdminApi::DescribeTopicPartitions => Self::DescribeTopicPartitions(
                describe_topic_partitions::broker::Request::read(body)?,
            ),
        })
    }
}

/// A request's header, and where it came in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Asking {
    pub(crate) node: i32,
    pub(crate) listener: usize,
    /// Which Kafka the node is like.
    pub(crate) profile: Profile,
    pub(crate) connection: Connection,
    pub(crate) api: AnyApi,
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

impl Asking {
    /// A partition whose leader has no address for the client's listener has a code of its own
    /// from Metadata 6 on.
    pub(crate) const fn knows_listeners(&self) -> bool {
        self.api.key() != Api::Metadata.key() || self.version >= 6
    }
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
    /// One that leaves the first partition out.
    LeaveOut,
}

impl Forced {
    /// The code, where it does not matter when it is given.
    pub(crate) const fn code(self) -> Option<ErrorCode> {
        match self {
            Self::Not | Self::LeaveOut => None,
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
