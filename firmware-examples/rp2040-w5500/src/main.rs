//! WIZnet W5500-EVB-Pico: an RP2040 and a W5500 on one board.

#![no_std]
#![no_main]

use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_net::{Runner as NetworkRunner, Stack};
use embassy_net_wiznet::chip::W5500;
use embassy_net_wiznet::{Device, Runner, State};
use embassy_rp::clocks::RoscRng;
use embassy_rp::flash::{self, Flash};
use embassy_rp::gpio::{Input, Level, Output, Pull};
use embassy_rp::peripherals::{DMA_CH0, DMA_CH1, FLASH, SPI0};
use embassy_rp::spi::{self, Spi};
use embassy_rp::{Peri, bind_interrupts, dma};
use embassy_time::Delay;
use embedded_hal_bus::spi::ExclusiveDevice;
use panic_probe as _;
use sensor_node::Settings;
use static_cell::StaticCell;

bind_interrupts!(struct Irqs {
    DMA_IRQ_0 => dma::InterruptHandler<DMA_CH0>, dma::InterruptHandler<DMA_CH1>;
});

type Bus = ExclusiveDevice<Spi<'static, SPI0, spi::Async>, Output<'static>, Delay>;
type Wiznet = Runner<'static, W5500, Bus, Input<'static>, Output<'static>>;

/// Frames between the W5500 and the stack, in each direction; 1,514 bytes each.
const FRAMES: usize = 4;
/// Size of the board's flash.
const FLASH_SIZE: usize = 2 << 20;

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let p = embassy_rp::init(Default::default());
    let address = ethernet_address(p.FLASH);

    let mut config = spi::Config::default();
    // The W5500 is good for 33.3 MHz; the next that the chip can do is 31.25 MHz.
    config.frequency = 33_000_000;
    let spi = Spi::new(p.SPI0, p.PIN_18, p.PIN_19, p.PIN_16, p.DMA_CH0, p.DMA_CH1, Irqs, config);
    let select = Output::new(p.PIN_17, Level::High);
    let reset = Output::new(p.PIN_20, Level::High);
    let interrupt = Input::new(p.PIN_21, Pull::Up);
    let Ok(spi) = ExclusiveDevice::new(spi, select, Delay);

    static STATE: StaticCell<State<FRAMES, FRAMES>> = StaticCell::new();
    let state = STATE.init_with(State::new);
    let device = embassy_net_wiznet::new(address, state, spi, interrupt, reset).await;
    let (device, runner) = defmt::expect!(device.ok(), "the W5500 does not answer");
    spawner.spawn(defmt::unwrap!(wiznet(runner)));
    defmt::info!("W5500 found");

    let seed = RoscRng.next_u64();
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

/// A locally administered address out of the number of the flash chip (the RP2040 has none of its
/// own): boards with one image differ.
fn ethernet_address(flash: Peri<'static, FLASH>) -> [u8; 6] {
    let mut id = [0; 8];
    let mut flash = Flash::<_, flash::Blocking, FLASH_SIZE>::new_blocking(flash);
    defmt::unwrap!(flash.blocking_unique_id(&mut id).ok());
    let [.., a, b, c, d, e] = id;
    [0x02, a, b, c, d, e]
}
