//! Espressif ESP32-C3, network by the chip's own Wi-Fi.

#![no_std]
#![no_main]

use core::panic::PanicInfo;

use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_net::{Runner as NetworkRunner, Stack};
use embassy_time::Timer;
use esp_hal::clock::CpuClock;
use esp_hal::ram;
use esp_hal::rng::Rng;
use esp_hal::timer::timg::TimerGroup;
use esp_radio::wifi::sta::StationConfig;
use esp_radio::wifi::{
    AuthenticationMethodConfig, Config, ControllerConfig, Interface, WifiController,
};
use sensor_node::Settings;

esp_bootloader_esp_idf::esp_app_desc!();

const SSID: &str = match option_env!("OTTLA_SSID") {
    Some(ssid) => ssid,
    None => "ottla",
};
/// Without one the network is taken to be open.
const PASSWORD: Option<&str> = option_env!("OTTLA_PASSWORD");

#[esp_hal::main]
async fn main(spawner: Spawner) {
    let p = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    // For the radio's driver alone: the memory that the boot loader has left, and some more.
    esp_alloc::heap_allocator!(#[ram(reclaimed)] size: 64 * 1024);
    esp_alloc::heap_allocator!(size: 36 * 1024);
    // The driver's own tasks run under this scheduler; it also keeps the time.
    esp_rtos::start(TimerGroup::new(p.TIMG0).timer0, p.FROM_CPU_INTR0);

    let config = ControllerConfig::default().with_initial_config(station());
    let controller = defmt::unwrap!(WifiController::new(p.WIFI, config));
    // Random only while the radio runs.
    let rng = Rng::new();
    let seed = u64::from(rng.random()) << 32 | u64::from(rng.random());
    spawner.spawn(defmt::unwrap!(stay_connected(controller)));

    let (stack, runner) = defmt::unwrap!(sensor_node::network(Interface::station(), seed));
    spawner.spawn(defmt::unwrap!(network(runner)));
    spawner.spawn(defmt::unwrap!(node(stack, seed)));
}

#[embassy_executor::task]
async fn network(mut runner: NetworkRunner<'static, Interface>) {
    runner.run().await
}

#[embassy_executor::task]
async fn node(stack: Stack<'static>, seed: u64) {
    if let Err(reason) = sensor_node::run(stack, seed, Settings::of_build()).await {
        defmt::error!("cannot start: {=str}", reason);
    }
}

fn station() -> Config {
    let authentication = match PASSWORD {
        Some(password) => {
            let password = defmt::expect!(password.try_into().ok(), "OTTLA_PASSWORD is too long");
            AuthenticationMethodConfig::Wpa2Personal(password)
        }
        None => AuthenticationMethodConfig::Open,
    };
    let ssid = defmt::expect!(SSID.try_into().ok(), "OTTLA_SSID is too long");
    Config::Station(StationConfig::default().with_ssid(ssid).with_authentication(authentication))
}

/// Joins the network, and again whenever it is lost.
#[embassy_executor::task]
async fn stay_connected(mut controller: WifiController<'static>) {
    loop {
        match controller.connect_async().await {
            Ok(_) => {
                defmt::info!("joined {=str}", SSID);
                let _ = controller.wait_for_disconnect_async().await;
                defmt::warn!("lost {=str}", SSID);
            }
            Err(error) => defmt::warn!("cannot join {=str}: {}", SSID, error),
        }
        Timer::after_secs(1).await;
    }
}

/// Says where and stops. The message would need formatting, which costs more flash than the client.
#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    if let Some(place) = info.location() {
        defmt::error!("panic at {=str}:{=u32}", place.file(), place.line());
    }
    loop {}
}
