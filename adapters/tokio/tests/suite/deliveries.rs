//! Deliveries as futures: who is woken, and what dropping them means.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use ottla_tokio::{Delivery, Record};

use crate::cluster::{Cluster, settle};

/// Counts how often a task was woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn poll<F: Future + Unpin>(future: &mut F, task: &Arc<Count>) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(&Waker::from(Arc::clone(task))))
}

async fn held(count: usize) -> (Cluster, ottla_tokio::Producer, Vec<Delivery>) {
    let (cluster, producer) = Cluster::start(|builder| builder);
    cluster.hold();
    let mut deliveries = Vec::new();
    for _ in 0..count {
        deliveries.push(producer.send(Record::new("t", "v").partition(0)).await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    (cluster, producer, deliveries)
}

#[tokio::test(start_paused = true)]
async fn r19_a_task_that_waits_for_many_records_of_a_batch_is_woken_once() {
    let (cluster, _producer, mut deliveries) = held(100).await;
    let (one, other) = (Arc::new(Count::default()), Arc::new(Count::default()));
    for _ in 0..3 {
        for (number, delivery) in deliveries.iter_mut().enumerate() {
            let task = if number < 50 { &one } else { &other };
            assert!(poll(delivery, task).is_pending());
        }
    }
    assert!(deliveries[0].outcome().is_none());
    cluster.release_all();
    settle().await;
    assert_eq!(one.0.load(Ordering::Relaxed), 1);
    assert_eq!(other.0.load(Ordering::Relaxed), 1);
    for (number, delivery) in deliveries.iter_mut().enumerate() {
        let offset = Some(number as i64);
        assert_eq!(delivery.outcome().unwrap().unwrap().offset, offset);
        // An outcome stays.
        for _ in 0..2 {
            assert!(matches!(poll(delivery, &one), Poll::Ready(Ok(w)) if w.offset == offset));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_moves_to_another_task_takes_nothing_from_its_old_one() {
    let (cluster, _producer, mut deliveries) = held(2).await;
    let (one, other) = (Arc::new(Count::default()), Arc::new(Count::default()));
    assert!(poll(&mut deliveries[0], &one).is_pending());
    assert!(poll(&mut deliveries[1], &one).is_pending());
    assert!(poll(&mut deliveries[0], &other).is_pending());
    cluster.release_all();
    settle().await;
    assert_eq!(one.0.load(Ordering::Relaxed), 1);
    assert_eq!(other.0.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn dropped_deliveries_change_nothing_for_their_records() {
    let (cluster, producer, deliveries) = held(5_000).await;
    let task = Arc::new(Count::default());
    for (number, mut delivery) in deliveries.into_iter().enumerate() {
        if number % 2 == 0 {
            assert!(poll(&mut delivery, &task).is_pending());
        }
        drop(delivery);
    }
    cluster.release_all();
    producer.flush().await;
    assert_eq!(cluster.records(), 5_000);
    assert_eq!(producer.stats().counters.written, 5_000);
}

#[tokio::test(start_paused = true)]
async fn a_send_many_is_awaited_as_one() {
    let (cluster, producer) = Cluster::start(|builder| builder.batch_size(1_000));
    cluster.hold();
    let records = (0..300).map(|number| Record::new("t", "value").partition(number % 3));
    let mut deliveries = pin!(producer.send_many(records).await.unwrap());
    settle().await;
    let task = Arc::new(Count::default());
    for _ in 0..20 {
        assert!(poll(&mut deliveries, &task).is_pending());
        cluster.release(1);
        settle().await;
    }
    assert!(task.0.load(Ordering::Relaxed) <= 20);
    cluster.release_all();
    let outcomes = deliveries.await;
    outcomes.all().unwrap();
    let mut next = [0; 3];
    for (number, outcome) in outcomes.iter().enumerate() {
        let written = outcome.unwrap();
        assert_eq!(written.partition, number as i32 % 3);
        assert_eq!(written.offset, Some(next[number % 3]));
        next[number % 3] += 1;
    }
}

#[tokio::test(start_paused = true)]
async fn records_of_a_batch_that_is_too_large_have_outcomes_of_their_own() {
    let (cluster, producer) = Cluster::start(|builder| builder);
    cluster.with(|script| script.largest = 250);
    let values: Vec<String> =
        (0..40).map(|n| if n == 17 { "x".repeat(300) } else { format!("v{n}") }).collect();
    let records = values.iter().map(|value| Record::new("t", value.as_str()).partition(0));
    let many = producer.send_many(records.collect::<Vec<_>>()).await.unwrap();
    let single = producer.send(Record::new("t", "single").partition(0)).await.unwrap();
    let outcomes = many.await;
    let mut expected = 0;
    for (place, outcome) in outcomes.iter().enumerate() {
        if place == 17 {
            let told = outcome.unwrap_err().to_string();
            assert!(told.contains("MESSAGE_TOO_LARGE"), "{told}");
        } else {
            assert_eq!(outcome.unwrap().offset, Some(expected), "record {place}");
            expected += 1;
        }
    }
    assert!(outcomes.all().unwrap_err().to_string().contains("MESSAGE_TOO_LARGE"));
    assert_eq!(single.await.unwrap().offset, Some(39));
    let log = cluster.log(0);
    let kept = values.iter().map(String::as_str).filter(|v| v.len() < 300).chain(["single"]);
    assert_eq!(log, kept.collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn r05_a_drop_between_two_parts_leaves_no_record_without_an_outcome() {
    let (cluster, producer, deliveries) = held(8).await;
    cluster.with(|script| script.largest = 90);
    // The whole, and the first part of it.
    cluster.release(2);
    tokio::time::sleep(Duration::from_millis(20)).await;
    drop(producer);
    settle().await;
    assert!(deliveries.iter().all(|delivery| delivery.outcome().is_some()));
}
