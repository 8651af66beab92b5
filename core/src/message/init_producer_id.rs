//! InitProducerId (key 22): a producer id and its first epoch. KIP-98, KIP-360.

use super::{Api, ErrorCode, Step, need};
use crate::error::Fault;
use crate::wire::input::Input;
use crate::wire::parse;
use crate::wire::write::Put;

/// Writes the body of a request for a new id of an idempotent producer.
pub fn request(out: &mut impl Put, version: i16) {
    let flexible = Api::InitProducerId.is_flexible(version);
    out.nullable_string(None, flexible);
    out.int32(i32::MAX);
    if version >= 3 {
        out.int64(-1);
        out.int16(-1);
    }
    out.no_tags(flexible);
}

/// An answer: the only item there is.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Item {
    /// Milliseconds to wait before the next request on the link.
    pub throttle_ms: i32,
    /// Error, or success.
    pub error: ErrorCode,
    /// The new id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
}

/// Decodes an answer as a stream.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Answer {
    given: bool,
}

impl Answer {
    /// The next item of an answer in `version`.
    ///
    /// # Errors
    /// What the broker did wrong.
    pub fn next(&mut self, version: i16, input: &mut Input<'_>) -> Result<Step<Item>, Fault> {
        if !self.given {
            let all = |bytes| {
                let (rest, throttle_ms) = parse::int32(bytes)?;
                let (rest, error) = parse::int16(rest)?;
                let (rest, producer_id) = parse::int64(rest)?;
                let (rest, producer_epoch) = parse::int16(rest)?;
                // Before version 1 the broker has waited itself.
                let throttle_ms = if version >= 1 { throttle_ms } else { 0 };
                Ok((
                    rest,
                    Item { throttle_ms, error: ErrorCode(error), producer_id, producer_epoch },
                ))
            };
            let item = need!(input.atom(all)?);
            self.given = true;
            return Ok(Step::Item(item));
        }
        let over = input.no_tags(Api::InitProducerId.is_flexible(version))?;
        Ok(if over { Step::End } else { Step::More })
    }
}

/// The broker's direction.
#[cfg(any(test, feature = "broker"))]
pub mod broker {
    use alloc::vec::Vec;

    use super::super::broker::{tags, whole};
    use super::{Api, Item};
    use crate::error::Fault;
    use crate::wire::parse::{self, Parsed};
    use crate::wire::write::Put;

    /// A request.
    #[derive(Copy, Clone, PartialEq, Eq, Debug)]
    pub struct Request<'a> {
        /// Transactional id, null for idempotent producers.
        pub transactional_id: Option<&'a [u8]>,
        /// Milliseconds after which the broker may abort an idle transaction.
        pub timeout_ms: i32,
        /// The id that the producer has, or -1 (version 3 on).
        pub producer_id: i64,
        /// Its epoch, or -1 (version 3 on).
        pub producer_epoch: i16,
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
            let flexible = Api::InitProducerId.is_flexible(version);
            let (rest, transactional_id) = parse::nullable_string(body, flexible)?;
            let (mut rest, timeout_ms) = parse::int32(rest)?;
            let (mut producer_id, mut producer_epoch) = (-1, -1);
            if version >= 3 {
                (rest, producer_id) = parse::int64(rest)?;
                (rest, producer_epoch) = parse::int16(rest)?;
            }
            let (rest, ()) = tags(rest, flexible)?;
            Ok((rest, Self { transactional_id, timeout_ms, producer_id, producer_epoch }))
        }
    }

    /// Writes the body of an answer.
    pub fn write(answer: &Item, version: i16, out: &mut Vec<u8>) {
        out.int32(answer.throttle_ms);
        out.int16(answer.error.0);
        out.int64(answer.producer_id);
        out.int16(answer.producer_epoch);
        out.no_tags(Api::InitProducerId.is_flexible(version));
    }
}
