//! How much is sent, and how fast.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::Call;
use crate::pace::{Pace, Rate};

/// Records that are handed over between two looks at the clock.
pub(super) const PORTION: u64 = 100;

/// What to send.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// None: as many as the time takes.
    pub(super) records: Option<u64>,
    pub(super) duration: Option<Duration>,
    pub(super) rate: Option<Rate>,
    pub(super) call: Call,
    /// Some with the first signal.
    pub(super) stop: watch::Receiver<Option<u8>>,
}

impl Plan {
    /// How many records there will be, about, if that can be told.
    pub(super) fn estimate(&self) -> Option<u64> {
        let rated = self.rate.zip(self.duration);
        // Saturates.
        let rated = rated.map(|(rate, span)| (rate.per_second() * span.as_secs_f64()) as u64);
        self.records.into_iter().chain(rated).min()
    }
}

/// Says how many records are next.
#[derive(Debug)]
pub(super) struct Turns {
    left: u64,
    end: Option<Instant>,
    pace: Option<Pace>,
    stop: watch::Receiver<Option<u8>>,
}

impl Turns {
    /// From now on.
    pub(super) fn start(plan: Plan) -> Self {
        Self {
            left: plan.records.unwrap_or(u64::MAX),
            end: plan.duration.and_then(|span| Instant::now().checked_add(span)),
            pace: plan.rate.map(Pace::new),
            stop: plan.stop,
        }
    }

    /// Waits for the next turn, of at most `most` records. None at the end.
    pub(super) async fn next(&mut self, most: u64) -> Option<u64> {
        let mut count = self.left.min(most);
        if let Some(pace) = &mut self.pace {
            count = count.min(pace.portion() as u64);
            tokio::select! {
                biased;
                _ = self.stop.wait_for(Option::is_some) => return None,
                () = pace.wait() => pace.sent(usize::try_from(count).unwrap_or(usize::MAX)),
            }
        }
        let over = self.end.is_some_and(|end| Instant::now() >= end);
        if count == 0 || over || self.stop.borrow().is_some() {
            return None;
        }
        self.left -= count;
        Some(count)
    }
}
