//! What people read when something is wrong: one test for each way.

use std::time::Duration;

use ottla::message::ErrorCode;
use ottla::message::produce::broker::RecordError;
use ottla_tokio::{Cause, ConnectError, Doubt, Reason, Record, Refused, SendError, SendErrorKind};
use tokio::time::Instant;

use crate::cluster::{Cluster, at_once, settle, unresolved};

fn refused(error: &SendError) -> Refused {
    match error.kind() {
        SendErrorKind::Refused(refused) => refused,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_does_not_exist() {
    let (_cluster, producer) = Cluster::start(|builder| builder);
    let began = Instant::now();
    let error = producer.send(Record::new("orders", "v").key("k")).await.unwrap_err();
    assert_eq!(began.elapsed().as_secs(), 60);
    assert_eq!(refused(&error), Refused::TopicUnknown);
    assert_eq!(error.topic(), Some("orders"));
    assert_eq!(
        error.to_string(),
        "topic orders is not known after 60000 ms: the brokers answered without its partitions \
         (UNKNOWN_TOPIC_OR_PARTITION, or no leader is elected)"
    );
    let error = producer.try_send(Record::new("orders", "v")).unwrap_err();
    assert_eq!(error.to_string(), "topic orders is not known yet");
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_may_not_be_used() {
    let (cluster, producer) = Cluster::start(|builder| builder);
    let code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    cluster.with(|script| script.failed.insert("secret".to_owned(), code));
    let began = Instant::now();
    let error = producer.send(Record::new("secret", "v")).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(
        error.to_string(),
        "topic secret cannot be used: the broker answered TOPIC_AUTHORIZATION_FAILED (29)"
    );
}

#[tokio::test(start_paused = true)]
async fn a_topic_name_that_is_not_legal() {
    let (_cluster, producer) = Cluster::start(|builder| builder);
    let expected = "topic name \"my topic\" is not legal: it takes 1 to 249 characters out of \
                    letters, digits, '.', '_' and '-', and is neither \".\" nor \"..\"";
    assert_eq!(producer.topic("my topic").unwrap_err().to_string(), expected);
    let error = producer.send(Record::new("my topic", "v")).await.unwrap_err();
    assert_eq!(error.to_string(), expected);
    assert!(producer.topic(&"x".repeat(100_000)).unwrap_err().to_string().len() < 500);
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_does_not_exist() {
    let (_cluster, producer) = Cluster::start(at_once);
    producer.send(Record::new("t", "v")).await.unwrap().await.unwrap();
    let error = producer.try_send(Record::new("t", "v").partition(7)).unwrap_err();
    assert_eq!(error.partition(), Some(7));
    assert_eq!(error.to_string(), "topic t has no partition 7, it has 3, as far as is known");
    // No topic will ever have it.
    let began = Instant::now();
    let error = producer.send(Record::new("t", "v").partition(-1)).await.unwrap_err();
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(error.to_string(), "topic t has no partition -1, it has 3, as far as is known");
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_turns_out_not_to_exist() {
    let (_cluster, producer) = Cluster::start(|builder| builder);
    // Accepted at the caller's word, before metadata (R16).
    let delivery = producer.send(Record::new("t", "v").partition(99)).await.unwrap();
    let error = delivery.await.unwrap_err();
    let said = error.to_string();
    assert!(said.starts_with("a record for t-99 is not written: "), "{said}");
    assert!(said.contains("the topic has "), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_too_large() {
    let (_cluster, producer) = Cluster::start(|builder| builder.max_request_size(1_000));
    let value = "x".repeat(1_000);
    let error = producer.send(Record::new("t", &value)).await.unwrap_err();
    assert_eq!(refused(&error), Refused::LargerThanRequest);
    assert_eq!(
        error.to_string(),
        "the record takes up to 1086 bytes, which is above max.request.size (1000)"
    );
}

#[tokio::test(start_paused = true)]
async fn a_timestamp_that_is_not_legal() {
    let (_cluster, producer) = Cluster::start(|builder| builder);
    let error = producer.send(Record::new("t", "v").timestamp(-1)).await.unwrap_err();
    assert_eq!(error.to_string(), "a record for t has a timestamp below zero");
}

#[tokio::test(start_paused = true)]
async fn a_handle_of_another_producer() {
    let (_cluster, one) = Cluster::start(|builder| builder);
    let (_cluster, other) = Cluster::start(|builder| builder);
    let topic = one.topic("t").unwrap();
    let error = other.send(Record::new(&topic, "v")).await.unwrap_err();
    assert_eq!(error.to_string(), "the handle of topic t was made by another producer");
    assert_eq!(other.partition_count(&topic), 0);
}

#[tokio::test(start_paused = true)]
async fn a_producer_that_is_closed() {
    let (_cluster, producer) = Cluster::start(|builder| builder);
    producer.close(Duration::from_secs(1)).await;
    let error = producer.send(Record::new("t", "v")).await.unwrap_err();
    assert_eq!(error.to_string(), "the producer is closed");
    assert_eq!(refused(&producer.try_send(Record::new("t", "v")).unwrap_err()), Refused::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_cannot_be_reached() {
    let (cluster, producer) = Cluster::start(|builder| builder);
    let refusal = ConnectError::new(Reason::Refused, "Connection refused (os error 111)");
    cluster.with(|script| script.unreachable.insert("boot".to_owned(), refusal));
    let error = producer.send(Record::new("t", "v").key("k")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "topic t is not known after 60000 ms: no broker of bootstrap.servers answered: last was \
         boot:9092, which does not accept connections (Connection refused (os error 111))"
    );
}

#[tokio::test(start_paused = true)]
async fn r15_an_advertised_address_that_cannot_be_reached() {
    let (cluster, producer) = Cluster::start(|builder| builder.buffer_memory(40_000));
    cluster.with(|script| {
        script.advertised = ("kafka", 9092);
        script.unreachable.insert("kafka".to_owned(), unresolved());
    });
    let hint = "bootstrap answered, but broker 1 advertises kafka:9092, which does not resolve";
    let value = "x".repeat(30_000);
    let delivery = producer.send(Record::new("t", &value)).await.unwrap();
    let error = producer.send(Record::new("t", &value)).await.unwrap_err();
    assert_eq!(error.hint(), Some(hint));
    assert!(error.to_string().ends_with(&format!("raise buffer.memory or slow down; {hint}")));
    let error = delivery.await.unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::NotWritten(Cause::Timeout));
    let partition = error.partition().unwrap();
    assert_eq!(
        error.to_string(),
        format!("a record for t-{partition} is not written: delivery.timeout.ms is over; {hint}")
    );
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_the_broker_refuses() {
    let (cluster, producer) = Cluster::start(|builder| builder);
    cluster.with(|script| script.code = ErrorCode::MESSAGE_TOO_LARGE);
    let delivery = producer.send(Record::new("t", "v").partition(0)).await.unwrap();
    let error = delivery.await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "a record for t-0 is not written: the broker answered MESSAGE_TOO_LARGE (10)"
    );
    assert!(!error.may_be_written());
}

#[tokio::test(start_paused = true)]
async fn records_that_the_broker_names_kip_467() {
    let (cluster, producer) = Cluster::start(|builder| builder);
    cluster.with(|script| {
        script.code = ErrorCode::INVALID_RECORD;
        let bad = RecordError { index: 1, text: Some("no key".to_owned()) };
        let silent = RecordError { index: 2, text: None };
        script.complaints = (vec![bad, silent], Some("2 records are bad".to_owned()));
    });
    let records = ["a", "b", "c"].map(|value| Record::new("t", value).partition(0));
    let outcomes = producer.send_many(records).await.unwrap().await;
    let errors: Vec<SendError> = outcomes.iter().map(Result::unwrap_err).collect();
    let told: Vec<_> = errors.iter().map(|e| (e.is_bystander(), e.complaint().unwrap())).collect();
    let expected = [(true, "2 records are bad"), (false, "no key"), (false, "2 records are bad")];
    assert_eq!(told, expected);
    assert_eq!(
        errors[0].to_string(),
        "a record for t-0 is not written: the broker answered INVALID_RECORD (87); the broker \
         refused the batch for other records in it; the broker says: 2 records are bad"
    );
    assert_eq!(outcomes.all().unwrap_err().to_string(), errors[0].to_string());
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_nobody_knows() {
    let (cluster, producer) = Cluster::start(|builder| {
        builder.request_timeout(Duration::from_secs(1)).delivery_timeout(Duration::from_secs(9))
    });
    cluster.hold();
    let delivery = producer.send(Record::new("t", "v").partition(0)).await.unwrap();
    let error = delivery.await.unwrap_err();
    let SendErrorKind::Unknown(Cause::Timeout, Doubt::Disconnected) = error.kind() else {
        panic!("{error:?}");
    };
    assert!(error.may_be_written());
    assert_eq!(
        error.to_string(),
        "a record for t-0 may or may not be written: delivery.timeout.ms is over, and the \
         connection ended before an answer; broker 1 is lost: node:9092, which did not answer \
         within request.timeout.ms"
    );
}

#[tokio::test(start_paused = true)]
async fn one_bad_record_among_many() {
    let (cluster, producer) = Cluster::start(|builder| builder.max_request_size(1_000));
    let large = "x".repeat(1_000);
    let mut values = vec!["v"; 100];
    values[70] = &large;
    let records = values.iter().map(|value| Record::new("t", *value).partition(0));
    let error = producer.send_many(records).await.unwrap_err();
    assert_eq!(error.index(), 70);
    assert_eq!(
        error.to_string(),
        "record 70 of several: the record takes up to 1086 bytes, which is above \
         max.request.size (1000)"
    );
    error.accepted.await.all().unwrap();
    assert_eq!(cluster.records(), 70);

    let names = [&["t"; 9][..], &["no such/name"]].concat();
    let records = names.iter().map(|name| Record::new(*name, "v").partition(0));
    let error = producer.send_many(records).await.unwrap_err();
    assert_eq!((error.index(), refused(&error.error)), (9, Refused::IllegalName));
    error.accepted.await.all().unwrap();
    settle().await;
    assert_eq!(cluster.records(), 79);
}
