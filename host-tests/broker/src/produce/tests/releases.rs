//! Topic ids, and what older brokers do differently.

use ottla::message::produce;
use ottla::wire::write::Put;

use super::{ask, end, replicated};
use crate::testing::{Client, Produced, Told, batch, plain, read_produced, request};
use crate::{Config, NewTopic, Profile, Replication};

/// A Produce request in version 13 for partition 0 of a topic.
fn ask_by_id(client: &mut Client, id: [u8; 16], batch: &[u8]) -> (Vec<u8>, Produced) {
    client.send(&request(0, 13, 77, |out| {
        produce::request_start(out, 13, -1, 1_000, 1);
        produce::request_topic(out, 13, &id, 1);
        produce::request_partition(out, 13, 0, batch.len() as u32);
        out.raw(batch);
        for _ in 0..3 {
            produce::request_end(out, 13);
        }
    }));
    let Told::Answer(frame) = client.told() else { panic!("no answer") };
    // Size, correlation, no tags, one topic.
    assert_eq!(frame[9], 2);
    (frame[10..26].to_vec(), read_produced_by_id(&frame))
}

/// Ids are no text.
fn read_produced_by_id(frame: &[u8]) -> Produced {
    let mut frame = frame.to_vec();
    frame[10..26].fill(b'-');
    read_produced(13, &frame).remove(0)
}

#[test]
fn from_version_13_on_topics_stand_by_their_ids() {
    let mut client = Client::new();
    let id = client.cluster.topic_id("t").unwrap();
    let (told, answer) = ask_by_id(&mut client, id, &batch(0, 0, 2));
    assert_eq!((told, answer.error, answer.base_offset), (id.to_vec(), 0, 0));
    assert_eq!(end(&client), 2);
    let (told, answer) = ask_by_id(&mut client, [9; 16], &batch(0, 2, 1));
    assert_eq!((told, answer.error, answer.base_offset), (vec![9; 16], 100, -1));
    // A topic that is made again under its name is another one.
    client.cluster.delete_topic(0, "t").unwrap();
    client.cluster.create_topic(&NewTopic::new("t", 1, 1)).unwrap();
    assert_eq!(ask_by_id(&mut client, id, &batch(0, 2, 1)).1.error, 100);
    let id = client.cluster.topic_id("t").unwrap();
    assert_eq!(ask_by_id(&mut client, id, &batch(0, 0, 1)).1.error, 0);
}

#[test]
fn a_hint_at_the_leader_is_given_by_id_too() {
    let mut client = replicated(Replication::Instant, "1");
    client.cluster.move_leader(0, "t", 0, 2).unwrap();
    let id = client.cluster.topic_id("t").unwrap();
    let (_, answer) = ask_by_id(&mut client, id, &batch(0, 0, 1));
    assert_eq!((answer.error, answer.leader), (6, Some((2, 1))));
    assert_eq!(answer.endpoint, Some((2, 9_093)));
}

fn like(profile: Profile) -> Client {
    let mut client = Client::with(Config { profile, ..Config::new(1) });
    client.cluster.create_topic(&NewTopic::new("t", 1, 1)).unwrap();
    client
}

/// Before KIP-360 whoever is not known has to begin at 0.
#[test]
fn a_producer_that_is_not_known_may_begin_anywhere_from_2_8_on() {
    for profile in Profile::ALL {
        let mut client = like(profile);
        let code = if profile < Profile::V2_8 { 59 } else { 0 };
        let answer = ask(&mut client, 7, -1, &batch(0, 5, 1));
        // Without the start of the log Java's producers would not take a new epoch.
        assert_eq!((answer.error, answer.log_start), (code, 0), "{profile}");
        assert_eq!(end(&client), i64::from(code == 0));
        let mut client = like(profile);
        assert_eq!(ask(&mut client, 7, -1, &batch(0, 0, 1)).error, 0, "{profile}");
        client.cluster.forget_producers("t", 0).unwrap();
        assert_eq!(ask(&mut client, 7, -1, &batch(0, 1, 1)).error, code, "{profile}");
        // A batch without a producer has no sequence.
        assert_eq!(ask(&mut client, 7, -1, &plain(&[(-1, None)])).error, 0, "{profile}");
    }
}

/// Before KIP-467 there was no code for it.
#[test]
fn records_that_are_not_valid_are_corrupt_before_2_4() {
    for profile in Profile::ALL {
        let mut client = like(profile);
        let mut bytes = batch(0, 0, 1);
        // A base offset other than 0.
        bytes[7] = 1;
        let code = if profile == Profile::V2_1 { 2 } else { 87 };
        assert_eq!(ask(&mut client, 7, -1, &bytes).error, code, "{profile}");
    }
}
