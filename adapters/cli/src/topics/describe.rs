//! `ottla topics describe`.

use std::process::ExitCode;

use clap::Args;
use ottla_admin::{Setting, Source, Topic};
use serde_json::{Value, json};

use super::{Found, ended, shown_ids, topic_json};
use crate::connection::Connection;
use crate::numbers::several;
use crate::output;
use crate::table::table;

/// Show topics with their settings and partitions
///
/// Of the settings those are shown that are not at Kafka's default.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  ottla topics describe -b localhost:9092 readings
  ottla topics describe -b kafka:9092 readings --all-settings
  ottla topics describe -b kafka:9092 readings logs --json > topics.jsonl")]
pub(crate) struct Describe {
    #[command(flatten)]
    connection: Connection,
    /// Show settings that are at Kafka's default, too; JSON has them always
    #[arg(long)]
    all_settings: bool,
    /// One object of JSON a line
    #[arg(long)]
    json: bool,
    /// Topics to show
    #[arg(value_name = "NAME", required_unless_present = "print_config")]
    names: Vec<String>,
}

impl Describe {
    pub(super) async fn run(&self) -> anyhow::Result<ExitCode> {
        let Some(admin) = self.connection.admin()? else { return Ok(ExitCode::SUCCESS) };
        let found = Found::named(&admin, &self.names).await?;
        let names: Vec<&str> = found.topics.iter().map(|topic| topic.name.as_str()).collect();
        let mut is_complete = true;
        for (place, settings) in admin.describe_configs(&names).await?.into_iter().enumerate() {
            let Some(topic) = found.topics.get(place) else { break };
            let settings = settings.result.unwrap_or_else(|error| {
                output::error(&error.to_string());
                is_complete = false;
                Vec::new()
            });
            let text = if self.json {
                in_json(topic, &settings).to_string()
            } else {
                let between = if place > 0 { "\n" } else { "" };
                format!("{between}{}", self.text(topic, &settings))
            };
            output::line(&text)?;
        }
        Ok(if is_complete { found.end() } else { ended(false) })
    }

    fn text(&self, topic: &Topic, settings: &[Setting]) -> String {
        let mut text = format!("{}: ", topic.name);
        if let Some(id) = topic.id {
            text.push_str(&format!("id {id}, "));
        }
        if topic.internal {
            text.push_str("internal, ");
        }
        text.push_str(&several(topic.partitions.len() as u64, "partition"));
        let replicas = topic.replication_factor();
        let replicas =
            if replicas == 1 { "1 replica".into() } else { format!("{replicas} replicas") };
        text.push_str(&format!(", {replicas}"));
        let is_shown = |s: &&Setting| self.all_settings || s.source != Source::Default;
        let row = |setting: &Setting| {
            let value = match (&setting.value, setting.sensitive) {
                (_, true) => "(secret)",
                (Some(value), _) if value.is_empty() => "(empty)",
                (Some(value), _) => value,
                (None, _) => "(none)",
            };
            // Values may be long, so they stand last.
            vec![setting.name.clone(), setting.source.to_string(), value.to_owned()]
        };
        let rows: Vec<_> = settings.iter().filter(is_shown).map(row).collect();
        if !rows.is_empty() {
            text.push_str(&format!("\n\n{}", table(&["SETTING", "FROM", "VALUE"], &rows)));
        }
        let rows: Vec<_> = topic.partitions.iter().map(|p| shown_ids(p).to_vec()).collect();
        let head = ["PARTITION", "LEADER", "REPLICAS", "IN SYNC", ""];
        text.push_str(&format!("\n\n{}", table(&head, &rows)));
        text
    }
}

fn in_json(topic: &Topic, settings: &[Setting]) -> Value {
    let mut object = topic_json(topic);
    let setting = |setting: &Setting| {
        let source = setting.source.to_string();
        let value = json!({ "value": setting.value, "from": source });
        (setting.name.clone(), value)
    };
    object["settings"] = Value::Object(settings.iter().map(setting).collect());
    object
}
