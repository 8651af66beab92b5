//! A link of 30 KB/s with a round trip of 1 s: nothing is taken for lost that is only slow, and
//! nearly all bytes are batches.

use std::time::Duration;

use anyhow::{Result, ensure};
use firmware_tests::trial::{Plan, address_of, advertise, expect_success, images, server};
use firmware_tests::{Machine, readings};
use kafka_tests::Slow;

const COUNT: u32 = 2_000;
const BYTES_PER_SECOND: u32 = 30_000;
const ROUND_TRIP: Duration = Duration::from_secs(1);

/// Shorter than what several requests in flight take together: each has to have its own time.
const REQUEST_TIMEOUT_MS: u32 = 2_000;

/// How often the executor may wake.
const TURNS: u64 = COUNT as u64;

const LIMIT: Duration = Duration::from_secs(300);

#[test]
fn nothing_is_given_up_or_sent_twice_on_a_slow_link() -> Result<()> {
    let mut runs = Vec::new();
    for (board, image) in images()? {
        let server = server(&board, None)?;
        let proxy = Slow::start(address_of(&server)?, BYTES_PER_SECOND, ROUND_TRIP)?;
        advertise(&server, proxy.address())?;
        let more = format!("request-timeout={REQUEST_TIMEOUT_MS}");
        let arguments = Plan::new(&board, COUNT).arguments(proxy.address(), &more)?;
        runs.push((board, Machine::start(&image, &arguments)?, proxy, server));
    }
    for (board, run, proxy, server) in runs {
        let end = run.wait(LIMIT)?;
        let traffic = proxy.traffic();
        println!(
            "{} connections, {} with Produce requests, of which {} ended too early; {} requests, \
             {} batches, {} of them sent before; {} bytes, {} of them needed; slowest answer {:?}",
            traffic.connections,
            traffic.producing,
            traffic.broken,
            traffic.requests,
            traffic.batches,
            traffic.repeated,
            traffic.bytes,
            traffic.useful,
            traffic.longest
        );
        expect_success(&board, &end, TURNS)?;
        Plan::new(&board, COUNT).expect_all(&readings::of_server(&server, &board)?)?;
        // The first connection asks where the broker is, the second goes there.
        ensure!(traffic.connections <= 2, "{board}: connected again: {traffic:?}");
        ensure!(traffic.producing == 1 && traffic.broken == 0, "{board}: gave up: {traffic:?}");
        ensure!(traffic.repeated == 0, "{board}: sent twice: {traffic:?}");
        ensure!(traffic.bytes * 10 <= traffic.useful * 11, "{board}: wasted bytes: {traffic:?}");
        ensure!(traffic.longest >= ROUND_TRIP / 2, "{board}: the link was not slow: {traffic:?}");
    }
    Ok(())
}
