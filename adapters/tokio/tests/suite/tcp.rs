//! The same over real sockets.

use std::time::Duration;

use ottla_tokio::{Connector, Producer, Reason, Record, TcpConnector};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

#[tokio::test]
async fn every_address_of_a_name_is_tried() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // localhost may stand for ::1, too, where nobody listens.
    let connector = TcpConnector { send_buffer: Some(50_000), receive_buffer: Some(40_000) };
    let (made, accepted) = tokio::join!(connector.connect("localhost", port), listener.accept());
    let (stream, (mut far, _)) = (made.unwrap(), accepted.unwrap());
    assert!(stream.nodelay().unwrap());
    drop(stream);
    assert_eq!(far.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_refusal_names_the_address_and_the_system_s_words() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = TcpConnector::default().connect("127.0.0.1", port).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Refused);
    assert!(error.detail().starts_with(&format!("127.0.0.1:{port}: ")), "{error}");
}

#[tokio::test]
async fn a_name_that_does_not_resolve() {
    let error = TcpConnector::default().connect("no-such-host.invalid", 9092).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Unresolved);
}

#[tokio::test]
async fn a_peer_that_is_no_broker_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.writable().await.unwrap();
            stream.try_write(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        }
    });
    let builder = Producer::builder().bootstrap_servers(format!("127.0.0.1:{port}"));
    let producer = builder.max_block(Duration::from_millis(300)).build().unwrap();
    let error = producer.send(Record::new("t", "v")).await.unwrap_err();
    assert_eq!(
        error.hint().unwrap(),
        format!(
            "no broker of bootstrap.servers answered: last was 127.0.0.1:{port}, which is no use: \
             it answered as an HTTP server does"
        )
    );
}
