//! Flush and close.

use embassy_time::{Duration, Instant};
use ottla::message::Api;
use ottla::{Cause, Doubt, Event, Outcome, Refused};
use ottla_broker::{Action, Silence};
use ottla_embassy::Error;

use crate::world::{ALL, By, World, is_written, node, record, settings};

#[test]
fn a_flush_waits_for_no_linger() {
    let (world, node) = (World::new(1), node());
    let mut settings = settings();
    settings.config.linger = ottla::Duration::from_secs(60);
    let mut runner = node.start(&settings).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Pieces));
    let topic = node.declare_topic("t", 2).unwrap();
    tasks.block_on(1_000, async {
        node.produce(topic, &record("a", 0)).await.unwrap();
        node.produce(topic, &record("b", 1)).await.unwrap();
        node.flush().await.unwrap();
        assert_eq!(node.counters().written, 2);
        // With nothing to wait for it does not wait.
        node.flush().await.unwrap();
    });
}

#[test]
fn closing_delivers_everything_and_ends_the_runner() {
    for by in ALL {
        let (world, node) = (World::new(1), node());
        let mut settings = settings();
        settings.config.linger = ottla::Duration::from_secs(60);
        let mut runner = node.start(&settings).unwrap();
        let mut tasks = world.tasks();
        let run = tasks.spawn(world.run(&mut runner, by));
        let topic = node.declare_topic("t", 2).unwrap();
        let mut events = node.events();
        let delivery = tasks.block_on(1_000, node.send(topic, &record("a", 0))).unwrap();
        tasks.block_on(1_000, node.produce(topic, &record("b", 1))).unwrap();
        tasks.block_on(20_000, node.close(Duration::from_secs(20))).unwrap();
        tasks.run_until(10, |tasks| tasks.is_done(run));
        assert_eq!((world.log(0), world.log(1)), (vec!["a".into()], vec!["b".into()]), "{by:?}");
        assert_eq!(world.net().open(), 0);
        assert!(is_written(tasks.block_on(1, delivery)));
        // Events go on to the last one, and then say so.
        let mut count = 0;
        tasks.block_on(1, async {
            loop {
                match events.next().await.unwrap() {
                    Event::Delivered(run) => count += run.count,
                    Event::Closed => break,
                    _ => {}
                }
            }
            assert_eq!(events.next().await, Err(Error::Refused(Refused::Closed)));
        });
        assert_eq!(count, 2);
        // What is closed stays so, and no call hangs.
        let closed = Err(Error::Refused(Refused::Closed));
        tasks.block_on(1, async {
            assert_eq!(node.produce(topic, &record("c", 0)).await, closed);
            node.flush().await.unwrap();
            node.close(Duration::from_secs(1)).await.unwrap();
        });
    }
}

/// Closes with one record that may be in the log, one that was not sent, and one task that waits.
#[test]
fn r05_closing_with_a_deadline_that_passes() {
    for run_it in [true, false] {
        let (world, node) = (World::new(1), node());
        let mut runner = node.start(&settings()).unwrap();
        let mut tasks = world.tasks();
        let run = tasks.spawn(world.run(&mut runner, By::Pieces));
        let topic = node.declare_topic("t", 2).unwrap();
        world.net().cluster.set_hook(|seen| match seen.api {
            Api::Produce => Action::Swallow(Silence::Stay),
            _ => Action::Proceed,
        });
        let large = "l".repeat(150);
        let sent = tasks.block_on(1_000, node.send(topic, &record(&large, 0))).unwrap();
        tasks.run_for(1_000);
        let queued = tasks.block_on(1, node.send(topic, &record(&large, 0))).unwrap();
        node.try_produce(topic, &record(&large, 0)).unwrap();
        let node = &*node;
        let refused = tasks.spawn(async move {
            let refused = node.produce(topic, &record(&"l".repeat(150), 0)).await;
            assert_eq!(refused, Err(Error::Refused(Refused::Closed)));
        });
        tasks.run();
        if !run_it {
            // With nobody to run it, closing comes to its end all the same.
            tasks.kill(run);
        }
        let before = Instant::now();
        tasks.block_on(5_000, node.close(Duration::from_secs(3))).unwrap();
        assert_eq!((Instant::now() - before).as_millis(), 3_000);
        tasks.run_until(10, |tasks| tasks.is_done(run) && tasks.is_done(refused));
        let unknown = Outcome::Unknown(Cause::Closed, Doubt::Unanswered);
        assert_eq!(tasks.block_on(1, sent), unknown);
        assert_eq!(tasks.block_on(1, queued), Outcome::NotWritten(Cause::Closed));
        assert_eq!(node.counters().unknown, 1);
        assert_eq!(world.net().open(), 0);
    }
}

#[test]
fn closing_while_a_link_connects() {
    for millis in 0..6 {
        let (world, node) = (World::new(1), node());
        let mut runner = node.start(&settings()).unwrap();
        let mut tasks = world.tasks();
        let run = tasks.spawn(world.run(&mut runner, By::Pieces));
        let topic = node.declare_topic("t", 2).unwrap();
        let delivery = tasks.block_on(1, node.send(topic, &record("a", 0))).unwrap();
        tasks.run_for(millis);
        tasks.block_on(1, node.close(Duration::from_ticks(0))).unwrap();
        tasks.run_until(10, |tasks| tasks.is_done(run));
        let told = tasks.block_on(1, delivery);
        let unknown = Outcome::Unknown(Cause::Closed, Doubt::Unanswered);
        let expected = [Outcome::NotWritten(Cause::Closed), unknown];
        assert!(expected.contains(&told), "{told:?} after {millis} ms");
        assert_eq!(world.net().open(), 0);
    }
}

#[test]
fn closing_for_ever_is_no_overflow() {
    let (world, node) = (World::new(1), node());
    let mut runner = node.start(&settings()).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Pieces));
    let topic = node.declare_topic("t", 2).unwrap();
    tasks.block_on(10_000, async {
        node.produce(topic, &record("a", 0)).await.unwrap();
        node.close(Duration::MAX).await.unwrap();
    });
    assert_eq!(world.log(0), ["a"]);
}

#[test]
fn a_flush_ends_when_the_time_of_its_records_does() {
    let (world, node) = (World::new(1), node());
    let mut runner = node.start(&settings()).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Pieces));
    world.net().stuck = true;
    let topic = node.declare_topic("t", 2).unwrap();
    node.try_produce(topic, &record("a", 0)).unwrap();
    // Nobody takes events, so nothing else happens.
    let _events = node.events();
    let before = Instant::now();
    tasks.block_on(130_000, node.flush()).unwrap();
    assert_eq!((Instant::now() - before).as_millis(), 120_000);
    assert_eq!(node.counters().not_written, 1);
}

#[test]
fn r13_a_write_that_gets_stuck_ends_its_connection() {
    let (world, node) = (World::new(1), node());
    let mut settings = settings();
    settings.config.request_timeout = ottla::Duration::from_secs(5);
    let mut runner = node.start(&settings).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Streams));
    let topic = node.declare_topic("t", 2).unwrap();
    tasks.block_on(1_000, node.produce(topic, &record("a", 0))).unwrap();
    tasks.block_on(1_000, node.flush()).unwrap();
    tasks.idle_for(60);
    world.net().stuck = true;
    node.try_produce(topic, &record("b", 0)).unwrap();
    tasks.run_for(4_900);
    assert_eq!(world.net().open(), 1);
    tasks.run_for(200);
    assert_eq!(world.net().open(), 0);
    world.net().stuck = false;
    tasks.block_on(30_000, node.flush()).unwrap();
    assert_eq!(world.log(0), ["a", "b"]);
}
