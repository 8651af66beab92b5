//! The examples, against the development broker over TCP.

use ottla::message::{Api, ErrorCode};
use ottla_broker::{Action, Cluster, Config, Server, UpTo};

#[allow(dead_code, reason = "its main function is not called here")]
#[path = "../examples/callback.rs"]
mod callback;
#[allow(dead_code, reason = "its main function is not called here")]
#[path = "../examples/fire_and_forget.rs"]
mod fire_and_forget;
#[cfg(feature = "json")]
#[allow(dead_code, reason = "its main function is not called here")]
#[path = "../examples/json.rs"]
mod json;
#[allow(dead_code, reason = "its main function is not called here")]
#[path = "../examples/synchronous.rs"]
mod synchronous;

/// A broker that makes topics when somebody asks for them, as Kafka does by default.
fn broker() -> (Server, String) {
    let server = Server::start(Cluster::new(Config::new(1)), &[]).expect("free ports");
    let address = server.addresses()[0].to_string();
    (server, address)
}

/// Keys and values of a topic, partition by partition.
fn log(server: &Server, topic: &str) -> Vec<(Option<String>, Option<String>)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    server.with(|cluster, _| {
        let records = cluster.records(topic, UpTo::HighWatermark);
        let records = records.map(|record| record.expect("a readable record").record);
        records.map(|record| (record.key.map(text), record.value.map(text))).collect()
    })
}

#[tokio::test]
async fn fire_and_forget_writes_every_record() {
    let (server, address) = broker();
    fire_and_forget::run(&address).await.unwrap();
    let mut values: Vec<u32> =
        log(&server, "readings").into_iter().map(|(_, v)| v.unwrap().parse().unwrap()).collect();
    values.sort_unstable();
    assert_eq!(values, (0..1_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn synchronous_writes_in_order() {
    let (server, address) = broker();
    synchronous::run(&address).await.unwrap();
    let expected = (0..10).map(|n| (Some("customer-7".to_owned()), Some(format!("order {n}"))));
    assert_eq!(log(&server, "orders"), expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn callback_hears_of_every_record() {
    let (server, address) = broker();
    assert_eq!(callback::run(&address).await.unwrap(), 10_000);
    assert_eq!(log(&server, "clicks").len(), 10_000);
}

#[tokio::test]
async fn callback_fails_when_it_hears_of_records_that_are_not_written() {
    let (server, address) = broker();
    server.with(|cluster, _| {
        cluster.set_hook(|seen| match seen.api {
            Api::Produce => Action::Refuse(ErrorCode::INVALID_TIMESTAMP),
            _ => Action::Proceed,
        });
    });
    let error = callback::run(&address).await.unwrap_err();
    assert_eq!(error.to_string(), "10000 records are not known to be written");
}

#[cfg(feature = "json")]
#[tokio::test]
async fn json_writes_json_and_a_tombstone() {
    let (server, address) = broker();
    json::run(&address).await.unwrap();
    let log = log(&server, "payments");
    let first = r#"{"account":"DE-17","cents":1250}"#.to_owned();
    assert!(log.contains(&(Some("DE-17".to_owned()), Some(first))), "{log:?}");
    assert!(log.contains(&(Some("DE-16".to_owned()), None)), "{log:?}");
    assert_eq!(log.len(), 4);
}
