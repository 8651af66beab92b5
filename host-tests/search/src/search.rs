//! Breadth first: every state is entered once, by a shortest path.

use std::collections::VecDeque;
use std::time::Duration;

use cpu_time::ThreadTime;
use hashbrown::HashSet;

use crate::action::Action;
use crate::check::Violation;
use crate::engine::Engine;
use crate::fingerprint::{Fingerprint, FingerprintHasher};
use crate::setup::Setup;
use crate::world::World;

/// What a search has found.
#[derive(Debug)]
pub struct Report {
    /// What was searched.
    pub setup: Setup,
    /// Different states.
    pub states: usize,
    /// Steps from one to another, or to itself.
    pub steps: u64,
    /// Length of the longest of the shortest paths.
    pub depth: usize,
    /// Different states of the producer, and of the cluster.
    pub clients: usize,
    /// Different states of the cluster.
    pub brokers: usize,
    /// Worlds that were waiting to be looked at, at most.
    pub waiting: usize,
    /// States of the producer that were entered again from the beginning, by the same calls.
    pub again: usize,
    /// States in which the application knows of every record what became of it.
    pub ends: usize,
    /// How long it took a processor.
    pub took: Duration,
    /// Whether every state was entered; otherwise there were more than allowed.
    pub complete: bool,
    /// Links whose requests could not be kept to come late: then it is not complete.
    pub forgone: u64,
    /// What was broken first.
    pub found: Option<Found>,
}

impl Report {
    fn of(setup: &Setup) -> Self {
        Self {
            setup: setup.clone(),
            states: 0,
            steps: 0,
            depth: 0,
            clients: 0,
            brokers: 0,
            waiting: 0,
            again: 0,
            ends: 0,
            took: Duration::ZERO,
            complete: true,
            forgone: 0,
            found: None,
        }
    }
}

/// A promise that was broken, and a shortest way there.
#[derive(Debug)]
pub struct Found {
    /// What was broken.
    pub violation: Violation,
    /// What happened, from the beginning on.
    pub path: Vec<Action>,
}

/// How each state was first entered: from which one, and by which of the things that can happen
/// there.
#[derive(Default)]
struct Paths(Vec<(u32, u8)>);

impl Paths {
    fn add(&mut self, from: u32, choice: u8) -> u32 {
        self.0.push((from, choice));
        self.0.len() as u32 - 1
    }

    /// The choices that lead to a state.
    fn to(&self, mut state: u32) -> Vec<u8> {
        let mut choices = Vec::new();
        while state != 0 {
            let (from, choice) = self.0[state as usize];
            choices.push(choice);
            state = from;
        }
        choices.reverse();
        choices
    }
}

/// Enters every state of a setup's worlds, at most `limit`.
#[must_use]
pub fn search(setup: &Setup, limit: usize) -> Report {
    let began = ThreadTime::now();
    let mut engine = Engine::new(setup);
    let mut report = Report::of(setup);
    match engine.start() {
        Ok(start) => enter(&mut engine, start, limit, &mut report),
        Err(violation) => report.found = Some(Found { violation, path: Vec::new() }),
    }
    if report.found.is_none() {
        match engine.clients.again(&mut engine.frames) {
            Ok(again) => report.again = again,
            Err(violation) => report.found = Some(Found { violation, path: Vec::new() }),
        }
    }
    report.clients = engine.clients.count();
    report.brokers = engine.brokers.count();
    report.took = began.elapsed();
    report
}

/// Enters every state, keeping all machines that have a fingerprint in common, and then gives each
/// of them what was given to one: how often the same came of it. `timeless`: fingerprints leave out
/// what is due when.
///
/// # Errors
/// What differs, or what was broken.
pub fn compare(setup: &Setup, timeless: bool) -> Result<usize, String> {
    let mut engine = Engine::new(setup);
    engine.clients.keep_twins(timeless);
    // Machines that are made again are compared, too.
    engine.clients.keep_most(2_000);
    let start = engine.start().map_err(|violation| violation.to_string())?;
    let mut report = Report::of(setup);
    enter(&mut engine, start, usize::MAX, &mut report);
    match report.found {
        Some(found) => Err(found.violation.to_string()),
        None => engine.clients.compare(&mut engine.frames),
    }
}

fn enter(engine: &mut Engine, start: World, limit: usize, report: &mut Report) {
    let mut known: HashSet<Fingerprint, FingerprintHasher> = HashSet::default();
    let mut paths = Paths::default();
    let mut waiting = VecDeque::new();
    // Worlds that were looked at, whose memory is used again.
    let mut spare: Vec<Box<World>> = Vec::new();
    known.insert(engine.fingerprint(&start));
    waiting.push_back((paths.add(0, 0), 0_u32, Box::new(start)));
    while let Some((state, depth, world)) = waiting.pop_front() {
        report.depth = depth as usize;
        let actions = engine.enabled(&world);
        report.ends += usize::from(engine.is_over(&world));
        for (action, choice) in actions.iter().zip(0_u8..) {
            let mut next = World::clone(&world);
            let result = engine.happen(&mut next, *action).and_then(|changed| {
                report.steps += u64::from(changed);
                // What is looked at in a state is looked at once.
                let new = changed && known.insert(engine.fingerprint(&next));
                if new { engine.check(&next).map(|()| true) } else { Ok(false) }
            });
            match result {
                Ok(false) => {}
                Ok(true) => {
                    let next = match spare.pop() {
                        Some(mut place) => {
                            *place = next;
                            place
                        }
                        None => Box::new(next),
                    };
                    waiting.push_back((paths.add(state, choice), depth + 1, next));
                }
                Err(violation) => {
                    let mut choices = paths.to(state);
                    choices.push(choice);
                    let path = actions_of(engine, &choices);
                    report.found = Some(Found { violation, path });
                    report.states = known.len();
                    return;
                }
            }
        }
        spare.push(world);
        report.waiting = report.waiting.max(waiting.len());
        if known.len() >= limit {
            report.complete = waiting.is_empty();
            break;
        }
    }
    report.forgone = engine.forgone;
    report.complete &= engine.forgone == 0;
    report.states = known.len();
}

/// What happened, by the choices that were made.
fn actions_of(engine: &mut Engine, choices: &[u8]) -> Vec<Action> {
    let Ok(mut world) = engine.start() else { return Vec::new() };
    let mut path = Vec::new();
    for choice in choices {
        let Some(action) = engine.enabled(&world).get(usize::from(*choice)).copied() else { break };
        path.push(action);
        match engine.apply(&world, action) {
            Ok(Some(next)) => world = next,
            _ => break,
        }
    }
    path
}
