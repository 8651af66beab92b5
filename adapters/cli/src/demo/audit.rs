//! The brokers' log against what the producer said.

use anyhow::{Context, anyhow};
use ottla_broker::{Cluster, LogRecord, UpTo};

use super::sender::{self, Verdict};

/// What came out.
#[derive(Copy, Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Audit {
    /// Records that were accepted.
    pub(super) sent: u64,
    /// Records that the producer said are written.
    pub(super) written: u64,
    /// Records of which it said that it cannot know.
    pub(super) unknown: u64,
    /// Unknown records that are in the log.
    pub(super) unknown_in_log: u64,
    /// Records that it said are not written.
    pub(super) not_written: u64,
    /// Records of which it said nothing.
    pub(super) untold: u64,
    /// Records in the committed log.
    pub(super) in_log: u64,
    /// Said to be written, and not in the log.
    pub(super) lost: u64,
    /// In the log once more than once.
    pub(super) duplicated: u64,
    /// Written ones that stand behind one that was sent later, in the same partition.
    pub(super) out_of_order: u64,
    /// Said not to be written, and in the log.
    pub(super) denied: u64,
    /// In the log, and not as they were sent.
    pub(super) altered: u64,
}

impl Audit {
    /// Reads the log.
    pub(super) fn of(cluster: &Cluster, topic: &str, verdicts: &[Verdict]) -> anyhow::Result<Self> {
        let records = cluster.records(topic, UpTo::HighWatermark);
        let mut audit = Auditor::new(verdicts);
        for record in records {
            audit.see(&record.map_err(|fault| anyhow!(fault)).context("the log cannot be read")?);
        }
        Ok(audit.end())
    }
}

struct Auditor<'a> {
    verdicts: &'a [Verdict],
    /// How often each record was seen.
    seen: Vec<u8>,
    partition: i32,
    /// The latest written record of the partition.
    latest: Option<u32>,
    audit: Audit,
}

impl<'a> Auditor<'a> {
    fn new(verdicts: &'a [Verdict]) -> Self {
        let seen = vec![0; verdicts.len()];
        Self { verdicts, seen, partition: -1, latest: None, audit: Audit::default() }
    }

    /// Takes the next record of the log; partitions come one after another.
    fn see(&mut self, entry: &LogRecord<'_>) {
        if entry.partition != self.partition {
            self.partition = entry.partition;
            self.latest = None;
        }
        self.audit.in_log += 1;
        let value = entry.record.value.unwrap_or_default();
        let key = entry.record.key.unwrap_or_default();
        let as_sent =
            |n: &u32| value == sender::value(*n).as_bytes() && key == sender::key(*n).as_bytes();
        let number = sender::number(value).filter(as_sent);
        let found = number.and_then(|n| {
            let verdict = self.verdicts.get(n as usize)?;
            Some((n, *verdict, self.seen.get_mut(n as usize)?))
        });
        let Some((number, verdict, seen)) = found else {
            self.audit.altered += 1;
            return;
        };
        if *seen > 0 {
            self.audit.duplicated += 1;
        }
        *seen = seen.saturating_add(1);
        if verdict == Verdict::Written {
            if self.latest.is_some_and(|latest| number < latest) {
                self.audit.out_of_order += 1;
            }
            self.latest = self.latest.max(Some(number));
        }
    }

    fn end(self) -> Audit {
        let mut audit = self.audit;
        audit.sent = self.verdicts.len() as u64;
        for (verdict, seen) in self.verdicts.iter().zip(self.seen) {
            let in_log = u64::from(seen > 0);
            match verdict {
                Verdict::Missing => audit.untold += 1,
                Verdict::Written => {
                    audit.written += 1;
                    audit.lost += 1 - in_log;
                }
                Verdict::NotWritten => {
                    audit.not_written += 1;
                    audit.denied += in_log;
                }
                Verdict::Unknown => {
                    audit.unknown += 1;
                    audit.unknown_in_log += in_log;
                }
            }
        }
        audit
    }
}
