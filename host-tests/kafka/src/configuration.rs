//! What a node is told about itself and its cluster.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;

use crate::artifacts::Release;
use crate::port::Port;

/// The ports of a node, held for as long as it may be restarted.
#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) client: Port,
    /// A second listener, advertised as somebody else's address.
    pub(crate) behind: Port,
    pub(crate) controller: Port,
}

impl Ports {
    pub(crate) fn reserve() -> Result<Ports> {
        Ok(Ports {
            client: Port::reserve()?,
            behind: Port::reserve()?,
            controller: Port::reserve()?,
        })
    }
}

/// How a node is to be.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) release: Release,
    /// Its number in its cluster, from 1.
    pub(crate) id: usize,
    /// The controllers' ports of all nodes of the cluster, by number; none: it is alone.
    pub(crate) controllers: Vec<u16>,
    pub(crate) ports: Ports,
    /// What its second listener says that it is reached at, if it has one.
    pub(crate) advertised: Option<SocketAddr>,
    /// Its memory, in MiB.
    pub(crate) heap: u32,
    /// Further lines of configuration, which override the harness's own.
    pub(crate) properties: Vec<(String, String)>,
}

impl Plan {
    /// A node that is alone.
    pub(crate) fn alone(properties: &[(&str, &str)]) -> Result<Plan> {
        Ok(Plan {
            release: Release::Newest,
            id: 1,
            controllers: Vec::new(),
            ports: Ports::reserve()?,
            advertised: None,
            heap: 1024,
            properties: owned(properties),
        })
    }

    /// The file that the node reads.
    pub(crate) fn configuration(&self, data: &Path) -> String {
        let mut text = self.roles() + &self.listeners() + COMMON;
        let replicas = self.controllers.len().max(1);
        for topic in ["offsets.topic", "transaction.state.log", "share.coordinator.state.topic"] {
            let _ = writeln!(text, "{topic}.num.partitions=1");
            let _ = writeln!(text, "{topic}.replication.factor={replicas}");
        }
        for topic in ["transaction.state.log", "share.coordinator.state.topic"] {
            let _ = writeln!(text, "{topic}.min.isr=1");
        }
        let _ = writeln!(text, "log.dirs={}", data.display());
        for (name, value) in &self.properties {
            let _ = writeln!(text, "{name}={value}");
        }
        text
    }

    fn roles(&self) -> String {
        let alone = [self.ports.controller.number()];
        let ports = if self.controllers.is_empty() { &alone[..] } else { &self.controllers };
        let voters: Vec<String> = (1..)
            .zip(ports)
            .map(|(id, controller)| format!("{id}@127.0.0.1:{controller}"))
            .collect();
        format!(
            "\
process.roles=broker,controller
node.id={id}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENT
",
            id = self.id,
            voters = voters.join(","),
        )
    }

    fn listeners(&self) -> String {
        let (client, controller) = (self.ports.client.number(), self.ports.controller.number());
        let (mut listeners, mut addresses, mut map) = (String::new(), String::new(), String::new());
        if let Some(advertised) = self.advertised {
            listeners = format!(",BEHIND://127.0.0.1:{}", self.ports.behind.number());
            addresses = format!(",BEHIND://{advertised}");
            map = String::from(",BEHIND:PLAINTEXT");
        }
        format!(
            "\
listeners=CLIENT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}{listeners}
advertised.listeners=CLIENT://127.0.0.1:{client}{addresses}
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT{map}
"
        )
    }
}

pub(crate) fn owned(properties: &[(&str, &str)]) -> Vec<(String, String)> {
    properties.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

/// Small internal topics start quickly. After a kill the controller refuses the node until the
/// session of its former life has ended, so that is short too.
const COMMON: &str = "\
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
";
