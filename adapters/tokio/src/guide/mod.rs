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
