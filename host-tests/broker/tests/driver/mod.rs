//! A blocking run loop: the smallest thing that makes the core's producer work on sockets, and
//! what became of every record.

use std::collections::{BTreeMap, HashMap};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time;

use anyhow::{Result, bail, ensure};
use ottla::memory::Growable;
use ottla::{
    Config, Delivery, Duration, Event, Instant, Link, LinkAction, Outcome, Producer, Reason,
    Record, Topic,
};
use ottla_broker::{Server, UpTo};

/// Settings without long pauses, and a batch for each record.
pub(crate) fn config() -> Config {
    Config {
        linger: Duration::ZERO,
        batch_size: 0,
        request_timeout: Duration::from_millis(500),
        delivery_timeout: Duration::from_secs(20),
        retry_backoff: Duration::from_millis(10),
        retry_backoff_max: Duration::from_millis(50),
        reconnect_backoff: Duration::from_millis(10),
        reconnect_backoff_max: Duration::from_millis(50),
        ..Config::new()
    }
}

pub(crate) struct Driver<'s> {
    pub(crate) producer: Producer<Growable>,
    server: &'s Server,
    started: time::Instant,
    sockets: HashMap<Link, TcpStream>,
    /// Records that have no outcome yet.
    pub(crate) pending: u64,
    /// Outcome of each record, with its offset if it has one, by partition and number.
    pub(crate) outcomes: BTreeMap<(i32, u64), Outcome>,
}

impl<'s> Driver<'s> {
    pub(crate) fn new(server: &'s Server, config: Config) -> Self {
        let mut producer = Producer::new(Growable::new(32 << 20), config, 1);
        for address in server.addresses() {
            assert!(producer.bootstrap(&address.ip().to_string(), address.port()));
        }
        // Brokers expire producers by the timestamps of their records: without any, at the next
        // check or restart.
        let of_day = time::SystemTime::now().duration_since(time::UNIX_EPOCH).unwrap_or_default();
        producer.set_wall_clock(Instant::ZERO, of_day.as_millis() as u64);
        Self {
            producer,
            server,
            started: time::Instant::now(),
            sockets: HashMap::new(),
            pending: 0,
            outcomes: BTreeMap::new(),
        }
    }

    fn now(&self) -> Instant {
        Instant::from_micros(self.started.elapsed().as_micros() as u64)
    }

    /// Accepts a record whose value names its partition and number.
    pub(crate) fn produce(&mut self, topic: Topic, partition: i32, number: u64) -> Result<()> {
        let value = format!("{partition}/{number}");
        let record = Record::new(value.as_bytes()).partition(partition);
        let accepted = self.producer.produce(self.now(), topic, &record)?;
        ensure!(accepted.number == number, "it is number {}", accepted.number);
        self.pending += 1;
        Ok(())
    }

    /// One turn: links, output, input, time, events. Waits a millisecond if a link is silent.
    pub(crate) fn turn(&mut self) -> Result<()> {
        self.connect()?;
        let mut ended = Vec::new();
        for (link, socket) in &mut self.sockets {
            let now = Instant::from_micros(self.started.elapsed().as_micros() as u64);
            let mut is_over = false;
            while let Some(piece) = self.producer.output(*link) {
                let length = piece.bytes.len();
                is_over |= socket.write_all(piece.bytes).is_err();
                self.producer.consume_output(now, *link, length);
            }
            let mut buffer = [0; 4096];
            match socket.read(&mut buffer) {
                Ok(0) => is_over = true,
                Ok(length) => self.producer.handle_input(now, *link, &buffer[..length]),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => is_over = true,
            }
            if is_over {
                ended.push(*link);
            }
        }
        let now = self.now();
        for link in ended {
            self.sockets.remove(&link);
            self.producer.handle_disconnected(now, link, Reason::Disconnected);
        }
        if self.producer.poll_timeout().is_some_and(|at| at <= now) {
            self.producer.handle_timeout(now);
        }
        while let Some(event) = self.producer.poll_event() {
            match event {
                Event::Delivered(delivery) => self.note(&delivery)?,
                Event::Fatal(code) => bail!("{code}"),
                _ => {}
            }
        }
        Ok(())
    }

    fn connect(&mut self) -> Result<()> {
        let now = self.now();
        while let Some(action) = self.producer.poll_link() {
            match action {
                LinkAction::Connect(link, address) => {
                    match TcpStream::connect((address.host, address.port)) {
                        Ok(socket) => {
                            socket.set_nodelay(true)?;
                            socket.set_read_timeout(Some(time::Duration::from_millis(1)))?;
                            self.sockets.insert(link, socket);
                            self.producer.handle_connected(now, link);
                        }
                        Err(_) => self.producer.handle_disconnected(now, link, Reason::Refused),
                    }
                }
                LinkAction::Close(link, _) => drop(self.sockets.remove(&link)),
            }
        }
        Ok(())
    }

    fn note(&mut self, delivery: &Delivery) -> Result<()> {
        for place in 0..u64::from(delivery.count) {
            let mut outcome = delivery.outcome;
            if let Outcome::Written { base_offset: offset @ 0.., .. } = &mut outcome {
                *offset += place as i64;
            }
            let key = (delivery.partition, delivery.first + place);
            ensure!(self.outcomes.insert(key, outcome).is_none(), "two outcomes of {key:?}");
            self.pending -= 1;
        }
        Ok(())
    }

    /// Turns until `done`, at most half a minute.
    pub(crate) fn until(&mut self, mut done: impl FnMut(&mut Self) -> bool) -> Result<()> {
        let began = time::Instant::now();
        while !done(self) {
            ensure!(began.elapsed() < time::Duration::from_secs(30), "nothing for 30 s");
            self.turn()?;
        }
        Ok(())
    }

    /// Turns until every record has its outcome.
    pub(crate) fn settle(&mut self) -> Result<()> {
        self.until(|driver| driver.pending == 0)
    }

    /// What is committed must be what was told: every record is written, in the order in which it
    /// was accepted, once, and where its outcome says. Returns how many records there are.
    pub(crate) fn check_all_written(&self, topic: &str) -> Result<usize> {
        self.server.with(|cluster, _| {
            let mut next = BTreeMap::new();
            let mut count = 0;
            for record in cluster.records(topic, UpTo::HighWatermark) {
                let record = record?;
                let number = next.entry(record.partition).or_insert(0_u64);
                let value = String::from_utf8_lossy(record.record.value.unwrap_or_default());
                ensure!(
                    value == format!("{}/{number}", record.partition),
                    "{value} is not {number}"
                );
                match self.outcomes.get(&(record.partition, *number)) {
                    Some(Outcome::Written { base_offset, .. }) => {
                        let told = *base_offset;
                        ensure!(told == -1 || told == record.offset, "{value} told {told}");
                    }
                    other => bail!("{value} is in the log, and was told {other:?}"),
                }
                *number += 1;
                count += 1;
            }
            ensure!(count == self.outcomes.len(), "{count} of {} records", self.outcomes.len());
            Ok(count)
        })
    }
}
