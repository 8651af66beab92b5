//! How a producer ends: nothing hangs, and every record has its outcome. R5, R6.

use std::time::Duration;

use ottla_tokio::{Cause, Closed, Doubt, Record, Refused, SendErrorKind};
use tokio::time::Instant;

use crate::cluster::{Cluster, at_once, settle};

const NOT_WRITTEN: SendErrorKind = SendErrorKind::NotWritten(Cause::Closed);

#[tokio::test(start_paused = true)]
async fn r06_flush_waits_for_what_was_accepted_before_it() {
    let (cluster, producer) = Cluster::start(|builder| builder.linger(Duration::from_secs(30)));
    producer.flush().await;
    let mut before = Vec::new();
    for partition in 0..3 {
        before.push(producer.send(Record::new("t", "v").partition(partition)).await.unwrap());
    }
    let began = Instant::now();
    cluster.hold();
    let flusher = producer.clone();
    let flushed = tokio::spawn(async move { flusher.flush().await });
    settle().await;
    let after = producer.send(Record::new("t", "later").partition(0)).await.unwrap();
    assert!(!flushed.is_finished());
    cluster.release(1);
    flushed.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1));
    for delivery in before {
        assert!(delivery.outcome().unwrap().is_ok());
    }
    assert!(after.outcome().is_none());
    cluster.release_all();
    after.await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(30), "a flush sets no mode");
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_is_dropped_undoes_nothing() {
    let (cluster, producer) = Cluster::start(|builder| builder.linger(Duration::from_secs(30)));
    let delivery = producer.send(Record::new("t", "v")).await.unwrap();
    cluster.hold();
    for _ in 0..100 {
        assert!(tokio::time::timeout(Duration::from_millis(1), producer.flush()).await.is_err());
    }
    cluster.release_all();
    settle().await;
    assert!(delivery.outcome().unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn r05_close_sends_what_it_has() {
    let (cluster, producer) = Cluster::start(|builder| builder.linger(Duration::from_secs(30)));
    let mut deliveries = Vec::new();
    for number in 0..100 {
        let value = number.to_string();
        deliveries.push(producer.send(Record::new("t", &value)).await.unwrap());
    }
    let began = Instant::now();
    assert_eq!(producer.close(Duration::from_secs(10)).await, Closed::default());
    assert!(began.elapsed() < Duration::from_secs(1));
    for delivery in deliveries {
        assert!(delivery.outcome().unwrap().is_ok());
    }
    assert_eq!(cluster.records(), 100);
    // Again is no harm.
    assert_eq!(producer.close(Duration::from_secs(10)).await, Closed::default());
    producer.flush().await;
}

#[tokio::test(start_paused = true)]
async fn r05_close_gives_up_at_its_deadline() {
    let (cluster, producer) = Cluster::start(|builder| at_once(builder).batch_size(0));
    cluster.hold();
    let mut deliveries = Vec::new();
    for _ in 0..10 {
        deliveries.push(producer.send(Record::new("t", "v").partition(0)).await.unwrap());
    }
    settle().await;
    let began = Instant::now();
    let (other, closing) = (producer.clone(), producer.clone());
    let long = tokio::spawn(async move { other.close(Duration::from_secs(60)).await });
    settle().await;
    let closed = closing.close(Duration::from_secs(5)).await;
    assert_eq!(began.elapsed().as_secs(), 5);
    assert_eq!(long.await.unwrap(), closed);
    // Until the first success, one batch of a partition is in flight at a time.
    assert_eq!((closed.not_written, closed.unknown), (9, 1));
    for (number, delivery) in deliveries.into_iter().enumerate() {
        let kind = delivery.await.unwrap_err().kind();
        let expected = match number {
            0 => SendErrorKind::Unknown(Cause::Closed, Doubt::Unanswered),
            _ => NOT_WRITTEN,
        };
        assert_eq!(kind, expected, "record {number}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_that_is_dropped_goes_on() {
    let (cluster, producer) = Cluster::start(|builder| builder);
    cluster.hold();
    let delivery = producer.send(Record::new("t", "v")).await.unwrap();
    let soon =
        tokio::time::timeout(Duration::from_millis(1), producer.close(Duration::from_secs(5)));
    assert!(soon.await.is_err());
    let error = producer.send(Record::new("t", "v")).await.unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::Refused(Refused::Closed));
    cluster.release_all();
    delivery.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn r05_dropping_the_last_clone_gives_every_record_its_outcome() {
    let (cluster, producer) = Cluster::start(|builder| builder.linger(Duration::from_secs(30)));
    let written = producer.send(Record::new("t", "first").partition(0)).await.unwrap();
    producer.flush().await;
    cluster.hold();
    let sent = producer.send(Record::new("t", "sent").partition(0)).await.unwrap();
    let flusher = producer.clone();
    let flushed = tokio::spawn(async move { flusher.flush().await });
    settle().await;
    flushed.abort();
    let _ = flushed.await;
    let mut queued = Vec::new();
    for _ in 0..5_000 {
        queued.push(producer.send(Record::new("t", "queued").partition(1)).await.unwrap());
    }
    let clone = producer.clone();
    drop(producer);
    assert!(queued[0].outcome().is_none());
    let began = std::time::Instant::now();
    drop(clone);
    assert!(began.elapsed() < Duration::from_secs(1));
    assert!(written.outcome().unwrap().is_ok());
    assert!(sent.outcome().unwrap().unwrap_err().may_be_written());
    for delivery in queued {
        assert_eq!(delivery.outcome().unwrap().unwrap_err().kind(), NOT_WRITTEN);
    }
    // The I/O task ends, and with it the connections.
    settle().await;
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 1);
    cluster.release_all();
    settle().await;
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

#[test]
fn r05_the_end_of_the_runtime_gives_every_record_its_outcome() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (producer, delivery, parked) = runtime.block_on(async {
        let (_cluster, producer) =
            Cluster::start(|builder| builder.linger(Duration::from_secs(30)));
        let delivery = producer.send(Record::new("t", "v").key("k")).await.unwrap();
        let waiting = producer.clone();
        let parked = tokio::spawn(async move { waiting.send(Record::new("u", "v")).await.is_ok() });
        settle().await;
        (producer, delivery, parked)
    });
    drop(runtime);
    assert_eq!(delivery.outcome().unwrap().unwrap_err().kind(), NOT_WRITTEN);
    assert!(parked.is_finished());
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    other.block_on(async {
        let error = producer.send(Record::new("t", "v")).await.unwrap_err();
        assert_eq!(error.kind(), SendErrorKind::Refused(Refused::Closed));
        producer.flush().await;
        assert_eq!(producer.close(Duration::from_secs(60)).await, Closed::default());
    });
}

#[tokio::test(start_paused = true)]
async fn an_unused_producer_ends_at_once() {
    let (cluster, producer) = Cluster::start(|builder| builder);
    settle().await;
    assert_eq!(cluster.with(|script| script.connections), 0);
    assert_eq!(producer.close(Duration::MAX).await, Closed::default());
    drop(producer);
    settle().await;
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}
