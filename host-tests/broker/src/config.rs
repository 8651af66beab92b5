//! What a cluster is told at its start. Names and defaults are those of Kafka's own settings,
//! given with each field.

use crate::profile::Profile;

/// Where clients reach a node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Address {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// A node of a cluster.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Node {
    /// `node.id`.
    pub id: i32,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// `advertised.listeners`: one address per listener. A client that came by a listener is
    /// told the addresses of that listener.
    pub listeners: Vec<Address>,
}

/// When a follower has what its leader appended.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
pub enum Replication {
    /// At once.
    #[default]
    Instant,
    /// After a time in microseconds that is drawn from `min` to `max` for each fetch.
    Delay {
        /// Shortest.
        min: u64,
        /// Longest.
        max: u64,
    },
    /// When [`crate::Cluster::replicate`] is called.
    Manual,
}

/// What becomes of a topic that a client asks for and that is not there
/// (`auto.create.topics.enable`).
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
pub enum AutoCreate {
    /// It stays unknown.
    No,
    /// It is made, and the answer has it.
    #[default]
    AtOnce,
    /// It is made, and only the next answer has it, as with Apache Kafka.
    ForNextTime,
}

/// Settings of a cluster. Times that clients see are in milliseconds, as in Kafka's settings;
/// the others are in microseconds.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// Which Kafka the nodes are like; [`crate::Cluster::set_profile`] changes it for one.
    pub profile: Profile,
    /// All randomness comes from it: ids and replication delays.
    pub seed: u64,
    /// Time of day at instant 0, in milliseconds since 1970.
    pub wall_clock: i64,
    /// `num.partitions`, 1.
    pub default_partitions: i32,
    /// `default.replication.factor`, 1.
    pub default_replication: i16,
    /// A replication factor above the number of nodes is taken for that number (true, as many
    /// applications ask for 3), or refused as Kafka does it.
    pub clamp_replication: bool,
    /// `min.insync.replicas` of topics that do not say, 1.
    pub min_in_sync: i32,
    /// `message.max.bytes` of topics that do not say, 1048588.
    pub max_message_bytes: i32,
    /// `auto.create.topics.enable`.
    pub auto_create: AutoCreate,
    /// `delete.topic.enable`.
    pub delete_topics: bool,
    /// When followers have what the leader appended.
    pub replication: Replication,
    /// `socket.request.max.bytes`, 104857600: a frame that announces more closes the connection.
    pub max_request_bytes: u32,
    /// `connections.max.idle.ms` in microseconds, 10 minutes; `None` is never.
    pub max_idle: Option<u64>,
    /// `producer.id.expiration.ms`, 86400000.
    pub producer_expiration_ms: i64,
    /// `producer.id.expiration.check.interval.ms` in microseconds, 10 minutes.
    pub producer_expiration_check: u64,
    /// How long a node that has no producer ids left waits for the controller, in microseconds.
    /// Until then it answers InitProducerId with 14.
    pub producer_ids_delay: u64,
}

impl Config {
    /// The defaults for nodes with the ids 1 to `nodes`, with the seed 1.
    #[must_use]
    pub fn new(nodes: u8) -> Self {
        let node = |id: u8| Node {
            id: i32::from(id),
            rack: None,
            listeners: vec![Address {
                host: format!("node{id}"),
                port: 9_091_u16.saturating_add(u16::from(id)),
            }],
        };
        Self {
            nodes: (1..=nodes).map(node).collect(),
            profile: Profile::Newest,
            seed: 1,
            wall_clock: 1_700_000_000_000,
            default_partitions: 1,
            default_replication: 1,
            clamp_replication: true,
            min_in_sync: 1,
            max_message_bytes: 1_048_588,
            auto_create: AutoCreate::AtOnce,
            delete_topics: true,
            replication: Replication::Instant,
            max_request_bytes: 104_857_600,
            max_idle: Some(600_000_000),
            producer_expiration_ms: 86_400_000,
            producer_expiration_check: 600_000_000,
            producer_ids_delay: 0,
        }
    }
}
