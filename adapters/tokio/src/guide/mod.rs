//! How to use a producer well: one page each, in full sentences, with examples that are run.
//!
//! | page | read it for |
//! |---|---|
//! | [`ordering`] | which records stay in order, what keeps it under retries, what breaks it |
//! | [`durability`] | what a written record has behind it; what to do with each outcome; the end of a process |
//! | [`tuning`] | records per second, latency, memory, many partitions, brokers that are far away |
//! | [`known_client_bugs`] | bugs that Kafka clients had, and how this one answers them, with the test that holds it |
//! | [`from_other_clients`] | Java, librdkafka and rdkafka, franz-go: call by call and key by key |
//!
//! These pages are documentation only: nothing of them is compiled into a program.

#[doc = include_str!("durability.md")]
pub mod durability {}
#[doc = include_str!("from_other_clients.md")]
pub mod from_other_clients {}
#[doc = include_str!("known_client_bugs.md")]
pub mod known_client_bugs {}
#[doc = include_str!("ordering.md")]
pub mod ordering {}
#[doc = include_str!("tuning.md")]
pub mod tuning {}

/// The tests that these pages name are there.
///
/// ```
/// use std::{collections::BTreeSet, fs, path::Path};
///
/// fn read(under: &Path, end: &str, text: &mut String) {
///     for entry in fs::read_dir(under).unwrap().map(|entry| entry.unwrap().path()) {
///         if entry.is_dir() {
///             read(&entry, end, text);
///         } else if entry.to_str().unwrap().ends_with(end) {
///             text.push_str(&fs::read_to_string(&entry).unwrap());
///         }
///     }
/// }
///
/// let root = Path::new(env!("CARGO_MANIFEST_DIR"));
/// let (mut pages, mut tests) = (String::new(), String::new());
/// read(&root.join("src/guide"), ".md", &mut pages);
/// for place in ["tests", "../../core/src", "../../host-tests/kafka/tests"] {
///     read(&root.join(place), ".rs", &mut tests);
/// }
/// let is_name = |word: &&str| {
///     word.matches('_').count() > 3 && word.bytes().all(|b| b"abcdefghijklmnopqrstuvwxyz0123456789_".contains(&b))
/// };
/// let named: BTreeSet<_> = pages.split('`').filter(is_name).collect();
/// assert!(named.len() > 30, "{}", named.len());
/// let missing = |name: &&&str| !tests.contains(&format!("fn {name}("));
/// let missing: Vec<_> = named.iter().filter(missing).collect();
/// assert!(missing.is_empty(), "{missing:?}");
/// ```
#[cfg(doctest)]
struct Tests;
