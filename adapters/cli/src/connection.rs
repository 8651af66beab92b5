//! Which cluster, and with what settings.

use std::path::PathBuf;

use clap::Args;
use ottla_tokio::{Config, ConfigError};

use crate::exit::Usage;
use crate::properties_file;

/// The options by which commands find and use a cluster.
#[derive(Args, Debug)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct Connection {
    /// Brokers to begin with, as host:port, separated by commas; without it bootstrap.servers of -F
    /// or -X, or else the environment's OTTLA_BOOTSTRAP
    #[arg(short, long = "bootstrap", visible_alias = "brokers", value_name = "HOSTS")]
    bootstrap: Option<String>,
    /// Take properties from a file as Java has them; repeatable, and the last value counts
    #[arg(short = 'F', long = "properties-file", value_name = "FILE")]
    property_files: Vec<PathBuf>,
    /// Set a property of the producer, by the name that Kafka has for it, above those of -F;
    /// repeatable
    #[arg(short = 'X', long = "property", value_name = "KEY=VALUE", value_parser = property)]
    properties: Vec<(String, String)>,
}

const BOOTSTRAP: &str = "bootstrap.servers";

/// Where the brokers are looked up last.
const ENVIRONMENT: &str = "OTTLA_BOOTSTRAP";

/// A setting, and where it comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Setting {
    key: String,
    value: String,
    from: String,
}

impl Setting {
    fn new(key: &str, value: &str, from: impl Into<String>) -> Self {
        Self { key: key.to_owned(), value: value.to_owned(), from: from.into() }
    }
}

impl Connection {
    /// The settings of a producer: `defaults`, then files, then `given` by other options, then -X.
    ///
    /// # Errors
    /// All that is wrong with them, in one line.
    pub(crate) fn config(
        &self,
        defaults: &[(&str, String)],
        given: &[(&str, String)],
    ) -> anyhow::Result<Config> {
        let settings = self.settings(defaults, given)?;
        if !settings.iter().any(|setting| setting.key == BOOTSTRAP) {
            return Err(Usage(format!(
                "no brokers to begin with: -b host:port gives them, {BOOTSTRAP} in -F or -X, or \
                 {ENVIRONMENT} in the environment"
            ))
            .into());
        }
        let pairs = settings.iter().map(|setting| (&setting.key, &setting.value));
        Ok(Config::from_properties(pairs).map_err(|error| explain(&error, &settings))?)
    }

    /// All settings, in the order in which they come to count.
    fn settings(
        &self,
        defaults: &[(&str, String)],
        given: &[(&str, String)],
    ) -> anyhow::Result<Vec<Setting>> {
        let mut all = Vec::new();
        if let Ok(hosts) = std::env::var(ENVIRONMENT) {
            all.push(Setting::new(BOOTSTRAP, &hosts, ENVIRONMENT));
        }
        all.extend(defaults.iter().map(|(key, value)| Setting::new(key, value, "")));
        for path in &self.property_files {
            let place = |line| format!("{}, line {line}", path.display());
            for property in properties_file::read(path).map_err(Usage)? {
                let from = place(property.line);
                all.push(Setting { key: property.key, value: property.value, from });
            }
        }
        all.extend(self.bootstrap.iter().map(|hosts| Setting::new(BOOTSTRAP, hosts, "-b")));
        all.extend(given.iter().map(|(key, value)| Setting::new(key, value, "")));
        all.extend(self.properties.iter().map(|(key, value)| Setting::new(key, value, "-X")));
        // Of a key that comes twice the last value counts; the others may be wrong.
        let mut last = Vec::new();
        for (place, setting) in all.iter().enumerate() {
            if !all[place + 1..].iter().any(|later| later.key == setting.key) {
                last.push(setting.clone());
            }
        }
        Ok(last)
    }
}

/// The settings of a producer by Kafka's names.
///
/// # Errors
/// All that is wrong with them, in one line.
pub(crate) fn config<'a>(
    properties: impl Iterator<Item = (&'a str, &'a str)>,
) -> anyhow::Result<Config> {
    Ok(Config::from_properties(properties).map_err(|error| explain(&error, &[]))?)
}

/// All faults, each with the file and line of its key if it comes from a file.
fn explain(error: &ConfigError, settings: &[Setting]) -> Usage {
    let problems = error.problems().iter().map(|problem| {
        let setting = settings.iter().find(|setting| setting.key == problem.key());
        match setting.filter(|setting| !setting.from.is_empty()) {
            Some(Setting { from, .. }) => format!("{problem} ({from})"),
            None => problem.to_string(),
        }
    });
    Usage(format!("wrong settings: {}", problems.collect::<Vec<_>>().join("; ")))
}

fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.to_owned()))
        }
        _ => Err("it has to be KEY=VALUE, such as linger.ms=20".to_owned()),
    }
}
