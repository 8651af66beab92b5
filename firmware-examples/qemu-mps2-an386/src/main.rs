#![no_std]
#![no_main]
//! The sensor node on QEMU's `mps2-an386`: a Cortex-M4F with a LAN9118 for Ethernet. Of the 4 MB of flash and
//! 4 MB of RAM, 512 KB and 128 KB are used.

mod board;
mod net;

use cortex_m_rt::entry;
use embassy_net::{Runner, Stack};
use net::Lan9118;
use qemu_machine::net::Ethernet;

#[entry]
fn main() -> ! {
    qemu_machine::start(&board::MACHINE, |spawner, arguments| {
        let driver = Ethernet::new(Lan9118::new())?;
        let seed = driver.seed();
        let (stack, runner) = sensor_node::network(driver, seed)?;
        spawner.spawn(network(runner).ok()?);
        spawner.spawn(node(stack, seed, arguments).ok()?);
        Some(())
    })
}

#[embassy_executor::task]
async fn network(mut runner: Runner<'static, Ethernet<Lan9118>>) {
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
