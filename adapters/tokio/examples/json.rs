//! Values as JSON, by `serde`, and keys as text: a producer of types.
//!
//! `cargo run -p ottla-tokio --features json --example json -- --bootstrap localhost:9092`

use std::error::Error;
use std::time::Duration;

use ottla_tokio::{Bytes, Json, Producer, TypedProducer, TypedRecord};
use serde::Serialize;

#[derive(Serialize)]
struct Payment {
    account: String,
    cents: i64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => run("localhost:9092").await,
        ["--bootstrap", servers] => run(servers).await,
        _ => Err("usage: [--bootstrap HOST:PORT], by default localhost:9092".into()),
    }
}

/// Sends three payments to the topic `payments`, and deletes what is known of an account there.
pub(crate) async fn run(bootstrap: &str) -> Result<(), Box<dyn Error>> {
    let producer = Producer::builder().bootstrap_servers(bootstrap).build()?;
    let payments: TypedProducer<str, Payment> = producer.typed(Bytes, Json);
    let topic = producer.topic("payments")?;
    for cents in [1_250, 99, -400] {
        let payment = Payment { account: "DE-17".to_owned(), cents };
        let record = TypedRecord::new(&topic, &payment).key(payment.account.as_str());
        let written = payments.send(record).await?.await?;
        println!("{cents}: partition {} offset {:?}", written.partition, written.offset);
    }
    // A null value, of which no serializer is asked.
    payments.send(TypedRecord::tombstone(&topic).key("DE-16")).await?.await?;
    producer.close(Duration::from_secs(30)).await;
    Ok(())
}
