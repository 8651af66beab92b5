//! One node of Kafka, broker and controller in one process.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::artifacts::Release;
use crate::configuration::Plan;
use crate::java::{finish, java, tail, tool};
use crate::read_back::ReadBack;

/// From the start of the process to a node that serves; several times what a slow machine needs.
const START_LIMIT: Duration = Duration::from_secs(120);
/// From SIGTERM to the end of the process, which writes everything to disk first.
const STOP_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// Stops a process, says so, and lets it go on when its own standard input ends: with the test, at
/// the latest. A stopped node would not notice that by itself.
const PAUSE: &str = r#"kill -STOP "$1" && echo stopped && read -r _; kill -CONT "$1""#;

/// Where a node keeps its logs, in its directory.
const DATA: &str = "data";

/// A topic to be created.
#[derive(Clone, Copy, Debug)]
pub struct NewTopic<'a> {
    /// The name.
    pub name: &'a str,
    /// How many partitions it gets.
    pub partitions: u32,
    /// Topic configuration, names as in Kafka's documentation.
    pub configs: &'a [(&'a str, &'a str)],
}

/// A running (or killed, or stopped) node on 127.0.0.1 with data of its own.
///
/// Dropping it ends the process at once and removes the data. If the test process itself is killed,
/// the node notices and ends too.
#[derive(Debug)]
pub struct Kafka {
    /// Configuration, data and one log per start.
    directory: TempDir,
    plan: Plan,
    starts: u32,
    process: Option<Child>,
    /// Who lets the process go on.
    paused: Option<Child>,
}

impl Kafka {
    /// Starts a node and returns when it serves, which takes some seconds.
    pub fn start() -> Result<Kafka> {
        Kafka::start_with(&[])
    }

    /// Starts a node of a release.
    pub fn start_release(release: Release) -> Result<Kafka> {
        Kafka::start_plan(Plan { release, ..Plan::alone(&[])? })
    }

    /// Starts a node with a second listener ([`Kafka::behind`]), on which it says that it is reached
    /// at `advertised`: a proxy's address. The harness's own tools go past the proxy.
    pub fn start_behind(advertised: SocketAddr, properties: &[(&str, &str)]) -> Result<Kafka> {
        Kafka::start_plan(Plan { advertised: Some(advertised), ..Plan::alone(properties)? })
    }

    /// Starts a node with further lines of broker configuration, which override the harness's own.
    pub fn start_with(properties: &[(&str, &str)]) -> Result<Kafka> {
        Kafka::start_plan(Plan::alone(properties)?)
    }

    fn start_plan(plan: Plan) -> Result<Kafka> {
        let mut kafka = Kafka::launch_plan(plan)?;
        kafka.await_readiness()?;
        Ok(kafka)
    }

    /// Starts a node and does not wait until it serves.
    pub(crate) fn launch_plan(plan: Plan) -> Result<Kafka> {
        let directory = TempDir::with_prefix("ottla-kafka-")
            .context("cannot create a directory for the node")?;
        let configuration = plan.configuration(&directory.path().join(DATA));
        fs::write(directory.path().join("server.properties"), configuration)
            .context("cannot write the configuration")?;
        let mut kafka = Kafka { directory, plan, starts: 0, process: None, paused: None };
        kafka.launch()?;
        Ok(kafka)
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.plan.ports.client.number()))
    }

    /// The second listener, of a node that was started by [`Kafka::start_behind`].
    pub fn behind(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.plan.ports.behind.number()))
    }

    /// Where clients connect, as the `host:port` that `bootstrap.servers` takes.
    pub fn bootstrap(&self) -> String {
        self.address().to_string()
    }

    /// Creates one topic. Prefer [`Kafka::create_topics`] for several: each call starts a Java
    /// machine.
    pub fn create_topic(
        &self,
        name: &str,
        partitions: u32,
        configs: &[(&str, &str)],
    ) -> Result<()> {
        self.create_topics(&[NewTopic { name, partitions, configs }])
    }

    /// Creates topics and returns when all their partitions have leaders.
    pub fn create_topics(&self, topics: &[NewTopic<'_>]) -> Result<()> {
        self.ensure_running()?;
        let mut command = tool("Harness")?;
        command.args(["create-topics", &self.bootstrap()]);
        for topic in topics {
            command.args(["--topic", topic.name, &topic.partitions.to_string()]);
            command.args(topic.configs.iter().map(|(name, value)| format!("{name}={value}")));
        }
        finish(&mut command).context("cannot create topics").map(drop)
    }

    /// Reads what all partitions of a topic hold now, by Kafka's own consumer, uncommitted records
    /// included.
    pub fn read_back(&self, topic: &str) -> Result<ReadBack> {
        self.ensure_running()?;
        ReadBack::by_kafka(&self.bootstrap(), topic)
    }

    /// Kills the node as a power failure would: nothing is flushed, closed or said.
    pub fn kill(&mut self) -> Result<()> {
        let mut process = self.process.take().context("the node is not running")?;
        if let Some(mut holder) = self.paused.take() {
            holder.kill().context("cannot end who keeps the node stopped")?;
            holder.wait().context("cannot wait for who keeps the node stopped")?;
        }
        process.kill().context("cannot kill the node")?;
        process.wait().context("cannot wait for the node")?;
        Ok(())
    }

    /// Stops the node cleanly.
    pub fn stop(&mut self) -> Result<()> {
        let process = self.process.as_mut().context("the node is not running")?;
        // Ours and not yet waited for, so the number cannot have passed to another process.
        finish(Command::new("kill").arg("-TERM").arg(process.id().to_string()))?;
        let deadline = Instant::now() + STOP_LIMIT;
        while process.try_wait().context("cannot wait for the node")?.is_none() {
            if Instant::now() > deadline {
                self.kill()?;
                bail!(
                    "the node did not stop within {STOP_LIMIT:?}, and was killed:\n{}",
                    self.log_tail()
                );
            }
            thread::sleep(POLL);
        }
        self.process = None;
        Ok(())
    }

    /// Starts the node again after [`Kafka::kill`] or [`Kafka::stop`], with the same ports and
    /// data.
    pub fn restart(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "the node is still running");
        self.launch()?;
        self.await_readiness()
    }

    /// Stops the node as a machine that hangs: its connections stay, the system takes bytes and
    /// connections for it, and nobody answers.
    pub fn pause(&mut self) -> Result<()> {
        ensure!(self.paused.is_none(), "the node is paused");
        let process = self.process.as_ref().context("the node is not running")?;
        let mut command = Command::new("sh");
        command.args(["-c", PAUSE, "sh"]).arg(process.id().to_string());
        let mut holder = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run `sh`")?;
        let stdout = holder.stdout.take().context("no standard output")?;
        let mut said = String::new();
        BufReader::new(stdout).read_line(&mut said).context("nothing from `sh`")?;
        ensure!(said == "stopped\n", "the node cannot be stopped: {said:?}");
        self.paused = Some(holder);
        Ok(())
    }

    /// Lets the node go on after [`Kafka::pause`].
    pub fn resume(&mut self) -> Result<()> {
        let mut holder = self.paused.take().context("the node is not paused")?;
        drop(holder.stdin.take());
        ensure!(holder.wait()?.success(), "the node cannot go on");
        Ok(())
    }

    /// Where the node keeps its logs.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join(DATA)
    }

    /// What the node has written since it was last started.
    pub fn log(&self) -> Result<String> {
        let path = self.log_path();
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    fn launch(&mut self) -> Result<()> {
        self.starts += 1;
        let log = File::create(self.log_path()).context("cannot create the node's log")?;
        let heap = format!("-Xmx{}m", self.plan.heap);
        let mut command = java(self.plan.release, &[&heap, "-Dottla.log.level=INFO"])?;
        command.args(["Harness", "broker"]).arg(self.directory.path().join("server.properties"));
        // The node ends when its standard input does, that is with us at the latest.
        command.stdin(Stdio::piped());
        command.stdout(log.try_clone().context("cannot share the node's log")?).stderr(log);
        self.process = Some(command.spawn().context("cannot run `java`")?);
        Ok(())
    }

    pub(crate) fn await_readiness(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if self.log()?.contains("Kafka Server started") {
                return Ok(());
            }
            if let Some(status) = self.exited()? {
                self.process = None;
                bail!("the node ended while starting ({status}):\n{}", self.log_tail());
            }
            if Instant::now() > deadline {
                self.kill()?;
                bail!(
                    "the node was not ready within {START_LIMIT:?}, and was killed:\n{}",
                    self.log_tail()
                );
            }
            thread::sleep(POLL);
        }
    }

    fn ensure_running(&self) -> Result<()> {
        ensure!(self.process.is_some(), "the node is not running");
        Ok(())
    }

    fn exited(&mut self) -> Result<Option<ExitStatus>> {
        let Some(process) = &mut self.process else { return Ok(None) };
        process.try_wait().context("cannot wait for the node")
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join(format!("start-{}.log", self.starts))
    }

    fn log_tail(&self) -> String {
        self.log().map_or_else(|error| error.to_string(), |log| tail(&log))
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        if self.process.is_some()
            && let Err(error) = self.kill()
        {
            eprintln!("a node may have been left running: {error:#}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_whose_test_was_killed_ends() -> Result<()> {
        let mut kafka = Kafka::start()?;
        kafka.pause()?;
        // The end of a process closes its pipes; closing ours looks the same to the node, and to
        // who keeps it stopped.
        drop(kafka.process.as_mut().and_then(|process| process.stdin.take()));
        drop(kafka.paused.as_mut().and_then(|holder| holder.stdin.take()));
        let deadline = Instant::now() + Duration::from_secs(10);
        while kafka.exited()?.is_none() {
            assert!(Instant::now() < deadline, "the node is still running");
            thread::sleep(POLL);
        }
        Ok(())
    }
}
