//! CreatePartitions (key 37). KIP-195.

#[cfg(test)]
mod tests;

use ottla::message::create_partitions::broker::{Answer, Request, RequestTopic, Topic};
use ottla::message::{AdminApi, ErrorCode, broker};

use crate::cluster::Cluster;
use crate::create_topics::{Failure, assign, check_nodes, each_topic, fail};
use crate::partition::Partition;
use crate::request::Asking;

/// The frame of the answer.
pub(crate) fn handle(cluster: &mut Cluster, asking: &Asking, request: &Request<'_>) -> Vec<u8> {
    let grow = |topic| add(cluster, topic, request.validate_only);
    let results = each_topic(asking, request.timeout_ms, &request.topics, |topic| topic.name, grow);
    let told = results.into_iter().map(|(topic, result)| {
        let (error, text) = match result {
            Ok(()) => (ErrorCode::NONE, None),
            Err((code, text)) => (code, Some(text)),
        };
        Topic { name: topic.name.to_vec(), error, text }
    });
    let topics = told.collect();
    let answer = Answer { throttle_ms: asking.throttle_ms, topics };
    broker::answer(AdminApi::CreatePartitions, asking.version, asking.correlation, |out| {
        answer.write(asking.version, out);
    })
}

/// Adds partitions behind those that a topic has, or only checks whether that could be done. They
/// have as many replicas as the first one.
fn add(
    cluster: &mut Cluster,
    wanted: &RequestTopic<'_>,
    validate_only: bool,
) -> Result<(), Failure> {
    let name = String::from_utf8_lossy(wanted.name).into_owned();
    let Some(topic) = cluster.topics.get(&name) else {
        return fail(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "there is no such topic");
    };
    let has = topic.partitions.len();
    let replication = topic.partitions.first().map_or(0, |first| first.replicas.len());
    let more = match usize::try_from(wanted.total) {
        Ok(total) if total > has => total - has,
        _ => {
            return fail(
                ErrorCode::INVALID_PARTITIONS,
                format!("the topic has {has} partitions, and can only get more"),
            );
        }
    };
    let nodes = match &wanted.assignments {
        Some(assignments) if assignments.len() != more => {
            return fail(
                ErrorCode::INVALID_REPLICA_ASSIGNMENT,
                format!("{} assignments for {more} new partitions", assignments.len()),
            );
        }
        Some(assignments) => {
            check_nodes(cluster, assignments, replication)?;
            assignments.clone()
        }
        None => {
            let replication = i16::try_from(replication).unwrap_or(i16::MAX);
            let all = assign(cluster, wanted.total, replication)?;
            all.into_iter().skip(has).collect()
        }
    };
    if validate_only {
        return Ok(());
    }
    let live = cluster.live().clone();
    if let Some(topic) = cluster.topics.get_mut(&name) {
        topic.partitions.extend(nodes.iter().map(|nodes| Partition::new(nodes, &live)));
    }
    cluster.stir();
    Ok(())
}
