//! What became of each topic that was to be changed, as brokers tell it: the items of answers to
//! CreateTopics, DeleteTopics and CreatePartitions, and the decoder of the latter two.

use super::{ErrorCode, Step, need};
use crate::error::Fault;
use crate::wire::input::Input;
use crate::wire::parse;

/// What an answer holds, in order of appearance.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Item<'a> {
    /// Wait this many milliseconds before the next request.
    Throttle(i32),
    /// A topic, and whether it was changed.
    Topic {
        /// Its name; empty if null.
        name: &'a [u8],
        /// Its id, all zero where the version has none.
        id: [u8; 16],
        /// Why it was not, or success.
        error: ErrorCode,
    },
    /// The next bytes of the broker's text about the last topic.
    Text(&'a [u8]),
}

/// In what the answers differ.
#[derive(Copy, Clone)]
pub(super) struct Layout {
    pub(super) flexible: bool,
    /// The client is the one to wait.
    pub(super) throttles: bool,
    /// Topics have ids, and their names may be null.
    pub(super) has_ids: bool,
    pub(super) has_texts: bool,
}

#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
enum Stage {
    #[default]
    Throttle,
    Count,
    Topic,
    TextLength,
    Text,
    TopicTags,
    Tags,
}

/// Decodes an answer as a stream.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(super) struct Results {
    stage: Stage,
    topics: u32,
    text: u32,
}

impl Results {
    pub(super) fn next<'s>(
        &mut self,
        layout: Layout,
        input: &'s mut Input<'_>,
    ) -> Result<Step<Item<'s>>, Fault> {
        let Layout { flexible, throttles, has_ids, has_texts } = layout;
        loop {
            match self.stage {
                Stage::Throttle => {
                    let throttle = need!(input.atom(parse::int32)?);
                    self.stage = Stage::Count;
                    if throttles && throttle > 0 {
                        return Ok(Step::Item(Item::Throttle(throttle)));
                    }
                }
                Stage::Count => {
                    // A name and a code, and a text if there is one.
                    let least = if has_texts { 5 } else { 4 };
                    self.topics = need!(input.array(least, flexible)?);
                    self.stage = Stage::Topic;
                }
                Stage::Topic if self.topics == 0 => self.stage = Stage::Tags,
                Stage::Topic => {
                    let topic = move |bytes| {
                        let (rest, name) = if has_ids {
                            parse::nullable_string(bytes, flexible)?
                        } else {
                            let (rest, name) = parse::string(bytes, flexible)?;
                            (rest, Some(name))
                        };
                        let (rest, id) = if has_ids { parse::uuid(rest)? } else { (rest, [0; 16]) };
                        let (rest, error) = parse::int16(rest)?;
                        let name = name.unwrap_or(&[]);
                        Ok((rest, Item::Topic { name, id, error: ErrorCode(error) }))
                    };
                    let item = need!(input.atom(topic)?);
                    self.topics = self.topics.saturating_sub(1);
                    self.stage = if has_texts { Stage::TextLength } else { Stage::TopicTags };
                    return Ok(Step::Item(item));
                }
                Stage::TextLength => {
                    self.text = need!(input.text_length(flexible)?).unwrap_or(0);
                    self.stage = Stage::Text;
                }
                Stage::Text if self.text == 0 => self.stage = Stage::TopicTags,
                Stage::Text => {
                    let chunk = need!(input.text(&mut self.text));
                    return Ok(Step::Item(Item::Text(chunk)));
                }
                Stage::TopicTags => {
                    if !input.no_tags(flexible)? {
                        return Ok(Step::More);
                    }
                    self.stage = Stage::Topic;
                }
                Stage::Tags => {
                    return Ok(if input.no_tags(flexible)? { Step::End } else { Step::More });
                }
            }
        }
    }
}
