//! Topics made, looked at, altered and removed by our administration client, on real releases of
//! Kafka; Kafka's own client says what became of them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kafka_tests::{Admin as Java, Kafka, Release};
use ottla_admin::{Admin, Change, Error, NewTopic, Setting, Source, Topic, TopicResult};

/// From a change to the moment at which every broker tells it.
const LIMIT: Duration = Duration::from_secs(30);

/// What came of the only topic.
fn one<T>(results: Vec<TopicResult<T>>) -> Result<Result<T, Error>> {
    let result = results.into_iter().next().context("no result")?;
    Ok(result.result)
}

/// That a refusal has this code, and says what `part` says.
fn refused<T: std::fmt::Debug>(result: Result<T, Error>, code: i16, part: &str) -> Result<()> {
    let error = result.err().context("it was done")?;
    ensure!(error.code().is_some_and(|told| told.0 == code), "not {code}: {error}");
    ensure!(error.to_string().contains(part), "no {part:?} in {error}");
    Ok(())
}

/// A topic, once it is as it should be.
async fn await_topic(admin: &Admin, name: &str, is_right: fn(&Topic) -> bool) -> Result<Topic> {
    let began = Instant::now();
    loop {
        let found = one(admin.describe_topics(&[name]).await?)?;
        match found {
            Ok(topic) if is_right(&topic) => return Ok(topic),
            other => ensure!(began.elapsed() < LIMIT, "{other:?} after {LIMIT:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A setting of a topic, once it has this value and comes from there.
async fn await_setting(
    admin: &Admin,
    (name, value, source): (&str, &str, Source),
) -> Result<Setting> {
    let began = Instant::now();
    loop {
        let settings = one(admin.describe_configs(&["made"]).await?)??;
        let found = settings.into_iter().find(|setting| setting.name == name);
        let setting = found.with_context(|| format!("no {name}"))?;
        if setting.value.as_deref() == Some(value) && setting.source == source {
            return Ok(setting);
        }
        ensure!(began.elapsed() < LIMIT, "{setting:?}, not {value} of {source}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn make_alter_and_remove(kafka: &Kafka) -> Result<()> {
    let admin = Admin::builder().bootstrap_servers(kafka.bootstrap()).build()?;
    let mut java = Java::start(&kafka.bootstrap())?;

    let cluster = admin.cluster().await?;
    ensure!(cluster.id.as_ref().is_some_and(|id| id.len() == 22), "{cluster:?}");
    ensure!(cluster.controller == Some(1) && cluster.brokers.len() == 1, "{cluster:?}");
    ensure!(cluster.brokers[0].address() == kafka.bootstrap(), "{cluster:?}");
    ensure!(admin.topics().await?.is_empty());

    // Made: first checked, then for real, then in vain.
    let made = NewTopic::new("made").partitions(3).config("retention.ms", "5000");
    ensure!(one(admin.create_topics(std::slice::from_ref(&made), true).await)??.is_none());
    refused(one(admin.describe_topics(&["made"]).await?)?, 3, "topic made: UNKNOWN_TOPIC")?;
    let wanted = [
        made,
        NewTopic::new("placed").assigned(&[1]).assigned(&[1]),
        NewTopic::new("none").partitions(0).replication_factor(1),
        NewTopic::new("many").partitions(1).replication_factor(2),
        NewTopic::new("wrong").config("no.such.setting", "1"),
        NewTopic::new("elsewhere").assigned(&[9]),
    ];
    let results = admin.create_topics(&wanted, false).await;
    ensure!(results.len() == wanted.len());
    let mut results = results.into_iter().map(|result| result.result);
    let mut next = || results.next().context("no result");
    let id = next()??.context("no id")?;
    next()??;
    refused(next()?, 37, "topic none: INVALID_PARTITIONS (37): ")?;
    refused(next()?, 38, "topic many: INVALID_REPLICATION_FACTOR (38): ")?;
    refused(next()?, 40, "no.such.setting")?;
    refused(next()?, 39, "topic elsewhere: INVALID_REPLICA_ASSIGNMENT (39): ")?;
    let again = one(admin.create_topics(&[NewTopic::new("made")], false).await)?;
    refused(again, 36, "topic made: TOPIC_ALREADY_EXISTS (36): ")?;

    // Looked at.
    let is_led = |topic: &Topic| topic.partitions.iter().all(|p| p.leader.is_some());
    let topic = await_topic(&admin, "made", is_led).await?;
    ensure!(topic.id == Some(id) && !topic.internal, "{topic:?}");
    ensure!(java.describe("made")?.id == id.to_string(), "not {id}");
    ensure!(topic.partitions.len() == 3 && topic.replication_factor() == 1, "{topic:?}");
    for (index, partition) in (0..).zip(&topic.partitions) {
        ensure!(partition.index == index && partition.leader == Some(1), "{topic:?}");
        ensure!(partition.leader_epoch == Some(0), "{topic:?}");
        ensure!(partition.replicas == [1] && partition.in_sync == [1], "{topic:?}");
        ensure!(partition.offline.is_empty() && partition.error.is_success(), "{topic:?}");
    }
    let names: Vec<String> = admin.topics().await?.into_iter().map(|topic| topic.name).collect();
    ensure!(names == ["made", "placed"], "{names:?}");

    // Settings.
    await_setting(&admin, ("retention.ms", "5000", Source::Topic)).await?;
    let segment = await_setting(&admin, ("cleanup.policy", "delete", Source::Default)).await?;
    ensure!(!segment.read_only && !segment.sensitive, "{segment:?}");
    let set = |name: &str, value: &str| Change::Set(name.to_owned(), value.to_owned());
    let policy = |value: &str| ("cleanup.policy".to_owned(), value.to_owned());
    let (name, value) = policy("compact");
    let changes = [set("retention.ms", "7000"), Change::Append(name, value)];
    admin.alter_configs("made", &changes, true).await?;
    admin.alter_configs("made", &changes, false).await?;
    await_setting(&admin, ("retention.ms", "7000", Source::Topic)).await?;
    await_setting(&admin, ("cleanup.policy", "delete,compact", Source::Topic)).await?;
    ensure!(java.config("made", "retention.ms")? == "7000");
    let (name, value) = policy("delete");
    let changes = [Change::Delete("retention.ms".to_owned()), Change::Subtract(name, value)];
    admin.alter_configs("made", &changes, false).await?;
    await_setting(&admin, ("cleanup.policy", "compact", Source::Topic)).await?;
    ensure!(java.config("made", "cleanup.policy")? == "compact");
    for (topic, change, code, part) in [
        ("made", set("retention.ms", "soon"), 40, "retention.ms"),
        ("made", set("no.such.setting", "1"), 40, "no.such.setting"),
        ("made", Change::Append("retention.ms".to_owned(), "1".to_owned()), 40, "retention.ms"),
        ("none", set("retention.ms", "1"), 3, "topic none: "),
    ] {
        refused(admin.alter_configs(topic, &[change], false).await, code, part)?;
    }
    refused(one(admin.describe_configs(&["none"]).await?)?, 3, "topic none: ")?;

    // More partitions.
    admin.create_partitions("made", 5, true).await?;
    admin.create_partitions("made", 5, false).await?;
    await_topic(&admin, "made", |topic| topic.partitions.len() == 5).await?;
    ensure!(java.describe("made")?.partitions.len() == 5);
    for (name, total, code) in [("made", 5, 37), ("made", 4, 37), ("none", 2, 3)] {
        refused(admin.create_partitions(name, total, false).await, code, name)?;
    }

    // Removed.
    let results = admin.delete_topics(&["made", "none"]).await;
    let [deleted, unknown] = <[_; 2]>::try_from(results).ok().context("two results")?;
    deleted.result?;
    refused(unknown.result, 3, "topic none: UNKNOWN_TOPIC_OR_PARTITION (3)")?;
    let began = Instant::now();
    while admin.topics().await?.len() != 1 {
        ensure!(began.elapsed() < LIMIT, "it is still listed after {LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Topics whose partitions take more than one page of DescribeTopicPartitions.
async fn list_pages(kafka: &Kafka) -> Result<()> {
    let admin = Admin::builder().bootstrap_servers(kafka.bootstrap()).build()?;
    let topic = |name: &str| NewTopic::new(name).partitions(900);
    let names = ["page-a", "page-b", "page-c"];
    for result in admin.create_topics(&names.map(topic), false).await {
        result.result?;
    }
    let began = Instant::now();
    loop {
        let mut topics = admin.topics().await?;
        topics.retain(|topic| topic.name.starts_with("page-"));
        let is_whole = |topic: &Topic| {
            let in_order = (0..).zip(&topic.partitions).all(|(index, p)| p.index == index);
            in_order && topic.partitions.len() == 900
        };
        if topics.len() == 3 && topics.iter().all(is_whole) {
            return Ok(());
        }
        ensure!(began.elapsed() < LIMIT, "not all of them are told");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn topics_are_made_altered_and_removed_on_the_newest_release() -> Result<()> {
    let kafka = Kafka::start()?;
    make_alter_and_remove(&kafka).await?;
    list_pages(&kafka).await
}

#[tokio::test]
async fn topics_are_made_altered_and_removed_on_the_last_of_kafka_3() -> Result<()> {
    make_alter_and_remove(&Kafka::start_release(Release::Last3)?).await
}
