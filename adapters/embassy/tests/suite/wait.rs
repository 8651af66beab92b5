//! Waiting for room, and for a topic to be known. R16.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use embassy_futures::join::{join, join3};
use embassy_time::{Duration, Instant, Timer};
use ottla::config::UnknownTime;
use ottla::error::Full;
use ottla::message::Api;
use ottla::{Event, Refused};
use ottla_broker::{Action, AutoCreate, NewTopic};
use ottla_embassy::{Error, Record};

use crate::executor::Tasks;
use crate::world::{By, Node, World, all_places_are_free, node, record, settings};

/// A value that takes a block of its own.
fn large(name: char) -> String {
    name.to_string().repeat(150)
}

/// Fills every block, with answers that take a while, or for ever.
fn fill(world: &World, tasks: &mut Tasks<'_>, node: &Node, hold: u64) -> ottla::Topic {
    let topic = node.declare_topic("t", 2).unwrap();
    tasks.block_on(10_000, async {
        node.produce(topic, &record("first", 0)).await.unwrap();
        node.flush().await.unwrap();
    });
    world.net().cluster.set_hook(move |seen| match seen.api {
        Api::Produce => Action::DelayAnswer(hold),
        _ => Action::Proceed,
    });
    for name in ['x', 'y', 'z'] {
        node.try_produce(topic, &record(&large(name), 0)).unwrap();
    }
    let full = node.try_produce(topic, &record(&large('w'), 0));
    assert_eq!(full, Err(Refused::Full(Full::Memory)));
    topic
}

#[test]
fn r16_who_waits_for_room_is_served_in_the_order_of_the_calls() {
    let (world, node) = (World::new(1), node());
    let mut runner = node.start(&settings()).unwrap();
    let order = RefCell::new(Vec::new());
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Pieces));
    let topic = fill(&world, &mut tasks, &node, 500_000);
    let (node, order) = (&*node, &order);
    let mut waiting = Vec::new();
    for name in ['a', 'b', 'c', 'd'] {
        waiting.push(tasks.spawn(async move {
            node.produce(topic, &record(&large(name), 0)).await.unwrap();
            order.borrow_mut().push(name);
        }));
        tasks.run_for(1);
    }
    // Nobody overtakes who waits, not even with a record for which there is room.
    let room = node.try_produce(topic, &record("small", 1));
    assert_eq!(room, Err(Refused::Full(Full::Memory)));
    tasks.run_until(10_000, |tasks| waiting.iter().all(|id| tasks.is_done(*id)));
    tasks.block_on(10_000, node.flush()).unwrap();
    assert_eq!(*order.borrow(), ['a', 'b', 'c', 'd']);
    let log: Vec<_> = world.log(0).iter().map(|value| value.chars().next().unwrap()).collect();
    assert_eq!(log, ['f', 'x', 'y', 'z', 'a', 'b', 'c', 'd']);
    assert!(waiting.iter().all(|id| tasks.polls(*id) < 12), "who waits is woken only for a cause");
    all_places_are_free(&mut tasks, node, topic);
}

#[test]
fn nobody_is_woken_while_nothing_happens() {
    let (world, node) = (World::new(1), node());
    let mut runner = node.start(&settings()).unwrap();
    let mut tasks = world.tasks();
    let run = tasks.spawn(world.run(&mut runner, By::Pieces));
    let topic = fill(&world, &mut tasks, &node, 25_000_000);
    let node = &*node;
    let value = large('a');
    let waits = tasks.spawn(async move {
        node.produce(topic, &record(&value, 0)).await.unwrap();
    });
    // Timers of embassy-time cannot be taken back: that of the first connection fires, too.
    tasks.run_for(12_000);
    let before = tasks.polls(run) + tasks.polls(waits);
    tasks.run_for(10_000);
    assert_eq!(tasks.polls(run) + tasks.polls(waits), before);
    tasks.run_until(15_000, |tasks| tasks.is_done(waits));
}

/// As above, with the runner and those who wait in one task, which each wakes for the other.
#[test]
fn nobody_is_woken_while_nothing_happens_in_one_task() {
    for refused in [Refused::Full(Full::Memory), Refused::TopicUnknown, Refused::TimeUnknown] {
        let (world, node) = (World::new(1), node());
        let mut settings = settings();
        if refused == Refused::TimeUnknown {
            settings.config.unknown_time = UnknownTime::Wait;
        }
        let mut runner = node.start(&settings).unwrap();
        world.net().stuck = true;
        let partitions = if refused == Refused::TopicUnknown { 0 } else { 1 };
        let topic = node.declare_topic("t", partitions).unwrap();
        let mut tasks = world.tasks();
        let (run, node) = (world.run(&mut runner, By::Pieces), &*node);
        let work = async move {
            let value = large('a');
            let produce = async {
                let waited = loop {
                    if let Err(error) = node.produce(topic, &Record::new(value.as_bytes())).await {
                        break error;
                    }
                };
                assert_eq!(waited, Error::Waited(refused));
            };
            let second = async {
                let _ = node.produce(topic, &Record::new(b"b")).await;
            };
            let event = async {
                let _ = node.events().next().await;
            };
            join3(produce, second, event).await;
        };
        let all = tasks.spawn(async move {
            join(run, work).await;
        });
        tasks.run_for(58_000);
        assert!(tasks.polls(all) < 50, "{refused:?}: {}", tasks.polls(all));
        tasks.run_for(5_000);
    }
}

#[test]
fn who_was_let_in_lets_the_next_one_follow_into_the_same_batch() {
    let (world, node) = (World::new(1), node());
    let mut settings = settings();
    settings.config.linger = ottla::Duration::from_secs(40);
    let mut runner = node.start(&settings).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Pieces));
    let topic = node.declare_topic("t", 2).unwrap();
    world.net().cluster.set_hook(|seen| match seen.api {
        Api::Produce => Action::DelayAnswer(100_000),
        _ => Action::Proceed,
    });
    for name in ['x', 'y', 'z'] {
        node.try_produce(topic, &record(&large(name), 0)).unwrap();
    }
    let node = &*node;
    let waiting = ["a", "b", "c", "d"].map(|value| {
        tasks.spawn(async move {
            node.produce(topic, &record(value, 0)).await.unwrap();
        })
    });
    // Refused for lack of memory, they make what there is due (R16); once there is room, all
    // fit into one batch, whose linger they do not wait for.
    tasks.run_until(3_000, |tasks| waiting.iter().all(|id| tasks.is_done(*id)));
}

#[test]
fn r16_a_refusal_for_lack_of_room_sends_what_there_is() {
    let (world, node) = (World::new(1), node());
    let mut settings = settings();
    settings.config.linger = ottla::Duration::from_secs(40);
    let mut runner = node.start(&settings).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Pieces));
    let topic = node.declare_topic("t", 2).unwrap();
    world.net().cluster.set_hook(|seen| match seen.api {
        Api::Produce => Action::DelayAnswer(10_000_000),
        _ => Action::Proceed,
    });
    for name in ['x', 'y'] {
        node.try_produce(topic, &record(&large(name), 0)).unwrap();
    }
    node.try_produce(topic, &record("z", 1)).unwrap();
    tasks.run_for(2_000);
    assert_eq!(node.counters().requests, 1, "the others wait for more");
    // No task waits: the refusal alone has to wake the runner.
    let refused = node.try_produce(topic, &record(&large('w'), 0));
    assert_eq!(refused, Err(Refused::Full(Full::Memory)));
    tasks.run_for(100);
    assert_eq!(node.counters().requests, 2);
}

/// As above, by who is refused again, after others were let in.
#[test]
fn r16_a_second_refusal_sends_what_there_is_too() {
    let (world, node) = (World::new(1), node());
    let mut settings = settings();
    settings.config.linger = ottla::Duration::from_secs(40);
    let mut runner = node.start(&settings).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Pieces));
    let topic = node.declare_topic("t", 2).unwrap();
    let mut hold = 100_000;
    world.net().cluster.set_hook(move |seen| match seen.api {
        Api::Produce => Action::DelayAnswer(std::mem::replace(&mut hold, 25_000_000)),
        _ => Action::Proceed,
    });
    for (name, partition) in [('x', 0), ('y', 1), ('z', 1)] {
        node.try_produce(topic, &record(&large(name), partition)).unwrap();
    }
    let node = &*node;
    let waiting = [('a', 0), ('b', 1), ('c', 1)].map(|(name, partition)| {
        tasks.spawn(async move {
            node.produce(topic, &record(&large(name), partition)).await.unwrap();
        })
    });
    tasks.run_for(2_000);
    assert_eq!(waiting.map(|id| tasks.is_done(id)), [true, true, false]);
    // One with x and y, one with z; and one with a, which has 40 s of linger left.
    assert_eq!(node.counters().requests, 3);
}

/// Somebody who stands behind is woken by something else in the very moment in which there is
/// room again, and looks first.
#[test]
fn r16_who_looks_first_does_not_overtake() {
    let (world, node) = (World::new(1), node());
    let mut runner = node.start(&settings()).unwrap();
    let (order, now) = (RefCell::new(Vec::new()), Cell::new(false));
    let mut tasks = world.tasks();
    let topic = node.declare_topic("t", 2).unwrap();
    world.net().cluster.set_hook(|seen| match seen.api {
        Api::Produce => Action::DelayAnswer(500_000),
        _ => Action::Proceed,
    });
    let first = tasks.block_on(1, node.send(topic, &record(&large('x'), 0))).unwrap();
    for name in ['y', 'z'] {
        node.try_produce(topic, &record(&large(name), 0)).unwrap();
    }
    let (node, order, now) = (&*node, &order, &now);
    let behind = tasks.spawn(async move {
        let produce = async {
            while !now.get() {
                Timer::after_millis(1).await;
            }
            node.produce(topic, &record(&large('b'), 0)).await.unwrap();
            order.borrow_mut().push('b');
        };
        join(first, produce).await;
    });
    let before = tasks.spawn(async move {
        node.produce(topic, &record(&large('a'), 0)).await.unwrap();
        order.borrow_mut().push('a');
    });
    tasks.run();
    now.set(true);
    tasks.run_for(5);
    tasks.spawn(world.run(&mut runner, By::Pieces));
    tasks.run_until(10_000, |tasks| tasks.is_done(before) && tasks.is_done(behind));
    assert_eq!(*order.borrow(), ['a', 'b']);
}

/// Nothing happens but this: who was let in, or has left, has to let the next one follow.
#[test]
fn r16_the_next_one_follows() {
    for leaves in [true, false] {
        let (world, node) = (World::new(1), node());
        let mut settings = settings();
        settings.config.unknown_time = UnknownTime::Wait;
        let mut runner = node.start(&settings).unwrap();
        let mut tasks = world.tasks();
        tasks.spawn(world.run(&mut runner, By::Pieces));
        node.pause();
        let topic = node.topic("t").unwrap();
        let (node, turn) = (&*node, Rc::new(Cell::new(0)));
        let tasks_in_order = [2, 1, 0].map(|place| {
            let turn = Rc::clone(&turn);
            tasks.spawn(async move {
                while turn.get() != place {
                    Timer::after_millis(1).await;
                }
                turn.set(place + 1);
                // The first one waits for a topic that nobody asks for.
                let value = Record::new(b"a").timestamp(1_700_000_000_000);
                let value = if place > 0 || !leaves { value.partition(0) } else { value };
                let value = if leaves { value } else { Record { timestamp: None, ..value } };
                if leaves {
                    node.produce(topic, &value).await.unwrap();
                } else {
                    drop(node.send(topic, &value).await.unwrap());
                }
            })
        });
        tasks.run_for(20);
        assert!(tasks_in_order.iter().all(|id| !tasks.is_done(*id)));
        if leaves {
            tasks.kill(tasks_in_order[2]);
        } else {
            assert!(node.set_wall_clock(1_700_000_000_000));
        }
        tasks.run();
        assert!(tasks_in_order.iter().all(|id| tasks.is_done(*id)), "{leaves}");
    }
}

#[test]
fn waiting_ends_after_max_block() {
    let (world, node) = (World::new(1), node());
    let mut settings = settings();
    settings.max_block = Duration::from_millis(700);
    let mut runner = node.start(&settings).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Pieces));
    let topic = fill(&world, &mut tasks, &node, 3_000_000);
    let before = Instant::now();
    let full = Err(Error::Waited(Refused::Full(Full::Memory)));
    let value = large('a');
    let result = tasks.block_on(10_000, node.produce(topic, &record(&value, 0)));
    assert_eq!(result, full);
    assert_eq!((Instant::now() - before).as_millis(), 700);
    // And of those who stand behind.
    let (first, second) = tasks.block_on(10_000, async {
        let (first, second) = (record(&value, 0), record(&value, 1));
        let waiting = (node.produce(topic, &first), node.produce(topic, &second));
        join(waiting.0, waiting.1).await
    });
    assert_eq!((first, second), (full, full));
    tasks.run_for(3_000);
    all_places_are_free(&mut tasks, &node, topic);
}

#[test]
fn without_time_to_block_nobody_waits() {
    let (world, node) = (World::new(1), node());
    let mut settings = settings();
    settings.max_block = Duration::from_ticks(0);
    let mut runner = node.start(&settings).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Pieces));
    let topic = fill(&world, &mut tasks, &node, 1_000_000);
    let value = large('a');
    let refused = tasks.block_on(1, node.produce(topic, &record(&value, 0)));
    assert_eq!(refused, Err(Error::Waited(Refused::Full(Full::Memory))));
}

#[test]
fn the_table_of_those_who_wait_is_full() {
    let (world, node, value) = (World::new(1), node(), large('a'));
    let mut runner = node.start(&settings()).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Pieces));
    let topic = fill(&world, &mut tasks, &node, 500_000);
    let (node, value) = (&*node, value.as_str());
    let waiting: Vec<_> = (0..5)
        .map(|_| {
            tasks.spawn(async move {
                node.produce(topic, &record(value, 0)).await.unwrap();
            })
        })
        .collect();
    tasks.run_for(1);
    let one_more = tasks.block_on(1, node.produce(topic, &record(value, 0)));
    assert_eq!(one_more, Err(Error::Waits));
    assert_eq!(tasks.block_on(1, node.send(topic, &record(value, 0))).err(), Some(Error::Waits));
    assert_eq!(tasks.block_on(1, node.flush()), Err(Error::Waits));
    tasks.run_until(10_000, |tasks| waiting.iter().all(|id| tasks.is_done(*id)));
    tasks.block_on(10_000, node.flush()).unwrap();
    assert_eq!(world.log(0).len(), 9);
}

#[test]
fn r16_a_topic_that_is_not_known_yet_is_waited_for_in_order() {
    let (world, node) = (World::new(1), node());
    let mut runner = node.start(&settings()).unwrap();
    let order = RefCell::new(Vec::new());
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Streams));
    let (unknown, known) = (node.topic("t").unwrap(), node.declare_topic("u", 1).unwrap());
    let any = Record::new(b"any");
    assert_eq!(node.try_produce(unknown, &any), Err(Refused::TopicUnknown));
    let (node, order) = (&*node, &order);
    for name in ["a", "b", "c"] {
        tasks.spawn(async move {
            node.produce(unknown, &Record::new(name.as_bytes()).key(b"k")).await.unwrap();
            order.borrow_mut().push(name);
        });
    }
    tasks.run();
    // They stand in the way of their own topic only, and the reason says what they wait for.
    assert_eq!(node.try_produce(unknown, &any), Err(Refused::TopicUnknown));
    node.try_produce(known, &Record::new(b"other")).unwrap();
    tasks.run_until(5_000, |_| order.borrow().len() == 3);
    assert_eq!(*order.borrow(), ["a", "b", "c"]);
    tasks.block_on(5_000, node.flush()).unwrap();
    let log = [world.log(0), world.log(1)].concat();
    assert_eq!(log, ["a", "b", "c"]);
    all_places_are_free(&mut tasks, node, unknown);
}

#[test]
fn a_topic_that_does_not_exist_is_refused_until_it_does() {
    let world = World::new(1);
    world.net().cluster = {
        let config =
            ottla_broker::Config { auto_create: AutoCreate::No, ..ottla_broker::Config::new(1) };
        ottla_broker::Cluster::new(config)
    };
    let node = node();
    let mut settings = settings();
    settings.max_block = Duration::from_secs(5);
    let mut runner = node.start(&settings).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Pieces));
    let topic = node.topic("t").unwrap();
    let mut events = node.events();
    let refused = tasks.block_on(10_000, node.produce(topic, &Record::new(b"a")));
    let code = ottla::message::ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    let told = std::iter::from_fn(|| events.try_next())
        .any(|event| event == Event::Topic(topic, Err(code)));
    match refused {
        Err(Error::Refused(Refused::Topic(refused))) => assert!(refused == code && told),
        Err(Error::Waited(Refused::TopicUnknown)) => assert!(!told),
        other => panic!("{other:?}"),
    }
    world.net().cluster.create_topic(&NewTopic::new("t", 1, 1)).unwrap();
    tasks.block_on(30_000, async {
        while node.produce(topic, &Record::new(b"a")).await.is_err() {
            Timer::after_millis(200).await;
        }
        node.flush().await.unwrap();
    });
    assert_eq!(world.log(0), ["a"]);
}

#[test]
fn records_are_accepted_before_any_broker_was_reached() {
    let (world, node) = (World::new(1), node());
    let mut runner = node.start(&settings()).unwrap();
    let mut tasks = world.tasks();
    let topic = node.declare_topic("t", 2).unwrap();
    node.try_produce(topic, &record("a", 0)).unwrap();
    node.try_produce(topic, &record("b", 1)).unwrap();
    world.net().dark = true;
    tasks.spawn(world.run(&mut runner, By::Pieces));
    tasks.run_for(20_000);
    node.try_produce(topic, &record("c", 0)).unwrap();
    world.net().dark = false;
    tasks.block_on(10_000, node.flush()).unwrap();
    assert_eq!((world.log(0), world.log(1)), (vec!["a".into(), "c".into()], vec!["b".into()]));
}

#[test]
fn who_does_not_take_events_stops_the_producer_until_it_does() {
    let (world, node) = (World::new(1), node());
    let mut runner = node.start(&settings()).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, By::Pieces));
    let topic = node.declare_topic("t", 2).unwrap();
    let mut events = node.events();
    for _ in 0..4 {
        tasks.block_on(5_000, async {
            node.produce(topic, &record("a", 0)).await.unwrap();
            node.flush().await.unwrap();
        });
    }
    // Every slot holds an outcome that was not taken.
    let full = Err(Refused::Full(Full::Batches));
    assert_eq!(node.try_produce(topic, &record("b", 0)), full);
    let node = &*node;
    let waiting = tasks.spawn(async move {
        node.produce(topic, &record("b", 0)).await.unwrap();
    });
    tasks.run_for(5_000);
    assert!(!tasks.is_done(waiting));
    while !matches!(events.try_next(), Some(Event::Delivered(_))) {}
    tasks.run_until(10, |tasks| tasks.is_done(waiting));
    // Nobody takes them any more: the runner does.
    drop(events);
    tasks.block_on(5_000, node.flush()).unwrap();
    all_places_are_free(&mut tasks, node, topic);
}
