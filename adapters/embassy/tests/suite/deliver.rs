//! Records arrive, and their outcomes are told: to who awaits them, by events, to nobody.

use embassy_time::Timer;
use ottla::{Acks, Event, Outcome};
use ottla_broker::NewTopic;
use ottla_embassy::Error;
use ottla_embassy::ottla::Refused;

use crate::world::{ALL, By, World, all_places_are_free, is_written, node, record, settings};

#[test]
fn outcomes_are_awaited() {
    for by in ALL {
        let (world, node) = (World::new(1), node());
        let mut runner = node.start(&settings()).unwrap();
        let mut tasks = world.tasks();
        tasks.spawn(world.run(&mut runner, by));
        let topic = node.declare_topic("t", 2).unwrap();
        tasks.block_on(10_000, async {
            let first = node.send(topic, &record("a", 0)).await.unwrap();
            let second = node.send(topic, &record("b", 0)).await.unwrap();
            assert_eq!((first.accepted().number, second.accepted().number), (0, 1));
            // Both in one batch: each has its own offset.
            let written = |base_offset| Outcome::Written { base_offset, append_time: -1 };
            assert_eq!(second.await, written(1));
            assert_eq!(first.await, written(0));
        });
        assert_eq!(world.log(0), ["a", "b"], "{by:?}");
        all_places_are_free(&mut tasks, &node, topic);
    }
}

#[test]
fn outcomes_come_by_events() {
    for by in ALL {
        let (world, node) = (World::new(1), node());
        let mut runner = node.start(&settings()).unwrap();
        let mut tasks = world.tasks();
        tasks.spawn(world.run(&mut runner, by));
        let topic = node.declare_topic("t", 2).unwrap();
        let mut events = node.events();
        let told = tasks.block_on(10_000, async {
            for value in ["a", "b", "c"] {
                node.produce(topic, &record(value, 0)).await.unwrap();
            }
            let mut told = 0;
            while told < 3 {
                if let Event::Delivered(run) = events.next().await.unwrap() {
                    assert!(is_written(run.outcome) && run.first == told);
                    told += u64::from(run.count);
                }
            }
            told
        });
        assert_eq!(told, 3);
        assert_eq!(events.try_next(), None);
        assert_eq!(world.log(0), ["a", "b", "c"], "{by:?}");
    }
}

#[test]
fn records_of_a_batch_that_is_too_large_have_outcomes_of_their_own() {
    for by in ALL {
        let (world, node) = (World::new(1), node());
        let small = NewTopic::assigned("small", &[&[1]]).config("max.message.bytes", "100");
        world.net().cluster.create_topic(&small).unwrap();
        let mut runner = node.start(&settings()).unwrap();
        let mut tasks = world.tasks();
        tasks.spawn(world.run(&mut runner, by));
        let topic = node.declare_topic("small", 1).unwrap();
        let offset = |outcome| match outcome {
            Outcome::Written { base_offset, .. } => base_offset,
            other => panic!("{other}"),
        };
        tasks.block_on(20_000, async {
            let first =
                node.send(topic, &record("123456789012345678901234567890", 0)).await.unwrap();
            let second =
                node.send(topic, &record("123456789012345678901234567890", 0)).await.unwrap();
            assert_eq!(first.accepted().batch, second.accepted().batch);
            assert_eq!(offset(second.await), 1);
            assert_eq!(offset(first.await), 0);
        });
    }
}

#[test]
fn outcomes_that_nobody_wants_cost_nothing() {
    for by in ALL {
        let (world, node) = (World::new(1), node());
        let mut runner = node.start(&settings()).unwrap();
        let mut tasks = world.tasks();
        tasks.spawn(world.run(&mut runner, by));
        let topic = node.declare_topic("t", 2).unwrap();
        // Many more than there are slots.
        tasks.block_on(60_000, async {
            for number in 0..40 {
                let value = format!("{number:060}");
                node.produce(topic, &record(&value, number % 2)).await.unwrap();
                // A delivery that is dropped is nobody's.
                drop(node.send(topic, &record("x", number % 2)).await.unwrap());
            }
            node.flush().await.unwrap();
        });
        assert_eq!(world.log(0).len() + world.log(1).len(), 80);
        assert_eq!(node.counters().written, 80);
        all_places_are_free(&mut tasks, &node, topic);
    }
}

#[test]
fn a_delivery_whose_events_somebody_takes_is_told_all_the_same() {
    let (world, node) = (World::new(1), node());
    let mut runner = node.start(&settings()).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Pieces));
    let topic = node.declare_topic("t", 2).unwrap();
    let mut events = node.events();
    let delivery = tasks.block_on(1_000, node.send(topic, &record("a", 0))).unwrap();
    // The event is taken, the batch's slot used again, and only then the delivery looked at.
    for value in ["b", "c", "d", "e", "f", "g"] {
        tasks.block_on(10_000, async {
            node.produce(topic, &record(value, 0)).await.unwrap();
            while !matches!(events.next().await.unwrap(), Event::Delivered(_)) {}
        });
    }
    let told = tasks.block_on(1, delivery);
    assert_eq!(told, Outcome::Written { base_offset: 0, append_time: -1 });
}

/// An event is taken in the moment in which its outcome came, before the runner had its turn.
#[test]
fn a_delivery_is_told_though_its_event_was_taken_before() {
    let (world, node) = (World::new(1), node());
    let mut runner = node.start(&settings()).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Pieces));
    let topic = node.declare_topic("t", 2).unwrap();
    let node = &*node;
    tasks.spawn(async move {
        let mut events = node.events();
        loop {
            while events.try_next().is_some() {}
            Timer::after_millis(1).await;
        }
    });
    for _ in 0..20 {
        let delivery = tasks.block_on(1_000, node.send(topic, &record("a", 0))).unwrap();
        assert!(is_written(tasks.block_on(1_000, delivery)));
    }
}

#[test]
fn without_acknowledgement_an_outcome_comes_with_the_write() {
    for by in ALL {
        let (world, node) = (World::new(1), node());
        let mut settings = settings();
        settings.config.acks = Acks::None;
        settings.config.idempotence = false;
        let mut runner = node.start(&settings).unwrap();
        let mut tasks = world.tasks();
        tasks.spawn(world.run(&mut runner, by));
        let topic = node.declare_topic("t", 2).unwrap();
        tasks.block_on(1_000, async {
            for _ in 0..3 {
                let delivery = node.send(topic, &record("a", 0)).await.unwrap();
                assert_eq!(delivery.await, Outcome::Unacknowledged);
            }
        });
        tasks.run_for(10);
        assert_eq!(world.log(0).len(), 3);
    }
}

#[test]
fn of_two_who_take_events_each_event_goes_to_one() {
    let (world, node) = (World::new(1), node());
    let mut runner = node.start(&settings()).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Pieces));
    let topic = node.declare_topic("t", 2).unwrap();
    let mut first = node.events();
    let second = node.events();
    tasks.block_on(10_000, node.produce(topic, &record("a", 0))).unwrap();
    drop(second);
    // The other one still listens: nothing is taken from under it.
    tasks.run_for(1_000);
    assert!(matches!(first.try_next(), Some(Event::Delivered(_))));
    drop(first);
    tasks.block_on(10_000, node.produce(topic, &record("b", 0))).unwrap();
    tasks.run_for(1_000);
    assert_eq!(node.counters().written, 2);
}

#[test]
fn starting_twice_and_wrongly() {
    let node = node();
    let wrong = |change: fn(&mut ottla_embassy::Settings<'static>)| {
        let mut settings = settings();
        change(&mut settings);
        node.start(&settings).err()
    };
    use ottla::config::Problem;
    use ottla_embassy::StartError;
    assert_eq!(wrong(|s| s.bootstrap = &[]), Some(StartError::NoBootstrap));
    let long = wrong(|s| s.bootstrap = &[("a-name-that-is-too-long", 1)]);
    assert_eq!(long, Some(StartError::Bootstrap(0)));
    let config = wrong(|s| s.config.retries = 0);
    assert_eq!(config, Some(StartError::Config(Problem::IdempotenceNeedsRetries)));
    let id =
        wrong(|s| s.client_id = "an id that is longer than all the memory for names has room for");
    assert_eq!(id, None);
    assert_eq!(wrong(|_| ()), Some(StartError::Started));
}

#[test]
fn a_producer_that_was_not_started_accepts_nothing() {
    let (world, node) = (World::new(1), node());
    let mut tasks = world.tasks();
    let topic = node.declare_topic("t", 2).unwrap();
    assert_eq!(node.try_produce(topic, &record("a", 0)), Err(Refused::Closed));
    let refused = tasks.block_on(1, node.produce(topic, &record("a", 0)));
    assert_eq!(refused, Err(Error::Refused(Refused::Closed)));
}
