//! What brokers do with requests: the rules of `next` and `every`, and a list of what arrived.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ottla::message::produce::PartitionAnswer;
use ottla::message::produce::broker::{Answer as ProduceAnswer, Partition, RecordError, Topic};
use ottla::message::{Api, init_producer_id};
use ottla_broker::{Action as Do, Cluster, Seen, Silence};

use crate::frames::Names;
use crate::script::{Action, Answer, Place, Which};

/// A request that a node got, or a connection that it was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) api: Option<Api>,
    pub(crate) node: i32,
    pub(crate) places: Vec<Place>,
}

impl Which {
    /// Whether this is meant.
    pub(crate) fn is(&self, api: Option<Api>, node: i32, places: &[Place]) -> bool {
        let is_place = |wanted: &Place| {
            places.iter().any(|place| {
                let any = wanted.partition.is_none();
                place.topic == wanted.topic && (any || place.partition == wanted.partition)
            })
        };
        self.api == api
            && self.node.is_none_or(|wanted| wanted == node)
            && self.place.as_ref().is_none_or(is_place)
    }
}

#[derive(Default)]
pub(crate) struct State {
    /// Rules with how often they still count; none: always.
    rules: Vec<(Option<u32>, Which, Action)>,
    pub(crate) arrivals: Vec<Arrival>,
    pub(crate) names: Names,
}

/// Shared by the driver and the hook of the cluster.
#[derive(Clone, Default)]
pub(crate) struct Rules(Arc<Mutex<State>>);

impl Rules {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, count: Option<u32>, which: &Which, action: &Action) {
        self.lock().rules.push((count, which.clone(), action.clone()));
    }

    pub(crate) fn clear(&self) {
        self.lock().rules.clear();
    }

    /// Rules that no request has met.
    pub(crate) fn unused(&self) -> Vec<String> {
        let state = self.lock();
        let left = state.rules.iter().filter_map(|(count, which, action)| {
            let count = (*count)?;
            Some(format!("next {count} {which}: {action}"))
        });
        left.collect()
    }

    /// Has them seen to.
    pub(crate) fn install(&self, cluster: &mut Cluster) {
        let rules = self.clone();
        cluster.set_hook(move |seen| rules.lock().decide(seen));
    }
}

impl State {
    fn decide(&mut self, seen: &Seen<'_>) -> Do {
        let mut places = Vec::new();
        for topic in seen.produce().iter().flat_map(|request| &request.topics) {
            let name = self.names.topic(seen.version, topic.name);
            let partitions = topic.partitions.iter();
            places.extend(
                partitions.map(|partition| Place {
                    topic: name.clone(),
                    partition: Some(partition.index),
                }),
            );
        }
        let found = self
            .rules
            .iter_mut()
            .position(|(_, which, _)| which.is(Some(seen.api), seen.node, &places));
        self.arrivals.push(Arrival { api: Some(seen.api), node: seen.node, places });
        let Some(index) = found else { return Do::Proceed };
        let Some((count, _, action)) = self.rules.get_mut(index) else { return Do::Proceed };
        let done = carry_out(action, seen);
        if let Some(count) = count {
            *count -= 1;
            if *count == 0 {
                self.rules.remove(index);
            }
        }
        done
    }
}

/// What a rule means for a request.
fn carry_out(action: &Action, seen: &Seen<'_>) -> Do {
    let micros = |millis: u64| millis.saturating_mul(1_000);
    match action {
        Action::Refuse(code) => Do::Refuse(*code),
        Action::Answer(answer) => Do::Answer(answer_body(answer, seen)),
        Action::Give(producer_id, producer_epoch) => {
            let item = init_producer_id::Item {
                throttle_ms: 0,
                error: Default::default(),
                producer_id: *producer_id,
                producer_epoch: *producer_epoch,
            };
            let mut body = Vec::new();
            init_producer_id::broker::write(&item, seen.version, &mut body);
            Do::Answer(body)
        }
        Action::AppendAnd(code) => Do::AnswerAfter(*code),
        Action::AppendAndClose => Do::Swallow(Silence::Close),
        Action::Swallow => Do::Swallow(Silence::Stay),
        Action::Close => Do::Close,
        Action::Delay(span) => Do::Delay(micros(*span)),
        Action::DelayAnswer(span) => Do::DelayAnswer(micros(*span)),
        Action::Throttle(span) => Do::Throttle(u32::try_from(*span).unwrap_or(u32::MAX)),
    }
}

/// The same answer for every partition of a Produce request.
fn answer_body(answer: &Answer, seen: &Seen<'_>) -> Vec<u8> {
    let topics = seen.produce().map_or(&[][..], |request| &request.topics);
    let topics = topics.iter().map(|topic| Topic {
        name: topic.name.to_vec(),
        partitions: topic
            .partitions
            .iter()
            .map(|partition| {
                let mut told = Partition::new(PartitionAnswer {
                    index: partition.index,
                    error: answer.code,
                    base_offset: -1,
                    log_append_time: -1,
                    log_start: answer.log_start.unwrap_or(-1),
                });
                told.leader = answer.leader;
                let text = Some("as the script wants it".to_owned());
                told.records.extend(answer.record.map(|index| RecordError { index, text }));
                told
            })
            .collect(),
    });
    let topics = topics.collect();
    let mut body = Vec::new();
    ProduceAnswer { topics, ..ProduceAnswer::default() }.write(seen.version, &mut body);
    body
}
