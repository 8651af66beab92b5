//! `ottla topics`: what topics there are, and how they are changed. One file per command.

mod alter;
mod create;
mod delete;
mod describe;
mod list;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use ottla_admin::{Admin, Partition, Topic};
use serde_json::{Value, json};

use crate::exit;
use crate::numbers::several;
use crate::output;

/// List, describe, create, delete and alter topics
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  ottla topics list -b localhost:9092
  ottla topics describe -b kafka:9092 readings
  ottla topics create -b kafka:9092 readings --partitions 6")]
pub(crate) struct Topics {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    List(list::List),
    Describe(describe::Describe),
    Create(create::Create),
    Delete(delete::Delete),
    Alter(alter::Alter),
}

impl Topics {
    pub(crate) async fn run(&self) -> anyhow::Result<ExitCode> {
        match &self.what {
            What::List(list) => list.run().await,
            What::Describe(describe) => describe.run().await,
            What::Create(create) => create.run().await,
            What::Delete(delete) => delete.run().await,
            What::Alter(alter) => alter.run().await,
        }
    }
}

/// Topics as they were found, and whether one of those that were named was not.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) topics: Vec<Topic>,
    is_complete: bool,
}

impl Found {
    /// All topics; those of brokers only if they are wanted.
    pub(crate) async fn all(admin: &Admin, internal: bool) -> anyhow::Result<Self> {
        let mut topics = admin.topics().await?;
        topics.retain(|topic| internal || !topic.internal);
        Ok(Self { topics, is_complete: true })
    }

    /// These topics. What is wrong with one is told on standard error.
    pub(crate) async fn named(admin: &Admin, names: &[String]) -> anyhow::Result<Self> {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut topics = Vec::new();
        for found in admin.describe_topics(&names).await? {
            match found.result {
                Ok(topic) => topics.push(topic),
                Err(error) => output::error(&error.to_string()),
            }
        }
        let is_complete = topics.len() == names.len();
        Ok(Self { topics, is_complete })
    }

    /// What the tool ends with.
    pub(crate) fn end(&self) -> ExitCode {
        ended(self.is_complete)
    }
}

/// What the tool ends with if all went well, or if not.
fn ended(well: bool) -> ExitCode {
    if well { exit::DONE.into() } else { exit::FAILED.into() }
}

/// How many topics and partitions there are, and how many partitions are not as they should be.
pub(crate) fn partitions(topics: &[Topic]) -> String {
    let all = || topics.iter().flat_map(|topic| &topic.partitions);
    let mut text = several(topics.len() as u64, "topic");
    text.push_str(&format!(", {}", several(all().count() as u64, "partition")));
    let without = all().filter(|partition| partition.leader.is_none()).count();
    let lacking = all().filter(|p| p.in_sync.len() < p.replicas.len()).count();
    for (count, what) in [(without, "without a leader"), (lacking, "with replicas out of sync")] {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    text
}

/// Number, leader, replicas and those in sync of a partition, and what is not as it should be.
pub(crate) fn shown_ids(partition: &Partition) -> [String; 5] {
    let ids = |ids: &[i32]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let mut notes = Vec::new();
    if partition.leader.is_none() {
        notes.push("no leader".to_owned());
    }
    if !partition.offline.is_empty() {
        notes.push(format!("offline: {}", ids(&partition.offline)));
    } else if partition.in_sync.len() < partition.replicas.len() {
        notes.push("out of sync".to_owned());
    }
    let leader = partition.leader.map_or_else(|| "-".to_owned(), |id| id.to_string());
    // Ids of several brokers are no number.
    let set = |list: &[i32]| format!("[{}]", ids(list));
    [
        partition.index.to_string(),
        leader,
        set(&partition.replicas),
        set(&partition.in_sync),
        notes.join(", "),
    ]
}

/// A topic for programs.
pub(crate) fn topic_json(topic: &Topic) -> Value {
    let partition = |p: &Partition| {
        json!({
            "partition": p.index, "leader": p.leader, "leader_epoch": p.leader_epoch,
            "replicas": p.replicas, "in_sync": p.in_sync, "offline": p.offline,
        })
    };
    json!({
        "name": topic.name,
        "id": topic.id.map(|id| id.to_string()),
        "internal": topic.internal,
        "partitions": topic.partitions.iter().map(partition).collect::<Vec<_>>(),
    })
}

/// A setting of the command line.
fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("it has to be KEY=VALUE, such as retention.ms=86400000".to_owned()),
    }
}
