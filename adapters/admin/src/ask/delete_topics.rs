//! DeleteTopics (key 20), by name.

use ottla::error::Fault;
use ottla::message::delete_topics as codec;
use ottla::message::{AdminApi, AnyApi};
use ottla::wire::input::Input;

use super::{Verdict, each_item, topic_result};
use crate::connection::{Ask, Told};

/// Removes topics.
#[derive(Debug)]
pub(crate) struct DeleteTopics<'a> {
    pub(crate) topics: Vec<&'a str>,
}

impl Ask for DeleteTopics<'_> {
    const API: AnyApi = AnyApi::Admin(AdminApi::DeleteTopics);
    type Answer = Vec<Verdict>;

    fn write(&self, version: i16, wait_ms: i32, out: &mut Vec<u8>) {
        codec::request_start(out, version, self.topics.len() as u32);
        for name in &self.topics {
            codec::request_topic(out, version, name.as_bytes());
        }
        codec::request_end(out, version, wait_ms);
    }

    fn read(version: i16, input: &mut Input<'_>) -> Result<Told<Vec<Verdict>>, Fault> {
        let (mut cursor, mut told) = (codec::Answer::default(), Told::default());
        each_item!(cursor.next(version, input), item => topic_result(&mut told, item));
        Ok(told)
    }
}
