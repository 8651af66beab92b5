//! Raspberry Pi Pico W, network by the Wi-Fi chip on the board.

#![no_std]
#![no_main]

use cyw43::{A4, Aligned, JoinOptions, NetDriver, PowerManagementMode, SpiBus, State};
use cyw43_pio::{DEFAULT_CLOCK_DIVIDER, PioSpi};
use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_net::{Runner as NetworkRunner, Stack};
use embassy_rp::clocks::RoscRng;
use embassy_rp::gpio::{Level, Output};
use embassy_rp::peripherals::{DMA_CH0, PIO0};
use embassy_rp::pio::{self, Pio};
use embassy_rp::{bind_interrupts, dma};
use embassy_time::Timer;
use panic_probe as _;
use sensor_node::Settings;
use static_cell::StaticCell;

bind_interrupts!(struct Irqs {
    PIO0_IRQ_0 => pio::InterruptHandler<PIO0>;
    DMA_IRQ_0 => dma::InterruptHandler<DMA_CH0>;
});

type Radio = cyw43::Runner<'static, SpiBus<Output<'static>, PioSpi<'static, PIO0, 0>>>;

// Where README.md puts the radio's firmware, and the lengths of its three files.
const FIRMWARE: *const Aligned<A4, [u8; 231_077]> = 0x1010_0000 as *const _;
const REGULATORY: *const [u8; 984] = 0x1014_0000 as *const _;
const CALIBRATION: *const Aligned<A4, [u8; 742]> = 0x1014_1000 as *const _;

const SSID: &str = match option_env!("OTTLA_SSID") {
    Some(ssid) => ssid,
    None => "ottla",
};
/// Without one the network is taken to be open.
const PASSWORD: Option<&str> = option_env!("OTTLA_PASSWORD");

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let p = embassy_rp::init(Default::default());

    // SAFETY: readable flash outside of the image (memory.x), aligned to 4, never written by it.
    let (firmware, regulatory, calibration) = unsafe { (&*FIRMWARE, &*REGULATORY, &*CALIBRATION) };
    let erased = [firmware[0], regulatory[0], calibration[0]].contains(&0xff);
    defmt::assert!(!erased, "no firmware for the radio: see README.md");

    let power = Output::new(p.PIN_23, Level::Low);
    let select = Output::new(p.PIN_25, Level::High);
    let mut pio = Pio::new(p.PIO0, Irqs);
    let spi = PioSpi::new(
        &mut pio.common,
        pio.sm0,
        DEFAULT_CLOCK_DIVIDER,
        pio.irq0,
        select,
        p.PIN_24,
        p.PIN_29,
        dma::Channel::new(p.DMA_CH0, Irqs),
    );

    static STATE: StaticCell<State> = StaticCell::new();
    let state = STATE.init_with(State::new);
    let (device, mut control, runner) = cyw43::new(state, power, spi, firmware, calibration).await;
    spawner.spawn(defmt::unwrap!(radio(runner)));
    control.init(regulatory).await;
    control.set_power_management(PowerManagementMode::PowerSave).await;

    let options = || match PASSWORD {
        Some(password) => JoinOptions::new(password.as_bytes()),
        None => JoinOptions::new_open(),
    };
    while let Err(error) = control.join(SSID, options()).await {
        defmt::warn!("cannot join {=str}: {}", SSID, error);
        Timer::after_secs(1).await;
    }
    defmt::info!("Wi-Fi joined");

    let seed = RoscRng.next_u64();
    let (stack, runner) = defmt::unwrap!(sensor_node::network(device, seed));
    spawner.spawn(defmt::unwrap!(network(runner)));
    spawner.spawn(defmt::unwrap!(node(stack, seed)));
}

#[embassy_executor::task]
async fn network(mut runner: NetworkRunner<'static, NetDriver<'static>>) {
    runner.run().await
}

#[embassy_executor::task]
async fn node(stack: Stack<'static>, seed: u64) {
    if let Err(reason) = sensor_node::run(stack, seed, Settings::of_build()).await {
        defmt::error!("cannot start: {=str}", reason);
    }
}

/// Moves frames between the Wi-Fi chip and the stack.
#[embassy_executor::task]
async fn radio(runner: Radio) -> ! {
    runner.run().await
}
