//! DescribeConfigs (key 32), for topics.

use std::mem;

use ottla::error::Fault;
use ottla::message::describe_configs::{self as codec, Item, TOPIC};
use ottla::message::{AdminApi, AnyApi, ErrorCode};
use ottla::wire::input::Input;

use super::{Verdict, each_item};
use crate::connection::{Ask, Told};
use crate::reading::lossy;
use crate::view::{Setting, Source};

/// Asks for all settings of topics.
#[derive(Debug)]
pub(crate) struct DescribeConfigs<'a> {
    pub(crate) topics: &'a [&'a str],
}

impl Ask for DescribeConfigs<'_> {
    const API: AnyApi = AnyApi::Admin(AdminApi::DescribeConfigs);
    type Answer = Vec<(Verdict, Vec<Setting>)>;

    fn write(&self, version: i16, _: i32, out: &mut Vec<u8>) {
        codec::request_start(out, version, self.topics.len() as u32);
        for name in self.topics {
            codec::request_resource(out, version, TOPIC, name.as_bytes(), None);
        }
        codec::request_end(out, version);
    }

    fn read(version: i16, input: &mut Input<'_>) -> Result<Told<Self::Answer>, Fault> {
        let (mut cursor, mut reading) = (codec::Answer::default(), Reading::default());
        each_item!(cursor.next(version, input), item => reading.take(item));
        Ok(reading.told)
    }
}

/// An answer that has a result for each resource, as far as it was read.
#[derive(Default)]
pub(crate) struct Reading {
    pub(crate) told: Told<Vec<(Verdict, Vec<Setting>)>>,
    /// Of the resource that comes next.
    error: ErrorCode,
    text: Vec<u8>,
    /// Of the last setting.
    value: Vec<u8>,
}

impl Reading {
    pub(crate) fn take(&mut self, item: Item<'_>) {
        let answer = &mut self.told.answer;
        match item {
            Item::Throttle(ms) => self.told.throttle_ms = ms,
            Item::Error(error) => self.error = error,
            Item::Text(part) => self.text.extend_from_slice(part),
            Item::Resource { name, .. } => {
                let text = lossy(&mem::take(&mut self.text));
                let verdict = Verdict { name: lossy(name), error: self.error, text, id: None };
                answer.push((verdict, Vec::new()));
            }
            Item::Setting(name) => {
                let name = lossy(name);
                let source = Source::Default;
                let setting =
                    Setting { name, value: None, source, read_only: false, sensitive: false };
                if let Some((_, settings)) = answer.last_mut() {
                    settings.push(setting);
                }
            }
            Item::Value(part) => self.value.extend_from_slice(part),
            Item::About { has_value, read_only, source, sensitive } => {
                let value = mem::take(&mut self.value);
                if let Some(setting) = answer.last_mut().and_then(|(_, list)| list.last_mut()) {
                    setting.value = has_value.then(|| lossy(&value));
                    setting.source = Source::of(source);
                    setting.read_only = read_only;
                    setting.sensitive = sensitive;
                }
            }
        }
    }
}
