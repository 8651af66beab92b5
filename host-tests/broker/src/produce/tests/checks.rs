//! The checks of a batch, in their order.

use ottla::record::layout;
use ottla::wire::write::Put;

use super::{ask, codes, end, replicated};
use crate::testing::{
    Client, Made, NONE, Produced, T, Told, batch, made, plain, produce_request, read_produced,
    request, reseal,
};
use crate::{Config, NewTopic, Reload, Replication, UpTo};

const HOUR: i64 = 3_600_000;

fn with_config(name: &str, value: &str) -> Client {
    let mut client = Client::with(Config::new(1));
    client.cluster.create_topic(&NewTopic::new("t", 2, 1).config(name, value)).unwrap();
    client
}

#[test]
fn success_says_where_in_every_version() {
    let mut client = Client::new();
    for version in 3..=12 {
        let answer = ask(&mut client, version, -1, &batch(0, i32::from(version) * 2 - 6, 2));
        let log_start = if version >= 5 { 0 } else { -1 };
        let expected = Produced {
            topic: "t".to_string(),
            base_offset: i64::from(version - 3) * 2,
            append_time: -1,
            log_start,
            ..Produced::default()
        };
        assert_eq!(answer, expected, "version {version}");
    }
    let offsets = client.cluster.records("t", UpTo::HighWatermark).map(|r| r.unwrap().offset);
    assert!(offsets.eq(0..20));
}

#[test]
fn check_1_transactions_need_an_id_and_fail_as_a_whole() {
    let mut client = Client::new();
    let records = &[(T, None)];
    let transactional = made(Made { id: (7, 0, 0), attributes: layout::TRANSACTIONAL, records });
    let answers = client.produce(&[(0, &batch(0, 0, 1)), (1, &transactional)]);
    assert_eq!(codes(&answers), [53, 53]);
    // With an id it fails alone: nobody has opened a transaction.
    let told = client.request(0, 12, 77, |out| {
        out.nullable_string(Some(b"id"), true);
        out.int16(-1);
        out.int32(1_000);
        out.uvarint(2);
        out.string(b"t", true);
        out.uvarint(2);
        out.int32(0);
        out.uvarint(transactional.len() as u32 + 1);
        out.raw(&transactional);
        out.raw(&[0, 0, 0]);
    });
    let Told::Answer(frame) = told else { panic!("{told:?}") };
    assert_eq!(codes(&read_produced(12, &frame)), [48]);
}

#[test]
fn check_3_unknown_partitions_do_not_disturb_the_others() {
    let mut client = Client::new();
    let good = batch(0, 0, 1);
    let answers = client.produce(&[(0, &good), (2, &good), (-1, &good), (1, &good)]);
    assert_eq!(codes(&answers), [0, 3, 3, 0]);
    assert_eq!((answers[1].base_offset, answers[1].append_time), (-1, -1));
    client.cluster.delete_topic(0, "t").unwrap();
    assert_eq!(client.produce_one(&good), (3, -1));
}

#[test]
fn check_4_exactly_one_whole_batch_of_format_2() {
    let mut client = Client::new();
    let good = batch(0, 0, 1);
    let mut old = good.clone();
    old[layout::MAGIC] = 1;
    let two = [good.clone(), good.clone()].concat();
    let cut = &good[..good.len() - 1];
    for (what, bytes) in
        [("none", &[][..]), ("cut", cut), ("header", &good[..16]), ("old", &old), ("two", &two)]
    {
        assert_eq!(client.produce_one(bytes), (87, -1), "{what}");
    }
    let null = client.request(0, 3, 77, |out| {
        out.nullable_string(None, false);
        out.int16(-1);
        out.int32(1_000);
        out.int32(1);
        out.string(b"t", false);
        out.int32(1);
        out.int32(0);
        out.int32(-1);
    });
    let Told::Answer(frame) = null else { panic!("{null:?}") };
    assert_eq!(codes(&read_produced(3, &frame)), [87]);
}

#[test]
fn check_5_zstd_is_for_version_7_on() {
    let mut client = Client::new();
    let zstd = made(Made { id: (-1, -1, -1), attributes: 4, records: &[(T, None)] });
    assert_eq!(ask(&mut client, 6, -1, &zstd).error, 76);
    assert_eq!(ask(&mut client, 7, -1, &zstd).error, NONE);
}

#[test]
fn check_6_acks_are_checked_after_the_batch() {
    let mut client = Client::new();
    client.send(&produce_request(12, 2, 1_000, &[(0, &batch(0, 0, 1)), (0, &[]), (1, &[])]));
    assert_eq!(codes(&client.produced(12).unwrap()), [87, 87]);
    client.send(&produce_request(12, -2, 1_000, &[(0, &batch(0, 0, 1))]));
    assert_eq!(codes(&client.produced(12).unwrap()), [21]);
    assert_eq!(end(&client), 0);
}

#[test]
fn check_7_internal_topics_are_for_the_administration() {
    let mut client = Client::new();
    client.cluster.create_topic(&NewTopic::new("__consumer_offsets", 1, 1)).unwrap();
    for (client_id, code) in [("test", 17), ("__admin_client", 0)] {
        let mut frame = vec![0; 4];
        frame.int16(0);
        frame.int16(3);
        frame.int32(77);
        frame.string(client_id.as_bytes(), false);
        frame.nullable_string(None, false);
        frame.int16(1);
        frame.int32(0);
        frame.int32(1);
        frame.string(b"__consumer_offsets", false);
        frame.int32(1);
        frame.int32(0);
        let batch = plain(&[(T, None)]);
        frame.int32(batch.len() as i32);
        frame.raw(&batch);
        let size = frame.len() as u32 - 4;
        frame[..4].copy_from_slice(&size.to_be_bytes());
        client.send(&frame);
        assert_eq!(codes(&client.produced(3).unwrap()), [code], "{client_id}");
    }
}

#[test]
fn check_8_too_few_in_sync_refuse_acks_all_only() {
    let mut client = replicated(Replication::Instant, "3");
    client.cluster.kill(0, 3).unwrap();
    assert_eq!(client.produce_one(&batch(0, 0, 1)), (19, -1));
    assert_eq!(end(&client), 0);
    assert_eq!(ask(&mut client, 12, 1, &batch(0, 0, 1)).error, NONE);
    client.cluster.start(0, 3).unwrap();
    assert_eq!(client.produce_one(&batch(0, 1, 1)), (0, 1));
}

#[test]
fn check_9_the_base_offset_is_0() {
    let mut client = Client::new();
    let mut wrong = batch(0, 0, 1);
    wrong[7] = 1;
    assert_eq!(client.produce_one(&wrong), (87, -1));
}

#[test]
fn check_10_size_is_that_of_the_whole_batch() {
    let bytes = batch(0, 0, 3);
    let mut client = with_config("max.message.bytes", &bytes.len().to_string());
    assert_eq!(client.produce_one(&batch(0, 0, 4)), (10, -1));
    assert_eq!(client.produce_one(&bytes), (0, 0));
}

#[test]
fn check_11_checksum_and_length() {
    let mut client = Client::new();
    let good = batch(0, 0, 1);
    let mut flipped = good.clone();
    flipped[70] ^= 1;
    let mut short = good.clone();
    short[layout::LENGTH + 3] = 48;
    let mut negative = good.clone();
    negative[layout::LENGTH] = 0xff;
    for wrong in [flipped, short, negative] {
        assert_eq!(client.produce_one(&wrong), (2, -1));
    }
    assert_eq!(client.produce_one(&good), (0, 0));
}

#[test]
fn check_12_counts_control_bit_sequence_and_records() {
    let mut client = Client::new();
    let changed = |at: usize, value: u8| {
        let mut bytes = batch(0, 0, 2);
        bytes[at] = value;
        reseal(&mut bytes);
        bytes
    };
    // The offset delta of the second record stands 4 bytes after its length.
    let second = 61 + (batch(0, 0, 2).len() - 61) / 2;
    for (what, bytes) in [
        ("no records", changed(layout::COUNT + 3, 0)),
        ("a negative number of records", changed(layout::COUNT, 0xff)),
        ("more records", changed(layout::COUNT + 3, 3)),
        ("another last offset", changed(layout::LAST_OFFSET_DELTA + 3, 2)),
        ("control", changed(layout::ATTRIBUTES + 1, 0x20)),
        ("no sequence", changed(layout::BASE_SEQUENCE, 0xff)),
        ("offsets", changed(second + 3, 4)),
        ("a record's length", changed(second, 0x7e)),
    ] {
        assert_eq!(client.produce_one(&bytes), (87, -1), "{what}");
    }
    assert_eq!(client.produce_one(&changed(layout::ATTRIBUTES + 1, 5)), (-1, -1), "no such codec");
    assert_eq!(end(&client), 0);
}

#[test]
fn check_13_compacted_topics_need_keys() {
    let mut client = with_config("cleanup.policy", "compact");
    let bytes = plain(&[(T, Some("a")), (T, None), (T, Some("b")), (T, None)]);
    let answer = ask(&mut client, 8, -1, &bytes);
    let places: Vec<i32> = answer.records.iter().map(|r| r.0).collect();
    assert_eq!((answer.error, places), (87, vec![1, 3]));
    assert!(answer.records[0].1.contains("key") && !answer.text.is_empty());
    let answer = ask(&mut client, 7, -1, &bytes);
    assert_eq!((answer.error, answer.records.len()), (87, 0));
    assert_eq!(ask(&mut client, 8, -1, &plain(&[(T, Some("a"))])).error, NONE);
}

#[test]
fn check_14_timestamps_have_a_range() {
    let mut client = with_config("message.timestamp.before.max.ms", "1000");
    let bytes = plain(&[(T, None), (T - 1_001, None), (T + HOUR + 1, None), (-1, None)]);
    let answer = ask(&mut client, 8, -1, &bytes);
    let places: Vec<i32> = answer.records.iter().map(|r| r.0).collect();
    assert_eq!((answer.error, places), (32, vec![1, 2]));
    let bytes = plain(&[(T - 1_000, None), (T + HOUR, None), (-1, None)]);
    assert_eq!(ask(&mut client, 8, -1, &bytes).error, NONE);
    let late = made(Made { id: (-1, -1, -1), attributes: 1, records: &[(T + HOUR + 1, None)] });
    assert_eq!(ask(&mut client, 8, -1, &late).error, 32, "compressed, by its header");
}

#[test]
fn check_14_append_time_is_the_brokers_alone() {
    let mut client = with_config("message.timestamp.type", "LogAppendTime");
    let records = &[(5, None), (T + 2 * HOUR, None)];
    let marked = made(Made { id: (7, 0, 0), attributes: layout::LOG_APPEND_TIME, records });
    let answer = ask(&mut client, 8, -1, &marked);
    assert_eq!((answer.error, answer.records.len()), (32, 2));
    client.pass(250);
    let bytes = made(Made { id: (7, 0, 0), attributes: 0, records });
    let answer = ask(&mut client, 8, -1, &bytes);
    assert_eq!((answer.error, answer.append_time), (0, T + 250));
    client.pass(250);
    let again = ask(&mut client, 8, -1, &bytes);
    assert_eq!((again.base_offset, again.append_time), (0, T + 250), "a duplicate has the first's");
    let times = client.cluster.records("t", UpTo::LogEnd).map(|r| r.unwrap().record.timestamp);
    assert!(times.eq([T + 250; 2]));
}

#[test]
fn on_create_time_topics_the_header_is_made_true() {
    let mut client = Client::new();
    let records = &[(T, None), (T + 9, None)];
    let mut bytes = made(Made { id: (7, 0, 0), attributes: layout::LOG_APPEND_TIME, records });
    bytes[layout::MAX_TIMESTAMP..layout::MAX_TIMESTAMP + 8].copy_from_slice(&T.to_be_bytes());
    reseal(&mut bytes);
    assert_eq!(client.produce_one(&bytes), (0, 0));
    let times = client.cluster.records("t", UpTo::LogEnd).map(|r| r.unwrap().record.timestamp);
    assert!(times.eq([T, T + 9]));
    let stored = client.cluster.batches("t", 0, UpTo::LogEnd).next().unwrap();
    assert_eq!(stored.max_timestamp, T + 9);
}

#[test]
fn an_untouched_batch_keeps_its_bytes_but_for_offset_and_epoch() {
    let mut client = Client::new();
    client.produce_one(&batch(0, 0, 3));
    client.cluster.truncate(0, "t", 0, 3, Reload::All).unwrap();
    let sent = batch(0, 3, 2);
    assert_eq!(client.produce_one(&sent), (0, 3));
    let stored = client.cluster.batches("t", 0, UpTo::LogEnd).nth(1).unwrap();
    assert_eq!(stored.bytes[..8], 3_i64.to_be_bytes());
    assert_eq!(stored.bytes[8..12], sent[8..12]);
    assert_eq!(stored.bytes[12..16], 1_i32.to_be_bytes());
    assert_eq!(stored.bytes[16..], sent[16..]);
}

#[test]
fn k133_check_15_any_first_sequence_of_an_unknown_producer() {
    let mut client = Client::new();
    assert_eq!(client.produce_one(&batch(3, 57, 2)), (0, 0));
    assert_eq!(client.produce_one(&batch(3, 59, 1)), (0, 2));
}

#[test]
fn k134_check_15_within_an_epoch() {
    let mut client = Client::new();
    client.produce_one(&batch(3, 0, 5));
    client.produce_one(&batch(3, 5, 5));
    assert_eq!(client.produce_one(&batch(3, 11, 1)), (45, -1));
    assert_eq!(client.produce_one(&batch(3, 5, 5)), (0, 5));
    assert_eq!(client.produce_one(&batch(3, 5, 4)), (45, -1));
    assert_eq!(client.produce_one(&batch(3, 10, 1)), (0, 10));
    assert_eq!(end(&client), 11);
    let counters = client.cluster.counters();
    assert_eq!((counters.appended, counters.duplicates, counters.refused), (3, 1, 2));
}

#[test]
fn k135_check_15_epochs() {
    let mut client = Client::new();
    client.produce_one(&batch(3, 0, 10));
    assert_eq!(client.produce_one(&batch(4, 1, 1)), (45, -1));
    assert_eq!(client.produce_one(&batch(2, 0, 1)), (47, -1));
    assert_eq!(client.produce_one(&batch(4, 0, 1)), (0, 10));
    assert_eq!(client.produce_one(&batch(3, 0, 10)), (47, -1));
}

#[test]
fn k136_check_15_sequences_wrap() {
    let mut client = Client::new();
    client.produce_one(&batch(0, i32::MAX, 1));
    assert_eq!(client.produce_one(&batch(0, 0, 1)), (0, 1));
    let mut client = Client::new();
    client.produce_one(&batch(0, i32::MAX - 1, 4));
    assert_eq!(client.produce_one(&batch(0, 2, 1)), (0, 4));
    assert_eq!(client.produce_one(&batch(0, i32::MAX - 1, 4)), (0, 0));
}

#[test]
fn k137_check_15_an_idle_producer_is_forgotten() {
    let mut client = Client::new();
    client.produce_one(&batch(0, 0, 1));
    client.pass(24 * 60 * 60 * 1_000 - 1);
    client.reconnect(1);
    assert_eq!(client.produce_one(&batch(0, 57, 1)), (45, -1));
    client.pass(1);
    client.reconnect(1);
    assert_eq!(client.produce_one(&batch(0, 57, 1)), (0, 1));
}

#[test]
fn check_16_a_batch_fits_into_a_segment_or_is_a_duplicate() {
    let first = batch(0, 0, 1);
    let mut client = with_config("segment.bytes", &first.len().to_string());
    assert_eq!(client.produce_one(&first), (0, 0));
    assert_eq!(client.produce_one(&batch(0, 1, 2)), (18, -1));
}

#[test]
fn of_a_partition_that_stands_twice_the_last_counts() {
    let mut client = Client::new();
    let answers =
        client.produce(&[(0, &batch(0, 0, 1)), (1, &batch(0, 0, 1)), (0, &batch(0, 0, 3))]);
    let told: Vec<_> = answers.iter().map(|a| (a.partition, a.error)).collect();
    assert_eq!((told, end(&client)), (vec![(0, 0), (1, 0)], 3));
}

#[test]
fn several_topics_are_answered_in_their_order() {
    let mut client = Client::new();
    client.cluster.create_topic(&NewTopic::new("a", 1, 1)).unwrap();
    let batch = plain(&[(T, None)]);
    let frame = request(0, 3, 77, |out| {
        ottla::message::produce::request_start(out, 3, 1, 0, 3);
        for name in ["t", "a", "t"] {
            ottla::message::produce::request_topic(out, 3, name.as_bytes(), 1);
            ottla::message::produce::request_partition(out, 3, 0, batch.len() as u32);
            out.raw(&batch);
        }
    });
    client.send(&frame);
    let answers = client.produced(3).unwrap();
    let topics: Vec<_> = answers.iter().map(|a| (a.topic.as_str(), a.base_offset)).collect();
    assert_eq!(topics, [("t", 0), ("a", 0)]);
}
