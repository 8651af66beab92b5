//! Another implementation of the protocol than Apache's, and another reader: franz-go's kfake and
//! client. Leaders move, and answers lie about what was written.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kafka_tests::Kfake;
use ottla_tokio::{Acks, Delivery, Producer, Record};
use tokio::runtime::Runtime;

const TOPIC: &str = "kfake";
const PARTITIONS: usize = 3;

/// REQUEST_TIMED_OUT and NOT_ENOUGH_REPLICAS_AFTER_APPEND come after the records were written,
/// NOT_LEADER_OR_FOLLOWER and NOT_ENOUGH_REPLICAS instead.
const ERRORS: [i16; 4] = [7, 20, 6, 19];

fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?)
}

fn producer(kfake: &Kfake, runtime: &Runtime, acks: Acks, idempotent: bool) -> Result<Producer> {
    let _context = runtime.enter();
    let builder = Producer::builder().bootstrap_servers(kfake.bootstrap());
    Ok(builder.acks(acks).idempotence(idempotent).build()?)
}

/// Sends these numbers to each partition in turn.
async fn send(producer: &Producer, numbers: std::ops::Range<usize>) -> Result<Vec<Delivery>> {
    let topic = producer.topic(TOPIC)?;
    let mut deliveries = Vec::new();
    for number in numbers {
        let value = number.to_string();
        let record = Record::new(&topic, &value).partition(i32::try_from(number % PARTITIONS)?);
        deliveries.push(producer.send(record).await?);
    }
    Ok(deliveries)
}

/// The offsets that are told.
async fn told(deliveries: Vec<Delivery>) -> Result<Vec<Option<i64>>> {
    let mut offsets = Vec::new();
    for delivery in deliveries {
        offsets.push(delivery.await?.offset);
    }
    Ok(offsets)
}

/// That the topic holds these numbers, each once, in order, where it was said to be.
fn check(kfake: &Kfake, numbers: std::ops::Range<usize>, told: &[Option<i64>]) -> Result<()> {
    let mut next: Vec<usize> = vec![0; PARTITIONS];
    for record in kfake.read_back()? {
        let record = record?;
        let place = &mut next[usize::try_from(record.partition)?];
        let expected = numbers.start + *place * PARTITIONS + record.partition as usize;
        let number: usize = String::from_utf8(record.value.context("a value")?)?.parse()?;
        ensure!(number == expected, "{number} at {} instead of {expected}", record.offset);
        ensure!(record.offset == *place as i64, "{number} is at {}", record.offset);
        let told = told[number - numbers.start];
        ensure!(told.is_none_or(|told| told == record.offset), "{number}: told {told:?}");
        *place += 1;
    }
    let records: usize = next.iter().sum();
    ensure!(records == numbers.len(), "{records} records of {}", numbers.len());
    Ok(())
}

#[test]
fn every_kind_of_acknowledgement_and_old_versions() -> Result<()> {
    const RECORDS: usize = 6_000;
    let cases = [
        (None, Acks::All, true),
        (None, Acks::All, false),
        (None, Acks::Leader, false),
        (None, Acks::None, false),
        (Some("v2.1"), Acks::All, true),
        (Some("v2.4"), Acks::All, true),
        (Some("v2.8"), Acks::All, true),
        (Some("v3.9"), Acks::All, true),
    ];
    let runtime = runtime()?;
    for (version, acks, idempotent) in cases {
        let about = || format!("{version:?}, {acks:?}, idempotent: {idempotent}");
        let kfake = Kfake::start(version, TOPIC, PARTITIONS as u32)?;
        let producer = producer(&kfake, &runtime, acks, idempotent)?;
        let told = runtime
            .block_on(async { told(send(&producer, 0..RECORDS).await?).await })
            .with_context(about)?;
        runtime.block_on(producer.close(Duration::from_secs(10)));
        if acks == Acks::None {
            // The last ones may still be on their way.
            std::thread::sleep(Duration::from_secs(1));
        } else {
            ensure!(told.iter().all(Option::is_some), "{}: an offset is missing", about());
        }
        check(&kfake, 0..RECORDS, &told).with_context(about)?;
        println!("{}: {RECORDS} records", about());
    }
    Ok(())
}

const ROUNDS: usize = 60;
const ROUND: usize = 300;

/// Sends round after round, each with an error of its own, and leaders that move; returns the
/// offsets that are told.
fn mislead(kfake: &mut Kfake, runtime: &Runtime, producer: &Producer) -> Result<Vec<Option<i64>>> {
    let mut deliveries = Vec::new();
    for round in 0..ROUNDS {
        let numbers = round * ROUND..(round + 1) * ROUND;
        deliveries.extend(runtime.block_on(send(producer, numbers))?);
        kfake.fail(ERRORS[round % ERRORS.len()], 1)?;
        if round % 3 == 0 {
            kfake.move_leaders()?;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let told = runtime.block_on(told(deliveries))?;
    runtime.block_on(producer.close(Duration::from_secs(10)));
    Ok(told)
}

#[test]
fn nothing_is_lost_or_doubled_while_leaders_move_and_answers_lie() -> Result<()> {
    let runtime = runtime()?;
    let mut kfake = Kfake::start(None, TOPIC, PARTITIONS as u32)?;
    let producer = producer(&kfake, &runtime, Acks::All, true)?;
    let told = mislead(&mut kfake, &runtime, &producer)?;
    let counters = producer.stats().counters;
    check(&kfake, 0..ROUNDS * ROUND, &told)?;
    let unknown = told.iter().filter(|offset| offset.is_none()).count();
    println!("{} attempts repeated, {unknown} offsets unknown, {counters:?}", counters.retries);
    ensure!(counters.retries >= ROUNDS as u64 / 2, "too little went wrong: {counters:?}");
    Ok(())
}

/// So the faults of the test above are the ones that matter.
#[test]
fn without_idempotence_the_same_answers_double_records_and_lose_none() -> Result<()> {
    let runtime = runtime()?;
    let mut kfake = Kfake::start(None, TOPIC, PARTITIONS as u32)?;
    let producer = producer(&kfake, &runtime, Acks::All, false)?;
    let told = mislead(&mut kfake, &runtime, &producer)?;
    let mut found: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
    for record in kfake.read_back()? {
        let record = record?;
        let number = String::from_utf8(record.value.context("a value")?)?.parse()?;
        found.entry(number).or_default().push(record.offset);
    }
    for (number, told) in told.iter().enumerate() {
        let offsets = found.get(&number).with_context(|| format!("{number} is lost"))?;
        let told = told.context("an offset")?;
        ensure!(offsets.contains(&told), "{number}: told {told}, is at {offsets:?}");
    }
    let doubled = found.values().filter(|offsets| offsets.len() > 1).count();
    println!("{doubled} records are there more than once");
    ensure!(doubled > 0, "no answer lied");
    Ok(())
}

/// kfake does as Kafka will from 4.5 on (KAFKA-15591): a partition that never held a record takes
/// none that does not begin a sequence, so a producer that goes on after the topic was made again
/// is refused until it has raised its epoch. What was answered with UNKNOWN_TOPIC_ID by then, or by a
/// former leader with NOT_LEADER_OR_FOLLOWER, nobody knows, as such answers may come after the
/// append: that is what is said of what was on its way. After that all is well.
#[test]
fn a_topic_made_again_takes_the_records_that_follow() -> Result<()> {
    const RECORDS: usize = 3_000;
    let runtime = runtime()?;
    let mut kfake = Kfake::start(None, TOPIC, PARTITIONS as u32)?;
    let producer = producer(&kfake, &runtime, Acks::All, true)?;
    let first = runtime.block_on(async { told(send(&producer, 0..RECORDS).await?).await })?;
    check(&kfake, 0..RECORDS, &first)?;
    kfake.recreate()?;
    let mut said: BTreeMap<usize, Option<i64>> = BTreeMap::new();
    let mut unknown = 0;
    runtime.block_on(async {
        let deliveries = send(&producer, RECORDS..2 * RECORDS).await?;
        for (number, delivery) in (RECORDS..).zip(deliveries) {
            match delivery.await {
                Ok(metadata) => drop(said.insert(number, metadata.offset)),
                Err(error) => {
                    ensure!(error.may_be_written(), "{number}: {error}");
                    unknown += 1;
                }
            }
        }
        let last = told(send(&producer, 2 * RECORDS..3 * RECORDS).await?).await?;
        said.extend((2 * RECORDS..).zip(last));
        Ok(())
    })?;
    let counters = producer.stats().counters;
    runtime.block_on(producer.close(Duration::from_secs(10)));

    let (mut before, mut records) = ([None; PARTITIONS], 0);
    for record in kfake.read_back()? {
        let record = record?;
        let number: usize = String::from_utf8(record.value.context("a value")?)?.parse()?;
        let last = before[usize::try_from(record.partition)?].replace(number);
        ensure!(last < Some(number), "{number} comes after {last:?}");
        if let Some(told) = said.remove(&number) {
            ensure!(told.is_none_or(|told| told == record.offset), "{number}: told {told:?}");
        }
        records += 1;
    }
    println!(
        "{} epochs, {} attempts repeated, {unknown} records unknown, {records} there",
        counters.bumps, counters.retries
    );
    ensure!(said.is_empty(), "written and not there: {said:?}");
    ensure!(counters.bumps > 0, "nothing was refused: {counters:?}");
    Ok(())
}
