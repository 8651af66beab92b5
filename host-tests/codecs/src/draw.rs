//! Drawing values: reproducible runs, and strategies that several APIs share.

use ottla::message::{AnyApi, ErrorCode};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed, TestRunner};

/// Runs `check` on `cases` values, which are the same in every run.
///
/// # Panics
/// If `check` does; the smallest value that was found is named.
pub fn cases<S: Strategy>(
    api: AnyApi,
    version: i16,
    cases: u32,
    strategy: &S,
    check: impl Fn(S::Value),
) {
    let seed = 0x6f74_746c_0000_0000 + ((api.key() as u64) << 8) + version as u64;
    println!("{api:?} version {version}: {cases} cases of seed {seed:#x}");
    let rng_seed = RngSeed::Fixed(seed);
    let config = Config { cases, rng_seed, failure_persistence: None, ..Config::default() };
    let checked = TestRunner::new(config).run(strategy, |value| {
        check(value);
        Ok(())
    });
    if let Err(error) = checked {
        panic!("{api:?} version {version}, seed {seed:#x}: {error}");
    }
}

const fn repeated<const N: usize>(bytes: &'static [u8; N]) -> &'static str {
    match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("not UTF-8"),
    }
}

const TOPIC_NAMES: &[&str] =
    &["t", "readings", "a.b_c-d", "plant-7.line-3.temperature", repeated(&[b'n'; 249])];

/// Topic names: the shortest, usual ones, and the longest that Kafka allows.
pub fn topic_name() -> impl Strategy<Value = &'static str> {
    select(TOPIC_NAMES)
}

const HOSTS: &[&str] = &["h", "10.0.0.1", "broker-1.kafka.example.org", repeated(&[b'h'; 255])];

/// Host names: the shortest, usual ones, and the longest that DNS allows.
pub fn host() -> impl Strategy<Value = &'static str> {
    select(HOSTS)
}

const TEXTS: &[&str] =
    &["", "no", "größer als erlaubt", repeated(&[b'x'; 130]), repeated(&[b'y'; 400])];

/// Texts for people: none, short and long ones, also beyond the carry-over of a link.
pub fn text() -> impl Strategy<Value = &'static str> {
    select(TEXTS)
}

const RECORDS: &[&[u8]] = &[b"", b"\0", b"some records", &[0x5a; 127], &[0xa5; 300]];

/// Batches as a broker sees them: bytes.
pub fn records() -> impl Strategy<Value = &'static [u8]> {
    select(RECORDS)
}

/// Error codes, also those that Kafka does not have yet.
pub fn error() -> impl Strategy<Value = ErrorCode> {
    prop_oneof![Just(0), -1..140_i16, any::<i16>()].prop_map(ErrorCode)
}

/// Ids of topics.
pub fn uuid() -> impl Strategy<Value = [u8; 16]> {
    any::<[u8; 16]>()
}
