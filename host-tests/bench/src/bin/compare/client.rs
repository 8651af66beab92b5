//! The clients, and running them.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use kafka_tests::{Artifacts, finish};
use serde_json::Value;

use crate::Cli;
use crate::rows::Workload;

/// A client that says nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(240);

/// Whose a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What a producer cannot go below; not a client.
    Floor,
    /// Ours, and comparable with others: every outcome comes to the program.
    Ottla,
    /// Ours, without a delivery per record.
    Silent,
    Peer,
}

/// A client: its name, and how to call it.
#[derive(Clone, Debug)]
pub struct Client {
    pub name: &'static str,
    pub side: Side,
    program: PathBuf,
    arguments: Vec<OsString>,
    /// It compiles as it runs.
    pub warms_up: bool,
    /// Can send one record and await it.
    pub one_by_one: bool,
    pub version: String,
}

/// Versions in a lock file: what is compared is told.
fn locked(file: &str, package: &str) -> Result<String> {
    let text = fs::read_to_string(file).with_context(|| file.to_owned())?;
    let mut lines = text.lines().skip_while(|line| *line != format!("name = \"{package}\""));
    let version = lines.nth(1).and_then(|line| line.strip_prefix("version = "));
    Ok(version.with_context(|| format!("{file} has no {package}"))?.trim_matches('"').to_owned())
}

/// All clients, with the peers or without; those that are asked for.
pub fn clients(cli: &Cli) -> Result<Vec<Client>> {
    let this = env::current_exe()?;
    let client = |name, side, program: PathBuf| Client {
        name,
        side,
        program,
        arguments: Vec::new(),
        warms_up: false,
        one_by_one: side == Side::Peer,
        version: String::new(),
    };
    let ours = |name, side, mode: &str| {
        let mut client = client(name, side, this.with_file_name("ottla"));
        let workers = cli.workers.to_string();
        client.arguments = ["--mode", mode, "--workers", &workers].map(OsString::from).into();
        client.one_by_one = mode == "send";
        client.version = cli.commit.clone();
        client
    };
    let mut clients = vec![
        client("floor", Side::Floor, this.with_file_name("floor")),
        ours("ottla send_many", Side::Ottla, "send_many"),
        ours("ottla send", Side::Ottla, "send"),
        ours("ottla post", Side::Silent, "post"),
    ];
    if let Some(peers) = &cli.peer_programs {
        let package = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");
        let lock = format!("{package}/Cargo.lock");
        let rust = |name, program, of: &[&str]| {
            let versions: Result<Vec<_>> = of.iter().map(|name| locked(&lock, name)).collect();
            // The C library's version stands behind that of its package.
            let versions = versions?.join(", librdkafka ");
            let version = match versions.split_once("librdkafka ") {
                Some((own, c)) => format!("{own}librdkafka {}", c.rsplit('+').next().unwrap_or(c)),
                None => versions,
            };
            Ok::<_, anyhow::Error>(Client {
                version,
                ..client(name, Side::Peer, peers.join(program))
            })
        };
        clients.push(rust("rdkafka callback", "rdkafka", &["rdkafka", "rdkafka-sys"])?);
        clients.push(rust("rdkafka future", "rdkafka-future", &["rdkafka", "rdkafka-sys"])?);
        clients.push(rust("confluent-kafka", "confluent-kafka", &["confluent-kafka"])?);
        clients.push(rust("krafka", "krafka", &["krafka"])?);
        let go = fs::read_to_string(format!("{package}/franz-go/go.mod"))?;
        let version = go.split("twmb/franz-go v").nth(1).and_then(|rest| rest.lines().next());
        let version = version.context("go.mod has no franz-go")?.to_owned();
        let franz_go = client("franz-go", Side::Peer, peers.join("franz-go"));
        clients.push(Client { version, ..franz_go });
        clients
            .push(java(client("java", Side::Peer, "java".into()), &this.with_file_name("java"))?);
    }
    for client in &clients {
        let is_there = client.program.components().count() == 1 || client.program.is_file();
        ensure!(is_there, "{} is missing: {}", client.name, client.program.display());
    }
    let wanted = |client: &Client| {
        cli.clients.is_empty() || cli.clients.iter().any(|part| client.name.contains(part))
    };
    let unknown = |part: &&String| !clients.iter().any(|client| client.name.contains(*part));
    if let Some(part) = cli.clients.iter().find(unknown) {
        bail!("no client's name contains {part:?}");
    }
    clients.retain(wanted);
    Ok(clients)
}

/// The version of Kafka, its own client included.
pub fn kafka_version() -> Result<String> {
    let jar = Artifacts::get()?.jar("kafka-clients")?;
    let name = jar.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    Ok(name.trim_start_matches("kafka-clients-").to_owned())
}

/// Compiles Java's client with the jars that the tests against Kafka use.
fn java(mut client: Client, classes: &PathBuf) -> Result<Client> {
    let jar = Artifacts::get()?.jar("kafka-clients")?;
    let jars = jar.parent().context("a jar in no directory")?;
    fs::create_dir_all(classes)?;
    let mut compiler = Command::new("javac");
    compiler.args(["--release", "17", "-Xlint:all", "-Werror", "-classpath"]).arg(jars.join("*"));
    compiler.arg("-d").arg(classes);
    compiler.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/peers/java/Produce.java"));
    finish(&mut compiler)?;
    let path = format!("{}:{}", classes.display(), jars.join("*").display());
    client.arguments = ["-classpath", &path, "Produce"].map(OsString::from).into();
    client.warms_up = true;
    client.version = kafka_version()?;
    Ok(client)
}

/// A client that runs. It ends when this is dropped, at the latest.
pub struct Running {
    name: &'static str,
    process: Child,
    lines: Receiver<String>,
}

impl Running {
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The next line that it prints.
    pub fn line(&mut self) -> Result<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Ok(line),
            Err(_) => match self.process.try_wait()? {
                Some(status) => bail!("{} ended with {status} and said nothing", self.name),
                None => bail!("{} has said nothing for {PATIENCE:?}", self.name),
            },
        }
    }

    /// Awaits a word, of a client that waits for an answer then.
    pub fn await_word(&mut self, word: &str) -> Result<()> {
        let line = self.line()?;
        ensure!(line == word, "{} said {line:?} instead of {word:?}", self.name);
        Ok(())
    }

    /// Lets it go on.
    pub fn go_on(&mut self) -> Result<()> {
        let input = self.process.stdin.as_mut().context("no standard input")?;
        Ok(writeln!(input)?)
    }

    /// Its report. It has looked at its counts, and ends with a failure if they are wrong.
    pub fn report(mut self) -> Result<Value> {
        let line = self.line()?;
        let report: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
        let status = self.process.wait()?;
        ensure!(status.success(), "{} failed ({status})", self.name);
        ensure!(report["failed"].as_u64() == Some(0), "{}: {line}", self.name);
        Ok(report)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended before, unless something failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A run: where to, how many records are measured and sent before, and what is told besides.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    pub to: &'a str,
    pub records: u64,
    pub warmup: u64,
    pub more: &'a [&'a str],
}

impl Client {
    pub fn start(&self, workload: &Workload, run: Run<'_>) -> Result<Running> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).args(["--bootstrap", run.to, "--topic", &workload.topic()]);
        let numbers = [
            ("--partitions", u64::from(workload.partitions)),
            ("--size", workload.size),
            ("--key-size", workload.key),
            ("--tasks", workload.tasks),
            ("--linger-ms", workload.linger_ms),
            ("--batch-size", workload.batch_size),
            ("--max-request-size", workload.max_request_size),
            ("--buffer-memory", workload.buffer_memory),
            ("--records", run.records),
            ("--warmup", run.warmup),
        ];
        for (flag, number) in numbers {
            command.arg(flag).arg(number.to_string());
        }
        command.args(run.more).stdin(Stdio::piped()).stdout(Stdio::piped());
        let told = || format!("cannot run {}", self.program.display());
        let mut process = command.spawn().with_context(told)?;
        let stdout = process.stdout.take().context("no standard output")?;
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Running { name: self.name, process, lines })
    }

    /// Runs it to its end.
    pub fn run(&self, workload: &Workload, run: Run<'_>) -> Result<Value> {
        let report = self.start(workload, run)?.report()?;
        let written = report["written"].as_u64();
        let Run { records, .. } = run;
        ensure!(written == Some(records), "{} wrote {written:?} of {records}", self.name);
        Ok(report)
    }
}
