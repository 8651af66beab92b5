//! The built tool against development brokers of the test.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::thread;

use ottla_broker::{Cluster, Config, NewTopic, Server, UpTo};

/// A record of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) partition: i32,
    pub(crate) timestamp: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// A broker of one node with a topic `t`.
pub(crate) fn broker(partitions: i32) -> Server {
    let mut cluster = Cluster::new(Config::new(1));
    cluster.create_topic(&NewTopic::new("t", partitions, 1)).expect("a new topic");
    Server::start(cluster, &[]).expect("free ports")
}

/// Its address.
pub(crate) fn bootstrap(server: &Server) -> String {
    server.addresses()[0].to_string()
}

/// What is in the log, partition by partition.
pub(crate) fn log(server: &Server) -> Vec<Entry> {
    server.with(|cluster, _| {
        let records = cluster.records("t", UpTo::HighWatermark);
        let entry = |record: Result<ottla_broker::LogRecord<'_>, _>| {
            let record = record.expect("a readable record");
            let headers = record.record.headers();
            Entry {
                partition: record.partition,
                timestamp: record.record.timestamp,
                key: record.record.key.map(<[u8]>::to_vec),
                value: record.record.value.map(<[u8]>::to_vec),
                headers: headers.map(|(k, v)| (k.to_vec(), v.map(<[u8]>::to_vec))).collect(),
            }
        };
        records.map(entry).collect()
    })
}

/// The tool.
pub(crate) fn ottla(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the tool to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    ottla(arguments).output().expect("the tool runs")
}

/// Runs the tool with this standard input, through a pipe.
pub(crate) fn run_with(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = ottla(arguments).stdin(Stdio::piped()).spawn().expect("the tool runs");
    let mut pipe = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    // It may end before it has read everything.
    let writer = thread::spawn(move || drop(pipe.write_all(&input)));
    let output = child.wait_with_output().expect("the tool ends");
    writer.join().expect("the writer ends");
    output
}

/// Standard error as text.
pub(crate) fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Ctrl-C.
#[cfg(unix)]
pub(crate) fn interrupt(child: &std::process::Child) {
    signal(child, rustix::process::Signal::INT);
}

/// Sends a signal.
#[cfg(unix)]
pub(crate) fn signal(child: &std::process::Child, signal: rustix::process::Signal) {
    let id = i32::try_from(child.id()).expect("a process id");
    let id = rustix::process::Pid::from_raw(id).expect("a process id");
    rustix::process::kill_process(id, signal).expect("a running child");
}

/// A folder that is removed with everything in it.
#[derive(Debug)]
pub(crate) struct Folder(std::path::PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("ottla-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    /// The path of a file in it.
    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a path that is text").to_owned()
    }

    /// The path of a new file in it.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        std::fs::write(self.0.join(name), content).expect("a file");
        self.path(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Lines of JSON.
pub(crate) fn json_lines(text: &[u8]) -> Vec<serde_json::Value> {
    let text = std::str::from_utf8(text).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Waits until there are so many records in the log.
pub(crate) fn wait_for_log(server: &Server, records: usize) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while log(server).len() < records {
        assert!(std::time::Instant::now() < deadline, "nothing arrives");
        thread::sleep(std::time::Duration::from_millis(10));
    }
}
