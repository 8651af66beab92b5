//! What devices need beside: wake-ups with a budget, a clock that is not set yet, records that
//! are left out, bytes by what they were for.

use std::cell::{Cell, RefCell};

use embassy_time::{Duration, Instant};
use ottla::config::{UnknownTime, WhenFull};
use ottla::message::Api;
use ottla::{Cause, Event, Outcome, Refused};
use ottla_broker::{Action, Silence, UpTo};
use ottla_embassy::{Budget, Error, Record, Spent};

use crate::executor::{Drop, Dropped};
use crate::world::{
    ALL, By, WAITS, World, all_places_are_free, is_written, node, record, settings,
};

const ENOUGH: Budget = Budget { attempts: 10, time: Duration::from_secs(20), bytes: 10_000 };

#[test]
fn a_device_that_sleeps_delivers_when_it_wakes_up() {
    for by in ALL {
        let (world, node) = (World::new(1), node());
        let mut runner = node.start(&settings()).unwrap();
        let mut tasks = world.tasks();
        let run = tasks.spawn(world.run(&mut runner, by));
        node.pause();
        let topic = node.declare_topic("t", 2).unwrap();
        for day in 0..3 {
            for _ in 0..3 {
                node.try_produce(topic, &record("a", 0)).unwrap();
                tasks.run_for(10_000);
            }
            let (polls, bytes) = (tasks.polls(run), world.net().bytes());
            tasks.idle_for(30);
            assert_eq!(
                (tasks.polls(run), world.net().bytes()),
                (polls, bytes),
                "{by:?}, day {day}"
            );
            tasks.block_on(20_000, node.wake(ENOUGH)).unwrap();
            assert_eq!(world.net().open(), 0, "the radio can be switched off");
            assert_eq!(world.log(0).len(), 3 * (day + 1));
            // Timers of embassy-time cannot be taken back: the last request's may still fire.
            tasks.idle_for(31);
            let (polls, bytes) = (tasks.polls(run), world.net().bytes());
            tasks.idle_for(600);
            assert_eq!(
                (tasks.polls(run), world.net().bytes()),
                (polls, bytes),
                "{by:?}, day {day}"
            );
        }
        node.resume();
        tasks.run();
        all_places_are_free(&mut tasks, &node, topic);
    }
}

#[test]
fn a_budget_is_spent_by_attempts() {
    let (world, node) = (World::new(1), node());
    let mut settings = settings();
    settings.config.delivery_timeout = ottla::Duration::from_secs(3_600);
    let mut runner = node.start(&settings).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Pieces));
    node.pause();
    let topic = node.declare_topic("t", 2).unwrap();
    node.try_produce(topic, &record("a", 0)).unwrap();
    world.net().dark = true;
    for attempts in [0, 1, 3] {
        let before = world.net().tried;
        let spent = tasks.block_on(20_000, node.wake(Budget { attempts, ..ENOUGH }));
        assert_eq!(spent, Err(Spent::Attempts));
        assert_eq!(world.net().tried - before, attempts as usize);
        tasks.idle_for(60);
        assert_eq!(world.net().tried - before, attempts as usize, "and no more while it sleeps");
    }
    world.net().dark = false;
    // Two: the bootstrap address, and the broker that it turns out to be.
    tasks.block_on(20_000, node.wake(Budget { attempts: 2, ..ENOUGH })).unwrap();
    assert_eq!(world.log(0), ["a"]);
}

#[test]
fn a_budget_is_spent_by_time() {
    let (world, node) = (World::new(1), node());
    let mut settings = settings();
    settings.config.delivery_timeout = ottla::Duration::from_secs(3_600);
    let mut runner = node.start(&settings).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Pieces));
    node.pause();
    let topic = node.declare_topic("t", 2).unwrap();
    node.try_produce(topic, &record("a", 0)).unwrap();
    world.net().cluster.set_hook(|seen| match seen.api {
        Api::Produce => Action::Swallow(Silence::Stay),
        _ => Action::Proceed,
    });
    let before = Instant::now();
    let budget = Budget { time: Duration::from_secs(4), ..ENOUGH };
    assert_eq!(tasks.block_on(20_000, node.wake(budget)), Err(Spent::Time));
    let took = (Instant::now() - before).as_millis();
    assert!((4_000..4_010).contains(&took), "{took} ms");
    assert_eq!(world.net().open(), 0);
    tasks.idle_for(600);
    assert_eq!(node.counters().unknown, 0, "what may be written is kept, too");
    world.net().cluster.clear_hook();
    tasks.block_on(20_000, node.wake(ENOUGH)).unwrap();
    assert_eq!(world.log(0), ["a"]);
}

#[test]
fn a_budget_is_spent_by_bytes() {
    for bytes in [0, 50, 100, 200, 300] {
        let (world, node) = (World::new(1), node());
        let mut runner = node.start(&settings()).unwrap();
        let mut tasks = world.tasks();
        tasks.spawn(world.run(&mut runner, By::Bytes));
        node.pause();
        let topic = node.declare_topic("t", 2).unwrap();
        node.try_produce(topic, &record("a", 0)).unwrap();
        let spent = tasks.block_on(20_000, node.wake(Budget { bytes, ..ENOUGH }));
        assert_eq!(spent, Err(Spent::Bytes));
        let (up, down) = world.net().bytes();
        let over = (up + down).saturating_sub(bytes as usize);
        // Bytes on the way when it was spent.
        assert!(over < 300, "{over} bytes above {bytes}");
        tasks.block_on(20_000, node.wake(ENOUGH)).unwrap();
        assert_eq!(world.log(0), ["a"]);
    }
}

#[test]
fn i19_a_wake_that_is_dropped_goes_to_sleep() {
    for when in [Drop::Early, Drop::Late] {
        for polls in 0.. {
            assert!(polls < 200);
            let (world, node) = (World::new(1), node());
            let mut runner = node.start(&settings()).unwrap();
            let done = Cell::new(false);
            let mut tasks = world.tasks();
            tasks.spawn(world.run(&mut runner, By::Pieces));
            node.pause();
            let topic = node.declare_topic("t", 2).unwrap();
            node.try_produce(topic, &record("a", 0)).unwrap();
            let (node, done) = (&*node, &done);
            let dropped = tasks.spawn(async move {
                let wake = Dropped::new(node.wake(ENOUGH), polls, when).await;
                done.set(wake.is_some());
            });
            tasks.run_until(30_000, |tasks| tasks.is_done(dropped));
            tasks.run_for(2_000);
            assert_eq!(world.net().open(), 0, "{polls} {when:?}");
            let bytes = world.net().bytes();
            tasks.idle_for(60);
            assert_eq!(world.net().bytes(), bytes);
            tasks.block_on(20_000, node.wake(ENOUGH)).unwrap();
            assert_eq!(world.log(0), ["a"], "{polls} {when:?}");
            node.resume();
            all_places_are_free(&mut tasks, node, topic);
            if done.get() {
                break;
            }
        }
    }
}

#[test]
fn a_wake_without_a_place_does_nothing() {
    let (world, node) = (World::new(1), node());
    let mut runner = node.start(&settings()).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Pieces));
    node.pause();
    let topic = node.declare_topic("t", 2).unwrap();
    let held: Vec<_> =
        (0..WAITS).map(|_| tasks.block_on(1, node.send(topic, &record("a", 0))).unwrap()).collect();
    assert_eq!(tasks.block_on(1, node.wake(ENOUGH)), Err(Spent::Waits));
    tasks.run_for(1_000);
    assert_eq!(world.net().tried, 0);
    drop(held);
    tasks.block_on(20_000, node.wake(ENOUGH)).unwrap();
    assert_eq!(world.log(0).len(), WAITS);
}

#[test]
fn what_is_too_old_when_the_device_wakes_up_is_told() {
    let (world, node) = (World::new(1), node());
    let mut runner = node.start(&settings()).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Pieces));
    node.pause();
    let topic = node.declare_topic("t", 2).unwrap();
    let (old, new) = (large('o'), large('n'));
    let delivery = tasks.block_on(1, node.send(topic, &record(&old, 0))).unwrap();
    tasks.idle_for(130);
    // It does not fit into the batch of the old one, whose time it would share.
    let later = tasks.block_on(1, node.send(topic, &record(&new, 0))).unwrap();
    tasks.block_on(20_000, node.wake(ENOUGH)).unwrap();
    assert_eq!(tasks.block_on(1, delivery), Outcome::NotWritten(Cause::Timeout));
    assert!(is_written(tasks.block_on(1, later)));
    assert_eq!(world.log(0), [new]);
}

#[test]
fn records_wait_for_the_time_of_day_in_order() {
    let (world, node) = (World::new(1), node());
    let mut settings = settings();
    settings.config.unknown_time = UnknownTime::Wait;
    let mut runner = node.start(&settings).unwrap();
    let order = RefCell::new(Vec::new());
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Pieces));
    let topic = node.declare_topic("t", 2).unwrap();
    let refused = node.try_produce(topic, &record("a", 0));
    assert_eq!(refused, Err(Refused::TimeUnknown));
    let (node, order) = (&*node, &order);
    for value in ["a", "b", "c"] {
        tasks.spawn(async move {
            node.produce(topic, &record(value, 0)).await.unwrap();
            order.borrow_mut().push(value);
        });
    }
    tasks.run_for(1_000);
    // A record with a time of its own waits for nobody; one without stands behind.
    node.try_produce(topic, &record("own", 1).timestamp(1_650_000_000_000)).unwrap();
    assert_eq!(node.try_produce(topic, &record("d", 0)), Err(Refused::TimeUnknown));
    assert!(!node.set_wall_clock(1_000), "1970");
    tasks.run_for(1_000);
    assert_eq!(order.borrow().len(), 0);
    assert!(node.set_wall_clock(1_600_000_000_000));
    tasks.run_for(1_000);
    assert_eq!(*order.borrow(), ["a", "b", "c"]);
    tasks.block_on(10_000, node.flush()).unwrap();
    let net = world.net();
    let times: Vec<i64> = net
        .cluster
        .records("t", UpTo::LogEnd)
        .map(|record| record.unwrap().record.timestamp)
        .collect();
    assert_eq!(times, [1_600_000_000_000, 1_600_000_000_000, 1_600_000_000_000, 1_650_000_000_000]);
}

#[test]
fn without_a_clock_waiting_has_its_bound() {
    let (world, node) = (World::new(1), node());
    let mut settings = settings();
    settings.config.unknown_time = UnknownTime::Wait;
    let mut runner = node.start(&settings).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Pieces));
    let topic = node.declare_topic("t", 2).unwrap();
    let waited = tasks.block_on(61_000, node.produce(topic, &record("a", 0)));
    assert_eq!(waited, Err(Error::Waited(Refused::TimeUnknown)));
}

fn large(name: char) -> String {
    name.to_string().repeat(150)
}

#[test]
fn the_oldest_records_make_room() {
    let (world, node) = (World::new(1), node());
    let mut settings = settings();
    settings.config.when_full = WhenFull::DropOldest;
    let mut runner = node.start(&settings).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Pieces));
    world.net().dark = true;
    let topic = node.declare_topic("t", 2).unwrap();
    let mut deliveries = Vec::new();
    for name in ['a', 'b', 'c', 'd'] {
        let value = large(name);
        deliveries.push(tasks.block_on(1, node.send(topic, &record(&value, 0))).unwrap());
    }
    // It is told at once, though nobody can be reached.
    let first = tasks.block_on(1, deliveries.remove(0));
    assert_eq!(first, Outcome::NotWritten(Cause::Dropped));
    assert_eq!(node.counters().dropped, 1);
    world.net().dark = false;
    for delivery in deliveries {
        assert!(is_written(tasks.block_on(20_000, delivery)));
    }
    let log: Vec<_> = world.log(0).iter().map(|value| value.chars().next().unwrap()).collect();
    assert_eq!(log, ['b', 'c', 'd']);
}

#[test]
fn who_listens_hears_of_what_was_left_out() {
    let (world, node) = (World::new(1), node());
    let mut settings = settings();
    settings.config.when_full = WhenFull::DropOldest;
    let mut runner = node.start(&settings).unwrap();
    let (told, mut events) = (Cell::new(None), node.events());
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Pieces));
    world.net().dark = true;
    let topic = node.declare_topic("t", 2).unwrap();
    for name in ['a', 'b', 'c'] {
        node.try_produce(topic, &record(&large(name), 0)).unwrap();
    }
    tasks.run_for(10);
    while events.try_next().is_some() {}
    let told = &told;
    let hears = tasks.spawn(async move {
        while told.get().is_none() {
            if let Event::Delivered(run) = events.next().await.unwrap() {
                told.set(Some((run.first, run.outcome)));
            }
        }
    });
    tasks.run();
    node.try_produce(topic, &record(&large('d'), 0)).unwrap();
    tasks.run();
    assert!(tasks.is_done(hears));
    assert_eq!(told.get(), Some((0, Outcome::NotWritten(Cause::Dropped))));
}

#[test]
fn the_newest_records_or_those_of_the_lowest_class_are_left_out() {
    for when_full in [WhenFull::DropNewest, WhenFull::DropLowestClass] {
        let (world, node) = (World::new(1), node());
        let mut settings = settings();
        settings.config.when_full = when_full;
        let mut runner = node.start(&settings).unwrap();
        let mut tasks = world.tasks();
        tasks.spawn(world.run(&mut runner, By::Pieces));
        world.net().dark = true;
        let topic = node.declare_topic("t", 2).unwrap();
        for name in ['a', 'b', 'c'] {
            let value = large(name);
            node.try_produce(topic, &record(&value, 0).class(u8::from(name == 'a') + 1)).unwrap();
        }
        let value = large('d');
        let low = record(&value, 0);
        let refused = tasks.block_on(1, node.produce(topic, &low));
        assert_eq!(refused, Err(Error::Refused(Refused::Dropped)));
        let high = tasks.block_on(1, node.produce(topic, &low.class(9)));
        let (expected, dropped) = match when_full {
            WhenFull::DropNewest => (['a', 'b', 'c'], 2),
            _ => (['a', 'c', 'd'], 2),
        };
        assert_eq!(high.is_ok(), when_full == WhenFull::DropLowestClass);
        assert_eq!(node.counters().dropped, dropped);
        world.net().dark = false;
        tasks.block_on(20_000, node.flush()).unwrap();
        let log: Vec<_> = world.log(0).iter().map(|value| value.chars().next().unwrap()).collect();
        assert_eq!(log, expected);
    }
}

#[test]
fn bytes_are_counted_by_what_they_were_for() {
    let (world, node) = (World::new(1), node());
    let mut runner = node.start(&settings()).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Streams));
    let topic = node.declare_topic("t", 2).unwrap();
    tasks.block_on(10_000, async {
        let delivery = node.send(topic, &Record::new(b"a").partition(0)).await.unwrap();
        assert!(is_written(delivery.await));
    });
    let (sent, received) = (node.counters().sent, node.counters().received);
    let (up, down) = world.net().bytes();
    assert_eq!((sent.total(), received.total()), (up as u64, down as u64));
    assert!(sent.handshake > 0 && sent.metadata > 0 && sent.produce > 0 && sent.resend == 0);
    assert!(received.handshake > 0 && received.metadata > 0 && received.produce > 0);
}
