//! Rule R12: answers belong to what was asked.

use super::world::{World, config, written};
use crate::message::ErrorCode;
use crate::message::produce::PartitionAnswer;
use crate::message::produce::broker as produce;

#[test]
fn r12_answers_belong_to_their_partitions_whatever_their_order() {
    let mut world = World::new(config(), 3);
    let topic = world.ready();
    for partition in 0..3 {
        world.send(topic, partition, "x");
    }
    let sent = world.take();
    world.answer_with(&sent, &[(0, 10), (0, 11), (0, 12)], |reply, _| {
        reply.topics[0].partitions.reverse();
    });
    let mut outcomes = world.outcomes();
    outcomes.sort_by_key(|(partition, ..)| *partition);
    assert_eq!(outcomes, [0, 1, 2].map(|index| (index, 0, 1, written(10 + i64::from(index)))));
}

#[test]
fn r12_an_answer_for_a_partition_that_was_not_asked_for_is_nobodys() {
    let mut world = World::new(config(), 2);
    let topic = world.ready();
    for partition in 0..2 {
        world.send(topic, partition, "x");
    }
    let sent = world.take();
    world.answer_with(&sent, &[(0, 10), (0, 11)], |reply, _| {
        let partitions = &mut reply.topics[0].partitions;
        let stranger = produce::Partition::new(PartitionAnswer {
            index: 7,
            error: ErrorCode::NONE,
            base_offset: 70,
            log_append_time: -1,
            log_start: 0,
        });
        partitions.insert(0, stranger.clone());
        partitions.insert(2, stranger);
    });
    assert_eq!(world.outcomes(), [(0, 0, 1, written(10)), (1, 0, 1, written(11))]);
}
