//! Which cluster, and with what settings.

use anyhow::anyhow;
use clap::Args;
use ottla_tokio::{Config, ConfigError};

/// The options by which commands find and use a cluster.
#[derive(Args, Debug)]
pub(crate) struct Connection {
    /// Brokers to begin with, as host:port, separated by commas
    #[arg(short, long = "bootstrap", value_name = "HOSTS")]
    bootstrap: String,
    /// Set a property of the producer, by the name that Kafka has for it; repeatable
    #[arg(short = 'X', long = "property", value_name = "KEY=VALUE", value_parser = property)]
    properties: Vec<(String, String)>,
}

impl Connection {
    /// The settings of a producer: `base`, then what the user said.
    ///
    /// # Errors
    /// All that is wrong with them, in one line.
    pub(crate) fn config(&self, base: &[(&str, String)]) -> anyhow::Result<Config> {
        let bootstrap = [("bootstrap.servers", self.bootstrap.as_str())];
        let base = base.iter().map(|(key, value)| (*key, value.as_str()));
        let own = self.properties.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        config(bootstrap.into_iter().chain(base).chain(own))
    }
}

/// The settings of a producer by Kafka's names.
///
/// # Errors
/// All that is wrong with them, in one line.
pub(crate) fn config<'a>(
    properties: impl Iterator<Item = (&'a str, &'a str)>,
) -> anyhow::Result<Config> {
    Config::from_properties(properties).map_err(|error| explain(&error))
}

fn explain(error: &ConfigError) -> anyhow::Error {
    let problems = error.problems().iter().map(ToString::to_string);
    anyhow!("wrong settings: {}", problems.collect::<Vec<_>>().join("; "))
}

fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.to_owned()))
        }
        _ => Err("it has to be KEY=VALUE, such as linger.ms=20".to_owned()),
    }
}
