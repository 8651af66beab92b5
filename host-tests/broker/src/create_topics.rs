//! CreateTopics (key 19). KIP-4, KIP-464, KIP-525.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use ottla::message::create_topics::broker::{Request, RequestTopic, Setting, Topic, write};
use ottla::message::{Api, ErrorCode, broker};

use crate::cluster::Cluster;
use crate::partition::Partition;
use crate::profile::Profile;
use crate::request::Asking;
use crate::settings::{self, TopicConfig};
use crate::topic::{self, TopicId, is_legal_name};

/// Partitions that a topic may have.
const PARTITIONS_MAX: usize = 10_000;

const POLICY_VIOLATION: ErrorCode = ErrorCode(44);

/// A topic to make.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// Number of partitions, -1 for the default.
    pub partitions: i32,
    /// Replication factor, -1 for the default.
    pub replication: i16,
    /// For each partition its nodes, the preferred leader first; empty to have them chosen. Then
    /// both numbers have to be -1.
    pub assignments: Vec<Vec<i32>>,
    /// Settings by their names.
    pub configs: Vec<(String, String)>,
}

impl NewTopic {
    /// A topic with so many partitions and replicas.
    #[must_use]
    pub fn new(name: &str, partitions: i32, replication: i16) -> Self {
        let name = name.to_string();
        Self { name, partitions, replication, assignments: Vec::new(), configs: Vec::new() }
    }

    /// A topic as the cluster makes it by itself.
    #[must_use]
    pub fn with_defaults(name: &str) -> Self {
        Self::new(name, -1, -1)
    }

    /// A topic whose partitions are on these nodes.
    #[must_use]
    pub fn assigned(name: &str, assignments: &[&[i32]]) -> Self {
        let assignments = assignments.iter().map(|nodes| nodes.to_vec()).collect();
        Self { assignments, ..Self::with_defaults(name) }
    }

    /// The same with a setting.
    #[must_use]
    pub fn config(mut self, name: &str, value: &str) -> Self {
        self.configs.push((name.to_string(), value.to_string()));
        self
    }
}

/// A topic that was made, or would be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Made {
    id: TopicId,
    partitions: i32,
    replication: i16,
    settings: Vec<Setting>,
}

/// Why a request is not carried out, by code and in words.
pub(crate) type Failure = (ErrorCode, String);

pub(crate) fn fail<T>(code: ErrorCode, text: impl Into<String>) -> Result<T, Failure> {
    Err((code, text.into()))
}

/// What becomes of each topic of a request by `act`. One that stands there twice is refused, and told
/// once. Answers that were scripted, and a client that does not wait, count before and behind it.
pub(crate) fn each_topic<'t, T, R>(
    asking: &Asking,
    timeout_ms: i32,
    topics: &'t [T],
    name: impl Fn(&'t T) -> &'t [u8],
    mut act: impl FnMut(&'t T) -> Result<R, Failure>,
) -> Vec<(&'t T, Result<R, Failure>)> {
    let mut told = BTreeSet::new();
    let mut results = Vec::new();
    for topic in topics {
        if !told.insert(name(topic)) {
            continue;
        }
        let is_twice = topics.iter().filter(|other| name(other) == name(topic)).count() > 1;
        let result = match asking.forced.before() {
            Some(code) => fail(code, code.name()),
            None if is_twice => {
                fail(ErrorCode::INVALID_REQUEST, "the topic stands in the request twice")
            }
            None => act(topic),
        };
        let result = match asking.forced.code() {
            Some(code) => fail(code, code.name()),
            None if result.is_ok() && timeout_ms <= 0 => {
                fail(ErrorCode::REQUEST_TIMED_OUT, "no time was given to wait for it")
            }
            None => result,
        };
        results.push((topic, result));
    }
    results
}

/// The frame of the answer.
pub(crate) fn handle(cluster: &mut Cluster, asking: &Asking, request: &Request<'_>) -> Vec<u8> {
    let make = |topic| {
        let new = read(topic, asking.profile)?;
        create(cluster, asking.profile, &new, request.validate_only)
    };
    let results = each_topic(asking, request.timeout_ms, &request.topics, |topic| topic.name, make);
    let topics: Vec<Topic> =
        results.into_iter().map(|(topic, result)| answer(topic.name, result)).collect();
    broker::answer(Api::CreateTopics, asking.version, asking.correlation, |out| {
        write(&topics, asking.version, out);
    })
}

fn answer(name: &[u8], result: Result<Made, Failure>) -> Topic {
    let name = name.to_vec();
    match result {
        Ok(Made { id, partitions, replication, settings }) => {
            let error = ErrorCode::NONE;
            Topic { name, id, error, text: None, partitions, replication, settings }
        }
        Err((error, text)) => {
            let id = TopicId::default();
            let (text, settings) = (Some(text), Vec::new());
            Topic { name, id, error, text, partitions: -1, replication: -1, settings }
        }
    }
}

/// What a request says of one topic.
fn read(topic: &RequestTopic<'_>, profile: Profile) -> Result<NewTopic, Failure> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut new = NewTopic::new(&text(topic.name), topic.partitions, topic.replication);
    if !profile.has_topic_defaults() && topic.assignments.is_empty() {
        if topic.partitions == -1 {
            return fail(ErrorCode::INVALID_PARTITIONS, "the number of partitions is not legal");
        }
        if topic.replication == -1 {
            return fail(
                ErrorCode::INVALID_REPLICATION_FACTOR,
                "the replication factor is not legal",
            );
        }
    }
    let mut assigned = topic.assignments.clone();
    assigned.sort_unstable_by_key(|(index, _)| *index);
    for (place, (index, nodes)) in (0..).zip(assigned) {
        if index != place {
            return fail(
                ErrorCode::INVALID_REPLICA_ASSIGNMENT,
                "the assigned partitions are not 0, 1, 2, ...",
            );
        }
        new.assignments.push(nodes);
    }
    for (name, value) in &topic.configs {
        let Some(value) = value else {
            return fail(ErrorCode::INVALID_CONFIG, "a null value");
        };
        new.configs.push((text(name), text(value)));
    }
    Ok(new)
}

/// Makes a topic, or only checks whether it could be made.
pub(crate) fn create(
    cluster: &mut Cluster,
    profile: Profile,
    new: &NewTopic,
    validate_only: bool,
) -> Result<Made, Failure> {
    if !is_legal_name(&new.name) {
        return fail(ErrorCode::INVALID_TOPIC_EXCEPTION, "the topic name is not legal");
    }
    if cluster.topics.get(&new.name).is_some() {
        return fail(ErrorCode::TOPIC_ALREADY_EXISTS, "the topic exists already");
    }
    if let Some(other) = cluster.topics.collision(&new.name) {
        return fail(
            ErrorCode::INVALID_TOPIC_EXCEPTION,
            format!("the topic name collides with {other} in metrics"),
        );
    }
    let assignments = if new.assignments.is_empty() {
        assign(cluster, new.partitions, new.replication)?
    } else {
        check_assignments(cluster, new)?;
        new.assignments.clone()
    };
    let defaults = cluster.config();
    let mut config = TopicConfig::new(defaults.max_message_bytes, defaults.min_in_sync);
    for (name, value) in &new.configs {
        config.set(profile, name, value).map_err(|text| (ErrorCode::INVALID_CONFIG, text))?;
    }
    let partitions = i32::try_from(assignments.len()).unwrap_or(i32::MAX);
    let replication = assignments.first().map_or(0, Vec::len);
    let replication = i16::try_from(replication).unwrap_or(i16::MAX);
    let settings = settings::all(profile).map(|setting| {
        let told = config.tell(setting, defaults);
        Setting {
            name: told.name,
            value: told.value,
            read_only: told.read_only,
            source: told.source,
            sensitive: told.sensitive,
        }
    });
    let settings = settings.collect();
    if validate_only {
        return Ok(Made { id: TopicId::default(), partitions, replication, settings });
    }
    let id = cluster.new_topic_id();
    let live = cluster.live();
    let partition = |nodes: &Vec<i32>| Partition::new(nodes, live);
    let partitions_made = assignments.iter().map(partition).collect();
    let topic = topic::Topic { id, config, partitions: partitions_made };
    cluster.topics.insert(&new.name, topic);
    Ok(Made { id, partitions, replication, settings })
}

fn check_assignments(cluster: &Cluster, new: &NewTopic) -> Result<(), Failure> {
    if new.partitions != -1 || new.replication != -1 {
        return fail(
            ErrorCode::INVALID_REQUEST,
            "the number of partitions and the replication factor must be -1 with assignments",
        );
    }
    check_nodes(cluster, &new.assignments, new.assignments.first().map_or(0, Vec::len))?;
    if new.assignments.len() > PARTITIONS_MAX {
        return fail(POLICY_VIOLATION, "too many partitions");
    }
    Ok(())
}

/// Checks the nodes of partitions that have `replication` replicas each.
pub(crate) fn check_nodes(
    cluster: &Cluster,
    assignments: &[Vec<i32>],
    replication: usize,
) -> Result<(), Failure> {
    let invalid = |text: &str| fail(ErrorCode::INVALID_REPLICA_ASSIGNMENT, text);
    for nodes in assignments {
        let distinct: BTreeSet<i32> = nodes.iter().copied().collect();
        if nodes.is_empty() || nodes.len() != replication {
            return invalid("the partitions have unlike numbers of replicas, or none");
        }
        if distinct.len() != nodes.len() {
            return invalid("a node stands twice in the replicas of a partition");
        }
        if distinct.iter().any(|id| cluster.node(*id).is_none()) {
            return invalid("a node of the assignment is not known");
        }
    }
    Ok(())
}

/// Spreads partitions over the nodes that run: partition n begins at the n-th of them.
pub(crate) fn assign(
    cluster: &Cluster,
    partitions: i32,
    replication: i16,
) -> Result<Vec<Vec<i32>>, Failure> {
    let config = cluster.config();
    let partitions = if partitions == -1 { config.default_partitions } else { partitions };
    let replication = if replication == -1 { config.default_replication } else { replication };
    let partitions = match usize::try_from(partitions) {
        Ok(count @ 1..) => count,
        _ => return fail(ErrorCode::INVALID_PARTITIONS, "the number of partitions is not legal"),
    };
    if partitions > PARTITIONS_MAX {
        return fail(POLICY_VIOLATION, "too many partitions");
    }
    let nodes: Vec<i32> = cluster.live_nodes().map(|node| node.id).collect();
    let replication = match usize::try_from(replication) {
        Ok(factor @ 1..) if factor <= nodes.len() => factor,
        Ok(1..) if config.clamp_replication && !nodes.is_empty() => nodes.len(),
        _ => {
            return fail(
                ErrorCode::INVALID_REPLICATION_FACTOR,
                "the replication factor is not legal, or larger than the number of nodes",
            );
        }
    };
    let replicas = |first| nodes.iter().cycle().skip(first % nodes.len()).take(replication);
    Ok((0..partitions).map(|first| replicas(first).copied().collect()).collect())
}
