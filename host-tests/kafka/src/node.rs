//! One node of Kafka, broker and controller in one process.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::java::{finish, java, tail, tool};
use crate::port::Port;
use crate::read_back::ReadBack;

/// From the start of the process to a node that serves; several times what a slow machine needs.
const START_LIMIT: Duration = Duration::from_secs(120);
/// From SIGTERM to the end of the process, which writes everything to disk first.
const STOP_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

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
    client_port: Port,
    /// A second listener, advertised as somebody else's address.
    behind_port: Port,
    /// Held for as long as the node may be restarted; its number is in the configuration.
    _controller_port: Port,
    starts: u32,
    process: Option<Child>,
}

impl Kafka {
    /// Starts a node and returns when it serves, which takes some seconds.
    pub fn start() -> Result<Kafka> {
        Kafka::start_with(&[])
    }

    /// Starts a node with a second listener ([`Kafka::behind`]), on which it says that it is reached
    /// at `advertised`: a proxy's address. The harness's own tools go past the proxy.
    pub fn start_behind(advertised: SocketAddr, properties: &[(&str, &str)]) -> Result<Kafka> {
        Kafka::launch_new(Some(advertised), properties)
    }

    /// Starts a node with further lines of broker configuration, which override the harness's own.
    pub fn start_with(properties: &[(&str, &str)]) -> Result<Kafka> {
        Kafka::launch_new(None, properties)
    }

    fn launch_new(advertised: Option<SocketAddr>, properties: &[(&str, &str)]) -> Result<Kafka> {
        let directory = TempDir::with_prefix("ottla-kafka-")
            .context("cannot create a directory for the node")?;
        let client_port = Port::reserve()?;
        let behind_port = Port::reserve()?;
        let controller_port = Port::reserve()?;
        let data = directory.path().join("data");
        let mut configuration =
            configuration(client_port.number(), controller_port.number(), &data, properties);
        if let Some(advertised) = advertised {
            configuration.push_str(&second_listener(
                client_port.number(),
                controller_port.number(),
                behind_port.number(),
                advertised,
            ));
        }
        fs::write(directory.path().join("server.properties"), configuration)
            .context("cannot write the configuration")?;
        let mut kafka = Kafka {
            directory,
            client_port,
            behind_port,
            _controller_port: controller_port,
            starts: 0,
            process: None,
        };
        kafka.launch()?;
        Ok(kafka)
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.client_port.number()))
    }

    /// The second listener, of a node that was started by [`Kafka::start_behind`].
    pub fn behind(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.behind_port.number()))
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
        let mut command = tool("Harness")?;
        command.args(["read-back", &self.bootstrap(), topic]);
        ReadBack::start(&mut command).with_context(|| format!("cannot read topic {topic}"))
    }

    /// Kills the node as a power failure would: nothing is flushed, closed or said.
    pub fn kill(&mut self) -> Result<()> {
        let mut process = self.process.take().context("the node is not running")?;
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
        self.launch()
    }

    /// What the node has written since it was last started.
    pub fn log(&self) -> Result<String> {
        let path = self.log_path();
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    fn launch(&mut self) -> Result<()> {
        self.starts += 1;
        let log = File::create(self.log_path()).context("cannot create the node's log")?;
        let mut command = java(&["-Xmx1g", "-Dottla.log.level=INFO"])?;
        command.args(["Harness", "broker"]).arg(self.directory.path().join("server.properties"));
        // The node ends when its standard input does, that is with us at the latest.
        command.stdin(Stdio::piped());
        command.stdout(log.try_clone().context("cannot share the node's log")?).stderr(log);
        self.process = Some(command.spawn().context("cannot run `java`")?);
        self.await_readiness()
    }

    fn await_readiness(&mut self) -> Result<()> {
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

/// Lines that replace those of [`configuration`] about listeners.
fn second_listener(client: u16, controller: u16, behind: u16, advertised: SocketAddr) -> String {
    format!(
        "\
listeners=CLIENT://127.0.0.1:{client},BEHIND://127.0.0.1:{behind},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=CLIENT://127.0.0.1:{client},BEHIND://{advertised}
listener.security.protocol.map=CLIENT:PLAINTEXT,BEHIND:PLAINTEXT,CONTROLLER:PLAINTEXT
"
    )
}

/// Small internal topics start quickly. After a kill the controller refuses the node until the
/// session of its former life has ended, so that is short too.
fn configuration(
    client_port: u16,
    controller_port: u16,
    data: &Path,
    properties: &[(&str, &str)],
) -> String {
    let mut text = format!(
        "\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENT
listeners=CLIENT://127.0.0.1:{client_port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=CLIENT://127.0.0.1:{client_port}
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
",
        data = data.display(),
    );
    for (name, value) in properties {
        text.push_str(&format!("{name}={value}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_whose_test_was_killed_ends() -> Result<()> {
        let mut kafka = Kafka::start()?;
        // The end of a process closes its pipes; closing ours looks the same to the node.
        drop(kafka.process.as_mut().and_then(|process| process.stdin.take()));
        let deadline = Instant::now() + Duration::from_secs(10);
        while kafka.exited()?.is_none() {
            assert!(Instant::now() < deadline, "the node is still running");
            thread::sleep(POLL);
        }
        Ok(())
    }
}
