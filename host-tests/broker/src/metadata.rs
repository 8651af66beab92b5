//! Metadata (key 3): nodes, topics, partitions and their leaders; makes topics where it may.

#[cfg(test)]
mod tests;

use ottla::message::metadata::broker::{Answer, Broker, Partition, Request, RequestTopic, Topic};
use ottla::message::{Api, ErrorCode, broker};

use crate::cluster::Cluster;
use crate::config::AutoCreate;
use crate::create_topics::{self, NewTopic};
use crate::profile::Profile;
use crate::request::Asking;
use crate::topic::{self, TopicId, is_internal, is_legal_name};

const LISTENER_NOT_FOUND: ErrorCode = ErrorCode(72);

/// A topic that is asked for.
enum Wanted {
    Name(String),
    Id(TopicId),
    /// It could not be made.
    Failed(String, ErrorCode),
}

/// The frame of the answer.
pub(crate) fn handle(cluster: &mut Cluster, asking: &Asking, request: &Request<'_>) -> Vec<u8> {
    let version = asking.version;
    let is_legal = request.topics.iter().flatten().all(|topic| is_legal_request(topic, version));
    let error = match asking.forced.before() {
        None if !is_legal => Some(ErrorCode::INVALID_REQUEST),
        code => code,
    };
    let wanted = match (&request.topics, error) {
        (Some(topics), None) => {
            want(cluster, asking.profile, topics, request.allow_auto_topic_creation)
        }
        (Some(topics), Some(_)) => topics.iter().map(as_asked).collect(),
        (None, _) => all(cluster),
    };
    let error = error.or(asking.forced.code());
    let answer = match error {
        Some(code) => refuse(asking, &wanted, code),
        None => describe(cluster, asking, &wanted),
    };
    broker::answer(Api::Metadata, version, asking.correlation, |out| answer.write(version, out))
}

/// Names are needed up to version 11, and ids are of use from 12 on.
fn is_legal_request(topic: &RequestTopic<'_>, version: i16) -> bool {
    let has_id = topic.id != TopicId::default();
    match topic.name {
        Some(_) => version >= 12 || !has_id,
        None => version >= 12 && has_id,
    }
}

fn as_asked(topic: &RequestTopic<'_>) -> Wanted {
    if topic.id != TopicId::default() {
        return Wanted::Id(topic.id);
    }
    Wanted::Name(String::from_utf8_lossy(topic.name.unwrap_or(&[])).into_owned())
}

fn all(cluster: &Cluster) -> Vec<Wanted> {
    cluster.topics.iter().map(|(name, _)| Wanted::Name(name.to_string())).collect()
}

/// Makes topics where that is allowed, and says what to tell of which.
fn want(
    cluster: &mut Cluster,
    profile: Profile,
    topics: &[RequestTopic<'_>],
    may_create: bool,
) -> Vec<Wanted> {
    let auto_create = if may_create { cluster.config().auto_create } else { AutoCreate::No };
    let mut wanted = Vec::new();
    for topic in topics {
        let name = match as_asked(topic) {
            Wanted::Name(name) if cluster.topics.get(&name).is_none() => name,
            other => {
                wanted.push(other);
                continue;
            }
        };
        if auto_create == AutoCreate::No || !is_legal_name(&name) {
            wanted.push(Wanted::Name(name));
            continue;
        }
        let new = NewTopic::with_defaults(&name);
        wanted.push(match create_topics::create(cluster, profile, &new, false) {
            Ok(_) if auto_create == AutoCreate::AtOnce => Wanted::Name(name),
            Ok(_) if profile.shows_new_topics_without_leader() => {
                Wanted::Failed(name, ErrorCode::LEADER_NOT_AVAILABLE)
            }
            Ok(_) => Wanted::Failed(name, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            Err((code, _)) => Wanted::Failed(name, code),
        });
    }
    wanted
}

/// An answer with nothing but an error.
fn refuse<'a>(asking: &Asking, wanted: &'a [Wanted], error: ErrorCode) -> Answer<'a> {
    let topics = wanted.iter().map(|wanted| match wanted {
        Wanted::Name(name) | Wanted::Failed(name, _) => unknown(error, Some(name)),
        Wanted::Id(id) => Topic { id: *id, ..unknown(error, None) },
    });
    Answer {
        throttle_ms: asking.throttle_ms,
        controller: -1,
        topics: topics.collect(),
        error,
        ..Answer::default()
    }
}

fn unknown(error: ErrorCode, name: Option<&str>) -> Topic<'_> {
    let internal = name.is_some_and(is_internal);
    Topic { error, name, internal, ..Topic::default() }
}

fn describe<'a>(cluster: &'a Cluster, asking: &Asking, wanted: &'a [Wanted]) -> Answer<'a> {
    let mut brokers = Vec::new();
    for node in cluster.live_nodes() {
        if let Some(address) = node.listeners.get(asking.listener) {
            brokers.push(Broker {
                id: node.id,
                host: &address.host,
                port: i32::from(address.port),
                rack: node.rack.as_deref(),
            });
        }
    }
    Answer {
        throttle_ms: asking.throttle_ms,
        cluster_id: Some(cluster.cluster_id()),
        controller: brokers.first().map_or(-1, |broker| broker.id),
        topics: wanted.iter().map(|wanted| topic_answer(cluster, asking, wanted)).collect(),
        brokers,
        error: ErrorCode::NONE,
    }
}

fn topic_answer<'a>(cluster: &'a Cluster, asking: &Asking, wanted: &'a Wanted) -> Topic<'a> {
    let name = match wanted {
        Wanted::Failed(name, code) => return unknown(*code, Some(name)),
        Wanted::Name(name) => name.as_str(),
        Wanted::Id(id) => match cluster.topics.name_of(*id) {
            Some(name) => name,
            None => return Topic { id: *id, ..unknown(ErrorCode::UNKNOWN_TOPIC_ID, None) },
        },
    };
    let Some(topic) = cluster.topics.get(name) else {
        let code = if is_legal_name(name) {
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        } else {
            ErrorCode::INVALID_TOPIC_EXCEPTION
        };
        return unknown(code, Some(name));
    };
    Topic {
        error: ErrorCode::NONE,
        name: Some(name),
        id: topic.id,
        internal: is_internal(name),
        partitions: partitions(cluster, asking, topic),
    }
}

/// The partitions of a topic by the addresses of the client's listener.
pub(crate) fn partitions(
    cluster: &Cluster,
    asking: &Asking,
    topic: &topic::Topic,
) -> Vec<Partition> {
    let partition = |(index, partition): (i32, &crate::partition::Partition)| {
        let error = match partition.leader {
            None => ErrorCode::LEADER_NOT_AVAILABLE,
            Some(id) if cluster.address(id, asking.listener).is_some() => ErrorCode::NONE,
            Some(_) if asking.knows_listeners() => LISTENER_NOT_FOUND,
            Some(_) => ErrorCode::LEADER_NOT_AVAILABLE,
        };
        let replicas = &partition.replicas;
        let is_offline = |replica: &&crate::partition::Replica| !replica.serves(cluster.live());
        Partition {
            error,
            index,
            leader: if error.is_success() { partition.leader.unwrap_or(-1) } else { -1 },
            leader_epoch: partition.leader_epoch,
            replicas: replicas.iter().map(|replica| replica.node).collect(),
            in_sync: partition.in_sync.iter().copied().collect(),
            offline: replicas.iter().filter(is_offline).map(|replica| replica.node).collect(),
        }
    };
    (0..).zip(&topic.partitions).map(partition).collect()
}
