//! I1 to I4: what logs hold, against what applications were told.

use std::collections::{BTreeMap, BTreeSet};

use ottla::Acks;

use super::Counted;
use crate::ledger::{Fate, Ledger};

/// The committed log of a partition of a topic, as long as the topic had one id.
#[derive(Clone, Default, Debug)]
pub(crate) struct LogCopy {
    pub(crate) topic: u32,
    pub(crate) partition: i32,
    /// Offsets and numbers of records.
    pub(crate) records: Vec<(i64, u32)>,
}

/// What a fault that suspends I1 or I2 has hit.
#[derive(Clone, Default, Debug)]
pub(crate) struct Touched {
    /// Topics and their partitions.
    pub(crate) partitions: BTreeSet<(u32, i32)>,
    pub(crate) processes: BTreeSet<u32>,
}

/// I1: with `acks=all`, written is in a log, and where it was said to be.
pub(crate) fn written(ledger: &Ledger, logs: &[LogCopy]) -> Counted {
    let mut looked = 0;
    let mut places = BTreeSet::new();
    let mut present = BTreeSet::new();
    for log in logs {
        for (offset, id) in &log.records {
            places.insert((*id, *offset));
            present.insert(*id);
        }
    }
    for (id, entry) in (0..).zip(&ledger.entries) {
        if ledger.processes[entry.producer as usize].acks != Acks::All {
            continue;
        }
        let Fate::Written(told) = entry.fate else { continue };
        looked += 1;
        let (topic, partition) = (entry.topic, entry.partition);
        match told {
            _ if !present.contains(&id) => {
                return Err(format!("{id} is written by {told:?}, not in {topic}/{partition}"));
            }
            Some(offset) if !places.contains(&(id, offset)) => {
                return Err(format!("{id} is not at {offset} of {topic}/{partition}"));
            }
            _ => {}
        }
    }
    Ok(looked)
}

/// I2: nothing is in a log twice, but for what was sent again by the switch of R8.
pub(crate) fn once(ledger: &Ledger, logs: &[LogCopy]) -> Counted {
    let mut looked = 0;
    for LogCopy { topic, partition, records } in logs {
        let mut seen = BTreeMap::new();
        let claimed = |id| is_idempotent(ledger, id) && !ledger.resent.contains(&id);
        for (offset, id) in records.iter().filter(|(_, id)| claimed(*id)) {
            looked += 1;
            if let Some(first) = seen.insert(*id, *offset) {
                return Err(format!("{id} is at {first} and {offset} of {topic}/{partition}"));
            }
        }
    }
    Ok(looked)
}

/// I21: what is said to be written, by a producer whose writing is exactly once, is in the log
/// exactly once, wherever nothing has hit that suspends this: also in runs in which it hit elsewhere.
pub(crate) fn exactly_once(ledger: &Ledger, logs: &[LogCopy], touched: &Touched) -> Counted {
    let mut looked = 0;
    let mut times = vec![0_u32; ledger.entries.len()];
    for id in logs.iter().flat_map(|log| &log.records).map(|(_, id)| *id as usize) {
        times.get_mut(id).into_iter().for_each(|times| *times += 1);
    }
    for ((id, entry), times) in (0..).zip(&ledger.entries).zip(times) {
        let process = &ledger.processes[entry.producer as usize];
        let claims = process.acks == Acks::All
            && process.idempotent
            && matches!(entry.fate, Fate::Written(_))
            && !ledger.resent.contains(&id)
            && !touched.processes.contains(&entry.producer)
            && !touched.partitions.contains(&(entry.topic, entry.partition));
        looked += u64::from(claims);
        if claims && times != 1 {
            let (topic, partition) = (entry.topic, entry.partition);
            return Err(format!("{id} is written, and {times} times in {topic}/{partition}"));
        }
    }
    Ok(looked)
}

/// I3: records of a producer are in the order in which they were accepted. One that is there twice
/// is I2's affair: its first place counts.
pub(crate) fn order(ledger: &Ledger, logs: &[LogCopy]) -> Counted {
    let mut looked = 0;
    for LogCopy { topic, partition, records } in logs {
        let mut next: BTreeMap<u32, u32> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for (offset, id) in records.iter().filter(|(_, id)| is_idempotent(ledger, *id)) {
            let Some(entry) = ledger.entries.get(*id as usize) else { continue };
            if !seen.insert(*id) {
                continue;
            }
            looked += 1;
            let next = next.entry(entry.producer).or_default();
            if entry.place < *next {
                let place = entry.place;
                return Err(format!("{id}, the {place}th, is at {offset} of {topic}/{partition}"));
            }
            *next = entry.place + 1;
        }
    }
    Ok(looked)
}

/// I4: what was not written is in no log, nor what nobody sent, nor in a place where it was not
/// sent to.
pub(crate) fn never(ledger: &Ledger, logs: &[LogCopy]) -> Counted {
    let mut looked = 0;
    for LogCopy { topic, partition, records } in logs {
        for (offset, id) in records {
            looked += 1;
            let Some(entry) = ledger.entries.get(*id as usize) else {
                return Err(format!("nobody sent {id}, at {offset} of {topic}/{partition}"));
            };
            if (entry.topic, entry.partition) != (*topic, *partition) {
                return Err(format!("{id} was not sent to {topic}/{partition}"));
            }
            if matches!(entry.fate, Fate::NotWritten | Fate::Dropped) {
                return Err(format!("{id} is not written, and at {offset} of {topic}/{partition}"));
            }
        }
    }
    Ok(looked)
}

fn is_idempotent(ledger: &Ledger, id: u32) -> bool {
    let process = ledger.entries.get(id as usize).map(|entry| entry.producer as usize);
    process.and_then(|at| ledger.processes.get(at)).is_some_and(|process| process.idempotent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla::Config;

    use crate::ledger::Entry;
    use crate::sample::Style;

    const W: fn(i64) -> Fate = |offset| Fate::Written(Some(offset));

    fn world(fates: &[Fate], log: &[(i64, u32)]) -> (Ledger, Vec<LogCopy>) {
        let mut ledger = Ledger::default();
        ledger.begin(&Config::new(), Style::default());
        for (place, fate) in (0..).zip(fates) {
            let fate = *fate;
            let (producer, topic, partition) = (0, 0, 0);
            ledger.entries.push(Entry {
                producer,
                topic,
                partition,
                place,
                at: 0,
                length: 0,
                batch: 0,
                fate,
                told: 0,
            });
        }
        (ledger, vec![LogCopy { topic: 0, partition: 0, records: log.to_vec() }])
    }

    /// Which of the four complain.
    fn broken(fates: &[Fate], log: &[(i64, u32)]) -> Vec<u8> {
        let (ledger, logs) = world(fates, log);
        let checks = [written, once, order, never];
        let results = checks.iter().map(|check| check(&ledger, &logs));
        (1..).zip(results).filter(|(_, result)| result.is_err()).map(|(number, _)| number).collect()
    }

    #[test]
    fn kept_promises_are_no_complaints() {
        use Fate::{NotWritten, Orphan, Unknown};
        assert_eq!(broken(&[W(0), NotWritten, W(1)], &[(0, 0), (1, 2)]), []);
        assert_eq!(broken(&[W(0), Unknown, W(2)], &[(0, 0), (1, 1), (2, 2)]), []);
        assert_eq!(broken(&[W(0), Unknown, Orphan], &[(0, 0)]), []);
        assert_eq!(broken(&[Fate::Written(None), W(1)], &[(0, 0), (1, 1)]), []);
    }

    #[test]
    fn every_lie_is_found_by_its_checker() {
        use Fate::{NotWritten, Unknown};
        // Lost, or somewhere else than told.
        assert_eq!(broken(&[W(0), W(1)], &[(0, 0)]), [1]);
        assert_eq!(broken(&[Fate::Written(None)], &[]), [1]);
        assert_eq!(broken(&[W(0), W(1)], &[(0, 0), (2, 1)]), [1]);
        // Twice.
        assert_eq!(broken(&[W(0), W(1)], &[(0, 0), (1, 1), (2, 0)]), [2]);
        // Out of order, also one of which nothing is known.
        assert_eq!(broken(&[Fate::Written(None); 2], &[(0, 1), (1, 0)]), [3]);
        assert_eq!(broken(&[Unknown, W(0)], &[(0, 1), (1, 0)]), [3]);
        // Said not to be there, sent by nobody, or sent elsewhere.
        assert_eq!(broken(&[NotWritten], &[(0, 0)]), [4]);
        assert_eq!(broken(&[], &[(0, 7)]), [4]);
        let (ledger, mut logs) = world(&[Unknown], &[(0, 0)]);
        logs[0].partition = 1;
        assert!(never(&ledger, &logs).is_err());
    }

    #[test]
    fn what_is_claimed_is_exactly_once_where_nothing_hit() {
        let log = [(0, 0), (1, 1), (2, 0)];
        let (mut ledger, logs) = world(&[W(0), W(1), W(3)], &log);
        let none = Touched::default();
        assert!(exactly_once(&ledger, &logs, &none).is_err_and(|what| what.contains("2 times")));
        let hit = Touched { partitions: BTreeSet::from([(0, 0)]), ..Touched::default() };
        assert_eq!(exactly_once(&ledger, &logs, &hit), Ok(0));
        let hit = Touched { processes: BTreeSet::from([0]), ..Touched::default() };
        assert_eq!(exactly_once(&ledger, &logs, &hit), Ok(0));
        // By the switch of R8: only what was sent again.
        ledger.resent.insert(0);
        assert_eq!(once(&ledger, &logs), Ok(1));
        assert!(exactly_once(&ledger, &logs, &none).is_err_and(|what| what.contains("0 times")));
        ledger.entries[2].fate = Fate::Unknown;
        assert_eq!(exactly_once(&ledger, &logs, &none), Ok(1));
    }

    #[test]
    fn producers_without_sequences_may_repeat_themselves() {
        let (mut ledger, logs) = world(&[W(0), W(1)], &[(0, 0), (1, 1), (2, 0)]);
        ledger.processes[0].idempotent = false;
        assert_eq!(once(&ledger, &logs), Ok(0));
        ledger.processes[0].acks = Acks::Leader;
        assert_eq!(written(&ledger, &[]), Ok(0));
    }
}
