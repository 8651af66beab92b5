//! The smallest useful producer under load, at a sensor's pace, and at rest.

use embassy_sync::blocking_mutex::raw::ThreadModeRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Timer};
use ottla_answers::{Broker, Connection};
use ottla_embassy::{Config, Counters, Record, Settings, Topic};

use crate::probe::{Count, Probe};
use crate::report::{Line, say, say_ratio};
use crate::wire::Wire;
use crate::{board, number};

const PARTITIONS: usize = 4;
const BLOCKS: usize = 4;
const BLOCK_SIZE: usize = 512;

ottla_embassy::producer! {
    /// The smallest useful memory: one link, four blocks of half a kilobyte.
    Node<ThreadModeRawMutex> {
        topics: 1, partitions: PARTITIONS, batches: 6, requests: 4, links: 1, brokers: 2, host: 32,
        names: 32, blocks: BLOCKS, block_size: BLOCK_SIZE, waits: 2,
    }
}

static NODE: Node = Node::new(ottla_embassy::ottla::memory::Fixed::new());
static WIRE: Wire = Wire::new();
static RUNNER: Probe = Probe::new();
static APPLICATION: Probe = Probe::new();
static STARTED: Signal<ThreadModeRawMutex, ()> = Signal::new();

/// Records that go before anything is counted.
const WARM_UP: u32 = 64;
/// Records at a sensor's pace, each in a batch of its own.
const PACED: u32 = 50;

#[embassy_executor::task]
pub(crate) async fn broker() {
    let mut broker: Broker<PARTITIONS> = Broker::new(ottla_answers::Settings::new("readings"));
    let mut connection = Connection::new();
    WIRE.serve(&mut broker, &mut connection).await
}

#[embassy_executor::task]
pub(crate) async fn runner() {
    let started = NODE.start(&Settings {
        config: Config::new(),
        client_id: "sensor-node",
        bootstrap: &[("node", 9092)],
        max_block: Duration::from_secs(60),
        via: None,
        seed: 1,
    });
    let Ok(mut runner) = started else { qemu_machine::finish(Err("wrong settings")) };
    let runner = runner.run([&WIRE]);
    let blocks = BLOCKS * BLOCK_SIZE;
    let tables = size_of::<Node>() - blocks;
    let future = size_of_val(&runner);
    for size in ottla::sizes::SIZES {
        Line::new("size.").text(size.name).number(size.bytes as u64).print();
    }
    say("ram.blocks", blocks as u64);
    say("ram.producer", tables as u64);
    say("ram.runner", future as u64);
    say("ram.producer_and_runner", (tables + future) as u64);
    STARTED.signal(());
    RUNNER.measure(runner).await;
    qemu_machine::finish(Err("the producer ended by itself"))
}

#[embassy_executor::task]
pub(crate) async fn application(arguments: &'static str) {
    STARTED.wait().await;
    let count = number(arguments, "count", 1_000);
    qemu_machine::finish(all(count, number(arguments, "shift", 0)).await)
}

/// What was counted up to a moment.
#[derive(Copy, Clone)]
struct Moment {
    runner: Count,
    application: Count,
    counters: Counters,
}

impl Moment {
    fn now() -> Self {
        let counters = NODE.counters();
        Self { runner: RUNNER.count(), application: APPLICATION.count(), counters }
    }
}

/// What happened between two moments, less what happened between two earlier ones: start and end
/// of a load cost the same, however long it is.
struct Slope {
    batches: u64,
    wake_ups: u64,
    sent: u64,
    received: u64,
    runner: u64,
    produce: u64,
}

impl Slope {
    fn new(moments: &[Moment; 3]) -> Self {
        let [first, second, third] = moments;
        let of = |value: &dyn Fn(&Moment) -> u64| {
            (value(third) - value(second)).wrapping_sub(value(second) - value(first))
        };
        Self {
            batches: of(&|m| m.counters.batches),
            wake_ups: of(&|m| m.runner.polls.into()),
            sent: of(&|m| m.counters.sent.total()),
            received: of(&|m| m.counters.received.total()),
            runner: of(&|m| m.runner.ticks),
            produce: of(&|m| m.application.ticks),
        }
    }
}

async fn all(count: u32, shift: u32) -> Result<(), &'static str> {
    let topic = NODE.declare_topic("readings", PARTITIONS as u32).map_err(|_| "no topic")?;
    NODE.set_wall_clock(1_700_000_000_000);
    load(topic, WARM_UP).await?;
    let first = Moment::now();
    load(topic, count).await?;
    let second = Moment::now();
    load(topic, 2 * count).await?;
    let slope = Slope::new(&[first, second, Moment::now()]);
    let records = u64::from(count);
    say_ratio("load.records_per_batch", records, slope.batches);
    say_ratio("load.wake_ups_per_batch", slope.wake_ups, slope.batches);
    say_ratio("load.bytes_sent_per_record", slope.sent, records);
    say_ratio("load.bytes_received_per_record", slope.received, records);
    if shift > 0 {
        // An instruction takes 2^shift nanoseconds.
        let tick = 1_000_000_000 / u64::from(board::CLOCK_HZ);
        let instructions = |ticks: u64| (ticks * tick) >> shift;
        say_ratio("load.instructions_per_record_runner", instructions(slope.runner), records);
        say_ratio("load.instructions_per_record_produce", instructions(slope.produce), records);
        let both = slope.runner + slope.produce;
        say_ratio("load.instructions_per_record", instructions(both), records);
    }
    let before = Moment::now();
    for _ in 0..PACED {
        load_without_flush(topic, 1).await?;
        Timer::after_millis(100).await;
    }
    let after = Moment::now();
    let batches = after.counters.batches - before.counters.batches;
    say_ratio("paced.records_per_batch", PACED.into(), batches);
    say_ratio(
        "paced.wake_ups_per_batch",
        (after.runner.polls - before.runner.polls).into(),
        batches,
    );
    // A timer that is not needed any more still wakes its task once, so there are two minutes.
    for key in ["idle.wake_ups_in_minute_1", "idle.wake_ups_in_minute_2"] {
        let before = Moment::now();
        Timer::after_secs(60).await;
        let after = Moment::now();
        say(key, (after.runner.polls - before.runner.polls).into());
        if after.counters.sent.total() != before.counters.sent.total() {
            return Err("bytes were sent at rest");
        }
    }
    let after = Moment::now();
    say("stack.runner", after.runner.stack.into());
    say("stack.runner_and_executor", after.runner.stack_in_all.into());
    say("stack.application", after.application.stack.into());
    let expected = u64::from(WARM_UP + 3 * count + PACED);
    if after.counters.written == expected { Ok(()) } else { Err("not all is written") }
}

async fn load(topic: Topic, count: u32) -> Result<(), &'static str> {
    load_without_flush(topic, count).await?;
    NODE.flush().await.map_err(|_| "no place to wait")
}

/// Records with a value of 64 bytes, as fast as there is room.
async fn load_without_flush(topic: Topic, count: u32) -> Result<(), &'static str> {
    let produce = async {
        for number in 0..count {
            let value = [number as u8; 64];
            NODE.produce(topic, &Record::new(&value)).await.map_err(|_| "a record was refused")?;
        }
        Ok(())
    };
    APPLICATION.measure(produce).await
}
