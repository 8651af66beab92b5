//! What a cluster is found to be: brokers, topics, partitions, settings.

use std::fmt;

use ottla::message::ErrorCode;

/// A cluster.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Cluster {
    /// Its id, which brokers tell since Kafka 0.10.1.
    pub id: Option<String>,
    /// The broker that takes requests for the controller; `None` while there is none.
    pub controller: Option<i32>,
    /// All brokers that run, by their ids.
    pub brokers: Vec<Broker>,
}

/// A broker, and where it says that it is reached.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Broker {
    /// Its id.
    pub id: i32,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: i32,
    /// `broker.rack`, if it has one.
    pub rack: Option<String>,
}

impl Broker {
    /// Host and port as people write them; an IPv6 address stands in brackets.
    #[must_use]
    pub fn address(&self) -> String {
        address(&self.host, self.port)
    }
}

/// Host and port as people write them.
pub(crate) fn address(host: &str, port: impl fmt::Display) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// A topic.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its id, which brokers tell since Kafka 2.8 (KIP-516).
    pub id: Option<TopicId>,
    /// Brokers keep their own data in it.
    pub internal: bool,
    /// Why its partitions are not told, or success.
    pub error: ErrorCode,
    /// Its partitions, by their numbers.
    pub partitions: Vec<Partition>,
}

impl Topic {
    /// Number of replicas of its first partition; 0 without partitions.
    #[must_use]
    pub fn replication_factor(&self) -> usize {
        self.partitions.first().map_or(0, |first| first.replicas.len())
    }
}

/// A partition.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Partition {
    /// Its number.
    pub index: i32,
    /// What is wrong with it, or success.
    pub error: ErrorCode,
    /// The broker that leads it; `None` while there is none.
    pub leader: Option<i32>,
    /// Epoch of the leader, which brokers tell since Kafka 2.1.
    pub leader_epoch: Option<i32>,
    /// Brokers that hold it, the preferred leader first.
    pub replicas: Vec<i32>,
    /// Those in sync.
    pub in_sync: Vec<i32>,
    /// Those offline.
    pub offline: Vec<i32>,
}

/// The id of a topic; one that is made again under its old name has another. As text it is what
/// Kafka's tools show: 22 characters of URL-safe base64.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct TopicId(pub [u8; 16]);

impl TopicId {
    /// The id, if these bytes are one.
    pub(crate) fn of(bytes: [u8; 16]) -> Option<Self> {
        (bytes != [0; 16]).then_some(Self(bytes))
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        // 128 bits are 21 digits of 6 bits, and 2 bits in front of 4 that are zero.
        let number = u128::from_be_bytes(self.0);
        for place in 0..22 {
            let shift = 122 - 6 * place;
            let digit = if shift >= 0 { number >> shift } else { number << -shift };
            f.write_str((DIGITS[(digit & 63) as usize] as char).encode_utf8(&mut [0; 4]))?;
        }
        Ok(())
    }
}

/// A setting of a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value; a secret has none.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: Source,
    /// Nobody can change it while the broker runs.
    pub read_only: bool,
    /// The value is a secret.
    pub sensitive: bool,
}

/// Where the value of a setting comes from (KIP-226).
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Source {
    /// The topic says it.
    Topic,
    /// The broker was told while it ran.
    DynamicBroker,
    /// All brokers were told while they ran.
    DynamicDefault,
    /// The broker's own file says it.
    StaticBroker,
    /// Nobody says anything else.
    Default,
    /// Something that this client does not know, by its number.
    Other(i8),
}

impl Source {
    pub(crate) const fn of(number: i8) -> Self {
        match number {
            1 => Self::Topic,
            2 => Self::DynamicBroker,
            3 => Self::DynamicDefault,
            4 => Self::StaticBroker,
            5 => Self::Default,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Topic => "topic",
            Self::DynamicBroker => "broker, dynamic",
            Self::DynamicDefault => "all brokers, dynamic",
            Self::StaticBroker => "broker",
            Self::Default => "default",
            Self::Other(number) => return write!(f, "source {number}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The id of Kafka's metadata topic, and bytes that use the last two digits.
    #[test]
    fn ids_are_shown_as_kafka_does() {
        let mut metadata = [0; 16];
        metadata[15] = 1;
        assert_eq!(TopicId(metadata).to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        assert_eq!(TopicId([0xff; 16]).to_string(), "_____________________w");
        let bytes = std::array::from_fn(|index| index as u8 * 16);
        assert_eq!(TopicId(bytes).to_string(), "ABAgMEBQYHCAkKCwwNDg8A");
        assert_eq!(TopicId::of([0; 16]), None);
    }

    #[test]
    fn addresses_of_ipv6_stand_in_brackets() {
        assert_eq!(address("::1", 9_092), "[::1]:9092");
        assert_eq!(address("kafka", 9_092), "kafka:9092");
    }
}
