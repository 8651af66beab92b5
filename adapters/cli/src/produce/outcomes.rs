//! Waits for outcomes while more is sent, and shows how it goes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use indicatif::ProgressBar;
use ottla_tokio::Deliveries;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::tally::Tally;
use crate::{numbers, output};

/// Portions whose outcomes are outstanding, at most. They bound the memory for outcomes that are
/// there behind one that is not; `buffer.memory` bounds that for records.
const OUTSTANDING: usize = 1_024;

/// The outcomes of all records.
#[derive(Debug)]
pub(super) struct Outcomes {
    deliveries: mpsc::Sender<Deliveries>,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    tally: Mutex<Tally>,
    bar: ProgressBar,
    begun: Instant,
}

impl Outcomes {
    /// Begins to wait. `size`: how many bytes there are to read, if that is known.
    pub(super) fn start(size: Option<u64>, quiet: bool) -> Self {
        let bar = output::progress(size, quiet);
        let shared = Shared { tally: Mutex::default(), bar, begun: Instant::now() };
        let shared = Arc::new(shared);
        shared.show(0);
        let (send, deliveries) = mpsc::channel(OUTSTANDING);
        let task = tokio::spawn(Arc::clone(&shared).collect(deliveries));
        Self { deliveries: send, shared, task }
    }

    /// Takes the deliveries of accepted records. Waits if too many are outstanding.
    pub(super) async fn follow(&self, deliveries: Deliveries) {
        if !deliveries.is_empty() {
            // The task ends after its senders only.
            let _ = self.deliveries.send(deliveries).await;
        }
    }

    /// Counts a record that was refused.
    pub(super) fn refused(&self, text: &str) {
        self.shared.lock().not_written += 1;
        self.tell(text);
    }

    /// Tells an error, once.
    pub(super) fn tell(&self, text: &str) {
        self.shared.lock().tell(text, |text| self.shared.print(text));
    }

    /// So many bytes more were read and accepted.
    pub(super) fn read(&self, bytes: usize) {
        self.shared.bar.inc(bytes as u64);
    }

    /// Waits for the outcomes that are outstanding.
    pub(super) async fn finish(self) -> Tally {
        drop(self.deliveries);
        // A panic there has been reported by then.
        let _ = self.task.await;
        self.shared.bar.finish_and_clear();
        std::mem::take(&mut self.shared.lock())
    }
}

impl Shared {
    async fn collect(self: Arc<Self>, mut deliveries: mpsc::Receiver<Deliveries>) {
        while let Some(deliveries) = deliveries.recv().await {
            let outcomes = deliveries.await;
            let mut tally = self.lock();
            tally.add(&outcomes, |text| self.print(text));
            let written = tally.written;
            drop(tally);
            self.show(written);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn print(&self, text: &str) {
        self.bar.suspend(|| output::error(text));
    }

    fn show(&self, written: u64) {
        if self.bar.is_hidden() {
            return;
        }
        self.bar.set_message(format!(
            "{} written, {} per second",
            numbers::several(written, "record"),
            numbers::count(numbers::rate(written, self.begun.elapsed())),
        ));
    }
}
