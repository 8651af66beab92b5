//! `ottla produce`: lines, or objects of JSON, become records.

mod delimiter;
mod failed;
mod input;
mod json;
mod outcomes;
mod report;
mod send;
mod shape;
mod timestamp;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, ValueEnum};
use ottla_tokio::{Config, Producer};
use tokio::sync::watch;

use crate::connection::Connection;
use crate::pace::{Pace, Rate, rate};
use crate::signals::Signals;
use crate::{exit, output};
use delimiter::{Delimiter, delimiter};
use failed::Keep;
use input::Input;
use outcomes::Outcomes;
use report::Report;
use send::{End, Sender};
use shape::{Form, Shape, header};
use timestamp::timestamp;

/// Send lines, each as one record
///
/// Lines come from files, or from standard input without any (or where a file is -). Their bytes
/// are sent as they are: no encoding is assumed, empty lines are records, and of a line's end
/// only the newline is taken off. The last line on standard error is a summary. Ctrl-C and SIGTERM
/// send what was read; a second one gives that up.
///
/// Options are kcat's where kcat has them, and `ottla -P` is `ottla produce`. Unlike kcat, a file
/// is lines, as with its -l, not one record.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}{MORE}"))]
pub(crate) struct Produce {
    #[command(flatten)]
    connection: Connection,
    /// Topic to send to; with --json that of records without one
    #[arg(short, long, required_unless_present_any = ["json", "print_config"])]
    topic: Option<String>,
    /// What ends a record. \t, \n, \r, \0, \\ and \xHH are understood
    #[arg(short = 'D', long, value_name = "DELIM", default_value = r"\n",
        allow_hyphen_values = true, value_parser = delimiter)]
    delimiter: Delimiter,
    /// What stands between key and value; a line without it has no key. Escapes as with -D
    #[arg(short = 'K', long = "key-delimiter", visible_alias = "key-separator", value_name = "DELIM",
        allow_hyphen_values = true, value_parser = delimiter, conflicts_with = "json")]
    key_delimiter: Option<Delimiter>,
    /// Send empty values, and empty keys, as null
    #[arg(short = 'Z', long)]
    null: bool,
    /// Header of every record; null without a value; repeatable
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE", value_parser = header)]
    headers: Vec<(String, Option<String>)>,
    /// Partition to send to; without it the key decides, or records are spread
    #[arg(short, long, value_name = "N", allow_negative_numbers = true,
        value_parser = clap::value_parser!(i32).range(-1..))]
    partition: Option<i32>,
    /// Time of every record: milliseconds since 1970, RFC 3339, or now, which is when the tool was
    /// started; without it, when each record is accepted
    #[arg(long, value_name = "TIME", value_parser = timestamp)]
    timestamp: Option<i64>,
    /// Send so many records a second, at most, evenly
    #[arg(long, value_name = "N[/s]", value_parser = rate)]
    rate: Option<Rate>,
    /// Compression of batches; this version has none only
    #[arg(short = 'z', long, value_name = "CODEC")]
    compression: Option<String>,
    /// Stop after so many records
    #[arg(short, long, value_name = "N")]
    count: Option<u64>,
    /// Each line is a JSON object: topic, partition, ts, headers, key, value, as kcat -J prints them
    ///
    /// Key and value are strings or null; key_base64 and value_base64 give bytes. payload is
    /// another name for value, timestamp for ts: milliseconds since 1970, or RFC 3339. Headers are
    /// ["name", "value", ...] or {"name": "value", ...}, a value being a string, null, or
    /// {"base64": "..."}. What an object does not say comes from -t, -p, -H and --timestamp; the
    /// value has to be there. Lines that are no record are told and counted as not written.
    #[arg(short = 'J', long)]
    json: bool,
    /// Keep records that failed in a file, which produce --json takes again
    ///
    /// One object a line, as with --json, with the reason (refused, not written, or unknown: it may
    /// be written all the same), the error, and the file and line that it came from. They are added
    /// to the file; - is standard output. What was read and not sent, as something stood in the
    /// way, is kept, too.
    #[arg(long, value_name = "FILE")]
    failed: Option<PathBuf>,
    /// How to sum up: text on standard error, or one line of JSON on standard output
    #[arg(long, value_enum, default_value_t = ReportKind::Text, value_name = "KIND")]
    report: ReportKind,
    /// Show neither progress nor a summary; errors are shown all the same
    #[arg(short, long)]
    quiet: bool,
    /// As kcat has it for lines; they always are
    #[arg(short = 'l', hide = true)]
    _lines: bool,
    /// As kcat has it for an end; there always is one
    #[arg(short = 'e', hide = true)]
    _exit: bool,
    /// Files to read
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

const EXAMPLES: &str = r#"Examples:
  seq 1000 | ottla produce -b localhost:9092 -t numbers
  ottla produce -b kafka1:9092,kafka2:9092 -t logs logs/*.log
  printf 'sensor-7\t21.5\n' | ottla produce -b kafka:9092 -t readings -K '\t'
  ottla produce -b kafka:9092 -t audit -H source=cli -p 0 events.txt
  find . -print0 | ottla produce -b kafka:9092 -t files -D '\0' --rate 1000/s
  ottla produce -F client.properties -t bulk --failed failed.jsonl dump.txt
  ottla produce -F client.properties --json failed.jsonl
  echo '{"key":"k","value":null}' | ottla produce -b kafka:9092 -t t --json"#;

const MORE: &str = "

Exit codes:
  0    every record is written
  1    something is not written, or nobody knows, or the input cannot be read
  2    the command line or the settings are wrong; nothing was sent
  130  Ctrl-C; 143 SIGTERM";

/// How to sum up.
#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum)]
enum ReportKind {
    Text,
    Json,
}

impl Produce {
    pub(crate) async fn run(mut self, verbose: bool) -> anyhow::Result<ExitCode> {
        let codec = self.compression.iter().map(|codec| ("compression.type", codec.clone()));
        let Some(config) = self.connection.config(&[], &codec.collect::<Vec<_>>())? else {
            return Ok(exit::DONE.into());
        };
        if self.files.is_empty() {
            self.files.push("-".into());
        }
        let size = input::total_size(&self.files)?;
        let keep = match &self.failed {
            Some(path) => Some(Keep::open(path, &self.files)?),
            None => None,
        };
        let shape = Arc::new(self.shape());
        let input =
            Input::start(self.files.clone(), self.delimiter.clone(), self.line_max(&config))?;
        let patience = patience(&config);
        let memory = config.buffer_memory();
        let producer = Producer::new(config);

        let begun = Instant::now();
        let names = self.files.iter().map(|path| input::name(path)).collect();
        let quiet = self.quiet
            || verbose
            || self.report == ReportKind::Json
            || input::is_typed(&self.files);
        let outcomes = Outcomes::start(Arc::clone(&shape), names, keep, memory, size, quiet);
        let interrupted = interruption(&producer, patience)?;
        let pace = self.rate.map(Pace::new);
        let mut sender =
            Sender::new(&producer, &shape, &outcomes, pace, self.count, interrupted.clone());
        let end = sender.run(input).await.map_err(|error| exit::Usage(format!("-t: {error}")))?;
        let topics = sender.into_topics();
        // Accepts no more, and waits for the outcomes.
        producer.close(patience).await;
        let (tally, keep) = outcomes.finish().await;

        let acks = producer.config().core().acks;
        let report = Report { tally, keep, topics, acks, took: begun.elapsed(), end };
        if let Some(error) = report.late_error() {
            output::error(&error);
        }
        match self.report {
            ReportKind::Json => output::line(&report.json())?,
            ReportKind::Text if self.quiet || !report.is_worth_telling() => {}
            ReportKind::Text => output::note(&report.text()),
        }
        let signal = *interrupted.borrow();
        Ok(match (&report.end, signal) {
            (End::Interrupted(_), Some(code)) => code.into(),
            (End::Complete, _) if report.is_good() => exit::DONE.into(),
            _ => exit::FAILED.into(),
        })
    }

    fn shape(&self) -> Shape {
        Shape {
            form: if self.json { Form::Json } else { Form::Lines },
            topic: self.topic.clone(),
            delimiter: self.delimiter.clone(),
            key_delimiter: self.key_delimiter.clone(),
            headers: self.headers.clone(),
            // -1 is any, as kcat has it.
            partition: self.partition.filter(|partition| *partition >= 0),
            timestamp: self.timestamp,
            empty_is_null: self.null,
        }
    }

    /// Bytes that a line can have without being longer than any record.
    fn line_max(&self, config: &Config) -> usize {
        let most = usize::try_from(config.core().max_request_size).unwrap_or(usize::MAX);
        match self.json {
            true => most.saturating_mul(ESCAPED).saturating_add(DESCRIPTION),
            false => most,
        }
    }
}

/// Bytes of JSON that a byte of a text takes at most, as in \u0000.
const ESCAPED: usize = 6;

/// Bytes for the names and the other fields of an object.
const DESCRIPTION: usize = 64 * 1024;

/// How long outcomes may take: by then every record has one.
fn patience(config: &Config) -> Duration {
    Duration::from_millis(config.core().delivery_timeout.as_millis()).saturating_add(GRACE)
}

/// On top of `delivery.timeout.ms`, for outcomes to arrive.
const GRACE: Duration = Duration::from_secs(1);

/// Becomes the exit code of the first signal: then no more is accepted, and what was is sent. With
/// the second, that is given up. With the third, the process ends where it stands.
fn interruption(
    producer: &Producer,
    patience: Duration,
) -> anyhow::Result<watch::Receiver<Option<u8>>> {
    let (send, interrupted) = watch::channel(None);
    let producer = producer.clone();
    let mut signals = Signals::new().context("signals cannot be waited for")?;
    tokio::spawn(async move {
        let mut times = 0;
        while let Ok(code) = signals.next().await {
            times += 1;
            let wait = match times {
                1 => patience,
                2 => Duration::ZERO,
                _ => std::process::exit(code.into()),
            };
            if times == 1 {
                output::note("interrupted: sending what was read; Ctrl-C again gives that up");
                send.send_replace(Some(code));
            }
            let producer = producer.clone();
            tokio::spawn(async move { producer.close(wait).await });
        }
    });
    Ok(interrupted)
}
