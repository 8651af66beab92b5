//! Where Ottla's time goes, by stage; `cargo xtask bench --stages` builds and runs this.
//!
//! Ottla's client process is sampled by `perf` on its CPU clock, with stacks. A sample belongs to the
//! first stage that a function on its stack, from the innermost one outwards, belongs to; functions
//! that were inlined count, too. In the kernel it is the system call that says. The shares are those of
//! the samples; the time per record is that of the same run, by the process's own clock, without its
//! start and what warms up.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::env;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use kafka_tests::{Kafka, finish};
use serde_json::Value;

#[derive(Parser)]
#[command(name = "cargo xtask bench --stages", about = "Where Ottla's time goes, by stage")]
struct Cli {
    #[arg(long, default_value_t = 2_000_000)]
    records: u64,
    /// Bytes of a value
    #[arg(long, default_value_t = 100)]
    size: u64,
    /// Bytes of a key, at least 8; 0: no key, and the partition is given
    #[arg(long, default_value_t = 0)]
    key_size: u64,
    #[arg(long, default_value_t = 6)]
    partitions: u32,
    /// The calls that take the records
    #[arg(long, value_delimiter = ',', default_values_t = ["send".to_owned(), "send_many".to_owned()])]
    modes: Vec<String>,
    /// Samples per second of CPU time
    #[arg(long, default_value_t = 4000)]
    frequency: u32,
    /// The functions that took most of each stage, so many
    #[arg(long, default_value_t = 0)]
    functions: usize,
}

/// Stages, and what is in the names of their functions or files. The first that matches wins, frame
/// by frame from the innermost.
const STAGES: &[(&str, &[&str])] = &[
    ("key hash", &["partitioner.rs", "murmur", "key_hash"]),
    ("checksum", &["crc32c", "checksum.rs"]),
    ("size accounting", &["record/size.rs"]),
    ("clock", &["Instant::now", "clock_gettime", "adapters/tokio/src/clock.rs", "timespec"]),
    ("append", &["record/builder.rs", "record/layout.rs", "wire/varint", "accumulate.rs"]),
    ("wake-up", &["waker.rs", "Waker", "unpark", "notify.rs", "waiters.rs", "wake_by"]),
    ("lock", &["mutex", "Mutex", "futex.rs", "MutexGuard"]),
    ("deliveries", &["delivery.rs", "staged.rs", "VecDeque", "vec_deque", "mpsc", "oneshot"]),
    ("answers", &["answer.rs", "resolve.rs", "outcome.rs", "core/src/message/", "wire/input"]),
    ("tables and blocks", &["core/src/memory/"]),
    ("requests", &["core/src/"]),
    ("adapter", &["adapters/tokio/src/"]),
    ("runtime", &["tokio::runtime", "tokio-1", "mio", "park"]),
    ("client program", &["bench/src/bin/ottla.rs", "bench/client/src"]),
];

/// System calls, and what they are for.
const CALLS: &[(&str, &[&str])] = &[
    ("system call: write", &["sys_write", "sys_sendto", "sys_sendmsg", "ksys_write", "do_writev"]),
    ("system call: read", &["sys_read", "sys_recv", "ksys_read", "do_readv"]),
    ("system call: epoll", &["epoll"]),
    ("wake-up", &["eventfd", "futex_wake"]),
    ("system call: futex", &["futex"]),
    ("page faults", &["page_fault", "exc_page"]),
];

/// A frame of a stack: where, what the kernel's symbol is, and of which file.
struct Frame {
    address: u64,
    symbol: String,
    file: String,
}

fn hexadecimal(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()
}

/// The executable segments of a 64-bit ELF file: where in the file, at which address, how long.
fn segments(program: &Path) -> Result<Vec<(u64, u64, u64)>> {
    let bytes = fs::read(program)?;
    ensure!(bytes.starts_with(b"\x7fELF\x02\x01"), "{} is no ELF file", program.display());
    let number = |at: usize, size: usize| {
        let bytes = bytes.get(at..at + size).context("an ELF file that is cut")?;
        Ok::<_, anyhow::Error>(bytes.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte)))
    };
    let (table, size, count) = (number(0x20, 8)?, number(0x36, 2)?, number(0x38, 2)?);
    let mut found = Vec::new();
    for index in 0..count {
        let at = (table + index * size) as usize;
        let (kind, flags) = (number(at, 4)?, number(at + 4, 4)?);
        if kind == 1 && flags & 1 == 1 {
            found.push((number(at + 8, 8)?, number(at + 16, 8)?, number(at + 32, 8)?));
        }
    }
    Ok(found)
}

/// The stacks of all samples, innermost first.
fn samples(text: &str) -> Vec<Vec<Frame>> {
    let mut samples = vec![Vec::new()];
    for line in text.lines() {
        if line.trim().is_empty() {
            samples.push(Vec::new());
            continue;
        }
        let Some((address, rest)) = line.trim().split_once(' ') else { continue };
        let Some(address) = hexadecimal(address) else { continue };
        let (symbol, file) = rest.rsplit_once(" (").unwrap_or((rest, ""));
        let file = file.trim_end_matches(')').to_owned();
        if let Some(last) = samples.last_mut() {
            last.push(Frame { address, symbol: symbol.to_owned(), file });
        }
    }
    samples.retain(|stack| !stack.is_empty());
    samples
}

/// The functions at some addresses of a program, with those that are inlined there, innermost first.
fn functions(program: &Path, addresses: &BTreeSet<u64>) -> Result<HashMap<u64, Vec<String>>> {
    let mut command = Command::new("addr2line");
    command.args(["-a", "-f", "-i", "-C", "-e"]).arg(program);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().context("no standard input")?;
    let asked: String = addresses.iter().map(|address| format!("{address:x}\n")).collect();
    let writer = thread::spawn(move || input.write_all(asked.as_bytes()));
    let output = child.wait_with_output()?;
    writer.join().ok().context("a panic")??;
    ensure!(output.status.success(), "addr2line failed ({})", output.status);
    let mut found: HashMap<u64, Vec<String>> = HashMap::new();
    let mut current = 0;
    let said = String::from_utf8_lossy(&output.stdout);
    let mut lines = said.lines();
    while let Some(line) = lines.next() {
        if let Some(address) = line.strip_prefix("0x").and_then(hexadecimal) {
            current = address;
            continue;
        }
        let place = lines.next().unwrap_or_default();
        let names = found.entry(current).or_default();
        // Of the innermost one it tells the symbol, which is the outermost's name.
        if names.len() == 1 {
            names[0] = names[0].rsplit_once(' ').map_or("", |(_, place)| place).to_owned();
        }
        names.push(format!("{line} {place}"));
    }
    Ok(found)
}

fn find(table: &[(&'static str, &[&str])], name: &str) -> Option<&'static str> {
    // Rust's own core is not ours: what calls it says what it is for.
    let name = &name.replace("library/core/src/", "library/core/");
    let has = |(_, parts): &&(&str, &[&str])| parts.iter().any(|part| name.contains(part));
    table.iter().find(has).map(|(stage, _)| *stage)
}

/// The stage of a sample, and the function that said so.
fn stage(stack: &[Vec<String>], in_kernel: usize) -> (&'static str, String) {
    let innermost = || stack.iter().flatten().next().cloned().unwrap_or_default();
    let kernel = stack[..in_kernel].iter().flatten();
    // Outermost first: what a call does inside is of no matter. Being woken is part of what slept.
    let mut named = kernel.rev().filter_map(|name| find(CALLS, name).map(|stage| (stage, name)));
    if in_kernel > 0 {
        let stages: Vec<_> = named.by_ref().collect();
        let wakes = stages.iter().find(|(stage, _)| *stage == "wake-up");
        return match wakes.or(stages.first()) {
            Some((stage, name)) => (stage, (*name).clone()),
            None => ("kernel, the rest", innermost()),
        };
    }
    for name in stack.iter().flatten() {
        if let Some(stage) = find(STAGES, name) {
            return (stage, name.clone());
        }
    }
    ("the rest", innermost())
}

/// A function and its place, without the way to the package and what the function is generic over.
fn short(name: &str) -> String {
    let (function, place) = name.rsplit_once(' ').unwrap_or(("", name));
    let from = ["/adapters/", "/core/src/", "/host-tests/", "/library/", "/src/index."];
    let at = from.iter().find_map(|part| place.find(part)).map_or(0, |at| at + 1);
    let place = place[at..]
        .strip_prefix("src/index.")
        .map_or(&place[at..], |rest| rest.split_once('/').map_or(rest, |(_, rest)| rest));
    let function = function.split('<').next().unwrap_or(function);
    format!("{place} {function}")
}

struct Profile {
    samples: usize,
    stages: BTreeMap<&'static str, usize>,
    names: BTreeMap<(&'static str, String), usize>,
}

fn profile(program: &Path, data: &Path) -> Result<Profile> {
    let mut script = Command::new("perf");
    script.args(["script", "--no-inline", "-F", "ip,sym,dso", "-i"]).arg(data);
    let samples = samples(&finish(script.stderr(Stdio::null()))?);
    ensure!(!samples.is_empty(), "perf has no samples");
    // Of what is in a file, perf tells where there. A caller goes on behind its call.
    let segments = segments(program)?;
    let own = |frame: &Frame, is_leaf: bool| {
        let at = frame.address.saturating_sub(u64::from(!is_leaf));
        let is_in = |&&(begin, _, length): &&(u64, u64, u64)| (begin..begin + length).contains(&at);
        let is_own = Path::new(&frame.file) == program;
        let segment = segments.iter().find(is_in).filter(|_| is_own);
        segment.map(|(begin, address, _)| at - begin + address)
    };
    let mut addresses = BTreeSet::new();
    for stack in &samples {
        addresses.extend(stack.iter().enumerate().filter_map(|(at, frame)| own(frame, at == 0)));
    }
    let functions = functions(program, &addresses)?;
    let mut profile =
        Profile { samples: samples.len(), stages: BTreeMap::new(), names: BTreeMap::new() };
    for stack in &samples {
        let in_kernel = stack.iter().take_while(|frame| frame.file.starts_with("[k")).count();
        let names: Vec<Vec<String>> = stack
            .iter()
            .enumerate()
            .map(|(at, frame)| {
                let found = own(frame, at == 0).and_then(|address| functions.get(&address));
                found.cloned().unwrap_or_else(|| vec![frame.symbol.clone()])
            })
            .collect();
        let (stage, name) = stage(&names, in_kernel);
        *profile.stages.entry(stage).or_default() += 1;
        *profile.names.entry((stage, name)).or_default() += 1;
    }
    Ok(profile)
}

fn mode(cli: &Cli, mode: &str, kafka: &Kafka, program: &Path) -> Result<()> {
    let data = env::temp_dir().join(format!("ottla-stages-{}.data", std::process::id()));
    let mut command = Command::new("perf");
    command.args(["record", "-q", "-e", "cpu-clock", "--call-graph", "dwarf,16384", "-F"]);
    command.arg(cli.frequency.to_string()).arg("-o").arg(&data).arg("--").arg(program);
    let arguments = [
        ("--mode", mode.to_owned()),
        ("--bootstrap", kafka.bootstrap()),
        ("--topic", "stages".into()),
        ("--partitions", cli.partitions.to_string()),
        ("--size", cli.size.to_string()),
        ("--key-size", cli.key_size.to_string()),
        ("--warmup", (cli.records / 20).to_string()),
        ("--records", cli.records.to_string()),
    ];
    let flags = arguments.iter().flat_map(|(flag, value)| [*flag, value]);
    let plain = finish(Command::new(program).args(flags.clone()))?;
    let plain: Value = serde_json::from_str(plain.trim()).context("not a report")?;
    let cpu = plain["cpu_s"].as_f64().context("no cpu_s")? * 1e9 / cli.records as f64;
    let told = finish(command.args(flags)).and_then(|_| profile(program, &data));
    let _ = fs::remove_file(&data);
    let told = told?;
    println!(
        "\n{mode}: {cpu:.0} ns of CPU time per record of {} bytes, {} partition(s); {} samples",
        cli.size, cli.partitions, told.samples
    );
    let mut stages: Vec<_> = told.stages.iter().collect();
    stages.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    for (stage, &count) in stages {
        let share = count as f64 / told.samples as f64;
        println!("  {stage:<22}{:7.1} ns {:6.1} %", share * cpu, share * 100.0);
        let mut names: Vec<_> = told.names.iter().filter(|((of, _), _)| of == stage).collect();
        names.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for ((_, name), count) in names.into_iter().take(cli.functions) {
            let share = *count as f64 / told.samples as f64;
            println!("      {:5.1} %  {}", share * 100.0, short(name));
        }
    }
    Ok(())
}

fn run() -> Result<()> {
    let cli = Cli::parse();
    let program: PathBuf = env::current_exe()?.with_file_name("ottla");
    let program = program.canonicalize().with_context(|| program.display().to_string())?;
    let kafka = Kafka::start_with(&[
        ("log.segment.bytes", "67108864"),
        ("log.retention.bytes", "134217728"),
        ("log.retention.check.interval.ms", "2000"),
        ("log.segment.delete.delay.ms", "1000"),
    ])?;
    kafka.create_topic("stages", cli.partitions, &[])?;
    for name in &cli.modes {
        mode(&cli, name, &kafka, &program).with_context(|| name.clone())?;
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
