//! What tests of images have in common.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use ottla_broker::{Address, Cluster, Config, NewTopic, Server};

use crate::image::{self, Image};
use crate::machine::{End, HOST};
use crate::readings::{Audit, Reading};

/// Numbered readings, as the scenarios of the package `sensor-node` send them.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The topic.
    pub topic: &'a str,
    /// How many readings.
    pub count: u32,
    /// Over how many partitions, in turn.
    pub partitions: u32,
    /// Distance of these partitions.
    pub step: u32,
}

impl<'a> Plan<'a> {
    /// Readings over the first four partitions of a topic.
    pub fn new(topic: &'a str, count: u32) -> Plan<'a> {
        Plan { topic, count, partitions: 4, step: 1 }
    }

    /// Arguments for an image that begins with the broker at a port of this machine, with more
    /// arguments of the caller's.
    pub fn arguments(&self, broker: SocketAddr, more: &str) -> Result<String> {
        let Plan { topic, count, partitions, step } = self;
        let (port, now) = (broker.port(), SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs());
        Ok(format!(
            "broker={HOST}:{port} topic={topic} count={count} partitions={partitions} \
             step={step} time={now} {more}"
        ))
    }

    /// Looks at every reading of a log: its key, its header, its partition.
    pub fn audit(&self, readings: &[Reading]) -> Result<Audit> {
        let mut audit = Audit::new(self.count);
        for reading in readings {
            let number = reading.value_number()?;
            let partition = number % self.partitions * self.step;
            ensure!(reading.partition == partition.cast_signed(), "a wrong partition: {reading:?}");
            ensure!(reading.key == partition.to_string().as_bytes(), "a wrong key: {reading:?}");
            let headers = [("unit".to_owned(), b"mC".to_vec())];
            ensure!(reading.headers == headers, "wrong headers: {reading:?}");
            audit.see(reading.partition, number);
        }
        println!("{audit}");
        Ok(audit)
    }

    /// As [`Plan::audit`]; a reading that is lost, doubled, or out of order is an error.
    pub fn expect_all(&self, readings: &[Reading]) -> Result<()> {
        let audit = self.audit(readings)?;
        ensure!(audit.is_clean(), "topic {}: {audit}; lost: {:?}", self.topic, audit.lost());
        Ok(())
    }
}

/// The boards that QEMU runs, by their folders, and their images.
pub fn images() -> Result<Vec<(String, Image)>> {
    let boards = board_matrix::all(image::root())?;
    let boards = boards.iter().filter(|board| board.qemu.is_some());
    boards.map(|board| Ok((board.folder.clone(), Image::of(&board.folder)?))).collect()
}

/// Prints how a run ended. An end other than a good one is an error, and so are more wake-ups of
/// the executor than `turns`: an image that waits has to sleep.
pub fn expect_success(board: &str, end: &End, turns: u64) -> Result<()> {
    println!("{board}: {:.1} s; {}", end.took.as_secs_f64(), end.said.trim().replace('\n', "; "));
    let last = end.log[end.log.len().saturating_sub(20)..].join("\n");
    ensure!(end.code == Some(0), "{board}: code {:?}, {}\n{last}", end.code, end.said);
    let woken = number_before(&end.said, " turns").context("it did not say how often it woke")?;
    ensure!(woken <= turns, "{board}: woke {woken} times, more than {turns}: who keeps it awake?");
    Ok(())
}

fn number_before(text: &str, word: &str) -> Option<u64> {
    let (before, _) = text.split_once(word)?;
    before.rsplit(' ').next()?.parse().ok()
}

/// The number behind a word in the last line of a log that has it.
pub fn number_in(log: &[String], word: &str) -> Result<u64> {
    let found = log.iter().rev().find_map(|line| {
        let (_, rest) = line.split_once(word)?;
        let digits: String =
            rest.trim_start_matches([' ', ':']).chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    });
    found.with_context(|| format!("no number behind `{word}` in the log"))
}

/// A development broker of one node, at an address or on a free port, with one topic.
pub fn server(topic: &str, address: Option<SocketAddr>) -> Result<Server> {
    let mut cluster = Cluster::new(Config::new(1));
    let made = cluster.create_topic(&NewTopic::new(topic, 4, 1));
    ensure!(made.is_ok(), "topic {topic} cannot be made: {made:?}");
    let addresses: Vec<SocketAddr> = address.into_iter().collect();
    Server::start(cluster, &addresses).context("the development broker does not start")
}

/// Where the first node of a development broker listens.
pub fn address_of(server: &Server) -> Result<SocketAddr> {
    server.addresses().first().copied().context("a broker without address")
}

/// Lets node 1 of a development broker say that it is reached somewhere else: at a proxy.
pub fn advertise(server: &Server, at: SocketAddr) -> Result<()> {
    let at = Address { host: at.ip().to_string(), port: at.port() };
    let set = server.with(|cluster, _| cluster.set_address(1, 0, at));
    ensure!(set.is_ok(), "node 1 cannot advertise another address: {set:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_the_last_line_that_has_them() {
        let log = ["accepted 3 of 4".to_owned(), "accepted 5 of 6; written: 7,".to_owned()];
        assert_eq!(number_in(&log, "accepted").unwrap(), 5);
        assert_eq!(number_in(&log, "written").unwrap(), 7);
        assert!(number_in(&log, "lost").is_err());
        assert_eq!(number_before("stack 1 of 2 bytes, 34 turns, 5 ms", " turns"), Some(34));
    }
}
