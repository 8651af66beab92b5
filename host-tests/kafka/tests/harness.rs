//! The harness itself, against a real Kafka.

use std::env;
use std::fs;
use std::net::TcpStream;
use std::process::Command;

use anyhow::Result;
use kafka_tests::{Artifacts, Header, Kafka, NewTopic, PartitionRange, Record, finish, tool};

fn records(kafka: &Kafka, topic: &str) -> Result<Vec<Record>> {
    kafka.read_back(topic)?.collect()
}

/// Writes one record per line with Kafka's own console producer, `key:value` and `NULL` for null.
fn write_lines(kafka: &Kafka, topic: &str, lines: &str) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("lines");
    fs::write(&file, lines)?;
    let mut producer = tool("org.apache.kafka.tools.ConsoleProducer")?;
    producer.args(["--bootstrap-server", &kafka.bootstrap(), "--topic", topic]);
    for property in [
        "parse.key=true",
        "parse.headers=true",
        "headers.delimiter=|",
        "key.separator=:",
        "null.marker=NULL",
    ] {
        producer.args(["--reader-property", property]);
    }
    finish(producer.stdin(fs::File::open(file)?))?;
    Ok(())
}

#[test]
fn an_empty_topic_is_empty() -> Result<()> {
    let kafka = Kafka::start()?;
    kafka.create_topics(&[
        NewTopic { name: "one", partitions: 1, configs: &[] },
        NewTopic {
            name: "two",
            partitions: 2,
            configs: &[("retention.ms", "-1"), ("max.message.bytes", "2000000")],
        },
    ])?;
    let read_back = kafka.read_back("two")?;
    let empty = |partition| PartitionRange { partition, beginning: 0, end: 0 };
    assert_eq!(read_back.ranges(), [empty(0), empty(1)]);
    assert_eq!(read_back.collect::<Result<Vec<_>>>()?, []);
    assert_eq!(records(&kafka, "one")?, []);
    Ok(())
}

#[test]
fn records_come_back_whole() -> Result<()> {
    let kafka = Kafka::start()?;
    kafka.create_topic("t", 1, &[])?;
    write_lines(&kafka, "t", "a:1,b:|key:value\nNULL|NULL:NULL\nh:NULL|:\n")?;
    let records = records(&kafka, "t")?;
    let header =
        |key: &str, value: Option<&str>| Header { key: key.into(), value: value.map(Into::into) };
    let seen: Vec<_> = records
        .iter()
        .map(|record| (record.offset, record.key.as_deref(), record.value.as_deref()))
        .collect();
    let empty: &[u8] = b"";
    assert_eq!(
        seen,
        [
            (0, Some(&b"key"[..]), Some(&b"value"[..])),
            (1, None, None),
            (2, Some(empty), Some(empty))
        ]
    );
    assert_eq!(records[0].headers, [header("a", Some("1")), header("b", Some(""))]);
    assert_eq!(records[1].headers, []);
    assert_eq!(records[2].headers, [header("h", None)]);
    assert!(
        records.iter().all(|record| record.partition == 0 && record.timestamp > 1_600_000_000_000)
    );
    Ok(())
}

#[test]
fn records_survive_a_kill_and_a_stop() -> Result<()> {
    let mut kafka = Kafka::start()?;
    kafka.create_topic("t", 1, &[])?;
    let address = kafka.address();
    write_lines(&kafka, "t", "NULL|a:1\n")?;

    kafka.kill()?;
    assert!(TcpStream::connect(address).is_err());
    assert!(kafka.read_back("t").is_err(), "a node that is not running is named at once");
    kafka.restart()?;
    assert_eq!(kafka.address(), address);
    write_lines(&kafka, "t", "NULL|a:2\n")?;

    kafka.stop()?;
    assert!(kafka.log()?.contains("shut down completed"), "a stop is clean");
    kafka.restart()?;
    assert!(kafka.restart().is_err(), "a running node is not started twice");
    let values: Vec<_> = records(&kafka, "t")?.into_iter().map(|record| record.value).collect();
    assert_eq!(values, [Some(b"1".to_vec()), Some(b"2".to_vec())]);
    Ok(())
}

#[test]
fn a_node_that_cannot_start_says_why() {
    let error = Kafka::start_with(&[("log.dirs", "/proc/none")]).unwrap_err();
    assert!(format!("{error:#}").contains("/proc/none"), "{error:#}");
}

#[test]
fn a_missing_topic_is_an_error() -> Result<()> {
    let kafka = Kafka::start()?;
    assert!(kafka.read_back("missing").is_err());
    assert!(kafka.create_topic("t", 1, &[("no.such.config", "1")]).is_err());
    Ok(())
}

#[test]
fn the_message_definitions_are_at_hand() -> Result<()> {
    let jar = Artifacts::get()?.jar("kafka-clients")?;
    let listing = finish(Command::new("jar").arg("--list").arg("--file").arg(jar))?;
    assert!(listing.lines().any(|name| name == "common/message/ProduceRequest.json"));
    Ok(())
}

/// 600 MB by `cargo xtask test --full`, 30 MB otherwise.
#[test]
fn a_large_topic_is_streamed() -> Result<()> {
    const SIZE: usize = 1_000;
    let written = if env::var_os("OTTLA_LONG_TESTS").is_some() { 600_000 } else { 30_000 };
    let kafka = Kafka::start()?;
    kafka.create_topic("large", 3, &[])?;
    let mut producer = tool("org.apache.kafka.tools.ProducerPerformance")?;
    producer.args([
        "--bootstrap-server",
        &kafka.bootstrap(),
        "--topic",
        "large",
        "--throughput",
        "-1",
    ]);
    producer.args(["--num-records", &written.to_string(), "--record-size", &SIZE.to_string()]);
    finish(&mut producer)?;

    let read_back = kafka.read_back("large")?;
    let mut next: Vec<i64> = read_back.ranges().iter().map(|range| range.beginning).collect();
    let ends: Vec<i64> = read_back.ranges().iter().map(|range| range.end).collect();
    let mut count = 0;
    for record in read_back {
        let record = record?;
        let partition = usize::try_from(record.partition)?;
        assert_eq!(record.offset, next[partition]);
        assert_eq!(record.value.map(|value| value.len()), Some(SIZE));
        next[partition] += 1;
        count += 1;
    }
    assert_eq!((count, next), (written, ends));
    Ok(())
}
