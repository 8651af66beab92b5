//! Whether what was seen is what a script expects.

use crate::driver::{Failure, Run, World};
use crate::fate::Fate;
use crate::net::Asked;
use crate::script::{Expected, Place, Script, SentBatch, Which, names_text, span_text};
use crate::trace;

/// What is not as expected.
pub(crate) fn check(world: &World, script: &Script) -> Vec<Failure> {
    let mut failures = Vec::new();
    for expected in &script.expected {
        let messages = match &expected.it {
            Expected::Outcome(names, fate) => {
                let each = (0..).zip(names).map(|(place, name)| {
                    let wanted = fate.behind(place);
                    let record = world.records.iter().find(|record| record.name == *name);
                    match record.map(|record| record.fate) {
                        None => Some(format!("{name} was never produced")),
                        Some(None) => Some(format!("{name} has no outcome, not {wanted}")),
                        Some(Some((fate, _))) if fate == wanted => None,
                        Some(Some((fate, _))) => Some(format!("{name} is {fate}, not {wanted}")),
                    }
                });
                each.flatten().collect()
            }
            Expected::Told(names, from, to) => told(world, names, *from, *to),
            Expected::Log(place, names) => {
                let Place { topic, partition } = place;
                let seen = trace::log(world, topic, partition.unwrap_or(0));
                differs(place, "the log", &names_text(&seen), &names_text(names))
            }
            Expected::Sent(place, batches) => {
                let seen = batches_text(&sent(world, place));
                differs(place, "what was sent", &seen, &batches_text(batches))
            }
            Expected::Count(which, count) => {
                let seen = count_of(world, which);
                let differ = seen != *count;
                differ
                    .then(|| format!("{which}: {seen} of them, not {count}"))
                    .into_iter()
                    .collect()
            }
        };
        let line = expected.line;
        failures.extend(messages.into_iter().map(|message| Failure { line, message }));
    }
    failures.extend(truths(world));
    failures
}

/// What holds in every script, so that nobody has to write it: a record that is told to be written
/// at an offset is there, as long as no log was cut; one that is told not to be written is in no log.
fn truths(world: &World) -> Vec<Failure> {
    let mut failures = Vec::new();
    for record in &world.records {
        let name = &record.name;
        // A leader may not run any more, so all replicas are looked at.
        let nodes = world.cluster.config().nodes.iter();
        let stored: Vec<_> =
            nodes.flat_map(|node| trace::stored(world, &record.place, node.id)).collect();
        let message = match record.fate {
            Some((Fate::Written(Some(offset)), _))
                if !world.cuts_logs && !stored.contains(&(offset, name.clone())) =>
            {
                format!("{name} was told to be written at {offset}, and is not there")
            }
            Some((Fate::NotWritten(_) | Fate::Refused(_), _))
                if stored.iter().any(|(_, its)| its == name) =>
            {
                format!("{name} was told not to be written, and is in a log")
            }
            _ => continue,
        };
        failures.push(Failure { line: record.line, message });
    }
    failures
}

fn told(world: &World, names: &[String], from: u64, to: u64) -> Vec<String> {
    let of_them = world.records.iter().filter(|record| names.contains(&record.name));
    let wrong = of_them.filter_map(|record| match record.fate {
        Some((_, at)) if (from..=to).contains(&at) => None,
        Some((_, at)) => Some(format!("{} was told at {}", record.name, span_text(at))),
        None => Some(format!("{} has no outcome", record.name)),
    });
    wrong.collect()
}

fn differs(place: &Place, what: &str, seen: &str, wanted: &str) -> Vec<String> {
    let shown = |text: &str| if text.is_empty() { "nothing".to_owned() } else { text.to_owned() };
    if seen == wanted {
        return Vec::new();
    }
    vec![format!("{what} of {place} is: {}; not: {}", shown(seen), shown(wanted))]
}

/// All requests in the order in which they were written.
fn asked(world: &World) -> Vec<(Option<i32>, &Asked)> {
    let wires = world.net.wires.values();
    let all = wires.flat_map(|wire| wire.asked.iter().map(|asked| (wire.node, asked)));
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|(_, asked)| asked.place);
    all
}

fn sent(world: &World, place: &Place) -> Vec<SentBatch> {
    let batches = asked(world).into_iter().flat_map(|(_, asked)| &asked.request.batches);
    batches.filter(|(its, _)| its == place).map(|(_, batch)| batch.clone()).collect()
}

fn batches_text(batches: &[SentBatch]) -> String {
    batches.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn count_of(world: &World, which: &Which) -> u32 {
    let count = match which.api {
        None => {
            let is = |node: Option<i32>| node.is_some_and(|node| which.is(None, node, &[]));
            world.net.wires.values().filter(|wire| is(wire.node)).count()
        }
        Some(api) => {
            let is = |node: Option<i32>, asked: &Asked| {
                let places: Vec<Place> =
                    asked.request.batches.iter().map(|(place, _)| place.clone()).collect();
                node.is_some_and(|node| which.is(Some(api), node, &places))
                    && asked.request.api == api
            };
            asked(world).into_iter().filter(|(node, asked)| is(*node, asked)).count()
        }
    };
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// What differs between a run and the trace that the script has recorded: the first line, of those
/// that do.
#[must_use]
pub fn compare(script: &Script, run: &Run) -> Vec<Failure> {
    let recorded: Vec<&str> = script.trace.iter().map(|line| line.it.as_str()).collect();
    let seen: Vec<&str> = run.trace.iter().map(String::as_str).collect();
    if recorded == seen {
        return Vec::new();
    }
    let same = recorded.iter().zip(&seen).take_while(|(a, b)| a == b).count();
    let last = script.trace.last().or(None).map_or(1, |line| line.line + 1);
    let line = script.trace.get(same).map_or(last, |line| line.line);
    let shown = |line: Option<&&str>| line.map_or("the end".to_owned(), |text| (*text).to_owned());
    let message = format!(
        "the trace differs from here on\n  recorded: {}\n  seen:     {}",
        shown(recorded.get(same)).trim(),
        shown(seen.get(same)).trim()
    );
    vec![Failure { line, message }]
}
