//! Both boards at once through a proxy that resets, swallows answers, cuts inside of frames, and
//! once lets nothing move for 40 s, with a real Kafka behind it that is killed and restarted: none
//! lost, none twice, in order.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};
use firmware_tests::trial::{Plan, expect_success, images};
use firmware_tests::{Machine, readings};
use kafka_tests::{Kafka, Proxy};

const COUNT: u32 = 10_000;

/// Pause between two readings: they cover the time in which things break.
const EVERY_MS: u32 = 13;

/// Longer than `request.timeout.ms`, so that the boards notice.
const STALL: Duration = Duration::from_secs(40);

/// How often the executor may wake: for each reading, and for what goes over the network.
const TURNS: u64 = 3 * COUNT as u64;

const LIMIT: Duration = Duration::from_secs(500);

#[test]
fn nothing_is_lost_doubled_or_reordered_while_everything_breaks() -> Result<()> {
    let proxy = Proxy::start(20_261_121)?;
    let mut kafka = Kafka::start_behind(proxy.address(), &[])?;
    proxy.lead_to(kafka.behind());
    let mut runs = Vec::new();
    for (board, image) in images()? {
        kafka.create_topic(&board, 4, &[])?;
        let more = format!("every={EVERY_MS} delivery-timeout=300000");
        let arguments = Plan::new(&board, COUNT).arguments(proxy.address(), &more)?;
        runs.push((board, Machine::start(&image, &arguments)?));
    }
    let pause = || sleep(Duration::from_secs(15));
    for _ in 0..2 {
        pause();
        kafka.kill()?;
        kafka.restart()?;
    }
    pause();
    proxy.stall(STALL);
    sleep(STALL);
    pause();
    kafka.stop()?;
    kafka.restart()?;
    pause();
    // Healed: what is left goes through.
    proxy.calm();
    let mut ended = Vec::new();
    for (board, run) in runs {
        ended.push((board, run.wait(LIMIT)?));
    }
    let hits = proxy.hits();
    println!(
        "cuts {}, unanswered {}, inside a frame {}, swallowed {}, answered twice {}, stalled {}",
        hits.cuts, hits.unanswered, hits.inside, hits.swallowed, hits.repeated, hits.stalled
    );
    for (board, end) in ended {
        expect_success(&board, &end, TURNS)?;
        Plan::new(&board, COUNT).expect_all(&readings::of_kafka(&kafka, &board)?)?;
    }
    ensure!(hits.unanswered >= 20, "too few cuts hit an unanswered request: {hits:?}");
    ensure!(hits.inside >= 5, "too few cuts inside a frame: {hits:?}");
    ensure!(hits.swallowed >= 5, "too few answers were swallowed: {hits:?}");
    ensure!(hits.repeated >= 5, "too few batches were answered twice: {hits:?}");
    ensure!(hits.stalled >= 1, "nothing was on its way when everything stood still: {hits:?}");
    Ok(())
}
