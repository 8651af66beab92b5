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
