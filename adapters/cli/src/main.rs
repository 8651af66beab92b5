//! `ottla`: produces records, measures, and shows on a cluster full of faults that no record is
//! lost, doubled or reordered. One file or folder per command.

#![forbid(unsafe_code)]

mod bench;
mod connection;
mod demo;
mod dev_broker;
mod exit;
mod kcat;
mod manual;
mod metadata;
mod numbers;
mod output;
mod pace;
mod produce;
mod properties_file;
mod signals;
mod table;
mod tally;
mod topics;
mod usage;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// A Kafka producer that says of each record what became of it.
#[derive(Debug, Parser)]
#[command(name = "ottla", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Examples:
  ottla demo
  ottla dev-broker --topic lines:3
  seq 1000000 | ottla produce -b localhost:9092 -t lines
  seq 1000000 | ottla -P -b localhost:9092 -t lines     as with kcat

Each command explains itself: ottla produce --help

Exit codes:
  0    everything is as it should be; of records: all are written
  1    something is not, or the command could not be carried out
  2    the command line or the settings are wrong; nothing was begun
  130  Ctrl-C; 143 SIGTERM

Colours are used in terminals only, and not if NO_COLOR is set.")]
struct Cli {
    /// Log what the producer does, to standard error; twice for more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Produce(Box<produce::Produce>),
    Metadata(metadata::Metadata),
    Topics(topics::Topics),
    Bench(bench::Bench),
    DevBroker(dev_broker::DevBroker),
    Completions(manual::Completions),
    Man(manual::Man),
}

fn main() -> ExitCode {
    let Cli { verbose, command } = Cli::parse_from(kcat::arguments(std::env::args_os()));
    log(verbose);
    let result = runtime().and_then(|runtime| {
        runtime.block_on(async {
            match command {
                Command::Demo(demo) => demo.run(verbose > 0).await,
                Command::Produce(produce) => produce.run(verbose > 0).await,
                Command::Metadata(metadata) => metadata.run().await,
                Command::Topics(topics) => topics.run().await,
                Command::Bench(bench) => bench.run(verbose > 0).await,
                Command::DevBroker(dev_broker) => dev_broker.run().await,
                Command::Completions(completions) => completions.run(Cli::command()),
                Command::Man(man) => man.run(Cli::command()),
            }
        })
    });
    result.unwrap_or_else(|error| {
        output::error(&format!("{error:#}"));
        exit::code(&error).into()
    })
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    use anyhow::Context;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().build().context("the runtime cannot be started")
}

/// Shows what the producer logs, if that was asked for.
fn log(verbose: u8) {
    use tracing_subscriber::filter::LevelFilter;
    let level = match verbose {
        0 => return,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let colours = output::has_colours(&std::io::stderr());
    let subscriber = tracing_subscriber::fmt().with_max_level(level).with_ansi(colours);
    subscriber.with_writer(std::io::stderr).init();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of a command and of those below it: each with the name of its command.
    fn examples(command: &mut clap::Command, found: &mut Vec<(String, String)>) {
        let name = command.get_name().to_owned();
        let help = command.render_long_help().to_string();
        let lines = help.lines().skip_while(|line| *line != "Examples:").skip(1);
        let lines = lines.take_while(|line| !line.is_empty());
        found.extend(lines.map(|line| (name.clone(), line.trim().to_owned())));
        command.get_subcommands_mut().for_each(|command| examples(command, found));
    }

    #[test]
    fn every_example_is_understood() {
        let mut tool = Cli::command();
        tool.build();
        let mut found = Vec::new();
        examples(&mut tool, &mut found);
        let named = |name: &str| found.iter().filter(|(of, _)| of == name).count();
        for command in ["ottla", "demo", "produce", "latency", "dev-broker", "completions", "man"] {
            assert!(named(command) > 0, "{command} has no examples");
        }
        let mut understood = 0;
        for (_, line) in &found {
            assert!(line.len() <= 77, "wraps in a terminal of 80 columns: {line}");
            let Some(start) =
                line.rfind("| ottla ").map(|at| at + 2).or(line.starts_with("ottla ").then_some(0))
            else {
                // The rest of the line before it.
                continue;
            };
            // What stands behind is said about it, or for the shell.
            let line = &line[start..];
            let end = ["   ", " > ", " | "].iter().filter_map(|end| line.find(end)).min();
            let line = &line[..end.unwrap_or(line.len())];
            let words = shlex::split(line).unwrap_or_else(|| panic!("{line}"));
            let words = kcat::arguments(words.into_iter().map(Into::into));
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("{line}: {error}");
            }
            understood += 1;
        }
        assert!(understood >= 20, "{understood}");
    }

    #[test]
    fn commands_are_sound() {
        Cli::command().debug_assert();
    }
}
