//! `ottla produce`: lines become records.

mod input;
mod outcomes;
mod template;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use clap::Args;
use ottla_tokio::{Config, Producer, Refused, SendErrorKind, SendManyError, TopicHandle};
use tokio::sync::watch;

use crate::connection::Connection;
use crate::{exit, numbers, output};
use input::{Input, Portion};
use outcomes::Outcomes;
use template::{Separator, Template, header, separator};

/// Send lines, each as one record
///
/// Lines come from files, or from standard input without any (or where a file is -). Their bytes
/// are sent as they are: no encoding is assumed, empty lines are records, and of a line's end
/// only the newline is taken off. The exit code is 0 only if every record is written; the last
/// line on standard error is a summary. Ctrl-C sends what was read and ends with 130; a second
/// one stops at once.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  seq 1000 | ottla produce -b localhost:9092 -t numbers
  ottla produce -b kafka1:9092,kafka2:9092 -t logs /var/log/*.log
  printf 'sensor-7\\t21.5\\n' | ottla produce -b localhost:9092 -t readings -K '\\t'
  ottla produce -b localhost:9092 -t audit -H source=cli -p 0 events.jsonl
  ottla produce -b localhost:9092 -t bulk -X linger.ms=50 -X batch.size=262144 dump.txt")]
pub(crate) struct Produce {
    #[command(flatten)]
    connection: Connection,
    /// Topic to send to
    #[arg(short, long)]
    topic: String,
    /// What stands between key and value; a line without it has no key. \t, \n, \\ and \xHH are
    /// understood
    #[arg(short = 'K', long, value_name = "SEP", value_parser = separator)]
    key_separator: Option<Separator>,
    /// Header of every record; null without a value; repeatable
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE", value_parser = header)]
    headers: Vec<(String, Option<String>)>,
    /// Partition to send to; without it the key decides, or records are spread
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
    /// Show neither progress nor a summary; errors are shown all the same
    #[arg(short, long)]
    quiet: bool,
    /// Files to read
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// How the reading ended.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum End {
    /// All of it was read and accepted, or counted.
    Complete,
    /// By an error that was told.
    Failed,
    Interrupted,
}

impl Produce {
    pub(crate) async fn run(mut self, verbose: bool) -> anyhow::Result<ExitCode> {
        let config = self.connection.config(&[])?;
        if self.files.is_empty() {
            self.files.push("-".into());
        }
        let size = input::total_size(&self.files)?;
        let line_max = usize::try_from(config.core().max_request_size).unwrap_or(usize::MAX);
        let input = Input::start(self.files.clone(), line_max)?;
        let patience = patience(&config);
        let producer = Producer::new(config);
        let topic = producer.topic(&self.topic)?;

        let begun = Instant::now();
        let outcomes = Outcomes::start(size, self.quiet || verbose);
        let interrupted = interruption(&producer, patience);
        let end = self.send(&producer, &topic, input, &outcomes, interrupted).await;
        // Accepts no more, and waits for the outcomes.
        producer.close(patience).await;
        let tally = outcomes.finish().await;
        if !self.quiet && (tally.total() > 0 || end == End::Complete) {
            let acks = producer.config().core().acks;
            output::note(&tally.summary(&self.topic, acks, begun.elapsed()));
        }
        Ok(match end {
            End::Interrupted => exit::INTERRUPTED.into(),
            End::Complete if tally.is_good() => exit::DONE.into(),
            _ => exit::FAILED.into(),
        })
    }

    /// Sends portion by portion.
    async fn send(
        &self,
        producer: &Producer,
        topic: &TopicHandle,
        mut input: Input,
        outcomes: &Outcomes,
        mut interrupted: watch::Receiver<bool>,
    ) -> End {
        let template = Template::new(self.key_separator.as_ref(), &self.headers, self.partition);
        loop {
            let portion = tokio::select! {
                biased;
                _ = interrupted.wait_for(|interrupted| *interrupted) => return End::Interrupted,
                portion = input.next() => portion,
            };
            let portion = match portion {
                None => return End::Complete,
                Some(Err(error)) => {
                    outcomes.tell(&format!("{error:#}"));
                    return End::Failed;
                }
                Some(Ok(portion)) => portion,
            };
            if let Err(error) =
                self.send_portion(producer, topic, &template, &portion, outcomes).await
            {
                if *interrupted.borrow() {
                    return End::Interrupted;
                }
                outcomes.tell(&format!("{error:#}"));
                return End::Failed;
            }
            outcomes.read(portion.bytes.len());
            input.recycle(portion.bytes);
        }
    }

    /// Sends the lines of a portion. Records that are at fault themselves are counted and told.
    ///
    /// # Errors
    /// What stands in the way of all records.
    async fn send_portion(
        &self,
        producer: &Producer,
        topic: &TopicHandle,
        template: &Template<'_>,
        portion: &Portion,
        outcomes: &Outcomes,
    ) -> anyhow::Result<()> {
        let mut line = portion.first_line;
        let mut lines = input::lines(&portion.bytes);
        loop {
            let records = lines.by_ref().map(|line| template.record(topic, line));
            let (deliveries, refused) = match producer.send_many(records).await {
                Ok(deliveries) => (deliveries, None),
                Err(SendManyError { accepted, error, .. }) => (accepted, Some(error)),
            };
            line += deliveries.len() as u64;
            outcomes.follow(deliveries).await;
            let Some(error) = refused else { return Ok(()) };
            match error.kind() {
                SendErrorKind::Refused(Refused::LargerThanRequest | Refused::LargerThanMemory) => {
                    let file = self.files.get(portion.file).map(|path| input::name(path));
                    outcomes
                        .refused(&format!("{}, line {line}: {error}", file.unwrap_or_default()));
                    // Records are taken in portions: those after it were taken, and not sent.
                    line += 1;
                    lines = input::lines(skip(&portion.bytes, line - portion.first_line));
                }
                _ => return Err(anyhow!(error)),
            }
        }
    }
}

/// The bytes after so many lines.
fn skip(bytes: &[u8], lines: u64) -> &[u8] {
    let Some(before) = lines.checked_sub(1) else { return bytes };
    let end = memchr::memchr_iter(b'\n', bytes).nth(usize::try_from(before).unwrap_or(usize::MAX));
    end.map_or(&[], |end| &bytes[end + 1..])
}

/// How long outcomes may take: by then every record has one.
fn patience(config: &Config) -> Duration {
    Duration::from_millis(config.core().delivery_timeout.as_millis()).saturating_add(GRACE)
}

/// On top of `delivery.timeout.ms`, for outcomes to arrive.
const GRACE: Duration = Duration::from_secs(1);

/// Becomes true with the first Ctrl-C: then no more is accepted, and what was is sent. With the
/// second, that is given up. With the third, the process ends where it stands.
fn interruption(producer: &Producer, patience: Duration) -> watch::Receiver<bool> {
    let (send, interrupted) = watch::channel(false);
    let producer = producer.clone();
    tokio::spawn(async move {
        let mut times = 0;
        while tokio::signal::ctrl_c().await.is_ok() {
            times += 1;
            let wait = match times {
                1 => patience,
                2 => Duration::ZERO,
                _ => std::process::exit(exit::INTERRUPTED.into()),
            };
            if times == 1 {
                output::note("interrupted: sending what was read; Ctrl-C again gives that up");
            }
            send.send_replace(true);
            let producer = producer.clone();
            tokio::spawn(async move { producer.close(wait).await });
        }
    });
    interrupted
}

impl crate::tally::Tally {
    /// What became of all records, in one line.
    fn summary(&self, topic: &str, acks: ottla_tokio::Acks, took: Duration) -> String {
        let what = match acks {
            ottla_tokio::Acks::None => "handed over, not acknowledged,",
            _ => "written",
        };
        let mut text = format!("{} {what} to {topic}", numbers::several(self.written, "record"));
        if self.written > 0 {
            let rate = numbers::count(numbers::rate(self.written, took));
            text.push_str(&format!(" in {} ({rate} per second)", numbers::span(took)));
        }
        for (number, what) in [
            (self.not_written, "not written"),
            (self.unknown, "unknown: they may or may not be written"),
        ] {
            if number > 0 {
                text.push_str(&format!("; {} {what}", numbers::count(number)));
            }
        }
        if self.untold() > 0 {
            text.push_str(&format!(
                "; {} not shown",
                numbers::several(self.untold(), "more error")
            ));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_skipped() {
        let bytes = b"a\n\nb\nc";
        let after = |lines| skip(bytes, lines);
        assert_eq!(
            [after(0), after(1), after(2), after(3), after(4)],
            [&bytes[..], b"\nb\nc", b"b\nc", b"c", b""]
        );
    }
}
