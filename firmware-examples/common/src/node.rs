//! The sensor node: samples, batches, sends, and says what became of its readings.

use embassy_futures::select::{Either, select};
use embassy_net::Stack;
use embassy_time::{Duration, Ticker};
use ottla_embassy::net::{Tcp, TcpBuffers};
use ottla_embassy::{Config, Event, Header, Outcome, Record, Topic, Via};
use static_cell::StaticCell;

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

/// What a board tells its node.
#[derive(Clone, Copy)]
pub struct Settings {
    /// Host and port of a broker to begin with.
    pub bootstrap: (&'static str, u16),
    /// Topic of the readings.
    pub topic: &'static str,
    /// Number of its partitions: readings are accepted before a broker was reached.
    pub partitions: u32,
    /// Pause between two readings.
    pub every: Duration,
    /// Where brokers are reached, if not at the addresses that they advertise.
    pub via: Option<Via>,
}

impl Settings {
    /// One reading a second for `topic`.
    #[must_use]
    pub const fn new(bootstrap: (&'static str, u16), topic: &'static str) -> Self {
        Self { bootstrap, topic, partitions: 4, every: Duration::from_secs(1), via: None }
    }
}

/// The producer of the node: zero bits, so it takes no flash, and is never on the stack.
pub(crate) static NODE: Node = Node::new(ottla_embassy::ottla::memory::Fixed::new());

pub(crate) fn buffers() -> Option<&'static mut Buffers> {
    static BUFFERS: StaticCell<Buffers> = StaticCell::new();
    BUFFERS.try_init_with(Buffers::new)
}

/// Runs the node. It ends only if it cannot start.
///
/// # Errors
/// Why it could not start.
pub async fn run(
    stack: Stack<'static>,
    seed: u64,
    settings: Settings,
) -> Result<(), &'static str> {
    let node = &NODE;
    let buffers = buffers().ok_or("already running")?;
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
    let work = select(sense(node, topic, settings.every), tell(node));
    match select(runner.run([Tcp::new(stack, buffers)]), work).await {
        Either::First(()) => Ok(()),
        Either::Second(_) => Err("the node has ended"),
    }
}

/// Takes readings, for ever. While the cluster is out of reach the blocks fill up; then the
/// oldest readings wait, and new ones are left out.
async fn sense(node: &Node, topic: Topic, every: Duration) {
    let mut ticker = Ticker::every(every);
    let mut number = 0_u32;
    loop {
        let value = Decimal::of(sample(number));
        let headers = [Header { key: "unit", value: Some(b"0.01 C") }];
        let record = Record::new(value.bytes()).key(b"sensor-1").headers(&headers);
        if let Err(_refused) = node.try_produce(topic, &record) {
            #[cfg(feature = "defmt")]
            defmt::warn!("reading {=u32} is left out: {}", number, _refused);
        }
        number = number.wrapping_add(1);
        ticker.next().await;
    }
}

/// Says what became of readings, for ever.
async fn tell(node: &Node) {
    let mut events = node.events();
    while let Ok(event) = events.next().await {
        if let Event::Delivered(_delivery) = event {
            #[cfg(feature = "defmt")]
            match _delivery.outcome {
                Outcome::Written { base_offset, .. } => defmt::info!(
                    "{=u32} readings written to partition {=i32} from offset {=i64}",
                    _delivery.count,
                    _delivery.partition,
                    base_offset
                ),
                outcome => defmt::warn!("{=u32} readings: {}", _delivery.count, outcome),
            }
            #[cfg(not(feature = "defmt"))]
            let _ = Outcome::Unacknowledged;
        }
    }
}
