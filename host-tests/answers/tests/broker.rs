//! The broker, driven by the core over fixed memory, and by requests of the core in any order.

use ottla::message::produce::{Answer, Item, PartitionAnswer};
use ottla::message::{ErrorCode, Step};
use ottla::wire::input::{Frame, Input};
use ottla::{Config, Duration, Event, Instant, Link, LinkAction, Outcome, Producer, Record};
use ottla_answers::{Broker, Connection, Faults, Maxima, Rates, Served, Settings, WINDOW};

ottla::fixed! {
    Node {
        topics: 1, partitions: 4, batches: 8, requests: 6, links: 2, brokers: 3, host: 16,
        names: 16, blocks: 8, block_size: 512,
    }
}

type Wire = Connection<2048, 512>;

/// A producer and its broker; all goes through in pieces of so many bytes.
struct Pair {
    producer: Producer<Node>,
    broker: Broker<4>,
    wires: Vec<(Link, Wire)>,
    now: Instant,
    piece: usize,
    written: u32,
    /// Produce requests that went by.
    frames: Vec<Vec<u8>>,
}

impl Pair {
    fn new(settings: Settings, piece: usize) -> Self {
        let mut producer = Producer::new(Node::new(), Config::new(), 1);
        assert!(producer.bootstrap("node", 9092));
        Self {
            producer,
            broker: Broker::new(settings),
            wires: Vec::new(),
            now: Instant::from_millis(1),
            piece,
            written: 0,
            frames: Vec::new(),
        }
    }

    fn produce(&mut self, partition: i32, value: &[u8]) {
        let topic = self.producer.declare_topic("t", 4).expect("a topic");
        let record = Record::new(value).partition(partition).timestamp(1_700_000_000_000);
        self.producer.produce(self.now, topic, &record).expect("room");
        self.producer.flush(self.now);
        self.settle();
    }

    fn settle(&mut self) {
        loop {
            while self.turn() {}
            let Some(at) = self.producer.poll_timeout().filter(|_| self.waits()) else { break };
            self.now = self.now.max(at);
        }
    }

    /// Records have no outcome yet.
    fn waits(&mut self) -> bool {
        let flush = self.producer.flush(self.now);
        !self.producer.is_flushed(flush)
    }

    fn turn(&mut self) -> bool {
        let mut busy = false;
        while let Some(action) = self.producer.poll_link() {
            busy = true;
            match action {
                LinkAction::Connect(link, _) => {
                    self.wires.push((link, Wire::new()));
                    self.producer.handle_connected(self.now, link);
                }
                LinkAction::Close(link, _) => self.wires.retain(|(other, _)| *other != link),
            }
        }
        for (link, wire) in &mut self.wires {
            if let Some(piece) = self.producer.output(*link) {
                let count = wire.accept(&piece.bytes[..piece.bytes.len().min(self.piece)]);
                self.producer.consume_output(self.now, *link, count);
                busy = true;
            }
            if let Some(frame) = request(wire) {
                self.frames.push(frame);
            }
            busy |= self.broker.serve(self.now, wire, &mut ()) == Served::Request;
            let bytes = wire.answers(self.now);
            let bytes = &bytes[..bytes.len().min(self.piece)];
            if !bytes.is_empty() {
                self.producer.handle_input(self.now, *link, bytes);
                let count = bytes.len();
                wire.taken(count);
                busy = true;
            }
        }
        if self.producer.poll_timeout().is_some_and(|at| at <= self.now) {
            self.producer.handle_timeout(self.now);
            busy = true;
        }
        while let Some(event) = self.producer.poll_event() {
            busy = true;
            if let Event::Delivered(delivery) = event {
                assert!(matches!(delivery.outcome, Outcome::Written { .. }), "{delivery:?}");
                self.written += delivery.count;
            }
        }
        busy
    }
}

/// The Produce request that is whole and about to be served.
fn request(wire: &Wire) -> Option<Vec<u8>> {
    let ready = wire.has_request() && wire.answer_at().is_none();
    let frame = wire.requests();
    (ready && frame.get(4..6) == Some(&[0, 0])).then(|| {
        let size = u32::from_be_bytes(*frame.first_chunk().expect("a size"));
        frame[..size as usize + 4].to_vec()
    })
}

/// Requests of a producer, each with one batch for partition 0.
fn frames(count: usize) -> Vec<Vec<u8>> {
    let mut pair = Pair::new(Settings::new("t"), usize::MAX);
    for number in 0..count {
        pair.produce(0, &[number as u8; 10]);
    }
    assert_eq!(pair.frames.len(), count);
    pair.frames
}

/// What the broker says to a request: of its only batch.
fn ask(broker: &mut Broker<4>, frame: &[u8]) -> (ErrorCode, i64) {
    let mut wire = Wire::new();
    assert_eq!(wire.accept(frame), frame.len());
    assert_eq!(broker.serve(Instant::ZERO, &mut wire, &mut ()), Served::Request);
    let bytes = wire.answers(Instant::MAX).to_vec();
    let mut stream = Frame::EMPTY;
    stream.start(bytes.len() as u32 - 9);
    let mut input = Input::new(&mut stream, &bytes[9..]);
    let mut answer = Answer::default();
    let mut told = None;
    loop {
        match answer.next(13, &mut input).expect("an answer") {
            Step::Item(Item::Partition(PartitionAnswer { error, base_offset, .. })) => {
                told = Some((error, base_offset));
            }
            Step::Item(_) => {}
            Step::End => return told.expect("a partition"),
            Step::More => panic!("the answer is cut"),
        }
    }
}

const OUT_OF_ORDER: (ErrorCode, i64) = (ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, -1);

#[test]
fn records_arrive_in_every_version_and_in_pieces_of_any_size() {
    for step in 0..11 {
        let mut settings = Settings::new("t");
        settings.maxima = Maxima {
            produce: 3 + step,
            metadata: 13.min(4 + step),
            api_versions: (step % 5),
            init_producer_id: (step % 6),
        };
        for piece in [1, 3, 100, usize::MAX] {
            let mut pair = Pair::new(settings, piece);
            for number in 0..12_u8 {
                pair.produce(i32::from(number % 4), &[number; 20]);
            }
            assert_eq!(pair.written, 12, "{settings:?} in pieces of {piece}");
            assert!(pair.broker.partitions().iter().all(|p| p.records() == 3));
            assert_eq!(pair.broker.malformed(), 0);
        }
    }
}

#[test]
fn a_batch_that_comes_again_is_told_where_it_is() {
    let frames = frames(7);
    let mut broker = Broker::new(Settings::new("t"));
    for (offset, frame) in (0..).zip(&frames) {
        assert_eq!(ask(&mut broker, frame), (ErrorCode::NONE, offset));
    }
    let (records, hash) = (broker.partitions()[0].records(), broker.partitions()[0].hash());
    for (offset, frame) in (0..).zip(&frames) {
        let kept = offset >= 7 - WINDOW as i64;
        let expected = if kept { (ErrorCode::NONE, offset) } else { OUT_OF_ORDER };
        assert_eq!(ask(&mut broker, frame), expected);
    }
    assert_eq!((records, hash), (7, broker.partitions()[0].hash()));
    assert_eq!(
        (broker.partitions()[0].duplicates(), broker.partitions()[0].out_of_order()),
        (5, 2)
    );
}

#[test]
fn a_gap_is_out_of_order_and_any_sequence_may_be_the_first() {
    let frames = frames(3);
    let mut broker = Broker::new(Settings::new("t"));
    assert_eq!(ask(&mut broker, &frames[0]), (ErrorCode::NONE, 0));
    assert_eq!(ask(&mut broker, &frames[2]), OUT_OF_ORDER);
    let mut broker = Broker::new(Settings::new("t"));
    assert_eq!(ask(&mut broker, &frames[2]), (ErrorCode::NONE, 0));
}

#[test]
fn a_restart_leaves_the_newest_batch() {
    let frames = frames(3);
    let mut broker = Broker::new(Settings::new("t"));
    frames.iter().for_each(|frame| assert!(ask(&mut broker, frame).0.is_success()));
    broker.restart();
    assert_eq!(ask(&mut broker, &frames[1]), OUT_OF_ORDER);
    assert_eq!(ask(&mut broker, &frames[2]), (ErrorCode::NONE, 2));
}

#[test]
fn what_was_changed_on_its_way_is_corrupt() {
    let mut frame = frames(1).remove(0);
    let end = frame.len() - 6;
    frame[end] ^= 1;
    let mut broker = Broker::new(Settings::new("t"));
    assert_eq!(ask(&mut broker, &frame), (ErrorCode::CORRUPT_MESSAGE, -1));
    assert_eq!(broker.malformed(), 1);
}

/// One request under one kind of trouble: what was done, whether an answer came, how many records
/// are in the log.
fn under(rates: Rates) -> (Served, bool, u64) {
    let frame = frames(1).remove(0);
    let mut broker: Broker<4> = Broker::new(Settings::new("t"));
    broker.set_faults(Faults::new(7, rates));
    let mut wire = Wire::new();
    assert_eq!(wire.accept(&frame), frame.len());
    let served = broker.serve(Instant::ZERO, &mut wire, &mut ());
    (served, !wire.answers(Instant::MAX).is_empty(), broker.partitions()[0].records())
}

#[test]
fn trouble_is_what_it_is_called() {
    let none = Rates::NONE;
    assert_eq!(under(none), (Served::Request, true, 1));
    assert_eq!(under(Rates { close_before: 1_024, ..none }), (Served::Closed, false, 0));
    assert_eq!(under(Rates { close_after: 1_024, ..none }), (Served::Closed, false, 1));
    assert_eq!(under(Rates { mute: 1_024, ..none }), (Served::Request, false, 1));
    assert_eq!(under(Rates { error_before: 1_024, ..none }), (Served::Request, true, 0));
    assert_eq!(under(Rates { error_after: 1_024, ..none }), (Served::Request, true, 1));
}

#[test]
fn an_answer_takes_its_time() {
    let frame = frames(1).remove(0);
    let mut broker: Broker<4> = Broker::new(Settings::new("t"));
    let latency_max = Duration::from_millis(100);
    broker.set_faults(Faults::new(7, Rates { latency: 1_024, latency_max, ..Rates::NONE }));
    let mut wire = Wire::new();
    wire.accept(&frame);
    broker.serve(Instant::ZERO, &mut wire, &mut ());
    let at = wire.answer_at().expect("an answer");
    assert!(at > Instant::ZERO && at < Instant::ZERO.after(latency_max));
    assert!(wire.answers(Instant::ZERO).is_empty() && !wire.answers(at).is_empty());
}
