//! `ottla topics alter`.

use std::process::ExitCode;

use clap::Args;
use ottla_admin::Change;

use super::{ended, setting};
use crate::connection::Connection;
use crate::exit::Usage;
use crate::numbers::several;
use crate::output;

/// Change the settings of a topic, or give it more partitions
///
/// Settings are changed first, all of them or none, then partitions are added. With more partitions
/// records of a key may go to another one than before; those that are there stay.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  ottla topics alter -b localhost:9092 readings --partitions 12
  ottla topics alter -b kafka:9092 readings --config retention.ms=86400000
  ottla topics alter -b kafka:9092 logs --add-config cleanup.policy=compact
  ottla topics alter -b kafka:9092 logs --delete-config retention.ms --dry-run")]
pub(crate) struct Alter {
    #[command(flatten)]
    connection: Connection,
    /// Number of partitions, with those that there are
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// Set a setting; repeatable
    #[arg(short, long = "config", value_name = "KEY=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,
    /// Give a setting its default back; repeatable
    #[arg(long = "delete-config", value_name = "KEY")]
    delete: Vec<String>,
    /// Add elements, separated by commas, to a setting that is a list; repeatable
    #[arg(long = "add-config", value_name = "KEY=VALUE", value_parser = setting)]
    add: Vec<(String, String)>,
    /// Take elements from a setting that is a list; repeatable
    #[arg(long = "remove-config", value_name = "KEY=VALUE", value_parser = setting)]
    remove: Vec<(String, String)>,
    /// Only have the cluster check whether it could be done
    #[arg(long)]
    dry_run: bool,
    /// Topic to change
    #[arg(value_name = "NAME", required_unless_present = "print_config")]
    name: Option<String>,
}

impl Alter {
    pub(super) async fn run(&self) -> anyhow::Result<ExitCode> {
        let Some(admin) = self.connection.admin()? else { return Ok(ExitCode::SUCCESS) };
        let name = self.name.as_deref().unwrap_or_default();
        let changes = self.changes();
        if changes.is_empty() && self.partitions.is_none() {
            let what = "--partitions, --config, --delete-config, --add-config or --remove-config";
            return Err(Usage(format!("nothing to change: give {what}")).into());
        }
        if !changes.is_empty() {
            if let Err(error) = admin.alter_configs(name, &changes, self.dry_run).await {
                output::error(&error.to_string());
                return Ok(ended(false));
            }
            let count = several(changes.len() as u64, "setting");
            output::line(&match self.dry_run {
                true => format!("{name}: {count} could be changed"),
                false => format!("{name}: {count} changed"),
            })?;
        }
        if let Some(total) = self.partitions {
            if let Err(error) = admin.create_partitions(name, total, self.dry_run).await {
                output::error(&error.to_string());
                return Ok(ended(false));
            }
            let count = several(u64::from(total.unsigned_abs()), "partition");
            output::line(&match self.dry_run {
                true => format!("{name}: could have {count}"),
                false => format!("{name}: {count} now"),
            })?;
        }
        Ok(ended(true))
    }

    fn changes(&self) -> Vec<Change> {
        let pairs = |list: &[(String, String)], change: fn(String, String) -> Change| {
            list.iter().map(move |(key, value)| change(key.clone(), value.clone())).collect()
        };
        let mut changes: Vec<Change> = pairs(&self.set, Change::Set);
        changes.extend(self.delete.iter().cloned().map(Change::Delete));
        changes.extend::<Vec<_>>(pairs(&self.add, Change::Append));
        changes.extend::<Vec<_>>(pairs(&self.remove, Change::Subtract));
        changes
    }
}
