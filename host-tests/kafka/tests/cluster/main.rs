//! Three nodes that are killed, restarted, paused, that lead by turns, while a proxy before each
//! cuts connections: whatever is said of a record is true.
//!
//! Each record's value says which one it is, so Kafka's own consumer, or for a topic that was
//! deleted Kafka's own tool for segments, shows what became of it, and where. Promises, as `judge`
//! names them: I1 what was reported written is there, where it was said to be; I2 nothing is there
//! twice; I3 what is there is in the order of sending; I4 what was reported not written is not
//! there; I7 each record has one outcome; I8 it comes in time, and after healing soon. A topic that
//! was deleted and made again is two topics.
//!
//! There are two producers. One waits for longer than faults last, so nearly everything it sends
//! gets written. The other one gives up within two seconds: without it hardly a record would be
//! reported not written or unknown, and nothing would be known of such reports.
//!
//! The run fails if the faults hit too little. That leaders moved under batches on their way is seen
//! in three ways: connections to a killed leader that ended with an unanswered Produce request, such
//! connections to a paused leader that the client gave up, and Produce answers that say that the
//! leader is another one; and, so that it was the leader that moved, by what the cluster says of
//! its leaders before and after.
//!
//! With `OTTLA_LONG_TESTS`, as under `cargo xtask test --full`, faults go on for an hour, drawn from
//! the seed.

mod faults;
mod judge;
mod ledger;
mod sender;

use std::env;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kafka_tests::{Cluster, NODES};
use ottla_tokio::{Acks, Producer};
use tokio::runtime::Runtime;

use crate::faults::{CALMING, Fault, Figures, PAUSE, Scene};
use crate::judge::{Held, Judge};
use crate::ledger::{Count, Ledger};
use crate::sender::{Pace, Sending};

const SEED: u64 = 20_261_122;
const TOPIC: &str = "cluster";
const PARTITIONS: u32 = 12;
const RECORDS: u64 = 1_000_000;
/// Partitions are added in the long run until there are so many.
const MOST_PARTITIONS: u32 = 48;
const HOUR: Duration = Duration::from_secs(3_600);

const REQUEST: Duration = Duration::from_secs(3);
const DELIVERY: Duration = Duration::from_secs(30);
/// Back-offs, at their longest.
const BACK_OFF: Duration = Duration::from_secs(1);
/// The time for a round trip through the proxies, which hold answers.
const ROUND_TRIP: Duration = Duration::from_millis(150);
/// After healing, the first record of each partition has its outcome within this time: a request
/// and a connection that fail, both back-offs, ten round trips.
const HEALING: Duration = REQUEST
    .saturating_add(REQUEST)
    .saturating_add(BACK_OFF)
    .saturating_add(BACK_OFF)
    .saturating_add(ROUND_TRIP.saturating_mul(10));

/// Of the producer that gives up before a cluster notices that a leader is gone.
const HASTY: &str = "hasty";
const HASTY_REQUEST: Duration = Duration::from_secs(1);
const HASTY_DELIVERY: Duration = Duration::from_secs(2);

/// Machines with two processors for all of this are late by so much.
const SLACK: Duration = Duration::from_secs(2);

/// Each at least once, in an order in which each has something to hit.
const ONCE: [Fault; 9] = [
    Fault::Kill,
    Fault::Elect,
    Fault::Grow,
    Fault::Recreate,
    Fault::Roll,
    Fault::Pause,
    Fault::Elect,
    Fault::Kill,
    Fault::Elect,
];

#[test]
fn what_is_said_of_a_record_is_true_whatever_happens_to_the_cluster() -> Result<()> {
    const { assert!(PAUSE.as_secs() > DELIVERY.as_secs() && DELIVERY.as_secs() > REQUEST.as_secs()) };
    let long = env::var_os("OTTLA_LONG_TESTS").is_some();
    let mut cluster = Cluster::start(SEED)?;
    for topic in [TOPIC, HASTY] {
        cluster.admin().create(topic, PARTITIONS, NODES, &[])?;
    }
    check_cluster(&mut cluster)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let bootstrap = cluster.bootstrap();
    let patient = producer(&runtime, &bootstrap, REQUEST, DELIVERY)?;
    let hasty = producer(&runtime, &bootstrap, HASTY_REQUEST, HASTY_DELIVERY)?;
    // In the hour fewer, so that memory holds what was said of each.
    let rate = if long { 6_000 } else { 12_000 };
    let pace = Pace { rate, at_least: RECORDS, may_vanish: false };
    let sending = Sending::start(&runtime, &patient, TOPIC, PARTITIONS, pace)?;
    let pace = Pace { rate: 2_000, at_least: 0, may_vanish: false };
    let hurrying = Sending::start(&runtime, &hasty, HASTY, PARTITIONS, pace)?;
    let mut scene = Scene {
        cluster,
        runtime: &runtime,
        producer: &patient,
        topic: TOPIC,
        handle: patient.topic(TOPIC)?,
        others: &[HASTY],
        partitions: PARTITIONS,
        began: Instant::now(),
        figures: Figures::default(),
    };
    std::thread::sleep(Duration::from_secs(5));
    for fault in ONCE {
        scene.strike(fault)?;
    }
    let mut random = SEED;
    while long && scene.began.elapsed() < HOUR {
        scene.strike(draw(&mut random, scene.partitions))?;
    }
    scene.say("healed");
    check_healing(&scene, &[&sending.ledger, &hurrying.ledger])?;
    let ledgers = [sending.finish(&runtime)?, hurrying.finish(&runtime)?];
    scene.say("everything has its outcome");
    for producer in [&patient, &hasty] {
        let closed = runtime.block_on(producer.close(Duration::from_secs(10)));
        ensure!(closed.not_written == 0 && closed.unknown == 0, "not all were told: {closed:?}");
    }
    show_hits(&scene);
    judge(&scene, &patient, &ledgers[0])?;
    judge_hasty(&scene, &hasty, &ledgers[1])?;
    scene.say("judged");
    check_hits(&scene, long)
}

/// A producer with the defaults but for its timeouts, so idempotent and with five in flight.
fn producer(
    runtime: &Runtime,
    bootstrap: &str,
    request: Duration,
    delivery: Duration,
) -> Result<Producer> {
    let _context = runtime.enter();
    let producer = Producer::builder()
        .bootstrap_servers(bootstrap)
        .request_timeout(request)
        .connection_setup_timeout(request)
        .connection_setup_timeout_max(request)
        .delivery_timeout(delivery)
        // New partitions are found soon.
        .metadata_max_age(Duration::from_secs(10))
        .build()?;
    let core = producer.config().core();
    let defaults = core.acks == Acks::All && core.idempotence && core.max_in_flight == 5;
    ensure!(defaults, "the defaults are others: {core:?}");
    Ok(producer)
}

/// That the cluster promises what the promises rest on.
fn check_cluster(cluster: &mut Cluster) -> Result<()> {
    for topic in [TOPIC, HASTY] {
        let partitions = cluster.admin().describe(topic)?.partitions;
        let copied = partitions.iter().all(|partition| partition.replicas.len() == NODES);
        ensure!(partitions.len() == PARTITIONS as usize && copied, "{topic}: {partitions:?}");
        for (key, value) in
            [("min.insync.replicas", "2"), ("unclean.leader.election.enable", "false")]
        {
            let is = cluster.admin().config(topic, key)?;
            ensure!(is == value, "{key} of {topic} is {is}");
        }
    }
    Ok(())
}

/// The proxies calm down, and what waited goes through soon.
fn check_healing(scene: &Scene<'_>, ledgers: &[&Arc<Ledger>]) -> Result<()> {
    scene.cluster.calm();
    std::thread::sleep(CALMING);
    let healed = Instant::now();
    let heads: Vec<_> = ledgers.iter().map(|ledger| ledger.heads()).collect();
    for (ledger, heads) in ledgers.iter().zip(heads) {
        while !ledger.are_resolved(&heads) {
            let late = healed.elapsed() > HEALING + SLACK;
            ensure!(!late, "I8: {HEALING:?} after healing, of {heads:?} some have no outcome");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    println!("every first record had its outcome {:.1?} after healing", healed.elapsed());
    Ok(())
}

/// One of the faults, drawn from a generator's state.
fn draw(random: &mut u64, partitions: u32) -> Fault {
    *random =
        random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let faults =
        [Fault::Kill, Fault::Roll, Fault::Pause, Fault::Elect, Fault::Recreate, Fault::Grow];
    let kinds = if partitions < MOST_PARTITIONS { 6 } else { 5 };
    faults[((*random >> 33) % kinds) as usize]
}

/// The promises about the topic that stayed.
fn judge(scene: &Scene<'_>, producer: &Producer, ledger: &Ledger) -> Result<()> {
    read(scene, TOPIC, scene.partitions, ledger)?;
    let mut seen = ledger.count();
    seen += scene.figures.fleeting_told;
    let slowest = ledger.slowest().max(scene.figures.fleeting_slowest);
    judge::outcomes(seen, counted(producer), slowest, DELIVERY + SLACK)?;
    println!("{TOPIC}: {:?}", producer.stats().counters);
    ensure!(seen.accepted >= RECORDS, "too few were sent: {seen:?}");
    // Nothing lasted for so long that much had to be given up.
    ensure!((seen.not_written + seen.unknown) * 100 <= seen.written, "too much given up: {seen:?}");
    Ok(())
}

/// The promises about the topic of the producer that gives up.
fn judge_hasty(scene: &Scene<'_>, producer: &Producer, ledger: &Ledger) -> Result<()> {
    let held = read(scene, HASTY, PARTITIONS, ledger)?;
    let seen = ledger.count();
    judge::outcomes(seen, counted(producer), ledger.slowest(), HASTY_DELIVERY + SLACK)?;
    println!("{HASTY}: {:?}", producer.stats().counters);
    ensure!(seen.not_written > 0 && seen.unknown > 0, "nothing was given up: {seen:?}");
    ensure!(held.unknown > 0, "what was unknown is never there");
    Ok(())
}

/// What a producer itself says about outcomes.
fn counted(producer: &Producer) -> Count {
    let said = producer.stats().counters;
    Count {
        written: said.written,
        not_written: said.not_written,
        unknown: said.unknown,
        ..Count::default()
    }
}

/// Reads a topic and judges what it holds.
fn read(scene: &Scene<'_>, topic: &str, partitions: u32, ledger: &Ledger) -> Result<Held> {
    let (_, reasons) = ledger.reasons();
    let slowest = ledger.slowest();
    println!("{topic}: {:?}, slowest outcome {slowest:.1?}, failed {reasons:?}", ledger.count());
    let fates = ledger.fates();
    ensure!(fates.len() == partitions as usize, "{} partitions were sent to", fates.len());
    let mut judges: Vec<Judge<'_>> = fates.iter().map(|fates| Judge::new(fates, 0)).collect();
    let records = scene.cluster.read_back(topic)?;
    let ranges = records.ranges().to_vec();
    ensure!(ranges.len() == fates.len(), "{topic} has other partitions: {ranges:?}");
    for record in records {
        let record = record?;
        let partition = usize::try_from(record.partition)?;
        let value = String::from_utf8(record.value.context("a value")?)?;
        let number = ledger::number(topic, partition, &value)?;
        let taken = judges[partition].take(number, record.offset);
        taken.with_context(|| format!("{topic}-{partition}"))?;
    }
    let mut sum = Held::default();
    for ((partition, judge), range) in judges.into_iter().enumerate().zip(ranges) {
        let held = judge.end(fates[partition].len());
        let held = held.with_context(|| format!("{topic}-{partition}"))?;
        ensure!(held.records > 0, "{topic}-{partition} is empty");
        ensure!(range.end as u64 == held.records, "{topic}: {held:?} of {range:?}");
        sum += held;
    }
    println!("{} records in {topic}, of which {} were reported unknown", sum.records, sum.unknown);
    Ok(sum)
}

fn show_hits(scene: &Scene<'_>) {
    let hits = scene.cluster.hits();
    println!(
        "proxies: {} cuts, {} with an unanswered batch, {} inside a frame, {} answers swallowed, \
         {} requests in flight on a connection, {} batches answered again",
        hits.cuts, hits.unanswered, hits.inside, hits.swallowed, hits.deepest, hits.repeated
    );
    println!(
        "{} partitions of answers said that the leader had moved, errors {:?}",
        scene.told_of_moves(),
        hits.errors
    );
    println!("{}", scene.figures);
}

/// That the run was worth something.
fn check_hits(scene: &Scene<'_>, long: bool) -> Result<()> {
    let (hits, figures) = (scene.cluster.hits(), &scene.figures);
    ensure!(hits.unanswered >= 20, "too few cuts hit an unanswered request");
    ensure!(hits.inside >= 5, "too few cuts inside a frame");
    ensure!(hits.deepest == 5, "{} requests of a connection were in flight", hits.deepest);
    ensure!(figures.moved > 0, "no leader moved because of a fault");
    // More connections than faults: each producer was hit.
    ensure!(figures.broken > figures.kills, "kills hit too few unanswered requests");
    ensure!(figures.abandoned > figures.pauses, "requests to paused nodes were not given up");
    ensure!(figures.elected > 0, "no leader was elected");
    ensure!(scene.told_of_moves() > 0, "no answer said that the leader had moved");
    ensure!(!long || scene.began.elapsed() >= HOUR, "the hour was shorter");
    Ok(())
}
