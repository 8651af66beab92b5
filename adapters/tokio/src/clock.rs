//! Time for the core: microseconds since the producer's start, and the time of day.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// A monotonic clock, and when the time of day was last read.
#[derive(Debug)]
pub(crate) struct Clock {
    started: Instant,
    /// In microseconds after the start.
    wall_read: AtomicU64,
}

/// The span of the core's clock that corresponds to `span`.
pub(crate) fn span(span: Duration) -> ottla::Duration {
    let micros = span.as_secs().saturating_mul(1_000_000);
    ottla::Duration::from_micros(micros.saturating_add(u64::from(span.subsec_micros())))
}

/// The other way round.
pub(crate) fn std_span(span: ottla::Duration) -> Duration {
    Duration::from_micros(span.as_micros())
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), wall_read: AtomicU64::new(0) }
    }

    /// Reads the clock.
    pub(crate) fn now(&self) -> ottla::Instant {
        ottla::Instant::ZERO.after(span(self.started.elapsed()))
    }

    /// The runtime's instant for one of the core; none if it never comes.
    pub(crate) fn instant(&self, at: ottla::Instant) -> Option<Instant> {
        self.started.checked_add(Duration::from_micros(at.as_micros()))
    }

    /// Milliseconds since 1970.
    pub(crate) fn unix_millis() -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Milliseconds since 1970, if that was not looked at for longer than `age`. Between two
    /// looks, the time of day is the last one moved on by the monotonic clock; so nobody reads
    /// two clocks for a record, but after a pause.
    pub(crate) fn refreshed(&self, now: ottla::Instant, age: Duration) -> Option<u64> {
        let read = ottla::Instant::from_micros(self.wall_read.load(Ordering::Relaxed));
        if now.since(read) <= span(age) {
            return None;
        }
        self.wall_read.store(now.as_micros(), Ordering::Relaxed);
        Some(Self::unix_millis())
    }
}
