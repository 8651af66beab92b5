//! Where connections go to: mapped addresses, and back to the first ones.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ottla::message::ErrorCode;
use ottla_tokio::{ConnectError, Reason, Record};

use crate::cluster::{Cluster, at_once};

#[tokio::test(start_paused = true)]
async fn connections_go_where_addresses_are_mapped_to() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&seen);
    let (cluster, producer) = Cluster::start(|builder| {
        at_once(builder).map_address(move |broker, host, port| {
            asked.lock().unwrap().push((broker, host.to_owned(), port));
            match broker {
                Some(id) => ("localhost".to_owned(), 19_092 + id as u16),
                None => ("tunnel".to_owned(), port),
            }
        })
    });
    producer.send(Record::new("t", "v").partition(0)).await.unwrap().await.unwrap();
    assert_eq!(cluster.log(0), ["v"]);
    assert_eq!(cluster.with(|script| script.calls.clone()), ["tunnel:9092", "localhost:19093"]);
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen, [(None, "boot".to_owned(), 9092), (Some(1), "node".to_owned(), 9092)]);
}

#[tokio::test(start_paused = true)]
async fn errors_name_the_advertised_address_and_the_mapped_one() {
    let (cluster, producer) = Cluster::start(|builder| {
        at_once(builder).map_address(|broker, host, port| match broker {
            Some(_) => ("forwarded".to_owned(), 1_234),
            None => (host.to_owned(), port),
        })
    });
    let refusal = ConnectError::new(Reason::Refused, "");
    cluster.with(|script| script.unreachable.insert("forwarded".to_owned(), refusal));
    let delivery = producer.send(Record::new("t", "v").partition(0)).await.unwrap();
    let error = delivery.await.unwrap_err();
    assert_eq!(
        error.hint(),
        Some(
            "bootstrap answered, but broker 1 advertises node:9092, mapped to forwarded:1234, \
             which does not accept connections"
        )
    );
    assert!(error.to_string().ends_with(error.hint().unwrap()), "{error}");

    // What is mapped to itself is not worth a word.
    let (cluster, producer) = Cluster::start(|builder| {
        let builder = builder.max_block(Duration::from_secs(1));
        builder.map_address(|_, host, port| (host.to_owned(), port))
    });
    let refusal = ConnectError::new(Reason::Refused, "");
    cluster.with(|script| script.unreachable.insert("boot".to_owned(), refusal));
    let error = producer.send(Record::new("t", "v")).await.unwrap_err();
    assert_eq!(
        error.hint(),
        Some(
            "no broker of bootstrap.servers answered: last was boot:9092, which does not accept \
             connections"
        )
    );
}

#[tokio::test(start_paused = true)]
async fn a_map_that_panics_makes_connections_fail_and_nothing_else() {
    let broken = Arc::new(Mutex::new(true));
    let state = Arc::clone(&broken);
    let (cluster, producer) = Cluster::start(|builder| {
        let builder = at_once(builder).max_block(Duration::from_secs(1));
        builder.map_address(move |_, host, port| {
            let broken = *state.lock().unwrap();
            assert!(!broken, "no tunnel to {host}");
            (host.to_owned(), port)
        })
    });
    let error = producer.send(Record::new("t", "v")).await.unwrap_err();
    assert_eq!(
        error.hint(),
        Some(
            "no broker of bootstrap.servers answered: last was boot:9092, which does not resolve \
             (the function of map_address panicked: no tunnel to boot)"
        )
    );
    *broken.lock().unwrap() = false;
    producer.send(Record::new("t", "v").partition(1)).await.unwrap().await.unwrap();
    assert_eq!(cluster.log(1), ["v"]);
}

#[tokio::test(start_paused = true)]
async fn without_metadata_for_too_long_the_producer_begins_again_if_it_may() {
    for may in [true, false] {
        let (cluster, producer) = Cluster::start(|builder| {
            let builder = at_once(builder).rebootstrap(may);
            builder.rebootstrap_trigger(Duration::from_secs(20)).max_block(Duration::from_secs(60))
        });
        producer.send(Record::new("t", "v").partition(0)).await.unwrap().await.unwrap();
        // Brokers accept connections, but have nothing to tell.
        cluster.with(|script| {
            script.metadata_code = ErrorCode::UNKNOWN_SERVER_ERROR;
            script.calls.clear();
        });
        let sender = producer.clone();
        let sent = tokio::spawn(async move { sender.post(Record::new("new", "v")).await });
        tokio::time::sleep(Duration::from_secs(19)).await;
        assert!(cluster.with(|script| script.calls.is_empty()));
        tokio::time::sleep(Duration::from_secs(5)).await;
        let calls = cluster.with(|script| script.calls.clone());
        assert_eq!(calls.first().map(String::as_str), may.then_some("boot:9092"));
        cluster.with(|script| {
            script.metadata_code = ErrorCode::NONE;
            script.topics.insert("new".to_owned(), 1);
        });
        sent.await.unwrap().unwrap();
        // The same cluster: nothing is lost.
        let written = producer.send(Record::new("t", "v").partition(0)).await.unwrap();
        assert_eq!(written.await.unwrap().offset, Some(1));
    }
}

#[tokio::test(start_paused = true)]
async fn beginning_again_at_once_still_leaves_time_to_connect() {
    let (cluster, producer) =
        Cluster::start(|builder| at_once(builder).rebootstrap_trigger(Duration::ZERO));
    producer.send(Record::new("t", "v").partition(0)).await.unwrap().await.unwrap();
    assert_eq!(cluster.with(|script| script.calls.clone()), ["boot:9092", "node:9092"]);
}
