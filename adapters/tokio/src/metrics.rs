//! Figures of a producer, by the names of Java's producer metrics where they mean the same.
//!
//! Nothing is counted per record but by the core, under the lock that it is called under anyway
//! (R20).

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ottla::producer::Counters;

/// What the adapter counts itself: per connection, per read and write, per flush and refusal.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    pub(crate) connected: Meter,
    pub(crate) disconnected: Meter,
    pub(crate) failed: Meter,
    pub(crate) written: Meter,
    pub(crate) read: Meter,
    pub(crate) flush_nanos: Meter,
    pub(crate) wait_nanos: Meter,
    pub(crate) refused: Meter,
    pub(crate) exhausted: Meter,
}

/// A count that only goes up.
#[derive(Debug, Default)]
pub(crate) struct Meter(AtomicU64);

impl Meter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn add_nanos(&self, time: Duration) {
        self.add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Figures of a producer at one moment: [`Producer::metrics`](crate::Producer::metrics).
///
/// `Display` prints them, one a line, aligned.
#[derive(Clone, PartialEq, Debug)]
pub struct Metrics {
    client_id: String,
    reading: Reading,
}

/// A figure with its name.
#[derive(Copy, Clone, PartialEq, Debug)]
pub struct Metric {
    definition: &'static Definition,
    value: f64,
}

/// What kind of figure a metric is.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum MetricKind {
    /// A count since the producer's start, which only goes up.
    Counter,
    /// A value that goes up and down.
    Gauge,
}

/// What a metric is counted in.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum MetricUnit {
    /// Things.
    Count,
    /// Bytes.
    Bytes,
    /// Nanoseconds.
    Nanoseconds,
    /// Seconds.
    Seconds,
}

#[derive(Copy, Clone, PartialEq, Default, Debug)]
struct Reading {
    connected: u64,
    disconnected: u64,
    failed: u64,
    written: u64,
    read: u64,
    flush_nanos: u64,
    wait_nanos: u64,
    refused: u64,
    exhausted: u64,
    // Gauges.
    connections: u64,
    buffer: u64,
    of_core: OfCore,
}

/// What the core has to tell, and those who wait for it.
#[derive(Copy, Clone, PartialEq, Default, Debug)]
pub(crate) struct OfCore {
    pub(crate) counters: Counters,
    pub(crate) allocated: u64,
    pub(crate) available: u64,
    pub(crate) in_flight: u32,
    pub(crate) metadata_age: Option<ottla::Duration>,
    pub(crate) waiting: usize,
    pub(crate) in_line: usize,
}

impl Reading {
    /// Records that were accepted, and are not known to be written.
    const fn lost(&self) -> u64 {
        let Counters { not_written, unknown, .. } = self.of_core.counters;
        not_written.wrapping_add(unknown)
    }
}

#[derive(Debug)]
struct Definition {
    name: &'static str,
    is_java: bool,
    kind: MetricKind,
    unit: MetricUnit,
    meaning: &'static str,
    value: fn(&Reading) -> f64,
}

// Each stands once.
impl PartialEq for Definition {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

const fn counter(
    name: &'static str,
    is_java: bool,
    unit: MetricUnit,
    meaning: &'static str,
    value: fn(&Reading) -> f64,
) -> Definition {
    Definition { name, is_java, kind: MetricKind::Counter, unit, meaning, value }
}

const fn gauge(
    name: &'static str,
    is_java: bool,
    unit: MetricUnit,
    meaning: &'static str,
    value: fn(&Reading) -> f64,
) -> Definition {
    Definition { kind: MetricKind::Gauge, ..counter(name, is_java, unit, meaning, value) }
}

// Beyond 2^53 a count loses its last digits.
#[expect(clippy::cast_precision_loss, reason = "Java's metrics are doubles, too")]
const fn real(count: u64) -> f64 {
    count as f64
}

const JAVA: bool = true;
const OWN: bool = false;

use MetricUnit::{Bytes, Count, Nanoseconds, Seconds};

/// In order of their names. Java's are those whose meaning is Java's, too.
const DEFINITIONS: &[Definition] = &[
    counter("batch-bytes-total", OWN, Bytes, "bytes of batches put into requests", |r| {
        real(r.of_core.counters.batch_bytes)
    }),
    counter("batch-retry-total", OWN, Count, "attempts of batches that had to be repeated", |r| {
        real(r.of_core.counters.retries)
    }),
    gauge("batch-size-avg", JAVA, Bytes, "bytes per batch in a request, on average", |r| {
        real(r.of_core.counters.batch_bytes) / real(r.of_core.counters.batches)
    }),
    counter("batch-total", OWN, Count, "batches put into requests, repeated ones included", |r| {
        real(r.of_core.counters.batches)
    }),
    gauge(
        "buffer-allocated-bytes",
        OWN,
        Bytes,
        "bytes of buffer.memory that are allocated; kept for reuse until there is nothing to do",
        |r| real(r.of_core.allocated),
    ),
    gauge("buffer-available-bytes", JAVA, Bytes, "bytes of buffer.memory that no batch has", |r| {
        real(r.of_core.available)
    }),
    counter(
        "buffer-exhausted-total",
        JAVA,
        Count,
        "records refused because buffer.memory was full, at once or after max.block.ms",
        |r| real(r.exhausted),
    ),
    gauge("buffer-total-bytes", JAVA, Bytes, "buffer.memory", |r| real(r.buffer)),
    counter("connection-close-total", JAVA, Count, "connections closed", |r| real(r.disconnected)),
    gauge("connection-count", JAVA, Count, "connections that are open", |r| real(r.connections)),
    counter("connection-creation-total", JAVA, Count, "connections made", |r| real(r.connected)),
    counter(
        "connection-failure-total",
        OWN,
        Count,
        "connections that could not be made, or were lost",
        |r| real(r.failed),
    ),
    counter(
        "epoch-bump-total",
        OWN,
        Count,
        "times that the epoch was raised or the id given up",
        |r| real(r.of_core.counters.bumps),
    ),
    counter("flush-time-ns-total", JAVA, Nanoseconds, "time spent in flush", |r| {
        real(r.flush_nanos)
    }),
    counter("incoming-byte-total", JAVA, Bytes, "bytes read from connections", |r| real(r.read)),
    gauge("metadata-age", JAVA, Seconds, "since metadata was answered in full; NaN before", |r| {
        r.of_core.metadata_age.map_or(f64::NAN, |age| real(age.as_micros()) / 1e6)
    }),
    counter("outgoing-byte-total", JAVA, Bytes, "bytes written to connections", |r| {
        real(r.written)
    }),
    counter("outgoing-resend-byte-total", OWN, Bytes, "of them, batches sent again", |r| {
        real(r.of_core.counters.sent.resend)
    }),
    counter("produce-request-total", OWN, Count, "Produce requests sent", |r| {
        real(r.of_core.counters.requests)
    }),
    counter(
        "record-error-total",
        JAVA,
        Count,
        "records that were not accepted, not written, or of unknown fate",
        |r| real(r.lost().wrapping_add(r.refused)),
    ),
    counter(
        "record-failed-total",
        OWN,
        Count,
        "accepted, and not written or of unknown fate",
        |r| real(r.lost()),
    ),
    counter("record-not-written-total", OWN, Count, "records not written", |r| {
        real(r.of_core.counters.not_written)
    }),
    counter("record-refused-total", OWN, Count, "records that were not accepted", |r| {
        real(r.refused)
    }),
    counter("record-unknown-total", OWN, Count, "records that may or may not be written", |r| {
        real(r.of_core.counters.unknown)
    }),
    counter(
        "record-written-total",
        OWN,
        Count,
        "records written (with acks=0: handed to a connection)",
        |r| real(r.of_core.counters.written),
    ),
    gauge("requests-in-flight", JAVA, Count, "requests of all kinds that are not answered", |r| {
        real(r.of_core.in_flight.into())
    }),
    counter(
        "send-wait-time-ns-total",
        OWN,
        Nanoseconds,
        "time that sends have waited: for memory, a topic, or a partition; told when a wait ends",
        |r| real(r.wait_nanos),
    ),
    gauge(
        "sends-waiting",
        OWN,
        Count,
        "sends that wait: for memory, a topic to be known, or a partition to be there",
        |r| real(r.of_core.waiting as u64),
    ),
    gauge("waiting-threads", JAVA, Count, "sends that wait for memory", |r| {
        real(r.of_core.in_line as u64)
    }),
];

impl Metrics {
    pub(crate) fn read(client_id: &str, meters: &Meters, buffer: u64, of_core: OfCore) -> Self {
        // What was closed is read first: it is no more than what was made.
        let disconnected = meters.disconnected.read();
        let connected = meters.connected.read();
        let reading = Reading {
            connected,
            disconnected,
            failed: meters.failed.read(),
            written: meters.written.read(),
            read: meters.read.read(),
            flush_nanos: meters.flush_nanos.read(),
            wait_nanos: meters.wait_nanos.read(),
            refused: meters.refused.read(),
            exhausted: meters.exhausted.read(),
            connections: connected.saturating_sub(disconnected),
            buffer,
            of_core,
        };
        Self { client_id: client_id.to_owned(), reading }
    }

    /// `client.id` of the producer.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// All of them, in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = Metric> + '_ {
        let metric = |definition: &'static Definition| {
            let value = (definition.value)(&self.reading);
            Metric { definition, value }
        };
        DEFINITIONS.iter().map(metric)
    }

    /// The value of the metric called `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        self.iter().find(|metric| metric.name() == name).map(|metric| metric.value())
    }

    /// The figures of the time between `earlier` and this: counts are what was added, and averages
    /// are over that time.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let (now, then) = (&self.reading, &earlier.reading);
        let (n, t) = (&now.of_core.counters, &then.of_core.counters);
        let mut counters = Counters {
            written: n.written.wrapping_sub(t.written),
            not_written: n.not_written.wrapping_sub(t.not_written),
            unknown: n.unknown.wrapping_sub(t.unknown),
            dropped: n.dropped.wrapping_sub(t.dropped),
            requests: n.requests.wrapping_sub(t.requests),
            batches: n.batches.wrapping_sub(t.batches),
            batch_bytes: n.batch_bytes.wrapping_sub(t.batch_bytes),
            retries: n.retries.wrapping_sub(t.retries),
            bumps: n.bumps.wrapping_sub(t.bumps),
            connections: n.connections.wrapping_sub(t.connections),
            ..*n
        };
        counters.sent.resend = n.sent.resend.wrapping_sub(t.sent.resend);
        let reading = Reading {
            connected: now.connected.wrapping_sub(then.connected),
            disconnected: now.disconnected.wrapping_sub(then.disconnected),
            failed: now.failed.wrapping_sub(then.failed),
            written: now.written.wrapping_sub(then.written),
            read: now.read.wrapping_sub(then.read),
            flush_nanos: now.flush_nanos.wrapping_sub(then.flush_nanos),
            wait_nanos: now.wait_nanos.wrapping_sub(then.wait_nanos),
            refused: now.refused.wrapping_sub(then.refused),
            exhausted: now.exhausted.wrapping_sub(then.exhausted),
            of_core: OfCore { counters, ..now.of_core },
            ..*now
        };
        Self { client_id: self.client_id.clone(), reading }
    }

    /// Gives all of them to the recorder of the crate `metrics`, whichever is installed, with the
    /// label `client_id`: feature `metrics`. Java's names become `kafka_producer_...`, the others
    /// `ottla_producer_...`, both with underscores.
    ///
    /// To be called before figures are looked at, by what answers Prometheus, say; or use
    /// [`Producer::record_metrics`](crate::Producer::record_metrics).
    #[cfg(feature = "metrics")]
    pub fn record(&self) {
        for metric in self.iter() {
            let (name, client_id) = (metric.facade_name(), self.client_id.clone());
            match metric.kind() {
                // Every count is a whole number.
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                MetricKind::Counter => {
                    let count = metric.value() as u64;
                    metrics::counter!(name, "client_id" => client_id).absolute(count);
                }
                MetricKind::Gauge => {
                    metrics::gauge!(name, "client_id" => client_id).set(metric.value());
                }
            }
        }
    }

    /// Tells the recorder of the crate `metrics` what each figure means, and its unit: feature
    /// `metrics`. Once per process is enough.
    #[cfg(feature = "metrics")]
    pub fn describe() {
        let nothing = Reading::default();
        for definition in DEFINITIONS {
            let metric = Metric { definition, value: (definition.value)(&nothing) };
            let (name, meaning) = (metric.facade_name(), definition.meaning);
            let unit = match definition.unit {
                Count => metrics::Unit::Count,
                Bytes => metrics::Unit::Bytes,
                Nanoseconds => metrics::Unit::Nanoseconds,
                Seconds => metrics::Unit::Seconds,
            };
            match definition.kind {
                MetricKind::Counter => metrics::describe_counter!(name, unit, meaning),
                MetricKind::Gauge => metrics::describe_gauge!(name, unit, meaning),
            }
        }
    }
}

impl Metric {
    /// Its name, such as `record-error-total`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.definition.name
    }

    /// Its value. An average of nothing is no number (NaN).
    #[must_use]
    pub const fn value(&self) -> f64 {
        self.value
    }

    /// Whether Java's producer has a metric of this name, with this meaning. (Java's averages are
    /// over the last minute or so; these are since the producer's start, or between two moments,
    /// [`Metrics::since`].)
    #[must_use]
    pub const fn is_java(&self) -> bool {
        self.definition.is_java
    }

    /// What kind of figure it is.
    #[must_use]
    pub const fn kind(&self) -> MetricKind {
        self.definition.kind
    }

    /// What it is counted in.
    #[must_use]
    pub const fn unit(&self) -> MetricUnit {
        self.definition.unit
    }

    /// What it means, in a few words.
    #[must_use]
    pub const fn meaning(&self) -> &'static str {
        self.definition.meaning
    }

    #[cfg(feature = "metrics")]
    fn facade_name(&self) -> String {
        let family = if self.is_java() { "kafka" } else { "ottla" };
        format!("{family}_producer_{}", self.name().replace('-', "_"))
    }
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = DEFINITIONS.iter().map(|definition| definition.name.len()).max().unwrap_or(0);
        for (place, metric) in self.iter().enumerate() {
            let end = if place == 0 { "" } else { "\n" };
            // Averages have digits that nobody needs.
            write!(f, "{end}{:width$}  {:.0}", metric.name(), metric.value())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_once_and_in_order() {
        assert!(DEFINITIONS.is_sorted_by(|one, next| one.name < next.name));
        for Definition { name, kind, .. } in DEFINITIONS {
            assert_eq!(name.ends_with("-total"), *kind == MetricKind::Counter, "{name}");
        }
    }
}
