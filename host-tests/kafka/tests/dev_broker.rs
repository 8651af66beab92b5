//! The development broker under clients that are not ours: Kafka's own console producer and topic
//! tool, kcat, franz-go; and under our own beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Seek, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use kafka_tests::{finish, tool};
use ottla::message::{AnyApi, Api};
use ottla::record::layout::Codec;
use ottla::record::reader::Batch;
use ottla_broker::{
    Action, Address, Cluster, Config, Listener, NewTopic, Profile, Server, StoredBatch, UpTo,
};
use ottla_tokio::{Acks, Producer, Record};

const TOPIC: &str = "t";
const PARTITIONS: i32 = 3;
const RECORDS: usize = 100;
const KEYS: usize = 10;

fn cluster(profile: Profile) -> Result<Cluster> {
    let config = Config { profile, default_replication: 2, ..Config::new(2) };
    let mut cluster = Cluster::new(config);
    cluster
        .create_topic(&NewTopic::new(TOPIC, PARTITIONS, 2))
        .map_err(|(code, text)| anyhow!("{code}: {text}"))?;
    Ok(cluster)
}

/// Two nodes like a release, with a topic.
fn like(profile: Profile) -> Result<Server> {
    Ok(Server::start(cluster(profile)?, &[])?)
}

fn bootstrap(addresses: &[SocketAddr]) -> String {
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    addresses.join(",")
}

/// Numbers with keys that come again and again, a record per line.
fn lines() -> String {
    (0..RECORDS).map(|number| format!("k{}:{number}\n", number % KEYS)).collect()
}

/// A file to read this from.
fn input(text: &str) -> Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file)
}

/// The versions of Produce that come.
#[derive(Clone, Default)]
struct Used(Arc<Mutex<BTreeSet<i16>>>);

impl Used {
    fn watch(server: &Server) -> Used {
        let used = Used::default();
        let seen_by_hook = used.clone();
        server.with(|cluster, _| {
            cluster.set_hook(move |seen| {
                if seen.api == Api::Produce {
                    let mut versions =
                        seen_by_hook.0.lock().unwrap_or_else(PoisonError::into_inner);
                    versions.insert(seen.version);
                }
                Action::Proceed
            });
        });
        used
    }

    fn versions(&self) -> Vec<i16> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

fn batches(server: &Server) -> Vec<StoredBatch> {
    server.with(|cluster, _| {
        let of = |index| cluster.batches(TOPIC, index, UpTo::HighWatermark).cloned();
        (0..PARTITIONS).flat_map(of).collect()
    })
}

fn text(bytes: Option<&[u8]>) -> Result<String> {
    Ok(String::from_utf8(bytes.context("null")?.to_vec())?)
}

/// That every number is there once, the numbers of a key in one partition and in order, sent with
/// a producer id or without.
fn check(server: &Server, idempotent: bool) -> Result<()> {
    let records = server.with(|cluster, _| -> Result<Vec<_>> {
        let records = cluster.records(TOPIC, UpTo::HighWatermark);
        let read = records.map(|record| {
            let record = record?;
            let key = text(record.record.key)?;
            Ok((record.partition, key, text(record.record.value)?.parse::<usize>()?))
        });
        read.collect()
    })?;
    ensure!(records.len() == RECORDS, "{} records of {RECORDS}", records.len());
    let mut keys: BTreeMap<&str, (i32, usize)> = BTreeMap::new();
    for (partition, key, number) in &records {
        let first = number % KEYS;
        let (home, next) = keys.entry(key.as_str()).or_insert((*partition, first));
        ensure!(*key == format!("k{first}") && home == partition, "{number} at {partition}");
        ensure!(next == number, "{number} where {next} was next");
        *next += KEYS;
    }
    ensure!(batches(server).iter().all(|batch| (batch.claim.producer_id >= 0) == idempotent));
    Ok(())
}

/// Has a client send to a broker like a release, and looks at what came, and how. `newest` is the
/// highest version of Produce that the client has, where that is known.
fn deliver(
    profile: Profile,
    idempotent: bool,
    newest: Option<i16>,
    send: impl FnOnce(&str) -> Result<()>,
) -> Result<()> {
    let about = || format!("{profile}, idempotent: {idempotent}");
    let server = like(profile)?;
    let used = Used::watch(&server);
    send(&bootstrap(server.addresses())).with_context(about)?;
    check(&server, idempotent).with_context(about)?;
    let listed = profile.listed(AnyApi::Client(Api::Produce)).context("no Produce")?.max;
    let used = used.versions();
    let expected = newest.map(|newest| newest.min(listed));
    let is_expected = |version: &i16| expected.map_or(*version <= listed, |v| v == *version);
    ensure!(used.len() == 1 && used.iter().all(is_expected), "{}: Produce {used:?}", about());
    Ok(())
}

// Kafka's own tools.

/// The console producer, with further arguments.
fn console_producer(bootstrap: &str, arguments: &[&str]) -> Result<()> {
    let mut producer = tool("org.apache.kafka.tools.ConsoleProducer")?;
    producer.args(["--bootstrap-server", bootstrap, "--topic", TOPIC]);
    for property in ["parse.key=true", "key.separator=:"] {
        producer.args(["--reader-property", property]);
    }
    finish(producer.args(arguments).stdin(input(&lines())?)).map(drop)
}

#[test]
fn javas_console_producer_delivers_to_every_release() -> Result<()> {
    const NEWEST: Option<i16> = Some(13);
    for profile in Profile::ALL {
        deliver(profile, true, NEWEST, |bootstrap| console_producer(bootstrap, &[]))?;
    }
    deliver(Profile::V2_1, false, NEWEST, |bootstrap| {
        console_producer(bootstrap, &["--command-property", "enable.idempotence=false"])
    })
}

fn topic_tool(server: &Server, arguments: &[&str]) -> Result<String> {
    let mut tool = tool("org.apache.kafka.tools.TopicCommand")?;
    tool.args(["--bootstrap-server", &bootstrap(server.addresses())]);
    finish(tool.args(arguments))
}

#[test]
fn javas_topic_tool_makes_shows_and_removes_topics() -> Result<()> {
    for profile in [Profile::V2_1, Profile::Newest] {
        let server = like(profile)?;
        let make = ["--create", "--topic", "made", "--partitions", "3", "--replication-factor"];
        let make = [&make[..], &["2", "--config", "retention.ms=5000"]].concat();
        topic_tool(&server, &make)?;
        ensure!(server.with(|cluster, _| cluster.partition_count("made")) == 3);

        let list = topic_tool(&server, &["--list"])?;
        ensure!(list.lines().eq(["made", TOPIC]), "{profile}: {list}");

        let shown = topic_tool(&server, &["--describe", "--topic", "made"])?;
        for part in ["PartitionCount: 3", "ReplicationFactor: 2", "Configs: retention.ms=5000"] {
            ensure!(shown.contains(part), "{profile}: no {part} in {shown}");
        }
        for (index, leader, replicas) in [(0, 1, "1,2"), (1, 2, "2,1"), (2, 1, "1,2")] {
            let line = format!("Partition: {index}\tLeader: {leader}\tReplicas: {replicas}\t");
            ensure!(shown.contains(&line), "{profile}: no {line} in {shown}");
        }

        topic_tool(&server, &["--alter", "--topic", "made", "--partitions", "4"])?;
        ensure!(server.with(|cluster, _| cluster.partition_count("made")) == 4, "{profile}");
        let fewer = topic_tool(&server, &["--alter", "--topic", "made", "--partitions", "2"]);
        let error = format!("{:#}", fewer.err().context("it has more")?);
        ensure!(error.contains("InvalidPartitionsException"), "{profile}: {error}");

        topic_tool(&server, &["--delete", "--topic", "made"])?;
        ensure!(server.with(|cluster, _| cluster.topic_id("made")).is_none(), "{profile}");
    }
    let again = topic_tool(&like(Profile::Newest)?, &["--create", "--topic", TOPIC]);
    let error = format!("{:#}", again.err().context("the topic was there")?);
    ensure!(error.contains("TopicExistsException"), "{error}");
    Ok(())
}

#[test]
fn javas_configuration_tool_alters_settings() -> Result<()> {
    let server = like(Profile::Newest)?;
    let alter = |arguments: &[&str]| {
        let mut tool = tool("kafka.admin.ConfigCommand")?;
        tool.args(["--bootstrap-server", &bootstrap(server.addresses())]);
        tool.args(["--alter", "--entity-type", "topics", "--entity-name", TOPIC]);
        finish(tool.args(arguments))
    };
    let shown = || topic_tool(&server, &["--describe", "--topic", TOPIC]);
    alter(&["--add-config", "retention.ms=7000,cleanup.policy=[compact,delete]"])?;
    let text = shown()?;
    for part in ["retention.ms=7000", "cleanup.policy=compact,delete"] {
        ensure!(text.contains(part), "no {part} in {text}");
    }
    alter(&["--delete-config", "retention.ms"])?;
    let text = shown()?;
    ensure!(!text.contains("retention.ms") && text.contains("cleanup.policy"), "{text}");
    let wrong = alter(&["--add-config", "retention.ms=soon"]);
    let error = format!("{:#}", wrong.err().context("it is no number")?);
    ensure!(error.contains("InvalidConfigurationException"), "{error}");
    Ok(())
}

// kcat, and so librdkafka.

fn kcat(bootstrap: &str, arguments: &[&str]) -> Result<String> {
    let mut kcat = Command::new("kcat");
    kcat.args(["-b", bootstrap, "-X", "broker.address.family=v4"]);
    finish(kcat.args(arguments).stdin(input(&lines())?))
}

fn kcat_produce(bootstrap: &str, arguments: &[&str]) -> Result<()> {
    kcat(bootstrap, &[&["-P", "-t", TOPIC, "-K:"][..], arguments].concat()).map(drop)
}

#[test]
fn kcat_delivers_to_every_release_and_lists_it() -> Result<()> {
    for profile in Profile::ALL {
        deliver(profile, false, None, |bootstrap| kcat_produce(bootstrap, &[]))?;
        let idempotent = ["-X", "enable.idempotence=true"];
        deliver(profile, true, None, |bootstrap| kcat_produce(bootstrap, &idempotent))?;

        let server = like(profile)?;
        let list = kcat(&bootstrap(&server.addresses()[1..]), &["-L"])?;
        for (id, address) in (1..).zip(server.addresses()) {
            let node = format!("broker {id} at {address}");
            ensure!(list.contains(&node), "{profile}: no {node} in {list}");
        }
        for part in [
            "topic \"t\" with 3 partitions",
            "partition 0, leader 1, replicas: 1,2, isrs: 1,2",
            "partition 1, leader 2, replicas: 2,1, isrs: 1,2",
        ] {
            ensure!(list.contains(part), "{profile}: no {part} in {list}");
        }
    }
    Ok(())
}

#[test]
fn each_listener_sends_its_clients_to_its_own_addresses() -> Result<()> {
    let localhost = Address { host: "localhost".to_owned(), port: 0 };
    let nowhere = Address { host: "no.such.host.invalid".to_owned(), port: 9_092 };
    let [first, second, third] = [vec![], vec![localhost; 2], vec![nowhere; 2]]
        .map(|advertised| Listener { bind: vec![], advertised });
    let server = Server::start_listeners(cluster(Profile::Newest)?, &[first, second, third])?;
    for (listener, host) in [(0, "127.0.0.1"), (1, "localhost")] {
        let addresses = server.addresses_of(listener);
        let list = kcat(&bootstrap(addresses), &["-L"])?;
        for (id, address) in (1..).zip(addresses) {
            let node = format!("broker {id} at {host}:{}", address.port());
            ensure!(list.contains(&node), "no {node} in {list}");
        }
    }
    // Who is told where nobody is delivers nothing, so it is what is told that counts.
    let lost = kcat_produce(&bootstrap(server.addresses_of(2)), &["-X", "message.timeout.ms=1500"]);
    ensure!(lost.is_err() && batches(&server).is_empty());
    kcat_produce(&bootstrap(server.addresses_of(1)), &[])?;
    check(&server, false)
}

// franz-go.

/// The program beside this test. Go keeps what it has built, so that this is quick from the second
/// time on.
fn franz_go() -> Result<&'static Path> {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    if let Some(program) = PROGRAM.get() {
        return Ok(program);
    }
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("franz-go");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("franz-go");
    let mut build = Command::new("go");
    build.current_dir(source).args(["build", "-trimpath", "-mod=readonly", "-o"]);
    finish(build.arg(&program).arg("."))?;
    Ok(PROGRAM.get_or_init(|| program))
}

/// Sends by franz-go, and checks that as many offsets are told.
fn franz_go_produce(bootstrap: &str, kind: &str, codec: &str) -> Result<()> {
    let mut command = Command::new(franz_go()?);
    command.args(["produce", bootstrap, TOPIC, kind, codec]).stdin(input(&lines())?);
    let told = finish(&mut command)?;
    ensure!(told.lines().count() == RECORDS, "{told}");
    Ok(())
}

#[test]
fn franz_go_delivers_to_every_release_and_administers_it() -> Result<()> {
    for profile in Profile::ALL {
        for (kind, idempotent) in [("idempotent", true), ("plain", false)] {
            deliver(profile, idempotent, Some(13), |bootstrap| {
                franz_go_produce(bootstrap, kind, "none")
            })?;
        }
        let server = like(profile)?;
        let hosts = bootstrap(server.addresses());
        let told = finish(Command::new(franz_go()?).args(["administer", &hosts, "made"]))?;
        let mut expected: Vec<String> = [
            "create made done",
            "create made TOPIC_ALREADY_EXISTS",
            "topic made done",
            "partition 0 1 [1 2] [1 2]",
            "partition 1 2 [2 1] [1 2]",
            "partition 2 1 [1 2] [1 2]",
            "setting retention.ms 5000 DYNAMIC_TOPIC_CONFIG",
            "setting segment.bytes 1073741824 DEFAULT_CONFIG",
        ]
        .map(str::to_owned)
        .to_vec();
        if profile < Profile::V2_8 {
            expected.push("no DescribeCluster".to_owned());
        } else {
            let nodes = (1..).zip(server.addresses());
            expected.extend(nodes.map(|(id, address)| format!("broker {id} {address}")));
        }
        expected.push("delete made done".to_owned());
        expected.push("delete made UNKNOWN_TOPIC_OR_PARTITION".to_owned());
        ensure!(told.lines().eq(&expected), "{profile}: {told}");
    }
    Ok(())
}

// What all of them can do.

/// That the records came compressed by a codec, and how many.
fn check_compressed(server: &Server, codec: Codec) -> Result<()> {
    let mut by_codec = 0;
    for batch in batches(server) {
        let (read, _) = Batch::read(&batch.bytes).map_err(|fault| anyhow!("{fault}"))?;
        // Clients send what gets longer by it as it was.
        ensure!([codec, Codec::None].contains(&read.codec()), "{:?}", read.codec());
        by_codec += i32::from(read.codec() == codec);
    }
    ensure!(by_codec > 0, "nothing came by {codec:?}");
    let ends = server.with(|cluster, _| {
        (0..PARTITIONS).filter_map(|index| cluster.log_end(TOPIC, index)).sum::<i64>()
    });
    ensure!(ends == RECORDS as i64, "{ends} records");
    Ok(())
}

#[test]
fn compressed_batches_are_taken_as_they_come() -> Result<()> {
    for profile in [Profile::V2_1, Profile::Newest] {
        for (name, codec) in
            [("gzip", Codec::Gzip), ("snappy", Codec::Snappy), ("zstd", Codec::Zstd)]
        {
            let server = like(profile)?;
            kcat_produce(&bootstrap(server.addresses()), &["-z", name, "-X", "linger.ms=200"])?;
            check_compressed(&server, codec).with_context(|| format!("kcat, {profile}, {name}"))?;
        }
        let server = like(profile)?;
        franz_go_produce(&bootstrap(server.addresses()), "idempotent", "snappy")?;
        check_compressed(&server, Codec::Snappy).with_context(|| format!("franz-go, {profile}"))?;
    }
    // librdkafka wants to see another API for this one.
    let server = like(Profile::Newest)?;
    console_producer(&bootstrap(server.addresses()), &["--compression-codec", "lz4"])?;
    check_compressed(&server, Codec::Lz4).context("Java")
}

// Our own producer.

async fn send(bootstrap: &str, acks: Acks, idempotent: bool) -> Result<()> {
    let builder = Producer::builder().bootstrap_servers(bootstrap);
    let producer = builder.acks(acks).idempotence(idempotent).build()?;
    let topic = producer.topic(TOPIC)?;
    let mut deliveries = Vec::new();
    for line in lines().lines() {
        let (key, value) = line.split_once(':').context("no key")?;
        deliveries.push(producer.send(Record::new(&topic, value).key(key)).await?);
    }
    for delivery in deliveries {
        let written = delivery.await?;
        ensure!(written.offset.is_some(), "{written:?}");
    }
    producer.close(Duration::from_secs(10)).await;
    Ok(())
}

#[test]
fn our_own_producer_delivers_to_every_release() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for profile in Profile::ALL {
        for (acks, idempotent) in [(Acks::All, true), (Acks::All, false), (Acks::Leader, false)] {
            let newest = Some(Api::Produce.versions().max);
            deliver(profile, idempotent, newest, |bootstrap| {
                runtime.block_on(send(bootstrap, acks, idempotent))
            })?;
        }
    }
    Ok(())
}
