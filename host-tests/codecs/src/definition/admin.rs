//! How the fields of the definitions stand in our types: the APIs of tools.

use ottla::message::{
    ErrorCode, create_partitions, delete_topics, describe_cluster, describe_configs,
    describe_topic_partitions, incremental_alter_configs,
};

use super::{Defined, Value};
use crate::create_partitions::CreatePartitions;
use crate::delete_topics::DeleteTopics;
use crate::describe_cluster::DescribeCluster;
use crate::describe_configs::DescribeConfigs;
use crate::describe_topic_partitions::DescribeTopicPartitions;
use crate::incremental_alter_configs::IncrementalAlterConfigs;

fn text(value: &Value) -> Option<String> {
    value.nullable_text().map(String::from)
}

fn is_there(value: &Value) -> Option<&Value> {
    (*value != Value::Null).then_some(value)
}

impl Defined for DeleteTopics {
    fn answer(value: &Value) -> delete_topics::broker::Answer {
        delete_topics::broker::Answer {
            throttle_ms: value.field("ThrottleTimeMs").int32(),
            topics: value.field("Responses").list(|topic| delete_topics::broker::Topic {
                name: topic.field("Name").nullable_bytes().map(Vec::from),
                id: topic.field("TopicId").uuid(),
                error: ErrorCode(topic.field("ErrorCode").int16()),
                text: text(topic.field("ErrorMessage")),
            }),
        }
    }

    fn request(value: &Value) -> delete_topics::broker::Request<'_> {
        use delete_topics::broker::RequestTopic;
        // Up to version 5 one field has the topics, from 6 on another.
        let mut topics = value
            .field("TopicNames")
            .list(|name| RequestTopic { name: Some(name.bytes()), id: [0; 16] });
        topics.extend(value.field("Topics").list(|topic| RequestTopic {
            name: topic.field("Name").nullable_bytes(),
            id: topic.field("TopicId").uuid(),
        }));
        delete_topics::broker::Request { topics, timeout_ms: value.field("TimeoutMs").int32() }
    }
}

impl Defined for DescribeCluster {
    fn answer(value: &Value) -> describe_cluster::broker::Answer<'_> {
        describe_cluster::broker::Answer {
            throttle_ms: value.field("ThrottleTimeMs").int32(),
            error: ErrorCode(value.field("ErrorCode").int16()),
            text: text(value.field("ErrorMessage")),
            endpoint_type: int8(value.field("EndpointType")),
            cluster_id: value.field("ClusterId").text(),
            controller: value.field("ControllerId").int32(),
            brokers: value.field("Brokers").list(|broker| describe_cluster::broker::Broker {
                id: broker.field("BrokerId").int32(),
                host: broker.field("Host").text(),
                port: broker.field("Port").int32(),
                rack: broker.field("Rack").nullable_text(),
                fenced: broker.field("IsFenced").boolean(),
            }),
            authorized_operations: value.field("ClusterAuthorizedOperations").int32(),
        }
    }

    fn request(value: &Value) -> describe_cluster::broker::Request {
        describe_cluster::broker::Request {
            authorized_operations: value.field("IncludeClusterAuthorizedOperations").boolean(),
            endpoint_type: int8(value.field("EndpointType")),
            fenced: value.field("IncludeFencedBrokers").boolean(),
        }
    }
}

fn int8(value: &Value) -> i8 {
    value.int16().try_into().expect("8 bits")
}

impl Defined for DescribeConfigs {
    fn answer(value: &Value) -> describe_configs::broker::Answer {
        use describe_configs::broker::{Answer, Resource, Setting, Synonym};
        let synonym = |synonym: &Value| Synonym {
            name: synonym.field("Name").text().to_owned(),
            value: text(synonym.field("Value")),
            source: int8(synonym.field("Source")),
        };
        let setting = |setting: &Value| Setting {
            name: setting.field("Name").text().to_owned(),
            value: text(setting.field("Value")),
            read_only: setting.field("ReadOnly").boolean(),
            source: int8(setting.field("ConfigSource")),
            sensitive: setting.field("IsSensitive").boolean(),
            synonyms: setting.field("Synonyms").list(synonym),
            kind: int8(setting.field("ConfigType")),
            documentation: text(setting.field("Documentation")),
        };
        Answer {
            throttle_ms: value.field("ThrottleTimeMs").int32(),
            resources: value.field("Results").list(|resource| Resource {
                error: ErrorCode(resource.field("ErrorCode").int16()),
                text: text(resource.field("ErrorMessage")),
                kind: int8(resource.field("ResourceType")),
                name: resource.field("ResourceName").bytes().to_vec(),
                settings: resource.field("Configs").list(setting),
            }),
        }
    }

    fn request(value: &Value) -> describe_configs::broker::Request<'_> {
        use describe_configs::broker::{Request, RequestResource};
        fn resource(resource: &Value) -> RequestResource<'_> {
            let settings = is_there(resource.field("ConfigurationKeys"));
            RequestResource {
                kind: int8(resource.field("ResourceType")),
                name: resource.field("ResourceName").bytes(),
                settings: settings.map(|settings| settings.list(Value::bytes)),
            }
        }
        Request {
            resources: value.field("Resources").list(resource),
            synonyms: value.field("IncludeSynonyms").boolean(),
            documentation: value.field("IncludeDocumentation").boolean(),
        }
    }
}

impl Defined for DescribeTopicPartitions {
    fn answer(value: &Value) -> describe_topic_partitions::broker::Answer<'_> {
        use describe_topic_partitions::broker::{Answer, Partition, Topic};
        let numbers = |value: &Value| value.list(Value::int32);
        let partition = |partition: &Value| Partition {
            error: ErrorCode(partition.field("ErrorCode").int16()),
            index: partition.field("PartitionIndex").int32(),
            leader: partition.field("LeaderId").int32(),
            leader_epoch: partition.field("LeaderEpoch").int32(),
            replicas: numbers(partition.field("ReplicaNodes")),
            in_sync: numbers(partition.field("IsrNodes")),
            eligible: is_there(partition.field("EligibleLeaderReplicas")).map(numbers),
            last_eligible: is_there(partition.field("LastKnownElr")).map(numbers),
            offline: numbers(partition.field("OfflineReplicas")),
        };
        let next = is_there(value.field("NextCursor"));
        Answer {
            throttle_ms: value.field("ThrottleTimeMs").int32(),
            topics: value.field("Topics").list(|topic| Topic {
                error: ErrorCode(topic.field("ErrorCode").int16()),
                name: topic.field("Name").nullable_text(),
                id: topic.field("TopicId").uuid(),
                internal: topic.field("IsInternal").boolean(),
                partitions: topic.field("Partitions").list(partition),
                authorized_operations: topic.field("TopicAuthorizedOperations").int32(),
            }),
            next: next
                .map(|next| (next.field("TopicName").text(), next.field("PartitionIndex").int32())),
        }
    }

    fn request(value: &Value) -> describe_topic_partitions::broker::Request<'_> {
        let from = is_there(value.field("Cursor"));
        describe_topic_partitions::broker::Request {
            topics: value.field("Topics").list(|topic| topic.field("Name").bytes()),
            partitions: value.field("ResponsePartitionLimit").int32(),
            from: from.map(|from| {
                (from.field("TopicName").bytes(), from.field("PartitionIndex").int32())
            }),
        }
    }
}

impl Defined for CreatePartitions {
    fn answer(value: &Value) -> create_partitions::broker::Answer {
        create_partitions::broker::Answer {
            throttle_ms: value.field("ThrottleTimeMs").int32(),
            topics: value.field("Results").list(|topic| create_partitions::broker::Topic {
                name: topic.field("Name").bytes().to_vec(),
                error: ErrorCode(topic.field("ErrorCode").int16()),
                text: text(topic.field("ErrorMessage")),
            }),
        }
    }

    fn request(value: &Value) -> create_partitions::broker::Request<'_> {
        use create_partitions::broker::{Request, RequestTopic};
        fn topic(topic: &Value) -> RequestTopic<'_> {
            let brokers = |assignment: &Value| assignment.field("BrokerIds").list(Value::int32);
            RequestTopic {
                name: topic.field("Name").bytes(),
                total: topic.field("Count").int32(),
                assignments: is_there(topic.field("Assignments")).map(|list| list.list(brokers)),
            }
        }
        Request {
            topics: value.field("Topics").list(topic),
            timeout_ms: value.field("TimeoutMs").int32(),
            validate_only: value.field("ValidateOnly").boolean(),
        }
    }
}

impl Defined for IncrementalAlterConfigs {
    fn answer(value: &Value) -> incremental_alter_configs::broker::Answer {
        use incremental_alter_configs::broker::{Answer, Resource};
        Answer {
            throttle_ms: value.field("ThrottleTimeMs").int32(),
            resources: value.field("Responses").list(|resource| Resource {
                error: ErrorCode(resource.field("ErrorCode").int16()),
                text: text(resource.field("ErrorMessage")),
                kind: int8(resource.field("ResourceType")),
                name: resource.field("ResourceName").bytes().to_vec(),
            }),
        }
    }

    fn request(value: &Value) -> incremental_alter_configs::broker::Request<'_> {
        use incremental_alter_configs::broker::{Request, RequestResource, RequestSetting};
        fn setting(setting: &Value) -> RequestSetting<'_> {
            RequestSetting {
                name: setting.field("Name").bytes(),
                operation: int8(setting.field("ConfigOperation")),
                value: setting.field("Value").nullable_bytes(),
            }
        }
        fn resource(resource: &Value) -> RequestResource<'_> {
            RequestResource {
                kind: int8(resource.field("ResourceType")),
                name: resource.field("ResourceName").bytes(),
                settings: resource.field("Configs").list(setting),
            }
        }
        Request {
            resources: value.field("Resources").list(resource),
            validate_only: value.field("ValidateOnly").boolean(),
        }
    }
}
