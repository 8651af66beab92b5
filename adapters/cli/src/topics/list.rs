//! `ottla topics list`.

use std::process::ExitCode;

use clap::Args;
use ottla_admin::Topic;
use serde_json::json;

use super::{Found, partitions};
use crate::connection::Connection;
use crate::output;
use crate::table::table;

/// List topics with their partitions and replicas
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  ottla topics list -b localhost:9092
  ottla topics list -b kafka:9092 --internal
  ottla topics list -b kafka:9092 --names > names.txt")]
pub(crate) struct List {
    #[command(flatten)]
    connection: Connection,
    /// List topics in which brokers keep their own data, too
    #[arg(long)]
    internal: bool,
    /// Only names, one a line
    #[arg(long, conflicts_with = "json")]
    names: bool,
    /// One object of JSON a line
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) async fn run(&self) -> anyhow::Result<ExitCode> {
        let Some(admin) = self.connection.admin()? else { return Ok(ExitCode::SUCCESS) };
        let found = Found::all(&admin, self.internal).await?;
        if self.names || self.json {
            for topic in &found.topics {
                output::line(&if self.json { in_json(topic) } else { topic.name.clone() })?;
            }
            return Ok(found.end());
        }
        if !found.topics.is_empty() {
            let rows: Vec<_> = found.topics.iter().map(row).collect();
            let table = table(&["TOPIC", "PARTITIONS", "REPLICAS", ""], &rows);
            output::line(&format!("{table}\n"))?;
        }
        output::line(&partitions(&found.topics))?;
        Ok(found.end())
    }
}

fn row(topic: &Topic) -> Vec<String> {
    let without = topic.partitions.iter().filter(|p| p.leader.is_none()).count();
    let mut notes = Vec::new();
    if topic.internal {
        notes.push("internal".to_owned());
    }
    if !topic.error.is_success() {
        notes.push(topic.error.to_string());
    }
    if without > 0 {
        notes.push(format!("{without} without a leader"));
    }
    vec![
        topic.name.clone(),
        topic.partitions.len().to_string(),
        topic.replication_factor().to_string(),
        notes.join(", "),
    ]
}

fn in_json(topic: &Topic) -> String {
    let id = topic.id.map(|id| id.to_string());
    let (partitions, replicas) = (topic.partitions.len(), topic.replication_factor());
    json!({
        "name": topic.name, "id": id, "internal": topic.internal,
        "partitions": partitions, "replication_factor": replicas,
    })
    .to_string()
}
