//! Three nodes that are killed, restarted, paused, that lead by turns, while a proxy before each
//! cuts connections: whatever is said of a record is true.
//!
//! Each record's value is its number in its partition, so Kafka's own consumer, or for a topic that
//! was deleted Kafka's own tool for segments, shows what became of it, and where. Promises, as
//! `judge` names them: I1 what was reported written is there, where it was said to be; I2 nothing is
//! there twice; I3 what is there is in the order of sending; I4 what was reported not written is
//! not there; I7 each record has one outcome; I8 it comes in time. A topic that was deleted and
//! made again is two topics.
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
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use kafka_tests::{Cluster, NODES};
use ottla_tokio::Producer;

use crate::faults::{Fault, Figures, PAUSE, Scene};
use crate::judge::Judge;
use crate::ledger::Ledger;
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
    let long = env::var_os("OTTLA_LONG_TESTS").is_some();
    let mut cluster = Cluster::start(SEED)?;
    cluster.admin().create(TOPIC, PARTITIONS, NODES, &[])?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let producer = {
        let _context = runtime.enter();
        Producer::builder()
            .bootstrap_servers(cluster.bootstrap())
            .request_timeout(REQUEST)
            .connection_setup_timeout(REQUEST)
            .delivery_timeout(DELIVERY)
            .build()?
    };
    let core = producer.config().core();
    ensure!(core.idempotence && core.max_in_flight == 5, "the defaults are others: {core:?}");
    const { assert!(PAUSE.as_secs() > DELIVERY.as_secs() && DELIVERY.as_secs() > REQUEST.as_secs()) };
    // About 12,000 records a second; in the hour fewer, so that disks hold it.
    let rounds = if long { 1 } else { 2 };
    let pause = Duration::from_millis(1);
    let pace = Pace { rounds, pause, at_least: RECORDS, may_vanish: false };
    let sending = Sending::start(&runtime, &producer, TOPIC, PARTITIONS, pace)?;
    let mut scene = Scene {
        cluster,
        runtime: &runtime,
        producer: &producer,
        topic: TOPIC,
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
    scene.cluster.calm();
    let ledger = sending.finish(&runtime)?;
    scene.say("everything has its outcome");
    let closed = runtime.block_on(producer.close(Duration::from_secs(10)));
    ensure!(closed.not_written == 0 && closed.unknown == 0, "not all were told: {closed:?}");
    judge(&scene, &ledger)?;
    scene.say("judged");
    check_hits(&scene, long)
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
fn judge(scene: &Scene<'_>, ledger: &Ledger) -> Result<()> {
    let count = ledger.count();
    let (_, reasons) = ledger.reasons();
    println!("{count:?}, slowest outcome {:.1?}, failed {reasons:?}", ledger.slowest());
    let fates = ledger.fates();
    let mut judges: Vec<Judge<'_>> = fates.iter().map(|fates| Judge::new(fates, 0)).collect();
    for record in scene.cluster.read_back(TOPIC)? {
        let record = record?;
        let number = String::from_utf8(record.value.unwrap_or_default())?.parse()?;
        let taken = judges[usize::try_from(record.partition)?].take(number, record.offset);
        taken.map_err(|error| error.context(format!("partition {}", record.partition)))?;
    }
    let (mut records, mut unknown) = (0, 0);
    for (partition, judge) in judges.into_iter().enumerate() {
        let end = judge.end(fates[partition].len());
        let held = end.map_err(|error| error.context(format!("partition {partition}")))?;
        records += held.records;
        unknown += held.unknown;
    }
    println!("{records} records in the log, of which {unknown} were reported unknown");

    ensure!(count.pending == 0, "I7: {} records have no outcome", count.pending);
    let counters = scene.producer.stats().counters;
    let told = counters.written + counters.not_written + counters.unknown;
    let accepted = count.accepted + scene.figures.fleeting_accepted;
    ensure!(told == accepted, "I7: {told} outcomes for {accepted} records");
    let slowest = ledger.slowest().max(scene.figures.fleeting_slowest);
    ensure!(slowest <= DELIVERY + SLACK, "I8: an outcome took {slowest:?}");
    Ok(())
}

/// That the run was worth something.
fn check_hits(scene: &Scene<'_>, long: bool) -> Result<()> {
    let (hits, figures) = (scene.cluster.hits(), &scene.figures);
    let told_of_moves = scene.told_of_moves();
    println!(
        "proxies: {} cuts, {} with an unanswered batch, {} inside a frame, {} answers swallowed, \
         {} batches answered again, {} partitions of answers said that the leader had moved, \
         errors {:?}",
        hits.cuts,
        hits.unanswered,
        hits.inside,
        hits.swallowed,
        hits.repeated,
        told_of_moves,
        hits.errors
    );
    println!("{figures}");
    println!("{:?}", scene.producer.stats().counters);
    ensure!(hits.unanswered >= 20, "too few cuts hit an unanswered request");
    ensure!(hits.inside >= 5, "too few cuts inside a frame");
    ensure!(figures.moved > 0, "no leader moved because of a fault");
    ensure!(figures.broken > 0, "no kill hit an unanswered request");
    ensure!(figures.abandoned > 0, "no request to a paused node was given up");
    ensure!(figures.elected > 0, "no leader was elected");
    ensure!(told_of_moves > 0, "no answer said that the leader had moved");

    let fates = scene.producer.stats().counters;
    ensure!(fates.written >= RECORDS * 99 / 100, "too few were written: {}", fates.written);
    let bad = (fates.not_written + fates.unknown) * 100;
    ensure!(bad <= fates.written, "more than 1 % was given up");
    ensure!(!long || scene.began.elapsed() >= HOUR, "the hour was shorter");
    Ok(())
}
