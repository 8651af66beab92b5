//! The same options for an administration client.

use ottla_admin::{Admin, Config, ConfigError};

use super::{BOOTSTRAP, Connection, ENVIRONMENT, Setting, origin};
use crate::exit::Usage;
use crate::output;

const API_TIMEOUT: &str = "default.api.timeout.ms";
const REQUEST_TIMEOUT: &str = "request.timeout.ms";

/// Milliseconds that a command waits where nothing is said: nobody sits before a terminal for
/// Kafka's minute.
const PATIENCE: &str = "15000";

impl Connection {
    /// An administration client with these settings. Warnings go to standard error. None if the
    /// settings were to be printed only, and are.
    ///
    /// # Errors
    /// All that is wrong with them, in one line.
    pub(crate) fn admin(&self) -> anyhow::Result<Option<Admin>> {
        let mut settings = self.settings(&[], &[])?;
        // Ours would have to go together with the user's.
        if !settings.iter().any(|s| [API_TIMEOUT, REQUEST_TIMEOUT].contains(&s.key.as_str())) {
            settings.push(Setting::new(API_TIMEOUT, PATIENCE, "this command"));
        }
        if !settings.iter().any(|setting| setting.key == BOOTSTRAP) {
            return Err(Usage(format!(
                "no brokers to begin with: -b host:port gives them, {BOOTSTRAP} in -F or -X, or \
                 {ENVIRONMENT} in the environment"
            ))
            .into());
        }
        let pairs = settings.iter().map(|setting| (&setting.key, &setting.value));
        let config = Config::from_properties(pairs).map_err(|error| explain(&error, &settings))?;
        for warning in config.warnings() {
            let key = warning.split(':').next().unwrap_or_default();
            output::warning(&format!("{warning}{}", origin(key, &settings)));
        }
        if self.print_config {
            output::line(&table(&config, &settings))?;
            return Ok(None);
        }
        Ok(Some(Admin::new(config)))
    }
}

/// All faults, each with where its key comes from.
fn explain(error: &ConfigError, settings: &[Setting]) -> Usage {
    let problems = error.problems().iter();
    let problems = problems.map(|problem| format!("{problem}{}", origin(problem.key(), settings)));
    Usage(format!("wrong settings: {}", problems.collect::<Vec<_>>().join("; ")))
}

/// The settings in effect, and where each comes from.
fn table(config: &Config, settings: &[Setting]) -> String {
    let row = |(key, value): (&str, String)| {
        let given = settings.iter().find(|setting| setting.key == key);
        let from = given.map_or("default", |given| &given.from);
        vec![key.to_owned(), from.to_owned(), value]
    };
    let rows: Vec<_> = config.effective().into_iter().map(row).collect();
    crate::table::table(&[], &rows)
}
