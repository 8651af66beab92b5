//! Which cluster, and with what settings.

mod admin;

use std::path::PathBuf;

use clap::Args;
use ottla_tokio::{Config, ConfigError, ConfigProblem, Source};

use crate::exit::Usage;
use crate::table::table;
use crate::{output, properties_file};

/// The options by which commands find and use a cluster.
#[derive(Args, Debug)]
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
    /// Print the settings in effect and where each comes from, and do nothing else
    #[arg(long)]
    print_config: bool,
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
    /// Warnings go to standard error. None if they were to be printed only, and are.
    ///
    /// # Errors
    /// All that is wrong with them, in one line.
    pub(crate) fn config(
        &self,
        defaults: &[(&str, String)],
        given: &[(&str, String)],
    ) -> anyhow::Result<Option<Config>> {
        let settings = self.settings(defaults, given)?;
        let config = Config::from_properties(pairs(&settings)?);
        let config = config.map_err(|error| explain(&error, &settings))?;
        warn(config.warnings(), &settings);
        Ok(if self.is_printed(|| rows(&config, &settings))? { None } else { Some(config) })
    }

    /// Prints the settings, by key, where each comes from, and value, if that is all that is wanted.
    fn is_printed(&self, rows: impl FnOnce() -> Vec<Vec<String>>) -> anyhow::Result<bool> {
        if self.print_config {
            output::line(&table(&[], &rows()))?;
        }
        Ok(self.print_config)
    }

    /// All settings, in the order in which they come to count.
    fn settings(
        &self,
        defaults: &[(&str, String)],
        given: &[(&str, String)],
    ) -> anyhow::Result<Vec<Setting>> {
        let mut all = Vec::new();
        if let Some(hosts) = std::env::var(ENVIRONMENT).ok().filter(|hosts| !hosts.is_empty()) {
            all.push(Setting::new(BOOTSTRAP, &hosts, ENVIRONMENT));
        }
        all.extend(defaults.iter().map(|(key, value)| Setting::new(key, value, "this command")));
        for path in &self.property_files {
            let place = |line| format!("{}, line {line}", path.display());
            for property in properties_file::read(path).map_err(Usage)? {
                let from = place(property.line);
                all.push(Setting { key: property.key, value: property.value, from });
            }
        }
        all.extend(self.bootstrap.iter().map(|hosts| Setting::new(BOOTSTRAP, hosts, "-b")));
        all.extend(given.iter().map(|(key, value)| Setting::new(key, value, "option")));
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

/// The settings by key and value.
///
/// # Errors
/// There is no broker among them.
fn pairs(settings: &[Setting]) -> Result<impl Iterator<Item = (&str, &str)>, Usage> {
    if !settings.iter().any(|setting| setting.key == BOOTSTRAP) {
        return Err(Usage(format!(
            "no brokers to begin with: -b host:port gives them, {BOOTSTRAP} in -F or -X, or \
             {ENVIRONMENT} in the environment"
        )));
    }
    Ok(settings.iter().map(|setting| (setting.key.as_str(), setting.value.as_str())))
}

/// Tells warnings, each with where its key comes from.
fn warn(warnings: &[ConfigProblem], settings: &[Setting]) {
    for warning in warnings {
        output::warning(&format!("{warning}{}", origin(warning.key(), settings)));
    }
}

/// All faults, each with where its key comes from.
fn explain(error: &ConfigError, settings: &[Setting]) -> Usage {
    let problems = error.problems().iter();
    let problems = problems.map(|problem| format!("{problem}{}", origin(problem.key(), settings)));
    Usage(format!("wrong settings: {}", problems.collect::<Vec<_>>().join("; ")))
}

/// Where a key comes from, for the end of a line.
fn origin(key: &str, settings: &[Setting]) -> String {
    let setting = settings.iter().find(|setting| setting.key == key);
    setting.map_or_else(String::new, |Setting { from, .. }| format!(" ({from})"))
}

/// The settings in effect, and where each comes from.
fn rows(config: &Config, settings: &[Setting]) -> Vec<Vec<String>> {
    let effective = config.effective();
    let from = |setting: &ottla_tokio::Setting| match setting.source() {
        Source::Set => {
            let known = settings.iter().find(|known| known.key == setting.key());
            known.map_or_else(|| Source::Set.to_string(), |known| known.from.clone())
        }
        other => other.to_string(),
    };
    // Values may be long, so they stand last.
    effective.iter().map(|s| vec![s.key().to_owned(), from(s), s.value().to_owned()]).collect()
}

fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.to_owned()))
        }
        _ => Err("it has to be KEY=VALUE, such as linger.ms=20".to_owned()),
    }
}
