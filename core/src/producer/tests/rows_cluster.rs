//! Scenarios of category L: metadata and connections; and topics by their ids.

use std::string::ToString;
use std::vec::Vec;

use super::world::{Leader, Sent, World, config, written};
use crate::config::Config;
use crate::link::Reason;
use crate::message::ErrorCode;
use crate::producer::{Event, Refused, Topic};
use crate::record::Record;
use crate::time::Duration;

/// When metadata is asked for within the next `millis`, from now on, to 10 ms.
fn asked_at(world: &mut World, millis: u64) -> Vec<u64> {
    let began = world.now;
    let mut known = world.metadata_requests.len();
    let mut times = Vec::new();
    while world.now < began.after(Duration::from_millis(millis)) {
        world.pass(10);
        if world.metadata_requests.len() > known {
            known = world.metadata_requests.len();
            times.push(world.now.since(began).as_millis());
        }
    }
    times
}

fn gaps(times: &[u64]) -> Vec<u64> {
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn l143_a_new_topic_is_asked_for_alone_and_at_once() {
    let mut world = World::new(config(), 1);
    let _ = world.warm();
    world.topics.insert("u".into(), std::vec![Some(Leader { id: 1, epoch: 0 })]);
    let known = world.metadata_requests.len();
    let topic = world.producer.topic("u").unwrap();
    let record = Record::new(b"x").timestamp(1);
    assert_eq!(
        world.producer.produce(world.now, topic, &record).err(),
        Some(Refused::TopicUnknown)
    );
    // No time passes, though metadata was had a moment ago.
    world.run();
    assert_eq!(world.metadata_requests[known..], [["u".to_string()]]);
    assert!(world.producer.produce(world.now, topic, &record).is_ok());
    assert_eq!(world.take().only().topic, "u");
}

#[test]
fn l144_looks_for_a_leader_become_rarer_until_something_is_new() {
    let mut world = World::new(config(), 3);
    let topic = world.ready();
    world.pass(1_000);
    world.topics.get_mut("t").unwrap()[0] = None;
    world.topics.get_mut("t").unwrap()[1] = None;
    world.send(topic, 0, "a");
    let sent = world.take();
    world.answer(&sent, &[(5, -1)]);
    let times = asked_at(&mut world, 8_000);
    let gaps_seen = gaps(&times);
    assert!(times.len() > 6, "{times:?}");
    assert!(gaps_seen[0] <= 300, "{times:?}");
    assert!(gaps_seen.iter().all(|gap| *gap <= 1_020), "{times:?}");
    assert!(gaps_seen[4..].iter().all(|gap| *gap >= 780), "{times:?}");
    // Another partition has a leader again: news, so the next look is soon.
    world.lead(1, 1, 1);
    let times = asked_at(&mut world, 3_000);
    assert!(gaps(&times)[0] <= 140, "{times:?}");
}

#[test]
fn l145_a_topic_that_is_not_used_is_not_asked_for_until_it_is() {
    let settings = Config { metadata_max_idle: Duration::from_millis(60_000), ..config() };
    let mut world = World::new(settings, 2);
    let topic = world.warm();
    let leaders = std::vec![Some(Leader { id: 1, epoch: 0 })];
    world.topics.insert("u".into(), leaders);
    let other = world.producer.topic("u").unwrap();
    world.run();
    world.send(other, 0, "x");
    let sent = world.take();
    world.acknowledge(&sent, 0);
    world.pass(61_000);
    // Whatever makes metadata necessary, the topic that nobody uses is not in it.
    world.send(topic, 1, "a");
    let sent = world.take();
    world.answer(&sent, &[(6, -1)]);
    world.back_off();
    let sent = world.take();
    world.acknowledge(&sent, 0);
    assert_eq!(world.metadata_requests.last().unwrap(), &["t"]);
    // One that has something queued is used, however long ago that was.
    world.send(other, 0, "y");
    world.run();
    assert_eq!(world.metadata_requests.last().unwrap(), &["u"], "asked for again, at once");
    let sent = world.take();
    assert_eq!(sent.only().values, ["y"]);
    world.pass(61_000);
    world.answer(&sent, &[(6, -1)]);
    world.run();
    assert!(world.metadata_requests.last().unwrap().contains(&"u".to_string()));
}

/// A partition with epoch 10 on node 1, told by metadata.
fn epoch_ten() -> (World, Topic) {
    let mut world = World::new(config(), 1);
    world.nodes.push(2);
    world.lead(0, 1, 10);
    let topic = world.warm();
    (world, topic)
}

/// Sends a record, has it answered 6, and returns where it goes then.
fn node_after_a_look(world: &mut World, topic: Topic) -> Option<i32> {
    world.send(topic, 0, "x");
    let sent = world.take();
    world.answer(&sent, &[(6, -1)]);
    world.back_off();
    let again = world.take();
    world.acknowledge(&again, 1);
    again.node
}

#[test]
fn without_idle_time_what_is_queued_is_still_asked_for() {
    let mut world = World::new(Config { metadata_max_idle: Duration::ZERO, ..config() }, 1);
    world.nodes.push(2);
    let topic = world.warm();
    world.pass(1_000);
    world.send(topic, 0, "x");
    let sent = world.take();
    world.lead(0, 2, 1);
    world.answer(&sent, &[(6, -1)]);
    world.back_off();
    assert_eq!(world.take().node, Some(2));
}

/// A topic whose leader moves, while the application keeps trying another one that cannot be had.
fn found_in_spite_of(other: &str, every: u64) {
    let mut world = World::new(config(), 1);
    world.nodes.push(2);
    world.topic_errors.insert("denied".into(), ErrorCode(29));
    let topic = world.warm();
    world.pass(1_000);
    let other = world.producer.topic(other).unwrap();
    world.run();
    world.lead(0, 2, 1);
    world.send(topic, 0, "x");
    let record = Record::new(b"x").timestamp(1);
    let mut node = None;
    for _ in 0..5_000 / every {
        assert!(world.producer.produce(world.now, other, &record).is_err());
        world.pass(every);
        for sent in world.take_all() {
            node = sent.node;
            if node == Some(1) {
                world.answer(&sent, &[(6, -1)]);
            }
        }
    }
    assert_eq!(node, Some(2));
}

#[test]
fn regression_a_topic_that_cannot_be_had_does_not_keep_metadata_from_others() {
    found_in_spite_of("denied", 50);
    found_in_spite_of("ghost", 20);
}

#[test]
fn l147_an_older_epoch_is_not_taken_within_a_topic_id() {
    let (mut world, topic) = epoch_ten();
    world.lead(0, 2, 9);
    assert_eq!(node_after_a_look(&mut world, topic), Some(1));
    let (mut world, topic) = epoch_ten();
    world.lead(0, 2, 9);
    world.topic_ids.insert("t".into(), 2);
    assert_eq!(node_after_a_look(&mut world, topic), Some(2));
}

#[test]
fn l148_the_second_bootstrap_address_is_used_and_each_has_its_own_back_off() {
    let mut world = World::new(config(), 1);
    assert!(world.producer.bootstrap("other", 9092));
    world.nodes = std::vec![5];
    world.down = std::vec![5];
    let topic = world.producer.topic("t").unwrap();
    world.send(topic, 0, "x");
    world.run();
    assert_eq!(world.attempts, 2, "both addresses, without a pause between them");
    world.down.clear();
    world.lead(0, 5, 0);
    // Less than the back-off of an address that failed twice.
    world.pass(61);
    assert_eq!(world.take().only().values, ["x"]);
}

#[test]
fn l149_bootstrap_addresses_are_tried_when_all_known_brokers_are_gone() {
    let mut world = World::new(config(), 1);
    let topic = world.warm();
    // The cluster moved: the old address of node 1 leads nowhere; node 2 is at the bootstrap
    // address.
    world.nodes = std::vec![2];
    world.down = std::vec![1];
    world.lead(0, 2, 1);
    for link in world.links() {
        world.disconnect(link);
    }
    world.send(topic, 0, "after");
    world.pass(2_000);
    let sent = world.take();
    assert_eq!((sent.node, sent.only().values[0].as_str()), (Some(2), "after"));
}

#[test]
fn l149_without_metadata_for_too_long_the_producer_begins_again() {
    let settings = Config {
        rebootstrap_trigger: Duration::from_millis(10_000),
        request_timeout: Duration::from_millis(1_000),
        ..config()
    };
    let mut world = World::new(settings, 1);
    let topic = world.warm();
    // Brokers accept connections and agree on versions, but have no metadata to tell.
    world.metadata_error = ErrorCode::UNKNOWN_SERVER_ERROR;
    world.lead(0, 1, 1);
    world.send(topic, 0, "x");
    let sent = world.take();
    world.answer(&sent, &[(6, -1)]);
    world.pass(9_000);
    assert!(!closed(&mut world, Reason::Rebootstrap));
    world.pass(3_000);
    assert!(closed(&mut world, Reason::Rebootstrap));
    world.metadata_error = ErrorCode::NONE;
    for _ in 0..30 {
        world.pass(100);
        for sent in world.take_all() {
            world.acknowledge(&sent, 1);
        }
    }
    assert_eq!(world.outcomes(), [(0, 1, 1, written(1))]);
}

/// Whether a link was closed for this reason since the last call.
fn closed(world: &mut World, reason: Reason) -> bool {
    world.run();
    core::mem::take(&mut world.closed).contains(&reason)
}

#[test]
fn l149_a_broker_that_asks_for_it_makes_the_producer_begin_again() {
    let mut world = World::new(config(), 2);
    world.nodes.push(2);
    world.lead(1, 2, 0);
    let topic = world.warm();
    world.send(topic, 1, "unanswered");
    let lost = world.take();
    world.pass(200);
    world.send(topic, 0, "x");
    let sent = world.take();
    world.metadata_error = ErrorCode::REBOOTSTRAP_REQUIRED;
    world.answer(&sent, &[(6, -1)]);
    assert!(closed(&mut world, Reason::Rebootstrap));
    // As long as the cluster asks for it, it is asked for metadata more and more rarely.
    let times = asked_at(&mut world, 6_000);
    assert!(times.len() < 20, "{times:?}");
    world.metadata_error = ErrorCode::NONE;
    world.pass(3_000);
    let again = world.take_all();
    let of = |partition: i32| {
        let sent: Vec<&Sent> = again.iter().filter(|s| s.only().partition == partition).collect();
        assert_eq!(sent.len(), 1);
        (sent[0].node, sent[0].only().bytes.clone())
    };
    // What was on its way goes out again as it was.
    assert_eq!(of(0), (Some(1), sent.only().bytes.clone()));
    assert_eq!(of(1), (Some(2), lost.only().bytes.clone()));
}

#[test]
fn l149_within_a_topic_id_the_epoch_does_not_go_back_over_a_new_beginning() {
    let (mut world, topic) = epoch_ten();
    world.pass(1_000);
    world.send(topic, 0, "x");
    let sent = world.take();
    world.metadata_error = ErrorCode::REBOOTSTRAP_REQUIRED;
    world.answer(&sent, &[(6, -1)]);
    assert!(closed(&mut world, Reason::Rebootstrap));
    world.metadata_error = ErrorCode::NONE;
    world.lead(0, 2, 9);
    world.pass(3_000);
    assert!(world.take_all().is_empty(), "who tells of an older epoch is behind");
    world.lead(0, 2, 10);
    world.pass(3_000);
    assert_eq!(world.take().node, Some(2));
}

#[test]
fn l149_code_129_to_version_negotiation_makes_the_producer_begin_again() {
    let mut world = World::new(config(), 1);
    world.versions_error = ErrorCode::REBOOTSTRAP_REQUIRED;
    let topic = world.producer.topic("t").unwrap();
    world.pass(500);
    assert!(world.metadata_requests.is_empty());
    world.versions_error = ErrorCode::NONE;
    world.pass(2_000);
    world.send(topic, 0, "x");
    assert_eq!(world.take().only().values, ["x"]);
}

#[test]
fn l149_with_strategy_none_nothing_is_forgotten() {
    let mut world = World::new(Config { rebootstrap: false, ..config() }, 1);
    let topic = world.warm();
    world.send(topic, 0, "x");
    let sent = world.take();
    world.metadata_error = ErrorCode::REBOOTSTRAP_REQUIRED;
    world.answer(&sent, &[(6, -1)]);
    world.back_off();
    assert!(!closed(&mut world, Reason::Rebootstrap));
    assert_eq!(world.take().node, Some(1));
}

#[test]
fn l150_throttling_holds_requests_back_and_gives_those_on_their_way_more_time() {
    let settings = Config { request_timeout: Duration::from_millis(1_000), ..config() };
    let mut world = World::new(settings, 2);
    let topic = world.warm();
    world.send(topic, 0, "a");
    let first = world.take();
    world.send(topic, 1, "b");
    let second = world.take();
    world.answer_with(&first, &[(0, 1)], |reply, _| reply.throttle_ms = 500);
    world.send(topic, 0, "c");
    world.pass(499);
    assert!(world.take_all().is_empty());
    world.pass(1);
    assert_eq!(world.take().only().values, ["c"]);
    // "b" has waited for a second by now, half of which was not its own.
    world.pass(600);
    assert!(!closed(&mut world, Reason::RequestTimeout));
    world.acknowledge(&second, 0);
    assert_eq!(world.outcomes().len(), 2);
}

#[test]
fn l151_a_request_timeout_closes_the_link_and_late_bytes_are_ignored() {
    let settings = Config { request_timeout: Duration::from_millis(1_000), ..config() };
    let mut world = World::new(settings, 2);
    let topic = world.warm();
    world.send(topic, 0, "a");
    let first = world.take();
    world.pass(900);
    world.send(topic, 1, "b");
    let second = world.take();
    world.pass(100);
    assert!(closed(&mut world, Reason::RequestTimeout));
    world.acknowledge(&first, 7);
    world.pass(300);
    let again = world.take();
    let bytes: Vec<_> = again.batches.iter().map(|batch| &batch.bytes).collect();
    assert_eq!(bytes, [&first.only().bytes, &second.only().bytes], "as they were");
    world.acknowledge(&again, 1);
    let mut outcomes = world.outcomes();
    outcomes.sort_by_key(|outcome| outcome.0);
    assert_eq!(outcomes, [(0, 1, 1, written(1)), (1, 0, 1, written(1))]);
}

#[test]
fn topics_go_by_id_where_the_broker_takes_ids_and_by_name_where_one_has_none() {
    let mut world = World::new(config(), 2);
    let topic = world.warm();
    world.send(topic, 0, "x");
    let sent = world.take();
    assert_eq!((sent.version, &sent.only().said[..]), (13, &[1; 16][..]));
    world.acknowledge(&sent, 1);

    let mut world = World::new(config(), 1);
    world.metadata_max = 9;
    let topic = world.ready();
    world.send(topic, 0, "x");
    let sent = world.take();
    assert_eq!((sent.version, &sent.only().said[..]), (12, &b"t"[..]));
    world.acknowledge(&sent, 0);
    assert_eq!(world.outcomes(), [(0, 0, 1, written(0))]);
}

#[test]
fn one_request_names_all_topics_or_none() {
    let settings = Config { linger: Duration::from_millis(5), ..config() };
    let mut world = World::new(settings, 2);
    world.metadata_max = 9;
    let old = world.ready();
    world.metadata_max = 13;
    for link in world.links() {
        world.disconnect(link);
    }
    world.topics.insert("u".into(), std::vec![Some(Leader { id: 1, epoch: 0 }); 3]);
    let new = world.producer.topic("u").unwrap();
    world.pass(1_000);
    for (topic, partition) in [(new, 0), (old, 0), (new, 1), (old, 1), (new, 2)] {
        world.send(topic, partition, "x");
    }
    world.pass(5);
    let sent = world.take();
    assert_eq!(sent.version, 12, "\"t\" has no id yet");
    let said: Vec<_> = sent.batches.iter().map(|b| b.topic.as_str()).collect();
    assert_eq!(said, ["u", "u", "u", "t", "t"]);
    world.acknowledge(&sent, 0);
    assert_eq!(world.outcomes().len(), 5);
}

#[test]
fn several_topics_go_by_id_in_one_request_and_answers_find_them_in_any_order() {
    let settings = Config { linger: Duration::from_millis(5), ..config() };
    for reverse in [false, true] {
        let mut world = World::new(settings, 2);
        let t = world.ready();
        world.topics.insert("u".into(), std::vec![Some(Leader { id: 1, epoch: 0 }); 2]);
        let u = world.producer.topic("u").unwrap();
        world.run();
        for (topic, partition) in [(t, 0), (u, 0), (t, 1), (u, 1)] {
            world.send(topic, partition, "x");
        }
        world.pass(5);
        let sent = world.take();
        assert_eq!((sent.version, sent.batches.len()), (13, 4));
        let offsets: Vec<_> = (0..4).map(|offset| (0, offset)).collect();
        world.answer_with(&sent, &offsets, |reply, _| {
            if reverse {
                reply.topics.reverse();
                for topic in &mut reply.topics {
                    topic.partitions.reverse();
                }
            }
        });
        let mut outcomes = world.outcomes();
        outcomes.sort_by_key(|(_, _, _, outcome)| std::format!("{outcome:?}"));
        let offsets: Vec<_> = outcomes.iter().map(|(.., outcome)| *outcome).collect();
        assert_eq!(offsets, [written(0), written(1), written(2), written(3)]);
    }
}

/// A topic that is deleted and made again while a batch is on its way.
fn made_anew(code: i16) -> (World, Topic, Sent) {
    let mut world = World::new(config(), 1);
    let topic = world.warm();
    world.send(topic, 0, "1");
    let old = world.take();
    world.topic_ids.insert("t".into(), 2);
    world.answer(&old, &[(code, -1)]);
    (world, topic, old)
}

#[test]
fn regression_texts_of_a_batch_that_is_not_found_go_nowhere() {
    let settings = Config { linger: Duration::from_millis(5), ..config() };
    let mut world = World::new(settings, 2);
    let t = world.ready();
    world.topics.insert("u".into(), std::vec![Some(Leader { id: 1, epoch: 0 }); 2]);
    let u = world.producer.topic("u").unwrap();
    world.run();
    world.send(t, 1, "first");
    world.pass(5);
    let first = world.take();
    world.send(t, 0, "x");
    world.send(u, 0, "x");
    world.pass(5);
    let sent = world.take();
    world.acknowledge(&first, 0);
    world.send(t, 1, "of the application");
    world.answer_with(&sent, &[(87, -1), (87, -1)], |reply, _| {
        reply.topics[0].partitions[0].text = Some("no".to_string());
        // As if the id had been changed meanwhile.
        reply.topics[1].name = std::vec![99; 16];
        reply.topics[1].partitions[0].text = Some("Z".repeat(150));
    });
    world.pass(5);
    let values: Vec<_> =
        world.take_all().iter().flat_map(|s| &s.batches).flat_map(|b| b.values.clone()).collect();
    assert!(values.contains(&"of the application".to_string()), "{values:?}");
}

#[test]
fn a_topic_that_was_made_anew_gets_the_same_batch_under_its_new_id() {
    for code in [100, 103, 3] {
        let (mut world, topic, old) = made_anew(code);
        world.back_off();
        let again = world.take();
        assert_eq!(again.only().said, [2; 16]);
        assert_eq!(again.only().bytes, old.only().bytes, "sequences go on");
        // Nothing is proven of the new topic: one at a time.
        world.send(topic, 0, "2");
        assert!(world.take_all().is_empty());
        world.acknowledge(&again, 0);
        assert_eq!(world.take().only().values, ["2"]);
        assert_eq!(world.outcomes(), [(0, 1, 1, written(0))]);
    }
}

#[test]
fn an_answer_under_an_id_that_is_not_in_use_any_more_proves_nothing() {
    let mut world = World::new(config(), 2);
    world.nodes.push(2);
    world.lead(1, 2, 0);
    let topic = world.warm();
    world.send(topic, 0, "1");
    let old = world.take();
    world.send(topic, 1, "neighbour");
    let neighbour = world.take();
    world.topic_ids.insert("t".into(), 2);
    // The neighbour's answer makes the client look while the other is on its way.
    world.answer(&neighbour, &[(3, -1)]);
    world.pass(200);
    world.sent.clear();
    world.acknowledge(&old, 5);
    assert_eq!(world.outcomes(), []);
    world.back_off();
    let again = world.take();
    assert_eq!(
        (again.only().said.as_slice(), &again.only().bytes),
        (&[2; 16][..], &old.only().bytes)
    );
    world.acknowledge(&again, 0);
    assert_eq!(world.outcomes(), [(0, 1, 1, written(0))]);
}

#[test]
fn a_topic_with_fewer_partitions_than_before_keeps_no_record_in_those_that_are_gone() {
    let mut world = World::new(config(), 8);
    let topic = world.ready();
    let keyless = Record::new(b"x").timestamp(1);
    let accepted = world.producer.produce(world.now, topic, &keyless).unwrap();
    assert!(accepted.partition > 0, "the seed gives another partition than the first");
    let sent = world.take();
    world.topics.get_mut("t").unwrap().truncate(1);
    world.topic_ids.insert("t".into(), 2);
    world.answer(&sent, &[(100, -1)]);
    world.pass(200);
    assert_eq!(world.producer.partition_count(topic), 1);
    let accepted = world.producer.produce(world.now, topic, &keyless).unwrap();
    assert_eq!(accepted.partition, 0);
}

#[test]
fn partitions_that_are_added_are_used() {
    let mut world = World::new(config(), 1);
    let topic = world.warm();
    let beyond = Record::new(b"x").partition(2).timestamp(1);
    let refused = world.producer.produce(world.now, topic, &beyond);
    assert_eq!(refused.err(), Some(Refused::PartitionUnknown));
    world.topics.get_mut("t").unwrap().resize(3, Some(Leader { id: 1, epoch: 0 }));
    world.pass(200);
    assert_eq!(world.producer.partition_count(topic), 3);
    assert!(world.producer.produce(world.now, topic, &beyond).is_ok());
    assert_eq!(world.take().only().partition, 2);
}

#[test]
fn a_cluster_of_300_brokers_needs_two_links_for_one_partition() {
    let mut world = World::new(config(), 1);
    world.nodes = (1..=300).collect();
    world.lead(0, 217, 4);
    let topic = world.ready();
    // The table of brokers grows with the first answer; the second finds the leader.
    world.pass(1_000);
    for round in 0..50 {
        world.send(topic, 0, "x");
        let sent = world.take();
        assert_eq!(sent.node, Some(217));
        world.acknowledge(&sent, round);
        world.pass(1_000);
    }
    assert_eq!(world.attempts, 2, "the address to begin with, and the leader");
    assert_eq!(world.notices.iter().filter(|e| matches!(e, Event::LinkEnded(..))).count(), 0);
}
