//! Interceptors and figures under trouble, over TCP and with several threads: whatever becomes of
//! records, each outcome is told once, and all who count come to the same sums.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ottla::message::{Api, ErrorCode};
use ottla_broker::{Action, Cluster, Config, NewTopic, Server, Silence, UpTo};
use ottla_tokio::{
    Acknowledgement, Interceptor, Outgoing, Producer, Record, SendError, SendErrorKind,
};

const TASKS: u64 = 6;
const ROUNDS: i32 = 30;

/// Numbers of records by what became of them.
#[derive(Default)]
struct Sums {
    sent: AtomicU64,
    written: AtomicU64,
    not_written: AtomicU64,
    unknown: AtomicU64,
    refused: AtomicU64,
}

impl Sums {
    fn add(&self, failure: Option<SendErrorKind>, records: u64) {
        let sum = match failure {
            None => &self.written,
            Some(SendErrorKind::NotWritten(_)) => &self.not_written,
            Some(SendErrorKind::Unknown(..)) => &self.unknown,
            Some(_) => &self.refused,
        };
        sum.fetch_add(records, Ordering::Relaxed);
    }

    fn add_error(&self, error: &SendError) {
        self.add(Some(error.kind()), 1);
    }

    /// Written, not written, unknown, refused.
    fn read(&self) -> [u64; 4] {
        [&self.written, &self.not_written, &self.unknown, &self.refused]
            .map(|sum| sum.load(Ordering::Relaxed))
    }
}

#[derive(Clone, Default)]
struct Book(Arc<Sums>);

impl Interceptor for Book {
    fn on_send(&self, record: &mut Outgoing<'_>) {
        self.0.sent.fetch_add(1, Ordering::Relaxed);
        record.add_header("seen", "1");
    }

    fn on_acknowledgement(&self, run: &Acknowledgement<'_>) {
        self.0.add(run.failure(), run.records().into());
    }
}

/// One of five Produce requests meets some trouble.
fn trouble(server: &Server) {
    let mut number = 0_usize;
    let troubles = [
        Action::Close,
        Action::Swallow(Silence::Close),
        Action::Refuse(ErrorCode::INVALID_TIMESTAMP),
        Action::Refuse(ErrorCode::NOT_LEADER_OR_FOLLOWER),
        Action::AnswerAfter(ErrorCode::NETWORK_EXCEPTION),
        Action::DelayAnswer(20_000),
        Action::LeaveOut,
    ];
    server.with(|cluster, _| {
        cluster.set_hook(move |seen| {
            if seen.api != Api::Produce {
                return Action::Proceed;
            }
            number += 1;
            match number.is_multiple_of(5) {
                true => troubles[number / 5 % troubles.len()].clone(),
                false => Action::Proceed,
            }
        });
    });
}

/// Sends records by every call, and adds up what the calls and the deliveries say.
async fn send(producer: Producer, seen: Arc<Sums>, posted: Arc<AtomicU64>) {
    let value = [b'x'; 300];
    for round in 0..ROUNDS {
        let record = Record::new("t", &value).partition(round % 3);
        match producer.send(record).await {
            Ok(delivery) => {
                let outcome = delivery.await;
                seen.add(outcome.err().map(|error| error.kind()), 1);
            }
            Err(error) => seen.add_error(&error),
        }
        match producer.send_many([record; 20]).await {
            Ok(deliveries) => {
                for outcome in deliveries.await.iter() {
                    seen.add(outcome.err().map(|error| error.kind()), 1);
                }
            }
            Err(error) => panic!("nothing is refused here: {error}"),
        }
        match producer.post(record).await {
            Ok(()) => {
                posted.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => seen.add_error(&error),
        }
        // Refused, always.
        let error = producer.try_send(Record::new("t", "v").timestamp(-1)).unwrap_err();
        seen.add_error(&error);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_who_count_outcomes_come_to_the_same_sums() {
    let mut cluster = Cluster::new(Config::new(1));
    cluster.create_topic(&NewTopic::new("t", 3, 1)).expect("a new topic");
    let server = Server::start(cluster, &[]).expect("free ports");
    trouble(&server);
    let book = Book::default();
    let producer = Producer::builder()
        .bootstrap_servers(server.addresses()[0].to_string())
        .interceptor(book.clone())
        .linger(Duration::from_millis(1))
        .batch_size(2_000)
        .retries(2)
        .retry_backoff(Duration::from_millis(5))
        .reconnect_backoff(Duration::from_millis(5))
        .build()
        .unwrap();
    let (seen, posted) = (Arc::new(Sums::default()), Arc::new(AtomicU64::new(0)));
    let senders = (0..6)
        .map(|_| tokio::spawn(send(producer.clone(), Arc::clone(&seen), Arc::clone(&posted))));
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    producer.close(Duration::from_secs(30)).await;
    let [written, not_written, unknown, refused] = book.0.read();
    let counters = producer.stats().counters;
    assert_eq!(
        [written, not_written, unknown],
        [counters.written, counters.not_written, counters.unknown]
    );
    let metrics = producer.metrics();
    assert_eq!(metrics.get("record-refused-total"), Some(refused as f64));
    assert_eq!(metrics.get("record-failed-total"), Some((not_written + unknown) as f64));
    let errors = (refused + not_written + unknown) as f64;
    assert_eq!(metrics.get("record-error-total"), Some(errors));
    // Those who waited saw the same, but for records that nobody waited for.
    let waited: u64 = seen.read().iter().sum();
    let all = written + not_written + unknown + refused;
    assert_eq!(all, waited + posted.load(Ordering::Relaxed));
    assert_eq!(all, book.0.sent.load(Ordering::Relaxed));
    assert_eq!(all, TASKS * ROUNDS as u64 * 23);
    assert_eq!(refused, TASKS * ROUNDS as u64);
    assert!(written > 0 && not_written > 0 && unknown > 0, "{written} {not_written} {unknown}");
    // What is said to be written is there, and it is what the interceptor made of it.
    let logged = server.with(|cluster, _| {
        let records = cluster.records("t", UpTo::HighWatermark);
        let headers = records.map(|r| r.expect("a readable record").record.headers().count());
        let headers: Vec<usize> = headers.collect();
        assert!(headers.iter().all(|count| *count == 1));
        headers.len() as u64
    });
    assert!((written..=written + unknown).contains(&logged), "{written} {unknown} {logged}");
}
