//! Tests of the codecs: `ottla::wire` and `ottla::message`.
//!
//! Three traits say of an API what the tests need to know: [`Codec`], [`Answers`] and
//! [`Requests`]. Each API implements them in one file; [`mod@suite`] holds the checks that all APIs
//! share, and [`suite!`](crate::suite!) makes tests of them. What is special about an API is in
//! its file under `tests/`.
//!
//! Three opinions stand against the codecs: [`theirs`], a second implementation of the protocol;
//! [`definition`], Kafka's own message definitions, read by a walker that knows no message; and
//! frames whose bytes were verified by hand (in `tests/`).

pub mod answers;
pub mod api_versions;
pub mod create_partitions;
pub mod create_topics;
pub mod definition;
pub mod delete_topics;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_topic_partitions;
pub mod draw;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod metadata;
pub mod produce;
pub mod requests;
pub mod suite;
pub mod theirs;

pub use answers::{Answers, Outcome, read_answers};
pub use requests::Requests;

use std::ops::RangeInclusive;

use ottla::message::AnyApi;
use ottla::wire::write::Put;

/// An API and its versions. The client's direction may have fewer: [`Requests::OWN_VERSIONS`].
pub trait Codec {
    /// The API.
    const API: AnyApi;
    /// The versions that the broker's direction and the stream decoder know.
    const VERSIONS: RangeInclusive<i16>;
}

/// The correlation id of the frames made here.
pub const CORRELATION: i32 = 0x0102_0304;

/// The bytes of a vector; white space is for people.
///
/// # Panics
/// If the text is not hexadecimal.
pub fn hex(text: &str) -> Vec<u8> {
    let digit = |c: char| c.to_digit(16).expect("a hexadecimal digit") as u8;
    let digits: Vec<u8> = text.chars().filter(|c| !c.is_whitespace()).map(digit).collect();
    assert!(digits.len().is_multiple_of(2), "half a byte in {text}");
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// A frame: its size, then `content`.
pub fn frame(content: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(content.len() + 4);
    frame.int32(content.len() as i32);
    frame.raw(content);
    frame
}
