//! Writes inputs to begin with: real requests and answers, by our own encoders, and a few runs of a
//! producer. `cargo run -p ottla-fuzz --example seeds -- DIRECTORY`

use std::path::{Path, PathBuf};
use std::{env, fs};

use codec_tests::api_versions::ApiVersions;
use codec_tests::create_topics::CreateTopics;
use codec_tests::delete_topics::DeleteTopics;
use codec_tests::describe_cluster::DescribeCluster;
use codec_tests::describe_configs::DescribeConfigs;
use codec_tests::describe_topic_partitions::DescribeTopicPartitions;
use codec_tests::init_producer_id::InitProducerId;
use codec_tests::metadata::Metadata;
use codec_tests::produce::Produce;
use codec_tests::theirs::Extras;
use codec_tests::{Answers, Requests};
use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::TestRunner;

/// Writes inputs of one target, one after another.
struct Seeds {
    directory: PathBuf,
    count: usize,
}

impl Seeds {
    fn new(root: &Path, target: &str) -> Self {
        let directory = root.join(target);
        fs::create_dir_all(&directory).expect("a directory");
        Self { directory, count: 0 }
    }

    fn add(&mut self, parts: &[&[u8]]) {
        let path = self.directory.join(format!("seed-{:03}", self.count));
        fs::write(path, parts.concat()).expect("a file");
        self.count += 1;
    }
}

fn draw<S: Strategy>(strategy: &S, runner: &mut TestRunner) -> S::Value {
    strategy.new_tree(runner).expect("a value").current()
}

/// Answers and requests of one API, in every version.
fn messages<A: Answers + Requests>(root: &Path, api: u8) {
    let mut runner = TestRunner::deterministic();
    let (mut answers, mut requests) = (Seeds::new(root, "answers"), Seeds::new(root, "requests"));
    let mut differ = Seeds::new(root, "messages_differ");
    for seeds in [&mut answers, &mut requests, &mut differ] {
        seeds.count = usize::from(api) * 30;
    }
    for (place, version) in (0..).zip(A::VERSIONS) {
        let answer = draw(&A::answers(), &mut runner);
        let body = A::their_answer(&answer, version, Extras::All);
        answers.add(&[&[api, place, 1, 5, 1, 0, 3, 9, 2], &body]);
        if A::THEIR_VERSIONS.contains(&version) {
            let request = draw(&A::any(), &mut runner);
            let body = A::their_request(&request, version, Extras::All);
            requests.add(&[&[api, place, 1], &body]);
        }
        differ.add(&[&[1, api, place], b"answer"]);
        differ.add(&[&[0, api, place, 1], b"own"]);
    }
}

fn frames(root: &Path) {
    let mut seeds = Seeds::new(root, "frames");
    let cuts = [3, 1, 4, 1, 5, 9];
    seeds.add(&[&cuts, &[3, 2, 6, 4, 0], &[0, 0, 0, 9, 0, 0, 0, 1, 0, 2, b'h', b'i', 7]]);
    seeds.add(&[&cuts, &[2, 7, 14, 13], &[0, 0, 0, 12, 3, b'h', b'i', 1, 9, 1, 5, 1, 90, 0, 0, 0]]);
    seeds.add(&[&cuts, &[4, 9, 10, 4, 12, 3, 15], &[0, 0, 0, 9, 4, b'a', b'b', b'c', 0, 0, 0, 1]]);
}

fn records(root: &Path) {
    let identity = [7, 0, 0, 0, 0, 0, 0, 0, 1, 0, 5, 0, 0, 0];
    // A time, a key, a value, and headers: what `records::record` reads.
    let plain = [0, 3, 1, b'k', 2, b'v', b'w', 0];
    let headed = [2, 9, 0, u8::MAX, 1, b'v', 1, 1, b'h', u8::MAX];
    let late = [1, 1, 2, 3, 4, 0, 0, 0];
    let mut seeds = Seeds::new(root, "records");
    seeds.add(&[&[2, 0, 0, 0, 0, 0, 0], &identity, &plain, &headed, &late]);
    seeds.add(&[&[2, 22, 1, 60, 9, 70, 0x80], &identity, &plain, &plain]);
    let batch = codec_tests::hex(
        "0000000000000000 0000003d ffffffff 02 e641a44b 0000 00000000 0000018bcfe56800
        0000018bcfe56800 ffffffffffffffff ffff ffffffff 00000001 16 00 00 00 01 0a 68656c6c6f 00",
    );
    seeds.add(&[&[0], &batch, &batch]);
    seeds.add(&[&[1, 1], &batch]);
    let mut seeds = Seeds::new(root, "records_differ");
    seeds.add(&[&identity, &plain, &headed, &late]);
    seeds.add(&[&identity, &late, &plain]);
    let mut seeds = Seeds::new(root, "checksums_differ");
    seeds.add(&[b"123456789"]);
    seeds.add(&[&[0; 300]]);
}

/// Calls, as `producer::call` reads them.
mod calls {
    pub(super) const TOPIC: &[u8] = &[1, 0, 0];
    pub(super) const OTHER_TOPIC: &[u8] = &[1, 1, 130];
    pub(super) const PRODUCE: &[u8] = &[0, 0, 0, 20, 0];
    pub(super) const PRODUCE_KEYED: &[u8] = &[0, 0, 130, 50, 3];
    pub(super) const PUMP: &[u8] = &[16];
    pub(super) const LINK: &[u8] = &[2];
    pub(super) const CONNECTED: &[u8] = &[3, 0];
    pub(super) const WRITE: &[u8] = &[27];
    pub(super) const WELL: &[u8] = &[8, 0, 0, 0];
    pub(super) const WAKE: &[u8] = &[14];
    pub(super) const SECOND: &[u8] = &[11, 6];
    pub(super) const FLUSH: &[u8] = &[17];
    pub(super) const LOST: &[u8] = &[4, 0, 0];
    pub(super) const EVENT: &[u8] = &[15];
    pub(super) const LOOK: &[u8] = &[24, 1];
}

/// The defaults; the first number is the memory.
fn setup(memory: u8) -> [u8; 22] {
    let mut setup = [0; 22];
    setup[0] = memory;
    setup
}

fn producer(root: &Path) {
    use calls::*;
    let mut seeds = Seeds::new(root, "producer");
    for memory in 0..4 {
        let setup = setup(memory);
        let all_is_well: [&[u8]; 7] = [TOPIC, PUMP, PRODUCE, PRODUCE_KEYED, WAKE, PUMP, LOOK];
        seeds.add(&[&setup, &all_is_well.concat()]);
        let by_hand: [&[u8]; 16] = [
            TOPIC,
            PRODUCE,
            LINK,
            CONNECTED,
            WRITE,
            WELL,
            WRITE,
            WELL,
            OTHER_TOPIC,
            PRODUCE,
            FLUSH,
            LINK,
            CONNECTED,
            WRITE,
            WELL,
            EVENT,
        ];
        seeds.add(&[&setup, &by_hand.concat()]);
        // What a broker answers to Produce: correlation, then the code by its place.
        for code in 1..=24 {
            let answered: [&[u8]; 12] = [
                TOPIC,
                PUMP,
                PRODUCE,
                PRODUCE,
                FLUSH,
                WRITE,
                &[8, 0, 7, 2, 0, code],
                EVENT,
                PRODUCE,
                SECOND,
                WAKE,
                PUMP,
            ];
            seeds.add(&[&setup, &answered.concat()]);
        }
        let lost: [&[u8]; 11] =
            [TOPIC, PUMP, PRODUCE, FLUSH, WRITE, LOST, PRODUCE, SECOND, WAKE, PUMP, EVENT];
        seeds.add(&[&setup, &lost.concat()]);
        // Large ones until memory is full, and then nobody listens.
        let full = [&[0, 0, 0, 230, 0][..]; 12].concat();
        seeds.add(&[&setup, TOPIC, PUMP, &full, FLUSH, PUMP]);
        // The first link is that of the address to begin with, the second the leader's.
        // Writers hold blocks while the link is lost, and while the batch is to be sent again.
        let held: [&[u8]; 11] = [
            &[TOPIC, PUMP, PRODUCE, FLUSH, PUMP].concat(),
            PRODUCE,
            PRODUCE,
            FLUSH,
            &[5, 1, 0x8f],
            &[4, 1, 0],
            PUMP,
            WAKE,
            PUMP,
            &[25],
            PUMP,
        ];
        seeds.add(&[&setup, &held.concat()]);
        // Too large for the broker, again and again; what is left is given up.
        let parts: [&[u8]; 7] = [
            &[TOPIC, PUMP, PRODUCE, FLUSH, PUMP].concat(),
            &[0, 0, 0, 20, 0].repeat(8),
            FLUSH,
            &[7, 1, 255, 255, 8, 1, 0, 2, 0, 4].repeat(3),
            WAKE,
            &[14, 7, 1, 255, 255, 8, 1, 0, 2, 0, 4, 15].repeat(4),
            &[11, 9, 14, 18, 0],
        ];
        seeds.add(&[&setup, &parts.concat()]);
        // Two on their way are lost, the first is denied by its sequence, and the other one is there.
        let denied: [&[u8]; 18] = [
            TOPIC,
            PUMP,
            PRODUCE,
            FLUSH,
            PUMP,
            PRODUCE,
            FLUSH,
            &[7, 1, 255, 255],
            PRODUCE,
            FLUSH,
            &[7, 1, 255, 255],
            &[4, 1, 0],
            SECOND,
            &[14, 2, 3, 0, 7, 1, 255, 255, 8, 1, 0, 0].repeat(3),
            &[14, 7, 1, 255, 255, 8, 1, 0, 2, 0, 5],
            &[14, 7, 1, 255, 255, 8, 1, 0, 2, 0, 5],
            &[14, 7, 1, 255, 255, 8, 1, 0, 0],
            PUMP,
        ];
        seeds.add(&[&setup, &denied.concat()]);
        let topics: Vec<u8> = (0..20).flat_map(|number| [1, 130 + number, 131]).collect();
        seeds.add(&[&setup, &topics, PRODUCE, PUMP]);
        let ends: [&[u8]; 6] = [TOPIC, PUMP, PRODUCE, &[19], &[20], &[18, 6]];
        seeds.add(&[&setup, &ends.concat()]);
    }
}

fn cluster(root: &Path) {
    let mut seeds = Seeds::new(root, "cluster");
    // Records, and then something goes wrong: kind, when, whose, how much, what.
    for fault in (72..=255_u8).step_by(9) {
        let send = [1, 10, 8, 0, 30, 0, 0, 0, 0];
        let fault = [fault, 20, 12, 1, 200, 13, fault, 1, 0, 0];
        let again = [1, 90, 14, 1, 20, 3, 0, 0, 0];
        seeds.add(&[&[fault[0], 0], &send, &fault, &again]);
    }
}

fn main() {
    let root = env::args().nth(1).expect("the directory to write to");
    let root = Path::new(&root);
    messages::<Produce>(root, 0);
    messages::<Metadata>(root, 1);
    messages::<ApiVersions>(root, 2);
    messages::<InitProducerId>(root, 3);
    messages::<CreateTopics>(root, 4);
    messages::<DeleteTopics>(root, 5);
    messages::<DescribeConfigs>(root, 6);
    messages::<DescribeCluster>(root, 7);
    messages::<DescribeTopicPartitions>(root, 8);
    frames(root);
    records(root);
    producer(root);
    cluster(root);
}
