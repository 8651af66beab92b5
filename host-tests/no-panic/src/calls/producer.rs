//! `ottla::producer`, over `ottla::memory::Fixed`, and `ottla::config`

use ottla::config::Problem;
use ottla::producer::partitioner;
use ottla::{Acks, Config, Event, Header, Instant, LinkAction, Producer, Reason, Record};

use super::opaque;

ottla::fixed! {
    Node {
        topics: 2, partitions: 4, batches: 4, requests: 4, links: 2, brokers: 3, host: 64,
        names: 64, blocks: 4, block_size: 512,
    }
}

pub(super) fn all() {
    opaque(partitioner::partition_of(partitioner::key_hash(opaque(b"key")), opaque(3)));
    opaque(Acks::All.wire());
    let config = opaque(Config::new());
    for problem in config.problems(opaque(0)) {
        opaque(Problem::key(problem));
    }
    let mut producer = Producer::new(opaque(Node::new()), config, opaque(1));
    opaque(producer.set_client_id(opaque("id")));
    verbs(&mut producer);
    inputs(&mut producer);
    outputs(&mut producer);
    opaque(producer.counters());
    opaque(producer.config());
    opaque(producer.owner());
}

fn now() -> Instant {
    opaque(Instant::from_micros(opaque(0)))
}

fn verbs(producer: &mut Producer<Node>) {
    opaque(producer.bootstrap(opaque("host"), opaque(9092)));
    opaque(producer.set_wall_clock(now(), opaque(0)));
    producer.pause(now());
    opaque(producer.is_paused());
    producer.resume(now());
    let headers = [Header { key: opaque("key"), value: opaque(None) }];
    for topic in [producer.topic(opaque("t")), producer.declare_topic(opaque("u"), opaque(3))] {
        let Ok(topic) = topic else { continue };
        let record = opaque(Record::new(opaque(b"value")).headers(&headers));
        if let Ok(accepted) = producer.produce(now(), topic, &record) {
            opaque(accepted.batch.index());
            opaque(producer.outcome(opaque(accepted.batch), opaque(accepted.number)));
            opaque(accepted.slot.index());
        }
        opaque(topic.index());
        opaque(producer.topic_name(opaque(topic)));
        opaque(producer.partition_count(opaque(topic)));
    }
    let flush = opaque(producer.flush(now()));
    opaque(producer.is_flushed(flush));
    opaque(producer.is_settled());
    opaque(producer.is_closed());
    if opaque(false) {
        producer.close(now(), now());
    }
}

fn inputs(producer: &mut Producer<Node>) {
    producer.handle_timeout(now());
    let link = match producer.poll_link() {
        Some(LinkAction::Connect(link, address)) => {
            opaque(address);
            link
        }
        Some(LinkAction::Close(link, reason)) => {
            opaque(reason);
            link
        }
        None => return,
    };
    opaque(link.index());
    producer.handle_connected(now(), opaque(link));
    producer.handle_input(now(), opaque(link), opaque(&[0; 64][..]));
    opaque(producer.link_address(opaque(link)));
    opaque(producer.has_output(opaque(link)));
    if let Some(piece) = producer.output(opaque(link)) {
        opaque(piece);
    }
    producer.consume_output(now(), opaque(link), opaque(7));
    producer.handle_disconnected(now(), opaque(link), opaque(Reason::Disconnected));
}

fn outputs(producer: &mut Producer<Node>) {
    opaque(producer.poll_timeout());
    while let Some(event) = producer.poll_event() {
        match opaque(event) {
            Event::LinkEnded(broker, reason) => {
                opaque(reason);
                opaque(producer.broker_address(broker));
            }
            event => {
                opaque(event);
            }
        }
        for complaint in producer.complaints() {
            opaque(complaint);
        }
    }
}
