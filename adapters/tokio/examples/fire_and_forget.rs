//! Fire and forget: nobody looks at the outcome of a single record. What fails is logged, by
//! batch, and counted.
//!
//! `cargo run -p ottla-tokio --example fire_and_forget -- --bootstrap localhost:9092`

use std::error::Error;
use std::time::Duration;

use ottla_tokio::{Producer, Record};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => run("localhost:9092").await,
        ["--bootstrap", servers] => run(servers).await,
        _ => Err("usage: [--bootstrap HOST:PORT], by default localhost:9092".into()),
    }
}

/// Sends a thousand records to the topic `readings`.
pub(crate) async fn run(bootstrap: &str) -> Result<(), Box<dyn Error>> {
    let producer = Producer::builder().bootstrap_servers(bootstrap).build()?;
    let readings = producer.topic("readings")?;
    for number in 0..1_000 {
        let key = format!("sensor-{}", number % 10);
        let value = number.to_string();
        // It waits only while buffer.memory is full, so a slow cluster slows this loop down.
        producer.post(Record::new(&readings, &value).key(&key)).await?;
    }
    // Without this, what is not written yet would be given up when the producer is dropped.
    let closed = producer.close(Duration::from_secs(30)).await;
    let counters = producer.stats().counters;
    println!(
        "{} written, {} not written, {} unknown",
        counters.written, counters.not_written, counters.unknown
    );
    match closed.not_written + closed.unknown {
        0 => Ok(()),
        given_up => Err(format!("{given_up} records were given up at the end").into()),
    }
}
