//! Produce (key 0): appends batches, and holds the answer until they are replicated.

#[cfg(test)]
mod tests;

use ottla::message::produce::PartitionAnswer;
use ottla::message::produce::broker::{Answer, Endpoint, Partition, RecordError, Request, Topic};
use ottla::message::{Api, ErrorCode, broker};
use ottla::record::layout;

use crate::batch::{self, Rejection};
use crate::cluster::Cluster;
use crate::producer_state::{Claim, Verdict};
use crate::request::{Asking, Forced};
use crate::topic::{TopicId, is_internal};

/// What becomes of one batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    answer: PartitionAnswer,
    records: Vec<RecordError>,
    text: Option<String>,
    /// The batch is in the log, whatever the code says.
    appended: bool,
    wait: Option<Wait>,
}

/// What a batch has to wait for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Wait {
    topic: TopicId,
    leader_epoch: i32,
    /// The high watermark that says that it is replicated.
    required: i64,
}

/// An answer that may have to wait for replicas.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Held {
    topics: Vec<(Vec<u8>, Vec<Entry>)>,
    pub(crate) acks: i16,
    pub(crate) deadline: u64,
}

const ACKS_ALL: i16 = -1;
const TRANSACTIONAL_ID_AUTHORIZATION_FAILED: ErrorCode = ErrorCode(53);

/// Handles a request: appends what can be appended.
pub(crate) fn handle(cluster: &mut Cluster, asking: &Asking, request: &Request<'_>) -> Held {
    let is_transactional = |records: Option<&[u8]>| {
        let attributes = records.and_then(batch::attributes).unwrap_or(0);
        attributes & layout::TRANSACTIONAL != 0
    };
    let partitions = request.topics.iter().flat_map(|topic| &topic.partitions);
    let without_id = request.transactional_id.is_none();
    let refused = if without_id && partitions.clone().any(|p| is_transactional(p.records)) {
        Some(TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    } else {
        asking.forced.before()
    };
    let mut topics = Vec::new();
    for (name, partitions) in last_occurrences(request) {
        let mut entries = Vec::new();
        for (index, records) in partitions {
            let result = match refused {
                Some(code) => Err(Rejection::new(code)),
                None => append(cluster, asking, request.acks, name, index, records),
            };
            entries.push(result.unwrap_or_else(|mut rejection| {
                cluster.counters.refused += 1;
                if rejection.code == ErrorCode::INVALID_RECORD
                    && !asking.profile.has_invalid_record()
                {
                    rejection.code = ErrorCode::CORRUPT_MESSAGE;
                }
                refusal(index, rejection)
            }));
        }
        topics.push((name.to_vec(), entries));
    }
    let timeout = u64::try_from(request.timeout_ms).unwrap_or(0).saturating_mul(1_000);
    let deadline = cluster.now().saturating_add(timeout);
    Held { topics, acks: request.acks, deadline }
}

type Parts<'a> = Vec<(i32, Option<&'a [u8]>)>;

/// The partitions of a request, by topic. Of a partition that stands in it twice the last
/// occurrence counts.
fn last_occurrences<'a>(request: &Request<'a>) -> Vec<(&'a [u8], Parts<'a>)> {
    let mut topics: Vec<(&[u8], Parts<'_>)> = Vec::new();
    for topic in &request.topics {
        let at = topics.iter().position(|(name, _)| *name == topic.name);
        let at = at.unwrap_or_else(|| {
            topics.push((topic.name, Vec::new()));
            topics.len() - 1
        });
        let Some((_, parts)) = topics.get_mut(at) else { continue };
        for partition in &topic.partitions {
            match parts.iter_mut().find(|(index, _)| *index == partition.index) {
                Some((_, records)) => *records = partition.records,
                None => parts.push((partition.index, partition.records)),
            }
        }
    }
    topics
}

fn refusal(index: i32, rejection: Rejection) -> Entry {
    Entry {
        answer: PartitionAnswer {
            index,
            error: rejection.code,
            base_offset: -1,
            log_append_time: -1,
            log_start: rejection.log_start,
        },
        records: rejection.records,
        text: rejection.text,
        appended: false,
        wait: None,
    }
}

/// The checks of one batch in Kafka's order, and its append.
fn append(
    cluster: &mut Cluster,
    asking: &Asking,
    acks: i16,
    name: &[u8],
    index: i32,
    records: Option<&[u8]>,
) -> Result<Entry, Rejection> {
    let unknown = Rejection::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let name = named(cluster, asking.version, name).map_err(Rejection::new)?;
    let topic = cluster.topics.get(name).ok_or_else(|| unknown.clone())?;
    let place = usize::try_from(index).map_err(|_| unknown.clone())?;
    let partition = topic.partitions.get(place).ok_or(unknown)?;
    let bytes = batch::only_batch(records, asking.version)?;
    if !(-1..=1).contains(&acks) {
        return Err(Rejection::new(ErrorCode::INVALID_REQUIRED_ACKS));
    }
    if is_internal(name) && !asking.is_admin {
        return Err(Rejection::new(ErrorCode::INVALID_TOPIC_EXCEPTION));
    }
    let not_leader = Rejection::new(ErrorCode::NOT_LEADER_OR_FOLLOWER);
    let replica = partition.replica(asking.node).ok_or_else(|| not_leader.clone())?;
    if replica.offline {
        return Err(Rejection::new(ErrorCode::KAFKA_STORAGE_ERROR));
    }
    if partition.leader != Some(asking.node) {
        return Err(not_leader);
    }
    if acks == ACKS_ALL && !enough(partition.in_sync.len(), topic.config.min_in_sync) {
        return Err(Rejection::new(ErrorCode::NOT_ENOUGH_REPLICAS));
    }
    let checked = batch::check(bytes, &topic.config, cluster.wall_clock())?;
    let (leader_epoch, log_start) = (partition.leader_epoch, replica.log.start());
    // Where nothing is known of the producer of a batch, and it does not begin at 0.
    let is_lost = |claim: &Claim| {
        let is_unknown = replica.producers.get(claim.producer_id).is_none();
        let trusted = asking.profile.trusts_unknown_producers() || claim.producer_id < 0;
        is_unknown && claim.first != 0 && !trusted
    };
    let (base_offset, last_offset, timestamp, stored) = match replica
        .producers
        .check(&checked.claim)
    {
        Verdict::Append if is_lost(&checked.claim) => {
            return Err(Rejection { log_start, ..Rejection::new(ErrorCode::UNKNOWN_PRODUCER_ID) });
        }
        Verdict::Refuse(code) => return Err(Rejection { log_start, ..Rejection::new(code) }),
        Verdict::Duplicate(b) => (b.base_offset, b.last_offset, b.timestamp, None),
        Verdict::Append => {
            let segment = usize::try_from(topic.config.segment_bytes).unwrap_or(0);
            if checked.size() > segment {
                return Err(Rejection::new(ErrorCode::RECORD_LIST_TOO_LARGE));
            }
            let stored = checked.store(replica.log.end(), leader_epoch);
            (stored.base_offset, stored.last_offset, stored.max_timestamp, Some(stored))
        }
    };
    let answer = PartitionAnswer {
        index,
        error: ErrorCode::NONE,
        base_offset,
        log_append_time: if topic.config.append_time { timestamp } else { -1 },
        log_start,
    };
    let topic = topic.id;
    let required = last_offset.saturating_add(1);
    match stored {
        Some(stored) => cluster.append(topic, index, stored),
        None => cluster.counters.duplicates += 1,
    }
    let wait = (acks == ACKS_ALL).then_some(Wait { topic, leader_epoch, required });
    Ok(Entry { answer, records: Vec::new(), text: None, appended: true, wait })
}

/// The name of a topic that stands in a request by its name, or from version 13 on by its id.
fn named<'a>(cluster: &'a Cluster, version: i16, given: &'a [u8]) -> Result<&'a str, ErrorCode> {
    if version < 13 {
        return std::str::from_utf8(given).map_err(|_| ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    let id = TopicId::try_from(given).ok();
    id.and_then(|id| cluster.topics.name_of(id)).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)
}

fn enough(in_sync: usize, min_in_sync: i32) -> bool {
    in_sync >= usize::try_from(min_in_sync).unwrap_or(0)
}

impl Held {
    /// Looks at what is still waited for. Returns whether the answer is complete.
    pub(crate) fn review(&mut self, cluster: &Cluster, node: i32) -> bool {
        let late = cluster.now() >= self.deadline;
        let mut complete = true;
        for (_, entries) in &mut self.topics {
            for entry in entries {
                let Some(wait) = entry.wait else { continue };
                match outcome(cluster, node, entry.answer.index, wait) {
                    Some(code) => entry.resolve(code),
                    None if late => entry.resolve(ErrorCode::REQUEST_TIMED_OUT),
                    None => complete = false,
                }
            }
        }
        complete
    }

    /// Answers this code for every batch that is in the log, without waiting.
    pub(crate) fn force(&mut self, code: ErrorCode) {
        let entries = self.topics.iter_mut().flat_map(|(_, entries)| entries);
        for entry in entries.filter(|entry| entry.appended) {
            entry.resolve(code);
        }
    }

    /// The first code that is not success.
    pub(crate) fn error(&self) -> Option<ErrorCode> {
        let entries = self.topics.iter().flat_map(|(_, entries)| entries);
        entries.map(|entry| entry.answer.error).find(|code| !code.is_success())
    }

    /// The frame of the answer.
    pub(crate) fn answer(self, cluster: &mut Cluster, asking: &Asking) -> Vec<u8> {
        let mut answer = Answer { throttle_ms: asking.throttle_ms, ..Answer::default() };
        for (name, entries) in self.topics {
            let mut partitions = Vec::new();
            for entry in entries {
                let error = entry.answer.error;
                if entry.appended && !error.is_success() {
                    cluster.counters.doubtful += 1;
                }
                let leader = if error == ErrorCode::NOT_LEADER_OR_FOLLOWER {
                    hint(cluster, asking.version, &name, entry.answer.index)
                } else {
                    None
                };
                if let Some((id, _)) = leader {
                    endpoint(cluster, asking.listener, id, &mut answer.endpoints);
                }
                let Entry { answer, records, text, .. } = entry;
                partitions.push(Partition { answer, records, text, leader });
            }
            answer.topics.push(Topic { name, partitions });
        }
        if asking.forced == Forced::LeaveOut
            && let Some(topic) = answer.topics.first_mut()
            && !topic.partitions.is_empty()
        {
            topic.partitions.remove(0);
        }
        broker::answer(Api::Produce, asking.version, asking.correlation, |out| {
            answer.write(asking.version, out);
        })
    }
}

impl Entry {
    const fn resolve(&mut self, code: ErrorCode) {
        self.wait = None;
        self.answer.error = code;
    }
}

/// What has become of an append with `acks=all`; nothing while replicas are waited for. The base
/// offset stays in the answer whatever the code, as with Kafka.
fn outcome(cluster: &Cluster, node: i32, index: i32, wait: Wait) -> Option<ErrorCode> {
    let topic = cluster.topics.name_of(wait.topic).and_then(|name| cluster.topics.get(name));
    let partition = cluster.topics.partition(wait.topic, index);
    let (Some(topic), Some(partition)) = (topic, partition) else {
        return Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    };
    if partition.replica(node).is_some_and(|replica| replica.offline) {
        return Some(ErrorCode::KAFKA_STORAGE_ERROR);
    }
    if partition.leader != Some(node) || partition.leader_epoch != wait.leader_epoch {
        return Some(ErrorCode::NOT_LEADER_OR_FOLLOWER);
    }
    if partition.high_watermark < wait.required {
        return None;
    }
    Some(if enough(partition.in_sync.len(), topic.config.min_in_sync) {
        ErrorCode::NONE
    } else {
        ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND
    })
}

/// Who leads a partition instead. KIP-951.
fn hint(cluster: &Cluster, version: i16, name: &[u8], index: i32) -> Option<(i32, i32)> {
    let topic = cluster.topics.get(named(cluster, version, name).ok()?)?;
    let partition = topic.partitions.get(usize::try_from(index).ok()?)?;
    Some((partition.leader?, partition.leader_epoch))
}

fn endpoint(cluster: &Cluster, listener: usize, id: i32, endpoints: &mut Vec<Endpoint>) {
    if endpoints.iter().any(|endpoint| endpoint.id == id) {
        return;
    }
    if let Some(address) = cluster.address(id, listener) {
        let (host, port) = (address.host.clone(), i32::from(address.port));
        endpoints.push(Endpoint { id, host, port });
    }
}
