//! Nobody there for long: a broker that comes up late while the memory is full, and a cable that
//! is pulled out.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};
use firmware_tests::trial::{Plan, address_of, expect_success, images, number_in, server};
use firmware_tests::{Machine, readings};
use kafka_tests::Port;

/// How often the executor may wake: for each reading, each attempt, each packet.
const TURNS: u64 = 50_000;

const LIMIT: Duration = Duration::from_secs(300);

/// How long there is no broker.
const ABSENCE: Duration = Duration::from_secs(60);

/// A reading each 50 ms, for a while longer than that.
const READINGS: u32 = 1_600;

/// What the board's memory holds, at least: 4 blocks of 512 bytes, of readings of about 30.
const KEPT: u64 = 40;

#[test]
fn what_was_accepted_arrives_when_the_broker_comes_up_late() -> Result<()> {
    let mut runs = Vec::new();
    for (board, image) in images()? {
        let port = Port::reserve()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.number()));
        let plan = Plan::new(&board, READINGS);
        let run = Machine::start(&image, &plan.arguments(address, "every=50 leave-out")?)?;
        runs.push((board, run, port, address));
    }
    sleep(ABSENCE);
    let mut servers = Vec::new();
    for (board, _, _, address) in &runs {
        servers.push(server(board, Some(*address))?);
    }
    for ((board, run, ..), server) in runs.into_iter().zip(servers) {
        let end = run.wait(LIMIT)?;
        expect_success(&board, &end, TURNS)?;
        let audit = Plan::new(&board, READINGS).audit(&readings::of_server(&server, &board)?)?;
        let accepted = number_in(&end.log, "accepted")?;
        println!("{board}: {accepted} of {READINGS} accepted");
        ensure!(audit.is_clean_but_for_gaps(), "{board}: {audit}");
        ensure!(u64::from(audit.readings()) == accepted, "{board}: {accepted} accepted, {audit}");
        // The memory was full, and after the absence there was room again.
        let after = u64::from(READINGS) - ABSENCE.as_millis() as u64 / 50;
        let kept = accepted.saturating_sub(after);
        ensure!(accepted < u64::from(READINGS), "{board}: the memory was never full");
        ensure!(kept >= KEPT, "{board}: only {accepted} were accepted");
    }
    Ok(())
}

/// How long the cable is out at first, and once later: longer than `request.timeout.ms`.
const UNPLUGGED: [Duration; 2] = [Duration::from_secs(15), Duration::from_secs(40)];

#[test]
fn a_cable_that_is_pulled_out_loses_nothing() -> Result<()> {
    const COUNT: u32 = 2_000;
    let mut runs = Vec::new();
    for (board, image) in images()? {
        let server = server(&board, None)?;
        let plan = Plan::new(&board, COUNT);
        let run = Machine::start(&image, &plan.arguments(address_of(&server)?, "every=20")?)?;
        run.plug(false)?;
        runs.push((board, run, server));
    }
    let plug = |connected| runs.iter().try_for_each(|(_, run, _)| run.plug(connected));
    sleep(UNPLUGGED[0]);
    plug(true)?;
    sleep(Duration::from_secs(10));
    plug(false)?;
    sleep(UNPLUGGED[1]);
    plug(true)?;
    for (board, run, server) in runs {
        let end = run.wait(LIMIT)?;
        expect_success(&board, &end, TURNS)?;
        ensure!(end.took > UNPLUGGED[0] + UNPLUGGED[1], "{board}: the cable was not out");
        Plan::new(&board, COUNT).expect_all(&readings::of_server(&server, &board)?)?;
    }
    Ok(())
}
