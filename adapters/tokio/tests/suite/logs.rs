//! What is logged.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ottla::message::ErrorCode;
use ottla_tokio::Record;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as Values};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::cluster::{Cluster, at_once, settle, unresolved};

/// Keeps what is logged as text: warnings and errors, and where asked for all else, with spans.
#[derive(Clone, Default)]
pub(crate) struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    everything: bool,
    /// Names of spans; their ids are places in it, from 1 on.
    spans: Arc<Mutex<Vec<&'static str>>>,
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?};"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let of_ours = metadata.target().starts_with("ottla_tokio");
        of_ours && (self.everything || *metadata.level() <= Level::WARN)
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let name = attributes.metadata().name();
        let mut line = Line(format!("BEGIN {name};"));
        attributes.record(&mut line);
        self.lines.lock().unwrap().push(line.0);
        let mut spans = self.spans.lock().unwrap();
        spans.push(name);
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, _: &Id, _: &Values<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(format!("{} ", event.metadata().level()));
        event.record(&mut line);
        self.lines.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}

    fn try_close(&self, id: Id) -> bool {
        let name = self.spans.lock().unwrap()[id.into_u64() as usize - 1];
        self.lines.lock().unwrap().push(format!("END {name}"));
        true
    }
}

impl Log {
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.lines.lock().unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn r05_a_drop_tells_what_it_abandoned() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let (_cluster, producer) = Cluster::start(|builder| builder);
    let delivery = producer.send(Record::new("t", "v").partition(0)).await.unwrap();
    drop(producer);
    assert!(delivery.outcome().unwrap().is_err());
    assert_eq!(
        log.take(),
        ["WARN the producer was dropped with records under way; close() would have sent them; \
          not_written=1 unknown=0"]
    );
}

#[tokio::test(start_paused = true)]
async fn what_nobody_watches_is_told_when_it_fails() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let (cluster, producer) = Cluster::start(|builder| builder);
    cluster.with(|script| script.code = ErrorCode::INVALID_TIMESTAMP);
    let watched = producer.send(Record::new("t", "v").partition(1)).await.unwrap();
    for _ in 0..3 {
        producer.post(Record::new("t", "v").partition(0)).await.unwrap();
    }
    producer.flush().await;
    assert!(watched.await.is_err());
    assert_eq!(
        log.take(),
        ["WARN records failed that nobody watches; topic=t partition=0 records=3 \
          outcome=not written: the broker answered INVALID_TIMESTAMP (32)"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_fails_again_and_again_is_told_once() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let (cluster, producer) = Cluster::start(|builder| builder);
    cluster.with(|script| script.unreachable.insert("boot".to_owned(), unresolved()));
    producer.topic("t").unwrap();
    tokio::time::sleep(Duration::from_secs(30)).await;
    let expected = "WARN connection failed; address=boot:9092 error=its address does not resolve";
    assert_eq!(log.take(), [expected]);
    cluster.with(|script| script.unreachable.clear());
    producer.send(Record::new("t", "v")).await.unwrap().await.unwrap();
    settle().await;
    assert!(log.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn that_the_producer_begins_again_is_told_in_one_line() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let (cluster, producer) = Cluster::start(at_once);
    producer.send(Record::new("t", "v").partition(0)).await.unwrap().await.unwrap();
    // Two connections are open when a broker asks for it; a cluster that asks for it again and again
    // is told of once a minute.
    cluster.with(|script| script.metadata_code = ErrorCode::REBOOTSTRAP_REQUIRED);
    let sender = producer.clone();
    let waiting = tokio::spawn(async move { sender.post(Record::new("other", "v")).await });
    tokio::time::sleep(Duration::from_secs(30)).await;
    waiting.abort();
    let line = "WARN beginning again at bootstrap.servers: a broker asked for it, or there was no \
                metadata for metadata.recovery.rebootstrap.trigger.ms;";
    assert_eq!(log.take(), [line]);
    cluster.with(|script| script.metadata_code = ErrorCode::NONE);
    let connections = cluster.with(|script| script.connections);
    assert!(connections > 3, "{connections}");
    let delivery = producer.send(Record::new("t", "after").partition(0)).await.unwrap();
    assert_eq!(delivery.await.unwrap().offset, Some(1));
    assert!(log.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_to_be_known_of_the_settings_is_told_at_the_start() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let (_cluster, _producer) =
        Cluster::start(|builder| builder.properties([("key.serializer", "a.B")]));
    let line = "WARN a Java class; here keys are bytes, or Producer::typed takes a serializer; \
                key=\"key.serializer\"";
    assert_eq!(log.take(), [line]);
}

#[tokio::test(start_paused = true)]
async fn each_change_of_a_connection_is_told_once_within_spans() {
    let log = Log { everything: true, ..Log::default() };
    let _guard = tracing::subscriber::set_default(log.clone());
    let (_cluster, producer) = Cluster::start(|builder| at_once(builder).client_id("me"));
    producer.send(Record::new("t", "v").partition(0)).await.unwrap().await.unwrap();
    producer.flush().await;
    producer.close(Duration::from_secs(1)).await;
    drop(producer);
    settle().await;
    let first = "address=boot:9092";
    let lines = log.take();
    let of_first: Vec<&str> =
        lines.iter().map(String::as_str).filter(|line| line.contains(first)).collect();
    assert_eq!(
        of_first,
        [
            "BEGIN connection; address=boot:9092",
            "DEBUG connecting; address=boot:9092",
            "DEBUG connected; address=boot:9092",
            "DEBUG the broker answers; address=boot:9092",
            "DEBUG connection closed; address=boot:9092 error=the producer closes",
        ]
    );
    assert_eq!(lines[0], "BEGIN producer; client_id=\"me\"");
    for line in [
        "END producer",
        "BEGIN flush; client_id=\"me\"",
        "END flush",
        "BEGIN close; client_id=\"me\" timeout=1s",
        "END close",
        "DEBUG the broker answers; address=node:9092 broker=1",
    ] {
        assert_eq!(lines.iter().filter(|other| *other == line).count(), 1, "{line}: {lines:#?}");
    }
    assert_eq!(lines.iter().filter(|line| *line == "END connection").count(), 2);
}

#[tokio::test(start_paused = true)]
async fn r20_nothing_is_logged_per_record_or_request() {
    let log = Log { everything: true, ..Log::default() };
    let _guard = tracing::subscriber::set_default(log.clone());
    let (_cluster, producer) = Cluster::start(at_once);
    producer.send(Record::new("t", "v").partition(0)).await.unwrap().await.unwrap();
    log.take();
    for _ in 0..100 {
        producer.send(Record::new("t", "v").partition(0)).await.unwrap().await.unwrap();
        producer.post(Record::new("t", "v")).await.unwrap();
    }
    let many = std::iter::repeat_n(Record::new("t", "v"), 1_000);
    producer.send_many(many).await.unwrap().await.all().unwrap();
    assert_eq!(log.take(), [""; 0]);
}
