//! A cluster, a network, and a producer that is to be tested on them.

use std::cell::{RefCell, RefMut};
use std::future::Future;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_time::{Duration, MockDriver};
use ottla::config::UnknownTime;
use ottla::memory::Fixed;
use ottla_broker::{Cluster, Config, NewTopic, UpTo};
use ottla_embassy::stream::Streams;
use ottla_embassy::{Error, Outcome, Record, Runner, Settings, Topic};

use crate::executor::Tasks;
use crate::net::Net;
use crate::wires::{Direct, Opener};

ottla_embassy::producer! {
    /// One link; three batches of up to 256 bytes.
    pub(crate) Node<CriticalSectionRawMutex> {
        topics: 2, partitions: 4, batches: 4, requests: 4, links: 1, brokers: 3, host: 16,
        names: 64, blocks: 3, block_size: 256, waits: 5,
    }
}

ottla_embassy::producer! {
    /// Two links.
    pub(crate) Twin<CriticalSectionRawMutex> {
        topics: 2, partitions: 4, batches: 8, requests: 8, links: 2, brokers: 3, host: 16,
        names: 64, blocks: 6, block_size: 256, waits: 5,
    }
}

pub(crate) const WAITS: usize = 5;

pub(crate) type NodeRunner<'a> =
    Runner<'a, CriticalSectionRawMutex, Fixed<2, 4, 4, 4, 1, 3, 16, 64, 3, 256>, 1, 16, WAITS>;

/// How a producer reaches the cluster.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum By {
    /// Reads of 1 byte, rooms of 1 to 7.
    Bytes,
    /// Reads and rooms up to 100 bytes.
    Pieces,
    /// `embedded-io-async`, with a stage of 64 bytes.
    Streams,
}

pub(crate) const ALL: [By; 3] = [By::Bytes, By::Pieces, By::Streams];

/// The clock is one for all tests of the process.
static CLOCK: Mutex<()> = Mutex::new(());

pub(crate) struct World {
    net: Rc<RefCell<Net>>,
    _clock: MutexGuard<'static, ()>,
}

impl World {
    /// A cluster of so many nodes, with a topic `t` of two partitions: the first on node 1, the
    /// second on the last one.
    pub(crate) fn new(nodes: u8) -> Self {
        let clock = CLOCK.lock().unwrap_or_else(PoisonError::into_inner);
        MockDriver::get().reset();
        let mut cluster = Cluster::new(Config::new(nodes));
        let last = i32::from(nodes);
        cluster.create_topic(&NewTopic::assigned("t", &[&[1], &[last]])).unwrap();
        Self { net: Rc::new(RefCell::new(Net::new(cluster))), _clock: clock }
    }

    pub(crate) fn net(&self) -> RefMut<'_, Net> {
        self.net.borrow_mut()
    }

    pub(crate) fn tasks<'a>(&self) -> Tasks<'a> {
        Tasks::new(&self.net)
    }

    pub(crate) fn direct(&self, read: usize, write: usize) -> Direct {
        Direct::new(&self.net, read, write)
    }

    /// The future of a runner.
    pub(crate) fn run<'a>(
        &self,
        runner: &'a mut NodeRunner<'_>,
        by: By,
    ) -> std::pin::Pin<Box<dyn Future<Output = ()> + 'a>> {
        match by {
            By::Bytes => Box::pin(runner.run([self.direct(1, 7)])),
            By::Pieces => Box::pin(runner.run([self.direct(100, 100)])),
            By::Streams => {
                let opener = Opener(Rc::clone(&self.net));
                Box::pin(runner.run([Streams::<_, 32, 64>::new(opener)]))
            }
        }
    }

    /// Values in the log of a partition of `t`.
    pub(crate) fn log(&self, partition: i32) -> Vec<String> {
        let net = self.net.borrow();
        let records = net.cluster.records("t", UpTo::HighWatermark);
        let records = records.map(Result::unwrap).filter(|record| record.partition == partition);
        records
            .map(|record| String::from_utf8(record.record.value.unwrap().to_vec()).unwrap())
            .collect()
    }
}

pub(crate) fn node() -> Box<Node> {
    Box::new(Node::new(Fixed::new()))
}

/// Short pauses, so that tests are.
pub(crate) fn settings() -> Settings<'static> {
    let config = ottla::Config {
        linger: ottla::Duration::ZERO,
        unknown_time: UnknownTime::Floor(1_700_000_000_000),
        ..ottla::Config::new()
    };
    Settings {
        config,
        client_id: "",
        bootstrap: &[("node1", 9_092)],
        max_block: Duration::from_secs(60),
        via: None,
        seed: 7,
    }
}

/// A record for a partition.
pub(crate) fn record(value: &str, partition: i32) -> Record<'_> {
    Record::new(value.as_bytes()).partition(partition)
}

pub(crate) const fn is_written(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Written { .. })
}

/// Every place of the table can be taken, and one more cannot; and what is sent is written.
pub(crate) fn all_places_are_free(tasks: &mut Tasks<'_>, node: &Node, topic: Topic) {
    tasks.block_on(10_000, async {
        let mut deliveries = Vec::new();
        for _ in 0..WAITS {
            deliveries.push(node.send(topic, &record("place", 1)).await.unwrap());
        }
        let over = node.send(topic, &record("place", 1)).await;
        assert_eq!(over.map(|_| ()), Err(Error::Waits));
        for delivery in deliveries {
            assert!(is_written(delivery.await));
        }
    });
}
