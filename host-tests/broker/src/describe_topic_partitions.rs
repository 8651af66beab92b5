//! DescribeTopicPartitions (key 75): topics in the order of their names, page by page. KIP-966.

use std::collections::BTreeSet;

use ottla::message::describe_topic_partitions::broker::{Answer, Partition, Request, Topic};
use ottla::message::{AdminApi, ErrorCode, broker};

use crate::cluster::Cluster;
use crate::metadata;
use crate::request::Asking;
use crate::topic::{TopicId, is_internal, is_legal_name};

/// `max.request.partition.size.limit`: partitions of an answer, whatever the client wants.
const PARTITIONS_MAX: usize = 2_000;

/// All that Kafka allows on a topic where nobody is asked: read, write, create, delete, alter,
/// describe, describe and alter settings (bits 3 to 8, 10, 11).
const OPERATIONS: i32 = 0b1101_1111_1000;

/// The frame of the answer.
pub(crate) fn handle(cluster: &Cluster, asking: &Asking, request: &Request<'_>) -> Vec<u8> {
    let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
    let wanted: BTreeSet<String> = request.topics.iter().map(|name| text(name)).collect();
    let from = request.from.map(|(name, partition)| (text(name), partition));
    let names: BTreeSet<&str> = if wanted.is_empty() {
        cluster.topic_names().collect()
    } else {
        wanted.iter().map(String::as_str).collect()
    };
    let error = asking.forced.code().or_else(|| {
        let (topic, partition) = from.as_ref()?;
        let is_asked = wanted.is_empty() || wanted.contains(topic);
        (*partition < 0 || !is_asked).then_some(ErrorCode::INVALID_REQUEST)
    });
    let mut answer = match error {
        Some(code) => {
            let topics = wanted.iter().map(|name| unknown(name, code)).collect();
            Answer { topics, ..Answer::default() }
        }
        None => page(cluster, asking, &names, from.as_ref(), limit(request.partitions)),
    };
    answer.throttle_ms = asking.throttle_ms;
    broker::answer(AdminApi::DescribeTopicPartitions, asking.version, asking.correlation, |out| {
        answer.write(out);
    })
}

/// How many partitions are told. A client that wants none gets one, or it would never get on.
fn limit(partitions: i32) -> usize {
    usize::try_from(partitions).unwrap_or(0).clamp(1, PARTITIONS_MAX)
}

fn unknown(name: &str, error: ErrorCode) -> Topic<'_> {
    Topic {
        error,
        name: Some(name),
        id: TopicId::default(),
        internal: is_internal(name),
        partitions: Vec::new(),
        authorized_operations: i32::MIN,
    }
}

fn page<'a>(
    cluster: &'a Cluster,
    asking: &Asking,
    names: &BTreeSet<&'a str>,
    from: Option<&'a (String, i32)>,
    mut left: usize,
) -> Answer<'a> {
    let mut answer = Answer::default();
    let first = from.map_or("", |(name, _)| name.as_str());
    for name in names.range(first..).copied() {
        let Some(topic) = cluster.topics.get(name) else {
            let code = if is_legal_name(name) {
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            } else {
                ErrorCode::INVALID_TOPIC_EXCEPTION
            };
            answer.topics.push(unknown(name, code));
            continue;
        };
        if left == 0 {
            answer.next = Some((name, 0));
            break;
        }
        let start = from.filter(|(topic, _)| topic == name).map_or(0, |(_, partition)| *partition);
        let all = metadata::partitions(cluster, asking, topic).into_iter();
        let mut rest = all.skip(usize::try_from(start).unwrap_or(0)).map(partition);
        let partitions: Vec<Partition> = rest.by_ref().take(left).collect();
        left = left.saturating_sub(partitions.len());
        let next = rest.next().map(|partition| (name, partition.index));
        answer.topics.push(Topic {
            id: topic.id,
            partitions,
            authorized_operations: OPERATIONS,
            ..unknown(name, ErrorCode::NONE)
        });
        if next.is_some() {
            answer.next = next;
            break;
        }
    }
    answer
}

fn partition(partition: ottla::message::metadata::broker::Partition) -> Partition {
    Partition {
        error: partition.error,
        index: partition.index,
        leader: partition.leader,
        leader_epoch: partition.leader_epoch,
        replicas: partition.replicas,
        in_sync: partition.in_sync,
        // A replica that leaves those in sync cannot lead here, however safe it were.
        eligible: Some(Vec::new()),
        last_eligible: Some(Vec::new()),
        offline: partition.offline,
    }
}

#[cfg(test)]
mod tests {
    use ottla::message::describe_topic_partitions as codec;

    use super::*;
    use crate::testing::Client;
    use crate::{Action, Config, NewTopic};

    fn ask(
        client: &mut Client,
        names: &[&str],
        partitions: i32,
        from: Option<(&str, i32)>,
    ) -> Vec<String> {
        client.describe_topic_partitions(|out| {
            codec::request_start(out, names.len() as u32);
            for name in names {
                codec::request_topic(out, name.as_bytes());
            }
            let from = from.map(|(name, partition)| (name.as_bytes(), partition));
            codec::request_end(out, partitions, from);
        })
    }

    fn three_topics() -> Client {
        let mut client = Client::with(Config::new(2));
        for (name, partitions) in [("b", 3), ("c", 1), ("a", 1)] {
            client.cluster.create_topic(&NewTopic::new(name, partitions, 2)).unwrap();
        }
        client
    }

    #[test]
    fn all_topics_come_in_order() {
        let lines = ask(&mut three_topics(), &[], 2_000, None);
        let expected = [
            "topic a 0 id",
            "partition 0 0 1@0",
            "topic b 0 id",
            "partition 0 0 1@0",
            "partition 1 0 2@0",
            "partition 2 0 1@0",
            "topic c 0 id",
            "partition 0 0 1@0",
        ];
        assert_eq!(lines, expected);
    }

    /// Whatever the size of a page, all pages together are all there is.
    #[test]
    fn pages_follow_each_other() {
        let mut client = three_topics();
        let all = ask(&mut client, &[], 2_000, None);
        let partitions = |lines: &[String]| -> Vec<(String, String)> {
            let mut topic = String::new();
            let mut list = Vec::new();
            for line in lines {
                if line.starts_with("topic") {
                    topic.clone_from(line);
                } else {
                    list.push((topic.clone(), line.clone()));
                }
            }
            list
        };
        for size in 0..6 {
            let mut read = Vec::new();
            let mut from: Option<(String, i32)> = None;
            loop {
                let cursor = from.as_ref().map(|(name, partition)| (name.as_str(), *partition));
                let mut lines = ask(&mut client, &[], size, cursor);
                from = None;
                if lines.last().is_some_and(|line| line.starts_with("next")) {
                    let next = lines.pop().unwrap();
                    let mut words = next.split(' ').skip(1);
                    let name = words.next().unwrap().to_string();
                    from = Some((name, words.next().unwrap().parse().unwrap()));
                }
                let page = partitions(&lines);
                assert!(page.len() <= size.max(1) as usize, "{size}: {page:?}");
                read.extend(page);
                if from.is_none() {
                    break;
                }
            }
            assert_eq!(read, partitions(&all), "{size} at once");
        }
    }

    #[test]
    fn topics_that_are_not_there() {
        let lines = ask(&mut three_topics(), &["c", "a b", "x", "c"], 2_000, None);
        assert_eq!(lines, ["topic a b 17", "topic c 0 id", "partition 0 0 1@0", "topic x 3"]);
        assert_eq!(ask(&mut Client::with(Config::new(1)), &[], 2_000, None), [""; 0]);
    }

    #[test]
    fn places_to_begin_at_are_checked() {
        let mut client = three_topics();
        assert_eq!(ask(&mut client, &["a"], 10, Some(("a", -1))), ["topic a 42"]);
        assert_eq!(ask(&mut client, &["a"], 10, Some(("b", 0))), ["topic a 42"]);
        let gone = ask(&mut client, &[], 10, Some(("bb", 1)));
        assert_eq!(gone, ["topic c 0 id", "partition 0 0 1@0"]);
    }

    #[test]
    fn the_code_of_a_hook() {
        let mut client = three_topics();
        client.cluster.set_admin_hook(|_| Action::Refuse(ErrorCode(41)));
        assert_eq!(ask(&mut client, &["a"], 10, None), ["topic a 41"]);
    }
}
