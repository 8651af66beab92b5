//! What became of records, as futures.
//!
//! All records of a batch share one cell. A delivery is a reference to it and a place; dropping
//! one is a decrement. A waker is stored only when a delivery is polled before its outcome is
//! there, and a task that waits for many records of a batch is woken once.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use ottla::Outcome;

use crate::error::SendError;

/// The outcome of a batch, and who waits for it.
#[derive(Debug, Default)]
pub(crate) struct Cell {
    verdict: OnceLock<Verdict>,
    waiting: Mutex<Vec<Waker>>,
}

/// A text of the broker about a refused batch.
#[derive(Debug)]
pub(crate) struct Complaint {
    /// Place of the record that it is about; none: it is about the whole batch.
    pub(crate) place: Option<u32>,
    pub(crate) text: String,
}

/// What became of a batch.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) outcome: Outcome,
    /// What the broker said of it, if it refused it.
    pub(crate) complaints: Vec<Complaint>,
    /// What kept the producer from the cluster at the time.
    pub(crate) hint: Option<Arc<str>>,
    /// What became of the records before these, if the batch was too large and went in parts:
    /// how many each part had.
    pub(crate) earlier: Vec<(u32, Verdict)>,
}

impl Verdict {
    /// What became of the record at a place of the batch.
    fn of(&self, mut place: u32) -> Result<RecordMetadata, SendError> {
        for (count, part) in &self.earlier {
            match place.checked_sub(*count) {
                Some(left) => place = left,
                None => return part.of_part(place),
            }
        }
        self.of_part(place)
    }

    fn is_good(&self) -> bool {
        matches!(self.outcome, Outcome::Written { .. } | Outcome::Unacknowledged)
    }

    pub(crate) fn of_part(&self, place: u32) -> Result<RecordMetadata, SendError> {
        let metadata = |offset, append_time, acknowledged| RecordMetadata {
            topic: Arc::clone(&self.topic),
            partition: self.partition,
            offset,
            append_time,
            acknowledged,
        };
        match self.outcome {
            Outcome::Written { base_offset, append_time } => {
                let offset =
                    (base_offset >= 0).then(|| base_offset.saturating_add(i64::from(place)));
                Ok(metadata(offset, (append_time >= 0).then_some(append_time), true))
            }
            Outcome::Unacknowledged => Ok(metadata(None, None, false)),
            Outcome::NotWritten(_) | Outcome::Unknown(..) => Err(SendError::failed(self, place)),
        }
    }
}

impl Cell {
    /// Sets the outcome and wakes whoever waits for it.
    pub(crate) fn resolve(&self, verdict: Verdict) {
        let waiting = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            // The machine gives a batch one outcome; a second one would change nothing.
            let _ = self.verdict.set(verdict);
            std::mem::take(&mut *waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// The outcome, or the caller's waker is kept. `seat` is where it is kept.
    fn poll(&self, seat: &mut Seat, cx: &Context<'_>) -> Poll<&Verdict> {
        if let Some(verdict) = self.verdict.get() {
            return Poll::Ready(verdict);
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(verdict) = self.verdict.get() {
            return Poll::Ready(verdict);
        }
        let is_mine =
            |index: &usize| waiting.get(*index).is_some_and(|waker| waker.will_wake(cx.waker()));
        // A seat may be shared with other deliveries of the same task. So it is never
        // overwritten, whatever task this one has moved to.
        let known = seat.index().filter(is_mine).or(waiting.len().checked_sub(1).filter(is_mine));
        let index = known.unwrap_or_else(|| {
            waiting.push(cx.waker().clone());
            waiting.len() - 1
        });
        *seat = Seat::at(index);
        Poll::Pending
    }
}

/// Where in its cell a delivery keeps a waker; 0 is nowhere.
#[derive(Copy, Clone, Default, Debug)]
struct Seat(u32);

impl Seat {
    fn at(index: usize) -> Self {
        Self(u32::try_from(index).map_or(0, |index| index.saturating_add(1)))
    }

    fn index(self) -> Option<usize> {
        self.0.checked_sub(1).map(|index| index as usize)
    }
}

/// Where a record went.
///
/// An `Ok` with this is a promise only if [`RecordMetadata::acknowledged`] says so.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct RecordMetadata {
    /// Name of the topic.
    pub topic: Arc<str>,
    /// Number of the partition in its topic, from 0.
    pub partition: i32,
    /// Offset of the record in its partition. None if no broker told it: with `acks=0`, or if
    /// an attempt that was answered only later turned out to have been the successful one.
    pub offset: Option<i64>,
    /// The time that the broker gave to the record, in milliseconds since 1970; none where
    /// topics keep the producer's time (`message.timestamp.type=CreateTime`, Kafka's default).
    pub append_time: Option<i64>,
    /// Whether a broker acknowledged the record. False with `acks=0` only: then the record was
    /// handed to the connection, and nobody knows more.
    pub acknowledged: bool,
}

/// The outcome of one record, as a future. Dropping it changes nothing for the record.
///
/// Resolves once the record is written, or is known not to be, or cannot be known any more: at
/// the latest `delivery.timeout.ms` after it was accepted, and when the producer is closed or
/// dropped.
#[must_use = "without it nobody learns whether the record was written; `Producer::post` sends without one"]
pub struct Delivery {
    cell: Arc<Cell>,
    place: u32,
    seat: Seat,
}

impl Delivery {
    pub(crate) fn new(cell: Arc<Cell>, place: u32) -> Self {
        Self { cell, place, seat: Seat::default() }
    }

    /// The outcome, if it is there.
    #[must_use]
    pub fn outcome(&self) -> Option<Result<RecordMetadata, SendError>> {
        self.cell.verdict.get().map(|verdict| verdict.of(self.place))
    }
}

impl Future for Delivery {
    type Output = Result<RecordMetadata, SendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { cell, place, seat } = &mut *self;
        cell.poll(seat, cx).map(|verdict| verdict.of(*place))
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("outcome", &self.outcome()).finish_non_exhaustive()
    }
}

/// Records that were accepted one after another into the same batch.
#[derive(Debug)]
struct Run {
    cell: Arc<Cell>,
    first: u32,
    count: u32,
}

/// The outcomes of the records of one [`Producer::send_many`](crate::Producer::send_many), as a
/// future: it resolves when the last of them is there. Dropping it changes nothing for them.
#[must_use = "without it nobody learns whether the records were written"]
#[derive(Debug, Default)]
pub struct Deliveries {
    runs: Vec<Run>,
    records: usize,
    /// Runs before this one have their outcome.
    next: usize,
    seat: Seat,
}

impl Deliveries {
    /// Adds a record whose batch has `cell`.
    pub(crate) fn push(&mut self, cell: &Arc<Cell>, place: u32) {
        self.records += 1;
        if let Some(run) = self.runs.last_mut()
            && Arc::ptr_eq(&run.cell, cell)
            && run.first.wrapping_add(run.count) == place
        {
            run.count += 1;
            return;
        }
        self.runs.push(Run { cell: Arc::clone(cell), first: place, count: 1 });
    }

    /// Adds the records of `other` behind its own.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.runs.append(&mut other.runs);
        self.records += other.records;
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records
    }

    /// Whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }
}

impl Future for Deliveries {
    type Output = Outcomes;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcomes> {
        let Self { runs, records, next, seat } = &mut *self;
        while let Some(run) = runs.get(*next) {
            if run.cell.poll(seat, cx).is_pending() {
                return Poll::Pending;
            }
            *next += 1;
            *seat = Seat::default();
        }
        *next = 0;
        Poll::Ready(Outcomes { runs: std::mem::take(runs), records: std::mem::take(records) })
    }
}

/// What became of the records of one [`Producer::send_many`](crate::Producer::send_many).
#[derive(Debug, Default)]
pub struct Outcomes {
    runs: Vec<Run>,
    records: usize,
}

impl Outcomes {
    /// The outcome of each record, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = Result<RecordMetadata, SendError>> + '_ {
        self.runs.iter().flat_map(|run| {
            // A run is there only once its cell has an outcome.
            let verdict = run.cell.verdict.get();
            let places = run.first..run.first.saturating_add(run.count);
            places.filter_map(move |place| verdict.map(|verdict| verdict.of(place)))
        })
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records
    }

    /// Whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Whether all of them are written (with `acks=0`: were handed to the connection).
    ///
    /// # Errors
    /// That of the first one which is not.
    pub fn all(&self) -> Result<(), SendError> {
        for run in &self.runs {
            let Some(verdict) = run.cell.verdict.get() else { continue };
            if verdict.is_good() && verdict.earlier.is_empty() {
                continue;
            }
            let places = run.first..run.first.saturating_add(run.count);
            for place in places {
                verdict.of(place)?;
            }
        }
        Ok(())
    }
}
