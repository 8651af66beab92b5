//! The results for people: lines, and a table in Markdown.

use std::fmt::Write as _;

use crate::client::Client;
use crate::measure::Results;
use crate::rows::{self, Workload};
use crate::verdict::{Metric, Spread, Verdict};

/// A workload and what it came to.
pub struct Part {
    pub workload: Workload,
    pub results: Results,
    pub verdict: Verdict,
}

/// What was run, on what.
pub struct About {
    pub command: String,
    pub date: String,
    /// The broker's version.
    pub kafka: String,
    pub load: (String, String),
    pub cores: usize,
    pub repeats: usize,
    pub minutes: f64,
}

/// A size of batches, and how many went in a request.
fn shape(part: &Part, client: &str) -> Option<(f64, u64, u64)> {
    let traffic = part.results.traffic.get(client)?;
    let mean = traffic.bytes as f64 / traffic.batches.max(1) as f64;
    Some((mean, traffic.batches, traffic.requests))
}

/// The lines of a part, for the terminal.
pub fn lines(part: &Part) -> String {
    let metrics = Metric::of(part.workload.kind);
    let titles: Vec<String> = metrics.iter().map(|metric| metric.title().to_owned()).collect();
    let mut rows = vec![(String::new(), titles, "batches, bytes each, requests".to_owned())];
    for came in &part.results.came {
        let values = metrics.iter().map(|&metric| {
            came.value(metric).map_or_else(|| String::from("-"), ToString::to_string)
        });
        let shape = shape(part, came.client).map(|(mean, batches, requests)| {
            format!("{batches:>6} of {mean:>6.0} in {requests:>6}")
        });
        let again = part
            .results
            .traffic
            .get(came.client)
            .map_or(0, |traffic| traffic.records.saturating_sub(part.workload.records));
        let shape = shape.map(|shape| match again {
            0 => shape,
            _ => format!("{shape}, {again} records more than once"),
        });
        rows.push((came.client.to_owned(), values.collect(), shape.unwrap_or_default()));
    }
    let widths: Vec<usize> = (0..metrics.len())
        .map(|at| rows.iter().map(|row| row.1[at].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = format!("\n{}\n", part.workload.title());
    for (client, values, shape) in rows {
        let _ = write!(text, "  {client:<17}");
        for (value, width) in values.iter().zip(&widths) {
            let _ = write!(text, "  {value:>width$}");
        }
        let _ = writeln!(text, "  {shape}");
    }
    for line in &part.verdict.lines {
        let _ = writeln!(text, "  -> {line}");
    }
    text
}

/// Tables: a line for each client, a column for each workload. With `whole`, what was produced
/// follows, too.
pub fn markdown(about: &About, clients: &[Client], parts: &[Part], whole: bool) -> String {
    let mut text = head(about, clients);
    let has = |part: &&Part, metric| Metric::of(part.workload.kind).contains(&metric);
    let is_judged = |part: &&Part, metric| Metric::judged(&part.workload).contains(&metric);
    for metric in Metric::ALL {
        let wanted = |part: &&Part| match metric {
            Metric::Cpu => has(part, metric) && part.workload.is_steady(),
            _ => is_judged(part, metric),
        };
        let columns: Vec<&Part> = parts.iter().filter(wanted).collect();
        if !columns.is_empty() {
            table(&mut text, metric, clients, &columns);
        }
    }
    let judged: Vec<&Part> = parts.iter().filter(|part| !part.verdict.lines.is_empty()).collect();
    if !judged.is_empty() {
        text += "| row | Ottla against the best peer, and against its bounds |\n|---|---|\n";
    }
    for part in judged {
        let lines = part.verdict.lines.join("; ");
        let _ = writeln!(text, "| {} | {lines} |", part.workload.title());
    }
    let _ = writeln!(text, "\n{}", score(parts));
    if whole {
        shapes(&mut text, parts);
    }
    text
}

/// How many were won.
pub fn score(parts: &[Part]) -> String {
    let sum = |of: fn(&Verdict) -> usize| parts.iter().map(|part| of(&part.verdict)).sum::<usize>();
    let (won, tied, lost) = (sum(|v| v.won), sum(|v| v.tied), sum(|v| v.lost));
    match won + tied + lost {
        0 => String::from("No peer was measured, so nothing was won or lost."),
        _ => format!("In all: {won} won, {tied} tied, {lost} lost."),
    }
}

fn head(about: &About, clients: &[Client]) -> String {
    let About { command, date, kafka, load, cores, repeats, minutes } = about;
    // Several clients are of one package: each version once.
    let mut versions: Vec<String> = Vec::new();
    for client in clients.iter().filter(|client| !client.version.is_empty()) {
        let package = client.name.split(' ').next().unwrap_or_default();
        let version = format!("{package} {}", client.version);
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    format!(
        "`{command}`, {date}, {minutes:.0} minutes; {cores} cores that clients and broker share, load {} \
         before and {} after. acks=all, idempotent, linger 5 ms, batches of 64 KiB, 5 requests in flight, \
         buffer 32 MiB, no compression; every client counts every outcome. Median [lowest..highest] of \
         {repeats} interleaved rounds. CPU time is that of the client's process, user and system, \
         after a quarter as many records, and in Java's at least {} (larger ones: as many as are as much \
         work), by which it has compiled. Where the ranges overlap it is a tie.\n\nApache Kafka {kafka}; \
         {}.\n\n",
        load.0,
        load.1,
        rows::JIT,
        versions.join("; ")
    )
}

fn table(text: &mut String, metric: Metric, clients: &[Client], columns: &[&Part]) {
    let _ = write!(text, "| {} |", metric.title());
    for part in columns {
        let _ = write!(text, " {} |", part.workload.title());
    }
    let _ = writeln!(text, "\n|{}", "---|".repeat(1 + columns.len()));
    for client in clients {
        let cells: Vec<Option<&Spread>> = columns
            .iter()
            .map(|part| {
                let came = part.results.came.iter().find(|came| came.client == client.name);
                came.and_then(|came| came.value(metric))
            })
            .collect();
        if cells.iter().all(Option::is_none) {
            continue;
        }
        let _ = write!(text, "| {} |", client.name);
        for cell in cells {
            let _ = match cell {
                Some(value) => write!(text, " {value} |"),
                None => write!(text, " |"),
            };
        }
        let _ = writeln!(text);
    }
    let _ = writeln!(text);
}

/// What each client produced in its first run, which was not measured.
fn shapes(text: &mut String, parts: &[Part]) {
    *text += "\nCounted on the wire in a first run that is not measured:\n\n";
    *text += "| row | client | batches | bytes of a batch | requests |\n|---|---|---|---|---|\n";
    for part in parts {
        for came in &part.results.came {
            if let Some((mean, batches, requests)) = shape(part, came.client) {
                let title = part.workload.title();
                let client = came.client;
                let _ =
                    writeln!(text, "| {title} | {client} | {batches} | {mean:.0} | {requests} |");
            }
        }
    }
}
