//! What was seen, in an order that is the same for all hosts: what each node was sent and has
//! answered, connection by connection; the logs; what was told of each record.
//!
//! Times are not in it, as pauses between attempts are drawn. For the same reason attempts to
//! connect that failed in a row stand there once, and a Metadata request that was answered like
//! the last one on its connection does not.

use ottla::message::Api;
use ottla_broker::UpTo;

use crate::driver::World;
use crate::frames::name_of;
use crate::net::{End, Wire};
use crate::script::{Place, names_text};

/// The trace of a run.
pub(crate) fn text(world: &World) -> Vec<String> {
    let mut lines = Vec::new();
    let mut nodes: Vec<Option<i32>> = world.net.wires.values().map(|wire| wire.node).collect();
    nodes.sort_unstable();
    nodes.dedup();
    for node in nodes {
        let of_node = |wire: &&Wire| wire.node == node;
        wires(node, world.net.wires.values().filter(of_node), &mut lines);
    }
    logs(world, &mut lines);
    outcomes(world, &mut lines);
    lines
}

fn wires<'w>(node: Option<i32>, wires: impl Iterator<Item = &'w Wire>, lines: &mut Vec<String>) {
    let who = node.map_or("a host that does not exist".to_owned(), |node| format!("node {node}"));
    let (mut number, mut failing) = (0, false);
    for wire in wires {
        if !wire.made {
            if !failing {
                lines.push(format!("{who}, no connection"));
            }
            failing = true;
            continue;
        }
        failing = false;
        number += 1;
        lines.push(format!("{who}, connection {number}"));
        let mut last = String::new();
        for asked in &wire.asked {
            let answer = match &asked.answer {
                Some(answer) => format!(" -> {answer}"),
                None if asked.request.answered => " -> nothing".to_owned(),
                None => String::new(),
            };
            let line = format!("  {}{answer}", asked.request.text);
            if asked.request.api == Api::Metadata {
                if line == last {
                    continue;
                }
                last.clone_from(&line);
            }
            lines.push(line);
        }
        match wire.end {
            None => {}
            Some(End::ByProducer) => lines.push("  closed by the producer".to_owned()),
            Some(End::ByNode) => lines.push("  closed by the node".to_owned()),
            Some(End::Cut) => lines.push("  cut".to_owned()),
        }
    }
}

/// What stands in the log of a partition.
pub(crate) fn log(world: &World, topic: &str, partition: i32) -> Vec<String> {
    let records = world.cluster.records(topic, UpTo::HighWatermark);
    let records = records.filter_map(Result::ok).filter(|record| record.partition == partition);
    records.map(|record| name_of(record.record.value.unwrap_or(b""))).collect()
}

/// What stands in the logs of a node: offsets and names.
pub(crate) fn stored(world: &World, place: &Place, node: i32) -> Vec<(i64, String)> {
    let count = i32::try_from(world.cluster.partition_count(&place.topic)).unwrap_or(i32::MAX);
    let of_place = (0..count).filter(|index| place.partition.is_none_or(|its| its == *index));
    let logs = of_place.filter_map(|index| world.cluster.log(&place.topic, index, node));
    let batches = logs.flat_map(|log| log.batches());
    let records = batches.filter_map(|batch| batch.records().ok()).flatten();
    let records = records.filter_map(Result::ok);
    records.map(|(offset, record)| (offset, name_of(record.value.unwrap_or(b"")))).collect()
}

fn logs(world: &World, lines: &mut Vec<String>) {
    for topic in &world.topics {
        let count = i32::try_from(world.cluster.partition_count(topic)).unwrap_or(i32::MAX);
        for partition in 0..count {
            let names = log(world, topic, partition);
            if !names.is_empty() {
                lines.push(format!("log {topic}/{partition}: {}", names_text(&names)));
            }
        }
    }
}

fn outcomes(world: &World, lines: &mut Vec<String>) {
    let mut records = world.records.as_slice();
    while let Some(first) = records.first() {
        let fate = first.fate.map(|(fate, _)| fate);
        // Those whose fate is the first one's, offset by offset.
        let alike = (0..).zip(records).take_while(|(place, record)| {
            record.fate.map(|(fate, _)| fate) == fate.map(|fate| fate.behind(*place))
                && record.place == first.place
        });
        let count = alike.count();
        let names: Vec<String> = records[..count].iter().map(|r| r.name.clone()).collect();
        let names = names_text(&names);
        lines.push(match fate {
            Some(fate) => format!("{names} {fate}"),
            None => format!("{names} has no outcome"),
        });
        records = &records[count..];
    }
}
