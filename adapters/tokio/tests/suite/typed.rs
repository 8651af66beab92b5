//! Producers of types, by serializers.

use std::error::Error as _;
use std::num::ParseIntError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ottla_tokio::{
    Acknowledgement, BigEndian, Bytes, Header, Interceptor, Refused, SendErrorKind, Side,
    TypedProducer, TypedRecord,
};

use crate::cluster::{Cluster, at_once};

/// Text that must be a number.
fn digits(text: &str) -> Result<String, ParseIntError> {
    text.parse::<u32>().map(|number| number.to_string())
}

#[tokio::test(start_paused = true)]
async fn every_call_serializes_key_and_value() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    let (cluster, producer) = Cluster::start(|builder| {
        at_once(builder).partition_by(move |choice| {
            let key = choice.key().map(<[u8]>::to_vec);
            notes.lock().unwrap().push((key, choice.value().is_some(), choice.headers().len()));
            2
        })
    });
    let typed: TypedProducer<i32, str> = producer.typed(BigEndian, digits);
    let headers = [Header { key: "h", value: None }];
    let record = TypedRecord::new("t", "007").key(&258).headers(&headers).timestamp(5);
    assert_eq!(typed.send(record).await.unwrap().await.unwrap().partition, 2);
    typed.try_send(record).unwrap().await.unwrap();
    typed.post(record).await.unwrap();
    typed.producer().flush().await;
    let plain = TypedRecord::new("t", "8").partition(1);
    typed.clone().send_many([record, plain]).await.unwrap().await.all().unwrap();
    assert_eq!(cluster.log(2), ["7"; 4]);
    assert_eq!(cluster.log(1), ["8"]);
    assert_eq!(cluster.with(|script| script.timestamps[..4].to_vec()), [5; 4]);
    assert_eq!(*seen.lock().unwrap(), vec![(Some(vec![0, 0, 1, 2]), true, 1); 4]);
}

#[tokio::test(start_paused = true)]
async fn null_stays_null_and_no_serializer_sees_it() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    let (_cluster, producer) = Cluster::start(|builder| {
        at_once(builder).partition_by(move |choice| {
            notes.lock().unwrap().push((choice.key().is_some(), choice.value().is_some()));
            0
        })
    });
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let counting = move |data: &[u8]| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok::<_, Refused>(data.to_vec())
    };
    let typed: TypedProducer<[u8], [u8]> = producer.typed(counting.clone(), counting);
    typed.send(TypedRecord::tombstone("t").key(b"k")).await.unwrap().await.unwrap();
    typed.send(TypedRecord::new("t", b"v")).await.unwrap().await.unwrap();
    typed.send(TypedRecord::new("t", &b""[..]).key(&b""[..])).await.unwrap().await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [(true, false), (false, true), (true, true)]);
    assert_eq!(calls.load(Ordering::Relaxed), 4);
}

#[tokio::test(start_paused = true)]
async fn an_error_names_topic_and_side_and_nothing_is_queued() {
    #[derive(Clone, Default)]
    struct Count(Arc<AtomicUsize>);
    impl Interceptor for Count {
        fn on_acknowledgement(&self, run: &Acknowledgement<'_>) {
            self.0.fetch_add(usize::from(run.failure().is_some()), Ordering::Relaxed);
        }
    }
    let count = Count::default();
    let (cluster, producer) = Cluster::start(|builder| at_once(builder).interceptor(count.clone()));
    let typed: TypedProducer<str, str> = producer.typed(digits, digits);
    let error = typed.send(TypedRecord::new("t", "1").key("x")).await.unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::Serializer(Side::Key));
    assert_eq!((error.topic(), error.may_be_written()), (Some("t"), false));
    let text = "the key of a record for t cannot be serialized: invalid digit found in string";
    assert_eq!(error.to_string(), text);
    assert!(error.source().unwrap().is::<ParseIntError>());
    let wrong = TypedRecord::new("t", "").key("1");
    let error = typed.post(wrong).await.unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::Serializer(Side::Value));
    let text = "the value of a record for t cannot be serialized: cannot parse integer from empty \
                string";
    assert_eq!(error.to_string(), text);
    typed.try_send(wrong).unwrap_err();
    assert_eq!(cluster.records(), 0);
    // Of many, those before it are accepted.
    let good = TypedRecord::new("t", "1").partition(0);
    let error = typed.send_many([good, good, wrong, good]).await.unwrap_err();
    assert_eq!((error.index(), error.error.kind()), (2, SendErrorKind::Serializer(Side::Value)));
    error.accepted.await.all().unwrap();
    assert_eq!(cluster.log(0), ["1", "1"]);
    // No interceptor saw these records, so none is told of them.
    assert_eq!(count.0.load(Ordering::Relaxed), 0);
    assert_eq!(producer.metrics().get("record-refused-total"), Some(4.0));
}

#[tokio::test(start_paused = true)]
async fn a_record_behind_a_refused_one_is_not_counted_as_refused_itself() {
    let (_cluster, producer) = Cluster::start(|builder| at_once(builder).max_request_size(200));
    let typed: TypedProducer<str, str> = producer.typed(digits, digits);
    let large = "1".repeat(1_000);
    let long: TypedProducer<str, str> = producer.typed(Bytes, |text: &str| match text {
        "" => Err("empty"),
        text => Ok(text.as_bytes().to_vec()),
    });
    let records = [&large, ""].map(|value| TypedRecord::new("t", value));
    let error = long.send_many(records).await.unwrap_err();
    assert_eq!(error.error.kind(), SendErrorKind::Refused(Refused::LargerThanRequest));
    assert_eq!(producer.metrics().get("record-refused-total"), Some(1.0));
    // Of a send that nobody waited for, nobody is told anything.
    let waits = typed.send_many([TypedRecord::new("unheard-of", "1"), TypedRecord::new("t", "x")]);
    tokio::time::timeout(Duration::from_millis(1), waits).await.unwrap_err();
    assert_eq!(producer.metrics().get("record-refused-total"), Some(1.0));
}

#[tokio::test(start_paused = true)]
async fn many_more_than_fit_in_one_portion_keep_their_order() {
    let (cluster, producer) = Cluster::start(|builder| builder);
    let typed: TypedProducer<str, String> = producer.typed(Bytes, Bytes);
    let values: Vec<String> = (0..1_000).map(|number| number.to_string()).collect();
    let records = values.iter().map(|value| TypedRecord::new("t", value).partition(1));
    let deliveries = typed.send_many(records).await.unwrap();
    assert_eq!(deliveries.len(), 1_000);
    let offsets = deliveries.await;
    assert!(offsets.iter().zip(0..).all(|(one, at)| one.unwrap().offset == Some(at)));
    assert_eq!(cluster.log(1), values);
}

#[tokio::test(start_paused = true)]
async fn its_futures_can_be_spawned() {
    let (_cluster, producer) = Cluster::start(at_once);
    let typed: TypedProducer<str, f64> = producer.typed(Bytes, BigEndian);
    let sending = tokio::spawn(async move {
        let records = [1.0, 2.0];
        let records = records.iter().map(|value| TypedRecord::new("t", value)).collect::<Vec<_>>();
        typed.send_many(records).await.unwrap().await.all().unwrap();
        typed.send(TypedRecord::new("t", &3.0)).await.unwrap().await
    });
    sending.await.unwrap().unwrap();
}
