//! The faults, and what shows that they hit batches on their way.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kafka_tests::{Cluster, Description, NODES};
use ottla_tokio::{Producer, TopicHandle};
use tokio::runtime::Runtime;

use crate::judge::{self, Held};
use crate::ledger::{self, Count};
use crate::sender::{Pace, Sending};

/// The answers that a leader has moved: LEADER_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER,
/// FENCED_LEADER_EPOCH.
const MOVED: [i16; 3] = [5, 6, 74];

/// How long a node stands still: beyond the timeouts of requests, connections and deliveries, of
/// sessions, replicas and controllers.
pub(crate) const PAUSE: Duration = Duration::from_secs(33);

/// Connections of a proxy that was told to leave them alone live for longer than this; older ones
/// are gone by then.
pub(crate) const CALMING: Duration = Duration::from_millis(2_500);

/// While nothing is wrong, a batch is sent within this time, and new partitions are known.
const LIMIT: Duration = Duration::from_secs(30);

/// Partitions of a topic that is deleted and made again.
const FLEETING: u32 = 3;

/// What can happen to a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The node that leads most partitions is killed, and comes back.
    Kill,
    /// Each node in turn is stopped cleanly, and comes back.
    Roll,
    /// The node that leads most partitions stands still, and goes on.
    Pause,
    /// Those lead that should.
    Elect,
    /// The topic gets four more partitions.
    Grow,
    /// Another topic is deleted and made again, while it is produced to.
    Recreate,
}

/// What the faults did.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) kills: u32,
    /// Connections to killed nodes on which a batch was not answered.
    pub(crate) broken: u32,
    pub(crate) stops: u32,
    pub(crate) pauses: u32,
    /// Connections to paused nodes that the client gave up, with a batch that was not answered.
    pub(crate) abandoned: u32,
    /// Partitions that got another leader because of a kill, a stop or a pause.
    pub(crate) moved: usize,
    /// Partitions that got another leader by election.
    pub(crate) elected: u32,
    pub(crate) grown: u32,
    pub(crate) recreations: u32,
    /// Records in topics that were deleted, and in those that took their names.
    pub(crate) fleeting: [Held; 2],
    /// What was said of the records of those topics.
    pub(crate) fleeting_told: Count,
    /// The longest time to an outcome, of those topics.
    pub(crate) fleeting_slowest: Duration,
    /// Answers that told of another leader, of topics that were being deleted.
    deceptive: u32,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [old, new] = self.fleeting;
        writeln!(
            f,
            "{} kills ({} connections with unanswered batches broken), {} clean restarts, {} pauses \
             ({} connections given up)",
            self.kills, self.broken, self.stops, self.pauses, self.abandoned
        )?;
        writeln!(
            f,
            "leaders: {} moved by these, {} by election; {} partitions added",
            self.moved, self.elected, self.grown
        )?;
        write!(
            f,
            "topics deleted and made again: {}; of {} records {} in the old ones, {} in the new \
             ones (some were sent again and are in both), {} given up, slowest outcome {:.1?}",
            self.recreations,
            self.fleeting_told.accepted,
            old.records,
            new.records,
            self.fleeting_told.not_written + self.fleeting_told.unknown,
            self.fleeting_slowest
        )
    }
}

/// A cluster, and who produces to it: two, of which the other one has a topic of its own.
pub(crate) struct Scene<'a> {
    pub(crate) cluster: Cluster,
    pub(crate) runtime: &'a Runtime,
    pub(crate) producer: &'a Producer,
    /// The topic that stays, and what the producer calls it.
    pub(crate) topic: &'a str,
    pub(crate) handle: TopicHandle,
    /// Topics whose leaders are to lead as well.
    pub(crate) others: &'a [&'a str],
    pub(crate) partitions: u32,
    pub(crate) began: Instant,
    pub(crate) figures: Figures,
}

impl Scene<'_> {
    /// Lets a fault happen, and waits until the cluster is whole again.
    pub(crate) fn strike(&mut self, fault: Fault) -> Result<()> {
        self.say(&format!("{fault:?}"));
        let told = self.told_of_moves();
        match fault {
            Fault::Kill => self.kill(),
            Fault::Roll => (1..=NODES).try_for_each(|node| self.stop(node)),
            Fault::Pause => self.pause(),
            Fault::Elect => self.elect(),
            Fault::Grow => self.grow(),
            Fault::Recreate => self.recreate(),
        }
        .with_context(|| format!("{fault:?}"))?;
        if fault == Fault::Recreate {
            self.figures.deceptive += self.told_of_moves() - told;
        }
        Ok(())
    }

    pub(crate) fn say(&self, what: &str) {
        let counters = self.producer.stats().counters;
        println!(
            "{:6.1} s: {what}; so far {} written, {} attempts repeated, {} epochs",
            self.began.elapsed().as_secs_f64(),
            counters.written,
            counters.retries,
            counters.bumps
        );
    }

    fn describe(&mut self) -> Result<Description> {
        self.cluster.admin().describe(self.topic)
    }

    /// Who leads most partitions.
    fn foremost(topic: &Description) -> usize {
        (1..=NODES).max_by_key(|node| topic.led_by(*node)).unwrap_or(1)
    }

    /// Waits for a moment at which batches of both producers are on their way to a node.
    fn await_batches(&self, node: usize) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        while self.cluster.proxy(node).unanswered() < 2 {
            ensure!(Instant::now() < deadline, "no batches go to node {node}");
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Waits until another node leads what this one led, which was something.
    fn await_moves(&mut self, before: &Description, node: usize) -> Result<()> {
        let after = self.cluster.admin().await_other_leaders(self.topic, node)?;
        let moved = after.moved_since(before);
        ensure!(moved > 0, "node {node} led nothing: {before:?}");
        self.figures.moved += moved;
        Ok(())
    }

    fn kill(&mut self) -> Result<()> {
        let before = self.describe()?;
        let node = Self::foremost(&before);
        let broken = self.cluster.proxy(node).hits().broken;
        self.await_batches(node)?;
        self.cluster.node(node).kill()?;
        self.await_moves(&before, node)?;
        self.figures.kills += 1;
        self.figures.broken += self.cluster.proxy(node).hits().broken - broken;
        self.cluster.node(node).restart()?;
        self.cluster.admin().await_in_sync(self.topic).map(drop)
    }

    fn stop(&mut self, node: usize) -> Result<()> {
        // So that it has something to lose.
        self.elect()?;
        let before = self.describe()?;
        self.cluster.node(node).stop()?;
        self.await_moves(&before, node)?;
        self.figures.stops += 1;
        self.cluster.node(node).restart()?;
        self.cluster.admin().await_in_sync(self.topic).map(drop)
    }

    fn pause(&mut self) -> Result<()> {
        let before = self.describe()?;
        let node = Self::foremost(&before);
        // That the client gives up is wanted, not another cut.
        self.cluster.proxy(node).calm();
        thread::sleep(CALMING);
        let abandoned = self.cluster.proxy(node).hits().abandoned;
        self.await_batches(node)?;
        self.cluster.node(node).pause()?;
        let paused = Instant::now();
        self.await_moves(&before, node)?;
        self.figures.pauses += 1;
        thread::sleep(PAUSE.saturating_sub(paused.elapsed()));
        self.figures.abandoned += self.cluster.proxy(node).hits().abandoned - abandoned;
        self.cluster.node(node).resume()?;
        self.cluster.proxy(node).storm();
        self.cluster.admin().await_in_sync(self.topic).map(drop)
    }

    fn elect(&mut self) -> Result<()> {
        self.figures.elected += self.cluster.admin().elect_preferred(self.topic)?;
        for other in self.others {
            self.cluster.admin().elect_preferred(other)?;
        }
        Ok(())
    }

    fn grow(&mut self) -> Result<()> {
        self.partitions += 4;
        self.figures.grown += 4;
        self.cluster.admin().grow(self.topic, self.partitions)?;
        let deadline = Instant::now() + LIMIT;
        while self.producer.partition_count(&self.handle) < self.partitions {
            ensure!(Instant::now() < deadline, "the producer does not learn of new partitions");
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn recreate(&mut self) -> Result<()> {
        let name = format!("fleeting-{}", self.figures.recreations);
        self.cluster.admin().create(&name, FLEETING, NODES, &[])?;
        let old = self.cluster.admin().describe(&name)?;
        let pace = Pace { rate: 500, at_least: 0, may_vanish: true };
        let sending = Sending::start(self.runtime, self.producer, &name, FLEETING, pace)?;
        thread::sleep(Duration::from_secs(4));
        self.cluster.admin().delete(&name)?;
        thread::sleep(Duration::from_millis(500));
        self.cluster.admin().create(&name, FLEETING, NODES, &[])?;
        let new = self.cluster.admin().describe(&name)?;
        ensure!(old.id != new.id, "the topic is still the old one");
        thread::sleep(Duration::from_secs(6));
        let ledger = sending.finish(self.runtime)?;

        let mut logs = vec![(Vec::new(), Vec::new()); FLEETING as usize];
        for (partition, values) in self.cluster.deleted(&name, FLEETING)?.into_iter().enumerate() {
            for (offset, value) in values {
                logs[partition].0.push((offset, ledger::number(&name, partition, &value)?));
            }
        }
        for record in self.cluster.read_back(&name)? {
            let record = record?;
            let partition = usize::try_from(record.partition)?;
            let value = String::from_utf8(record.value.context("a value")?)?;
            let number = ledger::number(&name, partition, &value)?;
            logs[partition].1.push((record.offset, number));
        }
        let (refused, reasons) = ledger.reasons();
        println!("{name}: refused {refused:?}, failed {reasons:?}, {:?}", ledger.count());
        for (partition, (old, new)) in logs.iter().enumerate() {
            let [old, new] = judge::two_logs(&ledger.fates()[partition], old, new)
                .with_context(|| format!("{name}, partition {partition}"))?;
            ensure!(old.records > 0 && new.records > 0, "{name}-{partition}: {old:?} {new:?}");
            for (sum, held) in self.figures.fleeting.iter_mut().zip([old, new]) {
                *sum += held;
            }
        }
        self.figures.recreations += 1;
        self.figures.fleeting_told += ledger.count();
        self.figures.fleeting_slowest = self.figures.fleeting_slowest.max(ledger.slowest());
        Ok(())
    }

    /// Partitions of answers that told the client that a leader had moved.
    pub(crate) fn told_of_moves(&self) -> u32 {
        let errors = self.cluster.hits().errors;
        let told: u32 = MOVED.iter().filter_map(|code| errors.get(code)).sum();
        told - self.figures.deceptive
    }
}
