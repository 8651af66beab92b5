//! The core's producer against a broker that is like each release of Kafka.

mod driver;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use anyhow::{Result, ensure};
use driver::{Driver, config};
use ottla::Acks;
use ottla::message::Api;
use ottla_broker::{Action, Cluster, Config, NewTopic, Profile, Server};

const PARTITIONS: i32 = 2;
const RECORDS: u64 = 20;

fn like(profile: Profile) -> Result<Server> {
    let mut cluster = Cluster::new(Config { profile, ..Config::new(2) });
    cluster
        .create_topic(&NewTopic::new("t", PARTITIONS, 2))
        .map_err(|(code, text)| anyhow::anyhow!("{code}: {text}"))?;
    Ok(Server::start(cluster, &[])?)
}

/// The versions of the requests that come, by API key.
fn watch(server: &Server) -> Arc<Mutex<BTreeMap<i16, Vec<i16>>>> {
    let versions = Arc::new(Mutex::new(BTreeMap::<i16, Vec<i16>>::new()));
    let list = Arc::clone(&versions);
    server.with(|cluster, _| {
        cluster.set_hook(move |seen| {
            let mut list = list.lock().expect("no test panics in here");
            let list = list.entry(seen.api.key()).or_default();
            if !list.contains(&seen.version) {
                list.push(seen.version);
            }
            Action::Proceed
        });
    });
    versions
}

/// Sends records to each partition, and checks that they are where they were told to be.
fn deliver(driver: &mut Driver<'_>, from: u64, to: u64) -> Result<()> {
    let topic = driver.producer.topic("t")?;
    driver.until(|driver| driver.producer.partition_count(topic) == PARTITIONS as u32)?;
    for number in from..to {
        for partition in 0..PARTITIONS {
            driver.produce(topic, partition, number)?;
        }
        driver.turn()?;
    }
    driver.settle()?;
    let count = driver.check_all_written("t")?;
    ensure!(count as u64 == to * PARTITIONS as u64, "{count} records");
    Ok(())
}

#[test]
fn every_release_is_delivered_to_in_the_highest_versions_that_both_have() -> Result<()> {
    for profile in Profile::ALL {
        for idempotent in [true, false] {
            let server = like(profile)?;
            let versions = watch(&server);
            let idempotence = idempotent;
            let mut driver =
                Driver::new(&server, ottla::Config { idempotence, acks: Acks::All, ..config() });
            deliver(&mut driver, 0, RECORDS)?;
            let used = versions.lock().expect("no test panics in here").clone();
            let mut expected = BTreeMap::new();
            for api in [Api::Produce, Api::Metadata, Api::InitProducerId] {
                let listed = profile.listed(api.into()).unwrap_or_default();
                let common = api.versions().common(listed).unwrap_or(-1);
                if idempotent || api != Api::InitProducerId {
                    expected.insert(api.key(), vec![common]);
                }
            }
            // A version that the broker does not have is refused before the hook sees it, and the
            // next is tried on the same connection.
            let mut rest = used.clone();
            let asked = rest.remove(&Api::ApiVersions.key()).unwrap_or_default();
            let listed = profile.listed(Api::ApiVersions.into()).unwrap_or_default();
            let is_listed = asked.iter().all(|version| *version <= listed.max);
            ensure!(is_listed && !asked.is_empty(), "{profile}: ApiVersions {asked:?}");
            ensure!(rest == expected, "{profile}, idempotent: {idempotent}: {used:?}");
        }
    }
    Ok(())
}

#[test]
fn no_producer_loses_its_way_where_it_was_forgotten() -> Result<()> {
    for profile in Profile::ALL {
        let server = like(profile)?;
        let mut driver = Driver::new(&server, config());
        deliver(&mut driver, 0, RECORDS)?;
        server.with(|cluster, _| {
            (0..PARTITIONS).try_for_each(|index| cluster.forget_producers("t", index))
        })?;
        // Older brokers answer 59 now; newer ones append.
        deliver(&mut driver, RECORDS, 2 * RECORDS)?;
        let refused = server.with(|cluster, _| cluster.counters().refused);
        ensure!((refused > 0) == (profile < Profile::V2_8), "{profile}: {refused} refused");
    }
    Ok(())
}

#[test]
fn brokers_are_upgraded_and_downgraded_while_records_come() -> Result<()> {
    let server = like(Profile::V2_1)?;
    let mut driver = Driver::new(&server, config());
    let (mut from, mut profiles) = (0, Profile::ALL.to_vec());
    profiles.extend(Profile::ALL.into_iter().rev());
    for profile in profiles {
        for node in [1, 2] {
            server.with(|cluster, now| cluster.set_profile(now, node, profile))?;
            deliver(&mut driver, from, from + RECORDS)?;
            from += RECORDS;
        }
    }
    Ok(())
}
