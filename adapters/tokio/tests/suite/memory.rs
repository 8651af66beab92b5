//! `buffer.memory` is a bound, and those who wait for it are served in turn. The numbers of the
//! scenarios are those of Kafka's own tests of its buffer pool.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use ottla::error::Full;
use ottla_tokio::{Delivery, Producer, Record, Refused, SendError, SendErrorKind};
use tokio::time::Instant;

use crate::cluster::{Cluster, at_once, settle};

const MEMORY: u64 = 32 * 1024;
const FULL: SendErrorKind = SendErrorKind::Refused(Refused::Full(Full::Memory));

/// A producer whose memory is full of batches that the cluster does not answer.
async fn full(max_block: Duration) -> (Cluster, Producer, Vec<Delivery>) {
    let (cluster, producer) = Cluster::start(|builder| {
        at_once(builder).buffer_memory(MEMORY).batch_size(1_024).max_block(max_block)
    });
    producer.send(Record::new("t", "first").partition(0)).await.unwrap().await.unwrap();
    cluster.hold();
    let mut filling = Vec::new();
    let value = "x".repeat(900);
    loop {
        settle().await;
        match producer.try_send(Record::new("t", &value).partition(0)) {
            Ok(delivery) => filling.push(delivery),
            Err(error) => {
                assert_eq!(error.kind(), FULL);
                return (cluster, producer, filling);
            }
        }
    }
}

fn send(producer: &Producer, value: String) -> tokio::task::JoinHandle<Result<(), SendError>> {
    let producer = producer.clone();
    tokio::spawn(async move { producer.post(Record::new("t", &value).partition(0)).await })
}

#[tokio::test(start_paused = true)]
async fn b16_a_send_is_refused_after_max_block_ms_and_nothing_is_changed() {
    for millis in [0, 10] {
        let (cluster, producer, filling) = full(Duration::from_millis(millis)).await;
        let before = producer.stats();
        assert!(before.memory > MEMORY - 1_024 && before.memory <= MEMORY, "{before:?}");
        let began = Instant::now();
        let error = producer.send(Record::new("t", "v").partition(0)).await.unwrap_err();
        let waited = began.elapsed();
        assert!(waited >= Duration::from_millis(millis), "{waited:?}");
        assert!(waited <= Duration::from_millis(millis + 2), "{waited:?}");
        assert_eq!(error.kind(), FULL);
        let expected = format!(
            "buffer.memory is full: records wait in all of its 32768 bytes, and no room came free \
             within {millis} ms (max.block.ms); raise buffer.memory or slow down"
        );
        assert_eq!(error.to_string(), expected);
        let after = producer.stats();
        assert_eq!((after.memory, after.waiting), (before.memory, 0));
        cluster.release_all();
        for delivery in filling {
            delivery.await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn b17_a_record_above_the_memory_is_refused_at_once() {
    let (_cluster, producer, _filling) = full(Duration::from_secs(60)).await;
    let value = "x".repeat(MEMORY as usize);
    let began = Instant::now();
    let error = producer.send(Record::new("t", &value).partition(0)).await.unwrap_err();
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(error.kind(), SendErrorKind::Refused(Refused::LargerThanMemory));
    assert_eq!(
        error.to_string(),
        "the record takes up to 32855 bytes, which is above buffer.memory (32768)"
    );
}

#[tokio::test(start_paused = true)]
async fn b18_a_small_record_does_not_pass_a_large_one_that_waits() {
    let (cluster, producer, filling) = full(Duration::from_secs(60)).await;
    let large = send(&producer, "large ".repeat(3_000));
    settle().await;
    let small = send(&producer, "small".to_owned());
    settle().await;
    assert_eq!(producer.stats().waiting, 2);
    for _ in 0..8 {
        cluster.release(1);
        settle().await;
        assert!(!small.is_finished() && !large.is_finished());
        // Who does not wait does not pass them, either.
        assert_eq!(producer.try_send(Record::new("t", "v")).unwrap_err().kind(), FULL);
    }
    cluster.release_all();
    large.await.unwrap().unwrap();
    small.await.unwrap().unwrap();
    producer.flush().await;
    let log = cluster.log(0);
    assert_eq!(log.len(), filling.len() + 3);
    assert!(log[log.len() - 2].starts_with("large") && log[log.len() - 1] == "small");
    assert!(producer.stats().memory <= MEMORY);
}

#[tokio::test(start_paused = true)]
async fn b19_who_gives_up_waiting_leaves_the_room_to_the_next() {
    let (cluster, producer, filling) = full(Duration::from_millis(100)).await;
    let large = send(&producer, "x".repeat(20_000));
    settle().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let small = send(&producer, "small ".repeat(150));
    cluster.release(2);
    settle().await;
    let freed = filling.iter().filter(|delivery| delivery.outcome().is_some()).count();
    assert!(freed >= 2, "{freed}");
    assert!(!small.is_finished());
    // Now there is room for the small one, once the large one is gone.
    assert_eq!(large.await.unwrap().unwrap_err().kind(), FULL);
    small.await.unwrap().unwrap();
    assert_eq!(producer.stats().waiting, 0);
    // All that came free while it waited is there for others: the small one has one batch of it.
    settle().await;
    let value = "x".repeat(900);
    for _ in 1..freed {
        drop(producer.try_send(Record::new("t", &value).partition(0)).unwrap());
    }
    let error = producer.try_send(Record::new("t", &value).partition(0)).unwrap_err();
    assert_eq!(error.kind(), FULL);
    assert!(producer.stats().memory <= MEMORY);
}

#[tokio::test(start_paused = true)]
async fn b20_those_who_wait_make_open_batches_due() {
    let (cluster, producer) = Cluster::start(|builder| {
        let builder =
            builder.linger(Duration::from_secs(60)).delivery_timeout(Duration::from_secs(120));
        builder.buffer_memory(MEMORY).batch_size(8_192)
    });
    let value = "x".repeat(5_000);
    let began = Instant::now();
    for number in 0..30 {
        producer.post(Record::new("t", &value).partition(number % 3)).await.unwrap();
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(cluster.records() >= 20);
}

#[tokio::test(start_paused = true)]
async fn b21_who_waits_is_told_when_the_producer_is_closed() {
    let (cluster, producer, _filling) = full(Duration::from_secs(60)).await;
    let waiting: Vec<_> = (0..5).map(|_| send(&producer, "x".repeat(5_000))).collect();
    let unknown = producer.clone();
    let parked =
        tokio::spawn(async move { unknown.send(Record::new("other", "v").key("k")).await });
    let beyond = producer.clone();
    let absent = tokio::spawn(async move { beyond.send(Record::new("t", "v").partition(9)).await });
    settle().await;
    assert_eq!(producer.stats().waiting, 7);
    let closing = producer.clone();
    let closed = tokio::spawn(async move { closing.close(Duration::from_secs(5)).await });
    let refused = SendErrorKind::Refused(Refused::Closed);
    for task in waiting {
        let error = task.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), refused);
        assert_eq!(error.to_string(), "the producer is closed");
    }
    assert_eq!(parked.await.unwrap().unwrap_err().kind(), refused);
    assert_eq!(absent.await.unwrap().unwrap_err().kind(), refused);
    assert_eq!(producer.stats().waiting, 0);
    assert!(!closed.is_finished());
    cluster.release_all();
    assert_eq!(closed.await.unwrap(), ottla_tokio::Closed::default());
}

#[tokio::test(start_paused = true)]
async fn b22_memory_of_a_request_that_is_not_answered_is_not_used_again() {
    let (cluster, producer) = Cluster::start(|builder| {
        let builder = at_once(builder).request_timeout(Duration::from_secs(20));
        let builder = builder.delivery_timeout(Duration::from_secs(20)).batch_size(1_024);
        builder.buffer_memory(4_096).max_block(Duration::from_secs(10))
    });
    producer.send(Record::new("t", "first").partition(0)).await.unwrap().await.unwrap();
    cluster.hold();
    let began = Instant::now();
    let answered = producer.try_send(Record::new("t", "answered").partition(0)).unwrap();
    settle().await;
    let value = "x".repeat(2_900);
    let delivery = producer.try_send(Record::new("t", &value).partition(0)).unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    cluster.release(1);
    answered.await.unwrap();
    assert!(delivery.await.unwrap_err().may_be_written());
    assert_eq!(began.elapsed().as_secs(), 20);
    // The record has its outcome, and its bytes are still the connection's, until that ends: 20
    // seconds after its request became the oldest.
    let error = producer.try_send(Record::new("t", &value).partition(0)).unwrap_err();
    assert_eq!(error.kind(), FULL);
    producer.post(Record::new("t", &value).partition(0)).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 25);
}

#[tokio::test(start_paused = true)]
async fn who_waits_and_is_never_polled_again_holds_up_the_others_only_so_long() {
    let (cluster, producer, _filling) = full(Duration::from_millis(100)).await;
    let mut stuck = pin!(producer.post(Record::new("t", "stuck").partition(0)));
    poll_fn(|cx| Poll::Ready(stuck.as_mut().poll(cx))).await.is_pending().then_some(()).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let other = send(&producer, "other".to_owned());
    cluster.release_all();
    settle().await;
    assert!(!other.is_finished());
    other.await.unwrap().unwrap();
    assert_eq!(stuck.await.unwrap_err().kind(), FULL);
    producer.flush().await;
    assert_eq!(cluster.log(0).last().unwrap(), "other");
}

/// Otherwise many tasks that send at once would get in line, sleep and be woken for each record, as the
/// line would never be empty again.
#[tokio::test(start_paused = true)]
async fn nobody_gets_in_line_where_there_is_room_for_all_who_wait_and_far_more() {
    let (cluster, producer, _filling) = full(Duration::from_secs(10)).await;
    let mut stuck = pin!(producer.post(Record::new("t", "stuck").partition(0)));
    poll_fn(|cx| Poll::Ready(stuck.as_mut().poll(cx))).await.is_pending().then_some(()).unwrap();
    let newcomer = || producer.try_send(Record::new("t", "newcomer").partition(0));
    assert_eq!(newcomer().unwrap_err().kind(), FULL, "there is no room");
    cluster.release(1);
    settle().await;
    assert_eq!(newcomer().unwrap_err().kind(), FULL, "there is room for the one that waits");
    cluster.release_all();
    settle().await;
    assert_eq!(producer.stats().waiting, 1);
    let delivery = newcomer().unwrap();
    let large = "x".repeat(20_000);
    let large = producer.try_send(Record::new("t", &large).partition(0));
    assert_eq!(large.unwrap_err().kind(), FULL, "not for one that leaves little to those in line");
    stuck.await.unwrap();
    delivery.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn send_many_waits_for_room_as_often_as_it_needs_to() {
    let (cluster, producer) =
        Cluster::start(|builder| at_once(builder).buffer_memory(MEMORY).batch_size(2_048));
    let values: Vec<String> = (0..2_000).map(|number| format!("{number:0100}")).collect();
    let records = values.iter().map(|value| Record::new("t", value).partition(0));
    producer.send_many(records).await.unwrap().await.all().unwrap();
    assert_eq!(cluster.log(0), values);
    assert!(producer.stats().memory <= MEMORY);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_who_wait_are_served_in_the_order_in_which_they_came() {
    let (cluster, producer, filling) = full(Duration::from_secs(60)).await;
    let mut waiting = Vec::new();
    for number in 0..100 {
        waiting.push(send(&producer, format!("{number:0500}")));
        tokio::task::yield_now().await;
    }
    settle().await;
    cluster.release_all();
    for task in waiting {
        task.await.unwrap().unwrap();
    }
    producer.flush().await;
    let log = cluster.log(0).split_off(filling.len() + 1);
    assert_eq!(log.len(), 100);
    assert!(log.is_sorted());
}

#[tokio::test(start_paused = true)]
async fn memory_is_given_back_once_there_was_nothing_to_do_for_a_while() {
    const MEMORY: u64 = 4 << 20;
    let (cluster, producer) =
        Cluster::start(|builder| at_once(builder).buffer_memory(MEMORY).batch_size(65_536));
    producer.send(Record::new("t", "first").partition(0)).await.unwrap().await.unwrap();
    cluster.hold();
    let value = "x".repeat(60_000);
    while producer.try_send(Record::new("t", &value).partition(0)).is_ok() {}
    assert!(producer.stats().memory > MEMORY / 2);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(producer.stats().memory > MEMORY / 2, "while there is something to do it stays");
    cluster.release_all();
    producer.flush().await;
    tokio::time::sleep(Duration::from_millis(2_900)).await;
    assert!(producer.stats().memory > MEMORY / 2, "for a pause it stays");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(producer.stats().memory, 0);
    producer.send(Record::new("t", "again").partition(0)).await.unwrap().await.unwrap();
}
