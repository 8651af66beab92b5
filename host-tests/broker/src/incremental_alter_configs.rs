//! IncrementalAlterConfigs (key 44): the settings of topics. KIP-339.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use ottla::message::describe_configs::TOPIC;
use ottla::message::incremental_alter_configs::Operation;
use ottla::message::incremental_alter_configs::broker::{
    Answer, Request, RequestResource, Resource,
};
use ottla::message::{AdminApi, ErrorCode, broker};

use crate::cluster::Cluster;
use crate::create_topics::{Failure, fail};
use crate::request::Asking;
use crate::settings::{Change, TopicConfig};
use crate::topic::is_legal_name;

/// The frame of the answer.
pub(crate) fn handle(cluster: &mut Cluster, asking: &Asking, request: &Request<'_>) -> Vec<u8> {
    let resources = &request.resources;
    let mut told = BTreeSet::new();
    let mut answers = Vec::new();
    for resource in resources {
        let key = (resource.kind, resource.name);
        if !told.insert(key) {
            continue;
        }
        let is_twice = resources.iter().filter(|other| (other.kind, other.name) == key).count() > 1;
        let result = match asking.forced.before() {
            Some(code) => fail(code, code.name()),
            None if is_twice => {
                fail(ErrorCode::INVALID_REQUEST, "the resource stands in the request twice")
            }
            None => alter(cluster, asking, resource, request.validate_only),
        };
        let (error, text) = match (asking.forced.code(), result) {
            (Some(code), _) => (code, Some(code.name().to_string())),
            (None, Ok(())) => (ErrorCode::NONE, None),
            (None, Err((code, text))) => (code, Some(text)),
        };
        answers.push(Resource { error, text, kind: resource.kind, name: resource.name.to_vec() });
    }
    let answer = Answer { throttle_ms: asking.throttle_ms, resources: answers };
    broker::answer(AdminApi::IncrementalAlterConfigs, asking.version, asking.correlation, |out| {
        answer.write(asking.version, out);
    })
}

/// Changes the settings of one topic, all of them or none, or only checks whether that could be
/// done.
fn alter(
    cluster: &mut Cluster,
    asking: &Asking,
    resource: &RequestResource<'_>,
    validate_only: bool,
) -> Result<(), Failure> {
    let changes = read(resource)?;
    if resource.kind != TOPIC {
        // What Kafka says of settings that need a restart; here all of a node do.
        let text = "only the settings of topics can be changed";
        return fail(ErrorCode::INVALID_REQUEST, text);
    }
    let name = String::from_utf8_lossy(resource.name).into_owned();
    if !is_legal_name(&name) {
        return fail(ErrorCode::INVALID_TOPIC_EXCEPTION, "the topic name is not legal");
    }
    let config = cluster.config();
    let (max_message_bytes, min_in_sync) = (config.max_message_bytes, config.min_in_sync);
    let fresh = TopicConfig::new(max_message_bytes, min_in_sync);
    let before = cluster.topics.get(&name).map(|topic| &topic.config);
    let after = before.unwrap_or(&fresh).changed(fresh.clone(), asking.profile, &changes);
    let after = after.map_err(|text| (ErrorCode::INVALID_CONFIG, text))?;
    let Some(topic) = cluster.topics.get_mut(&name) else {
        return fail(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "there is no such topic");
    };
    if !validate_only {
        topic.config = after;
        cluster.stir();
    }
    Ok(())
}

/// The changes that a request wants, if it can be understood.
fn read<'a>(resource: &RequestResource<'a>) -> Result<Vec<Change<'a>>, Failure> {
    let invalid = |text: String| fail(ErrorCode::INVALID_REQUEST, text);
    let mut names = BTreeSet::new();
    let mut changes = Vec::new();
    for setting in &resource.settings {
        let shown = String::from_utf8_lossy(setting.name);
        if !names.insert(setting.name) {
            return invalid(format!("the setting {shown} stands in the request twice"));
        }
        let (Ok(name), Ok(value)) =
            (str::from_utf8(setting.name), setting.value.map(str::from_utf8).transpose())
        else {
            return invalid(format!("the setting {shown} is not UTF-8"));
        };
        let Some(operation) = Operation::of_number(setting.operation) else {
            return invalid(format!("there is no operation {}", setting.operation));
        };
        changes.push(match (operation, value) {
            (Operation::Delete, _) => Change::Delete(name),
            (_, None) => return invalid(format!("a null value for {name}")),
            (Operation::Set, Some(value)) => Change::Set(name, value),
            (Operation::Append, Some(value)) => Change::Append(name, value),
            (Operation::Subtract, Some(value)) => Change::Subtract(name, value),
        });
    }
    Ok(changes)
}
