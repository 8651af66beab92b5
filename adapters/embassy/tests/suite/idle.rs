//! R14: with nothing to do, nothing is done. And how often the runner is woken when there is.

use ottla_embassy::Record;

use crate::executor::Tasks;
use crate::world::{ALL, By, Node, World, is_written, node, record, settings};

/// The runner's polls for a batch that goes out alone, from `produce` to the outcome, while a
/// request and its answer each pass in one piece: woken by the record, and by the answer.
const POLLS_PER_BATCH: u64 = 2;

fn deliver(tasks: &mut Tasks<'_>, node: &Node, count: u64) {
    let topic = node.declare_topic("t", 2).unwrap();
    tasks.block_on(100_000, async {
        for _ in 0..count {
            let delivery = node.send(topic, &record("a", 0)).await.unwrap();
            assert!(is_written(delivery.await));
        }
    });
}

#[test]
fn r14_an_idle_hour() {
    for by in ALL {
        let (world, node) = (World::new(1), node());
        let mut runner = node.start(&settings()).unwrap();
        let mut tasks = world.tasks();
        let run = tasks.spawn(world.run(&mut runner, by));
        deliver(&mut tasks, &node, 3);
        // Timers of embassy-time cannot be taken back: the last request's may still fire.
        tasks.idle_for(31);
        let (polls, bytes) = (tasks.polls(run), world.net().bytes());
        tasks.idle_for(500);
        assert_eq!(tasks.polls(run), polls, "{by:?}");
        assert_eq!(world.net().open(), 1);
        // The idle link is closed, once.
        tasks.run_for(20_000);
        assert_eq!(world.net().open(), 0);
        let closed = tasks.polls(run);
        assert!(closed - polls <= 4, "{} polls to close a link", closed - polls);
        tasks.idle_for(3_600);
        assert_eq!(tasks.polls(run), closed, "{by:?}");
        assert_eq!(world.net().bytes(), bytes);
        // And then everything works as before.
        deliver(&mut tasks, &node, 1);
    }
}

#[test]
fn r14_a_producer_without_a_record_does_nothing() {
    let (world, node) = (World::new(1), node());
    let mut runner = node.start(&settings()).unwrap();
    let mut tasks = world.tasks();
    let run = tasks.spawn(world.run(&mut runner, By::Pieces));
    tasks.idle_for(600);
    assert!(tasks.polls(run) <= 2);
    assert_eq!(world.net().bytes(), (0, 0));
    assert_eq!(world.net().connects, 0);
}

#[test]
fn wake_ups_per_batch() {
    let (world, node) = (World::new(1), node());
    let mut runner = node.start(&settings()).unwrap();
    let mut tasks = world.tasks();
    let run = tasks.spawn(runner.run([world.direct(1_000, 1_000)]));
    deliver(&mut tasks, &node, 3);
    tasks.idle_for(40);
    let before = tasks.polls(run);
    deliver(&mut tasks, &node, 100);
    let polls = tasks.polls(run) - before;
    // And a timer of before.
    assert!(polls <= 100 * POLLS_PER_BATCH + 1, "{polls} polls for 100 batches");
}

#[test]
fn a_record_for_an_open_batch_wakes_nobody() {
    let (world, node) = (World::new(1), node());
    let mut settings = settings();
    settings.config.linger = ottla::Duration::from_secs(10);
    let mut runner = node.start(&settings).unwrap();
    let mut tasks = world.tasks();
    let run = tasks.spawn(world.run(&mut runner, By::Pieces));
    let topic = node.declare_topic("t", 1).unwrap();
    tasks.run_for(100);
    node.try_produce(topic, &Record::new(b"1").partition(0)).unwrap();
    tasks.run_for(1_000);
    let before = tasks.polls(run);
    for _ in 0..5 {
        node.try_produce(topic, &Record::new(b"2").partition(0)).unwrap();
        tasks.run_for(10);
    }
    assert_eq!(tasks.polls(run), before);
    tasks.block_on(15_000, node.flush()).unwrap();
    assert_eq!(world.log(0).len(), 6);
}
