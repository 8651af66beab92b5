//! Scenario rows D (retries without idempotence).

use std::string::{String, ToString};
use std::vec::Vec;

use super::world::{World, config, hint, written};
use crate::config::Config;
use crate::message::ErrorCode;
use crate::message::produce::broker::RecordError;
use crate::producer::{Cause, Delivery, Doubt, Event, Outcome};
use crate::record::Record;
use crate::time::Duration;

fn plain() -> Config {
    Config { idempotence: false, max_in_flight: 1, ..config() }
}

#[test]
fn d32_retries_1_is_two_attempts() {
    let mut world = World::new(Config { retries: 1, ..plain() }, 1);
    let topic = world.ready();
    world.send(topic, 0, "a");
    let first = world.take();
    world.disconnect(first.link);
    world.back_off();
    let second = world.take();
    assert_eq!(second.only().bytes, first.only().bytes);
    world.disconnect(second.link);
    let expected = Outcome::Unknown(Cause::Disconnected, Doubt::Disconnected);
    assert_eq!(world.outcomes(), [(0, 0, 1, expected)]);
    world.back_off();
    assert!(world.take_all().is_empty());
}

#[test]
fn d33_back_off_starts_at_100_ms_and_doubles() {
    let mut world = World::new(plain(), 1);
    let topic = world.ready();
    world.send(topic, 0, "a");
    let sent = world.take();
    world.answer(&sent, &[(19, -1)]);
    world.pass(79);
    assert!(world.take_all().is_empty(), "not before t + 80");
    world.pass(41);
    let sent = world.take();
    world.answer(&sent, &[(19, -1)]);
    world.pass(159);
    assert!(world.take_all().is_empty(), "the second pause is twice as long");
    world.pass(81);
    // And never longer than retry.backoff.max.ms.
    let mut sent = world.take();
    for _ in 0..6 {
        world.answer(&sent, &[(19, -1)]);
        world.pass(1_000);
        sent = world.take();
    }
}

#[test]
fn d34_news_of_a_leader_skip_the_back_off_once() {
    let mut world = World::new(plain(), 1);
    world.lead(0, 1, 100);
    let topic = world.ready();
    world.pass(500);
    world.send(topic, 0, "a");
    let sent = world.take();
    world.lead(0, 1, 101);
    world.answer(&sent, &[(6, -1)]);
    let again = world.take();
    // No newer epoch: the pause is kept.
    world.pass(500);
    world.answer(&again, &[(6, -1)]);
    assert!(world.take_all().is_empty());
    world.pass(79);
    assert!(world.take_all().is_empty());
    world.back_off();
    assert_eq!(world.take().only().bytes, sent.only().bytes);
}

/// A partition that node 1 leads in epoch 7, whose first attempt is answered 6 with this hint.
fn hinted(leader: (i32, i32), endpoint: Option<i32>) -> World {
    let mut world = World::new(plain(), 1);
    world.lead(0, 1, 7);
    world.nodes.push(2);
    let topic = world.ready();
    world.pass(500);
    world.send(topic, 0, "a");
    let sent = world.take();
    assert_eq!((sent.node, sent.version), (Some(1), 13));
    world.answer_with(&sent, &[(6, -1)], |reply, _| hint(reply, leader, endpoint));
    world
}

#[test]
fn d35_a_leader_hint_is_followed_at_once() {
    let mut world = hinted((2, 8), Some(2));
    let before = world.metadata_requests.len();
    let again = world.take();
    assert_eq!(again.node, Some(2));
    assert_eq!(world.metadata_requests.len(), before + 1, "metadata is asked for as well");
}

#[test]
fn d36_a_hint_that_names_nobody_changes_nothing() {
    let mut world = hinted((-1, -1), None);
    let before = world.metadata_requests.len();
    assert!(world.take_all().is_empty());
    assert_eq!(world.metadata_requests.len(), before + 1);
    world.pass(79);
    assert!(world.take_all().is_empty());
    world.pass(41);
    assert_eq!(world.take().node, Some(1));
}

#[test]
fn d37_a_hint_with_the_known_epoch_is_ignored() {
    let mut world = hinted((2, 7), Some(2));
    assert!(world.take_all().is_empty());
    world.pass(120);
    assert_eq!(world.take().node, Some(1));
}

#[test]
fn d38_a_batch_that_expires_in_its_pause_is_never_sent_again() {
    let settings = Config {
        request_timeout: Duration::from_millis(500),
        delivery_timeout: Duration::from_millis(1_000),
        retry_backoff: Duration::from_millis(5_000),
        retry_backoff_max: Duration::from_millis(5_000),
        ..plain()
    };
    let mut world = World::new(settings, 1);
    let topic = world.ready();
    world.send(topic, 0, "a");
    let sent = world.take();
    world.answer(&sent, &[(19, -1)]);
    world.pass(1_000);
    assert_eq!(world.outcomes(), [(0, 0, 1, Outcome::NotWritten(Cause::Timeout))]);
    world.pass(30_000);
    assert!(world.take_all().is_empty());
}

#[test]
fn d39_a_late_refusal_of_an_expired_batch_does_nothing() {
    let settings = Config {
        request_timeout: Duration::from_millis(2_000),
        delivery_timeout: Duration::from_millis(2_000),
        ..plain()
    };
    let mut world = World::new(settings, 1);
    let topic = world.ready();
    world.send(topic, 0, "a");
    let first = world.take();
    world.pass(500);
    world.answer(&first, &[(19, -1)]);
    world.pass(120);
    let again = world.take();
    world.pass(1_400);
    assert_eq!(world.outcomes().len(), 1, "expired");
    world.answer(&again, &[(10, -1)]);
    world.back_off();
    assert!(world.take_all().is_empty());
    assert_eq!(world.outcomes(), []);
    assert_eq!(world.producer.owner().blocks_used(), 0);
}

/// Three records in one batch, refused as 87 with these record errors and this text.
fn complained(
    records: &[(i32, Option<&str>)],
    text: Option<&str>,
) -> (Delivery, Vec<(Option<u32>, String)>) {
    let settings = Config { linger: Duration::from_millis(5), ..plain() };
    let mut world = World::new(settings, 1);
    let topic = world.ready();
    for value in ["a", "b", "c"] {
        let record = Record::new(value.as_bytes()).partition(0).timestamp(1);
        world.producer.produce(world.now, topic, &record).unwrap();
    }
    world.pass(5);
    let sent = world.take();
    assert_eq!(sent.only().count, 3);
    world.answer_with(&sent, &[(87, -1)], |reply, _| {
        let partition = &mut reply.topics[0].partitions[0];
        partition.text = text.map(ToString::to_string);
        partition.records = records
            .iter()
            .map(|(index, text)| RecordError { index: *index, text: text.map(ToString::to_string) })
            .collect();
    });
    let Some(Event::Delivered(delivery)) = world.producer.poll_event() else {
        panic!("no delivery");
    };
    let complaints = world
        .producer
        .complaints()
        .map(|c| (c.place, String::from_utf8(c.text.to_vec()).unwrap()))
        .collect();
    // With the next event the texts, and the slot, are gone.
    assert_eq!(world.producer.poll_event(), None);
    assert_eq!(world.producer.complaints().count(), 0);
    assert_eq!(world.producer.owner().blocks_used(), 0);
    (delivery, complaints)
}

#[test]
fn d40_a_record_error_names_its_record() {
    let (delivery, complaints) = complained(&[(1, Some("too old"))], None);
    let refused = Outcome::NotWritten(Cause::Code(ErrorCode::INVALID_RECORD));
    assert_eq!((delivery.first, delivery.count, delivery.outcome), (0, 3, refused));
    // Record 1 has the text; 0 and 2 have none and fail with the batch.
    assert_eq!(complaints, [(Some(1), "too old".to_string())]);
}

#[test]
fn d41_record_errors_without_texts_leave_the_partition_s() {
    let (_, complaints) = complained(&[(0, None), (2, None)], Some("no keys"));
    let expected =
        [(Some(0), String::new()), (Some(2), String::new()), (None, "no keys".to_string())];
    assert_eq!(complaints, expected);
}

#[test]
fn a_retry_without_idempotence_may_come_behind_a_later_batch() {
    let mut world = World::new(Config { max_in_flight: 5, ..plain() }, 1);
    let topic = world.ready();
    world.send(topic, 0, "1");
    let first = world.take();
    world.send(topic, 0, "2");
    let second = world.take();
    world.answer(&first, &[(19, -1)]);
    world.answer(&second, &[(0, 0)]);
    world.back_off();
    let again = world.take();
    assert_eq!(again.only().values, ["1"]);
    world.acknowledge(&again, 1);
    // Outcomes come in the order of the records all the same.
    assert_eq!(world.outcomes(), [(0, 0, 1, written(1)), (0, 1, 1, written(0))]);
}
