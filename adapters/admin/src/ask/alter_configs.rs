//! IncrementalAlterConfigs (key 44), for one topic. KIP-339.

use ottla::error::Fault;
use ottla::message::describe_configs::TOPIC;
use ottla::message::incremental_alter_configs::{self as codec, Operation};
use ottla::message::{AdminApi, AnyApi};
use ottla::wire::input::Input;

use super::describe_configs::Reading;
use super::{Verdict, each_item};
use crate::change::Change;
use crate::connection::{Ask, Told};

/// Changes settings of a topic.
#[derive(Debug)]
pub(crate) struct AlterConfigs<'a> {
    pub(crate) topic: &'a str,
    pub(crate) changes: &'a [Change],
    pub(crate) validate_only: bool,
}

impl Ask for AlterConfigs<'_> {
    const API: AnyApi = AnyApi::Admin(AdminApi::IncrementalAlterConfigs);
    type Answer = Vec<Verdict>;

    fn hint(&self) -> &'static str {
        "before Kafka 2.3 single settings cannot be altered"
    }

    fn write(&self, version: i16, _: i32, out: &mut Vec<u8>) {
        codec::request_start(out, version, 1);
        let (name, count) = (self.topic.as_bytes(), self.changes.len() as u32);
        codec::request_resource(out, version, TOPIC, name, count);
        for change in self.changes {
            let (name, operation, value) = match change {
                Change::Set(name, value) => (name, Operation::Set, Some(value)),
                Change::Delete(name) => (name, Operation::Delete, None),
                Change::Append(name, value) => (name, Operation::Append, Some(value)),
                Change::Subtract(name, value) => (name, Operation::Subtract, Some(value)),
            };
            let value = value.map(String::as_bytes);
            codec::request_setting(out, version, name.as_bytes(), operation, value);
        }
        codec::request_resource_end(out, version);
        codec::request_end(out, version, self.validate_only);
    }

    fn read(version: i16, input: &mut Input<'_>) -> Result<Told<Vec<Verdict>>, Fault> {
        let (mut cursor, mut reading) = (codec::Answer::default(), Reading::default());
        each_item!(cursor.next(version, input), item => reading.take(item));
        let Told { answer, throttle_ms } = reading.told;
        Ok(Told { answer: answer.into_iter().map(|(verdict, _)| verdict).collect(), throttle_ms })
    }
}
