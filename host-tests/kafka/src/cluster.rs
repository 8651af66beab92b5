//! Three nodes of Kafka, a proxy in front of each, and an admin client.

use std::net::SocketAddr;

use anyhow::{Context, Result};

use crate::admin::Admin;
use crate::artifacts::Release;
use crate::configuration::{Plan, Ports, owned};
use crate::deleted::{Values, dump, segments};
use crate::node::Kafka;
use crate::proxy::{Hits, Proxy};
use crate::read_back::ReadBack;

/// How many nodes there are. Two of them are a majority, and in sync enough to write.
pub const NODES: usize = 3;

/// What a cluster of tests has besides what each of its nodes has. A leader gives up a replica that
/// lags, and controllers one of them that is silent, within seconds. Who leads is changed by tests
/// only.
const SHORT: &[(&str, &str)] = &[
    ("min.insync.replicas", "2"),
    ("unclean.leader.election.enable", "false"),
    ("auto.leader.rebalance.enable", "false"),
    ("replica.lag.time.max.ms", "5000"),
    ("controller.quorum.fetch.timeout.ms", "2000"),
    ("controller.quorum.election.timeout.ms", "1000"),
    ("log.retention.ms", "-1"),
    // What is deleted stays on disk, under another name: see `Cluster::deleted`.
    ("log.segment.delete.delay.ms", "86400000"),
];

/// A cluster on loopback. Clients meet a proxy in front of every node, the nodes among themselves
/// and the harness's own tools none. Nodes go by their ids, from 1.
///
/// Dropping it ends everything, as dropping a [`Kafka`] does.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Kafka>,
    proxies: Vec<Proxy>,
    admin: Admin,
}

impl Cluster {
    /// Starts the nodes and returns when all of them serve. The faults of the proxies are drawn
    /// from `seed`.
    pub fn start(seed: u64) -> Result<Cluster> {
        let mut proxies = Vec::new();
        let mut ports = Vec::new();
        for index in 0..NODES {
            proxies.push(Proxy::start(seed + index as u64)?);
            ports.push(Ports::reserve()?);
        }
        let controllers: Vec<u16> = ports.iter().map(|ports| ports.controller.number()).collect();
        let mut nodes = Vec::new();
        for (index, ports) in ports.into_iter().enumerate() {
            let proxy = &proxies[index];
            let node = Kafka::launch_plan(Plan {
                release: Release::Newest,
                id: index + 1,
                controllers: controllers.clone(),
                ports,
                advertised: Some(proxy.address()),
                heap: 512,
                properties: owned(SHORT),
            })?;
            proxy.lead_to(node.behind());
            nodes.push(node);
        }
        for (index, node) in nodes.iter_mut().enumerate() {
            node.await_readiness().with_context(|| format!("node {}", index + 1))?;
        }
        let admin = Admin::start(&addresses(nodes.iter().map(Kafka::address)))?;
        Ok(Cluster { nodes, proxies, admin })
    }

    /// Where clients connect: the addresses of all proxies, as `bootstrap.servers` takes them.
    pub fn bootstrap(&self) -> String {
        addresses(self.proxies.iter().map(Proxy::address))
    }

    /// A node.
    pub fn node(&mut self, id: usize) -> &mut Kafka {
        &mut self.nodes[id - 1]
    }

    /// The proxy in front of a node.
    pub fn proxy(&self, id: usize) -> &Proxy {
        &self.proxies[id - 1]
    }

    /// What all proxies did and saw.
    pub fn hits(&self) -> Hits {
        Hits::sum(self.proxies.iter().map(Proxy::hits))
    }

    /// The proxies leave new connections alone from now on.
    pub fn calm(&self) {
        self.proxies.iter().for_each(Proxy::calm);
    }

    /// Kafka's admin client.
    pub fn admin(&mut self) -> &mut Admin {
        &mut self.admin
    }

    /// Reads what all partitions of a topic hold now, by Kafka's own consumer.
    pub fn read_back(&self, topic: &str) -> Result<ReadBack> {
        ReadBack::by_kafka(&addresses(self.nodes.iter().map(Kafka::address)), topic)
    }

    /// What a topic held that was deleted: of each partition the longest copy, from the files of
    /// all nodes, by Kafka's own tool.
    pub fn deleted(&self, topic: &str, partitions: u32) -> Result<Vec<Values>> {
        let mut copies = Vec::new();
        for node in &self.nodes {
            copies.push(segments(&node.data(), topic, partitions)?);
        }
        let files: Vec<_> = copies.iter().flatten().flatten().cloned().collect();
        let held = dump(&files)?;
        let mut longest = vec![Values::new(); partitions as usize];
        for copy in copies {
            for (partition, segments) in copy.iter().enumerate() {
                let values: Values = segments
                    .iter()
                    .filter_map(|file| held.get(file))
                    .flatten()
                    .map(|(offset, value)| (*offset, value.clone()))
                    .collect();
                if values.len() > longest[partition].len() {
                    longest[partition] = values;
                }
            }
        }
        Ok(longest)
    }
}

fn addresses(of: impl Iterator<Item = SocketAddr>) -> String {
    of.map(|address| address.to_string()).collect::<Vec<_>>().join(",")
}
