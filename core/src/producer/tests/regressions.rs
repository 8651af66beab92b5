//! Defects that were found in the machine, each as the steps that showed it.

use std::string::ToString;

use super::world::{Leader, World, config, written};
use crate::config::Config;
use crate::link::Reason;
use crate::message::ErrorCode;
use crate::producer::{Event, LinkAction};
use crate::time::Duration;

#[test]
fn regression_a_ready_partition_takes_no_new_epoch_over_an_unanswered_batch() {
    let mut world = World::new(Config { max_in_flight: 2, ..config() }, 2);
    let t = world.warm();
    world.send(t, 1, "w1");
    let s = world.take();
    world.acknowledge(&s, 0);
    world.outcomes();
    world.send(t, 0, "a");
    let a = world.take();
    world.send(t, 1, "q1");
    let _unanswered = world.take();
    world.send(t, 1, "q2");
    assert_eq!(world.take_all().len(), 0);
    world.answer(&a, &[(45, -1)]);
    let all = world.take_all();
    for s in &all {
        for b in &s.batches {
            assert!(
                b.partition != 1 || b.epoch == 0,
                "q2 under a new epoch while q1 is unanswered"
            );
        }
    }
}

#[test]
fn regression_metadata_of_another_topic_does_not_end_the_search_for_a_leader() {
    let mut world = World::new(config(), 1);
    let t = world.warm();
    world.topics.get_mut("t").unwrap()[0] = None;
    world.topics.insert("u".to_string(), std::vec![Some(Leader { id: 1, epoch: 0 })]);
    world.send(t, 0, "x");
    let s = world.take();
    world.answer(&s, &[(6, -1)]);
    world.pass(3_000);
    assert_eq!(world.sent.len(), 0);
    let _ = world.producer.topic("u").unwrap();
    world.pass(3_000);
    let n = world.metadata_requests.len();
    world.lead(0, 1, 1);
    world.pass(60_000);
    assert!(world.metadata_requests.len() > n, "no metadata asked for in 60 s");
    assert!(!world.sent.is_empty());
}

#[test]
fn regression_an_error_of_a_known_topic_does_not_end_the_search_for_a_leader() {
    let mut world = World::new(config(), 1);
    let t = world.warm();
    world.topics.get_mut("t").unwrap()[0] = None;
    world.send(t, 0, "x");
    let s = world.take();
    world.answer(&s, &[(6, -1)]);
    world.pass(3_000);
    let old = world.topics.remove("t").unwrap();
    world.pass(3_000);
    let n = world.metadata_requests.len();
    world.topics.insert("t".to_string(), old);
    world.lead(0, 1, 1);
    world.pass(60_000);
    assert!(world.metadata_requests.len() > n, "no metadata asked for in 60 s");
    assert!(!world.sent.is_empty());
}

#[test]
fn regression_a_new_partition_is_asked_for_beside_a_new_topic() {
    // 100 partitions in a table of 64: partition 90 gets its slot when first used.
    let mut world = World::new(config(), 100);
    let t = world.ready();
    world.topics.insert("u".to_string(), std::vec![Some(Leader { id: 1, epoch: 0 })]);
    world.pass(1000);
    world.send(t, 90, "x");
    let _ = world.producer.topic("u").unwrap();
    world.pass(100_000);
    assert!(!world.sent.is_empty());
}

#[test]
fn regression_a_proven_batch_is_written_though_a_third_is_unanswered() {
    let mut world =
        World::new(Config { delivery_timeout: Duration::from_millis(30_000), ..config() }, 1);
    let t = world.warm();
    world.send(t, 0, "b1");
    let b1 = world.take();
    world.send(t, 0, "b2");
    let b2 = world.take();
    world.send(t, 0, "b3");
    let _b3 = world.take();
    world.pass(10_000);
    world.answer(&b1, &[(7, -1)]);
    world.answer(&b2, &[(0, 2)]);
    world.pass(21_000);
    let o = world.outcomes();
    assert_eq!(o[0].3, written(-1), "{o:?}");
}

#[test]
fn regression_a_producer_whose_records_expired_is_silent() {
    let mut world = World::new(config(), 1);
    let t = world.warm();
    world.down.push(1);
    let l = world.links();
    for l in l {
        world.disconnect(l);
    }
    world.send(t, 0, "x");
    world.pass(125_000);
    assert_eq!(world.outcomes().len(), 1);
    world.pass(60_000);
    let next = world.producer.poll_timeout();
    assert_eq!(next, None, "now {:?}", world.now);
}

#[test]
fn regression_later_writes_give_the_oldest_request_no_more_time() {
    let mut world = World::new(config(), 2);
    let t = world.warm();
    world.send(t, 0, "a");
    let _ = world.take();
    world.pass(20_000);
    world.send(t, 1, "b");
    let _ = world.take();
    world.notices.clear();
    world.pass(15_000);
    assert!(
        world.notices.iter().any(|e| matches!(e, Event::LinkEnded(_, Reason::RequestTimeout))),
        "{:?}",
        world.notices
    );
}

crate::fixed! {
    Tiny { topics: 2, partitions: 4, batches: 8, requests: 2, links: 2, brokers: 4, host: 64,
        names: 16, blocks: 8, block_size: 256, }
}

#[test]
fn regression_a_full_table_of_requests_keeps_no_timer_busy() {
    let mut world = World::with(Tiny::new(), config(), 2);
    let t = world.warm();
    world.send(t, 0, "a");
    world.run();
    world.send(t, 1, "b");
    world.run();
    assert_eq!(world.sent.len(), 2);
    let _ = world.producer.topic("u").unwrap();
    world.now = world.now.after(Duration::from_millis(2_000));
    for _ in 0..5 {
        world.producer.handle_timeout(world.now);
        while world.producer.poll_link().is_some() {}
        for l in world.links() {
            assert!(world.producer.output(l).is_none());
        }
        let at = world.producer.poll_timeout();
        assert!(at.is_none_or(|at| at > world.now), "{at:?} now {:?}", world.now);
    }
}

#[test]
fn regression_a_full_table_of_requests_makes_no_storm_of_connections() {
    let mut world = World::with(Tiny::new(), config(), 4);
    world.nodes = std::vec![1, 2];
    world.lead(3, 2, 1);
    let t = world.ready();
    world.send(t, 0, "f");
    let s = world.take();
    world.acknowledge(&s, 0);
    world.outcomes();
    world.hold_output = true;
    world.send(t, 0, "a");
    for l in world.links() {
        world.producer.handle_timeout(world.now);
        let mut n = 0;
        while let Some(p) = world.producer.output(l) {
            n += p.bytes.len();
        }
        world.producer.consume_output(world.now, l, n);
    }
    world.send(t, 1, "b");
    for l in world.links() {
        let mut n = 0;
        while let Some(p) = world.producer.output(l) {
            n += p.bytes.len();
        }
        world.producer.consume_output(world.now, l, n);
    }
    world.send(t, 3, "c");
    let mut connects = 0;
    for _ in 0..200 {
        match world.producer.poll_link() {
            Some(LinkAction::Connect(l, _)) => {
                connects += 1;
                world.producer.handle_connected(world.now, l);
            }
            Some(LinkAction::Close(..)) => {}
            None => break,
        }
    }
    assert!(connects < 5, "{connects} connects in one instant");
}

#[test]
fn regression_an_id_is_asked_for_though_nobody_looks_at_the_output() {
    let mut world = World::new(config(), 1);
    // An adapter that calls `output` only where `has_output` says so.
    world.trusting = true;
    let topic = world.ready();
    world.send(topic, 0, "x");
    let sent = world.take();
    world.acknowledge(&sent, 0);
    assert_eq!(world.outcomes().len(), 1);
}

#[test]
fn regression_what_an_answer_on_its_way_has_is_not_asked_for_again() {
    let mut world = World::new(config(), 1);
    let _ = world.warm();
    world.pass(1_000);
    let leaders = std::vec![Some(Leader { id: 1, epoch: 0 }); 3];
    world.topics.insert("u".into(), leaders);
    let asked = world.metadata_requests.len();
    world.hold_output = true;
    let topic = world.producer.topic("u").unwrap();
    world.run();
    for partition in 0..3 {
        world.send(topic, partition, "x");
    }
    world.hold_output = false;
    let sent = world.take();
    world.acknowledge(&sent, 0);
    world.pass(1_000);
    world.send(topic, 0, "y");
    assert_eq!(world.take().only().values, ["y"]);
    assert_eq!(world.metadata_requests.len() - asked, 1);
}

/// Four events beside deliveries wait at most; this one is not among them.
#[test]
fn regression_a_fatal_answer_is_told_however_many_links_end_before_anybody_listens() {
    let mut world = World::new(config(), 6);
    world.lead_each(1..=6);
    let topic = world.warm();
    for partition in 1..6 {
        world.send(topic, partition, "x");
        world.back_off();
        let sent = world.take();
        world.acknowledge(&sent, 0);
    }
    world.send(topic, 0, "y");
    let sent = world.take();
    world.answer_with(&sent, &[(90, -1)], |_, _| {});
    let links = world.links();
    assert!(links.len() >= 4, "{} links", links.len());
    for link in links {
        world.producer.handle_disconnected(world.now, link, Reason::Disconnected);
    }
    world.run();
    assert!(world.notices.contains(&Event::Fatal(ErrorCode(90))), "{:?}", world.notices);
}

/// R14: an end of a pause that nobody waits for wakes nobody.
#[test]
fn regression_r14_nothing_waits_for_a_partition_whose_batches_a_fatal_answer_failed() {
    let mut world = World::new(config(), 1);
    let topic = world.warm();
    world.send(topic, 0, "x");
    let refused = world.take();
    world.send(topic, 0, "y");
    let lost = world.take();
    world.answer(&refused, &[(90, -1)]);
    world.disconnect(lost.link);
    assert_eq!(world.outcomes().len(), 2);
    let next = world.producer.poll_timeout().expect("the age of metadata, at most");
    assert!(next > world.now.after(Duration::from_secs(1)), "{next:?} at {:?}", world.now);
}

#[test]
fn regression_r14_a_link_that_is_throttled_for_days_is_closed_when_it_is_idle() {
    let mut world = World::new(config(), 1);
    let topic = world.ready();
    world.send(topic, 0, "a");
    let sent = world.take();
    world.answer_with(&sent, &[(0, 0)], |reply, _| reply.throttle_ms = i32::MAX);
    world.pass(10 * 60_000);
    world.send(topic, 0, "b");
    assert_eq!(world.take().only().values, ["b"]);
}
