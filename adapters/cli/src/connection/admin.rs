//! The same options for an administration client.

use ottla_admin::{Admin, Config};

use super::{Connection, Setting, explain, pairs, warn};

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
        let config = Config::from_properties(pairs(&settings)?);
        let config = config.map_err(|error| explain(&error, &settings))?;
        warn(config.warnings(), &settings);
        let is_printed = self.is_printed(|| rows(&config, &settings))?;
        Ok(if is_printed { None } else { Some(Admin::new(config)) })
    }
}

/// The settings in effect, and where each comes from.
fn rows(config: &Config, settings: &[Setting]) -> Vec<Vec<String>> {
    let row = |(key, value): (&str, String)| {
        let given = settings.iter().find(|setting| setting.key == key);
        let from = given.map_or("default", |given| &given.from);
        vec![key.to_owned(), from.to_owned(), value]
    };
    config.effective().into_iter().map(row).collect()
}
