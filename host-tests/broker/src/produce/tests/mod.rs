//! What becomes of batches: [`checks`] before the append, and [`waiting`] after it; [`releases`]:
//! what versions and older brokers do differently; [`rows`]: clauses of scenario rows that none of
//! them asserts.

mod checks;
mod releases;
mod rows;
mod waiting;

use crate::testing::{Client, Produced, produce_request};
use crate::{Config, NewTopic, Replication};

/// Three nodes; `t` has one partition on all of them, led by node 1.
fn replicated(replication: Replication, min_in_sync: &str) -> Client {
    let mut client = Client::with(Config { replication, ..Config::new(3) });
    let topic = NewTopic::assigned("t", &[&[1, 2, 3]]).config("min.insync.replicas", min_in_sync);
    client.cluster.create_topic(&topic).unwrap();
    client
}

fn codes(answers: &[Produced]) -> Vec<i16> {
    answers.iter().map(|answer| answer.error).collect()
}

/// The answer for one batch in a version, with `acks`.
fn ask(client: &mut Client, version: i16, acks: i16, batch: &[u8]) -> Produced {
    client.send(&produce_request(version, acks, 1_000, &[(0, batch)]));
    client.produced(version).expect("an answer").remove(0)
}

fn end(client: &Client) -> i64 {
    client.cluster.log_end("t", 0).unwrap()
}
