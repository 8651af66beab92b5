//! Brokers that refuse, that are not where they say, or that are none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ottla::message::{AdminApi, Api, ErrorCode};
use ottla_admin::{Admin, Change, Error, ErrorKind, NewTopic};
use ottla_broker::{Action, Address, Cluster, Config, Listener, Profile, Reload, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::support::{client, client_of, code, like, one};

const NOT_CONTROLLER: ErrorCode = ErrorCode(41);

fn new_topic(name: &str) -> NewTopic {
    NewTopic::new(name).partitions(1).replication_factor(1)
}

/// The first requests that change something come to this; then all is well.
fn hook(server: &Server, actions: &[Action]) -> Arc<AtomicU32> {
    let count = Arc::new(AtomicU32::new(0));
    let actions = actions.to_vec();
    let next = {
        let count = Arc::clone(&count);
        move || {
            let place = count.fetch_add(1, Ordering::Relaxed);
            actions.get(place as usize).cloned().unwrap_or(Action::Proceed)
        }
    };
    let of_admin = next.clone();
    server.with(|cluster, _| {
        cluster.set_hook(move |seen| match seen.api {
            Api::CreateTopics => next(),
            _ => Action::Proceed,
        });
        cluster.set_admin_hook(move |seen| match seen.api {
            AdminApi::DeleteTopics | AdminApi::IncrementalAlterConfigs => of_admin(),
            _ => Action::Proceed,
        });
    });
    count
}

#[tokio::test]
async fn who_is_not_the_controller_is_asked_again() {
    let server = like(Profile::V4_1);
    let count = hook(&server, &[Action::Refuse(NOT_CONTROLLER), Action::Refuse(ErrorCode(89))]);
    one(client(&server).create_topics(&[new_topic("new")], false).await).unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 3);
}

/// A controller that steps down may have carried out what it refuses: what is said of the next
/// attempt then proves nothing.
#[tokio::test]
async fn what_is_so_already_may_be_our_own_doing() {
    let server = like(Profile::V4_1);
    hook(&server, &[Action::AnswerAfter(NOT_CONTROLLER)]);
    let admin = client(&server);
    let error = one(admin.create_topics(&[new_topic("new")], false).await).unwrap_err();
    assert!(error.may_be_done(), "{error}");
    let text = error.to_string();
    for part in ["topic new: it may have been done", "NOT_CONTROLLER (41)", "EXISTS (36)"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    hook(&server, &[Action::AnswerAfter(NOT_CONTROLLER)]);
    let error = one(admin.delete_topics(&["new"]).await).unwrap_err();
    assert!(error.may_be_done(), "{error}");
    assert!(error.to_string().contains("UNKNOWN_TOPIC_OR_PARTITION (3)"), "{error}");
}

/// Whatever the code is that the next attempt comes to.
#[tokio::test]
async fn what_was_perhaps_done_is_not_told_as_refused_by_a_later_answer() {
    let server = like(Profile::V4_1);
    hook(&server, &[Action::AnswerAfter(NOT_CONTROLLER), Action::Refuse(ErrorCode(44))]);
    let set = Change::Set("retention.ms".to_owned(), "1000".to_owned());
    let error = client(&server).alter_configs("t", &[set], false).await.unwrap_err();
    assert!(error.may_be_done(), "{error:?}");
    let text = error.to_string();
    for part in ["topic t: it may have been done", "NOT_CONTROLLER (41)", "POLICY_VIOLATION (44)"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}

#[tokio::test]
async fn a_controller_that_goes_on_may_succeed() {
    let server = like(Profile::V4_1);
    let count = hook(&server, &[Action::AnswerAfter(ErrorCode::REQUEST_TIMED_OUT)]);
    let error = one(client(&server).create_topics(&[new_topic("new")], false).await).unwrap_err();
    assert!(error.may_be_done(), "{error}");
    assert!(error.to_string().contains("REQUEST_TIMED_OUT (7)"), "{error}");
    assert_eq!(count.load(Ordering::Relaxed), 1, "it is not repeated");
}

#[tokio::test]
async fn what_is_refused_for_good_is_told_at_once() {
    let server = like(Profile::V4_1);
    let count = hook(&server, &[Action::Refuse(ErrorCode(29)), Action::Refuse(ErrorCode(44))]);
    let admin = client(&server);
    assert_eq!(code(one(admin.create_topics(&[new_topic("new")], false).await)), 29);
    assert_eq!(code(one(admin.delete_topics(&["t"]).await)), 44);
    assert_eq!(count.load(Ordering::Relaxed), 2);
}

/// Those who mean "for ever" give the longest times that there are.
#[tokio::test]
async fn the_longest_times_are_no_panic() {
    let server = like(Profile::V4_1);
    hook(&server, &[Action::Refuse(NOT_CONTROLLER)]);
    let bootstrap = server.addresses()[0].to_string();
    let builder = Admin::builder().bootstrap_servers(bootstrap).api_timeout(Duration::MAX);
    let builder = builder.request_timeout(Duration::MAX).connection_setup_timeout(Duration::MAX);
    let admin = builder.clone().retry_backoff(Duration::from_millis(5)).build().unwrap();
    one(admin.create_topics(&[new_topic("new")], false).await).unwrap();
    // A pause that is about as long as the call: one of them ends first, or the caller has enough.
    hook(&server, &[Action::Refuse(NOT_CONTROLLER)]);
    let admin = builder.retry_backoff(Duration::MAX).build().unwrap();
    let topics = [new_topic("newer")];
    let call = admin.create_topics(&topics, false);
    if let Ok(results) = tokio::time::timeout(Duration::from_millis(200), call).await {
        one(results).unwrap_err();
    }
}

#[tokio::test]
async fn a_call_ends_in_time_and_says_what_was_last() {
    let server = like(Profile::V4_1);
    hook(&server, &vec![Action::Refuse(NOT_CONTROLLER); 10_000]);
    let limit = Duration::from_millis(300);
    let bootstrap = server.addresses()[0].to_string();
    let builder =
        Admin::builder().bootstrap_servers(bootstrap).retry_backoff(Duration::from_millis(5));
    let admin = builder.clone().api_timeout(limit).build().unwrap();
    let began = Instant::now();
    let error = one(admin.create_topics(&[new_topic("new")], false).await).unwrap_err();
    assert!(began.elapsed() < limit * 3, "{:?}", began.elapsed());
    assert!(error.to_string().contains("NOT_CONTROLLER (41)"), "{error}");
    // A check leaves nothing open.
    let error = one(admin.create_topics(&[new_topic("new")], true).await).unwrap_err();
    assert_eq!(error.code(), Some(NOT_CONTROLLER));

    let count = hook(&server, &vec![Action::Refuse(NOT_CONTROLLER); 10_000]);
    let admin = builder.retries(2).build().unwrap();
    one(admin.create_topics(&[new_topic("new")], false).await).unwrap_err();
    assert_eq!(count.load(Ordering::Relaxed), 3, "once, and two repetitions");
}

/// Over TCP a request can still be written into a connection that the broker has ended, and
/// nobody would know what became of it. Here a repetition is not allowed.
#[tokio::test]
async fn nothing_is_sent_into_a_connection_that_has_ended() {
    let server = like(Profile::V4_1);
    let builder = Admin::builder().bootstrap_servers(server.addresses()[0].to_string());
    let admin = builder.retries(0).build().unwrap();
    for round in 0..3 {
        let name = format!("new-{round}");
        one(admin.create_topics(&[new_topic(&name)], false).await).unwrap();
        server.with(|cluster, now| {
            cluster.kill(now, 1).unwrap();
            cluster.restart(now, 1, Reload::All).unwrap();
        });
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// An address at which nobody listens.
async fn closed() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

#[tokio::test]
async fn every_address_is_tried_in_turn() {
    let server = like(Profile::V4_1);
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_address = silent.local_addr().unwrap();
    let good = server.addresses()[2];
    let bootstrap = format!("{},{silent_address},{good}", closed().await);
    let began = Instant::now();
    assert_eq!(client_of(&bootstrap).cluster().await.unwrap().brokers.len(), 3);
    // Only the silent one was waited for, and not for long.
    let took = began.elapsed();
    assert!((Duration::from_millis(900)..Duration::from_secs(5)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn addresses_that_are_of_no_use_are_named_with_what_is_wrong() {
    let (a, b) = (closed().await, closed().await);
    let web = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let web_address = web.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = web.accept().await {
            let _ = stream.read(&mut [0; 1_024]).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let builder = Admin::builder().bootstrap_servers(format!("{a},{b},{web_address}"));
    let admin = builder.api_timeout(Duration::from_millis(400)).build().unwrap();
    let error: Error = admin.topics().await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error.kind(), ErrorKind::Unreachable(_)), "{error:?}");
    assert!(text.starts_with("no broker answered within 400 ms: "), "{text}");
    for part in [&a, &b, &web_address] {
        assert!(text.contains(part.as_str()), "no {part} in {text}");
    }
    assert!(text.contains("as an HTTP server does"), "{text}");
}

/// An answer whose size no memory is to be given to.
#[tokio::test]
async fn an_answer_that_is_too_large_is_refused() {
    let broker = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = broker.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = broker.accept().await {
            let _ = stream.read(&mut [0; 1_024]).await;
            // The versions of this API and of Metadata, then a large answer.
            let versions = [0, 0, 0, 22, 0, 0, 0, 1, 0, 0, 3, 0, 18, 0, 0, 0, 4, 0];
            let versions = [&versions[..], &[0, 3, 0, 4, 0, 13, 0, 0, 0, 0, 0, 0][..]].concat();
            let size = u32::try_from(versions.len() - 4).unwrap().to_be_bytes();
            let _ = stream.write_all(&[&size[..], &versions[4..]].concat()).await;
            let _ = stream.read(&mut [0; 1_024]).await;
            let _ = stream.write_all(&(ottla_admin::FRAME_MAX + 1).to_be_bytes()).await;
        }
    });
    let error = client_of(&address).cluster().await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("announced a frame larger than any Kafka answer"), "{text}");
    assert!(text.contains(&address), "{text}");
}

/// R15.
#[tokio::test]
async fn r15_an_advertised_address_that_is_wrong_is_named() {
    let elsewhere = closed().await;
    let port = elsewhere.rsplit_once(':').unwrap().1.parse().unwrap();
    let advertised = vec![Address { host: "127.0.0.1".to_owned(), port }];
    let listener = Listener { bind: Vec::new(), advertised };
    let cluster = Cluster::new(Config::new(1));
    let server = Server::start_listeners(cluster, &[listener]).unwrap();
    let builder = Admin::builder().bootstrap_servers(server.addresses()[0].to_string());
    let admin = builder.api_timeout(Duration::from_millis(400)).build().unwrap();
    let error = one(admin.create_topics(&[new_topic("new")], false).await).unwrap_err();
    let text = error.to_string();
    let expected = format!("bootstrap answered, but broker 1 advertises {elsewhere}: ");
    assert!(text.contains(&expected), "{text}");
    assert!(matches!(error.kind(), ErrorKind::Unreachable(_)), "nothing was done: {error:?}");
}
