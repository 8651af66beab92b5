//! The same calls against several releases of Kafka.

use ottla_admin::{Change, NewTopic, Source};
use ottla_broker::Profile;

use crate::support::{client, code, like, one};

const RELEASES: [Profile; 3] = [Profile::V2_1, Profile::V2_8, Profile::V4_1];

#[tokio::test]
async fn the_cluster_is_told() {
    for profile in RELEASES {
        let server = like(profile);
        let cluster = client(&server).cluster().await.unwrap();
        assert_eq!(cluster.id, server.with(|cluster, _| Some(cluster.cluster_id().to_owned())));
        assert_eq!(cluster.controller, Some(1));
        let told: Vec<_> = cluster.brokers.iter().map(|b| (b.id, b.address())).collect();
        let expected = (1..).zip(server.addresses().iter().map(ToString::to_string));
        assert!(told.iter().cloned().eq(expected), "{profile}: {told:?}");
    }
}

#[tokio::test]
async fn topics_are_listed_and_described() {
    for profile in RELEASES {
        let server = like(profile);
        let admin = client(&server);
        server.with(|cluster, now| {
            for name in ["__consumer_offsets", "a"] {
                cluster.create_topic(&ottla_broker::NewTopic::new(name, 1, 1)).unwrap();
            }
            cluster.kill(now, 2).unwrap();
        });
        let topics = admin.topics().await.unwrap();
        let names: Vec<_> = topics.iter().map(|t| (t.name.as_str(), t.internal)).collect();
        assert_eq!(names, [("__consumer_offsets", true), ("a", false), ("t", false)]);
        let t = &topics[2];
        assert_eq!((t.partitions.len(), t.replication_factor()), (2, 2));
        assert_eq!(t.id.is_some(), profile >= Profile::V2_8);
        let second = &t.partitions[1];
        assert_eq!((second.index, second.leader), (1, Some(3)), "{profile}");
        assert_eq!((&second.replicas[..], &second.in_sync[..]), (&[2, 3][..], &[3][..]));
        assert_eq!(second.offline, [2]);
        assert!(second.leader_epoch.is_some());

        let described = admin.describe_topics(&["u", "t", "a b"]).await.unwrap();
        let [unknown, found, illegal] = &described[..] else { panic!("{described:?}") };
        assert_eq!(code(unknown.result.clone()), 3);
        assert_eq!(found.result.as_ref().unwrap(), t);
        let error = illegal.result.as_ref().unwrap_err().to_string();
        assert!(error.starts_with("topic a b: the topic name is not legal"), "{error}");
    }
}

/// More partitions than a page has.
#[tokio::test]
async fn pages_are_put_together() {
    for profile in [Profile::V2_8, Profile::V4_1] {
        let server = like(profile);
        server.with(|cluster, _| {
            for (name, count) in [("a", 1_500), ("b", 1_500), ("c", 2_500)] {
                cluster.create_topic(&ottla_broker::NewTopic::new(name, count, 1)).unwrap();
            }
        });
        let topics = client(&server).topics().await.unwrap();
        let counts: Vec<_> = topics.iter().map(|t| (t.name.as_str(), t.partitions.len())).collect();
        assert_eq!(counts, [("a", 1_500), ("b", 1_500), ("c", 2_500), ("t", 2)], "{profile}");
        for topic in &topics {
            assert!((0..).zip(&topic.partitions).all(|(index, p)| p.index == index));
        }
    }
}

#[tokio::test]
async fn topics_are_made_and_removed() {
    for profile in RELEASES {
        let server = like(profile);
        let admin = client(&server);
        let wanted = [
            NewTopic::new("new").partitions(4).replication_factor(3).config("retention.ms", "1000"),
            NewTopic::new("placed").assigned(&[3, 1]).assigned(&[2, 3]),
            NewTopic::new("t").partitions(1).replication_factor(1),
            NewTopic::new("no/name").partitions(1).replication_factor(1),
            NewTopic::new("none").partitions(0).replication_factor(1),
            NewTopic::new("wrong").partitions(1).replication_factor(1).config("no.such", "1"),
        ];
        for validate_only in [true, false] {
            let told = admin.create_topics(&wanted, validate_only).await;
            let names: Vec<_> = told.iter().map(|topic| topic.name.as_str()).collect();
            assert_eq!(names, ["new", "placed", "t", "no/name", "none", "wrong"]);
            let mut results = told.into_iter().map(|topic| topic.result);
            let mut next = || results.next().unwrap();
            let ids = [next().unwrap(), next().unwrap()];
            let has_ids = !validate_only && profile >= Profile::V2_8;
            assert!(ids.iter().all(|id| id.is_some() == has_ids), "{profile} {ids:?}");
            assert_eq!(code(next()), 36);
            assert!(next().unwrap_err().to_string().contains("not legal"));
            assert_eq!(code(next()), 37);
            let error = next().unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with("topic wrong: INVALID_CONFIG (40): "), "{text}");
            assert!(text.contains("no.such") && text.contains("127.0.0.1:"), "{text}");
            let made = server.with(|cluster, _| cluster.partition_count("new"));
            assert_eq!(made, if validate_only { 0 } else { 4 });
        }
        let leaders = server.with(|cluster, _| [0, 1].map(|index| cluster.leader("placed", index)));
        assert_eq!(leaders, [Some(3), Some(2)]);

        let told = admin.delete_topics(&["new", "u", "placed", ".."]).await;
        let [new, unknown, placed, illegal] = &told[..] else { panic!("{told:?}") };
        assert_eq!((&new.result, &placed.result), (&Ok(()), &Ok(())));
        assert_eq!(code(unknown.result.clone()), 3);
        assert!(illegal.result.is_err());
        let left: Vec<String> =
            server.with(|cluster, _| cluster.topic_names().map(String::from).collect());
        assert_eq!(left, ["t"]);
    }
}

/// KIP-464.
#[tokio::test]
async fn numbers_are_left_to_brokers_that_take_them() {
    for profile in RELEASES {
        let server = like(profile);
        let told = one(client(&server).create_topics(&[NewTopic::new("new")], false).await);
        if profile == Profile::V2_1 {
            let error = told.unwrap_err().to_string();
            assert!(error.starts_with("topic new: CreateTopics is needed"), "{error}");
            assert!(error.contains("before Kafka 2.4"), "{error}");
        } else {
            told.unwrap();
        }
        let count = server.with(|cluster, _| cluster.partition_count("new"));
        assert_eq!(count, usize::from(profile != Profile::V2_1));
    }
}

#[tokio::test]
async fn partitions_are_added() {
    for profile in RELEASES {
        let server = like(profile);
        let admin = client(&server);
        let count = || server.with(|cluster, _| cluster.partition_count("t"));
        admin.create_partitions("t", 5, true).await.unwrap();
        assert_eq!(count(), 2);
        admin.create_partitions("t", 5, false).await.unwrap();
        assert_eq!(count(), 5);
        for (name, total, expected) in [("t", 5, 37), ("t", 4, 37), ("t", 0, 37), ("u", 9, 3)] {
            let refused = admin.create_partitions(name, total, false).await;
            assert_eq!(code(refused), expected, "{profile} {name} {total}");
        }
    }
}

#[tokio::test]
async fn settings_are_told_and_altered() {
    for profile in RELEASES {
        let server = like(profile);
        let admin = client(&server);
        let set = |name: &str, value: &str| Change::Set(name.to_owned(), value.to_owned());
        let append = Change::Append("cleanup.policy".to_owned(), "compact".to_owned());
        let changes = [set("retention.ms", "1000"), append];
        let altered = admin.alter_configs("t", &changes, false).await;
        if profile == Profile::V2_1 {
            let error = altered.unwrap_err().to_string();
            assert!(error.contains("the broker does not have it: before Kafka 2.3"), "{error}");
        } else {
            altered.unwrap();
            let delete = Change::Delete("retention.ms".to_owned());
            admin.alter_configs("t", &[delete], true).await.unwrap();
            let wrong = admin.alter_configs("t", &[set("retention.ms", "soon")], false).await;
            assert_eq!(code(wrong), 40);
            assert_eq!(code(admin.alter_configs("u", &changes, false).await), 3);
        }

        let told = admin.describe_configs(&["t", "u"]).await.unwrap();
        assert_eq!(code(told[1].result.clone()), 3);
        let settings = told[0].result.as_ref().unwrap();
        assert!(settings.is_sorted_by(|a, b| a.name < b.name));
        let find = |name: &str| settings.iter().find(|setting| setting.name == name).unwrap();
        let (retention, policy) = (find("retention.ms"), find("cleanup.policy"));
        let expected = if profile == Profile::V2_1 {
            [("604800000", Source::Default), ("delete", Source::Default)]
        } else {
            [("1000", Source::Topic), ("delete,compact", Source::Topic)]
        };
        for (setting, (value, source)) in [retention, policy].into_iter().zip(expected) {
            assert_eq!((setting.value.as_deref(), setting.source), (Some(value), source));
        }
    }
}
