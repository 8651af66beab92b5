//! How a measurement goes, while it goes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use tokio::task::JoinHandle;

use super::latencies::Latencies;
use super::plan::Plan;
use crate::numbers::{bytes, count, micros};
use crate::output;

/// How often the numbers are shown anew.
const TICK: Duration = Duration::from_millis(250);

/// Rates are of the last so many of these: of a second.
const WINDOW: usize = 4;

/// What is counted along the way, by portions of records.
#[derive(Debug)]
pub(super) struct Live {
    /// Records that were accepted.
    sent: AtomicU64,
    /// Bytes of the values of those.
    bytes: AtomicU64,
    /// Records that have an outcome.
    done: AtomicU64,
    /// Records that are not written, or perhaps not.
    failed: AtomicU64,
    latencies: Mutex<Latencies>,
}

/// A block of lines in the terminal; without one nothing is shown.
#[derive(Debug)]
pub(super) struct View {
    live: Arc<Live>,
    bar: ProgressBar,
    task: Option<JoinHandle<()>>,
}

impl Live {
    /// So many records more were accepted, with so many bytes.
    pub(super) fn sent(&self, records: u64, bytes: u64) {
        self.sent.fetch_add(records, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// So many more have an outcome, and so many of them failed.
    pub(super) fn done(&self, records: u64, failed: u64) {
        self.done.fetch_add(records, Ordering::Relaxed);
        self.failed.fetch_add(failed, Ordering::Relaxed);
    }

    /// Bytes of the values that were accepted.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How long records took so far.
    pub(super) fn latencies(&self) -> MutexGuard<'_, Latencies> {
        self.latencies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View {
    /// Begins to show what `plan` does.
    pub(super) fn start(name: &str, plan: &Plan, quiet: bool) -> Self {
        let live = Arc::new(Live {
            sent: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            done: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            latencies: Mutex::new(Latencies::new()),
        });
        let ends = Ends { records: plan.records, duration: plan.duration };
        let bar = output::block(name, ends.length(), quiet);
        let task =
            (!bar.is_hidden()).then(|| tokio::spawn(draw(Arc::clone(&live), bar.clone(), ends)));
        Self { live, bar, task }
    }

    pub(super) const fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// Tells an error, above the block.
    pub(super) fn error(bar: &ProgressBar, text: &str) {
        bar.suspend(|| output::error(text));
    }

    pub(super) const fn bar(&self) -> &ProgressBar {
        &self.bar
    }

    /// Shows no more.
    pub(super) fn end(self) {
        if let Some(task) = &self.task {
            task.abort();
        }
        self.bar.finish_and_clear();
    }
}

/// What a measurement ends by.
#[derive(Copy, Clone, Debug)]
struct Ends {
    records: Option<u64>,
    duration: Option<Duration>,
}

impl Ends {
    /// How far there is to go: records, or milliseconds.
    fn length(self) -> Option<u64> {
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        self.records.or(self.duration.map(millis))
    }

    fn position(self, done: u64, begun: Instant) -> u64 {
        match self.records {
            Some(_) => done,
            None => u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }
}

async fn draw(live: Arc<Live>, bar: ProgressBar, ends: Ends) {
    let begun = Instant::now();
    let mut times = tokio::time::interval(TICK);
    let mut before = VecDeque::from([(begun, 0, 0)]);
    loop {
        times.tick().await;
        let now = Instant::now();
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (sent, done, failed) = (load(&live.sent), load(&live.done), load(&live.failed));
        let size = load(&live.bytes);
        let (then, was_done, was_size) = before.front().copied().unwrap_or((begun, 0, 0));
        let span = now.saturating_duration_since(then).as_secs_f64().max(1e-3);
        // Saturates.
        let rate = |now: u64, then: u64| (now.saturating_sub(then) as f64 / span) as u64;
        let (half, most) = {
            let latencies = live.latencies();
            (latencies.micros(0.5), latencies.micros(0.99))
        };
        bar.set_position(ends.position(done, begun));
        bar.set_message(format!(
            "{} records/s   {}/s\nin flight {}   errors {}\np50 {}   p99 {}",
            count(rate(done, was_done)),
            bytes(rate(size, was_size)),
            count(sent.saturating_sub(done)),
            count(failed),
            micros(half),
            micros(most),
        ));
        before.push_back((now, done, size));
        if before.len() > WINDOW {
            before.pop_front();
        }
    }
}
