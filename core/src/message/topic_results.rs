//! What became of each topic that was to be made, changed or removed: answers to CreateTopics,
//! DeleteTopics and CreatePartitions.

use super::{ErrorCode, Step, metadata::pass_string, need};
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

/// In what the answers of an API differ from those of others: from which version on they have it.
#[derive(Copy, Clone)]
pub(super) struct Layout {
    /// The client is the one to wait.
    pub(super) throttles: i16,
    pub(super) ids: i16,
    pub(super) null_names: i16,
    pub(super) texts: i16,
    /// Numbers of partitions and replicas, and settings.
    pub(super) details: i16,
    /// Bytes that a topic takes at least, in any version.
    pub(super) least: u32,
}

#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
enum Stage {
    #[default]
    Throttle,
    Count,
    Topic,
    TextLength,
    Text,
    Counts,
    ConfigCount,
    ConfigName,
    ConfigValue,
    ConfigRest,
    ConfigTags,
    TopicTags,
    Tags,
}

/// Decodes an answer as a stream.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(super) struct Results {
    stage: Stage,
    topics: u32,
    configs: u32,
    text: u32,
}

impl Results {
    pub(super) fn next<'s>(
        &mut self,
        layout: Layout,
        version: i16,
        flexible: bool,
        input: &'s mut Input<'_>,
    ) -> Result<Step<Item<'s>>, Fault> {
        loop {
            match self.stage {
                Stage::Throttle => {
                    let throttle = need!(input.atom(parse::int32)?);
                    self.stage = Stage::Count;
                    if version >= layout.throttles && throttle > 0 {
                        return Ok(Step::Item(Item::Throttle(throttle)));
                    }
                }
                Stage::Count => {
                    self.topics = need!(input.array(layout.least, flexible)?);
                    self.stage = Stage::Topic;
                }
                Stage::Topic if self.topics == 0 => self.stage = Stage::Tags,
                Stage::Topic => {
                    let topic = move |bytes| {
                        let (rest, name) = if version >= layout.null_names {
                            parse::nullable_string(bytes, flexible)?
                        } else {
                            let (rest, name) = parse::string(bytes, flexible)?;
                            (rest, Some(name))
                        };
                        let (rest, id) = if version >= layout.ids {
                            parse::uuid(rest)?
                        } else {
                            (rest, [0; 16])
                        };
                        let (rest, error) = parse::int16(rest)?;
                        let name = name.unwrap_or(&[]);
                        Ok((rest, Item::Topic { name, id, error: ErrorCode(error) }))
                    };
                    let item = need!(input.atom(topic)?);
                    self.topics = self.topics.saturating_sub(1);
                    self.stage = Stage::TextLength;
                    return Ok(Step::Item(item));
                }
                Stage::TextLength => {
                    if version >= layout.texts {
                        self.text = need!(input.text_length(flexible)?).unwrap_or(0);
                    }
                    self.stage = Stage::Text;
                }
                Stage::Text if self.text == 0 => {
                    self.stage =
                        if version >= layout.details { Stage::Counts } else { Stage::TopicTags };
                }
                Stage::Text => {
                    let chunk = need!(input.text(&mut self.text));
                    return Ok(Step::Item(Item::Text(chunk)));
                }
                Stage::Counts => {
                    need!(input.atom(|bytes| parse::take(bytes, 6))?);
                    self.stage = Stage::ConfigCount;
                }
                Stage::ConfigCount => {
                    self.configs = need!(input.array(6, flexible)?);
                    self.stage = Stage::ConfigName;
                }
                Stage::ConfigName if self.configs == 0 => self.stage = Stage::TopicTags,
                Stage::ConfigName => {
                    need!(pass_string(input, flexible)?);
                    self.configs = self.configs.saturating_sub(1);
                    self.stage = Stage::ConfigValue;
                }
                Stage::ConfigValue => {
                    need!(pass_string(input, flexible)?);
                    self.stage = Stage::ConfigRest;
                }
                Stage::ConfigRest => {
                    need!(input.atom(|bytes| parse::take(bytes, 3))?);
                    self.stage = Stage::ConfigTags;
                }
                Stage::ConfigTags => {
                    if !input.no_tags(flexible)? {
                        return Ok(Step::More);
                    }
                    self.stage = Stage::ConfigName;
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
