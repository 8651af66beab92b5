//! DeleteTopics (key 20), by name.

use ottla::error::Fault;
use ottla::message::delete_topics::{self as codec, Item};
use ottla::message::{AdminApi, AnyApi};
use ottla::wire::input::Input;

use super::{Verdict, each_item};
use crate::connection::{Ask, Told};
use crate::reading::lossy;
use crate::view::TopicId;

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
        let mut cursor = codec::Answer::default();
        let (mut throttle_ms, mut told) = (0, Vec::<Verdict>::new());
        each_item!(cursor.next(version, input),
            Item::Throttle(ms) => throttle_ms = ms,
            Item::Topic { name, id, error } => {
                let (name, id) = (lossy(name), TopicId::of(id));
                told.push(Verdict { name, error, text: String::new(), id });
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
