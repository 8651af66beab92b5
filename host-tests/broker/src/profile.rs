//! Which Kafka a node is like: the versions that it lists, and what older ones do differently.
//!
//! Of what a real broker lists, the APIs stand here that this one has. The lowest versions of some,
//! which only clients from before Kafka 1.1 use, are listed as Kafka lists them and not served, as
//! there are no codecs for them.

use std::fmt;
use std::str::FromStr;

use ottla::message::{AdminApi, AnyApi, Api, Versions};

/// A release of Apache Kafka that a node is like, in the versions of requests that it takes and in
/// what it answers.
#[derive(Copy, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Profile {
    /// Kafka 2.1: the oldest that a client of today has to work with (KIP-896). No flexible
    /// versions; a version of ApiVersions that is not known is refused with an empty list; a
    /// producer that is not known has to begin at sequence 0, or is answered 59.
    V2_1,
    /// Kafka 2.4: the first flexible versions (KIP-482), texts about refused records (KIP-467).
    V2_4,
    /// Kafka 2.8: unknown producers begin where they like (KIP-360), topic ids in Metadata.
    V2_8,
    /// Kafka 3.9, with KRaft: the last that works with ZooKeeper too.
    V3_9,
    /// Kafka 4.1: old versions are gone, but Produce is listed from 0; topic ids in Produce.
    V4_1,
    /// All that there are codecs for.
    #[default]
    Newest,
}

/// The key of Fetch.
const FETCH: i16 = 1;

impl Profile {
    /// All of them, oldest first.
    pub const ALL: [Self; 6] =
        [Self::V2_1, Self::V2_4, Self::V2_8, Self::V3_9, Self::V4_1, Self::Newest];

    /// The versions of an API that are listed; `None`: the API is not there.
    #[must_use]
    pub const fn listed(self, api: AnyApi) -> Option<Versions> {
        // Highest version in 2.1, 2.4, 2.8, 3.9, 4.1 and the newest, -1 for none; and the lowest
        // from 4.0 on, where KIP-896 took old ones away. Before it is 0.
        let (lowest, highest) = match api {
            // Versions below 3 are listed and not served: many released versions of librdkafka
            // compress only where version 0 is listed, and none of them uses it.
            AnyApi::Client(Api::Produce) => (0, [7, 8, 9, 11, 13, 13]),
            AnyApi::Client(Api::Metadata) => (0, [7, 9, 11, 12, 13, 13]),
            AnyApi::Client(Api::ApiVersions) => (0, [2, 3, 3, 4, 4, 5]),
            AnyApi::Client(Api::CreateTopics) => (2, [3, 5, 7, 7, 7, 7]),
            AnyApi::Client(Api::InitProducerId) => (0, [1, 2, 4, 5, 5, 5]),
            AnyApi::Admin(AdminApi::DeleteTopics) => (1, [3, 4, 6, 6, 6, 6]),
            AnyApi::Admin(AdminApi::DescribeConfigs) => (1, [2, 2, 4, 4, 4, 4]),
            AnyApi::Admin(AdminApi::CreatePartitions) => (0, [1, 1, 3, 3, 3, 3]),
            AnyApi::Admin(AdminApi::IncrementalAlterConfigs) => (0, [-1, 1, 1, 1, 1, 1]),
            AnyApi::Admin(AdminApi::DescribeCluster) => (0, [-1, -1, 0, 1, 2, 2]),
            AnyApi::Admin(AdminApi::DescribeTopicPartitions) => (0, [-1, -1, -1, 0, 0, 0]),
        };
        let [v2_1, v2_4, v2_8, v3_9, v4_1, newest] = highest;
        let (min, max) = match self {
            Self::V2_1 => (0, v2_1),
            Self::V2_4 => (0, v2_4),
            Self::V2_8 => (0, v2_8),
            Self::V3_9 => (0, v3_9),
            Self::V4_1 => (lowest, v4_1),
            Self::Newest => (lowest, newest),
        };
        if max < 0 { None } else { Some(Versions { min, max }) }
    }

    /// Whether requests of `api` in `version` are served.
    #[must_use]
    pub const fn serves(self, api: AnyApi, version: i16) -> bool {
        // The lowest that there are codecs for, in the broker's direction.
        let lowest = match api {
            AnyApi::Client(Api::Produce) => 3,
            AnyApi::Client(Api::CreateTopics) => 2,
            AnyApi::Admin(AdminApi::DeleteTopics | AdminApi::DescribeConfigs) => 1,
            _ => 0,
        };
        match self.listed(api) {
            Some(Versions { max, .. }) => lowest <= version && version <= max,
            None => false,
        }
    }

    /// The versions of Fetch that are listed, of which none is served: there is no reading here.
    /// From what stands there librdkafka concludes in which format it may send records: in today's
    /// only if 4 is listed, and compressed by zstd only if 10 is. A consumer asks for offsets
    /// first, and says that this broker has no API for that.
    const fn fetch(self) -> Versions {
        let (min, max) = match self {
            Self::V2_1 => (0, 10),
            Self::V2_4 => (0, 11),
            Self::V2_8 => (0, 12),
            Self::V3_9 => (0, 17),
            Self::V4_1 | Self::Newest => (4, 18),
        };
        Versions { min, max }
    }

    /// All that is listed, by key.
    pub(crate) fn list(self) -> Vec<(i16, Versions)> {
        let apis = Api::ALL.into_iter().map(AnyApi::Client);
        let apis = apis.chain(AdminApi::ALL.into_iter().map(AnyApi::Admin));
        let listed = apis.filter_map(|api| Some((api.key(), self.listed(api)?)));
        let mut list: Vec<_> = listed.chain([(FETCH, self.fetch())]).collect();
        list.sort_unstable_by_key(|(key, _)| *key);
        list
    }

    /// A refused version of ApiVersions is answered with the versions that there are (KIP-511).
    pub(crate) fn names_versions_in_refusal(self) -> bool {
        self >= Self::V2_4
    }

    /// Number of partitions and replicas may be left to the broker (KIP-464).
    pub(crate) fn has_topic_defaults(self) -> bool {
        self >= Self::V2_4
    }

    /// There is a code 87 for records that are not valid; before they were answered 2 (KIP-467).
    pub(crate) fn has_invalid_record(self) -> bool {
        self >= Self::V2_4
    }

    /// A producer of which nothing is known may begin at any sequence (KIP-360).
    pub(crate) fn trusts_unknown_producers(self) -> bool {
        self >= Self::V2_8
    }

    /// A topic that is being made is answered 5, as ZooKeeper's brokers did, and not 3.
    pub(crate) fn shows_new_topics_without_leader(self) -> bool {
        self < Self::V3_9
    }

    /// The release as people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V2_1 => "2.1",
            Self::V2_4 => "2.4",
            Self::V2_8 => "2.8",
            Self::V3_9 => "3.9",
            Self::V4_1 => "4.1",
            Self::Newest => "newest",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no such profile.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct NoSuchProfile;

impl fmt::Display for NoSuchProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = Profile::ALL.iter().map(|profile| profile.name()).collect();
        write!(f, "it has to be one of {}", names.join(", "))
    }
}

impl std::error::Error for NoSuchProfile {}

impl FromStr for Profile {
    type Err = NoSuchProfile;

    fn from_str(text: &str) -> Result<Self, NoSuchProfile> {
        Self::ALL.into_iter().find(|profile| profile.name() == text).ok_or(NoSuchProfile)
    }
}

#[cfg(test)]
mod tests {
    use ottla::message::{ErrorCode, api_versions as codec};

    use super::*;
    use crate::testing::{Client, Told};
    use crate::{Closed, Config};

    #[test]
    fn each_lists_what_its_kafka_lists() {
        let range = |min, max| Some((min, max));
        for (key, ranges) in [
            (0, [range(0, 7), range(0, 8), range(0, 9), range(0, 11), range(0, 13)]),
            (1, [range(0, 10), range(0, 11), range(0, 12), range(0, 17), range(4, 18)]),
            (3, [range(0, 7), range(0, 9), range(0, 11), range(0, 12), range(0, 13)]),
            (18, [range(0, 2), range(0, 3), range(0, 3), range(0, 4), range(0, 4)]),
            (19, [range(0, 3), range(0, 5), range(0, 7), range(0, 7), range(2, 7)]),
            (20, [range(0, 3), range(0, 4), range(0, 6), range(0, 6), range(1, 6)]),
            (22, [range(0, 1), range(0, 2), range(0, 4), range(0, 5), range(0, 5)]),
            (32, [range(0, 2), range(0, 2), range(0, 4), range(0, 4), range(1, 4)]),
            (37, [range(0, 1), range(0, 1), range(0, 3), range(0, 3), range(0, 3)]),
            (44, [None, range(0, 1), range(0, 1), range(0, 1), range(0, 1)]),
            (60, [None, None, range(0, 0), range(0, 1), range(0, 2)]),
            (75, [None, None, None, range(0, 0), range(0, 0)]),
        ] {
            for (profile, expected) in Profile::ALL.into_iter().zip(ranges) {
                let mut client = Client::with(Config { profile, ..Config::new(1) });
                let items = client.api_versions(0, |_| {});
                let listed = items.into_iter().find_map(|item| match item {
                    codec::Item::Api(api, Versions { min, max }) if api == key => Some((min, max)),
                    _ => None,
                });
                assert_eq!(listed, expected, "{key} in {profile}");
            }
        }
    }

    #[test]
    fn what_is_not_served_closes_the_connection() {
        for profile in Profile::ALL {
            for (key, highest) in Profile::Newest.list() {
                let Some(api) = AnyApi::of_key(key) else {
                    assert_eq!(key, FETCH);
                    let mut client = Client::with(Config { profile, ..Config::new(1) });
                    client.send(&crate::testing::request(key, 4, 1, |_| {}));
                    assert_eq!(client.told(), Told::Closed(Closed::UnknownApi(key)));
                    continue;
                };
                for version in -1..=highest.max + 1 {
                    let mut client = Client::with(Config { profile, ..Config::new(1) });
                    client.send(&crate::testing::request(key, version, 1, |out| out.push(0xff)));
                    let told = client.told();
                    let closed = |closed| told == Told::Closed(closed);
                    if profile.serves(api, version) {
                        // Nothing is wrong but the body, which some versions of none can read.
                        assert!(
                            !closed(Closed::UnsupportedVersion(key, version)),
                            "{profile} {key}"
                        );
                        assert!(!closed(Closed::UnknownApi(key)), "{profile} {key}");
                    } else if profile.listed(api).is_none() {
                        assert!(closed(Closed::UnknownApi(key)), "{profile} {key}: {told:?}");
                    } else if api == AnyApi::Client(Api::ApiVersions) {
                        assert!(matches!(told, Told::Answer(_)), "{profile} {version}: {told:?}");
                    } else {
                        let unsupported = Closed::UnsupportedVersion(key, version);
                        assert!(closed(unsupported), "{profile} {key} {version}: {told:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_refused_version_of_api_versions_names_the_highest_from_2_4_on() {
        for (profile, expected) in [
            (Profile::V2_1, &[0, 0, 0, 10, 0, 0, 0, 5, 0, 35, 0, 0, 0, 0][..]),
            (Profile::V2_4, &[0, 0, 0, 16, 0, 0, 0, 5, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 3]),
            (Profile::V4_1, &[0, 0, 0, 16, 0, 0, 0, 5, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4]),
        ] {
            let mut client = Client::with(Config { profile, ..Config::new(1) });
            let told = client.request(18, 5, 5, |out| out.extend_from_slice(&[2, b'a', 2, b'1']));
            assert_eq!(told, Told::Answer(expected.to_vec()), "{profile}");
            let items = client.api_versions(0, |_| {});
            assert_eq!(items[0], codec::Item::Error(ErrorCode::NONE), "the connection stays");
        }
    }

    #[test]
    fn names_are_read_back() {
        for profile in Profile::ALL {
            assert_eq!(profile.to_string().parse(), Ok(profile));
        }
        let error = "1.0".parse::<Profile>().unwrap_err();
        assert_eq!(error.to_string(), "it has to be one of 2.1, 2.4, 2.8, 3.9, 4.1, newest");
    }
}
