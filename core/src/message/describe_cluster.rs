//! DescribeCluster (key 60): brokers, the controller and the id of the cluster. KIP-700, KIP-919
//! (controllers), KIP-1073 (fenced brokers). Every version is flexible.

use super::{ErrorCode, Step, metadata::pass_string, need};
use crate::error::Fault;
use crate::wire::input::Input;
use crate::wire::parse;
use crate::wire::write::Put;

/// Asks for brokers, in [`request`] and in the broker's direction.
pub const BROKERS: i8 = 1;

/// Writes the body of a request for the brokers that are not fenced.
pub fn request(out: &mut impl Put, version: i16) {
    out.boolean(false);
    if version >= 1 {
        out.int8(BROKERS);
    }
    if version >= 2 {
        out.boolean(false);
    }
    out.no_tags(true);
}

/// What an answer holds, in order of appearance.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Item<'a> {
    /// Wait this many milliseconds before the next request.
    Throttle(i32),
    /// The error of the whole answer, or success.
    Error(ErrorCode),
    /// The next bytes of the broker's text about the error.
    Text(&'a [u8]),
    /// The cluster.
    Cluster {
        /// Its id.
        id: &'a [u8],
        /// A broker that takes requests for the controller, or -1.
        controller: i32,
    },
    /// A broker and where it is reached.
    Broker {
        /// Its id.
        id: i32,
        /// Its host name or address.
        host: &'a [u8],
        /// Its port.
        port: i32,
    },
}

#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
enum Stage {
    #[default]
    Throttle,
    Error,
    TextLength,
    Text,
    Kind,
    Cluster,
    BrokerCount,
    Broker,
    Rack,
    Fenced,
    BrokerTags,
    Operations,
    Tags,
}

/// Decodes an answer as a stream.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Answer {
    stage: Stage,
    brokers: u32,
    text: u32,
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
        loop {
            match self.stage {
                Stage::Throttle => {
                    let throttle = need!(input.atom(parse::int32)?);
                    self.stage = Stage::Error;
                    if throttle > 0 {
                        return Ok(Step::Item(Item::Throttle(throttle)));
                    }
                }
                Stage::Error => {
                    let code = need!(input.atom(parse::int16)?);
                    self.stage = Stage::TextLength;
                    return Ok(Step::Item(Item::Error(ErrorCode(code))));
                }
                Stage::TextLength => {
                    let length = need!(input.atom(|bytes| parse::string_length(bytes, true))?);
                    self.text = input.check_count(length.unwrap_or(0), 1)?;
                    self.stage = Stage::Text;
                }
                Stage::Text if self.text == 0 => self.stage = Stage::Kind,
                Stage::Text => {
                    let chunk = need!(input.text(&mut self.text));
                    return Ok(Step::Item(Item::Text(chunk)));
                }
                Stage::Kind => {
                    if version >= 1 {
                        need!(input.atom(parse::int8)?);
                    }
                    self.stage = Stage::Cluster;
                }
                Stage::Cluster => {
                    let cluster = |bytes| {
                        let (rest, id) = parse::string(bytes, true)?;
                        let (rest, controller) = parse::int32(rest)?;
                        Ok((rest, Item::Cluster { id, controller }))
                    };
                    return match input.atom(cluster)? {
                        Some(item) => {
                            self.stage = Stage::BrokerCount;
                            Ok(Step::Item(item))
                        }
                        None => Ok(Step::More),
                    };
                }
                Stage::BrokerCount => {
                    self.brokers = need!(input.array(11, true)?);
                    self.stage = Stage::Broker;
                }
                Stage::Broker if self.brokers == 0 => self.stage = Stage::Operations,
                Stage::Broker => {
                    let broker = |bytes| {
                        let (rest, id) = parse::int32(bytes)?;
                        let (rest, host) = parse::string(rest, true)?;
                        let (rest, port) = parse::int32(rest)?;
                        Ok((rest, Item::Broker { id, host, port }))
                    };
                    return match input.atom(broker)? {
                        Some(item) => {
                            self.brokers = self.brokers.saturating_sub(1);
                            self.stage = Stage::Rack;
                            Ok(Step::Item(item))
                        }
                        None => Ok(Step::More),
                    };
                }
                Stage::Rack => {
                    need!(pass_string(input, true)?);
                    self.stage = Stage::Fenced;
                }
                Stage::Fenced => {
                    if version >= 2 {
                        need!(input.atom(parse::boolean)?);
                    }
                    self.stage = Stage::BrokerTags;
                }
                Stage::BrokerTags => {
                    if !input.no_tags(true)? {
                        return Ok(Step::More);
                    }
                    self.stage = Stage::Broker;
                }
                Stage::Operations => {
                    need!(input.atom(parse::int32)?);
                    self.stage = Stage::Tags;
                }
                Stage::Tags => {
                    return Ok(if input.no_tags(true)? { Step::End } else { Step::More });
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

    use super::super::broker::{tags, whole};
    use super::{BROKERS, ErrorCode};
    use crate::error::Fault;
    use crate::wire::parse::{self, Parsed};
    use crate::wire::write::Put;

    /// A request.
    #[derive(Copy, Clone, PartialEq, Eq, Debug)]
    pub struct Request {
        /// What the client may do with the cluster is to be told.
        pub authorized_operations: bool,
        /// [`BROKERS`], or 2 for controllers (version 1 on).
        pub endpoint_type: i8,
        /// Fenced brokers are to be told, too (version 2 on).
        pub fenced: bool,
    }

    impl Request {
        /// Reads the body of a request.
        ///
        /// # Errors
        /// What is wrong with it.
        pub fn read(body: &[u8], version: i16) -> Result<Self, Fault> {
            whole(Self::parse(body, version))
        }

        fn parse(body: &[u8], version: i16) -> Parsed<'_, Self> {
            let (mut rest, authorized_operations) = parse::boolean(body)?;
            let (mut endpoint_type, mut fenced) = (BROKERS, false);
            if version >= 1 {
                (rest, endpoint_type) = parse::int8(rest)?;
            }
            if version >= 2 {
                (rest, fenced) = parse::boolean(rest)?;
            }
            let (rest, ()) = tags(rest, true)?;
            Ok((rest, Self { authorized_operations, endpoint_type, fenced }))
        }
    }

    /// A broker of an answer.
    #[derive(Clone, Default, PartialEq, Eq, Debug)]
    pub struct Broker<'a> {
        /// Id.
        pub id: i32,
        /// Host on which the asking client reaches it.
        pub host: &'a str,
        /// Port.
        pub port: i32,
        /// Rack, or null.
        pub rack: Option<&'a str>,
        /// Whether it is fenced (version 2 on).
        pub fenced: bool,
    }

    /// An answer.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Answer<'a> {
        /// Milliseconds to wait.
        pub throttle_ms: i32,
        /// Error of the request, or success.
        pub error: ErrorCode,
        /// The same for people, or null.
        pub text: Option<String>,
        /// What was asked for (version 1 on).
        pub endpoint_type: i8,
        /// Id of the cluster.
        pub cluster_id: &'a str,
        /// A broker that takes requests for the controller, or -1.
        pub controller: i32,
        /// All live brokers.
        pub brokers: Vec<Broker<'a>>,
        /// What the client may do, as bits; [`i32::MIN`] if it did not ask.
        pub authorized_operations: i32,
    }

    impl Answer<'_> {
        /// Writes the body in `version`.
        pub fn write(&self, version: i16, out: &mut Vec<u8>) {
            out.int32(self.throttle_ms);
            out.int16(self.error.0);
            out.nullable_string(self.text.as_deref().map(str::as_bytes), true);
            if version >= 1 {
                out.int8(self.endpoint_type);
            }
            out.string(self.cluster_id.as_bytes(), true);
            out.int32(self.controller);
            out.length_prefix(self.brokers.len() as u32, true);
            for broker in &self.brokers {
                out.int32(broker.id);
                out.string(broker.host.as_bytes(), true);
                out.int32(broker.port);
                out.nullable_string(broker.rack.map(str::as_bytes), true);
                if version >= 2 {
                    out.boolean(broker.fenced);
                }
                out.no_tags(true);
            }
            out.int32(self.authorized_operations);
            out.no_tags(true);
        }
    }
}
