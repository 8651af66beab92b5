//! CreatePartitions (key 37), for one topic, its brokers chosen by the cluster.

use ottla::error::Fault;
use ottla::message::create_partitions as codec;
use ottla::message::{AdminApi, AnyApi};
use ottla::wire::input::Input;

use super::{Verdict, each_item, topic_result};
use crate::connection::{Ask, Told};

/// Gives a topic more partitions.
#[derive(Debug)]
pub(crate) struct CreatePartitions<'a> {
    pub(crate) topic: &'a str,
    /// With those that it has.
    pub(crate) total: i32,
    pub(crate) validate_only: bool,
}

impl Ask for CreatePartitions<'_> {
    const API: AnyApi = AnyApi::Admin(AdminApi::CreatePartitions);
    type Answer = Vec<Verdict>;

    fn write(&self, version: i16, wait_ms: i32, out: &mut Vec<u8>) {
        codec::request_start(out, version, 1);
        codec::request_topic(out, version, self.topic.as_bytes(), self.total, None);
        codec::request_end(out, version, wait_ms, self.validate_only);
    }

    fn read(version: i16, input: &mut Input<'_>) -> Result<Told<Vec<Verdict>>, Fault> {
        let (mut cursor, mut told) = (codec::Answer::default(), Told::default());
        each_item!(cursor.next(version, input), item => topic_result(&mut told, item));
        Ok(told)
    }
}
