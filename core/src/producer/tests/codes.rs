//! Each of Kafka's error codes, and codes that do not exist yet, as an answer to a Produce request:
//! what becomes of the batch, whether metadata is asked for, whether there is a pause, and whether the
//! producer can go on. The lists here are those of Kafka's documentation, not the core's table.

use super::world::{Sent, World, config, written};
use crate::config::Config;
use crate::message::ErrorCode;
use crate::producer::{Cause, Doubt, Event, Outcome};

const LAST: i16 = 136;

/// The same request may succeed later.
const RETRIABLE: [i16; 32] = [
    2, 3, 5, 6, 7, 9, 13, 14, 15, 16, 19, 20, 41, 51, 56, 70, 71, 72, 74, 75, 78, 80, 83, 84, 88,
    89, 100, 103, 106, 122, 123, 133,
];

/// The client's metadata is out of date.
const REFRESH: [i16; 13] = [3, 5, 6, 9, 13, 56, 72, 74, 80, 83, 84, 100, 103];

/// An idempotent producer can only be closed after it.
const FATAL: [i16; 5] = [31, 35, 49, 53, 90];

/// Given before the append, whatever `acks` is. R1.
const REFUSED: [i16; 24] = [
    2, 10, 17, 18, 19, 21, 29, 31, 32, 35, 42, 43, 44, 45, 47, 48, 49, 53, 59, 76, 87, 90, 103, 120,
];

/// The broker does not expect the sequence: the epoch is bumped, the batch sent again.
const LOST_PLACE: [i16; 2] = [45, 59];

/// What was seen of one answer.
#[derive(PartialEq, Eq, Debug)]
struct Seen {
    /// An outcome at once.
    outcome: Option<Outcome>,
    /// Metadata was asked for at once.
    refreshed: bool,
    /// The batch was sent again at once, and after every pause.
    at_once: bool,
    later: bool,
    /// Its epoch changed.
    bumped: bool,
    /// The producer takes no further record.
    fatal: bool,
}

fn epoch(sent: &Sent) -> i16 {
    sent.only().epoch
}

/// A batch in an open window is answered with `code`.
fn see(settings: Config, code: i16) -> Seen {
    let mut world = World::new(settings, 1);
    let topic = world.warm();
    world.pass(500);
    world.send(topic, 0, "a");
    let sent = world.take();
    let asked = world.metadata_requests.len();
    world.answer(&sent, &[(code, 5)]);
    let outcomes = world.outcomes();
    assert!(outcomes.len() <= 1, "{outcomes:?}");
    let refreshed = world.metadata_requests.len() > asked;
    let mut again = world.take_all();
    let at_once = !again.is_empty();
    world.back_off();
    again.extend(world.take_all());
    assert!(again.len() <= 1, "{again:?}");
    let later = !again.is_empty();
    if later {
        assert_eq!(again[0].only().values, ["a"]);
    }
    let bumped = again.first().is_some_and(|again| epoch(again) != epoch(&sent));
    let told = world.notices.iter().any(|event| matches!(event, Event::Fatal(_)));
    let fatal = world.try_send(topic, 0, "b").is_err();
    assert_eq!(told, fatal, "what is fatal is told");
    Seen { outcome: outcomes.first().map(|o| o.3), refreshed, at_once, later, bumped, fatal }
}

fn expected(code: i16, idempotent: bool) -> Seen {
    let is = |list: &[i16]| list.contains(&code);
    let cause = Cause::Code(ErrorCode(code));
    let silent = Seen {
        outcome: None,
        refreshed: is(&REFRESH),
        at_once: false,
        later: false,
        bumped: false,
        fatal: idempotent && is(&FATAL),
    };
    match code {
        0 => Seen { outcome: Some(written(5)), ..silent },
        46 => Seen { outcome: Some(written(-1)), ..silent },
        _ if idempotent && is(&LOST_PLACE) => {
            Seen { at_once: true, later: true, bumped: true, ..silent }
        }
        // Metadata that is asked for tells of no newer epoch here: the pause is kept.
        _ if is(&RETRIABLE) => Seen { later: true, ..silent },
        _ if is(&REFUSED) => Seen { outcome: Some(Outcome::NotWritten(cause)), ..silent },
        _ => {
            let doubt = Doubt::Code(ErrorCode(code));
            Seen { outcome: Some(Outcome::Unknown(cause, doubt)), ..silent }
        }
    }
}

#[test]
fn every_code_has_its_consequences() {
    let codes = (-1..=LAST).chain([LAST + 1, 4_711, i16::MAX, -2, i16::MIN]);
    for code in codes {
        for idempotence in [true, false] {
            let settings = Config { idempotence, ..config() };
            let which = std::format!("code {code}, idempotent: {idempotence}");
            assert_eq!(see(settings, code), expected(code, idempotence), "{which}");
        }
    }
}

#[test]
fn every_code_answers_for_its_own_partition_only() {
    for code in -1..=LAST {
        let mut world = World::new(config(), 2);
        let topic = world.warm();
        world.send(topic, 1, "first");
        let sent = world.take();
        world.acknowledge(&sent, 0);
        assert_eq!(world.outcomes().len(), 1);
        world.producer.pause(world.now);
        world.send(topic, 0, "a");
        world.send(topic, 1, "b");
        world.producer.resume(world.now);
        let sent = world.take();
        assert_eq!(sent.batches.len(), 2);
        world.answer(&sent, &[(code, 1), (0, 1)]);
        let outcomes = world.outcomes();
        let neighbour = outcomes.iter().find(|outcome| outcome.0 == 1).unwrap();
        assert_eq!(*neighbour, (1, 1, 1, written(1)), "code {code}");
    }
}

#[test]
fn answers_for_partitions_that_were_not_asked_for_change_nothing() {
    let mut world = World::new(config(), 3);
    let topic = world.warm();
    world.send(topic, 0, "a");
    let sent = world.take();
    world.answer_with(&sent, &[(0, 1)], |reply, _| {
        let mut surplus = reply.topics[0].partitions[0].clone();
        surplus.answer.error = ErrorCode(10);
        // The same partition once more, another of the topic, one that there is not, and another
        // topic.
        reply.topics[0].partitions.push(surplus.clone());
        surplus.answer.index = 1;
        reply.topics[0].partitions.push(surplus.clone());
        surplus.answer.index = -7;
        reply.topics[0].partitions.push(surplus.clone());
        let mut other = reply.topics[0].clone();
        other.name = std::vec![77; 16];
        reply.topics.push(other);
    });
    assert_eq!(world.outcomes(), [(0, 1, 1, written(1))]);
    world.send(topic, 1, "b");
    let sent = world.take();
    world.acknowledge(&sent, 0);
    assert_eq!(world.outcomes(), [(1, 0, 1, written(0))]);
}
