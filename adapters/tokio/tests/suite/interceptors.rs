//! Interceptors: what they see and change, and that each outcome is told to them once, before
//! anybody else hears of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ottla::message::ErrorCode;
use ottla_tokio::{
    Acknowledgement, Cause, Delivery, Doubt, Header, Interceptor, Outgoing, Producer, Record,
    Refused, SendErrorKind,
};

use crate::cluster::{Cluster, at_once, settle};
use crate::logs::Log;

/// What an interceptor was told: topic, partition, number of records, first offset, failure.
type Told = (String, Option<i32>, u32, Option<i64>, Option<SendErrorKind>);

/// Keeps what it was told, and counts what it saw sent.
#[derive(Clone, Default)]
struct Book {
    told: Arc<Mutex<Vec<Told>>>,
    sent: Arc<AtomicUsize>,
}

impl Interceptor for Book {
    fn on_send(&self, _: &mut Outgoing<'_>) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    fn on_acknowledgement(&self, run: &Acknowledgement<'_>) {
        assert_eq!(run.outcomes().count(), run.records() as usize);
        for (place, outcome) in run.outcomes().enumerate() {
            match outcome {
                Ok(metadata) => {
                    let place = i64::try_from(place).unwrap();
                    assert_eq!(metadata.offset, run.base_offset().map(|base| base + place));
                    assert_eq!(run.failure(), None);
                }
                Err(error) => assert_eq!(run.failure(), Some(error.kind())),
            }
        }
        let told = (
            run.topic().to_owned(),
            run.partition(),
            run.records(),
            run.base_offset(),
            run.failure(),
        );
        self.told.lock().unwrap().push(told);
    }
}

impl Book {
    fn take(&self) -> Vec<Told> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }

    fn records(&self) -> u32 {
        self.told.lock().unwrap().iter().map(|(.., records, _, _)| records).sum()
    }

    fn start(
        build: impl FnOnce(ottla_tokio::Builder) -> ottla_tokio::Builder,
    ) -> (Self, Cluster, Producer) {
        let book = Self::default();
        let (cluster, producer) =
            Cluster::start(|builder| build(builder).interceptor(book.clone()));
        (book, cluster, producer)
    }
}

fn told(partition: i32, records: u32, base: Option<i64>, failure: Option<SendErrorKind>) -> Told {
    ("t".to_owned(), Some(partition), records, base, failure)
}

struct Change<F>(F);

impl<F: Fn(&mut Outgoing<'_>) + Send + Sync + 'static> Interceptor for Change<F> {
    fn on_send(&self, record: &mut Outgoing<'_>) {
        (self.0)(record);
    }
}

#[tokio::test(start_paused = true)]
async fn everything_but_the_topic_can_be_changed_and_the_next_one_sees_it() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    let first = Change(|record: &mut Outgoing<'_>| {
        assert_eq!(record.topic(), "t");
        assert_eq!((record.key(), record.value()), (Some(&b"k"[..]), Some(&b"v"[..])));
        assert_eq!((record.timestamp(), record.partition()), (Some(1), None));
        let headers: Vec<_> = record.headers().collect();
        assert_eq!(headers, [("a", Some(&b"1"[..])), ("b", None), ("a", Some(b"2"))]);
        record.set_key(Some(b"other key".to_vec()));
        record.set_value(Some(b"other value".to_vec()));
        record.add_header("c", "3");
        record.set_timestamp(Some(77));
    });
    let second = Change(|record: &mut Outgoing<'_>| {
        assert_eq!(record.headers().count(), 4);
        record.remove_headers("a");
        let value = [record.value().unwrap(), b"!"].concat();
        record.set_value(Some(value));
    });
    // A partitioner of one's own sees what goes out.
    let (cluster, producer) = Cluster::start(|builder| {
        at_once(builder).interceptor(first).interceptor(second).partition_by(move |choice| {
            let headers = choice.headers().iter();
            let headers =
                headers.map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)));
            let key = choice.key().map(<[u8]>::to_vec);
            notes.lock().unwrap().push((key, headers.collect::<Vec<_>>()));
            1
        })
    });
    let header = |key, value: Option<&'static str>| Header { key, value: value.map(str::as_bytes) };
    let headers = [header("a", Some("1")), header("b", None), header("a", Some("2"))];
    let record = Record::new("t", "v").key("k").headers(&headers).timestamp(1);
    producer.send(record).await.unwrap().await.unwrap();
    producer.try_send(record).unwrap().await.unwrap();
    producer.send_many([record]).await.unwrap().await.all().unwrap();
    producer.post(record).await.unwrap();
    producer.flush().await;
    assert_eq!(cluster.log(1), ["other value!"; 4]);
    assert_eq!(cluster.with(|script| script.timestamps.clone()), [77; 4]);
    let expected = (
        Some(b"other key".to_vec()),
        vec![("b".to_owned(), None), ("c".to_owned(), Some(b"3".to_vec()))],
    );
    assert_eq!(*seen.lock().unwrap(), vec![expected; 4]);
}

#[tokio::test(start_paused = true)]
async fn a_partition_can_be_chosen_or_left_and_key_and_value_taken_away() {
    let change = Change(|record: &mut Outgoing<'_>| {
        record.set_partition(Some(2));
        record.set_key(None);
        record.set_value(None);
        record.set_timestamp(None);
    });
    let (cluster, producer) = Cluster::start(|builder| at_once(builder).interceptor(change));
    let record = Record::new("t", "v").key("k").partition(0).timestamp(-5);
    assert_eq!(producer.send(record).await.unwrap().await.unwrap().partition, 2);
    assert_eq!(cluster.log(2), [""]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_caught_told_once_and_changes_nothing() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    struct Clumsy;
    impl Interceptor for Clumsy {
        fn on_send(&self, record: &mut Outgoing<'_>) {
            record.set_value(Some(b"half done".to_vec()));
            panic!("at send");
        }

        fn on_acknowledgement(&self, _: &Acknowledgement<'_>) {
            panic!("at the outcome");
        }
    }
    let change = |text: &'static str| {
        Change(move |record: &mut Outgoing<'_>| {
            let value = [record.value().unwrap(), text.as_bytes()].concat();
            record.set_value(Some(value));
        })
    };
    let book = Book::default();
    let (cluster, producer) = Cluster::start(|builder| {
        let builder = at_once(builder).interceptor(change("1")).interceptor(Clumsy);
        builder.interceptor(change("2")).interceptor(book.clone())
    });
    for _ in 0..3 {
        producer.send(Record::new("t", "v").partition(0)).await.unwrap().await.unwrap();
    }
    assert_eq!(cluster.log(0), ["v12"; 3]);
    assert_eq!(book.records(), 3, "those behind it are called all the same");
    assert_eq!(
        log.take(),
        ["ERROR an interceptor panicked; told once; method=\"on_send\" text=\"at send\""]
    );
}

#[tokio::test(start_paused = true)]
async fn r20_each_outcome_is_told_once_by_runs_and_before_the_delivery() {
    let (book, cluster, producer) = Book::start(|builder| builder);
    let values = ["a", "b", "c"];
    let records = values.iter().map(|value| Record::new("t", *value).partition(0));
    let deliveries = producer.send_many(records).await.unwrap();
    let one = producer.send(Record::new("t", "d").partition(0)).await.unwrap();
    producer.post(Record::new("t", "e").partition(0)).await.unwrap();
    assert!(book.take().is_empty());
    let noted = Arc::new(Mutex::new(None));
    let (note, look) = (Arc::clone(&noted), book.clone());
    let waiting = tokio::spawn(async move {
        one.await.unwrap();
        *note.lock().unwrap() = Some(look.records());
    });
    deliveries.await.all().unwrap();
    waiting.await.unwrap();
    assert_eq!(*noted.lock().unwrap(), Some(5));
    assert_eq!(book.take(), [told(0, 5, Some(0), None)]);
    // Not written.
    cluster.with(|script| script.code = ErrorCode::INVALID_TIMESTAMP);
    producer.send(Record::new("t", "f").partition(1)).await.unwrap().await.unwrap_err();
    let cause = SendErrorKind::NotWritten(Cause::Code(ErrorCode::INVALID_TIMESTAMP));
    assert_eq!(book.take(), [told(1, 1, None, Some(cause))]);
    // Unknown: dropped without an answer.
    cluster.with(|script| script.code = ErrorCode::NONE);
    cluster.hold();
    let delivery = producer.send(Record::new("t", "g").partition(2)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    drop(producer);
    delivery.await.unwrap_err();
    let unknown = SendErrorKind::Unknown(Cause::Closed, Doubt::Unanswered);
    assert_eq!(book.take(), [told(2, 1, None, Some(unknown))]);
    assert_eq!(book.sent.load(Ordering::Relaxed), 7);
    settle().await;
    assert!(book.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn refusals_are_told_where_they_happen() {
    let (book, _cluster, producer) = Book::start(|builder| builder.max_request_size(200));
    let large = "x".repeat(1_000);
    let refused = |failure| ("t".to_owned(), None, 1, None, Some(SendErrorKind::Refused(failure)));
    producer.try_send(Record::new("t", "v")).unwrap_err();
    assert_eq!(book.take(), [refused(Refused::TopicUnknown)]);
    producer.send(Record::new("t", &large)).await.unwrap_err();
    producer.post(Record::new("t", &large)).await.unwrap_err();
    assert_eq!(book.take(), vec![refused(Refused::LargerThanRequest); 2]);
    // The second of three: the first is accepted, of the third nothing is told.
    let records = ["small", &large, "small"].map(|value| Record::new("t", value));
    let error = producer.send_many(records).await.unwrap_err();
    assert_eq!((error.index(), book.take()), (1, vec![refused(Refused::LargerThanRequest)]));
    error.accepted.await.all().unwrap();
    assert_eq!(book.take().iter().map(|(.., records, _, _)| *records).collect::<Vec<_>>(), [1]);
    producer.close(Duration::ZERO).await;
    producer.send(Record::new("t", "v")).await.unwrap_err();
    assert_eq!(book.take(), [refused(Refused::Closed)]);
}

#[tokio::test(start_paused = true)]
async fn what_goes_in_parts_is_told_part_by_part() {
    let (book, cluster, producer) = Book::start(|builder| builder);
    cluster.with(|script| script.largest = 400);
    let value = "x".repeat(100);
    let records = (0..8).map(|_| Record::new("t", &value).partition(0));
    producer.send_many(records).await.unwrap().await.all().unwrap();
    let runs = book.take();
    assert!(runs.len() > 1, "{runs:?}");
    let mut next = 0;
    for (_, _, records, base, failure) in runs {
        assert_eq!((base, failure), (Some(next), None));
        next += i64::from(records);
    }
    assert_eq!(next, 8);
}

#[tokio::test(start_paused = true)]
async fn many_records_through_every_call_are_told_once_each() {
    let (book, _cluster, producer) = Book::start(|builder| builder.buffer_memory(64 << 10));
    let value = "x".repeat(500);
    let mut deliveries = Vec::new();
    for round in 0..50 {
        let records = (0..150).map(|place| Record::new("t", &value).partition(place % 3));
        deliveries.push(producer.send_many(records).await.unwrap());
        producer.post(Record::new("t", &value)).await.unwrap();
        if round % 10 == 0 {
            producer.try_send(Record::new("no topic", "v")).unwrap_err();
        }
    }
    producer.flush().await;
    for delivery in deliveries {
        delivery.await.all().unwrap();
    }
    assert_eq!(book.records(), 50 * 151 + 5);
    assert_eq!(book.sent.load(Ordering::Relaxed), 50 * 151 + 5);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_has_no_outcome_yet_when_interceptors_are_told() {
    struct Look(Arc<Mutex<Option<Delivery>>>, Arc<AtomicUsize>);
    impl Interceptor for Look {
        fn on_acknowledgement(&self, _: &Acknowledgement<'_>) {
            let delivery = self.0.lock().unwrap();
            if delivery.as_ref().is_some_and(|delivery| delivery.outcome().is_none()) {
                self.1.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    let (place, before) = (Arc::default(), Arc::new(AtomicUsize::new(0)));
    let look = Look(Arc::clone(&place), Arc::clone(&before));
    let (_cluster, producer) = Cluster::start(|builder| builder.interceptor(look));
    *place.lock().unwrap() = Some(producer.send(Record::new("t", "v")).await.unwrap());
    producer.flush().await;
    assert!(place.lock().unwrap().as_ref().unwrap().outcome().unwrap().is_ok());
    assert_eq!(before.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn r17_interceptors_are_called_outside_of_the_lock() {
    #[derive(Clone, Default)]
    struct Again(Arc<Mutex<Option<Producer>>>, Arc<AtomicUsize>);
    impl Again {
        /// Would never come back under the lock.
        fn look(&self) {
            let producer = self.0.lock().unwrap().clone();
            if let Some(producer) = producer {
                assert_eq!(producer.stats().waiting, 0);
                self.1.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    impl Interceptor for Again {
        fn on_send(&self, _: &mut Outgoing<'_>) {
            self.look();
        }

        fn on_acknowledgement(&self, _: &Acknowledgement<'_>) {
            self.look();
        }
    }
    let again = Again::default();
    let (_cluster, producer) = Cluster::start(|builder| builder.interceptor(again.clone()));
    *again.0.lock().unwrap() = Some(producer.clone());
    producer.send(Record::new("t", "v")).await.unwrap().await.unwrap();
    producer.try_send(Record::new("no topic", "v")).unwrap_err();
    // Under way when the producer is closed.
    producer.post(Record::new("t", "v")).await.unwrap();
    producer.close(Duration::ZERO).await;
    assert_eq!(again.1.load(Ordering::Relaxed), 6);
    *again.0.lock().unwrap() = None;
}
