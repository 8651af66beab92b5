//! Waits for outcomes while more is sent, keeps what failed, and shows how it goes.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use indicatif::ProgressBar;
use ottla_tokio::{Deliveries, SendError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::failed::{Keep, Line};
use super::input::{Portion, Used};
use super::shape::{Place, Shape};
use crate::tally::Tally;
use crate::{numbers, output};

/// Portions whose outcomes are outstanding, at most. They bound the memory for outcomes that are
/// there behind one that is not; `buffer.memory` bounds that for records.
const OUTSTANDING: usize = 1_024;

/// Unit in which the memory for lines is counted, in bytes.
const UNIT: u64 = 1_024;

/// The outcomes of all records.
#[derive(Debug)]
pub(super) struct Outcomes {
    deliveries: mpsc::Sender<(Deliveries, Option<Kept>)>,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    tally: Mutex<Tally>,
    bar: ProgressBar,
    begun: Instant,
    shape: Arc<Shape>,
    /// Names of the files that are read.
    files: Vec<String>,
    keep: Option<Mutex<Keep>>,
    /// Room for the lines of records that have no outcome, if those that fail are kept.
    room: Option<(Arc<Semaphore>, u32)>,
    /// What failed cannot be kept any more.
    broken: AtomicBool,
}

/// A portion, for as long as somebody may need its lines. Its memory is used again then.
#[derive(Debug)]
pub(super) struct Hold {
    portion: Portion,
    used: Used,
    _room: Option<OwnedSemaphorePermit>,
}

impl Deref for Hold {
    type Target = Portion;

    fn deref(&self) -> &Portion {
        &self.portion
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.used.recycle(std::mem::take(&mut self.portion.bytes));
    }
}

/// The lines of records that wait for their outcome.
#[derive(Debug)]
struct Kept {
    hold: Arc<Hold>,
    /// Where the first one's line begins.
    first: Place,
}

impl Outcomes {
    /// Begins to wait. `size`: how many bytes there are to read, if that is known. With `keep`,
    /// the lines of records without an outcome are kept in up to `memory` bytes.
    pub(super) fn start(
        shape: Arc<Shape>,
        files: Vec<String>,
        keep: Option<Keep>,
        memory: u64,
        size: Option<u64>,
        quiet: bool,
    ) -> Self {
        let units = u32::try_from(memory / UNIT).unwrap_or(u32::MAX >> 3).max(1);
        let shared = Arc::new(Shared {
            tally: Mutex::default(),
            bar: output::progress(size, quiet),
            begun: Instant::now(),
            shape,
            files,
            room: keep.is_some().then(|| (Arc::new(Semaphore::new(units as usize)), units)),
            keep: keep.map(Mutex::new),
            broken: AtomicBool::new(false),
        });
        shared.show(0);
        let (send, deliveries) = mpsc::channel(OUTSTANDING);
        let task = tokio::spawn(Arc::clone(&shared).collect(deliveries));
        Self { deliveries: send, shared, task }
    }

    /// Takes a portion. Waits for room, if lines are kept.
    pub(super) async fn hold(&self, mut portion: Portion, used: &Used) -> Arc<Hold> {
        let room = match &self.shared.room {
            None => None,
            Some((room, most)) => {
                // What comes from a pipe or a terminal leaves most of the buffer empty.
                portion.bytes.shrink_to_fit();
                let units = (portion.bytes.len() as u64).div_ceil(UNIT);
                let units = u32::try_from(units).unwrap_or(u32::MAX).min(*most);
                // It is never closed.
                Arc::clone(room).acquire_many_owned(units).await.ok()
            }
        };
        Arc::new(Hold { portion, used: used.clone(), _room: room })
    }

    /// Takes the deliveries of accepted records, the first of which has its line at `first` of its
    /// portion. Waits if too many are outstanding.
    pub(super) async fn follow(&self, deliveries: Deliveries, hold: &Arc<Hold>, first: Place) {
        if !deliveries.is_empty() {
            let keeps = self.shared.keep.is_some();
            let kept = keeps.then(|| Kept { hold: Arc::clone(hold), first });
            // The task ends after its senders only.
            let _ = self.deliveries.send((deliveries, kept)).await;
        }
    }

    /// Counts a record that was refused, tells why, and keeps it with the next
    /// [`Outcomes::flush`].
    pub(super) fn refused(&self, portion: &Portion, place: Place, error: &SendError) {
        let text = error.to_string();
        self.refuse(portion, place, &text);
        self.shared.keep_those(portion, place, 1, |keep, shape, line| {
            keep.add(shape, line, error, &text);
        });
    }

    /// Likewise, of a line that was not sent at all.
    pub(super) fn no_record(&self, portion: &Portion, place: Place, text: &str) {
        self.refuse(portion, place, text);
        self.shared.keep_those(portion, place, 1, |keep, shape, line| {
            keep.add_unsent(shape, line, text);
        });
    }

    /// Likewise, of a line that is too long for any record, of which only the start is here.
    pub(super) fn too_long(&self, portion: &Portion) {
        let text = format!(
            "it has {} bytes, more than max.request.size allows; -X max.request.size=... raises that",
            numbers::count(portion.bytes.len() as u64 + portion.cut)
        );
        self.no_record(portion, Place::default(), &text);
    }

    fn refuse(&self, portion: &Portion, place: Place, text: &str) {
        self.shared.lock().not_written += 1;
        let file = self.shared.file(portion.file);
        let text = format!("{file}, line {}: {text}", portion.first_line + place.line);
        self.shared.lock().tell(&text, |text| self.shared.print(text));
    }

    /// Keeps the records of a portion that were read and not sent, from `place` on, if records are
    /// kept. Then they count as not written.
    pub(super) fn unsent(&self, portion: &Portion, place: Place, text: &str) {
        let count = self.shared.keep_those(portion, place, u64::MAX, |keep, shape, line| {
            keep.add_unsent(shape, line, text);
        });
        self.shared.lock().not_written += count;
        self.flush();
    }

    /// Writes the lines of refused records, if they are kept.
    pub(super) fn flush(&self) {
        self.shared.flush();
    }

    /// Whether records that fail are kept.
    pub(super) fn keeps(&self) -> bool {
        self.shared.keep.is_some()
    }

    /// Whether they cannot be kept any more.
    pub(super) fn is_broken(&self) -> bool {
        self.shared.broken.load(Ordering::Relaxed)
    }

    /// How errors call a line.
    pub(super) fn place(&self, file: usize, line: u64) -> String {
        format!("{}, line {line}", self.shared.file(file))
    }

    /// Tells an error that stops everything.
    pub(super) fn stop(&self, text: &str) {
        self.shared.tell_always(text);
    }

    /// So many bytes more were read and accepted.
    pub(super) fn read(&self, bytes: u64) {
        self.shared.bar.inc(bytes);
    }

    /// Waits for the outcomes that are outstanding.
    pub(super) async fn finish(self) -> (Tally, Option<Keep>) {
        drop(self.deliveries);
        // A panic there has been reported by then.
        let _ = self.task.await;
        self.shared.bar.finish_and_clear();
        let tally = std::mem::take(&mut *self.shared.lock());
        let keep = Arc::into_inner(self.shared).and_then(|shared| shared.keep);
        (tally, keep.map(|keep| keep.into_inner().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Shared {
    async fn collect(self: Arc<Self>, mut deliveries: mpsc::Receiver<(Deliveries, Option<Kept>)>) {
        while let Some((deliveries, kept)) = deliveries.recv().await {
            let outcomes = deliveries.await;
            if let Some(Kept { hold, first }) = kept
                && outcomes.all().is_err()
            {
                let mut each = outcomes.iter();
                self.keep_those(&hold, first, outcomes.len() as u64, |keep, shape, line| {
                    if let Some(Err(error)) = each.next() {
                        keep.add(shape, line, &error, &error.to_string());
                    }
                });
                self.flush();
            }
            let mut tally = self.lock();
            tally.add(&outcomes, |text| self.print(text));
            let written = tally.written;
            drop(tally);
            self.show(written);
        }
    }

    /// Gives up to `count` lines of a portion, from `place` on, to `add`. What that adds is written
    /// by the next [`Shared::flush`]. Returns how many there were.
    fn keep_those(
        &self,
        portion: &Portion,
        place: Place,
        count: u64,
        mut add: impl FnMut(&mut Keep, &Shape, Line<'_>),
    ) -> u64 {
        let Some(mut keep) = self.keep() else { return 0 };
        let mut given = 0;
        for ((at, bytes), _) in self.shape.lines(&portion.bytes, place).zip(0..count) {
            let file = self.file(portion.file);
            let (number, is_cut) = (portion.first_line + at.line, portion.cut > 0);
            add(&mut keep, &self.shape, Line { file, number, bytes, is_cut });
            given += 1;
        }
        given
    }

    /// Writes what is to be kept.
    fn flush(&self) {
        if self.keep().is_none_or(|keep| keep.is_flushed()) {
            return;
        }
        let flushed = tokio::task::block_in_place(|| self.keep().map(|mut keep| keep.flush()));
        if let Some(Err(text)) = flushed {
            self.broken.store(true, Ordering::Relaxed);
            self.tell_always(&text);
        }
    }

    fn keep(&self) -> Option<MutexGuard<'_, Keep>> {
        let keep = self.keep.as_ref()?;
        Some(keep.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn file(&self, number: usize) -> &str {
        self.files.get(number).map_or("", String::as_str)
    }

    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell_always(&self, text: &str) {
        self.lock().tell_always(text, |text| self.print(text));
    }

    fn print(&self, text: &str) {
        self.bar.suspend(|| output::error(text));
    }

    fn show(&self, written: u64) {
        if self.bar.is_hidden() {
            return;
        }
        self.bar.set_message(format!(
            "{} written, {}/s",
            numbers::count(written),
            numbers::count(numbers::rate(written, self.begun.elapsed())),
        ));
    }
}
