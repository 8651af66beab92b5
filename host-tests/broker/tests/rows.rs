//! Scenario rows of the broker that a producer is to come through, over TCP.

mod driver;

use anyhow::{Result, anyhow, ensure};
use driver::{Driver, config};
use ottla::Outcome;
use ottla_broker::{Cluster, Config, NewTopic, Replication, Server};

#[test]
fn k142_replicas_leave_after_the_append_and_the_record_is_written_once() -> Result<()> {
    let config_of_three = Config { replication: Replication::Manual, ..Config::new(3) };
    let mut cluster = Cluster::new(config_of_three);
    let topic = NewTopic::assigned("t", &[&[1, 2, 3]]).config("min.insync.replicas", "2");
    cluster.create_topic(&topic).map_err(|(code, text)| anyhow!("{code}: {text}"))?;
    let server = Server::start(cluster, &[])?;
    let mut driver = Driver::new(&server, config());
    let topic = driver.producer.declare_topic("t", 1)?;
    driver.produce(topic, 0, 0)?;
    driver.until(|_| server.with(|cluster, _| cluster.log_end("t", 0)) == Some(1))?;
    ensure!(driver.pending == 1, "acks=all waits for a second replica");
    // Nobody but the leader is left: 20, with the record in the log.
    server.with(|cluster, now| {
        cluster.leave_in_sync(now, "t", 0, 2)?;
        cluster.leave_in_sync(now, "t", 0, 3)
    })?;
    driver.until(|_| server.with(|cluster, _| cluster.counters().doubtful) == 1)?;
    server.with(|cluster, now| cluster.replicate_all(now));
    driver.settle()?;
    ensure!(driver.check_all_written("t")? == 1);
    let outcome = driver.outcomes.get(&(0, 0));
    let is_first = matches!(outcome, Some(Outcome::Written { base_offset: 0, .. }));
    ensure!(is_first, "the retry is told where the first copy is: {outcome:?}");
    let counters = server.with(|cluster, _| cluster.counters());
    ensure!(counters.appended == 1 && counters.duplicates == 1, "{counters:?}");
    Ok(())
}
