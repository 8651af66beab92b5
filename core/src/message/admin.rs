//! APIs of tools and administration, which the producer never asks, and what they have in common
//! with those that it asks.
//!
//! They are a list of their own, so that a link's table of negotiated versions has no room for
//! them, and an image that does not use them does not hold their code.

use core::fmt;

use super::{Api, Versions};

/// An API that only tools and tests use.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum AdminApi {
    /// Removes topics. KIP-4.
    DeleteTopics,
    /// Settings of topics and brokers. KIP-133, KIP-226.
    DescribeConfigs,
    /// Gives topics more partitions. KIP-195.
    CreatePartitions,
    /// Changes single settings of topics and brokers. KIP-339.
    IncrementalAlterConfigs,
    /// Brokers and the id of the cluster. KIP-700.
    DescribeCluster,
    /// Topics page by page. KIP-966.
    DescribeTopicPartitions,
}

impl AdminApi {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::DeleteTopics,
        Self::DescribeConfigs,
        Self::CreatePartitions,
        Self::IncrementalAlterConfigs,
        Self::DescribeCluster,
        Self::DescribeTopicPartitions,
    ];

    /// The number in request headers.
    #[must_use]
    pub const fn key(self) -> i16 {
        match self {
            Self::DeleteTopics => 20,
            Self::DescribeConfigs => 32,
            Self::CreatePartitions => 37,
            Self::IncrementalAlterConfigs => 44,
            Self::DescribeCluster => 60,
            Self::DescribeTopicPartitions => 75,
        }
    }

    /// The API with this number.
    #[must_use]
    pub const fn of_key(key: i16) -> Option<Self> {
        Some(match key {
            20 => Self::DeleteTopics,
            32 => Self::DescribeConfigs,
            37 => Self::CreatePartitions,
            44 => Self::IncrementalAlterConfigs,
            60 => Self::DescribeCluster,
            75 => Self::DescribeTopicPartitions,
            _ => return None,
        })
    }

    /// The versions that there are codecs for: those of Kafka 4 (KIP-896).
    #[must_use]
    pub const fn versions(self) -> Versions {
        match self {
            Self::DeleteTopics => Versions { min: 1, max: 6 },
            Self::DescribeConfigs => Versions { min: 1, max: 4 },
            Self::CreatePartitions => Versions { min: 0, max: 3 },
            Self::IncrementalAlterConfigs => Versions { min: 0, max: 1 },
            Self::DescribeCluster => Versions { min: 0, max: 2 },
            Self::DescribeTopicPartitions => Versions { min: 0, max: 0 },
        }
    }

    /// Whether `version` has compact encodings and tagged fields.
    #[must_use]
    pub const fn is_flexible(self, version: i16) -> bool {
        let first = match self {
            Self::DeleteTopics | Self::DescribeConfigs => 4,
            Self::CreatePartitions => 2,
            Self::IncrementalAlterConfigs => 1,
            Self::DescribeCluster | Self::DescribeTopicPartitions => 0,
        };
        version >= first
    }
}

/// An API of either list.
#[derive(Copy, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum AnyApi {
    /// One that the producer uses.
    Client(Api),
    /// One that only tools and tests use.
    Admin(AdminApi),
}

impl AnyApi {
    /// The number in request headers.
    #[must_use]
    pub const fn key(self) -> i16 {
        match self {
            Self::Client(api) => api.key(),
            Self::Admin(api) => api.key(),
        }
    }

    /// The API with this number.
    #[must_use]
    pub const fn of_key(key: i16) -> Option<Self> {
        match (Api::of_key(key), AdminApi::of_key(key)) {
            (Some(api), _) => Some(Self::Client(api)),
            (None, Some(api)) => Some(Self::Admin(api)),
            (None, None) => None,
        }
    }

    /// The versions of requests that there are codecs for.
    #[must_use]
    pub const fn versions(self) -> Versions {
        match self {
            Self::Client(api) => api.versions(),
            Self::Admin(api) => api.versions(),
        }
    }

    /// Whether `version` has compact encodings and tagged fields.
    #[must_use]
    pub const fn is_flexible(self, version: i16) -> bool {
        match self {
            Self::Client(api) => api.is_flexible(version),
            Self::Admin(api) => api.is_flexible(version),
        }
    }

    /// Whether the header of an answer ends with tagged fields.
    #[must_use]
    pub const fn has_answer_tags(self, version: i16) -> bool {
        match self {
            Self::Client(api) => api.has_answer_tags(version),
            Self::Admin(api) => api.is_flexible(version),
        }
    }
}

impl From<Api> for AnyApi {
    fn from(api: Api) -> Self {
        Self::Client(api)
    }
}

impl From<AdminApi> for AnyApi {
    fn from(api: AdminApi) -> Self {
        Self::Admin(api)
    }
}

impl fmt::Debug for AnyApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(api) => api.fmt(f),
            Self::Admin(api) => api.fmt(f),
        }
    }
}
