//! Links: version negotiation (R15), bad input, addresses, bounds.

use std::string::{String, ToString};
use std::vec::Vec;

use super::world::{World, config};
use crate::config::Config;
use crate::error::Fault;
use crate::link::{Link, Reason};
use crate::memory::{Growable, Owner};
use crate::message::broker::{RequestHeader, answer};
use crate::message::{Api, ErrorCode, Versions, api_versions};
use crate::producer::{Event, LinkAction, Producer};
use crate::record::Record;
use crate::time::{Duration, Instant};

/// A producer whose only link is played by hand.
struct Hand<O = Growable> {
    producer: Producer<O>,
    now: Instant,
}

impl Hand {
    fn new() -> Self {
        let mut producer = Producer::new(Growable::new(1 << 20), config(), 1);
        assert!(producer.bootstrap("first", 1));
        assert!(producer.set_wall_clock(Instant::ZERO, 1_700_000_000_000));
        Self { producer, now: Instant::from_millis(1) }
    }
}

impl<O: Owner> Hand<O> {
    /// Has a record queued: a cause to reach the cluster, however often it takes.
    fn queue(&mut self) {
        let topic = self.producer.declare_topic("t", 1).unwrap();
        self.producer.produce(self.now, topic, &Record::new(b"v").partition(0)).unwrap();
    }

    /// The next link that is wanted, and its address.
    fn connect(&mut self) -> (Link, String, u16) {
        self.producer.handle_timeout(self.now);
        match self.producer.poll_link() {
            Some(LinkAction::Connect(link, address)) => {
                (link, address.host.to_string(), address.port)
            }
            other => panic!("no connect but {other:?}"),
        }
    }

    fn wait(&mut self, millis: u64) {
        self.now = self.now.after(Duration::from_millis(millis));
        self.producer.handle_timeout(self.now);
    }

    /// The frames that are sent on a link.
    fn sent(&mut self, link: Link) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.producer.output(link) {
            bytes.extend_from_slice(piece.bytes);
        }
        self.producer.consume_output(self.now, link, bytes.len());
        bytes
    }

    /// Connects and returns the version in which ApiVersions is asked for, with its correlation.
    fn negotiate(&mut self, link: Link) -> (i16, i32) {
        self.producer.handle_connected(self.now, link);
        self.asked(link)
    }

    fn asked(&mut self, link: Link) -> (i16, i32) {
        let bytes = self.sent(link);
        let size = u32::from_be_bytes(*bytes.first_chunk().unwrap());
        assert_eq!(size as usize, bytes.len() - 4, "one whole frame");
        let (header, _) = RequestHeader::read(&bytes[4..]).unwrap();
        assert_eq!(header.key, Api::ApiVersions.key());
        (header.version, header.correlation)
    }

    fn input(&mut self, link: Link, bytes: &[u8]) {
        self.producer.handle_input(self.now, link, bytes);
    }

    /// Why the last link was closed, by the event and by the order to close.
    fn closed(&mut self) -> Reason {
        let ordered = match self.producer.poll_link() {
            Some(LinkAction::Close(_, reason)) => reason,
            other => panic!("no close but {other:?}"),
        };
        while let Some(event) = self.producer.poll_event() {
            if let Event::LinkEnded(_, reason) = event {
                assert_eq!(reason, ordered);
            }
        }
        ordered
    }
}

fn refusal(correlation: i32, apis: Vec<(i16, Versions)>) -> Vec<u8> {
    let body = api_versions::broker::Answer {
        error: ErrorCode::UNSUPPORTED_VERSION,
        apis,
        ..api_versions::broker::Answer::default()
    };
    answer(Api::ApiVersions, 0, correlation, |out| body.write(0, out))
}

/// The answer of a broker that has all versions.
fn known(version: i16, correlation: i32) -> Vec<u8> {
    let body = api_versions::broker::Answer {
        apis: Api::ALL.iter().map(|api| (api.key(), api.versions())).collect(),
        finalized_epoch: -1,
        ..api_versions::broker::Answer::default()
    };
    answer(Api::ApiVersions, version, correlation, |out| body.write(version, out))
}

#[test]
fn r15_negotiation_starts_at_version_4_and_follows_a_refusal_on_the_same_link() {
    let mut hand = Hand::new();
    let _ = hand.producer.topic("t").unwrap();
    let (link, _, _) = hand.connect();
    let (version, correlation) = hand.negotiate(link);
    assert_eq!(version, 4);
    hand.input(link, &refusal(correlation, std::vec![(18, Versions { min: 0, max: 2 })]));
    assert_eq!(hand.asked(link).0, 2);
}

#[test]
fn r15_an_empty_refusal_falls_back_to_version_0_on_the_same_link() {
    let mut hand = Hand::new();
    let _ = hand.producer.topic("t").unwrap();
    let (link, _, _) = hand.connect();
    let (_, correlation) = hand.negotiate(link);
    hand.input(link, &refusal(correlation, Vec::new()));
    let (version, correlation) = hand.asked(link);
    assert_eq!(version, 0);
    // Refused even so: the link ends, by name.
    hand.input(link, &refusal(correlation, Vec::new()));
    let refused = Fault::Negotiation(ErrorCode::UNSUPPORTED_VERSION);
    assert_eq!(hand.closed(), Reason::Fault(refused));
}

#[test]
fn r15_a_broker_that_hangs_up_is_asked_in_version_3_then_0() {
    let mut hand = Hand::new();
    hand.queue();
    let mut versions = Vec::new();
    for _ in 0..4 {
        let (link, _, _) = hand.connect();
        versions.push(hand.negotiate(link).0);
        hand.producer.handle_disconnected(hand.now, link, Reason::Disconnected);
        hand.wait(1_500);
    }
    assert_eq!(versions, [4, 3, 0, 4]);
}

#[test]
fn r15_version_5_is_used_once_the_broker_has_named_it() {
    let mut hand = Hand::new();
    hand.queue();
    let (link, _, _) = hand.connect();
    let (version, correlation) = hand.negotiate(link);
    hand.input(link, &known(version, correlation));
    hand.producer.handle_disconnected(hand.now, link, Reason::Disconnected);
    hand.wait(1_500);
    let (link, _, _) = hand.connect();
    assert_eq!(hand.negotiate(link).0, 5);
}

#[test]
pub(super) fn r15_what_a_broker_takes_is_learned_anew_after_every_failure() {
    let mut hand = Hand::new();
    hand.queue();
    // What happens to an attempt: nothing listens, the broker hangs up, or it answers.
    let (down, silent, answers) = (0, 1, 2);
    let mut versions = Vec::new();
    let ends = [
        silent, answers, silent, down, silent, silent, answers, answers, silent, silent, down,
        answers, down, silent, silent, silent,
    ];
    for end in ends {
        let (link, _, _) = hand.connect();
        if end != down {
            let (version, correlation) = hand.negotiate(link);
            versions.push(version);
            if end == answers {
                let frame = known(version, correlation);
                hand.input(link, &frame);
            }
        }
        hand.producer.handle_disconnected(hand.now, link, Reason::Disconnected);
        hand.wait(1_500);
    }
    assert_eq!(versions, [4, 3, 5, 4, 3, 0, 5, 5, 3, 4, 4, 3, 0]);
}

#[test]
fn r15_the_next_bootstrap_address_is_tried_after_a_second() {
    let mut hand = Hand::new();
    assert!(hand.producer.bootstrap("second", 2));
    let _ = hand.producer.topic("t").unwrap();
    let (_, host, _) = hand.connect();
    assert_eq!(host, "first");
    hand.wait(999);
    assert_eq!(hand.producer.poll_link(), None);
    hand.wait(1);
    let (link, host, port) = hand.connect();
    assert_eq!((host.as_str(), port), ("second", 2));
    assert_eq!(hand.negotiate(link).0, 4);
}

#[test]
pub(super) fn r15_a_broker_without_a_common_version_is_refused_by_name() {
    let mut hand = Hand::new();
    let _ = hand.producer.topic("t").unwrap();
    let (link, _, _) = hand.connect();
    let (version, correlation) = hand.negotiate(link);
    let body = api_versions::broker::Answer {
        apis: std::vec![(0, Versions { min: 0, max: 2 }), (3, Versions { min: 0, max: 13 })],
        finalized_epoch: -1,
        ..api_versions::broker::Answer::default()
    };
    let frame = answer(Api::ApiVersions, version, correlation, |out| body.write(version, out));
    hand.input(link, &frame);
    assert_eq!(hand.closed(), Reason::Fault(Fault::NoCommonVersion));
}

/// What the link says of these bytes, as the first answer.
fn first_answer(bytes: &[u8]) -> Reason {
    let mut hand = Hand::new();
    let topic = hand.producer.declare_topic("t", 1).unwrap();
    let record = Record::new(b"kept").timestamp(0);
    hand.producer.produce(hand.now, topic, &record).unwrap();
    let (link, _, _) = hand.connect();
    hand.negotiate(link);
    let memory = hand.producer.owner().charged();
    // Byte by byte is the same as in one piece.
    let mut by_byte = hand.producer.clone();
    hand.input(link, bytes);
    for byte in bytes {
        by_byte.handle_input(hand.now, link, &[*byte]);
    }
    let reason = hand.closed();
    assert!(matches!(by_byte.poll_link(), Some(LinkAction::Close(_, other)) if other == reason));
    assert_eq!(hand.producer.owner().charged(), memory, "memory does not grow");
    // Nothing queued is lost, and the link is tried again after a pause.
    assert_eq!(hand.producer.owner().blocks_used(), 1);
    assert_eq!(hand.producer.counters().not_written, 0);
    assert_eq!(hand.producer.poll_link(), None);
    hand.wait(1_500);
    hand.connect();
    reason
}

#[test]
fn bad_input_closes_the_link_and_says_what_was_seen() {
    let fault = Reason::Fault;
    assert_eq!(first_answer(b"HTTP/1.1 400 Bad Request\r\n"), fault(Fault::Http));
    assert_eq!(first_answer(&[0x15, 3, 1, 0, 2, 2, 80]), fault(Fault::Tls));
    assert_eq!(first_answer(&[0x16, 3, 3, 0, 100, 2]), fault(Fault::Tls));
    assert_eq!(first_answer(&[0xff, 0xff, 0xff, 0xfe]), fault(Fault::NegativeSize));
    assert_eq!(first_answer(&[0x7f, 0xff, 0xff, 0xff]), fault(Fault::SizeTooLarge));
    // Too short for a correlation id, and for an error code.
    assert_eq!(first_answer(&[0, 0, 0, 2, 0, 0]), fault(Fault::Truncated));
    assert_eq!(first_answer(&[0, 0, 0, 5, 0, 0, 0, 0, 0]), fault(Fault::Truncated));
    assert_eq!(first_answer(&[0, 0, 0, 8, 0, 0, 0, 9, 0, 0]), fault(Fault::WrongCorrelation));
    // A million APIs in three bytes; a varint without an end.
    let many = [0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0xc0, 0x84, 0x3d, 0, 0, 0];
    assert_eq!(first_answer(&many), fault(Fault::CountTooLarge));
    let endless = [0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(first_answer(&endless), fault(Fault::VarintTooLong));
    // An error that negotiation does not know.
    assert_eq!(
        first_answer(&[0, 0, 0, 6, 0, 0, 0, 0, 0, 42]),
        fault(Fault::Negotiation(ErrorCode::INVALID_REQUEST))
    );
}

#[test]
fn an_answer_where_nothing_was_asked_closes_the_link() {
    let mut world = World::new(config(), 1);
    let topic = world.warm();
    let link = world.first_link();
    world.producer.handle_input(world.now, link, &[0, 0, 0, 4, 0, 0, 0, 1]);
    world.run();
    let seen = |event: &Event| {
        matches!(event, Event::LinkEnded(_, Reason::Fault(Fault::UnexpectedAnswer)))
    };
    assert!(world.notices.iter().any(seen), "{:?}", world.notices);
    world.send(topic, 0, "again");
    world.back_off();
    assert_eq!(world.take().only().values, ["again"]);
}

#[test]
fn an_answer_to_a_request_that_was_not_sent_whole_closes_the_link() {
    let mut world = World::new(config(), 1);
    let topic = world.warm();
    world.hold_output = true;
    world.send(topic, 0, "a");
    let link = world.first_link();
    assert!(world.producer.output(link).is_some());
    world.producer.handle_input(world.now, link, &[0, 0, 0, 8, 0, 0, 0, 2, 0, 0, 0, 0]);
    world.run();
    let seen = |event: &Event| {
        matches!(event, Event::LinkEnded(_, Reason::Fault(Fault::UnexpectedAnswer)))
    };
    assert!(world.notices.iter().any(seen), "{:?}", world.notices);
}

#[test]
fn calls_for_a_link_that_has_ended_are_ignored() {
    let mut world = World::new(config(), 1);
    let topic = world.warm();
    let old = world.first_link();
    world.disconnect(old);
    world.send(topic, 0, "a");
    world.back_off();
    let sent = world.take();
    assert_ne!(sent.link, old);
    for _ in 0..2 {
        world.producer.handle_input(world.now, old, b"HTTP");
        world.producer.handle_connected(world.now, old);
        world.producer.handle_disconnected(world.now, old, Reason::Disconnected);
        assert_eq!(world.producer.output(old), None);
        world.producer.consume_output(world.now, old, 7);
    }
    world.acknowledge(&sent, 1);
    assert_eq!(world.outcomes().len(), 1);
}

#[test]
fn throttling_holds_requests_back_and_extends_deadlines() {
    let mut world = World::new(config(), 1);
    let topic = world.warm();
    world.send(topic, 0, "1");
    let first = world.take();
    world.send(topic, 0, "2");
    let second = world.take();
    world.answer_with(&first, &[(0, 1)], |reply, _| reply.throttle_ms = 5_000);
    world.send(topic, 0, "3");
    world.pass(4_999);
    assert!(world.take_all().is_empty());
    world.pass(1);
    let third = world.take();
    assert_eq!(third.only().values, ["3"]);
    // The second became the oldest at the start of the pause: its 30 s begin after it.
    world.pass(29_999);
    assert!(world.notices.is_empty(), "{:?}", world.notices);
    world.answer(&second, &[(0, 2)]);
    world.acknowledge(&third, 3);
    assert_eq!(world.outcomes().len(), 3);
}

#[test]
fn metadata_that_is_needed_waits_for_throttling_to_end() {
    let mut world = World::new(config(), 2);
    let topic = world.warm();
    // The other link is gone, so that only the throttled one is left.
    world.pass(1_000);
    world.send(topic, 0, "1");
    let sent = world.take();
    world.answer_with(&sent, &[(0, 1)], |reply, _| reply.throttle_ms = 5_000);
    for link in world.links().into_iter().filter(|link| *link != sent.link) {
        world.disconnect(link);
    }
    world.down.push(1);
    world.nodes.clear();
    let asked = world.metadata_requests.len();
    let _ = world.producer.topic("u").unwrap();
    world.pass(4_900);
    assert_eq!(world.metadata_requests.len(), asked);
    world.pass(200);
    assert!(world.metadata_requests.len() > asked);
}

crate::fixed! {
    /// Room for four brokers, two of them leaders.
    Device {
        topics: 1, partitions: 2, batches: 4, requests: 6, links: 2, brokers: 4, host: 64,
        names: 8, blocks: 4, block_size: 512,
    }
}

#[test]
fn metadata_of_300_brokers_finds_its_leaders_through_4_slots() {
    let mut world = World::with(Device::new(), config(), 10_000);
    world.nodes = (1..=300).collect();
    for partition in 0..10_000 {
        world.lead(partition, 1 + (partition as i32 % 300), 3);
    }
    world.chunk = 512;
    let topic = world.ready();
    for (partition, node) in [(7, 8), (9_998, 99)] {
        world.send(topic, partition, "x");
        world.back_off();
        world.back_off();
        let sent = world.take();
        assert_eq!((sent.only().partition, sent.node), (partition, Some(node)));
        world.acknowledge(&sent, 0);
    }
    assert_eq!(world.outcomes().len(), 2);
    assert!(world.metadata_requests.len() <= 6, "{}", world.metadata_requests.len());
}

#[test]
fn every_answer_passes_when_it_is_cut_at_every_byte() {
    for chunk in [1, 2, 3, 5, 7, 64] {
        let mut world = World::new(Config { idempotence: true, ..config() }, 3);
        world.chunk = chunk;
        let topic = world.warm();
        for partition in 0..3 {
            world.send(topic, partition, "x");
        }
        for sent in world.take_all() {
            world.acknowledge(&sent, 5);
        }
        assert_eq!(world.outcomes().len(), 3, "pieces of {chunk}");
    }
}

#[test]
fn bytes_are_counted_by_what_they_are_for() {
    let mut world = World::new(config(), 1);
    let topic = world.warm();
    let sent = world.producer.counters().sent;
    let (versions, id) = (sent.handshake, world.id_requests);
    assert!(versions > 0 && id == 1 && sent.metadata > 0 && sent.resend == 0, "{sent:?}");
    world.send(topic, 0, "x");
    let lost = world.take();
    let first = world.producer.counters().sent.produce - sent.produce;
    let size = lost.only().bytes.len() as u64;
    assert!((size..size + 80).contains(&first), "{first} bytes for a batch of {size}");
    world.disconnect(lost.link);
    world.back_off();
    world.back_off();
    let again = world.take();
    world.acknowledge(&again, 1);
    let after = world.producer.counters();
    assert!((size..size + 40).contains(&after.sent.resend), "{:?}", after.sent);
    assert!(after.sent.handshake > versions, "{:?}", after.sent);
    assert!(after.received.produce > 0 && after.received.resend == 0, "{:?}", after.received);
    assert_eq!(after.connections, u64::from(world.attempts));
}

#[test]
fn a_pause_ends_every_link_keeps_the_records_and_wakes_nobody() {
    let hours = Duration::from_secs(7_200);
    let settings = Config { delivery_timeout: hours, metadata_max_age: hours, ..config() };
    let mut world = World::new(settings, 1);
    let topic = world.warm();
    world.send(topic, 0, "in flight");
    let sent = world.take();
    world.producer.pause(world.now);
    world.send(topic, 0, "queued");
    let attempts = world.attempts;
    world.pass(1_800_000);
    assert_eq!(world.producer.poll_timeout(), None);
    assert_eq!((world.attempts, world.links()), (attempts, Vec::new()));
    assert_eq!(world.outcomes(), []);
    world.producer.resume(world.now);
    world.run();
    assert_eq!(world.attempts, attempts + 1, "at once");
    let again = world.take();
    assert_eq!(again.only().bytes, sent.only().bytes);
    world.acknowledge(&again, 1);
    let next = world.take();
    world.acknowledge(&next, 2);
    assert_eq!(world.outcomes().len(), 2);
}

#[test]
fn a_paused_producer_that_is_closed_sends_what_it_has() {
    let mut world = World::new(config(), 1);
    let topic = world.warm();
    world.producer.pause(world.now);
    world.send(topic, 0, "queued");
    world.run();
    world.producer.close(world.now, world.now.after(Duration::from_secs(10)));
    let sent = world.take();
    world.acknowledge(&sent, 1);
    assert_eq!(world.outcomes().len(), 1);
    assert!(world.producer.is_closed());
}
