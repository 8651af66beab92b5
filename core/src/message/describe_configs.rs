//! DescribeConfigs (key 32): settings of topics, brokers and more. KIP-133, KIP-226 (synonyms),
//! KIP-569 (types and documentation).

use super::{AdminApi, ErrorCode, Step, metadata::pass_string, need};
use crate::error::Fault;
use crate::wire::input::Input;
use crate::wire::parse;
use crate::wire::write::Put;

const fn is_flexible(version: i16) -> bool {
    AdminApi::DescribeConfigs.is_flexible(version)
}

/// A topic has the settings.
pub const TOPIC: i8 = 2;
/// A broker has the settings; its name is its id.
pub const BROKER: i8 = 4;

/// Writes the start of a request for `count` resources.
pub fn request_start(out: &mut impl Put, version: i16, count: u32) {
    out.length_prefix(count, is_flexible(version));
}

/// Writes one resource of a request, [`TOPIC`] or [`BROKER`], for those of its settings whose
/// names are given; `None` is all.
pub fn request_resource(
    out: &mut impl Put,
    version: i16,
    kind: i8,
    name: &[u8],
    settings: Option<&[&str]>,
) {
    let flexible = is_flexible(version);
    out.int8(kind);
    out.string(name, flexible);
    match settings {
        Some(settings) => {
            out.length_prefix(settings.len() as u32, flexible);
            for setting in settings {
                out.string(setting.as_bytes(), flexible);
            }
        }
        None if flexible => out.uvarint(0),
        None => out.int32(-1),
    }
    out.no_tags(flexible);
}

/// Writes the end of a request that wants neither synonyms nor documentation.
pub fn request_end(out: &mut impl Put, version: i16) {
    out.boolean(false);
    if version >= 3 {
        out.boolean(false);
    }
    out.no_tags(is_flexible(version));
}

/// What an answer holds, in order of appearance.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Item<'a> {
    /// Wait this many milliseconds before the next request (version 2 on).
    Throttle(i32),
    /// Why the settings of the next resource cannot be told, or success.
    Error(ErrorCode),
    /// The next bytes of the broker's text about the error.
    Text(&'a [u8]),
    /// A resource; its settings follow.
    Resource {
        /// [`TOPIC`], [`BROKER`], or another kind.
        kind: i8,
        /// Its name.
        name: &'a [u8],
    },
    /// A setting of the last resource by its name; its value follows.
    Setting(&'a [u8]),
    /// The next bytes of the last setting's value.
    Value(&'a [u8]),
    /// What is to be known of the last setting.
    About {
        /// It has a value; a secret has none.
        has_value: bool,
        /// Nobody can change it while the broker runs.
        read_only: bool,
        /// Where its value comes from: 1 topic, 2 to 4 broker, 5 default.
        source: i8,
        /// Its value is a secret.
        sensitive: bool,
    },
}

#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
enum Stage {
    #[default]
    Throttle,
    ResourceCount,
    Error,
    TextLength,
    Text,
    Resource,
    SettingCount,
    Setting,
    ValueLength,
    Value,
    About,
    SynonymCount,
    SynonymName,
    SynonymValue,
    SynonymSource,
    SynonymTags,
    Kind,
    Documentation,
    SettingTags,
    ResourceTags,
    Tags,
}

/// In what the answers of an API differ from those of another, IncrementalAlterConfigs: from which
/// version on they have it.
#[derive(Copy, Clone)]
pub(super) struct Layout {
    /// The client is the one to wait.
    pub(super) throttles: i16,
    /// Settings of each resource.
    pub(super) settings: i16,
    /// Their types and documentation.
    pub(super) documentation: i16,
    /// Bytes that a resource takes at least, in any version.
    pub(super) least: u32,
}

const LAYOUT: Layout = Layout { throttles: 2, settings: 0, documentation: 3, least: 7 };

/// Decodes an answer as a stream.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Answer {
    stage: Stage,
    resources: u32,
    settings: u32,
    synonyms: u32,
    /// Bytes of a text or a value still to come.
    text: u32,
    has_value: bool,
}

impl Answer {
    /// The next item of an answer in `version`.
    ///
    /// # Errors
    /// What the broker did wrong.
    pub fn next<'s>(
        &mut self,
        version: i16,
        input: &'s mut Input<'_>,
    ) -> Result<Step<Item<'s>>, Fault> {
        self.next_of(LAYOUT, version, is_flexible(version), input)
    }

    /// The next item of an answer that is laid out so.
    pub(super) fn next_of<'s>(
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
                    self.stage = Stage::ResourceCount;
                    if version >= layout.throttles && throttle > 0 {
                        return Ok(Step::Item(Item::Throttle(throttle)));
                    }
                }
                Stage::ResourceCount => {
                    self.resources = need!(input.array(layout.least, flexible)?);
                    self.stage = Stage::Error;
                }
                Stage::Error if self.resources == 0 => self.stage = Stage::Tags,
                Stage::Error => {
                    let code = need!(input.atom(parse::int16)?);
                    self.resources = self.resources.saturating_sub(1);
                    self.stage = Stage::TextLength;
                    return Ok(Step::Item(Item::Error(ErrorCode(code))));
                }
                Stage::TextLength => {
                    self.text = need!(input.text_length(flexible)?).unwrap_or(0);
                    self.stage = Stage::Text;
                }
                Stage::Text if self.text == 0 => self.stage = Stage::Resource,
                Stage::Text => {
                    let chunk = need!(input.text(&mut self.text));
                    return Ok(Step::Item(Item::Text(chunk)));
                }
                Stage::Resource => {
                    let resource = move |bytes| {
                        let (rest, kind) = parse::int8(bytes)?;
                        let (rest, name) = parse::string(rest, flexible)?;
                        Ok((rest, Item::Resource { kind, name }))
                    };
                    let item = need!(input.atom(resource)?);
                    self.stage = if version >= layout.settings {
                        Stage::SettingCount
                    } else {
                        Stage::ResourceTags
                    };
                    return Ok(Step::Item(item));
                }
                Stage::SettingCount => {
                    self.settings = need!(input.array(9, flexible)?);
                    self.stage = Stage::Setting;
                }
                Stage::Setting if self.settings == 0 => self.stage = Stage::ResourceTags,
                Stage::Setting => {
                    return match input.atom(move |bytes| parse::string(bytes, flexible))? {
                        Some(name) => {
                            self.settings = self.settings.saturating_sub(1);
                            self.stage = Stage::ValueLength;
                            Ok(Step::Item(Item::Setting(name)))
                        }
                        None => Ok(Step::More),
                    };
                }
                Stage::ValueLength => {
                    let length = need!(input.text_length(flexible)?);
                    self.has_value = length.is_some();
                    self.text = length.unwrap_or(0);
                    self.stage = Stage::Value;
                }
                Stage::Value if self.text == 0 => self.stage = Stage::About,
                Stage::Value => {
                    let chunk = need!(input.text(&mut self.text));
                    return Ok(Step::Item(Item::Value(chunk)));
                }
                Stage::About => {
                    let has_value = self.has_value;
                    let about = move |bytes| {
                        let (rest, read_only) = parse::boolean(bytes)?;
                        let (rest, source) = parse::int8(rest)?;
                        let (rest, sensitive) = parse::boolean(rest)?;
                        Ok((rest, Item::About { has_value, read_only, source, sensitive }))
                    };
                    let item = need!(input.atom(about)?);
                    self.stage = Stage::SynonymCount;
                    return Ok(Step::Item(item));
                }
                Stage::SynonymCount => {
                    self.synonyms = need!(input.array(4, flexible)?);
                    self.stage = Stage::SynonymName;
                }
                Stage::SynonymName if self.synonyms == 0 => self.stage = Stage::Kind,
                Stage::SynonymName => {
                    need!(pass_string(input, flexible)?);
                    self.synonyms = self.synonyms.saturating_sub(1);
                    self.stage = Stage::SynonymValue;
                }
                Stage::SynonymValue => {
                    need!(pass_string(input, flexible)?);
                    self.stage = Stage::SynonymSource;
                }
                Stage::SynonymSource => {
                    need!(input.atom(parse::int8)?);
                    self.stage = Stage::SynonymTags;
                }
                Stage::SynonymTags => {
                    if !input.no_tags(flexible)? {
                        return Ok(Step::More);
                    }
                    self.stage = Stage::SynonymName;
                }
                Stage::Kind => {
                    if version >= layout.documentation {
                        need!(input.atom(parse::int8)?);
                    }
                    self.stage = Stage::Documentation;
                }
                Stage::Documentation => {
                    if version >= layout.documentation {
                        need!(pass_string(input, flexible)?);
                    }
                    self.stage = Stage::SettingTags;
                }
                Stage::SettingTags => {
                    if !input.no_tags(flexible)? {
                        return Ok(Step::More);
                    }
                    self.stage = Stage::Setting;
                }
                Stage::ResourceTags => {
                    if !input.no_tags(flexible)? {
                        return Ok(Step::More);
                    }
                    self.stage = Stage::Error;
                }
                Stage::Tags => {
                    return Ok(if input.no_tags(flexible)? { Step::End } else { Step::More });
                }
            }
        }
    }
}

/// The broker's direction.
#[cfg(any(test, feature = "broker"))]
pub mod broker {
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::super::broker::{array, list, tags, whole};
    use super::{ErrorCode, is_flexible};
    use crate::error::Fault;
    use crate::wire::parse::{self, Parsed};
    use crate::wire::write::Put;

    /// A resource of a request.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct RequestResource<'a> {
        /// [`super::TOPIC`], [`super::BROKER`], or another kind.
        pub kind: i8,
        /// Its name.
        pub name: &'a [u8],
        /// Names of the settings that are wanted; null is all.
        pub settings: Option<Vec<&'a [u8]>>,
    }

    /// A request.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Request<'a> {
        /// The resources.
        pub resources: Vec<RequestResource<'a>>,
        /// Synonyms are wanted.
        pub synonyms: bool,
        /// Documentation is wanted (version 3 on).
        pub documentation: bool,
    }

    impl<'a> Request<'a> {
        /// Reads the body of a request.
        ///
        /// # Errors
        /// What is wrong with it.
        pub fn read(body: &'a [u8], version: i16) -> Result<Self, Fault> {
            whole(Self::parse(body, version))
        }

        fn parse(body: &'a [u8], version: i16) -> Parsed<'a, Self> {
            let flexible = is_flexible(version);
            let resource = |bytes| {
                let (rest, kind) = parse::int8(bytes)?;
                let (rest, name) = parse::string(rest, flexible)?;
                let (rest, settings) =
                    array(rest, flexible, |bytes| parse::string(bytes, flexible))?;
                let (rest, ()) = tags(rest, flexible)?;
                Ok((rest, RequestResource { kind, name, settings }))
            };
            let (rest, resources) = list(body, flexible, resource)?;
            let (mut rest, synonyms) = parse::boolean(rest)?;
            let mut documentation = false;
            if version >= 3 {
                (rest, documentation) = parse::boolean(rest)?;
            }
            let (rest, ()) = tags(rest, flexible)?;
            Ok((rest, Self { resources, synonyms, documentation }))
        }
    }

    /// A value that a setting would have without the one above it.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Synonym {
        /// Name of the setting that says so.
        pub name: String,
        /// Its value, or null.
        pub value: Option<String>,
        /// Where it comes from.
        pub source: i8,
    }

    /// A setting of an answer.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Setting {
        /// Its name.
        pub name: String,
        /// Its value, or null.
        pub value: Option<String>,
        /// Nobody can change it while the broker runs.
        pub read_only: bool,
        /// Where its value comes from: 1 topic, 2 to 4 broker, 5 default.
        pub source: i8,
        /// Its value is a secret.
        pub sensitive: bool,
        /// The values that it would have otherwise, the one in force first.
        pub synonyms: Vec<Synonym>,
        /// Type of its value (version 3 on): 1 boolean, 2 string, 3 to 6 numbers, 7 list.
        pub kind: i8,
        /// What it is for, or null (version 3 on).
        pub documentation: Option<String>,
    }

    /// A resource of an answer.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Resource {
        /// Why its settings cannot be told, or success.
        pub error: ErrorCode,
        /// The same for people, or null.
        pub text: Option<String>,
        /// [`super::TOPIC`], [`super::BROKER`], or another kind.
        pub kind: i8,
        /// Its name.
        pub name: Vec<u8>,
        /// Its settings.
        pub settings: Vec<Setting>,
    }

    /// An answer.
    #[derive(Clone, Default, PartialEq, Eq, Debug)]
    pub struct Answer {
        /// Milliseconds to wait.
        pub throttle_ms: i32,
        /// The resources.
        pub resources: Vec<Resource>,
    }

    impl Answer {
        /// Writes the body in `version`.
        pub fn write(&self, version: i16, out: &mut Vec<u8>) {
            let flexible = is_flexible(version);
            out.int32(self.throttle_ms);
            out.length_prefix(self.resources.len() as u32, flexible);
            for resource in &self.resources {
                out.int16(resource.error.0);
                out.nullable_string(resource.text.as_deref().map(str::as_bytes), flexible);
                out.int8(resource.kind);
                out.string(&resource.name, flexible);
                out.length_prefix(resource.settings.len() as u32, flexible);
                for setting in &resource.settings {
                    write_setting(setting, version, out);
                }
                out.no_tags(flexible);
            }
            out.no_tags(flexible);
        }
    }

    fn write_setting(setting: &Setting, version: i16, out: &mut Vec<u8>) {
        let flexible = is_flexible(version);
        out.string(setting.name.as_bytes(), flexible);
        out.nullable_string(setting.value.as_deref().map(str::as_bytes), flexible);
        out.boolean(setting.read_only);
        out.int8(setting.source);
        out.boolean(setting.sensitive);
        out.length_prefix(setting.synonyms.len() as u32, flexible);
        for synonym in &setting.synonyms {
            out.string(synonym.name.as_bytes(), flexible);
            out.nullable_string(synonym.value.as_deref().map(str::as_bytes), flexible);
            out.int8(synonym.source);
            out.no_tags(flexible);
        }
        if version >= 3 {
            out.int8(setting.kind);
            out.nullable_string(setting.documentation.as_deref().map(str::as_bytes), flexible);
        }
        out.no_tags(flexible);
    }
}
