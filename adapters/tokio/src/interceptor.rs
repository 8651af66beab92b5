//! The user's own code at both ends of a record: before it is accepted, and at its outcome. It is
//! never called under a lock (R17), and a panic in it changes no outcome.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ottla::{Header, Outcome, record};

use crate::delivery::{RecordMetadata, Verdict};
use crate::error::{SendError, SendErrorKind};
use crate::hooks::caught;
use crate::record::{Record, ToTopic};

/// Sees each record before it is accepted, and each outcome before anybody else:
/// [`Builder::interceptor`](crate::Builder::interceptor). For headers that trace, for counts by
/// topic, for audits.
///
/// Both methods are called outside of all locks, and must not block. A panic in one is caught and
/// logged, at `ERROR` the first time and at `DEBUG` from then on. (With `panic = "abort"` it ends
/// the process, as any panic does.)
///
/// ```
/// use ottla_tokio::{Interceptor, Outgoing, Producer};
///
/// struct Origin;
///
/// impl Interceptor for Origin {
///     fn on_send(&self, record: &mut Outgoing<'_>) {
///         record.add_header("origin", b"checkout-3");
///     }
/// }
///
/// let builder = Producer::builder().interceptor(Origin);
/// # let _ = builder;
/// ```
pub trait Interceptor: Send + Sync + 'static {
    /// A record is to be sent. What is changed here is what the partitioner and the next
    /// interceptor see, and what is sent.
    ///
    /// It is called once per record, where the record is sent, and before it is known whether it
    /// will be accepted. After a panic the record is as it was before this call.
    fn on_send(&self, record: &mut Outgoing<'_>) {
        let _ = record;
    }

    /// Records have their outcome. It is called before their deliveries resolve, so who has seen
    /// a delivery knows that this is done.
    ///
    /// A run is of records that were accepted one after another for one partition and share one
    /// fate; the outcome of each record is in exactly one run. A record that was refused, and so
    /// never accepted, is a run of its own, told where it was sent. Of a send that was dropped
    /// before it was ready, nothing is told: nothing was queued; nor of what stood behind a refused
    /// record in a `send_many`. Nor of a record that could not be serialized, as `on_send` has not
    /// seen it: Java's interceptors see objects, these see bytes.
    fn on_acknowledgement(&self, run: &Acknowledgement<'_>) {
        let _ = run;
    }
}

/// A record on its way to be accepted, as interceptors see and change it. It borrows what was
/// given to the producer, and owns what was changed.
#[derive(Clone, Debug)]
pub struct Outgoing<'r> {
    topic: ToTopic<'r>,
    content: record::Record<'r>,
    key: Option<Cow<'r, [u8]>>,
    value: Option<Cow<'r, [u8]>>,
    /// There once they were changed.
    headers: Option<Vec<OwnHeader<'r>>>,
}

type OwnHeader<'r> = (Cow<'r, str>, Option<Cow<'r, [u8]>>);

impl<'r> Outgoing<'r> {
    pub(crate) fn new(record: Record<'r>) -> Self {
        let Record { topic, content } = record;
        let (key, value) = (content.key.map(Cow::Borrowed), content.value.map(Cow::Borrowed));
        Self { topic, content, key, value, headers: None }
    }

    /// Name of the topic.
    #[must_use]
    pub fn topic(&self) -> &str {
        self.topic.name()
    }

    /// The key; none if it has none.
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }

    /// The value; none if it is null.
    #[must_use]
    pub fn value(&self) -> Option<&[u8]> {
        self.value.as_deref()
    }

    /// Keys and values of the headers, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        let given = match self.headers {
            None => self.content.headers,
            Some(_) => &[],
        };
        let own = self.headers.iter().flatten();
        let given = given.iter().map(|header| (header.key, header.value));
        given.chain(own.map(|(key, value)| (&**key, value.as_deref())))
    }

    /// Milliseconds since 1970; none if the record gets the time at which it is accepted.
    #[must_use]
    pub const fn timestamp(&self) -> Option<i64> {
        self.content.timestamp
    }

    /// The partition, if somebody has chosen it already.
    #[must_use]
    pub const fn partition(&self) -> Option<i32> {
        self.content.partition
    }

    /// Sets the key, or takes it away.
    pub fn set_key(&mut self, key: Option<Vec<u8>>) {
        self.key = key.map(Cow::Owned);
    }

    /// Sets the value; none is null.
    pub fn set_value(&mut self, value: Option<Vec<u8>>) {
        self.value = value.map(Cow::Owned);
    }

    /// Adds a header behind the others.
    pub fn add_header(&mut self, key: impl Into<String>, value: impl Into<Vec<u8>>) {
        self.own_headers().push((Cow::Owned(key.into()), Some(Cow::Owned(value.into()))));
    }

    /// Removes all headers with this key.
    pub fn remove_headers(&mut self, key: &str) {
        self.own_headers().retain(|(name, _)| name != key);
    }

    /// Sets the timestamp in milliseconds since 1970, or leaves it to the time of acceptance.
    pub const fn set_timestamp(&mut self, millis: Option<i64>) {
        self.content.timestamp = millis;
    }

    /// Chooses the partition, or leaves it to the partitioner.
    pub const fn set_partition(&mut self, partition: Option<i32>) {
        self.content.partition = partition;
    }

    fn own_headers(&mut self) -> &mut Vec<OwnHeader<'r>> {
        let given = self.content.headers;
        let own = |header: &Header<'r>| (header.key.into(), header.value.map(Cow::Borrowed));
        self.headers.get_or_insert_with(|| given.iter().map(own).collect())
    }

    /// The headers, where they were changed.
    pub(crate) fn lend_headers(&self) -> Option<Vec<Header<'_>>> {
        self.headers.as_ref().map(|own| {
            own.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect()
        })
    }

    /// The record to send, with what [`Outgoing::lend_headers`] has lent.
    pub(crate) fn lend<'s>(&'s self, headers: Option<&'s Vec<Header<'s>>>) -> Record<'s> {
        let content = record::Record {
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: headers.map_or(self.content.headers, Vec::as_slice),
            ..self.content
        };
        Record { topic: self.topic, content }
    }
}

/// Records that have their outcome: the argument of [`Interceptor::on_acknowledgement`].
#[derive(Debug)]
pub struct Acknowledgement<'a>(Run<'a>);

#[derive(Debug)]
enum Run<'a> {
    /// A batch, or a part of one: so many records.
    Accepted(&'a Verdict, u32),
    Refused(&'a SendError),
}

impl Acknowledgement<'_> {
    /// Name of the topic; empty if the record was refused before it was known.
    #[must_use]
    pub fn topic(&self) -> &str {
        match &self.0 {
            Run::Accepted(verdict, _) => &verdict.topic,
            Run::Refused(error) => error.topic().unwrap_or_default(),
        }
    }

    /// Number of the partition, if one was chosen.
    #[must_use]
    pub fn partition(&self) -> Option<i32> {
        match &self.0 {
            Run::Accepted(verdict, _) => Some(verdict.partition),
            Run::Refused(error) => error.partition(),
        }
    }

    /// Number of records, at least 1.
    #[must_use]
    pub const fn records(&self) -> u32 {
        match self.0 {
            Run::Accepted(_, records) => records,
            Run::Refused(_) => 1,
        }
    }

    /// Offset of the first record, if a broker told it; the others follow it.
    #[must_use]
    pub const fn base_offset(&self) -> Option<i64> {
        match self.0 {
            Run::Accepted(Verdict { outcome: Outcome::Written { base_offset, .. }, .. }, _)
                if *base_offset >= 0 =>
            {
                Some(*base_offset)
            }
            _ => None,
        }
    }

    /// What kind of failure it was; none if the records are written (with `acks=0`: were handed
    /// to the connection).
    #[must_use]
    pub fn failure(&self) -> Option<SendErrorKind> {
        match &self.0 {
            Run::Refused(error) => Some(error.kind()),
            Run::Accepted(verdict, _) => match verdict.outcome {
                Outcome::Written { .. } | Outcome::Unacknowledged => None,
                Outcome::NotWritten(cause) => Some(SendErrorKind::NotWritten(cause)),
                Outcome::Unknown(cause, doubt) => Some(SendErrorKind::Unknown(cause, doubt)),
            },
        }
    }

    /// What each record's delivery, or the call that sent it, is about to tell. This makes a value
    /// per record; the other methods do not.
    pub fn outcomes(&self) -> impl Iterator<Item = Result<RecordMetadata, SendError>> + '_ {
        (0..self.records()).map(|place| match &self.0 {
            Run::Accepted(verdict, _) => verdict.of_part(place),
            Run::Refused(error) => Err((*error).clone()),
        })
    }
}

/// The interceptors of a producer, in order.
#[derive(Clone, Default)]
pub(crate) struct Interceptors(Vec<Arc<Installed>>);

struct Installed {
    interceptor: Box<dyn Interceptor>,
    /// It has panicked before.
    panicked: AtomicBool,
}

impl Interceptors {
    pub(crate) fn push(&mut self, interceptor: impl Interceptor) {
        let interceptor = Box::new(interceptor);
        self.0.push(Arc::new(Installed { interceptor, panicked: AtomicBool::new(false) }));
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Has all of them see a record that is to be sent.
    pub(crate) fn send<'r>(&self, record: Record<'r>) -> Outgoing<'r> {
        let mut outgoing = Outgoing::new(record);
        for installed in &self.0 {
            let before = outgoing.clone();
            if !installed.call("on_send", || installed.interceptor.on_send(&mut outgoing)) {
                outgoing = before;
            }
        }
        outgoing
    }

    /// Has all of them see the outcome of a batch, or of a part of one.
    pub(crate) fn settled(&self, verdict: &Verdict, records: u32) {
        self.acknowledge(&Acknowledgement(Run::Accepted(verdict, records)));
    }

    /// Has all of them see that a record was refused.
    pub(crate) fn refused(&self, error: &SendError) {
        self.acknowledge(&Acknowledgement(Run::Refused(error)));
    }

    fn acknowledge(&self, run: &Acknowledgement<'_>) {
        for installed in &self.0 {
            installed.call("on_acknowledgement", || installed.interceptor.on_acknowledgement(run));
        }
    }
}

impl Installed {
    /// Calls a method of it. False: it panicked.
    fn call(&self, method: &str, call: impl FnOnce()) -> bool {
        let Err(text) = caught(call) else { return true };
        if self.panicked.swap(true, Ordering::Relaxed) {
            tracing::debug!(method, text, "an interceptor panicked again");
        } else {
            tracing::error!(method, text, "an interceptor panicked; told once");
        }
        false
    }
}

impl fmt::Debug for Interceptors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Interceptors({})", self.0.len())
    }
}

// They cannot be compared: they are equal if they are the same ones.

impl PartialEq for Interceptors {
    fn eq(&self, other: &Self) -> bool {
        let pairs = || self.0.iter().zip(&other.0);
        self.0.len() == other.0.len() && pairs().all(|(one, other)| Arc::ptr_eq(one, other))
    }
}

impl Eq for Interceptors {}
