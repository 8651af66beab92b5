//! Which partition a record goes to: by the partitioners that are built in, and by an own one.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ottla_tokio::{
    Builder, Choice, Header, Partitioner, Producer, Record, Refused, SendError, SendErrorKind,
};
use tokio::time::Instant;

use crate::cluster::{Cluster, at_once, settle};

/// The partitions that `count` records go to, one after another.
async fn partitions(producer: &Producer, count: usize, key: Option<&str>) -> Vec<i32> {
    let mut partitions = Vec::new();
    for _ in 0..count {
        let record = Record::new("t", "v");
        let record = key.map_or(record, |key| record.key(key));
        partitions.push(producer.send(record).await.unwrap().await.unwrap().partition);
    }
    partitions
}

#[tokio::test(start_paused = true)]
async fn round_robin_goes_to_each_partition_in_turn_whatever_the_key() {
    let (_cluster, producer) =
        Cluster::start(|builder| at_once(builder).partitioner(Partitioner::RoundRobin));
    let seen = partitions(&producer, 9, Some("same")).await;
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 3);
    assert_eq!(seen[..3], seen[3..6]);
    assert_eq!(seen[..3], seen[6..]);
}

#[tokio::test(start_paused = true)]
async fn keys_count_unless_they_are_ignored() {
    let batches_of_one = |builder: Builder| at_once(builder).batch_size(0);
    let (_cluster, producer) = Cluster::start(batches_of_one);
    let seen = partitions(&producer, 30, Some("same")).await;
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 1);
    let (_cluster, producer) = Cluster::start(|builder| batches_of_one(builder).ignore_keys(true));
    let seen = partitions(&producer, 30, Some("same")).await;
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 3, "{seen:?}");
}

fn last(choice: &Choice<'_>) -> i32 {
    choice.partitions() - 1
}

#[tokio::test(start_paused = true)]
async fn an_own_partitioner_sees_the_record_and_decides() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    let (cluster, producer) = Cluster::start(|builder| {
        at_once(builder).partition_by(move |choice| {
            let headers = choice.headers().iter().map(|header| header.key.to_owned());
            notes.lock().unwrap().push((
                choice.topic().to_owned(),
                choice.key().map(<[u8]>::to_vec),
                choice.value().map(<[u8]>::to_vec),
                headers.collect::<Vec<_>>(),
                choice.partitions(),
                choice.by_key(),
            ));
            2
        })
    });
    let topic = producer.topic("t").unwrap();
    let headers = [Header { key: "trace", value: None }];
    let record = Record::new(&topic, "value").key("foobar").headers(&headers);
    assert_eq!(producer.send(record).await.unwrap().await.unwrap().partition, 2);
    let deletion = Record::tombstone("t");
    assert_eq!(producer.send(deletion).await.unwrap().await.unwrap().partition, 2);
    let seen = seen.lock().unwrap().clone();
    let name = "t".to_owned();
    let by_key = (-790_332_482_i32 & 0x7fff_ffff) % 3;
    let bytes = |text: &str| Some(text.as_bytes().to_vec());
    let first =
        (name.clone(), bytes("foobar"), bytes("value"), vec!["trace".to_owned()], 3, Some(by_key));
    assert_eq!(seen, [first, (name, None, None, Vec::new(), 3, None)]);
    assert_eq!(cluster.log(2), ["value", ""]);
}

#[tokio::test(start_paused = true)]
async fn every_way_to_send_goes_through_an_own_partitioner() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let (cluster, producer) = Cluster::start(|builder| {
        at_once(builder).partition_by(move |choice| {
            counter.fetch_add(1, Ordering::Relaxed);
            last(choice)
        })
    });
    cluster.with(|script| script.topics.insert("u".to_owned(), 2));
    let record = Record::new("t", "v").key("k");
    drop(producer.send(record).await.unwrap());
    producer.post(record).await.unwrap();
    drop(producer.try_send(record).unwrap());
    let names = ["t", "u", "t", "t", "u"];
    let deliveries = producer.send_many(names.map(|name| Record::new(name, "v"))).await.unwrap();
    let outcomes = deliveries.await;
    let at: Vec<_> = outcomes.iter().map(|outcome| outcome.unwrap().partition).collect();
    assert_eq!(at, [2, 1, 2, 2, 1]);
    assert_eq!(calls.load(Ordering::Relaxed), 8, "once for each record");
    // Who has chosen is not asked.
    drop(producer.send(record.partition(0)).await.unwrap());
    drop(producer.send_many([record.partition(0), record.partition(1)]).await.unwrap());
    producer.flush().await;
    assert_eq!(calls.load(Ordering::Relaxed), 8);
    assert_eq!([0, 1, 2].map(|partition| cluster.log(partition).len()), [2, 1, 6]);
}

#[tokio::test(start_paused = true)]
async fn an_own_partitioner_is_not_asked_before_the_number_of_partitions_is_known() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let (cluster, producer) = Cluster::start(|builder| {
        at_once(builder).partition_by(move |choice| {
            counter.fetch_add(1, Ordering::Relaxed);
            last(choice)
        })
    });
    let error = producer.try_send(Record::new("t", "v")).unwrap_err();
    assert_eq!(error.to_string(), "topic t is not known yet");
    settle().await;
    drop(producer.try_send(Record::new("t", "first").key("k")).unwrap());

    // Those who wait get there in the order in which they came.
    let mut sent = Vec::new();
    for number in 0..20 {
        let producer = producer.clone();
        sent.push(tokio::spawn(async move {
            let value = format!("{number:02}");
            producer.post(Record::new("late", &value)).await
        }));
        tokio::task::yield_now().await;
    }
    let many = producer.clone();
    let many = tokio::spawn(async move {
        let records = [("t", "a"), ("late", "20"), ("t", "b"), ("late", "21")];
        let records = records.map(|(name, value)| Record::new(name, value));
        many.send_many(records).await.unwrap().await.all().unwrap();
    });
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!((producer.stats().waiting, calls.load(Ordering::Relaxed)), (21, 2));
    assert_eq!(cluster.log(2), ["first", "a"], "what stands before it does not wait");
    cluster.with(|script| script.topics.insert("late".to_owned(), 4));
    for sent in sent {
        sent.await.unwrap().unwrap();
    }
    many.await.unwrap();
    producer.flush().await;
    let log = cluster.with(|script| script.log.get(&("late".to_owned(), 3)).cloned().unwrap());
    assert_eq!(log.len(), 22);
    assert!(log.is_sorted(), "{log:?}");
    assert_eq!(cluster.log(2), ["first", "a", "b"]);
    assert_eq!(calls.load(Ordering::Relaxed), 25);
}

#[tokio::test(start_paused = true)]
async fn an_own_partitioner_waits_for_its_topic_within_max_block_ms() {
    let (_cluster, producer) = Cluster::start(|builder| {
        builder.max_block(Duration::from_secs(3)).partition_by(|_| panic!("nobody asks it"))
    });
    let began = Instant::now();
    let error = producer.send(Record::new("absent", "v")).await.unwrap_err();
    assert_eq!(began.elapsed().as_secs(), 3);
    assert_eq!(error.kind(), SendErrorKind::Refused(Refused::TopicUnknown));
    assert!(error.to_string().starts_with("topic absent is not known after 3000 ms"), "{error}");
    let sender = producer.clone();
    let sent = tokio::spawn(async move { sender.send(Record::new("absent", "v")).await });
    settle().await;
    producer.close(Duration::from_secs(1)).await;
    let error = sent.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::Refused(Refused::Closed));
}

/// What becomes of a record with this key, by a partitioner that is not always sound.
fn unsound(choice: &Choice<'_>) -> i32 {
    match choice.key() {
        Some(b"beyond") => choice.partitions(),
        Some(b"negative") => -1,
        Some(b"panic") => panic!("no key is called {:?}", "panic"),
        Some(b"text") => panic!("a text"),
        Some(b"other") => std::panic::panic_any(7),
        _ => 0,
    }
}

const FAULTS: [(&str, &str); 5] = [
    ("beyond", "the partitioner chose partition 3 of topic t, which has 3, from 0 on"),
    ("negative", "the partitioner chose partition -1 of topic t, which has 3, from 0 on"),
    ("panic", "the partitioner panicked at a record for t: no key is called \"panic\""),
    ("text", "the partitioner panicked at a record for t: a text"),
    ("other", "the partitioner panicked at a record for t: without a text"),
];

#[tokio::test(start_paused = true)]
async fn a_partitioner_that_is_not_sound_costs_its_record_and_nothing_else() {
    let (cluster, producer) = Cluster::start(|builder| at_once(builder).partition_by(unsound));
    let check = |error: SendError, expected: &str| {
        assert_eq!(error.kind(), SendErrorKind::Partitioner);
        assert_eq!(error.to_string(), expected);
        assert!(!error.may_be_written());
        assert_eq!(error.topic(), Some("t"));
    };
    // The first ones wait for the topic, the others do not.
    for (key, expected) in FAULTS {
        let record = Record::new("t", "v").key(key);
        check(producer.send(record).await.unwrap_err(), expected);
        check(producer.post(record).await.unwrap_err(), expected);
        check(producer.try_send(record).unwrap_err(), expected);
        let good = Record::new("t", "v").key("good");
        let error = producer.send_many([good, good, record, good]).await.unwrap_err();
        assert_eq!((error.index(), error.accepted.len()), (2, 2));
        error.accepted.await.all().unwrap();
        check(error.error, expected);
        assert_eq!(producer.stats().waiting, 0);
    }
    assert_eq!(cluster.log(0).len(), 10);
    assert_eq!(cluster.records(), 10);
    assert_eq!(producer.close(Duration::from_secs(1)).await, ottla_tokio::Closed::default());
}

#[tokio::test(start_paused = true)]
async fn who_waits_behind_a_record_that_its_partitioner_fails_goes_on() {
    let (cluster, producer) = Cluster::start(|builder| at_once(builder).partition_by(unsound));
    cluster.with(|script| script.topics.clear());
    let mut sent = Vec::new();
    for key in ["panic", "beyond", "good", "panic", "good"] {
        let producer = producer.clone();
        sent.push(tokio::spawn(async move {
            let record = Record::new("t", "v").key(key);
            let many = producer.send_many([record, record]).await;
            (key == "good", many.is_ok())
        }));
    }
    settle().await;
    assert_eq!(producer.stats().waiting, 5);
    cluster.with(|script| script.topics.insert("t".to_owned(), 3));
    for sent in sent {
        let (good, done) = sent.await.unwrap();
        assert_eq!(good, done);
    }
    producer.flush().await;
    assert_eq!((cluster.log(0).len(), producer.stats().waiting), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn r17_an_own_partitioner_is_called_outside_of_the_lock() {
    // It uses the producer itself, which would never end under its lock.
    let within: Arc<Mutex<Option<Producer>>> = Arc::default();
    let inner = Arc::clone(&within);
    let (cluster, producer) = Cluster::start(|builder| {
        at_once(builder).partition_by(move |choice| {
            let inner = inner.lock().unwrap();
            let producer = inner.as_ref().unwrap();
            drop(producer.try_send(Record::new("t", "inner").partition(1)).unwrap());
            assert_eq!(producer.partition_count(&producer.topic("t").unwrap()), 3);
            last(choice)
        })
    });
    *within.lock().unwrap() = Some(producer.clone());
    producer.post(Record::new("t", "first").partition(0)).await.unwrap();
    settle().await;
    drop(producer.send(Record::new("t", "outer")).await.unwrap());
    drop(producer.send_many([Record::new("t", "outer"); 3]).await.unwrap());
    drop(producer.try_send(Record::new("t", "outer")).unwrap());
    producer.flush().await;
    assert_eq!([1, 2].map(|partition| cluster.log(partition).len()), [5, 5]);
    // A circle of references otherwise.
    within.lock().unwrap().take();
}

#[tokio::test(start_paused = true)]
async fn settings_with_an_own_partitioner_are_equal_if_it_is_the_same() {
    let build = || Producer::builder().bootstrap_servers("a:1").client_id("c");
    let plain = build().config().unwrap();
    let own = build().partition_by(last).config().unwrap();
    assert_eq!(own, own.clone());
    assert_ne!(own, plain);
    assert_ne!(own, build().partition_by(last).config().unwrap());
}
