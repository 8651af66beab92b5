//! While a node is killed and restarted and a proxy cuts every connection: no record lost, none
//! twice, order kept, every delivery resolved.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kafka_tests::{Kafka, Proxy};
use ottla_tokio::{Producer, Record, SendErrorKind};

const PARTITIONS: i32 = 6;
const TOPIC: &str = "faults";

/// What was said of the records of one partition, in the order of sending.
#[derive(Default)]
struct Told {
    written: Vec<(u64, Option<i64>)>,
    not_written: Vec<u64>,
    unknown: Vec<u64>,
}

/// Sends numbers to every partition in turn until told to stop; returns what became of each.
async fn send_until(stop: Arc<AtomicBool>, producer: Producer) -> Result<BTreeMap<i32, Told>> {
    let topic = producer.declare_topic(TOPIC, PARTITIONS as u32)?;
    let mut told: BTreeMap<i32, Told> = BTreeMap::new();
    let mut waiting = std::collections::VecDeque::new();
    let mut number = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        for partition in 0..PARTITIONS {
            let value = number.to_string();
            let record = Record::new(&topic, &value).partition(partition);
            let delivery = producer.send(record).await?;
            waiting.push_back((partition, number, delivery));
        }
        number += 1;
        // About 12,000 records a second, so that every fault finds work in flight.
        tokio::time::sleep(Duration::from_micros(300)).await;
    }
    println!("{} records accepted", waiting.len());
    for (partition, number, delivery) in waiting {
        let told = told.entry(partition).or_default();
        match delivery.await {
            Ok(metadata) => {
                ensure!(metadata.acknowledged);
                told.written.push((number, metadata.offset));
            }
            Err(error) => match error.kind() {
                SendErrorKind::NotWritten(_) => told.not_written.push(number),
                SendErrorKind::Unknown(..) => told.unknown.push(number),
                other => anyhow::bail!("an accepted record was refused: {other:?} {error}"),
            },
        }
    }
    Ok(told)
}

#[test]
fn nothing_is_lost_doubled_or_reordered_while_everything_breaks() -> Result<()> {
    let proxy = Proxy::start(20_261_120)?;
    let mut kafka = Kafka::start_behind(proxy.address(), &[])?;
    proxy.lead_to(kafka.behind());
    kafka.create_topic(TOPIC, PARTITIONS as u32, &[])?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let stop = Arc::new(AtomicBool::new(false));
    let producer = {
        let _context = runtime.enter();
        Producer::builder()
            .bootstrap_servers(proxy.address().to_string())
            .linger(Duration::from_millis(5))
            .build()?
    };
    let sending = runtime.spawn(send_until(stop.clone(), producer));
    let pause = || std::thread::sleep(Duration::from_secs(8));
    for _ in 0..3 {
        pause();
        kafka.kill()?;
        kafka.restart()?;
    }
    pause();
    kafka.stop()?;
    kafka.restart()?;
    pause();
    // Healed: what is left goes through.
    proxy.calm();
    stop.store(true, Ordering::Relaxed);
    let told = runtime.block_on(sending).context("the sender ended")??;

    let mut log: BTreeMap<i32, Vec<(u64, i64)>> = BTreeMap::new();
    for record in kafka.read_back(TOPIC)? {
        let record = record?;
        let number = String::from_utf8(record.value.context("a value")?)?.parse()?;
        log.entry(record.partition).or_default().push((number, record.offset));
    }
    let hits = proxy.hits();
    println!(
        "cuts {}, unanswered {}, inside a frame {}, swallowed {}, answered twice {}",
        hits.cuts, hits.unanswered, hits.inside, hits.swallowed, hits.repeated
    );
    for partition in 0..PARTITIONS {
        let told = &told[&partition];
        let log = &log[&partition];
        println!(
            "partition {partition}: {} written, {} not, {} unknown, {} in the log",
            told.written.len(),
            told.not_written.len(),
            told.unknown.len(),
            log.len()
        );
        // None twice, order kept.
        for pair in log.windows(2) {
            ensure!(
                pair[0].0 < pair[1].0,
                "partition {partition}: {:?} then {:?}",
                pair[0],
                pair[1]
            );
        }
        let in_log: BTreeMap<u64, i64> = log.iter().copied().collect();
        for (number, offset) in &told.written {
            let found = in_log.get(number);
            ensure!(found.is_some(), "partition {partition}: {number} is lost");
            ensure!(
                offset.is_none() || *offset == found.copied(),
                "{number}: {offset:?} {found:?}"
            );
        }
        for number in &told.not_written {
            ensure!(!in_log.contains_key(number), "partition {partition}: {number} was written");
        }
        // Kafka kept its promise, so nothing may remain unknown either.
        ensure!(told.unknown.is_empty() && told.not_written.is_empty(), "given up: {partition}");
        ensure!(log.len() == told.written.len(), "partition {partition}: surplus records");
    }
    ensure!(hits.unanswered >= 20, "too few cuts hit an unanswered request: {hits:?}");
    ensure!(hits.inside >= 5, "too few cuts inside a frame: {hits:?}");
    ensure!(hits.repeated >= 5, "too few batches were answered twice: {hits:?}");
    Ok(())
}
