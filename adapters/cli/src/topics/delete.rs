//! `ottla topics delete`.

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;

use clap::Args;
use ottla_admin::ErrorCode;

use super::ended;
use crate::connection::Connection;
use crate::exit::Usage;
use crate::output;

/// Delete topics, with all records in them
///
/// Asks before it does, on a terminal; elsewhere --yes is needed. A topic whose answer never came
/// may have been deleted all the same; that is told, and counts as a failure.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  ottla topics delete -b localhost:9092 readings
  ottla topics delete -b kafka:9092 try-1 try-2 --if-exists --yes")]
pub(crate) struct Delete {
    #[command(flatten)]
    connection: Connection,
    /// A topic that is not there is no failure
    #[arg(long)]
    if_exists: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Topics to delete
    #[arg(value_name = "NAME", required_unless_present = "print_config")]
    names: Vec<String>,
}

impl Delete {
    pub(super) async fn run(&self) -> anyhow::Result<ExitCode> {
        let Some(admin) = self.connection.admin()? else { return Ok(ExitCode::SUCCESS) };
        if !self.yes && !self.ask()? {
            output::note("nothing was deleted");
            return Ok(ended(false));
        }
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let mut well = true;
        for told in admin.delete_topics(&names).await {
            let name = told.name;
            let unknown = Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
            match told.result {
                Ok(()) => output::line(&format!("{name} deleted"))?,
                Err(error) if self.if_exists && error.code() == unknown => {
                    output::line(&format!("{name} is not there"))?;
                }
                Err(error) => {
                    output::error(&error.to_string());
                    well = false;
                }
            }
        }
        Ok(ended(well))
    }

    /// Whether whoever sits before the terminal wants it.
    fn ask(&self) -> anyhow::Result<bool> {
        if !io::stdin().is_terminal() {
            return Err(Usage("there is nobody to ask: --yes deletes without".to_owned()).into());
        }
        let mut error = io::stderr().lock();
        let names = self.names.join(", ");
        let _ = write!(error, "Delete {names}, with all records? [y/N] ");
        let _ = error.flush();
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }
}
