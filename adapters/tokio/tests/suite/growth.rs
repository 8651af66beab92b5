//! Topics get more partitions, and sends wait for those.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use ottla_tokio::{Delivery, Full, Producer, Record, Refused, SendError, SendErrorKind};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::cluster::{Cluster, at_once, settle};

const BLOCK: Duration = Duration::from_millis(1_000);
const ABSENT: SendErrorKind = SendErrorKind::Refused(Refused::PartitionUnknown);

/// A producer that knows that `t` has three partitions.
async fn three() -> (Cluster, Producer) {
    let (cluster, producer) = Cluster::start(|builder| at_once(builder).max_block(BLOCK));
    producer.send(Record::new("t", "v").partition(0)).await.unwrap().await.unwrap();
    (cluster, producer)
}

fn send(
    producer: &Producer,
    value: &str,
    partition: i32,
) -> JoinHandle<Result<Delivery, SendError>> {
    let (producer, value) = (producer.clone(), value.to_owned());
    tokio::spawn(async move { producer.send(Record::new("t", &value).partition(partition)).await })
}

async fn grow_after(cluster: &Cluster, pause: Duration) {
    tokio::time::sleep(pause).await;
    cluster.with(|script| script.topics.insert("t".to_owned(), 6));
}

#[tokio::test(start_paused = true)]
async fn l146_a_partition_that_a_topic_does_not_have_is_waited_for_in_vain() {
    let (cluster, producer) = three().await;
    let asked = cluster.with(|script| script.metadata_requests);
    let began = Instant::now();
    let error = producer.send(Record::new("t", "v").partition(5)).await.unwrap_err();
    let waited = began.elapsed();
    assert!(waited >= BLOCK && waited < BLOCK + Duration::from_millis(5), "{waited:?}");
    assert_eq!(error.kind(), ABSENT);
    assert_eq!((error.topic(), error.partition()), (Some("t"), Some(5)));
    assert_eq!(
        error.to_string(),
        "topic t has no partition 5: it has 3, and got no more within 1000 ms (max.block.ms)"
    );
    // It asked, and with pauses that grow: at 0.1, 0.3 and 0.7 s.
    let asked = cluster.with(|script| script.metadata_requests) - asked;
    assert!((3..=5).contains(&asked), "{asked}");
    assert_eq!((producer.stats().waiting, cluster.records()), (0, 1));
    // Nobody asks on.
    let asked = cluster.with(|script| script.metadata_requests);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(cluster.with(|script| script.metadata_requests) <= asked + 1);
}

#[tokio::test(start_paused = true)]
async fn l146_a_send_proceeds_when_its_partition_is_there_meanwhile() {
    for millis in [1, 50, 150, 400, 650] {
        let (cluster, producer) = three().await;
        let sent = send(&producer, "late", 5);
        grow_after(&cluster, Duration::from_millis(millis)).await;
        assert!(!sent.is_finished());
        let began = Instant::now();
        let written = sent.await.unwrap().unwrap().await.unwrap();
        assert_eq!((written.partition, written.offset), (5, Some(0)));
        assert!(began.elapsed() < Duration::from_millis(500), "{millis}: {:?}", began.elapsed());
        assert_eq!(producer.partition_count(&producer.topic("t").unwrap()), 6);
    }
}

#[tokio::test(start_paused = true)]
async fn l146_before_anything_is_known_of_the_topic_the_record_waits_in_its_batch() {
    let (cluster, producer) = Cluster::start(|builder| at_once(builder).max_block(BLOCK));
    // Accepted at the caller's word (R16), so delivery.timeout.ms is its bound.
    let delivery = producer.send(Record::new("t", "early").partition(5)).await.unwrap();
    grow_after(&cluster, Duration::from_secs(10)).await;
    assert!(delivery.outcome().is_none());
    assert_eq!(delivery.await.unwrap().partition, 5);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_partition_holds_up_nobody_else() {
    let (cluster, producer) = three().await;
    let absent = send(&producer, "absent", 5);
    settle().await;
    assert_eq!(producer.stats().waiting, 1);
    let began = Instant::now();
    drop(producer.try_send(Record::new("t", "v").partition(2)).unwrap());
    drop(producer.try_send(Record::new("t", "v").key("k")).unwrap());
    producer.post(Record::new("t", "v")).await.unwrap();
    let records = [0, 1, 2].map(|partition| Record::new("t", "v").partition(partition));
    drop(producer.send_many(records).await.unwrap());
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(absent.await.unwrap().unwrap_err().kind(), ABSENT);
    producer.flush().await;
    assert_eq!(cluster.records(), 7);
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_a_partition_get_there_in_the_order_in_which_they_came() {
    let (cluster, producer) = three().await;
    let mut sent = Vec::new();
    for number in 0..50 {
        sent.push(send(&producer, &format!("{number:02}"), 5));
        tokio::task::yield_now().await;
    }
    let many = producer.clone();
    let many = tokio::spawn(async move {
        let records = ["50", "51", "52"].map(|value| Record::new("t", value).partition(5));
        many.send_many(records).await.unwrap().await.all().unwrap();
    });
    settle().await;
    assert_eq!(producer.stats().waiting, 51);
    // Nor does one who comes when they could go already.
    cluster.with(|script| script.topics.insert("t".to_owned(), 6));
    sent.push(send(&producer, "53", 5));
    for sent in sent {
        sent.await.unwrap().unwrap().await.unwrap();
    }
    many.await.unwrap();
    let log = cluster.log(5);
    assert_eq!(log.len(), 54);
    assert!(log.is_sorted(), "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_waiting_for_a_partition_leaves_asking_to_the_next() {
    let (cluster, producer) = three().await;
    {
        let mut first = pin!(producer.send(Record::new("t", "first").partition(5)));
        assert!(poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx).is_pending())).await);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let second = send(&producer, "second", 5);
    grow_after(&cluster, Duration::from_millis(300)).await;
    second.await.unwrap().unwrap().await.unwrap();
    assert_eq!(cluster.log(5), ["second"]);
    assert_eq!(producer.stats().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn who_no_longer_waits_for_a_partition_but_for_memory_is_told_so() {
    let (cluster, producer) = Cluster::start(|builder| {
        at_once(builder).max_block(BLOCK).buffer_memory(4_096).batch_size(1_024)
    });
    producer.send(Record::new("t", "v").partition(0)).await.unwrap().await.unwrap();
    let sent = [send(&producer, "one", 5), send(&producer, "two", 5)];
    settle().await;
    cluster.hold();
    let value = "x".repeat(900);
    while producer.try_send(Record::new("t", &value).partition(0)).is_ok() {}
    grow_after(&cluster, Duration::from_millis(300)).await;
    for sent in sent {
        let error = sent.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), SendErrorKind::Refused(Refused::Full(Full::Memory)));
    }
}
