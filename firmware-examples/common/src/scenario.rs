//! What the tests have an image do: `key=value` arguments say what.
//!
//! | argument | |
//! |---|---|
//! | `broker=HOST:PORT` | a broker to begin with |
//! | `node` | the sensor node itself; without it, numbered readings |
//! | `topic=NAME` | `readings` |
//! | `count=N` | number of readings, 10,000 |
//! | `every=MS` | pause between two readings; 0, the default, is as fast as they are accepted |
//! | `time=SECONDS` | time of day at the start |
//! | `partitions=N` | partitions that the readings go to in turn, 4 |
//! | `step=N` | distance of these partitions, 1 |
//! | `of=N` | number of partitions of the topic, `partitions` times `step` |
//! | `leave-out` | readings are left out while the memory is full, instead of waiting |
//! | `request-timeout=MS`, `delivery-timeout=MS`, `linger=MS` | settings of these names |

use embassy_futures::select::{Either, select};
use embassy_net::Stack;
use embassy_time::{Duration, Ticker};
use ottla_embassy::net::Tcp;
use ottla_embassy::ottla::Duration as OttlaDuration;
use ottla_embassy::transport::Target;
use ottla_embassy::{Config, Header, Record, Refused, Topic};

use crate::node::{NODE, Node, buffers};
use crate::reading::Decimal;
use crate::{Arguments, Settings};

/// Where QEMU shows the host's loopback to the guest.
const HOST: &str = "10.0.2.2";

/// Brokers on the host advertise its loopback, which is the guest's own.
fn via(target: Target<'_>) -> Target<'_> {
    match target.host {
        "127.0.0.1" | "localhost" => Target { host: HOST, ..target },
        _ => target,
    }
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
    let count = arguments.number("count", 10_000);
    let every = Duration::from_millis(arguments.number("every", 0).into());
    let settings = Settings::new(broker, arguments.text("topic").unwrap_or("readings"));
    let time = arguments.number("time", settings.time);
    let settings = Settings { readings: Some(count), every, time, via: Some(via), ..settings };
    if arguments.has("node") {
        crate::run(stack, seed, settings).await?;
        let counters = NODE.counters();
        let all = counters.not_written == 0 && counters.unknown == 0;
        return if all { Ok(()) } else { Err("readings are not written, or not known to be") };
    }
    let node = &NODE;
    let buffers = buffers().ok_or("already running")?;
    let started = node.start(&ottla_embassy::Settings {
        config: config(arguments),
        client_id: "sensor-node",
        bootstrap: &[broker],
        max_block: Duration::from_secs(300),
        via: Some(via),
        seed,
    });
    let mut runner = started.map_err(|_| "wrong settings")?;
    let work = produce(node, arguments, settings, count);
    match select(runner.run([Tcp::new(stack, buffers)]), work).await {
        Either::First(()) => Err("the producer ended by itself"),
        Either::Second(result) => result,
    }
}

fn config(arguments: Arguments) -> Config {
    let default = Config::new();
    let of = |key, default: OttlaDuration| match arguments.number(key, u32::MAX) {
        u32::MAX => default,
        millis => OttlaDuration::from_millis(millis.into()),
    };
    Config {
        request_timeout: of("request-timeout", default.request_timeout),
        delivery_timeout: of("delivery-timeout", default.delivery_timeout),
        linger: of("linger", default.linger),
        ..default
    }
}

/// Readings with numbers for values, over partitions in turn. All that are accepted must be
/// written.
async fn produce(
    node: &Node,
    arguments: Arguments,
    settings: Settings,
    count: u32,
) -> Result<(), &'static str> {
    let partitions = arguments.number("partitions", 4).max(1);
    let step = arguments.number("step", 1);
    let all = arguments.number("of", partitions.saturating_mul(step));
    let topic = node.declare_topic(settings.topic, all).map_err(|_| "no topic")?;
    node.set_wall_clock(u64::from(settings.time) * 1_000);
    let pause = settings.every.as_ticks() > 0;
    let mut ticker = Ticker::every(settings.every.max(Duration::from_ticks(1)));
    let mut accepted = 0;
    for number in 0..count {
        let partition = number % partitions * step;
        let waits = !arguments.has("leave-out");
        accepted += u32::from(send(node, topic, number, partition, waits).await?);
        if pause {
            ticker.next().await;
        }
    }
    node.flush().await.map_err(|_| "no place to wait")?;
    let counters = node.counters();
    #[cfg(feature = "defmt")]
    {
        defmt::info!("accepted {=u32} of {=u32}; {}", accepted, count, counters);
        defmt::info!("metadata {=u64} bytes", counters.received.metadata);
    }
    if counters.written != u64::from(accepted) {
        return Err("not every accepted reading is written");
    }
    Ok(())
}

/// Whether a reading was accepted. If it may not wait, it is left out while there is no room.
async fn send(
    node: &Node,
    topic: Topic,
    number: u32,
    partition: u32,
    waits: bool,
) -> Result<bool, &'static str> {
    let (value, key) = (Decimal::of(number), Decimal::of(partition));
    let headers = [Header { key: "unit", value: Some(b"mC") }];
    let record =
        Record::new(value.bytes()).key(key.bytes()).headers(&headers).partition(partition as i32);
    if !waits {
        return match node.try_produce(topic, &record) {
            Ok(_) => Ok(true),
            Err(Refused::Full(_)) => Ok(false),
            Err(_) => Err("a reading was refused"),
        };
    }
    node.produce(topic, &record).await.map_err(|_| "a reading was refused")?;
    Ok(true)
}
