//! franz-go's kfake, a second implementation of the protocol, and franz-go's client as its reader.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::cache;
use crate::java::finish;
use crate::read_back::ReadBack;

/// What the program is built from.
const SOURCES: [&str; 3] = ["go.mod", "go.sum", "main.go"];

/// Three brokers of kfake on free ports, with one topic. They end when this is dropped, or with the
/// test.
#[derive(Debug)]
pub struct Kfake {
    program: PathBuf,
    topic: String,
    bootstrap: String,
    process: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Kfake {
    /// Starts the brokers with one topic. With a `version` of Kafka, such as `v2.1`, they take what
    /// that one takes, otherwise all they can. The first call of a machine builds the program by Go,
    /// which takes a minute.
    pub fn start(version: Option<&str>, topic: &str, partitions: u32) -> Result<Kfake> {
        let program = program()?;
        let mut command = Command::new(&program);
        command.args(["serve", version.unwrap_or("newest"), topic, &partitions.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().context("cannot run kfake")?;
        let commands = process.stdin.take().context("no standard input")?;
        let answers = BufReader::new(process.stdout.take().context("no standard output")?);
        let topic = topic.to_owned();
        let bootstrap = String::new();
        let mut kfake = Kfake { program, topic, bootstrap, process, commands, answers };
        kfake.bootstrap = kfake.line()?;
        Ok(kfake)
    }

    /// The addresses of its brokers, as `bootstrap.servers` takes them.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Gives every partition another leader.
    pub fn move_leaders(&mut self) -> Result<()> {
        self.ask("move")
    }

    /// Has every partition of the next Produce requests, so many, answered with an error. After
    /// those that say so the records are written all the same.
    pub fn fail(&mut self, code: i16, requests: u32) -> Result<()> {
        self.ask(&format!("fail {code} {requests}"))
    }

    /// Deletes the topic and makes it again. Of the new one, partition 0 alone has its former leader.
    pub fn recreate(&mut self) -> Result<()> {
        self.ask("recreate")
    }

    /// Reads what all partitions hold now, by franz-go's client.
    pub fn read_back(&self) -> Result<ReadBack> {
        ReadBack::start(Command::new(&self.program).args(["read", &self.bootstrap, &self.topic]))
    }

    fn ask(&mut self, command: &str) -> Result<()> {
        writeln!(self.commands, "{command}").context("kfake is gone")?;
        match self.line()?.as_str() {
            "ok" => Ok(()),
            answer => bail!("`{command}`: kfake answered {answer:?}"),
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line).context("no answer of kfake")?;
        match line.strip_suffix('\n') {
            Some(line) => Ok(line.to_owned()),
            None => bail!("kfake ended: {:?}", self.process.wait()?),
        }
    }
}

impl Drop for Kfake {
    fn drop(&mut self) {
        // Both fail only for a process that has already been waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program, built on first use and kept in the cache.
fn program() -> Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("kfake");
    let mut text = String::new();
    for name in SOURCES {
        let path = source.join(name);
        text += &fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
    }
    // Working copies that differ share the cache, as with the Java side.
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let cache = cache::directory()?;
    let lock = cache::lock_file(&cache.join("kfake-lock"))?;
    lock.lock().context("cannot lock the cache")?;
    let directory = cache.join(format!("kfake-{:016x}", hasher.finish()));
    let program = directory.join("kfake");
    cache::make_once(&directory, &text, || {
        eprintln!("building kfake into {}", directory.display());
        let mut build = Command::new("go");
        build.current_dir(&source).args(["build", "-trimpath", "-mod=readonly", "-o"]);
        finish(build.arg(&program).arg(".")).map(drop)
    })?;
    Ok(program)
}
