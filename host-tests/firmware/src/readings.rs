//! What a broker's log holds of an image's readings, and what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};

use anyhow::{Context as _, Result, anyhow};
use kafka_tests::Kafka;
use ottla_broker::{Server, UpTo};

/// A record of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The partition it is in.
    pub partition: i32,
    /// The key; empty if there is none.
    pub key: Vec<u8>,
    /// The value; empty if there is none.
    pub value: Vec<u8>,
    /// Names and values of the headers.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// Text that is a number.
fn number(text: &[u8]) -> Option<u32> {
    str::from_utf8(text).ok()?.parse().ok()
}

impl Reading {
    /// The number in the header `number`, which the sensor node gives its readings.
    pub fn number(&self) -> Result<u32> {
        let header = self.headers.iter().find(|(name, _)| name == "number");
        let (_, value) = header.with_context(|| format!("a reading without number: {self:?}"))?;
        number(value).with_context(|| format!("a number that is none: {self:?}"))
    }

    /// The number that is the value, as in the tests' scenarios.
    pub fn value_number(&self) -> Result<u32> {
        number(&self.value).with_context(|| format!("a value that is no number: {self:?}"))
    }
}

/// All records of a topic, by Kafka's own consumer; each partition's in order.
pub fn of_kafka(kafka: &Kafka, topic: &str) -> Result<Vec<Reading>> {
    let records = kafka.read_back(topic)?.map(|record| {
        let record = record?;
        let headers = record.headers.into_iter();
        Ok(Reading {
            partition: record.partition,
            key: record.key.unwrap_or_default(),
            value: record.value.unwrap_or_default(),
            headers: headers.map(|h| (h.key, h.value.unwrap_or_default())).collect(),
        })
    });
    records.collect()
}

/// All records of a topic of the development broker; each partition's in order.
pub fn of_server(server: &Server, topic: &str) -> Result<Vec<Reading>> {
    server.with(|cluster, _| {
        let records = cluster.records(topic, UpTo::LogEnd).map(|entry| {
            let entry = entry.map_err(|fault| anyhow!("a batch that cannot be read: {fault}"))?;
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let headers = entry.record.headers();
            Ok(Reading {
                partition: entry.partition,
                key: entry.record.key.unwrap_or_default().to_vec(),
                value: entry.record.value.unwrap_or_default().to_vec(),
                headers: headers
                    .map(|(name, value)| (text(name), value.unwrap_or_default().to_vec()))
                    .collect(),
            })
        });
        records.collect()
    })
}

/// What one partition holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Partition {
    readings: u32,
    doubled: u32,
    /// Those that stand behind one with a higher number.
    out_of_order: u32,
    highest: Option<u32>,
}

/// Numbered readings, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    partitions: BTreeMap<i32, Partition>,
    seen: BTreeSet<u32>,
    expected: u32,
}

impl Audit {
    /// Of readings with the numbers from 0 to below `expected`, each partition's in order.
    pub fn new(expected: u32) -> Audit {
        Audit { expected, ..Audit::default() }
    }

    /// Takes the next reading of a partition.
    pub fn see(&mut self, partition: i32, number: u32) {
        let partition = self.partitions.entry(partition).or_default();
        partition.readings += 1;
        if !self.seen.insert(number) {
            partition.doubled += 1;
        } else if partition.highest.is_some_and(|highest| number < highest) {
            partition.out_of_order += 1;
        }
        partition.highest = partition.highest.max(Some(number));
    }

    /// The numbers that are missing.
    pub fn lost(&self) -> Vec<u32> {
        (0..self.expected).filter(|number| !self.seen.contains(number)).collect()
    }

    fn total(&self) -> Partition {
        let sum = |of: fn(&Partition) -> u32| self.partitions.values().map(of).sum();
        Partition {
            readings: sum(|partition| partition.readings),
            doubled: sum(|partition| partition.doubled),
            out_of_order: sum(|partition| partition.out_of_order),
            highest: None,
        }
    }

    /// Whether every reading is there, once, and in order.
    pub fn is_clean(&self) -> bool {
        let total = self.total();
        self.lost().is_empty() && total.doubled == 0 && total.out_of_order == 0
    }

    /// Whether those that are there are there once, and in order.
    pub fn is_clean_but_for_gaps(&self) -> bool {
        let total = self.total();
        total.doubled == 0 && total.out_of_order == 0
    }

    /// How many are there.
    pub fn readings(&self) -> u32 {
        self.total().readings
    }

    /// How many partitions hold some.
    pub fn partitions(&self) -> usize {
        self.partitions.len()
    }
}

impl Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "partition  readings  doubled  out of order")?;
        for (number, partition) in &self.partitions {
            let Partition { readings, doubled, out_of_order, .. } = partition;
            writeln!(f, "{number:>9}  {readings:>8}  {doubled:>7}  {out_of_order:>12}")?;
        }
        let (total, lost) = (self.total(), self.lost().len());
        write!(
            f,
            "{} of {} readings in {} partitions: {lost} lost, {} doubled, {} out of order",
            self.seen.len(),
            self.expected,
            self.partitions.len(),
            total.doubled,
            total.out_of_order
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audit(readings: &[(i32, u32)]) -> Audit {
        let mut audit = Audit::new(4);
        readings.iter().for_each(|(partition, number)| audit.see(*partition, *number));
        audit
    }

    #[test]
    fn a_clean_log_is_clean() {
        let clean = audit(&[(0, 0), (0, 2), (1, 1), (1, 3)]);
        assert!(clean.is_clean());
        let text = clean.to_string();
        assert!(
            text.ends_with("4 of 4 readings in 2 partitions: 0 lost, 0 doubled, 0 out of order")
        );
    }

    #[test]
    fn what_is_wrong_is_counted() {
        let wrong = audit(&[(0, 2), (0, 0), (1, 1), (1, 1)]);
        assert!(!wrong.is_clean_but_for_gaps());
        assert_eq!(wrong.lost(), [3]);
        let text = wrong.to_string();
        assert!(text.ends_with("1 lost, 1 doubled, 1 out of order"), "{text}");
        assert!(audit(&[(0, 0), (0, 3)]).is_clean_but_for_gaps());
    }

    #[test]
    fn a_reading_doubled_in_another_partition_is_found() {
        assert!(!audit(&[(0, 0), (1, 0)]).is_clean_but_for_gaps());
    }
}
