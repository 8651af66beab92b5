use ottla::error::Fault;
use ottla::message::{Api, ErrorCode, init_producer_id};
use ottla::wire::write::Put;

use crate::testing::{Client, Told, batch, produce_request, read_produced, request};
use crate::{Action, Closed, Config, Replication, Silence};

fn versions_request(correlation: i32) -> Vec<u8> {
    request(18, 0, correlation, |_| {})
}

/// The correlation ids of the answers that are there.
fn answered(client: &mut Client) -> Vec<i32> {
    let mut ids = Vec::new();
    while let Told::Answer(frame) = client.told() {
        ids.push(i32::from_be_bytes(frame[4..8].try_into().unwrap()));
    }
    ids
}

fn end(client: &Client) -> i64 {
    client.cluster.log_end("t", 0).unwrap()
}

// Malformed input, by the rows of its table.

#[test]
fn malformed_1_sizes() {
    for size in [-1, i32::MIN, 104_857_601] {
        let mut client = Client::new();
        client.send(&i32::to_be_bytes(size));
        assert_eq!(client.told(), Told::Closed(Closed::FrameSize(size)));
    }
    let mut client = Client::new();
    client.send(&104_857_600_i32.to_be_bytes());
    assert_eq!(client.told(), Told::Nothing);
}

#[test]
fn malformed_2_apis_and_versions_that_are_not_served() {
    for (key, version, closed) in [
        (1, 12, Closed::UnknownApi(1)),
        (-1, 0, Closed::UnknownApi(-1)),
        (999, 0, Closed::UnknownApi(999)),
        (0, 2, Closed::UnsupportedVersion(0, 2)),
        (0, 14, Closed::UnsupportedVersion(0, 14)),
        (20, 0, Closed::UnsupportedVersion(20, 0)),
        (75, 1, Closed::UnsupportedVersion(75, 1)),
        (3, 14, Closed::UnsupportedVersion(3, 14)),
        (3, -1, Closed::UnsupportedVersion(3, -1)),
        (19, 1, Closed::UnsupportedVersion(19, 1)),
        (22, 6, Closed::UnsupportedVersion(22, 6)),
    ] {
        let told = Client::new().request(key, version, 1, |out| out.raw(&[0; 64]));
        assert_eq!(told, Told::Closed(closed));
    }
    let mut client = Client::new();
    client.send(&[0, 0, 0, 3, 0, 18, 0]);
    assert_eq!(client.told(), Told::Closed(Closed::Malformed(Fault::Truncated)));
}

#[test]
fn malformed_3_bodies_that_cannot_be_read() {
    let good = produce_request(12, -1, 1_000, &[(0, &batch(0, 0, 1))]);
    // Up to the last two tags the request is cut inside of a value.
    for length in 8..good.len() - 4 {
        let mut client = Client::new();
        client.send(&cut(&good, length));
        let told = client.told();
        assert!(matches!(told, Told::Closed(Closed::Malformed(_))), "{length}: {told:?}");
        assert_eq!(end(&client), 0);
    }
    for (what, version, bytes) in
        [("a negative length", 3, &[0xff, 0xfe][..]), ("a varint without end", 9, &[0xff; 8])]
    {
        let told = Client::new().request(0, version, 1, |out| out.raw(bytes));
        assert!(matches!(told, Told::Closed(Closed::Malformed(_))), "{what}: {told:?}");
    }
}

#[test]
fn malformed_5_and_6_surplus_and_unknown_tags_are_passed() {
    let mut client = Client::new();
    let told = client.request(22, 5, 77, |out| {
        out.nullable_string(None, true);
        out.int32(1);
        out.int64(-1);
        out.int16(-1);
        // Two tagged fields, 3 and 9.
        out.raw(&[2, 3, 2, 8, 8, 9, 0]);
        out.raw(b"surplus");
    });
    assert!(matches!(told, Told::Answer(_)));
}

#[test]
fn malformed_7_null_where_none_is_allowed() {
    let told = Client::new().request(0, 3, 1, |out| {
        out.nullable_string(None, false);
        out.int16(-1);
        out.int32(1_000);
        out.int32(-1);
    });
    assert_eq!(told, Told::Closed(Closed::Malformed(Fault::UnexpectedNull)));
}

#[test]
fn malformed_8_more_elements_than_bytes() {
    let told = Client::new().request(3, 9, 1, |out| {
        out.uvarint(u32::MAX);
        out.raw(&[0; 8]);
    });
    assert_eq!(told, Told::Closed(Closed::Malformed(Fault::CountTooLarge)));
}

#[test]
fn what_came_before_is_answered_and_what_comes_after_is_not() {
    let mut client = Client::new();
    let frames = [versions_request(1), versions_request(2), vec![0xff; 4], versions_request(3)];
    client.send(&frames.concat());
    client.send(&versions_request(4));
    assert_eq!(client.cluster.poll_ready(), Some(client.connection));
    assert_eq!(client.closed(), None, "answers come first");
    assert_eq!(answered(&mut client), [1, 2]);
    assert_eq!(client.cluster.connection_count(), 0);
}

/// A request of each API, of which every byte is needed.
fn whole() -> Vec<Vec<u8>> {
    let of_topic = [&[2, 2, b't'][..], &[0; 16 + 1 + 4 + 1]].concat();
    vec![
        produce_request(12, -1, 1_000, &[(0, &batch(0, 0, 3)), (1, &batch(0, 0, 1))]),
        produce_request(3, -1, 1_000, &[(0, &batch(0, 0, 3))]),
        request(3, 12, 1, |out| out.raw(&[0, 1, 0, 0])),
        request(19, 7, 1, |out| out.raw(&[1, 0, 0, 0, 9, 0, 0])),
        request(18, 3, 1, |out| out.raw(&[2, b'a', 2, b'1', 0])),
        request(22, 5, 1, |out| init_producer_id::request(out, 5)),
        request(20, 6, 1, |out| out.raw(&of_topic)),
        request(32, 4, 1, |out| out.raw(&[2, 2, 2, b't', 0, 0, 1, 1, 0])),
        request(60, 2, 1, |out| out.raw(&[1, 1, 1, 0])),
        request(75, 0, 1, |out| {
            out.raw(&[2, 2, b't', 0, 0, 0, 0, 9, 1, 2, b't', 0, 0, 0, 0, 0, 0])
        }),
    ]
}

/// A frame without its last bytes.
fn cut(frame: &[u8], length: usize) -> Vec<u8> {
    let mut frame = frame[..4 + length].to_vec();
    frame[..4].copy_from_slice(&(length as u32).to_be_bytes());
    frame
}

#[test]
fn malformed_3_requests_of_every_api_that_are_cut_and_5_that_are_too_long() {
    for frame in whole() {
        let key = frame[5];
        let told = |bytes: &[u8]| {
            let mut client = Client::new();
            client.send(bytes);
            client.told()
        };
        assert!(matches!(told(&frame), Told::Answer(_)), "{key}");
        for length in 8..frame.len() - 4 {
            let told = told(&cut(&frame, length));
            let malformed = matches!(told, Told::Closed(Closed::Malformed(_)));
            assert!(malformed, "{key}, {length} bytes: {told:?}");
        }
        let long = [&frame[..], b"surplus"].concat();
        let length = long.len() - 4;
        assert!(matches!(told(&cut(&long, length)), Told::Answer(_)), "{key}");
    }
}

#[test]
fn no_bytes_break_a_cluster() {
    let mut random = crate::random::Random::new(9);
    let frames = whole();
    let mut client = Client::new();
    for round in 0..20_000 {
        let mut bytes = frames[round % frames.len()].clone();
        for _ in 0..random.between(1, 4) {
            let at = random.between(4, bytes.len() as u64 - 1) as usize;
            bytes[at] = random.next() as u8;
        }
        client.send(&bytes);
        while let Told::Answer(_) = client.told() {}
        client.cluster.disconnect(client.now, client.connection);
        client.reconnect(1);
        if client.cluster.topic_id("t").is_none() {
            client.cluster.create_topic(&crate::NewTopic::new("t", 2, 1)).unwrap();
        }
    }
    assert_eq!(client.cluster.connection_count(), 1);
    assert!(client.cluster.counters().requests > 1_000);
}

// Order.

#[test]
fn one_request_at_a_time_in_order() {
    let mut client = Client::with(Config { replication: Replication::Manual, ..Config::new(2) });
    let topic = crate::NewTopic::assigned("t", &[&[1, 2]]);
    client.cluster.create_topic(&topic).unwrap();
    let produce = |sequence| produce_request(12, -1, 1_000, &[(0, &batch(0, sequence, 1))]);
    let frames = [versions_request(1), produce(0), versions_request(2), produce(1)];
    client.send(&frames.concat());
    assert_eq!((answered(&mut client), end(&client)), (vec![1], 1));
    client.cluster.replicate_all(0);
    assert_eq!((answered(&mut client), end(&client)), (vec![77, 2], 2));
    client.cluster.replicate_all(0);
    assert_eq!(answered(&mut client), [77]);
}

#[test]
fn bytes_may_come_one_by_one() {
    let mut client = Client::new();
    for byte in [versions_request(1), versions_request(2)].concat() {
        client.send(&[byte]);
    }
    assert_eq!(answered(&mut client), [1, 2]);
}

#[test]
fn an_idle_connection_is_closed_and_one_that_waits_is_not() {
    let mut client = Client::with(Config { replication: Replication::Manual, ..Config::new(2) });
    let topic = crate::NewTopic::assigned("t", &[&[1, 2]]);
    client.cluster.create_topic(&topic).unwrap();
    client.pass(599_999);
    client.send(&versions_request(1));
    client.pass(599_999);
    assert_eq!(answered(&mut client), [1]);
    client.send(&produce_request(12, -1, 700_000, &[(0, &batch(0, 0, 1))]));
    client.pass(700_000);
    assert_eq!(answered(&mut client), [77]);
    client.pass(599_999);
    assert_eq!(client.told(), Told::Nothing);
    client.pass(1);
    assert_eq!(client.told(), Told::Closed(Closed::Idle));
}

// Hooks.

#[test]
fn a_hook_sees_every_decoded_request() {
    let mut client = Client::new();
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let list = std::sync::Arc::clone(&seen);
    client.cluster.set_hook(move |request| {
        let batches = request.produce().map(|produce| produce.topics[0].partitions.len());
        let (api, version, node) = (request.api, request.version, request.node);
        assert_eq!(request.client_id, Some(&b"test"[..]));
        list.lock().unwrap().push((api, version, node, request.correlation, batches));
        Action::Proceed
    });
    client.send(&versions_request(5));
    client.send(&produce_request(9, -1, 1_000, &[(0, &batch(0, 0, 1)), (1, &batch(0, 0, 1))]));
    let expected = [(Api::ApiVersions, 0, 1, 5, None), (Api::Produce, 9, 1, 77, Some(2))];
    assert_eq!(*seen.lock().unwrap(), expected);
    assert_eq!(client.cluster.fired().proceeded, 2);
    client.cluster.clear_hook();
    client.send(&versions_request(6));
    assert_eq!((answered(&mut client), seen.lock().unwrap().len()), (vec![5, 77, 6], 2));
}

/// A client whose first Produce request meets `action`.
fn with_action(action: Action) -> Client {
    let mut client = Client::new();
    let mut left = 1;
    client.cluster.set_hook(move |seen| {
        if seen.produce().is_none() || left == 0 {
            return Action::Proceed;
        }
        left -= 1;
        action.clone()
    });
    client
}

fn send_batch(client: &mut Client) {
    client.send(&produce_request(12, -1, 1_000, &[(0, &batch(0, 0, 1))]));
}

#[test]
fn action_delay() {
    let mut client = with_action(Action::Delay(5_000));
    send_batch(&mut client);
    client.send(&versions_request(1));
    client.pass(4);
    assert_eq!((answered(&mut client), end(&client)), (vec![], 0));
    client.pass(1);
    assert_eq!((answered(&mut client), end(&client)), (vec![77, 1], 1));
    assert_eq!(client.cluster.fired().delayed, 1);
}

#[test]
fn action_delay_appends_after_the_client_has_gone() {
    let mut client = with_action(Action::Delay(5_000));
    send_batch(&mut client);
    client.send(&produce_request(12, -1, 1_000, &[(1, &batch(0, 0, 1))]));
    client.cluster.disconnect(0, client.connection);
    client.pass(5);
    assert_eq!((end(&client), client.cluster.log_end("t", 1)), (1, Some(0)));
    assert_eq!((client.told(), client.cluster.connection_count()), (Told::Nothing, 0));
    assert_eq!(client.cluster.poll_ready(), None);
}

#[test]
fn action_delay_of_the_answer() {
    let mut client = with_action(Action::DelayAnswer(5_000));
    send_batch(&mut client);
    client.pass(4);
    assert_eq!((answered(&mut client), end(&client)), (vec![], 1));
    client.pass(1);
    assert_eq!(answered(&mut client), [77]);
    assert_eq!(client.cluster.fired().delayed_answers, 1);
}

#[test]
fn action_refuse_does_nothing() {
    let mut client = with_action(Action::Refuse(ErrorCode(19)));
    assert_eq!(client.produce_one(&batch(0, 0, 1)), (19, -1));
    assert_eq!((end(&client), client.cluster.fired().refused), (0, 1));
    assert_eq!(client.produce_one(&batch(0, 0, 1)), (0, 0));
}

#[test]
fn action_answer_after_the_append() {
    let mut client = with_action(Action::AnswerAfter(ErrorCode(56)));
    let answers = client.produce(&[(0, &batch(0, 0, 1)), (9, &batch(0, 0, 1))]);
    let codes: Vec<_> = answers.iter().map(|a| (a.error, a.base_offset)).collect();
    assert_eq!((codes, end(&client)), (vec![(56, 0), (3, -1)], 1));
    assert_eq!(client.cluster.counters().doubtful, 1);
    assert_eq!(client.produce_one(&batch(0, 0, 1)), (0, 0), "a duplicate");
    assert_eq!(client.cluster.fired().answered_after, 1);
}

#[test]
fn action_leave_out() {
    let mut client = with_action(Action::LeaveOut);
    let answers = client.produce(&[(0, &batch(0, 0, 1)), (9, &batch(0, 0, 1))]);
    let told: Vec<_> = answers.iter().map(|a| (a.partition, a.error)).collect();
    assert_eq!((told, end(&client)), (vec![(9, 3)], 1), "it is appended, and not told");
    assert_eq!(client.cluster.fired().left_out, 1);
    assert_eq!(client.produce_one(&batch(0, 0, 1)), (0, 0), "a duplicate");
}

#[test]
fn action_swallow() {
    let mut client = with_action(Action::Swallow(Silence::Close));
    send_batch(&mut client);
    assert_eq!((client.told(), end(&client)), (Told::Closed(Closed::Hook), 1));
    let mut client = with_action(Action::Swallow(Silence::Stay));
    send_batch(&mut client);
    client.send(&versions_request(1));
    client.pass(3_600_000);
    assert_eq!((client.told(), end(&client)), (Told::Nothing, 1));
    assert!(client.cluster.wants_input(client.connection));
    client.send(&vec![0; 1 << 20]);
    assert!(!client.cluster.wants_input(client.connection));
    client.cluster.disconnect(client.now, client.connection);
    assert_eq!((client.cluster.connection_count(), client.cluster.fired().swallowed), (0, 1));
}

#[test]
fn action_throttle_mutes_the_connection() {
    let mut client = with_action(Action::Throttle(500));
    send_batch(&mut client);
    client.send(&versions_request(1));
    let Told::Answer(frame) = client.told() else { panic!("no answer") };
    assert_eq!(frame[frame.len() - 5..], [0, 0, 1, 0xf4, 0], "the time, then no tags");
    assert_eq!(read_produced(12, &frame)[0].error, 0);
    client.pass(499);
    assert_eq!(answered(&mut client), []);
    client.pass(1);
    assert_eq!(answered(&mut client), [1]);
}

#[test]
fn action_answer_and_close() {
    let mut client = with_action(Action::Answer(vec![1, 2, 3]));
    send_batch(&mut client);
    assert_eq!(client.told(), Told::Answer(vec![0, 0, 0, 8, 0, 0, 0, 77, 0, 1, 2, 3]));
    let mut client = with_action(Action::Close);
    send_batch(&mut client);
    assert_eq!((client.told(), end(&client)), (Told::Closed(Closed::Hook), 0));
    assert_eq!(client.cluster.fired().closed, 1);
}

#[test]
fn codes_of_a_hook_reach_every_api() {
    for (action, is_done) in
        [(Action::Refuse(ErrorCode(41)), false), (Action::AnswerAfter(ErrorCode(41)), true)]
    {
        let mut client = Client::new();
        client.cluster.set_hook(move |_| action.clone());
        let id = client.init_producer_id(5, |out| init_producer_id::request(out, 5));
        assert_eq!((id.error, id.producer_id), (ErrorCode(41), -1));
        let versions = client.api_versions(0, |_| {});
        assert_eq!(versions, [ottla::message::api_versions::Item::Error(ErrorCode(41))]);
        let lines = client.metadata(4, |out| {
            ottla::message::metadata::request_start(out, 4, 1);
            ottla::message::metadata::request_topic(out, 4, b"by-metadata");
            ottla::message::metadata::request_end(out, 4, true);
        });
        assert_eq!(lines, ["topic by-metadata 41"]);
        let topics = [ottla::message::create_topics::NewTopic {
            name: "by-request",
            partitions: 1,
            replication: 1,
            configs: &[],
        }];
        let told = client.create_topics(7, |out| {
            ottla::message::create_topics::request(out, 7, &topics, 1_000);
        });
        assert_eq!(told[0].2, 41);
        for name in ["by-metadata", "by-request"] {
            assert_eq!(client.cluster.topic_id(name).is_some(), is_done, "{name}");
        }
        client.cluster.clear_hook();
        let id = client.init_producer_id(5, |out| init_producer_id::request(out, 5));
        assert_eq!(id.producer_id, i64::from(is_done));
    }
}

#[test]
fn a_clone_goes_its_own_way_with_its_hook() {
    let mut client = with_action(Action::Refuse(ErrorCode(19)));
    let mut other = client.cluster.clone();
    assert_eq!(client.produce_one(&batch(0, 0, 1)).0, 19);
    std::mem::swap(&mut client.cluster, &mut other);
    assert_eq!(client.produce_one(&batch(0, 0, 1)).0, 19, "the clone's hook has its own count");
    assert_eq!(client.produce_one(&batch(0, 0, 1)).0, 0);
    assert_eq!((other.log_end("t", 0), end(&client)), (Some(0), 1));
}
