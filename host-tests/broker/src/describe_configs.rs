//! DescribeConfigs (key 32): the settings of topics and nodes. KIP-133, KIP-226, KIP-569.

#[cfg(test)]
mod tests;

use ottla::message::describe_configs::broker::{
    Answer, Request, RequestResource, Resource, Setting,
};
use ottla::message::describe_configs::{BROKER, TOPIC};
use ottla::message::{AdminApi, ErrorCode, broker};

use crate::cluster::Cluster;
use crate::config::AutoCreate;
use crate::request::Asking;
use crate::settings::{self, Kind, Source};
use crate::topic::is_legal_name;

/// Loggers of a broker, client metrics, groups: nothing of them can be set here.
const OTHERS: [i8; 3] = [8, 16, 32];

type Failure = (ErrorCode, String);

/// The frame of the answer.
pub(crate) fn handle(cluster: &Cluster, asking: &Asking, request: &Request<'_>) -> Vec<u8> {
    let resources = request.resources.iter().map(|resource| {
        let result = match asking.forced.code() {
            Some(code) => Err((code, code.name().to_string())),
            None => all(cluster, asking, resource),
        };
        let (error, text, settings) = match result {
            Ok(settings) => (ErrorCode::NONE, None, select(settings, resource, request)),
            Err((code, text)) => (code, Some(text), Vec::new()),
        };
        Resource { error, text, kind: resource.kind, name: resource.name.to_vec(), settings }
    });
    let answer = Answer { throttle_ms: asking.throttle_ms, resources: resources.collect() };
    broker::answer(AdminApi::DescribeConfigs, asking.version, asking.correlation, |out| {
        answer.write(asking.version, out);
    })
}

/// All settings of a resource.
fn all(
    cluster: &Cluster,
    asking: &Asking,
    resource: &RequestResource<'_>,
) -> Result<Vec<Setting>, Failure> {
    let name = String::from_utf8_lossy(resource.name);
    match resource.kind {
        TOPIC => of_topic(cluster, asking, &name),
        BROKER => of_node(cluster, asking, &name),
        kind if OTHERS.contains(&kind) => Ok(Vec::new()),
        kind => Err((ErrorCode::INVALID_REQUEST, format!("there are no resources of type {kind}"))),
    }
}

fn of_topic(cluster: &Cluster, asking: &Asking, name: &str) -> Result<Vec<Setting>, Failure> {
    if !is_legal_name(name) {
        let text = "the topic name is not legal".to_string();
        return Err((ErrorCode::INVALID_TOPIC_EXCEPTION, text));
    }
    let Some(topic) = cluster.topics.get(name) else {
        return Err((ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "there is no such topic".to_string()));
    };
    let settings = settings::all(asking.profile);
    Ok(settings.map(|setting| topic.config.tell(setting, cluster.config())).collect())
}

/// The settings of the node that is asked: no other one knows them. An empty name means what was
/// set for all nodes while they ran, which is nothing.
fn of_node(cluster: &Cluster, asking: &Asking, name: &str) -> Result<Vec<Setting>, Failure> {
    if name.is_empty() {
        return Ok(Vec::new());
    }
    if name != asking.node.to_string() {
        let text = format!("this is node {}, and not {name}", asking.node);
        return Err((ErrorCode::INVALID_REQUEST, text));
    }
    let config = cluster.config();
    let node = cluster.node(asking.node);
    let advertised = node.map_or(Vec::new(), |node| {
        let address = |(n, a): (usize, &crate::Address)| format!("L{n}://{}:{}", a.host, a.port);
        node.listeners.iter().enumerate().map(address).collect()
    });
    let auto_create = config.auto_create != AutoCreate::No;
    let max_idle = config.max_idle.map_or(-1, |us| i64::try_from(us / 1_000).unwrap_or(i64::MAX));
    let check = i64::try_from(config.producer_expiration_check / 1_000).unwrap_or(i64::MAX);
    let mut list = Vec::new();
    // Name, type, value, default; without a default it has to be set.
    for (name, kind, value, default, about) in [
        (
            "advertised.listeners",
            Kind::List,
            advertised.join(","),
            None,
            "where clients reach the node, by listener",
        ),
        (
            "auto.create.topics.enable",
            Kind::Boolean,
            auto_create.to_string(),
            Some("true"),
            "a topic that is asked for is made",
        ),
        ("broker.id", Kind::Int, asking.node.to_string(), None, "the number of the node"),
        (
            "broker.rack",
            Kind::Text,
            node.and_then(|node| node.rack.clone()).unwrap_or_default(),
            Some(""),
            "where the node stands",
        ),
        (
            "connections.max.idle.ms",
            Kind::Long,
            max_idle.to_string(),
            Some("600000"),
            "silence after which a connection is closed",
        ),
        (
            "default.replication.factor",
            Kind::Int,
            config.default_replication.to_string(),
            Some("1"),
            "replicas of a topic that does not say",
        ),
        (
            "delete.topic.enable",
            Kind::Boolean,
            config.delete_topics.to_string(),
            Some("true"),
            "topics can be removed",
        ),
        (
            "message.max.bytes",
            Kind::Int,
            config.max_message_bytes.to_string(),
            Some("1048588"),
            "the largest batch of topics that do not say",
        ),
        (
            "min.insync.replicas",
            Kind::Int,
            config.min_in_sync.to_string(),
            Some("1"),
            "replicas in sync without which acks=all is refused",
        ),
        ("node.id", Kind::Int, asking.node.to_string(), None, "the number of the node"),
        (
            "num.partitions",
            Kind::Int,
            config.default_partitions.to_string(),
            Some("1"),
            "partitions of a topic that does not say",
        ),
        (
            "producer.id.expiration.check.interval.ms",
            Kind::Int,
            check.to_string(),
            Some("600000"),
            "how often producers are looked for that can be forgotten",
        ),
        (
            "producer.id.expiration.ms",
            Kind::Int,
            config.producer_expiration_ms.to_string(),
            Some("86400000"),
            "age at which a producer is forgotten",
        ),
        (
            "socket.request.max.bytes",
            Kind::Int,
            config.max_request_bytes.to_string(),
            Some("104857600"),
            "the largest request",
        ),
    ] {
        let is_set = default != Some(value.as_str());
        let values = [
            is_set.then_some((name, value, Source::StaticBroker)),
            default.map(|default| (name, default.to_string(), Source::Default)),
        ];
        let told = settings::tell(name, kind, about, values.into_iter().flatten());
        list.push(Setting { read_only: true, ..told });
    }
    Ok(list)
}

/// What of it was asked for. No list of names, and an empty one, is all.
fn select(
    mut settings: Vec<Setting>,
    resource: &RequestResource<'_>,
    request: &Request<'_>,
) -> Vec<Setting> {
    if let Some(wanted) = resource.settings.as_ref().filter(|wanted| !wanted.is_empty()) {
        settings.retain(|setting| wanted.contains(&setting.name.as_bytes()));
    }
    for setting in &mut settings {
        if !request.synonyms {
            setting.synonyms.clear();
        }
        if !request.documentation {
            setting.documentation = None;
        }
    }
    settings
}
