//! Measuring a workload: the runs of all clients, interleaved.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::client::{Client, Run, Running, Side};
use crate::rows::{Kind, Workload};
use crate::verdict::{Came, Metric, Spread};
use crate::wire::{Traffic, Way, Wire};

/// Where clients connect.
pub struct Places {
    /// The broker itself.
    pub broker: String,
    /// The forwarder in front of it.
    pub wire: Wire,
}

/// What a workload came to.
pub struct Results {
    pub came: Vec<Came>,
    /// What each client produced in the first run, counted on the wire.
    pub traffic: BTreeMap<&'static str, Traffic>,
    /// Ottla's batches per round trip, by mode.
    pub in_flight: Vec<(&'static str, Spread)>,
    pub json: Value,
}

/// One number of one repeat.
type Values = Vec<(Metric, f64)>;

fn number(report: &Value, key: &str) -> Result<f64> {
    report[key].as_f64().with_context(|| format!("no {key} in {report}"))
}

pub fn measure(
    workload: &Workload,
    clients: &[&Client],
    places: &Places,
    repeats: usize,
) -> Result<Results> {
    if let Kind::Memory(seconds) = workload.kind {
        return memory(workload, clients, places, seconds);
    }
    let traffic = count(workload, clients, places)?;
    let mut values: BTreeMap<(&str, Metric), Vec<f64>> = BTreeMap::new();
    let mut in_flight: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    for round in 0..repeats {
        for index in 0..clients.len() {
            let client = clients[(index + round) % clients.len()];
            let (found, batches) = repeat(workload, client, places)?;
            for (metric, value) in found {
                values.entry((client.name, metric)).or_default().push(value);
            }
            if let Some(batches) = batches {
                in_flight.entry(client.name).or_default().push(batches);
            }
        }
    }
    let came: Vec<Came> = clients
        .iter()
        .map(|client| Came {
            client: client.name,
            side: client.side,
            values: Metric::of(workload.kind)
                .iter()
                .filter_map(|&metric| {
                    Some((metric, Spread::new(values.remove(&(client.name, metric))?)))
                })
                .collect(),
        })
        .collect();
    let in_flight = in_flight.into_iter().map(|(mode, all)| (mode, Spread::new(all))).collect();
    Ok(results(came, traffic, in_flight))
}

fn results(
    came: Vec<Came>,
    traffic: BTreeMap<&'static str, Traffic>,
    in_flight: Vec<(&'static str, Spread)>,
) -> Results {
    let rows: Vec<Value> = came
        .iter()
        .map(|came| {
            let mut row = json!({ "client": came.client });
            for (metric, spread) in &came.values {
                row[metric.title()] = json!({ "median": spread.median, "all": spread.all });
            }
            if let Some(traffic) = traffic.get(came.client) {
                row["first_run"] = traffic.json();
            }
            row
        })
        .collect();
    Results { came, traffic, in_flight, json: rows.into() }
}

/// Records that go to every partition of a topic before its first client is counted.
const SETTLE: u64 = 2000;

/// The first run of each client, which is not measured: it warms the broker up, and what is produced
/// is counted on the wire.
fn count(
    workload: &Workload,
    clients: &[&Client],
    places: &Places,
) -> Result<BTreeMap<&'static str, Traffic>> {
    let mut counted = BTreeMap::new();
    // A broker has no logs for a topic's partitions for a moment after it said that they exist.
    if let Some(first) = clients.iter().find(|client| client.side != Side::Floor) {
        let settle = Run { to: &places.broker, records: 0, warmup: SETTLE, more: &[] };
        first.run(workload, settle)?;
    }
    for client in clients.iter().filter(|client| client.side != Side::Floor) {
        places.wire.set(Way::Counted);
        let to = places.wire.address().to_string();
        let mut more = vec![];
        if workload.kind == Kind::Latency {
            more.push("--latency");
        }
        let run = Run { to: &to, records: workload.records, warmup: 0, more: &more };
        client.run(workload, run)?;
        let traffic = places.wire.traffic()?;
        ensure!(
            traffic.records >= workload.records,
            "{} says it wrote {} records, of which {} were seen on the wire",
            client.name,
            workload.records,
            traffic.records
        );
        counted.insert(client.name, traffic);
    }
    Ok(counted)
}

/// Records per millisecond, and nanoseconds per record, of those that were measured.
fn rate_and_cpu(report: &Value, records: u64) -> Result<(f64, f64)> {
    let records = records as f64;
    Ok((records / number(report, "wall_s")? / 1e3, number(report, "cpu_s")? * 1e9 / records))
}

/// What one repeat of a client comes to, and its batches per round trip if it tells them.
fn repeat(workload: &Workload, client: &Client, places: &Places) -> Result<(Values, Option<f64>)> {
    let records = workload.records;
    let warmup = workload.warmup(client);
    let near = Run { to: &places.broker, records, warmup, more: &[] };
    match workload.kind {
        Kind::Steady => {
            let report = client.run(workload, near)?;
            let (rate, cpu) = rate_and_cpu(&report, records)?;
            // The floor waits for no answer.
            let rate = (client.side != Side::Floor).then_some((Metric::Rate, rate));
            Ok(([(Metric::Cpu, cpu)].into_iter().chain(rate).collect(), None))
        }
        Kind::Rate(round_trip) => {
            places.wire.set(Way::Far(round_trip));
            let far = places.wire.address().to_string();
            let to = if round_trip.is_zero() { &places.broker } else { &far };
            let report = client.run(workload, Run { to, ..near })?;
            let (rate, cpu) = rate_and_cpu(&report, records)?;
            // Beginning and end, when fewer are in flight, count, too.
            let round_trips = number(&report, "wall_s")? / round_trip.as_secs_f64();
            let batches = report["batches"].as_f64().map(|batches| batches / round_trips);
            let batches = batches.filter(|_| round_trip >= Duration::from_millis(100));
            Ok((vec![(Metric::Rate, rate), (Metric::Cpu, cpu)], batches))
        }
        Kind::Latency => {
            let report = client.run(workload, Run { more: &["--latency"], ..near })?;
            let (p50, p99) = (number(&report, "p50_us")?, number(&report, "p99_us")?);
            Ok((vec![(Metric::P50, p50), (Metric::P99, p99)], None))
        }
        Kind::Memory(_) => Ok((Vec::new(), None)),
    }
}

// ---- Memory ----------------------------------------------------------------------------------

/// A process is looked at when it has been idle for so long.
const IDLE: Duration = Duration::from_secs(5);

/// Bytes that the broker reads in a second while it does not stand still.
const SPEED: u32 = 4 << 20;

/// A field of a process's status, in MiB.
fn status(process: u32, field: &str) -> Result<f64> {
    let path = format!("/proc/{process}/status");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let value = value.and_then(|value| value.trim().strip_suffix(" kB"));
    let kibibytes: f64 = value.with_context(|| format!("{path} has no {field}"))?.trim().parse()?;
    Ok(kibibytes / 1024.0)
}

/// All clients at once: none of them has much to do, for the broker is slow.
fn memory(
    workload: &Workload,
    clients: &[&Client],
    places: &Places,
    seconds: u64,
) -> Result<Results> {
    places.wire.set(Way::Slow(SPEED));
    let to = places.wire.address().to_string();
    let overload = seconds.to_string();
    let run =
        Run { to: &to, records: 0, warmup: workload.warmup, more: &["--overload", &overload] };
    let mut running: Vec<Running> = Vec::new();
    for client in clients {
        running.push(client.start(workload, run)?);
    }
    for client in &mut running {
        client.await_word("warm")?;
    }
    thread::sleep(IDLE);
    let mut before = Vec::new();
    for client in &mut running {
        before.push(status(client.id(), "VmRSS")?);
        client.go_on()?;
    }
    // They end as their queues are drained, each in its own time; each is looked at in time.
    let looked: Vec<Result<(f64, f64, Value)>> = thread::scope(|scope| {
        let look = |mut client: Running| {
            client.await_word("done")?;
            let done = Instant::now();
            thread::sleep(IDLE.saturating_sub(done.elapsed()));
            let (peak, after) = (status(client.id(), "VmHWM")?, status(client.id(), "VmRSS")?);
            client.go_on()?;
            Ok((peak, after, client.report()?))
        };
        let threads: Vec<_> =
            running.into_iter().map(|client| scope.spawn(move || look(client))).collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined.map(|looked| looked.unwrap_or_else(|_| Err(anyhow::anyhow!("a panic")))).collect()
    });
    let mut came = Vec::new();
    let mut told = Vec::new();
    for ((client, before), looked) in clients.iter().zip(before).zip(looked) {
        let (peak, after, report) = looked.with_context(|| client.name)?;
        let values = vec![
            (Metric::Peak, Spread::new(vec![peak])),
            (Metric::Growth, Spread::new(vec![after - before])),
        ];
        came.push(Came { client: client.name, side: client.side, values });
        told.push(json!({ "client": client.name, "idle_mib": before, "report": report }));
    }
    let mut results = results(came, BTreeMap::new(), Vec::new());
    results.json = json!({ "rows": results.json, "runs": told });
    Ok(results)
}
