//! The last release of Kafka 3, whose tables of versions are others: idempotent and not, and every
//! kind of acknowledgement.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kafka_tests::{Kafka, NewTopic, Release};
use ottla_tokio::{Acks, Producer, Record};

const RECORDS: usize = 30_000;
const PARTITIONS: usize = 3;

/// A topic, and how it is produced to.
const CASES: [(&str, Acks, bool); 4] = [
    ("idempotent", Acks::All, true),
    ("all", Acks::All, false),
    ("leader", Acks::Leader, false),
    ("none", Acks::None, false),
];

/// Sends numbers to each partition in turn; returns the offsets that were told.
async fn send(
    kafka: &Kafka,
    topic: &str,
    acks: Acks,
    idempotent: bool,
) -> Result<Vec<Option<i64>>> {
    let producer = Producer::builder()
        .bootstrap_servers(kafka.bootstrap())
        .acks(acks)
        .idempotence(idempotent)
        .build()?;
    let handle = producer.topic(topic)?;
    let mut deliveries = Vec::new();
    for number in 0..RECORDS {
        let value = number.to_string();
        let record = Record::new(&handle, &value).partition(i32::try_from(number % PARTITIONS)?);
        deliveries.push(producer.send(record).await?);
    }
    let mut offsets = Vec::new();
    for delivery in deliveries {
        let metadata = delivery.await?;
        ensure!(metadata.acknowledged == (acks != Acks::None), "{metadata:?}");
        ensure!(metadata.offset.is_some() == metadata.acknowledged, "{metadata:?}");
        offsets.push(metadata.offset);
    }
    let closed = producer.close(Duration::from_secs(10)).await;
    ensure!(closed.not_written == 0 && closed.unknown == 0, "{closed:?}");
    Ok(offsets)
}

/// The offset of each number, once all are there.
fn read(kafka: &Kafka, topic: &str) -> Result<Vec<i64>> {
    // Without acknowledgement the last ones may still be under way.
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let mut offsets = BTreeMap::new();
        let mut records = 0;
        for record in kafka.read_back(topic)? {
            let record = record?;
            let number: usize = String::from_utf8(record.value.context("a value")?)?.parse()?;
            ensure!(record.partition as usize == number % PARTITIONS, "{number} is elsewhere");
            ensure!(offsets.insert(number, record.offset).is_none(), "{number} is there twice");
            records += 1;
        }
        if records == RECORDS {
            return Ok(offsets.into_values().collect());
        }
        ensure!(Instant::now() < deadline, "{topic}: {records} records of {RECORDS}");
    }
}

#[test]
fn the_last_kafka_3_takes_records_in_every_way() -> Result<()> {
    let kafka = Kafka::start_release(Release::Last3)?;
    ensure!(kafka.log()?.contains("Kafka version: 3.9."), "another release:\n{}", kafka.log()?);
    let topics = CASES.map(|(name, ..)| NewTopic { name, partitions: 3, configs: &[] });
    kafka.create_topics(&topics)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    for (topic, acks, idempotent) in CASES {
        let told = runtime.block_on(send(&kafka, topic, acks, idempotent)).context(topic)?;
        for (number, offset) in read(&kafka, topic).context(topic)?.into_iter().enumerate() {
            // In order, and where it was said to be.
            ensure!(offset as usize == number / PARTITIONS, "{topic}: {number} is at {offset}");
            ensure!(told[number].is_none_or(|told| told == offset), "{topic}: {number}");
        }
        println!("{topic}: {RECORDS} records, {acks:?}, idempotent: {idempotent}");
    }
    Ok(())
}
