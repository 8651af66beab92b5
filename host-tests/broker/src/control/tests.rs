use crate::testing::{Client, NONE, T, Told, batch, plain, produce_request};
use crate::{Closed, Config, Impossible, NewTopic, Profile, Reload, Replication, UpTo};

fn replicated(replication: Replication) -> Client {
    let mut client = Client::with(Config { replication, ..Config::new(3) });
    client.cluster.create_topic(&NewTopic::assigned("t", &[&[1, 2, 3]])).unwrap();
    client
}

/// A single node that has batches of one record each, 0 to `count` - 1.
fn with_batches(count: i32) -> Client {
    let mut client = Client::new();
    for sequence in 0..count {
        assert_eq!(client.produce_one(&batch(0, sequence, 1)).0, NONE);
    }
    client
}

fn ends(client: &Client) -> Vec<i64> {
    let end = |node| client.cluster.log("t", 0, node).unwrap().end();
    [1, 2, 3].map(end).to_vec()
}

#[test]
fn a_leader_that_is_killed_is_followed_by_one_in_sync() {
    let mut client = replicated(Replication::Instant);
    client.produce_one(&batch(0, 0, 1));
    client.cluster.kill(0, 1).unwrap();
    assert_eq!(client.told(), Told::Closed(Closed::NodeDown));
    assert_eq!(
        (client.cluster.leader("t", 0), client.cluster.leader_epoch("t", 0)),
        (Some(2), Some(1))
    );
    assert_eq!(client.cluster.in_sync("t", 0), [2, 3]);
    assert_eq!(client.cluster.connect(0, 1), None);
    client.reconnect(2);
    assert_eq!(client.produce_one(&batch(0, 0, 1)), (0, 0), "the state was replicated");
    assert_eq!(client.produce_one(&batch(0, 1, 1)), (0, 1));
    client.cluster.start(0, 1).unwrap();
    assert_eq!((client.cluster.in_sync("t", 0), ends(&client)), (vec![1, 2, 3], vec![2; 3]));
    assert_eq!(client.cluster.leader("t", 0), Some(2));
}

#[test]
fn a_killed_leader_takes_its_unreplicated_tail_along() {
    let mut client = replicated(Replication::Manual);
    client.send(&produce_request(12, -1, 1_000, &[(0, &batch(0, 0, 2))]));
    client.cluster.kill(0, 1).unwrap();
    client.reconnect(2);
    client.send(&produce_request(12, 1, 1_000, &[(0, &batch(0, 0, 1))]));
    assert_eq!(client.produced(12).unwrap()[0].base_offset, 0, "node 2 knows nothing of it");
    client.cluster.start(0, 1).unwrap();
    assert_eq!(ends(&client), [2, 1, 0]);
    client.cluster.replicate_all(0);
    assert_eq!(ends(&client), [1, 1, 1]);
    assert_eq!(client.cluster.producer("t", 0, 7).unwrap().batches().len(), 1);
}

#[test]
fn requests_of_a_killed_node_vanish() {
    let mut client = replicated(Replication::Instant);
    client.cluster.set_hook(|_| crate::Action::Delay(1_000));
    client.send(&produce_request(12, -1, 1_000, &[(0, &batch(0, 0, 2))]));
    client.cluster.kill(0, 1).unwrap();
    client.cluster.start(0, 1).unwrap();
    client.pass(10);
    assert_eq!((ends(&client), client.told()), (vec![0; 3], Told::Closed(Closed::NodeDown)));
}

#[test]
fn a_restart_loads_what_it_is_told_to() {
    for (reload, oldest, newest, next) in [
        (Reload::All, (0, 0), (0, 2), (0, 3)),
        (Reload::NewestOnly, (45, -1), (0, 2), (0, 3)),
        (Reload::Nothing, (0, 3), (45, -1), (45, -1)),
    ] {
        let mut client = with_batches(3);
        client.cluster.restart(0, 1, reload).unwrap();
        assert_eq!(client.told(), Told::Closed(Closed::NodeDown));
        assert_eq!(client.cluster.leader_epoch("t", 0), Some(2));
        client.reconnect(1);
        assert_eq!(client.produce_one(&batch(0, 0, 1)), oldest, "{reload:?}");
        assert_eq!(client.produce_one(&batch(0, 2, 1)), newest, "{reload:?}");
        assert_eq!(client.produce_one(&batch(0, 3, 1)), next, "{reload:?}");
    }
}

#[test]
fn a_reload_in_place_keeps_connections_and_epoch() {
    let mut client = with_batches(3);
    client.cluster.reload(0, 1, Reload::NewestOnly).unwrap();
    assert_eq!(client.produce_one(&batch(0, 0, 1)), (45, -1));
    assert_eq!(client.produce_one(&batch(0, 2, 1)), (0, 2));
    assert_eq!(client.cluster.leader_epoch("t", 0), Some(0));
    client.cluster.reload(0, 1, Reload::All).unwrap();
    assert_eq!(client.produce_one(&batch(0, 0, 1)), (0, 0), "it is all in the log");
}

#[test]
fn producers_can_be_forgotten() {
    let mut client = with_batches(3);
    client.cluster.forget_producers("t", 0).unwrap();
    assert_eq!(client.cluster.producer("t", 0, 7), None);
    assert_eq!(client.produce_one(&batch(0, 57, 1)), (0, 3));
}

#[test]
fn producers_expire_by_the_times_of_their_records() {
    let mut client = Client::new();
    let old = crate::testing::Made {
        id: (8, 0, 0),
        attributes: 0,
        records: &[(T - 86_400_000 + 1_000, None)],
    };
    client.produce_one(&crate::testing::made(old));
    client.produce_one(&batch(0, 0, 1));
    assert_eq!(client.cluster.expire_producers(999_000), 0);
    assert_eq!(client.cluster.expire_producers(1_000_000), 1);
    assert_eq!(client.cluster.producer("t", 0, 8), None);
    assert!(client.cluster.producer("t", 0, 7).is_some());
    // What has expired is not loaded from the log either.
    client.cluster.reload(1_000_000, 1, Reload::All).unwrap();
    assert_eq!(client.cluster.producer("t", 0, 8), None);
}

#[test]
fn the_check_for_expiry_runs_at_its_interval_and_only_with_producers() {
    let mut client = Client::with(Config { max_idle: None, ..Config::new(1) });
    client.cluster.create_topic(&NewTopic::new("t", 1, 1)).unwrap();
    client.produce_one(&plain(&[(T, None)]));
    assert_eq!(client.cluster.poll_timeout(), None);
    client.pass(1);
    client.produce_one(&batch(0, 0, 1));
    assert_eq!(client.cluster.poll_timeout(), Some(600_000_000));
    client.pass(24 * 60 * 60 * 1_000);
    assert_eq!(client.cluster.producer("t", 0, 7), None);
    assert_eq!(client.cluster.poll_timeout(), None);
}

#[test]
fn a_truncation_takes_batches_and_what_is_known_of_them() {
    let mut client = with_batches(3);
    client.cluster.truncate(0, "t", 0, 1, Reload::All).unwrap();
    assert_eq!(client.cluster.high_watermark("t", 0), Some(1));
    assert_eq!(client.produce_one(&batch(0, 2, 1)), (45, -1));
    assert_eq!(client.produce_one(&batch(0, 0, 1)), (0, 0));
    assert_eq!(client.produce_one(&batch(0, 1, 1)), (0, 1));
    assert_eq!(client.cluster.batches("t", 0, UpTo::LogEnd).last().unwrap().leader_epoch, 1);
}

#[test]
fn leaders_move_to_replicas_in_sync_unless_told_otherwise() {
    let mut client = replicated(Replication::Manual);
    client.send(&produce_request(12, 1, 1_000, &[(0, &batch(0, 0, 1))]));
    let cluster = &mut client.cluster;
    cluster.replicate(0, "t", 0, 2, 1).unwrap();
    cluster.leave_in_sync(0, "t", 0, 3).unwrap();
    assert_eq!(cluster.high_watermark("t", 0), Some(1));
    assert_eq!(cluster.move_leader(0, "t", 0, 3), Err(Impossible::NotInSync));
    assert_eq!(cluster.move_leader(0, "t", 0, 9), Err(Impossible::NotAReplica));
    assert_eq!(cluster.move_leader(0, "t", 1, 2), Err(Impossible::NoSuchPartition));
    assert_eq!(cluster.move_leader(0, "u", 0, 2), Err(Impossible::NoSuchTopic));
    assert_eq!(cluster.move_leader(0, "t", 0, 1), Ok(()));
    assert_eq!(cluster.leader_epoch("t", 0), Some(0), "nothing has moved");
    cluster.kill(0, 2).unwrap();
    assert_eq!(cluster.move_leader(0, "t", 0, 2), Err(Impossible::NotServing));
    assert_eq!(cluster.elect_unclean(0, "t", 0, 3), Ok(()));
    assert_eq!((cluster.high_watermark("t", 0), cluster.log_end("t", 0)), (Some(0), Some(0)));
    assert_eq!(cluster.leave_in_sync(0, "t", 0, 3), Err(Impossible::NotAReplica));
    assert_eq!(cluster.kill(0, 9), Err(Impossible::NoSuchNode));
}

#[test]
fn without_a_replica_in_sync_there_is_no_leader_until_it_is_back() {
    let mut client = replicated(Replication::Instant);
    for node in [2, 3, 1] {
        client.cluster.kill(0, node).unwrap();
    }
    assert_eq!((client.cluster.leader("t", 0), client.cluster.in_sync("t", 0)), (None, vec![1]));
    client.cluster.start(0, 2).unwrap();
    assert_eq!(client.cluster.leader("t", 0), None);
    assert_eq!(client.cluster.truncate(0, "t", 0, 0, Reload::All), Err(Impossible::NoLeader));
    client.reconnect(2);
    assert_eq!(client.produce_one(&batch(0, 0, 1)), (6, -1));
    client.cluster.start(0, 1).unwrap();
    assert_eq!(
        (client.cluster.leader("t", 0), client.cluster.in_sync("t", 0)),
        (Some(1), vec![1, 2])
    );
}

#[test]
fn followers_fetch_after_a_drawn_delay() {
    let mut client = replicated(Replication::Delay { min: 1_000, max: 9_000 });
    client.send(&produce_request(12, 1, 1_000, &[(0, &batch(0, 0, 1))]));
    assert_eq!(ends(&client), [1, 0, 0]);
    client.pass(9);
    assert_eq!(ends(&client), [1, 1, 1]);
    client.cluster.kill(client.now, 3).unwrap();
    client.send(&produce_request(12, 1, 1_000, &[(0, &batch(0, 1, 1))]));
    client.pass(9);
    assert_eq!(ends(&client), [2, 2, 1]);
    client.cluster.start(client.now, 3).unwrap();
    assert_eq!(client.cluster.in_sync("t", 0), [1, 2]);
    client.pass(9);
    assert_eq!((ends(&client), client.cluster.in_sync("t", 0)), (vec![2; 3], vec![1, 2, 3]));
}

#[test]
fn records_are_read_partition_by_partition() {
    let mut client = Client::new();
    client.produce(&[(1, &batch(0, 0, 2)), (0, &batch(0, 0, 1))]);
    let packed = crate::testing::made(crate::testing::Made {
        id: (-1, -1, -1),
        attributes: 1,
        records: &[(T, None)],
    });
    client.produce(&[(0, &packed)]);
    let read: Vec<_> = client
        .cluster
        .records("t", UpTo::HighWatermark)
        .map(|record| record.map(|r| (r.partition, r.offset, r.record.value.unwrap().to_vec())))
        .collect();
    assert_eq!(read.len(), 4);
    assert_eq!(read[0], Ok((0, 0, b"value 0".to_vec())));
    assert!(read[1].is_err(), "compressed");
    assert_eq!(read[2], Ok((1, 0, b"value 0".to_vec())));
    assert_eq!(read[3], Ok((1, 1, b"value 1".to_vec())));
}

#[test]
fn the_time_of_day_goes_on_from_what_it_is_set_to() {
    let mut client = Client::new();
    assert_eq!(client.cluster.wall_clock(), T);
    client.pass(5);
    assert_eq!(client.cluster.wall_clock(), T + 5);
    client.cluster.set_wall_clock(client.now, 77);
    client.pass(2);
    assert_eq!(client.cluster.wall_clock(), 79);
}

#[test]
fn a_node_is_upgraded_and_its_connections_end() {
    let mut client = Client::with(Config { profile: Profile::V2_1, ..Config::new(2) });
    let first = client.connection;
    client.reconnect(2);
    client.cluster.set_profile(0, 1, Profile::V4_1).unwrap();
    assert_eq!(client.closed(), None, "the other node stays");
    assert_eq!(
        (client.cluster.profile(1), client.cluster.profile(2)),
        (Profile::V4_1, Profile::V2_1)
    );
    client.connection = first;
    assert_eq!(client.closed(), Some(Closed::NodeDown));
    client.reconnect(1);
    let highest = client.api_versions(0, |_| {}).len();
    client.reconnect(2);
    assert!(highest > client.api_versions(0, |_| {}).len(), "each lists its own");
    assert_eq!(client.cluster.set_profile(0, 3, Profile::V4_1), Err(Impossible::NoSuchNode));
}

#[test]
fn a_leader_moves_within_its_epoch_only_where_logs_are_the_same() {
    let mut client = replicated(Replication::Manual);
    client.send(&produce_request(12, -1, 1_000, &[(0, &batch(0, 0, 1))]));
    let moved = client.cluster.move_leader_in_epoch(0, "t", 0, 2);
    assert_eq!(moved, Err(Impossible::NotInSync));
    client.cluster.replicate_all(0);
    client.cluster.move_leader_in_epoch(0, "t", 0, 2).unwrap();
    let leader = (client.cluster.leader("t", 0), client.cluster.leader_epoch("t", 0));
    assert_eq!(leader, (Some(2), Some(0)));
    client.reconnect(2);
    assert_eq!(client.produce_one(&batch(0, 0, 1)), (0, 0), "the state was replicated");
}

#[test]
fn a_topic_gets_more_partitions_on_its_nodes() {
    let mut client = replicated(Replication::Instant);
    client.cluster.add_partitions(0, "t", 2).unwrap();
    assert_eq!(client.cluster.partition_count("t"), 3);
    let leaders = [0, 1, 2].map(|index| client.cluster.leader("t", index));
    assert_eq!(leaders, [Some(1), Some(2), Some(3)]);
    assert_eq!(client.cluster.add_partitions(0, "u", 1), Err(Impossible::NoSuchTopic));
}
