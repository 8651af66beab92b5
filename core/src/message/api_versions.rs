//! ApiVersions (key 18): which versions the broker of a link understands. KIP-35, KIP-511.
//!
//! A broker that does not know the requested version answers in version 0 with error 35, and
//! names the versions of this API that it has (from Kafka 2.4), or none.

use super::{ErrorCode, Step, Versions, need};
use crate::error::Fault;
use crate::wire::input::Input;
use crate::wire::parse;
use crate::wire::write::Put;

/// Name of this client in requests from version 3 on.
pub const SOFTWARE_NAME: &str = "ottla";

/// Version of this client, in the characters that brokers accept.
pub const SOFTWARE_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Writes the body of a request.
///
/// From version 5 on a client may name the cluster and broker that it means to reach
/// (KIP-1242); this one leaves both open.
pub fn request(out: &mut impl Put, version: i16) {
    if version >= 3 {
        out.string(SOFTWARE_NAME.as_bytes(), true);
        out.string(SOFTWARE_VERSION.as_bytes(), true);
    }
    if version >= 5 {
        out.nullable_string(None, true);
        out.int32(-1);
    }
    out.no_tags(version >= 3);
}

/// What an answer holds, in order of appearance.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Item {
    /// The error, always first.
    Error(ErrorCode),
    /// An API with the versions that the broker has.
    Api(i16, Versions),
    /// Wait this long before the next request (version 2 on; milliseconds).
    Throttle(i32),
}

#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
enum Stage {
    #[default]
    Error,
    Count,
    Api,
    ApiTags,
    Throttle,
    Tags,
}

/// Decodes an answer as a stream.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Answer {
    stage: Stage,
    left: u32,
    refused: bool,
}

impl Answer {
    /// Whether the broker refused the version of the request.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        self.refused
    }

    /// The next item of an answer to a request of `version`.
    ///
    /// # Errors
    /// What the broker did wrong.
    pub fn next(&mut self, version: i16, input: &mut Input<'_>) -> Result<Step<Item>, Fault> {
        // The body of a refusal is in version 0, whatever was asked.
        let version = if self.refused { 0 } else { version };
        let flexible = version >= 3;
        loop {
            match self.stage {
                Stage::Error => {
                    let code = ErrorCode(need!(input.atom(parse::int16)?));
                    self.refused = code == ErrorCode::UNSUPPORTED_VERSION;
                    self.stage = Stage::Count;
                    return Ok(Step::Item(Item::Error(code)));
                }
                Stage::Count => {
                    self.left = need!(input.array(6, flexible)?);
                    self.stage = Stage::Api;
                }
                Stage::Api if self.left == 0 => self.stage = Stage::Throttle,
                Stage::Api => {
                    let api = |bytes| {
                        let (rest, key) = parse::int16(bytes)?;
                        let (rest, min) = parse::int16(rest)?;
                        let (rest, max) = parse::int16(rest)?;
                        Ok((rest, Item::Api(key, Versions { min, max })))
                    };
                    let item = need!(input.atom(api)?);
                    self.stage = Stage::ApiTags;
                    return Ok(Step::Item(item));
                }
                Stage::ApiTags => {
                    if !input.no_tags(flexible)? {
                        return Ok(Step::More);
                    }
                    self.left = self.left.saturating_sub(1);
                    self.stage = Stage::Api;
                }
                Stage::Throttle if version == 0 => return Ok(Step::End),
                Stage::Throttle => {
                    let throttle = need!(input.atom(parse::int32)?);
                    self.stage = Stage::Tags;
                    if version >= 2 && throttle > 0 {
                        return Ok(Step::Item(Item::Throttle(throttle)));
                    }
                }
                Stage::Tags => {
                    // Features (KIP-584) are for transactions and groups.
                    return Ok(if input.no_tags(flexible)? { Step::End } else { Step::More });
                }
            }
        }
    }
}

/// The broker's direction.
#[cfg(any(test, feature = "broker"))]
pub mod broker {
    use alloc::vec::Vec;

    use super::super::broker::{tags, whole};
    use super::{ErrorCode, Versions};
    use crate::error::Fault;
    use crate::wire::parse::{self, Parsed};
    use crate::wire::write::Put;

    /// A request.
    #[derive(Clone, Default, PartialEq, Eq, Debug)]
    pub struct Request<'a> {
        /// Name of the client software (version 3 on).
        pub software_name: &'a [u8],
        /// Its version (version 3 on).
        pub software_version: &'a [u8],
        /// The cluster that the client means (version 5 on).
        pub cluster_id: Option<&'a [u8]>,
        /// The broker that the client means, or -1 (version 5 on).
        pub node_id: i32,
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
            let mut request = Self { node_id: -1, ..Self::default() };
            if version < 3 {
                return Ok((body, request));
            }
            let mut rest = body;
            (rest, request.software_name) = parse::string(rest, true)?;
            (rest, request.software_version) = parse::string(rest, true)?;
            if version >= 5 {
                (rest, request.cluster_id) = parse::nullable_string(rest, true)?;
                (rest, request.node_id) = parse::int32(rest)?;
            }
            let (rest, ()) = tags(rest, true)?;
            Ok((rest, request))
        }
    }

    /// A feature with its levels.
    #[derive(Copy, Clone, PartialEq, Eq, Debug)]
    pub struct Feature {
        /// Name.
        pub name: &'static str,
        /// Lowest and highest level.
        pub levels: Versions,
    }

    /// An answer.
    #[derive(Clone, Default, PartialEq, Eq, Debug)]
    pub struct Answer {
        /// Error of the request.
        pub error: ErrorCode,
        /// Key and versions of each API.
        pub apis: Vec<(i16, Versions)>,
        /// Milliseconds that the client has to wait (version 1 on).
        pub throttle_ms: i32,
        /// Features that the broker has (version 3 on; below 4 only those whose lowest is not 0).
        pub supported: Vec<Feature>,
        /// Epoch of the finalized features, -1 if unknown (version 3 on).
        pub finalized_epoch: i64,
        /// Features that the cluster has agreed on (version 3 on).
        pub finalized: Vec<Feature>,
    }

    fn features(list: &[Feature], max_first: bool) -> Vec<u8> {
        let mut out = Vec::new();
        out.length_prefix(list.len() as u32, true);
        for feature in list {
            out.string(feature.name.as_bytes(), true);
            let Versions { min, max } = feature.levels;
            out.int16(if max_first { max } else { min });
            out.int16(if max_first { min } else { max });
            out.no_tags(true);
        }
        out
    }

    impl Answer {
        /// Writes the body in `version`.
        pub fn write(&self, version: i16, out: &mut Vec<u8>) {
            let flexible = version >= 3;
            out.int16(self.error.0);
            out.length_prefix(self.apis.len() as u32, flexible);
            for (key, versions) in &self.apis {
                out.int16(*key);
                out.int16(versions.min);
                out.int16(versions.max);
                out.no_tags(flexible);
            }
            if version >= 1 {
                out.int32(self.throttle_ms);
            }
            if !flexible {
                return;
            }
            let supported: Vec<Feature> = self
                .supported
                .iter()
                .filter(|f| version >= 4 || f.levels.min != 0)
                .copied()
                .collect();
            let mut fields: Vec<(u32, Vec<u8>)> = Vec::new();
            if !supported.is_empty() {
                fields.push((0, features(&supported, false)));
            }
            if self.finalized_epoch >= 0 {
                fields.push((1, self.finalized_epoch.to_be_bytes().to_vec()));
            }
            if !self.finalized.is_empty() {
                fields.push((2, features(&self.finalized, true)));
            }
            out.uvarint(fields.len() as u32);
            for (tag, bytes) in fields {
                out.uvarint(tag);
                out.uvarint(bytes.len() as u32);
                out.raw(&bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::broker::Request;

    #[test]
    fn who_names_no_broker_means_any() {
        let mut body = std::vec::Vec::new();
        super::request(&mut body, 3);
        assert_eq!(Request::read(&body, 3).unwrap().node_id, -1);
    }
}
