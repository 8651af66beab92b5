//! Answers: none, of the wrong node, and those that wait for replicas.

use ottla::wire::write::Put;

use super::{ask, codes, end, replicated};
use crate::testing::{Client, NONE, Told, batch, produce_request, read_produced};
use crate::{Closed, Config, NewTopic, Reload, Replication, UpTo};

#[test]
fn acks_0_has_no_answer_and_an_error_closes() {
    let mut client = Client::new();
    client.send(&produce_request(12, 0, 1_000, &[(0, &batch(0, 0, 1))]));
    assert_eq!((client.told(), end(&client)), (Told::Nothing, 1));
    client.send(&produce_request(12, 0, 1_000, &[(0, &batch(0, 1, 1)), (5, &batch(0, 1, 1))]));
    let closed = Told::Closed(Closed::WithoutAnswer(ottla::message::ErrorCode(3)));
    assert_eq!((client.told(), end(&client)), (closed, 2));
}

#[test]
fn another_node_names_the_leader_from_version_10_on() {
    let mut client = replicated(Replication::Instant, "1");
    client.cluster.move_leader(0, "t", 0, 3).unwrap();
    let answer = ask(&mut client, 10, -1, &batch(0, 0, 1));
    let hint = (answer.error, answer.leader, answer.endpoint);
    assert_eq!(hint, (6, Some((3, 1)), Some((3, 9_094))));
    let answer = ask(&mut client, 9, -1, &batch(0, 0, 1));
    assert_eq!((answer.error, answer.leader, answer.endpoint), (6, None, None));
    // A node without a replica answers the same.
    client.cluster.create_topic(&NewTopic::assigned("u", &[&[2]])).unwrap();
    let told = client.request(0, 3, 77, |out| {
        let batch = batch(0, 0, 1);
        ottla::message::produce::request_start(out, 3, -1, 1_000, 1);
        ottla::message::produce::request_topic(out, 3, b"u", 1);
        ottla::message::produce::request_partition(out, 3, 0, batch.len() as u32);
        out.raw(&batch);
    });
    let Told::Answer(frame) = told else { panic!("{told:?}") };
    assert_eq!(codes(&read_produced(3, &frame)), [6]);
}

#[test]
fn acks_all_is_held_until_every_partition_is_replicated() {
    let config = Config { replication: Replication::Manual, ..Config::new(2) };
    let mut client = Client::with(config);
    client.cluster.create_topic(&NewTopic::assigned("t", &[&[1, 2], &[1, 2]])).unwrap();
    let good = batch(0, 0, 2);
    client.send(&produce_request(12, -1, 1_000, &[(0, &good), (1, &good)]));
    assert_eq!(client.told(), Told::Nothing);
    assert_eq!(client.cluster.high_watermark("t", 0), Some(0));
    assert_eq!(client.cluster.records("t", UpTo::HighWatermark).count(), 0);
    client.cluster.replicate(0, "t", 0, 2, 2).unwrap();
    assert_eq!(client.told(), Told::Nothing);
    assert_eq!(client.cluster.high_watermark("t", 0), Some(2));
    client.cluster.replicate(0, "t", 1, 2, 2).unwrap();
    assert_eq!(codes(&client.produced(12).unwrap()), [0, 0]);
    // The leader alone, and a duplicate that is replicated, need not wait.
    assert_eq!(ask(&mut client, 12, 1, &batch(0, 2, 1)).error, NONE);
    assert_eq!(client.produce_one(&good), (0, 0));
    // A duplicate that is not replicated waits as its first copy does.
    client.send(&produce_request(12, -1, 1_000, &[(0, &batch(0, 2, 1))]));
    assert_eq!(client.told(), Told::Nothing);
    client.cluster.replicate_all(0);
    assert_eq!(client.produced(12).unwrap()[0].base_offset, 2);
}

#[test]
fn acks_all_takes_the_delay_of_replication() {
    let mut client = replicated(Replication::Delay { min: 3_000, max: 3_000 }, "1");
    client.send(&produce_request(12, -1, 1_000, &[(0, &batch(0, 0, 1))]));
    client.pass(2);
    assert_eq!(client.told(), Told::Nothing);
    client.pass(1);
    assert_eq!(codes(&client.produced(12).unwrap()), [0]);
}

/// A request for one record that waits for replicas.
fn waiting(min_in_sync: &str) -> Client {
    let mut client = replicated(Replication::Manual, min_in_sync);
    client.send(&produce_request(12, -1, 1_000, &[(0, &batch(0, 0, 1))]));
    assert_eq!((client.told(), end(&client)), (Told::Nothing, 1));
    client
}

/// What comes of it; the base offset is told all the same.
fn doubtful(client: &mut Client) -> i16 {
    let answer = client.produced(12).expect("an answer").remove(0);
    assert_eq!((answer.base_offset, client.cluster.counters().doubtful), (0, 1));
    answer.error
}

#[test]
fn after_the_append_7_when_replicas_take_too_long() {
    let mut client = waiting("1");
    client.pass(999);
    assert_eq!(client.told(), Told::Nothing);
    client.pass(1);
    assert_eq!(doubtful(&mut client), 7);
    assert_eq!(end(&client), 1);
}

#[test]
fn after_the_append_6_when_the_leader_moves() {
    let mut client = waiting("1");
    client.cluster.move_leader(0, "t", 0, 2).unwrap();
    let answer = client.produced(12).unwrap().remove(0);
    assert_eq!((answer.error, answer.leader), (6, Some((2, 1))));
    assert_eq!(end(&client), 0, "node 2 did not have it");
}

#[test]
fn after_the_append_6_when_the_tail_is_cut() {
    let mut client = waiting("1");
    client.cluster.truncate(0, "t", 0, 0, Reload::All).unwrap();
    assert_eq!(doubtful(&mut client), 6);
}

#[test]
fn after_the_append_3_when_the_topic_is_deleted() {
    let mut client = waiting("1");
    client.cluster.delete_topic(0, "t").unwrap();
    assert_eq!(doubtful(&mut client), 3);
}

#[test]
fn after_the_append_56_when_the_disk_fails() {
    let mut client = waiting("1");
    client.cluster.fail_disk(0, "t", 0, 1).unwrap();
    assert_eq!(doubtful(&mut client), 56);
    assert_eq!(client.cluster.leader("t", 0), Some(2));
    assert_eq!(client.produce_one(&batch(0, 0, 1)), (56, -1));
    client.cluster.repair_disk(0, "t", 0, 1).unwrap();
    assert_eq!(client.produce_one(&batch(0, 0, 1)), (6, -1));
}

#[test]
fn k142_after_the_append_20_when_replicas_leave_and_the_retry_is_a_duplicate() {
    let mut client = waiting("2");
    client.cluster.leave_in_sync(0, "t", 0, 2).unwrap();
    assert_eq!(client.told(), Told::Nothing);
    client.cluster.leave_in_sync(0, "t", 0, 3).unwrap();
    assert_eq!(doubtful(&mut client), 20);
    client.cluster.replicate_all(0);
    assert_eq!(client.cluster.in_sync("t", 0), [1, 2, 3]);
    assert_eq!(client.produce_one(&batch(0, 0, 1)), (0, 0));
    assert_eq!(end(&client), 1);
}
