//! CreatePartitions (key 37), for one topic, its brokers chosen by the cluster.

use ottla::error::Fault;
use ottla::message::create_partitions::{self as codec, Item};
use ottla::message::{AdminApi, AnyApi};
use ottla::wire::input::Input;

use super::{Verdict, each_item};
use crate::connection::{Ask, Told};
use crate::reading::lossy;

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
        let mut cursor = codec::Answer::default();
        let (mut throttle_ms, mut told) = (0, Vec::<Verdict>::new());
        each_item!(cursor.next(version, input),
            Item::Throttle(ms) => throttle_ms = ms,
            Item::Topic { name, error } => {
                let name = lossy(name);
                told.push(Verdict { name, error, text: String::new(), id: None });
            },
            Item::Text(part) => {
                if let Some(last) = told.last_mut() {
                    last.text.push_str(&lossy(part));
                }
            }
        );
        Ok(Told { answer: told, throttle_ms })
    }
}
