//! Metadata of 10,000 partitions and 300 brokers, through a receive buffer of half a kilobyte.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use firmware_tests::trial::{Plan, address_of, expect_success, images, number_in};
use firmware_tests::{Machine, readings};
use ottla_broker::{Address, Cluster, Config, NewTopic, Node, Server};

const BROKERS: i32 = 300;
const PARTITIONS: i32 = 10_000;
const COUNT: u32 = 400;

/// What a partition takes in a Metadata answer, at least.
const PARTITION_BYTES: u64 = 26;

/// How often the executor may wake: for each piece of metadata, too.
const TURNS: u64 = 20_000;

const LIMIT: Duration = Duration::from_secs(120);

/// A cluster in which partition `p` is led by broker `p % 300 + 1`.
fn cluster(topic: &str) -> Result<Cluster> {
    let node = |id| Node {
        id,
        rack: None,
        listeners: vec![Address { host: format!("broker-{id}.example.org"), port: 9_092 }],
    };
    let nodes = (1..=BROKERS).map(node).collect();
    let mut cluster = Cluster::new(Config { nodes, ..Config::new(1) });
    let replicas: Vec<[i32; 3]> = (0..PARTITIONS)
        .map(|partition| [0, 1, 2].map(|other| (partition + other) % BROKERS + 1))
        .collect();
    let replicas: Vec<&[i32]> = replicas.iter().map(<[i32; 3]>::as_slice).collect();
    let made = cluster.create_topic(&NewTopic::assigned(topic, &replicas));
    ensure!(made.is_ok(), "topic {topic} cannot be made: {made:?}");
    Ok(cluster)
}

#[test]
fn records_arrive_although_metadata_is_larger_than_all_memory() -> Result<()> {
    for (board, image) in images()? {
        let server = Server::start(cluster(&board)?, &[]).context("no development broker")?;
        let step = u32::try_from(BROKERS)?;
        let plan = Plan { step, ..Plan::new(&board, COUNT) };
        let arguments = plan.arguments(address_of(&server)?, &format!("of={PARTITIONS}"))?;
        let end = Machine::start(&image, &arguments)?.wait(LIMIT)?;
        expect_success(&board, &end, TURNS)?;
        plan.expect_all(&readings::of_server(&server, &board)?)?;
        let received = number_in(&end.log, "metadata")?;
        println!("{board}: {received} bytes of metadata");
        ensure!(
            received >= PARTITIONS as u64 * PARTITION_BYTES,
            "{board}: only {received} bytes of metadata"
        );
    }
    Ok(())
}
