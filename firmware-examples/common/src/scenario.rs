//! What the tests have an image do: `key=value` arguments say what.

use embassy_futures::select::{Either, select};
use embassy_net::Stack;
use embassy_time::Duration;
use ottla_embassy::net::Tcp;
use ottla_embassy::transport::Target;
use ottla_embassy::{Config, Header, Record};

use crate::Arguments;
use crate::node::{NODE, Node, buffers};
use crate::reading::Decimal;

/// Where QEMU shows the host's loopback to the guest.
const HOST: &str = "10.0.2.2";

/// Brokers advertise the host's loopback, which is the guest's own.
fn via(target: Target<'_>) -> Target<'_> {
    Target { host: HOST, ..target }
}

/// Runs the scenario that the arguments name.
///
/// # Errors
/// What went wrong.
pub async fn run(
    stack: Stack<'static>,
    seed: u64,
    arguments: &'static str,
) -> Result<(), &'static str> {
    let arguments = Arguments::new(arguments);
    let broker = arguments.address("broker").ok_or("want broker=host:port")?;
    let node = &NODE;
    let buffers = buffers().ok_or("already running")?;
    let started = node.start(&ottla_embassy::Settings {
        config: Config::new(),
        client_id: "sensor-node",
        bootstrap: &[broker],
        max_block: Duration::from_secs(300),
        via: Some(via),
        seed,
    });
    let mut runner = started.map_err(|_| "wrong settings")?;
    match select(runner.run([Tcp::new(stack, buffers)]), produce(node, arguments)).await {
        Either::First(()) => Err("the producer ended by itself"),
        Either::Second(result) => result,
    }
}

/// `count` readings over `partitions` partitions of `topic`, with numbers for values.
async fn produce(node: &Node, arguments: Arguments) -> Result<(), &'static str> {
    let name = arguments.text("topic").unwrap_or("readings");
    let count = arguments.number("count", 10_000);
    let partitions = arguments.number("partitions", 4);
    let topic = node.declare_topic(name, partitions).map_err(|_| "no topic")?;
    node.set_wall_clock(u64::from(arguments.number("time", 1_700_000_000)) * 1_000);
    for number in 0..count {
        let value = Decimal::of(number / partitions);
        let partition = number % partitions;
        let key = Decimal::of(partition);
        let headers = [Header { key: "unit", value: Some(b"mC") }];
        let record = Record::new(value.bytes())
            .key(key.bytes())
            .headers(&headers)
            .partition(partition as i32);
        node.produce(topic, &record).await.map_err(|_| "a record was refused")?;
    }
    node.flush().await.map_err(|_| "no place to wait")?;
    let counters = node.counters();
    #[cfg(feature = "defmt")]
    defmt::info!("{}", counters);
    if counters.written != u64::from(count) {
        return Err("not every reading is written");
    }
    Ok(())
}
