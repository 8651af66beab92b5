//! A path, told step by step.

use std::fmt::Write as _;

use crate::action::Action;
use crate::client::Told;
use crate::engine::Engine;
use crate::search::Found;
use crate::setup::Setup;
use crate::world::World;

/// What happened in a world up to a violation, a line for each step.
#[must_use]
pub fn tell(setup: &Setup, found: &Found) -> String {
    let mut engine = Engine::new(setup);
    let mut text = format!("# {}\n", setup.describe());
    let Ok(mut world) = engine.start() else {
        let _ = writeln!(text, "# {}", found.violation);
        return text;
    };
    for (action, number) in found.path.iter().zip(1..) {
        let what = engine.describe(&world, *action);
        let after = engine.apply(&world, *action);
        let _ = write!(text, "{number:3}. {what}");
        if let Ok(Some(after)) = after {
            let _ = write!(text, "{}", news(&engine, &world, &after));
            world = after;
        }
        text.push('\n');
    }
    let _ = writeln!(text, "# {}", found.violation);
    text
}

/// What a step has changed that is seen from outside.
fn news(engine: &Engine, before: &World, after: &World) -> String {
    let mut news = String::new();
    for (slot, line) in (0..).zip(&after.lines) {
        let Some(line) = line else { continue };
        let old = before.lines.get(slot).and_then(Option::as_ref);
        let old = old.filter(|old| old.node == line.node && old.open == line.open);
        let known = old.map_or(0, |old| old.requests.len());
        for request in line.requests.iter().skip(known) {
            let _ = write!(news, "; sent: {}", engine.frames.describe(*request));
        }
        let known = old.map_or(0, |old| old.answers.len());
        for (_, answer) in line.answers.iter().skip(known) {
            let _ = write!(news, "; {}", engine.frames.describe(*answer));
        }
    }
    for (record, (old, told)) in before.told.iter().zip(&after.told).enumerate() {
        if old != told {
            let told = match told {
                Told::Written(offset) => format!("written at {offset}"),
                Told::NotWritten => "not written".to_string(),
                Told::Unknown => "unknown".to_string(),
                Told::Nothing => "nothing".to_string(),
            };
            let _ = write!(news, "; record {record}: {told}");
        }
    }
    for partition in 0..engine.setup.partitions {
        let log = engine.brokers.log(after.broker, partition);
        if log != engine.brokers.log(before.broker, partition) {
            let _ = write!(news, "; log of partition {partition}: {log:?}");
        }
    }
    news
}

impl Engine {
    /// What an action is, in words.
    fn describe(&self, world: &World, action: Action) -> String {
        let line = |slot: u8| world.lines[usize::from(slot)].as_ref();
        let node = |slot: u8| line(slot).map_or(0, |line| line.node);
        let next = |slot: u8| {
            let request = line(slot).and_then(|line| line.requests.first());
            request.map_or_else(String::new, |request| self.frames.describe(*request))
        };
        let ends = |silent| if silent { "falls silent" } else { "ends" };
        match action {
            Action::Produce(partition) => {
                format!("the application produces to partition {partition}")
            }
            Action::TakeEvents => "the application takes its events".to_string(),
            Action::Close => "the application closes the producer, within 500 ms".to_string(),
            Action::Connected(slot) => format!("link {slot} to node {} is connected", node(slot)),
            Action::Deliver(slot) => {
                format!("node {} reads from link {slot}: {}", node(slot), next(slot))
            }
            Action::Answer(slot) => {
                let answer = line(slot).and_then(|line| line.answers.first());
                let answer = answer.map(|(_, answer)| self.frames.describe(*answer));
                format!("link {slot} brings: {}", answer.unwrap_or_default())
            }
            Action::Deadline => {
                let wait = self.clients.facts(world.client).wait.unwrap_or(0);
                format!("{} ms pass, and a deadline with them", wait.div_ceil(1_000))
            }
            Action::Late(place) => {
                let late = &world.late[usize::from(place)];
                let request = self.frames.describe(late.requests[0]);
                format!("node {} reads, late: {request}", late.node)
            }
            Action::LoseRequest(slot, silent) => {
                format!("link {slot} {}, requests on it are lost", ends(silent))
            }
            Action::LoseReply(slot, silent) => {
                format!("link {slot} {}, answers on it are lost", ends(silent))
            }
            Action::Delay(slot, silent) => {
                format!("link {slot} {}, requests on it come late", ends(silent))
            }
            Action::ErrorBefore(slot, code) => {
                format!("node {} refuses with {code}: {}", node(slot), next(slot))
            }
            Action::ErrorAfter(slot, code) => {
                format!("node {} carries out, and answers {code}: {}", node(slot), next(slot))
            }
            Action::LeaveOut(slot) => {
                format!(
                    "node {} carries out, and leaves out of its answer: {}",
                    node(slot),
                    next(slot)
                )
            }
            Action::Reload => "the brokers keep the newest batch of the producer only".to_string(),
            Action::Expire(partition) => format!("partition {partition} forgets the producer"),
            Action::MoveLeader(partition) => {
                format!("the other node leads partition {partition}")
            }
        }
    }
}
