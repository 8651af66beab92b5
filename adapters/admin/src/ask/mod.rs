//! Questions and changes, one file per API: what is sent, and what the answer says.

pub(crate) mod alter_configs;
pub(crate) mod create_partitions;
pub(crate) mod create_topics;
pub(crate) mod delete_topics;
pub(crate) mod describe_configs;
pub(crate) mod describe_topic_partitions;
pub(crate) mod metadata;

use ottla::message::ErrorCode;

use crate::view::TopicId;

/// What a broker says of one topic that was to be changed.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Verdict {
    pub(crate) name: String,
    pub(crate) error: ErrorCode,
    pub(crate) text: String,
    pub(crate) id: Option<TopicId>,
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
