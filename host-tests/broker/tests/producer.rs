//! The core's producer against the development broker, over TCP.

mod driver;

use anyhow::{Result, ensure};
use driver::{Driver, config};
use ottla::message::{Api, ErrorCode};
use ottla::{Duration, Outcome};
use ottla_broker::{
    Action, Cluster, Config, Counters, Fired, NewTopic, Reload, Replication, Server, Silence,
};

/// Three nodes, and `t` with three partitions on all of them.
fn three_nodes(replication: Replication) -> Result<Server> {
    let mut cluster = Cluster::new(Config { replication, ..Config::new(3) });
    cluster
        .create_topic(&NewTopic::new("t", 3, 3))
        .map_err(|(code, text)| anyhow::anyhow!("{code}: {text}"))?;
    Ok(Server::start(cluster, &[])?)
}

fn counted(server: &Server) -> (Counters, Fired) {
    server.with(|cluster, _| (cluster.counters(), cluster.fired()))
}

/// Answers the Produce requests `from` to `to`, counted from 0, by `action`.
fn act_on(server: &Server, from: u32, to: u32, action: Action) {
    let mut number = 0;
    server.with(|cluster, _| {
        cluster.set_hook(move |seen| {
            if seen.api != Api::Produce {
                return Action::Proceed;
            }
            number += 1;
            if (from + 1..=to).contains(&number) { action.clone() } else { Action::Proceed }
        });
    });
}

#[test]
fn records_are_where_their_outcomes_say() -> Result<()> {
    let server = three_nodes(Replication::Delay { min: 200, max: 3_000 })?;
    let mut driver = Driver::new(&server, ottla::Config { batch_size: 16_384, ..config() });
    let topic = driver.producer.topic("t")?;
    driver.until(|driver| driver.producer.partition_count(topic) == 3)?;
    for number in 0..100 {
        for partition in 0..3 {
            driver.produce(topic, partition, number)?;
        }
        driver.turn()?;
    }
    driver.settle()?;
    ensure!(driver.check_all_written("t")? == 300);
    Ok(())
}

#[test]
fn a_topic_is_made_for_the_first_record() -> Result<()> {
    let server = Server::start(Cluster::new(Config::new(1)), &[])?;
    let mut driver = Driver::new(&server, config());
    let topic = driver.producer.declare_topic("new", 1)?;
    driver.produce(topic, 0, 0)?;
    driver.settle()?;
    ensure!(driver.check_all_written("new")? == 1);
    Ok(())
}

#[test]
fn a_swallowed_answer_is_found_out_as_a_duplicate() -> Result<()> {
    for silence in [Silence::Close, Silence::Stay] {
        let server = three_nodes(Replication::Instant)?;
        act_on(&server, 1, 3, Action::Swallow(silence));
        let mut driver = Driver::new(&server, config());
        let topic = driver.producer.topic("t")?;
        driver.until(|driver| driver.producer.partition_count(topic) == 3)?;
        for number in 0..20 {
            driver.produce(topic, 0, number)?;
        }
        driver.settle()?;
        ensure!(driver.check_all_written("t")? == 20);
        let (counters, fired) = counted(&server);
        ensure!(fired.swallowed == 2, "{silence:?}: {fired:?}");
        ensure!(counters.duplicates >= 2 && counters.appended == 20, "{silence:?}: {counters:?}");
    }
    Ok(())
}

#[test]
fn errors_after_the_append_are_found_out_as_duplicates() -> Result<()> {
    for code in [3, 6, 7, 20, 56, -1] {
        let server = three_nodes(Replication::Instant)?;
        act_on(&server, 1, 4, Action::AnswerAfter(ErrorCode(code)));
        let mut driver = Driver::new(&server, config());
        let topic = driver.producer.topic("t")?;
        driver.until(|driver| driver.producer.partition_count(topic) == 3)?;
        driver.produce(topic, 0, 0)?;
        driver.settle()?;
        for number in 1..10 {
            driver.produce(topic, 0, number)?;
        }
        driver.settle()?;
        let (counters, fired) = counted(&server);
        ensure!(fired.answered_after == 3, "{code}: {fired:?}");
        if code == -1 {
            // Not a code to retry: what may be in the log is told to be unknown.
            ensure!(counters.duplicates == 0 && counters.appended >= 4, "{code}: {counters:?}");
            let is_unknown = |outcome: &&Outcome| matches!(outcome, Outcome::Unknown(..));
            ensure!(driver.outcomes.values().filter(is_unknown).count() == 3, "{code}");
            continue;
        }
        ensure!(driver.check_all_written("t")? == 10, "{code}");
        ensure!(counters.duplicates >= 1 && counters.appended == 10, "{code}: {counters:?}");
    }
    Ok(())
}

#[test]
fn three_batches_in_doubt_survive_a_restart_that_remembers_one() -> Result<()> {
    let server = Server::start(Cluster::new(Config::new(1)), &[])?;
    // The first opens the window; three are appended and answered by a code that proves nothing;
    // what is sent again waits until the node has loaded its producers from the newest batch only.
    let mut number = 0;
    server.with(|cluster, _| {
        cluster.set_hook(move |seen| {
            number += u32::from(seen.api == Api::Produce);
            match number {
                2..=4 => Action::AnswerAfter(ErrorCode::REQUEST_TIMED_OUT),
                5 => Action::Delay(1_000_000),
                _ => Action::Proceed,
            }
        });
    });
    let patient = ottla::Config { request_timeout: Duration::from_secs(5), ..config() };
    let mut driver = Driver::new(&server, patient);
    let topic = driver.producer.declare_topic("t", 1)?;
    driver.produce(topic, 0, 0)?;
    driver.settle()?;
    for number in 1..=3 {
        driver.produce(topic, 0, number)?;
    }
    driver.until(|_| counted(&server).1.delayed == 1)?;
    ensure!(counted(&server).1.answered_after == 3, "three are in doubt");
    server.with(|cluster, now| cluster.reload(now, 1, Reload::NewestOnly))?;
    driver.settle()?;
    for number in 4..8 {
        driver.produce(topic, 0, number)?;
    }
    driver.settle()?;
    ensure!(driver.check_all_written("t")? == 8);
    let (counters, _) = counted(&server);
    ensure!(counters.appended == 8 && counters.duplicates >= 1, "{counters:?}");
    ensure!(counters.refused >= 1, "the head was not remembered: {counters:?}");
    Ok(())
}

#[test]
fn leaders_move_under_way() -> Result<()> {
    let server = three_nodes(Replication::Delay { min: 100, max: 1_000 })?;
    let mut driver = Driver::new(&server, config());
    let topic = driver.producer.topic("t")?;
    driver.until(|driver| driver.producer.partition_count(topic) == 3)?;
    for number in 0..60 {
        for partition in 0..3 {
            driver.produce(topic, partition, number)?;
        }
        driver.turn()?;
        if number % 10 == 5 {
            server.with(|cluster, now| -> Result<()> {
                for partition in 0..3 {
                    let leader = cluster.leader("t", partition).unwrap_or(1);
                    cluster.move_leader(now, "t", partition, leader % 3 + 1)?;
                }
                Ok(())
            })?;
        }
    }
    driver.settle()?;
    ensure!(driver.check_all_written("t")? == 180);
    let epochs: Vec<_> =
        server.with(|cluster, _| (0..3).map(|p| cluster.leader_epoch("t", p)).collect());
    ensure!(epochs == [Some(6); 3], "{epochs:?}");
    let (counters, _) = counted(&server);
    ensure!(counters.refused + counters.doubtful > 0, "no move was noticed: {counters:?}");
    Ok(())
}

#[test]
fn nodes_die_and_come_back_under_way() -> Result<()> {
    let server = three_nodes(Replication::Delay { min: 100, max: 1_000 })?;
    let mut driver = Driver::new(&server, config());
    let topic = driver.producer.topic("t")?;
    driver.until(|driver| driver.producer.partition_count(topic) == 3)?;
    for number in 0..45 {
        for partition in 0..3 {
            driver.produce(topic, partition, number)?;
        }
        driver.turn()?;
        let node = number as i32 / 15 + 1;
        match number % 15 {
            4 => server.with(|cluster, now| cluster.kill(now, node))?,
            10 => server.with(|cluster, now| cluster.start(now, node))?,
            14 => driver.until(|_| server.with(|cluster, _| cluster.in_sync("t", 0).len() == 3))?,
            _ => {}
        }
    }
    driver.settle()?;
    ensure!(driver.check_all_written("t")? == 135);
    Ok(())
}

/// R3, R12: an answer that comes after the delivery timeout tells the user nothing new, and mends
/// the sequences.
#[test]
fn a_late_answer_only_mends_sequences() -> Result<()> {
    let server = Server::start(Cluster::new(Config::new(1)), &[])?;
    let mut number = 0;
    server.with(|cluster, _| {
        cluster.set_hook(move |seen| {
            number += u32::from(seen.api == Api::Produce);
            match number {
                // Appended at once, answered late: the first in time, the second not.
                2 => Action::DelayAnswer(900_000),
                3 => Action::DelayAnswer(2_000_000),
                _ => Action::Proceed,
            }
        });
    });
    let settings = ottla::Config {
        request_timeout: Duration::from_millis(2_500),
        delivery_timeout: Duration::from_millis(1_500),
        max_in_flight: 1,
        ..config()
    };
    let mut driver = Driver::new(&server, settings);
    let topic = driver.producer.declare_topic("t", 1)?;
    driver.produce(topic, 0, 0)?;
    driver.settle()?;
    // Answered in time; the next one waits for it, and is then answered half a second too late.
    driver.produce(topic, 0, 1)?;
    driver.turn()?;
    driver.produce(topic, 0, 2)?;
    driver.until(|driver| driver.producer.counters().unknown == 1)?;
    ensure!(driver.producer.counters().written == 2);
    // Its answer comes, and the sequence goes on: nothing is bumped, nothing appended twice.
    driver.produce(topic, 0, 3)?;
    driver.until(|driver| driver.producer.counters().written == 3)?;
    ensure!(driver.producer.counters().bumps == 0);
    let (counters, fired) = counted(&server);
    ensure!(counters.appended == 4 && counters.duplicates == 0, "{counters:?}");
    ensure!(counters.refused == 0 && fired.delayed_answers == 2, "{counters:?} {fired:?}");
    Ok(())
}
