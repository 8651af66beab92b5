#![no_std]
#![no_main]
//! The sensor node on QEMU's `lm3s6965evb`: a Cortex-M3 with 256 KB of flash, 64 KB of RAM, and an
//! Ethernet controller on the chip.

mod board;
mod net;

use cortex_m_rt::entry;
use embassy_net::{Runner, Stack};
use net::Stellaris;
use qemu_machine::net::Ethernet;

#[entry]
fn main() -> ! {
    board::power_up();
    qemu_machine::start(&board::MACHINE, |spawner, arguments| {
        let driver = Ethernet::new(Stellaris::new())?;
        let seed = driver.seed();
        let (stack, runner) = sensor_node::network(driver, seed)?;
        spawner.spawn(network(runner).ok()?);
        spawner.spawn(node(stack, seed, arguments).ok()?);
        Some(())
    })
}

#[embassy_executor::task]
async fn network(mut runner: Runner<'static, Ethernet<Stellaris>>) {
    runner.run().await
}

#[embassy_executor::task]
async fn node(stack: Stack<'static>, seed: u64, arguments: &'static str) {
    #[cfg(not(feature = "bare"))]
    let outcome = sensor_node::scenario::run(stack, seed, arguments).await;
    #[cfg(feature = "bare")]
    let (_, outcome) = (seed, sensor_node::bare::run(stack, arguments).await);
    qemu_machine::finish(outcome)
}
