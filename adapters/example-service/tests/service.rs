//! The built service, against the development broker over TCP: what posts are answered, and that
//! nothing that it accepted is missing when it was told to end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ottla_broker::{Action, Cluster, Config, NewTopic, Server, Silence, UpTo};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// A broker with the topic `t` of three partitions.
fn broker() -> Server {
    let mut cluster = Cluster::new(Config::new(1));
    cluster.create_topic(&NewTopic::new("t", 3, 1)).expect("a new topic");
    Server::start(cluster, &[]).expect("free ports")
}

/// A service that runs; it is killed if the test ends before it does.
struct Service {
    child: Child,
    address: String,
}

impl Service {
    fn start(bootstrap: &str, properties: &[&str]) -> Self {
        let properties: Vec<&str> = properties.iter().flat_map(|it| ["-X", *it]).collect();
        Self::with(bootstrap, &properties)
    }

    fn with(bootstrap: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ottla-example-service"));
        command.args(["--listen", "127.0.0.1:0", "--drain", "3", "--bootstrap", bootstrap]);
        command.args(arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the service starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("its output is piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("listening at http://").expect(&line).to_owned();
        Self { child, address }
    }

    fn of(server: &Server, properties: &[&str]) -> Self {
        Self::start(&server.addresses()[0].to_string(), properties)
    }

    /// Status and body of an answer; none if the service does not answer.
    fn request(
        &self,
        method: &str,
        path: &str,
        header: &str,
        body: &[u8],
    ) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\
             Content-Length: {length}\r\n{header}\r\n"
        );
        stream.write_all(&[head.as_bytes(), body].concat()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    }

    fn post(&self, path: &str, header: &str, body: &[u8]) -> (u16, Value) {
        let (status, body) = self.request("POST", path, header, body).expect("an answer");
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    /// A post of which the service waits for the last byte, as long as the stream is kept.
    fn post_without_end(&self) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let head = b"POST /topics/t HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\n.";
        stream.write_all(head).expect("it reads");
        // So that it is there when the end comes.
        assert_eq!(self.get("/healthz").0, 200);
        thread::sleep(Duration::from_millis(100));
        stream
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.request("GET", path, "", b"").expect("an answer")
    }

    fn terminate(&self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).expect("it runs");
    }

    /// Whether it ended well.
    fn wait(&mut self) -> bool {
        self.child.wait().expect("it ends").success()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Partition, key and value of all records of `t`.
fn log(server: &Server) -> Vec<(i32, Option<String>, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    server.with(|cluster, _| {
        let records = cluster.records("t", UpTo::HighWatermark);
        let records = records.map(|record| record.expect("a readable record"));
        let entry = |record: ottla_broker::LogRecord<'_>| {
            let value = text(record.record.value.unwrap_or_default());
            (record.partition, record.record.key.map(text), value)
        };
        records.map(entry).collect()
    })
}

#[test]
fn a_post_is_answered_with_partition_and_offset() {
    let server = broker();
    let service = Service::of(&server, &[]);
    let (status, body) = service.post("/topics/t?partition=1&key=k", "", b"one");
    let written =
        |offset: u32| json!({"outcome": "written", "topic": "t", "partition": 1, "offset": offset});
    assert_eq!((status, body), (200, written(0)));
    let (status, body) = service.post("/topics/t?partition=1", "X-Record-Key: h\r\n", b"two");
    assert_eq!((status, body), (200, written(1)));
    assert_eq!(service.post("/topics/t?partition=1", "", b"").1, written(2));
    let key = |key: &str| Some(key.to_owned());
    assert_eq!(
        log(&server),
        [
            (1, key("k"), "one".to_owned()),
            (1, key("h"), "two".to_owned()),
            (1, None, String::new())
        ]
    );
    assert_eq!(service.get("/healthz"), (200, "ok\n".to_owned()));
    let (status, metrics) = service.get("/metrics");
    assert_eq!(status, 200);
    let line = |name: &str| {
        let start = format!("{name}{{client_id=\"producer-1\"}} ");
        let found = metrics.lines().find_map(|line| line.strip_prefix(start.as_str()));
        found.unwrap_or_else(|| panic!("no {name} in\n{metrics}")).to_owned()
    };
    assert_eq!(line("ottla_producer_record_written_total"), "3");
    assert_eq!(line("kafka_producer_record_error_total"), "0");
    assert_eq!(line("kafka_producer_buffer_total_bytes"), "33554432");
    assert!(metrics.contains("# TYPE kafka_producer_outgoing_byte_total counter"), "{metrics}");
    assert!(
        metrics.contains("# HELP kafka_producer_outgoing_byte_total bytes written"),
        "{metrics}"
    );
}

#[test]
fn what_is_wrong_with_a_post_is_told_from_what_is_wrong_with_the_cluster() {
    let server = broker();
    let service = Service::of(&server, &["max.block.ms=300", "max.request.size=2000"]);
    let (status, body) = service.post("/topics/no%20topic", "", b"v");
    assert_eq!((status, &body["outcome"]), (400, &json!("refused")), "{body}");
    // As long as the topic is not known, a record for any partition is accepted.
    assert_eq!(service.post("/topics/t", "", b"first").0, 200);
    let (status, body) = service.post("/topics/t?partition=7", "", b"v");
    assert_eq!(status, 404, "{body}");
    // With what stands around it, it is beyond max.request.size; the next one is by itself.
    assert_eq!(service.post("/topics/t", "", &[b'x'; 1_990]).0, 413);
    assert_eq!(service.post("/topics/t", "", &[b'x'; 3_000]).0, 413);
    assert_eq!(service.post("/topics/t?partition=x", "", b"v").0, 400);
    assert_eq!(service.get("/nothing").0, 404);
    assert_eq!(log(&server).len(), 1);
}

#[test]
fn not_written_and_unknown_are_told_apart() {
    let server = broker();
    let short = ["linger.ms=0", "request.timeout.ms=400", "delivery.timeout.ms=400"];
    let service = Service::of(&server, &short);
    assert_eq!(service.post("/topics/t?partition=0", "", b"first").0, 200);
    // Appended, and never answered.
    silence(&server);
    let (status, body) = service.post("/topics/t?partition=0", "", b"second");
    assert_eq!((status, &body["outcome"]), (504, &json!("unknown")), "{body}");
    let reason = body["reason"].as_str().unwrap();
    assert!(reason.starts_with("a record for t-0 may or may not be written: "), "{reason}");
    // Nobody is there any more.
    let gone = Service::start("127.0.0.1:1", &["max.block.ms=200"]);
    let (status, body) = gone.post("/topics/t", "", b"v");
    assert_eq!((status, &body["outcome"]), (503, &json!("refused")), "{body}");
    assert!(body["reason"].as_str().unwrap().contains("127.0.0.1:1"), "{body}");
    assert_eq!(gone.get("/healthz").0, 200, "it is the cluster that is not well");
}

#[test]
fn everything_that_was_accepted_is_in_the_log_when_it_has_ended() {
    let server = broker();
    // Batches wait for a while, so that records are under way when the end comes.
    let mut service = Service::of(&server, &["linger.ms=300"]);
    let posted = AtomicUsize::new(0);
    let accepted = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for poster in 0..8 {
            let (service, posted, accepted) = (&service, &posted, &accepted);
            scope.spawn(move || {
                for number in 0..100_000 {
                    let value = format!("{poster}-{number}");
                    let wait = if number % 3 == 0 { "true" } else { "false" };
                    let path = format!("/topics/t?wait={wait}");
                    // Without an answer nobody knows: such a record may be in the log.
                    let Some((status, body)) = service.request("POST", &path, "", value.as_bytes())
                    else {
                        return;
                    };
                    let answered = match wait {
                        "true" => (200, "written"),
                        _ => (202, "accepted"),
                    };
                    let body: Value = serde_json::from_str(&body).expect("JSON");
                    assert_eq!((status, body["outcome"].as_str()), (answered.0, Some(answered.1)));
                    accepted.lock().unwrap().push(value);
                    posted.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let began = Instant::now();
        while posted.load(Ordering::Relaxed) < 60 {
            assert!(began.elapsed() < Duration::from_secs(60), "posts are not answered");
            thread::sleep(Duration::from_millis(5));
        }
        service.terminate();
    });
    assert!(service.wait(), "it ended well");
    let accepted = accepted.into_inner().unwrap();
    let mut values: Vec<String> = log(&server).into_iter().map(|(.., value)| value).collect();
    let count = values.len();
    values.sort_unstable();
    values.dedup();
    assert_eq!(values.len(), count, "a record is there twice");
    let missing: Vec<_> = accepted.iter().filter(|v| values.binary_search(v).is_err()).collect();
    assert!(accepted.len() >= 60 && missing.is_empty(), "missing: {missing:?}");
}

/// Not one more answer to what is produced.
fn silence(server: &Server) {
    server.with(|cluster, _| {
        cluster.set_hook(|seen| match seen.api {
            ottla::message::Api::Produce => Action::Swallow(Silence::Stay),
            _ => Action::Proceed,
        });
    });
}

#[test]
fn an_end_with_records_that_fail_before_the_last_answer_says_so() {
    let server = broker();
    let short = ["linger.ms=200", "request.timeout.ms=500", "delivery.timeout.ms=700"];
    let mut service = Service::of(&server, &short);
    assert_eq!(service.post("/topics/t", "", b"v").0, 200);
    silence(&server);
    let open = service.post_without_end();
    assert_eq!(service.post("/topics/t?wait=false", "", b"lost").0, 202);
    service.terminate();
    // The record's own time is over while somebody still waits for an answer.
    thread::sleep(Duration::from_millis(1_500));
    drop(open);
    assert!(!service.wait(), "a record was given up, and the exit code says so");
}

#[test]
fn whoever_asks_for_its_health_can_see_that_it_is_about_to_end() {
    let server = broker();
    let mut service = Service::with(&server.addresses()[0].to_string(), &["--grace", "2"]);
    assert_eq!(service.get("/healthz"), (200, "ok\n".to_owned()));
    service.terminate();
    let began = Instant::now();
    // The signal takes a moment.
    while service.get("/healthz").0 == 200 {
        assert!(began.elapsed() < Duration::from_secs(1), "it does not say that it ends");
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(service.get("/healthz"), (503, "ending\n".to_owned()));
    // Who has not looked yet loses nothing.
    assert_eq!(service.post("/topics/t", "", b"late").0, 200);
    assert!(service.wait(), "it ended well");
    assert!(began.elapsed() >= Duration::from_secs(2), "it ended before its time");
    assert_eq!(service.request("GET", "/healthz", "", b""), None);
    assert_eq!(log(&server).len(), 1);
}

#[test]
fn failures_that_were_told_before_the_end_do_not_spoil_it() {
    let server = broker();
    let short = ["linger.ms=0", "request.timeout.ms=300", "delivery.timeout.ms=300"];
    let mut service = Service::of(&server, &short);
    assert_eq!(service.post("/topics/t", "", b"v").0, 200);
    silence(&server);
    assert_eq!(service.post("/topics/t", "", b"lost").0, 504);
    service.terminate();
    assert!(service.wait(), "nothing was under way");
}

#[test]
fn an_end_takes_no_longer_than_drain_for_requests_and_records_together() {
    let server = broker();
    let mut service = Service::of(&server, &["linger.ms=0"]);
    assert_eq!(service.post("/topics/t", "", b"v").0, 200);
    silence(&server);
    let open = service.post_without_end();
    assert_eq!(service.post("/topics/t?wait=false", "", b"lost").0, 202);
    service.terminate();
    let began = Instant::now();
    assert!(!service.wait(), "a record was given up, and the exit code says so");
    let took = began.elapsed();
    let bounds = Duration::from_millis(2_500)..Duration::from_millis(5_000);
    assert!(bounds.contains(&took), "--drain is 3 s: {took:?}");
    drop(open);
}

#[test]
fn an_end_with_records_that_cannot_be_written_says_so() {
    let server = broker();
    let mut service = Service::of(&server, &["linger.ms=200"]);
    assert_eq!(service.post("/topics/t", "", b"v").0, 200);
    silence(&server);
    // It is given up when `--drain`, or its own time, is over.
    assert_eq!(service.post("/topics/t?wait=false", "", b"lost").0, 202);
    service.terminate();
    assert!(!service.wait(), "records were given up, and the exit code says so");
}
