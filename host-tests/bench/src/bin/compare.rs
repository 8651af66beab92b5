//! Compares clients against one Kafka; `cargo xtask bench` builds and runs this.
//!
//! Each round runs every client once with N records and once with 2N, and begins with another
//! client; the cost of a record is the slope between the two, in CPU time of the client process.
//! Reported are the median of the rounds and the range. Compare within one run only.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use kafka_tests::{Kafka, NewTopic};
use serde_json::{Value, json};

#[derive(Parser)]
#[command(name = "cargo xtask bench", about = "Compares clients by CPU time per record")]
struct Cli {
    /// Records of 100 bytes in the shorter run, at least 100000 or so; of other sizes as many
    /// as keep the work alike
    #[arg(long, default_value_t = 500_000)]
    records: u64,
    /// Numbers of partitions
    #[arg(long, value_delimiter = ',', default_values_t = [1, 6])]
    partitions: Vec<u32>,
    /// Bytes of a value
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1000])]
    size: Vec<u64>,
    #[arg(long, default_value_t = 5)]
    repeats: usize,
    /// Only clients whose name contains one of these
    #[arg(long, value_delimiter = ',')]
    clients: Vec<String>,
    /// Threads of Ottla's runtime; 0 is the one that everything shares
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Batches per round trip of 100 ms, of Ottla alone, instead of the comparison
    #[arg(long)]
    rtt: bool,
    /// Writes the numbers as JSON, by default to the cache directory (OTTLA_CACHE)
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    out: Option<Option<PathBuf>>,
    /// The program of franz-go; without it that client is left out
    #[arg(long, hide = true)]
    franz_go: Option<PathBuf>,
}

/// A client: its name, program, flags of its own, and flags of its first run only.
struct Client {
    name: &'static str,
    program: PathBuf,
    flags: Vec<String>,
    shape: &'static [&'static str],
}

impl Client {
    fn new(name: &'static str, program: PathBuf) -> Client {
        Client { name, program, flags: Vec::new(), shape: &[] }
    }

    fn ottla(cli: &Cli, name: &'static str, program: PathBuf, flags: &[&str]) -> Client {
        let workers = cli.workers.to_string();
        let flags = flags.iter().chain(&["--workers", &workers]).map(|&flag| flag.into()).collect();
        Client { flags, ..Client::new(name, program) }
    }
}

fn clients(cli: &Cli) -> Result<Vec<Client>> {
    let this = env::current_exe()?;
    let beside = |program: &str| this.with_file_name(program);
    let ours = |name, mode| Client::ottla(cli, name, beside("ottla"), &["--mode", mode]);
    let mut clients = vec![
        Client::new("floor", beside("floor")),
        ours("ottla send_many", "send_many"),
        ours("ottla send", "send"),
        ours("ottla post", "post"),
        Client { shape: &["--shape"], ..Client::new("rdkafka", beside("rdkafka")) },
    ];
    clients.extend(cli.franz_go.clone().map(|program| Client::new("franz-go", program)));
    let wanted = |client: &Client| {
        cli.clients.is_empty() || cli.clients.iter().any(|part| client.name.contains(part))
    };
    clients.retain(wanted);
    ensure!(!clients.is_empty(), "no such client");
    Ok(clients)
}

/// Runs a client and returns what it reports.
fn run(client: &Client, to: &str, topic: &str, workload: Workload, more: &[&str]) -> Result<Value> {
    let Workload { partitions, size, records } = workload;
    let mut command = Command::new(&client.program);
    command.args(&client.flags).args(more).args(["--bootstrap", to, "--topic", topic]);
    command.args(["--partitions", &partitions.to_string(), "--records", &records.to_string()]);
    command.args(["--size", &size.to_string(), "--linger-ms", "5", "--batch-size", "65536"]);
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot run {}", client.program.display()))?;
    ensure!(output.status.success(), "{} failed ({})", client.name, output.status);
    let line: Value = serde_json::from_slice(&output.stdout).context("not a report")?;
    let written = line["written"].as_u64();
    ensure!(written == Some(records), "{} wrote {written:?} of {records}: {line}", client.name);
    Ok(line)
}

#[derive(Clone, Copy)]
struct Workload {
    partitions: u32,
    size: u64,
    records: u64,
}

impl Workload {
    fn topic(&self, client: &str) -> String {
        let client = client.replace(' ', "-");
        format!("{client}.{}.{}", self.partitions, self.size)
    }
}

fn number(report: &Value, key: &str) -> f64 {
    report[key].as_f64().unwrap_or(0.0)
}

/// Median, lowest, highest.
fn spread(mut numbers: Vec<f64>) -> (f64, f64, f64) {
    numbers.sort_by(f64::total_cmp);
    let last = numbers.len() - 1;
    let median = (numbers[last / 2] + numbers[numbers.len() / 2]) / 2.0;
    (median, numbers[0], numbers[last])
}

/// Runnable processes over the last minute, where the system tells.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_owned()
}

fn compare(cli: &Cli) -> Result<Value> {
    let clients = clients(cli)?;
    ensure!(cli.repeats > 0, "no repeats");
    let workloads: Vec<Workload> = cli
        .size
        .iter()
        .flat_map(|&size| {
            let records = cli.records * 250 / (150 + size);
            cli.partitions.iter().map(move |&partitions| Workload { partitions, size, records })
        })
        .collect();
    // What was measured is of no use to anybody, so the disk need not hold all of it.
    let kafka = Kafka::start_with(&[
        ("log.segment.bytes", "67108864"),
        ("log.retention.bytes", "134217728"),
        ("log.retention.check.interval.ms", "2000"),
        ("log.segment.delete.delay.ms", "1000"),
    ])?;
    let topics: Vec<(String, u32)> = workloads
        .iter()
        .flat_map(|w| clients.iter().map(|client| (w.topic(client.name), w.partitions)))
        .collect();
    let topics: Vec<NewTopic<'_>> = topics
        .iter()
        .map(|(name, partitions)| NewTopic { name, partitions: *partitions, configs: &[] })
        .collect();
    kafka.create_topics(&topics)?;
    let cores = thread::available_parallelism().map_or(0, usize::from);
    println!(
        "{} rounds, {cores} cores shared with the broker, load {}; ns per record: CPU, median \
         [lowest..highest], and wall time",
        cli.repeats,
        load()
    );
    let mut tables = Vec::new();
    for workload in workloads {
        tables.push(table(cli, &clients, workload, &kafka)?);
    }
    println!("\nload {}", load());
    Ok(json!({ "cores": cores, "repeats": cli.repeats, "tables": tables }))
}

fn table(cli: &Cli, clients: &[Client], workload: Workload, kafka: &Kafka) -> Result<Value> {
    let Workload { partitions, size, records } = workload;
    let (to, double) = (kafka.bootstrap(), Workload { records: 2 * records, ..workload });
    println!("\n{partitions} partition(s), {size} bytes, {records} and {} records", double.records);
    // The first run warms the broker, and may spend time on counting batches.
    let mut shapes = Vec::new();
    for client in clients {
        let topic = workload.topic(client.name);
        shapes.push(run(client, &to, &topic, workload, client.shape)?);
    }
    let mut slopes: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut rates: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for round in 0..cli.repeats {
        for index in 0..clients.len() {
            let client = &clients[(index + round) % clients.len()];
            let topic = workload.topic(client.name);
            let short = run(client, &to, &topic, workload, &[])?;
            let long = run(client, &to, &topic, double, &[])?;
            let cpu = number(&long, "cpu_s") - number(&short, "cpu_s");
            slopes.entry(client.name).or_default().push(cpu * 1e9 / records as f64);
            let wall = number(&long, "wall_s") - number(&short, "wall_s");
            rates.entry(client.name).or_default().push(wall * 1e9 / records as f64);
        }
    }
    let mut rows = Vec::new();
    for (client, shape) in clients.iter().zip(&shapes) {
        let all = slopes.remove(client.name).unwrap_or_default();
        let (cost, low, high) = spread(all.clone());
        let (wall, ..) = spread(rates.remove(client.name).unwrap_or_default());
        let per = |key: &str, of: &str| number(shape, key) / number(shape, of).max(1.0);
        let mut line = format!("  {:<16}{cost:8.0}", client.name);
        write!(line, "{:>18}", format!("[{low:.0}..{high:.0}]"))?;
        write!(line, "   wall {wall:6.0}")?;
        write!(line, "   {:6.0} bytes a batch", per("batch_bytes", "batches"))?;
        if number(shape, "requests") > 0.0 {
            write!(line, "   {:.1} batches a request", per("batches", "requests"))?;
        }
        println!("{line}");
        rows.push(json!({
            "client": client.name, "cpu_ns_per_record": all, "median": cost,
            "wall_ns_per_record": wall, "first_run": shape,
        }));
    }
    Ok(json!({ "partitions": partitions, "size": size, "records": records, "rows": rows }))
}

// ---- Round trips -----------------------------------------------------------------------------

/// Half a round trip.
const ONE_WAY: Duration = Duration::from_millis(50);

/// Batches per round trip after the first acknowledged one; 5 requests are in flight.
const REQUIRED: f64 = 4.5;

/// Forwards connections, each byte `ONE_WAY` after it came, however much is under way.
fn forward(listener: TcpListener, upstream: Arc<OnceLock<SocketAddr>>) {
    for client in listener.incoming() {
        let pair = || {
            let (client, broker) = (client?, TcpStream::connect(upstream.get().context("early")?)?);
            client.set_nodelay(true)?;
            broker.set_nodelay(true)?;
            delay(client.try_clone()?, broker.try_clone()?);
            delay(broker, client);
            anyhow::Ok(())
        };
        if let Err(error) = pair() {
            eprintln!("the forwarder lost a connection: {error:#}");
        }
    }
}

fn delay(mut from: TcpStream, mut to: TcpStream) {
    type Chunk = (Instant, Vec<u8>);
    let (sender, receiver): (Sender<Chunk>, Receiver<Chunk>) = channel();
    thread::spawn(move || {
        let mut buffer = vec![0; 256 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if sender.send((Instant::now() + ONE_WAY, buffer[..count].to_vec())).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        for (at, bytes) in receiver {
            thread::sleep(at.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        // The other side may have gone.
        let _ = to.shutdown(Shutdown::Both);
    });
}

fn round_trips(cli: &Cli) -> Result<Value> {
    const TOPIC: &str = "far-away";
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port")?;
    let address = listener.local_addr()?;
    let upstream = Arc::new(OnceLock::new());
    let kafka = Kafka::start_behind(address, &[])?;
    upstream.get_or_init(|| kafka.behind());
    thread::spawn(move || forward(listener, upstream));
    kafka.create_topic(TOPIC, 1, &[])?;
    let program = env::current_exe()?.with_file_name("ottla");
    let ours = Client::ottla(cli, "ottla", program, &["--watch"]);
    // 166 batches of 64 KiB, 33 round trips at five of them each.
    let workload = Workload { partitions: 1, size: 100, records: 100_000 };
    let mut found = Vec::new();
    for _ in 0..cli.repeats.max(1) {
        let report = run(&ours, &address.to_string(), TOPIC, workload, &[])?;
        let after = |index: usize| report["after_first"][index].as_f64().unwrap_or(0.0);
        let (batches, seconds) = (after(0), after(1));
        ensure!(seconds > 0.0, "everything was acknowledged at once: {report}");
        let trips = seconds / (2 * ONE_WAY).as_secs_f64();
        let rate = batches / trips;
        println!(
            "{batches:.1} batches in {trips:.1} round trips after the first acknowledgement: \
             {rate:.2} per round trip, {:.0} bytes each",
            number(&report, "batch_bytes") / number(&report, "batches")
        );
        found.push(rate);
    }
    let (median, low, high) = spread(found.clone());
    println!("median {median:.2} [{low:.2}..{high:.2}], required {REQUIRED}");
    if median < REQUIRED {
        bail!("{median:.2} batches per round trip are less than {REQUIRED}");
    }
    Ok(json!({ "batches_per_round_trip": found, "median": median }))
}

/// Where numbers go if nobody says: to the cache of the harness.
fn cached() -> Result<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let directory = set("OTTLA_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|caches| caches.join("ottla")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/ottla")))
        .context("no place for a cache: set OTTLA_CACHE")?;
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    Ok(directory.join("bench").join(format!("{seconds}.json")))
}

fn keep(path: &Path, numbers: &Value) -> Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(path, format!("{numbers:#}\n")).with_context(|| format!("{}", path.display()))?;
    println!("written to {}", path.display());
    Ok(())
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let numbers = if cli.rtt { round_trips(&cli)? } else { compare(&cli)? };
    match &cli.out {
        Some(Some(path)) => keep(path, &numbers),
        Some(None) => keep(&cached()?, &numbers),
        None => Ok(()),
    }
}
