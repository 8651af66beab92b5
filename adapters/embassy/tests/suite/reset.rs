//! A connection that breaks at every byte, in both directions: no record lost, none twice.

use crate::net::Cut;
use crate::world::{ALL, By, World, is_written, node, record, settings};

/// Sends six records over two partitions; how many bytes passed.
fn send(by: By, cut: Option<Cut>) -> (usize, usize) {
    let (world, node) = (World::new(1), node());
    world.net().cut = cut;
    let mut settings = settings();
    settings.config.reconnect_backoff = ottla::Duration::from_millis(1);
    settings.config.reconnect_backoff_max = ottla::Duration::from_millis(2);
    settings.config.retry_backoff = ottla::Duration::from_millis(1);
    settings.config.retry_backoff_max = ottla::Duration::from_millis(2);
    let mut runner = node.start(&settings).unwrap();
    let mut tasks = world.tasks();
    tasks.spawn(world.run(&mut runner, by));
    let topic = node.declare_topic("t", 2).unwrap();
    tasks.block_on(60_000, async {
        for (value, other) in [("a", "A"), ("b", "B"), ("c", "C")] {
            let first = node.send(topic, &record(value, 0)).await.unwrap();
            let second = node.send(topic, &record(other, 1)).await.unwrap();
            let outcomes = (first.await, second.await);
            assert!(is_written(outcomes.0) && is_written(outcomes.1), "{outcomes:?} {cut:?}");
        }
    });
    assert_eq!(world.log(0), ["a", "b", "c"], "{by:?} {cut:?}");
    assert_eq!(world.log(1), ["A", "B", "C"], "{by:?} {cut:?}");
    let net = world.net();
    // One for the bootstrap address, and one for the broker that it turned out to be.
    // And one more, or two if what the first one was told came only in part.
    let expected = if cut.is_some() { 2..=4 } else { 2..=2 };
    assert!(expected.contains(&net.connects), "{by:?} {cut:?}: {}", net.connects);
    (net.up, net.down)
}

#[test]
fn a_reset_at_every_byte() {
    for by in ALL {
        let (up, down) = send(by, None);
        assert!(up > 300 && down > 300);
        for after in 0..up {
            send(by, Some(Cut::Up(after)));
        }
        for after in 0..down {
            send(by, Some(Cut::Down(after)));
        }
    }
}
