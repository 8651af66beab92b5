//! A future dropped anywhere is as one never called, or as one called in full. Each test drops
//! its future after every possible number of polls.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use ottla::error::Full;
use ottla_tokio::{Producer, Record, Refused, SendErrorKind};

use crate::cluster::{Cluster, at_once, settle};

/// Polls a future up to `times` times, letting everything else go on in between, then drops it.
async fn polled<F: Future>(future: F, times: usize, between: impl Fn()) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..times {
        let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        between();
        settle().await;
    }
    None
}

/// What is in the log in the end, with a last record that has to be there in any case.
async fn outcome(cluster: &Cluster, producer: &Producer) -> Vec<String> {
    producer.post(Record::new("t", "last").partition(0)).await.unwrap();
    producer.flush().await;
    assert_eq!(producer.stats().waiting, 0);
    cluster.log(0)
}

#[tokio::test(start_paused = true)]
async fn i19_a_send_that_waits_for_its_topic() {
    let mut done = 0;
    for times in 0..6 {
        let (cluster, producer) = Cluster::start(at_once);
        cluster.with(|script| script.topics = [("t".to_owned(), 1)].into());
        let sent = polled(producer.send(Record::new("t", "v")), times, || ()).await;
        done += usize::from(sent.is_some());
        let expected = if sent.is_some() { &["v", "last"][..] } else { &["last"][..] };
        assert_eq!(outcome(&cluster, &producer).await, expected, "{times} polls");
    }
    assert!((1..6).contains(&done));
}

#[tokio::test(start_paused = true)]
async fn i19_a_send_that_waits_for_memory() {
    let mut done = 0;
    for times in 0..8 {
        let (cluster, producer) =
            Cluster::start(|builder| at_once(builder).buffer_memory(2_048).batch_size(1_024));
        producer.post(Record::new("t", "first").partition(0)).await.unwrap();
        producer.flush().await;
        cluster.hold();
        let value = "x".repeat(900);
        for _ in 0..2 {
            producer.post(Record::new("t", &value).partition(0)).await.unwrap();
        }
        let full = SendErrorKind::Refused(Refused::Full(Full::Memory));
        let record = Record::new("t", &value).partition(0);
        assert_eq!(producer.try_send(record).unwrap_err().kind(), full);
        let polls = std::cell::Cell::new(0);
        let sent = polled(producer.send(record), times, || {
            polls.set(polls.get() + 1);
            if polls.get() > 3 {
                cluster.release(1);
            }
        });
        let sent = sent.await;
        done += usize::from(sent.is_some());
        cluster.release_all();
        let log = outcome(&cluster, &producer).await;
        assert_eq!(log.len(), 4 + usize::from(sent.is_some()), "{times} polls");
    }
    assert!((1..8).contains(&done));
}

#[tokio::test(start_paused = true)]
async fn i19_who_leaves_the_line_lets_the_next_one_go() {
    for times in 1..6 {
        let (cluster, producer) =
            Cluster::start(|builder| at_once(builder).buffer_memory(8_192).batch_size(1_024));
        producer.post(Record::new("t", "first").partition(0)).await.unwrap();
        producer.flush().await;
        cluster.hold();
        let filling = "x".repeat(7_500);
        producer.post(Record::new("t", &filling).partition(0)).await.unwrap();
        let first = producer.clone();
        let value = "y".repeat(7_000);
        let leaver = async move {
            polled(first.send(Record::new("t", &value).partition(0)), times, || ()).await.is_some()
        };
        let second = producer.clone();
        let leaver = tokio::spawn(leaver);
        settle().await;
        let next = tokio::spawn(async move {
            second.post(Record::new("t", &"z".repeat(5_000)).partition(0)).await.unwrap();
        });
        assert!(!leaver.await.unwrap());
        settle().await;
        assert!(!next.is_finished());
        cluster.release_all();
        tokio::time::timeout(Duration::from_secs(1), next).await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn i19_a_send_many_has_queued_its_first_records_or_none() {
    let values: Vec<String> = (0..200).map(|number| format!("{number:0200}")).collect();
    let mut lengths = Vec::new();
    for times in 0..40 {
        let (cluster, producer) =
            Cluster::start(|builder| at_once(builder).buffer_memory(8_192).batch_size(1_024));
        cluster.with(|script| script.topics = [("t".to_owned(), 1)].into());
        let records = values.iter().map(|value| Record::new("t", value));
        let sent = polled(producer.send_many(records), times, || ()).await;
        let mut log = outcome(&cluster, &producer).await;
        assert_eq!(log.pop().as_deref(), Some("last"));
        assert_eq!(log, values[..log.len()], "{times} polls");
        assert_eq!(sent.is_some(), log.len() == values.len());
        lengths.push(log.len());
    }
    assert!(lengths.is_sorted() && lengths[0] == 0 && lengths[39] == 200, "{lengths:?}");
}

#[tokio::test(start_paused = true)]
async fn i19_flush_and_close_are_begun_or_not() {
    for times in 0..5 {
        let (cluster, producer) = Cluster::start(|b| b.linger(Duration::from_secs(60)));
        producer.post(Record::new("t", "v").partition(0)).await.unwrap();
        polled(producer.flush(), times, || ()).await;
        settle().await;
        assert_eq!(cluster.log(0).len(), usize::from(times > 0));
        producer.post(Record::new("t", "v").partition(0)).await.unwrap();
        polled(producer.close(Duration::from_secs(1)), times, || ()).await;
        settle().await;
        assert_eq!(cluster.log(0).len(), if times > 0 { 2 } else { 0 });
        let accepted = producer.try_send(Record::new("t", "v").partition(0)).is_ok();
        assert_eq!(accepted, times == 0);
    }
}

#[tokio::test(start_paused = true)]
async fn i19_a_delivery_can_be_awaited_with_a_bound() {
    let (cluster, producer) = Cluster::start(|builder| builder);
    cluster.hold();
    let mut delivery = producer.send(Record::new("t", "v")).await.unwrap();
    for _ in 0..3 {
        let soon = tokio::time::timeout(Duration::from_millis(1), &mut delivery);
        assert!(soon.await.is_err());
    }
    cluster.release_all();
    delivery.await.unwrap();
}
