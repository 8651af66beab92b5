//! Scenario rows, clause by clause, where [`super::checks`] and [`super::waiting`] leave some out.

use super::end;
use crate::WINDOW;
use crate::testing::{Client, Made, T, batch, made};

const HOUR: u64 = 3_600_000;

#[test]
fn f57_the_sixth_batch_back_is_no_duplicate() {
    let mut client = Client::new();
    for sequence in 0..6 {
        assert_eq!(client.produce_one(&batch(0, sequence, 1)), (0, i64::from(sequence)));
    }
    // Of six, the first has left the window, and is not told from one that comes too late.
    assert_eq!(client.produce_one(&batch(0, 0, 1)), (45, -1));
    for sequence in 1..6 {
        assert_eq!(client.produce_one(&batch(0, sequence, 1)), (0, i64::from(sequence)));
    }
    assert_eq!((client.produce_one(&batch(0, 6, 1)), end(&client)), ((0, 6), 7));
    assert_eq!(client.cluster.counters().duplicates, WINDOW as u64);
}

#[test]
fn k134_a_stored_batch_repeated_in_part_or_beyond_is_out_of_order() {
    let mut client = Client::new();
    client.produce_one(&batch(3, 0, 5));
    client.produce_one(&batch(3, 5, 5));
    for (first, count) in [(5, 4), (6, 4), (5, 6), (4, 6), (0, 10)] {
        assert_eq!(client.produce_one(&batch(3, first, count)), (45, -1), "{first}, {count}");
    }
    assert_eq!(client.produce_one(&batch(3, 5, 5)), (0, 5));
    assert_eq!(client.produce_one(&batch(3, 0, 5)), (0, 0));
    assert_eq!(end(&client), 10);
}

#[test]
fn k135_a_newer_epoch_forgets_the_batches_of_the_older() {
    let mut client = Client::new();
    client.produce_one(&batch(3, 0, 1));
    client.produce_one(&batch(3, 1, 1));
    assert_eq!(client.cluster.producer("t", 0, 7).unwrap().batches().len(), 2);
    assert_eq!(client.produce_one(&batch(4, 0, 1)), (0, 2));
    let known = client.cluster.producer("t", 0, 7).unwrap();
    assert_eq!((known.epoch(), known.batches().len()), (4, 1));
    // The same sequence is a duplicate of the new batch, not of the old one.
    assert_eq!(client.produce_one(&batch(4, 0, 1)), (0, 2));
    assert_eq!(client.produce_one(&batch(4, 1, 1)), (0, 3));
}

#[test]
fn k136_only_0_comes_after_the_last_sequence() {
    let mut client = Client::new();
    client.produce_one(&batch(0, i32::MAX - 1, 2));
    assert_eq!(client.produce_one(&batch(0, 1, 1)), (45, -1));
    assert_eq!(client.produce_one(&batch(0, 0, 1)), (0, 2));
}

#[test]
fn k137_idle_is_by_the_timestamp_of_the_last_record_not_by_its_arrival() {
    let day = 24 * HOUR as i64;
    let old = |sequence: i32, age: i64| {
        made(Made { id: (7, 0, sequence), attributes: 0, records: &[(T - age, None)] })
    };
    let mut client = Client::new();
    client.produce_one(&old(0, 0));
    // Its record is 23 hours old when it comes: it is forgotten an hour later.
    client.produce_one(&old(1, day - HOUR as i64));
    client.pass(HOUR - 1);
    assert!(client.cluster.producer("t", 0, 7).is_some());
    client.pass(1);
    assert!(client.cluster.producer("t", 0, 7).is_none());
    client.reconnect(1);
    assert_eq!(client.produce_one(&old(57, 0)), (0, 2));
}
