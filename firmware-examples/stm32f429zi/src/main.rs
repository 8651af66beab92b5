//! ST NUCLEO-F429ZI, network by the chip's own MAC and the PHY on the board.

#![no_std]
#![no_main]

use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_net::{Runner as NetworkRunner, Stack};
use embassy_stm32::eth::{self, Ethernet, GenericPhy, PacketQueue, Sma};
use embassy_stm32::rng::{self, Rng};
use embassy_stm32::time::Hertz;
use embassy_stm32::{Config, bind_interrupts, peripherals, rcc, uid};
use panic_probe as _;
use sensor_node::Settings;
use static_cell::StaticCell;

bind_interrupts!(struct Irqs {
    ETH => eth::InterruptHandler;
    HASH_RNG => rng::InterruptHandler<peripherals::RNG>;
});

type Device = Ethernet<'static, peripherals::ETH, GenericPhy<Sma<'static, peripherals::ETH_SMA>>>;

/// Frames between the MAC and the stack, in each direction; about 1,530 bytes each.
const FRAMES: usize = 4;

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let p = embassy_stm32::init(clocks());

    static QUEUE: StaticCell<PacketQueue<FRAMES, FRAMES>> = StaticCell::new();
    let queue = QUEUE.init_with(PacketQueue::new);
    // RMII, as the board is soldered; the pins stand in README.md.
    let device = Ethernet::new(
        queue,
        p.ETH,
        Irqs,
        p.PA1,
        p.PA7,
        p.PC4,
        p.PC5,
        p.PG13,
        p.PB13,
        p.PG11,
        ethernet_address(),
        p.ETH_SMA,
        p.PA2,
        p.PC1,
    );

    let seed = Rng::new(p.RNG, Irqs).next_u64();
    let (stack, runner) = defmt::unwrap!(sensor_node::network(device, seed));
    spawner.spawn(defmt::unwrap!(network(runner)));
    spawner.spawn(defmt::unwrap!(node(stack, seed)));
}

#[embassy_executor::task]
async fn network(mut runner: NetworkRunner<'static, Device>) {
    runner.run().await
}

#[embassy_executor::task]
async fn node(stack: Stack<'static>, seed: u64) {
    if let Err(reason) = sensor_node::run(stack, seed, Settings::of_build()).await {
        defmt::error!("cannot start: {=str}", reason);
    }
}

/// 168 MHz from the 8 MHz that the debugger's chip supplies. Not the full 180 MHz: the random
/// number generator needs 48 MHz out of the same PLL.
fn clocks() -> Config {
    let mut config = Config::default();
    config.rcc.hse = Some(rcc::Hse { freq: Hertz(8_000_000), mode: rcc::HseMode::Bypass });
    config.rcc.pll_src = rcc::PllSource::HSE;
    config.rcc.pll = Some(rcc::Pll {
        prediv: rcc::PllPreDiv::DIV4,
        mul: rcc::PllMul::MUL168,
        divp: Some(rcc::PllPDiv::DIV2),
        divq: Some(rcc::PllQDiv::DIV7),
        divr: None,
    });
    config.rcc.sys = rcc::Sysclk::PLL1_P;
    config.rcc.ahb_pre = rcc::AHBPrescaler::DIV1;
    config.rcc.apb1_pre = rcc::APBPrescaler::DIV4;
    config.rcc.apb2_pre = rcc::APBPrescaler::DIV2;
    config
}

/// A locally administered address out of the chip's own number: boards with one image differ.
fn ethernet_address() -> [u8; 6] {
    let [a, b, c, d, e, ..] = uid::uid();
    [0x02, a, b, c, d, e]
}
