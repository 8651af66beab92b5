//! IncrementalAlterConfigs (key 44): changes single settings of topics, brokers and more. KIP-339.

pub use super::describe_configs::Item;

use super::describe_configs::{self, Layout};
use super::{AdminApi, NEVER, Step};
use crate::error::Fault;
use crate::wire::input::Input;
use crate::wire::write::Put;

const fn is_flexible(version: i16) -> bool {
    AdminApi::IncrementalAlterConfigs.is_flexible(version)
}

/// What is done to a setting, by its number on the wire.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Operation {
    /// It gets the value.
    Set = 0,
    /// It gets its default back.
    Delete = 1,
    /// A setting that is a list gets elements that it does not have yet.
    Append = 2,
    /// A setting that is a list loses elements.
    Subtract = 3,
}

impl Operation {
    /// The operation with this number.
    #[must_use]
    pub const fn of_number(number: i8) -> Option<Self> {
        Some(match number {
            0 => Self::Set,
            1 => Self::Delete,
            2 => Self::Append,
            3 => Self::Subtract,
            _ => return None,
        })
    }
}

/// Writes the start of a request for `count` resources.
pub fn request_start(out: &mut impl Put, version: i16, count: u32) {
    out.length_prefix(count, is_flexible(version));
}

/// Writes the start of one resource of a request, of which `count` settings change. Its kind is
/// that of DescribeConfigs: [`TOPIC`](describe_configs::TOPIC) or
/// [`BROKER`](describe_configs::BROKER).
pub fn request_resource(out: &mut impl Put, version: i16, kind: i8, name: &[u8], count: u32) {
    let flexible = is_flexible(version);
    out.int8(kind);
    out.string(name, flexible);
    out.length_prefix(count, flexible);
}

/// Writes the change of one setting of the last resource. Only [`Operation::Delete`] needs no
/// value.
pub fn request_setting(
    out: &mut impl Put,
    version: i16,
    name: &[u8],
    operation: Operation,
    value: Option<&[u8]>,
) {
    let flexible = is_flexible(version);
    out.string(name, flexible);
    out.int8(operation as i8);
    out.nullable_string(value, flexible);
    out.no_tags(flexible);
}

/// Writes the end of a resource.
pub fn request_resource_end(out: &mut impl Put, version: i16) {
    out.no_tags(is_flexible(version));
}

/// Writes the end of a request: whether the broker only checks.
pub fn request_end(out: &mut impl Put, version: i16, validate_only: bool) {
    out.boolean(validate_only);
    out.no_tags(is_flexible(version));
}

/// Decodes an answer as a stream. It is that of DescribeConfigs without settings: of [`Item`]
/// there are throttling, errors, their texts, and resources.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Answer(describe_configs::Answer);

const LAYOUT: Layout = Layout { throttles: 0, settings: NEVER, documentation: NEVER, least: 6 };

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
        self.0.next_of(LAYOUT, version, is_flexible(version), input)
    }
}

/// The broker's direction.
#[cfg(any(test, feature = "broker"))]
pub mod broker {
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::super::broker::{list, tags, whole};
    use super::is_flexible;
    use crate::error::Fault;
    use crate::message::ErrorCode;
    use crate::wire::parse::{self, Parsed};
    use crate::wire::write::Put;

    /// The change of a setting.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct RequestSetting<'a> {
        /// Its name.
        pub name: &'a [u8],
        /// Number of an [`Operation`](super::Operation), or of none.
        pub operation: i8,
        /// The value, or null.
        pub value: Option<&'a [u8]>,
    }

    /// A resource of a request.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct RequestResource<'a> {
        /// A topic, a broker, or another kind.
        pub kind: i8,
        /// Its name.
        pub name: &'a [u8],
        /// What changes.
        pub settings: Vec<RequestSetting<'a>>,
    }

    /// A request.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Request<'a> {
        /// The resources.
        pub resources: Vec<RequestResource<'a>>,
        /// Check only.
        pub validate_only: bool,
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
            let setting = |bytes| {
                let (rest, name) = parse::string(bytes, flexible)?;
                let (rest, operation) = parse::int8(rest)?;
                let (rest, value) = parse::nullable_string(rest, flexible)?;
                let (rest, ()) = tags(rest, flexible)?;
                Ok((rest, RequestSetting { name, operation, value }))
            };
            let resource = |bytes| {
                let (rest, kind) = parse::int8(bytes)?;
                let (rest, name) = parse::string(rest, flexible)?;
                let (rest, settings) = list(rest, flexible, setting)?;
                let (rest, ()) = tags(rest, flexible)?;
                Ok((rest, RequestResource { kind, name, settings }))
            };
            let (rest, resources) = list(body, flexible, resource)?;
            let (rest, validate_only) = parse::boolean(rest)?;
            let (rest, ()) = tags(rest, flexible)?;
            Ok((rest, Self { resources, validate_only }))
        }
    }

    /// A resource of an answer.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Resource {
        /// Why its settings were not changed, or success.
        pub error: ErrorCode,
        /// The same for people, or null.
        pub text: Option<String>,
        /// A topic, a broker, or another kind.
        pub kind: i8,
        /// Its name.
        pub name: Vec<u8>,
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
                out.no_tags(flexible);
            }
            out.no_tags(flexible);
        }
    }
}
