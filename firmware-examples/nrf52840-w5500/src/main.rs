//! Nordic nRF52840 DK, network by a WIZnet W5500 on the Arduino header.

#![no_std]
#![no_main]

use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_net::{Runner as NetworkRunner, Stack};
use embassy_net_wiznet::chip::W5500;
use embassy_net_wiznet::{Device, Runner, State};
use embassy_nrf::gpio::{Input, Level, Output, OutputDrive, Pull};
use embassy_nrf::rng::{self, Rng};
use embassy_nrf::spim::{self, Spim};
use embassy_nrf::{bind_interrupts, config, pac, peripherals};
use embassy_time::Delay;
use embedded_hal_bus::spi::ExclusiveDevice;
use panic_probe as _;
use sensor_node::Settings;
use static_cell::StaticCell;

bind_interrupts!(struct Irqs {
    SPI2 => spim::InterruptHandler<peripherals::SPI2>;
    RNG => rng::InterruptHandler<peripherals::RNG>;
});

type Spi = ExclusiveDevice<Spim<'static>, Output<'static>, Delay>;
type Wiznet = Runner<'static, W5500, Spi, Input<'static>, Output<'static>>;

/// Frames between the W5500 and the stack, in each direction; 1,514 bytes each.
const FRAMES: usize = 4;

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let mut config = config::Config::default();
    // The internal oscillator is off by percents; the board has a crystal.
    config.lfclk_source = config::LfclkSource::ExternalXtal;
    let p = embassy_nrf::init(config);

    let mut config = spim::Config::default();
    // SPIM3 would be faster, but may send wrong bytes (nRF52840 anomaly 198).
    config.frequency = spim::Frequency::M8;
    let spi = Spim::new(p.SPI2, Irqs, p.P1_15, p.P1_14, p.P1_13, config);
    let select = Output::new(p.P1_12, Level::High, OutputDrive::Standard);
    let reset = Output::new(p.P1_11, Level::High, OutputDrive::Standard);
    let interrupt = Input::new(p.P1_10, Pull::Up);
    let Ok(spi) = ExclusiveDevice::new(spi, select, Delay);

    static STATE: StaticCell<State<FRAMES, FRAMES>> = StaticCell::new();
    let state = STATE.init(State::new());
    let device = embassy_net_wiznet::new(ethernet_address(), state, spi, interrupt, reset).await;
    let (device, runner) = defmt::expect!(device.ok(), "no W5500: check the wiring");
    spawner.spawn(defmt::unwrap!(wiznet(runner)));

    let mut seed = [0; 8];
    Rng::new(p.RNG, Irqs).fill_bytes(&mut seed).await;
    let seed = u64::from_le_bytes(seed);
    defmt::info!("W5500 found");

    let (stack, runner) = defmt::unwrap!(sensor_node::network(device, seed));
    spawner.spawn(defmt::unwrap!(network(runner)));
    spawner.spawn(defmt::unwrap!(node(stack, seed)));
}

#[embassy_executor::task]
async fn network(mut runner: NetworkRunner<'static, Device<'static>>) {
    runner.run().await
}

#[embassy_executor::task]
async fn node(stack: Stack<'static>, seed: u64) {
    if let Err(reason) = sensor_node::run(stack, seed, Settings::of_build()).await {
        defmt::error!("cannot start: {=str}", reason);
    }
}

/// Moves frames between the W5500 and the stack.
#[embassy_executor::task]
async fn wiznet(runner: Wiznet) -> ! {
    runner.run().await
}

/// A locally administered address out of the chip's own number: boards with one image differ.
fn ethernet_address() -> [u8; 6] {
    let [a, b, c, d] = pac::FICR.deviceid(0).read().to_le_bytes();
    let [e, ..] = pac::FICR.deviceid(1).read().to_le_bytes();
    [0x02, a, b, c, d, e]
}
