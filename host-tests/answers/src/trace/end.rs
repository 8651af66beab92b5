//! How a trace ends: the trouble is over, the producer has to be as good as new, and is closed.

use core::hash::Hash;

use ottla::config::WhenFull;
use ottla::{Duration, Instant};

use super::sample::Sample;
use super::world::World;
use super::{PARTITIONS, Rule, Shape};
use crate::Faults;

/// Without trouble records are written within this, whatever was before: back-offs and
/// throttling are shorter.
const HEALED: Duration = Duration::from_secs(15);

/// Where a trace stands.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// Steps are drawn.
    Trouble,
    /// No more trouble; until everything has its outcome.
    Heal,
    /// New records, which must be written by this instant.
    Healed(Instant),
    /// As many records as there are blocks, which must be written by this instant.
    Full(Instant),
    /// Trouble comes again; so many steps until the producer is closed.
    Again(u32),
    /// Closing, until this instant.
    Closing(Instant),
}

impl<O: Shape> World<O> {
    /// A step after the trouble. False: it was the last one.
    pub(super) fn end(&mut self) -> bool {
        match self.stage {
            Stage::Trouble => {
                self.heal();
                self.stage = Stage::Heal;
            }
            Stage::Heal => {
                self.go_on();
                if self.ledger.all_resolved() {
                    for partition in 0..PARTITIONS as i32 {
                        self.offer_for(partition);
                    }
                    self.stage = Stage::Healed(self.now.after(HEALED));
                }
            }
            Stage::Healed(by) => {
                if self.is_written(by) {
                    let mut count = 0;
                    while count < O::BLOCKS && self.offer_for(0) {
                        count += 1;
                    }
                    let refuses = self.producer.config().when_full == WhenFull::Refuse;
                    if count < O::BLOCKS || refuses && self.offer_for(0) {
                        self.ledger.blame(Rule::Memory, 0, count);
                    }
                    self.stage = Stage::Full(self.now.after(HEALED));
                }
            }
            Stage::Full(by) => {
                if self.is_written(by) {
                    self.calm = false;
                    self.stage = Stage::Again(self.random.below(40));
                }
            }
            Stage::Again(0) => {
                let spans = [0, 1_000, 1_000_000, 40_000_000];
                let span = Duration::from_micros(self.random.pick(&spans));
                let deadline = self.now.after(span);
                self.producer.close(self.now, deadline);
                self.stage = Stage::Closing(deadline);
            }
            Stage::Again(left) => {
                self.trouble();
                self.stage = Stage::Again(left - 1);
            }
            Stage::Closing(deadline) => return self.finish(deadline),
        }
        true
    }

    fn offer_for(&mut self, partition: i32) -> bool {
        let sample = Sample::large(self.seed, self.samples, O::BLOCK_SIZE, partition);
        self.offer(&sample)
    }

    /// Ends all trouble. Connections are made anew, since some never answer.
    fn heal(&mut self) {
        self.calm = true;
        self.producer.resume(self.now);
        self.broker.set_faults(Faults::none());
        self.orphan.due = self.orphan.due.map(|_| self.now);
        self.bring_up();
        for wire in &mut self.wires {
            wire.connection.close();
            if wire.link.is_some() && !wire.connected {
                wire.due = Some(self.now);
            }
        }
    }

    fn go_on(&mut self) {
        self.settle();
        if !self.ledger.all_resolved() {
            self.pass_to_next();
        }
    }

    /// Goes on, and tells whether all records have their outcome; they must be written.
    fn is_written(&mut self, by: Instant) -> bool {
        let before = self.producer.counters();
        self.go_on();
        let after = self.producer.counters();
        if (before.unknown, before.not_written) != (after.unknown, after.not_written)
            || self.now > by
        {
            self.ledger.blame(Rule::NotHealed, -1, 0);
        }
        self.ledger.all_resolved()
    }

    fn finish(&mut self, deadline: Instant) -> bool {
        if !self.producer.is_closed() && self.now < deadline {
            self.trouble();
            self.now = self.now.after(Duration::from_millis(1));
            return true;
        }
        self.calm = true;
        self.settle();
        let counters = self.producer.counters();
        counters.hash(&mut self.fnv);
        for partition in self.broker.partitions() {
            (partition.next_offset(), partition.hash()).hash(&mut self.fnv);
        }
        let idle = self.producer.poll_timeout().is_none() && self.producer.poll_link().is_none();
        if !(self.closed && self.producer.is_closed() && self.ledger.all_resolved() && idle) {
            self.ledger.blame(Rule::NotClosed, -1, 0);
        }
        let told = counters.written + counters.not_written + counters.unknown;
        if told != u64::from(self.ledger.totals().0) {
            self.ledger.blame(Rule::Counters, -1, 0);
        }
        false
    }
}
