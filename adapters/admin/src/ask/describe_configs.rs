//! DescribeConfigs (key 32), for topics.

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
        let mut cursor = codec::Answer::default();
        let mut throttle_ms = 0;
        let mut told: Self::Answer = Vec::new();
        let (mut code, mut words) = (ErrorCode::NONE, Vec::new());
        let mut value = Vec::new();
        each_item!(cursor.next(version, input),
            Item::Throttle(ms) => throttle_ms = ms,
            Item::Error(error) => code = error,
            Item::Text(part) => words.extend_from_slice(part),
            Item::Resource { name, .. } => {
                let text = lossy(&std::mem::take(&mut words));
                let verdict = Verdict { name: lossy(name), error: code, text, id: None };
                told.push((verdict, Vec::new()));
            },
            Item::Setting(name) => {
                let name = lossy(name);
                let source = Source::Default;
                let setting =
                    Setting { name, value: None, source, read_only: false, sensitive: false };
                if let Some((_, settings)) = told.last_mut() {
                    settings.push(setting);
                }
            },
            Item::Value(part) => value.extend_from_slice(part),
            Item::About { has_value, read_only, source, sensitive } => {
                let value = std::mem::take(&mut value);
                if let Some(setting) = told.last_mut().and_then(|(_, list)| list.last_mut()) {
                    setting.value = has_value.then(|| lossy(&value));
                    setting.source = Source::of(source);
                    setting.read_only = read_only;
                    setting.sensitive = sensitive;
                }
            }
        );
        Ok(Told { answer: told, throttle_ms })
    }
}
