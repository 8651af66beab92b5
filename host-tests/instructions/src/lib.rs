//! A producer with a broker that does next to nothing: it takes output without looking at it, and
//! acknowledges each request with an answer that is made of almost nothing. What is measured
//! around it is the core's. [`world`] has the development broker in its place, for what depends on
//! how many partitions there are.

pub mod world;

use ottla::memory::Owner;
use ottla::{
    Accepted, Config, Event, Instant, Link, LinkAction, Outcome, Producer, Record, Refused, Topic,
};

/// Answers of a broker with one node and one topic, frame by frame.
struct Answers {
    versions: Vec<u8>,
    metadata: Vec<u8>,
    producer_id: Vec<u8>,
    produce: Vec<u8>,
}

fn frame(body: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(body.len() + 4).expect("small").to_be_bytes().to_vec();
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(body);
    frame
}

impl Answers {
    /// Produce 3, Metadata 4 and InitProducerId 0: the versions with the plainest encoding.
    fn new(partitions: u32) -> Self {
        let mut versions = vec![0, 0, 0, 0, 0, 4];
        for (key, max) in [(0_i16, 3_i16), (3, 4), (18, 0), (22, 0)] {
            versions.extend_from_slice(&key.to_be_bytes());
            versions.extend_from_slice(&[0, 0]);
            versions.extend_from_slice(&max.to_be_bytes());
        }
        // What a broker says that does not know version 4 of ApiVersions.
        versions[1] = 35;
        let mut metadata = vec![0; 4];
        metadata.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1, 0, 1, b'n', 0, 0, 0x23, 0x84]);
        metadata.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1]);
        metadata.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1, b't', 0]);
        metadata.extend_from_slice(&partitions.to_be_bytes());
        for index in 0..partitions {
            metadata.extend_from_slice(&[0; 2]);
            metadata.extend_from_slice(&index.to_be_bytes());
            metadata.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        }
        let producer_id = [0; 16];
        Self {
            versions: frame(&versions),
            metadata: frame(&metadata),
            producer_id: frame(&producer_id),
            produce: Vec::new(),
        }
    }
}

impl Answers {
    /// Success for these partitions.
    fn acknowledge(&mut self, partitions: &[[u8; 4]]) {
        let size = u32::try_from(4 + 7 + 4 + 22 * partitions.len() + 4).expect("small");
        self.produce.clear();
        self.produce.extend_from_slice(&size.to_be_bytes());
        self.produce.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 1, 0, 1, b't']);
        let count = u32::try_from(partitions.len()).expect("few");
        self.produce.extend_from_slice(&count.to_be_bytes());
        for partition in partitions {
            self.produce.extend_from_slice(partition);
            self.produce.extend_from_slice(&[0; 10]);
            self.produce.extend_from_slice(&[0xff; 8]);
        }
        self.produce.extend_from_slice(&[0; 4]);
    }
}

/// What is known of a link: how many answers it has had, and what was asked on it.
struct Peer {
    link: Link,
    correlation: i32,
}

/// A producer with its broker.
#[allow(missing_debug_implementations)]
pub struct Run<O> {
    producer: Producer<O>,
    topic: Topic,
    answers: Answers,
    peers: Vec<Peer>,
    now: Instant,
    written: u64,
    /// Partitions of the request at hand.
    partitions: Vec<[u8; 4]>,
}

impl<O: Owner> Run<O> {
    /// A producer over `owner` whose topic has so many partitions, connected.
    pub fn new(owner: O, config: Config, partitions: u32) -> Self {
        let mut producer = Producer::new(owner, config, 1);
        assert!(producer.bootstrap("n", 9092));
        let topic = producer.topic("t").expect("a topic");
        let mut run = Self {
            producer,
            topic,
            answers: Answers::new(partitions),
            peers: Vec::with_capacity(8),
            now: Instant::from_millis(1),
            written: 0,
            partitions: Vec::with_capacity(64),
        };
        run.answers.produce.reserve(4_096);
        run.turn();
        run
    }

    /// Hands in one record, and lets everything happen that it asks for.
    ///
    /// # Errors
    /// As [`Producer::produce`].
    pub fn send(&mut self, record: &Record<'_>) -> Result<Accepted, Refused> {
        let accepted = self.producer.produce(self.now, self.topic, record)?;
        if accepted.wake {
            self.turn();
        }
        Ok(accepted)
    }

    /// Sends what is left.
    pub fn flush(&mut self) {
        self.producer.flush(self.now);
        self.turn();
    }

    /// Batches put into requests.
    pub fn batches(&self) -> u64 {
        self.producer.counters().batches
    }

    /// Records reported written.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Goes on until there is nothing to do.
    pub fn turn(&mut self) {
        while self.step() {}
    }

    fn step(&mut self) -> bool {
        let mut busy = false;
        while let Some(action) = self.producer.poll_link() {
            if let LinkAction::Connect(link, _) = action {
                self.peers.push(Peer { link, correlation: 0 });
                self.producer.handle_connected(self.now, link);
            }
            busy = true;
        }
        for index in 0..self.peers.len() {
            busy |= self.serve(index);
        }
        if self.producer.poll_timeout().is_some_and(|at| at <= self.now) {
            self.producer.handle_timeout(self.now);
            busy = true;
        }
        while let Some(event) = self.producer.poll_event() {
            if let Event::Delivered(delivery) = event {
                assert!(matches!(delivery.outcome, Outcome::Written { .. }));
                self.written += u64::from(delivery.count);
            }
        }
        busy
    }

    /// Takes requests one by one; a request begins with its size and API.
    fn serve(&mut self, index: usize) -> bool {
        let link = self.peers[index].link;
        let mut busy = false;
        while let Some(piece) = self.producer.output(link) {
            let size = u32::from_be_bytes([
                piece.bytes[0],
                piece.bytes[1],
                piece.bytes[2],
                piece.bytes[3],
            ]);
            let (key, version) = (piece.bytes[5], piece.bytes[7]);
            let total = size as usize + 4;
            let mut taken = piece.bytes.len();
            self.partitions.clear();
            let mut envelope = [0; 8];
            while taken < total {
                let piece = self.producer.output(link).expect("the rest of a request");
                if piece.block.is_some() {
                    // The envelope before a batch ends with its partition and its size.
                    let [a, b, c, d, ..] = envelope;
                    self.partitions.push([a, b, c, d]);
                } else if let Some(tail) = piece.bytes.last_chunk() {
                    envelope = *tail;
                }
                taken += piece.bytes.len();
            }
            self.producer.consume_output(self.now, link, taken);
            let answer = match key {
                0 => {
                    self.answers.acknowledge(&self.partitions);
                    &mut self.answers.produce
                }
                3 => &mut self.answers.metadata,
                18 => {
                    // Refused in the newest version, answered in the oldest.
                    self.answers.versions[9] = if version == 0 { 0 } else { 35 };
                    &mut self.answers.versions
                }
                _ => &mut self.answers.producer_id,
            };
            answer[4..8].copy_from_slice(&self.peers[index].correlation.to_be_bytes());
            self.peers[index].correlation += 1;
            self.producer.handle_input(self.now, link, answer);
            busy = true;
        }
        busy
    }
}

impl Run<ottla::memory::Growable> {
    /// Bytes that the blocks take now.
    pub fn charged(&self) -> u64 {
        self.producer.owner().charged()
    }
}
