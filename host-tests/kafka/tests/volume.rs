//! Half a million records of every shape, read back record by record.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use kafka_tests::Kafka;
use ottla_tokio::{Header, Producer, Record};

const RECORDS: u64 = 500_000;
const PARTITIONS: u64 = 6;
const TOPIC: &str = "volume";

/// A record that follows from its number alone.
struct Made {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
    timestamp: i64,
}

fn mix(number: u64, salt: u64) -> u64 {
    let mixed = (number.wrapping_mul(2_654_435_761) ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

/// 99 % below a kilobyte, a few up to 900 KiB; keys, headers and values null, empty and full.
fn make(number: u64, hour_ago: i64) -> Made {
    let size = match mix(number, 1) % 10_000 {
        0..200 => 0,
        200..9_900 => mix(number, 2) % 1_024,
        9_900..9_995 => 1_024 + mix(number, 3) % 16_384,
        _ => mix(number, 4) % (900 * 1_024),
    };
    let fill =
        |length: u64, salt| (0..length).map(|i| (mix(number, salt) >> (i % 57)) as u8).collect();
    let value = (!mix(number, 5).is_multiple_of(50)).then(|| fill(size, 6));
    let key = match mix(number, 7) % 4 {
        0 => None,
        1 => Some(Vec::new()),
        _ => Some(fill(1 + mix(number, 8) % 40, 9)),
    };
    let headers = (0..mix(number, 10) % 4)
        .map(|index| {
            let value = (index != 1).then(|| fill(mix(number, 11) % 30, 12 + index));
            (format!("h{index}-é"), value)
        })
        .collect();
    let timestamp = hour_ago + (mix(number, 13) % 3_600_000) as i64;
    Made { key, value, headers, timestamp }
}

#[test]
fn half_a_million_records_of_every_shape_come_back_equal() -> Result<()> {
    let kafka = Kafka::start()?;
    kafka.create_topic(TOPIC, PARTITIONS as u32, &[("retention.ms", "-1")])?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
    let hour_ago = now - 3_600_000;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let bytes = runtime.block_on(async {
        let producer =
            Producer::builder().bootstrap_servers(kafka.bootstrap()).batch_size(65_536).build()?;
        let topic = producer.declare_topic(TOPIC, PARTITIONS as u32)?;
        let mut bytes = 0;
        let mut waiting = Vec::new();
        for number in 0..RECORDS {
            let made = make(number, hour_ago);
            let headers: Vec<Header<'_>> = made
                .headers
                .iter()
                .map(|(key, value)| Header { key, value: value.as_deref() })
                .collect();
            let mut record = match &made.value {
                Some(value) => Record::new(&topic, value),
                None => Record::tombstone(&topic),
            };
            if let Some(key) = &made.key {
                record = record.key(key);
            }
            bytes += made.value.as_ref().map_or(0, Vec::len);
            let record = record
                .headers(&headers)
                .timestamp(made.timestamp)
                .partition((number % PARTITIONS) as i32);
            waiting.push(producer.send(record).await?);
        }
        for delivery in waiting {
            delivery.await?;
        }
        producer.close(Duration::from_secs(10)).await;
        anyhow::Ok(bytes)
    })?;
    println!("{bytes} bytes of values");
    ensure!(bytes <= 600 << 20);

    let mut next = vec![0_u64; PARTITIONS as usize];
    for record in kafka.read_back(TOPIC)? {
        let record = record?;
        let place = &mut next[record.partition as usize];
        let number = *place * PARTITIONS + record.partition as u64;
        let made = make(number, hour_ago);
        ensure!(record.offset == *place as i64, "offset {} of {number}", record.offset);
        ensure!(record.value == made.value, "value of {number}");
        ensure!(record.key == made.key, "key of {number}");
        ensure!(record.timestamp == made.timestamp, "timestamp of {number}");
        let headers: Vec<_> = record.headers.into_iter().map(|h| (h.key, h.value)).collect();
        ensure!(headers == made.headers, "headers of {number}");
        *place += 1;
    }
    let total: u64 = next.iter().sum();
    ensure!(total == RECORDS, "{total} records came back");
    next.iter().max().context("partitions")?;
    Ok(())
}
