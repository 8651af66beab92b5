//! `ottla topics create`.

use std::process::ExitCode;

use clap::Args;
use ottla_admin::{ErrorCode, NewTopic};

use super::{ended, setting};
use crate::connection::Connection;
use crate::output;

/// Create topics
///
/// What is not said is left to the cluster, by its num.partitions and default.replication.factor
/// (brokers from Kafka 2.4 on). A topic whose answer never came may have been created all the same;
/// that is told, and counts as a failure.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  ottla topics create -b localhost:9092 readings --partitions 6
  ottla topics create -b kafka:9092 audit --replication-factor 3
  ottla topics create -b kafka:9092 states --config cleanup.policy=compact
  ottla topics create -b kafka:9092 readings logs --if-not-exists
  ottla topics create -b kafka:9092 readings --partitions 600 --dry-run")]
pub(crate) struct Create {
    #[command(flatten)]
    connection: Connection,
    /// Number of partitions
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// Number of replicas of each partition
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i16).range(1..))]
    replication_factor: Option<i16>,
    /// A setting of the topics; repeatable
    #[arg(short, long = "config", value_name = "KEY=VALUE", value_parser = setting)]
    configs: Vec<(String, String)>,
    /// A topic that exists already is no failure; it stays as it is
    #[arg(long)]
    if_not_exists: bool,
    /// Only have the cluster check whether the topics could be created
    #[arg(long)]
    dry_run: bool,
    /// Topics to create
    #[arg(value_name = "NAME", required_unless_present = "print_config")]
    names: Vec<String>,
}

impl Create {
    pub(super) async fn run(&self) -> anyhow::Result<ExitCode> {
        let Some(admin) = self.connection.admin()? else { return Ok(ExitCode::SUCCESS) };
        let topic = |name: &String| NewTopic {
            name: name.clone(),
            partitions: self.partitions,
            replication_factor: self.replication_factor,
            assignments: Vec::new(),
            configs: self.configs.clone(),
        };
        let topics: Vec<NewTopic> = self.names.iter().map(topic).collect();
        let mut well = true;
        for told in admin.create_topics(&topics, self.dry_run).await {
            let name = told.name;
            match told.result {
                Ok(_) if self.dry_run => output::line(&format!("{name} could be created"))?,
                Ok(Some(id)) => output::line(&format!("{name} created, id {id}"))?,
                Ok(None) => output::line(&format!("{name} created"))?,
                Err(error)
                    if self.if_not_exists
                        && error.code() == Some(ErrorCode::TOPIC_ALREADY_EXISTS) =>
                {
                    output::line(&format!("{name} exists already"))?;
                }
                Err(error) => {
                    output::error(&error.to_string());
                    well = false;
                }
            }
        }
        Ok(ended(well))
    }
}
