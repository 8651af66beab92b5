//! The sensor node: samples, batches, sends, and says what became of its readings.

use embassy_futures::join::join3;
use embassy_net::Stack;
use embassy_time::{Duration, Ticker};
use ottla_embassy::net::{Tcp, TcpBuffers};
use ottla_embassy::ottla::Delivery;
use ottla_embassy::{Config, Event, Header, Record, Topic};
use static_cell::ConstStaticCell;

use crate::Settings;
use crate::reading::{Decimal, sample};

/// All tasks of the node run in thread mode, so interrupts are never held up.
#[cfg(target_arch = "arm")]
type Lock = embassy_sync::blocking_mutex::raw::ThreadModeRawMutex;
#[cfg(not(target_arch = "arm"))]
type Lock = embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;

ottla_embassy::producer! {
    /// Memory of the node: four batches of half a kilobyte, one link.
    pub(crate) Node<Lock> {
        topics: 1, partitions: 4, batches: 6, requests: 4, links: 1, brokers: 2, host: 32,
        names: 64, blocks: 4, block_size: 512, waits: 3,
    }
}

/// Buffers of the node's socket.
pub(crate) type Buffers = TcpBuffers<512, 1024>;

/// The producer of the node: zero bits, so it takes no flash, and is never on the stack.
pub(crate) static NODE: Node = Node::new(ottla_embassy::ottla::memory::Fixed::new());

pub(crate) fn buffers() -> Option<&'static mut Buffers> {
    static BUFFERS: ConstStaticCell<Buffers> = ConstStaticCell::new(Buffers::new());
    BUFFERS.try_take()
}

/// What is sampled, and the key of its readings.
const SENSORS: [&[u8]; 4] = [b"garden", b"cellar", b"roof", b"kitchen"];

/// How long a node that ends waits for the outcomes of its last readings.
const LAST_OUTCOMES: Duration = Duration::from_secs(60);

/// Runs the node, for ever or for as many readings as it is told.
///
/// # Errors
/// Why it could not start.
pub async fn run(stack: Stack<'static>, seed: u64, settings: Settings) -> Result<(), &'static str> {
    let node = &NODE;
    let buffers = buffers().ok_or("already running")?;
    #[cfg(feature = "defmt")]
    {
        let (host, port) = settings.bootstrap;
        defmt::info!("writing to {=str}:{=u16}, topic {=str}", host, port, settings.topic);
    }
    let started = node.start(&ottla_embassy::Settings {
        config: Config::new(),
        client_id: "sensor-node",
        bootstrap: &[settings.bootstrap],
        max_block: Duration::from_secs(60),
        via: settings.via,
        seed,
    });
    let mut runner = started.map_err(|_| "wrong settings")?;
    let topic = node.declare_topic(settings.topic, settings.partitions);
    let topic = topic.map_err(|_| "the topic's name is not legal, or too long")?;
    node.set_wall_clock(u64::from(settings.time) * 1_000);
    let sense = async {
        sense(node, topic, &settings).await;
        node.close(LAST_OUTCOMES).await
    };
    let ((), closed, ()) = join3(runner.run([Tcp::new(stack, buffers)]), sense, tell(node)).await;
    closed.map_err(|_| "no place to wait")
}

/// Takes readings. While the cluster is out of reach the blocks fill up; then the oldest readings
/// wait, and new ones are left out.
async fn sense(node: &Node, topic: Topic, settings: &Settings) {
    let mut ticker = Ticker::every(settings.every);
    let mut number = 0_u32;
    while settings.readings.is_none_or(|readings| number < readings) {
        let digits = Decimal::of(number);
        let headers = [
            Header { key: "unit", value: Some(b"0.01 C") },
            Header { key: "number", value: Some(digits.bytes()) },
        ];
        let value = Decimal::of(sample(number));
        let key = SENSORS.get(number as usize % SENSORS.len()).copied().unwrap_or_default();
        let record = Record::new(value.bytes()).key(key).headers(&headers);
        if let Err(_refused) = node.try_produce(topic, &record) {
            #[cfg(feature = "defmt")]
            defmt::warn!("reading {=u32} is left out: {}", number, _refused);
        }
        number = number.wrapping_add(1);
        ticker.next().await;
    }
}

/// Says what became of readings, until the node is closed.
async fn tell(node: &Node) {
    let mut events = node.events();
    while let Ok(event) = events.next().await {
        match event {
            Event::Delivered(delivery) => report(&delivery),
            Event::Closed => return,
            _ => {}
        }
    }
}

/// Logs the outcome of a run of readings, if there is a log.
fn report(_delivery: &Delivery) {
    #[cfg(feature = "defmt")]
    match _delivery.outcome {
        ottla_embassy::Outcome::Written { base_offset, .. } => defmt::info!(
            "{=u32} readings written to partition {=i32} from offset {=i64}",
            _delivery.count,
            _delivery.partition,
            base_offset
        ),
        outcome => defmt::warn!("{=u32} readings: {}", _delivery.count, outcome),
    }
}
