//! `ottla dev-broker`: serves the development broker until Ctrl-C.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::Args;
use ottla_broker::{Cluster, Config, NewTopic, Server};

use crate::{exit, numbers, output};

/// Serve a small Kafka cluster for development, without Java
///
/// It keeps everything in memory and forgets it at the end. It is a development tool: for
/// production there is Apache Kafka. Topics that are asked for and are not there are made, with
/// one partition. The first line of standard output is bootstrap.servers=, once it serves.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  ottla dev-broker
  ottla dev-broker --nodes 3 --topic readings:6 --topic audit:1
  ottla dev-broker --listen 127.0.0.1:0      on a free port, which is printed")]
pub(crate) struct DevBroker {
    /// Where the first node listens; the others use the ports after it, or free ones if it is 0
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9092")]
    listen: SocketAddr,
    /// Number of nodes
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..))]
    nodes: u8,
    /// Make a topic at the start; repeatable
    #[arg(long = "topic", value_name = "NAME:PARTITIONS", value_parser = topic)]
    topics: Vec<(String, i32)>,
}

/// Replicas of a topic, if there are as many nodes.
const REPLICAS: u8 = 3;

impl DevBroker {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let server = self.start()?;
        let addresses: Vec<String> = server.addresses().iter().map(ToString::to_string).collect();
        output::line(&format!("bootstrap.servers={}", addresses.join(",")))?;
        let nodes = numbers::several(self.nodes.into(), "node");
        output::note(&format!(
            "development broker, {nodes}: all in memory, not for production; Ctrl-C ends it"
        ));
        if let IpAddr::V4(Ipv4Addr::UNSPECIFIED) = self.listen.ip() {
            output::note("clients on other machines will not find it: it advertises 127.0.0.1");
        }
        tokio::signal::ctrl_c().await.context("Ctrl-C cannot be waited for")?;
        let counters = server.with(|cluster, _| cluster.counters());
        let batches = if counters.appended == 1 { "batch" } else { "batches" };
        output::note(&format!(
            "{} answered, {} {batches} appended",
            numbers::several(counters.requests, "request"),
            numbers::count(counters.appended),
        ));
        Ok(exit::DONE.into())
    }

    fn start(&self) -> anyhow::Result<Server> {
        let replicas = i16::from(self.nodes.min(REPLICAS));
        let config = Config { default_replication: replicas, ..Config::new(self.nodes) };
        let mut cluster = Cluster::new(config);
        for (name, partitions) in &self.topics {
            let made = cluster.create_topic(&NewTopic::new(name, *partitions, replicas));
            made.map_err(|(code, text)| anyhow!("topic {name} cannot be made: {text} ({code})"))?;
        }
        Server::start(cluster, &self.addresses()?).with_context(|| {
            format!("{} cannot be listened on; --listen takes another address", self.listen)
        })
    }

    /// An address for each node.
    fn addresses(&self) -> anyhow::Result<Vec<SocketAddr>> {
        let first = self.listen.port();
        let port = |n: u8| match first {
            0 => Some(0),
            _ => first.checked_add(n.into()),
        };
        let address = |n| port(n).map(|port| SocketAddr::new(self.listen.ip(), port));
        let addresses: Option<Vec<SocketAddr>> = (0..self.nodes).map(address).collect();
        addresses.ok_or_else(|| anyhow!("there are not {} ports from {first} on", self.nodes))
    }
}

fn topic(text: &str) -> Result<(String, i32), String> {
    let parts = text.rsplit_once(':').and_then(|(name, partitions)| {
        let partitions = partitions.parse().ok().filter(|count| *count > 0)?;
        (!name.is_empty()).then(|| (name.to_owned(), partitions))
    });
    parts.ok_or_else(|| "it has to be NAME:PARTITIONS, such as readings:6".to_owned())
}
