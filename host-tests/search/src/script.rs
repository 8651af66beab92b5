//! A path as a scenario script, in the language of `host-tests/scenarios`: the same faults at the
//! same requests. Scripts tell what waits for what, and paths the order of every single frame; where
//! no word of the language says as much, the steps above the script do.

use std::fmt::Write as _;

use crate::action::Action;
use crate::client::Told;
use crate::engine::Engine;
use crate::frames::Content;
use crate::search::Found;
use crate::setup::Setup;
use crate::trace;
use crate::world::World;

/// Longer than anything takes that a script leaves out.
const REST: &str = "after 10s";

/// The path to a broken promise, as a script that begins with its steps.
#[must_use]
pub fn script(setup: &Setup, found: &Found) -> String {
    let mut text = format!("# {}: {}\n#\n", setup.name, found.violation);
    for line in trace::tell(setup, found).lines() {
        let _ = writeln!(text, "# {}", line.trim_start_matches("# "));
    }
    text.push('\n');
    text.push_str(&given(setup));
    text.push_str("\nevents\n");
    let mut events = Events::new(setup);
    for action in &found.path {
        if !events.take(*action) {
            break;
        }
    }
    for line in events.lines.iter().map(String::as_str).chain([REST]) {
        let _ = writeln!(text, "  {line}");
    }
    text
}

fn given(setup: &Setup) -> String {
    let config = setup.config();
    let replicas = vec!["1,2"; usize::from(setup.partitions)].join(" ");
    let millis = [
        ("linger.ms", config.linger),
        ("retry.backoff.ms", config.retry_backoff),
        ("retry.backoff.max.ms", config.retry_backoff_max),
        ("reconnect.backoff.ms", config.reconnect_backoff),
        ("reconnect.backoff.max.ms", config.reconnect_backoff_max),
        ("request.timeout.ms", config.request_timeout),
        ("delivery.timeout.ms", config.delivery_timeout),
    ];
    let release = setup.release;
    let mut text = format!("given\n  nodes 2\n  profile {release}\n  topic t on {replicas}\n");
    let _ = writeln!(text, "  producer batch.size {}", config.batch_size);
    let in_flight = config.max_in_flight;
    let _ = writeln!(text, "  producer max.in.flight.requests.per.connection {in_flight}");
    for (name, span) in millis {
        let _ = writeln!(text, "  producer {name} {}", span.as_millis());
    }
    text
}

/// The events of a script, as they come to be.
struct Events {
    engine: Engine,
    world: Option<World>,
    lines: Vec<String>,
    /// What nodes read before the application produces anything: in scripts it all begins with that.
    early: Vec<String>,
    /// For each node the line before which nothing is said of what it reads and answers next.
    read: [usize; 3],
    answered: [usize; 3],
}

impl Events {
    fn new(setup: &Setup) -> Self {
        let mut engine = Engine::new(setup);
        let world = engine.start().ok();
        Self { engine, world, lines: Vec::new(), early: Vec::new(), read: [0; 3], answered: [0; 3] }
    }

    fn push(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    /// Says something earlier than the rest.
    fn insert(&mut self, at: usize, line: String) {
        self.lines.insert(at, line);
        let places = self.read.iter_mut().chain(&mut self.answered);
        places.filter(|place| **place > at).for_each(|place| *place += 1);
    }

    /// Says what happens. Returns whether the path goes on.
    fn take(&mut self, action: Action) -> bool {
        let Some(before) = self.world.take() else { return false };
        let after = self.engine.apply(&before, action).ok().flatten();
        self.say(&before, after.as_ref(), action);
        self.world = after;
        self.world.is_some()
    }

    fn say(&mut self, before: &World, after: Option<&World>, action: Action) {
        let node = |slot: u8| {
            let line = before.lines[usize::from(slot)].as_ref();
            line.map_or(1, |line| usize::from(line.node))
        };
        match action {
            Action::Produce(partition) => {
                let setup = &self.engine.setup;
                let place = before.produced[usize::from(partition)] * setup.records;
                let names = (0..setup.records).map(|n| setup.record(partition, place + n));
                let names: Vec<String> = names.map(|record| format!("r{record}")).collect();
                self.push(format!("produce t/{partition} {}", names.join(" ")));
                let early = std::mem::take(&mut self.early);
                self.lines.extend(early);
                (self.read, self.answered) = ([self.lines.len(); 3], [self.lines.len(); 3]);
            }
            Action::TakeEvents => {
                let told = |after: &World, record: usize| {
                    before.told[record] != after.told[record] && after.told[record] != Told::Nothing
                };
                let names: Vec<String> = match after {
                    Some(after) => (0..before.told.len())
                        .filter(|record| told(after, *record))
                        .map(|record| format!("r{record}"))
                        .collect(),
                    None => Vec::new(),
                };
                if !names.is_empty() {
                    self.push(format!("until told {}", names.join(" ")));
                }
            }
            Action::Close => self.push("close 500ms"),
            Action::Deliver(slot) => self.reads(before, slot, node(slot)),
            Action::ErrorBefore(slot, code) => {
                let rule = format!("next Produce to node {}: refuse {code}", node(slot));
                self.insert(self.read[node(slot)], rule);
                self.reads(before, slot, node(slot));
            }
            Action::ErrorAfter(slot, code) => {
                let rule = format!("next Produce to node {}: append and answer {code}", node(slot));
                self.insert(self.read[node(slot)], rule);
                self.reads(before, slot, node(slot));
            }
            // The nearest that a script can say: nothing is told of the batch.
            Action::LeaveOut(slot) => {
                let rule = format!("next Produce to node {}: append and close", node(slot));
                self.insert(self.read[node(slot)], rule);
                self.reads(before, slot, node(slot));
            }
            Action::Answer(slot) => self.answered[node(slot)] = self.lines.len(),
            Action::LoseRequest(slot, silent) => {
                self.insert(self.read[node(slot)], format!("hold requests of node {}", node(slot)));
                self.breaks(node(slot), silent);
            }
            Action::LoseReply(slot, silent) => {
                // The answer before them has come by then.
                let at = self.answered[node(slot)];
                self.insert(at, format!("hold answers of node {}", node(slot)));
                self.insert(at, "after 1ms".to_string());
                self.breaks(node(slot), silent);
            }
            // What is cut is lost: here the producer gives the connection up by itself.
            Action::Delay(slot, _) => {
                self.insert(self.read[node(slot)], format!("hold requests of node {}", node(slot)));
            }
            Action::Late(place) => {
                self.push(format!("release node {}", before.late[usize::from(place)].node));
            }
            Action::Reload => {
                self.push("reload node 1 newest");
                self.push("reload node 2 newest");
            }
            Action::Expire(partition) => self.push(format!("forget t/{partition}")),
            Action::MoveLeader(partition) => {
                let leader = |world: &World| self.engine.brokers.leader(world.broker, partition);
                let leader = after.map_or(2, leader);
                self.push(format!("lead t/{partition} by node {leader}"));
            }
            // Whatever is waited for lets deadlines pass.
            Action::Connected(_) | Action::Deadline => {}
        }
    }

    /// A node reads a request.
    fn reads(&mut self, world: &World, slot: u8, node: usize) {
        let line = world.lines[usize::from(slot)].as_ref();
        let Some(request) = line.and_then(|line| line.requests.first()) else { return };
        let name = match self.engine.frames.get(*request).content {
            Content::Produce(..) => "Produce",
            Content::Other(name) => name,
            Content::Produced(_) | Content::Answered => return,
        };
        let line = format!("until {name} to node {node}");
        if self.lines.is_empty() {
            self.early.push(line);
        } else {
            self.push(line);
        }
        self.read[node] = self.lines.len();
    }

    fn breaks(&mut self, node: usize, silent: bool) {
        if !silent {
            self.push(format!("cut node {node}"));
        }
        (self.read[node], self.answered[node]) = (self.lines.len(), self.lines.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Fault;
    use crate::search::search;
    use crate::setup::Lie;

    #[test]
    fn faults_are_said_before_the_requests_that_they_are_for() {
        let setup = Setup { lie: Some(Lie::ForgetProducers), ..Setup::new(1, 1) };
        let expected = [
            (Fault::ErrorAfter, "next Produce to node 1: append and answer 7"),
            (Fault::LostReply, "hold answers of node 1"),
            (Fault::LateRequest, "hold requests of node 1"),
        ];
        for (fault, line) in expected {
            let setup = setup.clone().with(&[fault]);
            let found = search(&setup, 100_000).found.unwrap();
            let text = script(&setup, &found);
            let at = |line: &str| text.lines().position(|l| l.trim() == line);
            let rule = at(line).unwrap_or_else(|| panic!("{text}"));
            assert!(at("produce t/0 r0").unwrap() < text.lines().count());
            let read = text.lines().skip(rule).any(|l| l.trim() == "until Produce to node 1");
            assert!(read, "{text}");
        }
    }
}
