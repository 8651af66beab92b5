//! The plain way through.

use super::world::{World, config, written};

#[test]
fn one_record_is_written() {
    let mut world = World::new(config(), 1);
    let topic = world.ready();
    world.send(topic, 0, "a");
    let sent = world.take();
    assert_eq!(sent.only().values, ["a"]);
    assert_eq!((sent.only().id, sent.only().epoch, sent.only().sequence), (7, 0, 0));
    world.acknowledge(&sent, 40);
    assert_eq!(world.outcomes(), [(0, 0, 1, written(40))]);
}

#[test]
fn the_window_opens_after_the_first_success() {
    let mut world = World::new(config(), 1);
    let topic = world.ready();
    world.send(topic, 0, "0");
    let first = world.take();
    for value in ["1", "2", "3"] {
        world.send(topic, 0, value);
        world.producer.flush(world.now);
        assert!(world.take_all().is_empty());
    }
    world.acknowledge(&first, 0);
    let sent = world.take_all();
    let sequences: std::vec::Vec<_> = sent.iter().map(|s| s.only().sequence).collect();
    assert_eq!(sequences, [1, 2, 3]);
    for (index, sent) in sent.iter().enumerate() {
        world.acknowledge(sent, 1 + index as i64);
    }
    assert_eq!(world.outcomes().len(), 4);
}
