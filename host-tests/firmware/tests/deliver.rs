//! From each board to a real Kafka and to the development broker: 10,000 readings over 4
//! partitions, read back by Kafka's own consumer, or out of the broker's log. And the sensor node
//! itself, as `cargo xtask firmware run` shows it.

use std::time::Duration;

use anyhow::{Result, ensure};
use firmware_tests::Machine;
use firmware_tests::readings::{self, Audit};
use firmware_tests::trial::{Plan, address_of, expect_success, images, server};
use kafka_tests::Kafka;

const COUNT: u32 = 10_000;

/// How often the executor may wake: a fraction of that is enough, since readings go in batches.
const TURNS: u64 = COUNT as u64;

/// Several times what it takes.
const LIMIT: Duration = Duration::from_secs(300);

#[test]
fn to_a_real_kafka() -> Result<()> {
    let kafka = Kafka::start()?;
    for (board, image) in images()? {
        let plan = Plan::new(&board, COUNT);
        kafka.create_topic(&board, 4, &[])?;
        let arguments = plan.arguments(kafka.address(), "")?;
        expect_success(&board, &Machine::start(&image, &arguments)?.wait(LIMIT)?, TURNS)?;
        plan.expect_all(&readings::of_kafka(&kafka, &board)?)?;
    }
    Ok(())
}

#[test]
fn to_the_development_broker() -> Result<()> {
    for (board, image) in images()? {
        let plan = Plan::new(&board, COUNT);
        let server = server(&board, None)?;
        let arguments = plan.arguments(address_of(&server)?, "")?;
        expect_success(&board, &Machine::start(&image, &arguments)?.wait(LIMIT)?, TURNS)?;
        plan.expect_all(&readings::of_server(&server, &board)?)?;
    }
    Ok(())
}

/// Readings of the node itself.
const READINGS: u32 = 40;

#[test]
fn the_node_tells_what_became_of_its_readings() -> Result<()> {
    for (board, image) in images()? {
        let server = server(&board, None)?;
        let plan = Plan::new(&board, READINGS);
        let arguments = plan.arguments(address_of(&server)?, "node every=25")?;
        let end = Machine::start(&image, &arguments)?.wait(LIMIT)?;
        expect_success(&board, &end, TURNS)?;
        let mut audit = Audit::new(READINGS);
        for reading in readings::of_server(&server, &board)? {
            audit.see(reading.partition, reading.number()?);
            ensure!(reading.headers.iter().any(|(name, _)| name == "unit"), "{reading:?}");
        }
        println!("{audit}");
        ensure!(audit.is_clean() && audit.partitions() == 4, "{board}: {audit}");
        // Each line says how many readings were written.
        let told = end.log.iter().filter(|line| line.contains("readings written to partition"));
        let told = told.filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let at = words.iter().position(|word| *word == "readings")?;
            words.get(at.checked_sub(1)?)?.parse::<u32>().ok()
        });
        ensure!(told.sum::<u32>() == READINGS, "{board}: told {:?}", end.log);
    }
    Ok(())
}
