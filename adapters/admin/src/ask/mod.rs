//! Questions and changes, one file per API: what is sent, and what the answer says.

pub(crate) mod alter_configs;
pub(crate) mod create_partitions;
pub(crate) mod create_topics;
pub(crate) mod delete_topics;
pub(crate) mod describe_configs;
pub(crate) mod describe_topic_partitions;
pub(crate) mod metadata;

use ottla::message::ErrorCode;
use ottla::message::delete_topics::Item;

use crate::connection::Told;
use crate::reading::lossy;
use crate::view::TopicId;

/// What a broker says of one topic that was to be changed.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Verdict {
    pub(crate) name: String,
    pub(crate) error: ErrorCode,
    pub(crate) text: String,
    pub(crate) id: Option<TopicId>,
}

/// Takes the next item of an answer that has a result for each topic.
pub(crate) fn topic_result(told: &mut Told<Vec<Verdict>>, item: Item<'_>) {
    match item {
        Item::Throttle(ms) => told.throttle_ms = ms,
        Item::Topic { name, id, error } => {
            let (name, id) = (lossy(name), TopicId::of(id));
            told.answer.push(Verdict { name, error, text: String::new(), id });
        }
        Item::Text(part) => {
            if let Some(last) = told.answer.last_mut() {
                last.text.push_str(&lossy(part));
            }
        }
    }
}

/// Reads an answer by its decoder: what each item is good for is said by the arms, before the
/// decoder is asked for the next one.
macro_rules! each_item {
    ($next:expr, $($item:pat => $arm:expr),* $(,)?) => {
        loop {
            match $next? {
                ottla::message::Step::More => return Err(ottla::error::Fault::Truncated),
                ottla::message::Step::End => break,
                $(ottla::message::Step::Item($item) => $arm),*
            }
        }
    };
}
pub(crate) use each_item;

/// Reads a body, as a connection does.
#[cfg(test)]
pub(crate) fn read_body<A: crate::connection::Ask>(
    version: i16,
    body: &[u8],
) -> Result<crate::connection::Told<A::Answer>, ottla::error::Fault> {
    let mut frame = ottla::wire::input::Frame::default();
    frame.start(body.len() as u32);
    A::read(version, &mut ottla::wire::input::Input::new(&mut frame, body))
}
