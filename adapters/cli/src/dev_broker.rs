//! `ottla dev-broker`: serves the development broker until Ctrl-C.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use ottla_broker::{Address, Cluster, Config, Listener, NewTopic, Profile, Server};

use crate::{exit, numbers, output};

/// Serve a small Kafka cluster for development, without Java
///
/// It keeps everything in memory and forgets it at the end. It is a development tool: for
/// production there is Apache Kafka. Producers and tools that administer topics work with it;
/// consumers do not yet. Topics that are asked for and are not there are made, with one partition.
/// The first line of standard output is bootstrap.servers=, once it serves.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  ottla dev-broker
  ottla dev-broker --nodes 3 --topic readings:6 --topic audit:1
  ottla dev-broker --listen 127.0.0.1:0      on a free port, which is printed
  ottla dev-broker --as 2.8                  as a broker of that release
  ottla dev-broker --listener 127.0.0.1:9192=10.0.2.2:9192
      also for a guest that finds this machine under that address")]
pub(crate) struct DevBroker {
    /// Where the first node listens; the others use the ports after it, or free ones if it is 0
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9092")]
    listen: SocketAddr,
    /// Where clients are told to find the nodes that --listen serves, if not where they listen
    #[arg(long, value_name = "HOST")]
    advertise: Option<String>,
    /// Listen in one more way, in which clients are told to find the first node at HOST:PORT, and
    /// the others at the ports after it; repeatable
    #[arg(long = "listener", value_name = "ADDR=HOST:PORT", value_parser = listener)]
    listeners: Vec<(SocketAddr, Address)>,
    /// Be like a broker of this release of Kafka, in versions and in answers
    #[arg(long = "as", value_name = "RELEASE", default_value_t, value_parser = profile())]
    profile: Profile,
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
        for (index, (_, advertised)) in (1..).zip(&self.listeners) {
            let bound = server.addresses_of(index).iter().map(ToString::to_string);
            let bound = bound.collect::<Vec<_>>().join(",");
            output::note(&format!("also listening at {bound}, told as {}", advertised.host));
        }
        if self.listen.ip() == IpAddr::V4(Ipv4Addr::UNSPECIFIED) && self.advertise.is_none() {
            output::note(
                "clients on other machines will not find it: it advertises 127.0.0.1; \
                 --advertise tells them another host",
            );
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
        let profile = self.profile;
        let config = Config { default_replication: replicas, profile, ..Config::new(self.nodes) };
        let mut cluster = Cluster::new(config);
        for (name, partitions) in &self.topics {
            let made = cluster.create_topic(&NewTopic::new(name, *partitions, replicas));
            made.map_err(|(code, text)| anyhow!("topic {name} cannot be made: {text} ({code})"))?;
        }
        Server::start_listeners(cluster, &self.ways()?).with_context(|| {
            let others = self.listeners.iter().map(|(address, _)| format!(", or {address}"));
            format!(
                "{}{} cannot be listened on; --listen takes another address",
                self.listen,
                others.collect::<String>()
            )
        })
    }

    /// The ways in which the nodes are reached.
    fn ways(&self) -> anyhow::Result<Vec<Listener>> {
        // Port 0 is the one that was bound.
        let advertised = self.advertise.iter().map(|host| Address { host: host.clone(), port: 0 });
        let advertised = advertised.cycle().take(self.nodes.into()).collect();
        let mut ways = vec![Listener { bind: self.addresses(self.listen)?, advertised }];
        for (bind, Address { host, port }) in &self.listeners {
            let address = |port| Address { host: host.clone(), port };
            let advertised = self.ports(*port)?.into_iter().map(address).collect();
            ways.push(Listener { bind: self.addresses(*bind)?, advertised });
        }
        Ok(ways)
    }

    /// An address for each node.
    fn addresses(&self, first: SocketAddr) -> anyhow::Result<Vec<SocketAddr>> {
        let address = |port| SocketAddr::new(first.ip(), port);
        Ok(self.ports(first.port())?.into_iter().map(address).collect())
    }

    /// A port for each node; with 0 free ones.
    fn ports(&self, first: u16) -> anyhow::Result<Vec<u16>> {
        let port = |n: u8| if first == 0 { Some(0) } else { first.checked_add(n.into()) };
        let ports: Option<Vec<u16>> = (0..self.nodes).map(port).collect();
        ports.ok_or_else(|| anyhow!("there are not {} ports from {first} on", self.nodes))
    }
}

/// Reads a release, and offers all in the help.
fn profile() -> impl TypedValueParser<Value = Profile> {
    let names = Profile::ALL.map(Profile::name);
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Profile>())
}

fn listener(text: &str) -> Result<(SocketAddr, Address), String> {
    let parts = text.split_once('=').and_then(|(bind, advertised)| {
        let (host, port) = advertised.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let address = Address { host, port: port.parse().ok()? };
        Some((bind.parse().ok()?, address)).filter(|(_, address)| !address.host.is_empty())
    });
    parts.ok_or_else(|| {
        "it has to be ADDR=HOST:PORT, such as 127.0.0.1:9192=10.0.2.2:9192".to_owned()
    })
}

fn topic(text: &str) -> Result<(String, i32), String> {
    let parts = text.rsplit_once(':').and_then(|(name, partitions)| {
        let partitions = partitions.parse().ok().filter(|count| *count > 0)?;
        (!name.is_empty()).then(|| (name.to_owned(), partitions))
    });
    parts.ok_or_else(|| "it has to be NAME:PARTITIONS, such as readings:6".to_owned())
}
