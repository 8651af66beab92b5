//! How the fields of the definitions stand in our types.

use ottla::message::{ErrorCode, Versions};
use ottla::message::{api_versions, create_topics, init_producer_id, metadata, produce};

use super::Value;
use crate::api_versions::ApiVersions;
use crate::create_topics::{CreateTopics, Item};
use crate::init_producer_id::InitProducerId;
use crate::metadata::Metadata;
use crate::produce::Produce;
use crate::{Answers, Requests};

/// An API whose contents can be taken from [`Value`]s.
pub trait Defined: Answers + Requests {
    /// An answer.
    fn answer(value: &Value) -> Self::Answer<'_>;

    /// A request.
    fn request(value: &Value) -> Self::Request<'_>;

    /// What the client is to see of an answer.
    fn items_of(value: &Value, version: i16) -> Vec<Self::Item> {
        Self::items(&Self::answer(value), version)
    }
}

impl Defined for ApiVersions {
    fn answer(value: &Value) -> api_versions::broker::Answer {
        let versions = |value: &Value, min: &str, max: &str| Versions {
            min: value.field(min).int16(),
            max: value.field(max).int16(),
        };
        let feature = |value: &Value, min: &str, max: &str| api_versions::broker::Feature {
            // Ours takes the names of the few features that a test broker has.
            name: value.field("Name").text().to_owned().leak(),
            levels: versions(value, min, max),
        };
        api_versions::broker::Answer {
            error: ErrorCode(value.field("ErrorCode").int16()),
            apis: value.field("ApiKeys").list(|api| {
                (api.field("ApiKey").int16(), versions(api, "MinVersion", "MaxVersion"))
            }),
            throttle_ms: value.field("ThrottleTimeMs").int32(),
            supported: value
                .field("SupportedFeatures")
                .list(|value| feature(value, "MinVersion", "MaxVersion")),
            finalized_epoch: value.field("FinalizedFeaturesEpoch").int64(),
            finalized: value
                .field("FinalizedFeatures")
                .list(|value| feature(value, "MinVersionLevel", "MaxVersionLevel")),
        }
    }

    fn request(value: &Value) -> api_versions::broker::Request<'_> {
        api_versions::broker::Request {
            software_name: value.field("ClientSoftwareName").bytes(),
            software_version: value.field("ClientSoftwareVersion").bytes(),
            // Of version 5, which these definitions do not have yet.
            cluster_id: None,
            node_id: -1,
        }
    }
}

impl Defined for CreateTopics {
    fn answer(value: &Value) -> Vec<create_topics::broker::Topic> {
        let setting = |config: &Value| create_topics::broker::Setting {
            name: config.field("Name").text().to_owned(),
            value: config.field("Value").nullable_text().map(String::from),
            read_only: config.field("ReadOnly").boolean(),
            source: config.field("ConfigSource").int16().try_into().expect("8 bits"),
            sensitive: config.field("IsSensitive").boolean(),
        };
        value.field("Topics").list(|topic| create_topics::broker::Topic {
            name: topic.field("Name").bytes().to_vec(),
            id: topic.field("TopicId").uuid(),
            error: ErrorCode(topic.field("ErrorCode").int16()),
            text: topic.field("ErrorMessage").nullable_text().map(String::from),
            partitions: topic.field("NumPartitions").int32(),
            replication: topic.field("ReplicationFactor").int16(),
            settings: match topic.field("Configs") {
                Value::Null => Vec::new(),
                configs => configs.list(setting),
            },
        })
    }

    fn items_of(value: &Value, version: i16) -> Vec<Item> {
        // The broker's direction of ours never throttles.
        let throttle_ms = value.field("ThrottleTimeMs").int32();
        let throttle = (version >= 3 && throttle_ms > 0).then_some(Item::Throttle(throttle_ms));
        throttle.into_iter().chain(Self::items(&Self::answer(value), version)).collect()
    }

    fn request(value: &Value) -> create_topics::broker::Request<'_> {
        fn config(config: &Value) -> (&[u8], Option<&[u8]>) {
            (config.field("Name").bytes(), config.field("Value").nullable_bytes())
        }
        let assignment = |assignment: &Value| {
            let brokers = assignment.field("BrokerIds").list(Value::int32);
            (assignment.field("PartitionIndex").int32(), brokers)
        };
        create_topics::broker::Request {
            topics: value.field("Topics").list(|topic| create_topics::broker::RequestTopic {
                name: topic.field("Name").bytes(),
                partitions: topic.field("NumPartitions").int32(),
                replication: topic.field("ReplicationFactor").int16(),
                assignments: topic.field("Assignments").list(assignment),
                configs: topic.field("Configs").list(config),
            }),
            timeout_ms: value.field("timeoutMs").int32(),
            validate_only: value.field("validateOnly").boolean(),
        }
    }
}

impl Defined for InitProducerId {
    fn answer(value: &Value) -> init_producer_id::Item {
        init_producer_id::Item {
            throttle_ms: value.field("ThrottleTimeMs").int32(),
            error: ErrorCode(value.field("ErrorCode").int16()),
            producer_id: value.field("ProducerId").int64(),
            producer_epoch: value.field("ProducerEpoch").int16(),
        }
    }

    fn request(value: &Value) -> init_producer_id::broker::Request<'_> {
        init_producer_id::broker::Request {
            transactional_id: value.field("TransactionalId").nullable_bytes(),
            timeout_ms: value.field("TransactionTimeoutMs").int32(),
            producer_id: value.field("ProducerId").int64(),
            producer_epoch: value.field("ProducerEpoch").int16(),
        }
    }
}

impl Defined for Metadata {
    fn answer(value: &Value) -> metadata::broker::Answer<'_> {
        let partition = |partition: &Value| metadata::broker::Partition {
            error: ErrorCode(partition.field("ErrorCode").int16()),
            index: partition.field("PartitionIndex").int32(),
            leader: partition.field("LeaderId").int32(),
            leader_epoch: partition.field("LeaderEpoch").int32(),
            replicas: partition.field("ReplicaNodes").list(Value::int32),
            in_sync: partition.field("IsrNodes").list(Value::int32),
            offline: partition.field("OfflineReplicas").list(Value::int32),
        };
        metadata::broker::Answer {
            throttle_ms: value.field("ThrottleTimeMs").int32(),
            brokers: value.field("Brokers").list(|broker| metadata::broker::Broker {
                id: broker.field("NodeId").int32(),
                host: broker.field("Host").text(),
                port: broker.field("Port").int32(),
                rack: broker.field("Rack").nullable_text(),
            }),
            cluster_id: value.field("ClusterId").nullable_text(),
            controller: value.field("ControllerId").int32(),
            topics: value.field("Topics").list(|topic| metadata::broker::Topic {
                error: ErrorCode(topic.field("ErrorCode").int16()),
                name: topic.field("Name").nullable_text(),
                id: topic.field("TopicId").uuid(),
                internal: topic.field("IsInternal").boolean(),
                partitions: topic.field("Partitions").list(partition),
            }),
            error: ErrorCode(value.field("ErrorCode").int16()),
        }
    }

    fn request(value: &Value) -> metadata::broker::Request<'_> {
        fn topic(topic: &Value) -> metadata::broker::RequestTopic<'_> {
            let (id, name) = (topic.field("TopicId").uuid(), topic.field("Name").nullable_bytes());
            metadata::broker::RequestTopic { id, name }
        }
        let topics = value.field("Topics");
        metadata::broker::Request {
            topics: (*topics != Value::Null).then(|| topics.list(topic)),
            allow_auto_topic_creation: value.field("AllowAutoTopicCreation").boolean(),
        }
    }
}

impl Defined for Produce {
    fn answer(value: &Value) -> produce::broker::Answer {
        let record = |record: &Value| produce::broker::RecordError {
            index: record.field("BatchIndex").int32(),
            text: record.field("BatchIndexErrorMessage").nullable_text().map(String::from),
        };
        let partition = |partition: &Value| {
            let leader = partition.field("CurrentLeader");
            let leader = (leader.field("LeaderId").int32(), leader.field("LeaderEpoch").int32());
            produce::broker::Partition {
                answer: produce::PartitionAnswer {
                    index: partition.field("Index").int32(),
                    error: ErrorCode(partition.field("ErrorCode").int16()),
                    base_offset: partition.field("BaseOffset").int64(),
                    log_append_time: partition.field("LogAppendTimeMs").int64(),
                    log_start: partition.field("LogStartOffset").int64(),
                },
                records: partition.field("RecordErrors").list(record),
                text: partition.field("ErrorMessage").nullable_text().map(String::from),
                leader: (leader != (-1, -1)).then_some(leader),
            }
        };
        produce::broker::Answer {
            topics: value.field("Responses").list(|topic| produce::broker::Topic {
                name: topic.field("TopicId").id_or_name(topic.field("Name")).to_vec(),
                partitions: topic.field("PartitionResponses").list(partition),
            }),
            throttle_ms: value.field("ThrottleTimeMs").int32(),
            endpoints: value.field("NodeEndpoints").list(|endpoint| produce::broker::Endpoint {
                id: endpoint.field("NodeId").int32(),
                host: endpoint.field("Host").text().to_owned(),
                port: endpoint.field("Port").int32(),
            }),
        }
    }

    fn request(value: &Value) -> produce::broker::Request<'_> {
        fn partition(partition: &Value) -> produce::broker::RequestPartition<'_> {
            let (index, records) = (partition.field("Index"), partition.field("Records"));
            let (index, records) = (index.int32(), records.nullable_bytes());
            produce::broker::RequestPartition { index, records }
        }
        produce::broker::Request {
            transactional_id: value.field("TransactionalId").nullable_bytes(),
            acks: value.field("Acks").int16(),
            timeout_ms: value.field("TimeoutMs").int32(),
            topics: value.field("TopicData").list(|topic| produce::broker::RequestTopic {
                name: topic.field("TopicId").id_or_name(topic.field("Name")),
                partitions: topic.field("PartitionData").list(partition),
            }),
        }
    }
}
