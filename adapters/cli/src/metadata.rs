//! `ottla metadata`: brokers, topics, partitions, and who leads them.

use std::process::ExitCode;

use clap::Args;
use ottla_admin::{Broker, Cluster, Topic};
use serde_json::{Value, json};

use crate::connection::Connection;
use crate::numbers::several;
use crate::output;
use crate::table::table;
use crate::topics::{Found, partitions, shown_ids, topic_json};

/// Show brokers, topics, partitions and their leaders, as kcat -L does
///
/// Partitions that are not as they should be say so at the end of their line. Topics in which
/// brokers keep their own data are shown with --internal, or where they are named.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  ottla metadata -b localhost:9092
  ottla metadata -b kafka:9092 -t readings -t logs
  ottla metadata -b kafka:9092 --json > cluster.json")]
pub(crate) struct Metadata {
    #[command(flatten)]
    connection: Connection,
    /// Show this topic only; repeatable
    #[arg(short, long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// Show topics in which brokers keep their own data, too
    #[arg(long)]
    internal: bool,
    /// One object of JSON
    #[arg(long)]
    json: bool,
}

impl Metadata {
    pub(crate) async fn run(&self) -> anyhow::Result<ExitCode> {
        let Some(admin) = self.connection.admin()? else { return Ok(ExitCode::SUCCESS) };
        let cluster = admin.cluster().await?;
        let found = if self.topics.is_empty() {
            Found::all(&admin, self.internal).await?
        } else {
            Found::named(&admin, &self.topics).await?
        };
        let text = if self.json {
            let topics: Vec<Value> = found.topics.iter().map(topic_json).collect();
            json!({ "cluster": cluster_json(&cluster), "topics": topics }).to_string()
        } else {
            describe(&cluster, &found.topics)
        };
        output::line(&text)?;
        Ok(found.end())
    }
}

fn cluster_json(cluster: &Cluster) -> Value {
    let broker = |broker: &Broker| {
        json!({
            "id": broker.id, "host": broker.host, "port": broker.port, "rack": broker.rack,
        })
    };
    json!({
        "id": cluster.id,
        "controller": cluster.controller,
        "brokers": cluster.brokers.iter().map(broker).collect::<Vec<_>>(),
    })
}

fn describe(cluster: &Cluster, topics: &[Topic]) -> String {
    let id = cluster.id.as_deref().unwrap_or("without an id");
    let controller = match cluster.controller {
        Some(id) => format!("controller {id}"),
        None => "no controller".to_owned(),
    };
    let brokers = several(cluster.brokers.len() as u64, "broker");
    let mut text = format!("cluster {id}, {brokers}, {controller}\n\n");
    let has_racks = cluster.brokers.iter().any(|broker| broker.rack.is_some());
    let head = ["BROKER", "ADDRESS", "RACK"];
    let row = |broker: &Broker| {
        let rack = broker.rack.clone().unwrap_or_else(|| "-".to_owned());
        let cells = [broker.id.to_string(), broker.address(), rack];
        cells.into_iter().take(if has_racks { 3 } else { 2 }).collect()
    };
    let rows: Vec<Vec<String>> = cluster.brokers.iter().map(row).collect();
    text.push_str(&table(&head[..if has_racks { 3 } else { 2 }], &rows));
    if !topics.is_empty() {
        let head = ["TOPIC", "PARTITION", "LEADER", "REPLICAS", "IN SYNC", ""];
        let rows: Vec<Vec<String>> = topics.iter().flat_map(rows_of).collect();
        text.push_str(&format!("\n\n{}", table(&head, &rows)));
    }
    text.push_str(&format!("\n\n{}", partitions(topics)));
    text
}

/// A line for each partition of a topic; the name stands in the first one.
fn rows_of(topic: &Topic) -> Vec<Vec<String>> {
    if topic.partitions.is_empty() {
        let why = topic.error.to_string();
        return vec![vec![topic.name.clone(), "-".into(), "-".into(), "".into(), "".into(), why]];
    }
    let row = |(place, partition): (usize, &ottla_admin::Partition)| {
        let name = if place == 0 { topic.name.clone() } else { String::new() };
        let [index, leader, replicas, in_sync, note] = shown_ids(partition);
        vec![name, index, leader, replicas, in_sync, note]
    };
    topic.partitions.iter().enumerate().map(row).collect()
}
