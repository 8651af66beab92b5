//! DescribeTopicPartitions (key 75) with all that it tells: topics page by page. KIP-966.

use ottla::error::Fault;
use ottla::message::{AdminApi, AnyApi, ErrorCode, describe_topic_partitions as codec};
use ottla::wire::input::Input;
use ottla::wire::parse;

use super::metadata::place;
use crate::connection::{Ask, Told};
use crate::reading::{no_tags, nullable_text, numbers, text, whole};
use crate::view::{Partition, Topic, TopicId};

/// Partitions of a page: the most that Kafka gives.
const PAGE: i32 = 2_000;

/// Asks for a page.
#[derive(Debug)]
pub(crate) struct DescribeTopicPartitions<'a> {
    /// Names of the topics; none is all.
    pub(crate) topics: &'a [&'a str],
    /// Where the page begins: a topic and a partition of it.
    pub(crate) from: Option<&'a (String, i32)>,
}

/// A page.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Page {
    pub(crate) topics: Vec<Topic>,
    /// Where the next one begins, if there is one.
    pub(crate) next: Option<(String, i32)>,
}

impl Ask for DescribeTopicPartitions<'_> {
    const API: AnyApi = AnyApi::Admin(AdminApi::DescribeTopicPartitions);
    type Answer = Page;

    fn write(&self, _: i16, _: i32, out: &mut Vec<u8>) {
        codec::request_start(out, self.topics.len() as u32);
        for name in self.topics {
            codec::request_topic(out, name.as_bytes());
        }
        let from = self.from.map(|(topic, partition)| (topic.as_bytes(), *partition));
        codec::request_end(out, PAGE, from);
    }

    fn read(_: i16, input: &mut Input<'_>) -> Result<Told<Page>, Fault> {
        let throttle_ms = whole(input.atom(parse::int32)?)?;
        let count = whole(input.array(26, true)?)?;
        let topics = (0..count).map(|_| topic(input)).collect::<Result<_, _>>()?;
        let mut next = None;
        if whole(input.atom(parse::int8)?)? >= 0 {
            let topic = text(input, true)?;
            next = Some((topic, whole(input.atom(parse::int32)?)?));
            no_tags(input, true)?;
        }
        no_tags(input, true)?;
        Ok(Told { answer: Page { topics, next }, throttle_ms })
    }
}

fn topic(input: &mut Input<'_>) -> Result<Topic, Fault> {
    let error = ErrorCode(whole(input.atom(parse::int16)?)?);
    let name = nullable_text(input, true)?.unwrap_or_default();
    let id = TopicId::of(whole(input.atom(parse::uuid)?)?);
    let internal = whole(input.atom(parse::boolean)?)?;
    let count = whole(input.array(20, true)?)?;
    let partitions = (0..count).map(|_| partition(input)).collect::<Result<_, _>>()?;
    whole(input.atom(parse::int32)?)?;
    no_tags(input, true)?;
    Ok(Topic { name, id, internal, error, partitions })
}

fn partition(input: &mut Input<'_>) -> Result<Partition, Fault> {
    let error = ErrorCode(whole(input.atom(parse::int16)?)?);
    let index = whole(input.atom(parse::int32)?)?;
    let leader = place(whole(input.atom(parse::int32)?)?);
    let leader_epoch = place(whole(input.atom(parse::int32)?)?);
    let replicas = numbers(input, true)?;
    let in_sync = numbers(input, true)?;
    // Those that may lead although they are out of sync, now and before.
    numbers(input, true)?;
    numbers(input, true)?;
    let offline = numbers(input, true)?;
    no_tags(input, true)?;
    Ok(Partition { index, error, leader, leader_epoch, replicas, in_sync, offline })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::read_body;

    fn sent() -> codec::broker::Answer<'static> {
        let partition = codec::broker::Partition {
            error: ErrorCode(5),
            index: 4,
            leader: 2,
            leader_epoch: 7,
            replicas: vec![1, 2, 3],
            in_sync: vec![2],
            eligible: Some(vec![1]),
            last_eligible: None,
            offline: vec![3],
        };
        let topic = codec::broker::Topic {
            error: ErrorCode::NONE,
            name: Some("t"),
            id: [9; 16],
            internal: true,
            partitions: vec![partition],
            authorized_operations: i32::MIN,
        };
        let unknown = codec::broker::Topic {
            error: ErrorCode(3),
            name: None,
            id: [0; 16],
            internal: false,
            partitions: Vec::new(),
            authorized_operations: i32::MIN,
        };
        let topics = vec![topic, unknown];
        codec::broker::Answer { throttle_ms: 250, topics, next: Some(("u", 5)) }
    }

    #[test]
    fn all_that_is_told_is_read() {
        let mut body = Vec::new();
        sent().write(&mut body);
        let told = read_body::<DescribeTopicPartitions<'_>>(0, &body).unwrap();
        assert_eq!(told.throttle_ms, 250);
        let expected = Partition {
            index: 4,
            error: ErrorCode(5),
            leader: Some(2),
            leader_epoch: Some(7),
            replicas: vec![1, 2, 3],
            in_sync: vec![2],
            offline: vec![3],
        };
        let topic = Topic {
            name: "t".to_owned(),
            id: Some(TopicId([9; 16])),
            internal: true,
            error: ErrorCode::NONE,
            partitions: vec![expected],
        };
        let unknown = Topic { error: ErrorCode(3), ..Topic::default() };
        let next = Some(("u".to_owned(), 5));
        assert_eq!(told.answer, Page { topics: vec![topic, unknown], next });
        for length in 0..body.len() {
            let fault = read_body::<DescribeTopicPartitions<'_>>(0, &body[..length]).unwrap_err();
            let told = matches!(fault, Fault::Truncated | Fault::CountTooLarge);
            assert!(told, "{length} bytes: {fault}");
        }
    }

    #[test]
    fn a_page_is_asked_for() {
        let from = ("b".to_owned(), 3);
        let mut body = Vec::new();
        let ask = DescribeTopicPartitions { topics: &["a", "b"], from: Some(&from) };
        ask.write(0, 0, &mut body);
        let read = codec::broker::Request::read(&body).unwrap();
        assert_eq!(read.topics, [b"a", b"b"]);
        assert_eq!((read.partitions, read.from), (2_000, Some((&b"b"[..], 3))));
    }
}
