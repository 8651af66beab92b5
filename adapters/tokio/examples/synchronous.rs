//! One record at a time: the next one is sent when the outcome of this one is there. The slowest
//! way, a round trip per record, and the easiest to reason about.
//!
//! `cargo run -p ottla-tokio --example synchronous -- --bootstrap localhost:9092`

use std::error::Error;
use std::time::Duration;

use ottla_tokio::{Producer, Record, SendErrorKind};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => run("localhost:9092").await,
        ["--bootstrap", servers] => run(servers).await,
        _ => Err("usage: [--bootstrap HOST:PORT], by default localhost:9092".into()),
    }
}

/// Sends ten records to the topic `orders`, and says what became of each.
pub(crate) async fn run(bootstrap: &str) -> Result<(), Box<dyn Error>> {
    let producer = Producer::builder()
        .bootstrap_servers(bootstrap)
        // Nothing else comes along that it would be worth waiting for.
        .linger(Duration::ZERO)
        .build()?;
    let orders = producer.topic("orders")?;
    for number in 0..10 {
        let value = format!("order {number}");
        let record = Record::new(&orders, &value).key("customer-7");
        // The first wait is for room, the second for the outcome.
        match producer.send(record).await?.await {
            Ok(written) => {
                println!("{value}: partition {} offset {:?}", written.partition, written.offset);
            }
            Err(error) => match error.kind() {
                SendErrorKind::NotWritten(_) => {
                    // It can be sent again without being written twice.
                    println!("{value}: not written: {error}");
                }
                SendErrorKind::Unknown(..) => {
                    // Whoever sends it again may have it twice, whoever does not may miss it.
                    println!("{value}: nobody knows: {error}");
                }
                _ => return Err(error.into()),
            },
        }
    }
    producer.close(Duration::from_secs(30)).await;
    Ok(())
}
