//! Asynchronous with a callback: records are sent as fast as there is room, and a function hears
//! of each outcome.
//!
//! `cargo run -p ottla-tokio --example callback -- --bootstrap localhost:9092`

use std::error::Error;
use std::time::Duration;

use ottla_tokio::{Delivery, Producer, Record, RecordMetadata, SendError};
use tokio::sync::mpsc;

const RECORDS: u64 = 10_000;

/// Records that may wait for their callback. Once there are so many, sending waits.
const WAITING: usize = 4_096;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => run("localhost:9092").await.map(drop),
        ["--bootstrap", servers] => run(servers).await.map(drop),
        _ => Err("usage: [--bootstrap HOST:PORT], by default localhost:9092".into()),
    }
}

/// Hears of the outcome of each record. In a real program: acknowledges the message that the
/// record was made of, or puts it aside.
fn on_outcome(number: u64, outcome: Result<RecordMetadata, SendError>) -> bool {
    match outcome {
        Ok(written) => {
            if number.is_multiple_of(1_000) {
                println!("{number}: partition {} offset {:?}", written.partition, written.offset);
            }
            true
        }
        Err(error) => {
            println!("{number}: {error}");
            false
        }
    }
}

/// Sends ten thousand records to the topic `clicks`, with their outcomes told in the order in
/// which they were sent. Returns how many were told, all of them good.
pub(crate) async fn run(bootstrap: &str) -> Result<u64, Box<dyn Error>> {
    let producer = Producer::builder().bootstrap_servers(bootstrap).build()?;
    let clicks = producer.topic("clicks")?;
    // One task for all callbacks, not one for each. Outcomes come in batches, so it sleeps most of
    // the time. The channel has a bound: buffer.memory is free again once a record has its outcome,
    // whether or not its callback was called.
    let (deliveries, mut waiting) = mpsc::channel::<(u64, Delivery)>(WAITING);
    let callbacks = tokio::spawn(async move {
        let mut good = 0;
        while let Some((number, delivery)) = waiting.recv().await {
            good += u64::from(on_outcome(number, delivery.await));
        }
        good
    });
    for number in 0..RECORDS {
        let value = number.to_string();
        let delivery = producer.send(Record::new(&clicks, &value)).await?;
        deliveries.send((number, delivery)).await?;
    }
    drop(deliveries);
    let good = callbacks.await?;
    producer.close(Duration::from_secs(30)).await;
    println!("{good} of {RECORDS} written");
    match good {
        RECORDS => Ok(good),
        _ => Err(format!("{} records are not known to be written", RECORDS - good).into()),
    }
}
