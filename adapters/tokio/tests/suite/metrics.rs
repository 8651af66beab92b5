//! Figures: that they are what happened, and that the crate `metrics` gets them.

use std::time::Duration;

use ottla::message::ErrorCode;
use ottla_tokio::{MetricKind, Producer, Record, TypedProducer, TypedRecord};

use crate::cluster::{Cluster, at_once, settle};

fn of(producer: &Producer, name: &str) -> f64 {
    producer.metrics().get(name).unwrap_or_else(|| panic!("no metric is called {name}"))
}

#[track_caller]
fn assert_figures(producer: &Producer, figures: &[(&str, f64)]) {
    for (name, value) in figures {
        assert_eq!(of(producer, name), *value, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn records_and_their_outcomes_are_counted() {
    let (cluster, producer) = Cluster::start(|builder| builder.retries(0));
    let values = ["a", "b", "c"];
    let records = || values.iter().map(|value| Record::new("t", *value).partition(0));
    producer.send_many(records()).await.unwrap().await.all().unwrap();
    let before = producer.metrics();
    assert_figures(
        &producer,
        &[
            ("record-written-total", 3.0),
            ("record-error-total", 0.0),
            ("batch-total", 1.0),
            ("produce-request-total", 1.0),
            ("batch-retry-total", 0.0),
        ],
    );
    cluster.with(|script| script.code = ErrorCode::INVALID_TIMESTAMP);
    producer.send_many(records()).await.unwrap().await.all().unwrap_err();
    // An answer that does not say whether the record was appended, and no attempt left.
    cluster.with(|script| script.code = ErrorCode::NETWORK_EXCEPTION);
    producer.send(Record::new("t", "v").partition(1)).await.unwrap().await.unwrap_err();
    let metrics = producer.metrics();
    let get = |name| metrics.get(name).unwrap();
    assert_eq!(get("record-not-written-total"), 3.0);
    assert_eq!(get("record-unknown-total"), 1.0);
    assert_eq!((get("record-failed-total"), get("record-error-total")), (4.0, 4.0));
    let sizes = get("batch-bytes-total") / get("batch-total");
    assert_eq!(get("batch-size-avg"), sizes);
    assert!(sizes > 60.0 && sizes < 100.0, "{sizes}");
    // The time between two moments alone.
    let since = metrics.since(&before);
    assert_eq!(since.get("record-written-total"), Some(0.0));
    assert_eq!(since.get("batch-total"), Some(2.0));
    assert_eq!(since.get("buffer-total-bytes"), metrics.get("buffer-total-bytes"));
    let none = metrics.since(&metrics);
    assert!(none.get("batch-size-avg").unwrap().is_nan());
}

#[tokio::test(start_paused = true)]
async fn connections_and_bytes_are_counted() {
    let (cluster, producer) = Cluster::start(at_once);
    producer.send(Record::new("t", "v")).await.unwrap().await.unwrap();
    let connections = cluster.with(|script| script.connections) as f64;
    assert_figures(
        &producer,
        &[
            ("connection-creation-total", connections),
            ("connection-count", connections),
            ("connection-close-total", 0.0),
            ("connection-failure-total", 0.0),
            ("outgoing-byte-total", producer.stats().counters.sent.total() as f64),
            ("incoming-byte-total", producer.stats().counters.received.total() as f64),
            ("buffer-allocated-bytes", producer.stats().memory as f64),
            ("buffer-available-bytes", 33_554_432.0),
            ("requests-in-flight", 0.0),
            ("metadata-age", 0.0),
            ("buffer-total-bytes", 33_554_432.0),
        ],
    );
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_figures(&producer, &[("metadata-age", 2.5)]);
    producer.close(Duration::from_secs(1)).await;
    settle().await;
    assert_figures(
        &producer,
        &[("connection-count", 0.0), ("connection-close-total", connections)],
    );
}

#[tokio::test(start_paused = true)]
async fn connections_that_fail_are_counted_apart() {
    let (cluster, producer) = Cluster::start(|builder| at_once(builder).max_block(Duration::ZERO));
    let unreachable = ("boot".to_owned(), crate::cluster::unresolved());
    cluster.with(|script| script.unreachable.extend([unreachable]));
    producer.send(Record::new("t", "v")).await.unwrap_err();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(of(&producer, "connection-failure-total") >= 2.0);
    assert_figures(&producer, &[("connection-creation-total", 0.0), ("connection-count", 0.0)]);
}

#[tokio::test(start_paused = true)]
async fn refusals_and_waits_are_counted() {
    let (cluster, producer) =
        Cluster::start(|builder| builder.buffer_memory(16_384).max_block(Duration::from_secs(1)));
    producer.send(Record::new("t", "first").partition(0)).await.unwrap().await.unwrap();
    cluster.hold();
    let large = "x".repeat(12_000);
    let full = producer.send(Record::new("t", &large).partition(0)).await.unwrap();
    let sender = producer.clone();
    let waiting = tokio::spawn(async move {
        sender.post(Record::new("t", &"y".repeat(12_000)).partition(0)).await
    });
    settle().await;
    let figures = [("waiting-threads", 1.0), ("sends-waiting", 1.0), ("requests-in-flight", 1.0)];
    assert_figures(&producer, &figures);
    waiting.await.unwrap().unwrap_err();
    let figures = [
        ("waiting-threads", 0.0),
        ("sends-waiting", 0.0),
        ("buffer-exhausted-total", 1.0),
        ("record-refused-total", 1.0),
    ];
    assert_figures(&producer, &figures);
    let waited = of(&producer, "send-wait-time-ns-total");
    assert!((1e9..1.01e9).contains(&waited), "{waited}");
    // A send that is dropped has waited, too.
    let record = Record::new("t", &large).partition(0);
    let half = Duration::from_millis(500);
    tokio::time::timeout(half, producer.send(record)).await.unwrap_err();
    let waited = of(&producer, "send-wait-time-ns-total");
    assert!((1.5e9..1.52e9).contains(&waited), "{waited}");
    cluster.release_all();
    full.await.unwrap();
    // Whatever it is that a record is refused for.
    producer.try_send(Record::new("no such topic", "v")).unwrap_err();
    producer.send(Record::new("t", &"z".repeat(20_000))).await.unwrap_err();
    let typed: TypedProducer<str, str> =
        producer.typed(|_: &str| Err::<String, _>("no"), |_: &str| Err::<String, _>("no"));
    typed.send(TypedRecord::new("t", "v")).await.unwrap_err();
    assert_figures(&producer, &[("record-refused-total", 4.0), ("buffer-exhausted-total", 1.0)]);
}

#[tokio::test(start_paused = true)]
async fn refusals_are_errors_under_java_s_name_and_no_failures_of_what_was_accepted() {
    let (cluster, producer) = Cluster::start(|builder| at_once(builder).retries(0));
    producer.send(Record::new("no such topic", "v")).await.unwrap_err();
    cluster.with(|script| script.code = ErrorCode::INVALID_TIMESTAMP);
    producer.send(Record::new("t", "v")).await.unwrap().await.unwrap_err();
    let figures =
        [("record-refused-total", 1.0), ("record-failed-total", 1.0), ("record-error-total", 2.0)];
    assert_figures(&producer, &figures);
}

#[tokio::test(start_paused = true)]
async fn a_record_behind_a_refused_one_is_no_refusal_of_its_own() {
    let (_cluster, producer) = Cluster::start(|builder| {
        at_once(builder).max_request_size(200).partition_by(|choice| match choice.key() {
            Some(_) => 99,
            None => 0,
        })
    });
    producer.send(Record::new("t", "v")).await.unwrap().await.unwrap();
    let large = "x".repeat(1_000);
    // Each is refused where it is looked at, which is before those in front of it are accepted.
    let behind = [Record::new("no such topic", "v"), Record::new("t", "v").key("k")];
    for (round, behind) in behind.into_iter().enumerate() {
        let records = [Record::new("t", &large), behind];
        let error = producer.send_many(records).await.unwrap_err();
        assert_eq!(error.index(), 0);
        assert_figures(&producer, &[("record-refused-total", (2 * round + 1) as f64)]);
        let error = producer.send_many([Record::new("t", "v"), behind]).await.unwrap_err();
        assert_eq!(error.index(), 1);
        assert_figures(&producer, &[("record-refused-total", (2 * round + 2) as f64)]);
    }
}

#[tokio::test(start_paused = true)]
async fn full_memory_is_counted_without_a_wait_too() {
    let (cluster, producer) = Cluster::start(|builder| builder.buffer_memory(16_384));
    producer.send(Record::new("t", "first").partition(0)).await.unwrap().await.unwrap();
    cluster.hold();
    let large = "x".repeat(12_000);
    producer.post(Record::new("t", &large).partition(0)).await.unwrap();
    producer.try_send(Record::new("t", &large).partition(0)).unwrap_err();
    assert_figures(&producer, &[("buffer-exhausted-total", 1.0)]);
    let metrics = producer.metrics();
    let mut all = metrics.iter();
    let exhausted = all.find(|metric| metric.name() == "buffer-exhausted-total").unwrap();
    assert!(exhausted.meaning().ends_with("at once or after max.block.ms"));
    cluster.release_all();
}

#[tokio::test(start_paused = true)]
async fn a_flush_is_timed() {
    let (cluster, producer) = Cluster::start(|builder| builder);
    producer.send(Record::new("t", "v")).await.unwrap().await.unwrap();
    cluster.hold();
    producer.post(Record::new("t", "v")).await.unwrap();
    let flusher = producer.clone();
    let flushing = tokio::spawn(async move { flusher.flush().await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    cluster.release_all();
    flushing.await.unwrap();
    let time = of(&producer, "flush-time-ns-total");
    assert!((300e6..310e6).contains(&time), "{time}");
}

#[tokio::test(start_paused = true)]
async fn they_have_meanings_and_are_printed_aligned() {
    let (_cluster, producer) = Cluster::start(|builder| builder.client_id("me"));
    let metrics = producer.metrics();
    assert_eq!(metrics.client_id(), "me");
    assert!(metrics.iter().all(|metric| !metric.meaning().is_empty()));
    let text = metrics.to_string();
    assert_eq!(text.lines().count(), metrics.iter().count());
    assert!(text.contains("\nbuffer-total-bytes          33554432\n"), "{text}");
    let java: Vec<&str> = metrics.iter().filter(|m| m.is_java()).map(|m| m.name()).collect();
    assert!(java.contains(&"record-error-total") && !java.contains(&"record-written-total"));
    assert!(metrics.iter().any(|metric| metric.kind() == MetricKind::Gauge));
}

#[cfg(feature = "metrics")]
#[tokio::test(start_paused = true)]
async fn the_crate_metrics_gets_all_of_them_with_units_until_the_producer_is_gone() {
    use metrics_util::debugging::{DebugValue, DebuggingRecorder};

    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    // One thread runs the test and the task that records.
    let guard = metrics::set_default_local_recorder(&recorder);
    let (_cluster, producer) = Cluster::start(|builder| at_once(builder).client_id("me"));
    producer.record_metrics(Duration::from_secs(10));
    producer.send(Record::new("t", "v")).await.unwrap().await.unwrap();
    tokio::time::sleep(Duration::from_secs(11)).await;
    let seen = snapshotter.snapshot().into_vec();
    assert_eq!(seen.len(), producer.metrics().iter().count());
    let find = |name: &str| {
        let of = |key: &metrics::Key| {
            let label = key.labels().next().map(|label| (label.key(), label.value()));
            assert_eq!(label, Some(("client_id", "me")));
            key.name() == name
        };
        let (_, unit, text, value) =
            seen.iter().find(|(key, ..)| of(key.key())).unwrap_or_else(|| panic!("no {name}"));
        (unit.unwrap(), text.clone().unwrap().to_string(), value)
    };
    let (unit, text, value) = find("ottla_producer_record_written_total");
    assert_eq!(unit, metrics::Unit::Count);
    assert!(text.starts_with("records written"), "{text}");
    assert_eq!(*value, DebugValue::Counter(1));
    let (unit, _, value) = find("kafka_producer_buffer_total_bytes");
    assert_eq!((unit, value), (metrics::Unit::Bytes, &DebugValue::Gauge(33_554_432.0.into())));
    // It does not keep the producer alive.
    let alive = tokio::runtime::Handle::current().metrics();
    drop(producer);
    tokio::time::sleep(Duration::from_secs(11)).await;
    settle().await;
    assert_eq!(alive.num_alive_tasks(), 0);
    drop(guard);
}
