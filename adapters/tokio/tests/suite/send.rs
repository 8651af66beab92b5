//! Records come through, in order.

use std::time::Duration;

use ottla_tokio::{Acks, Header, Producer, Record};

use crate::cluster::{Cluster, at_once, settle};

#[tokio::test(start_paused = true)]
async fn a_record_is_sent_and_its_offset_is_told() {
    let (cluster, producer) = Cluster::start(|builder| builder);
    let topic = producer.topic("t").unwrap();
    for offset in 0..3 {
        let record = Record::new(&topic, "hello").key("k").partition(1);
        let written = producer.send(record).await.unwrap().await.unwrap();
        assert_eq!(&*written.topic, "t");
        assert_eq!((written.partition, written.offset), (1, Some(offset)));
        assert!(written.acknowledged);
        assert_eq!(written.append_time, None);
    }
    assert_eq!(cluster.log(1), ["hello"; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_name_does_as_well_as_a_handle() {
    let (cluster, producer) = Cluster::start(|builder| builder);
    let name = String::from("t");
    let headers = [Header { key: "trace", value: Some(b"1") }];
    let record = Record::new(&name, &[1, 2][..]).partition(0).headers(&headers).timestamp(1);
    producer.send(record).await.unwrap().await.unwrap();
    producer.send(Record::tombstone("t").key(&b"k"[..]).partition(0)).await.unwrap().await.unwrap();
    assert_eq!(cluster.log(0), ["\u{1}\u{2}", ""]);
}

#[tokio::test(start_paused = true)]
async fn records_with_a_key_go_where_other_clients_send_them() {
    let (_cluster, producer) = Cluster::start(|builder| builder);
    let written = producer.send(Record::new("t", "v").key("foobar")).await.unwrap().await.unwrap();
    // murmur2("foobar") = -790332482.
    assert_eq!(written.partition, (-790_332_482_i32 & 0x7fff_ffff) % 3);
}

#[tokio::test(start_paused = true)]
async fn send_many_takes_records_of_several_topics_in_order() {
    let (cluster, producer) = Cluster::start(|builder| builder);
    cluster.with(|script| script.topics.insert("u".to_owned(), 1));
    let values: Vec<String> = (0..1_000).map(|number| format!("{number}")).collect();
    let records = values.iter().enumerate().map(|(number, value)| {
        let topic = if number % 10 == 9 { "u" } else { "t" };
        Record::new(topic, value).partition(0)
    });
    let deliveries = producer.send_many(records).await.unwrap();
    assert_eq!(deliveries.len(), 1_000);
    let outcomes = deliveries.await;
    outcomes.all().unwrap();
    assert_eq!(outcomes.len(), 1_000);
    let mut next = [0, 0];
    for (number, outcome) in outcomes.iter().enumerate() {
        let written = outcome.unwrap();
        let which = usize::from(number % 10 == 9);
        assert_eq!(&*written.topic, ["t", "u"][which]);
        assert_eq!(written.offset, Some(next[which]), "record {number}");
        next[which] += 1;
    }
    assert_eq!(cluster.log(0).len(), 900);
    assert!(cluster.log(0).iter().is_sorted_by_key(|value| value.parse::<u32>().unwrap()));
    assert!(producer.send_many([]).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn posted_records_are_written_too() {
    let (cluster, producer) = Cluster::start(|builder| builder);
    for number in 0..100 {
        let value = number.to_string();
        producer.post(Record::new("t", &value).partition(number % 3)).await.unwrap();
    }
    producer.flush().await;
    assert_eq!(cluster.records(), 100);
}

#[tokio::test(start_paused = true)]
async fn acks_0_ends_with_the_write_and_promises_nothing() {
    let (cluster, producer) = Cluster::start(|builder| at_once(builder).acks(Acks::None));
    assert!(!producer.config().core().idempotence);
    let sent = producer.send(Record::new("t", "v").partition(2)).await.unwrap().await.unwrap();
    assert!(!sent.acknowledged);
    assert_eq!((sent.partition, sent.offset), (2, None));
    settle().await;
    assert_eq!(cluster.log(2), ["v"]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_connection_takes_bytes_as_it_can() {
    let (cluster, producer) = Cluster::start(|builder| builder.batch_size(100_000));
    cluster.with(|script| script.buffer = 7);
    let value = "x".repeat(30_000);
    let records = (0..10).map(|_| Record::new("t", &value).partition(0));
    producer.send_many(records).await.unwrap().await.all().unwrap();
    assert_eq!(cluster.log(0), vec![value; 10]);
}

#[tokio::test(start_paused = true)]
async fn try_send_takes_what_can_be_taken_at_once() {
    let (_cluster, producer) = Cluster::start(at_once);
    let record = Record::new("t", "v").key("k");
    assert!(producer.try_send(record).unwrap_err().to_string().contains("not known yet"));
    settle().await;
    producer.try_send(record).unwrap().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_declared_topic_needs_no_metadata_first() {
    let (cluster, producer) = Cluster::start(at_once);
    let topic = producer.declare_topic("t", 3).unwrap();
    assert_eq!(producer.partition_count(&topic), 3);
    let delivery = producer.try_send(Record::new(&topic, "v").partition(2)).unwrap();
    delivery.await.unwrap();
    assert_eq!(cluster.log(2), ["v"]);
}

#[tokio::test(start_paused = true)]
async fn declaring_a_topic_lets_those_go_who_wait_for_it() {
    let (cluster, producer) = Cluster::start(at_once);
    cluster.with(|script| script.topics.clear());
    let sender = producer.clone();
    let sent =
        tokio::spawn(async move { sender.send(Record::new("t", "v").key("k")).await.is_ok() });
    settle().await;
    assert_eq!(producer.stats().waiting, 1);
    producer.declare_topic("t", 3).unwrap();
    assert!(sent.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn idle_connections_are_closed_and_come_back() {
    let (cluster, producer) =
        Cluster::start(|builder| at_once(builder).connection_max_idle(Duration::from_secs(60)));
    for round in 1..4 {
        producer.send(Record::new("t", "v")).await.unwrap().await.unwrap();
        tokio::time::sleep(Duration::from_secs(300)).await;
        // One to learn the cluster at first, and one to the leader.
        assert_eq!(cluster.with(|script| script.connections), round + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn records_have_the_time_of_day() {
    let now = || {
        let since = std::time::UNIX_EPOCH.elapsed().unwrap();
        i64::try_from(since.as_millis()).unwrap()
    };
    let (cluster, producer) = Cluster::start(at_once);
    // The core is told whole milliseconds, so its time is up to one behind.
    let began = now() - 1;
    producer.send(Record::new("t", "v")).await.unwrap().await.unwrap();
    // As after a suspension: the two clocks have parted.
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    producer.send(Record::new("t", "v")).await.unwrap().await.unwrap();
    producer.send(Record::new("t", "v").timestamp(77)).await.unwrap().await.unwrap();
    let timestamps = cluster.with(|script| script.timestamps.clone());
    assert!((began..began + 60_000).contains(&timestamps[0]), "{timestamps:?}, {began}");
    assert!((began..began + 60_000).contains(&timestamps[1]), "{timestamps:?}, {began}");
    assert_eq!(timestamps[2], 77);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_tasks_keep_their_order_per_partition() {
    const TASKS: usize = 16;
    const RECORDS: usize = 2_000;
    let (cluster, producer) = Cluster::start(|builder| {
        builder.buffer_memory(128 * 1024).batch_size(4_096).linger(Duration::from_millis(1))
    });
    let topic = producer.topic("t").unwrap();
    let mut tasks = Vec::new();
    for task in 0..TASKS {
        let (producer, topic) = (producer.clone(), topic.clone());
        tasks.push(tokio::spawn(async move {
            let mut deliveries = Vec::new();
            for number in 0..RECORDS {
                let value = format!("{task} {number}");
                let partition = ((task + number) % 3) as i32;
                let record = Record::new(&topic, &value).partition(partition);
                if number % 100 < 50 {
                    deliveries.push(producer.send(record).await.unwrap());
                } else {
                    producer.post(record).await.unwrap();
                }
            }
            for delivery in deliveries {
                delivery.await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    producer.flush().await;
    assert_eq!(cluster.records(), TASKS * RECORDS);
    for partition in 0..3 {
        let mut last = [None; TASKS];
        for value in cluster.log(partition) {
            let (task, number) = value.split_once(' ').unwrap();
            let (task, number): (usize, usize) = (task.parse().unwrap(), number.parse().unwrap());
            assert!(last[task] < Some(number), "{value} in partition {partition}");
            last[task] = Some(number);
        }
    }
}

#[test]
fn a_producer_can_go_anywhere() {
    fn everywhere<T: Send + Sync + Clone + 'static>() {}
    everywhere::<Producer>();
    everywhere::<ottla_tokio::TopicHandle>();
    fn task<T: Send>(_: T) {}
    fn futures(producer: &Producer, record: Record<'_>) {
        task(producer.send(record));
        task(producer.post(record));
        task(producer.send_many([record]));
        task(producer.flush());
        task(producer.close(Duration::ZERO));
    }
    let _ = futures;
}

/// Draws numbers; the same in every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % bound
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn i19_what_was_accepted_is_written_and_what_was_dropped_is_not() {
    const TASKS: u64 = 12;
    let (cluster, producer) = Cluster::start(|builder| {
        let builder = builder.buffer_memory(16 * 1024).batch_size(2_048).max_block(BLOCK);
        builder.linger(Duration::from_millis(1))
    });
    const BLOCK: Duration = Duration::from_millis(20);
    let mut tasks = Vec::new();
    for task in 0..TASKS {
        let producer = producer.clone();
        tasks.push(tokio::spawn(async move {
            let mut draw = Draw(task);
            let (mut accepted, mut deliveries) = (Vec::new(), Vec::new());
            for number in 0..1_500 {
                let value = format!("{task} {number} {}", "x".repeat(draw.below(600) as usize));
                let record = Record::new("t", &value).partition((task % 3) as i32);
                let patience = Duration::from_micros(draw.below(3_000));
                // Dropped where it stands when patience is over.
                if let Ok(Ok(delivery)) =
                    tokio::time::timeout(patience, producer.send(record)).await
                {
                    accepted.push(value);
                    deliveries.push(delivery);
                }
            }
            for delivery in deliveries {
                delivery.await.unwrap();
            }
            accepted
        }));
    }
    let mut all = 0;
    for (task, accepted) in tasks.into_iter().enumerate() {
        let accepted = accepted.await.unwrap();
        all += accepted.len();
        let mut log = cluster.log((task % 3) as i32);
        log.retain(|value| value.starts_with(&format!("{task} ")));
        assert!(log == accepted, "task {task}");
    }
    assert_eq!(cluster.records(), all);
    assert!(all > 1_000, "{all}");
    assert_eq!(producer.stats().waiting, 0);
}
