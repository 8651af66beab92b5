//! The core alone, driven by a bare run loop over blocking sockets, against a real Kafka.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time;

use anyhow::{Result, ensure};
use kafka_tests::Kafka;
use ottla::memory::{Growable, Owner};
use ottla::{Config, Event, Instant, Link, LinkAction, Outcome, Producer, Reason, Record};

/// A blocking driver: the smallest thing that makes the core work.
struct Driver<O> {
    producer: Producer<O>,
    started: time::Instant,
    sockets: HashMap<Link, TcpStream>,
}

impl<O: Owner> Driver<O> {
    fn new(owner: O, config: Config, kafka: &Kafka) -> Self {
        let mut producer = Producer::new(owner, config, 1);
        assert!(producer.bootstrap("127.0.0.1", kafka.address().port()));
        let unix = time::SystemTime::now().duration_since(time::UNIX_EPOCH).expect("after 1970");
        assert!(producer.set_wall_clock(Instant::ZERO, unix.as_millis() as u64));
        Self { producer, started: time::Instant::now(), sockets: HashMap::new() }
    }

    fn now(&self) -> Instant {
        Instant::from_micros(self.started.elapsed().as_micros() as u64)
    }

    /// One turn: links, output, input, time. Waits a millisecond if a link is silent.
    fn turn(&mut self) -> Result<()> {
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
        let mut ended = Vec::new();
        for (link, socket) in &mut self.sockets {
            while let Some(piece) = self.producer.output(*link) {
                let length = piece.bytes.len();
                socket.write_all(piece.bytes)?;
                self.producer.consume_output(now, *link, length);
            }
            let mut buffer = [0; 4096];
            match socket.read(&mut buffer) {
                Ok(0) => ended.push(*link),
                Ok(length) => self.producer.handle_input(now, *link, &buffer[..length]),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => ended.push(*link),
            }
        }
        for link in ended {
            self.sockets.remove(&link);
            self.producer.handle_disconnected(now, link, Reason::Disconnected);
        }
        let now = self.now();
        if self.producer.poll_timeout().is_some_and(|at| at <= now) {
            self.producer.handle_timeout(now);
        }
        Ok(())
    }

    /// Waits for an event, at most half a minute.
    fn event(&mut self) -> Result<Event> {
        let began = time::Instant::now();
        loop {
            if let Some(event) = self.producer.poll_event() {
                return Ok(event);
            }
            ensure!(began.elapsed() < time::Duration::from_secs(30), "no event for 30 s");
            self.turn()?;
        }
    }
}

fn write_and_read_back<O: Owner>(kafka: &Kafka, owner: O, name: &str) -> Result<()> {
    kafka.create_topic(name, 3, &[])?;
    let mut driver = Driver::new(owner, Config::new(), kafka);
    let topic = driver.producer.declare_topic(name, 3)?;
    let mut offsets = HashMap::new();
    for round in 0..5 {
        for partition in 0..3 {
            let value = format!("{round}/{partition}");
            let record = Record::new(value.as_bytes()).partition(partition).key(b"k");
            driver.producer.produce(driver.now(), topic, &record)?;
        }
        let mut left = 3;
        while left > 0 {
            let Event::Delivered(delivery) = driver.event()? else { continue };
            let Outcome::Written { base_offset, .. } = delivery.outcome else {
                anyhow::bail!("{}", delivery.outcome);
            };
            for place in 0..u64::from(delivery.count) {
                let offset = base_offset + place as i64;
                offsets.insert((delivery.partition, delivery.first + place), offset);
            }
            left -= delivery.count;
        }
    }
    let records = kafka.read_back(name)?.collect::<Result<Vec<_>>>()?;
    ensure!(records.len() == 15, "{} records in the log", records.len());
    for record in records {
        let value = String::from_utf8(record.value.unwrap_or_default())?;
        ensure!(value == format!("{}/{}", record.offset, record.partition), "{value}");
        let told = offsets.get(&(record.partition, record.offset as u64));
        ensure!(told == Some(&record.offset), "told {told:?} of {value}");
    }
    Ok(())
}

#[test]
fn growable_memory_writes_to_kafka() -> Result<()> {
    let kafka = Kafka::start()?;
    write_and_read_back(&kafka, Growable::new(32 << 20), "growable")
}

ottla::fixed! {
    /// What a sensor node has.
    Node {
        topics: 1, partitions: 3, batches: 8, requests: 8, links: 2, brokers: 3, host: 64,
        names: 32, blocks: 8, block_size: 1024,
    }
}

#[test]
fn fixed_memory_writes_to_kafka() -> Result<()> {
    let kafka = Kafka::start()?;
    write_and_read_back(&kafka, Node::new(), "fixed")
}
