//! I19: a future dropped at any of its awaits is as one that was not called, or as one called in
//! full. Nothing hangs, and every place in the table is given back.

use std::cell::Cell;

use embassy_time::Duration;
use ottla::message::Api;
use ottla::{Event, Topic};
use ottla_broker::Action;
use ottla_embassy::{Error, Record};

use crate::executor::{Drop, Dropped, Tasks};
use crate::world::{By, Node, World, all_places_are_free, node, record, settings};

/// Runs a test with a future dropped after 0, 1, 2 ... polls, until it comes to its end by
/// itself, which the test says.
fn at_each_await(test: impl Fn(usize, Drop) -> bool) {
    for when in [Drop::Early, Drop::Late] {
        let mut polls = 0;
        while !test(polls, when) {
            polls += 1;
            assert!(polls < 200, "it does not come to its end");
        }
        assert!(polls > 0, "dropped before its first poll, it has done nothing");
    }
}

/// A last record goes through, and the table is free.
fn goes_on(world: &World, tasks: &mut Tasks<'_>, node: &Node, topic: Topic) -> Vec<String> {
    tasks.block_on(30_000, async {
        node.produce(topic, &record("last", 0)).await.unwrap();
        node.flush().await.unwrap();
    });
    all_places_are_free(tasks, node, topic);
    let mut log = world.log(0);
    assert_eq!(log.pop().as_deref(), Some("last"));
    log
}

fn large(name: char) -> String {
    name.to_string().repeat(150)
}

/// A world in which every block is full, for some time.
fn fill(world: &World, tasks: &mut Tasks<'_>, node: &Node) -> Topic {
    let topic = node.declare_topic("t", 2).unwrap();
    world.net().cluster.set_hook(|seen| match seen.api {
        Api::Produce => Action::DelayAnswer(50_000),
        _ => Action::Proceed,
    });
    for name in ['x', 'y', 'z'] {
        node.try_produce(topic, &record(&large(name), 0)).unwrap();
    }
    tasks.run();
    topic
}

#[test]
fn i19_produce_that_waits_for_room() {
    at_each_await(|polls, when| {
        let (world, node) = (World::new(1), node());
        let mut runner = node.start(&settings()).unwrap();
        let done = Cell::new(false);
        let mut tasks = world.tasks();
        tasks.spawn(world.run(&mut runner, By::Pieces));
        let topic = fill(&world, &mut tasks, &node);
        let (node, done) = (&*node, &done);
        let dropped = tasks.spawn(async move {
            let value = large('a');
            let record = record(&value, 0);
            let produce = node.produce(topic, &record);
            done.set(Dropped::new(produce, polls, when).await.is_some());
        });
        tasks.run();
        // Whoever stands behind is let in, whatever becomes of the first one.
        let behind = tasks.spawn(async move {
            node.produce(topic, &record("behind", 0)).await.unwrap();
        });
        tasks.run_until(20_000, |tasks| tasks.is_done(behind) && tasks.is_done(dropped));
        let log = goes_on(&world, &mut tasks, node, topic);
        assert_eq!(log.len(), 4 + usize::from(done.get()), "{polls} {when:?}");
        done.get()
    });
}

#[test]
fn i19_send_that_waits_for_room() {
    at_each_await(|polls, when| {
        let (world, node) = (World::new(1), node());
        let mut runner = node.start(&settings()).unwrap();
        let done = Cell::new(false);
        let mut tasks = world.tasks();
        tasks.spawn(world.run(&mut runner, By::Bytes));
        let topic = fill(&world, &mut tasks, &node);
        let (node, done) = (&*node, &done);
        let dropped = tasks.spawn(async move {
            let value = large('a');
            let record = record(&value, 0);
            let send = node.send(topic, &record);
            done.set(Dropped::new(send, polls, when).await.is_some_and(|sent| sent.is_ok()));
        });
        tasks.run_until(20_000, |tasks| tasks.is_done(dropped));
        let log = goes_on(&world, &mut tasks, node, topic);
        assert_eq!(log.len(), 3 + usize::from(done.get()), "{polls} {when:?}");
        done.get()
    });
}

#[test]
fn i19_produce_that_waits_for_its_topic() {
    at_each_await(|polls, when| {
        let (world, node) = (World::new(1), node());
        let mut runner = node.start(&settings()).unwrap();
        let done = Cell::new(false);
        let mut tasks = world.tasks();
        tasks.spawn(world.run(&mut runner, By::Pieces));
        let topic = node.topic("t").unwrap();
        let (node, done) = (&*node, &done);
        let dropped = tasks.spawn(async move {
            let value = Record::new(b"a").key(b"key");
            let produce = node.produce(topic, &value);
            done.set(Dropped::new(produce, polls, when).await.is_some());
        });
        tasks.run();
        let behind = tasks.spawn(async move {
            node.produce(topic, &Record::new(b"behind").key(b"key")).await.unwrap();
        });
        tasks.run_until(20_000, |tasks| tasks.is_done(behind) && tasks.is_done(dropped));
        tasks.block_on(1_000, node.flush()).unwrap();
        let log = [world.log(0), world.log(1)].concat();
        let expected: &[&str] = if done.get() { &["a", "behind"] } else { &["behind"] };
        assert_eq!(log, expected, "{polls} {when:?}");
        all_places_are_free(&mut tasks, node, topic);
        done.get()
    });
}

#[test]
fn i19_a_delivery() {
    at_each_await(|polls, when| {
        let (world, node) = (World::new(1), node());
        let mut runner = node.start(&settings()).unwrap();
        let done = Cell::new(false);
        let mut tasks = world.tasks();
        tasks.spawn(world.run(&mut runner, By::Streams));
        let topic = node.declare_topic("t", 2).unwrap();
        let delivery = tasks.block_on(1, node.send(topic, &record("a", 0))).unwrap();
        let (node, done) = (&*node, &done);
        let dropped = tasks.spawn(async move {
            done.set(Dropped::new(delivery, polls, when).await.is_some());
        });
        tasks.run_until(20_000, |tasks| tasks.is_done(dropped));
        assert_eq!(goes_on(&world, &mut tasks, node, topic), ["a"], "{polls} {when:?}");
        done.get()
    });
}

#[test]
fn i19_flush() {
    at_each_await(|polls, when| {
        let (world, node) = (World::new(1), node());
        let mut settings = settings();
        settings.config.linger = ottla::Duration::from_secs(60);
        let mut runner = node.start(&settings).unwrap();
        let done = Cell::new(false);
        let mut tasks = world.tasks();
        tasks.spawn(world.run(&mut runner, By::Pieces));
        let topic = node.declare_topic("t", 2).unwrap();
        node.try_produce(topic, &record("a", 0)).unwrap();
        let (node, done) = (&*node, &done);
        let dropped = tasks.spawn(async move {
            done.set(Dropped::new(node.flush(), polls, when).await.is_some());
        });
        tasks.run_until(20_000, |tasks| tasks.is_done(dropped));
        tasks.run_for(1_000);
        // What was begun goes on: nothing, or all of it.
        assert_eq!(world.log(0).len(), usize::from(polls > 0), "{polls} {when:?}");
        assert_eq!(node.counters().written, u64::from(polls > 0));
        tasks.block_on(10_000, node.flush()).unwrap();
        tasks.run_for(1_000);
        let held: Vec<_> = (0..crate::world::WAITS)
            .map(|_| tasks.block_on(1, node.send(topic, &record("p", 1))).unwrap())
            .collect();
        assert_eq!(tasks.block_on(1, node.flush()), Err(Error::Waits));
        drop(held);
        done.get()
    });
}

#[test]
fn i19_close() {
    at_each_await(|polls, when| {
        let (world, node) = (World::new(1), node());
        let mut settings = settings();
        settings.config.linger = ottla::Duration::from_secs(60);
        let mut runner = node.start(&settings).unwrap();
        let done = Cell::new(false);
        let mut tasks = world.tasks();
        let run = tasks.spawn(world.run(&mut runner, By::Pieces));
        let topic = node.declare_topic("t", 2).unwrap();
        node.try_produce(topic, &record("a", 0)).unwrap();
        let (node, done) = (&*node, &done);
        let dropped = tasks.spawn(async move {
            let close = node.close(Duration::from_secs(10));
            done.set(Dropped::new(close, polls, when).await.is_some());
        });
        tasks.run_until(20_000, |tasks| tasks.is_done(dropped));
        tasks.run_for(1_000);
        assert_eq!(world.log(0).len(), usize::from(polls > 0), "{polls} {when:?}");
        assert_eq!(tasks.is_done(run), polls > 0);
        let accepted = node.try_produce(topic, &record("b", 0)).is_ok();
        assert_eq!(accepted, polls == 0);
        tasks.block_on(10_000, node.close(Duration::from_secs(10))).unwrap();
        done.get()
    });
}

#[test]
fn i19_the_next_event() {
    at_each_await(|polls, when| {
        let (world, node) = (World::new(1), node());
        let mut runner = node.start(&settings()).unwrap();
        let done = Cell::new(0);
        let mut tasks = world.tasks();
        tasks.spawn(world.run(&mut runner, By::Pieces));
        let topic = node.declare_topic("t", 2).unwrap();
        node.try_produce(topic, &record("a", 0)).unwrap();
        let mut events = node.events();
        let (node, done) = (&*node, &done);
        let count = |event: Result<Event, Error>| match event.unwrap() {
            Event::Delivered(run) => run.count,
            _ => 0,
        };
        let dropped = tasks.spawn(async move {
            if let Some(event) = Dropped::new(events.next(), polls, when).await {
                done.set(count(event));
            }
            // The event is not lost with the future.
            let mut told = done.get();
            while told < 1 {
                told += count(events.next().await);
            }
            assert_eq!(events.try_next(), None);
        });
        tasks.run_until(20_000, |tasks| tasks.is_done(dropped));
        assert_eq!(goes_on(&world, &mut tasks, node, topic), ["a"], "{polls} {when:?}");
        done.get() == 1
    });
}

#[test]
fn a_runner_that_is_dropped_anywhere_and_run_again() {
    for by in crate::world::ALL {
        at_each_await(|polls, when| {
            let (world, node) = (World::new(1), node());
            let mut runner = node.start(&settings()).unwrap();
            let topic = node.declare_topic("t", 2).unwrap();
            let values = ["a", "b", "c", "d"];
            for (number, value) in (0..).zip(values) {
                node.try_produce(topic, &record(value, number % 2)).unwrap();
            }
            let mut ended = false;
            let mut tasks = world.tasks();
            let mut run = Dropped::new(world.run(&mut runner, by), polls, when);
            tasks.block_on(300_000, async {
                let flush = node.flush();
                match embassy_futures::select::select(&mut run, flush).await {
                    embassy_futures::select::Either::First(dropped) => assert!(dropped.is_none()),
                    embassy_futures::select::Either::Second(flushed) => {
                        flushed.unwrap();
                        ended = true;
                    }
                }
            });
            drop(run);
            assert_eq!(world.net().open(), 0);
            tasks.run_for(50);
            tasks.spawn(world.run(&mut runner, by));
            tasks.block_on(60_000, node.flush()).unwrap();
            assert_eq!(node.counters().written, 4, "{by:?} {polls} {when:?}");
            let logs = (world.log(0), world.log(1));
            assert_eq!(logs, (vec!["a".into(), "c".into()], vec!["b".into(), "d".into()]));
            all_places_are_free(&mut tasks, &node, topic);
            ended
        });
    }
}
