//! `ottla`: produces records, measures, and shows on a cluster full of faults that no record is
//! lost, doubled or reordered. One file or folder per command.

#![forbid(unsafe_code)]

mod bench;
mod connection;
mod demo;
mod dev_broker;
mod exit;
mod kcat;
mod numbers;
mod output;
mod pace;
mod produce;
mod properties_file;
mod signals;
mod tally;
mod usage;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A Kafka producer that says of each record what became of it.
#[derive(Debug, Parser)]
#[command(name = "ottla", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Examples:
  ottla demo
  ottla dev-broker --topic lines:3
  seq 1000000 | ottla produce -b localhost:9092 -t lines

Each command explains itself: ottla produce --help")]
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
    Bench(bench::Bench),
    DevBroker(dev_broker::DevBroker),
}

fn main() -> ExitCode {
    let Cli { verbose, command } = Cli::parse_from(kcat::arguments(std::env::args_os()));
    log(verbose);
    let result = runtime().and_then(|runtime| {
        runtime.block_on(async {
            match command {
                Command::Demo(demo) => demo.run(verbose > 0).await,
                Command::Produce(produce) => produce.run(verbose > 0).await,
                Command::Bench(bench) => bench.run(verbose > 0).await,
                Command::DevBroker(dev_broker) => dev_broker.run().await,
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
